"""What an Ingress backend stands for: a Service, a port of it, and the pods that are ready behind it.

`Directory` answers that for a cluster. The controller's way (`endpoints`) is ingress-nginx's
`serviceEndpoints` and `getEndpointsFromSlices`: a port matches by number, by name *or by target port*;
only ready endpoints count; the port is the slice's port of that name, else the Service's numeric target port.

Not modelled: ExternalName Services (their name would be resolved by nginx), topology hints
(`--enable-topology-aware-routing`, off by default), IPv6 addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from netpath.kubernetes import EndpointPort, EndpointSlice, IngressBackend, Service, ServicePort, ServiceType
from netpath.packet import Endpoint, Hop, HttpRequest, HttpResponse, Protocol, quick


@dataclass(frozen=True, slots=True)
class Backend:
    """A Service by namespace and name, and its port as the Ingress says it; `service` None where there is none."""

    namespace: str
    name: str
    port: int | str
    service: Service | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}:{self.port}"


@quick
@dataclass(frozen=True, slots=True)
class Decision:
    """Where a request goes: on to `endpoints` of `backend`, or back at once as `response`.

    `hop` holds the candidates, those that lost too. `request` is the request as it goes on (the path may
    be rewritten), `uri` the path that was compared. `upstream` and `canary` name the controller's upstreams;
    `notes` are what the specification leaves open, or what the model leaves out, on this very road.
    """

    hop: Hop
    backend: Backend | None = None
    endpoints: tuple[Endpoint, ...] = ()
    response: HttpResponse | None = None
    request: HttpRequest | None = None
    uri: str = ""
    upstream: str = ""
    canary: str = ""
    place: object = field(default=None, compare=False, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> int | None:
        """What the user gets if the ingress answers by itself."""
        return self.response.status if self.response else None


class Directory:
    """Services and EndpointSlices by name; what an Ingress's backend means in this cluster."""

    def __init__(self, services: Iterable[Service], slices: Iterable[EndpointSlice]) -> None:
        self.services: Mapping[str, Service] = {service.key: service for service in services}
        grouped: dict[str, list[EndpointSlice]] = {}
        for each in slices:
            grouped.setdefault(each.service_key, []).append(each)
        self.slices: Mapping[str, list[EndpointSlice]] = grouped

    def backend(self, namespace: str, backend: IngressBackend) -> Backend:
        service = self.services.get(f"{namespace}/{backend.service}")
        return Backend(namespace, backend.service, backend.port, service)

    def endpoints(self, backend: Backend) -> tuple[Endpoint, ...]:
        """The ready pods behind a backend, in the slices' order and without repetition."""
        port = None if backend.service is None else service_port(backend.service, backend.port)
        return () if port is None or backend.service is None else self.ready(backend.service, port)

    def ready(self, service: Service, port: ServicePort) -> tuple[Endpoint, ...]:
        """The ready endpoints of one port of a Service."""
        if service.type is ServiceType.EXTERNAL_NAME:
            return ()
        found: dict[Endpoint, None] = {}
        for each in self.slices.get(service.key, ()):
            numbers = _slice_ports(each, port)
            for member in each.endpoints:
                if member.ready:
                    found.update((Endpoint(member.address, number), None) for number in numbers)
        return tuple(found)

    def cluster_endpoint(self, backend: Backend) -> Endpoint | None:
        """The ClusterIP and port that `service-upstream` proxies to, None without (getServiceClusterEndpoint)."""
        service = backend.service
        if service is None or service.cluster_ip is None:
            return None
        if isinstance(backend.port, int):
            return Endpoint(service.cluster_ip, backend.port)
        number = next((port.port for port in service.ports if port.name == backend.port), None)
        return None if number is None else Endpoint(service.cluster_ip, number)


def service_port(service: Service, wanted: int | str) -> ServicePort | None:
    """The first port of a Service that an Ingress's port means: by number, target port or name."""
    text = str(wanted)
    names = ((port, (str(port.port), str(port.target_port), port.name)) for port in service.ports)
    return next((port for port, known in names if text in known), None)


def _slice_ports(each: EndpointSlice, port: ServicePort) -> tuple[int, ...]:
    fallback = port.target_port if isinstance(port.target_port, int) else 0
    if not each.ports:
        number = port.port if port.target_port is None else fallback  # the API fills in the port
        return (number,) if number else ()
    numbers = (_port_number(member, port, fallback) for member in each.ports if member.protocol is Protocol.TCP)
    return tuple(number for number in numbers if number)


def _port_number(member: EndpointPort, port: ServicePort, fallback: int) -> int:
    named = not port.name or port.name == member.name
    # without a port of that name, a numeric target port (kubernetes/ingress-nginx issue 7390)
    return member.port if named and member.port else fallback
