"""A journey cut into legs: from one place to the next, with the packet as it is on that stretch.

Boxes that a packet comes from, goes to, or is rewritten by are places (`Spot`); those that only let it pass or not
(security groups, network ACLs, route tables) are the gates of a leg. A leg's number is that of the packet's form: while
the addresses stay as they are so does the number, over several legs if need be, and where it changes somebody has
rewritten an address, or made a connection of their own.

What a figure shows is this, and nothing else: `graph` gives it as a networkx graph.

Not modelled: the packets after the first of each direction; they go the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import dns.name
import dns.rdatatype

from netpath.fabric import Trip
from netpath.journey import Connection, Journey
from netpath.packet import Hop, Packet, Protocol
from netpath.resolution import Exchange
from netpath.show.palette import Space
from netpath.world import Kind, Place

if TYPE_CHECKING:
    import networkx

RESOLVER, NAME_SERVER, GATEWAY, BALANCER = "resolver", "name server", "internet gateway", "load balancer"
_BOXES = {"node": Space.NODES, GATEWAY: Space.PUBLIC, "NAT gateway": Space.PUBLIC}


class Way(StrEnum):
    """Which way a leg leads."""

    ASK = "asks"
    OUT = "out"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Spot:
    """A place on the road. `host`: the node that a pod is on. `unreached`: only somebody's destination."""

    name: str
    station: str
    space: Space
    address: str = ""
    host: str = ""
    unreached: bool = False

    @property
    def label(self) -> tuple[str, ...]:
        """Its name, short, in a line or two."""
        return shortened(self.name, self.station)

    @property
    def called(self) -> str:
        """Its name, short, in one line."""
        return short(self.name, self.station)


@dataclass(frozen=True, slots=True)
class Leg:
    """One stretch: from, to, the packet, the gates that it passes, and the hop that stopped it, if one did.

    `connection` counts from 1; 0 is the look-up, whose legs have a `question`, the `answer`'s code, and, but for the
    user's own, an `exchange`. `onto_end`: it was the place at the end that stopped it.
    `hops` are the records of the place at the end, if it is one that packets go through.
    """

    number: int
    way: Way
    start: Spot
    end: Spot
    packet: Packet | None = None
    gates: tuple[Hop, ...] = ()
    stopped: Hop | None = None
    onto_end: bool = False
    connection: int = 0
    exchange: Exchange | None = None
    hops: tuple[Hop, ...] = ()
    question: str = ""
    answer: str = ""

    @property
    def text(self) -> str:
        """The packet's addresses, or the question and what came of it."""
        if self.packet is not None:
            return " → ".join(ends(self.packet))
        return self.question


def ends(packet: Packet) -> tuple[str, str]:
    """Source and destination, as they are written; ICMP has no ports.

    >>> from netpath.packet import tcp
    >>> ends(tcp("10.0.0.1:1024", "10.0.0.2:80"))
    ('10.0.0.1:1024', '10.0.0.2:80')
    """
    if packet.protocol is Protocol.ICMP:
        return str(packet.source.address), str(packet.destination.address)
    return str(packet.source), str(packet.destination)


def asked(exchange: Exchange) -> str:
    """The question of an exchange: `example.com NS`."""
    question = exchange.query.question[0]
    return f"{written(question.name)} {dns.rdatatype.to_text(question.rdtype)}"


def written(name: dns.name.Name) -> str:
    """A name without its final dot, the root as a dot.

    >>> written(dns.name.from_text("com")), written(dns.name.root)
    ('com', '.')
    """
    return name.to_text(omit_final_dot=True)


def shortened(name: str, station: str) -> tuple[str, ...]:
    """A name that fits beside a mark: a node without its domain, a pod without namespace and the middle of its name.

    >>> shortened("ip-10-0-32-11.eu-west-1.compute.internal", "node")
    ('ip-10-0-32-11…',)
    >>> shortened("ingress-nginx/ingress-nginx-controller-6c8d7fbb5-7xk2p", "pod")
    ('ingress-nginx-…', '…-7xk2p')
    """
    if station == "node":
        host, dot, _ = name.partition(".")
        return (_cut(host) + ("…" if dot else ""),)
    if station == "pod":
        own = name.rpartition("/")[2]
        parts = own.rsplit("-", 2)
        return (_cut(parts[0]), f"…-{parts[-1]}") if len(parts) == 3 and len(own) > _LONG else (_cut(own),)
    if station == BALANCER:
        return tuple(_cut(part) for part in name.split(" ", 1))
    return (_cut(abridged(name) if station in _BOXES else name),)


_LONG = 15


def short(name: str, station: str) -> str:
    """A shortened name in one line."""
    return " ".join(shortened(name, station)).replace("… …", "…").replace(" …", "…")


def abridged(identity: str) -> str:
    """An AWS id that the eye can tell from another: its kind, its start and its end.

    >>> abridged("eni-0a1b0000000000a10")
    'eni-0a1b…0a10'
    """
    kind, dash, rest = identity.partition("-")
    return f"{kind}-{rest[:4]}…{rest[-4:]}" if dash and len(rest) > 10 else identity


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"


def legs(journey: Journey) -> tuple[Leg, ...]:
    """The journey's legs in the order of travel."""
    return tuple(_Surveyor(journey).walk())


def graph(journey: Journey) -> networkx.MultiDiGraph[str]:
    """The journey as a graph: places by name, with their `space` and `address`; legs keyed by their order of travel."""
    import networkx

    drawn: networkx.MultiDiGraph[str] = networkx.MultiDiGraph()
    for order, leg in enumerate(legs(journey)):
        for spot in (leg.start, leg.end):
            drawn.add_node(spot.name, spot=spot, space=str(spot.space), address=spot.address)
        drawn.add_edge(leg.start.name, leg.end.name, key=order, number=leg.number, leg=leg, text=leg.text)
    return drawn


@dataclass(slots=True)
class _Surveyor:
    """Walks a journey and numbers what it sees."""

    journey: Journey
    number: int = 0
    opened: int = 0
    spots: dict[str, Spot] = field(default_factory=dict)  # by address
    public: set[str] = field(default_factory=set)

    def walk(self) -> Iterator[Leg]:
        trips = [each.out for each in self.journey.connections]
        self.public = {trip.place.name for trip in trips if trip.place and any(h.station == GATEWAY for h in trip.hops)}
        yield from self._look_up()
        for attempt in self.journey.attempts:
            yield from self._connection(attempt)

    # Names -----------------------------------------------------------------------------------
    def _look_up(self) -> Iterator[Leg]:
        looked = self.journey.looked
        if looked is None or looked.resolution is None:
            return
        found = looked.lookup
        resolver = Spot(RESOLVER, RESOLVER, Space.DNS, looked.resolution.hops[-1].at.rpartition(" ")[2])
        self.number += 1
        user = self._spot(self.journey.user)
        mine = Leg(self.number, Way.ASK, user, resolver, question=f"{found.name} A", answer=found.code)
        yield mine if found.hop.verdict.ok else replace(mine, stopped=found.hop, onto_end=True)
        for exchange in looked.resolution.exchanges:
            self.number += 1
            yield _exchanged(self.number, resolver, exchange)

    # Connections -----------------------------------------------------------------------------
    def _connection(self, connection: Connection) -> Iterator[Leg]:
        """As time passes: out, onward, back."""
        self.opened += 1
        mine = self.opened
        client = self._spot(connection.client)
        out = self._trip(connection.out, client, Way.OUT, mine, ())
        yield from out
        for onward in connection.onward:
            yield from self._connection(onward)
        if connection.back is not None:
            far = self._spot(connection.server) if connection.server else (out[-1].end if out else client)
            road = [leg.start for leg in out]
            yield from self._trip(connection.back, far, Way.BACK, mine, tuple(reversed(road)))

    def _trip(self, trip: Trip, here: Spot, way: Way, connection: int, ahead: tuple[Spot, ...]) -> list[Leg]:
        """One packet's legs; `ahead` is where it should come by, as far as that is known."""
        packet, self.number = trip.sent, self.number + 1
        gates: list[Hop] = []
        made: list[Leg] = []
        for hop in trip.hops:
            box, well = self._box(hop) or self._refusing(hop, here), hop.verdict.ok
            if box is None:
                gates.append(hop)
            if box is None and well:
                continue
            end = box or self._bound_for(packet, here, ahead)
            if end == here and well and made:  # the same box once more, as a gateway between two of its own addresses
                made[-1] = replace(made[-1], hops=(*made[-1].hops, hop))
            elif end != here or not well:
                leg = Leg(0, way, here, end, packet, tuple(gates), connection=connection, hops=(hop,) if box else ())
                made.append(self._then(made, leg if well else replace(leg, stopped=hop, onto_end=box is not None)))
                gates = []
            here, packet = end, hop.sent or packet
        if trip.place is not None and (end := self._spot(trip.place)) != here:
            made.append(self._then(made, Leg(0, way, here, end, packet, tuple(gates), connection=connection)))
        return made

    def _then(self, made: list[Leg], leg: Leg) -> Leg:
        """The leg after others of the same packet: with a number of its own if the addresses are new."""
        if made and made[-1].packet is not None and leg.packet is not None:
            self.number += not same_ends(made[-1].packet, leg.packet)
        return replace(leg, number=self.number)

    def _refusing(self, hop: Hop, here: Spot) -> Spot | None:
        """The pod that a packet came to, though nobody listened there."""
        if hop.station != "pod" or hop.received is None:
            return None
        address = str(hop.received.destination.address)
        return self.spots.setdefault(address, Spot(hop.at, "pod", Space.PODS, address, here.name))

    def _bound_for(self, packet: Packet, here: Spot, ahead: tuple[Spot, ...]) -> Spot:
        """Where a packet that was stopped on its way would have come to next."""
        if ahead:
            return ahead[min(ahead.index(here) + 1, len(ahead) - 1)] if here in ahead else ahead[0]
        to = str(packet.destination.address)
        return self.spots.get(to) or self._unreached(to, here)

    def _unreached(self, address: str, here: Spot) -> Spot:
        space = Space.PUBLIC if here.station == GATEWAY else _NEXT[here.space]
        return self.spots.setdefault(address, Spot(address, "unreached", space, address, unreached=True))

    # Places ----------------------------------------------------------------------------------
    def _box(self, hop: Hop) -> Spot | None:
        return self._named(hop.at, hop.station) if hop.station in _BOXES else None

    def _named(self, name: str, station: str) -> Spot:
        known = self.spots.get(name)
        if known is None:
            known = self.spots[name] = Spot(name, station, _BOXES[station])
        return known

    def _spot(self, place: Place) -> Spot:
        address = str(place.address)
        known = self.spots.get(address)
        if known is None:
            known = self.spots[address] = self._made(place, address)
        return known

    def _made(self, place: Place, address: str) -> Spot:
        if place.kind is Kind.NODE:
            return self._named(place.name, "node")
        public = place.kind in (Kind.LOAD_BALANCER, Kind.INTERFACE) and place.name in self.public
        space = Space.PUBLIC if public else _SPACES[place.kind]
        return Spot(place.name, str(place.kind), space, address, place.node)


_SPACES = {
    Kind.INTERNET: Space.INTERNET,
    Kind.LOAD_BALANCER: Space.PRIVATE,  # unless a packet came to it through the internet gateway
    Kind.NODE: Space.NODES,
    Kind.POD: Space.PODS,
    Kind.INTERFACE: Space.PRIVATE,
    Kind.VPC_SERVICE: Space.PRIVATE,
}
# Where a packet is on its way to from a space, if it never got there.
_NEXT = {
    Space.DNS: Space.DNS,
    Space.INTERNET: Space.PUBLIC,
    Space.PUBLIC: Space.NODES,
    Space.PRIVATE: Space.NODES,
    Space.NODES: Space.PODS,
    Space.PODS: Space.PODS,
}


def _exchanged(number: int, resolver: Spot, exchange: Exchange) -> Leg:
    """A question to a name server and its answer."""
    server = Spot(written(exchange.server), NAME_SERVER, Space.DNS, exchange.address)
    leg = Leg(number, Way.ASK, resolver, server, exchange=exchange, question=asked(exchange), answer=exchange.code)
    hop = exchange.hop()
    return leg if hop.verdict.ok else replace(leg, stopped=hop, onto_end=True)


def same_ends(one: Packet, other: Packet) -> bool:
    """Whether two packets have the same source and destination."""
    return one.source == other.source and one.destination == other.destination
