"""What is said where PyTorch is not installed, or a folder of its name stands in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MISSING = "import sys; sys.modules['torch'] = None; "  # its import fails
FOLDER = "import sys, types; sys.modules['torch'] = types.ModuleType('torch'); "
FOLDER += "sys.modules['torch'].__path__ = ['.']; "  # so Python takes any folder of that name


def run(code: str) -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    return done.stdout + done.stderr


@pytest.mark.parametrize("torch", [MISSING, FOLDER])
@pytest.mark.parametrize(
    "use", ["import prunecell.torch", "import prunecell.formats as f; f.to_torch_csr([[1.0]])"]
)
def test_the_error_says_what_to_install(torch: str, use: str) -> None:
    last = run(torch + use).splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: ")
    assert last.endswith(": pip install 'prunecell[torch]'")


def test_tests_that_need_it_are_skipped_with_the_reason() -> None:
    folders = [str(TESTS / name) for name in ("pytorch", "formats")]
    said = run(MISSING + f"import pytest; pytest.main(['--collect-only', '-q', *{folders}])")
    assert "the adapter needs PyTorch: pip install 'prunecell[torch]'" in said
    assert "ERROR " not in said


def test_no_folder_of_tests_passes_for_a_package_that_is_missing() -> None:
    # pytest puts the folder of tests on sys.path.
    packages = {"torch", "numpy", "scipy", "onnx", "ml_dtypes", "mlxtend", "safetensors"}
    assert packages.isdisjoint(path.name for path in TESTS.iterdir())
