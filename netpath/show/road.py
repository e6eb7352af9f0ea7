"""The map of the whole road, drawn from a journey: places by address space, legs numbered in the order of travel.

From the user at the top to the pods at the bottom, each address space is a band of its own colour, and its places have
its shape. A number is one form of the packet, listed below the map: where a line leaves a place with another number
than it came with, something was rewritten there. Out is a solid line, back a dashed one.

Not modelled: what `netpath.show.plan` says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from netpath.journey import Journey
from netpath.packet import Hop
from netpath.show.canvas import BADGE, MONO_ADVANCE, Canvas, Drawn, Point, width_of
from netpath.show.legs import GATEWAY, RESOLVER, Leg, Spot, Way, ends, legs
from netpath.show.palette import FATES, GREY, INK, PAPER, SPACES, Space
from netpath.show.plan import SIDE, WIDE, Plan, between
from netpath.show.words import alternative, fate_of, road_caption

Box = tuple[Point, Point]  # a corner and a size
Line = tuple[Leg, list[Point]]

WIDTH, LEFT = WIDE.width, WIDE.left
ROW, SMALL = 17.0, 9.4  # the list's rows, and its letters


def road(journey: Journey) -> Drawn:
    """The map of a journey. The same journey, the same drawing."""
    plan = Plan(legs(journey))
    columns, top = _columns(plan.legs), plan.bottom + 28
    canvas = Canvas(WIDTH, top + ROW * max(map(len, columns)) + 24)
    _bands(canvas, plan)
    taken = [*_lines(canvas, plan), *_places(canvas, plan)]
    _stops(canvas, plan, taken)
    _list(canvas, columns, top)
    return Drawn(canvas.figure, road_caption(journey), alternative(journey))


def _columns(walked: tuple[Leg, ...]) -> tuple[list[Leg], ...]:
    """What is listed below the map: one leg of each number; look-up, out, back."""
    seen: dict[int, Leg] = {}
    for leg in walked:
        if leg.number not in seen or leg.stopped:
            seen[leg.number] = leg
    return tuple([leg for leg in seen.values() if leg.way is way] for way in (Way.ASK, Way.OUT, Way.BACK))


# Drawing ---------------------------------------------------------------------------------------


def _bands(canvas: Canvas, plan: Plan) -> None:
    for space, corner, size in plan.boxes():
        _band(canvas, space, corner, size)


def _band(canvas: Canvas, space: Space, corner: Point, size: Point) -> None:
    look = SPACES[space]
    canvas.box(corner, size, look.colour, fill=look.colour, alpha=0.0 if space is Space.PRIVATE else 0.1)
    canvas.mark((corner[0] + 14, corner[1] + 14), look, 5)
    canvas.text((corner[0] + 24, corner[1] + 18), space, 10.5, "start", bold=True)


def _lines(canvas: Canvas, plan: Plan) -> list[Box]:
    """Every leg with its number; the boxes that the numbers take."""
    lines = list(plan.lines())
    asked = list(_asked(canvas, [(leg, line) for leg, line in lines if leg.way is Way.ASK]))
    sent = list(_sent(canvas, [(leg, line) for leg, line in lines if leg.way is not Way.ASK]))
    spots = sent + asked
    for at, leg in spots:
        _badge(canvas, at, leg)
    return [_around(at, BADGE) for at, _ in spots]


def _asked(canvas: Canvas, lines: Sequence[Line]) -> Iterator[tuple[Point, Leg]]:
    """One line for all questions between the same two, and where each one's number stands: in a row."""
    together: dict[tuple[Point, ...], list[Leg]] = {}
    for leg, line in lines:
        together.setdefault(tuple(sorted(line)), []).append(leg)
    for key, questions in together.items():
        canvas.line(key, GREY, 1.3)
        for number, leg in enumerate(questions):
            yield between(key, 0.5 + 0.14 * (number - (len(questions) - 1) / 2)), leg


def _sent(canvas: Canvas, lines: Sequence[Line]) -> Iterator[tuple[Point, Leg]]:
    """A packet's lines, out and back, and where each one's number stands."""
    turns: Counter[frozenset[Spot]] = Counter()
    for leg, line in lines:
        whole = leg.stopped is None or leg.onto_end
        shown = line if whole else [line[0], between(line, 0.5)]
        canvas.line(shown, width=1.5, dashed=leg.way is Way.BACK, arrow=whole)
        pair = frozenset((leg.start, leg.end))
        yield between(line, _badge_share(leg, line, turns[pair])), leg
        turns[pair] += 1


def _around(at: Point, reach: float) -> Box:
    return (at[0] - reach, at[1] - reach), (2 * reach, 2 * reach)


def _badge_share(leg: Leg, line: list[Point], turn: int) -> float:
    """Where on its line a number stands: not beside its neighbour's."""
    if leg.stopped and not leg.onto_end:
        return 0.3
    share = (0.36, 0.64)[turn % 2]
    return share if list(line) == sorted(line, key=lambda at: (at[1], at[0])) else 1 - share


def _badge(canvas: Canvas, at: Point, leg: Leg) -> None:
    canvas.badge(at, leg.number, GREY if leg.way is Way.ASK else INK)


def _places(canvas: Canvas, plan: Plan) -> list[Box]:
    """Every place with its name; the boxes that the names take."""
    taken = []
    for spot, at in plan.at.items():
        if spot.station == GATEWAY:
            canvas.box((at[0] - 22, at[1] - 6), (44, 12), INK, fill=PAPER, radius=3, width=1.4)
        else:
            canvas.mark(at, SPACES[spot.space], 10, hollow=spot.unreached)
        lines = [*spot.label, *([spot.address] if spot.address and spot.address != spot.name else [])]
        taken.append(_label(canvas, lines, *_beside_mark(spot, at)))
    return taken


def _beside_mark(spot: Spot, at: Point) -> tuple[Point, str, int]:
    """Where a place's label stands, free of lines: its anchor, and whether it is below (1), level (0) or above (-1)."""
    if spot.space is Space.PODS:
        return (at[0], at[1] + 25), "middle", 1
    if spot.station == RESOLVER:
        return (at[0], at[1] + 25), "middle", 1
    if spot.station == GATEWAY:
        return (at[0] + 30, at[1] + 4), "start", 0
    if at[0] == LEFT:
        return (at[0] - 28, at[1] + 4), "end", 0
    if spot.space is Space.NODES:
        return (at[0], at[1] - 38), "middle", -1
    return (at[0] + 18, at[1] + 4), "start", 0


def _label(canvas: Canvas, lines: Sequence[str], at: Point, anchor: str, side: int) -> Box:
    """A place's name; the box that it takes."""
    apart = 12.5
    top = at[1] + {1: 0.0, 0: -apart * (len(lines) - 1) / 2, -1: -apart * (len(lines) - 1)}[side]
    for number, text in enumerate(lines):
        numeric = text[:1].isdigit()
        canvas.text((at[0], top + apart * number), text, 9.4 if numeric else 10.5, anchor, mono=numeric)
    width = max(width_of(text, 10.5) for text in lines)
    left = at[0] - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
    return (left, top - 10), (width, apart * len(lines))


def _stops(canvas: Canvas, plan: Plan, taken: list[Box]) -> None:
    """Where a packet was stopped: the shape of its fate, and beside it the code and the box that did it."""
    told: dict[tuple[str, str], tuple[Point, Leg, Hop]] = {}
    for leg, line in plan.lines():
        if leg.stopped is None:
            continue
        at = between(line, 0.6)
        if leg.onto_end:
            x, y = plan.at[leg.end]
            at = x + (13 if leg.end.space is not Space.DNS else -17), y - 11
        canvas.mark(at, FATES[leg.stopped.verdict.meaning.fate], 10)
        taken.append(_around(at, 10))
        if leg.exchange is None:
            # The same box stopping two packets is told once, beside the one further right: there is room there.
            key = leg.stopped.verdict.code, leg.stopped.at.partition(" (")[0]
            told[key] = max(told.get(key, (at, leg, leg.stopped)), (at, leg, leg.stopped), key=lambda each: each[0])
    for at, leg, hop in told.values():
        beside = (at[0] - 40, at[1] + 70) if leg.end.station == RESOLVER else at
        where = "" if leg.onto_end else hop.at.partition(" (")[0]
        words = [hop.verdict.code, f"{fate_of(hop.verdict)}: {hop.station}", *([where] if where else [])]
        _told(canvas, beside, words, FATES[hop.verdict.meaning.fate].colour, taken)


def _told(canvas: Canvas, at: Point, words: Sequence[str], colour: str, taken: list[Box]) -> None:
    """A box of words where there is room for it: right of a point, level with it if possible."""
    width = max(width_of(word, 9.6, number == 0) for number, word in enumerate(words)) + 12
    height = 13.0 * len(words) + 7
    places = [
        ((min(at[0] + right, WIDTH - SIDE - width - 4), at[1] - height / 2 + lower), (width, height))
        for right in (14, 40, 80, 120, -14 - width)
        for lower in (0, -12, 12, -24, 24, -36, 36)
    ]
    left, top = next((box for box in places if not any(_clash(box, other) for other in taken)), places[0])[0]
    taken.append(((left, top), (width, height)))
    canvas.box((left, top), (width, height), colour, fill=PAPER, alpha=0.92, radius=3)
    for number, word in enumerate(words, 1):
        canvas.text((left + 6, top + 13 * number), word, 9.6, "start", bold=number == 1)


def _clash(one: Box, other: Box) -> bool:
    sides = zip(*one, *other, strict=True)
    return all(start < its + its_size and its < start + size for start, size, its, its_size in sides)


def _list(canvas: Canvas, columns: tuple[list[Leg], ...], top: float) -> None:
    """Every form of the packet by its number; what is new in it since the number before is bold."""
    starts = (SIDE + 8, 236.0, 484.0)
    titles = ("asking for the address", "out", "back")
    for start, title, column in zip(starts, titles, columns, strict=True):
        if not column:
            continue
        canvas.text((start - 6, top), title, 10, "start", bold=True)
        if title != "asking for the address":
            to = start - 6 + width_of(title, 10, True) + 8
            canvas.line([(to, top - 3.5), (to + 34, top - 3.5)], dashed=title == "back", arrow=True)
        for row, (before, leg) in enumerate(pairwise([None, *column]), 1):
            _row(canvas, (start, top + 4 + ROW * row), before, leg)


def _row(canvas: Canvas, at: Point, before: Leg | None, leg: Leg | None) -> None:
    assert leg is not None, "a row"
    _badge(canvas, (at[0], at[1] - 3), leg)
    x = at[0] + 12
    for text, bold in _pieces(before, leg):
        canvas.text((x, at[1]), text, SMALL, "start", mono=leg.packet is not None, bold=bold)
        x += (len(text) + 0.7) * SMALL * MONO_ADVANCE if leg.packet is not None else 0


def _pieces(before: Leg | None, leg: Leg) -> Iterable[tuple[str, bool]]:
    """The text of a row in pieces, and whether each is to be bold."""
    if leg.packet is None:
        return [(_clipped(f"{leg.question} → {leg.answer}"), False)]
    old = before.packet if before is not None and before.connection == leg.connection else None
    source, destination = ends(leg.packet)
    return [
        (source, old is not None and old.source != leg.packet.source),
        ("→", False),
        (destination, old is not None and old.destination != leg.packet.destination),
    ]


def _clipped(text: str, width: float = 195) -> str:
    while width_of(text, SMALL) > width:
        text = text[:-2] + "…"
    return text
