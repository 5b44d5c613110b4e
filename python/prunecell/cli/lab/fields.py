"""The values of a JSON object in a file of a run, each checked when it is taken."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prunecell.formats.bad_file import bad_file, said
from prunecell.limits import MAX_BYTES


@dataclass(frozen=True)
class Fields:
    """A JSON object and its place: the keys that lead to it, and a line in a file of lines."""

    path: Path
    values: dict[str, Any]
    before: str = ""
    after: str = ""

    @classmethod
    def of(cls, path: Path, value: object, after: str = "") -> Fields:
        """The outermost object of a file or line.

        Raises:
            BadFile: `value` is no object.
        """
        if not isinstance(value, dict):
            raise bad_file(path, None, f"a JSON object{after}", value)
        return cls(path, value, "", after)

    def take(self, key: str, accepted: str, fits: Callable[[Any], bool]) -> Any:
        """The value of a key.

        Raises:
            BadFile: There is no value, or it does not fit.
        """
        if key not in self.values or not fits(self.values[key]):
            what = f"{accepted} as {self.before}{key}{self.after}"
            raise bad_file(self.path, None, what, self.values.get(key, said("nothing")))
        return self.values[key]

    def inner(self, key: str) -> Fields:
        """The object of a key."""
        value = self.take(key, "a JSON object", lambda one: isinstance(one, dict))
        return Fields(self.path, value, f"{self.before}{key}.", self.after)

    def text(self, key: str) -> str:
        """The string of a key."""
        text: str = self.take(key, "a string", lambda one: isinstance(one, str))
        return text

    def integer(self, key: str, low: int = 0, high: int = MAX_BYTES) -> int:
        """The integer of a key."""
        accepted = f"{low}" if low == high else f"an integer from {low} to {high}"
        number: int = self.take(key, accepted, lambda one: is_integer(one) and low <= one <= high)
        return number

    def number(self, key: str, low: float, high: float) -> float:
        """The number of a key."""
        accepted = f"a number from {low} to {high}"
        return float(self.take(key, accepted, lambda one: is_finite(one) and low <= one <= high))


def is_integer(value: object) -> bool:
    """Whether `value` is an integer; true and false are none."""
    return type(value) is int


def is_finite(value: object) -> bool:
    """Whether `value` is a number that float64 holds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return -sys.float_info.max <= value <= sys.float_info.max


def is_path(value: object) -> bool:
    """Whether `value` can be the name of a file."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        return False
    return True
