"""From Ingresses to nginx's servers and locations, as the ingress-nginx controller does it.

A reading of internal/ingress/controller/controller.go (`createUpstreams`, `createServers`,
`getBackendServers`, `mergeAlternativeBackends`), location.go (`updateServerLocations`) and
template/template.go (`buildLocation`, `buildServerName`), in their order, for the order decides:

- Ingresses are taken oldest first (of equal age, the greater name first); the first to claim a host and
  path of a type keeps it;
- ImplementationSpecific is Prefix to this controller, and `*.foo.com` a regular expression of one label;
- Prefix `/foo` becomes `location /foo/` and `location = /foo`, unless one path of the host has
  use-regex or a rewrite-target: then *all* of its paths are `~* "^PATH"`, longest first;
- an Ingress that nginx or the admission webhook would refuse is left out and said (`problems`).

Not modelled: Secrets (a certificate counts as there when the Ingress has a `tls` section, and as valid for
its hosts alone), snippets, TCP and UDP services, SSL passthrough, authentication, rate limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from netpath.errors import InputError
from netpath.ingress.annotations import NONE, Affinity, Annotations, Canary, read_annotations
from netpath.ingress.backend import Backend, Directory
from netpath.ingress.locating import Location, Server, compiled
from netpath.ingress.spec import CLASS_ANNOTATION
from netpath.kubernetes import Cluster, ControllerConfig, Ingress, IngressBackend, IngressClass, PathType
from netpath.packet import Endpoint

DEFAULT_SERVER = "_"
DEFAULT_UPSTREAM = "upstream-default-backend"
HEALTH, STATUS = "/healthz", "/nginx_status"

_STRICT_PATH = re.compile(r"(?i)/[a-z0-9._\-/]*\Z")  # internal/ingress/inspector/rules.go
_PLAIN_BREAKS = re.compile(r'[\s;{"\']')  # what ends or spoils an unquoted word of nginx.conf
_ESCAPED = re.compile(r"\\([\"'\\trn])")
_CONTROLS = {"t": "\t", "r": "\r", "n": "\n"}
_ROOT = replace(NONE, ssl_redirect=False)  # the default server's own location has no Ingress to annotate it


@dataclass(frozen=True, slots=True)
class Upstream:
    """A Service's port as the controller balances it. No endpoints: 503. `builtin`: the controller's own 404."""

    name: str
    endpoints: tuple[Endpoint, ...] = ()
    backend: Backend | None = None
    load_balance: str = "round_robin"
    hash_by: str = ""
    affinity: Affinity | None = None
    canary: Canary | None = None
    alternatives: tuple[str, ...] = ()
    builtin: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """What a location does. `default`: no path of an Ingress stands behind it; `status`: it answers by itself."""

    path: str
    upstream: str = DEFAULT_UPSTREAM
    annotations: Annotations = _ROOT
    ingress: Ingress | None = None
    default: bool = False
    errors: str = DEFAULT_UPSTREAM
    status: int = 0
    redirect_host: str = ""

    @property
    def rewrites(self) -> bool:
        """needsRewrite (location.go)."""
        return bool(self.annotations.rewrite_target) and self.annotations.rewrite_target != self.path


@dataclass(slots=True)
class _Draft:
    """A location while the table is being made."""

    path: str
    type: PathType
    upstream: str
    annotations: Annotations
    ingress: Ingress | None = None
    default: bool = False
    errors: str = DEFAULT_UPSTREAM

    @property
    def regex(self) -> bool:
        target = self.annotations.rewrite_target
        return self.annotations.use_regex or bool(target and target != self.path)

    def place(self) -> Place:
        return Place(self.path, self.upstream, self.annotations, self.ingress, self.default, self.errors)


@dataclass(slots=True)
class Site:
    """A server while the table is being made, and what of it isn't a location."""

    host: str
    drafts: list[_Draft]
    aliases: tuple[str, ...] = ()
    tls: bool = False
    www: bool = False
    app_root: str = ""
    server: Server[Place] | None = None


@dataclass(slots=True)
class Table:
    """The controller's model: upstreams by name, servers in nginx's order, and what was left out and why."""

    upstreams: dict[str, Upstream] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)
    servers: tuple[Server[Place], ...] = ()
    default: Server[Place] | None = None
    tls: frozenset[str] = frozenset()
    ignored: tuple[tuple[Ingress, str], ...] = ()
    problems: list[str] = field(default_factory=list)


def not_mine(ingress: Ingress, config: ControllerConfig, classes: Iterable[IngressClass]) -> str:
    """Why the controller doesn't take an Ingress, empty if it does (store.go, GetIngressClass)."""
    if ingress.ingress_class is not None:
        found = next((each for each in classes if each.name == ingress.ingress_class), None)
        if found is None:
            return f"there is no IngressClass {ingress.ingress_class!r}"
        if found.controller != config.controller:
            return f"IngressClass {found.name!r} is for {found.controller!r}, not for {config.controller!r}"
        return ""
    annotation = ingress.annotations.get(CLASS_ANNOTATION)
    if annotation is not None:
        wanted = config.ingress_class
        return "" if annotation == wanted else f"its annotation {CLASS_ANNOTATION} is {annotation!r}, not {wanted!r}"
    return "" if config.watch_without_class else "it has neither ingressClassName nor the class annotation"


def refused(ingress: Ingress, strict: bool) -> str:
    """Why the API server or the admission webhook would refuse an Ingress's paths, empty if they don't."""
    for rule in ingress.rules:
        for path in rule.paths:
            if path.path and not path.path.startswith("/"):
                return f"path {path.path!r} must be absolute"
            literal = path.type is not PathType.IMPLEMENTATION_SPECIFIC
            if strict and literal and path.path and not _STRICT_PATH.match(path.path):
                return f"path {path.path!r} cannot be used with pathType {path.type} (strict-validate-path-type)"
    return ""


def by_age(ingresses: Iterable[Ingress]) -> list[Ingress]:
    """Oldest first; of equal age the greater namespace/name first (store.go, sortIngressSlice)."""
    return sorted(sorted(ingresses, key=lambda each: each.key, reverse=True), key=lambda each: each.created)


class _Maker:
    """Makes one `Table`, step by step in the controller's order."""

    def __init__(self, cluster: Cluster) -> None:
        self.config = cluster.controller
        self.directory = Directory(cluster.services, cluster.slices)
        self.table = Table()
        self.upstreams = self.table.upstreams
        self.sites = self.table.sites
        self.ingresses = self._accepted(cluster)
        self.annotations = {id(each): read_annotations(each) for each in self.ingresses}
        self.primary = [each for each in self.ingresses if not self.annotations[id(each)].canary]

    def _accepted(self, cluster: Cluster) -> list[Ingress]:
        classes = {each.name: each for each in reversed(cluster.ingress_classes)}.values()
        strict = self.config.strict_validate_path_type
        reasons = [not_mine(each, self.config, classes) or refused(each, strict) for each in cluster.ingresses]
        pairs = list(zip(cluster.ingresses, reasons, strict=True))
        self.table.ignored = tuple((each, reason) for each, reason in pairs if reason)
        return by_age(each for each, reason in pairs if not reason)

    def make(self) -> Table:
        self.upstreams[DEFAULT_UPSTREAM] = self._default_upstream()
        for ingress in self.ingresses:
            self._add_upstreams(ingress)
        self.sites[DEFAULT_SERVER] = self._default_site()
        for ingress in self.primary:
            self._add_sites(ingress)
        for ingress in self.primary:
            self._name_sites(ingress)
        for ingress in self.ingresses:
            self._add_locations(ingress)
        self._merge_canaries()
        for site in self.sites.values():
            self._settle(site)
        self._write_servers()
        return self.table

    # createUpstreams
    def _default_upstream(self) -> Upstream:
        service = self.directory.services.get(self.config.default_backend)
        if service is not None and service.ports:
            endpoints = self.directory.ready(service, service.ports[0])
            backend = Backend(service.namespace, service.name, service.ports[0].port, service)
            if endpoints:
                return Upstream(DEFAULT_UPSTREAM, endpoints, backend)
        return Upstream(DEFAULT_UPSTREAM, builtin=True)

    def _add_upstreams(self, ingress: Ingress) -> None:
        if ingress.default_backend is not None:
            self._add_upstream(ingress, ingress.default_backend)
        for rule in ingress.rules:
            for path in rule.paths:
                if upstream_name(ingress, path.backend) not in self.upstreams:
                    self._add_upstream(ingress, path.backend)

    def _add_upstream(self, ingress: Ingress, wanted: IngressBackend) -> None:
        asked = self.annotations[id(ingress)]
        backend = self.directory.backend(ingress.namespace, wanted)
        single = self.directory.cluster_endpoint(backend) if asked.service_upstream else None
        self.upstreams[upstream_name(ingress, wanted)] = Upstream(
            upstream_name(ingress, wanted),
            (single,) if single else self.directory.endpoints(backend),
            backend,
            asked.load_balance or self.config.load_balance,
            asked.hash_by,
            canary=asked.canary,
        )

    # createServers
    def _default_site(self) -> Site:
        return Site(DEFAULT_SERVER, [_Draft("/", PathType.PREFIX, DEFAULT_UPSTREAM, _ROOT, default=True)])

    def _add_sites(self, ingress: Ingress) -> None:
        asked, upstream = self.annotations[id(ingress)], DEFAULT_UPSTREAM
        if ingress.default_backend is not None:
            upstream = upstream_name(ingress, ingress.default_backend)
            self._catch_all(ingress, upstream, asked)
        for rule in ingress.rules:
            host = rule.host or DEFAULT_SERVER
            if host not in self.sites:
                root = _Draft("/", PathType.PREFIX, upstream, asked, ingress, default=True)
                self.sites[host] = Site(host, [root])

    def _catch_all(self, ingress: Ingress, upstream: str, asked: Annotations) -> None:
        """An Ingress with a default backend and no rules takes the default server; rewrites and redirects don't."""
        root = self.sites[DEFAULT_SERVER].drafts[0]
        if root.default and not ingress.rules:
            root.default, root.upstream, root.ingress = False, upstream, ingress
            root.annotations = replace(
                asked,
                redirect=None,
                rewrite_target="",
                use_regex=False,
                app_root="",
                ssl_redirect=False,
                force_ssl_redirect=False,
            )

    def _name_sites(self, ingress: Ingress) -> None:
        for rule in ingress.rules:
            site = self.sites[rule.host or DEFAULT_SERVER]
            site.aliases = site.aliases or self.annotations[id(ingress)].aliases
            site.tls = site.tls or (bool(ingress.tls) and site.host != DEFAULT_SERVER)

    # getBackendServers
    def _add_locations(self, ingress: Ingress) -> None:
        asked = self.annotations[id(ingress)]
        for rule in ingress.rules:
            site = self.sites.get(rule.host or DEFAULT_SERVER) or self.sites[DEFAULT_SERVER]
            for path in rule.paths:
                upstream = self.upstreams[upstream_name(ingress, path.backend)]
                if upstream.canary is None:
                    added = _Draft(path.path or "/", controller_type(path.type), upstream.name, asked, ingress)
                    self._add_location(site, added)
                    self._stick(upstream, asked)

    def _add_location(self, site: Site, added: _Draft) -> None:
        old = next((each for each in site.drafts if each.path == added.path), None)
        if old is not None and old.type is added.type:
            if not old.default:
                self._problem(added, f"{site.host}{added.path} is taken by Ingress {_key(old)}, which is older")
                return
            site.drafts[site.drafts.index(old)] = added
        else:
            site.drafts.append(added)
        site.www = site.www or added.annotations.from_to_www

    def _stick(self, upstream: Upstream, asked: Annotations) -> None:
        if asked.affinity is not None:
            self.upstreams[upstream.name] = replace(upstream, affinity=asked.affinity)

    def _problem(self, draft: _Draft, text: str) -> None:
        self.table.problems.append(f"Ingress {_key(draft)}: {text}")

    # mergeAlternativeBackends
    def _merge_canaries(self) -> None:
        for ingress in self.ingresses if self.primary else ():
            if self.annotations[id(ingress)].canary is None:
                continue
            if ingress.default_backend is not None:
                drafts = self.sites[DEFAULT_SERVER].drafts
                self._merge(ingress, ingress.default_backend, drafts, None)
            for rule in ingress.rules:
                site = self.sites.get(rule.host or DEFAULT_SERVER)
                for path in rule.paths if site else ():
                    key = (path.path or "/", controller_type(path.type))
                    self._merge(ingress, path.backend, site.drafts if site else [], key)

    def _merge(
        self, ingress: Ingress, backend: IngressBackend, drafts: list[_Draft], key: tuple[str, PathType] | None
    ) -> None:
        other = upstream_name(ingress, backend)
        merged = False
        for draft in drafts if other in self.upstreams else ():
            main = self.upstreams.get(draft.upstream)
            if main is None:
                continue
            if main.name == other:
                return
            suits = main.name != DEFAULT_UPSTREAM and main.canary is None
            if suits and key in (None, (draft.path, draft.type)):
                self._alternative(main, other)
                merged = True
        if not merged:
            self.upstreams.pop(other, None)
            self.table.problems.append(f"Ingress {ingress.key}: no host and path for its canary {other}")

    def _alternative(self, main: Upstream, other: str) -> None:
        if other not in main.alternatives:
            self.upstreams[main.name] = replace(main, alternatives=(*main.alternatives, other))
            canary = self.upstreams[other].canary
            if canary is not None and canary.sticky:
                self.upstreams[other] = replace(self.upstreams[other], affinity=main.affinity)

    # the default-backend annotation, the order, updateServerLocations
    def _settle(self, site: Site) -> None:
        for draft in site.drafts:
            self._custom_default(draft)
        site.drafts.sort(key=lambda each: each.path, reverse=True)
        site.drafts.sort(key=lambda each: len(each.path.encode()), reverse=True)
        site.app_root = next((each.annotations.app_root for each in site.drafts if each.annotations.app_root), "")
        drafts = list(_split(site.drafts))
        enforce = any(each.regex for each in drafts)
        places = list(self._locations(drafts, enforce))
        if site.host == DEFAULT_SERVER:
            places += [Location("", HEALTH, Place(HEALTH, status=200), passes=False)]
            places += [Location("", STATUS, Place(STATUS, status=403), passes=False)]
        names = (server_name(site.host), *self._aliases(site))
        site.server = Server(names, tuple(self._unique(site, places)))

    def _custom_default(self, draft: _Draft) -> None:
        main = self.upstreams.get(draft.upstream)
        asked = draft.annotations
        if main is None or main.name == DEFAULT_UPSTREAM or draft.ingress is None:
            return
        service = self.directory.services.get(f"{draft.ingress.namespace}/{asked.default_backend}")
        if service is None or not service.ports or (main.endpoints and not asked.custom_errors):
            return
        endpoints = self.directory.ready(service, service.ports[0])
        if endpoints:
            name = f"custom-default-backend-{service.namespace}-{service.name}"
            backend = Backend(service.namespace, service.name, service.ports[0].port, service)
            self.upstreams[name] = replace(main, name=name, endpoints=endpoints, backend=backend)
            draft.errors = name
            if not main.endpoints:
                draft.upstream = name

    def _aliases(self, site: Site) -> tuple[str, ...]:
        return tuple(each for each in site.aliases if each != site.host and each not in self.sites)

    def _locations(self, drafts: Sequence[_Draft], enforce: bool) -> Iterator[Location[Place]]:
        for draft in drafts:
            passes = not draft.annotations.denied
            if not enforce:
                if _PLAIN_BREAKS.search(draft.path):
                    self._problem(draft, f"path {draft.path!r} can't stand in nginx.conf")
                    continue
                exact = draft.type is PathType.EXACT
                yield Location("=" if exact else "", unescaped(draft.path), draft.place(), passes)
            elif self._is_pattern(draft):
                yield Location("~*", f"^{unescaped(draft.path)}", draft.place(), passes)

    def _is_pattern(self, draft: _Draft) -> bool:
        try:
            compiled(f"^{unescaped(draft.path)}", True)
            if '"' not in draft.path:
                return True
            self._problem(draft, f"path {draft.path!r} can't stand in nginx.conf")
        except InputError as problem:
            self._problem(draft, str(problem))
        return False

    def _unique(self, site: Site, locations: Sequence[Location[Place]]) -> Iterator[Location[Place]]:
        """nginx refuses a configuration with a `duplicate location`: the first is kept, the rest said."""
        seen: set[tuple[str, str]] = set()
        for location in locations:
            key = (location.modifier, location.path)
            if key in seen and not location.is_regex:
                owner = location.config.ingress.key if location.config.ingress else site.host
                self.table.problems.append(f"Ingress {owner}: nginx refuses a duplicate {location.text} of {site.host}")
            else:
                seen.add(key)
                yield location

    def _write_servers(self) -> None:
        sites = [self.sites[host] for host in sorted(self.sites)]
        redirects = [each for site in sites for each in self._www(site)]
        self.table.default = self.sites[DEFAULT_SERVER].server
        self.table.servers = (*redirects, *(site.server for site in sites if site.server))
        self.table.tls = frozenset(self._certificates(sites))

    def _www(self, site: Site) -> Iterator[Server[Place]]:
        """BuildRedirects: from `www.` to the host, or from the host without to `www.`."""
        if site.www and not site.host.startswith(("*", DEFAULT_SERVER)):
            source = site.host[4:] if site.host.startswith("www.") else f"www.{site.host}"
            if source not in self.sites:
                place = Place("/", annotations=_ROOT, redirect_host=site.host)
                yield Server((source,), (Location("", "/", place, passes=False),))

    def _certificates(self, sites: Sequence[Site]) -> Iterator[str]:
        listed = {host.lower() for each in self.primary for tls in each.tls for host in tls.hosts}
        for site in sites:
            if site.tls:
                yield site.host.lower()
                yield from (alias for alias in site.aliases if alias in listed)


def make_table(cluster: Cluster) -> Table:
    """The controller's servers and upstreams for a cluster's Ingresses, Services and EndpointSlices."""
    return _Maker(cluster).make()


def _key(draft: _Draft) -> str:
    return draft.ingress.key if draft.ingress else "(none)"


def unescaped(path: str) -> str:
    """A path as nginx reads it from nginx.conf: some backslashes go (ngx_conf_read_token)."""
    return _ESCAPED.sub(lambda found: _CONTROLS.get(found[1], found[1]), path)


def upstream_name(ingress: Ingress, backend: IngressBackend) -> str:
    """`namespace-service-port`, which more than one Service can come to (util.go, upstreamName)."""
    return f"{ingress.namespace}-{backend.service}-{backend.port}"


def controller_type(path_type: PathType) -> PathType:
    """ImplementationSpecific is Prefix to this controller (k8s.SetDefaultNGINXPathType)."""
    return PathType.EXACT if path_type is PathType.EXACT else PathType.PREFIX


def server_name(host: str) -> str:
    r"""The `server_name` of a host: a wildcard is a regular expression of exactly one label (buildServerName).

    >>> server_name("*.foo.com")
    '~^(?<subdomain>[\\w-]+)\\.foo\\.com$'
    """
    if not host.startswith("*"):
        return host
    return r"~^(?<subdomain>[\w-]+)\." + r"\.".join(host.replace("*.", "", 1).split(".")) + "$"


def _split(drafts: Sequence[_Draft]) -> Iterator[_Draft]:
    """Prefix `/foo` as `/foo/` and `= /foo` (location.go, updateServerLocations)."""
    exact = {each.path for each in drafts if each.type is PathType.EXACT}
    for draft in drafts:
        if draft.path == "/" or draft.type is PathType.EXACT or draft.regex:
            yield draft
            continue
        yield replace(draft, path=draft.path if draft.path.endswith("/") else f"{draft.path}/")
        if draft.path not in exact:
            yield replace(draft, type=PathType.EXACT)
