"""Random Services: the model's rules in the kernel, and packets from everywhere.

Three answers are compared for each packet: what came out of the kernel with `netpath.kubeproxy`'s rules in it, what
`netpath.netfilter` says comes out, and, for a first packet, what Kubernetes promises (`lab.oracles.promise`). So a
wrong rule is found although the kernel obeys it.

`SpreadOracle` sends many connections to few Services and asks whether the kernel's choices are as even as
Kubernetes promises and as the model says: Pearson's chi-squared test.

Not modelled: kube-proxy's own syncs. Its rules are loaded once, whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import sqrt
from random import Random
from statistics import NormalDist
from typing import TypeVar

from lab.isolation import LabError
from lab.oracles.codec import Sent
from lab.oracles.node import Kernel, Switches, told_script
from lab.oracles.promise import Promise, promised
from lab.oracles.rounds import PATIENCE, Difference, Played, without
from lab.oracles.rules import drawn_script
from lab.oracles.services import HERE, Services, drawn_call, drawn_services, told_services
from lab.oracles.talk import Fresh, Modelled, Script
from lab.oracles.wires import CLIENT, INTERFACES, NODE_ADDRESSES, Heard
from netpath import iptables, kubeproxy
from netpath.choice import Choose, outcomes
from netpath.kubernetes import EndpointPort, EndpointSlice, ProxyConfig, Service, ServicePort, SliceEndpoint
from netpath.netfilter import HostMemory, Passage, receive
from netpath.packet import Address, Endpoint, Packet, TcpFlags, address, tcp

K = TypeVar("K")

LENGTH = 480
_SWITCHES = Switches(route_localnet=True)


@dataclass(frozen=True, slots=True)
class Case:
    """A node's Services, and a conversation."""

    world: Services
    script: Script


def loaded(world: Services) -> str:
    """The rules as iptables-restore reads them; also into the chains that kube-proxy's own text takes for granted."""
    return iptables.render(kubeproxy.ruleset(*world.arguments))


def lots(rules: str) -> Mapping[str, str]:
    """The rules that draw lots, `nat CHAIN NUMBER`, each with the endpoint that it leads to."""
    found: dict[str, str] = {}
    count: Counter[str] = Counter()
    for line in rules.splitlines():
        if line.startswith("-A "):
            chain = line.split()[1]
            count[chain] += 1
            if " -> " in line:
                found[f"nat {chain} {count[chain]}"] = line.partition(" -> ")[2].partition('"')[0]
    return found


class ServicesOracle:
    """Whether the model's kube-proxy and kernel together do what the real kernel does, and what Kubernetes promises."""

    patience = PATIENCE

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def draw(self, seed: str) -> Case:
        dice = Random(seed)
        world = drawn_services(dice)
        return Case(world, drawn_script(dice, LENGTH, lambda dice: drawn_call(dice, world)))

    def play(self, case: Case) -> Played:
        rules = loaded(case.world)
        try:
            self.kernel.load(rules, _SWITCHES)
        except LabError as problem:
            return Played(1, Difference("iptables-restore", str(problem), "wrote these rules"))
        host = _SWITCHES.host(kubeproxy.ruleset(*case.world.arguments))
        return self.kernel.converse(Modelled(host, endpoints=lots(rules)), case.script, Judge(case.world))

    def smaller(self, case: Case) -> Iterator[Case]:
        yield from (replace(case, script=script) for script in without(case.script))
        world = case.world
        yield from (replace(case, world=_only(world, fewer)) for fewer in without(world.services))
        for number, piece in enumerate(world.slices):
            for fewer in without(piece.endpoints):
                slices = (*world.slices[:number], replace(piece, endpoints=fewer), *world.slices[number + 1 :])
                yield replace(case, world=replace(world, slices=slices))
        if world.config != ProxyConfig():
            yield replace(case, world=replace(world, config=ProxyConfig()))

    def told(self, case: Case) -> str:
        return f"{told_services(case.world)}\n{told_script(case.script)}"


def _only(world: Services, services: tuple[Service, ...]) -> Services:
    kept = {each.key for each in services}
    return replace(world, services=services, slices=tuple(each for each in world.slices if each.service_key in kept))


# What Kubernetes promises --------------------------------------------------------------------------


@dataclass(slots=True)
class Judge:
    """Says whether what came out is what was promised; remembers who was sent where, for session affinity."""

    world: Services
    sent: dict[tuple[str, Address], set[Endpoint]] = field(default_factory=dict)

    def __call__(self, fresh: Fresh, heard: list[Heard]) -> Difference | None:
        promise = promised(self.world, fresh)
        problem = _BY_KIND[promise.kind](self, promise, fresh, heard)
        if not problem:
            return None
        seen = "; ".join(f"{each.sent.packet} at {each.where}" for each in heard) or "nothing"
        return Difference(f"{fresh.packet} from {fresh.where}", f"{seen}: {problem}", f"(promised) {promise}")

    def to(self, promise: Promise, fresh: Fresh, heard: list[Heard]) -> str:
        reached = [each for each in heard if each.sent.packet.destination in promise.endpoints]
        if len(reached) != 1:
            return "no endpoint got it"
        where, packet = reached[0].where, reached[0].sent.packet
        wanted = fresh.packet.source.address
        if packet.destination in promise.masquerade:
            wanted = next(own for own, interface in NODE_ADDRESSES.items() if interface == INTERFACES[where])
        if packet.source.address != wanted:
            return f"the endpoint sees {packet.source.address}, and should see {wanted}"
        return self._affinity(promise, fresh, packet)

    def _affinity(self, promise: Promise, fresh: Fresh, packet: Packet) -> str:
        if not any(each.affinity_seconds and promise.portal.startswith(f"{each.key}:") for each in self.world.services):
            return ""
        known = self.sent.setdefault((promise.portal, fresh.packet.source.address), set())
        before = known & promise.endpoints
        known.add(packet.destination)
        stayed = not before or packet.destination in before
        return "" if stayed else f"it was sent to {', '.join(map(str, before))} before"

    def refused(self, promise: Promise, fresh: Fresh, heard: list[Heard]) -> str:
        told = [each for each in heard if each.where == fresh.where and each.sent.packet.quotes == fresh.packet]
        return "" if len(heard) == len(told) == 1 else "nobody was told that there is no endpoint"

    def dropped(self, promise: Promise, fresh: Fresh, heard: list[Heard]) -> str:
        return "this should have been dropped" if heard else ""

    def alone(self, promise: Promise, fresh: Fresh, heard: list[Heard]) -> str:
        # (without endpoints the node refuses on all of its addresses, also where nodePortAddresses opens no NodePort)
        plain = [each for each in heard if fresh.packet in (each.sent.packet.quotes, each.sent.packet)]
        return "" if not heard or plain else "this is no Service's"


_BY_KIND = {"to": Judge.to, "refused": Judge.refused, "dropped": Judge.dropped, "alone": Judge.alone}

# How evenly ----------------------------------------------------------------------------------------

#: How unlikely an outcome must be to count as wrong: one in a thousand million.
DOUBT = 1e-9
_SPREAD = 600


@dataclass(frozen=True, slots=True)
class Spread:
    """So many connections to a Service with so many endpoints."""

    endpoints: int
    connections: int = _SPREAD


def chi_squared(counts: Mapping[K, int], shares: Mapping[K, float]) -> float:
    """How likely it is that counts differ so much from their shares by chance, or more: Pearson's test.

    Wilson and Hilferty's approximation of the distribution, which is good enough for doubts.

    >>> chi_squared({"a": 500, "b": 500}, {"a": 0.5, "b": 0.5}) > 0.5
    True
    >>> chi_squared({"a": 600, "b": 400}, {"a": 0.5, "b": 0.5}) < 1e-7
    True
    """
    if set(counts) - set(shares):
        return 0.0
    total = sum(counts.values())
    distance = sum((counts.get(each, 0) - total * share) ** 2 / (total * share) for each, share in shares.items())
    free = len(shares) - 1
    if not free:
        return 1.0
    scaled = ((distance / free) ** (1 / 3) - (1 - 2 / (9 * free))) / sqrt(2 / (9 * free))
    return NormalDist().cdf(-scaled)


class SpreadOracle:
    """Whether new connections are spread over endpoints as evenly as promised, and as the model says."""

    patience = PATIENCE

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def draw(self, seed: str) -> Spread:
        return Spread(Random(seed).randint(2, 7))

    def play(self, case: Spread) -> Played:
        world = _world_of(case)
        self.kernel.load(loaded(world), _SWITCHES)
        counts: Counter[Endpoint] = Counter()
        for number in range(case.connections):
            fresh = tcp(f"10.1.0.2:{10000 + number}", "10.96.0.1:80")
            counts.update(self._reached(number, fresh))
        endpoints = [Endpoint(each.address, 8080) for each in world.slices[0].endpoints]
        played = Played(case.connections)
        played.difference = _uneven(counts, dict.fromkeys(endpoints, 1 / len(endpoints)), "promised")
        played.difference = played.difference or _uneven(counts, _modelled_shares(world), "the model")
        return played

    def _reached(self, number: int, packet: Packet) -> Iterator[Endpoint]:

        for each in self.kernel.wires.put(CLIENT, Sent(packet, number << 8)):
            yield each.sent.packet.destination

    def smaller(self, case: Spread) -> Iterator[Spread]:
        if case.endpoints > 2:
            yield replace(case, endpoints=case.endpoints - 1)

    def told(self, case: Spread) -> str:
        return f"{case.connections} connections to a Service with {case.endpoints} endpoints"


def _world_of(case: Spread) -> Services:
    service = Service("default", "spread", cluster_ip=address("10.96.0.1"), ports=(ServicePort(80),))
    endpoints = tuple(
        SliceEndpoint(address(f"10.2.0.{number + 2}"), node=HERE.name) for number in range(case.endpoints)
    )
    piece = EndpointSlice("default", "spread-1", "spread", (EndpointPort(8080),), endpoints)
    return Services((service,), (piece,), ProxyConfig())


def _modelled_shares(world: Services) -> dict[Endpoint, float]:
    """How likely the model says that each endpoint is."""
    host = _SWITCHES.host(kubeproxy.ruleset(*world.arguments))
    packet = tcp("10.1.0.2:9999", "10.96.0.1:80", TcpFlags.SYN)

    def experiment(choose: Choose) -> Passage:
        return receive(host, HostMemory(), packet, "n0", 0.0, choose)

    shares: dict[Endpoint, float] = {}
    for each in outcomes(experiment):
        reached = each.result.packet.destination if each.result.packet else packet.destination
        shares[reached] = shares.get(reached, 0.0) + float(each.probability)
    return shares


def _uneven(counts: Mapping[Endpoint, int], shares: Mapping[Endpoint, float], who: str) -> Difference | None:
    if chi_squared(counts, shares) > DOUBT:
        return None
    seen = ", ".join(f"{each} {number}" for each, number in sorted(counts.items(), key=str))
    said = ", ".join(f"{each} {share:.1%}" for each, share in sorted(shares.items(), key=str))
    return Difference(f"the endpoints of {sum(counts.values())} connections", seen, f"({who}) {said}")
