"""Whom a resolver asks, what for and how often; where a case says unbound, unbound 1.17.1 asked the same."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from dns.name import from_text
from dns.rdatatype import RdataType

from netpath.choice import first
from netpath.errors import InputError
from netpath.resolution import Resolver, ResolverConfig, hints_from_text
from netpath.resolution.asking import Effort, Setting
from netpath.resolution.cache import Cache
from netpath.resolution.delegation import Delegation
from netpath.resolution.exchange import Log
from netpath.resolution.iteration import Iteration
from netpath.resolution.records import Records, from_rrset, key_of
from tests.dns_world import A_COM, B_COM, COM, HINTS, NET, ROOT, World, rcode, server, told

A = RdataType.A


def asked(world: World) -> list[tuple[str, str]]:
    return [(name, rdtype) for _, name, rdtype, _ in world.asked]


def address(name: str, text: str, rdtype: str = "A") -> Records:
    return from_rrset(dns.rrset.from_text(name, 60, "IN", rdtype, text))


def refusing(query: dns.message.Message, tcp: bool) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.REFUSED)
    return response


# Names of name servers ------------------------------------------------------------------------------


def test_glue_that_is_nowhere_is_asked_for_once_as_long_as_the_delegation_lasts_as_unbound() -> None:
    world = World(more={COM: "bare.com. 3600 IN NS ns.bare.com.\n"})
    world.resolve("www.bare.com")
    assert asked(world).count(("ns.bare.com.", "A")) == 2  # for its address, then for the parent's glue
    world.now += 6
    assert rcode(world.resolve("other.bare.com")) == "SERVFAIL"
    assert asked(world).count(("ns.bare.com.", "A")) == 1


def test_a_name_servers_name_may_be_an_alias() -> None:
    world = World(more={COM: "odd.com. 3600 IN NS ns.a.com.\n", A_COM: "ns.odd.a.com. 60 IN CNAME ns.a.com.\n"})
    world.servers[COM] = server(COM, "odd.com. 3600 IN NS ns.odd.a.com.\n")
    world.resolve("www.odd.com")
    assert ("ns.odd.a.com.", "A") in asked(world) and A_COM in world.addresses()


def test_a_name_server_whose_absence_is_cached_costs_nothing() -> None:
    world = World(
        more={COM: "odd.com. 3600 IN NS alias.odd.a.com.\n", A_COM: "alias.odd.a.com. 60 IN CNAME no.b.com.\n"}
    )
    world.resolve("no.b.com")
    assert rcode(world.resolve("www.odd.com")) == "SERVFAIL"


def test_the_parents_glue_is_the_last_resort_when_the_child_gives_a_wrong_address() -> None:
    world = World(more={A_COM: "lies.a.com. 60 IN TXT x\n"})
    world.silence("192.0.2.99")

    def lying(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message:
        if str(query.question[0].name) == "ns.a.com." and world.now == 1000:
            response.answer = [dns.rrset.from_text("ns.a.com.", 600, "IN", "A", "192.0.2.99")]
        return response

    world.tamper(A_COM, lying)
    world.resolve("ns.a.com")
    world.now += 1
    found = world.resolve("www.a.com")
    assert rcode(found) == "NOERROR" and "192.0.2.99" in world.addresses(), told(found)


def test_every_server_gets_its_turn_but_the_cache_is_not_searched_for_glue_without_end() -> None:
    names = [f"ns{i}.a.com" for i in range(9)]
    com = "".join(f"many.com. 3600 IN NS {name}.\n" for name in names)
    addresses = "".join(f"{name}. 600 IN A 192.0.2.{200 + i}\n" for i, name in enumerate(names))
    world = World(ResolverConfig(max_sent=500, max_zone_lookups=500), {COM: com, A_COM: addresses})
    world.servers.update({f"192.0.2.{200 + i}": refusing for i in range(9)})
    assert rcode(world.resolve("www.many.com")) == "SERVFAIL"
    assert {f"192.0.2.{200 + i}" for i in range(9)} <= set(world.addresses())


def test_lookups_for_lookups_are_limited() -> None:
    world = World(
        ResolverConfig(max_lookups=0), {COM: "d.com. 60 IN NS ns.d.net.\n", NET: "d.net. 60 IN NS www.b.com.\n"}
    )
    found = world.resolve("www.d.com")
    assert rcode(found) == "SERVFAIL" and "name servers' names looked up" in told(found)


def test_after_too_many_missing_names_the_same_zones_servers_are_not_looked_up_again() -> None:
    delegation = Delegation(from_text("a.com."), (A,))
    delegation.add_server(from_text("ns.b.net."))
    effort = Effort(missing=6, gave_up_at=delegation.key)
    root = Delegation(from_text("."), (A,))
    setting = Setting(ResolverConfig(), root, {}, Cache(), 0, lambda *_: None, first, Log(), effort=effort)
    work = Iteration(setting, from_text("www.a.com."), A)
    work.delegation = delegation
    work.ask()
    assert not delegation.missing


def test_addresses_of_strangers_and_of_kinds_out_of_use_are_no_targets() -> None:
    delegation = Delegation(from_text("a.com."), (A,))
    delegation.add_server(from_text("ns.a.com."))
    assert not delegation.add_addresses(address("ns.b.com.", "192.0.2.1"))
    assert not delegation.add_addresses(address("ns.a.com.", "2001:db8::1", "AAAA"))
    assert not delegation.targets and delegation.missing


def test_servers_that_only_they_themselves_could_tell_the_address_of_are_useless() -> None:
    delegation = Delegation(from_text("a.com."), (A,))
    delegation.add_server(from_text("ns.a.com."))
    delegation.add_server(from_text("ns.b.net."))
    assert delegation.is_useless(from_text("ns.a.com."), A)
    assert not delegation.is_useless(from_text("www.a.com."), A)


# Stub zones -----------------------------------------------------------------------------------------


def stubbed(zone: str, at: str, more: dict[str, str]) -> World:
    world = World(more=more)
    world.resolver = Resolver(HINTS, world.send, stubs={zone: {"inside.": [at]}})
    return world


def test_a_stub_zone_whose_cached_servers_lead_nowhere_is_asked_at_its_stub() -> None:
    world = stubbed("a.com", A_COM, {})

    def bare(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message:
        response.additional = []
        return response

    world.tamper(A_COM, bare)
    world.resolve("a.com", "NS")
    assert rcode(world.resolve("www.a.com")) == "NOERROR"
    assert set(world.addresses()) == {A_COM}


def test_glue_is_not_sought_above_a_stub_zone() -> None:
    world = stubbed("b.com", B_COM, {COM: "c.com. 60 IN NS www.b.com.\nd.com. 60 IN NS b.com.\n"})
    world.servers["203.0.113.50"] = refusing
    world.resolve("b.com", "NS")
    assert rcode(world.resolve("x.c.com")) == rcode(world.resolve("x.d.com")) == "SERVFAIL"
    assert {where for where, name, *_ in world.asked if name.endswith("b.com.")} == {B_COM}


# DS, and other oddities -----------------------------------------------------------------------------

DS = "12345 8 2 " + "AB" * 32


def test_a_ds_record_is_an_answer_and_an_alias_has_none() -> None:
    world = World(more={COM: f"a.com. 3600 IN DS {DS}\n"})
    assert world.resolve("a.com", "DS").response.answer
    world.resolve("alias.a.com")
    assert world.resolve("alias.a.com", "DS").response.answer[0].rdtype == RdataType.CNAME


@pytest.mark.parametrize(("depth", "wanted"), [(4, "NOERROR"), (0, "SERVFAIL")])
def test_a_ds_behind_a_cut_that_no_referral_showed_is_found_by_asking_for_its_servers(depth: int, wanted: str) -> None:
    world = World(ResolverConfig(max_depth=depth), {COM: f"k.com. 60 IN NS ns.com.\nm.k.com. 60 IN DS {DS}\n"})

    def hiding(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message:
        name, kind = str(query.question[0].name), query.question[0].rdtype
        made = dns.message.make_response(query)
        made.flags |= dns.flags.AA
        if (name, kind) == ("k.com.", RdataType.NS):
            made.answer = [dns.rrset.from_text("k.com.", 60, "IN", "NS", "ns.com.")]
            return made
        if name == "m.k.com.":
            asked_for_servers = ("k.com.", "NS") in asked(world)
            made.answer = [dns.rrset.from_text(name, 60, "IN", "DS", DS)] if asked_for_servers else []
            made.authority = [] if made.answer else [dns.rrset.from_text("k.com.", 60, "IN", "SOA", "a. b. 1 2 3 4 5")]
            return made
        return response

    world.tamper(COM, hiding)
    found = world.resolve("m.k.com", "DS")
    if depth:
        assert found.response.answer, told(found)
    else:
        assert ("k.com.", "NS") not in asked(world), told(found)


def test_root_servers_that_do_not_name_themselves_are_no_root_servers() -> None:
    world = World()

    def silent_about_itself(
        query: dns.message.Message, response: dns.message.Message, tcp: bool
    ) -> dns.message.Message:
        if query.question[0].rdtype == RdataType.NS:
            response.answer, response.additional = [], []
        return response

    world.tamper(ROOT, silent_about_itself)
    assert rcode(world.resolve("www.a.com")) == "SERVFAIL"


@pytest.mark.parametrize("where", ["answer", "authority"])
def test_ns_records_of_the_zone_itself_are_no_referral(where: str) -> None:
    world = World(ResolverConfig(scrub_promiscuous=False))

    def turning(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message:
        made = dns.message.make_response(query)
        made.authority = [dns.rrset.from_text("a.com.", 60, "IN", "NS", "ns.a.com.")]
        if where == "answer":
            made.answer = [dns.rrset.from_text("x.a.com.", 60, "IN", "NS", "ns.a.com.")]
        return made

    world.tamper(A_COM, turning)
    found = world.resolve("x.a.com", "NS")
    assert rcode(found) == "SERVFAIL" and "LAME" in told(found), told(found)


def test_a_truncated_answer_that_tcp_does_not_give_either_is_silence() -> None:
    world = World()

    def cut(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message | None:
        response.flags |= dns.flags.TC
        return None if tcp else response

    world.tamper(A_COM, cut)
    assert rcode(world.resolve("www.a.com")) == "SERVFAIL"
    assert [tcp for where, _, _, tcp in world.asked if where == A_COM][:2] == [False, True]


def test_answers_to_aaaa_with_and_without_cd_are_kept_apart_as_unbound() -> None:
    world = World()
    world.resolve("www.a.com", "AAAA")
    query = dns.message.make_query("www.a.com", "AAAA")
    query.flags |= dns.flags.CD
    world.asked.clear()
    world.resolver.resolve(query, world.cache, world.now)
    assert asked(world) == [("www.a.com.", "AAAA")]


def test_a_client_that_sets_cd_can_wait_for_itself() -> None:
    world = World(more={COM: "bare.com. 60 IN NS ns.bare.com.\n"})
    query = dns.message.make_query("ns.bare.com", "A")
    query.flags |= dns.flags.CD
    world.resolver.resolve(query, world.cache, world.now)
    assert asked(world).count(("ns.bare.com.", "A")) == 2


def test_hints_may_hold_other_records_but_no_names_that_are_none() -> None:
    text = '. NS a.root.\na.root. A 192.0.2.1\na.root. TXT "x"\n'
    assert hints_from_text(text) == {"a.root.": ("192.0.2.1",)}
    with pytest.raises(InputError):
        Resolver({"a..b": ["192.0.2.1"]}, lambda *_: None)


def test_an_error_without_a_question_is_taken_for_an_error() -> None:
    world = World()

    def curt(query: dns.message.Message, response: dns.message.Message, tcp: bool) -> dns.message.Message:
        made = refusing(query, tcp)
        made.question = []
        return made

    world.tamper(A_COM, curt)
    assert "REFUSED" in told(world.resolve("www.a.com"))


def test_a_chain_ends_at_an_answer_that_is_cached() -> None:
    world = World()
    world.resolve("www.b.com")
    found = world.resolve("alias.a.com")
    assert rcode(found) == "NOERROR" and B_COM not in world.addresses() and len(found.response.answer) == 2


def test_keys_name_the_zone_in_small_letters() -> None:
    assert key_of(from_text("A.Com.")) == (b"a", b"com", b"")
