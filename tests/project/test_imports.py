"""The modules of the Python packages import each other in one direction only."""

from __future__ import annotations

import ast
import functools
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

PYTHON = Path(__file__).parents[2] / "python"
Graph = dict[str, set[str]]


def modules(root: Path) -> dict[str, Path]:
    """Name -> file of each module under `root`; native modules have a stub."""
    found = {}
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.pyi")]):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@functools.cache
def graph(root: Path) -> Graph:
    """Module -> the modules of `root` that it names anywhere, in functions and for types too.

    A package counts as imported only by a module that takes a name of the package's own. Loading a
    module also loads the packages around it; that is not counted, or each package that offers names
    of its submodules would be a circle.
    """
    known = modules(root)
    return {
        name: {
            target
            for written in imported(name, path)
            if (target := written if written in known else written.rpartition(".")[0]) in known
        }
        for name, path in known.items()
    }


def imported(name: str, path: Path) -> Iterator[str]:
    """The full names of what a module imports, whether modules or names in modules."""
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    for node in nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: 1 - node.level or None] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            assert isinstance(node.args[0], ast.Constant), (
                f"{path}:{node.lineno}: expected the name of a module, as only the __getattr__ "
                f"of a package may do without, got {ast.unparse(node)}"
            )
            yield str(node.args[0].value)


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Everything in a module but what defines its `__getattr__`, which loads modules on first use.

    `if TYPE_CHECKING: ... else: def __getattr__` is skipped as a whole.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(tree, ast.Module) and "__getattr__" in defined(node):
            continue
        yield node
        yield from nodes(node)


def defined(node: ast.AST) -> list[str]:
    """Names of the functions that a statement of a module defines, also by its branches."""
    if isinstance(node, ast.If):
        return [name for each in [*node.body, *node.orelse] for name in defined(each)]
    return [node.name] if isinstance(node, ast.FunctionDef) else []


def circle(imports: Graph) -> list[str]:
    """A circle, the first module last as well, or nothing."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []


def inside(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def without(imports: Graph, package: str) -> Graph:
    return {name: targets for name, targets in imports.items() if not inside(name, package)}


def test_no_circle() -> None:
    found = circle(graph(PYTHON))
    assert not found, "modules import each other: " + " -> ".join(found)


@pytest.mark.parametrize(
    "back",
    [
        "from p import a",
        "from p.a import thing",
        "from . import a",
        "from .a import thing",
        "import p.a",
        "def f():\n    from p.a import thing",
        "if TYPE_CHECKING:\n    from p.a import thing",
        "import importlib\nimportlib.import_module('p.a')",
        "class C:\n    def __getattr__(self, name):\n        import p.a",
    ],
)
def test_a_circle_is_found_however_it_is_written(back: str, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "__init__.py").write_text("from p.a import thing\nfrom p.b import other\n")
    (tmp_path / "p" / "a.py").write_text("from p.b import other\n")
    (tmp_path / "p" / "b.py").write_text(back + "\n")
    assert set(circle(graph(tmp_path))) == {"p.a", "p.b"}


def test_a_package_that_offers_names_of_its_modules_is_in_no_circle(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "__init__.py").write_text(
        "from p.a import thing\ndef __getattr__(name):\n    return import_module(f'p.{name}')\n"
    )
    (tmp_path / "p" / "a.py").write_text("from p.b import other\nimport p.b\n")
    (tmp_path / "p" / "b.py").write_text("import os\n")
    assert graph(tmp_path) == {"p": {"p.a"}, "p.a": {"p.b"}, "p.b": set()}
    assert not circle(graph(tmp_path))


def test_a_module_that_takes_a_name_of_its_package_is_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "__init__.py").write_text("from p.a import thing\nother = 1\n")
    (tmp_path / "p" / "a.py").write_text("from p import other\n")
    assert set(circle(graph(tmp_path))) == {"p", "p.a"}


# Package -> the packages and modules that may import from it, beside itself.
LAYERS = {
    "prunecell.n2d2": ("prunecell.cli.lab",),
    "prunecell.cli": ("prunecell_cli",),
    "prunecell.cli.lab": ("prunecell.cli.app",),
    "prunecell.torch": ("prunecell.n2d2", "prunecell.cli.lab", "prunecell.formats.with_torch"),
}


@pytest.mark.parametrize("package", LAYERS)
def test_only_layers_above_import_a_package(package: str) -> None:
    wrong = [
        f"{name} imports {target}"
        for name, targets in graph(PYTHON).items()
        for target in sorted(targets)
        if inside(target, package)
        and not any(inside(name, above) for above in (package, *LAYERS[package]))
    ]
    assert not wrong


@pytest.mark.parametrize("package", ["prunecell.torch", "prunecell.n2d2", "prunecell.cli"])
def test_config_knows_no_layer_above_it(package: str) -> None:
    # Also not by way of others.
    imports = graph(PYTHON)
    reached = {name for name in imports if inside(name, "prunecell.config")}
    waiting = [*reached]
    while waiting:
        more = imports[waiting.pop()] - reached
        reached |= more
        waiting += more
    assert not [name for name in reached if inside(name, package)]
