"""The maps of address spaces and the ladders of a packet's forms: they say what the world and the journey say."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import pytest

from netpath.errors import WorldError
from netpath.journey import Journey, travel
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import Address, address, http_request, network
from netpath.show.boundaries import boundaries
from netpath.show.land import IGW, NAT, NODE, translators
from netpath.show.legs import Way, legs
from netpath.show.palette import Space
from netpath.show.translations import forms, translations
from netpath.vpc import NetworkInterface, PrivateAddress, Route, RouteTable, SecurityGroupRule, Subnet, allow_all
from netpath.world import World

POD = "10.0.35.113"
OUTSIDE = "198.51.100.80"
PUBLIC_TABLE, PRIVATE_TABLE = "rtb-0f0000000000000ff", "rtb-0f0000000000000fa"


@cache
def world() -> World:
    return shop()


@cache
def went(url: str = "http://shop.example.com/cart", user: str | None = None) -> Journey:
    return travel(world(), Memory(), http_request(url), user=address(user) if user else None)


def outward() -> Journey:
    return went(f"http://{OUTSIDE}/", POD)


def with_tables(change: dict[str, tuple[Route, ...]]) -> World:
    """The world with other routes in some of its route tables."""
    region = world().region
    assert region is not None

    def changed(table: RouteTable) -> RouteTable:
        return replace(table, routes=change.get(table.route_table_id, table.routes))

    return replace(world(), region=replace(region, route_tables=tuple(map(changed, region.route_tables))))


def with_interfaces(*more: NetworkInterface) -> World:
    region = world().region
    assert region is not None
    return replace(world(), region=replace(region, network_interfaces=(*region.network_interfaces, *more)))


# The map -----------------------------------------------------------------------------------------


def test_the_map_names_every_address_of_every_interface() -> None:
    told = boundaries(world()).alt
    region = world().region
    assert region is not None
    held = {str(each.address) for interface in region.network_interfaces for each in interface.addresses}
    assert {each for each in held if each not in told} == set()


def test_the_map_names_every_pod_that_has_an_address() -> None:
    told = boundaries(world()).alt
    assert [pod.key for at, pod in world().pods.items() if f" {at}" not in told] == []


def test_who_translates_stands_from_the_outside_inwards() -> None:
    assert [(each.letter, each.station) for each in translators(world())] == [
        ("A", IGW),
        ("B", NAT),
        ("C", NODE),
        ("D", NODE),
    ]


def test_only_the_internet_gateway_remembers_nothing() -> None:
    assert [each.station for each in translators(world()) if not each.remembers] == [IGW]


def test_the_internet_gateway_has_the_pairs_of_the_region() -> None:
    region = world().region
    assert region is not None
    pairs = {(str(at), str(public)) for at, public in region.one_to_one(region.vpcs[0].vpc_id).public.items()}
    assert {change[1:] for change in translators(world())[0].changes} == pairs


def test_a_nodes_translation_is_read_from_its_rules() -> None:
    leaving = next(each for each in translators(world()) if each.station == NODE)
    assert {after for _, _, after in leaving.changes} == {str(each.node.address) for each in world().nodes.values()}


def test_a_subnet_is_public_by_its_route_table_alone() -> None:
    told = boundaries(with_tables({PUBLIC_TABLE: (Route(network("10.0.0.0/16"), "local"),)})).alt
    assert "public subnet" not in told


def test_a_blackhole_makes_no_subnet_public() -> None:
    hole = Route(network("0.0.0.0/0"), "igw-0c00000000000000c", "blackhole")
    assert "public subnet" not in boundaries(with_tables({PUBLIC_TABLE: (hole,)})).alt


def test_without_node_ports_nobody_is_said_to_translate_them() -> None:
    cluster = world().cluster
    assert cluster is not None
    assert [each.letter for each in translators(replace(world(), cluster=replace(cluster, services=())))] == [*"ABC"]


def test_many_interfaces_of_a_subnet_are_counted_not_drawn() -> None:
    more = [
        NetworkInterface(f"eni-9{number}", "subnet-0b00000000000002a", (PrivateAddress(Address(f"10.0.40.{number}")),))
        for number in range(20, 40)
    ]
    assert "and 14 more" in boundaries(with_interfaces(*more)).alt


def test_a_public_address_in_a_private_subnet_is_shown_as_the_pair_that_it_is() -> None:
    pair = PrivateAddress(Address("10.0.40.20"), Address("203.0.113.77"))
    told = boundaries(with_interfaces(NetworkInterface("eni-99", "subnet-0b00000000000002a", (pair,)))).alt
    assert "10.0.40.20 ⇄ 203.0.113.77" in told


def test_a_vpc_without_a_cluster_has_a_map() -> None:
    assert "Node" not in boundaries(replace(world(), cluster=None, load_balancers=())).alt


def test_a_world_without_a_vpc_has_no_map() -> None:
    with pytest.raises(WorldError, match="no region"):
        boundaries(replace(world(), region=None))


def test_a_vpc_that_is_not_there_is_refused() -> None:
    with pytest.raises(WorldError, match="vpc-9"):
        boundaries(world(), "vpc-9")


def test_each_private_subnet_says_by_which_nat_gateway_it_goes_out() -> None:
    told = boundaries(world()).alt
    assert re.findall(r"private subnet (\S+) .*?the way out is NAT gateway (\S+)\.", told) == [
        ("10.0.32.0/20", "10.0.0.200"),
        ("10.0.48.0/20", "10.0.1.200"),
    ]


def test_a_way_out_that_no_line_can_show_is_written_beside_the_subnet() -> None:
    region = world().region
    assert region is not None
    deep = Subnet("subnet-9", region.vpcs[0].vpc_id, network("10.0.64.0/20"), "eu-west-1a")
    tables = (
        replace(each, subnet_ids=(*each.subnet_ids, "subnet-9")) if each.route_table_id == PRIVATE_TABLE else each
        for each in region.route_tables
    )
    changed = replace(region, subnets=(*region.subnets, deep), route_tables=tuple(tables))
    assert "out by 10.0.0.200" in boundaries(replace(world(), region=changed)).svg()


def test_the_same_world_gives_the_same_map() -> None:
    assert boundaries(world()).html() == boundaries(world()).html()


def test_the_map_fits_a_page() -> None:
    assert boundaries(world()).figure.width <= 720


# A packet's forms ---------------------------------------------------------------------------------


def test_a_pods_packet_leaves_under_four_sources() -> None:
    sources = [str(form.packet.source.address) for form in forms(outward()) if form.way is Way.OUT]
    assert sources == [POD, "10.0.33.12", "10.0.0.200", "203.0.113.30"]


def test_each_rewrite_out_is_undone_on_the_way_back() -> None:
    made = forms(outward())
    out = [(form.packet.source, form.packet.destination) for form in made if form.way is Way.OUT]
    back = [(form.packet.destination, form.packet.source) for form in made if form.way is Way.BACK]
    assert back == out[::-1]


def test_what_changed_is_what_differs_from_the_form_before() -> None:
    assert [form.changed for form in forms(outward()) if form.way is Way.OUT] == [(), *[("source",)] * 3]


def test_each_form_is_in_the_space_that_it_crosses() -> None:
    spaces = [form.space for form in forms(outward()) if form.way is Way.OUT]
    assert spaces == [Space.PODS, Space.NODES, Space.PUBLIC, Space.INTERNET]


def test_forms_have_the_numbers_of_the_map_of_the_road() -> None:
    numbers = {leg.number for leg in legs(went()) if leg.packet is not None}
    assert [form.number for form in forms(went())] == sorted(numbers)


def test_a_connections_first_form_is_nobodys_rewrite() -> None:
    made = forms(went())
    firsts = {(form.connection, form.way): form for form in reversed(made)}
    assert [form.number for form in firsts.values() if form.changed] == []


def test_a_stopped_packet_says_by_whom() -> None:
    last = forms(went("http://203.0.113.30/"))[-1]
    assert last.stopped == "dropped by the NAT gateway: NAT_GATEWAY_NO_CONNECTION"


@pytest.mark.parametrize("url", ["http://shop.example.com/cart", "http://203.0.113.30/", "http://10.0.35.113/"])
def test_a_ladder_tells_all_its_forms_in_words(url: str) -> None:
    told = translations(went(url)).alt
    assert all(f"{form.number}, " in told and str(form.packet.source) in told for form in forms(went(url)))


def test_a_name_that_is_none_sends_no_packet() -> None:
    assert translations(went("http://nope.example.com/")).alt == "No packet was sent."


def test_a_place_on_the_internet_is_there_also_when_it_is_called_from_inside() -> None:
    assert {leg.end.space for leg in legs(outward()) if leg.end.address == OUTSIDE} == {Space.INTERNET}


def test_a_pod_that_is_reached_through_the_gateway_is_still_among_the_pods() -> None:
    region = world().region
    assert region is not None
    at = world().pods[address("10.0.34.101")]
    pair = PrivateAddress(address("10.0.34.101"), Address("203.0.113.77"))
    anyone = SecurityGroupRule(network("0.0.0.0/0"), "tcp", 80, 80)

    def called(interface: NetworkInterface) -> NetworkInterface:
        held = tuple(pair if each.address == pair.address else each for each in interface.addresses)
        return replace(interface, addresses=held)

    groups = tuple(replace(each, ingress=(*each.ingress, anyone)) for each in region.security_groups)
    acls = tuple(
        replace(each, entries=allow_all(each.network_acl_id, each.vpc_id).entries) for each in region.network_acls
    )
    interfaces = tuple(map(called, region.network_interfaces))
    open_to_all = replace(region, network_interfaces=interfaces, security_groups=groups, network_acls=acls)
    journey = travel(replace(world(), region=open_to_all), Memory(), http_request("http://203.0.113.77/"))
    assert {leg.end.space for leg in legs(journey) if leg.end.name == at.key} == {Space.PODS}
