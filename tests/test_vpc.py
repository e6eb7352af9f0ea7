"""netpath.vpc.passage: where a packet goes in a region, and where it dies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netpath.errors import WorldError
from netpath.packet import Endpoint, IcmpType, Network, Packet, Protocol, TcpFlags, address, endpoint, tcp, udp
from netpath.vpc import (
    AclEntry,
    Instance,
    InternetGateway,
    Peering,
    PrefixList,
    PrivateAddress,
    Region,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    Vpc,
    VpcMemory,
    allow_all,
)
from tests.vpc_world import (
    ACL,
    ALB,
    ANY,
    LOCAL,
    MAIN,
    NAT,
    NODE_A,
    NODE_A2,
    NODE_B,
    PRIVATE,
    PUBLIC,
    REGION,
    SUBNETS,
    VPC,
    changed,
    codes,
    eni,
    send,
    with_acl,
    with_interface,
)

CLIENT = "198.51.100.1:5000"


def ping(source: str, destination: str, icmp: IcmpType = IcmpType.ECHO_REQUEST) -> Packet:
    return Packet(Protocol.ICMP, endpoint(source), endpoint(destination), icmp=icmp)


def private_table(*routes: Route) -> Region:
    """The region with other routes for the private subnets."""
    return changed(route_tables=(MAIN, PUBLIC, replace(PRIVATE, routes=(LOCAL, *routes))))


def last(region: Region, packet: Packet, sender: object = NODE_A) -> str:
    return send(packet, sender, region).verdict.code  # type: ignore[arg-type]


# The road ------------------------------------------------------------------------------------
def test_from_subnet_to_subnet_it_meets_both_filters_of_both_places_and_the_route_table_between() -> None:
    carried = send(tcp("10.0.0.25:4000", "10.0.32.11:30080"), ALB)
    assert codes(carried) == [
        "security group: ALLOWED",
        "network ACL: ALLOWED",
        "route table: ROUTED",
        "network ACL: ALLOWED",
        "security group: ALLOWED",
    ]
    assert carried.receiver is NODE_A and carried.packet is not None


def test_within_a_subnet_there_is_no_acl_and_no_route_table_but_both_security_groups() -> None:
    carried = send(tcp("10.0.32.11:4000", "10.0.32.12:80"), NODE_A)
    assert [(hop.station, hop.at) for hop in carried.hops] == [
        ("security group", "eni-a egress (sg-node)"),
        ("security group", "eni-a2 ingress (sg-node)"),
    ]


def test_a_secondary_address_is_reached_like_a_primary_one() -> None:
    assert send(tcp("10.0.48.11:4000", "10.0.32.100:80"), NODE_B).receiver is NODE_A


def test_an_address_of_a_delegated_prefix_belongs_to_its_interface() -> None:
    node = replace(NODE_A, prefixes=(Network("10.0.33.0/28"),))
    region = with_interface(node)
    assert send(tcp("10.0.48.11:4000", "10.0.33.5:80"), NODE_B, region).receiver == node
    assert send(tcp("10.0.33.5:80", "10.0.48.11:4000", TcpFlags.SYN), node, region).receiver == NODE_B


def test_what_an_interface_sends_to_itself_never_leaves() -> None:
    mute = replace(NODE_A, group_ids=())
    carried = send(tcp("10.0.32.11:4000", "10.0.32.100:80"), mute, with_interface(mute))
    assert codes(carried) == ["network interface: DELIVERED"] and carried.receiver == mute


def test_between_two_unfiltered_interfaces_of_a_subnet_the_arrival_itself_is_the_hop() -> None:
    one, other = replace(NODE_A, group_ids=()), replace(NODE_A2, group_ids=())
    region = with_interface(other, with_interface(one))
    assert codes(send(tcp("10.0.32.11:1", "10.0.32.12:1"), one, region)) == ["network interface: DELIVERED"]


@pytest.mark.parametrize("service", ["10.0.32.1", "10.0.0.2", "169.254.169.254"])
def test_the_vpcs_own_services_are_exempt_from_every_filter(service: str) -> None:
    mute = replace(NODE_A, group_ids=("sg-mute",))
    region = with_interface(mute, network_acls=())
    carried = send(udp("10.0.32.11:4000", f"{service}:53"), mute, region)
    assert codes(carried) == ["VPC service: VPC_SERVICE"] and carried.packet is not None


def test_an_address_of_the_vpc_that_no_interface_has() -> None:
    assert last(REGION, tcp("10.0.32.11:4000", "10.0.48.99:80")) == "NO_POSSIBLE_DESTINATION"


def test_an_address_of_no_route() -> None:
    carried = send(tcp("10.0.32.11:4000", "172.31.0.1:80"), NODE_A, private_table())
    assert codes(carried)[-1] == "route table: NO_ROUTE_TO_DESTINATION"
    assert [step.why for step in carried.hops[-1].steps] == ["172.31.0.1 is not in 10.0.0.0/16"]


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (replace(NODE_A, status="available"), "BAD_STATE_ATTACHMENT"),
        (replace(NODE_A, instance_id="i-1"), "BAD_STATE"),
    ],
)
def test_an_interface_that_isnt_at_work_neither_sends_nor_receives(broken: object, code: str) -> None:
    region = changed(with_interface(broken), instances=(Instance("i-1", "stopped"),))  # type: ignore[arg-type]
    assert send(tcp("10.0.32.11:1", "10.0.48.11:80"), broken, region).verdict.code == code  # type: ignore[arg-type]
    assert last(region, tcp("10.0.48.11:1", "10.0.32.11:80"), NODE_B) == code


def test_an_instance_that_runs_does_no_harm() -> None:
    node = replace(NODE_A, instance_id="i-1")
    region = changed(with_interface(node), instances=(Instance("i-1"),))
    assert send(tcp("10.0.48.11:1", "10.0.32.11:80"), NODE_B, region).receiver == node


def test_an_interface_of_another_region_cant_send() -> None:
    with pytest.raises(WorldError, match="not an interface of this region"):
        send(tcp("10.0.32.77:1", "10.0.32.11:80"), eni("eni-x", "subnet-priv-a", "10.0.32.77"))


# Source/destination check --------------------------------------------------------------------
def test_a_strange_source_is_refused_where_it_is_sent() -> None:
    carried = send(tcp("10.0.32.99:1", "10.0.48.11:80"), NODE_A)
    assert carried.verdict.code == "ENI_SOURCE_DEST_CHECK_RESTRICTION"
    assert carried.verdict.rule == "eni-a SourceDestCheck: true, the source 10.0.32.99 is not its own"


def appliance_world(**more: object) -> Region:
    """A NAT instance of the reader's own, in the public subnet, and a route to it."""
    box = eni("eni-box", "subnet-pub-a", "10.0.0.66", group_ids=("sg-open",), **more)
    return with_interface(box, route_tables=(MAIN, PUBLIC, replace(PRIVATE, routes=(LOCAL, Route(ANY, "eni-box")))))


def test_an_appliance_takes_what_is_not_for_it_once_its_check_is_off() -> None:
    region = appliance_world(source_dest_check=False)
    carried = send(tcp("10.0.32.11:1", "1.1.1.1:80"), NODE_A, region)
    assert carried.receiver is region.network_interface["eni-box"], carried.hops


def test_an_appliance_with_the_check_on_takes_nothing_for_others() -> None:
    assert last(appliance_world(), tcp("10.0.32.11:1", "1.1.1.1:80")) == "ENI_SOURCE_DEST_CHECK_RESTRICTION"


def test_an_appliance_sends_on_for_others_and_the_gateway_maps_the_source_by_address() -> None:
    region = appliance_world(source_dest_check=False)
    box = region.network_interface["eni-box"]
    carried = send(tcp("10.0.0.25:80", CLIENT), box, region)
    assert str(carried.packet) == f"tcp 203.0.113.10:80 > {CLIENT} [S]"


def test_a_group_reference_is_lost_behind_an_appliance() -> None:
    region = appliance_world(source_dest_check=False)
    carried = send(tcp("10.0.48.11:1", "10.0.32.11:80"), region.network_interface["eni-box"], region)
    assert carried.verdict.code == "ENI_SG_RULES_MISMATCH"
    assert carried.hops[-1].steps[1].why == "an appliance forwarded it, and group references are lost on the way"


def test_a_route_to_an_instance_leads_to_its_first_interface() -> None:
    region = appliance_world(source_dest_check=False, instance_id="i-box")
    tables = (MAIN, PUBLIC, replace(PRIVATE, routes=(LOCAL, Route(ANY, "i-box"))))
    carried = send(tcp("10.0.32.11:1", "1.1.1.1:80"), NODE_A, replace(region, route_tables=tables))
    assert carried.receiver is region.network_interface["eni-box"]


def test_a_route_to_an_interface_of_the_same_subnet_meets_no_acl() -> None:
    region = appliance_world(source_dest_check=False)
    region = replace(region, route_tables=(MAIN, replace(PUBLIC, routes=(LOCAL, Route(ANY, "eni-box"))), PRIVATE))
    carried = send(tcp("10.0.0.25:1", "1.1.1.1:80"), ALB, region)
    assert [hop.station for hop in carried.hops] == ["security group", "route table", "security group"]


def test_a_route_more_specific_than_local_diverts_traffic_between_subnets() -> None:
    region = appliance_world(source_dest_check=False)
    tables = (MAIN, PUBLIC, replace(PRIVATE, routes=(LOCAL, Route(Network("10.0.48.0/20"), "eni-box"))))
    region = replace(region, route_tables=tables)
    assert send(tcp("10.0.32.11:1", "10.0.48.11:80"), NODE_A, region).receiver is region.network_interface["eni-box"]


# Internet gateway ----------------------------------------------------------------------------
def test_from_the_internet_only_the_private_address_arrives() -> None:
    carried = send(tcp(CLIENT, "203.0.113.10:80"), None)
    assert str(carried.packet) == f"tcp {CLIENT} > 10.0.0.25:80 [S]"
    assert [hop.station for hop in carried.hops] == ["internet gateway", "network ACL", "security group"]
    assert carried.hops[0].verdict.rule == "10.0.0.25 <-> 203.0.113.10"


def test_to_the_internet_the_source_becomes_public() -> None:
    carried = send(tcp("10.0.0.25:80", CLIENT), ALB)
    assert str(carried.packet) == f"tcp 203.0.113.10:80 > {CLIENT} [S]"
    assert carried.receiver is None and carried.verdict.ok


def test_an_icmp_error_is_translated_inside_too() -> None:
    arrived = send(tcp(CLIENT, "203.0.113.10:80"), None).packet
    assert arrived is not None
    error = arrived.error(IcmpType.PORT_UNREACHABLE, address("10.0.0.25"))
    out = send(error, ALB).packet
    assert out is not None and str(out.quotes) == f"tcp {CLIENT} > 203.0.113.10:80 [S]"


def test_without_a_public_address_nothing_gets_out_by_the_internet_gateway() -> None:
    node = eni("eni-poor", "subnet-pub-a", "10.0.0.77", group_ids=("sg-node",))
    assert last(with_interface(node), tcp("10.0.0.77:1", "1.1.1.1:80"), node) == "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS"


@pytest.mark.parametrize(
    ("destination", "code"),
    [
        ("192.168.1.1:80", "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS"),
        ("172.16.0.1:80", "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS"),
        ("100.64.0.1:80", "IGW_DESTINATION_ADDRESS_NOT_IN_RFC6598_EGRESS"),
    ],
)
def test_an_internet_gateway_sends_nothing_to_private_addresses(destination: str, code: str) -> None:
    assert last(REGION, tcp("10.0.0.25:1", destination), ALB) == code


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("192.168.1.1:80", "IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS"),
        ("100.64.0.1:80", "IGW_SOURCE_ADDRESS_NOT_IN_RFC6598_INGRESS"),
    ],
)
def test_an_internet_gateway_takes_nothing_from_private_addresses(source: str, code: str) -> None:
    assert last(REGION, tcp(source, "203.0.113.10:80"), None) == code


@pytest.mark.parametrize("destination", ["203.0.113.99:80", "10.0.0.25:80"])
def test_an_address_that_is_nobodys_public_one(destination: str) -> None:
    assert codes(send(tcp(CLIENT, destination), None)) == ["internet: NO_SUCH_PUBLIC_ADDRESS"]


def test_a_vpc_without_a_gateway_is_out_of_reach() -> None:
    region = changed(internet_gateways=(InternetGateway("igw-1"),))
    assert last(region, tcp(CLIENT, "203.0.113.10:80"), None) == "BAD_STATE_ATTACHMENT"


def test_a_public_address_of_a_detached_interface() -> None:
    region = with_interface(replace(ALB, status="available"))
    assert last(region, tcp(CLIENT, "203.0.113.10:80"), None) == "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS"


def test_a_public_address_of_the_same_vpc_is_reached_by_the_gateway_and_back() -> None:
    node = eni("eni-c", "subnet-pub-b", "10.0.1.5=203.0.113.11", group_ids=("sg-node",))
    carried = send(tcp("10.0.1.5:4000", "203.0.113.10:80"), node, with_interface(node))
    assert [hop.station for hop in carried.hops][3:5] == ["internet gateway", "internet gateway"]
    assert str(carried.packet) == "tcp 203.0.113.11:4000 > 10.0.0.25:80 [S]" and carried.receiver is ALB


def test_inbound_needs_no_route_to_the_gateway_but_the_answer_does() -> None:
    node = eni("eni-a", "subnet-priv-a", "10.0.32.11=203.0.113.12", group_ids=("sg-open",))
    region = with_interface(node, private_table())
    carried = send(tcp(CLIENT, "203.0.113.12:80"), None, region)
    assert carried.packet is not None and carried.receiver == node
    assert last(region, carried.packet.answer(), node) == "NO_ROUTE_TO_DESTINATION"


# Gateway (edge) route tables -----------------------------------------------------------------
def edge_world(*routes: Route, **box: object) -> Region:
    region = appliance_world(source_dest_check=False, **box)
    edge = RouteTable("rtb-edge", "vpc-1", routes, gateway_ids=("igw-1",))
    return replace(region, route_tables=(*region.route_tables, edge))


def test_an_edge_route_table_with_local_alone_changes_nothing() -> None:
    carried = send(tcp(CLIENT, "203.0.113.10:80"), None, edge_world())
    assert codes(carried)[:2] == ["internet gateway: TRANSLATED", "route table: ROUTED"]
    assert carried.receiver is ALB


def test_an_edge_route_leads_what_comes_in_to_an_appliance() -> None:
    region = edge_world(Route(Network("10.0.1.0/24"), "eni-box"))
    target = eni("eni-c", "subnet-pub-b", "10.0.1.5=203.0.113.11", group_ids=("sg-node",))
    region = with_interface(replace(region.network_interface["eni-box"], addresses=_public("10.0.0.66")), region)
    carried = send(tcp(CLIENT, "203.0.113.11:80"), None, with_interface(target, region))
    assert carried.receiver is not None and carried.receiver.network_interface_id == "eni-box"


def _public(private: str) -> tuple[PrivateAddress, ...]:
    return (PrivateAddress(address(private), address("203.0.113.66")),)


@pytest.mark.parametrize(
    ("route", "code"),
    [
        (Route(Network("10.0.0.0/24"), "eni-box"), "INGRESS_RTB_NO_PUBLIC_IP"),
        (Route(Network("10.0.0.0/24"), "eni-gone", "blackhole"), "BAD_STATE_ROUTE"),
        (Route(Network("10.0.0.0/24"), "vpce-1"), "UNKNOWN_DESTINATION"),
    ],
)
def test_an_edge_route_that_leads_nowhere_known(route: Route, code: str) -> None:
    assert last(edge_world(route), tcp(CLIENT, "203.0.113.10:80"), None) == code


# Route states and other targets --------------------------------------------------------------
@pytest.mark.parametrize(
    ("route", "code"),
    [
        (Route(ANY, "nat-deleted", "blackhole"), "BAD_STATE_ROUTE"),
        (Route(ANY, "i-none"), "BAD_STATE_ROUTE"),
        (Route(ANY, "tgw-1"), "UNKNOWN_DESTINATION"),
        (Route(ANY, "vgw-1"), "UNKNOWN_DESTINATION"),
        (Route(ANY, "pcx-elsewhere"), "UNKNOWN_DESTINATION"),
    ],
)
def test_a_route_that_leads_nowhere_known(route: Route, code: str) -> None:
    assert last(private_table(route), tcp("10.0.32.11:1", "1.1.1.1:80")) == code


def test_a_blackhole_wins_by_its_longer_prefix_all_the_same() -> None:
    region = private_table(Route(ANY, "nat-1"), Route(Network("1.1.1.0/24"), "eni-gone", "blackhole"))
    carried = send(tcp("10.0.32.11:1", "1.1.1.1:80"), NODE_A, region)
    assert carried.verdict.rule == "rtb-priv 1.1.1.0/24 -> eni-gone (blackhole)"
    assert carried.verdict.code == "BAD_STATE_ROUTE"


def test_a_route_to_a_detached_gateway_is_a_blackhole() -> None:
    region = changed(internet_gateways=(InternetGateway("igw-1"),))
    carried = send(tcp("10.0.0.25:80", CLIENT), ALB, region)
    assert carried.verdict.code == "BAD_STATE_ROUTE"
    assert "igw-1 is not attached to vpc-1" in carried.hops[-1].steps[1].why


def test_a_route_to_a_nat_gateway_that_failed_is_a_blackhole() -> None:
    assert last(changed(nat_gateways=(replace(NAT, state="failed"),)), tcp("10.0.32.11:1", "1.1.1.1:80")) == (
        "BAD_STATE_ROUTE"
    )


def test_a_prefix_list_stands_for_its_networks() -> None:
    region = private_table(Route("pl-1", "nat-1"), Route("pl-unknown", "tgw-1"))
    region = replace(region, prefix_lists=(PrefixList("pl-1", (Network("1.1.1.0/24"), Network("9.9.9.0/24"))),))
    assert last(region, tcp("10.0.32.11:1", "9.9.9.9:80")) == "TRANSLATED"
    assert last(region, tcp("10.0.32.11:1", "8.8.8.8:80")) == "NO_ROUTE_TO_DESTINATION"


# Peering -------------------------------------------------------------------------------------
PEER = eni("eni-peer", "subnet-peer", "10.1.0.5", group_ids=("sg-peer",))


def peered(status: str = "active", destination: str = "10.1.0.0/16") -> Region:
    """A second VPC; its group lets in sg-node by name."""
    region = private_table(Route(Network(destination), "pcx-1"))
    table = RouteTable("rtb-peer", "vpc-2", (Route(Network("10.0.0.0/16"), "pcx-1"),), main=True)
    rule = SecurityGroupRule("sg-node", "tcp", 80, 80, peer_vpc_id="vpc-1")
    group = SecurityGroup("sg-peer", "vpc-2", (rule,), (SecurityGroupRule(ANY),))
    return with_interface(
        PEER,
        region,
        vpcs=(VPC, Vpc("vpc-2", (Network("10.1.0.0/16"),))),
        subnets=(*SUBNETS, Subnet("subnet-peer", "vpc-2", Network("10.1.0.0/24"))),
        security_groups=(*region.security_groups, group),
        route_tables=(*region.route_tables, table),
        network_acls=(ACL, allow_all("acl-peer", "vpc-2")),
        peerings=(Peering("pcx-1", "vpc-1", "vpc-2", status),),
    )


def test_a_peering_connection_carries_there_and_back_and_keeps_group_references() -> None:
    region, memory = peered(), VpcMemory()
    there = send(tcp("10.0.32.11:4000", "10.1.0.5:80"), NODE_A, region, memory)
    assert "peering connection: ROUTED" in codes(there) and there.receiver == PEER
    back = send(tcp("10.1.0.5:80", "10.0.32.11:4000", TcpFlags.SYN_ACK), PEER, region, memory)
    assert back.receiver == NODE_A, codes(back)


def test_a_peering_connection_that_isnt_active_is_a_blackhole() -> None:
    assert last(peered("pending-acceptance"), tcp("10.0.32.11:1", "10.1.0.5:80")) == "BAD_STATE_ROUTE"


def test_peering_is_not_transitive() -> None:
    region = peered(destination="10.2.0.0/16")
    assert last(region, tcp("10.0.32.11:1", "10.2.0.5:80")) == "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR"


def test_a_peer_has_no_group_by_name_once_the_peering_is_gone() -> None:
    region = replace(peered(), peerings=())
    rules = region.group_filter(("sg-peer",), False)
    assert rules.rules[0].peer.addresses == frozenset()


def test_a_route_by_a_peering_of_other_vpcs_isnt_followed() -> None:
    region = replace(peered(), peerings=(Peering("pcx-1", "vpc-2", "vpc-3"),))
    assert last(region, tcp("10.0.32.11:1", "10.1.0.5:80")) == "UNKNOWN_DESTINATION"


# Filters on the road -------------------------------------------------------------------------
def test_a_security_group_that_lets_nothing_in_says_which_rules_it_asked() -> None:
    carried = send(tcp("10.0.0.25:4000", "10.0.32.11:22"), ALB)
    assert carried.verdict.code == "ENI_SG_RULES_MISMATCH"
    assert [(step.rule, step.why) for step in carried.hops[-1].steps] == [
        ("sg-node ingress tcp 30080 from sg-alb", "port 22 is not 30080"),
        ("sg-node ingress all from sg-node", "10.0.0.25 is no private address of an interface with sg-node"),
    ]


def test_a_group_without_rules_has_its_own_code() -> None:
    mute = replace(NODE_A, group_ids=("sg-mute",))
    assert last(with_interface(mute), tcp("10.0.32.11:1", "10.0.48.11:80"), mute) == "SG_HAS_NO_RULES"


def test_an_acl_denies_on_the_way_out_and_on_the_way_in() -> None:
    deny = AclEntry(90, True, False, Network("10.0.48.0/20"))
    both = (AclEntry(100, False, True), AclEntry(100, True, True))
    carried = send(tcp("10.0.32.11:1", "10.0.48.11:80"), NODE_A, with_acl("subnet-priv-a", deny, *both))
    assert codes(carried) == ["security group: ALLOWED", "network ACL: SUBNET_ACL_RESTRICTION"]
    assert carried.verdict.rule == "acl-2 egress 90 deny all to 10.0.48.0/20"
    carried = send(tcp("10.0.32.11:1", "10.0.48.11:80"), NODE_A, with_acl("subnet-priv-b", both[1]))
    assert carried.verdict.rule == "acl-2 ingress * deny all from 0.0.0.0/0"


def test_an_acl_forgets_so_an_answer_needs_a_rule_of_its_own() -> None:
    region, memory = (
        with_acl("subnet-priv-a", AclEntry(100, False, True), AclEntry(100, True, True, ANY, "tcp", 80, 80)),
        VpcMemory(),
    )
    there = send(tcp("10.0.48.11:4000", "10.0.32.11:80"), NODE_B, region, memory)
    assert there.packet is not None
    back = send(there.packet.answer(), NODE_A, region, memory)
    assert codes(back) == ["security group: TRACKED", "network ACL: SUBNET_ACL_RESTRICTION"]


def test_a_subnet_without_an_acl_is_an_error_that_names_it() -> None:
    with pytest.raises(WorldError, match="subnet-priv-a has no network ACL, and vpc-1 no default one"):
        send(tcp("10.0.32.11:1", "10.0.48.11:80"), NODE_A, changed(network_acls=()))


def test_a_subnet_without_a_route_table_is_an_error_that_names_it() -> None:
    with pytest.raises(WorldError, match="subnet-priv-a has no route table"):
        send(tcp("10.0.32.11:1", "10.0.48.11:80"), NODE_A, changed(route_tables=(PUBLIC,)))


def test_a_ping_meets_the_rules_by_type_and_its_answer_by_memory() -> None:
    memory = VpcMemory()
    there = send(ping("10.0.32.11:7", "10.0.48.11"), NODE_A, memory=memory)
    assert there.receiver is NODE_B
    answer = Packet(Protocol.ICMP, Endpoint(address("10.0.48.11")), endpoint("10.0.32.11:7"), icmp=IcmpType.ECHO_REPLY)
    assert codes(send(answer, NODE_B, memory=memory))[-1] == "security group: TRACKED"


def test_carrying_the_same_packet_twice_gives_equal_hops_and_readable_steps() -> None:
    packet = tcp("10.0.0.25:4000", "10.0.32.11:30080")
    one, other = send(packet, ALB), send(packet, ALB)
    assert one.hops == other.hops
    assert all(step.rule and step.why for hop in one.hops for step in hop.steps)
