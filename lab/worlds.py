"""Worlds that nobody chose: a world changed at random, by a seed.

Each change is one that an operator could make, wisely or not: rules of a security group less or more, and a group that
others name; entries of network ACLs before, between and behind those that are there; routes that are more specific,
gone or black holes; a subnet left to the VPC's defaults; an instance stopped, a gateway taken away; listener rules and
Ingresses that are asked earlier or later; another traffic policy, endpoints that aren't ready or are on their way
out, targets that are unhealthy, everything masqueraded.

    scrambled(shop(), 7)

What filters by order, prefix or reference is drawn from few values that overlap, for only then it matters which of
them is asked. No range of ports cuts through those that are drawn by chance, or chance would decide what passes.

Not modelled: changes that make a different network (more nodes, other addresses), and what the lab hasn't.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from netpath.balancing import (
    Action,
    Condition,
    Field,
    FixedResponse,
    Forward,
    HealthState,
    Listener,
    ListenerRule,
    LoadBalancer,
    TargetGroup,
    TargetHealth,
    WeightedGroup,
)
from netpath.kubernetes import (
    Cluster,
    EndpointSlice,
    Ingress,
    IngressBackend,
    IngressPath,
    IngressRule,
    PathType,
    Pod,
    ProxyConfig,
    Service,
    SliceEndpoint,
    TrafficPolicy,
)
from netpath.packet import Network
from netpath.vpc import (
    AclEntry,
    NatGateway,
    NetworkAcl,
    NetworkInterface,
    Region,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
)
from netpath.vpc.objects import TargetKind
from netpath.world import World

T = TypeVar("T")
_REPLIES = (1024, 65535)
_ALL = (0, 65535)
_PORTS = (_ALL, _ALL, _REPLIES, _REPLIES, (80, 80), (80, 1023), (8080, 8080), (30080, 30080), (30079, 30081), (1, 1023))
_PROTOCOLS = ("tcp", "tcp", "tcp", "tcp", "-1", "-1", "icmp", "udp")
_WIDE = tuple(map(Network, ("0.0.0.0/0", "10.0.0.0/16", "10.0.0.0/23", "10.0.32.0/19", "0.0.0.0/1")))
_NARROW = tuple(
    map(Network, ("198.51.100.0/24", "10.0.0.0/24", "10.0.1.0/24", "10.0.32.0/20", "10.0.48.0/20", "10.0.34.0/24"))
)
_BLOCKS = (*_WIDE, *_NARROW, Network("10.0.33.12/32"))
_ABROAD = tuple(map(Network, ("0.0.0.0/1", "128.0.0.0/1", "198.51.0.0/16", "198.51.100.0/24", "198.51.100.23/32")))
_INSIDE = _NARROW[1:-1]


def scrambled(world: World, seed: int | str) -> World:
    """A world with two to five changes."""
    dice = random.Random(seed)
    for change in dice.choices(list(_CHANGES), list(_CHANGES.values()), k=dice.randint(2, 5)):
        world = change(world, dice)
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


def _some(things: tuple[T, ...], dice: random.Random, share: float) -> tuple[T, ...]:
    return tuple(each for each in things if dice.random() < share)


def _groups(region: Region, dice: random.Random) -> Region:
    names = tuple(group.group_id for group in region.security_groups)
    return replace(
        region, security_groups=_one(region.security_groups, dice, lambda each, _: _group(each, dice, names))
    )


def _group(group: SecurityGroup, dice: random.Random, names: tuple[str, ...]) -> SecurityGroup:
    """Most of the rules one way, and perhaps others."""
    if dice.random() < 0.6:
        return replace(group, ingress=_some(group.ingress, dice, 0.7) + _rules(dice, names))
    return replace(group, egress=_some(group.egress, dice, 0.5) + _rules(dice, names))


def _rules(dice: random.Random, names: tuple[str, ...]) -> tuple[SecurityGroupRule, ...]:
    peers: tuple[Network | str, ...] = (*_BLOCKS, *names, *names, *names)
    return tuple(_rule(dice, dice.choice(peers)) for _ in range(dice.randint(0, 3)))


def _rule(dice: random.Random, peer: Network | str) -> SecurityGroupRule:
    return SecurityGroupRule(peer, *_traffic(dice))


def _traffic(dice: random.Random) -> tuple[str, int | None, int | None]:
    """A protocol, and its first and last port if it has ports."""
    protocol = dice.choice(_PROTOCOLS)
    first, last = dice.choice(_PORTS) if protocol in ("tcp", "udp") else (None, None)
    return protocol, first, last


def _more_groups(region: Region, dice: random.Random) -> Region:
    """A group more, which some interfaces have besides their own, and which a rule of another may name."""
    name = f"sg-0a1b000000000001{len(region.security_groups)}"
    names = (*(group.group_id for group in region.security_groups), name)
    one = SecurityGroup(name, region.vpcs[0].vpc_id, _rules(dice, names), _rules(dice, names))
    groups = _one(region.security_groups, dice, lambda each, _: _group(each, dice, (name,)))
    interfaces = tuple(_with_group(each, name, dice) for each in region.network_interfaces)
    return replace(region, security_groups=(*groups, one), network_interfaces=interfaces)


def _with_group(interface: NetworkInterface, name: str, dice: random.Random) -> NetworkInterface:
    if not interface.group_ids or dice.random() < 0.4:
        return interface
    kept = interface.group_ids if dice.random() < 0.9 else ()
    return replace(interface, group_ids=dice.choice(((name, *kept), (*kept, name))))


def _acls(region: Region, dice: random.Random) -> Region:
    """Other entries in most of the network ACLs that a subnet has."""
    used = (each.subnet_ids and dice.random() < 0.7 for each in region.network_acls)
    acls = tuple(_acl(each, dice) if use else each for use, each in zip(used, region.network_acls, strict=True))
    return replace(region, network_acls=acls)


def _acl(acl: NetworkAcl, dice: random.Random) -> NetworkAcl:
    """Most entries, and others before, between and behind them: each can be hidden by one with a lower number."""
    taken = {(entry.egress, entry.rule_number) for entry in acl.entries}
    drawn = dict.fromkeys((dice.random() < 0.5, dice.randint(80, 130)) for _ in range(dice.randint(3, 7)))
    more = tuple(_entry(dice, *place) for place in drawn if place not in taken)
    return replace(acl, entries=_some(acl.entries, dice, 0.9) + more)


def _entry(dice: random.Random, egress: bool, number: int) -> AclEntry:
    """One that comes early and denies is narrow, or nothing would pass."""
    allow = dice.random() < 0.4
    traffic = _traffic(dice)
    block = dice.choice(_BLOCKS if allow or number > 100 else _NARROW)
    return AclEntry(number, egress, allow, block, *traffic)


def _associations(region: Region, dice: random.Random) -> Region:
    """A subnet is left to the VPC's default network ACL, or to its main route table."""
    subnet = dice.choice(region.subnets).subnet_id
    if dice.random() < 0.7:
        return replace(region, network_acls=tuple(_left(each, subnet) for each in region.network_acls))
    return replace(region, route_tables=tuple(_left(each, subnet) for each in region.route_tables))


Owner = TypeVar("Owner", NetworkAcl, RouteTable)


def _left(owner: Owner, subnet: str) -> Owner:
    return replace(owner, subnet_ids=tuple(each for each in owner.subnet_ids if each != subnet))


def _routes(region: Region, dice: random.Random) -> Region:
    tables = tuple(_route_table(each, dice) if dice.random() < 0.6 else each for each in region.route_tables)
    return replace(region, route_tables=tables)


def _route_table(table: RouteTable, dice: random.Random) -> RouteTable:
    """More specific routes, some of which lead nowhere; and perhaps without one that was there."""
    away = next((each.target for each in table.routes if each.kind is not TargetKind.LOCAL), "")
    if not away:
        return table
    more = {block: _route(block, away, dice) for block in dice.sample(_ABROAD, dice.randint(0, 3))}
    if dice.random() < 0.3:
        block = dice.choice(_INSIDE)
        more[block] = Route(block, away, "blackhole")
    kept = (each for each in table.routes if each.destination not in more)
    fewer = tuple(each for each in kept if each.kind is TargetKind.LOCAL or dice.random() < 0.8)
    return replace(table, routes=(*fewer, *more.values()))


def _route(block: Network, target: str, dice: random.Random) -> Route:
    return Route(block, target, dice.choice(("active", "blackhole")))


def _outages(region: Region, dice: random.Random) -> Region:
    """An instance is stopped, a NAT gateway fails, or the internet gateway is detached."""
    kind = dice.random()
    if kind < 0.5:
        return replace(region, instances=_one(region.instances, dice, lambda each, _: replace(each, state="stopped")))
    if kind < 0.9:
        return replace(region, nat_gateways=_one(region.nat_gateways, dice, _failed))
    return replace(region, internet_gateways=tuple(replace(each, vpc_id=None) for each in region.internet_gateways))


def _failed(gateway: NatGateway, _: random.Random) -> NatGateway:
    return replace(gateway, state="failed")


# The load balancer ---------------------------------------------------------------------------


def _targets(world: World, dice: random.Random) -> World:
    return replace(world, load_balancers=_one(world.load_balancers, dice, _balancer)) if world.load_balancers else world


def _balancer(balancer: LoadBalancer, dice: random.Random) -> LoadBalancer:
    return replace(balancer, target_groups=tuple(_target_group(each, dice) for each in balancer.target_groups))


def _listeners(world: World, dice: random.Random) -> World:
    return (
        replace(world, load_balancers=_one(world.load_balancers, dice, _more_rules)) if world.load_balancers else world
    )


def _more_rules(balancer: LoadBalancer, dice: random.Random) -> LoadBalancer:
    return replace(balancer, listeners=_one(balancer.listeners, dice, lambda each, _: _listener(each, balancer, dice)))


_HOSTS = ("shop.example.com", "SHOP.example.com", "?hop.example.*", "*.example.com", "www.*", "*", "example.com")
_PATHS = ("/cart", "/cart*", "/Cart*", "/?art", "/old-cart*", "/*/*", "/*", "/")


def _listener(listener: Listener, balancer: LoadBalancer, dice: random.Random) -> Listener:
    """Most of the rules, and others before and between them; the last of the listener's is its default."""
    rules = {each.priority: each for each in _some(listener.rules[:-1], dice, 0.8)}
    for priority in dice.sample(range(1, 40), dice.randint(1, 3)):
        rules[priority] = ListenerRule(priority, _action(balancer, dice), _conditions(dice))
    default = _action(balancer, dice) if dice.random() < 0.2 else listener.default
    return replace(listener, default=default, rules=tuple(rules.values()))


def _conditions(dice: random.Random) -> tuple[Condition, ...]:
    host = Condition(Field.HOST_HEADER, tuple(dice.sample(_HOSTS, dice.randint(1, 2))))
    path = Condition(Field.PATH_PATTERN, tuple(dice.sample(_PATHS, dice.randint(1, 2))))
    return dice.choice(((host,), (path,), (host, path), (path, host)))


def _action(balancer: LoadBalancer, dice: random.Random) -> Action:
    if dice.random() < 0.4:
        return FixedResponse(dice.choice((200, 403, 503)), "said so", "text/plain")
    drawn = dice.sample(balancer.target_groups, dice.randint(1, 2))
    return Forward(tuple(WeightedGroup(each.arn, dice.choice((0, 1, 1, 3))) for each in drawn))


def _target_group(group: TargetGroup, dice: random.Random) -> TargetGroup:
    """Some targets that aren't well, or none that is, and perhaps none of other zones."""
    ill = HealthState.UNHEALTHY, HealthState.DRAINING, HealthState.INITIAL
    states = ill if dice.random() < 0.3 else (HealthState.HEALTHY, HealthState.HEALTHY, *ill)
    targets = tuple(replace(each, health=TargetHealth(dice.choice(states))) for each in group.targets)
    cross_zone = dice.choice(("false", "false", "use_load_balancer_configuration"))
    return replace(group, targets=targets, attributes=replace(group.attributes, cross_zone=cross_zone))


# The cluster ---------------------------------------------------------------------------------


def _services(cluster: Cluster, dice: random.Random) -> Cluster:
    return replace(cluster, services=_one(cluster.services, dice, _service))


def _service(service: Service, dice: random.Random) -> Service:
    policy = dice.choice(tuple(TrafficPolicy))
    if any(port.node_port for port in service.ports):
        service = replace(service, external_traffic_policy=dice.choice(tuple(TrafficPolicy)))
    return replace(service, internal_traffic_policy=policy)


def _ingresses(cluster: Cluster, dice: random.Random) -> Cluster:
    """Another Ingress, older or younger than those that there are, for the same hosts and paths or similar ones."""
    created = f"202{dice.choice((5, 7))}-0{len(cluster.ingresses)}-01T00:00:00Z"
    name = f"more{len(cluster.ingresses)}"
    rules = tuple(IngressRule(host, _paths(dice)) for host in dice.sample(_INGRESS_HOSTS, dice.randint(1, 2)))
    return replace(cluster, ingresses=(*cluster.ingresses, Ingress("shop", name, created, "nginx", rules)))


_INGRESS_HOSTS = ("shop.example.com", "www.example.com", "*.example.com", "*.shop.example.com", "")
_KINDS = (PathType.PREFIX, PathType.PREFIX, PathType.EXACT, PathType.IMPLEMENTATION_SPECIFIC)


def _paths(dice: random.Random) -> tuple[IngressPath, ...]:
    paths = dice.sample(("/cart", "/Cart", "/car", "/cart/1", "/"), dice.randint(1, 3))
    return tuple(_path(each, dice) for each in paths)


def _path(path: str, dice: random.Random) -> IngressPath:
    return IngressPath(path, dice.choice(_KINDS), IngressBackend(dice.choice(("cart", "web", "nobody")), "http"))


def _slices(cluster: Cluster, dice: random.Random) -> Cluster:
    return replace(
        cluster, slices=tuple(_slice(each, dice) if dice.random() < 0.5 else each for each in cluster.slices)
    )


def _slice(part: EndpointSlice, dice: random.Random) -> EndpointSlice:
    """Some endpoints, or none at all."""
    share = 0.0 if dice.random() < 0.25 else 0.9
    return replace(part, endpoints=tuple(_endpoint(each, dice) for each in _some(part.endpoints, dice, share)))


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


_CHANGES: dict[Callable[[World, random.Random], World], int] = {  # each with how often it is made, beside the others
    **dict.fromkeys((_targets, _listeners), 3),
    **{_in_region(change): often for change, often in ((_acls, 6), (_groups, 1), (_more_groups, 4), (_routes, 4))},
    **dict.fromkeys(map(_in_region, (_associations, _outages)), 1),
    **dict.fromkeys(map(_in_cluster, (_services, _pods, _proxy, _ingresses)), 1),
    _in_cluster(_slices): 2,
}
