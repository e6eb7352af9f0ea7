"""A Sphinx extension: what a cell printed is put together as it was printed.

Jupyter sends it in pieces, and on a busy machine a piece may end within a line. myst-nb's own way to join them
(`nb_merge_streams`) ends every piece with a line break, so the page would have lines that nobody printed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from myst_nb.core import render  # type: ignore[import-untyped, unused-ignore]
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from notebooks import merged


def setup(app: Sphinx) -> dict[str, Any]:
    render.coalesce_streams = merged
    return {"parallel_read_safe": True, "parallel_write_safe": True}
