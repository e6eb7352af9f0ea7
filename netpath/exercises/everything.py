"""All chapters' exercises, and the map of the road with what the reader has done.

Not modelled: an order of the chapters other than their numbers.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from netpath.errors import NetpathError
from netpath.exercises import progress
from netpath.exercises.exercise import Chapter
from netpath.show.tables import Table, cell
from netpath.show.widgets.exercise import Road

CHAPTERS = (1, 2, 3, 4, 5)


@cache
def chapters() -> tuple[Chapter, ...]:
    """Every chapter's exercises."""
    return tuple(import_module(f"netpath.exercises.chapter{number}").exercises for number in CHAPTERS)


def road(root: str = "../") -> Road:
    """What the reader has done, along the road, with export, import and reset; `root`: from the page to the book."""
    items = [
        {
            "number": chapter.number,
            "title": chapter.title,
            "page": chapter.page,
            "exercises": [{"number": each.number, "title": each.title} for each in chapter.exercises],
        }
        for chapter in chapters()
    ]
    rows = tuple((cell(f"{each.number} {each.title}"), cell(str(len(each.exercises)))) for each in chapters())
    return Road({"chapters": items, "root": root}, Table(("chapter", "exercises"), rows), progress.read, _replace)


def _replace(text: str) -> str:
    """Take over what the page imported or reset; what is wrong with it, if anything."""
    try:
        progress.bring(text)
    except (NetpathError, OSError) as error:
        return str(error)
    return ""
