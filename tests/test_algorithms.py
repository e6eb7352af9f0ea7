"""The balancing algorithms: nginx's sequences as nginx 1.22.1 gave them, the rest by their laws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netpath.algorithms import (
    Algorithm,
    ConsistentHash,
    GcdRoundRobin,
    IpHash,
    KeyHash,
    LeastOutstanding,
    PeakEwma,
    Random,
    RoundRobin,
    SmoothWeightedRoundRobin,
    WeightedRandom,
    nginx_identity,
    resty_identity,
)
from netpath.choice import Script, first, outcomes
from netpath.errors import InputError

MAKERS: dict[str, Callable[[], Algorithm[str]]] = {
    "round robin": RoundRobin,
    "round robin from anywhere": lambda: RoundRobin(random_start=True),
    "nginx round robin": SmoothWeightedRoundRobin,
    "ingress-nginx round robin": GcdRoundRobin,
    "least outstanding": LeastOutstanding,
    "weighted random": WeightedRandom,
    "random": Random,
    "ewma": PeakEwma,
}
every_algorithm = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
weightings = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9), min_size=2)


def picks(algorithm: Algorithm[str], pool: str, count: int, skip: str = "") -> str:
    return "".join(algorithm.pick(pool, first, skip=skip) or "-" for _ in range(count))


def chances(make: Callable[[], Algorithm[str]], pool: str, skip: str = "") -> dict[str | None, Fraction]:
    found: Counter[str | None] = Counter()
    for outcome in outcomes(lambda choose: make().pick(pool, choose, skip=skip)):
        found[outcome.result] += outcome.probability  # type: ignore[assignment]
    return dict(found)  # type: ignore[arg-type]


# What they have in common


@every_algorithm
def test_an_empty_pool_has_nobody_to_pick(make: Callable[[], Algorithm[str]]) -> None:
    assert make().pick("", first) is None


@every_algorithm
def test_the_only_one_is_picked(make: Callable[[], Algorithm[str]]) -> None:
    assert picks(make(), "a", 3) == "aaa"


@every_algorithm
def test_the_skipped_one_is_never_picked(make: Callable[[], Algorithm[str]]) -> None:
    assert "b" not in picks(make(), "abc", 12, skip="b")


@every_algorithm
def test_every_one_is_as_likely_as_the_other_at_first_or_the_order_is_fixed(make: Callable[[], Algorithm[str]]) -> None:
    found = chances(make, "abcd")
    assert found == {"a": 1} or found == dict.fromkeys("abcd", Fraction(1, 4))


@every_algorithm
def test_a_copy_goes_its_own_way(make: Callable[[], Algorithm[str]]) -> None:
    original = make()
    picks(original, "abc", 2)
    twin = original.copy()
    expected = picks(original.copy(), "abc", 5)
    original.started("a", 1.0)
    original.finished("a", 1.0, 5.0, failed=True)
    picks(original, "abc", 2)
    assert picks(twin, "abc", 5) == expected


@pytest.mark.parametrize("name", [name for name in MAKERS if name != "ewma"])
def test_with_everyone_skipped_there_is_nobody(name: str) -> None:
    assert MAKERS[name]().pick("abc", first, skip="abc") is None


# Round robin


def test_round_robin_goes_round() -> None:
    assert picks(RoundRobin(), "abc", 7) == "abcabca"


def test_round_robin_can_start_anywhere() -> None:
    turn: RoundRobin[str] = RoundRobin(random_start=True)
    assert "".join(turn.pick("abc", Script([2])) or "" for _ in range(4)) == "cabc"


def test_round_robin_starts_among_those_not_skipped() -> None:
    assert chances(lambda: RoundRobin(random_start=True), "abc", skip="a") == {"b": Fraction(1, 2), "c": Fraction(1, 2)}


def test_round_robin_goes_on_after_the_last_when_the_pool_moved() -> None:
    turn: RoundRobin[str] = RoundRobin()
    assert picks(turn, "abc", 2) + picks(turn, "xabc", 2) == "abcx"


def test_who_leaves_the_pool_leaves_the_turn_to_the_next() -> None:
    turn: RoundRobin[str] = RoundRobin()
    assert picks(turn, "abc", 2) + picks(turn, "ac", 2) == "abca"


def test_round_robin_survives_an_empty_pool() -> None:
    turn: RoundRobin[str] = RoundRobin()
    assert picks(turn, "ab", 1) + picks(turn, "", 1) + picks(turn, "ab", 1) == "a-b"


# nginx


@pytest.mark.parametrize(
    ("weights", "sequence"),
    [((5, 1, 1), "aabacaa"), ((4, 3, 2), "abcabacba"), ((1, 7, 2), "bbcbabbbcb")],
)
def test_nginx_spreads_the_heavy_server_out(weights: tuple[int, int, int], sequence: str) -> None:
    nginx = SmoothWeightedRoundRobin(dict(zip("abc", weights, strict=True)))
    assert picks(nginx, "abc", len(sequence)) == sequence


def test_nginx_goes_on_without_a_server_that_is_down() -> None:
    nginx = SmoothWeightedRoundRobin({"a": 5})
    assert picks(nginx, "abc", 12, skip="b") == "aaacaaaaacaa"


@given(weightings)
def test_in_a_whole_round_nginx_picks_each_as_often_as_it_weighs(weights: dict[str, int]) -> None:
    nginx = SmoothWeightedRoundRobin(weights)
    assert Counter(picks(nginx, "".join(weights), 2 * sum(weights.values()))) == {k: 2 * w for k, w in weights.items()}


def test_after_max_fails_nginx_leaves_a_server_alone() -> None:
    nginx: SmoothWeightedRoundRobin[str] = SmoothWeightedRoundRobin(max_fails=2)
    for _ in range(2):
        nginx.started("a", 100.0)
        nginx.finished("a", 100.0, failed=True)
    assert "".join(nginx.pick("ab", now=110.9) or "" for _ in range(4)) == "bbbb"


def test_after_fail_timeout_nginx_tries_again_once_and_waits_for_the_result() -> None:
    nginx: SmoothWeightedRoundRobin[str] = SmoothWeightedRoundRobin()
    nginx.finished("a", 100.0, failed=True)
    assert "".join(nginx.pick("ab", now=111.0) or "" for _ in range(6)) == "babbbb"


def test_a_success_after_the_pause_is_forgiveness() -> None:
    nginx: SmoothWeightedRoundRobin[str] = SmoothWeightedRoundRobin()
    nginx.finished("a", 100.0, failed=True)
    first_two = [nginx.pick("ab", now=111.0) for _ in range(2)]
    nginx.finished("a", 111.0)
    assert (first_two, "".join(nginx.pick("ab", now=111.0) or "" for _ in range(4))) == (["b", "a"], "baba")


def test_a_failure_before_the_pause_is_over_is_not_forgiven_by_a_success() -> None:
    nginx: SmoothWeightedRoundRobin[str] = SmoothWeightedRoundRobin(max_fails=3)
    nginx.finished("a", 100.0, failed=True)
    nginx.finished("a", 101.0)
    assert nginx._peers["a"].fails == 1


def test_without_max_fails_nginx_never_gives_up() -> None:
    nginx: SmoothWeightedRoundRobin[str] = SmoothWeightedRoundRobin(max_fails=0)
    for _ in range(5):
        nginx.finished("a", 100.0, failed=True)
    assert picks(nginx, "ab", 4) == "abab"


def test_a_failure_costs_weight_that_comes_back_by_one_a_pick() -> None:
    nginx = SmoothWeightedRoundRobin({"a": 4, "b": 4}, max_fails=2)
    nginx.finished("a", 100.0, failed=True)
    weights = [(nginx.pick("ab", now=100.0), nginx._peers["a"].effective)[1] for _ in range(3)]
    assert weights == [3, 4, 4]


KEYS = ("203.0.113.9", "198.51.100.7", "192.0.2.1", "10.1.2.3", "172.16.9.8")
SERVERS = tuple(f"127.0.0.1:{21000 + number}" for number in range(3))
WEIGHTS = dict(zip(SERVERS, (3, 1, 2), strict=True))


@pytest.mark.parametrize(
    ("algorithm", "all_up", "first_down"),
    [
        (IpHash(WEIGHTS), [0, 0, 1, 2, 0], [2, 2, 1, 2, 1]),
        (KeyHash(WEIGHTS), [2, 1, 2, 0, 0], [2, 1, 2, 1, 2]),
        (ConsistentHash(WEIGHTS), [2, 2, 1, 0, 0], [2, 2, 1, 2, 2]),
    ],
    ids=["ip_hash", "hash", "hash consistent"],
)
def test_hashes_are_those_of_nginx(
    algorithm: IpHash[str] | KeyHash[str] | ConsistentHash[str], all_up: list[int], first_down: list[int]
) -> None:
    copy = algorithm.copy()
    assert [SERVERS.index(copy.pick(SERVERS, key) or "") for key in KEYS] == all_up
    assert [SERVERS.index(copy.pick(SERVERS, key, SERVERS[:1]) or "") for key in KEYS] == first_down


@pytest.mark.parametrize("make", [IpHash, KeyHash, ConsistentHash])
def test_after_twenty_misses_a_hash_falls_back_on_round_robin(
    make: Callable[[dict[str, int]], IpHash[str] | KeyHash[str] | ConsistentHash[str]],
) -> None:
    algorithm = make({SERVERS[0]: 200})
    down = SERVERS[:1]
    assert {algorithm.pick(SERVERS, "203.0.113.9", down) for _ in range(4)} == set(SERVERS[1:])


@pytest.mark.parametrize("algorithm", [IpHash(), KeyHash(), ConsistentHash()], ids=["ip_hash", "hash", "consistent"])
def test_a_hash_has_nobody_in_an_empty_pool(algorithm: IpHash[str] | KeyHash[str] | ConsistentHash[str]) -> None:
    assert algorithm.pick((), "203.0.113.9") is None


@pytest.mark.parametrize("algorithm", [KeyHash(), ConsistentHash()], ids=["hash", "hash consistent"])
def test_a_request_without_a_key_goes_round(algorithm: KeyHash[str] | ConsistentHash[str]) -> None:
    assert [algorithm.pick(SERVERS, "") for _ in range(3)] == list(SERVERS)


def test_resty_hashes_an_empty_key_too_and_never_gives_the_ring_up() -> None:
    resty = ConsistentHash({SERVERS[0]: 200}, resty_identity)
    assert len({resty.pick(SERVERS, "") for _ in range(4)}) == 1
    assert {resty.pick(SERVERS, "k", SERVERS[:1]) for _ in range(4)} in ({SERVERS[1]}, {SERVERS[2]})
    assert resty.pick(SERVERS, "k", SERVERS) is None


def test_ip_hash_is_the_same_for_a_whole_slash_24() -> None:
    assert len({IpHash[str]().pick(SERVERS, f"203.0.113.{last}") for last in range(256)}) == 1


@given(st.text(max_size=20), st.sampled_from(SERVERS))
def test_a_server_less_moves_only_its_own_keys(key: str, gone: str) -> None:
    owner = ConsistentHash[str]().pick(SERVERS, key)
    left = tuple(server for server in SERVERS if server != gone)
    assert owner == gone or ConsistentHash[str]().pick(left, key) == owner


@pytest.mark.parametrize(("name", "nginx"), [("10.0.0.1:80", b"10.0.0.1\x0080"), ("unix", b"unix\x00")])
def test_nginx_and_resty_hash_a_server_by_other_names(name: str, nginx: bytes) -> None:
    assert (nginx_identity(name), resty_identity(name)) == (nginx, name.encode())


def test_a_weight_is_at_least_one() -> None:
    with pytest.raises(InputError, match="a: not a weight: got 0"):
        SmoothWeightedRoundRobin({"a": 0})


def test_a_chance_is_not_negative() -> None:
    with pytest.raises(InputError, match="not a weight"):
        WeightedRandom({"a": -1})


def test_ip_hash_wants_an_address() -> None:
    with pytest.raises(InputError, match="not an IPv4 address"):
        IpHash[str]().pick(SERVERS, "localhost")


# ingress-nginx


def test_gcd_round_robin_lets_the_heavy_go_first() -> None:
    assert picks(GcdRoundRobin({"a": 4, "b": 2, "c": 2}), "abc", 7) == "abcaabc"


def test_gcd_round_robin_starts_after_whom_the_lot_names() -> None:
    resty: GcdRoundRobin[str] = GcdRoundRobin()
    assert "".join(resty.pick("abc", Script([1])) or "" for _ in range(4)) == "cabc"


def test_who_is_skipped_loses_a_turn_and_no_lot_is_drawn() -> None:
    resty, asked = GcdRoundRobin[str](), Script([0])
    assert "".join(resty.pick("abc", asked, skip=s) or "" for s in ("", "c", "", "")) == "babc"
    assert asked.asked == 1


def test_gcd_round_robin_draws_again_when_the_pool_changes() -> None:
    resty: GcdRoundRobin[str] = GcdRoundRobin()
    asked = Script([0, 1])
    assert [resty.pick("abc", asked), resty.pick("ab", asked), asked.asked] == ["b", "a", 2]


@given(weightings)
def test_in_a_whole_round_gcd_round_robin_picks_each_as_often_as_it_weighs(weights: dict[str, int]) -> None:
    resty = GcdRoundRobin(weights)
    assert Counter(picks(resty, "".join(weights), sum(weights.values()))) == weights


def test_ewma_takes_the_quicker_of_the_pair() -> None:
    ewma: PeakEwma[str] = PeakEwma()
    ewma.pick("abc", first, 0.0)
    for target, seconds in (("a", 0.9), ("b", 0.1), ("c", 0.5)):
        ewma.finished(target, 100.0, seconds)
    assert chances(ewma.copy, "abc") == {"b": Fraction(2, 3), "c": Fraction(1, 3)}


def test_ewma_forgives_with_time() -> None:
    ewma: PeakEwma[str] = PeakEwma()
    ewma.finished("a", 1000.0, 2.0)
    assert ewma.score("a", 1010.0) == pytest.approx(2.0 * exp(-1))


def test_ewma_mixes_the_old_and_the_new() -> None:
    ewma: PeakEwma[str] = PeakEwma(average={"a": 1.0}, touched={"a": 100.0})
    ewma.finished("a", 110.0, 3.0)
    assert ewma.average["a"] == pytest.approx(exp(-1) * 1.0 + (1 - exp(-1)) * 3.0)


def test_a_newcomer_starts_at_the_average_of_the_others_and_who_left_is_forgotten() -> None:
    ewma: PeakEwma[str] = PeakEwma(average={"a": 1.0, "b": 3.0, "c": 9.0}, touched=dict.fromkeys("abc", 100.0))
    ewma.pick("abc", first, 100.0)
    ewma.pick("abd", first, 105.0)
    assert (ewma.average, ewma.touched["d"]) == ({"a": 1.0, "b": 3.0, "d": 2.0}, 105.0)


def test_when_all_have_been_tried_ewma_tries_them_again() -> None:
    assert PeakEwma[str]().pick("ab", first, skip="ab") == "a"


def test_the_only_one_not_tried_yet_needs_no_lot() -> None:
    ewma, pool, asked = PeakEwma[str](), "ab", Script()
    assert [ewma.pick(pool, asked, skip="a"), ewma.pick(pool, asked, skip="b"), asked.asked] == ["b", "a", 0]


def test_the_same_pool_is_not_looked_at_twice() -> None:
    ewma, pool = PeakEwma[str](), ("a", "b")
    assert [ewma.pick(pool, first), ewma.pick(pool, first)] == ["a", "a"]


# Least outstanding, random


def test_the_least_busy_is_picked() -> None:
    least: LeastOutstanding[str] = LeastOutstanding()
    for target in "aab":
        least.started(target)
    assert [least.pick("abc", first), least.pick("ab", first)] == ["c", "b"]


def test_a_finished_request_counts_no_more() -> None:
    least = LeastOutstanding({"a": 2, "b": 1})
    least.finished("a")
    least.finished("b")
    least.finished("c")
    assert least.outstanding == {"a": 1}


def test_equals_are_equally_likely() -> None:
    assert chances(lambda: LeastOutstanding({"a": 1}), "abc") == {"b": Fraction(1, 2), "c": Fraction(1, 2)}


def test_the_lot_is_weighted() -> None:
    lot: WeightedRandom[str] = WeightedRandom({"a": 3, "b": 0})
    assert chances(lot.copy, "abc") == {"a": Fraction(3, 4), "c": Fraction(1, 4)}
