"""The balancing widget in a real browser: a reader plays requests, switches zones and health, keeps connections."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest

from netpath import shop
from netpath.show.widgets.balancing_data import BOOK, connections, requests
from tests.browser.conftest import Opened, one_view

PAGE = "notebooks/03_getting_to_kubernetes.html"
ALGORITHMS = ("round_robin", "least_outstanding_requests", "weighted_random")


@pytest.fixture
def widget(opened: Opened, site: str) -> Any:
    """The chapter's widget."""
    return opened.widget(site + PAGE, "balancing")


def counts(widget: Any, panel: int) -> list[int]:
    """How many requests each row of a panel says that it has."""
    numbers = widget.locator(".np-panel").nth(panel).locator(".np-number").all_inner_texts()
    return [int(re.match(r"\d+", text)[0]) for text in numbers]  # type: ignore[index]


def said(widget: Any) -> str:
    return str(widget.locator(".np-say").inner_text())


def expected(state: str, algorithm: int, count: int) -> list[int]:
    run = requests(BOOK)["states"][state]["runs"][algorithm][:count].lower()
    return [run.count(letter) for letter in "abcdef"]


def scrub(widget: Any, to: int) -> None:
    widget.get_by_role("slider").fill(str(to - 1))


def test_at_the_end_the_bars_say_what_the_model_counted(widget: Any) -> None:
    assert [counts(widget, at) for at in range(3)] == [expected("1 000000", at, 60) for at in range(3)]


@one_view
def test_scrubbing_shows_so_many_requests(widget: Any) -> None:
    for count in (1, 20, 21, 43):
        scrub(widget, count)
        assert [counts(widget, at) for at in range(3)] == [expected("1 000000", at, count) for at in range(3)]


@one_view
def test_a_step_says_which_request_came_where_and_who_was_picked(widget: Any) -> None:
    scrub(widget, 1)
    widget.get_by_label("Step forward").click()
    picked = [requests(BOOK)["states"]["1 000000"]["runs"][at][1] for at in range(3)]
    names = [BOOK.names["abcdef".index(letter)] for letter in picked]
    told = [f"{algorithm} picks {name}" for algorithm, name in zip(ALGORITHMS, names, strict=True)]
    assert said(widget).startswith("Request 2 comes to the node in zone b: " + f"{told[0]}, {told[1]} and {told[2]}.")


@one_view
def test_requests_pile_up_on_the_slow_target(widget: Any) -> None:
    scrub(widget, 60)
    slow = [panel.locator("li").nth(2).inner_text() for panel in widget.locator(".np-panel").all()[:3]]
    flying = [int(re.search(r"(\d+) in flight", text)[1]) for text in slow]  # type: ignore[index]
    assert flying[1] < min(flying[0], flying[2])


@one_view
def test_without_cross_zone_the_smaller_zone_carries_more(widget: Any) -> None:
    widget.get_by_label("cross-zone").uncheck()
    assert counts(widget, 0) == expected("0 000000", 0, 60)
    assert "a1 and a2 25 % each; b1, b2, b3 and b4 12.5 % each" in widget.locator(".np-alike").inner_text()


def test_a_target_falls_ill_and_gets_nothing_more(widget: Any) -> None:
    widget.get_by_role("button", name="a2 healthy").click()
    assert "From request 21 on, a2 is unhealthy." in said(widget)
    assert counts(widget, 0) == expected("1 010000", 0, 60)
    assert "a2 ✕ unhealthy" in widget.locator(".np-panel").first.inner_text()


@one_view
def test_before_it_falls_ill_nothing_is_changed(widget: Any) -> None:
    widget.get_by_role("button", name="a2 healthy").click()
    scrub(widget, 20)
    assert counts(widget, 0) == expected("1 000000", 0, 20)
    assert "✕ unhealthy" not in widget.locator(".np-panel").first.inner_text()


@one_view
def test_when_all_are_ill_the_group_fails_open(widget: Any) -> None:
    widget.get_by_role("button", name="all unhealthy").click()
    scrub(widget, 40)
    assert "so the group fails open" in said(widget)
    widget.get_by_role("button", name="none unhealthy").click()
    assert "From request 21 on, no target is unhealthy." in said(widget)


@one_view
def test_a_zone_without_anybody_healthy_is_no_longer_named(widget: Any) -> None:
    widget.get_by_label("cross-zone").uncheck()
    for name in ("a1", "a2"):
        widget.get_by_role("button", name=f"{name} healthy").click()
    scrub(widget, 33)
    assert "in zone b, for DNS names no other than b" in said(widget)


@one_view
def test_the_keyboard_steps_through_the_requests(widget: Any) -> None:
    widget.get_by_role("slider").focus()
    widget.page.keyboard.press("Home")
    widget.page.keyboard.press("ArrowRight")
    assert said(widget).startswith("Request 2 ")
    widget.page.keyboard.press("End")
    assert said(widget).startswith("Request 60 ")


@one_view
def test_playing_goes_on_by_itself_and_stops(widget: Any) -> None:
    scrub(widget, 1)
    widget.get_by_role("button", name="Play").click()
    widget.locator(".np-place", has_text="3 of 60").wait_for()
    widget.get_by_role("button", name="Pause").click()
    assert sum(counts(widget, 0)) in (3, 4)


@one_view
def test_kept_connections_skew_kube_proxys_choice(widget: Any) -> None:
    drawn = connections(shop())["draws"][0]
    for kept in ("1", "4", "20"):
        widget.get_by_label("connections kept").select_option(kept)
        few = [drawn[number % int(kept)] for number in range(60)]
        assert counts(widget, 3) == [few.count(pod) for pod in range(3)]


@one_view
def test_a_connection_for_each_request_comes_near_the_expected_share(widget: Any) -> None:
    data = connections(shop())
    widget.get_by_label("keep-alive").uncheck()
    assert counts(widget, 3) == [data["draws"][0].count(pod) for pod in range(3)]
    shares = [f"expected {float(Fraction(share) * 60):.1f}" for share in data["shares"]]
    assert all(share in widget.locator(".np-panel").nth(3).inner_text() for share in shares)


@one_view
def test_drawing_again_draws_other_connections(widget: Any) -> None:
    data = connections(shop())
    widget.get_by_role("button", name="Draw again").click()
    few = [data["draws"][1][number % 4] for number in range(60)]
    assert counts(widget, 3) == [few.count(pod) for pod in range(3)]
