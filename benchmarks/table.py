"""The results, as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One number: what, how much of which unit, the aim (empty: none), and what the peer in the same run says."""

    what: str
    value: float
    unit: str
    aim: str = ""
    met: bool | None = None
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Numbers that belong together, and exactly what was done to get them."""

    title: str
    done: str
    lines: tuple[Line, ...]


def spelt(value: float) -> str:
    """A number with three digits that matter, and commas between thousands.

    >>> spelt(12345.6), spelt(123.4), spelt(1.234), spelt(0.01234)
    ('12,346', '123', '1.23', '0.0123')
    """
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.{1 if abs(value) >= 10 else 2}f}"


def text(sections: Iterable[Section]) -> Iterator[str]:
    """The lines of the table, columns aligned through all sections."""
    sections = tuple(sections)
    rows = [_cells(line) for section in sections for line in section.lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for section in sections:
        yield ""
        yield section.title
        yield from (f"  {part}" for part in section.done.splitlines())
        for line in section.lines:
            what, value, *rest = _cells(line)
            cells = [what.ljust(widths[0]), value.rjust(widths[1])]
            cells += [cell.ljust(width) for cell, width in zip(rest, widths[2:], strict=True)]
            yield ("    " + "  ".join(cells)).rstrip()


def _cells(line: Line) -> tuple[str, ...]:
    verdict = {None: "", True: "met", False: "MISSED"}[line.met]
    aim = f"aim {line.aim}" if line.aim else ""
    return line.what, spelt(line.value), line.unit, aim, verdict, line.peer


def as_object(sections: Iterable[Section]) -> list[dict[str, Any]]:
    """The same as plain values, for `--json`."""
    return [asdict(section) for section in sections]
