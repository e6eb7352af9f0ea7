"""Chapter 5's functions to write: a node's memory, the forms of a packet, and whom to believe.

What they should answer comes from the model: packets are sent through the book's world, and every hop is on record.

Not modelled: entries that are forgotten after a while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from netpath.chance import seeded
from netpath.exercises.build import Build
from netpath.exercises.chapter5.actors import CLUSTER, LOCAL, world_with
from netpath.exercises.chapter5.failing import CHANGES
from netpath.exercises.chapter5.places import NODE_PORT, Ends, ends
from netpath.exercises.exercise import Level
from netpath.exercises.outcome import Outcome, right, wrong
from netpath.exercises.parts import cluster
from netpath.fabric import Trip, send
from netpath.journey import travel
from netpath.kubernetes import Node
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import Hop, Packet, address, http_request, tcp

Answer = Callable[..., Any]


def _tupled(value: Any) -> Any:
    """A list is as good as a tuple."""
    return tuple(value) if isinstance(value, list) else value


def _shown(pair: object) -> str:
    """A pair of ends, or whatever came in its place."""
    if isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(each, str) for each in pair):
        return f"`{pair[0]} → {pair[1]}`"
    return f"`{repr(pair)[:80]}`"


# q8: a conntrack -----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Flow:
    """A connection at one node: as its first packet comes and goes, and as the answer comes and goes."""

    name: str
    came: Ends
    left: Ends
    answered: Ends
    undone: Ends

    def packets(self, turns: int) -> Iterator[tuple[str, Ends, Ends]]:
        """The packet and its answer, again and again: what it is, as it comes, as it should leave."""
        yield f"the first packet of {self.name}", self.came, self.left
        for _ in range(turns):
            yield f"an answer to {self.name}", self.answered, self.undone
            yield f"a later packet of {self.name}", self.came, self.left


def _at(node: Node, trip: Trip) -> tuple[Ends, Ends]:
    """A packet as it comes to a node, and as it leaves it."""
    hop = next(each for each in trip.hops if each.at == node.name)
    assert hop.received is not None and hop.sent is not None, "it got through"
    return ends(hop.received), ends(hop.sent)


def _flows(node: Node, chance: Random) -> list[Flow]:
    """Connections through a node: to two of its ports, some from one and the same end, and one between pods."""
    memory, low = Memory(), chance.randrange(32768, 60000)
    balancers = [str(each.address) for each in shop().load_balancers[0].nodes]
    calls = [(f"{each}:{low + n}", NODE_PORT) for each in balancers for n in range(2)]
    calls += [(f"{chance.choice(balancers)}:{low}", NODE_PORT + 363)]
    packets = [tcp(source, f"{node.address}:{port}") for source, port in calls] + [_between_pods(node, low)]
    return [_flow(node, memory, packet, chance) for packet in chance.sample(packets, len(packets))]


def _between_pods(node: Node, port: int) -> Packet:
    here, there = (
        next(pod for pod in cluster(shop()).pods if (pod.node == node.name) is mine and pod.name.startswith("web"))
        for mine in (True, False)
    )
    return tcp(f"{here.ip}:{port}", f"{there.ip}:8080")


def _flow(node: Node, memory: Memory, packet: Packet, chance: Random) -> Flow:
    out = send(shop(), memory, packet, seeded(chance.randrange(10**6)))
    assert out.packet is not None and out.place is not None, "it arrived"
    back = send(shop(), memory, out.packet.answer(), origin=out.place, awaited=True)
    return Flow(f"`{packet.source} → {packet.destination}`", *_at(node, out), *_at(node, back))


@dataclass(slots=True)
class _Rules:
    """The table nat of a node. For a first packet it answers as the model did; when asked again, with other lots."""

    node: Node
    first: dict[Ends, Ends]
    chance: Random
    asked: list[Ends] = field(default_factory=list)

    def __call__(self, source: str, destination: str) -> Ends:
        self.asked.append((source, destination))
        if self.asked.count((source, destination)) == 1 and (source, destination) in self.first:
            return self.first[source, destination]
        if not destination.startswith(f"{self.node.address}:"):
            return source, destination
        trip = send(shop(), Memory(), tcp(source, destination), seeded(self.chance.randrange(10**6)))
        return ends(trip.packet) if trip.packet is not None else (source, destination)


def _tracked(carry: Answer, chance: Random) -> Outcome:
    node = chance.choice(cluster(shop()).nodes)
    flows = _flows(node, chance)
    rules, table = _Rules(node, {flow.came: flow.left for flow in flows}, chance), dict[Any, Any]()
    for what, came, expected in _mixed([list(flow.packets(2)) for flow in flows], chance):
        before = len(rules.asked)
        left = _tupled(carry(table, rules, *came))
        if left != expected:
            return wrong(
                f"{what} came to the node {node.address} as {_shown(came)} and left as {_shown(left)}; it should have "
                f"left as {_shown(expected)}"
            )
        if len(rules.asked) > before and not what.startswith("the first"):
            return wrong(f"{what} left as it should, but the rules were asked for it: only first packets come to them")
    return right(because=f"{len(flows)} connections at the node {node.address} found their way, and back")


def _mixed(rows: list[list[Any]], chance: Random) -> Iterator[Any]:
    """All of the rows, each in its order, mixed as chance will have it."""
    while rows := [row for row in rows if row]:
        yield chance.choice(rows).pop(0)


q8 = Build(
    "5.8",
    "A conntrack in ten lines",
    15,
    Level.MEDIUM,
    (
        "When a first packet has been translated, two entries are due: one for the packets that follow, one for the "
        "answers.",
        "How does the answer come to this node? From whom the packet went to, to whom it seemed to come from.",
        "And how must it leave? From whom the packet was sent to, to whom it really came from.",
    ),
    task="A node gets packets, each with a source and a destination, such as `10.0.0.25:32768` and `10.0.33.12:30080`. "
    "Write the function that says how each of them leaves the node: a pair, source and destination.\n\n`rules(source, "
    "destination)` asks the table nat, which answers with such a pair. It draws lots and takes a free port, so it may "
    "answer otherwise the next time; ask it only for the first packet of a connection. `table` is an empty dictionary "
    "at first; what you put into it is there when the next packet comes.\n\nThe checker sends a few connections "
    "through a node of the book's world, all mixed: first packets, answers, later packets.",
    stub="""
    def carry(table, rules, source, destination):
        ...
    """,
    answer="""
    def carry(table, rules, source, destination):
        if (source, destination) not in table:
            as_whom, to = rules(source, destination)
            table[source, destination] = as_whom, to
            table[to, as_whom] = destination, source
        return table[source, destination]
    """,
    reasoning="Both entries are made when the first packet passes, as the kernel does it: one tuple for each "
    "direction. The answer needs no rule, and must not ask one: the lots might fall on another pod. An entry is found "
    "by both ends together; one end may have several connections.",
    judge=_tracked,
    slips=(
        ("def carry(table, rules, source, destination):\n    return rules(source, destination)", "left as "),
        (
            """
            def carry(table, rules, source, destination):
                if (source, destination) not in table:
                    table[source, destination] = rules(source, destination)
                return table[source, destination]
            """,
            "an answer to",
        ),
        (
            """
            def carry(table, rules, source, destination):
                if (source, destination) not in table:
                    table[source, destination] = rules(source, destination)
                    table[destination, source] = table[source, destination][::-1]
                return table[source, destination]
            """,
            "an answer to",
        ),
        (
            """
            def carry(table, rules, source, destination):
                if source not in table:
                    as_whom, to = rules(source, destination)
                    table[source] = as_whom, to
                    table[to] = destination, source
                return table[source]
            """,
            "should have left as",
        ),
        ("def carry(table, rules, source, destination):\n    return source", "and left as `'"),
    ),
)


# q9: the forms of a packet -------------------------------------------------------------------------
Record = tuple[str, Ends | None, Ends | None]


def _recorded(hop: Hop) -> Record:
    received, sent = (None if each is None else ends(each) for each in (hop.received, hop.sent))
    return hop.at, received, sent


def _trips(chance: Random) -> Iterator[tuple[str, Trip]]:
    """Packets of a journey, there and back, in a world where all is well or something isn't."""
    change = chance.choice(list(CHANGES.values()))
    world = chance.choice([world_with(CLUSTER), world_with(LOCAL), change(shop())])
    url = chance.choice(["http://shop.example.com/cart", "http://direct.example.com/cart"])
    for connection in travel(world, Memory(), http_request(url), seeded(chance.randrange(10**6))).connections:
        yield str(connection.client), connection.out
        if connection.back is not None and connection.server is not None:
            yield str(connection.server), connection.back


def _numbered(forms: Answer, chance: Random) -> Outcome:
    made = 0
    for _ in range(4):
        for sender, trip in _trips(chance):
            hops = [_recorded(hop) for hop in trip.hops]
            expected = [(sender, *ends(trip.sent))]
            expected += [(hop.at, *ends(hop.sent)) for hop in trip.hops if hop.rewrites and hop.sent is not None]
            found = forms(sender, ends(trip.sent), hops)
            if (problem := _unlike(found, expected)) is not None:
                return wrong(f"of the packet {_shown(ends(trip.sent))} from `{sender}`, {problem}")
            made += 1
    return right(because=f"{made} packets, and every form of each of them")


def _unlike(found: Any, expected: list[tuple[str, str, str]]) -> str | None:
    if not isinstance(found, list):
        return f"your function gave a {type(found).__name__}; a list is asked for"
    for at, (theirs, ours) in enumerate(zip(found, expected, strict=False), 1):
        if _tupled(theirs) != ours:
            return f"form {at} came as `{repr(theirs)[:160]}`; expected was `{ours}`"
    if len(found) != len(expected):
        last = f"the last of them should be `{expected[-1]}`"
        return f"you found {len(found)} forms, and there are {len(expected)}; {last}"
    return None


q9 = Build(
    "5.9",
    "Who rewrote what",
    10,
    Level.EASY,
    (
        "A form begins where an address changes. Most boxes change none.",
        "Where `sent` is None the box let nothing go: the last form was the last.",
    ),
    task="The circled numbers in the chapter's figures stand for the forms of a packet: as long as both ends stay as "
    "they are, it is the same form.\n\nWrite a function that lists the forms of one packet. It gets the sender's name; "
    "the packet as it sets out, a pair of source and destination; and the record of the boxes on its way, a list of "
    "`(box, received, sent)`, where `received` and `sent` are such pairs, or None. It returns a list of `(who, source, "
    "destination)`: first the form in which the sender made it, then each new form, with the box that made it.\n\nThe "
    "checker takes packets of whole journeys, out and back, some of which end badly.",
    stub="""
    def forms(sender, packet, hops):
        ...
    """,
    answer="""
    def forms(sender, packet, hops):
        made = [(sender, *packet)]
        for box, received, sent in hops:
            if sent is not None and sent != received:
                made.append((box, *sent))
        return made
    """,
    reasoning="A box that lets a packet pass as it is makes no new form, and one that drops it makes none either. On "
    "the way out of a miss there are two forms, on the way back two again: what one node did, it undoes, and nobody "
    "else has a part in it.",
    judge=_numbered,
    slips=(
        (
            """
            def forms(sender, packet, hops):
                return [(sender, *packet)] + [(box, *sent) for box, received, sent in hops if sent]
            """,
            "the last of them should be",
        ),
        (
            """
            def forms(sender, packet, hops):
                return [(box, *sent) for box, received, sent in hops if sent and sent != received]
            """,
            "form 1 came as",
        ),
        (
            """
            def forms(sender, packet, hops):
                made = [(sender, *packet)]
                for box, received, sent in hops:
                    if sent is not None and sent[1] != received[1]:
                        made.append((box, *sent))
                return made
            """,
            "the last of them should be",
        ),
        ("def forms(sender, packet, hops):\n    return packet", "a list is asked for"),
    ),
)


# q10: whom to believe ------------------------------------------------------------------------------
_TRUSTED = ["10.0.0.0/16"]
_FORGED = ("192.0.2.9", "10.0.0.25", "10.0.99.99", "203.0.113.77, 10.0.0.4", "192.0.2.1, 192.0.2.2")


def _requests(chance: Random) -> Iterator[tuple[str, str, str]]:
    """What the ingress controller gets: who its connection comes from, the header, and whose request it really is."""
    for _ in range(8):
        user = f"198.51.100.{chance.randrange(1, 250)}"
        claim = chance.choice(["", *_FORGED])
        request = http_request("http://shop.example.com/", headers=(("X-Forwarded-For", claim),) if claim else ())
        world, luck = world_with(chance.choice([CLUSTER, LOCAL])), seeded(chance.randrange(10**6))
        onward = travel(world, Memory(), request, luck, user=address(user)).connections[1]
        assert onward.request is not None and onward.out.packet is not None, "it got through"
        yield str(onward.out.packet.source.address), str(onward.request.header("X-Forwarded-For")), user
        yield user, claim, user  # somebody found a way that doesn't lead by the load balancer


def _believed(client: Answer, chance: Random) -> Outcome:
    requests = list(_requests(chance))
    for peer, header, user in chance.sample(requests, len(requests)):
        found = client(peer, header, list(_TRUSTED))
        if found != user:
            return wrong(
                f"a connection from `{peer}` with `X-Forwarded-For: {header}` was taken for one of "
                f"`{repr(found)[:60]}`; the request was made by {user}"
            )
    return right(because=f"{len(requests)} requests, some of liars, and each was put down to whoever made it")


q10 = Build(
    "5.10",
    "Whom to believe",
    15,
    Level.HARD,
    (
        "Every proxy adds, at the right end, the address that it saw itself. So the right end is the freshest.",
        "The connection's own address can't be made up. Begin there, and go to the left as long as you come from "
        "somebody whom you trust.",
    ),
    task="The shop wants to slow down who asks too often, and a header alone can't be believed: anybody may send one. "
    "Write a function that finds out who made a request.\n\nIt gets `peer`, the address that the connection comes "
    "from; `header`, the text of `X-Forwarded-For`, addresses with commas between them, or an empty text; and "
    "`trusted`, a list of networks such as `10.0.0.0/16`, in which all machines tell the truth. Each proxy adds the "
    "address that it was called from at the end of the header. Return, as a text, the address of the nearest machine "
    "outside these networks: what that one says of others is only its word.\n\nThe checker lets users open the shop, "
    "some of whom send a header of their own making, and some of whom have found a way around the load balancer.",
    stub="""
    def client(peer, header, trusted):
        ...
    """,
    answer="""
    def client(peer, header, trusted):
        from ipaddress import ip_address, ip_network

        networks = [ip_network(each) for each in trusted]
        seen = [each.strip() for each in header.split(",") if each.strip()] + [peer]
        for address in reversed(seen):
            if not any(ip_address(address) in network for network in networks):
                return address
        return seen[0]
    """,
    reasoning="From the right: the connection's own address, then what the last proxy wrote, then the one before. The "
    "first address outside the trusted networks is the client's; whatever stands further to the left, the client may "
    "have made up. nginx does the same with `real_ip_recursive`, if `set_real_ip_from` (for ingress-nginx, "
    "`proxy-real-ip-cidr`) names the networks of one's own proxies; with 0.0.0.0/0 it believes everything, and gets to "
    "the left end.",
    judge=_believed,
    slips=(
        ("def client(peer, header, trusted):\n    return peer", "was taken for one of `'10.0."),
        (
            "def client(peer, header, trusted):\n    return header.split(',')[0].strip() or peer",
            "the request was made by",
        ),
        (
            "def client(peer, header, trusted):\n    return header.split(',')[-1].strip() or peer",
            "the request was made by",
        ),
        ("def client(peer, header, trusted):\n    return [peer]", "was taken for one of `["),
    ),
)
