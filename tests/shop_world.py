"""The book's own world for the tests: its addresses by name, ways to change it, and roads that print themselves.

Whatever a test sends is printed hop by hop; pytest shows that when the test fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from netpath.balancing import LoadBalancer, TargetGroup
from netpath.choice import Choose, first
from netpath.fabric import Trip
from netpath.fabric import round_trip as _round_trip
from netpath.fabric import send as _send
from netpath.journey import Connection, Journey
from netpath.journey import travel as _travel
from netpath.kubernetes import Cluster, Pod, Service, SliceEndpoint
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import Address, Endpoint, Hop, IcmpType, Packet, Protocol, address, endpoint, http_request
from netpath.vpc import NetworkAcl, Region, RouteTable, SecurityGroup
from netpath.world import Place, World

SHOP = shop()

USER = "198.51.100.23"
ALB_A, ALB_B = "10.0.0.25", "10.0.1.118"  # the load balancer's nodes, in zones a and b
PUBLIC_A, PUBLIC_B = "203.0.113.10", "203.0.113.20"
NODE_1, NODE_2, NODE_3 = "10.0.32.11", "10.0.33.12", "10.0.48.13"  # 1 and 3 have an ingress pod, 2 has none
NODES = (NODE_1, NODE_2, NODE_3)
ETH1 = "10.0.49.13"  # the third node's second interface
INGRESS_1, INGRESS_3 = "10.0.34.101", "10.0.50.121"
CART_1, CART_2, CART_3, CART_ETH1 = "10.0.34.103", "10.0.35.112", "10.0.50.123", "10.0.51.131"  # CART_3 isn't ready
WEB_1, WEB_2, WEB_3 = "10.0.34.104", "10.0.35.111", "10.0.50.122"
SHELL = "10.0.35.113"  # on the second node; declares no port
DNS_1, DNS_ETH1 = "10.0.34.102", "10.0.51.132"
PODS = (INGRESS_1, INGRESS_3, CART_1, CART_2, CART_3, CART_ETH1, WEB_1, WEB_2, WEB_3, SHELL, DNS_1, DNS_ETH1)
WEB_SERVICE, CART_SERVICE, DNS_SERVICE, INGRESS_SERVICE = (
    "172.20.145.7",
    "172.20.61.214",
    "172.20.0.10",
    "172.20.230.99",
)
NODE_PORT = 30080
SERVER = "198.51.100.99"  # somebody out on the Internet
NAT_A, NAT_B = "203.0.113.30", "203.0.113.31"

CONTROLLER = "ingress-nginx/ingress-nginx-controller"
SHOP_INGRESS, CART_PODS = "shop-ingress", "shop-cart-pods"  # target groups
PUBLIC_ACL, PRIVATE_ACL = "acl-0ac000000000000a1", "acl-0ac000000000000b2"
ALB_GROUP, NODE_GROUP = "sg-0a1b000000000000a", "sg-0a1b000000000000b"
PUBLIC_ROUTES, PRIVATE_ROUTES_A = "rtb-0f0000000000000ff", "rtb-0f0000000000000fa"


# Going, and telling -----------------------------------------------------------------------------


def travel(
    url: str = "http://shop.example.com/cart",
    world: World = SHOP,
    memory: Memory | None = None,
    choose: Choose = first,
    headers: tuple[tuple[str, str], ...] = (),
    **options: Any,
) -> Journey:
    """Open a URL, and print what came of it."""
    request = http_request(url, headers=headers)
    journey = _travel(world, Memory() if memory is None else memory, request, choose, **options)
    print(told(journey))
    return journey


def round_trip(
    packet: Packet, world: World = SHOP, memory: Memory | None = None, choose: Choose = first
) -> tuple[Trip, Trip | None]:
    """Send a packet and its answer, and print both ways."""
    out, back = _round_trip(world, Memory() if memory is None else memory, packet, choose)
    print(_trip("out", out), *([] if back is None else [_trip("back", back)]), sep="\n")
    return out, back


def send(
    packet: Packet, world: World = SHOP, memory: Memory | None = None, choose: Choose = first, **options: Any
) -> Trip:
    """Send a packet one way, and print it."""
    trip = _send(world, Memory() if memory is None else memory, packet, choose, **options)
    print(_trip("out", trip))
    return trip


def told(journey: Journey) -> str:
    """A journey as text: every hop, the decision, the rule."""
    lines = [f"{journey.request.url}: {journey.outcome} after {journey.waited:g} s"]
    lines += map(_hop, journey.looked.hops if journey.looked else ())
    for attempt in journey.attempts:
        lines += _connection(attempt, "")
    return "\n".join(lines)


def _connection(connection: Connection, indent: str) -> list[str]:
    lines = [f"{connection.name}: {connection.end}{' (reused)' if connection.reused else ''}"]
    lines += _trip("out", connection.out).splitlines()
    lines += map(_hop, connection.decisions)
    for onward in connection.onward:
        lines += _connection(onward, "    ")
    if connection.conclusion is not None:
        lines.append(_hop(connection.conclusion))
    if connection.back is not None:
        lines += _trip("back", connection.back).splitlines()
    return [indent + line for line in lines]


def _trip(way: str, trip: Trip) -> str:
    ends = f"{way} {trip.sent} -> {trip.packet} at {trip.place}"
    refused = [] if trip.refusal is None else [_trip("refused", trip.refusal)]
    return "\n".join([ends, *map(_hop, trip.hops), *refused])


def _hop(hop: Hop) -> str:
    rewritten = "".join(f", {end} {before} -> {after}" for end, before, after in hop.rewrites)
    return f"  {hop.station} {hop.at}: {hop.verdict.code} {hop.verdict.rule}{rewritten}"


# What to look at ----------------------------------------------------------------------------------


def codes(hops: Iterable[Hop], station: str) -> list[str]:
    """The verdicts of all boxes of one kind, in order."""
    return [hop.verdict.code for hop in hops if hop.station == station]


def ends(packet: Packet | None) -> tuple[str, str] | None:
    """A packet's source and destination, as text."""
    return None if packet is None else (str(packet.source), str(packet.destination))


def ping(source: str, destination: str) -> Packet:
    """An ICMP echo request; the source's port is its identifier."""
    return Packet(Protocol.ICMP, endpoint(source), endpoint(destination), icmp=IcmpType.ECHO_REQUEST)


def place(name: str, world: World = SHOP) -> Place:
    return world.where(address(name))


# Other worlds -------------------------------------------------------------------------------------


def with_cluster(world: World = SHOP, **fields: Any) -> World:
    assert world.cluster is not None
    return replace(world, cluster=replace(world.cluster, **fields))


def cluster(world: World = SHOP) -> Cluster:
    assert world.cluster is not None
    return world.cluster


def region(world: World = SHOP) -> Region:
    assert world.region is not None
    return world.region


def with_service(key: str, world: World = SHOP, **fields: Any) -> World:
    """One Service with other fields."""

    def change(service: Service) -> Service:
        return replace(service, **fields) if service.key == key else service

    return with_cluster(world, services=tuple(map(change, cluster(world).services)))


def with_endpoints(key: str, change: Callable[[SliceEndpoint], SliceEndpoint | None], world: World = SHOP) -> World:
    """One Service's endpoints changed, or left out where `change` gives None."""

    def changed(endpoints: Sequence[SliceEndpoint]) -> tuple[SliceEndpoint, ...]:
        return tuple(new for new in map(change, endpoints) if new is not None)

    slices = tuple(
        replace(each, endpoints=changed(each.endpoints)) if each.service_key == key else each
        for each in cluster(world).slices
    )
    return with_cluster(world, slices=slices)


def only(*addresses: str) -> Callable[[SliceEndpoint], SliceEndpoint | None]:
    """Keep these endpoints alone."""
    return lambda one: one if str(one.address) in addresses else None


def with_pod(ip: str, world: World = SHOP, **fields: Any) -> World:
    """The pod at an address with other fields."""

    def change(pod: Pod) -> Pod:
        return replace(pod, **fields) if str(pod.ip) == ip else pod

    return with_cluster(world, pods=tuple(map(change, cluster(world).pods)))


def with_group(name: str, change: Callable[[TargetGroup], TargetGroup], world: World = SHOP) -> World:
    """One target group changed."""

    def changed(balancer: LoadBalancer) -> LoadBalancer:
        groups = (change(group) if group.name == name else group for group in balancer.target_groups)
        return replace(balancer, target_groups=tuple(groups))

    return replace(world, load_balancers=tuple(map(changed, world.load_balancers)))


def with_target(*addresses: str, group: str = SHOP_INGRESS, world: World = SHOP) -> World:
    """A target group with these of its targets alone: the load balancer has no choice then."""

    def change(old: TargetGroup) -> TargetGroup:
        kept = (target for target in old.targets if str(target.endpoint.address) in addresses)
        return replace(old, targets=tuple(kept))

    return with_group(group, change, world)


def with_acl(identity: str, change: Callable[[NetworkAcl], NetworkAcl], world: World = SHOP) -> World:
    acls = (change(acl) if acl.network_acl_id == identity else acl for acl in region(world).network_acls)
    return replace(world, region=replace(region(world), network_acls=tuple(acls)))


def with_security_group(identity: str, change: Callable[[SecurityGroup], SecurityGroup], world: World = SHOP) -> World:
    groups = (change(group) if group.group_id == identity else group for group in region(world).security_groups)
    return replace(world, region=replace(region(world), security_groups=tuple(groups)))


def with_routes(identity: str, change: Callable[[RouteTable], RouteTable], world: World = SHOP) -> World:
    tables = (change(table) if table.route_table_id == identity else table for table in region(world).route_tables)
    return replace(world, region=replace(region(world), route_tables=tuple(tables)))


def with_balancer(world: World = SHOP, **fields: Any) -> World:
    return replace(world, load_balancers=tuple(replace(each, **fields) for each in world.load_balancers))


def with_controller(world: World = SHOP, **fields: Any) -> World:
    return with_cluster(world, controller=replace(cluster(world).controller, **fields))


def at(ip: str, port: int) -> Endpoint:
    return Endpoint(address(ip), port)


def every(addresses: Iterable[str]) -> list[Address]:
    return [address(each) for each in addresses]
