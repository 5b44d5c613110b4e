"""Typed readings accept what the reference's streams accept, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ini_files import DATA
from prunecell import config
from prunecell.config.parameters import PARAMETERS
from prunecell.config.values import Value

MEASURED: list[dict[str, Any]] = json.loads((DATA / "parameters.json").read_text())
READERS = {parameter.ini: parameter for parameter in PARAMETERS}
# Read by the reference, and out of the range that PruneCell accepts.
OUT_OF_RANGE = {("Threshold", "1,000"), ("Threshold", "-0.5"), ("Threshold", "1.5")}


@pytest.mark.parametrize(
    "case", [case for case in MEASURED if case["name"] in READERS], ids=lambda c: repr(c["text"])
)
def test_parameters_are_read_as_the_reference_reads_them(case: dict[str, Any]) -> None:
    name, text = case["name"], case["text"]
    value = Value(text, key=name)
    if not case["accepted"] or (name, text) in OUT_OF_RANGE:
        with pytest.raises(config.ConfigError):
            READERS[name].read(value)
        return
    read = READERS[name].read(value)
    if isinstance(read, float):
        assert read == pytest.approx(float(case["printed_back"]), rel=1e-5, abs=1e-6)
    else:
        assert str(read) == case["printed_back"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,000", 1000.0),
        ("12,345,678.5", 12345678.5),
        ("0,300", 300.0),
        ("1.", 1.0),
        ("-.5e-3", -0.0005),
        ("\t\n 1", 1.0),
        ("3.4e38", 3.4e38),
    ],
)
def test_numbers(text: str, number: float) -> None:
    assert Value(text).number() == number


@pytest.mark.parametrize(
    "text",
    [
        *["", "1,00", "1000,000", ",000", "1,0000", "1.5,000", "1e", "1e5.", ".", "+", "--1"],
        *["1 2", "0x10", "nan", "inf", "3.5e38", "1e999", "1_000", "\u0661", "1\xa0"],
    ],
)
def test_texts_that_are_no_numbers(text: str) -> None:
    with pytest.raises(config.ConfigError):
        Value(text).number()


def test_integers_signs_and_sizes() -> None:
    assert Value("-15 15").integers(signed=True) == [-15, 15]
    assert Value("2147483647 -2147483648").integers(signed=True) == [2**31 - 1, -(2**31)]
    for text in ("2147483648", "-2147483649"):
        with pytest.raises(config.ConfigError):
            Value(text).integer(signed=True)
    assert Value("100,000,000,000").integer(bits=64) == 10**11
    assert Value("+60,000").integer() == 60000
    assert Value("010").integer() == 10
    for text in ("-0", "1.0", "", "4294967296", "1e3", "9" * 10_000):
        with pytest.raises(config.ConfigError):
            Value(text).integer()


def test_lists_flags_choices_and_words() -> None:
    assert Value("103.94 116.78\t123.68").numbers() == [103.94, 116.78, 123.68]
    assert Value("1").flag() is True and Value("0").flag() is False
    assert Value("a, b,,c ").words(",") == ["a", "b", "c"]
    assert Value("Max").choice(("Max", "Average")) == "Max"
    with pytest.raises(config.ConfigError, match='did you mean "Max"'):
        Value("max").choice(("Max", "Average"))
    with pytest.raises(config.ConfigError):
        Value("true").flag()


def test_a_typed_reading_names_file_line_section_and_key() -> None:
    ini = config.parse("[conv1]\n\nStride=2,5\nRate=${RATE}\n", name="net.ini")
    with pytest.raises(config.ConfigError) as caught:
        ini["conv1"]["Stride"].number()
    assert str(caught.value).startswith("net.ini:3: section [conv1]: Stride: ")
    assert "decimal sign is a point" in str(caught.value)
    with pytest.raises(config.ConfigError, match="not defined"):
        ini["conv1"]["Rate"].number()


def test_a_hostile_number_is_refused_quickly(ini: Callable[..., config.IniFile]) -> None:
    with pytest.raises(config.ConfigError):
        ini("K=" + "9" * 1_000_000)[""]["K"].number()
