"""The header of a safetensors file: JSON that maps names to element type, shape and byte range."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prunecell.formats.bad_file import bad_file, said
from prunecell.formats.dtypes import BY_NAME, DType
from prunecell.limits import MAX_BYTES, MAX_DIMENSIONS

METADATA = "__metadata__"


@dataclass(frozen=True)
class Entry:
    """One tensor of a file; `start` and `stop` count from the end of the header."""

    dtype: DType
    shape: tuple[int, ...]
    start: int
    stop: int


def encode(entries: dict[str, Entry], metadata: dict[str, str]) -> bytes:
    """The header, padded with spaces so that values of 8 bytes are aligned in the file."""
    fields: dict[str, Any] = {METADATA: metadata} if metadata else {}
    for name, one in entries.items():
        fields[name] = {
            "dtype": one.dtype.name,
            "shape": list(one.shape),
            "data_offsets": [one.start, one.stop],
        }
    raw = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()
    return raw + b" " * (-len(raw) % 8)


def parse(raw: bytes, data_size: int, path: Path) -> tuple[dict[str, Entry], dict[str, str]]:
    """The reverse of `encode`; validates all input.

    Raises:
        BadFile: The header is not a set of tensors that fill the `data_size` bytes exactly.
    """
    try:
        fields = json.loads(raw.decode(), object_pairs_hook=_unique, parse_constant=refuse)
    except (ValueError, RecursionError, MemoryError) as error:
        reason = said(f"{type(error).__name__}: {error}")
        what = "a safetensors file, with a header of JSON without duplicate keys"
        raise bad_file(path, None, what, reason) from None
    if not isinstance(fields, dict):
        raise bad_file(path, None, "a JSON object as header", fields)
    metadata = _metadata(fields.pop(METADATA, {}), path)
    entries = {name: _entry(value, name, data_size, path) for name, value in fields.items()}
    _check_ranges(entries, data_size, path)
    return entries, metadata


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise ValueError(f"the key {counts.most_common(1)[0][0][:80]!r} comes more than once")
    return fields


def refuse(constant: str) -> None:
    """Refuses NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(f"{constant} is not JSON")


def _metadata(value: Any, path: Path) -> dict[str, str]:
    if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
        return value
    raise bad_file(path, None, f"strings in {METADATA}", value)


def _entry(value: Any, name: str, data_size: int, path: Path) -> Entry:
    if not isinstance(value, dict):
        raise bad_file(path, name, "a JSON object with dtype, shape and data_offsets", value)
    dtype = value.get("dtype")
    known = BY_NAME.get(dtype) if isinstance(dtype, str) else None
    if known is None:
        raise bad_file(path, name, f"a dtype of {', '.join(BY_NAME)}", dtype)
    shape = check_shape(value.get("shape"), known.size, name, path)
    offsets: Any = value.get("data_offsets")
    if not _naturals(offsets) or len(offsets) != 2:
        raise bad_file(path, name, "data_offsets of two integers >= 0", offsets)
    start, stop = offsets
    if not start <= stop <= data_size:
        raise bad_file(path, name, f"data_offsets within the {data_size} bytes of data", offsets)
    expected = math.prod(shape) * known.size
    if stop - start != expected:
        what = f"{expected} bytes for shape {list(shape)} of {known.name}"
        raise bad_file(path, name, what, stop - start)
    return Entry(known, shape, start, stop)


def check_shape(shape: Any, itemsize: int, name: str, path: Path) -> tuple[int, ...]:
    """The value as a shape whose elements can be counted and addressed.

    Raises:
        BadFile: The value is anything else.
    """
    if not _naturals(shape):
        raise bad_file(path, name, "a shape of integers >= 0", shape)
    if len(shape) > MAX_DIMENSIONS:
        raise bad_file(path, name, f"at most {MAX_DIMENSIONS} dimensions", len(shape))
    # numpy multiplies the extents that are not 0, also where the tensor is empty.
    if math.prod(extent for extent in shape if extent) * itemsize > MAX_BYTES:
        raise bad_file(path, name, "a shape of less than 2**63 bytes", shape)
    return tuple(shape)


def _naturals(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _check_ranges(entries: dict[str, Entry], data_size: int, path: Path) -> None:
    end = 0
    for name, one in sorted(entries.items(), key=lambda item: (item[1].start, item[1].stop)):
        if one.start != end:
            what = f"data that begins at byte {end}, where the tensor before it ends"
            raise bad_file(path, name, what, one.start)
        end = one.stop
    if end != data_size:
        raise bad_file(path, None, f"tensors for all {data_size} bytes of data", end)


def check_names(names: Iterable[str]) -> None:
    """Raises ValueError for names that a header cannot hold."""
    for name in names:
        if name == METADATA:
            raise ValueError(f"{METADATA!r} is reserved")
        name.encode()  # a lone surrogate raises UnicodeEncodeError, which is a ValueError
