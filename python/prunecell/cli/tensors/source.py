"""A file of tensors, read one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from prunecell.cli.terminal import count_text
from prunecell.formats.stored import Stored

FLOATING = ("float16", "bfloat16", "float32", "float64")
"""What the engine prunes."""


@dataclass(frozen=True)
class Listed:
    """What a file says of a tensor before its values are read.

    Attributes:
        name: Its name; nested dictionaries of a torch file join theirs with dots.
        dtype: Element type as numpy and torch call it.
        shape: Of the dense tensor.
        form: "dense" or "packed".
        stored: Bytes in the file, uncompressed.
        dense: Bytes as a dense tensor.
        sparsity: Share that is pruned, where the file says so.
        alias_of: The tensor before it that it is, under another name: tied weights. It takes no
            bytes of its own.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    form: str
    stored: int
    dense: int
    sparsity: float | None = None
    alias_of: str | None = None

    @property
    def first_name(self) -> str:
        """The first name that the file has for the tensor, its own unless it is tied."""
        return self.alias_of or self.name

    @property
    def size(self) -> int:
        """Number of elements."""
        size = 1
        for extent in self.shape:
            size *= extent
        return size

    @property
    def prunable(self) -> bool:
        """Floating, of two or more dimensions."""
        return self.dtype in FLOATING and len(self.shape) >= 2


class Source(Protocol):
    """An open file.

    Attributes:
        kind: "safetensors", "npz" or "torch".
        tensors: What is in it by name, in the order of the file.
        metadata: Words that came with it.
        others: Names of what is no tensor.
    """

    kind: str
    tensors: dict[str, Listed]
    metadata: dict[str, str]
    others: list[str]

    def read(self, name: str) -> Stored:
        """One tensor, dense, in memory of its own."""

    def close(self) -> None:
        """Closes the file."""


def other_entries(source: Source) -> str:
    """How many entries of a file are no tensors."""
    return count_text(len(source.others), "entry that is no tensor", "entries that are no tensors")
