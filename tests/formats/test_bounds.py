"""Inputs cannot make the package allocate or print without bounds."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from prunecell import BadFile, PruneCell, config
from prunecell.config import ConfigWarning
from prunecell.formats import load_mask_text
from prunecell.limits import MAX_REPETITIONS


def test_properties_given_twice_are_warned_of_a_hundred_times_and_counted_then() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        config.parse("[a]\n" + "K=1\n" * 5000)
    assert {one.category for one in said} == {ConfigWarning}
    assert len(said) == MAX_REPETITIONS + 1
    assert "4,899 more properties are given twice" in str(said[-1].message)


def test_warnings_of_a_configuration_cannot_drive_the_terminal() -> None:
    with pytest.warns(ConfigWarning, match="given twice") as said:
        config.parse("[a\x1b[2J\u202e]\nK=1\nK=2\n")
    assert str(said[0].message).isprintable()


def test_mutated_files_of_every_kind_are_read_or_refused() -> None:
    """A few cases of the program that runs by hand for hours: `mutate.py --help`."""
    pytest.importorskip("torch")
    program = [sys.executable, str(Path(__file__).with_name("mutate.py")), "--cases", "100"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(program, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" 0 anything else") == 7


def test_pipes_are_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    cell = PruneCell(prune_mode="Static")
    cell.add_weights(np.ones(3, np.float32))
    for read in (config.read, config.load_ini, lambda path: load_mask_text(cell, path)):
        with pytest.raises(BadFile, match="expected a file, got a device or pipe"):
            read(tmp_path / "pipe")
