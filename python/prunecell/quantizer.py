"""`PruneCell`: the schedule and the masks of one or more weight tensors."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from prunecell import _core
from prunecell._core import Figures, InvalidType, Mask, WrongState
from prunecell.arguments import parse, parse_batch_size, parse_index
from prunecell.dying import known_updates, warn_of_dead
from prunecell.ops import empty_twin
from prunecell.parameters import UNUSED, Attributes, Keywords
from prunecell.saved_state import FORMAT, check_format, read_pickled, read_state
from prunecell.warning import warn

if TYPE_CHECKING:
    from typing_extensions import Unpack

Array = Any
CellArrays = tuple[Array, Array, Array]
"""Weights, their gradient or None, and the buffer of pruned weights or None."""

_IDLE_LIMIT = 1000


class TensorSource(Protocol):
    """Where the memory of one tensor is found when a call needs it."""

    @property
    def gone(self) -> bool:
        """Whether its owner is no more."""

    def arrays(self) -> CellArrays | None:
        """The memory as it is now; None where its owner is gone."""

    def is_masked(self) -> bool:
        """Whether the memory is known to be masked, so that nothing is left to enforce."""

    def written(self) -> None:
        """The weights, or the buffer of pruned weights, have been written."""


class PruneCell(Attributes):
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
        seed: Of the Random filler, 0 to 2**64 - 1. In a model each cell draws from a hash of the
            seed and its name.
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
        self._parameters = parse(parameters)
        self._core = _core.PruneCell(self._parameters.as_dict())
        self._unused = {name: parameters.get(name) for name in UNUSED}
        self._held: list[CellArrays] = []
        self._sources: dict[int, TensorSource] = {}
        self._biases: list[Array] = []
        self._custom: set[int] = set()  # tensors whose masks were set, not built by the filler
        self._told: set[tuple[int, bool]] = set()  # see warn_of_dead
        self._updates = 0
        self._changes = 0  # of schedule and masks, for those who follow them
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

    # Tensors

    def add_weights(self, weights: Array, diff_weights: Array = None) -> int:
        """Adds a tensor and returns its number. Arrays are viewed, never copied, and kept alive.

        Args:
            weights: See `prunecell.ops`; writable where `in_place`.
            diff_weights: Gradient of the weights, of their shape, writable; None: there is none.
        """
        shape = _core.check_array(weights, "weights", write=self.in_place)
        if diff_weights is not None:
            diff_shape = _core.check_array(diff_weights, "diff_weights", write=True)
            if diff_shape != shape:
                raise _core.InvalidArgument(
                    f"diff_weights: expected the shape of the weights {shape}, got {diff_shape}"
                )
        pruned = None if self.in_place else empty_twin(weights, shape)
        self._held.append((weights, diff_weights, pruned))
        return self._core.add_tensor(shape)

    def add_biases(self, biases: Array, diff_biases: Array = None) -> None:
        """Takes note of biases, which are never pruned."""
        self._biases.append(biases)

    def _add(self, shape: tuple[int, ...], name: str) -> int:
        """Adds a tensor whose memory a source in `_sources` is going to tell.

        Its number may be that of one that is gone.
        """
        for number, source in self._sources.items():
            if source.gone:
                self._core.drop_tensor(number)
        number = self._core.add_tensor(shape, name)
        if number == len(self._held):
            self._held.append((None, None, None))
        self._custom.discard(number)
        self._told -= {(number, False), (number, True)}
        return number

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

    def get_quantized_biases(self, index: int = 0) -> Array:
        """The biases, as they were added."""
        return self._biases[index]

    def get_pruned_masks(self, index: int = 0) -> Mask:
        """The mask in force, live: it changes with the cell. All ones in mode Identity."""
        if not self._core.initialized:
            raise WrongState("get_pruned_masks: the cell is not initialized, call initialize first")
        mask = self._core.mask(self._index(index))
        return Mask(self._core.shape(index)) if mask is None else mask

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
    def driven(self) -> bool:
        """Whether update or end_epoch was called, here or in the run whose state was loaded."""
        return self._updates > 0 or self._core.rises > 0 or self._core.counter > 0

    # State

    def state_dict(self) -> dict[str, Any]:
        """Format, parameters, schedule, figures and masks, by name (docs/formats.md)."""
        if not self._core.initialized:
            raise WrongState("state_dict: the cell is not initialized, call initialize first")
        return self._save()

    def _save(self) -> dict[str, Any]:
        state = self._core.save()
        for number, tensor in enumerate(state["tensors"]):
            tensor["custom"] = number in self._custom
        return state

    def load_state_dict(self, state: dict[str, Any], *, keep_parameters: bool = False) -> None:
        """Continues from a state, bit for bit.

        Args:
            state: What `state_dict` gave, here or in an earlier release, of a cell with tensors of
                the same shapes.
            keep_parameters: Keep this cell's parameters where they differ, and continue from the
                saved threshold.

        Raises:
            InvalidArgument: Another format than this release reads, other parameters (each is
                named), other shapes, a mask that does not fit its count, a tensor that is not
                initialized. Nothing is changed.
        """
        read = read_state(state)
        arrays = self._arrays()  # before anything changes: it raises where a model is compressed
        self._load(read, keep_parameters)
        self._enforce(arrays)

    def _load(self, state: dict[str, Any], keep_parameters: bool) -> None:
        """Without enforcing the masks."""
        self._core.load(state, keep_parameters)
        self._changes += 1
        tensors = enumerate(state["tensors"])
        self._custom = {number for number, tensor in tensors if tensor.get("custom", False)}

    def __deepcopy__(self, memo: dict[int, Any]) -> PruneCell:
        new = PruneCell.__new__(PruneCell)
        memo[id(self)] = new
        for name, value in self.__dict__.items():
            new.__dict__[name] = value.copy() if name == "_core" else deepcopy(value, memo)
        return new

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        tensors = [
            (self._core.shape(t), self._core.name(t)) for t in range(self._core.tensor_count)
        ]
        state["_core"] = (tensors, self._core.save())
        return {"format": FORMAT} | state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = {"format": 1} | state  # the first pickles do not say it
        check_format("pickled PruneCell", state)
        del state["format"]
        later = {"_custom": set(), "_told": set(), "_changes": 0}  # than the first pickles
        self.__dict__.update(later | state)
        tensors, saved = state["_core"]
        self._core = _core.PruneCell(self._parameters.as_dict())
        for shape, name in tensors:
            self._core.add_tensor(shape, name)
        self._core.load(read_pickled(saved))

    # The rest

    def __repr__(self) -> str:
        text = ", ".join(f"{k}={v!r}" for k, v in self._parameters.changed().items())
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

    def _arrays(self) -> list[CellArrays]:
        if not self._sources:
            return self._held
        found = self._held.copy()
        for number, source in self._sources.items():
            arrays = source.arrays()
            if arrays is None:
                self._core.drop_tensor(number)
            else:
                found[number] = arrays
        return found

    def _arrays_to_update(self, batch_size: int) -> list[CellArrays]:
        """Nothing, where all that the update does is to count."""
        if len(self._sources) < len(self._held):
            return self._arrays()
        proofs = [source.is_masked() for source in self._sources.values()]  # all: each serves once
        return [] if all(proofs) and not self._core.due(batch_size) else self._arrays()

    def _index(self, value: object) -> int:
        return parse_index(value, len(self._held))

    def _enforce(self, arrays: list[CellArrays]) -> None:
        self._core.propagate(arrays)
        self._written()

    def _written(self) -> None:
        for source in self._sources.values():
            source.written()

    def _warn_about_parameters(self) -> None:
        if self.prune_mode == "Gradual" and self.start > self.threshold:
            warn(f"start {self.start} lies above threshold {self.threshold}: it is not left")
        if self.ties != "prune" and self.prune_filler != "IterNonStruct":
            warn(f"ties {self.ties!r} has no effect with prune_filler {self.prune_filler!r}")
        given = [name for name, value in self._unused.items() if value is not None]
        if given:
            warn(f"accepted and not used: {', '.join(given)}")


def initialize(cells: list[PruneCell], *, reset: bool = False) -> None:
    """`PruneCell.initialize` for many cells: all of them, or none where one raises."""
    warn_of_dead(known_updates(start(cells, reset=reset)))


def start(cells: list[PruneCell], *, reset: bool = False) -> list[PruneCell]:
    """`initialize` without its warnings. Returns the cells with new figures, to be warned of."""
    news = _core.initialize([(cell._core, cell._arrays()) for cell in cells], reset)
    for cell in cells:
        if reset:
            cell._custom.clear()
        cell._changes += 1
        cell._written()
    return [cells[number] for number in news]


def update(cells: list[PruneCell], batch_size: int) -> None:
    """`PruneCell.update` for many cells: all of them, or none where one raises."""
    size = parse_batch_size(batch_size)
    calls = [(cell._core, cell._arrays_to_update(size)) for cell in cells]
    news = _core.update(calls, size)
    for cell, (_, arrays) in zip(cells, calls, strict=True):
        cell._updates += 1
        cell._changes += 1
        if arrays and cell._sources:
            cell._written()
    warn_of_dead(known_updates(cells[number] for number in news))


def end_epoch(cells: list[PruneCell]) -> None:
    """`PruneCell.end_epoch` for many cells: all of them, or none where one raises."""
    news = _core.end_epoch([(cell._core, cell._arrays()) for cell in cells])
    for cell in cells:
        cell._updates += 1
        cell._changes += 1
        cell._written()
    warn_of_dead(known_updates(cells[number] for number in news))
