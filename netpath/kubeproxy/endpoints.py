"""Which endpoints of a Service a node may use: what kube-proxy keeps of EndpointSlices.

A Service port finds its endpoints through the *name* of the port, not its number: each slice says what
the name means on its endpoints. Slices are put together (an address and port counts once), sorted by
their text, and then chosen from, on every node for itself:

* *ready* endpoints; only where there is none, those that are terminating but still serving;
* for policy Cluster anywhere, narrowed by topology hints if every ready endpoint has one and one
  of them is for this node (or zone);
* for policy Local those on this node. The two fall back to terminating endpoints apart.

Sources: kubernetes v1.34 pkg/proxy/topology.go, endpointslicecache.go, serviceport.go.

Not modelled: how EndpointSlices come to be (the controller that writes hints from
`trafficDistribution`), and slices on their way: every slice given is taken as received.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

from netpath.kubernetes import EndpointSlice, Node, Service, ServicePort, ServiceType, SliceEndpoint, TrafficPolicy
from netpath.packet import Endpoint, Network, Protocol

PortKey = tuple[str, Protocol]  # what a Service port and a slice's port are matched by


@dataclass(frozen=True, slots=True)
class Backend:
    """One endpoint of a Service port: where packets are sent (`text` in writing), and what the slice says of it."""

    text: str
    endpoint: Endpoint
    origin: SliceEndpoint

    def __str__(self) -> str:
        return self.text


_BY_TEXT = attrgetter("text")


@dataclass(frozen=True, slots=True)
class Usable:
    """The endpoints that one node uses for one Service port (`CategorizeEndpoints`).

    `cluster` and `local` serve the two traffic policies; `reachable` is both together; `mode` is the
    topology mode that narrowed `cluster`: `PreferSameNode`, `PreferSameZone`, or empty.
    """

    cluster: tuple[Backend, ...]
    local: tuple[Backend, ...]
    reachable: tuple[Backend, ...]
    mode: str = ""


class PortEndpoints:
    """Every endpoint of one Service port, wherever it runs and however it is; worked out when asked.

    Iterates over them sorted by their text, the order in which kube-proxy writes rules.
    """

    def __init__(self, found: Mapping[tuple[int, int], SliceEndpoint]) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    @cached_property
    def all(self) -> tuple[Backend, ...]:
        found = [(Endpoint(origin.address, port), origin) for (_, port), origin in self._found.items()]
        return tuple(sorted((Backend(str(endpoint), endpoint, origin) for endpoint, origin in found), key=_BY_TEXT))

    @cached_property
    def usable_nodes(self) -> frozenset[str]:
        """The nodes with a usable endpoint; an empty name stands for those that say no node."""
        return frozenset(origin.node for origin in self._found.values() if _is_usable(origin))

    @property
    def usable(self) -> bool:
        """Whether any node at all has a usable endpoint."""
        return bool(self.usable_nodes)

    def usable_on(self, node: Node) -> bool:
        return bool(node.name) and node.name in self.usable_nodes

    def categorise(self, node: Node, uses_cluster: bool, uses_local: bool) -> Usable:
        """The endpoints that `node` uses, for a Service port that needs those for Cluster, Local, or both."""
        mode, cluster = self._for_cluster(node) if uses_cluster else ("", ())
        local = _ready_or_serving([backend for backend in self.all if _is_on(backend, node)]) if uses_local else ()
        known = {backend.text for backend in cluster}
        extra = [backend for backend in local if backend.text not in known]
        reachable = tuple(sorted((*cluster, *extra), key=_BY_TEXT)) if extra else cluster
        return Usable(cluster, local, reachable, mode)

    def _for_cluster(self, node: Node) -> tuple[str, tuple[Backend, ...]]:
        mode = topology_mode(self.all, node)
        near = [backend for backend in self.all if not backend.origin.ready or _is_near(backend, node, mode)]
        return mode, _ready_or_serving(near)


NO_ENDPOINTS = PortEndpoints({})


def _is_usable(origin: SliceEndpoint) -> bool:
    return origin.ready or (origin.serving and origin.terminating)


def _is_on(backend: Backend, node: Node) -> bool:
    return bool(node.name) and backend.origin.node == node.name


def _ready_or_serving(backends: Sequence[Backend]) -> tuple[Backend, ...]:
    """The ready ones; if there are none, those that go on serving while they terminate (KEP-1669)."""
    ready = tuple(backend for backend in backends if backend.origin.ready)
    return ready or tuple(backend for backend in backends if backend.origin.serving and backend.origin.terminating)


_HINTS: tuple[tuple[str, Callable[[SliceEndpoint], tuple[str, ...]], Callable[[Node], str]], ...] = (
    ("PreferSameNode", lambda origin: origin.node_hints, lambda node: node.name),
    ("PreferSameZone", lambda origin: origin.zone_hints, lambda node: node.zone),
)


def topology_mode(backends: Iterable[Backend], node: Node) -> str:
    """How hints narrow the endpoints for this node: `PreferSameNode`, `PreferSameZone` or empty (not at all).

    A kind of hint counts only if every ready endpoint has it, and at least one is for this node.
    """
    ready = [backend.origin for backend in backends if backend.origin.ready]
    for mode, hints_of, place_of in _HINTS:
        if all(map(hints_of, ready)) and any(place_of(node) in hints_of(origin) for origin in ready):
            return mode
    return ""


def _is_near(backend: Backend, node: Node, mode: str) -> bool:
    for name, hints_of, place_of in _HINTS:
        if name == mode:
            return place_of(node) in hints_of(backend.origin)
    return True


def gather(slices: Iterable[EndpointSlice]) -> dict[PortKey, PortEndpoints]:
    """The endpoints of one Service, by port name and protocol, from all its slices in their order.

    An address and port that is there twice counts once. A terminating endpoint never displaces another, for
    its address may already belong to a new pod (kubernetes#135593, December 2025; before it, one on the
    proxy's own node won).
    """
    found: dict[PortKey, dict[tuple[int, int], SliceEndpoint]] = {}
    for piece in slices:
        for port in piece.ports:
            if port.port:
                _add(found.setdefault((port.name, port.protocol), {}), port.port, piece.endpoints)
    return {key: PortEndpoints(endpoints) for key, endpoints in found.items()}


def _add(found: dict[tuple[int, int], SliceEndpoint], port: int, origins: Iterable[SliceEndpoint]) -> None:
    for origin in origins:
        key = (int(origin.address), port)
        if not origin.terminating or key not in found:
            found[key] = origin


# What a Service is to kube-proxy (pkg/proxy/serviceport.go, pkg/apis/core/v1/helper) -------------


def is_proxied(service: Service) -> bool:
    """Whether kube-proxy does anything for it: not for a headless Service, nor for an ExternalName."""
    return service.cluster_ip is not None and service.type is not ServiceType.EXTERNAL_NAME


def external_policy_local(service: Service) -> bool:
    """externalTrafficPolicy counts only where the Service can be reached from outside at all."""
    outside = service.type in (ServiceType.NODE_PORT, ServiceType.LOAD_BALANCER) or bool(service.external_ips)
    return outside and service.external_traffic_policy is TrafficPolicy.LOCAL


def externally_accessible(service: Service, port: ServicePort) -> bool:
    return bool(port.node_port or service.load_balancer_ips or service.external_ips)


def uses_cluster_endpoints(service: Service, port: ServicePort) -> bool:
    """Even with policy Local outside, traffic from the cluster's own pods may go to any endpoint."""
    return service.internal_traffic_policy is TrafficPolicy.CLUSTER or externally_accessible(service, port)


def uses_local_endpoints(service: Service, port: ServicePort) -> bool:
    inside = service.internal_traffic_policy is TrafficPolicy.LOCAL
    return inside or (external_policy_local(service) and externally_accessible(service, port))


def source_ranges(service: Service) -> tuple[Network, ...]:
    """loadBalancerSourceRanges; one that allows every address makes them all void."""
    ranges = service.load_balancer_source_ranges
    return () if any(block.prefixlen == 0 for block in ranges) else ranges


def health_check_port(service: Service) -> int:
    """healthCheckNodePort, which only a LoadBalancer with policy Local has; 0 for none."""
    needed = service.type is ServiceType.LOAD_BALANCER and external_policy_local(service)
    return service.health_check_node_port if needed else 0
