"""Where everything on the map of a journey stands: bands, places, their names, and the lines between them.

Each address space is a band, one below the other, from the user at the top to the pods at the bottom. A place stands
in its space's band, a pod under its node, a gateway on the VPC's border. Figure and player share this layout; what
they don't share is how wide it is: a `Sheet`.

Not modelled: distances. Where a place stands says nothing but its address space, its node, and its turn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from netpath.show.canvas import Point
from netpath.show.legs import GATEWAY, NAME_SERVER, RESOLVER, Leg, Spot, Way
from netpath.show.palette import Space

INSIDE = (Space.NODES, Space.PODS)  # what the private subnets enclose
GAP, SIDE = 10.0, 10.0  # between bands; and from the sheet's edge
SERVERS_APART = 36.0
_REACH = 14.0  # of a place's mark: lines end there


@dataclass(frozen=True, slots=True)
class Sheet:
    """A size of map: how wide it is, where its columns are, how far apart things stand."""

    width: float
    left: float  # the first column
    column: float  # from one column to the next, if there is room
    margin: float  # right of the last column
    pods_apart: Point  # pods on one node: sideways, downwards
    apart: float  # lines between one pair of places
    resolver: float
    servers: float
    names: Point  # the band of the name servers: from, to
    doorway: float  # where the internet gateway is
    heights: Mapping[Space, float]
    lower: Mapping[Space, float]  # how far below a band's middle its places are


WIDE = Sheet(
    width=720,
    left=190,
    column=215,
    margin=90,
    pods_apart=(104, 0),
    apart=16,
    resolver=372,
    servers=560,
    names=(312, 710),
    doorway=46,
    heights={Space.INTERNET: 136, Space.PUBLIC: 104, Space.PRIVATE: 26, Space.NODES: 122, Space.PODS: 98},
    lower={Space.PUBLIC: 20, Space.NODES: 14, Space.PODS: -16},
)
# For a phone, or two maps side by side: names stand under and beside the marks, pods of one node below each other.
NARROW = Sheet(
    width=360,
    left=62,
    column=116,
    margin=60,
    pods_apart=(44, 50),
    apart=11,
    resolver=161,
    servers=230,
    names=(118, 352),
    doorway=42,
    heights={Space.INTERNET: 120, Space.PUBLIC: 82, Space.PRIVATE: 24, Space.NODES: 92, Space.PODS: 88},
    lower={Space.INTERNET: -4, Space.PUBLIC: 10, Space.NODES: 16, Space.PODS: -12},
)


@dataclass(slots=True)
class Plan:
    """Where the places of some legs stand on a sheet (`at`), and the bands (`bands`: top and height).

    Places stand in the order of travel; `fixed` puts nodes in that of their names, which is the same for all journeys.
    """

    legs: tuple[Leg, ...]
    sheet: Sheet = WIDE
    fixed: bool = False
    at: dict[Spot, Point] = field(default_factory=dict)
    bands: dict[Space, Point] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stack()
        self._names()
        self._rows()

    @property
    def bottom(self) -> float:
        return max(top + height for top, height in self.bands.values())

    @property
    def spots(self) -> list[Spot]:
        """Every place, in the order of travel."""
        return list(dict.fromkeys(spot for leg in self.legs for spot in (leg.start, leg.end)))

    # Bands -----------------------------------------------------------------------------------
    def _stack(self) -> None:
        """One band below the other, without those that nothing is in; the name servers beside the Internet."""
        top = SIDE
        for space, height in self.sheet.heights.items():
            if space is Space.INTERNET:
                height = max(height, 34 + SERVERS_APART * sum(spot.station == NAME_SERVER for spot in self.spots))
            elif not self._has(space):
                continue
            if space is Space.PUBLIC:
                top += self.sheet.doorway - GAP
            if space is Space.PODS:
                height += self.sheet.pods_apart[1] * (max(map(len, self._on_nodes().values()), default=1) - 1)
            self.bands[space] = top, height
            top += height + (GAP if space is not Space.PRIVATE else 0)
        if Space.PRIVATE in self.bands:
            start = self.bands[Space.PRIVATE][0]
            self.bands[Space.PRIVATE] = start, top - start

    def _has(self, space: Space) -> bool:
        spaces = {spot.space for spot in self.spots}
        return space in spaces or (space is Space.PRIVATE and not spaces.isdisjoint(INSIDE))

    def boxes(self) -> Iterator[tuple[Space, Point, Point]]:
        """Every band as a rectangle: its corner and its size."""
        for space, (top, height) in self.bands.items():
            inset = SIDE + (GAP if space in INSIDE else 0)
            width = self.sheet.width - 2 * inset
            if space is Space.INTERNET and self._in(Space.DNS):
                start, end = self.sheet.names
                width = start - 2 - GAP - SIDE
                yield Space.DNS, (start, top), (end - start, height)
            yield space, (inset, top), (width, height)

    # Places ----------------------------------------------------------------------------------
    def _in(self, space: Space) -> list[Spot]:
        return [spot for spot in self.spots if spot.space is space and spot.station != GATEWAY]

    def _middle(self, space: Space) -> float:
        top, height = self.bands[space]
        return top + height / 2 + self.sheet.lower.get(space, 4)

    def _names(self) -> None:
        """User, resolver, name servers, from left to right."""
        top, height = self.bands[Space.INTERNET]
        servers = [spot for spot in self.spots if spot.station == NAME_SERVER]
        first = top + 8 + (height - SERVERS_APART * (len(servers) - 1)) / 2
        for number, spot in enumerate(servers):
            self.at[spot] = self.sheet.servers, first + SERVERS_APART * number
        for spot in self.spots:
            if spot.station == RESOLVER:
                self.at[spot] = self.sheet.resolver, self._middle(Space.INTERNET)

    def _rows(self) -> None:
        """The other places: in columns, a pod under its node; gateways on the VPC's border."""
        sheet = self.sheet
        self._columns(Space.INTERNET)
        if Space.PUBLIC in self.bands:
            top = self.bands[Space.PUBLIC][0]
            doors = [spot for spot in self.spots if spot.station == GATEWAY]
            middle = top - sheet.doorway / 2
            self.at.update({spot: (sheet.left + sheet.column * number, middle) for number, spot in enumerate(doors)})
        for space in (Space.PUBLIC, Space.PRIVATE, Space.NODES):
            if space in self.bands:
                self._columns(space)
        if Space.PODS in self.bands:
            self._pods()

    def _columns(self, space: Space) -> None:
        sheet = self.sheet
        spots = [spot for spot in self._in(space) if spot not in self.at]
        if self.fixed and space is Space.NODES:
            spots.sort(key=lambda spot: spot.name)
        apart = min(sheet.column, (sheet.width - sheet.left - sheet.margin) / max(len(spots) - 1, 1))
        for number, spot in enumerate(spots):
            self.at[spot] = sheet.left + apart * number, self._middle(space)

    def _on_nodes(self) -> dict[str, list[Spot]]:
        """Pods by the node that they are on; by the last one, if theirs isn't on the map."""
        nodes = [spot.name for spot in self._in(Space.NODES)]
        under: dict[str, list[Spot]] = {}
        for spot in self._in(Space.PODS):
            under.setdefault(spot.host if spot.host in nodes else "", []).append(spot)
        return under

    def _pods(self) -> None:
        across, down = self.sheet.pods_apart
        columns = {spot.name: place[0] for spot, place in self.at.items() if spot.space is Space.NODES}
        columns[""] = max(columns.values(), default=self.sheet.left)
        first = self.bands[Space.PODS][0] + self.sheet.heights[Space.PODS] / 2 + self.sheet.lower[Space.PODS]
        for host, spots in self._on_nodes().items():
            start, step = self._side_by_side(columns[host], len(spots), across, down)
            for number, spot in enumerate(spots):
                self.at[spot] = start + step * number, first + down * number

    def _side_by_side(self, column: float, count: int, across: float, down: float) -> Point:
        """Where a node's first pod stands, and how far it is to the next: around the column, or inwards."""
        if not down:
            return column - across * (count - 1) / 2, across
        return column, across if column < self.sheet.width / 2 else -across

    # Lines -----------------------------------------------------------------------------------
    def lines(self) -> Iterator[tuple[Leg, list[Point]]]:
        """Each leg's line; those between the same two places side by side."""
        pairs: dict[frozenset[Spot], list[Leg]] = {}
        for leg in self.legs:
            if leg.start != leg.end:
                pairs.setdefault(frozenset((leg.start, leg.end)), []).append(leg)
        for pair, together in pairs.items():
            one, other = sorted((self.at[spot] for spot in pair), key=lambda at: (at[1], at[0]))
            drawn = [together] if together[0].way is Way.ASK else [[leg] for leg in together]
            for number, same in enumerate(drawn):
                shift = (number - (len(drawn) - 1) / 2) * self.sheet.apart
                line = _beside(one, other, shift)
                for leg in same:
                    yield leg, line if self.at[leg.start] == one else line[::-1]


def between(line: Sequence[Point], share: float) -> Point:
    """The point at a share of a line, from 0 at its start to 1 at its end."""
    (x, y), (to_x, to_y) = line[0], line[-1]
    return x + (to_x - x) * share, y + (to_y - y) * share


def _beside(one: Point, other: Point, shift: float) -> list[Point]:
    """A line from near one place to near another, shifted to its side."""
    length = math.dist(one, other)
    along = (other[0] - one[0]) / length, (other[1] - one[1]) / length
    start, end = (
        (at[0] + sign * _REACH * along[0] + shift * along[1], at[1] + sign * _REACH * along[1] - shift * along[0])
        for at, sign in ((one, 1), (other, -1))
    )
    return [start, end]
