"""Chance for real: a `Choose` that draws, from a seed, so that the same seed tells the same story.

This is an edge: the model takes whatever `Choose` it is given.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from random import Random

from netpath.choice import Choose, Weights


def seeded(seed: int) -> Choose:
    """Draws by the weights; the same seed, the same answers to the same questions.

    >>> [seeded(7)("?", [1, 1, 1]) for _ in range(2)]
    [0, 0]
    """
    draw = Random(seed)

    def choose(question: str, weights: Weights, /) -> int:
        if isinstance(weights, range):
            return weights[draw.randrange(len(weights))]
        shares = list(accumulate(map(float, weights)))  # as `Random.choices` draws, which takes twice the time
        return bisect_right(shares, draw.random() * shares[-1], 0, len(shares) - 1)

    return choose
