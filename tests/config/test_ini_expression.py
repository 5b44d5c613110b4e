"""The arithmetic of `$(...)`: Python's results, nothing of Python's power."""

from __future__ import annotations

import contextlib
import random
import warnings

import pytest
import work
from prunecell.config.arithmetic import ExpressionError
from prunecell.config.expression import evaluate


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("1 + 2", "3"),
        ("7 / 2", "3.5"),
        ("32 / 2", "16.0"),
        ("7 // 2", "3"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("2 ** 3 ** 2", "512"),
        ("-2 ** 2", "-4"),
        ("2 ** -1", "0.5"),
        ("8**(-1.0/(2*2-2)) if 8 > 0 else 1.0", "0.3535533905932738"),
        ("2 - 3 - 4", "-5"),
        ("(1 + 2) * 3", "9"),
        ("1e16", "1e+16"),
        ("1e3", "1000.0"),
        (".5 + 5.", "5.5"),
        ("0x1F", "31"),
        ("00", "0"),
        ("int(32 * 0.75)", "24"),
        ("int(-3.7)", "-3"),
        ("float(3)", "3.0"),
        ("round(2.5) + round(1.25, 1)", "3.2"),
        ("max(1, 2.5, 2)", "2.5"),
        ("min(1, 2.5)", "1"),
        ("abs(-3)", "3"),
        ("pow(2, 5)", "32"),
        ("bool(3)", "True"),
        ("1 < 2 < 3", "True"),
        ("1 < 3 < 2", "False"),
        ("1 == 1.0 != 2", "True"),
        ("not 1 or 2 and 3", "3"),
        ("0 and 1 / 0", "0"),
        ("1 or 1 / 0", "1"),
        ("1 if 1 else 1 / 0", "1"),
        ("1 / 0 if 0 else 2", "2"),
        ("1 if 0 else 2 if 0 else 3", "3"),
        ("$(1 + 1) * 2", "4"),
        ("True + True", "2"),
    ],
)
def test_arithmetic_gives_what_python_prints(text: str, result: str) -> None:
    assert evaluate(text) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "missing at the end"),
        ("1 +", "missing at the end"),
        ("1 2", 'unexpected "2"'),
        ("1 + * 2", 'missing before "*"'),
        ("(1", 'expected ")", got the end'),
        ("1)", 'unexpected ")"'),
        ("1 if 2", 'expected "else", got the end'),
        ("min(1)", "takes 2 to 100 arguments, got 1"),
        ("int(1, 2)", "takes 1 arguments, got 2"),
        ("int 3", 'expected "("'),
        ("roud(3)", 'unknown name "roud" (did you mean "round"?)'),
        ("__import__(1)", 'unknown name "__import__"'),
        ("(1).__class__", 'unexpected "."'),
        ("open", 'unknown name "open"'),
        ("f(1)(2)", 'unknown name "f"'),
        ("x", 'unknown name "x"'),
        ("'a'", 'unexpected "\'"'),
        ("1 << 3", 'missing before "<"'),
        ("1; 2", 'unexpected ";"'),
        ("1 = 1", 'unexpected "="'),
        ("007", "leading zeros"),
        ("1 / 0", "division by zero"),
        ("0 ** -1", "division by zero"),
        ("(-8) ** 0.5", "fractional power of a negative"),
        ("10.0 ** 400", "result is too large"),
        ("1e308 * 10", "not a finite number"),
        ("1e999", "not a finite number"),
        ("int(1e308) ** 2", "more than 1024 bits"),
        ("9 ** 9 ** 9", "more than 1024 bits"),
        ("2 ** 2000", "more than 1024 bits"),
        ("9" * 2000, "more than 1024 bits"),
        ("(2 ** 1000) * (2 ** 1000)", "more than 1024 bits"),
        ("round(1, 1000)", "from -400 to 400"),
        ("round(1, 0.5)", "from -400 to 400"),
        ("${A} + 1", "${A} is not defined"),
        ("(" * 25 + "1" + ")" * 25, "nested deeper"),
        ("-" * 2000 + "1", "nested deeper"),
        ("not " * 900 + "1", "nested deeper"),
        ("**".join(["1"] * 900), "nested deeper"),
        (" else ".join(["1 if 1"] * 300) + " else 1", "nested deeper"),
        ("1 " * 3000, "longer than 4096"),
    ],
)
def test_what_is_no_arithmetic_is_refused(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(text)
    assert message in str(caught.value)


def test_long_chains_need_no_depth() -> None:
    assert evaluate("+".join(["1"] * 2000)) == "2000"
    assert evaluate(" or ".join(["0"] * 800)) == "0"
    assert evaluate("<=".join(["1"] * 1000)) == "True"


def test_long_chains_do_not_depend_on_the_depth_of_the_caller() -> None:
    def deep(frames: int) -> str:
        return evaluate("+".join(["1"] * 2000)) if frames == 0 else deep(frames - 1)

    assert deep(500) == "2000"


def test_small_powers_of_one_are_cheap_whatever_the_exponent() -> None:
    big = "9" * 300
    assert evaluate(f"1 ** {big}") == "1"
    assert evaluate(f"(-1) ** {big}") == "-1"
    assert evaluate(f"0 ** {big}") == "0"


ATOMS = ("1", "2", "3", "0", "7", "10", "2.5", ".5", "1e3", "0.1", "5.", "True", "0x1f")
SIGNS = ("+", "-", "*", "/", "//", "%", "**", "<", "<=", "==", "!=", ">", ">=", "and", "or")


def expression(chance: random.Random, depth: int) -> str:
    if depth == 0 or chance.random() < 0.2:
        return chance.choice(ATOMS)

    def part() -> str:
        return expression(chance, depth - 1)

    kind = chance.randrange(9)
    if kind < 4:
        return f"{part()} {chance.choice(SIGNS)} {part()}"
    return [
        lambda: f"({part()})",
        lambda: f"-{part()}",
        lambda: f"{part()} if {part()} else {part()}",
        lambda: f"{chance.choice(['int', 'float', 'abs', 'bool', 'round'])}({part()})",
        lambda: f"{chance.choice(['min', 'max'])}({part()}, {part()})",
    ][kind - 4]()


def test_random_expressions_agree_with_python() -> None:
    chance = random.Random(3)
    agreed = 0
    for _ in range(8000):
        text = expression(chance, 4)
        if text.count("**") > 1:
            continue  # Python itself would take for ever over some of these
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # such as a comparison of literals
                expected = eval(text)  # text of this test's own making
        except (SyntaxError, ArithmeticError, ValueError):
            expected = None
        try:
            result = evaluate(text)
        except ExpressionError as error:
            # Refused on purpose although Python has an answer: complex and infinite numbers.
            assert (
                expected is None
                or isinstance(expected, complex)
                or "fractional power" in str(error)
                or "finite" in str(error)
                or "bits" in str(error)
            ), text
        else:
            assert result == str(expected), text
            agreed += 1
    assert agreed > 4000


@pytest.mark.parametrize(
    "text",
    [
        "9**" * 1300 + "9",
        "max(" * 20 + ",".join(["9**300"] * 90) + ")" * 20,
        "*".join(["(2**30)"] * 34),
        "(2**1000 // 3) % 7 " + "* 2**1000 // 2**1000 " * 180,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    def read() -> None:
        with contextlib.suppress(ExpressionError):
            evaluate(text)

    assert work.calls(read) < 30 * len(text)
