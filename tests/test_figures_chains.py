"""Figures of the way from node to pod: what the rules say is what they show."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from netpath.errors import InputError
from netpath.kubeproxy import endpoint_chain_name
from netpath.kubernetes import TrafficPolicy
from netpath.packet import Hop, Protocol, tcp
from netpath.show.chains import ChainBox, boxes, chains, shares
from netpath.show.detours import detours, misses
from netpath.show.hosts import hosts, rules
from netpath.world import World
from tests import shop_world as shop

INGRESS = "ingress-nginx/ingress-nginx-controller"
HTTP, CART = f"{INGRESS}:http", "shop/cart:http"
NODE_1, NODE_2 = shop.NODES[:2]
LOCAL = shop.with_service(INGRESS, external_traffic_policy=TrafficPolicy.LOCAL)
NOBODY = shop.with_endpoints(INGRESS, lambda each: None)


def at_node(destination: str, world: World = shop.SHOP, source: str = shop.ALB_A) -> Hop:
    """What the first node makes of a connection's first packet."""
    trip = shop.send(tcp(f"{source}:40000", destination), world)
    return next(hop for hop in trip.hops if hop.station == "node")


def drawn(service: str, hop: Hop | None = None, world: World = shop.SHOP) -> dict[str, ChainBox]:
    name = hop.at if hop else next(iter(world.nodes))
    return {box.name: box for box in boxes(world.nodes[name].services, service, hop)}


def lit(found: dict[str, ChainBox]) -> list[str]:
    return [f"{name} {line.target}" for name, box in found.items() for line in box.lines if line.matched]


def test_each_of_a_row_of_lots_gets_its_chance_of_what_the_others_have_left() -> None:
    assert shares((Fraction(1, 2), Fraction(1, 2), Fraction(1))) == (Fraction(1, 2), Fraction(1, 4), Fraction(1, 4))


def test_three_endpoints_have_chances_of_a_third_a_half_and_no_choice() -> None:
    lots = next(box for name, box in drawn(CART).items() if name.startswith("KUBE-SVC-")).lines
    assert [line.chance for line in lots] == [Fraction(1, 3), Fraction(1, 2), None]


def test_three_endpoints_have_a_third_each() -> None:
    ends = {box.endpoint: box.share for name, box in drawn(CART).items() if name.startswith("KUBE-SEP-")}
    assert ends == dict.fromkeys((f"{pod}:8080" for pod in (shop.CART_1, shop.CART_2, shop.CART_ETH1)), Fraction(1, 3))


def test_a_service_without_node_port_has_no_chains_for_outsiders() -> None:
    assert not any(name.startswith(("KUBE-NODEPORTS", "KUBE-EXT-")) for name in drawn(CART))


def test_rules_of_other_services_are_counted_not_shown() -> None:
    services = drawn(CART)["KUBE-SERVICES"]
    chain = next(iter(shop.SHOP.nodes.values())).services.tables["nat"].chains["KUBE-SERVICES"]
    assert (len(services.lines), services.others) == (1, len(chain.rules) - 1)


def test_what_matched_is_lit_from_the_node_port_to_the_masquerade() -> None:
    chain = endpoint_chain_name(HTTP, "tcp", f"{shop.INGRESS_1}:80")
    found = lit(drawn(HTTP, at_node(f"{NODE_2}:{shop.NODE_PORT}")))
    assert found[0] == "KUBE-SERVICES KUBE-NODEPORTS"
    assert f"{chain} DNAT --to-destination {shop.INGRESS_1}:80" in found
    assert found[-1] == "KUBE-POSTROUTING MASQUERADE --random-fully"


def test_a_rule_that_was_never_asked_is_neither_lit_nor_refuted() -> None:
    other = endpoint_chain_name(HTTP, "tcp", f"{shop.INGRESS_3}:80")
    assert {line.matched for line in drawn(HTTP, at_node(f"{NODE_2}:{shop.NODE_PORT}"))[other].lines} == {None}


def test_with_policy_local_an_endpoint_has_a_share_of_its_own_node() -> None:
    chain = endpoint_chain_name(HTTP, "tcp", f"{shop.INGRESS_1}:80")
    box = drawn(HTTP, at_node(f"{NODE_1}:{shop.NODE_PORT}", LOCAL), LOCAL)[chain]
    assert (box.share, box.local) == (Fraction(1, 2), Fraction(1))


@pytest.mark.parametrize(("world", "target"), [(LOCAL, "DROP"), (NOBODY, "REJECT")])
def test_who_has_nothing_to_offer_refuses_in_the_filter_table(world: World, target: str) -> None:
    found = lit(drawn(HTTP, at_node(f"{NODE_2}:{shop.NODE_PORT}", world), world))
    assert found[-1] == f"KUBE-EXTERNAL-SERVICES {target}"


def test_who_was_here_before_has_no_lot() -> None:
    sticky = shop.with_service("shop/cart", affinity_seconds=600)
    found = drawn(CART, world=sticky)
    assert {box.share for name, box in found.items() if name.startswith("KUBE-SEP-")} == {Fraction(1, 3)}


def test_a_service_port_that_no_rule_is_about_is_bad_input() -> None:
    with pytest.raises(InputError):
        drawn("shop/nothing:http")


def test_udp_has_chains_of_its_own() -> None:
    node = next(iter(shop.SHOP.nodes.values()))
    assert any("KUBE-SVC-" in box.name for box in boxes(node.services, "kube-system/kube-dns:dns", None, Protocol.UDP))


def test_the_figure_says_every_rule_and_what_came_of_it() -> None:
    hop = at_node(f"{NODE_2}:{shop.NODE_PORT}")
    figure = chains(shop.SHOP.nodes[hop.at].services, HTTP, hop)
    assert f"--dport {shop.NODE_PORT} to KUBE-EXT-CG5I4G2RS3ZVWGLK (matched)" in figure.alt
    assert f"{hop.received.source} to {hop.received.destination}" in figure.alt  # type: ignore[union-attr]
    assert "each with a share of 1/2" in figure.caption
    assert "KUBE-SEP-LVL45RTPY7VQI6Z7" in figure.html()


# The load-balance miss -----------------------------------------------------------------------------


def test_all_that_can_become_of_a_connection_adds_up_to_one() -> None:
    assert sum(way.share for way in detours(shop.SHOP, shop.NODE_PORT)) == 1


def test_two_connections_in_three_take_a_detour() -> None:
    assert sum(way.share for way in detours(shop.SHOP, shop.NODE_PORT) if way.miss) == Fraction(2, 3)


def test_with_policy_local_nobody_takes_a_detour_and_a_third_gets_nowhere() -> None:
    ways = detours(LOCAL, shop.NODE_PORT)
    assert not any(way.miss for way in ways)
    assert [(way.share, way.code) for way in ways if way.code] == [(Fraction(1, 3), "NO_LOCAL_ENDPOINTS")]


def test_the_drawing_of_misses_says_their_share() -> None:
    figure = misses(shop.SHOP, shop.NODE_PORT)
    assert "2/3 are sent on" in figure.caption
    assert figure.alt.count("1/6") == len(shop.NODES) * 2


# The ingress controller's table --------------------------------------------------------------------


def test_every_path_leads_to_the_ready_pods_of_its_service() -> None:
    found = {(rule.host, rule.path.path): [str(end.address) for end in rule.endpoints] for rule in rules(shop.SHOP)}
    assert found["shop.example.com", "/cart"] == [shop.CART_1, shop.CART_2, shop.CART_ETH1]


def test_ingresses_of_another_class_are_not_shown() -> None:
    cluster = shop.cluster()
    classes = tuple(replace(each, controller="x/y") for each in cluster.ingress_classes)
    assert rules(shop.with_cluster(ingress_classes=classes)) == ()


def test_the_drawing_of_hosts_says_that_a_service_without_pods_is_a_503() -> None:
    figure = hosts(shop.with_endpoints("shop/cart", lambda each: None))
    assert "shop/cart:http, endpoints none" in figure.alt
    assert "none: 503" in figure.html()
