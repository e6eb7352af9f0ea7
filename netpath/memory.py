"""Everything that the network remembers between packets, and the clock.

One `Memory` belongs to one world. `copy()` is a fork of history: the same past, futures apart; so all that
can happen to a request is `outcomes(lambda choose: travel(world, memory.copy(), request, choose))`.

Not modelled: boxes that forget (a restart, a full table).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from netpath.balancing import BalancerMemory
from netpath.ingress import ControllerMemory
from netpath.netfilter import HostMemory
from netpath.packet import Address, Endpoint
from netpath.resolution import Cache, StubMemory
from netpath.vpc import VpcMemory

EPHEMERAL = (32768, 60999)  # net.ipv4.ip_local_port_range


@dataclass(slots=True)
class Memory:
    """Caches, conntrack tables, positions, open connections; `now` in seconds."""

    now: float = 0.0
    stub: StubMemory = field(default_factory=StubMemory)
    cache: Cache = field(default_factory=Cache)
    vpc: VpcMemory = field(default_factory=VpcMemory)
    hosts: dict[str, HostMemory] = field(default_factory=dict)
    balancers: dict[str, BalancerMemory] = field(default_factory=dict)
    controllers: dict[str, ControllerMemory] = field(default_factory=dict)
    ports: dict[Address, int] = field(default_factory=dict)

    def host(self, name: str) -> HostMemory:
        """What a Linux host remembers."""
        found = self.hosts.get(name)
        if found is None:
            found = self.hosts[name] = HostMemory()
        return found

    def balancer(self, arn: str) -> BalancerMemory:
        found = self.balancers.get(arn)
        if found is None:
            found = self.balancers[arn] = BalancerMemory()
        return found

    def controller(self, pod: str) -> ControllerMemory:
        found = self.controllers.get(pod)
        if found is None:
            found = self.controllers[pod] = ControllerMemory()
        return found

    def next_port(self, address: Address) -> Endpoint:
        """The end of a new connection from an address: its ephemeral ports in turn.

        Linux draws them by a secret hash (net/ipv4/inet_hashtables.c); which one it is alters nothing.
        """
        low, high = EPHEMERAL
        port = self.ports.get(address, low - 1) + 1
        if port > high:
            port = low
        self.ports[address] = port
        return Endpoint(address, port)

    def copy(self) -> Memory:
        return Memory(
            self.now,
            self.stub.copy(),
            self.cache.copy(),
            self.vpc.copy(),
            {name: each.copy() for name, each in self.hosts.items()},
            {arn: each.copy() for arn, each in self.balancers.items()},
            {pod: each.copy() for pod, each in self.controllers.items()},
            dict(self.ports),
        )
