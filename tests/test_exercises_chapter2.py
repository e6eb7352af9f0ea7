"""Chapter 2's exercises: what the general tests of all exercises can't know of them."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from netpath.errors import InputError
from netpath.exercises import chapter2
from netpath.exercises.chapter2.building import _ZONE
from netpath.exercises.chapter2.repairing import _ALSO, _DELEGATED, _alias, _head, _head_told
from netpath.exercises.predict import Variant
from netpath.exercises.repair import Edit
from tests.test_exercises import mended

pytestmark = pytest.mark.usefixtures("folder")
RECORDS, ZONE, COM = "aws/list-resource-record-sets.json", "zones/example.com.zone", "zones/com.zone"


# Predictions, reckoned by hand ---------------------------------------------------------------------
def numbers(pattern: str, text: str) -> list[int]:
    return [int(each) for each in re.findall(pattern, text)]


@pytest.mark.parametrize("variant", chapter2.q4.variants(), ids=range(1, 17))
def test_a_no_lasts_for_the_smaller_number_after_the_last_question_to_the_server(variant: Variant) -> None:
    (soa,), (minimum,) = numbers(r"@ (\d+) IN SOA", variant.question), numbers(r"(\d+) \)\n", variant.question)
    until = -1
    for asked in numbers(r"at (\d+) s", variant.question.partition("somebody creates")[0]):
        until = asked + min(soa, minimum, 3600) if asked > until else until
    assert variant.answer == str(until)


def minutes(clock: str) -> float:
    hour, minute, *second = map(int, clock.split(":"))
    return 60 * hour + minute + sum(second) / 60


@pytest.mark.parametrize("variant", chapter2.q5.variants(), ids=range(1, 17))
def test_an_old_copy_lives_for_the_ttl_that_it_was_fetched_with(variant: Variant) -> None:
    clocks = [minutes(each) for each in re.findall(r"\d+:[\d:]*\d", variant.question)]
    lowered, moved, *fetched, now = clocks
    (ttl,), (short,) = numbers(r"TTL (\d+) and", variant.question), numbers(r"lowered to (\d+)", variant.question)
    old = [at for at in fetched if at < moved and at + (short if at >= lowered else ttl) / 60 > now]
    assert variant.answer == str(len(old))


def test_each_of_the_four_answers_comes_up_when_one_is_asked_of_a_zone() -> None:
    assert {each.answer for each in chapter2.q3.variants(40)} == set(chapter2.q3.now.options)


# Other ways to be right ----------------------------------------------------------------------------
def test_an_alias_chase_with_a_limit_is_right_too() -> None:
    def addresses(name: str, records: Any) -> Any:
        for _ in range(100):
            name = records.pop((name, "CNAME"), [name])[0]
        return tuple(records.get((name, "A"), ()))

    assert chapter2.q6.check(addresses).right


def test_a_memory_that_keeps_when_it_asked_is_right_too() -> None:
    def look_up(name: str, now: int, memory: Any, fetch: Any) -> Any:
        if name not in memory or now > memory[name][2] + memory[name][1]:
            memory[name] = [*fetch(name), now]
        answer, ttl, since = memory[name]
        return [answer, since + ttl - now]

    assert all(chapter2.q7.judge(look_up, random.Random(seed)).right for seed in range(5))


def test_a_zone_may_be_written_in_any_order_and_with_whole_names() -> None:
    head, *lines = _ZONE.strip().splitlines()[1:]
    other = "\n".join([f"{'$ORIGIN example.org.'}", head, *reversed(lines)]).replace("ns1.eu   ", "ns1.eu.example.org.")
    assert chapter2.q8.check(other).right, chapter2.q8.check(other)


# Other cures ---------------------------------------------------------------------------------------
def test_an_alias_may_name_the_load_balancer_as_the_console_does() -> None:
    target = "eu-west-1.elb.amazonaws.com"
    gone, today = _alias(f"shop-alb-1307655216.{target}"), _alias(f"dualstack.shop-alb-1893046252.{target}")
    assert mended(chapter2.q10, Edit(RECORDS, gone, today)).right


def test_either_number_of_the_soa_makes_a_no_short() -> None:
    long, short = (86_400, 86_400), (300, 86_400)
    edits = Edit(ZONE, _head(*long), _head(*short)), Edit(RECORDS, _head_told(*long), _head_told(*short))
    assert mended(chapter2.q11, *edits).right


def test_the_old_servers_glue_may_stay_when_nobody_is_sent_there() -> None:
    glue = _ALSO.removeprefix(_DELEGATED).splitlines(keepends=True)[1]
    assert mended(chapter2.q12, Edit(COM, _ALSO, _DELEGATED + glue)).right


def test_to_switch_the_old_server_off_is_not_enough() -> None:
    chapter2.q12.open()
    (chapter2.q12.folder / "zones" / "old-server.example.com.zone").unlink()
    assert "com says that example.com is served by" in repr(chapter2.q12.check())


# The tools -----------------------------------------------------------------------------------------
def test_dig_asks_one_name_server_if_it_is_told_which() -> None:
    said = [chapter2.q12.dig("shop.example.com", at=at).text for at in ("192.0.2.101", "192.0.2.53")]
    assert "203.0.113.10" in said[0] and "NXDOMAIN" in said[1]


def test_dig_knows_the_name_servers_when_it_is_told_another() -> None:
    with pytest.raises(InputError, match=re.escape("192.0.2.101 (ns-101.awsdns-12.com.)")):
        chapter2.q9.dig("www.example.com", at="192.0.2.1")
