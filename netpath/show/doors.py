"""The doors on a packet's way: gateways, filters and tables, the rules that each was asked, and the one that decided.

A way is a column of doors, read in the direction of travel. With the answer beside it, read upwards, a door stands
level with itself: so one sees who remembers the packet (a security group: no rule is asked again), who asks its rules
anew (a network ACL), and who is asked one way only (a route table).

Not modelled: what happens within a node; of that there is a line, and the chapter on kube-proxy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from netpath.codes import Fate
from netpath.fabric import Trip
from netpath.packet import Hop, Packet
from netpath.show.canvas import Canvas, Drawn, Point, Sheet, width_of
from netpath.show.legs import abridged, ends, shortened
from netpath.show.palette import FATES, GREY, INK

WIDE, SIDE, APART = 352.0, 8.0, 16.0  # a column, the sheet's edge, between two columns
TITLE, LINE, FOOT = 20.0, 13.5, 7.0  # a door's title, one of its rules, what is left free below
BETWEEN = 24.0  # from door to door: there the arrow is, and the packet where it is new
LETTERS = 9.4
MOST_RULES = 7  # of a door; more are counted


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that a door was asked: without the door's own name, and whether it matched."""

    text: str
    matched: bool


@dataclass(frozen=True, slots=True)
class Door:
    """A box on the way: its kind and name, what it decided, the rules asked (`more` are left out), and the packets."""

    station: str
    name: str
    fate: Fate
    code: str
    rules: tuple[Rule, ...]
    more: int
    received: Packet | None
    sent: Packet | None

    @property
    def crowded(self) -> bool:
        """Whether name and code don't fit side by side, so that the code has a line of its own."""
        name = width_of(self.station, 10.5, True) + width_of(self.name, LETTERS, False, True)
        return name + width_of(f"✕ {self.code}", 9.2, True) + 40 > WIDE

    @property
    def title(self) -> float:
        """How high the title is."""
        return TITLE + LINE * self.crowded

    @property
    def height(self) -> float:
        return self.title + LINE * (len(self.rules) + bool(self.more)) + FOOT

    def __str__(self) -> str:
        asked = "; ".join(f"{rule.text}{': decides' if rule.matched else ': no'}" for rule in self.rules)
        return f"{self.station} {self.name}, {self.code}" + (f" ({asked})" if asked else "")


def doors(out: Trip | Iterable[Hop], back: Trip | Iterable[Hop] | None = None) -> Drawn:
    """The doors on a packet's way, and beside them those of its answer."""
    ways = [doors_of(out)] + ([doors_of(back)] if back is not None else [])
    rows = _level(*ways) if len(ways) == 2 else [(door,) for door in ways[0]]
    return Drawn(_draw(rows, ways), _caption(ways), _words(ways), least=600 if len(ways) == 2 else 320)


def doors_of(way: Trip | Iterable[Hop]) -> list[Door]:
    """Each hop as a door."""
    return [_door(hop) for hop in (way.hops if isinstance(way, Trip) else way)]


def _door(hop: Hop) -> Door:
    asked = [] if hop.station == "node" else list(hop.steps)
    decisive = [step for step in asked if step.matched]
    shown = asked if len(asked) <= MOST_RULES else [*asked[: MOST_RULES - len(decisive)], *decisive]
    shown = [step for number, step in enumerate(shown) if step not in shown[:number]]
    rules = [Rule(_bare(step.rule, hop), step.matched) for step in shown]
    verdict = hop.verdict
    if verdict.rule and not verdict.ok and not decisive:
        rules.append(Rule(_bare(verdict.rule, hop), True))
    return Door(
        hop.station,
        _name(hop),
        verdict.meaning.fate,
        verdict.code,
        tuple(rules),
        len(asked) - len(shown),
        hop.received,
        hop.sent,
    )


def _name(hop: Hop) -> str:
    name = hop.at.partition(" (")[0]
    if hop.station in ("node", "pod"):
        return " ".join(shortened(name, hop.station))
    identity, space, way = name.partition(" ")
    return f"{abridged(identity)}{space}{way}"


def _bare(rule: str, hop: Hop) -> str:
    """A rule without what the door's title says already: its own id, and the direction."""
    first, _, rest = rule.partition(" ")
    text = rest if rest and "-" in first and not first[:1].isdigit() else rule
    way = hop.at.partition(" (")[0].rpartition(" ")[2]
    text = text.removeprefix(f"{way} ").removesuffix(" (active)").replace("<->", "↔").replace("->", "→")
    text = " ".join(abridged(word) if word[:1].isalpha() else word for word in text.split())
    return f"not asked, remembered: {text}" if hop.verdict.code == "TRACKED" else text


# Two ways side by side -------------------------------------------------------------------------
def _level(out: Sequence[Door], back: Sequence[Door]) -> list[tuple[Door | None, Door | None]]:
    """The doors of the way out from above, and beside them, from below, those of the way back: the same ones level."""
    upwards = list(reversed(back))
    matcher = SequenceMatcher(None, [door.station for door in out], [door.station for door in upwards], autojunk=False)
    rows: list[tuple[Door | None, Door | None]] = []
    left = right = 0
    for match in matcher.get_matching_blocks():
        rows += [(door, None) for door in out[left : match.a]]
        rows += [(None, door) for door in upwards[right : match.b]]
        left, right = match.a + match.size, match.b + match.size
        rows += list(zip(out[match.a : left], upwards[match.b : right], strict=True))
    return rows


# Words -----------------------------------------------------------------------------------------
def _caption(ways: Sequence[Sequence[Door]]) -> str:
    text = "The doors on a packet's way, from top to bottom, with the rules that each was asked"
    if len(ways) == 2:
        text += "; beside them, from bottom to top, those of its answer"
    return f"{text}. The rule that decided has a mark; a rule with a dash was asked, and didn't match."


def _words(ways: Sequence[Sequence[Door]]) -> str:
    told = []
    for title, way in zip(("Out", "Back"), ways, strict=False):
        packet = next((door.received for door in way if door.received is not None), None)
        sent = f" with {' to '.join(ends(packet))}" if packet is not None else ""
        told.append(f"{title}{sent}: {'. '.join(map(str, way)) or 'no door'}.")
    return " ".join(told)


# Drawing ---------------------------------------------------------------------------------------
def _draw(rows: Sequence[tuple[Door | None, ...]], ways: Sequence[Sequence[Door]]) -> Sheet:
    count = len(ways)
    heights = [max(door.height for door in row if door is not None) for row in rows]
    top = SIDE + 20 + BETWEEN
    height = top + sum(heights) + BETWEEN * len(heights) + SIDE + 8
    canvas = Canvas(2 * SIDE + WIDE * count + APART * (count - 1), height)
    for column in range(count):
        left = SIDE + (WIDE + APART) * column
        placed = _placed(rows, heights, top, column)
        title = ("the packet", "its answer")[column]
        canvas.text((left + WIDE / 2, SIDE + 12), title, 11, bold=True)
        _column(canvas, left, placed, upwards=column == 1)
    return canvas.figure


def _placed(
    rows: Sequence[tuple[Door | None, ...]], heights: Sequence[float], top: float, column: int
) -> list[tuple[Door, float]]:
    """The doors of a column, each with its upper edge."""
    placed, y = [], top
    for row, height in zip(rows, heights, strict=True):
        door = row[column]
        if door is not None:
            placed.append((door, y))
        y += height + BETWEEN
    return placed


def _column(canvas: Canvas, left: float, placed: Sequence[tuple[Door, float]], upwards: bool) -> None:
    for door, y in placed:
        _box(canvas, (left, y), door)
    for start, end, packet, new in _stretches(placed, upwards):
        canvas.line([(left + 22, start), (left + 22, end)], INK, 1.5, dashed=upwards, arrow=True)
        if new and packet is not None:
            text = " → ".join(ends(packet))
            canvas.text((left + 32, (start + end) / 2 + 3.5), text, LETTERS, "start", mono=True, bold=True)


def _stretches(
    placed: Sequence[tuple[Door, float]], upwards: bool
) -> Iterator[tuple[float, float, Packet | None, bool]]:
    """The arrows of a column in the order of travel: from, to, the packet, and whether it has a new form."""
    travelled = list(reversed(placed)) if upwards else list(placed)
    before: Packet | None = None
    near = 0.0
    for number, (door, y) in enumerate(travelled):
        enters, leaves = (y + door.height, y) if upwards else (y, y + door.height)
        step = BETWEEN if upwards else -BETWEEN
        start = near if number else enters + step
        yield start, enters, door.received, number == 0 or _new(before, door.received)
        near, before = leaves, door.received
        if number == len(travelled) - 1 and door.sent is not None:
            yield leaves, leaves - step, door.sent, _new(before, door.sent)


def _new(before: Packet | None, now: Packet | None) -> bool:
    return before is not None and now is not None and ends(before) != ends(now)


def _box(canvas: Canvas, corner: Point, door: Door) -> None:
    look = FATES[door.fate]
    stopped = door.fate is not Fate.PASSED
    colour = look.colour if stopped else GREY
    canvas.box(
        corner, (WIDE, door.height), colour, fill=colour, alpha=0.12 if stopped else 0.06, width=1.8 if stopped else 1
    )
    x, y = corner
    canvas.text((x + 10, y + 15), door.station, 10.5, "start", bold=True)
    name = x + 16 + width_of(door.station, 10.5, True)
    canvas.text((name, y + 15), door.name, LETTERS, "start", mono=True)
    end = (x + WIDE - 10, y + 15 + LINE * door.crowded)
    canvas.text(end, f"{look.sign} {door.code}", 9.2, "end", look.colour if stopped else INK, bold=stopped)
    for number, rule in enumerate(door.rules):
        _rule(canvas, (x, y + door.title + LINE * (number + 0.7)), rule, door.fate)
    if door.more:
        last = y + door.title + LINE * (len(door.rules) + 0.7)
        canvas.text((x + 28, last), f"and {door.more} more that said no", LETTERS, "start", italic=True)


def _rule(canvas: Canvas, at: Point, rule: Rule, fate: Fate) -> None:
    if rule.matched:
        canvas.mark((at[0] + 18, at[1] - 3.5), FATES[fate], 4.5)
    else:
        canvas.text((at[0] + 18, at[1]), "–", LETTERS)
    text = rule.text
    while width_of(text, LETTERS, rule.matched, True) > WIDE - 36:
        text = text[:-2] + "…"
    canvas.text((at[0] + 28, at[1]), text, LETTERS, "start", mono=True, bold=rule.matched)
