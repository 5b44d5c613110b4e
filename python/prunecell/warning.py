"""`PruneWarning`, and how the package warns: in the name of whoever called it."""

from __future__ import annotations

import sys
import warnings

__all__ = ["PruneWarning", "warn"]

# Those whose frames lie between us and the caller: torch's, where a hook warns, and who copies.
_BETWEEN = {__name__.split(".")[0], "torch", "contextlib", "copy"}


class PruneWarning(UserWarning):
    """Something that is accepted but surely not meant, said once and by name."""


def warn(message: str, category: type[Warning] = PruneWarning) -> None:
    """Warns, attributed to whoever called the package."""
    frame = sys._getframe(1)
    level = 2
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in _BETWEEN:
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
