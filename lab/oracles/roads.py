"""Worlds that nobody chose, made real, and everything that is sent across them: `lab.agreement`, as an oracle.

A case is a world's number. It isn't made smaller: a world is made by at most four changes, and what disagrees names the
two places between which it does.

Not modelled: what `lab.worlds` doesn't change.
"""

from __future__ import annotations

from collections.abc import Iterable

from lab import agreement
from lab.oracles.rounds import Difference, Played


class RoadsOracle:
    """Whether connections and requests go where the model says, in the book's world with random changes."""

    patience = 0

    def draw(self, seed: str) -> str:
        return seed

    def play(self, case: str) -> Played:
        found = agreement.compare(case)
        if not found.differences:
            return Played(found.cases)
        where, _, text = found.differences[0].partition("\n")
        real, said = ("\n".join(line for line in text.splitlines() if line[:1] in f"{sign} ") for sign in "+-")
        return Played(found.cases, Difference(where, real, said))

    def smaller(self, case: str) -> Iterable[str]:
        return ()

    def told(self, case: str) -> str:
        return f"the book's world, changed as `lab.worlds` does it for {case!r}"
