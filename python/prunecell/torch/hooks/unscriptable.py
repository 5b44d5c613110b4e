"""The error of `torch.jit.script` for a pruned model."""

from typing import NoReturn


class Unscriptable:
    """Base of forward pre-hooks, which torch.jit.script would compile: it asks for a name first."""

    @property
    def __name__(self) -> NoReturn:
        # AttributeError, so that getattr with a default works.
        raise AttributeError(
            "torch.jit.script cannot compile a pruned model: take the quantizers off before, as of "
            "a copy (the zeros stay), or use torch.jit.trace or torch.export"
        )
