"""`CellTensors`: the tensors of a `PruneCell`, where their memory lies, and their masks."""

from __future__ import annotations

from prunecell import _core
from prunecell._core import Mask
from prunecell.arguments import parse_index
from prunecell.ops import empty_twin
from prunecell.parameters import Parameters
from prunecell.sources import NO_ARRAYS, Array, CellArrays, HeldArrays, TensorSource


class CellTensors:
    """Base of `PruneCell`: all that concerns single tensors, and what adapters build on."""

    def __init__(self, parameters: Parameters) -> None:
        self._chosen = parameters
        self._core = _core.PruneCell(parameters.as_dict())
        self._sources: dict[int, TensorSource] = {}
        self._biases: list[Array] = []
        self._custom: set[int] = set()  # tensors whose masks were set, not built by the filler
        self._told: set[tuple[int, bool]] = set()  # see warn_of_dead
        self._updates = 0
        self._changes = 0

    @property
    def parameters(self) -> Parameters:
        """All parameters. Two cells of equal ones prune equal weights alike."""
        return self._chosen

    # Tensors

    def add_weights(self, weights: Array, diff_weights: Array = None) -> int:
        """Adds a tensor and returns its number. Arrays are viewed, never copied, and kept alive.

        Args:
            weights: See `prunecell.ops`; writable where `in_place`.
            diff_weights: Gradient of the weights, of their shape, writable; None: there is none.
        """
        in_place = self._chosen.in_place
        shape = _core.check_array(weights, "weights", write=in_place)
        if diff_weights is not None:
            diff_shape = _core.check_array(diff_weights, "diff_weights", write=True)
            if diff_shape != shape:
                raise _core.InvalidArgument(
                    f"diff_weights: expected the shape of the weights {shape}, got {diff_shape}"
                )
        pruned = None if in_place else empty_twin(weights, shape)
        return self.add_source(HeldArrays((weights, diff_weights, pruned)), shape)

    def add_biases(self, biases: Array, diff_biases: Array = None) -> None:
        """Takes note of biases, which are never pruned."""
        self._biases.append(biases)

    def get_quantized_biases(self, index: int = 0) -> Array:
        """The biases, as they were added."""
        return self._biases[index]

    def add_source(self, source: TensorSource, shape: tuple[int, ...], name: str = "") -> int:
        """Adds a tensor whose memory `source` finds at each call; for adapters of frameworks.

        Args:
            source: Where the memory lies.
            shape: The shape of the weights, which they keep.
            name: The name of the tensor in errors and warnings; the Random filler draws from a hash
                of seed and name. "": its number is its name.

        Returns:
            The number of the tensor, which may be that of a tensor that is gone.
        """
        for number, other in self._sources.items():
            if other.gone:
                self._core.drop_tensor(number)
        number = self._core.add_tensor(shape, name)
        self._sources[number] = source
        self._custom.discard(number)
        self._told -= {(number, False), (number, True)}
        return number

    def replace_source(self, index: int, source: TensorSource) -> None:
        """From now on `source` finds the memory of a tensor: for the copies of an owner."""
        self._sources[self._index(index)] = source

    def source(self, index: int) -> TensorSource | None:
        """What finds the memory of a tensor; None where the tensor was dropped."""
        return self._sources.get(self._index(index))

    def drop_tensor(self, index: int) -> None:
        """Takes a tensor out. Its weights stay as they are; its number may go to another one."""
        number = self._index(index)
        self._core.drop_tensor(number)
        self._sources.pop(number, None)

    @property
    def tensor_count(self) -> int:
        """How many numbers the tensors have, those that were dropped included."""
        return self._core.tensor_count

    def shape(self, index: int = 0) -> tuple[int, ...]:
        """The shape of a tensor."""
        return self._core.shape(self._index(index))

    def name(self, index: int = 0) -> str:
        """The name that a tensor was added with; "": none."""
        return self._core.name(self._index(index))

    # Masks

    def mask(self, index: int = 0) -> Mask | None:
        """The mask of a tensor as the cell has it; for adapters that enforce it themselves.

        The object keeps its identity and its memory when the mask changes. None: there is no mask
        yet, or the mode is Identity.
        """
        return self._core.mask(self._index(index))

    def is_custom(self, index: int = 0) -> bool:
        """Whether the mask of a tensor was set by `set_pruned_masks`, here or before a load."""
        return self._index(index) in self._custom

    @property
    def changes(self) -> int:
        """How often masks or schedule may have changed, counted in this process.

        A follower looks at the cell again when the number is another.
        """
        return self._changes

    def wait(self) -> None:
        """Waits for what devices still do to the masks, and raises what went wrong there."""
        self._core.wait()

    def _arrays(self) -> list[CellArrays]:
        found = [NO_ARRAYS] * self._core.tensor_count
        for number, source in self._sources.items():
            arrays = source.arrays()
            if arrays is None:
                self._core.drop_tensor(number)
            else:
                found[number] = arrays
        return found

    def _is_masked(self) -> bool:
        """Whether nothing has written the weights since they were masked. Asked once per update."""
        masked = True
        for source in self._sources.values():
            masked = source.is_masked() and masked  # ask all: each answer serves once
        return masked

    def _enforce(self, arrays: list[CellArrays]) -> None:
        self._core.propagate(arrays)
        self._written()

    def _written(self) -> None:
        for source in self._sources.values():
            source.written()

    def _index(self, value: object) -> int:
        return parse_index(value, self._core.tensor_count)
