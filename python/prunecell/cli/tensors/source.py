"""The protocol of a file of tensors that are read one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from prunecell.cli.terminal import count_text
from prunecell.formats.stored import Stored

FLOATING = ("float16", "bfloat16", "float32", "float64")
"""Element types that the engine prunes."""


@dataclass(frozen=True)
class Listed:
    """The facts about a tensor that a file has before the values are read.

    Attributes:
        name: The name; keys of nested dictionaries of a torch file are joined with dots.
        dtype: Name of the element type in numpy and torch.
        shape: Shape of the dense tensor.
        form: "dense" or "packed".
        stored: Bytes in the file, uncompressed.
        dense: Bytes as a dense tensor.
        sparsity: Share that is pruned, if the file has it, else None.
        alias_of: The first name of a tied weight, of which this is a further name without bytes of
            its own; else None.
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
        """Whether the tensor is floating and has two or more dimensions."""
        return self.dtype in FLOATING and len(self.shape) >= 2


class Source(Protocol):
    """An open file.

    Attributes:
        kind: "safetensors", "npz" or "torch".
        tensors: The tensors by name, in the order of the file.
        metadata: The metadata of the file.
        others: Names of entries that are no tensors.
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
    """The number of entries of a file that are no tensors, as text."""
    return count_text(len(source.others), "entry that is no tensor", "entries that are no tensors")
