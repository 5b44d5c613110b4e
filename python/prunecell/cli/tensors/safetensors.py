"""safetensors files, dense or packed."""

from __future__ import annotations

from pathlib import Path

from prunecell.cli.tensors.source import Listed
from prunecell.formats import PackReader, PackWriter
from prunecell.formats.dtypes import BY_NUMPY_NAME
from prunecell.formats.stored import Stored


class SafetensorsSource:
    """A safetensors file; packed tensors are listed and read as dense tensors."""

    kind = "safetensors"

    def __init__(self, path: Path) -> None:
        self._file = PackReader(path)
        self.metadata: dict[str, str] = self._file.metadata
        self.others: list[str] = []
        self.tensors: dict[str, Listed] = {name: self._listed(name) for name in self._file}

    def read(self, name: str) -> Stored:
        """One tensor, dense, in memory of its own."""
        return Stored.of(self._file[name], name)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _listed(self, name: str) -> Listed:
        info = self._file.info(name)
        one = Listed(name, info.dtype, info.shape, "dense", info.nbytes, 0, info.sparsity)
        dense = one.size * BY_NUMPY_NAME[info.dtype].size
        form = "packed" if info.packed else "dense"
        dense = 0 if info.alias_of is not None else dense
        return Listed(
            name, info.dtype, info.shape, form, info.nbytes, dense, info.sparsity, info.alias_of
        )


class SafetensorsSink:
    """Writes tensors packed where that makes the file smaller."""

    def __init__(self, file: PackWriter) -> None:
        self._file = file

    def add(self, name: str, tensor: Stored) -> None:
        """Writes one tensor."""
        self._file.add(name, tensor.numpy())

    def add_alias(self, name: str, of: str) -> bool:
        """Adds a second name of a tensor if the file is packed; returns whether it did."""
        if self._file.packs:
            self._file.add_alias(name, of)
        return self._file.packs
