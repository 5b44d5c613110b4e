"""`Slot`: where a module holds a parameter. A cell of a model is a slot."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from torch import nn

from prunecell.keys import WEIGHT


class Slot:
    """A name in a module; what lies there is looked up, since moves and loads may replace it."""

    __slots__ = ("module", "parameter")

    def __init__(self, module: nn.Module, parameter: str = WEIGHT) -> None:
        self.module: Callable[[], Any] = weakref.ref(module)  # None: gone
        self.parameter: str = parameter

    @property
    def gone(self) -> bool:
        """Whether the module is no more."""
        return self.module() is None

    @property
    def weight(self) -> Any:
        """The parameter; None: the module is gone, or computes its weight from others."""
        module = self.module()
        return None if module is None else module._parameters.get(self.parameter)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Slot):
            return NotImplemented
        return self.module == other.module and self.parameter == other.parameter

    def __hash__(self) -> int:
        return hash((self.module, self.parameter))
