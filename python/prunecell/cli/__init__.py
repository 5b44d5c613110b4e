"""The command line: `prunecell inspect`, `prune`, `train`, `report`. See docs/cli.md."""

from prunecell.cli.app import main

__all__ = ["main"]
