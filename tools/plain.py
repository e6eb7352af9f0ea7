"""A chapter's prose for programs that know Markdown but not MyST: terms, sources and boxes, as plain Markdown has them.

Not modelled: any other directive or role; a test says if a chapter uses one.
"""

from __future__ import annotations

import re

TERM = re.compile(r"\{term\}`([^`<]*?)(?:\s*<[^`>]*>)?`")
CITE = re.compile(r"\s*\{cite\}`[^`]*`")  # the page has the sources, and a list of them
PAGE = re.compile(r"\[([^\]]*)\]\(\.\./book/[^)]*\)")
BOX = re.compile(r"^:::\{(\w+)\} *(.*)\n(?::\w+:.*\n)*((?:.*\n)*?):::$", re.MULTILINE)


def plain(prose: str) -> str:
    """The same prose without MyST.

    >>> plain("A {term}`pod` and {term}`two pods <pod>` {cite}`source`, see [there](../book/there.md).")
    'A pod and two pods, see there.'
    """
    prose = BOX.sub(_quoted, prose)
    for pattern, instead in ((TERM, r"\1"), (CITE, ""), (PAGE, r"\1")):
        prose = pattern.sub(instead, prose)
    return prose


def _quoted(box: re.Match[str]) -> str:
    """A box as a quotation, its title in bold."""
    kind, title, text = box.groups()
    lines = [f"**{title or kind.capitalize()}**", "", *text.rstrip().splitlines()]
    return "\n".join(f"> {line}".rstrip() for line in lines)
