"""Chapter 1's things to build: the door, a route table by arithmetic, and a gateway that remembers.

Each is held against `netpath`'s own, an internet gateway, a VPC's route table and a NAT gateway, with packets that
are drawn anew for each try.

Not modelled: speed. A router decides in nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from netpath.choice import Weights
from netpath.exercises.build import Build, shown
from netpath.exercises.chapter1.places import PROVIDER
from netpath.exercises.exercise import Level
from netpath.exercises.outcome import Outcome, right, wrong
from netpath.nat import OneToOne
from netpath.packet import Address, Endpoint, Hop, Network, address, network, tcp, udp
from netpath.vpc import NatGateway, NatMemory, PrefixList, PrivateAddress, Route, RouteTable, Vpc
from netpath.vpc.filters import RouteIndex
from netpath.vpc.natgateway import inward, outward


def _came(call: str, value: Any, wanted: str) -> Outcome:
    return wrong(f"`{call}` gave `{shown(value)}`, and {wanted}")


# q5: the door ------------------------------------------------------------------------------------
def _try_door(door: Callable[..., Any], chance: Random) -> Outcome:
    """Two hundred packets, out and in, each with a list of its own: pairs come and go."""
    for _ in range(200):
        pairs = _random_pairs(chance)
        way, source, destination = _at_the_door(pairs, chance)
        failed = _passed(door, pairs, way, source, destination)
        if failed is not None:
            return failed
    return right(because="two hundred packets, out and in, are what the model's internet gateway makes of them")


def _random_pairs(chance: Random) -> dict[str, str]:
    insides = chance.sample(range(4, 250), chance.randrange(1, 5))
    outsides = chance.sample(range(4, 250), len(insides))
    return {f"10.0.0.{inside}": f"203.0.113.{outside}" for inside, outside in zip(insides, outsides, strict=True)}


def _at_the_door(pairs: Mapping[str, str], chance: Random) -> tuple[str, str, str]:
    """A packet at the door: most have a pair; one on its way out may be for a public address of our own."""
    stranger, unpaired = f"198.51.100.{chance.randrange(1, 250)}", f"10.0.1.{chance.randrange(4, 250)}"
    if chance.random() < 0.5:
        source = chance.choice([chance.choice(list(pairs)), unpaired])
        return "out", source, chance.choice([stranger, stranger, *pairs.values()])
    return "in", stranger, chance.choice([chance.choice(list(pairs.values())), "203.0.113.1"])


def _passed(door: Callable[..., Any], pairs: dict[str, str], way: str, source: str, destination: str) -> Outcome | None:
    """What is wrong with a packet that went through; None if nothing is."""
    given = door(dict(pairs), way, source, destination)
    gateway = OneToOne({address(inside): address(public) for inside, public in pairs.items()})
    packet = tcp(f"{source}:40000", f"{destination}:80")
    sent = gateway.outward(packet) if way == "out" else gateway.inward(packet)
    wanted = (str(sent.source.address), str(sent.destination.address)) if sent else None
    if (tuple(given) if isinstance(given, list) else given) == wanted:
        return None
    call = f"door({pairs}, {way!r}, {source!r}, {destination!r})"
    return _came(call, given, _expected_at_the_door(way, source, destination, wanted))


def _expected_at_the_door(way: str, source: str, destination: str, wanted: tuple[str, str] | None) -> str:
    if wanted is not None:
        old, new = (source, wanted[0]) if way == "out" else (destination, wanted[1])
        return f"it is `{wanted}`: on the way {way}, {old} becomes {new}, and nothing else changes"
    end = f"the source {source}" if way == "out" else f"the destination {destination}"
    code = "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS" if way == "out" else "NO_SUCH_PUBLIC_ADDRESS"
    return f"it is `None`: {end} is in no pair, so the packet gets no further ({code})"


q5 = Build(
    "1.5",
    "The door",
    6,
    Level.EASY,
    (
        "Which end of a packet is one of ours depends on the way that it goes.",
        "The chapter's `through_the_door` looks at both ends, and a pair for either will do. Here you are told which "
        "way it is, and one end counts.",
    ),
    task="Write an internet gateway. `pairs` has a public address for some private ones; `way` is `'out'` or `'in'`; "
    "source and destination are addresses as texts. Give back what both are beyond the door, as a tuple, or `None` if "
    "there is no pair for this packet: then it is dropped. On the way out the source is replaced and nothing else, on "
    "the way in the destination. The list is another one each time: a gateway remembers nothing.",
    stub="""
    def door(pairs, way, source, destination):
        ...
    """,
    answer="""
    def door(pairs, way, source, destination):
        if way == "out":
            return (pairs[source], destination) if source in pairs else None
        inside = {public: private for private, public in pairs.items()}
        return (source, inside[destination]) if destination in inside else None
    """,
    reasoning="That is all. There is no port in it, no table that grows, and no choice: the answer to a packet is "
    "translated back because the pair says so, even if the gateway was made a second ago.",
    judge=_try_door,
    slips=(
        (
            """
            def door(pairs, way, source, destination):
                inside = {public: private for private, public in pairs.items()}
                return pairs.get(source, source), inside.get(destination, destination)
            """,
            "gave `(",
        ),
        (
            """
            def door(pairs, way, source, destination):
                if way == "out":
                    return pairs.get(source, source), destination
                inside = {public: private for private, public in pairs.items()}
                return (source, inside[destination]) if destination in inside else None
            """,
            "is in no pair, so the packet gets no further (IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS)",
        ),
        (
            """
            def door(pairs, way, source, destination):
                if way == "out":
                    return (pairs[source], destination) if source in pairs else None
                return (source, pairs[destination]) if destination in pairs else None
            """,
            "and nothing else changes",
        ),
    ),
)


# q6: the longest prefix --------------------------------------------------------------------------
_VPC = Vpc("vpc-1", (network("10.0.0.0/16"),))
_TARGETS = ("igw-1", "nat-1", "pcx-1", "pcx-2", "pcx-3", "eni-1")


def _try_table(route: Callable[..., Any], chance: Random) -> Outcome:
    """Forty tables, and of each some destinations."""
    for _ in range(40):
        routes, near = _random_routes(chance)
        index = RouteIndex(RouteTable("rtb-1", "vpc-1", routes), _VPC, PrefixList, lambda route, vpc_id: "")
        for _ in range(4):
            destination = near ^ chance.getrandbits(chance.randrange(33))
            failed = _looked_up(route, index, routes, destination, chance)
            if failed is not None:
                return failed
    return right(because="160 packets went where the model's route table sends them")


def _random_routes(chance: Random) -> tuple[tuple[Route, ...], int]:
    """A VPC's own route and some more, several of them one inside the other; and an address in most of these."""
    inside, anywhere = int(address("10.0.0.0")) + chance.getrandbits(16), chance.randrange(1 << 24, 224 << 24)
    near = chance.choice([inside, anywhere])
    lengths = {*chance.sample(range(1, 33), 3), *([0] if chance.random() < 0.7 else [])}
    blocks = {Network((near >> 32 - length << 32 - length, length)) for length in lengths} - set(_VPC.cidr_blocks)
    targets = chance.sample(_TARGETS, len(blocks))
    more = [Route(block, target) for block, target in zip(sorted(blocks), targets, strict=True)]
    routes = [Route(_VPC.cidr_blocks[0], "local"), *more]
    return tuple(chance.sample(routes, len(routes))), near


def _looked_up(
    route: Callable[..., Any], index: RouteIndex, routes: tuple[Route, ...], destination: int, chance: Random
) -> Outcome | None:
    """What is wrong with where a packet was sent; None if nothing is."""
    table = [(int(block.network_address), block.prefixlen, each.target) for each in routes if (block := _block(each))]
    given = route(list(table), destination)
    routing = index.decide(destination)
    wanted = routing.route.target if routing.route else None
    if given == wanted:
        return None
    why = next((step.why for step in routing.steps if step.matched), "no route contains it (NO_ROUTE_TO_DESTINATION)")
    written = ", ".join(f"{_block(each)} -> {each.target}" for each in routes)
    return wrong(
        f"a packet for {Address(destination)} was sent to `{shown(given)}`, and it goes to `{wanted!r}`: {why}. "
        f"The table, in words: {written}"
    )


def _block(route: Route) -> Network:
    assert isinstance(route.destination, Network), "made so"
    return route.destination


q6 = Build(
    "1.6",
    "As a router reads it",
    8,
    Level.MEDIUM,
    (
        "Two addresses have the same first n bits if they are equal once the other 32 − n bits are shifted out.",
        "Collect the routes that contain the destination, then take the one with the greatest length. There may be "
        "none.",
    ),
    task="To a router an address is a number of 32 bits, and it has neither texts nor a module for them. Write its "
    "table. `table` is a list of routes, each a tuple of a block's first address (a number), its length (0 to 32) and "
    "a target; `destination` is a number. Give back the target of the most specific route that contains the "
    "destination, or `None`. The routes are in no order.",
    stub="""
    def route(table, destination):
        ...
    """,
    answer="""
    def route(table, destination):
        fitting = [
            (length, target)
            for first, length, target in table
            if first >> (32 - length) == destination >> (32 - length)
        ]
        return max(fitting)[1] if fitting else None
    """,
    reasoning="Of the blocks that contain one address no two have the same length, so the greatest length decides "
    "alone. For the default route everything is shifted out, and nothing equals nothing: it contains every address.",
    judge=_try_table,
    slips=(
        (
            """
            def route(table, destination):
                for first, length, target in table:
                    if first >> (32 - length) == destination >> (32 - length):
                        return target
            """,
            "is in",
        ),
        (
            """
            def route(table, destination):
                fitting = [(length, target) for first, length, target in table
                           if first >> (32 - length) == destination >> (32 - length)]
                return min(fitting)[1] if fitting else None
            """,
            "the longest prefix",
        ),
        (
            """
            def route(table, destination):
                below = [(first, target) for first, length, target in table if first <= destination]
                return max(below)[1] if below else None
            """,
            "a packet for",
        ),
    ),
)


# q7: a gateway that remembers --------------------------------------------------------------------
_OWN = "10.0.0.200"
_GATEWAY = NatGateway("nat-1", "subnet-1", (PrivateAddress(address(_OWN)),))
_CALLERS = ("10.0.33.12", "10.0.32.11")
_SERVERS = ((PROVIDER, 80), (PROVIDER, 443), ("192.0.2.7", 80))
End = tuple[str, int]
Ends = tuple[End, End]
Known = dict[Ends, Ends]  # connections as they began, and as the far side sees them


def _try_gateway(gateway: Callable[..., Any], chance: Random) -> Outcome:
    """Two hundred packets through one gateway: calls, the same again, answers, and what nobody asked for."""
    table: dict[Any, Any] = {}
    memory = NatMemory()
    known: Known = {}
    for _ in range(200):
        way, source, destination = _at_the_gateway(known, chance)
        given = _plain(gateway(table, way, source, destination))
        hop = _model(memory, way, source, destination, given)
        failed = _differs(way, source, destination, given, hop, known)
        if failed is not None:
            return failed
        if way == "out":
            known[source, destination] = given
    return right(because="two hundred packets, and the model's NAT gateway had done the same with each")


def _at_the_gateway(known: Known, chance: Random) -> tuple[str, End, End]:
    """A packet: from inside, a call or one more of it; from outside, an answer or what nobody waits for."""
    if not known or chance.random() < 0.4:
        return "out", (chance.choice(_CALLERS), chance.randrange(40000, 40008)), chance.choice(_SERVERS)
    began, seen = chance.choice(list(known.items()))
    mine, server = seen
    others = [each for each in _SERVERS if (mine, each) not in known.values()]
    back = [(server, mine), (server, mine), (server, (_OWN, 999)), *((other, mine) for other in others)]
    return chance.choice([("out", *began), *(("back", *each) for each in back)])


def _plain(given: Any) -> Any:
    """Lists as tuples: whoever writes brackets means the same."""
    return tuple(map(_plain, given)) if isinstance(given, (list, tuple)) else given


def _is_ends(given: Any) -> bool:
    """Whether it is two ends, each an address and a port."""
    return isinstance(given, tuple) and len(given) == 2 and all(_is_end(each) for each in given)


def _is_end(each: Any) -> bool:
    fits = isinstance(each, tuple) and len(each) == 2 and isinstance(each[0], str) and type(each[1]) is int
    return fits and 0 <= each[1] <= 65535


def _model(memory: NatMemory, way: str, source: End, destination: End, given: Any) -> Hop:
    """What the model's gateway does with the packet, if chance gives it the port that the reader took."""
    packet = udp("{}:{}".format(*source), "{}:{}".format(*destination))
    if way == "back":
        return inward(memory, _GATEWAY, packet, 0.0)
    port = given[0][1] if _is_ends(given) else 0

    def choose(question: str, weights: Weights, /) -> int:
        return port if port in weights else weights[0]  # type: ignore[return-value]

    return outward(memory, _GATEWAY, packet, 0.0, choose)


def _differs(way: str, source: End, destination: End, given: Any, hop: Hop, known: Known) -> Outcome | None:
    """What is wrong with what the reader's gateway did; None if nothing is."""
    wanted = None if hop.sent is None else (_end(hop.sent.source), _end(hop.sent.destination))
    if given == wanted:
        return None
    call = f"gateway(table, {way!r}, {source}, {destination})"
    if given is not None and not _is_ends(given):
        return _came(call, given, "two ends are expected, each an address and a port, or `None`")
    if wanted is None:
        return _came(call, given, f"it is `None`: no connection of the table waits for that ({hop.verdict.code})")
    if given is None:
        return _came(call, given, f"it is not to be dropped: {_because(way)}")
    return _came(call, given, _mistaken(way, given, wanted, known.get((source, destination))))


def _end(end: Endpoint) -> End:
    return str(end.address), end.port


def _because(way: str) -> str:
    return "what comes from inside goes out" if way == "out" else "it answers a connection that is in the table"


def _mistaken(way: str, given: Ends, wanted: Ends, before: Ends | None) -> str:
    """Why these ends are the wrong ones."""
    if way == "back":
        return f"it is `{wanted}`: the answer goes to whoever began that connection, and its source stays"
    if given[1] != wanted[1]:
        return f"the destination stays as it is, {wanted[1]}"
    if given[0][0] != _OWN:
        return f"whatever goes out has the gateway's own address, {_OWN}"
    if before is not None:
        return f"a connection keeps its port: this one went out as {before[0]} before"
    if given[0][1] < 1024:
        return "the port is one of 1024 to 65535"
    return "another connection to the same destination has that port already: nobody could tell their answers apart"


q7 = Build(
    "1.7",
    "A gateway that remembers",
    15,
    Level.HARD,
    (
        "Write down each connection as its answer will come: from which end, to which end. Beside it, who began it.",
        "A connection that is in the table keeps its port. A new one takes the first port that no other connection to "
        "the same destination has.",
        "An answer belongs to a connection only if both of its ends do. Whoever else calls that port isn't waited for.",
    ),
    task=f"Write a NAT gateway with the address {_OWN}. An end is a tuple like `('10.0.33.12', 40000)`: an address and "
    "a port. `way` is `'out'` for a packet from inside and `'back'` for one from outside; `table` is a dictionary of "
    "yours, empty at first and the same one for every packet. Give back the ends that the packet leaves with, source "
    "and destination, or `None` if you drop it.\n\n"
    "What goes out gets the gateway's own address and a port of 1024 to 65535, which its connection keeps. No two "
    "connections to the same destination may look alike from outside. What comes back goes to whoever began that very "
    "connection, and if nobody did, it is dropped.",
    stub="""
    def gateway(table, way, source, destination):
        ...
    """,
    answer=f"""
    def gateway(table, way, source, destination):
        if way == "back":
            return (source, table[source, destination]) if (source, destination) in table else None
        for (server, mine), caller in table.items():
            if (caller, server) == (source, destination):
                return mine, destination
        mine = ("{_OWN}", 1024)
        while (destination, mine) in table:
            mine = ("{_OWN}", mine[1] + 1)
        table[destination, mine] = source
        return mine, destination
    """,
    reasoning="The key of the table is the answer as it will come: its source, its destination. So the answer needs "
    "one look, and a packet that is no answer finds nothing. The same port may serve connections to different "
    "destinations, which is why one address is enough for so many. A real gateway also forgets, after 350 idle "
    "seconds.",
    judge=_try_gateway,
    slips=(
        (
            f"""
            def gateway(table, way, source, destination):
                if way == "back":
                    return (source, table[source, destination]) if (source, destination) in table else None
                mine = ("{_OWN}", source[1])
                table[destination, mine] = source
                return mine, destination
            """,
            "another connection to the same destination has that port already",
        ),
        (
            f"""
            def gateway(table, way, source, destination):
                if way == "back":
                    return (source, table[destination]) if destination in table else None
                mine = next((mine for mine, caller in table.items() if caller == source), None)
                if mine is None:
                    mine = ("{_OWN}", 1024 + len(table))
                    table[mine] = source
                return mine, destination
            """,
            "no connection of the table waits for that (NAT_GATEWAY_NO_CONNECTION)",
        ),
        (
            f"""
            def gateway(table, way, source, destination):
                if way == "back":
                    return (source, table[source, destination]) if (source, destination) in table else None
                mine = ("{_OWN}", 1024 + len(table))
                table[destination, mine] = source
                return mine, destination
            """,
            "a connection keeps its port",
        ),
        (
            "def gateway(table, way, source, destination):\n    return source, destination",
            "has the gateway's own address",
        ),
        ("def gateway(table, way, source, destination):\n    return 7", "two ends are expected"),
    ),
)
