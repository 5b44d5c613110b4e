"""`wrap`: the cells of a PyTorch model, and the calls that drive their schedules."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from prunecell import quantizer
from prunecell._core import Figures, InvalidArgument, InvalidType, WrongState
from prunecell.cells import Cell, Conv, Embedding, Fc
from prunecell.quantizer import PruneCell
from prunecell.torch.attach import attach
from prunecell.torch.hooks import find, read_by
from prunecell.torch.packed_weight import Packed
from prunecell.torch.pruned_weight import PrunedWeight, Request
from prunecell.torch.state import KEYS, check, refuse_load

_KINDS: tuple[tuple[Any, type[Cell]], ...] = (
    (nn.modules.conv._ConvNd, Conv),
    (nn.Linear, Fc),
    ((nn.Embedding, nn.EmbeddingBag), Embedding),
)

_cells: weakref.WeakKeyDictionary[nn.Module, Cell] = weakref.WeakKeyDictionary()


class _Layer:
    """One module of a model, for its `Cell`."""

    name = ""

    def __init__(self, module: nn.Module) -> None:
        self._module = weakref.ref(module)
        self.beside: weakref.WeakSet[nn.Module] = weakref.WeakSet()

    @property
    def gone(self) -> bool:
        return self._module() is None

    def _found(self) -> nn.Module:
        module = self._module()
        if module is None:
            raise WrongState(f"cell {self.name!r}: its model is gone")
        return module

    @property
    def attached(self) -> PrunedWeight | None:
        module = self._found()
        return module._attached if isinstance(module, Packed) else find(module)

    @property
    def quantizer(self) -> PruneCell | None:
        one = self.attached
        return None if one is None else one.quantizer

    @property
    def figures(self) -> Figures | None:
        one = self.attached
        return None if one is None else one.quantizer.figures(one.index)

    def request(self, quantizer: PruneCell) -> Request:
        if not isinstance(quantizer, PruneCell):
            kind = type(quantizer).__name__
            raise InvalidType(f"cell {self.name!r}: expected a prunecell.PruneCell, got {kind}")
        return Request(self._changeable(), self.name, quantizer, tuple(self.beside))

    def attach(self, quantizer: PruneCell) -> None:
        attach([self.request(quantizer)])

    def detach(self) -> None:
        one = self.attached
        if one is not None:
            one.remove(self._changeable())

    def _changeable(self) -> nn.Module:
        module = self._found()
        one = self.attached
        if isinstance(module, Packed) or (one is not None and one.compressed):
            raise WrongState(f"cell {self.name!r}: the model is compressed, decompress it first")
        return module


def _layer(cell: Cell) -> _Layer:
    return cast(_Layer, cell._attachment)


class Model:
    """A handle on a model: iterating yields its cells; calls and attributes go to the model.

    It is no `nn.Module`: what one compiles, shards or saves is the model itself, `module`.
    """

    module: nn.Module

    def __init__(self, module: nn.Module, cells: dict[str, Cell]) -> None:
        object.__setattr__(self, "module", module)
        object.__setattr__(self, "_cells", cells)

    @property
    def cells(self) -> list[Cell]:
        """The cells, in the order of `named_modules`."""
        return list(self._cells.values())

    def __iter__(self) -> Iterator[Cell]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self._cells)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the model."""
        return self.module(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.module, name, value)

    def __repr__(self) -> str:
        lines = (f"  {cell!r}" for _, cell in self._present())
        return "\n".join([f"prunecell.torch.Model of {type(self.module).__name__}:", *lines])

    def __reduce__(self) -> tuple[Any, ...]:
        embeddings = any(isinstance(cell, Embedding) for cell in self.cells)
        return partial(wrap, embeddings=embeddings), (self.module,)

    def attach(self, quantizers: Mapping[str, PruneCell]) -> None:
        """Attaches quantizers by cell name: all of them, or none where one raises.

        Raises:
            InvalidArgument: A name that no cell has, or a weight that cannot be pruned.
            UnreachableThreshold: See `PruneCell.initialize`.
        """
        unknown = [name for name in quantizers if name not in self._cells]
        if unknown:
            raise InvalidArgument(
                f"attach: no cell is named {', '.join(map(repr, unknown))}; "
                f"the model has {', '.join(map(repr, self._cells))}"
            )
        layers = ((_layer(self._cells[name]), one) for name, one in quantizers.items())
        attach([layer.request(one) for layer, one in layers])

    def update(self, batch_size: int) -> None:
        """After `optimizer.step()`: counts samples and raises the masks where that is due.

        Args:
            batch_size: Samples since the last update, over all accumulation steps and ranks.

        Raises:
            UnreachableThreshold: In any cell; no cell is changed then.
        """
        quantizer.update(self._quantizers(), batch_size)

    def end_epoch(self) -> None:
        """At the end of an epoch: raises the masks of cells whose `stepsize` is 0."""
        quantizer.end_epoch(self._quantizers())

    def apply_masks(self) -> None:
        """Masks all weights now: after writes to `.data` or steps of foreign optimizers."""
        for one in self._attached():
            one.enforce()

    def check(self) -> None:
        """Raises WrongState naming the first pruned weight that is not 0."""
        for one in self._attached():
            mask = one.mask
            if mask is None or one.weight.is_meta:
                continue
            kept = torch.from_numpy(np.asarray(mask))
            revived = torch.nonzero((one.weight.detach() != 0) & ~kept.to(one.weight.device))
            if len(revived):
                index = tuple(revived[0].tolist())
                value = one.weight.detach()[index].item()
                raise WrongState(
                    f"cell {one.name!r}: pruned weight {index} is {value}; "
                    f"{len(revived)} in all. Call apply_masks() after steps that bypass torch.optim"
                )

    def figures(self) -> dict[str, Figures]:
        """Sparsity of each pruned cell, by name."""
        figures = ((name, cell.figures) for name, cell in self._present())
        return {name: one for name, one in figures if one is not None}

    def detach(self) -> None:
        """Takes all quantizers off. The zeros stay."""
        for _, cell in self._present():
            cell.quantizer = None

    def _present(self) -> list[tuple[str, Cell]]:
        """The cells whose modules are alive: a layer may have been replaced."""
        return [(name, cell) for name, cell in self._cells.items() if not _layer(cell).gone]

    def _attached(self) -> list[PrunedWeight]:
        # Walked by hand, since training does it at every step and `modules()` takes longer.
        found: dict[PrunedWeight, None] = {}
        seen: set[nn.Module] = set()
        pending = [self.module]
        while pending:
            module = pending.pop()
            if module in seen:
                continue
            seen.add(module)
            one = find(module) if module._forward_pre_hooks else None
            if isinstance(module, Packed) or (one is not None and one.compressed):
                raise WrongState("the model is compressed, decompress it first")
            if one is not None and one not in found:
                one.check_held()
                found[one] = None
            if module._modules:
                children = reversed(module._modules.values())
                pending.extend([child for child in children if child is not None])
        return list(found)

    def _quantizers(self) -> list[PruneCell]:
        return list(dict.fromkeys(one.quantizer for one in self._attached()))


def wrap(net: nn.Module | Model, *, embeddings: bool = False) -> Model:
    """The cells of a model: its convolutions (transposed ones too) and linear layers.

    Args:
        net: Any `torch.nn.Module`. Wrapping it again gives the same cells.
        embeddings: Also `nn.Embedding` and `nn.EmbeddingBag`.

    Raises:
        InvalidType: Something that is not a module.
    """
    module: Any = unwrap(net)
    cells = {}
    holders = _shared_by(module)
    for name, layer in module.named_modules():
        kind = next((kind for types, kind in _KINDS if isinstance(layer, types)), None)
        if kind is None or (kind is Embedding and not embeddings):
            continue
        cells[name] = _cells.setdefault(layer, kind(_Layer(layer)))
        _layer(cells[name]).name = name
        _layer(cells[name]).beside |= holders.get(id(layer._parameters.get("weight")), set())
    if _check_load not in _hooks_in(module._load_state_dict_pre_hooks):
        module.register_load_state_dict_pre_hook(_check_load)
        module.register_load_state_dict_post_hook(_mask_loaded)
    return Model(module, cells)


def _shared_by(net: nn.Module) -> dict[int, set[nn.Module]]:
    """By the id of each parameter that several modules read, the modules."""
    holders: dict[int, set[nn.Module]] = {}
    for module in net.modules():
        for parameter in read_by(module):
            holders.setdefault(id(parameter), set()).add(module)
    return {one: modules for one, modules in holders.items() if len(modules) > 1}


def unwrap(net: nn.Module | Model) -> nn.Module:
    """The module behind a handle, or the module itself."""
    module = net.module if isinstance(net, Model) else net
    if not isinstance(module, nn.Module):
        raise InvalidType(f"wrap: expected a torch.nn.Module, got {type(net).__name__}")
    return module


def dense_state_dict(net: nn.Module | Model) -> dict[str, Tensor]:
    """The state_dict with zeros for pruned weights and without our keys: it loads anywhere."""
    module = unwrap(net)
    state: dict[str, Tensor] = module.state_dict()
    for prefix, _ in _pruned_in(module, ""):
        for key in KEYS:
            state.pop(prefix + key, None)
    return state


# Loading a whole model


def _check_load(
    module: nn.Module, given: dict[str, Any], prefix: str, metadata: dict[str, Any], *_: Any
) -> None:
    """A load_state_dict pre-hook: what `given` brings must fit all cells before any is loaded."""
    if any(isinstance(layer, Packed) for layer in module.modules()):
        refuse_load()
    pruned = list(_pruned_in(module, prefix))
    for at, one in pruned:
        check(one, given, at, metadata)
    for _at, one in pruned:  # before a module without hooks loads a weight that they share
        one.mask_again()


def _mask_loaded(module: nn.Module, _incompatible: Any) -> None:
    """A load_state_dict post-hook: modules that share a weight without hooks have loaded it too."""
    for _, one in _pruned_in(module, ""):
        if one.loading is None:  # or its own hook is still to come, and with it another mask
            one.mask_again()


def _pruned_in(module: nn.Module, prefix: str) -> Iterator[tuple[str, PrunedWeight]]:
    """Each pruned weight with the prefix of its keys, once for every name of its module."""
    for name, layer in module.named_modules(remove_duplicate=False):
        one = find(layer)
        if one is not None:
            yield prefix + name + "." if name else prefix, one


def _hooks_in(hooks: Mapping[int, Any]) -> Iterable[Any]:
    """Without the wrapping that torch gives to those that take the module."""
    return [getattr(hook, "hook", hook) for hook in hooks.values()]
