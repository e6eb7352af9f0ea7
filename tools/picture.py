"""Draw the picture that the README and the introduction show: one journey through the book's own world.

`picture.py [FILE]` writes book/images/road.svg, or the file named.
"""

from __future__ import annotations

import sys
from pathlib import Path

from netpath.choice import Weights, first
from netpath.journey import travel
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import http_request
from netpath.show.figures import road

PICTURE = Path(__file__).resolve().parents[1] / "book" / "images" / "road.svg"
URL = "http://shop.example.com/cart"


def last_node(question: str, weights: Weights) -> int:
    """The load balancer takes the third node: then the request visits all three, and the picture shows most."""
    return 2 if question.startswith("where does round robin start") else first(question, weights)


def main(arguments: list[str]) -> int:
    path = Path(arguments[0]) if arguments else PICTURE
    drawn = road(travel(shop(), Memory(), http_request(URL), last_node))
    path.write_text(drawn.svg(), encoding="utf-8")
    print(f"{path}: {drawn.caption}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
