"""Who remembers an answer until when: a time line for each stub, and for the resolver that they share.

A bar is one copy of the answer, from the second in which it was fetched to the second in which its TTL has run down.
A resolver hands out what is *left* of the TTL, so that a copy of a copy ends when the first one does.

Not modelled: programs that remember for longer than they may.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dns.message
from dns.rdatatype import RdataType

from netpath.errors import InputError
from netpath.names import Looked
from netpath.show.canvas import Canvas, Drawn
from netpath.show.palette import GREY, INK, PAPER, SPACES, Space

WIDTH, LEFT, RIGHT = 400.0, 104.0, 34.0
TOP, ROW, BAR, LETTER = 16.0, 42.0, 15.0, 11.0
RESOLVER = "resolver"


@dataclass(frozen=True, slots=True)
class Reading:
    """Somebody looked a name up: who, when (seconds), and what came of it."""

    who: str
    when: float
    looked: Looked


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of the answer in somebody's memory."""

    who: str
    since: float
    until: float

    @property
    def ttl(self) -> float:
        return self.until - self.since


def copies(readings: Sequence[Reading]) -> tuple[Copy, ...]:
    """The copies that look-ups left behind: the resolver's where it had to ask, the stub's where that had to ask."""
    return tuple(copy for each in readings for copy in _made(each))


def _made(reading: Reading) -> Iterator[Copy]:
    resolution, response = reading.looked.resolution, reading.looked.lookup.response
    if resolution is not None and resolution.exchanges:
        yield Copy(RESOLVER, reading.when, reading.when + _ttl(resolution.response))
    if response is not None:
        yield Copy(reading.who, reading.when, reading.when + _ttl(response))


def _ttl(response: dns.message.Message) -> int:
    """How long an answer may be remembered, or a negative one, as its SOA says."""
    soas = [each for each in response.authority if each.rdtype == RdataType.SOA]
    return min((each.ttl for each in (response.answer or soas)), default=0)


def caches(readings: Sequence[Reading]) -> Drawn:
    """The time lines of a few look-ups. Raises `InputError` if there are none."""
    if not readings:
        raise InputError("no look-ups to draw", expected="one at least")
    made = copies(readings)
    who = list(dict.fromkeys([RESOLVER, *(each.who for each in readings)]))
    canvas = Canvas(WIDTH, TOP + ROW * len(who) + 34)
    _Lines(canvas, who, made, readings).draw()
    return Drawn(canvas.figure, _caption(readings), " ".join(_sentences(readings, made)), least=300)


class _Lines:
    def __init__(self, canvas: Canvas, who: list[str], made: Sequence[Copy], readings: Sequence[Reading]) -> None:
        self.canvas, self.who, self.made, self.readings = canvas, who, made, readings
        times = {each.when for each in readings} | {copy.until for copy in made}
        self.times = sorted(times)
        self.floor = TOP + ROW * len(who)

    def _x(self, when: float) -> float:
        first, last = self.times[0], self.times[-1]
        return LEFT + (WIDTH - LEFT - RIGHT) * (when - first) / ((last - first) or 1)

    def _y(self, who: str) -> float:
        return TOP + ROW * self.who.index(who) + 22

    def draw(self) -> None:
        self._axis()
        for name in self.who:
            y = self._y(name)
            self.canvas.text((LEFT - 12, y + 4), name, LETTER, "end", bold=True)
            self.canvas.line([(LEFT, y), (WIDTH - RIGHT, y)], GREY, 0.8)
        for copy in self.made:
            self._bar(copy)
        for each in self.readings:
            self._asked(each)

    def _axis(self) -> None:
        taken = -100.0
        for when in self.times:
            x = self._x(when)
            self.canvas.line([(x, TOP), (x, self.floor)], GREY, 0.7, dashed=True)
            low = 15 if x - taken > 30 else 28
            self.canvas.text((x, self.floor + low), f"{when:g} s", LETTER)
            taken = x if low == 15 else taken

    def _bar(self, copy: Copy) -> None:
        y = self._y(copy.who)
        look = SPACES[Space.DNS if copy.who == RESOLVER else Space.INTERNET]
        start, end = self._x(copy.since), self._x(copy.until)
        self.canvas.box((start, y - BAR / 2), (max(end - start, 2), BAR), look.colour, fill=look.colour, radius=2)
        self.canvas.label(((start + end) / 2, y - BAR / 2 - 8), f"TTL {copy.ttl:g}", LETTER)

    def _asked(self, reading: Reading) -> None:
        """A look-up: filled if it made a query, hollow if the stub remembered."""
        fill = PAPER if reading.looked.resolution is None else INK
        self.canvas.disc((self._x(reading.when), self._y(reading.who)), 4.5, INK, fill=fill)


def _caption(readings: Sequence[Reading]) -> str:
    names = " and ".join(dict.fromkeys(each.looked.lookup.name for each in readings))
    return (
        f"Who remembers the answer for {names} until when. A bar is a copy in somebody's memory; a full dot is a "
        "look-up that asked the resolver, an empty one a look-up that the machine's own memory answered."
    )


def _sentences(readings: Sequence[Reading], made: Sequence[Copy]) -> Iterator[str]:
    for each in readings:
        resolution = each.looked.resolution
        if resolution is None:
            how = "from its own memory"
        else:
            asked = len(resolution.exchanges)
            how = f"from the resolver, which asks {asked} times" if asked else "from the resolver's memory"
        yield f"At {each.when:g} s {each.who} looks up {each.looked.lookup.name}: {each.looked.lookup.code}, {how}."
    for copy in made:
        yield f"The copy of {copy.who} made at {copy.since:g} s has TTL {copy.ttl:g} and ends at {copy.until:g} s."
