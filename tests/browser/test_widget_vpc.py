"""The VPC widget in the published page: a reader switches rules off, chooses packets, and reads where they stop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import VIEWS, visit

PAGE = "notebooks/03_getting_to_kubernetes.html"
CUSTOMER, BALANCER, POD = "a customer calls", "the load balancer calls", "a pod calls"
DEFAULT_ROUTE = "0.0.0.0/0 → igw"


@pytest.fixture
def widget(browser: Any, site: str) -> Iterator[Any]:
    """The chapter's widget."""
    with visit(browser, site, **VIEWS["light"]) as opened:
        yield opened.widget(site + PAGE, "vpc")


def switch(widget: Any, owner: str, rule: str) -> Any:
    """The box of a rule, by the kind and the last letters of its owner, and by how it begins."""
    kind, _, end = owner.rpartition(" ")
    owners = widget.locator("fieldset").filter(has_text=kind).filter(has=widget.page.locator("legend", has_text=end))
    return owners.get_by_role("checkbox", name=rule).first


def choose(widget: Any, packet: str) -> None:
    widget.get_by_role("button", name=packet).click()


def verdict(widget: Any) -> str:
    return str(widget.get_by_role("status").inner_text())


def doors(widget: Any, way: str) -> list[str]:
    return [str(text) for text in widget.get_by_label(f"{way}'s way").locator("li").all_inner_texts()]


def test_at_first_every_packet_is_answered(widget: Any) -> None:
    for packet in (CUSTOMER, BALANCER, POD):
        choose(widget, packet)
        assert "its answer comes back" in verdict(widget)


def test_without_the_way_out_the_packet_arrives_and_its_answer_stops(widget: Any) -> None:
    switch(widget, "route table 00ff", DEFAULT_ROUTE).uncheck()
    assert "arrives" in verdict(widget) and "NO_ROUTE_TO_DESTINATION at the route table" in verdict(widget)
    assert "not reached" in doors(widget, "Its answer")[-1]


def test_it_says_what_happened_and_what_one_would_do(widget: Any) -> None:
    switch(widget, "security group 000a", "ingress tcp 80").uncheck()
    why = widget.locator(".vpc-why").inner_text()
    assert "ENI_SG_RULES_MISMATCH" in why and "Because of" in why and "Remedy:" in why


def test_a_rule_that_did_not_decide_changes_nothing(widget: Any) -> None:
    before = doors(widget, "The packet") + doors(widget, "Its answer")
    switch(widget, "network ACL 00a1", "ingress 140").uncheck()
    assert doors(widget, "The packet") + doors(widget, "Its answer") == before


def test_a_security_group_without_rules_out_still_answers(widget: Any) -> None:
    switch(widget, "security group 000a", "egress all").uncheck()
    assert "its answer comes back" in verdict(widget) and "TRACKED" in doors(widget, "Its answer")[0]
    choose(widget, BALANCER)
    assert "SG_HAS_NO_RULES" in verdict(widget)


def test_another_rule_takes_the_place_of_one_that_is_gone(widget: Any) -> None:
    choose(widget, BALANCER)
    switch(widget, "network ACL 00a1", "ingress 120").uncheck()
    assert "its answer comes back" in verdict(widget)
    switch(widget, "network ACL 00a1", "ingress 140").uncheck()
    assert "SUBNET_ACL_RESTRICTION" in verdict(widget)


def test_the_rules_that_decided_say_so(widget: Any) -> None:
    tagged = [text for text in widget.locator(".vpc-rules label").all_inner_texts() if "decides" in text]
    assert len(tagged) == 5 and any("ingress 100 allow tcp 80" in text for text in tagged)


def test_all_rules_come_back_at_once(widget: Any) -> None:
    for rule in ("ingress tcp 80", "egress all"):
        switch(widget, "security group 000a", rule).uncheck()
    widget.get_by_role("button", name="All rules back").click()
    assert "its answer comes back" in verdict(widget)
    assert widget.locator("input:not(:checked)").count() == 0


def test_it_works_by_keyboard_alone(widget: Any) -> None:
    widget.get_by_role("button", name=POD).focus()
    keys = widget.page.keyboard
    keys.press("Enter")
    assert "192.0.2.80" in verdict(widget)
    keys.press("Tab")
    keys.press("Space")
    assert "NO_ROUTE_TO_DESTINATION" in verdict(widget)
    assert widget.page.evaluate("document.activeElement.type") == "checkbox"


def test_it_fits_a_narrow_phone(browser: Any, site: str) -> None:
    with visit(browser, site, viewport={"width": 320, "height": 640}, is_mobile=True, has_touch=True) as opened:
        widget = opened.widget(site + PAGE, "vpc")
        switch(widget, "route table 00ff", DEFAULT_ROUTE).tap()
        assert "NO_ROUTE_TO_DESTINATION" in verdict(widget)
        assert widget.evaluate("each => each.scrollWidth <= each.clientWidth")


def test_without_a_kernel_the_live_controls_say_so(widget: Any) -> None:
    notice = widget.page.locator(".netpath-notice").first
    notice.wait_for()
    assert "need a kernel" in notice.inner_text()
