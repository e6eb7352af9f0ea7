"""The recursive resolver. Where a case says unbound, unbound 1.17.1 was asked the same under a frozen clock."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netpath.choice import outcomes
from netpath.errors import InputError, WorldError
from netpath.resolution import Cache, Resolver, ResolverConfig, hints_from_text
from tests.dns_world import A_COM, B_COM, COM, HINTS, NET, ROOT, World, lines, rcode, server, told


def test_it_walks_from_the_root_to_the_zone() -> None:
    world = World()
    found = world.resolve("www.a.com")
    assert world.addresses() == [ROOT, ROOT, COM, A_COM], told(found)
    assert lines(found.response.answer)[0] == "www.a.com. 300 IN A 203.0.113.1"


def test_the_response_is_a_recursive_resolvers() -> None:
    response = World().resolve("www.a.com", use_edns=0, want_dnssec=True).response
    assert dns.flags.to_text(response.flags) == "QR RD RA"
    assert (response.edns, response.payload, bool(response.ednsflags & dns.flags.DO)) == (0, 1232, True)
    assert not response.authority and not response.additional


def test_cd_is_copied_and_the_question_keeps_its_spelling() -> None:
    world = World()
    query = dns.message.make_query("WwW.a.CoM", "A")
    query.flags |= dns.flags.CD
    response = world.resolver.resolve(query, world.cache, 0).response
    assert response.flags & dns.flags.CD
    assert str(response.question[0].name) == str(response.answer[0].name) == "WwW.a.CoM."


def test_it_asks_without_rd() -> None:
    found = World().resolve("www.a.com")
    assert not any(exchange.query.flags & dns.flags.RD for exchange in found.exchanges)


def test_a_second_question_is_answered_from_the_cache_with_what_is_left_of_the_ttl() -> None:
    world = World()
    world.resolve("www.a.com")
    world.now += 100
    found = world.resolve("www.a.com")
    assert not world.asked and found.response.answer[0].ttl == 200
    assert found.hops[0].verdict.code == "CACHED"


@pytest.mark.parametrize(("later", "asked"), [(299, 0), (300, 0), (300.9, 0), (301, 1)])
def test_an_entry_is_still_answered_in_the_second_that_it_expires_as_unbound(later: float, asked: int) -> None:
    world = World()
    world.resolve("www.a.com")
    world.now += later
    world.resolve("www.a.com")
    assert len(world.asked) == asked


def test_what_the_cache_knows_of_the_way_shortens_it() -> None:
    world = World()
    world.resolve("www.a.com")
    world.resolve("nope.a.com")
    assert world.addresses() == [A_COM]


def test_a_ttl_of_zero_is_not_cached() -> None:
    world = World()
    assert world.resolve("zero.a.com").response.answer[0].ttl == 0
    world.resolve("zero.a.com")
    assert world.addresses() == [A_COM]


def test_a_ttl_is_capped_at_a_day() -> None:
    assert World().resolve("long.a.com").response.answer[0].ttl == 86_400


@pytest.mark.parametrize(
    ("name", "rdtype", "code"),
    [("nope.a.com", "A", "NXDOMAIN"), ("www.a.com", "TXT", "NODATA"), ("non.terminal.a.com", "A", "NODATA")],
)
def test_a_negative_answer_carries_the_soa_and_is_cached_for_its_minimum(name: str, rdtype: str, code: str) -> None:
    world = World()
    found = world.resolve(name, rdtype)
    assert (found.code, found.response.authority[0].ttl) == (code, 30)
    world.now += 30
    assert world.resolve(name, rdtype).response.authority[0].ttl == 0 and not world.asked
    world.now += 1
    world.resolve(name, rdtype)
    assert world.asked


def test_negative_answers_are_cached_for_an_hour_at_most() -> None:
    world = World(ResolverConfig(max_negative_ttl=10))
    assert world.resolve("nope.a.com").response.authority[0].ttl == 10


def test_the_soa_of_a_negation_and_the_soa_asked_for_are_kept_apart_as_unbound() -> None:
    world = World()
    world.resolve("a.com", "SOA")
    world.resolve("nope.a.com")
    assert world.resolve("nope.a.com").response.authority[0].ttl == 30
    assert world.resolve("a.com", "SOA").response.answer[0].ttl == 600


def test_below_a_missing_name_it_asks_again_unless_told_that_nothing_can_be_there() -> None:
    for cut, asked in ((False, [A_COM]), (True, [])):
        world = World(ResolverConfig(nxdomain_cut=cut))
        world.resolve("nope.a.com")
        assert rcode(world.resolve("below.nope.a.com")) == "NXDOMAIN"
        assert world.addresses() == asked


def test_a_name_server_of_another_zone_is_looked_up_on_the_side() -> None:
    world = World()
    found = world.resolve("www.b.com")
    assert (NET, "ns.b.net.", "A", False) in world.asked, told(found)
    assert lines(found.response.answer) == ["www.b.com. 50 IN A 203.0.113.50"]


def test_a_cname_is_followed_across_zones() -> None:
    found = World().resolve("alias.a.com")
    assert lines(found.response.answer) == ["alias.a.com. 100 IN CNAME www.b.com.", "www.b.com. 50 IN A 203.0.113.50"]


def test_each_link_of_a_chain_ages_by_itself() -> None:
    world = World()
    world.resolve("alias.a.com")
    world.now += 60
    found = world.resolve("alias.a.com")
    assert [rrset.ttl for rrset in found.response.answer] == [40, 50]
    assert world.addresses() == [B_COM]


def test_a_cname_loop_ends_in_servfail_after_eleven_restarts() -> None:
    world = World()
    assert rcode(world.resolve("loop.a.com")) == "SERVFAIL"
    assert len(world.asked) < 20


def test_in_a_loop_an_alias_is_followed_once_so_one_name_is_asked_for_till_the_end_as_unbound() -> None:
    """A DS record's alias isn't taken from the cache, so here it shows."""
    world = World()
    assert rcode(world.resolve("loop.a.com", "DS")) == "SERVFAIL"
    names = [name for address, name, *_ in world.asked if address in (A_COM, B_COM)]
    assert names == ["loop.a.com.", "loop.b.com.", *["loop.a.com."] * 10]


def test_name_servers_that_only_know_each_other_end_in_servfail() -> None:
    world = World()
    found = world.resolve("www.x.com")
    assert rcode(found) == "SERVFAIL", told(found)
    assert len(world.asked) < 60


def test_a_name_server_whose_name_does_not_exist_ends_in_servfail() -> None:
    world = World()
    assert rcode(world.resolve("www.lost.com")) == "SERVFAIL"


def test_a_failure_is_remembered_for_five_seconds() -> None:
    world = World()
    world.says(A_COM, "SERVFAIL")
    world.resolve("www.a.com")
    world.now += 5
    assert rcode(world.resolve("www.a.com")) == "SERVFAIL" and not world.asked
    world.now += 1
    world.resolve("www.a.com")
    assert world.asked


def test_a_dname_is_followed_and_its_cname_made() -> None:
    found = World().resolve("www.moved.a.com")
    assert lines(found.response.answer) == [
        "moved.a.com. 200 IN DNAME b.com.",
        "www.moved.a.com. 200 IN CNAME www.b.com.",
        "www.b.com. 50 IN A 203.0.113.50",
    ]


def test_a_missing_cname_behind_a_dname_is_made_with_ttl_zero() -> None:
    world = World()

    def without(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message:
        response.answer = response.answer[:1]
        return response

    world.tamper(A_COM, without)
    answer = world.resolve("www.moved.a.com").response.answer
    assert [(rrset.rdtype.name, rrset.ttl) for rrset in answer] == [("DNAME", 200), ("CNAME", 0), ("A", 50)]


def test_a_wildcard_is_an_answer_like_any_other() -> None:
    assert lines(World().resolve("any.wild.a.com").response.answer) == ["any.wild.a.com. 60 IN A 203.0.113.7"]


def poisoned(section: str, *records: str) -> World:
    world = World()

    def add(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message:
        for record in records:
            name, ttl, rdtype, data = record.split(" ", 3)
            getattr(response, section).append(dns.rrset.from_text(name, int(ttl), "IN", rdtype, data))
        return response

    world.tamper(A_COM, add)
    return world


@pytest.mark.parametrize("section", ["answer", "authority", "additional"])
def test_what_a_server_says_about_another_zone_is_not_believed(section: str) -> None:
    world = poisoned(section, "www.b.com. 9999 A 66.66.66.66", "b.com. 9999 NS ns.a.com.")
    world.resolve("www.a.com")
    assert lines(world.resolve("www.b.com").response.answer) == ["www.b.com. 50 IN A 203.0.113.50"]


def test_glue_that_nothing_names_is_dropped_and_the_hop_says_why() -> None:
    world = poisoned("additional", "other.a.com. 9999 A 66.66.66.66")
    found = world.resolve("www.a.com")
    steps = [step for hop in found.hops for step in hop.steps if "66.66.66.66" in step.rule]
    assert steps and not steps[0].matched and "names it" in steps[0].why


def test_glue_is_never_an_answer() -> None:
    world = World()
    world.resolve("www.a.com")
    assert lines(world.resolve("ns.a.com").response.answer) == [f"ns.a.com. 600 IN A {A_COM}"]
    assert world.addresses() == [A_COM]


def test_only_a_referral_may_bring_ns_records() -> None:
    world = poisoned("authority", "a.com. 9999 NS ns.evil.com.")
    world.resolve("www.a.com")
    assert [str(datum) for datum in world.resolve("a.com", "NS").response.answer[0]] == ["ns.a.com."]


@pytest.mark.parametrize("answer", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR", "silence", "lame", "upwards"])
def test_a_useless_server_is_passed_over_for_the_next(answer: str) -> None:
    world = World(more={COM: "a.com. 3600 IN NS ns2.a.com.\nns2.a.com. 3600 IN A 192.0.2.11\n"})
    world.servers["192.0.2.11"] = server(A_COM)
    if answer == "silence":
        world.silence(A_COM)
    elif answer in ("lame", "upwards"):
        refer(world, A_COM, {"lame": "com.", "upwards": "."}[answer])
    else:
        world.says(A_COM, answer)
    found = world.resolve("www.a.com")
    assert rcode(found) == "NOERROR" and world.addresses()[-1] == "192.0.2.11", told(found)


def refer(world: World, address: str, zone: str, *, to: str = "ns.elsewhere.net.", section: str = "authority") -> None:
    """Have a server answer with nothing but who serves a zone."""

    def change(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message:
        made = dns.message.make_response(query)
        getattr(made, section).append(dns.rrset.from_text(zone, 60, "IN", "NS", to))
        return made

    world.tamper(address, change)


def test_a_lame_server_is_remembered() -> None:
    world = World()
    refer(world, A_COM, ".")
    found = world.resolve("www.a.com")
    assert "LAME" in [exchange.code for exchange in found.exchanges]
    world.now += 10
    world.resolve("other.a.com")
    assert A_COM not in world.addresses()


def test_a_server_that_answers_from_a_cache_of_its_own_is_asked_to_recurse_at_last() -> None:
    world = World()

    def recursive(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message:
        response.flags = (response.flags | dns.flags.RA) & ~dns.flags.AA
        return response

    world.tamper(A_COM, recursive)
    found = world.resolve("nope.a.com")
    assert rcode(found) == "NXDOMAIN", told(found)
    assert found.exchanges[-1].query.flags & dns.flags.RD


def test_a_silent_server_is_asked_five_times_and_then_left_alone_for_a_while() -> None:
    world = World()
    world.silence(A_COM)
    found = world.resolve("www.a.com")
    assert rcode(found) == "SERVFAIL"
    assert [exchange.code for exchange in found.exchanges].count("TIMEOUT") >= 5
    assert len(world.asked) < 40


def test_a_silent_internet_is_servfail() -> None:
    world = World()
    world.silence(ROOT)
    assert rcode(world.resolve("www.a.com")) == "SERVFAIL"


def test_a_server_that_does_not_know_edns_is_asked_without_it() -> None:
    world = World()

    def old(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message:
        if query.edns >= 0:
            response = dns.message.make_response(query)
            response.use_edns(False)
            response.set_rcode(dns.rcode.FORMERR)
        return response

    world.tamper(A_COM, old)
    found = world.resolve("www.a.com")
    assert [exchange.query.edns for exchange in found.exchanges[-2:]] == [0, -1], told(found)
    assert world.resolve("nope.a.com").exchanges[0].query.edns == -1


def test_a_truncated_answer_is_fetched_over_tcp() -> None:
    world = World()
    found = world.resolve("big.a.com", use_edns=0, payload=4096)
    assert [exchange.code for exchange in found.exchanges[-2:]] == ["TRUNCATED", "NOERROR"]
    assert world.asked[-1] == (A_COM, "big.a.com.", "A", True)
    assert found.response.flags & dns.flags.TC


def test_a_client_that_comes_over_tcp_gets_all() -> None:
    world = World()
    found = world.resolver.resolve(dns.message.make_query("big.a.com", "A"), world.cache, 0, tcp=True)
    assert len(found.response.answer[0]) == 120 and not found.response.flags & dns.flags.TC


@pytest.mark.parametrize("what", ["id", "name", "type", "none", "query"])
def test_an_answer_to_another_question_is_not_taken(what: str) -> None:
    world = World()

    def wrong(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message:
        if what == "id":
            response.id = (response.id + 1) % 65536
        elif what == "query":
            response.flags &= ~dns.flags.QR
        else:
            other = dns.message.make_query(
                "x.a.com" if what == "name" else "www.a.com", "A" if what == "name" else "MX"
            )
            response.question = [] if what == "none" else other.question
        return response

    world.tamper(A_COM, wrong)
    assert rcode(world.resolve("www.a.com")) == "SERVFAIL"


def test_ds_is_asked_at_the_parent() -> None:
    world = World()
    world.resolve("www.a.com")
    found = world.resolve("a.com", "DS")
    assert world.addresses() == [COM], told(found)
    assert lines(found.response.authority)[0].startswith("com. 60 IN SOA")


def test_the_parents_servers_are_tried_when_the_childs_own_fail() -> None:
    world = World(more={A_COM: "a.com. 600 IN NS gone.a.com.\n"})
    world.resolve("a.com", "NS")
    moved = world.servers.pop(A_COM)
    world.servers[COM] = server(COM, "a.com. 3600 IN NS new.a.com.\nnew.a.com. 3600 IN A 192.0.2.12\n")
    world.servers["192.0.2.12"] = moved
    found = world.resolve("www.a.com")
    assert rcode(found) == "NOERROR" and "192.0.2.12" in world.addresses(), told(found)


def test_a_zone_whose_delegation_has_expired_above_is_not_kept_alive_by_its_child() -> None:
    world = World(more={ROOT: "short. 10 IN NS ns.com.\n"})
    world.resolve("www.a.com")
    world.now += 3601
    world.resolve("www.a.com")
    assert world.addresses()[:2] == [ROOT, COM]


def test_any_choice_of_server_gives_the_same_answer() -> None:
    def experiment(choose: object) -> tuple[str, str]:
        world = World(more={COM: "a.com. 3600 IN NS ns2.a.com.\nns2.a.com. 3600 IN A 192.0.2.11\n"})
        world.servers["192.0.2.11"] = server(A_COM)
        found = world.resolve("www.a.com", choose=choose)  # type: ignore[arg-type]
        return world.addresses()[-1], lines(found.response.answer)[0]

    found = list(outcomes(experiment))
    assert {outcome.result[0] for outcome in found} == {A_COM, "192.0.2.11"}
    assert len({outcome.result[1] for outcome in found}) == 1


def test_a_stub_zone_is_asked_where_the_operator_says() -> None:
    world = World()
    world.resolver = Resolver(HINTS, world.send, stubs={"a.com": {"inside.": ["192.0.2.77"]}})
    world.servers["192.0.2.77"] = server(A_COM)
    world.resolve("www.a.com")
    assert world.addresses()[-1] == "192.0.2.77" and A_COM not in world.addresses()
    world.silence("192.0.2.77")
    assert rcode(world.resolve("other.a.com")) == "SERVFAIL"


def odd(**change: object) -> dns.message.Message:
    query = dns.message.make_query("www.a.com", "A")
    for field, value in change.items():
        setattr(query, field, value)
    return query


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (odd(question=[]), "FORMERR"),
        (odd(flags=dns.flags.QR), "FORMERR"),
        (odd(answer=[dns.rrset.from_text("a.com.", 1, "IN", "A", "1.2.3.4")]), "FORMERR"),
        (dns.message.make_query("www.a.com", "TYPE128"), "FORMERR"),
        (dns.message.make_query("www.a.com", "AXFR"), "REFUSED"),
        (dns.message.make_query("www.a.com", "A", rdclass="CH"), "REFUSED"),
        (dns.message.make_query("www.a.com", "A", use_edns=1), "BADVERS"),
        (odd(flags=0), "REFUSED"),
    ],
)
def test_a_query_that_is_not_one_is_turned_away(query: dns.message.Message, wanted: str) -> None:
    world = World()
    assert rcode(world.resolver.resolve(query, world.cache, 0)) == wanted
    assert not world.asked


def test_an_unknown_opcode_is_not_implemented() -> None:
    query = odd()
    query.set_opcode(dns.opcode.STATUS)
    assert rcode(World().resolver.resolve(query, Cache(), 0)) == "NOTIMP"


def test_without_rd_a_trusted_client_gets_the_cached_answer_or_the_closest_delegation() -> None:
    world = World(ResolverConfig(snoop=True))
    primed = world.resolver.resolve(odd(flags=0), world.cache, world.now)
    assert lines(primed.response.answer) == [". 86400 IN NS a.root."]
    world.resolve("www.a.com")
    world.asked.clear()
    assert world.resolver.resolve(odd(flags=0), world.cache, world.now).response.answer
    other = dns.message.make_query("other.a.com", "A")
    other.flags = dns.flags.Flag(0)
    found = world.resolver.resolve(other, world.cache, world.now)
    assert found.code == "REFERRAL" and not world.asked
    assert lines(found.response.authority) == ["a.com. 3600 IN NS ns.a.com."]


def test_any_is_answered_from_the_answers_in_the_cache() -> None:
    world = World()
    world.resolve("www.a.com")
    assert [rrset.rdtype.name for rrset in world.resolve("www.a.com", "ANY").response.answer] == ["A"]
    assert not world.asked


def test_a_copy_of_the_cache_goes_its_own_way() -> None:
    world = World()
    before = world.cache.copy()
    world.resolve("www.a.com")
    assert not list(before) and list(world.cache)
    world.cache.expire(10**9)
    assert not list(world.cache)


def test_hints_are_read_from_a_master_file() -> None:
    text = ".  3600000  NS  A.ROOT-SERVERS.NET.\nA.ROOT-SERVERS.NET. 3600000 A 198.41.0.4\n"
    assert hints_from_text(text) == {"a.root-servers.net.": ("198.41.0.4",)}


def test_hints_that_cannot_be_read_are_bad_input() -> None:
    with pytest.raises(InputError, match="hints"):
        hints_from_text(". NS")


def test_hints_without_an_address_are_no_use() -> None:
    with pytest.raises(WorldError, match="no address"):
        Resolver({"a.root.": []}, World().send)


def test_limits_are_not_negative() -> None:
    with pytest.raises(InputError, match="max_ttl"):
        ResolverConfig(max_ttl=-1)


NAMES = [
    "www.a.com",
    "alias.a.com",
    "www.moved.a.com",
    "nope.a.com",
    "www.b.com",
    "zero.a.com",
    "a.com",
    "x.wild.a.com",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["A", "NS", "TXT"]), st.integers(0, 90)), max_size=8))
def test_a_cached_answer_equals_a_fresh_one_but_for_its_ttl(steps: list[tuple[str, str, int]]) -> None:
    world = World()
    for name, rdtype, later in steps:
        world.now += later
        cached, fresh = world.resolve(name, rdtype), World().resolve(name, rdtype)
        assert rcode(cached) == rcode(fresh), told(cached)
        assert [rrset.to_rdataset() for rrset in cached.response.answer] == [
            rrset.to_rdataset() for rrset in fresh.response.answer
        ]
        assert all(
            mine.ttl <= other.ttl for mine, other in zip(cached.response.answer, fresh.response.answer, strict=True)
        )


def many_missing(count: int) -> World:
    """a.com delegated to many names that don't exist (the NXNS attack)."""
    servers = "".join(f"evil.com. 3600 IN NS n{i}.a.com.\n" for i in range(count))
    return World(more={COM: servers})


def test_a_zone_with_many_name_servers_that_do_not_exist_costs_bounded_work() -> None:
    world = many_missing(60)
    found = world.resolve("www.evil.com")
    assert rcode(found) == "SERVFAIL", told(found)
    assert len(world.asked) < 20


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (ResolverConfig(max_depth=0), "deep"),
        (ResolverConfig(max_referrals=0), "referrals"),
        (ResolverConfig(max_zone_lookups=0, max_missing=99), "looked up"),
    ],
)
def test_every_limit_ends_in_servfail_and_says_which(config: ResolverConfig, why: str) -> None:
    world = many_missing(9)
    world.resolver = Resolver(HINTS, world.send, config)
    found = world.resolve("www.evil.com")
    assert rcode(found) == "SERVFAIL" and why in told(found)


def test_queries_to_one_zone_are_limited() -> None:
    more = "".join(f"a.com. 3600 IN NS n{i}.a.com.\nn{i}.a.com. 3600 IN A 192.0.2.{100 + i}\n" for i in range(9))
    world = World(ResolverConfig(max_sent=3), {COM: more})
    world.silence(A_COM)
    found = world.resolve("www.a.com")
    assert rcode(found) == "SERVFAIL" and "queries to one zone" in told(found)


def test_a_dname_too_long_for_the_name_is_told_to_the_client() -> None:
    label = "l" * 60
    world = World(more={A_COM: f"far.a.com. 60 IN DNAME {label}.{label}.{label}.com.\n"})
    assert rcode(world.resolve(f"{label}.{label}.far.a.com")) == "YXDOMAIN"


def test_ds_of_a_zone_whose_parent_shares_its_servers_is_asked_at_the_parent_as_unbound() -> None:
    world = World(more={A_COM: "deep.a.com. 60 IN NS ns.a.com.\n"})
    child = "x.deep.a.com. 60 IN SOA ns.a.com. x. 1 2 3 4 5\nx.deep.a.com. 60 IN NS ns.a.com.\n"

    def confused(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message:
        if query.question[0].rdtype == 43:
            response.authority = [
                dns.rrset.from_text("x.deep.a.com.", 60, "IN", "SOA", child.split("SOA ")[1].split("\n")[0])
            ]
            response.answer = []
        return response

    world.tamper(A_COM, confused)
    found = world.resolve("x.deep.a.com", "DS")
    assert (A_COM, "deep.a.com.", "NS", False) in world.asked, told(found)


def test_the_steps_of_an_exchange_say_what_was_asked_and_what_was_silence() -> None:
    world = World()
    world.silence(ROOT)
    hop = world.resolve("www.a.com").hops[0]
    assert [step.rule for step in hop.steps] == [". IN NS"]


def test_the_steps_of_a_cache_hit_are_the_records() -> None:
    world = World()
    world.resolve("www.a.com")
    assert "203.0.113.1" in world.resolve("www.a.com").hops[0].steps[0].rule


def test_a_referral_that_leads_no_closer_is_of_no_use() -> None:
    world = World()
    refer(world, A_COM, "other.a.com.", to="ns.a.com.", section="answer")
    assert rcode(world.resolve("www.a.com", "NS")) in ("SERVFAIL", "NOERROR")
    assert len(world.asked) < 40


def test_glue_from_elsewhere_leads_to_a_server_where_the_operator_lets_it() -> None:
    more = {COM: "c.com. 3600 IN NS ns.c.net.\n"}
    for harden in (True, False):
        world = World(ResolverConfig(harden_glue=harden), more)

        def add(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message:
            response.additional.append(dns.rrset.from_text("ns.c.net.", 60, "IN", "A", B_COM))
            return response

        world.tamper(COM, add)
        world.resolve("www.c.com")
        assert (world.addresses()[3] == B_COM) == (not harden)


def test_with_ipv6_a_server_is_reached_at_either_kind_of_address() -> None:
    world = World(
        ResolverConfig(ipv6=True), {COM: "six.com. 60 IN NS ns.six.com.\nns.six.com. 60 IN AAAA 2001:db8::6\n"}
    )
    world.servers["2001:db8::6"] = server(A_COM)
    world.resolve("www.six.com")
    assert "2001:db8::6" in world.addresses()


def test_the_root_hints_are_the_safety_belt_when_the_cache_knows_no_address_of_the_root() -> None:
    world = World(more={ROOT: "b.root. 9 IN A 192.0.2.99\n"})
    world.resolve("www.a.com")
    for key in [key for key in world.cache.sets if key[1].name == "A"]:
        del world.cache.sets[key]
    world.cache.messages.clear()
    assert rcode(world.resolve("www.a.com")) == "NOERROR"
    assert world.addresses()[0] == ROOT


def test_names_of_servers_that_do_not_exist_are_not_looked_up_without_end_from_the_cache_either() -> None:
    world = many_missing(30)
    world.resolve("evil.com", "NS")
    world.now += 10
    found = world.resolve("other.evil.com")
    assert rcode(found) == "SERVFAIL", told(found)
    assert len(world.asked) < 40
