"""Splits the text of an INI file into statements: section headers and properties.

Follows the reference where Python's configparser does not: a backslash at the very end of a line
joins the next one wherever that begins, comments start at `;` or `#` outside double quotes, and
after a header's `]` come the sections it inherits from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..limits import MAX_NAME_CHARS
from .errors import Origin, error_at, shorten

# The C locale's white space: str.strip() alone would also eat no-break spaces, which the reference
# keeps, and str.splitlines() would break lines at form feeds.
WHITESPACE = " \t\n\v\f\r"

_QUOTE_OR_COMMENT = re.compile('[";#]')


@dataclass(frozen=True)
class Header:
    """`[name] base1 base2`, or `[name@template] base1`."""

    origin: Origin
    name: str
    bases: tuple[str, ...]
    template: str | None


@dataclass(frozen=True)
class Property:
    """`key=value`, the value without its quotes but with its references as written."""

    origin: Origin
    key: str
    value: str


Statement = Header | Property
PhysicalLine = tuple[Origin, str]


def physical_lines(text: str, file: str) -> Iterator[PhysicalLine]:
    """The lines of a file as they stand in it."""
    for number, line in enumerate(text.split("\n"), start=1):
        yield Origin(file, number), line


def statements(lines: Iterable[PhysicalLine]) -> Iterator[Statement]:
    """The statements of `lines`, in order. Raises ConfigError for any other line."""
    section: str = ""
    for origin, line in _logical_lines(lines):
        code = _without_comment(line, origin, section).strip(WHITESPACE)
        if not code:
            continue
        if code.startswith("["):
            header = _header(code, origin, section)
            section = header.name
            yield header
        else:
            yield _property(code, origin, section)


def _logical_lines(lines: Iterable[PhysicalLine]) -> Iterator[PhysicalLine]:
    pending: list[str] = []
    start: Origin | None = None
    for origin, text in lines:
        # Windows line ends first: the backslash must be the last character before them.
        line = text.removeprefix("\ufeff").removesuffix("\r")
        start = start or origin
        if line.endswith("\\"):
            pending.append(line[:-1])
            continue
        yield start, "".join([*pending, line])
        pending.clear()
        start = None
    if pending and start is not None:
        # A backslash on the last line joins it with nothing. (The reference drops the line.)
        yield start, "".join(pending)


def _without_comment(line: str, origin: Origin, section: str) -> str:
    """`line` up to the first `;` or `#` that is not between double quotes."""
    position = 0
    while found := _QUOTE_OR_COMMENT.search(line, position):
        if found.group() != '"':
            return line[: found.start()]
        closing = line.find('"', found.end())
        if closing < 0:
            raise error_at(origin, section, f"no closing quote in {shorten(line)}")
        position = closing + 1
    return line


def _header(code: str, origin: Origin, section: str) -> Header:
    closing = code.find("]")
    if closing < 0:
        raise error_at(origin, section, f"a section header without a closing ]: {shorten(code)}")
    name = code[1:closing]
    bases = tuple(base for base in re.split("[ \t]", code[closing + 1 :]) if base)
    # Exactly one @ with something on both sides names a template; "a@b@c" is an ordinary name.
    parts = [part for part in name.split("@") if part]
    template = None
    if len(parts) == 2:
        name, template = parts
    if not name:
        raise error_at(origin, section, "a section header without a name")
    _check_length(name, "section", origin, section)
    return Header(origin, name, bases, template)


def _property(code: str, origin: Origin, section: str) -> Property:
    key, equals, value = code.partition("=")
    key = key.rstrip(WHITESPACE)
    if not equals:
        raise error_at(origin, section, f"expected name=value or [section], got {shorten(code)}")
    if not key:
        raise error_at(origin, section, f"no name before the = in {shorten(code)}")
    _check_length(key, "property", origin, section)
    value = value.lstrip(WHITESPACE)
    if len(value) >= 2 and value.startswith('"') and value.endswith('"'):
        value = value[1:-1]
    return Property(origin, key, value)


def _check_length(name: str, what: str, origin: Origin, section: str) -> None:
    if len(name) > MAX_NAME_CHARS:
        raise error_at(
            origin, section, f"the name of a {what} is longer than {MAX_NAME_CHARS} characters"
        )
