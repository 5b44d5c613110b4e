"""Mutates valid files of every kind and reads them, for a run by hand.

    python tests/formats/mutate.py --cases 20000 --seed 1
    python tests/formats/mutate.py --kinds npz,torch --cases 1000
    python tests/formats/mutate.py --seed 1 --only torch:4711      # one case again

A file is accepted, or refused by an error of ours. Anything else is a finding: another exception, a
crash, more memory than a worker may have, more than a few seconds. Findings are printed with the
number of their case; the exit status is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from importlib import import_module
from pathlib import Path

from prunecell import Error
from prunecell.cli.errors import CommandError
from prunecell.config import ConfigError

sys.path.append(str(Path(__file__).parents[1] / "support"))  # the same folder as pytest's path

from kinds import KINDS, Kind
from valid_tensors import Files

SECONDS = 5.0  # for one case
MEMORY = 700 << 20  # bytes that a case may take beside the interpreter and its libraries
CHUNK = 250
NUMBERS = (b"0", b"1", b"-1", b"255", b"65536", b"1e999", b"2147483648", b"9223372036854775807")
WORDS = (b"NaN", b"null", b"{}", b"[]", b'"', b"(", b")", b",", b"\n", b"\\", b"\0", b"\xff", b"'")


class TooLong(BaseException):
    """A case took more than its seconds. No reader's `except Exception` catches it."""


def flip(chance: random.Random, data: bytearray) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def any_byte(chance: random.Random, data: bytearray) -> None:
    data[chance.randrange(len(data))] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))


def early_byte(chance: random.Random, data: bytearray) -> None:
    data[chance.randrange(min(len(data), 300))] = chance.randrange(256)


def number(chance: random.Random, data: bytearray) -> None:
    places = [i for i, one in enumerate(data[:20_000]) if 48 <= one <= 57]
    if places:
        at = chance.choice(places)
        data[at : at + 1] = chance.choice(NUMBERS)


def insert(chance: random.Random, data: bytearray) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.choice(WORDS + NUMBERS) * chance.choice((1, 1, 1, 3, 300))


def cut(chance: random.Random, data: bytearray) -> None:
    del data[chance.randrange(len(data)) :]


def drop(chance: random.Random, data: bytearray) -> None:
    at = chance.randrange(len(data))
    del data[at : at + chance.randrange(1, 60)]


def double(chance: random.Random, data: bytearray) -> None:
    at, to = chance.randrange(len(data)), chance.randrange(len(data))
    data[to:to] = data[at : at + chance.randrange(1, 300)]


CHANGES: tuple[Callable[[random.Random, bytearray], None], ...] = (
    *(flip, any_byte, early_byte, early_byte, number, number, number, insert, cut, drop, double),
)


def mutant(kind: Kind, seeds: list[Files], seed: int, case: int) -> Files:
    """The files of one case, made from its number alone."""
    chance = random.Random(f"{kind.name}/{seed}/{case}")
    files = dict(chance.choice(seeds))
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        name = chance.choice(list(files))
        data = bytearray(files[name])
        if data:
            chance.choice(CHANGES)(chance, data)
        files[name] = bytes(data)
    return files


@contextlib.contextmanager
def alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise TooLong

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def outcome(kind: Kind, folder: Path, files: Files) -> str:
    """ "accepted", "refused", or what went wrong."""
    place = kind.write(folder, files)
    try:
        with alarm():
            kind.read(place)
    except (Error, CommandError, ConfigError) as error:
        text = str(error)
        if str(folder) in text and len(text) < 5000 and "\n" not in text:
            return "refused"
        return f"a message without the file, too long or of many lines: {text[:300]!r}"
    except KeyboardInterrupt:
        raise
    except BaseException:
        return traceback.format_exc()
    return "accepted"


@cache
def prepared(name: str) -> tuple[Kind, list[Files], Path]:
    """Makes a worker's files and readers of a kind, once; its memory is limited from then on."""
    kind = KINDS[name]
    folder = Path(tempfile.mkdtemp(dir=os.environ["MUTATE_FOLDER"]))
    seeds = kind.valid(folder)
    import_module("torch")  # a mutant of any kind may be taken for a torch file
    for files in seeds:  # loads modules that are imported late, without a limit of time
        kind.read(kind.write(folder, files))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    return kind, seeds, folder


def work(name: str, seed: int, cases: range) -> tuple[Counter[str], list[tuple[int, str]]]:
    """Outcomes of some cases, counted, and the findings."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    kind, seeds, folder = prepared(name)
    counts: Counter[str] = Counter()
    found = []
    for case in cases:
        said = outcome(kind, folder, mutant(kind, seeds, seed, case))
        known = said if said in ("accepted", "refused") else "anything else"
        counts[known] += 1
        if known != said:
            found.append((case, said))
    return counts, found


def run(name: str, arguments: argparse.Namespace) -> int:
    """All cases of a kind; how many findings there were."""
    began, counts = time.perf_counter(), Counter[str]()
    first = int(arguments.only.split(":")[1]) if arguments.only else 0
    last = first + 1 if arguments.only else arguments.cases
    with ProcessPoolExecutor(arguments.jobs) as pool:
        chunks = [range(i, min(i + CHUNK, last)) for i in range(first, last, CHUNK)]
        tasks = {pool.submit(work, name, arguments.seed, chunk): chunk for chunk in chunks}
        for task in as_completed(tasks):
            try:
                some, found = task.result()
            except BrokenProcessPool:
                some, found = Counter({"anything else": 1}), [(-1, f"crash in {tasks[task]}")]
            counts += some
            for case, said in found:
                print(f"--- {name} case {case} of seed {arguments.seed}\n{said}", flush=True)
    rate = counts.total() / (time.perf_counter() - began)
    words = ", ".join(f"{counts[k]} {k}" for k in ("accepted", "refused", "anything else"))
    print(f"{name}: {words} ({rate:.0f} a second)", flush=True)
    return counts["anything else"]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", metavar="KIND:CASE")
    arguments = parser.parse_args()
    kinds = arguments.only.split(":")[:1] if arguments.only else arguments.kinds.split(",")
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        os.environ["MUTATE_FOLDER"] = folder
        return int(sum(run(name, arguments) for name in kinds) > 0)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
