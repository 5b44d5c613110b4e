"""The tree of a parsed template, and how each part of it is rendered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..limits import MAX_TEMPLATE_CHARS, MAX_TEMPLATE_STEPS
from .budget import Budget
from .errors import Origin, error_at, shorten, suggestion
from .lexer import WHITESPACE, PhysicalLine

Parameters = dict[str, str]


class Work:
    """The budgets of all templates of one INI file together."""

    def __init__(self) -> None:
        self.chars: Budget = Budget(MAX_TEMPLATE_CHARS, "the templates expand to too much text")
        self.steps: Budget = Budget(MAX_TEMPLATE_STEPS, "the templates take too many steps")


@dataclass
class Output:
    """Rendered pieces, each with its place. `literal` pieces advance line by line."""

    work: Work
    pieces: list[tuple[str, Origin, bool]] = field(default_factory=list)

    def write(self, text: str, origin: Origin, *, literal: bool) -> None:
        """Adds a piece. Raises ConfigError when the templates together exceed their budget."""
        self.work.chars.charge(len(text), origin, None)
        self.pieces.append((text, origin, literal))

    def lines(self) -> Iterator[PhysicalLine]:
        """The pieces cut into lines; a line stands where its first character comes from."""
        line: list[str] = []
        start: Origin | None = None
        for text, origin, literal in self.pieces:
            for number, part in enumerate(text.split("\n")):
                here = origin._replace(line=origin.line + number) if literal else origin
                if number:
                    yield start or here, "".join(line)
                    line, start = [], None
                if part:
                    start = start or here
                    line.append(part)
        if line and start is not None:
            yield start, "".join(line)


class Node:
    """A part of a template; `origin` is where it begins."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin

    def render(self, output: Output, parameters: Parameters) -> None:
        """Writes to `output`, with `parameters` put in; may change them for what follows."""
        raise NotImplementedError


class Text(Node):
    """Text outside of `{{ }}` and `{% %}`."""

    def __init__(self, origin: Origin, text: str) -> None:
        super().__init__(origin)
        self._text = text

    def render(self, output: Output, parameters: Parameters) -> None:
        """Writes the text."""
        output.write(self._text, self.origin, literal=True)


class Variable(Node):
    """`{{VAR}}`."""

    def __init__(self, origin: Origin, name: str) -> None:
        super().__init__(origin)
        self._name = name

    def render(self, output: Output, parameters: Parameters) -> None:
        """Writes the value of the parameter."""
        output.write(_lookup(self._name, parameters, self.origin), self.origin, literal=False)


class Body(Node):
    """Nodes one after the other."""

    def __init__(self, origin: Origin, nodes: list[Node]) -> None:
        super().__init__(origin)
        self._nodes = nodes

    def render(self, output: Output, parameters: Parameters) -> None:
        """Renders all, in order."""
        output.work.steps.charge(1 + len(self._nodes), self.origin, None)
        for node in self._nodes:
            node.render(output, parameters)


class If(Node):
    """`{% if VAR OP [VALUE] %}` with an optional else."""

    OPERATORS = ("==", "!=", "exists", "not_exists")

    def __init__(self, origin: Origin, arguments: Sequence[str], then: Body, other: Body) -> None:
        super().__init__(origin)
        self._name, self._operator, *rest = arguments
        self._value = rest[0] if rest else ""
        self._then = then
        self._other = other

    def render(self, output: Output, parameters: Parameters) -> None:
        """Renders the part that holds."""
        if self._operator in ("exists", "not_exists"):
            holds = (self._name in parameters) == (self._operator == "exists")
        else:
            equal = _lookup(self._name, parameters, self.origin) == self._value
            holds = equal == (self._operator == "==")
        (self._then if holds else self._other).render(output, parameters)


class For(Node):
    """`{% for VAR in range([START, ]END) %}`; the bounds are numbers or names of parameters."""

    def __init__(self, origin: Origin, name: str, bounds: Sequence[str], body: Body) -> None:
        super().__init__(origin)
        self._name = name
        self._bounds = bounds
        self._body = body

    def render(self, output: Output, parameters: Parameters) -> None:
        """Renders the body once per number."""
        if self._name in parameters:
            raise error_at(
                self.origin, None, f"the loop variable {shorten(self._name)} already has a value"
            )
        *start, stop = [self._bound(bound, parameters) for bound in self._bounds]
        number = start[0] if start else 0.0
        while number < stop:
            output.work.steps.charge(1, self.origin, None)
            parameters[self._name] = f"{number:.15g}"
            self._body.render(output, parameters)
            number += 1.0
        parameters.pop(self._name, None)

    def _bound(self, text: str, parameters: Parameters) -> float:
        value = parameters.get(text, text).strip(WHITESPACE)
        if not re.fullmatch(r"[+-]?[0-9]{1,15}(\.[0-9]{0,15})?", value):
            raise error_at(self.origin, None, f"range() takes numbers, got {shorten(value)}")
        return float(value)


class Block(Node):
    """`{% block ARRAY %}`: once per item, with `#` the index and `.KEY` for `ARRAY[i].KEY`."""

    def __init__(self, origin: Origin, name: str, body: Body) -> None:
        super().__init__(origin)
        self._name = name
        self._body = body

    def render(self, output: Output, parameters: Parameters) -> None:
        """Renders the body once per item."""
        text = _lookup(self._name, parameters, self.origin).strip(WHITESPACE)
        if not re.fullmatch(r"\+?[0-9]{1,9}", text):
            raise error_at(
                self.origin,
                None,
                f"a block needs {self._name} to be its number of items, got {shorten(text)}",
            )
        for index in range(int(text)):
            output.work.steps.charge(1 + len(parameters), self.origin, None)
            prefix = f"{self._name}[{index}]"
            inner = dict(parameters)
            inner["#"] = str(index)
            for key, value in parameters.items():
                if key.startswith(prefix):
                    inner[key[len(prefix) :]] = value
            self._body.render(output, inner)


class Set(Node):
    """`{% set VAR %}text{% endset %}`: the rendered text becomes a parameter from here on."""

    def __init__(self, origin: Origin, name: str, body: Body) -> None:
        super().__init__(origin)
        self._name = name
        self._body = body

    def render(self, output: Output, parameters: Parameters) -> None:
        """Renders the body into the parameter."""
        inner = Output(output.work)
        self._body.render(inner, parameters)
        parameters[self._name] = "".join(text for text, _, _ in inner.pieces)


def _lookup(name: str, parameters: Parameters, origin: Origin) -> str:
    if name not in parameters:
        raise error_at(
            origin,
            None,
            f"the template parameter {shorten(name)} has no value{suggestion(name, parameters)}",
        )
    return parameters[name]
