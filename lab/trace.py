"""A request as it was seen on the wires, beside the model's road, as text for a person.

The model is given the same choices: the same name servers asked, load balancer's node, worker, pods, and the
same ports drawn. So every number can be compared, and `=` says that it is the same.

Not modelled: a width for less than 100 columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from textwrap import wrap

from lab import model, road
from lab.capture import FORWARDED, Capture
from lab.questions import Asked
from lab.road import Crossing, Line, Road, short
from netpath.journey import Journey
from netpath.world import World

SAME, OTHER = "=", "≠"
_AT, _PACKET, _WIDTH = 28, 42, 116  # columns
_KEPT = "\N{NO-BREAK SPACE}"
_LEGEND = f"(* rewritten here   | it went no further   {SAME} the model says the same   {OTHER} it doesn't)"


def trace(world: World, capture: Capture) -> tuple[str, bool]:
    """What was seen of a request, beside the model's journey; the text, and whether the model says the same."""
    journey = model.follow(world, capture.url, capture.request)
    lines = [f"GET {capture.url}", _LEGEND, "", *_names(capture, journey), *_connections(world, capture, journey)]
    agree = journey is not None and not any(line.endswith(OTHER) for line in lines)
    return "\n".join(lines) + "\n", agree


# Names ---------------------------------------------------------------------------------------


def _names(capture: Capture, journey: Journey | None) -> Iterator[str]:
    seen = capture.request
    if seen.answer is None:
        return
    told = model.asked_by(journey.looked) if journey and journey.looked else ()
    yield from _heading("The resolver asks", "on the wire", "the model")
    for real, said in zip_longest(seen.asked, told):
        place = capture.servers.get((real or said).server, "?")
        yield _row(place, _asked(real), _asked(said), real == said)
    found = ", ".join(str(rdata) for rrset in seen.answer.answer for rdata in rrset) or seen.answer.rcode().name
    yield f"and says: {found}"
    yield ""


def _asked(asked: Asked | None) -> str:
    if asked is None:
        return ""
    name, _, rdtype = asked.question.split()
    return _clipped(f"{rdtype} {name}", _PACKET - len(asked.nature) - 2) + f": {asked.nature}"


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


# Connections ---------------------------------------------------------------------------------


def _connections(world: World, capture: Capture, journey: Journey | None) -> Iterator[str]:
    seen = capture.request
    told = model.road_of(world, journey) if journey else _nearest(world, capture)
    for number, (real, said) in enumerate(zip_longest(seen.road.lines, told.lines if told else ()), 1):
        yield from _heading(f"Connection {number}", "on the wire", "the model")
        yield from _line(real, said)
        yield from _header(capture, journey, number - 1)
        yield from _decided(capture, real, journey, number - 1)
        yield from _kept(capture, real, journey)
        yield ""
    said = _status(told.status) if told else ""
    yield _row("the user gets", _status(seen.reply.status), said, not told or told.status == seen.reply.status)
    first = seen.reply.page.partition("\n")[0]
    if first and "<" not in first:
        yield f"{'':{_AT}} {first}"


def _status(status: int | None) -> str:
    return "no answer" if status is None else str(status)


def _nearest(world: World, capture: Capture) -> Road | None:
    """Where the model knows no such road, the most similar one."""
    seen = capture.request
    text = road.canonical(seen.road)
    known = model.roads(world, capture.url, seen.server) if seen.server else {}
    best = max(known, key=lambda each: SequenceMatcher(None, each, text).ratio(), default=None)
    return model.road_of(world, known[best].result) if best else None


def _line(real: Line | None, said: Line | None) -> Iterator[str]:
    yield from _way(real.out if real else (), said.out if said else ())
    yield from _way(real.back if real else (), said.back if said else ())
    ends = (real.end if real else "", said.end if said else "")
    yield _row("", *ends, ends[0] == ends[1])


def _way(real: Sequence[Crossing], said: Sequence[Crossing]) -> Iterator[str]:
    for one, other in zip_longest(real, said):
        yield _row(short((one or other).place), _crossing(one), _crossing(other), one == other)


def _crossing(crossing: Crossing | None) -> str:
    """What left a place, and an asterisk if it was rewritten there; or that it went no further."""
    if crossing is None:
        return ""
    packet = crossing.left or crossing.came
    sign = "" if crossing.left is None or crossing.came in (None, crossing.left) else " *"
    return road.packet_text(packet and packet._replace(quotes=None)) + (sign if crossing.left else " |")


def _header(capture: Capture, journey: Journey | None, number: int) -> Iterator[str]:
    """Whom the request on a connection says that it is for, from the second connection on."""
    found = capture.forwarded[number] if 0 < number < len(capture.forwarded) else ""
    if found and journey is not None and number < len(journey.connections):
        request = journey.connections[number].request
        said = (request.header(FORWARDED) if request is not None else None) or ""
        yield _row(FORWARDED, found, said, found == said)


def _decided(capture: Capture, real: Line | None, journey: Journey | None, number: int) -> Iterator[str]:
    """The rules that the first packet matched in each node, as the kernel tells, and whether the model's are these."""
    told = model.decided_by(journey.connections[number].out) if journey and number < len(journey.connections) else {}
    ends = real.out[0].left[:4] if real and real.out[0].left else ()
    for (asked, place), rules in capture.request.rules.items():
        if asked == ends:
            sign = SAME if told.get(place) == rules else OTHER
            whole = ", ".join(rule.replace(" ", _KEPT) for rule in rules)  # a rule's name isn't broken
            lines = wrap(
                f"{short(place)} matched {whole} {sign}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False
            )
            yield from (line.replace(_KEPT, " ") for line in lines)


def _kept(capture: Capture, real: Line | None, journey: Journey | None) -> Iterator[str]:
    """What the nodes on the way remember of the connection, where they translated it."""
    told = model.remembered_by(journey) if journey else {}
    for crossing in real.out if real else ():
        if crossing.came and crossing.left and crossing.came != crossing.left:
            port = f"sport={crossing.came.source_port} "
            for entry in (each for each in capture.kept.get(crossing.place, ()) if port in each):
                sign = SAME if entry in told.get(crossing.place, ()) else OTHER
                yield f"{short(crossing.place)} remembers {entry} {sign}"


# Text ----------------------------------------------------------------------------------------


def _heading(title: str, *columns: str) -> list[str]:
    return [f"{title:{_AT}} " + " ".join(f"{column:{_PACKET}}" for column in columns).rstrip()]


def _row(place: str, real: str, said: str, same: bool) -> str:
    return f"{_clipped(place, _AT):{_AT}} {real:{_PACKET}} {said:{_PACKET}} {SAME if same else OTHER}"
