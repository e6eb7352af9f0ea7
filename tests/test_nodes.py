"""A node of the cluster as a Linux host: who its neighbours are, its routes, and everybody's rules."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace

import pytest

from netpath import cni
from netpath.iptables import Chain, Ruleset, Table, parse, parse_rule, render
from netpath.kubernetes import Cluster, ContainerPort, Node, Pod, ProxyConfig, ServiceType, TrafficPolicy
from netpath.nodes import ClusterNode, cluster_nodes, has_address, merged
from netpath.packet import Network, Protocol, address
from netpath.world import World
from tests import shop_world as shop
from tests.conftest import skip_here


def node(ip: str, world: World = shop.SHOP) -> ClusterNode:
    return world.nodes[world.where(address(ip)).node]


def alone(**fields: object) -> ClusterNode:
    """A node of a cluster outside of AWS."""
    one = Node("n1", address("192.0.2.1"))
    cluster = Cluster(nodes=(one,), **fields)  # type: ignore[arg-type]
    return cluster_nodes(cluster, None)["n1"]


# Interfaces and addresses -------------------------------------------------------------------------


def test_a_node_s_interfaces_are_eth0_with_its_own_address_and_then_the_others() -> None:
    held = {name: str(interface.primary) for name, interface in node(shop.NODE_3).devices.items()}
    assert held == {"eth0": shop.NODE_3, "eth1": shop.ETH1}


def test_a_node_without_an_instance_id_is_found_by_its_address() -> None:
    nodes = tuple(replace(each, instance_id="") for each in shop.cluster().nodes)
    held = node(shop.NODE_3, shop.with_cluster(nodes=nodes)).devices
    assert [str(interface.primary) for interface in held.values()] == [shop.NODE_3]


def test_pods_are_behind_their_veths() -> None:
    one = node(shop.NODE_2)
    assert {str(ip): one.pods[veth].key for ip, veth in one.veths.items()}[shop.SHELL] == "shop/shell"


PODS = {
    "running": (Pod("a", "b", address("10.0.0.1"), phase="Running"), True),
    "not yet running": (Pod("a", "b", address("10.0.0.1"), phase="Pending"), True),
    "of a node that doesn't answer": (Pod("a", "b", address("10.0.0.1"), phase="Unknown"), True),
    "done": (Pod("a", "b", address("10.0.0.1"), phase="Succeeded"), False),
    "failed": (Pod("a", "b", address("10.0.0.1"), phase="Failed"), False),
    "on the host's network": (Pod("a", "b", address("10.0.0.1"), host_network=True), False),
    "without an address yet": (Pod("a", "b", None), False),
}


@pytest.mark.parametrize(("pod", "has"), PODS.values(), ids=PODS)
def test_which_pods_have_an_address_of_their_own(pod: Pod, has: bool) -> None:
    assert has_address(pod) is has


def test_a_pod_of_a_node_that_isn_t_there_is_on_no_node() -> None:
    lost = Pod("shop", "lost", address("10.0.35.200"), "gone")
    world = shop.with_cluster(pods=(*shop.cluster().pods, lost))
    assert not any(lost in each.pods.values() for each in world.nodes.values())


# Routes -------------------------------------------------------------------------------------------


def test_the_routes_of_a_node_with_a_second_interface() -> None:
    """As setupENINetwork leaves them: of the second interface's subnet, nothing is in main."""
    routes = [(route.table, str(route)) for route in node(shop.NODE_3).host.routes if "eni" not in str(route)]
    assert routes == [
        ("main", "default via 10.0.48.1 dev eth0"),
        ("main", f"10.0.48.0/20 dev eth0 src {shop.NODE_3}"),
        ("2", "default via 10.0.48.1 dev eth1"),
        ("2", "10.0.48.1 dev eth1"),
    ]


def test_every_pod_has_a_route_to_its_veth() -> None:
    one = node(shop.NODE_3)
    to_pods = {str(route) for route in one.host.routes if "eni" in str(route)}
    assert to_pods == {f"{ip} dev {veth}" for ip, veth in one.veths.items()}


def test_what_comes_from_a_pod_of_the_second_interface_leaves_by_it() -> None:
    rules = sorted(str(rule) for rule in node(shop.NODE_3).host.policy)
    assert rules[:1] + rules[-2:] == [
        "1024: from all fwmark 0x80/0x80 lookup main",
        f"512: from all to {shop.CART_ETH1} lookup main",
        f"512: from all to {shop.DNS_ETH1} lookup main",
    ]
    assert rules[1:3] == [f"1536: from {ip} lookup 2" for ip in (shop.CART_ETH1, shop.DNS_ETH1)]


def test_a_node_alone_has_one_interface_and_one_way_out() -> None:
    host = alone().host
    assert ([str(route) for route in host.routes], host.policy, host.rp_filter) == (["default dev eth0"], (), "off")


# Who listens --------------------------------------------------------------------------------------


def test_a_node_s_daemons_listen() -> None:
    assert {(Protocol.TCP, 22), (Protocol.TCP, 10250), (Protocol.TCP, 10256)} <= node(shop.NODE_1).listening


def test_the_health_check_of_a_service_with_policy_local_listens() -> None:
    world = shop.with_service(
        shop.CONTROLLER,
        type=ServiceType.LOAD_BALANCER,
        external_traffic_policy=TrafficPolicy.LOCAL,
        health_check_node_port=32100,
    )
    assert (Protocol.TCP, 32100) in node(shop.NODE_2, world).listening


def test_a_pod_on_the_host_s_network_listens_on_its_ports() -> None:
    ports = (ContainerPort(9100), ContainerPort(53, Protocol.UDP))
    one = alone(pods=(Pod("a", "b", address("192.0.2.1"), "n1", host_network=True, ports=ports),))
    assert {(Protocol.TCP, 9100), (Protocol.UDP, 53)} <= one.listening


# Rules --------------------------------------------------------------------------------------------


def test_kube_proxy_s_jumps_come_before_the_plugin_s() -> None:
    """kube-proxy prepends, the plugin appends: as on a node of EKS."""
    chain = node(shop.NODE_1).rules.tables["nat"].chains["PREROUTING"]
    assert [rule.text.rpartition(" -j ")[2].split()[0] for rule in chain.rules] == [
        "KUBE-SERVICES",
        "AWS-CONNMARK-CHAIN-0",
        "CONNMARK",
    ]


def test_without_a_vpc_there_are_no_rules_of_the_plugin() -> None:
    one = alone(proxy=ProxyConfig())
    assert one.rules is one.services


FIRST = parse("*nat\n:PREROUTING ACCEPT [0:0]\n:A - [0:0]\n-A PREROUTING -j A\nCOMMIT\n*raw\n:OUTPUT ACCEPT\nCOMMIT\n")
SECOND = parse(
    "*mangle\n:INPUT ACCEPT\nCOMMIT\n*nat\n:PREROUTING ACCEPT\n:B - [0:0]\n-A PREROUTING -j B\n-A B -j RETURN\nCOMMIT\n"
)


def test_two_parties_rules_stand_in_one_chain_one_after_the_other() -> None:
    both = merged(FIRST, SECOND).tables["nat"].chains
    assert [rule.text for rule in both["PREROUTING"].rules] == ["-A PREROUTING -j A", "-A PREROUTING -j B"]


def test_merging_keeps_the_tables_and_chains_of_both() -> None:
    both = merged(FIRST, SECOND)
    assert set(both.tables) == {"mangle", "nat", "raw"}
    assert list(both.tables["nat"].chains) == ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING", "A", "B"]
    assert len(both.tables["nat"].chains) == 6
    assert both.tables["nat"].chains["B"].rules == SECOND.tables["nat"].chains["B"].rules


def test_a_chain_that_nobody_has_is_a_key_error() -> None:
    chains = merged(FIRST, SECOND).tables["nat"].chains
    with pytest.raises(KeyError):
        chains["C"]


def test_a_merged_chain_keeps_the_first_party_s_policy() -> None:
    strict = Ruleset({"nat": Table("nat", {"PREROUTING": Chain("PREROUTING", "DROP", ())})})
    assert merged(strict, SECOND).tables["nat"].chains["PREROUTING"].policy == "DROP"


@pytest.mark.parametrize("ip", shop.NODES)
def test_a_kernel_accepts_a_node_s_rules_and_prints_the_same(ip: str) -> None:
    text = render(node(ip).rules)
    assert sorted(_bare(_through_the_kernel(text))) == sorted(_bare(text))


def _through_the_kernel(text: str) -> str:
    """Loaded in a network namespace of its own, and saved again."""
    if not (shutil.which("iptables-nft-restore") and shutil.which("unshare")):
        skip_here("needs iptables-nft-restore and unshare")
    apart = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    if subprocess.run([*apart, "iptables-nft-save"], capture_output=True).returncode:
        skip_here("no network namespace can be made here")
    command = [*apart, "sh", "-c", "iptables-nft-restore && iptables-nft-save"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _bare(text: str) -> list[str]:
    """The lines without comments and counters."""
    lines = (line.partition(" [")[0] for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


# The CNI plugin's part ----------------------------------------------------------------------------

#: A worker node of EKS as people post it (VPC 192.168.0.0/16), in the plugin's words since iptables_connmark.go.
EKS = """
-A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0
-A PREROUTING -m comment --comment "AWS, CONNMARK" -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0
-A AWS-CONNMARK-CHAIN-0 -d 192.168.0.0/16 -m comment --comment "AWS CONNMARK CHAIN" -j RETURN
-A AWS-CONNMARK-CHAIN-0 -m comment --comment "AWS, CONNMARK" -j CONNMARK --set-xmark 0x80/0x80
-A AWS-SNAT-CHAIN-0 -d 192.168.0.0/16 -m comment --comment "AWS SNAT CHAIN" -j RETURN
-A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT \
--to-source 192.168.4.12 --random-fully
"""


def test_the_plugin_s_nat_rules_are_those_of_a_node_of_eks() -> None:
    text = cni.rules((Network("192.168.0.0/16"),), address("192.168.4.12"))
    nat = text.partition("*nat")[2]
    assert [line for line in nat.splitlines() if line.startswith("-A")] == EKS.strip().splitlines()


def test_of_several_blocks_the_last_one_inserted_stands_first() -> None:
    text = cni.rules((Network("10.0.0.0/16"), Network("100.64.0.0/16")), address("10.0.0.5"))
    rules = parse(text).tables["nat"].chains["AWS-SNAT-CHAIN-0"].rules
    assert [rule == parse_rule(rule.text) and rule.text.split()[3] for rule in rules[:2]] == [
        "100.64.0.0/16",
        "10.0.0.0/16",
    ]


def test_a_veth_is_named_as_the_driver_does() -> None:
    """`eni` and eleven digits of sha1("namespace.pod"), so that it fits into an interface's 15 characters."""
    assert cni.veth_name("kube-system", "coredns-7bf648ff5d-2m9qd") == "eni1cb3bc55f70"
