"""The ingress-nginx controller's decision about one request: the same answer as its nginx gives, and why.

`Controller` is made once for a cluster; `decide` follows nginx's phases in nginx's order, and the order
matters: a redirect annotation goes before the redirect to HTTPS, that before "no endpoints" (503), and that
before the client's address is looked at (403). Every phase that could have answered is a Step.

=============  =======================================================================  =============
phase          what may end the road there                                              answer
=============  =======================================================================  =============
request line   too long; a path or a Host header that nginx can't accept                414, 400
server         `app-root`, for the path `/`                                             302
find location  the body is too large; a location `/foo/` and the path `/foo`            413, 301
rewrite        unreadable annotation; redirect annotations; nothing left of the path    503, 3xx, 500
Lua            HTTPS wanted; no endpoint                                                308, 503
access         source ranges                                                            403
content        the built-in default backend; else the request is passed on              404
=============  =======================================================================  =============

Not modelled: annotations that `Decision.notes` lists; HTTP/2; a TLS handshake's server name that
differs from the Host header; `$` variables in redirect URLs other than those of `_VARIABLES`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from netpath.ingress.annotations import Annotations
from netpath.ingress.backend import Decision
from netpath.ingress.locating import (
    HEADER_BUFFER,
    Found,
    Location,
    Nginx,
    Selected,
    compiled,
    escape_uri,
    normal_host,
    normal_uri,
    unwire,
    wire,
)
from netpath.ingress.table import DEFAULT_SERVER, HEALTH, STATUS, Place, Site, Table, Upstream, make_table, unescaped
from netpath.kubernetes import Cluster, ControllerConfig, EndpointSlice, Ingress, IngressClass, Service, ServiceType
from netpath.packet import Address, Hop, HttpRequest, HttpResponse, LazySteps, Packet, Step, Verdict

STATION = "ingress controller"
BY = "ingress-nginx"
_LOCALHOST = "127.0.0.1"
_NOTHING: tuple[str, ...] = ()
_NOWHERE = Location("", "/", Place("/", status=404), passes=False)  # nginx without any location that matches
_SLASHLESS = "rewrite-target gives a path without its first slash: nginx sends it so, and most servers answer 400"
_EXTERNAL = "an ExternalName Service: the controller would resolve its name, which is not modelled"
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_GROUP = re.compile(r"\$(\d)")
_ANSWER_CODES = {  # status -> verdict; a redirect has its own
    200: "INGRESS_ANSWERED",
    400: "INGRESS_BAD_REQUEST",
    403: "INGRESS_FORBIDDEN",
    404: "INGRESS_DEFAULT_BACKEND",
    413: "INGRESS_BODY_TOO_LARGE",
    414: "INGRESS_URI_TOO_LONG",
    500: "INGRESS_REWRITE_EMPTY",
}


class Controller:
    """The controller's servers and upstreams for a cluster; `decide` asks them. Never changes."""

    def __init__(self, cluster: Cluster, at: str = "") -> None:
        self.config: ControllerConfig = cluster.controller
        self.at = at or cluster.controller.ingress_class
        self.table: Table = make_table(cluster)
        self.upstreams = self.table.upstreams
        self.nginx: Nginx[Place] = Nginx(self.table.servers, self.table.default)
        self._sites = {id(site.server): site for site in self.table.sites.values()}

    @property
    def problems(self) -> tuple[str, ...]:
        """What the controller would log or refuse, in words."""
        ignored = (f"Ingress {ingress.key}: ignored, {reason}" for ingress, reason in self.table.ignored)
        return (*ignored, *self.table.problems)

    def site(self, host: str) -> Site:
        """The server that answers for a host, as the controller's table has it. Raises `KeyError` for a 400."""
        normal = normal_host(host)
        if normal is None:
            raise KeyError(host)
        return self._sites[id(self.nginx.select(normal).server)]

    def decide(self, request: HttpRequest, remote: Address | None = None, packet: Packet | None = None) -> Decision:
        """Where a request goes. `remote`: the address that the connection came from (None: nobody asks for it)."""
        return _Walk(self, request, remote, packet).decide()

    def claims(self, host: str) -> Iterator[Step]:
        """The Ingresses that have a rule for a host and aren't this controller's, with the reason."""
        for ingress, reason in self.table.ignored:
            if any(rule.host in ("", host) for rule in ingress.rules) or not ingress.rules:
                yield Step(f"Ingress {ingress.key}", False, f"not taken: {reason}", "ingress class")

    def secure(self, host: str) -> bool:
        """Whether a certificate is configured for a host: its own or a wildcard's (certificate.lua)."""
        label, _, rest = host.partition(".")
        return host in self.table.tls or (bool(label) and f"*.{rest}" in self.table.tls)


def nginx(
    controller_config: ControllerConfig,
    ingresses: Sequence[Ingress],
    classes: Sequence[IngressClass],
    services: Sequence[Service],
    slices: Sequence[EndpointSlice],
    request: HttpRequest,
    remote: Address | None = None,
) -> Decision:
    """The controller's decision about one request (make a `Controller` to ask more than once)."""
    cluster = Cluster(
        services=tuple(services),
        slices=tuple(slices),
        ingresses=tuple(ingresses),
        ingress_classes=tuple(classes),
        controller=controller_config,
    )
    return Controller(cluster).decide(request, remote)


class _Identity:
    """A key that compares by identity: hashing a cluster of ten thousand objects takes too long."""

    __slots__ = ("cluster",)

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def __hash__(self) -> int:
        return id(self.cluster)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.cluster is other.cluster


@lru_cache(maxsize=8)
def _controller(key: _Identity) -> Controller:
    return Controller(key.cluster)


def controller(cluster: Cluster) -> Controller:
    """The controller of a cluster, made once for each `Cluster` object."""
    return _controller(_Identity(cluster))


class _Walk:
    """One request on its way through nginx's phases."""

    __slots__ = (
        "controller",
        "found",
        "headers",
        "host",
        "packet",
        "path",
        "query",
        "remote",
        "request",
        "selected",
        "site",
        "uri",
    )

    def __init__(self, controller: Controller, request: HttpRequest, remote: Address | None, packet: Packet | None):
        self.controller = controller
        self.request = request
        self.packet = packet
        self.headers = header_map(request)
        self.remote = client_address(controller.config, self.headers, remote)
        self.selected: Selected[Place] | None = None
        self.found: Found[Place] | None = None
        self.site: Site | None = None
        self.host = self.uri = self.path = ""
        self.query: str | None = None

    def decide(self) -> Decision:
        early = self._request_line() or self._server()
        if early is not None:
            return early
        found = self.found or Found[Place](None)
        location = found.location or _NOWHERE
        place = location.config
        return self._find_config(location, place) or self._rewrite(location, place)

    # the phases ------------------------------------------------------------------------------

    def _request_line(self) -> Decision | None:
        request = self.request
        target = wire(request.target)
        if len(target) > HEADER_BUFFER - len(request.method) - 12:
            return self._answer(414, "large_client_header_buffers 4 8k;")
        normal = normal_uri(target)
        host = normal_host(wire(self.headers.get("host", request.host)))
        if normal is None or host is None:
            return self._answer(400, request.target if normal is None else f"Host: {request.host}")
        self.uri, self.query = normal
        self.path, self.host = self.uri, host
        return None

    def _server(self) -> Decision | None:
        controller = self.controller
        self.selected = selected = controller.nginx.select(self.host)
        self.site = controller._sites.get(id(selected.server))
        if self.site is not None and self.site.app_root and self.uri == "/":
            url = f"{self.request.scheme}://{self.http_host}{self.site.app_root}"
            return self._redirect(302, url, f"if ($uri = /) {{ return 302 $scheme://$http_host{self.site.app_root}; }}")
        self.found = selected.server.find(self.uri)
        return None

    def _find_config(self, location: Location[Place], place: Place) -> Decision | None:
        length = self.headers.get("content-length", "")
        limit = place.annotations.body_size
        if length.isascii() and length.isdigit() and 0 < limit < int(length):
            return self._answer(413, f"client_max_body_size {limit};")
        if self.found is not None and self.found.redirect:
            query = f"?{self.query}" if self.query else ""
            url = f"{self.request.scheme}://{unwire(self.host)}{escape_uri(location.name)}{query}"
            return self._redirect(301, url, location.text)
        if place.redirect_host:
            return self._redirect(308, f"{self.scheme}://{place.redirect_host}{self._unslashed()}", location.text)
        if place.status:
            status = 200 if place.path == STATUS and str(self.remote) == _LOCALHOST else place.status
            return self._answer(status, location.text)
        return None

    def _rewrite(self, location: Location[Place], place: Place) -> Decision:
        asked = place.annotations
        if asked.denied:
            return self._answer(503, asked.denied, code="INGRESS_LOCATION_DENIED")
        if asked.redirect is not None:
            code, url = asked.redirect
            return self._redirect(code, self._expanded(url), f"return {code} {url};")
        target = self.request.target
        if place.rewrites:
            rewritten = self._rewritten(place, f'rewrite "(?i){place.path}" {asked.rewrite_target} break;')
            if isinstance(rewritten, Decision):
                return rewritten
            target = rewritten
        return self._lua(location, place, target)

    def _lua(self, location: Location[Place], place: Place, target: str) -> Decision:
        asked = place.annotations
        if self.scheme == "http" and self._wants_https(asked):
            slashed = asked.preserve_trailing_slash
            request_uri = self.request.target if slashed else self._unslashed()
            url = f"https://{self.best_host.partition(':')[0]}{request_uri}"
            rule = "force-ssl-redirect" if asked.force_ssl_redirect else "ssl-redirect"
            return self._redirect(308, url, f"{rule}: true")
        upstream = self.controller.upstreams.get(place.upstream)
        if upstream is None or not (upstream.endpoints or upstream.builtin):
            return self._no_endpoints(place, upstream)
        if (asked.allow is not None or asked.deny) and not self._allowed(asked):
            return self._answer(403, "deny all;" if asked.allow is not None else "denylist-source-range")
        if upstream.builtin:
            return self._answer(404, f"{location.text}: {upstream.name}")
        return self._proxied(location, place, upstream, target)

    # the outcomes ----------------------------------------------------------------------------

    def _proxied(self, location: Location[Place], place: Place, upstream: Upstream, target: str) -> Decision:
        request = self.request
        if target != request.target:
            request = HttpRequest(request.host, target, request.method, request.scheme, request.port, request.headers)
        hop = self._hop(Verdict("INGRESS_PROXIED", location.text))
        canary = upstream.alternatives[0] if upstream.alternatives else ""
        return Decision(
            hop,
            upstream.backend,
            upstream.endpoints,
            None,
            request,
            self.uri,
            upstream.name,
            canary,
            place,
            self._notes(place),
        )

    def _notes(self, place: Place) -> tuple[str, ...]:
        notes = place.annotations.not_modelled
        return (*notes, _SLASHLESS) if place.rewrites and not self.path.startswith("/") else notes

    def _no_endpoints(self, place: Place, upstream: Upstream | None) -> Decision:
        backend = upstream.backend if upstream else None
        known = backend is not None and backend.service is not None
        code = "INGRESS_NO_ENDPOINTS" if known else "INGRESS_SERVICE_NOT_FOUND"
        return self._answer(503, f"upstream {place.upstream}", code=code, upstream=upstream)

    def _redirect(self, status: int, url: str, rule: str) -> Decision:
        response = HttpResponse(status, BY, (("Location", url),))
        return Decision(self._hop(Verdict("INGRESS_REDIRECTED", rule)), response=response, uri=self.uri)

    def _answer(self, status: int, rule: str, code: str = "", upstream: Upstream | None = None) -> Decision:
        hop = self._hop(Verdict(code or _ANSWER_CODES[status], rule))
        place = self.found.location.config if self.found and self.found.location else None
        return Decision(
            hop,
            upstream.backend if upstream else None,
            response=HttpResponse(status, BY),
            uri=self.uri,
            upstream=upstream.name if upstream else "",
            place=place,
            notes=(*(place.annotations.not_modelled if place else _NOTHING), *_external(upstream)),
        )

    def _hop(self, verdict: Verdict) -> Hop:
        steps = LazySteps(lambda: _steps(self, verdict))
        return Hop(STATION, self.controller.at, self.packet, verdict, steps=steps)

    # what nginx's variables say --------------------------------------------------------------

    @property
    def http_host(self) -> str:
        """`$http_host`: the Host header as it came."""
        given = self.headers.get("host")
        return given if given is not None else host_header(self.request)

    @property
    def best_host(self) -> str:
        """`$best_http_host`: X-Forwarded-Host's first where forwarded headers are trusted."""
        forwarded = self.headers.get("x-forwarded-host") if self.controller.config.use_forwarded_headers else None
        return self.http_host if forwarded is None else forwarded.split(",")[0]

    @property
    def scheme(self) -> str:
        """`$pass_access_scheme`: X-Forwarded-Proto where forwarded headers are trusted."""
        if self.controller.config.use_forwarded_headers:
            return self.headers.get("x-forwarded-proto", self.request.scheme)
        return self.request.scheme

    def _wants_https(self, asked: Annotations) -> bool:
        if asked.force_ssl_redirect:
            return True
        return asked.ssl_redirect and bool(self.controller.table.tls) and self.controller.secure(self.host)

    def _unslashed(self) -> str:
        return self.request.target.removesuffix("/")

    def _allowed(self, asked: Annotations) -> bool:
        # ngx_http_access_module: `deny` lines first, then `allow` lines, then `deny all`
        try:
            address = ipaddress.ip_address(str(self.remote))
        except ValueError:
            return asked.allow is None
        if any(address in network for network in asked.deny):
            return False
        return asked.allow is None or any(address in network for network in asked.allow)

    def _expanded(self, text: str) -> str:
        """A text with nginx's variables put in, those that the model knows."""
        return _VARIABLE.sub(lambda found: self._variable(found[1] or found[2], found[0]), text)

    def _variable(self, name: str, raw: str) -> str:
        known = {
            "request_uri": self.request.target,
            "uri": unwire(self.uri),
            "args": self.query or "",
            "is_args": "?" if self.query else "",
            "host": unwire(self.host),
            "http_host": self.http_host,
            "scheme": self.request.scheme,
        }
        return known.get(name, raw)

    def _rewritten(self, place: Place, rule: str) -> str | Decision:
        """The target after `rewrite "(?i)PATH" TARGET break` (ngx_http_script_regex_end_code)."""
        match = compiled(f"(?i){unescaped(place.path)}").search(self.uri)
        return self.request.target if match is None else self._replaced(place, match, rule)

    def _replaced(self, place: Place, match: re.Match[str], rule: str) -> str | Decision:
        replacement = place.annotations.rewrite_target
        path, mark, own = replacement.partition("?")
        escaped = "%" in self.request.path or "+" in self.request.path
        uri = _grouped(wire(self._expanded(path)), match, False)
        args = _grouped(wire(self._expanded(own)), match, escaped)
        if replacement.startswith(("http://", "https://", "$scheme")):
            return self._redirect(302, uri + self._joined(mark, own, args), rule)
        if not uri:
            return self._answer(500, rule)
        self.path = uri
        tail = self._joined(mark, own, args)
        return (escape_uri(uri) if uri.startswith("/") else "/" + escape_uri(uri)) + tail

    def _joined(self, mark: str, own: str, args: str) -> str:
        """The query after a rewrite: its own, then the request's; a `?` at the end drops the request's."""
        dropped = mark and (not own or own.endswith("?"))
        kept = "" if dropped else self.query or ""
        both = "&".join(part for part in (args.removesuffix("?"), kept) if part)
        return f"?{both}" if both else ""


def header_map(request: HttpRequest) -> dict[str, str]:
    """The headers as nginx's `$http_…` variables have them: by lower-case name, repeated ones joined (since 1.23)."""
    found: dict[str, str] = {}
    for name, value in request.headers:
        key = name.lower()
        found[key] = value if key not in found else f"{found[key]}{'; ' if key == 'cookie' else ', '}{value}"
    return found


def host_header(request: HttpRequest) -> str:
    """The Host header of a request: with its port unless that is the scheme's own."""
    usual = 443 if request.scheme == "https" else 80
    return request.host if request.port == usual or ":" in request.host else f"{request.host}:{request.port}"


def client_address(config: ControllerConfig, headers: dict[str, str], remote: Address | None) -> Address | str | None:
    """`$remote_addr`: the connection's, or the leftmost of X-Forwarded-For where that is trusted.

    `proxy-real-ip-cidr` is 0.0.0.0/0 unless set, so every hop is trusted and ngx_http_realip_module walks to
    the left as long as it can read an address.
    """
    if not config.use_forwarded_headers:
        return remote
    leftmost: Address | str | None = remote
    for part in reversed(re.split(r"[,\s]+", headers.get("x-forwarded-for", "").strip(", "))):
        host = part.rpartition(":")[0] if part.count(":") == 1 else part
        try:
            ipaddress.ip_address(host)
        except ValueError:
            break
        leftmost = host
    return leftmost


def _external(upstream: Upstream | None) -> tuple[str, ...]:
    service = upstream.backend.service if upstream and upstream.backend else None
    return (_EXTERNAL,) if service is not None and service.type is ServiceType.EXTERNAL_NAME else _NOTHING


def _grouped(text: str, match: re.Match[str], escaped: bool) -> str:
    """`$1` and so on; in the query they are escaped if the request's path was (NGX_ESCAPE_ARGS)."""

    def group(found: re.Match[str]) -> str:
        number = int(found[1])
        value = (match[number] or "") if number <= (match.re.groups or 0) else ""
        return re.sub(r"[\x00-\x20\"#%&+<>?\\^`{|};\x7f-\xff]", _percent, value) if escaped else value

    return _GROUP.sub(group, text)


def _percent(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


# The record ----------------------------------------------------------------------------------


def _steps(walk: _Walk, verdict: Verdict) -> Iterator[Step]:
    """Every rule that could have decided, in nginx's order, and the one that did."""
    if walk.selected is None:
        yield Step(verdict.rule, True, verdict.meaning.happened, "request line")
        return
    yield from walk.controller.claims(walk.host)
    yield from _server_steps(walk, walk.selected)
    if walk.found is None:
        yield Step(verdict.rule, True, f"the path is /, and {walk.host!r} has an app-root", "server rewrite")
        return
    yield from _location_steps(walk, walk.selected, walk.found)
    yield from _place_steps(walk, verdict)


def _server_steps(walk: _Walk, selected: Selected[Place]) -> Iterator[Step]:
    if selected.by and not selected.by.startswith("~"):
        yield Step(f"server_name {selected.by};", True, f"{walk.host!r} is this name", "server")
        return
    yield Step("server_name (exact)", False, f"no server has the name {walk.host!r}", "server")
    for pattern, other in walk.controller.nginx.regexes:
        won = other is selected
        why = f"{walk.host!r} matches" if won else f"{walk.host!r} does not match {pattern.pattern!r}"
        yield Step(f"server_name {other.by};", won, why, "server")
        if won:
            return
    yield Step(f"server_name {DEFAULT_SERVER};", True, "no name matches: the default server", "server")


def _location_steps(walk: _Walk, selected: Selected[Place], found: Found[Place]) -> Iterator[Step]:
    for location in selected.server.locations:
        won = location is found.location
        yield Step(location.text, won, _why_location(location, walk.uri, found), _whose(location.config))


def _whose(place: Place) -> str:
    return f"Ingress {place.ingress.key}" if place.ingress else "the controller's own"


def _why_location(location: Location[Place], uri: str, found: Found[Place]) -> str:
    name, winner = location.name, found.location
    if location is winner:
        return f"{uri!r} lacks only the slash at the end: 301" if found.redirect else f"{uri!r} matches first"
    if location.is_regex:
        matches = location.regex.search(uri) is not None
        return "matches too, but a location before it does" if matches else f"{uri!r} does not match"
    if location.modifier == "=":
        return f"{uri!r} is not {name!r}"
    if not uri.startswith(name):
        return f"{uri!r} does not begin with {name!r}"
    if winner is not None and winner.is_regex:
        return "matches too, but a regular expression goes before a prefix"
    exact = winner is not None and winner.modifier == "="
    return "matches too, but an exact location goes first" if exact else "matches too, but another prefix is longer"


def _place_steps(walk: _Walk, verdict: Verdict) -> Iterator[Step]:
    location = walk.found.location if walk.found else None
    if location is None or location.config.path in (HEALTH, STATUS):
        return
    place = location.config
    asked, at = place.annotations, _whose(place)
    if verdict.code not in ("INGRESS_PROXIED", "INGRESS_DEFAULT_BACKEND"):
        yield Step(verdict.rule, True, verdict.meaning.happened, at)
    if place.rewrites:
        rule = f'rewrite "(?i){place.path}" {asked.rewrite_target} break;'
        changed = walk.path != walk.uri
        yield Step(rule, changed, f"{walk.uri!r} becomes {walk.path!r}" if changed else "doesn't apply", at)
    if verdict.code in ("INGRESS_PROXIED", "INGRESS_DEFAULT_BACKEND"):
        upstream = walk.controller.upstreams[place.upstream]
        count = len(upstream.endpoints)
        why = "the controller's own 404" if upstream.builtin else f"{count} ready endpoint{'s' * (count != 1)}"
        yield Step(f"upstream {upstream.name}", True, why, at)
    for name in asked.not_modelled:
        yield Step(f"{name}: {_value(place, name)}", False, "not modelled: it may change what happens", at)


def _value(place: Place, name: str) -> str:
    return place.ingress.annotations.get(name, "") if place.ingress else ""
