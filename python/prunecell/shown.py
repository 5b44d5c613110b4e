"""Text of others in words of ours."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""The text on one line, safe for any terminal: what cannot be seen becomes an escape.

    That is what Unicode calls control, format (marks that turn the direction of writing),
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
