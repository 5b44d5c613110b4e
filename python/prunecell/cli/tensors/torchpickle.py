"""What torch's restricted unpickler would do for a pickle, added up before it does it.

The unpickler runs nothing foreign, but takes the time and the memory that a pickle asks for. To
hash a tuple, for one, is to visit its items wherever they are referred to: 60 tuples, each of the
one before it twice, make 2**60 visits. Here the instructions are followed with a node in the place
of each value, and what torch visits whole is counted: keys, arguments and states.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO, Any, ClassVar, Final

from prunecell.limits import MAX_NESTING, MAX_PICKLE_STEPS, MAX_PICKLE_VISITS

# Nodes. Beside them: str for text, and lists for what EMPTY_LIST begins.
_SMALL: Final = None  # numbers of up to 4 bytes and the like, which spread in a hash table
_WIDE: Final = ...  # other numbers: anybody can choose many of one hash
_CHARS = 16  # of a text that count as one visit


class _Tuple(list[Any]): ...


class _Dict(list[Any]):
    """Keys and values by turns."""


class _Made(list[Any]):
    """What a call returned: the function, its arguments, what was added."""


class _Name(str):
    """A function or class, by its full name."""

    __slots__ = ()


_PLAIN = {  # functions whose cost is that of visiting their arguments
    *("builtins.complex", "torch.Size", "torch.device", "torch.serialization._get_layout"),
    "torch.nn.parameter.Parameter",
}
# Not among them: what copies a tensor, which strides of 0 make as large as anybody likes.
_REBUILDS = {
    f"torch._utils._rebuild_{kind}"
    for kind in (
        *("tensor", "tensor_v2", "tensor_v3", "parameter", "parameter_with_state", "qtensor"),
        *("sparse_tensor", "nested_tensor", "meta_tensor_no_storage"),
    )
}


class UnfitPickleError(Exception):
    """A pickle that asks for more than any file of tensors; says what was expected."""


def foreign(name: str) -> str:
    """What to say of a class or function that is not for tensors."""
    return (
        f"expected tensors in dictionaries and lists, found a {name[:100]}; objects are not "
        "loaded, as that could run code. Save model.state_dict() instead"
    )


class Costs:
    """Follows the pickles of one file, and raises when together they cost too much."""

    def __init__(self) -> None:
        self._steps_left, self._visits_left = MAX_PICKLE_STEPS, MAX_PICKLE_VISITS
        self._unspread = 0  # keys of hashes that anybody can choose
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def follow(self, pickle: IO[bytes]) -> Any:
        """The node of what the next pickle makes; the file then stands behind it.

        Raises:
            UnfitPickleError: It asks for more time or memory than a file of tensors needs.
            Exception: No pickle, or none that torch would read.
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
        """Counts everything in it, wherever it is referred to."""
        self._count(1 + len(node) // _CHARS if isinstance(node, str) else 1)
        if isinstance(node, list):
            if depth == MAX_NESTING:  # hash() of deeper tuples may overflow the C stack
                what = f"keys and arguments that are nested at most {MAX_NESTING} deep"
                raise UnfitPickleError(f"expected {what}, got deeper ones")
            for one in node:
                self.visit(one, depth + 1)

    def visit_keys(self, keys: list[Any]) -> None:
        """As `visit`; a key whose hash can be chosen may meet every such key before it."""
        for key in keys:
            if key is _WIDE or isinstance(key, list):
                self._unspread += 1
                self._count(self._unspread)
            self.visit(key)

    def _count(self, visits: int) -> None:
        self._visits_left -= visits
        if self._visits_left < 0:
            what = f"at most {MAX_PICKLE_VISITS} values in keys and arguments"
            raise UnfitPickleError(
                f"expected {what}, each counted wherever it is referred to, got more"
            )

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
        self._add(items, _Dict, _Made)

    def _load_storage(self) -> None:
        named = self._stack.pop()
        if type(named) is not _Tuple:
            raise ValueError("a storage that is named by no tuple")
        self.visit_keys(named)
        self._stack.append(_SMALL)

    def _call(self) -> None:
        function, arguments = self._last(2)
        if type(function) is not _Name or type(arguments) is not _Tuple:
            raise ValueError("a call of what is no function")
        self.visit(arguments)
        match [str(function), *arguments]:
            case ["builtins.set", list() as keys] if type(keys) is list:
                self.visit_keys(keys)
            case ["collections.Counter", _Dict() as pairs]:
                self.visit_keys(pairs[::2])
            case ["collections.OrderedDict", list() as pairs] if type(pairs) is list:  # Python 2
                if not {type(pair) for pair in pairs} <= {list, _Tuple}:
                    raise ValueError("a dictionary of what are no pairs")
                self.visit_keys([pair[0] for pair in pairs])
            case ["_codecs.encode", str(), "latin1"] | ["builtins.bytearray", str(), "latin-1"]:
                pass
            case ["builtins.bytearray", _Made() as text] if text[0] == "_codecs.encode":
                pass
            case ["torch._tensor._rebuild_from_type_v2", _Name() as rebuild, _, _, _]:
                if rebuild not in _REBUILDS:
                    raise UnfitPickleError(foreign(rebuild))
            case [_]:  # nothing of any size; so were tensors saved before version 0.2
                pass
            case [name, *_]:
                if name not in _REBUILDS and name not in _PLAIN:
                    raise UnfitPickleError(foreign(name))
        self._stack.append(_Made([function, arguments]))

    def _build(self) -> None:
        state = self._stack.pop()
        if type(state) is _Dict:
            self.visit_keys(state[::2])
        elif self._stack[-1][0].startswith("torch."):
            self.visit(state)
        else:
            raise ValueError("a state that is no dictionary")
        self._add([state], _Made)

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
        "BINUNICODE": lambda self, text: self._make(text),
        "SHORT_BINSTRING": lambda self, text: self._make(text),
        "LONG1": lambda self, _: self._make(_WIDE),
        "BINFLOAT": lambda self, _: self._make(_WIDE),
        "EMPTY_LIST": lambda self, _: self._make([]),
        "EMPTY_DICT": lambda self, _: self._make(_Dict()),
        "EMPTY_SET": lambda self, _: self._make(_Tuple()),
        "EMPTY_TUPLE": lambda self, _: self._make(_Tuple()),
        "TUPLE1": lambda self, _: self._make(_Tuple(self._last(1))),
        "TUPLE2": lambda self, _: self._make(_Tuple(self._last(2))),
        "TUPLE3": lambda self, _: self._make(_Tuple(self._last(3))),
        "TUPLE": lambda self, _: self._make(_Tuple(self._from_mark())),
        "APPEND": lambda self, _: self._add(self._last(1), list),
        "APPENDS": lambda self, _: self._add(self._from_mark(), list),
        "SETITEM": lambda self, _: self._set(self._last(2)),
        "SETITEMS": lambda self, _: self._set(self._from_mark()),
        "BINPERSID": lambda self, _: self._load_storage(),
        "REDUCE": lambda self, _: self._call(),
        "NEWOBJ": lambda self, _: self._call(),
        "BUILD": lambda self, _: self._build(),
    } | dict.fromkeys(
        ("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2"),
        lambda self, _: self._make(_SMALL),
    )


def _full_name(written: str) -> _Name:
    module, _, name = written.partition(" ")
    return _Name(f"{'builtins' if module == '__builtin__' else module}.{name}")
