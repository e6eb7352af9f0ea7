"""Taking the time: the least CPU time of several repetitions, here and in child processes."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent


def least(work: Callable[[], object], repetitions: int) -> float:
    """CPU seconds of the quickest of several runs; the collector of garbage waits meanwhile, as in `timeit`."""
    best = float("inf")
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(repetitions):
            started = time.process_time()
            work()
            best = min(best, time.process_time() - started)
    finally:
        if was_enabled:
            gc.enable()
    return best


def fixed_work() -> int:
    """The peer: 10,000 rounds of what a model does all day (a call, a tuple, a look-up, a comparison)."""
    known = {(number, number + 1): number for number in range(64)}
    found = 0
    for number in range(10_000):
        if known.get(_pair(number & 127)) is not None:
            found += 1
    return found


def _pair(number: int) -> tuple[int, int]:
    return number, number + 1


def process(*arguments: str) -> tuple[float, float]:
    """CPU and wall-clock seconds of `python ARGUMENTS…`, from its start to its end."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    _run(*arguments)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def least_process(repetitions: int, *arguments: str) -> tuple[float, float]:
    """The least CPU and the least wall-clock seconds of several runs of `python ARGUMENTS…`."""
    runs = [process(*arguments) for _ in range(repetitions)]
    return min(cpu for cpu, _ in runs), min(wall for _, wall in runs)


def told(code: str, *arguments: str) -> list[float]:
    """The numbers that a Python process prints, run for them alone: its memory is its own."""
    return [float(word) for word in _run("-c", code, *arguments).split()]


@cache
def _bytecode() -> tempfile.TemporaryDirectory[str]:
    """Where compiled modules are kept from one run to the next, as those of an installed package are."""
    return tempfile.TemporaryDirectory()


def _run(*arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": _bytecode().name}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment, cwd=ROOT).stdout
