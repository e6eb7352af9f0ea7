"""The exercises in the page: a question that asks, judges, hints and keeps a record without a kernel; and the record.

Both are told everything by `netpath.exercises`, which stands above; here is only how they are shown. What the reader
has done isn't part of their data, which is published: a running kernel tells it, when it is asked whether it is there.

Not modelled: what is right. The data says it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netpath.show.widgets.kit import Data, Framed, Shown

Kept = Callable[[], Data | None]


def _remind(widget: Shown, content: Any, kept: Kept) -> None:
    """Tell the JavaScript side, which asked whether a kernel is here, what is on record."""
    if content == {"kind": "hello"}:
        widget.send({"kind": "kept", "kept": kept()})


class Two:
    """Two things, one below the other."""

    def __init__(self, *parts: Framed) -> None:
        self.parts = parts

    def _repr_html_(self) -> str:
        return "".join(part._repr_html_() for part in self.parts)


class Quiz(Shown):
    """A question with its variants. Where a kernel is: `kept` gives what is on record of it, and `heard` is called with
    what came of an answer, and the variant."""

    _module = "exercise.js"

    def __init__(
        self, data: Data, question: Framed, solution: Framed, kept: Kept, heard: Callable[[str, int], None]
    ) -> None:
        super().__init__(data)
        self._question, self._solution, self._kept, self._heard = question, solution, kept, heard
        self.on_msg(self._hear)

    def frame(self) -> Framed:
        """The question, and its solution, folded."""
        return Two(self._question, self._solution)

    def __repr__(self) -> str:
        return repr(self._question)

    def _hear(self, _: Any, content: Any, buffers: Any) -> None:
        _remind(self, content, self._kept)
        if isinstance(content, dict) and content.get("kind") == "judged":
            self._heard(str(content["state"]), int(content["variant"]))


class Road(Shown):
    """What the reader has done, along the road; with export, import and reset."""

    _module = "progress.js"

    def __init__(self, data: Data, table: Framed, kept: Kept, heard: Callable[[str], str]) -> None:
        super().__init__(data)
        self._table, self._kept, self._heard = table, kept, heard
        self.on_msg(self._hear)

    def frame(self) -> Framed:
        """A table of the chapters and their exercises."""
        return self._table

    def __repr__(self) -> str:
        return repr(self._table)

    def _hear(self, _: Any, content: Any, buffers: Any) -> None:
        _remind(self, content, self._kept)
        if isinstance(content, dict) and content.get("kind") == "replace":
            self.send({"kind": "replaced", "problem": self._heard(str(content["text"]))})
