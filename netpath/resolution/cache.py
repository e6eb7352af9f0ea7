"""What a resolver remembers: RRsets by their credibility, whole answers, failures, and its servers.

Two layers, as in unbound. RRsets are shared: each remembers when it expires and how far it is to be
believed (`Trust`, RFC 2181 §5.4.1), and a less credible one never displaces a better one that is
still fresh. Messages say which RRsets made up the answer to a question, NXDOMAIN and NODATA
(RFC 2308) and SERVFAIL (RFC 9520) included. So glue can lead to a name server, but it never becomes
an answer: only messages are given to clients.

An entry is fresh while `now <= expires`: it is still answered, with TTL 0, in the very second that it
expires. Time is in whole seconds, given by the caller.

Not modelled: a size limit (nothing is ever evicted), prefetching, serving expired data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum

from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from netpath.resolution.config import ResolverConfig
from netpath.resolution.records import ADDRESS_TYPES, Key, Records, ancestors, cname, key_of, substituted


class Trust(IntEnum):
    """How far an RRset is believed, by where it came from; the higher wins (RFC 2181 §5.4.1)."""

    ADDITIONAL = 1  # glue
    AUTHORITY = 2  # a referral's NS records
    ADDITIONAL_AA = 3
    ANSWER = 5
    AUTHORITY_AA = 7
    ANSWER_AA = 8


@dataclass(frozen=True, slots=True)
class Ranked:
    """An RRset and how far it is believed."""

    records: Records
    trust: Trust


@dataclass(slots=True)
class Reply:
    """A name server's response after scrubbing, or what the cache makes of a question. TTLs count from now."""

    rcode: Rcode = Rcode.NOERROR
    answer: list[Ranked] = field(default_factory=list)
    authority: list[Ranked] = field(default_factory=list)
    additional: list[Ranked] = field(default_factory=list)
    aa: bool = False
    ra: bool = False
    tc: bool = False
    from_cache: bool = False
    lifetime: int | None = None  # seconds; what a stored message has left, or what the response said at first

    @property
    def every(self) -> list[Ranked]:
        return [*self.answer, *self.authority, *self.additional]

    def ttl(self, empty: int) -> int:
        """How long the message as a whole may be kept: its shortest TTL, or `empty` without records."""
        if self.lifetime is not None:
            return self.lifetime
        return min((each.records.ttl for each in self.every), default=empty)

    def preceded(self, aliases: list[Ranked], empty: int) -> None:
        """Put the aliases that led to this answer before it."""
        self.lifetime = min(self.ttl(empty), *(each.records.ttl for each in aliases))
        self.answer[:0] = aliases

    def first(self, rdtype: RdataType, section: Iterable[Ranked]) -> Records | None:
        return next((each.records for each in section if each.records.type == rdtype), None)


class Side(IntEnum):
    """Sets that must not displace one another although owner and type are the same."""

    CHILD = 0
    PARENT = 1  # the parent's view of a delegation, asked for when the child's own servers fail
    NEGATIVE = 2  # a SOA that came with a negative answer: its TTL is that of the negation


SetKey = tuple[Key, RdataType, Side]


def _side(records: Records, in_authority: bool) -> Side:
    return Side.NEGATIVE if in_authority and records.type == RdataType.SOA else Side.CHILD


@dataclass(frozen=True, slots=True)
class StoredSet:
    """An RRset in the cache. `version` changes when a DNAME's data does: messages made with the old one are void."""

    records: Records
    trust: Trust
    expires: int
    version: int = 0


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """Which RRsets made up an answer, by section."""

    rcode: Rcode
    expires: int
    sections: tuple[tuple[tuple[SetKey, int], ...], ...]


UNKNOWN_RTT = 376  # ms, UNKNOWN_SERVER_NICENESS
DEAD_RTT = 120_000  # USEFUL_SERVER_TOP_TIMEOUT
_PROBE_RTT = 12_000  # PROBE_MAXRTO: from here on, one query at a time tries whether the server is back
_PROBE_TIMEOUTS = 3  # TIMEOUT_COUNT_MAX
_TIMED_APART = (RdataType.A, RdataType.AAAA)  # some servers drop one type only


@dataclass(frozen=True, slots=True)
class ServerState:
    """What is known of one server address for one zone: how slow, how lame, whether it takes EDNS (infra.c).

    `rtt` in milliseconds; `timeouts`: silences in a row, by type of question; `expires` isn't put off by news.
    """

    expires: int
    rtt: int = UNKNOWN_RTT
    timeouts: Mapping[RdataType | None, int] = field(default_factory=dict)
    probe_after: int = 0
    edns: bool = True
    edns_known: bool = False
    lame: frozenset[bool] = frozenset()  # True: for A, False: for other types
    recursive: bool = False  # answers from a cache of its own instead of from the zone

    def cost(self, rdtype: RdataType, now: int) -> int:
        """The round-trip time to reckon with, in milliseconds; `DEAD_RTT`: not to be asked."""
        if now > self.expires:
            return DEAD_RTT - 1000 if self.rtt >= DEAD_RTT else UNKNOWN_RTT
        if self.rtt < _PROBE_RTT or now >= self.probe_after:
            return self.rtt
        return DEAD_RTT if self.timeouts.get(_timed(rdtype), 0) >= _PROBE_TIMEOUTS else DEAD_RTT - 1000

    def renewed(self, expires: int) -> ServerState:
        """The same when its time has run out: forgotten, except that a dead server is tried with care."""
        if self.rtt < DEAD_RTT:
            return ServerState(expires)
        return ServerState(expires, self.rtt, self.timeouts, self.probe_after)

    def asked(self, now: int) -> ServerState:
        """A query is on its way: when the server was silent for long, others wait for what comes of this one."""
        probing = now + (self.rtt + 1999) // 1000 if self.rtt >= _PROBE_RTT else self.probe_after
        return replace(self, probe_after=probing)

    def answered(self, rdtype: RdataType) -> ServerState:
        return replace(self, rtt=UNKNOWN_RTT, timeouts={**self.timeouts, _timed(rdtype): 0}, probe_after=0)

    def edns_tried(self, edns: bool, rcode: Rcode) -> ServerState:
        """What an answer with or without EDNS says: once it worked, doing without is never remembered."""
        if edns:
            return replace(self, edns_known=True)
        if self.edns_known or rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN, Rcode.YXDOMAIN):
            return self
        return replace(self, edns=False, edns_known=True)

    def silent(self, rdtype: RdataType) -> ServerState:
        kind = _timed(rdtype)
        timeouts = {**self.timeouts, kind: self.timeouts.get(kind, 0) + 1}
        return replace(self, rtt=min(self.rtt * 2, DEAD_RTT), timeouts=timeouts)


def _timed(rdtype: RdataType) -> RdataType | None:
    return rdtype if rdtype in _TIMED_APART else None


MessageKey = tuple[Key, RdataType, bool]


def message_key(key: Key, rdtype: RdataType, cd: bool = False) -> MessageKey:
    """Where the answer to a question is kept: those to AAAA with CD set apart (msgreply.c, query_info_hash)."""
    return key, rdtype, cd and rdtype == RdataType.AAAA


class Cache:
    """A resolver's memory. `copy()` is cheap: the entries are values, only the tables are copied."""

    def __init__(self) -> None:
        self.sets: dict[SetKey, StoredSet] = {}
        self.messages: dict[MessageKey, StoredMessage] = {}
        self.servers: dict[tuple[str, Key], ServerState] = {}

    def copy(self) -> Cache:
        other = Cache()
        other.sets = self.sets.copy()
        other.messages = self.messages.copy()
        other.servers = self.servers.copy()
        return other

    def expire(self, now: int) -> None:
        """Forget what has expired (lookups never see it anyway)."""
        self.sets = {key: entry for key, entry in self.sets.items() if entry.expires >= now}
        self.messages = {key: entry for key, entry in self.messages.items() if entry.expires >= now}
        self.servers = {key: entry for key, entry in self.servers.items() if entry.expires >= now}

    # RRsets ------------------------------------------------------------------------------------

    def find(self, key: Key, rdtype: RdataType, now: int, side: Side = Side.CHILD) -> Ranked | None:
        """The fresh RRset, its TTL counted down."""
        stored = self.sets.get((key, rdtype, side))
        if stored is None or stored.expires < now:
            return None
        return Ranked(stored.records.aged(stored.expires - now), stored.trust)

    def keep(self, ranked: Ranked, now: int, side: Side = Side.CHILD) -> Records | None:
        """Remember an RRset unless a better one is there; the cached one if it is the same and stays."""
        records = ranked.records
        place = (records.key, records.type, side)
        old = self.sets.get(place)
        expires = now + records.ttl
        if old is None:
            self.sets[place] = StoredSet(records, ranked.trust, expires)
            return None
        same = old.records.same_data(records)
        fresh = old.expires >= now
        if fresh and ranked.trust <= old.trust and (same or ranked.trust < old.trust):
            return old.records.aged(old.expires - now) if same else None
        if fresh and ranked.trust == old.trust and records.type == RdataType.NS:
            expires = min(expires, old.expires)  # don't stick to a zone that moves (rrset.c)
        version = old.version + (records.type == RdataType.DNAME and not same)
        self.sets[place] = StoredSet(records, ranked.trust, expires, version)
        return None

    def keep_all(self, reply: Reply, now: int) -> None:
        """Remember a reply's RRsets, where the cache has the same already for longer, take that into the reply."""
        for section in (reply.answer, reply.authority, reply.additional):
            for index, each in enumerate(section):
                cached = self.keep(each, now, _side(each.records, section is reply.authority))
                if cached is not None:
                    section[index] = Ranked(cached, each.trust)

    def closest(self, key: Key, rdtype: RdataType, now: int, unexpired_above: bool = False) -> Records | None:
        """The fresh RRset of a type at `key` or nearest above it.

        `unexpired_above`: pass over one that has an expired one above it, so that a zone whose parent has
        taken the delegation away can't keep itself alive (dns.c, find_closest_of_type).
        """
        found: Records | None = None
        for above in ancestors(key):
            stored = self.sets.get((above, rdtype, Side.CHILD))
            if stored is None:
                continue
            if stored.expires < now:
                found = None if unexpired_above else found
            elif found is None:
                found = stored.records.aged(stored.expires - now)
                if not unexpired_above:
                    return found
        return found

    # Messages ----------------------------------------------------------------------------------

    def keep_message(
        self, key: Key, rdtype: RdataType, reply: Reply, now: int, config: ResolverConfig, cd: bool = False
    ) -> None:
        """Remember the answer to a question, and its RRsets. An answer with TTL 0 isn't remembered, its RRsets are."""
        ttl = reply.ttl(config.failure_ttl)
        self.keep_all(reply, now)
        if ttl == 0:
            old = self.messages.get(message_key(key, rdtype, cd))
            if old is not None and old.rcode == Rcode.SERVFAIL:
                del self.messages[message_key(key, rdtype, cd)]
            return
        sections = tuple(
            tuple(self._reference(each.records, section is reply.authority) for each in section)
            for section in (reply.answer, reply.authority, reply.additional)
        )
        self.messages[message_key(key, rdtype, cd)] = StoredMessage(reply.rcode, now + ttl, sections)

    def _reference(self, records: Records, in_authority: bool) -> tuple[SetKey, int]:
        place = records.key, records.type, _side(records, in_authority)
        return place, self.sets[place].version

    def keep_failure(self, key: Key, rdtype: RdataType, now: int, config: ResolverConfig, cd: bool = False) -> None:
        """Remember for a short while that a question couldn't be answered, unless there is an answer."""
        place = message_key(key, rdtype, cd)
        old = self.messages.get(place)
        if old is None or old.expires < now or old.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
            self.messages[place] = StoredMessage(Rcode.SERVFAIL, now + config.failure_ttl, ((), (), ()))

    def message(self, name: Name, rdtype: RdataType, now: int, cd: bool = False) -> Reply | None:
        """The remembered answer to exactly this question, if every RRset of it is still fresh."""
        key = key_of(name)
        stored = self.messages.get(message_key(key, rdtype, cd))
        if stored is None or stored.expires < now:
            return None
        sections: list[list[Ranked]] = []
        for places in stored.sections:
            sections.append([])
            for place, version in places:
                entry = self.sets.get(place)
                if entry is None or entry.expires < now or entry.version != version:
                    return None
                sections[-1].append(Ranked(entry.records.aged(entry.expires - now), entry.trust))
        answer, authority, additional = sections
        left = stored.expires - now
        reply = Reply(stored.rcode, answer, authority, additional, ra=True, from_cache=True, lifetime=left)
        return reply if _is_chain(key, reply.answer) else None

    def reply(self, name: Name, rdtype: RdataType, now: int, config: ResolverConfig, cd: bool = False) -> Reply | None:
        """What the cache can say to a question: a whole answer, or a DNAME or CNAME to follow.

        dns.c, dns_cache_lookup: an unsigned DNAME is used only for a name whose CNAME is cached.
        """
        found = self.message(name, rdtype, now, cd)
        if found is not None:
            return found
        key = key_of(name)
        alias = self.find(key, RdataType.CNAME, now)
        if alias is not None:
            dname = self._dname_above(name, key, now)
            if dname is not None:
                return dname
            if rdtype != RdataType.DS:
                return Reply(answer=[Ranked(alias.records.at(name), alias.trust)], from_cache=True)
        if rdtype in (RdataType.DS, RdataType.DNSKEY):
            found = self._parent_record(key, rdtype, now)
        if found is None and config.nxdomain_cut:
            found = self._nxdomain_above(name, rdtype, now)
        if found is None and rdtype == RdataType.ANY:
            found = self._anything(key, now)
        return found

    def _dname_above(self, name: Name, key: Key, now: int) -> Reply | None:
        dname = self.closest(key[1:], RdataType.DNAME, now) if len(key) > 1 else None
        if dname is None:
            return None
        target = substituted(name, dname.name, dname.target)
        if target is None:
            return Reply(Rcode.YXDOMAIN, [Ranked(dname, Trust.ANSWER)], from_cache=True)
        made = cname(name, target, 0)
        return Reply(answer=[Ranked(dname, Trust.ANSWER), Ranked(made, Trust.ANSWER)], from_cache=True)

    def _parent_record(self, key: Key, rdtype: RdataType, now: int) -> Reply | None:
        found = self.find(key, rdtype, now)
        worst = {Trust.ADDITIONAL, Trust.ADDITIONAL_AA}
        if rdtype != RdataType.DS:
            worst |= {Trust.AUTHORITY, Trust.AUTHORITY_AA}
        return None if found is None or found.trust in worst else Reply(answer=[found], from_cache=True)

    def _nxdomain_above(self, name: Name, rdtype: RdataType, now: int) -> Reply | None:
        while len(name.labels) > 1:
            name = name.parent()
            found = self.message(name, rdtype, now)
            if found is not None and found.rcode == Rcode.NXDOMAIN and not found.answer:
                return found
        return None

    def _anything(self, key: Key, now: int) -> Reply | None:
        kinds = (*ADDRESS_TYPES, RdataType.MX, RdataType.SOA, RdataType.NS, RdataType.DNAME)
        found = [each for kind in kinds if (each := self.find(key, kind, now))]
        answers = [each for each in found if each.trust in (Trust.ANSWER, Trust.ANSWER_AA)]
        return Reply(answer=answers, from_cache=True, lifetime=0) if answers else None

    # Servers -----------------------------------------------------------------------------------

    def server(self, address: str, zone: Key, now: int, config: ResolverConfig) -> ServerState:
        """What is known of a server; nothing, if that was too long ago."""
        state = self.servers.get((address, zone))
        expires = now + config.server_ttl
        if state is None:
            return ServerState(expires)
        return state if now <= state.expires else state.renewed(expires)

    def cost(self, address: str, zone: Key, rdtype: RdataType, now: int) -> int | None:
        """How long the answer to a question may take, in milliseconds; None: that server isn't to be asked."""
        state = self.servers.get((address, zone))
        if state is None:
            return UNKNOWN_RTT
        cost = state.cost(rdtype, now)
        fresh = now <= state.expires
        if cost >= DEAD_RTT or (fresh and (rdtype == RdataType.A) in state.lame):
            return None
        return cost + 3 * DEAD_RTT if fresh and state.recursive else cost

    def __iter__(self) -> Iterator[StoredSet]:
        return iter(self.sets.values())


def _is_chain(key: Key, answer: list[Ranked]) -> bool:
    """Whether the RRsets still lead from the question's name to the last: a CNAME's data may have changed since."""
    if not answer or answer[0].records.type not in (RdataType.CNAME, RdataType.DNAME):
        return True
    for each in answer:
        if each.records.type == RdataType.DNAME:
            continue
        if each.records.key != key:
            return False
        if each.records.type == RdataType.CNAME:
            key = key_of(each.records.target)
    return True
