"""The properties of a cell: its own, over those of the sections that its ConfigSection names."""

from __future__ import annotations

from collections.abc import Iterator

from .budget import Budget
from .errors import suggestion
from .inifile import IniFile, Section
from .values import Value

_KEY = "ConfigSection"
_DEFAULT_MODEL = "Transcode"


class CellProperties:
    """The properties of one cell.

    The cell's own win over those of its config sections; of these, the last named wins.

    Attributes:
        name: The name of the cell's section.
        configs: The names of its config sections, the weakest first.
    """

    def __init__(self, ini: IniFile, section: Section, budget: Budget, *, lenient: bool) -> None:
        """Finds the properties of `section`, resolving ConfigSection and nothing else.

        Args:
            ini: The file.
            section: The section of the cell.
            budget: The budget of this and all later readings.
            lenient: Whether the names of sections that do not exist are left out.

        Raises:
            ConfigError: ConfigSection cannot be resolved, or names a section that does not exist.
        """
        self.name: str = section.name
        self.configs: tuple[str, ...] = _configs(ini, section, budget, lenient=lenient)
        self._section = section
        self._budget = budget
        self._source: dict[str, Section] = {}
        for source in [*(ini[name] for name in self.configs), section]:
            self._source.update(dict.fromkeys(source, source))

    def __contains__(self, key: str) -> bool:
        return key in self._source

    def __iter__(self) -> Iterator[str]:
        return iter(self._source)

    def own(self, key: str) -> bool:
        """Whether the value of `key` is the cell's own and not that of a config section."""
        return self._source[key] is self._section

    def raw(self, key: str) -> Value:
        """The value of `key` as written, for errors about the key itself."""
        return self._of_cell(self._source[key].raw(key))

    def read(self, key: str) -> Value:
        """The value of `key`, with `${NAME}` as the cell sees it. Raises ConfigError."""
        source = self._source[key]
        return self._of_cell(source.read(key, seen_from=self._section, budget=self._budget))

    def _of_cell(self, value: Value) -> Value:
        value.section = self.name
        return value


def _configs(ini: IniFile, section: Section, budget: Budget, *, lenient: bool) -> tuple[str, ...]:
    key = _KEY
    if any(name.startswith(f"{_KEY}(") for name in section):
        # ConfigSection(Frame_CUDA) holds for one model of computation only.
        holder = section if "Model" in section else ini[""]
        model = holder.get("Model" if holder is section else "DefaultModel") or _DEFAULT_MODEL
        if f"{_KEY}({model})" in section:
            key = f"{_KEY}({model})"
    if key not in section:
        return ()
    value = section.read(key, budget=budget)
    found = []
    for name in value.words(","):
        if name in ini:
            # Each cell copies the keys of its config sections, and a hostile file has many cells.
            budget.charge(4 * len(ini[name]), value.origin, section.name)
            found.append(name)
        elif not lenient:
            raise value.error(f"no section [{name}]{suggestion(name, ini)}")
    return tuple(found)
