"""One packet, form by form: what it looks like on each side of every boundary that rewrites it.

A form is a packet's addresses as they stay for a stretch of the road; between two forms stands the box that made one
of the other. `forms` gives them as data, from the same legs that the map of the road is drawn from; `translations`
draws them as a ladder, each rung in the colour and with the shape of its address space.

Not modelled: the look-up of the name, which has no packet of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from netpath.journey import Journey
from netpath.packet import Packet
from netpath.show.canvas import MONO_ADVANCE, Canvas, Drawn, width_of
from netpath.show.legs import GATEWAY, Leg, Spot, Way, ends, legs, same_ends
from netpath.show.palette import FATES, INK, PAPER, SPACES, Space
from netpath.show.words import fate_of, request_of


@dataclass(frozen=True, slots=True)
class Form:
    """A packet's addresses on a stretch of the road: its number, from where to where, and the space that it is in.

    `changed` names the ends (`source`, `destination`) that differ from the form before on the same connection and way;
    none in a connection's first form, for nobody rewrote that: it was made.
    """

    number: int
    way: Way
    connection: int
    start: Spot
    end: Spot
    packet: Packet
    space: Space
    changed: tuple[str, ...] = ()
    stopped: str = ""


def forms(journey: Journey) -> tuple[Form, ...]:
    """Every form of every packet of a journey, in the order of travel."""
    made: list[Form] = []
    for leg in legs(journey):
        if leg.packet is None:
            continue
        before = made[-1] if made and _together(made[-1], leg) else None
        if before is not None and same_ends(before.packet, leg.packet):
            space = max(before.space, _space(leg), key=_DEPTH.index)
            made[-1] = replace(before, end=leg.end, space=space, stopped=_stopped(leg))
        else:
            made.append(_form(leg, leg.packet, before))
    return tuple(made)


def _together(form: Form, leg: Leg) -> bool:
    return (form.connection, form.way) == (leg.connection, leg.way)


def _form(leg: Leg, packet: Packet, before: Form | None) -> Form:
    changed: tuple[str, ...] = ()
    if before is not None:
        pairs = (
            ("source", before.packet.source, packet.source),
            ("destination", before.packet.destination, packet.destination),
        )
        changed = tuple(name for name, old, new in pairs if old != new)
    return Form(leg.number, leg.way, leg.connection, leg.start, leg.end, packet, _space(leg), changed, _stopped(leg))


def _stopped(leg: Leg) -> str:
    """What became of a packet that was stopped: fate, box and code."""
    if leg.stopped is None:
        return ""
    return f"{fate_of(leg.stopped.verdict)} by the {leg.stopped.station}: {leg.stopped.verdict.code}"


_DEPTH = [Space.DNS, Space.INTERNET, Space.PUBLIC, Space.PRIVATE, Space.NODES, Space.PODS]


def _space(leg: Leg) -> Space:
    """The space that a stretch lies in: the Internet if one end is there, else the deeper of the two."""
    spaces = [spot.space for spot in (leg.start, leg.end)]
    if Space.INTERNET in spaces or all(spot.station == GATEWAY for spot in (leg.start, leg.end)):
        return Space.INTERNET
    return max(spaces, key=_DEPTH.index)


# Drawing -----------------------------------------------------------------------------------------

WIDTH = 344.0
SIDE, RUNG, BETWEEN, TITLE = 6.0, 44.0, 26.0, 26.0
STOPPED = 16.0  # how much higher a rung is on which a packet was stopped
TEXT = 9.6


def translations(journey: Journey) -> Drawn:
    """What the packets of a journey look like on each side of every boundary. The same journey, the same drawing."""
    made = forms(journey)
    rows = list(_rows(made))
    canvas = Canvas(WIDTH, SIDE * 2 + sum(height for _, _, height in rows))
    at = SIDE
    for kind, form, height in rows:
        _DRAW[kind](canvas, at, form)
        at += height
    return Drawn(canvas.figure, _caption(journey), " ".join(_told(made)) or "No packet was sent.", least=326)


def _rows(made: Sequence[Form]) -> Iterator[tuple[str, Form, float]]:
    """What stands below what: a title where a way begins, a rung, the box between two rungs."""
    before: Form | None = None
    for form in made:
        if before is None or (before.connection, before.way) != (form.connection, form.way):
            yield "title", form, TITLE
        else:
            yield "box", form, BETWEEN
        yield "rung", form, _height(form)
        before = form


def _height(form: Form) -> float:
    return RUNG + (STOPPED if form.stopped else 0)


def _title(canvas: Canvas, top: float, form: Form) -> None:
    canvas.text((SIDE, top + 18), _heading(form), 10.5, "start", bold=True)


def _heading(form: Form) -> str:
    return f"connection {form.connection}, {form.way}"


def _rung(canvas: Canvas, top: float, form: Form) -> None:
    """A form in the colour of its space; what is new in it is bold."""
    look = SPACES[form.space]
    canvas.box((SIDE, top), (WIDTH - 2 * SIDE, _height(form)), look.colour, fill=look.colour, alpha=0.1)
    canvas.disc((SIDE + 16, top + 15), 8, INK, fill=PAPER, width=1)
    canvas.text((SIDE + 16, top + 18.4), str(form.number), 8.8, bold=True)
    x = SIDE + 32.0
    source, destination = ends(form.packet)
    for text, new in ((source, "source" in form.changed), ("→", False), (destination, "destination" in form.changed)):
        canvas.text((x, top + 18.5), text, TEXT, "start", mono=True, bold=new)
        x += (len(text) + 1) * TEXT * MONO_ADVANCE
    canvas.mark((SIDE + 37, top + 32), look, 5)
    stretch = f"{form.start.called} to {form.end.called}"
    canvas.text((SIDE + 47, top + 35.5), stretch, 9.4, "start")
    if form.stopped:
        _cross(canvas, top, form)


def _cross(canvas: Canvas, top: float, form: Form) -> None:
    """What became of a packet that was stopped here."""
    fate = next(fate for fate in FATES if form.stopped.startswith(str(fate)))
    canvas.mark((SIDE + 37, top + 47), FATES[fate], 6)
    code = form.stopped.partition(": ")[2]
    told, size = f"{fate}: {code}", 9.4
    if width_of(told, size, True) > WIDTH - 2 * SIDE - 50:
        told, size = code, 8.2  # the mark's shape says the rest
    canvas.text((SIDE + 47, top + 50.5), told, size, "start", bold=True)


def _box(canvas: Canvas, top: float, form: Form) -> None:
    """Who stands between two forms, and what it rewrote."""
    x = SIDE + 16
    canvas.line([(x, top + 1), (x, top + BETWEEN - 1)], arrow=True)
    station = form.start.station
    who = f"{station} {form.start.called}" if station == "node" else station  # a gateway's id stands on the rungs
    canvas.text((SIDE + 32, top + 17), who, 10, "start", bold=True)
    did = "rewrites both ends" if len(form.changed) > 1 else f"rewrites the {form.changed[0]}"
    canvas.text((SIDE + 32 + width_of(who, 10, True) + 8, top + 17), did, 10, "start")


_DRAW = {"title": _title, "rung": _rung, "box": _box}


# In words ----------------------------------------------------------------------------------------


def _caption(journey: Journey) -> str:
    return (
        f"The packets of {request_of(journey)}, form by form. A form has the same number in all figures of this "
        "journey; between two forms stands the box that rewrote one into the other, and what it rewrote is bold."
    )


def _told(made: Sequence[Form]) -> Iterator[str]:
    for kind, form, _ in _rows(made):
        if kind == "title":
            yield f"{_heading(form).capitalize()}:"
        elif kind == "box":
            yield f"The {form.start.station} {form.start.called} rewrites the {' and the '.join(form.changed)}."
        else:
            stopped = f", {form.stopped}" if form.stopped else ""
            source, destination = ends(form.packet)
            stretch = f"{form.start.called} to {form.end.called}, in {form.space}"
            yield f"{form.number}, {stretch}: {source} to {destination}{stopped}."
