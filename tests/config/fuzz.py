"""Mutates INI files and their templates, and reads what comes out.

Whatever the text, reading it may end in three ways only: a file, a ConfigError, or a ConfigWarning
on the way. Anything else is a finding: another exception, more than a few seconds, and any event of
the interpreter that a reader of text has no business with (a file opened outside the folder, a
process, a socket, code compiled or run).

    python tests/config/fuzz.py --minutes 10
    python tests/config/fuzz.py --seconds 5 --seed 1
    python tests/config/fuzz.py --only 123456         # one case again, by its number

A finding is printed with the number of its case and its files; the exit status is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

from ini_files import DATA, REFERENCE
from prunecell import config

SLOW = 5.0  # seconds for one case; the worst that the limits allow takes about one
SECRET = "SECRET-OUTSIDE-THE-FOLDER"

TOKENS = (
    *("[", "]", "=", "\n", "\r\n", "\\\n", '"', ";", "#", "${", "}", "$(", ")", "(", "$", "@"),
    *("{{", "}}", "{%", "%}", " ", "\t", "\0", "\ufeff", "\x1a", "\x85", "\u2028", "\xff", "\x1b"),
    *("[conv1]", "[sp]", "[]", "[a] a", "[x@t.tpl]", "[y@t.tpl]\nA=1\n", "[z@sub/t.tpl]"),
    *("[x@../secret.tpl]", "[x@/etc/passwd]", "[x@link.tpl]", "[x@up/secret.tpl]", "[x@pipe.tpl]"),
    *("[x@${N2D2_MODELS}/t.tpl]", "[x@${V}/../secret.tpl]", "[x@sub]", "[x@main.ini]"),
    *("{% if A exists %}", "{% else %}", "{% endif %}", "{% for I in range(9) %}", "{% endfor %}"),
    *("{% for J in range(999999999) %}", "{% block A %}", "{% endblock %}", "{% set A %}"),
    *("{% endset %}", "{% include t.tpl %}", "{% include ../secret.tpl %}", "{%include link.tpl%}"),
    *("{{A}}", "{{SECTION_NAME}}", "{{#}}", "{{.P}}", "A=99999999\n", "A[0].P=1\n"),
    *("QWeight=Prune\n", "QWeight.Threshold=0.5\n", "QWeigth=1\n", "QWeight.Delta=1e-40\n"),
    *("ConfigSection=common.config,a\n", "Input=sp\n", "Type=Conv\n", "K=[sp]SizeX\n"),
    *("$V=${V}\n", "$V=${W}${W}\n", "$W=[]$V\n", "K=[a]K\n", "[sp]_EpochSize", "${SECTION_NAME}"),
    *("${PREV_SECTION_NAME}", "$(9**9**9)", "$(2**1000*2)", "$(1/0)", "$(int(1e308))", "$(-1**.5)"),
    *("__import__('os').system('x')", "1 if 1 else ", "**", "//", "1e999", "nan", "60,000", "0x1"),
    *("9" * 50, "-", "(" * 30, "[" * 30, "not " * 30, "min(1,", "round(1.5, 999)", "'", "lambda:0"),
)  # fmt: skip


def corpus() -> list[dict[str, str]]:
    """Folders to start from: each a main.ini and its templates."""
    found = []
    small = "[{{SECTION_NAME}}_x]\nK={{A}}\n"
    for root in (DATA, REFERENCE):
        templates = {
            str(path.relative_to(root)): path.read_bytes().decode("latin-1")
            for path in sorted(root.rglob("*.tpl"))
        }
        for path in sorted(root.glob("*.ini")):
            text = path.read_bytes().decode("latin-1")
            used = {name: body for name, body in templates.items() if Path(name).name in text}
            found.append({"main.ini": text, "t.tpl": small, **used})
    found.append({"main.ini": "[s@t.tpl]\nA=1\nA[0].P=2\n", "t.tpl": small})
    found.append({"main.ini": "", "t.tpl": ""})
    return found


def mutated(text: str, chance: random.Random, others: list[str]) -> str:
    """`text` after one change."""
    at = chance.randrange(len(text) + 1)
    end = min(len(text), at + int(chance.expovariate(1 / 20)))
    lines = text.split("\n")
    row = chance.randrange(len(lines))
    kind = chance.randrange(12)
    if kind < 4:
        return text[:at] + chance.choice(TOKENS) + text[end if chance.random() < 0.3 else at :]
    if kind == 4:
        return text[:at] + text[end:]
    if kind == 5:
        return (
            text[:at]
            + chr(chance.choice((chance.randrange(128), chance.randrange(0x3000))))
            + text[at:]
        )
    if kind == 6:
        return text[:at] + text[at:end] * chance.choice((2, 3, 100, 5000)) + text[end:]
    if kind == 7:
        del lines[row]
    elif kind == 8:
        lines.insert(chance.randrange(len(lines)), lines[row])
    elif kind == 9:
        other = chance.choice(others).split("\n")
        start = chance.randrange(len(other))
        lines[row:row] = other[start : start + chance.randrange(1, 20)]
    elif kind == 10:
        return text[:at]
    else:
        second = chance.randrange(len(lines))
        lines[row], lines[second] = lines[second], lines[row]
    return "\n".join(lines)


class Watch:
    """Notes forbidden events of the interpreter while it is active. Hooks cannot be removed."""

    FORBIDDEN = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.", "socket.")
    # "compile" and "exec" are raised for source code only, "import" for modules not loaded yet.
    FORBIDDEN_ALONE = ("compile", "exec", "import", "os.remove", "os.rename", "os.mkdir")

    WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

    def __init__(self, folder: Path) -> None:
        self.active = False
        self.seen: list[str] = []
        self._inside = str(folder.resolve()) + os.sep
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.active:
            return
        if event == "open":
            path = arguments[0]
            # realpath in the hook would be the reader's own test; compare what was opened.
            real = os.path.realpath(os.fsdecode(path)) if isinstance(path, str | bytes) else ""
            mode, flags = arguments[1:3]  # os.open has no mode
            reads = mode in ("rb", "r") or (mode is None and not flags & self.WRITING)
            if not real.startswith(self._inside) or not reads:
                self.seen.append(f"open {path!r} {mode!r}")
        elif event.startswith(self.FORBIDDEN) or event in self.FORBIDDEN_ALONE:
            self.seen.append(f"{event} {arguments!r}")


class Case:
    """The files of one case, made from its number alone."""

    def __init__(self, number: int, sources: list[dict[str, str]]) -> None:
        chance = random.Random(number)
        everything = [text for source in sources for text in source.values()]
        self.files = dict(chance.choice(sources))
        for _ in range(1 + int(chance.expovariate(1 / 3))):
            name = "main.ini" if chance.random() < 0.6 else chance.choice(list(self.files))
            self.files[name] = mutated(self.files[name], chance, everything)[:300_000]
        self.encoding = chance.choice((*["utf-8"] * 12, *["latin-1"] * 6, "utf-16"))

    def write(self, folder: Path) -> None:
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text.encode(self.encoding, "replace"))

    def remove(self, folder: Path) -> None:
        for name in self.files:
            (folder / name).unlink(missing_ok=True)


def read_everything(path: Path) -> Iterator[object]:
    """Every question to the file; each step may raise ConfigError on its own."""
    ini = config.read(path, variables={"V": "sub"})
    yield None
    for section in ini.values():
        for key in section:
            with contextlib.suppress(config.ConfigError):
                value = section[key]
                if SECRET in value:
                    raise AssertionError(f"[{section.name}]{key} holds text from outside")
                for read in (value.number, value.integer, value.flag, value.numbers):
                    with contextlib.suppress(config.ConfigError):
                        read()
                yield value
    yield config.prune_parameters(ini)


def finding(path: Path, watch: Watch) -> str | None:
    """What is wrong with how this file is read, or None."""
    start = time.perf_counter()
    wrong = []
    # A hang has no exception: after a while the traceback is printed and the process ends.
    faulthandler.dump_traceback_later(12 * SLOW, exit=True)
    watch.active = True
    try:
        with contextlib.suppress(config.ConfigError):
            for _ in read_everything(path):
                if time.perf_counter() - start > SLOW:
                    break
    except KeyboardInterrupt:
        raise
    except BaseException:
        watch.active = False
        wrong.append(traceback.format_exc())
    finally:
        watch.active = False
        faulthandler.cancel_dump_traceback_later()
    took = time.perf_counter() - start
    if took > SLOW:
        wrong.append(f"took {took:.1f} s")
    if watch.seen:
        wrong.append("forbidden: " + "; ".join(watch.seen[:5]))
    return "\n".join(wrong) or None


def prepared(root: Path) -> Path:
    """The folder that may be read, beside and linked to files that may not."""
    folder = root / "models"
    (folder / "sub").mkdir(parents=True)
    (root / "secret.tpl").write_text(f"[secret]\nK={SECRET}\n")
    (folder / "link.tpl").symlink_to(root / "secret.tpl")
    (folder / "up").symlink_to(root, target_is_directory=True)
    (folder / "sub" / "t.tpl").write_text("[{{SECTION_NAME}}_sub]\nK=1\n")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.tpl")
    return folder


def main() -> int:
    """Runs until the time is over or something is found."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("--minutes", type=float, default=0.0)
    arguments.add_argument("--seconds", type=float, default=0.0)
    arguments.add_argument("--seed", type=int, help="number of the first case (default: random)")
    arguments.add_argument("--only", type=int, help="run this case alone")
    given = arguments.parse_args()
    seconds = 60 * given.minutes + given.seconds or 10.0
    first = given.only if given.only is not None else given.seed
    if first is None:
        first = random.SystemRandom().randrange(10**9) * 10**6
    warnings.simplefilter("ignore", config.ConfigWarning)
    sources = corpus()
    outcomes = {"read": 0, "refused": 0}
    with tempfile.TemporaryDirectory() as root:
        folder = prepared(Path(root))
        watch = Watch(folder)
        start = time.perf_counter()
        number = first
        while time.perf_counter() - start < seconds:
            case = Case(number, sources)
            case.write(folder)
            path = folder / "main.ini"
            wrong = finding(path, watch)
            if wrong:
                print(f"case {number}: {wrong}")
                for name, text in case.files.items():
                    print(f"--- {name} ({len(text)} characters, {case.encoding})\n{text[:3000]!r}")
                return 1
            try:
                config.read(path, variables={"V": "sub"})
                outcomes["read"] += 1
            except config.ConfigError:
                outcomes["refused"] += 1
            case.remove(folder)
            number += 1
            if given.only is not None:
                break
    print(
        f"{number - first} cases from {first}: {outcomes['read']} read, "
        f"{outcomes['refused']} refused, nothing found"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
