"""Attaching and taking off: shared weights, shared PruneCells, refusals."""

from __future__ import annotations

import gc
import warnings
from typing import Any

import prunecell
import pytest
import torch
from torch import Tensor, nn
from torch_axes import (
    GRADUAL,
    STATIC,
    assert_equal,
    backward,
    clones,
    images,
    kept,
    network,
    pruned,
    train,
)


class Tied(nn.Module):
    """An embedding and a head that hold one weight."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(12, 6, **options)
        self.head = nn.Linear(6, 12, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.embedding(tokens))


TOKENS = torch.tensor([[1, 2, 3], [4, 5, 11]])


def test_tied_embeddings_are_pruned_once() -> None:
    net = Tied()
    model = pruned(net)
    embedding, head = model
    assert embedding.quantizer is head.quantizer
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    train(net, optimizer, 5, TOKENS)
    model.check()
    assert embedding.figures.zeros == head.figures.zeros == (net.head.weight == 0).sum() == 36


def test_a_weight_tied_to_a_module_without_cell_is_pruned_for_both() -> None:
    net = Tied()
    model = prunecell.torch.wrap(net, include="head")
    model.attach({"head": prunecell.PruneCell(**STATIC)})
    backward(net, TOKENS)
    assert (net.embedding.weight == 0).sum() == 36
    assert (net.embedding.weight.grad[~kept(model.cells[0])] == 0).all()


def test_different_parameters_for_one_weight_raise_naming_both_cells() -> None:
    net = Tied()
    embedding, head = prunecell.torch.wrap(net, embeddings=True)
    embedding.quantizer = prunecell.PruneCell(**STATIC)
    with pytest.raises(prunecell.InvalidArgument, match=r"'embedding' and 'head' share one weight"):
        head.quantizer = prunecell.PruneCell(**(STATIC | {"threshold": 0.7}))
    assert head.quantizer is None
    assert embedding.figures.zeros == 36


def test_a_shared_weight_stays_pruned_until_its_last_cell_lets_go() -> None:
    net = Tied()
    embedding, head = pruned(net)
    embedding.quantizer = None
    assert embedding.quantizer is None
    assert head.quantizer is not None
    with torch.no_grad():
        net.head.weight.fill_(1)
    net(TOKENS)
    assert (net.head.weight == 0).sum() == 36
    head.quantizer = None
    backward(net, TOKENS)
    assert (net.head.weight.grad != 0).all()


def test_a_weight_that_is_no_longer_shared_is_refused_by_name() -> None:
    net = Tied()
    pruned(net)
    net.head.weight = nn.Parameter(torch.ones(12, 6))
    with pytest.raises(prunecell.WrongState, match=r"'embedding'.*tie them again"):
        net(TOKENS)


def test_one_prune_cell_of_several_cells_counts_once_per_update() -> None:
    net = network()
    model = prunecell.torch.wrap(net)
    one = prunecell.PruneCell(**GRADUAL)
    for cell in model:
        cell.quantizer = one
    asked = []
    for _ in range(4):
        model.update(2)
        asked.append(round(one.get_current_threshold(), 3))
    assert asked == [0.2, 0.4, 0.4, 0.6]
    for cell in model:
        assert 0.6 <= cell.figures.reached < 0.65


def test_a_cell_that_joins_a_prune_cell_late_gets_the_threshold_in_force() -> None:
    first, second = model = prunecell.torch.wrap(network())
    first.quantizer = one = prunecell.PruneCell(**GRADUAL)
    model.update(4)
    second.quantizer = one
    assert second.figures.asked == first.figures.asked == pytest.approx(0.4)


def test_assigning_the_same_prune_cell_again_changes_nothing() -> None:
    net = network()
    model = pruned(net)
    hooks = [len(net[0]._forward_pre_hooks), len(net[0]._state_dict_hooks)]
    before = clones(net.state_dict())
    for cell in model:
        cell.quantizer = cell.quantizer
    assert_equal(net.state_dict(), before)
    assert [len(net[0]._forward_pre_hooks), len(net[0]._state_dict_hooks)] == hooks


def test_another_prune_cell_takes_the_place_of_the_first() -> None:
    net = nn.Sequential(nn.Linear(10, 10))
    (cell,) = pruned(net)
    first = cell.quantizer
    cell.quantizer = prunecell.PruneCell(**(STATIC | {"threshold": 0.8}))
    assert (net[0].weight == 0).sum() == 80
    first.update(1)  # serves nothing any more
    assert len(net[0]._forward_pre_hooks) == 1
    assert [key for key in net.state_dict() if "prune" in key] == ["0.prune_state", "0.prune_mask"]


def test_taking_the_quantizer_off_leaves_zeros_and_no_trace() -> None:
    net = network()
    keys = list(net.state_dict())
    model = pruned(net)
    backward(net)
    model.detach()
    assert list(net.state_dict()) == keys
    for layer in (net[0], net[3]):
        hooks = (
            layer._forward_pre_hooks,
            layer._state_dict_hooks,
            layer._load_state_dict_pre_hooks,
            layer._load_state_dict_post_hooks,
            layer.weight._post_accumulate_grad_hooks,
        )
        assert not any(hooks)
    zeros = net[3].weight == 0
    assert zeros.sum() == 160
    train(net, torch.optim.SGD(net.parameters(), lr=0.1), 2)
    assert (net[3].weight[zeros] != 0).any()


def test_frozen_weights_are_pruned_and_masked_once_they_learn() -> None:
    net = network().requires_grad_(False)
    model = pruned(net)
    net(images())
    assert (net[3].weight == 0).sum() == 160
    net.requires_grad_(True)
    backward(net)
    for cell, layer in zip(model, (net[0], net[3]), strict=True):
        assert (layer.weight.grad[~kept(cell)] == 0).all()
        assert (layer.weight.grad[kept(cell)] != 0).any()


def test_identity_prunes_nothing() -> None:
    net = network()
    before = clones(net.state_dict())
    (cell, _) = pruned(net, prune_mode="Identity")
    backward(net)
    assert torch.equal(net[0].weight, before["0.weight"])
    assert kept(cell).all()
    net.load_state_dict(net.state_dict())


def lazy() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # some versions of torch announce lazy modules
        return nn.LazyLinear(3)


def parametrized() -> nn.Module:
    return nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))


def weight_norm() -> nn.Module:
    with pytest.warns(FutureWarning, match="weight_norm"):
        return nn.utils.weight_norm(nn.Linear(3, 3))


def integer() -> nn.Module:
    layer = nn.Linear(3, 3).requires_grad_(False)
    layer.weight = nn.Parameter(torch.ones(3, 3, dtype=torch.int8), requires_grad=False)
    return layer


def complex_() -> nn.Module:
    return nn.Linear(3, 3, dtype=torch.complex64)


def meta() -> nn.Module:
    return nn.Linear(3, 3, device="meta")


def overlapping() -> nn.Module:
    layer = nn.Linear(3, 3)
    layer.weight = nn.Parameter(torch.ones(3, 1).expand(3, 3))
    return layer


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lazy, "got a lazy one"),
        (meta, "got a meta one"),
        (parametrized, "parametrized or weight_norm"),
        (weight_norm, "parametrized or weight_norm"),
        (integer, "got torch.int8"),
        (complex_, "got torch.complex64"),
        (overlapping, "contiguous"),
    ],
)
def test_weights_that_cannot_be_pruned_are_refused_by_name(make: Any, reason: str) -> None:
    net = nn.ModuleDict({"layer": make()})
    (cell,) = prunecell.torch.wrap(net)
    with pytest.raises(prunecell.InvalidArgument, match=rf"'layer'.*{reason}"):
        cell.quantizer = prunecell.PruneCell(**STATIC)
    assert cell.quantizer is None
    assert not net["layer"]._state_dict_hooks


def test_a_lazy_layer_can_be_pruned_once_it_has_values() -> None:
    net = nn.Sequential(lazy())
    net(torch.ones(1, 4))
    assert pruned(net).figures()["0"].zeros == 6


def test_a_weight_parametrized_after_attaching_is_refused_by_name() -> None:
    net = network()
    pruned(net)
    nn.utils.parametrizations.weight_norm(net[3])
    with pytest.raises(prunecell.WrongState, match="'3'"):
        net(images())


@pytest.mark.parametrize("in_place", [True, False])
def test_a_failing_attach_leaves_nothing_behind(in_place: bool) -> None:
    net = network()
    with torch.no_grad():
        net[0].weight.fill_(torch.nan)
    keys = list(net.state_dict())
    first, _ = model = prunecell.torch.wrap(net)
    with pytest.raises(prunecell.UnreachableThreshold, match=r"'0'.*108 NaN"):
        first.quantizer = prunecell.PruneCell(**STATIC, in_place=in_place)
    assert first.quantizer is None
    assert list(net.state_dict()) == keys
    assert not net[0]._forward_pre_hooks
    assert not net[0].weight._post_accumulate_grad_hooks
    assert net[0].weight.isnan().all()
    model.update(1)
    train(net, torch.optim.SGD(net.parameters(), lr=0.1), 1)


def test_a_prune_cell_whose_attach_failed_can_serve_another_cell() -> None:
    net = network()
    with torch.no_grad():
        net[0].weight.fill_(torch.nan)
    first, second = model = prunecell.torch.wrap(net)
    one = prunecell.PruneCell(**GRADUAL)
    with pytest.raises(prunecell.UnreachableThreshold) as failed:
        first.quantizer = one
    assert not one.initialized
    second.quantizer = one
    model.update(4)
    assert second.figures.asked == pytest.approx(0.4)
    assert failed  # its traceback had kept the failed layer alive


def test_a_failing_attach_leaves_the_quantizer_that_was_there() -> None:
    net = nn.Sequential(nn.Linear(10, 10))
    (cell,) = pruned(net)
    before = cell.quantizer
    with torch.no_grad():
        net[0].weight[0, 0] = torch.nan
    with pytest.raises(prunecell.UnreachableThreshold):
        cell.quantizer = prunecell.PruneCell(**(STATIC | {"threshold": 1}))
    assert cell.quantizer is before
    net(torch.ones(1, 10))
    assert ((net[0].weight == 0).sum()) == 50


def test_an_update_that_one_cell_cannot_reach_changes_no_cell() -> None:
    net = network()
    model = pruned(net, **(GRADUAL | {"gamma": 0.8, "threshold": 1}))
    with torch.no_grad():
        net[3].weight[kept(model.cells[1])] = torch.nan
    before = clones(net.state_dict())
    with pytest.raises(prunecell.UnreachableThreshold, match="'3'"):
        model.update(4)
    after = net.state_dict()
    for key in ("0.weight", "0.prune_mask", "0.prune_state", "3.prune_mask", "3.prune_state"):
        assert torch.equal(after[key], before[key]), key
    model.update(3)  # the failed one was not counted


def test_the_user_s_own_mask_is_enforced() -> None:
    net = nn.Sequential(nn.Linear(4, 4))
    (cell,) = model = pruned(net, prune_filler="None")
    mask = torch.eye(4, dtype=torch.bool)
    cell.quantizer.set_pruned_masks(0, mask.numpy())
    train(net, torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9), 3, torch.randn(2, 4))
    model.check()
    assert torch.equal(net[0].weight != 0, mask)


def test_attaching_many_changes_nothing_where_one_raises() -> None:
    net = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    with torch.no_grad():
        net[1].weight.fill_(float("nan"))
    before = net[0].weight.detach().clone()
    model = prunecell.torch.wrap(net)
    with pytest.raises(prunecell.UnreachableThreshold, match="'1'"):
        model.attach({"0": prunecell.PruneCell(**STATIC), "1": prunecell.PruneCell(**STATIC)})
    assert torch.equal(net[0].weight, before)
    assert model.figures() == {}
    assert not net[0]._forward_pre_hooks


def test_the_other_layers_go_on_where_one_was_replaced() -> None:
    net = network()
    model = pruned(net)
    net[0] = nn.Conv2d(3, 4, 3)
    gc.collect()
    with pytest.warns(prunecell.PruneWarning, match="cell '0'"):
        assert list(model.figures()) == ["3"]
    assert "'3'" in repr(model)
    assert "'0'" not in repr(model)
    model.detach()
    assert prunecell.torch.wrap(net).cells[1].quantizer is None


def test_a_module_that_took_over_the_hooks_of_another_says_what_to_do() -> None:
    net = network()
    pruned(net)
    taken_over = nn.Linear(64, 5)  # like torch.ao.quantization.prepare_qat
    taken_over.weight = net[3].weight
    taken_over._forward_pre_hooks.update(net[3]._forward_pre_hooks)
    net[3] = taken_over
    gc.collect()
    with pytest.raises(prunecell.WrongState, match=r"cell '3': its module was replaced .* Linear"):
        net(images())


def test_a_replica_of_data_parallel_runs_on_its_copy_of_the_weight() -> None:
    layer = nn.Linear(6, 4)
    (cell,) = pruned(layer)
    replica: Any = layer._replicate_for_data_parallel()
    replica.weight, replica.bias = layer.weight.clone(), layer.bias.clone()
    inputs = torch.randn(2, 6)
    replica(inputs).square().mean().backward()
    assert not layer.weight.grad[~kept(cell)].any()
    assert torch.equal(replica(inputs), layer(inputs))
