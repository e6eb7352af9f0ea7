"""The VPC widget: whatever is switched off, its data says what the network itself would do."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from itertools import chain, combinations
from random import Random

import pytest

from netpath import Memory, World, round_trip, shop, tcp
from netpath.errors import WorldError
from netpath.packet import Packet
from netpath.show.widgets.kit import Data
from netpath.show.widgets.vpc import VpcSwitches, explore, switches, usual, vpc, way_without, ways, without
from tests.shop_world import region
from tests.vpc_world import REGION


@cache
def shop_data() -> Data:
    return ways(shop(), usual(shop()))


def codes_of(data: Data, way: Data) -> list[list[str]]:
    return [[data["hops"][hop]["code"] for hop in hops] for hops in (way["out"], way["back"] or [])]


def codes_by_asking(world: World, packet: Packet, gone: set[str]) -> list[list[str]]:
    """What the network says of a packet without some rules."""
    there, back = round_trip(replace(world, region=without(region(world), gone)), Memory(), packet)
    return [[hop.verdict.code for hop in hops] for hops in (there.hops, back.hops if back else ())]


def agrees(world: World, data: Data, packets: list[tuple[str, Packet]], number: int, gone: tuple[int, ...]) -> bool:
    texts = {data["switches"][each]["text"] for each in gone}
    told = codes_of(data, way_without(data, number, gone))
    return told == codes_by_asking(world, packets[number][1], texts)


@pytest.mark.parametrize("number", range(3))
def test_without_any_one_or_two_rules_the_widget_says_what_the_network_says(number: int) -> None:
    data, packets = shop_data(), usual(shop())
    all_rules = range(len(data["switches"]))
    few = chain([()], combinations(all_rules, 1), list(combinations(all_rules, 2))[::3])
    assert all(agrees(shop(), data, packets, number, gone) for gone in few)


@pytest.mark.parametrize("number", range(3))
def test_without_many_rules_the_widget_says_what_the_network_says(number: int) -> None:
    data, packets, dice = shop_data(), usual(shop()), Random(number)
    for _ in range(30):
        gone = tuple(dice.sample(range(len(data["switches"])), dice.randint(3, 12)))
        assert agrees(shop(), data, packets, number, gone), gone


def test_a_packet_that_a_group_refuses_is_told_apart_from_one_that_meets_no_rules() -> None:
    data = ways(shop(), [("refused", to_node(22))])
    every = range(len(data["switches"]))
    assert agrees(shop(), data, [("refused", to_node(22))], 0, tuple(every))


def to_node(port: int) -> Packet:
    """To a node's port that its group doesn't let the load balancer come to."""
    return tcp("10.0.0.25:51000", f"10.0.32.11:{port}")


def test_every_rule_but_the_local_routes_can_be_switched_off() -> None:
    bare = without(region(shop()), {each.text for each in switches(region(shop()))})
    left = [route for table in bare.route_tables for route in table.routes]
    assert {route.target for route in left} == {"local"}
    assert not any(group.ingress or group.egress for group in bare.security_groups)
    assert all(entry.rule_number == 32767 for acl in bare.network_acls for entry in acl.entries)


def test_taking_nothing_away_leaves_the_region_as_it_is() -> None:
    assert without(region(shop()), ()) == region(shop())


def test_all_rules_there_all_three_packets_are_answered() -> None:
    assert [way_without(shop_data(), number, ())["end"] for number in range(3)] == ["answered"] * 3


def test_an_answer_that_stops_is_told_from_a_packet_that_stops() -> None:
    data = shop_data()
    route = next(at for at, each in enumerate(data["switches"]) if "igw" in each["text"])
    assert [way_without(data, number, (route,))["end"] for number in (0, 2)] == ["silent", "stopped"]


def test_a_security_group_without_rules_out_still_lets_answers_out() -> None:
    data = shop_data()
    rule = next(
        at for at, each in enumerate(data["switches"]) if each["text"] == "sg-0a1b000000000000a egress all to 0.0.0.0/0"
    )
    way = way_without(data, 0, (rule,))
    assert way["end"] == "answered" and "TRACKED" in codes_of(data, way)[1]


def test_every_code_comes_with_its_fate_and_a_remedy_if_it_stops_a_packet() -> None:
    data = shop_data()
    assert {hop["code"] for hop in data["hops"]} == set(data["codes"])
    assert all(remedy for fate, _, remedy in data["codes"].values() if fate != "passed")


def test_every_switch_has_its_place_in_the_order() -> None:
    assert sorted(shop_data()["order"]) == list(range(len(shop_data()["switches"])))


def test_the_data_is_plain_and_small() -> None:
    assert len(json.dumps(shop_data())) < 60_000


def test_another_world_has_its_own_packets_and_rules() -> None:
    shown = vpc(World(region=REGION))
    assert {each["owner"] for each in shown.data["switches"]} <= {"rtb-priv", "rtb-pub", "sg-alb", "sg-node", "acl-1"}


def test_a_world_without_a_vpc_has_nothing_to_switch() -> None:
    with pytest.raises(WorldError):
        vpc(replace(shop(), region=None))


def test_the_frame_has_a_row_for_each_rule_and_a_column_for_each_packet() -> None:
    shown = vpc()
    frame = shown.frame()
    assert len(frame.rows) == len(shown.data["switches"]) + 1
    assert len(frame.header) == len(shown.data["packets"]) + 1


def test_the_frame_tells_where_the_answer_stops_without_the_way_out() -> None:
    rows = [str(row) for row in vpc().frame().rows]
    row = next(row for row in rows if "0.0.0.0/0 → igw" in row)
    assert "the answer stops" in row and "NO_ROUTE_TO_DESTINATION" in row


def test_its_text_is_the_same_each_time() -> None:
    assert repr(vpc()) == repr(vpc()) and "answer comes back" in repr(vpc())


# Live ------------------------------------------------------------------------------------------


def shown_by(controls: dict[str, object]) -> tuple[VpcSwitches, str]:
    box = explore()
    for name, value in controls.items():
        box.controls[name].value = value
    assert isinstance(box.widget, VpcSwitches)
    return box.widget, box.notice.problem


def test_live_controls_follow_any_packet() -> None:
    widget, problem = shown_by({"port": 81})
    assert not problem and way_without(widget.data, 0, ())["end"] == "stopped"


def test_live_controls_take_names() -> None:
    widget, problem = shown_by({"source": "shop/web-6d4b75cb6d-8jh5c", "destination": "10.0.35.112", "port": 8080})
    assert not problem and way_without(widget.data, 0, ())["end"] == "answered"


def test_what_is_no_address_is_told_and_changes_nothing() -> None:
    widget, problem = shown_by({"destination": "nowhere at all"})
    assert "nowhere at all" in problem and widget.data == explore().widget.data
