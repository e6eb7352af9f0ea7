"""Chapter 5's prediction of shares: how many requests take a detour, for ingress pods placed anywhere.

Not modelled: a load balancer that prefers its own zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import islice
from random import Random
from typing import NamedTuple

from netpath.balancing import Node as BalancerNode
from netpath.choice import outcomes
from netpath.exercises.chapter5.places import FRONT, MISS, NODE_PORT
from netpath.exercises.exercise import Level
from netpath.exercises.outcome import block
from netpath.exercises.parts import cluster
from netpath.exercises.predict import Form, Predict, Slip, Variant, slips
from netpath.fabric import send
from netpath.kubernetes import ContainerPort, Node, Pod, SliceEndpoint
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import tcp
from netpath.world import World

BALANCER = "10.0.0.25"  # one of its nodes; the lots are the same for the other


def placed(counts: Sequence[int]) -> World:
    """The book's world with so many ingress pods on each of its nodes, in place of pods that were there."""
    world = shop()
    own = cluster(world)
    chosen = [pod for node, count in zip(own.nodes, counts, strict=True) for pod in _some(own.pods, node.name, count)]
    fronts = {pod.key: _as_ingress(pod) for pod in chosen}
    ends = tuple(SliceEndpoint(pod.ip, node=pod.node, pod=pod.name) for pod in chosen if pod.ip is not None)
    slices = tuple(replace(each, endpoints=ends) if each.service_key == FRONT else each for each in own.slices)
    pods = tuple(fronts.get(pod.key, pod) for pod in own.pods)
    return replace(world, cluster=replace(own, pods=pods, slices=slices))


def _some(pods: Sequence[Pod], node: str, count: int) -> list[Pod]:
    return list(islice((pod for pod in pods if pod.node == node), count))


def _as_ingress(pod: Pod) -> Pod:
    labels = {"app.kubernetes.io/name": "ingress-nginx"}
    return replace(pod, namespace="ingress-nginx", labels=labels, ready=True, ports=(ContainerPort(80),))


class Road(NamedTuple):
    """A way that a request may go: how likely it is, the node that it comes to, the node of its ingress pod."""

    share: Fraction
    first: Node
    last: Node


@cache
def _ways(counts: tuple[int, ...], at: int) -> list[tuple[Fraction, Node]]:
    """Where a connection to a node's NodePort may end: how likely each way is, and the node of the pod."""
    world, nodes = placed(counts), cluster(shop()).nodes
    packet, named = tcp(f"{BALANCER}:40000", f"{nodes[at].address}:{NODE_PORT}"), {node.name: node for node in nodes}
    ways = outcomes(lambda choose: send(world, Memory(), packet, choose))
    arrived = ((each.probability, each.result.place) for each in ways)
    return [(share.limit_denominator(1000), named[place.node]) for share, place in arrived if place is not None]


@dataclass(frozen=True, slots=True)
class Placement:
    """Ingress pods on each node, the nodes that are targets, and a node of the load balancer."""

    counts: tuple[int, ...]
    targets: tuple[int, ...]
    balancer: BalancerNode

    @property
    def nodes(self) -> tuple[Node, ...]:
        return cluster(shop()).nodes

    def roads(self) -> list[Road]:
        """Every way from the load balancer to an ingress pod; the shares add up to one."""
        found = [(at, way) for at in self.targets for way in _ways(self.counts, at)]
        return [Road(chance / len(self.targets), self.nodes[at], last) for at, (chance, last) in found]

    def far(self, node: Node) -> bool:
        """Whether a node is in another zone than the load balancer's."""
        return node.zone != self.balancer.zone

    def table(self) -> str:
        """What the reader is told."""
        rows = (
            f"{node.address!s:<10}  {node.zone}  {count:<12}  {'yes' if at in self.targets else 'no'}"
            for at, (node, count) in enumerate(zip(self.nodes, self.counts, strict=True))
        )
        return block(["node        zone        ingress pods  target", *rows])


def _detour(here: Placement) -> Variant:
    """Which share comes to one node, and to a pod of another."""
    roads = here.roads()
    share = sum((road.share for road in roads if road.first != road.last), Fraction(0))
    without = Fraction(sum(not here.counts[at] for at in here.targets), len(here.targets))
    kind = "a node that has an ingress pod sends connections away, too: the lots don't ask who is near."
    return _asked(
        here,
        "What share of all requests takes a detour: comes to one node, and to an ingress pod on another?",
        share,
        Slip(str(without), kind, "", MISS),
        Slip("0", "the lots don't ask who is near: they fall on each pod alike, wherever it is.", "", MISS),
        Slip("1", "now and then the lot falls on a pod that is at home.", "", MISS),
    )


def _crossing(here: Placement) -> Variant:
    """Which share leaves the zone of the load balancer's node."""
    share = sum((road.share for road in here.roads() if here.far(road.first) or here.far(road.last)), Fraction(0))
    nodes = Fraction(sum(here.far(here.nodes[at]) for at in here.targets), len(here.targets))
    counted = zip(here.nodes, here.counts, strict=True)
    pods = Fraction(sum(count for node, count in counted if here.far(node)), sum(here.counts))
    return _asked(
        here,
        f"Of the requests that come to the load balancer's node in {here.balancer.zone}, what share leaves this zone "
        f"on its way to the ingress pod (even if it comes back)?",
        share,
        Slip(str(nodes), "a node in the same zone may send the connection on to a pod in the other.", "", MISS),
        Slip(str(pods), "a request may come to a node in the other zone first, and then back.", "", MISS),
        Slip("1", "some find both in their own zone: the node, and then the pod.", "", MISS),
    )


def _asked(here: Placement, question: str, share: Fraction, *known: Slip) -> Variant:
    answer = str(share)
    return Variant(
        "The load balancer gives each node that is a target the same share of the requests, in whatever zone; the "
        f"Service of the NodePort has `externalTrafficPolicy: Cluster`.\n\n{here.table()}\n{question}",
        answer,
        f"{_walked(here.roads())}. Those that are asked for make {share} together.",
        slips(Form.SHARE, answer, *known, Slip(str(1 - share), "that is the share of all the others.", "", MISS)),
        Form.SHARE,
    )


def _walked(roads: Sequence[Road]) -> str:
    """The ways in words, those to the same node together."""
    together: dict[tuple[Node, Node], Fraction] = {}
    for share, first, last in roads:
        together[first, last] = together.get((first, last), Fraction(0)) + share
    return "; ".join(
        f"{share} to {first.address} and a pod on {'it' if first == last else last.address}"
        for (first, last), share in together.items()
    )


_PLACES = ((1, 0, 0), (1, 0, 1), (1, 1, 1), (2, 0, 1), (1, 2, 0), (2, 1, 1), (0, 1, 2), (3, 0, 1), (1, 1, 2))
_TARGETS = ((0, 1, 2), (0, 1, 2), (0, 2), (1, 2))


def _share(draw: Random) -> Variant:
    balancer = draw.choice(shop().load_balancers[0].nodes)
    here = Placement(draw.choice(_PLACES), draw.choice(_TARGETS), balancer)
    return draw.choice([_detour, _detour, _crossing])(here)


q5 = Predict(
    "5.5",
    "A detour for how many?",
    5,
    Level.MEDIUM,
    (
        "Go node by node: the share that comes to it, and then the lot, which falls on every ingress pod alike.",
        "The lots count pods, not nodes: a node with two of them is drawn twice as often. Add up the ways asked for.",
    ),
    make=_share,
    otherwise="draw the ways from each target to each pod, with the share of each, and add up those asked for.",
)
