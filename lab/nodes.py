"""Cluster nodes: a Linux host each, with everybody's rules, and a veth pair for each pod.

What a node is told is text that Linux takes: the rules that kube-proxy and the CNI plugin write, in the format of
iptables-restore, and the routes and policy routing rules of the CNI plugin, as `ip` has them. What the kernel does
with them is its own business.

Not modelled: the kubelet, other processes of a node, pods on the host's network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lab.network import Host, Plan, router
from lab.vpc import DOWNSTREAM
from netpath.iptables import render
from netpath.kubernetes import Pod
from netpath.nodes import ClusterNode
from netpath.routing import Host as Machine

FLAT = "cluster network"  # of a cluster that isn't in a VPC

_CNI_GATEWAY = "169.254.1.1"
_RP_FILTER = {"off": 0, "strict": 1, "loose": 2}


def add_flat(plan: Plan, nodes: Mapping[str, ClusterNode], internet: Host) -> Host:
    """Plan the network of a cluster that isn't in a VPC: it knows each pod's address, and the Internet knows it."""
    flat = plan.add(router(FLAT, FLAT))
    plan.link(flat, "internet", internet, "flat")
    flat.commands.append("route add default dev internet")
    for number, node in enumerate(nodes.values()):
        places = [*node.own_addresses, *node.veths]
        flat.commands += [f"route add {place}/32 dev n{number}" for place in places]
        internet.commands += [f"route add {place}/32 dev flat" for place in places]
    return flat


def add_nodes(plan: Plan, nodes: Mapping[str, ClusterNode], interfaces: Mapping[str, Host], flat: Host | None) -> None:
    """Plan the nodes of a cluster and their pods, each node behind its network interfaces (or on a `flat` network)."""
    for number, node in enumerate(nodes.values()):
        host = _node(plan, node)
        if flat is not None:
            plan.link(host, "eth0", flat, f"n{number}")
        for device, interface in node.devices.items():
            plan.link(host, device, interfaces[interface.network_interface_id], DOWNSTREAM)
        for veth, pod in node.pods.items():
            plan.link(host, veth, _pod(plan, pod), "eth0")


def _node(plan: Plan, node: ClusterNode) -> Host:
    machine = node.host
    host = plan.add(router(node.node.name, "node"))
    host.addresses = tuple(str(address) for address in machine.addresses)
    host.settings |= {
        "net.ipv4.conf.all.rp_filter": _RP_FILTER[machine.rp_filter],
        "net.ipv4.conf.all.route_localnet": int(machine.route_localnet),
        "net.ipv4.conf.all.accept_local": int(machine.accept_local),
        "net.ipv4.conf.all.src_valid_mark": int(machine.src_valid_mark),
    }
    host.commands += _addresses(machine)
    host.commands += _routes(machine)
    host.rules = render(node.rules)
    return host


def _addresses(machine: Machine) -> Iterator[str]:
    for address, device in machine.addresses.items():
        yield f"addr add {address}/{machine.prefixes.get(address, 32)} dev {device} noprefixroute"


def _routes(machine: Machine) -> Iterator[str]:
    """The routes and the policy rules; a gateway is at the end of its link, whatever the other routes say."""
    for route in machine.routes:
        kind = "" if route.kind == "unicast" else f"{route.kind} "
        way = f" dev {route.interface}" if route.interface else ""
        gateway = f" via {route.gateway} onlink" if route.gateway else ""
        source = f" src {route.source}" if route.source else ""
        yield f"route add {kind}{route.destination}{gateway}{way}{source} table {route.table}"
    for rule in machine.policy:
        mark = "" if rule.mark is None else f" fwmark {rule.mark:#x}/{rule.mark_mask:#x}"
        ends = (("from", rule.source), ("to", rule.destination), ("iif", rule.input))
        said = "".join(f" {word} {value}" for word, value in ends if value)
        yield f"rule add pref {rule.priority}{said}{mark} lookup {rule.table}"


def _pod(plan: Plan, pod: Pod) -> Host:
    """A pod as the CNI plugin makes it: one address, and a gateway that exists only on its link."""
    host = plan.add(Host(pod.key, "pod", (str(pod.ip),)))
    host.commands += [
        f"addr add {pod.ip}/32 dev eth0",
        f"route add {_CNI_GATEWAY} dev eth0 scope link",
        f"route add default via {_CNI_GATEWAY} dev eth0",
    ]
    return host
