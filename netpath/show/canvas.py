"""A sheet to draw on with matplotlib, and the finished drawing: SVG that follows the page's theme, and its words.

One unit is one CSS pixel at full size; y grows downwards. Texts stay texts, so that they can be searched for, copied
and read aloud; their widths are measured in DejaVu Sans, which comes with matplotlib and is wider than what most
readers' machines put in its place. The same drawing gives the same bytes: no dates, ids from a fixed salt.

matplotlib is imported when something is drawn, not before, and none of its global state is touched for good.

Not modelled: right-to-left text, raster output.
"""

from __future__ import annotations

import functools
import html
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from netpath.show.palette import INK, PAPER, Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Point = tuple[float, float]
_SETTINGS: Any = {
    "svg.fonttype": "none",  # texts as texts
    "svg.hashsalt": "netpath",
    "path.simplify": False,
    "font.family": ["DejaVu Sans"],
    "lines.solid_capstyle": "butt",
    "lines.dash_capstyle": "butt",
}
SANS, MONO = "DejaVu Sans", "DejaVu Sans Mono"
MONO_ADVANCE = 1233 / 2048  # of DejaVu Sans Mono, in ems

_PAPER_CSS = "var(--pst-color-background, var(--jp-layout-color0, #fff))"
_INK_CSS = "var(--pst-color-text-base, var(--jp-content-font-color1, currentColor))"
# The halo keeps a text legible where a line runs under it.
_STYLE = (
    ".netpath-figure{margin:1.5rem 0}"
    ".netpath-scroll{overflow-x:auto}"
    ".netpath-drawing{display:block;width:100%;height:auto;margin:0 auto;background:transparent}"
    f".netpath-drawing text{{paint-order:stroke;stroke:{_PAPER_CSS};stroke-width:2.5px;stroke-linejoin:round}}"
    "@media print{.netpath-drawing{min-width:0!important}}"
)
_CAPTION = "text-align:left;color:inherit;font-weight:400;font-size:.9em;margin-top:.5rem"


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure with its words: what it shows (`caption`), and all that is to be seen on it (`alt`).

    A notebook and the book show it as `<figure>`; `svg()` is for a file of its own, on white paper.
    """

    figure: Figure
    caption: str
    alt: str
    least: int = 600  # pixels: on a narrower screen it scrolls rather than shrink beyond reading

    def __repr__(self) -> str:
        return f"{self.caption}\n\n{self.alt}"

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """The figure with caption and alternative text, in the colours of whatever page it is put on."""
        size = f"max-width:{self._width}px;min-width:{self.least}px"
        root = f'<svg class="netpath-drawing" role="img" aria-label="{html.escape(self.alt)}" style="{size}"'
        drawing = _themed(self._raw).replace("<svg", root, 1)
        return (
            f'<figure class="netpath-figure"><style>{_STYLE}</style>'
            f'<div class="netpath-scroll" role="group" tabindex="0" aria-label="Figure">{drawing}</div>'
            f"<figcaption style='{_CAPTION}'>{html.escape(self.caption)}</figcaption></figure>"
        )

    def svg(self) -> str:
        """A file's text: black on white, with its own title and description."""
        ident = _digest(self._raw)
        words = (
            f'<title id="{ident}-title">{html.escape(self.caption)}</title>'
            f'<desc id="{ident}-desc">{html.escape(self.alt)}</desc>'
            '<rect width="100%" height="100%" fill="#ffffff"/>'
        )
        root = f'<svg role="img" aria-labelledby="{ident}-title {ident}-desc" font-family="sans-serif"'
        drawing = self._raw.replace(INK, "#1b1b1b").replace(PAPER, "#ffffff").replace("<svg", root, 1)
        head, end, rest = drawing.partition(">")
        return f"{head}{end}{words}{rest}\n"

    @property
    def _width(self) -> int:
        return round(self.figure.get_figwidth() * 72)

    @functools.cached_property
    def _raw(self) -> str:
        return _svg(self.figure)


def _svg(figure: Figure) -> str:
    """matplotlib's SVG from the root element on, with ids of this drawing's own, so that two can share a page."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(_SETTINGS):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].strip()
    text = _NOISE.sub("", text)
    text = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", re.sub(r'(<svg [^>]*?)height="[^"]*" ', r"\1", text))
    return re.sub(r'( id="|href="#|url\(#)', rf"\1{_digest(text)}-", text)


_NOISE = re.compile(
    r"\s*<metadata>.*?</metadata>|<!--.*?-->|<defs>\s*<style.*?</style>\s*</defs>"
    r'|(?<=<g) id="(?:patch|line2d|text|figure|axes)_\d+"',
    re.DOTALL,
)


def _digest(text: str) -> str:
    return "n" + sha256(text.encode()).hexdigest()[:8]


def _themed(svg: str) -> str:
    return svg.replace(INK, _INK_CSS).replace(PAPER, _PAPER_CSS)


@functools.lru_cache(maxsize=4096)
def width_of(text: str, size: float, bold: bool = False, mono: bool = False) -> float:
    """How wide a text is, in pixels."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family=MONO if mono else SANS, weight="bold" if bold else "normal")
    if not text.strip():
        return 0.0
    return float(TextPath((0, 0), text, size=size, prop=font).get_extents().x1)


class Canvas:
    """A sheet of a size in pixels; things are drawn one over the other."""

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / 72, height / 72))
        self._axes: Any = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set_xlim(0, width)
        self._axes.set_ylim(height, 0)
        self._axes.set_axis_off()
        self._order = 0

    def _next(self) -> int:
        self._order += 1
        return self._order

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
    ) -> None:
        """A line of text whose baseline's start, middle or end is at a point."""
        self._axes.text(
            *at,
            text.replace("$", r"\$"),
            fontsize=size,
            color=colour,
            ha={"start": "left", "middle": "center", "end": "right"}[anchor],
            va="baseline",
            fontweight="bold" if bold else "normal",
            fontstyle="italic" if italic else "normal",
            fontfamily=MONO if mono else SANS,
            zorder=self._next(),
        )

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
        from matplotlib.lines import Line2D

        if arrow:
            points = [*points[:-1], self._head(points[-2], points[-1], colour)]
        style: Any = (0, (4, 2.6)) if dashed else "-"
        xs, ys = zip(*points, strict=True)
        self._axes.add_line(Line2D(xs, ys, color=colour, linewidth=width, linestyle=style, zorder=self._next()))

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
        from matplotlib.patches import Polygon

        face = "none" if fill is None else fill
        corners = list(points)
        self._axes.add_patch(
            Polygon(corners, closed=True, facecolor=face, edgecolor=colour, linewidth=width, zorder=self._next())
        )

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
        from matplotlib.patches import FancyBboxPatch

        face: Any = "none" if fill is None else (fill, alpha)
        style = f"round,pad=0,rounding_size={radius}"
        self._axes.add_patch(
            FancyBboxPatch(
                corner, *size, boxstyle=style, facecolor=face, edgecolor=colour, linewidth=width, zorder=self._next()
            )
        )

    def disc(self, at: Point, radius: float, colour: str, *, fill: str | None = None, width: float = 1.4) -> None:
        from matplotlib.patches import Circle

        face = "none" if fill is None else fill
        self._axes.add_patch(Circle(at, radius, facecolor=face, edgecolor=colour, linewidth=width, zorder=self._next()))

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
