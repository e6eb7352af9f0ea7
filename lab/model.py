"""The model's side: a journey as the road that it says, in the same form as what was seen on the wire.

Here, and only here, the lab asks `netpath` what happens. Nothing of it goes into the network.

A box of the model is a place of the lab: a security group is its network interface, network ACLs and route tables
are the VPC's router.

Not modelled: how long an open connection is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

from lab import remembered, road
from lab.questions import Asked, answered
from lab.road import Crossing, Line, Road
from lab.session import Request
from lab.wire import DATA, Packet
from netpath.choice import Choose, Outcome, Weights, first, outcomes
from netpath.fabric import FLAT, Trip, round_trip
from netpath.journey import Connection, End, Journey, travel
from netpath.memory import Memory
from netpath.names import Looked
from netpath.nodes import STATION
from netpath.packet import Address, Endpoint, Hop, HttpRequest, TcpFlags, http_request, tcp
from netpath.packet import Packet as ModelPacket
from netpath.world import World

_ROUTER = ("network ACL", "route table", "VPC")  # stations that the lab's router of the VPC stands for
_EPHEMERAL = 40_000
_ENDS = {
    End.ESTABLISHED: road.ESTABLISHED,
    End.REFUSED: road.REFUSED,
    End.UNREACHABLE: road.UNREACHABLE,
    End.TIMEOUT: road.TIMEOUT,
}


# A journey as a road -------------------------------------------------------------------------


def road_of(world: World, journey: Journey) -> Road:
    """The connections of a journey and what the user got."""
    lines = tuple(line_of(world, connection) for connection in journey.connections)
    return Road(lines, journey.outcome.status)


def line_of(world: World, connection: Connection) -> Line:
    """One connection: the first packet's way, the answer's or the refusal's, and how it ended."""
    back = way_of(world, connection.back) if connection.back is not None else ()
    return Line(way_of(world, connection.out), back, _ENDS[connection.end])


def way_of(world: World, trip: Trip) -> tuple[Crossing, ...]:
    """The places that a packet crossed: where it began, every box that is a place of the lab, where it ended."""
    origin = Crossing(world.where(trip.sent.source.address).name, None, packet_of(trip.sent))
    found = [Crossing(_place(world, hop), packet_of(hop.received), packet_of(hop.sent)) for hop in trip.hops]
    if found and found[0].place == origin.place:  # a node's own rules, before anything is on a wire
        found[0] = Crossing(origin.place, None, found[0].left)
    else:
        found.insert(0, origin)
    if trip.place is not None and found[-1].place == trip.place.name:  # a node's own rules, behind its last wire
        found[-1] = Crossing(trip.place.name, found[-1].came, None)
    elif trip.place is not None:
        found.append(Crossing(trip.place.name, packet_of(trip.packet), None))
    return road.without(found, frozenset({_router(world)}))


def _router(world: World) -> str:
    return world.region.vpcs[0].vpc_id if world.region else FLAT


def _place(world: World, hop: Hop) -> str:
    if hop.station == "security group":
        return hop.at.split()[0]
    if hop.station == "load balancer" and hop.received is not None:  # by its name, and not by that of its node
        return world.where(hop.received.destination.address).name
    return _router(world) if hop.station in _ROUTER else hop.at


def packet_of(packet: ModelPacket | None) -> Packet | None:
    """A packet of the model in the words of the wire."""
    if packet is None:
        return None
    what = f"icmp {packet.icmp}" if packet.icmp else _FLAGS[packet.flags] if packet.flags else "udp"
    source, destination = packet.source, packet.destination
    ends = str(source.address), source.port, str(destination.address), destination.port
    return Packet(*ends, what, packet_of(packet.quotes))


_FLAGS = {TcpFlags.SYN: "S", TcpFlags.SYN_ACK: "S.", TcpFlags.RESET: "R", TcpFlags.PUSH: DATA}


# Everything that can happen ------------------------------------------------------------------


def request_to(url: str, server: str) -> HttpRequest:
    """The request for a URL to a server that is known by its address."""
    asked = http_request(url)
    return replace(asked, host=server, headers=(("Host", asked.host),))


def roads(world: World, url: str, server: str) -> dict[tuple[str, ...], Outcome[Journey]]:
    """Every road that a request to a server can take, by what of it is compared."""
    request = request_to(url, server)
    found = outcomes(lambda choose: travel(world, Memory(), request, choose, keep_alive=False))
    return {road.canonical(road_of(world, each.result)): each for each in found}


def next_roads(
    world: World, memory: Memory, url: str, server: str
) -> dict[tuple[str, ...], Callable[[], tuple[Journey, Memory]]]:
    """The same where connections are kept, after what `memory` has of the past; each with a way to have it happen."""
    request = request_to(url, server)

    def happened(choices: tuple[tuple[str, int], ...]) -> tuple[Journey, Memory]:
        moved = memory.copy()
        return travel(world, moved, request, _Taken([answer for _, answer in choices], [])), moved

    found = outcomes(lambda choose: travel(world, memory.copy(), request, choose))
    return {road.canonical(road_of(world, each.result)): partial(happened, each.choices) for each in found}


def attempts(world: World, source: str, server: tuple[str, int]) -> set[tuple[str, ...]]:
    """Every way in which a connection from an address can go, as text with ports by their role.

    Where nothing gets as far as a wire, the text is empty.
    """
    first_packet = tcp(f"{source}:{_EPHEMERAL}", f"{server[0]}:{server[1]}")
    found = outcomes(lambda choose: round_trip(world, Memory(), first_packet, _apart(choose)))
    return {_text(_attempt(world, *each.result)) for each in found}


def _text(line: Line) -> tuple[str, ...]:
    return tuple(road.named(line)) if any(crossing.left for crossing in line.out) else ()


def _apart(choose: Choose) -> Choose:
    """Chooses the same, but never the same port twice: who draws a port has another one than who drew before."""
    drawn = count()

    def chosen(question: str, weights: Weights, /) -> int:
        return weights[next(drawn)] if isinstance(weights, range) else choose(question, weights)

    return chosen


def _attempt(world: World, out: Trip, back: Trip | None) -> Line:
    forth, returned = way_of(world, out), way_of(world, back) if back is not None else ()
    return Line(forth, returned, road.ended(forth, returned))


def lookups(world: World, host: str, memory: Memory | None = None) -> dict[tuple[Asked, ...], Outcome[Looked]]:
    """Everything that the resolver can ask for a host's address, by the questions and the answers.

    `memory`: what it knows already.
    """
    past, resolver = memory or Memory(), str(world.resolver)
    found = outcomes(lambda choose: world.names.lookup(host, past.copy(), resolver, choose))
    return {asked_by(each.result): each for each in found}


def asked_by(looked: Looked) -> tuple[Asked, ...]:
    """The resolver's questions to name servers and their answers, as they are seen on the wire."""
    exchanges = looked.resolution.exchanges if looked.resolution else ()
    return tuple(answered(each.address, each.response) for each in exchanges if each.response is not None)


# One request, followed -----------------------------------------------------------------------


def follow(world: World, url: str, seen: Request) -> Journey | None:
    """The journey in which everything was chosen as it was seen, ports included; None if there is none.

    What the resolver knew before is nothing. Like the user's machine in the lab, it tries one address alone.
    """
    looked = next((each for each in _lookups(world, url) if _is(each.result, seen)), None)
    if seen.answer is not None and looked is None:
        return None
    if not seen.server:
        return travel(world, Memory(), http_request(url), _Taken(_answers(looked), []))
    taken = roads(world, url, seen.server).get(road.canonical(seen.road))
    if taken is None:
        return None
    memory = _Ports()
    memory.drawn = [one.out[0].left.source_port for one in seen.road.lines if one.out[0].left]
    choose = _Taken(_answers(taken), _masqueraded(seen.road))
    journey = travel(world, memory, request_to(url, seen.server), choose, keep_alive=False)
    return replace(journey, looked=looked.result if looked and seen.answer else None)


def _answers(outcome: Outcome[Any] | None) -> list[int]:
    return [answer for _, answer in outcome.choices] if outcome else []


def _lookups(world: World, url: str) -> Iterator[Outcome[Looked]]:
    host, resolver = http_request(url).host, str(world.resolver)
    return outcomes(lambda choose: world.names.lookup(host, Memory(), resolver, choose))


def _is(looked: Looked, seen: Request) -> bool:
    chosen = looked.lookup.chosen
    return asked_by(looked) == seen.asked and (str(chosen) if chosen else "") == seen.server


def _masqueraded(seen: Road) -> list[int]:
    """The ports that were drawn on the way, in order."""
    found = []
    for one in seen.lines:
        for crossing in one.out:
            if crossing.came and crossing.left and crossing.came.source_port != crossing.left.source_port:
                found.append(crossing.left.source_port)
    return found


class _Ports(Memory):
    """A memory that hands out the ports that were seen."""

    drawn: list[int]

    def next_port(self, address: Address) -> Endpoint:
        return Endpoint(address, self.drawn.pop(0)) if self.drawn else super().next_port(address)


class _Taken:
    """Chooses what was chosen; of the numbers of a range, what was drawn."""

    def __init__(self, answers: list[int], drawn: list[int]) -> None:
        self._answers, self._drawn = answers, drawn

    def __call__(self, question: str, weights: Weights, /) -> int:
        if isinstance(weights, range):
            return self._drawn.pop(0) if self._drawn else first(question, weights)
        return self._answers.pop(0) if self._answers else first(question, weights)


def remembered_by(journey: Journey) -> dict[str, set[str]]:
    """The conntrack entries that each node has of a journey's connections."""
    found: dict[str, set[str]] = {}
    for hop in journey.hops:
        if hop.station == STATION:
            found.setdefault(hop.at, set()).update(remembered.entry(text) for text in hop.remembered)
    return found


def decided_by(trip: Trip) -> dict[str, list[str]]:
    """The rules that a packet matched in each node that it crossed once, as `nat KUBE-SERVICES 8`."""
    found: dict[str, list[str]] = {}
    for hop in trip.hops:
        if hop.station == STATION:
            matched = [step.at for step in hop.steps if step.matched and _RULE.fullmatch(step.at)]
            found.setdefault(hop.at, []).extend(matched)
    return found


_RULE = re.compile(r"(raw|mangle|nat|filter) \S+ \d+")
