"""What is remembered of trips on open connections never shows: with it and without it, all is the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netpath.chance import seeded
from netpath.choice import Choose, first
from netpath.conntrack import ORIGINAL, REPLY, Conntrack, key_of
from netpath.iptables import Ruleset, parse
from netpath.journey import Journey, travel
from netpath.load import shop
from netpath.memory import Memory
from netpath.netfilter import HostMemory, receive
from netpath.packet import Network, Packet, TcpFlags, address, http_request, tcp
from netpath.routing import Host, Route
from netpath.world import World
from tests.iptables_rules import packets, rulesets

CART = http_request("http://shop.example.com/cart")


class Forgetful(dict[object, object]):
    """A cache that keeps nothing."""

    def __setitem__(self, key: object, value: object) -> None:
        pass


def forgetful() -> World:
    """The shop, where no trip is ever known already."""
    world = replace(shop())
    world.__dict__["trips"] = Forgetful()
    return world


def told(journey: Journey) -> list[object]:
    hops = [(hop, list(hop.steps), list(hop.remembered)) for hop in journey.hops]
    return [journey.outcome, journey.waited, hops]


def listing(memory: Memory) -> list[object]:
    hosts = [(name, host.conntrack.listing(memory.now)) for name, host in sorted(memory.hosts.items())]
    return [hosts, memory.vpc.listing(memory.now)]


@pytest.mark.parametrize("pause", [0.0, 1.0, 59.0, 61.0, 500.0])
def test_a_known_trip_is_the_trip_itself(pause: float) -> None:
    world, other, ours, theirs = shop(), forgetful(), Memory(), Memory()
    choose, same = seeded(3), seeded(3)
    for turn in range(12):
        assert told(travel(world, ours, CART, choose)) == told(travel(other, theirs, CART, same))
        assert listing(ours) == listing(theirs)
        ours.now = theirs.now = ours.now + pause * (turn % 3)


def test_a_known_trip_is_made_anew_where_a_host_has_forgotten_its_flow() -> None:
    world, other, ours, theirs = shop(), forgetful(), Memory(), Memory()
    for _ in range(6):
        travel(world, ours, CART)
        travel(other, theirs, CART)
    for memory in (ours, theirs):
        for host in memory.hosts.values():
            host.conntrack.expire(1e9)
    assert told(travel(world, ours, CART)) == told(travel(other, theirs, CART))


def test_a_known_trip_is_made_anew_where_a_security_group_has_forgotten_its_flow() -> None:
    world, other, ours, theirs = shop(), forgetful(), Memory(), Memory()
    for _ in range(6):
        travel(world, ours, CART)
        travel(other, theirs, CART)
    for memory in (ours, theirs):
        memory.vpc.expire(1e9)
    assert told(travel(world, ours, CART)) == told(travel(other, theirs, CART))


def test_a_fork_of_history_goes_its_own_way() -> None:
    world, memory = shop(), Memory()
    for _ in range(6):
        travel(world, memory, CART)
    before, fork = listing(memory), memory.copy()
    fork.now += 30.0
    travel(world, fork, CART)
    assert listing(memory) == before


def test_trips_that_are_known_are_forgotten_when_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netpath.fabric._MOST_TRIPS", 1)
    world, memory = replace(shop()), Memory()
    for _ in range(8):
        travel(world, memory, CART, seeded(2))
    assert len(world.trips) == 1


def host_of(rules: Ruleset) -> Host:
    routes = (Route(Network("10.0.1.0/24"), "eth1"), Route(Network("0.0.0.0/0"), "eth0"))
    return Host("h", {address("10.0.2.2"): "eth0"}, routes, rules, forwarding=True)


def passed(host: Host, memory: HostMemory, packet: Packet, now: float, choose: Choose) -> list[object]:
    passage = receive(host, memory, packet, "eth0", now, choose)
    hops = [(hop, list(hop.steps), list(hop.remembered)) for hop in (*passage.hops, *passage.answer_hops)]
    left = passage.packet, passage.interface, passage.gateway, passage.delivered, passage.mark, passage.answer
    return [hops, left, memory.conntrack.listing(now)]


def answered(packet: Packet) -> Packet:
    return packet if packet.icmp else packet.answer(TcpFlags.ACK)


NAT = """*nat
:PREROUTING ACCEPT
-A PREROUTING -p tcp -m tcp --dport 1:3 -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.0.1.1:4
-A POSTROUTING -d 10.0.1.0/24 -j MASQUERADE
COMMIT
"""


@settings(max_examples=50, deadline=None)
@given(rulesets(), st.lists(packets(), min_size=1, max_size=3), st.booleans(), st.integers(0, 9))
def test_a_packet_of_a_known_kind_fares_as_if_none_were_known(
    mangle: Ruleset, seen: list[Packet], nat: bool, seed: int
) -> None:
    rules = Ruleset({**mangle.tables, **parse(NAT).tables}) if nat else mangle
    host, ours, theirs = host_of(rules), HostMemory(), HostMemory()
    one, other = seeded(seed), seeded(seed)
    for turn, first_packet in enumerate(seen * 4):
        for packet in (first_packet, answered(first_packet)):
            fresh = host_of(rules)  # nothing is known there
            assert passed(host, ours, packet, float(turn), one) == passed(fresh, theirs, packet, float(turn), other)


def test_a_clients_next_connection_is_of_a_known_kind() -> None:
    host, memory = host_of(parse(NAT)), HostMemory()
    for port in range(40_000, 40_006):
        packet = tcp(f"10.0.3.3:{port}", "10.0.1.1:9")
        sent = receive(host, memory, packet, "eth0", 0.0, first).packet
        assert sent is not None
        back = receive(host, memory, sent.answer(), "eth1", 0.0, first)
        receive(host, memory, replace(packet, flags=TcpFlags.ACK), "eth0", 0.0, first)
        assert str(port) in back.hops[-1].remembered[0]
    assert len(host.passages) == 2


def test_kinds_that_are_known_are_forgotten_when_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netpath.netfilter.known.MOST_KNOWN", 2)
    host, memory = host_of(parse(NAT)), HostMemory()
    for last in (*range(1, 9), *range(1, 9)):
        packet = tcp(f"10.0.3.{last}:40000", "10.0.0.1:9")
        receive(host, memory, packet, "eth1", 0.0, first)
        receive(host, memory, packet.answer(), "eth0", 0.0, first)
    assert 0 < len(host.passages) <= 2


def test_renewing_a_flow_is_all_that_a_segment_of_an_open_connection_does() -> None:
    one, syn = Conntrack(), tcp("10.0.0.1:40000", "10.0.0.2:80")
    one.confirm(one.lookup(syn, 0.0).entry, 0.0)  # type: ignore[arg-type]
    for packet in (syn.answer(), *[replace(syn, flags=TcpFlags.ACK)] * 2):
        one.lookup(packet, 1.0)
    other = one.copy()
    one.lookup(replace(syn, flags=TcpFlags.ACK), 1.0)  # so that the entry is its own again
    for turn, packet in enumerate((replace(syn, flags=TcpFlags.PUSH), syn.answer(TcpFlags.PUSH))):
        standing = one.standing(packet, 5.0)
        assert standing is not None
        entry = one.still(key_of(packet), standing, 5.0)
        assert entry is not None
        one.renew(entry, (ORIGINAL, REPLY)[turn], 5.0 + turn)
        other.lookup(packet, 5.0 + turn)
        fields = [{name: getattr(each, name) for name in each.__slots__ if name != "owner"} for each in (*one, *other)]
        assert fields[0] == fields[1]
    assert one.standing(syn.answer(), 5.0) is None


def test_a_flow_that_a_fork_shares_is_not_renewed_in_both() -> None:
    one, syn = Conntrack(), tcp("10.0.0.1:40000", "10.0.0.2:80")
    one.confirm(one.lookup(syn, 0.0).entry, 0.0)  # type: ignore[arg-type]
    for packet in (syn.answer(), *[replace(syn, flags=TcpFlags.ACK)] * 2):
        one.lookup(packet, 1.0)
    data = replace(syn, flags=TcpFlags.PUSH)
    standing = one.standing(data, 2.0)
    assert standing is not None and one.still(key_of(data), standing, 2.0) is not None
    fork = one.copy()
    assert one.still(key_of(data), standing, 2.0) is fork.still(key_of(data), standing, 2.0) is None


def test_roads_that_are_known_are_forgotten_when_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netpath.vpc.passage._MOST_ROADS", 2)
    world = replace(shop(), region=replace(shop().region))  # type: ignore[type-var]
    travel(world, Memory(), CART)
    assert world.region is not None and 0 < len(world.region.roads) <= 2
