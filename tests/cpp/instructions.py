"""Instructions per weight of the core operations, counted and compared with a record.

    python instructions.py PROGRAM COMPILER [--record]

Counts, unlike times, are the same on a busy machine. `instructions.json` holds them by compiler
and kernel variant; more than 10 % above the record fails. Other compilers generate other code:
without a record this is skipped (exit status 77) and says how to make one. callgrind knows no
AVX-512.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RECORD = Path(__file__).with_name("instructions.json")
VARIANTS = ("portable", "avx2")
TOLERANCE = 1.10
SKIP = 77


def count(program: str, variant: str, operation: str) -> float | None:
    """Instructions per weight; None where the processor lacks the variant."""
    with tempfile.TemporaryDirectory() as folder:
        callgrind = ["valgrind", "--tool=callgrind", "--collect-atstart=no"]
        out = f"--callgrind-out-file={folder}/out"
        done = subprocess.run(
            [*callgrind, out, program, variant, operation],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == SKIP:
        return None
    collected = re.search(r"Collected : (\d+)", done.stderr)
    weights = re.match(r"(\d+) weights", done.stdout)
    if done.returncode or not collected or not weights:
        sys.exit(f"{operation} ({variant}) failed:\n{done.stdout}{done.stderr}")
    return int(collected[1]) / int(weights[1])


def measure(program: str) -> dict[str, dict[str, float]]:
    listed = subprocess.run([program], capture_output=True, text=True, check=True)
    found: dict[str, dict[str, float]] = {}
    for variant in VARIANTS:
        for operation in listed.stdout.splitlines():
            per_weight = count(program, variant, operation)
            if per_weight is not None:
                found.setdefault(variant, {})[operation] = round(per_weight, 3)
    return found


def compare(found: dict[str, dict[str, float]], recorded: dict[str, dict[str, float]]) -> list[str]:
    grown = []
    for variant, operations in found.items():
        for operation, now in operations.items():
            before = recorded.get(variant, {}).get(operation)
            print(f"{variant:9} {operation:28} {now:8.3f} per weight, recorded {before}")
            if before is None:
                grown.append(f"{operation} ({variant}) has no record")
            elif now > before * TOLERANCE:
                grown.append(f"{operation} ({variant}) grew from {before} to {now} per weight")
    return grown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("compiler", help="name and major version")
    parser.add_argument("--record", action="store_true", help="write the record instead")
    arguments = parser.parse_args()
    if not shutil.which("valgrind"):
        print("skipped: valgrind is not installed")
        return SKIP
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if arguments.compiler not in record and not arguments.record:
        print(f"skipped: no record for {arguments.compiler}; --record makes one")
        return SKIP
    found = measure(arguments.program)
    if arguments.record:
        record[arguments.compiler] = found
        RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
        return 0
    grown = compare(found, record[arguments.compiler])
    for line in grown:
        print(f"FAILED: {line}")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
