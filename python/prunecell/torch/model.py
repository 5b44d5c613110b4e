"""`wrap`: the cells of a PyTorch model, and the calls that drive their schedules."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from prunecell import quantizer
from prunecell._core import Figures, InvalidArgument, InvalidType, WrongState
from prunecell.cells import Cell, Conv, Embedding, Fc
from prunecell.quantizer import PruneCell
from prunecell.torch.packed_weight import Packed
from prunecell.torch.pruned_weight import PrunedWeight, attach, find
from prunecell.torch.state import LoadGuard

_KINDS: tuple[tuple[Any, type[Cell]], ...] = (
    (nn.modules.conv._ConvNd, Conv),
    (nn.Linear, Fc),
    ((nn.Embedding, nn.EmbeddingBag), Embedding),
)

_cells: weakref.WeakKeyDictionary[nn.Module, Cell] = weakref.WeakKeyDictionary()


class _Layer:
    """One module of a model, for its `Cell`."""

    def __init__(self, module: nn.Module, name: str) -> None:
        self._module = weakref.ref(module)
        self.name = name

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

    def attach(self, quantizer: PruneCell) -> None:
        if not isinstance(quantizer, PruneCell):
            kind = type(quantizer).__name__
            raise InvalidType(f"cell {self.name!r}: expected a prunecell.PruneCell, got {kind}")
        attach(self._changeable(), self.name, quantizer)

    def detach(self) -> None:
        one = self.attached
        if one is not None:
            one.remove(self._changeable())

    def _changeable(self) -> nn.Module:
        module = self._found()
        if isinstance(module, Packed):
            raise WrongState(f"cell {self.name!r}: the model is compressed, decompress it first")
        return module


class Model:
    """A handle on a model: iterating yields its cells; calls and attributes go to the model.

    It is no `nn.Module`: what one compiles, shards or saves is the model itself, `module`.
    """

    module: nn.Module
    cells: list[Cell]

    def __init__(self, module: nn.Module, cells: list[Cell]) -> None:
        object.__setattr__(self, "module", module)
        object.__setattr__(self, "cells", cells)

    def __iter__(self) -> Iterator[Cell]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the model."""
        return self.module(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.module, name, value)

    def __repr__(self) -> str:
        lines = (f"  {cell!r}" for cell in self.cells)
        return "\n".join([f"prunecell.torch.Model of {type(self.module).__name__}:", *lines])

    def attach(self, quantizers: Mapping[str, PruneCell]) -> None:
        """Attaches quantizers by cell name.

        Raises:
            InvalidArgument: A name that no cell has; nothing is attached then.
        """
        cells = {cell.name: cell for cell in self.cells}
        unknown = [name for name in quantizers if name not in cells]
        if unknown:
            raise InvalidArgument(
                f"attach: no cell is named {', '.join(map(repr, unknown))}; "
                f"the model has {', '.join(map(repr, cells))}"
            )
        for name, one in quantizers.items():
            cells[name].quantizer = one

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
            if mask is None:
                continue
            kept = torch.from_numpy(np.asarray(mask))
            revived = torch.nonzero((one.weight.detach() != 0) & ~kept.to(one.weight.device))
            if len(revived):
                index = tuple(revived[0].tolist())
                value = one.weight.detach()[index].item()
                raise WrongState(
                    f"cell {one.names[0]!r}: pruned weight {index} is {value}; "
                    f"{len(revived)} in all. Call apply_masks() after steps that bypass torch.optim"
                )

    def figures(self) -> dict[str, Figures]:
        """Sparsity of each pruned cell, by name."""
        return {cell.name: cell.figures for cell in self.cells if cell.figures is not None}

    def detach(self) -> None:
        """Takes all quantizers off. The zeros stay."""
        for cell in self.cells:
            cell.quantizer = None

    def _attached(self) -> list[PrunedWeight]:
        if any(isinstance(module, Packed) for module in self.module.modules()):
            raise WrongState("the model is compressed, decompress it first")
        found = (find(module) for module in self.module.modules())
        return list(dict.fromkeys(one for one in found if one is not None))

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
    module = unwrap(net)
    cells = []
    for name, layer in module.named_modules():
        kind = next((kind for types, kind in _KINDS if isinstance(layer, types)), None)
        if kind is None or (kind is Embedding and not embeddings):
            continue
        cells.append(_cells.setdefault(layer, kind(_Layer(layer, name))))
    if not any(isinstance(hook, LoadGuard) for hook in _load_hooks(module)):
        module.register_load_state_dict_pre_hook(LoadGuard())  # type: ignore[no-untyped-call]
    return Model(module, cells)


def unwrap(net: nn.Module | Model) -> nn.Module:
    """The module behind a handle, or the module itself."""
    module = net.module if isinstance(net, Model) else net
    if not isinstance(module, nn.Module):
        raise InvalidType(f"wrap: expected a torch.nn.Module, got {type(net).__name__}")
    return module


def _load_hooks(module: nn.Module) -> Iterator[Any]:
    for hook in module._load_state_dict_pre_hooks.values():
        yield getattr(hook, "hook", hook)
