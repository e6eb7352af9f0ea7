"""What a host remembers between packets, and what became of one packet there.

Not modelled: what `netpath.netfilter` says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from netpath.iptables.context import RuleMemory
from netpath.nat import (
    Conntrack,
    Direction,
    Entry,
)
from netpath.packet import (
    Address,
    Hop,
    Packet,
    Protocol,
    Verdict,
    quick,
)

#: Which local ends have a process behind them: a function of the packet; or (protocol, port) pairs, besides
#: whoever gets an answer to what the host sent; None: all.
Listening = Callable[[Packet], bool] | Collection[tuple[Protocol, int]] | None


@dataclass(slots=True)
class HostMemory:
    """What a host remembers between packets: its flows, and what `-m recent` and `-m statistic --mode nth` count."""

    conntrack: Conntrack = field(default_factory=Conntrack)
    rules: RuleMemory = field(default_factory=RuleMemory)

    def copy(self) -> HostMemory:
        """The same memory, apart."""
        return HostMemory(self.conntrack.copy(), self.rules.copy())


Ends = tuple[str, int, int]  # of a flow, one way, as conntrack has them


class Settled(NamedTuple):
    """How to know that a segment on an open connection would fare again as it did, without leading it there."""

    key: Ends
    direction: Direction
    standing: tuple[object, ...]

    def found(self, memory: HostMemory, now: float) -> Entry | None:
        """Its flow, if that still is what it was; everything else that decided is frozen."""
        return memory.conntrack.still(self.key, self.standing, now)

    def renew(self, memory: HostMemory, entry: Entry, now: float) -> None:
        """What the segment leaves behind."""
        memory.conntrack.renew(entry, self.direction, now)


@quick
@dataclass(frozen=True, slots=True)
class Passage:
    """What became of a packet at a host.

    `packet` is what left by `interface` (to `gateway`, if the next hop is one), or what a local process got
    (`delivered`); None if it ended here. `answer` is what the host itself sent back because of it, leaving
    by `answer_interface` (`lo`: to one of its own processes), with the record of that in `answer_hops`.
    `settled` is there if the same packet would fare the same.
    """

    hops: tuple[Hop, ...]
    packet: Packet | None
    interface: str | None = None
    gateway: Address | None = None
    delivered: bool = False
    mark: int = 0
    answer: Packet | None = None
    answer_interface: str | None = None
    answer_hops: tuple[Hop, ...] = ()
    settled: Settled | None = None

    @property
    def verdict(self) -> Verdict:
        return self.hops[-1].verdict
