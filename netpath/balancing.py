"""An Application Load Balancer at work: which rule takes a request, and which target gets it.

It isn't one machine. Each of its *nodes* is a network interface in an enabled zone, with addresses of its own;
DNS hands them all out and the client picks one. A node ends the client's connection and has others of its own,
from its private address, to the targets. So it balances *requests*: two requests on one client connection can
go to two pods.

A request takes two decisions. `decide` finds the listener and the first rule that matches
(`netpath.listener`); `pick` draws a target group if the rule names several, then asks the group's algorithm
(`netpath.algorithms`) for a target that this node may use:

- registered, in a zone that is enabled for the balancer, neither `draining` nor `unused`;
- with cross-zone off, in the node's own zone;
- healthy; but if fewer are than the group's minimum (one, unless set otherwise), any of them: it *fails open*.

Sources: ELB user guide (Target groups, Target group health, Cross-zone load balancing, Sticky sessions).

Not modelled: retries (a node makes none); how AWS breaks ties and shares a position among the processes of a
node (one position for each zone and group here); the encryption of cookies (they are encoded only); WAF.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import NamedTuple

from netpath.algorithms import Algorithm, LeastOutstanding, Random, RoundRobin
from netpath.balancer import (
    HEALTHY,
    HealthState,
    LoadBalancer,
    LoadBalancerAttributes,
    Node,
    Pool,
    Target,
    TargetGroup,
    TargetGroupAttributes,
    TargetHealth,
    Zone,
)
from netpath.choice import Choose
from netpath.errors import InputError
from netpath.forwarding import (
    CONNECT_TIMEOUT,
    FAILURES,
    answer_for,
    forwarded,
    page,
    refusal,
    transformed,
    verdict_for,
)
from netpath.listener import (
    Action,
    Condition,
    Field,
    FixedResponse,
    Forward,
    Listener,
    ListenerRule,
    Redirect,
    Transform,
    WeightedGroup,
    action_class,
)
from netpath.packet import Address, Endpoint, Hop, HttpRequest, HttpResponse, LazySteps, Packet, Step, Verdict

__all__ = [
    "CONNECT_TIMEOUT",
    "FAILURES",
    "HEALTHY",
    "Action",
    "BalancerMemory",
    "Condition",
    "Field",
    "FixedResponse",
    "Forward",
    "HealthState",
    "Listener",
    "ListenerRule",
    "LoadBalancer",
    "LoadBalancerAttributes",
    "Node",
    "Picked",
    "Pool",
    "Redirect",
    "Target",
    "TargetGroup",
    "TargetGroupAttributes",
    "TargetHealth",
    "Transform",
    "WeightedGroup",
    "Zone",
    "action_class",
    "answer_for",
    "application_cookies",
    "decide",
    "forwarded",
    "nodes_in_dns",
    "pick",
    "pool",
    "verdict_for",
]

STATION = "load balancer"

# Memory --------------------------------------------------------------------------------------

_ALGORITHM: dict[str, Callable[[], Algorithm[Target]]] = {
    "round_robin": lambda: RoundRobin[Target](random_start=True),
    "least_outstanding_requests": LeastOutstanding[Target],
    "weighted_random": Random[Target],
}


@dataclass(slots=True)
class Idle:
    """A connection from a node to a target that is open and has nothing to do, since some second."""

    source: Endpoint
    since: float


@dataclass(slots=True)
class BalancerMemory:
    """What a load balancer remembers between requests: each node's place in each group, and open connections."""

    algorithms: dict[tuple[str, str], Algorithm[Target]] = field(default_factory=dict)
    idle: dict[tuple[Address, Endpoint], list[Idle]] = field(default_factory=dict)

    def algorithm(self, zone: str, group: TargetGroup) -> Algorithm[Target]:
        """The algorithm of a node for a group, with what it remembers."""
        found = self.algorithms.get((zone, group.arn))
        if found is None:
            found = self.algorithms[zone, group.arn] = _ALGORITHM[group.attributes.algorithm]()
        return found

    def started(self, zone: str, group: TargetGroup, target: Target, now: float = 0.0) -> None:
        """A node sends a request to a target."""
        self.algorithm(zone, group).started(target, now)

    def finished(
        self,
        zone: str,
        group: TargetGroup,
        target: Target,
        now: float = 0.0,
        seconds: float = 0.0,
        failed: bool = False,
    ) -> None:
        """That request is answered, or has failed."""
        self.algorithm(zone, group).finished(target, now, seconds, failed)

    def reuse(self, node: Address, target: Endpoint, now: float, idle_timeout: float = 60.0) -> Endpoint | None:
        """The source of an open connection to the target, taken out of the idle ones; None if there is none.

        The node closes a connection that has had nothing to do for `idle_timeout` seconds.
        """
        waiting = self.idle.get((node, target), [])
        waiting[:] = [connection for connection in waiting if now - connection.since < idle_timeout]
        return waiting.pop().source if waiting else None

    def keep(self, node: Address, target: Endpoint, source: Endpoint, now: float) -> None:
        """A connection has nothing to do for now, and stays open."""
        self.idle.setdefault((node, target), []).append(Idle(source, now))

    def copy(self) -> BalancerMemory:
        return BalancerMemory(
            {key: algorithm.copy() for key, algorithm in self.algorithms.items()},
            {key: [Idle(one.source, one.since) for one in waiting] for key, waiting in self.idle.items()},
        )


# The rule ------------------------------------------------------------------------------------


def decide(
    balancer: LoadBalancer,
    listener_port: int,
    request: HttpRequest,
    client: Endpoint,
    received: Packet | None = None,
) -> tuple[Hop, Action | HttpResponse | None]:
    """What the listener on a port does with a request from `client` (the connection's own source).

    A `Forward` is yet to be carried out (`pick`); an `HttpResponse` is the answer; None means that nothing
    listens on the port, so that no connection comes about at all.
    """
    listener = balancer.listener_on(listener_port)
    if listener is None:
        return _no_listener(balancer, listener_port, received), None
    wrong = refusal(request)
    if wrong is not None:
        verdict = verdict_for(wrong, f"{listener.protocol} listener on port {listener.port}")
        return Hop(STATION, balancer.name, received, verdict), answer_for(wrong)
    rule = listener.rule_for(request, client.address)
    steps = LazySteps(lambda: _rules_consulted(listener, rule, request, client.address))
    action = rule.action
    if isinstance(action, Forward):
        return _to_targets(balancer, request, rule, action, steps, received)
    if isinstance(action, Redirect):
        answer = page(action.status, ("Location", action.location(request, listener.protocol, listener.port)))
        return Hop(STATION, balancer.name, received, Verdict("REDIRECT", rule.text), steps=steps), answer
    return Hop(STATION, balancer.name, received, Verdict("FIXED_RESPONSE", rule.text), steps=steps), _fixed(action)


def _to_targets(
    balancer: LoadBalancer,
    request: HttpRequest,
    rule: ListenerRule,
    action: Forward,
    steps: LazySteps,
    received: Packet | None,
) -> tuple[Hop, Action | HttpResponse]:
    if action.transforms:
        try:
            transformed(request, action.transforms)
        except InputError:
            verdict = verdict_for("bad transform", rule.text)
            return Hop(STATION, balancer.name, received, verdict, steps=steps), answer_for("bad transform")
    return Hop(STATION, balancer.name, received, Verdict("FORWARD", rule.text), steps=steps), action


def _no_listener(balancer: LoadBalancer, port: int, received: Packet | None) -> Hop:
    listeners = balancer.listeners

    def steps() -> Iterator[Step]:
        for listener in listeners:
            why = f"the client asks port {port}, the listener is on {listener.port}"
            yield Step(f"{listener.protocol} listener on port {listener.port}", False, why, listener.arn)

    verdict = Verdict("ELBV2_LISTENERS_MISMATCH", f"listeners: {', '.join(str(one.port) for one in listeners)}")
    return Hop(STATION, balancer.name, received, verdict, steps=LazySteps(steps))


def _rules_consulted(listener: Listener, taken: ListenerRule, request: HttpRequest, client: Address) -> Iterator[Step]:
    for rule in listener.rules:
        yield rule.step(request, client)
        if rule is taken:
            return


def _fixed(action: FixedResponse) -> HttpResponse:
    kind = (("Content-Type", action.content_type),) if action.content_type else ()
    length = ("Content-Length", str(len(action.message_body.encode())))
    server = page(action.status_code).headers[0]
    return HttpResponse(action.status_code, server[1], (server, *kind, length), action.message_body)


# The target ----------------------------------------------------------------------------------


class Picked(NamedTuple):
    """What came of picking: the decision, the target (None if there is none), the cookies to set."""

    hop: Hop
    target: Target | None
    cookies: tuple[str, ...]
    group: TargetGroup | None


def pool(balancer: LoadBalancer, group: TargetGroup, zone: str) -> Pool:
    """Which targets of a group the balancer's node in a zone may use, and which it does use."""
    found = balancer._pools.get((group.arn, zone))
    if found is None:
        enabled = {one.name for one in balancer.zones}
        found = balancer._pools[group.arn, zone] = _pool(group, zone, enabled)
    return found


def _pool(group: TargetGroup, zone: str, enabled: set[str]) -> Pool:
    reachable = tuple(target for target in group.targets if _hindrance(target, group, zone, enabled) is None)
    healthy = tuple(target for target in reachable if target.health.healthy)
    asked = group.attributes
    opens = _too_few(len(healthy), len(reachable), asked.routing_minimum_count, asked.routing_minimum_percentage)
    return Pool(reachable, reachable if opens else healthy, len(healthy), opens)


def _hindrance(target: Target, group: TargetGroup, zone: str, enabled: set[str]) -> str | None:
    """Why the node in `zone` can't use a target, as a failure of the whole group would be told."""
    if not target.health.registered:
        return "no targets"
    if target.zone not in (None, "all") and target.zone not in enabled:
        return "no enabled zone"
    if not group.cross_zone and target.zone not in (None, "all", zone):
        return "no target in the zone"
    return None


def _too_few(healthy: int, total: int, count: int | None, percentage: int | None) -> bool:
    """Whether either threshold is undercut; without any, it still takes one healthy target."""
    return healthy < max(count or 1, 1) or (percentage is not None and healthy * 100 < percentage * total)


def pick(
    balancer: LoadBalancer,
    action: Forward | TargetGroup | str,
    memory: BalancerMemory,
    node_zone: str,
    request: HttpRequest,
    choose: Choose,
    now: float = 0.0,
    received: Packet | None = None,
) -> Picked:
    """The target that the node in `node_zone` sends the request to.

    `action` is what `decide` answered, or one target group (or its ARN). With no target, `answer_for` the
    verdict's failure is what the user gets: always a 503.
    """
    forward = action if isinstance(action, Forward) else None
    arn, cookies = _group_for(forward, request, choose, now) if forward is not None else (action, ())
    if arn is None:
        rule = verdict_for("no target group", str(forward))
        return Picked(Hop(STATION, _at(balancer, node_zone), received, rule), None, (), None)
    group = arn if isinstance(arn, TargetGroup) else balancer.group(str(arn))
    open_to = pool(balancer, group, node_zone)
    at = _at(balancer, node_zone)
    if not open_to.usable:
        return Picked(_no_target(balancer, group, node_zone, at, received), None, cookies, group)
    alone = forward is None or len(forward.groups) == 1
    target, code = _target(group, open_to, memory, node_zone, request, choose, now, alone)
    verdict = Verdict(code, f"{group.name}: {group.attributes.algorithm}")
    steps = LazySteps(lambda: _targets_considered(balancer, group, node_zone, open_to, target))
    hop = Hop(STATION, at, received, verdict, steps=steps)
    return Picked(hop, target, cookies + _stickiness_cookie(group, target, now), group)


def _at(balancer: LoadBalancer, zone: str) -> str:
    return f"{balancer.name} {zone}"


def _target(
    group: TargetGroup,
    open_to: Pool,
    memory: BalancerMemory,
    zone: str,
    request: HttpRequest,
    choose: Choose,
    now: float,
    alone: bool,
) -> tuple[Target, str]:
    """The target that a cookie names, or the algorithm's; and the code that says how it was found."""
    kept = _remembered_target(group, open_to, request, now, alone) if group.attributes.stickiness else None
    if kept is not None:
        return kept, "STICKY_TARGET"
    target = memory.algorithm(zone, group).pick(open_to.usable, choose, now)
    assert target is not None, "a pool with a usable target"
    return target, "FAIL_OPEN" if open_to.fails_open else "FORWARDED"


def _no_target(balancer: LoadBalancer, group: TargetGroup, zone: str, at: str, received: Packet | None) -> Hop:
    """Why there is none: the hindrance that the target closest to being used meets."""
    enabled = {one.name for one in balancer.zones}
    met = {_hindrance(target, group, zone, enabled) for target in group.targets}
    failure = next((name for name in ("no target in the zone", "no enabled zone") if name in met), "no targets")
    steps = LazySteps(lambda: _targets_considered(balancer, group, zone, pool(balancer, group, zone), None))
    return Hop(STATION, at, received, verdict_for(failure, f"{group.name}: {len(group.targets)} targets"), steps=steps)


_WHY_NOT = {
    "no enabled zone": "zone {zone} is not enabled for the load balancer",
    "no target in the zone": "cross-zone is off, and the node is in {node}, not in {zone}",
}


def _targets_considered(
    balancer: LoadBalancer, group: TargetGroup, zone: str, open_to: Pool, taken: Target | None
) -> Iterator[Step]:
    enabled = {one.name for one in balancer.zones}
    for target in group.targets:
        hindrance = _hindrance(target, group, zone, enabled)
        if hindrance is not None:
            why = _WHY_NOT.get(hindrance, f"it is {target.health}").format(zone=target.zone, node=zone)
        elif target not in open_to.usable:
            why = f"it is {target.health}, and {open_to.healthy} of {len(open_to.reachable)} are healthy"
        else:
            health = "any will do, for too few are healthy" if open_to.fails_open else "it is healthy"
            why = f"{health}; {group.attributes.algorithm} {'picked it' if target is taken else 'picked another'}"
        yield Step(str(target), target is taken, why, group.arn)


def nodes_in_dns(balancer: LoadBalancer) -> tuple[Node, ...]:
    """The nodes whose addresses the balancer's DNS name has: those of healthy zones; all, if no zone is.

    A zone is healthy if every target group that a listener uses has enough healthy targets there (with
    cross-zone on: anywhere). Source: ELB user guide, Target group health.
    """
    used = {group.arn for one in balancer.listeners for rule in one.rules for group in _groups_of(rule.action)}
    groups = [group for group in balancer.target_groups if group.arn in used]
    healthy = {zone.name for zone in balancer.zones if all(_enough(balancer, group, zone.name) for group in groups)}
    return tuple(node for node in balancer.nodes if node.zone in healthy) or balancer.nodes


def _groups_of(action: Action) -> tuple[WeightedGroup, ...]:
    return action.groups if isinstance(action, Forward) else ()


def _enough(balancer: LoadBalancer, group: TargetGroup, zone: str) -> bool:
    there, asked = pool(balancer, group, zone), group.attributes
    return not _too_few(there.healthy, len(there.reachable), asked.dns_minimum_count, asked.dns_minimum_percentage)


# Cookies -------------------------------------------------------------------------------------

_WEEK = 604_800


def _cookies(request: HttpRequest) -> dict[str, str]:
    """The request's cookies (RFC 6265 §5.4), by name."""
    header = request.header("Cookie")
    pairs = (pair.strip().partition("=") for pair in header.split(";")) if header else ()
    return {name: value for name, _, value in pairs}


def _seal(*parts: object) -> str:
    """What stands for AWS's encryption: unreadable to a person, but for anyone who decodes it."""
    return urlsafe_b64encode("\n".join(map(str, parts)).encode()).decode().rstrip("=")


def _unseal(value: str | None, count: int) -> list[str] | None:
    """The parts again; None for a cookie that can't be decoded."""
    try:
        parts = urlsafe_b64decode((value or "") + "=" * (-len(value or "") % 4)).decode().split("\n")
    except (binascii.Error, ValueError):
        return None
    return parts if len(parts) == count and parts[-1].isdigit() else None


def _set_cookie(names: tuple[str, str], value: str, expires: float) -> tuple[str, ...]:
    """A cookie, and its twin that a browser also sends across origins."""
    when = formatdate(expires, usegmt=True)
    plain, cors = names
    return f"{plain}={value}; Expires={when}; Path=/", f"{cors}={value}; Expires={when}; Path=/; SameSite=None; Secure"


def _group_for(action: Forward, request: HttpRequest, choose: Choose, now: float) -> tuple[str | None, tuple[str, ...]]:
    """The ARN of the group to use (None if none can be), and the cookies that keep it so."""
    groups, duration = action.groups, action.stickiness_seconds
    if len(groups) == 1 and groups[0].weight and duration is None:
        return groups[0].arn, ()
    if not any(group.weight for group in groups):
        return None, ()
    arn = _remembered_group(action, request, now) if duration is not None else None
    if arn is None:
        arn = groups[choose("which target group?", [group.weight for group in groups])].arn
    if duration is None:
        return arn, ()
    return arn, _set_cookie(("AWSALBTG", "AWSALBTGCORS"), _seal(arn, int(now + duration)), now + duration)


def _remembered_group(action: Forward, request: HttpRequest, now: float) -> str | None:
    cookies = _cookies(request)
    parts = _unseal(cookies.get("AWSALBTG", cookies.get("AWSALBTGCORS")), 2)
    if parts is None or int(parts[1]) < now or parts[0] not in {group.arn for group in action.groups}:
        return None
    return parts[0]


def _remembered_target(
    group: TargetGroup, open_to: Pool, request: HttpRequest, now: float, alone: bool
) -> Target | None:
    """The target that the request's cookie names, if the node still uses it.

    Not with cross-zone off, and an application's cookie not with several groups: AWS supports neither.
    """
    cookies = _cookies(request)
    if group.attributes.stickiness == "lb_cookie":
        value = cookies.get("AWSALB", cookies.get("AWSALBCORS"))
    else:
        value = cookies.get("AWSALBAPP-0") if alone and group.attributes.app_cookie_name in cookies else None
    parts = _unseal(value, 4)
    if parts is None or not group.cross_zone or parts[0] != group.arn or int(parts[3]) < now:
        return None
    return next((t for t in open_to.usable if t.id == parts[1] and str(t.endpoint) == parts[2]), None)


def _stickiness_cookie(group: TargetGroup, target: Target, now: float) -> tuple[str, ...]:
    if group.attributes.stickiness != "lb_cookie" or not group.cross_zone:
        return ()
    expires = now + group.attributes.lb_cookie_seconds
    return _set_cookie(("AWSALB", "AWSALBCORS"), _seal(group.arn, target.id, target.endpoint, int(expires)), expires)


def application_cookies(
    group: TargetGroup, target: Target, request: HttpRequest, response: HttpResponse, now: float
) -> tuple[str, ...]:
    """The cookies that application-based stickiness adds to a target's answer.

    The first time the target must set its own cookie; after that the balancer renews AWSALBAPP each time.
    """
    name = group.attributes.app_cookie_name
    if group.attributes.stickiness != "app_cookie" or not group.cross_zone:
        return ()
    set_now = any(k.lower() == "set-cookie" and v.partition("=")[0].strip() == name for k, v in response.headers)
    if not set_now and not {name, "AWSALBAPP-0"} <= _cookies(request).keys():
        return ()
    sealed = _seal(group.arn, target.id, target.endpoint, int(now + group.attributes.app_cookie_seconds))
    return (f"AWSALBAPP-0={sealed}; Expires={formatdate(now + _WEEK, usegmt=True)}; Path=/",)
