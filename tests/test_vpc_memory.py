"""netpath.vpc.memory and natgateway: what is remembered between packets, and for how long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netpath.choice import Script, outcomes
from netpath.packet import Endpoint, IcmpType, Network, Packet, Protocol, TcpFlags, address, endpoint, tcp, udp
from netpath.vpc import (
    AclEntry,
    Carried,
    ConnectionTracking,
    NatGateway,
    PrivateAddress,
    Region,
    Route,
    SecurityGroup,
    SecurityGroupRule,
    VpcMemory,
    carry,
    natgateway,
)
from netpath.vpc.memory import flow_id
from netpath.vpc.passage import Settled
from tests.vpc_world import (
    ALB,
    ANY,
    LOCAL,
    MAIN,
    NAT,
    NODE_A,
    NODE_B,
    PRIVATE,
    PUBLIC,
    REGION,
    changed,
    codes,
    send,
    with_acl,
    with_interface,
)

WEB = "1.1.1.1:443"
OUT = tcp("10.0.32.11:4000", WEB)
ONLY_OUT = SecurityGroup("sg-node", "vpc-1", (), (SecurityGroupRule(ANY),))
ONLY_OUT_REGION = changed(
    security_groups=(ONLY_OUT, *(group for group in REGION.security_groups if group.group_id != "sg-node"))
)
PING = Packet(Protocol.ICMP, endpoint("10.0.32.11:7"), endpoint("1.1.1.1"), icmp=IcmpType.ECHO_REQUEST)


# Security groups' tracking -------------------------------------------------------------------
def exchange(region: Region, memory: VpcMemory, packet: Packet, now: float) -> Carried:
    """Send a packet from whoever has its source in zone a or b."""
    sender = NODE_A if NODE_A.holds(packet.source.address) else NODE_B
    return send(packet, region.network_interface[sender.network_interface_id], region, memory, now)


def after(packets: list[tuple[float, Packet]], region: Region = ONLY_OUT_REGION) -> str:
    """The verdict on the last of several packets at their times."""
    memory = VpcMemory()
    return [exchange(region, memory, packet, now).verdict.code for now, packet in packets][-1]


SYN = tcp("10.0.32.11:4000", "10.0.48.11:80")
SYN_ACK, ACK, FIN = SYN.answer(), tcp("10.0.32.11:4000", "10.0.48.11:80", TcpFlags.ACK), SYN.answer(TcpFlags.FIN)
DATA = SYN.answer(TcpFlags.PUSH)
QUERY = udp("10.0.32.11:4000", "10.0.48.11:53")
REPLY = QUERY.answer()
FORGOTTEN = "SG_HAS_NO_RULES"  # the rules are asked, and there are none this way


@pytest.fixture
def listening() -> Region:
    """Zone b's node listens to everyone; zone a's accepts nothing that it didn't ask for."""
    node_b = replace(NODE_B, group_ids=("sg-open",))
    return with_interface(node_b, ONLY_OUT_REGION)


@pytest.mark.parametrize(
    ("packets", "code"),
    [
        ([(0, SYN), (1, SYN_ACK)], "TRACKED"),
        ([(0, SYN), (120, SYN_ACK)], FORGOTTEN),
        ([(0, SYN), (1, SYN_ACK), (2, ACK), (400_000, DATA)], "TRACKED"),
        ([(0, SYN), (1, SYN_ACK), (2, ACK), (432_002, DATA)], FORGOTTEN),
        ([(0, SYN), (1, SYN_ACK), (2, ACK), (3, FIN), (200, DATA)], FORGOTTEN),
        ([(0, SYN), (1, SYN_ACK), (2, ACK), (3, FIN), (4, tcp("10.0.48.11:80", "10.0.32.11:4000"))], FORGOTTEN),
        ([(0, QUERY), (29, REPLY)], "TRACKED"),
        ([(0, QUERY), (30, REPLY)], FORGOTTEN),
        ([(0, QUERY), (1, REPLY), (2, QUERY), (3, REPLY), (180, REPLY)], "TRACKED"),
        ([(0, QUERY), (1, REPLY), (2, QUERY), (33, REPLY)], FORGOTTEN),
    ],
)
def test_a_group_remembers_a_connection_as_long_as_aws_says(
    listening: Region, packets: list[tuple[float, Packet]], code: str
) -> None:
    assert after(packets, listening) == code


def test_the_timeouts_are_the_interfaces_own(listening: Region) -> None:
    hasty = replace(NODE_A, tracking=ConnectionTracking(tcp_established=350))
    region = with_interface(hasty, listening)
    assert after([(0, SYN), (1, SYN_ACK), (2, ACK), (352, DATA)], region) == "SG_HAS_NO_RULES"


def test_other_protocols_are_known_by_their_addresses_alone(listening: Region) -> None:
    there = Packet(Protocol.SCTP, endpoint("10.0.32.11:1"), endpoint("10.0.48.11:2"))
    back = Packet(Protocol.SCTP, endpoint("10.0.48.11:3"), endpoint("10.0.32.11:4"))
    assert after([(0, there), (599, back)], listening) == "TRACKED"
    assert after([(0, there), (600, back)], listening) == "SG_HAS_NO_RULES"


def test_a_ping_from_the_other_side_is_no_answer_whatever_its_identifier(listening: Region) -> None:
    there = Packet(Protocol.ICMP, endpoint("10.0.32.11:7"), endpoint("10.0.48.11"), icmp=IcmpType.ECHO_REQUEST)
    other = Packet(Protocol.ICMP, endpoint("10.0.48.11:7"), endpoint("10.0.32.11"), icmp=IcmpType.ECHO_REQUEST)
    assert after([(0, there), (1, there.answer())], listening) == "TRACKED"
    assert after([(0, there), (1, other)], listening) == FORGOTTEN


def test_an_icmp_error_about_a_tracked_connection_passes_and_another_doesnt(listening: Region) -> None:
    error = SYN.error(IcmpType.PORT_UNREACHABLE, address("10.0.48.11"))
    assert after([(0, SYN), (1, error)], listening) == "TRACKED"
    assert after([(0, SYN), (121, error)], listening) == "SG_HAS_NO_RULES"
    assert after([(1, error)], listening) == "SG_HAS_NO_RULES"


def test_an_icmp_error_about_what_came_in_passes_out() -> None:
    memory, mute = VpcMemory(), SecurityGroup("sg-node", "vpc-1", (SecurityGroupRule(ANY, "tcp"),), ())
    groups = (mute, *(group for group in REGION.security_groups if group.group_id != "sg-node"))
    region = changed(security_groups=groups)
    send(tcp("10.0.0.25:4000", "10.0.32.11:80"), ALB, region, memory)
    error = tcp("10.0.0.25:4000", "10.0.32.11:80").error(IcmpType.PORT_UNREACHABLE, address("10.0.32.11"))
    assert codes(send(error, NODE_A, region, memory))[0] == "security group: TRACKED"


def test_a_copy_of_the_memory_goes_its_own_way() -> None:
    memory = VpcMemory()
    send(OUT, NODE_A, memory=memory)
    twin = memory.copy()
    send(tcp("10.0.32.11:4001", WEB), NODE_A, memory=twin)
    assert (len(memory.tracked), len(twin.tracked)) == (1, 2)
    assert (len(memory.nat["nat-1"].conntrack), len(twin.nat["nat-1"].conntrack)) == (1, 2)


def test_what_has_expired_is_forgotten_and_the_rest_listed() -> None:
    memory = VpcMemory()
    send(OUT, NODE_A, memory=memory)
    flow, translation = memory.listing(100)
    assert flow == "eni-a tracks tcp 10.0.32.11:4000 -> 1.1.1.1:443 (20 s left)"
    assert translation.startswith("nat-1 tcp      6 250 SYN_SENT src=10.0.32.11")
    assert (memory.expire(200), memory.expire(400), memory.listing(400)) == (1, 1, ())


# NAT gateway ---------------------------------------------------------------------------------
def test_out_by_a_nat_gateway_the_source_is_its_own_and_then_its_public_address() -> None:
    carried = send(OUT, NODE_A, choose=Script([40000]))
    assert codes(carried) == [
        "security group: ALLOWED",
        "network ACL: ALLOWED",
        "route table: ROUTED",
        "network ACL: ALLOWED",
        "NAT gateway: TRANSLATED",
        "network ACL: ALLOWED",
        "route table: ROUTED",
        "internet gateway: TRANSLATED",
    ]
    assert [str(hop.sent.source) for hop in carried.hops if hop.rewrites and hop.sent] == [
        "10.0.0.200:40000",
        "203.0.113.30:40000",
    ]


def test_an_answer_comes_back_by_memory_alone() -> None:
    memory = VpcMemory()
    out = send(OUT, NODE_A, memory=memory).packet
    assert out is not None
    back = send(out.answer(), None, memory=memory)
    assert str(back.packet) == f"tcp {WEB} > 10.0.32.11:4000 [S.]" and back.receiver is NODE_A


def test_a_ping_and_an_icmp_error_find_their_way_back() -> None:
    memory = VpcMemory()
    out = send(PING, NODE_A, memory=memory, choose=Script([2000])).packet
    assert out is not None and out.source == endpoint("203.0.113.30:2000")
    reply = Packet(Protocol.ICMP, Endpoint(address("1.1.1.1")), out.source, icmp=IcmpType.ECHO_REPLY)
    assert send(reply, None, memory=memory).receiver is NODE_A
    error = out.error(IcmpType.HOST_UNREACHABLE, address("9.9.9.9"))
    back = send(error, None, memory=memory)
    assert back.packet is not None and back.packet.quotes == PING


def test_two_connections_from_one_port_to_one_place_get_different_ports() -> None:
    memory = VpcMemory()
    ports = [
        packet.source.port
        for source in ("10.0.32.11:4000", "10.0.32.100:4000")
        if (packet := send(tcp(source, WEB), NODE_A, memory=memory, choose=Script([5000])).packet)
    ]
    assert ports == [5000, 5001]


@pytest.mark.parametrize(
    "packet",
    [
        tcp(WEB, "203.0.113.30:5000"),
        udp(WEB, "203.0.113.30:5000"),
        tcp(WEB, "203.0.113.30:1024"),
        tcp("1.1.1.2:443", "203.0.113.30:1024", TcpFlags.SYN_ACK),
    ],
)
def test_nothing_gets_in_unasked(packet: Packet) -> None:
    memory = VpcMemory()
    send(udp("10.0.32.11:4000", WEB), NODE_A, memory=memory)
    assert send(packet, None, memory=memory).verdict.code == "NAT_GATEWAY_NO_CONNECTION"


def test_nor_from_inside_to_its_private_address() -> None:
    assert send(tcp("10.0.32.11:1", "10.0.0.200:80"), NODE_A).verdict.code == "NAT_GATEWAY_NO_CONNECTION"


@pytest.mark.parametrize(("idle", "code"), [(349, "TRANSLATED"), (350, "NAT_GATEWAY_IDLE_TIMEOUT")])
def test_after_350_idle_seconds_whoever_goes_on_is_reset(idle: float, code: str) -> None:
    memory = VpcMemory()
    out = send(OUT, NODE_A, memory=memory).packet
    assert out is not None
    send(out.answer(), None, memory=memory, now=1)
    more = tcp("10.0.32.11:4000", WEB, TcpFlags.ACK)
    send(more, NODE_A, memory=memory, now=2)
    carried = send(more, NODE_A, memory=memory, now=2 + idle)
    assert carried.verdict.code == code
    assert (str(carried.answer) == f"tcp {WEB} > 10.0.32.11:4000 [R.]") is (code != "TRANSLATED")


def test_a_reset_that_belongs_to_nothing_isnt_answered_with_another() -> None:
    carried = send(tcp("10.0.32.11:4000", WEB, TcpFlags.RESET), NODE_A)
    assert carried.verdict.code == "NAT_GATEWAY_NO_CONNECTION" and carried.answer is None


def test_an_idle_udp_flow_just_begins_again() -> None:
    memory, query = VpcMemory(), udp("10.0.32.11:4000", "1.1.1.1:53")
    assert [send(query, NODE_A, memory=memory, now=now).verdict.ok for now in (0, 1000)] == [True, True]


def test_at_its_limit_a_gateway_has_no_port_left_for_that_destination(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(natgateway, "CONNECTIONS_PER_DESTINATION", 3)
    memory = VpcMemory()
    tries = [send(tcp(f"10.0.32.11:{port}", WEB), NODE_A, memory=memory) for port in range(4000, 4004)]
    assert [one.verdict.code for one in tries] == ["TRANSLATED"] * 3 + ["ErrorPortAllocation"]
    assert tries[-1].verdict.rule == "3 connections to 1.1.1.1:443"
    assert send(tcp("10.0.32.11:4009", "1.1.1.2:443"), NODE_A, memory=memory).verdict.code == "TRANSLATED"
    assert send(tcp("10.0.32.11:4009", WEB), NODE_A, memory=memory, now=1000).verdict.code == "TRANSLATED"


def two_addresses(region: Region = REGION) -> Region:
    second = PrivateAddress(address("10.0.0.201"), address("203.0.113.31"))
    return changed(region, nat_gateways=(replace(NAT, addresses=(*NAT.addresses, second)),))


def test_a_gateway_with_two_addresses_uses_either() -> None:
    region = two_addresses()
    found = outcomes(lambda choose: carry(region, VpcMemory(), OUT, NODE_A, 0.0, choose).packet)
    sources = {str(one.result.source.address): one.probability for one in found if one.result}
    assert sources == {"203.0.113.30": 0.5, "203.0.113.31": 0.5}


def test_a_second_address_takes_what_the_first_has_no_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(natgateway, "CONNECTIONS_PER_DESTINATION", 1)
    region, memory = two_addresses(), VpcMemory()
    tries = [send(tcp(f"10.0.32.11:{port}", WEB), NODE_A, region, memory) for port in range(4000, 4003)]
    assert [str(one.packet.source.address) if one.packet else "" for one in tries] == [
        "203.0.113.30",
        "203.0.113.31",
        "",
    ]


def test_a_nat_gateway_is_behind_its_subnets_acl() -> None:
    region = with_acl("subnet-pub-a", AclEntry(100, True, True))
    carried = send(OUT, NODE_A, region)
    assert carried.verdict.rule == "acl-2 ingress * deny all from 0.0.0.0/0"
    region = with_acl("subnet-pub-a", AclEntry(100, False, True))
    assert send(OUT, NODE_A, region).verdict.rule == "acl-2 egress * deny all to 0.0.0.0/0"


def test_sctp_gets_no_further() -> None:
    packet = Packet(Protocol.SCTP, endpoint("10.0.32.11:1"), endpoint(WEB))
    assert send(packet, NODE_A).verdict.code == "PROTOCOL_RESTRICTION"


def test_a_source_outside_the_vpc_gets_no_further() -> None:
    forwarder = replace(NODE_A, source_dest_check=False)
    carried = send(tcp("192.168.7.7:1", WEB), forwarder, with_interface(forwarder))
    assert carried.verdict.code == "NGW_REQUIRES_SOURCE_IN_VPC"


def test_a_nat_gateway_in_a_private_subnet_leads_to_itself() -> None:
    region = changed(route_tables=(MAIN, replace(PUBLIC, routes=(LOCAL, Route(ANY, "nat-1"))), PRIVATE))
    carried = send(OUT, NODE_A, region)
    assert carried.verdict.code == "ROUTE_LOOP"
    assert carried.verdict.rule == "rtb-pub leads from subnet-pub-a back to nat-1"


def test_from_its_own_subnet_a_nat_gateway_is_reached_without_an_acl() -> None:
    region = changed(route_tables=(MAIN, replace(PUBLIC, routes=(LOCAL, Route(ANY, "nat-1"))), PRIVATE))
    stations = [hop.station for hop in send(tcp("10.0.0.25:1", WEB), ALB, region).hops]
    assert stations[:3] == ["security group", "route table", "NAT gateway"]


def test_a_private_nat_gateway_gets_nothing_to_the_internet() -> None:
    private = NatGateway("nat-1", "subnet-pub-a", (PrivateAddress(address("10.0.0.200")),), connectivity_type="private")
    carried = send(OUT, NODE_A, changed(nat_gateways=(private,)))
    assert carried.verdict.code == "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS"


def test_between_subnets_a_private_nat_gateway_hides_the_source() -> None:
    private = NatGateway("nat-1", "subnet-pub-a", (PrivateAddress(address("10.0.0.200")),), connectivity_type="private")
    table = replace(PRIVATE, routes=(LOCAL, Route(Network("10.0.1.0/24"), "nat-1")))
    target = replace(ALB, network_interface_id="eni-t", subnet_id="subnet-pub-b")
    target = replace(target, addresses=(PrivateAddress(address("10.0.1.5")),))
    region = with_interface(target, nat_gateways=(private,), route_tables=(MAIN, PUBLIC, table))
    carried = send(tcp("10.0.32.11:1", "10.0.1.5:80"), NODE_A, region)
    assert carried.receiver == target and str(carried.packet) == "tcp 10.0.0.200:1024 > 10.0.1.5:80 [S]"


def test_a_segment_that_rules_alone_let_through_leaves_nothing_behind() -> None:
    packet = tcp("10.0.0.5:80", "198.51.100.7:5000", TcpFlags.PUSH)
    memory = VpcMemory()
    settled = Settled(flow_id("eni-1", packet, True), packet, True, ConnectionTracking(), None)
    settled.renew(memory, 0.0)
    assert settled.holds(memory, 0.0) and not memory.tracked
