"""Chapter 1's broken worlds: three ways to lose a packet at a boundary, each a matter of route tables.

Not modelled: who did it, and why on a Friday.
"""

from __future__ import annotations

from netpath.exercises.chapter1.places import PROVIDER
from netpath.exercises.exercise import Level
from netpath.exercises.outcome import Outcome, first_wrong, right, wrong
from netpath.exercises.parts import region
from netpath.exercises.repair import Edit, Repair, Test, answers
from netpath.fabric import Trip, round_trip
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import address, tcp
from netpath.vpc import RouteTable, TargetKind
from netpath.vpc.region import Region
from netpath.world import World

_TABLES = "aws/describe-route-tables.json"
_INTERFACES = "aws/describe-network-interfaces.json"
_OUT_THERE = int(address("192.0.2.1"))  # TEST-NET-1: somewhere on the Internet
_USERS = ("198.51.100.23", "198.51.100.40", "192.0.2.7")  # two of one provider, one of another


# What must hold --------------------------------------------------------------------------------
def _lost(out: Trip, back: Trip | None) -> str:
    """Where a call, or else the answer to it, is stopped; empty if both arrive."""
    trip, what = (back, "the answer") if out.arrived else (out, "the call")
    if trip is not None and trip.arrived:
        return ""
    at = f" at {trip.hops[-1].station} {trip.hops[-1].at} ({trip.verdict.code})" if trip and trip.hops else ""
    return f"{what} is stopped{at}"


def _pays(*names: str) -> Test:
    """A test: these pods reach the provider, and are seen as the book's own world has them seen."""

    def test(world: World) -> Outcome:
        return first_wrong(_paid(world, name) for name in names)

    return test


def _paid(world: World, name: str) -> Outcome:
    pod = next((each for each in world.pods.values() if each.key == name), None)
    if pod is None:
        return wrong(f"the pod {name} is no longer in the files")
    call = tcp(f"{pod.ip}:40000", f"{PROVIDER}:80")
    out, back = round_trip(world, Memory(), call)
    if lost := _lost(out, back):
        return wrong(f"the pod {name} calls the provider, and {lost}")
    seen, agreed = _source(out), _source(round_trip(shop(), Memory(), call)[0])
    if seen != agreed:
        return wrong(f"the pod {name} is seen as {seen}; agreed is {agreed}, by the NAT gateway of its own zone")
    return right()


def _source(trip: Trip) -> str:
    return str(trip.packet.source.address) if trip.packet is not None else "nobody"


def _opens(*publics: str) -> Test:
    """A test: users get an answer from these public addresses of the load balancer."""

    def test(world: World) -> Outcome:
        return first_wrong(_opened(world, user, public) for public in publics for user in _USERS)

    return test


def _opened(world: World, user: str, public: str) -> Outcome:
    lost = _lost(*round_trip(world, Memory(), tcp(f"{user}:40000", f"{public}:80")))
    return wrong(f"the user {user} calls the load balancer at {public}, and {lost}") if lost else right()


def _private_stays_private(world: World) -> Outcome:
    """A test: each subnet is public or private as before, the main table leads nowhere, no address became public."""
    here, before = region(world), region(shop())
    more = sorted(set(here.public) - set(before.public))
    if more:
        interface, held = here.public[more[0]]
        return wrong(
            f"{held.address} ({interface.network_interface_id}) got the public address {held.public_ip}: "
            "the cure must not open a door that was closed"
        )
    return first_wrong(_as_before(here, before, subnet_id) for subnet_id in before.subnet)


def _as_before(here: Region, before: Region, subnet_id: str) -> Outcome:
    if subnet_id not in here.subnet:
        return wrong(f"the subnet {subnet_id} is no longer in the files")
    table, wanted = (each.route_table_of(each.subnet[subnet_id]) for each in (here, before))
    main = next((each for each in here.route_tables if each.main), None)
    if main is not None and _leads(here, main) is TargetKind.INTERNET_GATEWAY:
        return wrong(
            f"{main.route_table_id} is the main route table, and leads to the internet gateway now: every subnet that "
            "nobody gave a table of its own is public. The cure must not open that"
        )
    if _leads(here, table) is not _leads(before, wanted):
        return wrong(
            f"{subnet_id} has {table.route_table_id}, which leads out by {_leads(here, table) or 'nothing'}; "
            f"it should be by {_leads(before, wanted)}"
        )
    return right()


def _leads(here: Region, table: RouteTable) -> TargetKind | None:
    """What a table sends to the Internet goes to."""
    return here.routes(table).decide(_OUT_THERE).kind


_TESTS = (
    answers("http://shop.example.com/cart"),
    _opens("203.0.113.10", "203.0.113.20"),
    _pays("shop/shell", "shop/cart-5f7d9c6b8-4wz7t", "shop/web-6d4b75cb6d-s6mxr", "shop/cart-5f7d9c6b8-q7ncd"),
    _private_stays_private,
)


# How the files say it ----------------------------------------------------------------------------
_IGW = '"GatewayId": "igw-0c00000000000000c"'
_NAT_A = '"NatGatewayId": "nat-0e0000000000000a1"'
_NAT_B = '"NatGatewayId": "nat-0e0000000000000b1"'
_PUBLIC, _PRIVATE_A, _PRIVATE_B = "shop-public", "shop-private-a", "shop-private-b"


def _route(block: str, target: str, state: str = "active") -> str:
    """A route, as `describe-route-tables` prints it."""
    lines = f'"DestinationCidrBlock": "{block}"', target, '"Origin": "CreateRoute"', f'"State": "{state}"'
    return "                {\n" + ",\n".join(f"                    {line}" for line in lines) + "\n                }"


def _last_route(route: str, name: str) -> str:
    """A route that is the last of a table, and the table's name."""
    tag = f'                {{\n                    "Key": "Name",\n                    "Value": "{name}"\n'
    return f'{route}\n            ],\n            "Tags": [\n{tag}'


_LOCAL_ROUTE = _route("10.0.0.0/16", '"GatewayId": "local"').replace("CreateRoute", "CreateRouteTable")


def _association(identity: str, table: str, subnet: str) -> str:
    """A subnet's association, as it stands in a route table's list."""
    return f"""                {{
                    "Main": false,
                    "RouteTableAssociationId": "{identity}",
                    "RouteTableId": "{table}",
                    "SubnetId": "{subnet}",
                    "AssociationState": {{
                        "State": "associated"
                    }}
                }}"""


def _rerouted(name: str, old: str, new: str) -> Edit:
    """The table's default route by another way."""
    one, other = (_last_route(_route("0.0.0.0/0", target), name) for target in (old, new))
    return Edit(_TABLES, one, other)


# q8: the way out leads to the door ---------------------------------------------------------------
_PRIMARY = """                    "Primary": true,
                    "PrivateDnsName": "ip-10-0-33-12.eu-west-1.compute.internal",
"""
_WITH_PUBLIC = """                    "Association": {
                        "IpOwnerId": "111122223333",
                        "PublicIp": "203.0.113.77"
                    },
"""

q8 = Repair(
    "1.8",
    "The pods that can't pay",
    10,
    Level.MEDIUM,
    (
        "Trace a payment, and look at the last box before the silence. What does it need to know about the packet's "
        "source?",
        "An internet gateway swaps pairs. For which of the two, the pod's node or the NAT gateway, is there a pair?",
        "Compare the routes of the two private tables in `describe-route-tables.json`.",
    ),
    symptom="Since somebody tidied up the network, pods in zone eu-west-1a can't pay: `shell` hears nothing from the "
    f"payment provider at {PROVIDER}. Pods in zone eu-west-1b pay as ever, and users open the shop as if nothing had "
    "happened. With the provider it is agreed that zone a comes from 203.0.113.30 and zone b from 203.0.113.31, each "
    "by a NAT gateway of its own; no node has a public address, nor shall one have.\n\n"
    f"To see it: `chapter1.q8.curl('http://{PROVIDER}/pay', 'shop/shell')`, and `.trace` with the same.",
    breaks=(_rerouted(_PRIVATE_A, _NAT_A, _IGW),),
    cures=(_rerouted(_PRIVATE_A, _IGW, _NAT_A),),
    reasoning="The default route of zone a's private subnet led to the internet gateway. That made the subnet public, "
    "by the only thing that makes one so. The packet came to the door as its node, 10.0.33.12, for which there is no "
    "pair, and was dropped (IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS). Users noticed nothing: what they get comes from the "
    "load balancer, whose own subnets are public.",
    tests=_TESTS,
    slips=(
        ((_rerouted(_PRIVATE_A, _IGW, _NAT_B),), "agreed is 203.0.113.30"),
        ((Edit(_INTERFACES, _PRIMARY, _WITH_PUBLIC + _PRIMARY),), "is seen as 203.0.113.77"),
        (
            (
                Edit(
                    _TABLES,
                    _last_route(f"{_LOCAL_ROUTE},\n{_route('0.0.0.0/0', _IGW)}", _PRIVATE_A),
                    _last_route(_LOCAL_ROUTE, _PRIVATE_A),
                ),
            ),
            "NO_ROUTE_TO_DESTINATION",
        ),
    ),
)


# q9: a line that nobody misses -------------------------------------------------------------------
_VPN = '"GatewayId": "vgw-0d00000000000000d"'
_OUT = _route("0.0.0.0/0", _IGW)


def _public_routes(*routes: str) -> str:
    return _last_route(",\n".join(routes), _PUBLIC)


_STALE = _public_routes(_OUT, _route("198.51.100.0/26", _VPN, "blackhole"))

q9 = Repair(
    "1.9",
    "Not for everybody",
    12,
    Level.MEDIUM,
    (
        "One packet sets out and another comes back. Which of the two is lost? `.trace` shows both ways.",
        "Of the routes that contain the user's address, the one with the longest prefix wins, whether or not it works.",
    ),
    symptom="The shop is up, say the dashboards, and most people can open it. But some wait for minutes and get "
    "nothing: 198.51.100.23, for one, and 198.51.100.40, customers of the same Internet provider. 192.0.2.7, who is "
    "with another one, sees no problem.\n\n"
    "To see it: `chapter1.q9.curl('http://shop.example.com/cart')`, which is the first of them, and "
    "`chapter1.q9.curl('http://shop.example.com/cart', '192.0.2.7')`.",
    breaks=(Edit(_TABLES, _public_routes(_OUT), _STALE),),
    cures=(Edit(_TABLES, _STALE, _public_routes(_OUT)),),
    reasoning="The public table still had a route for 198.51.100.0/26 to a VPN that is no more: a blackhole. Requests "
    "came in, for on the way in nobody asks that table. The answers to addresses from .0 to .63 found two routes, "
    "and the more specific one won, though it leads nowhere: a dead route doesn't step aside for the next best "
    "(BAD_STATE_ROUTE). It has to be deleted.",
    tests=_TESTS,
    slips=(
        (
            (Edit(_TABLES, _STALE, _public_routes(_OUT, _route("198.51.100.0/26", _VPN))),),
            "stopped at gateway vgw-0d00000000000000d (UNKNOWN_DESTINATION)",
        ),
        (
            (
                Edit(
                    _TABLES,
                    _STALE,
                    _public_routes(
                        _OUT,
                        _route("198.51.100.0/26", _VPN, "blackhole"),
                        _route("198.51.100.23/32", _IGW),
                    ),
                ),
            ),
            "the user 198.51.100.40 calls the load balancer at 203.0.113.10, and the answer is stopped at route table",
        ),
    ),
)


# q10: two symptoms -------------------------------------------------------------------------------
_FIRST = _association("rtbassoc-0a00000000000001a", "rtb-0f0000000000000ff", "subnet-0a00000000000001a")
_PRIVATE = _association("rtbassoc-0b00000000000002b", "rtb-0f0000000000000fb", "subnet-0b00000000000002b")
_RIGHT = ",\n" + _association("rtbassoc-0a00000000000001b", "rtb-0f0000000000000ff", "subnet-0a00000000000001b")
_WRONG = ",\n" + _association("rtbassoc-0a00000000000001b", "rtb-0f0000000000000fb", "subnet-0a00000000000001b")
q10 = Repair(
    "1.10",
    "Two alarms, one cause",
    15,
    Level.HARD,
    (
        "Trace both alarms and compare the boxes where they end. In which subnet is what both of them need?",
        "What makes a subnet public? Look at it for the subnet in which zone b's NAT gateway stands, "
        "subnet-0a00000000000001b.",
        "An association says which table a subnet has, and it belongs to the table in whose list it stands.",
    ),
    symptom="Two alarms within a minute. Whoever happens to call the load balancer at 203.0.113.20 gets no answer, "
    f"while 203.0.113.10 is well. And pods in zone eu-west-1b don't reach the payment provider at {PROVIDER} any more, "
    "while those in zone a do. Somebody else had been cleaning up route tables; 'only private ones', they say.\n\n"
    "To see them: `chapter1.q10.trace('http://203.0.113.20/')`, and "
    f"`chapter1.q10.trace('http://{PROVIDER}/pay', 'shop/web-6d4b75cb6d-s6mxr')`.",
    breaks=(Edit(_TABLES, _FIRST + _RIGHT, _FIRST), Edit(_TABLES, _PRIVATE, _PRIVATE + _WRONG)),
    cures=(Edit(_TABLES, _PRIVATE + _WRONG, _PRIVATE), Edit(_TABLES, _FIRST, _FIRST + _RIGHT)),
    reasoning="Zone b's public subnet had got the private table, whose default route leads to the NAT gateway in that "
    "very subnet. So what the NAT gateway sent out came back to it (ROUTE_LOOP). And the load balancer's answers, from "
    "the same subnet, went to a gateway that had never heard of those connections, instead of out by the door. A "
    "subnet is public because of a route, and whoever has to do with the Internet directly, a load balancer for users "
    "or a NAT gateway, has to stand in one.",
    tests=_TESTS,
    slips=(
        ((Edit(_TABLES, _PRIVATE + _WRONG, _PRIVATE),), "NO_ROUTE_TO_DESTINATION"),
        ((_rerouted(_PRIVATE_B, _NAT_B, _IGW),), "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS"),
        (
            (
                Edit(_TABLES, _PRIVATE + _WRONG, _PRIVATE),
                Edit(
                    _TABLES,
                    _last_route(_LOCAL_ROUTE, "shop-main"),
                    _last_route(f"{_LOCAL_ROUTE},\n{_OUT}", "shop-main"),
                ),
            ),
            "the main route table, and leads to the internet gateway now",
        ),
    ),
)
