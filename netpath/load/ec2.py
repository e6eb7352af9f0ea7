"""What `aws ec2 describe-…` prints -> the objects of a VPC region.

Each top-level key names its kind (`Vpcs`, `Subnets`, …); fields that decide about no packet are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from netpath.errors import WorldError
from netpath.load.fields import Field
from netpath.packet import Address, Network
from netpath.vpc import (
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
    Region,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    Vpc,
)


def read(key: str, document: Field) -> Iterator[tuple[Any, Field]]:
    """The objects under a top-level key of `READERS`, each with its place in the file. Raises `InputError`."""
    for item in document.each(key):
        with item.blamed():
            made = list(READERS[key](item))
        yield from ((value, item) for value in made)


def _vpc(item: Field) -> Iterator[Vpc]:
    blocks = [
        block["CidrBlock"].network()
        for block in item.each("CidrBlockAssociationSet")
        if _state(block, "CidrBlockState") in ("associated", "")
    ]
    yield Vpc(item["VpcId"].text(), tuple(blocks) or (item["CidrBlock"].network(),))


def _state(item: Field, key: str, name: str = "State") -> str:
    field = item.get(key)
    return field.text_at(name) if field else ""


def _subnet(item: Field) -> Iterator[Subnet]:
    yield Subnet(
        item["SubnetId"].text(),
        item["VpcId"].text(),
        item["CidrBlock"].network(),
        item.text_at("AvailabilityZone"),
    )


_TARGETS = (
    "GatewayId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "InstanceId",
    "VpcPeeringConnectionId",
    "TransitGatewayId",
    "LocalGatewayId",
    "CarrierGatewayId",
    "EgressOnlyInternetGatewayId",
    "CoreNetworkArn",
    "OdbNetworkArn",
)


def _route(item: Field) -> Iterator[Route]:
    destination: Network | str | None = None
    if cidr := item.get("DestinationCidrBlock"):
        destination = cidr.network()
    elif prefixes := item.get("DestinationPrefixListId"):
        destination = prefixes.text()
    if destination is None:
        return  # an IPv6 route
    # A route to an instance names its interface too; the interface is what receives the packet.
    target = item.text_at("NetworkInterfaceId") or next((t for key in _TARGETS if (t := item.text_at(key))), "")
    yield Route(
        destination,
        target or ("blackhole" if item.text_at("State") == "blackhole" else ""),
        item.text_at("State", "active"),
        item.text_at("Origin") == "EnableVgwRoutePropagation",
    )


def _route_table(item: Field) -> Iterator[RouteTable]:
    associations = [a for a in item.each("Associations") if _state(a, "AssociationState") in ("associated", "")]
    yield RouteTable(
        item["RouteTableId"].text(),
        item["VpcId"].text(),
        tuple(route for entry in item.each("Routes") for route in _route(entry)),
        subnet_ids=tuple(a.text_at("SubnetId") for a in associations if a.get("SubnetId")),
        gateway_ids=tuple(a.text_at("GatewayId") for a in associations if a.get("GatewayId")),
        main=any(a.boolean_at("Main", False) for a in associations),
    )


def _internet_gateway(item: Field) -> Iterator[InternetGateway]:
    attached = [
        a["VpcId"].text() for a in item.each("Attachments") if a.text_at("State") in ("available", "attached", "")
    ]
    yield InternetGateway(item["InternetGatewayId"].text(), attached[0] if attached else None)


def _optional_address(item: Field, key: str) -> Address | None:
    field = item.get(key)
    return field.address() if field and field.value != "" else None


def _nat_gateway(item: Field) -> Iterator[NatGateway]:
    state = item.text_at("State", "available")
    if state == "deleted":
        return
    entries = [a for a in item.each("NatGatewayAddresses") if a.get("PrivateIp") and a.text_at("Status") != "failed"]
    entries.sort(key=lambda entry: not entry.boolean_at("IsPrimary", False))
    interface = next((a.text_at("NetworkInterfaceId") for a in entries), "")
    yield NatGateway(
        item["NatGatewayId"].text(),
        item["SubnetId"].text(),
        tuple(PrivateAddress(a["PrivateIp"].address(), _optional_address(a, "PublicIp")) for a in entries),
        interface,
        item.text_at("ConnectivityType", "public"),
        state,
    )


def _network_interface(item: Field) -> Iterator[NetworkInterface]:
    attachment = item.get("Attachment")
    yield NetworkInterface(
        item["NetworkInterfaceId"].text(),
        item["SubnetId"].text(),
        _private_addresses(item),
        group_ids=tuple(group["GroupId"].text() for group in item.each("Groups")),
        source_dest_check=item.boolean_at("SourceDestCheck", True),
        prefixes=tuple(prefix["Ipv4Prefix"].network() for prefix in item.each("Ipv4Prefixes")),
        instance_id=attachment.text_at("InstanceId") if attachment else "",
        status=item.text_at("Status", "in-use"),
        interface_type=item.text_at("InterfaceType", "interface"),
        description=item.text_at("Description"),
        tracking=_tracking(item.get("ConnectionTrackingConfiguration")),
        device_index=attachment.integer_at("DeviceIndex", 0, 255, 0) if attachment else 0,
        network_card_index=attachment.integer_at("NetworkCardIndex", 0, 255, 0) if attachment else 0,
    )


# Each timeout with its least and most; one that isn't given is AWS's default (EC2 User Guide, "Connection tracking").
_TIMEOUTS = {
    "tcp_established": ("TcpEstablishedTimeout", 60, 432_000),
    "udp_stream": ("UdpStreamTimeout", 60, 180),
    "udp": ("UdpTimeout", 30, 60),
}


def _tracking(config: Field | None) -> ConnectionTracking:
    if config is None:
        return ConnectionTracking()
    told = {ours: (config.get(key), low, high) for ours, (key, low, high) in _TIMEOUTS.items()}
    return ConnectionTracking(**{ours: field.integer(low, high) for ours, (field, low, high) in told.items() if field})


def _private_addresses(item: Field) -> tuple[PrivateAddress, ...]:
    """The primary address first, each with its public one."""
    entries = sorted(item.each("PrivateIpAddresses"), key=lambda entry: not entry.boolean_at("Primary", False))
    if not entries:
        entries = [item]
    return tuple(
        PrivateAddress(entry["PrivateIpAddress"].address(), _associated(entry.get("Association"))) for entry in entries
    )


def _associated(association: Field | None) -> Address | None:
    return _optional_address(association, "PublicIp") if association else None


def _security_group(item: Field) -> Iterator[SecurityGroup]:
    yield SecurityGroup(
        item["GroupId"].text(),
        item.text_at("VpcId"),
        ingress=tuple(rule for permission in item.each("IpPermissions") for rule in _permission(permission)),
        egress=tuple(rule for permission in item.each("IpPermissionsEgress") for rule in _permission(permission)),
        name=item.text_at("GroupName"),
    )


def _permission(item: Field) -> Iterator[SecurityGroupRule]:
    """One IpPermission is as many rules as it has peers."""
    protocol = item["IpProtocol"].text()
    peers: list[tuple[Network | str, Field, str]] = [(r["CidrIp"].network(), r, "") for r in item.each("IpRanges")]
    peers += [(g["GroupId"].text(), g, g.text_at("VpcId")) for g in item.each("UserIdGroupPairs")]
    peers += [(p["PrefixListId"].text(), p, "") for p in item.each("PrefixListIds")]
    low, high = (None if item.get(key) is None else item[key].integer(-1, 65535) for key in ("FromPort", "ToPort"))
    for peer, entry, vpc_id in peers:
        description = entry.text_at("Description")
        yield SecurityGroupRule(peer, protocol, low, high, description, peer_vpc_id=vpc_id)


def _network_acl(item: Field) -> Iterator[NetworkAcl]:
    yield NetworkAcl(
        item["NetworkAclId"].text(),
        item["VpcId"].text(),
        tuple(_acl_entry(entry) for entry in item.each("Entries") if entry.get("CidrBlock")),
        tuple(association["SubnetId"].text() for association in item.each("Associations")),
        item.boolean_at("IsDefault", False),
    )


def _acl_entry(item: Field) -> AclEntry:
    ports, icmp = item.get("PortRange"), item.get("IcmpTypeCode")
    action = item["RuleAction"]
    if action.value not in ("allow", "deny"):
        raise action.wrong("unknown action", "allow or deny")
    return AclEntry(
        item["RuleNumber"].integer(1, 32767),
        item["Egress"].boolean(),
        action.value == "allow",
        item["CidrBlock"].network(),
        item["Protocol"].text(),
        ports["From"].integer(0, 65535) if ports else None,
        ports["To"].integer(0, 65535) if ports else None,
        icmp.integer_at("Type", -1, 255, -1) if icmp else -1,
        icmp.integer_at("Code", -1, 255, -1) if icmp else -1,
    )


def _reservation(item: Field) -> Iterator[Instance]:
    for instance in item.each("Instances"):
        yield Instance(instance["InstanceId"].text(), _state(instance, "State", "Name") or "running")


def _peering(item: Field) -> Iterator[Peering]:
    yield Peering(
        item["VpcPeeringConnectionId"].text(),
        item["RequesterVpcInfo"]["VpcId"].text(),
        item["AccepterVpcInfo"]["VpcId"].text(),
        _state(item, "Status", "Code") or "active",
    )


def _prefix_list(item: Field) -> Iterator[PrefixList]:
    """`describe-prefix-lists` says what is in them; `describe-managed-prefix-lists` only that there are some."""
    if item.get("Cidrs") is None:
        return
    cidrs = tuple(cidr.network() for cidr in item.each("Cidrs") if ":" not in cidr.text())
    yield PrefixList(item["PrefixListId"].text(), cidrs)


READERS: dict[str, Callable[[Field], Iterator[Any]]] = {
    "Vpcs": _vpc,
    "Subnets": _subnet,
    "RouteTables": _route_table,
    "InternetGateways": _internet_gateway,
    "NatGateways": _nat_gateway,
    "NetworkInterfaces": _network_interface,
    "SecurityGroups": _security_group,
    "NetworkAcls": _network_acl,
    "Reservations": _reservation,
    "VpcPeeringConnections": _peering,
    "PrefixLists": _prefix_list,
}


def check_addresses(document: Field, region: Region) -> None:
    """Elastic IP addresses (`describe-addresses`) must agree with the interfaces that they are associated with."""
    for item in document.each("Addresses"):
        private, public = _optional_address(item, "PrivateIpAddress"), _optional_address(item, "PublicIp")
        if private is None or public is None:
            continue  # allocated, and associated with nothing; or a carrier's address
        _check_association(item, region, private, public)


def _check_association(item: Field, region: Region, private: Address, public: Address) -> None:
    holder, held = region.public.get(int(public), (None, None))
    wanted = item.text_at("NetworkInterfaceId") or (holder.network_interface_id if holder else "")
    if holder is None or held is None or (held.address, holder.network_interface_id) != (private, wanted):
        told = f"{held.address} of {holder.network_interface_id}" if holder and held else "nobody"
        raise WorldError(
            f"{public} is associated with {told} according to NetworkInterfaces and NatGateways",
            file=item.file,
            field=item.path,
            value=f"{private} of {wanted or 'nobody'}",
            expected="the same in both",
        )
