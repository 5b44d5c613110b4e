"""How much work one INI file may cause.

A configuration is text from somebody else. Every limit is far above any real network (the largest
INI file of the reference has 20 kB, 150 sections and 3000 characters in its longest value) and low
enough that the worst file is refused within a second or two.
"""

from __future__ import annotations

from .errors import Origin, error_at

MAX_FILE_BYTES = 4 << 20
MAX_NAME_CHARS = 1000  # of a section or a property
MAX_PATH_CHARS = 1000  # of a template
MAX_PROPERTIES = 100_000  # and sections, inherited properties counted wherever they arrive
MAX_VALUE_CHARS = 256 << 10  # of a value in which something was substituted
MAX_READ_CHARS = 1 << 20  # built while one value is resolved
MAX_LOAD_CHARS = 16 << 20  # built while all values of one call are resolved
MAX_REFERENCE_DEPTH = 32  # of values that refer to values

MAX_EXPRESSION_CHARS = 4096
MAX_EXPRESSION_DEPTH = 24  # of parentheses, right-hand operators and conditions
MAX_INTEGER_BITS = 1024  # of any intermediate result

MAX_TEMPLATE_CHARS = 4 << 20  # rendered from all templates of one file
MAX_TEMPLATE_STEPS = 200_000  # nodes rendered, parameters copied for a block
MAX_TEMPLATE_DEPTH = 20  # of nested controls, and of templates that use templates


class Budget:
    """An amount that may be used up, and the error when it is."""

    def __init__(self, limit: int, what: str) -> None:
        self.left = limit
        self._limit = limit
        self._what = what

    def charge(self, amount: int, origin: Origin, section: str | None) -> None:
        """Uses `amount`; raises ConfigError at `origin` when there is not as much left."""
        self.left -= amount
        if self.left < 0:
            raise error_at(origin, section, f"{self._what} (limit {self._limit:,})")


def loading_budget() -> Budget:
    """For everything that one call resolves from one file."""
    return Budget(MAX_LOAD_CHARS, "the values of this file expand to too much text")


def reading_budget() -> Budget:
    """For one value, read by itself."""
    return Budget(MAX_READ_CHARS, "this value expands to too much text")
