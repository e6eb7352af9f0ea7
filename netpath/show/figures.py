"""The book's figures, all of them drawn from a journey's record.

    road(journey)       the map: places by address space, the packet's way out and back
    sequence(journey)   the sequence diagram: the same as time passes
    boundaries(world)   the address spaces, one inside the other, and who translates between them
    translations(journey)  what the packets look like on each side of every boundary
    graph(journey)      the same as a networkx graph, to ask questions of
    layout(world)       a cluster in its VPC: zones, subnets, where each default route leads
    doors(out, back)    the gateways and filters on a packet's way, the rules asked, the one that decided
    tree(resolution)    the tree of names with a resolver's walk over it
    caches(readings)    who remembers an answer until when
    chains(rules, service, hop)  kube-proxy's chains for a Service port, and those that a packet met
    misses(world, port) which node a connection comes to, and where the pod is that it gets there
    hosts(world)        what an ingress controller has looked up: hosts and paths, Services, pods

Each figure is a `Drawn`: a notebook shows it with its caption and its alternative text, `svg()` makes a file of it.

Not modelled: animation; that is the packet player's.
"""

from __future__ import annotations

from netpath.show.boundaries import boundaries
from netpath.show.caches import Reading, caches
from netpath.show.canvas import Drawn
from netpath.show.chains import chains
from netpath.show.detours import misses
from netpath.show.doors import doors
from netpath.show.hosts import hosts
from netpath.show.layout import layout
from netpath.show.legs import graph, legs
from netpath.show.road import road
from netpath.show.sequence import sequence
from netpath.show.translations import translations
from netpath.show.tree import tree

__all__ = [
    "Drawn",
    "Reading",
    "boundaries",
    "caches",
    "chains",
    "doors",
    "graph",
    "hosts",
    "layout",
    "legs",
    "misses",
    "road",
    "sequence",
    "translations",
    "tree",
]
