"""The ingress-nginx controller: its table of servers and locations, and its decision about a request.

What nginx does with the table was compared with a real nginx (tens of thousands of random requests over
`render`ed random Ingresses); how the table is made follows controller.go, location.go and template.go.
"""

from typing import Any

import pytest

from netpath.ingress import Controller, Decision, controller, locations, nginx, read_annotations, render, specification
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
    IngressTls,
    PathType,
    Service,
    ServicePort,
    ServiceType,
    SliceEndpoint,
)
from netpath.packet import HttpRequest, address, http_request, tcp

CLASSES = (IngressClass("nginx", "k8s.io/ingress-nginx"), IngressClass("alb", "ingress.k8s.aws/alb"))
EXACT, PREFIX, SPECIFIC = PathType.EXACT, PathType.PREFIX, PathType.IMPLEMENTATION_SPECIFIC
USER = address("198.51.100.7")


def service(name: str, **more: Any) -> Service:
    return Service("shop", name, ports=(ServicePort(80, name="http", target_port=8080),), **more)


def pods(name: str, *last: int) -> EndpointSlice:
    members = tuple(SliceEndpoint(address(f"10.0.1.{each}")) for each in last)
    return EndpointSlice("shop", f"{name}-1", name, (EndpointPort(8080, name="http"),), members)


SERVICES = (service("web"), service("cart"), service("empty"), service("errors"))
SLICES = (pods("web", 1, 2), pods("cart", 3), pods("empty"), pods("errors", 9))


def path(text: str, name: str = "web", type_: PathType = PREFIX) -> IngressPath:
    return IngressPath(text, type_, IngressBackend(name, 80))


def rule(host: str, *paths: IngressPath) -> IngressRule:
    return IngressRule(host, paths)


def ingress(name: str, *rules: IngressRule, created: str = "2026-01-01", **annotations: str) -> Ingress:
    marks = {f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return Ingress("shop", name, created, "nginx", rules, annotations=marks)


def made(*ingresses: Ingress, services: tuple[Service, ...] = SERVICES, **config: Any) -> Controller:
    return Controller(Cluster((), (), services, SLICES, ingresses, CLASSES, controller=ControllerConfig(**config)))


def ask(table: Controller, url: str, *headers: tuple[str, str]) -> Decision:
    return table.decide(http_request(url, headers=headers), USER)


def outcome(decision: Decision) -> str:
    """The service, or status and location, in words."""
    if decision.response is None:
        return decision.backend.name if decision.backend else "default backend"
    where = dict(decision.response.headers).get("Location")
    return f"{decision.response.status} {where}" if where else str(decision.response.status)


def heads(table: Controller, server: str) -> list[str]:
    return [row.location for row in locations(table) if row.server == server]


def why(decision: Decision, rule_text: str) -> str:
    return next(step.why for step in decision.hop.steps if step.rule == rule_text)


SIMPLE = made(
    ingress("shop", rule("shop.example", path("/foo"), path("/cart", "cart", EXACT), path("/void", "empty"))),
    ingress("wild", rule("*.foo.com", path("/"))),
)


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("http://shop.example/foo", "web"),
        ("http://shop.example/foo/", "web"),
        ("http://shop.example/foo/bar", "web"),
        ("http://shop.example/foobar", "404"),
        ("http://shop.example/FOO", "404"),
        ("http://shop.example//foo", "web"),
        ("http://shop.example/%66oo", "web"),
        ("http://shop.example/x/../foo", "web"),
        ("http://shop.example/foo/../cart", "cart"),
        ("http://shop.example/cart", "cart"),
        ("http://shop.example/cart?x=/foo", "cart"),
        ("http://shop.example/cart/", "404"),
        ("http://shop.example/void", "503"),
        ("http://shop.example/..", "400"),
        ("http://shop.example/%00", "400"),
        ("http://shop.example/" + "a" * 8176, "404"),
        ("http://shop.example/" + "a" * 8177, "414"),
        ("http://other.example/foo", "404"),
        ("http://a.foo.com/", "web"),
        ("http://a.b.foo.com/", "404"),
        ("http://foo.com/", "404"),
        ("http://other.example/healthz", "200"),
        ("http://other.example/nginx_status", "403"),
    ],
)
def test_a_request_to_the_shop(url: str, result: str) -> None:
    assert outcome(ask(SIMPLE, url)) == result


@pytest.mark.parametrize(
    ("host", "result"), [("Shop.Example.", "web"), ("shop.example:8080", "web"), ("shop..example", "400"), ("", "400")]
)
def test_the_host_header_is_normalised(host: str, result: str) -> None:
    assert outcome(SIMPLE.decide(HttpRequest(host, "/foo"))) == result


def test_the_decision_names_service_port_and_ready_pods() -> None:
    decision = ask(SIMPLE, "http://shop.example/foo")
    assert decision.backend is not None and decision.backend.key == "shop/web"
    assert str(decision.backend) == "shop/web:80"
    assert [str(each) for each in decision.endpoints] == ["10.0.1.1:8080", "10.0.1.2:8080"]


def test_the_hop_keeps_the_packet_and_the_causing_rule() -> None:
    packet = tcp("10.0.0.1:40000", "10.0.0.2:80")
    hop = SIMPLE.decide(http_request("http://shop.example/foo"), USER, packet).hop
    assert (hop.received, hop.verdict.code, hop.verdict.rule) == (packet, "INGRESS_PROXIED", "location = /foo")


# The table -----------------------------------------------------------------------------------


def test_a_prefix_becomes_two_locations_longest_first() -> None:
    assert heads(SIMPLE, "shop.example") == [
        "location /void/",
        "location = /void",
        "location = /cart",
        "location /foo/",
        "location = /foo",
        "location /",
    ]


def test_an_exact_path_of_the_same_name_keeps_its_place() -> None:
    table = made(ingress("one", rule("h", path("/foo"), path("/foo", "cart", EXACT))))
    assert heads(table, "h") == ["location /foo/", "location = /foo", "location /"]
    assert (outcome(ask(table, "http://h/foo")), outcome(ask(table, "http://h/foo/x"))) == ("cart", "web")


def test_a_prefix_with_slash_redirects_where_the_specification_matches() -> None:
    one = ingress("one", rule("h", path("/foo/")))
    assert outcome(ask(made(one), "http://h/foo?a=b")) == "301 http://h/foo/?a=b"
    assert specification([one], CLASSES, SERVICES, "h", "/foo").backend is not None


def test_an_exact_path_with_slash_redirects_where_the_specification_has_404() -> None:
    one = ingress("one", rule("h", path("/foo/", type_=EXACT)))
    assert outcome(ask(made(one), "http://h/foo")) == "301 http://h/foo/"
    assert specification([one], CLASSES, SERVICES, "h", "/foo").status == 404


def test_the_redirect_for_the_slash_forgets_the_port() -> None:
    table = made(ingress("one", rule("h", path("/foo/"))))
    assert outcome(ask(table, "http://h:8080/foo")) == "301 http://h/foo/"


def test_implementation_specific_is_prefix_to_this_controller() -> None:
    table = made(ingress("one", rule("h", path("/foo", type_=SPECIFIC), path("", "cart", SPECIFIC))))
    assert heads(table, "h") == ["location /foo/", "location = /foo", "location /"]
    assert (outcome(ask(table, "http://h/foobar")), outcome(ask(table, "http://h/foo"))) == ("cart", "web")


def test_a_wildcard_host_is_an_expression_of_one_label() -> None:
    assert locations(SIMPLE)[0].server == r"~^(?<subdomain>[\w-]+)\.foo\.com$"


def test_a_wildcard_alias_is_nginxs_own_and_matches_several_labels() -> None:
    table = made(ingress("one", rule("h", path("/")), server_alias="*.foo.com"))
    assert outcome(ask(table, "http://a.b.foo.com/")) == "web"


def test_an_alias_that_is_a_host_of_its_own_is_dropped() -> None:
    table = made(ingress("one", rule("a", path("/")), server_alias="b,c"), ingress("two", rule("b", path("/", "cart"))))
    assert [outcome(ask(table, f"http://{host}/")) for host in "abc"] == ["web", "cart", "web"]


def test_the_oldest_ingress_keeps_a_host_and_path() -> None:
    young = ingress("a", rule("h", path("/x", "cart")), created="2026-02-01")
    old = ingress("b", rule("h", path("/x", "web")), created="2026-01-01")
    table = made(young, old)
    assert outcome(ask(table, "http://h/x")) == "web"
    assert table.problems == ("Ingress shop/a: h/x is taken by Ingress shop/b, which is older",)


def test_of_equal_age_the_greater_name_comes_first() -> None:
    table = made(ingress("a", rule("h", path("/x", "cart"))), ingress("b", rule("h", path("/x", "web"))))
    assert outcome(ask(table, "http://h/x")) == "web"


def test_prefixes_with_and_without_slash_collide_in_nginx() -> None:
    table = made(ingress("one", rule("h", path("/foo/"), path("/foo", "cart"))))
    assert "nginx refuses a duplicate location /foo/ of h" in table.problems[0]


def test_a_default_backend_takes_what_no_path_of_its_host_has() -> None:
    one = ingress("one", rule("h", path("/x")))
    rest = Ingress("shop", "one", "", "nginx", one.rules, IngressBackend("cart", 80))
    table = made(rest)
    assert (outcome(ask(table, "http://h/y")), outcome(ask(table, "http://other/y"))) == ("cart", "404")


def test_an_ingress_without_rules_takes_the_default_server() -> None:
    table = made(Ingress("shop", "all", "", "nginx", (), IngressBackend("cart", 80)))
    assert outcome(ask(table, "http://other/y")) == "cart"


def test_a_catch_all_leaves_its_redirects_aside() -> None:
    marks = {"nginx.ingress.kubernetes.io/permanent-redirect": "https://x.example"}
    table = made(Ingress("shop", "all", "", "nginx", (), IngressBackend("cart", 80), annotations=marks))
    assert outcome(ask(table, "http://other/y")) == "cart"


def test_a_path_without_host_is_the_default_servers() -> None:
    table = made(ingress("one", rule("", path("/")), rule("h", path("/x", "cart"))))
    assert [outcome(ask(table, url)) for url in ("http://z/", "http://h/", "http://h/x")] == ["web", "404", "cart"]


def test_the_controllers_own_default_backend_may_be_a_service() -> None:
    table = made(default_backend="shop/errors")
    assert outcome(ask(table, "http://z/")) == "errors"


@pytest.mark.parametrize("name", ["shop/empty", "shop/none"])
def test_a_default_backend_without_pods_is_the_built_in_404(name: str) -> None:
    assert outcome(ask(made(default_backend=name), "http://z/")) == "404"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"ingress_class": "none"}, "there is no IngressClass 'none'"),
        ({"ingress_class": "alb"}, "is for 'ingress.k8s.aws/alb'"),
        ({"annotations": {"kubernetes.io/ingress.class": "alb"}}, "is 'alb', not 'nginx'"),
        ({}, "neither ingressClassName nor the class annotation"),
    ],
)
def test_an_ingress_of_another_class_is_ignored_and_says_why(more: dict[str, Any], reason: str) -> None:
    table = made(Ingress("shop", "one", rules=(rule("h", path("/")),), **more))
    decision = ask(table, "http://h/")
    assert outcome(decision) == "404" and reason in table.problems[0]
    assert reason in why(decision, "Ingress shop/one")


def test_ignored_ingresses_of_other_hosts_are_not_brought_up() -> None:
    table = made(Ingress("shop", "one", rules=(rule("elsewhere", path("/")),)))
    assert not any(step.rule == "Ingress shop/one" for step in ask(table, "http://h/").hop.steps)


@pytest.mark.parametrize(
    ("more", "config"),
    [({"annotations": {"kubernetes.io/ingress.class": "nginx"}}, {}), ({}, {"watch_without_class": True})],
)
def test_an_annotation_or_the_flag_is_class_enough(more: dict[str, Any], config: dict[str, Any]) -> None:
    assert (
        outcome(ask(made(Ingress("shop", "one", rules=(rule("h", path("/")),), **more), **config), "http://h/"))
        == "web"
    )


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (path("/a(b)?"), "strict-validate-path-type"),
        (path("a"), "must be absolute"),
        (path("/a%20b", type_=EXACT), "strict-validate-path-type"),
    ],
)
def test_a_path_that_admission_refuses_never_comes_to_be(one: IngressPath, reason: str) -> None:
    assert reason in made(ingress("one", rule("h", one))).problems[0]


@pytest.mark.parametrize(("text", "regex"), [("/a;b", "false"), ('/a"b', "true"), ("/a(", "true")])
def test_a_path_that_nginx_cannot_load_is_left_out(text: str, regex: str) -> None:
    table = made(ingress("one", rule("h", path(text, type_=SPECIFIC)), use_regex=regex))
    assert "Ingress shop/one:" in table.problems[0] and len(heads(table, "h")) == 1


def test_a_service_port_may_be_named_or_a_target_port() -> None:
    paths = (IngressPath(f"/{port}", PREFIX, IngressBackend("web", port)) for port in ("http", 8080, 80, "none"))
    table = made(ingress("one", rule("h", *paths)))
    assert [outcome(ask(table, f"http://h/{each}")) for each in ("http", 8080, 80, "none")] == ["web"] * 3 + ["503"]


def test_a_missing_service_is_503_and_says_so() -> None:
    decision = ask(made(ingress("one", rule("h", path("/", "gone")))), "http://h/")
    assert (outcome(decision), decision.hop.verdict.code) == ("503", "INGRESS_SERVICE_NOT_FOUND")


def test_an_external_name_has_no_pods_here_and_the_decision_says_so() -> None:
    outside = service("web", type=ServiceType.EXTERNAL_NAME)
    decision = ask(made(ingress("one", rule("h", path("/"))), services=(outside,)), "http://h/")
    assert outcome(decision) == "503" and "ExternalName" in decision.notes[0]


# Regular expressions and rewriting -----------------------------------------------------------

REGEX = made(
    ingress("regex", rule("h", path("/api/v[0-9]+", "cart", SPECIFIC)), use_regex="true"),
    ingress("plain", rule("h", path("/foo"), path("/bar", "cart", EXACT))),
)


def test_one_regex_makes_every_path_of_the_host_one() -> None:
    assert heads(REGEX, "h") == [
        'location ~* "^/api/v[0-9]+"',
        'location ~* "^/foo/"',
        'location ~* "^/foo"',
        'location ~* "^/bar"',
        'location ~* "^/"',
    ]


@pytest.mark.parametrize(
    ("target", "result"),
    [("/API/v12/x", "cart"), ("/foobar", "web"), ("/FOO", "web"), ("/barn", "cart"), ("/api/vx", "404")],
)
def test_such_a_host_forgets_case_and_exactness(target: str, result: str) -> None:
    assert outcome(ask(REGEX, f"http://h{target}")) == result


def rewritten(pattern: str, target: str, url: str) -> str:
    table = made(ingress("one", rule("h", path(pattern, type_=SPECIFIC)), rewrite_target=target))
    decision = ask(table, f"http://h{url}")
    return decision.request.target if decision.request else outcome(decision)


@pytest.mark.parametrize(
    ("pattern", "target", "url", "sent"),
    [
        ("/api(/|$)(.*)", "/$2", "/api/users?x=1", "/users?x=1"),
        ("/api(/|$)(.*)", "/$2", "/api", "/"),
        ("/api/(.*)", "/$1", "/api/a%20b%3Fc", "/a%20b%3Fc"),
        ("/api", "/", "/api/users", "/"),
        ("/api", "/x?y=1", "/api?z=2", "/x?y=1&z=2"),
        ("/api", "/x?", "/api?z=2", "/x"),
        ("/api", "/x?y=1?", "/api?z=2", "/x?y=1"),
        ("/api/(.*)", "/e?v=$1", "/api/a%20b&c?z=1", "/e?v=a%20b%26c&z=1"),
        ("/api/(.*)", "/e?v=$1", "/api/a&b;c", "/e?v=a&b;c"),
        ("/api/(.*)", "$1", "/api/", "500"),
        ("/api/(.*)", "https://o.example/$1", "/api/x?q=1", "302 https://o.example/x?q=1"),
        ("/api(.*)", "/$9", "/api/x", "/"),
    ],
)
def test_rewrite_target(pattern: str, target: str, url: str, sent: str) -> None:
    assert rewritten(pattern, target, url) == sent


def test_a_rewrite_shows_in_the_steps() -> None:
    table = made(ingress("one", rule("h", path("/api/(.*)", type_=SPECIFIC)), rewrite_target="/$1"))
    decision = ask(table, "http://h/api/x")
    assert why(decision, 'rewrite "(?i)/api/(.*)" /$1 break;') == "'/api/x' becomes '/x'"


def test_a_rewrite_without_slash_is_noted() -> None:
    table = made(ingress("one", rule("h", path("/api/(.*)", type_=SPECIFIC)), rewrite_target="$1"))
    assert "most servers answer 400" in ask(table, "http://h/api/x").notes[0]


def test_the_root_of_a_rewriting_host_is_rewritten_too() -> None:
    table = made(ingress("one", rule("h", path("/api", type_=SPECIFIC)), rewrite_target="/x"))
    assert ask(table, "http://h/other").hop.verdict.code == "INGRESS_DEFAULT_BACKEND"


def test_a_target_that_is_the_path_counts_once_the_path_has_a_slash() -> None:
    table = made(ingress("one", rule("h", path("/foo")), rewrite_target="/foo"))
    assert heads(table, "h")[0] == 'location ~* "^/foo/"'


# Redirects and refusals ----------------------------------------------------------------------


def secured(*hosts: str, **annotations: str) -> Controller:
    one = ingress("one", *(rule(host, path("/")) for host in hosts), **annotations)
    return made(Ingress("shop", "one", "", "nginx", one.rules, None, (IngressTls(hosts),), one.annotations))


@pytest.mark.parametrize(
    ("url", "result"),
    [
        ("http://h/a?b=c", "308 https://h/a?b=c"),
        ("http://h/a/", "308 https://h/a"),
        ("http://h/", "308 https://h"),
        ("http://h:8080/a", "308 https://h/a"),
        ("https://h/a", "web"),
        ("http://other/", "404"),
    ],
)
def test_a_host_with_a_certificate_redirects_to_https(url: str, result: str) -> None:
    assert outcome(ask(secured("h"), url)) == result


def test_ssl_redirect_can_be_switched_off() -> None:
    assert outcome(ask(secured("h", ssl_redirect="false"), "http://h/")) == "web"


def test_the_trailing_slash_can_be_kept() -> None:
    assert outcome(ask(secured("h", preserve_trailing_slash="true"), "http://h/a/")) == "308 https://h/a/"


def test_a_wildcards_certificate_redirects_a_plain_host_of_another_ingress() -> None:
    wild = Ingress("shop", "w", "", "nginx", (rule("*.foo.com", path("/")),), None, (IngressTls(("*.foo.com",)),))
    table = made(wild, ingress("plain", rule("a.foo.com", path("/", "cart"))))
    assert outcome(ask(table, "http://a.foo.com/x")) == "308 https://a.foo.com/x"


def test_a_wildcards_certificate_is_not_for_an_empty_label() -> None:
    table = secured("*.foo.com")
    assert table.secure("a.foo.com") and not table.secure(".foo.com")


def test_force_ssl_redirect_needs_no_certificate() -> None:
    table = made(ingress("one", rule("h", path("/")), force_ssl_redirect="true"))
    assert outcome(ask(table, "http://h/x")) == "308 https://h/x"


def test_behind_a_load_balancer_only_trusted_headers_tell_that_it_was_https() -> None:
    table = made(ingress("one", rule("h", path("/")), force_ssl_redirect="true"), use_forwarded_headers=True)
    assert outcome(ask(table, "http://h/x", ("X-Forwarded-Proto", "https"))) == "web"
    assert outcome(ask(table, "http://h/x", ("X-Forwarded-Host", "a, b"))) == "308 https://a/x"


@pytest.mark.parametrize(
    ("annotations", "result"),
    [
        ({"permanent_redirect": "https://new.example"}, "301 https://new.example"),
        ({"permanent_redirect": "https://n$request_uri", "permanent_redirect_code": "308"}, "308 https://n/x?q=1"),
        ({"permanent_redirect": "https://n/${args}$nope", "permanent_redirect_code": "99"}, "301 https://n/q=1$nope"),
        ({"temporal_redirect": "https://t.example", "permanent_redirect": "https://p"}, "302 https://t.example"),
        ({"permanent_redirect": "ftp://n"}, "web"),
    ],
)
def test_redirect_annotations(annotations: dict[str, str], result: str) -> None:
    assert outcome(ask(made(ingress("one", rule("h", path("/x")), **annotations)), "http://h/x?q=1")) == result


def test_app_root_redirects_the_root_alone() -> None:
    table = made(ingress("one", rule("h", path("/")), app_root="/app"))
    assert outcome(ask(table, "http://h:81//?x")) == "302 http://h:81/app"
    assert outcome(ask(table, "http://h/x")) == "web"


def test_from_to_www_redirects_the_other_name() -> None:
    table = made(ingress("one", rule("www.h", path("/")), rule("i", path("/")), from_to_www_redirect="true"))
    assert outcome(ask(table, "http://h/a/")) == "308 http://www.h/a"
    assert outcome(ask(table, "http://www.i/a")) == "308 http://i/a"


def test_from_to_www_leaves_a_name_that_is_taken() -> None:
    table = made(ingress("one", rule("h", path("/")), rule("www.h", path("/", "cart")), from_to_www_redirect="true"))
    assert outcome(ask(table, "http://www.h/")) == "cart"


@pytest.mark.parametrize(
    ("annotations", "result"),
    [
        ({"whitelist_source_range": "198.51.100.0/24,10.0.0.0/8"}, "web"),
        ({"allowlist_source_range": "198.51.100.1/24"}, "web"),
        ({"whitelist_source_range": "10.0.0.0/8"}, "403"),
        ({"whitelist_source_range": "2001:db8::/32"}, "403"),
        ({"whitelist_source_range": "nonsense"}, "503"),
        ({"denylist_source_range": "198.51.100.7"}, "403"),
        ({"denylist_source_range": "10.0.0.0/8"}, "web"),
    ],
)
def test_source_ranges(annotations: dict[str, str], result: str) -> None:
    assert outcome(ask(made(ingress("one", rule("h", path("/x")), **annotations)), "http://h/x")) == result


def test_an_unknown_client_is_in_no_range() -> None:
    closed = made(ingress("one", rule("h", path("/")), whitelist_source_range="10.0.0.0/8"))
    assert outcome(closed.decide(http_request("http://h/"))) == "403"
    open_ = made(ingress("one", rule("h", path("/")), denylist_source_range="10.0.0.0/8"))
    assert outcome(open_.decide(http_request("http://h/"))) == "web"


@pytest.mark.parametrize(
    ("forwarded", "result"),
    [
        ("10.1.1.1", "web"),
        ("10.1.1.1, 198.51.100.1", "web"),
        ("bad, 198.51.100.1", "403"),
        ("10.1.1.1:99", "web"),
        ("", "403"),
    ],
)
def test_source_ranges_look_at_the_leftmost_trusted_address(forwarded: str, result: str) -> None:
    one = ingress("one", rule("h", path("/")), whitelist_source_range="10.0.0.0/8")
    table = made(one, use_forwarded_headers=True)
    assert outcome(ask(table, "http://h/", ("X-Forwarded-For", forwarded))) == result


@pytest.mark.parametrize(
    ("annotations", "length", "result"),
    [
        ({}, "1048577", "413"),
        ({}, "1048576", "web"),
        ({"proxy_body_size": "0"}, "9999999", "web"),
        ({"proxy_body_size": "8k"}, "8193", "413"),
        ({"proxy_body_size": "x"}, "8193", "web"),
        ({}, "x", "web"),
    ],
)
def test_a_body_that_is_too_large(annotations: dict[str, str], length: str, result: str) -> None:
    table = made(ingress("one", rule("h", path("/")), **annotations))
    assert outcome(ask(table, "http://h/", ("Content-Length", length))) == result


def test_phases_end_the_road_in_nginxs_order() -> None:
    table = made(
        ingress("one", rule("h", path("/", "empty")), force_ssl_redirect="true", whitelist_source_range="10.0.0.0/8")
    )
    assert outcome(ask(table, "http://h/x")) == "308 https://h/x"
    assert outcome(ask(table, "https://h/x")) == "503"


def test_service_upstream_proxies_to_the_cluster_ip() -> None:
    web = service("web", cluster_ip=address("10.96.0.9"))
    for port in (80, "http"):
        backend = IngressPath("/", PREFIX, IngressBackend("web", port))
        table = made(ingress("one", rule("h", backend), service_upstream="true"), services=(web,))
        assert [str(each) for each in ask(table, "http://h/").endpoints] == ["10.96.0.9:80"]


def test_service_upstream_without_cluster_ip_or_port_uses_the_pods() -> None:
    table = made(ingress("one", rule("h", path("/")), service_upstream="true"))
    assert len(ask(table, "http://h/").endpoints) == 2
    web = service("web", cluster_ip=address("10.96.0.9"))
    backend = IngressPath("/", PREFIX, IngressBackend("web", "8080"))
    table = made(ingress("one", rule("h", backend), service_upstream="true"), services=(web,))
    assert len(ask(table, "http://h/").endpoints) == 2


def test_the_default_backend_annotation_steps_in_for_a_service_without_pods() -> None:
    table = made(ingress("one", rule("h", path("/", "empty")), default_backend="errors"))
    decision = ask(table, "http://h/")
    assert (outcome(decision), decision.upstream) == ("errors", "custom-default-backend-shop-errors")


@pytest.mark.parametrize("name", ["gone", "empty"])
def test_a_default_backend_without_pods_does_not(name: str) -> None:
    assert outcome(ask(made(ingress("one", rule("h", path("/", "empty")), default_backend=name)), "http://h/")) == "503"


def test_what_is_not_modelled_is_said() -> None:
    table = made(ingress("one", rule("h", path("/")), auth_url="http://auth", proxy_buffering="on"))
    decision = ask(table, "http://h/")
    assert decision.notes == ("nginx.ingress.kubernetes.io/auth-url",)
    assert "not modelled" in why(decision, "nginx.ingress.kubernetes.io/auth-url: http://auth")


# The record ----------------------------------------------------------------------------------


def test_every_location_says_why_it_lost() -> None:
    decision = ask(SIMPLE, "http://shop.example/foo/x")
    assert [(step.rule, step.why) for step in decision.hop.steps] == [
        ("server_name shop.example;", "'shop.example' is this name"),
        ("location /void/", "'/foo/x' does not begin with '/void/'"),
        ("location = /void", "'/foo/x' is not '/void'"),
        ("location = /cart", "'/foo/x' is not '/cart'"),
        ("location /foo/", "'/foo/x' matches first"),
        ("location = /foo", "'/foo/x' is not '/foo'"),
        ("location /", "matches too, but another prefix is longer"),
        ("upstream shop-web-80", "2 ready endpoints"),
    ]


def test_a_prefix_that_lost_to_an_exact_location_says_so() -> None:
    assert why(ask(SIMPLE, "http://shop.example/cart"), "location /") == "matches too, but an exact location goes first"


def test_expressions_say_who_came_first() -> None:
    decision = ask(REGEX, "http://h/foo/x")
    assert why(decision, 'location ~* "^/foo"') == "matches too, but a location before it does"
    assert why(decision, 'location ~* "^/bar"') == "'/foo/x' does not match"


def test_a_prefix_that_lost_to_an_expression_says_so() -> None:
    table = made(ingress("one", rule("", path("/h", type_=SPECIFIC)), use_regex="true"))
    assert (
        why(ask(table, "http://z/healthz"), "location /healthz")
        == "matches too, but a regular expression goes before a prefix"
    )


def test_the_redirecting_location_says_what_is_missing() -> None:
    table = made(ingress("one", rule("h", path("/foo/"))))
    assert why(ask(table, "http://h/foo"), "location = /foo/") == "'/foo' lacks only the slash at the end: 301"


def test_names_that_did_not_match_are_on_record() -> None:
    steps = ask(SIMPLE, "http://x.y.foo.com/").hop.steps
    assert [step.rule for step in steps[:3]] == [
        "server_name (exact)",
        r"server_name ~^(?<subdomain>[\w-]+)\.foo\.com$;",
        "server_name _;",
    ]


def test_a_wildcards_match_is_on_record() -> None:
    steps = ask(SIMPLE, "http://a.foo.com/").hop.steps
    assert steps[1].matched and steps[1].why == "'a.foo.com' matches"


@pytest.mark.parametrize(
    ("url", "last"),
    [
        ("http://shop.example/..", "/.."),
        ("http://h/healthz", "location /nginx_status"),
        ("http://app/", "if ($uri = /) { return 302 $scheme://$http_host/app; }"),
    ],
)
def test_answers_end_with_the_rule_that_caused_them(url: str, last: str) -> None:
    table = made(ingress("one", rule("app", path("/")), app_root="/app"))
    assert ask(table, url).hop.steps[-1].rule == last


def test_a_503_names_its_upstream() -> None:
    assert ask(SIMPLE, "http://shop.example/void").hop.steps[-1].rule == "upstream shop-empty-80"


# The rest ------------------------------------------------------------------------------------


def test_nginx_asks_a_controller_made_for_once() -> None:
    one = ingress("one", rule("h", path("/")))
    decision = nginx(ControllerConfig(), [one], CLASSES, SERVICES, SLICES, http_request("http://h/"), USER)
    assert outcome(decision) == "web"


def test_a_controller_is_made_once_for_a_cluster() -> None:
    cluster, twin = Cluster(), Cluster()
    assert controller(cluster) is controller(cluster)
    assert controller(cluster) is not controller(twin)


def test_a_site_is_found_by_its_host() -> None:
    assert SIMPLE.site("shop.example").host == "shop.example"
    with pytest.raises(KeyError):
        SIMPLE.site("a..b")


def test_local_monitoring_may_read_the_status() -> None:
    decision = SIMPLE.decide(http_request("http://x/nginx_status"), address("127.0.0.1"))
    assert outcome(decision) == "200"


def test_annotations_of_other_makers_are_none_of_ours() -> None:
    assert read_annotations(Ingress("n", "i", annotations={"a/b": "c"})) == read_annotations(Ingress("n", "i"))


def test_an_unreadable_boolean_counts_as_absent() -> None:
    assert read_annotations(ingress("one", ssl_redirect="maybe", use_regex="yes")) == read_annotations(
        ingress("one", ssl_redirect="true")
    )


@pytest.mark.parametrize("upstream", ["", "unix:/run/echo.sock:"])
def test_the_text_for_a_stock_nginx(upstream: str) -> None:
    table = made(
        ingress("regex", rule("r", path(r"/a\d", type_=SPECIFIC)), rewrite_target="/$1"),
        ingress("root", rule("www.app", path("/"), path("/e", "empty")), app_root="/app", from_to_www_redirect="true"),
        ingress("go", rule("go", path("/")), permanent_redirect="https://x", whitelist_source_range="10.0.0.0/8"),
        ingress("no", rule("no", path("/")), whitelist_source_range="x"),
        ingress(
            "ssl",
            rule("ssl", path("/")),
            force_ssl_redirect="true",
            denylist_source_range="10.0.0.1",
            preserve_trailing_slash="true",
        ),
        ingress("off", rule("off", path("/")), ssl_redirect="false"),
    )
    text = render(table, "8080", upstream)
    assert "listen 8080 default_server;" in text and r'location ~* "^/a\\d"' in text
    assert ("proxy_pass http://unix:/run/echo.sock:;" in text) is bool(upstream)


def test_the_text_knows_the_hosts_with_certificates() -> None:
    text = render(secured("h", "*.foo.com"))
    assert r'map $host $secure { default 0; "~^[^.]+\\.foo\\.com$" 1; "h" 1; }' in text
