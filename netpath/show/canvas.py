"""A sheet to draw on, and the finished drawing: SVG that follows the page's theme, and its words.

One unit is one CSS pixel at full size; y grows downwards. Texts stay texts, so that they can be searched for, copied
and read aloud; their widths are those of DejaVu Sans (`letters`), which is wider than what most readers' machines put
in its place. The same drawing gives the same bytes. It needs no library, and so is the same in the reader's browser.

Not modelled: right-to-left text, raster output.
"""

from __future__ import annotations

import functools
import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from netpath.show.letters import EM, MONO, width_of
from netpath.show.palette import INK, PAPER, Look

__all__ = ["BADGE", "MONO_ADVANCE", "Canvas", "Drawn", "Point", "Sheet", "Text", "outline", "width_of"]

Point = tuple[float, float]
MONO_ADVANCE = MONO / EM  # in ems
BADGE = 7.5  # a badge's radius
_SANS, _MONO = "DejaVu Sans,Verdana,sans-serif", "DejaVu Sans Mono,Menlo,Consolas,monospace"

_PAPER_CSS = "var(--pst-color-background, var(--jp-layout-color0, #fff))"
_INK_CSS = "var(--pst-color-text-base, var(--jp-content-font-color1, currentColor))"
_COVERS = "".join(
    f"linear-gradient({way},{_PAPER_CSS} 40%,transparent) {side}/36px 100% no-repeat local,"
    for way, side in (("90deg", "0"), ("270deg", "100%"))
)
# The halo keeps a text legible where a line runs under it.
_STYLE = (
    ".netpath-figure{margin:1.5rem 0}"
    # Shadows at the sides, which paper that scrolls along covers at either end: there is more this way.
    f".netpath-scroll{{overflow-x:auto;background:{_COVERS}"
    "radial-gradient(farthest-side at 0 50%,rgba(127,127,127,.7),transparent) 0/14px 100% no-repeat,"
    "radial-gradient(farthest-side at 100% 50%,rgba(127,127,127,.7),transparent) 100%/14px 100% no-repeat}"
    ".netpath-drawing{display:block;width:100%;height:auto;margin:0 auto;background:transparent}"
    f".netpath-drawing text{{paint-order:stroke;stroke:{_PAPER_CSS};stroke-width:2.5px;stroke-linejoin:round}}"
    "@media print{.netpath-drawing{min-width:0!important}}"
)
_CAPTION = "text-align:left;color:inherit;font-weight:400;font-size:.9em;margin-top:.5rem"


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text on a sheet: where its baseline's start, middle or end (`anchor`) is, and its letters."""

    at: Point
    text: str
    size: float
    anchor: str
    bold: bool
    mono: bool

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what it covers, by the letters' own height and depth."""
        width = width_of(self.text, self.size, self.bold, self.mono)
        left = self.at[0] - {"start": 0.0, "middle": width / 2, "end": width}[self.anchor]
        return left, self.at[1] - 0.76 * self.size, left + width, self.at[1] + 0.24 * self.size


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was drawn: a size in pixels, SVG elements one over the other, and the texts among them."""

    width: float
    height: float
    elements: tuple[str, ...]
    texts: tuple[Text, ...]

    def svg(self, attributes: str, ink: str, paper: str, first: str = "") -> str:
        """The whole drawing, in these colours for its ink and its paper."""
        root = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(self.width)} {_n(self.height)}"'
        inner = "".join(self.elements).replace(INK, ink).replace(PAPER, paper)
        return f'<svg {attributes} {root} font-family="{_SANS}">{first}{inner}</svg>'


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure with its words: what it shows (`caption`), and all that is to be seen on it (`alt`).

    A notebook and the book show it as `<figure>`; `svg()` is for a file of its own, on white paper.
    """

    figure: Sheet
    caption: str
    alt: str
    least: int = 600  # pixels: on a narrower screen it scrolls rather than shrink beyond reading

    def __repr__(self) -> str:
        return f"{self.caption}\n\n{self.alt}"

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """The figure with caption and alternative text, in the colours of whatever page it is put on."""
        size = f"max-width:{round(self.figure.width)}px;min-width:{self.least}px"
        root = f'class="netpath-drawing" role="img" aria-label="{html.escape(self.alt)}" style="{size}"'
        return (
            f'<figure class="netpath-figure"><style>{_STYLE}</style>'
            '<div class="netpath-scroll" role="group" tabindex="0" aria-label="Figure">'
            f"{self.figure.svg(root, _INK_CSS, _PAPER_CSS)}</div>"
            f"<figcaption style='{_CAPTION}'>{html.escape(self.caption)}</figcaption></figure>"
        )

    def svg(self) -> str:
        """A file's text: black on white, with its own title and description."""
        ident = self._ident
        words = (
            f'<title id="{ident}-title">{html.escape(self.caption)}</title>'
            f'<desc id="{ident}-desc">{html.escape(self.alt)}</desc>'
            '<rect width="100%" height="100%" fill="#ffffff"/>'
        )
        root = f'role="img" aria-labelledby="{ident}-title {ident}-desc"'
        return self.figure.svg(root, "#1b1b1b", "#ffffff", words) + "\n"

    @functools.cached_property
    def _ident(self) -> str:
        """A name of this drawing's own, so that two can share a page."""
        return "n" + sha256("".join((self.caption, *self.figure.elements)).encode()).hexdigest()[:8]


def _n(number: float) -> str:
    """A number of pixels, to the hundredth."""
    return f"{round(number, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _edge(colour: str, width: float, fill: str | None, alpha: float = 1) -> str:
    """The style of a shape: its edge, and what it is filled with."""
    inside = "none" if fill is None else fill
    faint = "" if alpha == 1 else f";fill-opacity:{_n(alpha)}"
    return f"fill:{inside}{faint};stroke:{colour};stroke-width:{_n(width)}"


class Canvas:
    """A sheet of a size in pixels; things are drawn one over the other."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._elements: list[str] = []
        self._texts: list[Text] = []

    @property
    def figure(self) -> Sheet:
        """What has been drawn so far."""
        return Sheet(self.width, self.height, tuple(self._elements), tuple(self._texts))

    def text(
        self,
        at: Point,
        text: str,
        size: float = 11,
        anchor: str = "middle",
        colour: str = INK,
        *,
        bold: bool = False,
        mono: bool = False,
        italic: bool = False,
        halo: bool = True,
    ) -> None:
        """A line of text whose baseline's start, middle or end is at a point."""
        self._texts.append(Text(at, text, size, anchor, bold, mono))
        look = f"font-size:{_n(size)}px;fill:{colour}"
        look += ";font-weight:700" * bold + ";font-style:italic" * italic + ";stroke:none" * (not halo)
        family = f' font-family="{_MONO}"' * mono
        place = f'x="{_n(at[0])}" y="{_n(at[1])}" text-anchor="{anchor}"{family}'
        self._elements.append(f'<text {place} style="{look}">{html.escape(text)}</text>')

    def line(
        self,
        points: Sequence[Point],
        colour: str = INK,
        width: float = 1.4,
        *,
        dashed: bool = False,
        arrow: bool = False,
    ) -> None:
        """A line through points, with an arrow's head at its end if wanted."""
        if arrow:
            points = [*points[:-1], self._head(points[-2], points[-1], colour)]
        style = f"fill:none;stroke:{colour};stroke-width:{_n(width)};stroke-linejoin:round"
        style += f";stroke-dasharray:{_n(4 * width)} {_n(2.6 * width)}" * dashed
        self._elements.append(f'<polyline points="{_points(points)}" style="{style}"/>')

    def _head(self, start: Point, end: Point, colour: str, length: float = 7, half: float = 3.2) -> Point:
        """Draws an arrow's head; where its line ends."""
        angle = math.atan2(end[1] - start[1], end[0] - start[0])
        along, across = (math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))
        neck = end[0] - length * along[0], end[1] - length * along[1]
        sides = [(neck[0] + side * half * across[0], neck[1] + side * half * across[1]) for side in (1, -1)]
        self.polygon([end, *sides], colour, fill=colour, width=0)
        return neck

    def polygon(
        self, points: Sequence[Point], colour: str = INK, *, fill: str | None = None, width: float = 1.4
    ) -> None:
        self._elements.append(f'<polygon points="{_points(points)}" style="{_edge(colour, width, fill)}"/>')

    def box(
        self,
        corner: Point,
        size: Point,
        colour: str,
        *,
        fill: str | None = None,
        alpha: float = 1,
        radius: float = 6,
        width: float = 1,
    ) -> None:
        """A rectangle with round corners."""
        place = f'x="{_n(corner[0])}" y="{_n(corner[1])}" width="{_n(size[0])}" height="{_n(size[1])}"'
        self._elements.append(f'<rect {place} rx="{_n(radius)}" style="{_edge(colour, width, fill, alpha)}"/>')

    def disc(self, at: Point, radius: float, colour: str, *, fill: str | None = None, width: float = 1.4) -> None:
        place = f'cx="{_n(at[0])}" cy="{_n(at[1])}" r="{_n(radius)}"'
        self._elements.append(f'<circle {place} style="{_edge(colour, width, fill)}"/>')

    def badge(self, at: Point, number: int, colour: str = INK) -> None:
        """A number in a ring around a point."""
        self.disc(at, BADGE, colour, fill=PAPER, width=1)
        self.text((at[0], at[1] + 3), str(number), 8.6 if number < 10 else 8, bold=True, halo=False)

    def label(self, at: Point, text: str, size: float = 11, *, bold: bool = False) -> None:
        """A text around a point, on paper: lines end beside it."""
        width = width_of(text, size, bold) + 4
        self.box((at[0] - width / 2, at[1] - size * 0.6), (width, size * 1.2), "none", fill=PAPER, radius=0)
        self.text((at[0], at[1] + size * 0.36), text, size, bold=bold, halo=False)

    def mark(self, at: Point, look: Look, size: float = 11, *, hollow: bool = False) -> None:
        """The shape of an address space or a fate; hollow for a place that nobody reached."""
        if look.shape == "circle":
            self.disc(at, size * 0.9, look.colour, fill=PAPER if hollow else look.colour)
        elif look.shape == "cross":
            self._cross(at, look.colour, size)
        elif look.shape == "check":
            self._check(at, look.colour, size)
        else:
            points = [(at[0] + size * x, at[1] + size * y) for x, y in outline(look)]
            self.polygon(points, look.colour, fill=PAPER if hollow else look.colour)
        if look.shape in ("warning", "octagon"):
            self.text((at[0], at[1] + size * 0.45), "!", size * 1.1, colour=PAPER, bold=True)

    def _cross(self, at: Point, colour: str, size: float) -> None:
        reach = size * 0.75
        for ends in (((-1, -1), (1, 1)), ((-1, 1), (1, -1))):
            points = [(at[0] + reach * x, at[1] + reach * y) for x, y in ends]
            self.line(points, PAPER, 6.5)
        for ends in (((-1, -1), (1, 1)), ((-1, 1), (1, -1))):
            points = [(at[0] + reach * x, at[1] + reach * y) for x, y in ends]
            self.line(points, colour, 3.6)

    def _check(self, at: Point, colour: str, size: float) -> None:
        points = [(at[0] + size * x, at[1] + size * y) for x, y in ((-0.7, 0.05), (-0.2, 0.6), (0.75, -0.6))]
        self.line(points, colour, 3)


def _regular(corners: int, turn: float, scale: float = 1) -> tuple[Point, ...]:
    """A regular polygon's corners around 0, the first at `turn` quarter turns."""
    angles = [math.tau * corner / corners - math.tau / 4 + turn * math.tau / 4 for corner in range(corners)]
    return tuple((scale * math.cos(angle), scale * math.sin(angle)) for angle in angles)


_SHAPES = {
    "hexagon": _regular(6, 1 / 3),
    "square": _regular(4, 0.5, 1.18),
    "diamond": _regular(4, 0, 1.15),
    "pentagon": _regular(5, 0, 1.08),
    "triangle": tuple((x, y + 0.15) for x, y in _regular(3, 0, 1.25)),
    "warning": tuple((x, y + 0.15) for x, y in _regular(3, 0, 1.35)),
    "octagon": _regular(8, 0.25),
}


def outline(look: Look) -> tuple[Point, ...]:
    """The corners of a look's shape around 0, at size 1; none for a circle, a check and a cross."""
    return _SHAPES.get(look.shape, ())
