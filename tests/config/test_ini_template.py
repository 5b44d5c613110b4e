"""Sections made by templates: the template language, its errors, and its limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from prunecell import config

Make = Callable[..., config.IniFile]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Reads one templated section with these parameters, the template being `text`."""

    def run(text: str, *parameters: str, **more: str) -> config.IniFile:
        (tmp_path / "t.tpl").write_text(text)
        for name, content in more.items():
            (tmp_path / name).write_text(content)
        main = tmp_path / "main.ini"
        main.write_text("\n".join(["$N=4", "[s@t.tpl]", *parameters, "[after]", "Z=1", ""]))
        return config.read(main)

    return run


def rendered(make: Make, text: str, *parameters: str) -> str:
    """The value that `text` becomes."""
    return str(make(f"[x]\nK={text}\n", *parameters)["x"]["K"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{SECTION_NAME}}", "s"),
        ("{{ A }}", "1"),
        ("a{{A}}b{{B}}c", "a1b2c"),
        ("{% if A exists %}y{% else %}n{% endif %}", "y"),
        ("{% if C exists %}y{% else %}n{% endif %}", "n"),
        ("{% if C not_exists %}y{% endif %}", "y"),
        ("{% if A == 1 %}y{% else %}n{% endif %}", "y"),
        ("{% if A != 1 %}y{% else %}n{% endif %}", "n"),
        ("{% if A == %}empty{% endif %}.", "."),
        ("{% if A exists %}{% if B == 3 %}x{% else %}y{% endif %}{% endif %}", "y"),
        ("{% for I in range(3) %}{{I}},{% endfor %}", "0,1,2,"),
        ("{% for I in range(A, 4) %}{{I}}{% endfor %}", "123"),
        ("{% for I in range(2,1) %}{{I}}{% endfor %}.", "."),
        ("{% for I in range(1.5) %}{{I}}{% endfor %}", "01"),
        ("{% for I in range(2) %}{% for J in range(2) %}{{I}}{{J}} {% endfor %}{% endfor %}",
         "00 01 10 11"),
        ("{% set C %}<{{A}}>{% endset %}{{C}}{{C}}", "<1><1>"),
        ("{% set A %}{{A}}{{A}}{% endset %}{{A}}", "11"),
        ("{% block B %}{{#}}{{.P}}{% endblock %}", "0p1q"),
        ("{{EXPR}}", "8"),
        ("{{SECTION_FILE_NAME}}", "{tpl}"),
    ],
)  # fmt: skip
def test_templates_render(make: Make, tmp_path: Path, text: str, value: str) -> None:
    parameters = ["A=1", "B=2", "B[0].P=p", "B[1].P=q", "EXPR=$(2 * ${N})"]
    expected = value.replace("{tpl}", str(tmp_path / "t.tpl"))
    assert rendered(make, text, *parameters) == expected


def test_blocks_nest_and_do_not_leak(make: Make) -> None:
    text = (
        "{% block A %}{% set T %}{{#}}{% endset %}"
        "{% block .SUB %}{{.X}}{{T}}{% endblock %}{% endblock %}"
        "{% if T not_exists %}gone{% endif %}"
    )
    parameters = ["A=2", "A[0].SUB=1", "A[0].SUB[0].X=a", "A[1].SUB=2", "A[1].SUB[0].X=b"]
    assert rendered(make, text, *parameters, "A[1].SUB[1].X=c") == "a0b1c1gone"


def test_sections_of_a_template_come_after_the_one_that_uses_it(make: Make) -> None:
    ini = make("G=1\n[{{SECTION_NAME}}_a]\nA=1\n[{{SECTION_NAME}}_b]\n", "P=1")
    assert ini.sections == ("", "s", "s_a", "s_b", "after")
    assert ini[""]["G"] == "1"
    assert ini["s_a"]["$PARENT_SECTION_NAME"] == "s"
    assert ini["s_a"].parent == "s" and ini["s"].template == "t.tpl"
    assert ini["after"].parent is None


def test_a_template_uses_templates(make: Make) -> None:
    ini = make(
        "[{{SECTION_NAME}}_a@u.tpl]\nQ={{P}}{{P}}\n",
        "P=1",
        **{"u.tpl": "[{{SECTION_NAME}}_b]\nR={{Q}}\nB=${PREV_SECTION_NAME}\n"},
    )
    assert ini["s_a_b"]["R"] == "11"
    assert ini["s_a_b"]["B"] == "s"


def test_a_template_includes_templates(make: Make) -> None:
    ini = make(
        "[x]\n{% include u.tpl %}\n{% include u.tpl %}",
        "P=1",
        **{"u.tpl": "{% if DONE not_exists %}K={{P}}{% set DONE %}1{% endset %}{% endif %}\n"},
    )
    assert dict(ini["x"]) == {"$PARENT_SECTION_NAME": "s", "K": "1"}


def test_values_of_a_template_know_where_they_stand(make: Make, tmp_path: Path) -> None:
    ini = make(
        "\n[a]\n{% if P exists %}\nK={{P}}\n{% endif %}\n{% set T %}\n\n{% endset %}\nL=1\n"
        "{% include u.tpl %}\nM=1\n",
        "P=1",
        **{"u.tpl": "\n\nN=1"},
    )
    where = {key: (Path(ini["a"][key].file).name, ini["a"][key].line) for key in "KLMN"}
    assert where == {"K": ("t.tpl", 4), "L": ("t.tpl", 9), "M": ("t.tpl", 11), "N": ("u.tpl", 3)}


def test_lines_of_a_parameter_stand_where_it_is_used(make: Make) -> None:
    ini = make("{% set T %}1\nL=2{% endset %}\n[a]\nK={{T}}\nM=3\n")
    assert [ini["a"][key] for key in "KLM"] == ["1", "2", "3"]
    assert [ini["a"][key].line for key in "KLM"] == [4, 4, 5]


def test_an_error_inside_a_template_names_template_and_user(make: Make, tmp_path: Path) -> None:
    ini = make("[a]\n\nK=x\n", "P=1")
    with pytest.raises(config.ConfigError) as caught:
        ini["a"]["K"].number()
    assert str(caught.value).startswith(f"{tmp_path / 't.tpl'}:3: section [a]: K: ")
    assert f"in the template of [s], {tmp_path / 'main.ini'}:2" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{NOPE}}", 'parameter "NOPE" has no value'),
        ("{{SECTION_NAM}}", 'did you mean "SECTION_NAME"'),
        ("{{A", "without its }}"),
        ("{% if A exists", "without its %}"),
        ("{% %}", "empty template control"),
        ("{% iff A exists %}", 'unknown template control "iff" (did you mean "if"?)'),
        ("{% if A %}x{% endif %}", "expected {% if VAR OP [VALUE] %}"),
        ("{% if A is 1 %}x{% endif %}", "expected one of ==, !=, exists, not_exists"),
        ("{% if NOPE == 1 %}x{% endif %}", "has no value"),
        ("{% if A exists %}x", "no {% endif %}"),
        ("{% if A exists %}x{% else %}y", "no {% endif %}"),
        ("{% if A exists %}x{% endfor %}", "{% endfor %} does not belong here"),
        ("{% if A exists %}{% else %}{% else %}{% endif %}", "{% else %} does not belong"),
        ("{% endif %}", "{% endif %} does not belong"),
        ("{% if A exists %}{% endif now %}", "takes no arguments"),
        ("{% set %}{% endset %}", "expected {% set NAME %}"),
        ("{% set X %}x", "no {% endset %}"),
        ("{% for I of range(2) %}{% endfor %}", "expected {% for VAR in range"),
        ("{% for I in range(x) %}{% endfor %}", "range() takes numbers"),
        ("{% for A in range(2) %}{% endfor %}", "already has a value"),
        ("{% block A %}{% endblock %}", "number of items"),
        ("{% block NOPE %}{% endblock %}", "has no value"),
        ("{% include nosuch.tpl %}", "No such file"),
        ("{% include %}", "expected {% include FILE %}"),
    ],
)
def test_a_template_that_cannot_be_meant_is_an_error(make: Make, text: str, message: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        make(f"\n{text}\n", "A=a")
    assert message in str(caught.value)
    assert caught.value.line == 2
    assert str(caught.value.file).endswith("t.tpl")


def test_the_names_given_to_every_template_cannot_be_set(make: Make) -> None:
    with pytest.raises(config.ConfigError, match="SECTION_NAME is given to every template"):
        make("", "SECTION_NAME=x")


def test_a_parameter_of_a_template_must_be_readable(make: Make) -> None:
    with pytest.raises(config.ConfigError, match="division by zero"):
        make("", "A=$(1/0)")


def test_a_section_of_a_template_may_not_exist_already(make: Make) -> None:
    with pytest.raises(config.ConfigError, match="exists already"):
        make("[s]\n")


@pytest.mark.parametrize(
    ("files", "cycle"),
    [
        ({"t.tpl": "[{{SECTION_NAME}}x@t.tpl]\n"}, ["t.tpl", "t.tpl"]),
        (
            {"t.tpl": "[{{SECTION_NAME}}x@u.tpl]\n", "u.tpl": "[{{SECTION_NAME}}y@./t.tpl]\n"},
            ["t.tpl", "u.tpl", "./t.tpl"],
        ),
        ({"t.tpl": "{% include t.tpl %}"}, ["t.tpl", "t.tpl"]),
        (
            {"t.tpl": "{% include u.tpl %}", "u.tpl": "\n{% include t.tpl %}"},
            ["t.tpl", "u.tpl", "t.tpl"],
        ),
    ],
)
def test_templates_in_a_circle_are_an_error_that_names_it(
    make: Make, tmp_path: Path, files: dict[str, str], cycle: list[str]
) -> None:
    with pytest.raises(config.ConfigError) as caught:
        make(**{"text": files.pop("t.tpl")}, **files)
    folder = str(tmp_path) + "/"
    assert " -> ".join(folder + name for name in cycle) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{% set A %}x{% endset %}" + "{% set A %}{{A}}{{A}}{% endset %}" * 60 + "[{{A}}]",
            "too much text",
        ),
        ("{% for I in range(1000000000) %}x{% endfor %}", "too many steps"),
        ("{% for I in range(999999999999999) %}{% endfor %}", "too many steps"),
        (
            "{% for I in range(9999) %}{% for J in range(9999) %}{% endfor %}{% endfor %}",
            "too many steps",
        ),
        ("{% block B %}{% endblock %}", "too many steps"),
        (
            "".join(f"{{% for I{i} in range(9) %}}" for i in range(15)) + "{% endfor %}" * 15,
            "too many steps",
        ),
        ("{% if A exists %}" * 100 + "{% endif %}" * 100, "nested deeper"),
        ("{% include u.tpl %}" * 1000, "too much text"),
        ("x" * 5_000_000, "larger than 4 MiB"),
    ],
)
def test_a_template_that_never_ends_is_refused_soon(make: Make, text: str, message: str) -> None:
    with pytest.raises(config.ConfigError, match=message):
        make(text, "B=999999999", **{"u.tpl": "y" * 100_000})


def test_a_large_template_costs_each_time_it_is_used(make: Make) -> None:
    nothing = "{% if NOPE exists %}" + "x" * 100_000 + "{% endif %}"
    many = "".join(f"[{{{{SECTION_NAME}}}}{i}@u.tpl]\n" for i in range(100))
    with pytest.raises(config.ConfigError, match="too much text"):
        make(many, **{"u.tpl": nothing})


def test_templates_that_use_many_templates_are_refused(make: Make) -> None:
    levels = {
        f"t{i}.tpl": f"[{{{{SECTION_NAME}}}}a@t{i + 1}.tpl]\n[{{{{SECTION_NAME}}}}b@t{i + 1}.tpl]\n"
        for i in range(25)
    }
    with pytest.raises(config.ConfigError, match="deeper"):
        make("[x@t0.tpl]", **levels, **{"t25.tpl": ""})


def test_two_to_the_nineteenth_sections_are_refused(make: Make) -> None:
    levels = {
        f"t{i}.tpl": f"[{{{{SECTION_NAME}}}}a@t{i + 1}.tpl]\n[{{{{SECTION_NAME}}}}b@t{i + 1}.tpl]\n"
        for i in range(17)
    }
    with pytest.raises(config.ConfigError, match="too"):
        make("[x@t0.tpl]", **levels, **{"t17.tpl": ""})
