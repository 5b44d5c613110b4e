"""What ends a command: its message is one line on stderr, its kind the exit code."""

from __future__ import annotations


class CommandError(Exception):
    """The command could not do what it was asked to do: exit code 1."""

    code = 1


class UsageError(CommandError):
    """It was asked for something that cannot be meant: exit code 2."""

    code = 2
