"""Pickles made to take time or memory are refused before torch reads them; genuine ones are not."""

from __future__ import annotations

import collections
import io
from pathlib import Path
from typing import Any

import pytest
from pickles import (
    again,
    call,
    doubled,
    kept,
    listed,
    loaded,
    name,
    number,
    old,
    paired,
    text,
    together,
    zipped,
)
from prunecell import BadFile
from prunecell.cli.tensors import torchload, torchpickle
from running import Run

torch = pytest.importorskip("torch")

NONE = b"N"
SET, COUNTER = name("__builtin__", "set"), name("collections", "Counter")
ORDERED, BYTEARRAY = name("collections", "OrderedDict"), name("__builtin__", "bytearray")
ENCODE, FLOATS = name("_codecs", "encode"), name("torch", "FloatStorage")
REBUILD = name("torch._utils", "_rebuild_tensor_v2")
VISITS = 100_000  # allowed in these tests
WIDE = [number(i * (2**61 - 1)) for i in range(1, 500)]
"""Keys that are equal to a hash table of Python."""
SOME_WIDE = paired((key, b"K\x01") for key in WIDE[:100])
HASHED = doubled(18)  # which takes 262 144 visits
LONG = text("x" * 100_000)
SHARED = "each counted wherever it is referred to"


def storage(key: bytes) -> bytes:
    return together([text("storage"), FLOATS, key, text("cpu"), b"K\x06"]) + b"Q"


def tensor(made_by: bytes = REBUILD) -> bytes:
    shape, strides = together([b"K\x02", b"K\x03"]), together([b"K\x03", b"K\x01"])
    return call(made_by, storage(text("0")), b"K\x00", shape, strides, b"\x89", call(ORDERED))


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
    "what a tensor is set to": (tensor() + together([HASHED]) + b"b", SHARED),
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
            name("torch._tensor", "_rebuild_from_type_v2"),
            *(name("torch", "FloatTensor"), name("torch", "Tensor"), together([b"K\x09"]), b"}"),
        ),
        "found a torch.FloatTensor",
    ),
    "a call of a list": (listed([NONE]) + b")R", "a call of what is no function"),
    "a call with a list": (SET + listed([listed([NONE])]) + b"R", "a call of what is no function"),
    "pairs that are none": (call(ORDERED, listed([paired([(NONE, NONE)])])), "no pairs"),
    "a state of pairs": (call(ORDERED) + listed([]) + b"b", "no dictionary"),
    "an instruction of later pickles": (b"\x95" + b"\0" * 8, "with FRAME"),
}


@pytest.mark.parametrize("form", [zipped, old])
@pytest.mark.parametrize("what", COSTLY)
def test_what_costs_more_than_tensors_is_refused(
    what: str, form: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, said = COSTLY[what]
    monkeypatch.setattr(torchpickle, "MAX_PICKLE_VISITS", VISITS)
    with pytest.raises(BadFile) as error:
        loaded(tmp_path / "a.pt", form(content))
    text = str(error.value)
    assert text.startswith(f"{tmp_path / 'a.pt'}: expected ") and said in text
    assert len(text) < 500 and text.isprintable()


def test_what_is_only_referred_to_costs_nothing(tmp_path: Path) -> None:
    for form in (zipped, old):
        assert len(loaded(tmp_path / "a.pt", form(doubled(60)))) == 2
    read = loaded(tmp_path / "a.pt", zipped(paired([(text("w"), tensor())])))
    assert read["w"].tolist() == [[1, 1, 1], [1, 1, 1]]


def test_pickles_around_the_old_form_are_counted_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torchpickle, "MAX_PICKLE_VISITS", VISITS)
    for data in (old(b"}", version=HASHED), old(b"}", keys=listed([HASHED]))):
        with pytest.raises(BadFile, match=SHARED):
            loaded(tmp_path / "a.pt", data)
    with pytest.raises(BadFile, match="no list of storages"):
        loaded(tmp_path / "a.pt", old(b"}", keys=b"}"))


def test_what_torch_would_hash_for_years_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(zipped(paired([(doubled(60), NONE)])))
    assert SHARED in run("inspect", tmp_path / "a.pt").complaint(1)


@pytest.mark.parametrize("new", [True, False])
def test_pickles_are_of_a_limited_size(
    new: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {f"layer{i}": torch.ones(3) for i in range(100)}
    torch.save(content, tmp_path / "a.pt", _use_new_zipfile_serialization=new)
    data = (tmp_path / "a.pt").read_bytes()
    assert len(loaded(tmp_path / "a.pt", data)) == 100
    with monkeypatch.context() as changed:
        changed.setattr(torchpickle, "MAX_PICKLE_STEPS", 1000)
        with pytest.raises(BadFile, match="at most 1000 steps in a pickle, got more"):
            loaded(tmp_path / "a.pt", data)
    monkeypatch.setattr(torchload, "MAX_PICKLE", 1000)
    with pytest.raises(BadFile, match="at most 1000 bytes, got"):
        loaded(tmp_path / "a.pt", data)
    whole = old(text("x" * 500))
    assert loaded(tmp_path / "a.pt", whole) == "x" * 500


def trained(optimizer: Any, **options: Any) -> dict[str, Any]:
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    steps = optimizer(model.parameters(), lr=0.1, **options)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(steps, [1, 2])  # which has a Counter
    model(torch.ones(1, 1, 8, 8)).sum().backward()
    steps.step()
    states = {"model": model.state_dict(), "optimizer": steps.state_dict()}
    return states | {"scheduler": scheduler.state_dict(), "rng": torch.get_rng_state()}


def tied() -> Any:
    one, other = torch.nn.Embedding(5, 3), torch.nn.Linear(3, 5)
    other.weight = one.weight
    return torch.nn.Sequential(one, other).state_dict()


def with_attribute(made: Any) -> Any:
    made.note = {"sizes": [torch.Size([1, 2])]}
    return made


GENUINE = {
    "SGD": lambda: trained(torch.optim.SGD, momentum=0.9),
    "Adam": lambda: trained(torch.optim.Adam, amsgrad=True),
    "attention": lambda: torch.nn.MultiheadAttention(8, 2).state_dict(),
    "LSTM": lambda: torch.nn.LSTM(3, 4, 2).state_dict(),
    "tied": tied,
    "parameters": lambda: [torch.nn.Parameter(torch.ones(2, i)) for i in range(3)],
    "attributes": lambda: [
        with_attribute(one) for one in (torch.ones(2), torch.nn.Parameter(torch.ones(2)))
    ],
    "views": lambda: [torch.ones(4, 5).T, torch.ones(9)[2:5], torch.ones(1).expand(7)],
    "types": lambda: [
        torch.ones(2, dtype=getattr(torch, one))
        for one in ("bool", "int8", "int64", "float16", "bfloat16", "float64", "complex64")
    ],
    "types that the old form has not": lambda: [
        torch.ones(2, dtype=getattr(torch, one)) for one in ("float8_e5m2", "uint16")
    ],
    "conjugate": lambda: torch.ones(2, dtype=torch.complex64).conj(),
    "sparse": lambda: torch.eye(3).to_sparse(),
    "meta": lambda: torch.ones(2, 3, device="meta"),
    "no tensors": lambda: {
        "set": {"a", 2, (3, 4.5)},
        "counter": collections.Counter("aab"),
        "bytes": [b"a\xff", bytearray(), bytearray(b"b\xff")],
        "numbers": [1, -(2**70), 0.5, 2j, True, None],
        "torch": [torch.Size([2, 3]), torch.device("cpu"), torch.float32, torch.strided],
        "keys": {3: 1, 2.5: 2, None: 3, (1, "b"): 4, 2**40: 5},
    },
}
FORMS = [(what, new) for what in GENUINE for new in (True, False) if new or "old form" not in what]


@pytest.mark.parametrize(("what", "new"), FORMS)
def test_whatever_torch_reads_of_its_own_is_read(what: str, new: bool, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(GENUINE[what](), buffer, _use_new_zipfile_serialization=new)
    expected = torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)
    assert repr(loaded(tmp_path / "a.pt", buffer.getvalue())) == repr(expected)
