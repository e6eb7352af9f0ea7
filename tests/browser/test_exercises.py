"""Exercises in a real browser: a reader is wrong, is told why, is right, comes back, and takes the record elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from netpath.exercises import chapter5, progress
from netpath.exercises.everything import chapters
from netpath.exercises.exercise import Chapter
from netpath.exercises.predict import Form, Predict, Slip
from tests.browser.axe import violations
from tests.browser.conftest import VIEWS, visit
from tests.conftest import SITE

PAGE, INTRO = "notebooks/05_there_and_back_again.html", "book/intro.html"
CALLING, SYMPTOM, NIGHT = chapter5.q1, chapter5.q6, chapter5.q7
READY = ".netpath-exercise .np-bar"


@contextmanager
def at_work(browser: Any, site: str, view: str) -> Iterator[Any]:
    """The chapter's page in a view, for a reader who has done nothing yet."""
    with visit(browser, site, **VIEWS[view]) as opened:
        opened.widget(site + PAGE, "exercise")
        yield opened.page


@pytest.fixture(scope="module")
def desk(browser: Any, site: str) -> Iterator[Any]:
    """A page that tests share: each is at an exercise of its own."""
    with at_work(browser, site, "light") as page:
        yield page


@pytest.fixture
def page(browser: Any, site: str) -> Iterator[Any]:
    """A reader's first visit."""
    with at_work(browser, site, "light") as page:
        yield page


def box(page: Any, exercise: Predict) -> Any:
    """Where an exercise is asked."""
    return page.locator(".netpath-exercise").filter(has_text=exercise.head)


def press(widget: Any, name: str) -> None:
    widget.get_by_role("button", name=re.compile(f"^{name}")).click()


def answer(widget: Any, exercise: Predict, text: str) -> None:
    """Give an answer as the exercise wants it: typed, or chosen."""
    if exercise.now.form is Form.CHOICE:
        widget.get_by_role("radio").nth(exercise.now.options.index(text)).check()
    else:
        widget.get_by_role("textbox").fill(text)
    press(widget, "Check")


def result(widget: Any) -> str:
    """What is said of an answer, to whoever looks and whoever listens."""
    return str(widget.get_by_role("status").inner_text())


def state(widget: Any) -> str:
    return str(widget.locator(".np-exercise-state").inner_text())


def plain(text: str) -> str:
    """A text without its backticks, as a reader sees it."""
    return text.replace("`", "")


def believed(exercise: Predict) -> Slip:
    """A mistake that has a belief behind it, in the first variant that has one."""
    exercise.variant(f"{exercise.number}-01")
    while not any(slip.misconception for slip in exercise.now.slips):
        exercise.another()
    return next(slip for slip in exercise.now.slips if slip.misconception)


@pytest.fixture(autouse=True)
def first_variants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test begins with the first variant, as a new reader does."""
    monkeypatch.setenv("NETPATH_PROGRESS", str(tmp_path / progress.NAME))
    for exercise in (CALLING, SYMPTOM, NIGHT):
        exercise.variant(f"{exercise.number}-01")


# An exercise to the end ---------------------------------------------------------------------------


def test_a_wrong_answer_gets_the_belief_by_name_and_a_way_back(page: Any) -> None:
    slip = believed(CALLING)
    widget = box(page, CALLING)
    for _ in range(CALLING.at):
        press(widget, "Another")
    answer(widget, CALLING, slip.answer)
    said = result(widget)
    assert plain(slip.because) in said and slip.misconception in said
    widget.get_by_role("link").click()
    assert slip.see is not None
    _, _, anchor = slip.see.page.partition("#")
    assert page.url.endswith(f"#{anchor}") and page.locator(f"[id='{anchor}']").count() == 1


def test_hints_are_counted(page: Any) -> None:
    widget = box(page, CALLING)
    count = len(CALLING.hints)
    assert widget.get_by_role("button", name=f"Hint ({count})").is_visible()
    for _ in range(count + 1):
        press(widget, "Hint")
    assert widget.get_by_role("button", name=f"Hint ({count} of {count} shown)").is_visible()
    assert widget.locator(".np-exercise-hints li").count() == count


def test_a_right_answer_is_explained_and_counted(page: Any) -> None:
    widget = box(page, SYMPTOM)
    answer(widget, SYMPTOM, SYMPTOM.now.answer)
    assert "Right." in result(widget) and plain(SYMPTOM.now.why.split("\n")[0]) in result(widget)
    assert state(widget) == "✓ right"


def test_an_answer_of_another_form_is_told_so_and_not_counted(desk: Any) -> None:
    widget = box(desk, chapter5.q2)
    widget.get_by_role("textbox").fill("the node")
    press(widget, "Check")
    assert "10.0.0.1" in result(widget) and state(widget) == "○ not attempted"


def test_another_variant_asks_anew_and_the_cursor_is_where_one_answers(desk: Any) -> None:
    widget = box(desk, chapter5.q4)
    before = widget.locator(".np-exercise-question").inner_text()
    press(widget, "Another")
    assert "Variant 5.4-02" in widget.inner_text() and widget.locator(".np-exercise-question").inner_text() != before
    assert widget.get_by_role("textbox").evaluate("input => input === document.activeElement")


def test_after_the_last_variant_comes_the_first(desk: Any) -> None:
    widget = box(desk, chapter5.q5)
    for _ in chapter5.q5.variants():
        press(widget, "Another")
    assert "Variant 5.5-01" in widget.inner_text()


def test_a_solution_opens_on_request(desk: Any) -> None:
    widget = box(desk, chapter5.q3)
    assert not widget.get_by_text(plain(chapter5.q3.now.why)[:40]).first.is_visible()
    widget.get_by_text("Solution", exact=True).click()
    assert plain(chapter5.q3.now.answer) in widget.locator("details").inner_text()


def test_a_reader_who_comes_back_finds_variant_and_state(page: Any) -> None:
    widget = box(page, NIGHT)
    press(widget, "Another")
    NIGHT.another()
    answer(widget, NIGHT, NIGHT.now.answer)
    page.reload()
    widget = box(page, NIGHT)
    assert state(widget) == "✓ right" and f"Variant {NIGHT.code}" in widget.inner_text()


def test_what_was_right_once_stays_so(page: Any) -> None:
    widget = box(page, NIGHT)
    answer(widget, NIGHT, NIGHT.now.answer)
    answer(widget, NIGHT, NIGHT.now.slips[0].answer)
    assert "Wrong because" in result(widget) and state(widget) == "✓ right"


# Without a mouse, without JavaScript, for everybody ---------------------------------------------------


def test_a_typed_answer_needs_no_mouse(page: Any) -> None:
    widget = box(page, CALLING)
    widget.get_by_role("textbox").focus()
    page.keyboard.type(CALLING.now.answer)
    page.keyboard.press("Enter")
    assert state(widget) == "✓ right"


def test_a_chosen_answer_needs_no_mouse(page: Any) -> None:
    widget = box(page, SYMPTOM)
    widget.get_by_role("radio").first.focus()
    page.keyboard.press("Space")
    for _ in range(SYMPTOM.now.options.index(SYMPTOM.now.answer)):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert state(widget) == "✓ right"


def test_the_order_of_the_keyboard_is_answer_check_hint_another_solution(page: Any) -> None:
    widget = box(page, CALLING)
    widget.get_by_role("textbox").focus()
    found = []
    for _ in range(4):
        page.keyboard.press("Tab")
        found.append(page.evaluate("document.activeElement.textContent"))
    assert [each.split(" ")[0] for each in found] == ["Check", "Hint", "Another", "Solution"]


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_in_an_exercise_that_was_answered(browser: Any, site: str, view: str) -> None:
    with at_work(browser, site, view) as page:
        for exercise in (CALLING, SYMPTOM):
            widget = box(page, exercise)
            answer(widget, exercise, exercise.now.slips[0].answer)
            press(widget, "Hint")
            widget.get_by_text("Solution", exact=True).click()
        assert violations(page, ".netpath-exercise") == []


def test_on_a_phone_nothing_runs_over_the_edge(browser: Any, site: str) -> None:
    with at_work(browser, site, "phone") as page:
        boxes = page.locator(".netpath-exercise").evaluate_all("all => all.map(e => e.scrollWidth - e.clientWidth)")
    assert max(boxes) <= 0


def test_without_javascript_there_are_the_question_and_a_folded_solution(browser: Any, site: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(site + PAGE)
        frame = page.locator(".netpath-frame").filter(has_text=CALLING.head)
        CALLING.variant(str(frame.locator("summary").inner_text()).split()[-1])  # the one that the builder was at
        assert plain(CALLING.now.question.split("\n")[0])[:60] in frame.inner_text()
        assert not frame.get_by_text(plain(CALLING.now.why)).first.is_visible()
        frame.get_by_text(f"Solution of {CALLING.code}").click()
        assert frame.get_by_text(plain(CALLING.now.why)).first.is_visible()


WIDGETS = re.compile(r'(<script type="application/vnd.jupyter.widget-state\+json">)(.*?)(</script>)', re.DOTALL)
BAD = "<img src=nowhere onerror=window.broken=1>"


def test_a_name_that_looks_like_markup_is_shown_as_a_name(browser: Any, site: str) -> None:
    def renamed(route: Any) -> None:
        text = route.fetch().text()
        route.fulfill(
            body=WIDGETS.sub(lambda found: found[1] + found[2].replace("the load balancer", BAD) + found[3], text)
        )

    with browser.new_context() as context:
        page = context.new_page()
        page.route(site + PAGE, lambda route: renamed(route))
        page.goto(site + PAGE)
        page.locator(READY).nth(6).wait_for()
        shown = page.locator(".netpath-exercise").filter(has_text=BAD).count()
        assert shown and page.evaluate("window.broken") is None and page.locator("img[src=nowhere]").count() == 0


# The map, and the record -------------------------------------------------------------------------------


def done(page: Any, chapter: Chapter = chapter5.exercises) -> int:
    """How many of a chapter's exercises are right, on the introduction's map."""
    card = page.locator(".np-progress-road > li").filter(has_text=chapter.title)
    return int(re.findall(r"(\d+) of \d+ right", card.inner_text())[0])


@pytest.fixture
def road(browser: Any, site: str) -> Iterator[Any]:
    """The introduction's map, for a reader who has one exercise right and one wrong."""
    record = {NIGHT.number: "right", CALLING.number: "wrong"}
    text = progress.exported({each: {"state": said, "variant": 0, "tries": 1} for each, said in record.items()})
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(site + INTRO)
        page.evaluate("text => localStorage.setItem('netpath-progress', text)", text)
        page.reload()
        page.locator(".netpath-progress .np-bar").wait_for()
        yield page


def test_what_is_done_in_a_chapter_is_on_the_introductions_map(page: Any, site: str) -> None:
    answer(box(page, NIGHT), NIGHT, NIGHT.now.answer)
    page.goto(site + INTRO)
    page.locator(".netpath-progress .np-bar").wait_for()
    assert done(page) == 1


def test_the_map_shows_what_was_done_in_words_too(road: Any) -> None:
    assert done(road) == 1
    said = road.locator(".np-progress-road").text_content()
    assert f"{NIGHT.number} {NIGHT.title}: right" in said and f"{CALLING.number} {CALLING.title}: wrong" in said


def test_every_chapter_on_the_map_is_a_click_away(road: Any, site: str) -> None:
    links = road.locator(".np-progress-road a").evaluate_all("all => all.map(each => each.href)")
    assert links == [f"{site}{each.page}.html" for each in chapters()]
    road.get_by_role("link", name="5 There and back again").first.click()
    assert road.url.startswith(site + PAGE)


def exported(page: Any) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export").click()
    return Path(waiting.value.path())


def test_an_export_is_what_a_notebook_reads(road: Any) -> None:
    entries = progress.parse(exported(road).read_text(encoding="utf-8"))
    assert {number: entry["state"] for number, entry in entries.items()} == {"5.1": "wrong", "5.7": "right"}
    assert road.locator(".netpath-progress").get_by_role("status").inner_text() == f"Exported as {progress.NAME}."


def test_a_reset_asks_first(road: Any) -> None:
    road.once("dialog", lambda dialog: dialog.dismiss())
    road.get_by_role("button", name="Reset").click()
    assert done(road) == 1


def test_after_a_reset_an_import_brings_everything_back(road: Any, tmp_path: Path) -> None:
    kept = exported(road).rename(tmp_path / progress.NAME)
    road.once("dialog", lambda dialog: dialog.accept())
    road.get_by_role("button", name="Reset").click()
    assert done(road) == 0
    take(road, kept)
    road.get_by_text("Imported: 2 exercises.").wait_for()
    assert done(road) == 1


def take(page: Any, file: Path) -> None:
    with page.expect_file_chooser() as waiting:
        page.get_by_role("button", name="Import").click()
    waiting.value.set_files(file)


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1, "exercises": {"5.1": {"state": "<img src=x>"}}}'])
def test_an_import_of_something_else_is_refused_and_nothing_is_lost(road: Any, tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.json").write_text(text, encoding="utf-8")
    take(road, tmp_path / "mine.json")
    road.get_by_text("This file isn't one that netpath exported.").wait_for()
    assert done(road) == 1


def test_a_notebooks_record_is_imported_in_the_page(road: Any, tmp_path: Path) -> None:
    record = {each.number: {"state": "right", "variant": 0, "tries": 1} for each in chapter5.exercises.exercises}
    (tmp_path / progress.NAME).write_text(progress.exported(record), encoding="utf-8")
    take(road, tmp_path / progress.NAME)
    road.get_by_text(f"Imported: {len(record)} exercises.").wait_for()
    assert done(road) == len(record) and road.locator(".np-progress-done").count() == 1


def test_a_page_that_may_store_nothing_answers_all_the_same(browser: Any, site: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script("Storage.prototype.setItem = () => { throw new Error('no room') }")
        page.goto(site + PAGE)
        answer(box(page, NIGHT), NIGHT, NIGHT.now.answer)
        assert state(box(page, NIGHT)) == "✓ right"


# Every chapter -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chapter", chapters(), ids=lambda each: str(each.number))
def test_what_is_to_be_read_again_is_there(site: str, chapter: Chapter) -> None:
    asked = [each for each in chapter.exercises if isinstance(each, Predict)]
    places = {slip.see.page for each in asked for variant in each.variants() for slip in variant.slips if slip.see}
    missing = [place for place in places if not there(*place.partition("#")[::2])]
    assert places and missing == []


def there(page: str, anchor: str) -> bool:
    """Whether a page of the site has a section of that name."""
    return not anchor or f'id="{anchor}"' in (SITE / f"{page}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("chapter", chapters(), ids=lambda each: str(each.number))
def test_a_chapters_page_asks_all_of_its_predictions(browser: Any, site: str, chapter: Chapter) -> None:
    asked = [each.head for each in chapter.exercises if isinstance(each, Predict)]
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{site}{chapter.page}.html")
        page.locator(READY).nth(len(asked) - 1).wait_for()
        heads = page.locator(".np-exercise-head b").all_inner_texts()
    assert heads == asked


def test_the_data_of_a_pages_exercises_is_not_heavy() -> None:
    sizes = {
        chapter.number: sum(len(json.dumps(each.data())) for each in chapter.exercises if isinstance(each, Predict))
        for chapter in chapters()
    }
    assert max(sizes.values()) < 160_000, sizes
