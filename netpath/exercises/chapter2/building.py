"""Chapter 2's exercises that ask for something that works: an alias chase, a memory that forgets, a zone.

Not modelled: names in capitals, which the DNS takes for the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate, pairwise
from random import Random
from string import ascii_lowercase
from typing import Any

import dns.message
import dns.rdatatype

from netpath.exercises.build import Build
from netpath.exercises.chapter2.places import ask, internet, server_of, zone_text
from netpath.exercises.exercise import Level
from netpath.exercises.outcome import Outcome, right, wrong
from netpath.load.files import MasterFile
from netpath.load.zones import zone
from netpath.memory import Memory
from netpath.names import Names
from netpath.resolution import Answered, AuthoritativeServer


def _word(chance: Random) -> str:
    return "".join(chance.choices(ascii_lowercase, k=6))


def _answer(server: AuthoritativeServer, name: str, kind: str) -> Answered:
    return server.answer(dns.message.make_query(name, kind, id=1, flags=0), tcp=True)


# q6: follow the aliases ----------------------------------------------------------------------------
Table = Mapping[tuple[str, str], list[str]]


_TRAPS = (  # what it is, how many aliases in a row, and where the last one leads
    ("no alias", 0, "addresses"),
    ("one alias", 1, "addresses"),
    ("a name that is its own alias", 0, "first"),
    ("two aliases in a row", 2, "addresses"),
    ("two aliases that lead nowhere", 2, "nothing"),
    ("three aliases in a circle", 2, "first"),
    ("two aliases that lead into a circle of two", 3, "inner"),
    ("twenty aliases in a row", 20, "addresses"),
)


def _tables(chance: Random) -> Iterable[tuple[str, str, Table]]:
    """Names with tables of records, each table another trap."""
    for what, length, end in _TRAPS:
        chain = [f"{_word(chance)}.example.org" for _ in range(length + 1)]
        table = {(name, "CNAME"): [after] for name, after in pairwise(chain)}
        if end == "addresses":
            table[chain[-1], "A"] = [f"203.0.113.{each}" for each in chance.sample(range(1, 255), chance.randint(1, 3))]
        elif end != "nothing":
            table[chain[-1], "CNAME"] = [chain[0 if end == "first" else -2]]
        table[f"{_word(chance)}.example.org", "A"] = ["203.0.113.7"]
        yield what, chain[0], dict(chance.sample(sorted(table.items()), len(table)))
    yield "a name that isn't there", f"{_word(chance)}.example.org", {("shop.example.org", "A"): ["203.0.113.7"]}


def _served(name: str, table: Table) -> list[str]:
    """The addresses that a name server with these records gives."""
    lines = (
        f"{owner}. IN {kind} {data}{'.' * (kind == 'CNAME')}" for (owner, kind), many in table.items() for data in many
    )
    said = _answer(server_of(zone_text(*lines)), name, "A").response.answer
    return [str(each) for rrset in said if rrset.rdtype == dns.rdatatype.A for each in rrset]


def _chased(function: Callable[..., Any], chance: Random) -> Outcome:
    for what, name, table in _tables(chance):
        expected, got = _served(name, table), function(name, {key: list(data) for key, data in table.items()})
        called = f"{what}: `addresses({name!r}, {_short(table)})`"
        if not isinstance(got, (list, tuple)):
            return wrong(f"{called} gave `{got!r:.80}`, and a list of addresses is asked for")
        if sorted(map(str, got)) != sorted(expected):
            return wrong(f"{called} gave `{got!r:.200}`; a name server with these records gives `{expected}`")
    return right(because="chains, dead ends and circles come out as a name server has them")


def _short(table: Table) -> str:
    return repr(table) if len(table) < 6 else f"<{len(table)} records>"


q6 = Build(
    "2.6",
    "Follow the aliases",
    8,
    Level.EASY,
    (
        "Ask the table for an address of the name. If there is none, ask it for a CNAME, and go on with that name.",
        "How do you notice that you go round in a circle? Write down where you have been.",
    ),
    task="Write a function that finds a name's addresses in a table of records, as the server of a zone would. A "
    "CNAME says that the name is another name of that one: go on there. Chains may be longer than you think, and some "
    "lead nowhere, or back to where they came from: then there are no addresses.\n\n"
    "The table's keys are a name and a type; its values are lists:\n\n```\n"
    '{("www.example.org", "CNAME"): ["shop.example.org"],\n'
    ' ("shop.example.org", "A"): ["203.0.113.10", "203.0.113.20"]}\n```',
    stub='''
    def addresses(name, records):
        """The addresses of a name, CNAMEs followed; [] where there are none."""
        ...
    ''',
    answer="""
    def addresses(name, records):
        been = set()
        while (name, "A") not in records:
            if name in been or (name, "CNAME") not in records:
                return []
            been.add(name)
            name = records[name, "CNAME"][0]
        return records[name, "A"]
    """,
    reasoning="Whoever follows pointers that others have written must be able to stop. A set of the names seen is "
    "exact; resolvers take a limit instead (unbound: 11), because the next name may be in a zone that they can't see "
    "into.",
    judge=_chased,
    slips=(
        (
            """
            def addresses(name, records):
                alias = records.get((name, "CNAME"), [name])[0]
                return records.get((alias, "A"), [])
            """,
            "two aliases in a row",
        ),
        (
            """
            def addresses(name, records):
                if (name, "CNAME") in records:
                    return addresses(records[name, "CNAME"][0], records)
                return records.get((name, "A"), [])
            """,
            "RecursionError",
        ),
        (
            """
            def addresses(name, records):
                for _ in range(10):
                    if (name, "A") in records:
                        return records[name, "A"]
                    name = records.get((name, "CNAME"), [""])[0]
                return []
            """,
            "twenty aliases in a row",
        ),
        (
            """
            def addresses(name, records):
                return records[name, "A"]
            """,
            "KeyError",
        ),
    ),
)


# q7: a memory that forgets -------------------------------------------------------------------------
_HOSTS = ("api", "cart", "web")


def _schedule(chance: Random) -> list[tuple[str, int]]:
    """Which name is looked up when: first all of them a few times in short order, then now and then."""
    names = [f"{host}.example.org" for host in (*_HOSTS, "crat")]
    soon = chance.sample(names * 3, 3 * len(names))
    later = chance.choices(names, k=20)
    gaps = [*(chance.choice([1, 2]) for _ in soon), *(chance.choice([5, 19, 31, 47]) for _ in later)]
    return list(zip([*soon, *later], accumulate(gaps), strict=True))


def _ages(chance: Random) -> tuple[Names, Names]:
    """A zone before and after somebody changed all of it."""
    made = [
        zone_text(
            *(f"{host} {chance.choice([0, 20, 60, 120])} IN A 203.0.113.{chance.randrange(1, 255)}" for host in _HOSTS),
            minimum=chance.choice([30, 90]),
        )
        for _ in range(2)
    ]
    return internet(made[0]), internet(made[1])


def _heard(world: Names, name: str, memory: Memory, now: int) -> tuple[tuple[str, int], bool]:
    """What a resolver says, with the TTL that is left, and whether it asked the server."""
    said = ask(world, name, memory, now)
    response = said.response
    told = response.answer[0] if response.answer else response.authority[0]
    text = str(told[0]) if response.answer else said.code
    return (text, told.ttl), any(str(each.zone) == "example.org." for each in said.exchanges)


def _remembered(function: Callable[..., Any], chance: Random) -> Outcome:
    before, after = _ages(chance)
    moved, late = chance.randrange(60, 200), 0
    memory, theirs, asked = Memory(), {}, []  # type: ignore[var-annotated]
    last: dict[str, tuple[int, int]] = {}
    for name, planned in _schedule(chance):
        while any(entry.expires == planned + late for entry in memory.cache.messages.values()):
            late += 1  # in the very second of the end opinions differ
        now = planned + late
        world = after if now >= moved else before

        def fetch(wanted: str, *, world: Names = world, now: int = now, name: str = name) -> tuple[str, int]:
            if wanted != name:
                raise ValueError(f"fetch({wanted!r:.60}), and {name!r} was asked for")
            asked.append(wanted)
            return _heard(world, wanted, Memory(), now)[0]

        asked.clear()
        expected, needed = _heard(world, name, memory, now)
        got = function(name, now, theirs, fetch)
        told = _difference(got, expected, needed, asked)
        if told:
            since = f" It was fetched at {last[name][0]} s, with TTL {last[name][1]}." if name in last else ""
            return wrong(f"`look_up({name!r}, {now}, …)` {told}.{since}")
        if needed:
            last[name] = now, expected[1]
    return right(because="every look-up came out as a resolver has it, and no question was put in vain")


def _difference(got: Any, expected: tuple[str, int], needed: bool, asked: list[str]) -> str:
    """What is wrong with one look-up, if anything is."""
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        return f"should return (answer, seconds left), and returned {got!r:.80}"
    if asked and not needed:
        return "asked the name server, though the answer was still fresh"
    if needed and not asked:
        return f"answered {tuple(got)!r:.80} from memory, though nothing fresh was there"
    if len(asked) > 1:
        return f"asked the name server {len(asked)} times"
    if tuple(got) != expected:
        return f"returned {tuple(got)!r:.80}; a resolver says {expected}"
    return ""


q7 = Build(
    "2.7",
    "A memory that forgets",
    10,
    Level.MEDIUM,
    (
        "Remember with each answer the second at which it ends, not for how long it is good.",
        'A "no" comes with a TTL like anything else, and is remembered in the same way.',
    ),
    task="Write a resolver's memory. `look_up` is called for one name after the other, at later and later seconds. "
    '`fetch(name)` asks the zone\'s name server and gives an answer and its TTL: `("203.0.113.10", 60)`, or '
    '`("NXDOMAIN", 30)`. Ask it only if you must: as long as an answer is fresh, return it again, with the seconds '
    "that are left. `memory` is a dictionary for you alone, empty at first; the same one comes at every call.\n\n"
    "The zone may change at any time. (You aren't asked in the very second in which an answer ends.)",
    stub='''
    def look_up(name, now, memory, fetch):
        """(answer, seconds left) for a name at second `now`."""
        ...
    ''',
    answer="""
    def look_up(name, now, memory, fetch):
        answer, ends = memory.get(name, ("", -1))
        if now >= ends:
            answer, ttl = fetch(name)
            ends = now + ttl
            memory[name] = answer, ends
        return answer, ends - now
    """,
    reasoning="What is kept is the end, so the TTL counts down by itself. That nobody tells a memory of a change in "
    "the zone is no fault of the function: there is nobody who could.",
    judge=_remembered,
    slips=(
        (
            """
            def look_up(name, now, memory, fetch):
                return fetch(name)
            """,
            "though the answer was still fresh",
        ),
        (
            """
            def look_up(name, now, memory, fetch):
                if name not in memory:
                    memory[name] = fetch(name)
                return memory[name]
            """,
            "look_up('",
        ),
        (
            """
            def look_up(name, now, memory, fetch):
                answer, ttl, since = memory.get(name, ("", 0, 0))
                if now >= since + ttl:
                    answer, ttl = fetch(name)
                    memory[name] = answer, ttl, now
                return answer, ttl
            """,
            "a resolver says (",
        ),
        (
            """
            def look_up(name, now, memory, fetch):
                answer, ends = memory.get(name, ("", -1))
                if now >= ends or answer == "NXDOMAIN":
                    answer, ttl = fetch(name)
                    ends = now + ttl
                    memory[name] = answer, ends
                return answer, ends - now
            """,
            "though the answer was still fresh",
        ),
        (
            """
            def look_up(name, now, memory, fetch):
                return fetch(name)[0]
            """,
            "should return (answer, seconds left)",
        ),
    ),
)


# q8: a zone ----------------------------------------------------------------------------------------
_ZONE = """$ORIGIN example.org.
$TTL 300
@          3600 IN SOA   ns1.example.org. admin.example.org. 1 7200 900 1209600 120
@               IN NS    ns1.example.org.
ns1             IN A     192.0.2.53
@               IN A     203.0.113.10
www             IN CNAME example.org.
*.preview       IN A     203.0.113.30
eu              IN NS    ns1.eu.example.org.
ns1.eu          IN A     192.0.2.77
"""


def _questions(chance: Random) -> Iterable[tuple[str, str]]:
    """What the checker asks, in the order of the task."""
    one, two, three = (_word(chance) for _ in range(3))
    yield from (("example.org", "NS"), ("ns1.example.org", "A"), ("example.org", "A"), ("www.example.org", "A"))
    yield from ((f"{one}.preview.example.org", "A"), (f"{two}.{one}.preview.example.org", "A"))
    yield from ((f"{one}.eu.example.org", "A"), ("eu.example.org", "A"), (f"{two}.{three}.eu.example.org", "TXT"))
    yield from ((f"{three}.example.org", "A"), (f"{one}.www.example.org", "A"), ("preview.example.org", "A"))
    yield from ((f"{two}.preview.example.org", "MX"), ("example.org", "MX"), ("www.example.org", "TXT"))


def _zone_works(text: str, chance: Random) -> Outcome:
    theirs = zone(MasterFile("your zone", text))
    if str(theirs.origin) != "example.org.":
        return wrong(f"a zone of example.org is asked for, and this is one of {theirs.origin}")
    mine, server = server_of(_ZONE), AuthoritativeServer([theirs], name="ns1.example.org.")
    for name, kind in _questions(chance):
        wanted, got = _told(_answer(mine, name, kind)), _told(_answer(server, name, kind))
        if wanted != got:
            reason = _reason(_answer(server, name, kind))
            return wrong(
                f"asked for {name} {kind}, your server ns1.example.org says:\n`{got}`\nIt should "
                f"say:\n`{wanted}`{reason}"
            )
    return right(because="every question gets the answer that it should")


def _told(said: Answered) -> str:
    """A response in a line: what counts of it, in an order of its own."""
    code, response = said.hop.verdict.code, said.response
    parts = sorted(line for rrset in response.answer for line in str(rrset).splitlines())
    if code == "REFERRAL":
        servers = [f"ask {each}" for rrset in response.authority for each in rrset]
        glue = [f"{rrset.name} is at {each}" for rrset in response.additional for each in rrset]
        parts += [*sorted(servers), *(sorted(glue) or ["no glue"])]
    if code in ("NODATA", "NXDOMAIN"):
        parts.append(f"to be remembered for {response.authority[0].ttl} s")
    return f"{code}, {'; '.join(parts)}"


def _reason(said: Answered) -> str:
    """The last thing that the server looked at, in its own words."""
    steps = [step for step in said.hop.steps if step.matched]
    return f"\nWhat decided: {steps[-1].why.rstrip('.')}." if steps else ""


def _slipped(old: str, new: str) -> str:
    """The solution with one thing changed, as code."""
    assert _ZONE.count(old) == 1, old
    return f"zone = {_ZONE.replace(old, new)!r}"


q8 = Build(
    "2.8",
    "A zone of one's own",
    15,
    Level.HARD,
    (
        "One line each, in the order of the list: a name (`@` is the zone's own), perhaps a TTL, `IN`, a type, and "
        "data. A name without a final dot is below example.org; with one, it is the whole name.",
        "A delegation is an `NS` record at the first name of the other zone. Who has to give the address of a server "
        "whose name is inside what it serves?",
        'How long a "no" is remembered: the smaller one of the SOA\'s own TTL and its last number.',
    ),
    task="Write the zone `example.org`. Where nothing else is said, the TTL is 300.\n\n"
    "- Its only name server is `ns1.example.org`, at 192.0.2.53.\n"
    "- `example.org` itself has the address 203.0.113.10, and `www` is an alias (a CNAME) of it.\n"
    "- Every name below `preview` has the address 203.0.113.30, however deep. `preview` itself has none.\n"
    "- All of `eu` is somebody else's: its name server is `ns1.eu.example.org`, at 192.0.2.77.\n"
    "- No other names. That a name doesn't exist may be remembered for 120 seconds.\n\n"
    "The checker makes a name server of it, and asks for names that you haven't seen.",
    stub='''
    zone = """
    $ORIGIN example.org.
    $TTL 300
    @  IN SOA  ns1.example.org. admin.example.org. 1 7200 900 1209600 300
    """
    ''',
    answer=f'zone = """\n{_ZONE}"""',
    reasoning="`*.preview` covers names of any depth, as long as nothing nearer exists. At `eu` the zone ends; the "
    "`NS` record there and the address of `ns1.eu` are no data of this zone, but what it refers with: the address is "
    "glue, and without it nobody could ever get to `eu`.",
    judge=_zone_works,
    wants=str,
    slips=(
        (
            _slipped("www             IN CNAME example.org.", "www             IN CNAME example.org"),
            "example.org.example.org",
        ),
        (_slipped("*.preview       IN", "*               IN"), "`NXDOMAIN, "),
        (_slipped("ns1.eu          IN A     192.0.2.77\n", ""), "no glue"),
        (_slipped("1209600 120", "1209600 300"), "to be remembered for 300 s"),
        (_slipped("@          3600 IN SOA", "@            60 IN SOA"), "to be remembered for 60 s"),
        (
            _slipped("eu              IN NS    ns1.eu.example.org.", "eu              IN A     192.0.2.77"),
            "`REFERRAL, ",
        ),
        (
            _slipped("www             IN CNAME example.org.", "www             IN A 203.0.113.10"),
            "IN CNAME example.org.",
        ),
        (
            _slipped("@               IN A     203.0.113.10", "@               IN CNAME www.example.org."),
            "netpath can't work with it",
        ),
        (f"zone = {_ZONE.replace('example.org', 'example.net')!r}", "and this is one of example.net."),
    ),
)
