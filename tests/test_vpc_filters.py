"""netpath.vpc.filters: security groups, network ACLs and route tables, each against its definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netpath.choice import first
from netpath.packet import ICMP_NUMBERS, Address, IcmpType, Network, Packet, Protocol, address, endpoint, tcp, udp
from netpath.vpc import (
    AclEntry,
    NetworkAcl,
    PrefixList,
    Region,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    Vpc,
    VpcMemory,
    filters,
)
from netpath.vpc.filters import AclFilter, GroupFilter, Key, RouteIndex, number, selector
from netpath.vpc.passage import _Passage
from tests.vpc_world import ANY, NODE_A, NODE_B, REGION, changed, codes, eni, send, with_acl

TEN = Network("10.0.0.0/8")
HOST = Network("10.0.0.5/32")


def key(packet: Packet, egress: bool = False) -> Key:
    other = packet.destination if egress else packet.source
    return packet.protocol.value, selector(packet), number(other.address), True


def icmp(kind: IcmpType, source: str = "10.0.0.5") -> Packet:
    quotes = tcp("1.1.1.1:1", "2.2.2.2:2") if kind.is_error else None
    return Packet(Protocol.ICMP, endpoint(source), endpoint("10.9.9.9"), icmp=kind, quotes=quotes)


# Network ACLs --------------------------------------------------------------------------------
def acl_verdict(packet: Packet, *entries: AclEntry) -> str:
    return AclFilter(NetworkAcl("acl-1", "vpc-1", entries), egress=False).decide(key(packet)).verdict.rule


def entry(rule_number: int, action: str, cidr: Network = ANY, protocol: str = "-1", *numbers: int) -> AclEntry:
    if protocol == "icmp":
        return AclEntry(rule_number, False, action == "allow", cidr, protocol, None, None, *numbers)
    return AclEntry(rule_number, False, action == "allow", cidr, protocol, *numbers)


ACL_CASES = [
    ("the lowest number decides", [entry(200, "deny"), entry(100, "allow")], "100 allow all"),
    ("a deny before an allow wins", [entry(90, "deny", HOST), entry(100, "allow")], "90 deny all from 10.0.0.5/32"),
    (
        "a rule for another network is passed over",
        [entry(90, "deny", Network("10.1.0.0/16")), entry(100, "allow")],
        "100",
    ),
    ("a rule for another protocol is passed over", [entry(90, "deny", ANY, "udp", 80, 80), entry(100, "allow")], "100"),
    ("a rule for another port is passed over", [entry(90, "deny", ANY, "tcp", 81, 90), entry(100, "allow")], "100"),
    ("a port range holds its low end", [entry(90, "allow", ANY, "tcp", 80, 90)], "90 allow tcp 80-90"),
    ("a port range holds its high end", [entry(90, "allow", ANY, "tcp", 70, 80)], "90 allow tcp 70-80"),
    ("protocol 6 is tcp", [entry(90, "allow", ANY, "6", 80, 80)], "90 allow tcp 80"),
    ("the ports of protocol -1 are ignored", [entry(90, "allow", ANY, "-1", 22, 22)], "90 allow all"),
    ("no rules: the asterisk denies", [], "* deny all from 0.0.0.0/0"),
    ("no match: the asterisk denies", [entry(90, "allow", HOST, "udp", 80, 80)], "* deny"),
    ("a printed asterisk is the same", [entry(32767, "deny")], "* deny"),
    ("egress rules aren't asked", [AclEntry(50, True, False), entry(100, "allow")], "100 allow"),
]


@pytest.mark.parametrize(("entries", "expected"), [case[1:] for case in ACL_CASES], ids=[case[0] for case in ACL_CASES])
def test_acl(entries: list[AclEntry], expected: str) -> None:
    assert acl_verdict(tcp("10.0.0.5:4000", "10.9.9.9:80"), *entries).startswith(f"acl-1 ingress {expected}")


@pytest.mark.parametrize(
    ("numbers", "kind", "allowed"),
    [
        ((-1, -1), IcmpType.ECHO_REQUEST, True),
        ((8, -1), IcmpType.ECHO_REQUEST, True),
        ((8, 0), IcmpType.ECHO_REQUEST, True),
        ((8, 0), IcmpType.ECHO_REPLY, False),
        ((3, 4), IcmpType.FRAGMENTATION_NEEDED, True),
        ((3, 4), IcmpType.PORT_UNREACHABLE, False),
        ((3, -1), IcmpType.ADMIN_PROHIBITED, True),
        ((11, 0), IcmpType.TIME_EXCEEDED, True),
    ],
)
def test_acl_and_group_rules_choose_icmp_by_type_and_code(
    numbers: tuple[int, int], kind: IcmpType, allowed: bool
) -> None:
    rule = acl_verdict(icmp(kind), entry(100, "allow", ANY, "icmp", *numbers))
    assert ("allow" in rule) is allowed
    assert group_allows(icmp(kind), SecurityGroupRule(ANY, "icmp", *numbers)) is allowed


def test_every_icmp_message_has_its_numbers() -> None:
    assert set(ICMP_NUMBERS) == set(IcmpType)


def test_acl_steps_end_with_the_rule_that_decides() -> None:
    acl = NetworkAcl(
        "acl-1", "vpc-1", (entry(90, "deny", HOST, "udp", 53, 53), entry(100, "allow"), entry(110, "deny"))
    )
    steps = AclFilter(acl, egress=False).decide(key(tcp("10.0.0.5:4000", "10.9.9.9:80"))).steps
    assert [(step.at, step.matched, step.why) for step in steps] == [
        ("acl-1 ingress 90", False, "protocol tcp is not udp"),
        ("acl-1 ingress 100", True, "tcp port 80, the other end is 10.0.0.5"),
    ]


addresses = st.integers(0, 2**32 - 1)
prefixes = st.tuples(addresses, st.integers(0, 32)).map(lambda pair: Network(pair, strict=False))
protocols = st.sampled_from(["tcp", "udp", "-1"])
ports = st.integers(0, 65535)
ranges = st.tuples(ports, ports).map(lambda pair: (min(pair), max(pair)))


@st.composite
def acl_entries(draw: st.DrawFn) -> tuple[AclEntry, ...]:
    numbers = draw(st.lists(st.tuples(st.integers(1, 32766), st.booleans()), unique=True, max_size=8))
    return tuple(
        AclEntry(
            rule,
            egress,
            draw(st.booleans()),
            draw(prefixes),
            draw(st.sampled_from(["tcp", "udp", "-1"])),
            *draw(ranges),
        )
        for rule, egress in numbers
    )


@given(acl_entries(), addresses, ports, st.booleans())
def test_acl_agrees_with_a_walk_over_the_sorted_rules(
    entries: tuple[AclEntry, ...], other: int, port: int, egress: bool
) -> None:
    found = AclFilter(NetworkAcl("acl-1", "vpc-1", entries), egress).decide(("tcp", port, other, True)).verdict
    for rule in sorted(entries, key=lambda rule: rule.rule_number):
        right_port = rule.protocol == "-1" or rule.from_port <= port <= rule.to_port  # type: ignore[operator]
        if rule.egress is egress and rule.protocol != "udp" and right_port and Address(other) in rule.cidr_block:
            assert found.rule == f"acl-1 {rule.text()}" and found.ok is rule.allow
            return
    assert found.code == "SUBNET_ACL_RESTRICTION"


@given(acl_entries(), acl_entries(), addresses, ports)
def test_what_an_acl_says_one_way_never_depends_on_its_rules_for_the_other(
    one: tuple[AclEntry, ...], other: tuple[AclEntry, ...], source: int, port: int
) -> None:
    mixed = tuple(rule for rule in one if not rule.egress) + tuple(rule for rule in other if rule.egress)
    asked = ("tcp", port, source, True)
    alone, both = (AclFilter(NetworkAcl("acl-1", "vpc-1", rules), False) for rules in (one, mixed))
    assert alone.decide(asked).verdict == both.decide(asked).verdict


# Security groups -----------------------------------------------------------------------------
def group_filter(*rules: SecurityGroupRule, region: Region = REGION) -> GroupFilter:
    group = SecurityGroup("sg-1", "vpc-1", rules)
    return GroupFilter([group], False, region._members_for([group]))


def group_allows(packet: Packet, *rules: SecurityGroupRule) -> bool:
    return group_filter(*rules).decide(key(packet)).verdict.ok


FROM_FIVE = tcp("10.0.0.5:4000", "10.9.9.9:80")
GROUP_CASES = [
    ("any rule is enough", [SecurityGroupRule(HOST, "udp"), SecurityGroupRule(TEN, "tcp", 80, 80)], True),
    ("a narrower rule takes nothing away", [SecurityGroupRule(ANY), SecurityGroupRule(HOST, "tcp", 22, 22)], True),
    ("another port", [SecurityGroupRule(ANY, "tcp", 81, 81)], False),
    ("another protocol", [SecurityGroupRule(ANY, "udp", 80, 80)], False),
    ("another network", [SecurityGroupRule(Network("10.1.0.0/16"))], False),
    ("protocol by number", [SecurityGroupRule(ANY, "6", 80, 80)], True),
    ("a protocol that the packet isn't", [SecurityGroupRule(ANY, "50")], False),
    ("tcp without ports is all ports", [SecurityGroupRule(ANY, "tcp")], True),
    ("a group that nobody has", [SecurityGroupRule("sg-open")], False),
    ("a prefix list", [SecurityGroupRule("pl-1", "tcp", 80, 80)], True),
    ("a prefix list that isn't given", [SecurityGroupRule("pl-2", "tcp", 80, 80)], False),
]


@pytest.mark.parametrize(("rules", "ok"), [case[1:] for case in GROUP_CASES], ids=[case[0] for case in GROUP_CASES])
def test_group(rules: list[SecurityGroupRule], ok: bool) -> None:
    region = changed(prefix_lists=(PrefixList("pl-1", (TEN,)),))
    assert group_filter(*rules, region=region).decide(key(FROM_FIVE)).verdict.ok is ok


def test_the_ports_of_a_protocol_without_ports_are_ignored() -> None:
    sctp = Packet(Protocol.SCTP, endpoint("10.0.0.5:9"), endpoint("10.9.9.9:3868"))
    assert group_allows(sctp, SecurityGroupRule(ANY, "132", 1, 2))


def test_rules_of_all_groups_of_an_interface_are_one_set() -> None:
    groups = [SecurityGroup("sg-1", "vpc-1", (SecurityGroupRule(ANY, "udp"),)), REGION.security_group["sg-open"]]
    decision = GroupFilter(groups, False, REGION._members_for(groups)).decide(key(FROM_FIVE))
    assert decision.verdict.rule == "sg-open ingress all from 0.0.0.0/0"
    assert [step.matched for step in decision.steps] == [False, True]


def test_a_reference_means_private_addresses_secondary_and_delegated_ones_too() -> None:
    node = eni("eni-a", "subnet-priv-a", "10.0.32.11=203.0.113.77", "10.0.32.12", group_ids=("sg-open",))
    pods = eni("eni-p", "subnet-priv-a", "10.0.33.1", group_ids=("sg-open",), prefixes=(Network("10.0.34.0/28"),))
    filter_ = group_filter(SecurityGroupRule("sg-open"), region=changed(network_interfaces=(node, pods)))
    sources = ["10.0.32.11", "10.0.32.12", "10.0.34.7", "203.0.113.77", "10.0.34.16"]
    verdicts = [filter_.decide(key(tcp(f"{source}:1", "10.9.9.9:80"))).verdict.ok for source in sources]
    assert verdicts == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (SecurityGroupRule(ANY), "ingress all from 0.0.0.0/0"),
        (SecurityGroupRule("sg-alb", "tcp", 30080, 30080), "ingress tcp 30080 from sg-alb"),
        (SecurityGroupRule(ANY, "udp", 0, 65535), "ingress udp from 0.0.0.0/0"),
        (SecurityGroupRule(ANY, "icmp", 3, 4), "ingress icmp type 3 code 4 from 0.0.0.0/0"),
        (SecurityGroupRule(ANY, "icmp"), "ingress icmp from 0.0.0.0/0"),
    ],
)
def test_a_rule_reads_as_aws_shows_it(rule: SecurityGroupRule, text: str) -> None:
    assert rule.text("ingress") == text


# Tracking ------------------------------------------------------------------------------------
def tracked_codes(ingress: tuple[SecurityGroupRule, ...], egress: tuple[SecurityGroupRule, ...]) -> list[str]:
    """A connection in to node A on port 22, and its answer: what node A's groups say."""
    groups = [group for group in REGION.security_groups if group.group_id != "sg-node"]
    region = changed(security_groups=(*groups, SecurityGroup("sg-node", "vpc-1", ingress, egress)))
    packet, memory = tcp("203.0.113.1:4000", "10.0.32.11:22"), VpcMemory()
    place = region.place(NODE_A)
    passage = _Passage(region, memory, 0.0, first)
    assert passage._groups(packet, place, False, True)
    passage._groups(packet.answer(), place, True, True)
    return [hop.verdict.code for hop in passage.hops] + [str(len(memory.tracked))]


SSH_FROM_ONE = SecurityGroupRule(Network("203.0.113.1/32"), "tcp", 22, 22)
SSH_FROM_ALL = SecurityGroupRule(ANY, "tcp", 22, 22)
ALL = SecurityGroupRule(ANY)


@pytest.mark.parametrize(
    ("ingress", "egress", "expected"),
    [
        ((SSH_FROM_ONE,), (ALL,), ["ALLOWED", "TRACKED", "1"]),
        ((SSH_FROM_ALL,), (ALL,), ["ALLOWED", "ALLOWED", "0"]),
        ((SSH_FROM_ALL,), (), ["ALLOWED", "TRACKED", "1"]),
        ((SSH_FROM_ONE, SSH_FROM_ALL), (ALL,), ["ALLOWED", "ALLOWED", "0"]),
        ((SSH_FROM_ALL,), (SecurityGroupRule(ANY, "tcp", 0, 65535),), ["ALLOWED", "ALLOWED", "0"]),
        ((SSH_FROM_ALL,), (SecurityGroupRule(ANY, "udp", 0, 65535),), ["ALLOWED", "TRACKED", "1"]),
        ((SSH_FROM_ALL,), (SecurityGroupRule(TEN),), ["ALLOWED", "TRACKED", "1"]),
    ],
)
def test_a_connection_that_rules_let_by_both_ways_isnt_tracked(
    ingress: tuple[SecurityGroupRule, ...], egress: tuple[SecurityGroupRule, ...], expected: list[str]
) -> None:
    assert tracked_codes(ingress, egress) == expected


# Route tables --------------------------------------------------------------------------------
VPC = Vpc("vpc-1", (Network("10.0.0.0/16"), Network("10.9.0.0/16")))


def index(*routes: Route, lists: tuple[PrefixList, ...] = ()) -> RouteIndex:
    known = {one.prefix_list_id: one for one in lists}
    return RouteIndex(RouteTable("rtb-1", "vpc-1", routes), VPC, known.__getitem__, lambda route, vpc_id: "")


def target(table: RouteIndex, destination: str) -> str | None:
    route = table.decide(number(address(destination))).route
    return None if route is None else route.target


def test_every_block_of_the_vpc_has_its_local_route_even_if_the_table_doesnt_print_it() -> None:
    table = index(Route(ANY, "igw-1"), Route(Network("10.0.0.0/16"), "local"))
    assert (target(table, "10.0.1.1"), target(table, "10.9.1.1"), target(table, "10.1.1.1")) == (
        "local",
        "local",
        "igw-1",
    )
    assert [line.text for line in table.lines].count("rtb-1 10.0.0.0/16 -> local (active)") == 1


EIGHT, SIXTEEN = Network("1.0.0.0/8"), Network("1.1.0.0/16")
PROPAGATED = Route(EIGHT, "vgw-1", propagated=True)
ROUTE_CASES = [
    ("longest prefix", [Route(ANY, "igw-1"), Route(EIGHT, "tgw-1"), Route(SIXTEEN, "eni-1")], "eni-1"),
    ("static before propagated", [PROPAGATED, Route(EIGHT, "igw-1")], "igw-1"),
    ("a longer propagated one", [Route(ANY, "igw-1"), PROPAGATED], "vgw-1"),
    ("static before a prefix list", [Route("pl-1", "tgw-1"), Route(EIGHT, "pcx-1")], "pcx-1"),
    ("a prefix list before propagated", [PROPAGATED, Route("pl-1", "tgw-1")], "tgw-1"),
]


@pytest.mark.parametrize(
    ("routes", "expected"), [case[1:] for case in ROUTE_CASES], ids=[case[0] for case in ROUTE_CASES]
)
def test_route_priority(routes: list[Route], expected: str) -> None:
    assert target(index(*routes, lists=(PrefixList("pl-1", (Network("1.0.0.0/8"),)),)), "1.1.1.1") == expected


def test_a_propagated_route_never_beats_the_local_one() -> None:
    table = index(Route(Network("10.0.1.0/24"), "vgw-1", propagated=True))
    routing = table.decide(number(address("10.0.1.1")))
    assert routing.route is not None and routing.route.target == "local"
    assert routing.steps[0].why == "10.0.1.1 is in 10.0.1.0/24, but the route to local has a higher priority"


def test_a_replaced_local_route_has_the_new_target() -> None:
    assert target(index(Route(Network("10.0.0.0/16"), "eni-1")), "10.0.1.1") == "eni-1"


@given(st.lists(prefixes, unique=True, max_size=12), addresses)
def test_longest_prefix_agrees_with_brute_force(networks: list[Network], destination: int) -> None:
    table = index(*(Route(block, f"eni-{place}") for place, block in enumerate(networks)))
    blocks = [*networks, *(block for block in VPC.cidr_blocks if block not in networks)]
    matching = [block for block in blocks if Address(destination) in block]
    best = max(matching, key=lambda block: block.prefixlen, default=None)
    routing = table.decide(destination)
    assert (routing.route.destination if routing.route else None) == best
    assert [step.matched for step in routing.steps].count(True) == (best is not None)


def test_decisions_are_kept_only_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(filters, "_MEMO_LIMIT", 2)
    memo = filters.Memo[int, int](lambda question: asked.append(question) or question)  # type: ignore[func-returns-value]
    assert [memo[question] for question in (1, 2, 1, 3, 1)] == [1, 2, 1, 3, 1]
    assert asked == [1, 2, 3, 1]


# Laws on the road ----------------------------------------------------------------------------
@given(st.integers(1024, 65535), st.integers(1, 65535), st.floats(0, 1000), st.sampled_from(["tcp", "udp"]))
def test_an_answer_passes_a_group_that_allows_nothing_in_exactly_while_it_is_tracked(
    source_port: int, port: int, later: float, protocol: str
) -> None:
    only_out = SecurityGroup("sg-node", "vpc-1", (), (ALL,))
    groups = [group for group in REGION.security_groups if group.group_id != "sg-node"]
    region, memory = changed(security_groups=(*groups, only_out)), VpcMemory()
    make = tcp if protocol == "tcp" else udp
    packet = make(f"10.0.32.11:{source_port}", f"10.0.0.25:{port}")
    send(packet, NODE_A, region, memory)
    answer = packet.answer()
    arrived = send(answer, region.network_interface["eni-alb"], region, memory, now=later)
    remembered = later < (120 if protocol == "tcp" else 30)
    assert (arrived.packet is not None) is remembered, codes(arrived)


@given(acl_entries(), ports)
def test_security_groups_pass_an_answer_that_only_an_acl_can_stop(entries: tuple[AclEntry, ...], port: int) -> None:
    region, memory = with_acl("subnet-priv-b", *entries), VpcMemory()
    there = send(tcp(f"10.0.32.11:{port}", "10.0.48.11:80"), NODE_A, region, memory)
    if there.packet is not None:
        back = send(there.packet.answer(), NODE_B, region, memory)
        assert back.verdict.code in ("TRACKED", "SUBNET_ACL_RESTRICTION"), codes(back)
