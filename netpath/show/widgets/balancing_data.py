"""The same requests put to three algorithms, and to kube-proxy: what the balancing widget shows, as plain data.

A load balancer's node picks a target for each *request*. Here ten requests a second come to the nodes in turn (those
that DNS names), one target is slow, and from some request on some targets are unhealthy. For every choice that a
reader has (cross-zone on or off, each target ill or well) `netpath.balancing` has picked beforehand, and a run of
sixty requests is a text of sixty letters: `a` the first target, `B` the second and the group failed open, `-` none.

kube-proxy picks for each *connection*. `connections` sends sixty first packets through its rules, several times over:
who keeps four connections open has only the first four of these choices, however many requests follow.

Not modelled: clients that still use an address which DNS has ceased to name; answers that fail; the time that health
checks take; a client that opens connections as it needs them.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations, product
from typing import Any, cast

from netpath.algorithms import Algorithm
from netpath.balancing import (
    HEALTHY,
    BalancerMemory,
    Forward,
    Listener,
    LoadBalancer,
    Node,
    Target,
    TargetGroup,
    TargetGroupAttributes,
    TargetHealth,
    WeightedGroup,
    Zone,
    nodes_in_dns,
    pool,
)
from netpath.balancing.objects import ALGORITHMS
from netpath.chance import seeded
from netpath.choice import Choose, outcomes
from netpath.errors import InputError
from netpath.fabric import send
from netpath.kubernetes import Cluster, Service
from netpath.memory import Memory
from netpath.packet import Address, Endpoint, Packet, address, tcp
from netpath.world import Kind, World

Data = dict[str, Any]
Ill = frozenset[int]

REQUESTS, INTERVAL = 60, 0.1  # how many, and how many seconds lie between two
CHANGE = 20  # so many requests come before the health changes
QUICK, SLOW = 0.3, 3.0  # seconds until a target answers
UNHEALTHY = TargetHealth("unhealthy", "Target.FailedHealthChecks")
_LETTERS = string.ascii_lowercase


@dataclass(frozen=True)
class Setting:
    """Targets for each zone (at most 26 in all), which of them is slow, and how many seconds it takes.

    >>> Setting((2, 4), slow=2).names
    ('a1', 'a2', 'b1', 'b2', 'b3', 'b4')
    """

    zones: tuple[int, ...] = (2, 4)
    slow: int | None = 2
    seconds: float = SLOW
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 < sum(self.zones) <= len(_LETTERS) or min(self.zones) < 0 or len(self.zones) > 6:
            raise InputError("not a number of targets", value=self.zones, expected="up to 26, in up to 6 zones")

    @property
    def zone_names(self) -> tuple[str, ...]:
        return tuple(_LETTERS[: len(self.zones)])

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{_LETTERS[zone]}{n + 1}" for zone, count in enumerate(self.zones) for n in range(count))

    def takes(self, target: int) -> float:
        """The seconds until a target answers."""
        return self.seconds if target == self.slow else QUICK


BOOK = Setting()


# The load balancer ------------------------------------------------------------------------------


def balancer(setting: Setting, algorithm: str, cross_zone: bool, ill: Ill = frozenset()) -> LoadBalancer:
    """A load balancer with one node a zone and one target group, whose targets are well but for `ill`."""
    zones = [zone for zone, count in enumerate(setting.zones) for _ in range(count)]
    named = enumerate(zip(setting.names, zones, strict=True))
    targets = tuple(_target(name, zone, at, at in ill) for at, (name, zone) in named)
    attributes = TargetGroupAttributes(algorithm, cross_zone=str(cross_zone).lower())
    group = TargetGroup("arn:targets", "targets", targets, "ip", attributes=attributes)
    listener = Listener(80, "HTTP", Forward((WeightedGroup(group.arn),)))
    nodes = tuple(Node(name, f"eni-{name}", address(f"10.1.{at}.5")) for at, name in enumerate(setting.zone_names))
    enabled = tuple(Zone(node.zone) for node in nodes)
    return LoadBalancer("arn:balancer", "balancer", "", (listener,), (group,), enabled, nodes)


def _target(name: str, zone: int, at: int, ill: bool) -> Target:
    endpoint = Endpoint(address(f"10.0.{zone}.{at + 10}"), 8080)
    return Target(name, endpoint, _LETTERS[zone], UNHEALTHY if ill else HEALTHY)


@dataclass(frozen=True)
class _Open:
    """What is open to requests: for each zone that DNS names, the targets that its node uses, and if it fails open."""

    group: TargetGroup
    zones: tuple[str, ...]
    usable: Mapping[str, tuple[int, ...]]
    fails: Mapping[str, bool]


def _open(made: LoadBalancer) -> _Open:
    (group,) = made.target_groups
    zones = tuple(node.zone for node in nodes_in_dns(made))
    pools = {zone: pool(made, group, zone) for zone in zones}
    usable = {zone: tuple(map(group.targets.index, pools[zone].usable)) for zone in zones}
    return _Open(group, zones, usable, {zone: pools[zone].fails_open for zone in zones})


@dataclass
class _Traffic:
    """Requests as they come and are answered. Targets go by number, for one that falls ill is still the same."""

    setting: Setting
    memory: BalancerMemory = field(default_factory=BalancerMemory)
    flying: tuple[tuple[float, str, int], ...] = ()

    def copy(self) -> _Traffic:
        return _Traffic(self.setting, self.memory.copy(), self.flying)

    def request(self, number: int, to: _Open, choose: Choose) -> str:
        """The letter of the target that gets a request; large if the group failed open, `-` if there is none."""
        now, zone = number * INTERVAL, to.zones[number % len(to.zones)]
        self._answered(now, to)
        algorithm = self._algorithm(zone, to)
        target = algorithm.pick(to.usable[zone], choose, now)
        if target is None:
            return "-"
        algorithm.started(target, now)
        self.flying += ((now + self.setting.takes(target), zone, target),)
        return _LETTERS[target].upper() if to.fails[zone] else _LETTERS[target]

    def _answered(self, now: float, to: _Open) -> None:
        for until, zone, target in self.flying:
            if until <= now:
                self._algorithm(zone, to).finished(target, until)
        self.flying = tuple(each for each in self.flying if each[0] > now)

    def _algorithm(self, zone: str, to: _Open) -> Algorithm[int]:
        return cast("Algorithm[int]", self.memory.algorithm(zone, to.group))


def runs(setting: Setting, algorithm: str, cross_zone: bool, ills: Sequence[Ill]) -> Iterator[str]:
    """Sixty requests, told as letters, for each set of targets that are ill after the first twenty."""
    traffic, choose = _Traffic(setting), seeded(setting.seed)
    well = _open(balancer(setting, algorithm, cross_zone))
    before = "".join(traffic.request(number, well, choose) for number in range(CHANGE))
    for ill in ills:
        after, lot = traffic.copy(), seeded(setting.seed + 1)
        to = _open(balancer(setting, algorithm, cross_zone, ill))
        yield before + "".join(after.request(number, to, lot) for number in range(CHANGE, REQUESTS))


def shares(setting: Setting, cross_zone: bool, ill: Ill = frozenset()) -> list[Fraction]:
    """What each target gets of all requests if its node gives to all alike, as two of the algorithms do."""
    to = _open(balancer(setting, ALGORITHMS[0], cross_zone, ill))
    gets = [Fraction()] * len(setting.names)
    for zone in to.zones:
        for target in to.usable[zone]:
            gets[target] += Fraction(1, len(to.zones) * len(to.usable[zone]))
    return gets


def states(setting: Setting, ills: Sequence[Ill]) -> dict[str, Data]:
    """By cross-zone (0 or 1) and health (a 1 for each target that is ill): who got each request, by algorithm."""
    found: dict[str, Data] = {}
    for cross_zone in (False, True):
        told = [runs(setting, algorithm, cross_zone, ills) for algorithm in ALGORITHMS]
        for ill, *by_algorithm in zip(ills, *told, strict=True):
            zones = _open(balancer(setting, ALGORITHMS[0], cross_zone, ill)).zones
            gets = [str(share) for share in shares(setting, cross_zone, ill)]
            found[f"{cross_zone:d} {mask(setting, ill)}"] = {"runs": by_algorithm, "shares": gets, "zones": list(zones)}
    return found


def mask(setting: Setting, ill: Ill) -> str:
    """A set of targets as ones and zeros."""
    return "".join(str(int(at in ill)) for at in range(len(setting.names)))


def every(setting: Setting) -> list[Ill]:
    """Every set of targets that may be ill."""
    bits = product((False, True), repeat=len(setting.names))
    return [frozenset(at for at, ill in enumerate(each) if ill) for each in bits]


def requests(setting: Setting = BOOK, ills: Sequence[Ill] | None = None) -> Data:
    """The first panel's data; `ills`: only these, the first of which is shown (None: the reader switches)."""
    known = every(setting) if ills is None else ills
    targets = [
        {"name": name, "seconds": setting.takes(at), "slow": at == setting.slow}
        for at, name in enumerate(setting.names)
    ]
    return {
        "targets": targets,
        "zones": list(setting.zone_names),
        "algorithms": list(ALGORITHMS),
        "count": REQUESTS,
        "interval": INTERVAL,
        "change": CHANGE,
        "switches": ills is None,
        "ill": mask(setting, known[0]),
        "states": states(setting, known),
    }


# kube-proxy -------------------------------------------------------------------------------------

KEPT = (1, 2, 3, 4, 6, 10, 20)  # connections that a client may keep open
DRAWS = 8
_MANY = 12  # pods, beyond which nobody counts the ways to leave one out


def connections(world: World, service: str = "shop/cart", draws: int = DRAWS) -> Data:
    """Which pod each of sixty connections to a Service's ClusterIP gets, drawn several times; the exact shares."""
    first = _opening(world, service, 0)
    exact = _exact(world, first)
    pods = sorted(exact)
    drawn = [[pods.index(pod) for pod in _draw(world, service, seed)] for seed in range(1, draws + 1)]
    return {
        "service": service,
        "pods": pods,
        "shares": [str(exact[pod]) for pod in pods],
        "draws": drawn,
        "kept": list(KEPT),
        "left": [float(left_out(tuple(exact.values()), kept)) for kept in KEPT],
        "count": REQUESTS,
    }


def _opening(world: World, service: str, number: int) -> Packet:
    """The first packet of a connection from a pod that isn't behind the Service to its ClusterIP."""
    cluster = world.need(world.cluster, "cluster", "a Service")
    found = next((each for each in cluster.services if each.key == service), None)
    if found is None or found.cluster_ip is None or not found.ports:
        known = [each.key for each in cluster.services if each.cluster_ip]
        raise InputError("no such Service with a ClusterIP", value=service, expected=f"one of {', '.join(known)}")
    return tcp(f"{_caller(cluster, world, found)}:{40_000 + number}", f"{found.cluster_ip}:{found.ports[0].port}")


def _caller(cluster: Cluster, world: World, service: Service) -> Address:
    behind = {each.address for one in cluster.slices if one.service_key == service.key for each in one.endpoints}
    pod = next((held for held in world.pods if held not in behind), None)
    if pod is None:
        raise InputError("no pod that could call the Service", value=service.key)
    return pod


def _reached(world: World, memory: Memory, packet: Packet, choose: Choose) -> str:
    place = send(world, memory, packet, choose).place
    if place is None or place.kind is not Kind.POD:
        raise InputError("the Service's rules lead to no pod", value=str(packet.destination))
    return place.name


def _exact(world: World, packet: Packet) -> dict[str, Fraction]:
    found: dict[str, Fraction] = {}
    for each in outcomes(lambda choose: _reached(world, Memory(), packet, choose)):
        found[each.result] = found.get(each.result, Fraction()) + each.probability
    return found


def _draw(world: World, service: str, seed: int) -> Iterator[str]:
    memory, choose = Memory(), seeded(seed)
    for number in range(REQUESTS):
        yield _reached(world, memory, _opening(world, service, number), choose)


def left_out(given: Sequence[Fraction], kept: int) -> Fraction:
    """How likely it is that some pod gets none of so many connections, by inclusion and exclusion.

    >>> str(left_out([Fraction(1, 3)] * 3, 4))
    '5/9'
    """
    if len(given) > _MANY:
        return Fraction(1) if kept < len(given) else Fraction(0)
    some = range(1, len(given) + 1)
    sets = ((size, sum(each)) for size in some for each in combinations(given, size))
    return sum(((-1) ** (size + 1) * (1 - Fraction(share)) ** kept for size, share in sets), Fraction())
