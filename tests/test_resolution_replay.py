"""Replays: scripted internets in the format that resolvers' own test suites use (see tests/replay.py)."""

from __future__ import annotations

import pytest

from tests.replay import MismatchError, Player, UnplayableError, parse

HEAD = """
server:
  target-fetch-policy: "0 0 0 0 0"
  qname-minimisation: no
  minimal-responses: no
stub-zone:
  name: "."
  stub-addr: 192.0.2.1
CONFIG_END
SCENARIO_BEGIN %s
RANGE_BEGIN 0 100
  ADDRESS 192.0.2.1
ENTRY_BEGIN
MATCH opcode qtype qname
ADJUST copy_id
REPLY QR AA NOERROR
SECTION QUESTION
. IN NS
SECTION ANSWER
. IN NS a.root.
SECTION ADDITIONAL
a.root. IN A 192.0.2.1
ENTRY_END
ENTRY_BEGIN
MATCH opcode subdomain
ADJUST copy_id copy_query
REPLY QR NOERROR
SECTION QUESTION
shop. IN NS
SECTION AUTHORITY
shop. 3600 IN NS ns.shop.
SECTION ADDITIONAL
ns.shop. 3600 IN A 192.0.2.2
ENTRY_END
RANGE_END
"""

AGEING = """
RANGE_BEGIN 0 49
  ADDRESS 192.0.2.2
ENTRY_BEGIN
MATCH opcode qtype qname
ADJUST copy_id
REPLY QR AA NOERROR
SECTION QUESTION
www.shop. IN A
SECTION ANSWER
www.shop. 100 IN A 203.0.113.1
ENTRY_END
RANGE_END
RANGE_BEGIN 50 100   ; the address changes
  ADDRESS 192.0.2.2
ENTRY_BEGIN
MATCH opcode qtype qname UDP
ADJUST copy_id
REPLY QR AA NOERROR
SECTION QUESTION
www.shop. IN A
SECTION ANSWER
www.shop. 100 IN A 203.0.113.2
ENTRY_END
RANGE_END
STEP 1 QUERY
ENTRY_BEGIN
REPLY RD DO
SECTION QUESTION
www.shop. IN A
ENTRY_END
STEP 2 CHECK_ANSWER
ENTRY_BEGIN
MATCH all ttl
REPLY QR RD RA NOERROR
SECTION QUESTION
www.shop. IN A
SECTION ANSWER
www.shop. 100 IN A 203.0.113.1
ENTRY_END
STEP 50 TIME_PASSES ELAPSE 100
STEP 51 QUERY
ENTRY_BEGIN
REPLY RD
SECTION QUESTION
www.shop. IN A
ENTRY_END
STEP 52 CHECK_ANSWER
ENTRY_BEGIN
MATCH answer ttl
SECTION ANSWER
www.shop. 0 IN A 203.0.113.1
ENTRY_END
STEP 60 TIME_PASSES ELAPSE 1
STEP 61 QUERY
ENTRY_BEGIN
REPLY RD
SECTION QUESTION
www.shop. IN A
ENTRY_END
STEP 62 CHECK_ANSWER
ENTRY_BEGIN
MATCH answer rcode flags
REPLY QR RD RA NOERROR
SECTION ANSWER
www.shop. IN A 203.0.113.2
ENTRY_END
SCENARIO_END
"""


def test_a_record_is_answered_until_it_expires_and_then_fetched_anew() -> None:
    Player(parse(HEAD % "ageing" + AGEING)).play()


def test_a_replay_that_expects_something_else_fails_with_the_hops() -> None:
    wrong = AGEING.replace("www.shop. 0 IN A 203.0.113.1", "www.shop. 0 IN A 203.0.113.9")
    with pytest.raises(MismatchError, match="CACHED"):
        Player(parse(HEAD % "wrong" + wrong)).play()


LAME = """
RANGE_BEGIN 0 100
  ADDRESS 192.0.2.2
ENTRY_BEGIN
MATCH opcode subdomain
ADJUST copy_id copy_query
REPLY QR NOERROR
SECTION QUESTION
shop. IN NS
SECTION AUTHORITY
. IN NS a.root.
ENTRY_END
RANGE_END
STEP 1 QUERY
ENTRY_BEGIN
REPLY RD
SECTION QUESTION
www.shop. IN A
ENTRY_END
STEP 2 CHECK_ANSWER
ENTRY_BEGIN
MATCH all
REPLY QR RD RA SERVFAIL
SECTION QUESTION
www.shop. IN A
ENTRY_END
SCENARIO_END
"""


def test_a_zone_with_lame_servers_only_is_a_failure() -> None:
    Player(parse(HEAD % "lame" + LAME)).play()


PACKETS = """
STEP 1 QUERY
ENTRY_BEGIN
REPLY RD
SECTION QUESTION
www.shop. IN TXT
ENTRY_END
STEP 2 CHECK_OUT_QUERY
ENTRY_BEGIN
MATCH qname qtype UDP
SECTION QUESTION
www.shop. IN TXT
ENTRY_END
STEP 3 TIMEOUT
STEP 4 REPLY
ENTRY_BEGIN
MATCH qname qtype opcode
ADJUST copy_id
REPLY QR AA NXDOMAIN
SECTION QUESTION
www.shop. IN TXT
SECTION AUTHORITY
shop. IN SOA ns.shop. admin. 1 2 3 4 5
ENTRY_END
STEP 5 CHECK_ANSWER
ENTRY_BEGIN
MATCH rcode
REPLY NXDOMAIN
ENTRY_END
SCENARIO_END
"""


def test_steps_say_what_happens_to_single_packets() -> None:
    player = Player(parse(HEAD % "packets" + PACKETS))
    player.play()
    assert player.last is not None
    assert [each.code for each in player.last.exchanges][-2:] == ["TIMEOUT", "NXDOMAIN"]


def test_a_query_other_than_the_one_to_come_out_fails() -> None:
    wrong = PACKETS.replace("MATCH qname qtype UDP", "MATCH qname qtype TCP")
    with pytest.raises(MismatchError, match=r"the resolver asks www\.shop\."):
        Player(parse(HEAD % "wrong" + wrong)).play()


DECKARD = """
; config options
        name: "."
        stub-addr: 192.0.2.1    # a.root.
CONFIG_END
SCENARIO_BEGIN in Deckard's dialect
RANGE_BEGIN 0 100 192.0.2.1
ENTRY_BEGIN
ADJUST copy_id
REPLY QR AA NOERROR
SECTION QUESTION
. IN NS
SECTION ANSWER
. IN NS a.root.
SECTION ADDITIONAL
a.root. IN A 192.0.2.1
ENTRY_END
ENTRY_BEGIN
MATCH opcode qtype qcase
ADJUST copy_id
REPLY QR AA NOERROR
SECTION QUESTION
www.shop. IN A
SECTION ANSWER
www.shop. IN A 203.0.113.1
ENTRY_END
RANGE_END
STEP 5 QUERY
ENTRY_BEGIN
RAW
00000000700240004aa200000204059801010402
ENTRY_END
STEP 10 QUERY
ENTRY_BEGIN
REPLY RD
SECTION QUESTION
%s IN A
ENTRY_END
STEP 20 CHECK_ANSWER
ENTRY_BEGIN
MATCH all
REPLY QR RD RA %s
SECTION QUESTION
%s IN A
ENTRY_END
SCENARIO_END
"""


@pytest.mark.parametrize(("name", "rcode"), [("www.shop.", "NOERROR"), ("WWW.shop.", "SERVFAIL")])
def test_deckards_dialect_compares_the_named_sections_only(name: str, rcode: str) -> None:
    Player(parse(DECKARD % (name, rcode, name))).play()


@pytest.mark.parametrize("unknown", ["STEP 3 INFRA_RTT", "STEP 3 ASSIGN\nENTRY_BEGIN\nHEX_ANSWER_BEGIN"])
def test_what_the_player_cannot_play_it_refuses(unknown: str) -> None:
    with pytest.raises(UnplayableError):
        Player(parse(HEAD % "odd" + LAME.replace("SCENARIO_END", unknown))).play()
