"""The folder of a run: its files, written so that a kill harms nothing.

    run.json              the description of the run, written before it begins
    initial.safetensors   the weights before training
    log.jsonl             one line of JSON per epoch
    checkpoint.pt         everything that the next epoch needs, replaced at the end of each
    model.safetensors     the final weights, packed

Every file but the log is written beside and renamed. The log repeats records of the checkpoint, and
is written anew from them when a run is continued.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from prunecell.cli.errors import CommandError, UsageError
from prunecell.cli.files import write_text
from prunecell.cli.lab.fields import Fields, is_finite
from prunecell.cli.lab.options import check_stored
from prunecell.formats.bad_file import bad_file, said
from prunecell.limits import MAX_DESCRIPTION_BYTES, MAX_LOG_BYTES
from prunecell.regular import open_regular

_FORMAT = 1
# Names of the files that prunecell.formats.atomic leaves behind when it is killed.
_PARTIAL = re.compile(r"\.(run|log|initial|checkpoint|model)\.[a-z]+\.[0-9a-f]+\.part")


@dataclass(frozen=True)
class Folder:
    """Paths of a run."""

    root: Path

    @property
    def description(self) -> Path:
        """The description of the run."""
        return self.root / "run.json"

    @property
    def log(self) -> Path:
        """One line per epoch."""
        return self.root / "log.jsonl"

    @property
    def initial(self) -> Path:
        """The weights before training."""
        return self.root / "initial.safetensors"

    @property
    def checkpoint(self) -> Path:
        """The state that the next epoch needs."""
        return self.root / "checkpoint.pt"

    @property
    def final(self) -> Path:
        """The weights after training."""
        return self.root / "model.safetensors"

    @property
    def _files(self) -> tuple[Path, ...]:
        return self.description, self.log, self.initial, self.checkpoint, self.final

    def check(self, *, resume: bool) -> None:
        """Refuses a folder that holds something else.

        Args:
            resume: Whether it may hold a run, also a run that was killed before it was described.

        Raises:
            UsageError: The folder holds a run that is not to be resumed, or other files.
        """
        if self.root.exists() and not self.root.is_dir():
            raise UsageError(f"{self.root}: expected the name of a folder, there is a file")
        found = list(self.root.iterdir()) if self.root.is_dir() else []
        if not resume and found:
            raise UsageError(
                f"{self.root}: exists already; --resume continues a run, "
                "another name begins another one"
            )
        own = {path.name for path in self._files}
        strange = [p.name for p in found if p.name not in own and not _PARTIAL.fullmatch(p.name)]
        if strange and not self.description.is_file():
            raise UsageError(f"{self.root}: exists already, and holds no run but {strange[0]}")

    def check_checkpoint(self) -> None:
        """Refuses a run that lost its checkpoint: begun anew, it would go on with the old log.

        Raises:
            CommandError: Epochs are finished, and there is no checkpoint.
        """
        if self.checkpoint.is_file():
            return
        done = len(self.read_log())
        if done or self.final.is_file():
            shown = f"{self.log.name} has {done} of them" if done else f"{self.final.name} is there"
            raise CommandError(
                f"{self.checkpoint}: expected the checkpoint of a run with finished epochs "
                f"({shown}), got no such file; bring it back, or begin another run in another "
                "folder"
            )

    @contextmanager
    def making(self) -> Iterator[None]:
        """Makes the folder, and removes it if a new run fails before an epoch is finished.

        An interrupt leaves the folder as a kill does, to be continued: the options are in it.
        """
        existed, described = self.root.is_dir(), self.description.is_file()
        self.make()
        try:
            yield
        except Exception:
            if not described and not self.checkpoint.is_file():
                self._remove(folder=not existed)
            raise

    def _remove(self, *, folder: bool) -> None:
        for path in self._files:
            path.unlink(missing_ok=True)
        if folder:
            with suppress(OSError):  # other files are in it
                self.root.rmdir()

    def make(self) -> None:
        """Makes the folder, and removes half-written files of a killed run."""
        self.root.mkdir(parents=True, exist_ok=True)
        if not self.checkpoint.is_file():
            self.log.unlink(missing_ok=True)  # it has no whole line: see check_checkpoint
        for path in self.root.iterdir():
            if _PARTIAL.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def describe(self, description: dict[str, Any]) -> None:
        """Writes the description of the run."""
        text = json.dumps({"format": _FORMAT} | description, indent=1, ensure_ascii=False)
        write_text(self.description, text + "\n")

    def read_description(self) -> dict[str, Any]:
        """The description of the run.

        Raises:
            CommandError: The folder is not that of a run.
            BadFile: A value is missing or not legal.
        """
        if not self.description.is_file():
            raise CommandError(f"{self.root}: expected the folder of a run, it has no run.json")
        try:
            text = _read(self.description, MAX_DESCRIPTION_BYTES).decode()
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise CommandError(f"{self.description}: expected JSON: {error}") from None
        fields = Fields.of(self.description, found)
        if fields.values.get("format") != _FORMAT:
            what = f"a run of format {_FORMAT}"
            raise bad_file(self.description, None, what, fields.values.get("format"))
        _check_description(fields)
        return fields.values

    def write_log(self, records: list[dict[str, Any]]) -> None:
        """Replaces the log."""
        write_text(self.log, "".join(map(_line, records)))

    def append_log(self, record: dict[str, Any]) -> None:
        """Adds the record of an epoch."""
        with self.log.open("a", encoding="utf-8") as file:
            file.write(_line(record))

    def read_log(self) -> list[dict[str, Any]]:
        """The records of all epochs, without a last line that a kill cut off.

        Raises:
            CommandError: A line is not JSON.
            BadFile: A line is not the record of an epoch.
        """
        if not self.log.is_file():
            return []
        try:
            # A kill may cut the last character too; an incremental decoder leaves it out.
            data = _read(self.log, MAX_LOG_BYTES)
            text = codecs.getincrementaldecoder("utf-8")().decode(data)
            records = [json.loads(line) for line in text.split("\n")[:-1]]
        except (ValueError, RecursionError) as error:
            raise CommandError(
                f"{self.log}: expected one line of JSON per epoch: {error}"
            ) from None
        check_records(records, self.log)
        return records


def check_records(records: list[dict[str, Any]], path: Path) -> None:
    """Refuses a list that is not the records of all epochs of a run.

    Raises:
        BadFile: A record is not legal; the message names `path`.
    """
    for number, record in enumerate(records, 1):
        fields = Fields.of(path, record, f" in line {number}")
        _check_record(fields, number)
        if record["cells"].keys() != records[0]["cells"].keys():
            what = f"the cells of line 1{fields.after}"
            raise bad_file(path, None, what, list(record["cells"]))


def _read(path: Path, most: int) -> bytes:
    with BufferedReader(open_regular(path)) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise bad_file(path, None, f"at most {most} bytes", said("more"))
    return data


def _check_description(fields: Fields) -> None:
    for key in ("ini", "ini_sha256", "data_sha256"):
        fields.text(key)
    check_stored(fields.inner("options"))
    images, versions = fields.inner("images"), fields.inner("versions")
    images.integer("train")
    images.integer("test")
    fields.integer("threads")
    for name in versions.values:
        versions.text(name)
    if "starts" in fields.values:  # earlier versions wrote none
        starts = fields.inner("starts")
        for name in starts.values:
            starts.number(name, 0, 1)


def _check_record(record: Fields, number: int) -> None:
    record.integer("epoch", number, number)
    record.take("loss", "a finite number or null", lambda one: one is None or is_finite(one))
    record.number("accuracy", 0, 1)
    cells = record.inner("cells")
    for name in cells.values:
        cell = cells.inner(name)
        cell.number("threshold", 0, 1)
        cell.integer("zeros", 0, cell.integer("size"))


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
