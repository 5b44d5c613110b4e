"""Text of strangers and lists of names, made fit for a message."""

from __future__ import annotations

from collections.abc import Sequence


def short_list(names: Sequence[object], most: int) -> str:
    """The first `most` names joined by commas, and how many more there are.

    >>> short_list(["a", "b", "c"], 2)
    'a, b and 1 more'
    >>> short_list(["a", "b"], 2)
    'a, b'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def short_cycle(names: Sequence[str]) -> list[str]:
    """The names of a cycle, with dots for the middle of a long one.

    >>> short_cycle("abcdefghijka")
    ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', '...', 'a']
    """
    return list(names) if len(names) <= 10 else [*names[:8], "...", names[-1]]


def printable(text: str) -> str:
    r"""The text on one line, safe for any terminal: characters that cannot be seen become escapes.

    These are what Unicode calls control, format (marks that turn the direction of writing),
    separator, surrogate or unassigned characters.

    >>> print(printable("a\x1b[2J\u202eb"))
    a\x1b[2J\u202eb
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
