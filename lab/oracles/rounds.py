"""What all oracles have in common: rounds drawn from seeds, disagreements, and how one is made smaller.

An oracle draws a case from a seed, puts it to the real thing and to the model, and compares. A case is plain data,
so that it can be played again with less in it: what is left of it when nothing more can be left out is what a
person gets to see. Nothing here knows what is compared.

Not modelled: chance of the real thing's own (which endpoint the kernel draws). A case that fails only sometimes is
shrunk less than it could be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

C = TypeVar("C")
T = TypeVar("T")
#: How often a case that fails is played again to make it smaller, usually.
PATIENCE = 300


@dataclass(frozen=True, slots=True)
class Difference:
    """One question to which the real thing and the model gave different answers."""

    question: str
    real: str
    model: str

    def __str__(self) -> str:
        return f"{self.question}\n  real   {self.real}\n  model  {self.model}"


@dataclass(slots=True)
class Played:
    """What a played case came to: how many questions it asked, the first disagreement, and counts worth keeping."""

    cases: int = 0
    difference: Difference | None = None
    tally: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, number: int = 1) -> None:
        self.tally[what] = self.tally.get(what, 0) + number

    def add(self, other: Played) -> None:
        """Take in another's numbers, and its disagreement if there is none yet."""
        self.cases += other.cases
        self.difference = self.difference or other.difference
        for what, number in other.tally.items():
            self.count(what, number)


@dataclass(frozen=True, slots=True)
class Finding:
    """A disagreement, as small as it got, and the seed of the round that it came from."""

    oracle: str
    seed: str
    difference: Difference
    setting: str  # the smallest case, in the words of whoever would try it by hand

    def __str__(self) -> str:
        return (
            f"{self.oracle}, round {self.seed}: the model disagrees with the real thing\n{self.difference}\n"
            f"with\n{_indented(self.setting)}\n"
            f"again: python -m lab.oracles --replay {self.oracle} {self.seed}"
        )


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


@dataclass(frozen=True, slots=True)
class Report:
    """One round's numbers, and what it found. It goes from process to process."""

    cases: int
    tally: dict[str, int]
    finding: Finding | None = None


class Oracle(Protocol[C]):
    """Something real to compare with, set up where it can do no harm.

    `draw` makes a case from a seed and from nothing else; `play` asks both sides; `smaller` are cases with less in
    them, the boldest cuts first; `told` says what a case is, so that a person can try it. `patience`: how often a
    case that fails is worth playing again.
    """

    patience: int

    def draw(self, seed: str) -> C: ...
    def play(self, case: C) -> Played: ...
    def smaller(self, case: C) -> Iterable[C]: ...
    def told(self, case: C) -> str: ...


def one_round(name: str, oracle: Oracle[C], seed: str, patience: int | None = None) -> Report:
    """Draw a case and play it; if the two sides disagree, find the smallest case in which they still do.

    `patience` in place of the oracle's own: with 0 the case stays as it was drawn.
    """
    case = oracle.draw(seed)
    played = oracle.play(case)
    if played.difference is None:
        return Report(played.cases, played.tally)
    if patience is None:
        patience = oracle.patience
    case, difference = shrink(case, played.difference, lambda it: oracle.play(it).difference, oracle.smaller, patience)
    return Report(played.cases, played.tally, Finding(name, seed, difference, oracle.told(case)))


def shrink(
    case: C,
    difference: Difference,
    fails: Callable[[C], Difference | None],
    smaller: Callable[[C], Iterable[C]],
    patience: int,
) -> tuple[C, Difference]:
    """The smallest failing case that greed finds, and how it fails: take the first smaller one that still does."""
    while True:
        for candidate in smaller(case):
            if patience <= 0:
                return case, difference
            patience -= 1
            found = fails(candidate)
            if found is not None:
                case, difference = candidate, found
                break
        else:
            return case, difference


def without(items: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    """The same with pieces left out: halves first, then quarters, at last one by one.

    >>> list(without((1, 2, 3, 4)))[:3]
    [(3, 4), (1, 2), (2, 3, 4)]
    """
    size = (len(items) + 1) // 2
    while size:
        for start in range(0, len(items), size):
            yield items[:start] + items[start + size :]
        size = size // 2 if size > 1 else 0
