"""Chapter 1's predictions: who is seen, which route decides, what becomes of a call, how many connections there are.

Not modelled: the time that it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from random import Random

from netpath.exercises.chapter1.places import (
    CALLING_BACK,
    DOOR,
    INSIDE,
    LONGEST,
    NAT,
    NODE,
    NOT_ENOUGH,
    ONE_FOR_ONE,
    PROVIDER,
    SPACES,
    THURSDAY,
    WAY_IN,
)
from netpath.exercises.chapter1.worlds import PUBLIC, begun, declares, short, tables, who, worlds
from netpath.exercises.exercise import Level
from netpath.exercises.misconceptions import ONE_PACKET
from netpath.exercises.outcome import See
from netpath.exercises.parts import region
from netpath.exercises.predict import Form, Predict, Slip, Variant, slips
from netpath.fabric import Trip, round_trip, send
from netpath.journey import Journey, travel
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import Address, Hop, Network, address, http_request, network, tcp
from netpath.vpc import PrefixList, Route, RouteTable, Vpc
from netpath.vpc.filters import RouteIndex
from netpath.world import World

_USER = "198.51.100.23"


# q1: who is seen ---------------------------------------------------------------------------------
_SEES: dict[str, See] = {"node": NODE, "NAT gateway": NAT, "internet gateway": DOOR}


def _seen(draw: Random) -> Variant:
    """A call or an answer, and somebody who gets it, or sees it pass."""
    world = worlds()[draw.choice(["book", "book", "one gateway", "public nodes"])]
    pods = [str(each) for each in world.pods]
    nodes = [str(each.node.address) for each in world.nodes.values()]
    balancers = [str(each.address) for each in world.load_balancers[0].nodes]
    kind = draw.choice(["out", "out", "out", "in", "in", "answer"])
    if kind == "out":
        return _seen_outside(draw, world, draw.choice([*pods, *pods, *nodes]))
    if kind == "answer":
        return _seen_answering(world, draw.choice(balancers), draw.choice([_USER, "192.0.2.7"]))
    called = draw.choice([each for each in pods if declares(world, each)])
    return _seen_inside(world, draw.choice([*balancers, *nodes, *(each for each in pods if each != called)]), called)


def _seen_outside(draw: Random, world: World, caller: str) -> Variant:
    trip = send(world, Memory(), tcp(f"{caller}:40000", f"{PROVIDER}:80"))
    assert trip.packet is not None, "all of them get out"
    watched = draw.choice(
        [None, None, *(hop for hop in trip.hops if hop.station in ("NAT gateway", "internet gateway"))]
    )
    watcher = f"the {watched.station}" if watched else "the provider"
    seen = watched.received if watched else trip.packet
    assert seen is not None, "it got there"
    answer = str(seen.source.address)
    mistakes = [*_rungs(trip, answer, watcher), *_other_gateways(world, trip), *_itself(world, caller)]
    return Variant(
        f"{tables(world)}\n{begun(who(world, caller))} opens a connection to the payment provider, {PROVIDER}. "
        f"From which address does {watcher} see it come?",
        answer,
        _rewritten(trip, watched),
        slips(Form.ADDRESS, answer, *mistakes),
        Form.ADDRESS,
    )


def _seen_inside(world: World, caller: str, called: str) -> Variant:
    trip = send(world, Memory(), tcp(f"{caller}:40000", f"{called}:8080"))
    assert trip.packet is not None, "all of them get there"
    answer = str(trip.packet.source.address)
    nodes = [world.nodes[name].node for end in (caller, called) if (name := world.where(address(end)).node)]
    gateways = [each.addresses[0] for each in region(world).nat_gateways]
    not_out = "a node rewrites what leaves the VPC, and this doesn't."
    no_gateway = "no NAT gateway is on this way: the route is `local`."
    mistakes = [
        *(Slip(str(each.address), not_out, "", INSIDE) for each in nodes),
        *(Slip(str(each.address), no_gateway, "", INSIDE) for each in gateways),
        Slip(called, "that is where it goes, not where it comes from.", "", SPACES),
    ]
    return Variant(
        f"{tables(world)}\n{begun(who(world, caller))} opens a connection to {who(world, called)} port 8080. "
        "From which address does that pod see it come?",
        answer,
        f"{_rewritten(trip)} Both ends are in the VPC's own block, 10.0.0.0/16, so the route is `local`, from a public "
        "subnet as from a private one; and a node lets be what stays in the VPC.",
        slips(Form.ADDRESS, answer, *mistakes),
        Form.ADDRESS,
    )


def _seen_answering(world: World, balancer: str, user: str) -> Variant:
    """What a user sees an answer come from."""
    called = region(world).one_to_one(region(world).vpcs[0].vpc_id).public[address(balancer)]
    _, back = round_trip(world, Memory(), tcp(f"{user}:40000", f"{called}:80"))
    assert back is not None and back.packet is not None, "it is answered"
    pod = next(str(each) for each in world.pods if declares(world, str(each)))
    mistakes = [
        Slip(balancer, "a private address leads nowhere out there: the door put its pair in place.", "", ONE_FOR_ONE),
        Slip(pod, "the pod answered somebody, but on another connection, which isn't the user's.", ONE_PACKET, WAY_IN),
        *_other_gateways(world, back),
        Slip(user, "that is where the answer goes, not where it comes from.", "", ONE_FOR_ONE),
    ]
    answer = str(back.packet.source.address)
    return Variant(
        f"{tables(world)}\nThe user {user} has opened the shop at {called}, the load balancer's node {balancer}. The "
        f"page was made by a pod, {pod}. From which address does the user's machine see the answer's packets come?",
        answer,
        f"{_rewritten(back)} It has to be the address that was called: a machine that called {called} makes nothing of "
        "an answer from anybody else.",
        slips(Form.ADDRESS, answer, *mistakes),
        Form.ADDRESS,
    )


def _rewritten(trip: Trip, until: Hop | None = None) -> str:
    """Who rewrote the source on a packet's way, up to a box."""
    hops = trip.hops[: trip.hops.index(until)] if until else trip.hops
    parts = [f"the {hop.station} rewrites {before} to {after}" for hop in hops for before, after in _swaps(hop)]
    return begun("; ".join(parts)) + "." if parts else "Nobody on this way rewrites the source."


def _swaps(hop: Hop) -> list[tuple[str, str]]:
    """The source before and after a box, if that rewrote it."""
    if hop.received is None or hop.sent is None or hop.received.source.address == hop.sent.source.address:
        return []
    return [(str(hop.received.source.address), str(hop.sent.source.address))]


def _rungs(trip: Trip, answer: str, watcher: str) -> list[Slip]:
    """The other addresses that the packet has on its way."""
    found, passed = [], False
    for hop in trip.hops:
        for before, after in _swaps(hop):
            passed = passed or before == answer
            late = f"that is what the {hop.station} makes of it; asked is what {watcher} gets."
            early = f"that is its source until the {hop.station} rewrites it."
            found.append(Slip(after, late, "", DOOR) if passed else Slip(before, early, "", _SEES[hop.station]))
    return found


def _other_gateways(world: World, trip: Trip) -> list[Slip]:
    """The public addresses of gateways that this packet doesn't meet."""
    met = {hop.at for hop in trip.hops}
    away = "and the route table of the subnet that it sets out from doesn't lead there."
    return [
        Slip(
            str(gateway.addresses[0].public_ip),
            f"that belongs to {short(gateway.nat_gateway_id)}, {away}",
            "",
            THURSDAY,
        )
        for gateway in region(world).nat_gateways
        if gateway.nat_gateway_id not in met
    ]


def _itself(world: World, caller: str) -> list[Slip]:
    """The caller, a node that somebody else comes after, and whom it calls."""
    node = world.nodes[world.where(address(caller)).node].node
    return [
        Slip(caller, "that is its own address, and somebody on the way rewrites it.", "", SPACES),
        Slip(str(node.address), "that is the node's, and it isn't the last that rewrites the source.", "", NODE),
        Slip(PROVIDER, "that is where it goes, not where it comes from.", "", SPACES),
    ]


q1 = Predict(
    "1.1",
    "Who do they see?",
    4,
    Level.EASY,
    (
        "Does the packet leave the VPC? If it doesn't, nobody rewrites it.",
        "Which boxes rewrite the source, in their order? A pod's node, a NAT gateway if the route leads to one, the "
        "door.",
        "Each of these sees what the one before it has made of the packet.",
    ),
    make=_seen,
    otherwise="no box on this way puts that address into the packet. Follow it: who sends it, the node, the route, the "
    "door.",
)


# q2: which route decides -------------------------------------------------------------------------
_VPC = Vpc("vpc-1", (network("10.0.0.0/16"),))
_INNER = ("pcx-1", "pcx-2", "tgw-1", "vgw-1")
_NONE = "none of them: it is dropped"


def _decides(draw: Random) -> Variant:
    destination, routes = _drawn_table(draw)
    index = RouteIndex(RouteTable("rtb-1", "vpc-1", routes), _VPC, PrefixList, _fault)
    routing = index.decide(int(destination))
    winner = next((step for step in routing.steps if step.matched), None)
    answer = _line(winner.rule) if winner else _NONE
    whys = {_line(step.rule): step.why for step in routing.steps if not step.matched}
    mistakes = [Slip(line, _why_not(line, why, destination), "", LONGEST) for line, why in whys.items()]
    dead = routing.verdict.code == "BAD_STATE_ROUTE"
    none = "there is a route that contains the destination."
    if dead:
        none = "the most specific route decides, even if all that comes of it is that the packet is dropped."
    return Variant(
        f"A packet for {destination} comes to this route table. Which line decides what becomes of it?",
        answer,
        (f"{begun(winner.why)}." if winner else f"No block contains {destination}.")
        + (" It leads nowhere, so the packet is dropped: the next best route isn't asked." if dead else ""),
        slips(Form.CHOICE, answer, *mistakes, Slip(_NONE, none, "", LONGEST)),
        options=(*(_line(f"rtb-1 {route}") for route in routes), _NONE),
    )


def _fault(route: Route, vpc_id: str) -> str:
    return "" if route.state == "active" else f"its state is {route.state}"


def _line(rule: str) -> str:
    """A route as an option; of its state only what isn't as usual is said."""
    return rule.removeprefix("rtb-1 ").removesuffix(" (active)")


def _why_not(line: str, why: str, destination: Address) -> str:
    if "more specific" in why:
        return f"{why}: the longest prefix wins, wherever it stands in the table."
    block = Network(line.partition(" ")[0])
    return f"{destination} is not in that block, which reaches from {block[0]} to {block[-1]}."


_BLOCKS = ("10.0.0.0/16", "10.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "198.51.100.0/24")


def _drawn_table(draw: Random) -> tuple[Address, tuple[Route, ...]]:
    """A destination, and a table in which several routes contain it, or nearly."""
    block = network(draw.choices(_BLOCKS, (1, 2, 2, 2, 2))[0])
    near, local = int(block[0]) + draw.getrandbits(32 - block.prefixlen), block in _VPC.cidr_blocks
    routes = {_VPC.cidr_blocks[0]: "local"}
    if draw.random() < 0.7:
        routes[network("0.0.0.0/0")] = draw.choice(["igw-1", "nat-1"])
    lengths = [8, 12] if local else list(range(block.prefixlen, min(29, block.prefixlen + 12)))
    for length in draw.sample(lengths, draw.choice([1, 2, 2]) if local else draw.choice([1, 2, 3, 3])):
        spot = near if local or length == block.prefixlen or draw.random() < 0.6 else near ^ 1 << 32 - length
        routes.setdefault(Network((spot >> 32 - length << 32 - length, length)), draw.choice(_INNER))
    dead = {each for each, target in routes.items() if target in _INNER and draw.random() < 0.4}
    lines = [Route(each, target, "blackhole" if each in dead else "active") for each, target in routes.items()]
    return Address(near), tuple(draw.sample(lines, len(lines)))


q2 = Predict(
    "1.2",
    "The line that decides",
    3,
    Level.EASY,
    (
        "First strike out every block that doesn't contain the destination. Then take the longest prefix of the rest.",
        "A /20 leaves 12 bits, so it spans 16 numbers of the third part: 10.64.16.0/20 ends with 10.64.31.255.",
    ),
    make=_decides,
    otherwise="find the blocks that contain the destination, and of these the longest prefix.",
)


# q3: what becomes of a call ----------------------------------------------------------------------
_ANSWERED = "somebody answers, and the answer arrives"
_UNKNOWN = "nobody outside knows a way to that address"
_AT_NAT = "it gets to a NAT gateway, and no further"
_AT_DOOR = "it gets to the internet gateway on its way out, and no further"
_EMPTY = "it stays in the VPC, where nobody has that address"
_ONE_WAY = "it arrives, and the answer to it is lost"
_FATES = (_ANSWERED, _UNKNOWN, _AT_NAT, _AT_DOOR, _EMPTY, _ONE_WAY)
_BY_CODE = {
    "NO_SUCH_PUBLIC_ADDRESS": _UNKNOWN,
    "NAT_GATEWAY_NO_CONNECTION": _AT_NAT,
    "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS": _AT_DOOR,
    "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS": _AT_DOOR,
    "NO_POSSIBLE_DESTINATION": _EMPTY,
}
_WHY = {
    "NO_SUCH_PUBLIC_ADDRESS": "Out there only public addresses lead anywhere, and nobody has this one as theirs.",
    "NAT_GATEWAY_NO_CONNECTION": "The address is a NAT gateway's. It lets in answers alone, and this is the answer to "
    "no connection in its table.",
    "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS": "The route leads straight to the door, and there is no pair for the source "
    "that the packet has by then, its node's address.",
    "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS": "It isn't in 10.0.0.0/16, so the default route takes it out; but "
    "it is a private address, and the internet gateway sends nothing to those.",
    "NO_POSSIBLE_DESTINATION": "It is in 10.0.0.0/16, so the route is `local`; and no interface has that address.",
    "NAT_GATEWAY_IDLE_TIMEOUT": "The pair at the door lets it in. The answer goes by the route table of a private "
    "subnet, to a NAT gateway that knows nothing of this connection.",
}
_WRONG = {  # what was said: why it isn't so, and where to read on
    _ANSWERED: ("follow it box by box, and then the answer: one of the two doesn't get through.", CALLING_BACK),
    _UNKNOWN: ("either it doesn't go out there, or a pair at the door makes that address known.", SPACES),
    _AT_NAT: ("no NAT gateway stops it: none is called itself, and on the way out it lets everything pass.", NAT),
    _AT_DOOR: (
        "on the way out the door needs a pair for the source, and this has one, or doesn't go out.",
        ONE_FOR_ONE,
    ),
    _EMPTY: ("either it doesn't stay in the VPC, or somebody there does have the address.", INSIDE),
    _ONE_WAY: ("the answer would come back by the same boxes: look whether the call itself arrives.", NOT_ENOUGH),
}


_OUTSIDE = (_USER, "192.0.2.7", PROVIDER)
_PODS_A = ("10.0.34.102", "10.0.34.103", "10.0.35.111", "10.0.35.113")
_PODS_B = ("10.0.50.121", "10.0.50.122", "10.0.51.131")
_ALL = ("book", "one gateway", "public nodes", "address alone")
_CALLS: tuple[tuple[Sequence[str], Sequence[str], Sequence[str]], ...] = (  # in which worlds, who calls, whom
    (_ALL, _OUTSIDE, ("203.0.113.10:80", "203.0.113.20:80")),
    (_ALL, _OUTSIDE, ("203.0.113.30:80", "203.0.113.31:80")),
    (_ALL, _OUTSIDE, ("10.0.0.25:80", "10.0.35.112:8080", "203.0.113.99:80")),
    *[(("address alone", "address alone", "public nodes"), _OUTSIDE, (f"{PUBLIC}:30080",))] * 2,
    (_ALL, (*_PODS_A, *_PODS_B), ("10.0.50.123:8080", "10.0.60.9:8080", "10.0.37.7:8080")),
    (_ALL, (*_PODS_A, *_PODS_B), ("10.1.2.3:80", "172.16.0.9:80", f"{PROVIDER}:80")),
    (_ALL, (*_PODS_A, *_PODS_B), ("203.0.113.10:80", "203.0.113.30:80")),
    (("door alone",), _PODS_A, (f"{PROVIDER}:80", "203.0.113.10:80")),
    (("door alone",), (*_PODS_A, *_PODS_B), (f"{PROVIDER}:80",)),
)


def _fate(draw: Random) -> Variant:
    names, callers, wished = draw.choice(_CALLS)
    world, caller = worlds()[draw.choice(names)], draw.choice(callers)
    called = draw.choice(wished)
    out, back = round_trip(world, Memory(), tcp(f"{caller}:40000", called))
    return _ended(world, called, out, back)


def _ending(out: Trip, back: Trip | None) -> str:
    if out.arrived:
        return _ANSWERED if back is not None and back.arrived else _ONE_WAY
    return _BY_CODE[out.verdict.code]


def _ended(world: World, called: str, out: Trip, back: Trip | None) -> Variant:
    answer = _ending(out, back)
    far = {_AT_DOOR, _EMPTY} if str(out.sent.source.address) in _OUTSIDE else {_UNKNOWN}  # few will think of these
    wrongs = [Slip(each, because, "", see) for each, (because, see) in _WRONG.items() if each not in far]
    if answer == _ONE_WAY:
        wrongs.insert(0, Slip(_AT_NAT, "the answer ends there. The call itself arrives.", "", NOT_ENOUGH))
    code = (back if out.arrived and back else out).verdict.code
    return Variant(
        f"{tables(world)}\n{begun(who(world, str(out.sent.source.address)))} calls {called.replace(':', ', port ')}. "
        "The security groups would let it pass. What becomes of the call?",
        answer,
        _answered(out) if answer == _ANSWERED else _WHY[code],
        slips(Form.CHOICE, answer, *wrongs),
        options=_FATES,
    )


def _answered(out: Trip) -> str:
    assert out.place is not None and out.packet is not None, "it arrived"
    there = f"It ends at {out.packet.destination.address} ({out.place.kind})."
    if not any(hop.station == "internet gateway" for hop in out.hops):
        return f"{there} Both are in the VPC: the route is `local`, there and back."
    return f"{there} Whoever translated the call translates the answer back, and the routes lead there."


q3 = Predict(
    "1.3",
    "What becomes of the call?",
    4,
    Level.MEDIUM,
    (
        "In which space does the caller stand, and does the address mean anything there?",
        "Whoever comes in needs a pair at the door. Whoever goes out needs a pair for the source that the packet has "
        "by then.",
        "If it arrives: the answer asks the route table of the subnet that it sets out from.",
    ),
    make=_fate,
    otherwise="follow the call box by box, then the answer.",
)


# q4: one packet? ---------------------------------------------------------------------------------
_RULES = """```
load balancer, listener on port 80
  shop.example.com /old-cart*  redirect to /cart
  direct.example.com           to the pods of cart, by their own addresses
  *.example.com                to the ingress controller, by a NodePort
  anything else                404, by itself
```
"""
_SHOP, _DIRECT = "http://shop.example.com", "http://direct.example.com"
_URLS = (  # by about how many ask further, for chance to choose evenly; the model counts
    (f"{_SHOP}/old-cart", f"{_SHOP}/old-cart/2", "http://203.0.113.10/cart", "http://203.0.113.20/", "pod", "NodePort"),
    (f"{_DIRECT}/cart", f"{_DIRECT}/", f"{_DIRECT}/cart/items"),
    (f"{_SHOP}/", f"{_SHOP}/cart", f"{_SHOP}/cart/items", "http://www.example.com/", "http://www.example.com/cart"),
)
_FEWER = "whoever ends a connection and asks somebody else opens one of their own."
_MORE = "nobody asks further here: whoever got the last of the connections answered by itself."


@cache
def _opened(url: str, caller: str) -> Journey:
    return travel(shop(), Memory(), http_request(url), user=address(caller))


def _counted(draw: Random) -> Variant:
    """A request, and the connections that it takes."""
    world = shop()
    caller = draw.choice([_USER, _USER, "10.0.35.113", "10.0.50.122"])
    pod = draw.choice([str(each) for each in world.pods if declares(world, str(each)) and str(each) != caller])
    url = draw.choice([each for each in draw.choice(_URLS) if caller != _USER or "." in each])
    url = {"pod": f"http://{pod}:8080/cart", "NodePort": "http://10.0.32.11:30080/cart"}.get(url, url)
    journey = _opened(url, caller)
    count = len(journey.connections)
    boxes = {(hop.station, hop.at) for each in journey.connections for hop in each.out.hops if hop.rewrites}
    chain = "; ".join(f"{each.client} calls {each.server}" for each in journey.connections)
    passed_on = "gateways and nodes rewrite the packets of a connection and pass them on. They open none."
    mistakes = [
        Slip("1", f"no single packet makes all of this way: {_FEWER}", ONE_PACKET, WAY_IN),
        *(Slip(str(each), _FEWER if each < count else _MORE, "", WAY_IN) for each in (2, 3)),
        Slip(str(count + len(boxes)), passed_on, "", WAY_IN),
    ]
    return Variant(
        f"{_RULES}\n{begun(who(world, caller))} opens `{url}`, and gets {journey.outcome}. How many TCP connections "
        "has that taken, from the first packet to this answer?",
        str(count),
        f"One after another: {chain}. Only the first comes from {caller}."
        if count > 1
        else f"That is all: {chain}, which answers by itself.",
        slips(Form.NUMBER, str(count), *mistakes),
        Form.NUMBER,
    )


q4 = Predict(
    "1.4",
    "One packet?",
    3,
    Level.MEDIUM,
    (
        "Count those who end a connection, read the request, and ask somebody else.",
        "A load balancer and an ingress controller do that. Gateways and nodes only pass packets on.",
    ),
    make=_counted,
    otherwise="name who calls whom, one after another: each of these calls is a connection.",
)
