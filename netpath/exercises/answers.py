"""How a typed answer is read: by its form, tolerant of how people write, and clear about what it can't read.

The published page reads answers in the same way, in `show/widgets/answers.js`; a test holds the two together.

Not modelled: arithmetic; `2/6` is one third, `1-2/3` isn't read.
"""

from __future__ import annotations

import re
from enum import StrEnum
from fractions import Fraction

LONGEST = 200
CLOSE = 0.005  # two shares are the same if they differ by less


class Unreadable(Exception):  # noqa: N818 - it is a result, told to the reader
    """An answer that isn't of the form that was asked for."""


class Form(StrEnum):
    """What kind of answer is asked for."""

    CHOICE = "choice"
    ADDRESS = "address"
    NUMBER = "number"
    SHARE = "share"
    NAME = "name"

    @property
    def example(self) -> str:
        return _EXAMPLES[self]


_EXAMPLES = {
    Form.CHOICE: "the text of an option",
    Form.ADDRESS: "10.0.0.1",
    Form.NUMBER: "3",
    Form.SHARE: "1/3",
    Form.NAME: "www.example.com",
}
_SHAPES = {
    Form.ADDRESS: r"(\d{1,3}\.){3}\d{1,3}(:\d{1,5})?",
    Form.NUMBER: r"\d{1,9}",
    Form.SHARE: r"\d{1,6} ?/ ?\d{1,6}|\d{1,3}(\.\d{1,9})? ?%|[01]?(\.\d{1,9})?",
    Form.NAME: r"[a-z0-9_.*/:-]+",
}


def read(form: Form, answer: object, options: tuple[str, ...] = ()) -> str:
    """An answer as it is compared. Raises `Unreadable`, saying what was expected.

    >>> read(Form.NAME, " WWW.Example.com. ")
    'www.example.com'
    """
    if not isinstance(answer, str):
        raise Unreadable(f"an answer is a text, such as {form.example!r}, and this is a {type(answer).__name__}")
    if len(answer) > LONGEST:
        raise Unreadable(f"an answer has at most {LONGEST} characters, and this has {len(answer):,}")
    text = " ".join(answer.split())
    if form is Form.CHOICE:
        return _chosen(text, options)
    text = text.lower().rstrip(".") if form is Form.NAME else text.lower()
    if not text or not re.fullmatch(_SHAPES[form], text, re.ASCII) or not _sound(form, text):
        raise Unreadable(f"{answer[:60]!r} can't be read as an answer of this form; one would be {form.example!r}")
    return text


def _chosen(text: str, options: tuple[str, ...]) -> str:
    for option in options:
        if text.casefold() == " ".join(option.split()).casefold():
            return option
    raise Unreadable(f"{text[:60]!r} is none of the options")


def _sound(form: Form, text: str) -> bool:
    if form is Form.ADDRESS:
        address, _, port = text.partition(":")
        return all(int(part) < 256 for part in address.split(".")) and (not port or int(port) < 65536)
    return form is not Form.SHARE or not re.search(r"/ ?0+$", text)


def same(form: Form, one: str, other: str) -> bool:
    """Whether two answers that were read are the same answer.

    >>> same(Form.SHARE, "33.3 %", "1/3"), same(Form.SHARE, "0.5", "1/3")
    (True, False)
    """
    if form is Form.SHARE:
        return abs(share(one) - share(other)) < CLOSE
    if form is Form.NUMBER:
        return int(one) == int(other)
    return one.strip().lower().rstrip(".") == other.strip().lower().rstrip(".")


def share(text: str) -> float:
    """A share between 0 and 1, written as a fraction, a decimal or a percentage."""
    if text.endswith("%"):
        return float(text[:-1]) / 100
    return float(Fraction(text.replace(" ", ""))) if "/" in text else float(text)
