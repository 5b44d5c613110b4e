"""Files that are wrong, one in each way."""

from __future__ import annotations

import json

import numpy as np
from arrays import container, entry, written

F4 = b"\0\0\0\0"


def of_one(fields: object, data: bytes = F4) -> bytes:
    return container({"w": fields}, data)


def packed(notes: dict[str, object] | None = None, **changed: np.ndarray | None) -> bytes:
    """The parts of float32[4, 12] with 5 values kept, some of them changed or left out."""
    bits = np.zeros((4, 12), dtype=np.uint8)
    bits[0, 0] = bits[0, 11] = bits[1, 3] = bits[3, 5] = bits[3, 6] = 1
    parts: dict[str, np.ndarray | None] = {
        "shape": np.array([4, 12]),
        "compressed": np.arange(1, 6, dtype=np.float32),
        "bitmask": np.packbits(bits, axis=1, bitorder="little"),
        "row_offsets": np.array([0, 2, 3, 3]),
    }
    chosen = {k: v for k, v in (parts | changed).items() if v is not None}
    said = {"prunecell": json.dumps({"format": 1, "tensors": notes})}
    tensors = {f"w.{part}": array for part, array in chosen.items()}
    return written(tensors, None if notes is None else said)


def noted(text: str, tensors: dict[str, np.ndarray] | None = None) -> bytes:
    one = {"w": np.zeros(1, np.float32)} if tensors is None else tensors
    return written(one, {"prunecell": text})


def said_of(**tensors: object) -> bytes:
    return noted(json.dumps({"format": 1, "tensors": tensors}))


BITS = np.array([[1, 8], [8, 0], [0, 0], [96, 0]], dtype=np.uint8)
HUGE = 2**62
WRONG: dict[str, tuple[bytes, str]] = {
    # The fault, the file, and words of the error.
    "empty": (b"", "at least 8 bytes"),
    "only a length": (b"\0" * 7, "at least 8 bytes"),
    "header of no bytes": (b"\0" * 8, "header of JSON"),
    "header beyond the file": (container({}, length=100), "header of at most 2 bytes"),
    "header of 2**64 bytes": (container({}, length=2**64 - 1), "header of at most"),
    "header over the limit": (b"\1\0\0\1" + b"\0" * 4 + b" " * (17 << 20), "at most 16777216"),
    "not UTF-8": (container(b'{"\xff":1}'), "UnicodeDecodeError"),
    "not JSON": (container(b"{'w'}"), "JSONDecodeError"),
    "half of JSON": (container(b'{"w":{"dtype":"F32"'), "JSONDecodeError"),
    "JSON and more": (container(b"{}{}"), "JSONDecodeError"),
    "a list": (container([]), "JSON object"),
    "nested deeply": (container(b"[" * 100_000), "RecursionError"),
    "an integer of a million digits": (container(b'{"w":' + b"9" * 10**6 + b"}"), "header of JSON"),
    "duplicate tensor": (container(b'{"w":1,"w":1}'), "'w' comes more than once"),
    "duplicate field": (
        container(b'{"w":{"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]}}', F4),
        "'dtype' comes more than once",
    ),
    "metadata that are no strings": (container({"__metadata__": {"a": 1}}), "strings in"),
    "metadata in a list": (container({"__metadata__": []}), "strings in"),
    "tensor that is a number": (of_one(3), "JSON object with dtype"),
    "no dtype": (of_one({"shape": [1], "data_offsets": [0, 4]}), "a dtype of"),
    "unknown dtype": (of_one(entry("F31", [1], 0, 4)), "got 'F31'"),
    "dtype that is a list": (of_one(entry(["F32"], [1], 0, 4)), "a dtype of"),  # type: ignore[arg-type]
    "no shape": (of_one({"dtype": "F32", "data_offsets": [0, 4]}), "shape of integers"),
    "shape that is a number": (of_one(entry("F32", 1, 0, 4)), "shape of integers"),
    "negative extent": (of_one(entry("F32", [-1], 0, 4)), "shape of integers"),
    "two negative extents": (of_one(entry("F32", [-1, -1], 0, 4)), "shape of integers"),
    "extent that is a float": (of_one(entry("F32", [1.0], 0, 4)), "shape of integers"),
    "extent that is true": (of_one(entry("F32", [True], 0, 4)), "shape of integers"),
    "extent that is NaN": (of_one(entry("F32", [float("nan")], 0, 4)), "NaN is not JSON"),
    "huge extent": (of_one(entry("F32", [HUGE], 0, 4)), "less than 2**63 bytes"),
    "product beyond 64 bits": (of_one(entry("F32", [2**33, 2**33], 0, 4)), "less than 2**63"),
    "product that wraps to 4": (of_one(entry("F32", [2**63, 2**63, 4], 0, 4)), "less than 2**63"),
    "huge and empty": (of_one(entry("F32", [HUGE, HUGE, 0], 0, 0), b""), "less than 2**63"),
    "too many dimensions": (of_one(entry("F32", [1] * 33, 0, 4)), "at most 32 dimensions"),
    "no offsets": (of_one({"dtype": "F32", "shape": [1]}), "data_offsets"),
    "one offset": (of_one({"dtype": "F32", "shape": [1], "data_offsets": [0]}), "two integers"),
    "negative offset": (of_one(entry("F32", [1], -4, 0)), "two integers"),
    "offsets the wrong way": (of_one(entry("F32", [1], 4, 0)), "within the 4 bytes"),
    "offsets beyond the file": (of_one(entry("F32", [2], 0, 8)), "within the 4 bytes"),
    "huge offsets": (of_one(entry("F32", [1], HUGE, HUGE + 4)), "within the 4 bytes"),
    "fewer bytes than the shape": (of_one(entry("F32", [2], 0, 4)), "8 bytes for shape [2]"),
    "more bytes than the shape": (of_one(entry("F32", [], 0, 8), F4 * 2), "4 bytes for shape []"),
    "overlap": (
        container({"a": entry("F32", [2], 0, 8), "b": entry("F32", [2], 4, 12)}, F4 * 3),
        "begins at byte 8",
    ),
    "twice the same bytes": (
        container({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 0, 4)}, F4),
        "begins at byte 4",
    ),
    "hole": (
        container({"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 8, 12)}, F4 * 3),
        "begins at byte 4",
    ),
    "hole before all": (of_one(entry("F32", [1], 4, 8), F4 * 2), "begins at byte 0"),
    "bytes behind all": (of_one(entry("F32", [1], 0, 4), F4 * 2), "all 8 bytes"),
    "BOOL of 2": (of_one(entry("BOOL", [4], 0, 4), b"\0\1\2\0"), "0 or 1"),
    # Packed tensors
    "fewer values than ones": (packed(compressed=np.ones(4, np.float32)), "5 compressed values"),
    "more values than ones": (packed(compressed=np.ones(6, np.float32)), "5 compressed values"),
    "no values": (packed(compressed=np.ones(0, np.float32)), "5 compressed values"),
    "values in a matrix": (packed(compressed=np.ones((5, 1), np.float32)), "one dimension"),
    "bits behind the columns": (
        packed(bitmask=BITS | np.array([0, 16], np.uint8)),
        "no bits set behind the 12",
    ),
    "bits moved behind the columns": (
        packed(bitmask=np.array([[1, 128], [8, 0], [0, 0], [96, 0]], np.uint8)),
        "no bits set behind the 12",
    ),
    "bitmask of another shape": (packed(bitmask=BITS.reshape(2, 4)), "bitmask U8[4, 2]"),
    "bitmask of another type": (packed(bitmask=BITS.astype(np.int64)), "bitmask U8[4, 2]"),
    "bitmask in one dimension": (packed(bitmask=BITS.reshape(-1)), "bitmask U8[4, 2]"),
    "offsets that do not fit": (packed(row_offsets=np.array([0, 2, 2, 3])), "3 as row_offsets[2]"),
    "offsets from one": (packed(row_offsets=np.array([1, 3, 4, 4])), "0 as row_offsets[0]"),
    "negative offsets": (packed(row_offsets=np.array([0, -2, 3, 3])), "2 as row_offsets[1]"),
    "one offset too many": (packed(row_offsets=np.array([0, 2, 3, 3, 5])), "row_offsets I64[4]"),
    "offsets of another type": (
        packed(row_offsets=np.array([0, 2, 3, 3], np.int32)),
        "row_offsets I64[4]",
    ),
    "other rows": (packed(shape=np.array([5, 12])), "bitmask U8[5, 2]"),
    "other columns": (packed(shape=np.array([4, 17])), "bitmask U8[4, 3]"),
    "columns of the same bytes": (packed(shape=np.array([4, 11])), "no bits set behind the 11"),
    "shape of huge rows": (packed(shape=np.array([HUGE, 1])), "less than 2**63 bytes"),
    "shape of huge columns": (
        packed(shape=np.array([4, 2**58])),
        "bitmask U8[4, 36028797018963968]",
    ),
    "shape of huge emptiness": (
        packed(shape=np.array([2**60, 0])),
        "bitmask U8[1152921504606846976",
    ),
    "negative packed shape": (packed(shape=np.array([-4, -12])), "shape of integers"),
    "packed shape of many": (packed(shape=np.ones(33, np.int64)), "at most 32 numbers"),
    "packed shape in a matrix": (packed(shape=np.array([[4, 12]])), "at most 32 numbers"),
    "packed shape of floats": (packed(shape=np.array([4, 12], np.float32)), "at most 32 numbers"),
    # Metadata
    "notes that are not JSON": (noted("{"), "JSON in metadata"),
    "notes that are nested deeply": (noted("[" * 50_000), "JSON in metadata"),
    "notes that are a list": (noted("[]"), "object with tensors"),
    "notes without tensors": (noted('{"format":1}'), "object with tensors"),
    "notes of a later format": (noted('{"format":2,"tensors":{}}'), "format 1"),
    "a note that is a number": (said_of(w=3), "sparsity, packed, bitmask_of or"),
    "a note of unknown words": (said_of(w={"zeros": 3}), "sparsity, packed, bitmask_of or"),
    "a sparsity that is a word": (said_of(w={"sparsity": "0.5"}), "sparsity, packed"),
    "a sparsity that is NaN": (
        noted('{"format":1,"tensors":{"w":{"sparsity":NaN}}}'),
        "NaN is not",
    ),
    "a sparsity over all": (noted('{"format":1,"tensors":{"w":{"sparsity":1e999}}}'), "sparsity"),
    "a packed mask": (
        said_of(w={}, m={"packed": True, "bitmask_of": "w"}),
        "packed, bitmask_of or",
    ),
    "another program's file": (b"import sys\n" * 3, "a safetensors file, which has a header"),
    "a tensor that is not there": (said_of(w={}, v={"sparsity": 0}), "tensor 'v'"),
    "a packed tensor that is not there": (said_of(w={"packed": True}), "one tensor 'w.shape'"),
    "a part that is also a tensor": (
        packed(notes={"w": {"packed": True}, "w.bitmask": {}}),
        "one tensor 'w.bitmask' for it, got it twice",
    ),
    "a mask of nothing": (said_of(w={}, m={"bitmask_of": "v"}), "a packed tensor"),
    "a mask of a dense tensor": (said_of(w={}, m={"bitmask_of": "w"}), "a packed tensor"),
    "a mask of itself": (said_of(w={}, m={"bitmask_of": "m"}), "a packed tensor"),
    "a mask in the place of a tensor": (said_of(w={"bitmask_of": "w"}), "one tensor of that name"),
}
