"""What is believed of a response, what it means, and the cache's own rules: unbound's, case by case."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rrset
import pytest
from dns.name import from_text
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from netpath.resolution import Cache, ResolverConfig
from netpath.resolution.cache import Ranked, Reply, ServerState, Trust
from netpath.resolution.records import Records, from_rrset, key_of
from netpath.resolution.scrub import Meaning, Scrubbed, classify, classify_cached, scrub

ZONE = key_of(from_text("a.com"))


def message(answer: str = "", authority: str = "", additional: str = "", head: str = "QR AA", rcode: str = "NOERROR",
            question: str = "www.a.com. IN A") -> dns.message.Message:  # fmt: skip
    parts = ["id 1", "opcode QUERY", f"rcode {rcode}", f"flags {head}", ";QUESTION", question, ";ANSWER", answer]
    parts += [";AUTHORITY", authority, ";ADDITIONAL", additional]
    return dns.message.from_text("\n".join(part for part in parts if part))


def scrubbed(made: dns.message.Message, config: ResolverConfig | None = None) -> Scrubbed:
    question = made.question[0]
    return scrub(made, question.name, RdataType.make(question.rdtype), ZONE, config or ResolverConfig())


def left(made: dns.message.Message, config: ResolverConfig | None = None) -> list[str]:
    reply = scrubbed(made, config).reply
    return [f"{each.records.name} {each.records.type.name}" for each in reply.every] if reply else ["nothing"]


SOA = "a.com. 60 IN SOA ns.a.com. x. 1 2 3 4 5"


@pytest.mark.parametrize(
    ("made", "kept"),
    [
        (message("www.a.com. 1 IN A 1.1.1.1\nwww.a.com. 1 IN MX 1 m.a.com."), ["www.a.com. A"]),
        (message("www.a.com. 1 IN CNAME x.a.com.\nx.a.com. 1 IN A 1.1.1.1"), ["www.a.com. CNAME"]),
        (message("www.a.com. 1 IN CNAME x.a.com.\nx.a.com. 1 IN MX 1 m.a.com."), ["www.a.com. CNAME"]),
        (message("www.a.com. 1 IN A 1.1.1.1", "", "www.a.com. 1 IN A 1.1.1.1"), ["www.a.com. A"]),
        (message("", SOA + "\na.com. 1 IN NS ns.a.com."), ["a.com. SOA"]),
        (message("", SOA + "\na.com. 1 IN NS ns.a.com.", rcode="NXDOMAIN"), ["a.com. SOA"]),
        (message("", SOA + "\nx.a.com. 1 IN A 6.6.6.6"), ["a.com. SOA"]),
        (message("", "www.a.com. 1 IN NS n.b.com.", "n.b.com. 1 IN A 6.6.6.6", head="QR"), ["www.a.com. NS"]),
        (message("", "x.a.com. 1 IN NS n.a.com.", head="QR"), []),
        (message("", "www.a.com. 1 IN NS n.a.com.\na.com. 1 IN NS n.a.com.", head="QR"), ["www.a.com. NS"]),
        (message("", "com. 1 IN NS n.a.com.", "n.a.com. 1 IN A 6.6.6.6", head="QR"), ["com. NS"]),
        (message("", SOA, "www.a.com. 1 IN CNAME x.a.com."), ["a.com. SOA"]),
        (message("www.a.com. 1 IN RRSIG A 8 2 1 20300101000000 20200101000000 1 a.com. AAAA"), []),
    ],
)  # fmt: skip
def test_only_what_belongs_to_the_question_and_the_zone_is_left(made: dns.message.Message, kept: list[str]) -> None:
    assert left(made) == kept


DNAME = "a.com. 9 IN DNAME b.com."


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (DNAME, ["a.com. DNAME", "www.a.com. CNAME"]),
        (DNAME + "\nwww.a.com. 9 IN CNAME www.b.com.", ["a.com. DNAME", "www.a.com. CNAME"]),
        (DNAME + "\nwww.a.com. 9 IN CNAME evil.b.com.", ["a.com. DNAME", "www.a.com. CNAME"]),
        ("www.a.com. 9 IN CNAME www.b.com.\n" + DNAME, ["a.com. DNAME", "www.a.com. CNAME"]),
    ],
)
def test_a_dname_comes_first_and_its_cname_is_the_one_it_makes(answer: str, kept: list[str]) -> None:
    made = message(answer)
    assert left(made) == kept
    reply = scrubbed(made).reply
    assert reply is not None and str(reply.answer[1].records.target) == "www.b.com."


LONG = ".".join(["l" * 60] * 3)


@pytest.mark.parametrize(("rcode", "kept"), [("YXDOMAIN", ["a.com. DNAME"]), ("NOERROR", ["nothing"])])
def test_a_dname_that_makes_too_long_a_name_is_believed_only_with_yxdomain(rcode: str, kept: list[str]) -> None:
    question = f"{'q' * 60}.{'r' * 60}.a.com. IN A"
    made = message(f"a.com. 9 IN DNAME {LONG}.", rcode=rcode, question=question)
    assert left(made) == kept


def test_any_keeps_what_stands_beside_a_cname() -> None:
    answer = "www.a.com. 1 IN CNAME x.b.com.\nwww.a.com. 1 IN TXT x"
    assert left(message(answer, question="www.a.com. IN ANY")) == ["www.a.com. CNAME", "www.a.com. TXT"]


def test_a_referral_with_the_ds_asked_for_is_the_answer() -> None:
    authority = "www.a.com. 1 IN NS n.a.com.\nwww.a.com. 1 IN DS 1 8 2 " + "AB" * 32
    assert left(message("", authority, question="www.a.com. IN DS", head="QR")) == ["www.a.com. DS"]


def test_glue_from_elsewhere_serves_to_find_servers_only_if_the_operator_lets_it() -> None:
    made = message("", "www.a.com. 1 IN NS n.b.com.", "n.b.com. 1 IN A 192.0.2.9", head="QR")
    found = scrubbed(made, ResolverConfig(harden_glue=False))
    assert [str(each.records) for each in found.hidden] == ["n.b.com. 1 IN A 192.0.2.9"]
    assert not scrubbed(made).hidden


def test_the_hosts_of_dropped_records_lose_their_addresses() -> None:
    question = "www.a.com. IN MX"
    made = message(
        "www.a.com. 1 IN CNAME x.a.com.\nx.a.com. 1 IN MX 1 m.a.com.", "", "m.a.com. 1 IN A 1.1.1.1", question=question
    )
    assert left(made) == ["www.a.com. CNAME"]


def test_beyond_a_cname_an_authoritative_answer_is_no_longer_one() -> None:
    answer = "www.a.com. 1 IN CNAME x.b.com.\nwww.a.com. 1 IN TXT x"
    reply = scrubbed(message(answer, question="www.a.com. IN ANY")).reply
    assert reply is not None and [each.trust for each in reply.answer] == [Trust.ANSWER_AA, Trust.ANSWER]


@pytest.mark.parametrize(
    ("made", "meaning"),
    [
        (message("www.a.com. 1 IN A 1.1.1.1"), Meaning.ANSWER),
        (message("www.a.com. 1 IN A 1.1.1.1", head="QR RA"), Meaning.RECURSIVE),
        (message("www.a.com. 1 IN CNAME x.b.com."), Meaning.CNAME),
        (message("www.a.com. 1 IN CNAME www.a.com."), Meaning.CNAME),
        (message("www.a.com. 1 IN CNAME x.b.com.", rcode="NXDOMAIN"), Meaning.CNAME),
        (message("", SOA), Meaning.ANSWER),
        (message("", SOA, head="QR RA"), Meaning.RECURSIVE),
        (message("", SOA, head="QR RA", rcode="NXDOMAIN"), Meaning.RECURSIVE),
        (message("", SOA, rcode="NXDOMAIN"), Meaning.ANSWER),
        (message("", "www.a.com. 1 IN NS n.a.com.", head="QR"), Meaning.REFERRAL),
        (message("www.a.com. 1 IN NS n.a.com.", head="QR", question="www.a.com. IN NS"), Meaning.REFERRAL),
        (message("www.a.com. 1 IN NS n.a.com.", question="www.a.com. IN NS"), Meaning.ANSWER),
        (message("www.a.com. 1 IN TXT x", question="www.a.com. IN ANY"), Meaning.ANSWER),
        (message("", "com. 1 IN NS n.a.com.", head="QR"), Meaning.LAME),
        (message(), Meaning.ANSWER),
        (message(head="QR RA"), Meaning.RECURSIVE),
        (message(rcode="SERVFAIL"), Meaning.THROWAWAY),
        (message("www.a.com. 1 IN A 1.1.1.1", head="QR AA TC"), Meaning.THROWAWAY),
    ],
)
def test_a_response_means_what_unbound_takes_it_to_mean(made: dns.message.Message, meaning: Meaning) -> None:
    reply = scrubbed(made).reply
    assert reply is not None
    question = made.question[0]
    assert classify(reply, question.name, RdataType.make(question.rdtype), ZONE) is meaning


@pytest.mark.parametrize(
    ("head", "asked", "meaning"),
    [
        ("QR", False, Meaning.THROWAWAY),
        ("QR AA", False, Meaning.ANSWER),
        ("QR RA", False, Meaning.RECURSIVE),
        ("QR RA", True, Meaning.ANSWER),
    ],
)
def test_the_zones_own_ns_records_without_an_answer_mean_a_lame_server(
    head: str, asked: bool, meaning: Meaning
) -> None:
    config = ResolverConfig(scrub_promiscuous=False)
    made = message("", "a.com. 1 IN NS n.a.com.", head=head)
    reply = scrubbed(made, config).reply
    assert reply is not None and classify(reply, made.question[0].name, RdataType.A, ZONE, asked) is meaning


def a(
    ttl: int, data: str = "1.1.1.1", rdtype: str = "A", trust: Trust = Trust.ANSWER_AA, name: str = "x.a.com."
) -> Ranked:
    return Ranked(from_rrset(dns.rrset.from_text(name, ttl, "IN", rdtype, data)), trust)


X = key_of(from_text("x.a.com"))


@pytest.mark.parametrize(
    ("new", "kept"),
    [
        (a(500, trust=Trust.ADDITIONAL), 100),
        (a(500, trust=Trust.AUTHORITY_AA), 100),
        (a(500), 100),
        (a(500, "2.2.2.2"), 500),
        (a(500, "2.2.2.2", trust=Trust.ANSWER), 100),
    ],
)
def test_a_fresh_set_yields_only_to_a_better_or_a_different_one(new: Ranked, kept: int) -> None:
    cache = Cache()
    cache.keep(a(100), 0)
    cache.keep(new, 0)
    found = cache.find(X, RdataType.A, 0)
    assert found is not None and found.records.ttl == kept


def test_glue_yields_to_the_answer() -> None:
    cache = Cache()
    cache.keep(a(500, trust=Trust.ADDITIONAL), 0)
    cache.keep(a(100), 0)
    found = cache.find(X, RdataType.A, 0)
    assert found is not None and (found.records.ttl, found.trust) == (100, Trust.ANSWER_AA)


def test_an_expired_set_yields_to_anything() -> None:
    cache = Cache()
    cache.keep(a(100), 0)
    cache.keep(a(7, "2.2.2.2", trust=Trust.ADDITIONAL), 101)
    found = cache.find(X, RdataType.A, 101)
    assert found is not None and found.records.ttl == 7


def test_changed_ns_records_do_not_live_longer_than_the_old_ones() -> None:
    cache = Cache()
    cache.keep(a(100, "n.a.com.", "NS"), 0)
    cache.keep(a(500, "m.a.com.", "NS"), 50)
    found = cache.find(X, RdataType.NS, 50)
    assert found is not None and (found.records.ttl, str(found.records.data[0])) == (50, "m.a.com.")


def test_a_message_is_void_when_one_of_its_sets_is_gone_or_leads_elsewhere() -> None:
    cache, config = Cache(), ResolverConfig()
    chain = [a(60, "y.a.com.", "CNAME"), a(600, name="y.a.com.")]
    cache.keep_message(X, RdataType.A, Reply(answer=chain, lifetime=600), 0, config)
    assert cache.message(from_text("x.a.com"), RdataType.A, 60) is not None
    assert cache.message(from_text("x.a.com"), RdataType.A, 61) is None
    cache.keep(a(60, "z.a.com.", "CNAME"), 0)
    assert cache.message(from_text("x.a.com"), RdataType.A, 0) is None


def test_an_answer_with_ttl_zero_ends_a_remembered_failure() -> None:
    cache, config = Cache(), ResolverConfig()
    cache.keep_failure(X, RdataType.A, 0, config)
    assert cache.message(from_text("x.a.com"), RdataType.A, 5) is not None
    cache.keep_message(X, RdataType.A, Reply(answer=[a(0)]), 0, config)
    assert not cache.messages


def test_a_failure_does_not_displace_an_answer() -> None:
    cache, config = Cache(), ResolverConfig()
    cache.keep_message(X, RdataType.A, Reply(answer=[a(60)]), 0, config)
    cache.keep_failure(X, RdataType.A, 0, config)
    found = cache.message(from_text("x.a.com"), RdataType.A, 0)
    assert found is not None and found.answer


def test_an_unsigned_dname_in_the_cache_is_used_only_for_names_seen_before() -> None:
    cache, config = Cache(), ResolverConfig()
    cache.keep(a(100, "b.com.", "DNAME", name="a.com."), 0)
    assert cache.reply(from_text("x.a.com"), RdataType.A, 0, config) is None
    cache.keep(a(50, "x.b.com.", "CNAME"), 0)
    found = cache.reply(from_text("x.a.com"), RdataType.A, 0, config)
    assert found is not None and [each.records.ttl for each in found.answer] == [100, 0]


def test_ds_is_taken_from_a_referral_dnskey_is_not() -> None:
    cache, config = Cache(), ResolverConfig()
    cache.keep(a(100, "1 8 2 " + "AB" * 32, "DS", Trust.AUTHORITY), 0)
    cache.keep(a(100, "257 3 8 AAAA", "DNSKEY", Trust.AUTHORITY), 0)
    assert cache.reply(from_text("x.a.com"), RdataType.DS, 0, config) is not None
    assert cache.reply(from_text("x.a.com"), RdataType.DNSKEY, 0, config) is None


def test_a_server_that_stays_silent_is_probed_once_in_a_while() -> None:
    state = ServerState(900)
    costs = []
    for _ in range(6):
        state = state.asked(0).silent(RdataType.A)
        costs.append(state.cost(RdataType.A, 0))
    assert costs == [752, 1504, 3008, 6016, 12032, 120_000]  # the sixth was the probe
    assert state.cost(RdataType.A, 14) == 24064 and state.cost(RdataType.TXT, 0) == 119_000
    assert state.answered(RdataType.A).cost(RdataType.A, 0) == 376


def test_a_dead_server_is_tried_again_when_what_is_known_of_it_expires() -> None:
    dead = ServerState(900, rtt=120_000, timeouts={RdataType.A: 3}, probe_after=5000)
    assert dead.cost(RdataType.A, 900) == 120_000 and dead.cost(RdataType.A, 901) == 119_000
    assert dead.renewed(2000).cost(RdataType.A, 901) == 120_000
    assert (
        ServerState(900, rtt=6016).cost(RdataType.A, 901)
        == ServerState(900, rtt=6016).renewed(2000).cost(RdataType.A, 901)
        == 376
    )


def test_doing_without_edns_is_remembered_unless_edns_worked_before() -> None:
    fresh = ServerState(900)
    assert not fresh.edns_tried(False, Rcode.NOERROR).edns
    assert fresh.edns_tried(False, Rcode.REFUSED).edns
    assert fresh.edns_tried(True, Rcode.REFUSED).edns_tried(False, Rcode.NOERROR).edns


def test_a_ttl_with_its_highest_bit_set_counts_as_zero() -> None:
    rrset = dns.rrset.from_text("x.a.com.", 60, "IN", "A", "1.1.1.1")
    rrset.ttl = 0x8000_0001
    assert from_rrset(rrset).ttl == 0


def test_records_print_as_a_master_file_writes_them() -> None:
    assert str(Records(from_text("x.a.com"), RdataType.A, 60, a(60).records.data)) == "x.a.com. 60 IN A 1.1.1.1"


def test_a_cached_dname_that_makes_the_name_too_long_is_yxdomain() -> None:
    cache, label = Cache(), "l" * 60
    name = from_text(f"{label}.{label}.x.com.")
    for text in (f"{name} CNAME a.", f"x.com. DNAME {label}.{label}.{label}.com."):
        owner, rdtype, target = text.split()
        rrset = dns.rrset.from_text(owner, 60, "IN", rdtype, target)
        cache.keep(Ranked(from_rrset(rrset), Trust.ANSWER), 0)
    found = cache.reply(name, RdataType.A, 0, ResolverConfig())
    assert found is not None and found.rcode == Rcode.YXDOMAIN


def test_a_cached_answer_to_any_is_never_an_alias_to_follow() -> None:
    alias = from_rrset(dns.rrset.from_text("x.a.com.", 60, "IN", "CNAME", "y.a.com."))
    reply = Reply(answer=[Ranked(alias, Trust.ANSWER)])
    assert classify_cached(reply, from_text("x.a.com."), RdataType.ANY) is Meaning.ANSWER
    assert classify_cached(reply, from_text("x.a.com."), RdataType.A) is Meaning.CNAME


def test_servers_of_an_unrelated_zone_say_nothing() -> None:
    servers = from_rrset(dns.rrset.from_text("b.com.", 60, "IN", "NS", "ns.b.com."))
    reply = Reply(authority=[Ranked(servers, Trust.AUTHORITY)])
    assert classify(reply, from_text("x.a.com."), RdataType.A, key_of(from_text("a.com."))) is Meaning.ANSWER


def test_a_dname_that_did_not_make_the_cname_before_it_stays_behind() -> None:
    query = dns.message.make_query("x.d.a.com.", "A")
    response = dns.message.make_response(query)
    response.answer = [
        dns.rrset.from_text("x.d.a.com.", 60, "IN", "CNAME", "elsewhere.a.com."),
        dns.rrset.from_text("d.a.com.", 60, "IN", "DNAME", "e.a.com."),
    ]
    left = scrub(response, from_text("x.d.a.com."), RdataType.A, key_of(from_text("a.com.")), ResolverConfig()).reply
    assert left is not None and [each.records.type for each in left.answer] == [RdataType.CNAME]
