"""Chapter 2's broken worlds: a dot, a load balancer that is gone, a long no, and a delegation to yesterday.

Each must be mended where it is broken. An address that is written down where a name should stand works today; so the
tests let the load balancer's addresses change, as they do, and see who follows.

Not modelled: how long a change takes to be on all of Route 53's servers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import dns.name
import dns.rdatatype
import dns.zone

from netpath.choice import outcomes
from netpath.exercises.chapter2.places import ask, parsed, question
from netpath.exercises.exercise import Level
from netpath.exercises.outcome import Outcome, right, wrong
from netpath.exercises.repair import Edit, Repair, Test, answers
from netpath.load import shop
from netpath.memory import Memory
from netpath.resolution import Resolution
from netpath.world import World

_RECORDS = "aws/list-resource-record-sets.json"
_ZONE = "zones/example.com.zone"
_COM = "zones/com.zone"

_BALANCER = "shop-alb-1893046252.eu-west-1.elb.amazonaws.com"
_MINE = dns.name.from_text("example.com")
_AMAZONS = dns.name.from_text("eu-west-1.elb.amazonaws.com")
_LATER = "203.0.113.99"  # where the load balancer is after it has moved


# What must hold --------------------------------------------------------------------------------
def _zone(world: World, origin: dns.name.Name) -> dns.zone.Zone | None:
    return next((zone for zone in world.zones if zone.origin == origin), None)


def _with(world: World, old: dns.zone.Zone, text: str) -> World:
    """The world with another text for one of its zones."""
    return replace(world, zones=tuple(parsed(text, old.origin) if zone is old else zone for zone in world.zones))


def _heard(resolution: Resolution) -> str:
    """What a user hears: the addresses in their order by number, or the code."""
    addresses = [str(each) for rrset in resolution.response.answer if rrset.rdtype == dns.rdatatype.A for each in rrset]
    return ", ".join(sorted(addresses)) or resolution.code


def _follow(*names: str) -> Test:
    """A test: these names have the load balancer's addresses, today's and those that it will have."""

    def test(world: World) -> Outcome:
        zone = _zone(world, _AMAZONS)
        if zone != _zone(shop(), _AMAZONS) or zone is None:
            return wrong(f"the zone {_AMAZONS} is Amazon's: nobody but the load balancer writes in it")
        text = zone.to_text(relativize=False).replace("203.0.113.10", _LATER).replace("203.0.113.20", _LATER)
        later = _with(world, zone, text)
        return next((told for name in names if not (told := _follows(name, world, later)).right), right())

    return test


def _follows(name: str, now: World, later: World) -> Outcome:
    today, wanted = _heard(ask(now.names, name, Memory())), _heard(ask(now.names, _BALANCER, Memory()))
    if today != wanted:
        return wrong(f"whoever looks up {name} hears {today}; the load balancer has {wanted}")
    then = _heard(ask(later.names, name, Memory()))
    if then != _LATER:
        return wrong(
            f"{name} is right today; but when the load balancer's addresses change, it still says {then}. A name "
            f"follows it, an address that was written down doesn't"
        )
    return right()


def _as_before(*names: str) -> Test:
    """A test: these names have what they have in the book's world."""

    def test(world: World) -> Outcome:
        for name in names:
            heard, wanted = (_heard(ask(each.names, name, Memory())) for each in (world, shop()))
            if heard != wanted:
                return wrong(f"{name} was right, and now whoever looks it up hears {heard} in place of {wanted}")
        return right()

    return test


# q9: a dot -------------------------------------------------------------------------------------
_DOTTED = f"www                     IN CNAME {_BALANCER}."
_DOTLESS = f"www                     IN CNAME {_BALANCER}\n"
_TOLD, _TOLD_TOO_MUCH = f'"Value": "{_BALANCER}"', f'"Value": "{_BALANCER}.example.com"'


def _www(kind: str, *values: str) -> str:
    """The records of `www` as Route 53 tells them, from their type on."""
    listed = [{"Value": value} for value in values]
    rest = json.dumps({"Type": kind, "TTL": 300, "ResourceRecords": listed}, indent=4)
    return rest.removeprefix("{\n").removesuffix("\n}").replace("\n    ", "\n            ").removeprefix("    ")


q9 = Repair(
    "2.9",
    "www is gone",
    8,
    Level.EASY,
    (
        'What exactly does the name server say to `www.example.com`? `.dig("www.example.com")` shows every name.',
        "How does a master file write a whole name, and how one that is below the zone?",
    ),
    symptom="The zone `example.com` has moved to Route 53; it was brought in from the old provider's master file. "
    'Since then nobody can open `http://www.example.com/`: "the name doesn\'t exist". But it does, everybody can see '
    "it in the console. `http://shop.example.com/` works.\n\nThe zone stands in two files, which must agree: the "
    "master file in `zones/`, and what Route 53 made of it in `aws/list-resource-record-sets.json`.",
    breaks=(Edit(_ZONE, f"{_DOTTED}\n", _DOTLESS), Edit(_RECORDS, _TOLD, _TOLD_TOO_MUCH)),
    cures=(Edit(_ZONE, _DOTLESS, f"{_DOTTED}\n"), Edit(_RECORDS, _TOLD_TOO_MUCH, _TOLD)),
    reasoning="In a master file a name without a final dot is below the zone: `….elb.amazonaws.com` became "
    "`….elb.amazonaws.com.example.com`. So `www` does exist, and is another name of one that doesn't: the NXDOMAIN is "
    "about that one. One dot, and Route 53 has written out what was meant by its absence.",
    tests=(
        answers("http://www.example.com/"),
        _follow("www.example.com"),
        _as_before("shop.example.com", "mail.example.com"),
    ),
    slips=(
        ((Edit(_ZONE, _DOTLESS, f"{_DOTTED}\n"),), "is another one in the master file"),
        (
            (
                Edit(_ZONE, _DOTLESS, "www  IN A 203.0.113.10\nwww  IN A 203.0.113.20\n"),
                Edit(_RECORDS, _www("CNAME", f"{_BALANCER}.example.com"), _www("A", "203.0.113.10", "203.0.113.20")),
            ),
            "an address that was written down doesn't",
        ),
    ),
)


# q10: a load balancer that is gone ----------------------------------------------------------------
def _alias(target: str) -> str:
    """The alias record of shop.example.com, as Route 53 tells it."""
    return f"""            "Name": "shop.example.com.",
            "Type": "A",
            "AliasTarget": {{
                "HostedZoneId": "Z32O12XQLNTSW2",
                "DNSName": "{target}.",
                "EvaluateTargetHealth": true
            }}"""


_GONE = "shop-alb-1307655216.eu-west-1.elb.amazonaws.com"
_PLAIN = """            "Name": "shop.example.com.",
            "Type": "A",
            "TTL": 60,
            "ResourceRecords": [
                {
                    "Value": "203.0.113.10"
                },
                {
                    "Value": "203.0.113.20"
                }
            ]"""

q10 = Repair(
    "2.10",
    "No such name? It's right there",
    8,
    Level.MEDIUM,
    (
        "NXDOMAIN or NODATA? What does the difference say about `shop.example.com`?",
        "An alias record has no addresses of its own. Whose does it hand out, and does that one exist? `aws elbv2 "
        "describe-load-balancers` knows how the load balancer is called today.",
    ),
    symptom="Last night the load balancer was built anew from the templates. This morning `http://shop.example.com/` "
    "can't be opened, nor any preview like `pr-7.preview.example.com`. `http://www.example.com/` and the load "
    'balancer itself are fine. "Then DNS hasn\'t caught up yet", says somebody; that was three hours ago.',
    breaks=(Edit(_RECORDS, _alias(_BALANCER), _alias(_GONE)),),
    cures=(Edit(_RECORDS, _alias(_GONE), _alias(_BALANCER)),),
    reasoning="The alias record still named the old load balancer, and Route 53 finds no addresses there: so it "
    "answers NOERROR with nothing in it. Every template that makes a load balancer anew gives it another name. Had "
    "DNS been slow, the answer would have been an old address, not none.",
    tests=(
        answers("http://shop.example.com/"),
        _follow("shop.example.com", "pr-7.preview.example.com"),
        _as_before("example.com", "direct.example.com", "www.example.com"),
    ),
    slips=(
        ((Edit(_RECORDS, _alias(_GONE), _PLAIN),), "an address that was written down doesn't"),
        (
            (
                Edit(
                    "zones/eu-west-1.elb.amazonaws.com.zone",
                    "shop-alb-1893046252     IN A   203.0.113.20",
                    "shop-alb-1893046252     IN A   203.0.113.20\nshop-alb-1307655216     IN A   203.0.113.10",
                ),
            ),
            "nobody but the load balancer writes in it",
        ),
        (
            (Edit(_RECORDS, _alias(_GONE), _alias(_GONE.replace("13076", "13067"))),),
            "http://shop.example.com/ should end with 200",
        ),
    ),
)


# q11: a long no ------------------------------------------------------------------------------------
def _head(ttl: int, minimum: int) -> str:
    """The zone's SOA record in its master file."""
    return f"{'@':16}{ttl:<8}IN SOA ns-101.awsdns-12.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 {minimum}\n"


def _head_told(ttl: int, minimum: int) -> str:
    """The same as Route 53 tells it."""
    return f""""Type": "SOA",
            "TTL": {ttl},
            "ResourceRecords": [
                {{
                    "Value": "ns-101.awsdns-12.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 {minimum}\""""


_PATIENCE, _FORGETFUL = 300, 30  # seconds
_NEW = "launch.example.com"


def _patient(world: World) -> Outcome:
    """A test: who looks too early sees a new name within five minutes, and a no is remembered all the same."""
    zone = _zone(world, _MINE)
    if zone is None:
        return wrong("the zone example.com is gone")
    memory = Memory()
    told = ask(world.names, _NEW, memory, 0)
    if told.code != "NXDOMAIN":
        return wrong(f"{_NEW} isn't to exist yet, and whoever looks it up hears {told.code}")
    if ask(world.names, _NEW, memory.copy(), _FORGETFUL).exchanges:
        return wrong(
            f"now a no is remembered for less than {_FORGETFUL} s: each slip of a finger comes back to the name "
            f"servers again and again"
        )
    created = _with(world, zone, f"{zone.to_text(relativize=False)}\n{_NEW}. 60 IN A 203.0.113.70\n")
    later = ask(created.names, _NEW, memory, _PATIENCE + 1)
    if later.code == "NOERROR":
        return right()
    left = later.response.authority[0].ttl
    return wrong(
        f"whoever looked up {_NEW} a moment too early still hears {later.code} {_PATIENCE + 1} s later, and is to "
        f"remember that for {left:,} s more"
    )


q11 = Repair(
    "2.11",
    "The launch is always late",
    8,
    Level.MEDIUM,
    (
        "Whoever looked too early remembers a no. For how long, and which record of the zone says so?",
        "The smaller one of two numbers counts: the TTL of the SOA record, and the last number in it.",
    ),
    symptom="Whenever the team launches something, `launch.example.com` is created at nine, with a TTL of 60 seconds. "
    'And each time some of those who have waited for it, and looked a little too early, hear "no such name" for hours, '
    "while their neighbours are in. The launch page must be there for everybody after five minutes at the latest. (A "
    "no must still be remembered, for half a minute at least: there are so many typing errors.)\n\nThe zone stands in "
    "two files, which must agree: `zones/example.com.zone` and `aws/list-resource-record-sets.json`.",
    breaks=(
        Edit(_ZONE, _head(900, 300), _head(86_400, 86_400)),
        Edit(_RECORDS, _head_told(900, 300), _head_told(86_400, 86_400)),
    ),
    cures=(
        Edit(_ZONE, _head(86_400, 86_400), _head(900, 300)),
        Edit(_RECORDS, _head_told(86_400, 86_400), _head_told(900, 300)),
    ),
    reasoning="That there is no such name was to be remembered for the smaller one of 86400 and 86400: a day, in "
    "resolvers that go along with it; unbound stops at an hour. The TTL of the new record has no say in it. Either "
    "number would do: here the last one is 300 again.",
    tests=(_patient, _as_before("shop.example.com", "www.example.com", "mail.example.com", "sh0p.example.com")),
    slips=(
        ((Edit(_ZONE, _head(86_400, 86_400), _head(86_400, 300)),), "is another one in the master file"),
        (
            (
                Edit(_ZONE, _head(86_400, 86_400), _head(900, 0)),
                Edit(_RECORDS, _head_told(86_400, 86_400), _head_told(900, 0)),
            ),
            "a no is remembered for less than 30 s",
        ),
        (
            (
                Edit(_ZONE, _head(86_400, 86_400), _head(900, 1800)),
                Edit(_RECORDS, _head_told(86_400, 86_400), _head_told(900, 1800)),
            ),
            "still hears NXDOMAIN 301 s later",
        ),
    ),
)


# q12: yesterday's server -----------------------------------------------------------------------------
_OLD_ZONE = "zones/old-server.example.com.zone"
_YESTERDAY = """; What the old machine in the cellar still serves: the zone as it was before it went to Route 53.
$ORIGIN example.com.
$TTL 3600
@                       IN SOA ns1.example.com. hostmaster.example.com. 2019031401 7200 900 1209600 3600
@                       IN NS  ns1.example.com.
@                       IN MX  10 mail.example.com.
ns1                     IN A   192.0.2.53
mail                    IN A   203.0.113.25
www                     IN A   203.0.113.5
"""
_DELEGATED = "example         172800  IN NS  ns-612.awsdns-12.net.\n"
_ALSO = f"""{_DELEGATED}example         172800  IN NS  ns1.example.com.
ns1.example     172800  IN A   192.0.2.53
"""
_NAMES = ("shop.example.com", "www.example.com", "mail.example.com", "example.com", "pr-7.preview.example.com")


def _everybody(world: World) -> Outcome:
    """A test: all resolvers hear the same, whichever server they happen to ask."""
    for name in _NAMES:
        wanted = _heard(ask(shop().names, name, Memory()))
        for heard, servers in _by_chance(world, name):
            if heard != wanted:
                return wrong(f"a resolver that happens to ask {servers} for {name} hears {heard}, and not {wanted}")
    return right()


def _by_chance(world: World, name: str) -> Iterable[tuple[str, str]]:
    """All that resolvers may hear of a name, and who said so."""
    for each in outcomes(lambda choose: world.names.resolve(question(name), Memory(), choose)):
        said = [exchange for exchange in each.result.exchanges if exchange.zone == _MINE]
        yield _heard(each.result), str(said[-1].server).rstrip(".") if said else "nobody"


def _delegated(world: World) -> Outcome:
    """A test: com names the servers that the zone itself names, and no others."""
    above, below = _zone(world, dns.name.from_text("com")), _zone(world, _MINE)
    named = [_servers(zone) for zone in (above, below)]
    if named[0] != named[1]:
        return wrong(
            f"com says that example.com is served by {', '.join(sorted(named[0]))}; the zone itself says "
            f"{', '.join(sorted(named[1]))}"
        )
    return right()


def _servers(zone: dns.zone.Zone | None) -> set[str]:
    found = zone.get_rdataset(_MINE, dns.rdatatype.NS) if zone is not None else None
    return {str(each.target).rstrip(".").lower() for each in found or ()}


q12 = Repair(
    "2.12",
    "NXDOMAIN for some",
    12,
    Level.MEDIUM,
    (
        "Some resolvers hear another answer than others. So they don't all ask the same server: which servers may they "
        'ask, and what does each of them say? `.dig(name, at="192.0.2.101")` asks one directly.',
        "Who decides which servers are asked for `example.com`? Not `example.com`.",
    ),
    symptom="Ever since the shop went to Route 53, some customers write that `shop.example.com` doesn't exist, and "
    "others, that `www.example.com` shows the old site. It works for us, and for many. Those who are hit are hit for "
    "an hour, then it may be fine, then again not. In the console of Route 53 everything is as it should be.\n\n"
    '`.dig(name)` shows the resolver of one who is hit. `.dig(name, at="192.0.2.101")` asks one name server directly.',
    breaks=(Edit(_COM, _DELEGATED, _ALSO), Edit(_OLD_ZONE, "", _YESTERDAY)),
    cures=(Edit(_COM, _ALSO, _DELEGATED),),
    reasoning="At the registrar, beside the servers of Route 53, the old one was left: `com` refers to all three, and "
    "a resolver takes one of them. The old machine has a zone of the same name, with an SOA of its own, and answers "
    "from it with all authority; nobody can see from the answer that it is yesterday's. Whoever got it remembers it "
    "for an hour. The delegation is mended in the zone above, and the old server is switched off only when the "
    "delegation's TTL, two days, is over.",
    tests=(_everybody, _delegated),
    slips=(
        (
            (
                Edit(
                    _OLD_ZONE,
                    "www                     IN A   203.0.113.5\n",
                    "www  IN CNAME shop\nshop  IN A   203.0.113.10\nshop  IN A   203.0.113.20\n",
                ),
            ),
            "a resolver that happens to ask ns1.example.com for example.com hears NODATA",
        ),
        ((Edit(_COM, "ns1.example     172800  IN A   192.0.2.53\n", ""),), "ns1.example.com"),
        (
            (
                Edit(
                    _COM,
                    _ALSO,
                    "example         172800  IN NS  ns1.example.com.\nns1.example     172800  IN A   192.0.2.53\n",
                ),
            ),
            "a resolver that happens to ask ns1.example.com",
        ),
    ),
)
