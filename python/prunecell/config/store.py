"""An INI file as written: sections in order, each with its properties as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..limits import MAX_PROPERTIES
from .errors import Origin, error_at

# Key that the reference reserves for the section whose template made this section.
PARENT_KEY = "$PARENT_SECTION_NAME"


@dataclass(frozen=True)
class Entry:
    """One property as written in `section`; sections that inherit it have the same Entry."""

    text: str
    origin: Origin
    section: str


@dataclass
class WrittenSection:
    """One section as written; `position` is its number in the file.

    `name` is "" for the properties before the first header, `origin` is where the header stands,
    `bases` are the sections it inherits from, `template` the template it was given (or None),
    `parent` the section whose template made it (or None), `entries` the properties.
    """

    name: str
    origin: Origin
    bases: tuple[str, ...] = ()
    template: str | None = None
    parent: str | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    position: int = 0


@dataclass
class Store:
    """The sections of one file, and the variables that its caller defines."""

    file: str
    variables: Mapping[str, str]
    sections: dict[str, WrittenSection] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    properties: int = 0

    def add(self, section: WrittenSection) -> None:
        """Appends `section`, whose name must be new."""
        section.position = len(self.order)
        self.sections[section.name] = section
        self.order.append(section.name)

    def count(self, amount: int, origin: Origin, section: str) -> None:
        """Notes `amount` more properties or sections; ConfigError when there are too many."""
        self.properties += amount
        if self.properties > MAX_PROPERTIES:
            raise error_at(origin, section, f"more than {MAX_PROPERTIES:,} properties and sections")
