"""A small VPC region for the tests: two zones, public and private subnets, a load balancer, nodes, NAT."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from netpath.choice import Choose, first
from netpath.packet import Network, Packet, address
from netpath.vpc import (
    AclEntry,
    Carried,
    InternetGateway,
    NatGateway,
    NetworkAcl,
    NetworkInterface,
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
    carry,
)

ANY = Network("0.0.0.0/0")
VPC = Vpc("vpc-1", (Network("10.0.0.0/16"),))
LOCAL = Route(Network("10.0.0.0/16"), "local")

SUBNETS = (
    Subnet("subnet-pub-a", "vpc-1", Network("10.0.0.0/24"), "eu-west-1a"),
    Subnet("subnet-pub-b", "vpc-1", Network("10.0.1.0/24"), "eu-west-1b"),
    Subnet("subnet-priv-a", "vpc-1", Network("10.0.32.0/20"), "eu-west-1a"),
    Subnet("subnet-priv-b", "vpc-1", Network("10.0.48.0/20"), "eu-west-1b"),
)
PUBLIC = RouteTable("rtb-pub", "vpc-1", (LOCAL, Route(ANY, "igw-1")), ("subnet-pub-a", "subnet-pub-b"))
PRIVATE = RouteTable("rtb-priv", "vpc-1", (LOCAL, Route(ANY, "nat-1")), ("subnet-priv-a", "subnet-priv-b"))
MAIN = RouteTable("rtb-main", "vpc-1", (LOCAL,), main=True)

EGRESS_ALL = (SecurityGroupRule(ANY),)
SG_ALB = SecurityGroup("sg-alb", "vpc-1", (SecurityGroupRule(ANY, "tcp", 80, 80),), EGRESS_ALL)
SG_NODE = SecurityGroup(
    "sg-node",
    "vpc-1",
    (SecurityGroupRule("sg-alb", "tcp", 30080, 30080), SecurityGroupRule("sg-node")),
    EGRESS_ALL,
)
SG_OPEN = SecurityGroup("sg-open", "vpc-1", (SecurityGroupRule(ANY),), EGRESS_ALL)
SG_MUTE = SecurityGroup("sg-mute", "vpc-1")
ACL = allow_all("acl-1", "vpc-1")


def eni(name: str, subnet: str, *addresses: str, **more: Any) -> NetworkInterface:
    """An interface; an address may be written `PRIVATE=PUBLIC`."""
    held = []
    for text in addresses:
        private, _, public = text.partition("=")
        held.append(PrivateAddress(address(private), address(public) if public else None))
    return NetworkInterface(name, subnet, tuple(held), **more)


ALB = eni("eni-alb", "subnet-pub-a", "10.0.0.25=203.0.113.10", group_ids=("sg-alb",))
NODE_A = eni("eni-a", "subnet-priv-a", "10.0.32.11", "10.0.32.100", group_ids=("sg-node",))
NODE_A2 = eni("eni-a2", "subnet-priv-a", "10.0.32.12", group_ids=("sg-node",))
NODE_B = eni("eni-b", "subnet-priv-b", "10.0.48.11", group_ids=("sg-node",))
NAT = NatGateway("nat-1", "subnet-pub-a", (PrivateAddress(address("10.0.0.200"), address("203.0.113.30")),), "eni-nat")
REGION = Region(
    vpcs=(VPC,),
    subnets=SUBNETS,
    route_tables=(MAIN, PUBLIC, PRIVATE),
    internet_gateways=(InternetGateway("igw-1", "vpc-1"),),
    nat_gateways=(NAT,),
    network_interfaces=(ALB, NODE_A, NODE_A2, NODE_B),
    security_groups=(SG_ALB, SG_NODE, SG_OPEN, SG_MUTE),
    network_acls=(ACL,),
)


def changed(region: Region = REGION, **parts: Any) -> Region:
    """The region with parts replaced: `changed(network_acls=…)`."""
    return replace(region, **parts)


def with_interface(interface: NetworkInterface, region: Region = REGION, **parts: Any) -> Region:
    """The region with one interface put in, in place of any of that id, and other parts replaced."""
    kept = [one for one in region.network_interfaces if one.network_interface_id != interface.network_interface_id]
    return replace(region, network_interfaces=(*kept, interface), **parts)


def with_acl(subnet_id: str, *entries: AclEntry) -> Region:
    """The region with one subnet behind an ACL of its own."""
    return replace(REGION, network_acls=(ACL, NetworkAcl("acl-2", "vpc-1", entries, (subnet_id,))))


def send(
    packet: Packet,
    sender: NetworkInterface | None,
    region: Region = REGION,
    memory: VpcMemory | None = None,
    now: float = 0.0,
    choose: Choose = first,
) -> Carried:
    return carry(region, VpcMemory() if memory is None else memory, packet, sender, now, choose)


def codes(carried: Carried) -> list[str]:
    """The road in short: each hop's station and code."""
    return [f"{hop.station}: {hop.verdict.code}" for hop in carried.hops]
