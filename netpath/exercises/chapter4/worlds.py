"""The worlds that chapter 4's exercises ask about: the book's own, with one thing or another changed.

Not modelled: what the change does to connections that are open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from netpath.exercises.outcome import block
from netpath.exercises.parts import cluster
from netpath.kubernetes import EndpointSlice, Service, SliceEndpoint, TrafficPolicy
from netpath.load import shop
from netpath.show.widgets.chains import CONDITIONS
from netpath.world import World

FIELDS: Any = CONDITIONS  # of an endpoint's condition: the three fields, as keywords
CONTROLLER, CART = "ingress-nginx/ingress-nginx-controller", "shop/cart"
BALANCER = "10.0.0.25:40000"  # a node of the load balancer, and a port of its own


def node(number: int, world: World | None = None) -> Any:
    """A node, by its number in the book: 1, 2 or 3."""
    return cluster(world or shop()).nodes[number - 1]


def number_of(name: str) -> int:
    """A node's number in the book, by its name."""
    return [each.name for each in cluster(shop()).nodes].index(name) + 1


def with_service(world: World, key: str, **fields: Any) -> World:
    """The world with one Service changed."""
    services = tuple(replace(each, **fields) if each.key == key else each for each in cluster(world).services)
    return replace(world, cluster=replace(cluster(world), services=services))


def local(world: World) -> World:
    """The world with `externalTrafficPolicy: Local` for the ingress controller's Service."""
    return with_service(world, CONTROLLER, external_traffic_policy=TrafficPolicy.LOCAL)


def with_slices(world: World, key: str, change: Any) -> World:
    """The world with one Service's slices changed."""
    slices = tuple(change(each) if each.service_key == key else each for each in cluster(world).slices)
    return replace(world, cluster=replace(cluster(world), slices=slices))


def all_in(world: World, key: str, condition: str) -> World:
    """The world with all endpoints of a Service in one condition."""

    def changed(each: EndpointSlice) -> EndpointSlice:
        return replace(each, endpoints=tuple(replace(end, **FIELDS[condition]) for end in each.endpoints))

    return with_slices(world, key, changed)


def service(world: World, key: str) -> Service:
    """A Service by namespace and name."""
    return next(each for each in cluster(world).services if each.key == key)


def endpoints(world: World, key: str) -> tuple[SliceEndpoint, ...]:
    """A Service's endpoints, as its slices have them."""
    return tuple(end for each in cluster(world).slices if each.service_key == key for end in each.endpoints)


def condition(end: SliceEndpoint) -> str:
    """An endpoint's condition in a word or two."""
    fields = {"ready": end.ready, "serving": end.serving, "terminating": end.terminating}
    return next(word for word, wanted in CONDITIONS.items() if wanted == fields)


def listed(ends: Sequence[SliceEndpoint]) -> str:
    """Endpoints as a table of text: address, node, condition."""
    lines = (f"{end.address!s:<12} on node {number_of(end.node)}   {condition(end)}" for end in ends)
    return block(lines)
