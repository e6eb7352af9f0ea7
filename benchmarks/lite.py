"""How long the notebooks in the browser take to start, and what they fetch: from this machine, into a new browser."""

from __future__ import annotations

import functools
import gzip
import http.server
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.table import Line, Section

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import chromium  # noqa: E402 - it lives among the tools

SITE = ROOT / "_build" / "html"
CHAPTER = "lite/notebooks/index.html?path=05_there_and_back_again.ipynb"
TITLE = "The notebooks in the browser"
AIM = 15.0
DONE = (
    "A new browser opens chapter 5 in JupyterLite, from a server on this machine, and runs its first cell: seconds by\n"
    "the clock, until the notebook is seen and until the cell has run. What was fetched for it, as it is and gzipped;\n"
    "and what a page of the book fetches that doesn't use it."
)
DIGIT = re.compile(r"\d")
Fetched = set[Path]


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


def lacking_python() -> str:
    """What stands in the way of running Python in a browser, if anything does."""
    if not (SITE / "lite" / "jupyter-lite.json").exists():
        return "they aren't built (make site lite)"
    return lacking_browser()


def lacking_browser() -> str:
    """What a browser or its pages want for, if anything."""
    if not (SITE / "index.html").exists():
        return "the book isn't built (make site)"
    return chromium.lacking()


def sizes(what: str, files: Fetched) -> Iterator[Line]:
    """What these files weigh, as they are and gzipped."""
    contents = [each.read_bytes() for each in files if each.is_file()]
    yield Line(f"{what}: as it is", sum(map(len, contents)) / 1e6, "MB", peer=f"{len(contents)} files")
    yield Line(f"{what}: gzipped", sum(len(gzip.compress(each, 6, mtime=0)) for each in contents) / 1e6, "MB")


@contextmanager
def served(fetched: Fetched) -> Iterator[str]:
    """The site on this machine; what is asked for is noted."""

    class Noting(http.server.SimpleHTTPRequestHandler):
        def send_head(self) -> Any:
            fetched.add(Path(self.translate_path(self.path)))
            return super().send_head()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Noting, directory=str(SITE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def browser() -> Iterator[Any]:
    """A page in a browser that was never here before."""
    with chromium.started() as started:
        yield started.new_page()


def _first_output(address: str) -> tuple[float, float]:
    """Seconds from pressing the rocket until the notebook is there, and until its first cell has run."""
    with browser() as page:
        began = time.perf_counter()
        page.goto(address + CHAPTER)
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
        page.goto(address + "notebooks/05_there_and_back_again.html", wait_until="networkidle")
