"""Averages take masks and schedule of the model that they average."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import prunecell
import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

GRADUAL: dict[str, Any] = {
    "prune_mode": "Gradual",
    "prune_filler": "IterNonStruct",
    "start": 0.3,
    "gamma": 0.1,
    "threshold": 0.8,
}
INPUTS = torch.randn(16, 12, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(16) % 6


def network() -> Any:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Linear(20, 6))


def pruned(net: Any, **parameters: Any) -> prunecell.torch.Model:
    model = prunecell.torch.wrap(net)
    for cell in model:
        cell.quantizer = prunecell.PruneCell(**(GRADUAL | parameters))
    return model


def train(net: Any, model: prunecell.torch.Model, update: Callable[[Any], Any]) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(7):
        for _ in range(3):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(INPUTS), LABELS).backward()
            optimizer.step()
            update(net)
        model.end_epoch()


def zeros(weight: Tensor) -> float:
    return (weight == 0).float().mean().item()


def followed() -> tuple[Any, prunecell.torch.Model, Any]:
    net = network()
    model = pruned(net)
    average = AveragedModel(net)
    prunecell.torch.wrap(average).follow(model)
    return net, model, average


def swap(one: nn.Module, other: nn.Module) -> None:
    """Swaps like Lightning's callbacks before and after a validation."""
    for ours, theirs in zip(one.parameters(), other.parameters(), strict=True):
        values = ours.data.clone()
        ours.data.copy_(theirs.data)
        theirs.data.copy_(values)


AVERAGES: dict[str, Callable[[Any], Any]] = {
    "SWA": AveragedModel,
    "SWA of buffers": lambda net: AveragedModel(net, use_buffers=True),
    "EMA": lambda net: AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9)),
    "EMA of buffers": lambda net: AveragedModel(
        net, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True
    ),
}


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("made", ["before quantizers", "after"])
@pytest.mark.parametrize("kind", AVERAGES)
def test_an_average_is_as_sparse_as_its_model(kind: str, made: str, in_place: bool) -> None:
    net = network()
    average = AVERAGES[kind](net)
    model = pruned(net, in_place=in_place)
    if made == "after":
        average = AVERAGES[kind](net)
    handle = prunecell.torch.wrap(average)
    handle.follow(model)
    train(net, model, average.update_parameters)
    state, averaged = net.state_dict(), average.state_dict()
    for key in ("0.prune_mask", "0.prune_state", "3.prune_mask", "3.prune_state"):
        assert torch.equal(averaged[f"module.{key}"], state[key])
    assert zeros(averaged["module.0.weight"]) >= 0.8
    assert [f.zeros for f in handle.figures(verify=True).values()] == [
        f.zeros for f in model.figures().values()
    ]
    assert not torch.equal(averaged["module.0.weight"], state["0.weight"])
    handle.check()


def compressed(average: Any) -> None:
    prunecell.torch.compress(average)
    prunecell.torch.decompress(average)


READS: dict[str, Callable[[Any], Any]] = {
    "forward": lambda average: average(INPUTS),
    "state_dict": lambda average: average.state_dict(),
    "copy": copy.deepcopy,
    "pickle": pickle.dumps,
    "figures": lambda average: prunecell.torch.wrap(average).figures(),
    "check": lambda average: prunecell.torch.wrap(average).check(),
    "apply_masks": lambda average: prunecell.torch.wrap(average).apply_masks(),
    "compress": compressed,
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("change", ["rise", "mask", "load"])
def test_every_reader_gets_what_the_model_has_by_then(read: str, change: str) -> None:
    net, model, average = followed()
    cell = model.cells[0].quantizer
    state = copy.deepcopy(net.state_dict())
    if change == "rise":
        model.end_epoch()
    elif change == "mask":
        cell.set_pruned_masks(0, torch.arange(240).reshape(20, 12).remainder(7).eq(0).numpy())
    else:
        model.end_epoch()
        READS[read](average)
        net.load_state_dict(state)
    READS[read](average)
    weight = average.module[0].weight.detach()
    assert (weight[net[0].weight == 0] == 0).all()
    assert prunecell.torch.wrap(average).figures()["module.0"].zeros == cell.figures().zeros


def test_values_that_are_swapped_in_are_masked() -> None:
    net, model, average = followed()
    for _ in range(4):
        model.end_epoch()
    average.module[0].weight.data.fill_(1)  # an average that is behind
    before = net[0].weight.detach().clone()
    swap(average.module, net)
    net.eval()
    net(INPUTS)
    assert zeros(net[0].weight) >= 0.7
    model.check()
    swap(average.module, net)
    assert torch.equal(net[0].weight, before)
    average.eval()
    average(INPUTS)
    assert zeros(average.module[0].weight) >= 0.7


def test_an_average_cannot_be_driven() -> None:
    net, model, average = followed()
    handle = prunecell.torch.wrap(average)
    for call in (lambda: handle.update(1), handle.end_epoch):
        with pytest.raises(prunecell.WrongState, match=r"'module\.0'.*follows.*update that model"):
            call()
    both = prunecell.torch.wrap(nn.ModuleList([net, average]))
    both.end_epoch()
    assert model.cells[0].quantizer.rises == 1
    assert handle.cells[0].quantizer.rises == 1


def test_another_quantizer_is_followed() -> None:
    net, model, average = followed()
    for cell in model:
        cell.quantizer = prunecell.PruneCell(
            prune_mode="Static", prune_filler="Random", threshold=0.5, in_place=False
        )
    state, averaged = net.state_dict(), average.state_dict()
    assert torch.equal(averaged["module.0.prune_mask"], state["0.prune_mask"])
    assert torch.equal(averaged["module.0.prune_state"], state["0.prune_state"])
    assert "module.0.prune_dense" in averaged
    swap(average.module, net)
    net.eval()
    net(INPUTS)
    model.check()


@pytest.mark.parametrize("end", ["gone", "detached"])
def test_what_has_no_model_any_more_keeps_what_it_had(end: str) -> None:
    net, model, average = followed()
    model.end_epoch()
    reached = model.figures()["0"].zeros
    if end == "detached":
        model.detach()
    else:
        del net, model
    handle = prunecell.torch.wrap(average)
    assert handle.figures()["module.0"].zeros == reached
    handle.end_epoch()  # and may go on alone
    assert handle.figures()["module.0"].zeros > reached
    average.state_dict()


def test_one_quantizer_of_all_cells_is_followed_by_each() -> None:
    net = network()
    model = prunecell.torch.wrap(net)
    shared = prunecell.PruneCell(**GRADUAL)
    model.attach(dict.fromkeys(["0", "3"], shared))
    average = AveragedModel(net)
    handle = prunecell.torch.wrap(average)
    handle.follow(net)
    model.end_epoch()
    assert [f.zeros for f in handle.figures().values()] == [
        f.zeros for f in model.figures().values()
    ]
    model.cells[0].quantizer = None
    model.end_epoch()
    average.state_dict()
    assert handle.figures()["module.3"].zeros == model.figures()["3"].zeros


def test_a_load_brings_weights_alone() -> None:
    _net, model, average = followed()
    early = copy.deepcopy(average.state_dict())
    model.end_epoch()
    average.load_state_dict(early)
    assert zeros(average.state_dict()["module.0.weight"]) >= 0.4
    assert prunecell.torch.wrap(average).figures()["module.0"].asked == pytest.approx(0.4)


def test_a_copy_follows_nobody() -> None:
    _, model, average = followed()
    copied = copy.deepcopy(average)
    zeros_then = zeros(copied.module[0].weight)
    model.end_epoch()
    assert zeros(copied.state_dict()["module.0.weight"]) == zeros_then
    prunecell.torch.wrap(copied).end_epoch()


def test_an_average_by_way_of_state_dicts() -> None:
    """An average like those of timm's EMA classes."""
    net, model, average = followed()

    def update(net: Any) -> None:
        for ours, theirs in zip(
            average.module.state_dict().values(), net.state_dict().values(), strict=True
        ):
            if ours.is_floating_point():
                ours.lerp_(theirs, 0.1)

    train(net, model, update)
    assert zeros(average.state_dict()["module.0.weight"]) >= 0.8


def test_a_model_that_is_a_cell_itself() -> None:
    net = nn.Linear(12, 20)
    model = pruned(net)
    average = AveragedModel(net)
    prunecell.torch.wrap(average).follow(model)
    model.end_epoch()
    assert zeros(average.state_dict()["module.weight"]) >= 0.4


def test_tied_weights_and_another_dtype() -> None:
    net: Any = nn.Sequential(nn.Linear(12, 12), nn.Linear(12, 12))
    net[1].weight = net[0].weight
    model = pruned(net)
    average = AveragedModel(net).half()
    prunecell.torch.wrap(average).follow(model)
    model.end_epoch()
    assert average.module[0].weight is average.module[1].weight
    assert zeros(average.state_dict()["module.1.weight"]) >= 0.4


def test_what_cannot_be_followed_is_named() -> None:
    _net, model, average = followed()
    handle = prunecell.torch.wrap(average)
    before = [handle.cells[0].quantizer, handle.figures()["module.0"].zeros]
    other = nn.Sequential(nn.Linear(13, 20), nn.Identity(), nn.Identity(), nn.Linear(20, 6))
    wrong = {
        "one without any": network(),
        "has no '9'": nn.ModuleDict({"9": nn.Linear(2, 2)}),
        r"shape.*\(20, 13\), got \(20, 12\)": other,
        "the model itself": average,
    }
    for message, given in wrong.items():
        if message != "one without any":
            pruned(given) if given is not average else None
        with pytest.raises(prunecell.InvalidArgument, match=message):
            handle.follow(given)
    assert before == [handle.cells[0].quantizer, handle.figures()["module.0"].zeros]
    model.end_epoch()
    assert handle.figures()["module.0"].zeros > before[1]


def test_an_average_that_follows_nobody_is_told_of_when_it_leaves() -> None:
    net = network()
    model = pruned(net)
    average, snapshot = AveragedModel(net), copy.deepcopy(net)
    average.update_parameters(net)
    average.state_dict()  # the masks are still the same
    model.end_epoch()
    average.update_parameters(net)
    with pytest.warns(prunecell.PruneWarning, match=r"cells '0', '3'.*follow\(") as said:
        average.state_dict()
    assert len(said) == 1
    snapshot.state_dict()
    trained = prunecell.torch.wrap(copy.deepcopy(net))
    model.end_epoch()
    train(trained.module, trained, lambda _: None)
    trained.module.state_dict()
    prunecell.torch.wrap(average).follow(model)
    average.state_dict()


def test_what_was_said_of_the_model_is_not_said_of_its_average() -> None:
    net = nn.Linear(4, 4)
    nn.init.zeros_(net.weight)
    with pytest.warns(prunecell.PruneWarning, match="all weights were pruned"):
        model = pruned(net)
    average = AveragedModel(net)
    prunecell.torch.wrap(average).follow(model)
    model.end_epoch()
    average(torch.ones(1, 4))
