"""The balancing widget: its picks are those of netpath's load balancer and of kube-proxy's rules."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction

import pytest

from netpath import seeded, shop
from netpath.balancing import BalancerMemory, Target, nodes_in_dns, pick, pool
from netpath.balancing.objects import ALGORITHMS
from netpath.choice import Choose, Weights, outcomes
from netpath.errors import InputError
from netpath.fabric import round_trip, send
from netpath.memory import Memory
from netpath.packet import HttpRequest, TcpFlags, tcp
from netpath.show.widgets.balancing import Balancing, balancing, explore
from netpath.show.widgets.balancing_data import (
    BOOK,
    CHANGE,
    INTERVAL,
    REQUESTS,
    Setting,
    balancer,
    connections,
    every,
    left_out,
    mask,
    requests,
    runs,
    shares,
)

WELL = frozenset[int]()
REQUEST = HttpRequest("shop.example.com")
SETTINGS = (BOOK, Setting((1, 0, 3), slow=1), Setting((3,), slow=None))


def by_load_balancer(setting: Setting, algorithm: str, cross_zone: bool) -> str:
    """The same requests to a load balancer whose targets stay well, by `netpath.balancing.pick`."""
    made, memory, lots = balancer(setting, algorithm, cross_zone), BalancerMemory(), [seeded(1), seeded(2)]
    (group,), nodes, told = made.target_groups, nodes_in_dns(made), ""
    flying: list[tuple[float, str, Target]] = []
    for number in range(REQUESTS):
        now, zone = number * INTERVAL, nodes[number % len(nodes)].zone
        for until, where, target in [each for each in flying if each[0] <= now]:
            memory.finished(where, group, target, until)
        flying = [each for each in flying if each[0] > now]
        picked = pick(made, group, memory, zone, REQUEST, lots[number >= CHANGE], now).target
        assert picked is not None
        memory.started(zone, group, picked, now)
        flying.append((now + setting.takes(group.targets.index(picked)), zone, picked))
        told += "abcdefgh"[group.targets.index(picked)]
    return told


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("cross_zone", [True, False])
def test_while_all_are_well_the_load_balancer_picks_the_same(
    setting: Setting, algorithm: str, cross_zone: bool
) -> None:
    assert list(runs(setting, algorithm, cross_zone, [WELL])) == [by_load_balancer(setting, algorithm, cross_zone)]


@pytest.mark.parametrize("cross_zone", [True, False])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_only_usable_targets_get_requests_and_large_letters_fail_open(algorithm: str, cross_zone: bool) -> None:
    ills = random.Random(1).sample(every(BOOK), 12)
    for ill, run in zip(ills, runs(BOOK, algorithm, cross_zone, ills), strict=True):
        made = balancer(BOOK, algorithm, cross_zone, ill)
        nodes = nodes_in_dns(made)
        for number, letter in enumerate(run[CHANGE:], CHANGE):
            open_to = pool(made, made.target_groups[0], nodes[number % len(nodes)].zone)
            assert BOOK.names["abcdef".index(letter.lower())] in {target.id for target in open_to.usable}
            assert letter.isupper() == open_to.fails_open


def test_the_least_outstanding_is_so_among_those_of_its_node_also_when_all_fall_ill() -> None:
    (run,) = runs(BOOK, "least_outstanding_requests", True, [frozenset(range(6))])
    for number, letter in enumerate(run.lower()):
        # the two nodes take turns, and neither knows of the other's requests
        own = [(at, "abcdef".index(run.lower()[at])) for at in range(number % 2, number, 2)]
        flying = Counter(target for at, target in own if at * INTERVAL + BOOK.takes(target) > number * INTERVAL)
        assert flying["abcdef".index(letter)] == min(flying[target] for target in range(6)), number


def test_round_robin_goes_on_where_it_was_when_all_fall_ill() -> None:
    sick, well = runs(BOOK, "round_robin", True, [frozenset(range(6)), WELL])
    assert sick.lower() == well and sick[CHANGE:].isupper()


def test_a_zone_without_healthy_targets_leaves_dns() -> None:
    states = requests(BOOK, [frozenset({0, 1})])["states"]
    assert (states["0 110000"]["zones"], states["1 110000"]["zones"]) == (["b"], ["a", "b"])


@pytest.mark.parametrize("ill", [WELL, frozenset({0}), frozenset({0, 1}), frozenset(range(6))], ids=str)
@pytest.mark.parametrize("cross_zone", [True, False])
def test_the_even_share_is_what_random_picking_comes_to(cross_zone: bool, ill: frozenset[int]) -> None:
    made = balancer(BOOK, "weighted_random", cross_zone, ill)
    nodes = nodes_in_dns(made)

    def one(choose: Choose) -> str:
        node = nodes[choose("which address?", [1] * len(nodes))]
        target = pick(made, made.target_groups[0], BalancerMemory(), node.zone, REQUEST, choose).target
        return "" if target is None else target.id

    found: dict[str, Fraction] = {}
    for each in outcomes(one):
        found[each.result] = found.get(each.result, Fraction()) + each.probability
    assert shares(BOOK, cross_zone, ill) == [found.get(name, Fraction()) for name in BOOK.names]


def test_the_reader_may_switch_each_target_in_either_setting() -> None:
    assert len(requests(BOOK)["states"]) == 2 * 2 ** len(BOOK.names)


def test_two_and_eight_targets_get_the_shares_of_the_user_guide() -> None:
    ten = Setting((2, 8))
    assert set(shares(ten, False)) == {Fraction(1, 4), Fraction(1, 16)} and set(shares(ten, True)) == {Fraction(1, 10)}


@pytest.mark.parametrize("zones", [(0,), (26, 1), (-1, 3), (1,) * 7])
def test_a_setting_without_a_letter_for_each_target_is_refused(zones: tuple[int, ...]) -> None:
    with pytest.raises(InputError):
        Setting(zones)


# kube-proxy -----------------------------------------------------------------------------------


def test_the_shares_are_one_third_as_far_as_the_kernel_can_write_it() -> None:
    told = [Fraction(share) for share in connections(shop())["shares"]]
    assert sum(told) == 1 and all(abs(share - Fraction(1, 3)) < Fraction(1, 2**30) for share in told)


def test_a_request_on_an_open_connection_leaves_nothing_to_chance() -> None:
    def nothing(question: str, weights: Weights, /) -> int:
        raise AssertionError(question)

    world, memory = shop(), Memory()
    ends = "10.0.34.104:40000", "172.20.61.214:80"
    opened, _ = round_trip(world, memory, tcp(*ends), seeded(3))
    send(world, memory, tcp(*ends, TcpFlags.ACK), nothing)
    again = send(world, memory, tcp(*ends, TcpFlags.PUSH), nothing)
    assert opened.place is not None and opened.place == again.place


@pytest.mark.parametrize("kept", [1, 2, 3, 4, 5])
def test_the_probability_that_a_pod_is_left_out_counts_all_ways(kept: int) -> None:
    given = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    ways = outcomes(lambda choose: len({choose("pod?", given) for _ in range(kept)}))
    assert left_out(given, kept) == sum(each.probability for each in ways if each.result < 3)


def test_more_pods_than_one_can_count_are_left_out_if_there_are_more_than_connections() -> None:
    many = [Fraction(1, 13)] * 13
    assert [left_out(many, 12), left_out(many, 20)] == [1, 0]


def test_a_service_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match="shop/web"):
        connections(shop(), "shop/nothing")


# The widget itself ----------------------------------------------------------------------------


def test_the_frame_counts_what_the_runs_say() -> None:
    shown = balancing()
    run = shown.data["requests"]["states"]["1 000000"]["runs"][1]
    assert [row[3][0].text for row in shown.frame().rows[:6]] == [str(run.count(letter)) for letter in "abcdef"]


def test_the_caption_tells_what_keeping_four_connections_does() -> None:
    drawn = connections(shop())["draws"][0]
    few = Counter(drawn[number % 4] for number in range(REQUESTS))
    assert " / ".join(str(few[pod]) for pod in range(3)) + " over 4 connections" in balancing().frame().caption


def test_two_widgets_say_the_same_in_text() -> None:
    assert repr(balancing()) == repr(balancing())


def test_too_many_targets_to_switch_are_refused() -> None:
    with pytest.raises(InputError, match="explore"):
        balancing(setting=Setting((4, 5)))


def test_explore_takes_any_targets() -> None:
    live = explore()
    live.controls["zones"].value = "1, 2, 3"
    live.controls["ill"].value = "c1 c2"
    assert live.widget.data["requests"]["ill"] == mask(Setting((1, 2, 3)), frozenset({3, 4}))


@pytest.mark.parametrize(("name", "value"), [("zones", "two"), ("slow", "z9"), ("ill", "nobody")])
def test_explore_says_what_is_wrong(name: str, value: str) -> None:
    live = explore()
    live.controls[name].value = value
    assert value in live.notice.problem and isinstance(live.widget, Balancing)
