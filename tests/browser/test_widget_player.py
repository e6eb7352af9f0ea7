"""The packet player in a real browser: a reader steps, scrubs, plays, chooses, compares, and reads what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import VIEWS, Opened, visit

PAGE = "notebooks/05_there_and_back_again.html"
FIRST, ALL = 0, 1  # the chapter's players: two journeys near the start, all of them near the end
NOTHING = "nothing"


@pytest.fixture(scope="module")
def desk(browser: Any, site: str) -> Iterator[Opened]:
    with visit(browser, site, **VIEWS["light"]) as opened:
        opened.widget(site + PAGE, "player", ALL)
        yield opened


@pytest.fixture(scope="module")
def phone(browser: Any, site: str) -> Iterator[Opened]:
    with visit(browser, site, **VIEWS["phone"]) as opened:
        opened.widget(site + PAGE, "player", ALL)
        yield opened


def player(opened: Opened, which: int, journey: str) -> Any:
    """One of the page's players as it is at first: at the first step, and with nothing to compare with."""
    widget = opened.page.locator(".netpath-player").nth(which)
    choose(widget, "Compare with", NOTHING)
    choose(widget, "Journey", journey)
    return widget


@pytest.fixture
def widget(desk: Opened) -> Any:
    return player(desk, FIRST, "The miss")


@pytest.fixture
def every(desk: Opened) -> Any:
    return player(desk, ALL, "The hit")


def said(widget: Any) -> str:
    return str(widget.locator(".np-say").inner_text())


def entry(widget: Any, pane: int = 0) -> str:
    """What the ledger's entry says."""
    return str(widget.locator(".np-entry").nth(pane).inner_text())


def choose(widget: Any, name: str, option: str) -> None:
    widget.get_by_role("combobox", name=name).select_option(label=option)


def press(widget: Any, *keys: str) -> None:
    widget.get_by_role("slider").focus()
    for key in keys:
        widget.page.keyboard.press(key)


def where(widget: Any) -> str:
    """Where on the map the packet is."""
    return str(widget.locator(".np-packet").first.evaluate("packet => packet.style.transform"))


# Step, scrub, play -------------------------------------------------------------------------------


def test_it_begins_with_the_question_for_the_name(widget: Any) -> None:
    assert said(widget) == "1 of 54: The user asks the resolver: shop.example.com A?"


def test_a_step_moves_the_packet_and_tells_what_happened(widget: Any) -> None:
    before = where(widget)
    widget.get_by_role("button", name="Step forward").click()
    assert said(widget) == "2 of 54: Name server a.root-servers.net: NOERROR."
    assert where(widget) != before and ". NS?" in entry(widget)


def test_arrow_keys_step_and_home_and_end_go_to_the_ends(widget: Any) -> None:
    press(widget, "End")
    assert said(widget) == "54 of 54: The user sees status 200."
    press(widget, "ArrowLeft")
    assert said(widget).startswith("53 of 54: Internet gateway igw-0c00…000c: TRANSLATED; rewrote the source")
    press(widget, "Home", "ArrowRight")
    assert said(widget).startswith("2 of 54")


def test_the_slider_scrubs(widget: Any) -> None:
    widget.get_by_role("slider").fill("19")
    assert said(widget).startswith("20 of 54: Node ip-10-0-33-12…: ACCEPT; rewrote the source 10.0.0.25:32768 to")


def test_a_part_of_the_journey_is_a_button_away(widget: Any) -> None:
    widget.get_by_role("button", name="Connection 3, back").click()
    assert "cart…-fx2gk answers" in said(widget)
    assert widget.locator(".np-stages [aria-current]").inner_text() == "←3"


def test_it_plays_and_pauses(widget: Any) -> None:
    widget.get_by_role("button", name="Play").click()
    widget.page.wait_for_function(
        "says => !says.textContent.startsWith('1 of')", arg=widget.locator(".np-say").element_handle()
    )
    widget.get_by_role("button", name="Pause").click()
    assert said(widget).startswith("2 of 54")


# The ledger --------------------------------------------------------------------------------------


def test_the_entry_marks_what_was_rewritten_and_names_the_rules(widget: Any) -> None:
    widget.get_by_role("slider").fill("19")
    strong = widget.locator(".np-entry strong").all_inner_texts()
    assert strong == ["10.0.33.12:1024 →", "10.0.34.101:80"]
    assert "-j DNAT --to-destination 10.0.34.101:80" in entry(widget) and "made: NEW, ORIGINAL" in entry(widget)


def test_the_rules_that_were_asked_unfold_and_stay_so(widget: Any) -> None:
    widget.get_by_role("slider").fill("19")
    widget.get_by_text("The 18 rules asked").click()
    press(widget, "ArrowLeft", "ArrowRight")
    assert "KUBE-NODEPORTS" in widget.locator(".np-entry table").inner_text()


def test_the_header_that_the_controller_reads_is_there(widget: Any) -> None:
    widget.get_by_role("slider").fill("23")
    assert "X-Forwarded-For: 198.51.100.23" in entry(widget)


def test_every_step_is_in_a_list_and_can_be_gone_to(widget: Any) -> None:
    widget.get_by_text("All 54 steps").click()
    steps = widget.locator(".np-steps li")
    assert steps.count() == 54
    steps.nth(8).get_by_role("button").click()
    assert said(widget).startswith("9 of 54: Internet gateway")
    assert widget.locator("[aria-current=step]").inner_text().startswith("Internet gateway")


# Choose and compare ------------------------------------------------------------------------------


def test_another_journey_is_another_map_and_another_ending(every: Any) -> None:
    choose(every, "Journey", "No such name")
    assert "NXDOMAIN" in every.locator(".np-note").first.inner_text()
    press(every, "End")
    assert said(every) == "8 of 8: The user sees NXDOMAIN: The name doesn't exist."
    assert every.locator(".np-chart").first.get_by_text("pods").count() == 0


def test_a_packet_that_was_stopped_says_why_and_what_to_do(every: Any) -> None:
    choose(every, "Journey", "Closed security group")
    every.get_by_role("button", name="Connection 2, out").click()
    press(every, *["ArrowRight"] * 5)
    assert "ENI_SG_RULES_MISMATCH" in entry(every) and "remedy" in entry(every)


def test_two_journeys_go_in_step_by_matching_boxes(every: Any) -> None:
    choose(every, "Journey", "No ingress pods")
    choose(every, "Compare with", "Local, but no pod")
    every.get_by_role("button", name="Connection 2, out").click()
    press(every, *["ArrowRight"] * 6)
    assert "NO_ENDPOINTS" in entry(every) and "NO_LOCAL_ENDPOINTS" in entry(every, 1)
    assert "decided by ≠" in entry(every) and "sent on ≠" not in entry(every)


def test_two_journeys_end_together(every: Any) -> None:
    choose(every, "Compare with", "Dead target")
    press(every, "End")
    assert "sees status 200" in said(every) and "sees status 504 after 10 s of silence" in said(every)


def test_two_journeys_can_go_in_step_by_number(every: Any) -> None:
    choose(every, "Compare with", "Kept alive")
    choose(every, "In step by", "number of steps")
    press(every, "Home", "ArrowRight")
    assert "connection opened" in entry(every, 1)


# Everywhere --------------------------------------------------------------------------------------

OUTSIDE = "root => [...root.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > innerWidth).length"


def test_on_a_phone_nothing_runs_over_the_edge(phone: Opened) -> None:
    widget = player(phone, ALL, "Crashed carts")
    choose(widget, "Compare with", "The miss")
    assert widget.evaluate(OUTSIDE) == 0


def test_on_a_phone_two_maps_stand_one_below_the_other(phone: Opened) -> None:
    widget = player(phone, ALL, "The hit")
    choose(widget, "Compare with", "The miss")
    one, other = (widget.locator(".np-chart").nth(pane).bounding_box() for pane in (0, 1))
    assert one["x"] == other["x"] and other["y"] >= one["y"] + one["height"]


def test_on_a_phone_the_maps_letters_can_be_read(phone: Opened) -> None:
    widget = player(phone, FIRST, "The miss")
    sizes = widget.locator(".np-chart text").evaluate_all("all => all.map(each => each.getBoundingClientRect().height)")
    assert min(sizes) >= 9


def test_on_a_phone_a_finger_finds_every_button(phone: Opened) -> None:
    widget = player(phone, ALL, "Crashed carts")
    sizes = widget.locator(".np-controls button").evaluate_all("all => all.map(each => each.getBoundingClientRect())")
    assert min(min(size["width"], size["height"]) for size in sizes) >= 24


def test_without_javascript_there_is_the_map(desk: Opened, site: str) -> None:
    text = desk.page.request.get(site + PAGE).text()
    assert "netpath-frame" in text and "the user sees" in text
