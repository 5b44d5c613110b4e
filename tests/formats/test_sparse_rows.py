"""Compressed sparse rows for SciPy and torch hold the tensor, seen as a matrix."""

from __future__ import annotations

import numpy as np
import pytest
from arrays import SHAPES, sparse
from prunecell import InvalidArgument, InvalidType, Mask
from prunecell.formats import to_scipy_csr, to_torch_csr

torch = pytest.importorskip("torch")

FLOATS = ["float16", "bfloat16", "float32", "float64"]
MATRICES = [shape for shape in SHAPES if 0 not in shape[1:]]


@pytest.mark.parametrize("shape", MATRICES, ids=str)
@pytest.mark.parametrize("dtype", [*FLOATS, "int8", "int64", "complex64", "bool"])
def test_scipy_gives_the_dense_matrix_back(dtype: str, shape: tuple[int, ...]) -> None:
    dense = sparse(dtype, shape, 0.8, special=False)
    csr = to_scipy_csr(dense)
    rows = shape[0] if shape else 1
    wide = dense.astype(np.float32) if dtype in FLOATS[:2] else dense
    assert csr.shape == (rows, dense.size // rows if rows else csr.shape[1])
    assert csr.dtype == wide.dtype and csr.has_canonical_format
    assert np.array_equal(csr.toarray(), wide.reshape(csr.shape))
    assert csr.nnz == np.count_nonzero(dense)


@pytest.mark.parametrize("shape", MATRICES, ids=str)
@pytest.mark.parametrize("dtype", FLOATS)
def test_torch_gives_the_dense_matrix_back(dtype: str, shape: tuple[int, ...]) -> None:
    dense = sparse(dtype, shape, 0.8, special=False)
    csr = to_torch_csr(dense)
    assert csr.layout == torch.sparse_csr and str(csr.dtype) == f"torch.{dtype}"
    back = csr.to_dense().to(torch.float64).numpy()
    assert np.array_equal(back, dense.astype(np.float64).reshape(back.shape))
    assert len(csr.values()) == np.count_nonzero(dense)


def test_products_are_those_of_the_dense_matrix() -> None:
    dense = torch.randn(40, 70) * (torch.rand(40, 70) < 0.1)
    vector = torch.randn(70)
    assert np.allclose(to_scipy_csr(dense) @ vector.numpy(), (dense @ vector).numpy(), atol=1e-5)
    assert torch.allclose(to_torch_csr(dense) @ vector, dense @ vector, atol=1e-5)


def test_the_sign_of_zero_and_nan_are_entries() -> None:
    csr = to_scipy_csr(np.array([[0.0, -0.0, np.nan], [0.0, 0.0, 1.0]]))
    assert csr.indices.tolist() == [1, 2, 2] and csr.indptr.tolist() == [0, 2, 3]
    assert np.signbit(csr.data[0]) and np.isnan(csr.data[1])


def test_a_mask_decides_what_is_entered() -> None:
    weights = np.array([[1.0, 0.0, 3.0], [4.0, 5.0, 6.0]])
    mask = Mask.from_array(np.array([[True, True, False], [False, False, True]]))
    for csr in (to_scipy_csr(weights, mask), to_scipy_csr(torch.from_numpy(weights), mask)):
        assert csr.data.tolist() == [1, 0, 6] and csr.indices.tolist() == [0, 1, 2]
    assert to_torch_csr(weights, mask).values().tolist() == [1, 0, 6]


def test_what_does_not_fit_is_refused() -> None:
    for call in (to_scipy_csr, to_torch_csr):
        with pytest.raises(InvalidArgument, match=r"shape of the weights \(2, 3\), got \(3, 2\)"):
            call(np.ones((2, 3)), Mask((3, 2)))
        with pytest.raises(InvalidType, match="tensor 'weights'"):
            call([[1.0]])
