"""`python -m benchmarks [--quick] [--json FILE]`: measure, and print a table."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import inpage, journeys, lite, loading, pages, processes, real, table
from benchmarks.table import Section

SIZES = (10, 100, 1_000, 10_000)
QUICK_SIZES = (10, 100)


def sections(sizes: Sequence[int], repetitions: int) -> Iterator[Section]:
    """Everything that is measured, one section after the other as it is done."""
    yield journeys.shop_section(repetitions)
    with tempfile.TemporaryDirectory() as folder:
        yield journeys.sizes_section(Path(folder), sizes, repetitions)
        yield loading.section(Path(folder), sizes[-1], repetitions)
    yield processes.section(repetitions)
    yield real.section(repetitions)
    if repetitions > 1:
        yield pages.section()
        yield inpage.section()
        yield lite.section()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast netpath is.")
    parser.add_argument("--quick", action="store_true", help="small worlds and few repetitions: does it still work?")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the numbers there too")
    chosen = parser.parse_args(arguments)
    sizes, repetitions = (QUICK_SIZES, 1) if chosen.quick else (SIZES, 5)
    print(f"netpath on Python {platform.python_version()}, {platform.machine()}; CPU time of one core, the least of")
    print(f"{repetitions} x several runs. A unit of the peer is one round of benchmarks.measure.fixed_work.")
    measured = list(sections(sizes, repetitions))
    print("\n".join(table.text(measured)))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(table.as_object(measured), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
