"""The rule of each tensor that `prunecell prune` prunes, decided before any tensor is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from prunecell import PruneCell, config
from prunecell._core import derive_seed
from prunecell.cli import console
from prunecell.cli.errors import CommandError, UsageError
from prunecell.cli.select import matches, named, selected
from prunecell.cli.tensors import Listed
from prunecell.cli.terminal import shape_text

_WEIGHT = ".weight"


@dataclass(frozen=True)
class Rule:
    """The parameters by which one tensor is pruned."""

    filler: str
    threshold: float
    delta: float
    seed: int
    ties: str


def module_of(name: str) -> str:
    """The module of a tensor named as its weight; other tensors count as modules themselves."""
    return name.removesuffix(_WEIGHT)


def by_options(
    tensors: Mapping[str, Listed], cell: PruneCell, include: list[str], exclude: list[str]
) -> dict[str, Rule]:
    """One rule for all prunable tensors that the patterns leave; tied ones by their first name.

    A pattern that excludes a tensor excludes it under all of its names.

    Raises:
        UsageError: A pattern fits no prunable tensor.
        CommandError: The file has no prunable tensor, or the patterns leave none.
    """
    names = [one.name for one in tensors.values() if one.prunable]
    if not names:
        raise CommandError("expected floating tensors of two or more dimensions, the file has none")
    taken = selected(names, include, exclude)
    spared = {tensors[name].first_name: name for name in names if matches(name, exclude)}
    tied = [name for name in taken if tensors[name].first_name in spared]
    for name in tied:
        other = spared[tensors[name].first_name]
        console.complain(
            "prunecell prune",
            f"warning: {name} is left as it is: {other}, which is excluded, is the same tensor",
        )
    taken = [name for name in taken if name not in tied]
    if not taken:
        patterns = [f"--include {one!r}" for one in include]
        patterns += [f"--exclude {one!r}" for one in exclude]
        raise CommandError(f"nothing to prune: {' '.join(patterns)} leaves none of {named(names)}")
    rules: dict[str, Rule] = {}
    for name in taken:
        rules.setdefault(tensors[name].first_name, _rule(cell, name))
    return rules


def by_config(tensors: Mapping[str, Listed], path: str, seed: int) -> dict[str, Rule]:
    """A rule for each section of an INI file with QWeight=Prune.

    Raises:
        ConfigError: The INI file is not valid.
        UsageError: A section fits no tensor, or none that can be pruned, or two sections prune
            tied tensors differently.
    """
    cells = config.load_ini(path)
    if not cells:
        raise UsageError(f"{path}: expected a section with QWeight=Prune, there is none")
    rules: dict[str, Rule] = {}
    sections: dict[str, str] = {}
    for section, cell in cells.items():
        name = _tensor_of(section, tensors, path)
        if not tensors[name].prunable:
            shape = shape_text(tensors[name].shape, "a number")
            raise UsageError(
                f"{path}: section [{section}]: expected a floating tensor of two or more "
                f"dimensions, {name} is {tensors[name].dtype} {shape}"
            )
        first, rule = tensors[name].first_name, _rule(cell, name, seed)
        present = rules.setdefault(first, rule)
        other = sections.setdefault(first, section)
        if replace(present, seed=rule.seed) != rule:
            raise UsageError(
                f"{path}: sections [{other}] and [{section}] prune one tensor differently: "
                f"{first} and {name} are tied"
            )
    return rules


def _tensor_of(section: str, tensors: Mapping[str, Listed], path: str) -> str:
    for name in (section, section + _WEIGHT):
        if name in tensors:
            return name
    known = [module_of(one.name) for one in tensors.values() if one.prunable]
    raise UsageError(f"{path}: section [{section}] fits no tensor: expected one of {named(known)}")


def _rule(cell: PruneCell, name: str, seed: int | None = None) -> Rule:
    """The rule at the end of a cell's schedule: a file has no epochs."""
    filler, threshold = cell.prune_filler, cell.threshold
    if cell.prune_mode == "Identity":
        filler = "None"
    elif cell.prune_mode == "Gradual":
        threshold = max(threshold, cell.start)
    # The seed depends on the name, as in a cell of a model: equal layers get different masks.
    drawn = derive_seed(cell.seed if seed is None else seed, module_of(name))
    return Rule(filler, threshold, cell.delta, drawn, cell.ties)
