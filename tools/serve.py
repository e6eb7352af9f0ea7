"""Serve the built book on this machine alone, and say where."""

from __future__ import annotations

import functools
import http.server
import os
import sys
import webbrowser
from pathlib import Path

HERE = Path(__file__).resolve().parent
SITE = (
    HERE if (HERE / "index.html").exists() else HERE.parent / "_build" / "html"
)  # in the zip it lies beside the pages


class Pages(http.server.SimpleHTTPRequestHandler):
    """Static files, never cached, so that a rebuilt page is seen at once; no line for each request."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def listen(port: int) -> http.server.ThreadingHTTPServer:
    """A server on that port of localhost or, if it is taken, on any free one."""
    handler = functools.partial(Pages, directory=str(SITE))
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:
        return http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)


def a_person_is_there() -> bool:
    """Whether somebody sits at a terminal with a screen to open a browser on."""
    screen = sys.platform == "darwin" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return sys.stdout.isatty() and screen


def main(port: int) -> None:
    """Serve until interrupted; open a browser where a person sits before one."""
    with listen(port) as server:
        where = f"http://localhost:{server.server_port}/"
        print(f"\nThe book is at {where}   (stop with Ctrl-C)", flush=True)
        if a_person_is_there():
            webbrowser.open(where)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
