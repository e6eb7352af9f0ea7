"""Sections of chapter 2 to send a reader back to, and the small internets that its exercises ask about.

Not modelled: DNSSEC, and a resolver that obeys no TTL.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from types import EllipsisType

import dns.message
import dns.rdatatype
import dns.zone
from dns.name import Name

from netpath.exercises.misconceptions import section
from netpath.memory import Memory
from netpath.names import Names, names
from netpath.resolution import AuthoritativeServer, Resolution, ResolverConfig

TREE = section(2, "A tree, cut into zones")
WALK = section(2, "The whole walk")
REMEMBERS = section(2, "Who remembers")
ALIASES = section(2, "Aliases")
NO = section(2, "No is an answer, too")
MOVE = section(2, "The move")

SERVER = "192.0.2.53"  # TEST-NET-1: ns1.example.org, who serves the zone of the exercises
NEGATIVE_CAP = ResolverConfig().max_negative_ttl  # seconds: the resolver keeps no "no" for longer


def question(name: str, kind: str = "A") -> dns.message.Message:
    """A question as a machine puts it to its resolver."""
    return dns.message.make_query(name, kind, id=1, use_edns=0)


def zone_text(*lines: str, ttl: int = 300, soa: int = 900, minimum: int = 300) -> str:
    """The master file of example.org: its head, and these lines. TTLs in seconds; `minimum`: the SOA's last number."""
    head = (
        "$ORIGIN example.org.",
        f"$TTL {ttl}",
        f"@ {soa} IN SOA ns1 admin (",
        f"    1 7200 900 1209600 {minimum} )",
        "@ 172800 IN NS ns1",
        f"ns1 172800 IN A {SERVER}",
    )
    return "\n".join((*head, *lines, ""))


def parsed(text: str, origin: Name | None = None) -> dns.zone.Zone:
    """The zone of a master file of our own."""
    return dns.zone.from_text(text, origin, relativize=False)


def server_of(text: str) -> AuthoritativeServer:
    """The zone's own server."""
    return AuthoritativeServer([parsed(text)], name="ns1.example.org.")


@lru_cache(maxsize=8)
def internet(text: str) -> Names:
    """The smallest internet that has a zone: the root, and the zone's own server."""
    return names((_root(), parsed(text)))


@cache
def _root() -> dns.zone.Zone:
    lines = (
        "$ORIGIN .",
        "$TTL 172800",
        ". IN SOA a.root-servers.net. nstld.verisign-grs.com. 1 1800 900 604800 86400",
        ". IN NS a.root-servers.net.",
        "a.root-servers.net. IN A 198.41.0.4",
        "example.org. IN NS ns1.example.org.",
        f"ns1.example.org. IN A {SERVER}",
    )
    return parsed("\n".join(lines) + "\n")


def ask(world: Names, name: str, memory: Memory, now: int | EllipsisType = ...) -> Resolution:
    """What a resolver with this memory says, at a second if one is given."""
    if not isinstance(now, EllipsisType):
        memory.now = now
    return world.resolve(question(name), memory)


def records(resolution: Resolution) -> list[str]:
    """The records that a resolver gave, a line each; of a "no", the SOA that came instead."""
    response = resolution.response
    rrsets = response.answer or [each for each in response.authority if each.rdtype == dns.rdatatype.SOA]
    return [line for rrset in rrsets for line in str(rrset).splitlines()]


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
