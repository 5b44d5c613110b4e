"""What all commands share: help, version, exit codes."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import prunecell
import pytest
from prunecell.cli.progress import Progress
from running import Run

COMMANDS = ("inspect", "prune", "train", "report")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.code == 0
    assert "examples:\n  prunecell " + command in done.out
    assert max(map(len, done.out.splitlines())) <= 100


def test_help_names_the_commands_and_exit_codes(run: Run) -> None:
    out = run("--help").out
    assert all(f"\n    {command} " in out for command in COMMANDS)
    assert "exit codes: 0" in out


def test_version(run: Run) -> None:
    assert run("--version").out == f"prunecell {prunecell.__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("prnue",), ("prune",), ("inspect", "a", "b"), ("--x",)])
def test_usage_errors_are_one_line(run: Run, arguments: tuple[str, ...]) -> None:
    said = run(*arguments).complaint(2)
    assert said.startswith("prunecell") and "--help)" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "prnue a b",
            """COMMAND: invalid choice: 'prnue' (did you mean "prune"?), choose from ins""",
        ),
        ("--verison", """unrecognized arguments: --verison (did you mean "--version"?) (see"""),
        ("--verison prune --x", """unrecognized arguments: --verison (did you"""),
        (
            "prune a b --treshold 0.9",
            """unrecognized arguments: --treshold (did you mean "--thres""",
        ),
        ("prune --treshold=0.9 a b", """arguments: --treshold=0.9 (did you mean "--threshold"?)"""),
        ("prune a b --filler random", """invalid choice: 'random' (did you mean "Random"?)"""),
        ("train a.ini --otu run", """unrecognized arguments: --otu (did you mean "--out"?)"""),
        ("report a -o b c d", "unrecognized arguments: c d (see"),
        ("inspect a -- --jsno", "unrecognized arguments: --jsno"),
        ("inspect a --jsno --xyz", """arguments: --jsno (did you mean "--json"?) --xyz (see"""),
    ],
)
def test_misspelled_words_are_named_with_their_command(run: Run, line: str, said: str) -> None:
    complaint = run(*line.split()).complaint(2)
    commands = [word for word in line.split()[:1] if word in COMMANDS]
    assert complaint.startswith(" ".join(["prunecell", *commands]) + ": ")
    assert said in complaint


def test_values_with_spaces_may_begin_like_options(run: Run, tmp_path: Path) -> None:
    arguments = ("report", tmp_path / "none", "-o", tmp_path / "r.html", "--title", "--my title")
    assert "it has no run.json" in run(*arguments).complaint(1)


def test_the_module_is_a_program() -> None:
    command = [sys.executable, "-m", "prunecell", "--version"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, f"prunecell {prunecell.__version__}\n")


def test_torch_is_not_imported_until_it_is_needed() -> None:
    code = (
        "import sys, prunecell.cli.app\n"
        "sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_interrupted(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    np.savez(tmp_path / "a.npz", w=np.ones((3, 3)))
    monkeypatch.setattr("prunecell.cli.prune.prune", interrupt)
    ran = run("prune", tmp_path / "a.npz", tmp_path / "b.npz", "--threshold", 0.5)
    assert ran.complaint(130) == "prunecell prune: interrupted\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


INTERRUPTED_IMPORT = """
import runpy, sys

class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1]:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
{}
"""
PROGRAMS = {
    "script": "from prunecell_cli import main; sys.exit(main(['--version']))",
    "module": "runpy.run_module('prunecell', run_name='__main__')",
}


WHEN = [
    *(("module", f"prunecell.cli.{name}") for name in ["app", "lab.commands", "tensors.npz"]),
    *(("script", name) for name in ["numpy", "prunecell", "prunecell._core", "prunecell.cli.app"]),
]


@pytest.mark.parametrize(("program", "module"), WHEN)
def test_interrupted_while_it_loads(program: str, module: str) -> None:
    code = INTERRUPTED_IMPORT.format(PROGRAMS[program])
    command = [sys.executable, "-c", code, module]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "prunecell: interrupted\n")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("prunecell.cli.progress._REDRAW_SECONDS", 0)
    for stream, drawn in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with Progress("pruning", 4) as progress:
            progress.advance(1, "conv1")
            progress.advance(3, "a.name.too.long.for.a.line.of.the.terminal")
        lines = stream.getvalue().split("\r\x1b[K")
        assert bool(lines[1:]) == drawn
        if drawn:
            assert lines[1].startswith("pruning [######..................]  25% ")
            assert lines[1].endswith("conv1") and len(lines[2]) < 60
            assert lines[-1] == ""


LOADED = """
import sys
from prunecell_cli import main
code = main(sys.argv[1:])
print(*(name for name in sys.modules if name == "torch" or name.startswith("prunecell.")))
sys.exit(code)
"""
LAB = "prunecell.cli.lab"
PARSER = {LAB, *(f"{LAB}.{name}" for name in ("commands", "options", "fields"))}


@pytest.mark.parametrize("arguments", ["--version", "inspect a.npz", "prune a.npz b.npz"])
def test_commands_on_files_load_neither_torch_nor_the_lab(arguments: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", w=np.ones((3, 3)))
    options = ["--threshold", "0.5"] if arguments.startswith("prune") else []
    command = [sys.executable, "-c", LOADED, *arguments.split(), *options]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    loaded = set(ran.stdout.splitlines()[-1].split())
    assert "prunecell.cli.app" in loaded
    assert {name for name in loaded if name.startswith(LAB)} == PARSER
    assert not {"torch", "prunecell.torch", "prunecell.n2d2"} & loaded
