"""Chapter 2's predictions about memories: what is left, who is asked, how long "no" lasts, and when a move is over.

Not modelled: memories that are too small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from netpath.exercises.chapter2.places import (
    ALIASES,
    MOVE,
    NEGATIVE_CAP,
    NO,
    REMEMBERS,
    WALK,
    ask,
    internet,
    listed,
    records,
    zone_text,
)
from netpath.exercises.exercise import Level
from netpath.exercises.misconceptions import TTL_IS_DELAY
from netpath.exercises.outcome import block
from netpath.exercises.predict import Form, Predict, Slip, Variant, slips
from netpath.load import shop
from netpath.memory import Memory
from netpath.names import Looked, Names
from netpath.resolution import Cache, Resolution

_TTLS = (30, 60, 120, 300, 600)


# q1: what is left ----------------------------------------------------------------------------------
_SHOPS = ("shop.example.com", "www.example.com", "pr-7.preview.example.com", "mail.example.com", "sh0p.example.com")


def _some_world(draw: Random) -> tuple[Names, str]:
    """An internet, and a name to look up in it."""
    if draw.random() < 0.4:
        return shop().names, draw.choice(_SHOPS)
    one, two, three = (draw.choice(_TTLS) for _ in range(3))
    lines = (
        f"api {one} IN A 203.0.113.{draw.randrange(10, 99)}",
        f"www {two} IN CNAME api",
        f"blog {three} IN CNAME www",
    )
    text = zone_text(*lines, soa=draw.choice(_TTLS), minimum=draw.choice(_TTLS))
    return internet(text), draw.choice(["api", "www", "blog", "blog", "bolg"]) + ".example.org"


@dataclass(frozen=True, slots=True)
class _Visit:
    """Somebody's look-up at a second; `left`: for how long their machine may remember what it hears."""

    who: str
    when: int
    looked: Looked
    left: int


def _visits(world: Names, name: str, plan: list[tuple[str, int]]) -> list[_Visit]:
    """Look-ups by people with a machine each, and one resolver for all of them."""
    cache, made = Cache(), []
    machines: dict[str, Memory] = {}
    for who, when in plan:
        machine = machines.setdefault(who, Memory(cache=cache))
        machine.now = when
        looked = world.lookup(name, machine, "198.51.100.53")
        made.append(_Visit(who, when, looked, int(machine.stub.known[name].expires) - when))
    return made


def _plan(draw: Random, longest: int) -> list[tuple[str, int]]:
    """Who looks when, within a little more than the longest TTL."""
    seconds = sorted(draw.sample(range(1, longest * 5 // 4), draw.choice([1, 2, 2])))
    people = ["Ana", *draw.sample(["Ben", "Cem"], len(seconds))]
    if len(seconds) == 2 and draw.random() < 0.3:
        people[1] = "Ana"
    return list(zip(people, [0, *seconds], strict=True))


# Nothing says that it must; measured with unbound 1.17.1, whose second answer has what is left of the first.
_KEEPS = " (Where a new answer brings along a record of which it still has a copy, it keeps the copy, as unbound does.)"


def _what_is_left(draw: Random) -> Variant:
    world, name = _some_world(draw)
    fresh = records(ask(world, name, Memory()))
    ttls = [int(line.split()[1]) for line in fresh]
    visits = _visits(world, name, _plan(draw, max(ttls)))
    if any(visit.left == 0 for visit in visits):  # the very second in which it ends: nothing to learn
        return _what_is_left(draw)
    last = visits[-1]
    answer = str(last.left)
    told = listed([f"{visit.who} at {visit.when} s" for visit in visits])
    return Variant(
        f"This is what a resolver that remembers nothing hears about `{name}`:\n\n{block(fresh)}At first nobody "
        f"remembers anything. Then it is looked up by {told}. Each has a machine of their own, and all use the same "
        f"resolver.{_KEEPS if ' CNAME ' in str(fresh) else ''} From {last.when} s on, for how many seconds may "
        f"{last.who}'s machine still remember the answer?",
        answer,
        _why_left(visits),
        slips(Form.NUMBER, answer, *_left_slips(ttls, last)),
        Form.NUMBER,
    )


def _left_slips(ttls: list[int], last: _Visit) -> Iterator[Slip]:
    whole = "that is the whole TTL, and somebody has used up a part of it. A copy of a copy ends with the copy."
    yield Slip(str(min(ttls)), whole, "", REMEMBERS)
    first = "an answer of several records ends with the first of them that ends: without the others it leads nowhere."
    yield Slip(str(max(ttls)), first, "", ALIASES)
    end = "that is the second at which it ends. How many seconds are left until then?"
    yield Slip(str(last.when + last.left), end, "", REMEMBERS)
    largest = (
        "counted from the first look-up, by the largest TTL. Count each record from when it was fetched, and take the "
        "smallest."
    )
    yield Slip(str(abs(max(ttls) - last.when)), largest, "", REMEMBERS)
    yield Slip("0", "the machine has just learnt it, or still remembers: something is left.", "", REMEMBERS)


def _why_left(visits: list[_Visit]) -> str:
    last = visits[-1]
    if last.looked.resolution is None:
        since = max(visit.when for visit in visits[:-1] if visit.who == last.who and visit.looked.resolution)
        end = last.when + last.left
        return f"{last.who}'s own machine still remembers what it heard at {since} s, until {end} s. Nobody is asked."
    asked = len(last.looked.resolution.exchanges)
    how = f"asks {asked} {'question' if asked == 1 else 'questions'}, and says" if asked else "asks nobody, and says"
    heard = block(records(last.looked.resolution))
    return f"At {last.when} s the resolver {how}:\n\n{heard}The smallest TTL counts: {last.left}."


q1 = Predict(
    "2.1",
    "What is left",
    4,
    Level.MEDIUM,
    (
        "A resolver hands out what is left of a TTL, not the whole of it.",
        "Does anybody's copy still live at that second? If not, it is fetched anew. And an answer with an alias in it "
        "lives as long as its shortest-lived record.",
    ),
    make=_what_is_left,
    otherwise="for each record: when was the copy fetched that is in use at that second? Subtract, and take the "
    "smallest.",
)


# q2: who is asked ----------------------------------------------------------------------------------
_NOBODY = "nobody"
_PAIRS = (  # what was looked up before, what is asked about, and why it is interesting
    ("shop.example.com", "shop.example.com"),
    ("shop.example.com", "mail.example.com"),
    ("shop.example.com", "www.example.com"),
    ("www.example.com", "shop.example.com"),
    ("www.example.com", "www.example.com"),
    ("pr-7.preview.example.com", "pr-8.preview.example.com"),
    ("pr-7.preview.example.com", "shop.example.com"),
    ("sh0p.example.com", "sh1p.example.com"),
    ("sh0p.example.com", "sh0p.example.com"),
    ("shop.exampel.com", "www.exampel.com"),
    ("shop.exampel.com", "shop.example.com"),
    ("mail.example.com", "shop.exampel.com"),
    ("eu.example.com", "status.eu.example.com"),
)
_LATER = (5, 20, 40, 75, 200, 290, 320, 700, 2_000, 80_000, 90_000)


def _asked(name: str, memory: Memory, now: int) -> str:
    """Whose servers a resolver asks, in their order."""
    zones = [str(exchange.zone) for exchange in ask(shop().names, name, memory, now).exchanges]
    kept = [zone for at, zone in enumerate(zones) if at == 0 or zones[at - 1] != zone]
    return ", then ".join("the root" if zone == "." else zone.rstrip(".") for zone in kept) or _NOBODY


def _who_is_asked(draw: Random) -> Variant:
    (before, name), later = draw.choice(_PAIRS), draw.choice(_LATER)
    memory = Memory()
    ask(shop().names, before, memory, 0)
    soon, cold = _asked(name, memory.copy(), 1), _asked(name, Memory(), 0)
    answer = _asked(name, memory, later)
    if answer in ("example.com", "com") and draw.random() < 0.6:  # too easy a guess
        return _who_is_asked(draw)
    parts = cold.split(", then ")
    tails = [", then ".join(parts[at:]) for at in range(len(parts))]
    options = tuple(sorted({_NOBODY, answer, soon, *tails}, key=lambda each: (each != _NOBODY, len(each), each)))
    fresh = block(records(ask(shop().names, before, Memory())))
    return Variant(
        f"In the book's world, a resolver that remembers nothing looks up `{before}` at 0 s, and hears:\n\n{fresh}The "
        f"next question comes at {later:,} s: `{name}`. Whose servers does the resolver ask for it? "
        "(Delegations have a TTL of two days here, and this resolver believes no TTL beyond one day, 86,400 s.)",
        answer,
        _why_asked(name, before, later, answer),
        slips(Form.CHOICE, answer, *(_asked_slip(each, answer, cold, name, later) for each in options)),
        options=options,
    )


def _why_asked(name: str, before: str, later: int, answer: str) -> str:
    if answer == _NOBODY:
        return f"All that it takes to answer for `{name}` was learnt at 0 s and is still fresh at {later:,} s."
    if answer.startswith("the root"):
        return "After a day nothing is left of what was learnt, not even who serves `com`: the walk begins at the top."
    first, *further = answer.split(", then ")
    aliased = " There it hears of another name, and goes on with that." if "amazonaws.com" in further else ""
    return (
        f"At {later:,} s the resolver has no fresh answer for `{name}`, but from the look-up of `{before}` it still "
        f"knows who serves {first}, and it knows so of no zone that is closer to the name. There it begins.{aliased}"
    )


def _asked_slip(said: str, answer: str, cold: str, name: str, later: int) -> Slip:
    if said == _NOBODY:
        return Slip(said, f"at {later:,} s there is no fresh answer for `{name}` to give.", "", REMEMBERS)
    if answer == _NOBODY:
        return Slip(said, "the answer itself is still in the resolver's memory.", "", REMEMBERS)
    if said == cold:
        return Slip(
            said, "that is the walk of somebody who remembers nothing. Who serves a zone is remembered, too.", "", WALK
        )
    if len(said) > len(answer):
        return Slip(said, "it needn't begin so high up: whose servers does it know already?", "", REMEMBERS)
    return Slip(said, "for that it would have to know already what it was never told, or has forgotten.", "", REMEMBERS)


q2 = Predict(
    "2.2",
    "Who is asked next?",
    4,
    Level.MEDIUM,
    (
        "Two things are remembered: answers, and who serves which zone. Which of them are still fresh?",
        "A resolver begins at the closest zone above the name whose servers it knows. An answer for one name says "
        "nothing about another, even where both come from the same wildcard.",
    ),
    make=_who_is_asked,
    otherwise="look at what was learnt the first time, and what of it is still fresh.",
)


# q3 is in naming.py. q4: how long "no" lasts ---------------------------------------------------------
@dataclass(frozen=True, slots=True)
class _Early:
    """A name that is asked for before it is created: the zone's numbers, and the seconds of it all.

    `soa`, `minimum`: what decides how long a "no" may be remembered. `is_text`: the name has a text already.
    """

    soa: int
    minimum: int
    ttl: int
    is_text: bool
    asks: tuple[int, ...]
    created: int

    @property
    def kept(self) -> int:
        """For how long the resolver remembers a "no"."""
        return min(self.soa, self.minimum, NEGATIVE_CAP)

    @property
    def no(self) -> str:
        return "NODATA" if self.is_text else "NXDOMAIN"

    @property
    def lines(self) -> list[str]:
        """The zone as it is shown."""
        text = ['new 300 IN TXT "soon"'] if self.is_text else []
        return [
            "$ORIGIN example.org.",
            f"@ {self.soa} IN SOA ns1 admin (",
            f"    1 7200 900 1209600 {self.minimum} )",
            *text,
        ]

    def told(self) -> list[tuple[int, Resolution]]:
        """What the resolver says each time that it is asked."""
        text = ('new IN TXT "soon"',) if self.is_text else ()
        world, memory = internet(zone_text(*text, soa=self.soa, minimum=self.minimum)), Memory()
        return [(when, ask(world, "new.example.org", memory, when)) for when in self.asks]


def _drawn_early(draw: Random) -> _Early:
    soa, minimum = draw.choice([60, 300, 900, 3600, 7200]), draw.choice([30, 120, 300, 900, 86_400])
    ttl, is_text = draw.choice([5, 60, 600]), draw.random() < 0.4
    kept = min(soa, minimum, NEGATIVE_CAP)
    asks = [draw.randrange(1, 50)]
    asks += [asks[0] + draw.randrange(5, kept)] if draw.random() < 0.5 else []
    asks += [asks[0] + kept + draw.randrange(2, kept)] if draw.random() < 0.4 else []
    return _Early(soa, minimum, ttl, is_text, tuple(asks), asks[-1] + draw.randrange(1, kept // 2))


def _too_early(draw: Random) -> Variant:
    early = _drawn_early(draw)
    told = early.told()
    answer = str(max(when + each.response.authority[0].ttl for when, each in told))
    walked = [when for when, each in told if each.exchanges]
    known = "has a text, and no address yet" if early.is_text else "doesn't exist yet"
    times = listed([f"at {when} s" for when in early.asks])
    return Variant(
        f"A zone has these records:\n\n{block(early.lines)}`new.example.org` {known}. A resolver that remembers "
        f"nothing about it is asked for its `A` record {times}, and says {early.no}. At {early.created} s somebody "
        f"creates `new.example.org. {early.ttl} IN A 203.0.113.70`. Until which second "
        f'may the resolver go on saying {early.no}? (It keeps no "no" for more than {NEGATIVE_CAP} s.)',
        answer,
        _why_early(early, walked),
        slips(Form.NUMBER, answer, *_early_slips(early, walked)),
        Form.NUMBER,
    )


def _why_early(early: _Early, walked: list[int]) -> str:
    """How long it lasts, and from when; `walked`: when the resolver asked the zone's server."""
    capped = f", and this resolver keeps none for more than {NEGATIVE_CAP} s" if early.kept == NEGATIVE_CAP else ""
    recalled = ", and answered from memory the other time" if len(walked) < len(early.asks) else ""
    return (
        f'A "no" may be remembered for the smaller of {early.soa} (the TTL of the SOA record) and {early.minimum} (the '
        f"last number in it){capped}: {early.kept} s. The resolver asked the server at "
        f"{' s and at '.join(map(str, walked))} s{recalled}: {walked[-1]} + {early.kept} = {walked[-1] + early.kept}."
    )


def _early_slips(early: _Early, walked: list[int]) -> Iterator[Slip]:
    there = "the zone has it from then on, but this resolver remembers its no."
    yield Slip(str(early.created), there, "", NO)
    unseen = "the TTL of a record that nobody has seen can't tell anyone how long to wait."
    yield Slip(str(early.created + early.ttl), unseen, TTL_IS_DELAY, NO)
    larger = walked[-1] + max(early.soa, early.minimum)
    yield Slip(str(larger), "the smaller one of the two numbers counts.", "", NO)
    again = "to be asked again doesn't make a memory younger: the last time it answered without asking the server."
    yield Slip(str(early.asks[-1] + early.kept), again, "", REMEMBERS)
    uncapped = walked[-1] + min(early.soa, early.minimum)
    yield Slip(str(uncapped), f'this resolver keeps no "no" beyond {NEGATIVE_CAP} s.', "", NO)
    yield Slip(str(early.kept), "that is how long. Counted from when?", "", NO)
    out = "the first no had run out before the resolver was asked again; it was told another."
    yield Slip(str(early.asks[0] + early.kept), out, "", NO)


q4 = Predict(
    "2.4",
    "A moment too early",
    3,
    Level.MEDIUM,
    (
        'A "no" comes with the zone\'s SOA record. Two numbers of it count, and the smaller one decides.',
        "Count from the last time at which the resolver asked the server, not from the last time that it was asked.",
    ),
    make=_too_early,
    otherwise="when was the server asked last, and how long may its no be remembered? Add the two.",
)


# q5: the move --------------------------------------------------------------------------------------
_OLD, _NEW = "203.0.113.80", "203.0.113.90"
_PAY = "pay.example.org"


@dataclass(frozen=True, slots=True)
class _Move:
    """A record's three ages; times in seconds since nine o'clock."""

    ttl: int
    short: int
    lowered: int
    moved: int

    def world(self, now: int) -> Names:
        ttl = self.short if now >= self.lowered else self.ttl
        return internet(zone_text(f"pay {ttl} IN A {_NEW if now >= self.moved else _OLD}"))

    def says(self, last: int, now: int) -> str:
        """What a resolver says that was last asked at one time, and now again."""
        memory = Memory()
        ask(self.world(last), _PAY, memory, last)
        return str(ask(self.world(now), _PAY, memory, now).response.answer[0][0])


def _clock(seconds: int) -> str:
    return f"{9 + seconds // 3600}:{seconds // 60 % 60:02}"


def _old_copies(draw: Random) -> Variant:
    ttl, short = draw.choice([1800, 2700, 3600, 5400, 7200]), draw.choice([60, 300, 600])
    lowered = 7200 + 60 * draw.randrange(0, 60)
    moved = lowered + 60 * draw.randrange(5, ttl // 60)
    now = moved + 60 * draw.randrange(0, 30)
    move = _Move(ttl, short, lowered, moved)
    earliest = max(now - ttl - 600, 0)
    lasts = sorted(60 * each + 30 for each in draw.sample(range(earliest // 60, now // 60), 6))
    old = [last for last in lasts if move.says(last, now) == _OLD]
    if len(old) in (0, len(lasts)) and draw.random() < 0.8:  # all or none: too easy a guess
        return _old_copies(draw)
    answer = str(len(old))
    return Variant(
        f"`{_PAY}` has TTL {ttl} and the address {_OLD}. At {_clock(lowered)} its TTL is lowered to {short}, at "
        f"{_clock(moved)} its address is changed to {_NEW}. Six resolvers were asked for it last at these times, and "
        f"had to fetch it then: {', '.join(f'{_clock(last)}:30' for last in lasts)}. At {_clock(now)} each of them is "
        "asked again. How many still say the old address?",
        answer,
        _why_old(move, lasts, old, now),
        slips(Form.NUMBER, answer, *_old_slips(move, lasts, now)),
        Form.NUMBER,
    )


def _old_slips(move: _Move, lasts: list[int], now: int) -> Iterator[Slip]:
    before = [last for last in lasts if last < move.moved]
    if now > move.moved + move.short:
        over = f"{move.short} s after the move it is over only for those who have learnt of the short TTL."
        yield Slip("0", over, TTL_IS_DELAY, MOVE)
    else:
        over = "not all who fetched it before the move still have a copy: each counts from when it was fetched."
        yield Slip(str(len(before)), over, TTL_IS_DELAY, MOVE)
    run_out = "those have fetched the old address, but some of the copies have run out since, and are fetched anew."
    yield Slip(str(len(before)), run_out, "", MOVE)
    lowered = _clock(move.lowered)
    old = f"a copy that was fetched before {lowered} has the old TTL, {move.ttl}: nobody tells it of the new one."
    yield Slip(str(sum(last + move.short >= now for last in before)), old, TTL_IS_DELAY, MOVE)
    new = f"whoever fetched it after {lowered} was told {move.short} s, and no more."
    yield Slip(str(sum(last + move.ttl >= now for last in before)), new, "", MOVE)
    yield Slip("6", "some of these copies have run out, or were fetched after the move.", "", MOVE)
    yield Slip("0", "some of these copies were fetched before the move, and are still allowed to live.", "", MOVE)


def _why_old(move: _Move, lasts: list[int], old: list[int], now: int) -> str:
    lines = []
    for last in lasts:
        ttl = move.short if last >= move.lowered else move.ttl
        until = last + ttl
        what = "the new address" if last >= move.moved else "the old one" if last in old else "run out"
        lines.append(f"{_clock(last):>5}:30 + {ttl:4} s = {_clock(until):>5}:{until % 60:02}   {what}")
    return f"Until when each copy may live, and what comes of it at {_clock(now)}:\n\n{block(lines)}"


q5 = Predict(
    "2.5",
    "Who still comes to the old address?",
    4,
    Level.MEDIUM,
    (
        "Each copy lives for the TTL that it was fetched with, counted from when it was fetched.",
        "Go through the six one by one: which TTL did the record have at that time, and which address?",
    ),
    make=_old_copies,
    otherwise="go through the resolvers one by one: when did each fetch its copy, and until when may that live?",
)
