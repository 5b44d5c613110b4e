"""Refusals of prune_parameters: misspelt keys, wrong values, other quantizers, lost parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from prunecell import config
from prunecell.config import prune_parameters
from prunecell.config.parameters import PARAMETERS
from prunecell.parameters import PARAMETERS as TABLE
from prunecell.parameters import QUANT_MODES

Ini = Callable[..., config.IniFile]
Fault = Callable[..., config.ConfigError]

LEGAL = "QWeight.StartThreshold, QWeight.StepSizeThreshold, QWeight.GammaThreshold"


@pytest.mark.parametrize(
    ("line", "suggested"),
    [
        ("QWeigth=Prune", "QWeight"),
        ("Qweight=Prune", "QWeight"),
        ("qweight=Prune", "QWeight"),
        ("QWeights=Prune", "QWeight"),
        ("QWheight=Prune", "QWeight"),
        ("QWeight =Prune ; right", None),
        ("QWeigth.Threshold=0.3", "QWeight.Threshold"),
        ("QWeightThreshold=0.3", "QWeight.Threshold"),
        ("QWeight-Threshold=0.3", "QWeight.Threshold"),
        ("QWeight_Threshold=0.3", "QWeight.Threshold"),
        ("Weight.PruningMode=Static", "QWeight.PruningMode"),
        ("QWeight.Treshold=0.3", "Threshold"),
        ("QWeight.threshold=0.3", "Threshold"),
        ("QWeight.PruneMode=Static", "PruningMode"),
        ("QWeight.Gamma=0.3", ""),
        ("QWeight.=0.3", ""),
        ("QWeight.Threshold.X=0.3", "Threshold"),
        ("PruningMode=Static", "QWeight.PruningMode"),
        ("GammaThreshold=0.3", "QWeight.GammaThreshold"),
        ("QWeightSolver=SGD", None),
        ("QWeightSolver.LearningRate=0.1", None),
        ("QAct=LSQ", None),
        ("QActSolver.Momentum=0.9", None),
        ("Quantizer=x", None),
        ("WeightsFiller=HeFiller", None),
        ("WeightsSolver.LearningRate=0.1", None),
        ("WeightIncrement=0.1", None),
        ("Threshold=0.1", None),
        ("$QWEIGHT=0.1", None),
        ("$QWeight.Threshold=0.1", None),
    ],
)
def test_misspelt_keys_are_refused_with_a_suggestion_and_the_legal_words(
    ini: Ini, line: str, suggested: str | None
) -> None:
    file = ini("[conv1]", "QWeight.Delta=0.1", "", line, "[conv2] conv1", "QWeight=Prune")
    if suggested is None:
        assert prune_parameters(file)["conv2"]["delta"] == 0.1
        return
    with pytest.raises(config.ConfigError) as caught:
        prune_parameters(file)
    error = caught.value
    assert (error.file, error.line) == ("x.ini", 4)
    assert error.section in ("conv1", "conv2")
    assert LEGAL in str(error)
    if suggested:
        assert f'(did you mean "{suggested}"?)' in str(error)


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        (
            "QWeight.PruningMode=gradual",
            ['"gradual"', 'did you mean "Gradual"', "Identity, Static"],
        ),
        ("QWeight.PruningMode=", ['got ""', "Identity, Static, Gradual"]),
        ("QWeight.PruningMode=2", ["Identity, Static, Gradual"]),
        ("QWeight.PruningFiller=Iter", ["None, Random, IterNonStruct"]),
        ("QWeight.PruningFiller=none", ['did you mean "None"']),
        ("QWeight.Threshold=1.5", ["Threshold: expected a number from 0 to 1", '"1.5"']),
        ("QWeight.Threshold=-0.1", ["from 0 to 1"]),
        ("QWeight.Threshold=30%", ["expected a number such as 0.3", '"30%"']),
        ("QWeight.Threshold=0,3", ["the decimal sign is a point"]),
        ("QWeight.Threshold=0,300", ["read as 300"]),
        ("QWeight.Threshold=nan", ["expected a number"]),
        ("QWeight.Threshold=${T}", ["not defined"]),
        ("QWeight.Threshold=$(1/0)", ["division by zero"]),
        ("QWeight.Delta=0", ["above 0"]),
        ("QWeight.Delta=-1", ["above 0"]),
        ("QWeight.Delta=1e-50", ["32-bit"]),
        ("QWeight.Delta=1e40", ["too large"]),
        ("QWeight.StartThreshold=2", ["from 0 to 1"]),
        ("QWeight.GammaThreshold=-0.01", ["from 0 to 1"]),
        ("QWeight.StepSizeThreshold=-1", ["integer from 0 to 4294967295"]),
        ("QWeight.StepSizeThreshold=1e3", ["integer from 0"]),
        ("QWeight.StepSizeThreshold=$(10 / 2)", ['"5.0"']),
        ("QWeight.QuantMode=Integer", ["Default, Symmetric, Asymmetric, FullRange"]),
        ("QWeight.Range=-1", ["integer from 0"]),
    ],
)
def test_wrong_values_are_refused_with_what_is_legal(
    fault: Fault, line: str, texts: list[str]
) -> None:
    error = fault("[conv1]", "QWeight=Prune", line, then=prune_parameters)
    assert str(error).startswith(
        f"x.ini:3: section [conv1]: {line.split('=', maxsplit=1)[0]}: "
    ) or ("$(" in str(error))
    for text in texts:
        assert text in str(error)


@pytest.mark.parametrize(
    ("word", "texts"),
    [
        ("prune", ['did you mean "Prune"', "the legal word is Prune", "not ours"]),
        ("Pruned", ['did you mean "Prune"']),
        ("", ['got ""', "the legal word is Prune"]),
        ("SAT", ["SAT is a quantizer of N2D2 that is not ours", "the legal word is Prune"]),
        ("LSQ", ["LSQ is a quantizer of N2D2 that is not ours"]),
        ("lsq", ['did you mean "LSQ"']),
    ],
)
def test_other_quantizers_are_refused_by_name(fault: Fault, word: str, texts: list[str]) -> None:
    error = fault("[conv1]", "Input=sp", f"QWeight={word}", then=prune_parameters)
    assert str(error).startswith("x.ini:3: section [conv1]: QWeight: ")
    for text in texts:
        assert text in str(error)


def test_a_cell_without_weights_cannot_be_pruned(fault: Fault) -> None:
    error = fault("[p]", "Input=c", "Type=Pool", "QWeight=Prune", then=prune_parameters)
    assert "a cell of Type Pool has no weights to prune" in str(error)
    assert error.line == 4


def test_parameters_without_a_quantizer_are_refused(fault: Fault, ini: Ini) -> None:
    error = fault("[c]", "Input=sp", "QWeight.Threshold=0.3", then=prune_parameters)
    assert "add QWeight=Prune" in str(error) and error.line == 3
    assert prune_parameters(ini("[a.config]", "QWeight.Threshold=0.3")) == {}


def test_a_config_section_that_is_not_there_is_refused_for_pruned_cells_only(
    fault: Fault, ini: Ini
) -> None:
    assert prune_parameters(ini("[c]", "Input=sp", "ConfigSection=nosuch")) == {}
    lines = ["[commn.config]", "[c]", "QWeight=Prune", "ConfigSection=common.config"]
    error = fault(*lines, then=prune_parameters)
    assert 'no section [common.config] (did you mean "commn.config"?)' in str(error)
    assert error.line == 4


def test_a_wrong_value_in_a_base_names_its_own_line_and_the_cell(fault: Fault) -> None:
    error = fault(
        *["[base]", "QWeight=Prune", "QWeight.Threshold=2", "[cell] base", "Input=x"],
        then=prune_parameters,
    )
    assert (error.line, error.section) == (3, "cell")


def test_the_documentation_names_every_key_and_word() -> None:
    text = (Path(__file__).parents[2] / "docs" / "ini.md").read_text()
    for parameter in PARAMETERS:
        default = parameter.default or "[0-]"
        row = rf"\| `QWeight\.{parameter.ini}` \| `{parameter.python}` \| `?{default}`? \|"
        assert re.search(row, text), parameter.ini
    for word in (*QUANT_MODES, *(word for row in TABLE.values() for word in row.words)):
        assert f"`{word}`" in text
