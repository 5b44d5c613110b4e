"""The handle that `wrap` gives: its own results, and places where a module belongs instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import prunecell
import pytest
import torch
from torch import distributed, nn
from torch_axes import STATIC, images, network, pruned
from torch_forms import one_process

SAME: dict[str, Callable[[Any], Any]] = {
    "to": lambda model: model.to("cpu"),
    "half": lambda model: model.half(),
    "train": lambda model: model.train(),
    "eval": lambda model: model.eval(),
    "requires_grad_": lambda model: model.requires_grad_(False),
    "apply": lambda model: model.apply(lambda _: None),
}


@pytest.mark.parametrize("call", SAME)
def test_what_a_module_gives_back_of_itself_is_the_handle(call: str) -> None:
    model = pruned(network())
    assert SAME[call](model) is model
    model.update(4)
    model.check()


def test_other_methods_and_attributes_are_those_of_the_module() -> None:
    net = network()
    model = prunecell.torch.wrap(net)
    assert inspect.signature(model.load_state_dict) == inspect.signature(net.load_state_dict)
    assert model.training is net.training
    assert list(map(id, model.parameters())) == list(map(id, net.parameters()))
    assert model.get_submodule("0") is net[0]


class Holder(nn.Module):
    def __init__(self, part: Any) -> None:
        super().__init__()
        self.backbone = part
        self.head = nn.Linear(10, 2)

    def forward(self, inputs: Any) -> Any:
        return self.head(self.backbone(inputs))


def test_a_module_that_holds_it_is_refused_by_name() -> None:
    model = pruned(network())
    with pytest.raises(prunecell.InvalidType, match=r"Holder\.backbone: expected a torch\.nn\.Mod"):
        Holder(model)(images())
    Holder(model.module)


def test_a_module_may_have_it_beside_its_model() -> None:
    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = network()
            self.pruned = pruned(self.net)

        def forward(self, inputs: Any) -> Any:
            return self.pruned(inputs)

    Beside()(images())


def test_torch_refuses_it_in_a_container() -> None:
    with pytest.raises(TypeError, match=r"prunecell\.torch\.model\.Model is not a Module"):
        nn.Sequential(prunecell.torch.wrap(network()))


@pytest.fixture
def _group(tmp_path: Path) -> Iterator[None]:
    one_process(tmp_path)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("_group")
def test_data_parallel_training_of_it_is_refused_by_name() -> None:
    parallel = nn.parallel.DistributedDataParallel(pruned(network()))  # type: ignore[arg-type]
    with pytest.raises(prunecell.InvalidType, match=r"DistributedDataParallel\.module: expected"):
        parallel(images())


@pytest.mark.parametrize("package", ["transformers", "lightning", "accelerate"])
def test_a_trainer_that_calls_it_is_refused_by_name(package: str) -> None:
    trainer: dict[str, Any] = {"__name__": f"{package}.trainer"}
    exec("def compute_loss(model, inputs):\n    return model(inputs)", trainer)
    with pytest.raises(prunecell.InvalidType, match=rf"^{package}: expected .* the handle's `mod"):
        trainer["compute_loss"](pruned(network()), images())
    trainer["compute_loss"](pruned(network()).module, images())


def test_a_trainer_that_reads_its_class_is_told() -> None:
    """Begins like transformers' Trainer."""
    model = pruned(network())
    with pytest.raises(AttributeError, match=r"Model\.forward: expected .* the handle's `module`"):
        inspect.signature(model.__class__.forward)
    given = images()
    assert torch.equal(model.forward(given), model(given))


def test_it_is_called_as_before_elsewhere() -> None:
    class Loop:
        def __init__(self) -> None:
            self.model = pruned(network())

        def run(self) -> Any:
            return self.model(images())

    Loop().run()
    model = prunecell.torch.wrap(nn.Linear(4, 4))
    model.attach({"": prunecell.PruneCell(**STATIC)})
    compiled = torch.compile(model, backend="eager")
    assert torch.equal(compiled(torch.ones(1, 4)), model(torch.ones(1, 4)))
