"""`wrap`: the cells of a PyTorch model."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from torch import Tensor, nn

from prunecell._core import InvalidArgument, InvalidType
from prunecell.cells import Cell, Embedding, Fc
from prunecell.keys import WEIGHT
from prunecell.torch import whole_save
from prunecell.torch.coverage import Coverage
from prunecell.torch.hooks.holder import read_by
from prunecell.torch.kinds import cells_of, is_matrix, present, tables
from prunecell.torch.layer import Layer
from prunecell.torch.model import Model
from prunecell.torch.slot import Slot
from prunecell.torch.whole_load import pruned_in, watch, watch_part

Selection = str | Iterable[str] | Callable[[str, Tensor], bool]
"""Patterns of `fnmatch`, or a function that chooses a parameter by its name."""

_cells: weakref.WeakKeyDictionary[nn.Module, dict[tuple[str, type[Cell]], Cell]]
_cells = weakref.WeakKeyDictionary()


def wrap(
    net: nn.Module | Model,
    *,
    embeddings: bool = False,
    include: Selection = (),
    exclude: Selection = (),
) -> Model:
    """The cells of a model: the weights that its forward multiplies by.

    Weights of convolutions and linear layers (transposed ones, Bilinear and transformers' Conv1D
    too), the projections of `nn.MultiheadAttention`, the matrices of recurrent layers, and experts
    that lie in one tensor. What is no `weight` has a cell of the parameter's whole name, as
    "attn.in_proj_weight".

    Args:
        net: Any `torch.nn.Module`. Wrapping it again gives the same cells.
        embeddings: Also `nn.Embedding` and `nn.EmbeddingBag`, and layers that share their weight.
        include: More parameters, floating ones of two or more dimensions: patterns of their names
            or of their cells, or a function of name and parameter.
        exclude: Parameters that are to be no cells, likewise.

    Raises:
        InvalidType: Something that is not a module; no patterns.
        InvalidArgument: A pattern that no parameter has.
    """
    module: Any = unwrap(net)
    included, spared = _Choice("include", include), _Choice("exclude", exclude)
    holders, shared_tables = _shared_by(module), tables(module)
    cells: dict[str, Cell] = {}
    excluded = set()
    for name, layer in module.named_modules():
        kinds, held = dict(cells_of(layer)), present(layer)
        for parameter in dict.fromkeys([*kinds, *layer._parameters]):
            weight = layer._parameters.get(parameter)  # None: packed, or computed from others
            table = parameter in held and id(held[parameter]) in shared_tables
            kind = Embedding if table else kinds.get(parameter)
            cell, key = _names(name, parameter)
            offered = kind is not None and (embeddings or kind is not Embedding)
            asked = included.meant(cell, key, weight) and is_matrix(weight)
            if spared.meant(cell, key, weight):
                excluded.add(key)
            elif offered or asked:
                cells[cell] = _cell(layer, parameter, kind or Fc)
                Layer.of(cells[cell]).name = cell
                Layer.of(cells[cell]).beside |= holders.get(id(weight), set())
    included.check()
    spared.check()
    layers = [Layer.of(cell) for cell in cells.values()]
    coverage = Coverage(module, [layer.slot for layer in layers], excluded)
    for layer in layers:
        layer.coverage = coverage
    whole_save.watch(module)
    watch(module)
    holding = {layer.slot.module() for layer in layers}
    for part in _above(module, holding):  # a layer that is loaded alone checks itself
        watch_part(part)
    again = partial(wrap, embeddings=embeddings, include=included.given, exclude=spared.given)
    return Model(module, cells, coverage, again)


def _above(net: nn.Module, layers: set[Any]) -> list[nn.Module]:
    """The modules that contain one of these layers."""
    above: dict[nn.Module, bool] = {}
    _find_above(net, layers, above)
    return [module for module, has_one in above.items() if has_one]


def _find_above(module: nn.Module, layers: set[Any], above: dict[nn.Module, bool]) -> bool:
    if module not in above:
        above[module] = False
        found = [_find_above(one, layers, above) or one in layers for one in module.children()]
        above[module] = any(found)
    return above[module]


def _names(module: str, parameter: str) -> tuple[str, str]:
    """The name of the cell, and the name of the parameter in the model."""
    key = f"{module}.{parameter}" if module else parameter
    return module if parameter == WEIGHT else key, key


def _cell(layer: nn.Module, parameter: str, kind: type[Cell]) -> Cell:
    made = _cells.setdefault(layer, {})
    if (parameter, kind) not in made:
        made[parameter, kind] = kind(Layer(Slot(layer, parameter)))
    return made[parameter, kind]


class _Choice:
    """An argument that chooses parameters by name."""

    def __init__(self, argument: str, given: Selection) -> None:
        self.given = given
        self._argument = argument
        self._patterns: dict[str, bool] = {}  # pattern: whether it has chosen anything
        if not callable(given):
            try:
                self._patterns = dict.fromkeys([given] if isinstance(given, str) else given, False)
                self.given = tuple(self._patterns)
                fitting = all(isinstance(one, str) for one in self._patterns)
            except TypeError:
                fitting = False
            if not fitting:
                raise InvalidType(f"{argument}: expected patterns or a function, got {given!r}")

    def meant(self, cell: str, key: str, weight: Tensor | None) -> bool:
        """Whether the parameter is chosen, by its own name or that of its cell."""
        if callable(self.given):
            return weight is not None and bool(self.given(key, weight))
        fitting = [p for p in self._patterns if fnmatchcase(key, p) or fnmatchcase(cell, p)]
        self._patterns.update(dict.fromkeys(fitting, True))
        return bool(fitting)

    def check(self) -> None:
        """Raises InvalidArgument if a pattern has chosen nothing."""
        unused = [pattern for pattern, used in self._patterns.items() if not used]
        if unused:
            raise InvalidArgument(
                f"{self._argument}: no parameter is named {', '.join(map(repr, unused))}"
            )


def _shared_by(net: nn.Module) -> dict[int, set[nn.Module]]:
    """The modules that read a parameter, by its id, where there are several."""
    holders: dict[int, set[nn.Module]] = {}
    for module in net.modules():
        for parameter in read_by(module):
            holders.setdefault(id(parameter), set()).add(module)
    return {one: modules for one, modules in holders.items() if len(modules) > 1}


def unwrap(net: nn.Module | Model) -> nn.Module:
    """The module behind a handle, or the module itself."""
    module = net.module if isinstance(net, Model) else net
    if not isinstance(module, nn.Module):
        raise InvalidType(f"wrap: expected a torch.nn.Module, got {type(net).__name__}")
    return module


def dense_state_dict(net: nn.Module | Model) -> dict[str, Tensor]:
    """The state_dict with zeros for pruned weights and without our keys: it loads anywhere."""
    module = unwrap(net)
    state: dict[str, Tensor] = module.state_dict()
    for keys, _ in pruned_in(module, ""):
        for key in keys.added:
            state.pop(key, None)
    return state
