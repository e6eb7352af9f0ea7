"""A VPC of a world as a land with borders: its subnets, nodes and pods, and who rewrites addresses at which border.

Everything is read from the world: which subnet is public (its route table says so), which NAT gateway serves it, what
the rules on a node rewrite. `translators` lists who stands on a boundary, from the outside inwards.

Not modelled: Service addresses, for no interface has one; peering, and whatever else leads from one VPC to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from netpath.errors import WorldError
from netpath.iptables import Rule
from netpath.nodes import ClusterNode
from netpath.packet import Address
from netpath.vpc import NatGateway, NetworkInterface, Region, Subnet, TargetKind, Vpc
from netpath.world import Kind, World

IGW, NAT, NODE = "internet gateway", "NAT gateway", "node"


@dataclass(frozen=True, slots=True)
class Translator:
    """Who stands on a boundary: a letter on the map, the kind of box, when it rewrites what, whether it remembers.

    `changes` lists what becomes of which address: (`source` or `destination`, before, after).
    """

    letter: str
    station: str
    when: str
    what: str
    remembers: bool
    changes: tuple[tuple[str, str, str], ...] = ()


def translators(world: World, vpc_id: str | None = None) -> tuple[Translator, ...]:
    """Everybody who rewrites addresses between the spaces of a VPC, from the outside inwards. Raises `WorldError`."""
    land = Land(world, chosen(world, vpc_id))
    found = (_gateway(land), _nat(land), _leaving(land), _node_ports(land))
    lettered = zip("ABCD", filter(None, found), strict=False)
    return tuple(replace(each, letter=letter) for letter, each in lettered)


def chosen(world: World, vpc_id: str | None) -> Vpc:
    """The VPC asked for, or the one with the most interfaces."""
    region = world.need(world.region, "region", "a map of its address spaces")
    if vpc_id is not None:
        if vpc_id not in region.vpc:
            raise WorldError(f"no VPC {vpc_id} in this world", expected=", ".join(region.vpc))
        return region.vpc[vpc_id]
    if not region.vpcs:
        raise WorldError("this world has no VPC, and a map of its address spaces needs one")
    return max(
        region.vpcs, key=lambda vpc: sum(region.vpc_of(each) == vpc.vpc_id for each in region.network_interfaces)
    )


def _gateway(land: Land) -> Translator | None:
    """The internet gateway: pairs, both ways."""
    if land.gateway is None:
        return None
    pairs = tuple(("source", str(private), str(public)) for private, public in land.pairs.items())
    return Translator("", IGW, "out, and in", "a private address ⇄ the public one it is paired with", False, pairs)


def _nat(land: Land) -> Translator | None:
    """NAT gateways: every source that comes becomes the gateway's."""
    changes = tuple(
        ("source", str(subnet.cidr_block), str(gateway.addresses[0].address))
        for subnet in land.subnets
        for gateway in land.egress(subnet)
    )
    if not changes:
        return None
    return Translator("", NAT, "out, never in unasked", "any source → the NAT gateway's own address", True, changes)


def _leaving(land: Land) -> Translator | None:
    """Nodes whose own rules rewrite the source of what leaves: AWS-SNAT-CHAIN-0."""
    changes, kept = [], ""
    for node in land.nodes:
        for rule in _snat_rules(node):
            target = str(rule.target)
            if "SNAT" in target:
                changes.append(("source", "its pods", target.partition("--to-source ")[2].split()[0]))
            else:
                kept = str(rule).partition(" -d ")[2].split()[0]
    if not changes:
        return None
    when = "out, by the CNI plugin's rules"
    what = f"beyond {kept} a pod's source → the node's; within, it stays" if kept else "a pod's source → the node's"
    return Translator("", NODE, when, what, True, tuple(changes))


def _snat_rules(node: ClusterNode) -> Sequence[Rule]:
    nat = node.rules.tables.get("nat")
    chain = nat.chains.get("AWS-SNAT-CHAIN-0") if nat else None
    return chain.rules if chain else ()


def _node_ports(land: Land) -> Translator | None:
    """Nodes as everybody's door to a Service."""
    services = land.world.cluster.services if land.world.cluster else ()
    ports = sorted({port.node_port for service in services for port in service.ports if port.node_port})
    if not ports or not land.nodes:
        return None
    changes = tuple(("destination", f"{NODE}:{port}", "a pod") for port in ports)
    when = f"in to a NodePort ({_some(list(map(str, ports)), 3)}), by kube-proxy's rules"
    return Translator("", NODE, when, "destination → a pod; as a rule source → the node", True, changes)


def _some(texts: Sequence[str], most: int) -> str:
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Land:
    """A VPC of a world, and everything in it."""

    world: World
    vpc: Vpc

    @cached_property
    def region(self) -> Region:
        return self.world.need(self.world.region, "region", "a map of its address spaces")

    @cached_property
    def gateway(self) -> str | None:
        found = self.region.gateway_of.get(self.vpc.vpc_id)
        return found.internet_gateway_id if found else None

    @cached_property
    def pairs(self) -> dict[Address, Address]:
        return dict(self.region.one_to_one(self.vpc.vpc_id).public)

    @cached_property
    def subnets(self) -> list[Subnet]:
        return [each for each in self.region.subnets if each.vpc_id == self.vpc.vpc_id]

    @cached_property
    def nodes(self) -> list[ClusterNode]:
        mine = {subnet.subnet_id for subnet in self.subnets}
        return [each for each in self.world.nodes.values() if any(d.subnet_id in mine for d in each.devices.values())]

    def zones(self) -> dict[str, list[Subnet]]:
        """Subnets by availability zone, public ones first."""
        zones: dict[str, list[Subnet]] = {}
        for subnet in sorted(self.subnets, key=lambda each: not self.is_public(each)):
            zones.setdefault(subnet.availability_zone, []).append(subnet)
        return dict(sorted(zones.items()))

    def is_public(self, subnet: Subnet) -> bool:
        """Whether the subnet's route table has a working way to an internet gateway: nothing else makes it public."""
        return any(kind is TargetKind.INTERNET_GATEWAY for kind, _ in self._ways(subnet))

    def egress(self, subnet: Subnet) -> list[NatGateway]:
        """The NAT gateways that the subnet's route table leads to."""
        gateways = self.region.nat_gateway
        return [gateways[to] for kind, to in self._ways(subnet) if kind is TargetKind.NAT_GATEWAY]

    def _ways(self, subnet: Subnet) -> list[tuple[TargetKind, str]]:
        if not self.region.has_route_table(subnet):
            return []
        table = self.region.route_table_of(subnet)
        faults = self.region.route_fault
        return [(each.kind, each.target) for each in table.routes if not faults(each, self.vpc.vpc_id)]

    def interfaces(self, subnet: Subnet) -> list[NetworkInterface]:
        """Those in a subnet that aren't a node's; those with a public address first, NAT gateways last among them."""
        mine = [each for each in self.region.network_interfaces if each.subnet_id == subnet.subnet_id]
        others = [each for each in mine if each.network_interface_id not in self.world.node_with]
        return sorted(others, key=lambda each: (self.public(each) is None, self.nat(each) is not None))

    def public(self, interface: NetworkInterface) -> Address | None:
        return self.pairs.get(interface.primary)

    def nat(self, interface: NetworkInterface) -> NatGateway | None:
        return self.region.nat_at.get(interface.network_interface_id)

    def name(self, interface: NetworkInterface) -> str:
        """What people call it."""
        if self.nat(interface) is not None:
            return NAT
        place = self.world.where(interface.primary)
        return place.name.split(" ")[0] if place.kind is Kind.LOAD_BALANCER else place.name
