"""Misspelt keys of the pruner, which would otherwise be ignored without a word."""

from __future__ import annotations

from difflib import SequenceMatcher

from .errors import suggestion
from .inifile import Section
from .parameters import LEGAL_KEYS, NAMES

# Keys of the reference that begin like QWeight and are something else.
_OTHER_HEADS = ("QWeight", "QWeightSolver")
# Without their prefix these mean nothing else in any cell; Threshold, Delta and Range might.
_UNMISTAKABLE = (
    "PruningMode",
    "PruningFiller",
    "StartThreshold",
    "StepSizeThreshold",
    "GammaThreshold",
)
# Lower bound of difflib's ratio: "QWeigth" has 0.86, "QActSolver" 0.24, "Weight" 0.92,
# "WeightsSolver" 0.6.
_ALIKE = 0.75
_HEAD_LENGTHS = range(4, 41)


def check_heads(section: Section) -> None:
    """Refuses keys whose first word is nearly QWeight, such as QWeigth or QWeightThreshold."""
    for key in section:
        if key.startswith("$"):
            continue  # a variable, which may have any name
        head, _, name = key.partition(".")
        if head in _OTHER_HEADS or len(head) not in _HEAD_LENGTHS:
            continue
        lower = head.lower()
        # Weight, without the Q, begins keys of spiking cells; the pruner is meant only where one of
        # its parameters follows.
        suspect = lower.startswith("q") or name in NAMES
        if lower.startswith("qweight") or (suspect and _alike(lower)):
            hint = suggestion(key, (*LEGAL_KEYS, "QWeightSolver"))
            raise section.raw(key).error(f"unknown property{hint}; {_legal()}")


def fault_of(key: str) -> str | None:
    """The message about a wrong key of a pruned cell (unknown, or without QWeight.), or None."""
    if key in _UNMISTAKABLE:
        return f'unknown property (did you mean "QWeight.{key}"?); {_legal()}'
    prefix, dot, name = key.partition(".")
    if prefix == "QWeight" and dot and name not in NAMES:
        return f"no parameter of Prune{suggestion(name, NAMES)}; {_legal()}"
    return None


def _alike(head: str) -> bool:
    # Most heads share too few letters with it, which a set tells much faster than difflib.
    return len(set(head) & set("qweight")) >= 5 and (
        SequenceMatcher(None, head, "qweight").ratio() >= _ALIKE
    )


def _legal() -> str:
    return f"legal are {', '.join(LEGAL_KEYS)}"
