"""The options of a run; its folder keeps them, so that the run can be continued."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any

from prunecell.cli.errors import UsageError
from prunecell.cli.lab.fields import Fields, is_finite, is_integer, is_path
from prunecell.cli.terminal import count_text
from prunecell.formats.bad_file import bad_file
from prunecell.limits import MAX_EPOCHS


@dataclass(frozen=True)
class Options:
    """The options of `prunecell train` that decide its result."""

    data: str = "mnist5k"
    epochs: int = 20
    batch: int = 50
    lr: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 1e-4
    seed: int = 0
    threads: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The options by name."""
        return asdict(self)


NAMES = tuple(one.name for one in fields(Options))
_RANGES = {
    "epochs": (1, MAX_EPOCHS),
    "batch": (1, 1 << 30),
    "lr": (0.0, 1e6),
    "momentum": (0.0, 1.0),
    "weight_decay": (0.0, 1e6),
    "seed": (0, 2**63 - 1),
    "threads": (0, 4096),
}


def flag(name: str) -> str:
    """The option on the command line, such as --weight-decay."""
    return "--" + name.replace("_", "-")


def fresh(given: dict[str, Any]) -> Options:
    """Options of a new run: defaults where nothing is given.

    Raises:
        UsageError: A value is out of range.
    """
    options = Options(**{name: value for name, value in given.items() if value is not None})
    for name, (low, high) in _RANGES.items():
        value = getattr(options, name)
        if not _fits(name, value):
            raise UsageError(f"{flag(name)}: expected a value from {low} to {high}, got {value}")
    return options


def check_stored(fields: Fields) -> None:
    """Checks the options in the folder of a run by the rules of the command line.

    Raises:
        BadFile: An option is missing, unknown, of another type or out of range.
    """
    for name in NAMES:
        fields.take(name, _accepted(name), partial(_fits, name))
    for name in fields.values:
        if name not in NAMES:
            raise bad_file(fields.path, None, f"no options but {', '.join(NAMES)}", name)


def _fits(name: str, value: Any) -> bool:
    kind = type(getattr(Options, name))
    if kind is str:
        return is_path(value)
    low, high = _RANGES[name]
    return (is_integer if kind is int else is_finite)(value) and bool(low <= value <= high)


def _accepted(name: str) -> str:
    kind = type(getattr(Options, name))
    if kind is str:
        return "the name of a file"
    low, high = _RANGES[name]
    return f"{'an integer' if kind is int else 'a number'} from {low} to {high}"


def continued(given: dict[str, Any], before: dict[str, Any], done: int) -> Options:
    """Options of a continued run: its own. Only the number of epochs may change.

    Raises:
        UsageError: A given value differs from the run's, or fewer epochs are asked than are done.
    """
    options = Options(**before)
    for name, value in given.items():
        own = getattr(options, name)
        if value is not None and name != "epochs" and value != own:
            raise UsageError(
                f"{flag(name)}: the run was begun with {own}, got {value}; "
                "leave it out, or begin another run"
            )
    epochs = options.epochs if given["epochs"] is None else given["epochs"]
    if epochs < done:
        raise UsageError(f"--epochs: the run has {count_text(done, 'epoch')} already, got {epochs}")
    return replace(options, epochs=fresh({"epochs": epochs}).epochs)
