"""The benchmarks still run, and measure what they say; how fast is for them to tell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import real, table
from benchmarks.__main__ import main
from benchmarks.journeys import Caller, browser, read
from benchmarks.worlds import cluster_ip, grow
from netpath.kubernetes import Cluster
from netpath.load import load_world, shop


def cluster(folder: Path) -> Cluster:
    found = load_world(folder).cluster
    assert found is not None
    return found


def test_a_world_is_the_same_in_json_and_in_yaml(tmp_path: Path) -> None:
    one, other = (cluster(grow(tmp_path / form, 7, form)) for form in ("json", "yaml"))
    assert one == other


def test_each_service_more_has_ten_endpoints(tmp_path: Path) -> None:
    grown = cluster(grow(tmp_path / "world", 5))
    slices = [each for each in grown.slices if each.namespace == "many"]
    assert [len(each.endpoints) for each in slices] == [10] * 5
    assert len({endpoint.address for each in slices for endpoint in each.endpoints}) == 50
    assert {str(each.cluster_ip) for each in grown.services} >= {cluster_ip(number) for number in range(5)}


def test_a_pods_packets_reach_one_service_after_the_other(tmp_path: Path) -> None:
    Caller(load_world(grow(tmp_path / "world", 5)), 5).batch()


@pytest.mark.parametrize("keep_alive", [True, False])
def test_reading_a_journey_writes_out_every_step(keep_alive: bool) -> None:
    journey = browser(shop(), keep_alive).open()
    assert read(journey) > len(journey.hops) > 30


def test_numbers_stand_in_columns() -> None:
    lines = (table.Line("a", 1.5, "s", "< 2 s", True, "x"), table.Line("long name", 12345, "/s"))
    text = list(table.text([table.Section("title", "what was done", lines)]))
    assert text[3:] == ["    a            1.50  s   aim < 2 s  met  x", "    long name  12,345  /s"]


def test_without_a_lab_the_models_own_time_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real, "obstacle", lambda _: "there is no nginx")
    lines = real.section(1).lines
    assert [line.what.partition(":")[0] for line in lines] == ["the model"] * 2
    assert lines[0].peer == "no lab here: there is no nginx"


def test_the_quick_benchmark_runs_and_writes_its_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--quick", "--json", str(tmp_path / "numbers.json")]) == 0
    sections = json.loads((tmp_path / "numbers.json").read_text())
    printed = capsys.readouterr().out
    assert [section["title"] in printed for section in sections] == [True] * 5
    assert all(line["value"] > 0 for section in sections for line in section["lines"])
