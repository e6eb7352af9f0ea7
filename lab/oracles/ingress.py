"""Random servers, locations, hosts and paths: which one does nginx take, and which one the model?

`LocationsOracle` makes servers with names of every kind and locations with every modifier, and asks for hosts and
paths with all that is odd about them: dots, double slashes, encodings, letters of both cases, ports, brackets.

`IngressOracle` makes Ingress objects. What ingress-nginx's template would write of them is written here, a second
time and shorter than in `netpath.ingress`; nginx obeys that, the model decides by its own.

Source: nginx on this machine; kubernetes/ingress-nginx, docs/user-guide/ingress-path-matching.md and
internal/ingress/controller (updateServerLocations, buildLocation).

Not modelled: annotations (tests/test_ingress_real_nginx.py asks about those), TLS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from lab.isolation import LabError
from lab.oracles.rounds import PATIENCE, Difference, Played, without
from lab.oracles.webserver import Answer, Question, WebServer
from netpath.ingress import Controller
from netpath.ingress.locating import Location, Nginx, Server, escape_uri, normal_host, normal_uri, wire
from netpath.kubernetes import (
    Cluster,
    ControllerConfig,
    EndpointPort,
    EndpointSlice,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressPath,
    IngressRule,
    PathType,
    Service,
    ServicePort,
    SliceEndpoint,
)
from netpath.packet import HttpRequest, address

QUESTIONS = 500

_LABELS = ("a", "b", "foo", "com", "x-1")
_SEGMENTS = ("a", "b", "aa", "foo", "Foo", "a.b", "..a", "a;b", "a,b")
_ENCODED = ("%2F", "%2e", "%2E", "%25", "%41", "%20", "%3f", "%23", "%2b", "%00", "%zz", "%2", "%c3%a9", "%3B", "%5C")
_BITS = (*_SEGMENTS, *_ENCODED, *("/", "//", "/./", "/../", "..", ".", "+", "é", "~", "|", "^", "\\", '"'))
_TAILS = ("x", "/x", "//", "/.", "/..", "/../", "?", "?a=b/c", "#f", "%2F")
_QUERIES = ("", "a=b", "x/../y", "a#b", "%zz")
_STRANGE = ("..", ".", "/", ":", "[", "]", "é", "_", "%", ":.", ".:")

# Questions ------------------------------------------------------------------------------------------


def drawn_target(dice: Random, paths: list[str]) -> str:
    """A path and query, every other time one near to those that there are."""
    if paths and dice.random() < 0.5:
        path = dice.choice(paths)
        path = dice.choice((path, path.rstrip("/") or "/", path + "/", path + dice.choice(_TAILS)))
    else:
        path = "/"
        for _ in range(dice.randint(0, 6)):
            path += dice.choice(_BITS) + dice.choice(("", "/"))
        if dice.random() < 0.2:
            path += f"?{dice.choice(_QUERIES)}"
        if dice.random() < 0.02:
            path += "/long" * dice.randint(100, 1500)
    if dice.random() < 0.15:
        place = dice.randrange(len(path))
        if path[place] != "/" and ord(path[place]) < 256:
            path = f"{path[:place]}%{ord(path[place]):02x}{path[place + 1 :]}"
    path = path.swapcase() if dice.random() < 0.1 else path
    return path if path.startswith("/") else f"/{path}"


def drawn_host(dice: Random, names: list[str]) -> str:
    """A Host header, mostly one near to a server's name."""
    if names and dice.random() < 0.75:
        host = dice.choice(names).replace("*", dice.choice(("a", "b.c", "foo", "x-1.b", "-")))
        if host.startswith("~"):
            host = f"{dice.choice(('a', 'b.c', 'x_y'))}.{host.partition(chr(92) + '.')[2]}".rstrip("$").replace(
                "\\", ""
            )
        if host.startswith("."):
            host = dice.choice((host[1:], f"q{host}"))
    else:
        host = ".".join(dice.choice((*_LABELS, "Foo")) for _ in range(dice.randint(1, 4)))
    kind = dice.random()
    if kind < 0.25:
        host = dice.choice((f"{host}.", f"{host}:8080", host.upper()))
    elif kind < 0.35:
        place = dice.randrange(len(host) + 1)
        host = host[:place] + dice.choice(_STRANGE) + host[place:]
    return host


def _asked(dice: Random, names: list[str], paths: list[str]) -> tuple[Question, ...]:
    drawn = ((drawn_host(dice, names), drawn_target(dice, paths)) for _ in range(QUESTIONS))
    return tuple((host, target) for host, target in drawn if host and not re.search(r"[\x00-\x20]", host + target))


# Servers and locations ------------------------------------------------------------------------------

Servers = tuple[Server[str], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """Servers, and questions to them."""

    servers: Servers
    questions: tuple[Question, ...]


class LocationsOracle:
    """Whether the model finds the server and the location that nginx does."""

    patience = PATIENCE

    def draw(self, seed: str) -> Case:
        dice = Random(seed)
        servers = _servers(dice)
        names = [name for server in servers for name in server.names]
        paths = [location.path.strip("^$") for server in servers for location in server.locations]
        return Case(servers, _asked(dice, names, paths))

    def play(self, case: Case) -> Played:
        with WebServer(_written(case.servers)) as server:
            answers = server.ask(case.questions)
        model: Nginx[str] = Nginx(case.servers)
        played = Played()
        for question, answer in zip(case.questions, answers, strict=True):
            played.cases += 1
            real, said = _seen(answer), _decided(model, question)
            played.count(str(real.status))
            if real != said:
                played.difference = Difference(f"{question}", str(real), str(said))
                break
        return played

    def smaller(self, case: Case) -> Iterator[Case]:
        yield from (replace(case, questions=questions) for questions in without(case.questions) if questions)
        yield from (replace(case, servers=servers) for servers in without(case.servers) if servers)
        for number, server in enumerate(case.servers):
            for fewer in without(server.locations):
                servers = (*case.servers[:number], replace(server, locations=fewer), *case.servers[number + 1 :])
                yield replace(case, servers=servers)

    def told(self, case: Case) -> str:
        return _written(case.servers) + "\n".join(map(str, case.questions))


def _servers(dice: Random) -> Servers:
    taken: set[str] = set()
    made = tuple(_server(dice, number, taken) for number in range(dice.randint(1, 5)))
    return tuple(each for each in made if each.names) or _servers(dice)


def _server(dice: Random, number: int, taken: set[str]) -> Server[str]:
    """A server whose names nobody else has: nginx would warn, and take the first."""
    names = []
    for _ in range(dice.randint(1, 3)):
        name = _name(dice)
        claims = {name[1:], f"*{name}"} if name.startswith(".") else {name}
        if not claims & taken:
            taken |= claims
            names.append(name)
    only_regexes = dice.random() < 0.25
    locations: dict[tuple[str, str], Location[str]] = {}
    for _ in range(dice.randint(0, 6)):
        location = _location(dice, f"{number}:{len(locations)}", only_regexes)
        kind = "" if location.modifier == "^~" else location.modifier
        locations.setdefault((kind, location.path), location)
    return Server(tuple(names), tuple(locations.values()))


def _name(dice: Random) -> str:
    base = ".".join(dice.choice(_LABELS) for _ in range(dice.randint(1, 3)))
    pattern = rf"~^(?<s{dice.randint(0, 99)}>[\w-]+)\.{base.replace('.', chr(92) + '.')}$"
    return dice.choices((base, f"*.{base}", f".{base}", f"{base}.*", pattern), (50, 20, 8, 8, 14))[0]


def _path(dice: Random, segments: tuple[str, ...] = _SEGMENTS) -> str:
    path = "/" + "/".join(dice.choice(segments) for _ in range(dice.randint(0, 3)))
    return f"{path}/" if dice.random() < 0.4 and path != "/" else path


def _location(dice: Random, config: str, regex: bool) -> Location[str]:
    modifier = "~*" if regex else dice.choice(("", "", "=", "^~", "~*", "~"))
    path = _path(dice)
    if modifier.startswith("~"):
        path = f"^{path}" if dice.random() < 0.8 else f"{path}$"
    return Location(modifier, path, config, passes=dice.random() < 0.8)


def _written(servers: Servers) -> str:
    """The inside of an http block."""
    lines = ["server_name_in_redirect off;", "port_in_redirect off;"]
    for number, server in enumerate(servers):
        names = " ".join(f'"{name}"' for name in server.names)
        lines.append(f"server {{ listen {{front}}{'' if number else ' default_server'}; server_name {names};")
        for each in server.locations:
            path = each.path.replace("\\", "\\\\")
            proxied = each.passes and not each.is_regex
            passing = "proxy_pass http://unix:/nowhere; " if proxied else ""
            said = f'return 200 "{each.config}|$uri|$is_args$args";'
            lines.append(f'  location {each.modifier} "{path}" {{ {said} {passing}}}')
        lines.append("}")
    return "\n".join(lines) + "\n"


def _seen(answer: Answer) -> Answer:
    """What nginx answered, as far as the model says anything about it; without a location it looks for a file."""
    if answer.status == 200 or (answer.status == 301 and "/empty/" not in answer.location):
        return answer._replace(body=answer.body if answer.status == 200 else "")
    return Answer(404 if answer.status in (403, 405) else answer.status)


def _decided(model: Nginx[str], question: Question) -> Answer:
    host, found = normal_host(wire(question[0])), normal_uri(wire(question[1]))
    if found is None or host is None:
        return Answer(400)
    uri, query = found
    asked = f"?{query}" if query else ""
    location = model.select(host).server.find(uri)
    if location.location is None:
        return Answer(404)
    if location.redirect:
        return Answer(301, f"http://{host}{escape_uri(location.location.name)}{asked}")
    return Answer(200, "", f"{location.location.config}|{uri}|{asked}")


# Ingresses ------------------------------------------------------------------------------------------

_HOSTS = ("", "a.b", "foo", "*.foo", "*.a.b", "b.foo", "www.a.b", "com")
_WORDS = ("a", "b", "aa", "foo", "Foo", "a.b", "x-1")
_SERVICES = tuple(f"s{number}" for number in range(4))


@dataclass(frozen=True, slots=True)
class Ingresses:
    """Ingress objects, and questions to their controller."""

    ingresses: tuple[Ingress, ...]
    questions: tuple[Question, ...]


class IngressOracle:
    """Whether the model's controller sends a request where ingress-nginx's nginx does."""

    patience = PATIENCE

    def draw(self, seed: str) -> Ingresses:
        dice = Random(seed)
        ingresses = tuple(_ingress(dice, number) for number in range(dice.randint(1, 5)))
        rules = [rule for each in ingresses for rule in each.rules]
        names = [rule.host or "none" for rule in rules]
        paths = [path.path for rule in rules for path in rule.paths]
        return Ingresses(ingresses, _asked(dice, names, paths))

    def play(self, case: Ingresses) -> Played:
        played = Played()
        try:
            with WebServer(_template(case.ingresses)) as server:
                answers = server.ask(case.questions)
        except LabError as problem:
            if "duplicate location" not in str(problem):
                raise
            return played  # the real controller would be refused as well
        controller = _controller(case.ingresses)
        for (host, target), answer in zip(case.questions, answers, strict=True):
            played.cases += 1
            played.count(str(answer.status))
            said = _sent(controller, HttpRequest(host, target))
            real = Answer(answer.status, answer.location, answer.body if answer.status == 200 else "")
            if real != said:
                played.difference = Difference(f"{host} {target}", str(real), str(said))
                break
        return played

    def smaller(self, case: Ingresses) -> Iterator[Ingresses]:
        yield from (replace(case, questions=questions) for questions in without(case.questions) if questions)
        yield from (replace(case, ingresses=ingresses) for ingresses in without(case.ingresses))
        for number, one in enumerate(case.ingresses):
            for fewer in without(one.rules):
                ingresses = (*case.ingresses[:number], replace(one, rules=fewer), *case.ingresses[number + 1 :])
                yield replace(case, ingresses=ingresses)

    def told(self, case: Ingresses) -> str:
        return "\n".join(map(str, (*case.ingresses, *case.questions)))


def _ingress(dice: Random, number: int) -> Ingress:
    rules = []
    for _ in range(dice.randint(1, 2)):
        paths = []
        for _ in range(dice.randint(0, 4)):
            kind = dice.choice(list(PathType))
            paths.append(IngressPath(_path(dice, _WORDS), kind, IngressBackend(dice.choice(_SERVICES), 80)))
        rules.append(IngressRule(dice.choice(_HOSTS), tuple(paths)))
    return Ingress("n", f"i{number}", f"2026-01-{dice.randint(1, 28):02d}", "nginx", tuple(rules))


def _controller(ingresses: tuple[Ingress, ...]) -> Controller:
    services = tuple(Service("n", name, ports=(ServicePort(80),)) for name in _SERVICES)
    pods = (SliceEndpoint(address("10.0.0.1")),)
    slices = tuple(EndpointSlice("n", f"{name}-1", name, (EndpointPort(80),), pods) for name in _SERVICES)
    classes = (IngressClass("nginx", "k8s.io/ingress-nginx"),)
    return Controller(Cluster((), (), services, slices, ingresses, classes, controller=ControllerConfig()))


def _sent(controller: Controller, request: HttpRequest) -> Answer:
    """What the model decides, as the real pair of servers would put it."""
    decision = controller.decide(request, address("192.0.2.1"))
    response = decision.response
    if response is None:
        assert decision.request is not None
        return Answer(200, "", f"{decision.upstream} {wire(decision.request.target)}")
    if decision.hop.verdict.code == "INGRESS_DEFAULT_BACKEND":
        return Answer(404)
    return Answer(response.status, wire(dict(response.headers).get("Location", "")))


def _template(ingresses: tuple[Ingress, ...]) -> str:
    """What ingress-nginx writes for Ingresses without annotations, as far as it decides where a request goes.

    The oldest comes first and wins. ImplementationSpecific is Prefix to it. A Prefix is two locations: what is below
    it, and itself as it is written, unless an Exact path of the same host has that already. Every host has a `/` of
    its own, by default the default backend.
    """
    hosts: dict[str, dict[tuple[str, PathType], str]] = {"": {}}
    backwards = sorted(ingresses, key=lambda each: each.key, reverse=True)  # of those of one age (sortIngressSlice)
    for one in sorted(backwards, key=lambda each: each.created):
        for rule in one.rules:
            paths = hosts.setdefault(rule.host, {})
            for each in rule.paths:
                kind = PathType.EXACT if each.type is PathType.EXACT else PathType.PREFIX
                paths.setdefault((each.path, kind), f"n-{each.backend.service}-{each.backend.port}")
    blocks = "".join(_block(host, paths) for host, paths in hosts.items())
    echo = 'location / { return 200 "$http_x_upstream $request_uri"; }'
    return f"server_name_in_redirect off;\nport_in_redirect off;\n{blocks}server {{ listen {{back}}; {echo} }}\n"


def _block(host: str, paths: dict[tuple[str, PathType], str]) -> str:
    locations: list[tuple[str, str]] = []
    exact = {path for path, kind in paths if kind is PathType.EXACT}
    for (path, kind), upstream in paths.items():
        if kind is PathType.EXACT:
            locations.append((f"= {path}", upstream))
        elif kind is PathType.PREFIX and path != "/":
            locations.append((f"{path.rstrip('/')}/", upstream))
            if path not in exact:
                locations.append((f"= {path}", upstream))
        else:
            locations.append((path, upstream))
    if not any(where == "/" for where, _ in locations):
        locations.append(("/", ""))
    name = host or "_"
    if host.startswith("*."):  # one label, where nginx's own wildcards stand for any number (buildServerName)
        name = '"~^(?<subdomain>[\\w-]+)\\.' + re.escape(host[2:]) + '$"'
    lines = [f"server {{ listen {{front}}{' default_server' if not host else ''}; server_name {name};"]
    for where, upstream in locations:
        does = "return 404;" if not upstream else f"proxy_set_header X-Upstream {upstream}; proxy_pass http://{{back}};"
        lines.append(f"  location {where} {{ {does} }}")
    return "\n".join(lines) + "\n}\n"
