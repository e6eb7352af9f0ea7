"""A Sphinx extension: every chapter says what its model was checked against, in how many cases, and when.

The words are made of `lab/results.json`, which the lab writes after a recorded run (see `lab`, chapter 9), so that a
page can't say more than was counted. They stand below the chapter's title, as text.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from edition import recorded, spelt

CHAPTERS = "notebooks/"
ABOUT = "notebooks/09_the_real_thing"
HOW = "How it was checked"


def said(results: dict[str, Any]) -> str:
    """The line that chapters carry, of what a results file holds."""
    versions, oracles = results["versions"], results["oracles"].values()
    cases, wrong = (sum(each[what] for each in oracles) for what in ("cases", "disagreements"))
    linux = ".".join(versions["kernel"].split("-")[0].split(".")[:2])
    return (
        f"Checked against Linux {linux}, nginx {versions['nginx']}, unbound {versions['unbound']} and nsd "
        f"{versions['nsd']}: {cases:,} cases, {wrong:,} disagreement{'' if wrong == 1 else 's'}, on "
        f"{spelt(date.fromisoformat(results['date']))}."
    )


def say(app: Sphinx, tree: nodes.document, page: str) -> None:
    """Put the line below a chapter's title, with the way to the chapter that tells more."""
    results = recorded()
    if not page.startswith(CHAPTERS) or not results:
        return
    title = next(iter(tree.findall(nodes.title)), None)
    if title is None or title.parent is None:
        return
    line = nodes.paragraph("", nodes.Text(said(results)), classes=["np-checked"])
    if page != ABOUT and ABOUT in app.env.found_docs:
        way = app.builder.get_relative_uri(page, ABOUT)
        line += [nodes.Text(" "), nodes.reference("", HOW, refuri=way, internal=True)]
    title.parent.insert(title.parent.index(title) + 1, line)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("doctree-resolved", say)
    app.add_css_file("checked.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
