"""The kube-proxy widget: whatever is chosen on the page, its data says what the model does."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from netpath.choice import outcomes
from netpath.errors import InputError
from netpath.fabric import send
from netpath.kubernetes import ServiceType, SliceEndpoint, TrafficPolicy
from netpath.memory import Memory
from netpath.packet import Packet, tcp, udp
from netpath.show.widgets.chains import NODE_PORT, Chains, chains_data, explore, falling
from netpath.world import World
from tests import shop_world as shop

DATA = falling().data
READY, TERMINATING, NOT_READY = range(3)
CLUSTER, LOCAL = range(2)
BALANCER, POD, NODE, NODE_TO_ITSELF, HAIRPIN = range(5)
AS_IT_IS = (READY, READY, NOT_READY, READY)
PODS = (shop.CART_1, shop.CART_2, shop.CART_3, shop.CART_ETH1)
PACKETS = (
    tcp(f"{shop.ALB_A}:40000", f"{shop.NODE_2}:{NODE_PORT}"),
    tcp(f"{shop.SHELL}:40000", f"{shop.CART_SERVICE}:80"),
    tcp(f"{shop.NODE_2}:40000", f"{shop.CART_SERVICE}:80"),
    tcp(f"{shop.NODE_2}:40000", f"{shop.NODE_2}:{NODE_PORT}"),
    tcp(f"{shop.CART_1}:40000", f"{shop.CART_SERVICE}:80"),
)
Chosen = tuple[int, int, int, int, int, int]


def chosen(data: dict[str, Any], *choice: int) -> list[tuple[dict[str, Any], Fraction]]:
    """The walks that a choice leads to, each with its share."""
    at = 0
    for control, value in zip(data["controls"], choice, strict=True):
        at = at * len(control["options"]) + value
    return [(data["walks"][walk], Fraction(data["texts"][share])) for walk, share in data["states"][at]]


def world_of(conditions: tuple[int, ...], policy: int) -> World:
    """The same world, made by the tests' own means."""
    ports = tuple(replace(port, node_port=NODE_PORT) for port in service().ports)
    more: dict[str, Any] = {"type": ServiceType.NODE_PORT, "external_traffic_policy": list(TrafficPolicy)[policy]}
    world = shop.with_service("shop/cart", ports=ports, **more)
    wanted = dict(zip(PODS, conditions, strict=True))

    def in_condition(end: SliceEndpoint) -> SliceEndpoint:
        is_in = wanted[str(end.address)]
        return replace(end, ready=is_in == READY, serving=is_in != NOT_READY, terminating=is_in == TERMINATING)

    return shop.with_endpoints("shop/cart", in_condition, world)


def service() -> Any:
    return next(each for each in shop.cluster().services if each.key == "shop/cart")


def ends(world: World, packet: Packet) -> dict[tuple[str, str], Fraction]:
    """What the first node sends on, or the verdict that stopped it, and how likely each is."""
    tally: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes(lambda choose: send(world, Memory(), packet, choose)):
        hop = next(hop for hop in outcome.result.hops if hop.station == "node")
        sent = hop.sent
        end = ("", hop.verdict.code) if sent is None else (str(sent.source), str(sent.destination))
        tally[end] += outcome.probability  # type: ignore[assignment]
    return {end: Fraction(share).limit_denominator(1000) for end, share in tally.items()}


def shown(walk: dict[str, Any]) -> tuple[str, str]:
    """The same of a walk in the data."""
    if walk["went"] < 0:
        return "", DATA["texts"][walk["to"]]
    source, _, destination = DATA["texts"][walk["went"]].partition(" → ")
    return source, destination


COMBINATIONS: list[Chosen] = [
    (*AS_IT_IS, CLUSTER, BALANCER),
    (*AS_IT_IS, CLUSTER, POD),
    (*AS_IT_IS, LOCAL, BALANCER),
    (*AS_IT_IS, LOCAL, NODE_TO_ITSELF),
    (*AS_IT_IS, CLUSTER, HAIRPIN),
    (READY, NOT_READY, NOT_READY, READY, LOCAL, BALANCER),
    (READY, TERMINATING, NOT_READY, READY, LOCAL, BALANCER),
    (READY, READY, READY, READY, CLUSTER, NODE),
    (TERMINATING, TERMINATING, NOT_READY, NOT_READY, CLUSTER, BALANCER),
    (TERMINATING, READY, NOT_READY, TERMINATING, CLUSTER, POD),
    (NOT_READY, NOT_READY, NOT_READY, NOT_READY, CLUSTER, BALANCER),
    (NOT_READY, NOT_READY, NOT_READY, NOT_READY, LOCAL, POD),
]


@pytest.mark.parametrize("choice", COMBINATIONS)
def test_a_choice_leads_where_the_model_says(choice: Chosen) -> None:
    *conditions, policy, sender = choice
    found = {shown(walk): share for walk, share in chosen(DATA, *choice)}
    assert found == ends(world_of(tuple(conditions), policy), PACKETS[sender])


def test_there_is_a_state_for_every_choice() -> None:
    combinations = 1
    for control in DATA["controls"]:
        combinations *= len(control["options"])
    assert len(DATA["states"]) == combinations == 3**4 * 2 * 5


def test_the_shares_of_every_state_add_up_to_one() -> None:
    texts = DATA["texts"]
    assert {sum(Fraction(texts[share]) for _, share in state) for state in DATA["states"]} == {1}


def test_it_starts_with_the_world_as_it_is() -> None:
    assert tuple(control["start"] for control in DATA["controls"]) == (*AS_IT_IS, CLUSTER, BALANCER)


def test_what_each_lot_had_to_come_to_is_a_product() -> None:
    factors = [DATA["texts"][walk["factors"]] for walk, _ in chosen(DATA, *AS_IT_IS, CLUSTER, BALANCER)]
    assert factors == ["1/3", "2/3 × 1/2", "2/3 × 1/2"]


@pytest.mark.parametrize("choice", COMBINATIONS)
def test_the_steps_are_the_hop_s_in_kube_proxy_s_chains(choice: Chosen) -> None:
    *conditions, policy, sender = choice
    trip = send(world_of(tuple(conditions), policy), Memory(), PACKETS[sender])
    hop = next(hop for hop in trip.hops if hop.station == "node")
    asked = [(step.rule, step.matched, step.why) for step in hop.steps if " KUBE-" in step.at]
    walk, texts = chosen(DATA, *choice)[0][0], DATA["texts"]
    rules = [DATA["blocks"][number] for number in walk["blocks"]]
    told = [(texts[rules[at][rule]], bool(matched), texts[why]) for at, rule, matched, why, *_ in walk["steps"]]
    assert told == asked


def test_the_packet_changes_where_a_rule_changes_it() -> None:
    walk, texts = chosen(DATA, *AS_IT_IS, CLUSTER, BALANCER)[0][0], DATA["texts"]
    forms = list(dict.fromkeys(texts[packet] for *_, packet in walk["steps"]))
    came, marked, translated, *_, last = forms
    assert came == texts[walk["came"]]
    assert marked == f"{came} mark 0x4000"
    assert translated.endswith(f"→ {shop.CART_1}:8080 mark 0x4000")
    assert last == texts[walk["went"]]


def test_who_drops_and_who_rejects_does_so_in_the_table_filter() -> None:
    nobody_here = chosen(DATA, READY, NOT_READY, NOT_READY, READY, LOCAL, BALANCER)[0][0]
    nobody = chosen(DATA, NOT_READY, NOT_READY, NOT_READY, NOT_READY, CLUSTER, BALANCER)[0][0]
    last = [DATA["texts"][DATA["blocks"][walk["blocks"][-1]][0]] for walk in (nobody_here, nobody)]
    assert last == ["filter KUBE-EXTERNAL-SERVICES"] * 2
    assert (nobody_here["fate"], nobody["fate"]) == ("dropped", "rejected")


def test_the_data_stays_small() -> None:
    assert len(json.dumps(DATA)) < 200_000


def test_it_says_what_it_shows() -> None:
    assert repr(falling()).splitlines()[1:] == [
        f"  1/3 {pod}:8080" for pod in (shop.CART_1, shop.CART_2, shop.CART_ETH1)
    ]


def test_the_frame_has_a_row_for_each_rule_asked() -> None:
    widget = falling()
    assert isinstance(widget, Chains)
    assert len(widget.frame().rows) == len(widget.start[0][0]["steps"])
    assert "DNAT --to-destination" in repr(widget.frame())


# With a kernel ---------------------------------------------------------------------------------------


def test_any_packet_in_any_world_has_its_walks() -> None:
    data = chains_data(shop.SHOP, udp(f"{shop.SHELL}:40000", f"{shop.DNS_SERVICE}:53"))
    assert [data["texts"][walk["to"]] for walk, _ in chosen(data)] == [f"{shop.DNS_1}:53", f"{shop.DNS_ETH1}:53"]


def test_a_packet_that_meets_no_node_is_bad_input() -> None:
    with pytest.raises(InputError):
        chains_data(shop.SHOP, tcp(f"{shop.USER}:40000", "192.0.2.1:80"))


def test_another_destination_is_drawn_anew() -> None:
    live = explore(shop.SHOP, f"{shop.SHELL}:40000", f"{shop.CART_SERVICE}:80")
    live.controls["destination"].value = f"{shop.WEB_SERVICE}:80"
    assert f"{shop.WEB_1}:8080" in repr(live.widget)


def test_what_is_wrong_is_told_and_the_widget_stays() -> None:
    live = explore(shop.SHOP, f"{shop.SHELL}:40000", f"{shop.CART_SERVICE}:80")
    before = live.widget.data
    live.controls["destination"].value = "nowhere"
    assert "not an IPv4 address" in live.notice.problem
    assert live.widget.data == before
