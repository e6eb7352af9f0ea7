"""A caching recursive resolver: it takes a client's query and gives back what unbound would.

`Resolver.resolve(query, cache, now)` is the whole of it: the query and the response are
`dns.message.Message`s, the memory and the clock are arguments, and how a query reaches a name server is
the callable `send` that the resolver was made with: `send(address, message, tcp)` gives the response,
or None for silence. Everything that happened on the way is on record in the `Resolution`.

Not modelled: DNSSEC validation, forwarding, local zones (unbound answers for `localhost`
and private reverse zones itself), access control beyond RD, EDNS options, classes other than IN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rdataclass
import dns.rdatatype
import dns.zonefile
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from netpath.choice import Choose, first
from netpath.errors import InputError, WorldError
from netpath.packet import Hop, LazySteps, Step, Verdict
from netpath.resolution.asking import Setting
from netpath.resolution.cache import Cache, Reply
from netpath.resolution.config import ResolverConfig
from netpath.resolution.delegation import Delegation, kinds_of
from netpath.resolution.exchange import Exchange, Log, Send
from netpath.resolution.iteration import Iteration
from netpath.resolution.message import finished, reply_to
from netpath.resolution.records import Records, parse_name

Hints = Mapping[str, Sequence[str]]

_REFUSED_TYPES = frozenset({RdataType.AXFR, RdataType.IXFR})
_META_TYPES = frozenset({int(RdataType.OPT), *range(128, 249)})
_DNSSEC_TYPES = frozenset(
    {
        RdataType.SIG,
        RdataType.KEY,
        RdataType.NXT,
        RdataType.DS,
        RdataType.RRSIG,
        RdataType.NSEC,
        RdataType.DNSKEY,
        RdataType.NSEC3,
    }
)


@dataclass(frozen=True)
class Resolution:
    """What came of a client's query: the response, the queries sent for it, and every decision on the way."""

    response: dns.message.Message
    exchanges: tuple[Exchange, ...]
    code: str
    log: Log

    @property
    def hops(self) -> tuple[Hop, ...]:
        """In the order in which they happened; the last is what the resolver told its client."""
        return (*self.log.as_hops(), self._last)

    @property
    def _last(self) -> Hop:
        response = self.response
        steps = LazySteps(
            lambda: [
                Step(str(rrset), True, "in the response", "answer") for rrset in (*response.answer, *response.authority)
            ]
        )
        rule = str(response.answer[-1]) if response.answer else response.rcode().name
        return Hop("resolver", self.log.at, None, Verdict(self.code, rule), steps=steps)


def hints_from_text(text: str) -> dict[str, tuple[str, ...]]:
    """The root servers and their addresses, from a hints file (named.root: a master file). Raises `InputError`."""
    found: dict[str, list[str]] = {}
    addresses: dict[str, list[str]] = {}
    try:
        rrsets = dns.zonefile.read_rrsets(text, rdclass=None, default_ttl=3_600_000)
    except Exception as problem:
        raise InputError(f"not a hints file ({problem})", value=text) from None
    for rrset in rrsets:
        if rrset.rdtype == RdataType.NS:
            for datum in rrset:
                found[str(datum.target).lower()] = []
        elif rrset.rdtype in (RdataType.A, RdataType.AAAA):
            addresses.setdefault(str(rrset.name).lower(), []).extend(str(datum) for datum in rrset)
    return {name: tuple(addresses.get(name, ())) for name in found}


def _servers(zone: Name, hints: Hints, config: ResolverConfig) -> Delegation:
    made = Delegation(zone, kinds_of(config))
    for host, addresses in hints.items():
        name = parse_name(host)
        made.add_server(name)
        for kind in kinds_of(config):
            mine = [text for text in addresses if (":" in text) == (kind == RdataType.AAAA)]
            if mine:
                data = tuple(dns.rdata.from_text(dns.rdataclass.IN, kind, text) for text in mine)
                made.add_addresses(Records(name, kind, 0, data))
    if not made.targets:
        raise WorldError(f"no address to ask at for {zone}", value=dict(hints))
    return made


class Resolver:
    """A recursive resolver: the root servers that it starts from, how it sends, and its policies.

    `hints`: root server's name -> its addresses (see `hints_from_text`). `stubs`: zone -> the servers to ask
    for it, as hints are written (unbound's stub-zone). Raises `WorldError` without any address.
    """

    def __init__(
        self, hints: Hints, send: Send, config: ResolverConfig | None = None, stubs: Mapping[str, Hints] | None = None
    ) -> None:
        self.config = config or ResolverConfig()
        self.send = send
        self._root = _servers(dns.name.root, hints, self.config)
        made = (_servers(parse_name(zone), servers, self.config) for zone, servers in (stubs or {}).items())
        self._stubs = {each.key: each for each in made}

    def resolve(
        self, query: dns.message.Message, cache: Cache, now: float, choose: Choose = first, tcp: bool = False
    ) -> Resolution:
        """The response to a client's query at time `now` (seconds), and how it came about; `tcp`: it came over TCP."""
        log = Log(at=self.config.name)
        rcode = _refusal(query, self.config)
        if rcode is not None:
            # a query that wasn't understood comes back as it was, without RA
            offered = rcode in (Rcode.REFUSED, Rcode.BADVERS) and query.question[0].rdtype not in _REFUSED_TYPES
            response = reply_to(query, rcode, self.config.payload, recursive=offered)
            if rcode in (Rcode.FORMERR, Rcode.NOTIMP):
                response.answer, response.authority, response.additional = (
                    query.answer,
                    query.authority,
                    query.additional,
                )
            return Resolution(response, (), rcode.name, log)
        question = query.question[0]
        name, rdtype = question.name, RdataType.make(question.rdtype)
        setting = Setting(
            self.config,
            self._root,
            self._stubs,
            cache,
            int(now),
            self.send,
            choose,
            log,
            bool(query.flags & dns.flags.CD),
        )
        task = Iteration(setting, name, rdtype)
        reply = task.answer() if query.flags & dns.flags.RD else task.without_recursion()
        response = _respond(query, reply, self.config, tcp)
        return Resolution(response, tuple(log.exchanges), _code(reply, log), log)

    def responder(
        self, cache: Cache, clock: Callable[[], float], choose: Choose = first, record: list[Resolution] | None = None
    ) -> Callable[[dns.message.Message, bool], dns.message.Message]:
        """This resolver as something that answers queries, for a transport. `record` collects the resolutions."""

        def respond(query: dns.message.Message, tcp: bool) -> dns.message.Message:
            resolution = self.resolve(query, cache, clock(), choose, tcp)
            if record is not None:
                record.append(resolution)
            return resolution.response

        return respond


def _refusal(query: dns.message.Message, config: ResolverConfig) -> Rcode | None:
    """What a query is told that isn't one, or not one for this resolver (unbound's worker_check_request)."""
    if query.opcode() != dns.opcode.QUERY:
        return Rcode.NOTIMP
    odd = query.answer or query.authority or query.additional or query.flags & (dns.flags.QR | dns.flags.TC)
    if len(query.question) != 1 or odd:
        return Rcode.FORMERR
    question = query.question[0]
    if question.rdtype in _REFUSED_TYPES:
        return Rcode.REFUSED
    if question.rdtype in _META_TYPES:
        return Rcode.FORMERR
    if query.edns > 0:
        return Rcode.BADVERS
    if question.rdclass not in (dns.rdataclass.IN, dns.rdataclass.ANY):
        return Rcode.REFUSED
    if not query.flags & dns.flags.RD and not config.snoop:
        return Rcode.REFUSED
    return None


def _code(reply: Reply | None, log: Log) -> str:
    if reply is None:
        return "SERVFAIL"
    if reply.rcode != Rcode.NOERROR:
        return reply.rcode.name
    answered = any(each.records.type != RdataType.CNAME for each in reply.answer)
    if not answered and not reply.answer and any(each.records.type == RdataType.NS for each in reply.authority):
        return "REFERRAL"
    return "NOERROR" if reply.answer else "NODATA"


def _respond(query: dns.message.Message, reply: Reply | None, config: ResolverConfig, tcp: bool) -> dns.message.Message:
    rcode = Rcode.SERVFAIL if reply is None else reply.rcode
    response = reply_to(query, rcode, config.payload, recursive=True)
    if reply is None:
        return response
    question = query.question[0]
    signed = query.edns >= 0 and bool(query.ednsflags & dns.flags.DO)
    answer = _spelt([each.records for each in reply.answer], question.name)
    authority = [each.records for each in reply.authority if signed or each.records.type not in _DNSSEC_TYPES]
    additional = [each.records for each in reply.additional if signed or each.records.type not in _DNSSEC_TYPES]
    if config.minimal and _is_positive(reply, question.rdtype):
        authority, additional = [], []
    elif config.minimal and _is_negative(reply):
        additional = []
    return finished(response, query, answer, authority, additional, tcp=tcp, payload=config.max_udp)


def _spelt(answer: list[Records], name: Name) -> list[Records]:
    """The answer with its owners as the client, and then each CNAME, spelt them: that is how compression sends them."""
    spelt = []
    for records in answer:
        if records.name == name:
            records = records.at(name)
        if records.type == RdataType.CNAME and records.name == name:
            name = records.target
        spelt.append(records)
    return spelt


def _is_positive(reply: Reply, rdtype: int) -> bool:
    """Answers that need nothing beside them (msgencode.c); one about NS keeps the addresses, for priming."""
    answered = any(each.records.type == rdtype for each in reply.answer)
    return reply.rcode == Rcode.NOERROR and answered and rdtype != RdataType.NS


def _is_negative(reply: Reply) -> bool:
    if reply.rcode == Rcode.NXDOMAIN:
        return True
    if reply.rcode != Rcode.NOERROR or reply.answer:
        return False
    kinds = {each.records.type for each in reply.authority}
    return RdataType.SOA in kinds or RdataType.NS not in kinds
