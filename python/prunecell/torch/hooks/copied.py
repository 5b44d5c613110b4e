"""Masks weights that were copied with their modules."""

from __future__ import annotations

from typing import Any

from prunecell.torch.masked_weight import MaskedWeight
from prunecell.torch.masking import mask_tensors


def mask_copy(owner: MaskedWeight, weight: Any) -> None:
    """Masks a weight that was copied before its hooks, maybe after a step that raised."""
    if weight is not None and not weight.is_meta and owner.mask is not None:
        mask_tensors([owner], [weight], [owner.mask])
