"""A lab for a moment: the same page opened again and again; which roads were seen, and how long it took.

    with Isolated() as isolated:
        isolated.call(visits, "http://shop.example.com/cart", "203.0.113.10", 60)

Times are the clock's: most of what the real thing does, the kernel and other processes do.

Not modelled: a user who waits between two requests, or several at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from time import perf_counter

from lab import road, user
from lab.session import USER, Lab
from netpath.load import shop
from netpath.packet import http_request

Text = tuple[str, ...]
_FEW = 20  # requests that nobody watches, for their time


@dataclass(frozen=True)
class Visits:
    """The roads that were seen and how often; seconds to build it all, for a request, for one with its hops seen."""

    url: str
    server: str
    roads: tuple[tuple[Text, int], ...]
    up: float
    request: float
    watched: float


def visits(url: str, server: str, times: int) -> Visits:
    """Build the book's world, open a URL at one of its load balancer's nodes, and take it down again."""
    began = perf_counter()
    lab = Lab(shop())
    lab.up()
    up = perf_counter() - began
    try:
        began = perf_counter()
        seen = Counter(road.canonical(lab.request(url, server).road) for _ in range(times))
        watched = (perf_counter() - began) / times
        return Visits(url, server, tuple(seen.items()), up, _alone(url, server), watched)
    finally:
        lab.down()


def _alone(url: str, server: str) -> float:
    """Seconds of a request that nobody watches: a connection, a question, an answer."""
    wanted = http_request(url)
    began = perf_counter()
    for _ in range(_FEW):
        user.get(USER, (server, wanted.port), wanted.host, wanted.target, "alone")
    return (perf_counter() - began) / _FEW
