"""A Sphinx extension that keeps the published book on its own host.

A default Jupyter Book asks remote hosts for MathJax, require.js and Jupyter's widget manager. Here MathJax comes from
`_vendor/` (see `tools/vendor.py`), and the widgets are drawn by a small script of our own, `book/widgets/draw.js`.
Only the pages that use them load them.

They are not put on `html_static_path`: Jupyter Book would load every script there on every page.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
VENDOR = ROOT / "_vendor"
SITE = "vendor"  # below _static/ in the site

WIDGET = "application/vnd.jupyter.widget-view+json"
DRAWING = "draw.js"  # in `book/widgets`, and then below _static/ in the site; on pages that have widgets only


def use_local_scripts(app: Sphinx, config: Config) -> None:
    """Point MathJax and the widgets at the site's own scripts; without `_vendor/`, MathJax at nothing."""
    have = (VENDOR / "pins.json").exists()
    if not have:
        logger.info("offline: no _vendor/ folder, so pages get no typeset formulas")
    config["nb_ipywidgets_js"] = {DRAWING: {"defer": "defer"}}
    config["mathjax_path"] = f"{SITE}/mathjax/tex-mml-chtml.js" if have else f"{SITE}/none.js"


def copy_scripts(app: Sphinx) -> None:
    """Lay the scripts into the site before its pages are written (their digests go into the pages)."""
    if app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    shutil.rmtree(static / SITE, ignore_errors=True)
    (static / SITE).mkdir(parents=True)
    (static / SITE / "none.js").write_text("", encoding="utf-8")
    shutil.copy(ROOT / "book" / "widgets" / DRAWING, static)
    if VENDOR.exists():
        shutil.copytree(VENDOR, static / SITE, dirs_exist_ok=True, ignore=_not_the_notebooks)


def _not_the_notebooks(folder: str, names: list[str]) -> list[str]:
    """`_vendor/lite` is what `tools/lite.py` builds the notebooks in the browser from, in a place of their own."""
    return ["lite"] if Path(folder) == VENDOR else []


def leave_out_icons(app: Sphinx, exception: Exception | None) -> None:
    """Empty the theme's script of icons, 1.5 MB on every page: its fonts have all of them as well."""
    script = Path(app.outdir) / "_static" / "scripts" / "fontawesome.js"
    if script.exists():
        script.write_text("// The icons come from the fonts beside this folder.\n", encoding="utf-8")


class StillFrames(SphinxPostTransform):
    """Keep a widget's still frame in the page, beside the widget.

    Of the forms that an output comes in, MyST-NB would keep the widget alone, and a page without JavaScript, or on
    paper, would have nothing in its place. Which of the two is seen is up to netpath's `widgets.css`.
    """

    default_priority = 3  # before MyST-NB's own choice, which is 4

    def run(self, **_: Any) -> None:
        """Put the HTML of an output that is a widget as well behind it, as an output of its own."""
        for bundle in list(self.document.findall(_is_widget_with_frame)):
            still = next(each for each in bundle.children if each["mime_type"] == "text/html")
            bundle.parent.insert(bundle.parent.index(bundle) + 1, still.children)


def _is_widget_with_frame(node: nodes.Node) -> bool:
    if not isinstance(node, nodes.container) or node.get("nb_element") != "mime_bundle":
        return False
    return {WIDGET, "text/html"} <= {each["mime_type"] for each in node.children if isinstance(each, nodes.Element)}


def mend_list(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Docutils calls the bibliography a list whose entries are none; an entry's own role says what it is."""
    context["body"] = context.get("body", "").replace(
        '<div role="list" class="citation-list">', '<div class="citation-list">'
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_config_value("comments_config", {}, "env")  # Jupyter Book sets it even where sphinx_comments isn't loaded
    app.connect("config-inited", use_local_scripts)
    app.connect("builder-inited", copy_scripts)
    app.connect("html-page-context", mend_list)
    app.connect("build-finished", leave_out_icons)
    app.add_post_transform(StillFrames)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
