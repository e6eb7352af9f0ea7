"""A Linux host's addresses and routes: is this address mine, and if not, where does it go?

A *way* is what the kernel's routing decision comes to: local delivery, an interface and perhaps a
gateway, or a reason why not. The policy rules (`ip rule`) are asked in the order of their priority, each
names a table, and in a table the longest prefix wins, then the lowest metric. The host's own addresses are
the table `local`, which comes first.

A packet from outside is looked at twice more: addresses that can't come from a wire are *martians*
(RFC 1812 §5.3.7), and `rp_filter` asks whether the way back to its source leads where it came from
(RFC 3704).

Sources: Linux 6.18, net/ipv4/route.c, fib_frontend.c, fib_rules.c, devinet.c.

Not modelled: multipath routes, next-hop objects, VRFs, ARP (every gateway answers), multicast, MTU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from netpath.errors import InputError
from netpath.iptables.recalling import Walks
from netpath.iptables.tables import BUILT_IN, Ruleset
from netpath.packet import Address, Network, Step

RouteKind = Literal["unicast", "blackhole", "unreachable", "prohibit", "throw"]
KINDS = ("unicast", "blackhole", "unreachable", "prohibit", "throw")
RpFilter = Literal["off", "strict", "loose"]

LOOPBACK = "lo"
LOCALHOST = Address("127.0.0.1")
_LOOPBACK_NET = 127
_MULTICAST = 0xE


@dataclass(frozen=True, slots=True)
class Route:
    """A route as `ip route` prints it: to `destination` by `interface`, through `gateway` if it isn't on the link.

    `source` is the address that the host itself uses on this way (`src`).
    """

    destination: Network
    interface: str = ""
    gateway: Address | None = None
    kind: RouteKind = "unicast"
    source: Address | None = None
    metric: int = 0
    table: str = "main"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError("not a kind of route", value=self.kind, expected=f"one of {', '.join(KINDS)}")
        if (self.kind == "unicast") != bool(self.interface):
            raise InputError("a route leads out by an interface, or is a dead end", value=str(self))

    def __str__(self) -> str:
        where = "default" if self.destination.prefixlen == 0 else _bare(self.destination)
        parts: list[str] = [] if self.kind == "unicast" else [self.kind]
        parts += [where] + ([f"via {self.gateway}"] if self.gateway else [])
        parts += [f"dev {self.interface}"] if self.interface else []
        parts += [f"src {self.source}"] if self.source else []
        return " ".join(parts + ([f"metric {self.metric}"] if self.metric else []))


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """An `ip rule`: packets that fit look into `table`. A mark fits if `mark & mark_mask` is `mark`."""

    priority: int
    table: str = "main"
    source: Network | None = None
    destination: Network | None = None
    mark: int | None = None
    mark_mask: int = 0xFFFFFFFF
    input: str = ""

    def mismatch(self, destination: int, source: int, mark: int, interface: str) -> str:
        """Why the rule isn't for such a packet; empty if it is. Addresses are numbers."""
        if self.source is not None and not _within(source, self.source):
            return f"source {Address(source)} is not in {self.source}"
        if self.destination is not None and not _within(destination, self.destination):
            return f"destination {Address(destination)} is not in {self.destination}"
        if self.mark is not None and mark & self.mark_mask != self.mark:
            return f"mark {mark:#x} is not {self.mark:#x}/{self.mark_mask:#x}"
        if self.input and self.input != interface:
            return f"it came in by {interface}, not by {self.input}"
        return ""

    def __str__(self) -> str:
        parts = [f"{self.priority}: from {_bare(self.source) if self.source else 'all'}"]
        parts += [f"to {_bare(self.destination)}"] if self.destination else []
        if self.mark is not None:
            mask = "" if self.mark_mask == 0xFFFFFFFF else f"/{self.mark_mask:#x}"
            parts.append(f"fwmark {self.mark:#x}{mask}")
        parts += [f"iif {self.input}"] if self.input else []
        return " ".join([*parts, f"lookup {self.table}"])


MAIN = PolicyRule(32766, "main")


class Way(NamedTuple):
    """Where a packet goes: `kind` is `local`, `broadcast`, a kind of `Route`, or `none`; `route` is its cause."""

    kind: str
    interface: str = ""
    gateway: Address | None = None
    route: Route | None = None

    @property
    def text(self) -> str:
        return str(self.route) if self.route is not None else f"{self.kind} dev {self.interface or LOOPBACK}"


_LOCAL_WAY = Way("local", LOOPBACK)
_NO_WAY = Way("none")


@dataclass(frozen=True)
class Host:
    """A Linux machine, or a network namespace, as configured.

    `addresses`: its own, each with its interface, an interface's primary one first; `prefixes`: how long the
    prefix of an address's subnet is (32 where unsaid). 127.0.0.0/8 on `lo` is there without saying.
    `forwarding` is net.ipv4.ip_forward; the sysctls `route_localnet`, `accept_local`, `src_valid_mark` and
    `rp_filter` count for every interface.
    `station` is what a Hop calls it.
    """

    name: str
    addresses: Mapping[Address, str] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    rules: Ruleset = field(default_factory=Ruleset)
    policy: tuple[PolicyRule, ...] = ()
    forwarding: bool = False
    route_localnet: bool = False
    accept_local: bool = False
    rp_filter: RpFilter = "off"
    prefixes: Mapping[Address, int] = field(default_factory=dict)
    station: str = "host"
    src_valid_mark: bool = False

    def __post_init__(self) -> None:
        strangers = [address for address in self.prefixes if address not in self.addresses]
        if strangers:
            raise InputError("a prefix length for an address that the host doesn't have", value=str(strangers[0]))
        if self.rp_filter not in ("off", "strict", "loose"):
            raise InputError("not an rp_filter", value=self.rp_filter, expected="off, strict or loose")

    # -- addresses

    @cached_property
    def _own(self) -> dict[int, str]:
        return {int(address): interface for address, interface in self.addresses.items()}

    @cached_property
    def _broadcasts(self) -> dict[int, str]:
        """The directed broadcast address of each subnet (RFC 3021: a /31 has none)."""
        found = {}
        for address, length in self.prefixes.items():
            if length < 31:
                found[int(address) | (1 << 32 - length) - 1] = self.addresses[address]
        return found

    def is_local(self, address: Address) -> bool:
        """Whether the address is this host's own."""
        number = int(address)
        return number in self._own or number >> 24 == _LOOPBACK_NET

    def address_type(self, address: Address, interface: str | None = None) -> str:
        """LOCAL, BROADCAST, MULTICAST or UNICAST, as `-m addrtype` has it (inet_dev_addr_type)."""
        number = int(address)
        if number >> 24 == 0 or number == 0xFFFFFFFF:
            return "BROADCAST"
        if number >> 28 == _MULTICAST:
            return "MULTICAST"
        for kind, where in (("LOCAL", self._own), ("BROADCAST", self._broadcasts)):
            holder = where.get(number)
            if holder is not None:
                return kind if interface in (None, holder) else "UNICAST"
        loopback = number >> 24 == _LOOPBACK_NET and interface in (None, LOOPBACK)
        return "LOCAL" if loopback else "UNICAST"

    def address_towards(self, interface: str, next_hop: Address) -> Address | None:
        """The host's address on an interface (inet_select_addr): what MASQUERADE takes.

        Of several, the one that shares a subnet with the next hop, else the first; on an interface that has
        none (and on `lo`, whose own don't count) the host's first on any other.
        """
        own = [address for address, where in self.addresses.items() if where == interface != LOOPBACK]
        for address in own:
            shift = 32 - self.prefixes.get(address, 32)
            if int(address) >> shift == int(next_hop) >> shift:
                return address
        others = (address for address, where in self.addresses.items() if where != LOOPBACK)
        return own[0] if own else next(others, None)

    def first_address(self, interface: str) -> Address | None:
        """The interface's primary address: what REDIRECT sends to."""
        own = (address for address, where in self.addresses.items() if where == interface)
        return LOCALHOST if interface == LOOPBACK else next(own, None)

    def source_for(self, destination: Address, mark: int = 0) -> Address | None:
        """The address that the host itself speaks from to a destination; None if it can't get there."""
        way = self.way(int(destination), mark=mark)
        if way.kind == "local":
            return self._primary(destination)
        if way.kind != "unicast":
            return None
        if way.route is not None and way.route.source is not None:
            return way.route.source
        return self.address_towards(way.interface, way.gateway or destination)

    def _primary(self, own: Address) -> Address:
        """The first of the host's addresses in the same subnet: it is the `src` of the others' local routes."""
        if own not in self.addresses:
            return LOCALHOST

        def subnet(address: Address) -> tuple[str, int, int]:
            length = self.prefixes.get(address, 32)
            return self.addresses[address], length, int(address) >> (32 - length)

        return next(address for address in self.addresses if subnet(address) == subnet(own))

    # -- rules

    @cached_property
    def used_chains(self) -> frozenset[tuple[str, str]]:
        """The built-in chains that can do anything, as (table, chain): only they are walked."""
        found = set()
        for name, table in self.rules.tables.items():
            for chain in BUILT_IN.get(name, ()):
                held = table.chains.get(chain)
                if held is not None and (held.rules or held.policy == "DROP"):
                    found.add((name, chain))
        return frozenset(found)

    @cached_property
    def walks(self) -> Walks:
        """The walks through the host's rules that have been made."""
        return Walks(self.rules)

    @cached_property
    def passages(self) -> dict[Any, Any]:
        """What became of packets of known flows, by their kind: `netpath.netfilter` remembers."""
        return {}

    @cached_property
    def tracks_first(self) -> bool:
        """Whether conntrack sees what comes in before any rule does."""
        return bool(self.rules.tables) and ("raw", "PREROUTING") not in self.used_chains

    @cached_property
    def translates(self) -> bool:
        """Whether there is a nat table: then every flow is bound to its tuples, also one that no rule translates."""
        return "nat" in self.rules.tables

    # -- routes

    @cached_property
    def _tables(self) -> dict[str, list[tuple[int, dict[int, Route]]]]:
        """table -> its prefix lengths, longest first, each with its routes by prefix."""
        tables: dict[str, dict[int, dict[int, Route]]] = {}
        for route in self.routes:
            length = route.destination.prefixlen
            prefix = int(route.destination.network_address) >> (32 - length)
            held = tables.setdefault(route.table, {}).setdefault(length, {})
            if prefix not in held or route.metric < held[prefix].metric:
                held[prefix] = route
        return {name: sorted(by_length.items(), reverse=True) for name, by_length in tables.items()}

    @cached_property
    def _policy(self) -> tuple[PolicyRule, ...]:
        """All rules in order; the kernel's own rule for `main` is among them unless somebody put it elsewhere."""
        given = self.policy if MAIN in self.policy else (*self.policy, MAIN)
        return tuple(sorted(given, key=lambda rule: rule.priority))

    @cached_property
    def _known(self) -> dict[int | tuple[int, int, int, str], Way]:
        return {}

    def way(self, destination: int, source: int = 0, mark: int = 0, interface: str = LOOPBACK) -> Way:
        """The routing decision (fib_lookup) for addresses given as numbers.

        `interface` is the one that the packet came in by; to an `ip rule`, the host's own come from `lo`.
        """
        key = (destination, source, mark, interface) if self.policy else destination
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= 1 << 16:
                self._known.clear()
            known = self._known[key] = self._decide(destination, source, mark, interface)
        return known

    def _decide(self, destination: int, source: int, mark: int, interface: str) -> Way:
        if destination in self._own or destination >> 24 == _LOOPBACK_NET:
            return _LOCAL_WAY
        if destination == 0xFFFFFFFF or destination in self._broadcasts:
            return Way("broadcast", self._broadcasts.get(destination, ""))
        for rule in self._policy:
            if rule.mismatch(destination, source, mark, interface):
                continue
            route = self._longest(rule.table, destination)
            if route is not None and route.kind != "throw":
                return Way(route.kind, route.interface, route.gateway, route)
        return _NO_WAY

    def _longest(self, table: str, destination: int) -> Route | None:
        for length, routes in self._tables.get(table, ()):
            route = routes.get(destination >> (32 - length))
            if route is not None:
                return route
        return None

    def steps(self, destination: int, source: int = 0, mark: int = 0, interface: str = LOOPBACK) -> Iterator[Step]:
        """The same decision in words: every rule and route asked."""
        way = self.way(destination, source, mark, interface)
        there = Address(destination)
        if way.kind in ("local", "broadcast"):
            yield Step(f"{way.kind} {there}", True, "the address is this host's own", "route local")
            return
        for rule in self._policy:
            unfit = rule.mismatch(destination, source, mark, interface)
            yield Step(str(rule), not unfit, unfit or f"look into the table {rule.table}", "rule")
            if unfit:
                continue
            yield from self._route_steps(rule.table, destination)
            best = self._longest(rule.table, destination)
            if best is not None and best.kind != "throw":
                return

    def _route_steps(self, table: str, destination: int) -> Iterator[Step]:
        best = self._longest(table, destination)
        for route in (route for route in self.routes if route.table == table):
            if route is best:
                why = f"the longest prefix that contains {Address(destination)}"
            elif _within(destination, route.destination):
                why = f"{best} is better"
            else:
                why = f"destination {Address(destination)} is not in {route.destination}"
            yield Step(str(route), route is best, why, f"route {table}")

    # -- what may come in

    def martian(self, source: int, destination: int) -> str:
        """Why no packet with these addresses can come in, as a code; empty if it can (ip_route_input_slow)."""
        if source >> 28 == _MULTICAST or source == 0xFFFFFFFF:
            return "IP_INVALID_SOURCE"
        if destination == 0xFFFFFFFF:
            return ""
        if source >> 24 == 0:
            return "IP_INVALID_SOURCE"
        if destination >> 24 == 0 or destination >> 28 == _MULTICAST:
            return "IP_INVALID_DEST"
        if _LOOPBACK_NET in (source >> 24, destination >> 24) and not self.route_localnet:
            return "IP_LOCALNET"
        return ""

    def spoofed(self, source: int, destination: int, interface: str, mark: int = 0) -> str:
        """Why nothing with this source comes from there, as a code: it is our own, or rp_filter minds."""
        if (source in self._own or source == int(LOCALHOST)) and not self.accept_local:
            return "IP_LOCAL_SOURCE"
        if self.rp_filter == "off" and not self.policy:
            return ""
        back = self.way(source, destination, mark if self.src_valid_mark else 0)
        if back.kind == "broadcast" or (back.kind == "local" and not self.accept_local):
            return "IP_LOCAL_SOURCE"
        if self.rp_filter == "off" or (back.kind == "unicast" and back.interface == interface):
            return ""
        return "" if self.rp_filter == "loose" and back.kind == "unicast" else "IP_RPFILTER"


def _bare(network: Network) -> str:
    """A network as iproute2 prints it: a single address without its /32."""
    return str(network.network_address) if network.prefixlen == 32 else str(network)


def _within(number: int, network: Network) -> bool:
    return number >> (32 - network.prefixlen) == int(network.network_address) >> (32 - network.prefixlen)
