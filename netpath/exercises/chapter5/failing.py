"""Chapter 5's predictions about journeys that fail: from the symptom to the cause, and from two causes to the symptom.

The worlds are really broken, and the journeys really made; what the user sees is what the model says.

Not modelled: faults that come and go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from random import Random

from netpath.exercises.chapter5.places import BROKEN, EVERYTHING
from netpath.exercises.exercise import Level
from netpath.exercises.parts import cluster, region
from netpath.exercises.predict import Form, Predict, Slip, Variant, slips
from netpath.journey import Journey, travel
from netpath.kubernetes import Ingress, IngressRule
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import http_request
from netpath.show import prepared
from netpath.vpc import AclEntry, Instance, NetworkAcl, RouteTable, SecurityGroup
from netpath.world import World

Change = Callable[[World], World]


# More ways to break a world ------------------------------------------------------------------------
def _zone_lost(world: World) -> World:
    return replace(world, zones=tuple(each for each in world.zones if str(each.origin) != "example.com."), aliases=())


def _record_lost(world: World) -> World:
    return replace(world, aliases=tuple(each for each in world.aliases if str(each.name) != "shop.example.com."))


def _door_closed(world: World) -> World:
    theirs = {group for balancer in world.load_balancers for group in balancer.security_groups}

    def closed(group: SecurityGroup) -> SecurityGroup:
        return replace(group, ingress=()) if group.group_id in theirs else group

    groups = tuple(map(closed, region(world).security_groups))
    return replace(world, region=replace(region(world), security_groups=groups))


def _no_way_out(world: World) -> World:
    def without(table: RouteTable) -> RouteTable:
        return replace(table, routes=tuple(each for each in table.routes if not each.target.startswith("igw-")))

    tables = tuple(map(without, region(world).route_tables))
    return replace(world, region=replace(region(world), route_tables=tables))


def _nothing_out(world: World) -> World:
    """The private subnets' network ACL lets only web ports out, and so no answers."""
    web = (80, 443, 8080)

    def kept(acl: NetworkAcl) -> NetworkAcl:
        if acl.network_acl_id != "acl-0ac000000000000b2":
            return acl
        everything, *_ = (each for each in acl.entries if each.egress and each.allow)
        return replace(acl, entries=(*(_one_port(everything, port) for port in web), *acl.entries[1:]))

    acls = tuple(map(kept, region(world).network_acls))
    return replace(world, region=replace(region(world), network_acls=acls))


def _one_port(entry: AclEntry, port: int) -> AclEntry:
    return replace(entry, rule_number=port, protocol="tcp", from_port=port, to_port=port)


def _stopped(target: int) -> Change:
    def stopped(world: World) -> World:
        identity = world.load_balancers[0].target_groups[0].targets[target].id
        others = tuple(each for each in region(world).instances if each.instance_id != identity)
        return replace(world, region=replace(region(world), instances=(*others, Instance(identity, "stopped"))))

    return stopped


def _no_targets(world: World) -> World:
    balancer, *others = world.load_balancers
    groups = tuple(replace(each, targets=()) for each in balancer.target_groups)
    return replace(world, load_balancers=(replace(balancer, target_groups=groups), *others))


def _no_rules(world: World) -> World:
    balancer, *others = world.load_balancers
    listeners = tuple(replace(each, rules=()) for each in balancer.listeners)
    return replace(world, load_balancers=(replace(balancer, listeners=listeners), *others))


def _ingresses(world: World, change: Callable[[IngressRule], IngressRule]) -> World:
    def changed(ingress: Ingress) -> Ingress:
        return replace(ingress, rules=tuple(map(change, ingress.rules)))

    own = cluster(world)
    return replace(world, cluster=replace(own, ingresses=tuple(map(changed, own.ingresses))))


def _host_mistyped(world: World) -> World:
    return _ingresses(world, lambda rule: replace(rule, host=rule.host.replace("shop", "shpo")))


def _port_mistyped(world: World) -> World:
    def mistyped(rule: IngressRule) -> IngressRule:
        paths = (replace(each, backend=replace(each.backend, port="htpp")) for each in rule.paths)
        return replace(rule, paths=tuple(paths))

    return _ingresses(world, mistyped)


# What may have changed -----------------------------------------------------------------------------
CHANGES: dict[str, Change] = {
    "The name servers of `example.com` no longer hold that zone.": _zone_lost,
    "The record `shop.example.com` was deleted.": _record_lost,
    "The load balancer's security group has lost its rules for what comes in.": _door_closed,
    "The public subnets' route table has lost its route to the internet gateway.": _no_way_out,
    "The public subnets' network ACL lets in ports 80 and 443, and no others.": prepared.answers_forgotten,
    "The private subnets' network ACL lets out what goes to ports 80, 443 and 8080, and nothing else.": _nothing_out,
    "The nodes' security group no longer lets the load balancer in.": prepared.nodes_closed,
    "The listener has lost all rules but its default, a fixed answer.": _no_rules,
    "The target group has lost all its targets.": _no_targets,
    "All targets fail their health checks, though they work.": prepared.nobody_healthy,
    "The Service of the NodePort has `externalTrafficPolicy: Local` now, and health checks haven't run since.": (
        prepared.local_policy
    ),
    "No ingress pod is ready any more.": prepared.no_ingress_pods,
    "The ingress pods' program has died; they are still listed as ready.": prepared.crashed_ingress_pods,
    "Somebody mistyped the host in the Ingress: `shpo.example.com`.": _host_mistyped,
    "Somebody mistyped the Service's port in the Ingress: `htpp`.": _port_mistyped,
    "The Ingress has lost its paths `/`.": prepared.only_the_cart,
    "No pod of the cart is ready any more.": prepared.no_cart_ready,
    "The program in the cart's pods has died; they are still listed as ready.": prepared.crashed_carts,
    "The instance of the target that the load balancer picks was stopped a moment ago.": _stopped(0),
}
_STOPPED = next(said for said in CHANGES if "stopped" in said)
_TOGETHER = [said for said in CHANGES if said != _STOPPED]
_URLS = ("http://shop.example.com/cart", "http://shop.example.com/", "http://shop.example.com/cart/items")


@dataclass(frozen=True, slots=True)
class Case:
    """A request: its URL, the target that the load balancer picks, and what has changed in the world."""

    url: str
    target: int
    changes: tuple[str, ...]

    def journey(self) -> Journey:
        return _went(self)

    @property
    def symptom(self) -> str:
        return seen(self.journey())

    @property
    def picked(self) -> str:
        return str(cluster(shop()).nodes[self.target].address)


@cache
def _changed(changes: tuple[str, ...], target: int) -> World:
    world = shop()
    for said in changes:
        world = (_stopped(target) if said == _STOPPED else CHANGES[said])(world)
    return world


@cache
def _went(case: Case) -> Journey:
    world = _changed(case.changes, case.target if _STOPPED in case.changes else 0)
    return travel(world, Memory(), http_request(case.url), prepared.beginning(case.target))


_SERVERS = {"awselb/2.0": "the load balancer", "ingress-nginx": "the ingress controller"}


def seen(journey: Journey) -> str:
    """What the user sees, and how soon.

    >>> seen(Case("http://shop.example.com/", 0, ("No ingress pod is ready any more.",)).journey())
    '502 from the load balancer, at once'
    """
    response, code = journey.outcome.response, journey.outcome.verdict.code
    if response is not None and journey.outcome.ok:
        return "the page, as ever"
    if response is not None:
        return f"{response.status} from {_SERVERS.get(response.by, 'the pod')}, {_after(journey.waited)}"
    return "nothing, for minutes: a timeout" if journey.waited else f"no address: the resolver says {code}"


def _after(seconds: float) -> str:
    return f"after {seconds:g} seconds" if seconds else "at once"


def _because(case: Case) -> str:
    """What stopped a journey, in the words of the box that did."""
    cause = case.journey().cause
    if cause is None:
        return "Nothing stops it."
    rule = f", by `{cause.verdict.rule}`" if cause.verdict.rule else ""
    return f"It ends at the {cause.station} `{cause.at}`{rule} ({cause.verdict.code})."


_FINE = "the page, as ever"


# q6: the cause -------------------------------------------------------------------------------------
def _cause(draw: Random) -> Variant:
    url, target = draw.choice(_URLS), draw.randrange(3)
    cases = (Case(url, target, (said,)) for said in draw.sample(list(CHANGES), len(CHANGES)))
    case = next(each for each in cases if each.symptom != _FINE)
    others = list(islice((each for each in cases if each.symptom != case.symptom), 3))
    options = [each.changes[0] for each in (case, *others)]
    return Variant(
        f"Yesterday all was well. Today somebody opens `{url}`, and sees: {case.symptom}. (If the load balancer was "
        f"asked at all, it picked the node `{case.picked}`.) One thing has changed since yesterday. Which of these?",
        case.changes[0],
        f"{_because(case)} {_remedy(case)}",
        slips(Form.CHOICE, case.changes[0], *map(_other_symptom, others)),
        options=tuple(draw.sample(options, len(options))),
    )


def _remedy(case: Case) -> str:
    cause = case.journey().cause
    return cause.verdict.meaning.remedy if cause is not None else ""


def _other_symptom(case: Case) -> Slip:
    happened = "" if case.symptom == _FINE else f" {case.journey().outcome.verdict.meaning.happened}"
    return Slip(case.changes[0], f"then the user would see: {case.symptom}.{happened}", "", EVERYTHING)


q6 = Predict(
    "5.6",
    "From the symptom to the cause",
    5,
    Level.MEDIUM,
    (
        "Who says so, and how soon? Whoever answers was reached. At once means refused, after a while means silence.",
        "Silence is a filter, a lost route or a machine that is gone; a refusal is a port that nobody listens on, or a "
        "rule with REJECT.",
        "An answer with an HTTP status tells how far the request came: between the user and the box that made it, all "
        "is well.",
    ),
    make=_cause,
    otherwise="make the journey in your head, with that one change, up to the box that it concerns.",
)


# q7: two at once -----------------------------------------------------------------------------------
def _two(draw: Random) -> Variant:
    url, target = draw.choice(_URLS), draw.randrange(3)
    one, other = _unlike(Case(url, target, (said,)) for said in draw.sample(_TOGETHER, len(_TOGETHER)))
    both = Case(url, target, (*one.changes, *other.changes))
    unheard = _unheard(both, one, other)
    likely = {both.symptom, one.symptom, other.symptom}
    fillers = [each for each in _symptoms() if each not in likely]
    return Variant(
        f"Two things went wrong in one night:\n\n1. {one.changes[0]}\n2. {other.changes[0]}\n\nIn the morning somebody "
        f"opens `{url}`. (The load balancer would pick the node `{both.picked}`.) What do they see?",
        both.symptom,
        f"{_because(both)} {_the_other(unheard)}",
        slips(Form.CHOICE, both.symptom, *(_too_far(case, both, unheard) for case in (one, other))),
        options=tuple(sorted({*likely, *draw.sample(fillers, 2)})),
    )


def _unlike(cases: Iterable[Case]) -> tuple[Case, Case]:
    """The first two faults whose symptoms differ."""
    broken = (case for case in cases if case.symptom != _FINE)
    one = next(broken)
    return one, next(case for case in broken if case.symptom != one.symptom)


@cache
def _symptoms() -> list[str]:
    """All that a user may see for one URL."""
    return sorted({Case(_URLS[0], 0, (said,)).symptom for said in _TOGETHER} - {_FINE})


def _ends_alike(case: Case, both: Case) -> bool:
    """Whether the journey with both faults ends where it ends with this one alone."""
    one, two = case.journey().cause, both.journey().cause
    return one is not None and two is not None and (one.station, one.at) == (two.station, two.at)


def _unheard(both: Case, *cases: Case) -> Case | None:
    """The fault at which the journey ends, if the other one drops what is answered there."""
    there = [case for case in cases if _ends_alike(case, both)]
    return there[0] if there and all(case.symptom != both.symptom for case in there) else None


def _the_other(unheard: Case | None) -> str:
    if unheard is None:
        return "The other fault shows only when this one is mended."
    return f"This alone would be {unheard.symptom}. But the refusal must go back, and the other fault drops it there."


def _too_far(case: Case, both: Case, unheard: Case | None) -> Slip:
    cause = both.journey().cause
    where = f"the {cause.station}" if cause is not None else "the end"
    but = f"something happens earlier, at {where}."
    if case is unheard:
        but = "the load balancer hears nothing of it: what comes back meets the other fault."
    return Slip(case.symptom, f"that would come of this one alone: “{case.changes[0]}” But {but}", "", BROKEN)


q7 = Predict(
    "5.7",
    "Two things in one night",
    5,
    Level.HARD,
    (
        "Go along the road, and stop at the first box that is concerned by either of the two.",
        "An answer that is dropped on its way back makes as little noise as a packet that is dropped on its way out, "
        "but the packet has come further by then. A refusal is a packet, too, and has to come back.",
    ),
    make=_two,
    otherwise="neither of the two looks like that.",
)
