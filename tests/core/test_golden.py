"""Every binding case of the golden data, bit for bit."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import golden
import numpy as np
import oracle
import prunecell
import pytest
from axes import bits
from cells_setup import all_may_go
from prunecell import PruneCell

pytestmark = [pytest.mark.usefixtures("device"), all_may_go]

MASKS = [c["id"] for c in golden.MANIFEST["iter_nonstruct"] if c["id"] not in golden.REFUSED_MASKS]
SCHEDULES = [c["id"] for c in golden.MANIFEST["schedules"] if c["id"] not in golden.OTHER_SCHEDULES]


def test_the_folder_is_complete() -> None:
    counts = {
        name: len(golden.MANIFEST[name]) for name in ("iter_nonstruct", "random", "schedules")
    }
    assert counts == {"iter_nonstruct": 57, "random": 10, "schedules": 20}
    assert len(golden.MANIFEST["never_returns"]) == 7
    assert len(golden.MANIFEST["export_text"]) == 4


def static_cell(weights: np.ndarray[Any, Any], case: dict[str, Any]) -> PruneCell:
    cell = PruneCell(
        prune_mode="Static",
        prune_filler="IterNonStruct",
        threshold=float(case["threshold"]),
        delta=float(case["delta"]),
    )
    cell.add_weights(weights)
    return cell


@pytest.mark.parametrize("name", MASKS)
def test_masks_and_levels_of_iter_nonstruct_match(name: str) -> None:
    case = golden.by_id("iter_nonstruct", name)
    arrays = golden.load(case)
    weights = arrays["weights"].copy()
    cell = static_cell(weights, case)
    cell.initialize()
    mask = cell.get_pruned_masks(0).to_array()
    assert sha256(mask.astype(np.uint8).tobytes()).hexdigest() == case["mask_sha256"]
    figures = cell.figures(0)
    assert (figures.level, figures.zeros) == (case["k"], case["zeros"])
    assert np.array_equal(bits(weights), bits(oracle.applied(arrays["weights"], mask)))
    limit = np.float32(float.fromhex(case["limit_f32_hex"]))
    assert oracle.limit(float(case["delta"]), case["k"]) == limit

    plain = prunecell.build_mask(
        arrays["weights"], threshold=float(case["threshold"]), delta=float(case["delta"])
    )
    assert plain == cell.get_pruned_masks(0)


@pytest.mark.parametrize("name", golden.REFUSED_MASKS)
def test_what_the_reference_takes_for_granted_is_refused(name: str) -> None:
    case = golden.by_id("iter_nonstruct", name)
    weights = golden.load(case)["weights"]
    wrong = "threshold" if "threshold" in name else "delta"
    with pytest.raises(prunecell.InvalidArgument, match=f"{wrong}: expected .*got {case[wrong]}$"):
        static_cell(weights, case)


@pytest.mark.parametrize("case", golden.MANIFEST["random"], ids=lambda case: case["id"])
def test_random_prunes_as_many_weights(case: dict[str, Any]) -> None:
    threshold = float(case["threshold"])
    weights = np.ones(case["size"], dtype=np.float32)
    old = prunecell.Mask.from_array(golden.load(case)["mask_in"].astype(bool))
    assert old.zeros == case["zeros_before"]
    if threshold < 0:
        with pytest.raises(prunecell.InvalidArgument, match="threshold"):
            prunecell.build_mask(weights, filler="Random", threshold=threshold, old=old)
        return
    mask = prunecell.build_mask(
        weights, filler="Random", threshold=threshold, old=old, seed=case["seed"]
    )
    # The reference rounds t * n up in float32: one weight too many at n = 100, t = 0.15.
    expected = 15 if case["id"] == "random_1" else case["zeros"]
    assert mask.zeros == expected
    assert not (mask.to_array() & ~old.to_array()).any()


def traced_cell(case: dict[str, Any], arrays: dict[str, Any]) -> tuple[PruneCell, Any, list[Any]]:
    """An out-of-place cell, the flat memory of all its weights, and views of its tensors."""
    first = [arrays[name] for name in sorted(arrays) if name.startswith("weights0")]
    flat = np.concatenate([tensor.reshape(-1) for tensor in first])
    given = case["params"]
    numbers = {k: float(given[k]) for k in ("threshold", "delta", "start", "gamma") if k in given}
    cell = PruneCell(
        prune_mode=given["mode"],
        prune_filler=given["filler"],
        stepsize=int(given["stepsize"]),
        in_place=False,
        **numbers,
    )
    views, start = [], 0
    for shape in case["shapes"]:
        stop = start + int(np.prod(shape))
        views.append(flat[start:stop].reshape(shape))
        cell.add_weights(views[-1])
        start = stop
    return cell, flat, views


def masks_of(cell: PruneCell, views: list[Any]) -> Any:
    found = [cell.get_pruned_masks(t).to_array().reshape(-1) for t in range(len(views))]
    return np.concatenate(found).astype(np.uint8)


def assert_record(cell: PruneCell, record: dict[str, Any], masks: Any, filler: str) -> None:
    assert cell.get_current_threshold() == float.fromhex(record["current_threshold_f32_hex"])
    assert int((masks == 0).sum()) == record["zeros"]
    if filler != "Random":  # its positions are not normative
        assert sha256(masks.tobytes()).hexdigest() == record["mask_sha256"]
    if "k" in record and cell.prune_mode != "Identity":
        assert cell.figures(0).level == record["k"]


def batch_size(case: dict[str, Any], step: int) -> int:
    batches = case["batches"]
    return int(batches[min(step, len(batches)) - 1])


def set_weights(arrays: dict[str, Any], flat: Any, step: int) -> None:
    if "wseq" in arrays:
        later = arrays["wseq"]
        flat[:] = later[min(step, len(later)) - 1].reshape(-1)


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_follow_the_reference_bit_for_bit(
    name: str, recwarn: pytest.WarningsRecorder
) -> None:
    case = golden.by_id("schedules", name)
    arrays = golden.load(case)
    cell, flat, views = traced_cell(case, arrays)
    records = {record["step"]: record for record in case["records"]}
    filler = case["params"]["filler"]
    epoch = int(case["params"].get("logsteps", 0))
    samples = 0
    cell.initialize()
    previous = masks_of(cell, views)
    assert_record(cell, records[0], previous, filler)
    for step in range(1, case["steps"] + 1):
        set_weights(arrays, flat, step)
        before = cell.get_current_threshold()
        cell.propagate()
        cell.back_propagate()
        cell.update(batch_size(case, step))
        samples += batch_size(case, step)
        if epoch and samples >= epoch:  # the reference counts an epoch's samples itself
            samples -= epoch
            cell.end_epoch()
        masks = masks_of(cell, views)
        if step in records:
            assert_record(cell, records[step], masks, filler)
            came_back = int(((masks == 1) & (previous == 0)).sum())
            assert filler == "Random" or came_back == records[step]["came_back"]
        else:
            assert cell.get_current_threshold() == before
            assert np.array_equal(masks, previous)
        for t, view in enumerate(views):
            kept = cell.get_pruned_masks(t).to_array()
            expected = oracle.applied(view, kept)
            assert np.array_equal(bits(cell.get_quantized_weights(t)), bits(expected))
        previous = masks
    assert [str(w.message)[:5] for w in recwarn] == (["start"] if name == "start_above" else [])


def drive(name: str, **changes: str) -> tuple[list[float], list[int], list[Any]]:
    """Thresholds and zeros at initialize and after each step, and the masks."""
    case = golden.by_id("schedules", name)
    case = case | {"params": case["params"] | changes}
    arrays = golden.load(case)
    cell, flat, views = traced_cell(case, arrays)
    cell.initialize()
    thresholds, masks = [cell.get_current_threshold()], [masks_of(cell, views)]
    for step in range(1, case["steps"] + 1):
        set_weights(arrays, flat, step)
        cell.update(batch_size(case, step))
        thresholds.append(cell.get_current_threshold())
        masks.append(masks_of(cell, views))
    return thresholds, [int((m == 0).sum()) for m in masks], masks


def test_the_batch_size_of_each_update_counts_not_that_of_the_first() -> None:
    thresholds, _, _ = drive("batch_fixed")  # batches 32, 1, 128, then 7; step size 64
    rises = [step for step in range(1, 17) if thresholds[step] != thresholds[step - 1]]
    assert rises == [3, 4, 8]  # the counter before each: 161, 97 + 7, 40 + 4 * 7
    assert thresholds[-1] == float(np.float32(0.4))


def test_without_a_step_size_updates_do_not_rise() -> None:
    thresholds, zeros, _ = drive("stepsize0_logsteps0")
    assert set(thresholds) == {float(np.float32(0.1))}
    assert len(set(zeros)) == 1


def test_a_sum_one_ulp_below_the_threshold_is_the_threshold() -> None:
    case = golden.by_id("schedules", "float_sum")
    thresholds, zeros, masks = drive("float_sum")
    records = case["records"]
    for step in range(5):  # so far the reference's sum, bit for bit
        assert thresholds[step] == float.fromhex(records[step]["current_threshold_f32_hex"])
    assert thresholds[5] == float(np.float32(0.8))  # the reference needs update 6 for that
    assert records[5]["current_threshold"] < thresholds[5]
    assert zeros[5] == records[6]["zeros"]
    assert sha256(masks[5].tobytes()).hexdigest() == records[6]["mask_sha256"]


def test_identity_prunes_nothing_not_even_zeros() -> None:
    thresholds, zeros, _ = drive("identity_iter")
    assert set(thresholds) == {0.0}
    assert set(zeros) == {0}


def test_a_negative_gamma_is_refused() -> None:
    with pytest.raises(prunecell.InvalidArgument, match=r"gamma: expected .*got -0\.1$"):
        drive("gamma_negative")


def test_the_filler_none_keeps_all_while_the_threshold_starts_at_start() -> None:
    thresholds, zeros, _ = drive("filler_none")
    assert thresholds[:3] == [float(np.float32(x)) for x in (0.1, 0.2, 0.3)]
    assert set(zeros) == {0}


@pytest.mark.parametrize(
    "case", golden.MANIFEST["never_returns"], ids=lambda case: case["description"].replace(" ", "-")
)
def test_what_never_returns_in_the_reference_raises_or_works(case: dict[str, Any]) -> None:
    weights = np.array([float(w) for w in case["weights"]], dtype=case["dtype"])
    before = weights.copy()
    given = {"threshold": float(case["threshold"]), "delta": float(case["delta"])}
    if case["delta"] == "1e-10":  # huge levels are no problem here
        mask = prunecell.build_mask(weights, filler=case["filler"], **given)
        made = oracle.iter_nonstruct(weights, **given)
        assert np.array_equal(mask, made.kept)
        assert made.level > 2**32
        return
    with pytest.raises((prunecell.InvalidArgument, prunecell.UnreachableThreshold)):
        prunecell.rebuild_and_apply(weights, filler=case["filler"], **given)
    assert np.array_equal(bits(weights), bits(before))


@pytest.mark.parametrize("case", golden.MANIFEST["export_text"], ids=lambda case: case["id"])
def test_the_masks_of_the_text_exports_are_ours(case: dict[str, Any]) -> None:
    arrays = golden.load({"file": case["weights"]})
    weights = [arrays[name] for name in sorted(arrays) if name.startswith("weights")]
    masks = prunecell.build_mask(weights, threshold=float(case["threshold"]))
    flat = np.concatenate([mask.to_array().reshape(-1) for mask in masks]).astype(np.uint8)
    assert np.array_equal(flat, arrays["mask"].reshape(-1))
