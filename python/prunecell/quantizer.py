"""`PruneCell`: the schedule and the masks of one or more weight tensors.

`PruneCell` stands on `SavedCell` (its state) and that on `CellTensors` (its tensors). An adapter
for a framework writes a `TensorSource` and uses the public methods: docs/adapters.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prunecell._core import Figures, InvalidType, Mask, WrongState
from prunecell.arguments import parse
from prunecell.mask_updates import end_epoch, initialize, start, update
from prunecell.parameters import UNUSED, Attributes, Keywords
from prunecell.saved_cell import SavedCell
from prunecell.sources import Array, CellArrays, HeldArrays, TensorSource
from prunecell.warning import warn

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "CellArrays",
    "HeldArrays",
    "PruneCell",
    "TensorSource",
    "end_epoch",
    "initialize",
    "start",
    "update",
]

_IDLE_LIMIT = 1000
"""Enforcements without an update after which a Gradual cell warns."""


class PruneCell(SavedCell, Attributes):
    """Prunes weights by a schedule and keeps them pruned.

    Args:
        prune_mode: "Identity" (nothing is pruned), "Static" (pruned to `threshold` by
            `initialize`) or "Gradual" (pruned to `start`, raised by `gamma` until `threshold`).
        prune_filler: "Random", "IterNonStruct" (smallest magnitudes first, in steps of `delta`) or
            "None" (the mask is left to you: `set_pruned_masks`).
        threshold: Share of weights to prune in the end, 0 to 1.
        delta: Grid step of IterNonStruct, in units of the weights, > 0.
        start: First share of Gradual, 0 to 1.
        stepsize: Samples from one rise to the next, >= 0; 0: a rise at each `end_epoch`.
        gamma: What a rise adds to the share, 0 to 1.
        in_place: True: the weights themselves are pruned. False: they stay, and a second buffer
            holds the pruned ones (`get_quantized_weights`).
        seed: Seed of the Random filler, 0 to 2**64 - 1. In a model each cell draws from a hash of
            the seed and its name.
        ties: What IterNonStruct does where all weights of a tensor would go though less is asked,
            since they are equal or lie below one step of `delta`. "prune": they go, with a warning.
            "keep": the tensor keeps the mask that it has, at first all ones, with a warning, and
            each later mask update tries again; where no rise is to come (Static, or Gradual at
            `threshold`), each `update` and `end_epoch` does, until it has its mask. Without effect
            on other fillers, which a warning says.
        quant_mode: Accepted for compatibility, not used.
        range: Accepted for compatibility, not used.

    Every parameter can be read as an attribute of its name.

    Once its tensors are added, threads may share a cell: calls take effect one after the other, in
    whatever order they come. A `Mask` or an array read meanwhile may show a change half done. The
    cells of a model are for one thread at a time, as its modules are.

    Raises:
        InvalidType: An unknown parameter, or a value of the wrong type.
        InvalidArgument: A value out of range.

    >>> import numpy as np
    >>> weights = np.linspace(-1, 1, 10, dtype=np.float32)
    >>> cell = PruneCell(prune_mode="Static", prune_filler="IterNonStruct", threshold=0.3)
    >>> cell.add_weights(weights)
    0
    >>> cell.initialize()
    >>> cell.figures(0)
    Figures(asked=0.3, reached=0.4, zeros=4 of 10, level=334, overshoot=0.1)
    """

    def __init__(self, **parameters: Unpack[Keywords]) -> None:
        super().__init__(parse(parameters))
        self._unused = {name: parameters.get(name) for name in UNUSED}
        self._warned = False
        self._warn_about_parameters()

    @classmethod
    def from_zeros(cls, **parameters: Unpack[Keywords]) -> PruneCell:
        """A cell whose mask is the zeros that the weights have: fine-tuning of sparse models."""
        rule: Keywords = {
            "prune_mode": "Static",
            "prune_filler": "IterNonStruct",
            "threshold": 0,
        }
        return cls(**(rule | parameters))

    # Training

    def initialize(self, *, reset: bool = False) -> None:
        """Builds and applies the masks of tensors that have none yet.

        Args:
            reset: Start the schedule over and build all masks anew.

        Raises:
            UnreachableThreshold: NaN or Inf weights keep a tensor from the threshold; nothing is
                changed.
        """
        initialize([self], reset=reset)

    def propagate(self) -> None:
        """Enforces the masks on the weights (or fills the buffers of pruned weights): forward."""
        self._enforce(self._arrays())
        if (
            self._core.idle_enforcements == _IDLE_LIMIT
            and self.prune_mode == "Gradual"
            and not self._warned
        ):
            self._warned = True
            warn(
                f"masks were enforced {_IDLE_LIMIT} times, but neither update nor end_epoch was "
                "called: a Gradual cell rises by those alone"
            )

    def back_propagate(self) -> None:
        """Makes the gradients of pruned weights 0: after the backward pass."""
        self._core.back_propagate(self._arrays())

    def update(self, batch_size: int) -> None:
        """Counts samples, raises the masks where that is due, and enforces them.

        Args:
            batch_size: Samples since the last update, >= 0.
        """
        update([self], batch_size)

    def end_epoch(self) -> None:
        """Raises the masks where `stepsize` is 0, and enforces them."""
        end_epoch([self])

    # Results

    def get_quantized_weights(self, index: int = 0) -> Array:
        """The pruned weights of a tensor: the array itself, or the buffer where not in place."""
        weights, _, pruned = self._arrays()[self._index(index)]
        if pruned is not None and not self._core.initialized:
            raise WrongState("get_quantized_weights: not initialized, call initialize first")
        return weights if pruned is None else pruned

    def get_pruned_masks(self, index: int = 0) -> Mask:
        """The mask in force, live: it changes with the cell. All ones in mode Identity."""
        if not self._core.initialized:
            raise WrongState("get_pruned_masks: the cell is not initialized, call initialize first")
        mask = self.mask(index)
        return Mask(self.shape(index)) if mask is None else mask

    def set_pruned_masks(self, index: int, mask: Mask | Array) -> None:
        """Replaces a mask by yours and enforces it. In place, the next rise only adds zeros to it.

        In a model, weights that are loaded without masks get this one; states say that it is yours.

        Args:
            index: Number of the tensor.
            mask: A `Mask`, or an array of bool, True for what stays; of the weights' shape.
        """
        if not isinstance(mask, Mask):
            kept = np.asarray(mask)
            if kept.dtype != bool:
                raise InvalidType(f"mask: expected a Mask or an array of bool, got {kept.dtype}")
            mask = Mask.from_array(kept)
        number = self._index(index)
        arrays = self._arrays()  # before anything changes: it raises where a model is compressed
        self._core.set_mask(number, mask)
        self._custom.add(number)
        self._changes += 1
        self._enforce(arrays)

    def get_current_threshold(self) -> float:
        """Share that the masks are asked to prune now, a float32 value."""
        return self._core.current

    def figures(self, index: int = 0) -> Figures:
        """Sparsity of one tensor: asked, reached, zeros, level, overshoot."""
        return self._core.figures(self._index(index))

    @property
    def initialized(self) -> bool:
        """Whether every tensor has its mask."""
        return self._core.initialized

    @property
    def rises(self) -> int:
        """Rises so far."""
        return self._core.rises

    @property
    def counter(self) -> int:
        """Samples since the last rise."""
        return self._core.counter

    @property
    def driven(self) -> bool:
        """Whether update or end_epoch was called, here or in the run whose state was loaded."""
        return self._updates > 0 or self._core.rises > 0 or self._core.counter > 0

    # The rest

    def __repr__(self) -> str:
        text = ", ".join(f"{k}={v!r}" for k, v in self.parameters.changed().items())
        if not self._core.initialized:
            return f"PruneCell({text}) not initialized"
        figures = [self.figures(t) for t in range(self._core.tensor_count)]
        size, zeros = sum(f.size for f in figures), sum(f.zeros for f in figures)
        share = zeros / size if size else 0.0
        tensors = "1 tensor" if len(figures) == 1 else f"{len(figures)} tensors"
        return (
            f"PruneCell({text}) at {self.get_current_threshold():.4g}: "
            f"{zeros} of {size} weights pruned ({share:.2%}) in {tensors}"
        )

    def _warn_about_parameters(self) -> None:
        if self.prune_mode == "Gradual" and self.start > self.threshold:
            warn(f"start {self.start} lies above threshold {self.threshold}: it is not left")
        if self.ties != "prune" and self.prune_filler != "IterNonStruct":
            warn(f"ties {self.ties!r} has no effect with prune_filler {self.prune_filler!r}")
        given = [name for name, value in self._unused.items() if value is not None]
        if given:
            warn(f"accepted and not used: {', '.join(given)}")
