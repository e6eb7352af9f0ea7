"""The user's own machine: a stub resolver, which asks one recursive resolver and takes the first address.

It sets RD (RFC 1034 §5.3.1): let the other do the walking. What it learns it remembers for the TTL, in
a small cache of its own, so that most requests cost no query at all.

Not modelled: /etc/hosts, search lists, several resolvers, IPv6 (it asks for A records), retries.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.flags
import dns.message
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from netpath.choice import Choose, first
from netpath.packet import Address, Hop, LazySteps, Step, Verdict, address, quick
from netpath.resolution.exchange import Send
from netpath.resolution.records import from_rrset, key_of, parse_name


@quick
@dataclass(frozen=True, slots=True)
class Lookup:
    """What the stub found: the addresses (none unless `code` is NOERROR or CACHED), the one that it takes, the hop."""

    name: str
    code: str
    addresses: tuple[Address, ...]
    chosen: Address | None
    hop: Hop
    response: dns.message.Message | None = None

    @property
    def ok(self) -> bool:
        return self.chosen is not None


@dataclass(frozen=True, slots=True)
class _Known:
    expires: float
    code: str
    addresses: tuple[Address, ...]
    steps: LazySteps
    rule: str


@dataclass(slots=True)
class StubMemory:
    """The names that a stub remembers, positive and negative."""

    known: dict[str, _Known] = field(default_factory=dict)

    def copy(self) -> StubMemory:
        return StubMemory(self.known.copy())


@quick
@dataclass(frozen=True, slots=True)
class Stub:
    """A stub resolver: its machine's name, the resolver's address, and how it sends.

    It takes the first address it is given; with `shuffles` it takes any, as `choose` decides.
    """

    name: str
    resolver: str
    send: Send
    shuffles: bool = False
    max_ttl: int = 86_400

    def lookup(self, name: str, memory: StubMemory, now: float, choose: Choose = first) -> Lookup:
        """The addresses of a name at time `now`; a memory hit makes no DNS message at all."""
        known = memory.known.get(name)
        if known is None or known.expires < now:
            return self._ask(name, memory, now, choose)
        verdict = Verdict("CACHED" if known.addresses else known.code, known.rule)
        hop = Hop("stub resolver", self.name, None, verdict, steps=known.steps, remembered=(known.rule,))
        return Lookup(name, verdict.code, known.addresses, self._chosen(name, known.addresses, choose), hop)

    def _chosen(self, name: str, addresses: tuple[Address, ...], choose: Choose) -> Address | None:
        if not addresses:
            return None
        many = self.shuffles and len(addresses) > 1
        return addresses[choose(f"which address of {name}?", [1] * len(addresses))] if many else addresses[0]

    def _ask(self, name: str, memory: StubMemory, now: float, choose: Choose) -> Lookup:
        query = dns.message.make_query(parse_name(name), RdataType.A, id=1, use_edns=0, payload=1232)
        response = self.send(self.resolver, query, False)
        if response is not None and response.flags & dns.flags.TC:
            response = self.send(self.resolver, query, True)
        code, addresses, ttl = _read(query, response)
        known = _known(name, code, addresses, now + min(ttl, self.max_ttl), response, self.resolver)
        if ttl > 0:
            memory.known[name] = known
        hop = Hop("stub resolver", self.name, None, Verdict(code, known.rule), steps=known.steps)
        return Lookup(name, code, addresses, self._chosen(name, addresses, choose), hop, response)


def _read(query: dns.message.Message, response: dns.message.Message | None) -> tuple[str, tuple[Address, ...], int]:
    """What a response means to the stub: a code, the addresses, and for how long."""
    if response is None or response.id != query.id:
        return "TIMEOUT", (), 0
    rcode = response.rcode()
    if rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
        return (rcode.name if rcode in _TOLD else "SERVFAIL"), (), 0
    at = query.question[0].name
    ttls = []
    found: tuple[Address, ...] = ()
    for records in (from_rrset(rrset) for rrset in response.answer):
        if key_of(records.name) != key_of(at):
            continue
        if records.type == RdataType.CNAME:
            at = records.target
            ttls.append(records.ttl)
        elif records.type == RdataType.A:
            found = tuple(address(str(datum)) for datum in records.data)
            ttls.append(records.ttl)
    if found:
        return "NOERROR", found, min(ttls)
    ttls += [rrset.ttl for rrset in response.authority if rrset.rdtype == RdataType.SOA] or [0]
    return ("NXDOMAIN" if rcode == Rcode.NXDOMAIN else "NODATA"), (), min(ttls)


_TOLD = frozenset({Rcode.SERVFAIL, Rcode.REFUSED, Rcode.FORMERR, Rcode.NOTIMP})


def _known(
    name: str,
    code: str,
    addresses: tuple[Address, ...],
    expires: float,
    response: dns.message.Message | None,
    asked: str,
) -> _Known:
    rrsets = (*response.answer, *response.authority) if response is not None else ()
    rule = f"{name} A {' '.join(map(str, addresses)) or code}"

    def steps() -> list[Step]:
        first_step = Step(f"nameserver {asked}", True, f"asked for {name} A", "/etc/resolv.conf")
        return [first_step, *(Step(str(rrset), True, "in the response", "answer") for rrset in rrsets)]

    return _Known(expires, code, addresses, LazySteps(steps), rule)
