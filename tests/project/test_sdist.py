"""The source distribution holds all that is needed to build and test it."""

from __future__ import annotations

import tarfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from scikit_build_core.build import build_sdist

ROOT = Path(__file__).parents[2]
CPYTHONS = [f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 15)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("sdist")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)  # the build backend builds the current folder
        name = build_sdist(str(folder))
    with tarfile.open(folder / name) as archive:
        members = [one for one in archive.getmembers() if one.isfile()]
        return {one.name.partition("/")[2]: archive.extractfile(one).read() for one in members}


@pytest.fixture(scope="module")
def metadata(files: dict[str, bytes]) -> Message:
    return message_from_bytes(files["PKG-INFO"])


def test_it_holds_what_the_makefile_and_the_tests_call(files: dict[str, bytes]) -> None:
    for folder in (".ci", "tests", "tools", "csrc", "python", "docs", "examples", "cmake"):
        there = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
        kinds = {"", ".py", ".md", ".hpp", ".in"}
        names = [str(p) for p in there if p.suffix in kinds and "cache" not in str(p)]
        assert names
        assert not [name for name in names if name not in files]
    assert {"Makefile", "LICENSE", "CHANGELOG.md", "CMakeLists.txt"} <= set(files)


def test_it_says_where_the_project_lives_and_where_it_runs(metadata: Message) -> None:
    urls = dict(one.split(", ") for one in metadata.get_all("Project-URL"))
    assert set(urls) == {"Homepage", "Documentation", "Changelog", "Issues"}
    assert all(one.startswith("https://github.com/prunecell/prunecell") for one in urls.values())
    assert metadata["Author"] == "The prunecell authors"
    classifiers = metadata.get_all("Classifier")
    assert {*CPYTHONS, "Operating System :: POSIX :: Linux"} <= set(classifiers)
    # The licence is an SPDX expression; a classifier beside it is refused by package indexes.
    assert metadata["License-Expression"] == "Apache-2.0"
    assert not any(one.startswith("License") for one in classifiers)
