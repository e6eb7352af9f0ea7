"""The DNS widget: one look-up step by step over the tree of names, then the clock, then somebody's second look-up.

Ana looks a name up when nobody remembers anything. Then the reader moves the clock, and Ana, or Ben with a machine of
his own and the same resolver, looks up the same name or another one. Between two moments at which something expires,
what happens is always the same, and a TTL out of a memory is less by one each second. So a walk for each such span
answers for every second exactly; `dns_data` computes them all, and the page needs no kernel.

Chance is fixed: where a resolver or a stub would draw lots among several addresses, the first is taken.

Not modelled: more than two look-ups, and what the second one adds to the memories.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import ipywidgets
from dns.name import Name
from dns.rdatatype import RdataType

from netpath.errors import InputError
from netpath.load import shop
from netpath.memory import Memory
from netpath.names import Looked
from netpath.packet import Hop
from netpath.resolution import Exchange, Lookup, Resolution, StubMemory, Trust
from netpath.resolution.cache import Side, StoredMessage
from netpath.resolution.records import from_rrset, parse_name
from netpath.show.canvas import Drawn
from netpath.show.legs import asked, written
from netpath.show.tree import Tree, heard, tree
from netpath.show.widgets.kit import Data, Live, Shown, live
from netpath.world import World

PEOPLE = ("Ana", "Ben")
NAMES = (
    "shop.example.com",
    "www.example.com",
    "example.com",
    "pr-7.preview.example.com",
    "sh0p.example.com",
    "eu.example.com",
    "shop.exampel.com",
)
_LIVE = ("mail.example.com", "status.eu.example.com")
_TRUST = {Trust.ADDITIONAL: "glue", Trust.ADDITIONAL_AA: "came along", Trust.AUTHORITY: "referral"}


class Dns(Shown):
    """Look-ups to step through, a clock to move, and memories that run out."""

    _module = "dns.js"

    def __init__(self, data: Data, still: Drawn) -> None:
        super().__init__(data)
        self.still = still

    def __repr__(self) -> str:
        firsts = self.data["firsts"]
        return f"DNS: {', '.join(firsts)} looked up at 0 s, and again whenever you say"

    def frame(self) -> Drawn:
        return self.still


def lookups(world: World | None = None, names: Sequence[str] = NAMES) -> Dns:
    """The widget over a world (the book's, unless given), for these names in any order."""
    world = world or shop()
    return Dns(dns_data(world, names), _still(world, names[0], "A"))


def explore(world: World | None = None) -> Live:
    """The same for any name and type, where a kernel runs. The widget has its clock itself."""
    here = world or shop()
    widget = Dns(dns_data(here, _LIVE[:1], _LIVE), _still(here, _LIVE[0], "A"))

    def change(first: str, second: str, kind: str) -> Data:
        return dns_data(here, [first], list(dict.fromkeys([first, second])), kind)

    return live(
        widget,
        change,
        first=ipywidgets.Text(_LIVE[0], description="at 0 s", continuous_update=False),
        second=ipywidgets.Text(_LIVE[1], description="then", continuous_update=False),
        kind=ipywidgets.Dropdown(options=("A", "AAAA", "CNAME", "MX", "NS", "SOA", "TXT"), description="type"),
    )


def _still(world: World, name: str, kind: str) -> Drawn:
    return tree(world.names.resolve(_query(name, kind), Memory()))


# The data --------------------------------------------------------------------------------------


def dns_data(world: World, firsts: Sequence[str], seconds: Sequence[str] | None = None, kind: str = "A") -> Data:
    """All that the widget can be asked: every first look-up, with every second one, by either person, at any second.

    `firsts`: the names for the first look-up; `seconds`: those for the second (the same, unless given); `kind`: the
    type of records. Types other than A are asked of the resolver directly, as `dig` does. Raises `InputError` for
    what is no name or no type.

    A walk is a list of steps. `firsts[a].seconds[b]` has, for each person, pairs of a second and the walk that holds
    from then on. A record's `ttl` is a number, or, where it counts down, `{"until": second}`.
    """
    making = _Making(world, kind)
    chosen = seconds if seconds is not None else firsts
    cold = {name: making.look(name, Memory()).tree for name in dict.fromkeys([*firsts, *chosen])}
    made = {name: _first(making, name, chosen, cold) for name in firsts}
    tables = {"steps": making.steps.rows, "walks": making.walks.rows, "trees": making.trees.rows}
    return {"kind": kind, "people": list(PEOPLE), "firsts": made, **tables}


@dataclass(slots=True)
class _Table:
    """Rows, each once."""

    rows: list[Any] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)

    def number(self, row: Any) -> int:
        key = json.dumps(row)
        if key not in self.known:
            self.known[key] = len(self.rows)
            self.rows.append(row)
        return self.known[key]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A look-up as the widget shows it: its steps, and the names that it was about."""

    steps: list[Data]
    tree: tuple[tuple[Name, ...], tuple[Name, ...]]


@dataclass(slots=True)
class _Making:
    """The world to ask, and the tables that are filled."""

    world: World
    kind: str
    steps: _Table = field(default_factory=_Table)
    walks: _Table = field(default_factory=_Table)
    trees: _Table = field(default_factory=_Table)

    def look(self, name: str, memory: Memory) -> _Seen:
        """What happens when somebody looks up a name; their memory learns it."""
        if self.kind != "A":
            resolution = self.world.names.resolve(_query(name, self.kind), memory)
            return _Seen([*_direct(resolution), *_resolving(resolution)], _about(resolution))
        looked = self.world.names.lookup(name, memory, str(self.world.resolver))
        own = memory.stub.known.get(name)
        left = int(own.expires - memory.now) if own is not None else 0
        steps = [*_stub(looked, left), *(_resolving(looked.resolution) if looked.resolution else ())]
        return _Seen(steps, _about(looked.resolution) if looked.resolution else ((), ()))

    def walk(self, steps: Sequence[Data]) -> int:
        return self.walks.number([self.steps.number(step) for step in steps])


def _query(name: str, kind: str) -> dns.message.Message:
    try:
        return dns.message.make_query(parse_name(name), kind, id=1, use_edns=0)
    except (dns.exception.DNSException, ValueError):
        raise InputError("not a type of records", value=kind, expected="one like A or MX") from None


def _about(resolution: Resolution) -> tuple[tuple[Name, ...], tuple[Name, ...]]:
    """The names of a resolution, and which of them are zones."""
    made = Tree.of(resolution)
    return tuple(made.parent), tuple(made.zones)


def _first(making: _Making, name: str, seconds: Sequence[str], cold: Mapping[str, Any]) -> Data:
    """One first look-up: its walk, what is remembered after it, and all that can follow."""
    after = Memory()
    walk = making.walk(making.look(name, after).steps)
    follow = {second: _second(making, second, after, cold[name], cold[second]) for second in seconds}
    return {"walk": walk, "memory": list(_memory(after)), "seconds": follow}


def _second(making: _Making, name: str, after: Memory, one: Any, other: Any) -> Data:
    spans = _spans(after)
    places = Tree.made([*one[0], *other[0]], [*one[1], *other[1]])
    made: Data = {"tree": making.trees.number(_places(places))}
    kept = after.stub.known.get(name)
    until = int(kept.expires) if kept else -1  # from then on it makes no difference whose machine it is

    @cache
    def walk(own: bool, low: int, high: int) -> int:
        return making.walk(_over(making, name, after if own else replace(after, stub=StubMemory()), low, high))

    for person in PEOPLE:
        walks = [(low, walk(person == PEOPLE[0] and low <= until, low, high)) for low, high in spans]
        changes = [pair for before, pair in pairwise(walks) if before[1] != pair[1]]
        made[person] = [list(pair) for pair in [walks[0], *changes]]
    return made


def _spans(after: Memory) -> list[tuple[int, int]]:
    """The stretches of time, first and last second, in which nothing that is remembered expires."""
    cache = after.cache
    ends = [kept.expires for kept in cache.sets.values()] + [message.expires for message in cache.messages.values()]
    ends += [state.expires for state in cache.servers.values()]
    ends += [int(known.expires) for known in after.stub.known.values()]
    starts = sorted({0} | {end + 1 for end in ends})
    return [*((low, high - 1) for low, high in pairwise(starts)), (starts[-1], starts[-1] + 1)]


def _over(making: _Making, name: str, after: Memory, low: int, high: int) -> list[Data]:
    """The steps of a second look-up at any time of a span: taken at its ends, which differ only in TTLs."""
    at = []
    for now in (low, high):
        memory = after.copy()
        memory.now = now
        at.append(making.look(name, memory).steps)
    return [_between(one, other, low, high) for one, other in zip(*at, strict=True)]


def _between(one: Data, other: Data, low: int, high: int) -> Data:
    """A step of which every TTL that isn't the same at both ends counts down."""
    made = {**one}
    for section, records in one.get("sections", {}).items():
        pairs = zip(records, other["sections"][section], strict=True)
        made["sections"] = {**made["sections"], section: [_counting(*pair, low, high) for pair in pairs]}
    return made


def _counting(one: Data, other: Data, low: int, high: int) -> Data:
    if one["ttl"] == other["ttl"]:
        return one
    assert low + one["ttl"] == high + other["ttl"], "a TTL counts down by the second"
    return {**one, "ttl": {"until": low + one["ttl"]}}


def _places(made: Tree) -> list[Data]:
    """The tree, name by name from the root down."""
    numbers = {name: number for number, name in enumerate(made.parent)}
    return [
        {
            "name": written(name),
            "lines": list(made.label(name)),
            "above": -1 if above is None else numbers[above],
            "at": list(made.at[name]),
            "zone": name in made.zones,
        }
        for name, above in made.parent.items()
    ]


# Steps -----------------------------------------------------------------------------------------


def _record(owner: str, ttl: int, kind: str, data: str, why: str = "") -> Data:
    made: Data = {"owner": owner, "ttl": ttl, "type": kind, "data": data}
    return {**made, "why": why} if why else made


def _sections(message: dns.message.Message, removed: Mapping[str, str] | None = None) -> Data:
    parts = {"answer": message.answer, "authority": message.authority, "additional": message.additional}
    return {name: list(_rows(map(str, map(from_rrset, part)), removed or {})) for name, part in parts.items() if part}


def _rows(rrsets: Iterator[str], removed: Mapping[str, str]) -> Iterator[Data]:
    for text in rrsets:
        for line in text.split("\n"):
            owner, ttl, _, kind, data = line.split(" ", 4)
            yield _record(owner, int(ttl), kind, data, removed.get(text, ""))


def _flags(message: dns.message.Message) -> str:
    return dns.flags.to_text(message.flags) or "none"


def _stub(looked: Looked, left: int) -> Iterator[Data]:
    """The machine's own memory first; then the question to the resolver."""
    found: Lookup = looked.lookup
    if looked.resolution is None:
        data = [str(each) for each in found.addresses] or [found.code]
        rows = [_record(f"{found.name}.", left, "A", each) for each in data]
        says = f"The machine remembers it, and asks nobody: {found.code}"
        yield {"at": "stub", "code": found.code, "says": says, "sections": {"memory": rows}}
        return
    yield {"at": "stub", "says": "The machine's own memory has nothing of the kind"}
    yield from _direct(looked.resolution)


def _direct(resolution: Resolution) -> Iterator[Data]:
    question = resolution.response.question[0]
    text = f"{written(question.name)} {dns.rdatatype.to_text(question.rdtype)}"
    yield {
        "at": "ask",
        "says": f"The machine asks its resolver for {text}, and wants the whole answer (flag RD)",
        "asks": {"question": text, "flags": "RD"},
    }


def _resolving(resolution: Resolution) -> Iterator[Data]:
    """What the resolver did, in the order in which it did it, and what it said in the end."""
    log = resolution.log.hops
    if log and isinstance(log[0], Exchange):
        yield _beginning(log[0])
    for each in log:
        yield _exchange(each) if isinstance(each, Exchange) else _noted(each)
    response = resolution.response
    status = dns.rcode.to_text(response.rcode())
    yield {
        "at": "answer",
        "code": resolution.code,
        "says": f"The resolver answers: {resolution.code}",
        "reply": {"status": status, "flags": _flags(response)},
        "sections": _sections(response),
    }


def _beginning(exchange: Exchange) -> Data:
    """Where the walk begins, and why there."""
    if exchange.query.question[0].name == dns.name.root:
        says = "The resolver remembers nothing. It has been told some addresses of root servers, and begins with those"
    else:
        zone = "the root" if exchange.zone == dns.name.root else written(exchange.zone)
        says = f"The resolver remembers no answer, but it does remember who serves {zone}, and begins there"
    return {"at": "cache", "says": says}


def _noted(hop: Hop) -> Data:
    """What the resolver found in its memory, or why it gave up."""
    if hop.verdict.code != "CACHED":
        return {"at": "cache", "says": f"The resolver gives up: {hop.verdict.rule}"}
    rows = list(_rows((step.rule for step in hop.steps), {}))
    says = "The resolver finds this in its memory, and asks nobody for it"
    return {"at": "cache", "says": says, "sections": {"memory": rows}}


def _exchange(exchange: Exchange) -> Data:
    response = exchange.response
    removed = {str(records): why for records, why in exchange.removed}
    zone = "the root" if exchange.zone == dns.name.root else written(exchange.zone)
    made: Data = {
        "at": "server",
        "node": written(exchange.zone),
        "code": exchange.code,
        "server": f"{written(exchange.server)} ({exchange.address})",
        "says": f"{written(exchange.server)}, a server of {zone}, is asked {asked(exchange)}: {heard(exchange)}",
        "asks": {"question": asked(exchange), "flags": _flags(exchange.query)},
    }
    if response is not None:
        made["reply"] = {"status": dns.rcode.to_text(response.rcode()), "flags": _flags(response)}
        made["sections"] = _sections(response, removed)
    return made


# Memories --------------------------------------------------------------------------------------


def _memory(after: Memory) -> Iterator[Data]:
    """All that is remembered after the first look-up, and until when; what is needed most comes first."""
    for name, known in after.stub.known.items():
        data = [str(each) for each in known.addresses] or [known.code]
        yield {"who": PEOPLE[0], "what": f"{name} A", "data": data, "until": int(known.expires)}
    rows = [*_sets(after), *_denials(after)]
    yield from sorted(rows, key=lambda row: row["until"])


def _sets(after: Memory) -> Iterator[Data]:
    for (_, kind, side), stored in after.cache.sets.items():
        if side is Side.NEGATIVE or not stored.records.data:
            continue
        data = [str(each) for each in stored.records.data]
        what = f"{written(stored.records.name)} {dns.rdatatype.to_text(kind)}"
        row = {"who": "resolver", "what": what, "data": data, "until": stored.expires}
        yield {**row, "how": _TRUST[stored.trust]} if stored.trust in _TRUST else row


def _denials(after: Memory) -> Iterator[Data]:
    for (key, kind, _), stored in after.cache.messages.items():
        code = _denial(stored)
        if code:
            what = f"{written(Name(key))} {dns.rdatatype.to_text(RdataType.make(kind))}"
            yield {"who": "resolver", "what": what, "data": [code], "until": stored.expires}


def _denial(stored: StoredMessage) -> str:
    if stored.rcode:
        return dns.rcode.to_text(stored.rcode)
    return "" if stored.sections[0] else "NODATA"
