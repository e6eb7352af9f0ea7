"""The address spaces of a world, one inside the other, and who stands on each boundary.

The Internet, the VPC, its subnets zone by zone, nodes, pods: each is a region that an address means something in. What
is on the map is `netpath.show.land`'s: a pod stands under the network interface whose secondary address it has, a line
joins a public address to the private one that it is paired with, and a letter stands where addresses are rewritten.

Not modelled: distances; and what is many is counted, not drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from netpath.nodes import ClusterNode
from netpath.packet import Address
from netpath.show.canvas import Canvas, Drawn, width_of
from netpath.show.land import IGW, NAT, NODE, Land, Translator, chosen, translators
from netpath.show.legs import abridged, short
from netpath.show.palette import INK, PAPER, SPACES, Space
from netpath.vpc import NatGateway, NetworkInterface, Subnet
from netpath.world import World

# Where everything goes ---------------------------------------------------------------------------

WIDTH = 720.0
SIDE, GAP = 10.0, 10.0
ROW = 15.5
SKY, DOOR, LEGEND = 92.0, 34.0, 31.0
MARK_AT, NAT_AT = 0.09, 0.62  # of a column's width: where the first interface and the NAT gateway stand
ABREAST, MOST_ROWS, MOST_NODES = 2, 8, 4

Row = tuple[Space | None, str, str]  # a mark or none, an address, a name


@dataclass(slots=True)
class _Block:
    """A box of the map: a subnet with what is in it, or a node."""

    title: str
    space: Space
    left: float
    width: float
    marks: tuple[NetworkInterface, ...] = ()
    rows: tuple[Row, ...] = ()
    inner: list[_Block] = field(default_factory=list)
    top: float = 0.0

    @property
    def height(self) -> float:
        marks = 46.0 if self.marks else 0.0
        return 26 + marks + ROW * len(self.rows) + sum(each.height + 8 for each in self.inner) + (4 if self.rows else 0)

    def place(self, top: float) -> None:
        """Give it and what is in it a place."""
        self.top = top
        at = top + 26 + (46 if self.marks else 0) + ROW * len(self.rows) + (4 if self.rows else 0)
        for each in self.inner:
            each.place(at)
            at += each.height + 8


@dataclass(slots=True)
class _Map:
    """All blocks in their places."""

    land: Land
    blocks: dict[str, _Block] = field(default_factory=dict)  # by subnet id
    zones: list[tuple[str, float, float]] = field(default_factory=list)  # name, and where it stands
    bottom: float = 0.0

    def __post_init__(self) -> None:
        zones = list(self.land.zones().items())
        top = SIDE + SKY + DOOR + 24
        for start in range(0, len(zones), ABREAST):
            top = self._abreast(zones[start : start + ABREAST], top, first=start == 0) + 24
        self.bottom = top - 14

    def _abreast(self, zones: Sequence[tuple[str, list[Subnet]]], top: float, first: bool) -> float:
        """Zones side by side, their private subnets level; where they end."""
        inner = WIDTH - 2 * SIDE - 2 * GAP
        width = (inner - GAP * (len(zones) - 1)) / len(zones)
        columns = []
        for number, (zone, subnets) in enumerate(zones):
            left = SIDE + GAP + number * (width + GAP)
            self.zones.append((zone, left + MARK_AT * width + 14, top + 6))
            columns.append([(each, self._subnet(each, left, width, first)) for each in subnets])
        level = top + 14
        for public in (True, False):
            ends = [level]
            for column in columns:
                at = level
                for subnet, block in column:
                    if self.land.is_public(subnet) is public:
                        block.place(at)
                        at += block.height + 12
                        self.blocks[subnet.subnet_id] = block
                ends.append(at)
            level = max(ends) + (22 if public and max(ends) > level else 0)
        return level

    def _subnet(self, subnet: Subnet, left: float, width: float, first: bool) -> _Block:
        public = self.land.is_public(subnet)
        interfaces = self.land.interfaces(subnet)
        marks = _marked(self.land, interfaces) if public and first else ()
        rows = [self._row(each, public) for each in interfaces if each not in marks]
        title = f"{'public' if public else 'private'} subnet {subnet.cidr_block}"
        space = Space.PUBLIC if public else Space.PRIVATE
        block = _Block(title, space, left, width, marks, _shortly(rows, MOST_ROWS))
        inside = [each for each in self.land.nodes if self._home(each) == subnet.subnet_id]
        block.inner = [self._node(each, left + 8, width - 16) for each in inside[:MOST_NODES]]
        if len(inside) > MOST_NODES:
            block.rows = (*block.rows, (Space.NODES, "", f"and {len(inside) - MOST_NODES} more nodes"))
        return block

    @staticmethod
    def _home(node: ClusterNode) -> str:
        return next(iter(node.devices.values())).subnet_id

    def _row(self, interface: NetworkInterface, public: bool) -> Row:
        name = self.land.name(interface)
        return Space.PUBLIC if public else Space.PRIVATE, self._paired(interface.primary), name

    def _paired(self, address: Address) -> str:
        """An address, with the public one that it is paired with."""
        public = self.land.pairs.get(address)
        return f"{address} ⇄ {public}" if public else str(address)

    def _node(self, node: ClusterNode, left: float, width: float) -> _Block:
        rows: list[Row] = []
        for device, interface in node.devices.items():
            rows.append((None, self._paired(interface.primary), f"{device}, {NODE} itself"))
            held = [(at, pod) for at, pod in self.land.world.pods.items() if interface.holds(at)]
            pods = [(Space.PODS, self._paired(at), short(pod.key, "pod")) for at, pod in held]
            rows.extend(_shortly(pods, MOST_ROWS))
        return _Block(short(node.node.name, NODE), Space.NODES, left, width, rows=tuple(rows))

    def mark_at(self, block: _Block, interface: NetworkInterface) -> tuple[float, float]:
        """Where an interface's mark stands."""
        share = NAT_AT if interface is not block.marks[0] or self.land.nat(interface) else MARK_AT
        return block.left + share * block.width, block.top + 26


def _marked(land: Land, interfaces: Sequence[NetworkInterface]) -> tuple[NetworkInterface, ...]:
    """The interfaces that get a mark and a line: the first with a public address, and the NAT gateway."""
    paired = [each for each in interfaces if land.public(each) is not None]
    plain = next((each for each in paired if land.nat(each) is None), None)
    gateway = next((each for each in interfaces if land.nat(each) is not None), None)
    return tuple(each for each in (plain, gateway) if each is not None)


def _shortly(rows: Sequence[Row], most: int) -> tuple[Row, ...]:
    if len(rows) <= most:
        return tuple(rows)
    return (*rows[: most - 1], (rows[0][0], "", f"and {len(rows) - most + 1} more"))


# Drawing -----------------------------------------------------------------------------------------


def boundaries(world: World, vpc_id: str | None = None) -> Drawn:
    """The address spaces of a world's VPC, nested, with who translates at each boundary. Raises `WorldError`.

    Without `vpc_id`, the VPC with the most network interfaces. The same world, the same drawing.
    """
    land = Land(world, chosen(world, vpc_id))
    plan, standing = _Map(land), translators(world, land.vpc.vpc_id)
    canvas = Canvas(WIDTH, plan.bottom + 22 + LEGEND * len(standing))
    _regions(canvas, plan)
    for block in plan.blocks.values():
        _block(canvas, block, standing)
    _doors(canvas, plan, standing)
    _legend(canvas, plan, standing)
    return Drawn(canvas.figure, _caption(land), " ".join(_told(plan, standing)))


def _regions(canvas: Canvas, plan: _Map) -> None:
    """The Internet and the VPC: the two that hold everything."""
    vpc, land = SPACES[Space.PRIVATE], plan.land
    _region(canvas, Space.INTERNET, "the Internet", SIDE, SIDE, WIDTH - 2 * SIDE, SKY)
    spots = [(land.world.user, "user"), (land.world.resolver, "resolver")]
    for number, (address, name) in enumerate(spots):
        at = SIDE + GAP + 28 + 190 * number, SIDE + 44
        canvas.mark(at, SPACES[Space.INTERNET], 8)
        canvas.text((at[0] + 15, at[1] + 4), f"{name}", 10.5, "start")
        canvas.text((at[0] + 15 + width_of(name, 10.5) + 6, at[1] + 4), str(address), 9.4, "start", mono=True)
    top = SIDE + SKY + DOOR
    canvas.box((SIDE, top), (WIDTH - 2 * SIDE, plan.bottom - top), vpc.colour, width=1.6)
    for zone, x, y in plan.zones:
        canvas.text((x, y), f"zone {zone}" if zone else "", 9.4, "start", italic=True)
    name = f"the VPC {' '.join(map(str, land.vpc.cidr_blocks))}"
    canvas.text((WIDTH - SIDE - 10, top + 16), name, 10.5, "end", bold=True)


def _region(canvas: Canvas, space: Space, title: str, left: float, top: float, width: float, height: float) -> None:
    look = SPACES[space]
    canvas.box((left, top), (width, height), look.colour, fill=look.colour, alpha=0.1)
    canvas.mark((left + 14, top + 14), look, 5)
    canvas.text((left + 24, top + 18), title, 10.5, "start", bold=True)


def _block(canvas: Canvas, block: _Block, standing: Sequence[Translator]) -> None:
    """A subnet or a node, and what is in it."""
    look = SPACES[block.space]
    canvas.box((block.left, block.top), (block.width, block.height), look.colour, fill=look.colour, alpha=0.09)
    title = block.top + 18 if not block.marks else block.top + 62
    canvas.mark((block.left + 14, title - 4), look, 5)
    canvas.text((block.left + 24, title), block.title, 10.5, "start", bold=True)
    if block.space is Space.NODES:
        for number, each in enumerate(each for each in reversed(standing) if each.station == NODE):
            _letter(canvas, (block.left + block.width - 14 - 19 * number, block.top + 14), each.letter)
    at = block.top + 26 + (46 if block.marks else 0) + ROW - 5
    for space, address, name in block.rows:
        _row(canvas, (block.left + 14, at), block.width - 22, space, address, name)
        at += ROW
    for inner in block.inner:
        _block(canvas, inner, standing)


def _row(canvas: Canvas, at: tuple[float, float], room: float, space: Space | None, address: str, name: str) -> None:
    x, end = at[0], at[0] + room
    if space is not None:
        canvas.mark((x + 10, at[1] - 3.5), SPACES[space], 4.6)
        x += 20
    if address:
        canvas.text((x, at[1]), address, 9.4, "start", mono=True)
        x += width_of(address, 9.4, mono=True) + 9
    canvas.text((x, at[1]), _clipped(name, 9.6, end - x), 9.6, "start")


def _doors(canvas: Canvas, plan: _Map, standing: Sequence[Translator]) -> None:
    """The internet gateway on the VPC's border with a line for each pair; NAT gateways with a line from below."""
    land, letters = plan.land, {each.station: each.letter for each in reversed(standing)}
    middle = SIDE + SKY + DOOR / 2
    for block in plan.blocks.values():
        for interface in block.marks:
            x, y = plan.mark_at(block, interface)
            _pair(canvas, land, interface, (x, y))
            if land.nat(interface) is not None and NAT in letters:
                _letter(canvas, (x + 100, y - 1), letters[NAT])
    if land.gateway is not None:
        canvas.box((SIDE + 4, middle - 9), (WIDTH - 2 * SIDE - 8, 18), INK, fill=PAPER, radius=4, width=1.4)
        canvas.text((WIDTH / 2, middle + 4), f"{IGW} {abridged(land.gateway)}: one for one", 10.5, bold=True)
        _letter(canvas, (SIDE + 20, middle), letters[IGW])
    for subnet in land.subnets:
        for gateway in land.egress(subnet):
            _egress(canvas, plan, subnet, gateway)


def _pair(canvas: Canvas, land: Land, interface: NetworkInterface, at: tuple[float, float]) -> None:
    """An interface's mark, its name, and the public address that stands for it outside."""
    public, (x, y) = land.public(interface), at
    if public is not None:
        top = SIDE + SKY - 16
        canvas.line([(x, top), (x, y)], INK, 1.2)
        canvas.mark((x, top), SPACES[Space.INTERNET], 6)
        canvas.text((x + 12, top + 4), str(public), 9.4, "start", mono=True)
    canvas.mark((x, y), SPACES[Space.PUBLIC], 8)
    canvas.text((x + 15, y), _clipped(land.name(interface), 10.5, 124), 10.5, "start")
    canvas.text((x + 15, y + 13), str(interface.primary), 9.4, "start", mono=True)


def _egress(canvas: Canvas, plan: _Map, subnet: Subnet, gateway: NatGateway) -> None:
    """A line from a subnet up to the NAT gateway that its routes lead to; words, where something is in between."""
    house, home = plan.blocks[subnet.subnet_id], plan.blocks.get(gateway.subnet_id)
    interface = plan.land.region.nat_interface(gateway)
    if home is not None and interface in home.marks:
        x, y = plan.mark_at(home, interface)
        start = x if house.left <= x <= house.left + house.width else house.left + NAT_AT * house.width
        if not any(_between(home, each, house, start) for each in plan.blocks.values()):
            canvas.line([(start, house.top), (x, y + 11)], INK, 1.4, arrow=True)
            return
    at = house.left + house.width - 10, house.top + 18
    canvas.text(at, f"out by {gateway.addresses[0].address}", 9.4, "end")


def _between(upper: _Block, block: _Block, lower: _Block, x: float) -> bool:
    """Whether a block is in the way of a line between two others."""
    return upper.top < block.top < lower.top and block.left <= x <= block.left + block.width


def _letter(canvas: Canvas, at: tuple[float, float], letter: str) -> None:
    canvas.disc(at, 8, INK, fill=PAPER, width=1.3)
    canvas.text((at[0], at[1] + 3.6), letter, 9.6, bold=True)


def _legend(canvas: Canvas, plan: _Map, standing: Sequence[Translator]) -> None:
    """Who stands where: when, and what becomes of the packet."""
    at = plan.bottom + 24
    for each in standing:
        _letter(canvas, (SIDE + 12, at - 1), each.letter)
        canvas.text((SIDE + 26, at), each.station, 10.5, "start", bold=True)
        x = SIDE + 26 + width_of(each.station, 10.5, True) + 10
        canvas.text((x, at), each.when, 10.5, "start")
        canvas.text((SIDE + 26, at + 13.5), f"{each.what}; {_memory(each)}", 10, "start")
        at += LEGEND


def _clipped(text: str, size: float, room: float) -> str:
    """As much of a text as there is room for."""
    while len(text) > 2 and width_of(text, size) > room:
        text = f"{text[:-2]}…"
    return text


def _memory(each: Translator) -> str:
    return "remembers every connection" if each.remembers else "remembers nothing"


# In words ----------------------------------------------------------------------------------------


def _caption(land: Land) -> str:
    pods = sum(len(node.pods) for node in land.nodes)
    return (
        f"The address spaces of {land.vpc.vpc_id}, one inside the other: {len(land.subnets)} subnets, "
        f"{len(land.nodes)} nodes, {pods} pods. Letters mark who rewrites addresses; the list below says when and how. "
        "A vertical line joins a public address to the private one that it stands for."
    )


def _told(plan: _Map, standing: Sequence[Translator]) -> Iterator[str]:
    """All that is to be seen, in sentences."""
    land = plan.land
    yield f"The Internet: user {land.world.user}, resolver {land.world.resolver}."
    yield f"The VPC {land.vpc.vpc_id}, {' and '.join(map(str, land.vpc.cidr_blocks))}."
    for subnet in land.subnets:
        block = plan.blocks[subnet.subnet_id]
        marks = [f"{land.name(each)} {plan._paired(each.primary)}" for each in block.marks]
        ways = [f"the way out is {NAT} {each.addresses[0].address}" for each in land.egress(subnet)]
        told = [*marks, *_rows(block), *ways]
        yield f"{block.title} in {subnet.availability_zone}: {', '.join(told) or 'nothing'}."
        for node in block.inner:
            yield f"Node {node.title}: {', '.join(_rows(node))}."
    for each in standing:
        yield f"{each.letter}, {each.station}, {each.when}: {each.what}; {_memory(each)}."


def _rows(block: _Block) -> list[str]:
    return [f"{name} {address}".strip() for _, address, name in block.rows]
