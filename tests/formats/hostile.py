"""Files with random mutations. As a program: loads mutated files under a memory limit."""

from __future__ import annotations

import random
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from arrays import sparse
from prunecell import BadFile
from prunecell.formats import load, save
from wrong import packed


def valid_files(folder: Path) -> list[bytes]:
    weights = sparse("float32", (40, 33), 0.9)
    rows = np.packbits(weights.view(np.uint32) != 0, axis=1, bitorder="little")
    arrays = {"l.weight": weights, "l.bias": sparse("float16", (33,), 0), "l.prune_mask": rows}
    save(arrays, folder / "valid")
    save({"w": sparse("bool", (64, 64), 0.97), "n": np.array(1)}, folder / "second")
    return [(folder / "valid").read_bytes(), (folder / "second").read_bytes(), packed()]


def _digits(rng: random.Random, data: bytearray) -> None:
    """A number of the header becomes another of any size."""
    stop = 8 + int.from_bytes(data[:8], "little")
    places = [i for i in range(8, min(stop, len(data))) if chr(data[i]).isdigit()]
    if places:
        at = rng.choice(places)
        data[at : at + 1] = str(rng.choice([0, 1, 7, -1, 2**31, 2**40, 2**63, 10**30])).encode()


def _grown(rng: random.Random, data: bytearray) -> None:
    """Changes like _digits, with the length of the header corrected: only the meaning is wrong."""
    before = len(data)
    length = int.from_bytes(data[:8], "little")
    _digits(rng, data)
    data[:8] = (length + len(data) - before).to_bytes(8, "little")


def _flip(rng: random.Random, data: bytearray) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _flip_header(rng: random.Random, data: bytearray) -> None:
    data[rng.randrange(min(len(data), 600))] = rng.randrange(256)


def _cut(rng: random.Random, data: bytearray) -> None:
    del data[rng.randrange(len(data)) :]


def _drop(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.randrange(1, 40)]


def _double(rng: random.Random, data: bytearray) -> None:
    at = rng.randrange(len(data))
    data[at:at] = data[at : at + rng.randrange(1, 200)]


MUTATIONS: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _digits,
    _grown,
    _grown,
    _flip,
    _flip_header,
    _cut,
    _drop,
    _double,
)


def mutants(valid: list[bytes], seed: int, count: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(rng.choice(valid))
        for _ in range(rng.choice([1, 1, 1, 2, 5])):
            if data:
                rng.choice(MUTATIONS)(rng, data)
        yield bytes(data)


def main() -> None:
    """Loads mutants with 200 MB to spare; prints how many were refused and how many loaded."""
    folder, seed, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    valid = valid_files(folder)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (200 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    refused = loaded = 0
    for number, data in enumerate(mutants(valid, seed, count)):
        path = folder / "mutant"
        path.write_bytes(data)
        try:
            load(path)
            loaded += 1
        except BadFile as error:
            assert str(path) in str(error), error
            refused += 1
        except BaseException:
            (folder / "found").write_bytes(data)
            print(f"mutant {number} of seed {seed}")
            raise
    print(refused, loaded)


if __name__ == "__main__":
    main()
