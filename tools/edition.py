"""Which edition this is: its version, its date, and what it was last checked against.

The version is pyproject.toml's. The date is the last commit's or, in a copy without a history, `SOURCE_DATE_EPOCH`'s
or today's. What it was checked against stands in `lab/results.json`, where the lab has written it.
"""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "lab" / "results.json"
NAMES = {"kubernetes": "Kubernetes", "kernel": "Linux"}  # as people write them, and before the others


@dataclass(frozen=True, slots=True)
class Edition:
    """A version of the book. `checked`: what it was compared with, by name, and `on` which day, if at all."""

    version: str
    date: date
    checked: tuple[tuple[str, str], ...] = ()
    on: str = ""

    def __str__(self) -> str:
        return f"Edition {self.version} of {spelt(self.date)}"

    @property
    def told(self) -> str:
        """What it was checked against, as a sentence; empty if it wasn't."""
        if not self.checked:
            return ""
        programs = ", ".join(" ".join(each) for each in self.checked)
        return f"Checked against {programs} on {spelt(date.fromisoformat(self.on))}."


def edition(results: Path = RESULTS) -> Edition:
    """This checkout's edition."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    checked, on = _checked(results)
    return Edition(project["version"], _day(), checked, on)


def spelt(day: date) -> str:
    """A day as people write it.

    >>> spelt(date(2026, 2, 3))
    '3 February 2026'
    """
    return f"{day.day} {day:%B %Y}"


def recorded(results: Path = RESULTS) -> dict[str, Any]:
    """What the oracles' last recorded run has left: `date`, `versions`, `oracles`; nothing where there was none."""
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
    return found


def _day() -> date:
    if epoch := os.environ.get("SOURCE_DATE_EPOCH") or _committed():
        return datetime.fromtimestamp(int(epoch), UTC).date()
    return datetime.now(UTC).date()


def _committed() -> str:
    """When the last commit was made, in seconds; nothing where there is no history."""
    try:
        done = subprocess.run(
            ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip()


def _checked(results: Path) -> tuple[tuple[tuple[str, str], ...], str]:
    """The programs and the day."""
    found = recorded(results)
    if not found:
        return (), ""
    names = [*(name for name in NAMES if name in found["versions"]), *sorted(found["versions"].keys() - NAMES.keys())]
    programs = tuple((NAMES.get(name, name), found["versions"][name].partition("-")[0]) for name in names)
    return programs, found["date"]
