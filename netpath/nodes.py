"""A node of the cluster as a Linux host: its interfaces, its routes, and everybody's rules.

Three parties configure a node, and none knows the others. AWS attaches network interfaces. The CNI plugin
gives each pod a veth pair and a route (`netpath.cni`). kube-proxy and the kubelet write rules
(`netpath.kubeproxy`), which they *prepend*, so that the plugin's own come after them in each chain.

Without a VPC (a cluster somewhere else), a node has one interface, and the network between the nodes
takes care of every pod's address.

Not modelled: other agents' rules (network policies, service meshes), and a pod's own network namespace,
which has one address and one way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from netpath import cni, kubeproxy
from netpath.iptables import Chain, Ruleset, Table, parse
from netpath.kubernetes import Cluster, Node, Pod
from netpath.packet import Address, Network, Protocol
from netpath.routing import Host, PolicyRule, Route
from netpath.vpc import NetworkInterface, Region

STATION = "node"
DAEMONS = (22, 10250, 10256)  # sshd, the kubelet, kube-proxy's health check
ANYWHERE = Network("0.0.0.0/0")


@dataclass(frozen=True)
class ClusterNode:
    """A node: the Kubernetes object, its pods by veth, its network interfaces by device name."""

    node: Node
    pods: Mapping[str, Pod]
    devices: Mapping[str, NetworkInterface]
    cluster: Cluster
    region: Region | None

    @cached_property
    def veths(self) -> dict[Address, str]:
        """The device that leads to a pod, by the pod's address."""
        return {pod.ip: veth for veth, pod in self.pods.items() if pod.ip is not None}

    @cached_property
    def device_of(self) -> dict[str, str]:
        """The device name of a network interface, by its id."""
        return {interface.network_interface_id: name for name, interface in self.devices.items()}

    @cached_property
    def services(self) -> Ruleset:
        """What the kubelet and kube-proxy put here."""
        return kubeproxy.ruleset(
            self.cluster.services, self.cluster.slices, self.node, self.cluster.proxy, self.own_addresses
        )

    @cached_property
    def rules(self) -> Ruleset:
        """All the rules on the node."""
        if not self.devices:
            return self.services
        return merged(self.services, parse(cni.rules(self._vpc_cidrs, self.node.address)))

    @cached_property
    def host(self) -> Host:
        """The node as a Linux machine: what `netpath.netfilter` takes."""
        return Host(
            name=self.node.name,
            addresses=self._addresses,
            routes=tuple(self._routes()),
            rules=self.rules,
            policy=tuple(self._policy()),
            forwarding=True,
            route_localnet=self.cluster.proxy.localhost_node_ports,
            rp_filter="loose" if self.devices else "off",
            prefixes=self._prefixes,
            station=STATION,
        )

    @cached_property
    def host_pods(self) -> dict[tuple[Protocol, int], Pod]:
        """Pods on the host's network, by the ports that they declare."""
        held = [pod for pod in self.cluster.pods if pod.host_network and pod.node == self.node.name]
        return {(port.protocol, port.port): pod for pod in held if pod.phase == "Running" for port in pod.ports}

    @cached_property
    def listening(self) -> frozenset[tuple[Protocol, int]]:
        """Ports with a process of the node's own behind them: its daemons, and pods on the host's network."""
        cluster = self.cluster
        checks = kubeproxy.health_checks(cluster.services, cluster.slices, self.node, cluster.proxy, self.own_addresses)
        daemons = (*DAEMONS, *(check.port for check in checks))
        return frozenset((*self.host_pods, *((Protocol.TCP, port) for port in daemons)))

    @property
    def own_addresses(self) -> tuple[Address, ...]:
        return tuple(self._addresses)

    @cached_property
    def _addresses(self) -> dict[Address, str]:
        if not self.devices:
            return {self.node.address: "eth0"}
        return {interface.primary: name for name, interface in self.devices.items()}

    @cached_property
    def _subnets(self) -> dict[str, Network]:
        region = self.region
        if region is None:
            return {}
        return {name: region.subnet[interface.subnet_id].cidr_block for name, interface in self.devices.items()}

    @property
    def _prefixes(self) -> dict[Address, int]:
        return {self.devices[name].primary: subnet.prefixlen for name, subnet in self._subnets.items()}

    @property
    def _vpc_cidrs(self) -> Sequence[Network]:
        region, interface = self.region, next(iter(self.devices.values()))
        return region.vpc[region.vpc_of(interface)].cidr_blocks if region else ()

    def _routes(self) -> Iterator[Route]:
        """What `ip route show table all` would list: the pods, the subnets, and a way out by each interface."""
        for address, veth in self.veths.items():
            yield Route(Network(address), veth)
        if not self.devices:
            yield Route(ANYWHERE, "eth0")
        for number, (name, subnet) in enumerate(self._subnets.items()):
            gateway = Address(int(subnet.network_address) + 1)  # the VPC's router, at each subnet's base plus one
            table = "main" if number == 0 else str(number + 1)
            yield Route(ANYWHERE, name, gateway, table=table)
            if number == 0:
                yield Route(subnet, name, source=self.devices[name].primary)
            else:  # and only this: setupENINetwork takes the subnet's own route out of main
                yield Route(Network(gateway), name, table=table)

    def _policy(self) -> Iterator[PolicyRule]:
        """`ip rule`, as the CNI plugin sets it (amazon-vpc-cni-k8s, cmd/routed-eni-cni-plugin/driver)."""
        if not self.devices:
            return
        yield PolicyRule(1024, "main", mark=cni.MARK, mark_mask=cni.MARK)
        for address in self.veths:
            yield PolicyRule(512, "main", destination=Network(address))
            number = self._device_number(address)
            if number:
                yield PolicyRule(1536, str(number + 1), source=Network(address))

    def _device_number(self, address: Address) -> int:
        """Which of the node's interfaces holds a pod's address (0: the first, or none)."""
        return next((number for number, held in enumerate(self.devices.values()) if held.holds(address)), 0)


def has_address(pod: Pod) -> bool:
    """Whether a pod has an address of its own now; one that has ended still tells its last."""
    return pod.ip is not None and not pod.host_network and pod.phase not in ("Succeeded", "Failed")


def cluster_nodes(cluster: Cluster, region: Region | None) -> dict[str, ClusterNode]:
    """Every node of the cluster by name, with its pods and its network interfaces."""
    pods: dict[str, dict[str, Pod]] = {node.name: {} for node in cluster.nodes}
    for pod in cluster.pods:
        if pod.node in pods and has_address(pod):
            pods[pod.node][cni.veth_name(pod.namespace, pod.name)] = pod
    return {
        node.name: ClusterNode(node, pods[node.name], _devices(node, region), cluster, region) for node in cluster.nodes
    }


def _devices(node: Node, region: Region | None) -> dict[str, NetworkInterface]:
    """A node's interfaces as eth0, eth1, …: the one with the node's own address first."""
    if region is None:
        return {}
    attached = [each for each in region.network_interfaces if each.instance_id and each.instance_id == node.instance_id]
    if not attached:
        attached = [each for each in region.network_interfaces if each.primary == node.address]
    attached.sort(key=lambda each: (each.primary != node.address, each.order))
    return {f"eth{number}": interface for number, interface in enumerate(attached)}


def merged(first: Ruleset, second: Ruleset) -> Ruleset:
    """Two parties' rules on one host: in a chain that both have, the second's come after the first's."""
    names = dict.fromkeys((*second.tables, *first.tables))
    return Ruleset({name: _merged_table(name, first.tables.get(name), second.tables.get(name)) for name in names})


def _merged_table(name: str, first: Table | None, second: Table | None) -> Table:
    if first is None or second is None:
        found = first or second
        assert found is not None, "a name of either"
        return found
    return Table(name, _MergedChains(first.chains, second.chains))


class _MergedChains(Mapping[str, Chain]):
    """The chains of two tables; made when they are looked up, for the first may be long."""

    def __init__(self, first: Mapping[str, Chain], second: Mapping[str, Chain]) -> None:
        self._first, self._second = first, second
        self._both: dict[str, Chain] = {}

    def __getitem__(self, name: str) -> Chain:
        if name not in self._second:
            return self._first[name]
        if name not in self._both:
            self._both[name] = self._joined(name)
        return self._both[name]

    def _joined(self, name: str) -> Chain:
        after = self._second[name]
        if name not in self._first:
            return after
        before = self._first[name]
        return Chain(name, before.policy, (*before.rules, *after.rules))

    def _names(self) -> Iterable[str]:
        return dict.fromkeys((*self._first, *self._second))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return sum(1 for _ in self._names())
