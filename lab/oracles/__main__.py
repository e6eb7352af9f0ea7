"""`python -m lab.oracles`: ask the real thing, ask the model, and compare. See `lab.oracles`."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from random import SystemRandom

from lab.isolation import Isolated, LabError
from lab.oracles import mutations
from lab.oracles.catalogue import ORACLES, at_home, chosen, group, lacks, play, versions
from lab.oracles.rounds import Report
from lab.oracles.running import DEADLINE, Piece, State, Totals, pieces, results, run

RESULTS = Path(__file__).parents[1] / "results.json"
NOTES = Path("_build/oracles.json")  # of a soak that was stopped
_SOAK = 100


def _arguments() -> ArgumentParser:
    parser = ArgumentParser(
        "python -m lab.oracles", description="Random cases, put to the model and to the real thing."
    )
    names = sorted({*ORACLES, *map(group, ORACLES)})
    parser.add_argument("--only", action="append", default=[], choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--seed", type=int, help="of the whole run (printed; drawn if it isn't given)")
    parser.add_argument("--soak", action="store_true", help=f"{_SOAK} times as much; goes on where it was stopped")
    parser.add_argument("--times", type=int, default=1, metavar="N", help="so many times as much")
    parser.add_argument("--jobs", type=int, default=0, help="how many at a time")
    parser.add_argument("--record", action="store_true", help=f"write {RESULTS.name}, which the book shows")
    parser.add_argument("--replay", nargs=2, metavar=("ORACLE", "SEED"), help="play one round again")
    parser.add_argument("--mutation", default="", choices=["", *mutations.MUTATIONS], help="plant a bug into the model")
    parser.add_argument("--mutations", action="store_true", help="plant every bug in turn: each must be found")
    return parser


def main() -> int:
    """0 if nothing disagrees (or every planted bug is found), 1 if something does, 2 if it can't be asked."""
    given = _arguments().parse_args()
    names = chosen([given.replay[0]] if given.replay else given.only)
    problem = lacks(names)
    if problem:
        print(problem, file=sys.stderr)
        return 2
    try:
        if given.replay:
            return _replay(given.replay[0], given.replay[1], given.mutation)
        if given.mutations:
            return _plant_all(given.only)
        return _run(given, names)
    except LabError as trouble:
        print(trouble, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped" + ("; --soak goes on from here" if given.soak else ""), file=sys.stderr)
        return 130


def _replay(name: str, seed: str, mutation: str) -> int:
    with Isolated() as isolated:
        if mutation:
            isolated.call(mutations.plant, mutation)
        reports = isolated.call_within(DEADLINE, play, name, (seed,))
    return _told(reports)


def _told(reports: Iterable[Report]) -> int:
    findings = [report.finding for report in reports if report.finding is not None]
    print(*findings, sep="\n\n") if findings else print("no disagreement")
    return 1 if findings else 0


def _run(given: Namespace, names: tuple[str, ...]) -> int:
    seed = given.seed
    if seed is None and given.soak:
        seed = State.seed_of(NOTES)
    if seed is None:
        seed = SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    state = State.load(NOTES, seed) if given.soak else State(NOTES, seed)
    work = pieces(names, seed, _SOAK if given.soak else given.times)
    bar = Bar(len(work), state.totals)
    left = [piece for piece in work if piece.key not in state.finished]
    bar.done = len(work) - len(left)

    def done(piece: Piece, reports: list[Report]) -> bool:
        if given.soak:
            state.note(piece, reports)
        else:
            state.totals.add(piece.oracle, reports)
        bar.advance(reports)
        return False

    run(left, done, given.mutation, given.jobs)
    bar.finish()
    if given.soak and not state.totals.findings:
        NOTES.unlink(missing_ok=True)
    return _summary(state.totals, seed, given.record)


def _summary(totals: Totals, seed: int, record: bool) -> int:
    found = [group(each.oracle) for each in totals.findings]
    for name, cases in sorted(totals.cases.items()):
        print(f"{name:10} {cases:>9,} cases  {found.count(name)} disagreements")
    print(f"{'together':10} {sum(totals.cases.values()):>9,} cases  {len(found)} disagreements")
    if record:
        RESULTS.write_text(results(totals, versions(), date.today().isoformat(), seed))
    return 1 if totals.findings else 0


class Bar:
    """A line that says how far a run has come; findings stand above it."""

    def __init__(self, pieces: int, totals: Totals) -> None:
        self.pieces, self.totals, self.done, self.began = pieces, totals, 0, time.monotonic()

    def advance(self, reports: list[Report]) -> None:
        self.done += 1
        for report in reports:
            if report.finding is not None:
                self._line(f"{report.finding}\n", end="\n")
        width = 30 * self.done // max(1, self.pieces)
        cases = sum(self.totals.cases.values())
        self._line(f"[{'#' * width}{'.' * (30 - width)}] {cases:,} cases, {time.monotonic() - self.began:.0f} s")

    def finish(self) -> None:
        self._line("")

    def _line(self, text: str, end: str = "") -> None:
        if end or sys.stdout.isatty():
            print(f"\r\033[K{text}" if sys.stdout.isatty() else text, end=end, flush=True)


def _plant_all(only: list[str]) -> int:
    """Plant one bug after the other; each must be found by its oracle within a quick run."""
    escaped = 0
    with ExitStack() as stack:
        processes: dict[str, Isolated] = {}
        for name, mutation in mutations.MUTATIONS.items():
            if mutation.oracle not in chosen(only):
                continue
            home = at_home(mutation.oracle)
            if home not in processes:
                processes[home] = stack.enter_context(Isolated())
            finding = mutations.hunt(processes[home], name)
            escaped += finding is None
            print(f"{name:40} {'found by' if finding else 'NOT FOUND by'} {mutation.oracle}")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
