"""Chapter 3's broken worlds: a rule asked too early, a door for the wrong group, a wrong port, a lost answer.

Not modelled: who did it. They meant well.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

from netpath.exercises.chapter3.failing import APEX, CART, DIRECT, OLD
from netpath.exercises.exercise import Level
from netpath.exercises.outcome import Outcome, first_wrong, right, wrong
from netpath.exercises.repair import Edit, Repair, answers
from netpath.fabric import Trip, round_trip, send
from netpath.journey import travel
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import Packet, http_request, tcp
from netpath.world import World

_GROUPS, _RULES = "aws/describe-security-groups.json", "aws/describe-rules.json"
_HEALTH, _TARGET_GROUPS = "aws/describe-target-health.shop-ingress.json", "aws/describe-target-groups.json"
_ACLS = "aws/describe-network-acls.json"

_ALB_NODES = ("10.0.0.25", "10.0.1.118")
_NAT_GATEWAYS = ("10.0.0.200", "10.0.1.200")
_NODES = ("10.0.32.11", "10.0.33.12", "10.0.48.13")
_CART_PODS = ("10.0.34.103", "10.0.35.112", "10.0.51.131")


# What must hold --------------------------------------------------------------------------------
def _inside() -> Iterator[Packet]:
    """The load balancer's nodes and the NAT gateways call nodes and pods, at ports of all sorts."""
    for source in (*_ALB_NODES, *_NAT_GATEWAYS):
        yield from (tcp(f"{source}:40000", f"{node}:{port}") for node in _NODES for port in (30080, 22, 10250))
        yield from (tcp(f"{source}:40000", f"{pod}:{port}") for pod in _CART_PODS for port in (8080, 22))


def _customers() -> Iterator[Packet]:
    """Customers here and there call both nodes of the load balancer, from all sorts of ports."""
    for public, customer in product(("203.0.113.10", "203.0.113.20"), ("198.51.100.23", "192.0.2.7")):
        yield from (tcp(f"{customer}:{port}", f"{public}:80") for port in (1025, 5000, 20000, 33000, 50000, 65000))


@cache
def _shops(packet: Packet) -> bool:
    """Whether a packet gets through in the book's own world."""
    return send(shop(), Memory(), packet).arrived


def _gets_through(out: Trip, back: Trip | None) -> bool:
    return out.arrived and back is not None and back.arrived


def _as_in_the_shop(world: World) -> Outcome:
    """A test: who may call whom is as it was before anything was broken."""
    return first_wrong(_compared(world, packet) for packet in (*_customers(), *_inside()))


def _compared(world: World, packet: Packet) -> Outcome:
    out, back = round_trip(world, Memory(), packet)
    if _gets_through(out, back) if _shops(packet) else not out.arrived:
        return right()
    call = f"a call from {packet.source} to {packet.destination}"
    if not _shops(packet):
        by = next((hop.verdict.rule for hop in reversed(out.hops) if hop.station == "security group"), "")
        return wrong(f"{call} gets through now, by `{by}`: the cure must not open more than was closed")
    lost, what = (out, "it is") if not out.arrived else (back, "its answer is")
    at = f" at {lost.hops[-1].station} {lost.hops[-1].at} ({lost.verdict.code})" if lost and lost.hops else ""
    return wrong(f"{call} should get through, and {what} stopped{at}")


# q11: a rule asked too early -----------------------------------------------------------------------
def _without_ingress(world: World) -> Outcome:
    """A test: `direct.example.com` leads to the pods without the ingress controller."""
    connections = travel(world, Memory(), http_request(DIRECT)).connections
    if len(connections) == 2:
        return right()
    return wrong(
        f"{DIRECT} takes {len(connections)} connections; it should be two, the second from the load balancer straight "
        "to a pod, by the target group shop-cart-pods"
    )


def _priority(old: int, new: int) -> Edit:
    return Edit(_RULES, f'"Priority": "{old}"', f'"Priority": "{new}"')


q11 = Repair(
    "3.11",
    "Two names less",
    8,
    Level.EASY,
    (
        "Trace one of the failing requests: which listener rule takes it, and which one should?",
        "A rule with a wildcard takes everything that no rule before it has taken. So where does it belong?",
    ),
    symptom="Yesterday somebody tidied up the listener's rules. The shop is well. But `http://direct.example.com/cart` "
    "answers 404 now, and the old address `http://shop.example.com/old-cart`, which is printed on a hundred thousand "
    "cups, shows the home page and doesn't lead to the cart any more.\n\n"
    f"To see it: `chapter3.q11.curl('{DIRECT}')`, and `chapter3.q11.trace('{OLD}', steps=True)`.",
    breaks=(_priority(30, 5),),
    cures=(_priority(5, 30),),
    reasoning="With the priority 5, the rule for `*.example.com` was asked first, and the other two were never asked "
    "again. Nothing is amiss with a rule that is never asked: it is valid, it is active, and no alarm knows of it. "
    "Particular rules come first, by a lower number; any priority above 20 mends it.",
    tests=(
        answers(CART),
        answers("http://www.example.com/"),
        answers(DIRECT),
        _without_ingress,
        answers(OLD, 301),
        answers(APEX, 404),
    ),
    slips=(
        ((_priority(5, 15),), f"{DIRECT} should end with 200, and it ends with 404"),
        ((_priority(5, 20),), "two rules with one priority"),
        ((_priority(20, 4),), f"{OLD} should end with 301, and it ends with 200"),
    ),
)


# q12: a door for the wrong group ---------------------------------------------------------------------
_PAIR = """{{
                            "UserId": "111122223333",
                            "GroupId": "sg-0a1b000000000000{}",
                            "Description": "NodePorts, from the load balancer"
                        }}
                    ],
                    "IpRanges": [{}]"""
_NO_PAIR = _PAIR.format("b", "")


def _from_block(block: str) -> Edit:
    """The rule for NodePorts from a block of addresses, too."""
    return Edit(_GROUPS, _NO_PAIR, _PAIR.format("b", f'{{"CidrIp": "{block}"}}'))


q12 = Repair(
    "3.12",
    "504 after ten seconds",
    10,
    Level.MEDIUM,
    (
        "A 504 after ten seconds is a connection that never came about: something drops packets, and says nothing.",
        "Trace it. Which door is the last one, who knocks there, and which group has that interface?",
        "Compare the rules for NodePorts and for port 8080 in the nodes' group.",
    ),
    symptom="After a review of all security groups every page of the shop is a 504, and each takes ten seconds. "
    "`http://direct.example.com/cart` is well. The reviewers only made things stricter, they say: there is no "
    "address left in the nodes' group, only names of groups. That shall remain so, for whoever stands beside the load "
    "balancer, a NAT gateway for instance, has no business at the nodes.\n\n"
    f"To see it: `chapter3.q12.curl('{CART}')`, and `.trace` with the same.",
    breaks=(Edit(_GROUPS, _PAIR.format("a", ""), _NO_PAIR),),
    cures=(Edit(_GROUPS, _NO_PAIR, _PAIR.format("a", "")),),
    reasoning="The rule for NodePorts named the nodes' own group, sg-0a1b000000000000b, and the load balancer's "
    "interfaces have sg-0a1b000000000000a. So nodes could call each other, which another rule allows anyway, and the "
    "load balancer's packets were dropped. Whoever is dropped isn't told: it waited for ten seconds, and gave the "
    "customer a 504. With `ip` targets, on port 8080, it never met that rule.",
    tests=(answers(CART), answers(DIRECT), _as_in_the_shop),
    slips=(
        ((_from_block("0.0.0.0/0"),), "a call from 10.0.0.200:40000 to 10.0.32.11:30080 gets through now"),
        ((_from_block("10.0.0.25/32"),), "a call from 10.0.1.118:40000 to 10.0.32.11:30080 should get through"),
        ((_from_block("10.0.0.0/16"),), "the cure must not open more than was closed"),
    ),
)


# q13: a wrong port -------------------------------------------------------------------------------
def _all_nodes_serve(world: World) -> Outcome:
    """A test: all three nodes are healthy targets, and answer whichever node of the load balancer calls them."""
    (balancer,) = world.load_balancers
    group = next((one for one in balancer.target_groups if one.name == "shop-ingress"), None)
    targets = [one for one in group.targets if one.health.healthy] if group else []
    missing = sorted(set(_NODES) - {str(one.endpoint.address) for one in targets})
    if missing:
        return wrong(f"the node {missing[0]} is no healthy target of shop-ingress: all three shall serve")
    return first_wrong(_called(world, f"{source}:40000", str(one.endpoint)) for one in targets for source in _ALB_NODES)


def _checks_are_answered(world: World) -> Outcome:
    """A test: at the health checks' port there is somebody, too."""
    return first_wrong(_called(world, "10.0.0.25:40000", f"{node}:30080") for node in _NODES)


def _called(world: World, source: str, destination: str) -> Outcome:
    out = send(world, Memory(), tcp(source, destination))
    if out.arrived:
        return right()
    at = f"{out.hops[-1].station} {out.hops[-1].at}"
    return wrong(f"the load balancer at {source} calls {destination}, and is stopped at {at} ({out.verdict.code})")


def _registered(instance: int, port: int) -> str:
    return f'"Id": "i-0123456789abcde0{instance}",\n                "Port": {port}'


def _unhealthy(instance: int, port: int) -> tuple[str, str]:
    """A target as it stands, and the same one unhealthy."""
    lines = "", "            },", '            "HealthCheckPort": "30080",', '            "TargetHealth": {'
    rest = "\n".join((*lines, '                "State": "'))
    told = _registered(instance, port) + rest
    return f'{told}healthy"', f'{told}unhealthy",\n                "Reason": "Target.FailedHealthChecks"'


_CHECKED = '''"Port": 30080,
            "VpcId": "vpc-0d1c4f5a6b7e80001",
            "HealthCheckProtocol": "HTTP",
            "HealthCheckPort": "{}"'''

q13 = Repair(
    "3.13",
    "Every third page",
    10,
    Level.MEDIUM,
    (
        "A 502 at once: somebody was there, and refused. Trace it: who, and at which port?",
        "All targets are healthy. At which port do the health checks knock, and at which do the requests?",
    ),
    symptom="About every third page of the shop is a 502, and it comes at once. In the console all three targets are "
    "healthy. Nobody has touched the cluster; the first node was replaced on Thursday, and registered by hand. All "
    f"three nodes shall serve.\n\nTo see a bad one: `chapter3.q13.curl('{CART}')`, which always gets the same target "
    "here, and `.trace` with the same.",
    breaks=(
        Edit(_HEALTH, _registered(1, 30080), _registered(1, 30081)),
        Edit(_TARGET_GROUPS, _CHECKED.format("traffic-port"), _CHECKED.format("30080")),
    ),
    cures=(Edit(_HEALTH, _registered(1, 30081), _registered(1, 30080)),),
    reasoning="The new node was registered with port 30081. Requests went there, where nothing listens, and the node's "
    "kernel refused them; that is a 502. The health checks had a port of their own, 30080, and found everybody well: "
    "they speak of what they knock at, and of nothing else. With `traffic-port` for a port they would have noticed.",
    tests=(answers(CART), _all_nodes_serve, _checks_are_answered),
    slips=(
        ((Edit(_HEALTH, *_unhealthy(1, 30081)),), "the node 10.0.32.11 is no healthy target"),
        ((Edit("kubernetes/services.yaml", "nodePort: 30080", "nodePort: 30081"),), "10.0.33.12:30080"),
    ),
)


# q14: a lost answer ------------------------------------------------------------------------------
def _out(number: int, block: str, low: int = 0, high: int = 0) -> str:
    """An outbound entry that allows, as `describe-network-acls` prints it."""
    ports = ['"PortRange": {', f'    "From": {low},', f'    "To": {high}', "},"] if low else []
    lines = [f'"CidrBlock": "{block}",', '"Egress": true,', *ports, f'"Protocol": "{6 if low else -1}",']
    lines += ['"RuleAction": "allow",', f'"RuleNumber": {number}']
    return "                {\n" + "\n".join(f"                    {line}" for line in lines) + "\n                }"


def _public(*entries: str) -> str:
    """The beginning of the public subnets' entries."""
    lines = (
        '"SubnetId": "subnet-0a00000000000001b"',
        "                }",
        "            ],",
        '            "Entries": [',
        "",
    )
    return "\n".join(lines) + ",\n".join(entries)


_STRICT = (_out(100, "10.0.0.0/16"), _out(110, "0.0.0.0/0", 80, 80), _out(120, "0.0.0.0/0", 443, 443))


def _loosened(*more: str) -> Edit:
    return Edit(_ACLS, _public(*_STRICT), _public(*_STRICT, *more))


def _only_the_web(world: World) -> Outcome:
    """A test: pods may call web servers outside, and neither mail servers nor shells."""
    return first_wrong(_outward(world, port, port in (80, 443)) for port in (80, 443, 22, 25, 587))


def _outward(world: World, port: int, wanted: bool) -> Outcome:
    packet = tcp("10.0.35.113:40000", f"192.0.2.25:{port}")
    out, back = round_trip(world, Memory(), packet)
    if _gets_through(out, back) is wanted:
        return right()
    if not wanted:
        return wrong(f"the pod shop/shell reaches port {port} outside: the cure must not open more than answers need")
    trip = back if out.arrived else out
    at = f" at {trip.hops[-1].station} {trip.hops[-1].at} ({trip.verdict.code})" if trip and trip.hops else ""
    return wrong(f"the pod shop/shell calls port {port} outside, and hears nothing: stopped{at}")


q14 = Repair(
    "3.14",
    "Port 80 is open",
    12,
    Level.HARD,
    (
        "Nobody hears anything, so a packet is lost, on its way in or on its way out. `.trace` shows both ways.",
        "The answer comes from port 80. To which port does it go? A network ACL looks at that one.",
        "Customers sit behind all sorts of systems, NAT gateways among them, which call from 1024-65535.",
    ),
    symptom="The network was hardened in the night. Since then nobody can open the shop: no error, no page, nothing. "
    "The load balancer is active, its targets are healthy, and its log is empty. 'We only closed what goes out of the "
    "public subnets,' says the one who did it, 'and a web server needs 80 and 443.' One thing of that shall stay: from "
    "in here nobody may call mail servers (25, 587) or log in somewhere outside (22).\n\n"
    f"To see it: `chapter3.q14.trace('{CART}')`.",
    breaks=(Edit(_ACLS, _public(_out(100, "0.0.0.0/0")), _public(*_STRICT)),),
    cures=(_loosened(_out(130, "0.0.0.0/0", 1024, 65535)),),
    reasoning="Requests came in, and the answers went to the customers' own ports, which no entry allowed: the ACL "
    "doesn't remember that somebody asked. So answers need 1024-65535, and with that whoever is in these subnets may "
    "call high ports outside, too; an ACL can't tell a call from an answer. A security group can: who wants to "
    "forbid calls, and not answers, does it there.",
    tests=(_as_in_the_shop, answers(CART), answers(DIRECT), _only_the_web),
    slips=(
        ((_loosened(_out(130, "0.0.0.0/0", 32768, 65535)),), "a call from 198.51.100.23:1025 to"),
        ((_loosened(_out(130, "0.0.0.0/0")),), "reaches port 22 outside: the cure must not open more"),
        (
            (_loosened(_out(130, "198.51.100.0/24", 1024, 65535)),),
            "a call from 192.0.2.7:1025 to 203.0.113.10:80 should",
        ),
    ),
)
