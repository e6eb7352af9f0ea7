"""What chance decides on the road, once for what; and what memory keeps from one request to the next."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest

from netpath.choice import Outcome, Script, Weights, first, outcomes
from netpath.journey import Journey
from netpath.journey import travel as quiet_travel
from netpath.kubernetes import TrafficPolicy
from netpath.memory import Memory
from netpath.packet import TcpFlags, http_request, tcp
from netpath.world import World
from tests import shop_world as shop
from tests.shop_world import ends, send, travel

REQUEST = http_request("http://shop.example.com/cart")


def warm(world: World = shop.SHOP) -> Memory:
    """A memory whose resolver knows everything on the way to the shop's name: no choice of name servers is left."""
    memory = Memory()
    travel("http://www.example.com/", world, memory, keep_alive=False)
    travel("http://shop.example.com/", world, memory, keep_alive=False)
    memory.balancers.clear()  # and no box has a place in its round
    memory.controllers.clear()
    return memory


def all_that_can_happen(world: World = shop.SHOP) -> list[Outcome[Journey]]:
    memory = warm(world)
    return list(outcomes(lambda choose: quiet_travel(world, memory.copy(), REQUEST, choose)))


@pytest.fixture(scope="module", name="shares")
def _shares() -> list[Outcome[Journey]]:
    return all_that_can_happen()


def share(shares: list[Outcome[Journey]], leg: int, end: str) -> dict[str, Fraction]:
    """How likely each address is as an end of the leg's first packet, where it arrived."""
    tally: Counter[str] = Counter()
    for outcome in shares:
        packet = outcome.result.connections[leg].out.packet
        assert packet is not None
        tally[str(getattr(packet, end).address)] += outcome.probability  # type: ignore[assignment]
    return dict(tally)  # type: ignore[arg-type]


HALF, THIRD = Fraction(1, 2), Fraction(1, 3)


def test_everything_that_can_happen_adds_up_to_one(shares: list[Outcome[Journey]]) -> None:
    assert sum(outcome.probability for outcome in shares) == 1


def test_the_roads_are_two_nodes_of_the_balancer_three_of_the_cluster_two_ingress_pods_three_carts(
    shares: list[Outcome[Journey]],
) -> None:
    assert {outcome.probability for outcome in shares} == {Fraction(1, 2 * 3 * 2 * 3)}


def test_the_client_picks_a_node_of_the_load_balancer(shares: list[Outcome[Journey]]) -> None:
    assert share(shares, 0, "destination") == {shop.ALB_A: HALF, shop.ALB_B: HALF}


def test_the_masquerading_node_is_each_of_three(shares: list[Outcome[Journey]]) -> None:
    assert share(shares, 1, "source") == dict.fromkeys(shop.NODES, THIRD)


def test_kube_proxy_s_rules_pick_an_ingress_pod_wherever_it_is(shares: list[Outcome[Journey]]) -> None:
    assert share(shares, 1, "destination") == {shop.INGRESS_1: HALF, shop.INGRESS_3: HALF}


def test_the_controller_picks_a_ready_pod(shares: list[Outcome[Journey]]) -> None:
    assert share(shares, 2, "destination") == dict.fromkeys((shop.CART_1, shop.CART_2, shop.CART_ETH1), THIRD)


def test_a_miss_has_an_even_chance_to_stay_in_its_zone(shares: list[Outcome[Journey]]) -> None:
    """Node 2 has no ingress pod: half of its connections go on to node 1, half to node 3."""
    packets = [(one.result.connections[1].out.packet, one.probability) for one in shares]
    missed = [
        (ends(packet), chance) for packet, chance in packets if packet and str(packet.source.address) == shop.NODE_2
    ]
    assert sum(chance for _, chance in missed) == THIRD
    assert {went[1] for went, _ in missed if went} == {f"{shop.INGRESS_1}:80", f"{shop.INGRESS_3}:80"}


def test_with_policy_local_a_third_of_the_journeys_fails_without_health_checks() -> None:
    local = shop.with_service(shop.CONTROLLER, external_traffic_policy=TrafficPolicy.LOCAL)
    tally: Counter[int | None] = Counter()
    for outcome in all_that_can_happen(local):
        tally[outcome.result.outcome.status] += outcome.probability  # type: ignore[assignment]
    assert dict(tally) == {200: 2 * THIRD, 504: THIRD}


def test_looking_at_all_outcomes_leaves_no_trace() -> None:
    memory = warm()
    before = _sizes(memory)
    list(outcomes(lambda choose: quiet_travel(shop.SHOP, memory.copy(), REQUEST, choose)))
    assert _sizes(memory) == before


def test_a_copy_of_a_memory_and_the_memory_have_futures_of_their_own() -> None:
    memory = warm()
    copy, before = memory.copy(), _sizes(memory)
    travel(memory=copy)
    assert _sizes(memory) == before != _sizes(copy)


def _sizes(memory: Memory) -> tuple[object, ...]:
    """How much every box remembers."""
    return (
        {name: sorted(map(str, host.conntrack)) for name, host in memory.hosts.items()},
        {arn: repr(each) for arn, each in memory.balancers.items()},
        {pod: repr(each) for pod, each in memory.controllers.items()},
        dict(memory.ports),
        repr(memory.vpc),
        repr(memory.stub),
    )


def test_the_same_script_gives_the_same_journey_twice() -> None:
    memory = warm()
    one, other = (quiet_travel(shop.SHOP, memory.copy(), REQUEST, Script((1, 2, 1, 2000, 1))) for _ in range(2))
    assert one == other


# Connections that stay open -----------------------------------------------------------------------

ONE_NODE = shop.with_target(shop.NODE_2)


def reached(journey: Journey) -> str:
    """The ingress pod that got the request."""
    server = journey.connections[1].server
    assert server is not None
    return str(server.address)


def test_the_second_request_uses_the_balancer_s_open_connection() -> None:
    memory = Memory()
    one, other = (travel(world=ONE_NODE, memory=memory) for _ in range(2))
    assert [each.reused for each in one.connections] == [False, False, False]
    assert [each.reused for each in other.connections][:2] == [False, True]
    assert other.connections[1].out.sent.source == one.connections[1].out.sent.source


def test_a_connection_that_is_used_again_is_translated_without_a_rule() -> None:
    memory = Memory()
    travel(world=ONE_NODE, memory=memory)
    again = travel(world=ONE_NODE, memory=memory).connections[1]
    assert again.out.sent.flags is TcpFlags.PUSH
    assert [hop.verdict.rule for hop in again.out.hops if hop.rewrites] == [""]


def test_kube_proxy_balances_connections_so_all_requests_of_one_go_to_one_pod() -> None:
    memory = Memory()
    pods = {reached(travel(world=ONE_NODE, memory=memory, choose=InTurn())) for _ in range(6)}
    assert len(pods) == 1


def test_with_a_connection_for_each_request_kube_proxy_balances_them_too() -> None:
    memory, choose = Memory(), InTurn()
    pods = [reached(travel(world=ONE_NODE, memory=memory, choose=choose, keep_alive=False)) for _ in range(6)]
    assert set(pods) == {shop.INGRESS_1, shop.INGRESS_3}


class InTurn:
    """Takes each alternative of a question in its turn."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def __call__(self, question: str, weights: Weights, /) -> int:
        if isinstance(weights, range):
            return first(question, weights)
        self.asked[question] += 1
        possible = [index for index, weight in enumerate(weights) if weight > 0]
        return possible[self.asked[question] % len(possible)]


@pytest.mark.parametrize(("seconds", "reused"), [(59.0, True), (60.0, False)])
def test_the_balancer_closes_what_was_idle_for_a_minute(seconds: float, reused: bool) -> None:
    memory = Memory()
    travel(world=ONE_NODE, memory=memory)
    memory.now += seconds
    assert travel(world=ONE_NODE, memory=memory).connections[1].reused is reused


def test_the_controller_keeps_connections_to_pods_too() -> None:
    world = shop.with_endpoints("shop/cart", shop.only(shop.CART_1), shop.with_target(shop.NODE_1))
    memory = Memory()
    travel(world=world, memory=memory)
    assert travel(world=world, memory=memory).connections[2].reused


def test_an_open_connection_whose_pod_has_gone_is_opened_anew() -> None:
    """The pod's address is nobody's any more: the controller finds out, and connects to another."""
    memory = Memory()
    world = shop.with_endpoints("shop/cart", shop.only(shop.CART_1), shop.with_target(shop.NODE_1))
    travel(world=world, memory=memory)
    gone = shop.with_pod(shop.CART_1, world, phase="Failed")
    journey = travel(world=gone, memory=memory)
    assert [each.reused for each in journey.connections[2:]] == [False] * 3
    assert journey.outcome.status == 504


def test_an_open_connection_whose_answers_are_blocked_is_opened_anew() -> None:
    memory = Memory()
    travel(world=ONE_NODE, memory=memory)
    blocked = shop.with_acl(
        shop.PUBLIC_ACL,
        lambda acl: replace(acl, entries=tuple(each for each in acl.entries if each.egress or each.rule_number == 100)),
        ONE_NODE,
    )
    journey = travel(world=blocked, memory=memory)
    assert (journey.connections[1].reused, journey.outcome.status) == (False, 504)


def test_a_connection_that_conntrack_has_forgotten_gets_another_endpoint() -> None:
    """After five idle days the next segment is a first one to the node: the rules are asked again."""
    memory, packet = Memory(), tcp(f"{shop.SHELL}:40000", f"{shop.WEB_SERVICE}:80")
    out = send(packet, memory=memory)
    assert out.packet is not None and out.place is not None
    send(out.packet.answer(), memory=memory, origin=out.place, awaited=True)
    later = replace(packet, flags=TcpFlags.ACK)
    assert ends(send(later, memory=memory, choose=Script((1, 1))).packet) == ends(out.packet)
    memory.now += 432_001
    assert ends(send(later, memory=memory, choose=Script((1, 1))).packet) != ends(out.packet)


# The clock ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "asked"), [(60.0, 0), (61.0, 1), (172_801.0, 4)], ids=["a minute", "after it", "after two days"]
)
def test_how_many_name_servers_are_asked_again(seconds: float, asked: int) -> None:
    memory = Memory()
    travel(memory=memory)
    memory.now += seconds
    looked = travel(memory=memory).looked
    assert looked is not None
    assert sum(hop.station == "name server" for hop in looked.hops) == asked


def test_a_clock_that_jumps_back_breaks_nothing() -> None:
    memory = Memory(now=1e9)
    travel(memory=memory)
    memory.now = 0.0
    assert travel(memory=memory).outcome.status == 200
