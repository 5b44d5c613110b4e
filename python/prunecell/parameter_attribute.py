"""`Parameter`: a parameter of a `PruneCell` as an attribute."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast, overload

from prunecell.parameters import UNUSED

T = TypeVar("T")


class Parameter(Generic[T]):
    """Reads the parameter of its own name, and refuses to set it."""

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, cell: None, _owner: type) -> Parameter[T]: ...
    @overload
    def __get__(self, cell: Any, _owner: type) -> T: ...
    def __get__(self, cell: Any, _owner: type) -> Parameter[T] | T:
        if cell is None:
            return self
        unused = self._name in UNUSED
        value = cell._unused[self._name] if unused else getattr(cell._chosen, self._name)
        return cast(T, value)

    def __set__(self, _cell: object, _value: object) -> None:
        raise AttributeError(f"{self._name}: the parameters of a cell are fixed when it is made")
