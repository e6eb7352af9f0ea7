"""Plays the packet flows of upstream's kube-proxy tests: a world, a packet, where it may end up.

An outcome is asked as upstream's tracer asks it (pkg/proxy/iptables/proxier_test.go): all endpoints
that the packet may reach and whether it is to be masqueraded, or that it is dropped, rejected,
accepted by a filter rule, or left alone ("NONE"). `trace` here is a reader of rules of its own, made
only for these tests, so that the rules kube-proxy writes are tested apart from `netpath.iptables`.
Like upstream's it skips rules that look at marks, connection states or what was before.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netpath.choice import Choose, outcomes
from netpath.kubeproxy import ruleset
from netpath.kubernetes import (
    EndpointPort,
    EndpointSlice,
    Node,
    ProxyConfig,
    Service,
    ServicePort,
    ServiceType,
    SliceEndpoint,
    TrafficPolicy,
)
from netpath.netfilter import Passage, walk
from netpath.packet import Address, Endpoint, Network, Packet, Protocol, TcpFlags, address, network

# Upstream's conventions: the node's own addresses are LOCAL, and so is an external IP that it has.
NODE_ADDRESSES = ("127.0.0.1", "192.168.0.2", "192.168.1.2", "192.168.99.11")

NODE = Node("test-node", address("192.168.0.2"))
CONFIG = ProxyConfig(cluster_cidrs=(Network("10.0.0.0/8"),))

# The world of a case ---------------------------------------------------------------------------


Arguments = tuple[tuple[Service, ...], tuple[EndpointSlice, ...], Node, ProxyConfig, tuple[Address, ...]]


@dataclass(frozen=True)
class World:
    """What kube-proxy on one node knows."""

    services: tuple[Service, ...] = ()
    slices: tuple[EndpointSlice, ...] = ()
    node: Node = NODE
    config: ProxyConfig = CONFIG
    addresses: tuple[Address, ...] = tuple(map(address, NODE_ADDRESSES))

    @property
    def arguments(self) -> Arguments:
        return self.services, self.slices, self.node, self.config, self.addresses


@dataclass(frozen=True)
class Outcome:
    """Where a packet may end up: endpoints (with `masq`), or a verdict."""

    endpoints: tuple[str, ...] = ()
    masq: bool = False
    verdict: str = ""

    def __str__(self) -> str:
        return self.verdict or ", ".join(self.endpoints) + (" masq" if self.masq else "")


def world_of(case: Mapping[str, Any]) -> World:
    """The world of a case of tests/cases/kube-proxy-flows.json."""
    proxy = case["proxy"]
    config = ProxyConfig(
        cluster_cidrs=(network(proxy["podCIDR"]),) if proxy["localDetector"] else (),
        masquerade_all=proxy["masqueradeAll"],
        localhost_node_ports=proxy["localhostNodePorts"],
        node_port_addresses=_networks(proxy["nodePortAddresses"] or ()),
    )
    node = Node(proxy["nodeName"], address(proxy["nodeIP"]), zone=proxy.get("zone") or "")
    slices = tuple(_slice(number, piece) for number, piece in enumerate(case["endpoints"]))
    return World(tuple(map(_service, case["services"])), slices, node, config)


def _networks(texts: Iterable[str]) -> tuple[Network, ...]:
    return tuple(network(text.strip()) for text in texts)


def _service(given: Mapping[str, Any]) -> Service:
    cluster_ip = given.get("clusterIP")
    return Service(
        given["namespace"],
        given["name"],
        ServiceType(given.get("type") or "ClusterIP"),
        address(cluster_ip) if cluster_ip and cluster_ip != "None" else None,
        tuple(map(_service_port, given["ports"])),
        tuple(map(address, given.get("externalIPs") or ())),
        tuple(map(address, given.get("loadBalancerIngress") or ())),
        _networks(given.get("loadBalancerSourceRanges") or ()),
        TrafficPolicy(given.get("externalTrafficPolicy") or "Cluster"),
        TrafficPolicy(given.get("internalTrafficPolicy") or "Cluster"),
        given.get("sessionAffinitySeconds"),
        given.get("healthCheckNodePort") or 0,
    )


def _service_port(given: Mapping[str, Any]) -> ServicePort:
    protocol = Protocol(given["protocol"].lower())
    return ServicePort(given["port"], protocol, given["name"], given["nodePort"] or 0, given["targetPort"])


def _slice(number: int, given: Mapping[str, Any]) -> EndpointSlice:
    namespace, _, service = given["service"].partition("/")
    ports = tuple(EndpointPort(it["port"], Protocol(it["protocol"].lower()), it["name"]) for it in given["ports"])
    return EndpointSlice(namespace, f"{service}-{number}", service, ports, tuple(map(_endpoint, given["endpoints"])))


def _endpoint(given: Mapping[str, Any]) -> SliceEndpoint:
    return SliceEndpoint(
        address(given["ip"]),
        given["ready"],
        given["serving"],
        given["terminating"],
        given["node"] or "",
        zone_hints=tuple(given.get("zoneHints") or ()),
        node_hints=tuple(given.get("nodeHints") or ()),
    )


def expected_of(case: Mapping[str, Any]) -> Outcome:
    expect = case["expect"]
    return Outcome(tuple(expect.get("endpoints", ())), expect.get("masq", False), expect.get("verdict", ""))


# The tracer ------------------------------------------------------------------------------------

Words = tuple[str, ...]


@dataclass
class Tracer:
    """A packet on its way through rules given as iptables-restore text (one table after the other)."""

    text: str
    source: str
    protocol: str
    destination: str
    port: int
    local: Sequence[str] = NODE_ADDRESSES
    outputs: list[str] = field(default_factory=list)
    masq: bool = False
    matched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chains: dict[tuple[str, str], list[Words]] = {}
        table = ""
        for line in self.text.splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith("-A "):
                words = tuple(shlex.split(line))
                self.chains.setdefault((table, words[1]), []).append(words[2:])

    def run(self) -> Outcome:
        """nat from KUBE-SERVICES, then the filter chains, by the address that the packet was translated to."""
        self.chain("nat", "KUBE-SERVICES")
        endpoints = tuple(self.outputs)
        if endpoints:
            self.destination = endpoints[0].partition(":")[0]
        for name in ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL"):
            self.chain("filter", name)
        refused = self.outputs[len(endpoints) :]
        if refused or not endpoints:
            return Outcome(verdict=", ".join(refused) or "NONE")
        return Outcome(endpoints, self.masq)

    def chain(self, table: str, name: str) -> bool:
        """Whether the packet is done for after this chain."""
        return any(self.rule(table, words) for words in self.chains.get((table, name), ()))

    def rule(self, table: str, words: Words) -> bool:
        options = _options(words)
        if "-j" not in options or not all(self.holds(name, *option) for name, option in options.items()):
            return False
        self.matched.append(" ".join(words))
        target = options["-j"][1]
        if target == "KUBE-MARK-MASQ":
            self.masq = True
            return False
        if target in ("ACCEPT", "DROP", "REJECT", "DNAT"):
            self.outputs.append(options["--to-destination"][1] if target == "DNAT" else target)
            return True
        return self.chain(table, target) and "--probability" not in options

    def holds(self, name: str, negated: bool, value: str) -> bool:
        tests: dict[str, Callable[[], bool]] = {
            "-s": lambda: address(self.source) in Network(value),
            "-d": lambda: address(self.destination) in Network(value),
            "-p": lambda: self.protocol == value,
            "--dport": lambda: str(self.port) == value,
            "--src-type": lambda: self.source in self.local,
            "--dst-type": lambda: self.destination in self.local,
            "--mark": lambda: negated,
            "--ctstate": lambda: negated,
            "--rcheck": lambda: False,
        }
        return name not in tests or tests[name]() != negated


def _options(words: Words) -> dict[str, tuple[bool, str]]:
    """Option -> (negated, its first word)."""
    found: dict[str, tuple[bool, str]] = {}
    for position, word in enumerate(words):
        if word.startswith("-"):
            follows = words[position + 1] if position + 1 < len(words) else ""
            found[word] = (position > 0 and words[position - 1] == "!", follows)
    return found


def trace(text: str, source: str, destination: str, port: int, protocol: str = "tcp") -> Outcome:
    """What the rules in iptables-restore text make of a packet."""
    return Tracer(text, source, protocol, destination, port).run()


# The same on netpath's own kernel -----------------------------------------------------------------


def play(world: World, source: str, destination: str, port: int, protocol: str = "tcp") -> Outcome:
    """What `netpath.netfilter` makes of a packet at a node with kube-proxy's rules: all that chance allows."""
    rules = ruleset(*world.arguments)
    flags = TcpFlags.SYN if protocol == "tcp" else None
    ends = Endpoint(address(source), 40000), Endpoint(address(destination), port)
    packet = Packet(Protocol(protocol), *ends, flags)
    hook = "output" if source in NODE_ADDRESSES else "prerouting"

    def walked(choose: Choose) -> Passage:
        return walk(rules, packet, hook, world.addresses[1:], choose=choose)

    return together([outcome_of(packet, each.result) for each in outcomes(walked)])


def outcome_of(packet: Packet, passage: Passage) -> Outcome:
    """One passage as the tracer would tell it."""
    texts = [step.rule for hop in passage.hops for step in hop.steps if step.matched]
    refused = next((hop.verdict.code for hop in passage.hops if hop.verdict.code in ("DROP", "REJECT")), "")
    if not refused and passage.packet is not None and passage.packet.destination != packet.destination:
        return Outcome((str(passage.packet.destination),), any("-j KUBE-MARK-MASQ" in text for text in texts))
    accepted = any("health check node port" in text and "-j ACCEPT" in text for text in texts)
    return Outcome(verdict=refused or ("ACCEPT" if accepted else "NONE"))


def together(found: Sequence[Outcome]) -> Outcome:
    """The outcomes of all chances as one: all endpoints."""
    assert len({(each.masq, each.verdict) for each in found}) == 1, found
    every = dict.fromkeys(endpoint for each in found for endpoint in each.endpoints)
    return Outcome(tuple(every), found[0].masq, found[0].verdict)


# Worlds in few words ---------------------------------------------------------------------------


def service(key: str, cluster_ip: str | None, *ports: ServicePort, **more: Any) -> Service:
    """A Service `namespace/name`; addresses and networks among `more` as text."""
    readers: dict[str, Callable[[Any], Any]] = {
        "external_ips": lambda texts: tuple(map(address, texts)),
        "load_balancer_ips": lambda texts: tuple(map(address, texts)),
        "load_balancer_source_ranges": _networks,
        "type": ServiceType,
        "external_traffic_policy": TrafficPolicy,
        "internal_traffic_policy": TrafficPolicy,
    }
    namespace, _, name = key.partition("/")
    read = {field: readers.get(field, lambda it: it)(value) for field, value in more.items()}
    return Service(namespace, name, cluster_ip=address(cluster_ip) if cluster_ip else None, ports=ports, **read)


def endpoints(key: str, ports: Sequence[EndpointPort], *origins: SliceEndpoint, number: int = 1) -> EndpointSlice:
    """A slice of the Service `namespace/name`."""
    namespace, _, name = key.partition("/")
    return EndpointSlice(namespace, f"{name}-{number}", name, tuple(ports), origins)


def at(ip: str, node: str = "", state: str = "ready", **more: Any) -> SliceEndpoint:
    """An endpoint; `state`: ready, serving (and terminating), gone (terminating, not serving), unready."""
    ready, serving, terminating = {
        "ready": (True, True, False),
        "serving": (False, True, True),
        "gone": (False, False, True),
        "unready": (False, False, False),
    }[state]
    return SliceEndpoint(address(ip), ready, serving, terminating, node, **more)
