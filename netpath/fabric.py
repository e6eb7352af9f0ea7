"""One packet, from anywhere to anywhere, and what comes back.

The fabric is what lies between the boxes: a packet leaves a pod for its node, the node's kernel routes it, the
VPC carries it to another interface, that node's kernel takes it in. `send` follows it from the place that its
source address names to wherever it ends, and `Trip` is the record. A trip that was refused aloud (a reset, an
ICMP error) has the refusal in `refusal`, on its own way back.

Without a VPC the nodes share one network that knows every address: `FLAT`.

Not modelled: what happens inside a pod (its one process listens on the ports that the pod declares, or on
every port if it declares none), SCTP's refusals, and what is out on the Internet or at an interface that isn't
the cluster's: all of that answers what is sent to its own address, and forwards nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from netpath.balancing import no_listener
from netpath.choice import Choose, first
from netpath.kubeproxy import refusal
from netpath.kubernetes import Pod
from netpath.memory import Memory
from netpath.netfilter import Passage, receive
from netpath.netfilter import Settled as SettledHost
from netpath.netfilter import send as send_from
from netpath.nodes import STATION, ClusterNode
from netpath.packet import Hop, IcmpType, Network, Packet, Protocol, TcpFlags, Verdict, quick
from netpath.routing import LOOPBACK
from netpath.vpc import Carried, NetworkInterface, carry
from netpath.vpc.passage import Settled as SettledGroup
from netpath.world import Kind, Place, World

FLAT = "cluster network"
MOST_LEGS = 64  # an IP packet's usual TTL: each host on the way takes one off

_MOST_TRIPS = 1 << 12
_ROUTED = Verdict("ROUTED")
_LOST = Verdict("NO_POSSIBLE_DESTINATION", "no node, no pod and no network interface has this address")
_LOOPING = Verdict("TTL_EXCEEDED", f"it met {MOST_LEGS} hosts")

_PRIVATE = tuple(Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))  # RFC 1918


@quick
@dataclass(frozen=True, slots=True)
class Trip:
    """One packet's way: every hop, and where it ended.

    `packet` is what arrived and `place` where; both None if it was stopped, and then the last hop says why.
    `refusal` is the way of what whoever stopped it sent back, if anything.
    """

    sent: Packet
    hops: tuple[Hop, ...]
    packet: Packet | None = None
    place: Place | None = None
    refusal: Trip | None = None

    @property
    def arrived(self) -> bool:
        return self.place is not None

    @property
    def verdict(self) -> Verdict:
        """The last hop's; a trip without hops never left the place that it was sent from."""
        return self.hops[-1].verdict if self.hops else _ROUTED


def send(
    world: World,
    memory: Memory,
    packet: Packet,
    choose: Choose = first,
    *,
    origin: Place | None = None,
    awaited: bool = False,
) -> Trip:
    """Send one packet from the place that has its source address (or `origin`); `memory` moves on.

    `awaited`: it is an answer, so a process at the other end waits for it.
    """
    place = origin or world.where(packet.source.address)
    carrier = _Carrier(world, memory, packet, choose, awaited)
    if packet.flags is not TcpFlags.PUSH or packet.payload is not None or place.kind is Kind.VPC_SERVICE:
        return carrier.depart(place)
    return _on_connection(carrier, place)


def _on_connection(carrier: _Carrier, place: Place) -> Trip:
    """Send data on a connection: the next trip of the same packet is the same, until a box has changed its mind."""
    world, memory, awaited = carrier.world, carrier.memory, carrier.awaited
    source, destination = carrier.sent.source, carrier.sent.destination
    # All that such a packet is, in numbers: as a key, the packet itself would take ten times as long.
    key = int(place.address), int(source.address), source.port, int(destination.address), destination.port, awaited
    known: _Known | None = world.trips.get(key)
    again = known and known.again(memory)
    if again is not None:
        return again
    trip = carrier.depart(place)
    if carrier.settled and trip.arrived:
        if len(world.trips) >= _MOST_TRIPS:
            world.trips.clear()
        world.trips[key] = _Known(trip, tuple(carrier.hosts), tuple(carrier.groups))
    return trip


class _Known(NamedTuple):
    """A trip on an open connection, and what every box on the way knew of it: while they do, it is the same trip."""

    trip: Trip
    hosts: tuple[tuple[str, SettledHost], ...]
    groups: tuple[SettledGroup, ...]

    def again(self, memory: Memory) -> Trip | None:
        """The trip once more, with all that it renews; None if a box knows otherwise by now."""
        now, vpc = memory.now, memory.vpc
        hosts = []
        for name, host in self.hosts:
            held = memory.host(name)
            entry = host.found(held, now)
            if entry is None:
                return None
            hosts.append((host, held, entry))
        for group in self.groups:
            if not group.holds(vpc, now):
                return None
        for host, held, entry in hosts:
            host.renew(held, entry, now)
        for group in self.groups:
            group.renew(vpc, now)
        return self.trip


class _Carrier:
    """Hands one packet from box to box. `settled`, unless one of them might treat the same packet otherwise."""

    __slots__ = ("awaited", "choose", "groups", "hops", "hosts", "legs", "memory", "sent", "settled", "world")

    def __init__(self, world: World, memory: Memory, packet: Packet, choose: Choose, awaited: bool = True) -> None:
        self.world, self.memory, self.choose = world, memory, choose
        self.sent, self.awaited = packet, awaited
        self.hops: list[Hop] = []
        self.legs = 0
        self.settled = True
        self.hosts: list[tuple[str, SettledHost]] = []
        self.groups: list[SettledGroup] = []

    def depart(self, origin: Place) -> Trip:
        """Out of the place that sends: a pod's node, a node's own process, an interface, the Internet."""
        if origin.kind is Kind.POD:
            return self._from_pod(origin, self.sent)
        if origin.kind is Kind.NODE:
            return self._from_node(self.world.nodes[origin.node], self.sent)
        if origin.kind is Kind.VPC_SERVICE and origin.interface is not None:
            return self._at_interface(self.sent, origin.interface)
        return self._over_network(self.sent, origin.interface)

    def _from_pod(self, pod: Place, packet: Packet) -> Trip:
        """By its veth pair to the node; what it sends to itself stays on its own `lo`."""
        there = packet.destination.address
        if there == pod.address or int(there) >> 24 == 127:
            return self._arrived(packet, pod)
        node = self.world.nodes[pod.node]
        return self._at_node(node, packet, node.veths[pod.address])

    # A node ----------------------------------------------------------------------------------
    def _at_node(self, node: ClusterNode, packet: Packet, device: str) -> Trip:
        self.legs += 1
        if self.legs > MOST_LEGS:
            return self._stop(Hop(STATION, node.node.name, packet, _LOOPING))
        memory = self.memory.host(node.node.name)
        passage = receive(node.host, memory, packet, device, self.memory.now, self.choose, listening=node.listening)
        if passage.settled is None:
            self.settled = False
        else:
            self.hosts.append((node.node.name, passage.settled))
        return self._after(node, passage)

    def _from_node(self, node: ClusterNode, packet: Packet) -> Trip:
        self.settled = False
        memory = self.memory.host(node.node.name)
        passage = send_from(node.host, memory, packet, self.memory.now, self.choose, listening=node.listening)
        return self._after(node, passage)

    def _after(self, node: ClusterNode, passage: Passage) -> Trip:
        """What a node's kernel made of the packet decides where it is next."""
        if passage.packet is None:
            self.hops.extend(_in_kubernetes_words(passage.hops))
            return self._ended(self._refused(node, passage))
        self.hops.extend(passage.hops)
        if passage.delivered:
            return self._to_process(node, passage.packet)
        return self._out_of(node, passage.packet, passage.interface or LOOPBACK)

    def _to_process(self, node: ClusterNode, packet: Packet) -> Trip:
        """To a process of the node: one of its own, or a pod's that is on the host's network."""
        place = self.world.where(node.node.address)
        pod = node.host_pods.get((packet.protocol, packet.destination.port))
        return self._arrived(packet, place if pod is None else replace(place, name=pod.key, pod=pod))

    def _out_of(self, node: ClusterNode, packet: Packet, device: str) -> Trip:
        pod = node.pods.get(device)
        if pod is not None and pod.ip is not None:
            return self._arrived(packet, self.world.where(pod.ip))
        return self._over_network(packet, node.devices.get(device))

    def _refused(self, node: ClusterNode, passage: Passage) -> Trip | None:
        """The way back of a reset or an ICMP error that a node's kernel sent."""
        if passage.answer is None or passage.answer_interface is None:
            return None
        carrier = self._answering(passage.answer)
        carrier.hops.extend(passage.answer_hops)
        if passage.answer_interface == LOOPBACK:
            return carrier._to_process(node, passage.answer)
        return carrier._out_of(node, passage.answer, passage.answer_interface)

    # Between nodes ---------------------------------------------------------------------------
    def _over_network(self, packet: Packet, interface: NetworkInterface | None) -> Trip:
        if self.world.region is None:
            return self._over_flat(packet)
        carried = carry(self.world.region, self.memory.vpc, packet, interface, self.memory.now, self.choose)
        self.hops.extend(carried.hops)
        if carried.settled is None:
            self.settled = False
        else:
            self.groups.extend(carried.settled)
        if carried.packet is None:
            return self._ended(self._gateway_refused(carried, interface))
        if carried.receiver is None:
            return self._arrived(carried.packet, self._outside(carried, interface))
        return self._at_interface(carried.packet, carried.receiver)

    def _outside(self, carried: Carried, sender: NetworkInterface | None) -> Place:
        """Where a packet is that no interface received: on the Internet, or at one of the VPC's own services."""
        assert carried.packet is not None, "it got there"
        there = carried.packet.destination.address
        if carried.verdict.code == "VPC_SERVICE":
            return Place(Kind.VPC_SERVICE, str(there), there, interface=sender)
        return self.world.where(there)

    def _at_interface(self, packet: Packet, interface: NetworkInterface) -> Trip:
        node = self.world.node_with.get(interface.network_interface_id)
        if node is not None:
            return self._at_node(node, packet, node.device_of[interface.network_interface_id])
        if not interface.holds(packet.destination.address):
            rule = f"{interface.network_interface_id} is an appliance's, and {packet.destination.address} isn't its own"
            at = interface.network_interface_id
            return self._stop(Hop("network interface", at, packet, Verdict("UNKNOWN_DESTINATION", rule)))
        return self._arrived(packet, self.world.where(packet.destination.address))

    def _gateway_refused(self, carried: Carried, sender: NetworkInterface | None) -> Trip | None:
        """A NAT gateway's own reset: it goes to the interface whose packet it answers."""
        if carried.answer is None:
            return None
        assert sender is not None, "a NAT gateway resets what comes from inside"
        return self._answering(carried.answer)._at_interface(carried.answer, sender)

    def _over_flat(self, packet: Packet) -> Trip:
        there = self.world.where(packet.destination.address)
        node = self.world.nodes.get(there.node)
        if node is None and any(there.address in block for block in _PRIVATE):
            return self._stop(Hop(FLAT, FLAT, packet, _LOST))
        self.hops.append(Hop(FLAT, FLAT, packet, _ROUTED, packet))
        return self._arrived(packet, there) if node is None else self._at_node(node, packet, "eth0")

    # Endings ---------------------------------------------------------------------------------
    def _arrived(self, packet: Packet, place: Place) -> Trip:
        nobody = None if self.awaited else _nobody(self.world, place, packet)
        if nobody is None:
            return Trip(self.sent, tuple(self.hops), packet, place)
        self.hops.append(nobody)
        answer = _refusing(packet)
        return self._ended(None if answer is None else self._answering(answer).depart(place))

    def _answering(self, packet: Packet) -> _Carrier:
        """Who carries what is sent back."""
        return _Carrier(self.world, self.memory, packet, self.choose)

    def _ended(self, refusal: Trip | None) -> Trip:
        return Trip(self.sent, tuple(self.hops), refusal=refusal)

    def _stop(self, hop: Hop) -> Trip:
        self.hops.append(hop)
        return Trip(self.sent, tuple(self.hops))


def _in_kubernetes_words(hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
    """A node's hops, where a rule of kube-proxy's ended the packet with the code that says what that means."""
    last = hops[-1]
    code = refusal(last.verdict.rule)
    return hops if code is None else (*hops[:-1], replace(last, verdict=Verdict(code, last.verdict.rule)))


# Who listens ----------------------------------------------------------------------------------


def _nobody(world: World, place: Place, packet: Packet) -> Hop | None:
    """That nobody listens where a packet has arrived; None if somebody does."""
    if place.pod is not None:
        if pod_listens(place.pod, packet):
            return None
        reason = f"pod {place.pod.key}: nothing listens on {packet.protocol} {packet.destination.port}"
        return Hop("pod", place.pod.key, packet, Verdict("NO_SOCKET", reason))
    if place.kind is not Kind.LOAD_BALANCER or packet.flags is not TcpFlags.SYN:
        return None
    found = world.balancer_at(place.address)
    if found is None or found[0].listener_on(packet.destination.port) is not None:
        return None
    return no_listener(found[0], packet.destination.port, packet)


def _refusing(packet: Packet) -> Packet | None:
    """What Linux sends back for a packet that nobody listens for."""
    if packet.protocol is Protocol.TCP:
        return packet.answer(TcpFlags.RESET)
    if packet.protocol is Protocol.UDP:
        return packet.error(IcmpType.PORT_UNREACHABLE, packet.destination.address)
    return None


def pod_listens(pod: Pod, packet: Packet) -> bool:
    """Whether a pod's process takes a packet: on the ports that it declares, or on every port if it declares none."""
    if packet.protocol is Protocol.ICMP or (packet.protocol is Protocol.TCP and packet.flags is not TcpFlags.SYN):
        return True
    if pod.phase != "Running":
        return False
    wanted = packet.protocol, packet.destination.port
    return not pod.ports or any((each.protocol, each.port) == wanted for each in pod.ports)


def answer_to(packet: Packet) -> Packet | None:
    """What the end of a road sends back to a first packet; None to one that is an answer itself."""
    if packet.icmp not in (None, IcmpType.ECHO_REQUEST) or packet.flags is TcpFlags.RESET:
        return None
    return packet.answer()


def round_trip(world: World, memory: Memory, packet: Packet, choose: Choose = first) -> tuple[Trip, Trip | None]:
    """One packet and what comes back: the answer, or a refusal; None if nothing does."""
    out = send(world, memory, packet, choose)
    if out.place is None or out.packet is None:
        return out, out.refusal
    answer = answer_to(out.packet)
    return out, None if answer is None else send(world, memory, answer, choose, origin=out.place, awaited=True)
