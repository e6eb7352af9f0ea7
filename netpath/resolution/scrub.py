"""What of a response is believed, and what it means: the two judgements that keep a resolver honest.

`scrub` leaves only what the server may say: records that belong to the question, inside the zone that
it was asked about. A CNAME chain is cut after its first link (the rest is somebody else's to say), a
CNAME missing after its DNAME is made, glue without its NS records falls. `classify` then says which of
RFC 1034 §5.3.3's cases the response is. Both follow unbound (iterator/iter_scrub.c, iter_resptype.c).

Not modelled: DNSSEC records, private addresses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import dns.flags
import dns.message
import dns.rdataclass
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from netpath.resolution.cache import Ranked, Reply, Trust
from netpath.resolution.config import ResolverConfig
from netpath.resolution.records import (
    ADDRESS_TYPES,
    Key,
    Records,
    cname,
    from_rrset,
    is_below,
    is_strictly_below,
    key_of,
    substituted,
)


class Meaning(Enum):
    """What a response is to the resolver that got it."""

    ANSWER = "answer"
    REFERRAL = "referral"
    CNAME = "alias"
    LAME = "the server isn't one of the zone's"
    RECURSIVE = "the server answers from a cache"
    THROWAWAY = "of no use"


_HOSTS_BELIEVED = (RdataType.NS, RdataType.MX, RdataType.SRV, RdataType.KX)
_SPEAKING = (Rcode.NOERROR, Rcode.NXDOMAIN, Rcode.YXDOMAIN)
_NEVER_IN_AUTHORITY = (RdataType.DNAME, RdataType.CNAME, *ADDRESS_TYPES)
_NEVER_IN_ADDITIONAL = (RdataType.DNAME, RdataType.CNAME, RdataType.NS)


@dataclass(slots=True)
class Scrubbed:
    """What is left of a response (None: nothing can be believed), and what was taken out, with the reason."""

    reply: Reply | None
    removed: list[tuple[Records, str]] = field(default_factory=list)
    hidden: list[Ranked] = field(default_factory=list)  # glue from elsewhere, to find servers by (harden-glue: no)


class _Unbelievable(Exception):  # noqa: N818 - it never leaves this module
    """The response contradicts itself."""


def scrub(message: dns.message.Message, name: Name, rdtype: RdataType, zone: Key, config: ResolverConfig) -> Scrubbed:
    """A response to (`name`, `rdtype`) as far as a server of `zone` is to be believed."""
    work = _Scrubber(message, name, rdtype, zone, config)
    try:
        work.check_question(message)
        work.normalise()
        work.sanitise()
    except _Unbelievable:
        return Scrubbed(None, work.removed)
    return Scrubbed(work.reply(message), work.removed, work.hidden)


class _Scrubber:
    def __init__(
        self, message: dns.message.Message, name: Name, rdtype: RdataType, zone: Key, config: ResolverConfig
    ) -> None:
        self.name, self.key, self.rdtype, self.zone, self.config = name, key_of(name), rdtype, zone, config
        self.rcode = message.rcode()
        self.answer, self.authority, self.additional = (
            [
                from_rrset(each)
                for each in section
                if each.rdtype != RdataType.RRSIG and each.rdclass == dns.rdataclass.IN
            ]
            for section in (message.answer, message.authority, message.additional)
        )
        self._once()
        self.hosts: set[Key] = set()
        self.hidden: list[Ranked] = []
        self.removed: list[tuple[Records, str]] = []

    def _once(self) -> None:
        """An RRset that comes in several sections counts for the first of them (msgparse.c)."""
        seen: set[tuple[Key, RdataType]] = set()
        for section in (self.answer, self.authority, self.additional):
            mine = {(each.key, each.type) for each in section}
            section[:] = [each for each in section if (each.key, each.type) not in seen]
            seen |= mine

    def check_question(self, message: dns.message.Message) -> None:
        if not message.flags & dns.flags.QR or len(message.question) > 1:
            raise _Unbelievable
        if not message.question:
            if self.rcode in _SPEAKING:
                raise _Unbelievable
            return
        question = message.question[0]
        if (key_of(question.name), question.rdtype) != (self.key, self.rdtype):
            raise _Unbelievable

    def _drop(self, records: Records, why: str) -> None:
        self.removed.append((records, why))

    # Only what belongs to the question ----------------------------------------------------------

    def normalise(self) -> None:
        if self.rcode not in _SPEAKING:
            return
        self.answer = self._in_order()
        fixed = self._authority()
        if fixed is not None:  # a referral that has the DS asked for: that's the answer
            self.answer, self.authority, self.additional = [fixed], [], []
            return
        self.additional = [each for each in self.additional if self._wanted(each)]

    def _in_order(self) -> list[Records]:
        """The answer section as a chain that starts at the question's name."""
        kept: list[Records] = []
        at = self.name
        pending = list(self.answer)
        while pending:
            records = pending.pop(0)
            if records.type == RdataType.DNAME and is_strictly_below(key_of(at), records.key):
                at = self._through_dname(records, at, pending, kept)
            elif records.key != key_of(at):
                self._drop(records, f"not about {at}")
            elif records.type == RdataType.CNAME:
                at = self._through_cname(records, at, pending, kept)
            elif self.rdtype not in (RdataType.ANY, records.type):
                self._drop(records, f"not of type {self.rdtype.name}")
            else:
                if records.key == self.key:
                    self._believe_hosts(records)
                kept.append(records)
        return kept

    def _through_dname(self, dname: Records, at: Name, pending: list[Records], kept: list[Records]) -> Name:
        kept.append(dname)
        target = substituted(at, dname.name, dname.target)
        if target is None:
            if self.rcode == Rcode.YXDOMAIN:
                return at
            raise _Unbelievable
        following = pending[0] if pending else None
        if following and following.type == RdataType.CNAME and following.name == at and following.target == target:
            return at  # the CNAME says the same, in better spelling
        kept.append(cname(at, target, 0))
        return target

    def _through_cname(self, alias: Records, at: Name, pending: list[Records], kept: list[Records]) -> Name:
        following = pending[0] if pending else None
        if following and following.type == RdataType.DNAME:
            applies = is_strictly_below(key_of(at), following.key)
            if applies and substituted(at, following.name, following.target) == alias.target:
                kept.append(pending.pop(0))  # the DNAME belongs before the CNAME that it makes
        kept.append(Records(alias.name, alias.type, alias.ttl, alias.data[:1]))
        while self.rdtype == RdataType.ANY and pending and pending[0].key == key_of(at):
            kept.append(pending.pop(0))
        return alias.target

    def _authority(self) -> Records | None:
        kept: list[Records] = []
        servers: Records | None = None
        for records in self.authority:
            why = self._authority_fault(records, servers)
            if why:
                self._drop(records, why)
                continue
            if records.type == RdataType.NS:
                servers = records
            if records.type == self.rdtype == RdataType.DS and records.key == self.key:
                return records
            self._believe_hosts(records)
            kept.append(records)
        self.authority = kept
        return None

    def _authority_fault(self, records: Records, servers: Records | None) -> str:
        if records.type in _NEVER_IN_AUTHORITY:
            return "it has no place in the authority section"
        if records.type != RdataType.NS:
            return ""
        if not is_below(self.key, records.key):
            return f"{self.name} is not in {records.name}"
        negative = self._has_soa() and not self.answer
        if self.rcode == Rcode.NXDOMAIN or (self.rcode == Rcode.NOERROR and negative):
            return "a negative answer needs no NS records"
        if self.config.scrub_promiscuous and not self._is_referral(records):
            return "only a referral needs NS records"
        return "a second set of NS records" if servers else ""

    def _is_referral(self, servers: Records) -> bool:
        elsewhere = servers.key != self.zone and not self._has_soa()
        return self.rcode == Rcode.NOERROR and not self.answer and elsewhere

    def _has_soa(self) -> bool:
        return any(records.type == RdataType.SOA for records in self.authority)

    def _believe_hosts(self, records: Records) -> None:
        if records.type in _HOSTS_BELIEVED:
            self.hosts.update(key_of(host) for host in records.hosts)

    def _wanted(self, records: Records) -> bool:
        if records.type in ADDRESS_TYPES and records.key not in self.hosts:
            self._drop(records, "nothing in the answer or authority section names it")
            return False
        if records.type in _NEVER_IN_ADDITIONAL:
            self._drop(records, "it has no place in the additional section")
            return False
        return True

    # Only what this server may say --------------------------------------------------------------

    def sanitise(self) -> None:
        lost_hosts = self._cut_chain()
        lame = not self.answer and self.rcode == Rcode.NOERROR and not self._has_soa()
        sections = (self.answer, self.authority, self.additional)
        for section in sections:
            kept = []
            for records in section:
                if is_below(records.key, self.zone):
                    if lost_hosts and section is self.additional:
                        self._drop(records, "what named it was taken out")
                        continue
                elif (
                    lame
                    and records.type == RdataType.NS
                    and section is self.authority
                    and is_below(self.zone, records.key)
                ):
                    lost_hosts = True  # NS records from above the zone: kept, to know the server as lame
                elif not self.config.harden_glue and records.type in ADDRESS_TYPES:
                    self.hidden.append(Ranked(self._capped(records), Trust.ADDITIONAL))
                    self._drop(records, "not in the zone asked for: kept for finding name servers only")
                    continue
                else:
                    self._drop(records, f"not in {Name(self.zone)}, the zone asked for")
                    lost_hosts = lost_hosts or records.type in _HOSTS_BELIEVED
                    continue
                kept.append(records)
            section[:] = kept

    def _cut_chain(self) -> bool:
        """Only the question's own name stays in the answer; whether records that name hosts fell."""
        kept = []
        fell = False
        for index, records in enumerate(self.answer):
            leading = index == 0 and records.type == RdataType.DNAME and is_strictly_below(self.key, records.key)
            if records.key == self.key or (leading and is_below(records.key, self.zone)):
                kept.append(records)
            else:
                self._drop(records, f"only {self.name} was asked for; the rest of the chain is asked for anew")
                fell = fell or records.type in _HOSTS_BELIEVED
        self.answer = kept
        return fell

    def reply(self, message: dns.message.Message) -> Reply:
        aa = bool(message.flags & dns.flags.AA)
        reply = Reply(
            Rcode.make(self.rcode),
            [Ranked(self._capped(records), trust) for records, trust in zip(self.answer, self._trust(aa), strict=True)],
            [
                Ranked(self._capped(records, negative=True), Trust.AUTHORITY_AA if aa else Trust.AUTHORITY)
                for records in self.authority
            ],
            [Ranked(self._capped(each), Trust.ADDITIONAL_AA if aa else Trust.ADDITIONAL) for each in self.additional],
            aa=aa,
            ra=bool(message.flags & dns.flags.RA),
            tc=bool(message.flags & dns.flags.TC),
        )
        reply.lifetime = reply.ttl(self.config.failure_ttl)
        return reply

    def _trust(self, aa: bool) -> list[Trust]:
        """AA is about the first name of the answer, not about what a CNAME leads to (RFC 2181 §5.4.1)."""
        if not aa:
            return [Trust.ANSWER] * len(self.answer)
        authoritative = {RdataType.CNAME: 1, RdataType.DNAME: 2}.get(
            self.answer[0].type if self.answer else RdataType.A, len(self.answer)
        )
        return [Trust.ANSWER_AA if index < authoritative else Trust.ANSWER for index in range(len(self.answer))]

    def _capped(self, records: Records, negative: bool = False) -> Records:
        ttl = records.ttl
        soa = negative and records.type == RdataType.SOA
        if soa:
            ttl = min(ttl, records.data[0].minimum)  # type: ignore[attr-defined]
        ttl = min(max(ttl, self.config.min_ttl), self.config.max_ttl)
        return records.aged(min(ttl, self.config.max_negative_ttl) if soa else ttl)


def classify(reply: Reply, name: Name, rdtype: RdataType, zone: Key, asked_recursively: bool = False) -> Meaning:
    """What a scrubbed response means to a resolver that asked a server of `zone`."""
    key = key_of(name)
    recursive = reply.ra and not reply.aa and not asked_recursively
    if reply.tc:
        return Meaning.THROWAWAY
    if reply.rcode == Rcode.NXDOMAIN:
        if recursive:
            return Meaning.RECURSIVE
        aliases = any(each.records.type == RdataType.CNAME and each.records.key == key for each in reply.answer)
        return Meaning.CNAME if aliases else Meaning.ANSWER
    if reply.rcode != Rcode.NOERROR:
        return Meaning.THROWAWAY
    for judge in (_by_answer, _by_soa, _by_servers):
        meaning = judge(reply, key, rdtype, zone, recursive, asked_recursively)
        if meaning is not None:
            return meaning
    return Meaning.RECURSIVE if recursive else Meaning.ANSWER


def _by_answer(reply: Reply, key: Key, rdtype: RdataType, zone: Key, *_: bool) -> Meaning | None:
    at, followed = key, False
    for records in (each.records for each in reply.answer):
        lower = records.type == RdataType.NS and is_strictly_below(records.key, zone)
        if lower and rdtype in (RdataType.ANY, RdataType.NS):
            return Meaning.ANSWER if reply.aa else Meaning.REFERRAL
        if records.type == rdtype and records.key == at:
            if reply.aa:
                return Meaning.ANSWER
            break
        if records.type == RdataType.CNAME and records.key == at:
            at, followed = key_of(records.target), True
    if reply.answer and rdtype == RdataType.ANY:
        return Meaning.ANSWER
    return Meaning.CNAME if followed else None


def _by_soa(reply: Reply, key: Key, rdtype: RdataType, zone: Key, recursive: bool, _: bool) -> Meaning | None:
    soa = (each.records for each in reply.authority if each.records.type == RdataType.SOA)
    if any(is_below(key, records.key) for records in soa):
        return Meaning.RECURSIVE if recursive else Meaning.ANSWER
    return None


def _by_servers(
    reply: Reply, key: Key, rdtype: RdataType, zone: Key, recursive: bool, asked_recursively: bool
) -> Meaning | None:
    for records in (each.records for each in reply.authority if each.records.type == RdataType.NS):
        if records.key == zone:
            if recursive:
                return Meaning.RECURSIVE
            empty = not reply.answer and not reply.aa and not asked_recursively
            return Meaning.THROWAWAY if empty else Meaning.ANSWER
        if is_below(zone, records.key):
            return Meaning.THROWAWAY if asked_recursively else Meaning.LAME
        if is_below(records.key, zone):
            return Meaning.REFERRAL
    return None


def classify_cached(reply: Reply, name: Name, rdtype: RdataType) -> Meaning:
    """Whether what the cache says is an answer or an alias to follow."""
    if reply.rcode == Rcode.NXDOMAIN or rdtype == RdataType.ANY:
        return Meaning.ANSWER
    at, followed = key_of(name), False
    for records in (each.records for each in reply.answer):
        if records.key == at and records.type == rdtype:
            return Meaning.ANSWER
        if records.key == at and records.type == RdataType.CNAME:
            at, followed = key_of(records.target), True
    return Meaning.CNAME if followed else Meaning.ANSWER
