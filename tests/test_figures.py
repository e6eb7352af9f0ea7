"""Figures and tables: what a journey's record says is what they show, and nothing of it is unreadable."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from netpath.chance import seeded
from netpath.choice import Choose, first
from netpath.codes import Fate
from netpath.journey import Journey, travel
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import Hop, Verdict, address, http_request
from netpath.show.canvas import Drawn
from netpath.show.figures import graph, legs, road, sequence
from netpath.show.legs import Leg, Way
from netpath.show.palette import FATES, SPACES, Space, contrast
from netpath.show.prepared import beginning
from netpath.show.tables import beliefs, ledger, remembered, rewrites, steps
from netpath.vpc import NetworkAcl
from netpath.world import World

CART = "http://shop.example.com/cart"
LIGHT, DARK = "#ffffff", "#121212"  # the book's two grounds
PUBLIC_ACL, NODES_GROUP = "acl-0ac000000000000a1", "sg-0a1b000000000000b"
DRAWINGS = {"road": road, "sequence": sequence}


def with_acl(world: World, *without: int) -> World:
    """The world with rules less for what comes into the public subnets."""

    def thinned(acl: NetworkAcl) -> NetworkAcl:
        kept = (each for each in acl.entries if each.egress or each.rule_number not in without)
        return replace(acl, entries=tuple(kept)) if acl.network_acl_id == PUBLIC_ACL else acl

    assert world.region is not None
    return replace(world, region=replace(world.region, network_acls=tuple(map(thinned, world.region.network_acls))))


def closed(world: World) -> World:
    """The world in which the nodes' security group lets nobody in."""
    assert world.region is not None
    groups = world.region.security_groups
    shut = tuple(replace(each, ingress=()) if each.group_id == NODES_GROUP else each for each in groups)
    return replace(world, region=replace(world.region, security_groups=shut))


def without_ingress(world: World) -> World:
    """The world in which the ingress controller's Service has no endpoints."""
    assert world.cluster is not None
    kept = tuple(each for each in world.cluster.slices if each.namespace != "ingress-nginx")
    return replace(world, cluster=replace(world.cluster, slices=kept))


@cache
def journeys() -> Mapping[str, Journey]:
    """Journeys of every shape that a figure has to be readable for."""
    world = shop()

    def went(url: str = CART, world: World = world, choose: Choose = first, user: str | None = None) -> Journey:
        return travel(world, Memory(), http_request(url), choose, user=address(user) if user else None)

    return {
        "hit": went(),
        "miss": went(choose=beginning(1)),
        "three nodes": went(choose=beginning(2)),
        "answer dropped": went(world=with_acl(world, 120, 140)),
        "door closed": went(world=with_acl(world, 100)),
        "nodes closed": went(world=closed(world)),
        "no endpoints": went(world=without_ingress(world)),
        "no such name": went("http://nope.example.com/"),
        "an address": went("http://203.0.113.10/cart"),
        "nothing listens": went("http://shop.example.com:8081/"),
        "another path": went("http://shop.example.com/api/v1"),
        "another host": went("http://cart.example.com/"),
        "from a pod": went(user="10.0.35.113"),
        **{f"seed {seed}": went(choose=seeded(seed)) for seed in range(4)},
    }


NAMES = tuple(journeys())
every_journey = pytest.mark.parametrize("name", NAMES)
every_figure = pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in DRAWINGS for name in NAMES])


@cache
def drawn(kind: str, name: str) -> Drawn:
    return DRAWINGS[kind](journeys()[name])


def told(values: tuple[Leg, ...]) -> str:
    return "\n".join(f"{leg.number} {leg.way} {leg.start.name} > {leg.end.name} {leg.text}" for leg in values)


# Legs ------------------------------------------------------------------------------------------


@every_journey
def test_every_hop_of_a_packet_is_a_gate_or_the_end_of_a_leg(name: str) -> None:
    journey = journeys()[name]
    trips = [trip for each in journey.connections for trip in (each.out, each.back) if trip]
    shown = {id(hop) for leg in legs(journey) for hop in (*leg.gates, *leg.hops)}
    missing = [hop for trip in trips for hop in trip.hops if id(hop) not in shown]
    starts = {leg.start.name for leg in legs(journey)}  # a node that answers for itself has a hop before its first leg
    assert all(hop.received == hop.sent and hop.at in starts for hop in missing), told(legs(journey))


@every_journey
def test_a_packets_legs_hang_together(name: str) -> None:
    walked = [leg for leg in legs(journeys()[name]) if leg.connection]
    broken = [
        (one, other)
        for one, other in pairwise(walked)
        if (one.connection, one.way) == (other.connection, other.way) and one.end != other.start
    ]
    assert not broken, told(tuple(walked))


@every_journey
def test_a_number_is_one_form_of_the_packet(name: str) -> None:
    forms: dict[int, set[str]] = {}
    for leg in legs(journeys()[name]):
        forms.setdefault(leg.number, set()).add(leg.text)
    assert list(forms) == list(range(1, len(forms) + 1)) and all(len(texts) == 1 for texts in forms.values()), forms


@every_journey
def test_what_stopped_the_request_is_on_a_leg(name: str) -> None:
    journey = journeys()[name]
    stopped = [leg.stopped for leg in legs(journey) if leg.stopped]
    on_the_way = journey.cause is not None and journey.cause.station != "load balancer"
    assert (journey.cause in stopped) == on_the_way, told(legs(journey))


def test_an_answer_that_is_stopped_was_on_its_way_to_where_the_request_came_from() -> None:
    last = next(leg for leg in legs(journeys()["answer dropped"]) if leg.stopped)
    assert (last.way, last.end.name, last.onto_end) == (Way.BACK, "shop-alb eu-west-1a", False)


def test_a_place_that_nobody_reached_is_marked_so() -> None:
    ends = [leg.end for leg in legs(journeys()["nodes closed"]) if leg.stopped]
    assert [(spot.name, spot.space, spot.unreached) for spot in ends] == [("10.0.32.11", Space.NODES, True)]


def test_the_load_balancer_that_the_internet_reaches_is_in_a_public_subnet() -> None:
    spots = {leg.end.name: leg.end.space for leg in legs(journeys()["hit"])}
    assert spots["shop-alb eu-west-1a"] is Space.PUBLIC


def test_the_miss_passes_two_nodes_on_its_second_connection() -> None:
    out = [leg for leg in legs(journeys()["miss"]) if (leg.connection, leg.way) == (2, Way.OUT)]
    assert [leg.end.station for leg in out] == ["node", "node", "pod"], told(tuple(out))


def test_the_graph_has_an_edge_for_every_leg() -> None:
    walked = legs(journeys()["miss"])
    found = graph(journeys()["miss"])
    edges = sorted((key, start, end) for start, end, key in found.edges(keys=True))
    assert edges == [(order, leg.start.name, leg.end.name) for order, leg in enumerate(walked)]


def test_the_graph_knows_each_places_address_space() -> None:
    spaces = {str(attributes["space"]) for _, attributes in graph(journeys()["hit"]).nodes(data=True)}
    assert spaces == {"name servers", "the Internet", "VPC, public subnets", "nodes", "pods"}


# Drawings --------------------------------------------------------------------------------------


@every_figure
def test_no_two_texts_of_a_figure_overlap(kind: str, name: str) -> None:
    boxes = text_boxes(drawn(kind, name))
    clashing = [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if overlap(a, b)]
    assert not clashing


@every_figure
def test_nothing_written_is_cut_off(kind: str, name: str) -> None:
    figure = drawn(kind, name).figure
    boxes = text_boxes(drawn(kind, name))
    outside = [text for text, box in boxes if not (box.x0 >= 0 and box.x1 <= figure.width)]
    assert not outside and all(box.y0 >= 0 and box.y1 <= figure.height for _, box in boxes)


@cache
def text_boxes(drawn: Drawn) -> list[tuple[str, Any]]:
    """Every text with its box in pixels, as another program measures it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sheet = drawn.figure
    figure = Figure(figsize=(sheet.width / 72, sheet.height / 72), dpi=72)
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call, unused-ignore]
    across = {"start": "left", "middle": "center", "end": "right"}
    boxes = []
    for text in sheet.texts:
        x, y = text.at[0], sheet.height - text.at[1]
        shown = figure.text(
            x / sheet.width,
            y / sheet.height,
            text.text.replace("$", r"\$"),
            fontsize=text.size,
            fontweight="bold" if text.bold else "normal",
            fontfamily="DejaVu Sans Mono" if text.mono else "DejaVu Sans",
            ha=across[text.anchor],
            va="baseline",
        )
        boxes.append((text.text, shown.get_window_extent(renderer)))
    return boxes


@pytest.mark.parametrize("kind", DRAWINGS)
def test_letters_are_as_wide_as_another_program_finds_them(kind: str) -> None:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    for text in drawn(kind, "miss").figure.texts:
        weight, family = "bold" if text.bold else "normal", "DejaVu Sans Mono" if text.mono else "DejaVu Sans"
        font = FontProperties(family=family, weight=weight)
        inked = TextPath((0, 0), text.text.replace("$", r"\$"), size=text.size, prop=font).get_extents()
        left, _, right, _ = text.box
        assert inked.x1 - text.size / 4 <= right - left <= inked.x1 * 1.02 + text.size / 4, text  # no ink at either end


def overlap(one: Any, other: Any, allowed: float = 2.5) -> bool:
    """Whether two boxes share more than the rim that letters leave empty."""
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    down = min(one.y1, other.y1) - max(one.y0, other.y0)
    return bool(across > allowed and down > allowed)


@every_figure
def test_a_figure_is_well_formed_and_says_what_it_shows(kind: str, name: str) -> None:
    figure = drawn(kind, name)
    root = ElementTree.fromstring(figure.svg())
    described = {child.tag.rpartition("}")[2]: child.text for child in root}
    assert (described["title"], described["desc"]) == (figure.caption, figure.alt)


@every_figure
def test_a_figure_shows_every_number(kind: str, name: str) -> None:
    shown = set(re.findall(r">(\d+)</text>", drawn(kind, name).svg()))
    assert {str(leg.number) for leg in legs(journeys()[name]) if leg.start != leg.end} <= shown


@every_figure
def test_a_figure_names_the_code_that_stopped_the_request(kind: str, name: str) -> None:
    stopped = {leg.stopped.verdict.code for leg in legs(journeys()[name]) if leg.stopped}
    assert all(code in drawn(kind, name).svg() and code in drawn(kind, name).alt for code in stopped)


@pytest.mark.parametrize("kind", DRAWINGS)
def test_the_same_journey_makes_the_same_bytes(kind: str) -> None:
    again = DRAWINGS[kind](journeys()["miss"])
    assert again.html() == drawn(kind, "miss").html() and again.svg() == drawn(kind, "miss").svg()


def test_figures_on_one_page_share_no_ids() -> None:
    pages = [drawn(kind, name).html() for kind in DRAWINGS for name in ("hit", "miss")]
    found = [identity for page in pages for identity in set(re.findall(r' id="([^"]*)"', page))]
    assert len(found) == len(set(found))


def test_a_figure_on_a_page_follows_its_theme() -> None:
    page = drawn("road", "hit").html()
    assert "currentColor" in page and "#010203" not in page and "#fdfeff" not in page


def test_a_notebook_without_html_shows_the_words() -> None:
    figure = drawn("road", "hit")
    assert repr(figure) == f"{figure.caption}\n\n{figure.alt}" and figure._repr_html_() == figure.html()


def test_what_comes_from_a_request_is_text_in_a_figure() -> None:
    journey = replace(journeys()["hit"], request=replace(journeys()["hit"].request, target="/<script>$x$&amp;'\""))
    assert all("<script>" not in draw(journey).html() + draw(journey).svg() for draw in DRAWINGS.values())


def test_drawing_needs_no_library() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['matplotlib', 'networkx', 'numpy']))\n"
        "from netpath import Memory, first, http_request, shop, travel\n"
        "from netpath.show.figures import road, sequence\n"
        "went = travel(shop(), Memory(), http_request('http://shop.example.com/cart'), first)\n"
        "sys.exit(not (road(went).svg() and sequence(went).html()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_figures_loads_no_plotting() -> None:
    code = "import sys, netpath.show.figures; sys.exit(bool({'matplotlib', 'networkx', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_sequence_tells_the_miss_as_it_happens() -> None:
    written = [text for text, _ in text_boxes(drawn("sequence", "miss"))]
    order = ("shop.example.com A?", "203.0.113.10, 203.0.113.20", "source: 10.0.0.25:32768", "INGRESS_P", "sees status")
    places = [next(at for at, text in enumerate(written) if text.startswith(start)) for start in order]
    assert places == sorted(places)


def test_the_sequence_says_how_long_silence_lasted() -> None:
    assert "timeout, after 10 s" in drawn("sequence", "answer dropped").svg()


# The visual language ---------------------------------------------------------------------------


@pytest.mark.parametrize("ground", [LIGHT, DARK])
def test_every_colour_stands_out_from_the_page(ground: str) -> None:
    looks = [*SPACES.values(), *FATES.values()]
    assert [look for look in looks if contrast(look.colour, ground) < 3] == []


def test_every_address_space_and_every_fate_has_a_shape_of_its_own() -> None:
    shapes = [look.shape for look in (*SPACES.values(), *FATES.values())]
    assert len(shapes) == len(set(shapes)) == len(Space) + len(Fate)


# Tables ----------------------------------------------------------------------------------------


@every_journey
def test_the_ledger_has_a_row_for_every_hop(name: str) -> None:
    table = ledger(journeys()[name])
    assert len(table.rows) == len(journeys()[name].hops) and all(len(row) == len(table.header) for row in table.rows)


def test_the_ledger_leaves_out_columns_in_which_nothing_stands() -> None:
    looked = journeys()["hit"].looked
    assert looked is not None and ledger(looked.hops).header == ("at", "verdict", "because of")


def test_a_rewrite_is_strong_in_the_ledger() -> None:
    gateway = journeys()["hit"].connections[0].out.hops[0]
    page = ledger([gateway])._repr_html_()
    assert "<strong>10.0.0.25:80</strong>" in page and "<span>198.51.100.23:32768 →</span>" in page


def test_a_stopped_packet_sends_nothing() -> None:
    journey = journeys()["answer dropped"]
    assert journey.cause is not None
    assert repr(ledger([journey.cause])).splitlines()[1].endswith("nothing")


def test_a_table_is_text_in_html_too() -> None:
    hop = Hop("<b>", "<script>alert(1)</script>", None, Verdict("NOERROR", '"><img src=x>'))
    page = ledger([hop])._repr_html_()
    assert "<script>" not in page and "<img" not in page and "&lt;script&gt;" in page


def test_the_rewrites_of_a_way_back_undo_those_of_the_way_out() -> None:
    second = journeys()["miss"].connections[1]
    changes = [hop.rewrites for trip in (second.out, second.back) if trip for hop in trip.hops if hop.rewrites]
    (one, other), (back, again) = changes
    assert (one[1:], other[1:]) == (again[:0:-1], back[:0:-1])
    assert len(rewrites(second.out.hops).rows) == 2


def test_the_kernels_entries_are_told_as_made_and_as_used() -> None:
    second = journeys()["hit"].connections[1]
    assert second.back is not None
    found = [row[1][0].text for row in remembered([*second.out.hops, *second.back.hops]).rows]
    assert found == ["NEW", "ESTABLISHED"]


def test_steps_can_be_those_that_matched_in_one_table() -> None:
    node = next(hop for hop in journeys()["hit"].connections[1].out.hops if hop.station == "node")
    shown = [row[0][0].text for row in steps(node, matched=True, where="nat").rows]
    assert shown == [step.at for step in node.steps if step.matched and step.at.startswith("nat")] != []


def test_the_pod_takes_the_ingress_controller_for_its_client() -> None:
    last = beliefs(journeys()["miss"]).rows[-1]
    assert [cell[0].text for cell in last][-2:] == ["10.0.34.101:32768", "10.0.33.12"]
