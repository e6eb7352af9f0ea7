"""Chapter 4's predictions about requests: which path wins, and what the user sees.

Not modelled: annotations; the chapter's widget has them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from netpath.choice import Weights, first
from netpath.exercises.chapter4.places import INGRESS, NOT_BY_CLUSTER_IP, OUTSIDE, POLICY
from netpath.exercises.chapter4.worlds import CART, CONTROLLER, all_in, local, with_slices
from netpath.exercises.exercise import Level
from netpath.exercises.misconceptions import THROUGH_CLUSTER_IP
from netpath.exercises.outcome import See, block
from netpath.exercises.parts import cluster
from netpath.exercises.predict import Form, Predict, Slip, Variant, slips
from netpath.ingress import Decision, controller, specification
from netpath.journey import Journey, travel
from netpath.kubernetes import Cluster, EndpointSlice, Ingress, IngressBackend, IngressPath, IngressRule, PathType
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import http_request
from netpath.world import World

# q5: which path wins -------------------------------------------------------------------------------
_HOST, _WILD = "shop.example.com", "*.example.com"
_ASKED = [
    "/cart",
    "/cart/",
    "/cart/items",
    "/cart/items/7",
    "/cart/itemset",
    "/cartoon",
    "/CART",
    "/cart?to=/help",
    "/images",
    "/images/",
    "/images/a.png",
    "//cart",
    "/%63art",
    "/help/../cart",
    "/help",
    "/helpdesk",
    "/images//a.png",
    "/cart/../images/",
]
_NOWHERE, _SLASH = "nobody: 404", "nobody: 301 to the same path with a slash"


def _drawn_ingress(draw: Random) -> Ingress:
    """Paths of different kinds, each a Service's own, so that a Service's name says which path won."""
    prefix, exact = PathType.PREFIX, PathType.EXACT
    paths = [("/cart", draw.choice([prefix, prefix, exact]), "cart")]
    paths += [
        draw.choice([("/cart/items", prefix, "items"), ("/cart/", exact, "items"), ("/cart/items", exact, "items")])
    ]
    paths += [
        draw.choice([("/images/", prefix, "images"), ("/images", prefix, "images"), ("/images/", exact, "images")])
    ]
    if draw.random() < 0.6:
        paths.append(("/", prefix, "web"))
    draw.shuffle(paths)
    rules = _rule(_HOST, paths), _rule(_WILD, [("/help", prefix, "help")])
    return Ingress("shop", "drawn", "2026-11-02T09:00:00Z", "nginx", rules)


def _rule(host: str, paths: list[tuple[str, PathType, str]]) -> IngressRule:
    return IngressRule(host, tuple(IngressPath(path, kind, IngressBackend(name, "http")) for path, kind, name in paths))


def _with(ingress: Ingress) -> Cluster:
    """The book's cluster with this Ingress alone, and a Service for each name in it."""
    names = {path.backend.service for rule in ingress.rules for path in rule.paths}
    known = {each.name for each in cluster(shop()).services}
    web = next(each for each in cluster(shop()).services if each.name == "web")
    pods = next(each for each in cluster(shop()).slices if each.service == "web")
    new = sorted(names - known)
    return replace(
        cluster(shop()),
        ingresses=(ingress,),
        services=cluster(shop()).services + tuple(replace(web, name=name) for name in new),
        slices=cluster(shop()).slices + tuple(replace(pods, name=name, service=name) for name in new),
    )


def _winner(decision: Decision) -> str:
    if decision.status is not None:
        return _SLASH if decision.status == 301 else _NOWHERE
    assert decision.backend is not None
    return decision.backend.name


def _which_path_wins(draw: Random) -> Variant:
    ingress, by_nginx = _drawn_ingress(draw), draw.random() < 0.6
    host = draw.choice([_HOST, _HOST, _HOST, "beta.example.com"])
    path = draw.choice(_ASKED)
    made = _with(ingress)
    spec = specification(made.ingresses, made.ingress_classes, made.services, host, path.partition("?")[0], made.slices)
    nginx = controller(made).decide(http_request(f"http://{host}{path}"))
    answer, other = (_winner(nginx), _winner(spec)) if by_nginx else (_winner(spec), _winner(nginx))
    rules = [(rule.host, each) for rule in ingress.rules for each in rule.paths]
    options = (*sorted({each.backend.service for _, each in rules}), _NOWHERE, _SLASH)
    lines = (f"{of:<16} {each.type:<6} {each.path:<11} -> {each.backend.service}" for of, each in rules)
    decider = (
        "does ingress-nginx give it to" if by_nginx else "should get it, by the specification (networking.k8s.io/v1)"
    )
    mistakes = [_other(other, nginx, by_nginx)] if other != answer else []
    mistakes += [_loser(each, of, path, spec) for of, each in rules if _is_tempting(each, path)]
    mistakes += [Slip(_NOWHERE, "one of the rules for this host does match.", "", INGRESS)]
    return Variant(
        f"An Ingress has these rules, and each Service has ready pods:\n\n{block(lines)}"
        f"A request for `http://{host}{path}` comes. Which Service {decider}?",
        answer,
        _why_it_wins(nginx if by_nginx else spec),
        slips(Form.CHOICE, answer, *mistakes),
        options=options,
    )


def _why_it_wins(chosen: Decision) -> str:
    if _winner(chosen) == _NOWHERE:
        return "No rule for this host has this path, and there is no default."
    others = ("server", "upstream")
    step = next(step for step in chosen.hop.steps if step.matched and not step.rule.startswith(others))
    return f"`{step.rule}`: {step.why}."


def _other(winner: str, nginx: Decision, by_nginx: bool) -> Slip:
    """The one who would win if the other were asked."""
    if nginx.status == 301:
        told, stands = "nginx answers a path that lacks only the slash of a rule's path with a redirect", "knows none"
    else:
        told, stands = f"nginx decodes and cleans a path first, and compares `{nginx.uri}`", "takes a path as it stands"
    said = f"so says the specification. But {told}.", f"so does ingress-nginx: {told}. The specification {stands}."
    because = said[0] if by_nginx else said[1]
    return Slip(winner, because, "", INGRESS)


def _is_tempting(each: IngressPath, path: str) -> bool:
    """Whether somebody who looks at the letters alone might take this path."""
    return path.lower().startswith(each.path.removesuffix("/")) or each.path == "/cart"


def _loser(each: IngressPath, host: str, path: str, spec: Decision) -> Slip:
    """Why this path doesn't win, in the words of the specification."""
    steps = [step for step in spec.hop.steps if f"-> {each.backend.service}:" in step.rule]
    case = (
        "; small letters and capitals differ" if path.lower().startswith(each.path) > path.startswith(each.path) else ""
    )
    because = f"{each.type} `{each.path}`: {steps[0].why}{case}." if steps else f"that rule is for {host} alone."
    return Slip(each.backend.service, because, "", INGRESS)


q5 = Predict(
    "4.5",
    "Which path wins?",
    4,
    Level.MEDIUM,
    (
        "First the host: the most specific one that matches, and only its rules count. Then the longest path.",
        "Prefix is compared element by element; Exact is exact, slash included.",
        "nginx decodes a path, resolves its dots and merges its slashes before it compares. The specification doesn't.",
    ),
    make=_which_path_wins,
    otherwise="no rule for this host leads there: compare the path with each of them, element by element.",
)  # fmt: skip


# q6: what the user sees ----------------------------------------------------------------------------
def _closed_port(world: World) -> World:
    def changed(each: EndpointSlice) -> EndpointSlice:
        return replace(each, ports=tuple(replace(port, port=8081) for port in each.ports))

    return with_slices(world, CART, changed)


def _no_such_service(world: World) -> World:
    def changed(ingress: Ingress) -> Ingress:
        rules = tuple(
            replace(rule, paths=tuple(
                replace(path, backend=replace(path.backend, service=path.backend.service.replace("cart", "carts")))
                for path in rule.paths))
            for rule in ingress.rules
        )  # fmt: skip
        return replace(ingress, rules=rules)

    return replace(world, cluster=replace(cluster(world), ingresses=tuple(map(changed, cluster(world).ingresses))))


_Fault = tuple[str, Callable[[World], World]]
_LOCAL: _Fault = ("The ingress controller's Service has `externalTrafficPolicy: Local`.", local)
_FAULTS: tuple[_Fault, ...] = (
    _LOCAL,
    ("No ingress pod is ready, nor terminating.", lambda world: all_in(world, CONTROLLER, "not ready")),
    (
        "No ingress pod is ready, nor terminating, and the ingress controller's Service has the policy Local.",
        lambda world: all_in(local(world), CONTROLLER, "not ready"),
    ),
    ("All ingress pods are terminating, and still serving.", lambda world: all_in(world, CONTROLLER, "terminating")),
    ("No pod of `cart` is ready, nor terminating.", lambda world: all_in(world, CART, "not ready")),
    ("All pods of `cart` are terminating, and still serving.", lambda world: all_in(world, CART, "terminating")),
    (
        "The EndpointSlice of `cart` says port 8081, because somebody changed the Service's `targetPort`; the pods "
        "listen on 8080.",
        _closed_port,
    ),
    ("The Ingress names a Service `carts`, which doesn't exist, in place of `cart`.", _no_such_service),
)
_STATUS: dict[str, tuple[str, See]] = {
    "200": ("somebody on this way can't serve: follow it to the pod.", OUTSIDE),
    "404": ("404 says that no rule of the Ingress matches. One does, here.", INGRESS),
    "502": ("502 says that somebody was refused a connection, at once. Nobody is, here.", OUTSIDE),
    "503": ("503 comes from a proxy that finds nobody to call. Each one on this way finds somebody.", OUTSIDE),
    "504": ("504 says that a packet was dropped, and somebody waited in vain. None is, here.", POLICY),
}
_THROUGH = {"No pod of `cart`": "502", "All pods of `cart`": "200"}  # kube-proxy's answer, if it were asked


def _what_the_user_sees(draw: Random) -> Variant:
    told, change = draw.choice((*_FAULTS, _LOCAL, _LOCAL))
    at = draw.choice([1, 2, 2, 2, 3])  # with policy Local it matters which node it is, and node 2 is the one to know
    path = draw.choice(["/", "/cart", "/cart", "/cart/7", "/cart/7"])
    journey = travel(change(shop()), Memory(), http_request(f"http://shop.example.com{path}"), _to_target(at))
    response = journey.outcome.response
    assert response is not None
    answer = str(response.status)
    believed = next((status for start, status in _THROUGH.items() if told.startswith(start)), "")
    mistakes = tuple(
        Slip(status, because, THROUGH_CLUSTER_IP, NOT_BY_CLUSTER_IP)
        if (status, answer) == (believed, "503")
        else Slip(status, because, "", see)
        for status, (because, see) in _STATUS.items()
        if status != answer
    )
    return Variant(
        f"The book's world, with one change: {told[0].lower() + told[1:] if told[0] in 'NTA' else told} A user opens "
        f"`http://shop.example.com{path}`, and the load balancer takes the target node {at} (two of the three nodes, 1 "
        "and 3, have an ingress pod). Which status does the user get?",
        answer,
        _why_status(journey),
        mistakes,
        Form.NUMBER,
    )


def _why_status(journey: Journey) -> str:
    cause = journey.cause
    waited = f" after {journey.waited:g} s" if journey.waited else ""
    if cause is None:
        return f"{journey.outcome}: every connection on this way is made."
    where = f"{cause.verdict.code}, at {cause.station} {cause.at}"
    return f"{journey.outcome}{waited}. {cause.verdict.meaning.happened} ({where})"


def _to_target(number: int) -> Callable[[str, Weights], int]:
    """The load balancer's round begins with this node."""

    def choose(question: str, weights: Weights, /) -> int:
        return number - 1 if question.startswith("where does round robin start") else first(question, weights)

    return choose


q6 = Predict(
    "4.6",
    "What the user sees",
    4,
    Level.HARD,
    (
        "Who on this way has nobody to call, and what does that one do: drop, refuse, or answer for itself?",
        "kube-proxy falls back to terminating endpoints. ingress-nginx calls ready pods only, and never the ClusterIP.",
    ),
    make=_what_the_user_sees,
    otherwise="it is a status between 200 and 504 that this chapter has shown: follow the request until somebody can't "
    "go on.",
)
