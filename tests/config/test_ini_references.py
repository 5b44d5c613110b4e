"""`[section]Key`, `${NAME}` and `$(...)` inside values, resolved when they are read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prunecell import config

Ini = Callable[..., config.IniFile]
Fault = Callable[..., config.ConfigError]


def value(ini: Ini, text: str, *before: str) -> str:
    return str(ini(*before, "[last]", f"K={text}")["last"]["K"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[s]A", "1"),
        ("[s]A [s]B", "1 two"),
        ("x[s]A", "x1"),
        ("[nosuch]A", "[nosuch]A"),
        ("[0, 1]", "[0, 1]"),
        ("[[s]A", "[1"),
        ("[", "["),
        ("a[b", "a[b"),
        ("[]G", "global"),
        ("[s]Map(x) y", "mapped y"),
        ("[s]A[0].P", "deep"),
        ("${G}", "dollar"),
        ("a${G}b${G}", "adollarbdollar"),
        ("${NOBODY}", "${NOBODY}"),
        ("$G", "$G"),
        ("[s]Far", "dollar!"),
        ("$([s]A + 1)", "2"),
        # Without a space after the key these are errors in the reference.
        ("$([s]A)", "1"),
        ("$([s]A*3)", "3"),
        ("[s]A,[s]B", "1,two"),
        ("$(2 * $(1 + 1))", "4"),
    ],
)
def test_references_are_replaced(ini: Ini, text: str, expected: str) -> None:
    before = ["G=global", "$G=dollar", "[s]", "A=1", "B=two", "Map(x)=mapped", "A[0].P=deep"]
    assert value(ini, text, *before, "Far=[]$G!") == expected


def test_the_longest_names_can_be_referred_to(ini: Ini) -> None:
    long = "n" * 1000
    file = ini(f"${long[1:]}=v", f"[{long}]", f"{long}=1", "[s]", f"K=[{long}]{long} 2")
    assert file["s"]["K"] == "1 2"
    assert ini(f"${long[1:]}=v", f"K=${{{long[1:]}}}")[""]["K"] == "v"


def test_variables_are_sought_in_the_reading_section_then_globally_then_at_the_owner(
    ini: Ini,
) -> None:
    file = ini(
        *["$A=global", "$B=global"],
        *["[owner]", "$A=owner", "$B=owner", "$C=owner", "A=${A}", "B=${B}", "C=${C}"],
        *["[reader]", "$A=reader", "A=[owner]A", "B=[owner]B", "C=[owner]C"],
        *["[heir] owner", "$A=heir"],
    )
    assert [file["owner"][key] for key in "ABC"] == ["owner", "owner", "owner"]
    assert [file["reader"][key] for key in "ABC"] == ["reader", "global", "owner"]
    assert file["heir"]["A"] == "heir"


def test_names_of_sections_are_variables(ini: Ini) -> None:
    file = ini("[a]", "[b]", "Me=${SECTION_NAME}", "Before=${PREV_SECTION_NAME}", "[c] b")
    assert file["b"]["Me"] == "b" and file["b"]["Before"] == "a"
    assert file["c"]["Me"] == "c" and file["c"]["Before"] == "b"
    assert ini("K=<${PREV_SECTION_NAME}>")[""]["K"] == "<>"


def test_variables_of_the_caller_come_last() -> None:
    text = "$A=file\nK=${A} ${B}\n"
    assert config.parse(text, variables={"A": "x", "B": "caller"})[""]["K"] == "file caller"


def test_nothing_is_resolved_before_it_is_read(ini: Ini) -> None:
    file = ini("[s]", "A=[s]_Later", "B=$(1/0)", "C=${C", "D=1")
    assert file["s"]["D"] == "1"
    assert "A" in file["s"] and list(file["s"]) == ["A", "B", "C", "D"]
    assert file["s"].raw("A") == "[s]_Later"
    file.supply("s", "_Later", 3)
    assert file["s"]["A"] == "3"


def test_a_key_that_cannot_be_read_is_not_taken_for_missing(ini: Ini) -> None:
    file = ini("[s]", "A=[s]_Later")
    assert "A" in file["s"]
    with pytest.raises(config.ConfigError) as caught:
        file["s"].get("A")
    assert not isinstance(caught.value, KeyError)


@pytest.mark.parametrize(
    ("lines", "line", "text"),
    [
        (["[s]", "K=[s]_Size"], 2, "only a running network knows it"),
        (["[s]", "Size=1", "K=[s]Sise"], 3, '(did you mean "Size"?)'),
        (["[s]", "K=[s]"], 2, "[s] is not in the file"),
        (["[s]", "K=${A"], 2, "${ without its }"),
        (["[s]", "K=$(1"], 2, "$( without its )"),
        (["[s]", "K=$(${A} + 1)"], 2, "${A} is not defined"),
        (["[s]", "K=[s]K"], 2, "[s]K -> [s]K"),
        (["[s]", "A=[s]B", "B=x[s]K", "K=[s]A"], 4, "[s]K -> [s]A -> [s]B -> [s]K"),
        (["$A=${B}", "$B=${A}", "[s]", "K=${A}"], 1, "[]$A -> []$B -> []$A"),
    ],
)
def test_a_reference_that_leads_nowhere_is_an_error(
    fault: Fault, lines: list[str], line: int, text: str
) -> None:
    error = fault(*lines, then=lambda ini: ini["s"]["K"])
    assert text in str(error)
    assert error.line == line


def test_the_error_is_where_the_text_is_wrong_not_where_it_was_asked_for(fault: Fault) -> None:
    error = fault("[a]", "X=$(1 / 0)", "[s]", "K=[a]X", then=lambda ini: ini["s"]["K"])
    assert (error.line, error.section) == (2, "a")
    assert "division by zero" in str(error)


def test_long_chains_are_refused_before_the_interpreter_is(fault: Fault) -> None:
    chain = [f"$A{i}=${{A{i + 1}}}" for i in range(5000)]
    error = fault(*chain, "[s]", "K=${A0}", then=lambda ini: ini["s"]["K"])
    assert "deeper than 32" in str(error)


def test_chains_of_a_reasonable_length_are_fine(ini: Ini, fault: Fault) -> None:
    def chain(length: int) -> list[str]:
        links = [f"$A{i}=${{A{i + 1}}}" for i in range(length)]
        return [*links, f"$A{length}=${{NOBODY}}", "[s]", "K=${A0}"]

    assert ini(*chain(30))["s"]["K"] == "${NOBODY}"  # with K and the last one: 32
    assert "deeper than 32" in str(fault(*chain(31), then=lambda ini: ini["s"]["K"]))


def test_doubling_values_are_refused(fault: Fault) -> None:
    laughs = [f"$A{i}=${{A{i + 1}}}${{A{i + 1}}}" for i in range(30)]
    error = fault(*laughs, "$A30=ha", "[s]", "K=${A0}", then=lambda ini: ini["s"]["K"])
    assert "expands to more than 262,144 characters" in str(error)


def test_many_large_values_together_are_refused(fault: Fault) -> None:
    chain = [f"$A{i}=${{A{i + 1}}}x" for i in range(10)]
    big = "x" * 200_000
    error = fault(*chain, f"$A10={big}", "[s]", "K=${A0}", then=lambda ini: ini["s"]["K"])
    assert "expands to too much text" in str(error)


def test_long_values_that_refer_to_nothing_are_fine(ini: Ini) -> None:
    mapping = "1 0 " * 500_000
    assert ini(f"K={mapping}x")[""]["K"] == mapping + "x"


def test_brackets_by_the_million_are_refused_quickly(fault: Fault) -> None:
    error = fault("[s]", "K=" + "[" * 3_000_000 + "]", then=lambda ini: ini["s"]["K"])
    assert "too much text" in str(error)


def test_a_value_may_be_joined_from_variables_in_expressions(ini: Ini) -> None:
    assert value(ini, "$(int(32 * ${ALPHA}))", "$ALPHA=0.5") == "16"
    assert value(ini, "$(${L}**(-1.0/(2*2-2)) if ${L} > 0 else 1.0)", "$L=8").startswith("0.35355")
