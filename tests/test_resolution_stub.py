"""The user's machine, the transports, and the edge to real sockets."""

from __future__ import annotations

import socket
import struct

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest

from netpath import wire
from netpath.choice import outcomes
from netpath.packet import Hop
from netpath.resolution import Cache, Resolution, Resolver, ResolverConfig, Stub, StubMemory, in_memory
from tests.dns_world import A_COM, HINTS, World, server

RESOLVER = "198.51.100.53"


class Home:
    """A stub, its resolver, and the internet behind."""

    def __init__(self, shuffles: bool = False) -> None:
        self.world = World()
        self.record: list[Resolution] = []
        responder = self.world.resolver.responder(self.world.cache, lambda: self.world.now, record=self.record)
        self.stub = Stub("laptop", RESOLVER, in_memory({RESOLVER: responder}), shuffles)
        self.memory = StubMemory()


def test_the_stub_takes_the_first_address() -> None:
    home = Home()
    found = home.stub.lookup("www.a.com", home.memory, 0)
    assert (found.code, str(found.chosen), found.ok) == ("NOERROR", "203.0.113.1", True)
    assert [str(each) for each in found.addresses] == ["203.0.113.1", "203.0.113.2"]


def test_the_stub_asks_for_recursion_and_its_resolver_walks() -> None:
    home = Home()
    home.stub.lookup("www.a.com", home.memory, 0)
    assert len(home.record) == 1 and len(home.record[0].exchanges) == 4


def test_the_stub_remembers_for_the_shortest_ttl_of_the_chain() -> None:
    home = Home()
    home.stub.lookup("alias.a.com", home.memory, 0)
    assert home.stub.lookup("alias.a.com", home.memory, 50).code == "CACHED"
    assert home.stub.lookup("alias.a.com", home.memory, 51).code == "NOERROR"


def test_a_ttl_of_zero_is_asked_for_anew_each_time() -> None:
    home = Home()
    codes = [home.stub.lookup("zero.a.com", home.memory, 0).code for _ in range(2)]
    assert codes == ["NOERROR", "NOERROR"]


@pytest.mark.parametrize(("name", "code"), [("nope.a.com", "NXDOMAIN"), ("non.terminal.a.com", "NODATA")])
def test_the_stub_remembers_that_there_is_nothing(name: str, code: str) -> None:
    home = Home()
    assert [home.stub.lookup(name, home.memory, now).code for now in (0, 30)] == [code, code]
    assert len(home.record) == 1


def test_a_failure_is_not_remembered_by_the_stub() -> None:
    home = Home()
    home.world.says(A_COM, "SERVFAIL")
    assert home.stub.lookup("www.a.com", home.memory, 0).code == "SERVFAIL" and not home.memory.known


@pytest.mark.parametrize(("answer", "code"), [("NOTAUTH", "SERVFAIL"), ("REFUSED", "REFUSED")])
def test_an_unusual_rcode_is_a_failure(answer: str, code: str) -> None:
    def respond(query: dns.message.Message, tcp: bool) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.from_text(answer))
        return response

    stub = Stub("laptop", RESOLVER, in_memory({RESOLVER: respond}))
    assert stub.lookup("www.a.com", StubMemory(), 0).code == code


def test_a_resolver_that_is_not_there_is_a_timeout() -> None:
    found = Stub("laptop", RESOLVER, in_memory({})).lookup("www.a.com", StubMemory(), 0)
    assert (found.code, found.ok, found.hop.verdict.ok) == ("TIMEOUT", False, False)


def test_an_answer_with_other_names_in_it_is_read_along_the_chain_only() -> None:
    def respond(query: dns.message.Message, tcp: bool) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.answer.append(dns.rrset.from_text("other.com.", 60, "IN", "A", "192.0.2.66"))
        return response

    stub = Stub("laptop", RESOLVER, in_memory({RESOLVER: respond}))
    assert stub.lookup("www.a.com", StubMemory(), 0).code == "NODATA"


def test_a_truncated_answer_is_asked_for_again_over_tcp() -> None:
    home = Home()
    assert len(home.stub.lookup("big.a.com", home.memory, 0).addresses) == 120


def test_a_stub_that_shuffles_gives_every_address_the_same_chance() -> None:
    home = Home(shuffles=True)
    home.stub.lookup("www.a.com", home.memory, 0)
    found = list(outcomes(lambda choose: home.stub.lookup("www.a.com", home.memory, 1, choose).chosen))
    assert [str(outcome.probability) for outcome in found] == ["1/2", "1/2"]


def test_a_copied_memory_goes_its_own_way() -> None:
    home = Home()
    before = home.memory.copy()
    home.stub.lookup("www.a.com", home.memory, 0)
    assert not before.known and home.memory.known


def test_the_stubs_hop_shows_what_it_asked_and_was_told() -> None:
    home = Home()
    hop = home.stub.lookup("www.a.com", home.memory, 0).hop
    assert hop.steps[0].rule == f"nameserver {RESOLVER}"
    assert any("203.0.113.1" in step.rule for step in hop.steps)


def test_the_transport_can_keep_what_the_servers_decided() -> None:
    record: list[Hop] = []
    send = in_memory({A_COM: server(A_COM)}, record=record)
    send(A_COM, dns.message.make_query("www.a.com", "A"), False)
    assert [hop.verdict.code for hop in record] == ["NOERROR"]


def test_real_sockets_serve_an_authoritative_server_over_udp_and_tcp() -> None:
    with wire.serve(server(A_COM).respond) as port:
        send = wire.network(timeout=5, port=port)
        query = dns.message.make_query("big.a.com", "A")
        over_udp, over_tcp = send("127.0.0.1", query, False), send("127.0.0.1", query, True)
    assert over_udp is not None and over_udp.flags & dns.flags.TC
    assert over_tcp is not None and len(over_tcp.answer[0]) == 120


def test_a_stub_on_real_sockets_falls_back_to_tcp() -> None:
    world = World()
    with wire.serve(world.resolver.responder(world.cache, lambda: 0)) as port:
        found = Stub("laptop", "127.0.0.1", wire.network(timeout=5, port=port)).lookup("big.a.com", StubMemory(), 0)
    assert len(found.addresses) == 120


def test_a_resolver_works_over_real_sockets() -> None:
    with wire.serve(server(A_COM).respond) as port:
        resolver = Resolver(HINTS, wire.network(5, port), ResolverConfig(), {"a.com": {"ns": ["127.0.0.1"]}})
        found = resolver.resolve(dns.message.make_query("x.wild.a.com", "A"), primed(), 0)
    assert str(found.response.answer[0][0]) == "203.0.113.7"


def primed() -> Cache:
    world = World()
    world.now = 0
    world.resolve(".", "NS")
    return world.cache


def test_nobody_there_is_silence() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        send = wire.network(timeout=0.2, port=sock.getsockname()[1])
        assert send("127.0.0.1", dns.message.make_query("a.com", "A"), True) is None


@pytest.mark.parametrize(("octets", "answered"), [(b"\0\7\1\0\0\1\0\0\0\0\0\0\xff", True), (b"short", False)])
def test_octets_that_are_no_message_get_a_format_error_if_there_is_a_header(octets: bytes, answered: bool) -> None:
    answer = wire.answer_wire(server(A_COM).respond, octets, False)
    assert (answer is not None) == answered
    if answer is not None:
        assert answer[:2] == octets[:2] and answer[3] & 15 == dns.rcode.FORMERR


def test_a_response_is_never_answered() -> None:
    response = dns.message.make_response(dns.message.make_query("www.a.com", "A"))
    assert wire.answer_wire(server(A_COM).respond, response.to_wire(), False) is None
    assert wire.answer_wire(server(A_COM).respond, b"\0\7\x81\0\0\1\0\0\0\0\0\0\xff", False) is None


def test_silence_stays_silence_on_real_sockets() -> None:
    query = dns.message.make_query("www.a.com", "A").to_wire()
    with wire.serve(lambda query, tcp: None) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
            sock.sendall(struct.pack("!H", len(query)) + query)
            assert sock.recv(1) == b""
        assert wire.network(0.2, port)("127.0.0.1", dns.message.make_query("www.a.com", "A"), False) is None


def test_the_stub_passes_over_records_that_are_no_addresses() -> None:
    def chatty(query: dns.message.Message, tcp: bool) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.answer = [
            dns.rrset.from_text("www.a.com.", 60, "IN", "TXT", "x"),
            dns.rrset.from_text("www.a.com.", 60, "IN", "A", "203.0.113.1"),
        ]
        return response

    found = Stub("laptop", RESOLVER, in_memory({RESOLVER: chatty})).lookup("www.a.com", StubMemory(), 0)
    assert [str(each) for each in found.addresses] == ["203.0.113.1"]
