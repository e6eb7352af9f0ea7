"""A folder of master files is an internet of name servers; and the look-up that every journey begins with."""

from __future__ import annotations

import dns.message
import dns.name
import dns.zone
import pytest
from dns.rdatatype import RdataType

from netpath.choice import Script
from netpath.errors import WorldError
from netpath.memory import Memory
from netpath.names import Names, names
from netpath.packet import address
from netpath.resolution import Alias
from tests import shop_world as shop

ROOT = """
. 86400 IN SOA a.root. h. 1 2 3 4 60
. 86400 IN NS a.root.
a.root. 86400 IN A 192.0.2.1
test. 86400 IN NS ns.test.
ns.test. 86400 IN A 192.0.2.2
"""
TEST = """
@ 60 IN SOA ns h 1 2 3 4 60
@ 60 IN NS ns
@ 60 IN NS ns.elsewhere.
ns 60 IN A 192.0.2.2
www 60 IN A 192.0.2.80
sub 60 IN NS ns.sub
ns.sub 60 IN A 192.0.2.3
"""
SUB = """
@ 60 IN SOA ns h 1 2 3 4 60
@ 60 IN NS ns
ns 30 IN A 192.0.2.3
lb 60 IN A 192.0.2.81
lb 60 IN A 192.0.2.82
"""


def zone(origin: str, text: str, relativize: bool = True) -> dns.zone.Zone:
    return dns.zone.from_text(text, origin, relativize=relativize, check_origin=False)


def world(relativize: bool = True, aliases: tuple[Alias, ...] = ()) -> Names:
    texts = {".": ROOT, "test.": TEST, "sub.test.": SUB}
    return names([zone(origin, text, relativize) for origin, text in texts.items()], aliases)


def ask(known: Names, name: str) -> list[str]:
    """What the resolver answers, as text."""
    resolution = known.resolve(dns.message.make_query(name, "A"), Memory())
    print(*(f"{hop.at}: {hop.verdict.code} {hop.verdict.rule}" for hop in resolution.hops), sep="\n")
    return sorted(str(rdata) for rrset in resolution.response.answer for rdata in rrset)


@pytest.mark.parametrize("relativize", [True, False], ids=["relative names", "absolute names"])
def test_each_name_server_s_address_serves_its_zones(relativize: bool) -> None:
    served = {place: sorted(map(str, server.zones)) for place, server in world(relativize).servers.items()}
    assert served.keys() == {"192.0.2.1", "192.0.2.2", "192.0.2.3"}


def test_the_root_zone_s_servers_are_the_hints() -> None:
    assert world().hints == {"a.root.": ("192.0.2.1",)}


@pytest.mark.parametrize("name", ["www.test.", "lb.sub.test."])
def test_the_delegations_lead_from_the_root_to_the_answer(name: str) -> None:
    assert ask(world(), name) in (["192.0.2.80"], ["192.0.2.81", "192.0.2.82"])


def test_an_alias_is_answered_by_the_closest_zone_above_it() -> None:
    alias = Alias("shop.sub.test.", "lb.sub.test.")
    assert ask(world(aliases=(alias,)), "shop.sub.test.") == ["192.0.2.81", "192.0.2.82"]


def test_an_alias_of_the_parent_may_point_into_the_child() -> None:
    assert ask(world(aliases=(Alias("test.", "lb.sub.test."),)), "test.") == ["192.0.2.81", "192.0.2.82"]


def test_a_zone_s_own_data_counts_more_than_glue() -> None:
    """ns.sub.test is glue with TTL 60 in test, and an address with TTL 30 in sub.test."""
    found = world().find(dns.name.from_text("ns.sub.test."), RdataType.A)
    assert found is not None and found.ttl == 30


def test_what_no_zone_has_isn_t_found() -> None:
    assert world().find(dns.name.from_text("nope.test."), RdataType.A) is None
    assert world().find(dns.name.from_text("www.test."), RdataType.MX) is None


def test_a_zone_whose_name_servers_have_no_address_can_t_be_asked() -> None:
    with pytest.raises(WorldError, match=r"no name server of lost\. has an address") as problem:
        names([zone("lost.", "@ 60 IN SOA ns h 1 2 3 4 60\n@ 60 IN NS ns.nowhere.")])
    assert problem.value.value == ["ns.nowhere."]


def test_a_zone_without_name_servers_can_t_be_asked() -> None:
    with pytest.raises(WorldError, match="no name server"):
        names([zone("lost.", "@ 60 IN SOA ns h 1 2 3 4 60")])


def test_an_alias_outside_every_zone_is_refused() -> None:
    with pytest.raises(WorldError, match="outside every zone"):
        names([zone("test.", TEST)], [Alias("shop.example.", "lb.test.")])


def test_a_resolver_needs_a_root_zone() -> None:
    with pytest.raises(WorldError, match="no root zone"):
        names([zone("test.", TEST)]).resolver("resolver")


def test_an_internet_without_zones_is_one() -> None:
    assert (names([]).servers, names([]).hints) == ({}, {})


def test_a_look_up_asks_the_resolver_and_then_knows() -> None:
    memory, known = Memory(), world()
    one = known.lookup("www.test", memory, "198.51.100.53")
    other = known.lookup("www.test", memory, "198.51.100.53")
    assert (one.resolution is not None, other.resolution) == (True, None)
    assert one.lookup.chosen == other.lookup.chosen == address("192.0.2.80")


def test_a_look_up_s_hops_end_with_the_user_s_own() -> None:
    hops = world().lookup("www.test", Memory(), "198.51.100.53").hops
    assert [hop.station for hop in hops][-2:] == ["resolver", "stub resolver"]
    assert hops[-2].at == "resolver 198.51.100.53"


def test_the_client_picks_one_of_several_addresses() -> None:
    memory, known = Memory(), world()
    known.lookup("lb.sub.test", memory, "198.51.100.53")
    picked = {str(known.lookup("lb.sub.test", memory, "r", Script((n,))).lookup.chosen) for n in range(2)}
    assert picked == {"192.0.2.81", "192.0.2.82"}


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("shop.example.com", [shop.PUBLIC_A, shop.PUBLIC_B]),
        ("www.example.com", [shop.PUBLIC_A, shop.PUBLIC_B]),
        ("x.preview.example.com", [shop.PUBLIC_A, shop.PUBLIC_B]),
        ("mail.example.com", ["203.0.113.25"]),
    ],
    ids=["an alias", "a CNAME to the load balancer's name", "a wildcard CNAME to an alias", "an address"],
)
def test_the_book_s_names(host: str, addresses: list[str]) -> None:
    found = shop.SHOP.names.lookup(host, Memory(), "198.51.100.53").lookup
    assert sorted(map(str, found.addresses)) == addresses
