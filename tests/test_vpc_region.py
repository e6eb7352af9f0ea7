"""netpath.vpc.objects, region, checks and findings: what a region refuses, finds, and warns of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from netpath.errors import InputError, WorldError
from netpath.packet import Network, address, tcp
from netpath.vpc import (
    AclEntry,
    Instance,
    InternetGateway,
    NatGateway,
    NetworkAcl,
    NetworkInterface,
    Peering,
    Region,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    TargetKind,
    Vpc,
    allow_all,
    findings,
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
    SG_ALB,
    SG_MUTE,
    SG_NODE,
    SG_OPEN,
    SUBNETS,
    VPC,
    changed,
    eni,
    send,
    with_interface,
)


# Values --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Vpc("vpc-1", ()), "a VPC without a CIDR block"),
        (lambda: Vpc("vpc-1", (Network("10.0.0.0/16"), Network("10.0.1.0/24"))), "overlaps another CIDR block"),
        (lambda: Route(ANY, "igw-1", "broken"), "State: not a route's state: got 'broken'"),
        (lambda: Route(ANY, ""), "a route without a target"),
        (lambda: RouteTable("rtb-1", "vpc-1", (LOCAL, LOCAL)), "Routes: twice in rtb-1"),
        (lambda: NatGateway("nat-1", "subnet-1", ()), "a NAT gateway without an address"),
        (lambda: replace(NAT, connectivity_type="both"), "not a connectivity type"),
        (lambda: NetworkInterface("eni-1", "subnet-1", ()), "an interface without an address"),
        (lambda: eni("eni-1", "subnet-1", "10.0.0.9", "10.0.0.9"), "PrivateIpAddresses: twice in eni-1"),
        (lambda: eni("eni-1", "subnet-1", "10.0.0.9", group_ids=("sg-1", "sg-1")), "Groups: twice in eni-1"),
        (lambda: SecurityGroupRule(ANY, "tcp", 90, 80), "FromPort: not a range: got (90, 80)"),
        (lambda: SecurityGroupRule(ANY, "tcp", 80), "FromPort: not a range"),
        (lambda: SecurityGroupRule(ANY, "udp", 0, 65536), "FromPort: not a range"),
        (lambda: SecurityGroupRule(ANY, "icmp", 256, 0), "not an ICMP type or code"),
        (lambda: SecurityGroupRule(ANY, "gre"), "not a protocol: got 'gre'"),
        (lambda: SecurityGroupRule(ANY, "256"), "not a protocol"),
        (lambda: AclEntry(0, False, True), "RuleNumber: not a rule number: got 0"),
        (lambda: AclEntry(32768, False, True), "RuleNumber: not a rule number"),
        (lambda: AclEntry(1, False, True, ANY, "tcp", 2, 1), "PortRange: not a range"),
        (lambda: AclEntry(1, False, True, ANY, "icmp", icmp_type=-2), "IcmpTypeCode: not an ICMP type"),
        (lambda: NetworkAcl("acl-1", "vpc-1", (AclEntry(1, True, True),) * 2), "Entries: twice in acl-1"),
    ],
)
def test_an_illegal_value_is_refused_when_made(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert message in str(caught.value)


def test_a_static_and_a_propagated_route_may_share_a_destination() -> None:
    routes = (Route(ANY, "igw-1"), Route(ANY, "vgw-1", propagated=True), Route(ANY, "vgw-2", propagated=True))
    assert RouteTable("rtb-1", "vpc-1", routes).routes == routes


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("local", TargetKind.LOCAL),
        ("igw-1", TargetKind.INTERNET_GATEWAY),
        ("nat-1", TargetKind.NAT_GATEWAY),
        ("eni-1", TargetKind.INTERFACE),
        ("i-1", TargetKind.INSTANCE),
        ("pcx-1", TargetKind.PEERING),
        ("tgw-1", TargetKind.OTHER),
        ("vpce-1", TargetKind.OTHER),
    ],
)
def test_a_route_knows_by_its_targets_id_what_it_leads_to(target: str, kind: TargetKind) -> None:
    assert Route(ANY, target).kind is kind


def test_an_interface_holds_its_addresses_and_its_prefixes() -> None:
    node = replace(NODE_A, prefixes=(Network("10.0.33.0/28"),))
    held = [node.holds(address(text)) for text in ("10.0.32.11", "10.0.32.100", "10.0.33.9", "10.0.33.16")]
    assert held == [True, True, True, False] and node.primary == address("10.0.32.11")


def test_a_peering_has_two_ends() -> None:
    peering = Peering("pcx-1", "vpc-1", "vpc-2")
    assert [peering.other(vpc) for vpc in ("vpc-1", "vpc-2", "vpc-3")] == ["vpc-2", "vpc-1", None]


def test_acl_entries_read_as_aws_shows_them() -> None:
    icmp = AclEntry(110, True, False, Network("10.0.0.0/8"), "1", icmp_type=8)
    assert icmp.text() == "egress 110 deny icmp type 8 to 10.0.0.0/8"
    assert AclEntry(32767, False, False).text() == "ingress * deny all from 0.0.0.0/0"


# What contradicts itself ---------------------------------------------------------------------
OTHER_VPC = Vpc("vpc-2", (Network("10.1.0.0/16"),))
OTHER_SUBNET = Subnet("subnet-x", "vpc-2", Network("10.1.0.0/24"))
TWO = {"vpcs": (VPC, OTHER_VPC), "subnets": (*SUBNETS, OTHER_SUBNET)}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"vpcs": (VPC, VPC)}, "Vpcs: the same id twice: got 'vpc-1'"),
        ({"vpcs": ()}, "VpcId: subnet-pub-a refers to vpc-1, which isn't there"),
        ({"subnets": (Subnet("subnet-x", "vpc-1", Network("10.1.0.0/24")),)}, "lies outside the CIDR blocks of vpc-1"),
        (
            {"subnets": (*SUBNETS, Subnet("subnet-x", "vpc-1", Network("10.0.0.0/25")))},
            "subnet-pub-a and subnet-x overlap",
        ),
        ({"route_tables": (replace(MAIN, vpc_id="vpc-9"),)}, "rtb-main refers to vpc-9"),
        ({"route_tables": (replace(MAIN, subnet_ids=("subnet-9",)),)}, "rtb-main refers to subnet-9"),
        (
            {**TWO, "route_tables": (replace(MAIN, subnet_ids=("subnet-x",)),)},
            "but subnet-x is in vpc-2",
        ),
        ({"route_tables": (PUBLIC, replace(PUBLIC, route_table_id="rtb-2"))}, "two RouteTables for one subnet"),
        ({"route_tables": (MAIN, replace(MAIN, route_table_id="rtb-2"))}, "vpc-1 has more than one main route table"),
        ({"internet_gateways": ()}, "rtb-pub 0.0.0.0/0 -> igw-1 (active) refers to igw-1, which isn't there"),
        ({"nat_gateways": ()}, "rtb-priv 0.0.0.0/0 -> nat-1 (active) refers to nat-1"),
        ({"route_tables": (replace(MAIN, routes=(Route(ANY, "eni-9"),)),)}, "refers to eni-9, which isn't there"),
        ({"network_acls": (replace(ACL, vpc_id="vpc-9"),)}, "acl-1 refers to vpc-9"),
        ({"network_acls": (replace(ACL, subnet_ids=("subnet-9",)),)}, "acl-1 refers to subnet-9"),
        ({"network_acls": (ACL, allow_all("acl-2", "vpc-1"))}, "vpc-1 has more than one default network ACL"),
        ({"internet_gateways": (InternetGateway("igw-1", "vpc-9"),)}, "igw-1 refers to vpc-9"),
        (
            {"internet_gateways": (InternetGateway("igw-1", "vpc-1"), InternetGateway("igw-2", "vpc-1"))},
            "igw-1 and igw-2 are attached to one VPC",
        ),
        ({"nat_gateways": (replace(NAT, subnet_id="subnet-9"),)}, "nat-1 refers to subnet-9"),
        ({"network_interfaces": (eni("eni-1", "subnet-9", "10.0.0.9"),)}, "eni-1 refers to subnet-9"),
        (
            {"network_interfaces": (eni("eni-1", "subnet-pub-a", "10.0.1.9"),)},
            "eni-1 has an address outside its subnet",
        ),
        (
            {"network_interfaces": (replace(NODE_A, prefixes=(Network("10.9.0.0/28"),)),)},
            "eni-a has an address outside its subnet 10.0.32.0/20: got '10.9.0.0/28'",
        ),
        ({"security_groups": (SG_ALB,)}, "Groups: eni-a refers to sg-node"),
        (
            {**TWO, "network_interfaces": (eni("eni-1", "subnet-x", "10.1.0.9", group_ids=("sg-alb",)),)},
            "sg-alb is in vpc-1",
        ),
        (
            {"instances": (Instance("i-1"),), "network_interfaces": (replace(NODE_A, instance_id="i-2"),)},
            "refers to i-2",
        ),
        (
            {"network_interfaces": (NODE_A, eni("eni-1", "subnet-priv-a", "10.0.32.11"))},
            "PrivateIpAddress: eni-a and eni-1 have the same address: got '10.0.32.11'",
        ),
        (
            {"network_interfaces": (ALB, eni("eni-1", "subnet-pub-a", "10.0.0.9=203.0.113.10"))},
            "PublicIp: eni-alb and eni-1 have the same address: got '203.0.113.10'",
        ),
        (
            {"security_groups": (SG_ALB, replace(SG_NODE, vpc_id="vpc-9"), SG_OPEN, SG_MUTE)},
            "eni-a is in vpc-1, but sg-node",
        ),
        ({"network_interfaces": (), "security_groups": (replace(SG_ALB, vpc_id="vpc-9"),)}, "sg-alb refers to vpc-9"),
        ({"network_interfaces": (), "security_groups": (SG_NODE,)}, "sg-node refers to sg-alb, which isn't there"),
        ({"peerings": (Peering("pcx-1", "vpc-1", "vpc-1"),)}, "pcx-1 peers a VPC with itself"),
        ({"route_tables": (replace(MAIN, gateway_ids=("igw-9", "vgw-9")),)}, "rtb-main refers to igw-9"),
        (
            {"instances": (Instance("i-1"),), "route_tables": (replace(MAIN, routes=(Route(ANY, "i-2"),)),)},
            "rtb-main 0.0.0.0/0 -> i-2 (active) refers to i-2",
        ),
        (
            {"network_interfaces": (eni("eni-nat", "subnet-pub-a", "10.0.0.201"),)},
            "nat-1 has an address that its interface eni-nat hasn't: got '10.0.0.200'",
        ),
    ],
)
def test_a_contradiction_is_refused_naming_both_ends(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(WorldError) as caught:
        changed(**parts)
    assert message in str(caught.value)


def test_a_blackholes_target_may_be_gone() -> None:
    table = replace(PRIVATE, routes=(LOCAL, Route(ANY, "nat-gone", "blackhole")))
    assert changed(route_tables=(MAIN, PUBLIC, table)).route_table["rtb-priv"] is table


def test_a_gateway_that_isnt_an_internet_gateway_isnt_looked_for() -> None:
    assert (
        changed(route_tables=(replace(MAIN, gateway_ids=("vgw-9",)), PUBLIC, PRIVATE)).edge_routes("vgw-9") is not None
    )


def test_a_group_of_a_vpc_that_isnt_given_may_be_referred_to() -> None:
    rule = SecurityGroupRule("sg-far", peer_vpc_id="vpc-far")
    region = changed(security_groups=(SG_ALB, SG_NODE, SG_OPEN, SecurityGroup("sg-mute", "vpc-1", (rule,))))
    assert region.group_filter(("sg-mute",), False).rules[0].peer.addresses == frozenset()


def test_a_region_may_be_empty() -> None:
    assert findings(Region()) == ()


# Lookups -------------------------------------------------------------------------------------
def test_an_interface_is_found_by_its_address() -> None:
    assert REGION.interface_at("vpc-1", address("10.0.32.100")) is NODE_A
    assert REGION.interface_at("vpc-1", address("10.0.32.101")) is None


def test_the_interface_of_a_nat_gateway_is_made_up_where_it_isnt_given() -> None:
    assert REGION.network_interface["eni-nat"].addresses == NAT.addresses
    nameless = changed(nat_gateways=(replace(NAT, network_interface_id=""),))
    assert nameless.nat_at["eni-of-nat-1"].nat_gateway_id == "nat-1"


def test_the_interface_of_a_nat_gateway_is_taken_as_given() -> None:
    given = NetworkInterface(
        "eni-nat", "subnet-pub-a", NAT.addresses, interface_type="nat_gateway", description="given"
    )
    region = with_interface(given)
    assert region.nat_interface(NAT) is given
    assert send(tcp("10.0.32.11:1", "1.1.1.1:80"), NODE_A, region).verdict.code == "TRANSLATED"


def test_a_subnet_has_its_own_table_or_the_main_one() -> None:
    region = changed(route_tables=(MAIN, replace(PUBLIC, subnet_ids=("subnet-pub-a",)), PRIVATE))
    tables = [region.route_table_of(region.subnet[name]).route_table_id for name in ("subnet-pub-a", "subnet-pub-b")]
    assert tables == ["rtb-pub", "rtb-main"]


def test_an_interface_other_than_the_regions_own_is_refused() -> None:
    REGION.place(NODE_A2)
    REGION.place(replace(NODE_A2))  # an equal one will do
    with pytest.raises(WorldError, match="not as the region has this interface"):
        REGION.place(replace(NODE_A2, source_dest_check=False))


# Findings ------------------------------------------------------------------------------------
def found(region: Region) -> list[str]:
    return [str(finding) for finding in findings(region)]


GOOD = changed(security_groups=(SG_ALB, SG_NODE))


def test_a_sound_region_has_no_findings() -> None:
    assert found(GOOD) == []


def acl(*entries: AclEntry) -> Region:
    return changed(GOOD, network_acls=(ACL, NetworkAcl("acl-2", "vpc-1", entries, ("subnet-priv-a",))))


HTTP_IN = AclEntry(100, False, True, ANY, "tcp", 80, 80)
HIGH_PORTS_IN = AclEntry(110, False, True, ANY, "tcp", 1024, 65535)
HIGH_PORTS_OUT = AclEntry(100, True, True, ANY, "tcp", 1024, 65535)
DENIED = "lets by are denied, from port"
DEAD = replace(PRIVATE, routes=(Route(ANY, "nat-9", "blackhole"),))
LOST = eni("eni-a", "subnet-priv-a", "10.0.32.11=203.0.113.9", group_ids=("sg-node",))
WIDE = replace(SG_ALB, ingress=(SecurityGroupRule(ANY, "tcp", 0, 65535),))
VAIN = replace(SG_NODE, egress=(SecurityGroupRule("sg-mute"),))
DEFAULT = SecurityGroup("sg-0", "vpc-1", name="default")

FINDINGS: list[tuple[str, Callable[[], Region], list[str]]] = [
    (
        "a blackhole",
        lambda: changed(GOOD, route_tables=(MAIN, PUBLIC, DEAD)),
        ["rtb-priv: a route leads nowhere: its state is blackhole (0.0.0.0/0 -> nat-9 (blackhole))"],
    ),
    (
        "a detached gateway",
        lambda: changed(GOOD, internet_gateways=(InternetGateway("igw-1"),)),
        [
            "rtb-pub: a route leads nowhere: igw-1 is not attached to vpc-1 (0.0.0.0/0 -> igw-1 (active))",
            "igw-1: attached to no VPC",
        ],
    ),
    (
        "no table",
        lambda: changed(GOOD, route_tables=(PUBLIC, replace(PRIVATE, subnet_ids=("subnet-priv-a",)))),
        ["subnet-priv-b: no route table, and the VPC has no main one"],
    ),
    (
        "a public address where no route leads out",
        lambda: changed(GOOD, network_interfaces=(ALB, LOST, NODE_B)),
        ["eni-a: 203.0.113.9 is its own, but subnet-priv-a has no route to an internet gateway"],
    ),
    (
        "a public address where there is no table at all",
        lambda: changed(GOOD, route_tables=(), network_interfaces=(ALB, NODE_B), nat_gateways=()),
        [
            *(f"{subnet.subnet_id}: no route table, and the VPC has no main one" for subnet in SUBNETS),
            "eni-alb: 203.0.113.10 is its own, but subnet-pub-a has no route to an internet gateway",
        ],
    ),
    (
        "an ACL that lets requests in and no answers out",
        lambda: acl(HTTP_IN),
        [
            f"acl-2: answers to what 'acl-2 ingress 100 allow tcp 80 from 0.0.0.0/0' {DENIED} 1024 on "
            "(acl-2 egress * deny all to 0.0.0.0/0)"
        ],
    ),
    (
        "an ACL that lets half of the answers out",
        lambda: acl(HTTP_IN, AclEntry(100, True, True, ANY, "tcp", 1024, 32767)),
        [
            f"acl-2: answers to what 'acl-2 ingress 100 allow tcp 80 from 0.0.0.0/0' {DENIED} 32768 on "
            "(acl-2 egress * deny all to 0.0.0.0/0)",
        ],
    ),
    (
        "an ACL that lets requests out and no answers in",
        lambda: acl(AclEntry(100, True, True)),
        [
            f"acl-2: answers to what 'acl-2 egress 100 allow all to 0.0.0.0/0' {DENIED} 1024 on "
            "(acl-2 ingress * deny all from 0.0.0.0/0)",
        ],
    ),
    ("an ACL for servers alone", lambda: acl(HTTP_IN, HIGH_PORTS_OUT), []),
    ("an ACL as the documentation recommends", lambda: acl(HTTP_IN, HIGH_PORTS_IN, HIGH_PORTS_OUT), []),
    (
        "ACL rules that are never reached, or for another protocol",
        lambda: acl(AclEntry(80, False, True, ANY, "udp", 53, 53), AclEntry(90, False, False), HTTP_IN),
        [],
    ),
    ("an ACL of no subnet", lambda: changed(GOOD, network_acls=(ACL, NetworkAcl("acl-2", "vpc-1", (HTTP_IN,)))), []),
    (
        "a group open to everyone",
        lambda: changed(GOOD, security_groups=(WIDE, SG_NODE)),
        ["sg-alb: everyone may reach every port (sg-alb ingress tcp from 0.0.0.0/0)"],
    ),
    (
        "a reference to a group that nobody has",
        lambda: changed(GOOD, security_groups=(SG_ALB, VAIN, SG_MUTE)),
        ["sg-node: a rule can't match: no interface has sg-mute (sg-node egress all to sg-mute)"],
    ),
    (
        "a group that nothing has",
        lambda: changed(GOOD, security_groups=(SG_ALB, SG_NODE, SG_MUTE, DEFAULT)),
        ["sg-mute: no interface has it and no rule refers to it"],
    ),
]


@pytest.mark.parametrize(("region", "expected"), [case[1:] for case in FINDINGS], ids=[case[0] for case in FINDINGS])
def test_finding(region: Callable[[], Region], expected: list[str]) -> None:
    assert found(region()) == expected


def test_an_internet_gateway_knows_the_public_addresses_of_its_vpc_alone() -> None:
    assert REGION.one_to_one("vpc-1").public == {
        address("10.0.0.25"): address("203.0.113.10"),
        address("10.0.0.200"): address("203.0.113.30"),
    }
    assert REGION.one_to_one("vpc-9").public == {}
