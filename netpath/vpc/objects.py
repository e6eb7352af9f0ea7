"""What a VPC is made of, as values with AWS's own names.

Each mirrors what `aws ec2 describe-…` prints, in Python's spelling, and keeps what decides about a
packet. A value refuses what it can see to be wrong by itself (a port range turned around); what only
two of them together can get wrong (a subnet outside its VPC) is `netpath.vpc.region`'s to refuse.

Not modelled: IPv6, the metadata that decides about no packet (tags, owners, `map public ip`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from netpath.errors import InputError
from netpath.packet import Address, Network

ANYWHERE = Network("0.0.0.0/0")
LOCAL = "local"
LAST_RULE = 32767  # the rule that AWS shows as `*`; it denies what no other rule matched

_NAMES = {"all": "-1", "1": "icmp", "6": "tcp", "17": "udp", "132": "sctp"}  # IANA protocol numbers
WITH_PORTS = frozenset({"tcp", "udp"})  # AWS ignores the ports of any other protocol's rule


class TargetKind(StrEnum):
    """What a route leads to, told by the prefix of its target's id."""

    LOCAL = "local"
    INTERNET_GATEWAY = "internet gateway"
    NAT_GATEWAY = "NAT gateway"
    INTERFACE = "network interface"
    INSTANCE = "instance"
    PEERING = "peering connection"
    OTHER = "other"


_KINDS = {
    "igw": TargetKind.INTERNET_GATEWAY,
    "nat": TargetKind.NAT_GATEWAY,
    "eni": TargetKind.INTERFACE,
    "i": TargetKind.INSTANCE,
    "pcx": TargetKind.PEERING,
}


def _named(protocol: str) -> str:
    """The protocol as `-1`, `tcp`, `udp`, `icmp`, `sctp`, or another number's text."""
    text = str(protocol).lower()
    name = _NAMES.get(text, text)
    known = name in ("-1", "tcp", "udp", "icmp", "sctp", "icmpv6")
    if known or (name.isascii() and name.isdigit() and int(name[:4]) <= 255):
        return name
    raise InputError("not a protocol", value=protocol, expected="-1, tcp, udp, icmp, or a number from 0 to 255")


def _check_range(low: int | None, high: int | None, field: str, least: int = 0, most: int = 65535) -> None:
    if low is None and high is None:
        return
    if low is None or high is None or not least <= low <= high <= most:
        raise InputError("not a range", field=field, value=(low, high), expected=f"from <= to, {least} to {most}")


def _check_icmp(kind: int | None, code: int | None, field: str) -> None:
    for number in (kind, code):
        if number is not None and not -1 <= number <= 255:
            raise InputError("not an ICMP type or code", field=field, value=(kind, code), expected="-1 to 255")


def _check_distinct(values: Iterable[object], field: str, owner: str) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise InputError(f"twice in {owner}", field=field, value=str(value), expected="each once")
        seen.add(value)


def ports_text(protocol: str, low: int | None, high: int | None) -> str:
    """A rule's traffic as a person writes it.

    >>> ports_text("tcp", 80, 80), ports_text("tcp", 1024, 65535), ports_text("-1", None, None)
    ('tcp 80', 'tcp 1024-65535', 'all')
    """
    name = "all" if protocol == "-1" else protocol
    if protocol == "icmp":
        kind, code = (-1 if low is None else low), (-1 if high is None else high)
        return name + ("" if kind == -1 else f" type {kind}") + ("" if code == -1 else f" code {code}")
    if protocol not in WITH_PORTS or low is None or (low, high) == (0, 65535):
        return name
    return f"{name} {low}" if low == high else f"{name} {low}-{high}"


@dataclass(frozen=True, slots=True)
class Vpc:
    """A VPC. The first CIDR block is the primary one (the Amazon DNS server is at its base plus two)."""

    vpc_id: str
    cidr_blocks: tuple[Network, ...]

    def __post_init__(self) -> None:
        if not self.cidr_blocks:
            raise InputError("a VPC without a CIDR block", field="CidrBlockAssociationSet", value=self.vpc_id)
        for index, block in enumerate(self.cidr_blocks):
            if any(block.overlaps(other) for other in self.cidr_blocks[:index]):
                raise InputError(f"overlaps another CIDR block of {self.vpc_id}", field="CidrBlock", value=str(block))


@dataclass(frozen=True, slots=True)
class Subnet:
    """A range of a VPC's addresses in one availability zone."""

    subnet_id: str
    vpc_id: str
    cidr_block: Network
    availability_zone: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """One line of a route table.

    `destination` is a network or a prefix list's id (`pl-…`); `target` is `local` or the id of what
    it leads to; `propagated` is what AWS's Origin `EnableVgwRoutePropagation` says.
    """

    destination: Network | str
    target: str
    state: str = "active"
    propagated: bool = False

    def __post_init__(self) -> None:
        if self.state not in ("active", "blackhole", "filtered"):
            raise InputError("not a route's state", field="State", value=self.state, expected="active or blackhole")
        if not self.target:
            raise InputError("a route without a target", field="Routes", value=str(self.destination))

    @property
    def kind(self) -> TargetKind:
        if self.target == LOCAL:
            return TargetKind.LOCAL
        return _KINDS.get(self.target.partition("-")[0], TargetKind.OTHER)

    def __str__(self) -> str:
        return f"{self.destination} -> {self.target} ({self.state})"


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Routes for the subnets (and, with an edge association, the gateways) associated with it.

    The `main` table serves every subnet of the VPC that has none of its own.
    """

    route_table_id: str
    vpc_id: str
    routes: tuple[Route, ...] = ()
    subnet_ids: tuple[str, ...] = ()
    gateway_ids: tuple[str, ...] = ()
    main: bool = False

    def __post_init__(self) -> None:
        # A static and a propagated route may share a destination: the static one wins.
        keys = [(str(route.destination), route.propagated and route.target) for route in self.routes]
        _check_distinct(keys, "Routes", self.route_table_id)


@dataclass(frozen=True, slots=True)
class InternetGateway:
    """An internet gateway, and the VPC that it is attached to (None: detached)."""

    internet_gateway_id: str
    vpc_id: str | None = None


@dataclass(frozen=True, slots=True)
class PrivateAddress:
    """A private address of an interface, and the public one associated with it, if any."""

    address: Address
    public_ip: Address | None = None


@dataclass(frozen=True, slots=True)
class NatGateway:
    """A NAT gateway in a subnet. A public one has a public address for each private one; a private one has none."""

    nat_gateway_id: str
    subnet_id: str
    addresses: tuple[PrivateAddress, ...]
    network_interface_id: str = ""
    connectivity_type: str = "public"
    state: str = "available"

    def __post_init__(self) -> None:
        if self.connectivity_type not in ("public", "private"):
            expected = "public or private"
            raise InputError(
                "not a connectivity type", field="ConnectivityType", value=self.connectivity_type, expected=expected
            )
        if self.state == "available" and not self.addresses:
            raise InputError("a NAT gateway without an address", field="NatGatewayAddresses", value=self.nat_gateway_id)


@dataclass(frozen=True, slots=True)
class ConnectionTracking:
    """How long an interface's security groups remember an idle flow, in seconds.

    Source: EC2 User Guide, "Connection tracking timeouts" (`tcp_established`, 350 on Nitro v6
    instances; `udp_stream`; `udp`) and "Security group connection tracking" (`other`: 600). AWS
    doesn't document the handshake and the close; `tcp_handshake` is Linux's default.
    """

    tcp_established: float = 432000
    udp_stream: float = 180
    udp: float = 30
    tcp_handshake: float = 120
    icmp: float = 30
    other: float = 600


DEFAULT_TRACKING = ConnectionTracking()


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """An elastic network interface (ENI): its addresses, its security groups, and its subnet.

    The first of `addresses` is the primary one. `prefixes` are delegated to it (Ipv4Prefixes): every
    address of them is its own. `instance_id` is empty where AWS itself attached it (a load balancer's
    node, a NAT gateway). An interface without groups isn't filtered: only managed ones have none.
    """

    network_interface_id: str
    subnet_id: str
    addresses: tuple[PrivateAddress, ...]
    group_ids: tuple[str, ...] = ()
    source_dest_check: bool = True
    prefixes: tuple[Network, ...] = ()
    instance_id: str = ""
    status: str = "in-use"
    interface_type: str = "interface"
    description: str = ""
    tracking: ConnectionTracking = DEFAULT_TRACKING
    device_index: int = 0  # its place among its instance's interfaces, and on which of its network cards
    network_card_index: int = 0

    def __post_init__(self) -> None:
        if not self.addresses:
            raise InputError(
                "an interface without an address", field="PrivateIpAddresses", value=self.network_interface_id
            )
        _check_distinct([held.address for held in self.addresses], "PrivateIpAddresses", self.network_interface_id)
        _check_distinct(self.group_ids, "Groups", self.network_interface_id)

    @property
    def primary(self) -> Address:
        return self.addresses[0].address

    @property
    def order(self) -> tuple[int, int]:
        """Where it comes among its instance's interfaces: eth0 is the first device of the first card."""
        return self.network_card_index, self.device_index

    def holds(self, address: Address) -> bool:
        """Whether a private address is this interface's own."""
        return any(held.address == address for held in self.addresses) or any(address in p for p in self.prefixes)


@dataclass(frozen=True, slots=True)
class SecurityGroupRule:
    """One thing that a security group allows: a protocol, its ports, and one peer.

    `peer` is a network, another group's id (`sg-…`), or a prefix list's (`pl-…`); for ICMP, `from_port`
    is the type and `to_port` the code, -1 for any. An IpPermission of the EC2 API with several ranges
    or groups is as many of these. `peer_vpc_id` is where AWS says that a referenced group lives.
    """

    peer: Network | str
    protocol: str = "-1"
    from_port: int | None = None
    to_port: int | None = None
    description: str = ""
    peer_vpc_id: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "protocol", _named(self.protocol))
        if self.protocol in WITH_PORTS:
            _check_range(self.from_port, self.to_port, "FromPort")
        if self.protocol == "icmp":
            _check_icmp(self.from_port, self.to_port, "FromPort")

    def text(self, way: str) -> str:
        """The rule as a person reads it, for a way of `ingress` or `egress`."""
        return f"{way} {ports_text(self.protocol, self.from_port, self.to_port)} {_WORD[way]} {self.peer}"


_WORD = {"ingress": "from", "egress": "to"}


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """What is allowed to (`ingress`) and from (`egress`) the interfaces that have this group."""

    group_id: str
    vpc_id: str
    ingress: tuple[SecurityGroupRule, ...] = ()
    egress: tuple[SecurityGroupRule, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class AclEntry:
    """One numbered rule of a network ACL. Ports are the packet's destination ports; ICMP -1 is any."""

    rule_number: int
    egress: bool
    allow: bool
    cidr_block: Network = ANYWHERE
    protocol: str = "-1"
    from_port: int | None = None
    to_port: int | None = None
    icmp_type: int = -1
    icmp_code: int = -1

    def __post_init__(self) -> None:
        object.__setattr__(self, "protocol", _named(self.protocol))
        if not 1 <= self.rule_number <= LAST_RULE:
            raise InputError("not a rule number", field="RuleNumber", value=self.rule_number, expected="1 to 32766")
        if self.protocol in WITH_PORTS:
            _check_range(self.from_port, self.to_port, "PortRange")
        _check_icmp(self.icmp_type, self.icmp_code, "IcmpTypeCode")

    def text(self) -> str:
        number = "*" if self.rule_number == LAST_RULE else self.rule_number
        ends = (self.icmp_type, self.icmp_code) if self.protocol == "icmp" else (self.from_port, self.to_port)
        way = "egress" if self.egress else "ingress"
        action = "allow" if self.allow else "deny"
        return f"{way} {number} {action} {ports_text(self.protocol, *ends)} {_WORD[way]} {self.cidr_block}"


@dataclass(frozen=True, slots=True)
class NetworkAcl:
    """A network ACL: stateless rules for what enters and leaves the subnets associated with it."""

    network_acl_id: str
    vpc_id: str
    entries: tuple[AclEntry, ...] = ()
    subnet_ids: tuple[str, ...] = ()
    is_default: bool = False

    def __post_init__(self) -> None:
        numbers = [("egress" if entry.egress else "ingress", entry.rule_number) for entry in self.entries]
        _check_distinct(numbers, "Entries", self.network_acl_id)


def allow_all(network_acl_id: str, vpc_id: str, subnet_ids: tuple[str, ...] = ()) -> NetworkAcl:
    """The default network ACL as AWS makes it with every VPC: 100 allows everything, both ways."""
    entries = tuple(AclEntry(100, egress, True) for egress in (False, True))
    return NetworkAcl(network_acl_id, vpc_id, entries, subnet_ids, is_default=True)


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance's state: only a running one sends or receives."""

    instance_id: str
    state: str = "running"


@dataclass(frozen=True, slots=True)
class Peering:
    """A peering connection between two VPCs; only an `active` one carries traffic."""

    peering_id: str
    requester_vpc_id: str
    accepter_vpc_id: str
    status: str = "active"

    def other(self, vpc_id: str) -> str | None:
        """The VPC at the other end, or None if `vpc_id` is at neither."""
        ends = {self.requester_vpc_id: self.accepter_vpc_id, self.accepter_vpc_id: self.requester_vpc_id}
        return ends.get(vpc_id)


@dataclass(frozen=True, slots=True)
class PrefixList:
    """A managed prefix list: a name for several networks."""

    prefix_list_id: str
    entries: tuple[Network, ...] = ()
