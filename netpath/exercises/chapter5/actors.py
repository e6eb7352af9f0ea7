"""Who has a part in a journey: what several of chapter 5's predictions tell their reader before they ask.

Not modelled: journeys that fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random

from netpath.chance import seeded
from netpath.exercises.chapter5.places import node_of
from netpath.journey import Connection, Journey, travel
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import http_request
from netpath.show.prepared import local_policy_checked
from netpath.world import Place, World

CLUSTER, LOCAL, DIRECT = "Cluster", "Local", "ip"
_URLS = {
    CLUSTER: ("http://shop.example.com/cart", "http://shop.example.com/", "http://www.example.com/"),
    LOCAL: ("http://shop.example.com/cart", "http://www.example.com/about"),
    DIRECT: ("http://direct.example.com/cart",),
}


@cache
def world_with(policy: str) -> World:
    """The book's world; `LOCAL`: with that traffic policy for the ingress controller's Service."""
    return local_policy_checked(shop()) if policy == LOCAL else shop()


@dataclass(frozen=True, slots=True)
class Actors:
    """A journey that ends well. `policy`: of the NodePort's Service, or `DIRECT`, where there is none on the way."""

    world: World
    policy: str
    journey: Journey

    @property
    def connections(self) -> tuple[Connection, ...]:
        return self.journey.connections

    @property
    def user(self) -> str:
        return str(self.journey.user.address)

    @property
    def public(self) -> str:
        """Whom the user calls."""
        return _called(self.connections[0])

    @property
    def balancer(self) -> str:
        """The load balancer's own node, at its private address."""
        return str(self.connections[1].client.address)

    @property
    def called(self) -> str:
        """Whom the load balancer calls: a node, or a pod by its own address."""
        return _called(self.connections[1])

    @property
    def ingress(self) -> str:
        """The ingress pod, if there is one on the way."""
        return "" if self.policy == DIRECT else str(served(self.connections[1]).address)

    @property
    def pod(self) -> str:
        return str(served(self.connections[-1]).address)

    def node(self, connection: Connection) -> str:
        """The node of the pod that answered."""
        return node_of(self.world, served(connection))

    def told(self) -> str:
        """Who calls whom, in words, with every address."""
        return (
            f"The user `{self.user}` opens `{self.journey.request.url}` at `{self.public}`; behind it is the load "
            f"balancer's node `{self.balancer}`. {self._onward()}"
        )

    def _onward(self) -> str:
        pod = f"pod `{self.pod}` on the node `{self.node(self.connections[-1])}`"
        onward = self.connections[1]
        if self.policy == DIRECT:
            return f"The targets are pods (type ip): it calls `{onward.out.sent.destination}`, the {pod}."
        node = self.node(onward)
        there = "that same node" if node == self.called else f"the node `{node}`"
        return (
            f"It calls `{onward.out.sent.destination}`, a NodePort with `externalTrafficPolicy: {self.policy}`, and "
            f"gets through to the ingress pod `{self.ingress}` on {there}. This pod calls the {pod}."
        )


def served(connection: Connection) -> Place:
    """Who answered."""
    assert connection.server is not None, "a connection that was established"
    return connection.server


def _called(connection: Connection) -> str:
    return str(connection.out.sent.destination.address)


def drawn(draw: Random, *policies: str) -> Actors:
    """A journey under one of these policies, and with luck of its own."""
    policy = draw.choice(policies)
    request, luck = http_request(draw.choice(_URLS[policy])), seeded(draw.randrange(10**6))
    world = world_with(policy)
    return Actors(world, policy, travel(world, Memory(), request, luck))
