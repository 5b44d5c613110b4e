"""Errors that end a command: the message is one line on stderr, the class the exit code."""

from __future__ import annotations


class CommandError(Exception):
    """The command failed: exit code 1."""

    code = 1


class UsageError(CommandError):
    """Usage error: exit code 2."""

    code = 2
