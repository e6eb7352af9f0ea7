"""Journeys a second, with the full record, in worlds of several sizes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import fixed_work, least
from benchmarks.table import Line, Section
from benchmarks.worlds import cluster_ip, grow
from netpath.chance import seeded
from netpath.choice import Choose
from netpath.journey import Journey, travel
from netpath.load import load_world, shop
from netpath.memory import Memory
from netpath.netfilter import receive
from netpath.packet import http_request, tcp
from netpath.world import World

BATCH = 200
AIM = 200e-6
REQUEST = http_request("http://shop.example.com/cart")


@dataclass(slots=True)
class Browser:
    """Somebody who opens the same page again and again: the name is in their machine's cache."""

    world: World
    memory: Memory
    choose: Choose
    keep_alive: bool

    def open(self) -> Journey:
        journey = travel(self.world, self.memory, REQUEST, self.choose, keep_alive=self.keep_alive)
        assert journey.outcome.ok, journey.outcome
        return journey

    def batch(self) -> None:
        """BATCH journeys. All happen at one time, so that no cached name gets too old."""
        for _ in range(BATCH):
            self.open()

    def batch_read(self) -> None:
        """BATCH journeys, every lazy step and text of which is written out."""
        for _ in range(BATCH):
            read(self.open())


def read(journey: Journey) -> int:
    """Write out everything that is on record; how many steps and lines of memory that is."""
    return sum(len(hop.steps) + len(hop.remembered) for hop in journey.hops)


def browser(world: World, keep_alive: bool) -> Browser:
    """A browser that has been there before: caches are filled, indexes are made."""
    made = Browser(world, Memory(), seeded(1), keep_alive)
    made.batch()
    return made


def _each(work: Callable[[], None], repetitions: int) -> float:
    return least(work, 4 * repetitions) / BATCH


def _rounds(repetitions: int) -> float:
    """Seconds of one round of the peer's work."""
    return least(fixed_work, 4 * repetitions) / 10_000


def shop_section(repetitions: int) -> Section:
    """The book's own world."""
    lines: list[Line] = []
    for keep_alive, name in ((True, "keep-alive"), (False, "new connections")):
        visitor = browser(shop(), keep_alive)
        journey = visitor.open()
        hops, steps = len(journey.hops), read(journey)
        made, whole, round_ = (
            _each(visitor.batch, repetitions),
            _each(visitor.batch_read, repetitions),
            _rounds(repetitions),
        )
        lines += [
            Line(f"{name}: a journey", made * 1e6, "µs", "200 µs", made < AIM, f"{made / round_:,.0f} rounds"),
            Line(f"{name}: journeys", 1 / made, "/s", "5,000/s", made < AIM),
            Line(f"{name}: with every step written out", 1 / whole, "/s", peer=f"{whole / round_:,.0f} rounds"),
            Line(f"{name}: on record", hops, "hops", peer=f"{steps} steps and lines of memory"),
        ]
    done = (
        "GET http://shop.example.com/cart by one user, again and again, in one process; the user's machine has the\n"
        "name in its cache. The user always opens a new connection; with keep-alive the load balancer and the ingress\n"
        "controller use theirs again (packets on those have gone the same way before, and the trips that are known to\n"
        "be the same are not made again), otherwise all three are new. Every hop is there with its packets and its\n"
        "verdict; its steps are worked out when read, and `written out` reads them all (a known trip's only once)."
    )
    return Section("Journeys in the book's world", done, tuple(lines))


def sizes_section(folder: Path, sizes: Sequence[int], repetitions: int) -> Section:
    """The same in worlds with ever more Services."""
    lines, least_of = [], dict[bool, list[float]]({True: [], False: []})
    for size in sizes:
        world = load_world(grow(folder / str(size), size))
        opening = least(lambda world=world: browser_first(world), 1)  # type: ignore[misc]
        for keep_alive, taken in least_of.items():
            taken.append(_each(browser(world, keep_alive).batch, repetitions))
        packet = _each(Caller(world, size).batch, repetitions)
        lines += list(_size_lines(size, opening, least_of[True][-1], least_of[False][-1], packet))
    for keep_alive, name in ((True, "keep-alive"), (False, "new connections")):
        slower = least_of[keep_alive][-1] / least_of[keep_alive][0]
        lines.append(Line(f"{sizes[-1]:,} against {sizes[0]}: {name}", slower, "times", "< 2 times", slower < 2))
    done = (
        "So many Services with 10 endpoints each beside the shop's own, and the same journeys. A `pod's first packet`\n"
        "goes to the cluster address of another Service each time, through its node's rules (nothing remembered)."
    )
    return Section("Journeys in larger clusters", done, tuple(lines))


def _size_lines(size: int, opening: float, kept: float, new: float, packet: float) -> Iterator[Line]:
    name = f"{size:,} Services"
    yield Line(f"{name}: keep-alive", 1 / kept, "/s", peer=f"{kept * 1e6:.0f} µs")
    yield Line(f"{name}: new connections", 1 / new, "/s", peer=f"{new * 1e6:.0f} µs")
    yield Line(f"{name}: a pod's first packet", packet * 1e6, "µs")
    yield Line(f"{name}: the first journey after loading", opening, "s")


def browser_first(world: World) -> Journey:
    """The first journey in a world: it makes the nodes' rules and all indexes."""
    return Browser(world, Memory(), seeded(1), True).open()


class Caller:
    """A pod that calls one Service after the other."""

    def __init__(self, world: World, services: int) -> None:
        self.node = next(node for node in world.nodes.values() if node.veths)
        self.pod, self.device = next(iter(self.node.veths.items()))
        self.memory, self.choose = Memory(), seeded(1)
        numbers = itertools.cycle(range(0, services, max(1, services // 1_009)))
        self.packets = (
            tcp(f"{self.pod}:{32_768 + turn % 28_000}", f"{cluster_ip(number)}:80")
            for turn, number in enumerate(numbers)
        )

    def batch(self) -> None:
        memory = self.memory.host(self.node.node.name)
        for packet in itertools.islice(self.packets, BATCH):
            passage = receive(self.node.host, memory, packet, self.device, self.memory.now, self.choose)
            assert passage.packet is not None and passage.packet.destination.port == 8080, passage.hops
            self.memory.now += 0.05  # so that old flows expire
