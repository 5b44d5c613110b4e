"""Pruned tensors in files: safetensors with packed weights, sparse matrices, ONNX, mask text.

`save` and `load` handle whole models; `PackWriter` and `PackReader` handle one tensor at a time,
for files larger than memory. docs/formats.md describes the bytes.
"""

from prunecell.formats.checkpoint import load, save
from prunecell.formats.mask_text import load_mask_text, save_mask_text
from prunecell.formats.pack_reader import PackReader, TensorInfo
from prunecell.formats.pack_writer import PackWriter
from prunecell.formats.sparse_onnx import export_onnx
from prunecell.formats.sparse_rows import to_scipy_csr, to_torch_csr

__all__ = [
    "PackReader",
    "PackWriter",
    "TensorInfo",
    "export_onnx",
    "load",
    "load_mask_text",
    "save",
    "save_mask_text",
    "to_scipy_csr",
    "to_torch_csr",
]
