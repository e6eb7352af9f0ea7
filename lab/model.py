"""The model's side: a journey as the road that it says, in the same form as what was seen on the wire.

Here, and only here, the lab asks `netpath` what happens. Nothing of it goes into the network.

A box of the model is a place of the lab: a security group is its network interface, network ACLs and route tables
are the VPC's router.

Not modelled: open connections that are used again; the lab's proxies open a new one for each request.
"""

from __future__ import annotations

from dataclasses import replace

from lab import road
from lab.road import Crossing, Line, Road
from lab.session import Asked, answered
from lab.wire import Packet
from netpath.choice import Outcome, outcomes
from netpath.fabric import Trip
from netpath.journey import Connection, End, Journey, travel
from netpath.memory import Memory
from netpath.names import Looked
from netpath.packet import Hop, HttpRequest, TcpFlags, http_request
from netpath.packet import Packet as ModelPacket
from netpath.world import World

_ROUTER = ("network ACL", "route table", "VPC")  # stations that the lab's router of the VPC stands for
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
    if trip.place is not None:
        found.append(Crossing(trip.place.name, packet_of(trip.packet), None))
    return road.without(found, frozenset({_router(world)}))


def _router(world: World) -> str:
    return world.region.vpcs[0].vpc_id if world.region else ""


def _place(world: World, hop: Hop) -> str:
    if hop.station == "security group":
        return hop.at.split()[0]
    return _router(world) if hop.station in _ROUTER else hop.at


def packet_of(packet: ModelPacket | None) -> Packet | None:
    """A packet of the model in the words of the wire."""
    if packet is None:
        return None
    what = f"icmp {packet.icmp}" if packet.icmp else _FLAGS[packet.flags] if packet.flags else "udp"
    source, destination = packet.source, packet.destination
    ends = str(source.address), source.port, str(destination.address), destination.port
    return Packet(*ends, what, packet_of(packet.quotes))


_FLAGS = {TcpFlags.SYN: "S", TcpFlags.SYN_ACK: "S.", TcpFlags.RESET: "R"}


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
