"""Responses on their way out: header, EDNS, sections, and the cut to what the client can take.

A response over UDP must fit into 512 octets (RFC 1035 §4.2.1) or into what the client advertised with
EDNS (RFC 6891 §6.2.3), never more than the server's own limit. RRsets are kept or left out whole.
Optional ones (additional data that isn't needed glue) are left out silently; anything else that
doesn't fit sets TC, and the client comes back over TCP.

Not modelled: name compression choices of any one server, EDNS options.
"""

from __future__ import annotations

from collections.abc import Sequence

import dns.flags
import dns.message
import dns.renderer
from dns.exception import TooBig
from dns.rcode import Rcode

from netpath.resolution.records import Records, in_wire, name_in_wire

CLASSIC_SIZE = 512
_OPT_SIZE = 11


def reply_to(query: dns.message.Message, rcode: Rcode, payload: int, recursive: bool = False) -> dns.message.Message:
    """An empty response: the query's id, question, opcode, RD (and CD), and EDNS if the query had it."""
    response = dns.message.QueryMessage(id=query.id)
    kept = dns.flags.RD | (dns.flags.CD if recursive else 0)
    response.flags = dns.flags.QR | (query.flags & kept)
    if recursive:
        response.flags |= dns.flags.RA
    response.set_opcode(query.opcode())
    response.question = list(query.question)
    if query.edns >= 0:
        response.use_edns(0, query.ednsflags & dns.flags.DO, payload)
    response.set_rcode(rcode)
    return response


def limit_of(query: dns.message.Message, payload: int) -> int:
    """How many octets of UDP payload the client can take, and the server will send."""
    return CLASSIC_SIZE if query.edns < 0 else min(payload, max(CLASSIC_SIZE, query.payload))


def finished(
    response: dns.message.Message,
    query: dns.message.Message,
    answer: Sequence[Records],
    authority: Sequence[Records],
    additional: Sequence[Records],
    *,
    tcp: bool,
    payload: int,
    needed: Sequence[Records] = (),
) -> dns.message.Message:
    """The response with its sections; over UDP without what doesn't fit. `needed`: the glue that mustn't be missing."""
    additional = [*needed, *(each for each in additional if each not in needed)]
    sections: tuple[Sequence[Records], ...] = (answer, authority, additional)
    limit = limit_of(query, payload)
    if not tcp and _at_most(response, sections) > limit:
        sections = _cut(response, sections, limit, len(needed))
    for mine, given in zip((response.answer, response.authority, response.additional), sections, strict=True):
        mine.extend([records.rrset() for records in given])
    return response


def _at_most(response: dns.message.Message, sections: Sequence[Sequence[Records]]) -> int:
    questions = sum([name_in_wire(each.name) + 4 for each in response.question])
    return 12 + questions + _OPT_SIZE + sum(in_wire(section) for section in sections)


def _cut(
    response: dns.message.Message, sections: Sequence[Sequence[Records]], limit: int, needed: int
) -> tuple[Sequence[Records], ...]:
    """As many whole RRsets as fit, in order; sets TC on the response if one is missing that isn't optional."""
    space = limit - (_OPT_SIZE if response.edns >= 0 else 0)
    writer = dns.renderer.Renderer(response.id, int(response.flags), space)  # type: ignore[no-untyped-call]
    for question in response.question:
        writer.add_question(question.name, question.rdtype, question.rdclass)  # type: ignore[no-untyped-call]
    kept: tuple[list[Records], list[Records], list[Records]] = ([], [], [])
    for index, section in enumerate(sections):
        for position, records in enumerate(section):
            try:
                writer.add_rrset(index + 1, records.rrset())  # type: ignore[no-untyped-call]
            except TooBig:
                if index < 2 or position < needed:
                    response.flags |= dns.flags.TC
                    return kept
                continue
            kept[index].append(records)
    return kept
