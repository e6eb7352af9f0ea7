"""Connection tracking and translation. What is said to be measured was, on Linux 6.18 in network namespaces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netpath.choice import Script, first
from netpath.conntrack import STATES
from netpath.errors import InputError
from netpath.nat import (
    DESTINATION,
    INVALID,
    ORIGINAL,
    REPLY,
    SOURCE,
    TRANSITIONS,
    Conntrack,
    Entry,
    FlowKey,
    NatRange,
    OneToOne,
    Tracked,
    destination_nat,
    null_binding,
    source_nat,
    translate,
)
from netpath.packet import Address, Endpoint, IcmpType, Packet, Protocol, TcpFlags, address, endpoint, tcp, udp

CLIENT, SERVER = "10.0.0.1:5000", "10.0.0.2:80"


def segment(flags: TcpFlags, *, back: bool = False) -> Packet:
    return tcp(SERVER, CLIENT, flags) if back else tcp(CLIENT, SERVER, flags)


def echo(source: str, destination: str, identifier: int = 7) -> Packet:
    ends = Endpoint(address(source), identifier), Endpoint(address(destination))
    return Packet(Protocol.ICMP, *ends, icmp=IcmpType.ECHO_REQUEST)


def begin(table: Conntrack, packet: Packet, now: float = 0.0) -> Entry:
    """A new flow, kept."""
    entry = table.lookup(packet, now).entry
    assert entry is not None
    assert table.confirm(entry, now)
    return entry


def play(*segments: str, table: Conntrack | None = None) -> tuple[Conntrack, Tracked]:
    """Segments of one connection, `>S` from the client and `<S.` from the server, a second apart."""
    table = Conntrack() if table is None else table
    tracked = Tracked("INVALID", None, ORIGINAL)
    for second, text in enumerate(segments):
        tracked = table.lookup(segment(TcpFlags(text[1:]), back=text[0] == "<"), float(second))
        if tracked.entry is not None:
            table.confirm(tracked.entry, float(second))
    return table, tracked


OPEN = (">S", "<S.", ">.")
CLOSED = (*OPEN, ">F.", "<F.", ">.")


# -- what a packet is to the table


def test_the_first_packet_is_new_and_so_is_its_repetition() -> None:
    assert [play(*[">S"] * times)[1].state for times in (1, 2)] == ["NEW", "NEW"]


def test_the_first_answer_is_established_already() -> None:
    assert play(">S", "<S.")[1][::2] == ("ESTABLISHED", REPLY)


def test_the_asking_side_is_established_only_after_an_answer() -> None:
    assert play(">S", "<S.", ">S")[1].state == "ESTABLISHED"


@pytest.mark.parametrize("segments", [("<S.",), (">R.",), (">F.",), (">S", ">."), (">S", ">F."), (">S", "<F.")])
def test_what_fits_no_connection_is_invalid(segments: tuple[str, ...]) -> None:
    assert play(*segments)[1] == ("INVALID", None, ORIGINAL)


@pytest.mark.parametrize("flags", [TcpFlags.ACK, TcpFlags.PUSH])
def test_a_connection_is_picked_up_in_the_middle(flags: TcpFlags) -> None:
    tracked = play(">" + flags)[1]
    assert (tracked.state, tracked.entry and tracked.entry.state) == ("NEW", "ESTABLISHED")


def test_a_strict_table_picks_nothing_up() -> None:
    assert play(">.", table=Conntrack(loose=False))[1].state == "INVALID"


def test_a_dropped_packet_leaves_no_trace() -> None:
    table = Conntrack()
    table.lookup(segment(TcpFlags.SYN), 0.0)
    assert (len(table), table.lookup(segment(TcpFlags.SYN_ACK, back=True), 0.1).state) == (0, "INVALID")


def test_udp_is_established_once_answered() -> None:
    table = Conntrack()
    begin(table, udp(CLIENT, SERVER))
    states = [table.lookup(p, 1.0).state for p in (udp(CLIENT, SERVER), udp(SERVER, CLIENT), udp(CLIENT, SERVER))]
    assert states == ["NEW", "ESTABLISHED", "ESTABLISHED"]


def test_an_echo_is_known_by_its_identifier() -> None:
    table = Conntrack()
    begin(table, echo("10.0.0.1", "10.0.0.2", 7))
    assert table.lookup(echo("10.0.0.1", "10.0.0.2", 7).answer(), 1.0).direction == REPLY
    assert table.lookup(echo("10.0.0.1", "10.0.0.2", 8).answer(), 1.0).state == "INVALID"


def test_an_echo_the_other_way_is_another_flow() -> None:
    table = Conntrack()
    begin(table, echo("10.0.0.1", "10.0.0.2"))
    assert table.lookup(echo("10.0.0.2", "10.0.0.1"), 1.0).state == "NEW"


def test_an_error_is_related_to_what_it_quotes_and_travels_against_it() -> None:
    table = Conntrack()
    begin(table, segment(TcpFlags.SYN))
    error = segment(TcpFlags.SYN).error(IcmpType.HOST_UNREACHABLE, address("10.9.9.9"))
    assert table.lookup(error, 1.0)[::2] == ("RELATED", REPLY)
    about_answer = segment(TcpFlags.SYN_ACK, back=True).error(IcmpType.TIME_EXCEEDED, address("10.9.9.9"))
    assert table.lookup(about_answer, 1.0)[::2] == ("RELATED", ORIGINAL)


def test_an_error_sent_to_another_than_it_quotes_is_invalid() -> None:
    table = Conntrack()
    begin(table, segment(TcpFlags.SYN))
    ends = endpoint("10.9.9.9"), endpoint("10.0.0.77")
    error = Packet(Protocol.ICMP, *ends, icmp=IcmpType.HOST_UNREACHABLE, quotes=segment(TcpFlags.SYN))
    assert table.lookup(error, 1.0).state == "INVALID"


def test_an_error_about_nothing_known_or_about_an_error_is_invalid() -> None:
    error = segment(TcpFlags.SYN).error(IcmpType.HOST_UNREACHABLE, address("10.9.9.9"))
    about_error = error.error(IcmpType.HOST_UNREACHABLE, address("10.9.9.9"))
    assert {Conntrack().lookup(each, 0.0).state for each in (error, about_error)} == {"INVALID"}


def test_find_asks_without_touching() -> None:
    table, tracked = play(">S")
    assert table.find(segment(TcpFlags.SYN_ACK, back=True), 1.0) == ("ESTABLISHED", tracked.entry, REPLY)
    assert table.find(segment(TcpFlags.SYN), 1.0) == ("NEW", tracked.entry, ORIGINAL)
    assert table.find(udp(CLIENT, SERVER), 1.0) is None
    error = segment(TcpFlags.SYN).error(IcmpType.HOST_UNREACHABLE, address("10.9.9.9"))
    found = table.find(error, 1.0)
    assert found is not None and found.state == "RELATED"


# -- the life of a connection


@pytest.mark.parametrize(
    ("segments", "state"),
    [
        ((">S",), "SYN_SENT"),
        ((">S", "<S."), "SYN_RECV"),
        (OPEN, "ESTABLISHED"),
        ((*OPEN, ">P.", "<P."), "ESTABLISHED"),
        ((*OPEN, ">F."), "FIN_WAIT"),
        ((*OPEN, ">F.", "<."), "CLOSE_WAIT"),
        ((*OPEN, ">F.", "<F."), "LAST_ACK"),
        (CLOSED, "TIME_WAIT"),
        ((*OPEN, "<R."), "CLOSE"),
        ((">S", "<S"), "SYN_SENT2"),
        ((">S", "<S", ">S.", "<."), "ESTABLISHED"),  # both opened at once
        ((*OPEN, "<S."), "ESTABLISHED"),  # late, ignored
        ((*OPEN, ">S"), "ESTABLISHED"),  # perhaps we are out of step
        ((*OPEN, ">S", "<S."), "SYN_RECV"),  # the server agreed: we were
        ((*OPEN, ">F.", "<F.", ">S", "<."), "LAST_ACK"),  # RFC 5961's challenge is not the last ACK
        ((*OPEN, ">F.", "<F.", ">S", "<.", "<."), "TIME_WAIT"),
    ],
)
def test_a_connection_moves_through_its_states(segments: tuple[str, ...], state: str) -> None:
    entry = play(*segments)[1].entry
    assert entry is not None and entry.state == state


def test_a_syn_reopens_a_connection_that_is_over() -> None:
    table, tracked = play(*CLOSED, ">S")
    assert (tracked.state, tracked.entry and tracked.entry.state, len(table)) == ("NEW", "SYN_SENT", 1)


def test_the_server_may_reopen_it_too() -> None:
    tracked = play(*CLOSED, "<S")[1]
    assert tracked.state == "NEW" and tracked.entry is not None
    assert tracked.entry.original.source == endpoint(SERVER)


def test_after_a_reset_its_sender_alone_may_reopen() -> None:
    assert play(*OPEN, ">R.", ">S")[1].state == "NEW"
    assert play(*OPEN, "<R.", ">S")[1].state == "ESTABLISHED"


def test_a_refused_connection_is_forgotten_at_once() -> None:
    table, tracked = play(">S", "<R.")
    assert (tracked.state, len(table)) == ("ESTABLISHED", 0)


def test_a_connection_is_assured_once_the_handshake_is_done() -> None:
    assured = [bool((entry := play(*OPEN[:n])[1].entry) and entry.assured) for n in (1, 2, 3)]
    assert assured == [False, False, True]


def test_a_reset_by_a_rule_closes_what_is_kept() -> None:
    table, tracked = play(*OPEN)
    assert tracked.entry is not None
    table.close(tracked.entry, 3.0)
    table.close(tracked.entry, 9.0)
    assert (tracked.entry.state, tracked.entry.expires) == ("CLOSE", 13.0)


@pytest.mark.parametrize(
    ("segments", "left"),
    [
        ((">S",), 120),
        ((">S", ">S"), 119),  # a repeated SYN doesn't prolong it
        ((">S", "<S."), 60),
        (OPEN, 432_000),
        ((">.",), 300),  # picked up in the middle, not answered
        ((*OPEN, ">F."), 120),
        ((*OPEN, ">F.", "<."), 60),
        ((*OPEN, ">F.", "<F."), 30),
        (CLOSED, 120),
        ((*OPEN, "<R."), 10),
    ],
)
def test_each_state_has_its_time_to_live(segments: tuple[str, ...], left: float) -> None:
    entry = play(*segments)[1].entry
    assert entry is not None and entry.expires - (len(segments) - 1) == left


def test_udp_is_a_stream_when_it_is_active_after_two_seconds() -> None:
    table = Conntrack()
    entry = begin(table, udp(CLIENT, SERVER))
    left = []
    for now, packet in ((1.0, udp(SERVER, CLIENT)), (2.0, udp(CLIENT, SERVER)), (2.1, udp(CLIENT, SERVER))):
        table.lookup(packet, now)
        left.append((round(entry.expires - now), entry.assured))
    assert left == [(30, False), (30, False), (120, True)]


def test_sctp_is_established_by_the_answer() -> None:
    table = Conntrack()
    packet = Packet(Protocol.SCTP, endpoint(CLIENT), endpoint(SERVER))
    entry = begin(table, packet)
    assert (entry.state, entry.expires) == ("COOKIE_WAIT", 3.0)
    table.lookup(packet.answer(), 1.0)
    assert (entry.state, entry.expires) == ("ESTABLISHED", 211.0)


def test_an_entry_dies_at_its_very_second() -> None:
    table = play(">S")[0]
    assert table.lookup(segment(TcpFlags.SYN_ACK, back=True), 120.0).state == "INVALID"


def test_expired_entries_are_forgotten() -> None:
    table = play(">S")[0]
    assert (table.expire(119.0), table.expire(120.0), len(table)) == (0, 1, 0)


def test_a_big_table_sweeps_itself() -> None:
    table = Conntrack()
    for port in range(1, 2000):
        begin(table, udp(f"10.0.0.1:{port}", SERVER), float(port))
    assert len(table) < 1000


def test_timeouts_may_be_set_and_a_wrong_name_is_said() -> None:
    entry = play(">S", table=Conntrack({"SYN_SENT": 5.0}))[1].entry
    assert entry is not None and entry.expires == 5.0
    with pytest.raises(InputError, match="SYN_SEND"):
        Conntrack({"SYN_SEND": 5.0})


@given(st.lists(st.tuples(st.sampled_from("<>"), st.sampled_from(TcpFlags)), max_size=12))
def test_whatever_comes_the_state_is_one_of_the_table(segments: list[tuple[str, TcpFlags]]) -> None:
    table, _ = play(*(way + flags for way, flags in segments))
    assert all(entry.state in STATES for entry in table)


def test_the_table_of_transitions_is_whole() -> None:
    cells = [cell for rows in TRANSITIONS.values() for row in rows.values() for cell in row.items()]
    assert len(cells) == 2 * len(TcpFlags) * len(STATES)
    assert TRANSITIONS[REPLY][TcpFlags.SYN]["NONE"] == INVALID


# -- the table as a collection


def test_the_listing_is_that_of_conntrack() -> None:
    table = play(*OPEN)[0]
    begin(table, echo("10.0.0.1", "10.0.0.2"), 2.0)
    assert table.listing(2.0) == (
        "tcp      6 432000 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=5000 dport=80"
        " src=10.0.0.2 dst=10.0.0.1 sport=80 dport=5000 [ASSURED] mark=0",
        "icmp     1 30 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=7"
        " [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=7 mark=0",
    )
    assert table.listing(1e6) == ()


def test_an_entry_reads_as_its_line() -> None:
    assert str(play(">S")[1].entry).startswith("tcp      6 SYN_SENT src=10.0.0.1")


@pytest.mark.parametrize("packet", [udp(CLIENT, SERVER), echo("10.0.0.1", "10.0.0.2")])
def test_the_inverse_of_the_original_is_the_reply(packet: Packet) -> None:
    entry = begin(Conntrack(), packet)
    assert entry.original.inverse == entry.reply and entry.reply.inverse == entry.original


def test_a_flow_key_is_hashable() -> None:
    key = FlowKey(Protocol.UDP, endpoint(CLIENT), endpoint(SERVER))
    assert len({key, key.inverse, key.inverse.inverse}) == 2


def test_copies_go_their_own_ways() -> None:
    table = play(">S")[0]
    twin = table.copy()
    play(">S", "<S.", table=twin)
    begin(twin, udp(CLIENT, SERVER))
    assert [entry.state for entry in table] == ["SYN_SENT"]
    assert sorted(entry.state for entry in twin) == ["", "SYN_RECV"]


# -- source NAT

PUBLIC = NatRange(address("192.0.2.1"))


def leave(
    table: Conntrack, packet: Packet, to: NatRange = PUBLIC, choose: Script | None = None, now: float = 0.0
) -> Endpoint | None:
    """The source that a new flow leaves with; None if it is dropped."""
    entry = table.lookup(packet, now).entry
    assert entry is not None
    source_nat(table, entry, to, now, choose or Script())
    return entry.reply.destination if table.confirm(entry, now) else None


def test_the_port_stays_if_it_can() -> None:
    assert leave(Conntrack(), tcp("10.0.0.1:5000", SERVER)) == endpoint("192.0.2.1:5000")


def test_two_clients_of_one_port_get_two_ports() -> None:
    table = Conntrack()
    leave(table, tcp("10.0.0.1:5000", "198.51.100.1:80"))
    choose = Script([40000])
    assert leave(table, tcp("10.0.0.2:5000", "198.51.100.1:80"), choose=choose) == endpoint("192.0.2.1:40000")


def test_two_destinations_share_a_port() -> None:
    table = Conntrack()
    leave(table, tcp("10.0.0.1:5000", "198.51.100.1:80"))
    assert leave(table, tcp("10.0.0.2:5000", "198.51.100.2:80")) == endpoint("192.0.2.1:5000")


@pytest.mark.parametrize(
    ("port", "low", "high"), [(53, 1, 511), (700, 600, 1023), (520, 600, 1023), (5000, 1024, 65535)]
)
def test_a_port_that_must_change_stays_in_its_class(port: int, low: int, high: int) -> None:
    asked: list[object] = []

    def choose(question: str, weights: object) -> int:
        asked.append((question, weights))
        return high

    table = Conntrack()
    leave(table, tcp(f"10.0.0.1:{port}", "198.51.100.1:80"))
    entry = table.lookup(tcp(f"10.0.0.2:{port}", "198.51.100.1:80"), 0.0).entry
    assert entry is not None
    source_nat(table, entry, PUBLIC, 0.0, choose)
    assert asked == [("source port", range(low, high + 1))] and entry.reply.destination.port == high


def test_fully_random_asks_chance_at_once_and_goes_on_from_a_port_in_use() -> None:
    table, to = Conntrack(), NatRange(address("192.0.2.1"), random=True)
    ports = [leave(table, tcp(f"10.0.0.{n}:5000", "198.51.100.1:80"), to, Script([65535])) for n in (1, 2, 3)]
    assert [end and end.port for end in ports] == [65535, 1024, 1025]


def test_a_given_range_of_ports_is_kept_to() -> None:
    to = NatRange(address("192.0.2.1"), ports=(4000, 4001))
    table = Conntrack()
    ports = [leave(table, tcp(f"10.0.0.{n}:4001", "198.51.100.1:80"), to) for n in (1, 2, 3)]
    assert ports == [endpoint("192.0.2.1:4001"), endpoint("192.0.2.1:4000"), None]


def test_a_single_port_is_taken_without_asking() -> None:
    choose = Script()
    to = NatRange(address("192.0.2.1"), ports=(4000, 4000))
    assert leave(Conntrack(), tcp("10.0.0.1:5000", SERVER), to, choose) == endpoint("192.0.2.1:4000")
    assert choose.asked == 0


def test_a_new_connection_pushes_out_one_that_is_over() -> None:
    to = NatRange(address("192.0.2.1"), ports=(4000, 4000))
    table = Conntrack()
    leave(table, segment(TcpFlags.SYN), to)
    play(*(">S", ">."), table=table)
    for flags, back in (("S.", True), (".", False), ("F.", False), ("F.", True), (".", False)):
        packet = tcp(SERVER, "192.0.2.1:4000", TcpFlags(flags)) if back else segment(TcpFlags(flags))
        table.lookup(packet, 1.0)
    assert [entry.state for entry in table] == ["TIME_WAIT"]
    assert leave(table, tcp("10.0.0.3:5000", SERVER), to, now=2.0) == endpoint("192.0.2.1:4000")


def test_a_udp_flow_pushes_nobody_out() -> None:
    to = NatRange(address("192.0.2.1"), ports=(4000, 4000))
    table = Conntrack()
    assert [leave(table, udp(f"10.0.0.{n}:5000", SERVER), to) for n in (1, 2)][1] is None


def test_a_source_keeps_its_translation_for_other_destinations() -> None:
    to = NatRange(address("192.0.2.1"), ports=(4000, 4010))
    table = Conntrack()
    leave(table, tcp("10.0.0.1:5000", "198.51.100.1:80"), to, Script([4007]))
    assert leave(table, tcp("10.0.0.1:5000", "198.51.100.2:80"), to, Script([4003])) == endpoint("192.0.2.1:4007")
    assert leave(table, tcp("10.0.0.1:5000", "198.51.100.3:80"), to, now=200.0) == endpoint("192.0.2.1:4000")


def test_what_is_forgotten_is_no_guide() -> None:
    to = NatRange(address("192.0.2.1"), ports=(4000, 4010))
    table = Conntrack()
    for server in ("198.51.100.1:80", "198.51.100.2:80"):
        leave(table, udp("10.0.0.1:5000", server), to, Script([4007]))
    for entry in list(table):
        table.forget(entry)
    assert leave(table, udp("10.0.0.1:5000", "198.51.100.3:80"), to) == endpoint("192.0.2.1:4000")


def test_an_expired_translation_is_no_guide_either() -> None:
    to = NatRange(address("192.0.2.1"), ports=(4000, 4010))
    table = Conntrack()
    leave(table, udp("10.0.0.1:5000", "198.51.100.1:80"), to, Script([4007]))
    assert leave(table, udp("10.0.0.1:5000", "198.51.100.2:80"), to, now=30.0) == endpoint("192.0.2.1:4000")


# Measured: SNAT --to-source 10.2.7.1-10.2.7.200, source and destination -> the address taken.
@pytest.mark.parametrize(
    ("persistent", "source", "destination", "taken"),
    [
        (False, "10.1.0.5", "10.2.0.3", "10.2.7.170"),
        (False, "10.1.0.4", "10.2.0.7", "10.2.7.86"),
        (False, "10.1.0.3", "10.2.0.8", "10.2.7.109"),
        (True, "10.1.0.7", "10.2.0.4", "10.2.7.86"),
        (True, "10.1.0.8", "10.2.0.6", "10.2.7.52"),
        (True, "10.1.0.5", "10.2.0.7", "10.2.7.110"),
    ],
)
def test_of_several_addresses_the_kernels_hash_picks_one(
    persistent: bool, source: str, destination: str, taken: str
) -> None:
    to = NatRange(address("10.2.7.1"), address("10.2.7.200"), persistent=persistent)
    end = leave(Conntrack(), udp(f"{source}:4000", f"{destination}:53"), to)
    assert end is not None and str(end.address) == taken


def test_a_persistent_client_has_one_address_everywhere() -> None:
    to = NatRange(address("10.2.7.1"), address("10.2.7.200"), persistent=True)
    ends = [leave(Conntrack(), udp("10.1.0.5:4000", f"10.2.0.{n}:53"), to) for n in range(2, 9)]
    assert len({end and end.address for end in ends}) == 1


def test_an_echo_gets_another_identifier() -> None:
    table = Conntrack()
    leave(table, echo("10.0.0.1", "198.51.100.1"))
    assert leave(table, echo("10.0.0.2", "198.51.100.1"), choose=Script([9])) == endpoint("192.0.2.1:9")


def test_ports_without_an_address_leave_the_address() -> None:
    assert leave(Conntrack(), tcp(CLIENT, SERVER), NatRange(ports=(9, 9))) == endpoint("10.0.0.1:9")


@pytest.mark.parametrize(
    "wrong",
    [{"first": Address("10.0.0.2"), "last": Address("10.0.0.1")}, {"last": Address("10.0.0.1")}, {"ports": (5, 4)}],
)
def test_a_range_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        NatRange(**wrong)  # type: ignore[arg-type]


# -- destination NAT


def reach(table: Conntrack, packet: Packet, to: NatRange, choose: Script | None = None) -> Endpoint:
    """The destination that a new flow is sent to."""
    entry = table.lookup(packet, 0.0).entry
    assert entry is not None
    destination_nat(table, entry, to, 0.0, choose or Script())
    table.confirm(entry, 0.0)
    return entry.reply.source


@pytest.mark.parametrize(
    ("to", "destination"),
    [
        (NatRange(address("10.9.0.1")), "10.9.0.1:80"),
        (NatRange(address("10.9.0.1"), ports=(8080, 8080)), "10.9.0.1:8080"),
        (NatRange(address("10.9.0.1"), ports=(79, 81)), "10.9.0.1:80"),
        (NatRange(address("10.9.0.1"), ports=(8000, 8010)), "10.9.0.1:8000"),
        (NatRange(address("10.9.0.1"), ports=(8000, 8010), base_port=78), "10.9.0.1:8002"),
        (NatRange(ports=(8080, 8080)), "10.0.0.2:8080"),
        (NatRange(address("10.9.0.1"), ports=(8080, 8080), random=True), "10.9.0.1:8080"),
    ],
)
def test_a_destination_is_mapped(to: NatRange, destination: str) -> None:
    assert reach(Conntrack(), tcp(CLIENT, SERVER), to) == endpoint(destination)


def test_a_destination_without_ports_is_kept_even_if_taken() -> None:
    table = Conntrack()
    begin(table, tcp(CLIENT, "10.9.0.1:80"))
    entry = table.lookup(tcp(CLIENT, SERVER), 0.0).entry
    assert entry is not None
    destination_nat(table, entry, NatRange(address("10.9.0.1")), 0.0, first)
    assert not table.confirm(entry, 0.0)
    source_nat(table, entry, NatRange(address("10.0.0.1")), 0.0, first)
    assert table.confirm(entry, 0.0) and entry.reply.destination == endpoint("10.0.0.1:1024")


def test_a_range_of_destination_ports_avoids_the_one_in_use() -> None:
    table = Conntrack()
    begin(table, tcp(CLIENT, "10.9.0.1:80"))
    to = NatRange(address("10.9.0.1"), ports=(80, 82))
    assert reach(table, tcp(CLIENT, SERVER), to) == endpoint("10.9.0.1:81")


def test_an_echo_sent_elsewhere_may_change_its_identifier() -> None:
    table = Conntrack()
    begin(table, echo("10.0.0.1", "10.9.0.1"))
    entry = table.lookup(echo("10.0.0.1", "10.0.0.2"), 0.0).entry
    assert entry is not None
    destination_nat(table, entry, NatRange(address("10.9.0.1")), 0.0, Script([3]))
    sent = translate(echo("10.0.0.1", "10.0.0.2"), entry, ORIGINAL)
    assert str(sent) == "icmp 10.0.0.1:3 > 10.9.0.1:0 echo-request"
    assert translate(sent.answer(), entry, REPLY) == echo("10.0.0.1", "10.0.0.2").answer()
    error = sent.error(IcmpType.HOST_UNREACHABLE, address("10.9.0.1"))
    assert translate(error, entry, REPLY).quotes == echo("10.0.0.1", "10.0.0.2")


# -- flows that no rule translates


def test_a_null_binding_changes_nothing() -> None:
    table = Conntrack()
    entry = table.lookup(tcp(CLIENT, SERVER), 0.0).entry
    assert entry is not None
    null_binding(table, entry, DESTINATION, 0.0, first)
    null_binding(table, entry, SOURCE, 0.0, first)
    assert (entry.nat, entry.source_bound, entry.destination_bound) == ((), True, True)


def test_an_untranslated_flow_may_still_lose_its_port() -> None:
    table = Conntrack()
    leave(table, tcp("10.0.0.1:5000", "198.51.100.1:80"))
    entry = table.lookup(tcp("192.0.2.1:5000", "198.51.100.1:80"), 0.0).entry
    assert entry is not None
    null_binding(table, entry, DESTINATION, 0.0, first)
    null_binding(table, entry, SOURCE, 0.0, Script([1234]))
    assert entry.reply.destination == endpoint("192.0.2.1:1234") and entry.nat == ("SNAT",)


def test_what_is_confirmed_is_decided() -> None:
    table = Conntrack()
    entry = begin(table, tcp(CLIENT, SERVER))
    source_nat(table, entry, PUBLIC, 0.0, first)
    destination_nat(table, entry, PUBLIC, 0.0, first)
    null_binding(table, entry, SOURCE, 0.0, first)
    assert entry.nat == () and table.confirm(entry, 0.0)


# -- following a decision


def both_ways(packet: Packet) -> Entry:
    """A flow sent to 10.9.0.1:8080, from 192.0.2.1."""
    table = Conntrack()
    entry = table.lookup(packet, 0.0).entry
    assert entry is not None
    destination_nat(table, entry, NatRange(address("10.9.0.1"), ports=(8080, 8080)), 0.0, first)
    source_nat(table, entry, PUBLIC, 0.0, first)
    table.confirm(entry, 0.0)
    return entry


def test_a_packet_is_rewritten_half_by_half() -> None:
    packet = tcp(CLIENT, SERVER)
    entry = both_ways(packet)
    half = translate(packet, entry, ORIGINAL, DESTINATION)
    assert str(half) == "tcp 10.0.0.1:5000 > 10.9.0.1:8080 [S]"
    assert str(translate(half, entry, ORIGINAL, SOURCE)) == "tcp 192.0.2.1:5000 > 10.9.0.1:8080 [S]"


def test_an_untranslated_packet_is_the_same_object() -> None:
    packet = tcp(CLIENT, SERVER)
    assert translate(packet, begin(Conntrack(), packet), ORIGINAL) is packet


def test_an_error_is_translated_outside_and_inside() -> None:
    packet = tcp(CLIENT, SERVER)
    entry = both_ways(packet)
    error = translate(packet, entry, ORIGINAL).error(IcmpType.PORT_UNREACHABLE, address("10.7.7.7"))
    back = translate(error, entry, REPLY)
    assert str(back) == "icmp 10.0.0.2:0 > 10.0.0.1:0 port-unreachable"  # a router's error comes from the server, too
    assert back.quotes == packet


def test_an_error_about_an_answer_is_translated_the_other_way() -> None:
    packet = tcp(CLIENT, SERVER)
    entry = both_ways(packet)
    answer = translate(packet, entry, ORIGINAL).answer()
    error = translate(answer, entry, REPLY).error(IcmpType.PORT_UNREACHABLE, address("10.0.0.1"))
    forth = translate(error, entry, ORIGINAL)
    assert str(forth) == "icmp 192.0.2.1:0 > 10.9.0.1:0 port-unreachable" and forth.quotes == answer


ADDRESSES = st.sampled_from([f"10.0.0.{n}" for n in range(1, 5)])
PORTS = st.sampled_from([53, 700, 5000, 5001])
FLOWS = st.tuples(st.sampled_from(["tcp", "udp", "icmp"]), ADDRESSES, PORTS, ADDRESSES, st.sampled_from([80, 8080]))
RANGES = st.builds(
    NatRange,
    st.none() | ADDRESSES.map(address),
    ports=st.none() | st.sampled_from([(80, 80), (5000, 5002)]),
    random=st.booleans(),
)


def packet_of(flow: tuple[str, str, int, str, int]) -> Packet:
    protocol, source, sport, destination, dport = flow
    if protocol == "icmp":
        return echo(source, destination, sport)
    return (tcp if protocol == "tcp" else udp)(f"{source}:{sport}", f"{destination}:{dport}")


@given(st.lists(st.tuples(FLOWS, RANGES, RANGES), max_size=12))
def test_tuples_stay_unique_and_a_reply_undoes_its_request(
    flows: list[tuple[tuple[str, str, int, str, int], NatRange, NatRange]],
) -> None:
    table = Conntrack()
    for flow, sources, destinations in flows:
        packet = packet_of(flow)
        state, entry, direction = table.lookup(packet, 0.0)
        if entry is None or state != "NEW":
            continue
        destination_nat(table, entry, destinations, 0.0, first)
        source_nat(table, entry, sources, 0.0, first)
        if table.confirm(entry, 0.0):
            assert direction == ORIGINAL
            answer = translate(packet, entry, ORIGINAL).answer()
            if answer.source != answer.destination:
                found = table.find(answer, 0.0)
                assert found is not None and found.entry is entry
            assert translate(answer, entry, REPLY) == packet.answer()
    tuples = [key for entry in table for key in {entry.original, entry.reply}]
    assert len(tuples) == len(set(tuples))


# -- one to one

GATEWAY = OneToOne({address("10.0.0.5"): address("203.0.113.7")})


def test_who_has_no_public_address_does_not_get_through() -> None:
    assert GATEWAY.outward(tcp("10.0.0.6:80", "198.51.100.1:5000")) is None
    assert GATEWAY.inward(tcp("198.51.100.1:5000", "203.0.113.8:80")) is None


def test_an_error_through_the_gateway_quotes_what_its_reader_knows() -> None:
    packet = tcp("198.51.100.1:5000", "203.0.113.7:80")
    inside = GATEWAY.inward(packet)
    assert inside is not None
    error = GATEWAY.outward(inside.error(IcmpType.PORT_UNREACHABLE, address("10.0.0.5")))
    assert error is not None and error.quotes == packet


def test_two_hosts_cannot_share_a_public_address() -> None:
    with pytest.raises(InputError):
        OneToOne({address("10.0.0.5"): address("203.0.113.7"), address("10.0.0.6"): address("203.0.113.7")})
