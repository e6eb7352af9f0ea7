"""The resolver's diary: every query sent, what came back, and what it was taken to mean.

Not modelled: how long an exchange took.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import dns.flags
import dns.message
import dns.rcode
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from netpath.packet import Hop, LazySteps, Step, Verdict
from netpath.resolution.cache import Reply
from netpath.resolution.delegation import Target
from netpath.resolution.records import from_rrset
from netpath.resolution.scrub import Meaning, Scrubbed

Send = Callable[[str, dns.message.Message, bool], dns.message.Message | None]

_MEANINGS = {
    Meaning.REFERRAL: "REFERRAL",
    Meaning.CNAME: "CNAME",
    Meaning.LAME: "LAME",
    Meaning.RECURSIVE: "LAME",
}
_RCODES = {Rcode.SERVFAIL, Rcode.REFUSED, Rcode.FORMERR, Rcode.NOTIMP, Rcode.NXDOMAIN, Rcode.YXDOMAIN}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One query and its response (None: silence), who was asked, as a server of which zone, and what it meant."""

    server: Name
    address: str
    zone: Name
    query: dns.message.Message
    response: dns.message.Message | None
    tcp: bool
    code: str
    removed: tuple[tuple[object, str], ...] = ()

    def hop(self) -> Hop:
        """The exchange as a decision on record; its steps are the response's records, and which were believed."""
        rule = "" if self.response is None else _cause(self.response)
        return Hop(
            "name server",
            f"{self.server} ({self.address})",
            None,
            Verdict(self.code, rule),
            steps=LazySteps(self._steps),
        )

    def _steps(self) -> list[Step]:
        question = self.query.question[0]
        how = "TCP" if self.tcp else "UDP"
        asked = Step(str(question), True, f"asked over {how} as a server of {self.zone}", f"query {self.query.id}")
        if self.response is None:
            return [asked]
        removed = {str(records): why for records, why in self.removed}
        steps = [asked]
        sections = (
            ("answer", self.response.answer),
            ("authority", self.response.authority),
            ("additional", self.response.additional),
        )
        for name, section in sections:
            for rrset in section:
                text = str(from_rrset(rrset))
                why = removed.get(text)
                steps.append(Step(text, why is None, why or "believed", name))
        return steps


def _cause(response: dns.message.Message) -> str:
    section = response.answer or response.authority
    return str(from_rrset(section[0])) if section else dns.rcode.to_text(response.rcode())


def _code(response: dns.message.Message | None, tcp: bool) -> str:
    """What a response says at first sight."""
    if response is None:
        return "TIMEOUT"
    if response.flags & dns.flags.TC and not tcp:
        return "TRUNCATED"
    rcode = response.rcode()
    return rcode.name if rcode in _RCODES else "NOERROR"


@dataclass(slots=True)
class Log:
    """What happens while one client's question is resolved."""

    exchanges: list[Exchange] = field(default_factory=list)
    hops: list[Hop | Exchange] = field(default_factory=list)
    at: str = "resolver"

    def exchanged(
        self, zone: Name, target: Target, query: dns.message.Message, response: dns.message.Message | None, tcp: bool
    ) -> Exchange:
        made = Exchange(target.name, target.address, zone, query, response, tcp, _code(response, tcp))
        self.exchanges.append(made)
        self.hops.append(made)
        return made

    def _revise(self, code: str, scrubbed: Scrubbed) -> None:
        made = replace(self.exchanges[-1], code=code, removed=tuple(scrubbed.removed))
        self.exchanges[-1] = made
        index = max(i for i, each in enumerate(self.hops) if isinstance(each, Exchange))
        self.hops[index] = made

    def understood(self, name: Name, rdtype: RdataType, meaning: Meaning, reply: Reply, scrubbed: Scrubbed) -> None:
        code = _MEANINGS.get(meaning) or self.exchanges[-1].code
        if meaning is Meaning.ANSWER and code == "NOERROR" and not reply.answer:
            code = "NODATA"
        if meaning is Meaning.THROWAWAY and code == "NOERROR":
            code = "LAME"
        self._revise(code, scrubbed)

    def unbelievable(self, name: Name, scrubbed: Scrubbed) -> None:
        self._revise("MISMATCH", scrubbed)

    def cached(self, name: Name, rdtype: RdataType, reply: Reply) -> None:
        """The cache had something to say to a question."""
        found = [each.records for each in (*reply.answer, *reply.authority)]

        def steps() -> list[Step]:
            return [Step(str(records), True, f"in the cache for {name} {rdtype.name}", "cache") for records in found]

        rule = str(found[0]) if found else reply.rcode.name
        self.hops.append(Hop("resolver", self.at, None, Verdict("CACHED", rule), steps=LazySteps(steps)))

    def failed(self, name: Name, rdtype: RdataType, why: str) -> None:
        step = Step(f"{name} {rdtype.name}", False, why, "limits")
        self.hops.append(Hop("resolver", self.at, None, Verdict("SERVFAIL", why), steps=(step,)))

    def cycle(self, name: Name) -> None:
        step = Step(str(name), False, "its address is what is being looked for already", "name server")
        self.hops.append(Hop("resolver", self.at, None, Verdict("SERVFAIL", str(name)), steps=(step,)))

    def as_hops(self) -> tuple[Hop, ...]:
        return tuple(each.hop() if isinstance(each, Exchange) else each for each in self.hops)
