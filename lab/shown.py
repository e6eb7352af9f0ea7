"""What the book shows of the lab: counts, a captured request beside the model's journey, a lab for a moment.

Everything here works without the lab's programs: what was seen is kept in `recorded/` and in `results.json`. Where the
programs are there, `sample` asks them, and says so; elsewhere it says why not, and gives what was recorded.

Not modelled: how it looks; a `Table` does that.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any

from lab import model
from lab.capture import FOLDER, Capture
from lab.isolation import Isolated, LabError, obstacle
from lab.road import Crossing, packet_text, short
from lab.session import PROGRAMS
from lab.visits import Visits, visits
from netpath.journey import Journey
from netpath.show.tables import Cell, Face, Line, Table, cell
from netpath.world import World

RESULTS = Path(__file__).parent / "results.json"
SAME = "the same"
_SAMPLE = FOLDER / "sample.json"


def results() -> dict[str, Any]:
    """What the last recorded run of the oracles came to: date, seed, versions, and counts for each oracle."""
    kept: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return kept


def counts() -> Table:
    """The counts as a table, with the sum of them."""
    oracles = results()["oracles"]
    rows = [(name, each["cases"], each["disagreements"]) for name, each in oracles.items()]
    rows.append(("together", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    cells = tuple((cell(name), cell(f"{cases:,}"), cell(f"{wrong:,}")) for name, cases, wrong in rows)
    return Table(("oracle", "cases", "disagreements"), cells)


# A request -----------------------------------------------------------------------------------


def beside(world: World, capture: Capture, number: int) -> Table:
    """A connection of a captured request (the first is 1), place by place, beside the model's.

    What a place received and sent on is one packet unless it was rewritten there: that one is strong. The model is
    given the choices that were seen, its journey is worked out now. Raises `ValueError` where it knows none like it.
    """
    journey = model.follow(world, capture.url, capture.request)
    if journey is None:
        raise ValueError("the model knows no such journey")
    real, said = capture.request.road.lines[number - 1], model.road_of(world, journey).lines[number - 1]
    rows = [
        (cell(short((one or other).place)), _seen(one), cell(SAME) if one == other else _seen(other))
        for way in ("out", "back")
        for one, other in zip_longest(getattr(real, way), getattr(said, way))
    ]
    return Table(("at", "on the wire", "the model"), tuple(rows))


def decided(capture: Capture, journey: Journey, number: int, table: str = "nat") -> Table:
    """The rules of a table that a connection's first packet matched in each node, as the kernel told, and the model's.

    (`nat KUBE-SERVICES 8` is written as `KUBE-SERVICES 8`.) All tables are compared.
    """
    left = capture.request.road.lines[number - 1].out[0].left
    ends = left[:4] if left is not None else None
    told = model.decided_by(journey.connections[number - 1].out)
    rows = []
    for (asked, place), rules in capture.request.rules.items():
        if asked == ends:
            own = [rule.removeprefix(f"{table} ") for rule in rules if rule.startswith(f"{table} ")]
            other = "another way: " + ", ".join(told.get(place, []))
            said = SAME if told.get(place) == rules else other
            rows.append((cell(short(place)), cell(*own, face=Face.CODE), cell(said)))
    return Table(("node", "the kernel matched", "the model"), tuple(rows))


def kept(capture: Capture, journey: Journey) -> Table:
    """What each node's kernel remembered of a captured request, and whether the model's node remembers it."""
    told = model.remembered_by(journey)
    rows = [
        (
            cell(short(place)),
            cell(*(f"src={half.strip()}" for half in entry.split("src=")[1:]), face=Face.CODE),
            cell(SAME if entry in told.get(place, ()) else "nothing of it"),
        )
        for place, entries in capture.kept.items()
        for entry in entries
    ]
    return Table(("node", "the kernel remembers", "the model"), tuple(rows))


def _seen(crossing: Crossing | None) -> Cell:
    """The packet that left a place, or came to its end there."""
    if crossing is None:
        return cell("nothing")
    rewritten = crossing.came is not None and crossing.left is not None and crossing.came != crossing.left
    packet = packet_text(crossing.left or crossing.came)
    return (Line(packet, Face.STRONG if rewritten else Face.CODE),)


# A lab for a moment --------------------------------------------------------------------------


def sample(url: str, server: str, times: int) -> Visits:
    """Open a URL so many times in a lab that is built for it; where that can't be, what was recorded of it.

    Prints which of the two it is.
    """
    reason = obstacle(PROGRAMS)
    if not reason:
        try:
            with Isolated() as isolated:
                seen = isolated.call(visits, url, server, times)
            print("Asked just now, on this machine.")
            return seen
        except LabError as problem:
            reason = str(problem).strip().splitlines()[-1]
    print(f"Not asked here: {reason}. This is what was recorded on {results()['date']}.")
    return recorded_sample()


def recorded_sample() -> Visits:
    kept = json.loads(_SAMPLE.read_text(encoding="utf-8"))
    return Visits(**{**kept, "roads": tuple((tuple(text), number) for text, number in kept["roads"])})


def record_sample(seen: Visits) -> None:
    """Write a sample down, for machines on which nothing can be asked."""
    _SAMPLE.write_text(json.dumps(asdict(seen), indent=1) + "\n", encoding="utf-8")


def shares(world: World, seen: Visits) -> Table:
    """Where requests went, by the first node and the ingress pod: how often it was seen, and the model's chance of it.

    A road that the model doesn't know counts for a chance of nothing.
    """
    known = model.roads(world, seen.url, seen.server)
    chances: dict[tuple[str, str], Fraction] = {}
    counted: dict[tuple[str, str], int] = {}
    for text, outcome in known.items():
        chances[_through(text)] = chances.get(_through(text), Fraction(0)) + outcome.probability
    for text, number in seen.roads:
        counted[_through(text)] = counted.get(_through(text), 0) + number
    total = sum(counted.values())
    rows = tuple(
        (
            cell(node),
            cell(pod),
            cell(f"{counted.get((node, pod), 0)} of {total}"),
            cell(str(chances.get((node, pod), 0))),
        )
        for node, pod in sorted({*chances, *counted})
    )
    return Table(("first node", "ingress pod", "seen", "the model's chance"), rows)


def _through(road: tuple[str, ...]) -> tuple[str, str]:
    """The first node and the ingress pod of a road."""
    places = [short(line.partition(": ")[0]) for line in road if ": " in line]
    node, pod = (
        next((each for each in places if each.startswith(start)), "") for start in ("ip-", "ingress-nginx-controller-")
    )
    return node, pod
