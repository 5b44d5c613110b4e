"""The parameters of a `PruneCell`: names, defaults, and what is accepted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypedDict

MODES = ("Identity", "Static", "Gradual")
FILLERS = ("None", "Random", "IterNonStruct")
TIES = ("prune", "keep")
QUANT_MODES = ("Default", "Symmetric", "Asymmetric", "FullRange")


@dataclass(frozen=True)
class Parameters:
    """As docs/semantics.md describes them; ranges are checked by the native core."""

    prune_mode: str = "Identity"
    prune_filler: str = "Random"
    threshold: float = 0.2
    delta: float = 0.001
    start: float = 0.1
    stepsize: int = 0
    gamma: float = 0.05
    in_place: bool = True
    seed: int = 0
    ties: str = "prune"

    def as_dict(self) -> dict[str, Any]:
        """All parameters by name."""
        return asdict(self)


class Keywords(TypedDict, total=False):
    """All parameters as keywords, for type checkers and editors."""

    prune_mode: Literal["Identity", "Static", "Gradual"]
    prune_filler: Literal["None", "Random", "IterNonStruct"]
    threshold: float
    delta: float
    start: float
    stepsize: int
    gamma: float
    in_place: bool
    seed: int
    ties: Literal["prune", "keep"]
    quant_mode: Literal["Default", "Symmetric", "Asymmetric", "FullRange"] | None
    range: int | None


UNUSED = ("quant_mode", "range")
LEGAL = (*Parameters.__dataclass_fields__, *UNUSED)
