"""What an ingress controller knows: hosts and paths, the Services that they name, and the pods behind those.

A dashed line is something looked up beforehand: which Service a path names, which pods are its ready endpoints. The
controller's connection goes to a pod; a Service's own address stands in its box, and no line leads to it.

Not modelled: Ingresses of other controllers; a canary's share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netpath.ingress import Backend, Directory
from netpath.kubernetes import IngressPath
from netpath.packet import Endpoint
from netpath.show.canvas import Canvas, Drawn, Point
from netpath.show.palette import GREY, INK, SPACES, Space
from netpath.show.words import counted
from netpath.world import World

WIDTH, ROW = 720.0, 26.0
PATHS, SERVICES, PODS = (10.0, 246.0), (306.0, 176.0), (560.0, 152.0)  # left edge and width


@dataclass(frozen=True, slots=True)
class Rule:
    """One path of one host (`*`: any), the Service that it names, and what the controller would call."""

    host: str
    path: IngressPath
    backend: Backend
    endpoints: tuple[Endpoint, ...]

    @property
    def cluster_ip(self) -> str:
        service = self.backend.service
        return "no such Service" if service is None else str(service.cluster_ip or "none")


def rules(world: World) -> tuple[Rule, ...]:
    """Every path of the Ingresses that the controller has taken. Raises `WorldError` without a cluster."""
    cluster = world.need(world.cluster, "cluster", "an Ingress")
    ignored = {ingress.key for ingress, _ in world.controller.table.ignored}
    directory = Directory(cluster.services, cluster.slices)

    def found() -> Iterator[Rule]:
        for ingress in cluster.ingresses:
            for rule in ingress.rules if ingress.key not in ignored else ():
                for path in rule.paths:
                    backend = directory.backend(ingress.namespace, path.backend)
                    yield Rule(rule.host or "*", path, backend, directory.endpoints(backend))

    return tuple(found())


def hosts(world: World) -> Drawn:
    """The rules as a drawing: hosts and paths, Services, pods."""
    taken = rules(world)
    backends = list(dict.fromkeys(rule.backend for rule in taken))
    ready = {rule.backend: rule.endpoints for rule in taken}
    plan = _Plan(taken, backends, ready)
    canvas = Canvas(WIDTH, plan.height)
    for (left, _), title in zip((PATHS, SERVICES, PODS), ("host and path", "Service", "endpoints, ready"), strict=True):
        canvas.text((left, 16), title, 10.5, "start", bold=True)
    for rule in taken:
        _link(canvas, _right(PATHS, plan.paths[rule]), _left(SERVICES, plan.services[rule.backend]), dashed=True)
    for backend in backends:
        for end in ready[backend]:
            _link(canvas, _right(SERVICES, plan.services[backend]), _left(PODS, plan.pods[end]), dashed=True)
    _boxes(canvas, plan, taken, backends, ready)
    return Drawn(canvas.figure, _caption(world, taken, backends), _alternative(taken), least=560)


class _Plan:
    """The height at which everything stands."""

    def __init__(
        self, taken: Sequence[Rule], backends: Sequence[Backend], ready: dict[Backend, tuple[Endpoint, ...]]
    ) -> None:
        self.pods: dict[Endpoint, float] = {}
        self.services: dict[Backend, float] = {}
        y = 42.0
        for backend in backends:
            ends = [end for end in ready[backend] if end not in self.pods]
            self.services[backend] = y + ROW * (max(len(ends), 2) - 1) / 2
            for end in ends:
                self.pods[end], y = y, y + ROW
            y += ROW * max(2 - len(ends), 0) + 14
        self.paths: dict[Rule, float] = {}
        top = 42.0
        for number, rule in enumerate(taken):
            top += 12 if number and taken[number - 1].host != rule.host else 0
            self.paths[rule], top = top, top + ROW * 1.5
        self.height = max(y, top) + 4


def _left(column: tuple[float, float], y: float) -> Point:
    return column[0], y


def _right(column: tuple[float, float], y: float) -> Point:
    return column[0] + column[1], y


def _link(canvas: Canvas, start: Point, end: Point, *, dashed: bool) -> None:
    canvas.line([start, end], GREY, 1.3, dashed=dashed, arrow=True)


def _boxes(
    canvas: Canvas,
    plan: _Plan,
    taken: Sequence[Rule],
    backends: Sequence[Backend],
    ready: dict[Backend, tuple[Endpoint, ...]],
) -> None:
    grey, pods = SPACES[Space.PRIVATE].colour, SPACES[Space.PODS]
    for rule in taken:
        _box(canvas, PATHS, plan.paths[rule], 32, INK, (rule.host, f"{rule.path.type} {rule.path.path or '/'}"))
    address = {rule.backend: rule.cluster_ip for rule in taken}
    for backend in backends:
        _box(canvas, SERVICES, plan.services[backend], 34, grey, (str(backend), f"({address[backend]}: not called)"))
    for end, y in plan.pods.items():
        _box(canvas, PODS, y, 21, pods.colour, (str(end),))
        canvas.mark((PODS[0] + 13, y), pods, 5)
    for backend in backends:
        if not ready[backend]:
            canvas.text((PODS[0], plan.services[backend] + 4), "none: 503", 10, "start", bold=True)


def _box(
    canvas: Canvas, column: tuple[float, float], y: float, height: float, colour: str, words: tuple[str, ...]
) -> None:
    canvas.box((column[0], y - height / 2), (column[1], height), colour, fill=colour, alpha=0.06, radius=4)
    start = column[0] + (26 if column is PODS else 9)
    for number, word in enumerate(words):
        lower = 3.6 if len(words) == 1 else (-2.5 if number == 0 else 11)
        canvas.text((start, y + lower), word, 9.6, "start", mono=True, bold=number == 0 and len(words) > 1)


def _caption(world: World, taken: Sequence[Rule], backends: Sequence[Backend]) -> str:
    assert world.cluster is not None, "rules() asked for it"
    name = world.cluster.controller.ingress_class
    return (
        f"What the controller of class {name} has looked up: {counted(len(taken), 'path')}, "
        f"{counted(len(backends), 'Service')}, and the ready pods behind each. It calls those, "
        "and no Service's address."
    )


def _alternative(taken: Sequence[Rule]) -> str:
    told = (
        f"{rule.host} {rule.path.type} {rule.path.path or '/'} names {rule.backend}, "
        f"endpoints {', '.join(map(str, rule.endpoints)) or 'none'}"
        for rule in taken
    )
    return f"{'; '.join(told)}."
