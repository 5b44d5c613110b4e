"""`attach`: quantizers for the weights of modules, all of them or none."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from prunecell import _core
from prunecell._core import InvalidArgument
from prunecell.quantizer import initialize
from prunecell.torch.enforce import check_dtype, registry
from prunecell.torch.hooks import find, holds, install, install_holder
from prunecell.torch.pruned_weight import PrunedWeight, Request


def attach(requests: Sequence[Request]) -> None:
    """Prunes the weights of modules, in place of the quantizers that they have.

    Raises:
        InvalidArgument: A weight that cannot be pruned, or one that another cell shares and prunes
            with other parameters.
        UnreachableThreshold: See `PruneCell.initialize`.
            After any of them the models are as they were.
    """
    fresh: list[tuple[PrunedWeight, nn.Module]] = []
    joining: list[tuple[PrunedWeight, nn.Module]] = []
    try:
        for request in requests:
            one = _shared(request)
            if one is not None:
                joining.append((one, request.module))
            elif not _is_attached(request):
                fresh.append((PrunedWeight(request), request.module))
        initialize(list(dict.fromkeys(one.quantizer for one, _ in fresh)))
    except BaseException:
        for one, _ in fresh:
            one.quantizer._core.drop_tensor(one.index)
            registry.discard(one)
        raise
    for one, module in fresh + joining:
        present = find(module)
        if present is not one:
            install(one, module)
            if present is not None:
                present.remove(module)
    for request in requests:
        one = find(request.module)
        for holder in request.beside:
            if one is not None and find(holder) is not one and holds(holder, one.weight):
                install_holder(one, holder)


def _shared(request: Request) -> PrunedWeight | None:
    """The attachment of another module that holds the same weight."""
    _check(request.module, request.name)
    for one in list(registry):
        if one.weight is request.module.weight and one.serves_beside(request.module):
            one.check_same(request.name, request.quantizer)
            return one
    return None


def _is_attached(request: Request) -> bool:
    present = find(request.module)
    return present is not None and present.quantizer is request.quantizer


def _check(module: nn.Module, name: str) -> None:
    weight = module._parameters.get("weight")
    if torch.nn.utils.parametrize.is_parametrized(module, "weight") or weight is None:
        raise InvalidArgument(
            f"cell {name!r}: expected a plain weight, got one that is computed from others "
            "(parametrized or weight_norm); remove that first"
        )
    if torch.nn.parameter.is_lazy(weight) or weight.device.type == "meta":
        raise InvalidArgument(
            f"cell {name!r}: expected a weight with values, got a lazy or meta one; materialize it"
        )
    check_dtype(f"cell {name!r}", weight)
    _core.check_array(weight.detach(), f"cell {name!r}: weight", write=True)
