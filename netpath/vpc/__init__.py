"""A VPC region: where a packet may go, by which rule, and what becomes of its addresses on the way.

Read it in this order: `objects` (what there is, with AWS's names), `region` (all of it, checked and
indexed), `filters` (security groups, network ACLs, route tables, each with its reasons), `memory`
(what is remembered between packets), `natgateway`, and `passage`: `carry` takes one packet from a
network interface through all of them. `findings` tells what looks wrong in a region.

>>> from netpath.choice import first
>>> from netpath.packet import address, network, tcp
>>> anyone = SecurityGroupRule(network("0.0.0.0/0"), "tcp", 80, 80)
>>> web = NetworkInterface(
...     "eni-1", "subnet-1", (PrivateAddress(address("10.0.0.5"), address("203.0.113.7")),), ("sg-1",)
... )
>>> region = Region(
...     vpcs=(Vpc("vpc-1", (network("10.0.0.0/16"),)),),
...     subnets=(Subnet("subnet-1", "vpc-1", network("10.0.0.0/24")),),
...     internet_gateways=(InternetGateway("igw-1", "vpc-1"),),
...     network_interfaces=(web,),
...     security_groups=(SecurityGroup("sg-1", "vpc-1", ingress=(anyone,)),),
...     network_acls=(allow_all("acl-1", "vpc-1"),),
... )
>>> for port in (80, 22):
...     carried = carry(region, VpcMemory(), tcp("198.51.100.1:5000", f"203.0.113.7:{port}"), None, 0.0, first)
...     print(carried.packet, carried.verdict.code, carried.verdict.rule, sep=" | ")
tcp 198.51.100.1:5000 > 10.0.0.5:80 [S] | ALLOWED | sg-1 ingress tcp 80 from 0.0.0.0/0
None | ENI_SG_RULES_MISMATCH | sg-1: no ingress rule matches

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
