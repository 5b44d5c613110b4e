"""The network of an INI file, its input and its loss."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from prunecell.cli.errors import CommandError, UsageError
from prunecell.cli.lab.data import Data
from prunecell.cli.terminal import count_text
from prunecell.n2d2 import Network as Graph
from prunecell.n2d2 import from_ini
from prunecell.torch import Model, wrap


class Network:
    """A module with its quantizers attached, and its loss."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path, self._seed = path, seed
        self.module: Graph = from_ini(path, seed=seed)
        self.model: Model = wrap(self.module)
        self._probabilities = False
        if all(cell.quantizer is None for cell in self.model):
            raise CommandError(f"{path}: expected a section with QWeight=Prune, there is none")

    def unpruned(self) -> nn.Module:
        """The same network before anything is pruned."""
        return from_ini(self._path, seed=self._seed, attach=False)

    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the input."""
        channels, height, width = self.module.input_shape
        return channels, height, width

    def check(self, data: Data) -> None:
        """Runs the network on two images of its input shape.

        Raises:
            CommandError: The output is not one score for each label.
        """
        names = self.module.output_names
        if len(names) != 1:
            raise CommandError(
                f"{self._path}: expected a network with one output, it has {', '.join(names)}"
            )
        outputs = self.predict(torch.from_numpy(data.images[:2]))
        most = int(max(data.labels.max(), data.test_labels.max()))
        if outputs.shape[1] <= most:
            raise CommandError(
                f"{self._path}: the network has {count_text(outputs.shape[1], 'output')}, "
                f"the data has labels up to {most}"
            )
        # A softmax at the end gives probabilities, of which the loss needs the logarithm.
        sums = outputs.sum(1)
        self._probabilities = bool((outputs >= 0).all() and (sums - 1).abs().max() < 1e-3)

    def check_batch(self, data: Data, batch: int) -> None:
        """Trains on a batch of one image, if all batches of an epoch have one.

        Raises:
            UsageError: A batch normalization needs more than one value per channel.
            CommandError: The same, and the data have a single image to train on.
        """
        if min(batch, len(data.labels)) > 1:
            return
        try:
            # A copy, since the running means of the module would learn from the image.
            self.unpruned().train()(torch.from_numpy(data.images[:1]))
        except ValueError as error:
            why = f"for a batch normalization of {self._path}, got 1 ({str(error).splitlines()[0]})"
            if len(data.labels) == 1:
                raise CommandError(
                    f"--data: expected 2 images to train on at least {why}"
                ) from None
            raise UsageError(f"--batch: expected 2 images at least {why}") from None

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Mean cross entropy of a batch."""
        outputs = self.module(images).flatten(1)
        if self._probabilities:
            return nn.functional.nll_loss(outputs.clamp_min(1e-12).log(), labels)
        return nn.functional.cross_entropy(outputs, labels)

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        """Outputs for a batch in evaluation mode."""
        self.module.eval()
        outputs: Tensor = self.module(images).flatten(1)
        return outputs

    def starts(self) -> dict[str, float]:
        """The first share of each cell whose schedule is Gradual."""
        quantizers = {cell.name: cell.quantizer for cell in self.model}
        return {n: q.start for n, q in quantizers.items() if q and q.prune_mode == "Gradual"}

    def digest(self) -> str:
        """The hash of the text of the file, which tells networks apart."""
        return hashlib.sha256(self._path.read_bytes()).hexdigest()


def cells_of(model: Model) -> dict[str, dict[str, Any]]:
    """Threshold and zeros of each pruned cell, for the log."""
    return {
        cell.name: {
            "threshold": round(cell.quantizer.get_current_threshold(), 7),
            "sparsity": round(cell.figures.zeros / max(cell.figures.size, 1), 7),
            "zeros": cell.figures.zeros,
            "size": cell.figures.size,
        }
        for cell in model
        if cell.quantizer is not None and cell.figures is not None
    }
