"""The tree of names with a resolver's walk over it: whom it asked, in which order, what it heard.

The tree has the names that the walk is about: every zone whose server was asked, and every name that was asked for.
Names in between that nobody was asked about are left out, and so `elb.amazonaws.com` and the like become part of the
label below. A hexagon is the first name of a zone, a circle a name inside one, and dashes across a branch are a zone
cut: below it somebody else decides.

Not modelled: the rest of the tree, which has some hundred million names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise

import dns.name
import dns.rdatatype
from dns.name import Name
from dns.rdatatype import RdataType

from netpath.codes import Fate
from netpath.errors import InputError
from netpath.names import Looked
from netpath.packet import Verdict
from netpath.resolution import Exchange, Records, Resolution
from netpath.resolution.records import ADDRESS_TYPES, from_rrset, is_below, key_of
from netpath.show.canvas import Canvas, Drawn, Point, width_of
from netpath.show.legs import asked, written
from netpath.show.palette import FATES, GREY, INK, PAPER, SPACES, Space

WIDTH, COLUMN, LEVEL = 400.0, 150.0, 62.0
TOP, EDGE, INDENT = 24.0, 12.0, 44.0
BADGE, LETTER, SMALL = 8.0, 11.5, 11.0
LINE, ROW = 15.0, 9.0  # in the list: one line below another, and between questions


def tree(record: Resolution | Looked) -> Drawn:
    """The tree of names, and a resolver's walk over it, numbered. Raises `InputError` where no resolver was asked."""
    resolution = record.resolution if isinstance(record, Looked) else record
    if resolution is None:
        raise InputError("no walk to draw: the stub remembered the answer", expected="a look-up that asked a resolver")
    sketch = _Sketch(resolution)
    sketch.draw()
    return Drawn(sketch.canvas.figure, _caption(resolution), _alternative(resolution), least=300)


# The words -------------------------------------------------------------------------------------


def heard(exchange: Exchange) -> str:
    """What a name server's response came to, in a few words."""
    if exchange.response is None or exchange.code not in _SAID:
        return Verdict(exchange.code).meaning.happened.rstrip(".")
    return _SAID[exchange.code](exchange)


def _referral(exchange: Exchange) -> str:
    assert exchange.response is not None
    servers = next(from_rrset(each) for each in exchange.response.authority if each.rdtype == RdataType.NS)
    hosts = ", ".join(map(written, servers.hosts))
    known = [str(datum) for records in glue(exchange) for datum in records.data]
    return f"referral: ask for {written(servers.name)} at {hosts} (glue: {', '.join(known) or 'none'})"


def glue(exchange: Exchange) -> tuple[Records, ...]:
    """The addresses that came along with a response."""
    additional = exchange.response.additional if exchange.response is not None else ()
    return tuple(from_rrset(each) for each in additional if each.rdtype in ADDRESS_TYPES)


def _answer(exchange: Exchange) -> str:
    records = from_rrset(_answering(exchange))
    return f"{', '.join(str(datum).removesuffix('.') for datum in records.data)} (TTL {records.ttl})"


def _alias(exchange: Exchange) -> str:
    records = from_rrset(_answering(exchange))
    kind = dns.rdatatype.to_text(records.type)
    return f"{kind}: the name is another name of {written(records.target)} (TTL {records.ttl})"


def _answering(exchange: Exchange) -> dns.rrset.RRset:
    assert exchange.response is not None
    return exchange.response.answer[0]


def _missing(exchange: Exchange) -> str:
    assert exchange.response is not None
    said = {"NXDOMAIN": "no such name", "NODATA": "the name exists, without records of this type"}[exchange.code]
    limits = [each.ttl for each in exchange.response.authority if each.rdtype == RdataType.SOA]
    return f"{exchange.code}: {said}" + (f"; may be remembered for {limits[0]} s" if limits else "")


_SAID = {"REFERRAL": _referral, "NOERROR": _answer, "CNAME": _alias, "NXDOMAIN": _missing, "NODATA": _missing}


def _question(resolution: Resolution) -> str:
    question = resolution.response.question[0]
    return f"{written(question.name)} {dns.rdatatype.to_text(question.rdtype)}"


def result(resolution: Resolution) -> str:
    """What the resolver tells its client, in a few words: the data of the last records, or the code."""
    answer = resolution.response.answer
    if not answer:
        return resolution.code
    return ", ".join(str(datum).removesuffix(".") for datum in answer[-1])


def _caption(resolution: Resolution) -> str:
    walked = resolution.exchanges
    if not walked:
        return f"{_question(resolution)}: the resolver asked nobody, for it had the answer in its cache."
    times = "one question" if len(walked) == 1 else f"{len(walked)} questions"
    servers = len({each.address for each in walked})
    found = "looked for" if resolution.code in ("NXDOMAIN", "NODATA", "SERVFAIL") else "found"
    told = (
        f"How a resolver {found} {_question(resolution)}: {times} to {servers} name server{'s' * (servers > 1)}. A "
        "number stands at the zone whose server was asked. A hexagon is the first name of a zone, a circle a name "
        "inside one, and dashes across a branch are a zone cut."
    )
    if _missing_names(resolution):
        told += " A cross is a name that doesn't exist."
    return told + (" A dashed arrow leads to where another search begins." if _elsewhere(resolution) else "")


def _elsewhere(resolution: Resolution) -> bool:
    """Whether the walk once did something else than go down one referral after the other."""
    parent = Tree.of(resolution).parent
    return any(one.zone not in (two.zone, parent[two.zone]) for one, two in pairwise(resolution.exchanges))


def _alternative(resolution: Resolution) -> str:
    return " ".join(_sentences(resolution))


def _sentences(resolution: Resolution) -> Iterator[str]:
    places, missing = Tree.of(resolution), _missing_names(resolution)
    for name in places.parent:
        kind = "zone" if name in places.zones else "missing name" if name in missing else "name"
        below = "" if name == dns.name.root else f" below {_spoken(places.parent[name])}"
        yield f"{kind.capitalize()} {_spoken(name)}{below}."
    for number, each in enumerate(resolution.exchanges, 1):
        where = f"{written(each.server)} at {each.address}, a server of {_spoken(each.zone)}"
        yield f"{number}: {where}, is asked {asked(each)}: {heard(each)}."
    yield f"The client hears {result(resolution)}."


def _spoken(name: Name | None) -> str:
    return "the root" if name in (None, dns.name.root) else written(name or dns.name.root)


# The tree --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tree:
    """Names, each under the closest of the others above it. `zones`: which of them a zone begins with.

    `at`: column (leaves stand on 0, 1, 2 …) and depth. Names come from the root down, in the order in which they
    were given.
    """

    parent: Mapping[Name, Name | None]
    zones: frozenset[Name]
    at: Mapping[Name, Point]

    @classmethod
    def of(cls, resolution: Resolution) -> Tree:
        """The names that a resolution was about."""
        question = resolution.response.question[0].name
        zones = [each.zone for each in resolution.exchanges]
        return cls.made([*zones, question, *(each.query.question[0].name for each in resolution.exchanges)], zones)

    @classmethod
    def made(cls, names: Iterable[Name], zones: Iterable[Name]) -> Tree:
        every = list(dict.fromkeys([dns.name.root, *names]))
        parent = {name: _above(name, every) for name in sorted(every, key=lambda name: len(name.labels))}
        return cls(parent, frozenset(zones), _laid_out(parent))

    @property
    def columns(self) -> int:
        return 1 + round(max(column for column, _ in self.at.values()))

    @property
    def levels(self) -> int:
        return 1 + round(max(depth for _, depth in self.at.values()))

    def label(self, name: Name) -> tuple[str, ...]:
        """What a name adds to the one above it, in lines."""
        above = self.parent[name]
        if above is None:
            return (". (the root)",)
        labels = written(name.relativize(above)).split(".") if above != dns.name.root else written(name).split(".")
        lines: list[str] = []
        for label in labels:
            fits = lines and len(lines[-1]) + len(label) < _LONGEST
            lines[-1:] = [f"{lines[-1]}.{label}"] if fits else [*(f"{each}." for each in lines[-1:]), label]
        return tuple(line if len(line) <= _LONGEST + 1 else f"{line[:_LONGEST]}…" for line in lines)


_LONGEST = 15


def _above(name: Name, names: Iterable[Name]) -> Name | None:
    key = key_of(name)
    above = [other for other in names if other != name and is_below(key, key_of(other))]
    return max(above, key=lambda other: len(other.labels), default=None)


def _laid_out(parent: Mapping[Name, Name | None]) -> Mapping[Name, Point]:
    """Leaves side by side, every other name over the middle of those below it."""
    at: dict[Name, Point] = {}
    leaves = iter(range(len(parent)))

    def place(name: Name, depth: int) -> float:
        below = [place(each, depth + 1) for each, above in parent.items() if above == name]
        column = (below[0] + below[-1]) / 2 if below else float(next(leaves))
        at[name] = column, float(depth)
        return column

    place(dns.name.root, 0)
    return at


# The drawing -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stop:
    """An exchange of the walk, with the number that the figure gives it; several that are all alike are one stop."""

    number: str
    exchange: Exchange
    count: int = 1

    @property
    def width(self) -> float:
        return max(2 * BADGE, width_of(self.number, 9.8, bold=True) + 8)


def stops(resolution: Resolution) -> list[Stop]:
    """The walk, stop by stop: a server that is silent again and again is one of them."""
    numbered = enumerate(resolution.exchanges, 1)
    found = []
    for _, together in groupby(
        numbered, lambda each: (each[1].address, each[1].zone, each[1].code, asked(each[1]), each[1].tcp)
    ):
        (start, exchange), *more = together
        number = f"{start}–{start + len(more)}" if more else str(start)
        found.append(Stop(number, exchange, 1 + len(more)))
    return found


class _Sketch:
    """Where everything goes, and the drawing of it."""

    def __init__(self, resolution: Resolution) -> None:
        self.resolution = resolution
        self.tree = Tree.of(resolution)
        self.width = max(WIDTH, 2 * EDGE + COLUMN * self.tree.columns)
        self.missing = _missing_names(resolution)
        self.stops = stops(resolution)
        self.rows = list(self._rows())
        lowest = max(self._at(name)[1] + 13 * len(self.tree.label(name)) for name in self.tree.parent)
        self.list_top = lowest + 26
        lines = sum(len(row) for row in self.rows)
        self.canvas = Canvas(self.width, self.list_top + LINE * lines + ROW * len(self.rows) + 30)

    def draw(self) -> None:
        for name, above in self.tree.parent.items():
            if above is not None:
                self._branch(above, name)
        for one, other in pairwise(self.resolution.exchanges):
            self._walk(one.zone, other.zone)
        for name in self.tree.parent:
            self._name(name)
        self._list()

    def _at(self, name: Name) -> Point:
        column, depth = self.tree.at[name]
        apart = (self.width - 2 * EDGE) / self.tree.columns
        return EDGE + apart * (column + 0.5) - 28, TOP + LEVEL * depth

    def _branch(self, above: Name, below: Name) -> None:
        ends = self._at(above), self._at(below)
        self.canvas.line(ends, GREY if below in self.missing else INK, 1.2, dashed=below in self.missing)
        if below in self.tree.zones:
            middle = (ends[0][0] + ends[1][0]) / 2, (ends[0][1] + ends[1][1]) / 2
            self.canvas.line([(middle[0] - 24, middle[1]), (middle[0] + 24, middle[1])], GREY, 1.6, dashed=True)

    def _walk(self, one: Name, other: Name) -> None:
        """An arrow from the zone asked to the one asked next; none where that is the same."""
        if one == other:
            return
        down = self.tree.parent[other] == one
        points = self._along(one, other, 20 if down else 32)
        self.canvas.line(points, SPACES[Space.INTERNET].colour, 1.8, dashed=not down, arrow=True)

    def _along(self, one: Name, other: Name, reach: float) -> list[Point]:
        """An arrow's way past what is written: down beside the names, across above them, up left of the numbers."""
        start, end = self._at(one), self._at(other)
        if end[1] > start[1]:
            return [(start[0] - reach, start[1] + 11), (end[0] - reach, end[1] - 11)]
        if end[1] == start[1]:
            side = 8 if end[0] < start[0] else reach
            return [(start[0] - reach, start[1] - 14), (end[0] - side, end[1] - 14)]
        between, name = [], self.tree.parent[one]
        while name is not None and self._at(name)[1] > end[1]:
            between.append((self._left(name) - 6, self._at(name)[1]))
            name = self.tree.parent[name]
        return [(start[0] - reach, start[1] - 11), *between, (self._left(other) - 3, end[1])]

    def _left(self, name: Name) -> float:
        """Where the numbers beside a name begin."""
        widths = [stop.width + 2 for stop in self.stops if stop.exchange.zone == name]
        return self._at(name)[0] - 20 + BADGE - sum(widths)

    def _name(self, name: Name) -> None:
        x, y = self._at(name)
        if name in self.tree.zones:
            self.canvas.mark((x, y), SPACES[Space.DNS], 10)
        elif name in self.missing:
            self.canvas.mark((x, y), FATES[Fate.DROPPED], 7)
        else:
            self.canvas.disc((x, y), 5, INK, fill=PAPER)
        for line, text in enumerate(self.tree.label(name)):
            self.canvas.text((x + 15, y + 4 + 13 * line), text, LETTER, "start", bold=True)
        left = x - 20 + BADGE
        for stop in reversed([each for each in self.stops if each.exchange.zone == name]):
            left = self._badge((left - stop.width, y), stop) - 2

    def _badge(self, at: Point, stop: Stop) -> float:
        """A stop's number in a ring, whose left end is at a point; where that is."""
        colour = SPACES[Space.INTERNET].colour
        corner = at[0], at[1] - BADGE
        self.canvas.box(corner, (stop.width, 2 * BADGE), colour, fill=PAPER, radius=BADGE, width=1.6)
        self.canvas.text((at[0] + stop.width / 2, at[1] + 3.6), stop.number, 9.8, bold=True)
        return at[0]

    def _rows(self) -> Iterator[list[str]]:
        """For each stop: whom, what, and what was heard, folded to the sheet's width."""
        room = self.width - EDGE - INDENT - 4
        for stop in self.stops:
            each = stop.exchange
            over = " over TCP" if each.tcp else ""
            times = f", {stop.count} times" if stop.count > 1 else ""
            whom = f"{written(each.server)} ({each.address})"
            yield [whom, *_folded(f"{asked(each)}?{over}", room), *_folded(f"→ {heard(each)}{times}", room)]

    def _list(self) -> None:
        y = self.list_top + 10
        for stop, row in zip(self.stops, self.rows, strict=True):
            self._badge((INDENT - 6 - max(stop.width, 16), y - 3.5), stop)
            for line, text in enumerate(row):
                self.canvas.text((INDENT, y), text, SMALL, "start", bold=line == 0)
                y += LINE
            y += ROW
        look = FATES[Verdict(self.resolution.code).meaning.fate]
        self.canvas.mark((INDENT - 14, y - 3.5), look, 7)
        told = f"to the client: {result(self.resolution)}"
        self.canvas.text((INDENT, y), told if self.rows else f"{told}, from the cache", SMALL, "start", bold=True)


def _missing_names(resolution: Resolution) -> frozenset[Name]:
    """The names that turned out not to exist."""
    return frozenset(each.query.question[0].name for each in resolution.exchanges if each.code == "NXDOMAIN")


def _folded(text: str, room: float) -> list[str]:
    """A text in lines that are no wider than the room; the second and all further ones are set in."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip() if len(lines) == 1 else f"{lines[-1]} {word}"
        if lines[-1].strip() and width_of(longer, SMALL) > room:
            lines.append(f"\N{NO-BREAK SPACE}\N{NO-BREAK SPACE} {word}")
        else:
            lines[-1] = longer
    return lines
