"""What every exercise has: a number, a title, a time, hints, a solution, and a place in the reader's record.

Not modelled: an order. Whoever wants to start with the last may.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from netpath.errors import NetpathError
from netpath.exercises import progress
from netpath.exercises.outcome import SIGNS, Kind, Outcome, Told
from netpath.show.tables import Table, cell


class Level(StrEnum):
    """How hard an exercise is."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


@dataclass(eq=False)
class Exercise:
    """An exercise. `minutes`: about how long it takes; `hints`: at most three, the first the central idea."""

    number: str
    title: str
    minutes: int
    level: Level
    hints: tuple[str, ...]
    _hinted: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        assert 1 <= len(self.hints) <= 3, self.number

    @property
    def head(self) -> str:
        """The line above the question."""
        return f"Exercise {self.number}: {self.title} ({self.level}, about {self.minutes} min)"

    @property
    def name(self) -> str:
        """What a notebook calls it."""
        chapter, _, number = self.number.partition(".")
        return f"chapter{chapter}.q{number}"

    def hint(self) -> Told:
        """The next hint; after the last, the first again."""
        at = self._hinted % len(self.hints)
        self._hinted += 1
        return Told(f"Hint {at + 1} of {len(self.hints)}", self.hints[at])

    def question(self) -> Told:
        """What is asked."""
        raise NotImplementedError

    def solution(self) -> Told:
        """The answer with its reasoning, folded in a notebook."""
        raise NotImplementedError

    def check(self, answer: Any = ...) -> Outcome:
        """Look at an answer, and put on record what came of it."""
        outcome = self._judge(answer)
        self._record(outcome.kind)
        return outcome

    def _judge(self, answer: Any) -> Outcome:
        raise NotImplementedError

    def _record(self, kind: Kind, variant: int = 0) -> None:
        """A record that can't be kept is no reason not to answer."""
        try:
            progress.record(self.number, kind, variant)
        except (OSError, NetpathError) as error:
            print(f"(Your progress was not kept: {error})")

    def __repr__(self) -> str:
        return repr(self.question())

    def _repr_html_(self) -> str:
        return self.question()._repr_html_()


@dataclass(frozen=True, eq=False)
class Chapter:
    """A chapter's exercises."""

    number: int
    title: str
    page: str
    exercises: tuple[Exercise, ...]

    def progress(self) -> Table:
        """What the reader has done of them."""
        done = progress.read()
        rows = tuple(
            (cell(each.number), cell(each.title), cell(_state(done.get(each.number, {}))), cell(f"{each.minutes} min"))
            for each in self.exercises
        )
        return Table(("exercise", "title", "state", "time"), rows)


def _state(entry: progress.Entry) -> str:
    kind = Kind(entry.get("state", Kind.NOT_ATTEMPTED))
    return f"{SIGNS[kind]} {kind}"
