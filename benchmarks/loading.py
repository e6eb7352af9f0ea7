"""How long it takes to load a large world, and how much memory it needs."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.measure import least, told
from benchmarks.table import Line, Section
from benchmarks.worlds import Form, grow

AIM = 10.0

# Run apart, so that each world has a process's memory for itself: CPU seconds, peak MiB before and after, MiB kept.
_LOAD = """
import re, resource, sys, time
from pathlib import Path
import netpath.journey
from netpath.load import load_world
def peak():
    status = Path("/proc/self/status")  # on Linux, ru_maxrss begins with what the parent had
    if status.exists():
        return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, started = peak(), time.process_time()
world = load_world(sys.argv[1])
print(time.process_time() - started, before, peak())
"""
_KEPT = """
import gc, sys, tracemalloc
import netpath.journey
from netpath.load import load_world
tracemalloc.start()
world = load_world(sys.argv[1])
gc.collect()
print(tracemalloc.get_traced_memory()[0] / 2**20)
"""


def section(folder: Path, services: int, repetitions: int) -> Section:
    """The largest world as JSON and as YAML."""
    lines: list[Line] = []
    for form in ("json", "yaml"):
        lines += _lines(grow(folder / form, services, form), form, 1 + (repetitions > 1))
    (kept,) = told(_KEPT, str(folder / "json"))
    lines.append(Line("kept once loaded", kept, "MiB", peer="by tracemalloc"))
    done = (
        f"load_world of the shop and {services:,} Services with 10 endpoints each, in a process of its own;\n"
        "the peer is json.load of the same two files, without making anything of them."
    )
    return Section("Loading a large world", done, tuple(lines))


def _lines(folder: Path, form: Form, repetitions: int) -> list[Line]:
    runs = [told(_LOAD, str(folder)) for _ in range(repetitions)]
    seconds, before, after = min(run[0] for run in runs), runs[0][1], min(run[2] for run in runs)
    paths = [*(folder / "kubernetes").glob("many-*")]
    size = sum(path.stat().st_size for path in paths) / 2**20
    peer = f"of {size:,.0f} MiB"
    if form == "json":
        alone = least(lambda: [json.loads(path.read_text()) for path in paths], repetitions)
        peer += f"; {seconds / alone:.1f} x json.load ({alone:.2f} s)"
    return [
        Line(f"from {form.upper()}", seconds, "s", "< 10 s", seconds < AIM, peer),
        Line(f"from {form.upper()}: at the peak", after, "MiB", peer=f"{before:.0f} MiB before loading"),
    ]
