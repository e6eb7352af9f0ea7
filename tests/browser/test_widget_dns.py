"""The DNS widget in the published page: a reader steps, scrubs, chooses, types, and reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import VIEWS, visit

PAGE = "notebooks/02_dns_resolution.html"
SHOP, WWW, SLIP = "shop.example.com", "www.example.com", "sh0p.example.com"


@pytest.fixture
def widget(browser: Any, site: str) -> Iterator[Any]:
    """The chapter's widget."""
    with visit(browser, site, **VIEWS["light"]) as opened:
        yield opened.widget(site + PAGE, "dns")


def choose(widget: Any, first: str, who: str = "Ben", second: str = SHOP) -> None:
    for label, value in (("Ana looks up", first), ("Then", who), ("looks up", second)):
        widget.locator("label.np-field").filter(has_text=label).last.locator("select").select_option(value)


def at(widget: Any, second: int) -> str:
    """What is heard at a second that is typed in."""
    field = widget.get_by_label("Second, from 0 on")
    field.fill(str(second))
    field.press("Enter")
    return str(widget.locator(".np-say").first.inner_text())


def step(widget: Any) -> str:
    return str(widget.locator(".dns-stage .np-say").inner_text())


def test_the_walk_can_be_stepped_from_the_machine_to_the_answer(widget: Any) -> None:
    seen = [step(widget)]
    while widget.get_by_label("Step forward").get_attribute("aria-disabled") == "false":
        widget.get_by_label("Step forward").click()
        seen.append(step(widget))
    assert "own memory has nothing" in seen[0] and seen[-1] == "The resolver answers: NOERROR."
    assert [text.split(":")[0] for text in seen if text.startswith("Question")] == [
        f"Question {n}" for n in range(1, 5)
    ]


def test_arrow_keys_walk_too(widget: Any) -> None:
    widget.get_by_label("Play").focus()
    for _ in range(4):
        widget.page.keyboard.press("ArrowRight")
    assert "shop.example.com A: referral: ask for com" in step(widget)
    widget.page.keyboard.press("Home")
    assert "own memory" in step(widget)


def test_playing_goes_on_by_itself(widget: Any) -> None:
    before = step(widget)
    widget.get_by_label("Play").click()
    widget.page.wait_for_timeout(1600)
    widget.get_by_label("Pause").click()
    assert step(widget) != before


def test_a_question_shows_its_flags_its_records_and_what_was_set_aside(widget: Any) -> None:
    choose(widget, WWW)
    widget.get_by_role("button", name="At 0 s: Ana").click()
    while not step(widget).startswith("Question 4"):
        widget.get_by_label("Step forward").click()
    said = widget.locator(".dns-message").inner_text()
    assert "flags none" in said and "flags QR AA" in said and "IN CNAME shop-alb" in said.replace("\n", " ")
    assert "set aside: only www.example.com. was asked for" in said


@pytest.mark.parametrize(("second", "ttl", "questions"), [(45, 15, 0), (60, 0, 0), (61, 60, 1), (86_401, 60, 4)])
def test_the_second_look_up_hears_what_is_left(widget: Any, second: int, ttl: int, questions: int) -> None:
    assert at(widget, second).endswith(f"203.0.113.20, TTL {ttl}; questions to name servers: {questions}.")


def test_scrubbing_the_clock_counts_the_ttl_down(widget: Any) -> None:
    clock = widget.get_by_label("Clock", exact=True).and_(widget.locator("input"))
    clock.fill("50")
    assert "At 50 s Ben hears" in widget.inner_text() and "TTL 10" in widget.locator(".np-say").first.inner_text()
    clock.press("ArrowRight")
    assert "TTL 9;" in widget.locator(".np-say").first.inner_text()


def test_the_next_expiry_is_one_click_away(widget: Any) -> None:
    widget.get_by_role("button", name="next expiry").click()
    assert widget.locator("table").inner_text().count("forgotten since 61 s") == 2


def test_ana_needs_no_message_while_her_machine_remembers(widget: Any) -> None:
    choose(widget, SHOP, "Ana")
    at(widget, 50)
    assert "asks nobody: CACHED" in step(widget)


def test_no_is_remembered_too(widget: Any) -> None:
    choose(widget, SLIP, "Ben", SLIP)
    assert at(widget, 100).endswith("hears: NXDOMAIN, TTL 200; questions to name servers: 0.")
    assert at(widget, 301).endswith("hears: NXDOMAIN, TTL 300; questions to name servers: 1.")


def test_what_is_no_second_is_taken_as_the_nearest(widget: Any) -> None:
    assert at(widget, -5).startswith("At 0 s")


@pytest.mark.parametrize("width", [320, 768])
def test_the_widget_fits_a_narrow_screen(browser: Any, site: str, width: int) -> None:
    with visit(browser, site, viewport={"width": width, "height": 700}) as opened:
        found = opened.widget(site + PAGE, "dns")
        choose(found, WWW, "Ben", SLIP)
        assert found.evaluate("element => element.scrollWidth <= element.clientWidth")
