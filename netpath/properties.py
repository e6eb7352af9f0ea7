"""The three promises of the Kubernetes network model, checked by sending packets.

1. Pods reach every pod, on any node, without address translation.
2. Nodes reach every pod without address translation.
3. A pod sees itself with the address that others see it with.

Source: Kubernetes documentation, "Services, Load Balancing, and Networking", The Kubernetes network model.

`properties` sends a packet between every two pods and from every node to every pod, and looks at what arrives: a
property holds if each one arrives with the source and destination that it was sent with, and its answer does too.

Not modelled: network policies, which are allowed to break these promises on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest

from netpath.fabric import Trip, round_trip
from netpath.memory import Memory
from netpath.packet import Address, Endpoint, Packet, Protocol, TcpFlags
from netpath.world import World

MOST_PODS = 60  # pods asked in all; of a larger cluster so many, taken from all nodes in turn

TITLES = (
    "pods reach pods without NAT",
    "nodes reach pods without NAT",
    "a pod sees itself as others see it",
)


@dataclass(frozen=True, slots=True)
class Broken:
    """One packet that broke a promise: from where to where, and how."""

    source: str
    destination: str
    why: str
    trip: Trip


@dataclass(frozen=True, slots=True)
class Property:
    """One of the three promises: how many packets were sent to check it, and which of them broke it."""

    title: str
    sent: int
    broken: tuple[Broken, ...]

    @property
    def holds(self) -> bool:
        return not self.broken


@dataclass(frozen=True, slots=True)
class _Try:
    """One packet there and back: what was wrong with reaching, and as whom the source was seen."""

    source: str
    destination: str
    address: Address
    out: Trip
    why: str


def properties(world: World) -> tuple[Property, Property, Property]:
    """The three promises in this world. Raises `WorldError` without a cluster."""
    cluster = world.need(world.cluster, "cluster", "the Kubernetes network model")
    pods = _spread(world)
    nodes = [(node.name, node.address) for node in cluster.nodes]
    between = [_try(world, a, b) for a in pods for b in pods if a != b]
    from_nodes = [_try(world, node, pod) for node in nodes for pod in pods]
    return (
        Property(TITLES[0], len(between), tuple(_broken(between))),
        Property(TITLES[1], len(from_nodes), tuple(_broken(from_nodes))),
        Property(TITLES[2], len(between), tuple(_seen_otherwise(between))),
    )


def _spread(world: World) -> list[tuple[str, Address]]:
    """Running pods with their addresses, from all nodes in turn."""
    by_node = [node.pods.values() for node in world.nodes.values()]
    turns = chain.from_iterable(zip_longest(*by_node))
    running = [pod for pod in turns if pod is not None and pod.phase == "Running"]
    return [(pod.key, pod.ip) for pod in running[:MOST_PODS] if pod.ip is not None]


def _try(world: World, source: tuple[str, Address], destination: tuple[str, Address]) -> _Try:
    pod = world.pods[destination[1]]
    port = next((each.port for each in pod.ports if each.protocol is Protocol.TCP), 8080)
    ends = Endpoint(source[1], 40000), Endpoint(destination[1], port)
    out, back = round_trip(world, Memory(), Packet(Protocol.TCP, *ends, TcpFlags.SYN))
    return _Try(source[0], destination[0], source[1], out, _fault(out, back, *ends))


def _fault(out: Trip, back: Trip | None, source: Endpoint, destination: Endpoint) -> str:
    """What was wrong with a packet and its answer; empty if nothing was."""
    if out.packet is None:
        return f"it didn't arrive: {out.verdict.code}"
    if out.packet.destination != destination:
        return f"it arrived at {out.packet.destination}: NAT"
    if out.packet.source != source:
        return f"it arrived from {out.packet.source}: NAT"
    if back is None or back.packet is None:
        return f"its answer didn't come back: {back.verdict.code if back else 'nobody answered'}"
    return "" if back.packet.source == destination else f"the answer came from {back.packet.source}: NAT"


def _broken(tries: list[_Try]) -> Iterator[Broken]:
    return (Broken(one.source, one.destination, one.why, one.out) for one in tries if one.why)


def _seen_otherwise(tries: list[_Try]) -> Iterator[Broken]:
    """Pods that somebody saw with another address than their own."""
    for one in tries:
        arrived = one.out.packet
        if arrived is not None and arrived.source.address != one.address:
            why = f"it is {one.address}, and was seen as {arrived.source.address}"
            yield Broken(one.source, one.destination, why, one.out)
