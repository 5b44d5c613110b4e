"""The arithmetic inside `$(...)`.

The reference hands this text to a Python interpreter, so that a configuration can run any program.
Here a small parser reads it that knows numbers, the arithmetic and comparison operators of Python,
`x if condition else y`, and eight functions; results are printed as Python prints them. Length,
depth and the size of integers are bounded, so that no text takes noticeable time. ADR 12 says why
Python's own parser is not used.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..limits import MAX_EXPRESSION_CHARS, MAX_EXPRESSION_DEPTH, MAX_INTEGER_BITS
from .arithmetic import COMPARE, FUNCTIONS, PRODUCT, SUM, ExpressionError, Number, checked, power
from .errors import suggestion

_Thunk = Callable[[], Number]


def evaluate(text: str) -> str:
    """The printed result of the expression `text` (what stands between `$(` and `)`)."""
    if len(text) > MAX_EXPRESSION_CHARS:
        raise ExpressionError(f"longer than {MAX_EXPRESSION_CHARS} characters")
    # Evaluation comes after parsing because only the chosen branch of a condition may fail.
    thunk = _Parser(text).parse()
    try:
        return str(thunk())
    except ZeroDivisionError:
        raise ExpressionError("division by zero") from None
    except OverflowError:
        raise ExpressionError("the result is too large") from None


_TOKEN = re.compile(
    r"""[ \t\n\v\f\r]*(?:
        (?P<number>0[xX][0-9a-fA-F]+
                  |(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
       |(?P<name>[A-Za-z_][A-Za-z_0-9]*)
       |(?P<symbol>\*\*|//|<=|>=|==|!=|\$\(|[-+*/%(),<>])
    )""",
    re.VERBOSE,
)

_WORDS = ("if", "else", "and", "or", "not", "True", "False")


class _Parser:
    """Recursive descent, one method per precedence, each returning a function of no arguments.

    Chains of equal precedence are loops, at parsing and at evaluation, so that only nesting takes
    depth.
    """

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def parse(self) -> _Thunk:
        thunk = self._condition()
        if self._peek():
            raise ExpressionError(f'unexpected "{self._peek()}"')
        return thunk

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self, *wanted: str) -> str:
        """The next token if it is one of `wanted`, else ""."""
        token = self._peek()
        if token in wanted:
            self._next += 1
            return token
        return ""

    def _expect(self, wanted: str) -> None:
        if not self._take(wanted):
            got = f'"{self._peek()}"' if self._peek() else "the end"
            raise ExpressionError(f'expected "{wanted}", got {got}')

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_EXPRESSION_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_EXPRESSION_DEPTH}")

    def _condition(self) -> _Thunk:
        self._enter()
        chosen = self._any()
        if self._take("if"):
            test = self._any()
            self._expect("else")
            other = self._condition()
            first = chosen
            chosen = lambda: first() if test() else other()  # noqa: E731
        self._depth -= 1
        return chosen

    def _any(self) -> _Thunk:
        return self._logical("or", self._all, stop=True)

    def _all(self) -> _Thunk:
        return self._logical("and", self._negation, stop=False)

    def _logical(self, word: str, part: Callable[[], _Thunk], *, stop: bool) -> _Thunk:
        parts = [part()]
        while self._take(word):
            parts.append(part())

        def thunk() -> Number:
            # As in Python, the operand that decides is the result.
            for each in parts[:-1]:
                value = each()
                if bool(value) is stop:
                    return value
            return parts[-1]()

        return thunk if len(parts) > 1 else parts[0]

    def _negation(self) -> _Thunk:
        if not self._take("not"):
            return self._comparison()
        self._enter()
        operand = self._negation()
        self._depth -= 1
        return lambda: not operand()

    def _comparison(self) -> _Thunk:
        first = self._sum()
        rest: list[tuple[str, _Thunk]] = []
        while sign := self._take(*COMPARE):
            rest.append((sign, self._sum()))

        def thunk() -> Number:
            left = first()
            for sign, operand in rest:
                right = operand()
                if not COMPARE[sign](left, right):
                    return False
                left = right
            return True

        return thunk if rest else first

    def _sum(self) -> _Thunk:
        return self._chain(SUM, self._product)

    def _product(self) -> _Thunk:
        return self._chain(PRODUCT, self._signed)

    def _chain(
        self, signs: dict[str, Callable[[Number, Number], Number]], part: Callable[[], _Thunk]
    ) -> _Thunk:
        first = part()
        rest: list[tuple[str, _Thunk]] = []
        while sign := self._take(*signs):
            rest.append((sign, part()))

        def thunk() -> Number:
            value = first()
            for sign, operand in rest:
                value = checked(signs[sign](value, operand()))
            return value

        return thunk if rest else first

    def _signed(self) -> _Thunk:
        sign = self._take("-", "+")
        if not sign:
            return self._exponentiation()
        self._enter()
        operand = self._signed()
        self._depth -= 1
        return (lambda: -operand()) if sign == "-" else (lambda: +operand())

    def _exponentiation(self) -> _Thunk:
        base = self._atom()
        if not self._take("**"):
            return base
        self._enter()
        exponent = self._signed()  # binds to the right, and 2**-1 is legal
        self._depth -= 1
        return lambda: checked(power(base(), exponent()))

    def _atom(self) -> _Thunk:
        token = self._peek()
        if not token:
            raise ExpressionError("a number is missing at the end")
        self._next += 1
        if token in ("(", "$("):  # $(...) inside $(...) means the same as parentheses
            inner = self._condition()
            self._expect(")")
            return inner
        if token[0].isdigit() or (token[0] == "." and len(token) > 1):
            return _literal(token)
        if token in ("True", "False"):
            return lambda: token == "True"
        if token in FUNCTIONS:
            return self._call(token)
        if token[0].isalpha() or token[0] == "_":
            legal = [*FUNCTIONS, *_WORDS]
            raise ExpressionError(
                f'unknown name "{token[:40]}"{suggestion(token, legal)}; known are '
                + ", ".join(legal)
            )
        raise ExpressionError(f'a number is missing before "{token}"')

    def _call(self, name: str) -> _Thunk:
        function, fewest, most = FUNCTIONS[name]
        self._expect("(")
        arguments = [self._condition()]
        while self._take(","):
            arguments.append(self._condition())
        self._expect(")")
        if not fewest <= len(arguments) <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
            raise ExpressionError(f"{name}() takes {wanted} arguments, got {len(arguments)}")
        return lambda: checked(function(*[argument() for argument in arguments]))


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    end = len(text.rstrip())
    position = 0
    while position < end:
        match = _TOKEN.match(text, position, end)
        if not match:
            rest = text[position:end].lstrip()
            if rest.startswith("${"):
                raise ExpressionError(f"{rest[:40].split('}')[0]}}} is not defined")
            raise ExpressionError(f'unexpected "{rest[:1]}"')
        tokens.append(match.group(match.lastgroup or 0))
        position = match.end()
    return tokens


def _literal(token: str) -> _Thunk:
    if token[:2].lower() == "0x":
        number: Number = checked(int(token, 16))
    elif token.isdigit():
        if len(token) > 1 and token[0] == "0" and token.strip("0"):
            raise ExpressionError(f'a number with leading zeros: "{token[:40]}"')
        if len(token) > MAX_INTEGER_BITS:  # int() itself refuses some thousand digits
            raise ExpressionError(f"an integer of more than {MAX_INTEGER_BITS} bits")
        number = checked(int(token))
    else:
        number = checked(float(token))
    return lambda: number
