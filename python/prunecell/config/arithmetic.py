"""The operators and functions of `$(...)`, each with a bound on its result."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

from ..limits import MAX_INTEGER_BITS

Number = int | float


class ExpressionError(ValueError):
    """A text that is not arithmetic, or that has no finite result."""


COMPARE: dict[str, Callable[[Number, Number], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def checked(value: Number) -> Number:
    """`value`. Raises ExpressionError unless it is a finite number of a bounded size."""
    if isinstance(value, int):
        if value.bit_length() > MAX_INTEGER_BITS:
            raise ExpressionError(f"an integer of more than {MAX_INTEGER_BITS} bits")
    elif not math.isfinite(value):
        raise ExpressionError("the result is not a finite number")
    return value


def power(base: Number, exponent: Number) -> Number:
    """`base**exponent`. Raises ExpressionError before computing a huge or complex result."""
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0:
        # The product of the two is the size of the result in bits.
        if base.bit_length() * exponent > MAX_INTEGER_BITS and abs(base) > 1:
            raise ExpressionError(f"an integer of more than {MAX_INTEGER_BITS} bits")
    elif base < 0 and exponent != int(exponent):
        raise ExpressionError("a fractional power of a negative number")
    result: Number = base**exponent
    return result


def _round(value: Number, digits: Number | None = None) -> Number:
    if digits is None:
        return round(value)
    if not isinstance(digits, int) or abs(digits) > 400:
        raise ExpressionError("round() takes a number of digits from -400 to 400")
    return round(value, digits)


SUM: dict[str, Callable[[Number, Number], Number]] = {"+": operator.add, "-": operator.sub}
PRODUCT: dict[str, Callable[[Number, Number], Number]] = {
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}

# name -> (function, fewest arguments, most arguments)
FUNCTIONS: dict[str, tuple[Callable[..., Number], int, int]] = {
    "int": (int, 1, 1),
    "float": (float, 1, 1),
    "bool": (bool, 1, 1),
    "abs": (abs, 1, 1),
    "round": (_round, 1, 2),
    "min": (min, 2, 100),
    "max": (max, 2, 100),
    "pow": (power, 2, 2),
}
