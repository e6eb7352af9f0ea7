"""A small internet of name servers for the tests: root, two top-level domains, and what the tests put under them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import dns.zone

from netpath.choice import Choose, first
from netpath.resolution import AuthoritativeServer, Cache, Resolution, Resolver, ResolverConfig, Responder, in_memory

ROOT, COM, NET, A_COM, B_COM = "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.10", "192.0.2.20"
HINTS = {"a.root.": [ROOT]}

ZONES = {
    ROOT: f"""
. 86400 IN SOA a.root. admin. 1 2 3 4 60
. 86400 IN NS a.root.
a.root. 86400 IN A {ROOT}
com. 3600 IN NS ns.com.
ns.com. 3600 IN A {COM}
net. 3600 IN NS ns.net.
ns.net. 3600 IN A {NET}
""",
    COM: f"""
com. 3600 IN SOA ns.com. admin. 1 2 3 4 60
com. 3600 IN NS ns.com.
ns.com. 3600 IN A {COM}
a.com. 3600 IN NS ns.a.com.
ns.a.com. 3600 IN A {A_COM}
b.com. 3600 IN NS ns.b.net.
lost.com. 3600 IN NS ns.lost.net.
x.com. 3600 IN NS ns.y.com.
y.com. 3600 IN NS ns.x.com.
""",
    NET: f"""
net. 3600 IN SOA ns.net. admin. 1 2 3 4 60
net. 3600 IN NS ns.net.
ns.net. 3600 IN A {NET}
ns.b.net. 3600 IN A {B_COM}
""",
    A_COM: f"""
a.com. 600 IN SOA ns.a.com. admin. 1 2 3 4 30
a.com. 600 IN NS ns.a.com.
ns.a.com. 600 IN A {A_COM}
www.a.com. 300 IN A 203.0.113.1
www.a.com. 300 IN A 203.0.113.2
alias.a.com. 100 IN CNAME www.b.com.
zero.a.com. 0 IN A 203.0.113.9
loop.a.com. 60 IN CNAME loop.b.com.
moved.a.com. 200 IN DNAME b.com.
*.wild.a.com. 60 IN A 203.0.113.7
empty.non.terminal.a.com. 60 IN TXT "x"
long.a.com. 999999 IN A 203.0.113.8
"""
    + "".join(f"big.a.com. 60 IN A 10.0.{i}.1\n" for i in range(120)),
    B_COM: """
b.com. 600 IN SOA ns.b.net. admin. 1 2 3 4 30
b.com. 600 IN NS ns.b.net.
www.b.com. 50 IN A 203.0.113.50
loop.b.com. 60 IN CNAME loop.a.com.
""",
}
ORIGINS = {ROOT: ".", COM: "com.", NET: "net.", A_COM: "a.com.", B_COM: "b.com."}

Tamper = Callable[[dns.message.Message, dns.message.Message, bool], dns.message.Message | None]


@lru_cache
def server(address: str, more: str = "") -> AuthoritativeServer:
    text = ZONES[address] + more
    return AuthoritativeServer([dns.zone.from_text(text, origin=ORIGINS[address], relativize=False)], name=address)


class World:
    """The internet, a resolver on it, its cache and the clock; `asked` lists (address, name, type, tcp)."""

    def __init__(self, config: ResolverConfig | None = None, more: dict[str, str] | None = None) -> None:
        self.servers: dict[str, AuthoritativeServer | Responder] = {
            address: server(address, (more or {}).get(address, "")) for address in ZONES
        }
        self.asked: list[tuple[str, str, str, bool]] = []
        self.resolver = Resolver(HINTS, self.send, config)
        self.cache = Cache()
        self.now = 1000.0

    def send(self, address: str, query: dns.message.Message, tcp: bool) -> dns.message.Message | None:
        question = query.question[0]
        self.asked.append((address, str(question.name), question.rdtype.name, tcp))
        return in_memory(self.servers)(address, query, tcp)

    def tamper(self, address: str, change: Tamper) -> None:
        """Let a server's answers pass through `change(query, response, tcp)`."""
        honest = self.servers[address]
        assert isinstance(honest, AuthoritativeServer)
        self.servers[address] = lambda query, tcp: change(query, honest.respond(query, tcp), tcp)

    def says(self, address: str, rcode: str) -> None:
        """Let a server answer everything with one RCODE."""

        def change(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message:
            made = dns.message.make_response(query)
            made.set_rcode(dns.rcode.from_text(rcode))
            return made

        self.tamper(address, change)

    def silence(self, address: str) -> None:
        self.servers[address] = lambda query, tcp: None

    def resolve(self, name: str, rdtype: str = "A", choose: Choose = first, **options: object) -> Resolution:
        self.asked.clear()
        query = dns.message.make_query(name, rdtype, **options)  # type: ignore[arg-type]
        return self.resolver.resolve(query, self.cache, self.now, choose)

    def addresses(self) -> list[str]:
        return [address for address, *_ in self.asked]


def lines(section: list[dns.rrset.RRset]) -> list[str]:
    return [line for rrset in section for line in str(rrset).splitlines()]


def rcode(resolution: Resolution) -> str:
    return resolution.response.rcode().name


def told(resolution: Resolution) -> str:
    """The hops, for a failing test to print."""
    return "\n".join(f"{hop.station} {hop.at} {hop.verdict.code}: {hop.verdict.rule}" for hop in resolution.hops)
