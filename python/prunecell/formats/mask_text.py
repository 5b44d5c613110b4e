"""Masks as N2D2 writes them (`<base>_masks<.ext>`): a line of 0 and 1 for each output.

Tensor after tensor, without header or separator; every value is followed by one space. A tensor of
fewer than two dimensions is one line.
"""

from __future__ import annotations

import math
import os
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunecell._core import Mask, WrongState
from prunecell.formats.atomic import replacing
from prunecell.formats.bad_file import bad_file, said
from prunecell.quantizer import PruneCell
from prunecell.regular import open_regular

_BLANKS = b" \t\r\n\v\f"


def save_mask_text(cell: PruneCell, path: str | os.PathLike[str]) -> None:
    """Writes the masks of all tensors of a cell, to a file that is written beside and renamed.

    Raises:
        WrongState: The cell is not initialized.
    """
    masks = [cell.get_pruned_masks(tensor) for tensor in range(cell.tensor_count)]
    if not masks:
        raise WrongState("save_mask_text: the cell has no tensors")
    with replacing(path) as file:
        for mask in masks:
            file.write(_lines(mask))


def load_mask_text(cell: PruneCell, path: str | os.PathLike[str]) -> None:
    """Restores the masks of all tensors and enforces them; the cell need not be initialized.

    The share of zeros becomes the current threshold, which the text does not hold. The cell's
    counts of rises and samples go on.

    Raises:
        BadFile: The values are not 0 and 1, or not as many as the cell has weights.
        WrongState: The cell has no tensors, or mode Identity, which has no masks.
        Either way nothing is changed.
    """
    shapes = [cell.shape(tensor) for tensor in range(cell.tensor_count)]
    if not shapes or cell.prune_mode == "Identity":
        found = "mode Identity" if shapes else "no tensors"
        raise WrongState(f"load_mask_text: expected a cell with masks, got one with {found}")
    sizes = [math.prod(shape) for shape in shapes]
    kept = _values(Path(path), sum(sizes), sum(_line_count(shape) for shape in shapes))
    parts = np.split(kept, np.cumsum(sizes)[:-1])
    masks = [
        Mask.from_array(part.reshape(shape)) for part, shape in zip(parts, shapes, strict=True)
    ]
    cell.load_state_dict(_state(cell, masks))


def _line_count(shape: tuple[int, ...]) -> int:
    return shape[0] if len(shape) > 1 else 1


def _lines(mask: Mask) -> bytes:
    kept = mask.to_array().reshape(_line_count(mask.shape), -1 if mask.size else 0)
    text = np.full((kept.shape[0], 2 * kept.shape[1] + 1), ord(" "), dtype=np.uint8)
    text[:, :-1:2] = kept.view(np.uint8) + ord("0")
    text[:, -1] = ord("\n")
    return text.tobytes()


def _values(path: Path, count: int, lines: int) -> NDArray[np.bool_]:
    """The values of a text, whatever its lines, as the reference reads it."""
    with BufferedReader(open_regular(path)) as file:
        # Room for two blanks and more after each value; a longer file is not read.
        limit = 4 * (2 * count + lines) + 4096
        text = np.frombuffer(file.read(limit + 1), dtype=np.uint8)
    if text.size > limit:
        raise bad_file(path, None, f"the text of {count} values", said(f"over {limit} bytes"))
    digit = (text == ord("0")) | (text == ord("1"))
    wrong = ~digit & ~np.isin(text, np.frombuffer(_BLANKS, dtype=np.uint8))
    wrong[1:] |= digit[1:] & digit[:-1]
    if wrong.any():
        raise bad_file(path, None, "values 0 and 1 between blanks", said(_place(text, wrong)))
    kept: NDArray[np.bool_] = text[digit] == ord("1")
    if kept.size != count:
        what = f"{count} values, one for each weight of the cell"
        raise bad_file(path, None, what, int(kept.size))
    return kept


def _place(text: NDArray[np.uint8], wrong: NDArray[np.bool_]) -> str:
    at = int(wrong.argmax())
    line = int((text[:at] == ord("\n")).sum()) + 1
    before = text[:at].tobytes().rpartition(b"\n")[2].split(b" ")[-1]
    word = (before + text[at : at + 20].tobytes()).split()[0]
    return f"{word.decode('latin-1')!a} in line {line}"


def _state(cell: PruneCell, masks: list[Mask]) -> dict[str, Any]:
    """The state of the cell with these masks in force."""
    state = cell.state_dict() if cell.initialized else _blank_state(cell)
    zeros, size = sum(mask.zeros for mask in masks), sum(mask.size for mask in masks)
    # Rounded to float32, this double is the float32 quotient that the reference computes.
    share = float(np.float32(zeros / size)) if size else 0.0
    state["current"] = share
    state["tensors"] = [
        {
            "shape": m.shape,
            "zeros": m.zeros,
            "level": 0,
            "asked": share,
            "initialized": True,
            "mask": m.saved(),
            "custom": True,
            "tied": False,
        }
        for m in masks
    ]
    return state


def _blank_state(cell: PruneCell) -> dict[str, Any]:
    """The state of a cell with these parameters and an empty tensor before any update."""
    scratch = PruneCell(**cell.parameters.as_dict() | {"start": min(cell.start, cell.threshold)})
    scratch.add_weights(np.empty(0, dtype=np.float32))
    scratch.initialize()
    return scratch.state_dict() | {"parameters": cell.parameters.as_dict()}


__all__ = ["load_mask_text", "save_mask_text"]
