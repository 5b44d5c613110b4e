"""A few seconds of fuzz.py, and proof that it would find something."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def fuzz(*arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    # In a process of its own, because the watching hook cannot be removed from an interpreter.
    script = f"import runpy, sys\n{before}\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    code = f"import sys; sys.argv = {[str(HERE / 'fuzz.py'), *arguments]!r}\n{script}"
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(HERE), *sys.path]))
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )


def test_only_config_errors_come_out_and_nothing_outside_is_opened() -> None:
    result = fuzz("--seconds", "5", "--seed", "20")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "nothing found" in result.stdout


# Each replaces a part of the reader by one that is wrong and raises nothing.
PLANTED = {
    # The reference's evaluator: everything is allowed.
    "compile ": """
        def evaluate(text):
            try:
                return str(eval(text))
            except Exception:
                return ""
        resolve.evaluate = evaluate
    """,
    # Templates from anywhere.
    "open '": """
        import os
        def resolve_anywhere(self, name, origin, section):
            path = os.path.join(self._real, name)
            if not os.path.isfile(path):
                raise errors.error_at(origin, section, "no such file")
            return name, path
        files.Folder.resolve = resolve_anywhere
    """,
    # An exception that is no ConfigError.
    "UnicodeEncodeError": """
        lexer._check_length = lambda name, *rest: name.encode("ascii")
    """,
    # Something slow.
    "took ": """
        import time
        resolve._matching = lambda text, opening: time.sleep(6) or -1
    """,
}


@pytest.mark.parametrize("message", PLANTED)
def test_the_fuzzer_finds_planted_faults(message: str) -> None:
    fault = textwrap.dedent(PLANTED[message])
    before = f"from prunecell.config import errors, files, lexer, resolve\n{fault}"
    result = fuzz("--seconds", "60", "--seed", "20", before=before)
    assert result.returncode == 1, result.stdout + result.stderr
    assert message in result.stdout
