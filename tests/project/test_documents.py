"""Links, paths and tables of the pages lead to what is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from prunecell.parameters import PARAMETERS

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tools").rglob("*.md")]
)
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Pages that tell where code is. A path has a folder and an ending, or ends in a slash.
TOUR = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "architecture.md"]
PATH = re.compile(r"`((?:csrc|python|tests|docs|benchmarks|tools|\.ci|\.github)/[\w./*-]+)`")
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """GitHub's anchors: the words of a heading in small letters, joined by dashes."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


def test_the_pages_are_found() -> None:
    assert {"README.md", "semantics.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", TOUR, ids=lambda page: page.name)
def test_paths_in_prose_exist(page: Path) -> None:
    paths = PATH.findall(prose(page))
    assert paths
    assert not [path for path in paths if not list(ROOT.glob(path))]


def test_the_table_of_parameters_is_that_of_the_code() -> None:
    found = {
        name: (default, accepted)
        for name, default, accepted in ROW.findall(prose(ROOT / "docs" / "parameters.md"))
    }
    assert list(found) == list(PARAMETERS)
    for name, (default, accepted) in found.items():
        assert ast.literal_eval(default.strip("`")) == PARAMETERS[name].default, name
        assert all(f'`"{word}"`' in accepted for word in PARAMETERS[name].words), name
