"""Ingress: from a host and a path to a Service's pods, by the book and by ingress-nginx.

Two deciders, both asked on purpose, for where they differ a rollout breaks:

- `specification(...)` answers what networking.k8s.io/v1 promises;
- `nginx(...)`, or a `Controller` made once, answers what the ingress-nginx controller's nginx does:
  servers and locations made by its code from the Ingresses (`locations`, `render`), one of them
  selected as nginx selects, its annotations obeyed, then a pod picked (`pick`) without the Service's ClusterIP.

Some of the differences: nginx decodes and cleans the path before comparing; it answers 301 where
`/foo/` is wanted and `/foo` came; one `use-regex` or `rewrite-target` makes every path of the host a
case-insensitive regular expression; what no path of a host has goes to *that host's* default.

Not modelled: Gateway API; other controllers; see each module.
"""

from __future__ import annotations

from netpath.ingress.annotations import Annotations, Canary, read_annotations
from netpath.ingress.backend import Backend, Decision, Directory
from netpath.ingress.deciding import Controller, controller, nginx
from netpath.ingress.proxying import (
    ControllerMemory,
    Pick,
    again,
    balance,
    connect_timeout,
    failure,
    forwarded,
    intercepted,
    pick,
)
from netpath.ingress.rendering import Row, locations, render
from netpath.ingress.spec import Specification, host_matches, path_matches, specification
from netpath.ingress.table import Place, Upstream

__all__ = [
    "Annotations",
    "Backend",
    "Canary",
    "Controller",
    "ControllerMemory",
    "Decision",
    "Directory",
    "Pick",
    "Place",
    "Row",
    "Specification",
    "Upstream",
    "again",
    "balance",
    "connect_timeout",
    "controller",
    "failure",
    "forwarded",
    "host_matches",
    "intercepted",
    "locations",
    "nginx",
    "path_matches",
    "pick",
    "read_annotations",
    "render",
    "specification",
]
