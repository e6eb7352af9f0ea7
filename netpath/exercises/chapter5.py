"""Chapter 5: there and back again."""

from __future__ import annotations

from random import Random

from netpath.chance import seeded
from netpath.exercises.exercise import Chapter, Level
from netpath.exercises.misconceptions import PAGES, POD_SEES_USER, chapter
from netpath.exercises.predict import Form, Predict, Slip, Variant
from netpath.journey import travel
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import http_request

_BELIEFS = chapter(5, "Who do they think you are?", "who-do-they-think-you-are")


# q1 ----------------------------------------------------------------------------------------------
def _seeming_source(draw: Random) -> Variant:
    """Which address a connection seems to come from, for whoever gets it."""
    path = draw.choice(["/cart", "/", "/cart/items", "/web"])
    user = f"198.51.100.{draw.randrange(24, 250)}"
    journey = travel(shop(), Memory(), http_request(f"http://shop.example.com{path}"), seeded(draw.randrange(10**6)))
    place = draw.choice(["the load balancer", "the ingress controller", "the pod"])
    at = ["the load balancer", "the ingress controller", "the pod"].index(place)
    connection = journey.connections[min(at, len(journey.connections) - 1)]
    arrived = connection.out.packet
    assert arrived is not None and user
    nodes = [hop.at for hop in connection.out.hops if hop.station == "node"]
    through = f" Its packets pass the nodes {', then '.join(nodes)}." if nodes else ""
    slips = {
        str(each.out.sent.source.address): Slip(
            str(each.out.sent.source.address),
            "that is who made another of the three connections, or who made this one before it was rewritten.",
            POD_SEES_USER if each is journey.connections[0] else "",
            _BELIEFS,
        )
        for each in journey.connections
    }
    right = str(arrived.source.address)
    return Variant(
        f"The user 198.51.100.23 opens `http://shop.example.com{path}`. {connection.client} calls "
        f"`{connection.out.sent.destination}`.{through} From which address does {place} get this connection?",
        right,
        f"It was sent as `{connection.out.sent.source} → {connection.out.sent.destination}`, and it arrives as "
        f"`{arrived.source} → {arrived.destination}`: a node that got it for its NodePort rewrote both ends."
        if arrived.source != connection.out.sent.source
        else f"It arrives as `{arrived.source} → {arrived.destination}`, and nobody on the way rewrote its source.",
        tuple(slip for answer, slip in slips.items() if answer != right),
        Form.ADDRESS,
    )


q1 = Predict(
    "5.1",
    "Who is calling?",
    3,
    Level.EASY,
    ("Who made this connection, and did anybody rewrite its source on the way?",),
    make=_seeming_source,
    otherwise="nobody on this connection's way has that address; follow the packet box by box.",
)

exercises = Chapter(5, "There and back again", PAGES[5], (q1,))
progress = exercises.progress
