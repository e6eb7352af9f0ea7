"""What `kubectl get -o yaml` (or `-o json`) prints -> a `Cluster`.

Lists, single objects and several documents in a file are all read; kinds that this road doesn't
meet are passed over. API versions: v1, discovery.k8s.io/v1, networking.k8s.io/v1.

kube-proxy and the ingress controller are configured in the cluster too, so their ConfigMaps are read, and the flags
of the controller's own pods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from netpath.errors import WorldError
from netpath.kubernetes import (
    Cluster,
    ContainerPort,
    ControllerConfig,
    DetectLocalMode,
    EndpointPort,
    EndpointSlice,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressPath,
    IngressRule,
    IngressTls,
    Node,
    PathType,
    Pod,
    ProxyConfig,
    Service,
    ServicePort,
    ServiceType,
    SliceEndpoint,
    TrafficPolicy,
)
from netpath.load.fields import Field
from netpath.load.files import yaml_documents
from netpath.packet import Address, Network, Protocol

PORT = (1, 65535)


def is_kubernetes(document: Field) -> bool:
    return "kind" in document.value


def objects(document: Field) -> Iterator[Field]:
    """The objects of a document: itself, or the items of a List; a List in a List isn't kubectl's."""
    if not _is_list(document):
        yield document
        return
    for item in document.each("items"):
        if _is_list(item):
            raise item.wrong("a List in a List", "an object")
        yield item


def _is_list(item: Field) -> bool:
    return item["kind"].text().endswith("List") and item.get("items") is not None


def cluster(documents: list[Field]) -> Cluster:
    """The cluster that the documents describe. Raises `InputError`, and `WorldError` for an object given twice."""
    made: dict[str, list[Any]] = {kind: [] for kind in _READERS}
    config = _Configuration()
    seen: dict[tuple[str, str, str], Field] = {}
    holders: dict[tuple[str, object], tuple[str, Field]] = {}
    for item in (item for document in documents for item in objects(document)):
        kind = item["kind"].text()
        if kind in _READERS and _is_current(kind, item):
            _refuse_twice(kind, item, seen)
            with item.blamed():
                values = list(_READERS[kind](item))
            _refuse_shared(kind, values, item, holders)
            made[kind] += values
        config.read(kind, item)
    _check_pods(made["Pod"], made["Node"], seen)
    return Cluster(
        nodes=tuple(made["Node"]),
        pods=tuple(made["Pod"]),
        services=tuple(made["Service"]),
        slices=tuple(made["EndpointSlice"]),
        ingresses=tuple(made["Ingress"]),
        ingress_classes=tuple(made["IngressClass"]),
        proxy=config.proxy(made["Node"]),
        controller=config.controller,
    )


def ingresses(text: str, name: str) -> tuple[Ingress, ...]:
    """The Ingresses that somebody has typed, as YAML; `name` is how errors call the text. Raises as `cluster` does."""
    documents = [Field(each, name) for each in yaml_documents(text, name) if each is not None]
    return cluster(documents).ingresses


def _refuse_twice(kind: str, item: Field, seen: dict[tuple[str, str, str], Field]) -> None:
    key = (kind, _namespace(item), _name(item))
    other = seen.setdefault(key, item)
    if other is not item:
        raise WorldError(
            f"{kind} {key[1]}/{key[2]} is there twice, also in {_place(other)}",
            file=item.file,
            field=item.path or None,
            expected="each object once",
        )


def _place(item: Field) -> str:
    return f"{item.file}: {item.path}" if item.path else item.file


def _refuse_shared(
    kind: str, values: list[Any], item: Field, holders: dict[tuple[str, object], tuple[str, Field]]
) -> None:
    """Two nodes, two pods or two Services can't have one address; pods may have their node's."""
    for address in (_own_address(kind, value) for value in values):
        if address is not None:
            name, other = holders.setdefault((kind, address), (_name(item), item))
            if other is not item:
                raise WorldError(
                    f"{kind} {_name(item)} has the address of {name}, which is in {_place(other)}",
                    file=item.file,
                    field=item.path or None,
                    value=str(address),
                    expected="an address of its own",
                )


def _own_address(kind: str, value: Any) -> Address | None:
    if kind == "Pod" and value.host_network:
        return None
    name = {"Node": "address", "Pod": "ip", "Service": "cluster_ip"}.get(kind)
    found: Address | None = getattr(value, name) if name else None
    return found


def _check_pods(pods: list[Pod], nodes: list[Node], places: dict[tuple[str, str, str], Field]) -> None:
    """A pod that runs must run on one of the nodes, where those are given."""
    known = {node.name for node in nodes}
    lost = next((pod for pod in pods if pod.ip is not None and known and pod.node not in known), None)
    if lost is not None:
        item = places["Pod", lost.namespace, lost.name]
        raise WorldError(
            f"pod {lost.key} is on a node that isn't there",
            file=item.file,
            field=f"{item.path}.spec.nodeName" if item.path else "spec.nodeName",
            value=lost.node,
            expected=f"one of {', '.join(sorted(known)[:6])}",
        )


_VERSIONS = {
    "Node": "v1",
    "Pod": "v1",
    "Service": "v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "Ingress": "networking.k8s.io/v1",
    "IngressClass": "networking.k8s.io/v1",
}


def _is_current(kind: str, item: Field) -> bool:
    version = item["apiVersion"]
    if version.text() == _VERSIONS[kind]:
        return True
    if version.text().partition("/")[0] in ("v1", "discovery.k8s.io", "networking.k8s.io", "extensions"):
        raise version.wrong(f"this API version of {kind} is not read", _VERSIONS[kind])
    return False  # another group's kind of the same name (`kind: Service` of serving.knative.dev)


def _namespace(item: Field) -> str:
    return item["metadata"].text_at("namespace", "default")


def _name(item: Field) -> str:
    return item["metadata"]["name"].text()


def _protocol(port: Field) -> Protocol:
    field = port.get("protocol")
    if field is None:
        return Protocol.TCP
    if field.value not in ("TCP", "UDP", "SCTP"):
        raise field.wrong("unknown protocol", "TCP, UDP or SCTP")
    return Protocol(field.value.lower())


def _ipv4(text: str) -> bool:
    return bool(text) and text != "None" and ":" not in text


def _node(item: Field) -> Iterator[Node]:
    spec = item.mapping("spec")
    inside = [
        a for a in item["status"].each("addresses") if a["type"].value == "InternalIP" and _ipv4(a["address"].text())
    ]
    if not inside:
        raise item["status"].wrong("a node without an address", "status.addresses with an IPv4 InternalIP")
    yield Node(
        name=_name(item),
        address=inside[0]["address"].address(),
        zone=item["metadata"].mapping_at("labels").get("topology.kubernetes.io/zone", ""),
        instance_id=spec.text_at("providerID").rpartition("/")[2],
        pod_cidrs=tuple(cidr.network() for cidr in spec.each("podCIDRs") if _ipv4(cidr.text())),
        ready=_condition(item["status"], "Ready"),
    )


def _condition(status: Field, name: str) -> bool:
    return any(c["type"].value == name and c["status"].value == "True" for c in status.each("conditions"))


def _pod(item: Field) -> Iterator[Pod]:
    spec, status = item["spec"], item.mapping("status")
    phase = status.text_at("phase", "Pending")
    yield Pod(
        namespace=_namespace(item),
        name=_name(item),
        ip=None if phase in _ENDED else _pod_ip(status),
        node=spec.text_at("nodeName"),
        host_network=spec.boolean_at("hostNetwork", False),
        ready=_condition(status, "Ready"),
        phase=phase,
        ports=tuple(
            ContainerPort(p["containerPort"].integer(*PORT), _protocol(p), p.text_at("name"))
            for containers in ("containers", "initContainers")
            for container in spec.each(containers)
            for p in container.each("ports")
        ),
        labels=item["metadata"].mapping_at("labels"),
    )


_ENDED = ("Succeeded", "Failed")  # its address is still in its status, but may be another pod's by now


def _pod_ip(status: Field) -> Address | None:
    """The IPv4 one of a pod's addresses."""
    both = [ip["ip"] for ip in status.each("podIPs") if _ipv4(ip.text_at("ip"))]
    single = status.get("podIP")
    found = both[0] if both else single
    return found.address() if found and _ipv4(found.text()) else None


def _service(item: Field) -> Iterator[Service]:
    spec = item["spec"]
    kind = _enum(spec, "type", ServiceType, ServiceType.CLUSTER_IP)
    yield Service(
        namespace=_namespace(item),
        name=_name(item),
        type=kind,
        cluster_ip=_cluster_ip(spec),
        ports=tuple(_service_port(port) for port in spec.each("ports")),
        external_ips=_addresses(spec, "externalIPs"),
        load_balancer_ips=_load_balancer_ips(item) if kind is ServiceType.LOAD_BALANCER else (),
        load_balancer_source_ranges=tuple(
            _loose_network(cidr) for cidr in spec.each("loadBalancerSourceRanges") if _ipv4(cidr.text())
        ),
        external_traffic_policy=_enum(spec, "externalTrafficPolicy", TrafficPolicy, TrafficPolicy.CLUSTER),
        internal_traffic_policy=_enum(spec, "internalTrafficPolicy", TrafficPolicy, TrafficPolicy.CLUSTER),
        affinity_seconds=_affinity(spec),
        health_check_node_port=spec.integer_at("healthCheckNodePort", 0, 65535, 0),
        annotations=item["metadata"].mapping_at("annotations"),
    )


def _enum(parent: Field, key: str, kind: Any, default: Any) -> Any:
    field = parent.get(key)
    return default if field is None else field.member(kind)


def _cluster_ip(spec: Field) -> Address | None:
    both = [ip for ip in spec.each("clusterIPs") if _ipv4(ip.text())]
    if both:
        return both[0].address()
    single = spec.get("clusterIP")
    return single.address() if single and _ipv4(single.text()) else None


def _addresses(spec: Field, key: str) -> tuple[Address, ...]:
    return tuple(ip.address() for ip in spec.each(key) if _ipv4(ip.text()))


def _loose_network(cidr: Field) -> Network:
    """A source range may have host bits and spaces around it: kube-proxy trims and masks."""
    text = cidr.text().strip()
    try:
        return Network(text, strict=False)
    except ValueError:
        raise cidr.wrong("not an IPv4 network", "a CIDR block like 203.0.113.0/24") from None


def _load_balancer_ips(item: Field) -> tuple[Address, ...]:
    """status.loadBalancer.ingress[].ip, but for those that the balancer itself terminates (ipMode Proxy)."""
    status = item.get("status") and item["status"].get("loadBalancer")
    return tuple(
        entry["ip"].address()
        for entry in (status.each("ingress") if status else ())
        if _ipv4(entry.text_at("ip")) and entry.text_at("ipMode", "VIP") == "VIP"
    )


def _affinity(spec: Field) -> int | None:
    if spec.text_at("sessionAffinity", "None") != "ClientIP":
        return None
    config = spec.get("sessionAffinityConfig")
    client = config.get("clientIP") if config else None
    return client.integer_at("timeoutSeconds", 1, 86400, 10800) if client else 10800


def _service_port(port: Field) -> ServicePort:
    number = port["port"].integer(*PORT)
    return ServicePort(
        port=number,
        protocol=_protocol(port),
        name=port.text_at("name"),
        node_port=port.integer_at("nodePort", 0, 65535, 0),
        target_port=_number_or_name(port.get("targetPort")) or number,
    )


def _number_or_name(field: Field | None) -> int | str | None:
    if field is None:
        return None
    if type(field.value) is str and not field.value.isdigit():
        return field.value
    return field.integer(0, 65535)


def _slice(item: Field) -> Iterator[EndpointSlice]:
    if item["addressType"].text() != "IPv4":
        return
    service = item["metadata"].mapping_at("labels").get("kubernetes.io/service-name")
    if service is None:
        return  # a slice that belongs to no Service: kube-proxy doesn't look at it
    yield EndpointSlice(
        namespace=_namespace(item),
        name=_name(item),
        service=service,
        ports=tuple(
            EndpointPort(port["port"].integer(*PORT), _protocol(port), port.text_at("name"))
            for port in item.each("ports")
            if port.get("port")
        ),
        endpoints=tuple(_endpoint(endpoint) for endpoint in item.each("endpoints")),
    )


def _endpoint(item: Field) -> SliceEndpoint:
    """One endpoint; a condition that isn't given is `ready`, and `serving` is as `ready` (API reference)."""
    first = next(item.each("addresses"), None)
    if first is None:
        raise item.wrong("an endpoint without an address", "addresses with one entry")
    conditions = item.mapping("conditions")
    ready = conditions.boolean_at("ready", True)
    hints, target = item.get("hints"), item.get("targetRef")
    return SliceEndpoint(
        address=first.address(),
        ready=ready,
        serving=conditions.boolean_at("serving", ready),
        terminating=conditions.boolean_at("terminating", False),
        node=item.text_at("nodeName"),
        zone=item.text_at("zone"),
        zone_hints=tuple(z["name"].text() for z in hints.each("forZones")) if hints else (),
        node_hints=tuple(n["name"].text() for n in hints.each("forNodes")) if hints else (),
        pod=target.text_at("name") if target and target.text_at("kind") == "Pod" else "",
    )


def _ingress(item: Field) -> Iterator[Ingress]:
    spec = item.mapping("spec")
    default = spec.get("defaultBackend")
    yield Ingress(
        namespace=_namespace(item),
        name=_name(item),
        created=item["metadata"].text_at("creationTimestamp"),
        ingress_class=spec.text_at("ingressClassName") or None,
        rules=tuple(_ingress_rule(rule) for rule in spec.each("rules")),
        default_backend=_backend(default) if default else None,
        tls=tuple(IngressTls(tls.texts("hosts")) for tls in spec.each("tls")),
        annotations=item["metadata"].mapping_at("annotations"),
    )


def _ingress_rule(rule: Field) -> IngressRule:
    http = rule.get("http")
    paths = http.each("paths") if http else iter(())
    return IngressRule(
        rule.text_at("host"),
        tuple(IngressPath(_path(path), path["pathType"].member(PathType), _backend(path["backend"])) for path in paths),
    )


def _path(path: Field) -> str:
    text = path.text_at("path")
    specific = path["pathType"].value == PathType.IMPLEMENTATION_SPECIFIC
    if not text.startswith("/") and not specific:
        raise path.wrong("not a path for this pathType", "a path that begins with /")
    return text


def _backend(backend: Field) -> IngressBackend:
    service = backend.get("service")
    if service is None:
        raise backend.wrong("only Service backends are read", "service with a name and a port")
    port = service["port"]
    name = port.text_at("name")
    return IngressBackend(service["name"].text(), name or port["number"].integer(*PORT))


def _ingress_class(item: Field) -> Iterator[IngressClass]:
    annotations = item["metadata"].mapping_at("annotations")
    yield IngressClass(
        _name(item),
        item["spec"]["controller"].text(),
        annotations.get("ingressclass.kubernetes.io/is-default-class") == "true",
    )


_READERS: dict[str, Callable[[Field], Iterator[Any]]] = {
    "Node": _node,
    "Pod": _pod,
    "Service": _service,
    "EndpointSlice": _slice,
    "Ingress": _ingress,
    "IngressClass": _ingress_class,
}


# Where kube-proxy and the ingress controller are told what they do ----------------------------

_CONTROLLER = ("app.kubernetes.io/name", "ingress-nginx")


class _Configuration:
    """What ConfigMaps and flags say, gathered object by object."""

    def __init__(self) -> None:
        self.controller = ControllerConfig()
        self._proxy: Field | None = None

    def read(self, kind: str, item: Field) -> None:
        label, name = _CONTROLLER
        if kind == "ConfigMap" and item.get("data") is not None:
            if _namespace(item) == "kube-system" and _name(item) in ("kube-proxy", "kube-proxy-config"):
                # kubeadm has it as `config.conf`, EKS as `config`
                self._proxy = item["data"].get("config.conf") or item["data"].get("config") or self._proxy
            elif item["metadata"].mapping_at("labels").get(label) == name:
                self.controller = _with_options(self.controller, item["data"])
        elif kind == "Pod" and item["metadata"].mapping_at("labels").get(label) == name:
            self.controller = _with_flags(self.controller, item)

    def proxy(self, nodes: list[Node]) -> ProxyConfig:
        return ProxyConfig() if self._proxy is None else _proxy(self._proxy, nodes)


def _proxy(text: Field, nodes: list[Node]) -> ProxyConfig:
    """KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1."""
    with text.blamed():
        inner = next(iter(yaml_documents(text.text(), text.file)), None)
    config = Field({} if inner is None else inner, text.file, text.key, text.parent)
    mode = config.text_at("mode")
    if mode not in ("", "iptables"):
        raise config["mode"].wrong("this mode of kube-proxy is not modelled", "iptables")
    tables, conntrack = config.mapping("iptables"), config.mapping("conntrack")
    with config.blamed():
        return ProxyConfig(
            cluster_cidrs=_cluster_cidrs(config),
            masquerade_all=tables.boolean_at("masqueradeAll", False),
            masquerade_bit=tables.integer_at("masqueradeBit", 0, 31, 14),
            node_port_addresses=_node_port_addresses(config, nodes),
            localhost_node_ports=tables.boolean_at("localhostNodePorts", True),
            detect_local_mode=_enum(config, "detectLocalMode", DetectLocalMode, DetectLocalMode.CLUSTER_CIDR),
            local_interface=_local_interface(config),
            conntrack_tcp_be_liberal=conntrack.boolean_at("tcpBeLiberal", False),
        )


_INTERFACES = {"BridgeInterface": "bridgeInterface", "InterfaceNamePrefix": "interfaceNamePrefix"}


def _local_interface(config: Field) -> str:
    """The interface of the modes that go by one; in the others it is written to no purpose."""
    key = _INTERFACES.get(config.text_at("detectLocalMode"))
    return config["detectLocal"][key].text() if key else ""


def _cluster_cidrs(config: Field) -> tuple[Network, ...]:
    field = config.get("clusterCIDR")
    cidrs = field.text().split(",") if field else ()
    return tuple(Field(cidr, config.file, "clusterCIDR", config).network() for cidr in cidrs if _ipv4(cidr.strip()))


def _node_port_addresses(config: Field, nodes: list[Node]) -> tuple[Network, ...]:
    """Networks, or `primary` (since 1.29): each node's own first address."""
    fields = [field for field in config.each("nodePortAddresses") if _ipv4(field.text())]
    if [field.value for field in fields] == ["primary"]:
        return tuple(Network(node.address) for node in nodes)
    return tuple(field.network() for field in fields)


def _with_options(known: ControllerConfig, data: Field) -> ControllerConfig:
    """The options of the ConfigMap that decide about requests (ingress-nginx documentation, ConfigMap)."""

    def flag(name: str, default: bool) -> bool:
        value = data.text_at(name)
        if value not in ("", "true", "false"):
            raise data[name].wrong("not a boolean", '"true" or "false"')
        return default if value == "" else value == "true"

    return replace(
        known,
        use_forwarded_headers=flag("use-forwarded-headers", known.use_forwarded_headers),
        compute_full_forwarded_for=flag("compute-full-forwarded-for", known.compute_full_forwarded_for),
        strict_validate_path_type=flag("strict-validate-path-type", known.strict_validate_path_type),
        load_balance=data.text_at("load-balance", known.load_balance),
    )


_FLAGS = {
    "--ingress-class": "ingress_class",
    "--controller-class": "controller",
    "--default-backend-service": "default_backend",
}


def _with_flags(known: ControllerConfig, pod: Field) -> ControllerConfig:
    """The controller's flags that decide about requests (ingress-nginx documentation, Command line arguments)."""
    told: dict[str, Any] = {}
    for container in pod["spec"].each("containers"):
        arguments = container.texts("args")
        for argument, following in pairwise((*arguments, "")):
            name, equals, value = argument.partition("=")
            if name in _FLAGS and (value := value if equals else following):
                told[_FLAGS[name]] = value
            elif name == "--watch-ingress-without-class":
                told["watch_without_class"] = value in ("", "true")
    return replace(known, **told)
