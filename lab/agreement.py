"""A world that nobody chose, made real: do its connections and requests go where the model says?

    with Isolated() as isolated:
        isolated.call(compare, 7)

Connections between places drawn by dice (the user, load balancer nodes, nodes, pods; every Service, node and pod, and
places where nobody is), and requests for URLs. What was seen must be one of the things that the model says can happen.

What can happen must happen, too: a URL is opened until all that is likely has been seen, and what hasn't come by then
will never come.

A port that is drawn may by chance be the one that it replaces (1 in 64,512), which looks as if nothing was drawn. So
what is strange is looked at again, and counts if it is strange again.

Not modelled: that what is unlikely happens; `tests/lab/test_road.py` waits for it in worlds that were chosen.
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
_OFTEN = 60  # requests at most until all that is likely has been seen
_NEVER = 1e-6  # what had no greater chance of being missed wasn't missed by chance
_PLAIN = ("http://shop.example.com/cart", "http://direct.example.com/")
_HOSTS = ("shop.example.com", "direct.example.com", "www.example.com", "SHOP.example.com", "a.shop.example.com")
_PATHS = ("/cart", "/", "/cart/1", "/Cart", "/old-cart", "/cart?x=/old-cart")
_NOBODY = (("10.0.34.103", 81), ("172.20.61.214", 81), ("172.20.99.99", 80), ("10.0.99.99", 80), ("10.0.32.11", 31000))
_INTERNET = ("198.51.100.23", 80)


@dataclass(frozen=True)
class Agreement:
    """How many things were tried in a world, and what was seen that the model doesn't know."""

    seed: int | str
    cases: int
    differences: tuple[str, ...] = ()


def compare(seed: int | str, connections: int = 22, requests: int = 5) -> Agreement:
    """Build the book's world with random changes, try things in it, and take it down again."""
    world, dice = scrambled(shop(), seed), random.Random(f"tried {seed}")
    lab = Lab(world)
    lab.up(with_names=False)
    try:
        tried = [_connection(lab, dice) for _ in range(connections)] + [_request(lab, dice) for _ in range(requests)]
        tried += [_again(lab, url, _server(lab, dice)) for url in _PLAIN]
    finally:
        lab.down()
    return Agreement(seed, len(tried), tuple(f"world {seed}, {each}" for each in tried if each))


def _connection(lab: Lab, dice: random.Random) -> str:
    """Connect from somewhere to somewhere; the difference, if there is one."""
    kinds = ("user", "load balancer", "node", "pod")
    host = dice.choice(lab.plan.of_kind(dice.choice(kinds)))
    server = dice.choice([each for each in targets(lab.world) if each[0] not in host.addresses])
    expected = model.attempts(lab.world, host.addresses[0], server)

    def attempt() -> Text:
        line = lab.connect(host.place, server, 0.04)
        return tuple(road.named(line)) if line is not None else ()

    return _difference(f"{host.place} to {server[0]}:{server[1]}", attempt, expected)


def _request(lab: Lab, dice: random.Random) -> str:
    """Open a URL at one of the load balancer's nodes; the difference, if there is one."""
    url, server = f"http://{dice.choice(_HOSTS)}{dice.choice(_PATHS)}", _server(lab, dice)
    expected = model.roads(lab.world, url, server)
    return _difference(f"{url} at {server}", lambda: road.canonical(lab.request(url, server).road), expected)


def _again(lab: Lab, url: str, server: str) -> str:
    """Open a URL until all that is likely has been seen; what never came although it should have."""
    expected = model.roads(lab.world, url, server)
    missing = {text for text, each in expected.items() if (1 - float(each.probability)) ** _OFTEN < _NEVER}
    for _ in range(_OFTEN):
        if not missing:
            return ""
        seen = road.canonical(lab.request(url, server).road)
        missing.discard(seen)
    return f"{url} at {server}, never seen\n{difference(missing, seen)}" if missing else ""


def _server(lab: Lab, dice: random.Random) -> str:
    """The address of one of the load balancer's nodes."""
    (balancer,) = lab.world.load_balancers
    return str(dice.choice(balancer.nodes).public_address)


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
