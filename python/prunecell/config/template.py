"""The template language of `[name@file.ini.tpl]`.

`{{VAR}}` is replaced by a parameter; `{% ... %}` controls are if / else / endif, for / endfor,
block / endblock, set / endset and include. A template is parsed to a tree, and the tree is rendered
to lines that remember where in the template they were written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..limits import MAX_TEMPLATE_DEPTH
from .errors import Origin, error_at, shorten, suggestion
from .files import Source
from .lexer import WHITESPACE, PhysicalLine
from .template_nodes import (
    Block,
    Body,
    For,
    If,
    Node,
    Output,
    Parameters,
    Set,
    Text,
    Variable,
    Work,
)

# (origin of the including control, name as written) -> the template
Opener = Callable[[Origin, str], Source]


@dataclass(frozen=True)
class _Token:
    kind: str  # "text", "variable" or "control"
    text: str
    origin: Origin


def _tokens(text: str, start: Origin) -> Iterator[_Token]:
    """Splits a template at `{% %}` first and the text between at `{{ }}`, as the reference does."""
    position = 0
    origin = start
    while position < len(text):
        opening = text.find("{%", position)
        code = text[position : opening if opening >= 0 else len(text)]
        yield from _code_tokens(code, origin)
        if opening < 0:
            return
        origin = _advanced(origin, code)
        closing = text.find("%}", opening + 2)
        if closing < 0:
            raise error_at(origin, None, "a template control {% without its %}")
        control = text[opening + 2 : closing]
        yield _Token("control", control, origin)
        origin = _advanced(origin, control)
        position = closing + 2


def _code_tokens(code: str, origin: Origin) -> Iterator[_Token]:
    position = 0
    while position < len(code):
        opening = code.find("{{", position)
        literal = code[position : opening if opening >= 0 else len(code)]
        if literal:
            yield _Token("text", literal, origin)
        if opening < 0:
            return
        origin = _advanced(origin, literal)
        closing = code.find("}}", opening + 2)
        if closing < 0:
            raise error_at(origin, None, "a template variable {{ without its }}")
        name = code[opening + 2 : closing]
        yield _Token("variable", name.strip(WHITESPACE), origin)
        origin = _advanced(origin, name)
        position = closing + 2


def _advanced(origin: Origin, text: str) -> Origin:
    return origin._replace(line=origin.line + text.count("\n"))


class _Parser:
    _ENDS = ("else", "endif", "endfor", "endblock", "endset")
    _CONTROLS = ("if", "for", "block", "set", "include")

    def __init__(self, open_template: Opener, work: Work) -> None:
        self._open = open_template
        self._work = work
        self._depth = 0
        self._included: list[Source] = []  # outermost first

    def parse_file(self, source: Source, via: str) -> Body:
        origin = Origin(source.shown, 1, via)
        self._included.append(source)
        tokens = _tokens(source.text, origin)
        body, end = self._body(tokens, origin, ())
        assert end is None  # without wanted ends, only the end of the text stops a body
        self._included.pop()
        return body

    def _body(
        self, tokens: Iterator[_Token], origin: Origin, ends: tuple[str, ...]
    ) -> tuple[Body, str | None]:
        """Nodes up to one of the controls `ends`, and which of them it was."""
        self._depth += 1
        if self._depth > MAX_TEMPLATE_DEPTH:
            raise error_at(origin, None, f"templates nested deeper than {MAX_TEMPLATE_DEPTH}")
        nodes: list[Node] = []
        for token in tokens:
            self._work.steps.charge(1, token.origin, None)
            if token.kind == "text":
                nodes.append(Text(token.origin, token.text))
            elif token.kind == "variable":
                nodes.append(Variable(token.origin, token.text))
            else:
                word, arguments = self._control(token)
                if word in self._ENDS:
                    if word not in ends:
                        raise error_at(token.origin, None, f"{{% {word} %}} does not belong here")
                    if arguments:
                        raise error_at(token.origin, None, f"{{% {word} %}} takes no arguments")
                    self._depth -= 1
                    return Body(origin, nodes), word
                nodes.append(self._nested(word, arguments, tokens, token.origin))
        if ends:
            raise error_at(origin, None, f"no {{% {ends[-1]} %}} for this control")
        self._depth -= 1
        return Body(origin, nodes), None

    def _control(self, token: _Token) -> tuple[str, list[str]]:
        words = [word for word in re.split(r"[ (),\t\n\v\f\r]", token.text) if word]
        if not words:
            raise error_at(token.origin, None, "an empty template control {% %}")
        word, *arguments = words
        legal = (*self._CONTROLS, *self._ENDS)
        if word not in legal:
            raise error_at(
                token.origin,
                None,
                f"unknown template control {shorten(word)}{suggestion(word, legal)}; "
                f"known are {', '.join(legal)}",
            )
        return word, arguments

    def _nested(
        self, word: str, arguments: list[str], tokens: Iterator[_Token], origin: Origin
    ) -> Node:
        if word == "include":
            self._check(len(arguments) == 1, origin, "{% include FILE %}")
            return self._include(arguments[0], origin)
        if word == "if":
            self._check(len(arguments) in (2, 3), origin, "{% if VAR OP [VALUE] %}")
            self._check(
                arguments[1] in If.OPERATORS, origin, f"one of {', '.join(If.OPERATORS)} in if"
            )
            then, end = self._body(tokens, origin, ("else", "endif"))
            other = Body(origin, [])
            if end == "else":
                other, _ = self._body(tokens, origin, ("endif",))
            return If(origin, arguments, then, other)
        if word == "for":
            right = len(arguments) in (4, 5) and arguments[1:3] == ["in", "range"]
            self._check(right, origin, "{% for VAR in range([START, ]END) %}")
            return For(
                origin, arguments[0], arguments[3:], self._body(tokens, origin, ("endfor",))[0]
            )
        self._check(len(arguments) == 1, origin, f"{{% {word} NAME %}}")
        body, _ = self._body(tokens, origin, ("end" + word,))
        node = Block if word == "block" else Set
        return node(origin, arguments[0], body)

    def _include(self, name: str, origin: Origin) -> Node:
        source = self._open(origin, name)
        check_cycle(source, self._included, origin, None)
        self._work.chars.charge(len(source.text), origin, None)
        return self.parse_file(source, origin.via)

    def _check(self, holds: bool, origin: Origin, expected: str) -> None:
        if not holds:
            raise error_at(origin, None, f"expected {expected}")


def check_cycle(
    source: Source, around: Sequence[Source], origin: Origin, section: str | None
) -> None:
    """Raises ConfigError, naming the cycle, if `source` is among `around`, the open templates."""
    identities = [each.identity for each in around]
    if source.identity in identities:
        cycle = [each.shown for each in around[identities.index(source.identity) :]]
        chain = " -> ".join([*cycle, source.shown])
        raise error_at(origin, section, f"templates use each other: {chain}")


def render(
    source: Source, parameters: Parameters, *, via: str, open_template: Opener, work: Work
) -> list[PhysicalLine]:
    """The lines of template `source` with `parameters` put in.

    `via` is added to messages about it, `open_template` opens what it includes, `work` bounds it
    together with the other templates of the file. Raises ConfigError.
    """
    # A large template used by many sections costs each time, whatever it renders.
    origin = Origin(source.shown, 1, via)
    work.chars.charge(len(source.text), origin, None)
    work.steps.charge(1 + len(parameters), origin, None)
    body = _Parser(open_template, work).parse_file(source, via)
    output = Output(work)
    body.render(output, dict(parameters))
    return list(output.lines())
