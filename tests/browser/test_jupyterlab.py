"""A chapter in a JupyterLab with a server, as `make live` opens it: with a kernel behind it, and the reader's files."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from netpath.exercises import chapter5
from tests.browser.conftest import Opened
from tests.browser.notebook import COLD, Notebook
from tests.conftest import ROOT
from tests.test_book import NOTEBOOKS

TOKEN = "the-readers-own"
SETTINGS = {
    "notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the page, seen or not
    "apputils-extension/notification": {"fetchNews": "false"},
}


@dataclass
class Lab:
    """A JupyterLab and what its reader has: notebooks, and a record of exercises."""

    address: str
    record: Path

    def state(self, exercise: str) -> Any:
        """What is on record for an exercise, if anything."""
        kept = json.loads(self.record.read_text(encoding="utf-8")) if self.record.exists() else {"exercises": {}}
        return kept["exercises"].get(exercise, {}).get("state")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One in which nobody has been yet."""
    home = tmp_path_factory.mktemp("reader")
    notebooks, record = home / "notebooks", home / "data" / "netpath" / "netpath-progress.json"
    notebooks.mkdir()
    shutil.copy(NOTEBOOKS[4], notebooks)
    for name, values in SETTINGS.items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "NETPATH_PROGRESS"} | {
        "HOME": str(home),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "PYTHONPATH": str(ROOT),
        "XDG_DATA_HOME": str(home / "data"),
    }
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1", f"--IdentityProvider.token={TOKEN}"]
    program = [sys.executable, "-m", "jupyterlab", str(notebooks), *options]
    with (home / "log").open("w") as log:
        running = subprocess.Popen(program, env=environment, stdout=log, stderr=log)
        try:
            started(f"http://127.0.0.1:{port}/api", running)
            yield Lab(f"http://127.0.0.1:{port}/", record)
        finally:
            running.terminate()
            running.wait(20)


def started(address: str, running: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    for _ in range(COLD // 100):
        assert running.poll() is None, "JupyterLab ended"
        try:
            urlopen(address).close()
        except URLError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(address)


@pytest.fixture(scope="module")
def notebook(browser: Any, lab: Lab) -> Iterator[Notebook]:
    """Chapter 5, of which every cell has run."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        opened = Opened(context.new_page())
        opened.watch(lab.address)
        notebook = Notebook(opened).open(f"{lab.address}lab/tree/{NOTEBOOKS[4].name}?token={TOKEN}")
        notebook.page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=COLD)
        notebook.run_all()
        yield notebook


def exercise(notebook: Notebook) -> Any:
    return notebook.page.locator(".netpath-exercise").filter(has_text=chapter5.q1.head)


def answered(exercise: Any, answer: str, sign: str) -> None:
    """Give an answer, and wait until it is judged so."""
    exercise.get_by_role("textbox").fill(answer)
    exercise.get_by_role("button", name="Check").click()
    exercise.locator(".np-exercise-state", has_text=sign).wait_for()


def test_every_cell_runs(notebook: Notebook) -> None:
    gone = [said for said in notebook.opened.complaints if said.startswith("left the site: http")]
    assert (notebook.errors, gone) == ([], [])


def test_the_prose_is_shown_as_in_the_pages(notebook: Notebook) -> None:
    prose = " ".join(notebook.page.locator(".jp-MarkdownCell").all_inner_texts())
    assert ("load balancer" in prose, "{term}" in prose, ":::" in prose) == (True, False, False)


def test_the_player_steps(notebook: Notebook) -> None:
    player = notebook.page.locator(".netpath-player").first
    said = player.inner_text()
    player.get_by_role("button", name="Step forward").click()
    assert player.inner_text() != said


def test_controls_ask_the_kernel_and_the_player_is_drawn_anew(notebook: Notebook) -> None:
    box = notebook.page.locator(".jp-OutputArea-output").filter(has=notebook.page.locator(".widget-hbox")).first
    box.get_by_label("URL").fill("http://shop.example.com/nowhere")
    notebook.page.keyboard.press("Tab")
    box.get_by_text("GET http://shop.example.com/nowhere").first.wait_for()


def test_whoever_is_wrong_is_told_why_and_stays_in_the_notebook(notebook: Notebook) -> None:
    answered(exercise(notebook), chapter5.q1.now.slips[0].answer, "✕")
    told = exercise(notebook).get_by_role("status")
    assert ("Read again" in told.inner_text(), told.get_by_role("link").count()) == (True, 0)


def test_an_answer_is_put_on_record_among_the_readers_files(notebook: Notebook, lab: Lab) -> None:
    answered(exercise(notebook), chapter5.q1.now.answer, "✓")
    for _ in range(100):  # the page says it at once, and the kernel writes it down
        if lab.state("5.1") == "right":
            break
        notebook.page.wait_for_timeout(100)
    assert lab.state("5.1") == "right"


def test_changes_and_what_was_answered_outlive_a_reload(notebook: Notebook) -> None:
    notebook.run("mine = 6 * 7\nprint(mine)")
    notebook.save()
    notebook.page.reload()
    notebook.wait()
    exercise(notebook).locator(".np-exercise-state", has_text="✓").wait_for()
    assert notebook.source().startswith("mine = 6 * 7")
