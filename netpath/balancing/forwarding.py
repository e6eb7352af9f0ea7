"""What a load balancer changes in a request on its way to the target, and what it answers when that fails.

The target sees a connection from the balancer, so all that it can know of the client is in headers: who it
was (X-Forwarded-For), how it asked (X-Forwarded-Proto, X-Forwarded-Port), which request it is among all the
logs (X-Amzn-Trace-Id). And the user sees only the balancer, so what became of the connection to the target is
told in a status:

============================  ======  =============================================
the connection to the target  answer  what the kernel saw
============================  ======  =============================================
refused, unreachable          502     a reset, or an ICMP error: REJECT
timeout                       504     nothing at all, for 10 seconds: DROP
reset, closed, malformed      502     a connection, but no whole answer
idle                          504     a connection, but no answer in the idle time
============================  ======  =============================================

Sources: ELB user guide (HTTP headers and Application Load Balancers, Request tracing, Transforms for listener
rules, Troubleshoot, Attributes: Host header preservation).

Not modelled: HTTP/1.0 and HTTP/2 from the client; the x-amzn-tls and x-amzn-mtls headers; the rewriting of
X-Amzn-Trace-Id when the headers are over 7 KB; header modification and CORS answers of listener attributes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from types import MappingProxyType

from netpath.balancing.listener import Forward, Listener, Transform
from netpath.balancing.objects import LoadBalancer, TargetGroup
from netpath.errors import InputError
from netpath.packet import Endpoint, HttpRequest, HttpResponse, Verdict

SERVER = "awselb/2.0"
CONNECT_TIMEOUT = 10.0
"""Seconds that a node waits for a target to accept a connection; it can't be set."""

# Going on ------------------------------------------------------------------------------------

# RFC 9110 §7.6.1: these are between two neighbours, and the balancer is one of them.
_HOP_BY_HOP = frozenset(("connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"))
_OURS = frozenset(("host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-amzn-trace-id"))
_ENDS_HERE = _HOP_BY_HOP | _OURS
_VALID_NAME = re.compile(r"[-A-Za-z0-9]+")


def forwarded(
    request: HttpRequest,
    client: Endpoint,
    balancer: LoadBalancer,
    listener: Listener,
    action: Forward | None = None,
    group: TargetGroup | None = None,
    now: float = 0.0,
) -> HttpRequest:
    """The request as the target gets it, over HTTP/1.1: its URL and host transformed, its headers completed.

    `action` brings the matching rule's transforms, `group` the protocol spoken to the target. The answer's
    `host` is the name in the Host header and its `port` the port there, which isn't the target's own.
    Raises `InputError` if a transform makes something that isn't a URL or host: `transformed` says so first.
    """
    if action is not None and action.transforms:
        request = transformed(request, action.transforms)
    host = _host_header(request, balancer, listener)
    name, _, port = host.partition(":")
    scheme = "http" if group is None else group.protocol.lower()
    usual = {"http": 80, "https": 443}[scheme]
    headers = (
        *_forwarded_for(request, client, balancer),
        ("X-Forwarded-Proto", listener.protocol.lower()),
        ("X-Forwarded-Port", str(listener.port)),
        ("Host", host),
        ("X-Amzn-Trace-Id", _trace_id(request, client, now)),
        *_kept(request, balancer.attributes.drop_invalid_header_fields),
    )
    return HttpRequest(name, request.target, request.method, scheme, int(port) if port else usual, headers)


def _kept(request: HttpRequest, drop_invalid: bool) -> list[tuple[str, str]]:
    """The client's own headers, but for those that end here and those that are written anew."""
    gone = _ENDS_HERE
    if named := request.header("Connection"):
        gone = gone.union(token.strip().lower() for token in named.split(","))
    kept = [(name, value) for name, value in request.headers if name.lower() not in gone]
    return [pair for pair in kept if _VALID_NAME.fullmatch(pair[0])] if drop_invalid else kept


def _client_host(request: HttpRequest) -> str:
    """The Host header as the client sent it."""
    sent = request.header("Host")
    if sent is not None:
        return sent
    usual = {"http": 80, "https": 443}[request.scheme] == request.port
    return request.host if usual or ":" in request.host else f"{request.host}:{request.port}"


def _host_header(request: HttpRequest, balancer: LoadBalancer, listener: Listener) -> str:
    """Unless it is preserved, a port comes off for listeners on 80 and 443, and goes on for others."""
    host = _client_host(request)
    if balancer.attributes.preserve_host_header:
        return host
    name, colon, _ = host.partition(":")
    if listener.port in (80, 443):
        return name
    return host if colon else f"{name}:{listener.port}"


def _forwarded_for(request: HttpRequest, client: Endpoint, balancer: LoadBalancer) -> tuple[tuple[str, str], ...]:
    mode = balancer.attributes.xff_header_processing
    sent = tuple(pair for pair in request.headers if pair[0].lower() == "x-forwarded-for")
    if mode == "preserve":
        return sent
    if mode == "remove":
        return ()
    address = str(client) if balancer.attributes.xff_client_port else str(client.address)
    return (("X-Forwarded-For", ", ".join((*(value for _, value in sent), address))),)


def _trace_id(request: HttpRequest, client: Endpoint, now: float) -> str:
    """A new Root, or a Self beside the Root that is there already; other fields stay."""
    what = f"{int(client.address)} {client.port} {request.method} {request.host} {request.target} {now}"
    digest = blake2b(what.encode(), digest_size=12).hexdigest()
    fresh = f"1-{int(now):08x}-{digest}"
    sent = request.header("X-Amzn-Trace-Id")
    fields = [text for text in (sent or "").split(";") if text and not text.startswith("Self=")]
    first = "Self" if any(text.startswith("Root=") for text in fields) else "Root"
    return ";".join((f"{first}={fresh}", *fields))


def transformed(request: HttpRequest, transforms: tuple[Transform, ...]) -> HttpRequest:
    """The request after a rule's transforms. Raises `InputError` where one makes no URL or no host name."""
    for transform in transforms:
        if transform.type == "url-rewrite":
            request = replace(request, target=transform.apply(request.target))
            continue
        host = transform.apply(request.host)
        if not re.fullmatch(r"[-._A-Za-z0-9]+(:\d+)?", host):
            raise InputError("a transform made no host name", field=str(transform), value=host)
        request = replace(request, host=host, headers=tuple(h for h in request.headers if h[0].lower() != "host"))
    return request


# Answering -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Failure:
    """One row of the table of what goes wrong: the status that the user gets, and the verdict's code."""

    status: int
    code: str


FAILURES: Mapping[str, Failure] = MappingProxyType(
    {
        # what became of the connection to the target
        "refused": Failure(502, "ELB_502_TARGET_REFUSED"),
        "unreachable": Failure(502, "ELB_502_TARGET_UNREACHABLE"),
        "reset": Failure(502, "ELB_502_TARGET_RESET"),
        "closed": Failure(502, "ELB_502_TARGET_CLOSED"),
        "malformed": Failure(502, "ELB_502_MALFORMED_RESPONSE"),
        "timeout": Failure(504, "ELB_504_CONNECT_TIMEOUT"),
        "idle": Failure(504, "ELB_504_IDLE_TIMEOUT"),
        # what became of the client
        "client closed": Failure(460, "ELB_460_CLIENT_CLOSED"),
        "client idle": Failure(408, "ELB_408_REQUEST_TIMEOUT"),
        # what is wrong with the request
        "bad request": Failure(400, "ELB_400_BAD_REQUEST"),
        "bad method": Failure(405, "ELB_405_METHOD_NOT_ALLOWED"),
        "long URL": Failure(414, "ELB_414_URI_TOO_LONG"),
        "many addresses": Failure(463, "ELB_463_TOO_MANY_ADDRESSES"),
        "bad transform": Failure(500, "ELB_500_TRANSFORM_FAILED"),
        "bad encoding": Failure(501, "ELB_501_NOT_IMPLEMENTED"),
        # what is wrong with the configuration
        "no target group": Failure(503, "ELBV2_LISTENER_HAS_NO_TG"),
        "no targets": Failure(503, "ELB_503_NO_TARGETS"),
        "no enabled zone": Failure(503, "ELB_INSTALLED_AZ_RESTRICTION"),
        "no target in the zone": Failure(503, "ELB_NOT_CROSSZONE"),
    }
)
"""What goes wrong -> what the user gets."""

# As the servers of ELB word them, which isn't always as RFC 9110 does.
_PHRASES = {
    301: "Moved Permanently",
    302: "Found",
    400: "Bad Request",
    405: "Not Allowed",
    408: "Request Time-out",
    414: "Request-URI Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}


def page(status: int, *headers: tuple[str, str]) -> HttpResponse:
    """The small page that the load balancer itself answers with."""
    title = f"{status} {_PHRASES.get(status, '')}".strip()
    lines = f"<head><title>{title}</title></head>", "<body>", f"<center><h1>{title}</h1></center>", "</body>"
    body = "\r\n".join(("<html>", *lines, "</html>", ""))
    usual = (("Server", SERVER), ("Content-Type", "text/html"), ("Content-Length", str(len(body))))
    return HttpResponse(status, SERVER, (*usual, *headers), body)


_PAGES = {failure.status: page(failure.status) for failure in FAILURES.values()}


def _failure(name: str) -> Failure:
    if name not in FAILURES:
        raise InputError("not a failure", value=name, expected=f"one of {', '.join(FAILURES)}")
    return FAILURES[name]


def answer_for(failure: str) -> HttpResponse:
    """What the user gets when it ends like that. Raises `InputError`.

    >>> answer_for("refused").status, answer_for("timeout").status
    (502, 504)
    """
    return _PAGES[_failure(failure).status]


def verdict_for(failure: str, rule: str = "") -> Verdict:
    """The verdict on it. Raises `InputError`.

    >>> verdict_for("timeout").code
    'ELB_504_CONNECT_TIMEOUT'
    """
    return Verdict(_failure(failure).code, rule)


_LINE, _ALL_HEADERS, _ADDRESSES = 16 * 1024, 64 * 1024, 30


def refusal(request: HttpRequest) -> str | None:
    """Why a request isn't even held against the rules (a key of `FAILURES`), or None.

    The limits are those of the guide's Troubleshoot page: 16 KB for the request line and for each header,
    64 KB for all headers, 30 addresses in X-Forwarded-For.
    """
    if request.method == "TRACE":
        return "bad method"
    if len(request.target) > _LINE - 16:  # the line has the method and `HTTP/1.1` too
        return "long URL"
    if not request.host:
        return "bad request"
    return _header_refusal(request.headers) if request.headers else None


def _header_refusal(headers: tuple[tuple[str, str], ...]) -> str | None:
    total = 0
    addresses = 0
    for name, value in headers:
        size = len(name) + len(value) + 4
        total += size
        if size > _LINE or total > _ALL_HEADERS:
            return "bad request"
        lowered = name.lower()
        if lowered == "x-forwarded-for":
            addresses += value.count(",") + 1
        elif lowered == "transfer-encoding" and value.strip().lower() not in ("chunked", "identity"):
            return "bad encoding"
    return "many addresses" if addresses > _ADDRESSES else None
