"""How a query gets to a name server inside the model: an internet in memory.

`in_memory` gives a `send` for a resolver or a stub: it looks the address up, and whoever is there
answers, over UDP with truncation or over TCP without. An address that nobody has is silence.

Not modelled: loss, delay, fragmentation. The real network is `netpath.wire`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import dns.message

from netpath.choice import Choose
from netpath.packet import Hop
from netpath.resolution.authoritative import AuthoritativeServer
from netpath.resolution.exchange import Send

Responder = Callable[[dns.message.Message, bool], dns.message.Message | None]


def in_memory(
    servers: Mapping[str, AuthoritativeServer | Responder],
    *,
    choose: Choose | None = None,
    record: list[Hop] | None = None,
) -> Send:
    """A `send` that reaches these servers by address.

    A responder is anything that takes (query, tcp) and answers, or gives None for silence. `choose` lets
    authoritative servers shuffle addresses, as Route 53 does; `record` collects their Hops.
    """

    def send(address: str, query: dns.message.Message, tcp: bool) -> dns.message.Message | None:
        server = servers.get(address)
        if server is None:
            return None
        if not isinstance(server, AuthoritativeServer):
            return server(query, tcp)
        answered = server.answer(query, tcp, choose=choose)
        if record is not None:
            record.append(answered.hop)
        return answered.response

    return send
