"""Pin what the book, JupyterLab and the tests install: write the requirements files.

Each is what pip chooses today for the ranges in pyproject.toml, in a new environment, with every
dependency's own dependencies. The pins are made with the oldest Python that netpath supports.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ABOUT = "# {what} Written by `make lock`; the ranges are in pyproject.toml.\n"


def main() -> None:
    """Resolve the `book` extra, then each of the others on top of it, and write down what was chosen."""
    if sys.version_info[:2] != (3, 11):
        sys.exit("pin with Python 3.11, the oldest that netpath supports: make lock PYTHON=python3.11")
    book, live, dev = pins("book", "live", "dev")
    write("requirements.txt", "What the notebooks and the book need; Binder uses this file as it is.", ["-e .", *book])
    write("requirements-live.txt", "What JupyterLab needs besides.", ["-r requirements.txt", *live])
    write("requirements-dev.txt", "What the tests need besides.", ["-r requirements-live.txt", *dev])


def pins(*extras: str) -> Iterator[list[str]]:
    """What each of the extras adds, one after the other, to a new environment."""
    known: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        for extra in extras:
            found = install(str(Path(folder) / "bin" / "python"), f"{ROOT}[{extra}]")
            yield [pin for pin in found if pin not in known]
            known.update(found)


def install(python: str, what: str) -> list[str]:
    """Install into that environment, and say all that is in it then, but for netpath itself."""
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", what], check=True)
    frozen = subprocess.run([*pip, "freeze"], check=True, capture_output=True, text=True).stdout
    return [line for line in frozen.splitlines() if line and not line.startswith(("netpath", "-e", "#"))]


def write(name: str, what: str, lines: list[str]) -> None:
    """Write one requirements file."""
    (ROOT / name).write_text(ABOUT.format(what=what) + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
