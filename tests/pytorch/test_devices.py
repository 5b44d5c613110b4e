"""Models that move between devices after they were pruned."""

from __future__ import annotations

import copy
from collections.abc import Callable

import prunecell
import pytest
import torch
from torch.optim import SGD
from torch_axes import GRADUAL, network, pruned, train

INPUTS = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(3))


def drive(model: prunecell.torch.Model, device: str = "cpu") -> None:
    optimizer = SGD(model.module.parameters(), lr=0.05, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        train(model.module, optimizer, 2, INPUTS.to(device))
        model.check()
        model.update(4)
        model.check()


def masks_in_force(model: prunecell.torch.Model) -> list[prunecell.Mask]:
    """One PruneCell for each cell."""
    return [cell.quantizer.get_pruned_masks(0) for cell in model if cell.quantizer]


def in_steps(model: prunecell.torch.Model) -> None:
    drive(model)


def by_hand(model: prunecell.torch.Model) -> None:
    with torch.no_grad():
        for cell in model:
            model.get_submodule(cell.name).weight.add_(1)
    model.apply_masks()
    model.check()


def packed(model: prunecell.torch.Model) -> None:
    prunecell.torch.compress(model)
    packed_weights = [model.get_submodule(cell.name)._packed["weight"] for cell in model]
    for expand in (lambda: model(INPUTS), lambda: prunecell.torch.decompress(model)):
        for one in packed_weights:
            one.mask.move("cuda:0")
        with torch.no_grad():
            expand()
    model.check()


@pytest.mark.usefixtures("shim")
@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("use", [in_steps, by_hand, packed])
def test_masks_come_along_when_a_model_comes_back_from_a_device(
    use: Callable[[prunecell.torch.Model], None], in_place: bool
) -> None:
    torch.manual_seed(0)
    there = pruned(network(), **GRADUAL, in_place=in_place)
    stayed = prunecell.torch.wrap(copy.deepcopy(there.module))
    for mask in masks_in_force(there):  # the weights have moved and nothing used them since
        mask.move("cuda:0")
    use(there)
    use(stayed)
    for ours, theirs in zip(
        there.module.state_dict().values(), stayed.module.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)


@pytest.mark.gpu
@pytest.mark.parametrize("in_place", [True, False])
def test_a_model_is_pruned_on_a_gpu_as_on_the_cpu(in_place: bool) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    net = network()
    model = pruned(net, **GRADUAL, in_place=in_place)
    net.to("cuda")
    drive(model, "cuda")
    assert all(mask.device == "cuda:0" for mask in masks_in_force(model))
    with torch.no_grad():
        expected = model(INPUTS.cuda())
        prunecell.torch.compress(model)
        assert torch.equal(model(INPUTS.cuda()), expected)
        prunecell.torch.decompress(model)
    net.to("cpu")
    drive(model)
