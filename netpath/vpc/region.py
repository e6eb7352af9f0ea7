"""A region: every VPC object there is, checked against each other, and indexed.

`Region` is made from plain tuples and refuses contradictions with a `WorldError` that names both
ends: a subnet outside its VPC, an interface in a subnet that isn't there, two interfaces with one
address. `Place` is what a packet needs to know where an interface stands: its subnet's edges, its
route table, both ACL filters, both security group filters.

Not modelled: other regions and accounts (what is there is `UNKNOWN_DESTINATION`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeVar

from netpath.errors import WorldError
from netpath.nat import OneToOne
from netpath.packet import Address, Network, Verdict
from netpath.vpc.checks import check, refuse_double
from netpath.vpc.filters import AclFilter, GroupFilter, Members, Prefix, RouteIndex, number, prefix, within
from netpath.vpc.objects import (
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
)

T = TypeVar("T")
K = TypeVar("K")
_NO_PAIRS = OneToOne({})


class Owner(Protocol):
    """Anything that belongs to a VPC and says which subnets it serves."""

    @property
    def vpc_id(self) -> str: ...
    @property
    def subnet_ids(self) -> tuple[str, ...]: ...


OwnerT = TypeVar("OwnerT", bound=Owner)


@dataclass(frozen=True)
class Region:
    """Everything in the VPCs of a region. Raises `WorldError` where two parts of it contradict each other.

    Interfaces of NAT gateways may be left out: they are made up from the gateway. A world without
    `instances` takes every instance to be running.
    """

    vpcs: tuple[Vpc, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    route_tables: tuple[RouteTable, ...] = ()
    internet_gateways: tuple[InternetGateway, ...] = ()
    nat_gateways: tuple[NatGateway, ...] = ()
    network_interfaces: tuple[NetworkInterface, ...] = ()
    security_groups: tuple[SecurityGroup, ...] = ()
    network_acls: tuple[NetworkAcl, ...] = ()
    instances: tuple[Instance, ...] = ()
    peerings: tuple[Peering, ...] = ()
    prefix_lists: tuple[PrefixList, ...] = ()
    _places: dict[str, Place] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check(self)

    # Objects by id ---------------------------------------------------------------------------
    @cached_property
    def roads(self) -> dict[tuple[str | None, int, int], Any]:
        """The ways that `netpath.vpc.passage` has found already, each a `Road`."""
        return {}

    @cached_property
    def vpc(self) -> Mapping[str, Vpc]:
        return _by_id(self.vpcs, "vpc_id", "Vpcs")

    @cached_property
    def subnet(self) -> Mapping[str, Subnet]:
        return _by_id(self.subnets, "subnet_id", "Subnets")

    @cached_property
    def route_table(self) -> Mapping[str, RouteTable]:
        return _by_id(self.route_tables, "route_table_id", "RouteTables")

    @cached_property
    def internet_gateway(self) -> Mapping[str, InternetGateway]:
        return _by_id(self.internet_gateways, "internet_gateway_id", "InternetGateways")

    @cached_property
    def nat_gateway(self) -> Mapping[str, NatGateway]:
        return _by_id(self.nat_gateways, "nat_gateway_id", "NatGateways")

    @cached_property
    def network_interface(self) -> Mapping[str, NetworkInterface]:
        made_up = (_interface_of(gateway) for gateway in self.nat_gateways if gateway.addresses)
        given = _by_id(self.network_interfaces, "network_interface_id", "NetworkInterfaces")
        return {**_by_id(made_up, "network_interface_id", "NatGateways"), **given}

    @cached_property
    def security_group(self) -> Mapping[str, SecurityGroup]:
        return _by_id(self.security_groups, "group_id", "SecurityGroups")

    @cached_property
    def network_acl(self) -> Mapping[str, NetworkAcl]:
        return _by_id(self.network_acls, "network_acl_id", "NetworkAcls")

    @cached_property
    def instance(self) -> Mapping[str, Instance]:
        return _by_id(self.instances, "instance_id", "Instances")

    @cached_property
    def peering(self) -> Mapping[str, Peering]:
        return _by_id(self.peerings, "peering_id", "VpcPeeringConnections")

    @cached_property
    def prefix_list(self) -> Mapping[str, PrefixList]:
        return _by_id(self.prefix_lists, "prefix_list_id", "PrefixLists")

    # Where things are ------------------------------------------------------------------------
    def vpc_of(self, interface: NetworkInterface) -> str:
        return self.subnet[interface.subnet_id].vpc_id

    def place(self, interface: NetworkInterface) -> Place:
        """Where an interface stands: made once, then known."""
        place = self._places.get(interface.network_interface_id)
        if place is None:
            known = self.network_interface.get(interface.network_interface_id)
            if known is None:
                raise WorldError("not an interface of this region", value=interface.network_interface_id)
            place = self._places[interface.network_interface_id] = Place(self, known)
        if place.interface is not interface and place.interface != interface:
            raise WorldError("not as the region has this interface", value=interface.network_interface_id)
        return place

    def interface_at(self, vpc_id: str, address: Address) -> NetworkInterface | None:
        """The interface that has a private address in a VPC, by itself or in a delegated prefix."""
        return self.holder(vpc_id, number(address))

    def holder(self, vpc_id: str, address: int) -> NetworkInterface | None:
        held = self._holders.get((vpc_id, address))
        return held[0] if held else self._delegate(vpc_id, address)

    def _delegate(self, vpc_id: str, address: int) -> NetworkInterface | None:
        delegated = self._delegated.get(vpc_id, ())
        return next((owner for (base, mask), owner in delegated if address & mask == base), None)

    @cached_property
    def _holders(self) -> Mapping[tuple[str, int], tuple[NetworkInterface, PrivateAddress]]:
        holders: dict[tuple[str, int], tuple[NetworkInterface, PrivateAddress]] = {}
        for interface in self.network_interface.values():
            for held in interface.addresses:
                key = self.vpc_of(interface), number(held.address)
                other = holders.setdefault(key, (interface, held))[0]
                refuse_double(other is not interface, "PrivateIpAddress", interface, other, held.address)
        return holders

    @cached_property
    def _delegated(self) -> Mapping[str, Sequence[tuple[Prefix, NetworkInterface]]]:
        delegated: dict[str, list[tuple[Prefix, NetworkInterface]]] = {}
        for interface in self.network_interface.values():
            for block in interface.prefixes:
                delegated.setdefault(self.vpc_of(interface), []).append((prefix(block), interface))
        return delegated

    @cached_property
    def public(self) -> Mapping[int, tuple[NetworkInterface, PrivateAddress]]:
        """Who has a public address: the interface, and the private address that it is paired with."""
        public: dict[int, tuple[NetworkInterface, PrivateAddress]] = {}
        for interface, held in self._holders.values():
            if held.public_ip is not None:
                other = public.setdefault(number(held.public_ip), (interface, held))
                refuse_double(other[1] is not held, "PublicIp", interface, other[0], held.public_ip)
        return public

    def one_to_one(self, vpc_id: str) -> OneToOne:
        """The public address of each private one of a VPC: what its internet gateway swaps."""
        return self._one_to_one.get(vpc_id, _NO_PAIRS)

    @cached_property
    def _one_to_one(self) -> Mapping[str, OneToOne]:
        pairs: dict[str, dict[Address, Address]] = {}
        for public_ip, (interface, held) in self.public.items():
            pairs.setdefault(self.vpc_of(interface), {})[held.address] = Address(public_ip)
        return {vpc_id: OneToOne(swap) for vpc_id, swap in pairs.items()}

    @cached_property
    def nat_at(self) -> Mapping[str, NatGateway]:
        """NAT gateways by the id of their interface."""
        return {_nat_interface_id(gateway): gateway for gateway in self.nat_gateways if gateway.addresses}

    @cached_property
    def gateway_of(self) -> Mapping[str, InternetGateway]:
        """The internet gateway attached to each VPC that has one."""
        return {gateway.vpc_id: gateway for gateway in self.internet_gateways if gateway.vpc_id is not None}

    def nat_interface(self, gateway: NatGateway) -> NetworkInterface:
        return self.network_interface[_nat_interface_id(gateway)]

    def interface_of_instance(self, instance_id: str) -> NetworkInterface | None:
        """The first interface of an instance: the one with the lowest device index."""
        return self._first_interfaces.get(instance_id)

    @cached_property
    def _first_interfaces(self) -> Mapping[str, NetworkInterface]:
        attached = [interface for interface in self.network_interfaces if interface.instance_id]
        attached.sort(key=lambda interface: interface.order)
        return {interface.instance_id: interface for interface in reversed(attached)}

    # Tables and filters ----------------------------------------------------------------------
    def route_table_of(self, subnet: Subnet) -> RouteTable:
        """The route table of a subnet: its own, or its VPC's main one. `WorldError` if there is neither."""
        table = self._tables.get(subnet.subnet_id) or self._main_tables.get(subnet.vpc_id)
        if table is None:
            raise WorldError(
                f"{subnet.subnet_id} has no route table, and {subnet.vpc_id} no main one",
                field="RouteTables",
                expected="what `aws ec2 describe-route-tables` prints",
            )
        return table

    def has_route_table(self, subnet: Subnet) -> bool:
        return subnet.subnet_id in self._tables or subnet.vpc_id in self._main_tables

    def has_acl(self, subnet: Subnet) -> bool:
        return subnet.subnet_id in self._acls or subnet.vpc_id in self._default_acls

    def network_acl_of(self, subnet: Subnet) -> NetworkAcl:
        """The network ACL of a subnet: its own, or its VPC's default one. `WorldError` if there is neither."""
        acl = self._acls.get(subnet.subnet_id) or self._default_acls.get(subnet.vpc_id)
        if acl is None:
            raise WorldError(
                f"{subnet.subnet_id} has no network ACL, and {subnet.vpc_id} no default one",
                field="NetworkAcls",
                expected="what `aws ec2 describe-network-acls` prints",
            )
        return acl

    @cached_property
    def _tables(self) -> Mapping[str, RouteTable]:
        return _by_subnet(self.route_tables, "RouteTables")

    @cached_property
    def _acls(self) -> Mapping[str, NetworkAcl]:
        return _by_subnet(self.network_acls, "NetworkAcls")

    @cached_property
    def _main_tables(self) -> Mapping[str, RouteTable]:
        return _one_each([table for table in self.route_tables if table.main], "main route table")

    @cached_property
    def _default_acls(self) -> Mapping[str, NetworkAcl]:
        return _one_each([acl for acl in self.network_acls if acl.is_default], "default network ACL")

    def routes(self, table: RouteTable) -> RouteIndex:
        return _kept(self._route_indexes, table.route_table_id, lambda: self._route_index(table))

    def _route_index(self, table: RouteTable) -> RouteIndex:
        return RouteIndex(table, self.vpc[table.vpc_id], self._prefix_list, self.route_fault)

    def edge_routes(self, gateway_id: str) -> RouteIndex | None:
        """The route table that a gateway asks about what enters the VPC by it, if it has one."""
        table = self._edge_tables.get(gateway_id)
        return None if table is None else self.routes(table)

    @cached_property
    def _edge_tables(self) -> Mapping[str, RouteTable]:
        return {gateway_id: table for table in self.route_tables for gateway_id in table.gateway_ids}

    def acl_filter(self, acl: NetworkAcl, egress: bool) -> AclFilter:
        return _kept(self._acl_filters, (acl.network_acl_id, egress), lambda: AclFilter(acl, egress))

    def group_filter(self, group_ids: tuple[str, ...], egress: bool) -> GroupFilter:
        groups = [self.security_group[group_id] for group_id in group_ids]
        return _kept(
            self._group_filters, (group_ids, egress), lambda: GroupFilter(groups, egress, self._members_for(groups))
        )

    @cached_property
    def _route_indexes(self) -> dict[str, RouteIndex]:
        return {}

    @cached_property
    def _acl_filters(self) -> dict[tuple[str, bool], AclFilter]:
        return {}

    @cached_property
    def _group_filters(self) -> dict[tuple[tuple[str, ...], bool], GroupFilter]:
        return {}

    def _prefix_list(self, prefix_list_id: str) -> PrefixList:
        """An AWS-managed prefix list (of a service) that isn't given has no entries that we know."""
        return self.prefix_list.get(prefix_list_id) or PrefixList(prefix_list_id)

    # What rules refer to ---------------------------------------------------------------------
    def _members_for(self, groups: Sequence[SecurityGroup]) -> Callable[[SecurityGroupRule], Members]:
        home = {group.vpc_id for group in groups}
        return lambda rule: self._members(rule, home)

    def _members(self, rule: SecurityGroupRule, home: Iterable[str]) -> Members:
        if isinstance(rule.peer, Network):
            return Members((prefix(rule.peer),), None, str(rule.peer))
        if rule.peer.startswith("pl-"):
            entries = self._prefix_list(rule.peer).entries
            return Members(tuple(map(prefix, entries)), None, rule.peer)
        return self._group_members(rule.peer, home)

    def _group_members(self, group_id: str, home: Iterable[str]) -> Members:
        """The private addresses of all interfaces with a group; none if its VPC isn't this one or an active peer."""
        group = self.security_group.get(group_id)
        if group is None or not any(self._reachable(vpc_id, group.vpc_id) for vpc_id in home):
            return Members((), frozenset(), group_id)
        having = [interface for interface in self.network_interface.values() if group_id in interface.group_ids]
        addresses = frozenset(number(held.address) for interface in having for held in interface.addresses)
        return Members(tuple(prefix(block) for one in having for block in one.prefixes), addresses, group_id)

    def _reachable(self, one: str, other: str) -> bool:
        return one == other or any(
            peering.other(one) == other for peering in self.peerings if peering.status == "active"
        )

    # Routes that lead nowhere ----------------------------------------------------------------
    def route_fault(self, route: Route, vpc_id: str) -> str:
        """Why a route of a VPC isn't functional; empty if it is."""
        if route.state != "active":
            return f"its state is {route.state}"
        find = _FAULTS.get(route.kind)
        return find(self, route.target, vpc_id) if find else ""

    def _gateway_fault(self, target: str, vpc_id: str) -> str:
        attached = self.internet_gateway[target].vpc_id
        return "" if attached == vpc_id else f"{target} is not attached to {vpc_id}"

    def _nat_fault(self, target: str, vpc_id: str) -> str:
        state = self.nat_gateway[target].state
        return "" if state == "available" else f"{target} is {state}"

    def _peering_fault(self, target: str, vpc_id: str) -> str:
        peering = self.peering.get(target)  # one that isn't given may lead to another account or region
        return "" if peering is None or peering.status == "active" else f"{target} is {peering.status}"

    def _instance_fault(self, target: str, vpc_id: str) -> str:
        return "" if self.interface_of_instance(target) else f"{target} has no interface"


_FAULTS: Mapping[TargetKind, Callable[[Region, str, str], str]] = {
    TargetKind.INTERNET_GATEWAY: Region._gateway_fault,
    TargetKind.NAT_GATEWAY: Region._nat_fault,
    TargetKind.PEERING: Region._peering_fault,
    TargetKind.INSTANCE: Region._instance_fault,
}


class Place:
    """Where an interface stands, with everything about the spot that a packet meets."""

    def __init__(self, region: Region, interface: NetworkInterface) -> None:
        self.region = region
        self.interface = interface
        self.id = interface.network_interface_id
        self.subnet = region.subnet[interface.subnet_id]
        self.vpc_id = self.subnet.vpc_id
        self.base, self.mask = prefix(self.subnet.cidr_block)
        self.addresses = frozenset(number(held.address) for held in interface.addresses)
        self.delegated = tuple(map(prefix, interface.prefixes))
        groups = ", ".join(interface.group_ids)
        self.names = (f"{self.id} ingress ({groups})", f"{self.id} egress ({groups})")

    def owns(self, address: int) -> bool:
        """Whether an address is the interface's own."""
        return address in self.addresses or (bool(self.delegated) and within(address, self.delegated))

    @cached_property
    def fault(self) -> Verdict | None:
        """Why nothing is sent or received here at all, if so."""
        interface = self.interface
        if interface.status != "in-use":
            return Verdict("BAD_STATE_ATTACHMENT", f"{self.id} is {interface.status}, not attached to anything")
        instance = self.region.instance.get(interface.instance_id)
        if instance is not None and instance.state != "running":
            return Verdict("BAD_STATE", f"{instance.instance_id} is {instance.state}")
        return None

    @cached_property
    def nat_gateway(self) -> NatGateway | None:
        return self.region.nat_at.get(self.id)

    @cached_property
    def routes(self) -> RouteIndex:
        return self.region.routes(self.region.route_table_of(self.subnet))

    @cached_property
    def acls(self) -> tuple[AclFilter, AclFilter]:
        """The subnet's ACL, ingress and egress."""
        acl = self.region.network_acl_of(self.subnet)
        return self.region.acl_filter(acl, False), self.region.acl_filter(acl, True)

    @cached_property
    def acl_names(self) -> tuple[str, str]:
        acl_id, subnet_id = self.acls[0].acl_id, self.subnet.subnet_id
        return f"{acl_id} ingress ({subnet_id})", f"{acl_id} egress ({subnet_id})"

    @cached_property
    def groups(self) -> tuple[GroupFilter, GroupFilter] | None:
        """The rules of all its groups, ingress and egress; None for an interface without groups."""
        ids = self.interface.group_ids
        return (self.region.group_filter(ids, False), self.region.group_filter(ids, True)) if ids else None

    @cached_property
    def services(self) -> frozenset[int]:
        """Addresses where the VPC itself answers: its routers (each subnet's base plus one) and its DNS server."""
        region, vpc = self.region, self.region.vpc[self.vpc_id]
        blocks = (subnet.cidr_block for subnet in region.subnets if subnet.vpc_id == self.vpc_id)
        routers = frozenset(number(block.network_address) + 1 for block in blocks)
        return routers | {number(vpc.cidr_blocks[0].network_address) + 2}


# Building the indexes ------------------------------------------------------------------------
def _kept(store: dict[K, T], key: K, make: Callable[[], T]) -> T:
    known = store.get(key)
    if known is None:
        known = store[key] = make()
    return known


def _by_id(values: Iterable[T], name: str, field: str) -> Mapping[str, T]:
    found: dict[str, T] = {}
    for value in values:
        key = getattr(value, name)
        if key in found:
            raise WorldError("the same id twice", field=field, value=key)
        found[key] = value
    return found


def _by_subnet(owners: Iterable[OwnerT], field: str) -> Mapping[str, OwnerT]:
    found: dict[str, OwnerT] = {}
    for owner in owners:
        for subnet_id in owner.subnet_ids:
            if subnet_id in found:
                both = f"{_identity(found[subnet_id])} and {_identity(owner)}"
                raise WorldError(
                    f"two {field} for one subnet: {both}", field="Associations", value=subnet_id, expected="one"
                )
            found[subnet_id] = owner
    return found


def _identity(owner: Owner) -> str:
    """An object's id is its first field."""
    return str(getattr(owner, next(iter(owner.__slots__))))  # type: ignore[attr-defined]


def _one_each(owners: Iterable[OwnerT], what: str) -> Mapping[str, OwnerT]:
    found: dict[str, OwnerT] = {}
    for owner in owners:
        if owner.vpc_id in found:
            both = f"{_identity(found[owner.vpc_id])} and {_identity(owner)}"
            raise WorldError(f"{owner.vpc_id} has more than one {what}: {both}", value=owner.vpc_id, expected="one")
        found[owner.vpc_id] = owner
    return found


def _nat_interface_id(gateway: NatGateway) -> str:
    return gateway.network_interface_id or f"eni-of-{gateway.nat_gateway_id}"


def _interface_of(gateway: NatGateway) -> NetworkInterface:
    """The interface of a NAT gateway; it has no security group (VPC User Guide, "NAT gateway basics")."""
    status = "in-use" if gateway.state == "available" else "available"
    return NetworkInterface(
        _nat_interface_id(gateway), gateway.subnet_id, gateway.addresses, status=status, interface_type="nat_gateway"
    )
