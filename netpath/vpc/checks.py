"""What two VPC objects can get wrong together: every contradiction is a `WorldError` naming both.

Not modelled: AWS's quotas, and which CIDR blocks may be combined in a VPC.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from netpath.errors import WorldError
from netpath.packet import Address, Network
from netpath.vpc.objects import NetworkInterface, Route, RouteTable, SecurityGroup, SecurityGroupRule, TargetKind

if TYPE_CHECKING:
    from netpath.vpc.region import Region


def check(region: Region) -> None:
    """Raise `WorldError` at the first contradiction."""
    for problems in (_subnets, _tables, _acls, _gateways, _interfaces, _groups, _peerings):
        problems(region)
    region.public  # noqa: B018  raises if an address is used twice
    region._main_tables, region._default_acls  # noqa: B018


def refuse_double(wrong: bool, field: str, one: NetworkInterface, other: NetworkInterface, address: Address) -> None:
    if wrong:
        owners = f"{other.network_interface_id} and {one.network_interface_id}"
        raise WorldError(f"{owners} have the same address", field=field, value=str(address))


def _need(known: Mapping[str, object], wanted: str, owner: str, field: str) -> None:
    if wanted not in known:
        raise WorldError(f"{owner} refers to {wanted}, which isn't there", field=field, value=wanted)


def _need_here(vpcs: Mapping[str, str], wanted: str, owner: str, vpc_id: str, field: str) -> None:
    """The thing wanted must be there, and in the same VPC."""
    _need(vpcs, wanted, owner, field)
    if vpcs[wanted] != vpc_id:
        raise WorldError(f"{owner} is in {vpc_id}, but {wanted} is in {vpcs[wanted]}", field=field, value=wanted)


def _subnets(region: Region) -> None:
    for subnet in region.subnet.values():
        _need(region.vpc, subnet.vpc_id, subnet.subnet_id, "VpcId")
        if not any(subnet.cidr_block.subnet_of(block) for block in region.vpc[subnet.vpc_id].cidr_blocks):
            problem = f"{subnet.subnet_id} lies outside the CIDR blocks of {subnet.vpc_id}"
            raise WorldError(problem, field="CidrBlock", value=str(subnet.cidr_block))
    # In order of address a network that overlaps any earlier one overlaps the one before it.
    ordered = sorted(region.subnets, key=lambda subnet: (subnet.vpc_id, subnet.cidr_block))
    for one, other in pairwise(ordered):
        if one.vpc_id == other.vpc_id and one.cidr_block.overlaps(other.cidr_block):
            problem = f"{one.subnet_id} and {other.subnet_id} overlap"
            raise WorldError(problem, field="CidrBlock", value=f"{one.cidr_block} and {other.cidr_block}")


def _subnet_vpcs(region: Region) -> Mapping[str, str]:
    return {subnet.subnet_id: subnet.vpc_id for subnet in region.subnets}


def _tables(region: Region) -> None:
    subnets, gateways = _subnet_vpcs(region), _route_targets(region)
    for table in region.route_table.values():
        _need(region.vpc, table.vpc_id, table.route_table_id, "VpcId")
        for subnet_id in table.subnet_ids:
            _need_here(subnets, subnet_id, table.route_table_id, table.vpc_id, "Associations.SubnetId")
        for gateway_id in table.gateway_ids:
            if gateway_id.startswith("igw-"):
                _need(region.internet_gateway, gateway_id, table.route_table_id, "Associations.GatewayId")
        for route in table.routes:
            _check_route(gateways, table, route)
    region._tables  # noqa: B018


def _route_targets(region: Region) -> Mapping[TargetKind, Mapping[str, object]]:
    """What a route's target is looked up in; a region without instances doesn't tell about them."""
    instances = {TargetKind.INSTANCE: region.instance} if region.instances else {}
    return {
        **instances,
        TargetKind.INTERNET_GATEWAY: region.internet_gateway,
        TargetKind.NAT_GATEWAY: region.nat_gateway,
        TargetKind.INTERFACE: region.network_interface,
    }


def _check_route(targets: Mapping[TargetKind, Mapping[str, object]], table: RouteTable, route: Route) -> None:
    """A blackhole's target may be gone: that is what makes it one."""
    known = targets.get(route.kind)
    if known is not None and route.state == "active":
        _need(known, route.target, f"{table.route_table_id} {route}", "Routes")


def _acls(region: Region) -> None:
    subnets = _subnet_vpcs(region)
    for acl in region.network_acl.values():
        _need(region.vpc, acl.vpc_id, acl.network_acl_id, "VpcId")
        for subnet_id in acl.subnet_ids:
            _need_here(subnets, subnet_id, acl.network_acl_id, acl.vpc_id, "Associations.SubnetId")
    region._acls  # noqa: B018


def _gateways(region: Region) -> None:
    seen: dict[str, str] = {}
    for gateway in region.internet_gateway.values():
        if gateway.vpc_id is None:
            continue
        _need(region.vpc, gateway.vpc_id, gateway.internet_gateway_id, "Attachments.VpcId")
        other = seen.setdefault(gateway.vpc_id, gateway.internet_gateway_id)
        if other != gateway.internet_gateway_id:
            problem = f"{other} and {gateway.internet_gateway_id} are attached to one VPC"
            raise WorldError(problem, field="Attachments.VpcId", value=gateway.vpc_id)
    for nat in region.nat_gateway.values():
        _need(region.subnet, nat.subnet_id, nat.nat_gateway_id, "SubnetId")
    for name, nat in region.nat_at.items():
        for held in nat.addresses:
            if not region.network_interface[name].holds(held.address):
                problem = f"{nat.nat_gateway_id} has an address that its interface {name} hasn't"
                raise WorldError(problem, field="NatGatewayAddresses", value=str(held.address))


def _interfaces(region: Region) -> None:
    groups = {group.group_id: group.vpc_id for group in region.security_groups}
    for interface in region.network_interface.values():
        name = interface.network_interface_id
        _need(region.subnet, interface.subnet_id, name, "SubnetId")
        for group_id in interface.group_ids:
            _need_here(groups, group_id, name, region.vpc_of(interface), "Groups")
        if interface.instance_id and region.instances:
            _need(region.instance, interface.instance_id, name, "Attachment.InstanceId")
        _check_addresses(name, _networks(interface), region.subnet[interface.subnet_id].cidr_block)


def _networks(interface: NetworkInterface) -> Iterator[Network]:
    yield from (Network(int(held.address)) for held in interface.addresses)
    yield from interface.prefixes


def _check_addresses(name: str, held: Iterable[Network], subnet: Network) -> None:
    for network in held:
        if not network.subnet_of(subnet):
            raise WorldError(
                f"{name} has an address outside its subnet {subnet}", field="PrivateIpAddresses", value=str(network)
            )


def _groups(region: Region) -> None:
    for group in region.security_group.values():
        _need(region.vpc, group.vpc_id, group.group_id, "VpcId")
        for rule in (*group.ingress, *group.egress):
            _check_peer(region, group, rule)


def _check_peer(region: Region, group: SecurityGroup, rule: SecurityGroupRule) -> None:
    """A group that isn't there may be in a VPC that isn't either, or was deleted from a peer: a stale rule."""
    here = rule.peer_vpc_id in ("", group.vpc_id)
    if isinstance(rule.peer, str) and not rule.peer.startswith("pl-") and here:
        _need(region.security_group, rule.peer, group.group_id, "UserIdGroupPairs.GroupId")


def _peerings(region: Region) -> None:
    for peering in region.peering.values():
        if peering.requester_vpc_id == peering.accepter_vpc_id:
            raise WorldError(f"{peering.peering_id} peers a VPC with itself", value=peering.requester_vpc_id)
