"""Errors and warnings about an INI file, with their place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple

from ..limits import MAX_MESSAGE_CHARS
from ..shown import printable
from ..warning import warn

# difflib costs the product of both lengths for each candidate, and a hostile file may hold
# megabytes of both.
_LONGEST_SUGGESTED = 64
_MOST_CANDIDATES = 1000


class Origin(NamedTuple):
    """The place of a piece of text.

    `file` is the path as the reader was given it, `line` counts from 1, `via` says which template
    inclusion led there ("" for the file itself).
    """

    file: str
    line: int
    via: str = ""


class ConfigError(ValueError):
    """A configuration that cannot be used as it is written.

    The message names file, line, section and what was expected; the same are attributes:
    `file` (str or None), `line` (int from 1, or None), `section` (str or None, "" being the part
    before any section) and `reason` (the message without the place).
    """

    def __init__(
        self,
        reason: str,
        *,
        file: str | None = None,
        line: int | None = None,
        section: str | None = None,
    ) -> None:
        self.reason = reason
        self.file = file
        self.line = line
        self.section = section
        super().__init__(_message(reason, file, line, section))

    def __str__(self) -> str:
        # KeyError, a base of MissingKeyError, would print the repr of its argument.
        return str(self.args[0])


class MissingKeyError(ConfigError, KeyError):
    """A section or a property was asked for by name and is not in the file."""


class ConfigWarning(UserWarning):
    """An INI file is valid, but perhaps does not mean what was intended."""


def error_at(origin: Origin, section: str | None, reason: str) -> ConfigError:
    """A ConfigError (to be raised by the caller) for text at `origin` inside `section`."""
    return ConfigError(reason + origin.via, file=origin.file, line=origin.line, section=section)


def warn_user(message: str) -> None:
    """Warns with ConfigWarning, attributed to the first caller outside this package."""
    warn(_printable(message), ConfigWarning)


def place(origin: Origin) -> str:
    """`origin` as "file:line", for use inside a message about something else."""
    return f"{origin.file}:{origin.line}"


def suggestion(word: str, legal: Iterable[str]) -> str:
    """' (did you mean "x"?)' for the word of `legal` most like `word`, or "" if none is near."""
    if len(word) > _LONGEST_SUGGESTED:
        return ""
    candidates: dict[str, str] = {}
    for name in legal:
        if len(name) <= _LONGEST_SUGGESTED and len(candidates) < _MOST_CANDIDATES:
            candidates.setdefault(name.lower(), name)
    near = difflib.get_close_matches(word.lower(), candidates, n=1)
    return f' (did you mean "{candidates[near[0]]}"?)' if near else ""


def shorten(text: str, length: int = 60) -> str:
    """`text` quoted for a message, cut in the middle when it is long."""
    return f'"{_printable(text, length)}"'


def _printable(text: str, length: int = MAX_MESSAGE_CHARS) -> str:
    """`text` on one line of at most about `length` characters, safe for any terminal."""
    if len(text) > length:
        text = f"{text[: length - 20]}...{text[-10:]}"
    return printable(text)


def _message(reason: str, file: str | None, line: int | None, section: str | None) -> str:
    parts = []
    if file is not None:
        parts.append(file if line is None else f"{file}:{line}")
    if section is not None:
        parts.append(f"section [{section}]" if section else "before the first section")
    return ": ".join([*map(_printable, parts), _printable(reason)])
