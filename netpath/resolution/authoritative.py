"""An authoritative name server: the algorithm of RFC 1034 §4.3.2, over zones held as values.

`AuthoritativeServer.respond(query)` is what a conformant server (nsd, BIND, Knot) would send back; the
same with the records that it consulted is `answer(query)`, whose Hop tells why. The road through a
zone has four exits: out through a zone cut (a referral, with glue: RFC 9471), data, nothing of that
type (NODATA), and no such name (NXDOMAIN), the last two with the SOA that says how long to remember
it (RFC 2308). CNAMEs and DNAMEs (RFC 6672) start the search again with another name, in whichever of
the server's zones that is. Wildcards: RFC 4592.

Where conformant servers differ, this one does as nsd does: a positive answer carries the zone's NS
records in its authority section (`minimal=True` leaves them out, as Knot does).

Not modelled: DNSSEC, zone transfer, dynamic update, NOTIFY, TSIG, cookies, response rate limiting,
views.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rrset
import dns.zone
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from netpath.choice import Choose
from netpath.errors import InputError
from netpath.packet import Hop, LazySteps, Step, Verdict
from netpath.resolution.message import finished, reply_to
from netpath.resolution.records import ADDRESS_TYPES, Key, Records, ancestors, cname, is_below, key_of, substituted
from netpath.resolution.zones import Alias, Lookup, Node, ZoneIndex

EDNS_SIZE = 1232  # octets of UDP payload; DNS flag day 2020, nsd's default
LONGEST_CHAIN = 255  # CNAMEs followed inside one server; a loop ends earlier, at the first repetition

_TRANSFERS = frozenset({RdataType.AXFR, RdataType.IXFR})
_WILDCARD = b"*"


@dataclass(frozen=True, slots=True)
class Answered:
    """A response, and the decision on record."""

    response: dns.message.Message
    hop: Hop


@dataclass(slots=True)
class _Draft:
    """The response while it is being put together, and what was consulted on the way."""

    rcode: Rcode = Rcode.NOERROR
    authoritative: bool = True
    verdict: str = "NOERROR"
    answer: list[Records] = field(default_factory=list)
    authority: list[Records] = field(default_factory=list)
    additional: list[Records] = field(default_factory=list)
    glue: list[Records] = field(default_factory=list)
    cause: object = ""
    consulted: list[tuple[object, bool, str, str]] = field(default_factory=list)

    def note(self, rule: object, matched: bool, why: str, at: str) -> None:
        self.consulted.append((rule, matched, why, at))

    def has(self, records: Records) -> bool:
        return any(each.type == records.type and each.name == records.name for each in self.answer)

    def steps(self) -> LazySteps:
        consulted = tuple(self.consulted)
        return LazySteps(lambda: [Step(str(rule), matched, why, at) for rule, matched, why, at in consulted])


class AuthoritativeServer:
    """A name server with its zones (class IN), its Route 53 aliases, and its name.

    `lookup(name, type)` finds an alias's target where it isn't in these zones. Raises `WorldError` for a
    zone without SOA, `InputError` for an alias outside every zone or two zones of one name.
    """

    def __init__(
        self,
        zones: Iterable[dns.zone.Zone],
        *,
        name: str = "",
        aliases: Iterable[Alias] = (),
        lookup: Lookup | None = None,
        minimal: bool = False,
    ) -> None:
        given = list(zones)
        mine: dict[Key, list[Alias]] = {key_of(zone.origin): [] for zone in given if zone.origin is not None}
        if len(mine) != len(given):
            raise InputError("two zones with one name", value=[str(zone.origin) for zone in given])
        for alias in aliases:
            home = next((key for key in ancestors(key_of(alias.name)) if key in mine), None)
            if home is None:
                raise InputError("an alias outside the server's zones", value=str(alias.name))
            mine[home].append(alias)
        self.zones = {key: ZoneIndex(zone, mine[key]) for key, zone in zip(mine, given, strict=True)}
        self.name = name
        self.minimal = minimal
        self._lookup = lookup

    def respond(
        self, query: dns.message.Message, tcp: bool = False, *, turn: int = 0, choose: Choose | None = None
    ) -> dns.message.Message:
        """The response to a query; over UDP, cut to what the client said it can take (512 octets without EDNS).

        Several addresses under one name come in the zone's order; `turn` begins with another one (round
        robin), `choose("which address of NAME comes first?", weights)` with a random one.
        """
        return self.answer(query, tcp, turn=turn, choose=choose).response

    def answer(
        self, query: dns.message.Message, tcp: bool = False, *, turn: int = 0, choose: Choose | None = None
    ) -> Answered:
        """The same with a Hop: the zones, cuts, wildcards and records consulted, and why each did or didn't match."""
        draft = self._refusal(query)
        if draft is None:
            draft = _Draft()
            _Search(self, draft, query.question[0]).run()
            draft.answer = [_rotated(records, turn, choose) for records in draft.answer]
        response = _as_message(query, draft, tcp)
        verdict = "TRUNCATED" if response.flags & dns.flags.TC else draft.verdict
        hop = Hop("name server", self.name, None, Verdict(verdict, str(draft.cause)), steps=draft.steps())
        return Answered(response, hop)

    def zone_of(self, key: Key) -> ZoneIndex | None:
        """The zone with the longest name that `key` is in."""
        return next((self.zones[each] for each in ancestors(key) if each in self.zones), None)

    def find(self, zone: ZoneIndex, node: Node, rdtype: RdataType) -> Records | None:
        """A node's records of a type, an alias's looked up."""
        if node.alias is not None and rdtype in ADDRESS_TYPES:
            return node.alias.records(rdtype, self._resolve_alias)
        return node.sets.get(rdtype)

    def _resolve_alias(self, target: Name, rdtype: RdataType) -> Records | None:
        key = key_of(target)
        zone = self.zone_of(key)
        node = zone.nodes.get(key) if zone else None
        if node is not None:
            return node.sets.get(rdtype)
        return self._lookup(target, rdtype) if self._lookup else None

    def _refusal(self, query: dns.message.Message) -> _Draft | None:
        """How a query is turned away that isn't one for this server (RFC 1035 §4.1.1, RFC 6891 §6.1.3)."""
        if query.opcode() != dns.opcode.QUERY:
            return _refused(Rcode.NOTIMP, f"opcode {dns.opcode.to_text(query.opcode())}")
        if len(query.question) != 1 or query.answer or query.authority or query.flags & dns.flags.QR:
            return _refused(Rcode.FORMERR, f"{len(query.question)} questions")
        if query.edns > 0:
            return _refused(Rcode.BADVERS, f"EDNS version {query.edns}")
        question = query.question[0]
        if question.rdclass not in (dns.rdataclass.IN, dns.rdataclass.ANY) or question.rdtype in _TRANSFERS:
            return _refused(Rcode.REFUSED, str(question))
        if self.zone_of(key_of(question.name)) is None:
            draft = _refused(Rcode.REFUSED, f"no zone contains {question.name}")
            for zone in self.zones.values():
                draft.note(zone.negative, False, f"{question.name} is not in {zone.origin}", str(zone.origin))
            return draft
        return None


def _refused(rcode: Rcode, why: str) -> _Draft:
    draft = _Draft(rcode, authoritative=False, verdict=rcode.name, cause=why)
    draft.note(why, True, why, "query")
    return draft


def _rotated(records: Records, turn: int, choose: Choose | None) -> Records:
    if records.type not in ADDRESS_TYPES or len(records.data) < 2:
        return records
    if choose is not None:
        turn = choose(f"which address of {records.name} comes first?", [1] * len(records.data))
    return records.rotated(turn)


class _Search:
    """One search through the server's zones: RFC 1034 §4.3.2 with CNAMEs and DNAMEs starting it anew."""

    def __init__(self, server: AuthoritativeServer, draft: _Draft, question: dns.rrset.RRset) -> None:
        self.server = server
        self.draft = draft
        self.name = question.name
        self.rdtype = RdataType.make(question.rdtype)
        self.any_class = question.rdclass == dns.rdataclass.ANY
        self.restarts = 0

    def run(self) -> None:
        while self._look_up() and self.restarts < LONGEST_CHAIN:
            self.restarts += 1

    def _look_up(self) -> bool:
        """One pass; whether another must follow, for the name that `self.name` is now."""
        key = key_of(self.name)
        zone = self._choose_zone(key)
        if zone is None:  # a CNAME led out of all the server's zones: RFC 1034 §4.3.2, 3a
            return False
        at = str(zone.origin)
        cut = None if self.rdtype == RdataType.DS and key == zone.apex else zone.cut(key)
        if cut is not None and cut[0] == RdataType.DNAME:
            return self._follow_dname(cut[1], at)
        if cut is not None and not (self.rdtype == RdataType.DS and key == cut[1].key):
            return self._refer(zone, cut[1], at)
        node = zone.nodes.get(key)
        if node is None:
            node = self._wildcard(zone, key, at)
        if node is None:
            self.draft.rcode = Rcode.NXDOMAIN
            return self._negative(zone, "NXDOMAIN", f"no name {self.name} in {at}, and no wildcard covers it", at)
        return self._at_node(zone, node, at)

    def _choose_zone(self, key: Key) -> ZoneIndex | None:
        zone = self.server.zone_of(key)
        if zone is not None and self.rdtype == RdataType.DS and key == zone.apex and len(key) > 1:
            return self.server.zone_of(key[1:]) or zone  # DS is the parent's (RFC 4035 §3.1.4.1)
        return zone

    def _wildcard(self, zone: ZoneIndex, key: Key, at: str) -> Node | None:
        encloser = zone.closest_encloser(key)
        node = zone.nodes.get((_WILDCARD, *encloser))
        if node is None:
            why = f"the closest name that exists is {zone.nodes[encloser].name}, and it has no wildcard"
            self.draft.note(f"*.{zone.nodes[encloser].name}", False, why, at)
            return None
        self.draft.note(node.name, True, f"the wildcard of {self.name}'s closest existing name", at)
        return Node(self.name, {kind: each.at(self.name) for kind, each in node.sets.items()}, node.alias)

    def _at_node(self, zone: ZoneIndex, node: Node, at: str) -> bool:
        found = self._data(zone, node)
        if found:
            return self._positive(zone, node, [records.at(self.name) for records in found], at)
        alias = node.sets.get(RdataType.CNAME)
        if alias is not None:
            return self._follow_cname(alias.at(self.name), at)
        for records in node.sets.values():
            self.draft.note(records, False, f"not of type {self.rdtype.name}", at)
        return self._negative(zone, "NODATA", f"{self.name} exists, but has no {self.rdtype.name} record", at)

    def _data(self, zone: ZoneIndex, node: Node) -> list[Records]:
        if self.rdtype != RdataType.ANY:
            found = self.server.find(zone, node, self.rdtype)
            return [found] if found else []
        types = dict.fromkeys((*node.sets, *(ADDRESS_TYPES if node.alias else ())))
        return [found for kind in types if (found := self.server.find(zone, node, kind))]

    def _positive(self, zone: ZoneIndex, node: Node, found: Sequence[Records], at: str) -> bool:
        draft = self.draft
        draft.answer.extend(found)
        draft.cause = found[0]
        for records in found:
            rule = node.alias if node.alias and records.type not in node.sets else records
            draft.note(rule, True, f"the records of {self.name}", at)
            self._add_addresses(zone, records)
        wanted = not (self.server.minimal or self.any_class)
        if zone.servers is not None and wanted and not draft.has(zone.servers):
            draft.authority.append(zone.servers)
            self._add_addresses(zone, zone.servers)
        return False

    def _negative(self, zone: ZoneIndex, code: str, why: str, at: str) -> bool:
        self.draft.verdict = code
        self.draft.cause = zone.negative
        self.draft.authority.append(zone.negative)
        self.draft.note(zone.negative, True, f"{why}: remember it for {zone.negative.ttl} s", at)
        return False

    def _follow_cname(self, alias: Records, at: str) -> bool:
        self.draft.cause = alias
        if self.draft.has(alias):
            self.draft.note(alias, True, "a loop: it is in the answer already", at)
            return False
        self.draft.answer.append(alias)
        self.draft.note(alias, True, f"{self.name} is another name of {alias.target}", at)
        self.name = alias.target
        return True

    def _follow_dname(self, dname: Records, at: str) -> bool:
        self.draft.cause = dname
        self.draft.note(dname, True, f"{self.name} is below it", at)
        if not self.draft.has(dname):
            self.draft.answer.append(dname)
        elif is_below(key_of(dname.target), dname.key):
            return False  # each turn makes the name longer; nsd too stops at the second
        target = substituted(self.name, dname.name, dname.target)
        if target is None:
            self.draft.rcode = Rcode.YXDOMAIN
            self.draft.verdict = "YXDOMAIN"
            return False
        made = cname(self.name, target, dname.ttl)
        return self._follow_cname(made, at) and self.rdtype != RdataType.CNAME

    def _refer(self, zone: ZoneIndex, servers: Records, at: str) -> bool:
        draft = self.draft
        draft.authoritative = self.restarts > 0  # AA is about the first name in the answer
        draft.verdict = "REFERRAL"
        draft.cause = servers
        draft.authority.append(servers)
        draft.note(servers, True, f"a zone cut on the way to {self.name}", at)
        self._add_addresses(zone, servers)
        inside = [each for each in draft.additional if is_below(each.key, servers.key)]
        draft.glue.extend(inside)  # without these the referral is of no use (RFC 9471 §2.1)
        return False

    def _add_addresses(self, zone: ZoneIndex, records: Records) -> None:
        """The addresses of the hosts that the records name, as far as this zone has them."""
        for host in records.hosts:
            key = key_of(host)
            if not is_below(key, zone.apex):
                continue
            node = self._host(zone, key, host, glue=records.type == RdataType.NS)
            for kind in ADDRESS_TYPES if node is not None else ():
                found = self.server.find(zone, node, kind) if node else None
                if found is not None and not self._known(found):
                    self.draft.additional.append(found)

    def _known(self, records: Records) -> bool:
        given = (*self.draft.answer, *self.draft.additional)
        return any(each.type == records.type and each.name == records.name for each in given)

    def _host(self, zone: ZoneIndex, key: Key, host: Name, glue: bool) -> Node | None:
        node = zone.nodes.get(key)
        if node is None:
            found = zone.nodes.get((_WILDCARD, *zone.closest_encloser(key)))
            return (
                None if found is None else Node(host, {k: each.at(host) for k, each in found.sets.items()}, found.alias)
            )
        return node if glue or zone.cut(key) is None else None


def _as_message(query: dns.message.Message, draft: _Draft, tcp: bool) -> dns.message.Message:
    response = reply_to(query, draft.rcode, payload=EDNS_SIZE)
    if draft.authoritative and query.question and query.question[0].rdclass == dns.rdataclass.IN:
        response.flags |= dns.flags.AA
    return finished(
        response, query, draft.answer, draft.authority, draft.additional, needed=draft.glue, tcp=tcp, payload=EDNS_SIZE
    )
