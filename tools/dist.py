"""The book to take along: `dist/` gets the whole site as one zip, and the notebooks with what they need as another.

The same site gives the same bytes. The site's zip holds `serve.py` too: the pages can be opened as files, but for
the notebooks in the browser, which browsers run only from a server, on the same machine if need be.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from edition import edition
from wheels import NO_DAY

ROOT = Path(__file__).resolve().parents[1]
SITE, DIST = ROOT / "_build" / "html", ROOT / "dist"
PACKED = {".zip", ".whl", ".woff", ".woff2", ".png"}  # no smaller for being packed again
README = """\
One Request, There and Back. {edition}.

Open index.html in a browser: every page works as a file, offline.
To run the notebooks in the browser, offline too: python3 serve.py, and open the address that it prints.
"""
TO_RUN = """\
One Request, There and Back: the notebooks, and the Python under them. {edition}.

With Python 3.11 or later, in this folder:

    python3 -m venv .venv
    .venv/bin/python -m pip install -r requirements-live.txt
    .venv/bin/jupyter lab notebooks

For another program that opens notebooks, requirements.txt is enough; it can run them with the Python in .venv.
"""


def main() -> int:
    """Write both archives; 1 if the site isn't built."""
    if not (SITE / "index.html").exists():
        print("dist: the book isn't built: make site lite", file=sys.stderr)
        return 1
    this = edition()
    name = f"one-request-{this.version}-{this.date}"
    pages = [path for path in sorted(SITE.rglob("*")) if path.is_file() and path.name != ".buildinfo"]
    extra = {"README.txt": README.format(edition=this), "serve.py": (ROOT / "tools" / "serve.py").read_text("utf-8")}
    write(DIST / f"{name}.zip", name, SITE, pages, extra)
    notebooks = [*sorted((ROOT / "notebooks").glob("*.ipynb")), *own_files()]
    extra = {"README.txt": TO_RUN.format(edition=this)}
    write(DIST / f"{name}-notebooks.zip", f"{name}-notebooks", ROOT, notebooks, extra)
    return 0


def own_files() -> Iterable[Path]:
    """What the notebooks need to run: the package, and how to install it."""
    about = ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT.md")
    yield from (ROOT / each for each in (*about, "requirements.txt", "requirements-live.txt"))
    for package in ("netpath", "lab"):
        for path in sorted((ROOT / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def write(target: Path, folder: str, root: Path, paths: Iterable[Path], extra: dict[str, str]) -> None:
    """A zip of these files, in one folder."""
    target.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        for inner, text in extra.items():
            archive.writestr(zipfile.ZipInfo(f"{folder}/{inner}", NO_DAY), text, zipfile.ZIP_DEFLATED)
        for path in paths:
            how = zipfile.ZIP_STORED if path.suffix in PACKED else zipfile.ZIP_DEFLATED
            inner = path.relative_to(root).as_posix()
            archive.writestr(zipfile.ZipInfo(f"{folder}/{inner}", NO_DAY), path.read_bytes(), how)
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    sys.exit(main())
