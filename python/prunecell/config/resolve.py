"""References inside values: `[section]Key`, `${NAME}` and `$(expression)`, replaced in that order.

One Resolver serves one reading of one value. Each entry is resolved at most once, cycles and depth
are found by the chain of entries being resolved, and the text built is charged to a budget.
"""

from __future__ import annotations

from ..limits import MAX_NAME_CHARS, MAX_REFERENCE_DEPTH, MAX_VALUE_CHARS
from .arithmetic import ExpressionError
from .budget import Budget
from .errors import ConfigError, Origin, error_at, shorten, suggestion
from .expression import evaluate
from .lexer import WHITESPACE
from .store import PARENT_KEY, Entry, Store, WrittenSection

# Characters at which a key may end, beside white space: tried where the section has no property of
# the longer name, so that $([a]X) and $([a]X*2) work without a space (errors in the reference).
_EARLIER_ENDS = set("),;*/%+-<>=!")


class Resolver:
    """Resolves entries as seen from one section, which decides what `${NAME}` means."""

    def __init__(self, store: Store, seen_from: WrittenSection, budget: Budget) -> None:
        self._store = store
        self._seen_from = seen_from
        self._budget = budget
        self._known: dict[tuple[str, str], str] = {}
        self._chain: list[tuple[str, str]] = []

    def resolve(self, owner: WrittenSection, key: str) -> str:
        """The text of property `key` of `owner`. Raises ConfigError."""
        entry = owner.entries[key]
        step = (owner.name, key)
        if step in self._known:
            return self._known[step]
        # Most values refer to nothing.
        if "[" not in entry.text and "$" not in entry.text:
            return entry.text
        if step in self._chain:
            cycle = [*self._chain[self._chain.index(step) :], step]
            names = " -> ".join(f"[{section}]{name}" for section, name in cycle)
            raise error_at(entry.origin, owner.name, f"values refer to each other: {names}")
        if len(self._chain) >= MAX_REFERENCE_DEPTH:
            raise error_at(
                entry.origin, owner.name, f"references nested deeper than {MAX_REFERENCE_DEPTH}"
            )
        self._chain.append(step)
        try:
            text = self._references(entry.text, entry, owner)
            text = self._variables(text, entry, owner)
            text = self._expressions(text, entry, owner)
        except RecursionError:
            raise error_at(entry.origin, owner.name, "references nested too deeply") from None
        self._chain.pop()
        self._known[step] = text
        return text

    def _joined(self, pieces: list[str], entry: Entry, owner: WrittenSection) -> str:
        size = sum(map(len, pieces))
        self._budget.charge(size, entry.origin, owner.name)
        if size > MAX_VALUE_CHARS:
            raise error_at(
                entry.origin,
                owner.name,
                f"this value expands to more than {MAX_VALUE_CHARS:,} characters",
            )
        return "".join(pieces)

    def _references(self, text: str, entry: Entry, owner: WrittenSection) -> str:
        """Replaces `[section]Key`; brackets around anything but a section's name stay."""
        pieces: list[str] = []
        position = 0
        while (opening := text.find("[", position)) >= 0:
            pieces.append(text[position:opening])
            closing = text.find("]", opening, opening + MAX_NAME_CHARS + 2)
            section = self._store.sections.get(text[opening + 1 : closing]) if closing > 0 else None
            if section is None:
                self._budget.charge(max(1, closing - opening), entry.origin, owner.name)
                pieces.append("[")
                position = opening + 1
                continue
            key, position = self._key(text, closing + 1, section, entry, owner)
            pieces.append(self.resolve(section, key))
        if not pieces:
            return text
        pieces.append(text[position:])
        return self._joined(pieces, entry, owner)

    def _key(
        self, text: str, start: int, section: WrittenSection, entry: Entry, owner: WrittenSection
    ) -> tuple[str, int]:
        """The key of `section` that stands at `start`, and where it ends."""
        limit = min(len(text), start + MAX_NAME_CHARS + 1)
        end = start
        while end < limit and text[end] not in WHITESPACE:
            end += 1
        self._budget.charge(end - start, entry.origin, owner.name)
        written = text[start:end]
        if written in section.entries:
            return written, end
        for stop in range(end - 1, start, -1):
            if text[stop] in _EARLIER_ENDS and text[start:stop] in section.entries:
                return text[start:stop], stop
        name = written.rstrip(")")
        reason = f"[{section.name}]{shorten(name)[1:-1]} is not in the file"
        if name.startswith("_"):
            reason += "; only a running network knows it (IniFile.supply gives it a value)"
        else:
            reason += suggestion(name, section.entries)
        raise error_at(entry.origin, owner.name, reason)

    def _variables(self, text: str, entry: Entry, owner: WrittenSection) -> str:
        """Replaces `${NAME}`; an undefined name stays as it is written."""
        pieces: list[str] = []
        position = 0
        while (opening := text.find("${", position)) >= 0:
            closing = text.find("}", opening + 2)
            if closing < 0:
                raise error_at(entry.origin, owner.name, f"a ${{ without its }} in {shorten(text)}")
            pieces.append(text[position:opening])
            name = text[opening + 2 : closing]
            value = self._variable(name, owner) if len(name) < MAX_NAME_CHARS else None
            pieces.append(text[opening : closing + 1] if value is None else value)
            position = closing + 1
        if not pieces:
            return text
        pieces.append(text[position:])
        return self._joined(pieces, entry, owner)

    def _variable(self, name: str, owner: WrittenSection) -> str | None:
        if name == "SECTION_NAME":
            return self._seen_from.name
        if name == "PREV_SECTION_NAME":
            return self._previous()
        key = "$" + name
        # The section that reads comes first, also for a value it reads elsewhere: so an inherited
        # value and a referenced one see the same variables. The owner's come last, where the
        # reference would leave the name as it is.
        for section in (self._seen_from, self._store.sections[""], owner):
            if key in section.entries:
                return self.resolve(section, key)
        return self._store.variables.get(name)

    def _previous(self) -> str:
        """The section before the reading section, except the section whose template made it."""
        order = self._store.order
        before = self._seen_from.position - 1
        parent = self._seen_from.entries.get(PARENT_KEY)
        if parent is not None and parent.text == order[before]:
            before -= 1
        return order[before] if before >= 0 else ""

    def _expressions(self, text: str, entry: Entry, owner: WrittenSection) -> str:
        """Replaces `$(...)` by the result of its arithmetic."""
        pieces: list[str] = []
        position = 0
        while (opening := text.find("$(", position)) >= 0:
            closing = _matching(text, opening + 1)
            if closing < 0:
                raise error_at(entry.origin, owner.name, f"a $( without its ) in {shorten(text)}")
            pieces.append(text[position:opening])
            expression = text[opening + 2 : closing]
            try:
                pieces.append(evaluate(expression))
            except ExpressionError as error:
                where = f"$({shorten(expression)[1:-1]})"
                raise error_at(entry.origin, owner.name, f"in {where}: {error}") from None
            position = closing + 1
        if not pieces:
            return text
        pieces.append(text[position:])
        return self._joined(pieces, entry, owner)


def _matching(text: str, opening: int) -> int:
    """The position at which the parenthesis at `opening` closes, or -1."""
    depth = 0
    for position in range(opening, len(text)):
        if text[position] == "(":
            depth += 1
        elif text[position] == ")":
            depth -= 1
            if depth == 0:
                return position
    return -1


def expand_path(text: str, store: Store, origin: Origin, section: str, budget: Budget) -> str:
    """`${NAME}` inside a template's path: the caller's variables, then the file's own.

    N2D2_MODELS, the reference's folder of models, means the INI file's folder unless it is given.
    Raises ConfigError for a name without a value (the reference puts in the environment's, or "").
    """
    top = store.sections[""]
    pieces: list[str] = []
    position = 0
    while (opening := text.find("${", position)) >= 0:
        closing = text.find("}", opening)
        if closing < 0:
            raise error_at(origin, section, f"a ${{ without its }} in {shorten(text)}")
        name = text[opening + 2 : closing]
        value = store.variables.get(name)
        if value is None and "$" + name in top.entries:
            value = Resolver(store, top, budget).resolve(top, "$" + name)
        if value is None and name == "N2D2_MODELS":
            value = "."
        if value is None:
            raise ConfigError(
                f"the template path {shorten(text)} needs {shorten('${' + name + '}')}: "
                "define it before the first section, or pass it in `variables`",
                file=origin.file,
                line=origin.line,
                section=section,
            )
        pieces += [text[position:opening], value]
        position = closing + 1
    return "".join([*pieces, text[position:]])
