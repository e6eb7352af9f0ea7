"""The Kubernetes objects that the road depends on, as values.

Field names follow the API (core/v1, discovery.k8s.io/v1, networking.k8s.io/v1) in Python's spelling;
only what decides about a request is kept.

Not modelled: selectors choosing pods (EndpointSlices already say which), IPv6 and dual stack,
topology other than zones and nodes, and every object that isn't on the road.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from netpath.errors import InputError
from netpath.packet import Address, Network, Protocol


class ServiceType(StrEnum):
    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"
    EXTERNAL_NAME = "ExternalName"


class TrafficPolicy(StrEnum):
    CLUSTER = "Cluster"
    LOCAL = "Local"


class PathType(StrEnum):
    EXACT = "Exact"
    PREFIX = "Prefix"
    IMPLEMENTATION_SPECIFIC = "ImplementationSpecific"


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a Service; `node_port` is 0 where there is none, `target_port` a number or a name."""

    port: int
    protocol: Protocol = Protocol.TCP
    name: str = ""
    node_port: int = 0
    target_port: int | str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """core/v1 Service. `cluster_ip` None: headless, or ExternalName. `affinity_seconds` None: no session affinity."""

    namespace: str
    name: str
    type: ServiceType = ServiceType.CLUSTER_IP
    cluster_ip: Address | None = None
    ports: tuple[ServicePort, ...] = ()
    external_ips: tuple[Address, ...] = ()
    load_balancer_ips: tuple[Address, ...] = ()  # status.loadBalancer.ingress[].ip, ipMode VIP
    load_balancer_source_ranges: tuple[Network, ...] = ()
    external_traffic_policy: TrafficPolicy = TrafficPolicy.CLUSTER
    internal_traffic_policy: TrafficPolicy = TrafficPolicy.CLUSTER
    affinity_seconds: int | None = None
    health_check_node_port: int = 0
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class EndpointPort:
    """A port of an EndpointSlice: what the named Service port means on these endpoints."""

    port: int
    protocol: Protocol = Protocol.TCP
    name: str = ""


@dataclass(frozen=True, slots=True)
class SliceEndpoint:
    """One endpoint of an EndpointSlice, its conditions and where it runs.

    `node` and `zone` are empty where the slice doesn't say; `zone_hints`, `node_hints`: topology hints.
    `pod` is the targetRef's name where that is a Pod.
    """

    address: Address
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    node: str = ""
    zone: str = ""
    zone_hints: tuple[str, ...] = ()
    node_hints: tuple[str, ...] = ()
    pod: str = ""


@dataclass(frozen=True, slots=True)
class EndpointSlice:
    """discovery.k8s.io/v1 EndpointSlice of one Service (label `kubernetes.io/service-name`)."""

    namespace: str
    name: str
    service: str
    ports: tuple[EndpointPort, ...] = ()
    endpoints: tuple[SliceEndpoint, ...] = ()

    @property
    def service_key(self) -> str:
        return f"{self.namespace}/{self.service}"


@dataclass(frozen=True, slots=True)
class Node:
    """core/v1 Node. `instance_id` from spec.providerID (`aws:///eu-west-1a/i-0abc`), empty elsewhere."""

    name: str
    address: Address
    zone: str = ""
    instance_id: str = ""
    pod_cidrs: tuple[Network, ...] = ()
    ready: bool = True


@dataclass(frozen=True, slots=True)
class ContainerPort:
    port: int
    protocol: Protocol = Protocol.TCP
    name: str = ""


@dataclass(frozen=True, slots=True)
class Pod:
    """core/v1 Pod. `ip` None before it has one; a `host_network` pod has its node's."""

    namespace: str
    name: str
    ip: Address | None
    node: str = ""
    host_network: bool = False
    ready: bool = True
    phase: str = "Running"
    ports: tuple[ContainerPort, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class IngressBackend:
    """A Service of the Ingress's own namespace, and its port by number or by name."""

    service: str
    port: int | str

    def __str__(self) -> str:
        return f"{self.service}:{self.port}"


@dataclass(frozen=True, slots=True)
class IngressPath:
    """`path` may be empty with ImplementationSpecific."""

    path: str
    type: PathType
    backend: IngressBackend


@dataclass(frozen=True, slots=True)
class IngressRule:
    """An empty `host` stands for every host."""

    host: str = ""
    paths: tuple[IngressPath, ...] = ()


@dataclass(frozen=True, slots=True)
class IngressTls:
    """Hosts with a certificate, whichever Secret it is in."""

    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ingress:
    """networking.k8s.io/v1 Ingress. `created` is the creationTimestamp (RFC 3339, so it sorts as text)."""

    namespace: str
    name: str
    created: str = ""
    ingress_class: str | None = None
    rules: tuple[IngressRule, ...] = ()
    default_backend: IngressBackend | None = None
    tls: tuple[IngressTls, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class IngressClass:
    """networking.k8s.io/v1 IngressClass; `default` from the is-default-class annotation."""

    name: str
    controller: str
    default: bool = False


class DetectLocalMode(StrEnum):
    """How kube-proxy tells traffic of the cluster's own pods from other traffic."""

    CLUSTER_CIDR = "ClusterCIDR"
    NODE_CIDR = "NodeCIDR"
    BRIDGE_INTERFACE = "BridgeInterface"
    INTERFACE_NAME_PREFIX = "InterfaceNamePrefix"


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """The parts of KubeProxyConfiguration (kubeproxy.config.k8s.io/v1alpha1) that decide about rules.

    `cluster_cidrs` is the local detector (`detectLocalMode: ClusterCIDR`): sources outside are masqueraded on
    their way to a ClusterIP. Empty: no detector, as on EKS. `node_port_addresses` empty: every address.
    `local_interface`: the bridge, or the prefix of interfaces' names, in the modes that go by interface.
    The last three are the host's: whether iptables knows `--random-fully` (since 1.6.2), whether the
    kernel has nfacct counters, and its nf_conntrack_tcp_be_liberal.
    """

    cluster_cidrs: tuple[Network, ...] = ()
    masquerade_all: bool = False
    masquerade_bit: int = 14
    node_port_addresses: tuple[Network, ...] = ()
    localhost_node_ports: bool = True
    detect_local_mode: DetectLocalMode = DetectLocalMode.CLUSTER_CIDR
    local_interface: str = ""
    random_fully: bool = True
    nfacct: bool = False
    conntrack_tcp_be_liberal: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.masquerade_bit <= 31:
            raise InputError("not a bit of the mark", value=self.masquerade_bit, expected="0 to 31")
        by_interface = (DetectLocalMode.BRIDGE_INTERFACE, DetectLocalMode.INTERFACE_NAME_PREFIX)
        if (self.detect_local_mode in by_interface) != bool(self.local_interface):
            raise InputError(f"mode {self.detect_local_mode} and the interface disagree", value=self.local_interface)


@dataclass(frozen=True, slots=True)
class ControllerConfig:
    """The ingress-nginx controller's flags and ConfigMap, as far as they decide about requests."""

    ingress_class: str = "nginx"
    controller: str = "k8s.io/ingress-nginx"
    watch_without_class: bool = False
    default_backend: str = ""  # --default-backend-service, namespace/name; empty: the built-in 404
    use_forwarded_headers: bool = False
    compute_full_forwarded_for: bool = False
    load_balance: str = "round_robin"
    strict_validate_path_type: bool = True


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything that a cluster contributes to the road. Lookups by key raise `KeyError`."""

    nodes: tuple[Node, ...] = ()
    pods: tuple[Pod, ...] = ()
    services: tuple[Service, ...] = ()
    slices: tuple[EndpointSlice, ...] = ()
    ingresses: tuple[Ingress, ...] = ()
    ingress_classes: tuple[IngressClass, ...] = ()
    proxy: ProxyConfig = ProxyConfig()
    controller: ControllerConfig = ControllerConfig()
