"""Masks as text, the reference's form: golden files both ways, and files that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import axes
import golden
import numpy as np
import prunecell
import pytest
from prunecell import BadFile, PruneCell, WrongState
from prunecell.formats import load_mask_text, save_mask_text

torch = pytest.importorskip("torch")

CASES = golden.MANIFEST["export_text"]


def golden_cell(case: dict[str, Any], *, initialize: bool = True, **parameters: Any) -> PruneCell:
    rule = {
        "prune_mode": "Static",
        "prune_filler": "IterNonStruct",
        "threshold": float(case["threshold"]),
        "delta": 0.001,
    }
    cell = PruneCell(**(rule | parameters))
    with np.load(golden.FOLDER / case["weights"]) as arrays:
        for number in range(len(case["shapes"])):
            cell.add_weights(arrays[f"weights{number}"].copy())
    if initialize:
        cell.initialize()
    return cell


def masks_of(cell: PruneCell) -> list[np.ndarray[Any, Any]]:
    return [cell.get_pruned_masks(t).to_array() for t in range(cell._core.tensor_count)]


def golden_masks(case: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
    """Read with a plain split, tensor after tensor."""
    words = (golden.FOLDER / case["text"]).read_text().split()
    masks = []
    for shape in case["shapes"]:
        size = int(np.prod(shape))
        masks.append(np.array([word == "1" for word in words[:size]]).reshape(shape))
        words = words[size:]
    assert not words
    return masks


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_the_text_is_the_reference_s_byte_for_byte(case: dict[str, Any], tmp_path: Path) -> None:
    save_mask_text(golden_cell(case), tmp_path / "net_masks.syntxt")
    assert (tmp_path / "net_masks.syntxt").read_bytes() == (
        golden.FOLDER / case["text"]
    ).read_bytes()


@pytest.mark.parametrize("initialize", [False, True], ids=["fresh", "initialized"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_every_tensor_is_restored_and_the_threshold_is_the_zero_share(
    case: dict[str, Any], initialize: bool
) -> None:
    cell = golden_cell(case, initialize=initialize, threshold=0.1, delta=0.0001)
    dense = [cell.get_quantized_weights(t).copy() for t in range(len(case["shapes"]))]
    load_mask_text(cell, golden.FOLDER / case["text"])
    expected = golden_masks(case)
    assert all(map(np.array_equal, masks_of(cell), expected))
    for number, mask in enumerate(expected):
        weights = cell.get_quantized_weights(number)
        assert np.array_equal(weights, np.where(mask, dense[number], 0))
    share = float.fromhex(case["upstream_import"]["current_threshold_f32_hex"])
    assert cell.get_current_threshold() == share


@pytest.mark.parametrize("shape", axes.SHAPES, ids=str)
def test_shapes_of_every_kind_come_back(shape: tuple[int, ...], tmp_path: Path) -> None:
    rule = {"prune_mode": "Static", "prune_filler": "Random", "threshold": 0.5}
    cells = [PruneCell(**rule, seed=seed) for seed in (1, 2)]
    for cell in cells:
        for extents in (shape, (3, 2), shape):
            cell.add_weights(np.ones(extents, dtype=np.float32))
        cell.initialize()
    save_mask_text(cells[0], tmp_path / "x")
    load_mask_text(cells[1], tmp_path / "x")
    assert all(map(np.array_equal, masks_of(cells[1]), masks_of(cells[0])))


def test_a_gradual_cell_rises_from_the_imported_share(tmp_path: Path) -> None:
    rule = {
        "prune_mode": "Gradual",
        "prune_filler": "IterNonStruct",
        "gamma": 0.25,
        "threshold": 0.9,
    }
    cell = PruneCell(**rule)
    weights = np.linspace(0.01, 1, 100, dtype=np.float32).reshape(10, 10)
    cell.add_weights(weights)
    (tmp_path / "x").write_text("0 0 0 0 0 1 1 1 1 1 \n" * 10)
    load_mask_text(cell, tmp_path / "x")
    assert (weights[:, :5] == 0).all() and cell.get_current_threshold() == 0.5
    cell.end_epoch()
    assert cell.get_current_threshold() == 0.75 and cell.figures(0).zeros >= 75


def test_a_cell_of_a_torch_model_is_masked_at_once(tmp_path: Path) -> None:
    net = torch.nn.Linear(4, 2)
    (cell,) = prunecell.torch.wrap(net)
    cell.quantizer = PruneCell(prune_mode="Static", prune_filler="None")
    before = net.weight.detach().clone()
    (tmp_path / "x").write_text("0 1 1 1 \n1 1 1 0 \n")
    load_mask_text(cell.quantizer, tmp_path / "x")
    kept = torch.tensor([[False, True, True, True], [True, True, True, False]])
    assert torch.equal(net.weight.detach(), before * kept)


@pytest.mark.parametrize("text", ["0 1\r\n1 0\r\n", "0 1 1 0", "\n\n0\n1\t1   0\n"])
def test_line_ends_do_not_matter(text: str, tmp_path: Path) -> None:
    cell = PruneCell(prune_mode="Static", prune_filler="None")
    cell.add_weights(np.ones((2, 2), dtype=np.float32))
    (tmp_path / "x").write_bytes(text.encode())
    load_mask_text(cell, tmp_path / "x")
    assert masks_of(cell)[0].tolist() == [[False, True], [True, False]]


WRONG = {
    "one value short": ("0 1 1 \n", "expected 4 values, one for each weight of the cell, got 3"),
    "one value more": (
        "0 1 \n1 0 \n1 ",
        "expected 4 values, one for each weight of the cell, got 5",
    ),
    "nothing": ("", "got 0"),
    "another value": ("0 1 \n1 2 \n", "got '2' in line 2"),
    "values without blanks": ("0 1 \n10 1 \n", "got '10' in line 2"),
    "a minus": ("0 1 \n-1 0 \n", "got '-1' in line 2"),
    "a fraction": ("0 1 \n1 0.5 \n", "got '0.5' in line 2"),
    "words": ("mask of fc1", "got 'mask' in line 1"),
    "bytes": (b"0 1 \n\xff\x00 0", r"got '\xff\x00' in line 2"),
    "a long file": ("0 " * 10**6, "over 4"),
}


@pytest.mark.parametrize("initialize", [False, True], ids=["fresh", "initialized"])
@pytest.mark.parametrize("name", WRONG)
def test_a_text_that_does_not_fit_changes_nothing(
    name: str, initialize: bool, tmp_path: Path
) -> None:
    text, said = WRONG[name]
    (tmp_path / "x").write_bytes(text if isinstance(text, bytes) else text.encode())
    cell = PruneCell(prune_mode="Static", prune_filler="Random", threshold=0.5)
    weights = [np.ones((1, 2), dtype=np.float32), np.ones(2, dtype=np.float32)]
    for one in weights:
        cell.add_weights(one)
    if initialize:
        cell.initialize()
    before = [one.copy() for one in weights]
    state = repr(cell.state_dict()) if initialize else ""
    with pytest.raises(BadFile) as error:
        load_mask_text(cell, tmp_path / "x")
    assert said in str(error.value) and str(tmp_path / "x") in str(error.value)
    assert all(map(np.array_equal, weights, before))
    assert cell.initialized == initialize
    assert not initialize or repr(cell.state_dict()) == state


def test_cells_without_masks_are_refused(tmp_path: Path) -> None:
    identity = PruneCell()
    identity.add_weights(np.ones(4, dtype=np.float32))
    static = PruneCell(prune_mode="Static")
    (tmp_path / "x").write_text("1 1 1 1 ")
    with pytest.raises(WrongState, match="mode Identity"):
        load_mask_text(identity, tmp_path / "x")
    for call in (load_mask_text, save_mask_text):
        with pytest.raises(WrongState, match="no tensors"):
            call(static, tmp_path / "x")
    static.add_weights(np.ones(4, dtype=np.float32))
    with pytest.raises(WrongState, match="not initialized"):
        save_mask_text(static, tmp_path / "x")
    assert (tmp_path / "x").read_text() == "1 1 1 1 "


def test_start_above_threshold_does_not_warn_twice(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="lies above threshold"):
        cell = PruneCell(prune_mode="Gradual", threshold=0.2, start=0.5)
    cell.add_weights(np.ones(2, dtype=np.float32))
    (tmp_path / "x").write_text("1 0 ")
    load_mask_text(cell, tmp_path / "x")
    assert cell.start == 0.5 and cell.figures(0).zeros == 1
