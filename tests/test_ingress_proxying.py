"""From the controller's decision to a pod: algorithms, canaries, cookies, failures, headers."""

from fractions import Fraction
from typing import Any

import pytest

from netpath.choice import Choose, Script, first, outcomes
from netpath.ingress import (
    Controller,
    ControllerMemory,
    Decision,
    Pick,
    Upstream,
    again,
    balance,
    failure,
    forwarded,
    intercepted,
    pick,
)
from netpath.ingress.proxying import backend_key
from netpath.kubernetes import (
    Cluster,
    ControllerConfig,
    EndpointPort,
    EndpointSlice,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressPath,
    IngressRule,
    PathType,
    Service,
    ServicePort,
    SliceEndpoint,
)
from netpath.packet import Endpoint, HttpRequest, Protocol, address, endpoint, http_request

ALB = address("10.0.0.10")
CLASSES = (IngressClass("nginx", "k8s.io/ingress-nginx"),)


def service(name: str, *last: int) -> tuple[Service, EndpointSlice]:
    members = tuple(SliceEndpoint(address(f"10.0.1.{each}")) for each in last)
    slice_ = EndpointSlice("shop", f"{name}-1", name, (EndpointPort(8080),), members)
    return Service("shop", name, ports=(ServicePort(80),)), slice_


PAIRS = [service("web", 1, 2, 3), service("new", 9), service("one", 5), service("empty"), service("errors", 7)]


def ingress(name: str, backend: str, host: str = "h", **annotations: str) -> Ingress:
    marks = {f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    path = IngressPath("/", PathType.PREFIX, IngressBackend(backend, 80))
    return Ingress("shop", name, "2026-01-01", "nginx", (IngressRule(host, (path,)),), annotations=marks)


def made(*ingresses: Ingress, **config: Any) -> Controller:
    services, slices = zip(*PAIRS, strict=True)
    return Controller(Cluster((), (), services, slices, ingresses, CLASSES, controller=ControllerConfig(**config)))


def decided(table: Controller, *headers: tuple[str, str], url: str = "http://h/x") -> Decision:
    return table.decide(http_request(url, headers=headers), ALB)


def last(found: Pick | None) -> str:
    return str(found.endpoint.address).rpartition(".")[2] if found else "nobody"


def picks(table: Controller, count: int, *headers: tuple[str, str]) -> str:
    memory, decision = ControllerMemory(), decided(table, *headers)
    return " ".join(last(pick(table, memory, decision, first, 0.0)) for _ in range(count))


def test_round_robin_goes_through_the_pods_in_turn() -> None:
    assert picks(made(ingress("a", "web")), 6) == "2 3 1 2 3 1"


def test_the_first_pod_is_any_of_them() -> None:
    table = made(ingress("a", "web"))
    memory, decision = ControllerMemory(), decided(table)
    found = {
        last(each.result): each.probability
        for each in outcomes(lambda choose: pick(table, memory.copy(), decision, choose, 0.0))
    }
    assert found == dict.fromkeys("123", Fraction(1, 3))


def test_an_unknown_algorithm_is_round_robin() -> None:
    assert picks(made(ingress("a", "web", load_balance="nonsense")), 3) == "2 3 1"


def test_ewma_prefers_the_pod_that_answered_sooner() -> None:
    table = made(ingress("a", "web"), load_balance="ewma")
    memory, decision = ControllerMemory(), decided(table)
    one = pick(table, memory, decision, first, 0.0)
    assert one is not None
    memory.algorithms[one.upstream].finished(one.endpoint, 1.0, 5.0)
    assert last(pick(table, memory, decision, first, 1.0)) != last(one)


def test_ewma_leaves_out_what_failed_in_this_request() -> None:
    table = made(ingress("a", "web", load_balance="ewma"))
    tried = {endpoint("10.0.1.1:8080"), endpoint("10.0.1.2:8080")}
    assert last(pick(table, ControllerMemory(), decided(table), first, 0.0, tried)) == "3"


def test_a_copy_of_the_memory_goes_its_own_way() -> None:
    table = made(ingress("a", "web"))
    memory, decision = ControllerMemory(), decided(table)
    pick(table, memory, decision, first, 0.0)
    copy = memory.copy()
    assert last(pick(table, copy, decision, first, 0.0)) == last(pick(table, memory, decision, first, 0.0))


def test_an_answer_of_nginxs_own_has_no_pod() -> None:
    table = made(ingress("a", "empty"))
    assert pick(table, ControllerMemory(), decided(table), first, 0.0) is None


def test_upstream_hash_by_sends_the_same_key_to_the_same_pod() -> None:
    table = made(ingress("a", "web", upstream_hash_by="$request_uri-$http_x_user-$args"))
    one = picks(table, 4, ("X-User", "ann"))
    assert len(set(one.split())) == 1
    assert len({picks(table, 1, ("X-User", f"u{each}")) for each in range(20)}) == 3


# Canaries ------------------------------------------------------------------------------------


def canary(**annotations: str) -> Controller:
    return made(ingress("main", "one"), ingress("next", "new", canary="true", **annotations))


def chance(table: Controller, *headers: tuple[str, str]) -> Fraction:
    """How likely the canary gets a request."""
    memory, decision = ControllerMemory(), decided(table, *headers)
    each = outcomes(lambda choose: last(pick(table, memory.copy(), decision, choose, 0.0)))
    return sum((one.probability for one in each if one.result == "9"), Fraction(0))


@pytest.mark.parametrize(
    ("annotations", "share"),
    [
        ({}, Fraction(0)),
        ({"canary_weight": "20"}, Fraction(1, 5)),
        ({"canary_weight": "1", "canary_weight_total": "1000"}, Fraction(1, 1000)),
        ({"canary_weight": "10", "canary_weight_total": "50"}, Fraction(1, 10)),
        ({"canary_weight": "500"}, Fraction(1)),
        ({"canary_weight": "-5"}, Fraction(0)),
    ],
)
def test_a_weight_sends_its_share_to_the_canary(annotations: dict[str, str], share: Fraction) -> None:
    assert chance(canary(**annotations)) == share


@pytest.mark.parametrize(
    ("annotations", "header", "share"),
    [
        ({"canary_by_header": "X-New"}, ("X-New", "always"), 1),
        ({"canary_by_header": "X-New", "canary_weight": "100"}, ("X-New", "never"), 0),
        ({"canary_by_header": "X-New", "canary_weight": "100"}, ("X-New", "maybe"), 1),
        ({"canary_by_header": "X-New", "canary_by_header_value": "me"}, ("X-New", "me"), 1),
        ({"canary_by_header": "X-New", "canary_by_header_value": "me"}, ("X-New", "always"), 0),
        ({"canary_by_header": "X-New", "canary_by_header_pattern": "^b"}, ("X-New", "bob"), 1),
        ({"canary_by_header": "X-New", "canary_by_header_pattern": "^b"}, ("X-New", "ann"), 0),
        ({"canary_by_cookie": "new"}, ("Cookie", "a=b; new=always"), 1),
        ({"canary_by_cookie": "new", "canary_weight": "100"}, ("Cookie", "new=never"), 0),
        ({"canary_by_cookie": "new", "canary_weight": "100"}, ("Cookie", "new=x"), 1),
    ],
)
def test_a_header_or_cookie_decides_before_the_weight(
    annotations: dict[str, str], header: tuple[str, str], share: int
) -> None:
    assert chance(canary(**annotations), header) == share


def test_why_the_canary_was_or_was_not_taken_is_a_step() -> None:
    table = canary(canary_weight="20")
    found = pick(table, ControllerMemory(), decided(table), Script([1]), 0.0)
    assert found is not None and found.steps[0].why == "weight 20 of 100"


def test_the_next_try_stays_with_the_canary() -> None:
    table = canary(canary_weight="100")
    decision = decided(table)
    found = pick(table, ControllerMemory(), decision, Script([1]), 0.0)
    assert found is not None
    assert balance(table, ControllerMemory(), found, decision, first, 0.0, ()).upstream == "shop-new-80"


def test_without_a_request_there_is_no_next_try() -> None:
    table = made(ingress("a", "one"))
    found = pick(table, ControllerMemory(), decided(table), first, 0.0)
    assert found is not None
    assert balance(table, ControllerMemory(), found, decided(table, url="http://h/.."), first, 0.0, ()) is found


def test_a_canary_without_pods_gets_nothing() -> None:
    table = made(ingress("main", "one"), ingress("next", "empty", canary="true", canary_weight="100"))
    assert picks(table, 1) == "5"


def test_a_canary_without_a_main_upstream_is_said() -> None:
    table = made(ingress("main", "one"), ingress("next", "new", "elsewhere", canary="true"))
    assert decided(table).canary == ""
    other = made(
        ingress("main", "one"), ingress("next", "new", "h", canary="true"), ingress("twin", "new", "h", canary="true")
    )
    assert decided(other).canary == "shop-new-80"


def test_a_canary_for_no_such_path_is_dropped() -> None:
    lost = ingress("next", "new", "h", canary="true")
    rules = (IngressRule("h", (IngressPath("/y", PathType.PREFIX, IngressBackend("new", 80)),)),)
    table = made(ingress("main", "one"), Ingress("shop", "next", "2026", "nginx", rules, annotations=lost.annotations))
    assert table.problems == ("Ingress shop/next: no host and path for its canary shop-new-80",)


def test_a_canary_that_is_its_own_main_upstream_changes_nothing() -> None:
    table = made(ingress("zmain", "one"), ingress("next", "one", canary="true", canary_weight="100"))
    assert decided(table).canary == ""


def test_canaries_alone_serve_nobody() -> None:
    assert decided(made(ingress("next", "new", canary="true"))).status == 404


def test_a_canary_can_take_a_default_backend_away_with_it() -> None:
    rules = (IngressRule("h", (IngressPath("/y", PathType.PREFIX, IngressBackend("one", 80)),)),)
    main = Ingress("shop", "main", "2026-01-01", "nginx", rules, IngressBackend("web", 80))
    marks = ingress("x", "new", canary="true").annotations
    thief = Ingress("shop", "zthief", "2025-01-01", "nginx", (), IngressBackend("web", 80), annotations=marks)
    table = made(main, thief, ingress("other", "new", canary="true"))
    assert decided(table).hop.verdict.code == "INGRESS_SERVICE_NOT_FOUND"


def test_a_canary_of_the_catch_all() -> None:
    marks = ingress("x", "new", canary="true", canary_weight="100").annotations
    main = Ingress("shop", "main", "2026", "nginx", (), IngressBackend("one", 80))
    other = Ingress("shop", "next", "2026", "nginx", (), IngressBackend("new", 80), annotations=marks)
    assert decided(made(main, other)).canary == "shop-new-80"


# Cookies -------------------------------------------------------------------------------------


def cookie(found: Pick | None) -> tuple[str, str]:
    assert found is not None and found.cookie is not None
    return ("Cookie", "{}={}".format(*found.cookie))


@pytest.mark.parametrize("answer", [0, 1, 2])
def test_a_sticky_client_comes_back_to_its_pod(answer: int) -> None:
    table = made(ingress("a", "web", affinity="cookie"))
    memory = ControllerMemory()
    one = pick(table, memory, decided(table), Script([answer]), 3.0)
    two = pick(table, memory, decided(table, cookie(one)), first, 9.0)
    assert two is not None and one is not None
    assert (two.endpoint, two.cookie, last(one)) == (one.endpoint, None, str(answer + 1))


def test_the_cookie_has_the_name_that_was_asked_for() -> None:
    table = made(ingress("a", "web", affinity="cookie", session_cookie_name="route"))
    name, value = cookie(pick(table, ControllerMemory(), decided(table), first, 3.0))[1].split("=")
    assert name == "route" and value.endswith(backend_key("shop-web-80"))


@pytest.mark.parametrize(("change", "stays"), [("false", True), ("true", False)])
def test_after_a_failure_the_client_moves_on_if_it_may(change: str, stays: bool) -> None:
    table = made(ingress("a", "web", affinity="cookie", session_cookie_change_on_failure=change))
    memory = ControllerMemory()
    one = pick(table, memory, decided(table), first, 3.0)
    assert one is not None
    two = pick(table, memory, decided(table, cookie(one)), first, 4.0, {one.endpoint})
    assert two is not None and (two.endpoint == one.endpoint) is stays


def sticky_canary(**annotations: str) -> Controller:
    main = ingress("main", "one", affinity="cookie")
    return made(main, ingress("next", "new", canary="true", canary_weight="50", **annotations))


@pytest.mark.parametrize(("answer", "pod"), [(0, "5"), (1, "9")])
def test_a_sticky_client_stays_on_its_side_of_the_canary(answer: int, pod: str) -> None:
    table = sticky_canary()
    memory = ControllerMemory()
    one = pick(table, memory, decided(table), Script([answer]), 3.0)
    two = pick(table, memory, decided(table, cookie(one)), Script([1 - answer]), 4.0)
    assert (last(one), last(two)) == (pod, pod)


def test_legacy_canaries_are_not_sticky() -> None:
    table = sticky_canary(affinity_canary_behavior="legacy")
    found = pick(table, ControllerMemory(), decided(table), Script([1]), 3.0)
    assert last(found) == "9" and found is not None and found.cookie is None


# Failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "tries", "more"),
    [("refused", 1, True), ("timeout", 2, True), ("reset", 3, False), ("closed", 1, True), ("unreachable", 2, True)],
)
def test_a_failure_is_tried_three_times(outcome: str, tries: int, more: bool) -> None:
    assert again(decided(made(ingress("a", "one"))), outcome, tries) is more


@pytest.mark.parametrize(
    ("annotations", "outcome", "more"),
    [
        ({"proxy_next_upstream": "error"}, "timeout", False),
        ({"proxy_next_upstream": "off"}, "refused", False),
        ({"proxy_next_upstream_tries": "0"}, "refused", True),
        ({"proxy_next_upstream_tries": "1"}, "refused", False),
    ],
)
def test_annotations_say_what_is_tried_again(annotations: dict[str, str], outcome: str, more: bool) -> None:
    assert again(decided(made(ingress("a", "one", **annotations))), outcome, 1) is more


@pytest.mark.parametrize(
    ("sent", "next_upstream", "more"),
    [(False, "error", True), (True, "error", False), (True, "error non_idempotent", True)],
)
def test_a_post_that_was_sent_is_not_repeated(sent: bool, next_upstream: str, more: bool) -> None:
    table = made(ingress("a", "one", proxy_next_upstream=next_upstream))
    decision = table.decide(HttpRequest("h", method="POST"), ALB)
    assert again(decision, "reset", 1, sent) is more


@pytest.mark.parametrize(("outcome", "status"), [("refused", 502), ("reset", 502), ("timeout", 504)])
def test_in_the_end_the_user_gets_502_or_504(outcome: str, status: int) -> None:
    code, response = failure(outcome)
    assert (response.status, code) == (status, {502: "INGRESS_BAD_GATEWAY", 504: "INGRESS_GATEWAY_TIMEOUT"}[status])


def test_with_one_pod_every_try_goes_to_it() -> None:
    table = made(ingress("a", "one"))
    assert last(pick(table, ControllerMemory(), decided(table), first, 0.0, {endpoint("10.0.1.5:8080")})) == "5"


def test_custom_errors_are_answered_by_the_default_backend() -> None:
    table = made(ingress("a", "one", custom_http_errors="404,503"))
    found = intercepted(table, decided(table), 503)
    assert found is not None and not isinstance(found, Upstream) and found.status == 404
    assert intercepted(table, decided(table), 500) is None


def test_custom_errors_may_have_a_backend_of_their_own() -> None:
    table = made(ingress("a", "one", custom_http_errors="503", default_backend="errors"))
    found = intercepted(table, decided(table), 503)
    assert isinstance(found, Upstream) and found.endpoints == (endpoint("10.0.1.7:8080"),)


def test_a_kept_connection_is_used_again_until_it_is_too_old() -> None:
    memory, pod, ours = ControllerMemory(), endpoint("10.0.1.5:8080"), endpoint("10.0.0.10:40000")
    memory.keep(pod, 0.0, ours)
    memory.keep(endpoint("10.0.1.6:8080"), 0.0, ours)
    assert (memory.reuse(pod, 60.0), memory.reuse(pod, 60.0)) == (ours, None)
    memory.keep(pod, 60.0, ours)
    assert memory.reuse(pod, 120.5) is None


def test_of_too_many_connections_the_oldest_is_closed() -> None:
    memory, ours = ControllerMemory(), endpoint("10.0.0.10:40000")
    for port in range(1, 330):
        memory.keep(Endpoint(ALB, port), 0.0, ours)
    assert len(memory.idle) == 320 and memory.reuse(Endpoint(ALB, 9), 0.0) is None


# Headers -------------------------------------------------------------------------------------


def sent(table: Controller, *headers: tuple[str, str], url: str = "http://h/x") -> HttpRequest:
    return forwarded(table, decided(table, *headers, url=url), ALB, 5.0)


def headers(table: Controller, *given: tuple[str, str], names: str) -> list[str | None]:
    return [sent(table, *given).header(name) for name in names.split()]


USUAL = (("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "443"))
NAMES = "X-Forwarded-For X-Real-IP X-Forwarded-Proto X-Forwarded-Port X-Original-Forwarded-For"


def test_behind_a_load_balancer_the_users_address_is_lost() -> None:
    assert headers(made(ingress("a", "one")), *USUAL, names=NAMES) == [
        "10.0.0.10",
        "10.0.0.10",
        "http",
        "80",
        "198.51.100.7",
    ]


def test_with_trusted_headers_it_is_kept() -> None:
    table = made(ingress("a", "one"), use_forwarded_headers=True)
    assert headers(table, *USUAL, names=NAMES) == ["198.51.100.7", "198.51.100.7", "https", "443", "198.51.100.7"]


def test_the_full_list_has_the_balancers_address_appended() -> None:
    table = made(ingress("a", "one"), use_forwarded_headers=True, compute_full_forwarded_for=True)
    assert headers(table, *USUAL, names="X-Forwarded-For") == ["198.51.100.7, 10.0.0.10"]
    assert headers(table, names="X-Forwarded-For") == ["10.0.0.10"]


def test_the_host_goes_on_as_it_came() -> None:
    request = sent(made(ingress("a", "one")), url="http://h:8080/x")
    assert [request.header(name) for name in ("Host", "X-Forwarded-Host", "X-Forwarded-Port")] == [
        "h:8080",
        "h:8080",
        "80",
    ]


def test_a_forwarded_host_is_taken_where_it_is_trusted() -> None:
    table = made(ingress("a", "one"), use_forwarded_headers=True)
    assert headers(table, ("X-Forwarded-Host", "shop, x"), names="Host X-Forwarded-Host") == ["shop", "shop"]


def test_upstream_vhost_changes_the_host_alone() -> None:
    table = made(ingress("a", "one", upstream_vhost="inner"))
    assert headers(table, names="Host X-Forwarded-Host") == ["inner", "h"]


def test_a_request_id_is_kept_or_made_the_same_every_time() -> None:
    table = made(ingress("a", "one"))
    assert headers(table, ("X-Request-ID", "abc"), names="X-Request-ID") == ["abc"]
    assert sent(table).header("X-Request-ID") == sent(table).header("X-Request-ID")


def test_proxy_and_connection_headers_do_not_go_on() -> None:
    table = made(ingress("a", "one"))
    assert headers(table, ("Proxy", "evil"), ("Connection", "x"), ("Accept", "y"), names="Proxy Connection Accept") == [
        None,
        None,
        "y",
    ]


def test_the_prefix_is_told_only_with_a_rewrite() -> None:
    told = made(ingress("a", "one", x_forwarded_prefix="/p", rewrite_target="/z"))
    assert headers(told, names="X-Forwarded-Prefix") == ["/p"]
    kept = made(ingress("a", "one", x_forwarded_prefix="/p"))
    assert headers(kept, ("X-Forwarded-Prefix", "/mine"), names="X-Forwarded-Prefix") == ["/mine"]


def test_repeated_headers_are_joined() -> None:
    twice = (("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "2.2.2.2"), ("Cookie", "a=b"), ("Cookie", "c=d"))
    assert headers(made(ingress("a", "one")), *twice, names="X-Original-Forwarded-For") == ["1.1.1.1, 2.2.2.2"]


@pytest.mark.parametrize(
    ("protocol", "url", "onward"),
    [
        ("HTTP", "https://h/x", "http://h/x"),
        ("https", "http://h/x", "https://h/x"),
        ("GRPCS", "https://h/x", "https://h/x"),
        ("AUTO_HTTP", "https://h/x", "https://h/x"),
        ("HTTP", "http://h:81/x", "http://h:81/x"),
    ],
)
def test_tls_ends_at_the_controller_unless_the_pod_wants_it(protocol: str, url: str, onward: str) -> None:
    assert sent(made(ingress("a", "one", backend_protocol=protocol)), url=url).url == onward


def test_nothing_is_sent_where_nginx_answers() -> None:
    table = made(ingress("a", "empty"))
    assert forwarded(table, decided(table), ALB).host == "-"


# Ports ---------------------------------------------------------------------------------------


def endpoints(port: ServicePort, ports: tuple[EndpointPort, ...]) -> list[str]:
    web = Service("shop", "web", ports=(port,))
    pods = EndpointSlice("shop", "w", "web", ports, (SliceEndpoint(address("10.0.1.1")),))
    cluster = Cluster((), (), (web,), (pods, pods), (ingress("a", "web"),), CLASSES)
    return [str(each).partition(":")[2] for each in decided(Controller(cluster)).endpoints]


@pytest.mark.parametrize(
    ("port", "ports", "numbers"),
    [
        (ServicePort(80, name="http"), (EndpointPort(8080, name="http"), EndpointPort(9090, name="x")), ["8080"]),
        (ServicePort(80, name="http", target_port=8080), (EndpointPort(9090, name="x"),), ["8080"]),
        (ServicePort(80), (), ["80"]),
        (
            ServicePort(80, name="http", target_port="web"),
            (EndpointPort(1, name="http"), EndpointPort(2, name="x")),
            ["1"],
        ),
        (ServicePort(80, target_port=8080), (), ["8080"]),
        (ServicePort(80, target_port="web"), (), []),
        (ServicePort(80), (EndpointPort(1, Protocol.UDP), EndpointPort(2)), ["2"]),
    ],
)
def test_a_slices_port_is_found_by_name(port: ServicePort, ports: tuple[EndpointPort, ...], numbers: list[str]) -> None:
    assert endpoints(port, ports) == numbers


def test_choices_are_the_callers() -> None:
    asked: list[str] = []

    def noting(question: str, weights: Any, /) -> int:
        asked.append(question)
        return first(question, weights)

    choose: Choose = noting
    table = made(ingress("a", "web"))
    pick(table, ControllerMemory(), decided(table), choose, 0.0)
    assert asked == ["after whom does round robin start?"]
