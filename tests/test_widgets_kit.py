"""What all widgets share, without a browser: how a module becomes one text, and what a notebook is given."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import ipywidgets
import pytest

from netpath.errors import InputError
from netpath.exercises.answers import Form, Unreadable, read
from netpath.show.palette import FATES, SPACES
from netpath.show.tables import Table, cell
from netpath.show.widgets import kit
from netpath.show.widgets.kit import Shown, bundle, live, looks
from tests.conftest import skip_here

FOLDER = Path(kit.__file__).parent
MODULES = sorted(path.name for path in FOLDER.glob("*.js"))
PART = re.compile(r'from "data:text/javascript,([^"]*)"')


class Number(Shown):
    """A widget that shows a number."""

    _module = "notice.js"

    def frame(self) -> Table:
        return Table(("number",), ((cell(str(self.data["n"])),),))

    def __repr__(self) -> str:
        return f"The number {self.data['n']}"


def parts(text: str) -> Iterator[str]:
    """The modules that a bundle holds."""
    for found in PART.findall(text):
        yield unquote(found)
        yield from parts(unquote(found))


@pytest.mark.parametrize("name", MODULES)
def test_a_bundle_needs_no_other_file(name: str) -> None:
    assert all('from "./' not in text for text in [bundle(name), *parts(bundle(name))])


@pytest.mark.parametrize("name", [name for name in MODULES if name != "kit.js"])
def test_a_bundle_holds_the_modules_it_imports_letter_for_letter(name: str) -> None:
    source = (FOLDER / name).read_text(encoding="utf-8")
    wanted = [bundle(found) for found in re.findall(r'from "\./([\w-]+\.js)"', source)]
    assert [unquote(found) for found in PART.findall(bundle(name))] == wanted


@pytest.mark.parametrize("name", MODULES)
def test_a_bundle_is_on_one_line_where_it_stands_in_another(name: str) -> None:
    assert not any(set(found) & set('\n\t#"\\') for found in PART.findall(bundle(name)))


def test_the_palette_is_the_one_that_figures_use() -> None:
    shown = looks()
    assert {name: look["colour"] for name, look in shown["spaces"].items()} == {k: v.colour for k, v in SPACES.items()}
    assert {name: look["sign"] for name, look in shown["fates"].items()} == {k: v.sign for k, v in FATES.items()}


def test_a_notebook_is_given_the_widget_its_text_and_its_still_frame() -> None:
    data, _ = Number({"n": 3})._repr_mimebundle_() or ({}, {})
    assert data["text/plain"] == "The number 3" and "<span>3</span>" in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data


def number(n: int) -> dict[str, int]:
    """Refuses the negative ones."""
    if n < 0:
        raise InputError("too small", value=n, expected="0 or more")
    return {"n": n}


def test_a_control_redraws_the_widget() -> None:
    slider = ipywidgets.IntSlider(3)
    box = live(Number({"n": 3}), number, n=slider)
    slider.value = 7
    assert box.widget.data == {"n": 7} and repr(box) == "Controls: n\nThe number 7"


def test_what_is_wrong_with_the_input_is_said_and_the_widget_stays() -> None:
    text = ipywidgets.IntText(3)
    box = live(Number({"n": 3}), number, n=text)
    text.value = -1
    assert box.widget.data == {"n": 3} and box.notice.problem == "too small: got -1; expected 0 or more"
    text.value = 4
    assert box.notice.problem == ""


# Shares, addresses, numbers, names, options, and what is none of them.
ANSWERS = ["1/3", "33 %", "33.3%", "0.5", ".5", "2", "", "1/0", "1/00", " 2 / 6 ", "%", "1e3", "१/३"]
ANSWERS += ["10.0.0.1", "10.0.0.256", "10.0.0.1:80", "10.0.0.1:70000", "7", "007", "-1", "٣"]
ANSWERS += ["x", "WWW.Example.COM.", "a b", "this", " THIS ", "x" * 201]


def test_answers_are_read_in_the_page_as_they_are_in_a_notebook() -> None:
    cases = [[form, text] for form in Form for text in ANSWERS]
    script = f"""
        import {{ read }} from {json.dumps((FOLDER / "answers.js").as_uri())};
        const said = ({json.dumps(cases)}).map(([form, text]) => read(form, text, ["this", "that"]).text ?? null);
        console.log(JSON.stringify(said));"""
    done = subprocess.run([node(), "--input-type=module", "-e", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [_read(Form(form), text) for form, text in cases]


def _read(form: Form, text: str) -> str | None:
    try:
        return read(form, text, ("this", "that"))
    except Unreadable:
        return None


def node() -> str:
    """Node.js: the machine's, or the one in the project's environment."""
    found = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return found or skip_here("there is no Node.js: make node_modules")
