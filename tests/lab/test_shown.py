"""What the book shows of the lab: captures that can be written down, and counts that are what was counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lab import model, shown
from lab.capture import Capture, as_object, captured, from_object, load
from lab.isolation import Isolated, LabError, obstacle
from lab.road import Road
from lab.session import PROGRAMS, Lab
from lab.trace import trace
from lab.visits import Visits
from netpath.load import shop
from tests.conftest import skip_here

CART = "http://shop.example.com/cart"


def captures() -> list[Capture]:
    lab = Lab(shop())
    lab.up()
    return [captured(lab, CART), captured(lab, "http://nobody.example.com/")]


def test_a_capture_can_be_written_down_and_read_again() -> None:
    if reason := obstacle(PROGRAMS):
        skip_here(reason)
    with Isolated() as isolated:
        for capture in isolated.call(captures):
            again = from_object(json.loads(json.dumps(as_object(capture))))
            assert trace(shop(), again) == trace(shop(), capture)
            assert trace(shop(), again)[1]


def test_the_recorded_request_is_still_the_models_journey() -> None:
    text, same = trace(shop(), load("cart"))
    assert same, text


def test_another_request_than_the_recorded_one_is_told_apart() -> None:
    capture = load("cart")
    lines = capture.request.road.lines[:2]
    other = replace(capture, request=replace(capture.request, road=Road(lines, 200)))
    assert not trace(shop(), other)[1]
    with pytest.raises(ValueError, match="no such journey"):
        shown.beside(shop(), other, 1)


def test_beside_each_other_all_places_of_a_connection_stand() -> None:
    table = shown.beside(shop(), load("cart"), 2)
    line = load("cart").request.road.lines[1]
    assert len(table.rows) == len(line.out) + len(line.back)
    assert {row[2][0].text for row in table.rows} == {shown.SAME}


def test_the_rules_and_memories_of_the_recorded_request_are_the_models() -> None:
    capture = load("cart")
    journey = model.follow(shop(), capture.url, capture.request)
    assert journey is not None
    rows = [row for number in (2, 3) for row in shown.decided(capture, journey, number).rows]
    rows += shown.kept(capture, journey).rows
    assert len(rows) == len(capture.request.rules) + sum(map(len, capture.kept.values()))
    assert {row[2][0].text for row in rows} == {shown.SAME}


def test_a_rule_that_another_kernel_matched_is_told_apart() -> None:
    capture = load("cart")
    journey = model.follow(shop(), capture.url, capture.request)
    assert journey is not None
    rules = {key: [*matched, "nat POSTROUTING 99"] for key, matched in capture.request.rules.items()}
    other = replace(capture, request=replace(capture.request, rules=rules), kept={"a node": ("src=1 dst=2 src=3",)})
    assert all(row[2][0].text.startswith("another way") for row in shown.decided(other, journey, 2).rows)
    assert [row[2][0].text for row in shown.kept(other, journey).rows] == ["nothing of it"]


def test_every_recorded_road_is_one_that_the_model_knows() -> None:
    seen = shown.recorded_sample()
    assert {text for text, _ in seen.roads} == set(model.roads(shop(), seen.url, seen.server))


def test_a_sample_can_be_written_down_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "_SAMPLE", tmp_path / "sample.json")
    seen = Visits("http://a/", "192.0.2.1", ((("a", "b"), 3),), 0.5, 0.25, 0.125)
    shown.record_sample(seen)
    assert shown.recorded_sample() == seen


def test_shares_add_up() -> None:
    seen = shown.recorded_sample()
    rows = shown.shares(shop(), seen).rows
    assert sum(int(row[2][0].text.split()[0]) for row in rows) == sum(number for _, number in seen.roads)


def test_a_sample_is_asked_now_or_recorded_and_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shown, "obstacle", lambda _: "there is no nginx")
    assert shown.sample(CART, "203.0.113.10", 3) == shown.recorded_sample()
    assert "Not asked here: there is no nginx" in capsys.readouterr().out


def test_where_a_lab_does_not_come_up_the_recorded_sample_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken(Isolated):
        def __init__(self) -> None:
            raise LabError("a traceback\nno room")

    monkeypatch.setattr(shown, "obstacle", lambda _: "")
    monkeypatch.setattr(shown, "Isolated", Broken)
    assert shown.sample(CART, "203.0.113.10", 3) == shown.recorded_sample()
    assert "Not asked here: no room" in capsys.readouterr().out


def test_a_lab_for_a_moment_sees_only_roads_that_the_model_knows(capsys: pytest.CaptureFixture[str]) -> None:
    if reason := obstacle(PROGRAMS):
        skip_here(reason)
    seen = shown.sample(CART, "203.0.113.10", 12)
    assert "just now" in capsys.readouterr().out
    assert {text for text, _ in seen.roads} <= set(model.roads(shop(), CART, "203.0.113.10"))
    assert sum(number for _, number in seen.roads) == 12


def test_the_recorded_results_have_no_disagreement() -> None:
    oracles = shown.results()["oracles"]
    assert {"balancing", "dns", "ingress", "nat", "road"} <= set(oracles)
    assert {each["disagreements"] for each in oracles.values()} == {0}


def test_counts_end_with_their_sum() -> None:
    *rows, last = [[cell[0].text.replace(",", "") for cell in row] for row in shown.counts().rows]
    assert int(last[1]) == sum(int(row[1]) for row in rows)
