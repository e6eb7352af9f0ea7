"""The ports on which kube-proxy itself answers load balancers.

Source: kubernetes v1.34 pkg/proxy/healthcheck/service_health.go, endpointschangetracker.go.

Not modelled: kube-proxy's own /healthz (port 10256), which is the same for every Service.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from netpath.kubeproxy.endpoints import gather, health_check_port, is_proxied
from netpath.kubeproxy.tables import node_proxy
from netpath.kubernetes import EndpointSlice, Node, ProxyConfig, Service
from netpath.packet import Address


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """A port on which kube-proxy itself answers a load balancer: is there an endpoint on this node?

    `addresses` empty: on every address of the node. `local_endpoints` is also the answer's header
    `X-Load-Balancing-Endpoint-Weight`.
    """

    service: str
    port: int
    status: int
    local_endpoints: int
    addresses: tuple[Address, ...] = ()


def health_checks(
    services: Sequence[Service],
    slices: Sequence[EndpointSlice],
    node: Node,
    config: ProxyConfig,
    addresses: Iterable[Address] = (),
    healthy: bool = True,
) -> tuple[HealthCheck, ...]:
    """The health-check node ports that kube-proxy opens on `node`, and what each would answer: 200 or 503.

    Only ready endpoints count here, although terminating ones may still get traffic: the balancer is to
    go away while they finish. `healthy`: whether kube-proxy itself is.
    """
    proxy = node_proxy(services, slices, node, config, addresses)
    listening = () if proxy.every_address else proxy.node_port_addresses
    found = []
    for service in filter(is_proxied, proxy.portals.services):
        if (port := health_check_port(service)) and service.ports:
            count = _local_ready(proxy.portals.slices_of(service), node)
            status = 200 if count and healthy else 503
            found.append(HealthCheck(service.key, port, status, count, listening))
    return tuple(found)


def _local_ready(slices: Iterable[EndpointSlice], node: Node) -> int:
    """How many addresses of the Service are ready here, whatever their ports (`LocalReadyEndpoints`)."""
    backends = (backend for endpoints in gather(slices).values() for backend in endpoints.all)
    here = (backend for backend in backends if node.name and backend.origin.node == node.name)
    return len({backend.endpoint.address for backend in here if backend.origin.ready})
