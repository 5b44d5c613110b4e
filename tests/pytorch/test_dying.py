"""Cells that would never learn: said at attach, at a load, at a rise; left alone by ties="keep"."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import prunecell
import pytest
import torch
from prunecell import PruneCell
from saved_forms import in_format_1
from torch import Tensor, nn
from torch_axes import GRADUAL, STATIC, assert_equal, pruned, train

KEEP = STATIC | {"ties": "keep"}


def with_dead_head(rows: int = 40) -> nn.Sequential:
    net = nn.Sequential(nn.Linear(30, 50), nn.ReLU(), nn.Linear(50, rows))
    nn.init.zeros_(net[2].weight)
    return net


def quantizers(model: Any, **rule: Any) -> dict[str, PruneCell]:
    return {cell.name: PruneCell(**STATIC | rule) for cell in model}


def inputs() -> Tensor:
    return torch.randn(8, 30)


def test_a_head_of_zeros_is_named_at_attach() -> None:
    net = nn.Sequential(with_dead_head(), with_dead_head())
    net[1][0] = nn.Linear(40, 50)
    net[1][2] = nn.Linear(50, 3)
    nn.init.ones_(net[1][2].weight)
    model = prunecell.torch.wrap(net)
    with pytest.warns(prunecell.PruneWarning, match="all weights were pruned") as seen:
        model.attach(quantizers(model))
    assert len(seen) == 1
    assert "of cell '0.2' (0.5 asked), cell '1.2' (0.5 asked)." in str(seen[0].message)
    assert seen[0].filename == __file__
    assert model.figures()["0.2"].reached == 1


def test_a_head_of_zeros_that_is_kept_learns_and_is_pruned_then() -> None:
    net = with_dead_head()
    model = prunecell.torch.wrap(net)
    with pytest.warns(prunecell.PruneWarning, match="stays as it was, and is tried again") as seen:
        model.attach(quantizers(model, ties="keep"))
    assert len(seen) == 1
    assert "of cell '2' (0.5 asked)" in str(seen[0].message)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    model.update(1)
    assert model.figures()["2"].zeros == 0
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(inputs()), torch.arange(8)).backward()
        optimizer.step()
        model.update(8)
        model.check()
        assert 0.5 <= model.figures()["2"].reached < 0.6
    assert net[2].weight.any()


@pytest.mark.parametrize("in_place", [True, False])
def test_what_is_to_be_tried_again_is_saved(in_place: bool) -> None:
    rule = KEEP | {"in_place": in_place}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, other = (pruned(with_dead_head(), **rule) for _ in range(2))
    torch.nn.init.normal_(other.module[2].weight)
    other.update(1)
    assert not other.figures()["2"].tied
    other.module.load_state_dict(model.module.state_dict())
    assert other.figures()["2"].tied
    for one in (model, other, copy.deepcopy(other)):
        with torch.no_grad():
            one.module[2].weight.copy_(torch.linspace(-1, 1, 2000).view(40, 50))
        one.update(1)
        assert one.figures()["2"].reached == 0.5


@pytest.mark.parametrize("length", [16, 17])
def test_shorter_states_of_before_load(length: int) -> None:
    model = pruned(with_dead_head_trained(), **GRADUAL)
    state = copy.deepcopy(model.module.state_dict())
    for key in ("0.prune_state", "2.prune_state"):
        state[key] = in_format_1(state[key], length)
    other = pruned(with_dead_head_trained(), **GRADUAL)
    other.module.load_state_dict(state)
    assert_equal(other.module.state_dict(), model.module.state_dict())
    state["0.prune_state"] = state["0.prune_state"][:15]
    with pytest.raises(prunecell.InvalidArgument, match=r"expected int64\[19\]"):
        other.module.load_state_dict(state)


def with_dead_head_trained() -> nn.Sequential:
    net = with_dead_head()
    nn.init.normal_(net[2].weight)
    return net


def test_a_state_with_another_choice_is_refused_by_name() -> None:
    state = pruned(with_dead_head_trained(), **KEEP).module.state_dict()
    net = pruned(with_dead_head_trained()).module
    with pytest.raises(prunecell.InvalidArgument, match="ties: keep, here prune"):
        net.load_state_dict(state)


def test_a_load_that_kills_a_cell_says_so() -> None:
    model = pruned(with_dead_head_trained())
    with pytest.warns(prunecell.PruneWarning) as seen:
        model.module.load_state_dict(with_dead_head().state_dict())
    told = [str(one.message) for one in seen if "all weights were pruned" in str(one.message)]
    assert len(told) == 1
    assert "of cell '2' (0.5 asked)." in told[0]
    assert model.figures()["2"].reached == 1


def test_a_rise_that_kills_a_cell_says_so() -> None:
    net = with_dead_head_trained()
    model = pruned(net, **GRADUAL)
    with torch.no_grad():
        net[2].weight.fill_(0.5)
    with pytest.warns(prunecell.PruneWarning, match=r"of cell '2' \(0.4 asked\)") as seen:
        model.update(4)
    assert len(seen) == 1
    model.update(4)


def layer_with_dead_rows(name: str) -> nn.Module:
    """Three rows of the output are zeros."""
    if name == "Linear":
        layer: nn.Module = nn.Linear(50, 20)
        layer.weight.data[2:5] = 0
    elif name == "Conv2d":
        layer = nn.Conv2d(20, 20, 3).to(memory_format=torch.channels_last)
        layer.weight.data[2:5] = 0
    elif name == "ConvTranspose1d":
        layer = nn.ConvTranspose1d(50, 20, 2)
        layer.weight.data[:, 2:5] = 0
    else:  # row of the second of two groups
        layer = nn.ConvTranspose2d(60, 20, 2, groups=2).to(memory_format=torch.channels_last)
        layer.weight.data[30:, 2:5] = 0
    return layer


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("name", ["Linear", "Conv2d", "ConvTranspose1d", "grouped"])
def test_output_rows_that_are_gone_are_counted(name: str, in_place: bool) -> None:
    net = nn.Sequential(layer_with_dead_rows(name), nn.Linear(50, 20), layer_with_dead_rows(name))
    model = prunecell.torch.wrap(net)
    with pytest.warns(prunecell.PruneWarning, match="of some output rows were pruned") as seen:
        model.attach(quantizers(model, in_place=in_place))
    assert len(seen) == 1
    assert "pruned: cell '0' (3 of 20), cell '2' (3 of 20). " in str(seen[0].message)


def test_the_rows_of_transformers_conv1d_are_its_columns() -> None:
    conv1d = type("Conv1D", (nn.Module,), {"__module__": "transformers.pytorch_utils"})
    layer = conv1d()
    layer.weight = nn.Parameter(torch.randn(50, 20))
    layer.weight.data[:, 2:5] = 0
    with pytest.warns(prunecell.PruneWarning, match=r"cell '0' \(3 of 20\)"):
        pruned(nn.Sequential(layer))


@pytest.mark.parametrize(
    "rule",
    [
        {"threshold": 1},
        {"threshold": 0},  # from_zeros
        {"prune_filler": "Random"},
        {"prune_filler": "None"},
        {"prune_mode": "Identity"},
    ],
    ids=str,
)
def test_rows_that_are_meant_to_go_are_not_said(rule: dict[str, Any]) -> None:
    pruned(nn.Sequential(layer_with_dead_rows("Linear")), **rule)


def test_rows_that_go_in_any_layer_are_not_said() -> None:
    """Short rows, some of which go by chance, and those of a table, which has a padding row."""
    model = pruned(nn.Sequential(nn.Conv2d(512, 512, 3, groups=512)), threshold=0.9)
    dead = (model.module[0].weight == 0).flatten(1).all(1).sum()
    assert dead > 0
    pruned(nn.Sequential(nn.Embedding(40, 50, padding_idx=0)))


def test_a_warning_that_is_an_error_leaves_the_model_attached() -> None:
    net = with_dead_head()
    model = prunecell.torch.wrap(net)
    with pytest.raises(prunecell.PruneWarning):
        model.attach(quantizers(model))
    assert all(cell.quantizer is not None for cell in model)
    train(net, torch.optim.SGD(net.parameters(), lr=0.1), 2, inputs())
    model.check()
