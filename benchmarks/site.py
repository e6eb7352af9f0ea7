"""The built pages, in a browser that was never here before: what the sections about them share."""

from __future__ import annotations

import functools
import gzip
import http.server
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.table import Line

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import chromium  # noqa: E402 - it lives among the tools

SITE = ROOT / "_build" / "html"
CHAPTER = "05_there_and_back_again"
PAGE = f"notebooks/{CHAPTER}.html"
Fetched = set[Path]


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
