"""Worlds that nobody chose: a world changed at random, by a seed.

Each change is one that an operator could make, wisely or not: a security group's rule less or more, other entries of a
network ACL, a route gone or a black hole, an instance stopped, another traffic policy, endpoints that aren't ready
or are on their way out, targets that are unhealthy, everything masqueraded.

    scrambled(shop(), 7)

Not modelled: changes that make a different network (more nodes, other addresses), and what the lab hasn't.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from netpath.balancing import HealthState, LoadBalancer, TargetGroup, TargetHealth
from netpath.kubernetes import Cluster, EndpointSlice, Pod, ProxyConfig, Service, SliceEndpoint, TrafficPolicy
from netpath.packet import Network
from netpath.vpc import AclEntry, NetworkAcl, Region, RouteTable, SecurityGroup, SecurityGroupRule
from netpath.vpc.objects import ANYWHERE, TargetKind
from netpath.world import World

T = TypeVar("T")
_PORTS = ((80, 80), (8080, 8080), (30080, 30080), (1024, 65535), (1, 1023), (30000, 32767), (53, 53))
_BLOCKS = tuple(
    map(Network, ("0.0.0.0/0", "10.0.0.0/16", "10.0.32.0/20", "10.0.48.0/20", "10.0.0.0/24", "198.51.100.0/24"))
)


def scrambled(world: World, seed: int | str) -> World:
    """A world with one to four changes."""
    dice = random.Random(seed)
    for _ in range(dice.randint(1, 4)):
        world = dice.choice(_CHANGES)(world, dice)
    return world


def _one(things: tuple[T, ...], dice: random.Random, change: Callable[[T, random.Random], T]) -> tuple[T, ...]:
    """The same things, but for one of them."""
    chosen = dice.randrange(len(things))
    return tuple(change(each, dice) if number == chosen else each for number, each in enumerate(things))


def _in_region(change: Callable[[Region, random.Random], Region]) -> Callable[[World, random.Random], World]:
    def changed(world: World, dice: random.Random) -> World:
        return world if world.region is None else replace(world, region=change(world.region, dice))

    return changed


def _in_cluster(change: Callable[[Cluster, random.Random], Cluster]) -> Callable[[World, random.Random], World]:
    def changed(world: World, dice: random.Random) -> World:
        return world if world.cluster is None else replace(world, cluster=change(world.cluster, dice))

    return changed


# The VPC -------------------------------------------------------------------------------------


def _groups(region: Region, dice: random.Random) -> Region:
    return replace(region, security_groups=_one(region.security_groups, dice, _group))


def _group(group: SecurityGroup, dice: random.Random) -> SecurityGroup:
    if dice.random() < 0.5:
        return replace(group, ingress=_rules(group.ingress, group.group_id, dice))
    return replace(group, egress=_rules(group.egress, group.group_id, dice))


def _rules(rules: tuple[SecurityGroupRule, ...], group: str, dice: random.Random) -> tuple[SecurityGroupRule, ...]:
    """Some of the rules, and perhaps another one."""
    peers: tuple[Network | str, ...] = (*_BLOCKS, group)
    more = SecurityGroupRule(dice.choice(peers), "tcp", *dice.choice(_PORTS))
    kept = tuple(rule for rule in rules if dice.random() < 0.6)
    return (*kept, more) if dice.random() < 0.5 else kept


def _acls(region: Region, dice: random.Random) -> Region:
    return replace(region, network_acls=_one(region.network_acls, dice, _acl))


def _acl(acl: NetworkAcl, dice: random.Random) -> NetworkAcl:
    """The same entries, with some more before or between them."""
    numbers = {(entry.egress, entry.rule_number) for entry in acl.entries}
    more = []
    for _ in range(dice.randint(1, 3)):
        egress, number = dice.random() < 0.5, dice.randint(50, 150)
        low, high = dice.choice(_PORTS)
        if (egress, number) not in numbers:
            numbers.add((egress, number))
            more.append(AclEntry(number, egress, dice.random() < 0.3, dice.choice(_BLOCKS), "tcp", low, high))
    return replace(acl, entries=(*acl.entries, *more))


def _routes(region: Region, dice: random.Random) -> Region:
    return replace(region, route_tables=_one(region.route_tables, dice, _route_table))


def _route_table(table: RouteTable, dice: random.Random) -> RouteTable:
    """Without a route, or with one that leads nowhere."""
    gone = dice.random() < 0.5
    routes = tuple(
        each if each.kind is TargetKind.LOCAL or dice.random() < 0.3 else replace(each, state="blackhole")
        for each in table.routes
        if not gone or each.kind is TargetKind.LOCAL or each.destination != ANYWHERE
    )
    return replace(table, routes=routes)


def _instances(region: Region, dice: random.Random) -> Region:
    return replace(region, instances=_one(region.instances, dice, lambda each, _: replace(each, state="stopped")))


# The load balancer ---------------------------------------------------------------------------


def _targets(world: World, dice: random.Random) -> World:
    return replace(world, load_balancers=_one(world.load_balancers, dice, _balancer)) if world.load_balancers else world


def _balancer(balancer: LoadBalancer, dice: random.Random) -> LoadBalancer:
    return replace(balancer, target_groups=_one(balancer.target_groups, dice, _target_group))


def _target_group(group: TargetGroup, dice: random.Random) -> TargetGroup:
    """Some targets that aren't well, and perhaps none of other zones."""
    states = (HealthState.HEALTHY, HealthState.UNHEALTHY, HealthState.DRAINING, HealthState.INITIAL)
    targets = tuple(replace(each, health=TargetHealth(dice.choice(states))) for each in group.targets)
    cross_zone = dice.choice(("false", "use_load_balancer_configuration"))
    return replace(group, targets=targets, attributes=replace(group.attributes, cross_zone=cross_zone))


# The cluster ---------------------------------------------------------------------------------


def _services(cluster: Cluster, dice: random.Random) -> Cluster:
    return replace(cluster, services=_one(cluster.services, dice, _service))


def _service(service: Service, dice: random.Random) -> Service:
    policy = dice.choice(tuple(TrafficPolicy))
    if any(port.node_port for port in service.ports):
        service = replace(service, external_traffic_policy=dice.choice(tuple(TrafficPolicy)))
    return replace(service, internal_traffic_policy=policy)


def _slices(cluster: Cluster, dice: random.Random) -> Cluster:
    return replace(cluster, slices=_one(cluster.slices, dice, _slice))


def _slice(part: EndpointSlice, dice: random.Random) -> EndpointSlice:
    return replace(part, endpoints=tuple(_endpoint(each, dice) for each in part.endpoints if dice.random() < 0.9))


def _endpoint(endpoint: SliceEndpoint, dice: random.Random) -> SliceEndpoint:
    """Ready, terminating but still serving, or neither."""
    ready, serving, terminating = dice.choice(((True, True, False), (False, True, True), (False, False, True)))
    return replace(endpoint, ready=ready, serving=serving, terminating=terminating)


def _pods(cluster: Cluster, dice: random.Random) -> Cluster:
    return replace(cluster, pods=_one(cluster.pods, dice, _pod))


def _pod(pod: Pod, dice: random.Random) -> Pod:
    return replace(pod, phase="Unknown", ready=dice.random() < 0.5)


def _proxy(cluster: Cluster, dice: random.Random) -> Cluster:
    everything = dice.random() < 0.5
    cidrs = () if everything else (Network("10.0.0.0/16"),)
    return replace(cluster, proxy=ProxyConfig(cluster_cidrs=cidrs, masquerade_all=everything))


_CHANGES = (
    _targets,
    *map(_in_region, (_groups, _acls, _routes, _instances)),
    *map(_in_cluster, (_services, _slices, _pods, _proxy)),
)
