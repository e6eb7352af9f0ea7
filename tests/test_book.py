"""The built pages, as files: complete, linked, described, and nobody else's. `make site` builds them."""

from __future__ import annotations

import json
import re
import urllib.parse
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT, SITE, skip_here

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LONGEST_CELL = 20
# Elements that make a browser fetch what they name, and the attribute that names it.
FETCHING = dict.fromkeys(("script", "img", "iframe", "source", "video", "embed"), "src") | {"object": "data"}


@dataclass
class Page(HTMLParser):
    """What the tests want to know of an HTML page."""

    path: Path
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    undescribed: list[str] = field(default_factory=list)
    headings: int = 0
    language: str | None = None
    in_article: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.anchors.update(filter(None, (attributes.get("id"), attributes.get("name"))))
        if tag == "html":
            self.language = attributes.get("lang")
        if tag == "article":
            self.in_article = True
        if tag == "h1" and self.in_article:  # outside it the theme has another, for print
            self.headings += 1
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if tag == "link" and attributes.get("rel") not in ("canonical", "next", "prev", "index", "search"):
            self.fetched.append(attributes["href"])
        if attributes.get(FETCHING.get(tag, "")):
            self.fetched.append(attributes[FETCHING[tag]])
        if tag == "img" and attributes.get("alt", "").strip() in ("", attributes.get("src")):  # Sphinx falls back to it
            self.undescribed.append(attributes.get("src", ""))


@cache
def page(path: Path) -> Page:
    """A page, read once."""
    return Page(path)


def chapters() -> list[str]:
    """The pages that the table of contents names."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


@pytest.fixture(params=[*chapters(), "genindex", "search"])
def built(request: pytest.FixtureRequest) -> Page:
    """Each page of the built book."""
    path = SITE / f"{request.param}.html"
    if not SITE.exists():
        skip_here("the book isn't built: make site")
    assert path.exists(), f"{path.name} was not built"
    return page(path)


def remote(url: str) -> bool:
    """Whether a browser would ask another host for it."""
    return url.startswith("//") or urllib.parse.urlsplit(url).scheme not in ("", "data")


def test_a_page_fetches_nothing_from_another_host(built: Page) -> None:
    assert [url for url in built.fetched if remote(url)] == []


def test_what_a_page_fetches_is_there(built: Page) -> None:
    local = [url for url in built.fetched if not remote(url) and not url.startswith("data:")]
    assert [url for url in local if not (built.path.parent / urllib.parse.unquote(url.split("?")[0])).exists()] == []


def test_every_link_within_the_book_arrives(built: Page) -> None:
    assert [link for link in built.links if not remote(link) and not arrives(built, link)] == []


def arrives(origin: Page, link: str) -> bool:
    """Whether a link's page, and the place in it, exist."""
    url = urllib.parse.urlsplit(link)
    path = (origin.path.parent / urllib.parse.unquote(url.path)).resolve() if url.path else origin.path
    if not path.exists():
        return False
    return not url.fragment or path.suffix != ".html" or urllib.parse.unquote(url.fragment) in page(path).anchors


def test_every_picture_is_described_in_words(built: Page) -> None:
    assert built.undescribed == []


def test_a_page_says_its_language(built: Page) -> None:
    assert built.language == "en"


@pytest.mark.parametrize("name", chapters())
def test_a_page_of_the_book_has_one_title(name: str) -> None:
    if not SITE.exists():
        skip_here("the book isn't built: make site")
    assert page(SITE / f"{name}.html").headings == 1


def test_no_style_sheet_fetches_from_another_host() -> None:
    if not SITE.exists():
        skip_here("the book isn't built: make site")
    address = re.compile(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")]+)")
    found = {sheet.name: address.findall(sheet.read_text(encoding="utf-8")) for sheet in SITE.rglob("*.css")}
    assert found and not {name: urls for name, urls in found.items() if urls}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_committed_notebook_holds_no_picture_and_no_widget_state(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert "widgets" not in notebook["metadata"] and not {kind for kind in kinds if not kind.startswith("text/")}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_cell_is_too_long_to_read(path: Path) -> None:
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert [cell["id"] for cell in cells if sum(bool(line.strip()) for line in cell["source"]) > LONGEST_CELL] == []
