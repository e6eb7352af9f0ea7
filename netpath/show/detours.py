"""The load-balance miss: which node a connection comes to, which pod it gets there, and how often that is elsewhere.

A solid line is a pod on the node itself; a dashed one leads to another node. The shares are exact, and walked, not
reckoned: a packet is sent to every node's NodePort, and every lot is drawn.

Not modelled: a sender that prefers some nodes; each node gets the same share here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from netpath.choice import outcomes
from netpath.errors import InputError
from netpath.fabric import send
from netpath.memory import Memory
from netpath.packet import Address, Endpoint, Packet, Protocol, TcpFlags
from netpath.show.canvas import Canvas, Drawn, Point
from netpath.show.legs import shortened
from netpath.show.palette import GREY, INK, SPACES, Space
from netpath.world import World

WIDTH, LEFT, RIGHT, TOP, ROW = 560.0, 150.0, 400.0, 46.0, 78.0


@dataclass(frozen=True, slots=True)
class Detour:
    """What can become of a connection that comes to `node`: the pod, the pod's node, and how likely it is in all.

    `pod` and `pod_node` are empty where the connection is refused or dropped, and `code` says by what verdict.
    """

    node: str
    pod: str
    pod_node: str
    share: Fraction
    code: str = ""

    @property
    def miss(self) -> bool:
        return bool(self.pod) and self.pod_node != self.node


def detours(world: World, node_port: int, source: Address | None = None) -> tuple[Detour, ...]:
    """Every way that a connection to a NodePort may take, with each node as likely. Raises `InputError` without nodes.

    `source`: who connects; a node of the first load balancer if there is one, else the user.
    """
    cluster = world.need(world.cluster, "cluster", "a NodePort")
    if not cluster.nodes:
        raise InputError("a cluster without nodes", value=node_port)
    balancers = [node.address for each in world.load_balancers for node in each.nodes]
    start = Endpoint(source or (balancers[0] if balancers else world.user), 40000)
    found = []
    for node in cluster.nodes:
        packet = Packet(Protocol.TCP, start, Endpoint(node.address, node_port), TcpFlags.SYN)
        for outcome in outcomes(lambda choose, packet=packet: send(world, Memory(), packet, choose)):  # type: ignore[misc]
            place, share = outcome.result.place, outcome.probability / len(cluster.nodes)
            code = "" if place is not None else outcome.result.verdict.code
            found.append(Detour(node.name, place.name if place else "", place.node if place else "", share, code))
    return tuple(found)


def misses(world: World, node_port: int, source: Address | None = None) -> Drawn:
    """The detours as a drawing: nodes on the left, pods on the right beside their nodes."""
    ways = detours(world, node_port, source)
    nodes = list(dict.fromkeys(way.node for way in ways))
    canvas = Canvas(WIDTH, TOP + ROW * len(nodes))
    _heads(canvas)
    rows = {node: TOP + ROW * (number + 0.4) for number, node in enumerate(nodes)}
    at = _pods(ways, rows)
    for way in ways:
        if way.pod:
            _way(canvas, way, (LEFT, rows[way.node]), at[way.pod])
    _nodes(canvas, ways, rows)
    for pod, place in at.items():
        _pod(canvas, pod, place, sum((way.share for way in ways if way.pod == pod), Fraction(0)))
    return Drawn(canvas.figure, _caption(ways, node_port), _alternative(ways), least=440)


def plain(share: Fraction) -> str:
    """A share as a person would write it: the kernel's thirds are off by less than a billionth."""
    return str(share.limit_denominator(10_000))


def _heads(canvas: Canvas) -> None:
    canvas.text((LEFT, 18), "the connection comes to", 10.5, bold=True)
    canvas.text((RIGHT, 18), "and goes to", 10.5, bold=True)


def _pods(ways: Sequence[Detour], rows: dict[str, float]) -> dict[str, Point]:
    """Where each pod is drawn: level with its node, those of one node below each other."""
    placed: dict[str, Point] = {}
    for node, y in rows.items():
        here = list(dict.fromkeys(way.pod for way in ways if way.pod and way.pod_node == node))
        for number, pod in enumerate(here):
            placed[pod] = (RIGHT, y + 30 * (number - (len(here) - 1) / 2))
    return placed


def _way(canvas: Canvas, way: Detour, start: Point, end: Point) -> None:
    slope = (end[1] - start[1]) / (end[0] - start[0])
    first, last = (start[0] + 16, start[1] + 16 * slope), (end[0] - 16, end[1] - 16 * slope)
    canvas.line([first, last], GREY if way.miss else INK, 1.6 if way.miss else 2.8, dashed=way.miss, arrow=True)
    canvas.label((start[0] + 46, start[1] + 46 * slope), plain(way.share), 10, bold=True)


def _nodes(canvas: Canvas, ways: Sequence[Detour], rows: dict[str, float]) -> None:
    for node, (x, y) in ((node, (LEFT, y)) for node, y in rows.items()):
        canvas.mark((x, y), SPACES[Space.NODES], 12)
        share = sum((way.share for way in ways if way.node == node), Fraction(0))
        canvas.text((x - 20, y), " ".join(shortened(node, "node")), 10, "end")
        canvas.text((x - 20, y + 13), plain(share), 10, "end", bold=True)
        lost = next((way.code for way in ways if way.node == node and not way.pod), "")
        if lost:
            canvas.text((x + 22, y + 4), lost, 10, "start", bold=True)


def _pod(canvas: Canvas, pod: str, at: Point, share: Fraction) -> None:
    canvas.mark(at, SPACES[Space.PODS], 12)
    canvas.text((at[0] + 20, at[1]), " ".join(shortened(pod, "pod")).replace("… …", "…"), 10, "start")
    canvas.text((at[0] + 20, at[1] + 13), plain(share), 10, "start", bold=True)


def _caption(ways: Sequence[Detour], node_port: int) -> str:
    missed = sum((way.share for way in ways if way.miss), Fraction(0))
    hit = sum((way.share for way in ways if way.pod and not way.miss), Fraction(0))
    lost = 1 - missed - hit
    told = [
        (hit, "stay on the node that they come to (solid)"),
        (missed, "are sent on to another (dashed)"),
        (lost, "come to nothing"),
    ]
    said = "; ".join(f"{plain(share)} {words}" for share, words in told if share)
    return f"Connections to port {node_port} of the nodes: {said}."


def _alternative(ways: Sequence[Detour]) -> str:
    told = []
    for way in ways:
        end = f"{way.pod} on {'another node' if way.miss else 'the same node'}" if way.pod else way.code
        told.append(f"{way.node} to {end}: {plain(way.share)}")
    return f"{'; '.join(told)}."
