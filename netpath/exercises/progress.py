"""What a reader has done, in one small file that never leaves the machine.

The file is `netpath-progress.json` beside the notebooks (in the current folder); in `$XDG_DATA_HOME/netpath/`, where
that is set; or wherever `$NETPATH_PROGRESS` says. In the published page the same text is in the browser's own storage,
so that what one exports the other imports.

Not modelled: times of day, names, more than one reader.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, cast

from netpath.errors import InputError
from netpath.exercises.outcome import Kind

NAME = "netpath-progress.json"
VERSION = 1
Entry = dict[str, Any]


def path() -> Path:
    """Where the file is, or would be."""
    if named := os.environ.get("NETPATH_PROGRESS"):
        return Path(named)
    if folder := os.environ.get("XDG_DATA_HOME"):
        return Path(folder) / "netpath" / NAME
    return Path(NAME)


def read() -> dict[str, Entry]:
    """What is on record, by the exercises' numbers. Raises `InputError` if the file isn't what it should be."""
    file = path()
    return parse(file.read_text(encoding="utf-8"), file) if file.exists() else {}


def parse(text: str, file: object = None) -> dict[str, Entry]:
    """A progress file's entries. Raises `InputError`."""
    expected = f"what netpath exported: a JSON object with version {VERSION} and exercises"
    try:
        found = json.loads(text)
    except ValueError:
        raise InputError("no progress file", file=file, value=text, expected=expected) from None
    if not isinstance(found, dict) or found.get("version") != VERSION or not _sound(found.get("exercises")):
        raise InputError("no progress file", file=file, value=text, expected=expected)
    return cast("dict[str, Entry]", found["exercises"])


def _sound(entries: object) -> bool:
    return isinstance(entries, dict) and all(
        isinstance(entry, dict) and entry.get("state") in list(Kind) and isinstance(entry.get("variant", 0), int)
        for entry in entries.values()
    )


def write(entries: dict[str, Entry]) -> None:
    """Put these on record: the whole file, or, if that fails, nothing."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(exported(entries), encoding="utf-8")
    fresh.replace(file)


def exported(entries: dict[str, Entry]) -> str:
    """The text of a progress file."""
    return json.dumps({"version": VERSION, "exercises": dict(sorted(entries.items()))}, indent=1) + "\n"


def record(number: str, kind: Kind, variant: int = 0) -> None:
    """Put an outcome on record. What was right once stays so."""
    entries = read()
    before = entries.get(number, {})
    tries = before.get("tries", 0) + (kind is not Kind.NOT_ATTEMPTED)
    state = Kind.RIGHT if Kind.RIGHT in (kind, before.get("state")) else kind
    entries[number] = {"state": str(state), "variant": variant, "tries": tries}
    write(entries)


def bring(text: str) -> None:
    """Take over an exported record, in place of the present one. Raises `InputError` and leaves the present one."""
    write(parse(text))


def reset() -> None:
    """Forget everything."""
    path().unlink(missing_ok=True)
