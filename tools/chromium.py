"""Chromium, without a window: this machine's own, for whoever opens, measures or prints the pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    """Where it is, if it is."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def lacking() -> str:
    """What it takes to start it and isn't here; nothing, if all is."""
    if find_spec("playwright") is None:
        return "playwright isn't installed (make test installs it)"
    return "" if program() else "there is no Chromium on this machine"


@contextmanager
def started(*arguments: str) -> Iterator[Any]:
    """A new browser, with these switches; in its sandbox, but for root, whom Chromium refuses one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program(), args=["--disable-gpu", *arguments], chromium_sandbox=os.geteuid() != 0
        )
        yield browser
        browser.close()
