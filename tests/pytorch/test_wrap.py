"""The cells of a model, and the handle on it."""

from __future__ import annotations

import copy
import pickle

import prunecell
import pytest
import torch
from torch import nn
from torch_axes import LAYERS, STATIC, images, network, pruned


def test_the_snippet_runs_word_for_word() -> None:
    import prunecell as n2d2

    net = network()
    model = n2d2.torch.wrap(net)
    for cell in model:
        ### Add Pruning ###
        if isinstance(cell, n2d2.cells.Conv) or isinstance(cell, n2d2.cells.Fc):  # noqa: SIM101
            cell.quantizer = n2d2.quantizer.PruneCell(
                prune_mode="Static", threshold=0.3, prune_filler="IterNonStruct"
            )
    for layer in (net[0], net[3]):
        zeros = (layer.weight == 0).double().mean()
        assert 0.3 <= zeros < 0.35


@pytest.mark.parametrize("kind", LAYERS)
def test_convolutions_and_linear_layers_are_cells_that_prune(kind: str) -> None:
    make, shape = LAYERS[kind]
    net = nn.Sequential(make())
    model = pruned(net)
    (cell,) = model
    assert isinstance(cell, prunecell.cells.Fc if kind == "Linear" else prunecell.cells.Conv)
    net(torch.randn(shape)).sum().backward()
    weight = net[0].weight
    assert cell.figures.zeros == (weight == 0).sum() >= weight.numel() / 2
    assert ((weight.grad == 0) >= (weight == 0)).all()


def test_embeddings_are_cells_on_request_only() -> None:
    net = nn.ModuleList([nn.Embedding(9, 4), nn.EmbeddingBag(9, 4), nn.Linear(4, 4)])
    assert [cell.name for cell in prunecell.torch.wrap(net)] == ["2"]
    cells = prunecell.torch.wrap(net, embeddings=True).cells
    assert [isinstance(cell, prunecell.cells.Embedding) for cell in cells] == [True, True, False]


def test_wrapping_again_gives_the_same_cells_and_hooks() -> None:
    net = network()
    model = prunecell.torch.wrap(net)
    before = len(net._load_state_dict_pre_hooks)
    assert prunecell.torch.wrap(net).cells == model.cells
    assert prunecell.torch.wrap(model).cells == model.cells
    assert len(net._load_state_dict_pre_hooks) == before


def test_cells_have_the_names_of_the_model_wrapped_last() -> None:
    net = nn.ModuleDict({"a": network(), "b": network()})
    part = prunecell.torch.wrap(net["a"])
    assert [cell.name for cell in part] == ["0", "3"]
    whole = prunecell.torch.wrap(net)
    assert [cell.name for cell in whole] == ["a.0", "a.3", "b.0", "b.3"]
    whole.attach({"b.0": prunecell.PruneCell(**STATIC)})
    assert list(whole.figures()) == ["b.0"]
    part.attach({"0": prunecell.PruneCell(**STATIC)})  # a handle keeps the names it gave
    assert list(whole.figures()) == ["a.0", "b.0"]
    assert list(part.figures()) == ["0"]


def test_a_module_used_twice_is_one_cell() -> None:
    layer = nn.Linear(4, 4)
    assert len(prunecell.torch.wrap(nn.Sequential(layer, layer))) == 1


def test_the_handle_forwards_calls_and_attributes() -> None:
    net = network()
    model = prunecell.torch.wrap(net)
    inputs = images()
    assert torch.equal(model(inputs), net(inputs))
    assert list(model.parameters()) == list(net.parameters())
    model.note = "here"
    assert net.note == "here"
    assert model.module is net
    model.eval()
    assert not net.training
    assert len(model) == 2
    with pytest.raises(AttributeError, match="nothing_like_it"):
        model.nothing_like_it  # noqa: B018


def test_the_handle_shows_its_cells_and_their_figures() -> None:
    model = prunecell.torch.wrap(network())
    model.attach({"3": prunecell.PruneCell(**STATIC)})
    text = repr(model)
    assert "Model of Sequential" in text
    assert "Conv('0', quantizer=None)" in text
    assert "Fc('3'" in text
    assert "160 of 320 weights pruned" in text
    assert model.figures()["3"].zeros == 160


def test_attaching_to_unknown_names_raises_naming_them_and_attaches_nothing() -> None:
    model = prunecell.torch.wrap(network())
    with pytest.raises(prunecell.InvalidArgument, match=r"'7', '9'.*'0', '3'"):
        model.attach({"0": prunecell.PruneCell(**STATIC), "7": None, "9": None})
    assert model.figures() == {}


def test_a_copied_or_pickled_handle_handles_the_copy() -> None:
    model = pruned(nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 4)))
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert copied.module is not model.module
        assert len(copied) == len(model)
        copied.detach()
        assert copied.figures() == {}
    assert len(model.figures()) == 2


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(prunecell.InvalidType, match="got list"):
        prunecell.torch.wrap([nn.Linear(2, 2)])


def test_what_is_no_prune_cell_is_refused() -> None:
    (cell,) = prunecell.torch.wrap(nn.Linear(2, 2))
    with pytest.raises(prunecell.InvalidType, match="got dict"):
        cell.quantizer = {"threshold": 0.5}


def test_a_cell_whose_model_is_gone_says_so() -> None:
    (cell,) = prunecell.torch.wrap(nn.Linear(2, 2))
    with pytest.raises(prunecell.WrongState, match="its model is gone"):
        cell.quantizer = prunecell.PruneCell()


@pytest.mark.parametrize("held", [False, True])
def test_a_layer_put_in_the_place_of_a_pruned_one_is_reported_once(held: bool) -> None:
    net = network()
    model = pruned(net)
    old = net[3] if held else None
    net[3] = nn.Linear(64, 7)
    with pytest.raises(prunecell.WrongState, match="cell '3': it was pruned, and its layer was r"):
        model.check()
    with pytest.warns(prunecell.PruneWarning, match="cell '3': .* another, Linear, which") as s:
        model.update(4)
    assert [one.filename for one in s] == [__file__]
    assert list(model.figures()) == ["0"]
    model.end_epoch()
    assert [cell.name for cell in model if cell.quantizer] == ["0", "3"][: 2 if held else 1]
    model.cells[0].quantizer = None
    again = prunecell.torch.wrap(net)
    again.cells[1].quantizer = prunecell.PruneCell(**STATIC)
    again.check()
    assert list(again.figures()) == ["3"]
    del old


def test_figures_report_a_replaced_layer_too() -> None:
    net = network()
    model = pruned(net)
    net[3] = nn.Identity()
    with pytest.warns(prunecell.PruneWarning, match="cell '3'") as said:
        assert list(model.figures()) == ["0"]
    assert [one.filename for one in said] == [__file__]
