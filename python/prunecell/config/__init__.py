r"""INI files of the reference's dialect: reading, what they prune, and writing it back.

    >>> from prunecell import config
    >>> ini = config.parse("[conv1]\nQWeight=Prune\nQWeight.PruningMode=Static\n")
    >>> config.prune_parameters(ini)["conv1"]["prune_mode"]
    'Static'

Reading needs the native core alone, for the table of parameters; only load_ini builds PruneCells.
The dialect, and where it differs from the reference's, is described in docs/ini.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from .errors import ConfigError, ConfigWarning, MissingKeyError
from .inifile import IniFile, Section
from .prune import build as _build
from .prune import prune_parameters
from .reader import parse, read
from .values import Value
from .write import to_ini

if TYPE_CHECKING:
    from prunecell.quantizer import PruneCell

__all__ = [
    "ConfigError",
    "ConfigWarning",
    "IniFile",
    "MissingKeyError",
    "Section",
    "Value",
    "load_ini",
    "parse",
    "prune_parameters",
    "read",
    "to_ini",
]


def load_ini(
    path: str | os.PathLike[str], *, variables: Mapping[str, str] | None = None
) -> dict[str, PruneCell]:
    """Section name -> PruneCell for each cell of the file at `path` with QWeight=Prune.

    Each cell gets a PruneCell of its own, whose parameters are attributes under their Python names.
    `variables` gives values to `${NAME}`, as in read. Raises ConfigError (a ValueError) for a file
    that is not valid, OSError for a file that cannot be opened.
    """
    return _build(read(path, variables=variables))
