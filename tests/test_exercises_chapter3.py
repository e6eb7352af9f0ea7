"""Chapter 3's exercises: what the general tests of all exercises can't know of them."""

from __future__ import annotations

import re

import pytest

from netpath.balancing import HEALTHY
from netpath.exercises import chapter3
from netpath.exercises.chapter3 import failing, filters
from netpath.exercises.chapter3.balancer import ILL, balancer_in, group_of, serving, shares_of, target_in
from netpath.packet import tcp

pytestmark = pytest.mark.usefixtures("folder")
ANY = ((0, 65535),)


def test_no_security_group_ever_stops_an_answer() -> None:
    assert all(each.answer != "the security group stops the answer" for each in chapter3.q2.variants(60))


def test_every_other_end_of_a_call_is_among_the_first_variants() -> None:
    assert len({each.answer for each in chapter3.q2.variants()}) == len(chapter3.q2.now.options) - 1


def test_a_call_through_open_doors_arrives_and_one_without_a_rule_for_its_answer_does_not() -> None:
    call = tcp("198.51.100.23:51000", "203.0.113.7:80")
    assert filters.Doors(ANY, ANY, (), ANY, call).end() == filters.BOTH
    assert filters.Doors(ANY, ANY, ANY, ((80, 80),), call).end() == "the network ACL stops the answer"


def shares(layout: str, across: bool) -> dict[str, float]:
    """Each target's share: `"aab?b"` are two targets in zone a, and in zone b an ill one and a healthy one."""
    marks = [(zone, ill) for zone, ill in re.findall(r"([a-c])(\??)", layout)]
    targets = [target_in(zone, at, ILL if ill else HEALTHY) for at, (zone, ill) in enumerate(marks, 1)]
    zones = "".join(sorted({zone for zone, _ in marks}))
    found = shares_of(serving(balancer_in(zones), group_of(targets, across)))
    return {name: float(share) for name, share in found.items()}


def test_the_shares_of_the_chapters_example_are_the_chapters() -> None:
    apart, together = shares("aabbbbbbbb", False), shares("aabbbbbbbb", True)
    assert (apart["a1"], apart["b3"], set(together.values())) == (0.25, 0.0625, {0.1})


def test_a_zone_where_all_are_ill_has_left_dns() -> None:
    assert shares("ab?b?", False) == {"a1": 1}


def test_whatever_a_customer_can_see_is_seen_in_some_broken_world() -> None:
    assert {failing.seen(failing.journey(*case)) for case in failing.CASES} == set(failing.ENDS)


def test_where_nothing_is_broken_a_rule_answers() -> None:
    seen = [failing.seen(failing.journey("nothing", url)) for url in (failing.OLD, failing.APEX)]
    assert seen == [failing.SEEN["301"], failing.SEEN["404"]]


def test_a_target_that_only_fails_its_checks_answers() -> None:
    assert failing.seen(failing.journey("ill", failing.CART)) == failing.SEEN["200"]


def test_the_symptom_of_every_repair_can_be_seen() -> None:
    assert "404 from" in chapter3.q11.curl(failing.DIRECT).text
    assert "504 from awselb/2.0 after 10 s" in chapter3.q12.curl(failing.CART).text
    assert "502 from awselb/2.0" in chapter3.q13.curl(failing.CART).text
    assert "SUBNET_ACL_RESTRICTION" in chapter3.q14.trace(failing.CART).text


@pytest.mark.parametrize("text", ["[1]", "{}", "null", "[" * 5000, '[{"IpProtocol": 5}]', '{"IpPermissions": {}}'])
def test_rules_that_are_none_are_a_wrong_answer(text: str) -> None:
    assert "✕ wrong because" in repr(chapter3.q10.check(text))
