"""A node of the load balancer: nginx with the listener's rules and the target groups.

A rule's conditions become maps of 0 and 1, the first rule whose conditions are all 1 gives its number, and the number
says what happens: an answer, a redirect, or a target group. A target that doesn't answer in time is a 504, one that
refuses a 502, and nobody is asked instead: as the load balancer says of itself.

How long it waits for a connection (10 s) is scaled down to `CONNECT`, which alters no answer.

Not modelled: conditions other than host and path, transforms, stickiness, HTTPS, authentication; the algorithms
are nginx's own of the same kind, and begin with the first target.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.isolation import LabError
from lab.nginx import DOLLAR, KEPT, literal, quoted, upstream, wildcard
from netpath.balancing import (
    Action,
    Condition,
    Field,
    FixedResponse,
    Forward,
    Listener,
    LoadBalancer,
    Node,
    Redirect,
    Target,
    TargetGroup,
)

CONNECT = 0.1  # seconds, where the real one has 10

_ALGORITHMS = {"round_robin": "", "least_outstanding_requests": "least_conn;", "weighted_random": "random;"}
_KEYWORDS = {
    "#{protocol}": "$scheme",
    "#{host}": "$host",
    "#{port}": "$server_port",
    "#{path}": "$asked_path",
    "#{query}": "$args",
}


def configuration(balancer: LoadBalancer, node: Node, keep_alive: bool) -> str:
    """The inside of nginx's http block for one node. `keep_alive`: it uses open connections again."""
    parts = [DOLLAR, 'map $request_uri $asked_path { "~^/(?<path>[^?]*)" $path; }\n']
    for group in balancer.target_groups:
        parts.append(_upstream(balancer, group, node, KEPT if keep_alive else ""))
    for listener in balancer.listeners:
        if listener.protocol == "HTTP":
            parts += _listener(balancer, listener, node)
    return "".join(parts)


# Targets -------------------------------------------------------------------------------------


def _upstream(balancer: LoadBalancer, group: TargetGroup, node: Node, more: str) -> str:
    """A target group as this node uses it; one without targets isn't there at all."""
    targets = _used(balancer, group, node)
    if not targets:
        return ""
    algorithm = _ALGORITHMS[group.attributes.algorithm]
    return upstream(group.name, (target.endpoint for target in targets), f"{algorithm} {more}")


def _used(balancer: LoadBalancer, group: TargetGroup, node: Node) -> list[Target]:
    """Registered, in an enabled zone (without cross-zone, the node's own), healthy; if none is healthy, all."""
    enabled = {zone.name for zone in balancer.zones} if group.cross_zone else {node.zone}
    near = [target for target in group.targets if target.zone in (None, "all") or target.zone in enabled]
    registered = [target for target in near if target.health.registered]
    return [target for target in registered if target.health.healthy] or registered


# Rules ---------------------------------------------------------------------------------------


def _listener(balancer: LoadBalancer, listener: Listener, node: Node) -> Iterator[str]:
    """Maps from a request to the number of its rule, and a server that acts by it."""
    name = f"p{listener.port}"
    conditions = [(number, condition) for number, rule in enumerate(listener.rules) for condition in rule.conditions]
    yield from (_condition(f"{name}_{index}", condition) for index, (_, condition) in enumerate(conditions))
    owners = [number for number, _ in conditions]
    yield _first(name, owners, len(listener.rules))
    forwards: dict[int, Forward] = {}
    answers = []
    for number, rule in enumerate(listener.rules):
        if isinstance(rule.action, Forward):
            forwards[number] = rule.action
        else:
            answers.append(f"  if ($rule_{name} = {number}) {{ return {_answer(rule.action)}; }}\n")
    there = {group.name for group in balancer.target_groups if _used(balancer, group, node)}
    yield from _groups(name, forwards, there)
    yield f"server {{\n  listen {node.address}:{listener.port};\n  default_type text/plain;\n{''.join(answers)}"
    yield f"  if ($group_{name} = none) {{ return 503; }}\n{_proxy(f'$group_{name}', balancer, listener)}}}\n"


def _condition(name: str, condition: Condition) -> str:
    """A map to 1 if one of the condition's patterns fits. Hosts compare without case, paths with it."""
    if condition.regex_values or condition.field not in (Field.HOST_HEADER, Field.PATH_PATTERN):
        raise LabError(f"the lab's load balancer has no condition {condition}")
    source, sign = ("$host", "~*") if condition.field == Field.HOST_HEADER else ("/$asked_path", "~")
    lines = "".join(f" {quoted(sign + wildcard(value))} 1;" for value in condition.values)
    return f'map "{source}" $is_{name} {{ default 0;{lines} }}\n'


def _first(name: str, owners: list[int], rules: int) -> str:
    """A map from all conditions' findings to the number of the first rule that has no 0 among its own."""
    findings = "".join(f"$is_{name}_{index}" for index in range(len(owners)))
    patterns = ((number, "".join("1" if owner == number else "." for owner in owners)) for number in range(rules))
    lines = "".join(f' "~^{pattern}$" {number};' for number, pattern in patterns)
    return f'map "{findings}" $rule_{name} {{{lines} }}\n'


def _groups(name: str, forwards: dict[int, Forward], there: Iterable[str]) -> Iterator[str]:
    """A map from the rule's number to a target group; of several groups, one is drawn by weight for each request."""
    lines = []
    for number, action in forwards.items():
        total = sum(group.weight for group in action.groups)
        drawn = f"$drawn_{name}_{number}"
        shares = [(group.name if group.name in there else "none", group.weight) for group in action.groups]
        if not total:
            lines.append(f" {number} none;")
        elif len(shares) == 1:
            lines.append(f" {number} {shares[0][0]};")
        else:
            *some, last = [(group, weight) for group, weight in shares if weight]
            parts = "".join(f" {100 * weight / total:.2f}% {group};" for group, weight in some)
            yield f"split_clients $request_id {drawn} {{{parts} * {last[0]}; }}\n"
            lines.append(f" {number} {drawn};")
    yield f"map $rule_{name} $group_{name} {{ default none;{''.join(lines)} }}\n"


def _answer(action: Action) -> str:
    """What `return` needs for an answer that asks no target."""
    if isinstance(action, FixedResponse):
        return f"{action.status_code} {literal(action.message_body)}"
    if not isinstance(action, Redirect):
        raise LabError(f"the lab's load balancer can't {action}")
    query = "$is_args$args" if action.query == "#{query}" else f"?{action.query}" if action.query else ""
    text = f"{action.protocol.lower()}://{action.host}:{action.port}{action.path}{query}"
    for keyword, variable in _KEYWORDS.items():
        text = text.replace(keyword, variable)
    return f"{action.status} {quoted(text)}"


def _proxy(group: str, balancer: LoadBalancer, listener: Listener) -> str:
    return f"""  location / {{
    proxy_pass http://{group};
    proxy_http_version 1.1;
    proxy_next_upstream off;
    proxy_connect_timeout {CONNECT * 1000:.0f}ms;
    proxy_read_timeout {balancer.attributes.idle_timeout:.0f}s;
    proxy_set_header Host $http_host;
    proxy_set_header Connection "";
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto {listener.protocol.lower()};
    proxy_set_header X-Forwarded-Port {listener.port};
  }}
"""
