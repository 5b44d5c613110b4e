"""The handle where a module belongs: its weights would be neither registered nor moved there."""

from __future__ import annotations

from types import FrameType
from typing import Any

from torch import nn

from prunecell._core import InvalidType

# Packages that train a module and call it themselves.
_TRAINERS = {"accelerate", "lightning", "pytorch_lightning", "transformers"}


_INSTEAD = "got the handle that wrap gives{}; put the handle's `module` there"


class Forward:
    """`forward` of the handle. Trainers that are given the handle read it from the class."""

    def __get__(self, handle: Any, owner: type) -> Any:
        """The `forward` of the model; the class has none."""
        if handle is None:
            instead = _INSTEAD.format("")
            raise AttributeError(f"{owner.__name__}.forward: expected a torch.nn.Module, {instead}")
        return handle.module.forward


def refuse_misplaced(handle: object, model: nn.Module, caller: FrameType | None) -> None:
    """Raises InvalidType where a module has the handle instead of its model, or a trainer calls it.

    Nothing of the handle is asked when it is put there, so that it shows at the first forward.
    """
    if caller is None:
        return
    holder = caller.f_locals.get("self")
    if isinstance(holder, nn.Module):
        for name, value in vars(holder).items():
            if value is handle and all(part is not model for part in holder.modules()):
                _refuse(f"{type(holder).__name__}.{name}", "its parameters are not registered")
    package = caller.f_globals.get("__name__", "").partition(".")[0]
    if package in _TRAINERS:
        _refuse(package, "it is neither moved nor saved as a model")


def _refuse(where: str, consequence: str) -> None:
    instead = _INSTEAD.format(f", so that {consequence}")
    raise InvalidType(f"{where}: expected a torch.nn.Module, {instead}")
