"""Which parameters of which modules are cells, and of what kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from prunecell.cells import Cell, Conv, Embedding, Fc, Recurrent
from prunecell.keys import WEIGHT

_TABLES = (nn.Embedding, nn.EmbeddingBag)
_WEIGHTS: tuple[tuple[Any, type[Cell]], ...] = (
    (nn.modules.conv._ConvNd, Conv),
    ((nn.Linear, nn.Bilinear), Fc),
    (_TABLES, Embedding),
)
_PROJECTIONS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")


def cells_of(module: nn.Module) -> Iterator[tuple[str, type[Cell]]]:
    """The parameters of one module that are cells, by name, each with its kind."""
    for types, kind in _WEIGHTS:
        if isinstance(module, types):
            yield WEIGHT, kind
    if _is_transposed_linear(module):
        yield WEIGHT, Fc
    elif isinstance(module, nn.MultiheadAttention):
        yield from ((name, Fc) for name in _PROJECTIONS if name in present(module))
    elif isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        yield from ((name, Recurrent) for name in present(module) if name.startswith(WEIGHT))
    elif type(module).__name__.endswith("Experts"):
        yield from ((name, Fc) for name, one in present(module).items() if _is_stack(one))


def present(module: nn.Module) -> dict[str, Any]:
    """The parameters of a module, or the `PackedWeight` in the place of one."""
    packed: dict[str, Any] = module.__dict__.get("_packed", {})
    return packed | {name: one for name, one in module._parameters.items() if one is not None}


def tables(net: nn.Module) -> set[int]:
    """The tables of embeddings, by the id of what `present` gives."""
    found = (present(one).get(WEIGHT) for one in net.modules() if isinstance(one, _TABLES))
    return {id(table) for table in found if table is not None}


def is_matrix(parameter: Any) -> bool:
    """Whether a parameter is one that pruning could be meant for: floating, of two dimensions."""
    return (
        parameter is not None
        and not nn.parameter.is_lazy(parameter)
        and parameter.is_floating_point()
        and sum(length > 1 for length in parameter.shape) >= 2
    )


def output_rows(module: nn.Module, weight: Tensor) -> tuple[Tensor, tuple[int, ...]]:
    """A view of the weight of a cell, and those of its dimensions that tell outputs apart.

    The first one, but for layers that multiply by the transposed; the outputs of a grouped
    transposed convolution are those of each group.
    """
    if isinstance(module, nn.modules.conv._ConvTransposeNd):
        return weight.view(module.groups, -1, *weight.shape[1:]), (0, 2)
    return weight, (1 if _is_transposed_linear(module) else 0,)


def is_table(module: nn.Module) -> bool:
    """Whether a module looks rows up instead of multiplying by them."""
    return isinstance(module, _TABLES)


def _is_transposed_linear(module: nn.Module) -> bool:
    """Transformers' Conv1D, the layer of GPT-2, by name: it may not be installed."""
    return any(
        kind.__name__ == "Conv1D" and kind.__module__.split(".")[0] == "transformers"
        for kind in type(module).__mro__
    )


def _is_stack(parameter: Any) -> bool:
    """Matrices of all experts of a layer in one tensor, as transformers has them."""
    return len(parameter.shape) == 3
