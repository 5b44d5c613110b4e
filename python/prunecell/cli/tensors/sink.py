"""Writing a file of tensors, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from prunecell.cli.errors import CommandError, UsageError
from prunecell.cli.tensors.npz import NpzSink, NpzSource
from prunecell.cli.tensors.safetensors import SafetensorsSink
from prunecell.cli.tensors.source import Source
from prunecell.cli.tensors.torchfile import TorchSink, TorchSource
from prunecell.formats import PackWriter
from prunecell.formats.atomic import replacing
from prunecell.formats.stored import Stored
from prunecell.formats.with_torch import require

_BY_SUFFIX = {
    ".safetensors": "safetensors",
    ".npz": "npz",
    ".pt": "torch",
    ".pth": "torch",
    ".bin": "torch",
}


class Sink(Protocol):
    """A file that is being written."""

    def add(self, name: str, tensor: Stored) -> None:
        """Writes one tensor."""

    def add_alias(self, name: str, of: str) -> bool:
        """Ties a second name to a written tensor; False if the format cannot: add it."""


def kind_of(path: Path) -> str:
    """The kind of file that the suffix of an output asks for.

    Raises:
        UsageError: The suffix is not known.
        CommandError: A torch file is asked for, and PyTorch is not installed.
    """
    kind = _BY_SUFFIX.get(path.suffix.lower())
    if kind is None:
        raise UsageError(f"{path}: expected a name that ends in {', '.join(_BY_SUFFIX)}")
    if kind == "torch":
        try:
            require()
        except ModuleNotFoundError as error:
            raise CommandError(f"{path}: {error}") from None
    return kind


@contextmanager
def writing(path: Path, source: Source, *, pack: bool) -> Iterator[Sink]:
    """A sink; `path` appears, whole, when the block ends without an exception.

    Args:
        path: The output, whose suffix says which kind of file it is.
        source: The input, whose metadata, nesting and compression are kept.
        pack: False writes .safetensors dense; .npz and torch files always are.
    """
    kind = kind_of(path)
    if kind == "safetensors":
        metadata = {"format": "pt" if source.kind == "torch" else "np"} | dict(source.metadata)
        with PackWriter(path, metadata=metadata, pack=pack) as writer:
            yield SafetensorsSink(writer)
        return
    with replacing(path) as file:
        if kind == "npz":
            compressed = isinstance(source, NpzSource) and source.compressed
            with closing(NpzSink(file, compressed=compressed)) as archive:
                yield archive
        else:
            sink = TorchSink(file, source if isinstance(source, TorchSource) else None)
            yield sink
            sink.save()
