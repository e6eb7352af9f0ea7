"""How long a page takes until its widget answers: from this machine, into a new browser."""

from __future__ import annotations

import time

from benchmarks.site import PAGE, browser, lacking_browser, served
from benchmarks.table import Line, Section

TITLE = "Pages with widgets"
AIM = 2.0
PAGES = {"the introduction": "book/intro.html", "chapter 5": PAGE}
DONE = (
    "A new browser opens a page, from a server on this machine: seconds by the clock until the player has made a step."
)


def section() -> Section:
    """The seconds for each page; without a browser, or without the pages, a word about that."""
    if lacking := lacking_browser():
        return Section(TITLE, f"Not measured: {lacking}.", ())
    with served(set()) as address:
        took = {name: min(_first_step(address + page) for _ in range(3)) for name, page in PAGES.items()}
    lines = (Line(f"the player in {name}", each, "s", f"< {AIM:g} s", each < AIM) for name, each in took.items())
    return Section(TITLE, DONE, tuple(lines))


def _first_step(address: str) -> float:
    with browser() as page:
        began = time.perf_counter()
        page.goto(address, wait_until="commit")
        player = page.locator(".netpath-player").first
        player.get_by_role("button", name="Step forward").first.click()
        player.get_by_text("2 of").first.wait_for()
        return time.perf_counter() - began
