"""What the page is told of an exercise, and what it isn't: the builder's own record is nobody else's business."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netpath.exercises import progress
from netpath.exercises.everything import road
from netpath.exercises.exercise import Level
from netpath.exercises.outcome import Kind
from netpath.exercises.predict import Predict, Slip, Variant
from netpath.show.widgets.kit import Shown

SLIP = Slip("no", "one and one is two")
SUM = Predict(
    "9.1",
    "A sum",
    1,
    Level.EASY,
    ("Count.",),
    make=lambda draw: Variant(f"Is {draw.random()} a number?", "yes", "it is", (SLIP,), options=("yes", "no")),
    otherwise="no",
)


@pytest.fixture(autouse=True)
def somebody_has_done_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record: right, at the fourth variant, after 77 tries."""
    monkeypatch.setenv("NETPATH_PROGRESS", str(tmp_path / progress.NAME))
    progress.write({"9.1": {"state": "right", "variant": 3, "tries": 77}})


def asked(widget: Shown, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a widget tells a page that asks whether a kernel is there."""
    sent: list[Any] = []
    monkeypatch.setattr(type(widget), "send", lambda _, message, buffers=None: sent.append(message))
    widget._handle_custom_msg({"kind": "hello"}, [])
    return sent


def quiz() -> Any:
    return SUM._widget()


def test_the_record_is_not_in_what_is_published() -> None:
    assert "77" not in json.dumps(road().data) and "tries" not in json.dumps(SUM.data())


def test_a_kernel_tells_what_is_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"state": "right", "variant": 3, "tries": 77}
    assert {"kind": "kept", "kept": entry} in asked(quiz(), monkeypatch)
    assert {"kind": "kept", "kept": {"9.1": entry}} in asked(road(), monkeypatch)


def test_a_kernel_keeps_what_the_page_has_judged() -> None:
    quiz()._handle_custom_msg({"kind": "judged", "state": str(Kind.WRONG), "variant": 5}, [])
    assert progress.read()["9.1"] == {"state": "right", "variant": 5, "tries": 78}


def test_a_reason_that_several_mistakes_have_is_published_once() -> None:
    data = SUM.data()
    assert [each["because"] for each in data["reasons"]] == [SLIP.because]
    assert {slip["reason"] for variant in data["variants"] for slip in variant["slips"]} == {0}
