"""`Model`: the cells of a PyTorch model, and the calls that drive their schedules."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from prunecell import quantizer
from prunecell._core import Figures, InvalidArgument, WrongState
from prunecell.cells import Cell
from prunecell.quantizer import PruneCell
from prunecell.torch.attached import Attached
from prunecell.torch.coverage import Coverage
from prunecell.torch.follow import follow
from prunecell.torch.layer import Layer
from prunecell.torch.misplaced import Forward, refuse_misplaced
from prunecell.torch.rewind import rewind
from prunecell.torch.slot import Slot


class Model:
    """A handle on a model: iterating yields its cells; calls and attributes go to the model.

    What a method of the model gives back is the handle where it is the model, as of `to` and
    `train`. It is no `nn.Module`: what one compiles, shards, saves, gives to a trainer or makes a
    part of another model is the model itself, `module`.
    """

    module: nn.Module
    forward = Forward()
    _layers: list[tuple[str, Layer]]
    _coverage: Coverage
    _attached: Attached

    def __init__(
        self,
        module: nn.Module,
        cells: dict[str, Cell],
        coverage: Coverage,
        again: Callable[[nn.Module], Model],
    ) -> None:
        layers = [(name, Layer.of(cell)) for name, cell in cells.items()]
        for name, value in (
            ("module", module),
            ("_cells", cells),
            ("_layers", layers),
            ("_attached", Attached(module, layers)),
            ("_coverage", coverage),
            ("_again", again),
        ):
            object.__setattr__(self, name, value)

    @property
    def cells(self) -> list[Cell]:
        """The cells, in the order of `named_modules`; not those whose layers are no more."""
        return [cell for cell in self._cells.values() if not Layer.of(cell).gone]

    @property
    def slots(self) -> dict[str, Slot]:
        """Where the weights of the cells lie, by the name of the cell."""
        return {name: Layer.of(cell).slot for name, cell in self._cells.items()}

    @property
    def uncovered(self) -> dict[str, float]:
        """Matrices that no cell covers, by name, with their share of all matrix weights.

        They stay dense. Tables of embeddings, which are looked up, do not count.
        """
        return self._coverage.uncovered()

    def __iter__(self) -> Iterator[Cell]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the model."""
        if not torch.compiler.is_compiling():
            refuse_misplaced(self, self.module, sys._getframe().f_back)
        return self.module(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.module, name)
        if getattr(value, "__self__", None) is not self.module:
            return value

        @functools.wraps(value)
        def call(*args: Any, **kwargs: Any) -> Any:
            result = value(*args, **kwargs)
            return self if result is self.module else result

        return call

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.module, name, value)

    def __repr__(self) -> str:
        lines = [f"  {cell!r}" for cell in self.cells]
        for name, share in self.uncovered.items():
            lines.append(f"  no cell: {name!r}, {share:.1%} of the matrix weights")
        return "\n".join([f"prunecell.torch.Model of {type(self.module).__name__}:", *lines])

    def __reduce__(self) -> tuple[Any, ...]:
        return self._again, (self.module,)

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
        layers = ((Layer.of(self._cells[name]), one) for name, one in quantizers.items())
        Layer.attach_all({layer: one for layer, one in layers})
        self._coverage.warn_once()

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
        for one in self._attached.held_weights():
            one.enforce()

    def rewind(self, state: Mapping[str, Any]) -> None:
        """Loads the weights of another time and keeps the masks: a lottery ticket.

        Schedules stay where they are. An optimizer keeps its momentum: make a new one.

        Args:
            state: A state_dict of the model, from before it was pruned or from any time after:
                masks and schedules in it are left, and of cells that are not in place the
                full-precision weights are taken.

        Raises:
            InvalidType: Something that is no state_dict.
            InvalidArgument: It does not fit the model; keys are named, and nothing is changed.
            WrongState: The model is compressed.
        """
        rewind(self.module, state)

    def follow(self, model: nn.Module | Model) -> None:
        """Has this model, an average of another, follow that one's masks and schedule.

        From now on whoever reads the average, by a forward, a copy, a state_dict or by swapping
        its values into the other, gets it masked as the other is by then. The other alone is
        driven by `update` and `end_epoch`. A load brings weights alone. A copy of an average
        follows nobody. Once the other is gone, or pruned no more, the average keeps what it has.

        Args:
            model: The one that is averaged, with quantizers. Its cells are found by name; a class
                that holds the average may put a name before them, as "module.".

        Raises:
            InvalidArgument: No pruned cell, or one that the average lacks or has in another shape;
                nothing is changed.
            WrongState: One of them is compressed.
        """
        other = model if isinstance(model, Model) else self._again(model)
        follow(dict(self._layers), dict(other._layers))

    def check(self) -> None:
        """Raises WrongState naming the first pruned weight that is not 0, or a layer replaced."""
        self._attached.replaced.check()
        for one in self._attached.held_weights():
            revived = one.revived()
            if len(revived):
                index = tuple(revived[0].tolist())
                value = one.weight.detach()[index].item()
                raise WrongState(
                    f"cell {one.name!r}: pruned weight {index} is {value}; "
                    f"{len(revived)} in all. Call apply_masks() after steps that bypass torch.optim"
                )

    def figures(self, *, verify: bool = False) -> dict[str, Figures]:
        """Sparsity of each pruned cell, by name.

        Args:
            verify: Count in the weights themselves, with a read of them: `zeros` are the pruned
                weights that are 0 now. Else those of the mask.
        """
        present = set(self.module.modules())
        self._attached.replaced.warn_once(present)
        found = {}
        for name, layer in self._layers:
            one = layer.attached if layer.slot.module() in present else None
            if one is not None:
                found[name] = one.counted() if verify else one.figures
        return found

    def detach(self) -> None:
        """Takes all quantizers off. The zeros stay."""
        for cell in self.cells:
            cell.quantizer = None

    def _quantizers(self) -> list[PruneCell]:
        attached = self._attached.weights()
        quantizers: dict[PruneCell, None] = {}
        for one in attached:
            if one.lead is None or one.lead.ended:
                quantizers[one.quantizer] = None
        if attached and not quantizers:
            raise WrongState(
                f"cell {attached[0].name!r}: it follows that of another model: update that model"
            )
        return list(quantizers)
