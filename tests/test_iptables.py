"""Rules as Linux writes them: what is read, what is printed, what is refused.

The printed forms are what iptables-nft-save 1.8.9 prints after loading what stands before them.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netpath.errors import InputError
from netpath.iptables import (
    Chain,
    Jump,
    Reject,
    Rule,
    Ruleset,
    Table,
    Translation,
    parse,
    parse_rule,
    parse_rules,
    render,
)
from netpath.packet import IcmpType, address
from tests.iptables_rules import rulesets

PRINTED = {
    "-s 10.1.2.3": "-s 10.1.2.3/32",
    "-s 10.1.2.3/16 -j RETURN": "-s 10.1.0.0/16 -j RETURN",
    "-s 1.2.3.4/255.0.255.0": "-s 1.0.3.0/255.0.255.0",
    "-d 10.1/16": "-d 10.1.0.0/16",
    "-s 0/0 -d 0.0.0.0/0": "",
    "-j ACCEPT -d 10.0.0.1 -p tcp ! -i eth+ -s 10.0.0.2": "-s 10.0.0.2/32 -d 10.0.0.1/32 ! -i eth+ -p tcp -j ACCEPT",
    "-i + -j DROP": "-j DROP",
    "! -i +": "! -i +",
    "-p all": "",
    "-p 6": "-p tcp",
    "-p UDP": "-p udp",
    "-p 89": "-p ospf",
    "-p 99": "-p 99",
    "-p icmpv6": "-p ipv6-icmp",
    "-f": "-f",
    "-ptcp -jACCEPT": "-p tcp -j ACCEPT",
    "-p tcp --dport=80": "-p tcp -m tcp --dport 80",
    "-p tcp --dport http": "-p tcp -m tcp --dport 80",
    "-p tcp -m tcp": "-p tcp -m tcp",
    "-p tcp --dport 0:80 --sport 80:": "-p tcp -m tcp --sport 80:65535 --dport 0:80",
    "-p tcp --dport :": "-p tcp -m tcp",
    "-p tcp ! --dport 0:60": "-p tcp -m tcp --dport 61:65535",
    "-p tcp ! --dport 60:65535": "-p tcp -m tcp ! --dport 60:65535",
    "-p sctp ! --dport 0:60": "-p sctp -m sctp ! --dport 0:60",
    "-p tcp --dport 5 -m comment --comment x --sport 7": "-p tcp -m tcp --sport 7 --dport 5 -m comment --comment x",
    "-p tcp ! --syn": "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN",
    "-p tcp --tcp-flags ALL NONE": "-p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE",
    "-p icmp --icmp-type echo-request": "-p icmp -m icmp --icmp-type 8",
    "-p icmp --icmp-type 255/0": "-p icmp -m icmp --icmp-type any",
    "-p icmp ! --icmp-type 3/4": "-p icmp -m icmp ! --icmp-type 3/4",
    "-p tcp -m multiport --dport 80,443": "-p tcp -m multiport --dports 80,443",
    "-p udp -m multiport ! --ports 1,2,3:5": "-p udp -m multiport ! --ports 1,2,3:5",
    "-m mark --mark 0": "-m mark --mark 0x0",
    "-m mark ! --mark 16/0x20": "-m mark ! --mark 0x10/0x20",
    "-m connmark --mark 010": "-m connmark --mark 0x8",
    "-m addrtype ! --dst-type LOCAL,UNICAST --src-type LOCAL --limit-iface-in": (
        "-m addrtype --src-type LOCAL ! --dst-type UNICAST,LOCAL --limit-iface-in"
    ),
    "-m addrtype --src-type LOCAL": "-m addrtype --src-type LOCAL",
    "-m conntrack --ctstate ESTABLISHED,RELATED,DNAT": "-m conntrack --ctstate RELATED,ESTABLISHED,DNAT",
    "-m conntrack --ctproto tcp --ctorigdst 1.2.3.4/8 --ctdir reply --ctstatus ASSURED,EXPECTED --ctreplsrcport 5:6": (
        "-m conntrack --ctproto 6 --ctorigdst 1.2.3.4/8 --ctreplsrcport 5:6 --ctstatus EXPECTED,ASSURED --ctdir REPLY"
    ),
    "-m conntrack ! --ctstatus NONE ! --ctproto 99 ! --ctstate NEW": (
        "-m conntrack ! --ctstate NEW ! --ctproto 99 ! --ctstatus NONE"
    ),
    "-m conntrack --ctproto all": "-m conntrack --ctproto 0",
    "-m state ! --state NEW,INVALID": "-m state ! --state INVALID,NEW",
    "-m statistic --mode random --probability 0.3333333333": "-m statistic --mode random --probability 0.33333333349",
    "-m statistic --mode random ! --probability 0.01": "-m statistic --mode random ! --probability 0.00999999978",
    "-m statistic --mode random --probability 1": "-m statistic --mode random --probability 1.00000000000",
    "-m statistic --mode nth --packet 2 --every 3": "-m statistic --mode nth --every 3 --packet 2",
    "-m recent --set": "-m recent --set --name DEFAULT --mask 255.255.255.255 --rsource",
    "-m recent --rdest --name x --hitcount 3 --reap --seconds 5 --mask 255.255.0.0 ! --update": (
        "-m recent ! --update --seconds 5 --reap --hitcount 3 --name x --mask 255.255.0.0 --rdest"
    ),
    "-m comment --comment shop/web:http": '-m comment --comment "shop/web:http"',
    "-m comment --comment it's": '-m comment --comment "it\\\'s"',
    '-m comment --comment ""': '-m comment --comment ""',
    '-m comment --comment a"b c"d': '-m comment --comment "ab cd"',
    r'-m comment --comment "say \"hi\" \\ x"': r'-m comment --comment "say \"hi\" \\ x"',
    "-m nfacct --nfacct-name dropped_pkts -j DROP": "-m nfacct --nfacct-name dropped_pkts -j DROP",
    "-j REJECT": "-j REJECT --reject-with icmp-port-unreachable",
    "-p tcp -j REJECT --reject-with tcp-rst": "-p tcp -j REJECT --reject-with tcp-reset",
    "-j MARK --or-mark 0x4000": "-j MARK --set-xmark 0x4000/0x4000",
    "-j MARK --and-mark 0x4000": "-j MARK --set-xmark 0x0/0xffffbfff",
    "-j MARK --xor-mark 0x4000": "-j MARK --set-xmark 0x4000/0x0",
    "-j MARK --set-mark 0x4000/0xff": "-j MARK --set-xmark 0x4000/0x40ff",
    "-j MARK --set-xmark 5": "-j MARK --set-xmark 0x5/0xffffffff",
    "-j CONNMARK --set-mark 5/3": "-j CONNMARK --set-xmark 0x5/0x7",
    "-j CONNMARK --save-mark": "-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff",
    "-j CONNMARK --restore-mark --mask 0xff": "-j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff",
    "-p tcp -j DNAT --to :80": "-p tcp -j DNAT --to-destination :80",
    "-p tcp -j DNAT --to-destination 1.2.3.4-1.2.3.9:80-90/8000 --persistent --random": (
        "-p tcp -j DNAT --to-destination 1.2.3.4-1.2.3.9:80-90/8000 --random --persistent"
    ),
    "-p tcp -j DNAT --to-destination 1.2.3.4-1.2.3.4:80-80": "-p tcp -j DNAT --to-destination 1.2.3.4:80",
    "-j SNAT --to-source 1.2.3.4 --random-fully": "-j SNAT --to-source 1.2.3.4 --random-fully",
    "-p udp -j MASQUERADE --random-fully --to-ports 80-90": "-p udp -j MASQUERADE --to-ports 80-90 --random-fully",
    "-p tcp -j REDIRECT --to-port 80": "-p tcp -j REDIRECT --to-ports 80",
    "-j LOG --log-uid --log-prefix 'a --log-level debug": '-j LOG --log-prefix "\\\'a" --log-level 7 --log-uid',
    "-j LOG --log-level warning": "-j LOG",
    "-j NFLOG --nflog-group 0 --nflog-threshold 3 --nflog-prefix x": "-j NFLOG --nflog-prefix x --nflog-threshold 3",
    "-j NOTRACK": "-j NOTRACK",
    "-j CT --notrack": "-j CT --notrack",
    "-j TRACE": "-j TRACE",
    "-g MINE": "-g MINE",
    "-s ! 10.0.0.0/8 -j QUEUE": "! -s 10.0.0.0/8 -j QUEUE",
    "-4 -c 3 4 -j RETURN": "-j RETURN",
}


@pytest.mark.parametrize("written", PRINTED)
def test_a_rule_is_printed_as_iptables_save_prints_it(written: str) -> None:
    assert str(parse_rule(f"-A X {written}")) == f"-A X {PRINTED[written]}".rstrip()


@pytest.mark.parametrize("written", PRINTED)
def test_what_is_printed_reads_as_the_same_rule(written: str) -> None:
    rule = parse_rule(f"-A X {written}")
    again = parse_rule(str(rule))
    assert (again.matches, again.target) == (rule.matches, rule.target)


REFUSED = {
    "-m tcp --dport 5": "needs a protocol",
    "! -p tcp -m tcp --dport 5": "needs a protocol",
    "-p udp -m tcp --dport 5": "needs a protocol",
    "-m multiport --dports 5": "needs a protocol",
    "-p tcp --dport": "a value is missing",
    "-p tcp --dport 80:20": "upside down",
    "-p tcp --dport 65536": "doesn't fit|not a number",
    "-p tcp --dport webserver": "not a number",
    "-p tcp --icmp-type 8": "an option that nothing here has",
    "-p tcp --xyz 8": "an option that nothing here has",
    "--dport 80": "an option that nothing here has",
    "-p tcp --dport 1 --dport 2": "given twice",
    "-p tcp --syn --tcp-flags SYN SYN": "--syn is",
    "-p tcp --tcp-flags SYN XYZ": "not a TCP flag",
    "-p tcp -m multiport --dports 1 --sports 2": "one list",
    "-p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14:15,16": "too many ports",
    "-p tcp -m multiport --dports 20:20": "range of one port",
    "-p nosuch": "not a protocol",
    "-p 256": "not a number",
    "-p": "a value is missing",
    "-p tcp -p udp": "given twice",
    "! -p all": "never match",
    "! -s 0.0.0.0/0": "never match",
    "! -s 10.0.0.1,10.0.0.2": "can't be negated",
    "-s 10.0.0.256": "not an IPv4 address",
    "-s 10.0.0.1/33": "not a number",
    "-s shop.example.com": "not an IPv4 address",
    "-i eth0/1": "not an interface name",
    "-i sixteen-letters-": "not an interface name",
    "-j DROP -j ACCEPT": "two targets",
    "! -j DROP": "can't be negated",
    "-j DROP !": "nothing to negate",
    "! ! -p tcp": "negated twice",
    "-j DROP ACCEPT": "belongs to no option",
    "-m quota --quota 5": "doesn't know",
    "-m mark": "missing",
    "-m mark --mark x": "not a number",
    "-m mark --mark 0x100000000": "not a number",
    "-m mark ! ! --mark 1": "negated twice",
    "-m statistic --mode nth ! --packet 1": "can't be negated",
    "-p icmp -m icmp": "missing",
    "-p icmp --icmp-type nosuch": "not a number",
    "-m addrtype --limit-iface-in": "incomplete",
    "-m addrtype --dst-type NOWHERE": "not an address type",
    "-m conntrack": "asks for nothing",
    "-m conntrack --ctstate OLD": "not a connection state",
    "-m conntrack --ctorigdst 1.2.3.4/255.0.255.0": "holes",
    "-m state --state DNAT": "not a connection state",
    "-m statistic --mode none": "not a mode",
    "-m statistic --mode random": "wrong",
    "-m statistic --mode random --probability 2": "not a probability",
    "-m statistic --mode random --probability .": "not a probability",
    "-m statistic --mode nth --every 3 --packet 3": "not a number",
    "-m recent --name x": "one thing",
    "-m recent --set --seconds 4": "counts nothing",
    "-m recent --rcheck --reap": "--reap needs",
    "-m recent --set --rdest --rsource": "one side",
    "-m recent --set --name a/b": "name of a list",
    "-m recent --rcheck --rttl": "an option that nothing here has",
    "-m comment": "missing",
    "-m nfacct --nfacct-name 0123456789abcdef0123456789abcdef": "name of a counter",
    f"-m comment --comment {'x' * 256}": "too long",
    '-m comment --comment "x': "a quote that doesn't end",
    "-j REJECT --reject-with flowers": "not a way to reject",
    "-j REJECT --reject-with tcp-reset": "a reset needs TCP",
    "-j MARK": "one option",
    "-j CONNMARK --set-mark 1 --save-mark": "one thing",
    "-j CONNMARK --set-mark 1 --mask 3": "one thing",
    "-j CONNMARK --save-mark --mask 3 --nfmask 3": "both masks",
    "-j DNAT": "missing",
    "-j DNAT --to-destination 1.2.3.4:80": "ports need a protocol",
    "-p tcp -j DNAT --to-destination 1.2.3.4:90-80": "upside down",
    "-p tcp -j DNAT --to-destination 1.2.3.4:0": "not a number",
    "-p tcp -j SNAT --to-source 1.2.3.4:80-90/5": "only DNAT",
    "-j CT": "only as --notrack",
    f"-j LOG --log-prefix {'x' * 30}": "too long",
    "-j LOG --log-level loud": "not a number",
    "-j -x": "not a chain name",
    f"-j {'X' * 29}": "not a chain name",
    "-c 1 x": "not counters",
    "--comment x": "an option that nothing here has",
}


@pytest.mark.parametrize("written", REFUSED)
def test_a_rule_that_is_wrong_says_why(written: str) -> None:
    with pytest.raises(InputError, match=REFUSED[written]):
        parse_rule(f"-A X {written}")


def test_a_rule_keeps_the_text_that_was_read() -> None:
    assert parse_rule("-A X  -s 1.2.3.4").text == "-A X  -s 1.2.3.4"


def test_a_rule_knows_its_comment() -> None:
    assert parse_rule('-A X -m comment --comment "a b" -j DROP').comment == "a b"
    assert parse_rule("-A X -j DROP").comment == ""


def test_a_list_of_addresses_is_several_rules() -> None:
    rules = parse_rules("-A X -s 1.1.1.1,2.2.2.2 -d 3.3.3.3,4.4.4.4")
    ends = [("1.1.1.1", "3.3.3.3"), ("1.1.1.1", "4.4.4.4"), ("2.2.2.2", "3.3.3.3"), ("2.2.2.2", "4.4.4.4")]
    assert [str(rule) for rule in rules] == [f"-A X -s {source}/32 -d {to}/32" for source, to in ends]


def test_one_rule_is_not_several() -> None:
    with pytest.raises(InputError, match="several rules in one"):
        parse_rule("-A X -s 1.1.1.1,2.2.2.2")


def test_targets_carry_their_values() -> None:
    target = parse_rule("-A X -p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.9:80-90").target
    assert target == Translation("DNAT", address("10.0.0.1"), address("10.0.0.9"), (80, 90))


def test_a_rejection_knows_what_its_sender_gets() -> None:
    assert Reject("icmp-host-prohibited").icmp is IcmpType.HOST_PROHIBITED
    assert Reject("tcp-reset").icmp is None


def test_every_target_has_a_name() -> None:
    written = ["ACCEPT", "RETURN", "REJECT", "MARK --set-mark 1", "CONNMARK --save-mark", "LOG", "NOTRACK", "OWN"]
    targets = [parse_rule(f"-A X -j {text}").target for text in written]
    assert [target.name for target in targets if target] == [text.split()[0] for text in written]


# Whole rulesets --------------------------------------------------------------------------------

SAVED = """\
*filter
:INPUT DROP [12:34]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:A - [0:0]
:B - [0:0]
-A INPUT -j A
-A A -j RETURN
COMMIT
"""


def filter_table(*lines: str) -> str:
    return "\n".join(["*filter", *lines, "COMMIT"])


def test_a_saved_text_is_printed_as_it_was() -> None:
    assert render(parse(SAVED)) == SAVED


def test_comment_lines_and_empty_lines_are_skipped() -> None:
    assert parse("# Generated\n\n" + SAVED + "# Completed\n") == parse(SAVED)


def test_chains_are_printed_by_name_behind_the_built_in_ones() -> None:
    assert render(parse(filter_table(":B -", ":A -"))) == render(parse(filter_table(":A -", ":B -")))


def test_chains_can_be_printed_in_the_order_they_came() -> None:
    chains = {"Z": Chain("Z"), "A": Chain("A", None, (parse_rule("-A A -j Z"),))}
    text = render(Ruleset({"nat": Table("nat", chains)}), sort=False)
    assert text == "*nat\n:Z - [0:0]\n:A - [0:0]\n-A A -j Z\nCOMMIT\n"


def test_a_lazy_table_without_its_built_in_chains_is_printed_with_them() -> None:
    assert ":OUTPUT ACCEPT [0:0]" in render(Ruleset({"raw": Table("raw", {})}))


def test_tables_are_printed_in_iptables_nfts_order() -> None:
    text = render(parse("".join(f"*{name}\nCOMMIT\n" for name in ("nat", "filter", "raw", "security", "mangle"))))
    assert [line for line in text.splitlines() if line[0] == "*"] == ["*mangle", "*security", "*raw", "*filter", "*nat"]


def test_counters_are_kept_and_printed_if_wanted() -> None:
    rules = parse(filter_table("[7:8] -A INPUT -j DROP", "-A INPUT -c 1 2 -j DROP", "-A INPUT"))
    lines = render(rules, counters=True).splitlines()[4:-1]
    assert lines == ["[7:8] -A INPUT -j DROP", "[1:2] -A INPUT -j DROP", "[0:0] -A INPUT"]


def test_rules_can_be_inserted_replaced_and_deleted() -> None:
    text = filter_table(
        "-A OUTPUT -j ACCEPT",
        '-A OUTPUT -j DROP -m comment --comment "a b"',
        "-D OUTPUT 1",
        "-I OUTPUT -s 1.1.1.1,2.2.2.2 -j DROP",
        "-I OUTPUT 2 -j RETURN",
        "-R OUTPUT 1 -j LOG",
        '-D OUTPUT -m comment --comment "a b" -j DROP',
        "-P INPUT DROP",
        "--append OUTPUT -j QUEUE",
    )
    table = parse(text).tables["filter"]
    rules = [str(rule) for rule in table.chains["OUTPUT"].rules]
    assert rules == ["-A OUTPUT -j LOG", "-A OUTPUT -j RETURN", "-A OUTPUT -s 1.1.1.1/32 -j DROP", "-A OUTPUT -j QUEUE"]
    assert table.chains["INPUT"].policy == "DROP"


def test_chains_can_be_made_emptied_and_removed() -> None:
    text = filter_table("-N A", "-N B", "-A A -j B", "-A B -j DROP", "-F A", "-F B", "-X B", ":INPUT DROP [1:2]", "-Z")
    table = parse(text).tables["filter"]
    assert list(table.chains) == ["INPUT", "FORWARD", "OUTPUT", "A"]
    assert table.chains["A"].rules == ()
    assert table.chains["INPUT"].counters == (0, 0)


def test_flushing_without_a_name_empties_every_chain() -> None:
    assert all(not chain.rules for chain in parse(filter_table("-A INPUT", "-F")).tables["filter"].chains.values())


def test_a_list_of_recent_has_the_mask_of_the_first_rule_that_names_it() -> None:
    lines = (
        "-A INPUT -m recent --set --mask 255.0.0.0",
        "-A INPUT -m recent --rcheck",
        "-A INPUT -m recent --remove --name b",
    )
    text = filter_table(*lines)
    masks = [getattr(rule.matches[0], "list_mask", 0) for rule in parse(text).tables["filter"].chains["INPUT"].rules]
    assert masks == [None, 0xFF000000, None]


WRONG = {
    "-A INPUT -j ACCEPT": (1, "outside of any table"),
    "*nosuch\nCOMMIT": (1, "not a table"),
    "*filter\n:INPUT": (2, "not a chain"),
    "*filter\n:INPUT RETURN": (2, "not a policy"),
    "*filter\n:MINE ACCEPT": (2, "only built-in chains"),
    "*filter\n:-x -": (2, "not a chain name"),
    "*filter\n:INPUT DROP [1,2]": (2, "not counters"),
    "*filter\n-A INPUT -j DROP\n": (3, "doesn't end"),
    "*filter\n*nat": (2, "isn't committed"),
    "*filter\n-A FOO -j DROP": (2, "has no such chain"),
    "*filter\n-A INPUT -j FOO\n:FOO -": (2, "neither a chain"),
    "*filter\n-A INPUT -j TPROXY": (2, "neither a chain"),
    "*filter\n-A INPUT -g DROP": (2, "neither a chain"),
    "*filter\n:A -\n-A INPUT -j A\n-X A\nCOMMIT": (3, "neither a chain"),
    "*filter\n:A -\n-A A -j DROP\n-X A": (4, "can't be deleted"),
    "*filter\n-X INPUT": (2, "a built-in chain stays"),
    "*filter\n-X": (2, "which chain"),
    "*filter\n-I": (2, "which chain"),
    "*filter\n-N INPUT": (2, "there already"),
    "*filter\n-P INPUT": (2, "not a policy"),
    "*filter\n-I INPUT 2 -j DROP": (2, "no such rule number"),
    "*filter\n-A INPUT\n-R INPUT 1 -s 1.1.1.1,2.2.2.2 -j DROP": (3, "one rule is replaced by one"),
    "*filter\n-D INPUT 1": (2, "no such rule number"),
    "*filter\n-D INPUT -j DROP": (2, "no such rule"),
    "*filter\nnonsense": (2, "not a line of"),
    "*filter\n-A INPUT -m quota --quota 1": (2, "doesn't know"),
    "*filter\n-A OUTPUT -j INPUT\nCOMMIT": (2, "built-in chain"),
    "*filter\n:A -\n:B -\n-A A -j B\n-A B -g A\n-A INPUT -j A\nCOMMIT": (5, "a loop"),
    "*filter\n:A -\n-A A -j A\n-A INPUT -j A\nCOMMIT": (3, "a loop"),
    "*nat\n-A PREROUTING -j DROP\nCOMMIT": (2, "isn't for filtering"),
    "*filter\n-A INPUT -j DNAT --to 1.2.3.4\nCOMMIT": (2, "only in the table nat"),
    "*nat\n-A PREROUTING -j SNAT --to 1.2.3.4\nCOMMIT": (2, "doesn't work under PREROUTING"),
    "*nat\n-A INPUT -j MASQUERADE\nCOMMIT": (2, "doesn't work under INPUT"),
    "*nat\n:A -\n-A A -j REDIRECT\n-A POSTROUTING -j A\nCOMMIT": (3, "doesn't work under POSTROUTING"),
    "*nat\n-A PREROUTING -j REJECT\nCOMMIT": (2, "only in the table filter"),
    "*filter\n-A INPUT -j NOTRACK\nCOMMIT": (2, "only in the table raw"),
    "*filter\n-A OUTPUT -i eth0\nCOMMIT": (2, "knows no such interface"),
    "*filter\n-A INPUT -o eth0\nCOMMIT": (2, "knows no such interface"),
    "*filter\n-A INPUT -m addrtype --dst-type LOCAL --limit-iface-out\nCOMMIT": (2, "knows no such interface"),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_linux_would_refuse_is_refused_with_its_line(text: str) -> None:
    line, problem = WRONG[text]
    with pytest.raises(InputError, match=problem) as caught:
        parse(text, "rules.v4")
    assert str(caught.value).startswith(f"rules.v4:{line}: ")


def chain_of_chains(length: int) -> str:
    declared = [f":C{number} -" for number in range(length)]
    jumps = [f"-A C{number} -j C{number + 1}" for number in range(length - 1)]
    return filter_table(*declared, "-A INPUT -j C0", *jumps)


def test_chains_may_lead_into_each_other_fifteen_deep() -> None:
    assert len(parse(chain_of_chains(15)).tables["filter"].chains) == 18


def test_chains_that_lead_sixteen_deep_are_refused() -> None:
    with pytest.raises(InputError, match="too deep"):
        parse(chain_of_chains(16))


def test_a_loop_that_no_packet_comes_to_is_taken() -> None:
    assert parse(filter_table(":A -", ":B -", "-A A -j B", "-A B -j A")).tables["filter"].chains["A"].rules


def test_a_target_under_no_hook_is_taken_in_its_table() -> None:
    rule = parse("*nat\n:A -\n-A A -j DNAT --to 1.2.3.4\nCOMMIT").tables["nat"].chains["A"].rules[0]
    assert isinstance(rule.target, Translation)


def test_an_interface_that_no_packet_has_is_taken_in_a_chain_of_ones_own() -> None:
    assert parse("*mangle\n:A -\n-A A -i eth0\n-A OUTPUT -j A\nCOMMIT").tables["mangle"].chains["A"].rules


def test_a_goto_is_a_jump_that_does_not_come_back() -> None:
    assert parse_rule("-A X -g Y").target == Jump("Y", goto=True)


@settings(max_examples=30, deadline=None)
@given(rulesets())
def test_printing_and_reading_are_inverse(rules: Ruleset) -> None:
    assert parse(render(rules)) == rules


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), max_size=60))
def test_any_comment_comes_back_from_print(text: str) -> None:
    rule = Rule("X", parse_rule("-A X -m comment --comment x").matches)
    comment = type(rule.matches[0])(text)  # type: ignore[call-arg]
    assert parse_rule(str(Rule("X", (comment,)))).comment == text


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            ["-A", "X", "!", "-s", "1.2.3.4", "-p", "tcp", "-m", "--dport", "80", '"', "-j", "-i", ":", "\\"]
        )
    )
)
def test_nonsense_raises_input_error_and_nothing_else(words: list[str]) -> None:
    try:
        parse_rules(" ".join(words))
    except InputError as problem:
        assert str(problem)


_PIECES = [
    "*filter",
    "*nat",
    ":INPUT",
    ":A",
    "-",
    "DROP",
    "[1:2]",
    "[",
    "-A",
    "-I",
    "-R",
    "-D",
    "-X",
    "-N",
    "INPUT",
    "A",
]


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from([*_PIECES, "\n", "\n", "1", "-j", "-s 1.1.1.1,2.2.2.2", '"', "COMMIT", "#", "-P", "-F", "!"])
    )
)
def test_a_nonsense_text_raises_input_error_and_nothing_else(words: list[str]) -> None:
    try:
        parse("*filter\n:A -\n" + " ".join(words))
    except InputError as problem:
        assert problem.line is not None
