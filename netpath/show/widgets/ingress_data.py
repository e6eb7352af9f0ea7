"""A cluster's Ingresses as plain data, from which a page without Python answers as `netpath.ingress` does.

`compiled(cluster)` is what the specification and ingress-nginx make of the Ingresses: rules by host there, servers
and locations here, with every text that a Step could need. `ingress_match.js` matches a host and a path against it.
`compare(cluster, host, path)` is the same question put to netpath itself; that the two agree to the letter, in every
candidate and every reason, is what `tests/test_widget_ingress.py` asks some ten thousand times.

What a reader types is sent as a browser would send it (`sent`), but for dot segments, which browsers resolve before
they send and nginx after it receives: here one sees them.

Not modelled: requests other than a plain GET over HTTP without headers of its own; see `ecmascript` for the few
regular expressions that a page can't answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from netpath.codes import CODES
from netpath.ingress import Annotations, Backend, Controller, Decision, Directory, Place, Specification, controller
from netpath.ingress.locating import Location, Server, normal_host, unwire, wire
from netpath.ingress.spec import Candidate, in_class
from netpath.ingress.table import HEALTH, STATUS, Upstream, unescaped
from netpath.kubernetes import Cluster, Ingress, IngressBackend, PathType, ServiceType
from netpath.packet import Address, HttpRequest
from netpath.show.widgets.ecmascript import ecmascript

Data = dict[str, Any]

_UNSENT = re.compile(r"[^\x21-\x7e]")
_PORT = re.compile(r":[0-9]*\Z")


def sent(typed: str) -> str:
    """The request target for a path as a reader types it: it begins with a slash, and is ASCII without spaces.

    >>> sent("carté"), sent("/a b?c=%2F#top")
    ('/cart%C3%A9', '/a%20b?c=%2F')
    """
    path = typed.partition("#")[0]
    return _UNSENT.sub(lambda found: quote(found[0]), path if path.startswith("/") else f"/{path}")


def bare(host: str) -> str:
    """A host without its port: all that the specification speaks of.

    >>> bare("shop.example.com:8080")
    'shop.example.com'
    """
    return _PORT.sub("", host)


# The same question to netpath ----------------------------------------------------------------


def compare(cluster: Cluster, host: str, path: str, remote: Address | None = None) -> Data:
    """What the specification and ingress-nginx do with a host and a path, told alike (see `told`); why they differ."""
    target = sent(path)
    by_nginx = told(controller(cluster).decide(HttpRequest(host, target), remote))
    specified = told(_specification(cluster).decide(bare(host), target.partition("?")[0]))
    differ = () if same(specified, by_nginx) else _differences(host, target.partition("?")[0], specified, by_nginx)
    return {"target": target, "specification": specified, "nginx": by_nginx, "differ": list(differ)}


def _specification(cluster: Cluster) -> Specification:
    """The Ingresses of the controller's class, and the controller's default backend behind them all."""
    parts = cluster.ingresses, cluster.ingress_classes, cluster.services, cluster.slices
    return Specification(*parts, cluster.controller.ingress_class, _last_resort(cluster))


def _last_resort(cluster: Cluster) -> Backend | None:
    wanted = cluster.controller.default_backend
    service = next((each for each in cluster.services if each.key == wanted and each.ports), None)
    return Backend(service.namespace, service.name, service.ports[0].port, service) if service else None


def told(decision: Decision) -> Data:
    """A decision as plain data: verdict, answer or backend, the path as compared and as sent on, every candidate."""
    response, request = decision.response, decision.request
    return {
        "code": decision.hop.verdict.code,
        "rule": decision.hop.verdict.rule,
        "status": response.status if response else None,
        "location": dict(response.headers).get("Location") if response else None,
        "backend": str(decision.backend) if decision.backend else None,
        "endpoints": [str(each) for each in decision.endpoints],
        "target": request.target if request else None,
        "uri": decision.uri,
        "upstream": decision.upstream,
        "canary": decision.canary,
        "notes": list(decision.notes),
        "steps": [[each.rule, each.matched, each.why, each.at] for each in decision.hop.steps],
    }


def same(specified: Data, by_nginx: Data) -> bool:
    """Whether both send the request to the same Service, or both find no place for it."""
    return by_nginx["status"] in (None, 404, 503) and bool(specified["backend"] == by_nginx["backend"])


_BY_STATUS = {
    301: "nginx wants the slash that the path lacks, and answers with a redirect",
    400: "nginx refuses what it can't read, where the specification only compares",
    403: "an annotation keeps clients out, of which the specification knows nothing",
    414: "nginx has no room for so long a request line",
}
_BY_ANNOTATION = "an annotation answers in the Service's place, of which the specification knows nothing"
_BY_REGEX = (
    "use-regex or a rewrite-target on one path makes a regular expression of every path of the host: it ignores case, "
    "and it matches the beginning of an element too"
)
_BY_HOST = "nginx leaves out the dot at the end of the host"
_BY_SERVER = "each host of a rule is a server of its own, and nginx asks no other for what is missing there"
_BY_OWN = "the controller has an order, names and a default of its own"


def _differences(host: str, path: str, specified: Data, by_nginx: Data) -> Iterator[str]:
    """The reasons for which nginx does something else, the most telling first; at least one."""
    status, uri, named = by_nginx["status"], by_nginx["uri"], normal_host(wire(host))
    cleaned = bool(uri) and uri != path
    regex = by_nginx["rule"].startswith("location ~*")
    dotted = named is not None and unwire(named) != bare(host).lower()
    server = status == 404 and specified["rule"].startswith("defaultBackend")
    answered = status not in (None, 404, 503)
    if cleaned:
        yield f"nginx decodes and cleans the path first: {path!r} is {uri!r}"
    if regex:
        yield _BY_REGEX
    if dotted:
        yield _BY_HOST
    if server:
        yield _BY_SERVER
    if answered:
        yield _BY_STATUS.get(status, _BY_ANNOTATION)
    if not (cleaned or regex or dotted or server or answered):
        yield _BY_OWN


# The data -------------------------------------------------------------------------------------


def compiled(cluster: Cluster, remote: Address | None = None) -> Data:
    """All that it takes to answer for any host and path; `remote` is where connections come from."""
    return {
        "specification": _rules(cluster),
        "nginx": _nginx(controller(cluster), remote),
        "happened": {code: meaning.happened for code, meaning in CODES.items() if code.startswith("INGRESS_")},
    }


def _rules(cluster: Cluster) -> Data:
    """The Ingresses of the controller's class in the order in which they are tried, and what is behind them all."""
    directory, wanted = Directory(cluster.services, cluster.slices), cluster.controller.ingress_class
    mine = [each for each in cluster.ingresses if in_class(each, cluster.ingress_classes, wanted)]
    ordered = sorted(mine, key=lambda each: (each.created, each.key))
    last = _last_resort(cluster)
    return {
        "ingresses": [_ingress(directory, each) for each in ordered],
        "default": {"wanted": str(last), **_backend(directory, last)} if last else None,
    }


def _ingress(directory: Directory, ingress: Ingress) -> Data:
    candidates = [
        _candidate(directory, Candidate(ingress, rule.host.lower(), path))
        for rule in ingress.rules
        for path in rule.paths
    ]
    return {
        "at": f"Ingress {ingress.key}",
        "hosts": [rule.host.lower() for rule in ingress.rules],
        "candidates": candidates,
        "default": _target(directory, ingress, ingress.default_backend),
    }


def _candidate(directory: Directory, candidate: Candidate) -> Data:
    path = candidate.path
    return {
        "host": candidate.host,
        "text": candidate.text,
        "path": path.path,
        "exact": path.type is PathType.EXACT,
        "open": path.type is PathType.IMPLEMENTATION_SPECIFIC,
        "rank": [int(each) for each in candidate.rank],
        **(_target(directory, candidate.ingress, path.backend) or {}),
    }


def _target(directory: Directory, ingress: Ingress, wanted: IngressBackend | None) -> Data | None:
    """What an Ingress's backend stands for, and the default's text."""
    if wanted is None:
        return None
    return {"wanted": str(wanted), **_backend(directory, directory.backend(ingress.namespace, wanted))}


def _backend(directory: Directory, backend: Backend) -> Data:
    return {"backend": str(backend), "endpoints": _texts(directory.endpoints(backend))}


def _texts(values: Iterable[object]) -> list[str]:
    return [str(each) for each in values]


# nginx ----------------------------------------------------------------------------------------


def _nginx(made: Controller, remote: Address | None) -> Data:
    """The servers in nginx's order, and what is looked up by name."""
    roots = {id(site.server): site.app_root for site in made.table.sites.values()}
    places = {id(server): place for place, server in enumerate(made.nginx.servers)}
    return {
        "servers": [_server(server, roots.get(id(server), ""), remote) for server in made.nginx.servers],
        "default": places[id(made.nginx.default)],
        "regexes": [
            {
                "server": places[id(selected.server)],
                "by": selected.by,
                "regex": _regex(selected.by[1:], selected.by != selected.by.lower()),
                "pattern": pattern.pattern,
            }
            for pattern, selected in made.nginx.regexes
        ],
        "certificates": sorted(made.table.tls),
        "ignored": [
            {"hosts": [rule.host for rule in ingress.rules], "rule": f"Ingress {ingress.key}", "why": reason}
            for ingress, reason in made.table.ignored
        ],
        "upstreams": {name: _upstream(upstream) for name, upstream in made.upstreams.items()},
    }


def _server(server: Server[Place], root: str, remote: Address | None) -> Data:
    locations = [_location(location, remote) for location in server.locations]
    return {"names": list(server.names), "root": root, "locations": locations}


def _location(location: Location[Place], remote: Address | None) -> Data:
    """A location and what it does; `silent`: the controller's own, of which there is no more to tell."""
    place = location.config
    asked = place.annotations
    return {
        "text": location.text,
        "modifier": location.modifier,
        "name": location.name,
        "slash": location.redirects,
        "regex": _regex(location.path, location.modifier == "~*") if location.is_regex else None,
        "at": f"Ingress {place.ingress.key}" if place.ingress else "the controller's own",
        "silent": place.path in (HEALTH, STATUS),
        "status": 200 if place.path == STATUS and str(remote) == "127.0.0.1" else place.status,
        "elsewhere": place.redirect_host,
        "denied": asked.denied,
        "redirect": list(asked.redirect) if asked.redirect else None,
        "rewrite": _rewrite(place),
        "https": "force-ssl-redirect" if asked.force_ssl_redirect else "ssl-redirect" if asked.ssl_redirect else "",
        "slashed": asked.preserve_trailing_slash,
        "ranges": "" if _allows(asked, remote) else "denylist-source-range" if asked.allow is None else "deny all;",
        "upstream": place.upstream,
        "unmodelled": [[name, f"{name}: {_value(place, name)}"] for name in asked.not_modelled],
    }


def _value(place: Place, name: str) -> str:
    return place.ingress.annotations.get(name, "") if place.ingress else ""


def _regex(pattern: str, ignore_case: bool, captures: bool = False) -> Data:
    """What `new RegExp` takes, and the pattern; its source None where only Python can answer."""
    return {"source": ecmascript(pattern, captures), "flags": "i" if ignore_case else "", "pattern": pattern}


def _rewrite(place: Place) -> Data | None:
    if not place.rewrites:
        return None
    target = place.annotations.rewrite_target
    text = f'rewrite "(?i){place.path}" {target} break;'
    return {"text": text, "regex": _regex(unescaped(place.path), True, "$" in target), "target": target}


def _allows(asked: Annotations, remote: Address | None) -> bool:
    """Whether the source ranges let a client in; without an address only those that let in everybody else."""
    if remote is None:
        return asked.allow is None
    listed = asked.allow is None or any(remote in network for network in asked.allow)
    return listed and not any(remote in network for network in asked.deny)


def _upstream(upstream: Upstream) -> Data:
    backend = upstream.backend
    service = backend.service if backend else None
    return {
        "backend": str(backend) if backend else None,
        "known": service is not None,
        "external": service is not None and service.type is ServiceType.EXTERNAL_NAME,
        "endpoints": _texts(upstream.endpoints),
        "builtin": upstream.builtin,
        "canary": upstream.alternatives[0] if upstream.alternatives else "",
    }
