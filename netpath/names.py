"""The world's name servers, and the question that every journey begins with: which address has this name?

A master file says which zone it is and, through its NS records, who serves it. The addresses of those name
servers are in the zones too, as data or as glue. So a folder of master files *is* an internet of name servers.

Not modelled: a name server that holds another version of a zone than its neighbour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dns.message
import dns.name
import dns.rdatatype
import dns.zone
from dns.name import Name
from dns.rdatatype import RdataType

from netpath.choice import Choose, first
from netpath.errors import WorldError
from netpath.memory import Memory
from netpath.packet import Hop, quick
from netpath.resolution import (
    Alias,
    AuthoritativeServer,
    Lookup,
    Records,
    Resolution,
    Resolver,
    ResolverConfig,
    Stub,
    in_memory,
)
from netpath.resolution.records import key_of


@dataclass(frozen=True)
class Names:
    """The name servers of a world by address, and the root servers that a resolver begins with."""

    servers: Mapping[str, AuthoritativeServer]
    hints: Mapping[str, tuple[str, ...]]

    def resolver(self, name: str, choose: Choose | None = None) -> Resolver:
        """A recursive resolver that knows the root servers. Raises `WorldError` without a root zone."""
        if not self.hints:
            raise WorldError("this world has no root zone, and a resolver begins there", expected=_ROOT)
        return Resolver(self.hints, in_memory(self.servers, choose=choose), ResolverConfig(name=name))

    def resolve(
        self, query: dns.message.Message, memory: Memory, choose: Choose = first, name: str = "resolver"
    ) -> Resolution:
        """What the recursive resolver answers, and how it found out."""
        return self.resolver(name).resolve(query, memory.cache, memory.now, choose)

    def find(self, name: Name, rdtype: RdataType) -> Records | None:
        """An RRset in whichever zone is closest to it: how Route 53 knows the addresses of AWS's own names."""
        key = key_of(name)
        indexes = (index for server in self.servers.values() for index in server.zones.values())
        holding = [index for index in indexes if key in index.nodes and rdtype in index.nodes[key].sets]
        if not holding:
            return None
        return max(holding, key=lambda index: len(index.apex)).nodes[key].sets[rdtype]  # not some other zone's glue

    def lookup(self, host: str, memory: Memory, resolver: str, choose: Choose = first) -> Looked:
        """The addresses of a host as the user's machine finds them: from its own cache, or from the resolver."""
        asked: list[Resolution] = []

        def send(address: str, query: dns.message.Message, tcp: bool) -> dns.message.Message:
            resolution = self.resolver(f"resolver {address}").resolve(query, memory.cache, memory.now, choose, tcp)
            asked.append(resolution)
            return resolution.response

        found = Stub("user", resolver, send, shuffles=True).lookup(host, memory.stub, memory.now, choose)
        return Looked(found, asked[-1] if asked else None)


@quick
@dataclass(frozen=True, slots=True)
class Looked:
    """A look-up by the user's machine, and the resolver's part in it (None: it wasn't asked)."""

    lookup: Lookup
    resolution: Resolution | None

    @property
    def hops(self) -> tuple[Hop, ...]:
        return (*(self.resolution.hops if self.resolution else ()), self.lookup.hop)


_ROOT = "a master file of the root zone, with the delegations from there down"


def names(zones: Iterable[dns.zone.Zone], aliases: Iterable[Alias] = ()) -> Names:
    """The name servers that these zones describe.

    Raises `WorldError` for a zone none of whose name servers has an address, and for an alias outside
    every zone.
    """
    zones, aliases = tuple(zones), tuple(aliases)
    addresses = _addresses(zones)
    servers: dict[str, AuthoritativeServer] = {}
    everything = Names(servers, _hints(zones, addresses))
    serving: dict[str, list[dns.zone.Zone]] = {}
    called: dict[str, str] = {}
    for zone in zones:
        for server, held in _servers(zone, addresses).items():
            for address in held:
                called.setdefault(address, server)
                serving.setdefault(address, []).append(zone)
    homes = [(alias, _home(alias, zones)) for alias in aliases]
    for address, held_zones in serving.items():
        mine = [alias for alias, home in homes if home in held_zones]
        servers[address] = AuthoritativeServer(held_zones, name=called[address], aliases=mine, lookup=everything.find)
    return everything


def _addresses(zones: Iterable[dns.zone.Zone]) -> dict[Name, tuple[str, ...]]:
    """Every host's addresses, from all zones together: authoritative data and glue alike."""
    found: dict[Name, dict[str, None]] = {}
    for zone in zones:
        for name, rdataset in zone.iterate_rdatasets(dns.rdatatype.A):
            owner = name.derelativize(zone.origin or dns.name.root)
            found.setdefault(owner, {}).update((str(rdata), None) for rdata in rdataset)
    return {name: tuple(held) for name, held in found.items()}


def _servers(zone: dns.zone.Zone, addresses: Mapping[Name, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """A zone's name servers, each with its addresses."""
    origin = zone.origin or dns.name.root
    apex = zone.get_rdataset(origin, dns.rdatatype.NS) or zone.get_rdataset(dns.name.empty, dns.rdatatype.NS) or ()
    targets = [rdata.target.derelativize(origin) for rdata in apex]
    found = {str(target): addresses[target] for target in targets if target in addresses}
    if not found:
        raise WorldError(
            f"no name server of {origin} has an address",
            field=f"{origin} NS",
            value=[str(target) for target in targets],
            expected="an A record for one of them in this zone, or as glue in the zone above",
        )
    return found


def _home(alias: Alias, zones: Iterable[dns.zone.Zone]) -> dns.zone.Zone:
    """The zone that an alias belongs to: the closest one above its name."""
    above = [zone for zone in zones if zone.origin is not None and alias.name.is_subdomain(zone.origin)]
    if not above:
        raise WorldError("an alias outside every zone", value=str(alias.name), expected="a master file of its zone")
    return max(above, key=lambda zone: len(zone.origin.labels) if zone.origin else 0)


def _hints(zones: Iterable[dns.zone.Zone], addresses: Mapping[Name, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    root = next((zone for zone in zones if zone.origin == dns.name.root), None)
    return {} if root is None else _servers(root, addresses)
