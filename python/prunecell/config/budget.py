"""Amounts of work that one INI file may use up."""

from __future__ import annotations

from ..limits import MAX_LOAD_CHARS, MAX_READ_CHARS
from .errors import Origin, error_at


class Budget:
    """An amount that may be used up, and the message of the error when it is."""

    def __init__(self, limit: int, what: str) -> None:
        self.left: int = limit
        self._limit = limit
        self._what = what

    def charge(self, amount: int, origin: Origin, section: str | None) -> None:
        """Uses `amount`; raises ConfigError at `origin` when there is not as much left."""
        self.left -= amount
        if self.left < 0:
            raise error_at(origin, section, f"{self._what} (limit {self._limit:,})")


def loading_budget() -> Budget:
    """The budget of everything that one call resolves from one file."""
    return Budget(MAX_LOAD_CHARS, "the values of this file expand to too much text")


def reading_budget() -> Budget:
    """The budget of one value that is read by itself."""
    return Budget(MAX_READ_CHARS, "this value expands to too much text")
