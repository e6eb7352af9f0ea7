"""An Application Load Balancer: which target, what it is told, what the user gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from email.utils import parsedate_to_datetime
from fractions import Fraction
from typing import Any

import pytest

from netpath.balancing import (
    FAILURES,
    BalancerMemory,
    Condition,
    FixedResponse,
    Forward,
    HealthState,
    Listener,
    ListenerRule,
    LoadBalancer,
    LoadBalancerAttributes,
    Node,
    Picked,
    Redirect,
    Target,
    TargetGroup,
    TargetGroupAttributes,
    TargetHealth,
    Transform,
    WeightedGroup,
    Zone,
    answer_for,
    application_cookies,
    decide,
    forwarded,
    nodes_in_dns,
    pick,
    pool,
    verdict_for,
)
from netpath.balancing.forwarding import page, transformed
from netpath.choice import Script, first, outcomes
from netpath.codes import CODES, Fate
from netpath.errors import InputError, NetpathError, WorldError
from netpath.packet import HttpRequest, HttpResponse, address, endpoint, tcp

CLIENT = endpoint("203.0.113.7:40000")
CART = HttpRequest("shop.example.com", "/cart")
UNHEALTHY = TargetHealth("unhealthy", "Target.Timeout")
NOW = 1_800_000_000.0


def targets(zone: str, count: int, health: Sequence[TargetHealth] = (), start: int = 1) -> tuple[Target, ...]:
    states = [*health, *[TargetHealth()] * (count - len(health))]
    net = "abc".index(zone[-1])
    return tuple(
        Target(f"i-{zone}{start + n}", endpoint(f"10.0.{net}.{start + n}:30080"), zone, states[n]) for n in range(count)
    )


def group(*members: Target, name: str = "web", **attributes: Any) -> TargetGroup:
    arn = f"arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/{name}/1"
    return TargetGroup(arn, name, members, attributes=TargetGroupAttributes(**attributes))


def to(*groups: TargetGroup, weights: Sequence[int] = (), sticky: int | None = None) -> Forward:
    shares = weights or [1] * len(groups)
    return Forward(tuple(WeightedGroup(g.arn, w) for g, w in zip(groups, shares, strict=True)), sticky)


def balancer(*groups: TargetGroup, listener: Listener | None = None, **attributes: Any) -> LoadBalancer:
    return LoadBalancer(
        "arn:alb",
        "shop-alb",
        "shop-alb-1.eu-west-1.elb.amazonaws.com",
        (
            listener
            or Listener(80, "HTTP", to(groups[0]) if groups else FixedResponse(404, "no such shop", "text/plain")),
        ),
        groups,
        (Zone("az-a", "subnet-a"), Zone("az-b", "subnet-b")),
        (
            Node("az-a", "eni-a", address("10.0.0.25"), address("198.51.100.1")),
            Node("az-b", "eni-b", address("10.0.1.118"), address("198.51.100.2")),
        ),
        attributes=LoadBalancerAttributes(**attributes),
    )


def picked(
    alb: LoadBalancer, action: Forward | TargetGroup, zone: str = "az-a", request: HttpRequest = CART, now: float = NOW
) -> Picked:
    return pick(alb, action, BalancerMemory(), zone, request, first, now)


def shares(alb: LoadBalancer, action: Forward | TargetGroup) -> dict[str | None, Fraction]:
    """How likely each target is to get a request, DNS giving each node the same number of clients."""
    found: Counter[str | None] = Counter()
    nodes = nodes_in_dns(alb)
    for o in outcomes(
        lambda choose: pick(
            alb, action, BalancerMemory(), nodes[choose("which node?", [1] * len(nodes))].zone, CART, choose
        )
    ):
        found[o.result.target.id if o.result.target else None] += o.probability  # type: ignore[assignment]
    return dict(found)  # type: ignore[arg-type]


# Two and eight targets in two zones (ELB user guide, How ELB works)

TWO_AND_EIGHT = targets("az-a", 2) + targets("az-b", 8)


@pytest.mark.parametrize("algorithm", ["round_robin", "least_outstanding_requests", "weighted_random"])
def test_with_cross_zone_each_of_ten_targets_gets_a_tenth(algorithm: str) -> None:
    web = group(*TWO_AND_EIGHT, algorithm=algorithm)
    assert set(shares(balancer(web), web).values()) == {Fraction(1, 10)}


@pytest.mark.parametrize("algorithm", ["round_robin", "least_outstanding_requests", "weighted_random"])
def test_without_cross_zone_the_two_get_a_quarter_each_and_the_eight_a_sixteenth(algorithm: str) -> None:
    web = group(*TWO_AND_EIGHT, algorithm=algorithm, cross_zone="false")
    found = shares(balancer(web), web)
    assert [found["i-az-a1"], found["i-az-a2"], found["i-az-b1"]] == [Fraction(1, 4), Fraction(1, 4), Fraction(1, 16)]


# Which targets a node uses

DRAINING = TargetHealth("draining", "Target.DeregistrationInProgress")
INITIAL = TargetHealth("initial", "Elb.InitialHealthChecking")
NO_CHECKS = TargetHealth("unavailable", "Target.HealthCheckDisabled")


@pytest.mark.parametrize(
    ("health", "attributes", "usable"),
    [
        pytest.param([UNHEALTHY], {}, "23", id="an unhealthy target gets nothing"),
        pytest.param([INITIAL], {}, "23", id="nor does one whose first checks aren't over"),
        pytest.param([DRAINING], {}, "23", id="nor one that is being deregistered"),
        pytest.param([NO_CHECKS, UNHEALTHY, UNHEALTHY], {}, "1", id="without health checks a target counts as healthy"),
        pytest.param([UNHEALTHY] * 3, {}, "123", id="with none healthy the group fails open"),
        pytest.param([UNHEALTHY, INITIAL, DRAINING], {}, "12", id="but not to one that is draining"),
        pytest.param([UNHEALTHY], {"routing_minimum_count": 3}, "123", id="two of the three wanted are healthy"),
        pytest.param([UNHEALTHY], {"routing_minimum_count": 2}, "23", id="two of the two wanted are healthy"),
        pytest.param([UNHEALTHY], {"routing_minimum_percentage": 67}, "123", id="66.7 % are less than 67 %"),
        pytest.param([UNHEALTHY], {"routing_minimum_percentage": 66}, "23", id="66.7 % are more than 66 %"),
        pytest.param([UNHEALTHY] * 3, {"routing_minimum_count": None}, "123", id="without a minimum it takes one"),
    ],
)
def test_a_node_uses(health: list[TargetHealth], attributes: dict[str, Any], usable: str) -> None:
    web = group(*targets("az-a", 3, health), **attributes)
    assert "".join(t.id[-1] for t in pool(balancer(web), web, "az-b").usable) == usable


def test_with_cross_zone_off_each_zone_fails_open_by_itself() -> None:
    web = group(*targets("az-a", 2, [UNHEALTHY] * 2), *targets("az-b", 2, [UNHEALTHY]), cross_zone="false")
    alb = balancer(web)
    assert [(len(pool(alb, web, zone).usable), pool(alb, web, zone).fails_open) for zone in ("az-a", "az-b")] == [
        (2, True),
        (1, False),
    ]


def test_a_target_in_a_zone_that_is_not_enabled_gets_nothing() -> None:
    web = group(*targets("az-a", 1), *targets("az-c", 1))
    assert [t.zone for t in pool(balancer(web), web, "az-a").usable] == ["az-a"]


def test_a_target_in_no_zone_is_in_all_of_them() -> None:
    anywhere = Target("172.16.0.1", endpoint("172.16.0.1:80"), "all")
    web = group(anywhere, Target("172.16.0.2", endpoint("172.16.0.2:80")), cross_zone="false")
    assert len(pool(balancer(web), web, "az-b").usable) == 2


@pytest.mark.parametrize(
    ("members", "attributes", "code"),
    [
        pytest.param((), {}, "ELB_503_NO_TARGETS", id="an empty group"),
        pytest.param(targets("az-a", 1, [DRAINING]), {}, "ELB_503_NO_TARGETS", id="only draining ones"),
        pytest.param(targets("az-c", 1), {}, "ELB_INSTALLED_AZ_RESTRICTION", id="all in a zone not enabled"),
        pytest.param(targets("az-b", 1), {"cross_zone": "false"}, "ELB_NOT_CROSSZONE", id="none in the node's zone"),
    ],
)
def test_without_a_target_it_is_a_503(members: tuple[Target, ...], attributes: dict[str, Any], code: str) -> None:
    web = group(*members, **attributes)
    result = picked(balancer(web), web)
    assert (result.target, result.hop.verdict.code, len(result.hop.steps)) == (None, code, len(members))


@pytest.mark.parametrize(
    ("health", "code"), [([], "FORWARDED"), ([UNHEALTHY], "FAIL_OPEN")], ids=["healthy", "fails open"]
)
def test_the_verdict_says_how_the_target_came_by_the_request(health: list[TargetHealth], code: str) -> None:
    web = group(*targets("az-a", 1, health))
    hop = picked(balancer(web), to(web)).hop
    assert (hop.verdict.code, hop.verdict.rule, hop.at) == (code, "web: round_robin", "shop-alb az-a")


def test_the_candidates_are_on_record() -> None:
    web = group(*targets("az-a", 3, [UNHEALTHY]), *targets("az-b", 1), *targets("az-c", 1), cross_zone="false")
    found = [(step.matched, step.why) for step in picked(balancer(web), web).hop.steps]
    assert found == [
        (False, "it is unhealthy (Target.Timeout), and 2 of 3 are healthy"),
        (True, "it is healthy; round_robin picked it"),
        (False, "it is healthy; round_robin picked another"),
        (False, "cross-zone is off, and the node is in az-a, not in az-b"),
        (False, "zone az-c is not enabled for the load balancer"),
    ]


@pytest.mark.parametrize(
    ("health", "why"),
    [
        ([UNHEALTHY, DRAINING], "any will do, for too few are healthy; round_robin picked it"),
        ([DRAINING, UNHEALTHY], "it is draining (Target.DeregistrationInProgress)"),
    ],
)
def test_a_target_that_failed_or_leaves_says_so(health: list[TargetHealth], why: str) -> None:
    web = group(*targets("az-a", 2, health))
    assert picked(balancer(web), web).hop.steps[0].why == why


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (targets("az-a", 1)[0], "i-az-a1 10.0.0.1:30080 az-a healthy"),
        (Target("10.0.0.1", endpoint("10.0.0.1:80")), "10.0.0.1:80 all healthy"),
    ],
)
def test_a_target_as_text(target: Target, text: str) -> None:
    assert str(target) == text


# Memory


def test_each_node_takes_turns_for_itself() -> None:
    web, memory = group(*targets("az-a", 3)), BalancerMemory()
    alb = balancer(web)
    asked = ["az-a", "az-a", "az-b", "az-a", "az-b"]
    found = [pick(alb, web, memory, zone, CART, first).target for zone in asked]
    assert [target.id[-1] for target in found if target] == ["1", "2", "1", "3", "2"]


def test_the_least_outstanding_are_counted_between_started_and_finished() -> None:
    web, memory = group(*targets("az-a", 2), algorithm="least_outstanding_requests"), BalancerMemory()
    alb = balancer(web)
    memory.started("az-a", web, web.targets[0], NOW)
    before = pick(alb, web, memory, "az-a", CART, first).target
    memory.finished("az-a", web, web.targets[0], NOW, 0.1)
    assert (before, pick(alb, web, memory, "az-a", CART, first).target) == (web.targets[1], web.targets[0])


def test_a_copy_of_the_memory_goes_its_own_way() -> None:
    web, memory = group(*targets("az-a", 2)), BalancerMemory()
    alb, node = balancer(web), address("10.0.0.25")
    pick(alb, web, memory, "az-a", CART, first)
    memory.keep(node, web.targets[0].endpoint, endpoint("10.0.0.25:1024"), NOW)
    twin = memory.copy()
    pick(alb, web, memory, "az-a", CART, first)
    memory.reuse(node, web.targets[0].endpoint, NOW)
    assert pick(alb, web, twin, "az-a", CART, first).target == web.targets[1]
    assert twin.reuse(node, web.targets[0].endpoint, NOW) == endpoint("10.0.0.25:1024")


@pytest.mark.parametrize(("later", "found"), [(59.9, "10.0.0.25:1025"), (60.0, None)])
def test_an_open_connection_is_used_again_until_it_has_been_idle_too_long(later: float, found: str | None) -> None:
    memory, node, target = BalancerMemory(), address("10.0.0.25"), endpoint("10.0.32.11:30080")
    memory.keep(node, target, endpoint("10.0.0.25:1025"), NOW)
    assert memory.reuse(node, target, NOW + later) == (endpoint(found) if found else None)
    assert memory.reuse(node, target, NOW) is None


# DNS


@pytest.mark.parametrize(
    ("a", "b", "attributes", "zones"),
    [
        pytest.param([], [], {}, ["az-a", "az-b"], id="healthy everywhere"),
        pytest.param([], [UNHEALTHY] * 2, {}, ["az-a", "az-b"], id="with cross-zone on, one anywhere is enough"),
        pytest.param([], [UNHEALTHY] * 2, {"cross_zone": "false"}, ["az-a"], id="with cross-zone off it isn't"),
        pytest.param(
            [UNHEALTHY] * 2, [UNHEALTHY] * 2, {}, ["az-a", "az-b"], id="if no zone is healthy, all are in DNS"
        ),
        pytest.param(
            [], [UNHEALTHY], {"cross_zone": "false", "dns_minimum_percentage": 51}, ["az-a"], id="half is not 51 %"
        ),
        pytest.param([], [UNHEALTHY], {"cross_zone": "false", "dns_minimum_count": 2}, ["az-a"], id="one is not two"),
    ],
)
def test_dns_has_the_nodes_of_healthy_zones(
    a: list[TargetHealth], b: list[TargetHealth], attributes: dict[str, Any], zones: list[str]
) -> None:
    web = group(*targets("az-a", 2, a), *targets("az-b", 2, b), **attributes)
    assert [node.zone for node in nodes_in_dns(balancer(web))] == zones


def test_a_group_that_no_rule_uses_does_not_count_in_dns() -> None:
    web, unused = group(*targets("az-a", 1)), group(name="unused")
    listener = Listener(80, "HTTP", FixedResponse(404), (ListenerRule(1, to(web)),))
    assert len(nodes_in_dns(balancer(web, unused, listener=listener))) == 2


def test_the_guides_example_of_target_group_health() -> None:
    """ELB user guide, Target group health, Example: 10 targets a zone, 50 % thresholds, six of zone B fail."""
    half: dict[str, Any] = {"dns_minimum_percentage": 50, "routing_minimum_percentage": 50}
    members = targets("az-a", 10) + targets("az-b", 10, [UNHEALTHY] * 6)
    off, on = group(*members, cross_zone="false", **half), group(*members, **half)
    assert [node.zone for node in nodes_in_dns(balancer(off))] == ["az-a"]
    assert [len(pool(balancer(off), off, zone).usable) for zone in ("az-a", "az-b")] == [10, 10]
    assert len(nodes_in_dns(balancer(on))) == 2
    assert len(pool(balancer(on), on, "az-b").usable) == 14


# Weighted groups

BLUE, GREEN = group(*targets("az-a", 1), name="blue"), group(*targets("az-b", 1), name="green")


def test_groups_get_requests_by_their_weights() -> None:
    action = to(BLUE, GREEN, weights=[10, 20])
    assert shares(balancer(BLUE, GREEN), action) == {"i-az-a1": Fraction(1, 3), "i-az-b1": Fraction(2, 3)}


@pytest.mark.parametrize("action", [to(BLUE, GREEN, weights=[0, 0]), to(BLUE, weights=[0]), Forward(())])
def test_groups_without_any_weight_are_a_503(action: Forward) -> None:
    result = picked(balancer(BLUE, GREEN), action)
    assert (result.target, result.hop.verdict.code) == (None, "ELBV2_LISTENER_HAS_NO_TG")


def test_an_empty_group_does_not_fall_over_to_the_other() -> None:
    empty = group(name="empty")
    assert picked(balancer(empty, GREEN), to(empty, GREEN)).hop.verdict.code == "ELB_503_NO_TARGETS"


def with_cookies(cookies: Sequence[str], *others: str) -> HttpRequest:
    """The request of a browser that has taken these Set-Cookie values."""
    return CART.with_header("Cookie", "; ".join((*(c.partition(";")[0] for c in cookies), *others)))


def test_a_client_comes_back_to_its_group() -> None:
    alb, action = balancer(BLUE, GREEN), to(BLUE, GREEN, sticky=1000)
    mine = pick(alb, action, BalancerMemory(), "az-a", CART, Script([1]), NOW)
    again = picked(alb, action, request=with_cookies(mine.cookies), now=NOW + 1000)
    late = picked(alb, action, request=with_cookies(mine.cookies), now=NOW + 1001)
    assert [mine.group, again.group, late.group] == [GREEN, GREEN, BLUE]


def test_a_group_that_the_rule_no_longer_names_is_forgotten() -> None:
    alb = balancer(BLUE, GREEN)
    mine = picked(alb, to(BLUE, sticky=1000))
    assert picked(alb, to(GREEN, sticky=1000), request=with_cookies(mine.cookies)).group == GREEN


def test_a_group_cookie_comes_in_two_kinds_and_expires() -> None:
    cookies = picked(balancer(BLUE), to(BLUE, sticky=1000)).cookies
    assert [cookie.partition("=")[0] for cookie in cookies] == ["AWSALBTG", "AWSALBTGCORS"]
    assert cookies[1].endswith("; Path=/; SameSite=None; Secure")
    assert parsedate_to_datetime(cookies[0].split("; ")[1].removeprefix("Expires=")).timestamp() == NOW + 1000


# Sticky targets

STICKY = group(*targets("az-a", 3), stickiness="lb_cookie", lb_cookie_seconds=100)


def test_a_client_comes_back_to_its_target_and_the_cookie_is_renewed() -> None:
    alb = balancer(STICKY)
    mine = pick(alb, STICKY, BalancerMemory(), "az-a", CART, Script([2]), NOW)
    again = picked(alb, STICKY, "az-b", with_cookies(mine.cookies[1:]), NOW + 50)
    assert (again.target, again.hop.verdict.code) == (STICKY.targets[2], "STICKY_TARGET")
    assert again.cookies[0] != mine.cookies[0]


@pytest.mark.parametrize(
    "cookie", ["AWSALB=garbage", "AWSALB=", "AWSALB=%%%", "AWSALB=YQ", "AWSALB=_w", "other=x", "AWSALB=\u00e9"]
)
def test_a_cookie_that_cannot_be_decoded_is_as_good_as_none(cookie: str) -> None:
    assert picked(balancer(STICKY), STICKY, request=with_cookies([], cookie)).hop.verdict.code == "FORWARDED"


def test_an_expired_cookie_is_as_good_as_none() -> None:
    alb = balancer(STICKY)
    mine = picked(alb, STICKY)
    assert picked(alb, STICKY, request=with_cookies(mine.cookies), now=NOW + 101).hop.verdict.code == "FORWARDED"


def test_a_cookie_of_another_group_is_as_good_as_none() -> None:
    other = replace(STICKY, arn="arn:other", name="other")
    mine = picked(balancer(other), other)
    assert picked(balancer(STICKY), STICKY, request=with_cookies(mine.cookies)).hop.verdict.code == "FORWARDED"


def test_a_client_whose_target_is_unhealthy_now_gets_another() -> None:
    mine = picked(balancer(STICKY), STICKY)
    now = group(*targets("az-a", 3, [UNHEALTHY]), stickiness="lb_cookie")
    again = picked(balancer(now), now, request=with_cookies(mine.cookies))
    assert (again.target, again.hop.verdict.code) == (now.targets[1], "FORWARDED")


def test_with_cross_zone_off_there_is_no_stickiness() -> None:
    off = group(*targets("az-a", 3), stickiness="lb_cookie", cross_zone="false")
    mine = picked(balancer(STICKY), STICKY)
    again = picked(balancer(off), off, request=with_cookies(mine.cookies))
    assert (again.cookies, again.hop.verdict.code) == ((), "FORWARDED")


APP = group(*targets("az-a", 3), stickiness="app_cookie", app_cookie_name="SHOP", app_cookie_seconds=100)
SETS_COOKIE = HttpResponse(200, "cart", (("Set-Cookie", "SHOP=1; Path=/"),))


def test_the_targets_own_cookie_makes_a_client_stick() -> None:
    alb = balancer(APP)
    cookies = application_cookies(APP, APP.targets[2], CART, SETS_COOKIE, NOW)
    again = picked(alb, to(APP), request=with_cookies(cookies, "SHOP=1"), now=NOW + 100)
    assert (again.target, again.hop.verdict.code) == (APP.targets[2], "STICKY_TARGET")


@pytest.mark.parametrize(
    ("own", "later"), [((), 0), (("SHOP=1",), 101)], ids=["one cookie is missing", "it is too old"]
)
def test_the_client_sticks_no_more_when(own: tuple[str, ...], later: int) -> None:
    cookies = application_cookies(APP, APP.targets[2], CART, SETS_COOKIE, NOW)
    asked = with_cookies(cookies, *own)
    assert picked(balancer(APP), APP, request=asked, now=NOW + later).hop.verdict.code == "FORWARDED"


def test_an_application_cookie_does_not_work_with_several_groups() -> None:
    cookies = application_cookies(APP, APP.targets[2], CART, SETS_COOKIE, NOW)
    result = picked(balancer(APP, GREEN), to(APP, GREEN), request=with_cookies(cookies, "SHOP=1"))
    assert result.hop.verdict.code == "FORWARDED"


def test_the_balancers_cookie_beside_the_applications_lives_seven_days_and_is_renewed() -> None:
    (cookie,) = application_cookies(APP, APP.targets[0], CART, SETS_COOKIE, NOW)
    renewed = application_cookies(
        APP, APP.targets[0], with_cookies([cookie], "SHOP=1"), HttpResponse(200, "cart"), NOW + 9
    )
    assert parsedate_to_datetime(cookie.split("; ")[1].removeprefix("Expires=")).timestamp() == NOW + 604_800
    assert len(renewed) == 1


@pytest.mark.parametrize(
    ("web", "response"), [(APP, HttpResponse(200, "cart")), (STICKY, SETS_COOKIE)], ids=["no cookie set", "lb_cookie"]
)
def test_no_application_cookie_without_the_applications(web: TargetGroup, response: HttpResponse) -> None:
    assert application_cookies(web, web.targets[0], CART, response, NOW) == ()


# Deciding


def test_a_port_without_a_listener_refuses_the_connection() -> None:
    packet = tcp("203.0.113.7:40000", "198.51.100.1:443")
    hop, outcome = decide(balancer(), 443, CART, CLIENT, packet)
    assert (outcome, hop.verdict.code, hop.received) == (None, "ELBV2_LISTENERS_MISMATCH", packet)
    assert [step.why for step in hop.steps] == ["the client asks port 443, the listener is on 80"]


RULES = (
    ListenerRule(20, Redirect("HTTPS", port="443", status_code="HTTP_301"), (Condition("path-pattern", ("/old*",)),)),
    ListenerRule(10, to(BLUE), (Condition("path-pattern", ("/cart*",)),)),
    ListenerRule(30, FixedResponse(503, "closed"), (Condition("path-pattern", ("/closed",)),)),
)
FOUR_RULES = balancer(BLUE, listener=Listener(80, "HTTP", FixedResponse(404, "no such shop", "text/plain"), RULES))


@pytest.mark.parametrize(
    ("target", "code", "rule", "consulted"),
    [
        ("/cart", "FORWARD", "priority 10: path-pattern /cart* -> forward blue", 1),
        ("/old", "REDIRECT", "priority 20: path-pattern /old* -> redirect 301 HTTPS://#{host}:443/#{path}?#{query}", 2),
        ("/closed", "FIXED_RESPONSE", "priority 30: path-pattern /closed -> fixed-response 503", 3),
        ("/", "FIXED_RESPONSE", "default: -> fixed-response 404", 4),
    ],
)
def test_a_decision_names_its_rule_and_those_before(target: str, code: str, rule: str, consulted: int) -> None:
    hop, _ = decide(FOUR_RULES, 80, HttpRequest("shop.example.com", target), CLIENT)
    assert (hop.verdict.code, hop.verdict.rule, len(hop.steps)) == (code, rule, consulted)
    assert [step.matched for step in hop.steps] == [False] * (consulted - 1) + [True]


def test_a_forward_is_yet_to_be_carried_out() -> None:
    assert decide(FOUR_RULES, 80, CART, CLIENT)[1] == to(BLUE)


def test_a_redirect_is_an_answer() -> None:
    _, answer = decide(FOUR_RULES, 80, HttpRequest("shop.example.com", "/old?a"), CLIENT)
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.headers[-1]) == (301, ("Location", "https://shop.example.com:443/old?a"))


@pytest.mark.parametrize(
    ("target", "status", "body", "kind"), [("/", 404, "no such shop", "text/plain"), ("/closed", 503, "closed", None)]
)
def test_a_fixed_response_is_an_answer(target: str, status: int, body: str, kind: str | None) -> None:
    _, answer = decide(FOUR_RULES, 80, HttpRequest("shop.example.com", target), CLIENT)
    assert isinstance(answer, HttpResponse)
    assert (answer.status, answer.body, dict(answer.headers).get("Content-Type")) == (status, body, kind)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(HttpRequest("a.example", method="TRACE"), 405, id="TRACE"),
        pytest.param(HttpRequest("a.example", "/" + "x" * 16_384), 414, id="a long URL"),
        pytest.param(HttpRequest("", "/"), 400, id="no host"),
        pytest.param(HttpRequest("a.example", headers=(("Cookie", "x" * 16_384),)), 400, id="a long header"),
        pytest.param(HttpRequest("a.example", headers=(("A", "x" * 16_000),) * 5), 400, id="long headers together"),
        pytest.param(
            HttpRequest("a.example", headers=(("X-Forwarded-For", ", ".join(["10.0.0.1"] * 31)),)),
            463,
            id="31 addresses",
        ),
        pytest.param(HttpRequest("a.example", headers=(("Transfer-Encoding", "gzip"),)), 501, id="an encoding"),
    ],
)
def test_a_request_that_is_refused_outright(request_: HttpRequest, status: int) -> None:
    hop, answer = decide(FOUR_RULES, 80, request_, CLIENT)
    assert isinstance(answer, HttpResponse)
    assert (answer.status, hop.verdict.code.startswith(f"ELB_{status}_")) == (status, True)


@pytest.mark.parametrize(
    "header",
    [("X-Forwarded-For", ", ".join(["10.0.0.1"] * 30)), ("Transfer-Encoding", "chunked"), ("Cookie", "x" * 16_000)],
)
def test_a_request_at_the_limit_is_not(header: tuple[str, str]) -> None:
    assert isinstance(decide(FOUR_RULES, 80, replace(CART, headers=(header,)), CLIENT)[1], Forward)


@pytest.mark.parametrize(
    "transform",
    [Transform("url-rewrite", "^/cart", "cart"), Transform("host-header-rewrite", "^shop", "a b")],
    ids=["no URL", "no host"],
)
def test_a_transform_that_fails_is_a_500(transform: Transform) -> None:
    rule = ListenerRule(1, to(BLUE), (), (transform,))
    hop, answer = decide(balancer(BLUE, listener=Listener(80, "HTTP", to(BLUE), (rule,))), 80, CART, CLIENT)
    assert (hop.verdict.code, answer) == ("ELB_500_TRANSFORM_FAILED", answer_for("bad transform"))


def test_a_transform_that_works_goes_on() -> None:
    rule = ListenerRule(1, to(BLUE), (), (Transform("url-rewrite", "^/cart", "/basket"),))
    alb = balancer(BLUE, listener=Listener(80, "HTTP", to(BLUE), (rule,)))
    hop, action = decide(alb, 80, CART, CLIENT)
    assert isinstance(action, Forward)
    assert (hop.verdict.code, forwarded(CART, CLIENT, alb, alb.listeners[0], action).target) == ("FORWARD", "/basket")


# What the target is told

HTTP, HTTPS, ODD = (Listener(port, kind, to(BLUE)) for port, kind in ((80, "HTTP"), (443, "HTTPS"), (8080, "HTTP")))


def told(request: HttpRequest, listener: Listener = HTTP, now: float = NOW, **attributes: Any) -> dict[str, str]:
    return dict(forwarded(request, CLIENT, balancer(BLUE, **attributes), listener, now=now).headers)


@pytest.mark.parametrize(
    ("sent", "mode", "received"),
    [
        (None, "append", "203.0.113.7"),
        ("127.0.0.4", "append", "127.0.0.4, 203.0.113.7"),
        ("127.0.0.4, 127.0.0.8", "append", "127.0.0.4, 127.0.0.8, 203.0.113.7"),
        (None, "preserve", None),
        ("127.0.0.4, 127.0.0.8", "preserve", "127.0.0.4, 127.0.0.8"),
        (None, "remove", None),
        ("127.0.0.4", "remove", None),
    ],
)
def test_x_forwarded_for(sent: str | None, mode: str, received: str | None) -> None:
    request = CART if sent is None else CART.with_header("x-forwarded-for", sent)
    headers = {name.lower(): value for name, value in told(request, xff_header_processing=mode).items()}
    assert headers.get("x-forwarded-for") == received


def test_x_forwarded_for_with_the_clients_port() -> None:
    assert told(CART, xff_client_port=True)["X-Forwarded-For"] == "203.0.113.7:40000"


def test_how_the_client_asked_is_told_and_what_it_claims_is_not() -> None:
    headers = told(CART.with_header("X-Forwarded-Proto", "gopher").with_header("X-Forwarded-Port", "70"), HTTPS)
    assert (headers["X-Forwarded-Proto"], headers["X-Forwarded-Port"]) == ("https", "443")


@pytest.mark.parametrize(
    ("sent", "listener", "preserve", "received"),
    [
        (None, HTTP, False, "shop.example.com"),
        ("shop.example.com:80", HTTP, False, "shop.example.com"),
        ("shop.example.com:9", HTTPS, False, "shop.example.com"),
        (None, ODD, False, "shop.example.com:8080"),
        ("shop.example.com:9", ODD, False, "shop.example.com:9"),
        (None, ODD, True, "shop.example.com"),
        ("shop.example.com:9", HTTP, True, "shop.example.com:9"),
    ],
)
def test_host_header(sent: str | None, listener: Listener, preserve: bool, received: str) -> None:
    request = CART if sent is None else CART.with_header("Host", sent)
    assert told(request, listener, preserve_host_header=preserve)["Host"] == received


def test_the_port_of_the_url_is_in_the_host_header() -> None:
    assert told(replace(CART, port=8080), HTTP, preserve_host_header=True)["Host"] == "shop.example.com:8080"


def test_the_request_that_a_target_gets_is_over_its_groups_protocol() -> None:
    secure = replace(BLUE, protocol="HTTPS")
    alb = balancer(secure)
    sent = forwarded(replace(CART, scheme="https", port=443), CLIENT, alb, ODD, group=secure)
    plain = forwarded(replace(CART, scheme="https", port=443), CLIENT, alb, HTTPS)
    assert (sent.url, plain.url) == ("https://shop.example.com:8080/cart", "http://shop.example.com/cart")


OLD = "1-67891233-abcdef012345678912345678"


@pytest.mark.parametrize(
    ("sent", "pattern"),
    [
        (None, "Root={new}"),
        (f"Root={OLD}", f"Self={{new}};Root={OLD}"),
        (f"Root={OLD};CalledFrom=app", f"Self={{new}};Root={OLD};CalledFrom=app"),
        (f"Self={OLD};Root={OLD}", f"Self={{new}};Root={OLD}"),
    ],
)
def test_trace_id(sent: str | None, pattern: str) -> None:
    new = told(CART)["X-Amzn-Trace-Id"].removeprefix("Root=")
    request = CART if sent is None else CART.with_header("X-Amzn-Trace-Id", sent)
    assert told(request)["X-Amzn-Trace-Id"] == pattern.format(new=new)


def test_a_trace_id_has_the_time_and_is_the_same_for_the_same_request() -> None:
    assert told(CART)["X-Amzn-Trace-Id"] == told(CART)["X-Amzn-Trace-Id"] != told(CART, now=NOW + 1)["X-Amzn-Trace-Id"]
    assert told(CART)["X-Amzn-Trace-Id"].split("-")[1] == f"{int(NOW):08x}"


def test_what_is_between_two_neighbours_ends_here() -> None:
    sent = (("Connection", "close, X-Own"), ("X-Own", "1"), ("Keep-Alive", "5"), ("Accept", "*/*"))
    headers = told(replace(CART, headers=sent))
    assert {"Connection", "X-Own", "Keep-Alive"}.isdisjoint(headers)
    assert headers["Accept"] == "*/*"


@pytest.mark.parametrize("drop", [True, False])
def test_invalid_header_names_can_be_dropped(drop: bool) -> None:
    request = replace(CART, headers=(("x_user", "1"), ("X-User", "2")))
    assert ("x_user" in told(request, drop_invalid_header_fields=drop), "X-User" in told(request)) == (not drop, True)


def test_a_host_can_be_transformed() -> None:
    request = transformed(CART.with_header("Host", "x"), (Transform("host-header-rewrite", r"\.com$", ".org"),))
    assert (request.host, request.header("Host")) == ("shop.example.org", None)


# What the user gets


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        ("refused", 502),
        ("unreachable", 502),
        ("reset", 502),
        ("closed", 502),
        ("malformed", 502),
        ("timeout", 504),
        ("idle", 504),
        ("client closed", 460),
        ("client idle", 408),
        ("no targets", 503),
    ],
)
def test_answer_for(failure: str, status: int) -> None:
    assert (answer_for(failure).status, answer_for(failure).by) == (status, "awselb/2.0")


@pytest.mark.parametrize("failure", FAILURES)
def test_every_failure_has_a_code_with_a_remedy(failure: str) -> None:
    code = verdict_for(failure).meaning
    assert code.fate is Fate.FAILED
    assert code.remedy


def test_the_code_of_a_missing_listener_tells_the_client_at_once() -> None:
    assert CODES["ELBV2_LISTENERS_MISMATCH"].fate is Fate.REJECTED


def test_an_unknown_failure_is_refused() -> None:
    with pytest.raises(InputError, match="not a failure: got 'tired'"):
        answer_for("tired")


def test_the_page_names_the_status() -> None:
    assert "<h1>503 Service Temporarily Unavailable</h1>" in answer_for("no targets").body
    assert "<h1>460</h1>" in page(460).body


# What is refused when it is made


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: TargetHealth("sick"), "not a target's state: got 'sick'"),
        (lambda: TargetHealth("unhealthy", "Target.Lazy"), "not a reason code"),
        (lambda: TargetGroupAttributes("hash"), "not an algorithm"),
        (lambda: TargetGroupAttributes(stickiness="source_ip"), "not an ALB's stickiness"),
        (lambda: TargetGroupAttributes(cross_zone="maybe"), "not a cross-zone setting"),
        (lambda: TargetGroupAttributes(lb_cookie_seconds=0), "not a stickiness duration"),
        (lambda: TargetGroupAttributes(stickiness="app_cookie"), "not an application's cookie"),
        (lambda: TargetGroupAttributes(stickiness="app_cookie", app_cookie_name="AWSALBTG"), "not an application's"),
        (lambda: TargetGroup("a", "a", target_type="lambda"), "isn't modelled: got 'lambda'"),
        (lambda: TargetGroup("a", "a", target_type="pod"), "not a target type"),
        (lambda: TargetGroup("a", "a", protocol="TCP"), "not an ALB's target protocol"),
        (lambda: TargetGroup("a", "a", port=0), "not a port"),
        (lambda: group(*targets("az-a", 1), *targets("az-a", 1)), "web: a target registered twice"),
        (lambda: LoadBalancerAttributes(0), "not an idle timeout"),
        (lambda: LoadBalancerAttributes(xff_header_processing="drop"), "not a mode for X-Forwarded-For"),
        (lambda: replace(balancer(), scheme="public"), "not a scheme"),
        (lambda: TargetGroupAttributes.parse({"stickiness.lb_cookie.duration_seconds": "long"}), "not a number"),
        (lambda: LoadBalancerAttributes.parse({"routing.http.preserve_host_header.enabled": "1"}), "neither true nor"),
    ],
)
def test_refused(wrong: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        wrong()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: replace(balancer(), listeners=(HTTP, HTTP)), "two listeners on one port"),
        (lambda: balancer(listener=HTTP), "a target group that isn't there"),
        (lambda: replace(balancer(), zones=(Zone("az-a"),)), "eni-b: a node in a zone that isn't enabled: got 'az-b'"),
        (lambda: balancer().group("arn:none"), "no such target group"),
        (lambda: picked(balancer(), BLUE.arn), "no such target group"),  # type: ignore[arg-type]
    ],
)
def test_a_world_that_contradicts_itself(wrong: object, message: str) -> None:
    with pytest.raises(WorldError, match=message):
        wrong()  # type: ignore[operator]


def test_target_group_attributes_are_read_as_aws_prints_them() -> None:
    health = "target_group_health.{}.minimum_healthy_targets.{}"
    read = TargetGroupAttributes.parse(
        {
            "stickiness.enabled": "true",
            "stickiness.type": "app_cookie",
            "stickiness.app_cookie.cookie_name": "SHOP",
            "load_balancing.algorithm.type": "weighted_random",
            "load_balancing.cross_zone.enabled": "false",
            "slow_start.duration_seconds": "0",
            health.format("dns_failover", "count"): "off",
            health.format("unhealthy_state_routing", "percentage"): "50",
        }
    )
    assert read == TargetGroupAttributes(
        "weighted_random",
        "app_cookie",
        app_cookie_name="SHOP",
        cross_zone="false",
        dns_minimum_count=None,
        routing_minimum_percentage=50,
    )


@pytest.mark.parametrize("enabled", ["false", None])
def test_stickiness_is_off_unless_it_is_enabled(enabled: str | None) -> None:
    given = {"stickiness.type": "lb_cookie"} | ({"stickiness.enabled": enabled} if enabled else {})
    assert TargetGroupAttributes.parse(given) == TargetGroupAttributes()


def test_load_balancer_attributes_are_read_as_aws_prints_them() -> None:
    read = LoadBalancerAttributes.parse(
        {
            "idle_timeout.timeout_seconds": "120",
            "routing.http.xff_client_port.enabled": "true",
            "routing.http.xff_header_processing.mode": "remove",
            "routing.http2.enabled": "true",
        }
    )
    assert read == LoadBalancerAttributes(120, "remove", xff_client_port=True)


@pytest.mark.parametrize(("asked", "found"), [("10.0.0.25", "eni-a"), ("198.51.100.2", "eni-b"), ("10.0.0.1", None)])
def test_a_node_is_known_by_its_addresses(asked: str, found: str | None) -> None:
    node = balancer().node_at(address(asked))
    assert (node.interface_id if node else None) == found


def test_health_as_text() -> None:
    assert [str(TargetHealth()), str(UNHEALTHY), HealthState("draining")] == [
        "healthy",
        "unhealthy (Target.Timeout)",
        "draining",
    ]


def test_errors_are_netpaths_own() -> None:
    assert issubclass(WorldError, NetpathError)
