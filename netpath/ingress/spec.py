"""What networking.k8s.io/v1 says that an Ingress does with a host and a path.

The host comes first: "incoming requests are matched against the host before the IngressRuleValue". So
rules of the most specific matching host count (precise, then wildcard, then none), and a path that none
of *those* has goes to a default backend, not to a less specific host. Then the path: the longest
matching path wins, and Exact before Prefix among equals. Paths are compared as they stand: the
specification knows no decoding and no case folding.

Where the specification leaves something open (`Decision.notes`), this is what is taken: precise before
wildcard before none; ImplementationSpecific as Prefix; the oldest Ingress among equals; an Ingress's own
default backend for a host of its rules, or for any host if it has no rules.

Not modelled: `resource` backends (an object store instead of a Service).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netpath.ingress.backend import Backend, Decision, Directory
from netpath.kubernetes import (
    EndpointSlice,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressPath,
    PathType,
    Service,
)
from netpath.packet import Hop, HttpResponse, LazySteps, Step, Verdict

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_OPEN_TYPE = "ImplementationSpecific: the specification leaves matching to the controller; taken as Prefix here"
_OPEN_TIE = "two Ingresses claim the same host and path: the specification names no winner; the oldest is taken"
_OPEN_HOST = "precise before wildcard before no host is custom: the specification states no order of hosts"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One path of one rule of one Ingress."""

    ingress: Ingress
    host: str
    path: IngressPath

    @property
    def text(self) -> str:
        return f"{self.host or '*'} {self.path.type} {self.path.path or '/'} -> {self.path.backend}"

    @property
    def at(self) -> str:
        return f"Ingress {self.ingress.key}"

    @property
    def rank(self) -> tuple[int, bool, int]:
        """Greater wins: more elements, then Exact, then more characters (a trailing slash)."""
        path = self.path.path
        return len(_elements(path)), self.path.type is PathType.EXACT, len(path)


def _elements(path: str) -> list[str]:
    return path.removesuffix("/").split("/")[1:]


def path_matches(path: IngressPath, request: str) -> bool:
    """Whether a request's path matches: Exact as it stands, Prefix element by element.

    >>> aaa_bb = IngressPath("/aaa/bb", PathType.PREFIX, IngressBackend("s", 80))
    >>> path_matches(aaa_bb, "/aaa/bb/c"), path_matches(aaa_bb, "/aaa/bbb")
    (True, False)
    """
    if path.type is PathType.EXACT:
        return request == path.path
    prefix = path.path.removesuffix("/")
    return request.startswith(prefix) and request[len(prefix) : len(prefix) + 1] in ("", "/")


def host_matches(pattern: str, host: str) -> bool:
    """Whether a rule's host covers a host: `*.` is exactly one label, empty is every host.

    >>> [host_matches("*.foo.com", host) for host in ("bar.foo.com", "baz.bar.foo.com", "foo.com")]
    [True, False, False]
    """
    if pattern.startswith("*."):
        label, _, rest = host.partition(".")
        return bool(label) and rest == pattern[2:].lower()
    return not pattern or pattern.lower() == host


def in_class(ingress: Ingress, classes: Sequence[IngressClass], wanted: str) -> bool:
    """Whether an Ingress belongs to a class: by `ingressClassName`, the older annotation, or as the default."""
    named = ingress.ingress_class or ingress.annotations.get(CLASS_ANNOTATION)
    if named is not None:
        return named == wanted
    return any(each.default and each.name == wanted for each in classes)


def specification(
    ingresses: Sequence[Ingress],
    classes: Sequence[IngressClass],
    services: Sequence[Service],
    host: str,
    path: str,
    slices: Sequence[EndpointSlice] = (),
    *,
    ingress_class: str | None = None,
    default_backend: Backend | None = None,
) -> Decision:
    """The backend that the specification gives a host (without port) and a path.

    `ingress_class` None: Ingresses of every class count. `default_backend` is the one that a controller
    brings for all. Without any match: `INGRESS_NO_RULE` and a 404.
    """
    return Specification(ingresses, classes, services, slices, ingress_class, default_backend).decide(host, path)


class Specification:
    """The rules of many Ingresses, indexed by host: `decide` looks at those of one host alone."""

    def __init__(
        self,
        ingresses: Sequence[Ingress],
        classes: Sequence[IngressClass] = (),
        services: Sequence[Service] = (),
        slices: Sequence[EndpointSlice] = (),
        ingress_class: str | None = None,
        default_backend: Backend | None = None,
    ) -> None:
        self.directory = Directory(services, slices)
        self.default_backend = default_backend
        self._rules: dict[str, list[Candidate]] = {}
        self._owners: dict[str, list[Ingress]] = {}
        self._catch_all: list[Ingress] = []
        for ingress in sorted(ingresses, key=lambda each: (each.created, each.key)):
            if ingress_class is None or in_class(ingress, classes, ingress_class):
                self._add(ingress)

    def _add(self, ingress: Ingress) -> None:
        for rule in ingress.rules:
            host = rule.host.lower()
            self._rules.setdefault(host, []).extend(Candidate(ingress, host, path) for path in rule.paths)
            self._owners.setdefault(host, []).append(ingress)
        if not ingress.rules and ingress.default_backend:
            self._catch_all.append(ingress)

    def _hosts(self, host: str) -> list[str]:
        """The hosts of rules that cover a host, the most specific first."""
        label, _, rest = host.partition(".")
        wanted = (host, f"*.{rest}" if label and rest else "", "")
        return [each for each in dict.fromkeys(wanted) if each in self._rules]

    def decide(self, host: str, path: str) -> Decision:
        """The backend of a host (any case, without port) and a path; see `specification`."""
        lower = host.lower()
        hosts = self._hosts(lower)
        candidates = self._rules[hosts[0]] if hosts else []
        matching = [each for each in candidates if path_matches(each.path, path)]
        best = max(matching, key=lambda each: each.rank, default=None)
        steps = LazySteps(lambda: self._steps(hosts, lower, path, best))
        if best is not None:
            return self._routed(best.ingress, best.path.backend, best.text, steps, tuple(_notes(best, matching, hosts)))
        return self._unmatched(hosts, steps)

    def _unmatched(self, hosts: list[str], steps: LazySteps) -> Decision:
        owners = self._owners[hosts[0]] if hosts else []
        for ingress in (*owners, *self._catch_all):
            if ingress.default_backend is not None:
                text = f"defaultBackend -> {ingress.default_backend}"
                return self._routed(ingress, ingress.default_backend, text, steps, ())
        if self.default_backend is not None:
            return self._to(self.default_backend, f"default backend -> {self.default_backend}", "controller", steps, ())
        hop = Hop("ingress specification", "cluster", None, Verdict("INGRESS_NO_RULE"), steps=steps)
        return Decision(hop, response=HttpResponse(404, "ingress"))

    def _routed(
        self, ingress: Ingress, backend: IngressBackend, text: str, steps: LazySteps, notes: tuple[str, ...]
    ) -> Decision:
        target = self.directory.backend(ingress.namespace, backend)
        return self._to(target, text, f"Ingress {ingress.key}", steps, notes)

    def _to(self, backend: Backend, text: str, at: str, steps: LazySteps, notes: tuple[str, ...]) -> Decision:
        hop = Hop("ingress specification", at, None, Verdict("INGRESS_MATCHED", text), steps=steps)
        return Decision(hop, backend, self.directory.endpoints(backend), notes=notes)

    def _steps(self, hosts: list[str], host: str, path: str, best: Candidate | None) -> Iterator[Step]:
        for position, each in enumerate(hosts):
            for candidate in self._rules[each]:
                won = candidate is best
                why = _why(candidate, path, best) if position == 0 else f"{hosts[0]!r} is more specific than {each!r}"
                yield Step(candidate.text, won, why, candidate.at)
        if not hosts:
            yield Step("rules", False, f"no rule's host covers {host!r}")


def _why(candidate: Candidate, path: str, best: Candidate | None) -> str:
    own = candidate.path
    if not path_matches(own, path):
        return f"{path!r} is not {own.path!r}" if own.type is PathType.EXACT else _not_under(own.path, path)
    if best is None or candidate is best:
        return f"{path!r} matches, and no other path is longer"
    if candidate.rank == best.rank:
        return f"the same host and path as {best.at}, which is older or stands first"
    longer = candidate.rank[0] != best.rank[0] or best.path.type is not PathType.EXACT
    return f"{best.path.path!r} is longer" if longer else "Exact wins over Prefix among equals"


def _not_under(prefix: str, path: str) -> str:
    return f"{path!r} is not under {prefix!r} element by element"


def _notes(best: Candidate, matching: list[Candidate], hosts: list[str]) -> Iterator[str]:
    if best.path.type is PathType.IMPLEMENTATION_SPECIFIC:
        yield _OPEN_TYPE
    if any(each is not best and each.rank == best.rank for each in matching):
        yield _OPEN_TIE
    if len(hosts) > 1:
        yield _OPEN_HOST
