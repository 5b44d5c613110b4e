"""The command line: `prunecell inspect`, `prune`, `train`, `report`. See docs/cli.md."""

from __future__ import annotations

from collections.abc import Sequence

from prunecell.cli import console
from prunecell.cli.errors import INTERRUPTED

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command, as `prunecell.cli.app.main` does; an interrupt may come while that loads."""
    try:
        from prunecell.cli import app

        return app.main(argv)
    except KeyboardInterrupt:
        console.complain("prunecell", "interrupted")
        return INTERRUPTED
