"""Pickles that ask for more time or memory than tensors, and what the errors say of them."""

from __future__ import annotations

from pickles import (
    again,
    call,
    doubled,
    kept,
    listed,
    name,
    number,
    paired,
    text,
    together,
)

NONE = b"N"
SET, COUNTER = name("__builtin__", "set"), name("collections", "Counter")
ORDERED, BYTEARRAY = name("collections", "OrderedDict"), name("__builtin__", "bytearray")
ENCODE, FLOATS = name("_codecs", "encode"), name("torch", "FloatStorage")
REBUILD = name("torch._utils", "_rebuild_tensor_v2")
VISITS = 100_000  # allowed in these tests
ELEMENTS = "elements in arguments for each byte of the file"
MANY, REAL = b"J\x00\x00\x10\x00", text("real")  # 2**20
FROM_TYPE = name("torch._tensor", "_rebuild_from_type_v2")
WIDE = [number(i * (2**61 - 1)) for i in range(1, 2000)]
"""Keys that are equal to a hash table of Python."""
SOME_WIDE = paired((key, b"K\x01") for key in WIDE[:100])
HASHED = doubled(18)  # which takes 262 144 visits
LONG = text("x" * 100_000)
SHARED = "each counted wherever it is referred to"


def storage(key: bytes) -> bytes:
    return together([text("storage"), FLOATS, key, text("cpu"), b"K\x06"]) + b"Q"


def tensor(*shape: bytes) -> bytes:
    """A tensor of 2 x 3 elements, or of any number that share memory."""
    sizes = together(shape or [b"K\x02", b"K\x03"])
    strides = together([b"K\x00"] * len(shape) or [b"K\x03", b"K\x01"])
    return call(REBUILD, storage(text("0")), b"K\x00", sizes, strides, b"\x89", call(ORDERED))


def arguments(*shape: bytes) -> bytes:
    return tensor(*shape)[len(REBUILD) : -1]


def sparse(*parts: bytes) -> bytes:
    return call(name("torch._utils", "_rebuild_sparse_tensor"), NONE, together(parts))


def often(what: bytes, times: int) -> bytes:
    return listed([what] * times)


COSTLY = {
    "a key": (paired([(HASHED, NONE)]), SHARED),
    "a key alone": (b"}" + HASHED + NONE + b"s", SHARED),
    "an item of a set": (call(SET, listed([HASHED])), SHARED),
    "what is counted": (call(COUNTER, paired([(HASHED, b"K\x01")])), SHARED),
    "a key of Python 2": (call(ORDERED, listed([together([HASHED, NONE])])), SHARED),
    "the name of a storage": (storage(HASHED), SHARED),
    "an attribute": (call(ORDERED) + paired([(HASHED, NONE)]) + b"b", SHARED),
    "a size": (call(name("torch", "Size"), HASHED), SHARED),
    "a size made as an object": (name("torch", "Size") + together([HASHED]) + b"\x81", SHARED),
    "a deep key": (paired([(b")" + b"\x85" * 100, NONE)]), "nested at most 64 deep"),
    "keys of one hash": (paired((key, NONE) for key in WIDE), SHARED),
    "keys of one hash in pairs": (paired((together([key]), NONE) for key in WIDE), SHARED),
    "items of one hash": (call(SET, listed(WIDE)), SHARED),
    "keys of one hash, of Python 2": (
        call(ORDERED, listed(together([key, NONE]) for key in WIDE)),
        SHARED,
    ),
    "keys of one hash that take long to compare": (
        paired((doubled(9) + key + b"\x86", NONE) for key in WIDE[:40]),
        SHARED,
    ),
    "a set, over and over": (
        together([kept(1, listed([b"K\x01"] * 400)), often(call(SET, again(1)), 400)]),
        SHARED,
    ),
    "a text, over and over": (
        together([kept(1, LONG), often(call(ENCODE, again(1), text("latin1")), 40)]),
        SHARED,
    ),
    "what is counted, over and over": (
        together([kept(1, SOME_WIDE), often(call(COUNTER, again(1)), 100)]),
        SHARED,
    ),
    "attributes, over and over": (
        together([kept(1, SOME_WIDE), call(ORDERED) + (again(1) + b"b") * 100]),
        SHARED,
    ),
    "what a tensor is set to": (tensor() + together([HASHED]) + b"b", "_rebuild_tensor_v2"),
    "a text in a code that takes long": (call(ENCODE, LONG, text("punycode")), "_codecs.encode"),
    "a storage of no name": (listed([NONE]) + b"Q", "named by no tuple"),
    "a text that grows": (call(ENCODE, call(ENCODE, LONG, text("latin1")), text("hex")), "found a"),
    "a number of bytes": (call(BYTEARRAY, b"J\x00\x00\x10\x00"), "found a builtins.bytearray"),
    "bytes of a tensor": (call(BYTEARRAY, tensor()), "found a builtins.bytearray"),
    "a number of values": (call(name("torch", "FloatTensor"), b"M\x00\x10"), "FloatTensor"),
    "a copy of a tensor": (
        call(
            name("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"),
            *(tensor(), name("torch", "float64"), text("cpu"), b"\x89"),
        ),
        "found a torch._utils._rebuild_device_tensor_from_cpu_tensor",
    ),
    "a number of values by way of another call": (
        call(
            FROM_TYPE,
            *(name("torch", "FloatTensor"), name("torch", "Tensor"), together([b"K\x09"]), b"}"),
        ),
        "found a torch.FloatTensor",
    ),
    "elements that a tensor has not": (sparse(tensor(MANY, MANY), tensor()), ELEMENTS),
    "and more of them": (sparse(b"N", *[kept(2, tensor(MANY)), *[again(2)] * 200]), ELEMENTS),
    "elements that a parameter has not": (
        sparse(call(name("torch._utils", "_rebuild_parameter"), tensor(MANY, MANY), b"\x88", NONE)),
        ELEMENTS,
    ),
    "elements that a tensor of a subclass has not": (
        sparse(call(FROM_TYPE, REBUILD, name("torch", "Tensor"), arguments(MANY, MANY), b"}")),
        ELEMENTS,
    ),
    "a tensor of tensors": (sparse(listed([tensor()])), "found a torch._utils._rebuild_sparse"),
    "a tensor of tuples": (sparse(together([tensor()])), "found a torch._utils._rebuild_sparse"),
    "a shape that tensors tell": (tensor(tensor(), tensor()), "found a torch._utils._rebuild_"),
    "a size of a tensor": (call(name("torch", "Size"), tensor()), "found a torch.Size"),
    "an attribute that is copied": (
        call(FROM_TYPE, REBUILD, name("torch", "Tensor"), arguments(), paired([(REAL, tensor())])),
        "found a torch._tensor._rebuild_from_type_v2",
    ),
    "an attribute of a parameter that is copied": (
        call(
            name("torch._utils", "_rebuild_parameter_with_state"),
            *(tensor(), b"\x88", NONE, paired([(REAL, tensor())])),
        ),
        "found a torch._utils._rebuild_parameter_with_state",
    ),
    "a call of a list": (listed([NONE]) + b")R", "a call of what is no function"),
    "a call with a list": (SET + listed([listed([NONE])]) + b"R", "a call of what is no function"),
    "pairs that are none": (call(ORDERED, listed([paired([(NONE, NONE)] * 2)])), "OrderedDict"),
    "a state of pairs": (call(ORDERED) + listed([]) + b"b", "no dictionary"),
    "a name of many characters": (name("a", "\\x1b\\n" * 500) + b")R", "found a a."),
    "an instruction of later pickles": (b"\x95" + b"\0" * 8, "with FRAME"),
}
