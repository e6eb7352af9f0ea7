"""A Sphinx extension that keeps the published book on its own host.

A default Jupyter Book asks several remote hosts for MathJax, require.js and the widget manager.
Here they come from `_vendor/` (see `tools/vendor.py`) and, for anywidget, from its Python package:
all are copied into the site, and only the pages that use them load them.

They are not put on `html_static_path`: Jupyter Book would load every script there on every page,
and a script that finds require.js where it doesn't expect it breaks.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)

VENDOR = Path(__file__).resolve().parents[2] / "_vendor"
SITE = "vendor"  # below _static/ in the site

WIDGET = "application/vnd.jupyter.widget-view+json"

# Loaded in this order, on pages that have widgets only.
WIDGET_SCRIPTS: dict[str, dict[str, str]] = {
    f"{SITE}/requirejs/require.js": {},
    f"{SITE}/widgets.js": {},
    f"{SITE}/html-manager/embed-amd.js": {"data-jupyter-widgets-cdn": f"_static/{SITE}/"},
}

# Tells require.js where the two widget libraries are, wherever the site is put (each part of the manager looks
# for its fonts beside the module that it believes to be). And ipywidgets asks MathJax 3 for the interface of MathJax 2.
WIDGETS_JS = """\
(function () {
  const here = new URL(".", document.currentScript.src).href;
  const manager = here + "html-manager";
  const paths = { "@jupyter-widgets": manager, "@jupyter-widgets/html-manager/dist": manager };
  requirejs.config({ paths: { ...paths, anywidget: here + "anywidget/index" } });

  const typeset = ([, , element]) => window.MathJax.typesetPromise && window.MathJax.typesetPromise([element]);
  const withHub = (mathjax) => mathjax && Object.assign(mathjax, { Hub: { Queue: typeset } });
  let mathjax = withHub(window.MathJax);
  Object.defineProperty(window, "MathJax", { get: () => mathjax, set: (value) => (mathjax = withHub(value)) });
})();
"""


def use_local_scripts(app: Sphinx, config: Config) -> None:
    """Point MathJax and the widgets at the site's own copies, or at nothing."""
    have = (VENDOR / "pins.json").exists()
    if not have:
        logger.info("offline: no _vendor/ folder, so pages get no widgets and no typeset formulas")
    config["nb_ipywidgets_js"] = WIDGET_SCRIPTS if have else {}
    config["mathjax_path"] = f"{SITE}/mathjax/tex-mml-chtml.js" if have else f"{SITE}/none.js"


def copy_scripts(app: Sphinx) -> None:
    """Lay the scripts into the site before its pages are written (their digests go into the pages)."""
    if app.builder.format != "html":
        return
    target = Path(app.outdir) / "_static" / SITE
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    (target / "none.js").write_text("", encoding="utf-8")
    (target / "widgets.js").write_text(WIDGETS_JS, encoding="utf-8")
    if VENDOR.exists():
        shutil.copytree(VENDOR, target, dirs_exist_ok=True, ignore=_not_the_notebooks)
    anywidget = importlib.util.find_spec("anywidget")
    if anywidget and anywidget.origin:
        (target / "anywidget").mkdir()
        shutil.copy(Path(anywidget.origin).parent / "nbextension" / "index.js", target / "anywidget" / "index.js")


def _not_the_notebooks(folder: str, names: list[str]) -> list[str]:
    """`_vendor/lite` is what `tools/lite.py` builds the notebooks in the browser from, in a place of their own."""
    return ["lite"] if Path(folder) == VENDOR else []


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
    app.add_post_transform(StillFrames)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
