"""Whole files against the values that the reference's compiled parser gave.

The files in tests/data/ini were written for these tests, and expected.json beside them was measured
by running that parser on them; null stands for a value it could not give.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from ini_files import DATA, REFERENCE
from prunecell import config

OWN: dict[str, Any] = json.loads((DATA / "expected.json").read_text())
NAMES = (
    *("LeNet", "LeNet_quant", "MobileNet_v1", "MobileNet_v1_ONNX", "ResNet-18-BN", "ResNet-18"),
    *("VGG16", "cifar-10", "mnist-autoencoder", "mnist24_16c4s2_24c5s2_150_10"),
    *("resnet-18-v1-onnx", "resnet-18v1-LSQ-8b"),
)


@pytest.mark.parametrize("name", sorted(OWN))
def test_own_files_read_as_the_reference_reads_them(name: str, data: Path) -> None:
    ini = config.read(data / name)
    assert list(ini) == list(OWN[name])
    for section, properties in OWN[name].items():
        assert sorted(ini[section]) == sorted(properties)
        for key, value in properties.items():
            if value is not None:
                assert ini[section][key] == value, (section, key)
            else:
                with pytest.raises(config.ConfigError):
                    ini[section][key]


def read_quietly(path: Path) -> config.IniFile:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", config.ConfigWarning)  # some do repeat a property
        return config.read(path)


@pytest.mark.parametrize("name", NAMES)
def test_files_of_the_reference(name: str) -> None:
    if not (REFERENCE / "expected.json").is_file():
        pytest.skip(f"the reference's INI files are not at {REFERENCE}")
    expected = json.loads((REFERENCE / "expected.json").read_text())[f"{name}.ini"]
    ini = read_quietly(REFERENCE / f"{name}.ini")
    stopped = expected["stopped_at"]
    for section, properties in expected["sections"].items():
        for key, value in properties.items():
            assert ini[section][key] == value, (section, key)
        # The section at which the reference's parser stopped was left empty.
        if properties or not stopped:
            assert set(ini[section]) == set(properties)
    if not stopped:
        assert set(ini) == set(expected["sections"])


@pytest.mark.parametrize("name", NAMES)
def test_no_value_of_the_reference_is_refused_for_another_reason_than_a_running_network(
    name: str,
) -> None:
    if not (REFERENCE / "expected.json").is_file():
        pytest.skip(f"the reference's INI files are not at {REFERENCE}")
    ini = read_quietly(REFERENCE / f"{name}.ini")
    for section in ini.values():
        for key in section:
            try:
                section[key]
            except config.ConfigError as error:
                assert "only a running network knows it" in str(error)
                assert error.line is not None


def test_templates_of_the_models_folder_are_looked_for_beside_the_file() -> None:
    if not (REFERENCE / "ResNet-18.ini").is_file():
        pytest.skip(f"the reference's INI files are not at {REFERENCE}")
    ini = read_quietly(REFERENCE / "ResNet-18.ini")
    assert ini["conv2.1_sum"]["Input"] == "conv2.1_3x3_2,conv2.1_1x1_proj"
    assert ini["conv5.2_3x3_1"]["NbOutputs"] == "512"


def test_what_a_running_network_knows_can_be_supplied(data: Path) -> None:
    ini = config.read(data / "lenet_prune.ini")
    assert "_EpochSize" not in ini["sp"]
    ini.supply("sp", "_EpochSize", 48000)
    assert ini["common.config"]["Solvers.LearningRateStepSize"].integer() == 48000
    with pytest.raises(config.MissingKeyError):
        ini.supply("nosuch", "_EpochSize", 1)
    with pytest.raises(config.ConfigError, match="references"):
        ini.supply("sp", "_EpochSize", "$(1)")
