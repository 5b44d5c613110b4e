"""Memory that a call cannot use is refused before anything is written."""

from __future__ import annotations

import axes
import numpy as np
import prunecell
import pytest
from axes import bits
from prunecell import Mask, _core


def test_a_buffer_that_overlaps_the_weights_is_refused() -> None:
    memory = axes.weights("normal", "float32", (11,))
    before = memory.copy()
    mask = prunecell.build_mask(memory[:10], threshold=0.5)
    words = "out: expected other memory than the weights, got some that overlaps it"
    with pytest.raises(prunecell.InvalidArgument, match=words):
        prunecell.apply_mask(memory[:10], mask, out=memory[1:])
    with pytest.raises(
        prunecell.InvalidArgument, match="out: expected other memory than otherwise"
    ):
        _core.apply_masks([before[:10]], [mask], [memory[1:]], [memory[:10]])
    values = memory[: 10 - mask.zeros]
    with pytest.raises(prunecell.InvalidArgument, match=r"values: .* than the dense weights"):
        prunecell.unpack_weights(values, mask, out=memory[:10])
    assert np.array_equal(bits(memory), bits(before))


def test_a_tensor_without_memory_is_refused() -> None:
    torch = pytest.importorskip("torch")
    weights, gone = np.ones(10, np.float32), torch.zeros(10)
    gone.untyped_storage().resize_(0)
    words = r"\[0\]: expected memory.*(got 10 elements without|storage of size 0)"  # of old torch
    for call in (
        lambda: prunecell.apply_mask(weights, Mask((10,)), out=gone),
        lambda: prunecell.apply_mask(gone, Mask((10,))),
    ):
        with pytest.raises(prunecell.InvalidArgument, match=words):
            call()


@pytest.mark.parametrize("order", ["channels-last", "transposed"])
def test_a_buffer_of_pruned_weights_has_the_order_of_the_weights(order: str) -> None:
    torch = pytest.importorskip("torch")
    weights = torch.randn(6, 4, 3, 3).to(memory_format=torch.channels_last)
    if order == "transposed":
        weights = torch.randn(6, 9).t()
    before = weights.clone()
    cell = prunecell.PruneCell(
        prune_mode="Static", prune_filler="IterNonStruct", threshold=0.5, in_place=False
    )
    cell.add_weights(weights)
    cell.initialize()
    kept = torch.from_numpy(cell.get_pruned_masks().to_array())
    assert torch.equal(cell.get_quantized_weights(), before * kept)
    assert torch.equal(weights, before)
