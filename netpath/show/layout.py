"""How a cluster lies in its VPC: zones, subnets, gateways, and where each subnet's default route leads.

A column is a zone, a room in it a subnet, public ones above the private ones. What makes a subnet public is drawn, not
named: the arrow from it, its route for all that is outside the VPC, leads to the internet gateway. Every room and every
arrow comes from the world's files.

Not modelled: routes other than the default one, and network interfaces that nothing of the world is known about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from netpath.show.canvas import Canvas, Drawn, Point, Sheet, width_of
from netpath.show.legs import abridged, shortened
from netpath.show.palette import GREY, INK, PAPER, SPACES, Space
from netpath.vpc import NetworkInterface, Region, Route, Subnet, TargetKind, Vpc
from netpath.vpc.objects import ANYWHERE
from netpath.world import Kind, World

WIDTH = 720.0
SIDE, GAP = 14.0, 10.0
INTERNET, DOOR = 34.0, 66.0  # the Internet's height; how far from its lower edge the rooms begin
ZONE = 22.0  # a zone's title
HEAD, FOOT = 37.0, 8.0  # a room's title and route; what is left free below
APART = 26.0  # between a zone's rooms: there the arrows' heads are seen
ITEM, BESIDE = 46.0, 150.0  # how high a thing in a room is, and how wide at least


@dataclass(frozen=True, slots=True)
class Item:
    """A thing in a subnet: what it is, its name and addresses; a node's pods, counted."""

    kind: str
    space: Space
    words: tuple[str, ...]
    name: str = ""
    pods: int = 0

    def __str__(self) -> str:
        pods = f" with {_pods(self.pods)}" if self.pods else ""
        words = [word for word in self.words if word != self.kind]
        return f"{' '.join((self.kind, *words))}{pods}"


@dataclass(frozen=True, slots=True)
class Room:
    """A subnet, its route table, its default route (None: it has none), and what is in it."""

    subnet: Subnet
    table: str
    route: Route | None
    items: tuple[Item, ...]

    @property
    def public(self) -> bool:
        """Whether it is a public subnet: its default route leads to an internet gateway."""
        return self.route is not None and self.route.kind is TargetKind.INTERNET_GATEWAY

    @property
    def told(self) -> str:
        """The default route, in a line."""
        table = abridged(self.table)
        return f"{table}: no default route" if self.route is None else f"{table}: {ANYWHERE} → {_target(self.route)}"

    def __str__(self) -> str:
        kind = "public" if self.public else "private"
        inside = "; ".join(map(str, self.items)) or "nothing"
        return f"{kind} subnet {self.subnet.cidr_block} ({self.told}), in it: {inside}"


def layout(world: World) -> Drawn:
    """The VPC in which a world's load balancers and cluster are. Raises `WorldError` if it has none.

    The arrows are the subnets' default routes.
    """
    region = world.need(world.region, "region", "a layout")
    vpc = _vpc(world, region)
    zones = [(zone, list(rooms)) for zone, rooms in groupby(rooms_of(world, vpc), lambda room: _zone(room.subnet))]
    gateway = region.gateway_of.get(vpc.vpc_id)
    plan = _Plan(vpc, zones, gateway.internet_gateway_id if gateway else "")
    return Drawn(_draw(plan), _caption(plan), _words(plan))


def rooms_of(world: World, vpc: Vpc) -> list[Room]:
    """The subnets of a VPC with what is in them: by zone, then the public ones first, then by address."""
    region = world.need(world.region, "region", "a layout")
    rooms = [_room(world, region, subnet) for subnet in region.subnets if subnet.vpc_id == vpc.vpc_id]
    return sorted(rooms, key=lambda room: (_zone(room.subnet), not room.public, room.subnet.cidr_block))


def _vpc(world: World, region: Region) -> Vpc:
    """The VPC of the first load balancer or node; the first one if there is neither."""
    places = [node.address for balancer in world.load_balancers for node in balancer.nodes]
    places += [node.node.address for node in world.nodes.values()]
    homes = (vpc for place in places for vpc in region.vpcs if region.interface_at(vpc.vpc_id, place) is not None)
    found = next(homes, region.vpcs[0] if region.vpcs else None)
    return world.need(found, "region", "a layout")


def _zone(subnet: Subnet) -> str:
    return subnet.availability_zone or "some zone"


def _room(world: World, region: Region, subnet: Subnet) -> Room:
    items = tuple(_items(world, region, subnet))
    if not region.has_route_table(subnet):
        return Room(subnet, "no table", None, items)
    table = region.route_table_of(subnet)
    route = next((route for route in table.routes if route.destination == ANYWHERE), None)
    return Room(subnet, table.route_table_id, route, items)


def _items(world: World, region: Region, subnet: Subnet) -> Iterator[Item]:
    """Load balancers' nodes, NAT gateways, then the cluster's nodes; a node by the interface with its address."""
    here = [one for one in region.network_interface.values() if one.subnet_id == subnet.subnet_id]
    for interface in here:
        place = world.where(interface.primary)
        if place.kind is Kind.LOAD_BALANCER:
            yield Item("load balancer node", Space.PUBLIC, (place.name.partition(" ")[0], *_addresses(interface)))
    for interface in here:
        nat = region.nat_at.get(interface.network_interface_id)
        if nat is not None:
            words = ("NAT gateway", *_addresses(interface))
            yield Item("NAT gateway", Space.PUBLIC, words, nat.nat_gateway_id)
    for interface in here:
        node = world.node_with.get(interface.network_interface_id)
        if node is not None and interface.holds(node.node.address):
            label = shortened(node.node.name, "node")[0]
            yield Item("node", Space.NODES, (label, str(node.node.address)), node.node.name, len(node.pods))


def _addresses(interface: NetworkInterface) -> tuple[str, ...]:
    """Its private address, and the public one if it has any."""
    held = interface.addresses[0]
    return (str(held.address),) if held.public_ip is None else (str(held.address), str(held.public_ip))


def _pods(count: int) -> str:
    return f"{count} pod{'s' * (count != 1)}"


# Words -----------------------------------------------------------------------------------------
_SHORT = {TargetKind.INTERNET_GATEWAY: "internet gateway", TargetKind.NAT_GATEWAY: "NAT gateway"}


def _target(route: Route) -> str:
    named = _SHORT.get(route.kind, abridged(route.target))
    return named if route.state == "active" else f"{named} ({route.state})"


def _caption(plan: _Plan) -> str:
    zones = f"{len(plan.zones)} zone{'s' * (len(plan.zones) != 1)}"
    blocks = " and ".join(map(str, plan.vpc.cidr_blocks))
    return (
        f"The VPC {blocks} over {zones}. A box is a subnet, with its route table's "
        "default route below its range, and an arrow to where that route leads. A subnet whose arrow leads to the "
        "internet gateway is public; nothing else makes it so."
    )


def _words(plan: _Plan) -> str:
    door = f"the internet gateway {plan.gateway}" if plan.gateway else "no internet gateway"
    told = [f"VPC {plan.vpc.vpc_id} with {door}."]
    told += [f"Zone {zone}: {'. '.join(_sentence(room) for room in rooms)}." for zone, rooms in plan.zones]
    return " ".join(told)


def _sentence(room: Room) -> str:
    text = str(room)
    return text[0].upper() + text[1:]


# Drawing ---------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Plan:
    """The rooms by zone, and the internet gateway's id (empty if there is none)."""

    vpc: Vpc
    zones: list[tuple[str, list[Room]]]
    gateway: str

    @property
    def column(self) -> float:
        """How wide a zone is."""
        count = max(len(self.zones), 1)
        return (WIDTH - 2 * SIDE - 2 * GAP - GAP * (count - 1)) / count

    @property
    def abreast(self) -> int:
        """How many things stand side by side in a room."""
        return max(int((self.column - GAP) // BESIDE), 1)

    @property
    def rows(self) -> list[float]:
        """How high each row of rooms is: they stand level in all zones."""
        deepest = max((len(rooms) for _, rooms in self.zones), default=0)
        levels = ([rooms[row] for _, rooms in self.zones if row < len(rooms)] for row in range(deepest))
        return [max(self._height(room) for room in level) for level in levels]

    def _height(self, room: Room) -> float:
        return HEAD + FOOT + ITEM * -(-len(room.items) // self.abreast)

    @property
    def top(self) -> float:
        return SIDE + INTERNET + DOOR

    @property
    def door(self) -> Point:
        return WIDTH / 2, SIDE + INTERNET + 28

    @property
    def height(self) -> float:
        return self.top + ZONE + sum(self.rows) + APART * max(len(self.rows) - 1, 0) + GAP + SIDE

    def corners(self) -> Iterator[tuple[Room, Point, float]]:
        """Each room, where it stands, and how high it is."""
        for column, (_, rooms) in enumerate(self.zones):
            y = self.top + ZONE
            for room, height in zip(rooms, self.rows, strict=False):
                yield room, (self.left(column), y), height
                y += height + APART

    def left(self, column: int) -> float:
        return SIDE + GAP + (self.column + GAP) * column

    def places(self, corner: Point) -> Iterator[Point]:
        """Where the things in a room stand, without end."""
        row = 0
        while True:
            for number in range(self.abreast):
                x = corner[0] + 20 + number * (self.column - GAP) / self.abreast
                yield x, corner[1] + HEAD + 19 + ITEM * row
            row += 1


def _draw(plan: _Plan) -> Sheet:
    canvas = Canvas(WIDTH, plan.height)
    _outside(canvas, plan)
    for column, (zone, _) in enumerate(plan.zones):
        canvas.text((plan.left(column) + 2, plan.top + 14), zone, 10.5, "start", bold=True)
    _rooms(canvas, plan)
    _arrows(canvas, plan)
    if plan.gateway:
        _gateway(canvas, plan)
    return canvas.figure


def _outside(canvas: Canvas, plan: _Plan) -> None:
    """The Internet, and the VPC's border below it."""
    internet = SPACES[Space.INTERNET]
    canvas.box((SIDE, SIDE), (WIDTH - 2 * SIDE, INTERNET), internet.colour, fill=internet.colour, alpha=0.1)
    canvas.mark((SIDE + 16, SIDE + INTERNET / 2), internet, 6)
    canvas.text((SIDE + 30, SIDE + INTERNET / 2 + 4), Space.INTERNET, 11, "start", bold=True)
    door = plan.door
    canvas.box((SIDE, door[1]), (WIDTH - 2 * SIDE, plan.height - door[1] - SIDE), GREY)
    title = f"VPC {' '.join(map(str, plan.vpc.cidr_blocks))}"
    canvas.text((SIDE + GAP, door[1] + 18), title, 10.5, "start", bold=True)


def _gateway(canvas: Canvas, plan: _Plan) -> None:
    door = plan.door
    canvas.line([(door[0], SIDE + INTERNET), (door[0], door[1] - 7)], INK, 1.6)
    canvas.box((door[0] - 25, door[1] - 7), (50, 14), INK, fill=PAPER, radius=3, width=1.4)
    canvas.mark(door, SPACES[Space.PUBLIC], 3.5)
    canvas.text((door[0] + 32, door[1] - 6), f"internet gateway {abridged(plan.gateway)}", 10, "start")


def _rooms(canvas: Canvas, plan: _Plan) -> None:
    for room, corner, height in plan.corners():
        look = SPACES[Space.PUBLIC if room.public else Space.PRIVATE]
        canvas.box(corner, (plan.column, height), look.colour, fill=look.colour, alpha=0.1)
        canvas.mark((corner[0] + 14, corner[1] + 14), look, 5)
        kind = "public subnet" if room.public else "private subnet"
        canvas.text((corner[0] + 25, corner[1] + 18), kind, 10.5, "start", bold=True)
        cidr = corner[0] + 32 + width_of(kind, 10.5, True)
        canvas.text((cidr, corner[1] + 18), str(room.subnet.cidr_block), 9.6, "start", mono=True)
        _clipped(canvas, (corner[0] + 25, corner[1] + 32), room.told, plan.column - 30)
        for item, place in zip(room.items, plan.places(corner), strict=False):
            _item(canvas, item, place)


def _clipped(canvas: Canvas, at: Point, text: str, width: float) -> None:
    while width_of(text, 9.2) > width:
        text = text[:-2] + "…"
    canvas.text(at, text, 9.2, "start")


def _item(canvas: Canvas, item: Item, at: Point) -> None:
    canvas.mark(at, SPACES[item.space], 8)
    for number, word in enumerate(item.words):
        numeric = word[:1].isdigit()
        canvas.text((at[0] + 15, at[1] - 3 + 11.5 * number), word, 9.2 if numeric else 10, "start", mono=numeric)
    for number in range(min(item.pods, 5)):
        canvas.mark((at[0] + 19 + 11 * number, at[1] + 18), SPACES[Space.PODS], 3.8)
    if item.pods:
        x = at[0] + 19 + 11 * min(item.pods, 5)
        canvas.text((x, at[1] + 22), _pods(item.pods), 9.2, "start")


def _arrows(canvas: Canvas, plan: _Plan) -> None:
    """From each room to what its default route names, if that is on the sheet."""
    nats = {item.name: place for room, corner, _ in plan.corners() for item, place in _placed(plan, room, corner)}
    for room, corner, _ in plan.corners():
        if room.public and plan.gateway:
            start = _towards(corner, plan)
            end = plan.door[0] + (-16 if start[0] < plan.door[0] else 16 if start[0] > plan.door[0] else 0)
            canvas.line([start, (end, plan.door[1] + 9)], INK, 1.4, arrow=True)
        elif room.route is not None and room.route.target in nats:
            end_x, end_y = nats[room.route.target]
            level = corner[0] <= end_x <= corner[0] + plan.column
            begin = (end_x if level else _towards(corner, plan)[0], corner[1])
            canvas.line([begin, (end_x, end_y + 11)], INK, 1.4, arrow=True)


def _placed(plan: _Plan, room: Room, corner: Point) -> Iterator[tuple[Item, Point]]:
    return zip((item for item in room.items), plan.places(corner), strict=False)


def _towards(corner: Point, plan: _Plan) -> Point:
    """The point of a room's upper edge that is nearest to the gateway, but not its corner."""
    inset = min(110.0, plan.column / 2)
    return min(max(plan.door[0], corner[0] + inset), corner[0] + plan.column - inset), corner[1]
