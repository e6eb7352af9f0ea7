"""From the controller's decision to one pod: which upstream, which endpoint, which headers, and what if it fails.

nginx doesn't go through the Service's ClusterIP: its Lua balancer picks a ready pod itself, anew for every
request. `pick` says who; `forwarded` says what is sent to it; `again` whether a failure is tried once more
(`proxy_next_upstream`), and `failure` what the user gets in the end. What is remembered between requests is
`ControllerMemory`, one nginx worker's: places in the round, answer times, idle connections to pods.

Not modelled: several workers (each has a memory of its own); `upstream-hash-by-subset`; sending the same
connection to more than one request at once; a limit on how long all tries may take (off by default).
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from hashlib import md5
from typing import TYPE_CHECKING

from netpath.algorithms import Algorithm, ConsistentHash, GcdRoundRobin, PeakEwma, resty_identity
from netpath.choice import Choose
from netpath.ingress.annotations import NONE, Annotations, Canary
from netpath.ingress.backend import Backend, Decision
from netpath.ingress.deciding import BY, client_address, header_map, host_header
from netpath.ingress.locating import compiled
from netpath.ingress.table import Place, Upstream
from netpath.packet import Address, Endpoint, HttpRequest, HttpResponse, Step, quick

if TYPE_CHECKING:
    from netpath.ingress.deciding import Controller

KEEPALIVE = 320  # upstream-keepalive-connections
KEEPALIVE_TIMEOUT = 60.0  # upstream-keepalive-timeout, seconds
IDEMPOTENT = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"))

_LISTENING = {"http": "80", "https": "443"}
_FAILURES = {"refused": 502, "reset": 502, "unreachable": 502, "closed": 502, "timeout": 504}
_NEXT = {"refused": "error", "reset": "error", "unreachable": "error", "closed": "error", "timeout": "timeout"}
_CODES = {502: "INGRESS_BAD_GATEWAY", 504: "INGRESS_GATEWAY_TIMEOUT"}


@quick
@dataclass(frozen=True, slots=True)
class Idle:
    """A connection to a pod that waits for its next request, from the controller's end `source`."""

    endpoint: Endpoint
    since: float
    source: Endpoint


@dataclass(slots=True)
class ControllerMemory:
    """What one nginx worker of the controller remembers from request to request; `idle`: the latest last."""

    algorithms: dict[str, Algorithm[Endpoint]] = field(default_factory=dict)
    rings: dict[str, ConsistentHash[Endpoint]] = field(default_factory=dict)
    idle: list[Idle] = field(default_factory=list)

    def copy(self) -> ControllerMemory:
        algorithms = {name: each.copy() for name, each in self.algorithms.items()}
        return ControllerMemory(algorithms, {name: ring.copy() for name, ring in self.rings.items()}, [*self.idle])

    def reuse(self, endpoint: Endpoint, now: float) -> Endpoint | None:
        """The controller's end of a kept connection to a pod (the one used last), which is now in use again.

        None: there is none, and a new one must be opened.
        """
        while self.idle and now - self.idle[0].since > KEEPALIVE_TIMEOUT:
            del self.idle[0]
        for position in range(len(self.idle) - 1, -1, -1):
            if self.idle[position].endpoint == endpoint:
                return self.idle.pop(position).source
        return None

    def keep(self, endpoint: Endpoint, now: float, source: Endpoint) -> None:
        """A connection from `source` to a pod is free again; of too many the one longest idle is closed."""
        self.idle.append(Idle(endpoint, now, source))
        del self.idle[:-KEEPALIVE]


@quick
@dataclass(frozen=True, slots=True)
class Pick:
    """The pod for a request, why, and the cookie that will bring its client back (`Set-Cookie`)."""

    endpoint: Endpoint
    upstream: str
    backend: Backend | None
    steps: tuple[Step, ...] = ()
    cookie: tuple[str, str] | None = None


def pick(
    controller: Controller,
    memory: ControllerMemory,
    decision: Decision,
    choose: Choose,
    now: float,
    tried: Container[Endpoint] = (),
) -> Pick | None:
    """The pod that a decision's request goes to; None where nginx answers by itself (balancer.lua).

    Whether the canary gets it is decided here, once for a request; for a further try after a failure ask
    `balance`. `tried`: endpoints that failed this very request.
    """
    main = controller.upstreams.get(decision.upstream)
    if main is None or not main.endpoints or decision.request is None:
        return None
    canary = controller.upstreams.get(decision.canary)
    steps: tuple[Step, ...] = ()
    upstream = main
    if canary is not None:
        cookies = _cookies(decision.request)
        chosen, why = _to_canary(main, canary, decision.request, cookies, choose)
        steps = (Step(f"canary {canary.name}", chosen, why, f"upstream {main.name}"),)
        upstream = canary if chosen else main
    return _balance(memory, upstream, decision.request, choose, now, tried, steps)


def balance(
    controller: Controller,
    memory: ControllerMemory,
    picked: Pick,
    decision: Decision,
    choose: Choose,
    now: float,
    tried: Container[Endpoint],
) -> Pick:
    """The next try of a request whose upstream (main or canary) has been chosen before."""
    request = decision.request
    if request is None:
        return picked
    upstream = controller.upstreams[picked.upstream]
    return _balance(memory, upstream, request, choose, now, tried, picked.steps)


def _balance(
    memory: ControllerMemory,
    upstream: Upstream,
    request: HttpRequest,
    choose: Choose,
    now: float,
    tried: Container[Endpoint],
    steps: tuple[Step, ...],
) -> Pick:
    endpoints = upstream.endpoints
    if upstream.affinity is not None:
        return _sticky(memory, upstream, request, choose, now, tried, steps)
    if upstream.hash_by:
        found = _ring(memory, upstream).pick(endpoints, _hash_key(upstream.hash_by, request))
    else:
        algorithm = memory.algorithms.get(upstream.name)
        if algorithm is None:
            # an unknown name falls back to round robin (get_implementation)
            algorithm = PeakEwma() if upstream.load_balance == "ewma" else GcdRoundRobin()
            memory.algorithms[upstream.name] = algorithm
        # round robin knows nothing of failures: with one endpoint all tries go to it
        found = algorithm.pick(endpoints, choose, now, tried if isinstance(algorithm, PeakEwma) else ())
    return Pick(found or endpoints[0], upstream.name, upstream.backend, steps)


def _ring(memory: ControllerMemory, upstream: Upstream) -> ConsistentHash[Endpoint]:
    ring = memory.rings.get(upstream.name)
    if ring is None:
        ring = memory.rings[upstream.name] = ConsistentHash(identity=resty_identity)
    return ring


def _hash_key(hash_by: str, request: HttpRequest) -> str:
    """The value of `upstream-hash-by`, for the variables that a request holds."""
    known = {
        "$request_uri": request.target,
        "$host": request.host.lower(),
        "$uri": request.path,
        "$args": request.query,
        "$scheme": request.scheme,
    }
    text = hash_by
    for name, value in known.items():
        text = text.replace(name, value)
    for name, value in request.headers:
        text = text.replace(f"$http_{name.lower().replace('-', '_')}", value)
    return text


# cookie affinity (balancer/sticky.lua) -------------------------------------------------------


def backend_key(upstream: str) -> str:
    """What a sticky cookie says of the upstream that it is for."""
    inner = md5(upstream.encode(), usedforsecurity=False).hexdigest()
    return md5(f"{inner}{upstream}".encode(), usedforsecurity=False).hexdigest()


def _sticky(
    memory: ControllerMemory,
    upstream: Upstream,
    request: HttpRequest,
    choose: Choose,
    now: float,
    tried: Container[Endpoint],
    steps: tuple[Step, ...],
) -> Pick:
    affinity = upstream.affinity
    ring = _ring(memory, upstream)
    value = _cookies(request).get(affinity.cookie, "") if affinity else ""
    key = value.partition("|")[0]
    known = ring.pick(upstream.endpoints, key) if key else None
    moves_on = affinity is not None and affinity.change_on_failure and known in tried
    if known is not None and not moves_on:
        step = Step(f"cookie {value}", True, f"its key hashes to {known}", f"upstream {upstream.name}")
        return Pick(known, upstream.name, upstream.backend, (*steps, step))
    fresh = [each for each in upstream.endpoints if each not in tried] or list(upstream.endpoints)
    endpoint = fresh[choose("which endpoint does a new cookie hash to?", [1] * len(fresh))]
    key = next(each for each in _keys(now) if ring.pick(upstream.endpoints, each) == endpoint)
    cookie = (affinity.cookie if affinity else "", f"{key}|{backend_key(upstream.name)}")
    return Pick(endpoint, upstream.name, upstream.backend, steps, cookie)


def _keys(now: float) -> Iterator[str]:
    """Keys as a worker makes them (time.pid.number), the numbers in order rather than by lot."""
    number = 0
    while True:
        yield f"{now:.3f}.1.{number}"
        number += 1


def _cookies(request: HttpRequest) -> dict[str, str]:
    header = request.header("Cookie") or ""
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return {name: value for name, equals, value in pairs if equals}


# canaries (balancer.lua, route_to_alternative_balancer) --------------------------------------


def _to_canary(
    main: Upstream, other: Upstream, request: HttpRequest, cookies: dict[str, str], choose: Choose
) -> tuple[bool, str]:
    """Whether the canary gets the request, and what decided it: affinity, header, cookie, weight."""
    canary = other.canary
    if _is_affine(main, cookies):
        return False, "the client's cookie is the main upstream's"
    if not other.endpoints or canary is None:
        return False, "the canary has no ready endpoint"
    if _is_affine(other, cookies):
        return True, "the client's cookie is the canary's"
    decided = _by_header(canary, request) or _by_cookie(canary, cookies)
    if decided is not None:
        return decided
    weight = min(max(canary.weight, 0), canary.total)
    taken = choose("main upstream or canary?", [canary.total - weight, weight]) == 1
    return taken, f"weight {canary.weight} of {canary.total}"


def _is_affine(upstream: Upstream, cookies: dict[str, str]) -> bool:
    affinity = upstream.affinity
    if affinity is None or not upstream.endpoints:
        return False
    return cookies.get(affinity.cookie, "").partition("|")[2] == backend_key(upstream.name)


def _by_header(canary: Canary, request: HttpRequest) -> tuple[bool, str] | None:
    value = request.header(canary.header) if canary.header else None
    if value is None:
        return None
    why = f"header {canary.header}: {value}"
    if canary.header_value:
        return (True, why) if value == canary.header_value else None
    if canary.header_pattern:
        return (True, why) if compiled(canary.header_pattern).search(value) else None
    return (value == "always", why) if value in ("always", "never") else None


def _by_cookie(canary: Canary, cookies: dict[str, str]) -> tuple[bool, str] | None:
    value = cookies.get(canary.cookie) if canary.cookie else None
    return (value == "always", f"cookie {canary.cookie}={value}") if value in ("always", "never") else None


# failures ------------------------------------------------------------------------------------


def _asked(decision: Decision) -> Annotations:
    return decision.place.annotations if isinstance(decision.place, Place) else NONE


def connect_timeout(decision: Decision) -> float:
    """How many seconds nginx waits for a pod to accept a connection (`proxy-connect-timeout`)."""
    return float(_asked(decision).connect_timeout)


def again(decision: Decision, outcome: str, tries: int, sent: bool = False) -> bool:
    """Whether nginx tries a further endpoint after `tries` of them (ngx_http_upstream_next).

    `outcome`: `refused`, `unreachable`, `reset`, `closed` or `timeout`. `sent`: the request had gone out, so
    that a method that isn't idempotent is not repeated.
    """
    asked = _asked(decision)
    if decision.request is not None and sent and decision.request.method not in IDEMPOTENT:
        return "non_idempotent" in asked.next_upstream and _counts(asked, outcome, tries)
    return _counts(asked, outcome, tries)


def _counts(asked: Annotations, outcome: str, tries: int) -> bool:
    return _NEXT[outcome] in asked.next_upstream and (asked.tries == 0 or tries < asked.tries)


def failure(outcome: str) -> tuple[str, HttpResponse]:
    """The verdict and the answer once nobody is left to try: 502, or 504 for silence."""
    status = _FAILURES[outcome]
    return _CODES[status], HttpResponse(status, BY)


def intercepted(controller: Controller, decision: Decision, status: int) -> HttpResponse | Upstream | None:
    """What becomes of a pod's answer under `custom-http-errors`: None (it passes), the upstream asked instead,
    or the built-in default backend's own 404."""
    place = decision.place
    if not isinstance(place, Place) or status not in place.annotations.custom_errors:
        return None
    upstream = controller.upstreams[place.errors]
    return HttpResponse(404, BY) if upstream.builtin else upstream


# headers -------------------------------------------------------------------------------------


def forwarded(controller: Controller, decision: Decision, remote: Address | None, now: float = 0.0) -> HttpRequest:
    """The request as the pod gets it (nginx.tmpl's `proxy_set_header` lines).

    With `use-forwarded-headers` off, the client's X-Forwarded-For is replaced by the address that the connection
    came from, and kept as X-Original-Forwarded-For.
    """
    request = decision.request
    if request is None:
        return HttpRequest("-")
    config = controller.config
    given = header_map(request)
    trusted = config.use_forwarded_headers
    host = given.get("host", host_header(request))
    if trusted and "x-forwarded-host" in given:
        host = given["x-forwarded-host"].split(",")[0]
    scheme = given.get("x-forwarded-proto", request.scheme) if trusted else request.scheme
    own_port = _LISTENING[request.scheme]  # $server_port: nginx's own, not that of the URL
    port = given.get("x-forwarded-port", own_port) if trusted else own_port
    address = str(client_address(config, given, remote) or "")
    asked = _asked(decision)
    added = {
        "Host": asked.upstream_vhost or host,
        "X-Request-ID": given.get("x-request-id") or _request_id(request, remote, now),
        "X-Real-IP": address,
        "X-Forwarded-For": _forwarded_for(config.compute_full_forwarded_for and trusted, given, address, remote),
        "X-Forwarded-Host": host,
        "X-Forwarded-Port": port,
        "X-Forwarded-Proto": scheme,
        "X-Forwarded-Scheme": scheme,
        "X-Scheme": scheme,
        "X-Original-Forwarded-For": given.get("x-forwarded-for", ""),
        "X-Forwarded-Prefix": asked.forwarded_prefix if asked.rewrite_target else "",
    }
    return _with_headers(request, added, _onward_scheme(request, asked))


def _onward_scheme(request: HttpRequest, asked: Annotations) -> str:
    """What is spoken to the pod: plain HTTP, unless `backend-protocol` says otherwise."""
    if asked.backend_protocol == "AUTO_HTTP":
        return request.scheme
    return "https" if asked.backend_protocol in ("HTTPS", "GRPCS") else "http"


def _forwarded_for(full: bool, given: dict[str, str], address: str, remote: Address | None) -> str:
    if not full:
        return address
    # $full_x_forwarded_for: what came, then the connection's own address
    return ", ".join(part for part in (given.get("x-forwarded-for", ""), str(remote or "")) if part)


# what proxy_set_header sets anew, `Proxy` (httpoxy) and what concerns one connection alone
_REPLACED = frozenset(
    (
        *("host", "x-request-id", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port"),
        *("x-forwarded-proto", "x-forwarded-scheme", "x-scheme", "x-original-forwarded-for"),
        *("proxy", "connection", "keep-alive"),
    )
)
_REPLACED_WITH_PREFIX = _REPLACED | {"x-forwarded-prefix"}


def _with_headers(request: HttpRequest, added: dict[str, str], scheme: str) -> HttpRequest:
    """The request with nginx's headers first; an empty `proxy_set_header` is not sent at all."""
    replaced = _REPLACED_WITH_PREFIX if added["X-Forwarded-Prefix"] else _REPLACED
    kept = [pair for pair in request.headers if pair[0].lower() not in replaced]
    new = [pair for pair in added.items() if pair[1]]
    port = request.port if scheme == request.scheme else int(_LISTENING[scheme])
    return HttpRequest(request.host, request.target, request.method, scheme, port, (*new, *kept))


def _request_id(request: HttpRequest, remote: Address | None, now: float) -> str:
    """`$request_id`: 16 random bytes in hexadecimal; here the same for the same request at the same time."""
    text = f"{remote and int(remote)} {now!r} {request.method} {request.host} {request.target}"
    return md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
