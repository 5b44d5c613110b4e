"""Selection of tensors by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from prunecell.cli.errors import UsageError
from prunecell.shown import short_list

_MOST_NAMED = 8  # tensors named in an error

EMBEDDINGS = ("*embed*", "emb", "*emb.*", "wte.*", "*.wte.*", "wpe.*", "*.wpe.*")
"""Names that embeddings commonly have; a file does not say which layer a tensor belongs to."""


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a name fits any of the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def selected(names: Sequence[str], include: Sequence[str], exclude: Sequence[str]) -> list[str]:
    """Names that fit `include` (all, where it is empty) and do not fit `exclude`.

    Raises:
        UsageError: A pattern fits no name.
    """
    for option, patterns in (("--include", include), ("--exclude", exclude)):
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise UsageError(f"{option} {pattern!r} fits none of {named(names)}")
    return [
        name
        for name in names
        if (not include or matches(name, include)) and not matches(name, exclude)
    ]


def named(names: Sequence[str]) -> str:
    """A list of names for a message."""
    return short_list(names, _MOST_NAMED) if names else "the tensors: there are none"
