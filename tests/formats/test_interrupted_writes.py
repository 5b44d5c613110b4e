"""Whatever interrupts a write: the name of the file means the old or the new one, whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from arrays import PEAK_MB, same_all
from prunecell import InvalidArgument
from prunecell.formats import PackWriter, atomic, load, save
from saver import version


def test_sigkill_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    program = [sys.executable, str(Path(__file__).with_name("saver.py")), str(path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    rng = random.Random(0)
    rounds = midway = 0
    # Until some kills came while the new file was being written, which is a matter of luck.
    while rounds < 10 or midway < 3:
        rounds += 1
        assert rounds < 100, "kills never come while a file is being written"
        with subprocess.Popen(
            program, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            for _ in range(rng.randrange(1, 4)):
                process.stdout.readline()
            time.sleep(rng.random() * 0.08)
            process.send_signal(signal.SIGKILL)
            done = [int(line) for line in process.stdout]
        loaded = load(path)
        number = int(loaded["dense"][0, 0]) - 1
        assert same_all(loaded, version(number))
        assert not done or number >= done[-1] - 1
        midway += any(name.endswith(".part") for name in os.listdir(tmp_path))
        for name in os.listdir(tmp_path):
            if name != path.name:
                os.unlink(tmp_path / name)


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_a_failing_system_call_leaves_the_old_file_alone(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save({"old": np.ones(3)}, tmp_path / "x")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, call, full)
    with pytest.raises(OSError, match="No space left"):
        save({"new": np.ones(3)}, tmp_path / "x")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["x"] and list(load(tmp_path / "x")) == ["old"]


def test_data_reach_the_disk_before_the_name_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, int]] = []
    fsync, replace = os.fsync, os.replace

    def traced_fsync(descriptor: int) -> None:
        calls.append(("fsync", os.fstat(descriptor).st_size))
        fsync(descriptor)

    def traced_replace(source: Path, target: Path) -> None:
        calls.append(("replace", os.path.getsize(source)))
        replace(source, target)

    monkeypatch.setattr(atomic.os, "fsync", traced_fsync)
    monkeypatch.setattr(atomic.os, "replace", traced_replace)
    save({"w": np.ones(1000)}, tmp_path / "x")
    size = os.path.getsize(tmp_path / "x")
    assert calls[:2] == [("fsync", size), ("replace", size)]
    assert [name for name, _ in calls] == ["fsync", "replace", "fsync"]  # the last: the folder


def test_readers_of_the_old_file_go_on_reading_it(tmp_path: Path) -> None:
    from prunecell.formats import PackReader

    save({"w": np.ones(1000)}, tmp_path / "x")
    with PackReader(tmp_path / "x") as file:
        save({"w": np.zeros(5)}, tmp_path / "x")
        assert file["w"].sum() == 1000


def test_a_file_may_be_rewritten_from_itself(tmp_path: Path) -> None:
    from prunecell.formats import PackReader

    arrays = version(3)
    save(arrays, tmp_path / "x")
    with PackReader(tmp_path / "x") as file, PackWriter(tmp_path / "x") as out:
        for name in file:
            out.add(name, file[name] * 2)
    assert same_all(load(tmp_path / "x"), {name: one * 2 for name, one in arrays.items()})


def test_links_and_permissions_survive(tmp_path: Path) -> None:
    save({"w": np.ones(3)}, tmp_path / "x")
    os.chmod(tmp_path / "x", 0o640)
    os.symlink("x", tmp_path / "link")
    save({"w": np.zeros(3)}, tmp_path / "link")
    assert os.path.islink(tmp_path / "link")
    assert os.stat(tmp_path / "x").st_mode & 0o777 == 0o640
    assert load(tmp_path / "x")["w"].sum() == 0


def test_a_new_file_has_the_permissions_of_any(tmp_path: Path) -> None:
    (tmp_path / "any").write_text("")
    save({"w": np.ones(3)}, tmp_path / "x")
    assert os.stat(tmp_path / "x").st_mode == os.stat(tmp_path / "any").st_mode


def test_only_files_are_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(InvalidArgument, match="expected the name of a file"):
            save({"w": np.ones(3)}, path)
    with pytest.raises(FileNotFoundError, match=r"folder .* does not exist"):
        save({"w": np.ones(3)}, tmp_path / "no" / "x")


def test_a_model_larger_than_what_is_in_memory_at_once_is_written_tensor_by_tensor(
    tmp_path: Path,
) -> None:
    """The largest tensor decides, not the file: measured on a program of its own."""
    program = (
        f"import sys, numpy as np{PEAK_MB}"
        "from prunecell.formats import PackReader, PackWriter\n"
        "before = peak()\n"
        "with PackWriter(sys.argv[1]) as file:\n"
        "    for number in range(60):\n"
        "        file.add(str(number), np.full((1000, 1000), number + 1, np.float32))\n"
        "with PackReader(sys.argv[1]) as file:\n"
        "    assert sum(float(file[name][0, 0]) for name in file) == 1830\n"
        "print(peak() - before)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program, str(tmp_path / "x")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert os.path.getsize(tmp_path / "x") > 240e6
    assert int(done.stdout) < 60


def test_a_part_is_never_more_open_than_the_file_it_replaces(
    tmp_path: Path,
) -> None:
    (tmp_path / "x").write_bytes(b"old")
    (tmp_path / "x").chmod(0o4600)
    with atomic.replacing(tmp_path / "x") as file:
        file.write(b"secret")
        (part,) = tmp_path.glob(".x.*.part")
        assert part.stat().st_mode & 0o7777 == 0o600
    assert (tmp_path / "x").stat().st_mode & 0o7777 == 0o600  # without setuid


def test_a_link_to_itself_is_an_error_and_stays(tmp_path: Path) -> None:
    os.symlink("x", tmp_path / "x")
    with pytest.raises(OSError, match="symbolic links"):
        save({"w": np.ones(3)}, tmp_path / "x")
    assert os.readlink(tmp_path / "x") == "x"


def test_names_of_as_many_bytes_as_there_may_be(tmp_path: Path) -> None:
    for name in ("x" * 255, "é" * 127, "a" + "木" * 84):
        save({"w": np.ones(3)}, tmp_path / name)
    assert len(os.listdir(tmp_path)) == 3


def test_a_write_that_fails_says_of_which_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"full.*{tmp_path}/x"), atomic.replacing(tmp_path / "x"):
        raise OSError(28, "full")
