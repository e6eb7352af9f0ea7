"""The world's name servers as nsd, the provider's resolver as unbound.

A zone's NS records say who serves it, and the addresses of those servers are in the zones too. Each server's address
is a host on the Internet with an nsd that has the zones which name it, out of the world's own master files. A Route 53
alias isn't in any master file: it is written as what it answers, the target's addresses for a minute.

unbound begins with nothing but the root servers' addresses. It is told to ask whole names and to fetch nothing
ahead, so that each query that is seen on the wire has its reason.

Not modelled: TCP, DNSSEC, servers that disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dns.name
import dns.rdatatype
import dns.rdtypes.IN.A
import dns.rrset
import dns.zone

from lab.network import Host, Plan, end_host
from netpath.resolution import Alias

ALIAS_TTL = 60
RESOLVER = "resolver"


@dataclass
class NameServer:
    """A name server: its name, its address, its zones."""

    name: str
    address: str
    zones: list[dns.zone.Zone] = field(default_factory=list)

    @property
    def serves_root(self) -> bool:
        return any(_origin(zone) == dns.name.root for zone in self.zones)


def name_servers(zones: Iterable[dns.zone.Zone]) -> dict[str, NameServer]:
    """Who serves the zones, by address; in the order of the zones."""
    zones = list(zones)
    addresses: dict[dns.name.Name, list[str]] = {}
    for zone in zones:
        for name, _, rdata in zone.iterate_rdatas(dns.rdatatype.A):
            addresses.setdefault(name.derelativize(_origin(zone)), []).append(str(rdata))
    found: dict[str, NameServer] = {}
    for zone in zones:
        for target in _apex(zone):
            for address in dict.fromkeys(addresses.get(target, ())):
                server = found.setdefault(address, NameServer(str(target).rstrip("."), address))
                server.zones.append(zone)
    return found


def _origin(zone: dns.zone.Zone) -> dns.name.Name:
    return zone.origin or dns.name.root


def _apex(zone: dns.zone.Zone) -> list[dns.name.Name]:
    """The names of a zone's servers."""
    at_apex = (name for name in zone if name.derelativize(_origin(zone)) == _origin(zone))
    records = (zone.get_rdataset(name, dns.rdatatype.NS) for name in at_apex)
    return [rdata.target.derelativize(_origin(zone)) for found in records if found for rdata in found]


def add_names(plan: Plan, zones: Iterable[dns.zone.Zone], resolver: str, internet: Host) -> dict[str, NameServer]:
    """Plan the name servers and the resolver as hosts on the Internet; the servers by place."""
    servers = {}
    for server in name_servers(zones).values():
        taken = server.name in plan.hosts
        host = plan.add(
            end_host(f"{server.name} {server.address}" if taken else server.name, "name server", server.address)
        )
        connect(plan, host, internet)
        servers[host.place] = server
    connect(plan, plan.add(end_host(RESOLVER, "resolver", resolver)), internet)
    return servers


def connect(plan: Plan, host: Host, internet: Host) -> None:
    """Plug a host with one address into the Internet."""
    device = f"l{len(plan.links)}"
    plan.link(host, "eth0", internet, device)
    internet.commands += [f"route add {address}/32 dev {device}" for address in host.addresses]


# Zones ---------------------------------------------------------------------------------------


def zone_text(zone: dns.zone.Zone, zones: Iterable[dns.zone.Zone], aliases: Iterable[Alias]) -> str:
    """A zone as a master file, with what its aliases answer."""
    zones = list(zones)
    text = zone.to_text(relativize=False, want_origin=True)
    lines = [line for alias in aliases if _home(alias, zones) is zone for line in _answers(alias, zones)]
    return f"{text}\n" + "\n".join(lines) + "\n"


def _home(alias: Alias, zones: Iterable[dns.zone.Zone]) -> dns.zone.Zone | None:
    above = [zone for zone in zones if alias.name.is_subdomain(_origin(zone))]
    return max(above, key=lambda zone: len(_origin(zone).labels), default=None)


def _answers(alias: Alias, zones: Iterable[dns.zone.Zone]) -> Iterator[str]:
    """The target's addresses, out of the zone that is closest to it."""
    for zone in sorted(zones, key=lambda each: -len(_origin(each).labels)):
        if alias.target.is_subdomain(_origin(zone)):
            name = (
                alias.target if zone.origin is None or alias.target in zone else alias.target.relativize(_origin(zone))
            )
            found = zone.get_rdataset(name, dns.rdatatype.A)
            if found is not None:
                ttl = ALIAS_TTL if alias.ttl is None else alias.ttl
                yield from (f"{alias.name} {ttl} IN A {rdata}" for rdata in found)
                return


# Configuration -------------------------------------------------------------------------------


def nsd_files(server: NameServer, texts: Mapping[dns.name.Name, str], folder: Path) -> Path:
    """Write what an nsd needs into a folder; its configuration file."""
    folder.mkdir(parents=True)
    blocks = []
    for number, zone in enumerate(server.zones):
        (folder / f"{number}.zone").write_text(texts[_origin(zone)])
        blocks.append(f'zone:\n  name: "{_origin(zone)}"\n  zonefile: "{number}.zone"\n')
    configuration = folder / "nsd.conf"
    configuration.write_text(_NSD.format(address=server.address, folder=folder) + "".join(blocks))
    return configuration


_NSD = """server:
  ip-address: {address}
  username: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  xfrdir: "{folder}"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  logfile: "{folder}/log"
  server-count: 1
  rrl-ratelimit: 0
  hide-version: yes
remote-control:
  control-enable: no
"""


def unbound_files(resolver: str, roots: Mapping[str, str], folder: Path) -> Path:
    """Write what unbound needs into a folder: `roots` are the root servers' addresses by name."""
    folder.mkdir(parents=True)
    hints = [f". 518400 IN NS {name}.\n{name}. 518400 IN A {address}\n" for name, address in roots.items()]
    (folder / "hints").write_text("".join(hints))
    configuration = folder / "unbound.conf"
    configuration.write_text(_UNBOUND.format(address=resolver, folder=folder))
    return configuration


_UNBOUND = """server:
  interface: {address}
  access-control: 0.0.0.0/0 allow
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/unbound.pid"
  use-syslog: no
  logfile: "{folder}/log"
  num-threads: 1
  do-ip6: no
  root-hints: "{folder}/hints"
  module-config: "iterator"
  target-fetch-policy: "0 0 0 0 0"
  qname-minimisation: no
  prefetch: no
  rrset-roundrobin: no
remote-control:
  control-enable: yes
  control-use-cert: no
  control-interface: "{folder}/control"
"""
