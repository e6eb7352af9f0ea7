"""The DNS widget: for every pair of look-ups, each person and any second, its data says what the model does."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import dns.message
import pytest

from netpath.errors import InputError
from netpath.load import shop
from netpath.memory import Memory
from netpath.names import Looked
from netpath.show.widgets.dns import NAMES, PEOPLE, dns_data, explore, lookups

WORLD = shop()
ANA, BEN = PEOPLE
SECONDS = (0, 45, 60, 61, 300, 301, 901, 86_400, 86_401)
SOME = ("shop.example.com", "www.example.com", "pr-7.preview.example.com", "sh0p.example.com")
PAIRS = [(one, other) for one in SOME for other in SOME]


@cache
def data() -> dict[str, Any]:
    return dns_data(WORLD, NAMES)


def walk_at(first: str, second: str, who: str, now: int) -> list[dict[str, Any]]:
    """The second look-up's steps in the widget."""
    spans = data()["firsts"][first]["seconds"][second][who]
    number = [walk for since, walk in spans if since <= now][-1]
    return [data()["steps"][step] for step in data()["walks"][number]]


def looked_at(first: str, second: str, who: str, now: int) -> Looked:
    """The same by the model alone."""
    memory = Memory()
    WORLD.names.lookup(first, memory, str(WORLD.resolver))
    if who == BEN:
        memory = Memory(cache=memory.cache)
    memory.now = now
    return WORLD.names.lookup(second, memory, str(WORLD.resolver))


def ttl_at(record: dict[str, Any], now: int) -> int:
    left = record["ttl"]
    return int(left["until"] - now if isinstance(left, dict) else left)


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_second_look_up_asks_whom_the_model_asks(first: str, second: str, who: str) -> None:
    for now in SECONDS:
        resolution = looked_at(first, second, who, now).resolution
        asked = [f"{str(each.server)[:-1]} ({each.address})" for each in resolution.exchanges] if resolution else []
        steps = walk_at(first, second, who, now)
        assert [step["server"] for step in steps if step["at"] == "server"] == asked, f"at {now} s"


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_second_look_up_hears_what_the_model_says_with_the_ttl_of_that_second(first: str, second: str) -> None:
    for now in SECONDS:
        resolution = looked_at(first, second, BEN, now).resolution
        assert resolution is not None
        expected = [(str(rrset.name), rrset.ttl, str(datum)) for rrset in resolution.response.answer for datum in rrset]
        records = walk_at(first, second, BEN, now)[-1]["sections"].get("answer", [])
        assert [(each["owner"], ttl_at(each, now), each["data"]) for each in records] == expected, f"at {now} s"


@pytest.mark.parametrize("name", NAMES[:3])
def test_ana_asks_nobody_while_her_machine_remembers(name: str) -> None:
    assert [step["at"] for step in walk_at(name, name, ANA, 60)] == ["stub"]
    assert "ask" in [step["at"] for step in walk_at(name, name, ANA, 61)]


def test_what_a_machine_remembers_counts_down() -> None:
    record = walk_at("shop.example.com", "shop.example.com", ANA, 45)[0]["sections"]["memory"][0]
    assert ttl_at(record, 45) == 15


def test_that_a_name_does_not_exist_counts_down_too() -> None:
    record = walk_at("sh0p.example.com", "sh0p.example.com", ANA, 100)[0]["sections"]["memory"][0]
    assert record["data"] == "NXDOMAIN" and ttl_at(record, 100) == 200


@pytest.mark.parametrize("name", NAMES)
def test_the_first_look_up_begins_at_the_root(name: str) -> None:
    walk = data()["walks"][data()["firsts"][name]["walk"]]
    nodes = [data()["steps"][step].get("node") for step in walk]
    assert next(node for node in nodes if node) == "."


@pytest.mark.parametrize("name", NAMES)
def test_the_memory_is_all_that_the_model_remembers(name: str) -> None:
    memory = Memory()
    WORLD.names.lookup(name, memory, str(WORLD.resolver))
    rows = [row["until"] for row in data()["firsts"][name]["memory"] if row["who"] == "resolver"]
    positive = [each.expires for (_, _, side), each in memory.cache.sets.items() if side == 0]
    assert sorted(rows) == sorted(
        [*positive, *(m.expires for m in memory.cache.messages.values() if not m.sections[0])]
    )


def test_glue_is_called_glue() -> None:
    rows = {row["what"]: row.get("how") for row in data()["firsts"]["shop.example.com"]["memory"]}
    assert rows["ns-101.awsdns-12.com A"] == "glue" and rows["com NS"] == "referral"


def test_records_that_are_not_believed_are_set_aside_with_the_reason() -> None:
    records = [each for step in data()["steps"] for each in step.get("sections", {}).get("answer", [])]
    assert any("only www.example.com. was asked for" in each.get("why", "") for each in records)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_every_zone_that_is_asked_stands_on_the_tree(first: str, second: str) -> None:
    places = data()["trees"][data()["firsts"][first]["seconds"][second]["tree"]]
    zones = {place["name"] for place in places if place["zone"]}
    nodes = {step["node"] for step in walk_at(first, second, BEN, 90_000) if "node" in step}
    assert nodes <= zones


def test_every_place_but_the_root_has_one_above() -> None:
    for places in data()["trees"]:
        assert [place["above"] for place in places].count(-1) == 1


def test_the_data_is_plain_and_small() -> None:
    text = json.dumps(data())
    assert json.loads(text) == data() and len(text) < 150_000


def test_types_other_than_addresses_are_asked_of_the_resolver_directly() -> None:
    made = dns_data(WORLD, ["example.com"], kind="MX")
    steps = [made["steps"][step] for step in made["walks"][made["firsts"]["example.com"]["walk"]]]
    assert steps[0]["at"] == "ask"
    assert [each["data"] for each in steps[-1]["sections"]["answer"]] == ["10 mail.example.com."]


@pytest.mark.parametrize(("name", "kind"), [("a..b", "A"), ("example.com", "NO SUCH TYPE")])
def test_what_is_no_question_is_refused(name: str, kind: str) -> None:
    with pytest.raises(InputError):
        dns_data(WORLD, [name], kind=kind)


def test_the_still_frame_is_the_tree_of_the_first_name() -> None:
    drawn = lookups(WORLD, NAMES[:2]).frame()
    question = dns.message.make_query(NAMES[0], "A", use_edns=0)
    assert all(each.address in drawn.alt for each in WORLD.names.resolve(question, Memory()).exchanges)


def test_a_widget_says_what_it_shows() -> None:
    assert repr(lookups(WORLD, NAMES[:1])) == "DNS: shop.example.com looked up at 0 s, and again whenever you say"


def test_live_controls_take_any_name() -> None:
    box = explore(WORLD)
    box.controls["first"].value = "mail.example.com"
    assert list(box.widget.data["firsts"]) == ["mail.example.com"]


def test_live_controls_say_what_is_wrong_with_a_name() -> None:
    box = explore(WORLD)
    box.controls["first"].value = "a..b"
    assert "not a domain name" in box.notice.problem
