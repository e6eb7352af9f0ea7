"""Where to ask next: a zone's name servers, as far as their addresses are known, and the choice among them.

unbound's delegation point (iterator/iter_delegpt.c). Name servers come from a referral or from the
cache; some with addresses, some whose names must be looked up first. Those that only the parent's side
of the cut knows are kept for the last (`parent_side`).

The choice is unbound's: every server within 400 ms of the best has the same chance, one that hasn't
been asked yet counts 376 ms, and each silence doubles.

Not modelled: measured round-trip times (who answered counts as quick).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dns.name import Name
from dns.rdatatype import RdataType

from netpath.choice import Choose
from netpath.resolution.cache import DEAD_RTT, Cache, Reply, message_key
from netpath.resolution.config import ResolverConfig
from netpath.resolution.records import ADDRESS_TYPES, Key, Records, is_below, key_of

_BAND = 400  # ms, RTT_BAND
_MAX_LOOKUPS = 3  # ITERATOR_NAME_CACHELOOKUP_MAX: how often a server is looked for in the cache
MAX_GLUE_LOOKUPS = 5  # ITERATOR_NAME_CACHELOOKUP_MAX_PSIDE


@dataclass(slots=True)
class NameServer:
    """A name server by name: which kinds of its addresses are known, or known not to be."""

    name: Name
    parent_side: bool = False
    settled: set[RdataType] = field(default_factory=set)
    failed: set[RdataType] = field(default_factory=set)
    asked: bool = False
    parent_asked: set[RdataType] = field(default_factory=set)  # kinds of its glue known, or asked for
    looked_up: int = 0

    def fail(self, kind: RdataType) -> None:
        """It is known now not to have such an address."""
        self.settled.add(kind)
        self.failed.add(kind)


@dataclass(slots=True)
class Target:
    """An address to ask at."""

    address: str
    name: Name
    parent_side: bool = False
    attempts: int = 0


@dataclass(slots=True)
class Choice:
    """The target picked, and whether it must be asked to recurse (it answers from a cache only)."""

    target: Target
    recursive: bool


class Delegation:
    """The servers of one zone, as one question's resolution knows them."""

    def __init__(self, name: Name, kinds: tuple[RdataType, ...], parent_known: bool = False) -> None:
        self.name = name
        self.key = key_of(name)
        self.kinds = kinds
        self.parent_known = parent_known  # the NS records are the parent's
        self.servers: dict[Key, NameServer] = {}
        self.targets: dict[str, Target] = {}
        self.ttl = 0

    @property
    def in_order(self) -> list[NameServer]:
        """The servers as unbound goes through them: the one added last comes first."""
        return [*self.servers.values()][::-1]

    def add_servers(self, records: Records, parent_side: bool = False) -> None:
        for host in records.hosts:
            self.add_server(host, parent_side)

    def add_server(self, host: Name, parent_side: bool = False) -> None:
        self.servers.setdefault(key_of(host), NameServer(host, parent_side))

    def add_addresses(self, records: Records, parent_side: bool = False) -> bool:
        """Take in a server's addresses; whether any of them is new."""
        server = self.servers.get(records.key)
        if server is None:
            return False
        (server.parent_asked if parent_side else server.settled).add(records.type)
        if records.type not in self.kinds:
            return False
        before = len(self.targets)
        for datum in records.data:
            self._add_target(str(datum), server.name, parent_side)
        return len(self.targets) > before

    def _add_target(self, address: str, name: Name, parent_side: bool) -> None:
        known = self.targets.setdefault(address, Target(address, name, parent_side))
        known.parent_side = known.parent_side and parent_side

    def copy(self) -> Delegation:
        made = Delegation(self.name, self.kinds, self.parent_known)
        made.add_hints(self)
        return made

    def add_hints(self, hints: Delegation) -> None:
        """Take in servers and addresses that the operator gave."""
        for server in hints.in_order:
            self.add_server(server.name)
            self.servers[key_of(server.name)].settled |= server.settled
        for target in hints.targets.values():
            self.targets.setdefault(target.address, Target(target.address, target.name))

    def fill(self, cache: Cache, now: int, config: ResolverConfig) -> None:
        """Take in what the cache knows of the servers' addresses, good and bad."""
        for key, server in self.servers.items():
            if server.looked_up > _MAX_LOOKUPS:
                continue
            server.looked_up += 1
            for kind in ADDRESS_TYPES:
                found = cache.find(key, kind, now)
                if found is not None:
                    self.add_addresses(found.records, server.parent_side)
                    continue
                known = cache.messages.get(message_key(key, kind))
                if known is not None and known.expires >= now and (known.rcode or not known.sections[0]):
                    server.fail(kind)

    def is_missing(self, server: NameServer) -> bool:
        """Whether the server's name could still be looked up."""
        return not server.asked and not server.settled.issuperset(self.kinds)

    @property
    def missing(self) -> list[NameServer]:
        return [server for server in self.servers.values() if self.is_missing(server)]

    def usable(self, attempts: int) -> list[Target]:
        """The addresses that haven't been asked too often yet."""
        return [target for target in self.targets.values() if target.attempts < attempts]

    def is_useless(self, name: Name, rdtype: RdataType) -> bool:
        """Whether these servers can't lead anywhere: no address, and finding one would need them first."""
        if self.targets:
            return False
        key = key_of(name)
        if rdtype in self.kinds and is_below(key, self.key) and key in self.servers:
            return True
        # here a server counts as known only when both kinds of address are settled, used or not
        unknown = (server for server in self.servers.values() if not server.settled.issuperset(ADDRESS_TYPES))
        return all(is_below(key_of(server.name), self.key) for server in unknown)

    def settle_all(self) -> None:
        """Give up looking for addresses."""
        for server in self.servers.values():
            server.asked = True

    def pick(self, rdtype: RdataType, cache: Cache, now: int, config: ResolverConfig, choose: Choose) -> Choice | None:
        """The address to ask next, or None if there is none, or only bad ones while better may be found."""
        costs = [
            (target, cost)
            for target in self.usable(config.attempts)
            if (cost := self._cost(target, rdtype, cache, now)) is not None
        ]
        best = min((cost for _, cost in costs), default=0)
        better_may_come = any(not server.parent_side for server in self.missing)
        if not costs or (best >= DEAD_RTT and better_may_come):
            return None
        near = [target for target, cost in costs if cost - best <= _BAND]
        index = choose(f"which server of {self.name}?", [1] * len(near)) if len(near) > 1 else 0
        near[index].attempts += 1
        return Choice(near[index], recursive=best > DEAD_RTT * 3)

    def _cost(self, target: Target, rdtype: RdataType, cache: Cache, now: int) -> int | None:
        cost = cache.cost(target.address, self.key, rdtype, now)
        if cost is None or cost >= DEAD_RTT * 3 or not target.parent_side:
            return cost
        return cost + DEAD_RTT + 1


def kinds_of(config: ResolverConfig) -> tuple[RdataType, ...]:
    """Which kinds of address a resolver can send to; IPv6 is asked first, as unbound does."""
    return (RdataType.AAAA, RdataType.A) if config.ipv6 else (RdataType.A,)


def from_cache(
    key: Key, cache: Cache, now: int, config: ResolverConfig, unexpired_above: bool = True
) -> Delegation | None:
    """The closest zone at or above `key` whose servers the cache knows."""
    servers = cache.closest(key, RdataType.NS, now, unexpired_above)
    if servers is None:
        return None
    made = Delegation(servers.name, kinds_of(config))
    made.add_servers(servers)
    made.ttl = servers.ttl
    made.fill(cache, now, config)
    for server in made.servers.values():
        server.looked_up = 0
    return made


def known_delegation(key: Key, cache: Cache, now: int, config: ResolverConfig) -> Reply | None:
    """The closest delegation that the cache knows, as a referral."""
    delegation = from_cache(key, cache, now, config, unexpired_above=False)
    servers = cache.find(delegation.key, RdataType.NS, now) if delegation is not None else None
    if delegation is None or servers is None:
        return None
    found = (cache.find(server, kind, now) for server in delegation.servers for kind in ADDRESS_TYPES)
    return Reply(authority=[servers], additional=[each for each in found if each is not None], from_cache=True)


def servers_in(reply: Reply) -> Records | None:
    """The NS records of a response: those in the authority section, else those in the answer."""
    return reply.first(RdataType.NS, reply.authority) or reply.first(RdataType.NS, reply.answer)


def from_reply(reply: Reply, config: ResolverConfig) -> Delegation | None:
    """The delegation that a response makes, if it names servers."""
    servers = servers_in(reply)
    if servers is None:
        return None
    made = Delegation(servers.name, kinds_of(config), parent_known=True)
    made.add_servers(servers)
    made.ttl = servers.ttl
    for each in (*reply.answer, *reply.additional):
        if each.records.type in ADDRESS_TYPES:
            made.add_addresses(each.records)
    return made
