"""Text from a user's world, made fit for a terminal: nothing in it moves the cursor or hides.

Each character takes one column: a control character, an invisible one, or one that is wider or narrower than a
column, is written as the escape that Python has for it.

>>> printable("shop\\x1b[2J"), printable("café")
('shop\\\\x1b[2J', 'café')
"""

from __future__ import annotations

from unicodedata import combining, east_asian_width


def printable(text: str) -> str:
    """The text, line ends included as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if _has_one_column(c) else c.encode("unicode_escape").decode() for c in text)


def _has_one_column(character: str) -> bool:
    return character.isprintable() and not combining(character) and east_asian_width(character) not in "WF"
