"""How long the notebooks in the browser take to start, and what they fetch: from this machine, into a new browser."""

from __future__ import annotations

import re
import time

from benchmarks.site import CHAPTER, PAGE, Fetched, browser, lacking_python, served, sizes
from benchmarks.table import Line, Section

NOTEBOOK = f"lite/notebooks/index.html?path={CHAPTER}.ipynb"
TITLE = "The notebooks in the browser"
AIM = 15.0
DONE = (
    "A new browser opens chapter 5 in JupyterLite, from a server on this machine, and runs its first cell: seconds by\n"
    "the clock, until the notebook is seen and until the cell has run. What was fetched for it, as it is and gzipped;\n"
    "and what a page of the book fetches that doesn't use it."
)
DIGIT = re.compile(r"\d")


def section() -> Section:
    """The times and the bytes; without a browser, or without the notebooks, a word about that."""
    if lacking := lacking_python():
        return Section(TITLE, f"Not measured: {lacking}.", ())
    notebook: Fetched = set()
    with served(notebook) as address:
        seen, ran = _first_output(address)
    page: Fetched = set()
    with served(page) as address:
        _read(address)
    wasm = sum(each.suffix == ".wasm" for each in page)
    return Section(
        TITLE,
        DONE,
        (
            Line("the notebook is seen", seen, "s"),
            Line("the first cell has run", ran, "s", f"< {AIM:g} s", ran < AIM),
            *sizes("fetched for it", notebook),
            *sizes("a page of the book", page),
            Line("of these, WebAssembly", wasm, "files", "0", not wasm),
        ),
    )


def _first_output(address: str) -> tuple[float, float]:
    """Seconds from pressing the rocket until the notebook is there, and until its first cell has run."""
    with browser() as page:
        began = time.perf_counter()
        page.goto(address + NOTEBOOK)
        cell = page.locator(".jp-Notebook .jp-CodeCell").first
        cell.wait_for(timeout=120_000)
        seen = time.perf_counter() - began
        prompt = cell.locator(".jp-InputPrompt")
        prompt.evaluate("prompt => (prompt.textContent = '')")  # a number there is then of this run
        while not prompt.inner_text().strip():  # JupyterLab may still take the focus away, to the notebook's first cell
            cell.locator(".cm-content").press("Control+Enter")
            page.wait_for_timeout(200)
        prompt.filter(has_text=DIGIT).wait_for(timeout=120_000)
        return seen, time.perf_counter() - began


def _read(address: str) -> None:
    with browser() as page:
        page.goto(address + PAGE, wait_until="networkidle")
