"""What is remembered of trips on open connections never shows: with it and without it, all is the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netpath.chance import seeded
from netpath.journey import Journey, travel
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import http_request
from netpath.world import World

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
    monkeypatch.setattr("netpath.fabric._MOST_TRIPS", 3)
    world, memory = replace(shop()), Memory()
    for _ in range(8):
        travel(world, memory, CART, seeded(2))
    assert 0 < len(world.trips) <= 3
