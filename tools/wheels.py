"""Wheels for a Python without a compiler: read what one says of itself, and pack one that is Python alone.

The same files give the same bytes: their times are those of no day, their order is that of their names.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Where the wheels are going to live.
BROWSER = {"sys_platform": "emscripten", "platform_system": "Emscripten", "python_version": "3.14", "extra": ""}
NO_DAY = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel and its own words about itself: its name, its version, and the packages that it wants."""

    path: Path
    name: str
    version: str
    wants: tuple[str, ...]
    modules: tuple[str, ...]

    def entry(self, available: set[str]) -> dict[str, Any]:
        """What Pyodide's lock file says of it."""
        return {
            "name": self.name,
            "version": self.version,
            "file_name": self.path.name,
            "install_dir": "site",
            "sha256": sha256(self.path.read_bytes()).hexdigest(),
            "package_type": "package",
            "imports": list(self.modules),
            "depends": [each for each in self.wants if each in available],
            "unvendored_tests": False,
        }


def read(path: Path) -> Wheel:
    """Read a wheel's metadata."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        about = next(each for each in names if each.endswith(".dist-info/METADATA"))
        told = HeaderParser().parsestr(archive.read(about).decode())
    wishes = [Requirement(each) for each in told.get_all("Requires-Dist", [])]
    wants = sorted(
        {canonicalize_name(each.name) for each in wishes if not each.marker or each.marker.evaluate(BROWSER)}
    )
    tops = {each.split("/")[0].removesuffix(".py") for each in names}
    modules = sorted(each for each in tops if each.isidentifier())
    return Wheel(path, canonicalize_name(told["Name"]), told["Version"], tuple(wants), tuple(modules))


def pack(folder: Path, name: str, version: str, files: dict[str, bytes], wants: tuple[str, ...] = ()) -> Path:
    """A wheel of these files, by their names inside it."""
    about = f"{name}-{version}.dist-info"
    wishes = "".join(f"Requires-Dist: {each}\n" for each in wants)
    said = {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wishes}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: netpath\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": "".join(f"{each},,\n" for each in sorted(files)),
    }
    path = folder / f"{name}-{version}-py3-none-any.whl"
    _write(path, files | {key: text.encode() for key, text in said.items()})
    return path


def _write(path: Path, files: dict[str, bytes]) -> None:
    """The same files give the same bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for inner, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(inner, NO_DAY), data, zipfile.ZIP_DEFLATED)


def without(unneeded: list[str], path: Path) -> None:
    """Take files out of a wheel, by patterns of their names."""
    with zipfile.ZipFile(path) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    kept = {each: files[each] for each in files if not any(fnmatch(each, pattern) for pattern in unneeded)}
    if len(kept) < len(files):
        _write(path, kept)


def without_binaries(path: Path) -> Path:
    """Of a wheel with compiled parts, a wheel of its Python alone, beside it; the other is removed."""
    if path.stem.endswith("-none-any"):
        return path
    wheel = read(path)
    with zipfile.ZipFile(path) as archive:
        files = {each: archive.read(each) for each in archive.namelist() if each.endswith(".py")}
    path.unlink()
    return pack(path.parent, wheel.name, wheel.version, files, wheel.wants)
