"""kube-proxy's chains as a graph: what one Service port's rules are on a node, and which of them a packet met.

Chains are boxes, their rules lines, and each jump is an arrow from the line to the box. Rules of other Services are
counted, not shown. With a packet's hop, the lines that matched are set off by a tick, a bar and bold letters, those
that were asked in vain by a dash; what is left was never asked.

The chance that a rule has and the share that its endpoint gets are two things: a rule is only reached by what all rules
before it have let pass.

    >>> [str(each) for each in shares((Fraction(1, 3), Fraction(1, 2), Fraction(1)))]
    ['1/3', '1/3', '1/3']

Not modelled: the chains for what a load balancer brings to an address of its own (KUBE-FW), which are left out here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from netpath.codes import Fate
from netpath.errors import InputError
from netpath.iptables import Jump, Rule, Ruleset
from netpath.iptables.consulted import Chance
from netpath.iptables.matches import Comment
from netpath.kubeproxy import service_chain_name
from netpath.packet import Hop, Protocol
from netpath.show.canvas import MONO_ADVANCE, Canvas, Drawn, Point
from netpath.show.palette import FATES, GREY, INK, SPACES, Space
from netpath.show.words import counted

WIDTH = 720.0
LEFT, WIDE = 34.0, 372.0  # of the chains that everything comes by
RIGHT, NARROW = 462.0, 250.0  # of the endpoints' chains
HEAD, ROW, GAP = 19.0, 15.0, 22.0
SMALL = 8.9

SHARED = ("KUBE-SERVICES", "KUBE-NODEPORTS")
_AGAIN = "here before"
OWN = ("KUBE-EXT-", "KUBE-SVC-", "KUBE-SVL-")
END = "KUBE-SEP-"
_GLOSSES = {
    "KUBE-SERVICES": "every new flow comes by here",
    "KUBE-NODEPORTS": "whose port is it?",
    "KUBE-EXT-": "traffic from outside",
    "KUBE-SVC-": "draws lots: all endpoints",
    "KUBE-SVL-": "draws lots: this node's endpoints",
    "KUBE-POSTROUTING": "on the way out",
}


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule as it is drawn: what it asks for, where it leads, and what became of it (None: never asked)."""

    at: str
    asks: str
    target: str
    chance: Fraction | None = None
    matched: bool | None = None

    @property
    def is_lot(self) -> bool:
        """Whether it gives an endpoint to whoever comes, and not only to those that have been there before."""
        return self.target.startswith(END) and not self.asks.startswith(_AGAIN)


@dataclass(frozen=True, slots=True)
class ChainBox:
    """A chain with those of its rules that are about the Service; `others` counts the rest.

    `share` is what an endpoint gets of all connections, `local` of those that policy Local keeps on this node.
    """

    table: str
    name: str
    lines: tuple[RuleLine, ...]
    others: int = 0
    share: Fraction | None = None
    local: Fraction | None = None

    @property
    def shares(self) -> str:
        """An endpoint's shares in words."""
        told = ("share", self.share), ("local", self.local)
        return ", ".join(f"{word} {share}" for word, share in told if share is not None)

    @property
    def gloss(self) -> str:
        found = (gloss for start, gloss in _GLOSSES.items() if self.name.startswith(start))
        gloss = "refuses" if self.table == "filter" else next(found, "")
        return f"{gloss} ({counted(self.others, 'rule')} of others)" if self.others else gloss

    @property
    def endpoint(self) -> str:
        """Where an endpoint's chain translates to; empty for any other chain."""
        found = (line.target.rpartition(" ")[2] for line in self.lines if line.target.startswith("DNAT"))
        return next(found, "")


def shares(chances: Iterable[Fraction]) -> tuple[Fraction, ...]:
    """What each of a row of lots gets in the end: its own chance of whatever those before it have left."""
    left, found = Fraction(1), []
    for chance in chances:
        found.append(left * chance)
        left -= left * chance
    return tuple(found)


def boxes(rules: Ruleset, service: str, hop: Hop | None = None, protocol: Protocol = Protocol.TCP) -> list[ChainBox]:
    """The chains of a Service port named `namespace/name:port`, in the order in which a packet may meet them.

    `hop`: a node's record of a packet. Raises `InputError` for a Service port that no rule is about.
    """
    return _Reader(
        rules, service, protocol, {} if hop is None else {each.at: each.matched for each in hop.steps}
    ).read()


@dataclass(slots=True)
class _Reader:
    rules: Ruleset
    service: str
    protocol: Protocol
    asked: dict[str, bool]

    def read(self) -> list[ChainBox]:
        own = [service_chain_name(self.service, self.protocol, prefix) for prefix in OWN]
        found = [box for name in (*SHARED, *own) if (box := self.box("nat", name, set(own))) and box.lines]
        ends = self.ends(found)
        refusals = [box for name in _REFUSING if (box := self.box("filter", name, set())) and box.lines]
        if not ends and not refusals:
            raise InputError("no rule is about this Service port", value=self.service, expected="namespace/name:port")
        last = self.box("nat", "KUBE-POSTROUTING", set())
        return [*found, *ends, *refusals, *([last] if last and ends else [])]

    def box(self, table: str, name: str, own: set[str]) -> ChainBox | None:
        chain = self.rules.tables[table].chains.get(name)
        if chain is None:
            return None
        about = [(at, rule) for at, rule in enumerate(chain.rules, 1) if self.is_about(name, rule, own)]
        lines = tuple(self.line(f"{table} {name} {at}", rule) for at, rule in about)
        return ChainBox(table, name, lines, len(chain.rules) - len(lines))

    def is_about(self, chain: str, rule: Rule, own: set[str]) -> bool:
        """Whether a rule in one of the chains that all Services share is about this one; all others are."""
        if chain not in (*SHARED, *_REFUSING):
            return True
        to = rule.target.chain if isinstance(rule.target, Jump) else ""
        return to in own or (to == "KUBE-NODEPORTS" and self.has_node_port(own)) or rule.comment in self.refusing

    def has_node_port(self, own: set[str]) -> bool:
        chain = self.rules.tables["nat"].chains["KUBE-NODEPORTS"]
        return any(isinstance(rule.target, Jump) and rule.target.chain in own for rule in chain.rules)

    @property
    def refusing(self) -> tuple[str, str]:
        return f"{self.service} has no endpoints", f"{self.service} has no local endpoints"

    def line(self, at: str, rule: Rule) -> RuleLine:
        chance = next((match.probability for match in rule.matches if isinstance(match, Chance)), None)
        told = " ".join(filter(None, (_shortly(str(each)) for each in rule.matches if not isinstance(each, Comment))))
        target = (rule.text or str(rule)).rpartition(" -j ")[2]  # as kube-proxy spells it
        return RuleLine(at, told or "all", target, None if chance is None else _plain(chance), self.asked.get(at))

    def ends(self, found: Sequence[ChainBox]) -> list[ChainBox]:
        """The endpoints' chains that lots lead to, each with its shares."""
        cluster, local = (_drawn(found, prefix) for prefix in OWN[1:])
        ends = ((name, self.box("nat", name, set())) for name in dict.fromkeys((*cluster, *local)))
        return [replace(end, share=cluster.get(name), local=local.get(name)) for name, end in ends if end is not None]


def _drawn(found: Sequence[ChainBox], prefix: str) -> dict[str, Fraction]:
    """What each endpoint's chain gets of a chain that draws lots."""
    lots = [line for box in found if box.name.startswith(prefix) for line in box.lines if line.is_lot]
    return dict(zip((line.target for line in lots), shares(line.chance or Fraction(1) for line in lots), strict=True))


_REFUSING = ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES")


def _plain(chance: Fraction) -> Fraction:
    """What kube-proxy meant: a third, where the kernel keeps 715827883 parts of 2147483648."""
    return Fraction(chance).limit_denominator(10_000)


def _shortly(match: str) -> str:
    """A match without the name of its module: `-m tcp --dport 80` is `--dport 80`."""
    words = match.split()
    if "--rcheck" in words:
        return f"{_AGAIN} ({words[words.index('--seconds') + 1]} s)" if "--seconds" in words else _AGAIN
    return " ".join(words[2:] if words[0] == "-m" else words)


# Drawing -----------------------------------------------------------------------------------------


def chains(rules: Ruleset, service: str, hop: Hop | None = None, protocol: Protocol = Protocol.TCP) -> Drawn:
    """The chains of a Service port on a node; with `hop`, a node's record of a packet, those it met are lit."""
    found = boxes(rules, service, hop, protocol)
    plan = _Plan(found)
    canvas = Canvas(WIDTH, plan.height)
    for box in found:
        _jumps(canvas, plan, box, hop is not None)
    for box in found:
        _box(canvas, plan, box)
    _packet(canvas, hop)
    return Drawn(canvas.figure, _caption(service, found, hop), _alternative(found, hop), least=560)


class _Plan:
    """Where the boxes stand: shared chains in a column on the left, the endpoints' beside their lots."""

    def __init__(self, found: Sequence[ChainBox]) -> None:
        self.at: dict[str, Point] = {}
        self.size: dict[str, Point] = {}
        left, right = 14.0, 54.0  # what came and went stands above
        for box in found:
            own = box.name.startswith(END)
            if own:
                right = max(right, self.at[_lots(found).name][1] - 30.0)
            elif box.name == "KUBE-POSTROUTING":
                left = max(left, right)
            top = right if own else left
            self.at[key(box)] = (RIGHT if own else LEFT, top)
            self.size[key(box)] = (NARROW if own else WIDE, HEAD + ROW * len(box.lines) + 5)
            bottom = top + self.size[key(box)][1]
            left, right = (left, bottom + 10) if own else (bottom + GAP, right)
        self.height = max(left, right) + 2

    def line(self, box: ChainBox, number: int) -> float:
        """The middle of a line's height."""
        return self.at[key(box)][1] + HEAD + ROW * number + ROW / 2 - 1


def key(box: ChainBox) -> str:
    """A chain's name, and its table's where that isn't nat."""
    return box.name if box.table == "nat" else f"{box.table} {box.name}"


def _lots(found: Sequence[ChainBox]) -> ChainBox:
    """The chain that draws lots first."""
    return next(box for box in found if box.name.startswith(OWN[1:]))


def _box(canvas: Canvas, plan: _Plan, box: ChainBox) -> None:
    (x, y), size = plan.at[key(box)], plan.size[key(box)]
    look = SPACES[Space.PODS if box.name.startswith(END) else Space.NODES]
    canvas.box((x, y), size, look.colour, fill=look.colour, alpha=0.1, radius=4)
    title = box.name if box.table == "nat" else f"{box.table} {box.name}"
    canvas.text((x + 8, y + 13.5), title, 9.4, "start", mono=True, bold=True)
    canvas.text((x + size[0] - 8, y + 13.5), box.shares or box.gloss, 9.4, "end", bold=bool(box.shares))
    for number, line in enumerate(box.lines):
        _line(canvas, (x, plan.line(box, number)), size[0], line)


def _line(canvas: Canvas, at: Point, width: float, line: RuleLine) -> None:
    look = FATES[Fate.PASSED]
    if line.matched:
        canvas.box((at[0] + 3, at[1] - ROW / 2), (width - 6, ROW), look.colour, fill=look.colour, alpha=0.16, radius=2)
        canvas.mark((at[0] + 12, at[1]), look, 5)
    elif line.matched is False:
        canvas.line([(at[0] + 8, at[1]), (at[0] + 16, at[1])], GREY, 1.6)
    words = [f"p = {line.chance}" if line.chance is not None else line.asks, "→", short(line.target)]
    text = " ".join(words)
    room = int((width - 26) / (SMALL * MONO_ADVANCE))
    clipped = text if len(text) <= room else f"{text[: room - 1]}…"
    canvas.text((at[0] + 21, at[1] + 3.2), clipped, SMALL, "start", mono=True, bold=bool(line.matched))


def short(target: str) -> str:
    """A target's name, short: a chain by the first letters of its sixteen.

    >>> short("KUBE-SVC-CG5I4G2RS3ZVWGLK"), short("DNAT --to-destination 10.0.34.101:80")
    ('KUBE-SVC-CG5I…', 'DNAT 10.0.34.101:80')
    """
    own = target.startswith((*OWN, END)) and len(target) == 25
    return f"{target[:13]}…" if own else target.replace("--to-destination ", "").replace("--set-xmark ", "")


def _jumps(canvas: Canvas, plan: _Plan, box: ChainBox, lit: bool) -> None:
    """An arrow from each line that leads to another box."""
    for number, line in enumerate(box.lines):
        if line.target not in plan.at:
            continue
        taken = bool(line.matched)
        colour, width = (FATES[Fate.PASSED].colour, 2.4) if taken else (GREY if lit else INK, 1.0)
        start = plan.line(box, number)
        canvas.line(_route(plan, box, line, start), colour, width, arrow=True)


def _route(plan: _Plan, box: ChainBox, line: RuleLine, start: float) -> list[Point]:
    y = plan.at[line.target][1]
    if line.target.startswith(END):
        return [(LEFT + WIDE, start), (RIGHT - 26, start), (RIGHT - 26, y + 9), (RIGHT, y + 9)]
    out = LEFT - (18 if y - plan.at[key(box)][1] > 130 else 10)
    return [(LEFT, start), (out, start), (out, y + 9), (LEFT, y + 9)]


def _packet(canvas: Canvas, hop: Hop | None) -> None:
    """What came and what went, in the free corner."""
    if hop is None:
        return
    rows = [("came", hop.received), ("went", hop.sent)]
    for number, (word, packet) in enumerate(rows):
        text = f"{packet.source} → {packet.destination}" if packet is not None else f"nothing: {hop.verdict.code}"
        y = 26.0 + 17 * number
        canvas.text((RIGHT - 34, y), word, 9.6, "start", bold=True)
        canvas.text((RIGHT, y), text, 9.4, "start", mono=True)


# Words -------------------------------------------------------------------------------------------


def _caption(service: str, found: Sequence[ChainBox], hop: Hop | None) -> str:
    ends = [box for box in found if box.shares]
    told = f"The rules of {service} on a node, chain by chain: "
    told += f"{counted(len(ends), 'endpoint')}, {_shared(ends)}." if ends else "there is no endpoint to send to."
    if hop is None:
        return told
    return f"{told} A tick and bold letters: the rule matched this packet; a dash: it was asked, and didn't."


def _shared(ends: Sequence[ChainBox]) -> str:
    """In words, what shares the endpoints have."""
    different = dict.fromkeys(str(box.share) for box in ends if box.share is not None)
    return f"each with a share of {next(iter(different), 'none')}"


def _alternative(found: Sequence[ChainBox], hop: Hop | None) -> str:
    told = [_told(box) for box in found]
    if hop is not None:
        went = "nothing went on" if hop.sent is None else f"{hop.sent.source} to {hop.sent.destination} went on"
        came = hop.received
        assert came is not None, "a node got it"
        told.append(f"Of {came.source} to {came.destination}, {went}.")
    return " ".join(told)


def _told(box: ChainBox) -> str:
    share = f", {box.endpoint}, {box.shares}" if box.shares else ""
    state = {True: " (matched)", False: " (asked, no match)", None: ""}
    lines = (
        f"{line.asks if line.chance is None else f'chance {line.chance}'} to {line.target}{state[line.matched]}"
        for line in box.lines
    )
    return f"{key(box)}{share}: {'; '.join(lines)}."
