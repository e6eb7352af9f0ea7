"""The layout and the doors: rooms, arrows and rules on the sheet are those of the world and of the record."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from netpath import Memory, World, WorldError, round_trip, send, shop, tcp
from netpath.codes import Fate
from netpath.packet import Network
from netpath.show.canvas import Drawn
from netpath.show.doors import Door, doors, doors_of
from netpath.show.layout import Room, layout, rooms_of
from netpath.vpc import Route
from tests.shop_world import region

PUBLIC_TABLE, SUBNET_B = "rtb-0f0000000000000ff", "subnet-0a00000000000001b"
ASK = tcp("198.51.100.23:51000", "203.0.113.10:80")


def with_region(**fields: Any) -> World:
    return replace(shop(), region=replace(region(shop()), **fields))


def rooms(world: World) -> list[Room]:
    return rooms_of(world, region(world).vpcs[0])


def without_public_route() -> World:
    """The second zone's public subnet left to the main route table."""
    tables = (
        replace(table, subnet_ids=tuple(each for each in table.subnet_ids if each != SUBNET_B))
        for table in region(shop()).route_tables
    )
    return with_region(route_tables=tuple(tables))


def texts(drawn: Drawn) -> str:
    return " ".join(re.findall(r"<text[^>]*>([^<]*)<", drawn.html()))


def asked(found: list[Door], station: str) -> list[tuple[str, bool]]:
    door = next(each for each in found if each.station == station)
    return [(rule.text, rule.matched) for rule in door.rules]


# Layout ----------------------------------------------------------------------------------------


def test_every_subnet_is_a_room() -> None:
    assert {room.subnet for room in rooms(shop())} == set(region(shop()).subnets)


def test_a_room_is_public_because_its_default_route_leads_to_the_internet_gateway() -> None:
    public = {str(room.subnet.cidr_block) for room in rooms(shop()) if room.public}
    assert public == {"10.0.0.0/24", "10.0.1.0/24"}


def test_a_subnet_left_to_the_main_route_table_is_not_public() -> None:
    room = next(each for each in rooms(without_public_route()) if each.subnet.subnet_id == SUBNET_B)
    assert not room.public and room.told.endswith("no default route")


def test_public_rooms_come_first_in_each_zone() -> None:
    in_zones: dict[str, list[bool]] = {}
    for room in rooms(shop()):
        in_zones.setdefault(room.subnet.availability_zone, []).append(room.public)
    assert list(in_zones.values()) == [[True, False], [True, False]]


def test_every_node_of_the_cluster_is_in_exactly_one_room() -> None:
    world = shop()
    found = [item.name for room in rooms(world) for item in room.items if item.kind == "node"]
    assert sorted(found) == sorted(world.nodes)


def test_pods_are_counted_on_their_nodes() -> None:
    world = shop()
    counted = {item.name: item.pods for room in rooms(world) for item in room.items if item.kind == "node"}
    assert counted == {name: len(node.pods) for name, node in world.nodes.items()}


def test_the_alternative_text_names_every_address_of_the_load_balancer_and_the_nat_gateways() -> None:
    world = shop()
    nodes = [str(node.public_address) for balancer in world.load_balancers for node in balancer.nodes]
    nats = [str(held.public_ip) for nat in region(world).nat_gateways for held in nat.addresses]
    assert all(each in layout(world).alt for each in nodes + nats)


def test_the_sheet_shows_each_rooms_range_and_default_route() -> None:
    shown = texts(layout(shop()))
    assert all(str(room.subnet.cidr_block) in shown and room.told in shown for room in rooms(shop()))


def test_a_blackhole_is_told_as_one() -> None:
    tables = tuple(
        replace(table, routes=(*table.routes[:-1], replace(table.routes[-1], state="blackhole")))
        if table.route_table_id == PUBLIC_TABLE
        else table
        for table in region(shop()).route_tables
    )
    assert "(blackhole)" in layout(with_region(route_tables=tables)).alt


def test_a_vpc_without_a_gateway_is_drawn_without_one() -> None:
    tables = tuple(
        replace(table, routes=tuple(route for route in table.routes if not route.target.startswith("igw")))
        for table in region(shop()).route_tables
    )
    world = with_region(internet_gateways=(), route_tables=tables)
    assert "no internet gateway" in layout(world).alt and "internet gateway" not in texts(layout(world))


def test_a_private_subnet_may_use_the_other_zones_nat_gateway() -> None:
    nats = [table for table in region(shop()).route_tables if table.routes[-1].target.startswith("nat-")]
    crossed = replace(nats[1], routes=(*nats[1].routes[:-1], Route(Network("0.0.0.0/0"), nats[0].routes[-1].target)))
    others = tuple(each for each in region(shop()).route_tables if each is not nats[1])
    assert layout(with_region(route_tables=(*others, crossed))).svg() != layout(shop()).svg()


def test_a_world_without_a_region_has_no_layout() -> None:
    with pytest.raises(WorldError):
        layout(replace(shop(), region=None))


def test_the_same_world_gives_the_same_drawing() -> None:
    assert layout(shop()).html() == layout(shop()).html()


# Doors -----------------------------------------------------------------------------------------


def test_each_hop_is_a_door() -> None:
    out, _ = round_trip(shop(), Memory(), ASK)
    assert [(door.station, door.code) for door in doors_of(out)] == [
        (hop.station, hop.verdict.code) for hop in out.hops
    ]


def test_a_door_has_the_rules_that_were_asked_up_to_the_one_that_decided() -> None:
    _, back = round_trip(shop(), Memory(), tcp("10.0.0.25:51000", "10.0.32.11:30080"))
    assert back is not None
    acl = [door for door in doors_of(back) if door.station == "network ACL"][-1]
    assert [rule.matched for rule in acl.rules] == [False, False, True]
    assert acl.rules[-1].text == "120 allow tcp 1024-65535 from 0.0.0.0/0"


def test_a_security_group_that_remembers_says_that_no_rule_was_asked() -> None:
    _, back = round_trip(shop(), Memory(), tcp("10.0.0.25:51000", "10.0.32.11:30080"))
    assert back is not None
    assert asked(doors_of(back), "security group")[0][0].startswith("not asked, remembered: ")


def test_a_door_that_stops_a_packet_says_which_rule_or_that_none_matched() -> None:
    stopped = doors_of(send(shop(), Memory(), tcp("198.51.100.23:51000", "203.0.113.10:22")))[-1]
    assert stopped.fate is Fate.DROPPED and stopped.rules[-1].matched


def test_answer_and_packet_stand_level_at_the_same_kind_of_door() -> None:
    drawn = doors(*round_trip(shop(), Memory(), ASK))
    heights = re.findall(r'<text[^>]*transform="translate\(([\d.]+) ([\d.]+)\)">network ACL<', drawn.html())
    heights = heights or re.findall(r'<text[^>]*x="([\d.]+)" y="([\d.]+)"[^>]*>network ACL<', drawn.html())
    assert len(heights) == 2 and heights[0][1] == heights[1][1] and heights[0][0] != heights[1][0]


def test_the_alternative_text_tells_both_ways_with_their_deciding_rules() -> None:
    alt = doors(*round_trip(shop(), Memory(), ASK)).alt
    assert "Out with 198.51.100.23:51000 to 203.0.113.10:80" in alt and "Back with 10.0.0.25:80" in alt
    assert "100 allow tcp 80 from 0.0.0.0/0: decides" in alt


def test_one_way_alone_fits_a_phone() -> None:
    out, _ = round_trip(shop(), Memory(), ASK)
    assert doors(out).least <= 360


def test_many_rules_are_counted_rather_than_shown() -> None:
    acl = next(each for each in region(shop()).network_acls if each.network_acl_id == "acl-0ac000000000000a1")
    first = next(entry for entry in acl.entries if not entry.egress and entry.rule_number == 100)
    denied = tuple(replace(first, rule_number=number, from_port=number, to_port=number) for number in range(1, 40))
    others = tuple(each for each in region(shop()).network_acls if each is not acl)
    world = with_region(network_acls=(*others, replace(acl, entries=(*denied, *acl.entries))))
    door = next(each for each in doors_of(send(world, Memory(), ASK)) if each.station == "network ACL")
    assert len(door.rules) == 7 and door.more == 33 and door.rules[-1].matched
