"""Half precision, mixed precision, conversions, memory formats."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import prunecell
import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW
from torch_axes import DTYPES, GRADUAL, LAYERS, kept, masks, network, pruned, train

CHANNELS_LAST = {
    "Conv2d": torch.channels_last,
    "ConvTranspose2d": torch.channels_last,
    "Conv3d": torch.channels_last_3d,
    "ConvTranspose3d": torch.channels_last_3d,
}


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_weights_of_every_type_train_pruned(dtype: torch.dtype, in_place: bool) -> None:
    net = network().to(dtype)
    model = pruned(net, **GRADUAL, in_place=in_place)
    inputs = torch.randn(2, 3, 6, 6, dtype=dtype)
    for make in (SGD, partial(AdamW, eps=1e-4)):  # the default of AdamW is 0 in float16
        optimizer = make(net.parameters(), lr=0.01, weight_decay=0.1)
        for _ in range(2):
            train(net, optimizer, 2, inputs)
            model.check()
            model.update(4)
            model.check()
    assert all(f.asked == pytest.approx(0.8) for f in model.figures().values())


@pytest.mark.parametrize(
    "convert",
    [
        lambda net: net.half(),
        lambda net: net.double(),
        lambda net: net.bfloat16(),
        lambda net: net.to("cpu", torch.float64),
        lambda net: net.to(torch.bfloat16).float(),
    ],
)
@pytest.mark.parametrize("swap", [False, True])
def test_masks_stay_when_the_model_is_converted(convert: Any, swap: bool) -> None:
    net = network()
    model = pruned(net)
    before = masks(model)
    torch.__future__.set_swap_module_params_on_conversion(swap)
    try:
        convert(net)
    finally:
        torch.__future__.set_swap_module_params_on_conversion(False)
    model.check()
    for old, new in zip(before, masks(model), strict=True):
        assert torch.equal(old, new)
    inputs = torch.randn(2, 3, 6, 6).to(net[0].weight.dtype)
    optimizer = SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1)
    for _ in range(2):
        train(net, optimizer, 1, inputs)
        if not swap:  # swapping loses every hook on a gradient; the step still masks
            assert not net[3].weight.grad[~kept(model.cells[1])].any()
        model.check()


def test_new_memory_is_masked_once_it_has_values() -> None:
    net = network()
    model = pruned(net)
    before = masks(model)
    net.to_empty(device="cpu")
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(1)
    net(torch.ones(2, 3, 6, 6))
    model.check()
    for old, layer in zip(before, (net[0], net[3]), strict=True):
        assert torch.equal(layer.weight != 0, old)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_leaves_weights_pruned(dtype: torch.dtype) -> None:
    net = network()
    model = pruned(net)
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=dtype):
            loss = net(torch.randn(2, 3, 6, 6)).square().mean()
        loss.backward()
        assert net[3].weight.grad.dtype == torch.float32
        assert not net[3].weight.grad[~kept(model.cells[1])].any()
        optimizer.step()
        model.check()


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("options", [{}, {"fused": True}], ids=str)
def test_a_gradient_scaler_steps_and_skips(options: Any, in_place: bool) -> None:
    net = network()
    model = pruned(net, in_place=in_place)
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1, **options)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for scale in (1, torch.inf, 1):  # the second step is skipped
        before = net[3].weight.detach().clone()
        optimizer.zero_grad()
        scaler.scale(net(torch.randn(2, 3, 6, 6)).square().mean() * scale).backward()
        scaler.step(optimizer)
        scaler.update()
        model.check()
        assert torch.equal(net[3].weight, before) == (scale != 1)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("filler", ["IterNonStruct", "Random"])
@pytest.mark.parametrize("kind", CHANNELS_LAST)
def test_channels_last_gives_the_masks_of_contiguous_weights(
    kind: str, filler: str, when: str
) -> None:
    make, shape = LAYERS[kind]
    net = nn.Sequential(make())
    twin = copy.deepcopy(net)
    inputs = torch.randn(shape)
    expected = pruned(twin, **GRADUAL | {"prune_filler": filler})
    if when == "before":
        net.to(memory_format=CHANNELS_LAST[kind])
    model = pruned(net, **GRADUAL | {"prune_filler": filler})
    net.to(memory_format=CHANNELS_LAST[kind])
    assert not net[0].weight.is_contiguous()
    for _ in range(3):
        model.update(4)
        expected.update(4)
        assert torch.equal(kept(model.cells[0]), kept(expected.cells[0]))
        assert torch.equal(net[0].weight, twin[0].weight)
    last = inputs.to(memory_format=CHANNELS_LAST[kind])
    train(net, SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1), 3, last)
    model.check()
    twin.load_state_dict(net.state_dict())
    assert torch.equal(net[0].weight, twin[0].weight)


def test_transposed_memory_is_ordinary_input() -> None:
    net, twin = nn.Sequential(nn.Linear(6, 4)), nn.Sequential(nn.Linear(6, 4))
    twin.load_state_dict(net.state_dict())
    net[0].weight = nn.Parameter(net[0].weight.detach().t().contiguous().t())
    pruned(net)
    pruned(twin)
    assert torch.equal(net[0].weight, twin[0].weight)


def test_a_weight_on_no_device_of_ours_is_refused_by_name() -> None:
    (cell,) = model = prunecell.torch.wrap(nn.ModuleDict({"a": nn.Linear(2, 2, device="meta")}))
    with pytest.raises(prunecell.InvalidArgument, match="'a'"):
        cell.quantizer = prunecell.PruneCell()
    model.module.to_empty(device="cpu")


def test_flushing_denormals_changes_no_mask() -> None:
    weights = torch.arange(1, 65, dtype=torch.float32) * 2.0**-149
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor does not flush denormals")
    try:
        flushed = prunecell.build_mask(weights, threshold=0.5, delta=7e-45)
        tiny = prunecell.build_mask(torch.ones(8), threshold=1e-40, delta=0.5)
        prunecell.PruneCell(delta=7e-45)
    finally:
        torch.set_flush_denormal(False)
    assert flushed == prunecell.build_mask(weights, threshold=0.5, delta=7e-45)
    assert 32 <= flushed.zeros < 64
    assert tiny.zeros == 8
