"""The examples and tables of the RFCs that name servers are held to, each as one case."""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rrset
import dns.zone
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netpath.resolution import AuthoritativeServer
from netpath.wire import answer_wire


def serving(*zones: tuple[str, str]) -> AuthoritativeServer:
    made = [dns.zone.from_text(text, origin=origin, relativize=False, check_origin=False) for origin, text in zones]
    return AuthoritativeServer(made)


def ask(server: AuthoritativeServer, name: str, rdtype: str = "A", **options: object) -> dns.message.Message:
    return server.respond(dns.message.make_query(name, rdtype, **options))  # type: ignore[arg-type]


def lines(section: list[dns.rrset.RRset]) -> list[str]:
    return [line for rrset in section for line in str(rrset).lower().splitlines()]


def kind(response: dns.message.Message) -> str:
    if response.rcode():
        return response.rcode().name
    if response.answer:
        return "ANSWER"
    return "NODATA" if any(each.rdtype == 6 for each in response.authority) else "REFERRAL"


# RFC 4592, wildcards -------------------------------------------------------------------------------

WILDCARDS = serving(
    (
        "example.",
        """
example. 3600 IN SOA ns.example.com. admin.example. 1 2 3 4 5
example. 3600 NS ns.example.com.
example. 3600 NS ns.example.net.
*.example. 3600 TXT "this is a wildcard"
*.example. 3600 MX 10 host1.example.
sub.*.example. 3600 TXT "this is not a wildcard"
host1.example. 3600 A 192.0.2.1
_ssh._tcp.host1.example. 3600 SRV 0 0 22 host1.example.
_ssh._tcp.host2.example. 3600 SRV 0 0 22 host1.example.
subdel.example. 3600 NS ns.example.com.
subdel.example. 3600 NS ns.example.net.
*.subdel.example. 3600 A 192.0.2.66
""",
    )
)


@pytest.mark.parametrize(
    ("name", "rdtype", "expected"),
    [
        ("host3.example.", "MX", "ANSWER"),
        ("host3.example.", "A", "NODATA"),
        ("foo.bar.example.", "TXT", "ANSWER"),
        ("host1.example.", "MX", "NODATA"),
        ("sub.*.example.", "MX", "NODATA"),
        ("_telnet._tcp.host1.example.", "SRV", "NXDOMAIN"),
        ("host.subdel.example.", "A", "REFERRAL"),
        ("ghost.*.example.", "MX", "NXDOMAIN"),
        ("*.example.", "TXT", "ANSWER"),
        ("host2.example.", "MX", "NODATA"),  # an empty non-terminal exists
        ("_tcp.host2.example.", "TXT", "NODATA"),
        ("x.host2.example.", "MX", "NXDOMAIN"),
    ],
)
def test_rfc_4592_says_which_names_a_wildcard_stands_for(name: str, rdtype: str, expected: str) -> None:
    assert kind(ask(WILDCARDS, name, rdtype)) == expected


def test_a_synthesised_record_is_owned_by_the_name_asked_for() -> None:
    assert lines(ask(WILDCARDS, "host3.example.", "MX").answer) == ["host3.example. 3600 in mx 10 host1.example."]


def test_a_wildcard_that_is_an_empty_non_terminal_makes_nodata_not_nxdomain() -> None:
    server = serving(("e.", 'e. 60 IN SOA a. b. 1 2 3 4 5\nb.*.e. 60 TXT "x"\n'))  # nsd 4.6.1 says NXDOMAIN
    assert kind(ask(server, "c.e.", "A")) == "NODATA"


# RFC 1034 §6.2, the queries ------------------------------------------------------------------------

ROOT = """
. 86400 IN SOA sri-nic.arpa. hostmaster.sri-nic.arpa. 870611 1800 300 604800 86400
. 86400 NS a.isi.edu.
. 86400 NS c.isi.edu.
. 86400 NS sri-nic.arpa.
mil. 86400 NS sri-nic.arpa.
mil. 86400 NS a.isi.edu.
sri-nic.arpa. 86400 A 26.0.0.73
sri-nic.arpa. 86400 A 10.0.0.51
sri-nic.arpa. 86400 MX 0 sri-nic.arpa.
sri-nic.arpa. 86400 HINFO DEC-2060 TOPS20
usc-isic.arpa. 86400 CNAME c.isi.edu.
a.isi.edu. 86400 A 26.3.0.103
c.isi.edu. 86400 A 10.0.0.52
"""
ARPA = serving((".", ROOT))


@pytest.mark.parametrize(
    ("name", "rdtype", "expected", "answers"),
    [
        ("sri-nic.arpa.", "A", "ANSWER", {"a"}),
        ("sri-nic.arpa.", "ANY", "ANSWER", {"a", "mx", "hinfo"}),
        ("sri-nic.arpa.", "MX", "ANSWER", {"mx"}),
        ("sri-nic.arpa.", "NS", "NODATA", set()),
        ("sir-nic.arpa.", "A", "NXDOMAIN", set()),
        ("brl.mil.", "A", "REFERRAL", set()),
        ("usc-isic.arpa.", "A", "ANSWER", {"cname", "a"}),
        ("usc-isic.arpa.", "CNAME", "ANSWER", {"cname"}),
    ],
)
def test_rfc_1034_6_2_gives_these_answers(name: str, rdtype: str, expected: str, answers: set[str]) -> None:
    response = ask(ARPA, name, rdtype)
    assert kind(response) == expected
    assert {line.split()[3] for line in lines(response.answer)} == answers
    assert bool(response.flags & dns.flags.AA) == (expected != "REFERRAL")


def test_a_mail_exchange_brings_its_address_and_a_referral_its_servers() -> None:
    assert "sri-nic.arpa. 86400 in a 26.0.0.73" in lines(ask(ARPA, "sri-nic.arpa.", "MX").additional)
    assert {line.split()[0] for line in lines(ask(ARPA, "brl.mil.").additional)} == {"sri-nic.arpa.", "a.isi.edu."}


# RFC 6672 §2.2, the substitution -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "owner", "target", "result"),
    [
        ("com.", "example.com.", "example.net.", None),
        ("example.com.", "example.com.", "example.net.", None),
        ("a.example.com.", "example.com.", "example.net.", "a.example.net."),
        ("a.b.example.com.", "example.com.", "example.net.", "a.b.example.net."),
        ("ab.example.com.", "b.example.com.", "example.net.", None),
        ("foo.example.com.", "example.com.", "example.net.", "foo.example.net."),
        ("a.x.example.com.", "x.example.com.", "example.net.", "a.example.net."),
        ("a.example.com.", "example.com.", "y.example.net.", "a.y.example.net."),
        ("cyc.example.com.", "example.com.", "example.com.", "cyc.example.com."),
        ("cyc.example.com.", "example.com.", "c.example.com.", "cyc.c.example.com."),
        ("shortloop.x.x.", "x.", ".", "shortloop.x."),
        ("shortloop.x.", "x.", ".", "shortloop."),
    ],
)
def test_rfc_6672_substitutes_the_owner_by_the_target(name: str, owner: str, target: str, result: str | None) -> None:
    server = serving((".", f". 60 IN SOA a. b. 1 2 3 4 5\n{owner} 60 IN DNAME {target}\n"))
    made = [line for line in lines(ask(server, name).answer) if " cname " in line]
    assert made[:1] == ([] if result is None else [f"{name} 60 in cname {result}"])


def test_a_dname_asked_for_is_an_answer_like_any_other() -> None:
    server = serving((".", ". 60 IN SOA a. b. 1 2 3 4 5\nold. 60 IN DNAME new.\n"))
    assert lines(ask(server, "old.", "DNAME").answer) == ["old. 60 in dname new."]


# RFC 2308 and 8020, what isn't there ---------------------------------------------------------------


@pytest.mark.parametrize(("name", "expected"), [("x.nothing.example.", "NXDOMAIN"), ("_tcp.host1.example.", "NODATA")])
def test_nothing_is_denied_above_a_name_that_exists(name: str, expected: str) -> None:
    server = serving(("example.", "example. 60 IN SOA a. b. 1 2 3 4 5\n_ssh._tcp.host1.example. 60 A 192.0.2.1\n"))
    response = ask(server, name)
    assert kind(response) == expected
    assert lines(response.authority) == ["example. 5 in soa a. b. 1 2 3 4 5"]


# RFC 6891, EDNS ------------------------------------------------------------------------------------


def test_unknown_options_are_ignored_and_unknown_flags_not_given_back() -> None:
    query = dns.message.make_query("host1.example.", "A", use_edns=0, ednsflags=0x7FFF)
    query.use_edns(0, 0x7FFF, 1232, options=[dns.edns.GenericOption(dns.edns.OptionType.make(65001), b"?")])
    response = WILDCARDS.respond(query)
    assert (kind(response), response.ednsflags & 0xFFFF, response.options) == ("ANSWER", 0, ())


def test_a_payload_below_512_counts_as_512() -> None:
    server = serving(("e.", "e. 60 IN SOA a. b. 1 2 3 4 5\n" + "".join(f"e. 60 A 10.0.0.{i}\n" for i in range(25))))
    assert not ask(server, "e.", use_edns=0, payload=100).flags & dns.flags.TC


@pytest.mark.parametrize(
    "opt",
    [
        "0000290200000000000000002902000000000000",  # two OPT records
        "01780000290200000000000000",  # an OPT record that isn't the root's
    ],
)
def test_a_malformed_opt_record_is_a_format_error(opt: str) -> None:
    count = 2 if opt.startswith("000029") else 1
    wire = bytes.fromhex(f"00010100000100000000000{count}" + "0000010001" + opt)
    answer = answer_wire(lambda query, tcp: None, wire, False)
    assert answer is not None and answer[3] & 15 == 1


# Sizes ---------------------------------------------------------------------------------------------


@given(st.integers(1, 90), st.integers(512, 1400), st.booleans())
def test_a_datagram_never_exceeds_what_the_client_takes_and_only_then_is_cut(n: int, size: int, edns: bool) -> None:
    text = "e. 60 IN SOA a. b. 1 2 3 4 5\n" + "".join(f"e. 60 A 10.0.{i}.1\n" for i in range(n))
    query = dns.message.make_query("e.", "A", use_edns=0 if edns else -1, payload=size)
    server = serving(("e.", text))
    limit = min(size, 1232) if edns else 512
    whole = server.respond(query, tcp=True).to_wire(max_size=65535)
    sent = server.respond(query).to_wire(max_size=65535)
    assert len(sent) <= limit
    assert bool(sent[2] & 2) == (len(whole) > limit)


def test_a_name_of_the_greatest_length_can_be_asked_for() -> None:
    label = b"a" * 63
    longest = dns.name.Name([label, label, label, b"a" * 53, b"example", b""])
    assert len(longest.to_wire() or b"") == 255
    assert kind(ask(WILDCARDS, str(longest), "TXT")) == "ANSWER"


def test_types_that_nobody_has_heard_of_are_nodata() -> None:
    assert kind(ask(WILDCARDS, "host1.example.", "TYPE65280")) == "NODATA"


def test_records_of_unknown_types_are_served_as_they_are() -> None:
    server = serving(("e.", "e. 60 IN SOA a. b. 1 2 3 4 5\ne. 60 IN TYPE65280 \\# 3 abcdef\n"))
    assert lines(ask(server, "e.", "TYPE65280").answer) == ["e. 60 in type65280 \\# 3 abcdef"]
