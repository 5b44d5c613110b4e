"""The parameters of a cell: defaults, what is accepted, and errors that name them."""

from __future__ import annotations

import fractions
from typing import Any

import numpy as np
import prunecell
import pytest
from prunecell import PruneCell

DEFAULTS = {
    "prune_mode": "Identity",
    "prune_filler": "Random",
    "threshold": 0.2,
    "delta": 0.001,
    "start": 0.1,
    "stepsize": 0,
    "gamma": 0.05,
    "in_place": True,
    "seed": 0,
    "ties": "prune",
    "quant_mode": None,
    "range": None,
}
SHARE = "a number from 0 to 1"
ABOVE = "a finite number above 0, as float32 too"
WRONG: list[tuple[str, Any, str]] = [
    *[(name, value, SHARE) for name in ("threshold", "start", "gamma") for value in (-0.1, 1.5)],
    *[(name, float("nan"), SHARE) for name in ("threshold", "start", "gamma")],
    ("threshold", float("inf"), SHARE),
    ("threshold", -1e-300, SHARE),
    ("threshold", float(np.nextafter(1.0, 2.0)), SHARE),
    *[("delta", value, ABOVE) for value in (0, -0.001, float("inf"), float("nan"), 1e-46, 1e39)],
    *[("stepsize", value, "an integer from 0") for value in (-1, 2**63)],
    *[("seed", value, "an integer from 0") for value in (-1, 2**64)],
    ("prune_mode", "gradual", "Identity, Static, Gradual"),
    ("prune_mode", "", "Identity, Static, Gradual"),
    ("prune_mode", " Static", "Identity, Static, Gradual"),
    ("prune_filler", "none", "None, Random, IterNonStruct"),
    ("prune_filler", "Iter", "None, Random, IterNonStruct"),
    ("ties", "Keep", "prune, keep"),
    ("quant_mode", "Integer", "Default, Symmetric, Asymmetric, FullRange"),
    ("range", -1, "an integer from 0"),
]
WRONG_TYPES: list[tuple[str, Any, str]] = [
    *[(name, "0.3", "a number") for name in ("threshold", "delta", "start", "gamma")],
    ("threshold", None, "a number"),
    ("threshold", True, "a number"),
    ("threshold", 0.3 + 0j, "a number"),
    ("threshold", np.array([0.3]), "a number"),
    ("stepsize", 1.0, "an integer"),
    ("stepsize", False, "an integer"),
    ("seed", "7", "an integer"),
    ("in_place", 1, "True or False"),
    ("in_place", None, "True or False"),
    ("prune_mode", 2, "a word"),
    ("prune_filler", None, "a word"),
    ("ties", True, "a word"),
]


def test_the_defaults_are_those_of_the_table() -> None:
    cell = PruneCell()
    assert {name: getattr(cell, name) for name in DEFAULTS} == DEFAULTS


def test_every_parameter_reads_back_as_it_was_given() -> None:
    given: dict[str, Any] = {
        "prune_mode": "Gradual",
        "prune_filler": "IterNonStruct",
        "threshold": 0.3,  # no float32 is equal to it
        "delta": 1e-10,
        "start": 0.05,
        "stepsize": 2**63 - 1,
        "gamma": 1,
        "in_place": False,
        "seed": 2**64 - 1,
        "ties": "keep",
    }
    cell = PruneCell(**given)
    assert {name: getattr(cell, name) for name in given} == given
    saved_as = PruneCell(**given)
    saved_as.add_weights(np.linspace(0, 1, 3))
    saved_as.initialize()
    assert saved_as.state_dict()["parameters"] == given


@pytest.mark.parametrize("name", ["threshold", "start", "gamma"])
@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0, 1e-40])
def test_the_ends_of_the_range_are_in_it(name: str, value: float) -> None:
    assert getattr(PruneCell(**{name: value}), name) == value


@pytest.mark.parametrize("delta", [7e-45, 1e-45, 1e-38, 3.4e38, 1])
def test_any_delta_that_float32_can_hold_is_accepted(delta: float) -> None:
    assert PruneCell(delta=delta).delta == delta


def test_ints_and_numpy_scalars_are_numbers() -> None:
    cell = PruneCell(
        threshold=np.float32(0.5),
        delta=np.float64(0.25),
        start=np.float16(0.125),
        gamma=fractions.Fraction(1, 4),
        stepsize=np.int32(7),
        seed=np.uint64(2**63),
    )
    read = (cell.threshold, cell.delta, cell.start, cell.gamma, cell.stepsize, cell.seed)
    assert read == (0.5, 0.25, 0.125, 0.25, 7, 2**63)


@pytest.mark.parametrize(("name", "value", "accepted"), WRONG, ids=str)
def test_a_wrong_value_names_parameter_value_and_what_is_accepted(
    name: str, value: Any, accepted: str
) -> None:
    with pytest.raises(prunecell.InvalidArgument) as raised:
        PruneCell(**{name: value})
    message = str(raised.value)
    assert message.startswith(f"{name}: expected ")
    assert accepted in message
    shown = message.rsplit("got ", 1)[1].strip("'")
    assert shown == str(value) or float(shown) == value
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize(("name", "value", "accepted"), WRONG_TYPES, ids=str)
def test_a_wrong_type_names_parameter_value_and_what_is_accepted(
    name: str, value: Any, accepted: str
) -> None:
    with pytest.raises(prunecell.InvalidType) as raised:
        PruneCell(**{name: value})
    expected = f"{name}: expected {accepted}, got {value!r} of type {type(value).__name__}"
    assert str(raised.value) == expected
    assert isinstance(raised.value, TypeError)


def test_a_wrong_name_lists_the_legal_ones_and_the_nearest() -> None:
    with pytest.raises(
        TypeError, match="unknown parameter 'treshold'; did you mean 'threshold'"
    ) as raised:
        PruneCell(treshold=0.3)
    assert isinstance(raised.value, prunecell.InvalidType)
    for name in DEFAULTS:
        assert name in str(raised.value)


def test_attributes_that_are_no_parameters_do_not_exist() -> None:
    with pytest.raises(AttributeError, match="'PruneCell' object has no attribute 'treshold'"):
        _ = PruneCell().treshold


def test_parameters_of_the_reference_without_use_here_warn() -> None:
    with pytest.warns(UserWarning, match="accepted and not used: quant_mode, range") as seen:
        cell = PruneCell(quant_mode="Symmetric", range=15)
    assert len(seen) == 1
    assert seen[0].filename == __file__
    assert (cell.quant_mode, cell.range) == ("Symmetric", 15)


@pytest.mark.parametrize("filler", ["Random", "None"])
def test_a_choice_of_ties_that_has_no_effect_is_said(filler: str) -> None:
    with pytest.warns(prunecell.PruneWarning, match=f"ties 'keep' has no effect .*{filler!r}"):
        PruneCell(prune_filler=filler, ties="keep")
    PruneCell(prune_filler=filler, ties="prune")
    PruneCell(prune_filler="IterNonStruct", ties="keep")


@pytest.mark.parametrize("wrong", [{"threshold": 1.5}, {"delta": 0}, {"filler": "Best"}])
def test_the_plain_operations_refuse_the_same_values(wrong: dict[str, Any]) -> None:
    weights = np.ones(4, dtype=np.float32)
    for call in (prunecell.build_mask, prunecell.rebuild_and_apply):
        with pytest.raises(prunecell.InvalidArgument, match=next(iter(wrong))):
            call(weights, **wrong)
    assert weights.all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed: expected an integer from 0"),
        ({"threshold": "0.3"}, "threshold: expected a number, got '0.3'"),
        ({"threshold": 10**400}, "threshold: expected a float64 number"),
        ({"filler": None}, "filler: expected a word"),
        ({"delta": 1e-46}, "delta: expected a finite number above 0.*1e-46"),
    ],
)
def test_the_arguments_of_an_operation_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(prunecell.InvalidArgument, match=message):
        prunecell.build_mask(np.ones(3), **arguments)
