"""What a person reads at a terminal: aligned, never wider than it, coloured only there.

A `Page` collects lines. Each row of a table is a line, or more where a cell has to be folded; on a narrow
terminal a row becomes a block of lines, one below the other. Colour only repeats what the words say.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

import dns.rrset

from netpath.choice import Outcome as Chance
from netpath.codes import Fate
from netpath.fabric import Trip
from netpath.ingress import Decision
from netpath.journey import Connection, End, Journey
from netpath.names import Looked
from netpath.packet import Hop, Packet, Step, Verdict
from netpath.properties import Property
from netpath.resolution import Exchange, Resolution
from netpath.vpc import Finding

NARROW = 72  # columns; below, a row becomes a block
_COLOURS = {Fate.PASSED: "32", Fate.DROPPED: "31", Fate.REJECTED: "31", Fate.FAILED: "33"}
_BOLD, _DIM = "1", "2"


class Page:
    """Lines of text for a width in columns; `colour` adds ANSI escapes, which don't count."""

    def __init__(self, width: int = 100, colour: bool = False) -> None:
        self.width = max(width, 20)
        self.colour = colour
        self.lines: list[str] = []

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.colour and colour and text else text

    def line(self, text: str = "", colour: str = "", indent: int = 0) -> None:
        """A paragraph, folded to the width."""
        room = max(self.width - indent, 10)
        for part in _folded(text, room):
            self.lines.append(" " * indent + self.paint(part, colour) if part else "")

    def title(self, text: str) -> None:
        if self.lines:
            self.line()
        self.line(text, _BOLD)

    def table(self, rows: Sequence[Sequence[str]], colours: Sequence[Sequence[str]] = (), indent: int = 2) -> None:
        """Rows of cells in aligned columns; the last column takes what is left, and folds."""
        if not rows:
            return
        widths = self._widths(rows, indent)
        for number, row in enumerate(rows):
            painted = colours[number] if colours else ("",) * len(row)
            if widths is None:
                self._block(row, painted, indent)
            else:
                self._row(row, painted, widths, indent)

    def _widths(self, rows: Sequence[Sequence[str]], indent: int) -> list[int] | None:
        """The columns' widths, or None if there is no room for columns."""
        if self.width < NARROW:
            return None
        natural = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        room = self.width - indent - 2 * (len(natural) - 1)
        last = max(24, room // 2)
        widths = list(natural[:-1])
        while sum(widths) + min(natural[-1], last) > room:
            widest = max(range(len(widths)), key=widths.__getitem__)
            if widths[widest] <= 8:
                return None
            widths[widest] -= 1
        return [*widths, room - sum(widths)]

    def _row(self, row: Sequence[str], colours: Sequence[str], widths: Sequence[int], indent: int) -> None:
        cells = [_folded(text, width) for text, width in zip(row, widths, strict=True)]
        for depth in range(max(map(len, cells))):
            parts = []
            for cell, width, colour in zip(cells, widths, colours, strict=True):
                text = cell[depth] if depth < len(cell) else ""
                parts.append(self.paint(text, colour) + " " * (width - len(text)))
            self.lines.append((" " * indent + "  ".join(parts)).rstrip())

    def _block(self, row: Sequence[str], colours: Sequence[str], indent: int) -> None:
        for number, (text, colour) in enumerate(zip(row, colours, strict=True)):
            if text:
                self.line(text, colour, indent + (2 if number else 0))


def _folded(text: str, width: int) -> list[str]:
    lines = [part for line in text.split("\n") for part in textwrap.wrap(line, width, break_on_hyphens=False) or [""]]
    return lines or [""]


# Hops ------------------------------------------------------------------------------------------


def _colour(verdict: Verdict) -> str:
    return _COLOURS[verdict.meaning.fate]


def _detail(hop: Hop) -> str:
    """What a hop changed; if nothing, the rule that it went by."""
    if hop.rewrites:
        return "\n".join(f"{name} {before} -> {after}" for name, before, after in hop.rewrites)
    return hop.verdict.rule.replace("\n", ", ")


def _short(text: str, width: int = 44) -> str:
    """A name that fits a column: of an AWS host name the first label, of anything long its two ends."""
    text = text.removesuffix(".compute.internal").removesuffix(".ec2.internal")
    if text.startswith("ip-"):
        text = text.partition(".")[0]
    return text if len(text) <= width else f"{text[: width - 12]}…{text[-11:]}"


def hops(page: Page, values: Iterable[Hop], steps: bool = False) -> None:
    """A line for each hop: the box, its verdict, what it changed or why."""
    rows, colours = [], []
    for hop in values:
        rows.append((hop.station, _short(hop.at), hop.verdict.code, _detail(hop)))
        colours.append(("", _DIM, _colour(hop.verdict), _BOLD if hop.rewrites else ""))
        if steps:
            for step in hop.steps:
                rows.append(_step_row(step))
                colours.append(("", _DIM, "", "" if step.matched else _DIM))
    page.table(rows, colours)


def _step_row(step: Step) -> tuple[str, str, str, str]:
    return "", _short(step.at), "matched" if step.matched else "no match", f"{step.rule}  ({step.why})"


def _packet(packet: Packet | None) -> str:
    return "nothing" if packet is None else str(packet)


# A journey -------------------------------------------------------------------------------------


def journey(page: Page, value: Journey, now: float, steps: bool = False) -> None:
    """One request there and back."""
    request = value.request
    page.title(f"{request.method} {request.url} from {value.user.address} at {now:g} s")
    if value.looked is not None:
        looked(page, value.looked, steps)
    for connection in value.attempts:
        _connection(page, connection, steps, "")
    _outcome(page, value)


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
        page.line(f"{value.request.method} {value.request.target}   Host: {value.request.host}{told}", _DIM, 2)
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
        page.line("it goes no further", "31", 4)
    elif value.packet != value.sent:
        page.line(f"arrives as {_packet(value.packet)}", "", 4)


def _outcome(page: Page, value: Journey) -> None:
    outcome = value.outcome
    page.title("what the user sees")
    colour = "32" if outcome.ok else "31"
    status = f"{outcome.status} from {outcome.response.by}" if outcome.response else _NO_ANSWER[bool(value.attempts)]
    waited = f" after {value.waited:g} s of silence" if value.waited else ""
    page.line(f"{status}{waited}", colour, 2)
    if not outcome.ok:
        _why(page, outcome.verdict, value.cause)


_NO_ANSWER = {False: "no address for that name", True: "no connection"}


def _why(page: Page, verdict: Verdict, cause: Hop | None) -> None:
    told = [verdict] if cause is None or cause.verdict.code == verdict.code else [verdict, cause.verdict]
    for each in told:
        page.line(f"{each.code}: {each.meaning.happened}", "", 2)
        if each.rule:
            page.line(each.rule, _DIM, 4)
    if cause is not None:
        page.line(f"at {cause.station} {cause.at}", "", 4)
    if told[-1].meaning.remedy:
        page.line(f"What to do: {told[-1].meaning.remedy}", _BOLD, 2)


# Names -----------------------------------------------------------------------------------------


def resolution(page: Page, value: Resolution, question: str, now: float, steps: bool = False) -> None:
    """Every exchange, then the answer, as `dig` would print it."""
    page.title(f"{question} at {now:g} s")
    for number, one in enumerate(value.exchanges, 1):
        _exchange(page, number, one)
    if not value.exchanges:
        page.line("nobody had to be asked", "", 2)
    if steps:
        hops(page, value.hops, steps)
    response = value.response
    page.line(f"the answer: {value.code}", _colour(Verdict(value.code)), 2)
    for section in (response.answer, response.authority):
        _records(page, section, "")


def _exchange(page: Page, number: int, one: Exchange) -> None:
    """One name server asked: whom, for what, and what came back."""
    how = " over TCP" if one.tcp else ""
    page.line(f"{number}  {one.server} ({one.address}), as a server of {one.zone}{how}", "", 2)
    page.line(f"{one.query.question[0]}?", _DIM, 5)
    page.line(one.code, _colour(Verdict(one.code)), 5)
    if one.response is not None:
        _records(page, one.response.answer or one.response.authority, "")
        _records(page, one.response.additional, "also ")


def _records(page: Page, section: Sequence[dns.rrset.RRset], mark: str) -> None:
    for rrset in section:
        for record in rrset.to_text().splitlines():
            page.line(f"{mark}{record}", _DIM if mark else "", 7)


# One packet ------------------------------------------------------------------------------------


def round_trip(page: Page, out: Trip, back: Trip | None, steps: bool = False) -> None:
    """A packet and what came back."""
    page.title(str(out.sent))
    _way(page, "out ", out, steps)
    if back is None:
        page.line("nothing comes back", "31", 2)
    else:
        _way(page, "back", back, steps)
    stopped = next((trip for trip in (out, back) if trip is not None and trip.place is None), None)
    if stopped is not None:
        _why(page, stopped.verdict, stopped.hops[-1] if stopped.hops else None)


def walked(page: Page, value: Trip, steps: bool = False) -> None:
    """A packet against one host's rules."""
    page.title(str(value.sent))
    hops(page, value.hops, steps)
    if value.place is None:
        _why(page, value.verdict, value.hops[-1])
    else:
        page.line(f"{value.place.name}: {_packet(value.packet)}", "32", 2)


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
    sums = [(sum(each.probability for each in group), group[0].result) for group in together.values()]
    return [(f"{float(share):.4%}", trip) for share, trip in sorted(sums, key=lambda pair: -pair[0])]


# Decisions and findings --------------------------------------------------------------------------


def decision(page: Page, title: str, value: Decision) -> None:
    """Where an Ingress sends a request: the winner, and why the others lost."""
    page.title(title)
    where = str(value.backend) if value.backend else "no backend"
    if value.response is not None:
        where = f"{value.response.status} by itself" + (f" ({where})" if value.backend else "")
    pods = f"   pods {', '.join(map(str, value.endpoints))}" if value.endpoints else ""
    page.line(f"{value.hop.verdict.code}: {where}{pods}", _colour(value.hop.verdict), 2)
    rows = [("taken" if step.matched else "lost", step.rule, step.at, step.why) for step in value.hop.steps]
    page.table(rows, [("32" if row[0] == "taken" else _DIM, "", _DIM, "") for row in rows])
    for note in value.notes:
        page.line(f"note: {note}", "", 2)


def properties(page: Page, values: Iterable[Property]) -> None:
    """The three promises of the Kubernetes network model."""
    page.title("the Kubernetes network model")
    rows, colours = [("", "property", "packets", "broken by")], [(_BOLD,) * 4]
    for value in values:
        broken = "\n".join(f"{one.source} -> {one.destination}: {one.why}" for one in value.broken[:3])
        more = f"\nand {len(value.broken) - 3} more" if len(value.broken) > 3 else ""
        rows.append(("holds" if value.holds else "BROKEN", value.title, str(value.sent), broken + more or "none"))
        colours.append(("32" if value.holds else "31", "", "", ""))
    page.table(rows, colours)


def findings(page: Page, values: Sequence[Finding]) -> None:
    """What looks wrong in a world."""
    page.title("what looks wrong" if values else "nothing looks wrong")
    rows = [(each.subject, f"{each.problem}\n{each.rule}".rstrip(), each.remedy) for each in values]
    page.table(rows, [(_BOLD, "33", "") for _ in rows])


def summary(page: Page, values: Sequence[Journey]) -> None:
    """Many journeys: who was asked how often, and what came of it."""
    page.title(f"{len(values)} journeys")
    counted: dict[tuple[str, str], int] = {}
    for value in values:
        pods = [each.server.name for each in value.connections if each.server and each.end is End.ESTABLISHED]
        key = " > ".join(pods) or "nobody", str(value.outcome.status or value.outcome.verdict.code)
        counted[key] = counted.get(key, 0) + 1
    rows = [("share", "status", "by way of")]
    shares = sorted(counted.items(), key=lambda pair: -pair[1])
    rows += [(f"{count} ({count / len(values):.1%})", status, road) for (road, status), count in shares]
    page.table(rows, [(_BOLD,) * 3, *(("", "", "") for _ in shares)])
