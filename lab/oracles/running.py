"""Runs oracles in processes of their own, a few at a time, and counts.

Work is handed out in small pieces: an oracle's name and the seeds of some rounds. Every worker keeps an isolated
process for each oracle that it has met, so what is set up once stays. What is done is noted, so that a long run can
be stopped and goes on where it was.

Not modelled: what a finding means. It is printed, and the run goes on with the other oracles.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Lock, local

from lab.isolation import Isolated, LabError
from lab.oracles import mutations
from lab.oracles.catalogue import ORACLES, at_home, group, play
from lab.oracles.rounds import Finding, Report

#: A piece of work must be done in so many seconds, shrinking included.
DEADLINE = 600.0


@dataclass(frozen=True, slots=True)
class Piece:
    """Rounds of an oracle that are played together."""

    oracle: str
    number: int
    seeds: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.oracle}/{self.number}"


@dataclass(slots=True)
class Totals:
    """What has come of all the rounds so far."""

    cases: dict[str, int] = field(default_factory=dict)
    tally: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, oracle: str, reports: Iterable[Report]) -> None:
        for report in reports:
            self.cases[group(oracle)] = self.cases.get(group(oracle), 0) + report.cases
            for what, number in report.tally.items():
                key = f"{oracle} {what}"
                self.tally[key] = self.tally.get(key, 0) + number
            if report.finding is not None:
                self.findings.append(report.finding)


def pieces(names: Iterable[str], seed: int, scale: int) -> list[Piece]:
    """The work of a run: `scale` times a quick one. Seeds tell of the run's seed and the round's number."""
    made = []
    for name in names:
        entry = ORACLES[name]
        rounds = [f"{seed}-{number}" for number in range(entry.rounds * scale)]
        for number, start in enumerate(range(0, len(rounds), entry.at_once)):
            made.append(Piece(name, number, tuple(rounds[start : start + entry.at_once])))
    # longest first within a quick run's worth, so that a long run is the same run again and again
    return sorted(made, key=lambda piece: piece.number * ORACLES[piece.oracle].at_once // ORACLES[piece.oracle].rounds)


class Workers:
    """Isolated processes, one for each worker and oracle; `mutation` is planted into the model of each."""

    def __init__(self, mutation: str = "", patience: int | None = None) -> None:
        self._mutation, self._patience = mutation, patience
        self._mine = local()
        self._lock = Lock()
        self._stack = ExitStack()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def play(self, piece: Piece) -> list[Report]:
        """Play a piece of work in this thread's process for its oracle; what ends badly is played again in a new one.

        (On a machine that is busy with something else a server may not be up in time.)
        """
        home = at_home(piece.oracle)
        try:
            return self._played(home, piece)
        except LabError:
            self._mine.processes.pop(home).close()
            return self._played(home, piece)

    def _played(self, home: str, piece: Piece) -> list[Report]:
        known: dict[str, Isolated] | None = getattr(self._mine, "processes", None)
        if known is None:
            known = self._mine.processes = {}
        if home not in known:
            with self._lock:
                known[home] = self._stack.enter_context(Isolated())
            if self._mutation:
                known[home].call(mutations.plant, self._mutation)
        return known[home].call_within(DEADLINE, play, piece.oracle, piece.seeds, self._patience)


def run(
    work: list[Piece],
    done: Callable[[Piece, list[Report]], bool],
    mutation: str = "",
    jobs: int = 0,
    patience: int | None = None,
) -> None:
    """Play all the work, a few pieces at a time; `done` is told of each, in this thread, and may call it a day.

    `mutation`: a bug to plant into the model. `patience`: how often to play again what fails, to make it smaller.
    """
    jobs = jobs or len(os.sched_getaffinity(0)) + 1  # one of them may be waiting for time to pass
    with ThreadPoolExecutor(jobs) as pool, Workers(mutation, patience) as workers:
        try:
            for piece, reports in _played(pool, workers, work, 2 * jobs):
                if done(piece, reports):
                    return
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _played(
    pool: ThreadPoolExecutor, workers: Workers, work: Iterable[Piece], most: int
) -> Iterator[tuple[Piece, list[Report]]]:
    """Each piece as it is done, while others are played or wait for it: `most` at a time."""
    waiting: dict[Future[list[Report]], Piece] = {}
    left = iter(work)
    while True:
        waiting |= {pool.submit(workers.play, piece): piece for piece in islice(left, most - len(waiting))}
        if not waiting:
            return
        for each in wait(waiting, return_when=FIRST_COMPLETED).done:
            yield waiting.pop(each), each.result()


# What is kept ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class State:
    """A long run's notes: its seed, the pieces that are done, and the totals. Kept in a file after every piece."""

    path: Path
    seed: int
    finished: set[str] = field(default_factory=set)
    totals: Totals = field(default_factory=Totals)

    @staticmethod
    def seed_of(path: Path) -> int | None:
        """The seed of a run that was stopped, if there is one."""
        return int(json.loads(path.read_text())["seed"]) if path.exists() else None

    @classmethod
    def load(cls, path: Path, seed: int) -> State:
        """The notes of an earlier run with the same seed, or none."""
        if path.exists():
            kept = json.loads(path.read_text())
            if kept["seed"] == seed:
                return cls(path, seed, set(kept["finished"]), Totals(kept["cases"], kept["tally"]))
        return cls(path, seed)

    def note(self, piece: Piece, reports: list[Report]) -> None:
        self.totals.add(piece.oracle, reports)
        if any(report.finding for report in reports):
            return  # it is played again when the run goes on
        self.finished.add(piece.key)
        kept = {"seed": self.seed, "finished": sorted(self.finished)}
        kept |= {"cases": self.totals.cases, "tally": self.totals.tally}
        self.path.parent.mkdir(exist_ok=True)
        following = self.path.with_suffix(".next")
        following.write_text(json.dumps(kept))
        following.rename(self.path)


def results(totals: Totals, versions: dict[str, str], date: str, seed: int) -> str:
    """What chapters show: counts, what was compared with, and when; the same text for the same run."""
    found = {name: sum(group(each.oracle) == name for each in totals.findings) for name in totals.cases}
    oracles = {name: {"cases": totals.cases[name], "disagreements": found[name]} for name in sorted(totals.cases)}
    kept = {"date": date, "seed": seed, "versions": versions, "oracles": oracles}
    return json.dumps(kept, indent=2, sort_keys=True) + "\n"
