"""A real browser, and the book served as a reader's host would: under a sub-path, every other host out of reach."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import chromium
import pytest

from tests.conftest import SITE, skip_here

SUB_PATH = "/library/the-road/"
VIEWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True},
}
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-first-run",
    "--no-proxy-server",
]


LOUD = ("error", "warning")
HARMLESS = "strict mode: use allowUnionTypes"  # the widget manager's schema checker, about its own schema


class UnderSubPath(http.server.SimpleHTTPRequestHandler):
    """The site below `SUB_PATH`; 404 for everything else, so that a link from the root is found out."""

    def translate_path(self, path: str) -> str:
        inside = path.startswith(SUB_PATH)
        return super().translate_path("/" + path.removeprefix(SUB_PATH)) if inside else str(SITE / "no such page")

    def log_message(self, format: str, *args: object) -> None:
        pass


class Host(http.server.ThreadingHTTPServer):
    """A host that doesn't mind a browser that leaves before all is said."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address at which the book is served."""
    if not SITE.exists():
        skip_here("the book isn't built: make site")
    handler = functools.partial(UnderSubPath, directory=str(SITE))
    with Host(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{SUB_PATH}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The machine's own Chromium, without a window."""
    if lacking := chromium.lacking():
        skip_here(f"{lacking}, so the pages were not opened in a browser")
    with chromium.started(*QUIET) as started:
        yield started


@dataclass
class Opened:
    """A page in the browser, and all that went wrong in it."""

    page: Any
    complaints: list[str] = field(default_factory=list)

    def watch(self, site: str) -> None:
        """Note what the console says and every request that fails or leaves the site."""
        own = (site, "data:", "blob:")
        on, note = self.page.on, self.note
        on("console", lambda said: note(said.type in LOUD and HARMLESS not in said.text, f"console: {said.text}"))
        on("pageerror", lambda error: note(True, f"error: {error}"))
        on("requestfailed", lambda request: note(True, f"failed: {request.url} {request.failure}"))
        on("response", lambda response: note(response.status >= 400, f"{response.status}: {response.url}"))
        on("request", lambda request: note(not request.url.startswith(own), f"left the site: {request.url}"))

    def widget(self, address: str, name: str, which: int = 0) -> Any:
        """Go to an address: the widget of this kind there, the first one or another, as soon as it is drawn."""
        self.page.goto(address)
        found = self.page.locator(f".netpath-{name}").nth(which)
        found.locator(".np-bar").first.wait_for()
        return found

    def note(self, wrong: bool, text: str) -> None:
        """Add a complaint, if it is one."""
        if wrong:
            self.complaints.append(text)


@contextmanager
def visit(browser: Any, site: str, **view: Any) -> Iterator[Opened]:
    """A new browser page, of a reader who was never here; nothing may have gone wrong in it by the end."""
    with browser.new_context(**view) as context:
        opened = Opened(context.new_page())
        opened.watch(site)
        yield opened
    assert opened.complaints == []


@pytest.fixture(params=VIEWS)
def opened(request: pytest.FixtureRequest, browser: Any, site: str) -> Iterator[Opened]:
    """A new browser page in each of the views, or in `one_view`."""
    with visit(browser, site, **VIEWS[request.param]) as opened:
        yield opened


one_view = pytest.mark.parametrize("opened", ["light"], indirect=True)
