"""Pruning engine: masks, schedules and packed weights for neural networks.

`PruneCell` prunes and keeps pruned; `build_mask` and its siblings are the plain operations on
arrays; `prunecell.torch` attaches cells to a PyTorch model. Importing it needs numpy only.
"""

from importlib import import_module
from types import ModuleType

from prunecell import cells, config, cuda, quantizer
from prunecell._core import (
    BadFile,
    DeviceError,
    DeviceUnavailable,
    Error,
    Figures,
    InvalidArgument,
    InvalidType,
    LevelSearch,
    Mask,
    UnreachableThreshold,
    WrongState,
    __version__,
)
from prunecell.config import load_ini
from prunecell.formats import load, save
from prunecell.ops import (
    apply_mask,
    build_mask,
    count_zeros,
    pack_weights,
    rebuild_and_apply,
    unpack_weights,
)
from prunecell.quantizer import PruneCell
from prunecell.warning import PruneWarning

__all__ = [
    "BadFile",
    "DeviceError",
    "DeviceUnavailable",
    "Error",
    "Figures",
    "InvalidArgument",
    "InvalidType",
    "LevelSearch",
    "Mask",
    "PruneCell",
    "PruneWarning",
    "UnreachableThreshold",
    "WrongState",
    "__version__",
    "apply_mask",
    "build_mask",
    "cells",
    "config",
    "count_zeros",
    "cuda",
    "load",
    "load_ini",
    "pack_weights",
    "quantizer",
    "rebuild_and_apply",
    "save",
    "unpack_weights",
]


def __getattr__(name: str) -> ModuleType:
    if name in ("n2d2", "torch"):  # imported on first use: the package does not need PyTorch
        return import_module(f"prunecell.{name}")
    raise AttributeError(f"module 'prunecell' has no attribute {name!r}")
