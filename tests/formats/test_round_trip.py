"""Tensors load as they were saved, bit for bit, however they lie in the file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from arrays import DTYPES, SHAPES, SPARSITIES, same, same_all, sparse
from hypothesis import given
from hypothesis import strategies as st
from prunecell import InvalidArgument, InvalidType
from prunecell.formats import PackReader, PackWriter, load, save
from safetensors.numpy import load_file

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_shape_and_sparsity_comes_back_with_every_bit(dtype: str, tmp_path: Path) -> None:
    arrays = {
        f"{shape} at {share}": sparse(dtype, shape, share, seed)
        for seed, shape in enumerate(SHAPES)
        for share in SPARSITIES
    }
    save(arrays, tmp_path / "x.safetensors")
    assert same_all(load(tmp_path / "x.safetensors"), arrays)
    with PackReader(tmp_path / "x.safetensors") as file:
        packed = {name for name in file if file.info(name).packed}
    assert {"(70, 129) at 0.97", "(70, 129) at 1.0", "(16, 8, 3, 3) at 0.97"} <= packed
    assert packed.isdisjoint(name for name in arrays if name.endswith("at 0.0"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_tensors_come_back_with_every_bit(dtype: str, tmp_path: Path) -> None:
    save({"a": sparse(dtype, (40, 77), 0.9), "b": sparse(dtype, (), 0)}, tmp_path / "x")
    tensors = load(tmp_path / "x", framework="torch")
    assert all(str(one.dtype) == f"torch.{dtype}" for one in tensors.values())
    save(tensors, tmp_path / "y")
    assert same_all(load(tmp_path / "y"), load(tmp_path / "x"))


@given(
    shape=st.lists(st.integers(0, 40), max_size=3).map(tuple),
    sparsity=st.floats(0, 1),
    dtype=st.sampled_from(sorted(DTYPES)),
    seed=st.integers(0, 1000),
)
def test_any_tensor_comes_back(
    shape: tuple[int, ...],
    sparsity: float,
    dtype: str,
    seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    array = sparse(dtype, shape, sparsity, seed)
    save({"w": array}, path)
    assert same(load(path)["w"], array)


def test_the_parts_of_a_packed_tensor_are_as_documented(tmp_path: Path) -> None:
    weights = np.zeros((3, 2, 5), dtype=np.float32)
    weights[0, 0, :2] = 1, 2
    weights[2, 1, 4] = -0.0  # kept: it is not +0
    with PackWriter(tmp_path / "x") as file:
        file.add("big", np.tile(weights, (1, 1, 100)))
    parts = load_file(tmp_path / "x")
    assert set(parts) == {"big.shape", "big.compressed", "big.bitmask", "big.row_offsets"}
    assert parts["big.shape"].tolist() == [3, 2, 500]
    assert parts["big.compressed"].tolist() == [1, 2] * 100 + [0] * 100
    assert np.signbit(parts["big.compressed"][200:]).all()
    assert parts["big.row_offsets"].tolist() == [0, 200, 200]
    bits = np.unpackbits(parts["big.bitmask"], axis=1, count=1000, bitorder="little")
    assert parts["big.bitmask"].dtype == np.uint8 and parts["big.bitmask"].shape == (3, 125)
    rows = np.tile(weights, (1, 1, 100)).reshape(3, 1000)
    assert np.array_equal(bits, (rows != 0) | np.signbit(rows))


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_packing_never_makes_a_file_larger(dtype: str, tmp_path: Path) -> None:
    for shape in ((4, 4), (30, 1), (12, 9), (64, 65), (1, 900), (2000,)):
        for percent in range(0, 101, 10):
            array = sparse(dtype, shape, percent / 100)
            save({"w": array}, tmp_path / "packed")
            save({"w": array}, tmp_path / "dense", pack=False)
            sizes = [os.path.getsize(tmp_path / name) for name in ("packed", "dense")]
            # The rule weighs a header entry by a constant, and headers end at a multiple of 8.
            assert sizes[0] <= sizes[1] + 64


def test_what_packs_by_ninety_percent_takes_an_eighth(tmp_path: Path) -> None:
    save({"w": sparse("float32", (500, 1000), 0.9)}, tmp_path / "x")
    assert 500 * 1000 * 4 / os.path.getsize(tmp_path / "x") > 7.3


def test_pack_false_keeps_every_tensor_under_its_own_name(tmp_path: Path) -> None:
    array = sparse("float32", (64, 64), 0.97)
    save({"w": array}, tmp_path / "x", pack=False)
    assert same_all(load_file(tmp_path / "x"), {"w": array})


def test_the_metadata_tells_sparsity_and_keeps_the_users_words(tmp_path: Path) -> None:
    arrays = {"w": sparse("float32", (64, 64), 0.75), "b": np.ones(4, dtype=np.float32)}
    save(arrays, tmp_path / "x", metadata={"author": "me"})
    with PackReader(tmp_path / "x") as file:
        assert file.metadata == {"format": "np", "author": "me"}
        infos = [file.info(name) for name in file]
    assert [(one.name, one.sparsity, one.packed) for one in infos] == [
        ("w", 0.75, True),
        ("b", 0.0, False),
    ]
    assert infos[0].shape == (64, 64) and infos[0].dtype == "float32"
    assert infos[0].nbytes == 1024 * 4 + 64 * (8 + 8) + 2 * 8


def test_arrays_of_any_strides_and_byte_order_are_saved_by_value(tmp_path: Path) -> None:
    base = np.arange(60, dtype=np.float32).reshape(6, 10)
    arrays = {"t": base.T, "step": base[::2, 1::3], "big": base.astype(">f4")}
    tensors = {"last": torch.arange(48.0).reshape(1, 3, 4, 4).to(memory_format=torch.channels_last)}
    tensors["conj"] = torch.tensor([1 + 2j]).conj()
    tensors["every other"] = torch.arange(8.0)[::2]
    save(arrays | tensors, tmp_path / "x")
    loaded = load(tmp_path / "x")
    assert all(np.array_equal(loaded[name], arrays[name]) for name in arrays)
    assert np.array_equal(loaded["last"].reshape(-1), np.arange(48))
    assert loaded["conj"].tolist() == [1 - 2j]
    assert loaded["every other"].tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize(
    "names",
    [
        ["w.shape", "w.compressed", "w.bitmask", "w.row_offsets"],
        ["w", "w.shape", "w.bitmask"],
        ["w", "w.shape", "w.compressed", "w.bitmask", "w.row_offsets"],
        ["", ".shape", "weight", "prune_mask", "ünï", '"\\\n'],
    ],
)
@pytest.mark.parametrize("others", [0.0, 0.97], ids=["beside dense", "beside packed"])
def test_names_like_those_of_the_parts_are_names_like_any(
    names: list[str], others: float, tmp_path: Path
) -> None:
    shares = {"w": 0.97}
    arrays = {
        name: sparse("float32", (64, 64), shares.get(name, others), seed)
        for seed, name in enumerate(names)
    }
    save(arrays, tmp_path / "x")
    assert same_all(load(tmp_path / "x"), arrays)


def test_nothing_to_save_is_a_file_of_nothing(tmp_path: Path) -> None:
    save({}, tmp_path / "x")
    assert load(tmp_path / "x") == {}


def test_loaded_arrays_are_ones_own(tmp_path: Path) -> None:
    save({"w": np.ones(3), "p": np.eye(64)}, tmp_path / "x")
    first = load(tmp_path / "x")
    for array in first.values():
        array[...] = 7
    assert load(tmp_path / "x")["w"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1.0], "list"),
        (None, "NoneType"),
        (np.array(["a"]), "<U1"),
        (np.array([1j]), "complex128"),
        (np.array([object()]), "object"),
        (np.zeros(2, dtype=[("a", "f4"), ("b", "f4")]), "'a'"),
        (torch.zeros(2, 2).to_sparse(), "sparse"),
        (torch.zeros(2, device="meta"), "meta"),
        (torch.zeros(2, dtype=torch.complex128), "complex128"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_what_cannot_be_saved_is_named_and_the_old_file_stays(
    value: object, said: str, tmp_path: Path
) -> None:
    save({"old": np.ones(2)}, tmp_path / "x")
    with pytest.raises(InvalidType, match="tensor 'wrong': expected") as error:
        save({"fine": np.ones(3), "wrong": value}, tmp_path / "x")
    assert said in str(error.value)
    assert list(load(tmp_path / "x")) == ["old"]
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("name", ["__metadata__", "\ud800"])
def test_names_that_a_header_cannot_hold_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="cannot store the name"):
        save({name: np.ones(2)}, tmp_path / "x")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "metadata", [{"prunecell": "x"}, {"a": 1}, {1: "a"}, {"a": "\ud800"}], ids=ascii
)
def test_metadata_that_cannot_be_stored_are_refused(
    metadata: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(InvalidArgument, match="metadata: "):
        save({"w": np.ones(2)}, tmp_path / "x", metadata=metadata)
    assert os.listdir(tmp_path) == []


def test_a_tensor_whose_parts_have_taken_names_is_dense(tmp_path: Path) -> None:
    arrays = {"w.bitmask": np.ones(2), "w": sparse("float32", (64, 64), 0.97)}
    with PackWriter(tmp_path / "x") as file:
        for name, array in arrays.items():
            file.add(name, array)
    assert same_all(load(tmp_path / "x"), arrays)


@pytest.mark.parametrize("first", ["dense", "packed"])
@pytest.mark.parametrize("second", ["dense", "packed", "mask"])
def test_a_tensor_is_written_once(first: str, second: str, tmp_path: Path) -> None:
    arrays = {"dense": np.ones((64, 64)), "packed": np.zeros((64, 64))}
    with PackWriter(tmp_path / "x") as file:
        file.add("w", arrays[first])
        with pytest.raises(InvalidArgument, match="a tensor named 'w' was written already"):
            if second == "mask":
                file.add_mask("w", "v")
            else:
                file.add("w", arrays[second])
    assert same_all(load(tmp_path / "x"), {"w": arrays[first]})


def test_an_exception_while_writing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), PackWriter(tmp_path / "x") as file:
        file.add("w", np.ones(2))
        raise KeyError
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("model", [None, 3, np.ones(2), [np.ones(2)], {1: np.ones(2)}])
def test_save_takes_a_dict_or_a_model(model: object, tmp_path: Path) -> None:
    with pytest.raises(InvalidType, match="save: expected"):
        save(model, tmp_path / "x")


def test_unknown_frameworks_and_tensors_are_refused_by_name(tmp_path: Path) -> None:
    save({"w": np.ones(2)}, tmp_path / "x")
    with pytest.raises(InvalidArgument, match="'numpy' or 'torch', got 'jax'"):
        load(tmp_path / "x", framework="jax")
    with PackReader(tmp_path / "x") as file, pytest.raises(InvalidArgument, match="named 'v'"):
        file["v"]
