"""Packet flows through kube-proxy's rules: upstream's tables, and more of the same kind.

A row is a packet in a world and where it may end up. Worlds are modelled on those of upstream's
proxier_test.go (kubernetes v1.34), and go on where it stops: hints, several slices, named ports.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netpath.choice import Script
from netpath.kubeproxy import restore_input, ruleset
from netpath.kubernetes import DetectLocalMode, EndpointPort, ProxyConfig, ServicePort
from netpath.netfilter import Host, HostMemory, Route, receive
from netpath.packet import Protocol, address, endpoint, network, tcp
from tests.kubeproxy_flows import (
    NODE,
    World,
    at,
    endpoints,
    expected_of,
    play,
    service,
    trace,
    world_of,
)

CASES = json.loads((Path(__file__).parent / "cases" / "kube-proxy-flows.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_upstreams_packet_goes_where_upstream_says(case: dict[str, Any]) -> None:
    rules = restore_input(*world_of(case).arguments)
    found = trace(rules, case["sourceIP"], case["destIP"], case["destPort"], case["proto"].lower())
    assert found == expected_of(case), f"got {found}"


# Worlds ------------------------------------------------------------------------------------------

HERE, POD, NODE_IP, CLIENT, BLOCKED = "test-node", "10.0.0.2", "192.168.0.2", "203.0.113.2", "203.0.113.130"
TCP80 = (EndpointPort(80, name="p80"),)


def p80(node_port: int = 0) -> ServicePort:
    return ServicePort(80, name="p80", node_port=node_port)


def balancer(policy: str = "Cluster", **more: Any) -> Any:
    given = {"external_ips": ["192.168.99.11"], "load_balancer_ips": ["1.2.3.4"], "health_check_node_port": 30000}
    given |= {"type": "LoadBalancer", "external_traffic_policy": policy, **more}
    return service("ns1/svc1", "172.30.0.41", p80(3001), **given)


def one_here_one_away(key: str = "ns1/svc1") -> Any:
    return endpoints(key, TCP80, at("10.180.0.1"), at("10.180.2.1", HERE))


def lone(*origins: Any, itp: str = "Cluster", **more: Any) -> World:
    """A ClusterIP Service with these endpoints."""
    return World(
        (service("ns1/svc1", "172.30.0.41", p80(), internal_traffic_policy=itp, **more),),
        (endpoints("ns1/svc1", TCP80, *origins),),
    )


def terminating(policy: str, *origins: Any) -> World:
    return World((balancer(policy),), (endpoints("ns1/svc1", TCP80, *origins),))


GENERAL = World(
    (
        service("ns1/svc1", "172.30.0.41", ServicePort(80, name="http")),
        service(
            "ns2/svc2",
            "172.30.0.42",
            ServicePort(80, name="http"),
            ServicePort(443, name="https", target_port=8443),
            ServicePort(53, Protocol.UDP, "dns-udp"),
            ServicePort(53, Protocol.TCP, "dns-tcp", target_port=5353),
            ServicePort(53, Protocol.SCTP, "dns-sctp"),
        ),
        service("ns3/headless", None, ServicePort(80)),
        service("ns3/name", "172.30.0.43", ServicePort(80), type="ExternalName"),
    ),
    (
        endpoints("ns1/svc1", (EndpointPort(80, name="http"),), at("10.180.0.1", HERE)),
        endpoints(
            "ns2/svc2",
            (
                EndpointPort(80, name="http"),
                EndpointPort(8443, name="https"),
                EndpointPort(53, Protocol.UDP, "dns-udp"),
                EndpointPort(5353, Protocol.TCP, "dns-tcp"),
                EndpointPort(53, Protocol.SCTP, "dns-sctp"),
            ),
            at("10.180.0.1", HERE),
            at("10.180.2.1", "node2"),
        ),
        endpoints("ns3/name", (EndpointPort(80),), at("10.180.2.9")),
    ),
)

RANGES = World(
    (
        balancer(
            external_ips=[],
            load_balancer_ips=["1.2.3.4", "5.6.7.8"],
            load_balancer_source_ranges=["192.168.0.0/24", "203.0.113.0/25"],
        ),
    ),
    (endpoints("ns1/svc1", TCP80, at("10.180.0.1")),),
)

NODE_PORT = World((service("ns1/svc1", "172.30.0.41", p80(3001), type="NodePort"),), (one_here_one_away(),))

POLICIES = World(
    (
        service("ns1/svc1", "172.30.0.41", p80(3001), type="LoadBalancer", load_balancer_ips=["1.2.3.4"]),
        service(
            "ns2/svc2",
            "172.30.0.42",
            p80(3002),
            type="LoadBalancer",
            load_balancer_ips=["5.6.7.8"],
            external_traffic_policy="Local",
            health_check_node_port=30002,
        ),
        service(
            "ns3/svc3",
            "172.30.0.43",
            p80(3003),
            type="LoadBalancer",
            load_balancer_ips=["9.10.11.12"],
            internal_traffic_policy="Local",
        ),
    ),
    tuple(
        endpoints(f"ns{n}/svc{n}", TCP80, at(f"10.180.0.{n}", HERE), at(f"10.180.1.{n}", "remote")) for n in (1, 2, 3)
    ),
)


def hinted(*hints: str, mode: str = "zone_hints", zone: str = "zone-a") -> World:
    """Endpoints 10.180.0.1 … with a hint each (empty: none), seen from a node in `zone`."""
    told: list[dict[str, Any]] = [{mode: (hint,) if hint else ()} for hint in hints]
    origins = (at(f"10.180.0.{n}", **more) for n, more in enumerate(told, 1))
    return replace(lone(*origins), node=replace(NODE, zone=zone))


def with_config(world: World, **more: Any) -> World:
    return replace(world, config=replace(world.config, **more))


WORLDS: dict[str, World] = {
    "no endpoints": World((balancer(),)),
    "general": GENERAL,
    "source ranges": RANGES,
    "source ranges allow all": replace(
        RANGES,
        services=(
            replace(RANGES.services[0], load_balancer_source_ranges=(network("0.0.0.0/0"), network("1.0.0.0/8"))),
        ),
    ),
    "source ranges without the node": replace(
        RANGES, services=(replace(RANGES.services[0], load_balancer_source_ranges=(network("203.0.113.0/25"),)),)
    ),
    "NodePort": NODE_PORT,
    "NodePort, no localhost": with_config(NODE_PORT, localhost_node_ports=False),
    "NodePort, one net": with_config(NODE_PORT, node_port_addresses=(network("192.168.0.0/24"),)),
    "NodePort, two nets": with_config(
        NODE_PORT, node_port_addresses=(network("192.168.0.0/24"), network("192.168.1.0/24"))
    ),
    "NodePort, net and loopback": with_config(
        NODE_PORT, node_port_addresses=(network("192.168.0.0/24"), network("127.0.0.1/32"))
    ),
    "NodePort, net and loopback, no localhost": with_config(
        NODE_PORT,
        localhost_node_ports=False,
        node_port_addresses=(network("192.168.0.0/24"), network("127.0.0.1/32")),
    ),
    "NodePort, a net and all": with_config(
        NODE_PORT, node_port_addresses=(network("192.168.0.0/24"), network("0.0.0.0/0"))
    ),
    "eTP Local": World((balancer("Local"),), (one_here_one_away(),)),
    "eTP Cluster": World((balancer(),), (one_here_one_away(),)),
    "eTP Local, none here": World((balancer("Local"),), (endpoints("ns1/svc1", TCP80, at("10.180.0.1", "other")),)),
    "eTP Local on a ClusterIP with external IPs": World(
        (balancer("Local", type="ClusterIP", load_balancer_ips=[]),), (one_here_one_away(),)
    ),
    "eTP Local on a plain ClusterIP": World(
        (service("ns1/svc1", "172.30.0.41", p80(), external_traffic_policy="Local"),),
        (endpoints("ns1/svc1", TCP80, at("10.180.0.1", "other")),),
    ),
    "iTP Local": lone(at("10.0.1.1", HERE), at("10.0.1.2", HERE), at("10.0.1.3", "node2"), itp="Local"),
    "iTP Local, none here": lone(at("10.0.1.1", "node0"), at("10.0.1.2", "node1"), itp="Local"),
    "iTP Local, nowhere": lone(itp="Local"),
    "iTP and eTP Local, none here": World(
        (balancer("Local", internal_traffic_policy="Local"),),
        (endpoints("ns1/svc1", TCP80, at("10.180.0.1", "other")),),
    ),
    "ready and terminating": terminating(
        "Local",
        at("10.0.1.1", HERE),
        at("10.0.1.2", HERE),
        at("10.0.1.3", HERE, "serving"),
        at("10.0.1.4", HERE, "gone"),
        at("10.0.1.5", "node-1"),
    ),
    "only terminating here": terminating(
        "Local",
        at("10.0.1.2", HERE, "serving"),
        at("10.0.1.3", HERE, "serving"),
        at("10.0.1.4", HERE, "gone"),
        at("10.0.1.5", "node-1"),
    ),
    "only terminating, and away": terminating("Local", at("10.0.1.5", "node-1", "serving")),
    "none usable": terminating("Local", at("10.0.1.5", HERE, "gone"), at("10.0.1.6", "node-1", "unready")),
    "Cluster: ready and terminating": terminating(
        "Cluster", at("10.0.1.1", HERE), at("10.0.1.3", "other", "serving"), at("10.0.1.5", "other")
    ),
    "Cluster: only terminating": terminating(
        "Cluster", at("10.0.1.2", HERE, "serving"), at("10.0.1.4", "other", "gone"), at("10.0.1.5", "other", "serving")
    ),
    "Cluster: none usable": terminating("Cluster", at("10.0.1.5", HERE, "gone"), at("10.0.1.6", HERE, "unready")),
    "policies": POLICIES,
    "policies, no detector": with_config(POLICIES, cluster_cidrs=()),
    "policies, masquerade all": with_config(POLICIES, masquerade_all=True),
    "policies, masquerade all, no detector": with_config(POLICIES, masquerade_all=True, cluster_cidrs=()),
    "policies, by node CIDR": replace(
        POLICIES,
        config=ProxyConfig(detect_local_mode=DetectLocalMode.NODE_CIDR),
        node=replace(NODE, pod_cidrs=(network("10.0.0.0/24"),)),
    ),
    "hints for both zones": hinted("zone-a", "zone-b", "zone-a"),
    "a hint is missing": hinted("zone-a", "", "zone-a"),
    "no hint for our zone": hinted("zone-b", "zone-b"),
    "the node has no zone": hinted("zone-a", "zone-b", zone=""),
    "node hints": hinted(HERE, "other", mode="node_hints"),
    "a node hint is missing": hinted(HERE, "", mode="node_hints"),
    "no node hint for us": hinted("other", "another", mode="node_hints"),
    "node hints for others, zone hints for us": lone(
        at("10.180.0.1", node_hints=("other",), zone_hints=("",)), at("10.180.0.2", node_hints=("x",))
    ),
    "unready endpoints need no hints": replace(
        lone(
            at("10.180.0.1", zone_hints=("zone-a",)),
            at("10.180.0.2", state="unready"),
            at("10.180.0.3", zone_hints=("b",)),
        ),
        node=replace(NODE, zone="zone-a"),
    ),
    "hints of the terminating don't count": replace(
        lone(at("10.180.0.1", state="serving", zone_hints=("b",)), at("10.180.0.2", state="serving")),
        node=replace(NODE, zone="zone-a"),
    ),
    "hints and eTP Local": replace(
        World(
            (balancer("Local"),),
            (
                endpoints(
                    "ns1/svc1",
                    TCP80,
                    at("10.180.0.1", HERE, zone_hints=("zone-b",)),
                    at("10.180.0.2", "other", zone_hints=("zone-a",)),
                ),
            ),
        ),
        node=replace(NODE, zone="zone-a"),
    ),
    "affinity": lone(at("10.180.0.1"), at("10.180.0.2", HERE), affinity_seconds=10800),
    "two slices": replace(
        lone(),
        slices=(
            endpoints("ns1/svc1", TCP80, at("10.180.0.2"), at("10.180.0.10"), number=1),
            endpoints("ns1/svc1", (EndpointPort(8080, name="p80"),), at("10.180.0.2"), number=2),
            endpoints("ns2/svc1", TCP80, at("10.180.0.9"), number=3),
        ),
    ),
    "an address twice, terminating last": replace(
        lone(),
        slices=(
            endpoints("ns1/svc1", TCP80, at("10.180.0.2"), number=1),
            endpoints("ns1/svc1", TCP80, at("10.180.0.2", state="gone"), number=2),
        ),
    ),
    "an address twice, terminating first": replace(
        lone(),
        slices=(
            endpoints("ns1/svc1", TCP80, at("10.180.0.2", state="gone"), number=1),
            endpoints("ns1/svc1", TCP80, at("10.180.0.2"), number=2),
        ),
    ),
    "the slice's port has another name": replace(
        lone(), slices=(endpoints("ns1/svc1", (EndpointPort(80, name="web"),), at("10.180.0.1")),)
    ),
    "the slice's port has another protocol": replace(
        lone(), slices=(endpoints("ns1/svc1", (EndpointPort(80, Protocol.UDP, "p80"),), at("10.180.0.1")),)
    ),
    "the slice's port is zero": replace(
        lone(), slices=(endpoints("ns1/svc1", (EndpointPort(0, name="p80"),), at("10.180.0.1")),)
    ),
    "an endpoint without a node is nowhere": lone(at("10.0.1.1"), itp="Local"),
}

BOTH = "10.180.0.1:80, 10.180.2.1:80"


def both(n: int) -> str:
    return f"10.180.0.{n}:80, 10.180.1.{n}:80"


FLOWS: tuple[tuple[str, str, str, int, str], ...] = (
    # TestNoEndpointsReject
    *(("no endpoints", source, "172.30.0.41", 80, "REJECT") for source in (POD, CLIENT)),
    *(("no endpoints", source, "192.168.99.11", 80, "REJECT") for source in (POD, CLIENT)),
    *(("no endpoints", source, NODE_IP, 3001, "REJECT") for source in (POD, CLIENT)),
    *(("no endpoints", source, "1.2.3.4", 80, "REJECT") for source in (POD, CLIENT)),
    # TestClusterIPGeneral
    ("general", "10.180.0.2", "172.30.0.41", 80, "10.180.0.1:80"),
    ("general", "10.180.0.1", "172.30.0.41", 80, "10.180.0.1:80 masq"),
    ("general", "10.180.0.2", "172.30.0.42", 80, BOTH),
    ("general", "10.180.0.2", "172.30.0.42", 443, "10.180.0.1:8443, 10.180.2.1:8443"),
    ("general", "10.180.0.2", "172.30.0.42", 53, "10.180.0.1:5353, 10.180.2.1:5353"),
    ("general", "10.180.0.2", "172.30.0.41", 443, "NONE"),
    ("general", CLIENT, "172.30.0.41", 80, "10.180.0.1:80 masq"),
    ("general", POD, "172.30.0.43", 80, "NONE"),
    # TestLoadBalancer
    ("source ranges", POD, "172.30.0.41", 80, "10.180.0.1:80"),
    ("source ranges", CLIENT, NODE_IP, 3001, "10.180.0.1:80 masq"),
    ("source ranges", BLOCKED, NODE_IP, 3001, "10.180.0.1:80 masq"),
    *(("source ranges", CLIENT, ip, 80, "10.180.0.1:80 masq") for ip in ("1.2.3.4", "5.6.7.8")),
    *(("source ranges", BLOCKED, ip, 80, "DROP") for ip in ("1.2.3.4", "5.6.7.8")),
    *(("source ranges", POD, ip, 80, "DROP") for ip in ("1.2.3.4", "5.6.7.8")),
    *(("source ranges", NODE_IP, ip, 80, "10.180.0.1:80 masq") for ip in ("1.2.3.4", "5.6.7.8")),
    *(("source ranges", ip, ip, 80, "10.180.0.1:80 masq") for ip in ("1.2.3.4", "5.6.7.8")),
    ("source ranges allow all", BLOCKED, "1.2.3.4", 80, "10.180.0.1:80 masq"),
    ("source ranges without the node", NODE_IP, "1.2.3.4", 80, "DROP"),
    ("source ranges without the node", "1.2.3.4", "1.2.3.4", 80, "DROP"),
    # TestNodePorts
    *((world, POD, "172.30.0.41", 80, BOTH) for world in WORLDS if world.startswith("NodePort")),
    *((world, CLIENT, NODE_IP, 3001, f"{BOTH} masq") for world in WORLDS if world.startswith("NodePort")),
    *((world, NODE_IP, NODE_IP, 3001, f"{BOTH} masq") for world in WORLDS if world.startswith("NodePort")),
    ("NodePort", "127.0.0.1", "127.0.0.1", 3001, f"{BOTH} masq"),
    ("NodePort", CLIENT, "192.168.1.2", 3001, f"{BOTH} masq"),
    ("NodePort", CLIENT, "192.168.7.7", 3001, "NONE"),
    ("NodePort, no localhost", "127.0.0.1", "127.0.0.1", 3001, "NONE"),
    ("NodePort, no localhost", CLIENT, "192.168.1.2", 3001, f"{BOTH} masq"),
    ("NodePort, one net", "127.0.0.1", "127.0.0.1", 3001, "NONE"),
    ("NodePort, one net", CLIENT, "192.168.1.2", 3001, "NONE"),
    ("NodePort, two nets", CLIENT, "192.168.1.2", 3001, f"{BOTH} masq"),
    ("NodePort, net and loopback", "127.0.0.1", "127.0.0.1", 3001, f"{BOTH} masq"),
    ("NodePort, net and loopback", CLIENT, "192.168.1.2", 3001, "NONE"),
    ("NodePort, net and loopback, no localhost", "127.0.0.1", "127.0.0.1", 3001, "NONE"),
    ("NodePort, net and loopback, no localhost", CLIENT, "192.168.1.2", 3001, "NONE"),
    ("NodePort, a net and all", CLIENT, "192.168.1.2", 3001, f"{BOTH} masq"),
    # TestHealthCheckNodePort
    ("eTP Local", "1.2.3.4", NODE_IP, 30000, "ACCEPT"),
    ("eTP Cluster", "1.2.3.4", NODE_IP, 30000, "NONE"),
    # TestExternalTrafficPolicyLocal
    ("eTP Local", POD, "172.30.0.41", 80, BOTH),
    ("eTP Local", POD, "192.168.99.11", 80, BOTH),
    ("eTP Local", CLIENT, "192.168.99.11", 80, "10.180.2.1:80"),
    ("eTP Local", POD, "1.2.3.4", 80, BOTH),
    ("eTP Local", CLIENT, "1.2.3.4", 80, "10.180.2.1:80"),
    ("eTP Local", POD, NODE_IP, 3001, BOTH),
    ("eTP Local", CLIENT, NODE_IP, 3001, "10.180.2.1:80"),
    ("eTP Local, none here", CLIENT, NODE_IP, 3001, "DROP"),
    ("eTP Local, none here", CLIENT, "1.2.3.4", 80, "DROP"),
    ("eTP Local, none here", CLIENT, "192.168.99.11", 80, "DROP"),
    ("eTP Local, none here", POD, NODE_IP, 3001, "10.180.0.1:80"),
    ("eTP Local, none here", NODE_IP, "1.2.3.4", 80, "10.180.0.1:80 masq"),
    ("eTP Local on a ClusterIP with external IPs", CLIENT, "192.168.99.11", 80, "10.180.2.1:80"),
    ("eTP Local on a plain ClusterIP", POD, "172.30.0.41", 80, "10.180.0.1:80"),
    # TestExternalTrafficPolicyCluster
    ("eTP Cluster", POD, "172.30.0.41", 80, BOTH),
    *(("eTP Cluster", source, "192.168.99.11", 80, f"{BOTH} masq") for source in (POD, CLIENT)),
    *(("eTP Cluster", source, "1.2.3.4", 80, f"{BOTH} masq") for source in (POD, CLIENT)),
    *(("eTP Cluster", source, NODE_IP, 3001, f"{BOTH} masq") for source in (POD, CLIENT)),
    # TestInternalTrafficPolicy
    ("iTP Local", POD, "172.30.0.41", 80, "10.0.1.1:80, 10.0.1.2:80"),
    ("iTP Local, none here", POD, "172.30.0.41", 80, "DROP"),
    ("iTP Local, nowhere", POD, "172.30.0.41", 80, "REJECT"),
    ("iTP and eTP Local, none here", POD, "172.30.0.41", 80, "DROP"),
    ("iTP and eTP Local, none here", POD, NODE_IP, 3001, "10.180.0.1:80"),
    ("an endpoint without a node is nowhere", POD, "172.30.0.41", 80, "DROP"),
    # TestTerminatingEndpointsTrafficPolicyLocal, …Cluster
    ("ready and terminating", POD, "172.30.0.41", 80, "10.0.1.1:80, 10.0.1.2:80, 10.0.1.5:80"),
    ("ready and terminating", CLIENT, "1.2.3.4", 80, "10.0.1.1:80, 10.0.1.2:80"),
    ("only terminating here", POD, "172.30.0.41", 80, "10.0.1.5:80"),
    ("only terminating here", CLIENT, "1.2.3.4", 80, "10.0.1.2:80, 10.0.1.3:80"),
    ("only terminating, and away", POD, "172.30.0.41", 80, "10.0.1.5:80"),
    ("only terminating, and away", CLIENT, "1.2.3.4", 80, "DROP"),
    ("none usable", POD, "172.30.0.41", 80, "REJECT"),
    ("none usable", CLIENT, "1.2.3.4", 80, "REJECT"),
    ("Cluster: ready and terminating", POD, "172.30.0.41", 80, "10.0.1.1:80, 10.0.1.5:80"),
    ("Cluster: ready and terminating", CLIENT, "1.2.3.4", 80, "10.0.1.1:80, 10.0.1.5:80 masq"),
    ("Cluster: only terminating", POD, "172.30.0.41", 80, "10.0.1.2:80, 10.0.1.5:80"),
    ("Cluster: only terminating", CLIENT, "1.2.3.4", 80, "10.0.1.2:80, 10.0.1.5:80 masq"),
    ("Cluster: none usable", POD, "172.30.0.41", 80, "REJECT"),
    ("Cluster: none usable", CLIENT, "1.2.3.4", 80, "REJECT"),
    # TestInternalExternalMasquerade: a pod, the node itself, a client; three Services; by ClusterIP, NodePort, balancer
    *(
        (
            world,
            source,
            f"172.30.0.{40 + n}",
            80,
            (f"10.180.0.{n}:80" if n == 3 else both(n)) + (" masq" if masq else ""),
        )
        for world, sources in {
            "policies": {POD: False, NODE_IP: True, CLIENT: True},
            "policies, no detector": {POD: False, NODE_IP: False, CLIENT: False},
            "policies, masquerade all": {POD: True, NODE_IP: True, CLIENT: True},
            "policies, masquerade all, no detector": {POD: True, NODE_IP: True, CLIENT: True},
            "policies, by node CIDR": {POD: False, "10.0.1.2": True, CLIENT: True},
        }.items()
        for source, masq in sources.items()
        for n in (1, 2, 3)
    ),
    *(
        (world, source, destination, port, f"{both(n)} masq")
        for world in WORLDS
        if world.startswith("policies")
        for n, ip in ((1, "1.2.3.4"), (3, "9.10.11.12"))
        for source in (POD, NODE_IP, CLIENT)
        for destination, port in ((NODE_IP, 3000 + n), (ip, 80))
    ),
    *(
        (world, source, destination, port, outcome)
        for world in WORLDS
        if world.startswith("policies")
        for source, outcome in {
            POD: "10.180.0.2:80" if "no detector" in world else both(2),
            NODE_IP: f"{both(2)} masq",
            CLIENT: "10.180.0.2:80",
        }.items()
        for destination, port in ((NODE_IP, 3002), ("5.6.7.8", 80))
    ),
    ("policies", "127.0.0.1", "127.0.0.1", 3002, f"{both(2)} masq"),
    ("policies", "127.0.0.1", "127.0.0.1", 3003, f"{both(3)} masq"),
    ("policies, by node CIDR", "10.0.1.2", "5.6.7.8", 80, "10.180.0.2:80"),
    # topology.go, its comments as rows
    ("hints for both zones", POD, "172.30.0.41", 80, "10.180.0.1:80, 10.180.0.3:80"),
    ("a hint is missing", POD, "172.30.0.41", 80, "10.180.0.1:80, 10.180.0.2:80, 10.180.0.3:80"),
    ("no hint for our zone", POD, "172.30.0.41", 80, "10.180.0.1:80, 10.180.0.2:80"),
    ("the node has no zone", POD, "172.30.0.41", 80, "10.180.0.1:80, 10.180.0.2:80"),
    ("node hints", POD, "172.30.0.41", 80, "10.180.0.1:80"),
    ("a node hint is missing", POD, "172.30.0.41", 80, "10.180.0.1:80, 10.180.0.2:80"),
    ("no node hint for us", POD, "172.30.0.41", 80, "10.180.0.1:80, 10.180.0.2:80"),
    ("node hints for others, zone hints for us", POD, "172.30.0.41", 80, "10.180.0.1:80, 10.180.0.2:80"),
    ("unready endpoints need no hints", POD, "172.30.0.41", 80, "10.180.0.1:80"),
    ("hints of the terminating don't count", POD, "172.30.0.41", 80, "10.180.0.1:80, 10.180.0.2:80"),
    ("hints and eTP Local", POD, "172.30.0.41", 80, "10.180.0.2:80"),
    ("hints and eTP Local", CLIENT, "1.2.3.4", 80, "10.180.0.1:80"),
    # endpointslicecache.go
    ("affinity", POD, "172.30.0.41", 80, "10.180.0.1:80, 10.180.0.2:80"),
    ("two slices", POD, "172.30.0.41", 80, "10.180.0.10:80, 10.180.0.2:80, 10.180.0.2:8080"),
    ("an address twice, terminating last", POD, "172.30.0.41", 80, "10.180.0.2:80"),
    ("an address twice, terminating first", POD, "172.30.0.41", 80, "10.180.0.2:80"),
    ("the slice's port has another name", POD, "172.30.0.41", 80, "REJECT"),
    ("the slice's port has another protocol", POD, "172.30.0.41", 80, "REJECT"),
    ("the slice's port is zero", POD, "172.30.0.41", 80, "REJECT"),
)

RULES = {name: restore_input(*world.arguments) for name, world in WORLDS.items()}


def name_of(value: object) -> str:
    return str(value)


@pytest.mark.parametrize(("world", "source", "destination", "port", "outcome"), FLOWS, ids=name_of)
def test_a_packet_goes_where_the_row_says(world: str, source: str, destination: str, port: int, outcome: str) -> None:
    assert str(trace(RULES[world], source, destination, port)) == outcome


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_upstreams_packet_goes_there_through_netpaths_own_kernel(case: dict[str, Any]) -> None:
    packet = case["sourceIP"], case["destIP"], case["destPort"], case["proto"].lower()
    assert play(world_of(case), *packet) == expected_of(case)


@pytest.mark.parametrize(("world", "source", "destination", "port", "outcome"), FLOWS, ids=name_of)
def test_it_goes_there_through_netpaths_own_kernel(
    world: str, source: str, destination: str, port: int, outcome: str
) -> None:
    assert str(play(WORLDS[world], source, destination, port)) == outcome


@pytest.mark.parametrize("pick", [0, 1])
def test_a_client_with_affinity_comes_back_to_the_endpoint_that_it_had(pick: int) -> None:
    world = WORLDS["affinity"]
    host = Host(
        "node",
        {address(NODE_IP): "eth0"},
        (Route(network("0.0.0.0/0"), "eth0"),),
        ruleset(*world.arguments),
        forwarding=True,
    )
    memory = HostMemory()
    first = receive(host, memory, tcp(f"{POD}:1", "172.30.0.41:80"), "eth0", 0.0, Script([pick]))
    again = receive(host, memory, tcp(f"{POD}:2", "172.30.0.41:80"), "eth0", 10799.0, Script([1 - pick]))
    assert first.packet is not None and again.packet is not None
    assert again.packet.destination == first.packet.destination == endpoint(f"10.180.0.{pick + 1}:80")


@pytest.mark.parametrize("protocol", ["udp", "sctp"])
def test_protocols_share_a_port_number(protocol: str) -> None:
    assert str(trace(RULES["general"], "10.180.0.2", "172.30.0.42", 53, protocol)) == "10.180.0.1:53, 10.180.2.1:53"


def test_a_tcp_port_takes_no_udp() -> None:
    assert str(trace(RULES["general"], "10.180.0.2", "172.30.0.42", 80, "udp")) == "NONE"


def test_every_world_is_asked_about() -> None:
    assert {world for world, *_ in FLOWS} == set(WORLDS)
