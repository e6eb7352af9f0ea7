"""A VPC region: where a packet may go, by which rule, and what becomes of its addresses on the way.

Read it in this order: `objects` (what there is, with AWS's names), `region` (all of it, checked and
indexed), `filters` (security groups, network ACLs, route tables, each with its reasons), `memory`
(what is remembered between packets), `natgateway`, and `passage`: `carry` takes one packet from a
network interface through all of them. `findings` tells what looks wrong in a region.

Not modelled: IPv6; transit gateways, VPNs, endpoints, Network Firewall (a packet that meets one ends
as `UNKNOWN_DESTINATION`); other regions and accounts.
"""

from netpath.vpc.findings import Finding, findings
from netpath.vpc.memory import NatMemory, VpcMemory
from netpath.vpc.objects import (
    AclEntry,
    ConnectionTracking,
    Instance,
    InternetGateway,
    NatGateway,
    NetworkAcl,
    NetworkInterface,
    Peering,
    PrefixList,
    PrivateAddress,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    TargetKind,
    Vpc,
    allow_all,
)
from netpath.vpc.passage import Carried, carry
from netpath.vpc.region import Place, Region

__all__ = [
    "AclEntry",
    "Carried",
    "ConnectionTracking",
    "Finding",
    "Instance",
    "InternetGateway",
    "NatGateway",
    "NatMemory",
    "NetworkAcl",
    "NetworkInterface",
    "Peering",
    "Place",
    "PrefixList",
    "PrivateAddress",
    "Region",
    "Route",
    "RouteTable",
    "SecurityGroup",
    "SecurityGroupRule",
    "Subnet",
    "TargetKind",
    "Vpc",
    "VpcMemory",
    "allow_all",
    "carry",
    "findings",
]
