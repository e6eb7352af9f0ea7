"""Pin what the book and the tests install: write requirements.txt and requirements-dev.txt.

Each is what pip chooses today for the ranges in pyproject.toml, in a new environment, with every
dependency's own dependencies. The pins are made with the oldest Python that netpath supports.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ABOUT = "# {what} Written by `make lock`; the ranges are in pyproject.toml.\n"


def main() -> None:
    """Resolve the `book` extra, then each of the others on top of it, and write down what was chosen."""
    if sys.version_info[:2] != (3, 11):
        sys.exit("pin with Python 3.11, the oldest that netpath supports: make lock PYTHON=python3.11")
    book, dev = pins("book", "dev")
    live = pins("book", "live")[1]
    write("requirements.txt", "What the notebooks and the book need; Binder uses this file as it is.", ["-e .", *book])
    write("requirements-dev.txt", "What the tests need besides.", ["-r requirements.txt", *dev])
    write("requirements-live.txt", "What JupyterLab needs besides.", ["-r requirements.txt", *live])


def pins(first: str, then: str) -> tuple[list[str], list[str]]:
    """What an extra makes of a new environment, and what another one adds to it."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = str(Path(folder) / "bin" / "python")
        before = install(python, f"{ROOT}[{first}]")
        return before, [pin for pin in install(python, f"{ROOT}[{then}]") if pin not in before]


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
