"""The cells of a page that run in the browser: which ones do, and what is told of one that ran."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from netpath.show.tables import Table

ROOT = Path(__file__).resolve().parents[1]


def load(path: str) -> ModuleType:
    """A module that is no part of a package."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Browser:
    """Stands for the page: keeps what it is told."""

    def __init__(self) -> None:
        self.cells = load("book/inpage/cells.py")
        self.told: list[dict[str, Any]] = []
        self.fine = True

    def run(self, source: str, name: str = "<cell 1>") -> dict[str, Any]:
        """What a cell told, all of it in one."""
        self.told.clear()
        self.fine = self.cells.run(source, name, lambda text: self.told.append(json.loads(text)))
        return {key: value for message in self.told for key, value in message.items()}


@pytest.fixture
def page() -> Iterator[Browser]:
    """A page whose interpreter has just been started."""
    before = {name: sys.modules.get(name) for name in ("anywidget", "ipywidgets")}
    made = Browser()
    made.cells.stand_in()
    yield made
    sys.modules.update({name: module for name, module in before.items() if module})


# What is told -----------------------------------------------------------------------------------


def test_the_last_expression_is_shown(page: Browser) -> None:
    assert page.run("a = 2\na * 21") == {"text": "42"}


def test_a_cell_that_ends_with_a_statement_shows_nothing(page: Browser) -> None:
    assert page.run("a = 2") == {}


def test_what_is_printed_is_told_before_the_value(page: Browser) -> None:
    page.run("print('one')\n'two'")
    assert page.told == [{"printed": "one\n"}, {"text": "'two'"}]


def test_a_printed_line_is_told_while_the_cell_goes_on(page: Browser) -> None:
    page.cells.names["so_far"] = lambda: len(page.told)
    assert page.run("print('one')\nprint('two')\nso_far()")["text"] == "2"


def test_cells_share_their_names(page: Browser) -> None:
    page.run("def double(n): return 2 * n")
    assert page.run("double(4)")["text"] == "8"


def test_what_netpath_shows_as_html_is_html(page: Browser) -> None:
    told = page.run("from netpath.load import shop\nfrom netpath.show.figures import boundaries\nboundaries(shop())")
    assert told["html"].startswith("<figure")


def test_html_of_anybody_else_stays_text(page: Browser) -> None:
    source = "class Mine:\n    _repr_html_ = lambda self: '<img src=x>'\n    __repr__ = lambda self: '<mine>'\nMine()"
    assert page.run(source) == {"text": "<mine>"}


def test_a_table_is_netpaths_own() -> None:
    assert Table.__module__.startswith("netpath")


def test_an_error_names_the_cells_own_line(page: Browser) -> None:
    page.run("def half(n):\n    return 1 / n", "<cell 1>")
    error = page.run("x = 0\nhalf(x)", "<cell 2>")["error"]
    assert (error["message"], error["line"], error["code"]) == ("ZeroDivisionError: division by zero", 2, "half(x)")
    assert not page.fine


def test_an_error_tells_the_calls_and_not_the_machinery(page: Browser) -> None:
    page.run("def half(n):\n    return 1 / n", "<cell 1>")
    calls = page.run("half(0)", "<cell 2>")["error"]["calls"]
    assert '"<cell 1>", line 2, in half' in calls
    assert "cells.py" not in calls


def test_an_error_in_the_first_call_needs_no_list_of_calls(page: Browser) -> None:
    assert page.run("wrold")["error"]["calls"] == ""


def test_what_is_no_python_is_told_with_its_line(page: Browser) -> None:
    error = page.run("a = 1\nb = = 2")["error"]
    assert (error["message"], error["line"], error["code"]) == ("SyntaxError: invalid syntax", 2, "b = = 2")


def test_leaving_python_is_an_error_like_any_other(page: Browser) -> None:
    assert page.run("raise SystemExit(3)")["error"]["message"] == "SystemExit: 3"


def test_endless_printing_is_cut_off(page: Browser) -> None:
    page.run(f"for _ in range({page.cells.LIMIT}): print('again')")
    printed = "".join(message["printed"] for message in page.told)
    assert len(printed) < page.cells.LIMIT + 100
    assert printed.endswith("… and more, which is left out\n")


def test_long_values_are_laid_out_in_lines(page: Browser) -> None:
    assert page.run("{n: 'a pod' for n in range(20)}")["text"].count("\n") == 19


def test_controls_say_where_they_work(page: Browser) -> None:
    error = page.run("import ipywidgets\nipywidgets.IntSlider(min=3)")["error"]
    assert error["message"] == f"RuntimeError: {page.cells.LITE}"


# Which cells take part ---------------------------------------------------------------------------


RULES = load("book/_ext/inpage.py")


@pytest.mark.parametrize("source", ["import matplotlib.pyplot as plt", "from ipywidgets import IntSlider"])
def test_a_cell_that_imports_what_only_a_kernel_has_takes_no_part(source: str) -> None:
    assert RULES.way_of(source, [], shows_widget=False) is None


def test_controls_take_no_part() -> None:
    assert RULES.way_of("explore(world)", [], shows_widget=True) is None


def test_what_is_no_plain_python_takes_no_part() -> None:
    assert RULES.way_of("%matplotlib inline", [], shows_widget=False) is None


def test_a_tag_keeps_a_cell_out() -> None:
    assert RULES.way_of("1 + 1", ["not-in-page"], shows_widget=False) is None


def test_a_cell_that_shows_a_widget_runs_quietly() -> None:
    assert RULES.way_of("player(journey)", [], shows_widget=True) == RULES.QUIETLY


def test_every_other_cell_has_buttons() -> None:
    assert RULES.way_of("from netpath.load import shop\nshop()", [], shows_widget=False) == RULES.RUNS


# The chapters -------------------------------------------------------------------------------------

RUN_ALL = """
import importlib.util, json, sys
def load(path):
    spec = importlib.util.spec_from_file_location("loaded", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
cells, rules = load("book/inpage/cells.py"), load("book/_ext/inpage.py")
cells.stand_in()
for number, cell in enumerate(json.load(open(sys.argv[1]))["cells"]):
    source, tags = "".join(cell["source"]), cell["metadata"].get("tags", [])
    if cell["cell_type"] == "code" and rules.way_of(source, tags, False):
        failed = []
        tell = lambda text: failed.append(text) if "error" in json.loads(text) else None
        if not cells.run(source, f"<cell {number}>", tell) and "raises-exception" not in tags:
            print(number, failed[0])
"""


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_chapters_cells_run_with_the_stand_ins(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", RUN_ALL, path], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.stdout, done.stderr) == ("", "")
