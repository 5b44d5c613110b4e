"""What the command `prunecell` starts: outside the package, so that ctrl-C may meet its import."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from prunecell_cli.exit_code import INTERRUPTED

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command, as `prunecell.cli.app.main` does; an interrupt may come while that loads."""
    try:
        from prunecell.cli import app

        return app.main(argv)
    except KeyboardInterrupt:
        with suppress(OSError):  # standard error is closed, or full
            os.write(2, b"prunecell: interrupted\n")
        return INTERRUPTED
