"""Chapter 3's predictions about the two filters: which entry decides, and whether the answer comes back.

Not modelled: see `netpath.vpc.filters`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from netpath.exercises.chapter3.places import ANSWER, ANYWHERE, FIRST_MATCH, SERVER, server, until
from netpath.exercises.exercise import Level
from netpath.exercises.misconceptions import GROUPS_ARE_ACLS
from netpath.exercises.outcome import block
from netpath.exercises.predict import Form, Predict, Slip, Variant, slips
from netpath.fabric import Trip, round_trip
from netpath.memory import Memory
from netpath.packet import Address, Packet, address, network, tcp
from netpath.vpc import AclEntry, NetworkAcl, SecurityGroupRule
from netpath.vpc.filters import AclFilter, AclRule, Key
from netpath.vpc.objects import ports_text

# q1: which entry decides -------------------------------------------------------------------------
_PORTS = ((80, 80), (443, 443), (22, 22), (3389, 3389), (1024, 65535), (32768, 65535), (30000, 32767), (0, 65535))
_BLOCKS = ("0.0.0.0/0", "0.0.0.0/0", "10.0.0.0/16", "10.0.32.0/20", "198.51.100.0/24")
_OTHERS = ("10.0.32.11", "10.0.1.200", "198.51.100.23", "192.0.2.80")


@dataclass(frozen=True, slots=True)
class _Asked:
    """A network ACL's rules of one way, as they were noted down, and a packet for them."""

    noted: tuple[AclEntry, ...]
    key: Key

    @property
    def rules(self) -> tuple[AclRule, ...]:
        """In the order in which they are asked, with the last one."""
        return AclFilter(NetworkAcl("acl", "vpc", self.noted), self.noted[0].egress).rules

    @property
    def matching(self) -> list[AclRule]:
        return [rule for rule in self.rules if not rule.why_not(self.key)]


def _entry(draw: Random, number: int, egress: bool) -> AclEntry:
    protocol = draw.choice(["tcp", "tcp", "tcp", "udp", "-1"])
    low, high = draw.choice(_PORTS) if protocol != "-1" else (None, None)
    return AclEntry(number, egress, draw.random() < 0.6, network(draw.choice(_BLOCKS)), protocol, low, high)


def _asked(draw: Random) -> _Asked:
    egress = draw.random() < 0.4
    numbers = draw.sample(range(90, 320, 10), 4)
    entries = tuple(_entry(draw, number, egress) for number in numbers)
    port = draw.choice([22, 80, 443, 3389, 8080, 30080, 40000, 51000])
    return _Asked(entries, (draw.choice(["tcp", "tcp", "udp"]), port, int(address(draw.choice(_OTHERS))), True))


def _number(rule: AclRule) -> str:
    number = rule.text.split()[2]
    return f"{number} {'allow' if rule.entry.allow else 'deny'}"


def _deciding(draw: Random) -> Variant:
    """Usually several entries match, of both kinds; now and then none does."""
    wanted = 1 if draw.random() < 0.15 else 3
    asked = until(_asked, lambda one: len(one.matching) >= wanted and _mixed(one, wanted), draw)
    rules, (winner, *_) = asked.rules, asked.matching
    protocol, port, other, _ = asked.key
    leaves = winner.entry.egress
    way, end = ("leaves the subnet for", "egress") if leaves else ("enters the subnet from", "ingress")
    lines = (entry.text().removeprefix(f"{end} ") for entry in asked.noted)
    packet = f"a {protocol.upper()} packet to port {port} {way} {Address(other)}"
    return Variant(
        f"The {end} entries of a network ACL, as somebody noted them down:\n{block(lines)}"
        f"Now {packet}. Which entry decides?",
        _number(winner),
        _why_it_decides(asked, winner),
        slips(
            Form.CHOICE,
            _number(winner),
            *(_not_this(asked, rule, winner) for rule in rules),
        ),
        options=tuple(_number(rule) for rule in rules),
    )


def _mixed(asked: _Asked, wanted: int) -> bool:
    """Whether the entries that match differ about the packet; with `wanted` of 1, whether only the last one does."""
    if wanted == 1:
        reasons = {rule.why_not(asked.key).partition(" ")[0] for rule in asked.rules[:-1]}
        return len(asked.matching) == 1 and {"port", "protocol"} < reasons
    first, *others = asked.matching[:-1]
    return any(rule.entry.allow is not first.entry.allow for rule in others)


def _why_it_decides(asked: _Asked, winner: AclRule) -> str:
    before = asked.rules[: asked.rules.index(winner)]
    if not before:
        return f"`{winner.entry.text()}` has the lowest number, and it matches: nothing after it is asked."
    passed = "; ".join(f"{_number(rule)}: {rule.why_not(asked.key)}" for rule in before)
    return f"In ascending order: {passed}. Then `{winner.entry.text()}` matches, and nothing after it is asked."


def _not_this(asked: _Asked, rule: AclRule, winner: AclRule) -> Slip:
    """Why a rule isn't the one that decides."""
    name, first = _number(rule), _number(winner)
    if why_not := rule.why_not(asked.key):
        return Slip(name, f"that entry isn't about this packet: {why_not}.", "", FIRST_MATCH)
    late = f"that comes too late: {first} has a lower number and matches, and then nobody else is asked."
    if rule.entry not in asked.noted:
        return Slip(name, f"{late} The `*` is only for packets that no entry matches.", "", FIRST_MATCH)
    if rule.entry.allow and not winner.entry.allow:
        believed = " One rule that allows is enough in a security group. Here the first match decides."
        return Slip(name, late + believed, GROUPS_ARE_ACLS, FIRST_MATCH)
    if rule.entry.cidr_block.prefixlen > winner.entry.cidr_block.prefixlen:
        return Slip(name, f"{late} The narrowest network wins in a route table, not in an ACL.", "", FIRST_MATCH)
    aside = "The place in a listing doesn't count." if rule.entry.allow else "That it denies doesn't bring it forward."
    return Slip(name, f"{late} {aside}", "", FIRST_MATCH)


q1 = Predict(
    "3.1",
    "Which entry decides?",
    3,
    Level.EASY,
    (
        "Put the entries in the order of their numbers first, and stop at the first that matches.",
        "An entry matches if all three do: the protocol, the packet's destination port, and the other end's address.",
    ),
    make=_deciding,
    otherwise="that is none of the entries.",
)


# q2: does the answer come back -------------------------------------------------------------------
BOTH = "both arrive"
_STOPS = {
    (False, "network ACL"): "the network ACL stops the packet",
    (False, "security group"): "the security group stops the packet",
    (True, "network ACL"): "the network ACL stops the answer",
    (True, "security group"): "the security group stops the answer",
}
_ENDS = (BOTH, *_STOPS.values())
Range = tuple[int, int]
_ALL: Range = (0, 65535)
_HIGH: Range = (1024, 65535)
_LINUX: Range = (32768, 60999)
_WINDOWS: Range = (49152, 65535)


@dataclass(frozen=True, slots=True)
class Doors:
    """The ports that the four doors of one server let by, and a call: from outside, or by the server itself."""

    acl_in: tuple[Range, ...]
    group_in: tuple[Range, ...]
    group_out: tuple[Range, ...]
    acl_out: tuple[Range, ...]
    packet: Packet

    def trips(self) -> tuple[Trip, Trip | None]:
        """The packet and its answer, as the model sends them."""
        entries = [
            AclEntry(100 + 10 * at, egress, True, protocol="tcp", from_port=low, to_port=high)
            for egress, ports in ((False, self.acl_in), (True, self.acl_out))
            for at, (low, high) in enumerate(ports)
        ]
        ingress, egress = (_rules(ports) for ports in (self.group_in, self.group_out))
        return round_trip(server(entries, ingress, egress), Memory(), self.packet)

    def end(self) -> str:
        """What becomes of it."""
        out, back = self.trips()
        for answers, trip in ((False, out), (True, back)):
            if trip is not None and not trip.arrived:
                return _STOPS[answers, trip.hops[-1].station]
        return BOTH

    def lines(self) -> Iterable[str]:
        yield f"ACL, in:    {_allowed(self.acl_in)}"
        yield f"group, in:  {_allowed(self.group_in)}"
        yield f"group, out: {_allowed(self.group_out)}"
        yield f"ACL, out:   {_allowed(self.acl_out)}"


def _rules(ports: Sequence[Range]) -> list[SecurityGroupRule]:
    return [SecurityGroupRule(ANYWHERE, "tcp", low, high) for low, high in ports]


def _allowed(ports: Sequence[Range]) -> str:
    return (
        ", ".join(ports_text("tcp", low, high) if (low, high) != _ALL else "all of tcp" for low, high in ports)
        or "nothing"
    )


def _called(draw: Random, port: int) -> Doors:
    """Somebody outside calls the server."""
    own: Range = (port, port)
    caller = draw.choice([1500, 20000, 33000, 41000, 50500, 61500])
    return Doors(
        draw.choice([(own,), ((22, 22), own), (_ALL,), ((22, 22), _HIGH)]),
        draw.choice([(own,), ((80, 80), (443, 443)), ()]),
        draw.choice([(), (_ALL,), (own,)]),
        draw.choice([(own,), (_HIGH,), (_LINUX,), (_WINDOWS,), (_ALL,)]),
        tcp(f"198.51.100.23:{caller}", f"203.0.113.7:{port}"),
    )


def _calls(draw: Random, port: int) -> Doors:
    """The server calls somebody outside."""
    own: Range = (port, port)
    caller = draw.choice([1500, 20000, 33000, 41000, 50500, 61500])
    return Doors(
        draw.choice([(own,), ((22, 22),), (_HIGH,), (_LINUX,), (_WINDOWS,), (_ALL,)]),
        draw.choice([(), (), ((22, 22),)]),
        draw.choice([(own,), (_ALL,), ((80, 80), (443, 443)), ()]),
        draw.choice([(own,), (_ALL,), (_HIGH,)]),
        tcp(f"{SERVER}:{caller}", f"192.0.2.80:{port}"),
    )


def _answered(draw: Random) -> Variant:
    """A call and what becomes of it: often lost on its way back, where people don't look."""
    call, port = draw.choice([_called, _calls]), draw.choice([80, 443])
    lost = _STOPS[True, "network ACL"]
    end = draw.choice([BOTH, BOTH, lost, lost, lost, _STOPS[False, "network ACL"], _STOPS[False, "security group"]])
    doors = until(lambda chance: call(chance, port), lambda one: one.end() == end, draw)
    sent = doors.packet
    outside = sent.source.address != address(SERVER)
    what = (
        f"Somebody at `{sent.source}` calls the server at port {port}; behind the internet gateway the packet is "
        f"`{sent.source} → {SERVER}:{port}`."
        if outside
        else f"The server itself calls `{sent.destination}`, from its port {sent.source.port}."
    )
    return Variant(
        f"A server at `{SERVER}` stands in a public subnet, behind a network ACL and its own security group. "
        f"The destination ports that they let by:\n{block(doors.lines())}{what} What becomes of the packet, and of its "
        "answer?",
        end,
        _story(doors, end),
        slips(Form.CHOICE, end, *_beliefs(doors, end)),
        options=_ENDS,
    )


def _story(doors: Doors, end: str) -> str:
    """Door by door: the packet's, then its answer's."""
    out, back = doors.trips()
    told = f"The packet goes to port {doors.packet.destination.port}: {_passed(out)}."
    if back is not None:
        told += f" The answer goes to port {doors.packet.source.port}: {_passed(back)}."
    return told if end != BOTH else f"{told} Nobody stops either."


_SAID = {"ALLOWED": "lets it by", "TRACKED": "remembers the connection, asks no rule, and lets it by"}


def _passed(trip: Trip) -> str:
    doors = (hop for hop in trip.hops if hop.station in ("network ACL", "security group"))
    return "; ".join(f"the {hop.station} {_SAID.get(hop.verdict.code, 'stops it')}" for hop in doors)


def _beliefs(doors: Doors, end: str) -> Iterator[Slip]:
    """What people say instead, and why it isn't so."""
    ports = doors.packet.destination.port, doors.packet.source.port
    lost = end == _STOPS[True, "network ACL"]
    stateless = f"for the network ACL the answer is a packet like any other: it goes to port {ports[1]}, and no entry"
    why = f"{stateless} lets that by." if lost else f"{end}, which goes to port {ports[0]}: look at its line."
    yield Slip(BOTH, why, GROUPS_ARE_ACLS if lost else "", ANSWER)
    remembers = "a security group remembers whose packet it let by, and lets the answer by without asking any rule"
    yield Slip(_STOPS[True, "security group"], f"{remembers}.", GROUPS_ARE_ACLS, ANSWER)
    known = f"the answer goes to port {ports[1]}, and an entry lets that by"
    none = "there is no answer, for the packet doesn't arrive"
    yield Slip(_STOPS[True, "network ACL"], f"{known if end == BOTH else none}.", "", ANSWER)
    other = "security group" if end == _STOPS[False, "network ACL"] else "network ACL"
    asked = any(hop.station == other for hop in doors.trips()[0].hops)
    passes = f"the packet goes to port {ports[0]}, and the {other} lets that by."
    yield Slip(_STOPS[False, other], passes if asked else f"the packet doesn't come so far: {end}.", "", ANSWER)


q2 = Predict(
    "3.2",
    "And the answer?",
    5,
    Level.MEDIUM,
    (
        "Which of the two filters remembers? Only the other one is asked about the answer.",
        "Rules look at a packet's destination port. Of an answer, that is the port which the caller called from.",
    ),
    make=_answered,
    otherwise="follow the packet through its two doors, then its answer, and compare the ports with the rules.",
)
