"""ONNX models with sparse initializers: the only module here that imports onnx, when called."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import numpy as np

from prunecell._core import InvalidArgument, InvalidType
from prunecell.formats.atomic import replacing
from prunecell.formats.stored import Stored

_INDEX = 8  # bytes of an index; the standard has 64-bit indices only
_IR_VERSION = 6  # the first version of ONNX with sparse initializers


def export_onnx(model: Any, path: str | os.PathLike[str]) -> list[str]:
    """Writes a copy of a dense ONNX model whose pruned initializers are sparse.

    An initializer becomes sparse where that is smaller: an entry takes 8 bytes for its place, so in
    float32 from two thirds of zeros on, in float16 from four fifths. A runtime expands sparse
    initializers when it loads the model. Graphs inside operators stay as they are.

    Args:
        model: An `onnx.ModelProto`, which is not changed, or the path of a file.
        path: The file to write or to replace.

    Returns:
        Names of the initializers that are sparse now.

    Raises:
        ModuleNotFoundError: onnx is not installed.
        InvalidArgument: The model has more than 2 GiB.
    """
    onnx = _onnx()
    if isinstance(model, onnx.ModelProto):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
    else:
        copy = onnx.load(os.fspath(model))
    # An input of the same name may replace a dense initializer, but not a sparse one.
    fixed = {value.name for value in copy.graph.input}
    dense, sparse = [], []
    for initializer in copy.graph.initializer:
        found = None if initializer.name in fixed else _sparse(onnx, initializer)
        if found is None:
            dense.append(initializer)
        else:
            sparse.append(found)
    if sparse:
        kept = [_copied(onnx, one) for one in dense]
        del copy.graph.initializer[:]
        copy.graph.initializer.extend(kept)
        copy.graph.sparse_initializer.extend(sparse)
        copy.ir_version = max(copy.ir_version, _IR_VERSION)
    _write(copy, path)
    return [one.values.name for one in sparse]


def _copied(onnx: Any, tensor: Any) -> Any:
    copy = onnx.TensorProto()
    copy.CopyFrom(tensor)
    return copy


def _sparse(onnx: Any, initializer: Any) -> Any:
    """The initializer as a SparseTensorProto; None if that is not smaller."""
    array = onnx.numpy_helper.to_array(initializer)
    try:
        tensor = Stored.of(array, initializer.name)
    except InvalidType:  # strings, complex128, types of 4 bits
        return None
    if onnx.helper.np_dtype_to_tensor_dtype(array.dtype) != initializer.data_type:
        return None  # before 1.18 onnx widens bfloat16 to float32: other bits than the tensor's
    places = np.flatnonzero(tensor.bits)
    if not tensor.shape or places.size * (tensor.dtype.size + _INDEX) >= tensor.nbytes:
        return None
    values = onnx.TensorProto(
        name=initializer.name,
        data_type=initializer.data_type,
        dims=[places.size],
        raw_data=tensor.bits[places].tobytes(),
    )
    indices = onnx.TensorProto(
        data_type=onnx.TensorProto.INT64,
        dims=[places.size],
        raw_data=places.astype("<i8").tobytes(),
    )
    return onnx.SparseTensorProto(values=values, indices=indices, dims=tensor.shape)


def _write(model: Any, path: str | os.PathLike[str]) -> None:
    try:
        data = model.SerializeToString()
    except Exception as error:  # protobuf's own class, which differs between its versions
        raise InvalidArgument(f"{path}: cannot be written as one ONNX file: {error}") from error
    with replacing(path) as file:
        file.write(data)


def _onnx() -> Any:
    try:
        import_module("onnx.numpy_helper")
        return import_module("onnx")
    except ImportError as error:
        raise ModuleNotFoundError(
            "export_onnx needs onnx: pip install 'prunecell[onnx]'"
        ) from error
