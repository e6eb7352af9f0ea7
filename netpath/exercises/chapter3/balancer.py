"""Chapter 3's predictions about the load balancer: which rule, which targets, and how much each of them gets.

Not modelled: see `netpath.balancing`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

from netpath.balancing import (
    BalancerMemory,
    Condition,
    FixedResponse,
    Forward,
    Listener,
    ListenerRule,
    LoadBalancer,
    Node,
    Pool,
    Target,
    TargetGroup,
    TargetGroupAttributes,
    TargetHealth,
    WeightedGroup,
    Zone,
    nodes_in_dns,
    pick,
    pool,
)
from netpath.balancing.listener import wildcard
from netpath.choice import Choose, outcomes
from netpath.exercises.chapter3.places import HEALTHY_ONLY, PICKS, RULES, until
from netpath.exercises.exercise import Level
from netpath.exercises.misconceptions import ONLY_HEALTHY
from netpath.exercises.outcome import block
from netpath.exercises.predict import Form, Predict, Slip, Variant, slips
from netpath.packet import HttpRequest, address, endpoint, http_request

# q3: which rule ----------------------------------------------------------------------------------
_HOSTS = ("shop.example.com", "*.example.com", "*.example.com", "api.example.com", "example.com")
_PATHS = ("/cart*", "/cart/*", "/cart", "/CART*", "/?art", "/*/items", "/img/*", "/c*t")
_URLS = (
    "shop.example.com/cart",
    "shop.example.com/cart/",
    "shop.example.com/cart/items?page=/img/1",
    "SHOP.example.com/carts",
    "shop.example.com/Cart",
    "api.example.com/cart/7/items",
    "example.com/cart",
    "www.example.com/img/cart.png",
    "a.b.example.com/?back=/cart",
)
_CLIENT = address("198.51.100.23")


def _listener(draw: Random) -> Listener:
    """Four rules with priorities of their own, each to a group of its own, and a default rule."""
    rules = []
    for name, priority in zip(("one", "two", "three", "four"), draw.sample(range(10, 100, 10), 4), strict=True):
        host = [Condition("host-header", (draw.choice(_HOSTS),))] if draw.random() < 0.7 else []
        path = [Condition("path-pattern", (draw.choice(_PATHS),))] if not host or draw.random() < 0.6 else []
        rules.append(ListenerRule(priority, Forward((WeightedGroup(name),)), (*host, *path)))
    return Listener(80, "HTTP", FixedResponse(404), tuple(rules))


def _called(rule: ListenerRule) -> str:
    return "the default rule" if rule.priority is None else f"priority {rule.priority}"


def _which_rule(draw: Random) -> Variant:
    """Mostly another rule than the first one takes the request, and a later one would have taken it, too."""
    request = http_request(f"http://{draw.choice(_URLS)}")
    least, at_once = draw.choice([1, 3, 3, 3, 3]), draw.random() < 0.25
    listener = until(
        _listener,
        lambda one: len(_taking(one, request)) >= least and at_once is (_taking(one, request)[0] is one.rules[0]),
        draw,
    )
    winner = listener.rule_for(request, _CLIENT)
    shown = draw.sample(listener.rules[:-1], 4)
    return Variant(
        "A load balancer's listener on port 80 has these rules, each with its priority, in the order in which somebody "
        f"made them:\n{block(f'{rule.priority}: {_wanted(rule)}' for rule in shown)}"
        f"Somebody opens `{_url(request)}`. Which rule takes it?",
        _called(winner),
        _asked(listener, winner, request),
        slips(Form.CHOICE, _called(winner), *(_not_that(rule, winner, request) for rule in listener.rules)),
        options=tuple(_called(rule) for rule in listener.rules),
    )


def _wanted(rule: ListenerRule) -> str:
    """A rule's conditions, short enough for a phone."""
    return ", ".join(f"{each.field.partition('-')[0]} {each.wanted}" for each in rule.conditions)


def _url(request: HttpRequest) -> str:
    return f"http://{request.host}{request.target}"


def _asked(listener: Listener, winner: ListenerRule, request: HttpRequest) -> str:
    """Every rule up to the one that takes the request."""
    before = listener.rules[: listener.rules.index(winner)]
    told = [f"{_called(rule)}: {rule.step(request, _CLIENT).why}." for rule in before]
    if winner.priority is None:
        return " ".join([*map(_sentence, told), "So nothing is left but the default rule."])
    return " ".join(map(_sentence, [*told, f"{_called(winner)} takes it: {winner.step(request, _CLIENT).why}."]))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _taking(listener: Listener, request: HttpRequest) -> list[ListenerRule]:
    return [rule for rule in listener.rules if rule.step(request, _CLIENT).matched]


def _not_that(rule: ListenerRule, winner: ListenerRule, request: HttpRequest) -> Slip:
    """Why a rule isn't the one that takes a request."""
    step = rule.step(request, _CLIENT)
    if not step.matched:
        finer = _finer(step.why, request)
        return Slip(_called(rule), f"{step.why}.{finer}", "", RULES)
    late = f"it would take the request, but {_called(winner)} is asked before."
    if _path(rule) > _path(winner):
        return Slip(_called(rule), f"{late} The longest path wins in an Ingress, not here.", "", RULES)
    return Slip(_called(rule), late, "", RULES)


def _path(rule: ListenerRule) -> int:
    """The length of a rule's path pattern."""
    return sum(len(each.values[0]) for each in rule.conditions if each.field == "path-pattern")


def _finer(why: str, request: HttpRequest) -> str:
    """What makes people think that it matches all the same."""
    if why.startswith("host") and why.endswith("*.example.com"):
        return " `*.example.com` wants a dot before `example.com`."
    if request.query and why.startswith("path"):
        return " The query string is no part of the path."
    seen, wanted = why.removeprefix("path ").split(" is not ")
    matches = wildcard(wanted, ignore_case=True).fullmatch(seen)
    return " Capital letters matter in a path." if matches and why.startswith("path") else ""


q3 = Predict(
    "3.3",
    "Which rule takes it?",
    3,
    Level.EASY,
    (
        "Ask the rules in the order of their priorities, the lowest number first, and stop at the first that fits.",
        "`*` is any number of characters, slashes too, and `?` is exactly one. All conditions of a rule must be met.",
    ),
    make=_which_rule,
    otherwise="that is none of the rules.",
)


# Layouts of targets ------------------------------------------------------------------------------
_ZONES = "abc"
ILL = TargetHealth("unhealthy", "Target.FailedHealthChecks")
LEAVING = TargetHealth("draining", "Target.DeregistrationInProgress")
_ANY = http_request("http://shop.example.com/")


def target_in(zone: str, number: int, health: TargetHealth) -> Target:
    return Target(f"{zone}{number}", endpoint(f"10.0.{_ZONES.index(zone)}.{number}:8080"), zone, health)


def balancer_in(zones: str) -> LoadBalancer:
    """A load balancer with a node in each zone and a listener that forwards everything to one group."""
    nodes = tuple(Node(zone, f"eni-{zone}", address(f"10.0.{at}.4")) for at, zone in enumerate(zones))
    return LoadBalancer("arn:lb", "lb", "lb.example", (), (), tuple(map(Zone, zones)), nodes)


def serving(balancer: LoadBalancer, group: TargetGroup) -> LoadBalancer:
    listener = Listener(80, "HTTP", Forward((WeightedGroup(group.arn),)))
    return replace(balancer, listeners=(listener,), target_groups=(group,))


def group_of(targets: list[Target], cross_zone: bool, least: int = 1) -> TargetGroup:
    settings = TargetGroupAttributes(
        cross_zone=str(cross_zone).lower(), routing_minimum_count=least, dns_minimum_count=least
    )
    return TargetGroup("arn:group", "group", tuple(targets), "ip", attributes=settings)


# q4: shares --------------------------------------------------------------------------------------
def _layout(draw: Random) -> list[Target]:
    """Two or three zones, one to five targets in each, a few of them ill."""
    zones = _ZONES[: draw.choice([2, 2, 3])]
    targets = []
    for zone in zones:
        count = draw.choice([1, 2, 3, 4, 5])
        ill = draw.choice([0, 0, 1, 2, count]) if draw.random() < 0.6 else 0
        targets += [target_in(zone, at + 1, ILL if at < ill else TargetHealth()) for at in range(count)]
    return targets


def _healthy(targets: list[Target], zone: str = "") -> int:
    return sum(target.health.healthy for target in targets if zone in ("", target.zone))


def _uneven(targets: list[Target]) -> bool:
    """Whether somebody is healthy, and the zones differ."""
    counts = [_healthy(targets, zone) for zone in _zones(targets)]
    return sum(counts) > 0 and len(set(counts)) > 1


def _zones(targets: list[Target]) -> str:
    return "".join(sorted({str(target.zone) for target in targets}))


def _share(draw: Random) -> Variant:
    targets, across = until(_layout, _uneven, draw), draw.random() < 0.4
    balancer = serving(balancer_in(_zones(targets)), group_of(targets, across))
    shares = shares_of(balancer)
    zone = draw.choice([zone for zone in _zones(targets) if _healthy(targets, zone)])
    share = next(shares[target.id] for target in targets if target.zone == zone and target.health.healthy)
    lines = (f"zone {one}: {_census(targets, one)}" for one in _zones(targets))
    return Variant(
        f"Targets of a group, by zone:\n{block(lines)}The load balancer has a node in each zone. Cross-zone is "
        f"{'on' if across else 'off'}. Clients take each address that DNS gives them equally often, and send equally "
        f"many requests. What share of all requests does one healthy target in zone {zone} get?",
        str(share),
        _reckoning(balancer, targets, across, zone, share),
        slips(Form.SHARE, str(share), *_other_shares(balancer, targets, across, zone)),
        Form.SHARE,
    )


def _census(targets: list[Target], zone: str) -> str:
    count = sum(target.zone == zone for target in targets)
    ill = count - _healthy(targets, zone)
    many = "unhealthy" if count == ill == 1 else "all unhealthy" if ill == count else f"{ill} unhealthy"
    return f"{count} target{'s' if count > 1 else ''}" + (f", {many}" if ill else "")


def shares_of(balancer: LoadBalancer) -> dict[str, Fraction]:
    """Each target's share of first requests, over all that chance can bring."""
    shares: Counter[str] = Counter()
    nodes = nodes_in_dns(balancer)

    def one_request(choose: Choose) -> str:
        node = nodes[choose("which address?", [1] * len(nodes))]
        picked = pick(balancer, balancer.target_groups[0], BalancerMemory(), node.zone, _ANY, choose)
        assert picked.target is not None, "somebody is registered"
        return picked.target.id

    for each in outcomes(one_request):
        shares[each.result] += each.probability  # type: ignore[assignment]
    return dict(shares)  # type: ignore[arg-type]


def _reckoning(balancer: LoadBalancer, targets: list[Target], across: bool, zone: str, share: Fraction) -> str:
    if across:
        return f"Every node may pick any of the {_healthy(targets)} healthy targets, so that each of them gets {share}."
    left, here = nodes_in_dns(balancer), _healthy(targets, zone)
    gone = (
        f"Zone {one.zone} has no healthy target, so its node isn't in DNS. "
        for one in balancer.nodes
        if one not in left
    )
    part = (
        "The only node in DNS gets all requests"
        if len(left) == 1
        else f"Each node in DNS gets 1/{len(left)} of the requests"
    )
    return f"{''.join(gone)}{part}, and shares them out among the healthy targets of its zone, here {here}: {share}."


def _other_shares(balancer: LoadBalancer, targets: list[Target], across: bool, zone: str) -> Iterator[Slip]:
    """The other ways to reckon."""
    zones, here = len(balancer.nodes), _healthy(targets, zone)
    own = "with cross-zone off a node picks among the targets of its own zone only."
    ill = "unhealthy targets get nothing while others are healthy."
    if across:
        why = "with cross-zone on a node may pick targets in every zone; where a target stands doesn't matter."
        yield Slip(str(Fraction(1, zones * here)), why, "", PICKS)
    else:
        yield Slip(str(Fraction(1, _healthy(targets))), own, "", PICKS)
        gone = "a zone without a healthy target leaves DNS, and the others share its clients."
        yield Slip(str(Fraction(1, zones * here)), gone, "", HEALTHY_ONLY)
    yield Slip(str(Fraction(1, len(targets))), ill if across else own, "", HEALTHY_ONLY if across else PICKS)
    total = sum(target.zone == zone for target in targets)
    yield Slip(str(Fraction(1, zones * total)), ill, "", HEALTHY_ONLY)
    if not across:
        one = f"that is its share of what zone {zone} gets, and there is more than one zone."
        yield Slip(str(Fraction(1, here)), one, "", PICKS)


q4 = Predict(
    "3.4",
    "A fair share?",
    5,
    Level.MEDIUM,
    (
        "Two choices come one after the other: the client takes a node, and the node picks a target. Multiply.",
        "Which targets may that node pick? And which nodes does DNS still give out?",
    ),
    make=_share,
    otherwise="multiply the share of the nodes that may pick it by its share of what each of them gives.",
)


# q5: who may get the next request ----------------------------------------------------------------
NOBODY = "none: a 503"


def _states(draw: Random) -> list[Target]:
    """Five targets in two zones; in every second draft nobody is healthy."""
    states = [TargetHealth(), ILL, ILL, LEAVING] if draw.random() < 0.5 else [ILL, ILL, LEAVING]
    places = [("a", 1), ("a", 2), ("b", 1), ("b", 2), ("b", 3)]
    return [target_in(zone, number, draw.choice(states)) for zone, number in places]


@dataclass(frozen=True, slots=True)
class _Who:
    """Whom a node may pick, out of whom, and why not others."""

    group: TargetGroup
    zone: str

    @property
    def pool(self) -> Pool:
        return pool(balancer_in("ab"), self.group, self.zone)

    def others(self) -> Iterator[tuple[Target, ...]]:
        """Those whom people name."""
        everybody = self.group.targets
        inside = tuple(target for target in everybody if target.zone == self.zone)
        yield tuple(target for target in everybody if target.health.healthy)
        yield tuple(target for target in inside if target.health.healthy)
        yield from (self.pool.reachable, inside, everybody, ())

    def why_not(self, named: tuple[Target, ...]) -> Slip:
        """What is wrong with a wrong answer."""
        scope, found = {target.zone for target in self.pool.reachable}, self.pool
        answer = _names(named)
        if not self.group.cross_zone and any(target.zone != self.zone for target in named):
            return Slip(
                answer,
                f"with cross-zone off, a node in zone {self.zone} uses targets of zone {self.zone} only.",
                "",
                PICKS,
            )
        if any(not target.health.registered for target in named):
            return Slip(
                answer,
                "a target that is draining is about to leave, and gets no new request, whatever becomes of the others.",
                "",
                HEALTHY_ONLY,
            )
        if set(named) - set(found.usable):
            return Slip(answer, "enough are healthy, and then the others get nothing.", "", HEALTHY_ONLY)
        if found.fails_open:
            why = "too few are healthy, and then a target group fails open: all that are registered may get it."
            return Slip(answer, why, ONLY_HEALTHY, HEALTHY_ONLY)
        near = "cross-zone is on: this node may use the targets of both zones."
        return Slip(answer, near if named and len(scope) > 1 else "a healthy target is within reach.", "", PICKS)


def _who(draw: Random) -> Variant:
    across, zone, least = draw.random() < 0.5, draw.choice("ab"), draw.choice([1, 1, 2])
    targets = until(_states, lambda drawn: len({target.health for target in drawn}) > 1, draw)
    who = _Who(group_of(targets, across, least), zone)
    answer = _names(who.pool.usable)
    wrong = slips(Form.CHOICE, answer, *(who.why_not(named) for named in who.others() if _names(named) != answer))
    minimum = f" At least {least} healthy targets are wanted for routing." if least > 1 else ""
    return Variant(
        "The targets of a group, with what `describe-target-health` says of them:"
        f"\n{block(f'{target.id}: {target.health.state}' for target in targets)}"
        f"Cross-zone is {'on' if across else 'off'}.{minimum} The load balancer's node in zone {zone} has a request. "
        "Which targets may get it?",
        answer,
        _why_those(who),
        wrong,
        options=tuple(sorted([answer, *(slip.answer for slip in wrong)])),
    )


def _names(targets: tuple[Target, ...]) -> str:
    return ", ".join(target.id for target in targets) or NOBODY


def _why_those(who: _Who) -> str:
    found = who.pool
    scope = "in both zones" if who.group.cross_zone else f"in zone {who.zone}"
    if not found.reachable:
        return f"Nobody {scope} is registered and stays. Where there is nobody to ask, the answer is a 503."
    those = f"This node may pick {scope}, and what is draining stays out: {_names(found.reachable)}."
    least = max(who.group.attributes.routing_minimum_count or 1, 1)
    if found.fails_open:
        return f"{those} Healthy are {found.healthy} of these, fewer than {least}: the group fails open to any of them."
    return f"{those} Healthy are {found.healthy} of these, and {least} would do: only the healthy ones get requests."


q5 = Predict(
    "3.5",
    "Who may get it?",
    4,
    Level.MEDIUM,
    (
        "First: whom may this node pick at all? Only then: are enough of those healthy?",
        "If too few are healthy, the group fails open. What is draining or in a zone out of reach stays out.",
    ),
    make=_who,
    otherwise="that is none of the answers.",
)
