"""Address translation: how a flow gets another source or destination, and how every packet follows.

A flow is two tuples (`netpath.conntrack`): `original`, as its first packet came in, and `reply`, as the
answer will come in. Translation *is* the difference between the two. A reply is recognised because it
equals the reply tuple, and undone by turning the original around; nothing is looked up a second time.
So the whole art is to choose the reply tuple once, uniquely, for the first packet: `source_nat` and
`destination_nat` do. `translate` then rewrites each packet, also the one quoted inside an ICMP error.

An internet gateway remembers nothing: `OneToOne` swaps one address for another, both ways.

Sources: Linux 6.18, net/netfilter/nf_nat_core.c, nf_nat_proto.c, nf_nat_masquerade.c.

Not modelled: the kernel gives up after some 250 tries in a range of ports that is nearly full (here
it tries them all); NETMAP; ports of an ICMP message (its identifier is translated as a port).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final, Literal

from netpath.choice import Choose
from netpath.conntrack import (
    INVALID,
    ORIGINAL,
    REPLY,
    TIMEOUTS,
    TRANSITIONS,
    UNTRACKED,
    Conntrack,
    CtState,
    Direction,
    Entry,
    FlowKey,
    Tracked,
    end_of,
)
from netpath.errors import InputError
from netpath.packet import Address, Endpoint, IcmpType, Packet, Protocol

__all__ = [
    "DESTINATION",
    "INVALID",
    "ORIGINAL",
    "REPLY",
    "SOURCE",
    "TIMEOUTS",
    "TRANSITIONS",
    "UNTRACKED",
    "Conntrack",
    "CtState",
    "Direction",
    "Entry",
    "FlowKey",
    "Manip",
    "NatRange",
    "OneToOne",
    "Tracked",
    "destination_nat",
    "null_binding",
    "source_nat",
    "translate",
]

Manip = Literal["source", "destination"]
SOURCE: Final[Manip] = "source"
DESTINATION: Final[Manip] = "destination"


@dataclass(frozen=True, slots=True)
class NatRange:
    """What a flow may be translated to: addresses `first` to `last`, ports `ports[0]` to `ports[1]`.

    Without `first` the address stays; without `ports` the port stays if it can. `random` is iptables'
    `--random` and `--random-fully` (the kernel of today makes no difference): don't try to keep the
    port. `persistent`: a client gets the same address for all destinations. `base_port`: port
    `base_port` becomes `ports[0]`, the next the next (`--to-destination 10.0.0.1:8000-8010/80`).
    """

    first: Address | None = None
    last: Address | None = None
    ports: tuple[int, int] | None = None
    random: bool = False
    persistent: bool = False
    base_port: int | None = None

    def __post_init__(self) -> None:
        if self.last is not None and (self.first is None or int(self.last) < int(self.first)):
            raise InputError("a range of addresses ends before it begins", value=(self.first, self.last))
        if self.ports is not None and not 0 <= self.ports[0] <= self.ports[1] <= 65535:
            raise InputError("not a range of ports", value=self.ports, expected="two of 0 to 65535, in order")

    def holds(self, end: int) -> bool:
        """Whether an end (`address << 16 | port`) is within the range already (nf_in_range)."""
        if self.first is not None and not int(self.first) <= end >> 16 <= int(self.last or self.first):
            return False
        return self.ports is None or self.ports[0] <= end & 0xFFFF <= self.ports[1]


def source_nat(conntrack: Conntrack, entry: Entry, to: NatRange, now: float, choose: Choose) -> None:
    """Decide what source a new flow leaves with: SNAT, MASQUERADE (nf_nat_setup_info).

    Chance is asked for a port ("source port") only if the flow's own can't stay. When every tuple is
    taken the flow gets a taken one, and `Conntrack.confirm` refuses it: the packet is dropped.
    """
    if entry.confirmed:
        return
    protocol, destination, source = entry.reply_key
    new = _kept_source(conntrack, entry, source, destination, to, now)
    if new is None:
        new, _ = _unique_tuple(conntrack, entry, source, destination, to, SOURCE, now, choose)
    if new != source:
        entry.reply_key = protocol, destination, new
        entry.source_nat = True
    entry.source_bound = True


def destination_nat(conntrack: Conntrack, entry: Entry, to: NatRange, now: float, choose: Choose) -> None:
    """Decide what destination a new flow is sent to: DNAT, REDIRECT (nf_nat_setup_info).

    Chance is asked ("destination port") only for a range of ports that the flow's own isn't in.
    """
    if entry.confirmed:
        return
    protocol, destination, source = entry.reply_key
    ends = _unique_tuple(conntrack, entry, source, destination, to, DESTINATION, now, choose)
    if ends != (source, destination):
        entry.reply_key = protocol, ends[1], ends[0]
        entry.destination_nat = True
    entry.destination_bound = True


def null_binding(conntrack: Conntrack, entry: Entry, manip: Manip, now: float, choose: Choose) -> None:
    """Settle that a new flow is not translated; yet its port changes if its answers couldn't be told apart.

    Every flow that no nat rule translates comes here, in a box with a nat table (nf_nat_alloc_null_binding).
    """
    if entry.confirmed:
        return
    _, destination, source = entry.reply_key
    if conntrack.taken(entry, source, destination, now):
        end = source if manip is SOURCE else destination
        setup = source_nat if manip is SOURCE else destination_nat
        setup(conntrack, entry, NatRange(Address(end >> 16)), now, choose)
    elif manip is SOURCE:
        entry.source_bound = True
    else:
        entry.destination_bound = True


# Finding a tuple: get_unique_tuple ------------------------------------------------------------


def _kept_source(
    conntrack: Conntrack, entry: Entry, source: int, destination: int, to: NatRange, now: float
) -> int | None:
    """The source as it is, or as it is translated already for another destination, if that will do."""
    if to.random:
        return None
    if to.holds(source):
        kept: int | None = source
    else:
        kept = next((end for end in conntrack.mapped(entry, now) if to.holds(end)), None)
    return None if kept is None or conntrack.taken(entry, kept, destination, now) else kept


def _unique_tuple(
    conntrack: Conntrack,
    entry: Entry,
    source: int,
    destination: int,
    to: NatRange,
    manip: Manip,
    now: float,
    choose: Choose,
) -> tuple[int, int]:
    """Source and destination within the range, free if that can be (nf_nat_l4proto_unique_tuple)."""
    echo = entry.protocol is Protocol.ICMP  # the identifier is the asking end's, whatever is translated
    if manip is SOURCE:
        source = _mapped_address(to, source, source, destination)
    else:
        destination = _mapped_address(to, destination, source, destination)
    port = (source if manip is SOURCE or echo else destination) & 0xFFFF
    if not to.random and _port_will_do(to, port):
        alone = to.ports is not None and to.ports[0] == to.ports[1]
        if alone or not conntrack.taken(entry, source, destination, now):
            return source, destination
    if manip is DESTINATION and to.ports is None and not echo:
        return source, destination
    for other, hard in _ports(to, port, manip, echo, choose):
        if manip is SOURCE or echo:
            source = source & ~0xFFFF | other
        else:
            destination = destination & ~0xFFFF | other
        if not conntrack.taken(entry, source, destination, now):
            break
        if hard and conntrack.evict(entry, source, destination, now):
            break
    return source, destination


def _port_will_do(to: NatRange, port: int) -> bool:
    if to.ports is None:
        return True
    return to.base_port is None and to.ports[0] <= port <= to.ports[1]


def _ports(to: NatRange, port: int, manip: Manip, echo: bool, choose: Choose) -> Iterator[tuple[int, bool]]:
    """The ports to try, in order, from one that chance picks; and whether a flow that is over may be pushed out."""
    low, high = to.ports or _port_class(port, echo)
    size = high - low + 1
    if to.base_port is not None:
        offset = ((port - to.base_port) & 0xFFFF) % size
    elif size == 1:
        offset = 0
    else:
        offset = choose(f"{manip} port", range(low, high + 1)) - low
    for tried in range(size):
        # The last quarter of the 128 tries is harder: NF_NAT_HARDER_THRESH.
        yield low + (offset + tried) % size, min(size, 128) - tried <= 32


def _port_class(port: int, echo: bool) -> tuple[int, int]:
    """A port stays in its class: servers of old trusted a low source port (nf_nat_l4proto_unique_tuple)."""
    if echo:
        return 0, 65535
    if port < 512:
        return 1, 511
    return (600, 1023) if port < 1024 else (1024, 65535)


def _mapped_address(to: NatRange, end: int, source: int, destination: int) -> int:
    """The end with an address of the range, the same one every time (find_best_ips_proto)."""
    if to.first is None:
        return end
    first, last = int(to.first), int(to.last or to.first)
    if first != last:
        seed = 0 if to.persistent else _wire_order(destination >> 16)
        first += _jhash(_wire_order(source >> 16), seed) * (last - first + 1) >> 32
    return first << 16 | end & 0xFFFF


_U32 = 0xFFFFFFFF


def _wire_order(address: int) -> int:
    """An address as a little-endian kernel reads it from the wire: that is what it hashes."""
    return int.from_bytes(address.to_bytes(4, "big"), "little")


def _jhash(word: int, seed: int) -> int:
    """jhash2 of include/linux/jhash.h, of one word and three zeros (an IPv4 address in an nf_inet_addr)."""
    b = c = (0xDEADBEEF + (4 << 2) + seed) & _U32
    a = (b + word) & _U32
    for turn in (4, 6, 8, 16, 19, 4):  # __jhash_mix
        a, b, c = (a - c ^ _rolled(c, turn)) & _U32, b, (c + b) & _U32
        a, b, c = b, c, a
    for turn in (14, 11, 25, 16, 4, 14, 24):  # __jhash_final
        a, b, c = a, b, ((c ^ b) - _rolled(b, turn)) & _U32
        a, b, c = b, c, a
    return b


def _rolled(word: int, by: int) -> int:
    return (word << by | word >> (32 - by)) & _U32


# Following a decision ------------------------------------------------------------------------


def translate(packet: Packet, entry: Entry, direction: Direction, manip: Manip | None = None) -> Packet:
    """The packet with its flow's translation done (nf_nat_packet; for an error nf_nat_icmp_reply_translation).

    `manip` does one half only: a box rewrites a packet's destination as it comes in (PREROUTING, OUTPUT)
    and its source as it leaves (POSTROUTING, INPUT), and routes and filters in between.
    """
    forward = direction is ORIGINAL
    new_source = manip is not DESTINATION and (entry.source_nat if forward else entry.destination_nat)
    new_destination = manip is not SOURCE and (entry.destination_nat if forward else entry.source_nat)
    if not (new_source or new_destination):
        return packet
    _, back_from, back_to = entry.reply_key if forward else entry.key
    source = end_of(back_to) if new_source else packet.source
    destination = end_of(back_from) if new_destination else packet.destination
    identifier = (back_to if forward else back_from) & 0xFFFF
    quoted = packet.quotes
    if quoted is None:
        return _echo(packet, source, destination, identifier)
    # What an error quotes travelled the other way; the error seems to come from whom the flow was sent to.
    inner_source = destination if new_destination else quoted.source
    inner_destination = source if new_source else quoted.destination
    inner = _echo(quoted, inner_source, inner_destination, identifier)
    ends = Endpoint(source.address, packet.source.port), Endpoint(destination.address, packet.destination.port)
    return Packet(packet.protocol, *ends, icmp=packet.icmp, quotes=inner)


def _echo(packet: Packet, source: Endpoint, destination: Endpoint, identifier: int) -> Packet:
    """The packet between other ends; an echo has one identifier, whichever end is translated (icmp_manip_pkt)."""
    if packet.icmp is None:
        return packet.between(source, destination)
    asks, answers = (identifier, 0) if packet.icmp is IcmpType.ECHO_REQUEST else (0, identifier)
    return packet.between(Endpoint(source.address, asks), Endpoint(destination.address, answers))


@dataclass(frozen=True)
class OneToOne:
    """A stateless swap of addresses, one for one: what an AWS internet gateway does (`public` of each private one).

    >>> from netpath.packet import address, tcp
    >>> gateway = OneToOne({address("10.0.0.5"): address("203.0.113.7")})
    >>> str(gateway.outward(tcp("10.0.0.5:80", "198.51.100.1:5000")))
    'tcp 203.0.113.7:80 > 198.51.100.1:5000 [S]'
    >>> str(gateway.inward(tcp("198.51.100.1:5000", "203.0.113.7:80")))
    'tcp 198.51.100.1:5000 > 10.0.0.5:80 [S]'
    """

    public: Mapping[Address, Address]

    def __post_init__(self) -> None:
        object.__setattr__(self, "public", MappingProxyType(dict(self.public)))
        if len(set(self.public.values())) != len(self.public):
            raise InputError("two private addresses have the same public one", value=sorted(self.public.values()))

    @cached_property
    def private(self) -> Mapping[Address, Address]:
        return MappingProxyType({public: private for private, public in self.public.items()})

    def outward(self, packet: Packet) -> Packet | None:
        """The packet with the public address of its source; None if it has none."""
        public = self.public.get(packet.source.address)
        if public is None:
            return None
        return _swapped(packet, Endpoint(public, packet.source.port), packet.destination, self.public)

    def inward(self, packet: Packet) -> Packet | None:
        """The packet with the private address of its destination; None if nobody has that public address."""
        private = self.private.get(packet.destination.address)
        if private is None:
            return None
        return _swapped(packet, packet.source, Endpoint(private, packet.destination.port), self.private)


def _swapped(packet: Packet, source: Endpoint, destination: Endpoint, swap: Mapping[Address, Address]) -> Packet:
    """The packet between new ends; what it quotes is on its way back, so its other end changes."""
    quoted = packet.quotes
    if quoted is None:
        return packet.between(source, destination)
    one = Endpoint(swap.get(quoted.source.address, quoted.source.address), quoted.source.port)
    other = Endpoint(swap.get(quoted.destination.address, quoted.destination.address), quoted.destination.port)
    inner = quoted.between(one, other)
    return Packet(packet.protocol, source, destination, icmp=packet.icmp, quotes=inner)
