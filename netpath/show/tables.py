"""Tables of what is on record, for a notebook: the ledger, what was remembered, who took whom for whom.

A `Table` is plain text for whoever prints it and HTML in a notebook. Every cell is text and is escaped as such.

Not modelled: sorting and filtering; a table's rows are plain data.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from netpath.journey import Connection, Journey
from netpath.packet import Endpoint, Hop, Packet, Step
from netpath.show.legs import abridged, short
from netpath.show.palette import FATES


class Face(StrEnum):
    """How a line in a cell is set, by HTML's element for it: what a machine wrote, what was rewritten, or as it is."""

    PLAIN = "span"
    CODE = "code"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a cell."""

    text: str
    face: Face = Face.PLAIN

    def html(self) -> str:
        return f"<{self.face}>{html.escape(self.text)}</{self.face}>" if self.text else ""


Cell = tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A header and rows of cells; every row is as long as the header."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""

    def __repr__(self) -> str:
        cells = [tuple((Line(name),) for name in self.header), *self.rows]
        columns = zip(*cells, strict=True)
        widths = [max(len(line.text) for cell in column for line in cell or (Line(""),)) for column in columns]
        return "\n".join(line for row in cells for line in _lines(row, widths))

    def _repr_html_(self) -> str:
        names = [html.escape(name) for name in self.header]
        head = "".join(f'<th scope="col" role="columnheader">{name}</th>' for name in names)
        body = "".join(f'<tr role="row">{"".join(map(_cell, row, names))}</tr>' for row in self.rows)
        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        return (
            f'<style>{_STYLE}</style><div class="netpath-ledger" role="group" tabindex="0" aria-label="Table">'
            f'<table role="table">{caption}<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
            f'<tbody role="rowgroup">{body}</tbody></table></div>'
        )


# Short lines stay whole, rules fold, so that a row is as low as it can be; on a phone a row becomes a block of lines,
# and the roles keep saying what it is.
_STYLE = (
    ".netpath-ledger{overflow-x:auto;margin:1rem 0}"
    ".netpath-ledger table{border-collapse:collapse;font-size:.8em;width:100%;margin:0}"
    ".netpath-ledger th,.netpath-ledger td{text-align:left!important;vertical-align:top;padding:.25em .5em .25em 0;"
    "border:0;border-bottom:1px solid rgba(127,127,127,.4)}"
    ".netpath-ledger :is(span,strong,code){white-space:nowrap}"
    ".netpath-ledger .netpath-wide :is(code,span){white-space:normal!important;overflow-wrap:anywhere}"
    ".netpath-ledger .netpath-wide{min-width:9.5em}"
    ".netpath-ledger code{background:none;border:0;padding:0;font-size:.95em;color:inherit}"
    "@media (max-width:40rem){.netpath-ledger thead{display:none}"
    ".netpath-ledger :is(table,tbody,tr,td){display:block}.netpath-ledger td:empty{display:none}"
    ".netpath-ledger tr{border-bottom:1px solid rgba(127,127,127,.6);padding:.4em 0}.netpath-ledger td{border:0}"
    ".netpath-ledger td{display:flow-root!important;padding-left:7em}"
    ".netpath-ledger td::before{content:attr(data-name);float:left;width:6.6em;margin-left:-7em;"
    "font-weight:600;opacity:.8}}"
    ".netpath-ledger strong{background:rgba(0,114,178,.16);border-radius:2px;padding:0 .15em}"
)
_WIDE = 24  # characters; a cell with a longer line may fold it


def _lines(row: Sequence[Cell], widths: Sequence[int]) -> Iterable[str]:
    for depth in range(max((len(cell) for cell in row), default=0)):
        texts = [cell[depth].text if depth < len(cell) else "" for cell in row]
        yield "  ".join(text.ljust(width) for text, width in zip(texts, widths, strict=True)).rstrip()


def _cell(cell: Cell, name: str) -> str:
    wide = ' class="netpath-wide"' if any(len(line.text) > _WIDE for line in cell) else ""
    return f'<td role="cell" data-name="{name}"{wide}>{"<br>".join(line.html() for line in cell)}</td>'


def cell(*lines: str, face: Face = Face.PLAIN) -> Cell:
    """A cell of lines that are all set alike; without those that are empty."""
    return tuple(Line(line, face) for line in lines if line)


# The ledger ------------------------------------------------------------------------------------


def ledger(record: Journey | Iterable[Hop]) -> Table:
    """Every decision on record: where, what came, the verdict, the rule that caused it, what went, rewrites strong."""
    hops = record.hops if isinstance(record, Journey) else record
    return _without_empty(("at", "received", "verdict", "because of", "sent"), [_entry(hop) for hop in hops])


def _without_empty(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Table:
    """A table without the columns in which nothing stands: name servers receive no packet of ours."""
    kept = [at for at in range(len(header)) if any(row[at] for row in rows)]
    return Table(tuple(header[at] for at in kept), tuple(tuple(row[at] for at in kept) for row in rows))


def _entry(hop: Hop) -> tuple[Cell, ...]:
    sign = FATES[hop.verdict.meaning.fate].sign
    return (
        (Line(hop.station), *cell(*_place(hop))),
        _packet(hop.received),
        cell(f"{sign} {hop.verdict.code}"),
        cell(*_because(hop).split("\n"), face=Face.CODE),
        _sent(hop),
    )


def _because(hop: Hop) -> str:
    """The rule that the verdict names; where it names none, a node's rule that had the last word."""
    return hop.verdict.rule or next((step.rule for step in reversed(tuple(last_words(hop)))), "")


def last_words(hop: Hop) -> Iterator[Step]:
    """The rules of a node's tables `nat` and `filter` that matched and had the last word."""
    if hop.station == "node":
        for step in hop.steps:
            pattern = _LAST_WORDS.get(step.at.partition(" ")[0])
            if step.matched and pattern is not None and pattern.search(step.rule):
                yield step


# Where a rule has the last word in a table: it says what becomes of the packet, not where to look further.
_LAST_WORDS = {
    "nat": re.compile(r"-j (?:DNAT|SNAT|MASQUERADE|REDIRECT)\b"),
    "filter": re.compile(r"-j (?:ACCEPT|DROP|REJECT)\b|^:\w+ (?:ACCEPT|DROP)$"),
}


def _place(hop: Hop) -> tuple[str, ...]:
    """A box's name, short: the direction of a filter stays."""
    name = hop.at.partition(" (")[0]
    if hop.station in ("node", "pod", "ingress controller"):
        station = "pod" if "/" in name else "node"
        return (short(name, station),)
    identity, space, direction = name.partition(" ")
    kept = name if hop.station in _NAMED else f"{abridged(identity)}{space}{direction}"
    return (kept,)


_NAMED = ("name server", "resolver", "stub resolver", "load balancer")


def _packet(packet: Packet | None) -> Cell:
    return () if packet is None else cell(f"{packet.source} →", str(packet.destination))


def _sent(hop: Hop) -> Cell:
    if hop.sent is None:
        return () if hop.verdict.ok else cell("nothing")
    changed = {name for name, _, _ in hop.rewrites}
    if not changed:
        return cell("the same")
    ends = (("source", hop.sent.source, " →"), ("destination", hop.sent.destination, ""))
    return tuple(Line(f"{end}{after}", Face.STRONG if name in changed else Face.PLAIN) for name, end, after in ends)


def rewrites(record: Journey | Iterable[Hop]) -> Table:
    """Only where an address was rewritten: which box, which end of the packet, before and after."""
    hops = record.hops if isinstance(record, Journey) else record
    rows = [(hop, *change) for hop in hops for change in hop.rewrites]
    return Table(
        ("at", "rewrote the", "from", "to"),
        tuple((cell(hop.station, *_place(hop)), cell(end), _end(old), _end(new)) for hop, end, old, new in rows),
    )


def _end(value: Endpoint) -> Cell:
    return cell(str(value), face=Face.CODE)


def steps(hop: Hop, *, matched: bool | None = None, where: str = "") -> Table:
    """The rules that a box consulted for a packet, and what they had to say.

    `matched`: only those that did, or didn't. `where`: only those whose place begins so, as those in `nat` do.
    """
    chosen = [each for each in hop.steps if matched in (None, each.matched) and each.at.startswith(where)]
    rows = tuple((cell(each.at), cell(each.rule, face=Face.CODE), cell(each.why)) for each in chosen)
    return Table(("where", "rule", "why" if matched is None else "why it matched" if matched else "why not"), rows)


# Memory ----------------------------------------------------------------------------------------


def remembered(record: Journey | Iterable[Hop], station: str = "node") -> Table:
    """What boxes of a kind looked up in their memory or added to it: for nodes, conntrack's own words.

    `found as` is what the packet was for conntrack: NEW in the direction ORIGINAL made the entry, the rest used it.
    """
    hops = record.hops if isinstance(record, Journey) else record
    rows = [(hop, line) for hop in hops if hop.station == station for line in hop.remembered]
    return Table(("at", "found as", "entry"), tuple(_memory(hop, line) for hop, line in rows))


def _memory(hop: Hop, line: str) -> tuple[Cell, ...]:
    state, direction, entry = flow(line)
    return cell(*_place(hop)), cell(state, direction), cell(*entry, face=Face.CODE)


def flow(line: str) -> tuple[str, str, tuple[str, ...]]:
    """A line of memory: for conntrack's, its state and direction, and the entry over three lines.

    >>> flow("NEW ORIGINAL tcp 6 src=10.0.0.1 dst=10.0.0.2 src=10.0.0.2 dst=10.0.0.1")[0]
    'NEW'
    """
    state, _, rest = line.partition(" ")
    direction, _, entry = rest.partition(" ")
    if direction not in ("ORIGINAL", "REPLY"):
        state, direction, entry = "", "", line
    return state, direction, _tuples(" ".join(entry.split()))


def _tuples(entry: str) -> tuple[str, ...]:
    """A conntrack entry over three lines: the state, the flow as it came, the reply that is expected."""
    start, found, rest = entry.partition(" src=")
    if not found:
        return (entry,)
    original, again, reply = rest.partition(" src=")
    original, unreplied, _ = original.partition(" [UNREPLIED]")
    return start + unreplied, f"src={original}", f"src={reply}" if again else ""


# Who takes whom for whom -----------------------------------------------------------------------


def beliefs(journey: Journey) -> Table:
    """For each connection: who got it, the address called (and what it became), the caller's true and seeming one."""
    header = ("who got it", "called as", "the caller was", "seeming to be", "X-Forwarded-For")
    return Table(header, tuple(_belief(each) for each in journey.connections if each.server is not None))


def _belief(connection: Connection) -> tuple[Cell, ...]:
    server, sent, arrived = connection.server, connection.out.sent, connection.out.packet
    assert server is not None and arrived is not None, "somebody got it"
    told = connection.request.header("X-Forwarded-For") if connection.request else None
    called = [str(sent.destination)]
    if arrived.destination != sent.destination:
        called.append(f"→ {arrived.destination}")
    who, names = cell(short(server.name, str(server.kind))), cell(*called, face=Face.CODE)
    return who, names, _end(sent.source), _end(arrived.source), cell(told or "none")
