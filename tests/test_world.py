"""What stands at an address, and what a world says of a part that it doesn't have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netpath.errors import WorldError
from netpath.kubernetes import Cluster, Pod
from netpath.packet import address
from netpath.world import _FILES, Kind, World
from tests import shop_world as shop
from tests.shop_world import place

PLACES = {
    "the user": (shop.USER, Kind.INTERNET, "user"),
    "the user's resolver": ("198.51.100.53", Kind.INTERNET, "resolver"),
    "anybody else": (shop.SERVER, Kind.INTERNET, shop.SERVER),
    "a load balancer's node": (shop.ALB_B, Kind.LOAD_BALANCER, "shop-alb eu-west-1b"),
    "its public address, which is out on the Internet": (shop.PUBLIC_B, Kind.INTERNET, shop.PUBLIC_B),
    "a node": (shop.NODE_3, Kind.NODE, "ip-10-0-48-13.eu-west-1.compute.internal"),
    "a node's second interface": (shop.ETH1, Kind.NODE, "ip-10-0-48-13.eu-west-1.compute.internal"),
    "a pod": (shop.SHELL, Kind.POD, "shop/shell"),
    "a pod of a second interface": (shop.CART_ETH1, Kind.POD, "shop/cart-5f7d9c6b8-q7ncd"),
    "an interface with a description": ("10.0.40.201", Kind.INTERFACE, "Amazon EKS shop"),
    "a ClusterIP, which nobody has": (shop.WEB_SERVICE, Kind.INTERNET, shop.WEB_SERVICE),
}


@pytest.mark.parametrize(("ip", "kind", "name"), PLACES.values(), ids=PLACES)
def test_what_stands_at_an_address(ip: str, kind: Kind, name: str) -> None:
    assert (place(ip).kind, str(place(ip))) == (kind, name)


def test_a_pod_s_place_knows_its_node_and_its_interface() -> None:
    where = place(shop.CART_ETH1)
    assert where.node == place(shop.NODE_3).node
    assert where.interface is not None and str(where.interface.primary) == shop.ETH1


def test_an_interface_without_a_description_is_called_by_its_id() -> None:
    world = replace(shop.SHOP, cluster=None)
    assert place(shop.NODE_1, world).name == "eni-0100000000000000a"


def test_a_place_is_looked_up_once() -> None:
    assert place(shop.SHELL) is place(shop.SHELL)


def test_without_a_vpc_a_pod_has_no_interface() -> None:
    assert place(shop.SHELL, World(cluster=shop.cluster())).interface is None


def test_a_pod_of_a_node_that_isn_t_there_is_only_an_address() -> None:
    lost = Pod("shop", "lost", address("10.9.9.9"), "gone")
    assert place("10.9.9.9", World(cluster=Cluster(pods=(lost,)))).kind is Kind.INTERNET


def test_of_two_pods_with_one_address_the_living_has_it() -> None:
    """A finished pod still tells the address that another one has by now."""
    done = Pod("shop", "job", address(shop.SHELL), place(shop.NODE_2).node, phase="Succeeded")
    world = shop.with_cluster(pods=(*shop.cluster().pods, done))
    assert place(shop.SHELL, world).name == "shop/shell"


CONTROLLERS = {
    "by its name": ({"app.kubernetes.io/name": "ingress-nginx"}, True),
    "by its component too": (
        {"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/component": "controller"},
        True,
    ),
    "the admission webhook's job": (
        {"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/component": "admission-webhook"},
        False,
    ),
    "something else": ({"app": "web"}, False),
}


@pytest.mark.parametrize(("labels", "is_one"), CONTROLLERS.values(), ids=CONTROLLERS)
def test_which_pod_is_the_ingress_controller(labels: dict[str, str], is_one: bool) -> None:
    assert shop.SHOP.is_controller(Pod("a", "b", None, labels=labels)) is is_one


def test_an_ingress_needs_a_cluster() -> None:
    with pytest.raises(WorldError, match="no cluster, and an Ingress needs one") as problem:
        World().controller  # noqa: B018
    assert "kubectl" in str(problem.value)


@pytest.mark.parametrize("name", _FILES)
def test_a_missing_part_is_told_with_the_files_that_it_comes_from(name: str) -> None:
    with pytest.raises(WorldError, match=f"no {name}") as problem:
        World().need(None, name, "this question")
    assert problem.value.expected == _FILES[name]


def test_a_part_that_is_there_is_given() -> None:
    assert shop.SHOP.need(shop.SHOP.cluster, "cluster", "this question") is shop.SHOP.cluster


def test_an_empty_world_has_no_nodes_pods_or_balancers() -> None:
    world = World()
    assert (world.nodes, world.pods, world.balancer_at(address("10.0.0.1"))) == ({}, {}, None)
