"""Files of tensors to inspect and to prune."""

from pathlib import Path

import numpy as np

RNG_SEED = 20


def tensors() -> dict[str, np.ndarray]:
    """A convolution, a linear layer and an embedding, with other entries that files hold."""
    rng = np.random.default_rng(RNG_SEED)
    return {
        "conv.weight": rng.normal(0, 0.1, (16, 3, 5, 5)).astype(np.float32),
        "conv.bias": rng.normal(0, 1, 16).astype(np.float32),
        "word_embedding.weight": rng.normal(0, 0.02, (300, 64)).astype(np.float16),
        "fc.weight": rng.normal(0, 0.3, (40, 37)),
        "ids": np.arange(12).reshape(3, 4),
        "scale": np.float32(2.5).reshape(()),
    }


PRUNABLE = ("conv.weight", "word_embedding.weight", "fc.weight")


def npz(path: Path, **more: np.ndarray) -> Path:
    np.savez(path, **tensors(), **more)
    return path
