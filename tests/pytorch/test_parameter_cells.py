"""Cells of parameters that are no `weight` of a convolution or a linear layer."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import prunecell
import pytest
import torch
from prunecell.cells import Embedding, Fc, Recurrent
from torch import Tensor, nn
from torch.optim import SGD
from torch_axes import GRADUAL, STATIC, assert_equal, clones

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")


class Conv1D(nn.Module):
    """The layer of transformers, which need not be installed: y = x W."""

    __module__ = "transformers.pytorch_utils"

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 8) / 4)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs @ self.weight


class MixtralExperts(nn.Module):
    """Matrices of all experts in one tensor each."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_up_proj = nn.Parameter(torch.randn(3, 8, 6) / 4)
        self.down_proj = nn.Parameter(torch.randn(3, 6, 4) / 4)
        self.bias = nn.Parameter(torch.randn(3, 6))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = torch.einsum("bi,eoi->beo", inputs, self.gate_up_proj)[..., :4]
        return torch.einsum("beo,eio->bi", hidden, self.down_proj + self.bias[:, :, None])


class Attention(nn.Module):
    """Attention of an input to itself."""

    def __init__(self, **options: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, **options)

    def forward(self, inputs: Tensor) -> Tensor:
        width = self.attention.kdim
        out: Tensor = self.attention(inputs, inputs[..., :width], inputs[..., :width])[0]
        return out


class First(nn.Module):
    """The first output of a layer that has two, or takes its input twice."""

    def __init__(self, layer: nn.Module, *, twice: bool = False) -> None:
        super().__init__()
        self.layer, self.twice = layer, twice

    def forward(self, inputs: Tensor) -> Tensor:
        out = self.layer(inputs, inputs) if self.twice else self.layer(inputs)
        return out[0] if isinstance(out, tuple) else out


Make = Callable[[], nn.Module]
LSTM = ["layer.weight_ih_l0", "layer.weight_hh_l0", "layer.weight_hr_l0"]
SEPARATE = [f"attention.{name}_proj_weight" for name in "qkv"]
LAYERS: dict[str, tuple[Make, tuple[type, ...], list[str]]] = {
    "Conv1D": (Conv1D, (Fc,), [""]),
    "experts": (MixtralExperts, (Fc,), ["gate_up_proj", "down_proj"]),
    "attention": (Attention, (Fc,), ["attention.in_proj_weight", "attention.out_proj"]),
    "separate": (lambda: Attention(kdim=4, vdim=4), (Fc,), [*SEPARATE, "attention.out_proj"]),
    "Bilinear": (lambda: First(nn.Bilinear(6, 6, 4), twice=True), (Fc,), ["layer"]),
    "LSTM": (lambda: First(nn.LSTM(6, 8, proj_size=4)), (Recurrent,), LSTM),
    "GRU": (lambda: First(nn.GRU(6, 8)), (Recurrent,), LSTM[:2]),
    "RNN": (lambda: First(nn.RNN(6, 8)), (Recurrent,), LSTM[:2]),
    "cell": (lambda: First(nn.GRUCell(6, 8)), (Recurrent,), ["layer.weight_ih", "layer.weight_hh"]),
}
LAYER = pytest.mark.parametrize("layer", LAYERS)
PLACE = pytest.mark.parametrize("in_place", [True, False])


def made(layer: str, **parameters: Any) -> tuple[nn.Module, prunecell.torch.Model]:
    net = LAYERS[layer][0]()
    model = prunecell.torch.wrap(net)
    for cell in model:
        cell.quantizer = prunecell.PruneCell(**(GRADUAL | parameters))
    return net, model


def parameter_of(net: nn.Module, cell: str) -> Tensor:
    named = dict(net.named_parameters())
    return named[cell] if cell in named else named[f"{cell}.weight" if cell else "weight"]


def trained(net: nn.Module, model: prunecell.torch.Model, steps: int = 3) -> None:
    optimizer = SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        net(torch.randn(5, 6)).square().mean().backward()
        optimizer.step()
        model.update(2)
        model.check()


@LAYER
def test_each_matrix_has_a_cell_of_its_name_and_kind(layer: str) -> None:
    net, kinds, names = LAYERS[layer][0](), *LAYERS[layer][1:]
    model = prunecell.torch.wrap(net)
    assert [cell.name for cell in model] == names
    assert {type(cell) for cell in model} == set(kinds)
    assert all(one == again for one, again in zip(model, prunecell.torch.wrap(net), strict=True))
    left = {name for name, one in net.named_parameters() if one.dim() > 1} - {"bias"}
    assert left.isdisjoint(model.uncovered)


@LAYER
@PLACE
def test_it_trains_pruned(layer: str, in_place: bool) -> None:
    net, model = made(layer, in_place=in_place)
    trained(net, model, steps=8)
    for name, figures in model.figures().items():
        weight = parameter_of(net, name)
        assert figures.zeros == int((weight == 0).sum())
        assert figures.reached >= 0.8
        assert figures.size == weight.numel()


@LAYER
@PLACE
def test_state_goes_both_ways(layer: str, in_place: bool) -> None:
    net, model = made(layer, in_place=in_place)
    trained(net, model)
    state = clones(net.state_dict())
    assert all(key.replace(".", "_").isidentifier() for key in state)
    fresh, second = made(layer, in_place=in_place)
    fresh.load_state_dict(state)
    assert_equal(fresh.state_dict(), state)
    for one, other in ((net, model), (fresh, second)):
        torch.manual_seed(3)
        trained(one, other, steps=6)
    assert_equal(fresh.state_dict(), net.state_dict())
    dense = prunecell.torch.dense_state_dict(net)
    LAYERS[layer][0]().load_state_dict(dense)


@LAYER
@PLACE
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_are_pruned_by_themselves(layer: str, in_place: bool, copied: Any) -> None:
    if layer == "Conv1D" and copied is not copy.deepcopy:
        pytest.skip("its module is not there to be found")
    net, model = made(layer, in_place=in_place)
    trained(net, model)
    before = clones(net.state_dict())
    other = copied(net)
    assert_equal(other.state_dict(), before)
    trained(other, prunecell.torch.wrap(other))
    assert_equal(net.state_dict(), before)


@LAYER
def test_compressed_it_computes_the_same(layer: str) -> None:
    net, model = made(layer, start=0.8)
    net.eval()
    inputs = torch.randn(5, 6)
    before = clones(net.state_dict())
    with torch.no_grad():
        expected = net(inputs)
        packed = prunecell.torch.compress(net)
        recurrent = isinstance(getattr(net, "layer", None), nn.RNNBase)  # they stay dense
        assert set(packed) == (set() if recurrent else {cell.name for cell in model})
        assert torch.equal(net(inputs), expected)
        assert_equal(
            net.state_dict(), before if recurrent else prunecell.torch.dense_state_dict(net)
        )
    assert [cell.name for cell in prunecell.torch.wrap(net)] == [cell.name for cell in model]
    prunecell.torch.decompress(net)
    assert_equal(net.state_dict(), before)
    assert [name for name, _ in net.named_parameters()] == [
        name for name, _ in LAYERS[layer][0]().named_parameters()
    ]
    trained(net, model)


@LAYER
def test_casts_are_followed(layer: str) -> None:
    net, model = made(layer, in_place=False)
    dense = {k: v for k, v in clones(net.state_dict()).items() if k.endswith("prune_dense")}
    assert len(dense) == len(model)
    net.bfloat16().float()
    for key, value in dense.items():
        assert torch.equal(net.state_dict()[key], value.bfloat16().float())


def test_quantizers_come_off_one_by_one() -> None:
    net, model = made("LSTM")
    first, second, third = model
    first.quantizer = None
    assert [cell.quantizer is None for cell in model] == [True, False, False]
    trained(net, model)
    assert (parameter_of(net, "layer.weight_ih_l0") != 0).any()
    second.quantizer = third.quantizer = None
    assert all("prune" not in key for key in net.state_dict())


def test_parameters_are_included_and_excluded_by_name() -> None:
    net = nn.Sequential(nn.Linear(4, 4), MixtralExperts(), nn.Embedding(5, 4))
    names = [cell.name for cell in prunecell.torch.wrap(net)]
    assert names == ["0", "1.gate_up_proj", "1.down_proj"]

    def chosen(**selection: Any) -> list[str]:
        return [cell.name for cell in prunecell.torch.wrap(net, **selection)]

    assert chosen(include="1.bias") == ["0", "1.gate_up_proj", "1.down_proj", "1.bias"]
    assert chosen(include=["*.bias", "2"]) == [*names, "1.bias", "2"]
    assert chosen(include=lambda name, weight: weight.dim() == 1) == names  # no matrix
    assert chosen(exclude="1.*") == ["0"]
    assert chosen(exclude=("0", "*down*")) == ["1.gate_up_proj"]
    assert chosen(exclude=lambda name, weight: name == "0.weight") == names[1:]
    for argument in ("include", "exclude"):
        with pytest.raises(prunecell.InvalidArgument, match=f"{argument}: .* 'nosuch'"):
            chosen(**{argument: ["0", "nosuch"]})
        with pytest.raises(prunecell.InvalidType, match=f"{argument}: expected patterns"):
            chosen(**{argument: 3})


def test_a_handle_is_pickled_with_what_was_chosen() -> None:
    model = prunecell.torch.wrap(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), exclude="0")
    assert [cell.name for cell in pickle.loads(pickle.dumps(model))] == ["1"]


class Uncovered(nn.Module):
    """A model with two thirds of its matrix weights in no cell."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(1000, 4)
        self.known = nn.Linear(4, 4, bias=False)
        self.own = nn.Parameter(torch.randn(2, 4, 4))
        self.token = nn.Parameter(torch.randn(1, 1, 4))


def test_what_no_cell_covers_is_listed_and_said_once() -> None:
    net = Uncovered()
    model = prunecell.torch.wrap(net)
    assert model.uncovered == {"own": pytest.approx(2 / 3)}
    assert "no cell: 'own', 66.7% of the matrix weights" in repr(model)
    words = r"Uncovered: 67% of the matrix weights are in no cell and stay dense: own\. wrap\("
    with pytest.warns(prunecell.PruneWarning, match=words) as said:
        model.cells[0].quantizer = prunecell.PruneCell(**STATIC)
    assert said[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prunecell.torch.wrap(net).attach({"known": prunecell.PruneCell(**STATIC)})
        for chosen in ({"include": "own"}, {"exclude": "own"}):
            again = prunecell.torch.wrap(Uncovered(), **chosen)
            again.attach({"known": prunecell.PruneCell(**STATIC)})


def test_layers_that_share_the_table_of_an_embedding_are_embeddings() -> None:
    net = nn.ModuleDict({"table": nn.Embedding(9, 4), "head": nn.Linear(4, 9, bias=False)})
    net["head"].weight = net["table"].weight
    assert prunecell.torch.wrap(net).cells == []
    kinds = {cell.name: type(cell) for cell in prunecell.torch.wrap(net, embeddings=True)}
    assert kinds == {"table": Embedding, "head": Embedding}


def test_a_compressed_model_has_the_same_cells_and_shares() -> None:
    net = nn.ModuleDict({"table": nn.Embedding(90, 40), "head": nn.Linear(40, 90, bias=False)})
    net["head"].weight = net["table"].weight
    net["rest"] = Uncovered()
    model = prunecell.torch.wrap(net, embeddings=True, exclude="rest.own")
    for cell in model:
        cell.quantizer = prunecell.PruneCell(**(STATIC | {"threshold": 0.9}))
    names, left = [cell.name for cell in model], model.uncovered
    assert prunecell.torch.compress(net)
    again = prunecell.torch.wrap(net, embeddings=True)
    assert [cell.name for cell in again] == names
    assert again.uncovered == left == model.uncovered
    assert [cell.name for cell in prunecell.torch.wrap(net)] == ["rest.known"]
