"""The parameters of a `PruneCell`: names, defaults, and what is accepted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

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


UNUSED = ("quant_mode", "range")
LEGAL = (*Parameters.__dataclass_fields__, *UNUSED)
