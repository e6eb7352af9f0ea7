"""Matches that depend on chance or on memory: `statistic` and `recent`.

Their answer is found once for a packet and noted, so that the road can be told again later.

Not modelled: `--rttl`, for packets here have no TTL.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from netpath.choice import Choose
from netpath.iptables.context import Context, RecentList
from netpath.iptables.matches import ALL_BITS, Match, either
from netpath.packet import dotted

Place = tuple[str, str, int, int]  # table, chain, rule number, match number


class Consulted(Match):
    """A condition whose answer depends on chance or on memory, and may alter the memory.

    Asking would be drawing, so there is `consult` (once for a packet) and `told` in place of `holds` and `why`.
    """

    __slots__ = ()

    def holds(self, context: Context) -> bool:
        raise TypeError(f"only consult() answers: {self}")

    def why(self, context: Context) -> str:
        raise TypeError(f"only told() answers: {self}")

    def port_cuts(self) -> None:
        return None

    @abstractmethod
    def consult(self, context: Context, choose: Choose, place: Place) -> bool:
        """Whether it holds this time; asked once for a packet."""

    @abstractmethod
    def told(self, held: bool) -> str:
        """Why it answered so, in words."""


@dataclass(frozen=True, slots=True)
class Chance(Consulted):
    """`-m statistic --mode random`: holds in `numerator` of 2^31 cases (libxt_statistic.c rounds to that)."""

    numerator: int
    negated: bool = False

    @property
    def probability(self) -> Fraction:
        """The exact probability with which it holds.

        >>> Chance(715827883).probability - Fraction(1, 3)
        Fraction(1, 6442450944)
        """
        share = Fraction(self.numerator, 1 << 31)
        return 1 - share if self.negated else share

    def consult(self, context: Context, choose: Choose, place: Place) -> bool:
        weights, question = _draw(self)
        if weights[0].denominator == 1:
            return bool(weights[0])
        table, chain, number, _ = place
        return choose(f"{table} {chain} {number}: {question}", weights) == 0

    def told(self, held: bool) -> str:
        return f"by chance ({float(self.probability):.6g}), it {'held' if held else 'did not hold'}"

    def __str__(self) -> str:
        option = either(self.negated, "--probability")
        return f"-m statistic --mode random {option} {self.numerator / (1 << 31):.11f}"


@lru_cache(maxsize=1024)
def _draw(chance: Chance) -> tuple[tuple[Fraction, Fraction], str]:
    """The weights of holding and of not holding, and what is asked."""
    share = chance.probability
    return (share, 1 - share), f"{chance}?"


@dataclass(frozen=True, slots=True)
class Nth(Consulted):
    """`-m statistic --mode nth`: holds for one packet of every `every`, the one numbered `packet` (from 0)."""

    every: int
    packet: int = 0
    negated: bool = False

    def consult(self, context: Context, choose: Choose, place: Place) -> bool:
        counts = context.memory.nth
        seen = counts.get(place, 0)
        counts[place] = (seen + 1) % self.every
        return (seen == self.packet) is not self.negated

    def told(self, held: bool) -> str:
        which = "it is" if held is not self.negated else "it is not"
        return f"of every {self.every} packets, {which} number {self.packet}"

    def __str__(self) -> str:
        return f"-m statistic --mode nth {either(self.negated, '--every')} {self.every} --packet {self.packet}"


@dataclass(frozen=True, slots=True)
class Recent(Consulted):
    """`-m recent`: whether, how often and how lately an address was seen (xt_recent.c).

    `do` is `--set`, `--rcheck`, `--update` or `--remove`. `seconds` and `hits` are 0 where not asked for.
    A list has one mask, that of the first rule loaded that names it (recent_mt_check); `list_mask` is that one
    where it isn't this rule's own.
    """

    do: str
    name: str = "DEFAULT"
    seconds: int = 0
    hits: int = 0
    reap: bool = False
    mask: int = ALL_BITS
    side: str = "--rsource"
    negated: bool = False
    list_mask: int | None = field(default=None, compare=False)

    def consult(self, context: Context, choose: Choose, place: Place) -> bool:
        seen = context.memory.recent.get(self.name)
        if seen is None:
            seen = context.memory.recent[self.name] = RecentList()
        end = context.packet.source if self.side == "--rsource" else context.packet.destination
        address = int(end.address) & (self.mask if self.list_mask is None else self.list_mask)
        if self.do == "--set":
            seen.touch(address, context.now)
            return not self.negated
        stamps = seen.seen.get(address)
        if stamps is None:
            return self.negated
        if self.do == "--remove":
            del seen.seen[address]
            return not self.negated
        return self._look(seen, address, stamps, context.now)

    def _look(self, seen: RecentList, address: int, stamps: tuple[float, ...], now: float) -> bool:
        since = now - self.seconds
        hits = sum(stamp >= since for stamp in stamps) if self.seconds else len(stamps)
        held = (hits >= max(1, self.hits)) is not self.negated
        update = self.do == "--update" and held
        if self.reap:
            seen.reap(since, sparing=address if update else None)
        if update:
            seen.touch(address, now)
        return held

    def told(self, held: bool) -> str:
        end = "source" if self.side == "--rsource" else "destination"
        if self.do == "--set":
            return f"the {end} was put on the list {self.name}"
        found = "is" if held is not self.negated else "is not (often or lately enough)"
        return f"the {end} {found} on the list {self.name}"

    def __str__(self) -> str:
        text = f"-m recent {either(self.negated, self.do)}"
        text += f" --seconds {self.seconds}" if self.seconds else ""
        text += " --reap" if self.reap else ""
        text += f" --hitcount {self.hits}" if self.hits else ""
        return f"{text} --name {self.name} --mask {dotted(self.mask)} {self.side}"
