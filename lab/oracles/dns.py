"""Random zones and questions, and jumps of the clock: what does unbound answer, and whom does it ask?

Both sides get the same zones: unbound asks nsd, the model's resolver asks the model's servers. Compared are the whole
answer with its TTLs, and the questions that were asked of name servers on the way, one by one. Where unbound draws
lots among servers, the model is led along the ways that unbound may have gone, until it has asked the same.

Not modelled: what takes time (silence, retries). A step that took so long that unbound may have asked again on its
own account counts for nothing, and after it both sides begin anew with nothing in their caches. (That happens by
itself: with a clock that stands still, unbound 1.17 now and then waits for an event that never comes.)
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

import dns.flags
import dns.message
import dns.rcode
import dns.rdataset
import dns.rdatatype
import dns.rrset
import dns.zone

from lab.oracles.nameservers import Asked, NameServers
from lab.oracles.rounds import Difference, Played, without
from lab.oracles.zones import PODS, Zones, drawn_zones
from netpath.choice import Weights
from netpath.resolution import AuthoritativeServer, Cache, Resolution, Resolver, in_memory

STEPS = 150
WAYS = 400  # so many ways through chance are tried
_PATIENT = 0.3  # seconds; unbound asks again after 0.376
_BEGINNINGS = 4  # so often servers are started for one case: after a step that proves nothing, both sides begin anew

_JUMPS = (1, 4, 5, 6, 29, 30, 31, 299, 300, 301, 3600, 90000)
_NAMES = ("w", "x", "y", "w.x", "y.w", "d.x", "nope", "ns0", "ns0.o", "q.w.x")
_OTHERS = ("com.", "net.", ".", "zz.com.")
_TYPES = ("A", "A", "A", "A", "TXT", "CNAME", "MX", "NS", "SOA", "DS", "AAAA")


@dataclass(frozen=True, slots=True)
class Step:
    """So many seconds pass; then a client asks."""

    pause: int
    name: str
    type: str
    payload: int  # what the client says that it can take over UDP; 0: it says nothing
    flags: int  # taken from, or added to, an ordinary query's

    def query(self) -> dns.message.Message:
        made = dns.message.make_query(self.name, self.type, use_edns=0 if self.payload else -1, payload=self.payload)
        made.flags ^= self.flags
        return made

    def __str__(self) -> str:
        return f"after {self.pause} s: {self.name} {self.type}"


@dataclass(frozen=True, slots=True)
class Case:
    """Zones, and questions about them."""

    zones: Zones
    steps: tuple[Step, ...]


class DnsOracle:
    """Whether the model's resolver and servers do what unbound and nsd do."""

    patience = 60

    def draw(self, seed: str) -> Case:
        dice = Random(seed)
        zones = drawn_zones(dice)
        return Case(zones, tuple(_step(dice, zones) for _ in range(STEPS)))

    def play(self, case: Case) -> Played:
        played = _play(case)
        return played if played.difference is None else _play(case)  # time is real for unbound's timers: twice, then

    def smaller(self, case: Case) -> Iterator[Case]:
        yield from (replace(case, steps=steps) for steps in without(case.steps) if steps)

    def told(self, case: Case) -> str:
        zones = case.zones
        lines = [f"{address} serves {', '.join(served)}" for address, served in zones.served.items()]
        return "\n".join([*lines, *(zones.text(zone) for zone in zones.records), *map(str, case.steps)])


def _play(case: Case) -> Played:
    played, left = Played(), case.steps
    for _ in range(_BEGINNINGS):
        left = _follow(played, case.zones, left)
        if not left or played.difference is not None:
            break
        played.count("too slow")
    return played


def _follow(played: Played, zones: Zones, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Take steps until the end, a disagreement, or one that proves nothing; those that are left after that."""
    now, model = 0, Modelled(zones)
    with NameServers(zones) as servers:
        for number, step in enumerate(steps):
            now += step.pause
            servers.set_clock(now)
            query = step.query()
            began = time.monotonic()
            answered = servers.ask(query)
            if answered is None or time.monotonic() - began > _PATIENT:
                return steps[number + 1 :]
            played.cases += 1
            played.count(dns.rcode.to_text(answered[0].rcode()))
            played.difference = model.follow(query, now, *answered, str(step))
            if played.difference is not None:
                break
    return ()


def _step(dice: Random, zones: Zones) -> Step:
    name = f"{dice.choice(_NAMES)}.{dice.choice(zones.own)}"
    kind = dice.random()
    if kind < 0.2:
        name = dice.choice((dice.choice(zones.own), dice.choice(_OTHERS), dice.choice(zones.hosts)))
    pause = dice.choice(_JUMPS) if dice.random() < 0.35 else 0
    flags = dns.flags.RD if dice.random() < 0.05 else 0
    flags |= dns.flags.CD if dice.random() < 0.05 else 0
    return Step(pause, name, dice.choice(_TYPES), dice.choice((0, 512, 1232, 4096)), flags)


# The model's side -----------------------------------------------------------------------------------


class _AstrayError(Exception):
    """The model has asked what unbound didn't: this isn't the way that it went."""


class Modelled:
    """The resolver and the servers as `netpath` has them, and what the resolver remembers."""

    def __init__(self, zones: Zones) -> None:
        dns.rdataset.random.shuffle = lambda _: None  # type: ignore[attr-defined]  # dnspython shuffles what it writes
        self._reach = in_memory({address: _server(zones, address) for address in (*zones.served, *PODS)})
        self._resolver = Resolver({zones.root[0]: [zones.root[1]]}, self._send)
        self.cache = Cache()
        self.asked: list[Asked] = []
        self.wanted: list[Asked] | None = None

    def _send(self, address: str, query: dns.message.Message, tcp: bool) -> dns.message.Message | None:
        question = query.question[0]
        self.asked.append(Asked(address, str(question.name).lower(), int(question.rdtype), tcp))
        if self.wanted is not None and self.asked != self.wanted[: len(self.asked)]:
            raise _AstrayError
        return self._reach(address, query, tcp)

    def follow(
        self, query: dns.message.Message, now: int, response: dns.message.Message, asked: list[Asked], what: str
    ) -> Difference | None:
        """Go unbound's way, if it is one that the model can go; how they differ if it isn't."""
        self.wanted = asked
        real = told(response, asked)
        for resolution, cache in self._ways(query, now):
            if self.asked == asked and told(_sent(resolution), asked) == real:
                self.cache = cache
                return None
        self.wanted, self.asked = None, []
        resolution = self._resolver.resolve(query, self.cache.copy(), now)
        return Difference(what, real, told(_sent(resolution), self.asked))

    def _ways(self, query: dns.message.Message, now: int) -> Iterator[tuple[Resolution, Cache]]:
        """Every way through chance on which nothing is asked that unbound didn't ask."""
        paths: list[tuple[int, ...]] = [()]
        for _ in range(WAYS):
            if not paths:
                return
            path, taken = paths.pop(), list[int]()

            def choose(
                question: str, weights: Weights, /, path: tuple[int, ...] = path, taken: list[int] = taken
            ) -> int:
                here = len(taken)
                if here >= len(path):
                    paths.extend((*taken, other) for other in range(1, len(weights)))
                taken.append(path[here] if here < len(path) else 0)
                return taken[-1]

            cache, self.asked = self.cache.copy(), []
            try:
                yield self._resolver.resolve(query, cache, now, choose), cache
            except _AstrayError:
                continue


def _server(zones: Zones, address: str) -> AuthoritativeServer:
    made = (
        dns.zone.from_text(zones.text(zone), origin=zone, relativize=False, check_origin=False)
        for zone in zones.served.get(address, ())
    )
    return AuthoritativeServer(made, name=address, minimal=address in zones.minimal)


def _sent(resolution: Resolution) -> dns.message.Message:
    """The response as it comes off the wire."""
    return dns.message.from_wire(resolution.response.to_wire(max_size=65535))


def told(response: dns.message.Message, asked: list[Asked]) -> str:
    """All that is compared, as text."""
    sections = (("answer", response.answer), ("authority", response.authority), ("additional", response.additional))
    parts = [dns.rcode.to_text(response.rcode()), dns.flags.to_text(response.flags), f"EDNS {response.edns}"]
    parts += [f"{name}: {'; '.join(_records(section))}" for name, section in sections if section]
    parts += [f"asked {each}" for each in asked]
    return " | ".join(parts)


def _records(section: list[dns.rrset.RRset]) -> list[str]:
    return sorted(
        f"{each.name} {each.ttl} {dns.rdatatype.to_text(each.rdtype)} {' '.join(sorted(map(str, each)))}".lower()
        for each in section
    )
