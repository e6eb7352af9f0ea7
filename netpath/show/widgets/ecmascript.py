"""A regular expression of an Ingress, written so that a browser reads it as Python and nginx do.

The languages agree on almost everything that stands in an Ingress. What they don't agree on is written anew: to
ECMAScript a dot leaves out four kinds of line end and not one, a `$` never stands before a last line feed, and
ignoring case reaches beyond ASCII. Therefore bytes from 0x80 on are moved to a range of characters that have no
case and are no space (`LIFT`), in the pattern here and in the subject there.

Not modelled: back references, lookbehind, atomic groups, possessive quantifiers, flags within a pattern, escapes by
number or name; and, where captures are asked for, a capture inside of something repeated, for there the languages
differ about what is kept. Such a pattern is None: the page says that it can't answer rather than answer wrongly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from netpath.ingress.locating import wire

LIFT = 0xE000  # the private use area: byte 0xE9 becomes U+E0E9

_TOKEN = re.compile(
    r"""(?P<escape>\\[^A-Za-z0-9\x80-\xff]|\\[dDwWbBsSntrfv])
    |(?P<set>\[\^?\]?(?:\\[^A-Za-z0-9\x80-\xff]|\\[dDwWsSntrfv]|[^\]\\])*\])
    |(?P<open>\((?:\?(?::|=|!|P?<[A-Za-z_]\w*>)|(?!\?)))
    |(?P<close>\))
    |(?P<some>\?\??(?!\+))
    |(?P<many>(?:[*+]|\{(?:\d+,?\d*|,\d*)\})\??(?!\+))
    |(?P<end>\$)
    |(?P<dot>\.)
    |(?P<plain>[^\\()\[?*+$.])""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_MEMBER = re.compile(r"\\.|[^\\]", re.DOTALL)


def ecmascript(pattern: str, captures: bool = False) -> str | None:
    r"""The source for `new RegExp`, None for a pattern that isn't sure to mean the same there.

    `captures`: what its groups hold matters too. The pattern has to be one that Python reads.

    >>> print(ecmascript("^/cart(/|$)(.*)"))
    ^/cart(/|(?=\n?$))([^\n]*)
    >>> ecmascript(r"(?>a+)b") is None
    True
    """
    written: list[str] = []
    groups: list[bool] = [False]  # for each that is open: does it hold a capture?
    closed = False  # a group that holds one ended just now
    position, text = 0, wire(pattern)
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None or (found.lastgroup == "many" and closed and captures):
            return None
        kind, token, closed = found.lastgroup, found[0], False
        if kind == "open":
            groups.append("?" not in token or "<" in token)
        elif kind == "close":
            closed = groups.pop()
            groups[-1] = groups[-1] or closed
        written.append(_WRITE[kind](token) if kind in _WRITE else token)
        position = found.end()
    return "".join(written)


def _set(token: str) -> str:
    """A set of characters; a `]` that comes first is one of them, which ECMAScript doesn't think."""
    head = "[^" if token.startswith("[^") else "["
    return head + "".join(_members(token[len(head) : -1])) + "]"


def _members(inside: str) -> Iterator[str]:
    for each in _MEMBER.findall(inside):
        yield f"\\{each}" if each in ("]", "[") else _lifted(each)


def _lifted(token: str) -> str:
    return "".join(chr(LIFT + ord(each)) if ord(each) >= 0x80 else each for each in token)


_WRITE: dict[str | None, Callable[[str], str]] = {
    "set": _set,
    "open": lambda token: token.replace("?P<", "?<"),
    "many": lambda token: token.replace("{,", "{0,"),
    "end": lambda token: r"(?=\n?$)",
    "dot": lambda token: r"[^\n]",
    "plain": lambda token: f"\\{token}" if token in "]{}" else _lifted(token),
}
