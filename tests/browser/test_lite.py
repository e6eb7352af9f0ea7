"""The notebooks in the browser, with every other host out of reach. `make lite` builds them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import SUB_PATH, Opened
from tests.browser.notebook import Notebook
from tests.conftest import SITE, skip_here
from tests.test_book import NOTEBOOKS

NEVER_ENDS = """\
from netpath.exercises.limit import limited
def loop():
    while True:
        pass
print(limited(loop, 1).because)"""
OWN_MODULES = """\
import importlib
from pathlib import Path
for name in "mine", "json":
    Path(f"{name}.py").write_text("where = 'here'")
importlib.invalidate_caches()
import json, mine
print(mine.where, hasattr(json, "where"))"""
DONE = """\
from netpath.exercises import chapter5
chapter5.q1.check("10.0.0.1")
print(chapter5.progress())"""
AGAIN = """\
from netpath.exercises import chapter5, progress
print(sorted(progress.read()))"""

# Makes the reader's copy one of an earlier edition, in the browser's own storage.
OLDER = """(name) => new Promise((done, failed) => {
  const opening = indexedDB.open("netpath notebooks");
  opening.onsuccess = () => {
    const files = opening.result.transaction("files", "readwrite").objectStore("files");
    const getting = files.get(name);
    getting.onsuccess = () => {
      getting.result.content.metadata.netpath.edition = "earlier";
      files.put(getting.result, name).onsuccess = () => done();
    };
    getting.onerror = failed;
  };
})"""


@pytest.fixture
def notebook(browser: Any, site: str) -> Iterator[Notebook]:
    """A browser that was never here before."""
    if not (SITE / "lite" / "jupyter-lite.json").exists():
        skip_here("the notebooks in the browser aren't built: make lite")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    opened = Opened(context.new_page())
    opened.watch(site)
    yield Notebook(opened)
    context.close()


def lite(site: str, chapter: int) -> str:
    """Where a chapter's notebook is."""
    return f"{site}lite/notebooks/index.html?path={NOTEBOOKS[chapter - 1].name}"


def test_the_rocket_of_a_chapter_opens_that_chapter(notebook: Notebook, site: str) -> None:
    page = notebook.page
    page.goto(f"{site}notebooks/{NOTEBOOKS[1].stem}.html")
    with page.context.expect_page() as opening:
        page.locator("a.btn-run").first.click()
    there = Notebook(Opened(opening.value)).wait()
    assert "A name becomes an address" in there.page.locator(".jp-Notebook h1").first.inner_text()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(notebook: Notebook, site: str, path: Path) -> None:
    notebook.open(f"{site}lite/notebooks/index.html?path={path.name}").run_all()
    host = site.removesuffix(SUB_PATH)  # JupyterLite's service worker answers for a path of the host's own
    gone = [said for said in notebook.opened.complaints if said.startswith("left the site") and host not in said]
    assert (notebook.errors, gone) == ([], [])


def test_the_player_steps(notebook: Notebook, site: str) -> None:
    notebook.open(lite(site, 5)).run_all()
    player = notebook.page.locator(".netpath-player").first
    said = player.inner_text()
    player.get_by_role("button", name=re.compile("next|forward", re.I)).first.click()
    assert player.inner_text() != said


def test_a_slider_asks_python(notebook: Notebook, site: str) -> None:
    code = "import ipywidgets\nipywidgets.interact(lambda packets: print(packets * 111), packets=(1, 9));"
    notebook.open(lite(site, 1)).run(code)
    cell = notebook.page.locator(".jp-CodeCell").first
    cell.locator(".noUi-handle").focus()
    notebook.page.keyboard.press("ArrowRight")
    cell.get_by_text("666").wait_for()


def test_python_starts_before_the_notebook_is_there_and_only_once(notebook: Notebook, site: str) -> None:
    asked: list[str] = []
    notebook.page.context.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    notebook.open(lite(site, 1)).run("pass")
    wasm = [at for at, name in enumerate(asked) if name == "pyodide.asm.wasm"]
    assert len(wasm) == 1
    assert wasm[0] < asked.index(NOTEBOOKS[0].name)


def test_a_restarted_kernel_begins_anew(notebook: Notebook, site: str) -> None:
    notebook.open(lite(site, 1)).run("mine = 1")
    notebook.page.get_by_role("menuitem", name="Kernel", exact=True).click()
    notebook.page.get_by_role("menuitem", name=re.compile(r"^Restart Kernel…")).click()
    notebook.page.get_by_role("button", name="Confirm Kernel Restart").click()
    assert "NameError" in notebook.wait().run("import netpath.load\nmine")


def test_a_readers_own_module_is_found_after_pythons(notebook: Notebook, site: str) -> None:
    assert notebook.open(lite(site, 1)).run(OWN_MODULES).split() == ["here", "False"]


def test_an_endless_loop_in_an_exercise_is_stopped(notebook: Notebook, site: str) -> None:
    assert "is there a loop that never ends" in notebook.open(lite(site, 1)).run(NEVER_ENDS)


def test_changes_and_progress_outlive_a_reload_and_reset_puts_the_books_back(notebook: Notebook, site: str) -> None:
    notebook.open(lite(site, 5))
    first = notebook.source()
    assert "5.1" in notebook.run(DONE)
    notebook.save()
    notebook.page.reload()
    notebook.wait()
    assert notebook.source().startswith("from netpath.exercises import chapter5")
    assert "['5.1']" in notebook.run(AGAIN)
    notebook.page.once("dialog", lambda dialog: dialog.accept())
    notebook.page.get_by_text("Reset", exact=True).click()
    notebook.page.wait_for_timeout(2000)
    assert notebook.source() == first


def test_a_new_edition_doesnt_hide_behind_the_readers_copy(notebook: Notebook, site: str) -> None:
    notebook.open(lite(site, 1)).run("mine = 1")
    notebook.save()
    notebook.page.evaluate(OLDER, NOTEBOOKS[0].name)
    notebook.page.reload()
    notebook.wait()
    notebook.page.get_by_role("button", name="Take the new one").click()
    notebook.page.wait_for_timeout(2000)
    assert "mine = 1" not in notebook.source()
