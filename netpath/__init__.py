"""The road between opening http://shop.example.com/cart and seeing the page.

    >>> from netpath import Memory, http_request, shop, travel
    >>> journey = travel(shop(), Memory(), http_request("http://shop.example.com/cart"))
    >>> print(journey.outcome)
    200 from pod shop/cart-5f7d9c6b8-fx2gk
    >>> len(journey.connections)
    3

Each module is one kind of box on that road, or what the boxes have in common. Together they form a
ladder: a line imports only from the lines below it, and boxes on one line don't know each other.

    __main__ | exercises
    show
    load | properties | check | chance | wire | asking
    journey
    fabric
    world
    names
    nodes | memory
    resolution | vpc | balancing | kubeproxy | ingress | netfilter
    nat | routing
    conntrack | iptables | algorithms | kubernetes | cni
    packet
    choice | codes
    errors

So any box can be read, and used, without those above it. `tests/test_ladder.py` reads these very
lines and holds the imports to them. Importing `netpath` loads no plotting and no widgets, and nothing
at all until a name is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netpath.chance import seeded as seeded
    from netpath.choice import Script as Script
    from netpath.choice import first as first
    from netpath.choice import outcomes as outcomes
    from netpath.codes import CODES as CODES
    from netpath.errors import InputError as InputError
    from netpath.errors import NetpathError as NetpathError
    from netpath.errors import WorldError as WorldError
    from netpath.fabric import round_trip as round_trip
    from netpath.fabric import send as send
    from netpath.journey import Journey as Journey
    from netpath.journey import travel as travel
    from netpath.load import load_world as load_world
    from netpath.load import shop as shop
    from netpath.memory import Memory as Memory
    from netpath.packet import address as address
    from netpath.packet import endpoint as endpoint
    from netpath.packet import http_request as http_request
    from netpath.packet import tcp as tcp
    from netpath.packet import udp as udp
    from netpath.world import World as World

# The public names in the order of a journey, and where each one lives.
_HOME = {
    "load_world": "load",
    "shop": "load",
    "World": "world",
    "Memory": "memory",
    "address": "packet",
    "endpoint": "packet",
    "tcp": "packet",
    "udp": "packet",
    "http_request": "packet",
    "travel": "journey",
    "Journey": "journey",
    "send": "fabric",
    "round_trip": "fabric",
    "first": "choice",
    "Script": "choice",
    "outcomes": "choice",
    "seeded": "chance",
    "CODES": "codes",
    "NetpathError": "errors",
    "InputError": "errors",
    "WorldError": "errors",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'netpath' has no attribute {name!r}")
    value = getattr(import_module(f"netpath.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
