"""Long lists in YAML, quickly, as long as they are laid out as kubectl prints them.

PyYAML takes a minute and gigabytes for a cluster of ten thousand Services. What kubectl prints is a small part of
YAML: one key or one dash a line, scalars without folding. So a `List` is cut at its items, each item is read line
by line, and whatever isn't as plain as that (block scalars, anchors, comments …) is left to PyYAML: that
item, or, if the pieces make no sense to it either, the whole text. What is read here is exactly what PyYAML reads.

Not modelled: anything that isn't a `List`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Load = Callable[[str], Any]
Resolvers = Mapping[str, Sequence[tuple[str, re.Pattern[str]]]]

_HEAD = re.compile(r"(?:---\n)?((?:[A-Za-z]+: [A-Za-z0-9./]+\n)*)items:\n- ")
_TAIL = re.compile(r"\n(?![- \n])")
_LINE = re.compile(r"( *)(- )?(?:([A-Za-z][-\w./]{0,300}):(?: |$))?(.*)", re.ASCII)
# Plain, 'single-quoted' or "double-quoted", of printable ASCII characters, without any escape.
_TEXT = re.compile(r"""[A-Za-z0-9_./](?:[-A-Za-z0-9_./:+=@~(),;]| (?! ))*|'[ -&(-~]*'|"[ !#-\[\]-~]*\"""")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_EMPTY: Mapping[str, type] = {"{}": dict, "[]": list}
_WORDS = {"true": True, "false": False, "null": None}
_MOST = 1 << 14
_DEEPEST = 80  # columns of indentation, of which each level takes at least one

_Parsed = tuple[int, bool, str, Any, bool]  # indentation, a dash, the key, the value (or the type of an empty one), any


class UncommonError(Exception):
    """This isn't laid out as kubectl does it."""


class PlainReader:
    """Reads lists; `load` is PyYAML's way to read a text, `resolvers` how it tells texts from numbers and the like."""

    def __init__(self, load: Load, resolvers: Resolvers) -> None:
        self._load, self._resolvers = load, resolvers
        self._lines: dict[str, _Parsed] = {}  # many lines of a long list are the same

    def document(self, text: str) -> Any:
        """What the text says, if it is a `List`. Raises `UncommonError`, and what `load` raises."""
        head = _HEAD.match(text)
        if head is None or "\n---" in text or "\n..." in text:
            raise UncommonError
        tail = _TAIL.search(text, head.end())
        end = len(text) if tail is None else tail.start()
        document = self._load(f"{head[1]}items: []\n{text[end + 1 :]}")
        if not isinstance(document, dict) or document.get("items") != []:
            raise UncommonError
        document["items"] = [self._item(item) for item in text[head.end() : end].rstrip("\n").split("\n- ")]
        return document

    def _item(self, text: str) -> Any:
        try:
            return self._block(f"  {text}".split("\n"))
        except UncommonError:
            items = self._load(f"- {text}\n")
            if not isinstance(items, list) or len(items) != 1:
                raise
            return items[0]

    def _block(self, lines: Iterable[str]) -> dict[str, Any]:
        """The mapping that the lines are, each key at a column of its own, a sequence's dashes under their key."""
        whole: dict[str, Any] = {}
        open_: list[tuple[int, Any]] = [(2, whole)]  # what isn't closed yet, with its column
        awaiting: tuple[int, dict[str, Any], str] | None = None  # a key whose value begins on the next line
        for line in lines:
            indent, dash, key, value, is_empty = self._lines.get(line) or self._parsed(line)
            if awaiting is not None:
                column, holder, name = awaiting
                awaiting = None
                if indent > column or (dash and indent == column):
                    begun: Any = [] if dash else {}
                    holder[name] = begun
                    open_.append((indent, begun))
            column, here = open_[-1]
            while column > indent or (column == indent and dash is not (type(here) is list)):
                open_.pop()
                if not open_:
                    raise UncommonError
                column, here = open_[-1]
            if column != indent:
                raise UncommonError
            if is_empty:
                value = value()
            if dash:
                if not key:
                    here.append(value)
                    continue
                item: dict[str, Any] = {}
                here.append(item)
                here = item
                indent += 2
                open_.append((indent, item))
            if not key or key in here:
                raise UncommonError
            here[key] = None if value is _NEXT_LINE else value
            if value is _NEXT_LINE:
                awaiting = indent, here, key
        return whole

    def _parsed(self, line: str) -> _Parsed:
        found = _LINE.fullmatch(line)
        if found is None or len(found[1]) > _DEEPEST:
            raise UncommonError
        spaces, dash, key, rest = found.groups()
        if key is not None and self._kind(key):
            raise UncommonError  # `on:`, `null:` and the like aren't texts
        value = _NEXT_LINE if key and not rest else self._scalar(rest)
        parsed = len(spaces), dash is not None, key or "", value, value in (dict, list)
        if len(self._lines) >= _MOST:
            self._lines.clear()
        self._lines[line] = parsed
        return parsed

    def _scalar(self, text: str) -> Any:
        empty = _EMPTY.get(text)
        if empty is not None:
            return empty
        if not _TEXT.fullmatch(text) and not _INTEGER.fullmatch(text):
            raise UncommonError
        if text[0] in "'\"":
            return text[1:-1]
        if ": " in text or text[-1] in ": ":
            raise UncommonError
        if not self._kind(text):
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        raise UncommonError

    def _kind(self, text: str) -> str:
        """As what PyYAML reads a plain scalar if not as a text: the tag."""
        return next((tag for tag, pattern in self._resolvers.get(text[0], ()) if pattern.match(text)), "")


_NEXT_LINE = object()
