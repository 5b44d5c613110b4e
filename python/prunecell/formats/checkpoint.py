"""`save` and `load`: a model or a dict of arrays in one file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from prunecell._core import InvalidType
from prunecell.formats import with_torch
from prunecell.formats.bitmask import PARTS
from prunecell.formats.memory import FirstNames
from prunecell.formats.pack_reader import PackReader
from prunecell.formats.pack_writer import PackWriter
from prunecell.formats.stored import Stored
from prunecell.keys import Keys


def save(
    model: Any,
    path: str | os.PathLike[str],
    *,
    metadata: dict[str, str] | None = None,
    pack: bool = True,
) -> None:
    """Saves as safetensors, packed where that makes the file smaller. Nothing is lost.

    Tensors that share their memory, as tied weights do, are stored once, under the first of their
    names; the file's metadata hold the others.

    The file is written beside and renamed: `path` is the old file or the whole new file, whatever
    happens meanwhile.

    Args:
        model: Arrays or tensors by name, or an object with a `state_dict()` that returns them.
        path: The file to write or to replace.
        metadata: Text to store beside the package's own.
        pack: False writes every tensor dense, under each of its names, for other programs.

    Raises:
        InvalidType: A value is no array of numbers; the message has its name.
        InvalidArgument: Names or metadata cannot be stored, or the path is not that of a file.
        OSError: The file cannot be written. The old file is as it was.

    >>> import os, tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save({"w": np.eye(1000)}, f"{folder}/eye.safetensors")
    ...     print(os.path.getsize(f"{folder}/eye.safetensors") < 1000 * 1000)
    ...     print(load(f"{folder}/eye.safetensors")["w"].sum())
    True
    1000.0
    """
    tensors = _tensors(model)
    tensors_of_torch = all(with_torch.is_tensor(value) for value in tensors.values())
    words = {"format": "pt" if tensors_of_torch else "np"} | (metadata or {})
    owners: dict[str, str] = {}  # mask -> packed weight whose bitmask it is
    names = FirstNames()
    with PackWriter(path, metadata=words, pack=pack) as file:
        for name, value in tensors.items():
            mask = Keys.beside(name).mask
            first = names.of(name, value) if pack else name
            if name in owners:
                file.add_mask(name, owners[name])
                continue
            if first != name:
                file.add_alias(name, first)
                its = Keys.beside(first).mask
                if its in owners and mask in tensors and _same(tensors[its], tensors[mask]):
                    owners[mask] = first
                continue
            free = not any(f"{name}.{part}" in tensors for part in PARTS)
            beside = (mask, tensors[mask]) if mask in tensors else None
            if file.add(name, value, mask=beside, pack=free) and beside is not None:
                owners[mask] = name


def load(path: str | os.PathLike[str], *, framework: str = "numpy") -> dict[str, Any]:
    """All tensors of a safetensors file, dense, in the order in which they were saved.

    Tensors that shared their memory when they were saved share it again.

    Args:
        path: A file that `save` or any other program wrote.
        framework: "numpy" for arrays, "torch" for tensors.

    Raises:
        BadFile: The file is damaged.
        OSError: The file cannot be read.
    """
    with PackReader(path, framework=framework) as file:
        found: dict[str, Any] = {}
        for name in file:
            other = file.info(name).alias_of
            found[name] = found[other] if other in found else file[name]
        return found


def _same(one: Any, other: Any) -> bool:
    first, second = Stored.of(one, "mask"), Stored.of(other, "mask")
    alike = (first.dtype, first.shape) == (second.dtype, second.shape)
    return alike and np.array_equal(first.bits, second.bits)


def _tensors(model: Any) -> Mapping[str, Any]:
    given = model if isinstance(model, Mapping) else None
    if given is None and callable(getattr(model, "state_dict", None)):
        given = model.state_dict()
    if not isinstance(given, Mapping):
        raise InvalidType(f"save: expected a dict of arrays or a model, got {type(model).__name__}")
    for name in given:
        if not isinstance(name, str):
            raise InvalidType(f"save: expected names of type str, got {name!r}")
    return given
