"""Chapter 3's filters to build: an ACL's first match, and a security group that remembers.

Each is held against `netpath`'s own, with rules and packets that are drawn anew for each try.

Not modelled: ICMP, which has types in place of ports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from netpath.exercises.build import Build, shown
from netpath.exercises.chapter3.places import ANYWHERE, OPEN, PUBLIC, SERVER, server
from netpath.exercises.exercise import Level
from netpath.exercises.outcome import Outcome, right, wrong
from netpath.fabric import send
from netpath.memory import Memory
from netpath.packet import Packet, address, network, udp
from netpath.vpc import AclEntry, NetworkAcl, SecurityGroupRule
from netpath.vpc.filters import AclFilter, AclRule, Key

_ROUNDS = 150


# q7: first match ---------------------------------------------------------------------------------
_NUMBERS = {"-1": "-1", "tcp": "6", "udp": "17"}
_PORTS = ((22, 22), (80, 80), (443, 443), (1024, 65535), (30000, 32767), (32768, 65535))
_BLOCKS = ("0.0.0.0/0", "10.0.0.0/16", "10.0.32.0/20", "198.51.100.0/25")


def _try_first_match(first_match: Callable[..., Any], chance: Random) -> Outcome:
    for _ in range(_ROUNDS):
        failed = _matched(first_match, chance)
        if failed is not None:
            return failed
    return right(because=f"{_ROUNDS} packets, each with an ACL of its own, are decided as in the model")


def _matched(first_match: Callable[..., Any], chance: Random) -> Outcome | None:
    """What is wrong with one decision; None if nothing is."""
    entries = [*_drawn_entries(chance, False), *_drawn_entries(chance, True)]
    chance.shuffle(entries)
    egress, protocol = chance.random() < 0.5, chance.choice(["tcp", "tcp", "udp"])
    port = chance.choice([22, 53, 80, 443, 3000, 30080, 51000])
    other = chance.choice(["10.0.32.11", "10.0.1.9", "198.51.100.23", "198.51.100.200"])
    packet = {"Egress": egress, "Protocol": _NUMBERS[protocol], "Port": port, "Address": other}
    given = first_match([_as_aws_prints(entry) for entry in entries], dict(packet))
    rules = AclFilter(NetworkAcl("acl", "vpc", tuple(entries)), egress).rules
    key = protocol, port, int(address(other)), True
    winner = next(rule for rule in rules if not rule.why_not(key))
    if given == winner.entry.rule_number and not isinstance(given, bool):
        return None
    asked = "; ".join(rule.entry.text() for rule in rules)
    return wrong(
        f"for the packet {packet}, `first_match` gave `{shown(given)}`, and {winner.entry.rule_number} decides"
        f"{_mistaken(given, rules, winner, key)}. This way's entries are: {asked}"
    )


def _drawn_entries(chance: Random, egress: bool) -> Iterator[AclEntry]:
    for number in chance.sample(range(100, 200, 10), 3):
        protocol = chance.choice(["tcp", "tcp", "udp", "-1"])
        low, high = chance.choice(_PORTS) if protocol != "-1" else (None, None)
        yield AclEntry(number, egress, chance.random() < 0.5, network(chance.choice(_BLOCKS)), protocol, low, high)
    yield AclEntry(32767, egress, False)


def _as_aws_prints(entry: AclEntry) -> dict[str, Any]:
    """An entry in the JSON of `describe-network-acls`."""
    ports = {} if entry.from_port is None else {"PortRange": {"From": entry.from_port, "To": entry.to_port}}
    return {
        "CidrBlock": str(entry.cidr_block),
        "Egress": entry.egress,
        **ports,
        "Protocol": _NUMBERS[entry.protocol],
        "RuleAction": "allow" if entry.allow else "deny",
        "RuleNumber": entry.rule_number,
    }


def _mistaken(given: Any, rules: tuple[AclRule, ...], winner: AclRule, key: Key) -> str:
    """What speaks against the number that was given."""
    named = next((rule for rule in rules if rule.entry.rule_number == given), None)
    if named is None:
        return ": what is asked for is an entry's RuleNumber, of those with the packet's Egress"
    if why_not := named.why_not(key):
        return f": {given} isn't about it, for {why_not}"
    return f": {given} would match, but is asked later, in ascending order"


q7 = Build(
    "3.7",
    "First match",
    10,
    Level.MEDIUM,
    (
        "Sort by `RuleNumber`, go through, and stop at the first entry of which everything is true.",
        "An entry without `PortRange` is about all ports, and the protocol `-1` is every protocol.",
        "`ipaddress.ip_address(text) in ipaddress.ip_network(block)` tells whether an address is in a block.",
    ),
    task="Write what a network ACL does. `entries` are those of one ACL, both ways, in no order, as "
    "`aws ec2 describe-network-acls` prints them: "
    "`{'CidrBlock': '10.0.0.0/16', 'Egress': False, 'PortRange': {'From': 80, 'To': 80}, 'Protocol': '6', "
    "'RuleAction': 'allow', 'RuleNumber': 100}`. Protocols are numbers: `'6'` is TCP, `'17'` UDP, `'-1'` all, and an "
    "entry for all has no `PortRange`. A packet is like "
    "`{'Egress': False, 'Protocol': '6', 'Port': 443, 'Address': '198.51.100.23'}`: `Port` is where it goes, `Address` "
    "the end outside the subnet. Give back the `RuleNumber` of the entry that decides. The last entry, which is shown "
    "as `*`, has the number 32767.",
    stub="""
    def first_match(entries, packet):
        ...
    """,
    answer="""
    from ipaddress import ip_address, ip_network

    def first_match(entries, packet):
        for entry in sorted(entries, key=lambda each: each["RuleNumber"]):
            ports = entry.get("PortRange", {"From": 0, "To": 65535})
            if (
                entry["Egress"] == packet["Egress"]
                and entry["Protocol"] in ("-1", packet["Protocol"])
                and ports["From"] <= packet["Port"] <= ports["To"]
                and ip_address(packet["Address"]) in ip_network(entry["CidrBlock"])
            ):
                return entry["RuleNumber"]
    """,
    reasoning="Whether the entry allows or denies plays no part in finding it. People number them in steps of ten or a "
    "hundred, so that there is room for an exception before a rule; after it, an exception has no effect.",
    judge=_try_first_match,
    slips=(
        (
            """
            from ipaddress import ip_address, ip_network

            def first_match(entries, packet):
                for entry in entries:
                    ports = entry.get("PortRange", {"From": 0, "To": 65535})
                    if (
                        entry["Egress"] == packet["Egress"]
                        and entry["Protocol"] in ("-1", packet["Protocol"])
                        and ports["From"] <= packet["Port"] <= ports["To"]
                        and ip_address(packet["Address"]) in ip_network(entry["CidrBlock"])
                    ):
                        return entry["RuleNumber"]
            """,
            "is asked later, in ascending order",
        ),
        (
            """
            def first_match(entries, packet):
                for entry in sorted(entries, key=lambda each: each["RuleNumber"]):
                    ports = entry.get("PortRange", {"From": 0, "To": 65535})
                    right_way = entry["Egress"] == packet["Egress"]
                    right_port = ports["From"] <= packet["Port"] <= ports["To"]
                    if right_way and right_port and entry["Protocol"] in ("-1", packet["Protocol"]):
                        return entry["RuleNumber"]
            """,
            "is not in",
        ),
        ("def first_match(entries, packet):\n    return 'allow'", "an entry's RuleNumber"),
    ),
)


# q8: a group that remembers ----------------------------------------------------------------------
Ends = tuple[str, int, str, int]  # source, its port, destination, its port
_SERVICES = (53, 123, 443, 514, 5060)
_PEERS = ("198.51.100.23", "192.0.2.80")


def _try_group(lets_by: Callable[..., Any], chance: Random) -> Outcome:
    """Forty groups, each with a dozen packets, many of which answer an earlier one."""
    for _ in range(40):
        rules = {way: [_range(chance) for _ in range(chance.randrange(3))] for way in ("in", "out")}
        failed = _followed(lets_by, rules, chance)
        if failed is not None:
            return failed
    return right(because="forty groups with a dozen packets each let by what the model's lets by, and nothing else")


def _range(chance: Random) -> tuple[int, int]:
    port = chance.choice(_SERVICES)
    return chance.choice([(port, port), (port, port), (5000, 6000), (0, 65535)])


def _followed(lets_by: Callable[..., Any], rules: dict[str, list[tuple[int, int]]], chance: Random) -> Outcome | None:
    """What is wrong with the first packet that is treated otherwise than by the model; None if none is."""
    by_way = {way: [SecurityGroupRule(ANYWHERE, "udp", low, high) for low, high in rules[way]] for way in rules}
    world, memory = server(OPEN, by_way["in"], by_way["out"]), Memory()
    remembered: set[Any] = set()
    before: list[tuple[str, Ends]] = []
    for _ in range(12):
        way, ends = _next_packet(before, chance)
        trip = send(world, memory, _on_the_wire(way, ends))
        door = next(hop for hop in trip.hops if hop.station == "security group")
        given = lets_by({each: list(ranges) for each, ranges in rules.items()}, remembered, way, ends)
        if given is not door.verdict.ok:
            return wrong(
                f"with {rules}, `lets_by` gave `{shown(given)}` for {_told(way, ends)}, and the model gives "
                f"`{door.verdict.ok}`: {_said(door.verdict.code, (way, ends), before)}"
            )
        before.append((way, ends))
    return None


def _next_packet(before: list[tuple[str, Ends]], chance: Random) -> tuple[str, Ends]:
    """An answer to an earlier packet, one that is nearly such an answer, or something new."""
    if before and chance.random() < 0.6:
        way, (source, source_port, destination, destination_port) = chance.choice(before)
        port = destination_port if chance.random() < 0.75 else destination_port + 1
        return _OTHER[way], (destination, port, source, source_port)
    caller, service = chance.choice([5500, 33000, 41000, 51000]), chance.choice(_SERVICES)
    way, peer = chance.choice(["in", "out"]), chance.choice(_PEERS)
    return way, (peer, caller, SERVER, service) if way == "in" else (SERVER, caller, peer, service)


_OTHER = {"in": "out", "out": "in"}


def _on_the_wire(way: str, ends: Ends) -> Packet:
    """The packet, which on the way in is addressed to the server's public address."""
    source, source_port, destination, destination_port = ends
    return udp(f"{source}:{source_port}", f"{PUBLIC if way == 'in' else destination}:{destination_port}")


def _told(way: str, ends: Ends) -> str:
    return f"`{way!r}, {ends}`"


def _said(code: str, packet: tuple[str, Ends], before: list[tuple[str, Ends]]) -> str:
    """Why, in terms of what came before."""
    way, (source, source_port, destination, destination_port) = packet
    asked = _OTHER[way], (destination, destination_port, source, source_port)
    if code == "TRACKED":
        earlier = asked if asked in before else packet
        return f"it belongs to the connection of {_told(*earlier)}, which was let by before"
    if code == "ALLOWED":
        return "a rule of this way allows its destination port"
    if asked in before:
        return f"no rule allows it, and {_told(*asked)}, which it answers, wasn't let by"
    return "no rule allows it, and it answers nothing that was let by: both addresses and both ports must fit"


q8 = Build(
    "3.8",
    "A filter that remembers",
    12,
    Level.HARD,
    (
        "Before you ask the rules: is this packet the answer to one that was let by? Then it is let by.",
        "An answer has the same four values, source and destination changed places.",
        "Only what a rule has let by is worth remembering.",
    ),
    task="Write a security group for UDP. `rules` has ranges of destination ports for both ways, such as "
    "`{'in': [(53, 53)], 'out': [(0, 65535)]}`. `remembered` is a set that is yours: it is empty at first, and you get "
    "it back with every packet. `way` is `'in'` or `'out'`, and `packet` is a tuple of source, its port, destination, "
    f"its port, such as `('198.51.100.23', 33000, '{SERVER}', 53)`. Give back whether the packet is let by, `True` or "
    "`False`. Nothing is ever forgotten here.",
    stub="""
    def lets_by(rules, remembered, way, packet):
        ...
    """,
    answer="""
    def lets_by(rules, remembered, way, packet):
        source, source_port, destination, destination_port = packet
        if (destination, destination_port, source, source_port) in remembered:
            return True
        if any(low <= destination_port <= high for low, high in rules[way]):
            remembered.add(packet)
            return True
        return False
    """,
    reasoning="Take the memory away, and it is a network ACL that can only allow. With it, nobody has to think about "
    "ephemeral ports. The real one forgets, too: a UDP flow after 30 idle seconds, or 180 if there was more than one "
    "question with its answer.",
    judge=_try_group,
    slips=(
        (
            """
            def lets_by(rules, remembered, way, packet):
                return any(low <= packet[3] <= high for low, high in rules[way])
            """,
            "which was let by before",
        ),
        (
            """
            def lets_by(rules, remembered, way, packet):
                source, source_port, destination, destination_port = packet
                known = (destination, destination_port, source, source_port) in remembered
                remembered.add(packet)
                return known or any(low <= destination_port <= high for low, high in rules[way])
            """,
            "wasn't let by",
        ),
        (
            """
            def lets_by(rules, remembered, way, packet):
                source, source_port, destination, destination_port = packet
                if (destination, source) in remembered:
                    return True
                if any(low <= destination_port <= high for low, high in rules[way]):
                    remembered.add((source, destination))
                    return True
                return False
            """,
            "and the model gives",
        ),
    ),
)
