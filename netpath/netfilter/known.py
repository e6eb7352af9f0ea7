"""Packets of flows that were answered: what became of one becomes of the next of its kind.

This saves the walk through every hook, not the record of it: the steps are told by leading the packet the whole
road once somebody asks.

Not modelled: what `netpath.netfilter` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from netpath.choice import first
from netpath.nat import (
    CtState,
    Direction,
    Entry,
    Tracked,
    translate,
)
from netpath.netfilter.passage import Ends, HostMemory, Passage
from netpath.netfilter.road import Road, flow_text
from netpath.packet import (
    Hop,
    LazySteps,
    LazyTexts,
    Packet,
    Step,
)
from netpath.routing import Host

MOST_KNOWN = 1 << 12


def kind_of(host: Host, interface: str, mark: int, packet: Packet, tracked: Tracked) -> tuple[object, ...] | None:
    """All that decides about a packet of a flow that was answered; None for any other packet.

    Of its ports it is on which side of the rules' ranges they fall, before and after translation.
    """
    state, entry, direction = tracked
    if entry is None or state != "ESTABLISHED":
        return None
    (_, one, two), (_, three, four), walks = entry.key, entry.reply_key, host.walks
    return (
        *(interface, mark, direction, packet.protocol, packet.flags, packet.icmp),
        *(entry.mark, entry.masquerade, entry.source_nat, entry.destination_nat),
        *(entry.seen_reply, entry.assured, entry.confirmed, entry.source_bound, entry.destination_bound),
        *(one >> 16, two >> 16, three >> 16, four >> 16, walks.cuts),
        *(walks.side(one), walks.side(two), walks.side(three), walks.side(four)),
    )


class Known(NamedTuple):
    """What became of a packet of a kind, and its flow: the next one fares the same."""

    kind: tuple[Any, ...]
    entry: Entry
    passage: Passage

    def again(self, host: Host, packet: Packet, tracked: Tracked) -> Passage:
        """The passage of another packet of the kind, as if it were led through every hook."""
        state, entry, direction = tracked
        assert entry is not None, "it is of a flow"
        steps = LazySteps(partial(self._steps, host, packet, state, direction, entry.key, entry.reply_key))
        remembered = LazyTexts(partial(flow_text, state, direction, entry.written()))
        sent, before = translate(packet, entry, direction), self.passage
        hop = Hop(host.station, host.name, packet, before.hops[0].verdict, sent, steps, remembered)
        return Passage((hop,), sent, before.interface, before.gateway, False, before.mark)

    def _steps(
        self, host: Host, packet: Packet, state: CtState, direction: Direction, key: Ends, reply_key: Ends
    ) -> Sequence[Step]:
        """The rules asked: those that the packet meets if it goes the whole road."""
        (interface, mark, *_), entry = self.kind, self.entry.copy()
        entry.key, entry.reply_key = key, reply_key
        road = Road(host, HostMemory(), packet, 0.0, first, mark, None)
        return road.come_in(interface, Tracked(state, entry, direction)).hops[-1].steps


def remember(host: Host, kind: tuple[object, ...], tracked: Tracked, passage: Passage) -> None:
    """Keep what became of the first packet of its kind."""
    assert tracked.entry is not None, "it is of a flow"
    if len(host.passages) >= MOST_KNOWN:
        host.passages.clear()
    host.passages[kind] = Known(kind, tracked.entry.copy(), passage)
