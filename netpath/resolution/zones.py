"""A zone as a name server searches it: nodes, empty non-terminals, zone cuts, wildcards.

`ZoneIndex` is made once from a `dns.zone.Zone`. It answers the three questions of RFC 1034 §4.3.2:
is there a zone cut (or a DNAME) on the way down, which is the closest name that exists, and is there a
wildcard under that (RFC 4592)?

`Alias` is Route 53's own kind of record: no such type is ever seen in an answer. A query for an
address at its name is answered with the target's addresses; it works at a zone's apex, where a CNAME
is forbidden. See docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-choosing-alias-non-alias.html

Not modelled: Route 53's routing policies and health checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import dns.name
import dns.rdata
import dns.rdataclass
import dns.zone
from dns.name import Name
from dns.rdatatype import RdataType

from netpath.errors import InputError, WorldError
from netpath.resolution.records import ADDRESS_TYPES, Key, Records, is_below, key_of, parse_name

ELB_TTL = 60  # seconds; "Choosing between alias and non-alias records": load balancers
_ELB_SUFFIX = (b"elb", b"amazonaws", b"com", b"")

Lookup = Callable[[Name, RdataType], Records | None]


@dataclass(frozen=True, slots=True)
class Alias:
    """A Route 53 alias: `name` answers with the addresses of `target`.

    `ttl`: seconds; None takes 60 for a load balancer's name, and the target's own TTL for any other.

    >>> Alias("shop.example.com", "my-alb-1.us-east-1.elb.amazonaws.com").name
    <DNS name shop.example.com.>
    """

    name: Name
    target: Name
    ttl: int | None

    def __init__(self, name: Name | str, target: Name | str, ttl: int | None = None) -> None:
        object.__setattr__(self, "name", _absolute(name))
        object.__setattr__(self, "target", _absolute(target))
        object.__setattr__(self, "ttl", ttl)
        if ttl is not None and not 0 <= ttl < 1 << 31:
            raise InputError("not a TTL", value=ttl, expected="0 to 2147483647 seconds")

    def records(self, rdtype: RdataType, lookup: Lookup) -> Records | None:
        """What a query for `rdtype` at this name gets, or None where the target has no such records."""
        found = lookup(self.target, rdtype) if rdtype in ADDRESS_TYPES else None
        if found is None:
            return None
        ttl = self.ttl if self.ttl is not None else ELB_TTL if self._is_elb else found.ttl
        return Records(self.name, rdtype, ttl, found.data)

    @property
    def _is_elb(self) -> bool:
        return is_below(key_of(self.target), _ELB_SUFFIX)

    def __str__(self) -> str:
        return f"{self.name} ALIAS {self.target}"


def _absolute(name: Name | str) -> Name:
    made = parse_name(name) if isinstance(name, str) else name
    if not made.is_absolute():
        raise InputError("not an absolute name", value=str(name))
    return made


@dataclass(slots=True)
class Node:
    """What a zone has at one name; an empty non-terminal has nothing, but it exists."""

    name: Name
    sets: dict[RdataType, Records] = field(default_factory=dict)
    alias: Alias | None = None


class ZoneIndex:
    """A zone's nodes by key. `WorldError` for a zone that can't be served (no SOA at its apex, class not IN)."""

    def __init__(self, zone: dns.zone.Zone, aliases: Iterable[Alias] = ()) -> None:
        if zone.origin is None or zone.rdclass != dns.rdataclass.IN:
            raise WorldError("a zone needs an origin and the class IN", value=zone.origin)
        self.origin = zone.origin
        self.apex = key_of(zone.origin)
        self.nodes: dict[Key, Node] = {}
        for rrset in _contents(zone):
            self._add(rrset.name).sets[rrset.type] = rrset
        for alias in aliases:
            self._add(alias.name).alias = alias
        if self.apex not in self.nodes or RdataType.SOA not in self.nodes[self.apex].sets:
            raise WorldError("a zone without a SOA record at its apex", value=str(zone.origin))
        soa = self.nodes[self.apex].sets[RdataType.SOA]
        minimum: int = soa.data[0].minimum  # type: ignore[attr-defined]
        self.negative = soa.aged(min(soa.ttl, minimum))  # RFC 2308 §3
        self.servers = self.nodes[self.apex].sets.get(RdataType.NS)

    def _add(self, name: Name) -> Node:
        """The node of a name, made together with the empty non-terminals above it."""
        key = key_of(name)
        node = self.nodes.get(key)
        if node is None:
            node = Node(name)
            if is_below(key, self.apex):  # out-of-zone data is never served
                self.nodes[key] = node
                if key != self.apex:
                    self._add(name.parent())
        return node

    def cut(self, key: Key) -> tuple[RdataType, Records] | None:
        """The highest NS (a zone cut) or DNAME met on the way down to `key`, below the apex for NS, or None.

        A DNAME redirects what is below it, not its own name; at one name, a DNAME wins over a cut.
        """
        for depth in range(len(self.apex), len(key) + 1):
            node = self.nodes.get(key[len(key) - depth :])
            if node is None:
                return None
            if depth < len(key) and RdataType.DNAME in node.sets:
                return RdataType.DNAME, node.sets[RdataType.DNAME]
            if depth > len(self.apex) and RdataType.NS in node.sets:
                return RdataType.NS, node.sets[RdataType.NS]
        return None

    def closest_encloser(self, key: Key) -> Key:
        """The longest existing name at or above `key` (RFC 4592 §3.3.1)."""
        while key not in self.nodes:
            key = key[1:]
        return key


def _contents(zone: dns.zone.Zone) -> Iterable[Records]:
    """The zone's RRsets, every name in them absolute."""
    for name, node in zone.nodes.items():
        owner = name.derelativize(zone.origin or dns.name.root)
        for rdataset in node.rdatasets:
            if rdataset.rdtype != RdataType.RRSIG and len(rdataset):
                data = tuple(_absolute_data(datum, zone.origin) for datum in rdataset)
                yield Records(owner, RdataType.make(rdataset.rdtype), rdataset.ttl, data)


def _absolute_data(datum: dns.rdata.Rdata, origin: Name | None) -> dns.rdata.Rdata:
    wire = datum.to_wire(origin=origin) or b""
    return dns.rdata.from_wire(datum.rdclass, datum.rdtype, wire, 0, len(wire))
