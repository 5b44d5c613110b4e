"""Each block of code of the pages works as it stands, alone, in a folder of its own."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
from embedding import CONSUMER, ROOT, build, run
from prunecell import config

import tools

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NEED_A_GPU = {"docs/cuda.md"}
RECIPES = "docs/recipes.md"  # with packages that .ci/recipes installs, and their warnings
NEED_A_PACKAGE = re.compile(r"^(?:import|from) (peft|schedulefree|timm|lightning)\b", re.MULTILINE)
NEED_TORCH = re.compile(r"^import torch$|prunecell\.torch", re.MULTILINE)
TEMPLATES = ["residual.ini.tpl"]  # of the INI files of the pages
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    name = str(page.relative_to(ROOT))
    return [
        Block(name, text.count("\n", 0, one.start()) + 1, one[2], dedent(one[3]))
        for one in FENCE.finditer(text)
    ]


def written_in(language: str) -> list[object]:
    return [
        pytest.param(
            block,
            id=f"{block.page}:{block.line}",
            marks=marks(block.page),
        )
        for page in PAGES
        for block in blocks(page)
        if block.language == language
    ]


def marks(page: str) -> list[pytest.MarkDecorator]:
    gpu = [pytest.mark.gpu] if page in NEED_A_GPU else []
    others = pytest.mark.filterwarnings("ignore", "error::prunecell.PruneWarning")
    return [*gpu, others] if page == RECIPES else gpu


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a block runs in: empty but for the examples, as in a clone."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_stands_in_fences_that_name_its_language(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.count("```") == 2 * len(blocks(page))
    assert all(block.language for block in blocks(page))
    prose = FENCE.sub("", text)
    assert not re.findall(r"\n\n( {4,}\S.*)", prose), "indented code, which no test here sees"


@pytest.mark.parametrize("block", written_in("python"))
@pytest.mark.usefixtures("folder")
def test_python_runs(block: Block) -> None:
    if NEED_TORCH.search(block.text):
        pytest.importorskip("torch")
    for package in NEED_A_PACKAGE.findall(block.text):
        pytest.importorskip(package)
    place = "\n" * block.line  # so that a traceback tells the line of the page
    exec(compile(place + block.text, block.page, "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("block", written_in("cpp"))
def test_cpp_compiles_and_runs(block: Block, folder: Path, request: pytest.FixtureRequest) -> None:
    for tool in ("cmake", "g++"):
        if not tools.find(tool):
            pytest.skip(f"no {tool}")
    shutil.copy(CONSUMER / "CMakeLists.txt", folder)
    (folder / "main.cpp").write_text(block.text, encoding="utf-8")
    installed = request.getfixturevalue("installed")  # after the tools have been looked for
    build(folder, folder / "build", f"-DCMAKE_PREFIX_PATH={installed}")
    run(folder / "build" / "embed")


@pytest.mark.parametrize("block", written_in("ini"))
def test_ini_files_parse(block: Block, folder: Path) -> None:
    for name in TEMPLATES:
        (folder / name).touch()
    config.prune_parameters(config.parse(block.text, folder=folder))


def test_blocks_are_found_in_lists_too() -> None:
    assert {block.language for page in PAGES for block in blocks(page)} >= {"cpp", "ini", "python"}
