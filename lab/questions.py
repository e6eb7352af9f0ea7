"""Questions to name servers: what the resolver was seen to ask, of whom, and what it was told.

An answer is compared by its code and every record of its three sections; their order is nobody's promise (RFC 2181
§5), so they are sorted.

Not modelled: TCP, header bits other than the code, EDNS options.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dns.message
import dns.rcode

from lab.wire import Sighting


@dataclass(frozen=True)
class Asked:
    """A question to a name server and what it said: its address, the question, the answer's code and records."""

    server: str
    question: str
    code: str = "silence"
    records: tuple[str, ...] = ()

    @property
    def nature(self) -> str:
        """What kind of answer it is, in a word."""
        if self.code != "NOERROR":
            return self.code
        sections = {record.split()[0] for record in self.records if " SOA " not in record}
        return "answer" if "answer" in sections else "referral" if "authority" in sections else "no data"


def asked(sightings: Sequence[Sighting], resolver: str) -> tuple[Asked, ...]:
    """The questions of the resolver at a place, in order, each with its answer if there was one."""
    found: dict[tuple[int, str], Asked] = {}
    for seen in sightings:
        packet = seen.packet
        if packet.what != "dns" or seen.place != resolver:
            continue
        if seen.outgoing and packet.destination_port == 53:
            message = dns.message.from_wire(seen.payload)
            found[seen.key, packet.destination] = Asked(packet.destination, str(message.question[0]))
        elif not seen.outgoing and (seen.key, packet.source) in found:
            found[seen.key, packet.source] = answered(packet.source, dns.message.from_wire(seen.payload))
    return tuple(found.values())


def answered(server: str, message: dns.message.Message) -> Asked:
    """A server's answer as it is compared."""
    sections = (("answer", message.answer), ("authority", message.authority), ("additional", message.additional))
    records = [f"{name} {line}" for name, rrsets in sections for rrset in rrsets for line in str(rrset).split("\n")]
    return Asked(server, str(message.question[0]), dns.rcode.to_text(message.rcode()), tuple(sorted(records)))
