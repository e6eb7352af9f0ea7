"""The VPC widget: rules of a VPC to switch off, and where a few packets, or their answers, stop without them.

A filter's rule that didn't decide about a packet can go, and nothing changes: the first that matches still decides.
So there is no need to try all subsets of the rules. For each packet there is a small tree: its way with all rules,
then the way without each rule that decided on it, and so on, and by that tree every subset is answered
(`way_without`). The tree is all that the page needs.

Not modelled: rules that are added; a `local` route can't be switched off, as it can't in AWS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import ipywidgets

from netpath.asking import PROTOCOLS, finder, first_packet
from netpath.codes import CODES
from netpath.fabric import Trip, round_trip
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import Address, Endpoint, Hop, Packet, Protocol, TcpFlags, address
from netpath.show.doors import Door, doors_of
from netpath.show.legs import abridged, ends
from netpath.show.palette import FATES
from netpath.show.tables import Cell, Table, cell
from netpath.show.widgets.kit import Data, Live, Shown, live
from netpath.vpc import AclEntry, NetworkAcl, Region, RouteTable, SecurityGroup
from netpath.vpc.objects import LAST_RULE, LOCAL
from netpath.world import World

R = TypeVar("R")

PORT = 51000
FILTERS = {"rtb": "route table", "sg": "security group", "acl": "network ACL"}


@dataclass(frozen=True, slots=True)
class Switch:
    """A rule that can be taken away: whose it is, and its text as it stands on a packet's record."""

    owner: str
    text: str

    @property
    def rule(self) -> str:
        """The rule without its owner."""
        return self.text.removeprefix(f"{self.owner} ").removesuffix(" (active)").replace("->", "→")


def switches(region: Region) -> Iterator[Switch]:
    """Every rule of a region that can be taken away: routes but for `local` ones, then groups, then ACLs."""
    for table in region.route_tables:
        routes = (route for route in table.routes if route.target != LOCAL)
        yield from (Switch(table.route_table_id, f"{table.route_table_id} {route}") for route in routes)
    for group in region.security_groups:
        yield from (Switch(group.group_id, f"{group.group_id} {rule.text('ingress')}") for rule in group.ingress)
        yield from (Switch(group.group_id, f"{group.group_id} {rule.text('egress')}") for rule in group.egress)
    for acl in region.network_acls:
        entries = sorted(acl.entries, key=lambda entry: (entry.egress, entry.rule_number))
        kept = (entry for entry in entries if entry.rule_number < LAST_RULE)
        yield from (Switch(acl.network_acl_id, f"{acl.network_acl_id} {entry.text()}") for entry in kept)


def without(region: Region, gone: Collection[str]) -> Region:
    """The region without the rules of these texts."""
    owners = {text.partition(" ")[0] for text in gone}

    def kept(owner: str, rules: tuple[R, ...], text: Callable[[R], str]) -> tuple[R, ...]:
        return tuple(rule for rule in rules if f"{owner} {text(rule)}" not in gone) if owner in owners else rules

    def routed(table: RouteTable) -> RouteTable:
        return replace(table, routes=kept(table.route_table_id, table.routes, str))

    def grouped(group: SecurityGroup) -> SecurityGroup:
        inward = kept(group.group_id, group.ingress, lambda rule: rule.text("ingress"))
        outward = kept(group.group_id, group.egress, lambda rule: rule.text("egress"))
        return replace(group, ingress=inward, egress=outward)

    def listed(acl: NetworkAcl) -> NetworkAcl:
        return replace(acl, entries=kept(acl.network_acl_id, acl.entries, AclEntry.text))

    return replace(
        region,
        route_tables=tuple(map(routed, region.route_tables)),
        security_groups=tuple(map(grouped, region.security_groups)),
        network_acls=tuple(map(listed, region.network_acls)),
    )


# The tree of ways ------------------------------------------------------------------------------


class _Pool:
    """Values that are kept once each, by number."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[str, int] = {}

    def number(self, value: Any) -> int:
        key = json.dumps(value)
        if key not in self._numbers:
            self._numbers[key] = len(self.values)
            self.values.append(value)
        return self._numbers[key]


class _Growing:
    """A packet's tree while it grows. A node is its way, and the rules whose loss makes another one."""

    def __init__(self, world: World, packet: Packet, found: _Pool, hops: _Pool) -> None:
        self.world, self.packet, self.found, self.hops = world, packet, found, hops
        self.region = world.need(world.region, "region", "rules to switch")
        self.movable = {each.text for each in switches(self.region)}
        self.nodes: list[Data] = []

    def grow(self, gone: frozenset[str] = frozenset(), on: frozenset[str] = frozenset()) -> int:
        """The node without some rules, of which others are known to be there: its number."""
        number = len(self.nodes)
        node: Data = {}
        self.nodes.append(node)
        world = self.world if not gone else replace(self.world, region=without(self.region, gone))
        out, back = round_trip(world, Memory(), self.packet)
        node["way"] = {"out": self._way(out), "back": None if back is None else self._way(back), **_end(out, back)}
        node["next"] = []
        for rules in self._decisive([*out.hops, *(back.hops if back is not None else ())]):
            if rules <= on:
                continue
            node["next"].append([sorted(map(self.found.number, rules)), self.grow(gone | rules, on)])
            on |= rules if len(rules) == 1 else frozenset()
        return number

    def _way(self, trip: Trip) -> list[int]:
        pairs = zip(doors_of(trip), trip.hops, strict=True)
        return [self.hops.number(_told(door, hop)) for door, hop in pairs]

    def _decisive(self, hops: Iterable[Hop]) -> Iterator[frozenset[str]]:
        """In the order of travel, the rules that decided; where none of a group's matched, all of them together."""
        seen: set[frozenset[str]] = set()
        for hop in hops:
            rules = {hop.verdict.rule}
            if hop.verdict.code == "ENI_SG_RULES_MISMATCH":
                rules = {step.rule for step in hop.steps}
            if rules and rules <= self.movable and frozenset(rules) not in seen:
                seen.add(frozenset(rules))
                yield frozenset(rules)


def _told(door: Door, hop: Hop) -> Data:
    """A hop in a few words."""
    decided = next((rule.text for rule in reversed(door.rules) if rule.matched), "")
    if hop.verdict.ok and hop.station == "NAT gateway":
        decided = ""  # a connection's entry, which says what the two packets say
    received, sent = (None if each is None else " → ".join(ends(each)) for each in (hop.received, hop.sent))
    return {
        "station": door.station,
        "at": door.name,
        "code": door.code,
        "rule": decided,
        "by": hop.verdict.rule,
        "received": received,
        "sent": sent,
    }


def _end(out: Trip, back: Trip | None) -> Data:
    """How it ends, in a word and in a sentence."""
    if not out.arrived and (back is None or not back.arrived):
        return {"end": "stopped", "says": f"The packet stops: {_stopped(out)}."}
    if not out.arrived:
        return {"end": "refused", "says": f"The packet is refused: {_stopped(out)}. The sender is told so."}
    if back is None or not back.arrived:
        why = "" if back is None else f" stops: {_stopped(back)}"
        return {"end": "silent", "says": f"The packet arrives at {out.place}, but its answer{why}."}
    return {"end": "answered", "says": f"The packet arrives at {out.place}, and its answer comes back."}


def _stopped(trip: Trip) -> str:
    door = doors_of(trip)[-1]
    name = "" if door.name == door.station else f" {door.name}"
    return f"{door.code} at the {door.station}{name}"


def ways(world: World, packets: Sequence[tuple[str, Packet]]) -> Data:
    """The widget's data: rules, packets with their trees, hops and ways, each kept once.

    `switches`: owner, rule, and its text on record; `order`: their numbers as the region has them; `packets`: name,
    ends, and `nodes`, each a way's number and `next`, pairs of rules and the node to go on with if all are gone.
    """
    found, hops, told = _Pool(), _Pool(), _Pool()
    trees = []
    for name, packet in packets:
        growing = _Growing(world, packet, found, hops)
        growing.grow()
        nodes = [{"way": told.number(node["way"]), "next": node["next"]} for node in growing.nodes]
        trees.append({"name": name, "ends": " → ".join(ends(packet)), "nodes": nodes})
    known = {hop["code"] for hop in hops.values}
    rules = {each.text: each for each in switches(world.need(world.region, "region", "rules to switch"))}
    return {
        "switches": [_switch(rules[text]) for text in found.values],
        "order": sorted(range(len(found.values)), key=lambda number: list(rules).index(found.values[number])),
        "packets": trees,
        "ways": told.values,
        "hops": hops.values,
        "codes": {name: [str(CODES[name].fate), CODES[name].happened, CODES[name].remedy] for name in sorted(known)},
    }


def _switch(switch: Switch) -> Data:
    kind = FILTERS.get(switch.owner.partition("-")[0], "rules")
    return {"kind": kind, "owner": abridged(switch.owner), "rule": _short(switch.rule), "text": switch.text}


def _short(rule: str) -> str:
    return " ".join(abridged(word) if word[:1].isalpha() else word for word in rule.split())


def way_without(data: Data, packet: int, gone: Collection[int]) -> Data:
    """The way of a packet without some switches, by number: as the page finds it, from the root of the tree on."""
    nodes = data["packets"][packet]["nodes"]
    node = nodes[0]
    while (further := next((to for rules, to in node["next"] if set(rules) <= set(gone)), None)) is not None:
        node = nodes[further]
    way: Data = data["ways"][node["way"]]
    return way


# The packets -----------------------------------------------------------------------------------


def usual(world: World) -> list[tuple[str, Packet]]:
    """A packet for each stretch of the road: to the load balancer, from it to a target, from a pod out."""
    found = []
    for balancer in world.load_balancers[:1]:
        node = balancer.nodes[0]
        port = balancer.listeners[0].port if balancer.listeners else 80
        public = node.public_address or node.address
        found.append(("a customer calls the load balancer", _syn(world.user, Endpoint(public, port))))
        targets = [target for group in balancer.target_groups for target in group.targets]
        found += [("the load balancer calls a node", _syn(node.address, targets[0].endpoint))] if targets else []
    for place in list(world.pods)[:1]:
        found.append(("a pod calls a server outside", _syn(place, _OUTSIDE)))
    for interface in world.region.network_interfaces[:1] if world.region and not found else ():
        found.append(("a network interface calls a server outside", _syn(interface.primary, _OUTSIDE)))
    return found or [("a customer calls a server outside", _syn(world.user, _OUTSIDE))]


_OUTSIDE = Endpoint(address("192.0.2.80"), 443)  # TEST-NET-1, RFC 5737: a server out on the Internet


def _syn(source: Address, to: Endpoint) -> Packet:
    return Packet(Protocol.TCP, Endpoint(source, PORT), to, TcpFlags.SYN)


# The widget ------------------------------------------------------------------------------------


class VpcSwitches(Shown):
    """Packets, the doors on their way, and the rules to switch off."""

    _module = "vpc.js"

    def __repr__(self) -> str:
        count = len(self.data["switches"])
        told = [f"  {each['name']}: {way_without(self.data, at, ())['says']}" for at, each in _packets(self.data)]
        return "\n".join([f"The VPC: {count} rules to switch", *told])

    def frame(self) -> Table:
        """What becomes of each packet without one rule, for each rule."""
        rows = [_row(self.data, "none", "", ())]
        for number in self.data["order"]:
            switch = self.data["switches"][number]
            rows.append(_row(self.data, f"{switch['kind']} {switch['owner']}", switch["rule"], (number,)))
        header = ("the rule that is missing", *(each["name"] for each in self.data["packets"]))
        return Table(header, tuple(rows), "What becomes of a packet and its answer without one rule of the VPC.")


def _packets(data: Data) -> Iterator[tuple[int, Data]]:
    return enumerate(data["packets"])


def _row(data: Data, owner: str, rule: str, gone: Collection[int]) -> tuple[Cell, ...]:
    return (cell(owner, rule), *(_fate(data, way_without(data, at, gone)) for at, _ in _packets(data)))


def _fate(data: Data, way: Data) -> Cell:
    """How a way ends, as a table tells it."""
    if way["end"] == "answered":
        return cell(f"{FATES[CODES['DELIVERED'].fate].sign} answered")
    told = "packet" if way["end"] in ("stopped", "refused") else "answer"
    last = data["hops"][(way["out"] if told == "packet" else way["back"] or way["out"])[-1]]
    return cell(f"{FATES[CODES[last['code']].fate].sign} the {told} stops", f"at the {last['station']}", last["code"])


def vpc(world: World | None = None, packets: Sequence[tuple[str, Packet]] | None = None) -> VpcSwitches:
    """Three packets (or others) in the book's own world (or another): switch off a rule, and see where they stop."""
    world = world or shop()
    return VpcSwitches(ways(world, packets or usual(world)))


def explore(world: World | None = None) -> Live:
    """Any packet, in any world: source and destination may be addresses, or names as the command line takes them."""
    world = world or shop()
    find = finder(world)
    name, packet = usual(world)[0]

    def change(protocol: str, source: str, destination: str, port: int) -> Data:
        asked = destination if protocol == "icmp" else f"{destination}:{port}"
        return ways(world, [("the packet", first_packet(protocol, source.strip(), asked.strip(), find))])

    return live(
        VpcSwitches(ways(world, [(name, packet)])),
        change,
        protocol=ipywidgets.Dropdown(options=PROTOCOLS, description="protocol"),
        source=ipywidgets.Text(str(packet.source.address), description="source", continuous_update=False),
        destination=ipywidgets.Text(str(packet.destination.address), description="to", continuous_update=False),
        port=ipywidgets.BoundedIntText(packet.destination.port, min=0, max=65535, description="port"),
    )
