"""Chapter 5's broken worlds: an address that is lost, an answer that is lost, and two faults with two symptoms.

Health checks, which every 15 seconds ask each node for `/healthz`, notice none of the last one's faults: the ingress
controller answers them itself.

Not modelled: a colleague who mends something else meanwhile.
"""

from __future__ import annotations

import json
from textwrap import indent

from netpath.chance import seeded
from netpath.choice import Choose
from netpath.exercises.chapter5.places import NODE_PORT
from netpath.exercises.exercise import Level
from netpath.exercises.outcome import Outcome, first_wrong, right, wrong
from netpath.exercises.parts import cluster, region
from netpath.exercises.repair import Edit, Repair
from netpath.fabric import Trip, round_trip
from netpath.journey import Journey, travel
from netpath.memory import Memory
from netpath.packet import Network, Packet, address, http_request, tcp
from netpath.show.prepared import beginning
from netpath.world import World

_CONFIG = "kubernetes/configmaps.yaml"
_SERVICES = "kubernetes/services.yaml"
_ACLS = "aws/describe-network-acls.json"
_GROUPS = "aws/describe-security-groups.json"
_USERS = ("198.51.100.23", "198.51.100.240", "192.0.2.7")
_OWN = Network("10.0.0.0/16")


# What must hold ------------------------------------------------------------------------------------
def _opens(world: World, path: str, user: str, luck: Choose) -> Journey:
    return travel(world, Memory(), http_request(f"http://shop.example.com{path}"), luck, user=address(user))


def _all_served(world: World) -> Outcome:
    """A test: pages come at once, to whichever user, by whichever target."""
    each = [*map(beginning, range(3)), *map(seeded, range(4))]
    return first_wrong(_served(world, path, user, luck) for path in ("/cart", "/") for user in _USERS for luck in each)


def _served(world: World, path: str, user: str, luck: Choose) -> Outcome:
    journey = _opens(world, path, user, luck)
    if journey.outcome.ok and not journey.waited:
        return right()
    waited = f" after {journey.waited:g} s" if journey.waited else ""
    return wrong(f"the user {user} opens {path}, and it ends with {journey.outcome}{waited}{_stop(journey)}")


def _stop(journey: Journey) -> str:
    """The first hop that let nothing through, even if all went well in the end."""
    stopped = next((hop for hop in journey.hops if not hop.verdict.ok), None)
    return "" if stopped is None else f"; stopped at {stopped.station} {stopped.at} ({stopped.verdict.code})"


def _headers_tell(world: World) -> Outcome:
    """A test: the pod reads whose request it is."""
    return first_wrong(_told(world, user, beginning(at)) for user in _USERS for at in range(3))


def _told(world: World, user: str, luck: Choose) -> Outcome:
    last = _opens(world, "/cart", user, luck).connections[-1]
    for name in ("X-Forwarded-For", "X-Real-IP"):
        found = last.request.header(name) if last.request is not None else None
        if found != user:
            return wrong(f"the user {user} opens the cart, and {last.server} reads `{name}: {found}`")
    return right()


# q11: the address that is lost ---------------------------------------------------------------------
q11 = Repair(
    "5.11",
    "Everybody is a node",
    8,
    Level.EASY,
    (
        "Trace a request, and look at the headers: what does the ingress controller get, and what does the pod get?",
        "The controller believes the load balancer's header only if it is told to. Look at what it is told, letter by "
        "letter.",
    ),
    symptom="The cart counts requests per customer, and slows down everyone: in `X-Forwarded-For` it reads the nodes' "
    "addresses. Weeks ago somebody set an option in the ingress controller's ConfigMap that was to mend this. Nothing "
    "changed, and nobody got an error. See to it that the pods read their customers' addresses.",
    breaks=(Edit(_CONFIG, "use-forwarded-headers: 'false'", "use-forwarded-header: 'true'"),),
    cures=(Edit(_CONFIG, "use-forwarded-header: 'true'", "use-forwarded-headers: 'true'"),),
    reasoning="The option is `use-forwarded-headers`, with an s. A key that ingress-nginx doesn't know is passed over "
    "in silence, so the controller went on to throw the header away and to write where its own connection came from: "
    "from the node that masqueraded. The node still does, and TCP still shows it; the header alone tells the truth.",
    tests=(_headers_tell, _all_served),
    slips=(
        (
            (Edit(_CONFIG, "use-forwarded-header: 'true'", "compute-full-forwarded-for: 'true'"),),
            "`X-Forwarded-For: 10.0.",
        ),
        (
            (Edit(_SERVICES, "externalTrafficPolicy: Cluster", "externalTrafficPolicy: Local"),),
            "`X-Forwarded-For: 10.0.",
        ),
    ),
)


# q12: the answer that is lost ----------------------------------------------------------------------
def _answers_return(world: World) -> Outcome:
    """A test: the load balancer gets its answers, whatever port it happened to pick."""
    balancers = world.load_balancers[0].nodes
    ends = [f"{each.address}:{port}" for each in balancers for port in (1024, 32768, 50000, 65535)]
    return first_wrong(_returned(world, end, str(node.address)) for end in ends for node in cluster(world).nodes)


def _returned(world: World, end: str, node: str) -> Outcome:
    out, back = round_trip(world, Memory(), tcp(end, f"{node}:{NODE_PORT}"))
    trip, what = (back, "the answer") if out.arrived else (out, "the call")
    return (
        right()
        if trip is not None and trip.arrived
        else wrong(f"{end} calls {node}:{NODE_PORT}, and {what} {_lost(trip)}")
    )


def _lost(trip: Trip | None) -> str:
    return f"is stopped at {trip.hops[-1].station} {trip.hops[-1].at} ({trip.verdict.code})" if trip else "is lost"


def _only_the_web(world: World) -> Outcome:
    """A test: from the private subnets, connections to the Internet go to ports 80 and 443 alone."""
    for port, wanted in ((443, True), (80, True), (25, False), (3306, False), (8443, False), (40000, False)):
        out, _ = round_trip(world, Memory(), tcp("10.0.34.103:40000", f"198.51.100.99:{port}"))
        if out.arrived and not wanted:
            return wrong(f"a pod can open a connection to port {port} of any host on the Internet: that is too wide")
        if wanted and not out.arrived:
            return wrong(f"a pod can't open a connection to port {port} of a host on the Internet; it {_lost(out)}")
    return right()


def _entry(number: int, block: str, ports: tuple[int, int] | None = None, *, egress: bool = True) -> str:
    """An entry of a network ACL, as `describe-network-acls` prints it: TCP to these ports, or everything."""
    fields: dict[str, object] = {"CidrBlock": block, "Egress": egress}
    if ports is not None:
        fields["PortRange"] = {"From": ports[0], "To": ports[1]}
    fields |= {"Protocol": "-1" if ports is None else "6", "RuleAction": "allow", "RuleNumber": number}
    return _printed(fields)


def _printed(fields: dict[str, object]) -> str:
    """An object of a list of the second level, as the `aws` command prints it."""
    return indent(json.dumps(fields, indent=4), " " * 16)


_HEAD = """                    "SubnetId": "subnet-0b00000000000002b"
                }
            ],
            "Entries": [
"""
_WEB = f"{_entry(80, '0.0.0.0/0', (80, 80))},\n{_entry(90, '0.0.0.0/0', (443, 443))}"
_AMONG = _entry(100, "10.0.32.0/19")


def _adding(entry: str) -> tuple[Edit, ...]:
    """The cure, or none, that adds an entry after the last that lets something out."""
    return (Edit(_ACLS, _AMONG, f"{_AMONG},\n{entry}"),)


q12 = Repair(
    "5.12",
    "Nothing comes back",
    12,
    Level.MEDIUM,
    (
        "504 after ten seconds means silence behind the load balancer. Trace the request: is it the packet that is "
        "lost, or the answer to it?",
        "To which address and port does the answer go, where it is dropped? Which entry of that network ACL would have "
        "to let it out?",
        "The load balancer's nodes pick their ports from 1024 to 65535. Their subnets are 10.0.0.0/24 and 10.0.1.0/24.",
    ),
    symptom="Every page ends with 504 after ten seconds. Last night the security team tidied up the network ACL of the "
    "private subnets (`describe-network-acls.json`): whatever runs there shall open connections to the Internet on "
    "ports 80 and 443 alone, and on no others. That much is agreed and must stay so. “We left open all that is "
    "needed”, they say: “from the private subnets to the web, and everything among themselves.”",
    breaks=(Edit(_ACLS, f"{_HEAD}{_entry(100, '0.0.0.0/0')}", f"{_HEAD}{_WEB},\n{_AMONG}"),),
    cures=_adding(_entry(110, "10.0.0.0/23", (1024, 65535))),
    reasoning="The request comes through: it comes in. Its answer goes out, from the node to the port that the load "
    "balancer happened to pick, and no entry let it: a network ACL has no memory, so nobody told it that this was an "
    "answer. Entry 110 lets answers out to the load balancer's subnets, and nowhere else. A security group in the same "
    "place would have remembered.",
    tests=(_answers_return, _all_served, _only_the_web),
    slips=(
        (_adding(_entry(110, "0.0.0.0/0", (1024, 65535))), "too wide"),
        (_adding(_entry(110, "10.0.0.0/23", (32768, 60999))), "10.0.0.25:1024 calls"),
        (_adding(_entry(110, "10.0.0.0/24", (1024, 65535))), "10.0.1.118"),
        (_adding(_entry(115, "0.0.0.0/0", (1024, 65535), egress=False)), "SUBNET_ACL_RESTRICTION"),
    ),
)


# q13: two at once ----------------------------------------------------------------------------------
def _permission(protocol: str, low: int | None, high: int | None, *, group: str = "", block: str = "") -> str:
    """A permission of a security group, as `describe-security-groups` prints it."""
    pair = {"UserId": "111122223333", "GroupId": group, "Description": "nodes and pods among themselves"}
    fields: dict[str, object] = {"IpProtocol": protocol}
    if low is not None and high is not None:
        fields |= {"FromPort": low, "ToPort": high}
    fields |= {"UserIdGroupPairs": [pair] if group else [], "IpRanges": [{"CidrIp": block}] if block else []}
    return _printed({**fields, "Ipv6Ranges": [], "PrefixListIds": []})


def _nobody_else(world: World) -> Outcome:
    """A test: the nodes' security groups let in groups and networks of the VPC's own alone."""
    theirs = {group for eni in world.node_with for group in region(world).network_interface[eni].group_ids}
    for group in region(world).security_groups:
        for rule in group.ingress if group.group_id in theirs else ():
            if isinstance(rule.peer, Network) and not rule.peer.subnet_of(_OWN):
                return wrong(
                    f"{group.group_id} lets in {rule.peer}: that is too wide for nodes, who meet nobody from outside"
                )
    return right()


def _everyone(world: World) -> Outcome:
    """A test: users from anywhere get through to the load balancer, by both of its nodes."""
    users = (*_USERS, "8.8.8.8", "203.0.113.200")
    calls = [tcp(f"{user}:40000", f"{server}:80") for user in users for server in ("203.0.113.10", "203.0.113.20")]
    return first_wrong(_came(world, call) for call in calls)


def _came(world: World, call: Packet) -> Outcome:
    out, back = round_trip(world, Memory(), call)
    trip = back if out.arrived else out
    return right() if trip is not None and trip.arrived else wrong(f"{call} {_lost(trip)}")


_NODES = "sg-0a1b000000000000b"
_ALL = _permission("-1", None, None, group=_NODES)
_LOW = f"{_permission('tcp', 0, 1023, group=_NODES)},\n{_permission('udp', 0, 1023, group=_NODES)}"

_EVERYBODY = _entry(100, "0.0.0.0/0", (80, 80), egress=False)
_SOME = _entry(100, "198.51.100.0/24", (80, 80), egress=False)
_DOOR = (Edit(_ACLS, _SOME, _EVERYBODY),)
_AMONG_NODES = (Edit(_GROUPS, _LOW, _ALL),)

q13 = Repair(
    "5.13",
    "Two complaints",
    20,
    Level.HARD,
    (
        "Two complaints, and they needn't have one cause. Take them one after the other, and begin with the user who "
        "hears nothing: `.trace(url, '192.0.2.7')`.",
        "For the other: `.trace(url)` shows which pods were tried, and at which hop there was silence. On which nodes "
        "are the two ends of that connection, and of one that succeeds?",
        "The ingress controller gives up a silent pod after five seconds and tries the next. Whoever is on its own "
        "node meets no security group on the way.",
    ),
    symptom="Two complaints, from the same morning. Customers of one provider (192.0.2.7 is one of them) get nothing "
    "at all, and their browsers give up after some minutes. All others get their pages, but only a third of them at "
    "once: the rest wait five seconds, or ten. Every health check is green. Two people changed something last night, "
    "and each of them is sure that it was the other.",
    breaks=(Edit(_ACLS, _EVERYBODY, _SOME), Edit(_GROUPS, _ALL, _LOW)),
    cures=(*_DOOR, *_AMONG_NODES),
    reasoning="The public subnets' network ACL let in port 80 from one provider's block only: whoever comes from "
    "elsewhere meets silence, minutes of it. And the nodes' security group let its own members call low ports alone. "
    "That is enough for NodePorts, which the load balancer calls by another rule, for the ingress pods on port 80, and "
    "for health checks, which the controller answers itself. But the other pods listen on 8080, and between two nodes "
    "such a packet was dropped: the controller waited five seconds and tried the next pod. Where its first choice was "
    "on its own node, nobody noticed anything.",
    tests=(_everyone, _all_served, _nobody_else),
    slips=(
        (_DOOR, "ENI_SG_RULES_MISMATCH"),
        (_AMONG_NODES, "SUBNET_ACL_RESTRICTION"),
        ((*_DOOR, Edit(_GROUPS, _LOW, _permission("-1", None, None, block="0.0.0.0/0"))), "too wide"),
        (
            (*_AMONG_NODES, Edit(_ACLS, _SOME, _entry(100, "192.0.2.0/24", (80, 80), egress=False))),
            "198.51.100.23:40000",
        ),
    ),
)
