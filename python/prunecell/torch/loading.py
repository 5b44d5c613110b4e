"""`Loading`: what a state_dict brings for one cell, until its load takes effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from prunecell._core import Figures


@dataclass
class Loading:
    """What a state_dict brings for one cell."""

    saved: dict[str, Any] | None
    """A state of the whole PruneCell; None: the one in force stays."""
    dense: Tensor | None
    """Full-precision weights; None: the parameter brings them."""
    takes_mask: bool = False
    """Whether the mask in force gives way to one that is built from weights without mask."""
    figures: Figures | None = None
    """The figures of a mask that is built from weights without mask."""
