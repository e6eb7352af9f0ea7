"""The book on paper and on a reading device: `dist/` gets a PDF and an EPUB. Widgets are there as their still frames.

Both come from the pages' own sources, by two more of Sphinx's builders: all chapters on one page, which Chromium prints
without running its scripts; and an EPUB, from which the scripts are taken, for few devices run any.

Not modelled: page numbers in the text's own references; a folded solution, which stays folded on paper.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import sys
import tempfile
import zipfile
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import chromium
from edition import edition
from wheels import NO_DAY

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
TITLE = "One Request, There and Back"

# What only a screen has a use for; and lines that are too long for the paper are broken.
PRINTED = """
<style>
  html { font-size: 10pt; }
  .headerlink, .skip-link, .copybtn, .np-run-bar, #pst-skip-link, .bd-header, .bd-header-article, .bd-sidebar,
  .bd-sidebar-primary, .bd-sidebar-secondary, .bd-footer, .prev-next-footer, .pst-async-banner-revealer,
  dialog { display: none !important; }
  .bd-main .bd-content .bd-article-container { max-width: none; }
  .toctree-wrapper { margin: 0; }
  .toctree-wrapper > section { break-before: page; }
  h1, h2, h3, h4 { break-after: avoid; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  figure, tr, pre, .cell_input { break-inside: avoid; }
  @page { size: A4; margin: 18mm 16mm; }
</style>
"""
VOID = re.compile(r"<(br|col|hr|img|input|wbr)\b([^>]*?)/?>")  # HTML leaves these open, XHTML doesn't
WIDGET = "application/vnd.jupyter.widget-view+json"
FRAME = '<div class="netpath-frame">'
HERE = "book/intro.html#"  # how Sphinx links within the one page
# In one page, an entry of the bibliography has the same number as passages of the text: it gets a name of its own.
SOURCE = re.compile(rf'(<a class="reference internal" href="{HERE}|<div class="citation" id=")id(?=\d)')
PRINTED_AT = re.compile(rb"D:\d{14}")
PACKAGE = "content.opf"  # what is in an EPUB, and in which order
STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
SCRIPT = re.compile(r"<script\b[^>]*?(/>|>.*?</script>)", re.DOTALL)


def main(target: Path = DIST) -> int:
    """Write both into a folder; 1, with a word about it, if something for one of them is missing."""
    name = f"one-request-{edition().version}-{edition().date}"
    midnight = datetime.combine(edition().date, time(), UTC)
    os.environ["SOURCE_DATE_EPOCH"] = str(int(midnight.timestamp()))
    target.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        settings = epub_settings(name)  # the same for both, so that the notebooks run once
        know_pages_by_name()
        made = build("epub", Path(scratch), settings)
        complete("".join(path.read_text(encoding="utf-8") for path in sorted(made.rglob("*.xhtml"))))
        without_scripts(made / f"{name}.epub", target / f"{name}.epub")
        page = one_page(build("singlehtml", Path(scratch), settings))
        complete(page.read_text(encoding="utf-8"))
        return print_page(page, target / f"{name}.pdf")


def complete(pages: str) -> None:
    """Raises SystemExit if a chapter's title is missing, or a widget's still frame."""
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        title = "".join(json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"]).splitlines()[0]
        if title.removeprefix("# ") not in pages:
            raise SystemExit(f"paper: {notebook.name} is missing")
    if pages.count(WIDGET) > pages.count(FRAME):
        raise SystemExit("paper: a widget has no still frame")


def build(builder: str, folder: Path, settings: dict[str, Any]) -> Path:
    """Let Sphinx build the book this way; where it is."""
    from jupyter_book.sphinx import build_sphinx  # type: ignore[import-untyped]

    print(f"paper: {builder}", flush=True)
    target = folder / builder
    done = build_sphinx(
        str(ROOT),
        str(target),
        path_config=str(ROOT / "_config.yml"),
        confoverrides={"latex_individualpages": False, **settings},
        noconfig=True,
        doctreedir=str(folder / "doctrees"),
        builder=builder,
        quiet=True,
        warningiserror=False,
    )
    if done:
        raise SystemExit(f"paper: Sphinx could not build it: {done}")
    return target


def epub_settings(name: str) -> dict[str, Any]:
    """What Sphinx wants to know of an EPUB."""
    return {
        "epub_basename": name,
        "epub_title": TITLE,
        "epub_description": "One HTTP request to a Kubernetes pod on AWS, and its answer: an interactive textbook.",
        "epub_uid": "netpath",
        "epub_identifier": "netpath",  # the same, for both of its tables of contents
        "epub_contributor": "The netpath authors",
        "epub_tocscope": "includehidden",
        "epub_tocdepth": 2,
        "epub_tocdup": False,
        "version": str(edition().version),
        "epub_show_urls": "no",
        "epub_exclude_files": ["_static/vendor/**", "lite/**", ".buildinfo"],
        "suppress_warnings": ["epub.unknown_project_files"],
    }


# EPUB --------------------------------------------------------------------------------------------


def know_pages_by_name() -> None:
    """Have Sphinx call `book/../notebooks/x` `notebooks/x`: else a book that begins in a folder has lost its pages."""
    from sphinx.builders.epub3 import Epub3Builder

    add = Epub3Builder.toc_add_files

    def add_by_name(builder: Any, entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            entry["refuri"] = posixpath.normpath(entry["refuri"])
        add(builder, entries)

    Epub3Builder.toc_add_files = add_by_name  # type: ignore[method-assign, assignment]


def without_scripts(source: Path, target: Path) -> None:
    """The same EPUB without scripts, in XHTML. Raises ParseError if a page can't be read as such."""
    late = sorted(source.parent.glob("_static/mystnb*.css"))  # MyST-NB writes it when Sphinx has packed already
    with zipfile.ZipFile(source) as given, zipfile.ZipFile(target, "w") as made:
        files = {inner: given.read(inner) for inner in given.namelist()}  # `mimetype` first, as the format wants it
        files |= {inner: in_xhtml(data.decode()).encode() for inner, data in files.items() if inner.endswith(".xhtml")}
        files |= {f"_static/{path.name}": path.read_bytes() for path in late}
        files[PACKAGE] = listed(files, [path.name for path in late])
        for inner, data in files.items():
            how = zipfile.ZIP_STORED if inner == "mimetype" else zipfile.ZIP_DEFLATED
            made.writestr(zipfile.ZipInfo(inner, NO_DAY), data, how)


def in_xhtml(page: str) -> str:
    """A page without scripts, with closed lines, and with its styles where XHTML has them, each once."""
    page = VOID.sub(r"<\1\2/>", SCRIPT.sub("", page))
    styles = "".join(dict.fromkeys(STYLE.findall(page)))
    page = STYLE.sub("", page).replace("</head>", f"{styles}</head>")
    ElementTree.fromstring(page)
    return page


def listed(files: dict[str, bytes], sheets: list[str]) -> bytes:
    """The package's list of its files: with these style sheets too, and with a word on which pages have drawings."""
    text = files[PACKAGE].decode()
    for inner in (inner for inner, data in files.items() if inner.endswith(".xhtml") and b"<svg" in data):
        text = re.sub(rf'(<item\b[^>]*href="{re.escape(inner)}")', r'\1 properties="svg"', text)
    items = (f'<item id="sheet-{name}" href="_static/{name}" media-type="text/css" />' for name in sheets)
    return text.replace("</manifest>", f"{''.join(items)}</manifest>").encode()


# PDF ---------------------------------------------------------------------------------------------


def one_page(site: Path) -> Path:
    """The page with everything, where its style sheets look for it, and dressed for paper."""
    page = site / "index.html"
    text = SOURCE.sub(r"\1source-", (site / "book" / "intro.html").read_text(encoding="utf-8"))
    page.write_text(text.replace(HERE, "#").replace("</head>", PRINTED + "</head>"), encoding="utf-8")
    return page


def print_page(page: Path, target: Path) -> int:
    """Let Chromium print it."""
    if lacking := chromium.lacking():
        print(f"paper: no PDF, for {lacking}", file=sys.stderr)
        return 1
    print("paper: pdf", flush=True)
    with chromium.started() as browser:
        opened = browser.new_context(java_script_enabled=False, color_scheme="light", offline=True).new_page()
        opened.goto(page.as_uri())
        opened.pdf(path=target, prefer_css_page_size=True, print_background=True, outline=True, tagged=True)
    of_the_edition = f"D:{edition().date:%Y%m%d}000000".encode()
    target.write_bytes(PRINTED_AT.sub(of_the_edition, target.read_bytes()))
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
