"""What the specification says of hosts and paths, the documentation's tables among it."""

import json
from pathlib import Path
from typing import Any

import pytest

from netpath.ingress import Backend, Decision, Specification, host_matches, specification
from netpath.kubernetes import (
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
from netpath.packet import address

# Kubernetes documentation, Ingress: path types (examples) and hostname wildcards
CASES: dict[str, Any] = json.loads((Path(__file__).parent / "cases" / "ingress-paths.json").read_text())
REQUESTS = [(case["rules"], request, case["match"]) for case in CASES["paths"] for request in case["requests"]]


def path(type_: str, text: str, service: str = "") -> IngressPath:
    return IngressPath(text, PathType(type_), IngressBackend(service or f"{type_} {text}", 80))


def rule(host: str, *paths: IngressPath) -> IngressRule:
    return IngressRule(host, paths)


def ingress(name: str, *rules: IngressRule, **more: Any) -> Ingress:
    return Ingress("shop", name, rules=rules, **more)


def won(decision: Decision) -> str | None:
    return decision.backend.name if decision.backend else None


@pytest.mark.parametrize(("rules", "request_path", "match"), REQUESTS, ids=str)
def test_the_documentations_path_table(rules: list[list[str]], request_path: str, match: str | None) -> None:
    backend = Backend("kube-system", "default-backend", 80)
    asked = "/any/path" if request_path == "(all paths)" else request_path
    one = ingress("one", rule("", *(path(*each) for each in rules)))
    decision = specification([one], [], [], "host", asked, default_backend=backend)
    expected = match or "default-backend"
    assert won(decision) in (expected, f"Prefix {expected}", f"Exact {expected}"), decision.hop.steps


@pytest.mark.parametrize(("pattern", "host", "matches"), CASES["hosts"], ids=str)
def test_the_documentations_wildcard_table(pattern: str, host: str, matches: bool) -> None:
    assert host_matches(pattern, host) is matches


@pytest.mark.parametrize(("pattern", "matches"), [("", True), ("A.b", True), ("b", False)])
def test_a_precise_host_or_none(pattern: str, matches: bool) -> None:
    assert host_matches(pattern, "a.b") is matches


def hosts(host: str, request_path: str = "/") -> Decision:
    one = ingress(
        "one",
        rule("a.foo.com", path("Prefix", "/only", "exact")),
        rule("*.foo.com", path("Prefix", "/", "wildcard")),
        rule("", path("Prefix", "/", "any")),
    )
    return specification([one], [], [], host, request_path)


@pytest.mark.parametrize(
    ("host", "request_path", "service"),
    [
        ("a.foo.com", "/only/x", "exact"),
        ("A.FOO.com", "/only", "exact"),
        ("b.foo.com", "/", "wildcard"),
        ("foo.com", "/", "any"),
        ("x.b.foo.com", "/", "any"),
        ("localhost", "/", "any"),
    ],
)
def test_the_most_specific_host_decides(host: str, request_path: str, service: str) -> None:
    assert won(hosts(host, request_path)) == service


def test_a_path_that_the_host_lacks_does_not_fall_back_to_another_host() -> None:
    decision = hosts("a.foo.com", "/other")
    assert (decision.hop.verdict.code, decision.status) == ("INGRESS_NO_RULE", 404), decision.hop.steps


def test_that_hosts_have_an_order_is_noted_as_open() -> None:
    assert "no order of hosts" in hosts("a.foo.com", "/only").notes[0]


def test_losers_say_why_they_lost() -> None:
    one = ingress(
        "one", rule("h", path("Prefix", "/"), path("Prefix", "/a"), path("Exact", "/b"), path("Prefix", "/aa"))
    )
    steps = specification([one], [], [], "h", "/a/x").hop.steps
    assert [(step.matched, step.why) for step in steps] == [
        (False, "'/a' is longer"),
        (True, "'/a/x' matches, and no other path is longer"),
        (False, "'/a/x' is not '/b'"),
        (False, "'/a/x' is not under '/aa' element by element"),
    ]


def test_rules_of_less_specific_hosts_say_so() -> None:
    assert hosts("a.foo.com", "/only").hop.steps[1].why == "'a.foo.com' is more specific than '*.foo.com'"


def test_no_host_at_all_is_a_step_too() -> None:
    steps = specification([], [], [], "h", "/").hop.steps
    assert "no rule's host covers 'h'" in steps[0].why


def test_exact_says_that_it_wins_a_tie() -> None:
    one = ingress("one", rule("h", path("Prefix", "/foo"), path("Exact", "/foo")))
    assert specification([one], [], [], "h", "/foo").hop.steps[0].why == "Exact wins over Prefix among equals"


def test_implementation_specific_is_left_open() -> None:
    one = ingress("one", rule("", path("ImplementationSpecific", "", "s")))
    decision = specification([one], [], [], "h", "/x")
    assert won(decision) == "s" and "leaves matching to the controller" in decision.notes[0]


def test_of_two_that_claim_the_same_the_older_is_taken_and_noted() -> None:
    young = ingress("a", rule("h", path("Prefix", "/", "young")), created="2026-01-02")
    old = ingress("b", rule("h", path("Prefix", "/", "old")), created="2026-01-01")
    decision = specification([young, old], [], [], "h", "/")
    assert won(decision) == "old" and "no winner" in decision.notes[0]
    assert decision.hop.steps[1].why.startswith("the same host and path as Ingress shop/b")


def test_an_ingresss_own_default_backend_serves_its_hosts() -> None:
    one = ingress("one", rule("h", path("Exact", "/a")), default_backend=IngressBackend("rest", 80))
    assert won(specification([one], [], [], "h", "/b")) == "rest"


def test_an_ingress_without_rules_serves_every_host() -> None:
    one = ingress("one", default_backend=IngressBackend("rest", 80))
    assert won(specification([one], [], [], "h", "/b")) == "rest"


@pytest.mark.parametrize(
    ("more", "taken"),
    [
        ({"ingress_class": "nginx"}, True),
        ({"ingress_class": "alb"}, False),
        ({"annotations": {"kubernetes.io/ingress.class": "nginx"}}, True),
        ({"annotations": {"kubernetes.io/ingress.class": "alb"}}, False),
        ({}, False),
    ],
)
def test_only_ingresses_of_the_class_count(more: dict[str, Any], taken: bool) -> None:
    one = ingress("one", rule("", path("Prefix", "/", "s")), **more)
    classes = [IngressClass("nginx", "k8s.io/ingress-nginx")]
    assert (won(specification([one], classes, [], "h", "/", ingress_class="nginx")) == "s") is taken


def test_an_ingress_without_class_belongs_to_the_default_class() -> None:
    one = ingress("one", rule("", path("Prefix", "/", "s")))
    classes = [IngressClass("nginx", "k8s.io/ingress-nginx", default=True)]
    assert won(specification([one], classes, [], "h", "/", ingress_class="nginx")) == "s"


def test_the_backend_comes_with_its_service_and_ready_endpoints() -> None:
    service = Service("shop", "web", ports=(ServicePort(80, name="http"),))
    ready, not_yet = SliceEndpoint(address("10.0.0.1")), SliceEndpoint(address("10.0.0.2"), ready=False)
    pods = EndpointSlice("shop", "web-1", "web", (EndpointPort(8080, name="http"),), (ready, not_yet))
    rules = rule("", IngressPath("/", PathType.PREFIX, IngressBackend("web", "http")))
    decision = Specification([ingress("one", rules)], (), [service], [pods]).decide("h", "/")
    assert decision.backend is not None and decision.backend.service is service
    assert [str(each) for each in decision.endpoints] == ["10.0.0.1:8080"]
