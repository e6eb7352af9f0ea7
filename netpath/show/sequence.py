"""The sequence diagram: a journey as time passes, from top to bottom, between the life lines of its places.

Name servers and resolver stand left of the user, the road right of them, in the order of travel. An arrow stands for
all the packets that go one way on one connection, and its number is that of the map. A note stands on the life line of
whoever decided or rewrote something.

Not modelled: how long anything takes, but for timeouts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netpath.journey import Connection, End, Journey
from netpath.packet import Hop, Verdict
from netpath.show.canvas import Canvas, Drawn, Point, width_of
from netpath.show.legs import NAME_SERVER, RESOLVER, Leg, Spot, Way, legs
from netpath.show.palette import FATES, GREY, INK, PAPER, SPACES, Space
from netpath.show.words import alternative, sequence_caption

WIDTH, EDGE, HEAD = 760, 46.0, 72.0
SMALL = 9.4
SERVERS = Spot("name servers", NAME_SERVER, Space.DNS)


def sequence(journey: Journey) -> Drawn:
    """The sequence diagram of a journey. The same journey, the same drawing."""
    rows = list(_Story(journey).rows())
    chart = _Chart(rows)
    chart.draw()
    return Drawn(chart.canvas.figure, sequence_caption(journey), alternative(journey), least=640)


# What happens ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrow:
    """From one life line to another, with a text above it; `half`: it was stopped on the way, by `stopped`."""

    start: Spot
    end: Spot
    number: int | None = None
    text: str = ""
    dashed: bool = False
    stopped: Hop | None = None
    half: bool = False

    @property
    def height(self) -> float:
        return 29.0 if self.text else 15.0

    @property
    def below(self) -> float:
        """Room under the arrow, for what stopped it."""
        return 16.0 if self.half and self.stopped is not None and self.stopped.received is not None else 0.0


@dataclass(frozen=True, slots=True)
class Note:
    """Lines on a life line: what was decided or rewritten there; with the mark of its fate if it isn't well."""

    spot: Spot
    lines: tuple[str, ...]
    verdict: Verdict | None = None
    below: float = 0.0

    @property
    def height(self) -> float:
        return 13.0 * len(self.lines) + 14


Row = Arrow | Note


class _Story:
    """Tells a journey row by row."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.opened = 0
        self.legs: dict[tuple[int, Way], list[Leg]] = {}
        for leg in legs(journey):
            self.legs.setdefault((leg.connection, leg.way), []).append(leg)

    def rows(self) -> Iterator[Row]:
        yield from self._look_up()
        for attempt in self.journey.attempts:
            yield from self._connection(attempt)
        outcome = self.journey.outcome
        first = next(iter(self.legs.values()))[0].start
        text = f"sees status {outcome.status}" if outcome.response else f"sees no page: {outcome.verdict.code}"
        yield Note(first, (text,), None if outcome.ok else outcome.verdict)

    def _look_up(self) -> Iterator[Row]:
        asks = self.legs.get((0, Way.ASK), [])
        if not asks:
            return
        mine, *others = asks
        yield Arrow(mine.start, mine.end, mine.number, f"{mine.question}?")
        for leg in others:
            yield Arrow(leg.start, SERVERS, leg.number, f"{leg.question}?  to {leg.end.name}")
            silent = leg.exchange is not None and leg.exchange.response is None
            yield Arrow(SERVERS, leg.start, None, leg.answer, True, leg.stopped, half=silent)
        looked = self.journey.looked
        assert looked is not None, "somebody asked"
        found = ", ".join(map(str, looked.lookup.addresses)) or looked.lookup.code
        yield Arrow(mine.end, mine.start, None, found, True, mine.stopped)

    def _connection(self, connection: Connection) -> Iterator[Row]:
        """As time passes: out, the server's decisions, onward, its conclusion, back."""
        self.opened += 1
        mine = self.opened
        out = self.legs.get((mine, Way.OUT), [])
        yield from self._way(out, _asking(connection))
        server = out[-1].end if out else None
        if server is not None and connection.decisions:
            yield Note(server, tuple(_decided(hop) for hop in connection.decisions), _failed(connection.decisions))
        for onward in connection.onward:
            yield from self._connection(onward)
        if server is not None and connection.conclusion is not None and not connection.conclusion.verdict.ok:
            hop = connection.conclusion
            yield Note(server, (hop.verdict.code, f"answers {_status(connection)} itself"), hop.verdict)
        yield from self._way(self.legs.get((mine, Way.BACK), []), _answering(connection))
        if connection.end is not End.ESTABLISHED and out:
            yield Note(out[0].start, (_given_up(connection),))

    def _way(self, way: Sequence[Leg], what: str) -> Iterator[Row]:
        number = None
        for leg in way:
            text = f"{what}: {leg.text}" if leg.number != number else ""
            badge = leg.number if leg.number != number else None
            stopped = leg.stopped if not leg.onto_end else None
            number = leg.number
            dashed = leg.way is Way.BACK
            if leg.start != leg.end:
                yield Arrow(leg.start, leg.end, badge, text, dashed, stopped, half=stopped is not None)
            for hop in leg.hops:
                if hop.rewrites or not hop.verdict.ok:
                    yield Note(leg.end, _rewritten(hop), None if hop.verdict.ok else hop.verdict)


def _asking(connection: Connection) -> str:
    if connection.end is not End.ESTABLISHED or connection.request is None:
        return "SYN"
    return f"{connection.request.method} {connection.request.target}"


def _answering(connection: Connection) -> str:
    if connection.response is not None:
        return str(connection.response.status)
    packet = connection.back.sent if connection.back is not None else None
    if packet is None:
        return ""
    return str(packet.icmp) if packet.icmp else {"R.": "RST", "S.": "SYN-ACK"}.get(str(packet.flags), "")


def _status(connection: Connection) -> str:
    return str(connection.response.status) if connection.response else "nothing"


def _given_up(connection: Connection) -> str:
    own = connection.waited - sum(each.waited for each in connection.onward)
    return f"{connection.end}, after {own:g} s" if own else str(connection.end)


def _decided(hop: Hop) -> str:
    rule = hop.verdict.rule.partition("\n")[0]
    return _cut(f"{hop.verdict.code}: {rule}" if rule else hop.verdict.code)


def _rewritten(hop: Hop) -> tuple[str, ...]:
    if not hop.verdict.ok:
        return hop.verdict.code, _cut(hop.verdict.rule.partition("\n")[0])
    return tuple(f"{name}: {before} → {after}" for name, before, after in hop.rewrites)


def _failed(hops: Sequence[Hop]) -> Verdict | None:
    return next((hop.verdict for hop in hops if not hop.verdict.ok), None)


def _cut(text: str, most: int = 60) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


# The chart -------------------------------------------------------------------------------------


class _Chart:
    """Life lines side by side, rows one below the other."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        spots = _in_order(rows)
        self.apart = (WIDTH - 2 * EDGE) / max(len(spots) - 1, 1)
        self.x = {spot: EDGE + self.apart * number for number, spot in enumerate(spots)}
        self.height = HEAD + sum(row.height + row.below for row in rows) + 20
        self.canvas = Canvas(WIDTH, self.height)

    def draw(self) -> None:
        for spot, x in self.x.items():
            self.canvas.line([(x, HEAD - 4), (x, self.height - 6)], SPACES[spot.space].colour, 1.2)
            self._head(spot, x)
        y = HEAD
        for row in self.rows:
            y += row.height
            if isinstance(row, Note):
                self._note(row, y)
            else:
                self._arrow(row, y)
            y += row.below

    def _head(self, spot: Spot, x: float) -> None:
        self.canvas.mark((x, 13), SPACES[spot.space], 8, hollow=spot.unreached)
        lines = [*spot.label, *([spot.address] if spot.address and spot.address != spot.name else [])]
        for number, text in enumerate(lines):
            numeric = text[:1].isdigit()
            size = 8.6 if numeric else 9.4
            self.canvas.text((x, 34 + 11.5 * number), _fit(text, size, self.apart - 3), size, mono=numeric)

    def _arrow(self, row: Arrow, y: float) -> None:
        start, end = self.x[row.start], self.x[row.end]
        reach = start + (end - start) * 0.62 if row.half else end
        quiet = row.start.space is Space.DNS or row.end.space is Space.DNS
        self.canvas.line([(start, y), (reach, y)], GREY if quiet else INK, 1.3, dashed=row.dashed, arrow=not row.half)
        if row.stopped is not None:
            self._stop(row.stopped, (reach if row.half else end, y))
        if row.text:
            self._above(row, min(start, end) + 4, y - 6)

    def _above(self, row: Arrow, left: float, y: float) -> None:
        """An arrow's number and text, on paper, so that life lines don't cross them."""
        badge = 19 if row.number is not None else 0
        width = width_of(row.text, SMALL) + badge
        left = max(4, min(left, WIDTH - 6 - width))
        self.canvas.box((left, y - 10), (width + 2, 13), "none", fill=PAPER, alpha=0.85, radius=2)
        if row.number is not None:
            self.canvas.badge((left + 8, y - 4), row.number)
        self.canvas.text((left + badge, y), row.text, SMALL, "start")

    def _stop(self, hop: Hop, at: Point) -> None:
        look = FATES[hop.verdict.meaning.fate]
        self.canvas.mark(at, look, 9)
        text = f"{hop.verdict.code}: {hop.station} {hop.at.partition(' (')[0]}" if hop.received else ""
        width = width_of(text, SMALL, True)
        if text:
            x = min(max(4, at[0] - width / 2), WIDTH - 4 - width)
            self.canvas.box((x - 3, at[1] + 9), (width + 6, 14), "none", fill=PAPER, alpha=0.9, radius=2)
            self.canvas.text((x, at[1] + 20), text, SMALL, "start", bold=True)

    def _note(self, row: Note, y: float) -> None:
        width = max(width_of(line, SMALL) for line in row.lines) + 14
        if row.verdict is not None:
            width += 20
        left = min(max(self.x[row.spot] - width / 2, 3), WIDTH - 3 - width)
        height = row.height - 8
        look = FATES[row.verdict.meaning.fate] if row.verdict is not None else SPACES[row.spot.space]
        self.canvas.box((left, y - height), (width, height), look.colour, fill=PAPER, radius=3, width=1.3)
        if row.verdict is not None:
            self.canvas.mark((left + 13, y - height / 2), look, 8)
            left += 20
        for number, line in enumerate(row.lines, 1):
            self.canvas.text((left + 7, y - height + 13 * number - 1), line, SMALL, "start")


def _in_order(rows: Sequence[Row]) -> list[Spot]:
    """The life lines from left to right: name servers, resolver, and then everybody in the order of travel."""
    seen = dict.fromkeys(spot for row in rows for spot in _spots(row))
    rank = {NAME_SERVER: 0, RESOLVER: 1}
    return sorted(seen, key=lambda spot: rank.get(spot.station, 2))


def _spots(row: Row) -> tuple[Spot, ...]:
    return (row.spot,) if isinstance(row, Note) else (row.start, row.end)


def _fit(text: str, size: float, width: float) -> str:
    while width_of(text, size) > width and len(text) > 4:
        text = text.rstrip("…")[:-1] + "…"
    return text
