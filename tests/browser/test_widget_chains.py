"""The kube-proxy widget in a real browser: a reader steps, chooses, draws another lot, and reads what comes of it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.conftest import Opened, one_view

PAGE = "notebooks/04_from_node_to_pod.html"


@pytest.fixture
def widget(opened: Opened, site: str) -> Any:
    """The chapter's widget."""
    return opened.widget(site + PAGE, "chains")


def choose(widget: Any, name: str, option: str) -> None:
    widget.get_by_label(re.compile(f"^{name}")).select_option(label=option)


def said(widget: Any) -> str:
    return str(widget.locator(".np-say").inner_text())


def lots(widget: Any) -> list[str]:
    return [" ".join(text.split()) for text in widget.locator(".np-lot").all_inner_texts()]


@one_view
def test_a_step_asks_a_rule_and_says_why_it_did_not_match(widget: Any) -> None:
    widget.get_by_label("Step forward").click()
    assert said(widget).startswith("nat KUBE-SERVICES, rule 1 of 8 doesn't match: destination 10.0.33.12 is not in")
    assert (
        widget.locator("[aria-current=step] .np-why").inner_text() == "destination 10.0.33.12 is not in 172.20.0.1/32"
    )


def test_the_keyboard_goes_to_the_end_and_the_packet_is_rewritten(widget: Any) -> None:
    widget.get_by_label("Step forward").focus()
    widget.page.keyboard.press("End")
    assert "It leaves as 10.0.33.12:1024 → 10.0.34.103:8080." in said(widget)
    widget.page.keyboard.press("ArrowLeft")
    assert "It leaves as" not in said(widget)


@one_view
def test_rules_that_matched_are_lit_and_those_asked_in_vain_are_not(widget: Any) -> None:
    widget.get_by_label("Last step").click()
    lit = widget.locator(".np-matched code").all_inner_texts()
    assert any("--dport 31080" in text for text in lit)
    assert not any("--dport 443" in text for text in lit)


@one_view
def test_three_ready_pods_share_alike(widget: Any) -> None:
    assert lots(widget) == [
        "10.0.34.103:8080 1/3",
        "10.0.35.112:8080 2/3 × 1/2 = 1/3",
        "10.0.51.131:8080 2/3 × 1/2 = 1/3",
    ]


def test_a_pod_less_changes_the_chances(widget: Any) -> None:
    choose(widget, "pod A", "not ready")
    assert lots(widget) == ["10.0.35.112:8080 1/2", "10.0.51.131:8080 1/2"]


@one_view
def test_another_lot_leads_to_another_pod(widget: Any) -> None:
    widget.locator(".np-lot").nth(2).click()
    assert "→ 10.0.51.131:8080." in said(widget)
    assert widget.locator(".np-lot[aria-pressed=true]").count() == 1


@one_view
def test_policy_local_drops_where_no_pod_is(widget: Any) -> None:
    choose(widget, "externalTrafficPolicy", "Local")
    choose(widget, "pod B", "not ready")
    widget.get_by_label("Last step").click()
    assert "filter KUBE-EXTERNAL-SERVICES" in said(widget)
    assert "The packet ends here. NO_LOCAL_ENDPOINTS" in said(widget)


@one_view
def test_a_pod_that_draws_itself_is_masqueraded(widget: Any) -> None:
    choose(widget, "sender", "pod A, to the ClusterIP of its own Service")
    widget.get_by_label("Last step").click()
    assert "It leaves as 10.0.32.11:1024 → 10.0.34.103:8080." in said(widget)


@one_view
def test_the_slider_scrubs(widget: Any) -> None:
    widget.get_by_role("slider").fill("8")
    assert said(widget).startswith("nat KUBE-SERVICES, rule 8 of 8 matches")
