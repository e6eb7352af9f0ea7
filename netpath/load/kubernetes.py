"""What `kubectl get -o yaml` (or `-o json`) prints -> a `Cluster`.

Lists, single objects and several documents in a file are all read; kinds that this road doesn't
meet are passed over. API versions: v1, discovery.k8s.io/v1, networking.k8s.io/v1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import yaml

from netpath.errors import InputError, WorldError
from netpath.kubernetes import (
    Cluster,
    ContainerPort,
    ControllerConfig,
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
from netpath.packet import Address, Network, Protocol, network

PORT = (1, 65535)


def is_kubernetes(document: Field) -> bool:
    return "kind" in document.value


def objects(document: Field) -> Iterator[Field]:
    """The objects of a document: itself, or the items of a List."""
    if document["kind"].text().endswith("List"):
        for item in document.each("items"):
            yield from objects(item)
    else:
        yield document


def cluster(documents: list[Field]) -> Cluster:
    """The cluster that the documents describe. Raises `InputError`, and `WorldError` for an object given twice."""
    made: dict[str, list[Any]] = {kind: [] for kind in _READERS}
    proxy, controller = ProxyConfig(), ControllerConfig()
    seen: dict[tuple[str, str, str], str] = {}
    for item in (item for document in documents for item in objects(document)):
        kind = item["kind"].text()
        _refuse_twice(kind, item, seen)
        if kind in _READERS and _is_current(kind, item):
            made[kind].extend(_READERS[kind](item))
        elif kind == "ConfigMap":
            proxy, controller = _configured(item, proxy, controller)
    return Cluster(
        nodes=tuple(made["Node"]),
        pods=tuple(made["Pod"]),
        services=tuple(made["Service"]),
        slices=tuple(made["EndpointSlice"]),
        ingresses=tuple(made["Ingress"]),
        ingress_classes=tuple(made["IngressClass"]),
        proxy=proxy,
        controller=controller,
    )


def _refuse_twice(kind: str, item: Field, seen: dict[tuple[str, str, str], str]) -> None:
    name = item["metadata"]["name"].text()
    key = (kind, _namespace(item), name)
    if key in seen:
        raise WorldError(
            f"{kind} {key[1]}/{name} is there twice, also in {seen[key]}", file=item.file, expected="each object once"
        )
    seen[key] = item.file


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
    spec = item.get("spec") or Field({}, item.file)
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
    spec, status = item["spec"], item.get("status") or Field({}, item.file)
    ip = status.get("podIP")
    yield Pod(
        namespace=_namespace(item),
        name=_name(item),
        ip=ip.address() if ip and _ipv4(ip.text()) else None,
        node=spec.text_at("nodeName"),
        host_network=spec.boolean_at("hostNetwork", False),
        ready=_condition(status, "Ready"),
        phase=status.text_at("phase", "Pending"),
        ports=tuple(
            ContainerPort(p["containerPort"].integer(*PORT), _protocol(p), p.text_at("name"))
            for containers in ("containers", "initContainers")
            for container in spec.each(containers)
            for p in container.each("ports")
        ),
        labels=item["metadata"].mapping_at("labels"),
    )


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
        external_name=spec.text_at("externalName"),
        traffic_distribution=spec.text_at("trafficDistribution"),
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


_NOTHING: dict[str, Any] = {}


def _endpoint(item: Field) -> SliceEndpoint:
    """One endpoint; a condition that isn't given is `ready`, and `serving` is as `ready` (API reference)."""
    first = next(item.each("addresses"), None)
    if first is None:
        raise item.wrong("an endpoint without an address", "addresses with one entry")
    conditions = item.get("conditions") or Field(_NOTHING, item.file, "conditions", item)
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
    spec = item.get("spec") or Field({}, item.file)
    default = spec.get("defaultBackend")
    yield Ingress(
        namespace=_namespace(item),
        name=_name(item),
        created=item["metadata"].text_at("creationTimestamp"),
        ingress_class=spec.text_at("ingressClassName") or None,
        rules=tuple(_ingress_rule(rule) for rule in spec.each("rules")),
        default_backend=_backend(default) if default else None,
        tls=tuple(IngressTls(tls.texts("hosts"), tls.text_at("secretName")) for tls in spec.each("tls")),
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


# ConfigMaps: where kube-proxy and the ingress controller are told what they do ----------------


def _configured(item: Field, proxy: ProxyConfig, controller: ControllerConfig) -> tuple[ProxyConfig, ControllerConfig]:
    """kube-proxy's ConfigMap (kubeadm: `config.conf`; EKS: `config`), ingress-nginx's, or neither."""
    data = item.get("data")
    if data is None:
        return proxy, controller
    if _namespace(item) == "kube-system" and _name(item) in ("kube-proxy", "kube-proxy-config"):
        text = data.get("config.conf") or data.get("config")
        return (_proxy(text) if text else proxy), controller
    if item["metadata"].mapping_at("labels").get("app.kubernetes.io/name") == "ingress-nginx":
        return proxy, _controller(item["data"], controller)
    return proxy, controller


def _proxy(text: Field) -> ProxyConfig:
    try:
        inner = yaml.safe_load(text.text())
    except yaml.YAMLError as error:
        raise InputError(
            f"not YAML ({error})", file=text.file, field=text.path, expected="KubeProxyConfiguration"
        ) from None
    config = Field(inner, text.file, text.key, text.parent)
    mode = config.text_at("mode")
    if mode not in ("", "iptables"):
        raise config["mode"].wrong("this mode of kube-proxy is not modelled", "iptables")
    tables = config.get("iptables") or Field({}, text.file)
    cidrs = config.text_at("clusterCIDR")
    return ProxyConfig(
        cluster_cidrs=tuple(network(cidr.strip()) for cidr in cidrs.split(",") if _ipv4(cidr)),
        masquerade_all=tables.boolean_at("masqueradeAll", False),
        masquerade_bit=tables.integer_at("masqueradeBit", 0, 31, 14),
        node_port_addresses=tuple(cidr.network() for cidr in config.each("nodePortAddresses") if _ipv4(cidr.text())),
        localhost_node_ports=tables.boolean_at("localhostNodePorts", True),
    )


def _controller(data: Field, known: ControllerConfig) -> ControllerConfig:
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
