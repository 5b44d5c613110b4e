"""`Mask`: one bit per weight, seen as bool array, packed bytes or in the saved form."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any

import axes
import numpy as np
import prunecell
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunecell import Mask


def random_kept(shape: Any, seed: int = 0) -> Any:
    return np.asarray(np.random.default_rng(seed).random(shape) < 0.6)


def saved_form(kept: Any) -> Any:
    """Rows of the first dimension (one for a scalar), each padded to whole bytes with zeros."""
    rows = kept.shape[0] if kept.ndim else 1
    columns = kept.size // rows if rows else 0
    return np.packbits(kept.reshape(rows, columns), axis=1, bitorder="little")


@pytest.mark.parametrize("shape", axes.SHAPES, ids=str)
def test_a_new_mask_keeps_all(shape: tuple[int, ...]) -> None:
    mask = Mask(shape)
    assert (mask.shape, mask.size, mask.zeros) == (shape, int(np.prod(shape)), 0)
    assert mask.to_array().all()
    assert mask.to_array().shape == shape


@pytest.mark.parametrize("size", axes.SIZES)
def test_packed_bytes_are_the_bits_least_significant_first(size: int) -> None:
    kept = random_kept(size)
    packed = Mask.from_array(kept).packed
    assert packed.dtype == np.uint8
    assert np.array_equal(packed, np.packbits(kept, bitorder="little"))


def test_packed_bytes_are_a_live_read_only_view() -> None:
    weights = axes.weights("normal", "float32", 1000)
    mask = Mask((1000,))
    packed = mask.packed
    assert packed.all()
    assert not packed.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        packed[0] = 0
    prunecell.build_mask(weights, threshold=0.5, delta=0.01, out=mask)
    assert np.array_equal(packed, np.packbits(mask.to_array(), bitorder="little"))


def test_packed_bytes_keep_the_mask_alive() -> None:
    kept = random_kept(5000)
    packed = Mask.from_array(kept).packed
    gc.collect()
    _ = [Mask((5000,)) for _ in range(50)]  # would take freed memory
    assert np.array_equal(packed, np.packbits(kept, bitorder="little"))


@pytest.mark.parametrize("columns", range(1, 34))
@pytest.mark.parametrize("rows", [1, 2, 3, 9])
def test_saved_rows_are_padded_to_whole_bytes(rows: int, columns: int) -> None:
    kept = random_kept((rows, columns))
    mask = Mask.from_array(kept)
    saved = mask.saved()
    assert saved.dtype == np.uint8
    assert saved.shape == (rows, (columns + 7) // 8)
    assert np.array_equal(saved, saved_form(kept))
    assert Mask.from_saved(saved, (rows, columns)) == mask


@pytest.mark.parametrize("shape", axes.SHAPES, ids=str)
def test_any_shape_survives_the_saved_form(shape: tuple[int, ...]) -> None:
    kept = random_kept(shape)
    mask = Mask.from_array(kept)
    assert np.array_equal(mask.to_array(), kept)
    assert mask.saved().size == saved_form(kept).size
    again = Mask.from_saved(mask.saved(), shape)
    assert np.array_equal(again.to_array(), kept)


def test_padding_bits_are_ignored() -> None:
    mask = Mask.from_saved(np.full((3, 2), 0xFF, dtype=np.uint8), (3, 9))
    assert mask == Mask((3, 9))
    assert mask.saved().tolist() == [[0xFF, 0x01]] * 3
    assert mask.zeros == 0


@pytest.mark.parametrize("shape", [(2, 1), (4, 2), (3, 3), (0, 2)])
def test_a_saved_form_of_another_size_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(prunecell.InvalidArgument, match="saved mask: expected 6 bytes, got"):
        Mask.from_saved(np.zeros(shape, dtype=np.uint8), (3, 9))


@pytest.mark.parametrize("shape", [(-1,), (2, -3)])
def test_negative_extents_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(prunecell.InvalidArgument, match="shape: expected 0 or more, got -"):
        Mask(shape)


def test_more_elements_than_64_bits_count_are_refused() -> None:
    with pytest.raises(prunecell.InvalidArgument, match="shape"):
        Mask((2**40, 2**40))


def test_from_array_takes_bool_of_any_order() -> None:
    kept = random_kept((9, 14))
    for view in (kept.T, np.asfortranarray(kept), kept[::2, ::-3]):
        assert np.array_equal(Mask.from_array(view).to_array(), view)


@pytest.mark.parametrize("wrong", [np.ones(3), np.ones(3, dtype=np.uint8)])
def test_from_array_takes_nothing_but_bool(wrong: Any) -> None:
    with pytest.raises(TypeError):
        Mask.from_array(wrong)


def test_numpy_reads_a_mask_as_a_new_bool_array() -> None:
    kept = random_kept((4, 5))
    mask = Mask.from_array(kept)
    read = np.asarray(mask)
    assert read.dtype == bool
    assert np.array_equal(read, kept)
    read[:] = False  # a copy: the mask stays
    assert np.array_equal(np.array(mask), kept)
    assert np.asarray(mask, dtype=np.float32).dtype == np.float32
    assert np.array_equal(mask.__array__(np.dtype(np.uint8)), kept)
    assert len(mask) == 4


def test_numpy_cannot_have_the_bits_without_a_copy() -> None:
    with pytest.raises(ValueError, match="packed"):
        Mask((3,)).__array__(copy=False)


@pytest.mark.parametrize(
    "road", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), lambda m: m.copy()]
)
@pytest.mark.parametrize("shape", axes.SHAPES, ids=str)
def test_copies_have_bits_of_their_own(shape: tuple[int, ...], road: Any) -> None:
    kept = random_kept(shape)
    mask = Mask.from_array(kept)
    other = road(mask)
    assert other is not mask
    assert other == mask
    if kept.size:
        prunecell.build_mask(np.zeros(shape), threshold=0, out=other)
        assert other.zeros == kept.size
    assert np.array_equal(mask.to_array(), kept)


def test_equality_compares_shape_and_bits() -> None:
    kept = random_kept((6, 7))
    mask = Mask.from_array(kept)
    assert mask == Mask.from_array(kept)
    assert mask != Mask.from_array(~kept)
    assert mask != Mask.from_array(kept.reshape(7, 6))
    assert mask != "mask"
    with pytest.raises(TypeError, match="unhashable"):
        hash(mask)


def test_the_repr_tells_shape_and_zeros() -> None:
    assert repr(Mask.from_array(np.array([[True, False]]))) == "Mask(shape=(1, 2), zeros=1 of 2)"


@given(
    st.lists(st.integers(0, 9), max_size=4).flatmap(
        lambda shape: st.tuples(st.just(tuple(shape)), st.integers(0, 2**32))
    )
)
def test_bits_survive_every_form(drawn: tuple[tuple[int, ...], int]) -> None:
    shape, seed = drawn
    kept = random_kept(shape, seed)
    mask = Mask.from_array(kept)
    assert mask.zeros == int((~kept).sum())
    assert np.array_equal(np.asarray(mask), kept)
    assert Mask.from_saved(mask.saved(), shape) == mask
    unpacked = np.unpackbits(mask.packed, count=mask.size, bitorder="little")
    assert np.array_equal(unpacked.reshape(shape), kept)
