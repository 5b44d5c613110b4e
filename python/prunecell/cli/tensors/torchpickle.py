"""The cost of a pickle in torch's restricted unpickler, added up before that runs.

The unpickler runs nothing foreign, but takes the time and the memory that a pickle asks for.
Hashing a tuple, for example, visits its items at every reference: 60 tuples, each holding the one
before it twice, make 2**60 visits. Here the instructions are followed with a node in the place of
each value, and the values that torch visits whole are counted: keys, arguments and states.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO, Any, ClassVar

from prunecell.cli.tensors.torchcalls import (
    FROM_TYPE,
    Dict,
    Made,
    Name,
    Tuple,
    UnfitPickleError,
    elements,
    foreign,
    hashed,
)
from prunecell.limits import (
    FREE_BYTES,
    MAX_NESTING,
    MAX_PICKLE_STEPS,
    MAX_PICKLE_VISITS,
    MAX_REPEATED,
)

_CHARS = 16  # characters of a text that count as one visit
_MET = 8  # keys of equal hash that a table compares in the time of one visit


class Costs:
    """The cost of the pickles of a file of `size` bytes, which raises when it is too high."""

    def __init__(self, size: int) -> None:
        self._steps_left, self._visits_left = MAX_PICKLE_STEPS, MAX_PICKLE_VISITS
        self._elements_left = MAX_REPEATED * size + FREE_BYTES
        self._unspread = 0  # keys whose hash a file can choose
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def follow(self, pickle: IO[bytes]) -> Any:
        """The node of the next pickle's value; leaves the file behind the pickle.

        Raises:
            UnfitPickleError: The pickle asks for more time or memory than a file of tensors needs.
            Exception: There is no pickle, or torch would not read it.
        """
        self._stack, self._marked, self._memo = [], [], {}
        for code, value, _ in pickletools.genops(pickle):
            self._steps_left -= 1
            if self._steps_left < 0:
                what = f"at most {MAX_PICKLE_STEPS} steps in a pickle"
                raise UnfitPickleError(f"expected {what}, got more")
            step = self._STEPS.get(code.name)
            if step is None:
                raise ValueError(f"a pickle with {code.name}, which torch does not write")
            step(self, value)
        return self._stack.pop()

    def visit(self, node: Any, depth: int = 0) -> None:
        """Counts all values in a node, at each reference."""
        self._count(1 + len(node) // _CHARS if isinstance(node, str) else 1)
        if isinstance(node, list):
            if depth == MAX_NESTING:  # hash() of deeper tuples may overflow the C stack
                what = f"keys and arguments that are nested at most {MAX_NESTING} deep"
                raise UnfitPickleError(f"expected {what}, got deeper ones")
            if type(node) is Made:
                self._count_elements(elements(node))
            for one in node:
                self.visit(one, depth + 1)

    def visit_keys(self, keys: list[Any]) -> None:
        """Counts keys as `visit` does, and the comparisons of keys whose hash a file can choose."""
        for key in keys:
            before = self._visits_left
            self.visit(key)
            if isinstance(key, (float, list)) or (isinstance(key, int) and key.bit_length() > 32):
                self._unspread += 1
                self._count((before - self._visits_left) * self._unspread // _MET)

    def _count(self, visits: int) -> None:
        self._visits_left -= visits
        if self._visits_left < 0:
            what = f"at most {MAX_PICKLE_VISITS} values in keys and arguments"
            raise UnfitPickleError(
                f"expected {what}, each counted wherever it is referred to, got more"
            )

    def _count_elements(self, number: int) -> None:
        self._elements_left -= number
        if self._elements_left < 0:
            most = f"{MAX_REPEATED} elements in arguments for each byte of the file"
            raise UnfitPickleError(f"expected at most {most}, got more")

    def _mark(self) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _from_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marked.pop()
        return items

    def _last(self, size: int) -> list[Any]:
        items = self._stack[-size:]
        del self._stack[-size:]
        return items

    def _add(self, items: list[Any], *kinds: type) -> None:
        if type(self._stack[-1]) not in kinds:
            raise ValueError("a pickle that adds to what takes nothing")
        self._stack[-1].extend(items)

    def _set(self, items: list[Any]) -> None:
        self.visit_keys(items[::2])
        self._add(items, Dict, Made)

    def _load_storage(self) -> None:
        named = self._stack.pop()
        if type(named) is not Tuple:
            raise ValueError("a storage that is named by no tuple")
        self.visit_keys(named)
        self._make(None)

    def _call(self) -> None:
        function, arguments = self._last(2)
        if type(function) is not Name or type(arguments) is not Tuple:
            raise ValueError("a call of what is no function")
        self.visit(arguments)
        self.visit_keys(hashed(function, arguments))
        if function == FROM_TYPE:
            self._stack += [arguments[0], arguments[2]]
            self._call()
        else:
            self._make(Made([function, arguments]))

    def _build(self) -> None:
        state, made = self._stack.pop(), self._stack[-1]
        if type(made) is Made and made[0] != "collections.OrderedDict":
            raise UnfitPickleError(foreign(made[0]))
        if type(state) is not Dict:
            raise ValueError("a state that is no dictionary")
        self.visit_keys(state[::2])
        self._add([state], Made)

    def _make(self, node: Any) -> None:
        self._stack.append(node)

    _STEPS: ClassVar[dict[str, Callable[[Costs, Any], None]]] = {
        "PROTO": lambda self, _: None,
        "STOP": lambda self, _: None,
        "MARK": lambda self, _: self._mark(),
        "BINPUT": lambda self, at: self._memo.update({at: self._stack[-1]}),
        "LONG_BINPUT": lambda self, at: self._memo.update({at: self._stack[-1]}),
        "BINGET": lambda self, at: self._make(self._memo[at]),
        "LONG_BINGET": lambda self, at: self._make(self._memo[at]),
        "GLOBAL": lambda self, name: self._make(_full_name(name)),
        "EMPTY_LIST": lambda self, _: self._make([]),
        "EMPTY_DICT": lambda self, _: self._make(Dict()),
        "EMPTY_SET": lambda self, _: self._make(Tuple()),
        "EMPTY_TUPLE": lambda self, _: self._make(Tuple()),
        "TUPLE1": lambda self, _: self._make(Tuple(self._last(1))),
        "TUPLE2": lambda self, _: self._make(Tuple(self._last(2))),
        "TUPLE3": lambda self, _: self._make(Tuple(self._last(3))),
        "TUPLE": lambda self, _: self._make(Tuple(self._from_mark())),
        "APPEND": lambda self, _: self._add(self._last(1), list),
        "APPENDS": lambda self, _: self._add(self._from_mark(), list),
        "SETITEM": lambda self, _: self._set(self._last(2)),
        "SETITEMS": lambda self, _: self._set(self._from_mark()),
        "BINPERSID": lambda self, _: self._load_storage(),
        "REDUCE": lambda self, _: self._call(),
        "NEWOBJ": lambda self, _: self._call(),
        "BUILD": lambda self, _: self._build(),
        **dict.fromkeys(
            ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING"),
            lambda self, value: self._make(value),
        ),
        **dict.fromkeys(("NONE", "NEWTRUE", "NEWFALSE"), lambda self, _: self._make(None)),
    }


def _full_name(written: str) -> Name:
    module, _, name = written.partition(" ")
    return Name(f"{'builtins' if module == '__builtin__' else module}.{name}")
