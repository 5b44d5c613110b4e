"""What is done to weights that were copied."""

from __future__ import annotations

from typing import Any

from prunecell.torch.masked_weight import MaskedWeight
from prunecell.torch.masking import mask_tensors


def mask_copy(owner: MaskedWeight, weight: Any) -> None:
    """A weight was copied before its hooks, maybe as a step that raised left it."""
    if weight is not None and not weight.is_meta and owner.mask is not None:
        mask_tensors([owner], [weight], [owner.mask])
