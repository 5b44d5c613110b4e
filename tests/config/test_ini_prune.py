"""Which cells are pruned, and with which typed keywords."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prunecell import config
from prunecell.config import prune_parameters

Ini = Callable[..., config.IniFile]
Fault = Callable[..., config.ConfigError]

DEFAULTS = {
    "prune_mode": "Identity",
    "prune_filler": "Random",
    "threshold": 0.2,
    "delta": 0.001,
    "start": 0.1,
    "stepsize": 0,
    "gamma": 0.05,
}


def test_a_cell_without_parameters_has_the_defaults(ini: Ini) -> None:
    assert prune_parameters(ini("[conv1]", "QWeight=Prune")) == {"conv1": DEFAULTS}


def test_every_parameter_has_its_type(ini: Ini) -> None:
    found = prune_parameters(
        ini(
            "[c]",
            "QWeight=Prune",
            "QWeight.PruningMode=Gradual",
            "QWeight.PruningFiller=IterNonStruct",
            "QWeight.Threshold=1",
            "QWeight.Delta=1e-3",
            "QWeight.StartThreshold=.25",
            "QWeight.StepSizeThreshold=60,000",
            "QWeight.GammaThreshold=0",
            "QWeight.QuantMode=Symmetric",
            "QWeight.Range=255",
        )
    )["c"]
    assert found == {
        "prune_mode": "Gradual",
        "prune_filler": "IterNonStruct",
        "threshold": 1.0,
        "delta": 0.001,
        "start": 0.25,
        "stepsize": 60000,
        "gamma": 0.0,
        "quant_mode": "Symmetric",
        "range": 255,
    }
    assert [type(value) for value in found.values()] == [
        *(str, str, float, float, float, int, float, str, int)
    ]


def test_the_network_of_the_data_files(data: Path) -> None:
    found = prune_parameters(config.read(data / "lenet_prune.ini"))
    gradual = {"prune_mode": "Gradual", "prune_filler": "IterNonStruct"}
    assert found == {
        "conv1": DEFAULTS
        | {"prune_mode": "Static", "prune_filler": "IterNonStruct"}
        | {"threshold": 0.3, "start": 0.1, "gamma": 0.1},
        "conv2": DEFAULTS | gradual | {"threshold": 0.8},
        "fc1": DEFAULTS | gradual | {"stepsize": 60000},
    }
    assert list(found) == ["conv1", "conv2", "fc1"]


def test_cells_made_by_templates(data: Path) -> None:
    found = prune_parameters(config.read(data / "residual.ini"))
    assert {name: cell["threshold"] for name, cell in found.items()} == {
        **{"conv1": 0.2, "block1_a": 0.2, "block1_b": 0.5, "block1_proj": 0.2},
        **{"block2_a": 0.2, "block2_b": 0.75, "heads_digits": 0.2, "heads_letters": 0.2},
    }


def test_the_keys_of_a_cell_win_over_its_config_sections_of_which_the_last_wins(ini: Ini) -> None:
    found = prune_parameters(
        ini(
            *["[base]", "QWeight.Delta=0.5"],
            *["[a]", "QWeight.Threshold=0.1", "QWeight.Delta=0.1", "QWeight.StartThreshold=0.11"],
            *["[b]", "QWeight.Threshold=0.2", "QWeight.GammaThreshold=0.22"],
            *["[cell] base", "Input=x", "QWeight=Prune", "ConfigSection=b , a"],
            *["[other]", "Input=x", "QWeight=Prune", "ConfigSection=a,b"],
            *["[own]", "QWeight=Prune", "ConfigSection=a,b", "QWeight.Threshold=0.9"],
        )
    )
    assert found["cell"] == DEFAULTS | {
        **{"threshold": 0.1, "delta": 0.5, "start": 0.11, "gamma": 0.22}
    }
    assert found["other"]["threshold"] == 0.2 and found["other"]["delta"] == 0.1
    assert found["own"]["threshold"] == 0.9
    assert list(found) == ["cell", "other", "own"]


def test_a_config_section_can_prune_all_cells_that_have_weights(ini: Ini) -> None:
    found = prune_parameters(
        ini(
            *["[conv1]", "Input=sp", "Type=Conv", "ConfigSection=all"],
            *["[drop]", "Input=conv1", "Type=Dropout", "ConfigSection=all"],
            *["[fc]", "Input=drop", "Type=Fc", "ConfigSection=all"],
            *["[all]", "QWeight=Prune", "QWeight.Threshold=0.6"],
        )
    )
    assert list(found) == ["conv1", "fc"]
    assert found["fc"]["threshold"] == 0.6


def test_a_config_section_for_one_model_replaces_the_general_one(ini: Ini) -> None:
    lines = [
        *["[cell]", "QWeight=Prune", "ConfigSection=a", "ConfigSection(Frame)=b"],
        *["[spiking] cell", "Model=Spike"],
        *["[a]", "QWeight.Threshold=0.1", "[b]", "QWeight.Threshold=0.2"],
    ]
    assert prune_parameters(ini("DefaultModel=Frame", *lines))["spiking"]["threshold"] == 0.1
    framed = ini("DefaultModel=Frame", *lines, "[framed] cell")
    assert prune_parameters(framed)["framed"]["threshold"] == 0.2
    assert prune_parameters(ini(*lines, "[plain] cell"))["plain"]["threshold"] == 0.1


def test_variables_in_a_config_section_are_those_of_the_cell(ini: Ini) -> None:
    found = prune_parameters(
        ini(
            *["$T=0.5", "[a]", "$T=0.7", "QWeight=Prune", "ConfigSection=c"],
            *["[b]", "QWeight=Prune", "ConfigSection=c", "[c]", "QWeight.Threshold=${T}"],
        )
    )
    assert (found["a"]["threshold"], found["b"]["threshold"]) == (0.7, 0.5)


def test_bases_and_config_sections_are_no_cells(ini: Ini) -> None:
    found = prune_parameters(
        ini(
            *["[conv_def]", "Type=Conv", "QWeight=Prune", "ConfigSection=c"],
            *["[conv1] conv_def", "Input=sp"],
            *["[layer1.0.conv1] conv_def"],  # as modules of other frameworks are called
            *["[conv2] conv1"],  # conv1 has an Input: a cell, although others inherit from it
            *["[c]", "QWeight=Prune"],
        )
    )
    assert list(found) == ["conv1", "layer1.0.conv1", "conv2"]


def test_defaults_of_imported_onnx_cells_are_no_cells(ini: Ini) -> None:
    with pytest.warns(config.ConfigWarning, match=r"x\.ini:2: \[onnx:Conv_def\]"):
        assert prune_parameters(ini("[onnx:Conv_def]", "QWeight=Prune")) == {}
    found = prune_parameters(ini("[onnx:Conv_def]", "QWeight=Prune", "[Conv__1:0]onnx:Conv_def"))
    assert list(found) == ["Conv__1:0"]


def test_the_parameters_of_a_template_are_its_own(make_template: Callable[[str], Path]) -> None:
    path = make_template("[{{SECTION_NAME}}_a]\nQWeight={{QWeight}}\n")
    assert list(prune_parameters(config.read(path))) == ["s_a"]


@pytest.fixture
def make_template(tmp_path: Path) -> Callable[[str], Path]:
    def make(text: str) -> Path:
        (tmp_path / "t.tpl").write_text(text)
        path = tmp_path / "x.ini"
        path.write_text("[s@t.tpl]\nQWeight=Prune\nQWeigth=1\n")
        return path

    return make


def test_values_that_nobody_needs_are_not_resolved(ini: Ini) -> None:
    file = ini("[c]", "QWeight=Prune", "K=[c]_Later", "L=$(1/0)", "M=${M")
    assert prune_parameters(file) == {"c": DEFAULTS}


def test_cells_that_share_a_large_config_section_are_refused_in_time(fault: Fault) -> None:
    config_section = ["[all]", *[f"K{i}=1" for i in range(50_000)]]
    cells = [f"[c{i}]\nInput=x\nConfigSection=all" for i in range(10_000)]
    error = fault(*config_section, *cells, then=prune_parameters)
    assert "too much" in str(error)


def test_load_ini_gives_cells_whose_parameters_are_attributes(data: Path) -> None:
    from prunecell.quantizer import PruneCell

    cells = config.load_ini(data / "lenet_prune.ini")
    assert list(cells) == ["conv1", "conv2", "fc1"]
    assert all(isinstance(cell, PruneCell) for cell in cells.values())
    assert cells["conv1"].prune_mode == "Static"
    assert cells["conv1"].threshold == 0.3
    assert cells["fc1"].stepsize == 60000


def test_a_cell_that_prunecell_refuses_is_an_error_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**keywords: object) -> None:
        raise ValueError("not today")

    monkeypatch.setattr("prunecell.quantizer.PruneCell", refuse)
    path = tmp_path / "x.ini"
    path.write_text("\n[c]\nQWeight=Prune\n")
    with pytest.raises(config.ConfigError, match=r"x\.ini:2: section \[c\]: .*not today"):
        config.load_ini(path)


def test_reading_needs_the_native_core_alone(data: Path) -> None:
    package = Path(config.__file__).parents[1]
    script = f"""
import sys, types
sys.modules["prunecell"] = package = types.ModuleType("prunecell")
package.__path__ = [{str(package)!r}]
from prunecell import config
print(sorted(config.prune_parameters(config.read({str(data / "lenet_prune.ini")!r}))))
assert not {{"numpy", "prunecell.quantizer"}} & set(sys.modules)
"""
    result = subprocess.run(
        [sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True
    )
    assert json.loads(result.stdout.replace("'", '"')) == ["conv1", "conv2", "fc1"]
