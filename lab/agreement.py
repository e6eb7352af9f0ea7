"""A world that nobody chose, made real: do its connections and requests go where the model says?

    with Isolated() as isolated:
        isolated.call(compare, 7)

Connections between places drawn by dice (the user, load balancer nodes, nodes, pods; every Service, node and pod, and
places where nobody is), and requests for URLs. What was seen must be one of the things that the model says can happen.

A port that is drawn may by chance be the one that it replaces (1 in 64,512), which looks as if nothing was drawn. So
what is strange is looked at again, and counts if it is strange again.

Not modelled: that each thing which can happen does; `tests/lab/test_road.py` looks at that in worlds that were chosen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff

from lab import model, road
from lab.session import Lab
from lab.worlds import scrambled
from netpath.load import shop
from netpath.world import World

Text = tuple[str, ...]
_AGAIN = 12  # times that something strange is tried again
_URLS = tuple(
    f"http://{asked}"
    for asked in ("shop.example.com/cart", "shop.example.com/", "direct.example.com/", "shop.example.com/old-cart")
)
_NOBODY = (("10.0.34.103", 81), ("172.20.61.214", 81), ("172.20.99.99", 80), ("10.0.99.99", 80), ("10.0.32.11", 31000))
_INTERNET = ("198.51.100.23", 80)


@dataclass(frozen=True)
class Agreement:
    """How many things were tried in a world, and what was seen that the model doesn't know."""

    seed: int | str
    cases: int
    differences: tuple[str, ...] = ()


def compare(seed: int | str, connections: int = 40, requests: int = 8) -> Agreement:
    """Build the book's world with random changes, try things in it, and take it down again."""
    world, dice = scrambled(shop(), seed), random.Random(f"tried {seed}")
    lab = Lab(world)
    lab.up(with_names=False)
    try:
        tried = [_connection(lab, dice) for _ in range(connections)] + [_request(lab, dice) for _ in range(requests)]
    finally:
        lab.down()
    return Agreement(seed, len(tried), tuple(f"world {seed}, {each}" for each in tried if each))


def _connection(lab: Lab, dice: random.Random) -> str:
    """Connect from somewhere to somewhere; the difference, if there is one."""
    kinds = ("user", "load balancer", "node", "pod")
    host = dice.choice([host for kind in kinds for host in lab.plan.of_kind(kind)])
    server = dice.choice([each for each in targets(lab.world) if each[0] not in host.addresses])
    expected = model.attempts(lab.world, host.addresses[0], server)

    def attempt() -> Text:
        line = lab.connect(host.place, server, 0.04)
        return tuple(road.named(line)) if line is not None else ()

    return _difference(f"{host.place} to {server[0]}:{server[1]}", attempt, expected)


def _request(lab: Lab, dice: random.Random) -> str:
    """Open a URL at one of the load balancer's nodes; the difference, if there is one."""
    (balancer,) = lab.world.load_balancers
    url, node = dice.choice(_URLS), dice.choice(balancer.nodes)
    server = str(node.public_address)
    expected = model.roads(lab.world, url, server)
    return _difference(f"{url} at {server}", lambda: road.canonical(lab.request(url, server).road), expected)


def _difference(what: str, look: Callable[[], Text], expected: Collection[Text]) -> str:
    if look() in expected:
        return ""
    strange = [seen for seen in (look() for _ in range(_AGAIN)) if seen not in expected]
    return f"{what}\n{difference(expected, strange[0])}" if strange else ""


def difference(expected: Iterable[Text], seen: Text) -> str:
    """A road that the model doesn't know, beside the most similar one that it does."""
    nearest = max(expected, key=lambda each: SequenceMatcher(None, each, seen).ratio())
    return "\n".join(unified_diff(nearest, seen, "model", "wire", lineterm=""))


def targets(world: World) -> Sequence[tuple[str, int]]:
    """Every Service, pod and node by TCP, the load balancer, the Internet, and where nobody is; not TLS."""
    services = world.cluster.services if world.cluster else ()
    held = [(each.cluster_ip, port.port, port.protocol) for each in services for port in each.ports]
    held += [(pod.ip, port.port, port.protocol) for pod in world.pods.values() for port in pod.ports]
    plain = [(str(address), port) for address, port, protocol in held if protocol == "tcp" and port != 443]
    node_ports = [port.node_port for each in services for port in each.ports if port.node_port and port.port != 443]
    nodes = [(str(own), port) for node in world.nodes.values() for own in node.own_addresses for port in node_ports]
    balancers = [node for each in world.load_balancers for node in each.nodes]
    addresses = [door for node in balancers for door in (node.address, node.public_address) if door]
    doors = [(str(door), port) for door in addresses for port in (80, 443)]
    return [*plain, *nodes, *doors, _INTERNET, *_NOBODY]
