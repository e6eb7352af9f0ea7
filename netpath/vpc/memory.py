"""What a VPC remembers between packets: security groups' connections, NAT gateways' translations.

Network ACLs, route tables and internet gateways remember nothing, so they aren't here.

A flow is tracked at each interface that it passes, apart. It is known by protocol, both addresses
and both ports; ICMP by its identifier; any other protocol by its addresses alone (EC2 User Guide,
"Security group connection tracking").

Not modelled: the limit on tracked connections of an instance type; connections that are tracked
although they needn't be (through NAT gateways and Network Load Balancers), which only shows when
rules change in the middle of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from operator import attrgetter
from typing import NamedTuple

from netpath.nat import Conntrack
from netpath.packet import Address, IcmpType, LazyTexts, Packet, TcpFlags
from netpath.vpc.filters import Decision
from netpath.vpc.objects import ConnectionTracking

FlowId = tuple[str, str, int, int, int, int]  # interface, protocol, local end, remote end

_ends = attrgetter(
    "protocol._value_", "source.address._ip", "source.port", "destination.address._ip", "destination.port"
)
_CLOSING = (TcpFlags.FIN, TcpFlags.RESET)
_SYN = TcpFlags.SYN
_ECHO_REQUEST = IcmpType.ECHO_REQUEST
_IDLE = 350.0  # VPC User Guide, "NAT gateway basics"
_NAT_STATES = ("SYN_SENT", "SYN_RECV", "SYN_SENT2", "ESTABLISHED", "unacknowledged", "udp", "udp_stream", "icmp")
_NAT_TIMEOUTS: Mapping[str, float] = dict.fromkeys(_NAT_STATES, _IDLE)


class Flow(NamedTuple):
    """A tracked connection: until when, how often its direction turned, and the decision that let it begin."""

    expires: float
    turns: int
    egress: bool
    closing: bool
    admitted: Decision
    texts: LazyTexts  # the one line that says who is tracked

    @property
    def text(self) -> str:
        return self.texts[0]


def flow_id(interface_id: str, packet: Packet, egress: bool) -> FlowId:
    """How an interface knows a packet's flow, the same for both directions of it.

    An ICMP echo has its identifier as the port of the end that asks, so that a question from the
    other side is no answer.
    """
    protocol, source, source_port, destination, destination_port = _ends(packet)
    if protocol == "icmp":
        identifier = source_port or destination_port
        asks = packet.icmp is _ECHO_REQUEST
        source_port, destination_port = (identifier, 0) if asks else (0, identifier)
    elif protocol == "sctp":
        source_port = destination_port = 0
    if egress:
        return interface_id, protocol, source, source_port, destination, destination_port
    return interface_id, protocol, destination, destination_port, source, source_port


@lru_cache(maxsize=1 << 14)
def address_text(number: int) -> str:
    return str(Address(number))


def flow_text(key: FlowId, egress: bool) -> str:
    interface_id, protocol, local, local_port, remote, remote_port = key
    arrow = "->" if egress else "<-"
    here, there = address_text(local), address_text(remote)
    return f"{interface_id} tracks {protocol} {here}:{local_port} {arrow} {there}:{remote_port}"


def _texts(key: FlowId, egress: bool) -> tuple[str]:
    return (flow_text(key, egress),)


def _lifetime(tracking: ConnectionTracking, protocol: str, turns: int, closing: bool) -> float:
    """How long a flow is remembered from now: a UDP stream has had more than one request and answer."""
    if protocol == "tcp":
        return tracking.tcp_established if turns >= 2 and not closing else tracking.tcp_handshake
    if protocol == "udp":
        return tracking.udp_stream if turns >= 3 else tracking.udp
    return tracking.icmp if protocol == "icmp" else tracking.other


@dataclass(slots=True)
class NatMemory:
    """What one NAT gateway remembers. `opened` counts new connections since they were last counted in earnest."""

    conntrack: Conntrack = field(default_factory=lambda: Conntrack(_NAT_TIMEOUTS, loose=False))
    opened: int = 0

    def copy(self) -> NatMemory:
        return NatMemory(self.conntrack.copy(), self.opened)


@dataclass(slots=True)
class VpcMemory:
    """What the region's boxes remember: tracked flows, and NAT gateways by id."""

    tracked: dict[FlowId, Flow] = field(default_factory=dict)
    nat: dict[str, NatMemory] = field(default_factory=dict)

    def copy(self) -> VpcMemory:
        """The same memory, apart: what happens to one doesn't show in the other."""
        return VpcMemory(self.tracked.copy(), {name: memory.copy() for name, memory in self.nat.items()})

    def expire(self, now: float) -> int:
        """Forget what has expired; how many flows that were."""
        dead = [key for key, flow in self.tracked.items() if flow.expires <= now]
        for key in dead:
            del self.tracked[key]
        return len(dead) + sum(memory.conntrack.expire(now) for memory in self.nat.values())

    def listing(self, now: float) -> tuple[str, ...]:
        """Every live flow as text, with the seconds that it has left."""
        flows = (flow for flow in self.tracked.values() if flow.expires > now)
        lines = [f"{flow.text} ({flow.expires - now:.0f} s left)" for flow in flows]
        for name, memory in self.nat.items():
            lines += [f"{name} {line}" for line in memory.conntrack.listing(now)]
        return tuple(lines)

    def follow(
        self, key: FlowId, packet: Packet, egress: bool, now: float, tracking: ConnectionTracking
    ) -> Flow | None:
        """The live flow that a packet belongs to, kept alive by it; None if there is none."""
        flow = self.tracked.get(key)
        if flow is None or flow.expires <= now or (flow.closing and packet.flags is _SYN):
            return None
        turns = flow.turns + (flow.egress is not egress)
        closing = flow.closing or packet.flags in _CLOSING
        expires = now + _lifetime(tracking, key[1], turns, closing)
        flow = self.tracked[key] = Flow(expires, turns, egress, closing, flow.admitted, flow.texts)
        return flow

    def begin(
        self, key: FlowId, packet: Packet, egress: bool, now: float, tracking: ConnectionTracking, admitted: Decision
    ) -> Flow:
        """Track a new flow, whose first packet a rule allowed."""
        closing = packet.flags in _CLOSING
        expires = now + _lifetime(tracking, key[1], 0, closing)
        texts = LazyTexts(partial(_texts, key, egress))
        flow = self.tracked[key] = Flow(expires, 0, egress, closing, admitted, texts)
        return flow

    def quoted(self, interface_id: str, quoted: Packet, egress: bool, now: float) -> Flow | None:
        """The live flow of the packet that an ICMP error quotes; `egress` is the error's way, against it."""
        flow = self.tracked.get(flow_id(interface_id, quoted, not egress))
        return flow if flow is not None and flow.expires > now else None

    def of_nat(self, gateway_id: str) -> NatMemory:
        memory = self.nat.get(gateway_id)
        if memory is None:
            memory = self.nat[gateway_id] = NatMemory()
        return memory
