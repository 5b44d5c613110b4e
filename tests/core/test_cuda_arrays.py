"""Arrays of a CUDA device from Python, over the shim: interfaces, masks, devices, errors."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import axes
import numpy as np
import oracle
import prunecell
import pytest
from axes import bits
from device_arrays import DeviceArray
from device_memory import ShimMemory
from prunecell import Mask, PruneCell

pytestmark = pytest.mark.usefixtures("shim")


class CudaInterface:
    """An array like CuPy's: it has `__cuda_array_interface__` alone."""

    def __init__(self, array: DeviceArray, **changes: Any) -> None:
        self._array = array
        self._changes = changes

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        host = self._array.host
        return {
            "shape": host.shape,
            "typestr": host.dtype.str,
            "data": (self._array.address, False),
            "strides": None,
            "version": 3,
            "stream": 1,
        } | self._changes


def on_device(array: axes.Array) -> DeviceArray:
    return DeviceArray(array, ShimMemory)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_arrays_with_the_cuda_interface_are_pruned_where_they_lie(dtype: str) -> None:
    weights = axes.weights("normal", dtype, (40, 30))
    array = on_device(weights.copy())
    mask = prunecell.rebuild_and_apply(CudaInterface(array), threshold=0.6, delta=0.01)
    assert mask.device == "cuda:0"
    expected = oracle.iter_nonstruct(weights, 0.6, 0.01)
    assert np.array_equal(mask, expected.kept)
    array.bring_back()
    assert np.array_equal(bits(array.host), bits(oracle.applied(weights, expected.kept)))


def test_a_view_of_a_mask_outlives_its_move() -> None:
    kept = axes.weights("normal", "float32", 1000) > 0
    mask = Mask.from_array(kept)
    view = mask.packed
    mask.move("cuda:0")
    assert mask.device == "cuda:0"
    assert np.array_equal(np.unpackbits(view, bitorder="little")[:1000], kept)
    assert np.array_equal(mask, kept)
    with pytest.raises(prunecell.WrongState, match="cuda:0"):
        _ = mask.packed
    mask.move("cpu")
    assert np.array_equal(mask.packed, view)


def test_strides_of_the_cuda_interface_are_bytes() -> None:
    weights = axes.weights("normal", "float32", (4, 6))
    array = on_device(np.ascontiguousarray(weights.T))
    view = CudaInterface(array, shape=(4, 6), strides=(4, 16))
    mask = prunecell.build_mask(view, threshold=0.5, delta=0.01)
    assert np.array_equal(mask, oracle.iter_nonstruct(weights, 0.5, 0.01).kept)
    with pytest.raises(prunecell.InvalidArgument, match="dense memory"):
        prunecell.build_mask(CudaInterface(array, shape=(2, 6), strides=(8, 16)))


def test_read_only_and_unknown_arrays_are_refused_by_name() -> None:
    array = on_device(np.ones(10, dtype=np.float32))
    mask = Mask((10,), "cuda:0")
    with pytest.raises(prunecell.InvalidArgument, match=r"weights\[0\]: expected writable memory"):
        prunecell.apply_mask(CudaInterface(array, data=(array.address, True)), mask)
    with pytest.raises(prunecell.InvalidType, match=r"expected dtype .* got <i4"):
        prunecell.build_mask(CudaInterface(array, typestr="<i4"))
    host = np.ones(10, dtype=np.float32)
    view = CudaInterface(array, data=(host.ctypes.data, False))
    with pytest.raises(prunecell.InvalidArgument, match="memory of the host or freed memory"):
        prunecell.build_mask(view)


def test_arrays_and_masks_of_one_call_lie_on_one_device() -> None:
    array, host = on_device(np.ones(10, dtype=np.float32)), np.ones(10, dtype=np.float32)
    for weights in ([array, host], [host, array]):
        with pytest.raises(prunecell.InvalidArgument, match="another device"):
            prunecell.build_mask(weights)
    with pytest.raises(prunecell.InvalidArgument, match="mask: lies on another device"):
        prunecell.apply_mask(array, Mask((10,)))


def test_a_mask_moves_between_devices_and_stays_equal() -> None:
    kept = np.random.default_rng(0).random((7, 9)) < 0.5
    here = Mask.from_array(kept)
    there = here.to("cuda")
    assert (here.device, there.device) == ("cpu", "cuda:0")
    assert here == there
    assert np.array_equal(there, kept)
    assert there.zeros == here.zeros
    assert np.array_equal(there.saved(), here.saved())
    assert there.copy().device == "cuda:0"
    with pytest.raises(prunecell.WrongState, match="packed: the bits lie on cuda:0"):
        _ = there.packed
    for wrong in ("gpu", "cuda:x", "cuda:-1", "cuda:1x"):
        with pytest.raises(prunecell.InvalidArgument, match="device: expected 'cpu', 'cuda'"):
            here.to(wrong)
    with pytest.raises(prunecell.DeviceUnavailable, match="CUDA device 7"):
        here.to("cuda:7")


def test_a_cell_keeps_its_masks_where_its_weights_are() -> None:
    array = on_device(axes.weights("normal", "float32", 5000))
    cell = PruneCell(prune_mode="Static", prune_filler="IterNonStruct", threshold=0.4)
    cell.add_weights(array)
    cell.initialize()
    cell.propagate()
    assert cell.get_pruned_masks().device == "cuda:0"
    assert cell.figures().zeros == cell.get_pruned_masks().zeros >= 2000


def test_an_unreachable_threshold_is_raised_by_the_figures() -> None:
    array = on_device(np.full(100, np.nan, dtype=np.float32))
    cell = PruneCell(prune_mode="Static", prune_filler="IterNonStruct", threshold=0.4)
    cell.add_weights(array)
    cell.initialize()
    with pytest.raises(prunecell.UnreachableThreshold, match="out of reach are 100 NaN"):
        cell.figures()
    assert not cell.initialized


def test_layers_that_die_are_said_when_their_figures_are_known() -> None:
    array = on_device(np.zeros(100, np.float32))
    cell = PruneCell(prune_mode="Static", prune_filler="IterNonStruct", threshold=0.4)
    cell.add_weights(array)
    cell.initialize()  # does not wait
    cell.update(1)
    assert cell.figures().zeros == 100
    with pytest.warns(prunecell.PruneWarning, match=r"of tensor 0 \(0.4 asked\)") as seen:
        cell.update(1)
    assert len(seen) == 1
    cell.update(1)


def test_availability_is_answered() -> None:
    assert prunecell.cuda.is_available()
    assert prunecell.cuda.device_count() == 1
    assert prunecell.cuda.unavailable_reason() == ""


def test_without_a_plugin_or_a_device_requests_are_refused_with_the_reason() -> None:
    program = """
import prunecell
from prunecell import _core
try:
    _core.load_cuda_plugin("/nowhere/libprunecell_cuda.so")
except prunecell.DeviceUnavailable as error:
    assert "cannot be loaded" in str(error), error
if not prunecell.cuda.is_available():
    assert prunecell.cuda.device_count() == 0
    reason = prunecell.cuda.unavailable_reason()
    assert reason
    try:
        prunecell.Mask((3,), "cuda")
    except prunecell.DeviceUnavailable as error:
        assert str(error) == reason
"""
    subprocess.run([sys.executable, "-c", program], check=True)
