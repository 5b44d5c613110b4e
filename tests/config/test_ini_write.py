"""A PruneCell written as INI reads back as an equal one."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from prunecell import config
from prunecell.quantizer import PruneCell

NAMES = ("prune_mode", "prune_filler", "threshold", "delta", "start", "stepsize", "gamma")


def test_the_text_of_a_cell() -> None:
    cell = PruneCell(prune_mode="Static", threshold=0.3, prune_filler="IterNonStruct")
    assert config.to_ini("conv1", cell).splitlines() == [
        "[conv1]",
        "QWeight=Prune",
        "QWeight.PruningMode=Static",
        "QWeight.PruningFiller=IterNonStruct",
        "QWeight.Threshold=0.3",
        "QWeight.Delta=0.001",
        "QWeight.StartThreshold=0.1",
        "QWeight.StepSizeThreshold=0",
        "QWeight.GammaThreshold=0.05",
    ]


def test_cells_survive_the_way_through_a_file(tmp_path: Path) -> None:
    values = itertools.product(
        ("Identity", "Static", "Gradual"),
        ("None", "Random", "IterNonStruct"),
        (0, 1, 1 / 3, 5e-324),
        (1e-30, 0.001, 3e38),
        (0.1, 1),
        (0, 2**32 - 1),
        (0, 0.1 + 0.2),
    )
    cells = {
        f"layer{i}.conv": PruneCell(**dict(zip(NAMES, row, strict=True)))
        for i, row in enumerate(values)
        if row[4] <= row[2]  # a start above the threshold warns
    }
    assert len(cells) > 100
    path = tmp_path / "cells.ini"
    path.write_text("".join(config.to_ini(name, cell) for name, cell in cells.items()))
    again = config.load_ini(path)
    assert list(again) == list(cells)
    for name, cell in cells.items():
        for key in NAMES:
            assert getattr(again[name], key) == getattr(cell, key), (name, key)


def test_ties_are_written_where_they_say_something() -> None:
    keeping = PruneCell(prune_filler="IterNonStruct", ties="keep")
    text = config.to_ini("c", keeping)
    assert text.splitlines()[-1] == "QWeight.Ties=keep"
    assert config.prune_parameters(config.parse(text))["c"]["ties"] == "keep"
    assert "Ties" not in config.to_ini("c", PruneCell(ties="prune"))


def test_unused_parameters_are_written_too() -> None:
    with pytest.warns(UserWarning):
        cell = PruneCell(quant_mode="Symmetric", range=255)
    keywords = config.prune_parameters(config.parse(config.to_ini("c", cell)))["c"]
    assert (keywords["quant_mode"], keywords["range"]) == ("Symmetric", 255)


def test_what_has_no_key_becomes_a_comment() -> None:
    text = config.to_ini("c", PruneCell(seed=7, in_place=False))
    assert "; seed=7 has no key in INI files\n" in text
    assert "; in_place=False has no key in INI files\n" in text
    assert "c" in config.prune_parameters(config.parse(text))


@pytest.mark.parametrize("name", ["", "a]b", "a;b", "a#b", 'a"b', "a@b.tpl", "a\nb", "a\r", "a\\"])
def test_names_that_no_section_can_have_are_refused(name: str) -> None:
    with pytest.raises(config.ConfigError, match="cannot be the name of a section"):
        config.to_ini(name, PruneCell())


def test_a_stepsize_beyond_the_dialect_is_refused() -> None:
    with pytest.raises(config.ConfigError, match="stepsize=4294967296"):
        config.to_ini("c", PruneCell(stepsize=2**32))
