"""Pruning of PyTorch models.

>>> import torch
>>> import prunecell as n2d2
>>> model = n2d2.torch.wrap(torch.nn.Linear(4, 3))
>>> for cell in model:
...     cell.quantizer = n2d2.quantizer.PruneCell(
...         prune_mode="Static", threshold=0.5, prune_filler="IterNonStruct")

From the moment a quantizer is attached, forward sees pruned weights, gradients of pruned weights
are 0, and every `optimizer.step()` of `torch.optim` leaves them pruned. `model.update(batch_size)`
and `model.end_epoch()` alone drive the schedule.
"""

from importlib import import_module
from typing import TYPE_CHECKING

try:
    import torch as _torch
    import torch.nn as _nn  # noqa: F401 # any folder called torch passes for a bare torch
except ModuleNotFoundError as error:
    hint = "prunecell.torch needs PyTorch: pip install 'prunecell[torch]'"
    raise ModuleNotFoundError(hint, name="torch") from error
if tuple(map(int, _torch.__version__.split(".")[:2])) < (2, 5):
    hint = "pip install --upgrade 'prunecell[torch]'"
    needs = f"prunecell.torch needs PyTorch 2.5 or later, got {_torch.__version__}"
    raise ImportError(f"{needs}: {hint}", name="torch")

from prunecell.torch.compress import compress, decompress
from prunecell.torch.load_options import keep_masks, keep_parameters
from prunecell.torch.model import Model
from prunecell.torch.plain_state import without_pruning_state
from prunecell.torch.shards import sharded_load
from prunecell.torch.wrap import dense_state_dict, wrap

if TYPE_CHECKING:
    from prunecell.n2d2 import from_ini
else:

    def __getattr__(name: str) -> object:
        if name == "from_ini":  # on first use: networks from INI files stand on this package
            return import_module("prunecell.n2d2").from_ini
        raise AttributeError(f"module 'prunecell.torch' has no attribute {name!r}")


__all__ = [
    "Model",
    "compress",
    "decompress",
    "dense_state_dict",
    "from_ini",
    "keep_masks",
    "keep_parameters",
    "sharded_load",
    "without_pruning_state",
    "wrap",
]
