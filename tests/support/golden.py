"""The test vectors of tests/data/golden, measured on the reference system."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parents[1] / "data" / "golden"
MANIFEST: dict[str, Any] = json.loads((FOLDER / "manifest.json").read_text())

# Errors here, by docs/semantics.md: a negative threshold, delta 0.
REFUSED_MASKS = ("threshold_negative_f32", "delta0_enough_zeros_f32")
# Section 5 decides otherwise: each has a test of its own that says what happens here.
OTHER_SCHEDULES = (
    "batch_fixed",
    "filler_none",
    "float_sum",
    "gamma_negative",
    "identity_iter",
    "stepsize0_logsteps0",
)


def load(case: dict[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(FOLDER / case["file"]) as arrays:
        return dict(arrays)


def by_id(section: str, name: str) -> dict[str, Any]:
    return next(case for case in MANIFEST[section] if case["id"] == name)
