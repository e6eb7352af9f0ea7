"""DNS: the user's stub, a caching recursive resolver, authoritative servers, and the way between them.

Read in this order: `records`, `zones`, `authoritative`; then `cache`, `scrub`, `delegation`,
`asking`, `iteration`, `resolver`; then `stub` and `transport`.
"""

from netpath.resolution.authoritative import Answered, AuthoritativeServer
from netpath.resolution.cache import Cache, Trust
from netpath.resolution.config import ResolverConfig
from netpath.resolution.exchange import Exchange, Send
from netpath.resolution.records import Records
from netpath.resolution.resolver import Resolution, Resolver, hints_from_text
from netpath.resolution.stub import Lookup, Stub, StubMemory
from netpath.resolution.transport import Responder, in_memory
from netpath.resolution.zones import Alias

__all__ = [
    "Alias",
    "Answered",
    "AuthoritativeServer",
    "Cache",
    "Exchange",
    "Lookup",
    "Records",
    "Resolution",
    "Resolver",
    "ResolverConfig",
    "Responder",
    "Send",
    "Stub",
    "StubMemory",
    "Trust",
    "hints_from_text",
    "in_memory",
]
