"""A world is what is configured; a memory is what the network remembers. A journey is a function of both.

`World` is frozen: zones, the VPC, load balancers, the cluster. It may lack any part; `need` says so when a
question can't do without it. What one packet leaves behind for the next (caches, conntrack tables, positions of
round robins, open connections, the clock) is in `netpath.memory`.

Not modelled: a world that changes while a request is under way (make another with `dataclasses.replace`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, TypeVar

import dns.zone

from netpath.balancing import LoadBalancer
from netpath.balancing import Node as BalancerNode
from netpath.errors import WorldError
from netpath.ingress import Controller, controller
from netpath.kubernetes import Cluster, Pod
from netpath.names import Names, names
from netpath.nodes import ClusterNode, cluster_nodes, has_address
from netpath.packet import Address, address
from netpath.resolution import Alias
from netpath.vpc import NetworkInterface, Region

T = TypeVar("T")

USER = address("198.51.100.23")  # TEST-NET-2, RFC 5737: the person, and the resolver of their provider
RESOLVER = address("198.51.100.53")
CONTROLLER_LABEL = ("app.kubernetes.io/name", "ingress-nginx")


class Kind(StrEnum):
    """What stands at an address."""

    INTERNET = "internet"
    LOAD_BALANCER = "load balancer"
    NODE = "node"
    POD = "pod"
    INTERFACE = "network interface"
    VPC_SERVICE = "VPC service"


@dataclass(frozen=True, slots=True)
class Place:
    """Something that packets come from and go to. `node` is the cluster node it is on, if it is on one.

    `interface`: the one that has the address, and for a service of the VPC itself the one that it serves.
    """

    kind: Kind
    name: str
    address: Address
    node: str = ""
    interface: NetworkInterface | None = None
    pod: Pod | None = None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class World:
    """Everything that is configured. `user` is where requests come from, `resolver` whom the user asks for names."""

    zones: tuple[dns.zone.Zone, ...] = ()
    aliases: tuple[Alias, ...] = ()
    region: Region | None = None
    load_balancers: tuple[LoadBalancer, ...] = ()
    cluster: Cluster | None = None
    user: Address = USER
    resolver: Address = RESOLVER

    def need(self, part: T | None, name: str, what_for: str) -> T:
        """A part of the world that a question can't do without. Raises `WorldError`."""
        if part is None:
            raise WorldError(f"this world has no {name}, and {what_for} needs one", expected=_FILES[name])
        return part

    @cached_property
    def names(self) -> Names:
        """The name servers. Raises `WorldError` for a zone that nobody serves."""
        return names(self.zones, self.aliases)

    # The cluster -----------------------------------------------------------------------------
    @cached_property
    def nodes(self) -> Mapping[str, ClusterNode]:
        return cluster_nodes(self.cluster, self.region) if self.cluster else {}

    @cached_property
    def pods(self) -> Mapping[Address, Pod]:
        """Pods by address, without those that have their node's, or none any more."""
        pods = self.cluster.pods if self.cluster else ()
        return {pod.ip: pod for pod in pods if pod.ip is not None and has_address(pod)}

    @cached_property
    def _nodes_by_address(self) -> Mapping[Address, ClusterNode]:
        return {held: node for node in self.nodes.values() for held in node.own_addresses}

    @cached_property
    def node_with(self) -> Mapping[str, ClusterNode]:
        """The cluster node that has a network interface, by the interface's id."""
        return {identity: node for node in self.nodes.values() for identity in node.device_of}

    @cached_property
    def controller(self) -> Controller:
        """The ingress controller's table of hosts and paths."""
        return controller(self.need(self.cluster, "cluster", "an Ingress"))

    def is_controller(self, pod: Pod) -> bool:
        label, value = CONTROLLER_LABEL
        component = pod.labels.get("app.kubernetes.io/component", "controller")
        return pod.labels.get(label) == value and component == "controller"

    # Load balancers --------------------------------------------------------------------------
    @cached_property
    def _balancer_nodes(self) -> Mapping[Address, tuple[LoadBalancer, BalancerNode]]:
        return {node.address: (balancer, node) for balancer in self.load_balancers for node in balancer.nodes}

    def balancer_at(self, place: Address) -> tuple[LoadBalancer, BalancerNode] | None:
        """The load balancer, and its node, with a private address."""
        return self._balancer_nodes.get(place)

    # Anything --------------------------------------------------------------------------------
    def where(self, place: Address) -> Place:
        """What stands at an address; whatever the world doesn't know is out on the Internet."""
        known = self._places.get(place)
        if known is None:
            known = self._places[place] = self._find(place)
        return known

    @cached_property
    def trips(self) -> dict[Hashable, Any]:
        """The trips on open connections that `netpath.fabric` has made."""
        return {}

    @cached_property
    def _places(self) -> dict[Address, Place]:
        return {}

    def _find(self, place: Address) -> Place:
        interface = self._interface(place)
        pod = self.pods.get(place)
        if pod is not None and pod.node in self.nodes:
            return Place(Kind.POD, pod.key, place, pod.node, interface, pod)
        node = self._nodes_by_address.get(place)
        if node is not None:
            return Place(Kind.NODE, node.node.name, place, node.node.name, interface)
        if (found := self.balancer_at(place)) is not None:
            return Place(Kind.LOAD_BALANCER, f"{found[0].name} {found[1].zone}", place, interface=interface)
        if interface is not None:
            name = interface.description or interface.network_interface_id
            return Place(Kind.INTERFACE, name, place, interface=interface)
        name = {self.user: "user", self.resolver: "resolver"}.get(place, str(place))
        return Place(Kind.INTERNET, name, place)

    def _interface(self, place: Address) -> NetworkInterface | None:
        if self.region is None:
            return None
        found = (self.region.interface_at(vpc.vpc_id, place) for vpc in self.region.vpcs)
        return next((interface for interface in found if interface is not None), None)


_FILES = {
    "cluster": "what `kubectl get nodes,pods,services,endpointslices,ingresses -o yaml` prints",
    "region": "what `aws ec2 describe-vpcs` and the like print",
}
