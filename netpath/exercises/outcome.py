"""What comes of an answer: not attempted, wrong because …, your code raised …, right.

A wrong answer is told which belief leads to it, by name, and where in the book that belief is mended. Everything is
plain text; a notebook gets it as HTML, with `code` between backticks and nothing else set specially.

Not modelled: marks. Nobody is graded here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The four outcomes."""

    NOT_ATTEMPTED = "not attempted"
    WRONG = "wrong"
    RAISED = "your code raised"
    RIGHT = "right"


SIGNS = {Kind.NOT_ATTEMPTED: "○", Kind.WRONG: "✕", Kind.RAISED: "⚠", Kind.RIGHT: "✓"}


@dataclass(frozen=True, slots=True)
class See:
    """A place in the book: its page, without the ending, from the book's folder; and what to call it."""

    page: str
    title: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an answer, and why; `reasoning`, after a success, is the model answer to compare with."""

    kind: Kind
    because: str = ""
    misconception: str = ""
    see: See | None = None
    reasoning: str = ""

    @property
    def right(self) -> bool:
        return self.kind is Kind.RIGHT

    def __repr__(self) -> str:
        return "\n".join(filter(None, (f"{SIGNS[self.kind]} {self._head}", self._believed, self._back, self.reasoning)))

    @property
    def _head(self) -> str:
        link = {Kind.WRONG: " because ", Kind.RAISED: " ", Kind.NOT_ATTEMPTED: ": ", Kind.RIGHT: ": "}[self.kind]
        return f"{self.kind}{link}{self.because}" if self.because else str(self.kind)

    @property
    def _believed(self) -> str:
        return f"Many believe so: {self.misconception}" if self.misconception else ""

    @property
    def _back(self) -> str:
        return f"Read again: {self.see.title}" if self.see else ""

    def _repr_html_(self) -> str:
        return markup(repr(self), "netpath-outcome")


NOT_ATTEMPTED = Outcome(Kind.NOT_ATTEMPTED)


def wrong(because: str, misconception: str = "", see: See | None = None) -> Outcome:
    """An answer that isn't right, and why."""
    return Outcome(Kind.WRONG, because, misconception, see)


def right(reasoning: str = "", because: str = "") -> Outcome:
    """An answer that is right, and the reasoning to compare one's own with."""
    return Outcome(Kind.RIGHT, because, reasoning=reasoning)


def first_wrong(outcomes: Iterable[Outcome]) -> Outcome:
    """The first that isn't right, or that all are."""
    return next((each for each in outcomes if not each.right), right())


@dataclass(frozen=True, slots=True)
class Told:
    """A text for a reader: a question, a hint, a solution. `folded`: a notebook opens it on request."""

    title: str
    text: str
    folded: bool = False

    def __repr__(self) -> str:
        return f"{self.title}\n{self.text}"

    def _repr_html_(self) -> str:
        body = markup(self.text, "netpath-told")
        title = inline(self.title)
        if self.folded:
            return f"<details><summary>{title}</summary>{body}</details>"
        return f"<p><b>{title}</b></p>{body}"


def block(lines: Iterable[str]) -> str:
    """Lines that stand as they are, in a text."""
    return "```\n" + "\n".join(lines) + "\n```\n"


def markup(text: str, css: str) -> str:
    """Paragraphs, lines and code as HTML; whatever else stands in the text stays text.

    >>> markup("a <b>\\n\\n`1 < 2`", "x")
    '<div class="x"><p>a &lt;b&gt;</p><p><code>1 &lt; 2</code></p></div>'
    """
    blocks = re.split(r"\n*```\n?", text)
    parts = (
        f'<pre tabindex="0">{html.escape(block)}</pre>' if at % 2 else _paragraphs(block)
        for at, block in enumerate(blocks)
    )
    return f'<div class="{css}">{"".join(parts)}</div>'


def _paragraphs(text: str) -> str:
    lines = (inline(part).replace("\n", "<br>") for part in re.split(r"\n{2,}", text.strip("\n")) if part)
    return "".join(f"<p>{line}</p>" for line in lines)


def inline(text: str) -> str:
    """A line's text as HTML, what is between backticks as code."""
    parts = text.split("`")
    coded = (f"<code>{html.escape(part)}</code>" if at % 2 else html.escape(part) for at, part in enumerate(parts))
    return "".join(coded) if len(parts) % 2 else html.escape(text)
