"""Casts and moves of a whole model: full-precision weights follow as its own tensors do."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import prunecell
import pytest
import torch
from test_attach import Tied
from test_interrupted_steps import failed
from torch import Tensor, nn
from torch_axes import GRADUAL, STATIC, assert_equal, clones, kept, network, pruned

Cast = Callable[[nn.Module], Any]
CASTS: dict[str, Cast] = {
    "half": lambda net: net.half(),
    "bfloat16": lambda net: net.bfloat16(),
    "to": lambda net: net.to(torch.float16),
    "type": lambda net: net.type(torch.bfloat16),
    "each layer": lambda net: [layer.half() for layer in net],
}


def rounded(values: Tensor, net: nn.Module) -> Tensor:
    """A weight that was cast to the dtype of the net and back."""
    return values.to(next(net.parameters()).dtype).float()


def copied(net: nn.Module) -> None:
    copy.deepcopy(net)


def looked_at(net: nn.Module) -> None:
    net.state_dict()


@pytest.mark.parametrize("between", [None, looked_at, copied])
@pytest.mark.parametrize("cast", CASTS)
def test_full_precision_weights_are_rounded_as_weights_are(cast: str, between: Any) -> None:
    net = network()
    model = pruned(net, in_place=False)
    dense = clones(net.state_dict())["3.prune_dense"]
    CASTS[cast](net)
    expected = rounded(dense, net)
    assert not torch.equal(expected, dense)
    if between is not None:
        between(net)
    net.float()
    assert torch.equal(net.state_dict()["3.prune_dense"], expected)
    assert torch.equal(net[3].weight, torch.where(kept(model.cells[1]), expected, 0))


def test_a_cast_to_more_bits_and_back_changes_nothing() -> None:
    net = network()
    pruned(net, in_place=False)
    before = clones(net.state_dict())
    assert net.double() is net
    assert net.float() is net
    assert_equal(net.state_dict(), before)


@pytest.mark.parametrize("make_copy", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_is_cast_alone(make_copy: Any) -> None:
    net = network()
    pruned(net, in_place=False)
    before = clones(net.state_dict())
    other = make_copy(net)
    other.half()
    expected = rounded(before["3.prune_dense"], other)
    assert_equal(net.state_dict(), before)
    assert other.float() is other
    assert torch.equal(other.state_dict()["3.prune_dense"], expected)
    assert_equal(net.state_dict(), before)


def test_weights_are_rounded_while_they_are_packed_too() -> None:
    net = network()
    pruned(net, threshold=0.9, in_place=False)
    plain = copy.deepcopy(net)
    plain.half().float()
    assert prunecell.torch.compress(net)
    net.half().float()
    prunecell.torch.decompress(net)
    assert_equal(net.state_dict(), plain.state_dict())


@pytest.mark.parametrize("part", ["embedding", "head"])
@pytest.mark.parametrize("cells", [{"embeddings": True}, {"include": "head"}], ids=str)
def test_a_shared_weight_is_cast_by_either_holder(part: str, cells: dict[str, Any]) -> None:
    net = Tied()
    for cell in prunecell.torch.wrap(net, **cells):
        cell.quantizer = prunecell.PruneCell(**STATIC, in_place=False)
    dense = clones(net.state_dict())["head.prune_dense"]
    net.get_submodule(part).half()
    assert net.head.weight.dtype == torch.float16
    net.get_submodule(part).float()
    assert torch.equal(net.state_dict()["head.prune_dense"], dense.half().float())


def test_what_a_step_that_raised_left_is_cast_whole() -> None:
    net = network()
    model = pruned(net, in_place=False)
    full = failed(net, KeyError)
    net.half().float()
    model.check()
    state = net.state_dict()
    for key, value in full.items():
        assert torch.equal(state[key], value.half().float()), key


def test_nothing_is_followed_once_the_quantizer_is_off() -> None:
    net = Tied()
    model = pruned(net, in_place=False)
    model.detach()
    assert not any("_apply" in layer.__dict__ for layer in net.modules())
    net.half()


def test_a_run_goes_on_after_a_cast_as_its_checkpoint_does() -> None:
    net = network()
    pruned(net, **GRADUAL, in_place=False)
    net.half()
    other = network().half()
    pruned(other, **GRADUAL, in_place=False)
    other.load_state_dict(net.state_dict())
    runs = []
    for one in (net, other):
        one.float()
        model = prunecell.torch.wrap(one)
        optimizer = torch.optim.SGD(one.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
        for i in range(6):
            inputs = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(i))
            optimizer.zero_grad()
            one(inputs).square().mean().backward()
            optimizer.step()
            model.update(2)
        runs.append(one.state_dict())
    assert_equal(*runs)


@pytest.mark.parametrize("in_place", [True, False])
def test_weights_that_come_without_values_are_masked_at_the_next_forward(in_place: bool) -> None:
    net = network()
    model = pruned(net, in_place=in_place)
    net.to_empty(device="cpu")
    for parameter in net.parameters():
        parameter.data.fill_(1)  # the memory holds arbitrary values
    net(torch.ones(2, 3, 6, 6))
    model.check()


def test_shared_memory_takes_the_full_precision_weights_along() -> None:
    net = network()
    pruned(net, in_place=False)
    net.share_memory()
    assert net.state_dict()["3.prune_dense"].is_shared()


def test_a_cell_alone_is_cast_as_torch_casts_it() -> None:
    layer = nn.Linear(6, 6)
    layer.register_module("child", nn.Linear(2, 2))
    pruned(layer, in_place=False)
    assert layer.half() is layer
    assert layer.child.weight.dtype == torch.float16
    layer._apply(torch.Tensor.float, recurse=False)
    assert layer.weight.dtype == torch.float32
    assert layer.child.weight.dtype == torch.float16


def test_a_shallow_copy_whose_original_is_gone_is_refused() -> None:
    layer = nn.Linear(6, 6)
    pruned(layer)
    shallow = copy.copy(layer)
    del layer
    with pytest.raises(prunecell.WrongState, match=r"shallow copy; use copy\.deepcopy"):
        shallow.half()
