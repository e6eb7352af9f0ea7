"""A journey as frames, one for every decision in the order of travel: what the packet player shows, step by step.

A frame says where the packet is on the map, and what the box there did with it: the ledger's entry, with the rules
that decided, what conntrack remembers, the headers that a proxy read. A journey's frames fall into stages: the name,
then each connection out and back.

Not modelled: time. Frames follow one another as decisions do, and each takes as long as its reader likes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import dns.rrset

from netpath.journey import BALANCER, CONTROLLER, Connection, End, Journey
from netpath.packet import Hop, HttpRequest, Packet, Step, Verdict
from netpath.resolution import Exchange
from netpath.show.legs import Leg, Spot, Way, abridged, asked, ends, legs, short
from netpath.show.tables import Face, Line, flow, last_words
from netpath.show.words import ending, request_of

Row = tuple[str, tuple[Line, ...]]  # a name, and what stands beside it

_NAMES = ("name server", "resolver", "stub resolver")  # their records are rows already
_ID = re.compile(r"[a-z]+-[0-9a-f]{8,}$")  # AWS's
_HEADERS = ("X-Forwarded-For", "X-Real-IP", "X-Original-Forwarded-For", "X-Forwarded-Proto")


@dataclass(frozen=True, slots=True)
class Frame:
    """One decision, or a moment between decisions (`hop` None).

    `leg` is the last leg that was begun, an index into `legs(journey)` (-1: none yet), `share` how much of it lies
    behind, and `spot` the place where the packet is, if it is at one. `number` is the packet's form.
    `hop` is what is told and `verdict` what came of it; `rows` are the particulars, `asked` all rules worth telling.
    """

    stage: Stage
    leg: int
    share: float
    number: int
    spot: Spot | None
    title: str
    at: str
    hop: Hop | None
    rows: tuple[Row, ...]
    says: str
    verdict: Verdict | None = None
    asked: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of a journey: the name (connection 0), a connection's way out or back, the end."""

    connection: int
    way: Way
    title: str

    @property
    def short(self) -> str:
        """A name of a few letters.

        >>> Stage(2, Way.BACK, "").short
        '2 back'
        """
        return "DNS" if self.way is Way.ASK else f"{self.connection} {self.way}" if self.connection else "end"


def frames(journey: Journey) -> tuple[Frame, ...]:
    """The journey's frames, from the question for the name to what the user sees."""
    return tuple(_Teller(journey).tell())


@dataclass(slots=True)
class _Teller:
    """Walks a journey beside its legs, and knows how far it has come."""

    journey: Journey
    legs: tuple[Leg, ...] = ()
    stage: Stage = field(default_factory=lambda: Stage(0, Way.ASK, "DNS: the name"))
    leg: int = -1
    share: float = 0.0
    spot: Spot | None = None
    opened: int = 0

    def tell(self) -> Iterator[Frame]:
        self.legs = legs(self.journey)
        self.spot = self._user()
        yield from self._name()
        for attempt in self.journey.attempts:
            yield from self._connection(attempt)
        yield self._end()

    def _user(self) -> Spot | None:
        return self.legs[0].start if self.legs else None

    def _frame(self, hop: Hop | None, title: str, at: str, rows: Sequence[Row], says: str) -> Frame:
        verdict, steps = (None, ()) if hop is None else (hop.verdict, tuple(_worth_telling(hop)))
        where = self.leg, self.share, self._number(hop), self.spot
        return Frame(self.stage, *where, title, at, hop, tuple(row for row in rows if row[1]), says, verdict, steps)

    def _number(self, hop: Hop | None) -> int:
        """The packet's form; where it is rewritten, the one that it leaves in."""
        if self.leg < 0:
            return 0
        leg = self.legs[self.leg]
        following = self.legs[self.leg + 1 : self.leg + 2]
        onward = [each for each in following if (each.connection, each.way) == (leg.connection, leg.way)]
        return onward[0].number if onward and hop is not None and hop.rewrites else leg.number

    def _decision(self, hop: Hop, extra: Sequence[Row] = ()) -> Frame:
        """A hop, told."""
        return self._frame(hop, hop.station, hop.at, (*_particulars(hop), *extra), said(hop))

    def _conclusion(self, hop: Hop, answer: Sequence[Row]) -> Frame:
        """What a server makes of what became of its own connections: it has received no packet for that."""
        rows = [row for row in _particulars(hop) if row[0] not in ("received", "sent on")]
        return self._frame(hop, hop.station, hop.at, (*rows, *answer), said(hop))

    def _moment(self, title: str, rows: Sequence[Row], says: str) -> Frame:
        """What happens between decisions."""
        return self._frame(None, title, self.spot.name if self.spot else "", rows, says)

    # The name --------------------------------------------------------------------------------
    def _name(self) -> Iterator[Frame]:
        looked = self.journey.looked
        if looked is None:
            return
        if looked.resolution is None:
            yield self._decision(looked.lookup.hop)
            return
        user, resolver = self.legs[0].start, self.legs[0].end
        self.leg, self.share, self.spot = 0, 1.0, resolver
        question = self.legs[0].question
        yield self._moment("question", [_row("question", question)], f"The user asks the resolver: {question}?")
        exchanges = iter(looked.resolution.exchanges)
        for hop in looked.resolution.hops:
            exchange = next(exchanges) if hop.station == "name server" else None
            if exchange is not None:
                self.leg += 1
            self.spot = resolver if exchange is None else self.legs[self.leg].end
            yield self._decision(hop, [] if exchange is None else _exchanged(exchange))
        self.spot = user
        yield self._decision(looked.lookup.hop)

    # Connections -----------------------------------------------------------------------------
    def _connection(self, connection: Connection) -> Iterator[Frame]:
        """Out, the decisions, onward, back."""
        self.opened += 1
        mine = self.opened
        client, server = _called(connection.client.name), self._server(connection)
        self.stage = Stage(mine, Way.OUT, f"Connection {mine}, out: {client} to {server}")
        yield from self._trip(connection.out.sent, connection.out.hops, mine, _opening(connection, client))
        there = self.spot
        told = [_row("the request", *_headers(connection.request))] if connection.request else []
        for hop in connection.decisions:
            yield self._decision(hop, told if hop.station in (BALANCER, CONTROLLER, "pod") else ())
            told = []
        for onward in connection.onward:
            yield from self._connection(onward)
        self.stage = Stage(mine, Way.BACK, f"Connection {mine}, back: {server} to {client}")
        if connection.conclusion is not None:
            self.spot = there
            yield self._conclusion(connection.conclusion, _answer(connection))
        if connection.back is not None:
            sent = connection.back.sent
            yield from self._trip(sent, connection.back.hops, mine, _answering(connection, server))

    def _server(self, connection: Connection) -> str:
        server = connection.server
        return str(connection.out.sent.destination) if server is None else _called(server.name)

    def _trip(self, packet: Packet, hops: Sequence[Hop], mine: int, opening: tuple[str, str]) -> Iterator[Frame]:
        """A packet sets out, and meets one box after the other."""
        mine_legs = [
            (at, leg) for at, leg in enumerate(self.legs) if (leg.connection, leg.way) == (mine, self.stage.way)
        ]
        spots = {id(hop): where for where in mine_legs for hop in (*where[1].gates, *where[1].hops)}
        if mine_legs:
            self.leg, self.share, self.spot = mine_legs[0][0], 0.0, mine_legs[0][1].start
        title, says = opening
        yield self._moment(title, [_row("sends", *_packet(packet))], f"{says}: {_told(packet)}.")
        for hop in hops:
            if id(hop) in spots:
                at, leg = spots[id(hop)]
                self.leg, self.share = at, _share(leg, hop)
                self.spot = leg.end if self.share == 1 else None
            yield self._decision(hop)
        if mine_legs and mine_legs[-1][1].stopped is None:
            self.leg, self.share, self.spot = mine_legs[-1][0], 1.0, mine_legs[-1][1].end

    # The end ---------------------------------------------------------------------------------
    def _end(self) -> Frame:
        journey, cause = self.journey, self.journey.cause
        waited = f" after {journey.waited:g} s of silence" if journey.waited else ""
        rows = [_row("request", request_of(journey)), _row("sees", f"{_seen(journey)}{waited}")]
        if cause is not None:
            rows.append(_row("because of", f"{cause.station} {_called(cause.at)}: {cause.verdict.code}"))
            rows.append(_row("rule", *cause.verdict.rule.split("\n"), face=Face.CODE))
            rows.append(_row("remedy", cause.verdict.meaning.remedy))
        self.spot, self.stage = self._user(), Stage(0, Way.BACK, "The end: what the user sees")
        frame = self._moment("outcome", rows, f"The user sees {ending(journey)}{waited}.")
        return replace(frame, verdict=journey.outcome.verdict)


def _share(leg: Leg, hop: Hop) -> float:
    """How far along a leg a hop is: gates stand evenly spaced, whoever is at the end at the end."""
    place = next((number for number, gate in enumerate(leg.gates, 1) if gate is hop), None)
    return 1.0 if place is None else place / (len(leg.gates) + 1)


# What is told of a hop -----------------------------------------------------------------------------


def _row(name: str, *texts: str, face: Face = Face.PLAIN) -> Row:
    return name, tuple(Line(text, face) for text in texts if text)


def _particulars(hop: Hop) -> Iterator[Row]:
    if hop.received is not None:
        yield _row("received", *_packet(hop.received))
    yield _row("verdict", hop.verdict.meaning.happened)
    if hop.sent is not None and hop.received is not None:
        yield _sent(hop)
    elif not hop.verdict.ok and hop.received is not None:
        yield _row("sent on", "nothing")
    if hop.station != "name server":  # its answer is told record by record
        yield "answer" if hop.station in _NAMES else "decided by", tuple(_deciding(hop))
    yield "conntrack" if hop.station == "node" else "remembered", tuple(_remembered(hop))
    if not hop.verdict.ok:
        yield _row("remedy", hop.verdict.meaning.remedy)


def _packet(packet: Packet) -> tuple[str, str]:
    source, destination = ends(packet)
    return f"{source} →", destination


def _told(packet: Packet) -> str:
    return " to ".join(ends(packet))


def _sent(hop: Hop) -> Row:
    assert hop.sent is not None, "it went on"
    changed = {name for name, _, _ in hop.rewrites}
    if not changed:
        return _row("sent on", "the same")
    faces = (Face.STRONG if name in changed else Face.PLAIN for name in ("source", "destination"))
    return "sent on", tuple(Line(text, face) for text, face in zip(_packet(hop.sent), faces, strict=True))


def _deciding(hop: Hop) -> Iterator[Line]:
    """What had the last word: conntrack's entry, the rule that the verdict names, the rules of a node's own tables."""
    if hop.station == "node" and any(not line.startswith("NEW ") for line in hop.remembered):
        yield Line("conntrack's entry: the rules of nat aren't asked again")
    named = [hop.verdict.rule] if hop.verdict.rule else []
    for rule in dict.fromkeys((*named, *(step.rule for step in last_words(hop)))):
        yield from (Line(line, Face.CODE) for line in rule.split("\n"))
        if rule.startswith(":"):
            yield Line("the chain ended: its policy decides")


def _worth_telling(hop: Hop) -> Iterator[Step]:
    """Of a node's forty rules those that matched; of any other box's all: why not is the question that people have."""
    for step in hop.steps:
        if hop.station not in _NAMES and (step.matched or hop.station != "node"):
            yield step


def _remembered(hop: Hop) -> Iterator[Line]:
    """What was looked up or kept. Conntrack's `NEW` makes an entry, all else uses one.

    An entry is in the table once its first packet has left all hooks behind (nf_conntrack_confirm), not before.
    """
    made = "made" if hop.verdict.ok else "given up with the packet"
    for line in hop.remembered:
        state, direction, entry = flow(line)
        if direction:
            yield Line(f"{made if state == 'NEW' else 'used'}: {state}, {direction}")
        yield from (Line(part, Face.CODE) for part in entry if part)


def said(hop: Hop) -> str:
    """A hop in one sentence: who, what was decided, what was rewritten.

    >>> from netpath.packet import Verdict
    >>> said(Hop("route table", "rtb-1", None, Verdict("ROUTED")))
    'Route table rtb-1: ROUTED.'
    """
    name = _called(hop.at).removeprefix(hop.station).strip()
    changed = [f"rewrote the {end} {old} to {new}" for end, old, new in hop.rewrites]
    told = f"{hop.station[:1].upper()}{hop.station[1:]}{' ' * bool(name)}{name}: {hop.verdict.code}"
    return f"{told}; {' and '.join(changed)}." if changed else f"{told}."


def _called(name: str) -> str:
    """A box's name, short enough to be said: an interface without its groups, a pod without its namespace."""
    name = name.partition(" (")[0]
    if "/" in name or name.startswith("ip-"):
        return short(name, "pod" if "/" in name else "node")
    identity, space, direction = name.partition(" ")
    return f"{abridged(identity)}{space}{direction}" if _ID.match(identity) else name.removesuffix(".")


# What is told of a connection ------------------------------------------------------------------------


def _opening(connection: Connection, client: str) -> tuple[str, str]:
    if connection.reused:
        return "connection used again", f"{_capital(client)} sends a request on a connection that is open"
    return "connection opened", f"{_capital(client)} opens a connection"


def _answering(connection: Connection, server: str) -> tuple[str, str]:
    if connection.end is End.REFUSED:
        return "refusal", "A refusal comes back"
    return "answer", f"{_capital(server)} answers"


def _capital(text: str) -> str:
    return "The user" if text == "user" else text


def _headers(request: HttpRequest) -> tuple[str, ...]:
    held = (f"{name}: {request.header(name)}" for name in _HEADERS if request.header(name) is not None)
    return (f"{request.method} {request.target}", f"Host: {request.host}", *held)


def _answer(connection: Connection) -> list[Row]:
    if connection.response is None:
        return []
    headers = (f"{name}: {value}" for name, value in connection.response.headers)
    return [_row("the answer", f"{connection.response.status} from {connection.response.by}", *headers)]


def _seen(journey: Journey) -> str:
    response = journey.outcome.response
    return f"{response.status} from {response.by}" if response else journey.outcome.verdict.meaning.happened


def _exchanged(exchange: Exchange) -> list[Row]:
    """A question to a name server, and the records that came back."""
    rows = [_row("question", f"{asked(exchange)}?", f"as a server of {exchange.zone}")]
    if exchange.response is not None:
        sections = ("answer", "authority", "additional")
        rows += [(name, tuple(_records(getattr(exchange.response, name)))) for name in sections]
    return rows


def _records(section: Sequence[dns.rrset.RRset]) -> Iterator[Line]:
    for rrset in section:
        yield from (Line(record, Face.CODE) for record in rrset.to_text().splitlines())
