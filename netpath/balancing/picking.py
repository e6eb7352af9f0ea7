"""The second decision on a request: which target of the group gets it.

Source: ELB user guide, Target groups; Target group health; Cross-zone load balancing for target groups.

Not modelled: retries (a node makes none), and a zone's own health, which DNS failover looks at too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from netpath.balancing.deciding import STATION
from netpath.balancing.forwarding import verdict_for
from netpath.balancing.listener import Action, Forward, WeightedGroup
from netpath.balancing.memory import BalancerMemory
from netpath.balancing.objects import LoadBalancer, Node, Pool, Target, TargetGroup
from netpath.balancing.stickiness import group_for, remembered_target, stickiness_cookies
from netpath.choice import Choose
from netpath.packet import Hop, HttpRequest, LazySteps, Packet, Step, Verdict


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
    arn, cookies = group_for(forward, request, choose, now) if forward is not None else (action, ())
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
    return Picked(hop, target, cookies + stickiness_cookies(group, target, now), group)


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
    kept = remembered_target(group, open_to, request, now, alone) if group.attributes.stickiness else None
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
