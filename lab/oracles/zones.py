"""A random piece of the DNS: zones, who serves them, and the records in them.

A root, two top-level domains, a few zones below, sometimes one below those. Name servers' names lie in the zone,
beside it, or in a zone that is found by way of another; glue is mostly there, with a TTL of its own, and mostly
agrees with the child. Records have few names, so that CNAMEs, DNAMEs, wildcards and empty names meet, and loops occur.

Not modelled: DNSSEC, IPv6, servers that answer nonsense (tests/test_resolution_scrub.py has those).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

TTLS = (0, 5, 30, 300, 300, 3600, 172800)
TOP = (".", "com.", "net.")
NETWORK = "127.77.0"

#: What names have for addresses. A wildcard may make a name server of one: it serves no zone, and says so.
PODS = tuple(f"{NETWORK}.{number}" for number in range(34, 40))

_OWN = ("a.com.", "b.com.", "c.net.", "d.net.")
_LABELS = ("w", "x", "*", "y")
_TYPES = ("A", "A", "A", "CNAME", "CNAME", "CNAME", "TXT", "MX", "DNAME", "AAAA")


@dataclass(frozen=True, slots=True)
class Zones:
    """The records of each zone as lines of a master file, and which zones each address serves."""

    records: dict[str, tuple[str, ...]]
    served: dict[str, tuple[str, ...]]
    root: tuple[str, str]  # a root server's name and address
    hosts: tuple[str, ...]
    minimal: frozenset[str]  # the addresses whose servers leave out what nobody asked for

    @property
    def own(self) -> tuple[str, ...]:
        """The zones below the top."""
        return tuple(zone for zone in self.records if zone not in TOP)

    def text(self, zone: str) -> str:
        return "\n".join(dict.fromkeys(self.records[zone])) + "\n"


class _Draft:
    """Zones while they are being drawn."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.zones = [*TOP, *dice.sample(_OWN, dice.randint(2, 4))]
        below = next((zone for zone in self.zones if zone not in TOP), "")
        if dice.random() < 0.5:
            self.zones.append(f"s.{below}")
            if dice.random() < 0.4:
                self.zones.append(f"t.s.{below}")
        self.own = self.zones[len(TOP) :]
        self.records: dict[str, list[str]] = {zone: [] for zone in self.zones}
        self.addresses: dict[str, str] = {}
        self.ttls: dict[tuple[str, str], int] = {}
        self.servers = {zone: self._servers(zone) for zone in self.zones}

    def _servers(self, zone: str) -> list[str]:
        """The names of a zone's servers; the top-level domains share one machine."""
        if zone in TOP:
            names = ["ns0.x." if zone == "." else "ns0.x.com."]
        else:
            names = [self._server_name(zone, number) for number in range(self.dice.choice((1, 1, 2)))]
        for name in names:
            self.addresses.setdefault(name, f"{NETWORK}.{len(self.addresses) + 2}")
        return list(dict.fromkeys(names))

    def _server_name(self, zone: str, number: int) -> str:
        beside = f"ns{number}.o.{self.dice.choice(self.own)}"
        shared = f"ns.h{self.dice.randint(0, 1)}.{self.dice.choice((*TOP[1:], *self.own))}"
        return self.dice.choice((f"ns{number}.{zone}", f"ns{number}.{zone}", beside, shared))

    def home(self, name: str) -> str:
        """The zone that a name lies in."""
        return max((zone for zone in self.zones if _is_in(name, zone)), key=len)

    def parent(self, zone: str) -> str:
        return max((each for each in self.zones if each != zone and _is_in(zone, each)), key=len)

    # -- records

    def add(self, zone: str, line: str) -> None:
        self.records[zone].append(line)

    def delegate(self) -> None:
        """SOA and NS records, and the same in the parents; now and then there is a server that doesn't exist."""
        for zone, names in self.servers.items():
            mine = "m." if zone == "." else f"m.{zone}"
            self.add(zone, f"{zone} {self.dice.choice(TTLS[1:])} IN SOA {mine} r. 1 2 3 4 {self.negative()}")
            places = [zone] if zone == "." else [zone, self.parent(zone)]
            for place in places:
                ttl = self.dice.choice(TTLS[2:])
                absent = [f"nx{self.dice.randint(0, 3)}.{self.dice.choice(self.own)}"]
                for name in names + (absent if zone not in TOP and self.dice.random() < 0.12 else []):
                    self.add(place, f"{zone} {ttl} IN NS {name}")

    def negative(self) -> int:
        return self.dice.choice((0, 5, 30, 300, 7200))

    def introduce(self) -> None:
        """Addresses of name servers: at home, and as glue wherever a delegation needs it."""
        for name, address in self.addresses.items():
            home = self.home(name)
            self.add(home, f"{name} {self.dice.choice(TTLS[2:])} IN A {address}")
            above = {self.parent(zone) for zone in self.zones if zone != "." and name in self.servers[zone]}
            for zone in sorted(above - {home}):
                if _is_in(name, zone) and self.dice.random() < 0.93:
                    self.add(zone, f"{name} {self.dice.choice(TTLS[2:])} IN A {address}")

    def furnish(self) -> None:
        """What people ask for."""
        for zone in self.own:
            held: dict[str, set[str]] = {}
            for _ in range(self.dice.randint(3, 10)):
                labels = [self.dice.choice(_LABELS) for _ in range(self.dice.choice((1, 1, 2)))]
                name = zone if self.dice.random() < 0.1 else f"{'.'.join(labels)}.{zone}"
                kind = self.dice.choice(_TYPES)
                if self.home(name) == zone and name not in self.addresses and _may_stand(held, name, kind, zone):
                    held.setdefault(name, set()).add(kind)
                    for line in self.lines(name, kind):
                        self.add(zone, line)

    def lines(self, name: str, kind: str) -> Iterator[str]:
        ttl = self.ttls.setdefault((name, kind), self.dice.choice(TTLS[:-1]))  # one for all of a set (RFC 2181 §5.2)
        pods = self.dice.sample(PODS, 2 if kind == "A" and self.dice.random() < 0.3 else 1)
        values = {"TXT": self.text(), "AAAA": "fd00::1", "MX": f"10 {self.target()}"}
        for pod in pods:
            value = pod if kind == "A" else values.get(kind) or self.target()
            yield f"{name} {ttl} IN {kind} {value}"

    def text(self) -> str:
        """A TXT record's strings; some are more than fits into a datagram."""
        return " ".join([f'"{"t" * 250}"'] * self.dice.choice((2, 5, 8))) if self.dice.random() < 0.4 else '"t"'

    def target(self) -> str:
        zone = self.dice.choice(self.own)
        return zone if self.dice.random() < 0.1 else f"{self.dice.choice(('w', 'x', 'y', 'w.x', 'd.x'))}.{zone}"


def _is_in(name: str, zone: str) -> bool:
    return zone == "." or name == zone or name.endswith(f".{zone}")


def _may_stand(held: dict[str, set[str]], name: str, kind: str, zone: str) -> bool:
    """Whether a record may be there beside the others (RFC 1034 §3.6.2, RFC 6672 §2.4)."""
    here = held.get(name, set())
    if "CNAME" in here or (kind == "CNAME" and (here or name == zone)):
        return False
    if any("DNAME" in kinds and name.endswith(f".{owner}") for owner, kinds in held.items()):
        return False
    if kind != "DNAME":
        return True
    occupied = any(owner.endswith(f".{name}") for owner in held)
    return not (occupied or "DNAME" in here or name == zone or name.startswith("*"))


def drawn_zones(dice: Random) -> Zones:
    draft = _Draft(dice)
    draft.delegate()
    draft.introduce()
    draft.furnish()
    served: dict[str, tuple[str, ...]] = {}
    for zone, names in draft.servers.items():
        for name in names:
            address = draft.addresses[name]
            served[address] = (*served.get(address, ()), zone)
    root = draft.servers["."][0]
    return Zones(
        {zone: tuple(lines) for zone, lines in draft.records.items()},
        served,
        (root, draft.addresses[root]),
        tuple(draft.addresses),
        frozenset(address for address in served if dice.random() < 0.4),
    )
