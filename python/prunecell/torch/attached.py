"""`Attached`: what is attached to the modules of a model, as they are now."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from prunecell._core import WrongState
from prunecell.torch.hooks.cell import CellHook
from prunecell.torch.layer import Layer
from prunecell.torch.packed_weight import Packed
from prunecell.torch.pruned_weight import PrunedWeight
from prunecell.torch.replaced import Replaced


class Attached:
    """Finds the pruned weights of a model, and what is wrong with them.

    Args:
        net: The model.
        layers: Those of its cells, by the names of the cells.
    """

    def __init__(self, net: nn.Module, layers: Sequence[tuple[str, Layer]]) -> None:
        self._net = net
        self.replaced = Replaced(net, layers)

    def weights(self) -> list[PrunedWeight]:
        """The pruned weights, each once, in the order of `modules`; averages are up to date.

        Raises:
            WrongState: The model is compressed, a module has copied the hooks of another, or a cell
                does not hold its weight any more.
        """
        # Walked by hand, since training does it at every step and `modules()` takes longer.
        found: dict[PrunedWeight, None] = {}
        seen: set[nn.Module] = set()
        pending = [self._net]
        while pending:
            module = pending.pop()
            if module in seen:
                continue
            seen.add(module)
            if isinstance(module, Packed):
                raise WrongState("the model is compressed, decompress it first")
            for hook in module._forward_pre_hooks.values():
                if type(hook) is not CellHook:
                    continue
                hook.check_on(module)
                one = hook.owner
                if one.compressed:
                    raise WrongState("the model is compressed, decompress it first")
                if one not in found:
                    one.keep_up()
                    one.check_held()
                    found[one] = None
            if module._modules:
                children = reversed(module._modules.values())
                pending.extend([child for child in children if child is not None])
        self.replaced.warn_once(seen)
        return list(found)
