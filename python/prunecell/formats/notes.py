"""The notes of a packed file about its tensors: one entry of JSON in the metadata.

    {"format": 1, "tensors": {"fc.weight": {"sparsity": 0.9, "packed": true}, ...}}

The entry names every tensor in the order of the model. `sparsity` is the share of exact +0.
`packed` says that four tensors of the file stand for the tensor, `bitmask_of` that it is the
bitmask of another tensor, `alias_of` that it is another tensor under a second name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prunecell.formats.bad_file import bad_file, said
from prunecell.formats.header import refuse

KEY = "prunecell"
_FORMAT = 1
_REFERENCES = ("bitmask_of", "alias_of")


@dataclass(frozen=True)
class Note:
    """The note about one tensor."""

    sparsity: float | None = None
    packed: bool = False
    bitmask_of: str | None = None
    alias_of: str | None = None


def encode(notes: dict[str, Note]) -> str:
    """The text of the entry."""
    tensors = {name: _fields(note) for name, note in notes.items()}
    fields = {"format": _FORMAT, "tensors": tensors}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


def _fields(note: Note) -> dict[str, Any]:
    for name in _REFERENCES:
        if getattr(note, name) is not None:
            return {name: getattr(note, name)}
    return {"sparsity": note.sparsity} | ({"packed": True} if note.packed else {})


def decode(text: str, path: Path) -> dict[str, Note]:
    """The reverse of `encode`; validates all input.

    Raises:
        BadFile: The text is not one that `encode` returns.
    """
    try:
        fields = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError, MemoryError) as error:
        raise bad_file(path, None, f"JSON in metadata {KEY!r}", said(str(error))) from None
    tensors = fields.get("tensors") if isinstance(fields, dict) else None
    if not isinstance(tensors, dict):
        raise bad_file(path, None, f"an object with tensors in metadata {KEY!r}", fields)
    if fields.get("format") != _FORMAT:
        raise bad_file(path, None, f"format {_FORMAT} in metadata {KEY!r}", fields.get("format"))
    return {name: _note(one, name, path) for name, one in tensors.items()}


def _note(fields: Any, name: str, path: Path) -> Note:
    if isinstance(fields, dict) and set(fields) <= {"sparsity", "packed", *_REFERENCES}:
        note = Note(**fields)
        share = note.sparsity is None or _is_share(note.sparsity)
        others = [one for one in (note.bitmask_of, note.alias_of) if one is not None]
        # At most one of the three holds: bitmasks and aliases have no bytes of their own to pack.
        form = type(note.packed) is bool and len(others) + note.packed <= 1
        if share and form and all(isinstance(one, str) for one in others):
            return note
    what = "sparsity, packed, bitmask_of or alias_of in the metadata"
    raise bad_file(path, name, what, fields)


def _is_share(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1  # type: ignore[operator]
