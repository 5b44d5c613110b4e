"""A cell's properties as the builders of layers read them, and properties that none reads.

A layer accepts the properties that its builder asks for. A property that is written and never asked
for is unknown, unless it only matters to the reference's own runs.
"""

from __future__ import annotations

from collections.abc import Iterable

from prunecell.config import ConfigError, IniFile, Section, Value
from prunecell.config.budget import Budget
from prunecell.config.cell import CellProperties
from prunecell.config.errors import error_at, shorten, suggestion
from prunecell.n2d2.keys import refusal, without_meaning


class CellSection(CellProperties):
    """The properties of one cell; `asked` are the keys that were asked for."""

    def __init__(self, ini: IniFile, section: Section, budget: Budget) -> None:
        super().__init__(ini, section, budget, lenient=False)
        self.asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        self.asked.add(key)
        return key in self._source

    def get(self, key: str) -> Value | None:
        """The value of `key`, or None where it is not written."""
        return self.read(key) if key in self else None

    def read(self, key: str, example: str = "") -> Value:
        """The value of `key`. Raises ConfigError, with `example`, where it is not written."""
        if key not in self:
            for written in self._unread():
                if near := suggestion(written, [key]):
                    raise self.raw(written).error(f"unknown property{near}")
            raise self.error(f"no {key}" + (f"; write {key}={example}" if example else ""))
        return super().read(key)

    def first(self, *keys: str) -> str | None:
        """The key of `keys` that is written, or None; they mean the same and exclude each other."""
        written = [key for key in dict.fromkeys(keys) if key in self]
        if len(written) > 1:
            raise self.raw(written[1]).error(f"say it once: {written[0]} is given as well")
        return written[0] if written else None

    def error(self, reason: str) -> ConfigError:
        """A ConfigError at the header of the section."""
        return error_at(self._section.origin, self.name, reason)

    def check_all_read(self, kind: str) -> None:
        """Refuses properties of the cell itself that have no meaning for `kind`."""
        for key in self._unread():
            if self.own(key):
                raise self.raw(key).error(unknown(key, f"Type={kind}", self.asked))

    def _unread(self) -> list[str]:
        return [key for key in self if key not in self.asked and not without_meaning(key)]


def check_configs(ini: IniFile, cells: Iterable[CellSection]) -> None:
    """Refuses properties of config sections that have no meaning for any cell that uses them."""
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
    """The message about a property that has no meaning for `whom`."""
    reason = refusal(key)
    if reason is not None:
        return reason
    words = sorted(accepted)
    return f"unknown to {whom}{suggestion(key, words)}; accepted are {', '.join(words)}"


def check_outputs(cell: CellSection, outputs: int) -> None:
    """Refuses an NbOutputs other than `outputs`, where the inputs decide; it may be left out."""
    value = cell.get("NbOutputs")
    if value is not None and value.integer() != outputs:
        raise value.error(f"expected {outputs}, the channels that arrive, got {shorten(value)}")
