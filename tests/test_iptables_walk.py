"""A packet's road through chains: each case is what the kernel's own counters showed, or a law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netpath.choice import Choose, Script, first, outcomes
from netpath.errors import WorldError
from netpath.iptables import (
    Chain,
    ChainWalk,
    Context,
    Jump,
    RecentList,
    Return,
    Rule,
    RuleMemory,
    Ruleset,
    Standard,
    Table,
    parse,
    parse_rule,
    walk_chain,
)
from netpath.iptables.consulted import Consulted
from netpath.iptables.targets import CONTINUE
from netpath.packet import Address, Endpoint, IcmpType, Packet, Protocol, TcpFlags, address, endpoint, tcp, udp
from tests.iptables_rules import packets, rulesets


@dataclass(frozen=True)
class Direction:
    protocol: str
    source: Endpoint
    destination: Endpoint


@dataclass
class Entry:
    """A connection, as conntrack would have it."""

    mark: int = 0
    original: Direction = Direction("tcp", endpoint("10.0.0.1:1000"), endpoint("10.96.0.1:80"))
    reply: Direction = Direction("tcp", endpoint("10.244.0.2:8080"), endpoint("10.0.0.1:1000"))


PACKET = tcp("10.0.0.1:1000", "10.0.0.2:80")


def mangle(*lines: str) -> Ruleset:
    return parse("\n".join(["*mangle", *lines, "COMMIT"]))


def walk(rules: Ruleset, context: Context | None = None, choose: Choose = first) -> ChainWalk:
    return walk_chain(rules, "mangle", "PREROUTING", context or Context(PACKET), choose)


def matched(match: str, context: Context | None = None) -> bool:
    """Whether a rule with this match catches the packet, the steps agreeing."""
    result = walk(mangle(f"-A PREROUTING {match} -j DROP"), context)
    assert result.steps[0].matched == (result.target.name == "DROP"), result.steps
    assert result.steps[0].why, result.steps
    return result.target.name == "DROP"


# Jumps, gotos, returns ---------------------------------------------------------------------------


def test_the_policy_decides_when_no_rule_does() -> None:
    result = walk(mangle(":PREROUTING DROP", "-A PREROUTING -d 1.1.1.1 -j ACCEPT"))
    assert (result.target.name, result.rule, result.at) == ("DROP", None, "mangle PREROUTING")
    assert result.text == ":PREROUTING DROP"
    assert [step.matched for step in result.steps] == [False, True]


def test_an_empty_chain_is_its_policy() -> None:
    result = walk(mangle(":PREROUTING DROP"))
    assert (result.target.name, result.steps[0].rule) == ("DROP", ":PREROUTING DROP")


def test_a_table_that_is_not_there_accepts() -> None:
    assert walk_chain(Ruleset(), "nat", "OUTPUT", Context(PACKET), first).target.name == "ACCEPT"


def test_a_chain_that_is_not_there_accepts() -> None:
    rules = Ruleset({"nat": Table("nat", {})})
    assert walk_chain(rules, "nat", "OUTPUT", Context(PACKET), first).target.name == "ACCEPT"


def test_the_rule_that_decides_is_named_as_it_was_written() -> None:
    result = walk(mangle("-A PREROUTING -s 10.0.0.9", "-A PREROUTING -p  tcp -j DROP"))
    assert (result.at, result.text) == ("mangle PREROUTING 2", "-A PREROUTING -p  tcp -j DROP")


def test_a_rule_made_without_a_text_is_named_as_linux_prints_it() -> None:
    chain = Chain("PREROUTING", "ACCEPT", (replace(parse_rule("-A PREROUTING -j DROP"), text=""),))
    result = walk(Ruleset({"mangle": Table("mangle", {"PREROUTING": chain})}))
    assert result.text == result.steps[0].rule == "-A PREROUTING -j DROP"


def test_a_jump_comes_back_to_the_next_rule() -> None:
    result = walk(mangle(":A -", "-A A -j MARK --set-mark 1", "-A PREROUTING -j A", "-A PREROUTING -j DROP"))
    assert [step.at for step in result.steps] == ["mangle PREROUTING 1", "mangle A 1", "mangle PREROUTING 2"]


def test_a_return_skips_the_rest_of_its_chain() -> None:
    rules = mangle(":A -", "-A A -j RETURN", "-A A -j DROP", "-A PREROUTING -j A", "-A PREROUTING -j ACCEPT")
    assert walk(rules).at == "mangle PREROUTING 2"


def test_a_return_from_a_built_in_chain_is_the_policy() -> None:
    result = walk(mangle(":PREROUTING DROP", "-A PREROUTING -j RETURN", "-A PREROUTING -j ACCEPT"))
    assert (result.target.name, result.rule) == ("DROP", None)


def test_a_goto_returns_to_where_its_chain_was_jumped_from() -> None:
    lines = (
        ":A -",
        ":B -",
        "-A B -j RETURN",
        "-A A -g B",
        "-A A -j DROP",
        "-A PREROUTING -j A",
        "-A PREROUTING -j ACCEPT",
    )
    assert walk(mangle(*lines)).at == "mangle PREROUTING 2"


def test_a_goto_from_a_built_in_chain_ends_in_the_policy() -> None:
    rules = mangle(
        ":A -", ":PREROUTING DROP", "-A A -j MARK --set-mark 1", "-A PREROUTING -g A", "-A PREROUTING -j ACCEPT"
    )
    assert (walk(rules).target.name, walk(rules).number) == ("DROP", 0)


def test_a_rule_without_a_target_only_counts() -> None:
    result = walk(mangle("-A PREROUTING", "-A PREROUTING -j DROP"))
    assert result.number == 2


def test_a_jump_to_a_chain_that_is_not_there_is_a_broken_world() -> None:
    chain = Chain("PREROUTING", "ACCEPT", (parse_rule("-A PREROUTING -j NOWHERE"),))
    with pytest.raises(WorldError, match="NOWHERE"):
        walk(Ruleset({"mangle": Table("mangle", {"PREROUTING": chain})}))


def test_only_the_chains_on_the_way_are_looked_up() -> None:
    asked: list[str] = []

    class Lazy(dict[str, Chain]):
        def get(self, name: str, default: object = None) -> Chain:
            asked.append(name)
            return Chain(name, "ACCEPT", (parse_rule(f"-A {name} -j {'B' if name == 'PREROUTING' else 'DROP'}"),))

    assert walk(Ruleset({"mangle": Table("mangle", Lazy())})).at == "mangle B 1"
    assert asked == ["PREROUTING", "B"]


# Matches -----------------------------------------------------------------------------------------

HOLDS = {
    "-s 10.0.0.0/8": True,
    "! -s 10.0.0.0/8": False,
    "-d 10.0.0.2": True,
    "-d 10.9.0.2/255.0.0.255": True,
    "-d 10.9.0.3/255.0.0.255": False,
    "! -d 10.0.0.3": True,
    "-i eth0": True,
    "-i eth+": True,
    "-i eth": False,
    "! -i eth1": True,
    "! -i +": False,
    "-p tcp": True,
    "-p udp": False,
    "! -p 17": True,
    "-p 99": False,
    "-f": False,
    "! -f": True,
    "-m comment --comment x": True,
    "-m nfacct --nfacct-name dropped_pkts": True,
    "-p tcp -m tcp": True,
    "-p tcp --dport 80": True,
    "-p tcp --dport 81:90": False,
    "-p tcp ! --dport 81:90 --sport 1000": True,
    "-p tcp ! --sport 1000": False,
    "-p tcp ! --dport 0:65535": False,
    "-p tcp --syn": True,
    "-p tcp ! --syn": False,
    "-p tcp --tcp-flags SYN,ACK SYN,ACK": False,
    "-p tcp --tcp-flags ALL SYN": True,
    "-p udp --dport 80": False,
    "-p icmp --icmp-type any": False,
    "-p tcp -m multiport --dports 79,80": True,
    "-p tcp -m multiport --sports 1:80": False,
    "-p tcp -m multiport --ports 999:1001": True,
    "-p tcp -m multiport ! --dports 1,2": True,
    "-m mark --mark 0x10": True,
    "-m mark --mark 0x0/0x1": True,
    "-m mark ! --mark 0x10/0x10": False,
    "-m connmark --mark 7": True,
    "-m connmark ! --mark 1/1": False,
    "-m addrtype --src-type UNICAST": True,
    "-m addrtype --dst-type LOCAL": True,
    "-m addrtype ! --dst-type LOCAL,UNICAST": False,
    "-m addrtype --src-type LOCAL --dst-type LOCAL": False,
    "-m addrtype --dst-type LOCAL --limit-iface-in": True,
    "-m conntrack --ctstate NEW,RELATED": True,
    "-m conntrack ! --ctstate NEW": False,
    "-m conntrack --ctstate DNAT": True,
    "-m conntrack --ctstate SNAT": False,
    "-m state --state ESTABLISHED": False,
    "-m conntrack --ctproto 6": True,
    "-m conntrack ! --ctproto tcp": False,
    "-m conntrack --ctdir ORIGINAL": True,
    "-m conntrack --ctdir REPLY": False,
    "-m conntrack --ctorigsrc 10.0.0.1": True,
    "-m conntrack --ctorigdst 10.96.9.9/16": True,
    "-m conntrack --ctreplsrc 10.244.0.9": False,
    "-m conntrack ! --ctrepldst 10.0.0.2": True,
    "-m conntrack --ctorigdstport 80": True,
    "-m conntrack --ctreplsrcport 8000:9000": True,
    "-m conntrack --ctrepldstport 1": False,
    "-m conntrack --ctstate NEW --ctorigsrcport 1:999": False,
    "-m conntrack --ctstate SNAT --ctdir ORIGINAL": False,
    "-m conntrack --ctstatus CONFIRMED,ASSURED": True,
    "-m conntrack ! --ctstatus EXPECTED": True,
    "-m conntrack --ctstatus NONE": False,
    "-m recent --set": True,
    "-m recent ! --set": False,
    "-m recent --rcheck": False,
    "-m recent ! --rcheck": True,
    "-m recent --remove --rdest": False,
    "-m statistic --mode random --probability 1": True,
    "-m statistic --mode random --probability 0": False,
    "-m statistic --mode nth --every 2 --packet 0": True,
    "-m statistic --mode nth ! --every 2 --packet 0": False,
}


def here(packet: Packet = PACKET) -> Context:
    """The packet coming in by eth0, new, its destination translated, marked 0x10, its connection 7."""
    return Context(
        packet,
        input="eth0",
        mark=0x10,
        state="NEW",
        status=frozenset({"DNAT", "CONFIRMED"}),
        connection=Entry(7),
        is_local=lambda where: str(where) == "10.0.0.2",
    )


@pytest.mark.parametrize("match", HOLDS)
def test_a_match_holds_as_in_the_kernel(match: str) -> None:
    assert matched(match, here()) is HOLDS[match]


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        ("-m connmark --mark 0", False),
        ("-m connmark ! --mark 0", False),
        ("-m conntrack --ctdir ORIGINAL", False),
        ("-m conntrack ! --ctorigdst 1.1.1.1", False),
        ("-m conntrack --ctstate INVALID", True),
        ("-m conntrack --ctstate INVALID --ctdir REPLY", True),
        ("-m conntrack ! --ctstate DNAT", True),
    ],
)
def test_without_a_connection_only_its_state_is_asked(match: str, holds: bool) -> None:
    assert matched(match) is holds


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        ("-p icmp --icmp-type 8", True),
        ("-p icmp --icmp-type 8/0", True),
        ("-p icmp --icmp-type 8/1", False),
        ("-p icmp --icmp-type any", True),
        ("-p icmp ! --icmp-type any", False),
        ("-p icmp ! --icmp-type 3", True),
    ],
)
def test_icmp_messages_are_told_apart_by_type_and_code(match: str, holds: bool) -> None:
    ping = Packet(Protocol.ICMP, endpoint("10.0.0.1"), endpoint("10.0.0.2"), icmp=IcmpType.ECHO_REQUEST)
    assert matched(match, Context(ping)) is holds


def test_an_icmp_type_is_nothing_that_tcp_has() -> None:
    assert not parse_rule("-A X -p icmp ! --icmp-type 0").matches[-1].holds(Context(PACKET))


def test_a_step_names_the_icmp_message() -> None:
    ping = Packet(Protocol.ICMP, endpoint("10.0.0.1"), endpoint("10.0.0.2"), icmp=IcmpType.ECHO_REQUEST)
    steps = walk(mangle("-A PREROUTING -p icmp --icmp-type 0 -j DROP"), Context(ping)).steps
    assert steps[0].why == "the ICMP message is echo-request"


def test_flags_are_tested_under_their_mask() -> None:
    answer = Context(tcp("10.0.0.1:1", "10.0.0.2:2", TcpFlags.SYN_ACK))
    assert matched("-p tcp --tcp-flags SYN SYN", answer)
    assert not matched("-p tcp --syn", answer)


@pytest.mark.parametrize(
    ("where", "kind"),
    [("0.0.0.0", "BROADCAST"), ("255.255.255.255", "BROADCAST"), ("224.0.0.1", "MULTICAST"), ("10.0.0.1", "UNICAST")],
)
def test_some_addresses_have_their_type_everywhere(where: str, kind: str) -> None:
    assert matched(f"-m addrtype --dst-type {kind}", Context(tcp("10.0.0.1:1", f"{where}:2")))


def test_a_limited_address_type_asks_one_interface() -> None:
    def kind(where: Address, interface: str | None) -> str:
        return "LOCAL" if interface in (None, "eth1") else "UNICAST"

    context = Context(PACKET, input="eth0", address_type=kind)
    assert matched("-m addrtype --dst-type LOCAL", context)
    assert not matched("-m addrtype --dst-type LOCAL --limit-iface-in", context)


def test_an_output_interface_is_asked_where_there_is_one() -> None:
    rules = mangle("-A POSTROUTING -o eth0 -j DROP")
    names = [
        walk_chain(rules, "mangle", "POSTROUTING", Context(PACKET, output=name), first).target.name
        for name in ("eth0", "lo")
    ]
    assert names == ["DROP", "ACCEPT"]


# Marks and other targets that go on ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "mark"),
    [
        ("--set-mark 0x5", 0x5),
        ("--set-mark 0x4000/0x4000", 0x40FF),
        ("--or-mark 0x4000", 0x40FF),
        ("--and-mark 0xf0", 0xF0),
        ("--xor-mark 0x1", 0xFE),
        ("--set-xmark 0x1/0xf", 0xF1),
    ],
)
def test_mark_alters_the_mark_and_goes_on(option: str, mark: int) -> None:
    context = Context(PACKET, mark=0xFF)
    assert walk(mangle(f"-A PREROUTING -j MARK {option}", "-A PREROUTING -j DROP"), context).number == 2
    assert context.mark == mark


@pytest.mark.parametrize(
    ("option", "packet", "connection"),
    [
        ("--set-xmark 0x1/0xf", 0x12, 0x31),
        ("--set-mark 0x5", 0x12, 0x5),
        ("--save-mark", 0x12, 0x12),
        ("--save-mark --mask 0xf", 0x12, 0x32),
        ("--restore-mark", 0x34, 0x34),
        ("--restore-mark --nfmask 0xf0 --ctmask 0x30", 0x32, 0x34),
    ],
)
def test_connmark_moves_marks_between_packet_and_connection(option: str, packet: int, connection: int) -> None:
    context = Context(PACKET, mark=0x12, connection=Entry(0x34))
    walk(mangle(f"-A PREROUTING -j CONNMARK {option}"), context)
    assert context.connection is not None
    assert (context.mark, context.connection.mark) == (packet, connection)


def test_connmark_without_a_connection_does_nothing() -> None:
    context = Context(PACKET, mark=3)
    walk(mangle("-A PREROUTING -j CONNMARK --restore-mark"), context)
    assert context.mark == 3


@pytest.mark.parametrize("connection", [None, Entry()])
def test_notrack_spares_a_packet_that_is_tracked_already(connection: Entry | None) -> None:
    context = Context(PACKET, state="NEW", connection=connection)
    walk_chain(parse("*raw\n-A PREROUTING -j NOTRACK\nCOMMIT"), "raw", "PREROUTING", context, first)
    assert context.state == ("NEW" if connection else "UNTRACKED")


def test_a_log_goes_on() -> None:
    assert walk(mangle("-A PREROUTING -j LOG", "-A PREROUTING -j DROP")).number == 2


# Chance and memory ---------------------------------------------------------------------------------


def test_one_in_three_is_the_kernels_one_in_three() -> None:
    rules = mangle("-A PREROUTING -m statistic --mode random --probability 0.3333333333 -j DROP")
    shares = {
        outcome.result.target.name: outcome.probability
        for outcome in outcomes(lambda choose: walk(rules, None, choose))
    }
    assert shares == {"DROP": Fraction(715827883, 1 << 31), "ACCEPT": Fraction((1 << 31) - 715827883, 1 << 31)}


def test_a_negated_probability_is_the_rest() -> None:
    rules = mangle("-A PREROUTING -m statistic --mode random ! --probability 0.25 -j DROP")
    (dropped, _) = outcomes(lambda choose: walk(rules, None, choose))
    assert (dropped.result.target.name, dropped.probability) == ("DROP", Fraction(3, 4))


def test_chance_is_not_asked_when_a_match_before_it_fails() -> None:
    script = Script()
    walk(mangle("-A PREROUTING -s 1.1.1.1 -m statistic --mode random --probability 0.5 -j DROP"), None, script)
    assert script.asked == 0


def test_the_question_names_the_rule() -> None:
    asked: list[str] = []

    def choose(question: str, weights: object) -> int:
        asked.append(question)
        return 0

    walk(mangle("-A PREROUTING -m statistic --mode random --probability 0.5 -j DROP"), None, choose)
    assert asked == ["mangle PREROUTING 1: -m statistic --mode random --probability 0.50000000000?"]


def test_steps_tell_what_chance_answered_without_asking_again() -> None:
    rules = mangle("-A PREROUTING -m statistic --mode random --probability 0.5 -j DROP")
    result = walk(rules, None, Script([1]))
    assert [step.matched for step in result.steps] == [False, True]
    assert "by chance (0.5), it did not hold" in result.steps[0].why


@pytest.mark.parametrize(("option", "expected"), [("--every", "100100"), ("! --every", "011011")])
def test_every_third_packet_is_counted_from_the_first(option: str, expected: str) -> None:
    rules = mangle(f"-A PREROUTING -m statistic --mode nth {option} 3 --packet 0 -j DROP")
    memory = RuleMemory()
    results = [walk(rules, Context(PACKET, memory=memory)) for _ in range(6)]
    assert "".join(str(int(result.steps[0].matched)) for result in results) == expected


def test_two_rules_count_apart() -> None:
    rules = mangle(*["-A PREROUTING -m statistic --mode nth --every 2 --packet 0 -j DROP"] * 2)
    memory = RuleMemory()
    assert [walk(rules, Context(PACKET, memory=memory)).number for _ in range(4)] == [1, 2, 1, 0]


def seen(do: str, at: Sequence[float], now: float, memory: RuleMemory | None = None) -> bool:
    """Whether `-m recent` holds now, for an address put on the list at these times."""
    memory = memory or RuleMemory()
    for time in at:
        walk(mangle("-A PREROUTING -m recent --set"), Context(PACKET, memory=memory, now=time))
    return matched(f"-m recent {do}", Context(PACKET, memory=memory, now=now))


@pytest.mark.parametrize(
    ("do", "at", "holds"),
    [
        ("--rcheck", [0], True),
        ("--rcheck --rdest", [0], False),
        ("--rcheck --seconds 10", [90], True),
        ("--rcheck --seconds 10", [89], False),
        ("--rcheck --seconds 10", [89, 95], True),
        ("--rcheck --hitcount 2", [0], False),
        ("--rcheck --hitcount 2", [0, 1], True),
        ("--rcheck --seconds 10 --hitcount 2", [0, 95], False),
        ("! --rcheck --seconds 10", [89], True),
        ("--update --seconds 10", [95], True),
        ("--remove", [0], True),
        ("! --remove", [0], False),
    ],
)
def test_recent_counts_how_often_and_how_lately(do: str, at: list[float], holds: bool) -> None:
    assert seen(do, at, 100) is holds


def test_an_update_that_holds_is_a_sighting() -> None:
    memory = RuleMemory()
    seen("--update --seconds 10", [95], 100, memory)
    assert memory.recent["DEFAULT"].seen == {int(address("10.0.0.1")): (95, 100)}


def test_an_update_that_does_not_hold_is_none() -> None:
    memory = RuleMemory()
    seen("--update --seconds 10", [80], 100, memory)
    assert memory.recent["DEFAULT"].seen == {int(address("10.0.0.1")): (80,)}


def test_remove_forgets() -> None:
    memory = RuleMemory()
    seen("--remove", [0], 1, memory)
    assert memory.recent["DEFAULT"].seen == {}


def test_a_list_is_kept_by_masked_address() -> None:
    memory = RuleMemory()
    walk(mangle("-A PREROUTING -m recent --set --mask 255.0.0.0"), Context(PACKET, memory=memory))
    assert matched("-m recent --rcheck --mask 255.0.0.0", Context(udp("10.9.9.9:1", "10.0.0.2:2"), memory=memory))


def test_the_first_rules_mask_is_the_lists() -> None:
    rules = mangle("-A PREROUTING -m recent --set --mask 255.0.0.0", "-A PREROUTING -m recent --rcheck -j DROP")
    assert walk(rules).target.name == "DROP"


def test_reap_forgets_the_least_recent_if_it_is_old() -> None:
    memory = RuleMemory()
    memory.recent["DEFAULT"] = RecentList({1: (5.0,), 2: (6.0,)})
    seen("--rcheck --seconds 10 --reap", [99], 100, memory)
    assert list(memory.recent["DEFAULT"].seen) == [2, int(address("10.0.0.1"))]


def test_reap_spares_what_is_updated() -> None:
    memory = RuleMemory()
    memory.recent["DEFAULT"] = RecentList({int(address("10.0.0.1")): (5.0,)})
    assert seen("! --update --seconds 10 --reap", [], 100, memory)
    assert memory.recent["DEFAULT"].seen == {int(address("10.0.0.1")): (5.0, 100)}


def test_a_list_forgets_its_least_recent_address_beyond_a_hundred() -> None:
    full = RecentList()
    for number in [*range(100), 0, 100]:
        full.touch(number, float(number))
    assert len(full.seen) == 100 and 0 in full.seen and 1 not in full.seen


def test_an_empty_memory_is_copied_too() -> None:
    twin = RuleMemory().copy()
    assert (twin.recent, twin.nth) == ({}, {})


def test_a_copied_memory_is_another_memory() -> None:
    memory = RuleMemory()
    rules = mangle("-A PREROUTING -m recent --set", "-A PREROUTING -m statistic --mode nth --every 2 --packet 0")
    walk(rules, Context(PACKET, memory=memory))
    twin = memory.copy()
    walk(rules, Context(udp("1.1.1.1:1", "10.0.0.2:2"), memory=twin))
    assert (len(memory.recent["DEFAULT"].seen), len(twin.recent["DEFAULT"].seen)) == (1, 2)
    assert (list(memory.nth.values()), list(twin.nth.values())) == ([1], [0])


def test_what_depends_on_chance_is_not_asked_in_passing() -> None:
    match = parse_rule("-A X -m statistic --mode random --probability 0.5").matches[0]
    for ask in (match.holds, match.why):
        with pytest.raises(TypeError, match="statistic"):
            ask(Context(PACKET))


# What is told --------------------------------------------------------------------------------------

REASONS = {
    "-s 10.1.0.0/16": "source 10.0.0.1 is not in 10.1.0.0/16",
    "! -d 10.0.0.2": "destination 10.0.0.2 is in 10.0.0.2/32",
    "-i lo": "in interface eth0 is not lo",
    "! -i eth+": "in interface eth0 is eth+",
    "-p udp": "protocol is tcp, not udp",
    "! -p tcp": "protocol is tcp",
    "-p tcp --dport 81": "destination port 80 is not 81",
    "-p tcp ! --sport 1:1000": "source port 1000 is 1:1000",
    "-p tcp --tcp-flags SYN,ACK ACK": "of the flags SYN,ACK it has SYN",
    "-p tcp -m multiport --dports 1,2:3": "ports are 1000 and 80, the list --dports 1,2:3",
    "-p tcp -m mark --mark 1/0xf": "mark 0x10 & 0xf is 0x0",
    "-m connmark --mark 1": "connection mark 0x7 & 0xffffffff is 0x7",
    "-m addrtype --src-type LOCAL": "source 10.0.0.1 is UNICAST",
    "-m conntrack --ctstate ESTABLISHED": "the connection's state is NEW,DNAT",
    "-m conntrack --ctstate SNAT --ctdir REPLY": "the connection's state is NEW,DNAT",
    "-m conntrack --ctdir REPLY": "the direction is ORIGINAL",
    "-m conntrack --ctstatus EXPECTED": "--ctstatus is CONFIRMED",
    "-m conntrack --ctorigdst 1.1.1.1": "--ctorigdst is 10.96.0.1",
    "-m recent --rcheck --rdest": "the destination is not (often or lately enough) on the list DEFAULT",
    "-m statistic --mode nth ! --every 3 --packet 0": "of every 3 packets, it is number 0",
    "-f": "the packet is whole",
}


@pytest.mark.parametrize("match", REASONS)
def test_a_step_says_why_its_rule_did_not_match(match: str) -> None:
    assert walk(mangle(f"-A PREROUTING {match} -j DROP"), here()).steps[0].why == REASONS[match]


def test_a_step_says_all_that_made_its_rule_match() -> None:
    result = walk(mangle('-A PREROUTING -p tcp -m comment --comment "x" -m tcp --dport 80 -j DROP'), here())
    assert result.steps[0].why == "protocol is tcp; destination port 80 is 80"


def test_a_rule_that_asks_for_nothing_says_so() -> None:
    assert walk(mangle("-A PREROUTING -j DROP")).steps[0].why == "it asks for nothing"


@pytest.mark.parametrize(
    "match", ["-p tcp -m tcp", "-p icmp -m icmp --icmp-type 8", "-m conntrack --ctdir REPLY", "-m connmark --mark 1"]
)
def test_every_match_has_a_reason(match: str) -> None:
    kind = (
        Packet(Protocol.ICMP, endpoint("1.1.1.1"), endpoint("2.2.2.2"), icmp=IcmpType.ECHO_REQUEST)
        if "icmp" in match
        else PACKET
    )
    assert walk(mangle(f"-A PREROUTING {match} -j DROP"), Context(kind)).steps[0].why


def test_a_comment_has_a_reason_of_its_own() -> None:
    comment = parse_rule("-A X -m comment --comment x").matches[0]
    assert comment.holds(Context(PACKET)) and comment.why(Context(PACKET)) == "a comment"


def test_steps_show_the_marks_as_they_were_on_the_way() -> None:
    lines = (
        "-m mark --mark 1 -j DROP",
        "-j MARK --set-mark 1",
        "-j CONNMARK --save-mark",
        "-m connmark --mark 1 -j DROP",
    )
    context = Context(PACKET, connection=Entry())
    result = walk(mangle(*(f"-A PREROUTING {line}" for line in lines)), context)
    context.mark = 99
    assert [step.matched for step in result.steps] == [False, True, True, True]
    assert "mark 0x0 & 0xffffffff" in result.steps[0].why


# Laws ------------------------------------------------------------------------------------------------


def slow_walk(chains: Mapping[str, Chain], name: str, context: Context, choose: Choose) -> tuple[str, int, list[str]]:
    """ipt_do_table by the book: every rule of every chain in order, recursion for jumps."""
    road: list[str] = []

    def catches(chain: str, number: int, rule: Rule) -> bool:
        tests = [match for match in rule.matches if not str(match).startswith("-m comment")]
        for place, match in enumerate(tests, 1):
            held = (
                match.consult(context, choose, ("mangle", chain, number, place))
                if isinstance(match, Consulted)
                else match.holds(context)
            )
            if not held:
                return False
        return True

    def follow(name: str) -> tuple[str, int] | None:
        for number, rule in enumerate(chains[name].rules, 1):
            if not catches(name, number, rule):
                continue
            road.append(f"mangle {name} {number}")
            if isinstance(rule.target, Standard):
                return name, number
            if isinstance(rule.target, Return):
                return None
            if isinstance(rule.target, Jump):
                end = follow(rule.target.chain)
                if end is not None or rule.target.goto:
                    return end
            elif rule.target is not None:
                assert rule.target.kind == CONTINUE
                rule.target.apply(context)
        return None

    end = follow(name)
    return (*(end or (name, 0)), road)


def context_of(packet: Packet, state: str) -> Context:
    connection = None if state == "INVALID" else Entry(1)
    return Context(packet, "eth0", "", 0, state, connection=connection, is_local=lambda where: int(where) % 2 == 0)


@settings(max_examples=60, deadline=None)
@given(
    rulesets(),
    st.lists(packets(), min_size=1, max_size=8),
    st.sampled_from(["NEW", "INVALID", "ESTABLISHED"]),
    st.data(),
)
def test_the_index_gives_what_reading_every_rule_gives(
    rules: Ruleset, some: list[Packet], state: str, data: st.DataObject
) -> None:
    answers = data.draw(st.lists(st.integers(0, 1), max_size=30))
    quick, slow = RuleMemory(), RuleMemory()
    chains = rules.tables["mangle"].chains
    for now, packet in enumerate(some):
        one, other = context_of(packet, state), context_of(packet, state)
        one.memory, other.memory, one.now, other.now = quick, slow, float(now), float(now)
        one_choose, other_choose = Script(answers), Script(answers)
        result = walk(rules, one, one_choose)
        chain, number, road = slow_walk(chains, "PREROUTING", other, other_choose)
        assert (result.chain, result.number) == (chain, number), result.steps
        assert [step.at for step in result.steps if step.matched and " " in step.at[7:]] == road, result.steps
        assert (one.mark, one_choose.asked, one.connection) == (other.mark, other_choose.asked, other.connection)
        assert quick.nth == slow.nth
        assert {name: each.seen for name, each in quick.recent.items()} == {
            name: each.seen for name, each in slow.recent.items()
        }


@settings(max_examples=25, deadline=None)
@given(rulesets(), packets())
def test_all_outcomes_add_up_to_one(rules: Ruleset, packet: Packet) -> None:
    every = outcomes(lambda choose: walk(rules, context_of(packet, "NEW"), choose).at)
    assert sum(outcome.probability for outcome in every) == 1


def test_a_long_chain_is_not_read_from_the_beginning() -> None:
    asked: list[int] = []

    class Watched(tuple[Rule, ...]):
        def __getitem__(self, position: int) -> Rule:  # type: ignore[override]
            asked.append(position)
            return tuple.__getitem__(self, position)

    lines = [f"-A PREROUTING -d 10.0.{n >> 8}.{n & 255} -p tcp --dport 80 -j RETURN" for n in range(1000)]
    rules = Watched(parse_rule(line) for line in [*lines, "-A PREROUTING -j DROP"])
    result = walk(Ruleset({"mangle": Table("mangle", {"PREROUTING": Chain("PREROUTING", "DROP", rules)})}), here())
    assert (result.at, asked) == ("mangle PREROUTING", [2])


def test_a_long_chain_of_ports_or_sources_is_not_read_either() -> None:
    ports = [f"-A PREROUTING -p tcp --dport {n} -j RETURN" for n in range(1, 20)]
    sources = [f"-A PREROUTING -s 10.0.1.{n} -m statistic --mode nth --every 2 --packet 0 -p tcp" for n in range(20)]
    chain = Chain("PREROUTING", "DROP", tuple(map(parse_rule, [*ports, *sources])))
    assert list(chain.index.candidates(tcp("10.0.1.3:1", "1.1.1.1:7"))) == [6, 22]
    assert list(chain.index.candidates(tcp("10.9.1.3:1", "1.1.1.1:99"))) == []
    assert list(chain.index.candidates(tcp("10.9.1.3:1", "1.1.1.1:3"))) == [2]
