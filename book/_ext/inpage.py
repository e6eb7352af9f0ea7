"""A Sphinx extension: code cells of a page that readers run, change and run again, right there.

Which cells do is decided here, while the page is built, by three rules (`way_of`):

1. A cell with the tag `not-in-page`, one that imports what only a notebook's kernel has (`ELSEWHERE`), one that calls
   `explore`, whose controls need such a kernel, and one that isn't plain Python: it has no button.
2. A cell that shows a widget has none either, for the widget answers in the page by itself. But it runs, unseen, where
   a later cell builds on it.
3. Every other cell has its buttons.

The page's own script, `book/inpage/page.js`, makes the buttons. The interpreter is the one of the notebooks in the
browser (`lite/`, see `tools/lite.py`), so that a site has one Python; nothing of it is loaded before a reader's first
Run. Only pages that have such cells load the script.
"""

from __future__ import annotations

import ast
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

SOURCES = Path(__file__).resolve().parents[1] / "inpage"
SITE = "inpage"  # below _static/ in the site

WIDGET = "application/vnd.jupyter.widget-view+json"
ELSEWHERE = {"IPython", "anywidget", "ipywidgets", "matplotlib", "numpy", "subprocess"}
PAGES = ("html", "dirhtml")  # the builders of pages; a book in one file runs nothing
RUNS, QUIETLY = "np-runs", "np-runs-quietly"


def way_of(source: str, tags: list[str], shows_widget: bool) -> str | None:
    """How a cell takes part: with buttons, quietly, or (None) not at all."""
    try:
        tree = list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return None
    if "not-in-page" in tags or imported(tree) & ELSEWHERE or "explore" in called(tree):
        return None
    return QUIETLY if shows_widget else RUNS


def imported(tree: list[ast.AST]) -> set[str]:
    """The packages that a piece of code names in its imports."""
    whole = {alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names}
    parts = {node.module or "" for node in tree if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in whole | parts}


def called(tree: list[ast.AST]) -> set[str]:
    """The names of the functions that it calls, without what stands before their last dot."""
    functions = [node.func for node in tree if isinstance(node, ast.Call)]
    return {each.id for each in functions if isinstance(each, ast.Name)} | {
        each.attr for each in functions if isinstance(each, ast.Attribute)
    }


class Marks(SphinxPostTransform):
    """Mark the cells that take part, each by a class."""

    default_priority = 2  # before offline.py's and MyST-NB's own, which leave one of an output's forms

    def run(self, **_: Any) -> None:
        """Mark them; the pages' script finds them by it."""
        if self.app.builder.name not in PAGES:
            return
        for cell in self.document.findall(_is_code_cell):
            source = next((each.astext() for each in cell.findall(nodes.literal_block)), "")
            tags = (cell.get("cell_metadata") or {}).get("tags", [])
            if way := way_of(source, tags, any(map(_is_widget, cell.findall(nodes.container)))):
                cell["classes"].append(way)


def _is_code_cell(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def _is_widget(node: nodes.Element) -> bool:
    parts = [each for each in node.children if isinstance(each, nodes.Element)]
    return node.get("nb_element") == "mime_bundle" and any(each.get("mime_type") == WIDGET for each in parts)


def copy_scripts(app: Sphinx) -> None:
    """Lay the scripts into the site before its pages are written (their digests go into the pages)."""
    if app.builder.name in PAGES:
        target = Path(app.outdir) / "_static" / SITE
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(SOURCES, target, ignore=shutil.ignore_patterns("__pycache__"))


def add_script(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Give a page that has such cells the script and its style, and no other page."""
    if doctree and any(RUNS in cell["classes"] for cell in doctree.findall(_is_code_cell)):
        app.add_js_file(f"{SITE}/page.js", loading_method="defer")  # browsers take no module from a file
        app.add_css_file(f"{SITE}/page.css")


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", copy_scripts)
    app.connect("html-page-context", add_script)
    app.add_post_transform(Marks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
