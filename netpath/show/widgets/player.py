"""The packet player: a journey to play, to step through and to scrub; two journeys side by side.

On the left the map with the packet on it, beside it the ledger's entry for where the packet is, below both the
scrubber, with a mark where each connection begins. All of it is `netpath.show.frames` and `netpath.show.plan`, put
into plain data: every text once, and every entry once, however many journeys have it.

    player({"The hit": hit, "The miss": miss})     any journeys, by the name that a reader chooses them by
    explore(world)                                 any world and any request, where a kernel is

Not modelled: what `netpath.show.frames` says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from netpath.chance import seeded
from netpath.journey import Journey, travel
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import address, http_request
from netpath.show.canvas import Point
from netpath.show.frames import Frame, Stage, frames
from netpath.show.legs import GATEWAY, NAME_SERVER, RESOLVER, Leg, Spot, legs
from netpath.show.palette import Space
from netpath.show.plan import NARROW, Plan, between
from netpath.show.prepared import CART, local_policy
from netpath.show.road import road
from netpath.show.tables import Table, cell
from netpath.show.widgets.kit import Data, Framed, Live, Shown, live
from netpath.show.words import ending, request_of
from netpath.world import World

Packed = int | None | list["Packed"]


def player(journeys: Mapping[str, Journey], notes: Mapping[str, str] | None = None, *, compare: bool = False) -> Player:
    """A player for journeys by name; `notes` says of each what is other than usual.

    `compare`: it opens with the first two side by side.
    """
    return Player(journeys, notes or {}, compare=compare)


class Player(Shown):
    """The widget. Its data is all that it shows."""

    _module = "player.js"

    def __init__(self, journeys: Mapping[str, Journey], notes: Mapping[str, str], *, compare: bool = False) -> None:
        self.journeys, self.notes = dict(journeys), dict(notes)
        super().__init__(data(journeys, notes, compare=compare))

    def __repr__(self) -> str:
        told = (
            f"{name}: {request_of(journey)}, {ending(journey)}, {len(frames(journey))} steps"
            for name, journey in self.journeys.items()
        )
        return "\n".join(("Packet player", *told))

    def frame(self) -> Framed:
        """The map of the first journey; where there are more, what became of each."""
        return Still(self.journeys, self.notes)


@dataclass(frozen=True, slots=True)
class Still:
    """What stands for the player where nothing moves."""

    journeys: Mapping[str, Journey]
    notes: Mapping[str, str]

    def _repr_html_(self) -> str:
        first = next(iter(self.journeys.values()))
        rest = endings(self.journeys, self.notes)._repr_html_() if len(self.journeys) > 1 else ""
        return road(first).html() + rest


def endings(journeys: Mapping[str, Journey], notes: Mapping[str, str]) -> Table:
    """What the user sees of each journey, and what decided it."""
    rows = []
    for name, journey in journeys.items():
        code = journey.cause.verdict.code if journey.cause is not None else ""
        rows.append((cell(name), cell(notes.get(name, request_of(journey))), cell(ending(journey)), cell(code)))
    return Table(("journey", "what is other than usual", "the user sees", "because of"), tuple(rows))


# Data --------------------------------------------------------------------------------------------


def data(journeys: Mapping[str, Journey], notes: Mapping[str, str] | None = None, *, compare: bool = False) -> Data:
    """All that the player shows, as plain data: `texts`, `entries` made of them, `journeys` made of those."""
    book = _Book()
    told = [_journey(book, name, journey, (notes or {}).get(name, "")) for name, journey in journeys.items()]
    return {
        "texts": list(book.texts),
        "entries": [entry for _, entry in book.entries.values()],
        "journeys": told,
        "compare": compare and len(told) > 1,
    }


@dataclass(slots=True)
class _Book:
    """Every text and every entry once, by number."""

    texts: dict[str, int] = field(default_factory=dict)
    entries: dict[str, tuple[int, list[Packed]]] = field(default_factory=dict)

    def pack(self, value: Any) -> Packed:
        """The same with numbers in place of texts."""
        if isinstance(value, str):
            return self.texts.setdefault(value, len(self.texts))
        return None if value is None else [self.pack(each) for each in value]

    def entry(self, frame: Frame) -> int:
        packed = [self.pack(each) for each in _entry(frame)]
        number, _ = self.entries.setdefault(repr(packed), (len(self.entries), packed))
        return number


def _entry(frame: Frame) -> Iterable[Any]:
    """What is told of a frame: title, name, code, fate, rows of lines, rules asked, the sentence."""
    verdict = frame.verdict
    yield frame.title
    yield frame.at
    yield None if verdict is None else verdict.code
    yield None if verdict is None else str(verdict.meaning.fate)
    yield [[name, [[str(line.face), line.text] for line in lines]] for name, lines in frame.rows]
    yield [[step.at, step.rule, step.why, "matched" if step.matched else ""] for step in frame.asked]
    yield frame.says


def _journey(book: _Book, name: str, journey: Journey, note: str) -> Data:
    """One journey: its map and its frames."""
    plan, told = Plan(legs(journey), NARROW, fixed=True), frames(journey)
    lines = {id(leg): line for leg, line in plan.lines()}
    spots = list(plan.at)
    return {
        "name": name,
        "note": note,
        "request": request_of(journey),
        "ending": ending(journey),
        "fate": str(journey.outcome.verdict.meaning.fate),
        "size": [NARROW.width, _short(plan.bottom + 10)],
        "bands": [[str(space), *_rounded(*corner, *size)] for space, corner, size in plan.boxes()],
        "places": [_place(spot, plan.at[spot]) for spot in spots],
        "legs": [_leg(leg, lines.get(id(leg), [plan.at[leg.start], plan.at[leg.end]])) for leg in plan.legs],
        "frames": [_frame(book, frame, plan, lines, spots) for frame in told],
        "stages": [[first, *_marked(stage)] for first, stage in _stages(told)],
    }


def _frame(book: _Book, frame: Frame, plan: Plan, lines: Mapping[int, list[Point]], spots: list[Spot]) -> list[float]:
    """Where the packet is, how far the lines are drawn, its number, the place that it is at (-1: none), its entry."""
    spot = -1 if frame.spot is None else spots.index(frame.spot)
    if frame.spot is not None:
        at = plan.at[frame.spot]
    elif frame.leg >= 0:
        at = between(lines[id(plan.legs[frame.leg])], frame.share)
    else:
        at = (0.0, 0.0)
    return [*_rounded(*at), frame.leg, _short(frame.share), frame.number, spot, book.entry(frame)]


def _leg(leg: Leg, line: list[Point]) -> list[Any]:
    return [leg.number, str(leg.way), leg.connection, *_rounded(*line[0], *line[-1])]


def _stages(told: tuple[Frame, ...]) -> list[tuple[int, Stage]]:
    """Each stage, and the number of its first frame."""
    return [(next(group)[0], stage) for stage, group in groupby(enumerate(told), lambda pair: pair[1].stage)]


def _marked(stage: Stage) -> tuple[str, str]:
    return stage.short, stage.title


def _place(spot: Spot, at: Point) -> list[Any]:
    """A place: its space, station, whether it was never reached, where it is, where its name stands, its name."""
    x, y, anchor = _beside(spot, at)
    lines = [*spot.label, *([spot.address] if spot.address and spot.address != spot.name else [])]
    return [str(spot.space), spot.station, int(spot.unreached), *_rounded(*at, x, y), anchor, lines]


_LAST = NARROW.width - 110  # right of it, a name isn't put on the right


def _beside(spot: Spot, at: Point) -> tuple[float, float, str]:
    """Where the first line of a place's name stands on a narrow sheet, free of lines: below it, beside it, above it."""
    x, y = at
    if spot.space is Space.INTERNET:
        return x, y - 37, "middle"
    if spot.station == RESOLVER or spot.space is Space.PODS:
        return x, y + 24, "middle"
    if spot.space is Space.NODES:
        return (x, y - 28, "middle") if x > _LAST else (x + 9, y - 22, "start")
    if spot.station == GATEWAY:
        return x + 30, y + 4, "start"
    return x + 16, y - (2 if spot.station == NAME_SERVER else 20), "start"


def _short(number: float) -> float:
    """A number of a few digits."""
    return int(number) if number == int(number) else round(number, 2)


def _rounded(*numbers: float) -> list[float]:
    return [_short(round(each, 1)) for each in numbers]


# Live --------------------------------------------------------------------------------------------

CLUSTER, LOCAL = "externalTrafficPolicy: Cluster", "externalTrafficPolicy: Local"


def explore(world: World | None = None) -> Live:
    """The player for any URL, any stroke of luck and any user, in a world of one's own. Needs a kernel.

    Raises `WorldError` where the world lacks what the road needs.
    """
    import ipywidgets

    known = shop() if world is None else world
    change = _redrawing(known)
    named: Any = {"style": {"description_width": "initial"}}
    controls = {
        "url": ipywidgets.Text(CART, description="URL", continuous_update=False, **named),
        "user": ipywidgets.Text(str(known.user), description="from", continuous_update=False, **named),
        "seed": ipywidgets.BoundedIntText(0, 0, 9999, description="luck (seed)", **named),
        "before": ipywidgets.BoundedIntText(0, 0, 9, description="requests before it", **named),
        "keep_alive": ipywidgets.Checkbox(True, description="keep-alive", indent=False),
        "policy": ipywidgets.Dropdown(options=[CLUSTER, LOCAL], description="policy", **named),
    }
    values = {name: control.value for name, control in controls.items()}
    return live(Player(*change.journeys(**values)), change, **controls)


@dataclass(frozen=True, slots=True)
class _Redrawing:
    """Gives the player's data for what a reader has chosen."""

    worlds: Mapping[str, World]

    def journeys(
        self, url: str, user: str, seed: int, before: int, keep_alive: bool, policy: str
    ) -> tuple[dict[str, Journey], dict[str, str]]:
        world, memory, request, choose = self.worlds[policy], Memory(), http_request(url), seeded(seed)
        for _ in range(before):
            travel(world, memory, request, choose, user=address(user), keep_alive=keep_alive)
        return {request.url: travel(world, memory, request, choose, user=address(user), keep_alive=keep_alive)}, {}

    def __call__(self, **values: Any) -> Data:
        return data(*self.journeys(**values))


def _redrawing(world: World) -> _Redrawing:
    return _Redrawing({CLUSTER: world, LOCAL: local_policy(world) if world.cluster else world})
