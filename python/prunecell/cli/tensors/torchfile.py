"""Files of torch.save: read with weights_only, so that nothing in them is run."""

from __future__ import annotations

from pathlib import Path
from types import NoneType
from typing import IO, Any

from prunecell.cli.errors import CommandError
from prunecell.cli.tensors.source import Listed
from prunecell.cli.tensors.torchload import load_torch
from prunecell.formats.bad_file import bad_file, reading, said
from prunecell.formats.memory import FirstNames
from prunecell.formats.stored import Stored
from prunecell.formats.with_torch import is_tensor, save
from prunecell.limits import (
    FREE_BYTES,
    MAX_JOINED_CHARS,
    MAX_NESTING,
    MAX_REPEATED,
    MAX_VISITS,
)

Place = tuple[Any, ...]
"""Keys that lead to a tensor in nested dictionaries and lists."""


class TorchSource:
    """A state_dict, or nested dictionaries and lists with tensors in them."""

    kind = "torch"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.metadata: dict[str, str] = {}
        self.others: list[str] = []
        self.tensors: dict[str, Listed] = {}
        self.content = load_torch(path)
        self.places: dict[str, Place] = {}
        self._values: dict[str, Any] = {}
        self._names = FirstNames()
        self._visits = self._chars = 0
        self._bytes_left = MAX_REPEATED * path.stat().st_size + FREE_BYTES
        with reading(path, "tensors in dictionaries and lists"):
            self._walk(self.content, ())

    def read(self, name: str) -> Stored:
        """One tensor, dense, in memory of its own."""
        stored = Stored.of(self._values[name], name)
        return Stored(stored.dtype, stored.shape, stored.bits.copy())

    def close(self) -> None:
        """Releases the file's memory."""
        self.content = self._values = None  # type: ignore[assignment]

    def _walk(self, value: Any, place: Place) -> None:
        self._visits += 1
        if self._visits > MAX_VISITS:
            what = f"at most {MAX_VISITS} values, each counted wherever it is referred to"
            raise bad_file(self._path, None, what, said("more"))
        if len(place) > MAX_NESTING:
            what = f"dictionaries and lists that are nested at most {MAX_NESTING} deep"
            raise bad_file(self._path, None, what, said("deeper ones"))
        if is_tensor(value):
            self._take(value, place)
        elif isinstance(value, dict):
            for key, one in value.items():
                if not isinstance(key, (str, int, float, NoneType)):
                    what = "words and numbers as keys of dictionaries"
                    raise bad_file(self._path, None, what, said(type(key).__name__))
                self._walk(one, (*place, key))
        elif isinstance(value, (list, tuple)):
            for index, one in enumerate(value):
                self._walk(one, (*place, index))
        else:
            self.others.append(self._name(place))

    def _name(self, place: Place) -> str:
        name = _joined(place)
        self._chars += len(name)
        if self._chars > MAX_JOINED_CHARS:
            what = f"at most {MAX_JOINED_CHARS} characters of names"
            raise bad_file(self._path, None, what, said("more"))
        return name

    def _take(self, value: Any, place: Place) -> None:
        name = self._name(place)
        if name in self.tensors:
            raise CommandError(f"{self._path}: two tensors are named {name!r}")
        dtype = str(value.dtype).removeprefix("torch.")
        nbytes = value.numel() * value.element_size()
        # Many tensors may share their memory, and a stride of 0 makes any number of elements.
        self._bytes_left -= nbytes
        if self._bytes_left < 0:
            most = f"at most {MAX_REPEATED} bytes of tensors for each byte of the file"
            got = said(f"more with {list(value.shape)} of {dtype}")
            raise bad_file(self._path, name, most, got)
        self._values[name], self.places[name] = value, place
        first = self._names.of(name, value)
        other = None if first == name else first
        nbytes = nbytes if other is None else 0
        self.tensors[name] = Listed(
            name, dtype, tuple(value.shape), "dense", nbytes, nbytes, alias_of=other
        )


class TorchSink:
    """Collects tensors and saves them in the end, nested as in the input or by name."""

    def __init__(self, file: IO[bytes], source: TorchSource | None) -> None:
        self._file = file
        self._source = source
        self._tensors: dict[str, Any] = {}

    def add(self, name: str, tensor: Stored) -> None:
        """Adds one tensor."""
        self._tensors[name] = tensor.torch()

    def add_alias(self, name: str, of: str) -> bool:
        """Ties a second name to an added tensor."""
        self._tensors[name] = self._tensors[of]
        return True

    def save(self) -> None:
        """Writes the file."""
        content: Any = self._tensors
        if self._source is not None:
            by_place = {self._source.places[n]: value for n, value in self._tensors.items()}
            content = _rebuilt(self._source.content, (), by_place)
        save(content, self._file)


def _joined(place: Place) -> str:
    return ".".join(map(str, place)) or "tensor"


def _rebuilt(value: Any, place: Place, tensors: dict[Place, Any]) -> Any:
    """The content with new tensors, without the places that have none."""
    if isinstance(value, dict):
        kept = {
            key: _rebuilt(one, (*place, key), tensors)
            for key, one in value.items()
            if not is_tensor(one) or (*place, key) in tensors
        }
        return type(value)(kept)
    if isinstance(value, (list, tuple)):
        items = [_rebuilt(one, (*place, i), tensors) for i, one in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    return tensors.get(place, value) if is_tensor(value) else value
