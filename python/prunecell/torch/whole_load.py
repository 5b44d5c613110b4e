"""Loading the state_dict of a model, or of a part: it fits all its cells, or changes none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from prunecell.keys import Keys
from prunecell.torch.form import not_plain
from prunecell.torch.hooks.cell import attached_to
from prunecell.torch.load import check_cells, is_checked, refuse_load, set_checked
from prunecell.torch.packed_weight import Packed
from prunecell.torch.pruned_weight import PrunedWeight
from prunecell.torch.shards import hold_back


def watch(net: Any) -> None:
    """Has loads into a model checked before they change anything."""
    watch_part(net)
    if _mask_loaded not in _hooks_in(net._load_state_dict_post_hooks):
        net.register_load_state_dict_post_hook(_mask_loaded)


def watch_part(module: Any) -> None:
    """As `watch`, for loads into a module of a model."""
    hooks = module._load_state_dict_pre_hooks
    if _check_load not in _hooks_in(hooks):
        module.register_load_state_dict_pre_hook(_check_load)
        hooks.move_to_end(next(reversed(hooks)), last=False)  # cells take their keys out


def pruned_in(module: nn.Module, prefix: str) -> Iterator[tuple[Keys, PrunedWeight]]:
    """Each pruned weight with its keys, once for every name of its module."""
    for name, layer in module.named_modules(remove_duplicate=False):
        at = prefix + name + "." if name else prefix
        for parameter, one in attached_to(layer).items():
            yield Keys.of(at, parameter), one


def _check_load(
    module: nn.Module,
    given: dict[str, Any],
    prefix: str,
    metadata: dict[str, Any],
    _strict: bool,
    _missing: list[str],
    _unexpected: list[str],
    errors: list[str],
) -> None:
    """A load_state_dict pre-hook: what `given` brings must fit all cells before any is loaded."""
    if is_checked(errors, prefix):
        return
    if any(isinstance(layer, Packed) for layer in module.modules()):
        refuse_load()
    pruned = list(pruned_in(module, prefix))
    hold_back(module, pruned, given, prefix, metadata)
    check_cells(pruned, given, metadata)
    _keep_apart(given, [one for _, one in pruned])
    for _, one in pruned:  # before a module without hooks loads a weight that they share
        one.mask_again()
    set_checked(errors, prefix)


def _keep_apart(given: dict[str, Any], pruned: Sequence[PrunedWeight]) -> None:
    """Copies values that lie in the memory of pruned weights, which are masked before they load.

    Distributed checkpoints read into the tensors of `state_dict`, which are those of the model.
    """
    held = (tensor for one in pruned for tensor in (one.weight, one.dense))
    memory = {_memory(tensor) for tensor in held if tensor is not None} - {None}
    copies: dict[Any, Tensor] = {}  # one for all names, so that what was shared stays so
    for key, value in given.items():
        if isinstance(value, Tensor) and _memory(value) in memory:
            place = (value.data_ptr(), value.dtype, value.shape, value.stride())
            given[key] = copies.setdefault(place, value.detach().clone())


def _memory(tensor: Tensor) -> int | None:
    """Where the memory of a tensor begins; None where it has none to be told by."""
    if tensor.is_meta or not_plain(tensor) is not None:
        return None
    return tensor.untyped_storage().data_ptr() or None


def _mask_loaded(module: nn.Module, _incompatible: Any) -> None:
    """A load_state_dict post-hook: modules that share a weight without hooks have loaded it too."""
    for _, one in pruned_in(module, ""):
        if one.loading is None:  # or its own hook is still to come, and with it another mask
            one.mask_again()


def _hooks_in(hooks: Mapping[int, Any]) -> Iterable[Any]:
    """Without the wrapping that torch gives to those that take the module."""
    return [getattr(hook, "hook", hook) for hook in hooks.values()]
