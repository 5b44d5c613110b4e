"""The names in a state_dict of a weight and of what pruning adds to it."""

from __future__ import annotations

from typing import NamedTuple

WEIGHT = "weight"


class Keys(NamedTuple):
    """Those of one weight."""

    weight: str
    mask: str
    state: str
    dense: str

    @classmethod
    def of(cls, prefix: str, parameter: str) -> Keys:
        """Those of a parameter of the module whose keys begin with `prefix`."""
        own = prefix if parameter == WEIGHT else f"{prefix}{parameter}_"
        return cls(prefix + parameter, own + "prune_mask", own + "prune_state", own + "prune_dense")

    @classmethod
    def beside(cls, weight: str) -> Keys:
        """Those of a weight of this name."""
        module, dot, parameter = weight.rpartition(".")
        return cls.of(module + dot, parameter)

    @property
    def added(self) -> tuple[str, str, str]:
        """Those of pruning."""
        return self[1:]
