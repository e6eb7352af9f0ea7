"""A Sphinx extension: each chapter's way into a running notebook, and the edition at the foot of every page.

The button leads into the site's own `lite/` (see `tools/lite.py`). Where the book's repository is known, a second one
leads to Binder and to Colab; the repository's own requirements are theirs too. A site that was built without `lite/`
says so where the button leads.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from edition import edition  # noqa: E402 - it lives among the tools

LITE = "lite/notebooks/index.html"
MISSING = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="robots" content="noindex">
<title>The notebooks in the browser</title>
<h1>Not in this copy</h1>
<p>This copy of the book was built without the notebooks in the browser. <code>make lite</code> adds them; and
<code>make live</code> opens the notebooks in a JupyterLab of your own.</p>
<p><a href="../../index.html">Back to the book</a></p>
</html>
"""


def say_edition(app: Sphinx, config: Config) -> None:
    """Put the edition, and what it was checked against, at the foot of every page."""
    this = edition()
    options: dict[str, Any] = config["html_theme_options"]
    told = f"<p>{this}. {this.told}</p>".replace(" </p>", "</p>")
    options["extra_footer"] = options.get("extra_footer", "") + told


def add_buttons(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    """Give a page that is a notebook its buttons."""
    if context.get("page_source_suffix") != ".ipynb":
        return
    name = Path(page).name + ".ipynb"
    here = f"{context['pathto'](LITE, 1)}?path={quote(name)}"
    run = {"type": "link", "url": here, "icon": "fas fa-rocket", "label": "run"}
    buttons: list[dict[str, Any]] = [run | {"tooltip": "Run this chapter in your browser: nothing to install"}]
    if elsewhere := elsewhere_buttons(app.config["live_repository"], app.config["live_branch"], f"{page}.ipynb"):
        buttons.append({"type": "group", "tooltip": "Run elsewhere", "icon": "fas fa-cloud", "buttons": elsewhere})
    context["header_buttons"] = [*buttons, *context.get("header_buttons", [])]


def elsewhere_buttons(repository: str, branch: str, path: str) -> list[dict[str, str]]:
    """Binder and Colab, for a repository on GitHub that is written as `owner/name`; none if it isn't known."""
    if not repository:
        return []
    binder = f"https://mybinder.org/v2/gh/{repository}/{branch}?labpath={quote(path, safe='')}"
    colab = f"https://colab.research.google.com/github/{repository}/blob/{branch}/{path}"
    return [
        {"type": "link", "url": binder, "text": "Binder", "tooltip": "A server for a while, without an account"},
        {"type": "link", "url": colab, "text": "Colab", "tooltip": "Google's, with an account"},
    ]


def say_what_is_missing(app: Sphinx, exception: Exception | None) -> None:
    """Where the buttons lead, until `make lite` has built it."""
    target = Path(app.outdir) / LITE
    if app.builder.format == "html" and exception is None and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(MISSING, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_config_value("live_repository", "", "html", str)
    app.add_config_value("live_branch", "main", "html", str)
    app.connect("config-inited", say_edition)
    app.connect("html-page-context", add_buttons, priority=600)  # the theme's own come first, at 501
    app.connect("build-finished", say_what_is_missing)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
