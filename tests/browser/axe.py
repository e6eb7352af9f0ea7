"""What axe-core finds in a page that the browser has open."""

from __future__ import annotations

from typing import Any

from tests.conftest import ROOT, skip_here

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
THEME_IS_DONE = 700  # ms; the theme gives what scrolls its tab stop 300 ms after the last change


def violations(page: Any, where: str = "body", impacts: tuple[str, ...] = ()) -> list[str]:
    """Each rule that is broken, with its places; `impacts`: no others than these."""
    if not AXE.exists():
        skip_here("axe-core isn't installed: make node_modules")
    page.wait_for_timeout(THEME_IS_DONE)
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("where => axe.run(where, {resultTypes: ['violations']})", where)["violations"]
    return [_told(each) for each in found if not impacts or each["impact"] in impacts]


def _told(violation: dict[str, Any]) -> str:
    where = "; ".join(str(node["target"]) + " " + node["html"][:150] for node in violation["nodes"][:4])
    return f"{violation['id']}: {violation['help']} ({len(violation['nodes'])}): {where}"
