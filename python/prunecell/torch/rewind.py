"""Loads earlier weights under the masks in force: a lottery ticket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from prunecell._core import InvalidArgument
from prunecell.saved_state import shown
from prunecell.shown import short_list
from prunecell.torch.load_options import keep_masks
from prunecell.torch.plain_state import pruning_in, without_pruning_state
from prunecell.torch.whole_load import pruned_in

_NAMED = 5
"""Keys that an error names."""


def rewind(net: nn.Module, state: Mapping[str, Any]) -> None:
    """See `Model.rewind`."""
    plain = without_pruning_state(state)
    for keys, saved in pruning_in(state):
        if not saved["in_place"] and keys.weight in plain and keys.dense in state:
            plain[keys.weight] = state[keys.dense]
    _check(net, plain)
    with keep_masks():
        net.load_state_dict(plain, strict=False)  # a shared weight may have but one of its names


def _check(net: nn.Module, given: Mapping[str, Any]) -> None:
    """Raises InvalidArgument where torch would load only a part."""
    expected = net.state_dict()
    for keys, _ in pruned_in(net, ""):
        for key in keys.added:
            expected.pop(key, None)
    shared = {id(one) for name, one in _tensors(net) if name in given}
    present = {name for name, one in _tensors(net) if id(one) in shared} | given.keys()
    _refuse("missing", [key for key in expected if key not in present])
    _refuse("unknown", [key for key in given if key not in expected])
    for key, value in given.items():
        if isinstance(expected[key], Tensor):
            _check_tensor(key, expected[key].shape, value)


def _tensors(net: nn.Module) -> list[tuple[str, Tensor]]:
    """All tensors of the model, each under all of its names."""
    buffers = net.named_buffers(remove_duplicate=False)
    return [*net.named_parameters(remove_duplicate=False), *buffers]


def _refuse(what: str, keys: Sequence[Any]) -> None:
    if keys:
        raise InvalidArgument(
            f"rewind: expected a state_dict of this model, got one with {what} keys: "
            + short_list(keys, _NAMED)
        )


def _check_tensor(key: str, shape: tuple[int, ...], value: Any) -> None:
    if not isinstance(value, Tensor):
        got = shown(value)
    elif value.is_meta or value.layout != torch.strided:
        got = "one without values" if value.is_meta else f"one of layout {value.layout}"
    elif value.shape != shape:
        got = f"one of shape {tuple(value.shape)}"
    else:
        return
    raise InvalidArgument(f"rewind: {key}: expected a tensor of shape {tuple(shape)}, got {got}")
