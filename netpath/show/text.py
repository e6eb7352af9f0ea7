"""What a person reads at a terminal: aligned, never wider than it, coloured only there.

A `Page` collects lines. Each row of a table is a line, or more where a cell has to be folded; on a narrow
terminal a row becomes a block of lines, one below the other. Colour only repeats what the words say. A star before a
hop says that it rewrote an address, a cross that it stopped the packet.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from netpath.codes import Fate
from netpath.packet import Endpoint, Hop, Packet, Protocol, Step, Verdict
from netpath.show.plain import printable

if TYPE_CHECKING:
    import dns.rrset

    from netpath.choice import Outcome as Chance
    from netpath.fabric import Trip
    from netpath.ingress import Decision
    from netpath.journey import Connection, Journey
    from netpath.names import Looked
    from netpath.properties import Property
    from netpath.resolution import Exchange, Resolution
    from netpath.vpc import Finding

NARROW = 72  # columns; below, a row becomes a block
NARROW_FOR_HOPS = 90  # the ids of four boxes and two packets want more room
_COLOURS = {Fate.PASSED: "32", Fate.DROPPED: "31", Fate.REJECTED: "31", Fate.FAILED: "33"}
_BOLD, _DIM, _RED, _GREEN, _YELLOW = "1", "2", "31", "32", "33"


class Page:
    """Lines of text for a width in columns; `colour` adds ANSI escapes, which don't count."""

    def __init__(self, width: int = 100, colour: bool = False) -> None:
        self.width = max(width, 10)
        self.colour = colour
        self.lines: list[str] = []

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colour and colour and text else text

    def line(self, text: str = "", colour: str = "", indent: int = 0, hanging: int = 0) -> None:
        """A paragraph, folded to the width; its later lines stand `hanging` further in."""
        indent = min(indent, self.width // 3)
        for part in _folded(text, self.width - indent, min(hanging, self.width // 4)):
            self.lines.append(" " * indent + self.paint(part, colour) if part else "")

    def title(self, text: str) -> None:
        if self.lines:
            self.line()
        self.line(text, _BOLD)

    def table(
        self,
        rows: Sequence[Sequence[str]],
        colours: Sequence[Sequence[str]] = (),
        indent: int = 2,
        after: Callable[[int], object] | None = None,
        narrow: int = NARROW,
    ) -> None:
        """Rows of cells in aligned columns; the last column takes what is left, and folds. `after` each row comes
        what isn't aligned with the others."""
        if not rows:
            return
        widths = self._widths(rows, indent) if self.width >= narrow else None
        for number, row in enumerate(rows):
            painted = colours[number] if colours else ("",) * len(row)
            if widths is None:
                self._block(row, painted, indent)
            else:
                self._row(row, painted, widths, indent)
            if after is not None:
                after(number)

    def _widths(self, rows: Sequence[Sequence[str]], indent: int) -> list[int] | None:
        """The columns' widths, or None if there is no room for columns."""
        *natural, last = (_widest(rows, column, "\n") for column in range(len(rows[0])))
        words = [width if width <= 18 else _widest(rows, column, " ") for column, width in enumerate(natural)]
        room = self.width - indent - 2 * len(natural)
        for least, floors in ((room // 2, words), (room * 2 // 5, words), (24, [8] * len(words))):
            widths = _shrunk(natural, floors, room - min(last, least))
            if sum(widths) + min(last, least) <= room:
                return [*widths, room - sum(widths)]
        return None

    def _row(self, row: Sequence[str], colours: Sequence[str], widths: Sequence[int], indent: int) -> None:
        names = [_fitting(text, width) for text, width in zip(row[:-1], widths, strict=False)]
        cells = [_folded(text, width) for text, width in zip([*names, row[-1]], widths, strict=True)]
        for depth in range(max(map(len, cells))):
            parts = []
            for cell, width, colour in zip(cells, widths, colours, strict=True):
                text = cell[depth] if depth < len(cell) else ""
                parts.append(self.paint(text, colour) + " " * (width - len(text)))
            self.lines.append((" " * indent + "  ".join(parts)).rstrip())

    def _block(self, row: Sequence[str], colours: Sequence[str], indent: int) -> None:
        """A row where there is no room for columns: short cells on the first line, the last one below."""
        first = "  ".join(text for text in row[:-1] if text)
        colour = next((colour for text, colour in zip(row[:-1], colours, strict=False) if text and colour), "")
        if first:
            self.line(first, colour, indent, hanging=4)
        if row[-1]:
            self.line(row[-1], colours[-1], indent + 4)


def _widest(rows: Sequence[Sequence[str]], column: int, between: str) -> int:
    """The longest line, or the longest word, of a column."""
    return max(len(printable(part)) for row in rows for part in row[column].split(between))


def _shrunk(natural: Sequence[int], floors: Sequence[int], room: int) -> list[int]:
    """Widths that fit the room, the widest made narrower first, none of them below its floor."""
    widths = list(natural)
    while sum(widths) > room:
        free = [column for column, width in enumerate(widths) if width > floors[column]]
        if not free:
            break
        widths[max(free, key=widths.__getitem__)] -= 1
    return widths


def _folded(text: str, width: int, hanging: int = 0) -> list[str]:
    """Lines of at most `width` columns; what can't be printed is escaped, and line ends in the text are kept."""
    wrapper = textwrap.TextWrapper(max(width, 1), subsequent_indent=" " * hanging, break_on_hyphens=False)
    return [part.rstrip() for line in text.split("\n") for part in wrapper.wrap(printable(line)) or [""]]


# Hops ------------------------------------------------------------------------------------------


def _colour(verdict: Verdict) -> str:
    return _COLOURS[verdict.meaning.fate]


def _rewrites(hop: Hop) -> list[str]:
    """What a hop changed. ICMP has no ports: there the addresses alone tell."""
    ends = str if hop.received is None or hop.received.protocol is not Protocol.ICMP else _host
    changed = [(name, ends(before), ends(after)) for name, before, after in hop.rewrites]
    return [f"{name} {before} -> {after}" for name, before, after in changed if before != after]


def _host(end: Endpoint) -> str:
    return str(end.address)


MOST_LINES = 4  # of what a hop went by: a root zone has thirteen name servers


def _detail(hop: Hop, at: str) -> str:
    """What a hop changed; if nothing, the rule that it went by, without the name of the box that stands beside it."""
    changed = _rewrites(hop)
    if changed:
        return "\n".join(changed)
    lines = hop.verdict.rule.removeprefix(f"{at} ").split("\n")
    more = len(lines) - MOST_LINES
    return "\n".join([*lines[:MOST_LINES], f"and {more} more"] if more > 1 else lines)


def _short(text: str, width: int = 44) -> str:
    """A name that fits a column: of an AWS host name the first label, of anything long its two ends."""
    text = text.removesuffix(".compute.internal").removesuffix(".ec2.internal")
    if text.startswith("ip-"):
        text = text.partition(".")[0]
    return _elided(text, width)


def _elided(text: str, width: int) -> str:
    """The two ends of what is too long."""
    tail = min(width // 3, 11)
    return text if len(text) <= width else f"{text[: width - tail - 1]}…{text[len(text) - tail :]}"


def _fitting(text: str, width: int) -> str:
    """A cell none of whose words is wider than its column."""
    return " ".join(_elided(printable(word), width) for word in text.split(" "))


def _box(hop: Hop) -> str:
    """A box's name; its direction and what it stands for are left out where the rule says them."""
    name, _, _ = hop.at.partition(" (")
    if len(hop.at) <= 40:
        return _short(hop.at)
    box, _, direction = name.rpartition(" ")
    return _short(box if direction in ("ingress", "egress") and direction in hop.verdict.rule else name)


def _called(hop: Hop) -> str:
    """A box's name after its station, where it has one of its own."""
    return "" if hop.at == hop.station else f" {hop.at}"


def _mark(hop: Hop) -> str:
    if not hop.verdict.ok:
        return "x"
    return "*" if hop.rewrites else " "


def hops(page: Page, values: Iterable[Hop], steps: bool = False) -> None:
    """A line for each hop: the box, its verdict, what it changed or why; with `steps`, each rule below it."""
    told, rows, colours = list(values), [], []
    for hop in told:
        box = _box(hop) if _called(hop) else ""
        rows.append((f"{_mark(hop)} {hop.station}", box, hop.verdict.code, _detail(hop, box)))
        colour = _colour(hop.verdict)
        colours.append(("" if hop.verdict.ok else colour, _DIM, colour, _BOLD if hop.rewrites else ""))
    below = (lambda number: _steps(page, told[number].steps)) if steps else None
    page.table(rows, colours, after=below, narrow=NARROW_FOR_HOPS)


def _steps(page: Page, steps: Iterable[Step]) -> None:
    """Rules consulted: a plus for one that matched, a minus for one that didn't, and why."""
    for step in steps:
        where = f"{step.at}: " if step.at else ""
        page.line(f"{'+' if step.matched else '-'} {where}{step.rule}", "" if step.matched else _DIM, 6, 4)
        if step.why:
            page.line(step.why, _DIM, 10)


def _packet(packet: Packet | None) -> str:
    if packet is None:
        return "nothing"
    if packet.protocol is Protocol.ICMP:
        return f"icmp {packet.source.address} > {packet.destination.address} {packet.icmp}"
    return str(packet)


# A journey -------------------------------------------------------------------------------------


def journey(page: Page, value: Journey, now: float, steps: bool = False) -> None:
    """One request there and back."""
    request = value.request
    page.title(f"{request.method} {request.url} from {value.user.address} at {_seconds(now)}")
    if value.looked is not None:
        looked(page, value.looked, steps)
    for connection in value.attempts:
        _connection(page, connection, steps, "")
    _outcome(page, value)


def _seconds(value: float) -> str:
    return f"{value:,.3f}".rstrip("0").rstrip(".") + " s"


def looked(page: Page, value: Looked, steps: bool = False) -> None:
    """How the user's machine found the address."""
    page.title(f"the name {value.lookup.name}")
    hops(page, value.hops, steps)


def _connection(page: Page, value: Connection, steps: bool, number: str) -> None:
    how = "on a connection that is open already" if value.reused else str(value.end)
    page.title(f"{number}{value.name}: {how}")
    if value.request is not None:
        forwarded = value.request.header("X-Forwarded-For")
        told = f"   X-Forwarded-For: {forwarded}" if forwarded else ""
        page.line(f"{value.request.method} {value.request.target}   Host: {value.request.host}{told}", _DIM, 2, 2)
    _way(page, "out ", value.out, steps)
    if value.decisions:
        page.line("decides", "", 2)
        hops(page, value.decisions, steps)
    for onward in value.onward:
        _connection(page, onward, steps, number)
    if value.onward:
        page.title(f"{number}{value.name}: the answer")
        hops(page, [value.conclusion] if value.conclusion else [], steps)
    if value.back is not None:
        _way(page, "back", value.back, steps)


def _way(page: Page, direction: str, value: Trip, steps: bool) -> None:
    page.line(f"{direction} {_packet(value.sent)}", "", 2)
    hops(page, value.hops, steps)
    if value.place is None:
        page.line("it goes no further", _RED, 4)
    elif value.packet != value.sent:
        page.line(f"arrives as {_packet(value.packet)}", "", 4)


def _outcome(page: Page, value: Journey) -> None:
    outcome = value.outcome
    page.title("what the user sees")
    waited = f" after {_seconds(value.waited)} of silence" if value.waited else ""
    page.line(f"{_seen(value)}{waited}", _GREEN if outcome.ok or outcome.verdict.ok else _RED, 2)
    if not outcome.ok:
        _why(page, outcome.verdict, value.cause)


def _seen(value: Journey) -> str:
    """In a few words, what there is on the screen."""
    if value.outcome.response is not None:
        return f"{value.outcome.response.status} from {value.outcome.response.by}"
    if value.outcome.verdict.ok:
        return "a connection, and no answer that this world knows"
    return "no connection" if value.attempts else "no address for that name"


def _why(page: Page, verdict: Verdict, cause: Hop | None) -> None:
    told = [verdict] if cause is None or cause.verdict.code == verdict.code else [verdict, cause.verdict]
    for each in told:
        page.line(f"{each.code}: {each.meaning.happened}", "", 2, 2)
        if each.rule:
            page.line(each.rule, _DIM, 4, 2)
    if cause is not None:
        page.line(f"at {cause.station}{_called(cause)}", "", 4, 2)
    if told[-1].meaning.remedy:
        page.line(f"What to do: {told[-1].meaning.remedy}", _BOLD, 2, 2)


# Names -----------------------------------------------------------------------------------------


def resolution(page: Page, value: Resolution, question: str, now: float, steps: bool = False) -> None:
    """Every exchange, then the answer, as `dig` would print it."""
    page.title(f"{question} at {_seconds(now)}")
    for number, one in enumerate(value.exchanges, 1):
        _exchange(page, number, one)
    if not value.exchanges:
        page.line("nobody had to be asked", "", 2)
    if steps:
        hops(page, value.hops, steps)
    response = value.response
    page.line()
    page.line(f"the answer: {value.code}", _colour(Verdict(value.code)), 2)
    for section in (response.answer, response.authority):
        _records(page, section, "", 4)


def _exchange(page: Page, number: int, one: Exchange) -> None:
    """One name server asked: whom, for what, and what came back."""
    how = " over TCP" if one.tcp else ""
    page.line(f"{number}  {one.server} ({one.address}), as a server of {one.zone}{how}", "", 2, 3)
    page.line(f"{one.query.question[0]}?", _DIM, 5, 2)
    page.line(one.code, _colour(Verdict(one.code)), 5)
    if one.response is not None:
        _records(page, one.response.answer or one.response.authority, "")
        _records(page, one.response.additional, "also ")


def _records(page: Page, section: Sequence[dns.rrset.RRset], mark: str, indent: int = 7) -> None:
    for rrset in section:
        for record in rrset.to_text().splitlines():
            page.line(f"{mark}{record}", _DIM if mark else "", indent, 2)


# One packet ------------------------------------------------------------------------------------


def round_trip(page: Page, out: Trip, back: Trip | None, steps: bool = False) -> None:
    """A packet and what came back."""
    page.title(_packet(out.sent))
    _way(page, "out ", out, steps)
    if back is None:
        page.line("nothing comes back", _RED, 2)
    else:
        _way(page, "back", back, steps)
    stopped = next((trip for trip in (out, back) if trip is not None and trip.place is None), None)
    if stopped is not None:
        _why(page, stopped.verdict, stopped.hops[-1] if stopped.hops else None)


def walked(page: Page, value: Trip, steps: bool = False) -> None:
    """A packet against one host's rules."""
    page.title(_packet(value.sent))
    hops(page, value.hops, steps)
    if value.place is None:
        _why(page, value.verdict, value.hops[-1])
    else:
        page.line(f"{value.place.name}: {_packet(value.packet)}", _GREEN, 2, 2)


def chances(page: Page, values: Sequence[Chance[Trip]]) -> None:
    """All that can become of a packet: how likely, where it ends, as what it arrives."""
    rows = [("probability", "ends at", "arrives as", "verdict")]
    colours: list[Sequence[str]] = [(_BOLD,) * 4]
    for share, trip in merged(values):
        where = "nowhere" if trip.place is None else trip.place.name
        rows.append((share, where, _packet(trip.packet), trip.verdict.code))
        colours.append(("", "", "", _colour(trip.verdict)))
    page.table(rows, colours)


def merged(values: Sequence[Chance[Trip]]) -> list[tuple[str, Trip]]:
    """Outcomes that look the same to a reader put together; the likelier first."""
    together: dict[tuple[str, str, str], list[Chance[Trip]]] = {}
    for value in values:
        trip = value.result
        key = str(trip.place), _packet(trip.packet), trip.verdict.code
        together.setdefault(key, []).append(value)
    sums = [(sum((each.probability for each in group), Fraction(0)), group[0].result) for group in together.values()]
    return [(_share(share), trip) for share, trip in sorted(sums, key=lambda pair: -pair[0])]


def _share(value: Fraction) -> str:
    """A probability as a reader takes it in: the fraction where it is a simple one."""
    exact = f"{value}  " if 1 < value.denominator <= 100 else ""
    return f"{exact}{float(value):.4%}"


# Decisions and findings --------------------------------------------------------------------------


def decision(page: Page, title: str, value: Decision) -> None:
    """Where an Ingress sends a request: the winner, and why the others lost."""
    page.title(title)
    where = str(value.backend) if value.backend else "no backend"
    if value.response is not None:
        where = f"{value.response.status} by itself" + (f" ({where})" if value.backend else "")
    pods = f"   pods {', '.join(map(str, value.endpoints))}" if value.endpoints else ""
    page.line(f"{value.hop.verdict.code}: {where}{pods}", _colour(value.hop.verdict), 2, 2)
    rows = [("taken" if step.matched else "lost", step.rule, step.at, step.why) for step in value.hop.steps]
    page.table(rows, [(_GREEN if row[0] == "taken" else _DIM, "", _DIM, "") for row in rows])
    for note in value.notes:
        page.line(f"note: {note}", "", 2, 2)


def properties(page: Page, values: Iterable[Property]) -> None:
    """The three promises of the Kubernetes network model."""
    page.title("the Kubernetes network model")
    rows, colours = [("", "property", "packets", "broken by")], [(_BOLD,) * 4]
    for value in values:
        broken = "\n".join(f"{one.source} -> {one.destination}: {one.why}" for one in value.broken[:3])
        more = f"\nand {len(value.broken) - 3} more" if len(value.broken) > 3 else ""
        rows.append(("holds" if value.holds else "BROKEN", value.title, str(value.sent), broken + more or "none"))
        colours.append((_GREEN if value.holds else _RED, "", "", ""))
    page.table(rows, colours)


def findings(page: Page, values: Sequence[Finding]) -> None:
    """What looks wrong in a world."""
    page.title("what looks wrong" if values else "nothing looks wrong")
    for each in values:
        page.line(each.subject, _BOLD, 2, 2)
        page.line(each.problem, _YELLOW, 4, 2)
        if each.rule:
            page.line(each.rule, _DIM, 4, 2)
        page.line(f"What to do: {each.remedy}", "", 4, 2)


Road = tuple[str, str]  # by way of whom, and what came of it


def road(value: Journey) -> Road:
    """The servers that a journey was served by, and the status or the code that it ended with."""
    servers = [each.server.name for each in value.connections if each.server and each.back and each.back.arrived]
    return " > ".join(servers) or "nobody", str(value.outcome.status or value.outcome.verdict.code)


def summary(page: Page, counted: Counter[Road]) -> None:
    """Many journeys: how many went by which road, and what came of it."""
    total = counted.total()
    page.title(f"{total:,} journeys")
    rows = [("journeys", "share", "ended in", "by way of")]
    rows += [(f"{count:,}", f"{count / total:.1%}", status, names) for (names, status), count in counted.most_common()]
    page.table(rows, [(_BOLD,) * 4, *(("", _DIM, "", "") for _ in rows[1:])])
