"""The edition that every page names, and what the notebooks in the browser are made of."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from edition import edition
from plain import plain
from wheels import pack, read, without_binaries

from tests.conftest import ROOT


def results(folder: Path, versions: dict[str, str]) -> Path:
    path = folder / "results.json"
    path.write_text(json.dumps({"date": "2026-01-02", "versions": versions}), encoding="utf-8")
    return path


def test_an_edition_says_what_it_was_checked_against(tmp_path: Path) -> None:
    told = edition(results(tmp_path, {"nginx": "1.22.1", "kernel": "6.18.4-host", "kubernetes": "1.36"})).told
    assert told == "Checked against Kubernetes 1.36, Linux 6.18.4, nginx 1.22.1 on 2 January 2026."


def test_what_was_not_checked_is_not_said_to_be(tmp_path: Path) -> None:
    assert edition(tmp_path / "no such file").told == ""


def test_the_kept_results_can_be_read() -> None:
    assert edition().told.startswith("Checked against ")


def test_an_editions_date_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert str(edition()).endswith("of 2 January 1970")


def test_the_same_files_make_the_same_wheel(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    made = []
    for folder in (one, other):
        folder.mkdir()
        made.append(pack(folder, "thing", "1", {"thing/__init__.py": b"x = 1"}).read_bytes())
    assert made[0] == made[1]


def test_of_a_compiled_wheel_the_python_remains(tmp_path: Path) -> None:
    path = pack(tmp_path, "thing", "1", {"thing/__init__.py": b"", "thing/fast.so": b"\0"}, ("other>=2",))
    wheel = read(without_binaries(path.rename(tmp_path / "thing-1-cp314-cp314-linux.whl")))
    assert (wheel.modules, wheel.wants) == (("thing",), ("other",))


def test_what_another_system_wants_isnt_wanted_in_the_browser(tmp_path: Path) -> None:
    path = pack(tmp_path, "thing", "1", {"thing.py": b""}, ('pexpect; sys_platform != "emscripten"', "here"))
    assert read(path).wants == ("here",)


def prose() -> str:
    """All the chapters' prose, a cell after the other."""
    notebooks = [json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "notebooks").glob("*.ipynb")]
    cells = [cell for notebook in notebooks for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def test_no_myst_is_left_in_a_chapters_plain_prose() -> None:
    assert re.findall(r"^:::.*|\{\w+\}`.*|^\(\S+\)=$", plain(prose()), re.MULTILINE) == []


def test_a_box_becomes_a_quotation() -> None:
    assert plain(":::{note}\nOne.\n\nTwo.\n:::") == "> **Note**\n>\n> One.\n>\n> Two."
