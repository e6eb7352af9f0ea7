"""The notebooks in the browser: JupyterLite on Pyodide, all of it in the site itself, below `lite/`.

Python comes from npm's `pyodide`, which is the interpreter alone; the packages come from PyPI, as wheels without
compiled parts, and netpath from this checkout. They are laid side by side, with a lock file that says what each is.
numpy and matplotlib exist for the browser only in Pyodide's own distribution: they are fetched from there, checked
against their digests, when a notebook imports them, and not before; no chapter does.

`lite.json` and `lite.txt` pin it all. What was fetched is kept in `_vendor/lite`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from edition import edition
from npm import UnavailableError, find_node, find_npm, run
from plain import plain
from vendor import fetch, unpack
from wheels import pack, read, without, without_binaries

ROOT = Path(__file__).resolve().parents[1]
PINS, WHEELS = Path(__file__).with_suffix(".json"), Path(__file__).with_suffix(".txt")
PRECOMPILE = Path(__file__).with_name("precompile.mjs")
KEPT = ROOT / "_vendor" / "lite"
SITE = ROOT / "_build" / "html"
SOURCES = ROOT / "book" / "lite"
LIBRARY, EARLY = "python_stdlib.zip", "early.js"
SELDOM = ("networkx", "wcwidth")  # compiled ahead, these would cost more bytes than they save time
KERNEL = "share/jupyter/labextensions/@jupyterlite/pyodide-kernel-extension/static/pypi"
PLUGIN = "@jupyterlite/pyodide-kernel-extension:kernel"
STUBS = ("piplite", "pyodide_kernel", "ipykernel")  # what the kernel brings along itself
FOR = ["--python-version", "3.14", "--implementation", "cp", "--abi", "cp314", "--abi", "none"]
PLATFORMS = ["--platform", "any", "--platform", "manylinux2014_x86_64"]

HELP = """\
lite: {reason}
lite: the notebooks in the browser were not built; the rest of the book is whole.
lite: what to do: look whether this machine reaches npm's and PyPI's registries (or your mirrors of them: npm and pip
lite: read their usual settings), and say `make lite` again. What was fetched once is kept in _vendor/lite."""


def main(site: Path = SITE) -> int:
    """Build `lite/` into the site; 1, with what to do about it, if something can't be had."""
    pins = json.loads(PINS.read_text(encoding="utf-8"))
    try:
        fetched(pins)
        with tempfile.TemporaryDirectory() as scratch:
            project = Path(scratch) / "lite"
            mark = lay_out(project, pins)
            build(project, site / "lite")
            start_early(site / "lite")
            add_notebooks(site / "lite", mark)
            add_icons(site / "lite")
    except UnavailableError as reason:
        print(HELP.format(reason=reason), file=sys.stderr)
        return 1
    return 0


# What comes from elsewhere ---------------------------------------------------------------------


def fetched(pins: dict[str, Any]) -> None:
    """Bring `_vendor/lite` up to date with the pins."""
    stamp = KEPT / "pins.txt"
    wanted = "".join(each.read_text(encoding="utf-8") for each in (PINS, WHEELS, PRECOMPILE))
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch) / "fresh"
        pin = pins["pyodide"]
        unpack(fetch(find_npm(), "pyodide", pin, Path(scratch)), pin["files"], fresh)
        download(fresh, pins["unneeded_files"])
        precompile(fresh, [fresh / LIBRARY, *often_imported(fresh)])
        (fresh / stamp.name).write_text(wanted, encoding="utf-8")
        shutil.rmtree(KEPT, ignore_errors=True)
        shutil.copytree(fresh, KEPT)


def download(folder: Path, unneeded: list[str]) -> None:
    """The pinned wheels, without what they hold for nobody here; pip refuses one whose digest is another."""
    print("lite: wheels", flush=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    run([*pip, "--only-binary", ":all:", *FOR, *PLATFORMS, "--require-hashes", "-r", str(WHEELS), "-d", str(folder)])
    for wheel in sorted(folder.glob("*.whl")):
        without(unneeded, without_binaries(wheel))


def often_imported(folder: Path) -> Iterable[Path]:
    """The wheels whose code is worth the bytes that it takes when it is compiled."""
    return (each for each in folder.glob("*.whl") if not each.name.startswith(SELDOM))


def precompile(pyodide: Path, archives: Iterable[Path]) -> None:
    """Bring along what Python would make of the code when it is first imported: half of a cold start."""
    run([*find_node(), str(PRECOMPILE), str(pyodide), *sorted(each.name for each in archives)])


# What it is made of ----------------------------------------------------------------------------


def lay_out(project: Path, pins: dict[str, Any]) -> str:
    """The folder that JupyterLite builds from; a name for what it holds."""
    shutil.copytree(SOURCES / "extension", project / "extension")
    shutil.copy(SOURCES / "overrides.json", project)
    shutil.copy(SOURCES / "jupyter_lite_config.json", project)
    pyodide = project / "static" / "pyodide"
    shutil.copytree(KEPT, pyodide, ignore=shutil.ignore_patterns("pins.txt"))
    shutil.copy(SOURCES / EARLY, pyodide)
    for stub in STUBS:
        shutil.copy(next((Path(sys.prefix) / KERNEL).glob(f"{stub}-*.whl")), pyodide)
    precompile(pyodide, [own_wheel(pyodide)])
    write_lock(pyodide, pins)
    mark = digest(ROOT / "notebooks", pyodide)
    settings = {"jupyter-lite-schema-version": 0, "jupyter-config-data": config(mark, pins)}
    (project / "jupyter-lite.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    return mark


def own_wheel(folder: Path) -> Path:
    """netpath itself, as it is in this checkout, with the lab: the last chapter shows what that has recorded."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shown = (each for each in project["optional-dependencies"]["book"] if each.startswith(("ipywidgets", "anywidget")))
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for package in ("netpath", "lab")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return pack(folder, project["name"], project["version"], files, (*project["dependencies"], *shown))


def write_lock(pyodide: Path, pins: dict[str, Any]) -> None:
    """Pyodide's lock file: all the wheels beside it, and from its own distribution what is fetched when imported."""
    path = pyodide / "pyodide-lock.json"
    theirs = json.loads(path.read_text(encoding="utf-8"))
    own = {wheel.name: wheel for wheel in map(read, sorted(pyodide.glob("*.whl")))}
    online = needed(pins["online"]["packages"], theirs["packages"], set(own))
    available = (set(own) | set(online)) - set(pins["unneeded"])
    entries = {name: wheel.entry(available) for name, wheel in own.items()}
    missing = [f"{name} wants {each}" for name in own for each in own[name].wants if each not in available]
    print(f"lite: {len(own)} wheels; left out: {'; '.join(missing) or 'nothing'}", flush=True)
    for name in online:
        there = theirs["packages"][name]
        entries[name] = there | {"file_name": pins["online"]["base"] + there["file_name"]}
    path.write_text(json.dumps({"info": theirs["info"], "packages": entries}, indent=1), encoding="utf-8")


def needed(names: list[str], theirs: dict[str, Any], own: set[str]) -> list[str]:
    """These packages of the distribution and those that they need, but for what is here."""
    found: list[str] = []
    left = list(names)
    while left:
        name = left.pop()
        if name not in own and name not in found:
            found.append(name)
            left += theirs[name]["depends"]
    return sorted(found)


def digest(*folders: Path) -> str:
    """A name for what these folders hold."""
    paths = sorted(path for folder in folders for path in folder.glob("*") if path.suffix in (".ipynb", ".whl"))
    return sha256(b"".join(sha256(path.read_bytes()).digest() for path in paths)).hexdigest()[:12]


def stamped(notebook: Path, mark: str) -> str:
    """A notebook in plain Markdown, which says of which edition it is and that its kernel is the browser's."""
    found = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in found["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = plain("".join(cell["source"])).splitlines(keepends=True)
    found["metadata"]["kernelspec"] = {"name": "python", "display_name": "Python (Pyodide)", "language": "python"}
    found["metadata"]["netpath"] = {"edition": mark}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def config(mark: str, pins: dict[str, Any]) -> dict[str, Any]:
    """JupyterLite's settings. The reader's changes are kept under one name, whatever the edition and the address."""
    kernel = {"disablePyPIFallback": True, "loadPyodideOptions": {"packages": pins["loaded"]}}
    return {
        "appName": "One Request, There and Back",
        "contentsAllJsonFile": "all.json",
        "contentsStorageName": "netpath notebooks",
        "settingsStorageName": "netpath settings",
        "workspacesStorageName": "netpath workspaces",
        "netpathEdition": mark,
        "netpathEditionName": str(edition()),
        "litePluginSettings": {PLUGIN: kernel},
    }


def build(project: Path, target: Path) -> None:
    """Let JupyterLite build it."""
    print("lite: JupyterLite", flush=True)
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-m", "jupyterlite_core", "build", "--lite-dir", str(project)]
    environment = {"SOURCE_DATE_EPOCH": "1", **os.environ}
    done = subprocess.run(
        [*command, "--output-dir", str(target)], cwd=project, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise UnavailableError(f"jupyter lite build failed: {(done.stdout + done.stderr)[-1500:]}")


def start_early(target: Path) -> None:
    """Have kernels take Python from `early.js`, whatever the build has put there (it always names `pyodide.mjs`)."""
    path = target / "jupyter-lite.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    kernel = settings["jupyter-config-data"]["litePluginSettings"][PLUGIN]
    kernel["pyodideUrl"] = f"./static/pyodide/{EARLY}"
    path.write_text(json.dumps(settings, indent=1), encoding="utf-8")


def add_notebooks(target: Path, mark: str) -> None:
    """The notebooks, and the list of them that stands for a server's answer (JupyterLite would need one to make it)."""
    (target / "files").mkdir(exist_ok=True)
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        (target / "files" / notebook.name).write_text(stamped(notebook, mark), encoding="utf-8")
    day = f"{edition().date}T00:00:00Z"
    common = {"created": day, "last_modified": day, "mimetype": None, "writable": True}
    listed = [
        {"name": path.name, "path": path.name, "type": "notebook", "format": None, "content": None, **common}
        | {"size": path.stat().st_size}
        for path in sorted((target / "files").iterdir())
    ]
    everything = {"name": "", "path": "", "type": "directory", "format": "json", "size": None, **common}
    (target / "api" / "contents").mkdir(parents=True, exist_ok=True)
    (target / "api" / "contents" / "all.json").write_text(
        json.dumps(everything | {"content": listed}), encoding="utf-8"
    )


def add_icons(target: Path) -> None:
    """The icons of a tab, which a server would bring: one at rest, and several for as long as a cell runs."""
    (target / "static" / "favicons").mkdir(exist_ok=True)
    for name in ("notebook", "busy-1", "busy-2", "busy-3", "file", "terminal"):
        shutil.copy(target / "notebooks" / "favicon.ico", target / "static" / "favicons" / f"favicon-{name}.ico")


if __name__ == "__main__":
    sys.exit(main())
