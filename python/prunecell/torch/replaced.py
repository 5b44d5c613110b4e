"""Reports on pruned layers that were replaced by dense ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn

from prunecell._core import WrongState
from prunecell.keys import WEIGHT
from prunecell.torch.layer import Layer
from prunecell.warning import warn


class Replaced:
    """Reports on the layers of one model, each once.

    Args:
        net: The model.
        layers: The layers of its cells, by the names of the cells.
    """

    def __init__(self, net: nn.Module, layers: Sequence[tuple[str, Layer]]) -> None:
        self._net = net
        self._layers = layers
        self._reported: set[str] = set()

    def warn_once(self, present: set[nn.Module]) -> None:
        """Warns of pruned layers that are not among the modules of the model now."""
        for name, report in self._reports(present):
            if name not in self._reported:
                self._reported.add(name)
                warn(report)

    def check(self) -> None:
        """Raises WrongState naming the first pruned layer that was replaced."""
        for _, report in self._reports(set(self._net.modules())):
            raise WrongState(report)

    def _reports(self, present: set[nn.Module]) -> Iterator[tuple[str, str]]:
        for name, layer in self._layers:
            if not layer.is_pruned or layer.slot.module() in present:
                continue
            path = name if layer.slot.parameter == WEIGHT else name.rpartition(".")[0]
            try:
                other = type(self._net.get_submodule(path)).__name__
            except AttributeError:  # taken out, and nothing put there
                continue
            yield (
                name,
                f"cell {name!r}: it was pruned, and its layer was replaced by another, {other}, "
                "which is not. Wrap the model again and attach a quantizer",
            )
