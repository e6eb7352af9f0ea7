"""The road there and back in the book's world: who connects to whom, as whom, and what comes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netpath.choice import first
from netpath.errors import WorldError
from netpath.journey import Connection, End, Journey
from netpath.journey import travel as quiet_travel
from netpath.kubernetes import TrafficPolicy
from netpath.memory import Memory
from netpath.packet import Address, address, http_request
from netpath.world import Kind, World
from tests import shop_world as shop
from tests.shop_world import codes, ends, travel

LOCAL = shop.with_service(shop.CONTROLLER, external_traffic_policy=TrafficPolicy.LOCAL)


def onto(node: str, world: World = shop.SHOP) -> World:
    """The load balancer has no choice but this node."""
    return shop.with_target(node, world=world)


def headers(connection: Connection) -> dict[str, str]:
    assert connection.request is not None
    return dict(connection.request.headers)


# The seed article's two roads --------------------------------------------------------------------


@pytest.fixture
def hit() -> Journey:
    """The request that lands on a node with an ingress pod; of the two, the node's own gets it."""
    return travel(world=onto(shop.NODE_1))


@pytest.fixture
def miss() -> Journey:
    """The request that lands on a node without one."""
    return travel(world=onto(shop.NODE_2))


def test_a_request_is_three_connections(hit: Journey) -> None:
    kinds = [(each.client.kind, each.server and each.server.kind) for each in hit.connections]
    assert kinds == [(Kind.INTERNET, Kind.LOAD_BALANCER), (Kind.LOAD_BALANCER, Kind.POD), (Kind.POD, Kind.POD)]


def test_the_user_gets_the_page_of_a_pod(hit: Journey) -> None:
    assert (hit.outcome.status, hit.outcome.ok, hit.cause) == (200, True, None)
    assert str(hit.outcome).startswith("200 from pod shop/cart-")


def test_the_hit_stays_on_its_node(hit: Journey) -> None:
    _, to_ingress, _ = hit.connections
    assert ends(to_ingress.out.packet) == (f"{shop.NODE_1}:1024", f"{shop.INGRESS_1}:80")
    assert len(codes(to_ingress.out.hops, "node")) == 1


def test_the_miss_crosses_to_a_pod_on_another_node(miss: Journey) -> None:
    _, to_ingress, _ = miss.connections
    nodes = [(hop.at[:13], bool(hop.rewrites)) for hop in to_ingress.out.hops if hop.station == "node"]
    assert nodes == [("ip-10-0-33-12", True), ("ip-10-0-32-11", False)]


def test_the_miss_s_answer_is_translated_back_on_the_first_node_only(miss: Journey) -> None:
    _, to_ingress, _ = miss.connections
    assert to_ingress.back is not None
    nodes = [(hop.at[:13], bool(hop.rewrites)) for hop in to_ingress.back.hops if hop.station == "node"]
    assert nodes == [("ip-10-0-32-11", False), ("ip-10-0-33-12", True)]
    assert ends(to_ingress.back.packet) == (f"{shop.NODE_2}:30080", f"{shop.ALB_A}:32768")


def test_the_internet_gateway_swaps_the_load_balancer_s_address_both_ways(hit: Journey) -> None:
    to_balancer = hit.connections[0]
    assert to_balancer.back is not None
    assert ends(to_balancer.out.packet) == (f"{shop.USER}:32768", f"{shop.ALB_A}:80")
    assert ends(to_balancer.back.packet) == (f"{shop.PUBLIC_A}:80", f"{shop.USER}:32768")


def test_the_ingress_controller_goes_straight_to_a_pod(hit: Journey) -> None:
    to_pod = hit.connections[2]
    assert str(to_pod.out.sent.destination.address) in (shop.CART_1, shop.CART_2, shop.CART_ETH1)
    assert not any(hop.rewrites for hop in to_pod.out.hops)


def test_the_pod_that_the_controller_picked_and_those_that_it_didn_t_are_on_record(hit: Journey) -> None:
    (picked,) = [hop for hop in hit.hops if hop.verdict.code == "ENDPOINT_PICKED"]
    assert [(step.rule, step.matched) for step in picked.steps] == [
        (f"{shop.CART_1}:8080", False),
        (f"{shop.CART_2}:8080", True),
        (f"{shop.CART_ETH1}:8080", False),
    ]


def test_hops_stand_in_the_order_of_time(hit: Journey) -> None:
    """Look-up, to the balancer, its decision, to the ingress, its decision, the pod, and back through all of them."""
    seen = dict.fromkeys(hop.station for hop in hit.hops)
    assert list(seen)[:4] == ["name server", "resolver", "stub resolver", "internet gateway"]
    stations = [hop.station for hop in hit.hops if hop.station in ("load balancer", "ingress controller", "pod")]
    assert stations == [
        *["load balancer"] * 2,
        *["ingress controller"] * 2,
        "pod",
        "ingress controller",
        "load balancer",
    ]
    assert hit.hops[-1].station == "internet gateway"


def test_every_hop_of_a_journey_that_goes_well_is_ok(miss: Journey) -> None:
    assert all(hop.verdict.ok for hop in miss.hops)


def test_a_connection_is_named_after_its_ends(hit: Journey) -> None:
    assert hit.connections[0].name == "user - shop-alb eu-west-1a"


def test_the_wait_is_nothing_if_nobody_is_silent(miss: Journey) -> None:
    assert miss.waited == 0


# Who sees whom -----------------------------------------------------------------------------------


def test_by_default_the_ingress_sees_a_node_s_address(miss: Journey) -> None:
    assert str(miss.connections[1].out.packet.source.address) == shop.NODE_2  # type: ignore[union-attr]


def test_with_policy_local_the_ingress_sees_the_load_balancer_s_address() -> None:
    journey = travel(world=onto(shop.NODE_3, LOCAL))
    assert ends(journey.connections[1].out.packet) == (f"{shop.ALB_A}:32768", f"{shop.INGRESS_3}:80")


@pytest.mark.parametrize(
    ("trusting", "told"),
    [(False, shop.NODE_1), (True, shop.USER)],
    ids=["use-forwarded-headers is off: the node's", "on: the user's"],
)
def test_whose_address_the_pod_is_told(trusting: bool, told: str) -> None:
    world = shop.with_controller(onto(shop.NODE_1), use_forwarded_headers=trusting)
    assert headers(travel(world=world).connections[2])["X-Forwarded-For"] == told


def test_the_chain_of_forwarders_can_be_kept_whole() -> None:
    world = shop.with_controller(onto(shop.NODE_1), use_forwarded_headers=True, compute_full_forwarded_for=True)
    assert headers(travel(world=world).connections[2])["X-Forwarded-For"] == f"{shop.USER}, {shop.NODE_1}"


def test_the_load_balancer_appends_the_user_to_what_came() -> None:
    journey = travel(headers=(("X-Forwarded-For", "192.0.2.1"),))
    assert headers(journey.connections[1])["X-Forwarded-For"] == f"192.0.2.1, {shop.USER}"


# The short road: target type ip -------------------------------------------------------------------


def test_a_target_of_type_ip_is_the_pod_itself() -> None:
    journey = travel("http://direct.example.com/cart")
    assert len(journey.connections) == 2
    assert ends(journey.connections[1].out.packet) == (f"{shop.ALB_A}:32768", f"{shop.CART_1}:8080")


def test_on_the_short_road_no_node_translates() -> None:
    journey = travel("http://direct.example.com/cart")
    to_pod = journey.connections[1]
    assert to_pod.back is not None
    assert not any(hop.rewrites for hop in (*to_pod.out.hops, *to_pod.back.hops))


# Answers that no pod gave -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "path", "status", "code"),
    [
        ("nowhere.example.org", "/", 404, "FIXED_RESPONSE"),
        ("shop.example.com", "/old-cart/1", 301, "REDIRECT"),
        ("bogus.example.com", "/", 404, "INGRESS_DEFAULT_BACKEND"),
    ],
    ids=["no rule of the load balancer", "a redirect of the load balancer", "no rule of the ingress"],
)
def test_who_else_answers(host: str, path: str, status: int, code: str) -> None:
    journey = travel(f"http://{shop.PUBLIC_A}{path}", headers=(("Host", host),))
    assert (journey.outcome.status, journey.outcome.verdict.code) == (status, code)


def test_the_cause_of_an_error_on_purpose_is_who_answers_it() -> None:
    journey = travel(f"http://{shop.PUBLIC_A}/", headers=(("Host", "nowhere.example.org"),))
    assert journey.cause is not None and journey.cause.verdict.code == "FIXED_RESPONSE"


def test_a_redirect_has_no_cause() -> None:
    assert travel("http://shop.example.com/old-cart/1").cause is None


# Names --------------------------------------------------------------------------------------------


def test_an_address_is_asked_of_nobody() -> None:
    journey = travel(f"http://{shop.PUBLIC_B}/cart", headers=(("Host", "shop.example.com"),))
    assert journey.looked is None
    assert journey.connections[0].name == "user - shop-alb eu-west-1b"


def test_the_next_request_finds_the_name_in_the_user_s_own_cache() -> None:
    memory = Memory()
    travel(memory=memory)
    journey = travel(memory=memory)
    assert journey.looked is not None and journey.looked.resolution is None


def test_a_name_that_isn_t_there_ends_the_journey() -> None:
    journey = travel("http://nope.example.com/")
    assert (journey.outcome.verdict.code, journey.outcome.status, journey.connections) == ("NXDOMAIN", None, ())
    assert journey.cause is not None and journey.cause.station == "name server"
    assert str(journey.outcome) == journey.outcome.verdict.meaning.happened


def test_a_name_without_an_address_ends_the_journey() -> None:
    assert travel("http://status.eu.example.com/").outcome.verdict.code == "NODATA"


def test_a_zone_that_nobody_answers_for_ends_the_journey() -> None:
    """The delegations stay, and the servers of example.com know nothing of it any more."""
    world = replace(shop.SHOP, zones=tuple(z for z in shop.SHOP.zones if str(z.origin) != "example.com."), aliases=())
    journey = travel("http://shop.example.com/", world)
    assert (journey.outcome.verdict.code, journey.outcome.ok) == ("SERVFAIL", False)
    assert journey.cause is not None


def test_a_name_that_ends_in_a_digit_is_a_name() -> None:
    assert travel("http://web1/").outcome.verdict.code == "NXDOMAIN"


# Where else one can begin -------------------------------------------------------------------------


def test_a_pod_can_be_the_user_and_ask_a_service() -> None:
    journey = travel(f"http://{shop.WEB_SERVICE}/", user=address(shop.SHELL))
    (only,) = journey.connections
    assert only.server is not None and only.server.name.startswith("shop/web")
    assert only.back is not None and ends(only.back.packet) == (f"{shop.WEB_SERVICE}:80", f"{shop.SHELL}:32768")


def test_a_pod_can_be_its_own_service_s_user() -> None:
    journey = travel(f"http://{shop.WEB_SERVICE}/", user=address(shop.WEB_1))
    assert ends(journey.connections[0].out.packet) == (f"{shop.NODE_1}:1024", f"{shop.WEB_1}:8080")
    assert journey.outcome.ok


def test_of_somebody_on_the_internet_we_only_know_that_they_accepted() -> None:
    journey = travel(f"http://{shop.SERVER}/", user=address(shop.SHELL))
    assert (journey.outcome.verdict.code, journey.outcome.status) == ("ACCEPTED", None)


def test_a_node_can_be_the_user_too() -> None:
    journey = travel(f"http://{shop.WEB_SERVICE}/", user=address(shop.NODE_2))
    assert ends(journey.connections[0].out.packet) == (f"{shop.NODE_2}:32768", f"{shop.WEB_1}:8080")
    assert journey.outcome.ok


def test_the_load_balancer_can_be_asked_from_inside_at_its_private_address() -> None:
    journey = travel(f"http://{shop.ALB_B}/cart", headers=(("Host", "shop.example.com"),), user=address(shop.SHELL))
    assert journey.outcome.status == 200
    assert headers(journey.connections[1])["X-Forwarded-For"] == shop.SHELL


def test_a_user_elsewhere_is_seen_elsewhere() -> None:
    journey = travel(user=Address("192.0.2.77"))
    assert headers(journey.connections[1])["X-Forwarded-For"] == "192.0.2.77"


# Worlds that lack a part --------------------------------------------------------------------------


def test_a_name_can_t_be_asked_without_a_root_zone() -> None:
    with pytest.raises(WorldError, match="no root zone"):
        travel(world=replace(shop.SHOP, zones=(), aliases=()))


def test_a_cluster_alone_is_enough_for_its_node_ports() -> None:
    journey = travel(
        f"http://{shop.NODE_2}:30080/cart", World(cluster=shop.cluster()), headers=(("Host", "shop.example.com"),)
    )
    assert journey.outcome.status == 200


def test_a_vpc_alone_leads_to_an_instance_and_no_further() -> None:
    world = replace(shop.SHOP, cluster=None)
    journey = travel(world=world)
    assert journey.connections[-1].end is End.ESTABLISHED
    assert (journey.outcome.verdict.code, journey.outcome.ok) == ("ACCEPTED", False)


def test_a_load_balancer_s_name_needs_the_vpc() -> None:
    world = replace(shop.with_balancer(nodes=()), region=None)
    with pytest.raises(WorldError, match="no region, and the load balancer shop-alb needs one"):
        travel(world=world)


def test_other_names_don_t_need_it() -> None:
    world = replace(shop.with_balancer(nodes=()), region=None)
    assert travel("http://mail.example.com/", world).outcome.verdict.code == "ACCEPTED"


def test_an_empty_world_has_an_internet() -> None:
    assert travel(f"http://{shop.SERVER}/", World()).outcome.verdict.code == "ACCEPTED"


# Anything, from anywhere ---------------------------------------------------------------------------

URLS = st.builds(
    "http://{}{}{}".format,
    st.sampled_from(
        (
            *("shop.example.com", "direct.example.com", "www.example.com", "x.example.com", "a.preview.example.com"),
            *(shop.PUBLIC_A, shop.ALB_B, shop.NODE_2, shop.WEB_1, shop.WEB_SERVICE, shop.DNS_SERVICE, shop.SERVER),
            *("127.0.0.1", "10.0.0.2", "10.0.34.250", "172.20.99.99"),
        )
    ),
    st.sampled_from(("", ":80", ":8080", ":30080", ":443", ":10250", ":9")),
    st.sampled_from(("/", "/cart", "/cart/1?x=2", "/old-cart", "/%2e%2e/")),
)
USERS = st.sampled_from((shop.USER, shop.SHELL, shop.CART_ETH1, shop.NODE_3, shop.ALB_A, "10.0.40.201", "10.0.34.250"))
WORLDS = st.sampled_from(
    (
        shop.SHOP,
        LOCAL,
        shop.with_pod(shop.INGRESS_1, phase="Failed"),
        shop.with_endpoints("shop/cart", shop.only(shop.CART_3)),
        replace(shop.SHOP, cluster=None),
        World(zones=shop.SHOP.zones, cluster=shop.cluster()),
    )
)


@given(WORLDS, st.lists(st.tuples(URLS, USERS, st.booleans()), min_size=1, max_size=3))
def test_any_requests_end_with_something_to_see_and_a_remedy(
    world: World, requests: list[tuple[str, str, bool]]
) -> None:
    memory = Memory()
    for url, user, keep_alive in requests:
        request = http_request(url)
        journey = quiet_travel(world, memory, request, user=address(user), keep_alive=keep_alive)
        outcome = journey.outcome
        assert outcome.ok or outcome.verdict.meaning.remedy or outcome.verdict.ok
        assert all(hop.verdict.meaning.remedy for hop in journey.hops if not hop.verdict.ok)
        assert (journey.cause is None) == outcome.ok
        memory.now += 20.0


# Pods on the host's network, and loops ------------------------------------------------------------


def test_an_ingress_controller_on_the_host_s_network_is_reached_at_port_80_of_its_node() -> None:
    pods = tuple(
        replace(pod, ip=address(shop.NODE_1), host_network=True) if str(pod.ip) == shop.INGRESS_1 else pod
        for pod in shop.cluster().pods
    )
    world = shop.with_cluster(pods=pods)
    journey = travel(
        f"http://{shop.NODE_1}/cart", world, headers=(("Host", "shop.example.com"),), user=address(shop.SHELL)
    )
    assert journey.outcome.status == 200
    assert str(journey.connections[1].out.sent.source.address) == shop.NODE_1


def test_an_ingress_that_leads_to_itself_ends() -> None:
    """The cart's endpoints are the controller's own pods."""
    moved = {shop.CART_1: shop.INGRESS_1, shop.CART_2: shop.INGRESS_3}
    world = shop.with_endpoints(
        "shop/cart",
        lambda one: replace(one, address=address(moved[str(one.address)])) if str(one.address) in moved else None,
    )
    world = _listening_everywhere(world)
    journey = travel(world=world)
    assert journey.outcome.status == 500
    assert journey.cause is not None and journey.cause.verdict.code == "REQUEST_LOOP"


def _listening_everywhere(world: World) -> World:
    return shop.with_pod(shop.INGRESS_1, shop.with_pod(shop.INGRESS_3, world, ports=()), ports=())


# Cookies -------------------------------------------------------------------------------------------


def test_a_sticky_load_balancer_sets_its_cookie_and_knows_it_again() -> None:
    world = shop.with_group(
        shop.SHOP_INGRESS, lambda group: replace(group, attributes=replace(group.attributes, stickiness="lb_cookie"))
    )
    memory = Memory()
    one = travel(world=world, memory=memory)
    cookies = [value.partition(";")[0] for name, value in one.outcome.response.headers if name == "Set-Cookie"]  # type: ignore[union-attr]
    assert [cookie.partition("=")[0] for cookie in cookies] == ["AWSALB", "AWSALBCORS"]
    other = travel(world=world, memory=memory, headers=(("Cookie", "; ".join(cookies)),))
    assert "STICKY_TARGET" in codes(other.hops, "load balancer")


def test_a_sticky_ingress_sets_its_cookie_and_knows_it_again() -> None:
    sticky = {"nginx.ingress.kubernetes.io/affinity": "cookie"}
    world = shop.with_cluster(
        ingresses=tuple(replace(each, annotations={**each.annotations, **sticky}) for each in shop.cluster().ingresses)
    )
    one = travel(world=world)
    assert one.outcome.response is not None
    (cookie,) = [value for name, value in one.outcome.response.headers if name == "Set-Cookie"]
    other = travel(world=world, headers=(("Cookie", cookie),))
    assert other.connections[2].server == one.connections[2].server


def test_a_journey_leaves_its_request_as_it_was() -> None:
    request = http_request("http://shop.example.com/cart")
    assert travel().request == request


def test_the_clock_is_the_caller_s() -> None:
    memory = Memory(now=7.0)
    travel(memory=memory, choose=first)
    assert memory.now == 7.0
