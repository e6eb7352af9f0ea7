"""Keep the committed notebooks comparable: text outputs stay; images and widget state go (the build makes them again).

`notebooks.py FILE…` strips what doesn't belong and fails if there was any; `--run` runs the notebooks first.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import nbformat

KEPT_METADATA = {"kernelspec", "language_info"}
KEPT_OUTPUTS = ("text/", "application/json")
FIGURE = re.compile(r'(<figure class="netpath-figure">).*?(</figure>)', re.DOTALL)  # a picture, though it is text


def main(arguments: list[str]) -> int:
    """Strip each notebook; 1 if one had to be changed, as a commit hook wants it (never after `--run`)."""
    run = "--run" in arguments
    changed = [path for path in map(Path, arguments) if path.suffix == ".ipynb" and renew(path, run)]
    for path in changed:
        print(f"{path}: written anew")
    return int(bool(changed) and not run)


def renew(path: Path, run: bool) -> bool:
    """Bring a notebook's file to the form that is committed; whether that changed it."""
    before = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(before, as_version=4)  # type: ignore[no-untyped-call, unused-ignore]
    if run:
        execute(notebook, path.parent)
    strip(notebook)
    after: str = nbformat.writes(notebook) + "\n"  # type: ignore[no-untyped-call, unused-ignore]
    if after != before:
        path.write_text(after, encoding="utf-8")
    return after != before


def execute(notebook: Any, folder: Path) -> None:
    """Run all cells, in a new kernel."""
    from nbclient import NotebookClient

    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()


def strip(notebook: Any) -> None:
    """Remove images, widget views and state, timings, and whatever an editor left in the metadata."""
    for extra in set(notebook.metadata) - KEPT_METADATA:
        del notebook.metadata[extra]
    notebook.metadata.get("language_info", {}).pop("version", None)  # differs between readers
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if "outputs" in cell:
            cell.outputs = merged(cell.outputs)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            for kind in [kind for kind in data if not kind.startswith(KEPT_OUTPUTS)]:
                del data[kind]
            if "text/html" in data:
                data["text/html"] = FIGURE.sub(r"\1\2", "".join(data["text/html"]))


def merged(outputs: list[Any]) -> list[Any]:
    """What a cell printed as one output: on a busy machine it comes in pieces."""
    kept: list[Any] = []
    for output in outputs:
        if kept and output.output_type == "stream" and kept[-1].get("name") == output.name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
