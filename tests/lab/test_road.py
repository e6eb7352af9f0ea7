"""The whole road, on the wire and in the model: every choice that can be made, and every way to fail.

Each world is built out of real parts (`lab`), a request is sent until all that can become of it has been seen,
and what was seen on the wires, out and back, is what the model says: no road that it doesn't know, none missing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import dns.rrset
import pytest

from lab import model, remembered
from lab.agreement import difference, targets
from lab.isolation import Isolated, obstacle
from lab.questions import Asked
from lab.road import Line, canonical, named
from lab.session import PROGRAMS, Lab, Request
from netpath import Memory, World, ingress, shop
from netpath.balancing import (
    Condition,
    FixedResponse,
    Forward,
    Listener,
    ListenerRule,
    Redirect,
    TargetGroup,
    WeightedGroup,
)
from netpath.kubernetes import Cluster, EndpointSlice, Service, TrafficPolicy
from netpath.packet import Network
from netpath.resolution import StubMemory
from netpath.vpc import AclEntry, Instance, NetworkAcl, SecurityGroup, VpcMemory
from tests.conftest import skip_here

Road = tuple[str, ...]
BALANCERS = ("203.0.113.10", "203.0.113.20")
CART = "http://shop.example.com/cart"
DIRECT = "http://direct.example.com/"  # its targets are pods


@pytest.fixture(autouse=True, scope="module")
def _everything_is_here() -> None:
    if reason := obstacle(PROGRAMS):
        skip_here(reason)


# In the isolated process ---------------------------------------------------------------------

_RUNNING: list[Lab] = []
_MADE: list[tuple[Callable[[], World], bool]] = []


def start(make: Callable[[], World], names: bool = False, keep_alive: bool = False) -> None:
    """Have a world up; the one that was is taken down, unless it is the same."""
    if _MADE[-1:] == [(make, keep_alive)]:
        return
    if _RUNNING:
        _RUNNING.pop().down()
    lab = Lab(make(), keep_alive)
    lab.up(names)
    _RUNNING.append(lab)
    _MADE.append((make, keep_alive))


def observe(url: str, server: str, kinds: int) -> Counter[Road]:
    """Request until so many kinds of roads have been seen; give up when that should have been long ago."""
    seen: Counter[Road] = Counter()
    while len(seen) < kinds and seen.total() < 60 * kinds:
        seen[canonical(_RUNNING[0].request(url, server).road)] += 1
    return seen


def ask(host: str, cold: bool) -> tuple[tuple[Asked, ...], str, list[str]]:
    """Look a name up: what the resolver asked, the code that it answered with, and the answer's records."""
    if cold:
        _RUNNING[0].forget_names()
    seen = _RUNNING[0].request(f"http://{host}/")
    assert seen.answer is not None
    return seen.asked, seen.answer.rcode().name, _data(seen.answer.answer)


def _data(rrsets: Iterable[dns.rrset.RRset]) -> list[str]:
    """Records without their TTLs, which the clock lessens."""
    return [f"{rrset.name} {rdata}" for rrset in rrsets for rdata in rrset]


# Here ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def isolated(_everything_is_here: None) -> Iterator[Isolated]:
    """The process that all labs of this module are in, one after another."""
    with Isolated() as process:
        yield process


def check(isolated: Isolated, world: World, url: str, servers: Sequence[str] = BALANCERS) -> set[int | None]:
    """See all roads of a URL, by either node of the load balancer, and compare; the statuses that came."""
    statuses = set()
    for server in servers:
        expected = model.roads(world, url, server)
        seen = isolated.call(observe, url, server, len(expected))
        if not set(seen) <= set(expected):  # a port was drawn that was the old one by chance? Not twice
            seen = isolated.call(observe, url, server, len(expected))
        strange = [each for each in seen if each not in expected]
        assert not strange, difference(expected, strange[0])
        assert set(seen) == set(expected), "a road that the model says is never seen"
        statuses |= {outcome.result.outcome.status for outcome in expected.values()}
    return statuses


# The book's world ----------------------------------------------------------------------------


@pytest.fixture
def book(isolated: Isolated) -> Isolated:
    isolated.call(start, shop, True)
    return isolated


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (CART, 200),
        ("http://shop.example.com/", 200),
        ("http://shop.example.com/cart/7?size=2", 200),
        (DIRECT, 200),
        ("http://shop.example.com/old-cart?x=1", 301),
        ("http://nowhere.example.org/", 404),  # unknown to the load balancer
        ("http://nowhere.example.com/", 404),  # unknown to the ingress controller
    ],
)
def test_every_choice_on_the_road_leads_where_the_model_says(book: Isolated, url: str, status: int) -> None:
    assert check(book, shop(), url) == {status}


def requested(url: str, server: str) -> tuple[Request, dict[str, list[str]]]:
    """One request, and what each node's kernel remembers after it."""
    lab = _RUNNING[0]
    nodes = lab.plan.of_kind("node")
    for node in nodes:
        remembered.forget(node)
    return lab.request(url, server), {node.place: remembered.entries(node) for node in nodes}


@pytest.mark.parametrize("server", BALANCERS * 3)
def test_with_the_same_ports_drawn_every_number_is_the_same(book: Isolated, server: str) -> None:
    seen, kept = book.call(requested, CART, server)
    journey = model.follow(shop(), CART, seen)
    assert journey is not None
    assert model.road_of(shop(), journey) == seen.road
    told = model.remembered_by(journey)
    assert {place: sorted(entries) for place, entries in kept.items() if entries} == {
        place: sorted(entries) for place, entries in told.items()
    }


def decided(url: str, server: str) -> Request:
    _RUNNING[0].watch_rules()
    return _RUNNING[0].request(url, server)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's rules are nftables', which can be traced")
@pytest.mark.parametrize("url", [CART, DIRECT] * 3)
def test_the_kernel_matches_the_rules_that_the_model_matches(book: Isolated, url: str) -> None:
    seen = book.call(decided, url, BALANCERS[0])
    journey = model.follow(shop(), url, seen)
    assert journey is not None
    told = {
        (line.out[0].left[:4], node): rules
        for line, connection in zip(seen.road.lines, journey.connections, strict=True)
        for node, rules in model.decided_by(connection.out).items()
        if line.out[0].left is not None
    }
    assert seen.rules == told


@pytest.mark.parametrize("url", [CART, DIRECT])
def test_the_pod_is_told_of_the_user_what_the_model_says(book: Isolated, url: str) -> None:
    seen, _ = book.call(requested, url, BALANCERS[0])
    journey = model.follow(shop(), url, seen)
    assert journey is not None
    last = journey.connections[-1]
    assert last.request is not None and last.out.packet is not None
    told = [line for line in seen.reply.page.splitlines() if line.startswith(("from", "X-Forwarded-For"))]
    assert told == [f"from {last.out.packet.source}", f"X-Forwarded-For: {last.request.header('X-Forwarded-For')}"]


# Any connection ------------------------------------------------------------------------------

SOURCES = (
    "user",
    "shop-alb eu-west-1a",
    "ip-10-0-32-11.eu-west-1.compute.internal",
    "ip-10-0-48-13.eu-west-1.compute.internal",  # the one with two network interfaces
    "ingress-nginx/ingress-nginx-controller-6c8d7fbb5-7xk2p",
    "shop/cart-5f7d9c6b8-fx2gk",
    "shop/cart-5f7d9c6b8-q7ncd",  # its address is the second interface's
)


def connect(place: str, servers: list[tuple[str, int]]) -> tuple[str, list[Line | None]]:
    """A host's address, and what was seen of a connection from there to each server."""
    lab = _RUNNING[0]
    return lab.plan.hosts[place].addresses[0], [lab.connect(place, server, 0.05) for server in servers]


@pytest.mark.parametrize("source", SOURCES)
def test_any_connection_goes_where_the_model_says(book: Isolated, source: str) -> None:
    own = book.call(connect, source, [])[0]
    servers = [each for each in targets(shop()) if each[0] != own]
    for server, line in zip(servers, book.call(connect, source, servers)[1], strict=True):
        expected = model.attempts(shop(), own, server)
        assert line is not None, f"nothing seen of {server}"
        text = tuple(named(line))
        if text not in expected:  # as above
            line = book.call(connect, source, [server])[1][0]
            text = tuple(named(line)) if line is not None else ()
        assert text in expected, difference(expected, text)


# Names ---------------------------------------------------------------------------------------

NAMES = (
    "shop.example.com",
    "www.example.com",
    "example.com",
    "a.preview.example.com",
    "eu.example.com",
    "nobody.example.com",
    "nobody.example.org",
)


@pytest.mark.parametrize("host", NAMES)
def test_the_resolver_asks_whom_the_model_says_and_gets_the_same_answers(book: Isolated, host: str) -> None:
    expected = model.lookups(shop(), host)
    asked, code, records = book.call(ask, host, True)
    if asked not in expected:  # on a busy machine, an answer may come when unbound has asked somebody else already
        asked, code, records = book.call(ask, host, True)
    assert asked in expected
    resolution = expected[asked].result.resolution
    assert resolution is not None
    assert (code, records) == (resolution.response.rcode().name, _data(resolution.response.answer))


@pytest.mark.parametrize(("url", "status"), [(CART, 200), ("http://nobody.example.com/", None)])
def test_from_the_name_to_the_page_it_is_the_models_journey(book: Isolated, url: str, status: int | None) -> None:
    seen = book.call(cold_request, url)
    journey = model.follow(shop(), url, seen) or model.follow(shop(), url, book.call(cold_request, url))  # as above
    assert journey is not None
    assert journey.outcome.status == seen.reply.status == status


def cold_request(url: str) -> Request:
    _RUNNING[0].forget_names()
    return _RUNNING[0].request(url)


@pytest.mark.parametrize("host", NAMES)
def test_a_name_that_was_just_asked_for_is_asked_of_nobody(book: Isolated, host: str) -> None:
    world, memory = shop(), Memory()
    world.names.lookup(host, memory, str(world.resolver))
    memory.stub = StubMemory()  # the user's machine in the lab has no cache
    first = book.call(ask, host, True)
    again = book.call(ask, host, False)
    assert again[0] in model.lookups(world, host, memory)
    assert again[1:] == first[1:]


# Open connections ----------------------------------------------------------------------------


def request(url: str, server: str) -> Road:
    return canonical(_RUNNING[0].request(url, server).road)


def test_open_connections_are_used_again_as_the_model_says(isolated: Isolated) -> None:
    isolated.call(start, shop, keep_alive=True)
    world, memory, anew = shop(), Memory(), 0
    urls = (CART, DIRECT, "http://shop.example.com/")
    for number in range(48):
        url, server = urls[number % 3], BALANCERS[number % 2]
        seen, expected = isolated.call(request, url, server), model.next_roads(world, memory, url, server)
        assert seen in expected, f"request {number}: {difference(expected, seen)}"
        journey, memory = expected[seen]()
        anew += sum(not connection.reused for connection in journey.connections)
    assert anew < 90  # of 128


# Other policies ------------------------------------------------------------------------------


def with_cluster(**changed: Any) -> World:
    world = shop()
    assert world.cluster is not None
    return replace(world, cluster=replace(world.cluster, **changed))


def the_cluster() -> Cluster:
    cluster = shop().cluster
    assert cluster is not None
    return cluster


def local_policy() -> World:
    """externalTrafficPolicy: Local, and health checks that haven't noticed."""

    def local(service: Service) -> Service:
        if service.name != "ingress-nginx-controller":
            return service
        return replace(service, external_traffic_policy=TrafficPolicy.LOCAL, health_check_node_port=31234)

    return with_cluster(services=tuple(map(local, the_cluster().services)))


def test_with_the_local_policy_a_node_without_a_pod_is_silent(isolated: Isolated) -> None:
    isolated.call(start, local_policy)
    assert check(isolated, local_policy(), CART) == {200, 504}


def cart_alone() -> World:
    """An Ingress for nothing but /cart."""
    (ingress,) = the_cluster().ingresses
    rules = tuple(replace(rule, paths=tuple(each for each in rule.paths if each.path != "/")) for rule in ingress.rules)
    return with_cluster(ingresses=(replace(ingress, rules=rules),))


def test_a_path_that_no_ingress_has_is_a_404_of_the_controller(isolated: Isolated) -> None:
    isolated.call(start, cart_alone)
    assert check(isolated, cart_alone(), "http://shop.example.com/carts") == {404}


def no_vpc() -> World:
    """The cluster alone, on a network that knows every pod."""
    return replace(shop(), region=None, load_balancers=())


def test_without_a_vpc_a_node_port_is_open_to_all(isolated: Isolated) -> None:
    url, nodes = "http://shop.example.com:30080/cart", ("10.0.32.11", "10.0.48.13")
    isolated.call(start, no_vpc)
    assert check(isolated, no_vpc(), url, nodes) == {200}


# A listener's rules --------------------------------------------------------------------------

INGRESS, PODS = 0, 1  # the load balancer's target groups


def many_rules() -> World:
    """A load balancer with a rule of each kind, and a target group without targets."""
    (balancer,) = shop().load_balancers
    groups = (*balancer.target_groups, TargetGroup("empty", "empty"))
    to_ingress, to_pods = (WeightedGroup(groups[which].arn, weight) for which, weight in ((INGRESS, 1), (PODS, 2)))
    rules = (
        ListenerRule(1, FixedResponse(410, 'gone for $5, or "more"'), (path("/g?ne"),)),
        ListenerRule(2, Redirect("HTTPS", port="443", path="/new/#{path}"), (path("/o*"), host("SHOP.*"))),
        ListenerRule(3, Forward((to_ingress, to_pods)), (path("/both"),)),
        ListenerRule(4, Forward((WeightedGroup(groups[INGRESS].arn, 0), to_pods)), (path("/one", "/uno"),)),
        ListenerRule(5, Forward((WeightedGroup("empty"),)), (path("/empty"),)),
        ListenerRule(6, Forward((WeightedGroup(groups[PODS].arn, 0),)), (path("/none"),)),
    )
    listener = Listener(80, "HTTP", Forward((to_ingress,)), rules)
    return replace(shop(), load_balancers=(replace(balancer, target_groups=groups, listeners=(listener,)),))


def path(*values: str) -> Condition:
    return Condition("path-pattern", values)


def host(*values: str) -> Condition:
    return Condition("host-header", values)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/gone", 410),
        ("/g/ne", 410),
        ("/Gone", 200),  # a path's case counts, so that no rule but the default one takes it
        ("/old?x=1&y=%2F", 302),
        ("/both", 200),
        ("/uno?", 200),
        ("/empty", 503),
        ("/none", 503),
        ("/og/gone", 302),
    ],
)
def test_a_listener_rule_does_what_the_model_says(isolated: Isolated, target: str, status: int) -> None:
    isolated.call(start, many_rules)
    assert check(isolated, many_rules(), f"http://shop.example.com{target}") == {status}


@pytest.mark.parametrize("target", ["/old/%41?x=1", "/o"])
def test_a_redirect_leads_where_the_model_says(isolated: Isolated, target: str) -> None:
    isolated.call(start, many_rules)
    url = f"http://shop.example.com{target}"
    (said,) = {outcome.result.outcome.response for outcome in model.roads(many_rules(), url, BALANCERS[0]).values()}
    assert said is not None
    assert ("Location", dict(isolated.call(headers, url, BALANCERS[0]))["Location"]) in said.headers


def headers(url: str, server: str) -> list[tuple[str, str]]:
    return list(_RUNNING[0].request(url, server).reply.headers)


# Failures ------------------------------------------------------------------------------------


def without_endpoints(service: str) -> World:
    def emptied(part: EndpointSlice) -> EndpointSlice:
        return replace(part, endpoints=()) if part.service == service else part

    return with_cluster(slices=tuple(map(emptied, the_cluster().slices)))


def no_cart() -> World:
    return without_endpoints("cart")


def no_controller() -> World:
    return without_endpoints("ingress-nginx-controller")


def two_carts(first: str, second: str) -> Cluster:
    """Two endpoints of the cart alone: whoever has failed with one asks the other."""

    def kept(part: EndpointSlice) -> EndpointSlice:
        chosen = tuple(each for each in part.endpoints if str(each.address) in (first, second))
        return replace(part, endpoints=chosen) if part.service == "cart" else part

    return replace(the_cluster(), slices=tuple(map(kept, the_cluster().slices)))


def with_dead(cluster: Cluster, address: str) -> Cluster:
    """A pod has died, and nobody has noticed."""
    pods = (replace(pod, phase="Unknown") if str(pod.ip) == address else pod for pod in cluster.pods)
    return replace(cluster, pods=tuple(pods))


def dead_pod() -> World:
    """One pod of the cart has died, another lives."""
    return replace(shop(), cluster=with_dead(two_carts("10.0.35.112", "10.0.51.131"), "10.0.35.112"))


def last_pod_dead() -> World:
    """The cart's only pod has died: all three tries are made at it."""
    return replace(shop(), cluster=with_dead(two_carts("10.0.35.112", ""), "10.0.35.112"))


def with_region(**changed: Any) -> World:
    world = shop()
    assert world.region is not None
    return replace(world, region=replace(world.region, **changed))


def group_without(name: str, port: int) -> World:
    """A security group without the rules that let a port in."""

    def closed(group: SecurityGroup) -> SecurityGroup:
        kept = tuple(each for each in group.ingress if not (each.from_port or 0) <= port <= (each.to_port or 0))
        return replace(group, ingress=kept) if group.name == name else group

    region = shop().region
    assert region is not None
    return with_region(security_groups=tuple(map(closed, region.security_groups)))


def closed_balancer() -> World:
    return group_without("shop-alb", 80)


def closed_nodes() -> World:
    return group_without("shop-nodes", 30080)


def public_acl(entries: tuple[AclEntry, ...]) -> World:
    """The public subnets' network ACL with other entries."""

    def changed(acl: NetworkAcl) -> NetworkAcl:
        return replace(acl, entries=entries) if acl.network_acl_id == "acl-0ac000000000000a1" else acl

    region = shop().region
    assert region is not None
    return with_region(network_acls=tuple(map(changed, region.network_acls)))


def blocked_answers() -> World:
    """The user's request may come in, and its answer may not go out."""
    return public_acl((AclEntry(100, False, True), AclEntry(100, True, True, protocol="tcp", from_port=80, to_port=80)))


def blocked_replies() -> World:
    """Only the web may come in: no reply from the nodes."""
    web = AclEntry(100, False, True, Network("0.0.0.0/0"), "tcp", 80, 80)
    return public_acl((web, AclEntry(100, True, True)))


def stopped(number: int) -> tuple[Instance, ...]:
    """The nodes' machines, one of which is stopped."""
    region = shop().region
    assert region is not None
    return tuple(replace(each, state="stopped") if at == number else each for at, each in enumerate(region.instances))


def stopped_node() -> World:
    return replace(with_region(instances=stopped(0)), cluster=two_carts("10.0.34.103", "10.0.51.131"))


def stopped_node_and_dead_pod() -> World:
    """The last in line is silent, the first refuses: who comes after the last is the first, whoever was asked before.

    Found by world 771001-77: nginx's own round robin would ask the second.
    """
    return replace(with_region(instances=stopped(2)), cluster=with_dead(the_cluster(), "10.0.34.103"))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (no_cart, {CART: {503}}),
        (no_controller, {CART: {502}}),
        (dead_pod, {CART: {200}, DIRECT: {200, 502}}),  # the ingress controller asks another, the load balancer doesn't
        (last_pod_dead, {CART: {502}}),
        (closed_balancer, {CART: {None}}),
        (closed_nodes, {CART: {504}, DIRECT: {200}}),
        (blocked_answers, {CART: {None}}),
        (blocked_replies, {CART: {504}}),
        (stopped_node, {CART: {200, 504}}),
        (stopped_node_and_dead_pod, {CART: {200, 504}}),
    ],
)
def test_what_fails_fails_where_the_model_says(
    isolated: Isolated, make: Callable[[], World], expected: dict[str, set[int | None]]
) -> None:
    isolated.call(start, make)
    for url, statuses in expected.items():
        assert check(isolated, make(), url, BALANCERS[:1]) == statuses


# The watch is watched ------------------------------------------------------------------------

OTHERS = (local_policy, no_cart, no_controller, closed_balancer, closed_nodes, blocked_answers, blocked_replies, no_vpc)


@pytest.mark.parametrize("other", OTHERS)
def test_a_model_of_another_world_is_found_out(book: Isolated, other: Callable[[], World]) -> None:
    with pytest.raises(AssertionError, match=r"wire|never seen"):
        check(book, other(), CART, BALANCERS[:1])


def test_a_model_that_forgets_connections_is_found_out(book: Isolated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VpcMemory, "follow", lambda *_: None)  # security groups without memory
    with pytest.raises(AssertionError, match="wire"):
        check(book, shop(), CART, BALANCERS[:1])


def test_a_model_that_never_tries_again_is_found_out(isolated: Isolated, monkeypatch: pytest.MonkeyPatch) -> None:
    isolated.call(start, dead_pod)
    monkeypatch.setattr(ingress, "again", lambda *_: False)
    with pytest.raises(AssertionError, match="wire"):
        check(isolated, dead_pod(), CART, BALANCERS[:1])
