"""How an Ingress that a reader wrote is tried: requests that they haven't seen, by the specification and by nginx.

Not modelled: annotations. An Ingress that needs some isn't asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from random import Random

from netpath.exercises.outcome import Outcome, right, wrong
from netpath.exercises.parts import cluster
from netpath.ingress import Decision, controller, specification
from netpath.kubernetes import Cluster, Ingress
from netpath.load import shop
from netpath.load.kubernetes import ingresses
from netpath.packet import http_request

Question = tuple[str, str]

HEAD = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: mine
  namespace: shop
spec:
  ingressClassName: nginx
"""
REFERENCE = f"""{HEAD}\
  rules:
  - host: shop.example.com
    http:
      paths:
      - backend:
          service:
            name: web
            port:
              name: http
        path: /
        pathType: Prefix
      - backend:
          service:
            name: cart
            port:
              name: http
        path: /cart
        pathType: Prefix
      - backend:
          service:
            name: reports
            port:
              name: http
        path: /cart/export
        pathType: Exact
  - host: "*.preview.example.com"
    http:
      paths:
      - backend:
          service:
            name: web
            port:
              name: http
        path: /
        pathType: Prefix
"""


def asked(draw: Random) -> Iterator[Question]:
    """Hosts and paths to ask for: those in which mistakes show, and some that are made up."""
    shop_host, number = "shop.example.com", draw.randrange(10, 999)
    for path in ("/", "/cart", "/cart/", f"/cart/{number}", "/cart/export", "/cart/export/", f"/cart/export/{number}"):
        yield shop_host, path
    for path in (f"/cart{number}", "/carts", "/CART", f"/cart/export{number}", f"/help/{number}", f"//cart/{number}"):
        yield shop_host, path
    label = "".join(draw.choices("abcdefghij", k=5))
    for path in ("/", "/cart", f"/{label}/{number}"):
        yield f"{label}.preview.example.com", path
    for host in ("preview.example.com", f"a.{label}.preview.example.com", f"{label}.example.com", "www.example.com"):
        yield host, draw.choice(["/", "/cart", f"/{label}"])


def judged_ingress(text: str, questions: Iterator[Question]) -> Outcome:
    """What comes of an Ingress: the first request that goes elsewhere than by the reference. Raises `NetpathError`."""
    given = ingresses(text, "your Ingress")
    if not given:
        return wrong("this has no Ingress in it: `kind: Ingress`, of the `apiVersion: networking.k8s.io/v1`")
    failed = next((told for each in given if (told := _unfit(each))), "")
    if failed:
        return wrong(failed)
    mine, wanted = _with(given), _reference()
    count = 0
    for host, path in questions:
        for name, decide in _DECIDERS:
            seen, expected = decide(mine, host, path), decide(wanted, host, path)
            count += 1
            if _end(seen) != _end(expected):
                return wrong(
                    f"a request for http://{host}{path} should end with {_end(expected)}, and by {name} it ends with "
                    f"{_end(seen)}{_decided(seen)}"
                )
    return right(because=f"{count} answers, of the specification and of ingress-nginx, are as they should be")


def _unfit(ingress: Ingress) -> str:
    """Why nobody would obey this Ingress, or why it finds no Service."""
    if ingress.ingress_class != "nginx":
        given = f"is {ingress.ingress_class!r}" if ingress.ingress_class else "isn't given"
        return f"no controller feels responsible: the class {given}, and it should be 'nginx'"
    if ingress.namespace != "shop":
        return f"it is in the namespace {ingress.namespace!r}, and can only name Services of its own; theirs is shop"
    backends = [path.backend for rule in ingress.rules for path in rule.paths]
    backends += [ingress.default_backend] if ingress.default_backend else []
    for backend in backends:
        if backend.service not in ("web", "cart", "reports"):
            return f"there is no Service {backend.service!r} in the namespace shop"
        if backend.port not in ("http", 80):
            return f"the Service {backend.service} has no port {backend.port}"
    return ""


@cache
def _with(given: tuple[Ingress, ...]) -> Cluster:
    """The book's cluster with a third Service, and these Ingresses alone."""
    book = cluster(shop())
    service = next(each for each in book.services if each.name == "web")
    pods = next(each for each in book.slices if each.service == "web")
    services = (*book.services, replace(service, name="reports"))
    slices = (*book.slices, replace(pods, name="reports", service="reports"))
    return replace(book, services=services, slices=slices, ingresses=given)


@cache
def _reference() -> Cluster:
    return _with(ingresses(REFERENCE, "the reference"))


def _by_specification(given: Cluster, host: str, path: str) -> Decision:
    return specification(given.ingresses, given.ingress_classes, given.services, host, path, given.slices)


def _by_nginx(given: Cluster, host: str, path: str) -> Decision:
    return controller(given).decide(http_request(f"http://{host}{path}"))


_DECIDERS = (("the specification", _by_specification), ("ingress-nginx", _by_nginx))


def _end(decision: Decision) -> str:
    if decision.status is not None or decision.backend is None:
        return f"a {decision.status}"
    return f"the Service {decision.backend.name}"


def _decided(decision: Decision) -> str:
    """The rule that decided it."""
    steps = [step.rule for step in decision.hop.steps if step.matched and not step.rule.startswith("upstream")]
    return f" ({steps[-1]})" if steps else ""
