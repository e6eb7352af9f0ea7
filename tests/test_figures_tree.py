"""The tree of names and the time lines of caches: what the record says is what they show."""

from __future__ import annotations

import re

import dns.message
import dns.name
import pytest

from netpath.errors import InputError
from netpath.load import shop
from netpath.memory import Memory
from netpath.names import Names
from netpath.resolution import Cache, Resolution
from netpath.show.caches import Copy, Reading, caches, copies
from netpath.show.canvas import Drawn
from netpath.show.legs import written
from netpath.show.tree import Tree, heard, result, stops, tree

WORLD = shop()
SHOP, WWW, NOPE = "shop.example.com", "www.example.com", "nope.example.com"


def resolved(name: str, kind: str = "A", names: Names = WORLD.names, memory: Memory | None = None) -> Resolution:
    return names.resolve(dns.message.make_query(name, kind, use_edns=0), memory or Memory())


def without_server(address: str) -> Names:
    """The world's name servers, one of which is down."""
    return Names({at: each for at, each in WORLD.names.servers.items() if at != address}, WORLD.names.hints)


def texts(drawn: Drawn) -> list[str]:
    return [re.sub(r"\s+", " ", text) for text in re.findall(r"<text[^>]*>([^<]*)</text>", drawn.svg())]


def name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


# The tree --------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [SHOP, WWW, NOPE])
def test_the_names_of_a_tree_are_the_zones_asked_and_the_names_asked_for(asked: str) -> None:
    resolution = resolved(asked)
    questions = {each.query.question[0].name for each in resolution.exchanges}
    assert set(Tree.of(resolution).parent) == {each.zone for each in resolution.exchanges} | questions


def test_a_name_stands_below_the_closest_name_above_it() -> None:
    parent = Tree.of(resolved(WWW)).parent
    assert parent[name(WWW)] == name("example.com")
    assert parent[name("amazonaws.com")] == name("com")


def test_a_name_on_the_tree_stands_one_level_below_its_parent() -> None:
    made = Tree.of(resolved(WWW))
    assert all(made.at[each][1] == made.at[above][1] + 1 for each, above in made.parent.items() if above is not None)


def test_no_two_names_share_a_place() -> None:
    made = Tree.of(resolved(SHOP, names=without_server("192.0.2.101")))
    assert len(set(made.at.values())) == len(made.at)


def test_a_label_says_what_a_name_adds_to_the_one_above() -> None:
    made = Tree.made(map(name, ["com", "a.b.example.com"]), [])
    assert made.label(name("a.b.example.com")) == ("a.b.example",)


def test_a_long_label_is_folded_at_its_dots_and_cut() -> None:
    made = Tree.made([name("shop-alb-1893046252.eu-west-1.elb.amazonaws.com")], [])
    assert made.label(name("shop-alb-1893046252.eu-west-1.elb.amazonaws.com"))[0] == "shop-alb-189304…"


def test_a_server_that_stays_silent_is_one_stop_with_all_its_numbers() -> None:
    walk = stops(resolved(SHOP, names=without_server("192.0.2.101")))
    silent = next(stop for stop in walk if stop.exchange.response is None)
    assert silent.number.endswith(f"–{int(silent.number.split('–')[0]) + silent.count - 1}") and silent.count > 1


def test_every_exchange_is_counted_in_one_stop() -> None:
    resolution = resolved(SHOP, names=without_server("192.0.2.101"))
    assert sum(stop.count for stop in stops(resolution)) == len(resolution.exchanges)


@pytest.mark.parametrize("asked", [SHOP, WWW, NOPE])
def test_every_stop_is_drawn_at_its_zone_and_in_the_list(asked: str) -> None:
    resolution = resolved(asked)
    shown = texts(tree(resolution))
    assert all(shown.count(stop.number) == 2 for stop in stops(resolution))


@pytest.mark.parametrize("asked", [SHOP, WWW, NOPE])
def test_the_alternative_text_has_every_server_and_what_it_said(asked: str) -> None:
    resolution = resolved(asked)
    alt = tree(resolution).alt
    assert all(each.address in alt and heard(each) in alt for each in resolution.exchanges)


def test_what_is_heard_of_a_referral_is_the_zone_its_servers_and_the_glue() -> None:
    said = heard(resolved(SHOP).exchanges[1])
    assert "referral: ask for com at a.gtld-servers.net" in said and "192.5.6.30" in said


def test_what_is_heard_of_an_answer_is_its_data_and_its_ttl() -> None:
    assert heard(resolved(SHOP).exchanges[-1]) == "203.0.113.10, 203.0.113.20 (TTL 60)"


def test_what_is_heard_of_an_alias_is_the_other_name() -> None:
    said = [heard(each) for each in resolved(WWW).exchanges]
    assert any(each.startswith("CNAME") and "elb.amazonaws.com" in each for each in said)


@pytest.mark.parametrize(("asked", "says"), [(NOPE, "no such name"), ("eu.example.com", "exists, without records")])
def test_a_negative_answer_says_how_long_it_may_be_remembered(asked: str, says: str) -> None:
    said = heard(resolved(asked).exchanges[-1])
    assert says in said and said.endswith("may be remembered for 300 s")


def test_silence_is_heard_as_silence() -> None:
    silent = next(each for each in resolved(SHOP, names=without_server("192.0.2.101")).exchanges if not each.response)
    assert heard(silent) == "The name server didn't answer"


def test_a_missing_name_is_called_missing() -> None:
    drawn = tree(resolved(NOPE))
    assert f"Missing name {NOPE}" in drawn.alt and "A cross" in drawn.caption


def test_a_walk_that_begins_anew_has_its_dashed_arrow_explained() -> None:
    assert "dashed arrow" in tree(resolved(WWW)).caption and "dashed arrow" not in tree(resolved(SHOP)).caption


def test_an_answer_from_the_cache_is_drawn_without_a_walk() -> None:
    memory = Memory()
    resolved(SHOP, memory=memory)
    assert "asked nobody" in tree(resolved(SHOP, memory=memory)).caption


def test_a_look_up_is_drawn_as_its_resolution_is() -> None:
    looked = WORLD.names.lookup(SHOP, Memory(), str(WORLD.resolver))
    assert looked.resolution is not None and tree(looked).alt == tree(looked.resolution).alt


def test_a_look_up_that_the_stub_remembered_is_refused() -> None:
    memory = Memory()
    WORLD.names.lookup(SHOP, memory, str(WORLD.resolver))
    with pytest.raises(InputError, match="no walk"):
        tree(WORLD.names.lookup(SHOP, memory, str(WORLD.resolver)))


def test_the_result_is_the_last_records_data_or_the_code() -> None:
    assert result(resolved(WWW)) == "203.0.113.10, 203.0.113.20" and result(resolved(NOPE)) == "NXDOMAIN"


def test_the_root_is_written_as_a_dot() -> None:
    assert written(dns.name.root) == "."


# The time lines --------------------------------------------------------------------------------


def readings(*asked: tuple[str, float], host: str = SHOP) -> list[Reading]:
    """People with a machine each look a name up, through one resolver."""
    shared, own = Cache(), {who: Memory() for who, _ in asked}
    made = []
    for who, when in asked:
        own[who].cache, own[who].now = shared, when
        made.append(Reading(who, when, WORLD.names.lookup(host, own[who], str(WORLD.resolver))))
    return made


def test_a_copy_of_a_copy_ends_when_the_first_one_does() -> None:
    assert {copy.until for copy in copies(readings(("Ana", 0), ("Ben", 45), ("Cem", 58)))} == {60}


def test_a_look_up_that_the_machine_remembers_makes_no_copy() -> None:
    assert copies(readings(("Ana", 0), ("Ana", 50))) == (Copy("resolver", 0, 60), Copy("Ana", 0, 60))


def test_after_the_end_the_resolver_fetches_a_new_copy() -> None:
    assert Copy("resolver", 70, 130) in copies(readings(("Ana", 0), ("Ben", 70)))


def test_a_negative_answer_is_a_copy_too() -> None:
    assert copies(readings(("Ana", 0), host=NOPE))[0].ttl == 300


def test_the_time_lines_show_every_copys_ttl() -> None:
    looked = readings(("Ana", 0), ("Ben", 45))
    assert all(f"TTL {copy.ttl:g}" in texts(caches(looked)) for copy in copies(looked))


def test_the_time_lines_words_have_every_look_up() -> None:
    alt = caches(readings(("Ana", 0), ("Ben", 45), ("Ana", 50))).alt
    assert "Ben looks up shop.example.com: NOERROR, from the resolver's memory" in alt and "its own memory" in alt


def test_no_look_ups_make_no_time_lines() -> None:
    with pytest.raises(InputError):
        caches([])
