"""Chapter 4's predictions about nodes: chances, ends, sources, detours.

Not modelled: a node that is down.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from random import Random

from netpath.choice import Outcome, outcomes
from netpath.exercises.chapter4.places import ADDRESS, DOOR, HAIRPIN, LEAVING, LOTTERY, POLICY, RULES
from netpath.exercises.chapter4.worlds import BALANCER, CART, FIELDS, endpoints, listed, node, number_of
from netpath.exercises.exercise import Level
from netpath.exercises.misconceptions import EQUAL_PROBABILITIES, KUBE_PROXY_PROXIES, POD_SEES_USER
from netpath.exercises.outcome import See
from netpath.exercises.parts import cluster
from netpath.exercises.predict import Form, Predict, Slip, Variant, slips
from netpath.fabric import Trip, send
from netpath.kubeproxy import ruleset
from netpath.kubernetes import EndpointPort, EndpointSlice, Service, ServicePort, SliceEndpoint
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import Address, Packet, tcp
from netpath.show.detours import Detour
from netpath.show.widgets.chains import CONDITIONS, NODE_PORT
from netpath.show.widgets.chains import cart as cart_world
from netpath.world import World

_WORDS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


# q1: the chance in one rule ------------------------------------------------------------------------
def _orders(conditions: list[str]) -> tuple[Service, EndpointSlice]:
    """A Service whose endpoints are in these conditions."""
    clusters_own, port = Address("172.20.99.1"), ServicePort(80, name="http")
    ends = tuple(
        SliceEndpoint(Address(f"10.0.36.{101 + at}"), node=node(1 + at % 3).name, **FIELDS[word])
        for at, word in enumerate(conditions)
    )
    made = EndpointSlice("shop", "orders-1", "orders", (EndpointPort(8080, name="http"),), ends)
    return Service("shop", "orders", cluster_ip=clusters_own, ports=(port,)), made


def _lots(conditions: list[str]) -> tuple[str, ...]:
    """The rules that draw the lot, as kube-proxy writes them."""
    wanted, piece = _orders(conditions)
    rules = ruleset([wanted], [piece], node(1), cluster(shop()).proxy)
    chains = rules.tables["nat"].chains
    name = next(name for name in chains if name.startswith("KUBE-SVC-"))
    return tuple(rule.text for rule in chains[name].rules)


def _chance(rule: str) -> Fraction:
    """The chance that is written in a rule; one without takes everything."""
    _, found, after = rule.partition("--probability ")
    return Fraction(after.split()[0]).limit_denominator(100) if found else Fraction(1)


def _one_chance(draw: Random) -> Variant:
    ready, leaving, unready = draw.choice([0, 2, 3, 4, 5, 6, 7]), draw.randrange(3), draw.randrange(3)
    leaving += 0 if ready else 2
    conditions = ["ready"] * ready + ["terminating"] * leaving + ["not ready"] * unready
    rules = _lots(conditions)
    at = draw.randrange(len(rules))
    answer, count = str(_chance(rules[at])), len(rules)
    parts = ((ready, "ready"), (leaving, "terminating (and still serving)"), (unready, "not ready"))
    pods = ", ".join(f"{many} {what}" for many, what in parts if many)
    mistakes = slips(
        Form.SHARE,
        answer,
        Slip(
            f"1/{count}",
            f"that is the share of all connections which it gets in the end. The {_WORDS[at]} rule sees only those "
            f"that the {'rule' if at == 1 else 'rules'} above left over, so it must take more of them.",
            EQUAL_PROBABILITIES,
            LOTTERY,
        ),
        Slip(
            f"1/{len(conditions) - at}",
            "you have counted pods that get no rule: the chain has one for each endpoint in use, and no more.",
            "",
            LEAVING,
        ),
        Slip("1", "only the last rule takes whatever comes to it; this one has others below.", "", LOTTERY),
    )
    used = f"{count} endpoints are in use" + ("" if ready else ", the terminating ones, because no other is ready")
    return Variant(
        f"The Service `shop/orders` has these pods behind it: {pods}. kube-proxy writes the chain `KUBE-SVC-…` for it. "
        f"With which probability does the {_WORDS[at]} of its rules take a connection that comes to it?",
        answer,
        f"{used}, so {count - at} {'is' if count - at == 1 else 'are'} left when a connection comes to this rule: "
        f"`{rules[at]}`"
        + ("" if "--probability" in rules[at] else ". It has no `--probability`: it takes whatever comes."),
        mistakes,
        Form.SHARE,
    )


q1 = Predict(
    "4.1",
    "One rule of the chain",
    3,
    Level.EASY,
    (
        "How many endpoints are still to come when a connection gets to this rule, its own included?",
        "Ready endpoints get a rule. Terminating ones get one only where no endpoint is ready.",
    ),
    make=_one_chance,
    otherwise="count the endpoints in use, then those that are left when a connection comes to this rule: it takes one "
    "of those.",
)


# q2: where a connection to a NodePort ends ----------------------------------------------------------
_HERE, _THERE, _EITHER = "a pod on the same node", "a pod on another node", "either of these, as the lot falls"
_REFUSED, _DROPPED = "no pod: the connection is refused at once", "no pod: nothing is heard of it again"
_ENDS = (_HERE, _THERE, _EITHER, _REFUSED, _DROPPED)
_REFUSES = "kube-proxy rejects only where no node could serve; where another could, policy Local drops in silence"
_DROPS = "kube-proxy drops only where policy Local keeps out of other nodes' pods"
_NEAR = "with policy Cluster the lots know nothing of nearness: every endpoint in use has one, wherever it runs"
_STAYS = "with policy Local a node gives connections from outside to its own pods alone"
_BECAUSE = {  # what comes, what was said
    (_HERE, _THERE): ("there is an endpoint in use on this very node, and no lot leads to another", POLICY),
    (_HERE, _EITHER): (
        "no lot leads away from here: look at the policy, and at the other endpoints' conditions",
        POLICY,
    ),
    (_HERE, _REFUSED): ("there is an endpoint in use on this very node", LEAVING),
    (_HERE, _DROPPED): ("there is an endpoint in use on this very node", LEAVING),
    (_THERE, _HERE): ("no endpoint in use is on this node", DOOR),
    (_THERE, _EITHER): ("no endpoint in use is on this node: look at the conditions once more", LEAVING),
    (_THERE, _REFUSED): ("a NodePort is a door in every node, and leads to pods of others too", DOOR),
    (_THERE, _DROPPED): (_DROPS, POLICY),
    (_EITHER, _HERE): (_NEAR, DOOR),
    (_EITHER, _THERE): (_NEAR, DOOR),
    (_EITHER, _REFUSED): ("there are endpoints in use", DOOR),
    (_EITHER, _DROPPED): (_DROPS, POLICY),
    (_REFUSED, _HERE): ("no endpoint is ready, nor terminating and still serving", LEAVING),
    (_REFUSED, _THERE): ("no endpoint is ready, nor terminating and still serving", LEAVING),
    (_REFUSED, _EITHER): ("no endpoint is ready, nor terminating and still serving", LEAVING),
    (_REFUSED, _DROPPED): (f"{_DROPS}. Here no node has an endpoint", POLICY),
    (_DROPPED, _HERE): ("this node has no endpoint that it may use", POLICY),
    (_DROPPED, _THERE): (_STAYS, POLICY),
    (_DROPPED, _EITHER): (_STAYS, POLICY),
    (_DROPPED, _REFUSED): (_REFUSES, POLICY),
}


def _end(ways: list[Detour]) -> str:
    """What a connection that takes one of these ways comes to."""
    codes = {way.code for way in ways if way.code}
    if codes:
        return _REFUSED if codes == {"NO_ENDPOINTS"} else _DROPPED
    missed = {way.miss for way in ways}
    return _EITHER if len(missed) == 2 else _THERE if missed == {True} else _HERE


def _drawn_cart(draw: Random) -> tuple[World, str]:
    """`cart` with a NodePort, its pods in conditions that chance decides; and the policy."""
    words = draw.choices(list(CONDITIONS), (3, 2, 3), k=4)
    policy = draw.choice(["Cluster", "Local"])
    return cart_world(words, policy), policy


def _all(world: World, packet: Packet) -> list[Outcome[Trip]]:
    """All that can become of a packet."""
    return list(outcomes(lambda choose: send(world, Memory(), packet, choose)))


def _ways(world: World, numbers: Sequence[int]) -> list[Detour]:
    """What becomes of the load balancer's connections to the NodePort of these nodes, each node as likely."""
    found = []
    for number in numbers:
        name, packet = node(number).name, tcp(BALANCER, f"{node(number).address}:{NODE_PORT}")
        for each in _all(world, packet):
            place, share = each.result.place, each.probability.limit_denominator(1000) / len(numbers)
            code = "" if place is not None else each.result.verdict.code
            found.append(Detour(name, str(place.address) if place else "", place.node if place else "", share, code))
    return found


def _where_it_ends(draw: Random) -> Variant:
    world, policy = _drawn_cart(draw)
    at = draw.choice([1, 2, 3])
    ways = _ways(world, [at])
    answer = _end(ways)
    mistakes = tuple(
        Slip(said, because + ".", "", see) for (right, said), (because, see) in _BECAUSE.items() if right == answer
    )
    return Variant(
        f"`cart` has a NodePort, {NODE_PORT}, and `externalTrafficPolicy: {policy}`. These are its endpoints:\n\n"
        f"{listed(endpoints(world, CART))}"
        f"The load balancer opens a connection to port {NODE_PORT} of node {at}. Who answers it?",
        answer,
        _why_it_ends(ways, at),
        mistakes,
        options=_ENDS,
    )


def _why_it_ends(ways: list[Detour], at: int) -> str:
    if ways[0].code:
        target = "REJECT" if ways[0].code == "NO_ENDPOINTS" else "DROP"
        return f"The table `filter` of node {at} has a rule for this port with the target `{target}` ({ways[0].code})."
    pods = ", ".join(f"{way.pod} on node {number_of(way.pod_node)}" for way in ways)
    each = f", with a chance of {ways[0].share} each" if len(ways) > 1 else ""
    return f"The lots that node {at} may draw lead to {pods}{each}."


q2 = Predict(
    "4.2",
    "Is anybody there?",
    4,
    Level.MEDIUM,
    (
        "First: which endpoints are in use? Then: which of those may this node choose from, under this policy?",
        "Terminating endpoints count only where none is ready. With policy Local, 'where' means: on this node.",
    ),
    make=_where_it_ends,
    otherwise="list the endpoints in use, then strike out those that the policy forbids this node.",
)


# q3: whom a pod takes for its caller ---------------------------------------------------------------
_MARKING = "-j KUBE-MARK-MASQ"


def _calls(draw: Random) -> tuple[str, str, str, str]:
    """A call: who makes it, from where, to where, and under which policy."""
    policy, at = draw.choice(["Cluster", "Cluster", "Local"]), draw.choice([1, 2, 3])
    balancer = draw.choice(shop().load_balancers[0].nodes)
    virtual, door = "172.20.61.214:80", f"{node(at).address}:{NODE_PORT}"
    own = draw.choice([end for end in endpoints(shop(), CART) if end.ready])
    calls = (
        (f"The load balancer's node {balancer.address}", f"{balancer.address}:40000", door),
        (f"The pod {own.address}, itself behind the Service,", f"{own.address}:40000", virtual),
        ("The pod `shell`, 10.0.35.113 on node 2,", "10.0.35.113:40000", virtual),
        (f"A process of node {at} itself, {node(at).address},", f"{node(at).address}:40000", virtual),
        (f"The pod {own.address}, itself behind the Service,", f"{own.address}:40000", door),
        ("The pod `shell`, 10.0.35.113 on node 2,", "10.0.35.113:40000", door),
    )
    return (*draw.choices(calls, (4, 4, 2, 1, 2, 2))[0], policy)


def _whom_it_sees(draw: Random) -> Variant:
    while True:
        who, source, destination, policy = _calls(draw)
        world = cart_world(("ready", "ready", "not ready", "ready"), policy)
        trips = [each.result for each in _all(world, tcp(source, destination))]
        arrived = [trip for trip in trips if trip.place is not None]
        if arrived:
            own = [
                trip for trip in arrived if trip.packet and trip.packet.destination.address == trip.sent.source.address
            ]
            return _seen(draw.choice(own if own and draw.random() < 0.6 else arrived), who, policy)


def _seen(trip: Trip, who: str, policy: str) -> Variant:
    sent, got, place = trip.sent, trip.packet, trip.place
    assert got is not None and place is not None
    answer, caller = str(got.source.address), str(sent.source.address)
    asked = "the ClusterIP" if str(sent.destination.address).startswith("172.20.") else "a NodePort"
    hairpin = caller == str(got.destination.address)
    nodes = {str(each.address): number for number, each in enumerate(cluster(shop()).nodes, 1)}
    mistakes = slips(
        Form.ADDRESS,
        answer,
        Slip(caller, *_not_the_caller(hairpin, asked)),
        Slip(
            "198.51.100.23",
            "no user's connection gets here: the load balancer ends it, and makes another of its own.",
            POD_SEES_USER if who.startswith("The load balancer") else "",
            POLICY,
        ),
        Slip(
            str(sent.destination.address),
            "that is whom it called. Nobody answers in that name before the answer is translated back.",
            "" if asked == "a NodePort" else KUBE_PROXY_PROXIES,
            ADDRESS if asked == "the ClusterIP" else RULES,
        ),
        *(
            Slip(each, f"node {number} doesn't rewrite the source here. Which rule would mark it for that?", "", RULES)
            for each, number in nodes.items()
            if number in (1, number_of(place.node))
        ),
    )
    return Variant(
        f"`cart` has the ClusterIP 172.20.61.214, the NodePort {NODE_PORT} and `externalTrafficPolicy: {policy}`. "
        f"{who} calls `{sent.destination}`, and the lot falls on the pod {got.destination.address} on node "
        f"{number_of(place.node)}. From which address does that pod see the call come?",
        answer,
        _why_seen(trip, hairpin),
        mistakes,
        Form.ADDRESS,
    )


def _not_the_caller(hairpin: bool, asked: str) -> tuple[str, str, See]:
    if hairpin:
        return "a packet from its own address is what a pod must not get: the hairpin is masqueraded.", "", HAIRPIN
    if asked == "a NodePort":
        return "a node masquerades what came to its NodePort, so that the answer comes back by it.", "", RULES
    return "somebody on this way rewrote the source.", "", ADDRESS


def _why_seen(trip: Trip, hairpin: bool) -> str:
    got = trip.packet
    assert got is not None
    ends = f"`{trip.sent.source} → {trip.sent.destination}` was sent and `{got.source} → {got.destination}` arrives"
    if got.source.address == trip.sent.source.address:
        return f"{ends}: only the destination was rewritten, and no rule marked the packet for masquerade."
    if hairpin and str(trip.sent.destination.address).startswith("172.20."):
        return f"{ends}: the pod drew itself, and the first rule of its `KUBE-SEP-…` chain (`-s`) marks that."
    marks = [(hop.at, step.rule) for hop in trip.hops for step in hop.steps if step.matched and _MARKING in step.rule]
    at, rule = marks[0]
    return f"{ends}: node {number_of(at)} marked it by `{rule}`, and masqueraded it as it left."


q3 = Predict(
    "4.3",
    "Who calls?",
    4,
    Level.MEDIUM,
    (
        "A pod sees the caller's own address unless some rule marked the packet for masquerade. Which rules do?",
        "KUBE-EXT with policy Cluster marks everything; KUBE-SEP marks what comes from its own endpoint.",
    ),
    make=_whom_it_sees,
    otherwise="nobody on this way has that address, or puts it into the packet.",
)


# q4: the share that takes the detour ---------------------------------------------------------------
_ALL_NODES = (1, 2, 3)


def _share_of_detours(draw: Random) -> Variant:
    while True:
        world, policy = _drawn_cart(draw)
        registered = draw.choice([_ALL_NODES, _ALL_NODES, (1, 2), (1, 3), (2, 3)])
        used = [end for end in endpoints(world, CART) if end.serving]
        bare = {1, 2, 3} - {number_of(end.node) for end in used}
        if used and (policy == "Cluster" or bare & set(registered)):
            return _lost(world, registered) if policy == "Local" else _missed(world, registered)


def _asked(world: World, policy: str, registered: tuple[int, ...], question: str) -> str:
    nodes = f"{', '.join(map(str, registered[:-1]))} and {registered[-1]}"
    only = "" if registered == _ALL_NODES else ", and to no other"
    return (
        f"The load balancer deals out connections evenly to port {NODE_PORT} of the nodes {nodes}{only}. "
        f"`cart` has `externalTrafficPolicy: {policy}` and these endpoints:\n\n{listed(endpoints(world, CART))}"
        f"{question}"
    )


def _lost(world: World, registered: tuple[int, ...]) -> Variant:
    """With policy Local: the share that comes to nothing."""
    ways = _ways(world, registered)
    answer = str(sum((way.share for way in ways if way.code), Fraction(0)))
    ready = {number_of(end.node) for end in endpoints(world, CART) if end.ready}
    mistakes = slips(
        Form.SHARE,
        answer,
        Slip("0", "a node without an endpoint in use drops what comes, as long as another has one.", "", POLICY),
        Slip(
            str(Fraction(len(set(registered) - ready), len(registered))),
            "a node whose own endpoints are all terminating uses those: with Local that is decided node by node.",
            "",
            LEAVING,
        ),
        Slip(str(1 - Fraction(answer)), "that is the rest, those that are answered.", "", POLICY),
    )
    told = "; ".join(
        f"node {number_of(name)} {'drops what comes' if code else 'has an endpoint that it may use'}"
        for name, code in dict.fromkeys((way.node, way.code) for way in ways)
    )
    question = "Which share of the connections comes to nothing?"
    return Variant(_asked(world, "Local", registered, question), answer, f"{told}.", mistakes, Form.SHARE)


def _missed(world: World, registered: tuple[int, ...]) -> Variant:
    """With policy Cluster: the share that takes the detour."""
    ways = _ways(world, registered)
    answer = str(sum((way.share for way in ways if way.miss), Fraction(0)))
    listed_ends = endpoints(world, CART)
    serving = [end for end in listed_ends if end.serving]
    bare = set(registered) - {number_of(way.pod_node) for way in ways}
    mistakes = slips(
        Form.SHARE,
        answer,
        Slip("0", "a node doesn't prefer its own pods: the lots know nothing of nearness.", "", DOOR),
        Slip(
            str(Fraction(len(bare), len(registered))),
            "so it would be if a node with a pod of its own kept to it. Every node draws from all endpoints in use.",
            "",
            DOOR,
        ),
        Slip(_elsewhere(serving, registered), "terminating pods are used only where none is ready.", "", LEAVING),
        Slip(_elsewhere(listed_ends, registered), "pods that aren't ready have no lot.", "", LEAVING),
        Slip(str(1 - Fraction(answer)), "that is the rest, those that stay where they came to.", "", DOOR),
        Slip("1", "some of them find a pod without leaving the node.", "", DOOR),
    )
    told = "; ".join(f"node {number} sends {_away(ways, number)} of what comes to other nodes" for number in registered)
    question = "Which share of the connections ends at a pod on another node than the one that they came to?"
    in_use = ", ".join(sorted({way.pod for way in ways}))
    why = f"In use: {in_use}. So {told}; the answer is the mean."
    return Variant(_asked(world, "Cluster", registered, question), answer, why, mistakes, Form.SHARE)


def _elsewhere(ends: Sequence[SliceEndpoint], registered: tuple[int, ...]) -> str:
    """The share of detours if these were the endpoints in use."""
    at_home = sum(number_of(end.node) in registered for end in ends)
    return str(1 - Fraction(at_home, len(ends) * len(registered)))


def _away(ways: list[Detour], number: int) -> str:
    """The share of one node's connections that leaves it."""
    mine = [way for way in ways if way.node == node(number).name]
    share = sum((way.share for way in mine if way.miss), Fraction(0)) / sum(way.share for way in mine)
    return {"0": "none", "1": "all"}.get(str(share), str(share))


q4 = Predict(
    "4.4",
    "The detour, in figures",
    5,
    Level.MEDIUM,
    (
        "Ask node by node: of the connections that come to it, which share goes on to another, or is lost? Then take "
        "the mean.",
        "With policy Cluster every node draws from the same endpoints, those in use, wherever they run.",
    ),
    make=_share_of_detours,
    otherwise="go through the registered nodes one by one: the lots of each, the share of those that lead away from it "
    "(or, with Local, whether it has a lot at all), then the mean.",
)
