"""The rules that kube-proxy writes for a Service port, as iptables-restore text.

Names, comments, order and flags are kube-proxy's own, so that a line here can be found with `grep`
in the output of `iptables-save` on a real node. There are two kinds. *Captures* stand in the chains
that every packet meets (KUBE-SERVICES, KUBE-NODEPORTS …) and send a packet for the Service on, or
refuse it. *Chains of its own* (KUBE-SVC, KUBE-SVL, KUBE-EXT, KUBE-FW, KUBE-SEP) then pick the
endpoint. Captures depend on very little of the node (is there an endpoint here?), so they are
written once for all nodes.

Source: kubernetes v1.34 pkg/proxy/iptables/proxier.go, `syncProxyRules`.

Not modelled: partial syncs and the deletion of stale chains (`-X`): this is always the whole state.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256

from netpath.kubeproxy.endpoints import (
    NO_ENDPOINTS,
    Backend,
    PortEndpoints,
    Usable,
    external_policy_local,
    externally_accessible,
    gather,
    health_check_port,
    is_proxied,
    source_ranges,
    uses_cluster_endpoints,
    uses_local_endpoints,
)
from netpath.kubernetes import DetectLocalMode, EndpointSlice, Node, ProxyConfig, Service, ServicePort, TrafficPolicy
from netpath.packet import Address, Network, Protocol

LARGE_CLUSTER = 1000  # more endpoints than this, and the comments on their rules are left out
LOOPBACK = Network("127.0.0.0/8")

Line = tuple[str, str, str]  # table, chain, the rule's text

# Names -------------------------------------------------------------------------------------------


def service_port_name(namespace: str, service: str, port: str = "") -> str:
    """How kube-proxy names a Service port; an unnamed port gets no colon.

    >>> service_port_name("default", "kubernetes", "https")
    'default/kubernetes:https'
    """
    return f"{namespace}/{service}:{port}" if port else f"{namespace}/{service}"


def _token(text: str) -> str:
    return b32encode(sha256(text.encode()).digest()).decode()[:16]


def service_chain_name(name: str, protocol: Protocol | str, prefix: str = "KUBE-SVC-") -> str:
    """The chain of a Service port named as by `service_port_name`; `prefix` says which of its chains.

    >>> service_chain_name("default/kubernetes:https", "tcp")
    'KUBE-SVC-NPX46M4PTMTKRN6Y'
    >>> service_chain_name("default/kubernetes:https", "tcp", "KUBE-EXT-")
    'KUBE-EXT-NPX46M4PTMTKRN6Y'
    """
    return prefix + _token(name + str(protocol).lower())


def endpoint_chain_name(name: str, protocol: Protocol | str, endpoint: str) -> str:
    """The chain of one endpoint, written `ADDRESS:PORT`, of a Service port.

    >>> endpoint_chain_name("ns1/svc1:p80", "tcp", "10.180.0.1:80")
    'KUBE-SEP-SXIVWICOYRO3J4NJ'
    """
    return "KUBE-SEP-" + _token(name + str(protocol).lower() + endpoint)


@cache
def probability(alternatives: int) -> str:
    """The chance of the first of so many, as kube-proxy writes it.

    >>> probability(3)
    '0.3333333333'
    """
    return f"{1 / alternatives:0.10f}"


# A Service port, the same on every node ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fate:
    """What a node can do for a Service port: whether there are endpoints at all, for insiders, for outsiders."""

    anywhere: bool
    internal: bool
    external: bool

    def refusal(self, name: str) -> tuple[str, str]:
        """The target and the comment for traffic that has no endpoint here."""
        if not self.anywhere:
            return "REJECT", f'"{name} has no endpoints"'
        return "DROP", f'"{name} has no local endpoints"'


class Portal:
    """One port of one Service, with its endpoints everywhere: what all nodes know alike."""

    def __init__(self, service: Service, port: ServicePort, endpoints: PortEndpoints) -> None:
        self.service = service
        self.port = port
        self.endpoints = endpoints
        self.name = service_port_name(service.namespace, service.name, port.name)
        self.protocol = str(port.protocol)
        self.token = _token(self.name + self.protocol)
        self._captures: dict[tuple[bool, bool], tuple[Line, ...]] = {}
        self._endpoint_chains: dict[str, str] = {}

    @property
    def internal_chain(self) -> str:
        local = self.service.internal_traffic_policy is TrafficPolicy.LOCAL
        return self.chain("KUBE-SVL-") if local else self.chain("KUBE-SVC-")

    @property
    def external_chain(self) -> str:
        return self.chain("KUBE-SVL-") if external_policy_local(self.service) else self.chain("KUBE-SVC-")

    def chain(self, prefix: str) -> str:
        return prefix + self.token

    def endpoint_chain(self, backend: Backend) -> str:
        chain = self._endpoint_chains.get(backend.text)
        if chain is None:
            chain = self._endpoint_chains[backend.text] = endpoint_chain_name(self.name, self.protocol, backend.text)
        return chain

    def fate(self, node: Node) -> Fate:
        return self._fate(self.endpoints.usable_on(node))

    def _fate(self, here: bool) -> Fate:
        anywhere = self.endpoints.usable
        internal_local = self.service.internal_traffic_policy is TrafficPolicy.LOCAL
        return Fate(
            anywhere,
            anywhere and (here or not internal_local),
            anywhere and (here or not external_policy_local(self.service)),
        )

    def usable(self, node: Node) -> Usable:
        cluster = uses_cluster_endpoints(self.service, self.port)
        return self.endpoints.categorise(node, cluster, uses_local_endpoints(self.service, self.port))

    @cached_property
    def has_external_chain(self) -> bool:
        return self.endpoints.usable and externally_accessible(self.service, self.port)

    @cached_property
    def has_firewall_chain(self) -> bool:
        balancer = self.service.load_balancer_ips and source_ranges(self.service)
        return self.endpoints.usable and bool(balancer)

    # Captures: the rules in chains that every packet meets

    def captures(self, node: Node, count_localhost: bool) -> tuple[Line, ...]:
        """The rules for this Service port in the chains of all Services, in kube-proxy's order.

        `count_localhost`: NodePorts on 127.0.0.0/8 have a rule of their own, with an nfacct counter.
        """
        key = self.endpoints.usable_on(node), count_localhost
        if key not in self._captures:
            self._captures[key] = tuple(self._write_captures(self._fate(key[0]), count_localhost))
        return self._captures[key]

    def _write_captures(self, fate: Fate, count_localhost: bool) -> Iterator[Line]:
        yield self._cluster_ip(fate)
        for address in self.service.external_ips:
            yield from self._external_ip(fate, address)
        yield from self._load_balancer(fate)
        if self.port.node_port:
            yield from self._node_port(fate, count_localhost)
        yield from self._health_check()

    def destined(self, address: Address) -> str:
        return f"-m {self.protocol} -p {self.protocol} -d {address} --dport {self.port.port}"

    def _send(self, what: str, address: Address, chain: str) -> Line:
        return _line("nat", "KUBE-SERVICES", f'"{self.name} {what}"', f"{self.destined(address)} -j {chain}")

    def _refuse(self, fate: Fate, chain: str, destined: str) -> Line:
        target, comment = fate.refusal(self.name)
        return _line("filter", chain, comment, f"{destined} -j {target}")

    def _cluster_ip(self, fate: Fate) -> Line:
        address = self.service.cluster_ip
        assert address is not None, "a Service without one isn't proxied"
        if fate.internal:
            return self._send("cluster IP", address, self.internal_chain)
        return self._refuse(fate, "KUBE-SERVICES", self.destined(address))

    def _external_ip(self, fate: Fate, address: Address) -> Iterator[Line]:
        if fate.anywhere:
            yield self._send("external IP", address, self.chain("KUBE-EXT-"))
        if not fate.external:
            yield self._refuse(fate, "KUBE-EXTERNAL-SERVICES", self.destined(address))

    def _load_balancer(self, fate: Fate) -> Iterator[Line]:
        firewall = self.chain("KUBE-FW-")
        for address in self.service.load_balancer_ips if fate.anywhere else ():
            yield self._send(
                "loadbalancer IP", address, firewall if self.has_firewall_chain else self.chain("KUBE-EXT-")
            )
            if self.has_firewall_chain:
                comment = f'"{self.name} traffic not accepted by {firewall}"'
                yield _line("filter", "KUBE-PROXY-FIREWALL", comment, f"{self.destined(address)} -j DROP")
        for address in () if fate.external else self.service.load_balancer_ips:
            yield self._refuse(fate, "KUBE-EXTERNAL-SERVICES", self.destined(address))

    def _node_port(self, fate: Fate, count_localhost: bool) -> Iterator[Line]:
        protocol, port, chain = self.protocol, self.port.node_port, self.chain("KUBE-EXT-")
        here = f"-m {protocol} -p {protocol}"
        if fate.anywhere and count_localhost:
            counted = f"-d {LOOPBACK} --dport {port} -m nfacct --nfacct-name localhost_nps_accepted_pkts"
            yield _line("nat", "KUBE-NODEPORTS", self.name, f"{here} {counted} -j {chain}")
        if fate.anywhere:
            yield _line("nat", "KUBE-NODEPORTS", self.name, f"{here} --dport {port} -j {chain}")
        if not fate.external:
            local = f"-m addrtype --dst-type LOCAL {here} --dport {port}"
            yield self._refuse(fate, "KUBE-EXTERNAL-SERVICES", local)

    def _health_check(self) -> Iterator[Line]:
        if port := health_check_port(self.service):
            comment = f'"{self.name} health check node port"'
            yield _line("filter", "KUBE-NODEPORTS", comment, f"-m tcp -p tcp --dport {port} -j ACCEPT")


def _line(table: str, chain: str, comment: str, rest: str) -> Line:
    return table, chain, f"-A {chain} -m comment --comment {comment} {rest}"


class Portals:
    """All Service ports that kube-proxy handles, in the order of the Services: shared by all nodes.

    (kube-proxy itself goes through a Go map, so on a real node the order differs each time.)
    """

    def __init__(self, services: Iterable[Service], slices: Iterable[EndpointSlice]) -> None:
        self._slices: dict[str, list[EndpointSlice]] = {}
        for piece in slices:
            self._slices.setdefault(piece.service_key, []).append(piece)
        self.services = tuple(services)
        self.by_token: dict[str, Portal] = {portal.token: portal for portal in self._portals()}
        self._by_endpoint_chain: dict[str, tuple[Portal, Backend]] | None = None

    def _portals(self) -> Iterator[Portal]:
        for service in filter(is_proxied, self.services):
            endpoints = gather(self._slices.get(service.key, ()))
            for port in service.ports:
                yield Portal(service, port, endpoints.get((port.name, port.protocol), NO_ENDPOINTS))

    def __iter__(self) -> Iterator[Portal]:
        return iter(self.by_token.values())

    def slices_of(self, service: Service) -> Sequence[EndpointSlice]:
        return self._slices.get(service.key, ())

    @cached_property
    def large(self) -> bool:
        """Whether there are so many endpoints that kube-proxy leaves comments out to save memory."""
        return sum(len(portal.endpoints) for portal in self) > LARGE_CLUSTER

    def endpoint(self, chain: str) -> tuple[Portal, Backend] | None:
        """The endpoint that a KUBE-SEP chain stands for; the first question makes an index of them all."""
        if self._by_endpoint_chain is None:
            self._by_endpoint_chain = {
                portal.endpoint_chain(backend): (portal, backend) for portal in self for backend in portal.endpoints.all
            }
        return self._by_endpoint_chain.get(chain)


# A Service port's own chains, on one node ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes a Service port's own chains for one node.

    `if_local`, `if_not_local`: the match that tells this cluster's pods from others; empty where
    kube-proxy doesn't know its pods (no detector).
    """

    node: Node
    masquerade_all: bool
    if_local: str
    if_not_local: str
    large: bool

    def chains(self, portal: Portal) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each chain of `portal` on this node with its rules, in the order in which kube-proxy declares them."""
        usable = portal.usable(self.node)
        fate = portal.fate(self.node)
        if portal.has_external_chain:
            yield portal.chain("KUBE-EXT-"), tuple(self.external(portal, fate))
        if portal.has_firewall_chain:
            yield portal.chain("KUBE-FW-"), tuple(self.firewall(portal))
        for prefix, backends in (("KUBE-SVC-", usable.cluster), ("KUBE-SVL-", usable.local)):
            if backends:
                yield portal.chain(prefix), self.policy(portal, fate, prefix, backends)
        for backend in usable.reachable:
            yield portal.endpoint_chain(backend), tuple(self.endpoint(portal, backend))

    def policy(self, portal: Portal, fate: Fate, prefix: str, backends: Sequence[Backend]) -> tuple[str, ...]:
        chain = portal.chain(prefix)
        first = self.masquerade(portal, fate) if chain == portal.internal_chain else ()
        return (*first, *self.balancing(portal, chain, backends))

    def masquerade(self, portal: Portal, fate: Fate) -> Iterator[str]:
        """Traffic to the ClusterIP that isn't a pod's may have to come back this way."""
        if not fate.internal or not (self.masquerade_all or self.if_not_local):
            return
        assert portal.service.cluster_ip is not None
        source = "" if self.masquerade_all else f" {self.if_not_local}"
        destined = portal.destined(portal.service.cluster_ip) + source
        yield _line("nat", portal.internal_chain, f'"{portal.name} cluster IP"', f"{destined} -j KUBE-MARK-MASQ")[2]

    def external(self, portal: Portal, fate: Fate) -> Iterator[str]:
        chain, cluster = portal.chain("KUBE-EXT-"), portal.chain("KUBE-SVC-")

        def rule(what: str, rest: str) -> str:
            return _line("nat", chain, f'"{what} for {portal.name} external destinations"', rest)[2]

        if not external_policy_local(portal.service):
            yield rule("masquerade traffic", "-j KUBE-MARK-MASQ")
        else:
            if self.if_local:
                yield rule("pod traffic", f"{self.if_local} -j {cluster}")
            yield rule("masquerade LOCAL traffic", "-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ")
            yield rule("route LOCAL traffic", f"-m addrtype --src-type LOCAL -j {cluster}")
        if fate.external:
            yield f"-A {chain} -j {portal.external_chain}"

    def firewall(self, portal: Portal) -> Iterator[str]:
        """loadBalancerSourceRanges; what passes none of them isn't translated, and KUBE-PROXY-FIREWALL drops it."""
        chain, name = portal.chain("KUBE-FW-"), portal.name
        allowed: list[Network | Address] = list(source_ranges(portal.service))
        if any(self.node.address in block for block in source_ranges(portal.service)):
            allowed += portal.service.load_balancer_ips  # a node that asks the balancer has its address as source
        for source in allowed:
            yield _line("nat", chain, f'"{name} loadbalancer IP"', f"-s {source} -j {portal.chain('KUBE-EXT-')}")[2]
        yield f'-A {chain} -m comment --comment "other traffic to {name} will be dropped by KUBE-PROXY-FIREWALL"'

    def balancing(self, portal: Portal, chain: str, backends: Sequence[Backend]) -> Iterator[str]:
        """First whoever was here before goes where it went before, then one endpoint by chance."""
        targets = [(self._comment(f'"{portal.name} -> {it}"'), portal.endpoint_chain(it)) for it in backends]
        if portal.service.affinity_seconds is not None:
            remembered = f"--rcheck --seconds {portal.service.affinity_seconds} --reap"
            for comment, target in targets:
                yield f"-A {chain}{comment} -m recent --name {target} {remembered} -j {target}"
        for left, (comment, target) in zip(range(len(targets), 0, -1), targets, strict=True):
            chance = f" -m statistic --mode random --probability {probability(left)}" if left > 1 else ""
            yield f"-A {chain}{comment}{chance} -j {target}"

    def endpoint(self, portal: Portal, backend: Backend) -> Iterator[str]:
        """A packet back to its own sender must be masqueraded (hairpin); then the translation."""
        chain = portal.endpoint_chain(backend)
        start = f"-A {chain}{self._comment(portal.name)}"
        yield f"{start} -s {backend.endpoint.address} -j KUBE-MARK-MASQ"
        if portal.service.affinity_seconds is not None:
            start += f" -m recent --name {chain} --set"
        yield f"{start} -m {portal.protocol} -p {portal.protocol} -j DNAT --to-destination {backend}"

    def _comment(self, text: str) -> str:
        return "" if self.large else f" -m comment --comment {text}"


def writer(portals: Portals, node: Node, config: ProxyConfig) -> Writer:
    """The writer for one node's kube-proxy."""
    local = _local_match(node, config)
    return Writer(node, config.masquerade_all, local, f"! {local}" if local else "", portals.large)


def _local_match(node: Node, config: ProxyConfig) -> str:
    """How this kube-proxy knows traffic from the cluster's pods (pkg/proxy/util/localdetector.go)."""
    networks = {
        DetectLocalMode.CLUSTER_CIDR: config.cluster_cidrs,
        DetectLocalMode.NODE_CIDR: node.pod_cidrs,
    }.get(config.detect_local_mode)
    if networks is not None:
        return f"-s {networks[0]}" if networks else ""
    if config.detect_local_mode is DetectLocalMode.BRIDGE_INTERFACE:
        return f"-i {config.local_interface}"
    return f"-i {config.local_interface}+"
