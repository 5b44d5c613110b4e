"""`PackReader`: the tensors of a file as they were before packing, one at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from prunecell._core import InvalidArgument
from prunecell.formats import notes, with_torch
from prunecell.formats.bad_file import bad_file, said
from prunecell.formats.bitmask import PARTS, Packed, fault, layout
from prunecell.formats.dtypes import DType
from prunecell.formats.header import check_shape
from prunecell.formats.notes import Note
from prunecell.formats.reader import SafetensorsReader
from prunecell.formats.stored import Stored
from prunecell.limits import MAX_DIMENSIONS

FRAMEWORKS = ("numpy", "torch")


@dataclass(frozen=True)
class TensorInfo:
    """The facts about a tensor that are known without reading it.

    Attributes:
        name: The name of the tensor.
        dtype: Name of the element type in numpy and torch.
        shape: Shape of the dense tensor.
        nbytes: Bytes in the file, without header; 0 for a mask that is another tensor's bitmask
            and for an alias.
        packed: Whether four tensors of the file stand for it.
        sparsity: Share of exact +0, if the file has it, else None.
        alias_of: The tensor of which this is a second name, or None.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    nbytes: int
    packed: bool
    sparsity: float | None
    alias_of: str | None = None


class PackReader:
    """A mapping from names to arrays, read on access; files of other programs are read as well.

    In a file without notes, four tensors `W.shape`, `W.compressed`, `W.bitmask` and
    `W.row_offsets` are a packed `W`.

    >>> import tempfile, numpy as np
    >>> from prunecell.formats import save
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save({"a": np.zeros((64, 64)), "b": np.ones(3)}, f"{folder}/two.safetensors")
    ...     with PackReader(f"{folder}/two.safetensors") as file:
    ...         print([(name, file.info(name).packed, file[name].shape) for name in file])
    [('a', True, (64, 64)), ('b', False, (3,))]

    Args:
        path: A safetensors file.
        framework: "numpy" for arrays, "torch" for tensors.

    Raises:
        BadFile: The file is damaged: its header and the shapes of all tensors are checked when it
            is opened, the contents of a packed tensor when it is read.
    """

    def __init__(self, path: str | os.PathLike[str], *, framework: str = "numpy") -> None:
        if framework not in FRAMEWORKS:
            raise InvalidArgument(f"framework: expected 'numpy' or 'torch', got {framework!r}")
        if framework == "torch":
            with_torch.require()
        self._framework = framework
        self._file = SafetensorsReader(path)
        try:
            self._notes = self._read_notes()
            self._shapes = {name: self._shape(name) for name in self if self._notes[name].packed}
            self._check_references()
        except BaseException:
            self._file.close()
            raise

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata of the file, without the notes."""
        return {key: text for key, text in self._file.metadata.items() if key != notes.KEY}

    def info(self, name: str) -> TensorInfo:
        """The facts about a tensor that are known without reading it."""
        note = self._note(name)
        if note.alias_of is not None:
            return replace(self.info(note.alias_of), name=name, nbytes=0, alias_of=note.alias_of)
        dtype, shape = self._form(name)
        parts = [f"{name}.{part}" for part in PARTS] if note.packed else [name]
        if note.bitmask_of is not None:
            parts = []
        entries = [self._file.entries[part] for part in parts]
        nbytes = sum(one.stop - one.start for one in entries)
        return TensorInfo(name, dtype.numpy_name, shape, nbytes, note.packed, note.sparsity)

    def __getitem__(self, name: str) -> Any:
        tensor = self._stored(name)
        return tensor.numpy() if self._framework == "numpy" else tensor.torch()

    def __iter__(self) -> Iterator[str]:
        return iter(self._notes)

    def __len__(self) -> int:
        return len(self._notes)

    def __contains__(self, name: object) -> bool:
        return name in self._notes

    def _note(self, name: str) -> Note:
        if name not in self._notes:
            raise InvalidArgument(f"{self._file.path}: no tensor is named {name!r}")
        return self._notes[name]

    def _stored(self, name: str) -> Stored:
        note = self._note(name)
        if note.alias_of is not None:
            return self._stored(note.alias_of)
        if note.bitmask_of is not None:
            return self._packed(note.bitmask_of).mask()
        return self._packed(name).unpack() if note.packed else self._file.read(name)

    def _form(self, name: str) -> tuple[DType, tuple[int, ...]]:
        note = self._notes[name]
        if note.packed:
            return self._file.entries[f"{name}.compressed"].dtype, self._shapes[name]
        one = self._file.entries[name if note.bitmask_of is None else f"{note.bitmask_of}.bitmask"]
        return one.dtype, one.shape

    # The tensors of the file

    def _read_notes(self) -> dict[str, Note]:
        names = list(self._file.entries)
        text = self._file.metadata.get(notes.KEY)
        if text is None:
            return _recognised(names)
        said_of = notes.decode(text, self._file.path)
        used: set[str] = set()
        for name, note in said_of.items():
            stored = [f"{name}.{part}" for part in PARTS] if note.packed else [name]
            stored = [] if note.bitmask_of is not None or note.alias_of is not None else stored
            for one in stored:
                if one not in self._file.entries or one in used:
                    got = said("none" if one not in used else "it twice")
                    raise bad_file(self._file.path, name, f"one tensor {one!r} for it", got)
            used.update(stored)
        unsaid = {name: Note() for name in names if name not in used}
        twice = next((name for name in unsaid if name in said_of), None)
        if twice is not None:
            raise bad_file(self._file.path, twice, "one tensor of that name", said("two"))
        return said_of | unsaid

    def _check_references(self) -> None:
        for name, note in self._notes.items():
            if note.bitmask_of is not None and note.bitmask_of not in self._shapes:
                what = "a packed tensor whose bitmask it is"
                raise bad_file(self._file.path, name, what, note.bitmask_of)
            if note.alias_of is not None:
                other = self._notes.get(note.alias_of)
                if other is None or other.alias_of is not None or other.bitmask_of is not None:
                    what = "a tensor of the file that it is, under a second name"
                    raise bad_file(self._file.path, name, what, note.alias_of)

    # Packed tensors

    def _shape(self, name: str) -> tuple[int, ...]:
        """The shape of a packed tensor, whose parts have shapes and types that fit it."""
        path, entries = self._file.path, self._file.entries
        one = entries[f"{name}.shape"]
        if one.dtype.name != "I64" or len(one.shape) != 1 or one.shape[0] > MAX_DIMENSIONS:
            what = f"shape as at most {MAX_DIMENSIONS} numbers of I64"
            raise bad_file(path, name, what, said(_form_text(one.dtype, one.shape)))
        values = entries[f"{name}.compressed"]
        extents = self._file.read(f"{name}.shape").numpy().tolist()
        shape = check_shape(extents, values.dtype.size, name, path)
        rows, _, row_bytes = layout(shape)
        forms = {"bitmask": ("U8", (rows, row_bytes)), "row_offsets": ("I64", (rows,))}
        for part, (dtype, form) in forms.items():
            found = entries[f"{name}.{part}"]
            if (found.dtype.name, found.shape) != (dtype, form):
                what = f"{part} {dtype}{list(form)} for shape {list(shape)}"
                raise bad_file(path, name, what, said(_form_text(found.dtype, found.shape)))
        if len(values.shape) != 1:
            what = "compressed values in one dimension"
            raise bad_file(path, name, what, said(_form_text(values.dtype, values.shape)))
        return shape

    def _packed(self, name: str) -> Packed:
        parts = {part: self._file.read(f"{name}.{part}") for part in PARTS[1:]}
        shape, values = self._shapes[name], parts["compressed"]
        rows, _, row_bytes = layout(shape)
        bitmask = parts["bitmask"].bits.view(np.uint8).reshape(rows, row_bytes)
        wrong = fault(shape, values.bits.size, bitmask, parts["row_offsets"].numpy())
        if wrong:
            raise bad_file(self._file.path, name, *wrong)
        return Packed(shape, values, bitmask)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def __enter__(self) -> PackReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _form_text(dtype: DType, shape: tuple[int, ...]) -> str:
    return f"{dtype.name}{list(shape)}"


def _recognised(names: list[str]) -> dict[str, Note]:
    """The tensors of a file without notes."""
    present = set(names)
    first = f".{PARTS[0]}"
    packed = {
        whole
        for whole in (name.removesuffix(first) for name in names if name.endswith(first))
        if whole not in present and all(f"{whole}.{part}" in present for part in PARTS)
    }
    found: dict[str, Note] = {}
    for name in names:
        whole, _, part = name.rpartition(".")
        if part in PARTS and whole in packed:
            found[whole] = Note(packed=True)
        else:
            found[name] = Note()
    return found
