"""Listener rules: the examples of AWS's own pages, each as a row, and the laws of wildcards."""

from __future__ import annotations

import re
from fnmatch import translate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netpath.balancing import (
    Condition,
    FixedResponse,
    Forward,
    Listener,
    ListenerRule,
    Redirect,
    Transform,
    WeightedGroup,
    action_class,
)
from netpath.balancing.listener import group_name, regex, wildcard
from netpath.errors import InputError
from netpath.packet import Address, HttpRequest, address

CLIENT = Address("203.0.113.7")
WEB = Forward((WeightedGroup("web"),))
NOT_FOUND = FixedResponse(404)


def request(host: str = "shop.example.com", target: str = "/", method: str = "GET", **headers: str) -> HttpRequest:
    return HttpRequest(host, target, method, headers=tuple((k.replace("_", "-"), v) for k, v in headers.items()))


# Wildcards


@given(st.text("ab*?.", max_size=8), st.text("ab.\n", max_size=12))
def test_a_wildcard_matches_what_a_shell_pattern_matches(pattern: str, text: str) -> None:
    assert bool(wildcard(pattern).fullmatch(text)) == bool(re.match(translate(pattern), text))


@given(st.text(max_size=20), st.booleans())
def test_an_escaped_text_matches_itself_alone(text: str, ignore_case: bool) -> None:
    escaped = re.sub(r"([*?\\])", r"\\\1", text)
    assert wildcard(escaped, ignore_case=ignore_case, escapes=True).fullmatch(text)
    assert not wildcard(escaped, escapes=True).fullmatch(text + "x")


def test_a_hostile_pattern_takes_no_longer_than_its_length() -> None:
    assert not wildcard("*a" * 60 + "b").fullmatch("a" * 16_000)


def test_without_escapes_a_backslash_is_a_character() -> None:
    assert wildcard("a\\*").fullmatch("a\\bc")


# Conditions

HOST = Condition("host-header", ("*.example.com",))
CHROME = Condition("http-header", ("*Chrome*", "*Safari*"), name="User-Agent")
VERSION = Condition("query-string", pairs=(("version", "v1"), (None, "*example*")))
OFFICE = Condition("source-ip", ("192.0.2.0/24", "198.51.100.10/32"))


@pytest.mark.parametrize(
    ("condition", "asked", "met"),
    [
        pytest.param(HOST, request("test.example.com"), True, id="*.example.com matches test.example.com"),
        pytest.param(HOST, request("example.com"), False, id="*.example.com doesn't match example.com"),
        pytest.param(HOST, request("a.b.EXAMPLE.com"), True, id="a host's case doesn't matter, * spans labels"),
        pytest.param(HOST, request("test.example.com:8080"), True, id="the port is no part of the host"),
        pytest.param(
            Condition("host-header", ("Shop.Example.com",)), request(), True, id="nor does the value's own case matter"
        ),
        pytest.param(
            Condition("host-header", ("shop?.example.com",)), request(), False, id="? is exactly one character"
        ),
        pytest.param(
            Condition("path-pattern", ("/img/*",)), request(target="/img/picture.jpg"), True, id="/img/* the picture"
        ),
        pytest.param(
            Condition("path-pattern", ("/img/*/pics",)), request(target="/img/a/pics"), True, id="/img/*/pics"
        ),
        pytest.param(
            Condition("path-pattern", ("/img/*",)), request(target="/IMG/a"), False, id="a path's case matters"
        ),
        pytest.param(
            Condition("path-pattern", ("/cart",)),
            request(target="/cart?x=1"),
            True,
            id="the query is no part of the path",
        ),
        pytest.param(Condition("path-pattern", ("/a", "/b")), request(target="/b"), True, id="one value is enough"),
        pytest.param(CHROME, request(user_agent="Mozilla/5.0 chrome/99"), True, id="a header's case doesn't matter"),
        pytest.param(CHROME, request(user_agent="curl/8"), False, id="a header with another value"),
        pytest.param(CHROME, request(), False, id="a header that isn't there"),
        pytest.param(
            CHROME,
            HttpRequest("x.example", headers=(("user-agent", "curl"), ("USER-AGENT", "Safari"))),
            True,
            id="a header that is there twice is searched twice",
        ),
        pytest.param(
            Condition("http-request-method", ("CUSTOM-METHOD",)), request(method="CUSTOM-METHOD"), True, id="a method"
        ),
        pytest.param(Condition("http-request-method", ("GET",)), request(method="get"), False, id="its case matters"),
        pytest.param(Condition("http-request-method", ("*",)), request(), False, id="no wildcards in methods"),
        pytest.param(VERSION, request(target="/?a=b&VERSION=V1"), True, id="version=v1, in any case"),
        pytest.param(VERSION, request(target="/?version=v2"), False, id="another version"),
        pytest.param(VERSION, request(target="/?anything=an-example-here"), True, id="any key with *example*"),
        pytest.param(VERSION, request(target="/?example"), False, id="a key is not a value"),
        pytest.param(VERSION, request(), False, id="no query at all"),
        pytest.param(
            Condition("query-string", pairs=(("q", r"\*"),)), request(target="/?q=*"), True, id="an escaped asterisk"
        ),
        pytest.param(
            Condition("query-string", pairs=(("q", r"\*"),)), request(target="/?q=ab"), False, id="is no wildcard"
        ),
        pytest.param(OFFICE, request(x_forwarded_for="192.0.2.5"), False, id="X-Forwarded-For is not the source"),
        pytest.param(
            Condition("source-ip", ("2001:db8::/32", "203.0.113.0/24")), request(), True, id="IPv6 and IPv4 blocks"
        ),
        pytest.param(
            Condition("host-header", regex_values=(r"^(.+)\.example\.(com|org)$",)),
            request("Shop.EXAMPLE.org"),
            True,
            id="a regular expression for the host",
        ),
        pytest.param(
            Condition("path-pattern", ("/x",), regex_values=(r"^/api/v\d+/",)),
            request(target="/api/v2/cart"),
            True,
            id="a regular expression beside a value",
        ),
        pytest.param(
            Condition("path-pattern", regex_values=("^/API/",)), request(target="/api/"), False, id="with its case"
        ),
    ],
)
def test_condition(condition: Condition, asked: HttpRequest, met: bool) -> None:
    assert condition.met(asked, CLIENT) is met


@pytest.mark.parametrize(("client", "met"), [("192.0.2.255", True), ("198.51.100.10", True), ("198.51.100.11", False)])
def test_source_ip_is_who_connected(client: str, met: bool) -> None:
    assert OFFICE.met(request(), address(client)) is met


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Condition("cookie", ("a",)), "not a condition field"),
        (lambda: Condition("host-header"), "host-header without a value"),
        (lambda: Condition("query-string", ("a",)), "query-string without a value"),
        (lambda: Condition("path-pattern", ("",)), "1 to 128 characters"),
        (lambda: Condition("path-pattern", ("/" * 129,)), "1 to 128 characters"),
        (lambda: Condition("http-header", ("a",)), "a header's name"),
        (lambda: Condition("path-pattern", ("/",), name="Accept"), "a header's name"),
        (lambda: Condition("http-header", ("a",), name="Host"), "a host-header condition"),
        (lambda: Condition("path-pattern", ("/",), pairs=((None, "a"),)), "query-string only"),
        (lambda: Condition("source-ip", ("10.0.0.0/8",), regex_values=("1",)), "no regular expressions"),
        (lambda: Condition("source-ip", ("10.0.0.1/8",)), "not an IPv4 network"),
        (lambda: Condition("source-ip", ("2001:db8::1/32",)), "not an IPv6 network"),
        (lambda: Transform("path-rewrite", "a", "b"), "not a transform"),
        (lambda: Transform("url-rewrite", "(a)", "$2"), "no such group"),
        (lambda: WeightedGroup("web", 1000), "0 to 999"),
        (lambda: Forward((WeightedGroup("web"),), 0), "1 to 604800 seconds"),
        (lambda: Redirect("FTP"), "not a protocol"),
        (lambda: Redirect("HTTPS", status_code="HTTP_308"), "not a redirect"),
        (lambda: Redirect(port="0"), "not a port"),
        (lambda: Redirect(path="cart"), "not an absolute path"),
        (lambda: Redirect(query="a=b"), "a redirect to itself"),
        (lambda: FixedResponse(302), "2XX, 4XX or 5XX"),
        (lambda: FixedResponse(200, content_type="image/png"), "not a content type"),
        (lambda: FixedResponse(200, "x" * 1025), "at most 1024"),
        (lambda: ListenerRule(None, WEB, (HOST,)), "a default rule has neither"),
        (lambda: ListenerRule(0, WEB), "1 to 50000"),
        (lambda: ListenerRule(1, WEB, (HOST, HOST)), "a condition twice"),
        (lambda: ListenerRule(1, WEB, (), (Transform("url-rewrite", "a", "b"),) * 2), "a transform twice"),
        (lambda: Listener(0, "HTTP", WEB), "1 to 65535"),
        (lambda: Listener(80, "TCP", WEB), "HTTP or HTTPS"),
        (lambda: Listener(80, "HTTP", WEB, (ListenerRule(1, WEB), ListenerRule(1, WEB))), "two rules with one"),
        (lambda: Listener(443, "HTTPS", Redirect("HTTP")), "can't be redirected to HTTP"),
        (lambda: action_class("authenticate-oidc"), "isn't modelled: got 'authenticate-oidc'"),
        (lambda: action_class("teapot"), "not an action: got 'teapot'"),
    ],
)
def test_what_the_api_refuses_is_refused(wrong: object, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        wrong()  # type: ignore[operator]


@pytest.mark.parametrize(
    "pattern", [r"a(?=b)", r"a(?!b)", r"(?<=a)b", r"(?<!a)b", r"(?>a)", r"(a)\1", "a*+", r"\p{L}", r"(?R)", "(", "[a"]
)
def test_an_expression_that_rules_do_not_support_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match="regular expression"):
        regex(pattern)


@pytest.mark.parametrize("pattern", ["[*+]+", r"\++", r"(?:a|b)+", r"\d+\.\w*", "(?i)a"])
def test_an_expression_that_rules_support_is_taken(pattern: str) -> None:
    assert regex(pattern).pattern == pattern


def test_an_action_has_its_class() -> None:
    assert action_class("redirect") is Redirect


def test_an_http_listener_may_redirect_to_http_and_an_https_one_to_https() -> None:
    assert Listener(80, "HTTP", Redirect("HTTP", path="/a")).rules
    assert Listener(443, "HTTPS", Redirect(path="/a"), (ListenerRule(1, WEB),)).rules


# Rules

CART = ListenerRule(10, WEB, (Condition("host-header", ("shop.example.com",)), Condition("path-pattern", ("/cart*",))))
SHOP = ListenerRule(20, Forward((WeightedGroup("all"),)), (HOST,))
LISTENER = Listener(80, "HTTP", NOT_FOUND, (SHOP, CART), "listener-arn")


@pytest.mark.parametrize(
    ("asked", "priority"),
    [
        (request(target="/cart/1"), 10),
        (request(target="/checkout"), 20),
        (request("api.example.com", "/cart"), 20),
        (request("example.org"), None),
    ],
)
def test_the_first_rule_by_priority_whose_conditions_are_all_met_wins(asked: HttpRequest, priority: int | None) -> None:
    assert LISTENER.rule_for(asked, CLIENT).priority == priority


def test_the_default_rule_comes_last_and_keeps_its_arn() -> None:
    default = ListenerRule(None, NOT_FOUND, arn="default-arn")
    listener = Listener(80, "HTTP", NOT_FOUND, (default, ListenerRule(50_000, WEB)))
    assert [(rule.priority, rule.arn) for rule in listener.rules] == [(50_000, ""), (None, "default-arn")]


@pytest.mark.parametrize(
    ("rule", "asked", "why"),
    [
        (CART, request(target="/x"), "path /x is not /cart*"),
        (CART, request("x.example"), "host x.example is not shop.example.com"),
        (CART, request(target="/cart"), "host shop.example.com is shop.example.com; path /cart is /cart*"),
        (ListenerRule(1, WEB, (CHROME,)), request(), "User-Agent (not sent) is not *Chrome* or *Safari*"),
        (ListenerRule(1, WEB, (VERSION,)), request(), "query (none) is not version=v1 or *example*"),
        (ListenerRule(1, WEB, (OFFICE,)), request(), "source 203.0.113.7 is not 192.0.2.0/24 or 198.51.100.10/32"),
        (
            ListenerRule(1, WEB, (Condition("http-request-method", ("POST",)),)),
            request(),
            "method GET is not POST",
        ),
        (ListenerRule(1, WEB), request(), "it has no conditions"),
        (LISTENER.rules[-1], request(), "the default rule takes whatever no other rule took"),
    ],
)
def test_a_rule_says_why(rule: ListenerRule, asked: HttpRequest, why: str) -> None:
    assert rule.step(asked, CLIENT).why == why


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (CART, "priority 10: host-header shop.example.com, path-pattern /cart* -> forward web"),
        (ListenerRule(1, WEB, (CHROME,)), "priority 1: http-header User-Agent: *Chrome* or *Safari* -> forward web"),
        (
            ListenerRule(2, Redirect("HTTPS", port="443", status_code="HTTP_301")),
            "priority 2: -> redirect 301 HTTPS://#{host}:443/#{path}?#{query}",
        ),
        (ListenerRule(3, Redirect("HTTPS", query="")), "priority 3: -> redirect 302 HTTPS://#{host}:#{port}/#{path}"),
        (
            ListenerRule(
                4,
                Forward((WeightedGroup("blue", 10), WeightedGroup("green", 20))),
                (Condition("path-pattern", regex_values=("^/a",)),),
            ),
            "priority 4: path-pattern ~^/a -> forward blue (weight 10) or green (weight 20)",
        ),
        (LISTENER.rules[-1], "default: -> fixed-response 404"),
    ],
)
def test_a_rule_as_text(rule: ListenerRule, text: str) -> None:
    assert str(rule) == text


@pytest.mark.parametrize(
    ("arn", "name"), [("arn:aws:elasticloadbalancing:x:1:targetgroup/web/6d", "web"), ("tg", "tg")]
)
def test_a_group_is_named_by_its_arn(arn: str, name: str) -> None:
    assert group_name(arn) == name


# Redirects


@pytest.mark.parametrize(
    ("action", "target", "location"),
    [
        (Redirect("HTTPS", port="40443"), "/a/b?c=d", "https://shop.example.com:40443/a/b?c=d"),
        (Redirect(path="/new/#{path}"), "/a?c=d", "http://shop.example.com:80/new/a?c=d"),
        (Redirect(host="example.#{host}"), "/", "http://example.shop.example.com:80/"),
        (
            Redirect(path="/#{host}/#{port}", query="#{query}&value=xyz"),
            "/?q",
            "http://shop.example.com:80/shop.example.com/80?q&value=xyz",
        ),
        (Redirect("HTTPS", query="#{protocol}"), "/", "https://shop.example.com:80/?http"),
        (Redirect("HTTPS", query=""), "/?a=b", "https://shop.example.com:80/"),
    ],
)
def test_a_redirect_keeps_what_it_does_not_change(action: Redirect, target: str, location: str) -> None:
    assert action.location(request(target=target), "HTTP", 80) == location


# Transforms


@pytest.mark.parametrize(
    ("transform", "before", "after"),
    [
        (Transform("url-rewrite", r"^\/api\/(.+)$", "/$1"), "/api/cart", "/cart"),
        (Transform("url-rewrite", r"^\/api\/(.+)$", "/$1"), "/cart", "/cart"),
        (Transform("host-header-rewrite", r"^(.+)\.example\.com$", "$1.example.org"), "a.example.com", "a.example.org"),
        (Transform("url-rewrite", "a", r"\1"), "/a/a", r"/\1/a"),
    ],
)
def test_a_transform_replaces_what_it_matches(transform: Transform, before: str, after: str) -> None:
    assert transform.apply(before) == after


def test_a_forward_action_carries_its_rules_transforms() -> None:
    transform = Transform("url-rewrite", "^/api", "")
    action = ListenerRule(1, WEB, (), (transform,)).action
    assert isinstance(action, Forward)
    assert action.transforms == (transform,)


def test_a_transform_as_text() -> None:
    assert str(Transform("url-rewrite", "^/api", "")) == "url-rewrite ^/api to "
