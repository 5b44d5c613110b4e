"""`Attached`: what is attached to the modules of a model, as they are now."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

from torch import nn

from prunecell._core import WrongState
from prunecell.torch.held_weight import registry
from prunecell.torch.hooks.cell import CellHook
from prunecell.torch.layer import Layer
from prunecell.torch.packed_weight import Packed
from prunecell.torch.pruned_weight import PrunedWeight
from prunecell.torch.replaced import Replaced


class Attached:
    """Finds the pruned weights of a model and reports layers that were replaced.

    Args:
        net: The model.
        layers: The layers of its cells, by the names of the cells.
    """

    def __init__(self, net: nn.Module, layers: Sequence[tuple[str, Layer]]) -> None:
        self._net = net
        self.replaced = Replaced(net, layers)
        self._generation = -1
        self._structure = _Structure()
        self._found: list[weakref.ref[PrunedWeight]] = []

    def weights(self) -> list[PrunedWeight]:
        """The pruned weights, each once, in the order of `modules`; averages are up to date.

        That the only cell of a weight still holds it is checked where the weight is read.

        Raises:
            WrongState: The model is compressed, a module has copied the hooks of another, or a cell
                does not hold a weight any more that it shares.
        """
        found = self._known()
        if found is None:
            found = self._walk()
        for one in found:
            if not one.is_alone:
                one.keep_up()
                one.check_held()
        return found

    def held_weights(self) -> list[PrunedWeight]:
        """As `weights`, but raises WrongState for any cell that does not hold its weight."""
        found = self.weights()
        for one in found:
            one.check_held()
        return found

    def _known(self) -> list[PrunedWeight] | None:
        """What the last walk found; None where the model may have changed since.

        Training asks at every step; this check is cheaper than a walk.
        """
        if self._generation != registry.generation or not self._structure.holds():
            return None
        found = []
        for reference in self._found:
            one = reference()
            if one is None:
                return None
            found.append(one)
        return found

    def _walk(self) -> list[PrunedWeight]:
        found: dict[PrunedWeight, None] = {}
        structure = _Structure()
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
                if type(hook) is CellHook:
                    hook.check_on(module)
                    if hook.owner.compressed:
                        raise WrongState("the model is compressed, decompress it first")
                    found[hook.owner] = None
            structure.add(module)
            children = reversed(module._modules.values())
            pending.extend([child for child in children if child is not None])
        self.replaced.warn_once(seen)
        self._structure, self._generation = structure, registry.generation
        self._found = [weakref.ref(one) for one in found]
        return list(found)


class _Structure:
    """Which modules lie in which, without keeping any of them alive."""

    def __init__(self) -> None:
        self._inner: list[tuple[weakref.ref[nn.Module], list[int]]] = []
        self._leaves: list[dict[str, nn.Module | None]] = []
        self._alive: list[weakref.ref[nn.Module]] = []
        self._lost: list[object] = []

    def add(self, module: nn.Module) -> None:
        """Records a module and the modules in it."""
        # Ids are unique among living objects only: the callback notes that a module has died.
        self._alive.append(weakref.ref(module, self._lost.append))
        if module._modules:
            children = list(map(id, module._modules.values()))
            self._inner.append((weakref.ref(module), children))
        else:
            self._leaves.append(module._modules)

    def holds(self) -> bool:
        """Whether every recorded module is alive and holds the same modules as before."""
        if self._lost or any(self._leaves):
            return False
        for reference, children in self._inner:
            module = reference()
            if module is None or list(map(id, module._modules.values())) != children:
                return False
        return True
