"""A loaded INI file: sections in order, each a mapping from property to value.

A value is resolved when it is read: many files refer to numbers that only a running network
supplies (`[sp]_EpochSize`), and a property that is never read never stops a file from loading.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TypeVar, overload

from .budget import Budget, reading_budget
from .errors import ConfigError, MissingKeyError, Origin, suggestion
from .resolve import Resolver
from .store import Entry, Store, WrittenSection
from .values import Value

T = TypeVar("T")


class Section(Mapping[str, Value]):
    """One section. `section[key]` resolves references at that moment and may raise ConfigError.

    `name` is "" for the properties before the first header, `origin` is where the header stands,
    `bases` are the sections it inherits from, `template` the template it was given (or None),
    `parent` the section whose template made it (or None), `entries` the properties as written.
    """

    def __init__(self, store: Store, written: WrittenSection) -> None:
        self._store = store
        self._written = written
        self.name: str = written.name
        self.origin: Origin = written.origin
        self.bases: tuple[str, ...] = written.bases
        self.template: str | None = written.template
        self.parent: str | None = written.parent
        self.entries: dict[str, Entry] = written.entries

    def __getitem__(self, key: str) -> Value:
        return self.read(key)

    def __contains__(self, key: object) -> bool:
        # Nothing is resolved: Mapping's own test takes a property that cannot be read for missing.
        return key in self.entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"<Section [{self.name}] of {self._store.file}, {len(self)} properties>"

    @overload
    def get(self, key: str, default: None = None, /) -> Value | None: ...

    @overload
    def get(self, key: str, default: Value | T, /) -> Value | T: ...

    def get(self, key: str, default: object = None, /) -> object:
        """The value of `key`, or `default` where the section has no such property."""
        return self.read(key) if key in self.entries else default

    def raw(self, key: str) -> Value:
        """The value of `key` as written, with nothing resolved."""
        entry = self._entry(key)
        return Value(entry.text, origin=entry.origin, section=self.name, key=key, raw=entry.text)

    def read(
        self, key: str, *, seen_from: Section | None = None, budget: Budget | None = None
    ) -> Value:
        """The value of `key` with its references resolved.

        `seen_from` is the section that `${NAME}` is looked up in first, this one by default (a cell
        reading its ConfigSection passes itself). `budget` bounds several readings together.
        Raises MissingKeyError for a missing property, ConfigError when it cannot be resolved.
        """
        entry = self._entry(key)
        viewer = self if seen_from is None else seen_from
        resolver = Resolver(self._store, viewer._written, budget or reading_budget())
        text = resolver.resolve(self._written, key)
        return Value(text, origin=entry.origin, section=self.name, key=key, raw=entry.text)

    def _entry(self, key: str) -> Entry:
        if key not in self.entries:
            raise MissingKeyError(
                f'no property "{key}"{suggestion(key, self.entries)}',
                file=self.origin.file,
                line=self.origin.line,
                section=self.name,
            )
        return self.entries[key]


class IniFile(Mapping[str, Section]):
    """A loaded INI file: a mapping from section name to Section, in the file's order.

    The first section is "", the properties before any header. `file` is the path as given.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sections = {name: Section(store, store.sections[name]) for name in store.order}

    @property
    def file(self) -> str:
        """The path (or name) of the file, as it was given."""
        return self._store.file

    @property
    def sections(self) -> tuple[str, ...]:
        """All section names, in the order of the file."""
        return tuple(self._sections)

    def __getitem__(self, name: str) -> Section:
        if name not in self._sections:
            raise MissingKeyError(
                f"no section [{name}]{suggestion(name, self._sections)}",
                file=self._store.file,
            )
        return self._sections[name]

    def __contains__(self, name: object) -> bool:
        return name in self._sections

    def __iter__(self) -> Iterator[str]:
        return iter(self._sections)

    def __len__(self) -> int:
        return len(self._sections)

    def __repr__(self) -> str:
        return f"<IniFile {self.file}, {len(self)} sections>"

    def supply(self, section: str, key: str, value: object) -> None:
        """Gives `section` a property that is not in the file, or replaces it.

        It is meant for numbers that only a running network knows: `ini.supply("sp", "_EpochSize",
        60000)`. The text of `value` is taken as it is; sections that inherit from `section` do not
        get it. Raises MissingKeyError for a missing section, ConfigError for text with references.
        """
        text = str(value)
        if any(mark in text for mark in ("[", "${", "$(")):
            raise ConfigError(
                f"a supplied value must not hold references, got {text!r}", section=section
            )
        target = self[section]
        target.entries[key] = Entry(text, Origin(os.fspath(self.file), 0), section)
