"""The same answer from the model and from the real thing (`lab`), side by side in one run."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.journeys import BATCH, browser, browser_first
from benchmarks.table import Line, Section
from lab.isolation import Isolated, LabError, obstacle
from lab.session import PROGRAMS
from lab.visits import Visits, visits
from netpath.load import SHOP, load_world, shop

URL, SERVER = "http://shop.example.com/cart", "203.0.113.10"
WATCHED = 60
TITLE = "The model and the real thing"


def section(repetitions: int) -> Section:
    """Seconds by the clock of both, or why the real one can't be had here."""
    seconds, journey = _opened(), _least(browser(shop(), keep_alive=False).batch, 4 * repetitions) / BATCH
    real, reason = _real(repetitions)
    if real is None:
        lines = [Line("the model: set up, until the first answer", seconds * 1e3, "ms", peer=f"no lab here: {reason}")]
        return Section(TITLE, _DONE, (*lines, Line("the model: a request", journey * 1e6, "µs")))
    lines = [
        Line("the model: set up, until the first answer", seconds * 1e3, "ms"),
        Line("the lab: set up", real.up * 1e3, "ms", peer=_times(real.up, seconds)),
        Line("the model: a request, every hop on record", journey * 1e6, "µs"),
        Line("the lab: a request", real.request * 1e6, "µs", peer=_times(real.request, journey)),
        Line("the lab: a request, every hop seen", real.watched * 1e6, "µs", peer=_times(real.watched, journey)),
    ]
    return Section(TITLE, _DONE, tuple(lines))


_DONE = (
    f"GET {URL}, with new connections, by the clock. The model reads the shop's files,\n"
    "makes its rules and answers once; the lab has read them, makes a network namespace for each host and starts the\n"
    "programs in them (nginx, nsd, unbound, the pods). A journey of the model has every packet, rule and memory; the\n"
    "lab's requests are a client's own time, and then with all wires watched and joined into hops."
)


def _opened() -> float:
    """Seconds by the clock until a world is read and its first journey is made."""
    return _least(lambda: browser_first(load_world(SHOP)), 2)


def _real(repetitions: int) -> tuple[Visits | None, str]:
    """The quickest of several labs, or None and a reason."""
    reason = obstacle(PROGRAMS)
    if reason:
        return None, reason
    try:
        with Isolated() as isolated:
            runs = [isolated.call(visits, URL, SERVER, WATCHED) for _ in range(repetitions)]
    except LabError as problem:
        return None, str(problem).strip().splitlines()[-1]
    quickest = (min(getattr(run, what) for run in runs) for what in ("up", "request", "watched"))
    return Visits(URL, SERVER, runs[0].roads, *quickest), ""


def _least(work: Callable[[], object], repetitions: int) -> float:
    """Seconds by the clock of the quickest of several runs."""
    best = float("inf")
    for _ in range(repetitions):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def _times(seconds: float, model: float) -> str:
    return f"{seconds / model:,.1f} x the model"
