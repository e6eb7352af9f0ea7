"""Chapter 1's exercises: what the general tests of all exercises can't know of them."""

from __future__ import annotations

import pytest

from netpath.exercises import chapter1
from netpath.exercises.chapter1.worlds import worlds
from netpath.vpc import findings

pytestmark = pytest.mark.usefixtures("folder")


def test_the_worlds_differ_from_the_books_in_what_their_names_say() -> None:
    told = {
        name: {finding.subject for finding in findings(world.region)}
        for name, world in worlds().items()
        if world.region
    }
    assert told["address alone"] - told["book"] == {"eni-0200000000000000a"}
    assert told["public nodes"] == told["one gateway"] == told["book"]


def test_all_fates_of_a_call_are_among_the_first_variants() -> None:
    assert len({each.answer for each in chapter1.q3.variants()}) == len(chapter1.q3.now.options)


def test_a_dead_route_decides_in_some_variant() -> None:
    assert any("blackhole" in each.answer for each in chapter1.q2.variants())


def test_curl_and_trace_ask_for_whoever_calls() -> None:
    told = chapter1.q8.trace("http://198.51.100.80/pay", "shop/shell")
    assert "from 10.0.35.113" in told.text and "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS" in told.text
    assert "after 131 s" in chapter1.q8.curl("http://198.51.100.80/pay", "shop/shell").text
    assert "200 from" in chapter1.q8.curl("http://shop.example.com/cart").text
