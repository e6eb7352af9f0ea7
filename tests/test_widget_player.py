"""The packet player: its data say what the journeys' records say, and are small enough for a page."""

from __future__ import annotations

import gzip
import json
import time
from functools import cache
from html import escape
from itertools import combinations
from typing import Any

import pytest

from netpath.chance import seeded
from netpath.journey import Journey, travel
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import http_request
from netpath.show.frames import frames
from netpath.show.legs import Way, legs
from netpath.show.palette import SPACES
from netpath.show.plan import NARROW, Plan
from netpath.show.prepared import CART, NOTES, prepared
from netpath.show.widgets.player import LOCAL, Player, data, explore, player
from tests.test_figures import journeys as drawn

NAMES = tuple(NOTES)
every_journey = pytest.mark.parametrize("name", NAMES)
MOST = 600_000, 80_000  # octets on a page: as they are, compressed


@cache
def everything() -> dict[str, Any]:
    return json.loads(json.dumps(data(prepared(), NOTES)))  # type: ignore[no-any-return]


def shown(name: str) -> dict[str, Any]:
    return next(each for each in everything()["journeys"] if each["name"] == name)


def unpacked(value: Any) -> Any:
    """As the widget reads an entry."""
    if isinstance(value, list):
        return [unpacked(each) for each in value]
    return value if value is None else everything()["texts"][value]


def entries(name: str) -> list[Any]:
    return [unpacked(everything()["entries"][frame[6]]) for frame in shown(name)["frames"]]


# What it says ------------------------------------------------------------------------------------


@every_journey
def test_every_frame_is_told_in_full(name: str) -> None:
    told = frames(prepared()[name])
    assert [(entry[0], entry[1], entry[6]) for entry in entries(name)] == [(f.title, f.at, f.says) for f in told]
    assert [entry[2] for entry in entries(name)] == [f.verdict.code if f.verdict else None for f in told]


@every_journey
def test_every_row_of_a_frame_is_there(name: str) -> None:
    told = [
        [[label, [[line.face, line.text] for line in lines]] for label, lines in f.rows]
        for f in frames(prepared()[name])
    ]
    assert [entry[4] for entry in entries(name)] == told


@every_journey
def test_every_leg_and_every_place_is_on_the_map(name: str) -> None:
    walked = legs(prepared()[name])
    assert [(leg[0], leg[1]) for leg in shown(name)["legs"]] == [(leg.number, leg.way) for leg in walked]
    assert len(shown(name)["places"]) == len({spot for leg in walked for spot in (leg.start, leg.end)})


@every_journey
def test_stages_begin_where_the_connection_or_the_way_changes(name: str) -> None:
    told = frames(prepared()[name])
    begun = [at for at, frame in enumerate(told) if at == 0 or frame.stage != told[at - 1].stage]
    assert [stage[0] for stage in shown(name)["stages"]] == begun


def test_it_fits_on_a_page() -> None:
    text = json.dumps(everything()).encode()
    assert len(text) < MOST[0] and len(gzip.compress(text)) < MOST[1]


def test_a_text_is_there_once() -> None:
    assert len(set(everything()["texts"])) == len(everything()["texts"])


def test_it_opens_side_by_side_if_there_are_two() -> None:
    one = {"The hit": prepared()["The hit"]}
    assert (data(prepared(), compare=True)["compare"], data(one, compare=True)["compare"]) == (True, False)


# The map -----------------------------------------------------------------------------------------


def plans() -> dict[str, Plan]:
    return {name: Plan(legs(journey), NARROW) for name, journey in {**drawn(), **prepared()}.items()}


every_plan = pytest.mark.parametrize("name", plans())


@every_plan
def test_every_place_is_within_its_band(name: str) -> None:
    plan = plans()[name]
    boxes = {space: (corner, size) for space, corner, size in plan.boxes()}
    for spot, (x, y) in plan.at.items():
        if spot.space in boxes and spot.station != "internet gateway":
            (left, top), (width, height) = boxes[spot.space]
            assert left < x < left + width and top < y < top + height, spot


@every_plan
def test_no_two_places_are_in_one_spot(name: str) -> None:
    places = plans()[name].at.items()
    near = [
        (one.name, other.name)
        for (one, (x, y)), (other, (to_x, to_y)) in combinations(places, 2)
        if abs(x - to_x) < 20 and abs(y - to_y) < 20
    ]
    assert not near


@every_plan
def test_every_space_has_a_look(name: str) -> None:
    assert {space for space, _, _ in plans()[name].boxes()} <= set(SPACES)


def test_a_pod_stands_below_its_node() -> None:
    plan = plans()["The hit"]
    columns = {spot.name: at[0] for spot, at in plan.at.items() if spot.station == "node"}
    pods = [(spot.host, at[0]) for spot, at in plan.at.items() if spot.station == "pod"]
    assert pods and all(columns[host] == x for host, x in pods)


def test_a_node_stands_in_one_place_whoever_comes_to_it_first() -> None:
    hit, miss = ({place[8][0]: place[3] for place in shown(name)["places"]} for name in ("The hit", "The miss"))
    assert [hit[node] for node in ("ip-10-0-32-11…", "ip-10-0-33-12…")] == [
        miss["ip-10-0-32-11…"],
        miss["ip-10-0-33-12…"],
    ]


def test_a_packet_that_was_stopped_stays_on_its_way() -> None:
    at = next(
        number for number, entry in enumerate(entries("Closed security group")) if entry[2] == "ENI_SG_RULES_MISMATCH"
    )
    frame = shown("Closed security group")["frames"][at]
    assert 0 < frame[3] < 1 and frame[5] == -1
    assert shown("Closed security group")["legs"][frame[2]][1] == Way.OUT


def test_a_journey_that_goes_nowhere_has_a_map_all_the_same() -> None:
    memory, request = Memory(), http_request("http://nope.example.com/")
    travel(shop(), memory, request)
    (shown,) = data({"again": travel(shop(), memory, request)})["journeys"]
    assert (shown["legs"], len(shown["bands"]), len(shown["frames"])) == ([], 1, 2)


# The widget --------------------------------------------------------------------------------------


@cache
def some() -> dict[str, Journey]:
    return {name: prepared()[name] for name in ("The hit", "The miss")}


def test_it_says_in_text_what_it_holds() -> None:
    lines = repr(player(some())).splitlines()
    assert lines[0] == "Packet player" and lines[1].startswith(
        "The hit: GET http://shop.example.com/cart, status 200, "
    )


def test_its_frame_is_the_map_of_the_first_and_what_became_of_all() -> None:
    page = player(some(), NOTES).frame()._repr_html_()
    assert "<svg" in page and all(escape(NOTES[name]) in page for name in some())


def test_its_frame_for_one_is_the_map_alone() -> None:
    page = player({"The hit": some()["The hit"]}).frame()._repr_html_()
    assert "<svg" in page and "<table" not in page


def test_what_comes_from_a_request_is_text_in_the_frame() -> None:
    odd = travel(shop(), Memory(), http_request("http://shop.example.com/<script>"))
    assert "<script>" not in Player({"<script>": odd, "b": odd}, {"b": "<script>"}).frame()._repr_html_()


# Live --------------------------------------------------------------------------------------------


def choosing(**values: Any) -> dict[str, Any]:
    """The player's data after a reader has set these controls."""
    box = explore()
    for name, value in values.items():
        box.controls[name].value = value
    return box.widget.data


def outcome(shown: dict[str, Any]) -> str:
    return str(shown["journeys"][0]["ending"])


def test_exploring_begins_with_the_cart() -> None:
    assert choosing() == data({CART: travel(shop(), Memory(), http_request(CART), seeded(0))})


def test_another_url_is_another_journey() -> None:
    assert outcome(choosing(url="http://nope.example.com/")).startswith("NXDOMAIN")


def test_what_is_no_url_is_told_and_nothing_changes() -> None:
    box = explore()
    before = box.widget.data
    box.controls["url"].value = "cart"
    assert "not a URL" in box.notice.problem and box.widget.data == before


def test_with_policy_local_some_lots_end_in_a_timeout() -> None:
    box = explore()
    box.controls["policy"].value = LOCAL
    endings = []
    for seed in range(8):
        box.controls["seed"].value = seed
        endings.append(outcome(box.widget.data))
    assert set(endings) == {"status 200", "status 504"}


def test_a_user_may_be_anywhere() -> None:
    shown = choosing(user="10.0.35.113")
    assert any("10.0.35.113" in text for text in shown["texts"])


def test_requests_before_it_leave_connections_open() -> None:
    assert "connection used again" in choosing(before=9)["texts"]
    assert "connection used again" not in choosing(before=9, keep_alive=False)["texts"]


def test_it_is_redrawn_at_once() -> None:
    box = explore()
    took = []
    for seed in range(1, 6):
        began = time.process_time()
        box.controls["seed"].value = seed
        took.append(time.process_time() - began)
    assert min(took) < 0.1
