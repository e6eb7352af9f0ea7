"""What a rule may look at: the packet, where it is, its connection, and what earlier packets left behind.

Not modelled: packet bytes beyond `netpath.packet.Packet`, sockets and their owners, devices' own properties.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol as Shape

from netpath.packet import Address, Endpoint, Packet


class Flow(Shape):
    """One direction of a connection, as conntrack writes it down."""

    @property
    def protocol(self) -> str: ...
    @property
    def source(self) -> Endpoint: ...
    @property
    def destination(self) -> Endpoint: ...


class Connection(Shape):
    """What rules see of a conntrack entry: both directions, and the mark that CONNMARK sets."""

    mark: int

    @property
    def original(self) -> Flow: ...
    @property
    def reply(self) -> Flow: ...


class RecentList:
    """One list of `-m recent` (a file under /proc/net/xt_recent): address -> when it was seen, least recent first.

    The kernel keeps at least as many stamps as any rule counts, so that keeping all gives the same answers.
    """

    __slots__ = ("seen",)

    LONGEST = 100  # ip_list_tot: xt_recent.c forgets the least recent address beyond

    def __init__(self, seen: dict[int, tuple[float, ...]] | None = None) -> None:
        self.seen: dict[int, tuple[float, ...]] = seen or {}

    def touch(self, address: int, now: float) -> None:
        """Write down that the address was seen now."""
        stamps = self.seen.pop(address, None)
        if stamps is None and len(self.seen) >= self.LONGEST:
            del self.seen[next(iter(self.seen))]
        self.seen[address] = (*(stamps or ()), now)[-65536:]

    def reap(self, before: float, sparing: int | None) -> None:
        """Forget the least recent address if it was last seen before a time (one at a time, as the kernel does)."""
        oldest = next(iter(self.seen), None)
        if oldest is not None and oldest != sparing and self.seen[oldest][-1] < before:
            del self.seen[oldest]

    def copy(self) -> RecentList:
        return RecentList(dict(self.seen))


class RuleMemory:
    """What rules remember between packets: the lists of `-m recent`, and how far each `--mode nth` has counted.

    A list belongs to its name, a count to its place (table, chain, rule number, match number).
    """

    __slots__ = ("nth", "recent")

    def __init__(self) -> None:
        self.recent: dict[str, RecentList] = {}
        self.nth: dict[tuple[str, str, int, int], int] = {}

    def copy(self) -> RuleMemory:
        twin = RuleMemory()
        if self.recent:
            twin.recent = {name: each.copy() for name, each in self.recent.items()}
        if self.nth:
            twin.nth = dict(self.nth)
        return twin


def _nowhere(address: Address) -> bool:
    return False


@dataclass(slots=True)
class Context:
    """A packet at one point of its road through a host, as the rules there see it.

    `mark` (and the connection's) is altered by MARK and CONNMARK; `state` by NOTRACK. `state` is INVALID
    where there is no connection (yet), UNTRACKED where there shall be none; an `attached` packet belongs to
    another one, so NOTRACK leaves it alone. `status` holds the conntrack
    status bits that are set: SNAT, DNAT, EXPECTED, SEEN_REPLY, ASSURED, CONFIRMED. `input` and `output` are
    interface names, empty where the packet has none. `address_type(address, interface or None)` answers as
    the kernel's inet_dev_addr_type does; without it, everything that isn't local, multicast or the limited
    broadcast is UNICAST. `now` is in seconds.
    """

    packet: Packet
    input: str = ""
    output: str = ""
    mark: int = 0
    state: str = "INVALID"
    direction: str = "ORIGINAL"
    status: frozenset[str] = frozenset()
    connection: Connection | None = None
    is_local: Callable[[Address], bool] = _nowhere
    address_type: Callable[[Address, str | None], str] | None = None
    memory: RuleMemory = field(default_factory=RuleMemory)
    now: float = 0.0
    attached: bool = False

    def type_of(self, address: Address, interface: str | None) -> str:
        """LOCAL, UNICAST, BROADCAST, MULTICAST …: how the routing tables see an address."""
        if self.address_type is not None:
            return self.address_type(address, interface)
        number = int(address)
        if number in (0, 0xFFFFFFFF):
            return "BROADCAST"
        if number >> 28 == 0xE:
            return "MULTICAST"
        return "LOCAL" if self.is_local(address) else "UNICAST"
