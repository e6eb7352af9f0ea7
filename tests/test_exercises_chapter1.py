"""Chapter 1's exercises: what the general tests of all exercises can't know of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from netpath.exercises import chapter1
from netpath.exercises.chapter1.worlds import worlds
from netpath.exercises.predict import Predict
from netpath.vpc import findings

CHAPTER = Path(__file__).parent.parent / "notebooks" / "01_network_boundaries.ipynb"
PREDICT = [each for each in chapter1.exercises.exercises if isinstance(each, Predict)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NETPATH_PROGRESS", str(tmp_path / "progress.json"))


def anchors() -> set[str]:
    """The anchors of the chapter's sections, as Sphinx makes them."""
    cells = json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return {re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") for title in re.findall(r"^##+ (.+)$", text, re.M)}


@pytest.mark.parametrize("exercise", PREDICT, ids=lambda each: each.number)
def test_every_place_to_read_again_is_a_section_of_the_chapter(exercise: Predict) -> None:
    seen = {slip.see.page for each in exercise.variants() for slip in each.slips if slip.see is not None}
    assert seen and {page.partition("#")[2] for page in seen} <= anchors()


def test_the_worlds_differ_from_the_books_in_what_their_names_say() -> None:
    told = {
        name: {finding.subject for finding in findings(world.region)}
        for name, world in worlds().items()
        if world.region
    }
    assert told["address alone"] - told["book"] == {"eni-0200000000000000a"}
    assert told["public nodes"] == told["one gateway"] == told["book"]


def test_all_fates_of_a_call_are_among_the_first_variants() -> None:
    assert len({each.answer for each in chapter1.q3.variants()}) == len(chapter1.q3.now.options)


def test_a_dead_route_decides_in_some_variant() -> None:
    assert any("blackhole" in each.answer for each in chapter1.q2.variants())


def test_curl_and_trace_ask_for_whoever_calls() -> None:
    told = chapter1.q8.trace("http://198.51.100.80/pay", "shop/shell")
    assert "from 10.0.35.113" in told.text and "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS" in told.text
    assert "after 131 s" in chapter1.q8.curl("http://198.51.100.80/pay", "shop/shell").text
    assert "200 from" in chapter1.q8.curl("http://shop.example.com/cart").text
