"""The value of a property as text that knows where it stands, and its typed readings.

The typed readings accept what the reference's C++ streams accept: leading white space, a plus sign,
and commas that group thousands (60,000); nothing may follow the number.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

from .errors import ConfigError, Origin, error_at, shorten, suggestion
from .lexer import WHITESPACE

_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
_NUMBER = re.compile(rf"[+-]?(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(rf"[+-]?{_DIGITS}")
# Characters of a number at most; keeps int() and float() cheap on a hostile value.
_LONGEST_NUMBER = 400


class Value(str):
    """The resolved text of one property.

    `file` and `line` (from 1) say where it is written, `section` which section it was read from,
    `key` its name, `raw` the text before references were resolved.
    """

    file: str
    line: int
    section: str
    key: str
    raw: str
    _via: str

    def __new__(
        cls,
        text: str,
        *,
        origin: Origin | None = None,
        section: str = "",
        key: str = "",
        raw: str = "",
    ) -> Value:
        """A value with its place; copying and unpickling give the text alone, the rest after."""
        self = super().__new__(cls, text)
        self.file, self.line, self._via = origin or Origin("", 0)
        self.section = section
        self.key = key
        self.raw = raw
        return self

    @property
    def origin(self) -> Origin:
        """Where the value is written."""
        return Origin(self.file, self.line, self._via)

    def error(self, reason: str) -> ConfigError:
        """A ConfigError (for the caller to raise) that names this value's place and key."""
        return error_at(self.origin, self.section, f"{self.key}: {reason}")

    def number(self) -> float:
        """The value as a finite number that fits float32. Raises ConfigError if it is none."""
        return self._number(str(self))

    def numbers(self) -> list[float]:
        """The value as numbers separated by white space."""
        return [self._number(word) for word in self.words()]

    def integer(self, *, signed: bool = False, bits: int = 32) -> int:
        """The value as an integer of `bits` bits, not negative unless `signed`."""
        return self._integer(str(self), signed, bits)

    def integers(self, *, signed: bool = False, bits: int = 32) -> list[int]:
        """The value as integers separated by white space."""
        return [self._integer(word, signed, bits) for word in self.words()]

    def flag(self) -> bool:
        """The value as 0 or 1, the only truth values of the reference."""
        return self.choice(("0", "1")) == "1"

    def choice(self, words: Sequence[str]) -> str:
        """The value as one of `words`, in exactly that spelling."""
        word = self.lstrip(WHITESPACE)
        if word not in words:
            raise self.error(
                f"expected one of {', '.join(words)}; got {shorten(self)}{suggestion(word, words)}"
            )
        return word

    def words(self, separators: str = WHITESPACE) -> list[str]:
        """The value split at any of `separators`, white space around each word removed."""
        pieces = re.split(f"[{re.escape(separators)}]", self)
        return [word for word in (piece.strip(WHITESPACE) for piece in pieces) if word]

    def _number(self, text: str) -> float:
        digits = text.lstrip(WHITESPACE)
        if len(digits) > _LONGEST_NUMBER or not _NUMBER.fullmatch(digits):
            raise self.error(f"expected a number such as 0.3, got {shorten(text)}" + _hint(digits))
        number = float(digits.replace(",", ""))
        try:
            struct.pack("<f", number)
        except OverflowError:
            raise self.error(f"{shorten(text)} is too large for a 32-bit number") from None
        if number in (float("inf"), float("-inf")):
            raise self.error(f"{shorten(text)} is too large for a 32-bit number")
        return number

    def _integer(self, text: str, signed: bool, bits: int) -> int:
        digits = text.lstrip(WHITESPACE)
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        what = f"expected an integer from {low} to {high}, got {shorten(text)}"
        if len(digits) > _LONGEST_NUMBER or not _INTEGER.fullmatch(digits):
            raise self.error(what + _hint(digits))
        # The reference refuses the sign itself, so that -0 is no unsigned integer either.
        if digits.startswith("-") and not signed:
            raise self.error(what)
        number = int(digits.replace(",", ""))
        if not low <= number <= high:
            raise self.error(what)
        return number


def _hint(text: str) -> str:
    """A remark about the likely meaning of a text that is not a number, or ""."""
    if "${" in text:
        return " (a ${name} that is not defined stays as it is)"
    if "," in text:
        return " (a comma only groups thousands, as in 60,000; the decimal sign is a point)"
    return ""
