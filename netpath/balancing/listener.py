"""A listener's rules: what an Application Load Balancer looks at in a request, and what it does then.

Rules are tried from the lowest priority number to the highest, and the default rule last. A rule matches
when *all* of its conditions are met; a condition is met when *one* of its values is. So the whole of it is
one table, and the first line that matches wins:

====================  ===========================  ========================  ===============
condition             looks at                     letters' case             wildcards
====================  ===========================  ========================  ===============
host-header           the host, without the port   doesn't matter            `*` and `?`
path-pattern          the path, without the query  matters                   `*` and `?`
http-header           one header, any of its lines doesn't matter            `*` and `?`
http-request-method   the method                   matters                   none
query-string          key=value pairs, as written  doesn't matter            `*`, `?`, `\\`
source-ip             who connected                                          CIDR blocks
====================  ===========================  ========================  ===============

`source-ip` is the connection's own source: an address in X-Forwarded-For never meets it. Sources: ELB user
guide, "Condition types for listener rules"; elbv2 API reference, RuleCondition and RedirectActionConfig.

Not modelled: authenticate-* and jwt-validation actions; the quotas on values, wildcards and rules (they can
be raised); the dialect of regular expressions beyond what Python's has in common with it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Network
from types import MappingProxyType

from netpath.errors import InputError
from netpath.packet import Address, HttpRequest, Step, network

Test = Callable[[str], bool]


class Field(StrEnum):
    """What a condition looks at, by the API's name."""

    HOST_HEADER = "host-header"
    PATH_PATTERN = "path-pattern"
    HTTP_HEADER = "http-header"
    HTTP_REQUEST_METHOD = "http-request-method"
    QUERY_STRING = "query-string"
    SOURCE_IP = "source-ip"


# Patterns ------------------------------------------------------------------------------------


def wildcard(pattern: str, *, ignore_case: bool = False, escapes: bool = False) -> re.Pattern[str]:
    """The regular expression for a pattern with `*` (any characters) and `?` (exactly one).

    With `escapes`, a backslash takes the meaning off a `*`, a `?` or a backslash. The time that a match
    takes is bounded by pattern times text, whatever the pattern: what lies between two `*` is sought once.

    >>> bool(wildcard("/img/*/pics").fullmatch("/img/a/b/pics"))
    True
    """
    token = r"\\[*?\\]|\*|.|\n" if escapes else r"\*|.|\n"
    parts: list[list[str]] = [[]]
    for found in re.findall(token, pattern):
        if found == "*":
            parts.append([])
        else:
            parts[-1].append("." if found == "?" else re.escape(found[-1]))
    head, *middle = ["".join(part) for part in parts]
    tail = f".*{middle.pop()}" if middle else ""
    flags = re.DOTALL | (re.IGNORECASE | re.ASCII if ignore_case else 0)
    return re.compile(head + "".join(f"(?>.*?{part})" for part in middle if part) + tail, flags)


_FOREIGN = re.compile(r"\(\?(?:<?[=!]|>|R|&|\d)|\\[1-9pPgk]|[*+?}]\+")


def regex(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """A regular expression as a rule takes it: no looking around, no back references. Raises `InputError`."""
    bare = re.sub(r"\[[^\]]*\]|\\[^1-9pPgk]", "", pattern)
    if _FOREIGN.search(bare):
        raise InputError("a regular expression that listener rules don't support", value=pattern)
    try:
        return re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    except re.error as problem:
        raise InputError(f"not a regular expression ({problem})", value=pattern) from None


def _any_of(values: Iterable[str], regexes: Iterable[str], *, ignore_case: bool) -> Test:
    """Whether a text is one of the values (which may have wildcards), or one of the expressions is found in it."""
    plain = frozenset(value.lower() if ignore_case else value for value in values if not set(value) & {"*", "?"})
    wild = [wildcard(value, ignore_case=ignore_case).fullmatch for value in values if set(value) & {"*", "?"}]
    tests = [*wild, *(regex(pattern, ignore_case=ignore_case).search for pattern in regexes)]
    if not tests:
        return (lambda text: text.lower() in plain) if ignore_case else plain.__contains__
    return lambda text: (text.lower() if ignore_case else text) in plain or any(test(text) for test in tests)


# Conditions ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a rule: met when one of its values is.

    `values` holds the patterns, the methods or the CIDR blocks; `regex_values` regular expressions (host,
    path and header only); `name` the header's name (http-header only); `pairs` the key and value patterns
    of query-string, the key None for any.

    >>> host = Condition("host-header", ("*.example.com",))
    >>> host.met(HttpRequest("Shop.example.com"), Address("192.0.2.1")), str(host)
    (True, 'host-header *.example.com')
    """

    field: str
    values: tuple[str, ...] = ()
    name: str | None = None
    pairs: tuple[tuple[str | None, str], ...] = ()
    regex_values: tuple[str, ...] = ()
    met: Callable[[HttpRequest, Address], bool] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.field not in _COMPILE:
            raise InputError("not a condition field", value=self.field, expected=f"one of {', '.join(Field)}")
        self._check_shape()
        for text in (*self.values, *self.regex_values, *(part for pair in self.pairs for part in pair)):
            if text is not None and not 0 < len(text) <= 128:
                raise InputError("not a condition value", field=self.field, value=text, expected="1 to 128 characters")
        object.__setattr__(self, "field", Field(self.field))
        object.__setattr__(self, "met", _COMPILE[self.field](self))

    def _check_shape(self) -> None:
        """Every field has its own way to say what it wants."""
        if (self.name is not None) != (self.field == Field.HTTP_HEADER):
            raise InputError("a header's name goes with http-header, and only with it", value=self.name)
        if self.pairs and self.field != Field.QUERY_STRING:
            raise InputError("pairs go with query-string only", value=self.pairs)
        if self.regex_values and self.field not in _WITH_REGEX:
            raise InputError(f"{self.field} takes no regular expressions", value=self.regex_values)
        wanted = self.pairs if self.field == Field.QUERY_STRING else (*self.values, *self.regex_values)
        if not wanted:
            raise InputError(f"{self.field} without a value", value=wanted, expected="at least one")

    def seen(self, request: HttpRequest, client: Address) -> str:
        """What the condition looks at, as this request has it."""
        return _SEEN[self.field](self, request, client)

    @property
    def wanted(self) -> str:
        """The values, as a person reads them."""
        pairs = (value if key is None else f"{key}={value}" for key, value in self.pairs)
        return " or ".join((*self.values, *(f"~{pattern}" for pattern in self.regex_values), *pairs))

    def __str__(self) -> str:
        return f"{self.field} {self.name + ': ' if self.name else ''}{self.wanted}"


def _host(request: HttpRequest) -> str:
    return request.host.partition(":")[0]


def _header_values(request: HttpRequest, name: str | None) -> list[str]:
    wanted = (name or "").lower()
    return [value for key, value in request.headers if key.lower() == wanted]


def _met_by_host(condition: Condition) -> Callable[[HttpRequest, Address], bool]:
    test = _any_of(condition.values, condition.regex_values, ignore_case=True)
    return lambda request, client: test(_host(request))


def _met_by_path(condition: Condition) -> Callable[[HttpRequest, Address], bool]:
    test = _any_of(condition.values, condition.regex_values, ignore_case=False)
    return lambda request, client: test(request.path)


def _met_by_header(condition: Condition) -> Callable[[HttpRequest, Address], bool]:
    if (condition.name or "").lower() == "host":
        raise InputError("http-header can't look at Host", value=condition.name, expected="a host-header condition")
    test = _any_of(condition.values, condition.regex_values, ignore_case=True)
    return lambda request, client: any(test(value) for value in _header_values(request, condition.name))


def _met_by_method(condition: Condition) -> Callable[[HttpRequest, Address], bool]:
    methods = frozenset(condition.values)
    return lambda request, client: request.method in methods


def _met_by_query(condition: Condition) -> Callable[[HttpRequest, Address], bool]:
    def whole(pattern: str) -> Callable[[str], object]:
        return wildcard(pattern, ignore_case=True, escapes=True).fullmatch

    tests = [(None if key is None else whole(key), whole(value)) for key, value in condition.pairs]

    def met(request: HttpRequest, client: Address) -> bool:
        found = [pair.partition("=")[::2] for pair in request.query.split("&")] if request.query else []
        return any((k is None or k(key)) and v(value) for k, v in tests for key, value in found)

    return met


def _met_by_source(condition: Condition) -> Callable[[HttpRequest, Address], bool]:
    blocks = []
    for value in condition.values:
        if ":" in value:
            _check_ipv6(value)  # no IPv4 client is ever in one
        else:
            block = network(value)
            blocks.append((int(block.netmask), int(block.network_address)))
    return lambda request, client: any(int(client) & mask == base for mask, base in blocks)


def _check_ipv6(value: str) -> None:
    try:
        IPv6Network(value)
    except ValueError as problem:
        raise InputError(f"not an IPv6 network ({problem})", value=value, expected="a CIDR block") from None


_COMPILE: Mapping[str, Callable[[Condition], Callable[[HttpRequest, Address], bool]]] = {
    Field.HOST_HEADER: _met_by_host,
    Field.PATH_PATTERN: _met_by_path,
    Field.HTTP_HEADER: _met_by_header,
    Field.HTTP_REQUEST_METHOD: _met_by_method,
    Field.QUERY_STRING: _met_by_query,
    Field.SOURCE_IP: _met_by_source,
}
_WITH_REGEX = (Field.HOST_HEADER, Field.PATH_PATTERN, Field.HTTP_HEADER)
_SEEN: Mapping[str, Callable[[Condition, HttpRequest, Address], str]] = {
    Field.HOST_HEADER: lambda condition, request, client: f"host {_host(request)}",
    Field.PATH_PATTERN: lambda condition, request, client: f"path {request.path}",
    Field.HTTP_HEADER: lambda condition, request, client: (
        f"{condition.name} {', '.join(_header_values(request, condition.name)) or '(not sent)'}"
    ),
    Field.HTTP_REQUEST_METHOD: lambda condition, request, client: f"method {request.method}",
    Field.QUERY_STRING: lambda condition, request, client: f"query {request.query or '(none)'}",
    Field.SOURCE_IP: lambda condition, request, client: f"source {client}",
}


# Transforms ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Transform:
    """A rewrite of the host header or the URL (path and query) before the request goes to a target.

    It doesn't change which rule matches. Where the expression isn't found, the request stays as it is.

    >>> Transform("url-rewrite", r"^/api/(.+)$", "/$1").apply("/api/cart?x=1")
    '/cart?x=1'
    """

    type: str
    regex: str
    replace: str
    _compiled: re.Pattern[str] = dataclasses.field(init=False, repr=False, compare=False)
    _template: str = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.type not in ("url-rewrite", "host-header-rewrite"):
            raise InputError("not a transform", value=self.type, expected="url-rewrite or host-header-rewrite")
        compiled = regex(self.regex)
        groups = [int(number) for number in re.findall(r"\$(\d)", self.replace)]
        if groups and max(groups) > compiled.groups:
            raise InputError("no such group in the expression", field=self.regex, value=self.replace)
        template = re.sub(r"\$(\d)", r"\\g<\1>", self.replace.replace("\\", "\\\\"))
        object.__setattr__(self, "_compiled", compiled)
        object.__setattr__(self, "_template", template)

    def apply(self, text: str) -> str:
        """The text with the first match replaced."""
        return self._compiled.sub(self._template, text, count=1)

    def __str__(self) -> str:
        return f"{self.type} {self.regex} to {self.replace}"


# Actions -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WeightedGroup:
    """A target group in a forward action, with its weight from 0 to 999."""

    arn: str
    weight: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 999:
            raise InputError("not a target group's weight", value=self.weight, expected="0 to 999")

    @property
    def name(self) -> str:
        """The group's name out of its ARN (`…:targetgroup/NAME/ID`), or what stands there instead."""
        return group_name(self.arn)


def group_name(arn: str) -> str:
    """The name in a target group's ARN.

    >>> group_name("arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/6d0ecf831eec9f09")
    'web'
    """
    _, found, rest = arn.partition(":targetgroup/")
    return rest.partition("/")[0] if found else arn


@dataclass(frozen=True, slots=True)
class Forward:
    """Send the request to a target of one of the groups, drawn by their weights.

    With `stickiness_seconds`, who was sent to a group once comes back to it (cookie AWSALBTG).
    """

    groups: tuple[WeightedGroup, ...]
    stickiness_seconds: int | None = None
    transforms: tuple[Transform, ...] = ()

    def __post_init__(self) -> None:
        if self.stickiness_seconds is not None and not 1 <= self.stickiness_seconds <= 604_800:
            raise InputError("not a duration", value=self.stickiness_seconds, expected="1 to 604800 seconds")

    def __str__(self) -> str:
        if len(self.groups) == 1:
            return f"forward {self.groups[0].name}"
        return "forward " + " or ".join(f"{group.name} (weight {group.weight})" for group in self.groups)


_KEYWORD = re.compile(r"#\{(protocol|host|port|path|query)\}")


@dataclass(frozen=True, slots=True)
class Redirect:
    """Tell the client to ask elsewhere; what isn't said stays as it was.

    The parts may use `#{protocol}`, `#{host}`, `#{port}`, `#{path}` (without its leading slash) and `#{query}`.
    """

    protocol: str = "#{protocol}"
    host: str = "#{host}"
    port: str = "#{port}"
    path: str = "/#{path}"
    query: str = "#{query}"
    status_code: str = "HTTP_302"

    def __post_init__(self) -> None:
        if self.protocol not in ("HTTP", "HTTPS", "#{protocol}"):
            raise InputError("not a protocol", value=self.protocol, expected="HTTP, HTTPS or #{protocol}")
        if self.status_code not in ("HTTP_301", "HTTP_302"):
            raise InputError("not a redirect", value=self.status_code, expected="HTTP_301 or HTTP_302")
        if self.port != "#{port}" and not (self.port.isascii() and self.port.isdigit() and 0 < int(self.port) < 65536):
            raise InputError("not a port", value=self.port, expected="1 to 65535, or #{port}")
        if not self.path.startswith("/"):
            raise InputError("not an absolute path", value=self.path, expected="a leading /")
        unchanged = (self.protocol, self.host, self.port, self.path) == (
            "#{protocol}",
            "#{host}",
            "#{port}",
            "/#{path}",
        )
        if unchanged:
            raise InputError("a redirect to itself", value=self.query, expected="another protocol, host, port or path")

    @property
    def status(self) -> int:
        return int(self.status_code.removeprefix("HTTP_"))

    def location(self, request: HttpRequest, protocol: str, port: int) -> str:
        """Where the client is sent, if it asked a listener of that protocol and port.

        >>> Redirect("HTTPS", port="443").location(HttpRequest("a.example", "/x?y=1"), "HTTP", 80)
        'https://a.example:443/x?y=1'
        """
        parts = {
            "protocol": protocol.lower(),
            "host": _host(request),
            "port": str(port),
            "path": request.path[1:],
            "query": request.query,
        }
        scheme, host, number, path, query = (
            _KEYWORD.sub(lambda found: parts[found[1]], text)
            for text in (self.protocol.lower(), self.host, self.port, self.path, self.query)
        )
        return f"{scheme}://{host}:{number}{path}{'?' if query else ''}{query}"

    def __str__(self) -> str:
        query = f"?{self.query}" if self.query else ""
        return f"redirect {self.status} {self.protocol}://{self.host}:{self.port}{self.path}{query}"


_CONTENT_TYPES = ("text/plain", "text/css", "text/html", "application/javascript", "application/json")


@dataclass(frozen=True, slots=True)
class FixedResponse:
    """Answer at once, without any target."""

    status_code: int
    message_body: str = ""
    content_type: str | None = None

    def __post_init__(self) -> None:
        if self.status_code // 100 not in (2, 4, 5):
            raise InputError("not a fixed response's status", value=self.status_code, expected="2XX, 4XX or 5XX")
        if self.content_type not in (None, "", *_CONTENT_TYPES):
            raise InputError("not a content type", value=self.content_type, expected=", ".join(_CONTENT_TYPES))
        if len(self.message_body) > 1024:
            raise InputError("too long a message", value=self.message_body, expected="at most 1024 characters")

    def __str__(self) -> str:
        return f"fixed-response {self.status_code}"


Action = Forward | Redirect | FixedResponse

ACTIONS: Mapping[str, type[Forward] | type[Redirect] | type[FixedResponse]] = MappingProxyType(
    {"forward": Forward, "redirect": Redirect, "fixed-response": FixedResponse}
)


def action_class(kind: str) -> type[Forward] | type[Redirect] | type[FixedResponse]:
    """The class of an action by the API's name for it. Raises `InputError` for those not modelled."""
    if kind not in ACTIONS:
        known = kind in ("authenticate-oidc", "authenticate-cognito", "jwt-validation")
        problem = "an action that isn't modelled" if known else "not an action"
        raise InputError(problem, value=kind, expected=f"one of {', '.join(ACTIONS)}")
    return ACTIONS[kind]


# Rules ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListenerRule:
    """A line of the listener's table; `priority` is None for the default rule, which has no conditions.

    >>> print(ListenerRule(10, Forward((WeightedGroup("web"),)), (Condition("path-pattern", ("/cart*",)),)))
    priority 10: path-pattern /cart* -> forward web
    """

    priority: int | None
    action: Action
    conditions: tuple[Condition, ...] = ()
    transforms: tuple[Transform, ...] = ()
    arn: str = ""
    text: str = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.priority is None and (self.conditions or self.transforms):
            raise InputError("a default rule has neither conditions nor transforms", value=self.conditions)
        if self.priority is not None and not 1 <= self.priority <= 50_000:
            raise InputError("not a rule's priority", value=self.priority, expected="1 to 50000")
        once = [condition.field for condition in self.conditions if condition.field not in _REPEATABLE]
        if len(set(once)) != len(once):
            raise InputError("a condition twice in a rule", value=[str(name) for name in once])
        kinds = [transform.type for transform in self.transforms]
        if len(set(kinds)) != len(kinds):
            raise InputError("a transform twice in a rule", value=kinds)
        if self.transforms and isinstance(self.action, Forward):
            object.__setattr__(self, "action", dataclasses.replace(self.action, transforms=self.transforms))
        wanted = ", ".join(map(str, self.conditions))
        priority = "default" if self.priority is None else f"priority {self.priority}"
        object.__setattr__(self, "text", f"{priority}: {wanted}{' ' if wanted else ''}-> {self.action}")

    def step(self, request: HttpRequest, client: Address) -> Step:
        """The rule as it was consulted, with the first condition that wasn't met, if any."""
        failed = next((c for c in self.conditions if not c.met(request, client)), None)
        if failed is not None:
            why = f"{failed.seen(request, client)} is not {failed.wanted}"
        elif self.conditions:
            why = "; ".join(f"{c.seen(request, client)} is {c.wanted}" for c in self.conditions)
        else:
            why = (
                "the default rule takes whatever no other rule took"
                if self.priority is None
                else "it has no conditions"
            )
        return Step(self.text, failed is None, why, self.arn)

    def __str__(self) -> str:
        return self.text


_REPEATABLE = (Field.HTTP_HEADER, Field.QUERY_STRING)


@dataclass(frozen=True, slots=True)
class Listener:
    """A port that the load balancer answers on, and its rules, which are kept in the order they are tried in.

    `default` is the default rule's action. `InputError` if two rules share a priority.
    """

    port: int
    protocol: str
    default: Action
    rules: tuple[ListenerRule, ...] = ()
    arn: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65535:
            raise InputError("not a port", value=self.port, expected="1 to 65535")
        if self.protocol not in ("HTTP", "HTTPS"):
            raise InputError("not an ALB listener's protocol", value=self.protocol, expected="HTTP or HTTPS")
        explicit = sorted((rule for rule in self.rules if rule.priority is not None), key=lambda r: r.priority or 0)
        priorities = [rule.priority for rule in explicit]
        if len(set(priorities)) != len(priorities):
            raise InputError("two rules with one priority", value=priorities)
        default_arn = next((rule.arn for rule in self.rules if rule.priority is None), self.arn)
        object.__setattr__(self, "rules", (*explicit, ListenerRule(None, self.default, arn=default_arn)))
        if self.protocol == "HTTPS":
            self._check_redirects()

    def _check_redirects(self) -> None:
        for rule in self.rules:
            if isinstance(rule.action, Redirect) and rule.action.protocol == "HTTP":
                raise InputError("HTTPS can't be redirected to HTTP", value=str(rule))

    def rule_for(self, request: HttpRequest, client: Address) -> ListenerRule:
        """The first rule, in order of priority, whose conditions are all met; else the default rule."""
        for rule in self.rules:  # pragma: no branch
            for condition in rule.conditions:
                if not condition.met(request, client):
                    break
            else:
                return rule
        raise AssertionError("the default rule takes every request")  # pragma: no cover
