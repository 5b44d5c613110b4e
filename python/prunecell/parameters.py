"""The parameters of a `PruneCell`, as the table of the native core (parameters.hpp) has them.

Types that checkers and editors are to know have to stand here as text: `Keywords`, and the
annotations of `Attributes`. tests/core/test_keywords.py compares them with the table.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from prunecell import _core

PARAMETERS = {one.name: one for one in _core.parameters()}
"""Each parameter by its name."""

QUANT_MODES = ("Default", "Symmetric", "Asymmetric", "FullRange")
UNUSED = ("quant_mode", "range")
"""Keywords of N2D2 that are accepted and have no effect."""
LEGAL = (*PARAMETERS, *UNUSED)

_DEFAULTS = {name: one.default for name, one in PARAMETERS.items()}


class Parameters(SimpleNamespace):
    """Typed values of all parameters; those that are not given have their defaults."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**_DEFAULTS | given)

    def as_dict(self) -> dict[str, Any]:
        """All parameters by name."""
        return dict(self.__dict__)

    def changed(self) -> dict[str, Any]:
        """Those that are not at their defaults."""
        return {name: one for name, one in self.__dict__.items() if one != _DEFAULTS[name]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(_DEFAULTS | state)  # pickles may be older than a parameter


class Keywords(TypedDict, total=False):
    """All parameters as keywords."""

    prune_mode: Literal["Identity", "Static", "Gradual"]
    prune_filler: Literal["None", "Random", "IterNonStruct"]
    threshold: float
    delta: float
    start: float
    stepsize: int
    gamma: float
    in_place: bool
    seed: int
    ties: Literal["prune", "keep"]
    quant_mode: Literal["Default", "Symmetric", "Asymmetric", "FullRange"] | None
    range: int | None


class _Attribute:
    """A parameter of a cell as an attribute that cannot be set."""

    def __init__(self, name: str, doc: str) -> None:
        self._name = name
        self.__doc__ = doc

    def __get__(self, cell: Attributes | None, _owner: type) -> Any:
        if cell is None:
            return self
        return (
            cell._unused[self._name] if self._name in UNUSED else getattr(cell._chosen, self._name)
        )

    def __set__(self, _cell: object, _value: object) -> None:
        raise AttributeError(f"{self._name}: the parameters of a cell are fixed when it is made")


class Attributes:
    """What has parameters: each can be read as an attribute of its name."""

    _chosen: Parameters
    _unused: dict[str, Any]

    if TYPE_CHECKING:
        prune_mode: str
        prune_filler: str
        threshold: float
        delta: float
        start: float
        stepsize: int
        gamma: float
        in_place: bool
        seed: int
        ties: str
        quant_mode: str | None
        range: int | None


for _name in LEGAL:
    _doc = PARAMETERS[_name].doc if _name in PARAMETERS else "Accepted for compatibility, not used."
    setattr(Attributes, _name, _Attribute(_name, _doc))
