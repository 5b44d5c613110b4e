"""Modules that share a weight though not all are cells, and ties that come and go."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import prunecell
import pytest
import torch
from test_interrupted_steps import Failing
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune
from torch.optim import SGD
from torch_axes import GRADUAL, STATIC, all_may_go, assert_equal, clones, pruned, train

INPUTS = torch.randn(3, 6, generator=torch.Generator().manual_seed(5))


class Doubled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight


class Product(nn.Module):
    """A module without a cell, whose weight has another name."""

    def __init__(self, matrix: nn.Parameter) -> None:
        super().__init__()
        self.matrix = matrix

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs @ self.matrix


def tied() -> nn.Sequential:
    """The first two hold one weight."""
    net = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 6))
    net[1].weight = net[0].weight
    return net


def parametrized() -> nn.Sequential:
    net = tied()
    parametrize.register_parametrization(net[0], "weight", Doubled())
    return net


def masked_by_torch() -> nn.Sequential:
    net = tied()
    prune.random_unstructured(net[0], "weight", 0.2)
    return net


def three_and_nested() -> nn.Sequential:
    net = tied()
    net[2].weight = net[0].weight
    return nn.Sequential(nn.Sequential(net[2], nn.Sequential(net[0])), net[1])


def under_another_name() -> nn.Sequential:
    net = tied()
    return nn.Sequential(Product(net[0].weight), net[1])


NETS = [tied, parametrized, masked_by_torch, three_and_nested, under_another_name]


def one_cell(net: nn.Module, name: str = "1", **parameters: Any) -> prunecell.torch.Model:
    """A quantizer on one of the holders alone, which runs after the others."""
    model = prunecell.torch.wrap(net)
    model.attach({name: prunecell.PruneCell(**(GRADUAL | parameters))})
    return model


def fill(net: Any) -> None:
    with torch.no_grad():
        net[1].weight.fill_(1)


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("make", NETS)
def test_a_holder_without_cell_sees_the_pruned_weight(make: Any, in_place: bool) -> None:
    net = make()
    model = one_cell(net, in_place=in_place)
    fill(net)
    first = net(INPUTS)
    first.sum().backward()
    model.check()
    assert torch.equal(net(INPUTS), first)


@pytest.mark.parametrize("make", NETS)
@pytest.mark.parametrize("in_place", [True, False])
def test_training_and_states_are_right_beside_a_holder_without_cell(
    make: Any, in_place: bool
) -> None:
    net, other = make(), make()
    model, second = one_cell(net, in_place=in_place), one_cell(other, in_place=in_place)
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(2):
        train(net, optimizer, 2, INPUTS)
        model.check()
        model.update(4)
    other.load_state_dict(clones(net.state_dict()))
    second.check()
    assert_equal(other.state_dict(), net.state_dict())
    assert torch.equal(other(INPUTS), net(INPUTS))


@pytest.mark.parametrize("look", [lambda net: net[0](INPUTS), lambda net: net[0].state_dict()])
def test_what_a_step_that_raised_left_is_seen_by_no_holder(look: Any) -> None:
    net = tied()
    model = one_cell(net, in_place=False)
    train(net, SGD(net.parameters(), lr=0.1), 1, INPUTS)
    with pytest.raises(KeyError):
        Failing(net.parameters(), lr=0.1).step()
    look(net)
    model.check()


COPIES: list[Callable[[Any], Any]] = [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))]


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("make_copy", COPIES)
def test_holders_are_tied_in_a_copy_as_in_the_original(make_copy: Any, in_place: bool) -> None:
    net = tied()
    one_cell(net, in_place=in_place)
    fill(net)
    with pytest.warns(prunecell.PruneWarning, match="cell '1': pruned weights were not 0"):
        copied = make_copy(net)
    prunecell.torch.wrap(copied).check()
    before = clones(net.state_dict())
    with torch.no_grad():
        copied[1].weight.fill_(2)
    copied[0](INPUTS)
    prunecell.torch.wrap(copied).check()
    copied.half()
    assert_equal(net.state_dict(), before)


@pytest.mark.parametrize("make_copy", COPIES)
def test_a_copy_of_a_holder_alone_is_an_ordinary_module(make_copy: Any) -> None:
    net = tied()
    one_cell(net)
    fill(net)
    with pytest.warns(prunecell.PruneWarning, match="cell '1': pruned weights were not 0"):
        copied = make_copy(net[0])
    assert (copied.weight == 0).sum() == (net[1].weight == 0).sum() == 8
    with torch.no_grad():
        copied.weight.fill_(1)
    copied(INPUTS)
    assert copied.weight.eq(1).all()
    del net
    copied = make_copy(copied)
    assert copied.half()(INPUTS.half()).isfinite().all()
    assert list(copied.state_dict()) == ["weight", "bias"]


def hooks_of(net: nn.Module) -> list[Any]:
    """Hooks of the parts: `wrap` leaves those of the net itself."""
    kinds = ("_forward_pre_hooks", "_state_dict_hooks", "_state_dict_pre_hooks")
    parts = list(net.modules())[1:]
    return [getattr(module, kind) for module in parts for kind in kinds]


@pytest.mark.parametrize("make", [tied, three_and_nested, parametrized])
def test_the_last_cell_leaves_no_hook_on_other_holders(make: Any) -> None:
    net = make()
    model = one_cell(net)
    assert sum(map(len, hooks_of(net))) > 2
    model.detach()
    assert not any(hooks_of(net))
    assert not any("_apply" in module.__dict__ for module in net.modules())


def test_a_holder_whose_cell_is_gone_is_an_ordinary_module() -> None:
    net = tied()
    one_cell(net)
    net[1] = nn.Linear(6, 6)
    train(net, SGD(net.parameters(), lr=0.1), 1, INPUTS)
    assert net[0].weight.grad.ne(0).all()
    fill_first = nn.init.ones_(net[0].weight)
    net(INPUTS)
    assert fill_first.eq(1).all()


def test_a_holder_has_one_hook_however_often_quantizers_come() -> None:
    net = tied()
    net[2].weight = net[0].weight
    first, second, third = model = prunecell.torch.wrap(net)
    second.quantizer = prunecell.PruneCell(**STATIC)
    second.quantizer = one = prunecell.PruneCell(**STATIC)
    for cell, given in ((third, one), (first, one), (first, None)):
        cell.quantizer = given
        assert [len(layer._forward_pre_hooks) for layer in net] == [1, 1, 1]
    assert [len(layer._state_dict_pre_hooks) for layer in net] == [1, 0, 0]
    model.detach()
    assert not any(hooks_of(net))


def test_a_holder_compiles_without_a_break() -> None:
    net = tied()
    one_cell(net)
    torch._dynamo.reset()
    assert torch.equal(torch.compile(net, backend="eager", fullgraph=True)(INPUTS), net(INPUTS))


def test_torch_func_may_put_another_weight_into_one_of_two_cells() -> None:
    net = tied()
    model = pruned(net)
    for name in ("0.weight", "1.weight"):
        given = {name: nn.Parameter(torch.ones(6, 6))}
        out = torch.func.functional_call(net, given, (INPUTS,), tie_weights=False)
        assert not torch.equal(out, net(INPUTS))
    model.check()


@pytest.mark.parametrize("left", [0, 1])
def test_a_cell_that_lets_go_goes_on_seeing_the_pruned_weight(left: int) -> None:
    net = tied()
    first, second, _ = model = pruned(net)
    (first, second)[left].quantizer = None
    fill(net)
    net[left](INPUTS)
    assert (net[0].weight == 0).sum() == 18
    (second, first)[left].quantizer = None
    model.detach()
    assert not any(hooks_of(net))


@all_may_go
def test_a_cell_that_computes_its_weight_by_now_may_let_go() -> None:
    net = tied()
    first, _, _ = model = pruned(net, **GRADUAL)
    parametrize.register_parametrization(net[0], "weight", Doubled())
    first.quantizer = None
    fill(net)
    net[0](INPUTS)
    assert (net[1].weight == 0).sum() == 8
    model.update(4)
    model.check()


def attention() -> Any:
    return nn.ModuleDict({"attention": nn.MultiheadAttention(6, 2, batch_first=True)})


def attend(net: Any) -> Tensor:
    inputs = INPUTS.unsqueeze(0)
    return net["attention"](inputs, inputs, inputs)[0]


@pytest.mark.parametrize("in_place", [True, False])
def test_attention_reads_a_layer_of_its_own_past_the_layer_s_hooks(in_place: bool) -> None:
    net = attention()
    model = pruned(net, in_place=in_place)
    nn.init.ones_(net["attention"].out_proj.weight)
    attend(net).sum().backward()
    model.check()
    copied = copy.deepcopy(net)
    nn.init.ones_(copied["attention"].out_proj.weight)
    attend(copied)
    prunecell.torch.wrap(copied).check()
    with torch.no_grad():
        expected = attend(net)
        prunecell.torch.compress(net)
        assert torch.equal(attend(net), expected)
    prunecell.torch.decompress(net)
    model.detach()
    assert not any(hooks_of(net))


def test_a_layer_of_attention_is_cast_as_often_as_its_weight() -> None:
    net = attention()
    pruned(net, in_place=False)
    key = "attention.out_proj.prune_dense"
    dense = net.state_dict()[key].clone()
    net._apply(lambda tensor: tensor * 2 if tensor.is_floating_point() else tensor)
    assert torch.equal(net.state_dict()[key], dense * 2)
