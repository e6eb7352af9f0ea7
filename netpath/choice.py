"""Chance as an argument: whoever asks a question of chance gets the answer from the caller.

The model never draws a random number. Where the real thing would (a kube-proxy rule with
`-m statistic`, a load balancer's pick, a masqueraded port), the model calls a `Choose`::

    choose(question, weights) -> the index of the alternative taken

`weights` are relative and at least one is positive. A `range` instead of weights means "any number
of this range, uniformly, and which one doesn't alter the road" (a source port); the answer is then
a number *of the range*, not an index.

So one function serves for one walk (`first`, `Script`, a seeded chooser at the edge) and for *all
outcomes with their probabilities* (`outcomes`).

Not modelled: correlation between choices other than through the memory that the caller passes in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

from netpath.errors import InputError

T = TypeVar("T")
Weights = Sequence[float | Fraction] | range


class Choose(Protocol):
    """Answers a question of chance: the index of the alternative taken, or a number of the range."""

    def __call__(self, question: str, weights: Weights, /) -> int: ...


def first(question: str, weights: Weights, /) -> int:
    """The first alternative that is possible at all.

    >>> first("which endpoint?", [0, 0.5, 0.5])
    1
    """
    if isinstance(weights, range):
        return weights[0]
    return next(index for index, weight in enumerate(weights) if weight > 0)


@dataclass(slots=True)
class Script:
    """Gives prepared answers in order, then `first`; keeps what was asked in `asked`."""

    answers: Sequence[int] = ()
    asked: int = 0

    def __call__(self, question: str, weights: Weights, /) -> int:
        position = self.asked
        self.asked += 1
        if position >= len(self.answers):
            return first(question, weights)
        answer = self.answers[position]
        possible = answer in weights if isinstance(weights, range) else 0 <= answer < len(weights)
        if not possible:
            raise InputError(f"no such alternative for {question!r}", value=answer, expected=f"one of {len(weights)}")
        return answer


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """One thing that can happen, with its probability (an exact fraction of the weights given)."""

    probability: Fraction
    result: T
    choices: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class _Explorer:
    """Answers from `path`, then with the first possible alternative, noting every fork it passes."""

    path: list[int]
    taken: list[tuple[str, int]]
    forks: list[tuple[int, Sequence[Fraction]]]

    def __call__(self, question: str, weights: Weights, /) -> int:
        if isinstance(weights, range):
            return weights[0]
        depth = len(self.forks)
        exact = [Fraction(weight) for weight in weights]
        answer = self.path[depth] if depth < len(self.path) else first(question, exact)
        self.forks.append((answer, exact))
        self.taken.append((question, answer))
        return answer


def outcomes(experiment: Callable[[Choose], T], limit: int = 100_000) -> Iterator[Outcome[T]]:
    """Everything that `experiment(choose)` can come to, each with its probability; they add up to one.

    The experiment is run once for each path through its choices, so it must start from the same
    memory every time (pass a copy). `InputError` after `limit` paths.

    >>> [(str(o.probability), o.result) for o in outcomes(lambda choose: "ab"[choose("?", [1, 3])])]
    [('1/4', 'a'), ('3/4', 'b')]
    """
    path: list[int] | None = []
    for _ in range(limit):
        if path is None:
            return
        explorer = _Explorer(path, [], [])
        result = experiment(explorer)
        yield Outcome(_probability(explorer.forks), result, tuple(explorer.taken))
        path = _next_path(explorer.forks)
    if path is not None:
        raise InputError("too many outcomes", value=limit, expected="a question with fewer alternatives")


def _probability(forks: Sequence[tuple[int, Sequence[Fraction]]]) -> Fraction:
    share = Fraction(1)
    for answer, weights in forks:
        share *= weights[answer] / sum(weights)
    return share


def _next_path(forks: Sequence[tuple[int, Sequence[Fraction]]]) -> list[int] | None:
    """The answers that lead to the next unexplored path in order, or None after the last."""
    for depth in range(len(forks) - 1, -1, -1):
        answer, weights = forks[depth]
        later = [index for index in range(answer + 1, len(weights)) if weights[index] > 0]
        if later:
            return [forks[i][0] for i in range(depth)] + [later[0]]
    return None
