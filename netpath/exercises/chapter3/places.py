"""Sections of chapter 3 to send a reader back to, and what its exercises share: a server behind four doors.

Not modelled: which section a reader skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from random import Random
from typing import TypeVar

from netpath.exercises.misconceptions import section
from netpath.packet import address, network
from netpath.vpc import (
    AclEntry,
    InternetGateway,
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
)
from netpath.world import World

T = TypeVar("T")

FIRST_MATCH = section(3, "First match, by hand")
ANSWER = section(3, "The same packet, and its answer")
RULES = section(3, "Which rule takes the request")
PICKS = section(3, "How it picks")
HEALTHY_ONLY = section(3, "Only healthy targets get requests")
FAILURE = section(3, "What the failure tells")

SERVER, PUBLIC = "10.0.0.5", "203.0.113.7"
ANYWHERE = network("0.0.0.0/0")
OPEN = (AclEntry(100, False, True), AclEntry(100, True, True))  # an ACL that allows everything


def server(
    entries: Iterable[AclEntry], ingress: Iterable[SecurityGroupRule], egress: Iterable[SecurityGroupRule]
) -> World:
    """A public subnet with this network ACL, and one interface in it with this security group."""
    interface = NetworkInterface("eni-5", "subnet-1", (PrivateAddress(address(SERVER), address(PUBLIC)),), ("sg-1",))
    default = Route(ANYWHERE, "igw-1")
    region = Region(
        vpcs=(Vpc("vpc-1", (network("10.0.0.0/16"),)),),
        subnets=(Subnet("subnet-1", "vpc-1", network("10.0.0.0/24")),),
        route_tables=(RouteTable("rtb-1", "vpc-1", (default,), main=True),),
        internet_gateways=(InternetGateway("igw-1", "vpc-1"),),
        network_interfaces=(interface,),
        security_groups=(SecurityGroup("sg-1", "vpc-1", tuple(ingress), tuple(egress)),),
        network_acls=(NetworkAcl("acl-1", "vpc-1", tuple(entries), ("subnet-1",)),),
    )
    return World(region=region)


def until(make: Callable[[Random], T], good: Callable[[T], bool], draw: Random) -> T:
    """The first draft that is good."""
    drafts: Iterator[T] = (make(draw) for _ in count())
    return next(draft for draft in drafts if good(draft))
