"""Builds an IniFile from statements: duplicates, inheritance, and templates at their place."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from ..limits import MAX_FILE_BYTES, MAX_REPETITIONS, MAX_TEMPLATE_DEPTH
from ..shown import short_cycle
from .budget import loading_budget
from .errors import ConfigError, Origin, error_at, place, shorten, suggestion, warn_user
from .files import Folder, Source, read_main
from .inifile import IniFile
from .lexer import Header, PhysicalLine, Property, Statement, physical_lines, statements
from .resolve import Resolver, expand_path
from .store import PARENT_KEY, Entry, Store, WrittenSection
from .template import check_cycle, render
from .template_nodes import Work


def read(path: str | os.PathLike[str], *, variables: Mapping[str, str] | None = None) -> IniFile:
    """Reads the INI file at `path` with its templates.

    `variables` gives values to `${NAME}` that the file itself does not define. Templates are opened
    only inside the folder of `path`. Values are resolved when they are read, not here (except those
    handed to a template). Raises ConfigError for a file that breaks the rules, OSError for one that
    cannot be opened; warns with ConfigWarning about a property that is given twice.
    """
    name = os.fspath(path)
    folder = Folder(os.path.dirname(name) or ".")
    return _Reader(name, folder, variables).load(read_main(name))


def parse(
    text: str,
    *,
    name: str = "<text>",
    folder: str | os.PathLike[str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> IniFile:
    """Like read, for `text` that is no file; `name` stands for its path in messages.

    Templates come from `folder`, and are refused without one.
    """
    tree = None if folder is None else Folder(os.fspath(folder))
    return _Reader(name, tree, variables).load(text)


class _Reader:
    def __init__(
        self, file: str, folder: Folder | None, variables: Mapping[str, str] | None
    ) -> None:
        self._store = Store(file, dict(variables or {}))
        self._folder = folder
        self._work = Work()
        self._budget = loading_budget()
        self._repetitions = 0
        # Templates being expanded, outermost first, and the text of all that were opened.
        self._expanding: list[Source] = []
        self._opened: dict[str, Source] = {}

    def load(self, text: str) -> IniFile:
        file = self._store.file
        if len(text) > MAX_FILE_BYTES:
            raise ConfigError(f"longer than {MAX_FILE_BYTES:,} characters", file=file)
        self._store.add(WrittenSection("", Origin(file, 1)))
        self._feed(physical_lines(text, file), None)
        if self._repetitions > MAX_REPETITIONS:
            more = self._repetitions - MAX_REPETITIONS
            warn_user(f"{file}: {more:,} more properties are given twice; the last one counts")
        return IniFile(self._store)

    def _feed(self, lines: Iterable[PhysicalLine], parent: str | None) -> None:
        """Takes in all of `lines`, which the template of section `parent` made, if not None."""
        # The rest must be known to say of a missing base that it comes later.
        items = list(statements(lines))
        section = self._store.sections[""]
        for index, item in enumerate(items):
            if isinstance(item, Header):
                self._expand(section)
                section = self._begin(item, parent, items, index)
            else:
                self._set(section, item)
        self._expand(section)

    def _begin(
        self, header: Header, parent: str | None, items: Sequence[Statement], index: int
    ) -> WrittenSection:
        store = self._store
        known = store.sections.get(header.name)
        if known is not None:
            raise error_at(
                header.origin,
                header.name,
                f"the section exists already, see {place(known.origin)}",
            )
        section = WrittenSection(
            header.name,
            header.origin,
            bases=header.bases,
            template=header.template,
            parent=parent,
        )
        for base in header.bases:
            if base not in store.sections:
                raise error_at(
                    header.origin, header.name, _no_base(base, header, items[index:], store)
                )
            inherited = store.sections[base].entries
            store.count(len(inherited), header.origin, header.name)
            # The first base that has a property wins, and its own properties come on top.
            for key, entry in inherited.items():
                section.entries.setdefault(key, entry)
        store.count(1, header.origin, header.name)
        if parent is not None:
            section.entries[PARENT_KEY] = Entry(parent, header.origin, header.name)
        store.add(section)
        return section

    def _set(self, section: WrittenSection, item: Property) -> None:
        before = section.entries.get(item.key)
        # Overriding what a base says is what inheritance is for; only a repetition is suspicious.
        if before is not None and before.section == section.name:
            self._repetitions += 1
        if before is None:
            self._store.count(1, item.origin, section.name)
        elif before.section == section.name and self._repetitions <= MAX_REPETITIONS:
            shown = f"[{section.name}]" if section.name else "the part before the first section"
            warn_user(
                f"{place(item.origin)}: {item.key} is given twice in {shown}; the last one counts "
                f"(the other is at {place(before.origin)}){item.origin.via}"
            )
        section.entries[item.key] = Entry(item.value, item.origin, section.name)

    def _expand(self, section: WrittenSection) -> None:
        """Reads the sections that `section`'s template makes of its properties."""
        if section.template is None:
            return
        origin = section.origin
        path = expand_path(section.template, self._store, origin, section.name, self._budget)
        source = self._open(origin, path, section.name)
        check_cycle(source, self._expanding, origin, section.name)
        if len(self._expanding) >= MAX_TEMPLATE_DEPTH:
            raise error_at(
                origin, section.name, f"templates nested deeper than {MAX_TEMPLATE_DEPTH}"
            )
        parameters = {"SECTION_NAME": section.name, "SECTION_FILE_NAME": source.shown}
        for key in section.entries:
            if key in parameters:
                raise error_at(
                    section.entries[key].origin,
                    section.name,
                    f"{key} is given to every template and cannot be set",
                )
        for key in section.entries:
            resolver = Resolver(self._store, section, self._budget)
            parameters[key] = resolver.resolve(section, key)
        via = f" (in the template of [{section.name}], {place(origin)}{origin.via})"
        self._expanding.append(source)
        lines = render(
            source,
            parameters,
            via=via,
            open_template=lambda at, name: self._open(at, name, section.name),
            work=self._work,
        )
        self._feed(lines, section.name)
        self._expanding.pop()

    def _open(self, origin: Origin, path: str, section: str) -> Source:
        if self._folder is None:
            raise error_at(origin, section, f"no folder to take the template {shorten(path)} from")
        if path not in self._opened:
            self._opened[path] = self._folder.read(path, origin, section)
        return self._opened[path]


def _no_base(base: str, header: Header, rest: Sequence[Statement], store: Store) -> str:
    """Why section `header` cannot inherit from `base`."""
    later = {item.name: item for item in rest if isinstance(item, Header)}
    cycle = short_cycle(_cycle(header.name, later))
    if base == header.name:
        return f"the section inherits from itself: [{base}] -> [{base}]"
    if base in later and cycle:
        return "sections inherit from each other: " + " -> ".join(f"[{name}]" for name in cycle)
    if base in later:
        return (
            f"inherits from [{base}], which comes later, at {place(later[base].origin)}; "
            "move it before this section"
        )
    return f"inherits from [{base}], which does not exist{suggestion(base, store.sections)}"


def _cycle(name: str, headers: Mapping[str, Header]) -> list[str]:
    """The shortest chain of bases from `name` back to it, or [] if there is none."""
    heir: dict[str, str] = {}  # base -> the section on the way to it
    queue = [name]
    for section in queue:
        for base in headers[section].bases:
            if base in headers and base not in heir:
                heir[base] = section
                queue.append(base)
    if name not in heir:
        return []
    chain = [name, heir[name]]
    while chain[-1] != name:
        chain.append(heir[chain[-1]])
    return chain[::-1]
