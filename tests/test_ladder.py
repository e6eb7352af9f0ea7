"""The import ladder: a module imports only from lines below its own. The ladder is read from netpath's docstring."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import netpath

PACKAGE = Path(netpath.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")

# What the model never touches: sockets, clocks, chance.
OUTSIDE_WORLD = {"asyncio", "datetime", "random", "secrets", "select", "socket", "subprocess", "threading", "time"}
HEAVY = ("IPython", "anywidget", "ipywidgets", "matplotlib", "networkx", "numpy")
# The edges, which meet the world outside.
EDGES = {"__main__", "chance", "exercises", "load", "show", "wire"}


def read_ladder(docstring: str) -> dict[str, int]:
    """Each box and its line, counted from the bottom: the indented block that starts with `__main__`.

    >>> read_ladder("Words.\\n\\n    __main__   tests\\n    b | c\\n    a\\n\\nMore words.")
    {'__main__': 2, 'tests': 2, 'b': 1, 'c': 1, 'a': 0}
    """
    block = re.search(r"^    __main__.*\n(?:    .+\n)+", docstring + "\n", re.MULTILINE)
    assert block, "netpath's docstring has no ladder"
    lines = block[0].splitlines()
    return {name: len(lines) - 1 - i for i, line in enumerate(lines) for name in re.findall(r"\w+", line)}


LADDER = read_ladder(netpath.__doc__ or "")


def box(path: Path) -> str:
    """The box that a file belongs to: its own name, or that of the folder directly under netpath.

    >>> box(PACKAGE / "packet.py"), box(PACKAGE / "resolution" / "cache.py")
    ('packet', 'resolution')
    """
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The dotted name of everything that a file imports, relative imports resolved, TYPE_CHECKING included."""
    inside = ["netpath", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = inside[: len(inside) - node.level + 1] if node.level else []
            yield from (".".join([*base, *filter(None, [node.module]), name.name]) for name in node.names)


def boxes_imported(path: Path) -> Iterator[str]:
    """The other boxes of the house that a file imports from."""
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "netpath" and (parts[1:] or ["the package itself"])[0] != box(path):
            yield (parts[1:] or ["the package itself"])[0]


def short(path: Path) -> str:
    """A file's name in a test's name."""
    return path.relative_to(PACKAGE).as_posix()


MODEL = [path for path in MODULES if box(path) not in EDGES]


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_every_module_stands_on_a_line_of_the_ladder(path: Path) -> None:
    assert box(path) in LADDER, f"{short(path)} is not in the ladder in netpath/__init__.py"


@pytest.mark.parametrize("path", [path for path in MODULES if box(path) in LADDER], ids=short)
def test_a_module_imports_only_from_lines_below_its_own(path: Path) -> None:
    own = LADDER[box(path)]
    upward = {name for name in boxes_imported(path) if LADDER.get(name, own) >= own}
    assert not upward, f"{short(path)} imports {upward}, not below it in the ladder in netpath/__init__.py"


@pytest.mark.parametrize("path", MODEL, ids=short)
def test_the_model_touches_neither_sockets_nor_clocks_nor_chance(path: Path) -> None:
    touched = {name.split(".")[0] for name in imported(path)} & OUTSIDE_WORLD
    assert not touched, f"{short(path)} imports {touched}"


def test_no_box_of_the_ladder_is_missing_from_the_house() -> None:
    assert set(LADDER) == {box(path) for path in MODULES}


def test_importing_netpath_loads_nothing_heavy() -> None:
    code = f"import sys, netpath; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
