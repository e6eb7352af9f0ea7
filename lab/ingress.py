"""The ingress controller: nginx, configured from the world's Ingress objects as ingress-nginx configures its own.

For each host a server, for each path a location: Prefix `/foo` is `location /foo/` and `location = /foo`, Exact is
`location =`, what nothing matches is the default backend's 404. A location proxies to the *endpoints* of its
Service, those that are ready, and answers 503 if there are none; three of them are tried at the most.

ingress-nginx picks endpoints in Lua. Here nginx's own round robin picks the first, which is the same; a failed one is
followed by the next in line, as in Lua, whereas nginx's own weighs whom it has left out. How long it waits for a
connection (5 s) is scaled down to `CONNECT`.

Not modelled: annotations, TLS, a default backend of one's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lab.isolation import LabError
from lab.nginx import KEPT, quoted, upstream
from netpath.kubernetes import Cluster, EndpointSlice, Ingress, IngressBackend, IngressPath, PathType, ServicePort

CONNECT = 0.06  # seconds, where the real one has 5
TRIES = 3  # proxy-next-upstream-tries
_PREFIX = "nginx.ingress.kubernetes.io/"


def configuration(cluster: Cluster, keep_alive: bool) -> str:
    """The inside of nginx's http block. `keep_alive`: it uses open connections again."""
    ingresses = sorted(_own(cluster), key=lambda each: each.created)
    hosts: dict[str, dict[tuple[str, PathType], tuple[Ingress, IngressPath]]] = {}
    for ingress in ingresses:
        for rule in ingress.rules:
            paths = hosts.setdefault(rule.host, {})
            for path in rule.paths:
                kind = PathType.EXACT if path.type is PathType.EXACT else PathType.PREFIX
                paths.setdefault((path.path or "/", kind), (ingress, path))  # the oldest keeps what it has
    backends = {
        _name(ingress, path.backend): (ingress, path.backend)
        for paths in hosts.values()
        for ingress, path in paths.values()
    }
    upstreams = {name: _endpoints(cluster, *wanted) for name, wanted in backends.items()}
    more = KEPT if keep_alive else ""
    parts = [text for name, endpoints in upstreams.items() if endpoints for text in _upstreams(name, endpoints, more)]
    locations = {host: "".join(_locations(paths, upstreams, cluster)) for host, paths in hosts.items()}
    parts.append(_server("", locations.pop("", _DEFAULT)))
    return "".join([*parts, *(_server(host, text) for host, text in locations.items())])


def _own(cluster: Cluster) -> Iterator[Ingress]:
    """The Ingresses of the controller's class. Raises `LabError` for one that asks for more than paths."""
    config = cluster.controller
    classes = {each.name for each in cluster.ingress_classes if each.controller == config.controller}
    for ingress in cluster.ingresses:
        if ingress.ingress_class not in classes:
            continue
        asked = [name for name in ingress.annotations if name.startswith(_PREFIX)]
        if asked or ingress.tls or ingress.default_backend:
            raise LabError(f"the lab's ingress controller doesn't know all that Ingress {ingress.key} asks for")
        yield ingress


def _name(ingress: Ingress, backend: IngressBackend) -> str:
    return f"{ingress.namespace}-{backend.service}-{backend.port}"


# Endpoints -----------------------------------------------------------------------------------


def _endpoints(cluster: Cluster, ingress: Ingress, backend: IngressBackend) -> list[str]:
    """The ready endpoints of a Service's port, out of its EndpointSlices."""
    key = f"{ingress.namespace}/{backend.service}"
    services = [each for each in cluster.services if each.key == key]
    ports = [port for each in services for port in each.ports if backend.port in (port.port, port.name)]
    slices = [each for each in cluster.slices if each.service_key == key]
    return list(dict.fromkeys(place for port in ports for each in slices for place in _ready(each, port)))


def _upstreams(name: str, endpoints: list[str], more: str) -> Iterator[str]:
    """All endpoints in turn, each alone, and which of them comes after the one that was tried last."""
    yield upstream(name, endpoints, more)
    yield from (upstream(f"{name}-{number}", (each,), more) for number, each in enumerate(endpoints))
    after = {each: (number + 1) % len(endpoints) for number, each in enumerate(endpoints)}
    lines = "".join(f" {quoted(f'~{re.escape(each)}$')} {name}-{number};" for each, number in after.items())
    yield f"map $upstream_addr {_next(name)} {{ volatile;{lines} }}\n"


def _next(name: str) -> str:
    """The variable with the upstream to try next."""
    return f"$next_{re.sub(r'[^a-z0-9]', '_', name)}"


def _ready(part: EndpointSlice, wanted: ServicePort) -> Iterator[str]:
    for port in part.ports:
        if port.name == wanted.name:
            yield from (f"{each.address}:{port.port}" for each in part.endpoints if each.ready)


# Servers and locations -----------------------------------------------------------------------

_DEFAULT = "  location / { return 404; }\n"


def _server(host: str, locations: str) -> str:
    names = f"server_name {_server_name(host)};" if host else "server_name _;"
    default = "" if host else " default_server"
    return f"server {{\n  listen 80{default};\n  {names}\n  recursive_error_pages on;\n{locations}}}\n"


def _server_name(host: str) -> str:
    """A wildcard stands for exactly one label."""
    return quoted(r"~^(?<subdomain>[\w-]+)\." + host[2:].replace(".", r"\.") + "$") if host[:2] == "*." else host


def _locations(
    paths: dict[tuple[str, PathType], tuple[Ingress, IngressPath]], upstreams: dict[str, list[str]], cluster: Cluster
) -> Iterator[str]:
    exact = {path for path, kind in paths if kind is PathType.EXACT}
    for (path, kind), (ingress, wanted) in paths.items():
        body = _body(_name(ingress, wanted.backend), upstreams, cluster)
        if kind is PathType.EXACT:
            yield f"  location = {quoted(path)} {{{body}}}\n"
        elif path == "/":
            yield f"  location / {{{body}}}\n"
        else:
            yield f"  location {quoted(path.rstrip('/') + '/')} {{{body}}}\n"
            if path not in exact:
                yield f"  location = {quoted(path)} {{{body}}}\n"
    if ("/", PathType.PREFIX) not in paths:
        yield _DEFAULT
    for name in dict.fromkeys(_name(ingress, wanted.backend) for ingress, wanted in paths.values()):
        for number in range(2, TRIES + 1):
            yield f"  location @{name}-{number} {{{_body(name, upstreams, cluster, number)}}}\n"


def _body(name: str, upstreams: dict[str, list[str]], cluster: Cluster, number: int = 1) -> str:
    """Pass a request on for the first, second … time; who fails is followed by another, until the tries are used up."""
    if not upstreams[name]:
        return " return 503; "
    to = name if number == 1 else _next(name)
    then = f"error_page 502 504 = @{name}-{number + 1};" if number < TRIES else ""
    forwarded = "$http_x_forwarded_for" if cluster.controller.use_forwarded_headers else "$remote_addr"
    return f"""
    proxy_pass http://{to};
    proxy_http_version 1.1;
    proxy_next_upstream_tries 1;
    {then}
    proxy_connect_timeout {CONNECT * 1000:.0f}ms;
    proxy_set_header Host $http_host;
    proxy_set_header Connection "";
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For {forwarded};
    proxy_set_header X-Original-Forwarded-For $http_x_forwarded_for;
  """
