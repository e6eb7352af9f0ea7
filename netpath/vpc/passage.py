"""A packet's way through a region, from one network interface to another or to the Internet.

It meets, in this order, the filters and tables of the place it leaves, the gateways, and the filters
of the place it comes to:

    security group out, network ACL out, route table, NAT gateway or internet gateway or peering,
    network ACL in, security group in

A network ACL stands at a subnet's edge, so between two interfaces of one subnet there is none, and no
route table either: they reach each other on the data link (VPC User Guide, "Gateway route tables").
The Internet is one place outside; what an internet gateway sends to a public address of this very
region comes straight back in, through the gateway of the VPC that has it.

Not modelled: who may peer with whom, the route tables of transit gateways, VPNs and endpoints
(`UNKNOWN_DESTINATION`), multicast and broadcast, bandwidth, the size of packets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from netpath.choice import Choose
from netpath.nat import OneToOne
from netpath.packet import Address, Hop, Network, Packet, Protocol, Step, TcpFlags, Verdict
from netpath.vpc.filters import Routing, destination_number, prefix, selector, source_number, untracked, within
from netpath.vpc.memory import Flow, FlowId, VpcMemory, flow_id
from netpath.vpc.natgateway import inward, outward
from netpath.vpc.objects import ConnectionTracking, InternetGateway, NatGateway, NetworkInterface, Route, TargetKind
from netpath.vpc.region import Place, Region

_RFC1918 = tuple(prefix(Network(block)) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
_RFC6598 = (prefix(Network("100.64.0.0/10")),)
_LINK_LOCAL = prefix(Network("169.254.0.0/16"))

_DELIVERED = Verdict("DELIVERED")
_AT_SERVICE = Verdict("VPC_SERVICE")
_LOCAL = TargetKind.LOCAL
_MOST_ROADS = 1 << 16  # a scan of all addresses must not fill the memory


class Settled(NamedTuple):
    """What security groups knew of a segment on an open connection, so that the same segment would fare the same.

    `flow` is what an interface tracks; None where rules alone decide, again and again.
    """

    key: FlowId
    packet: Packet
    egress: bool
    tracking: ConnectionTracking
    flow: Flow | None

    def holds(self, memory: VpcMemory, now: float) -> bool:
        flow, known = memory.tracked.get(self.key), self.flow
        if flow is None or flow.expires <= now:
            return known is None
        return known is not None and flow.admitted is known.admitted and flow.texts is known.texts

    def renew(self, memory: VpcMemory, now: float) -> None:
        """What the segment leaves behind."""
        if self.flow is not None:
            memory.follow(self.key, self.packet, self.egress, now, self.tracking)


class Carried(NamedTuple):
    """How far a packet came.

    `packet` is what arrived (None: it died on the way); `receiver` the interface it arrived at (None
    with a packet: it is out on the Internet, or at one of the VPC's own services). `answer` is what a
    gateway sends back to the sender by itself. `settled` is there if the same packet would fare the same.
    """

    hops: tuple[Hop, ...]
    packet: Packet | None = None
    receiver: NetworkInterface | None = None
    answer: Packet | None = None
    settled: tuple[Settled, ...] | None = None

    @property
    def verdict(self) -> Verdict:
        """The last hop's."""
        return self.hops[-1].verdict


def carry(
    region: Region,
    memory: VpcMemory,
    packet: Packet,
    sender: NetworkInterface | None,
    now: float,
    choose: Choose,
) -> Carried:
    """Carry one packet from an interface (None: from the Internet) as far as it gets; `memory` moves on.

    `now` is in seconds. Chance is asked by a NAT gateway alone: which of its addresses, which port.
    Raises `WorldError` where the region lacks what the question needs (a subnet's route table).
    """
    passage = _Passage(region, memory, now, choose)
    ends = None if sender is None else sender.network_interface_id, source_number(packet), destination_number(packet)
    road = region.roads.get(ends)
    if road is not None:
        return passage.follow(packet, road)
    carried = passage.enter(packet) if sender is None else passage.leave_interface(packet, region.place(sender))
    if passage.stages and carried.packet is not None:
        if len(region.roads) >= _MOST_ROADS:
            region.roads.clear()
        region.roads[ends] = Road(tuple(passage.stages), carried.receiver)
    return carried


Stage = tuple[Callable[..., Packet | None], tuple[Any, ...]]


class Road(NamedTuple):
    """The way from an interface and a source to a destination: frozen geography, looked up once.

    What each stage makes of a packet is asked again for every packet: filters look at more, and remember.
    """

    stages: tuple[Stage, ...]
    receiver: NetworkInterface | None


class _Passage:
    """One packet's way: the hops so far, and the stages that it passed (None once one of them isn't geography)."""

    def __init__(self, region: Region, memory: VpcMemory, now: float, choose: Choose) -> None:
        self.region = region
        self.memory = memory
        self.now = now
        self.choose = choose
        self.hops: list[Hop] = []
        self.nat_gateways: list[str] = []
        self.stages: list[Stage] | None = []
        self.settled: list[Settled] | None = None

    def follow(self, packet: Packet, road: Road) -> Carried:
        """By a road that is known already."""
        left: Packet | None = packet
        self.settled = [] if packet.flags is TcpFlags.PUSH else None
        for stage, arguments in road.stages:
            left = stage(self, left, *arguments)
            if left is None:
                return self._end()
        settled = None if self.settled is None else tuple(self.settled)
        return Carried(tuple(self.hops), left, road.receiver, settled=settled)

    def _by(self, stage: Callable[..., Packet | None], packet: Packet, *arguments: Any) -> Packet | None:
        """By a stage, which is noted; None if the packet got no further."""
        if self.stages is not None:
            self.stages.append((stage, arguments))
        return stage(self, packet, *arguments)

    # How it ends -----------------------------------------------------------------------------
    def _end(
        self, packet: Packet | None = None, receiver: NetworkInterface | None = None, answer: Packet | None = None
    ) -> Carried:
        return Carried(tuple(self.hops), packet, receiver, answer)

    def _die(
        self, station: str, at: str, packet: Packet, code: str, rule: str = "", steps: Sequence[Step] = ()
    ) -> Carried:
        self.hops.append(Hop(station, at, packet, Verdict(code, rule), None, steps))
        return self._end()

    # Leaving an interface --------------------------------------------------------------------
    def leave_interface(self, packet: Packet, place: Place) -> Carried:
        """Out of the interface that sends: its state, its source check, its security groups."""
        if place.fault is not None:
            return self._die("network interface", place.id, packet, place.fault.code, place.fault.rule)
        own = place.owns(source_number(packet))
        if not own and place.interface.source_dest_check:
            return self._refused_by_check(packet, place, "source", str(packet.source.address))
        destination = destination_number(packet)
        if place.owns(destination):
            return self._deliver_here(packet, place)
        if destination & _LINK_LOCAL[1] == _LINK_LOCAL[0] or destination in place.services:
            self.hops.append(Hop("VPC service", place.vpc_id, packet, _AT_SERVICE, packet))
            self.stages = None
            return self._end(packet)
        if place.groups is not None and self._by(_Passage._groups, packet, place, True, True) is None:
            return self._end()
        return self.onward(packet, place, own)

    def _deliver_here(self, packet: Packet, place: Place) -> Carried:
        """What an interface sends to itself never leaves the instance, so nothing filters it."""
        self._by(_Passage._delivered, packet, place)
        return self._end(packet, place.interface)

    def _delivered(self, packet: Packet, place: Place) -> Packet:
        self.hops.append(Hop("network interface", place.id, packet, _DELIVERED, packet))
        return packet

    def _refused_by_check(self, packet: Packet, place: Place, end: str, address: str) -> Carried:
        rule = f"{place.id} SourceDestCheck: true, the {end} {address} is not its own"
        return self._die("network interface", place.id, packet, "ENI_SOURCE_DEST_CHECK_RESTRICTION", rule)

    def onward(self, packet: Packet, place: Place, preserved: bool) -> Carried:
        """From a place to wherever its subnet and its route table lead.

        `preserved`: whether the packet's source is the sending interface, so that rules which name a
        security group can know it.
        """
        destination = destination_number(packet)
        if destination & place.mask == place.base:
            return self._local(packet, place.vpc_id, place.subnet.subnet_id, preserved)
        routing = place.routes.decide(destination)
        route, kind = routing.route, routing.kind
        if not self._stays(place, route, kind) and self._by(_Passage._acl, packet, place, True) is None:
            return self._end()
        self._by(_Passage._routed, packet, place.routes.table.route_table_id, routing)
        if kind is _LOCAL:
            return self._local(packet, place.vpc_id, place.subnet.subnet_id, preserved)
        if route is None or kind is None:
            return self._end()
        return _FOLLOW[kind](self, packet, place, route)

    def _routed(self, packet: Packet, table_id: str, routing: Routing) -> Packet | None:
        sent = packet if routing.route is not None else None
        self.hops.append(Hop("route table", table_id, packet, routing.verdict, sent, routing.steps))
        return sent

    def _stays(self, place: Place, route: Route | None, kind: TargetKind | None) -> bool:
        """Whether a route leads to an interface of the same subnet, so that the packet doesn't leave it."""
        if route is None or kind is _LOCAL:
            return False
        target = self._next_interface(route)
        return target is not None and target.subnet_id == place.subnet.subnet_id

    def _next_interface(self, route: Route) -> NetworkInterface | None:
        """The interface that a route's target has within the VPC, if it has one."""
        if route.kind is TargetKind.INTERFACE:
            return self.region.network_interface[route.target]
        if route.kind is TargetKind.INSTANCE:
            return self.region.interface_of_instance(route.target)
        if route.kind is TargetKind.NAT_GATEWAY:
            return self.region.nat_interface(self.region.nat_gateway[route.target])
        return None

    # Where a route leads ---------------------------------------------------------------------
    def _local(self, packet: Packet, vpc_id: str, from_subnet: str | None, preserved: bool) -> Carried:
        receiver = self.region.holder(vpc_id, destination_number(packet))
        if receiver is None:
            rule = f"no network interface of {vpc_id} has {packet.destination.address}"
            return self._die("VPC", vpc_id, packet, "NO_POSSIBLE_DESTINATION", rule)
        return self._arrive(packet, self.region.place(receiver), from_subnet, preserved)

    def _to_interface(self, packet: Packet, place: Place, route: Route) -> Carried:
        """To an appliance, as its route says; `RouteIndex` has seen to it that it is there."""
        appliance = self._next_interface(route)
        assert appliance is not None
        preserved = place.owns(source_number(packet))
        return self._arrive(packet, self.region.place(appliance), place.subnet.subnet_id, preserved)

    def _to_peer(self, packet: Packet, place: Place, route: Route) -> Carried:
        peering = self.region.peering.get(route.target)
        peer_id = peering.other(place.vpc_id) if peering else None
        peer = self.region.vpc.get(peer_id) if peer_id else None
        if peer is None:
            return self._unknown(packet, place, route)
        if not any(packet.destination.address in block for block in peer.cidr_blocks):
            code = "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR"
            return self._die("peering connection", route.target, packet, code, f"{route.target} leads to {peer_id}")
        verdict = Verdict("ROUTED", f"{route.target} leads to {peer.vpc_id}")
        self._by(_Passage._across, packet, route.target, verdict)
        return self._local(packet, peer.vpc_id, None, place.owns(source_number(packet)))

    def _across(self, packet: Packet, name: str, verdict: Verdict) -> Packet:
        self.hops.append(Hop("peering connection", name, packet, verdict, packet))
        return packet

    def _unknown(self, packet: Packet, place: Place, route: Route) -> Carried:
        return self._die("gateway", route.target, packet, "UNKNOWN_DESTINATION", str(route))

    # Internet gateway ------------------------------------------------------------------------
    def _exit(self, packet: Packet, place: Place, route: Route) -> Carried:
        """Out to the Internet, with the public address of the source."""
        refusal = _private(destination_number(packet), "IGW_DESTINATION_ADDRESS", "EGRESS")
        if refusal:
            return self._die("internet gateway", route.target, packet, refusal, str(packet.destination.address))
        sent = self._by(_Passage._swapped_out, packet, route.target, self.region.one_to_one(place.vpc_id))
        if sent is None:
            code, rule = "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS", f"{packet.source.address} has no public address"
            return self._die("internet gateway", route.target, packet, code, rule)
        return self.enter(sent) if destination_number(sent) in self.region.public else self._end(sent)

    def _swapped_out(self, packet: Packet, gateway: str, addresses: OneToOne) -> Packet | None:
        sent = addresses.outward(packet)
        if sent is not None:
            verdict, steps = _swap(packet.source.address, sent.source.address, "source")
            self.hops.append(Hop("internet gateway", gateway, packet, verdict, sent, steps))
        return sent

    def enter(self, packet: Packet) -> Carried:
        """In from the Internet, to the private address behind a public one."""
        found = self.region.public.get(destination_number(packet))
        if found is None:
            rule = f"{packet.destination.address} is no public address of this region"
            return self._die("internet", "internet", packet, "NO_SUCH_PUBLIC_ADDRESS", rule)
        interface, _ = found
        gateway = self.region.gateway_of.get(self.region.vpc_of(interface))
        if gateway is None:
            rule = f"{self.region.vpc_of(interface)} has no internet gateway attached"
            return self._die("internet", "internet", packet, "BAD_STATE_ATTACHMENT", rule)
        return self._enter_by(packet, gateway, interface)

    def _enter_by(self, packet: Packet, gateway: InternetGateway, interface: NetworkInterface) -> Carried:
        name, place = gateway.internet_gateway_id, self.region.place(interface)
        refusal = _private(source_number(packet), "IGW_SOURCE_ADDRESS", "INGRESS")
        if refusal:
            return self._die("internet gateway", name, packet, refusal, str(packet.source.address))
        sent = None
        if interface.status == "in-use":
            sent = self._by(_Passage._swapped_in, packet, name, self.region.one_to_one(place.vpc_id))
        if sent is None:
            rule = f"{packet.destination.address} is {place.id}'s, which is {interface.status}"
            return self._die("internet gateway", name, packet, "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS", rule)
        return self._from_edge(sent, name, place)

    def _swapped_in(self, packet: Packet, gateway: str, addresses: OneToOne) -> Packet:
        sent = addresses.inward(packet)
        assert sent is not None, "its public address led here"
        verdict, steps = _swap(sent.destination.address, packet.destination.address, "destination")
        self.hops.append(Hop("internet gateway", gateway, packet, verdict, sent, steps))
        return sent

    def _from_edge(self, packet: Packet, gateway_id: str, place: Place) -> Carried:
        """Into the VPC, asking the gateway's own route table if it has one."""
        index = self.region.edge_routes(gateway_id)
        if index is None:
            return self._arrive(packet, place, None, True)
        routing = index.decide(destination_number(packet))
        self._by(_Passage._routed, packet, index.table.route_table_id, routing)
        if routing.route is None:
            return self._end()
        if routing.kind is _LOCAL:
            return self._arrive(packet, place, None, True)
        return self._from_edge_to_appliance(packet, place, routing.route)

    def _from_edge_to_appliance(self, packet: Packet, place: Place, route: Route) -> Carried:
        appliance = self._next_interface(route)
        if appliance is None:
            return self._unknown(packet, place, route)
        if not any(held.public_ip for held in appliance.addresses):
            return self._die("network interface", route.target, packet, "INGRESS_RTB_NO_PUBLIC_IP", str(route))
        return self._arrive(packet, self.region.place(appliance), None, True)

    # Arriving --------------------------------------------------------------------------------
    def _arrive(self, packet: Packet, place: Place, from_subnet: str | None, preserved: bool) -> Carried:
        """At an interface: the edge of its subnet, its state, its destination check, its security groups."""
        if from_subnet != place.subnet.subnet_id and self._by(_Passage._acl, packet, place, False) is None:
            return self._end()
        if place.fault is not None:
            return self._die("network interface", place.id, packet, place.fault.code, place.fault.rule)
        if place.nat_gateway is not None:
            return self._back_by_nat(packet, place, place.nat_gateway)
        if place.interface.source_dest_check and not place.owns(destination_number(packet)):
            return self._refused_by_check(packet, place, "destination", str(packet.destination.address))
        if place.groups is not None and self._by(_Passage._groups, packet, place, False, preserved) is None:
            return self._end()
        if not self.hops:
            self._by(_Passage._delivered, packet, place)
        return self._end(packet, place.interface)

    # Filters ---------------------------------------------------------------------------------
    def _acl(self, packet: Packet, place: Place, egress: bool) -> Packet | None:
        """By the subnet's network ACL, if it lets the packet; the other end is what its rules name."""
        other = destination_number(packet) if egress else source_number(packet)
        verdict, steps = place.acls[egress].decide((packet.protocol._value_, selector(packet), other, True))
        sent = packet if verdict.code == "ALLOWED" else None
        self.hops.append(Hop("network ACL", place.acl_names[egress], packet, verdict, sent, steps))
        return sent

    def _groups(self, packet: Packet, place: Place, egress: bool, preserved: bool) -> Packet | None:
        """By the interface's security groups, if they let the packet: a connection they know, or a rule."""
        groups, tracking = place.groups, place.interface.tracking
        assert groups is not None, "asked before"
        key = flow_id(place.id, packet, egress)
        if packet.quotes is None:
            flow = self.memory.follow(key, packet, egress, self.now, tracking)
        else:
            flow = self.memory.quoted(place.id, packet.quotes, egress, self.now)
        at = place.names[egress]
        if self.settled is not None:
            self.settled.append(Settled(key, packet, egress, tracking, flow))
        if flow is not None:
            verdict, steps = flow.admitted
            self.hops.append(Hop("security group", at, packet, verdict, packet, steps, flow.texts))
            return packet
        decision = groups[egress].decide((key[1], selector(packet), key[4], preserved))
        verdict, steps = decision.verdict, decision.steps
        if verdict.code != "ALLOWED":
            self.hops.append(Hop("security group", at, packet, verdict, None, steps))
            return None
        remembered: Sequence[str] = ()
        if packet.quotes is None and not untracked(groups[egress], groups[not egress], packet, decision):
            self.settled = None
            remembered = self.memory.begin(key, packet, egress, self.now, tracking, decision.tracked).texts
        self.hops.append(Hop("security group", at, packet, verdict, packet, steps, remembered))
        return packet

    # NAT gateway -----------------------------------------------------------------------------
    def _to_nat(self, packet: Packet, place: Place, route: Route) -> Carried:
        """Through a NAT gateway, outward: across its subnet's edge, translated, and on from its place."""
        self.stages = None
        gateway = self.region.nat_gateway[route.target]
        nat = self.region.place(self.region.nat_interface(gateway))
        if nat.subnet.subnet_id != place.subnet.subnet_id and self._acl(packet, nat, False) is None:
            return self._end()
        refusal = self._nat_refusal(packet, nat, gateway.nat_gateway_id)
        if refusal:
            return self._die("NAT gateway", gateway.nat_gateway_id, packet, *refusal)
        self.nat_gateways.append(gateway.nat_gateway_id)
        memory = self.memory.of_nat(gateway.nat_gateway_id)
        return self._beyond_nat(outward(memory, gateway, packet, self.now, self.choose), nat)

    def _nat_refusal(self, packet: Packet, nat: Place, name: str) -> tuple[str, str] | None:
        if name in self.nat_gateways:
            return "ROUTE_LOOP", f"{nat.routes.table.route_table_id} leads from {nat.subnet.subnet_id} back to {name}"
        if packet.protocol is Protocol.SCTP:
            return "PROTOCOL_RESTRICTION", f"protocol {packet.protocol}"
        if not any(packet.source.address in block for block in self.region.vpc[nat.vpc_id].cidr_blocks):
            return "NGW_REQUIRES_SOURCE_IN_VPC", f"{packet.source.address} is not in {nat.vpc_id}"
        return None

    def _back_by_nat(self, packet: Packet, nat: Place, gateway: NatGateway) -> Carried:
        self.stages = None
        memory = self.memory.of_nat(gateway.nat_gateway_id)
        return self._beyond_nat(inward(memory, gateway, packet, self.now), nat)

    def _beyond_nat(self, hop: Hop, nat: Place) -> Carried:
        self.hops.append(hop)
        if hop.sent is not None:
            return self.onward(hop.sent, nat, False)
        reset = hop.verdict.code == "NAT_GATEWAY_IDLE_TIMEOUT" and hop.received is not None
        return self._end(answer=hop.received.answer(TcpFlags.RESET) if reset and hop.received else None)


_FOLLOW: Mapping[TargetKind, Callable[[_Passage, Packet, Place, Route], Carried]] = {
    TargetKind.INTERNET_GATEWAY: _Passage._exit,
    TargetKind.NAT_GATEWAY: _Passage._to_nat,
    TargetKind.INTERFACE: _Passage._to_interface,
    TargetKind.INSTANCE: _Passage._to_interface,
    TargetKind.PEERING: _Passage._to_peer,
    TargetKind.OTHER: _Passage._unknown,
}


def _private(address: int, what: str, way: str) -> str:
    """The code with which an internet gateway refuses an address that isn't public; empty if it is."""
    if within(address, _RFC1918):
        return f"{what}_NOT_IN_RFC1918_{way}"
    return f"{what}_NOT_IN_RFC6598_{way}" if within(address, _RFC6598) else ""


@lru_cache(maxsize=1 << 12)
def _swap(private: Address, public: Address, end: str) -> tuple[Verdict, tuple[Step, ...]]:
    """What an internet gateway says of a translation: it is the same for every packet."""
    rule = f"{private} <-> {public}"
    why = f"the {end} is {private if end == 'source' else public}"
    return Verdict("TRANSLATED", rule), (Step(rule, True, why),)
