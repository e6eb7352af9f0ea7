"""The book's visual language: a colour and a shape for each address space and each fate.

Whoever can't tell two colours apart can tell the shapes apart, and whoever sees neither has the words. The hues
are Okabe and Ito's ("Color Universal Design", 2008), sky blue and orange darkened, so that each has a contrast of at
least 3:1 on white and on the book's dark page alike (WCAG 2.2, 1.4.11): one palette serves both, and print.

Not modelled: a reader's own high-contrast colours, other than for text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from netpath.codes import Fate


class Space(StrEnum):
    """Where an address means something: the stretches of the road, from the user inwards."""

    DNS = "name servers"
    INTERNET = "the Internet"
    PUBLIC = "VPC, public subnets"
    PRIVATE = "VPC, private subnets"
    NODES = "nodes"
    PODS = "pods"


@dataclass(frozen=True, slots=True)
class Look:
    """How a thing is drawn, and the character that stands for it in text."""

    colour: str
    shape: str
    sign: str


SPACES: dict[Space, Look] = {
    Space.DNS: Look("#7f7f7f", "hexagon", "⬢"),
    Space.INTERNET: Look("#0072b2", "circle", "●"),
    Space.PUBLIC: Look("#b97a00", "square", "■"),
    Space.PRIVATE: Look("#009e73", "diamond", "◆"),
    Space.NODES: Look("#c0699b", "pentagon", "⬟"),
    Space.PODS: Look("#2e93cf", "triangle", "▲"),
}

FATES: dict[Fate, Look] = {
    Fate.PASSED: Look("#009e73", "check", "✓"),
    Fate.DROPPED: Look("#d55e00", "cross", "✕"),
    Fate.REJECTED: Look("#8f5fb8", "octagon", "⊘"),
    Fate.FAILED: Look("#9a8400", "warning", "⚠"),
}

# Stand for the page's own colours while a figure is drawn: the text's, and the ground's.
INK = "#010203"
PAPER = "#fdfeff"
GREY = "#7f7f7f"


def luminance(colour: str) -> float:
    """The relative luminance of `#rrggbb`, from 0 to 1 (WCAG 2.2)."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2.2).

    >>> round(contrast("#ffffff", "#000000"))
    21
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
