"""The plan of a network: the sections that are cells, their order, and the other sections."""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prunecell.config import ConfigError, IniFile
from prunecell.config.budget import Budget
from prunecell.config.errors import error_at, suggestion
from prunecell.limits import MAX_SAMPLE
from prunecell.n2d2.geometry import Shape, count, counts
from prunecell.n2d2.graph import INPUT
from prunecell.n2d2.keys import BUILT, FOREIGN
from prunecell.n2d2.reading import CellSection, unknown
from prunecell.shown import short_cycle

# Names that a cell may use for the network's input, whichever section describes it.
INPUT_NAMES = ("sp", "env", "cenv")
# Keys of the input's section about how the reference reads data, no part of the network.
_DATA_KEYS = re.compile(
    r"BatchSize|CompositeStimuli|CachePath|ConfigSection|TargetSize[XYD]?|TargetNbChannels"
    r"|StimulusType|DiscardedLateStimuli|Period(MeanMin|MeanMax|RelStdDev|Min)|\$.*"
)
_FILE_KEYS = re.compile(
    r"DefaultModel|DefaultDataType|CheckWeightRange|ProgramMethod\(.*\)|CheckForNAN|\$.*"
)


@dataclass(frozen=True)
class Plan:
    """The cells, each after its inputs, and how they are connected."""

    cells: dict[str, CellSection]
    kinds: dict[str, str]
    inputs: dict[str, tuple[str, ...]]
    readers: dict[str, list[str]]
    outputs: tuple[str, ...]


def make_plan(ini: IniFile, budget: Budget) -> Plan:
    """The network of a file. Raises ConfigError for sections that are no part of a network."""
    cells = {
        section.name: CellSection(ini, section, budget)
        for section in ini.values()
        if "Input" in section and section.template is None
    }
    if not cells:
        _check_other_sections(ini, cells)
        raise ConfigError("no cell: no section has an Input", file=ini.file)
    kinds = {name: _kind(cell) for name, cell in cells.items()}
    inputs = {name: _inputs(cell, cells) for name, cell in cells.items()}
    _check_other_sections(ini, cells)
    readers: dict[str, list[str]] = {name: [] for name in cells}
    for name, names in inputs.items():
        for source in {*names} - {INPUT}:
            readers[source].append(name)
    order = _sorted(inputs, readers, cells)
    targets = {_target_of(name) for name in ini}
    return Plan(
        {name: cells[name] for name in order},
        kinds,
        inputs,
        readers,
        tuple(name for name in cells if name in targets or not readers[name]),
    )


def read_input_shape(ini: IniFile, budget: Budget) -> Shape:
    """The size of the network's input, from [sp] or [env]."""
    given = [name for name in INPUT_NAMES if name in ini]
    if not given:
        raise ConfigError("no section [sp] with SizeX and SizeY, the input's size", file=ini.file)
    section = CellSection(ini, ini[given[-1]], budget)
    if len(given) > 1 or given == ["cenv"]:
        reason = f"[{given[0]}] describes the input as well" if len(given) > 1 else "spikes"
        raise section.error(f"expected one section [sp] or [env] with the input's size: {reason}")
    if "Input" in ini[given[0]]:
        raise section.raw("Input").error("the input of the network cannot have one itself")
    if section.first("Size", "SizeX") == "Size":
        size = counts(section.read("Size"), ("width", "height", "channels"))
        shape = Shape(size[2], size[1], size[0])
    else:
        section.get("SizeY")  # counts as read, or it is taken for a misspelt SizeX
        width, height = count(section.read("SizeX", "32")), count(section.read("SizeY", "32"))
        channels = section.get("NbChannels")
        shape = Shape(1 if channels is None else count(channels), height, width)
    if shape.numel > MAX_SAMPLE:
        raise section.error(f"{shape} is more than {MAX_SAMPLE:,} values for one sample")
    if "SizeD" in section:
        raise section.raw("SizeD").error("only 2-D inputs are built")
    for key in ini[given[0]]:
        if key not in section.asked and not _DATA_KEYS.fullmatch(key):
            raise section.raw(key).error(unknown(key, f"[{given[0]}]", section.asked))
    return shape


def check_file_keys(ini: IniFile) -> None:
    """Refuses properties before the first section that have no meaning there."""
    words = ("DefaultModel", "DefaultDataType", "InsertBatchNormAfterConv")
    for key in ini[""]:
        if key == "InsertBatchNormAfterConv" and ini[""][key].flag():
            raise ini[""][key].error("not supported; write the BatchNorm cells")
        if key != "InsertBatchNormAfterConv" and not _FILE_KEYS.fullmatch(key):
            raise ini[""].raw(key).error(unknown(key, "the file", words))


def _kind(cell: CellSection) -> str:
    value = cell.read("Type", "Conv")
    kind = str(value)
    if kind in FOREIGN:
        raise value.error(f"{kind}: {FOREIGN[kind]}; built are {', '.join(BUILT)}")
    return value.choice(BUILT)


def _inputs(cell: CellSection, cells: Mapping[str, CellSection]) -> tuple[str, ...]:
    value = cell.read("Input")
    names = value.words(",")
    if not names:
        raise value.error("expected the names of other cells, or sp")
    for name in names:
        if name not in cells and name not in INPUT_NAMES:
            raise value.error(f"no cell [{name}]{suggestion(name, [*cells, INPUT])}")
    return tuple(INPUT if name in INPUT_NAMES else name for name in names)


def _sorted(
    inputs: Mapping[str, Sequence[str]],
    readers: Mapping[str, Sequence[str]],
    cells: Mapping[str, CellSection],
) -> list[str]:
    """The cells, each after its inputs, as near to the order of the file as that allows."""
    place = {name: index for index, name in enumerate(inputs)}
    waiting = {name: len({*names} - {INPUT}) for name, names in inputs.items()}
    ready = [place[name] for name, number in waiting.items() if number == 0]
    names_in_order = list(inputs)
    order: list[str] = []
    while ready:
        name = names_in_order[heapq.heappop(ready)]
        order.append(name)
        for reader in readers[name]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heapq.heappush(ready, place[reader])
    if len(order) < len(inputs):
        stuck = next(name for name in inputs if waiting[name])
        chain = _cycle(stuck, inputs, {name for name in inputs if waiting[name]})
        names = short_cycle([f"[{name}]" for name in chain])
        at = cells[chain[0]].raw("Input")
        raise at.error("cells read each other: " + " <- ".join(names))
    return order


def _cycle(start: str, inputs: Mapping[str, Sequence[str]], stuck: set[str]) -> list[str]:
    """A cycle among cells that wait for each other, reached from one of them."""
    chain = {start: None}
    name = start
    while True:
        name = next(source for source in inputs[name] if source in stuck)
        if name in chain:
            names = list(chain)
            return [*names[names.index(name) :], name]
        chain[name] = None


def _target_of(name: str) -> str | None:
    """The cell that section `name` is a target of, or None: [softmax.Target], [fc.Target-Top5]."""
    at = name.rfind(".Target")
    return name[:at] if at >= 0 else None


def _check_other_sections(ini: IniFile, cells: Mapping[str, CellSection]) -> None:
    """Refuses sections that nothing refers to: cells without Input, and misspelt names."""
    used = {name for section in ini.values() for name in section.bases}
    for section in ini.values():
        for key, entry in section.entries.items():
            if key.startswith("ConfigSection"):
                used.update(section.raw(key).words(","))
            elif "[" in entry.text:
                used.update(re.findall(r"\[([^\[\]]*)\]", entry.text))
    for section in ini.values():
        name = section.name
        if name == "" or name in cells or section.template is not None:
            continue
        part = name.split(".")[0]
        if part in INPUT_NAMES and re.match(r"[^.]*\.Channels?(OnTheFly)?Transformation", name):
            raise error_at(
                section.origin, name, "transformations that make channels are not supported"
            )
        target = _target_of(name)
        if target is not None and target not in cells:
            hint = suggestion(target, cells)
            raise error_at(section.origin, name, f"a target of [{target}], which is no cell{hint}")
        if name in used or target is not None or part in (*INPUT_NAMES, "database"):
            continue
        for key in section:
            if hint := suggestion(key, ["Input"]):
                raise section.raw(key).error(f"unknown property{hint}")
        if "Type" in section:
            raise error_at(section.origin, name, "a cell needs an Input, such as Input=sp")
        raise error_at(section.origin, name, "no cell, and nothing refers to it")
