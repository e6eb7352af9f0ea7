"""The three promises of the Kubernetes network model, kept and broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from netpath.errors import WorldError
from netpath.fabric import Trip
from netpath.iptables import parse, render
from netpath.kubernetes import Pod
from netpath.packet import address, endpoint, network, tcp
from netpath.properties import MOST_PODS, TITLES, Property, _fault, properties
from netpath.vpc import AclEntry
from netpath.world import World
from tests import shop_world as shop


def table(world: World) -> list[tuple[str, int, int]]:
    """Title, packets sent, promises broken; printed with the reasons."""
    found = properties(world)
    for each in found:
        print(each.title, each.sent, *(f"\n  {one.source} - {one.destination}: {one.why}" for one in each.broken))
    return [(each.title, each.sent, len(each.broken)) for each in found]


def reasons(checked: Property) -> set[str]:
    return {one.why for one in checked.broken}


def test_in_the_shop_all_three_promises_are_kept() -> None:
    pods = len(shop.PODS)
    assert table(shop.SHOP) == [
        (TITLES[0], pods * (pods - 1), 0),
        (TITLES[1], 3 * pods, 0),
        (TITLES[2], pods * (pods - 1), 0),
    ]
    assert all(each.holds for each in properties(shop.SHOP))


def test_a_cluster_on_a_flat_network_keeps_them() -> None:
    assert [broken for _, _, broken in table(World(cluster=shop.cluster()))] == [0, 0, 0]


def test_without_a_cluster_there_is_nothing_to_promise() -> None:
    with pytest.raises(WorldError, match="no cluster"):
        properties(replace(shop.SHOP, cluster=None))


def test_a_closed_security_group_breaks_reaching() -> None:
    world = shop.with_security_group(shop.NODE_GROUP, lambda group: replace(group, ingress=group.ingress[1:]))
    pods_to_pods, nodes_to_pods, seen = properties(world)
    assert reasons(pods_to_pods) == {"it didn't arrive: ENI_SG_RULES_MISMATCH"}
    assert not nodes_to_pods.holds and seen.holds


def test_a_network_acl_that_blocks_answers_breaks_reaching() -> None:
    deny = AclEntry(1, True, False, network("10.0.32.0/20"), "tcp", 40000, 40000)
    world = shop.with_acl(shop.PRIVATE_ACL, lambda acl: replace(acl, entries=(deny, *acl.entries)))
    assert reasons(properties(world)[0]) == {"its answer didn't come back: SUBNET_ACL_RESTRICTION"}


def test_a_masquerading_plugin_breaks_all_three() -> None:
    """The VPC's block is not among the plugin's exceptions: pods of other nodes are seen as their node."""
    world = _with_rules(lambda text: text.replace("-d 10.0.0.0/16 -m comment", "-d 192.168.0.0/16 -m comment"))
    pods_to_pods, nodes_to_pods, seen = properties(world)
    assert {why.rpartition(" ")[2] for why in reasons(pods_to_pods)} == {"NAT"}
    assert any(one.why.endswith(f"was seen as {shop.NODE_2}") for one in seen.broken)
    assert not nodes_to_pods.holds


def _with_rules(change: Callable[[str], str]) -> World:
    """The same world with every node's rules rewritten as text."""
    world = replace(shop.SHOP)
    for node in world.nodes.values():
        node.__dict__["rules"] = parse(change(render(node.rules)))
    return world


def test_a_redirecting_rule_is_told_by_where_the_packet_arrived() -> None:
    rule = f"-A PREROUTING -d {shop.WEB_1}/32 -p tcp -j DNAT --to-destination {shop.WEB_2}:8080\nCOMMIT"
    world = _with_rules(lambda text: _in_nat(text, rule))
    assert f"it arrived at {shop.WEB_2}:8080: NAT" in reasons(properties(world)[0])


def _in_nat(text: str, rule: str) -> str:
    before, nat, after = text.partition("*nat\n")
    return before + nat + after.replace("COMMIT", rule, 1)


def test_pods_that_don_t_run_aren_t_asked() -> None:
    world = shop.with_pod(shop.SHELL, phase="Pending")
    assert table(world)[0][1] == (len(shop.PODS) - 1) * (len(shop.PODS) - 2)


def test_of_a_large_cluster_some_pods_of_every_node_are_asked() -> None:
    node = shop.place(shop.NODE_1).node
    many = tuple(Pod("many", f"p{n}", address(f"10.0.40.{n}"), node) for n in range(1, 100))
    world = World(cluster=replace(shop.cluster(), pods=(*shop.cluster().pods, *many)))
    assert table(world)[1][1] == 3 * MOST_PODS


def test_an_answer_that_goes_wrong_is_told() -> None:
    sent = tcp("10.0.0.1:40000", "10.0.0.2:80")
    out = Trip(sent, (), sent, shop.place(shop.WEB_1))
    back = Trip(sent.answer(), (), sent.answer().between(endpoint("10.0.0.9:80"), sent.source))
    assert _fault(out, back, sent.source, sent.destination) == "the answer came from 10.0.0.9:80: NAT"
    assert _fault(out, None, sent.source, sent.destination) == "its answer didn't come back: nobody answered"
