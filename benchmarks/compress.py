"""Resident memory of a network before and after `prunecell.torch.compress`.

Each measurement is a process of its own. A stack of linear layers is made and pruned, and its
outputs kept; then it is compressed, run again, and compared bit for bit. Both times the growth of
the resident set since before the network was made is read from /proc/self/status. The second
reading contains the one buffer that layers are expanded into.

    python benchmarks/compress.py > benchmarks/results/<date>-compress.json
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import subprocess
import sys
from pathlib import Path

import prunecell
import torch
from torch import nn

LAYERS, WIDTH = 24, 1024
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
SHARES = (0.5, 0.7, 0.9, 0.95)


def resident_bytes() -> int:
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    kib = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return kib * 1024


def network(width: int, dtype: torch.dtype, layers: int) -> nn.Sequential:
    return nn.Sequential(*(nn.Linear(width, width, bias=False, dtype=dtype) for _ in range(layers)))


def prune(net: nn.Module, share: float) -> None:
    for cell in prunecell.torch.wrap(net):
        cell.quantizer = prunecell.PruneCell(
            prune_mode="Static", prune_filler="IterNonStruct", threshold=share, delta=1e-5
        )


@torch.no_grad()
def measure(dtype: str, share: float) -> dict[str, float]:
    torch.manual_seed(0)
    inputs = torch.randn(8, WIDTH).to(DTYPES[dtype])
    small = network(64, DTYPES[dtype], 1)  # loads what the measured network will need
    prune(small, share)
    small(inputs[:, :64])
    prunecell.torch.compress(small)
    small(inputs[:, :64])

    before = resident_bytes()
    net = network(WIDTH, DTYPES[dtype], LAYERS)
    prune(net, share)
    expected = net(inputs)
    dense = resident_bytes() - before
    packed_of = prunecell.torch.compress(net)
    if not torch.equal(net(inputs), expected):
        raise SystemExit("the compressed network gives other outputs")
    packed = resident_bytes() - before
    return {
        "resident_dense": dense,
        "resident_packed": packed,
        "factor": dense / packed,
        "weights_dense": sum(one for one, _ in packed_of.values()),
        "weights_packed": sum(one for _, one in packed_of.values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, metavar=("DTYPE", "SHARE"))
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one[0], float(arguments.one[1]))))
        return
    rows = []
    for dtype in DTYPES:
        for share in SHARES:
            command = [sys.executable, __file__, "--one", dtype, str(share)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append({"dtype": dtype, "threshold": share} | json.loads(done.stdout))
            print(rows[-1], file=sys.stderr)
    versions = {"prunecell": prunecell.__version__, "torch": torch.__version__}
    about = {"layers": LAYERS, "width": WIDTH, "machine": platform.machine()} | versions
    print(json.dumps(about | {"rows": rows}, indent=1))


if __name__ == "__main__":
    main()
