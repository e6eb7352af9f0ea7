"""The ingress as a widget: type a host and a path, see every candidate and why it lost, by the book and by nginx.

    ingress()        the book's Ingress, and twice the same with more of them beside it
    ingress(world)   another world's Ingresses, as they are
    explore(world)   with a kernel: any world, and any Ingress typed beside its own

The page has no Python, and any host and path may be typed: so the Ingresses are compiled to plain data
(`ingress_data`), and a JavaScript module of a few hundred lines matches against them (`ingress_match.js`).

Not modelled: what `ingress_data` leaves out; the browser's own cleaning of a path before it is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import ipywidgets

from netpath.kubernetes import Cluster, Ingress, IngressBackend, IngressPath, IngressRule, PathType
from netpath.load import shop
from netpath.load.kubernetes import ingresses
from netpath.show.tables import Cell, Face, Table, cell
from netpath.show.widgets.ingress_data import compare, compiled
from netpath.show.widgets.kit import Data, Live, Shown, live
from netpath.world import World

Question = tuple[str, str]
SHOP, API = "shop.example.com", "api.example.com"
PREFIX = "nginx.ingress.kubernetes.io/"


@dataclass(frozen=True)
class Example:
    """Ingresses to ask about, by a name for the reader; `chips` are hosts and paths worth asking for."""

    name: str
    note: str
    cluster: Cluster
    chips: tuple[Question, ...] = ()


# The book's examples --------------------------------------------------------------------------

_PREVIEW = (
    IngressRule(
        "*.preview.example.com",
        (
            IngressPath("/", PathType.PREFIX, IngressBackend("cart", "http")),
            IngressPath("/static/", PathType.PREFIX, IngressBackend("web", "http")),
        ),
    ),
    IngressRule(API, (IngressPath("/cart", PathType.EXACT, IngressBackend("cart", "http")),)),
)
_OLD = IngressPath("/old(/|$)(.*)", PathType.IMPLEMENTATION_SPECIFIC, IngressBackend("web", "http"))
MORE = (
    Ingress("shop", "preview", "2026-04-01T09:00:00Z", "nginx", _PREVIEW),
    Ingress("shop", "fallback", "2026-04-01T10:00:00Z", "nginx", (), IngressBackend("web", "http")),
)
REWRITING = (
    Ingress(
        "shop",
        "old-links",
        "2026-04-02T09:00:00Z",
        "nginx",
        (IngressRule(SHOP, (_OLD,)),),
        annotations={f"{PREFIX}rewrite-target": "/$2"},
    ),
)


def examples(cluster: Cluster) -> tuple[Example, ...]:
    """The cluster's Ingresses as they are; with a wildcard host and a default; with a single rewrite-target."""
    return (
        Example("the shop's own", "One Ingress, two hosts, nothing but Prefix.", cluster, _PLAIN),
        Example(
            "with a wildcard host and a default",
            "Ingress preview has a wildcard host, a path that ends in a slash and an Exact one; "
            "Ingress fallback has no rules, only a default backend.",
            replace(cluster, ingresses=cluster.ingresses + MORE),
            _WILD,
        ),
        Example(
            "with one rewrite-target",
            f"Ingress old-links adds one path to {SHOP}, with the annotation rewrite-target: /$2.",
            replace(cluster, ingresses=cluster.ingresses + REWRITING),
            _REWRITTEN,
        ),
    )


def _at(host: str, *paths: str) -> tuple[Question, ...]:
    return tuple((host, path) for path in paths)


_PLAIN = (
    *_at(SHOP, "/cart", "/cart/", "/cart/items?id=7", "/cartoon", "/CART", "//cart", "/%63art", "/cart%2Fitems"),
    *_at(SHOP, "/cart/..", "/../cart", "/cart%zz"),
    *((host, "/cart") for host in ("SHOP.EXAMPLE.COM:80", f"{SHOP}.", "www.example.com", API)),
)
_WILD = (
    *_at("a.preview.example.com", "/", "/static/logo.svg", "/static"),
    *_at("a.b.preview.example.com", "/"),
    *_at("preview.example.com", "/"),
    *_at(API, "/cart", "/cart/", "/orders"),
    *_at("nowhere.example.com", "/cart"),
)
_REWRITTEN = _at(SHOP, "/cart", "/CART", "/cartoon", "/cart/items", "/old/cart", "/OLD", "/older", "/")


# The widget -----------------------------------------------------------------------------------


class Matching(Shown):
    """Hosts and paths matched against Ingresses, wherever it is shown."""

    _module = "ingress.js"

    def __init__(self, given: Sequence[Example], host: str, path: str) -> None:
        self.given, self.host, self.path = tuple(given), host, path
        super().__init__(_data(given, host, path))

    def __repr__(self) -> str:
        names = "; ".join(f"{each.name} ({len(each.cluster.ingresses)})" for each in self.given)
        answers = compare(self.given[0].cluster, self.host, self.path)
        said = f"specification: {outcome(answers['specification'])}; ingress-nginx: {outcome(answers['nginx'])}"
        return f"Ingresses to ask: {names}\n{self.host}{self.path} -> {said}"

    def frame(self) -> Table:
        return differences(self.given)


def _data(given: Sequence[Example], host: str, path: str) -> Data:
    made = [
        {"name": each.name, "note": each.note, "chips": list(map(list, each.chips)), "data": compiled(each.cluster)}
        for each in given
    ]
    return {"examples": made, "host": host, "path": path}


def outcome(told: Data) -> str:
    """What becomes of a request, in a few words.

    >>> outcome({"status": 301, "location": "http://a/b/", "backend": None})
    '301 to http://a/b/'
    """
    if told["status"] is not None:
        return f"{told['status']} to {told['location']}" if told["location"] else str(told["status"])
    return str(told["backend"])


def differences(given: Sequence[Example]) -> Table:
    """The questions among the examples' own that the specification and ingress-nginx answer differently."""
    header = ("Ingresses", "asked for", "specification", "ingress-nginx", "because")
    caption = "Where the specification and ingress-nginx send a request to different places, and why."
    return Table(header, tuple(row for each in given for row in _rows(each)), caption)


def _rows(example: Example) -> Iterator[tuple[Cell, ...]]:
    """A row for each way in which they differ, with all the questions to which that way applies."""
    ways: dict[tuple[str, ...], list[str]] = {}
    for host, path in example.chips:
        answers = compare(example.cluster, host, path)
        if answers["differ"]:
            way = outcome(answers["specification"]), outcome(answers["nginx"]), *answers["differ"]
            ways.setdefault(way, []).append(f"{host}{path}")
    for (specified, by_nginx, *because), asked in ways.items():
        yield cell(example.name), cell(*asked, face=Face.CODE), cell(specified), cell(by_nginx), cell(*because)


def ingress(world: World | None = None, host: str = SHOP, path: str = "/cart") -> Matching:
    """The widget, for the book's examples or for another world's Ingresses. Raises `WorldError` without a cluster."""
    if world is None:
        return Matching(examples(_cluster(shop())), host, path)
    return Matching([_only(_cluster(world))], host, path)


def _cluster(world: World) -> Cluster:
    return world.need(world.cluster, "cluster", "an Ingress")


def _only(cluster: Cluster, more: tuple[Ingress, ...] = ()) -> Example:
    """A cluster's Ingresses, and a chip for each host and path of theirs, up to a dozen."""
    both = replace(cluster, ingresses=cluster.ingresses + more)
    rules = [rule for each in (*more, *cluster.ingresses) for rule in each.rules]
    chips = dict.fromkeys(
        (rule.host.replace("*", "a") or SHOP, path.path or "/") for rule in rules for path in rule.paths
    )
    note = f"{len(both.ingresses)} Ingresses of this world."
    return Example("this world's", note, both, tuple(chips)[:12])


# Live -----------------------------------------------------------------------------------------

TYPED = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: mine
  namespace: shop
spec:
  ingressClassName: nginx
  rules:
  - host: shop.example.com
    http:
      paths:
      - path: /cart/items/
        pathType: Prefix
        backend: {service: {name: web, port: {name: http}}}
"""


def explore(world: World | None = None) -> Live:
    """The widget for any world, with a text for one more Ingress, read as it is typed. Needs a kernel."""
    cluster = _cluster(world or shop())

    def typed(yaml: str) -> list[Example]:
        return [_only(cluster, ingresses(yaml, "typed here"))]

    def change(yaml: str) -> Data:
        return _data(typed(yaml), SHOP, "/cart/items")

    box = ipywidgets.Textarea(TYPED, description="Ingress", rows=14, layout={"width": "100%"})
    widget = Matching(typed(TYPED), SHOP, "/cart/items")
    return live(widget, change, yaml=box)
