"""Random Services, their endpoints, and packets that want something of them.

One node is looked at (`here`); pods are behind its second interface, other nodes' pods and the rest of the world
behind the first. Addresses and ports are few, so that most packets meet a Service, and many meet it oddly: a pod
calls itself by way of its own Service, the node calls a NodePort on 127.0.0.1, somebody calls the right port with
the wrong protocol.

Not modelled: two Services at one address and port (which of them comes first is up to Go's maps).
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from lab.oracles.rules import CLIENTS, NODES, SINKS
from lab.oracles.talk import Fresh
from lab.oracles.wires import CLIENT, NODE, SINK
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
from netpath.packet import Address, Endpoint, IcmpType, Packet, Protocol, TcpFlags, address, network

HERE = Node("here", address("10.1.0.1"), "zone-a")
PODS = (*SINKS, "10.2.0.4", "10.2.0.5", "10.2.0.6", "10.2.0.7")
ELSEWHERE = (*CLIENTS, "10.1.0.4")
OUTSIDE = (*CLIENTS, "10.1.7.7", "10.1.8.8")
CLUSTER = network("10.2.0.0/16")

# (ready, serving, terminating): running, not yet, going but still answering, gone.
_CONDITIONS = ((True, True, False), (False, False, False), (False, True, True), (False, False, True))
_PORTS = (80, 53, 443)
_TYPES = (ServiceType.CLUSTER_IP, ServiceType.NODE_PORT, ServiceType.LOAD_BALANCER)
_POLICIES = (TrafficPolicy.CLUSTER, TrafficPolicy.LOCAL)
_RANGES = ("10.1.0.0/24", "10.1.7.0/24", "10.2.0.2/31", "10.1.0.1/32", "0.0.0.0/0")

Arguments = tuple[tuple[Service, ...], tuple[EndpointSlice, ...], Node, ProxyConfig, tuple[Address, ...]]


@dataclass(frozen=True, slots=True)
class Services:
    """What kube-proxy on one node knows."""

    services: tuple[Service, ...]
    slices: tuple[EndpointSlice, ...]
    config: ProxyConfig

    @property
    def arguments(self) -> Arguments:
        return self.services, self.slices, HERE, self.config, tuple(map(address, NODES))


def drawn_services(dice: Random) -> Services:
    count = dice.randint(2, 6)
    services = tuple(_service(dice, number) for number in range(count))
    config = ProxyConfig(
        cluster_cidrs=(CLUSTER,) if dice.random() < 0.7 else (),
        masquerade_all=dice.random() < 0.15,
        node_port_addresses=(network("10.1.0.0/24"),) if dice.random() < 0.15 else (),
        localhost_node_ports=dice.random() < 0.8,
    )
    return Services(services, tuple(_slice(dice, service) for service in services), config)


def _service(dice: Random, number: int) -> Service:
    kind = dice.choice(_TYPES)
    balanced = kind is ServiceType.LOAD_BALANCER
    names = ("", "") if dice.random() < 0.5 else ("web", "dns")
    ports = [_service_port(dice, kind, number, Protocol.TCP, names[0], 0)]
    if names[1]:
        ports.append(_service_port(dice, kind, number, Protocol.UDP, names[1], 1))
    return Service(
        dice.choice(("default", "shop")),
        f"s{number}",
        kind,
        address(f"10.96.0.{number + 1}"),
        tuple(ports),
        (address(f"10.96.1.{number + 1}"),) if dice.random() < 0.3 else (),
        (address(f"10.96.2.{number + 1}"),) if balanced else (),
        tuple(map(network, dice.sample(_RANGES, 2))) if balanced and dice.random() < 0.5 else (),
        dice.choice(_POLICIES),
        dice.choice((TrafficPolicy.CLUSTER, *_POLICIES)),
        10800 if dice.random() < 0.2 else None,
    )


def _service_port(
    dice: Random, kind: ServiceType, number: int, protocol: Protocol, name: str, offset: int
) -> ServicePort:
    if not name and dice.random() < 0.3:
        protocol = Protocol.UDP
    node_port = 0 if kind is ServiceType.CLUSTER_IP else 30000 + 2 * number + offset
    return ServicePort(dice.choice(_PORTS), protocol, name, node_port)


def _slice(dice: Random, service: Service) -> EndpointSlice:
    ports = tuple(EndpointPort(8080 + index, port.protocol, port.name) for index, port in enumerate(service.ports))
    chosen = dice.sample((*PODS, *ELSEWHERE), dice.choice((0, 1, 1, 2, 3, 4, 6)))
    hinted = dice.random() < 0.2
    endpoints = tuple(_endpoint(dice, each, hinted) for each in sorted(chosen))
    return EndpointSlice(service.namespace, f"{service.name}-1", service.name, ports, endpoints)


def _endpoint(dice: Random, text: str, hinted: bool) -> SliceEndpoint:
    conditions = dice.choice((_CONDITIONS[0], _CONDITIONS[0], _CONDITIONS[0], *_CONDITIONS))
    node = "here" if text in PODS and dice.random() < 0.6 else "there"
    hints = (dice.choice(("zone-a", "zone-b")),) if hinted else ()
    return SliceEndpoint(address(text), *conditions, node, zone_hints=hints)


# Packets for them ------------------------------------------------------------------------------------


def drawn_call(dice: Random, world: Services) -> Fresh | None:
    """The first packet of somebody who wants something; None where nobody would send it."""
    service = dice.choice(world.services)
    port = dice.choice(service.ports)
    node_port = port.node_port or 30099
    targets = [(each, port.port) for each in (service.cluster_ip, *service.external_ips, *service.load_balancer_ips)]
    targets += [(address(own), node_port) for own in NODES] if port.node_port or dice.random() < 0.1 else []
    where = dice.choice((CLIENT, CLIENT, SINK, SINK, NODE))
    if where == NODE and dice.random() < 0.3:
        targets.append((address("127.0.0.1"), node_port))
    target, number = dice.choice(targets)
    assert target is not None
    if dice.random() < 0.05:
        number = dice.choice((81, 8080))
    source = address(dice.choice({CLIENT: OUTSIDE, SINK: PODS, NODE: NODES}[where]))
    if target == address("127.0.0.1"):
        source = target
    if source == target and where != NODE:
        return None
    return Fresh(where, _call(dice, Endpoint(source, dice.randint(20000, 60000)), Endpoint(target, number), port))


def _call(dice: Random, source: Endpoint, target: Endpoint, port: ServicePort) -> Packet:
    protocol = port.protocol
    if dice.random() < 0.05:
        protocol = dice.choice((Protocol.TCP, Protocol.UDP, Protocol.ICMP))
    if protocol is Protocol.ICMP:
        ends = Endpoint(source.address, source.port), Endpoint(target.address)
        return Packet(protocol, *ends, icmp=IcmpType.ECHO_REQUEST)
    return Packet(protocol, source, target, TcpFlags.SYN if protocol is Protocol.TCP else None)


def told_services(world: Services) -> str:
    """The world for people."""
    return "\n".join(map(str, (*world.services, *world.slices, world.config)))
