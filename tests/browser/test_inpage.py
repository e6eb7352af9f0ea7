"""Code cells in the page: run, edit, run, stop an endless loop, reset; and nothing of it before the first Run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.browser.conftest import Opened
from tests.conftest import SITE, skip_here

PAGE = "notebooks/05_there_and_back_again.html"
PATIENCE = 90_000  # ms: as long as a busy machine may take to start Python


@dataclass
class Chapter:
    """A chapter in the browser, and what it has asked for."""

    opened: Opened
    asked: list[str] = field(default_factory=list)

    @property
    def page(self) -> Any:
        """The browser's page."""
        return self.opened.page

    def cell(self, words: str) -> Any:
        """The first cell with buttons whose code contains these words."""
        return self.page.locator(".np-runs", has=self.page.locator(".cell_input pre", has_text=words)).first

    def run(self, cell: Any) -> Any:
        """Run a cell and wait until it has ended; its outputs."""
        press(cell, "Run")
        return self.ended(cell)

    def ended(self, cell: Any) -> Any:
        """The outputs of a cell that was running."""
        self.page.wait_for_function("cell => !('running' in cell.dataset)", arg=cell.element_handle(), timeout=PATIENCE)
        return cell.locator(".np-live")

    def replace(self, cell: Any, code: str) -> None:
        """Put other code into a cell."""
        press(cell, "Edit")
        cell.locator("textarea").fill(code)


def press(cell: Any, label: str) -> None:
    """Press one of a cell's buttons."""
    cell.get_by_role("button", name=label, exact=True).click()


@pytest.fixture(scope="module")
def chapter(browser: Any, site: str) -> Iterator[Chapter]:
    """A chapter, opened once, with Python started by the first test that runs a cell."""
    if not (SITE / "lite/static/pyodide/pyodide.mjs").exists():
        skip_here("the notebooks in the browser aren't built, and Python with them: make lite")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    result = Chapter(Opened(context.new_page()))
    context.on("request", lambda request: result.asked.append(request.url))
    result.opened.watch(site)
    result.page.goto(site + PAGE)
    result.page.wait_for_selector(".np-run-bar")
    yield result
    context.close()


def test_before_the_first_run_only_a_few_kilobytes_are_loaded(chapter: Chapter) -> None:
    own = [url.partition("?")[0].rpartition("/")[2] for url in chapter.asked if "/inpage/" in url]
    assert sorted(own) == ["page.css", "page.js"]
    assert not [url for url in chapter.asked if "/lite/" in url or ".wasm" in url]
    assert (SITE / "_static/inpage/page.js").stat().st_size < 12_000


def test_a_page_without_such_cells_loads_nothing_of_it() -> None:
    assert "inpage/" not in (SITE / "book/glossary.html").read_text(encoding="utf-8")


def test_run_says_how_loading_goes_and_shows_what_is_printed(chapter: Chapter) -> None:
    cell = chapter.cell("def second_target")
    press(cell, "Run")
    chapter.page.wait_for_function("() => /Loading Python/.test(document.body.innerText)", timeout=PATIENCE)
    assert re.match(r"200 from pod shop/cart-\S+\n$", chapter.ended(cell).inner_text())


def test_a_cell_finds_what_the_cells_before_it_define(chapter: Chapter) -> None:
    figure = chapter.run(chapter.cell("road(miss)"))
    assert figure.locator("figure.netpath-figure svg").count() == 1
    assert "status 200" in figure.locator("figcaption").inner_text()


def test_the_outcome_is_told_to_those_who_listen(chapter: Chapter) -> None:
    chapter.run(chapter.cell("road(miss)"))
    assert chapter.page.locator("[role=status].np-run-announcer").inner_text().startswith("Done. The road of GET")


def test_changed_code_runs_from_the_keyboard(chapter: Chapter) -> None:
    cell = chapter.cell("road(miss)")
    press(cell, "Edit")
    cell.locator("textarea").fill("for n in range(3):")
    chapter.page.keyboard.press("End")
    chapter.page.keyboard.press("Enter")
    chapter.page.keyboard.type("print(n * len(world.pods))")
    chapter.page.keyboard.press("Control+Enter")
    numbers = chapter.ended(cell).inner_text().split()
    assert numbers[0] == "0"
    assert int(numbers[2]) == 2 * int(numbers[1]) > 0


def test_an_error_is_told_by_its_name_and_its_line(chapter: Chapter) -> None:
    cell = chapter.cell("road(miss)")
    chapter.replace(cell, "n = 1\nroad(mis)")
    told = chapter.run(cell).inner_text()
    assert "NameError: name 'mis' is not defined" in told
    assert "Line 2 of this cell: road(mis)" in told


def test_reset_brings_back_the_published_code_and_output(chapter: Chapter) -> None:
    cell = chapter.cell("road(miss)")
    chapter.replace(cell, "1 / 0")
    chapter.run(cell)
    press(cell, "Reset")
    assert cell.locator("textarea, .np-live").count() == 0
    assert cell.locator(".cell_input pre").inner_text().strip().endswith("road(miss)")
    assert cell.locator(".cell_output figure").is_visible()
    assert cell.get_by_role("button", name="Run").evaluate("button => button === document.activeElement")


def test_an_endless_loop_can_be_stopped_and_the_next_run_begins_anew(chapter: Chapter) -> None:
    cell = chapter.cell("road(miss)")
    chapter.replace(cell, "print('on and on')\nwhile True: pass")
    press(cell, "Run")
    cell.locator(".np-live", has_text="on and on").wait_for(timeout=PATIENCE)
    press(cell, "Stop")
    assert "Stopped" in cell.locator(".np-run-state").inner_text()
    press(cell, "Reset")
    assert chapter.run(cell).locator("figure").count() == 1


def test_a_widget_answers_by_itself_and_has_no_buttons(chapter: Chapter) -> None:
    cells = chapter.page.locator(".cell", has=chapter.page.locator(".netpath-player"))
    assert cells.count() > 0
    assert cells.locator(".np-run-bar").count() == 0


def test_an_exercise_can_be_done_in_the_page(chapter: Chapter) -> None:
    cell = chapter.cell("chapter5.q10.check(client)")
    chapter.replace(cell, "def client(peer, header, trusted):\n    return peer\n\n\nchapter5.q10.check(client)")
    told = chapter.run(cell).inner_text()
    assert "not attempted" not in told
    assert told.strip()


@pytest.mark.parametrize("view", ["dark", "phone"])
def test_buttons_are_large_enough_and_fit(view: str, browser: Any, site: str) -> None:
    from tests.browser.conftest import VIEWS

    context = browser.new_context(**VIEWS[view])
    page = context.new_page()
    page.goto(site + PAGE)
    boxes = [each.bounding_box() for each in page.locator(".np-run-button:visible").all()[:20]]
    assert all(box["height"] >= 24 and box["width"] >= 24 for box in boxes)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()


def test_nothing_went_wrong_and_no_other_host_was_asked(chapter: Chapter) -> None:
    assert chapter.opened.complaints == []
