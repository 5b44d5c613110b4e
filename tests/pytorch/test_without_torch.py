"""Errors where PyTorch is not installed, or a folder of its name stands in the way."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LENET = str(TESTS.parent / "examples" / "lenet.ini")
MISSING = "import sys; sys.modules['torch'] = None; "  # its import fails
FOLDER = "import sys, types; sys.modules['torch'] = types.ModuleType('torch'); "
FOLDER += "sys.modules['torch'].__path__ = ['.']; "  # Python then takes any folder of that name


def run(code: str) -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    return done.stdout + done.stderr


OLD = "import torch; torch.__version__ = '2.4.1+cu124'; "


@pytest.mark.parametrize("torch", [MISSING, FOLDER])
@pytest.mark.parametrize(
    "use", ["import prunecell.torch", "import prunecell.formats as f; f.to_torch_csr([[1.0]])"]
)
def test_the_error_says_what_to_install(torch: str, use: str) -> None:
    last = run(torch + use).splitlines()[-1]
    assert last.startswith("ModuleNotFoundError: ")
    assert last.endswith(": pip install 'prunecell[torch]'")


@pytest.mark.parametrize(
    ("use", "kind"),
    [
        ("import prunecell.torch", "ImportError"),
        (
            f"from prunecell_cli import main; main(['train', {LENET!r}, '--out', 'no'])",
            "prunecell train",
        ),
    ],
)
def test_a_version_that_is_too_old_is_named(use: str, kind: str) -> None:
    pytest.importorskip("torch")
    last = run(OLD + use).splitlines()[-1]
    assert last == (
        f"{kind}: prunecell.torch needs PyTorch 2.5 or later, got 2.4.1+cu124: "
        "pip install --upgrade 'prunecell[torch]'"
    )


def test_the_oldest_version_is_the_one_that_the_package_asks_for() -> None:
    requirements = importlib.metadata.requires("prunecell") or []
    assert 'torch>=2.5; extra == "torch"' in [line.replace("'", '"') for line in requirements]


def test_tests_that_need_it_are_skipped_with_the_reason() -> None:
    folders = [str(TESTS / name) for name in ("pytorch", "formats")]
    said = run(MISSING + f"import pytest; pytest.main(['--collect-only', '-q', *{folders}])")
    assert "the adapter needs PyTorch: pip install 'prunecell[torch]'" in said
    assert "ERROR " not in said


def test_no_folder_of_tests_passes_for_a_package_that_is_missing() -> None:
    # pytest puts the folder of tests on sys.path.
    packages = {"torch", "numpy", "scipy", "onnx", "ml_dtypes", "mlxtend", "safetensors"}
    assert packages.isdisjoint(path.name for path in TESTS.iterdir())
