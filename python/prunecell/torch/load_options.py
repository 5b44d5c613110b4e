"""What the caller of a load keeps of a model."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

_keep_parameters = contextvars.ContextVar("keep_parameters", default=False)


@contextlib.contextmanager
def keep_parameters() -> Iterator[None]:
    """Within it, `load_state_dict` keeps a cell's own parameters where the saved ones differ.

    The cell continues from the saved threshold. Without it, other parameters are an error.
    """
    token = _keep_parameters.set(True)
    try:
        yield
    finally:
        _keep_parameters.reset(token)


_keep_masks = contextvars.ContextVar("keep_masks", default=False)


@contextlib.contextmanager
def keep_masks() -> Iterator[None]:
    """Within it, `load_state_dict` brings weights alone: masks and schedules stay as they are.

    The masks are enforced on the loaded weights; masks and states that a state_dict has are left.
    """
    token = _keep_masks.set(True)
    try:
        yield
    finally:
        _keep_masks.reset(token)


def parameters_are_kept() -> bool:
    """Whether the caller is within `keep_parameters`."""
    return _keep_parameters.get()


def masks_are_kept() -> bool:
    """Whether the caller is within `keep_masks`."""
    return _keep_masks.get()
