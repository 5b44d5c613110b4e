"""Which files may be opened: templates inside the INI file's own folder tree, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from prunecell import config


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with templates, beside files that must not be read."""
    folder = tmp_path / "models"
    (folder / "sub").mkdir(parents=True)
    (folder / "own.tpl").write_text("[own]\nK=own\n")
    (folder / "sub" / "deep.tpl").write_text("[deep]\nK=deep\n")
    (tmp_path / "secret.tpl").write_text("[secret]\nK=secret\n")
    (tmp_path / "modelsecret").mkdir()
    (tmp_path / "modelsecret" / "secret.tpl").write_text("[secret]\nK=secret\n")
    return folder


def read(folder: Path, template: str, **variables: str) -> config.IniFile:
    path = folder / "main.ini"
    path.write_text(f"[s@{template}]\n")
    return config.read(path, variables=variables)


@pytest.mark.parametrize(
    ("template", "section"),
    [
        ("own.tpl", "own"),
        ("./own.tpl", "own"),
        ("sub/deep.tpl", "deep"),
        ("sub/./deep.tpl", "deep"),
        ("${N2D2_MODELS}/own.tpl", "own"),
        ("${WHERE}/deep.tpl", "deep"),
    ],
)
def test_templates_inside_the_tree_are_read(tree: Path, template: str, section: str) -> None:
    assert read(tree, template, WHERE="sub")[section]["K"] == section


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("../secret.tpl", 'must not contain ".."'),
        ("sub/../own.tpl", 'must not contain ".."'),
        ("sub\\..\\..\\secret.tpl", 'must not contain ".."'),
        ("../models/own.tpl", 'must not contain ".."'),
        ("/etc/passwd", "must be relative"),
        ("\\\\host\\share\\x.tpl", "must be relative"),
        ("C:\\x.tpl", "must be relative"),
        ("C:x.tpl", "must be relative"),
        ("${WHERE}/secret.tpl", "must be relative"),
        ("${UP}/secret.tpl", 'must not contain ".."'),
        ("link.tpl", "outside the INI file's folder"),
        ("linked/secret.tpl", "outside the INI file's folder"),
        ("beside/secret.tpl", "outside the INI file's folder"),
        ("loop.tpl", "cannot open|Symlink loop"),
        ("nosuch.tpl", "No such file"),
        ("sub", "not a plain file"),
        ("pipe.tpl", "not a plain file"),
        ("a\0b.tpl", "must be text"),
        ("x/" * 600 + "x.tpl", "up to 1000 characters"),
        ("x" * 300 + ".tpl", "cannot open"),
        ("${NOWHERE}/own.tpl", 'needs "\\$\\{NOWHERE\\}"'),
        ("${NOWHERE/own.tpl", "without its }"),
    ],
)
def test_templates_outside_the_tree_are_refused(tree: Path, template: str, message: str) -> None:
    (tree / "link.tpl").symlink_to(tree.parent / "secret.tpl")
    (tree / "linked").symlink_to(tree.parent, target_is_directory=True)
    (tree / "beside").symlink_to(tree.parent / "modelsecret", target_is_directory=True)
    (tree / "loop.tpl").symlink_to("loop.tpl")
    os.mkfifo(tree / "pipe.tpl")  # opening it would wait for ever
    with pytest.raises(config.ConfigError, match=message) as caught:
        read(tree, template, WHERE=str(tree.parent), UP="..")
    assert "secret" not in str(caught.value).replace("secret.tpl", "")
    assert caught.value.line == 1


def test_includes_are_held_to_the_same_rules(tree: Path) -> None:
    (tree / "bad.tpl").write_text("\n{% include ../secret.tpl %}\n")
    with pytest.raises(config.ConfigError, match=r'bad\.tpl:2: .*must not contain "\.\."'):
        read(tree, "bad.tpl")
    (tree / "good.tpl").write_text("{% include sub/deep.tpl %}")
    assert read(tree, "good.tpl")["deep"]["K"] == "deep"


def test_links_inside_the_tree_are_followed(tree: Path) -> None:
    (tree / "link.tpl").symlink_to("sub/deep.tpl")
    assert read(tree, "link.tpl")["deep"]["K"] == "deep"


def test_a_folder_reached_by_a_link_is_the_folder(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(tree, target_is_directory=True)
    assert read(tmp_path / "alias", "own.tpl")["own"]["K"] == "own"


def test_a_file_in_the_current_folder_finds_its_templates(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    (tree / "main.ini").write_text("[s@own.tpl]\n")
    assert config.read("main.ini")["own"]["K"] == "own"


def test_the_environment_has_no_say(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("N2D2_MODELS", str(tree.parent))
    monkeypatch.setenv("WHERE", "sub")
    assert read(tree, "${N2D2_MODELS}/own.tpl")["own"]["K"] == "own"
    with pytest.raises(config.ConfigError, match="WHERE"):
        read(tree, "${WHERE}/deep.tpl")


def test_the_path_of_a_template_may_use_variables_of_the_file(tree: Path) -> None:
    path = tree / "main.ini"
    path.write_text("$WHERE=$(1)$DIR\n$DIR=sub\n[s@${DIR}/deep.tpl]\n")
    assert config.read(path)["deep"]["K"] == "deep"


def test_text_without_a_folder_has_no_templates(tree: Path) -> None:
    with pytest.raises(config.ConfigError, match="no folder"):
        config.parse("[s@own.tpl]\n")
    assert config.parse("[s@own.tpl]\n", folder=tree)["own"]["K"] == "own"


def test_a_file_of_many_megabytes_is_refused(tree: Path) -> None:
    path = tree / "big.ini"
    path.write_bytes(b"; " + b"x" * (5 << 20))
    with pytest.raises(config.ConfigError, match="larger than 4 MiB"):
        config.read(path)
    path.write_bytes(b"; " + b"x" * ((4 << 20) - 2))
    assert config.read(path).sections == ("",)
    with pytest.raises(config.ConfigError, match="characters"):
        config.parse("x" * (5 << 20))
