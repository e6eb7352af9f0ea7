"""What a person reads: folded, aligned, escaped."""

import re
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netpath.choice import Outcome as Chance
from netpath.fabric import Trip
from netpath.packet import Hop, IcmpType, Packet, Protocol, Step, Verdict, endpoint, tcp
from netpath.properties import Broken, Property
from netpath.show import text
from netpath.show.plain import printable
from netpath.show.text import Page
from netpath.vpc import Finding
from netpath.world import Kind, Place

SENT = tcp("10.0.0.1:40000", "10.0.0.2:80")
REWRITTEN = tcp("10.0.0.1:40000", "10.0.0.3:8080")


def shown(*hops: Hop, width: int = 100, steps: bool = False) -> list[str]:
    page = Page(width)
    text.hops(page, hops, steps)
    return page.lines


@given(st.text(), st.integers(10, 120), st.integers(0, 60), st.integers(0, 60))
def test_a_paragraph_is_never_wider_than_the_page(line: str, width: int, indent: int, hanging: int) -> None:
    page = Page(width)
    page.line(line, "1", indent, hanging)
    assert all(len(each) <= width and each == each.rstrip() for each in page.lines)


CELL = st.text(st.characters(codec="utf-8"), max_size=60)


@given(st.lists(st.tuples(CELL, CELL, CELL, CELL), max_size=6), st.integers(10, 200))
def test_a_table_is_never_wider_than_the_page(rows: list[tuple[str, str, str, str]], width: int) -> None:
    page = Page(width)
    page.table(rows)
    assert all(len(each) <= width for each in page.lines)


@given(st.text())
def test_what_is_printed_is_printable_and_one_column_wide(value: str) -> None:
    assert printable(value).isprintable()
    assert printable(printable(value)) == printable(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb", "a\\nb"),
        ("\u202eevil", "\\u202eevil"),
        ("日", "\\u65e5"),
        ("e\u0301", "e\\u0301"),
    ],
)
def test_what_would_move_the_cursor_or_hide_is_escaped(value: str, told: str) -> None:
    assert printable(value) == told


def test_colour_only_repeats_what_the_words_say() -> None:
    plain, coloured = Page(60), Page(60, colour=True)
    for page in (plain, coloured):
        text.hops(page, [Hop("node", "n", SENT, Verdict("DROP"), None)])
    assert re.sub(r"\x1b\[\d+m", "", str(coloured)) == str(plain) != str(coloured)


def test_columns_are_aligned() -> None:
    first, second = shown(
        Hop("node", "a", SENT, Verdict("ACCEPT"), REWRITTEN),
        Hop("route table", "b", SENT, Verdict("ROUTED", "r"), SENT),
    )
    assert first.index("ACCEPT") == second.index("ROUTED")


def test_a_star_marks_a_rewrite_and_a_cross_an_end() -> None:
    rows = shown(
        Hop("node", "n", SENT, Verdict("ACCEPT"), REWRITTEN),
        Hop("node", "n", SENT, Verdict("ACCEPT"), SENT),
        Hop("node", "n", SENT, Verdict("DROP"), None),
    )
    assert [row[2] for row in rows] == ["*", " ", "x"]
    assert "destination 10.0.0.2:80 -> 10.0.0.3:8080" in rows[0]


def test_an_echo_is_shown_without_ports() -> None:
    ends = endpoint("10.0.0.1:7"), endpoint("10.0.0.2")
    echo = Packet(Protocol.ICMP, *ends, icmp=IcmpType.ECHO_REQUEST)
    other = echo.between(endpoint("10.0.0.1:9"), endpoint("10.0.0.3"))
    assert shown(Hop("node", "n", echo, Verdict("ACCEPT"), other))[0].endswith("destination 10.0.0.2 -> 10.0.0.3")


def test_the_box_is_not_named_twice() -> None:
    row = shown(Hop("route table", "rtb-1", SENT, Verdict("ROUTED", "rtb-1 10.0.0.0/8 -> local"), SENT))[0]
    assert row.count("rtb-1") == 1


def test_a_long_box_is_told_without_what_its_rule_says() -> None:
    at = "acl-0ac000000000000a1 ingress (subnet-0a00000000000001a)"
    row = shown(Hop("network ACL", at, SENT, Verdict("ALLOWED", "acl-0ac000000000000a1 ingress 100 allow all"), SENT))[
        0
    ]
    assert re.search(r"acl-0ac000000000000a1  ALLOWED  ingress 100 allow all$", row)


def test_a_long_box_keeps_its_direction_where_the_rule_has_another() -> None:
    at = "eni-0100000000000000a egress (sg-0a1b000000000000b)"
    row = shown(Hop("security group", at, SENT, Verdict("TRACKED", "sg-1 ingress all from sg-1"), SENT))[0]
    assert "eni-0100000000000000a egress  TRACKED" in row


def test_of_many_records_a_few_are_told() -> None:
    many = "\n".join(f". 60 IN NS {letter}." for letter in "abcdefghijklm")
    rows = shown(Hop("name server", "a.", None, Verdict("REFERRAL", many)))
    assert len(rows) == 5 and rows[-1].endswith("and 9 more")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ip-10-0-0-1.eu-west-1.compute.internal", "ip-10-0-0-1"),
        ("x" * 60, "x" * 32 + "…" + "x" * 11),
    ],
)
def test_long_names_are_shortened(name: str, told: str) -> None:
    assert told in shown(Hop("node", name, SENT, Verdict("ACCEPT"), SENT), width=140)[0]


def test_rules_stand_below_their_hop_with_the_reason() -> None:
    steps = (Step("-d 10.0.0.2 -j X", True, "it is", "nat A 1"), Step("-j Y", False, ""))
    assert shown(Hop("node", "n", SENT, Verdict("ACCEPT"), SENT, steps), steps=True)[1:] == [
        "      + nat A 1: -d 10.0.0.2 -j X",
        "          it is",
        "      - -j Y",
    ]


def test_on_a_narrow_terminal_a_row_is_a_block() -> None:
    assert shown(Hop("node", "n", SENT, Verdict("ACCEPT"), REWRITTEN), width=50) == [
        "  * node  n  ACCEPT",
        "      destination 10.0.0.2:80 -> 10.0.0.3:8080",
    ]


def test_many_wide_columns_become_blocks_too() -> None:
    page = Page(72)
    page.table([("x" * 30,) * 9])
    assert len(page.lines) > 1


def test_a_table_without_rows_is_nothing() -> None:
    page = Page()
    page.table([])
    assert str(page) == ""


def chance(share: Fraction, place: str | None) -> Chance[Trip]:
    end = Place(Kind.POD, place, SENT.destination.address) if place else None
    hop = Hop("node", "n", SENT, Verdict("ACCEPT" if place else "DROP"), SENT if place else None)
    return Chance(share, Trip(SENT, (hop,), SENT if place else None, end), ())


def test_outcomes_that_look_the_same_are_added_up_and_the_likelier_comes_first() -> None:
    rows = text.merged([chance(Fraction(1, 4), "a"), chance(Fraction(1, 2), None), chance(Fraction(1, 4), "a")])
    assert [share for share, _ in rows] == ["1/2  50.0000%", "1/2  50.0000%"]
    page = Page()
    text.chances(page, [chance(Fraction(1, 3), "a"), chance(Fraction(2, 3), None)])
    assert re.search(r"2/3  66.6667%  nowhere  nothing +DROP", page.lines[1])


@pytest.mark.parametrize(
    ("share", "told"),
    [(Fraction(1), "100.0000%"), (Fraction(1, 1000), "0.1000%"), (Fraction(1, 100), "1/100  1.0000%")],
)
def test_a_share_is_a_fraction_where_that_is_simple(share: Fraction, told: str) -> None:
    assert text.merged([chance(share, "a")])[0][0] == told


def test_a_broken_promise_names_a_few_that_broke_it() -> None:
    trip = Trip(SENT, ())
    broken = tuple(Broken(f"p{n}", "q", "NAT", trip) for n in range(5))
    page = Page()
    text.properties(page, [Property("pods reach pods", 9, broken)])
    assert "BROKEN" in str(page) and "p2 -> q: NAT" in str(page) and "p3" not in str(page) and "and 2 more" in str(page)


def test_findings_say_what_to_do() -> None:
    page = Page()
    text.findings(page, [Finding("Service a/b", "no endpoint", "Look.", "slice"), Finding("x", "y", "Z.")])
    assert page.lines[1:] == [
        "  Service a/b", "    no endpoint", "    slice", "    What to do: Look.", "  x", "    y", "    What to do: Z."
    ]  # fmt: skip


def test_a_summary_counts_roads() -> None:
    page = Page()
    text.summary(page, Counter({("lb > a", "200"): 3000, ("nobody", "NXDOMAIN"): 1000}))
    assert page.lines[0] == "4,000 journeys"
    assert page.lines[2].split() == ["3,000", "75.0%", "200", "lb", ">", "a"]


@pytest.mark.parametrize(
    ("out", "back", "told"), [(False, False, "it goes no further"), (True, False, "nothing comes")]
)
def test_a_packet_without_an_answer_says_so(out: bool, back: bool, told: str) -> None:
    page = Page()
    text.round_trip(page, chance(Fraction(1), "a" if out else None).result, None)
    assert told in str(page)
