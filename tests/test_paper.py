"""The book on paper and on a reading device: what is taken from the pages, and what must not be missing."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import chromium
import paper
import pytest

from netpath.exercises.everything import chapters
from netpath.exercises.exercise import Exercise
from tests.conftest import ROOT, skip_here

PAGE = '<html xmlns="http://www.w3.org/1999/xhtml"><head></head><body><p>one<br>two</p>%s</body></html>'
OPF = "{http://www.idpf.org/2007/opf}"
PACKAGE = '<manifest><item href="page.xhtml" /></manifest><guide><reference href="page.xhtml" /></guide>'


def epub(folder: Path, page: str) -> zipfile.ZipFile:
    """An EPUB of one page, after its scripts were taken."""
    with zipfile.ZipFile(folder / "given.epub", "w") as given:
        given.writestr("mimetype", "application/epub+zip")
        given.writestr("content.opf", PACKAGE)
        given.writestr("page.xhtml", page)
    paper.without_scripts(folder / "given.epub", folder / "made.epub")
    return zipfile.ZipFile(folder / "made.epub")


def test_scripts_are_taken_from_an_epub_and_lines_are_closed(tmp_path: Path) -> None:
    with epub(tmp_path, PAGE % "<script>if (1 < 2) {}</script><script src='x.js'/>") as made:
        assert made.read("page.xhtml").decode() == PAGE.replace("<br>", "<br/>") % ""


def test_the_styles_of_an_epubs_page_stand_in_its_head_once(tmp_path: Path) -> None:
    with epub(tmp_path, PAGE % ("<style>p{color:red}</style>" * 2)) as made:
        page = made.read("page.xhtml").decode()
    assert ("<head><style>p{color:red}</style></head>" in page, page.count("<style>")) == (True, 1)


def test_an_epub_says_which_pages_have_drawings(tmp_path: Path) -> None:
    with epub(tmp_path, PAGE % "<svg></svg>") as made:
        package = made.read("content.opf").decode()
    assert package == PACKAGE.replace('"page.xhtml"', '"page.xhtml" properties="svg"', 1)


def test_a_style_sheet_that_came_late_is_in_the_epub(tmp_path: Path) -> None:
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "mystnb.1.css").write_text("p {}", encoding="utf-8")
    with epub(tmp_path, PAGE % "") as made:
        assert ("_static/mystnb.1.css" in made.namelist(), b"mystnb.1.css" in made.read("content.opf")) == (True, True)


def test_what_an_epub_is_stands_first_and_is_not_packed(tmp_path: Path) -> None:
    with epub(tmp_path, PAGE % "") as made:
        first = made.infolist()[0]
    assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)


def test_a_page_that_is_no_xhtml_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SyntaxError, match="mismatched tag"):
        epub(tmp_path, PAGE % "<p>never closed")


def titles() -> str:
    """Every chapter's title."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "notebooks").glob("*.ipynb"))
    return " ".join(text.partition('"# ')[2].partition("\\n")[0].partition('"')[0] for text in texts)


def test_a_book_with_every_chapter_and_every_frame_is_complete() -> None:
    paper.complete(f"{titles()} {paper.WIDGET} {paper.FRAME}")


def test_a_missing_chapter_is_noticed() -> None:
    with pytest.raises(SystemExit, match=r"\.ipynb is missing"):
        paper.complete("")


def test_a_widget_without_its_frame_is_noticed() -> None:
    with pytest.raises(SystemExit, match="no still frame"):
        paper.complete(f"{titles()} {paper.WIDGET}")


def printed(folder: Path, body: str) -> str:
    """The page to print, of one with this body."""
    (folder / "book").mkdir()
    (folder / "book" / "intro.html").write_text(f"<head></head><body>{body}</body>", encoding="utf-8")
    return paper.one_page(folder).read_text(encoding="utf-8")


def test_the_page_to_print_is_dressed_for_paper(tmp_path: Path) -> None:
    assert "break-before: page" in printed(tmp_path, "all")


def test_a_link_in_the_page_to_print_stays_in_it(tmp_path: Path) -> None:
    assert '<a href="#term-pod">' in printed(tmp_path, '<a href="book/intro.html#term-pod">')


def test_a_source_on_paper_is_not_mistaken_for_the_passage_with_its_number(tmp_path: Path) -> None:
    link = '<span id="id9">[<a class="reference internal" href="book/intro.html#id9">2</a>]</span>'
    page = printed(tmp_path, link + '<div class="citation" id="id9">')
    assert ('href="#source-9"' in page, page.count('id="source-9"')) == (True, 1)


@pytest.mark.parametrize(
    "exercise", [each for chapter in chapters() for each in chapter.exercises], ids=lambda it: it.number
)
def test_an_exercise_can_stand_in_an_epub(exercise: Exercise) -> None:
    for told in (exercise.question(), exercise.hint(), exercise.solution()):
        ElementTree.fromstring(paper.VOID.sub(r"<\1\2/>", f"<div>{told._repr_html_()}</div>"))


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the whole book in both forms."""
    if lacking := chromium.lacking():
        skip_here(f"the book was not printed: {lacking}")
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, ROOT / "tools" / "paper.py", folder], check=True, capture_output=True, timeout=600)
    return folder


@pytest.fixture(scope="module")
def whole(dist: Path) -> Iterator[zipfile.ZipFile]:
    """The EPUB."""
    with zipfile.ZipFile(next(dist.glob("*.epub"))) as opened:
        yield opened


def test_the_pdf_has_a_title_links_and_pages_enough_for_the_book(dist: Path) -> None:
    data = next(dist.glob("*.pdf")).read_bytes()
    assert len(re.findall(rb"/Type /Page\b", data)) > 150
    assert (b"/Outlines" in data, b"/URI (file:" in data) == (True, False)


def packed(whole: zipfile.ZipFile) -> tuple[dict[str, str], list[str]]:
    """The files that the package lists, by their ids, and those that are read, in order."""
    package = ElementTree.fromstring(whole.read("content.opf"))
    files = {each.attrib["id"]: each.attrib["href"] for each in package.iter(f"{OPF}item")}
    return files, [files[each.attrib["idref"]] for each in package.iter(f"{OPF}itemref")]


def test_every_file_that_the_epub_lists_is_in_it(whole: zipfile.ZipFile) -> None:
    files, _ = packed(whole)
    assert len(files) > 20 and set(files.values()) <= set(whole.namelist())


def test_the_epub_has_every_chapter_in_the_books_order(whole: zipfile.ZipFile) -> None:
    _, order = packed(whole)
    notebooks = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert [Path(href).stem for href in order if href.startswith("notebooks/")] == notebooks


def test_the_epubs_pages_are_xhtml_and_ask_no_host_for_anything(whole: zipfile.ZipFile) -> None:
    for name in (name for name in whole.namelist() if name.endswith(".xhtml")):
        page = ElementTree.fromstring(whole.read(name))
        fetched = [each.get("src") for each in page.iter() if each.get("src")]
        assert not [source for source in fetched if str(source).startswith(("http", "//"))], name
