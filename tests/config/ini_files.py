"""Where the INI files of the tests lie."""

from __future__ import annotations

import os
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[1]
DATA = _TESTS / "data" / "ini"
# The reference's own files belong to their authors and are not part of this project. Where they lie
# beside the checkout (or where the variable says), they are read as well.
REFERENCE = Path(os.environ.get("PRUNECELL_REFERENCE_INI", _TESTS.parents[1] / "shared" / "ini"))
