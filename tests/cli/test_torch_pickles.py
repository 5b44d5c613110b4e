"""Pickles made to take time or memory are refused before torch reads them; genuine ones are not."""

from __future__ import annotations

import collections
import io
import pickle
from pathlib import Path
from typing import Any

import pytest
from costly import COSTLY, HASHED, NONE, ORDERED, SHARED, VISITS, storage, tensor
from pickles import (
    call,
    doubled,
    listed,
    loaded,
    name,
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
OLD_TORCH = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 8)


@pytest.mark.parametrize("form", [zipped, old])
@pytest.mark.parametrize("what", COSTLY)
def test_what_costs_more_than_tensors_is_refused(
    what: str, form: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, said = COSTLY[what]
    monkeypatch.setattr(torchpickle, "MAX_PICKLE_VISITS", VISITS)
    with pytest.raises(BadFile) as error:
        loaded(tmp_path / "a.pt", form(content))
    shown = str(error.value)
    assert shown.startswith(f"{tmp_path / 'a.pt'}: expected ") and said in shown
    assert len(shown) < 700 and shown.isprintable()


def test_what_is_only_referred_to_costs_nothing(tmp_path: Path) -> None:
    for form in (zipped, old):
        assert len(loaded(tmp_path / "a.pt", form(doubled(60)))) == 2
    read = loaded(tmp_path / "a.pt", zipped(paired([(text("w"), tensor())])))
    assert read["w"].tolist() == [[1, 1, 1], [1, 1, 1]]


def test_what_older_versions_wrote_is_read(tmp_path: Path) -> None:
    size = name("torch", "Size") + together([together([b"K\x02", b"K\x02"])]) + b"\x81"
    rebuild = name("torch._utils", "_rebuild_tensor")
    rebuilt = call(rebuild, storage(text("0")), b"K\x00", size, size)
    of_python_2 = call(ORDERED, listed([listed([text("w"), rebuilt])]))
    by_torch(zipped(of_python_2))
    assert loaded(tmp_path / "a.pt", zipped(of_python_2))["w"].shape == (2, 2)


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


def test_torch_finds_its_pickle_in_upper_case_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = zipped(text("x" * 2000)).replace(b"data.pkl", b"DATA.PKL")
    assert loaded(tmp_path / "a.pt", data) == "x" * 2000
    monkeypatch.setattr(torchload, "MAX_PICKLE", 1000)
    with pytest.raises(BadFile, match="a pickle of at most 1000 bytes, got"):
        loaded(tmp_path / "a.pt", data)


def trained(optimizer: Any, **options: Any) -> dict[str, Any]:
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    steps = optimizer(model.parameters(), lr=0.1, **options)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(steps, [1, 2])  # its state has a Counter
    model(torch.ones(1, 1, 8, 8)).sum().backward()
    steps.step()
    states = {"model": model.state_dict(), "optimizer": steps.state_dict()}
    return states | {"scheduler": scheduler.state_dict(), "rng": torch.get_rng_state()}


def tied() -> Any:
    one, other = torch.nn.Embedding(5, 3), torch.nn.Linear(3, 5)
    other.weight = one.weight
    return torch.nn.Sequential(one, other).state_dict()


def by_torch(raw: bytes) -> Any:
    try:
        return torch.load(io.BytesIO(raw), weights_only=True)
    except pickle.UnpicklingError:
        if OLD_TORCH:
            pytest.skip("this torch reads less")
        raise


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
    if OLD_TORCH and "old form" in what:
        pytest.skip("this torch saves no such types")
    torch.save(GENUINE[what](), buffer, _use_new_zipfile_serialization=new)
    expected = by_torch(buffer.getvalue())
    assert repr(loaded(tmp_path / "a.pt", buffer.getvalue())) == repr(expected)
