"""Tools of torch that put other modules in the place of layers, or compile them."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable
from typing import Any

import prunecell
import pytest
import torch
from torch import nn
from torch_axes import STATIC, images, network, pruned

ao: Any = pytest.importorskip("torch.ao.quantization")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def dynamic(net: nn.Sequential) -> Any:
    return ao.quantize_dynamic(net, {nn.Linear})


def dynamic_here(net: nn.Sequential) -> Any:
    ao.quantize_dynamic(net, {nn.Linear}, inplace=True)
    return net


def fused(net: nn.Sequential) -> Any:
    return ao.fuse_modules(net.eval(), [["0", "1"]])


def prepared(net: Any) -> Any:
    net.train().qconfig = ao.get_default_qat_qconfig("fbgemm")
    return ao.prepare_qat(net, inplace=True)


@pytest.mark.parametrize("convert", [dynamic, dynamic_here, fused, prepared])
def test_a_layer_in_the_place_of_a_pruned_one_is_named(convert: Callable[..., Any]) -> None:
    net = network()
    _model = pruned(net)
    converted = convert(net)  # replaced layers may be alive in cycles of references
    with pytest.raises(prunecell.WrongState, match=r"copied its hooks.*take the quantizer off"):
        converted(images())


@pytest.mark.parametrize("convert", [dynamic, dynamic_here, fused, prepared])
def test_so_it_is_by_every_other_call(convert: Callable[..., Any]) -> None:
    net = network()
    pruned(net)
    converted = convert(net)
    gc.collect()
    model = prunecell.torch.wrap(converted)
    calls: list[Callable[[], Any]] = [model.apply_masks, model.check, model.end_epoch]
    if convert is not fused:  # it has the layer itself in it, and raises at its forward
        calls.append(lambda: copy.deepcopy(converted))
    for call in calls:
        with pytest.raises(prunecell.WrongState, match="copied its hooks"):
            call()


@pytest.mark.parametrize("convert", [dynamic, dynamic_here, fused, prepared])
def test_a_layer_is_converted_once_its_quantizer_is_off(convert: Callable[..., Any]) -> None:
    net = network()
    pruned(net).detach()
    convert(net)(images())


def test_a_module_that_has_packed_its_weight_is_refused_when_it_is_attached() -> None:
    net = nn.Sequential(nn.Linear(3, 3))
    model = prunecell.torch.wrap(net)
    del net[0].weight
    with pytest.raises(prunecell.InvalidArgument, match=r"'0'.*got none: Linear has packed or"):
        model.attach({"0": prunecell.PruneCell(**STATIC)})


@pytest.mark.parametrize("holder", [False, True])
def test_scripting_is_refused_with_what_to_do(holder: bool) -> None:
    net: Any = nn.ModuleDict({"layer": nn.Linear(4, 4), "table": nn.Embedding(4, 4)})
    net["table"].weight = net["layer"].weight
    model = prunecell.torch.wrap(net, embeddings=True, exclude="table")
    model.attach({"layer": prunecell.PruneCell(**STATIC)})
    part = net["table" if holder else "layer"]
    with pytest.raises(AttributeError, match=r"torch\.jit\.script.*take the quantizers off before"):
        torch.jit.script(part)
    assert getattr(next(iter(part._forward_pre_hooks.values())), "__name__", "none") == "none"
    plain = copy.deepcopy(net)
    prunecell.torch.wrap(plain, embeddings=True, exclude="table").detach()
    torch.jit.script(plain["layer"])
    torch.jit.trace(net["layer"], torch.ones(1, 4))
