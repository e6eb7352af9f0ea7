"""How long it takes from the first Run in a page until its output is there: from this machine, into a new browser."""

from __future__ import annotations

import time

from benchmarks.site import PAGE, Fetched, browser, lacking_python, served, sizes
from benchmarks.table import Line, Section

CELL, OUTPUT = "print(miss.outcome)", "200 from pod"  # the first of its cells that shows something
TITLE = "The first Run in a page"
AIM = 5.0
DONE = (
    "A new browser has opened chapter 5, from a server on this machine, and presses Run at the first cell that shows\n"
    "something: seconds by the clock until it does, and what was fetched for that, as it is and gzipped."
)


def section() -> Section:
    """The seconds and the bytes; without a browser, or without Python for it, a word about that."""
    if lacking := lacking_python():
        return Section(TITLE, f"Not measured: {lacking}.", ())
    fetched: Fetched = set()
    with served(fetched) as address:
        seconds = _first_output(address, fetched)
    lines = (Line("the output is there", seconds, "s", f"< {AIM:g} s", seconds < AIM), *sizes("fetched", fetched))
    return Section(TITLE, DONE, lines)


def _first_output(address: str, fetched: Fetched) -> float:
    """Seconds from Run to the output; in `fetched` is then what was asked for in between."""
    with browser() as page:
        page.goto(address + PAGE, wait_until="networkidle")
        cell = page.locator(".np-runs", has=page.locator(".cell_input pre", has_text=CELL)).first
        before = set(fetched)
        began = time.perf_counter()
        cell.get_by_role("button", name="Run", exact=True).click()
        cell.locator(".np-live", has_text=OUTPUT).wait_for(timeout=120_000)
        seconds = time.perf_counter() - began
        fetched -= before
        return seconds
