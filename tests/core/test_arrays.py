"""Arrays that are accepted: numpy of the four float types, and whatever speaks DLPack."""

from __future__ import annotations

import sys
from typing import Any

import axes
import numpy as np
import oracle
import prunecell
import pytest
from axes import bits
from prunecell import Mask, PruneCell


class Versioned:
    """A foreign array: all it has is DLPack, forwarded from numpy."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape = array.shape

    def __dlpack__(self, **given: Any) -> Any:
        return self._array.__dlpack__(**given)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


class Unversioned(Versioned):
    """A producer from before DLPack 1.0: no keyword, no read-only flag."""

    def __dlpack__(self) -> Any:  # type: ignore[override]
        return self._array.__dlpack__()


class Learning(Versioned):
    """Raises like a torch tensor that learns, where torch has no exchange API yet."""

    requires_grad = True

    def __dlpack__(self, **given: Any) -> Any:
        raise BufferError("can't export tensors that require gradient")

    def detach(self) -> Versioned:
        return Versioned(self._array)


class Refusing(Versioned):
    """Refuses to give its memory out, for a reason of its own."""

    def __dlpack__(self, **given: Any) -> Any:
        raise BufferError("the memory lies elsewhere")


NUMPY_LENDS_READ_ONLY = np.lib.NumpyVersion(np.__version__) >= "2.1.0"
PRODUCERS = [Versioned, Unversioned, Learning]
DLPACK_DTYPES = ["float16", "float32", "float64"]  # numpy cannot export ml_dtypes' bfloat16


@pytest.mark.parametrize("producer", PRODUCERS)
@pytest.mark.parametrize("dtype", DLPACK_DTYPES)
@pytest.mark.parametrize("shape", axes.SHAPES, ids=str)
def test_dlpack_memory_is_viewed(shape: tuple[int, ...], dtype: str, producer: Any) -> None:
    weights = axes.weights("normal", dtype, shape)
    expected = oracle.iter_nonstruct(weights, 0.5, 0.01)
    foreign = producer(weights)
    mask = prunecell.build_mask(foreign, threshold=0.5, delta=0.01)
    assert np.array_equal(mask.to_array(), expected.kept)
    before = weights.copy()
    assert prunecell.apply_mask(foreign, mask) is foreign
    assert np.array_equal(bits(weights), bits(oracle.applied(before, expected.kept)))


@pytest.mark.skipif(not NUMPY_LENDS_READ_ONLY, reason="numpy refuses itself")
def test_the_read_only_flag_of_dlpack_is_honoured() -> None:
    weights = axes.weights("normal", "float32", 50)
    weights.flags.writeable = False
    foreign = Versioned(weights)
    mask = prunecell.build_mask(foreign, threshold=0.5, delta=0.01)
    with pytest.raises(prunecell.InvalidArgument, match=r"weights\[0\]: expected writable"):
        prunecell.apply_mask(foreign, mask)
    with pytest.raises(prunecell.InvalidArgument, match="weights: expected writable"):
        PruneCell().add_weights(foreign)


@pytest.mark.parametrize("producer", PRODUCERS)
def test_every_capsule_is_given_back(producer: Any) -> None:
    weights = np.ones(100, dtype=np.float32)
    before = sys.getrefcount(weights)
    for _ in range(20):
        prunecell.count_zeros(producer(weights))
        with pytest.raises(prunecell.InvalidArgument):
            prunecell.apply_mask(producer(weights), Mask((99,)))
    assert sys.getrefcount(weights) == before


def test_channels_last_memory_is_ordinary_input() -> None:
    images = np.ascontiguousarray(axes.weights("normal", "float32", (4, 3, 3, 5)))  # N, H, W, C
    weights = images.transpose(0, 3, 1, 2)
    expected = oracle.iter_nonstruct(np.ascontiguousarray(weights), 0.5, 0.01)
    foreign = Versioned(weights)
    mask = prunecell.rebuild_and_apply(foreign, threshold=0.5, delta=0.01)
    assert mask.shape == (4, 5, 3, 3)
    assert np.array_equal(mask.to_array(), expected.kept)
    assert np.array_equal(weights == 0, ~expected.kept)


def test_a_transposed_matrix_is_ordinary_input() -> None:
    memory = axes.weights("normal", "float64", (70, 33))
    expected = oracle.iter_nonstruct(np.ascontiguousarray(memory.T), 0.3, 0.01)
    mask = prunecell.build_mask(Versioned(memory.T), threshold=0.3, delta=0.01)
    assert np.array_equal(mask.to_array(), expected.kept)


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::2],
        lambda a: a[:, ::3],
        lambda a: a[:, :5],
        lambda a: np.broadcast_to(a[0], (9, 12)),
    ],
)
def test_memory_with_gaps_is_refused(view: Any) -> None:
    array = view(np.ones((8, 12), dtype=np.float32))
    with pytest.raises(prunecell.InvalidArgument, match="C-contiguous"):
        prunecell.build_mask(array)
    if array.flags.writeable or NUMPY_LENDS_READ_ONLY:
        with pytest.raises(prunecell.InvalidArgument, match="expected dense memory"):
            prunecell.build_mask(Versioned(array))


def test_numpy_arrays_are_c_contiguous() -> None:
    with pytest.raises(prunecell.InvalidArgument, match=r"weights\[0\]: .*ascontiguousarray"):
        prunecell.build_mask(np.asfortranarray(np.ones((3, 4))))
    assert prunecell.build_mask(np.asfortranarray(np.ones((1, 4)))).shape == (1, 4)  # is both


def test_zero_d_arrays_and_empty_ones_are_arrays() -> None:
    for shape in ((), (0,), (3, 0, 2)):
        weights = np.ones(shape, dtype=np.float32)
        mask = prunecell.build_mask(weights, threshold=1.0, delta=0.5)
        assert (mask.shape, mask.zeros) == (shape, weights.size)


def test_a_subclass_of_ndarray_is_an_array() -> None:
    class Tagged(np.ndarray[Any, Any]):
        pass

    weights = np.linspace(0, 1, 10).view(Tagged)
    assert prunecell.build_mask(weights, threshold=0.5).zeros == 5


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "complex64", "longdouble", "object"])
def test_other_element_types_are_refused_by_name(dtype: str) -> None:
    weights = np.zeros(4, dtype=dtype)
    expected = "expected dtype float16, bfloat16, float32 or float64, got " + weights.dtype.name
    with pytest.raises(prunecell.InvalidType, match=expected):
        prunecell.build_mask(weights)
    with pytest.raises(prunecell.InvalidType, match=r"^weights: " + expected):
        PruneCell().add_weights(weights)


def test_other_element_types_are_refused_from_dlpack_too() -> None:
    with pytest.raises(prunecell.InvalidType, match="got with 32 bits of DLPack type code 0"):
        prunecell.build_mask(Versioned(np.zeros(4, dtype=np.int32)))


def test_a_producer_that_refuses_is_named() -> None:
    words = r"weights\[0\]: expected memory that __dlpack__ gives out, got BufferError: the mem"
    with pytest.raises(prunecell.InvalidArgument, match=words):
        prunecell.build_mask(Refusing(np.zeros(4, dtype=np.float32)))


def test_the_other_byte_order_is_refused() -> None:
    weights = np.ones(4, dtype=np.dtype(np.float32).newbyteorder())
    with pytest.raises(prunecell.InvalidArgument, match="native byte order"):
        prunecell.build_mask(weights)


@pytest.mark.parametrize("thing", ["weights", 3.5, None, {"a": 1}, object()])
def test_what_is_no_array_is_refused_by_its_type(thing: Any) -> None:
    words = f"weights: expected a numpy array or .*__dlpack__, got {type(thing).__name__}"
    with pytest.raises(prunecell.InvalidType, match=words):
        PruneCell().add_weights(thing)
    with pytest.raises(prunecell.InvalidType, match=r"weights\[0\]: expected"):
        prunecell.count_zeros(thing)


def test_a_cell_names_the_array_that_does_not_fit() -> None:
    weights = np.ones((2, 3), dtype=np.float32)
    cell = PruneCell(prune_mode="Static")
    with pytest.raises(prunecell.InvalidArgument, match=r"diff_weights: .*\(2, 3\), got \(3, 2\)"):
        cell.add_weights(weights, np.ones((3, 2), dtype=np.float32))
    read_only = weights.copy()
    read_only.flags.writeable = False
    with pytest.raises(prunecell.InvalidArgument, match=r"^weights: expected writable"):
        cell.add_weights(read_only)
    with pytest.raises(prunecell.InvalidArgument, match=r"^diff_weights: expected writable"):
        cell.add_weights(weights, read_only)
    cell.initialize()
    assert not cell.initialized  # nothing was added


def test_out_of_place_read_only_weights_are_fine() -> None:
    weights = axes.weights("normal", "float32", (5, 8))
    weights.flags.writeable = False
    cell = PruneCell(prune_mode="Static", threshold=0.5, in_place=False)
    cell.add_weights(weights)
    cell.initialize()
    assert prunecell.count_zeros(cell.get_quantized_weights(0)) == 20


def test_bfloat16_is_known_by_the_name_of_its_dtype() -> None:
    weights = axes.weights("beside_grid", "bfloat16", (7, 9))
    cell = PruneCell(prune_mode="Static", prune_filler="IterNonStruct", threshold=0.4, delta=0.01)
    cell.add_weights(weights)
    cell.initialize()
    expected = oracle.iter_nonstruct(axes.weights("beside_grid", "bfloat16", (7, 9)), 0.4, 0.01)
    assert np.array_equal(cell.get_pruned_masks(0), expected.kept)
