"""A road in a form in which the model's and the wire's can be compared, word for word.

A *line* is one connection: each place that its first packet crossed, with the addresses before and after, and
the same for the answer. (Of a connection that was open already, it is the request and its response.) A client's
port is drawn by chance, and so is a masqueraded one: they are called `a`, `b` … in the order in which they come up,
while every other port keeps its number.

Boxes that only pass a packet on (the router of the VPC, the Internet) are left out, unless they are where
it ended.

Not modelled: what is on the connection afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lab.wire import DATA, Packet, Sighting, after

ESTABLISHED, REFUSED, UNREACHABLE, TIMEOUT = "established", "refused", "unreachable", "timeout"
_ENDS = {
    "S.": ESTABLISHED,
    DATA: ESTABLISHED,
    "R": REFUSED,
    "icmp port-unreachable": REFUSED,
    "icmp protocol-unreachable": REFUSED,
}


class Crossing(NamedTuple):
    """A packet at a place: as it came (None where it was sent first) and as it left (None where it ended)."""

    place: str
    came: Packet | None
    left: Packet | None


class Line(NamedTuple):
    """One connection: where its first packet went, where the answer went, how it ended for the client."""

    out: tuple[Crossing, ...]
    back: tuple[Crossing, ...]
    end: str


class Road(NamedTuple):
    """All connections of a request, in the order in which they were opened, and the status that the user got."""

    lines: tuple[Line, ...]
    status: int | None


# From the wire -------------------------------------------------------------------------------


def crossings(sightings: Iterable[Sighting]) -> tuple[Crossing, ...]:
    """One packet's sightings, in the order of time, as the places that it crossed."""
    found: list[Crossing] = []
    for seen in sightings:
        last = found[-1] if found else None
        if not seen.outgoing:
            found.append(Crossing(seen.place, seen.packet, None))
        elif last is not None and last.place == seen.place and last.left is None:
            found[-1] = Crossing(seen.place, last.came, seen.packet)
        else:
            found.append(Crossing(seen.place, None, seen.packet))
    return tuple(found)


def line(sightings: Sequence[Sighting], silent: frozenset[str]) -> Line:
    """The connection whose packets these are: the first one's way (or the request's), and the answer's."""
    out = crossings(seen for seen in sightings if seen.packet.what == "S" or seen.asks)
    back = crossings(seen for seen in sightings if seen.packet.what != "S" and not seen.asks)
    return Line(without(out, silent), without(back, silent), ended(out, back))


def connections(sightings: Sequence[Sighting], silent: frozenset[str], wanted: bytes = b"") -> tuple[Line, ...]:
    """The connections, in the order in which they were opened, or used again.

    `wanted`: a header's line. Connections with other requests are left out.
    """
    requests = {seen.key: seen for seen in reversed(sightings) if seen.asks}
    strangers = {_ends_of(seen) for seen in requests.values() if wanted not in seen.payload.lower()}
    keys = {after(seen): seen.key for seen in requests.values()}
    opened: set[tuple[str, int, str, int]] = set()
    found: dict[int, list[Sighting]] = {}
    for seen in sightings:
        ends = _ends_of(seen)
        if seen.packet.what == "S" and seen.key not in found and ends not in strangers:
            found[seen.key] = []
            opened.add(ends)
        elif seen.asks and requests[seen.key] is seen and ends not in opened | strangers:
            found[seen.key] = []  # on a connection that was open already
        key = keys.get(seen.key, seen.key) if seen.packet.what == DATA else seen.key
        if key in found and seen.packet.what != "dns":
            found[key].append(seen)
    return tuple(line(each, silent) for each in found.values())


def _ends_of(seen: Sighting) -> tuple[str, int, str, int]:
    return seen.packet[:4]


def ended(out: Sequence[Crossing], back: Sequence[Crossing]) -> str:
    """How a connection ended for the client: by what came back to it, if anything did."""
    last = back[-1] if back else None
    if last is None or last.came is None or last.left is not None or last.place != out[0].place:
        return TIMEOUT
    return _ENDS.get(last.came.what, UNREACHABLE)


def without(way: Sequence[Crossing], silent: frozenset[str]) -> tuple[Crossing, ...]:
    """A way without the boxes that only pass on."""
    return tuple(each for each in way if each.place not in silent or each.left is None or each.came is None)


# In common -----------------------------------------------------------------------------------


def named(one: Line) -> list[str]:
    """A line as text, with ports that are drawn by chance by their role."""
    roles: dict[int, str] = {}
    for crossing in one.out:
        for packet in (crossing.came, crossing.left):
            if packet is not None:
                roles.setdefault(packet.source_port, chr(ord("a") + len(roles)))
    out = [_text(each, roles, True) for each in one.out]
    return [*out, "back", *(_text(each, roles, False) for each in one.back), one.end]


def _text(crossing: Crossing, roles: dict[int, str], outward: bool) -> str:
    came, left = (packet_text(packet, roles, outward) for packet in (crossing.came, crossing.left))
    return f"{crossing.place}: {came or '-'} => {left or '-'}"


def packet_text(packet: Packet | None, roles: dict[int, str] | None = None, outward: bool = True) -> str:
    """A packet as a person writes it; `roles` are names for the client's ports, which it is sent from or to."""
    if packet is None:
        return ""
    known = roles or {}
    source = _end(packet.source, packet.source_port, known if outward else {})
    destination = _end(packet.destination, packet.destination_port, {} if outward else known)
    about = f" <{packet_text(packet.quotes, roles)}>" if packet.quotes else ""
    return f"{source} > {destination} {packet.what}{about}"


def _end(address: str, port: int, roles: dict[int, str]) -> str:
    return f"{address}:{roles.get(port, port)}" if port else address


def short(place: str) -> str:
    """A place by its own name, without a namespace or a domain."""
    return place.rpartition("/")[2].partition(".")[0]


def canonical(road: Road) -> tuple[str, ...]:
    """A road as lines of text that are the same for every request that was treated alike."""
    lines = (text for one in road.lines for text in [*named(one), ""])
    return (*lines, f"status {road.status}")
