"""The filler Random: its draw is that of the definition, uniform and repeatable."""

from __future__ import annotations

from typing import Any

import axes
import numpy as np
import oracle
import prunecell
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prunecell import Mask, PruneCell, _core

pytestmark = pytest.mark.usefixtures("device")

# Found by a search over seeds: elements FIRST and SECOND of SIZE share a key.
TIE = {"seed": 12, "size": 20_000}
FIRST, SECOND = 3651, 9579


def random_mask(size: Any, threshold: float, seed: int = 0, **more: Any) -> Mask:
    weights = np.ones(size, dtype=np.float16)  # never looked at
    mask: Mask = prunecell.build_mask(
        weights, filler="Random", threshold=threshold, seed=seed, **more
    )
    return mask


@pytest.mark.parametrize("seed", [0, 1, 2**32, 2**64 - 1])
@pytest.mark.parametrize("size", axes.SIZES)
def test_the_draw_is_that_of_the_definition(size: int, seed: int) -> None:
    for threshold in (0.0, 1e-7, 0.2, 0.5, 0.99, 1.0):
        expected = oracle.random((size,), threshold, seed)
        assert np.array_equal(random_mask(size, threshold, seed).to_array(), expected.kept)


@pytest.mark.parametrize("shape", axes.SHAPES, ids=str)
def test_only_the_logical_index_matters(shape: tuple[int, ...]) -> None:
    size = int(np.prod(shape))
    shaped, flat = random_mask(shape, 0.4, 5).to_array(), random_mask(size, 0.4, 5).to_array()
    assert np.array_equal(shaped.reshape(-1), flat)


@pytest.mark.parametrize("size", [1, 64, 65, 2049, 30_000])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95, 1.0])
def test_zeros_are_only_added(size: int, share: float) -> None:
    old = np.random.default_rng(1).random(size) >= share
    for threshold in (0.0, 0.05, 0.5, 0.94, 1.0):
        expected = oracle.random((size,), threshold, 9, old=old)
        fresh = random_mask(size, threshold, 9, old=Mask.from_array(old))
        assert np.array_equal(fresh.to_array(), expected.kept)
        assert fresh.zeros == max(int((~old).sum()), oracle.need(size, threshold))
        same = Mask.from_array(old)
        assert random_mask(size, threshold, 9, old=same, out=same) is same
        assert same == fresh


def test_weights_are_not_looked_at() -> None:
    strange = np.array([np.nan, np.inf, 0.0, 1.0] * 100, dtype=np.float32)
    mask = prunecell.build_mask(strange, filler="Random", threshold=0.5)
    assert mask == random_mask(400, 0.5)


def test_arrays_of_a_list_draw_apart() -> None:
    masks = prunecell.build_mask([np.ones(500)] * 3, filler="Random", threshold=0.5, seed=4)
    for tensor, mask in enumerate(masks):
        assert np.array_equal(mask, oracle.random((500,), 0.5, 4, tensor=tensor).kept)
    assert masks[0] != masks[1] != masks[2]


def chi_square(counts: Any, expected: float, share: float) -> float:
    """Chi-squared of draws without replacement: a count has variance expected * (1 - share)."""
    return float(((counts - expected) ** 2).sum() / (expected * (1 - share)))


def test_every_position_is_as_likely() -> None:
    size, draws, share = 64, 4000, 0.25
    pruned = np.zeros(size)
    for seed in range(draws):
        pruned += ~random_mask(size, share, seed).to_array()
    # 63 degrees of freedom: beyond 120 once in 50 000 sets of seeds.
    assert chi_square(pruned, draws * share, share) < 120


def test_every_region_of_a_large_tensor_is_as_likely() -> None:
    size, regions, share = 2**20, 64, 0.5
    pruned = ~random_mask(size, share, 77).to_array()
    counts = pruned.reshape(regions, -1).sum(axis=1)
    assert chi_square(counts, size * share / regions, share) < 120


def test_rises_of_a_cell_draw_apart_and_seeds_repeat() -> None:
    def masks(seed: int) -> list[Any]:
        cell = PruneCell(
            prune_mode="Gradual", start=0.2, gamma=0.2, threshold=0.6, stepsize=1, seed=seed
        )
        cell.add_weights(np.ones(3000))
        cell.initialize()
        found = [cell.get_pruned_masks(0).to_array()]
        for _ in range(2):
            cell.update(1)
            found.append(cell.get_pruned_masks(0).to_array())
        return found

    first = masks(8)
    kept = None
    for rise, mask in enumerate(first):
        share = float(np.float32(0.2) * np.float32(rise + 1))
        kept = oracle.random((3000,), share, 8, rise=rise, old=kept).kept
        assert np.array_equal(mask, kept)
    assert all(np.array_equal(a, b) for a, b in zip(first, masks(8), strict=True))
    assert not np.array_equal(first[0], masks(9)[0])


def thresholds_at_the_tie(old: Any) -> list[float]:
    """Shares that take neither, the first, and both of the two elements that share a key."""
    keys = oracle.random_keys(TIE["size"], TIE["seed"])
    assert keys[FIRST] == keys[SECOND]
    kept = np.ones(TIE["size"], dtype=bool) if old is None else old
    before = int((keys[kept] < keys[FIRST]).sum()) + int((~kept).sum())
    shares = [float(np.float32(count / TIE["size"])) for count in range(before, before + 3)]
    assert [oracle.need(TIE["size"], s) for s in shares] == [before, before + 1, before + 2]
    return shares


@pytest.mark.parametrize("aliased", [False, True], ids=["apart", "in place"])
@pytest.mark.parametrize("old_step", [0, 2, 4], ids=lambda step: f"old-{step}")
def test_of_two_equal_keys_the_lower_index_goes_first(old_step: int, aliased: bool) -> None:
    index = np.arange(TIE["size"])
    old = index % old_step > 0 if old_step else None  # keeps both: they are odd
    fates = []
    for share in thresholds_at_the_tie(old):
        given = None if old is None else Mask.from_array(old)
        out = (given or Mask((TIE["size"],))) if aliased else None
        mask = random_mask(TIE["size"], share, TIE["seed"], old=given, out=out).to_array()
        assert np.array_equal(mask, oracle.random((TIE["size"],), share, TIE["seed"], old=old).kept)
        fates.append((bool(mask[FIRST]), bool(mask[SECOND])))
    assert fates == [(True, True), (False, True), (False, False)]


def test_a_pruned_element_takes_no_part_in_a_tie() -> None:
    old = np.ones(TIE["size"], dtype=bool)
    old[FIRST] = False
    for share in thresholds_at_the_tie(old):
        mask = random_mask(TIE["size"], share, TIE["seed"], old=Mask.from_array(old))
        expected = oracle.random((TIE["size"],), share, TIE["seed"], old=old)
        assert np.array_equal(mask, expected.kept)


@given(
    n=st.integers(0, 300),
    threshold=st.floats(0, 1, width=32),
    seed=st.integers(0, 2**64 - 1),
    data=st.data(),
)
def test_any_size_any_share_any_old_mask(
    n: int, threshold: float, seed: int, data: st.DataObject
) -> None:
    old = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=bool)
    mask = random_mask(n, threshold, seed, old=Mask.from_array(old))
    assert np.array_equal(mask, oracle.random((n,), threshold, seed, old=old).kept)


@given(seed=st.integers(0, 2**64 - 1), name=st.text())
def test_names_give_seeds_by_the_written_hash(seed: int, name: str) -> None:
    assert _core.derive_seed(seed, name) == oracle.derive_seed(seed, name)
