"""What `torch.jit.script` says of a pruned model."""

from typing import NoReturn


class Unscriptable:
    """Base of forward pre-hooks, which torch.jit.script would compile: it asks for a name first."""

    @property
    def __name__(self) -> NoReturn:
        # No error of ours: whoever asks with a default, as getattr does, is to get that.
        raise AttributeError(
            "torch.jit.script cannot compile a pruned model: take the quantizers off before, as of "
            "a copy (the zeros stay), or use torch.jit.trace or torch.export"
        )
