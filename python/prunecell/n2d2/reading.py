"""A cell's properties as the builders of layers ask for them, and what nobody asked for.

What a builder asks for is what its layer accepts: a property that was written and never asked for
is unknown, unless it is on the list of those that only matter to the reference's own runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prunecell.config import ConfigError, IniFile, Section, Value
from prunecell.config.budget import Budget
from prunecell.config.errors import error_at, shorten, suggestion
from prunecell.n2d2.keys import refusal, without_meaning


class CellSection:
    """One cell: its own properties over those of its config sections."""

    def __init__(self, ini: IniFile, section: Section, budget: Budget) -> None:
        self.name: str = section.name
        self.configs: tuple[str, ...] = ()
        self.asked: set[str] = set()
        self._ini = ini
        self._section = section
        self._budget = budget
        # Of two config sections the last named wins, and the cell itself over both: what load_ini
        # does with the parameters of the pruner.
        self._source: dict[str, Section] = {}
        for config in self._config_sections():
            self._source.update(dict.fromkeys(config, config))
        self._source.update(dict.fromkeys(section, section))

    def __contains__(self, key: str) -> bool:
        self.asked.add(key)
        return key in self._source

    def get(self, key: str) -> Value | None:
        """The value of `key`, or None where it is not written."""
        return self.read(key) if key in self else None

    def read(self, key: str, example: str = "") -> Value:
        """The value of `key`; an error at the section's header where it is not written."""
        if key not in self:
            for written in self._unread():
                if near := suggestion(written, [key]):
                    raise self.raw(written).error(f"unknown property{near}")
            raise self.error(f"no {key}" + (f"; write {key}={example}" if example else ""))
        source = self._source[key]
        value = source.read(key, seen_from=self._section, budget=self._budget)
        value.section = self.name
        return value

    def first(self, *keys: str) -> str | None:
        """Which of `keys` is written, or None; they say the same thing and exclude each other."""
        written = [key for key in dict.fromkeys(keys) if key in self]
        if len(written) > 1:
            raise self.raw(written[1]).error(f"say it once: {written[0]} is given as well")
        return written[0] if written else None

    def raw(self, key: str) -> Value:
        """The value as written, for errors about the key itself."""
        value = self._source[key].raw(key)
        value.section = self.name
        return value

    def __iter__(self) -> Iterator[str]:
        """All properties that the cell sees, its config sections' too."""
        return iter(self._source)

    def error(self, reason: str) -> ConfigError:
        """A ConfigError at the header of the section."""
        return error_at(self._section.origin, self.name, reason)

    def check_all_read(self, kind: str) -> None:
        """Refuses what is written in the cell itself and that `kind` has no meaning for."""
        for key in self._unread():
            if self._source[key] is self._section:
                raise self.raw(key).error(unknown(key, f"Type={kind}", self.asked))

    def _unread(self) -> list[str]:
        return [key for key in self._source if key not in self.asked and not without_meaning(key)]

    def _config_sections(self) -> list[Section]:
        key = "ConfigSection"
        if any(name.startswith("ConfigSection(") for name in self._section):
            # For one model of computation only: ConfigSection(Frame_CUDA)=...
            holder = self._section if "Model" in self._section else self._ini[""]
            model = holder.get("Model" if holder is self._section else "DefaultModel")
            if f"ConfigSection({model or 'Transcode'})" in self._section:
                key = f"ConfigSection({model or 'Transcode'})"
        if key not in self._section:
            return []
        value = self._section.read(key, budget=self._budget)
        for name in value.words(","):
            if name not in self._ini:
                raise value.error(f"no section [{name}]{suggestion(name, self._ini)}")
            self._budget.charge(4 * len(self._ini[name]), value.origin, self.name)
        self.configs = tuple(value.words(","))
        return [self._ini[name] for name in self.configs]


def check_configs(ini: IniFile, cells: Iterable[CellSection]) -> None:
    """Refuses what a config section says and none of the cells that use it understands."""
    users: dict[str, list[CellSection]] = {}
    for cell in cells:
        for name in cell.configs:
            users.setdefault(name, []).append(cell)
    for name, around in users.items():
        asked = set().union(*(cell.asked for cell in around))
        for key in ini[name]:
            if key not in asked and not without_meaning(key):
                whom = ", ".join(f"[{cell.name}]" for cell in around[:5])
                raise ini[name].raw(key).error(unknown(key, f"the cells {whom}", asked))


def unknown(key: str, whom: str, accepted: Iterable[str]) -> str:
    """What to say of a property that has no meaning for `whom`."""
    reason = refusal(key)
    if reason is not None:
        return reason
    words = sorted(accepted)
    return f"unknown to {whom}{suggestion(key, words)}; accepted are {', '.join(words)}"


def check_outputs(cell: CellSection, outputs: int) -> None:
    """NbOutputs of a cell whose number of outputs its inputs decide; it may be left out."""
    value = cell.get("NbOutputs")
    if value is not None and value.integer() != outputs:
        raise value.error(f"expected {outputs}, the channels that arrive, got {shorten(value)}")
