"""What was seen of one request, as plain data: to be written down, and held against the model another day.

    capture = captured(lab, "http://shop.example.com/cart")
    text = json.dumps(as_object(capture))
    capture = from_object(json.loads(text))

Nothing of it comes from the model. What a capture is compared with is worked out anew each time; see `trace`.

Not modelled: the packets themselves. What is kept of them is what is compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.message

from lab import remembered
from lab.questions import Asked
from lab.road import Crossing, Line, Road
from lab.session import Lab, Request
from lab.user import Reply
from lab.wire import Packet

FORWARDED = "X-Forwarded-For"
FOLDER = Path(__file__).parent / "recorded"  # captures that are in the repository: the book shows them


@dataclass(frozen=True)
class Capture:
    """A request as it was seen; `servers` are name servers by address.

    `forwarded` is what each connection's request said of its client (empty: nothing), `kept` what each node's kernel
    remembered afterwards, by the node's place.
    """

    url: str
    request: Request
    servers: Mapping[str, str]
    forwarded: tuple[str, ...]
    kept: Mapping[str, tuple[str, ...]]


def captured(lab: Lab, url: str, choose: int = 0) -> Capture:
    """Open a URL with an empty resolver and fresh kernels; `choose`: which of the addresses found."""
    nodes = lab.plan.of_kind("node")
    lab.forget_names()
    for node in nodes:
        remembered.forget(node)
    lab.watch_rules()
    seen = lab.request(url, choose=choose)
    servers = {asked.server: lab.places.get(asked.server, "?") for asked in seen.asked}
    kept = {node.place: tuple(remembered.entries(node)) for node in nodes}
    return Capture(url, seen, servers, tuple(_forwarded(seen)), kept)


def _forwarded(seen: Request) -> Iterator[str]:
    """The header of the request on each connection."""
    requests = {each.packet[:4]: each.payload for each in reversed(seen.sightings) if each.asks}
    for line in seen.road.lines:
        ends = line.out[0].left[:4] if line.out[0].left else None
        lines = requests.get(ends, b"").decode("latin-1").split("\r\n") if ends else []
        found = (each.partition(": ")[2] for each in lines if each.lower().startswith(f"{FORWARDED.lower()}: "))
        yield next(found, "")


# As plain data -------------------------------------------------------------------------------


def load(name: str) -> Capture:
    """A capture that is in the repository. Raises `OSError` if there is none of that name."""
    return from_object(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def as_object(capture: Capture) -> dict[str, Any]:
    """A capture as what JSON knows."""
    seen = capture.request
    return {
        "url": capture.url,
        "server": seen.server,
        "asked": [[each.server, each.question, each.code, list(each.records)] for each in seen.asked],
        "answer": seen.answer.to_text() if seen.answer is not None else None,
        "lines": [{"out": _ways(line.out), "back": _ways(line.back), "end": line.end} for line in seen.road.lines],
        "status": seen.reply.status,
        "page": seen.reply.page,
        "rules": [[list(ends), place, rules] for (ends, place), rules in seen.rules.items()],
        "servers": dict(capture.servers),
        "forwarded": list(capture.forwarded),
        "kept": {place: list(entries) for place, entries in capture.kept.items()},
    }


def _ways(crossings: Iterable[Crossing]) -> list[Any]:
    return [[each.place, each.came, each.left] for each in crossings]


def from_object(told: dict[str, Any]) -> Capture:
    """The capture that `as_object` wrote, without its sightings."""
    lines = tuple(Line(_crossings(line["out"]), _crossings(line["back"]), line["end"]) for line in told["lines"])
    request = Request(
        told["server"],
        tuple(Asked(server, question, code, tuple(records)) for server, question, code, records in told["asked"]),
        dns.message.from_text(told["answer"]) if told["answer"] is not None else None,
        Road(lines, told["status"]),
        Reply(told["status"], told["page"]),
        (),
        {((ends[0], ends[1], ends[2], ends[3]), place): rules for ends, place, rules in told["rules"]},
    )
    kept = {place: tuple(entries) for place, entries in told["kept"].items()}
    return Capture(told["url"], request, told["servers"], tuple(told["forwarded"]), kept)


def _crossings(told: Iterable[Any]) -> tuple[Crossing, ...]:
    return tuple(Crossing(place, _packet(came), _packet(left)) for place, came, left in told)


def _packet(told: list[Any] | None) -> Packet | None:
    if told is None:
        return None
    source, source_port, destination, destination_port, what, quotes = told
    return Packet(source, source_port, destination, destination_port, what, _packet(quotes))
