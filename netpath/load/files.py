"""From a folder to documents: what is a master file, what is JSON or YAML, and nothing else.

A file is recognised by its content. Files whose name begins with a dot, or ends with `.md`, are
a person's notes and are passed over; any other file that isn't understood is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml

from netpath.errors import InputError
from netpath.load import plain
from netpath.load.fields import Field

MOST_BYTES = 128 * 2**20  # of a world: as objects that is some GB. 10,000 Services have about 50 MB of EndpointSlices
MOST_FILES = 10_000
MOST_DEEP = 200  # levels of one document

_MANIFEST = re.compile(r"^(apiVersion|kind):", re.MULTILINE)  # a ConfigMap may quote a master file
_MASTER_FILE = re.compile(r"^\s*\$(ORIGIN|TTL)\b|^[^#:{}\n]*\sSOA\s", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MasterFile:
    """The text of an RFC 1035 master file."""

    file: str
    text: str


def documents(folder: Path) -> Iterator[MasterFile | Field]:
    """Every document of a world's folder, file by file in the order of their names. Raises `InputError`."""
    expected = "a world: a folder with zones, AWS and kubectl files"
    try:
        if not folder.is_dir():
            raise InputError("no such folder", value=str(folder), expected=expected)
        names = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_note(path.relative_to(folder)))
    except OSError as error:  # too long a name, no permission
        raise InputError(f"can't be read ({error.strerror})", value=str(folder), expected=expected) from None
    if not names:
        raise InputError("an empty world", value=str(folder), expected="zone files, AWS JSON, Kubernetes YAML or JSON")
    if len(names) > MOST_FILES:
        raise InputError("too many files for a world", value=len(names), expected=f"{MOST_FILES} at the most")
    _refuse_large(sum(path.stat().st_size for path in names), str(folder))
    for path in names:
        yield from read(path, str(path.relative_to(folder)))


def _refuse_large(size: int, name: str) -> None:
    if size > MOST_BYTES:
        raise InputError("too large", file=name, value=size, expected=f"{MOST_BYTES} bytes at the most")


def _is_note(path: Path) -> bool:
    return path.suffix == ".md" or any(part.startswith(".") for part in path.parts)


def read(path: Path, name: str) -> Iterator[MasterFile | Field]:
    """The documents of one file; `name` is how errors call it."""
    _refuse_large(path.stat().st_size, name)
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"not UTF-8 text (byte {error.start})", file=name, expected="a text file") from None
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", file=name, expected="a readable file") from None
    if text.lstrip()[:1] in ("{", "["):
        yield _checked(_json(text, name), name)
    elif _MASTER_FILE.search(text) and not _MANIFEST.search(text):
        yield MasterFile(name, text)
    else:
        for document in yaml_documents(text, name):
            if document is not None:
                yield _checked(document, name)


def _checked(document: Any, name: str) -> Field:
    if not isinstance(document, dict):
        raise InputError("not an object", file=name, value=document, expected="what `aws` or `kubectl` prints")
    return Field(document, name)


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON ({error.msg})", file=name, line=error.lineno, expected="valid JSON") from None
    except ValueError as error:  # a number of more digits than Python reads
        raise InputError(f"not JSON ({error})", file=name, expected="valid JSON") from None
    except RecursionError:
        raise InputError("too deeply nested", file=name, expected="what `aws` or `kubectl` prints") from None
    except InputError as error:
        raise error.located(file=name) from None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError("the same name twice in one object", value=twice, expected="each name once")
    return made


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _WorldLoader(_Loader):  # type: ignore[misc]
    """YAML as kubectl reads it: safe, timestamps left as text, no name twice, and no merge keys.

    An alias only shares an object, but a chain of merge keys copies: ten lines can fill the memory.
    """

    def flatten_mapping(self, node: Any) -> None:
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.MarkedYAMLError(problem="merge keys are not read", problem_mark=key.start_mark)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.MarkedYAMLError(problem="the same name twice", problem_mark=node.start_mark)
        return mapping


_WorldLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}


_BRACKETS = {"[": 1, "{": 1, "]": -1, "}": -1}
_INDICATORS = re.compile(rf"^[ ?:-]{{{MOST_DEEP}}}", re.MULTILINE)


def _may_be_deep(text: str) -> bool:
    """A quick look that never misses: libyaml's composer recurses, and too deep a document would end the process.

    Each block level begins at a column of its own or shares it with one other, behind nothing but indicators.
    """
    depths = accumulate(map(_BRACKETS.__getitem__, re.findall(r"[\[\]{}]", text)))
    return max(depths, default=0) >= MOST_DEEP or _INDICATORS.search(text) is not None


def _refuse_deep(text: str, name: str) -> None:
    """The exact depth, event by event; libyaml's parser doesn't recurse."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEEP:
            assert event.start_mark is not None, "libyaml always says where"
            line = event.start_mark.line + 1
            raise InputError("too deeply nested", file=name, line=line, expected="what `kubectl` prints")


def _load_shallow(text: str) -> Any:
    if _may_be_deep(text):
        raise plain.UncommonError
    return yaml.load(text, Loader=_WorldLoader)


_plain = plain.PlainReader(_load_shallow, _WorldLoader.yaml_implicit_resolvers)


def yaml_documents(text: str, name: str) -> list[Any]:
    """The documents of a YAML text; `name` is how errors call it. Raises `InputError`."""
    try:
        return [_plain.document(text)]
    except (plain.UncommonError, yaml.YAMLError, ValueError, TypeError):
        pass  # it isn't a plain list, and what is wrong with it is said below
    try:
        if _may_be_deep(text):
            _refuse_deep(text, name)
        return list(yaml.load_all(text, Loader=_WorldLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise InputError(f"not YAML ({error.problem})", file=name, line=line, expected="valid YAML") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        problem = " ".join(str(error).split())
        raise InputError(f"not YAML ({problem})", file=name, expected="valid YAML") from None
    except RecursionError:
        raise InputError("too deeply nested", file=name, expected="what `kubectl` prints") from None
