"""Every way in which a request fails: what the user sees, what decided it, and how long it took."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from netpath.balancing import HealthState, TargetGroup, TargetHealth
from netpath.journey import CONNECT_TIMEOUT, MOST_TRIES, End, Journey
from netpath.kubernetes import TrafficPolicy
from netpath.memory import Memory
from netpath.packet import Network, address, network, tcp
from netpath.routing import Route as HostRoute
from netpath.vpc import AclEntry, NetworkAcl, RouteTable, SecurityGroup
from netpath.world import World
from tests import shop_world as shop
from tests.shop_world import round_trip, travel


def dead(*pods: str, world: World = shop.SHOP) -> World:
    """Pods that are still listed as endpoints, but don't run."""
    for pod in pods:
        world = shop.with_pod(pod, world, phase="Pending")
    return world


def without_entry(number: int, egress: bool) -> Callable[[NetworkAcl], NetworkAcl]:
    def change(acl: NetworkAcl) -> NetworkAcl:
        kept = (entry for entry in acl.entries if (entry.rule_number, entry.egress) != (number, egress))
        return replace(acl, entries=tuple(kept))

    return change


def denying(number: int, egress: bool, block: str) -> Callable[[NetworkAcl], NetworkAcl]:
    entry = AclEntry(number, egress, False, network(block))
    return lambda acl: replace(acl, entries=(entry, *acl.entries))


def closed(group: SecurityGroup) -> SecurityGroup:
    return replace(group, ingress=())


def to_its_own(group: SecurityGroup) -> SecurityGroup:
    """Open only to interfaces that have the same group."""
    return replace(group, ingress=tuple(rule for rule in group.ingress if rule.peer == group.group_id))


def default_route(**fields: Any) -> Callable[[RouteTable], RouteTable]:
    """A route table whose default route is another, or (with nothing said) isn't there."""

    def change(table: RouteTable) -> RouteTable:
        others = tuple(route for route in table.routes if route.destination != Network("0.0.0.0/0"))
        changed = [replace(route, **fields) for route in table.routes if route not in others]
        return replace(table, routes=(*others, *(changed if fields else ())))

    return change


def local(world: World = shop.SHOP) -> World:
    return shop.with_service(shop.CONTROLLER, world, external_traffic_policy=TrafficPolicy.LOCAL)


NOBODY = shop.with_endpoints(shop.CONTROLLER, shop.only())
ON_NODE_2 = shop.with_target(shop.NODE_2)
HOST = "shop.example.com"

#: what is wrong: the world, the user's answer, who decided it, the code of the cause, the seconds of silence
FAILURES: dict[str, tuple[World, int | None, str, str, float]] = {
    "no ingress pod at all: REJECT": (NOBODY, 502, "ELB_502_TARGET_REFUSED", "NO_ENDPOINTS", 0),
    "policy Local and no ingress pod on the node: DROP": (
        local(ON_NODE_2),
        504,
        "ELB_504_CONNECT_TIMEOUT",
        "NO_LOCAL_ENDPOINTS",
        10,
    ),
    "the nodes' security group isn't open to the load balancer's": (
        shop.with_security_group(shop.NODE_GROUP, to_its_own),
        504,
        "ELB_504_CONNECT_TIMEOUT",
        "ENI_SG_RULES_MISMATCH",
        10,
    ),
    "the nodes' network ACL denies the way in": (
        shop.with_acl(shop.PRIVATE_ACL, denying(1, False, "10.0.0.0/24")),
        504,
        "ELB_504_CONNECT_TIMEOUT",
        "SUBNET_ACL_RESTRICTION",
        10,
    ),
    "the nodes' network ACL denies the answers": (
        shop.with_acl(shop.PRIVATE_ACL, denying(1, True, "10.0.0.0/24")),
        504,
        "ELB_504_CONNECT_TIMEOUT",
        "SUBNET_ACL_RESTRICTION",
        10,
    ),
    "the ingress pod doesn't run": (
        dead(shop.INGRESS_1, shop.INGRESS_3),
        502,
        "ELB_502_TARGET_REFUSED",
        "NO_SOCKET",
        0,
    ),
    "the load balancer's own security group is closed": (
        shop.with_security_group(shop.ALB_GROUP, closed),
        None,
        "CONNECTION_TIMEOUT",
        "SG_HAS_NO_RULES",
        2 * CONNECT_TIMEOUT,
    ),
    "the public ACL lets nobody in": (
        shop.with_acl(shop.PUBLIC_ACL, without_entry(100, False)),
        None,
        "CONNECTION_TIMEOUT",
        "SUBNET_ACL_RESTRICTION",
        2 * CONNECT_TIMEOUT,
    ),
    "the public ACL lets no answer out": (
        shop.with_acl(shop.PUBLIC_ACL, denying(1, True, "198.51.100.0/24")),
        None,
        "CONNECTION_TIMEOUT",
        "SUBNET_ACL_RESTRICTION",
        2 * CONNECT_TIMEOUT,
    ),
    "the public subnets have no way out": (
        shop.with_routes(shop.PUBLIC_ROUTES, default_route()),
        None,
        "CONNECTION_TIMEOUT",
        "NO_ROUTE_TO_DESTINATION",
        2 * CONNECT_TIMEOUT,
    ),
    "the way out of the public subnets is a blackhole": (
        shop.with_routes(shop.PUBLIC_ROUTES, default_route(state="blackhole")),
        None,
        "CONNECTION_TIMEOUT",
        "BAD_STATE_ROUTE",
        2 * CONNECT_TIMEOUT,
    ),
    "the load balancer has no listener there": (
        shop.with_balancer(listeners=()),
        None,
        "CONNECTION_REFUSED",
        "ELBV2_LISTENERS_MISMATCH",
        0,
    ),
    "the target group is empty": (shop.with_target(), 503, "ELB_503_NO_TARGETS", "ELB_503_NO_TARGETS", 0),
    "the targets are elsewhere, and cross-zone is off": (
        shop.with_group(
            shop.SHOP_INGRESS,
            lambda group: replace(group, attributes=replace(group.attributes, cross_zone="false")),
            shop.with_target(shop.NODE_3),
        ),
        503,
        "ELB_NOT_CROSSZONE",
        "ELB_NOT_CROSSZONE",
        0,
    ),
    "the cart has no ready pod": (
        shop.with_endpoints("shop/cart", lambda one: replace(one, ready=False, serving=False)),
        503,
        "INGRESS_NO_ENDPOINTS",
        "INGRESS_NO_ENDPOINTS",
        0,
    ),
    "the cart's Service is gone": (
        shop.with_cluster(services=tuple(each for each in shop.cluster().services if each.key != "shop/cart")),
        503,
        "INGRESS_SERVICE_NOT_FOUND",
        "INGRESS_SERVICE_NOT_FOUND",
        0,
    ),
    "no cart pod runs, though all are listed": (
        dead(shop.CART_1, shop.CART_2, shop.CART_ETH1),
        502,
        "INGRESS_BAD_GATEWAY",
        "NO_SOCKET",
        0,
    ),
}


@pytest.fixture(params=FAILURES, name="failure")
def _failure(request: pytest.FixtureRequest) -> tuple[Journey, int | None, str, str, float]:
    world, *expected = FAILURES[request.param]
    return travel(world=world), *expected  # type: ignore[return-value]


def test_what_the_user_sees_and_why(failure: tuple[Journey, int | None, str, str, float]) -> None:
    journey, status, code, cause, waited = failure
    assert (journey.outcome.status, journey.outcome.verdict.code) == (status, code)
    assert journey.cause is not None
    assert (journey.cause.verdict.code, journey.waited) == (cause, waited)


def test_what_failed_says_what_to_do(failure: tuple[Journey, int | None, str, str, float]) -> None:
    journey, *_ = failure
    assert not journey.outcome.ok
    assert all(hop.verdict.meaning.remedy for hop in journey.hops if not hop.verdict.ok)
    assert journey.outcome.verdict.meaning.remedy


# One thing at a time ------------------------------------------------------------------------------


def test_a_dead_load_balancer_node_costs_the_user_a_timeout_and_the_other_one_answers() -> None:
    world = _with_interface(shop.ALB_A, status="available")
    journey = travel(world=world)
    assert [attempt.end for attempt in journey.attempts] == [End.TIMEOUT, End.ESTABLISHED]
    assert (journey.outcome.status, journey.waited) == (200, CONNECT_TIMEOUT)


def _with_interface(ip: str, **fields: Any) -> World:
    interfaces = (
        replace(each, **fields) if str(each.primary) == ip else each for each in shop.region().network_interfaces
    )
    return replace(shop.SHOP, region=replace(shop.region(), network_interfaces=tuple(interfaces)))


def test_a_refused_user_tries_the_next_address_at_once() -> None:
    journey = travel("http://shop.example.com:8080/", _open_to_all())
    assert [attempt.end for attempt in journey.attempts] == [End.REFUSED, End.REFUSED]
    assert journey.waited == 0


def _open_to_all() -> World:
    rule = replace(shop.region().security_group[shop.ALB_GROUP].ingress[0], from_port=1, to_port=65535)
    world = shop.with_security_group(shop.ALB_GROUP, lambda group: replace(group, ingress=(rule,)))
    everything = AclEntry(1, False, True)
    return shop.with_acl(shop.PUBLIC_ACL, lambda acl: replace(acl, entries=(everything, *acl.entries)), world)


def test_the_controller_tries_another_pod_when_one_refuses() -> None:
    journey = travel(world=dead(shop.CART_2, world=shop.with_target(shop.NODE_1)))
    ends = [(str(each.out.sent.destination.address), each.end) for each in journey.connections[2:]]
    assert ends == [(shop.CART_2, End.REFUSED), (shop.CART_ETH1, End.ESTABLISHED)]
    assert (journey.outcome.status, journey.cause) == (200, None)


def test_the_controller_gives_up_after_three_tries() -> None:
    journey = travel(world=dead(shop.CART_1, shop.CART_2, shop.CART_ETH1))
    assert len(journey.connections) == 2 + 3


def test_a_controller_told_to_try_without_end_ends() -> None:
    endless = {"nginx.ingress.kubernetes.io/proxy-next-upstream-tries": "0"}
    world = shop.with_cluster(
        dead(shop.CART_1, shop.CART_2, shop.CART_ETH1),
        ingresses=tuple(replace(each, annotations=endless) for each in shop.cluster().ingresses),
    )
    journey = travel(world=world)
    assert (len(journey.connections), journey.outcome.status) == (2 + MOST_TRIES, 502)


def gone(*pods: str) -> World:
    """Pods that have ended though they are still listed: their addresses lead nowhere."""
    world = shop.SHOP
    for pod in pods:
        world = shop.with_pod(pod, world, phase="Failed")
    return world


def test_an_impatient_ingress_waits_less() -> None:
    hasty = {"nginx.ingress.kubernetes.io/proxy-connect-timeout": "2"}
    world = gone(shop.CART_1, shop.CART_2, shop.CART_ETH1)
    ingresses = tuple(replace(each, annotations=hasty) for each in shop.cluster().ingresses)
    assert travel(world=shop.with_cluster(world, ingresses=ingresses)).waited == 6.0


def test_silence_behind_the_controller_costs_five_seconds_a_try() -> None:
    journey = travel(world=gone(shop.CART_1, shop.CART_2, shop.CART_ETH1))
    assert (journey.outcome.status, journey.waited) == (504, 15.0)
    assert journey.outcome.verdict.code == "INGRESS_GATEWAY_TIMEOUT"


def _all(state: HealthState) -> Callable[[TargetGroup], TargetGroup]:
    def change(group: TargetGroup) -> TargetGroup:
        health = TargetHealth(state)
        return replace(group, targets=tuple(replace(target, health=health) for target in group.targets))

    return change


def test_with_no_healthy_target_any_gets_the_request() -> None:
    journey = travel(world=shop.with_group(shop.SHOP_INGRESS, _all(HealthState.UNHEALTHY)))
    assert "FAIL_OPEN" in shop.codes(journey.hops, "load balancer")
    assert journey.outcome.status == 200


def test_an_unhealthy_target_gets_nothing_while_another_is_healthy() -> None:
    world = shop.with_group(
        shop.SHOP_INGRESS,
        lambda group: replace(
            group, targets=(replace(group.targets[0], health=TargetHealth(HealthState.UNHEALTHY)), *group.targets[1:])
        ),
    )
    memory = Memory()
    taken = {str(travel(world=world, memory=memory).connections[1].out.sent.destination.address) for _ in range(6)}
    assert taken == {shop.NODE_2, shop.NODE_3}


def test_a_target_that_nobody_in_the_cluster_is_only_known_to_accept() -> None:
    """The API server's interface as a target of type ip."""

    def change(group: TargetGroup) -> TargetGroup:
        moved = replace(group.targets[0], endpoint=shop.at("10.0.40.201", 443), id="10.0.40.201")
        return replace(group, targets=(moved,))

    world = shop.with_security_group(
        shop.NODE_GROUP, lambda group: replace(group, ingress=(replace(group.ingress[0], peer=network("0.0.0.0/0")),))
    )
    journey = travel("http://direct.example.com/", shop.with_group(shop.CART_PODS, change, world))
    assert (journey.outcome.verdict.code, journey.outcome.response) == ("ACCEPTED", None)


def test_an_upstream_that_nobody_in_the_cluster_is_only_known_to_accept() -> None:
    """The cart's endpoints are an address of the VPC that is no pod's."""
    moved = address("10.0.40.201")
    world = shop.with_endpoints(
        "shop/cart", lambda one: replace(one, address=moved) if str(one.address) == shop.CART_1 else None
    )
    journey = travel(world=world)
    assert (journey.outcome.verdict.code, journey.outcome.response) == ("ACCEPTED", None)


def test_a_host_that_is_unreachable_says_so() -> None:
    """Somebody has put an unreachable route to the ingress pod on its node."""
    world = shop.with_target(shop.NODE_1)
    node = world.nodes[world.where(address(shop.NODE_1)).node]
    there = Network(shop.INGRESS_1)
    others = tuple(route for route in node.host.routes if route.destination != there)
    node.__dict__["host"] = replace(node.host, routes=(HostRoute(there, kind="unreachable"), *others))
    journey = travel(world=world)
    assert journey.connections[1].end is End.UNREACHABLE
    assert (journey.outcome.status, journey.outcome.verdict.code) == (502, "ELB_502_TARGET_UNREACHABLE")


def test_a_load_balancer_waits_no_longer_than_its_idle_timeout() -> None:
    """Three silent tries of the controller take fifteen seconds."""
    world = gone(shop.CART_1, shop.CART_2, shop.CART_ETH1)
    (balancer,) = world.load_balancers
    journey = travel(world=shop.with_balancer(world, attributes=replace(balancer.attributes, idle_timeout=12.0)))
    assert (journey.outcome.status, journey.outcome.verdict.code) == (504, "ELB_504_IDLE_TIMEOUT")
    assert journey.waited == 12.0


def test_a_reject_whose_icmp_is_dropped_is_a_timeout() -> None:
    """The public ACL lets TCP back in, but not the port-unreachable of the node's REJECT."""
    world = shop.with_acl(shop.PUBLIC_ACL, without_entry(140, False), NOBODY)
    journey = travel(world=world)
    assert (journey.outcome.status, journey.waited) == (504, 10.0)
    assert journey.cause is not None and journey.cause.verdict.code == "NO_ENDPOINTS"


# Private subnets -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (default_route(), "NO_ROUTE_TO_DESTINATION"),
        (default_route(state="blackhole"), "BAD_STATE_ROUTE"),
    ],
    ids=["no NAT route", "a NAT gateway that is gone"],
)
def test_a_private_subnet_without_its_nat_gateway_has_no_internet(
    change: Callable[[RouteTable], RouteTable], code: str
) -> None:
    world = shop.with_routes(shop.PRIVATE_ROUTES_A, change)
    out, back = round_trip(tcp(f"{shop.SHELL}:40000", f"{shop.SERVER}:443"), world)
    assert (out.verdict.code, back) == (code, None)


def test_a_private_subnet_with_a_route_to_the_internet_gateway_has_no_public_address() -> None:
    world = shop.with_routes(shop.PRIVATE_ROUTES_A, default_route(target="igw-0c00000000000000c"))
    out, _ = round_trip(tcp(f"{shop.SHELL}:40000", f"{shop.SERVER}:443"), world)
    assert out.verdict.code == "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS"


def test_the_public_road_doesn_t_need_the_nat_gateway() -> None:
    assert travel(world=shop.with_routes(shop.PRIVATE_ROUTES_A, default_route())).outcome.status == 200
