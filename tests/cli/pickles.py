"""Torch files of both forms around pickles that are written by hand."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

START, END = b"\x80\x02", b"."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    data = pickle.encode_long(value)
    return b"\x8a" + bytes([len(data)]) + data


def name(module: str, function: str) -> bytes:
    return f"c{module}\n{function}\n".encode()


def together(items: Iterable[bytes]) -> bytes:
    """A tuple."""
    return b"(" + b"".join(items) + b"t"


def listed(items: Iterable[bytes]) -> bytes:
    return b"](" + b"".join(items) + b"e"


def paired(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"}(" + b"".join(key + value for key, value in pairs) + b"u"


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + together(arguments) + b"R"


def kept(at: int, value: bytes) -> bytes:
    return value + b"r" + struct.pack("<I", at)


def again(at: int) -> bytes:
    return b"j" + struct.pack("<I", at)


def doubled(levels: int) -> bytes:
    """A tuple of one tuple twice, and so on: 2**levels visits, since each tuple is referred to."""
    return kept(0, b")") + kept(0, again(0) + b"\x86") * levels


def zipped(content: bytes) -> bytes:
    """A file of one tensor, with another pickle."""
    import torch

    buffer, changed = io.BytesIO(), io.BytesIO()
    torch.save({"w": torch.ones(2, 3)}, buffer)
    with zipfile.ZipFile(buffer) as members, zipfile.ZipFile(changed, "w") as archive:
        for member in members.namelist():
            data = START + content + END
            archive.writestr(member, data if member.endswith("data.pkl") else members.read(member))
    return changed.getvalue()


def old(content: bytes, *, version: bytes = b"M\xe9\x03", keys: bytes = b"]") -> bytes:
    """A file in the form of before 1.6, without a tensor."""
    from torch.serialization import MAGIC_NUMBER

    parts = (number(MAGIC_NUMBER), version, b"}", content, keys)
    return b"".join(START + part + END for part in parts)


def loaded(path: Path, data: bytes) -> Any:
    from prunecell.cli.tensors.torchload import load_torch

    path.write_bytes(data)
    return load_torch(path)
