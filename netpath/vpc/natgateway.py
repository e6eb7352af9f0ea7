"""A NAT gateway: many private addresses behind few, outward only.

It is conntrack with other numbers: a connection is forgotten after 350 idle seconds, whatever it is;
the source port is always a new one of 1024-65535; a TCP segment from inside that belongs to no known
connection is answered with a reset; nothing from outside gets in unasked. Each of its addresses
carries up to 55,000 connections to one destination (VPC User Guide, "NAT gateway basics").

Not modelled: how AWS spreads connections over a gateway's several addresses (here: evenly, by
chance), fragments, the 900 new connections a second, and regional NAT gateways.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from netpath.choice import Choose
from netpath.nat import REPLY, Entry, NatRange, source_nat, translate
from netpath.packet import Address, Hop, Packet, Step, TcpFlags, Verdict
from netpath.vpc.filters import number
from netpath.vpc.memory import NatMemory
from netpath.vpc.objects import NatGateway

CONNECTIONS_PER_DESTINATION = 55_000
_PORTS = (1024, 65535)  # Reachability Analyzer, REMAP_EPHEMERAL_PORT

_STATION = "NAT gateway"
_UNASKED = Verdict("NAT_GATEWAY_NO_CONNECTION")
_FORGOTTEN = Verdict("NAT_GATEWAY_IDLE_TIMEOUT")


def outward(memory: NatMemory, gateway: NatGateway, packet: Packet, now: float, choose: Choose) -> Hop:
    """What becomes of a packet from inside; without `sent` it goes no further."""
    name = gateway.nat_gateway_id
    tracked = memory.conntrack.lookup(packet, now)
    entry = tracked.entry
    if entry is None:
        goes_on = packet.flags is not None and packet.flags is not TcpFlags.RESET
        return Hop(_STATION, name, packet, _FORGOTTEN if goes_on else _UNASKED)
    if not entry.confirmed:
        free = _addresses_with_room(memory, gateway, entry, now)
        if not free:
            rule = f"{CONNECTIONS_PER_DESTINATION} connections to {packet.destination}"
            return Hop(_STATION, name, packet, Verdict("ErrorPortAllocation", rule))
        _begin(memory, entry, free, now, choose)
    return _translated(name, packet, translate(packet, entry, tracked.direction), entry, now)


def inward(memory: NatMemory, gateway: NatGateway, packet: Packet, now: float) -> Hop:
    """What becomes of a packet from outside: an answer finds its way back, anything else is dropped."""
    name = gateway.nat_gateway_id
    found = memory.conntrack.find(packet, now)
    entry = memory.conntrack.lookup(packet, now).entry if found and found.direction is REPLY else None
    if entry is None:
        return Hop(_STATION, name, packet, _UNASKED)
    return _translated(name, packet, translate(packet, entry, REPLY), entry, now)


def _begin(memory: NatMemory, entry: Entry, free: Sequence[Address], now: float, choose: Choose) -> None:
    index = choose("NAT gateway address", [1] * len(free)) if len(free) > 1 else 0
    source_nat(memory.conntrack, entry, NatRange(free[index], ports=_PORTS, random=True), now, choose)
    memory.conntrack.confirm(entry, now)
    memory.opened += 1


def _addresses_with_room(memory: NatMemory, gateway: NatGateway, entry: Entry, now: float) -> Sequence[Address]:
    """The gateway's addresses that can carry one more connection to this destination.

    `opened` is never less than the busiest destination's count, so that counting is rarely needed.
    """
    addresses = [held.address for held in gateway.addresses]
    if memory.opened < CONNECTIONS_PER_DESTINATION:
        return addresses
    memory.conntrack.expire(now)
    tally = Counter((other.reply_key[2] >> 16, other.key[0], other.key[2]) for other in memory.conntrack)
    memory.opened = max(tally.values(), default=0)
    protocol, _, destination = entry.key
    return [held for held in addresses if tally[number(held), protocol, destination] < CONNECTIONS_PER_DESTINATION]


def _translated(name: str, packet: Packet, sent: Packet, entry: Entry, now: float) -> Hop:
    line = entry.line(now)
    steps = (Step(line, True, "the packet belongs to this connection of the gateway's", name),)
    return Hop(_STATION, name, packet, Verdict("TRANSLATED", line), sent, steps, (line,))
