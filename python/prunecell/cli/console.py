"""What a command writes to its standard output."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any

_WIDEST = 140


def width() -> int:
    """Columns of the terminal; where there is none, what a wide one has."""
    if not sys.stdout.isatty():
        return _WIDEST
    return min(shutil.get_terminal_size((100, 24)).columns, _WIDEST)


def unicode() -> bool:
    """Whether block characters can be written."""
    return (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")


def show(text: str) -> None:
    """Writes lines; characters that the terminal's encoding lacks become escapes."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def show_json(value: dict[str, Any]) -> None:
    """Writes one JSON object."""
    print(json.dumps(value, indent=1))


def printable(text: str) -> str:
    """A name from a file, safe for a terminal."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
