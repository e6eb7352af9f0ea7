"""What a Service promises: where the first packet of a connection may go, told without chains and rules.

This is the reader's measure, not kube-proxy's code: the Kubernetes documentation on Services ("Virtual IPs and
Service Proxies", "Service", "EndpointSlices", KEP-1669 on endpoints that terminate, KEP-2433 on hints) and what the
API says of its fields. It shares nothing with `netpath.kubeproxy`.

Not modelled: what becomes of later packets (they go where the first one went); two Services at one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lab.oracles.services import HERE, Services
from lab.oracles.talk import Fresh
from lab.oracles.wires import NODE, NODE_ADDRESSES
from netpath.kubernetes import EndpointSlice, Service, ServicePort, SliceEndpoint, TrafficPolicy
from netpath.packet import Address, Endpoint, Packet

LOOPBACK = 127


@dataclass(frozen=True, slots=True)
class Promise:
    """What must become of a first packet: `kind` is `to` (one of `endpoints`), `refused`, `dropped`, or `alone`.

    `masquerade`: whether each endpoint is to see the node instead of the sender; None where that can't be seen.
    """

    kind: str
    endpoints: frozenset[Endpoint] = frozenset()
    masquerade: frozenset[Endpoint] = frozenset()
    portal: str = ""


ALONE = Promise("alone")


@dataclass(frozen=True, slots=True)
class Asked:
    """A Service port that a packet is for, and as what: `cluster`, `external`, `balancer` or `node`."""

    service: Service
    port: ServicePort
    way: str
    endpoints: tuple[tuple[SliceEndpoint, Endpoint], ...]

    @property
    def name(self) -> str:
        return f"{self.service.key}:{self.port.name}/{self.port.protocol}"


def promised(world: Services, fresh: Fresh) -> Promise:
    """What Kubernetes promises to whoever sends this first packet, as far as kube-proxy on this node is concerned."""
    asked = next(_portals(world, fresh.packet), None)
    if asked is None:
        return ALONE
    source = fresh.packet.source.address
    usable = [pair for pair in asked.endpoints if _answers(pair[0])]
    if not usable:
        # what the node's own processes send is refused for ClusterIPs only: KUBE-EXTERNAL-SERVICES isn't in OUTPUT
        outward = fresh.where == NODE and asked.way in ("external", "balancer")
        return ALONE if outward else Promise("refused", portal=asked.name)
    if asked.way == "balancer" and not _may_call(asked.service, source):
        return Promise("dropped", portal=asked.name)
    everywhere = _chosen(_near(asked.endpoints))
    here = _chosen([pair for pair in asked.endpoints if pair[0].node == HERE.name])
    if asked.way == "cluster":
        local = asked.service.internal_traffic_policy is TrafficPolicy.LOCAL
        hidden = world.config.masquerade_all or _is_stranger(world, source)
        return _to(asked, source, here if local else everywhere, hidden)
    if asked.service.external_traffic_policy is TrafficPolicy.CLUSTER:
        return _to(asked, source, everywhere, hidden=True)
    if _is_pod(world, source):
        return _to(asked, source, everywhere, hidden=False)
    if fresh.where == NODE:
        return _to(asked, source, everywhere, hidden=True)
    return _to(asked, source, here, hidden=False)


def _to(asked: Asked, source: Address, endpoints: Iterable[Endpoint], hidden: bool) -> Promise:
    found = frozenset(endpoints)
    if not found:
        return Promise("dropped", portal=asked.name)
    # whoever reaches itself must not see itself as the caller, or it would answer itself directly
    masked = frozenset(each for each in found if hidden or each.address == source)
    return Promise("to", found, masked, asked.name)


def _portals(world: Services, packet: Packet) -> Iterator[Asked]:
    """The Service port that a packet is for."""
    target = packet.destination
    for service in world.services:
        for port in service.ports:
            if port.protocol is not packet.protocol:
                continue
            ways = [("cluster", service.cluster_ip), *(("external", each) for each in service.external_ips)]
            ways += [("balancer", each) for each in service.load_balancer_ips]
            for way, own in ways:
                if target == Endpoint(own or target.address, port.port) and own is not None:
                    yield Asked(service, port, way, _endpoints(world.slices, service, port))
            if target.port == port.node_port and _is_node_port(world, target.address):
                yield Asked(service, port, "node", _endpoints(world.slices, service, port))


def _is_node_port(world: Services, target: Address) -> bool:
    """Whether NodePorts are open on an address; all of the node's, unless the configuration says which."""
    blocks = world.config.node_port_addresses
    if int(target) >> 24 == LOOPBACK:
        return world.config.localhost_node_ports and not blocks
    return target in NODE_ADDRESSES and (not blocks or any(target in block for block in blocks))


def _endpoints(
    slices: Iterable[EndpointSlice], service: Service, port: ServicePort
) -> tuple[tuple[SliceEndpoint, Endpoint], ...]:
    return tuple(
        (each, Endpoint(each.address, meant.port))
        for piece in slices
        if (piece.namespace, piece.service) == (service.namespace, service.name)
        for meant in piece.ports
        if (meant.name, meant.protocol) == (port.name, port.protocol)
        for each in piece.endpoints
    )


def _answers(one: SliceEndpoint) -> bool:
    return one.ready or (one.serving and one.terminating)


def _near(pairs: Iterable[tuple[SliceEndpoint, Endpoint]]) -> list[tuple[SliceEndpoint, Endpoint]]:
    """Hints count only if every ready endpoint has one, and one of them is for this node's zone."""
    every = list(pairs)
    ready = [one for one, _ in every if one.ready]
    if not all(one.zone_hints for one in ready) or not any(HERE.zone in one.zone_hints for one in ready):
        return every
    return [pair for pair in every if not pair[0].ready or HERE.zone in pair[0].zone_hints]


def _chosen(pairs: Iterable[tuple[SliceEndpoint, Endpoint]]) -> list[Endpoint]:
    """The ready ones; if there are none, those that still answer while they end (KEP-1669)."""
    every = list(pairs)
    ready = [endpoint for one, endpoint in every if one.ready]
    return ready or [endpoint for one, endpoint in every if _answers(one)]


def _may_call(service: Service, source: Address) -> bool:
    ranges = service.load_balancer_source_ranges
    return not ranges or any(source in block for block in ranges)


def _is_pod(world: Services, source: Address) -> bool:
    """Whether kube-proxy knows it for one of the cluster's own."""
    return any(source in block for block in world.config.cluster_cidrs)


def _is_stranger(world: Services, source: Address) -> bool:
    return bool(world.config.cluster_cidrs) and not _is_pod(world, source)
