"""What looks wrong in a world: the shop has two flaws on purpose, and each other kind is put there by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dns.zone
import pytest

from netpath.balancing import HealthState, TargetGroup, TargetHealth
from netpath.check import look
from netpath.kubernetes import (
    EndpointSlice,
    IngressBackend,
    IngressPath,
    IngressRule,
    PathType,
    Pod,
    SliceEndpoint,
    TrafficPolicy,
)
from netpath.packet import address
from netpath.world import World
from tests import shop_world as shop

FLAWS = (
    "target group shop-cart-pods: a target is unhealthy (Target.ResponseCodeMismatch) "
    "(10.0.50.123:8080 eu-west-1b unhealthy (Target.ResponseCodeMismatch))",
    "Service shop/cart: endpoint cart-5f7d9c6b8-zt8rb isn't ready, so it gets no traffic "
    "(EndpointSlice cart-n6kxw: 10.0.50.123)",
)


def test_the_shop_has_one_unhealthy_pod_told_by_both_who_know() -> None:
    assert tuple(map(str, look(shop.SHOP))) == FLAWS


def test_every_finding_says_what_to_do() -> None:
    assert all(each.remedy for each in look(shop.SHOP))


@pytest.mark.parametrize(
    "world",
    [World(), replace(shop.SHOP, cluster=None), World(cluster=shop.cluster())],
    ids=["nothing", "no cluster", "a cluster alone"],
)
def test_a_world_that_lacks_parts_is_looked_at_as_far_as_it_goes(world: World) -> None:
    assert {str(each) for each in look(world)} <= set(FLAWS)


def _unhealthy(group: TargetGroup) -> TargetGroup:
    health = TargetHealth(HealthState.UNHEALTHY)
    return replace(group, targets=tuple(replace(target, health=health) for target in group.targets))


def _moved(group: TargetGroup) -> TargetGroup:
    moved = (replace(each, endpoint=replace(each.endpoint, port=30081)) for each in group.targets)
    return replace(group, targets=tuple(moved))


def _with_addresses(*addresses: str) -> World:
    """The load balancer's name leads to these addresses."""
    origin = "eu-west-1.elb.amazonaws.com."
    old = next(zone for zone in shop.SHOP.zones if str(zone.origin) == origin)
    text = "\n".join(
        line for line in old.to_text(relativize=False).splitlines() if not line.startswith("shop-alb-1893046252")
    )
    text += "".join(f"\nshop-alb-1893046252.{origin} 60 IN A {each}" for each in addresses)
    new = dns.zone.from_text(text, origin)
    return replace(shop.SHOP, zones=tuple(new if str(zone.origin) == origin else zone for zone in shop.SHOP.zones))


def _with_slice(service: str = "web", **fields: Any) -> World:
    new = EndpointSlice("shop", "web-2", service, (), (SliceEndpoint(**fields),))
    return shop.with_cluster(slices=(*shop.cluster().slices, new))


_WEB = IngressBackend("web", "http")


def _with_ingress(**fields: Any) -> World:
    return shop.with_cluster(ingresses=tuple(replace(each, **fields) for each in shop.cluster().ingresses))


WRONG: dict[str, tuple[Callable[[], World], str]] = {
    "a name that leads elsewhere": (
        lambda: _with_addresses(shop.PUBLIC_A, "203.0.113.99"),
        "shop-alb-1893046252.eu-west-1.elb.amazonaws.com: leads to 203.0.113.10, 203.0.113.99, "
        "but its nodes are 203.0.113.10, 203.0.113.20",
    ),
    "a name that doesn't lead to a healthy node": (
        lambda: _with_addresses(shop.PUBLIC_A),
        "shop-alb-1893046252.eu-west-1.elb.amazonaws.com: leads to 203.0.113.10, "
        "but its nodes are 203.0.113.10, 203.0.113.20",
    ),
    "no healthy target": (
        lambda: shop.with_group(shop.SHOP_INGRESS, _unhealthy),
        "target group shop-ingress: no healthy target: it fails open, or answers 503 if it has none at all",
    ),
    "a port that is nobody's NodePort": (
        lambda: shop.with_group(shop.SHOP_INGRESS, _moved),
        "target group shop-ingress: no Service has the NodePort 30081",
    ),
    "a target that the load balancer can't connect to": (
        lambda: shop.with_security_group(shop.NODE_GROUP, lambda group: replace(group, ingress=group.ingress[:1])),
        "target group shop-ingress: shop-alb's node in eu-west-1a can't connect to i-0123456789abcde01 "
        "10.0.32.11:30080 eu-west-1a healthy: ENI_SG_RULES_MISMATCH (sg-0a1b000000000000b: no ingress rule matches)",
    ),
    "a target whose answer doesn't come back": (
        lambda: shop.with_acl(
            shop.PUBLIC_ACL, lambda acl: replace(acl, entries=tuple(e for e in acl.entries if e.rule_number < 120))
        ),
        "target group shop-cart-pods: shop-alb's node in eu-west-1a can't connect to 10.0.34.103:8080 eu-west-1a "
        "healthy: SUBNET_ACL_RESTRICTION (acl-0ac000000000000a1 ingress * deny all from 0.0.0.0/0)",
    ),
    "a node without an endpoint, under policy Local": (
        lambda: shop.with_service(shop.CONTROLLER, external_traffic_policy=TrafficPolicy.LOCAL),
        "target group shop-ingress: shop-alb's node in eu-west-1a can't connect to i-0123456789abcde02 "
        "10.0.33.12:30080 eu-west-1a healthy: NO_LOCAL_ENDPOINTS",
    ),
    "a Service without endpoints": (
        lambda: shop.with_endpoints("shop/web", shop.only()),
        "Service shop/web: no ready endpoint: connections are refused",
    ),
    "a slice of no Service": (
        lambda: _with_slice(address=address(shop.WEB_1), service="gone"),
        "EndpointSlice shop/web-2: no Service shop/gone",
    ),
    "an endpoint on no node": (
        lambda: _with_slice(address=address(shop.WEB_1), node="gone"),
        f"EndpointSlice shop/web-2: {shop.WEB_1} is on node gone, which isn't there",
    ),
    "an endpoint of no pod": (
        lambda: _with_slice(address=address(shop.WEB_1), pod="gone"),
        f"EndpointSlice shop/web-2: {shop.WEB_1} is on pod shop/gone, which isn't there",
    ),
    "an address that no interface has": (
        lambda: shop.with_cluster(pods=(*shop.cluster().pods, Pod("shop", "lost", address("10.9.9.9")))),
        "pod shop/lost: no network interface has its address 10.9.9.9",
    ),
    "an Ingress of a Service that isn't there": (
        lambda: shop.with_cluster(
            services=tuple(each for each in shop.cluster().services if each.key != "shop/cart"),
        ),
        "Ingress shop/shop: no Service shop/cart:http",
    ),
    "an Ingress whose default backend isn't there": (
        lambda: _with_ingress(default_backend=IngressBackend("web", 81)),
        "Ingress shop/shop: no Service shop/web:81",
    ),
    "an Ingress that the controller refuses": (
        lambda: _with_ingress(rules=(IngressRule("a.b", (IngressPath("/x(", PathType.PREFIX, _WEB),)),)),
        "ingress controller: Ingress shop/shop: ",
    ),
}


@pytest.mark.parametrize(("make", "told"), WRONG.values(), ids=WRONG)
def test_what_looks_wrong_is_told(make: Callable[[], World], told: str) -> None:
    found = [str(each) for each in look(make())]
    print(*found, sep="\n")
    assert any(each.startswith(told) for each in found)


def test_a_terminating_endpoint_is_no_flaw() -> None:
    world = shop.with_endpoints("shop/cart", lambda one: replace(one, terminating=not one.ready))
    assert not any("isn't ready" in str(each) for each in look(world))


def test_a_name_may_leave_out_a_node_of_an_unhealthy_zone() -> None:
    """With cross-zone off and zone b's targets unhealthy, DNS gives zone a's address alone."""

    def change(group: TargetGroup) -> TargetGroup:
        health = TargetHealth(HealthState.UNHEALTHY)
        targets = (replace(t, health=health) if t.zone == "eu-west-1b" else t for t in group.targets)
        return replace(group, targets=tuple(targets), attributes=replace(group.attributes, cross_zone="false"))

    world = shop.with_group(shop.SHOP_INGRESS, change, _with_addresses(shop.PUBLIC_A))
    assert not any("leads to" in str(each) for each in look(world))


def test_a_load_balancer_whose_zone_isn_t_given_has_no_stale_name() -> None:
    world = shop.with_balancer(dns_name="internal-x.eu-west-1.elb.amazonaws.com")
    assert tuple(map(str, look(world))) == FLAWS
