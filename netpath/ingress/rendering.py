"""The controller's servers and locations as text: a table for people, an nginx.conf for a real nginx.

`render` writes the server and location blocks that the controller's template would, with the parts of it that
plain nginx can do without Lua: what the Lua code decides (a redirect to HTTPS, 503 without endpoints) stands
there as `return`. So a stock nginx can be asked the same questions as the model.

Not modelled: everything of nginx.tmpl that decides neither the place nor the status.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from netpath.ingress.deciding import Controller
from netpath.ingress.locating import Location, Server
from netpath.ingress.table import Place, Upstream, unescaped


@dataclass(frozen=True, slots=True)
class Row:
    """One location of the controller's nginx: server, location, where it leads, and which Ingress wants it."""

    server: str
    location: str
    upstream: str
    ingress: str
    endpoints: int


def locations(controller: Controller) -> tuple[Row, ...]:
    """Every server and location in nginx's order."""
    return tuple(_rows(controller))


def _rows(controller: Controller) -> Iterator[Row]:
    for server in controller.nginx.servers:
        for location in server.locations:
            place = location.config
            upstream = controller.upstreams.get(place.upstream)
            ingress = place.ingress.key if place.ingress else ""
            count = len(upstream.endpoints) if upstream else 0
            yield Row(" ".join(server.names), location.text, place.upstream, ingress, count)


def quoted(text: str) -> str:
    r"""A word of nginx.conf that nginx reads as this text.

    >>> quoted('a"b')
    '"a\\"b"'
    """
    for plain, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        text = text.replace(plain, escape)
    return f'"{text}"'


def render(controller: Controller, listen: str = "80", upstream: str = "") -> str:
    """The inside of an `http` block for a stock nginx.

    `listen`: an address, a port or `unix:/path`. `upstream`: where every location proxies to (`unix:/path:` or
    `host:port`), with the headers X-Server, X-Location and X-Upstream saying what was chosen; empty: each location
    answers 200 with these three as its body, and there are neither trailing-slash redirects nor source ranges,
    for nothing proxies.
    """
    servers = (_server(controller, server, listen, upstream) for server in controller.nginx.servers)
    return "".join((_HEAD, _certificates(controller), *servers))


_HEAD = """\
server_name_in_redirect off;
port_in_redirect off;
map $request_uri $unslashed { default $request_uri; "~^(?<before_slash>.*)/$" $before_slash; }
map $http_host $redirect_host { default $http_host; "~^(?<before_port>[^:]*):" $before_port; }
"""


def _certificates(controller: Controller) -> str:
    """`$secure`: 1 for the hosts that have a certificate, a wildcard's for one label."""
    names = sorted(controller.table.tls)
    patterns = (name if not name.startswith("*.") else rf"~^[^.]+\.{re.escape(name[2:])}$" for name in names)
    entries = "".join(f" {quoted(pattern)} 1;" for pattern in patterns)
    return f"map $host $secure {{ default 0;{entries} }}\n"


def _server(controller: Controller, server: Server[Place], listen: str, upstream: str) -> str:
    default = " default_server" if server is controller.nginx.default else ""
    names = " ".join(quoted(name) for name in server.names)
    lines = [f"    listen {listen}{default};", f"    server_name {names};"]
    site = next((each for each in controller.table.sites.values() if each.server is server), None)
    if site is not None and site.app_root:
        lines.append(f"    if ($uri = /) {{ return 302 $scheme://$http_host{site.app_root}; }}")
    for location in server.locations:
        lines += _location(controller, server, location, upstream)
    body = "\n".join(lines)
    return f"server {{\n{body}\n}}\n"


def _location(controller: Controller, server: Server[Place], location: Location[Place], upstream: str) -> Iterator[str]:
    modifier = f"{location.modifier} " if location.modifier else ""
    yield f"    location {modifier}{quoted(location.path)} {{"
    for directive in _directives(controller, server, location, upstream):
        yield f"        {directive}"
    yield "    }"


def _directives(
    controller: Controller, server: Server[Place], location: Location[Place], upstream: str
) -> Iterator[str]:
    place = location.config
    asked = place.annotations
    if place.status:
        yield f"return {place.status};"
    elif place.redirect_host:
        yield f"return 308 $scheme://{place.redirect_host}$unslashed;"
    elif asked.denied:
        yield "return 503;"
    else:
        yield f"client_max_body_size {asked.body_size};"
        if asked.redirect is not None:
            yield f"return {asked.redirect[0]} {quoted(asked.redirect[1])};"
        yield from _https(place)  # before `rewrite … break`, which would skip it: Lua runs after both
        if place.rewrites:
            yield f"rewrite {quoted('(?i)' + unescaped(place.path))} {quoted(asked.rewrite_target)} break;"
        found = controller.upstreams.get(place.upstream)
        if found is not None and (found.endpoints or found.builtin):  # else 503 comes before any 403
            yield from _access(place)
        yield from _content(location, server, found, upstream)


def _https(place: Place) -> Iterator[str]:
    asked = place.annotations
    kept = "$request_uri" if asked.preserve_trailing_slash else "$unslashed"
    answer = f"return 308 https://$redirect_host{kept};"
    if asked.force_ssl_redirect:
        yield f"if ($scheme = http) {{ {answer} }}"
    elif asked.ssl_redirect:
        yield "set $plain $scheme$secure;"
        yield f"if ($plain = http1) {{ {answer} }}"


def _access(place: Place) -> Iterator[str]:
    asked = place.annotations
    yield from (f"deny {network};" for network in asked.deny)
    if asked.allow is not None:
        yield from (f"allow {network};" for network in asked.allow)
        yield "deny all;"


def _content(location: Location[Place], server: Server[Place], found: Upstream | None, upstream: str) -> Iterator[str]:
    chosen = (server.names[0], location.text, location.config.upstream)
    if found is None or not (found.endpoints or found.builtin):
        yield "try_files /no-endpoints =503;"  # after any rewrite, as the Lua code
    elif found.builtin and not upstream:
        yield "return 404;"
    elif not upstream:
        yield f"return 200 {quoted('|'.join(chosen).replace('$', '(dollar)'))};"
    if upstream:
        for name, value in zip(("X-Server", "X-Location", "X-Upstream"), chosen, strict=True):
            yield f"proxy_set_header {name} {quoted(value.replace('$', '(dollar)'))};"
        yield f"proxy_pass http://{upstream.removesuffix('/')};"
