"""Exercises that ask for a prediction: choose or type an answer before the model computes it.

The model makes them: each has many variants, drawn from a seed, so the key can't be wrong and practice has no end. A
variant has a printed code (4.1-07), and is the same whenever and wherever it is asked for. In the published page the
same exercise answers from the same data, without a kernel.

Not modelled: partial answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from random import Random
from typing import Any

from netpath.errors import InputError
from netpath.exercises import progress
from netpath.exercises.answers import Form, Unreadable, read, same
from netpath.exercises.exercise import Exercise
from netpath.exercises.outcome import Kind, Outcome, See, Told, right, wrong
from netpath.show.widgets.exercise import Quiz

VARIANTS = 16  # in the published page; with a kernel there are as many as the maker can make
_FRUITLESS = 300  # seeds in a row that bring nothing new: then it has no more to make


@dataclass(frozen=True, slots=True)
class Slip:
    """A wrong answer that people do give: why it is wrong, the belief behind it by name, where that is mended."""

    answer: str
    because: str
    misconception: str = ""
    see: See | None = None


def slips(form: Form, answer: str, *each: Slip) -> tuple[Slip, ...]:
    """Those mistakes that are mistakes where this is the answer; of two with one answer, the first."""
    found: list[Slip] = []
    for slip in each:
        if not any(same(form, slip.answer, other) for other in (answer, *(known.answer for known in found))):
            found.append(slip)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Variant:
    """One form of the question, with its answer and the wrong answers that are known; `why`: the reasoning."""

    question: str
    answer: str
    why: str
    slips: tuple[Slip, ...]
    form: Form = Form.CHOICE
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for answer in (self.answer, *(slip.answer for slip in self.slips)):
            read(self.form, answer, self.options)
        assert not any(same(self.form, slip.answer, self.answer) for slip in self.slips), self

    def judge(self, answer: str, otherwise: str) -> Outcome:
        """What comes of an answer; `otherwise`: why one that nobody foresaw is wrong. Raises `Unreadable`."""
        given = read(self.form, answer, self.options)
        if same(self.form, given, self.answer):
            return right(self.why)
        slip = next((each for each in self.slips if same(self.form, given, each.answer)), None)
        return wrong(slip.because, slip.misconception, slip.see) if slip else wrong(otherwise)


@dataclass(eq=False, repr=False)
class Predict(Exercise):
    """An exercise that asks for a prediction. `make` draws a variant; `otherwise` answers what nobody foresaw."""

    make: Callable[[Random], Variant]
    otherwise: str
    _drawn: list[Variant] = field(default_factory=list, init=False)
    _at: int | None = field(default=None, init=False)

    @cached_property
    def _source(self) -> Iterator[Variant]:
        return self._draw()

    def _draw(self) -> Iterator[Variant]:
        """Variants whose questions differ, in the order of their seeds."""
        seen: set[tuple[str, tuple[str, ...]]] = set()
        seed = fruitless = 0
        while fruitless < _FRUITLESS:
            made = self.make(Random(f"{self.number}/{seed}"))
            seed, fruitless = seed + 1, fruitless + 1
            if (made.question, made.options) not in seen:
                seen.add((made.question, made.options))
                fruitless = 0
                yield made

    def variants(self, count: int = VARIANTS) -> list[Variant]:
        """The first variants, fewer if there aren't so many."""
        self._drawn.extend(islice(self._source, max(count - len(self._drawn), 0)))
        return self._drawn[:count]

    @property
    def at(self) -> int:
        """Which variant is asked now, from 0; a reader comes back to the one that they left."""
        if self._at is None:
            kept = progress.read().get(self.number, {}).get("variant", 0)
            self._at = kept if len(self.variants(kept + 1)) > kept else 0
        return self._at

    @property
    def now(self) -> Variant:
        return self.variants(self.at + 1)[self.at]

    @property
    def code(self) -> str:
        """The present variant's code."""
        return f"{self.number}-{self.at + 1:02d}"

    def another(self) -> Predict:
        """The next variant; after the last one the first."""
        self._at = self.at + 1 if len(self.variants(self.at + 2)) > self.at + 1 else 0
        self._hinted = 0
        return self

    def variant(self, code: str) -> Predict:
        """The variant with that code. Raises `InputError`."""
        number, _, place = str(code).rpartition("-")
        at = int(place) - 1 if place.isdecimal() and len(place) < 6 else -1
        if number != self.number or at < 0 or len(self.variants(at + 1)) <= at:
            raise InputError("no such variant", value=code, expected=f"{self.number}-01 and so on")
        self._at = at
        return self

    def question(self) -> Told:
        """What is asked, and what there is to choose from."""
        options = "".join(f"\n- {option}" for option in self.now.options)
        return Told(self.head, f"{self.now.question}{options}\n\nVariant {self.code}")

    def solution(self) -> Told:
        return Told(f"Solution of {self.code}", f"{self.now.answer}\n\n{self.now.why}", folded=True)

    def _judge(self, answer: Any) -> Outcome:
        if answer is ... or answer is None or answer == "":
            return Outcome(Kind.NOT_ATTEMPTED, f"give an answer: `.check({self.now.form.example!r})`")
        try:
            return self.now.judge(str(answer) if isinstance(answer, (str, int, float)) else answer, self.otherwise)
        except Unreadable as unreadable:
            return wrong(str(unreadable))

    def _record(self, kind: Kind, variant: int = 0) -> None:
        super()._record(kind, self.at)

    def data(self) -> dict[str, Any]:
        """All that the published page needs to ask, and to answer."""
        reasons = list(dict.fromkeys(_reason(slip) for each in self.variants() for slip in each.slips))
        return {
            "number": self.number,
            "head": self.head,
            "hints": list(self.hints),
            "otherwise": self.otherwise,
            "reasons": [_told(*each) for each in reasons],  # many mistakes have the same: they say which, by number
            "variants": [_plain(each, reasons) for each in self.variants()],
        }

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self._widget()._repr_mimebundle_(**kwargs)

    def _widget(self) -> Quiz:
        return Quiz(self.data(), self.question(), self.solution(), self._kept, self._heard)

    def _kept(self) -> progress.Entry | None:
        """What is on record of this exercise."""
        return progress.read().get(self.number)

    def _heard(self, state: str, variant: int) -> None:
        """The widget has judged an answer, by the same key."""
        self._at = variant
        super()._record(Kind(state), variant)


Reason = tuple[str, str, See | None]


def _reason(slip: Slip) -> Reason:
    """Why a mistake is one, the belief behind it, and where to read again."""
    return slip.because, slip.misconception, slip.see


def _told(because: str, misconception: str, see: See | None) -> dict[str, Any]:
    return {"because": because, "misconception": misconception, "see": _place(see)}


def _plain(variant: Variant, reasons: list[Reason]) -> dict[str, Any]:
    return {
        "question": variant.question,
        "form": str(variant.form),
        "options": list(variant.options),
        "answer": variant.answer,
        "why": variant.why,
        "slips": [{"answer": each.answer, "reason": reasons.index(_reason(each))} for each in variant.slips],
    }


def _place(see: See | None) -> dict[str, str] | None:
    return None if see is None else {"page": see.page, "title": see.title}


__all__ = ["Form", "Predict", "Slip", "Variant", "slips"]
