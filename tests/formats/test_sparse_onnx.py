"""ONNX models with sparse initializers compute what the dense ones do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import prunecell
import pytest
from arrays import sparse
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from prunecell import InvalidArgument
from prunecell.formats import export_onnx

Array = NDArray[Any]
TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "float64": TensorProto.DOUBLE,
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "bool": TensorProto.BOOL,
}


def initializer(array: Array, name: str) -> Any:
    if array.dtype == ml_dtypes.bfloat16:  # from_array of older versions does not know it
        kind = TensorProto.BFLOAT16
        return helper.make_tensor(name, kind, array.shape, array.tobytes(), raw=True)
    return numpy_helper.from_array(array, name)


def model_of(nodes: list[Any], inputs: list[Any], output: Any, **weights: Array) -> Any:
    initializers = [initializer(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "graph", inputs, [output], initializers)
    versions = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=versions, ir_version=8)


def small_network() -> tuple[Any, dict[str, Array]]:
    """A convolution and a matrix product, pruned by the library."""
    rng = np.random.default_rng(0)
    weights = {"conv.w": rng.normal(0, 1, (8, 3, 3, 3)), "fc.w": rng.normal(0, 1, (8 * 36, 10))}
    weights = {name: one.astype(np.float32) for name, one in weights.items()}
    for one in weights.values():
        prunecell.rebuild_and_apply(one, threshold=0.9)
    weights["fc.b"] = rng.normal(0, 1, 10).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "conv.w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Flatten", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "fc.w", "fc.b"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 8, 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 10])
    return model_of(nodes, [x], y, **weights), weights


def outputs(model: str | Path, **inputs: Array) -> list[Array]:
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    found: list[Array] = session.run(None, inputs)
    return found


def test_outputs_of_the_sparse_model_equal_those_of_the_dense_one(tmp_path: Path) -> None:
    model, _ = small_network()
    onnx.save(model, tmp_path / "dense.onnx")
    assert export_onnx(tmp_path / "dense.onnx", tmp_path / "sparse.onnx") == ["conv.w", "fc.w"]
    onnx.checker.check_model(str(tmp_path / "sparse.onnx"))
    x = np.random.default_rng(1).normal(0, 1, (2, 3, 8, 8)).astype(np.float32)
    (expected,), (found,) = (outputs(tmp_path / f"{n}.onnx", x=x) for n in ("dense", "sparse"))
    assert np.array_equal(found, expected) and np.ptp(found) > 1
    sizes = [os.path.getsize(tmp_path / f"{n}.onnx") for n in ("dense", "sparse")]
    assert sizes[0] / sizes[1] > 2.5


@pytest.mark.parametrize("shape", [(900,), (30, 40), (8, 3, 5, 5)], ids=str)
@pytest.mark.parametrize("dtype", TYPES)
def test_the_runtime_expands_every_type_bit_for_bit(
    dtype: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    weights = sparse(dtype, shape, 0.97)
    value = helper.make_tensor_value_info("y", TYPES[dtype], list(shape))
    model = model_of([helper.make_node("Identity", ["w"], ["y"])], [], value, w=weights)
    assert export_onnx(model, tmp_path / "x.onnx") == ["w"]
    (found,) = outputs(tmp_path / "x.onnx")
    assert found.dtype == weights.dtype and found.tobytes() == weights.tobytes()


def test_bfloat16_is_expanded_too(tmp_path: Path) -> None:
    weights = sparse("bfloat16", (30, 40), 0.97, special=False)
    node = helper.make_node("Cast", ["w"], ["y"], to=TensorProto.FLOAT)
    value = helper.make_tensor_value_info("y", TensorProto.FLOAT, [30, 40])
    assert weights.dtype == ml_dtypes.bfloat16
    assert export_onnx(model_of([node], [], value, w=weights), tmp_path / "x.onnx") == ["w"]
    assert np.array_equal(outputs(tmp_path / "x.onnx")[0], weights.astype(np.float32))


def test_what_onnx_widens_stays_dense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = sparse("bfloat16", (30, 40), 0.97, special=False)
    node = helper.make_node("Cast", ["w"], ["y"], to=TensorProto.FLOAT)
    value = helper.make_tensor_value_info("y", TensorProto.FLOAT, [30, 40])
    model = model_of([node], [], value, w=weights)
    with monkeypatch.context() as older:  # as versions before 1.18
        older.setattr(numpy_helper, "to_array", lambda _: weights.astype(np.float32))
        assert export_onnx(model, tmp_path / "x.onnx") == []
    assert np.array_equal(outputs(tmp_path / "x.onnx")[0], weights.astype(np.float32))


def test_what_would_not_shrink_stays_dense(tmp_path: Path) -> None:
    model, _ = small_network()
    weights = {
        "half": sparse("float32", (30, 40), 0.6),
        "half16": sparse("float16", (30, 40), 0.75),
        "number": np.array(0.0),
        "words": np.array(["a", "b"], dtype=object),
    }
    model.graph.initializer.extend(numpy_helper.from_array(w, n) for n, w in weights.items())
    assert export_onnx(model, tmp_path / "x.onnx") == ["conv.w", "fc.w"]
    read = onnx.load(tmp_path / "x.onnx")
    assert [one.name for one in read.graph.initializer] == ["fc.b", *weights]
    assert [one.values.name for one in read.graph.sparse_initializer] == ["conv.w", "fc.w"]


def test_the_model_given_is_not_changed(tmp_path: Path) -> None:
    model, _ = small_network()
    before = model.SerializeToString()
    export_onnx(model, tmp_path / "x.onnx")
    assert model.SerializeToString() == before


def test_initializers_that_an_input_may_replace_stay_dense(tmp_path: Path) -> None:
    model, _ = small_network()
    shape = [8, 3, 3, 3]
    model.graph.input.append(helper.make_tensor_value_info("conv.w", TensorProto.FLOAT, shape))
    assert export_onnx(model, tmp_path / "x.onnx") == ["fc.w"]


def test_a_model_without_zeros_is_copied(tmp_path: Path) -> None:
    model, _ = small_network()
    for one in model.graph.initializer:
        one.CopyFrom(numpy_helper.from_array(np.ones(one.dims, np.float32), one.name))
    assert export_onnx(model, tmp_path / "x.onnx") == []
    assert (tmp_path / "x.onnx").read_bytes() == model.SerializeToString()


def test_a_model_that_cannot_be_written_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.onnx").write_text("old")

    def too_large(_: object) -> bytes:
        raise ValueError("exceeds maximum protobuf size of 2GB")

    monkeypatch.setattr(onnx.ModelProto, "SerializeToString", too_large)
    with pytest.raises(InvalidArgument, match="as one ONNX file: exceeds"):
        export_onnx(small_network()[0], tmp_path / "x.onnx")
    assert (tmp_path / "x.onnx").read_text() == "old"
