"""A progress bar on a terminal, and no output elsewhere."""

from __future__ import annotations

import shutil
import sys
import time

from prunecell.cli import console
from prunecell.shown import printable

_REDRAW_SECONDS = 0.1
_BAR_WIDTH = 24


class Progress:
    """A count from 0 to `total` on one line of stderr, which is erased in the end.

    Args:
        title: The first word of the line.
        total: Units of all work.
        show: False draws nothing, also on a terminal.
    """

    def __init__(self, title: str, total: int, *, show: bool = True) -> None:
        self._title, self._total = title, max(total, 1)
        self._show = show and console.is_terminal(sys.stderr)
        self._done = 0
        self._note = ""
        self._start = time.monotonic()
        self._drawn = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._show and self._drawn:
            console.draw("\r\x1b[K")

    def advance(self, units: int, note: str | None = None) -> None:
        """Counts `units` more; `note` stands behind the bar from now on."""
        self._done += units
        if note is not None:
            self._note = printable(note)
        now = time.monotonic()
        if self._show and now - self._drawn >= _REDRAW_SECONDS:
            self._drawn = now
            self._draw(now - self._start)

    def _draw(self, seconds: float) -> None:
        share = min(self._done / self._total, 1.0)
        full = round(share * _BAR_WIDTH)
        bar = "#" * full + "." * (_BAR_WIDTH - full)
        left = _clock(seconds / share - seconds) if share > 0 else "--:--"
        line = f"{self._title} [{bar}] {share:4.0%} {left} left  {self._note}"
        width = shutil.get_terminal_size().columns - 1
        console.draw("\r\x1b[K" + line[:width])


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
