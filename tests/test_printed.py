"""What cells print, as the book's pages show it."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode

EXTENSION = Path(__file__).resolve().parents[1] / "book" / "_ext" / "printed.py"


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What myst-nb joins a cell's outputs with, once the extension is there."""
    render = pytest.importorskip("myst_nb.core.render")
    monkeypatch.setattr(render, "coalesce_streams", render.coalesce_streams)
    spec = importlib.util.spec_from_file_location("printed", EXTENSION)
    assert spec is not None and spec.loader is not None
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    extension.setup(None)
    return render.coalesce_streams


def output(**parts: Any) -> Any:
    return NotebookNode(parts)  # type: ignore[no-untyped-call, unused-ignore]


def pieces(*texts: str) -> list[Any]:
    return [output(output_type="stream", name="stdout", text=text) for text in texts]


def test_a_line_that_came_in_two_pieces_is_one_line(joined: Any) -> None:
    assert [each.text for each in joined(pieces("timeout", " 131 s\n"))] == ["timeout 131 s\n"]


def test_what_was_shown_between_two_lines_stays_between_them(joined: Any) -> None:
    shown = output(output_type="display_data", data={"text/plain": "a figure"})
    outputs = [*pieces("before\n"), shown, *pieces("after\n")]
    assert [each.output_type for each in joined(outputs)] == ["stream", "display_data", "stream"]
