"""What a figure says in words: captions and alternative texts, from the same legs that are drawn.

Not modelled: any language but English.
"""

from __future__ import annotations

from collections.abc import Iterator

from netpath.journey import Journey
from netpath.packet import Verdict
from netpath.show.legs import Leg, Way, ends, legs


def fate_of(verdict: Verdict) -> str:
    """One word for what became of it: dropped, rejected, failed."""
    return str(verdict.meaning.fate)


def ending(journey: Journey) -> str:
    """How it ended, for the user."""
    outcome = journey.outcome
    if outcome.response is not None:
        return f"status {outcome.response.status}"
    return f"{outcome.verdict.code}: {outcome.verdict.meaning.happened.rstrip('.')}"


def counted(number: int, thing: str) -> str:
    """So many of a thing: `1 rule`, `2 rules`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def request_of(journey: Journey) -> str:
    return f"{journey.request.method} {journey.request.url}"


def road_caption(journey: Journey) -> str:
    """The caption of a map."""
    return (
        f"The road of {request_of(journey)}, which ends in {ending(journey)}. Each number is one form of the packet, "
        "listed below; a place that a line leaves with another number rewrote an address, or opened a connection of "
        "its own. Solid lines lead out, dashed lines back."
    )


def sequence_caption(journey: Journey) -> str:
    """The caption of a sequence diagram."""
    return (
        f"{request_of(journey)} as time passes, from top to bottom, ending in {ending(journey)}. Each arrow stands for "
        "all the packets that go that way on one connection; a note stands where something was decided or rewritten."
    )


def alternative(journey: Journey) -> str:
    """All that is to be seen on a figure of the journey, in sentences."""
    return " ".join(_sentences(journey))


def _sentences(journey: Journey) -> Iterator[str]:
    walked = legs(journey)
    yield f"{request_of(journey)} from {journey.user.address}."
    ways = {Way.ASK: "Asking for the address", Way.OUT: "Out", Way.BACK: "Back"}
    for way, title in ways.items():
        told = [_leg(leg) for leg in walked if leg.way is way]
        if told:
            yield f"{title}: {'; '.join(told)}."
    yield f"The user sees {ending(journey)}."


def _leg(leg: Leg) -> str:
    stopped = ""
    if leg.stopped is not None:
        stopped = f", {fate_of(leg.stopped.verdict)} by the {leg.stopped.station} ({leg.stopped.verdict.code})"
    told = f"{leg.question}: {leg.answer}"
    packet = told if leg.packet is None else " to ".join(ends(leg.packet))
    return f"{leg.number}, {leg.start.called} to {leg.end.called}, {packet}{stopped}"
