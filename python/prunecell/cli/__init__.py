"""The command line: `prunecell inspect`, `prune`, `train`, `report`. See docs/cli.md."""
