"""A prune_state of format 1, or with other values; shares no code with the library."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import torch
from torch import Tensor

WORDS = ("Identity Static Gradual", "None Random IterNonStruct", "prune keep")
NUMBERS = {word: number for words in WORDS for number, word in enumerate(words.split())}
FORMAT_1 = (
    *("format", "prune_mode", "prune_filler", "threshold", "delta", "start", "stepsize", "gamma"),
    *("in_place", "seed", "current", "rises", "counter", "zeros", "level", "asked", "custom"),
    *("ties", "tied"),
)


def values_in(state: Tensor) -> dict[str, Any]:
    values = json.loads(bytes(state.tolist()))
    del values["crc32"]
    return values


def written(text: str) -> Tensor:
    return torch.tensor(list(text.encode()), dtype=torch.uint8)


def edited(state: Tensor, *without: str, **changes: Any) -> Tensor:
    """The state with other values, and the checksum that fits them."""
    values = {k: v for k, v in values_in(state).items() if k not in without} | changes
    text = json.dumps(values)[:-1]
    return written(f'{text},"crc32":{zlib.crc32(text.encode())}}}')


def in_format_1(state: Tensor, length: int = len(FORMAT_1)) -> Tensor:
    """The state in int64 numbers: floats by their bits, words by their number."""

    def number(name: str) -> int:
        value = (values_in(state) | {"format": 1})[name]
        if isinstance(value, str):
            return NUMBERS[value]
        kind = "<d" if isinstance(value, float) else "<Q"
        return struct.unpack("<q", struct.pack(kind, value))[0]

    return torch.tensor([number(name) for name in FORMAT_1[:length]])
