"""Lines, comments, quotes, continuation, headers, duplicates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import work
from prunecell import config

Ini = Callable[..., config.IniFile]
Fault = Callable[..., config.ConfigError]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("K=1", "1"),
        ("  K \t=\t 1  ", "1"),
        ("K=", ""),
        ('K=""', ""),
        ("K=1 ; text", "1"),
        ("K=1#text", "1"),
        ('K="1 ; 2" ; text', "1 ; 2"),
        ('K="1 # 2"', "1 # 2"),
        ('K=  " kept "', " kept "),
        ('K="a" "b"', 'a" "b'),
        ('K=a";"b', 'a";"b'),
        ("K=a=b", "a=b"),
        ("K=it's; text", "it's"),
        ("K=\xa0x\xa0", "\xa0x\xa0"),
    ],
)
def test_a_line_gives_this_value(ini: Ini, line: str, value: str) -> None:
    assert ini(line)[""]["K"] == value


def test_properties_before_any_section_are_the_first_section(ini: Ini) -> None:
    file = ini("A=1", "[s]", "B=2")
    assert file.sections == ("", "s")
    assert file[""]["A"] == "1"
    assert list(file["s"]) == ["B"]


def test_a_backslash_joins_the_next_line_wherever_it_begins(ini: Ini) -> None:
    file = ini("[s]", "M=\\", "1 0 \\", "0 1", "N=a\\", "   b", "O=c \\ ; no backslash at the end")
    assert file["s"]["M"] == "1 0 0 1"
    assert file["s"]["N"] == "a   b"
    assert file["s"]["O"] == "c \\"
    assert file["s"]["M"].line == 2


def test_a_backslash_joins_across_windows_line_ends() -> None:
    assert config.parse("M=1 \\\r\n2\r\nN=3\r\n")[""]["M"] == "1 2"


def test_a_backslash_on_the_last_line_joins_it_with_nothing() -> None:
    assert config.parse("M=1 \\")[""]["M"] == "1"
    assert config.parse("M=1 \\\nX\\")[""]["M"] == "1 X"


def test_a_comment_that_ends_with_a_backslash_swallows_the_next_line(ini: Ini) -> None:
    assert list(ini("; text \\", "A=1", "B=2")[""]) == ["B"]


def test_windows_line_ends_and_byte_order_marks(data: Path) -> None:
    raw = (data / "windows.ini").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf") and b"\r\n" in raw
    ini = config.read(data / "windows.ini")
    assert ini["conv2"]["NbOutputs"] == "3"
    assert ini["conv2"]["Input"] == "conv1"


def test_utf16_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "x.ini"
    path.write_text("[s]\nA=1\n", encoding="utf-16")
    with pytest.raises(config.ConfigError, match="UTF-16; save it as UTF-8"):
        config.read(path)


def test_only_line_feeds_end_lines() -> None:
    assert config.parse("A=1\x0b2\x0c3\u20284\x855")[""]["A"] == "1\x0b2\x0c3\u20284\x855"


def test_a_repeated_property_warns_with_file_and_line_and_the_last_counts(ini: Ini) -> None:
    with pytest.warns(config.ConfigWarning, match=r"x\.ini:4: K is given twice in \[s\].*x\.ini:2"):
        file = ini("[s]", "K=1", "J=1", "K=2")
    assert file["s"]["K"] == "2"
    assert file["s"]["K"].line == 4
    with pytest.warns(config.ConfigWarning, match="before the first section") as caught:
        ini("K=1", "K=2")
    assert caught[0].filename == __file__.replace("test_ini_lines", "conftest"), (
        "the warning points at the caller"
    )


def test_overriding_an_inherited_property_is_no_repetition(ini: Ini) -> None:
    file = ini("[base]", "K=1", "[s] base", "K=2")  # warnings are errors here
    assert file["s"]["K"] == "2"


def test_sections_inherit_and_the_first_base_wins(ini: Ini) -> None:
    file = ini("[a]", "X=a", "Y=a", "[b]", "X=b", "Z=b", "[c] b a ; text", "Y=c", "[d]c\ta")
    assert dict(file["c"]) == {"X": "b", "Z": "b", "Y": "c"}
    assert dict(file["d"]) == {"X": "b", "Z": "b", "Y": "c"}
    assert file["d"].bases == ("c", "a")
    assert file["c"]["Z"].line == 6


def test_a_base_is_what_it_was_when_the_heir_began(ini: Ini) -> None:
    fault = pytest.raises(config.ConfigError, match=r"\[b\], which comes later, at x\.ini:2")
    with fault:
        ini("[a] b", "[b]", "K=1")


@pytest.mark.parametrize(
    ("lines", "line", "text"),
    [
        (["[s]", "nonsense"], 2, 'expected name=value or [section], got "nonsense"'),
        (["[s]", "=1"], 2, "no name before the ="),
        (["[s"], 1, "without a closing ]"),
        (["[]"], 1, "without a name"),
        (["[s]", 'K="a'], 2, "no closing quote"),
        (["[s]", 'K=a"b;c'], 2, "no closing quote"),
        (["[s]", "K=1", "[s]"], 3, "exists already, see x.ini:1"),
        (["[s]", "K=1", "[t] nosuch"], 3, "[nosuch], which does not exist"),
        (["[conv_def]", "[t] conv_deff"], 2, 'did you mean "conv_def"?'),
        (["[s]", "[t]s=1"], 2, "[s=1], which does not exist"),
        (["[s] s"], 1, "inherits from itself: [s] -> [s]"),
        (["[a] b", "[b] c", "[c] a"], 1, "each other: [a] -> [b] -> [c] -> [a]"),
        (["[" + "x" * 1001 + "]"], 1, "longer than 1000"),
        (["x" * 1001 + "=1"], 1, "longer than 1000"),
    ],
)
def test_a_line_that_cannot_be_meant_is_an_error(
    fault: Fault, lines: list[str], line: int, text: str
) -> None:
    error = fault(*lines)
    assert text in str(error)
    assert error.file == "x.ini"
    assert error.line == line


def test_a_long_cycle_of_bases_is_cut_in_the_message(fault: Fault) -> None:
    error = fault(*[f"[s{i}] s{(i + 1) % 5000}" for i in range(5000)])
    assert "[s0] -> [s1]" in str(error)
    assert str(error).endswith("-> [s0]")
    assert len(str(error)) < 200


def test_an_error_carries_its_place_and_survives_pickling(fault: Fault) -> None:
    import pickle

    error = fault("[s]", "K=1", "[s]")
    assert (error.file, error.line, error.section) == ("x.ini", 3, "s")
    assert str(error).startswith("x.ini:3: section [s]: ")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.file, again.line, again.section) == ("x.ini", 3, "s")
    assert isinstance(error, ValueError)


def test_a_message_holds_no_control_characters(fault: Fault) -> None:
    assert "\x1b" not in str(fault("[s\x1b[31m]", "\x1b]0;title\x07"))


def test_asking_for_what_is_not_there_names_what_is(ini: Ini) -> None:
    file = ini("[conv1]", "NbOutputs=1")
    with pytest.raises(config.MissingKeyError, match=r"no section \[conv2\] \(did you mean"):
        file["conv2"]
    with pytest.raises(KeyError, match='did you mean "NbOutputs"'):
        file["conv1"]["NbOutput"]
    assert file["conv1"].get("NbOutput") is None
    assert "NbOutputs" in file["conv1"] and "conv1" in file
    assert len(file) == 2 and len(file["conv1"]) == 1
    assert "x.ini" in repr(file) and "conv1" in repr(file["conv1"])


def test_a_value_knows_where_it_stands(ini: Ini) -> None:
    import copy
    import pickle

    value = ini("$N=2", "[s]", "K=$(${N} + 1)")["s"]["K"]
    assert value == "3"
    assert (value.file, value.line, value.section, value.key) == ("x.ini", 3, "s", "K")
    assert value.raw == "$(${N} + 1)"
    for again in (copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert again == "3" and again.line == 3 and again.raw == value.raw


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        config.read(tmp_path / "nosuch.ini")
    with pytest.raises(OSError, match="expected a file, got a folder"):
        config.read(tmp_path)


def test_old_files_in_latin1_are_read(data: Path) -> None:
    assert config.read(data / "latin1.ini")["conv1"]["Name"] == "caf\xe9"


@pytest.mark.parametrize(
    "lines",
    [
        [f"[s{i}]" for i in range(200_000)],
        [f"K{i}=1" for i in range(200_000)],
        ["[base]", *[f"K{i}=1" for i in range(1000)], *[f"[s{i}] base" for i in range(200)]],
    ],
)
def test_files_with_too_much_in_them_are_refused_soon(fault: Fault, lines: list[str]) -> None:
    seen: list[config.ConfigError] = []
    assert work.calls(lambda: seen.append(fault(*lines))) < 60 * 200_000
    assert "more than 100,000 properties and sections" in str(seen[0])


def test_a_large_file_is_read_in_linear_time(ini: Ini) -> None:
    small, large = (
        work.calls(lambda n=n: ini(*[f"[s{i}]\nA=1\nB=2" for i in range(n)]))  # type: ignore[misc]
        for n in (3000, 30_000)
    )
    assert large < 10.5 * small


def test_suggestions_cost_little_for_hostile_names(ini: Ini) -> None:
    section = ini("[s]", *[f"{'ab' * 450}{i}=1" for i in range(2000)])["s"]

    def read(name: str) -> None:
        with pytest.raises(config.MissingKeyError):
            section[name]

    for name in ("ab" * 400, "abababab"):
        assert work.calls(lambda name=name: read(name)) < 20_000  # type: ignore[misc]
