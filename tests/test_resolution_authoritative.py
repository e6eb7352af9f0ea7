"""The authoritative server. Where a case says nsd, nsd 4.6.1 was asked the same and answered so."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.name
import dns.node
import dns.opcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rrset
import dns.zone
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netpath.choice import outcomes
from netpath.errors import InputError, WorldError
from netpath.resolution import Alias, AuthoritativeServer
from netpath.resolution.records import parse_name
from netpath.resolution.zones import ZoneIndex
from tests.dns_world import lines

EXAMPLE = """
@ 3600 IN SOA ns1 admin 1 7200 900 1209600 300
@ 3600 NS ns1
@ 3600 NS ns.other.net.
@ 3600 MX 10 mail
ns1 3600 A 192.0.2.1
mail 300 A 192.0.2.2
www 300 A 192.0.2.3
www 300 A 192.0.2.4
www 300 A 192.0.2.5
alias 60 CNAME www
away 60 CNAME www.elsewhere.org.
loop1 60 CNAME loop2
loop2 60 CNAME loop1
dangling 60 CNAME nothing
deep.er.and.deeper 60 TXT "leaf"
* 120 TXT "wild"
*.wild 120 A 192.0.2.9
host.wild 120 TXT "here"
*.also 120 CNAME www
sub 600 NS ns.sub
sub 600 NS ns1.peer
sub 600 DS 12345 8 2 ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB
ns.sub 600 A 192.0.2.20
hidden.sub 600 A 192.0.2.66
peer 600 NS ns1.peer
ns1.peer 600 A 192.0.2.21
old 240 DNAME new
a.new 240 A 192.0.2.30
turn 240 DNAME under.turn
_http._tcp 60 SRV 0 0 80 www
"""
CHILD = """
@ 50 IN SOA ns.child admin 1 2 3 4 5
@ 50 NS ns
ns 50 A 192.0.2.40
"""


def zone(text: str, origin: str = "example.com.") -> dns.zone.Zone:
    return dns.zone.from_text(text, origin=origin, check_origin=False)


SERVER = AuthoritativeServer([zone(EXAMPLE)], name="ns1")


def ask(name: str, rdtype: str = "A", server: AuthoritativeServer = SERVER, **options: object) -> dns.message.Message:
    query = dns.message.make_query(name, rdtype, **options)  # type: ignore[arg-type]
    return server.respond(query)


def rcode(response: dns.message.Message) -> str:
    return response.rcode().name


def authoritative(response: dns.message.Message) -> bool:
    return bool(response.flags & dns.flags.AA)


def test_an_answer_is_authoritative_and_names_the_zones_servers() -> None:
    response = ask("mail.example.com")
    assert authoritative(response)
    assert lines(response.answer) == ["mail.example.com. 300 IN A 192.0.2.2"]
    assert lines(response.authority)[0] == "example.com. 3600 IN NS ns1.example.com."
    assert lines(response.additional) == ["ns1.example.com. 3600 IN A 192.0.2.1"]


def test_a_minimal_server_leaves_the_authority_section_empty() -> None:
    response = ask("mail.example.com", server=AuthoritativeServer([zone(EXAMPLE)], minimal=True))
    assert not response.authority and not response.additional


def test_the_answer_is_spelt_as_the_question() -> None:
    assert str(ask("MaIl.Example.COM").answer[0].name) == "MaIl.Example.COM."


def test_rd_is_copied_and_ra_never_set() -> None:
    flags = ask("mail.example.com").flags
    assert flags & dns.flags.RD and not flags & dns.flags.RA


@pytest.mark.parametrize("name", ["er.and.deeper.example.com", "deeper.example.com", "mail.example.com"])
def test_a_name_without_that_type_is_nodata_also_an_empty_non_terminal(name: str) -> None:
    response = ask(name, "AAAA")
    assert (rcode(response), response.answer) == ("NOERROR", [])
    assert lines(response.authority)[0].startswith("example.com. 300 IN SOA")


def test_a_missing_name_is_nxdomain_with_the_negative_ttl_of_rfc_2308() -> None:
    response = ask("nope.deeper.example.com")
    assert rcode(response) == "NXDOMAIN"
    assert response.authority[0].ttl == 300


def test_the_negative_ttl_is_the_soas_own_where_that_is_shorter() -> None:
    server = AuthoritativeServer([zone("@ 9 SOA a b 1 2 3 4 300\n@ 9 NS a")])
    assert ask("nope.example.com", server=server).authority[0].ttl == 9


def test_a_wildcard_answers_for_a_name_that_does_not_exist() -> None:
    assert lines(ask("nope.example.com", "TXT").answer) == ['nope.example.com. 120 IN TXT "wild"']
    assert lines(ask("x.y.nope.example.com", "TXT").answer) == ['x.y.nope.example.com. 120 IN TXT "wild"']


def test_a_wildcard_without_that_type_is_nodata() -> None:
    response = ask("nope.example.com", "A")
    assert (rcode(response), response.answer) == ("NOERROR", [])


@pytest.mark.parametrize("name", ["nope.deeper.example.com", "x.host.wild.example.com", "x.mail.example.com"])
def test_a_wildcard_does_not_reach_below_a_name_that_exists(name: str) -> None:
    assert rcode(ask(name, "TXT")) == "NXDOMAIN"


def test_the_label_star_in_a_question_is_a_name_like_any_other() -> None:
    assert lines(ask("*.example.com", "TXT").answer) == ['*.example.com. 120 IN TXT "wild"']
    assert rcode(ask("x.*.wild.example.com", "TXT")) == "NXDOMAIN"


def test_a_wildcard_cname_is_followed() -> None:
    answer = lines(ask("any.also.example.com").answer)
    assert answer[0] == "any.also.example.com. 120 IN CNAME www.example.com."
    assert len(answer) == 4


def test_a_cname_is_followed_inside_the_zone() -> None:
    assert [rrset.rdtype.name for rrset in ask("alias.example.com").answer] == ["CNAME", "A"]


def test_a_cname_out_of_the_zones_ends_the_answer() -> None:
    response = ask("away.example.com")
    assert (rcode(response), len(response.answer), response.authority) == ("NOERROR", 1, [])


def test_a_cname_asked_for_is_not_followed() -> None:
    assert lines(ask("alias.example.com", "CNAME").answer) == ["alias.example.com. 60 IN CNAME www.example.com."]


def test_a_cname_loop_ends() -> None:
    assert len(ask("loop1.example.com").answer) == 2


def test_a_cname_to_a_missing_name_says_what_the_target_is() -> None:
    response = ask("dangling.example.com", "A", server=AuthoritativeServer([zone(EXAMPLE.replace("\n* 120", "\n; *"))]))
    assert rcode(response) == "NXDOMAIN" and len(response.answer) == 1


def test_a_referral_is_not_authoritative_and_carries_its_glue() -> None:
    response = ask("www.sub.example.com")
    assert not authoritative(response) and not response.answer
    assert len(lines(response.authority)) == 2
    assert "ns.sub.example.com. 600 IN A 192.0.2.20" in lines(response.additional)


def test_a_referral_carries_sibling_glue_too() -> None:
    assert "ns1.peer.example.com. 600 IN A 192.0.2.21" in lines(ask("www.sub.example.com").additional)


@pytest.mark.parametrize("name", ["sub.example.com", "hidden.sub.example.com", "ns.sub.example.com"])
@pytest.mark.parametrize("rdtype", ["A", "NS", "ANY"])
def test_what_is_under_a_cut_is_never_answered_with_authority(name: str, rdtype: str) -> None:
    response = ask(name, rdtype)
    assert not authoritative(response) and not response.answer


def test_ds_at_a_cut_is_answered_by_the_parent() -> None:
    response = ask("sub.example.com", "DS")
    assert authoritative(response) and response.answer


def test_ds_at_a_zones_apex_is_answered_by_the_parent_zone_if_that_is_here() -> None:
    server = AuthoritativeServer([zone(EXAMPLE), zone(CHILD, "sub.example.com.")])
    assert ask("sub.example.com", "DS", server=server).answer
    alone = ask("example.com", "DS")
    assert authoritative(alone) and not alone.answer


def test_the_zone_with_the_longest_name_answers() -> None:
    server = AuthoritativeServer([zone(EXAMPLE), zone(CHILD, "sub.example.com.")])
    response = ask("ns.sub.example.com", server=server)
    assert authoritative(response)
    assert lines(response.answer) == ["ns.sub.example.com. 50 IN A 192.0.2.40"]


def test_a_dname_redirects_what_is_below_it_and_makes_the_cname() -> None:
    assert lines(ask("a.old.example.com").answer) == [
        "old.example.com. 240 IN DNAME new.example.com.",
        "a.old.example.com. 240 IN CNAME a.new.example.com.",
        "a.new.example.com. 240 IN A 192.0.2.30",
    ]


def test_a_dname_does_not_redirect_its_own_name() -> None:
    assert lines(ask("old.example.com", "DNAME").answer) == ["old.example.com. 240 IN DNAME new.example.com."]


def test_a_cname_made_by_a_dname_is_not_followed_when_it_is_what_was_asked_for_as_nsd() -> None:
    assert len(ask("a.old.example.com", "CNAME").answer) == 2


def test_a_dname_into_its_own_tree_is_followed_once_as_nsd() -> None:
    response = ask("a.turn.example.com")
    assert rcode(response) == "NOERROR" and len(response.answer) == 2


def test_a_dname_that_makes_the_name_too_long_is_yxdomain() -> None:
    label = "a" * 60
    server = AuthoritativeServer([zone(EXAMPLE + f"long DNAME {label}.{label}.{label}")])
    response = ask(f"{label}.{label}.long.example.com", server=server)
    assert rcode(response) == "YXDOMAIN"


def test_mx_and_srv_bring_the_addresses_of_their_hosts() -> None:
    assert "mail.example.com. 300 IN A 192.0.2.2" in lines(ask("example.com", "MX").additional)
    assert "www.example.com. 300 IN A 192.0.2.3" in lines(ask("_http._tcp.example.com", "SRV").additional)


def test_any_gives_every_set_of_the_name() -> None:
    assert {rrset.rdtype.name for rrset in ask("example.com", "ANY").answer} == {"SOA", "NS", "MX"}


def test_a_name_of_nobodys_zone_is_refused() -> None:
    response = ask("example.org")
    assert rcode(response) == "REFUSED" and not authoritative(response)


@pytest.mark.parametrize(("rdclass", "wanted"), [("CH", "REFUSED"), ("IN", "NOERROR"), ("ANY", "NOERROR")])
def test_only_the_class_in_is_served(rdclass: str, wanted: str) -> None:
    response = ask("mail.example.com", rdclass=rdclass)
    assert rcode(response) == wanted
    assert authoritative(response) == (rdclass == "IN")


def test_a_zone_transfer_is_refused() -> None:
    assert rcode(ask("example.com", "AXFR")) == "REFUSED"


def test_other_opcodes_are_not_implemented() -> None:
    query = dns.message.make_query("example.com", "SOA")
    query.set_opcode(dns.opcode.NOTIFY)
    assert rcode(SERVER.respond(query)) == "NOTIMP"


@pytest.mark.parametrize("count", [0, 2])
def test_anything_but_one_question_is_a_format_error(count: int) -> None:
    query = dns.message.make_query("example.com", "A")
    query.question *= count
    assert rcode(SERVER.respond(query)) == "FORMERR"


def test_edns_is_answered_with_edns_and_only_then() -> None:
    with_edns = ask("mail.example.com", use_edns=0, payload=4096, want_dnssec=True)
    assert (with_edns.edns, with_edns.payload, bool(with_edns.ednsflags & dns.flags.DO)) == (0, 1232, True)
    assert ask("mail.example.com").edns == -1


def test_an_unknown_version_of_edns_is_badvers() -> None:
    assert rcode(ask("mail.example.com", use_edns=1)) == "BADVERS"


MANY = "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\n" + "".join(f"big 60 A 10.0.{i}.1\n" for i in range(60))


@pytest.mark.parametrize(("payload", "truncated"), [(None, True), (600, True), (1232, False), (4096, False)])
def test_over_udp_the_answer_is_cut_to_what_the_client_can_take(payload: int | None, truncated: bool) -> None:
    edns: dict[str, object] = {} if payload is None else {"use_edns": 0, "payload": payload}
    response = ask("big.example.com", server=AuthoritativeServer([zone(MANY)]), **edns)  # type: ignore[arg-type]
    assert bool(response.flags & dns.flags.TC) == truncated
    assert len(response.to_wire()) <= max(512, payload or 512)


def test_over_tcp_nothing_is_cut() -> None:
    response = AuthoritativeServer([zone(MANY)]).respond(dns.message.make_query("big.example.com", "A"), tcp=True)
    assert len(response.answer[0]) == 60 and not response.flags & dns.flags.TC


def test_addresses_that_are_not_needed_are_left_out_without_a_word() -> None:
    text = MANY + "".join(f"mx 60 MX {i} h{i}\nh{i} 60 A 10.1.0.{i}\n" for i in range(20))
    response = ask("mx.example.com", "MX", server=AuthoritativeServer([zone(text)]))
    assert response.answer and not response.flags & dns.flags.TC
    assert len(response.additional) < 20


def test_a_referral_whose_glue_does_not_fit_is_truncated_as_rfc_9471_says() -> None:
    text = MANY + "".join(
        f"cut 60 NS a-long-name-of-a-server-{i}.cut\na-long-name-of-a-server-{i}.cut 60 A 10.2.0.{i}\n"
        for i in range(13)
    )
    assert ask("www.cut.example.com", server=AuthoritativeServer([zone(text)])).flags & dns.flags.TC


def test_addresses_come_in_the_zones_order_unless_told_otherwise() -> None:
    query = dns.message.make_query("www.example.com", "A")
    firsts = [str(SERVER.respond(query, turn=turn).answer[0][0]) for turn in range(4)]
    assert firsts == ["192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.3"]


def test_shuffled_addresses_are_equally_likely_to_come_first() -> None:
    query = dns.message.make_query("www.example.com", "A")
    found = {
        str(o.result.answer[0][0]): o.probability for o in outcomes(lambda choose: SERVER.respond(query, choose=choose))
    }
    assert len(found) == 3 and len(set(found.values())) == 1


ALB = "shop-alb-1.us-east-1.elb.amazonaws.com"
ELB = AuthoritativeServer(
    [zone(f"@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a\n{ALB}. 60 A 203.0.113.10\n", "us-east-1.elb.amazonaws.com.")]
)


def aliased(*aliases: Alias) -> AuthoritativeServer:
    def lookup(name: object, rdtype: object) -> object:
        found = ELB.zone_of(parse_name(str(name)).labels)
        node = found.nodes.get(tuple(parse_name(str(name)).labels)) if found else None
        return node.sets.get(rdtype) if node else None  # type: ignore[call-overload]

    return AuthoritativeServer([zone(EXAMPLE)], aliases=aliases, lookup=lookup)  # type: ignore[arg-type]


def test_an_alias_works_at_the_apex_and_no_cname_is_seen() -> None:
    response = ask("example.com", server=aliased(Alias("example.com", ALB)))
    assert lines(response.answer) == ["example.com. 60 IN A 203.0.113.10"]


def test_an_alias_in_the_same_zone_takes_its_targets_ttl() -> None:
    response = ask("shop.example.com", server=aliased(Alias("shop.example.com", "mail.example.com")))
    assert lines(response.answer) == ["shop.example.com. 300 IN A 192.0.2.2"]


def test_an_alias_can_have_a_ttl_of_its_own() -> None:
    assert ask("shop.example.com", server=aliased(Alias("shop.example.com", ALB, ttl=7))).answer[0].ttl == 7


@pytest.mark.parametrize(("target", "rdtype"), [(ALB, "AAAA"), (ALB, "TXT"), ("gone.elb.amazonaws.com", "A")])
def test_an_alias_without_such_records_is_nodata(target: str, rdtype: str) -> None:
    response = ask("shop.example.com", rdtype, server=aliased(Alias("shop.example.com", target)))
    assert rcode(response) == "NOERROR" and not response.answer


def test_any_at_an_alias_gives_its_addresses() -> None:
    assert len(ask("shop.example.com", "ANY", server=aliased(Alias("shop.example.com", ALB))).answer) == 1


def test_the_step_shows_the_alias_that_answered() -> None:
    answered = aliased(Alias("shop.example.com", ALB)).answer(dns.message.make_query("shop.example.com", "A"))
    assert any(step.rule == f"shop.example.com. ALIAS {ALB}." and step.matched for step in answered.hop.steps)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("www", "NOERROR"),
        ("nope.deeper", "NXDOMAIN"),
        ("deeper", "NODATA"),
        ("x.sub", "REFERRAL"),
        ("alias", "NOERROR"),
    ],
)
def test_the_hop_says_what_became_of_the_question_and_why(name: str, code: str) -> None:
    hop = SERVER.answer(dns.message.make_query(f"{name}.example.com", "A")).hop
    assert (hop.verdict.code, hop.at) == (code, "ns1")
    assert hop.steps and all(step.why for step in hop.steps)


def test_a_truncated_answer_says_so_in_its_hop() -> None:
    answered = AuthoritativeServer([zone(MANY)]).answer(dns.message.make_query("big.example.com", "A"))
    assert answered.hop.verdict.code == "TRUNCATED"


def test_a_zone_without_a_soa_cannot_be_served() -> None:
    with pytest.raises(WorldError, match="SOA"):
        ZoneIndex(zone("@ 60 NS ns"))


def test_a_zone_of_another_class_cannot_be_served() -> None:
    with pytest.raises(WorldError, match="class IN"):
        ZoneIndex(dns.zone.Zone("example.com.", rdclass=dns.rdataclass.CH))


def test_two_zones_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="two zones"):
        AuthoritativeServer([zone(EXAMPLE), zone(EXAMPLE)])


def test_an_alias_outside_every_zone_is_refused() -> None:
    with pytest.raises(InputError, match=r"shop\.example\.org"):
        aliased(Alias("shop.example.org", ALB))


def test_an_alias_with_an_impossible_ttl_is_refused() -> None:
    with pytest.raises(InputError, match="not a TTL"):
        Alias("shop.example.com", ALB, ttl=-1)


def test_an_alias_needs_an_absolute_name() -> None:
    with pytest.raises(InputError, match="absolute"):
        Alias(dns.name.from_text("shop", None), ALB)


@given(st.lists(st.sampled_from(["a", "*", "sub", "old", "wild", "also", "www", "deeper", "ns1", "peer"]), max_size=5))
def test_every_question_gets_exactly_one_kind_of_answer(labels: list[str]) -> None:
    response = ask(".".join([*labels, "example.com"]))
    kinds = {rrset.rdtype.name for rrset in response.authority}
    assert rcode(response) in ("NOERROR", "NXDOMAIN")
    assert kinds <= {"SOA"} or kinds <= {"NS"}
    assert ("SOA" in kinds) or response.answer or not authoritative(response)


def test_signatures_and_what_lies_outside_the_zone_are_not_served() -> None:
    made = zone("@ 60 SOA a. b. 1 2 3 4 5\nx 60 A 192.0.2.1\n")
    signature = "A 8 3 60 20300101000000 20200101000000 1 example.com. AAAA"
    made.find_rdataset("x", "RRSIG", covers="A", create=True).add(dns.rdata.from_text("IN", "RRSIG", signature), 60)
    outside = dns.zone.Zone("example.com.", relativize=False)
    outside.replace_rdataset("example.com.", dns.rdataset.from_text("IN", "SOA", 60, "a. b. 1 2 3 4 5"))
    outside.nodes[dns.name.from_text("stray.org.")] = dns.node.Node()  # type: ignore[no-untyped-call]
    outside.nodes[dns.name.from_text("stray.org.")].replace_rdataset(dns.rdataset.from_text("IN", "A", 60, "192.0.2.9"))
    assert lines(ask("x.example.com", "ANY", AuthoritativeServer([made])).answer) == [
        "x.example.com. 60 IN A 192.0.2.1"
    ]
    assert rcode(ask("stray.org", server=AuthoritativeServer([outside]))) == "REFUSED"
