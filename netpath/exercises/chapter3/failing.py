"""Chapter 3's prediction about failures: what a customer sees, if this or that is broken.

Every broken world is the book's own with one thing changed, and the answer is what a request there comes to.

Not modelled: see `netpath.journey`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any

from netpath.balancing import Target, TargetGroup, TargetHealth
from netpath.exercises.chapter3.places import ANSWER, FAILURE, HEALTHY_ONLY, RULES
from netpath.exercises.exercise import Level
from netpath.exercises.misconceptions import GROUPS_ARE_ACLS, ONLY_HEALTHY
from netpath.exercises.predict import Form, Predict, Slip, Variant, slips
from netpath.journey import Journey, travel
from netpath.kubernetes import Pod
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import Endpoint, http_request
from netpath.vpc import AclEntry, NetworkAcl, RouteTable, SecurityGroup, SecurityGroupRule
from netpath.world import World

ALB_GROUP, NODE_GROUP = "sg-0a1b000000000000a", "sg-0a1b000000000000b"
PUBLIC_ACL, PRIVATE_ACL = "acl-0ac000000000000a1", "acl-0ac000000000000b2"
ILL = TargetHealth("unhealthy", "Target.FailedHealthChecks")
Broken = Callable[[World], World]


# Ways to break a world ---------------------------------------------------------------------------
def _region(world: World, name: str, change: Callable[[Any], Any]) -> World:
    """Each object of one kind, changed."""
    assert world.region is not None, "the shop has a VPC"
    changed: dict[str, Any] = {name: tuple(map(change, getattr(world.region, name)))}
    return replace(world, region=replace(world.region, **changed))


def _without_rules(group_id: str, wanted: Callable[[SecurityGroupRule], bool]) -> Broken:
    """A security group without some of its inbound rules."""

    def change(group: SecurityGroup) -> SecurityGroup:
        kept = tuple(rule for rule in group.ingress if not wanted(rule))
        return replace(group, ingress=kept) if group.group_id == group_id else group

    return lambda world: _region(world, "security_groups", change)


def _without_entries(acl_id: str, wanted: Callable[[AclEntry], bool]) -> Broken:
    def change(acl: NetworkAcl) -> NetworkAcl:
        kept = tuple(entry for entry in acl.entries if not wanted(entry))
        return replace(acl, entries=kept) if acl.network_acl_id == acl_id else acl

    return lambda world: _region(world, "network_acls", change)


def _no_way_out(world: World) -> World:
    def change(table: RouteTable) -> RouteTable:
        return replace(table, routes=tuple(route for route in table.routes if not route.target.startswith("igw-")))

    return _region(world, "route_tables", change)


def _targets(name: str, change: Callable[[tuple[Target, ...]], tuple[Target, ...]]) -> Broken:
    """Other targets in one target group."""

    def changed(group: TargetGroup) -> TargetGroup:
        return replace(group, targets=change(group.targets)) if group.name == name else group

    def broken(world: World) -> World:
        (balancer,) = world.load_balancers
        return replace(
            world, load_balancers=(replace(balancer, target_groups=tuple(map(changed, balancer.target_groups))),)
        )

    return broken


def _at_port(port: int) -> Callable[[tuple[Target, ...]], tuple[Target, ...]]:
    return lambda targets: tuple(replace(one, endpoint=Endpoint(one.endpoint.address, port)) for one in targets)


def _all_ill(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    return tuple(replace(target, health=ILL) for target in targets)


def _nobody(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    return ()


def _listening_on(port: int) -> Broken:
    def broken(world: World) -> World:
        (balancer,) = world.load_balancers
        (listener,) = balancer.listeners
        return replace(world, load_balancers=(replace(balancer, listeners=(replace(listener, port=port),)),))

    return broken


def _without_rule(world: World) -> World:
    (balancer,) = world.load_balancers
    (listener,) = balancer.listeners
    kept = tuple(rule for rule in listener.rules if rule.priority != 30)
    return replace(world, load_balancers=(replace(balancer, listeners=(replace(listener, rules=kept),)),))


def _no_ingress_pods(world: World) -> World:
    assert world.cluster is not None, "the shop has a cluster"
    slices = tuple(
        replace(one, endpoints=()) if one.service_key.startswith("ingress-nginx/") else one
        for one in world.cluster.slices
    )
    return replace(world, cluster=replace(world.cluster, slices=slices))


def _at_9090(world: World) -> World:
    """The processes in the cart's pods listen on another port."""
    assert world.cluster is not None, "the shop has a cluster"
    return replace(world, cluster=replace(world.cluster, pods=tuple(map(_moved, world.cluster.pods))))


def _moved(pod: Pod) -> Pod:
    ports = tuple(replace(port, port=9090) for port in pod.ports)
    return replace(pod, ports=ports) if pod.name.startswith("cart-") else pod


@dataclass(frozen=True, slots=True)
class Fault:
    """A broken world: what is told of it, how it is made, and the URLs that are interesting in it."""

    told: str
    make: Broken
    urls: tuple[str, ...]


CART, DIRECT = "http://shop.example.com/cart", "http://direct.example.com/cart"
OLD, APEX = "http://shop.example.com/old-cart", "http://example.com/cart"
FAULTS: Mapping[str, Fault] = {
    "nodeports": Fault(
        "the nodes' security group has lost the rule for NodePorts from the load balancer's group",
        _without_rules(NODE_GROUP, lambda rule: rule.from_port == 30000),
        (CART,),
    ),
    "podports": Fault(
        "the nodes' security group has lost the rule for port 8080 from the load balancer's group",
        _without_rules(NODE_GROUP, lambda rule: rule.from_port == 8080),
        (DIRECT, CART),
    ),
    "door": Fault(
        "the load balancer's own security group has lost the rule for port 80",
        _without_rules(ALB_GROUP, lambda rule: rule.from_port == 80),
        (OLD,),
    ),
    "private in": Fault(
        "the private subnets' network ACL has lost its inbound entries",
        _without_entries(PRIVATE_ACL, lambda entry: not entry.egress),
        (CART, OLD),
    ),
    "public in": Fault(
        "the public subnets' network ACL lets in ports 80 and 443 only, and lets everything out",
        _without_entries(PUBLIC_ACL, lambda entry: not entry.egress and entry.rule_number > 110),
        (DIRECT, OLD),
    ),
    "public out": Fault(
        "the public subnets' network ACL lets nothing out",
        _without_entries(PUBLIC_ACL, lambda entry: entry.egress),
        (CART,),
    ),
    "no way out": Fault(
        "the public subnets' route table has lost its route to the internet gateway", _no_way_out, (DIRECT,)
    ),
    "nobody": Fault("nobody is registered with shop-ingress any more", _targets("shop-ingress", _nobody), (CART, OLD)),
    "no pods": Fault(
        "nobody is registered with shop-cart-pods any more", _targets("shop-cart-pods", _nobody), (DIRECT, CART)
    ),
    "ill": Fault(
        "all targets of shop-ingress fail their health checks, whose path is mistyped; the nodes are well",
        _targets("shop-ingress", _all_ill),
        (CART,),
    ),
    "ill pods": Fault(
        "all targets of shop-cart-pods fail their health checks, which want a 200 and get a 204; the pods are well",
        _targets("shop-cart-pods", _all_ill),
        (DIRECT,),
    ),
    "node port": Fault(
        "the targets of shop-ingress are registered with port 30081, where nothing listens on a node",
        _targets("shop-ingress", _at_port(30081)),
        (CART, DIRECT),
    ),
    "pod port": Fault(
        "the targets of shop-cart-pods are registered with port 8081, where nothing listens in a pod",
        _targets("shop-cart-pods", _at_port(8081)),
        (DIRECT,),
    ),
    "listener": Fault("the load balancer's only listener is on port 8080", _listening_on(8080), (CART, APEX)),
    "rule": Fault("the listener's rule with priority 30 is deleted", _without_rule, (CART,)),
    "endpoints": Fault("no pod of the ingress controller is ready", _no_ingress_pods, (CART, DIRECT)),
    "moved": Fault("the processes in the cart's pods listen on port 9090, since this minute", _at_9090, (DIRECT,)),
    "nothing": Fault("nothing at all is broken", lambda world: world, (APEX, OLD)),
}
CASES = tuple((name, url) for name, fault in FAULTS.items() for url in fault.urls)


# What is seen ------------------------------------------------------------------------------------
SILENCE, REFUSED = "no status: silence, until the browser gives up", "no status: connection refused, at once"
SEEN = {
    "200": "the page (200)",
    "301": "a redirect (301)",
    "404": "a 404, at once",
    "502": "a 502, at once",
    "503": "a 503, at once",
    "504": "a 504, after ten seconds",
}
ENDS = (*SEEN.values(), REFUSED, SILENCE)


@cache
def journey(name: str, url: str) -> Journey:
    return travel(_world(name), Memory(), http_request(url))


@cache
def _world(name: str) -> World:
    world = FAULTS[name].make(shop())
    vars(world)["names"] = shop().names  # nothing has changed there, and to make them takes most of the time
    return world


def seen(journey: Journey) -> str:
    """What the customer sees, in the words of the options."""
    if journey.outcome.status is None:
        return SILENCE if journey.waited else REFUSED
    told = SEEN[str(journey.outcome.status)]
    assert ("ten" in told) == (journey.waited == 10), "a 504 here is one of connecting"
    return told


_SETTING = (
    "The shop's load balancer listens on port 80. Rule 10 sends `shop.example.com/old-cart*` to `/cart`; 20 forwards "
    "`direct.example.com` to shop-cart-pods (pods, port 8080); 30 forwards `*.example.com` to shop-ingress (nodes, "
    "NodePort 30080); the default is a 404. The nodes' security group, which is the pods' too, lets the load balancer "
    "in at 30000-32767 and 8080."
)


def _customer_sees(draw: Random) -> Variant:
    name, url = draw.choice(CASES)
    end = seen(journey(name, url))
    return Variant(
        f"{_SETTING}\n\nNow {FAULTS[name].told}. A customer opens `{url}`. What do they see?",
        end,
        _because(journey(name, url)),
        slips(Form.CHOICE, end, *_guesses(name, end)),
        options=ENDS,
    )


def _because(journey: Journey) -> str:
    """Which rule took the request, and which hop decided what became of it."""
    last = journey.attempts[-1]
    taken = last.decisions[0].verdict if last.decisions else None
    said = f"The rule is `{taken.rule}`. " if taken is not None and taken.ok else ""
    cause = journey.cause
    if cause is None or cause.verdict is taken:
        return f"{said}{journey.outcome.verdict.meaning.happened}"
    rule = f", `{cause.verdict.rule}`" if cause.verdict.rule else ""
    return f"{said}At {cause.station} {cause.at}: {cause.verdict.code}{rule}. {cause.verdict.meaning.happened}"


_OTHER_WAY = "what is broken isn't on this request's way."
_BY_RULE = "the load balancer answers this one itself, by a rule, and asks no target."
_NO_CONNECTION = "a status comes on a connection, and this customer gets none."
_ON_THE_WAY = "what is broken is on this request's way."
_TALKS = "the customer has a connection to the load balancer, and that answers, late at worst."
_NOBODY_CALLED = "nobody was called, so nobody could refuse or be silent."
_SILENT = (
    "something drops a packet here, this one or its answer, and says nothing: the load balancer waits ten seconds."
)
_LOUD = "somebody says no here, and that is heard at once; ten seconds are what silence takes."
_503 = "a 503 is for a group in which nobody can be picked. Here somebody was."
_P200, _P301, _P404, _P502, _P503, _P504 = SEEN.values()


# What is wrong with an answer, by what is right and what was said.
_WHY_NOT: Mapping[str, Mapping[str, str]] = {
    _P200: {_P502: _OTHER_WAY, _P503: _OTHER_WAY, _P504: _OTHER_WAY},
    _P301: {_P200: _BY_RULE, _P503: _BY_RULE, _P504: _BY_RULE},
    _P404: {_P200: "no rule but the default one takes it.", _P503: _BY_RULE, _P504: _BY_RULE},
    _P502: {_P200: _ON_THE_WAY, _P504: _LOUD, _P503: _503},
    _P503: {_P200: _ON_THE_WAY, _P502: _NOBODY_CALLED, _P504: _NOBODY_CALLED},
    _P504: {_P200: _ON_THE_WAY, _P502: _SILENT, _P503: _503, SILENCE: _TALKS},
    REFUSED: {_P502: _NO_CONNECTION, SILENCE: "the packet arrives where nobody listens, and that is said aloud."},
    SILENCE: {
        _P502: _NO_CONNECTION,
        _P504: _NO_CONNECTION,
        REFUSED: "nobody says no here: the packet or its answer is lost.",
    },
}


def _guesses(name: str, end: str) -> Iterator[Slip]:
    if name.startswith("ill"):
        opens = "when nobody is healthy, a target group fails open: the request goes to one of them, and they are well."
        yield Slip(_P503, opens, ONLY_HEALTHY, HEALTHY_ONLY)
        yield Slip(_P502, "only the checks go wrong; the targets answer requests.", "", HEALTHY_ONLY)
        return
    if name.startswith("public") and end in (_P504, SILENCE):
        anew = "an ACL remembers nothing: of each call, it is asked about the answer anew, which goes to a high port."
        yield Slip(_P200, anew, GROUPS_ARE_ACLS, ANSWER)
    if name == "pod port":
        shut = "the group doesn't let 8081 in: the packet never gets to the pod that would refuse it."
        yield Slip(_P502, shut, "", FAILURE)
    for guess, why in _WHY_NOT[end].items():
        yield Slip(guess, why, "", RULES if why in (_BY_RULE, _OTHER_WAY) else FAILURE)


q6 = Predict(
    "3.6",
    "What does the customer see?",
    5,
    Level.MEDIUM,
    (
        "Follow the request: does the customer get a connection? Which rule takes it? Is a target asked?",
        "Who drops a packet says nothing, and silence takes time. Who refuses is heard at once.",
    ),
    make=_customer_sees,
    otherwise="follow the request: the connection, the rule, the target, and whether anybody says no.",
)
