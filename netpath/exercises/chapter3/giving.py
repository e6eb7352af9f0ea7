"""Chapter 3's choices to build: whom a load balancer's node may pick, and whom a security group lets in.

Not modelled: a database. Whoever gets through to its port has arrived.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from netpath.balancing import Pool, Target, TargetGroup, TargetGroupAttributes, TargetHealth, pool
from netpath.exercises.build import Build, shown
from netpath.exercises.chapter3.balancer import balancer_in
from netpath.exercises.chapter3.places import OPEN
from netpath.exercises.exercise import Level
from netpath.exercises.outcome import Outcome, right, wrong
from netpath.fabric import Trip, send
from netpath.load.ec2 import read
from netpath.load.fields import Field
from netpath.memory import Memory
from netpath.packet import Address, Packet, endpoint, network, tcp, udp
from netpath.vpc import (
    NetworkAcl,
    NetworkInterface,
    PrivateAddress,
    Region,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    Vpc,
)
from netpath.world import World

# q9: whom a node may pick ------------------------------------------------------------------------
_STATES = ("healthy", "unhealthy", "draining")


def _try_usable(usable: Callable[..., Any], chance: Random) -> Outcome:
    for _ in range(200):
        failed = _picked(usable, chance)
        if failed is not None:
            return failed
    return right(because="two hundred groups, and the same targets each time as in the model")


def _picked(usable: Callable[..., Any], chance: Random) -> Outcome | None:
    """What is wrong with the targets that were named for one group; None if nothing is."""
    states = chance.choices(_STATES, (chance.choice([0, 1, 4]), 3, 2), k=chance.randrange(7))
    drawn = [{"id": f"t{at}", "zone": chance.choice("ab"), "state": state} for at, state in enumerate(states)]
    zone, across = chance.choice("ab"), chance.random() < 0.5
    targets = [
        Target(one["id"], endpoint(f"10.0.0.{10 + at}:80"), one["zone"], TargetHealth(one["state"]))
        for at, one in enumerate(drawn)
    ]
    settings = TargetGroupAttributes(cross_zone=str(across).lower())
    found = pool(balancer_in("ab"), TargetGroup("arn:group", "group", tuple(targets), "ip", attributes=settings), zone)
    given, wanted = usable([dict(one) for one in drawn], zone, across), [target.id for target in found.usable]
    names: list[Any] = list(given) if isinstance(given, (list, tuple, set, frozenset)) else [None]
    if not all(isinstance(name, str) for name in names):
        return wrong(f"`usable` gave `{shown(given)}`, and a list of ids is asked for")
    if sorted(names) == wanted:
        return None
    group = ", ".join(f"{one['id']} in {one['zone']} {one['state']}" for one in drawn) or "nobody"
    return wrong(
        f"`usable([{group}], {zone!r}, {across})` gave `{shown(given)}`, and it is `{wanted}`: {_why(found, names)}"
    )


def _why(found: Pool, names: list[str]) -> str:
    reachable = {target.id for target in found.reachable}
    if not reachable:
        return "nobody is within reach, so there is nobody to pick, and the customer gets a 503"
    if set(names) - reachable:
        return "among them are targets that are draining, or out of this node's reach"
    if found.fails_open:
        return "nobody within reach is healthy, so the group fails open"
    return f"{found.healthy} within reach are healthy, and they are enough"


q9 = Build(
    "3.9",
    "Whom may it pick?",
    8,
    Level.EASY,
    (
        "First those within reach, then the healthy ones among them; if there are none, all within reach.",
        "A target that is draining is within nobody's reach.",
    ),
    task="Write what one node of a load balancer does before its algorithm picks. `targets` are like "
    "`{'id': 't1', 'zone': 'a', 'state': 'unhealthy'}`, with `healthy`, `unhealthy` or `draining` for a state; `zone` "
    "is the node's; `cross_zone` is `True` or `False`. Give back the ids of the targets among which it may pick, as a "
    "list. One healthy target is enough for the others to be left alone.",
    stub="""
    def usable(targets, zone, cross_zone):
        ...
    """,
    answer="""
    def usable(targets, zone, cross_zone):
        within_reach = [
            each for each in targets if each["state"] != "draining" and (cross_zone or each["zone"] == zone)
        ]
        healthy = [each["id"] for each in within_reach if each["state"] == "healthy"]
        return healthy or [each["id"] for each in within_reach]
    """,
    reasoning="The order of the two steps matters: with cross-zone off, a zone's node fails open if nobody in its own "
    "zone is healthy, however many are in the others. (Its address then leaves DNS, so that few will ask it.)",
    judge=_try_usable,
    slips=(
        (
            """
            def usable(targets, zone, cross_zone):
                healthy = [each for each in targets if each["state"] == "healthy"]
                return [each["id"] for each in healthy if cross_zone or each["zone"] == zone]
            """,
            "fails open",
        ),
        (
            """
            def usable(targets, zone, cross_zone):
                reach = [each for each in targets if cross_zone or each["zone"] == zone]
                healthy = [each["id"] for each in reach if each["state"] == "healthy"]
                return healthy or [each["id"] for each in reach]
            """,
            "draining",
        ),
        ("def usable(targets, zone, cross_zone):\n    return 'all of them'", "a list of ids"),
    ),
)


# q10: a group's rules ----------------------------------------------------------------------------
NODES, BALANCER = "sg-0a1b000000000000b", "sg-0a1b000000000000a"
DATABASES, OTHERS = "sg-0db000000000000d5", "sg-00ff00000000000ff"
_WANTED = (
    SecurityGroupRule(NODES, "tcp", 5432, 5432),
    SecurityGroupRule(DATABASES, "tcp", 5432, 5432),
    SecurityGroupRule(network("10.0.64.0/26"), "tcp", 9187, 9187),
)
_SUBNETS = {"public": network("10.0.0.0/24"), "nodes": network("10.0.32.0/20"), "inner": network("10.0.64.0/24")}


@dataclass(frozen=True, slots=True)
class _Host:
    """Somebody in the VPC: who it is, the group that it has, and where it stands."""

    told: str
    group: str
    subnet: str
    at: Address

    def interface(self) -> NetworkInterface:
        return NetworkInterface(f"eni-{int(self.at):x}", self.subnet, (PrivateAddress(self.at),), (self.group,))


_PLACES = (
    ("a database", DATABASES, "inner", 70),
    ("another database", DATABASES, "inner", 110),
    ("a node", NODES, "nodes", 20),
    ("a node that was added today", NODES, "nodes", 1000),
    ("the load balancer", BALANCER, "public", 20),
    ("the monitoring", OTHERS, "inner", 4),
    ("a neighbour of the databases", OTHERS, "inner", 160),
    ("a machine in the nodes' subnet that isn't one of them", OTHERS, "nodes", 600),
)


def _hosts(chance: Random) -> list[_Host]:
    """Everybody, at addresses that differ from time to time."""
    return [
        _Host(told, group, subnet, _address(subnet, low + chance.randrange(40))) for told, group, subnet, low in _PLACES
    ]


def _address(subnet: str, offset: int) -> Address:
    return Address(int(_SUBNETS[subnet].network_address) + offset)


def _world(hosts: list[_Host], rules: tuple[SecurityGroupRule, ...]) -> World:
    """A VPC with these hosts, where only the databases' group is choosy."""
    anyone = (SecurityGroupRule(network("0.0.0.0/0")),)
    groups = (SecurityGroup(group, "vpc-1", anyone, anyone) for group in (NODES, BALANCER, OTHERS))
    region = Region(
        vpcs=(Vpc("vpc-1", (network("10.0.0.0/16"),)),),
        subnets=tuple(Subnet(name, "vpc-1", block) for name, block in _SUBNETS.items()),
        route_tables=(RouteTable("rtb-1", "vpc-1", main=True),),
        network_interfaces=tuple(host.interface() for host in hosts),
        security_groups=(*groups, SecurityGroup(DATABASES, "vpc-1", rules, anyone)),
        network_acls=(NetworkAcl("acl-1", "vpc-1", OPEN, is_default=True),),
    )
    return World(region=region)


def _try_rules(text: str, chance: Random) -> Outcome:
    """Three VPCs, and in each everybody calls a database at several ports."""
    rules = _read(text)
    if isinstance(rules, Outcome):
        return rules
    for _ in range(3):
        hosts = _hosts(chance)
        given, wanted = _world(hosts, rules), _world(hosts, _WANTED)
        for host in hosts[1:]:
            for packet in _calls(host, hosts[0], chance):
                failed = _compared(host, send(given, Memory(), packet), send(wanted, Memory(), packet))
                if failed is not None:
                    return failed
    return right(because="everybody who should reach a database does, and nobody else, wherever they stand")


def _read(text: str) -> tuple[SecurityGroupRule, ...] | Outcome:
    """The rules, or what is wrong with the text. Raises `InputError` for what AWS wouldn't take either."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as problem:
        return wrong(f"this isn't JSON: {problem}")
    permissions = found.get("IpPermissions") if isinstance(found, dict) else found
    if not isinstance(permissions, list):
        return wrong("the rules are a JSON list: [ {…}, {…} ]")
    group = {"GroupId": DATABASES, "VpcId": "vpc-1", "IpPermissions": permissions}
    ((made, _),) = read("SecurityGroups", Field({"SecurityGroups": [group]}, "your rules"))
    ingress: tuple[SecurityGroupRule, ...] = made.ingress
    return ingress


def _calls(host: _Host, database: _Host, chance: Random) -> list[Packet]:
    ports = [5432, 9187, chance.choice([22, 80, 443, 3306]), chance.choice([5431, 5433, 9186, 9188])]
    made = [tcp(f"{host.at}:{chance.randrange(1024, 65536)}", f"{database.at}:{port}") for port in ports]
    return [*made, udp(f"{host.at}:40000", f"{database.at}:5432")]


def _compared(host: _Host, given: Trip, wanted: Trip) -> Outcome | None:
    """What is wrong with the way of one packet; None if nothing is."""
    if given.arrived is wanted.arrived:
        return None
    packet = given.sent
    what = f"{packet.protocol} from {host.told} (`{packet.source}`, {host.group}) to a database at port "
    what += str(packet.destination.port)
    if wanted.arrived:
        hop = given.hops[-1]
        return wrong(f"{what} should get through, and is stopped at {hop.station} {hop.at}: {given.verdict.code}")
    by = next(hop.verdict.rule for hop in reversed(given.hops) if hop.station == "security group")
    return wrong(f"{what} should be stopped, and gets through by `{by}`: that is too wide")


_FROM_GROUP = '{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": "%s"}]}'
_FROM_BLOCK = '{"IpProtocol": "tcp", "FromPort": %d, "ToPort": %d, "IpRanges": [{"CidrIp": "%s"}]}'


def _text(*permissions: str) -> str:
    return 'rules = """\n[\n  ' + ",\n  ".join(permissions) + '\n]\n"""\n'


_STUB = '''
rules = """
[
  {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432,
   "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}
]
"""
'''
_EXPORTER = _FROM_BLOCK % (9187, 9187, "10.0.64.0/26")

q10 = Build(
    "3.10",
    "Who may call the databases",
    12,
    Level.MEDIUM,
    (
        "Nodes come and go, and so do their addresses. What stays, and can stand in a rule instead of an address?",
        'A rule that names a group has `"UserIdGroupPairs": [{"GroupId": "sg-…"}]` in place of `IpRanges`.',
        "That two databases have the same group doesn't let them talk to each other: a rule has to say so.",
    ),
    task="The shop gets databases, in the subnet 10.0.64.0/24, with the security group "
    f"`{DATABASES}`. Write its inbound rules, as the JSON list `IpPermissions` that `describe-security-groups` prints. "
    f"Whoever has the nodes' group, `{NODES}`, may call port 5432 (TCP), and so may the databases each other. The "
    "monitoring, which may be anywhere in the first quarter of that subnet, 10.0.64.0/26, may call port 9187. Nobody "
    "else may call anything: not the load balancer, and not a machine that merely stands in the nodes' subnet.",
    stub=_STUB,
    answer=_text(_FROM_GROUP % NODES, _FROM_GROUP % DATABASES, _EXPORTER),
    reasoning="A group's name in a rule stands for the private addresses of whoever has that group at this moment. A "
    "group doesn't contain itself unless a rule says so. And nobody needed a rule for the answers.",
    judge=_try_rules,
    wants=str,
    slips=(
        (_text(_FROM_BLOCK % (5432, 5432, "10.0.32.0/20"), _FROM_GROUP % DATABASES, _EXPORTER), "isn't one of them"),
        (_text(_FROM_GROUP % NODES, _EXPORTER), "from another database"),
        (_text(_FROM_BLOCK % (0, 65535, "0.0.0.0/0")), "that is too wide"),
        (_text(_FROM_GROUP % NODES, _FROM_GROUP % DATABASES, _FROM_BLOCK % (9187, 9187, "10.0.64.0/24")), "too wide"),
        (_text(_FROM_GROUP % "sg-nodes"), "sg-nodes"),
        ('rules = "tcp 5432"', "isn't JSON"),
    ),
)
