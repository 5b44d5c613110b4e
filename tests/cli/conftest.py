"""`run`: a command line in this process, as its user sees it."""

import os
import sys
from collections.abc import Iterator

import pytest
from prunecell_cli import main
from running import Ran, Run


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> Ran:
        code = main([str(one) for one in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


@pytest.fixture(autouse=True)
def torch_as_it_was() -> Iterator[None]:
    """Undoes what `train` sets up in PyTorch for a process of its own: tests share theirs."""
    before = sys.modules.get("torch")
    threads = None if before is None else before.get_num_threads()
    yield
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(threads or os.cpu_count() or 1)
