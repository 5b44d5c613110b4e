"""`PackWriter`: writes tensors to a file, each packed where that makes the file smaller."""

from __future__ import annotations

import os
from types import TracebackType

import numpy as np

from prunecell._core import InvalidArgument, InvalidType
from prunecell.formats import notes
from prunecell.formats.bitmask import (
    PARTS,
    Bytes,
    Packed,
    bitmask_of,
    layout,
    packed_size,
    row_counts,
)
from prunecell.formats.notes import Note
from prunecell.formats.stored import Stored
from prunecell.formats.writer import SafetensorsWriter

# Header bytes of a tensor beside its name (dtype, shape, offsets and punctuation of medium length),
# and how many more of them a packed tensor has than a dense one.
_ENTRY = 75
_HEADER = (len(PARTS) - 1) * _ENTRY + sum(len(part) + 1 for part in PARTS)


class PackWriter:
    """A context manager: the file appears, with all added tensors, when the block ends.

    >>> import tempfile, numpy as np
    >>> from prunecell.formats import load
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with PackWriter(f"{folder}/three.safetensors") as file:
    ...         for name in ("a", "b", "c"):
    ...             stored = file.add(name, np.zeros((64, 64)))
    ...     print(list(load(f"{folder}/three.safetensors")))
    ['a', 'b', 'c']

    Args:
        path: The file to write or to replace.
        metadata: Text to store beside the notes.
        pack: False writes every tensor dense.

    Attributes:
        packs: Whether tensors are packed.

    Raises:
        InvalidType: The metadata are not text.
        InvalidArgument: The metadata cannot be stored, or the path is not that of a file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        metadata: dict[str, str] | None = None,
        pack: bool = True,
    ) -> None:
        self._file = SafetensorsWriter(path)
        self._file.metadata.update(_words(metadata or {}))
        self.packs = pack
        self._notes: dict[str, Note] = {}

    def add(
        self,
        name: str,
        array: object,
        *,
        mask: tuple[str, object] | None = None,
        pack: bool = True,
    ) -> bool:
        """Writes one tensor.

        Args:
            name: Name of the tensor.
            array: A numpy array or a torch tensor.
            mask: Name and value of a tensor that holds a mask of this tensor in the saved form. If
                the mask can serve as the bitmask, the file holds it once.
            pack: False writes this tensor dense.

        Returns:
            Whether `mask` is in the file now.

        Raises:
            InvalidArgument: The name is taken, or the format cannot hold it.
        """
        self._check_free(name)
        tensor = Stored.of(array, name)
        bitmask = bitmask_of(tensor)
        kept = int(row_counts(bitmask).sum())
        sparsity = round(1 - kept / tensor.bits.size, 6) if tensor.bits.size else 0.0
        own = packed_size(tensor, kept) + _HEADER + (len(PARTS) - 1) * len(name)
        given = None if mask is None else _as_bitmask(Stored.of(mask[1], mask[0]), tensor, bitmask)
        shared = own
        if given is not None:
            # Packing by the mask stores kept values that are 0, and saves storing the mask.
            more = int(row_counts(given).sum()) - kept
            shared += more * tensor.dtype.size - given.nbytes - _ENTRY
        taken = any(f"{name}.{part}" in self._file for part in PARTS)
        if taken or not (self.packs and pack) or min(own, shared) >= tensor.nbytes:
            self._file.add(name, tensor)
            self._notes[name] = Note(sparsity)
            return False
        use = given if given is not None and shared <= own else bitmask
        for part, stored in Packed.of(tensor, use).parts().items():
            self._file.add(f"{name}.{part}", stored)
        self._notes[name] = Note(sparsity, packed=True)
        return use is given

    def add_mask(self, name: str, owner: str) -> None:
        """Adds a mask that is the bitmask of `owner`, whose `add` returned True."""
        self._check_free(name)
        self._notes[name] = Note(bitmask_of=owner)

    def add_alias(self, name: str, of: str) -> None:
        """Adds a second name of the tensor `of`, which was added before."""
        self._check_free(name)
        self._notes[name] = Note(alias_of=of)

    def _check_free(self, name: str) -> None:
        # The header has a packed tensor under the names of its parts alone.
        if name in self._notes:
            raise InvalidArgument(f"{self._file.path}: a tensor named {name!r} was written already")

    def __enter__(self) -> PackWriter:
        self._file.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.metadata[notes.KEY] = notes.encode(self._notes)
        self._file.__exit__(kind, error, trace)


def _words(metadata: dict[str, str]) -> dict[str, str]:
    for key, text in metadata.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise InvalidType(f"metadata: expected words by words, got {key!r}: {text!r}")
        if key == notes.KEY:
            raise InvalidArgument(f"metadata: the key {key!r} is reserved")
        try:
            (key + text).encode()
        except UnicodeEncodeError as error:
            raise InvalidArgument(f"metadata: cannot store {key!r}: {text!r}: {error}") from None
    return metadata


def _as_bitmask(mask: Stored, tensor: Stored, bitmask: Bytes) -> Bytes | None:
    """The mask if it can be the bitmask: of the saved form, with +0 wherever it prunes."""
    rows, columns, row_bytes = layout(tensor.shape)
    if mask.dtype.name != "U8" or mask.shape != (rows, row_bytes):
        return None
    given = mask.bits.view(np.uint8).reshape(rows, row_bytes)
    padded = bool(columns % 8) and bool((given[:, -1] >> (columns % 8)).any())
    return None if padded or (bitmask & ~given).any() else given
