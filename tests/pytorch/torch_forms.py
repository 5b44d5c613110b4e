"""Forms of weights that are not pruned: stand-ins for those of quantization and sharding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh
from torch.utils import _pytree as pytree


class Wrapped(Tensor):
    """A wrapper subclass, like the quantized tensors of torchao and quanto."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Wrapped:
        made: Wrapped = Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)
        made.inner = inner
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        plain = pytree.tree_map_only(Wrapped, lambda one: one.inner, (args, kwargs or {}))
        out = func(*plain[0], **plain[1])
        return cls(out) if func is torch.ops.aten.detach.default else out


def sharded(weight: Tensor) -> Tensor:
    """A DTensor over one process; `one_process` has made the group."""
    return distribute_tensor(weight, init_device_mesh("cpu", (1,)), [Shard(0)])


def one_process(folder: Path) -> None:
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/group", rank=0, world_size=1
    )


def without_storage(weight: Tensor) -> Tensor:
    weight.untyped_storage().resize_(0)
    return weight


# The form that the weight of a layer of 5 x 64 gets, and words of its refusal.
FORMS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "quantized": (Wrapped, r"got torch_forms\.Wrapped; .* before quantizing"),
    "sharded": (sharded, r"got torch\.distributed\.tensor\.DTensor; sharded weights"),
    "csr": (lambda weight: weight.to_sparse_csr(), r"layout torch\.sparse_csr; .*to_dense"),
    "coo": (lambda weight: weight.to_sparse(), r"layout torch\.sparse_coo; .*to_dense"),
    "complex": (lambda weight: weight.to(torch.complex64), r"got torch\.complex64; cast it"),
    "nested": (lambda weight: torch.nested.nested_tensor([weight, weight]), "nested one; prune"),
    "without storage": (without_storage, r"storage was given back.*FSDP"),
}

# Forms that only a weight that was pruned can get.
SHAPES: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "longer": (lambda weight: torch.cat([weight, weight]), r"\(5, 64\), got \(10, 64\); take"),
    "shorter": (lambda weight: weight[:2].clone(), r"\(5, 64\), got \(2, 64\); take"),
    "transposed": (lambda weight: weight.t().contiguous(), r"\(5, 64\), got \(64, 5\); take"),
}


def exchange(layer: nn.Linear, make: Callable[[Tensor], Tensor]) -> None:
    """Puts another parameter in the place of the weight."""
    layer.weight = nn.Parameter(make(layer.weight.detach().clone()))
