"""Pruning engine: masks, schedules and packed weights for neural networks.

`PruneCell` prunes and keeps pruned; `build_mask` and its siblings are the plain operations on
arrays; `prunecell.torch` attaches cells to a PyTorch model. Importing it needs numpy only.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prunecell import cells, config, cuda, quantizer
    from prunecell import formats as formats
    from prunecell import ops as ops
    from prunecell import torch as torch
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

# Imported at their first use: PyTorch need not be there, and a command that is interrupted while
# numpy loads has begun already.
_MODULES = ("cells", "config", "cuda", "formats", "ops", "quantizer", "torch")
_HOMES = ("quantizer", "ops", "formats", "config", "warning", "_core")

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return import_module(f"prunecell.{name}")
        for home in _HOMES if name in __all__ else ():
            module = import_module(f"prunecell.{home}")
            if hasattr(module, name):
                globals()[name] = getattr(module, name)
                return globals()[name]
        raise AttributeError(f"module 'prunecell' has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__, *_MODULES})
