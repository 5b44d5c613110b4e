"""Weights of a form that cannot be pruned, when a quantizer is attached and at any time after."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import prunecell
import pytest
import torch
from torch import Tensor, distributed, nn
from torch.optim import SGD, Optimizer
from torch_axes import GRADUAL, STATIC, backward, clones, images, network, pruned, train
from torch_forms import FORMS, SHAPES, Wrapped, exchange, one_process

Call = Callable[[prunecell.torch.Model], Any]

pytestmark = pytest.mark.filterwarnings(
    "ignore:Sparse CSR tensor support is in beta", "ignore:The PyTorch API of nested tensors"
)


@pytest.fixture(scope="module", autouse=True)
def _group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder: Path = tmp_path_factory.mktemp("group")
    one_process(folder)
    yield
    distributed.destroy_process_group()


CALLS: dict[str, Call] = {
    "forward": lambda model: model(images()),
    "state_dict": lambda model: model.state_dict(),
    "state_dict of the layer": lambda model: model.get_submodule("3").state_dict(),
    "copy": lambda model: copy.deepcopy(model.module),
    "load": lambda model: model.load_state_dict(network().state_dict()),
    "update": lambda model: model.update(4),
    "update of the quantizer": lambda model: model.cells[1].quantizer.update(4),
    "check": lambda model: model.check(),
    "apply_masks": lambda model: model.apply_masks(),
    "figures": lambda model: model.figures(verify=True),
    "compress": prunecell.torch.compress,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_weight_of_such_a_form_is_refused_when_it_is_attached(form: str) -> None:
    make, message = FORMS[form]
    net = network()
    exchange(net[3], make)
    model = prunecell.torch.wrap(net)
    with pytest.raises(prunecell.InvalidArgument, match=f"cell '3': expected .*{message}"):
        model.attach({name: prunecell.PruneCell(**STATIC) for name in ("0", "3")})
    assert [cell.quantizer for cell in model] == [None, None]


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("form", FORMS | SHAPES)
def test_a_weight_that_takes_such_a_form_later_is_named_and_nothing_is_changed(
    form: str, call: str, in_place: bool
) -> None:
    make, message = (FORMS | SHAPES)[form]
    net = network()
    model = pruned(net, **GRADUAL, in_place=in_place)
    exchange(net[3], make)
    before, figures = clones(net[0].state_dict()), repr(model.figures())
    error = (prunecell.InvalidType, prunecell.WrongState)
    with pytest.raises(error, match=f"cell '3': expected .*{message}"):
        CALLS[call](model)
    assert repr(model.figures()) == figures
    assert all(torch.equal(net[0].state_dict()[key], before[key]) for key in before)
    model.detach()
    assert not net[3]._forward_pre_hooks


def test_a_weight_that_was_resized_can_be_pruned_anew() -> None:
    net = network()
    model = pruned(net, **GRADUAL)
    exchange(net[3], SHAPES["longer"][0])
    net[3].bias = None
    model.cells[1].quantizer = prunecell.PruneCell(**STATIC)
    assert model.figures()["3"].size == 640
    train(net, SGD(net.parameters(), lr=0.1, momentum=0.9), 2)
    model.check()


class Idle(Optimizer):
    """Moves nothing: torch's own steps may refuse odd weights."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {})

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        return


def resize_data(weight: Tensor) -> None:
    """Resizes like transformers' resize_token_embeddings."""
    weight.data = torch.cat([weight.data, weight.data])


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("call", [call for call in CALLS if call != "forward"])
def test_data_of_another_shape_is_named(call: str, in_place: bool) -> None:
    net = network()
    model = pruned(net, **GRADUAL, in_place=in_place)
    resize_data(net[3].weight)
    with pytest.raises(prunecell.WrongState, match=f"cell '3': expected .*{SHAPES['longer'][1]}"):
        CALLS[call](model)


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (resize_data, SHAPES["longer"][1]),
        (lambda weight: weight.untyped_storage().resize_(0), FORMS["without storage"][1]),
    ],
)
def test_a_step_names_the_cell_whose_parameter_has_lost_its_form(
    change: Any, message: str, in_place: bool
) -> None:
    net = network()
    pruned(net, in_place=in_place)
    backward(net)
    with torch.no_grad():
        net[0].weight.add_(1)
    before = net[0].weight.detach().clone()
    change(net[3].weight)
    with pytest.raises(prunecell.WrongState, match=f"cell '3': expected .*{message}"):
        Idle(net.parameters()).step()
    assert torch.equal(net[0].weight, before)


def test_a_backward_names_the_cell_whose_parameter_was_resized() -> None:
    net = network()
    pruned(net)
    resize_data(net[3].weight)
    net[3].bias = None
    with pytest.raises(prunecell.WrongState, match=f"cell '3': expected .*{SHAPES['longer'][1]}"):
        backward(net)


@pytest.mark.parametrize("assign", [True, False])
@pytest.mark.parametrize("key", ["3.weight", "3.prune_mask", "3.prune_dense"])
def test_a_load_that_brings_quantized_values_changes_nothing(key: str, assign: bool) -> None:
    net = network()
    pruned(net, in_place=False)
    before = clones(net.state_dict())
    given = {name: value + 1 if name == "0.bias" else value for name, value in before.items()}
    given[key] = Wrapped(given[key])
    with pytest.raises(prunecell.InvalidType, match=rf"{key}: expected .*torch_forms\.Wrapped"):
        net.load_state_dict(given, assign=assign)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("form", ["quantized", "csr", "coo", "complex"])
def test_compress_leaves_weights_of_such_a_form(form: str) -> None:
    net = nn.ModuleDict({"odd": nn.Linear(4, 4), "pruned": nn.Linear(64, 64)})
    exchange(net["odd"], FORMS[form][0])
    (cell,) = prunecell.torch.wrap(net, exclude="odd")
    cell.quantizer = prunecell.PruneCell(**STATIC)
    assert list(prunecell.torch.compress(net)) == ["pruned"]


def test_plain_subclasses_are_pruned() -> None:
    class Named(Tensor):
        """A subclass on the memory of a tensor, without dispatch of its own."""

    net = network()
    exchange(net[3], lambda weight: weight.as_subclass(Named))
    model = pruned(net)
    train(net, SGD(net.parameters(), lr=0.1), 2)
    model.check()
