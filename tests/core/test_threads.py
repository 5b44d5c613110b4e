"""Threads change the time, never a bit; a fork does not hang; the GIL is released."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import axes
import numpy as np
import oracle
import prunecell
import pytest
from axes import bits
from prunecell import Mask, _core
from prunecell.arguments import parse


@pytest.mark.parametrize("dtype", axes.DTYPES)
@pytest.mark.parametrize("filler", ["IterNonStruct", "Random"])
def test_any_number_of_threads_gives_the_same_bits(filler: str, dtype: str) -> None:
    sizes = (axes.LARGE, 1, 4097, 0, 300_000)
    arrays = [axes.weights("beside_grid", dtype, size, seed=size) for size in sizes]
    rule: dict[str, Any] = {"filler": filler, "threshold": 0.37, "delta": 0.01, "seed": 6}
    seen = []
    for threads in axes.THREADS:
        work = [array.copy() for array in arrays]
        masks = prunecell.rebuild_and_apply(work, threads=threads, **rule)
        buffers = [np.empty_like(array) for array in arrays]
        prunecell.apply_mask(arrays, masks, out=buffers, threads=threads)
        zeros = prunecell.count_zeros(work, threads=threads)
        seen.append((masks, [bits(w).tobytes() for w in work], zeros))
        assert all(np.array_equal(bits(a), bits(b)) for a, b in zip(work, buffers, strict=True))
    assert all(other == seen[0] for other in seen[1:])
    for number, (array, mask) in enumerate(zip(arrays, seen[0][0], strict=True)):
        if filler == "IterNonStruct":
            expected = oracle.iter_nonstruct(array, 0.37, 0.01)
        else:
            expected = oracle.random(array.shape, 0.37, 6, tensor=number)
        assert np.array_equal(mask.to_array(), expected.kept)


@pytest.mark.parametrize("threads", axes.THREADS)
def test_counters_of_the_search_add_up_for_any_number_of_threads(threads: int) -> None:
    weights = axes.weights("ties", "float32", axes.LARGE)
    search = prunecell.LevelSearch(weights.size, 0.4, 0.01)
    serial, parallel = search.count(weights, threads=1), search.count(weights, threads=threads)
    assert np.array_equal(serial, parallel)
    assert serial.sum() == weights.size


@pytest.mark.parametrize("threads", [-1, -(2**31)])
def test_a_negative_number_of_threads_is_refused(threads: int) -> None:
    with pytest.raises(
        prunecell.InvalidArgument, match=f"threads: expected 0 or more, got {threads}"
    ):
        prunecell.build_mask(np.ones(4), threads=threads)


def _prune_in_child(answers: Any) -> None:
    weights = axes.weights("normal", "float32", axes.LARGE)
    answers.put(prunecell.rebuild_and_apply(weights, threshold=0.5, threads=2).zeros)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_after_use_does_not_hang() -> None:
    weights = axes.weights("normal", "float32", axes.LARGE)
    zeros = prunecell.build_mask(weights, threshold=0.5, threads=2).zeros  # starts the pool
    forking = multiprocessing.get_context("fork")
    answers = forking.SimpleQueue()
    child = forking.Process(target=_prune_in_child, args=(answers,))
    child.start()
    child.join(timeout=60)
    hangs = child.is_alive()
    if hangs:
        child.kill()
        child.join()
    assert not hangs
    assert child.exitcode == 0
    assert answers.get() == zeros
    assert prunecell.build_mask(weights, threshold=0.5, threads=2).zeros == zeros


def output_of(program: str, **environment: str) -> str:
    """The output of a Python program, which has a minute."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def test_a_child_that_is_first_to_use_the_package_does_not_hang() -> None:
    """The parent has used torch's OpenMP, but not prunecell."""
    pytest.importorskip("torch")
    program = """
import os, torch, prunecell
torch.set_num_threads(2)
weights = torch.exp(torch.ones(1 << 20))
child = os.fork()
if child == 0:
    os.write(1, str(prunecell.build_mask(weights, threshold=0.5, threads=2).zeros).encode())
    os._exit(0)
os.waitpid(child, 0)
"""
    assert output_of(program) == str(1 << 20)


@pytest.mark.parametrize("weights", ["np.ones(1 << 20)", "[]"], ids=["one tensor", "none"])
def test_a_call_starts_no_more_threads_than_it_may(weights: str) -> None:
    program = f"""
import os, numpy as np, prunecell
before = len(os.listdir("/proc/self/task"))
prunecell.build_mask({weights}, threshold=0.5, threads=2)
print(len(os.listdir("/proc/self/task")) - before)
"""
    assert int(output_of(program, OMP_NUM_THREADS="16", OPENBLAS_NUM_THREADS="1")) <= 1


def long_calls() -> dict[str, Any]:
    """Calls that take a while, one per road from Python into the core."""
    weights = np.ones(2**24, dtype=np.float32)
    mask = Mask(weights.shape)
    cell = prunecell.PruneCell(prune_mode="Static", prune_filler="Random")
    cell.add_weights(weights)
    cell.initialize()
    search = prunecell.LevelSearch(weights.size, 0.5, 0.001)
    return {
        "build_mask": lambda: prunecell.build_mask(weights, out=mask, threads=1),
        "rebuild_and_apply": lambda: prunecell.rebuild_and_apply(weights, threads=1),
        "apply_mask": lambda: prunecell.apply_mask(weights, mask, threads=1),
        "count_zeros": lambda: prunecell.count_zeros(weights, threads=1),
        "LevelSearch.count": lambda: search.count(weights, threads=1),
        "propagate": cell.propagate,
        "initialize": lambda: cell.initialize(reset=True),
        "Mask.to_array": mask.to_array,
    }


def runs_during(call: Callable[[], object]) -> bool:
    """Whether this thread gets to run before a call in another thread is over."""
    inside, done = threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        call()
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    inside.wait()
    ran = not done.is_set()
    worker.join()
    return ran


def test_other_python_threads_run_during_every_native_call() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # a thread that wants the GIL waits until it is given away
    try:
        for name, call in long_calls().items():
            assert any(runs_during(call) for _ in range(20)), name
    finally:
        sys.setswitchinterval(interval)


def test_calls_at_the_same_time_do_not_disturb_each_other() -> None:
    arrays = [axes.weights("normal", "float32", 100_003, seed=s) for s in range(4)]
    found: list[Any] = [None] * len(arrays)

    def prune(number: int) -> None:
        for _ in range(5):
            found[number] = prunecell.build_mask(arrays[number], threshold=0.5, delta=0.01)

    workers = [threading.Thread(target=prune, args=(n,)) for n in range(len(arrays))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for array, mask in zip(arrays, found, strict=True):
        assert np.array_equal(mask, oracle.iter_nonstruct(array, 0.5, 0.01).kept)


def test_the_number_of_threads_of_other_libraries_is_left_alone() -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    prunecell.build_mask(axes.weights("normal", "float32", axes.LARGE), threads=7)
    assert torch.get_num_threads() == before


def test_the_cell_functions_take_threads_too() -> None:
    weights = axes.weights("normal", "float32", axes.LARGE)
    rule = {"prune_mode": "Static", "prune_filler": "IterNonStruct", "delta": 0.01}
    masks = []
    for threads in axes.THREADS:
        work, core = weights.copy(), _core.PruneCell(parse(rule).as_dict())
        core.add_tensor(work.shape)
        _core.initialize([(core, [(work, None, None)])], threads=threads)
        masks.append(core.mask(0))
    assert all(mask == masks[0] for mask in masks)


def together(*works: Callable[[], None]) -> None:
    """Runs each in a thread of its own, with the shortest switch interval; raises their errors."""
    start = threading.Barrier(len(works))
    raised: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            start.wait()
            work()
        except BaseException as error:
            raised.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
    finally:
        sys.setswitchinterval(interval)
    assert not any(thread.is_alive() for thread in threads), "threads wait for each other"
    if raised:
        raise raised[0]


def gradual_cell(weights: Any, stepsize: int = 37, in_place: bool = True) -> prunecell.PruneCell:
    cell = prunecell.PruneCell(
        prune_mode="Gradual",
        prune_filler="IterNonStruct",
        threshold=0.9,
        start=0.1,
        gamma=0.01,
        stepsize=stepsize,
        in_place=in_place,
    )
    cell.add_weights(weights)
    cell.initialize()
    return cell


@pytest.mark.parametrize("in_place", [True, False])
def test_updates_of_one_cell_by_several_threads_all_count(in_place: bool) -> None:
    weights = axes.weights("normal", "float32", 2000)
    shared = gradual_cell(weights.copy(), in_place=in_place)
    alone = gradual_cell(weights.copy(), in_place=in_place)

    def count() -> None:
        for _ in range(500):
            shared.update(1)

    together(*[count] * 4)
    for _ in range(2000):
        alone.update(1)
    assert (shared._core.counter, shared.rises) == (alone._core.counter, alone.rises)
    assert shared.rises == 2000 // 37
    assert shared.get_pruned_masks() == alone.get_pruned_masks()
    assert np.array_equal(shared.get_quantized_weights(), alone.get_quantized_weights())


def test_states_taken_while_another_thread_drives_the_cell_are_whole() -> None:
    shared = gradual_cell(axes.weights("normal", "float32", 2000), stepsize=1)
    fresh = gradual_cell(axes.weights("normal", "float32", 2000), stepsize=1)

    def drive() -> None:
        for _ in range(300):
            shared.update(1)
            shared.propagate()

    def look() -> None:
        for _ in range(300):
            fresh.load_state_dict(shared.state_dict())  # refuses a mask that is not as counted
            assert fresh.figures().reached >= fresh.get_current_threshold() - 1e-6
            assert repr(shared)

    together(drive, look)


def test_calls_over_the_same_cells_in_any_order_do_not_wait_for_each_other() -> None:
    cells = [gradual_cell(axes.weights("normal", "float32", 100), stepsize=100) for _ in range(50)]

    def drive(order: list[prunecell.PruneCell]) -> None:
        for _ in range(1000):
            prunecell.quantizer.update(order, 1)

    together(lambda: drive(cells), lambda: drive(cells[::-1]))
    assert {(cell.rises, cell._core.counter) for cell in cells} == {(20, 0)}
