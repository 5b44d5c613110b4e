"""Saves one model after another under the same name until it is killed. Run as a program."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from prunecell.formats import save


def version(number: int) -> dict[str, NDArray[np.float32]]:
    """Megabytes of weights that all tell the number; versions differ in size."""
    weights = np.full((1000 + number % 7 * 100, 500), np.float32(number + 1))
    pruned = weights.copy()
    pruned[:, number % 10 :: 5] = 0
    return {"dense": weights, "pruned": pruned}


def main() -> None:
    path = Path(sys.argv[1])
    number = 0
    while True:
        save(version(number), path)
        number += 1
        print(number, flush=True)


if __name__ == "__main__":
    main()
