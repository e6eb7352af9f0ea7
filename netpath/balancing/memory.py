"""What a load balancer remembers between requests.

Each node has its own place in each target group: two nodes don't know of each other's turns. And each keeps
its own connections to the targets open for the next request.

Not modelled: the processes of a node (one memory for each zone), and a limit on requests per connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from netpath.algorithms import Algorithm, LeastOutstanding, Random, RoundRobin
from netpath.balancing.objects import Target, TargetGroup
from netpath.packet import Address, Endpoint

_ALGORITHM: dict[str, Callable[[], Algorithm[Target]]] = {
    "round_robin": lambda: RoundRobin[Target](random_start=True),
    "least_outstanding_requests": LeastOutstanding[Target],
    "weighted_random": Random[Target],
}


@dataclass(slots=True)
class Idle:
    """A connection from a node to a target that is open and has nothing to do, since some second."""

    source: Endpoint
    since: float


@dataclass(slots=True)
class BalancerMemory:
    """What a load balancer remembers between requests: each node's place in each group, and open connections."""

    algorithms: dict[tuple[str, str], Algorithm[Target]] = field(default_factory=dict)
    idle: dict[tuple[Address, Endpoint], list[Idle]] = field(default_factory=dict)

    def algorithm(self, zone: str, group: TargetGroup) -> Algorithm[Target]:
        """The algorithm of a node for a group, with what it remembers."""
        found = self.algorithms.get((zone, group.arn))
        if found is None:
            found = self.algorithms[zone, group.arn] = _ALGORITHM[group.attributes.algorithm]()
        return found

    def started(self, zone: str, group: TargetGroup, target: Target, now: float = 0.0) -> None:
        """A node sends a request to a target."""
        self.algorithm(zone, group).started(target, now)

    def finished(
        self,
        zone: str,
        group: TargetGroup,
        target: Target,
        now: float = 0.0,
        seconds: float = 0.0,
        failed: bool = False,
    ) -> None:
        """That request is answered, or has failed."""
        self.algorithm(zone, group).finished(target, now, seconds, failed)

    def reuse(self, node: Address, target: Endpoint, now: float, idle_timeout: float = 60.0) -> Endpoint | None:
        """The source of an open connection to the target, taken out of the idle ones; None if there is none.

        The node closes a connection that has had nothing to do for `idle_timeout` seconds.
        """
        waiting = self.idle.get((node, target), [])
        waiting[:] = [connection for connection in waiting if now - connection.since < idle_timeout]
        return waiting.pop().source if waiting else None

    def keep(self, node: Address, target: Endpoint, source: Endpoint, now: float) -> None:
        """A connection has nothing to do for now, and stays open."""
        self.idle.setdefault((node, target), []).append(Idle(source, now))

    def copy(self) -> BalancerMemory:
        return BalancerMemory(
            {key: algorithm.copy() for key, algorithm in self.algorithms.items()},
            {key: [Idle(one.source, one.since) for one in waiting] for key, waiting in self.idle.items()},
        )
