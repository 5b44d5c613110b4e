"""A PruneCell as the text of an INI section."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prunecell.parameters import PARAMETERS as TABLE

from .errors import ConfigError, shorten
from .parameters import PARAMETERS

if TYPE_CHECKING:
    from prunecell.quantizer import PruneCell

_LARGEST_STEP = 2**32 - 1  # the largest integer that a key of the dialect can hold
# Characters that end a name, start a comment, a quote or a template, or break the line.
_FORBIDDEN = '];#"@\\\r\n'


def to_ini(section: str, quantizer: PruneCell) -> str:
    """`quantizer` as section `section`, every parameter written out; load_ini reads an equal one.

    Only parameters are written, no masks and no progress of a schedule; a seed and in_place=False,
    which have no key, become comments. The text ends with a line end, so that several can follow
    each other. Raises ConfigError for a name that no section can have and a stepsize over 32 bits.
    """
    if not section or any(mark in section for mark in _FORBIDDEN):
        raise ConfigError(
            f"{shorten(section)} cannot be the name of a section: expected some text without "
            + " ".join(_FORBIDDEN[:-2])
            + " and line ends"
        )
    lines = [f"[{section}]", "QWeight=Prune"]
    for name, value in quantizer.parameters.changed().items():
        if not TABLE[name].ini_key:
            lines.insert(1, f"; {name}={value} has no key in INI files")
    for parameter in PARAMETERS:
        value = getattr(quantizer, parameter.python)
        if parameter.default is None and value == parameter.assumed:
            continue
        if isinstance(parameter.default, float):
            value = repr(float(value))  # the shortest text that reads back as the same number
        elif isinstance(parameter.default, int) and value > _LARGEST_STEP:
            raise ConfigError(
                f"{parameter.python}={value} is too large for an INI file, which holds up to "
                f"{_LARGEST_STEP}",
                section=section,
            )
        lines.append(f"QWeight.{parameter.ini}={value}")
    return "\n".join(lines) + "\n"
