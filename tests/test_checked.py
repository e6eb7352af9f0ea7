"""What a chapter says that it was checked against is what the lab's results file says."""

from __future__ import annotations

import html
import json
import re

import checked
import pytest

from tests.conftest import ROOT, SITE, skip_here

CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
RESULTS = json.loads((ROOT / "lab" / "results.json").read_text(encoding="utf-8"))


def line_of(chapter: str) -> str:
    """The line below a chapter's title, as text."""
    if not SITE.exists():
        skip_here("the book isn't built: make site")
    page = (SITE / "notebooks" / f"{chapter}.html").read_text(encoding="utf-8")
    found = re.findall(r'<p class="np-checked">(.*?)</p>', page, re.DOTALL)
    assert len(found) == 1
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", found[0])).split())


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_says_what_the_results_say(chapter: str) -> None:
    line = line_of(chapter)
    cases = sum(each["cases"] for each in RESULTS["oracles"].values())
    disagreements = sum(each["disagreements"] for each in RESULTS["oracles"].values())
    assert f"{cases:,} cases, {disagreements} disagreements" in line
    for program in ("nginx", "unbound", "nsd"):
        assert f"{program} {RESULTS['versions'][program]}" in line
    assert RESULTS["date"][:4] in line


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_line_leads_to_the_chapter_about_it(chapter: str) -> None:
    assert line_of(chapter).endswith(checked.HOW) == (chapter != "09_the_real_thing")


def test_one_disagreement_is_said_as_such() -> None:
    results = {
        "date": "2026-02-03",
        "versions": {"kernel": "6.18.1-generic", "nginx": "1", "unbound": "2", "nsd": "3"},
        "oracles": {"a": {"cases": 1200, "disagreements": 1}, "b": {"cases": 34, "disagreements": 0}},
    }
    said = checked.said(results)
    assert said.startswith("Checked against Linux 6.18, nginx 1, ")
    assert said.endswith(": 1,234 cases, 1 disagreement, on 3 February 2026.")
