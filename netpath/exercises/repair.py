"""Exercises that ask to mend a broken world, as one meets it: a symptom, files, and the tools that a person has.

`open` writes the world's files into a folder of the reader's, where they look, mend and look again. `check` loads
what they have made of it and sends requests, those of the symptom and others; all must end as they should, so that
nothing that worked is broken by the cure.

Not modelled: hidden machines. Everything that is wrong stands in the files.
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.message
import dns.rdatatype

from netpath.asking import finder
from netpath.errors import InputError, NetpathError
from netpath.exercises.exercise import Exercise
from netpath.exercises.limit import limited
from netpath.exercises.outcome import Kind, Outcome, Told, right, wrong
from netpath.iptables import render
from netpath.journey import Journey, travel
from netpath.load import SHOP, load_world
from netpath.memory import Memory
from netpath.packet import http_request
from netpath.resolution import AuthoritativeServer
from netpath.show import text
from netpath.world import World

MOST = 4 << 20  # bytes of one file that a tool shows


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to one of the book's own files: an old text, which is there once, and the new one.

    Without an old text it is a new file.
    """

    file: str
    old: str
    new: str

    def apply(self, folder: Path) -> None:
        """Make the change. Raises `InputError` if the old text isn't there exactly once."""
        path = folder / self.file
        content = path.read_text(encoding="utf-8") if self.old or path.exists() else ""
        if content.count(self.old) != 1:
            raise InputError("not there exactly once", file=path, value=self.old, expected="the text to be replaced")
        path.write_text(content.replace(self.old, self.new), encoding="utf-8")


Test = Callable[[World], Outcome]


@dataclass(eq=False, repr=False)
class Repair(Exercise):
    """A broken world. `symptom`: what somebody reports. `breaks`: how the book's world is broken.

    `cures`: edits that mend it, made to the broken files; they are the solution that tests run. `tests`: what must hold
    of the mended world, each a function of it. `slips`: cures that don't cure, each with a piece of its message.
    """

    symptom: str
    breaks: tuple[Edit, ...]
    cures: tuple[Edit, ...]
    reasoning: str
    tests: tuple[Test, ...]
    slips: tuple[tuple[tuple[Edit, ...], str], ...] = ()

    # The reader's side --------------------------------------------------------------------------
    @property
    def folder(self) -> Path:
        """Where the reader's copy is: beside the notebook."""
        return Path(f"repair-{self.number}")

    def open(self, *, anew: bool = False) -> Told:
        """Write the broken world's files, unless they are there; `anew`: also then, and what was mended is lost."""
        if anew and self.folder.exists():
            shutil.rmtree(self.folder)
        if not self.folder.exists():
            self.write(self.folder)
        names = sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())
        return Told(f"Files in {self.folder}", "\n".join(names))

    def write(self, folder: Path) -> None:
        """Write the broken world into a new folder: all of it, or nothing."""
        fresh = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(SHOP, fresh)
        for edit in self.breaks:
            edit.apply(fresh)
        fresh.rename(folder)

    @property
    def world(self) -> World:
        """The reader's world as it is now. Raises `InputError` and `WorldError`."""
        self.open()
        return self.load(self.folder)

    def load(self, folder: Path) -> World:
        """A folder's world; an exercise may let somebody else look at it first, as Kubernetes' own controllers do."""
        return load_world(folder)

    def question(self) -> Told:
        """The symptom, and how to begin."""
        first = f"`{self.name}.open()` writes the files."
        tools = "`.curl(url)`, `.trace(url)`, `.dig(name)`, `.show(file)`, `.iptables_save(node)`"
        return Told(self.head, f"{self.symptom}\n\n{first} To look: {tools}. To finish: `.check()`.")

    def solution(self) -> Told:
        return Told(f"Solution of {self.number}", f"{self.diff()}\n\n{self.reasoning}", folded=True)

    def diff(self) -> str:
        """The cure, as a difference of files."""
        return "\n\n".join(f"```\n{_difference(edit)}\n```" for edit in self.cures)

    # Tools --------------------------------------------------------------------------------------
    def _opened(self, url: str, caller: str) -> Journey:
        world = self.world
        return travel(world, Memory(), http_request(url), user=finder(world)(caller))

    def curl(self, url: str, caller: str = "user") -> Told:
        """What a user sees who opens a URL; `caller`: or somebody else, such as `shop/shell`, a pod, or an address."""
        return _said(f"curl -i {url}", _seen(self._opened(url, caller)))

    def trace(self, url: str, caller: str = "user", *, steps: bool = False) -> Told:
        """The whole journey, hop by hop; `steps`: with every rule that was asked. `caller`: as for `curl`."""
        page = text.Page()
        text.journey(page, self._opened(url, caller), 0.0, steps)
        return _said(f"netpath trace {url}", page)

    def dig(self, name: str, kind: str = "A", at: str = "") -> Told:
        """What the user's resolver answers, and whom it asked; `at`: or what the name server at this address says."""
        query = dns.message.make_query(name, kind, id=1, use_edns=0)
        if at:
            return _said(f"dig @{at} {name} {kind}", self._name_server(at).respond(query))
        page = text.Page()
        text.resolution(page, self.world.names.resolve(query, Memory()), f"{name} {kind}", 0.0)
        return _said(f"dig {name} {kind}", page)

    def _name_server(self, at: str) -> AuthoritativeServer:
        servers = self.world.names.servers
        if at not in servers:
            known = ", ".join(f"{address} ({server.name})" for address, server in servers.items())
            raise InputError("no name server", value=at, expected=f"one of {known}")
        return servers[at]

    def iptables_save(self, node: str) -> Told:
        """The rules that kube-proxy writes on a node: its name, or the beginning of it."""
        nodes = self.world.nodes
        found = [name for name in nodes if name.startswith(node)]
        if len(found) != 1:
            raise InputError("not one node", value=node, expected=f"one of {', '.join(nodes)}")
        return _said(f"iptables-save, on {found[0]}", render(nodes[found[0]].services))

    def show(self, file: str) -> Told:
        """A file of the reader's copy, as `aws … describe-…` or `kubectl get -o yaml` printed it."""
        self.open()
        path = (self.folder / file).resolve()
        if not path.is_relative_to(self.folder.resolve()) or not path.is_file() or path.stat().st_size > MOST:
            raise InputError("no such file", value=file, expected=f"one of those that open() lists, in {self.folder}")
        return Told(file, f"```\n{path.read_text(encoding='utf-8')}\n```")

    # Judging ------------------------------------------------------------------------------------
    def _judge(self, answer: Any) -> Outcome:
        folder = self.folder if answer is ... else Path(answer) if isinstance(answer, (str, Path)) else None
        if folder is None:
            return wrong(f"a folder is asked for, or nothing, and this is a {type(answer).__name__}")
        if not _is_folder(folder) or self._untouched(folder):
            return Outcome(Kind.NOT_ATTEMPTED, f"mend the files in {str(self.folder)!r} first; open() writes them")
        outcome = limited(lambda: self.judged(folder), 20)
        return right(self.solution().text, outcome.because) if outcome.right else outcome

    def judged(self, folder: Path) -> Outcome:
        """What comes of a folder: the first test that fails, or that it is right."""
        try:
            world = self.load(folder)
            failed = next((outcome for test in self.tests if not (outcome := test(world)).right), None)
        except NetpathError as error:
            return wrong(f"the files can't be read as a world: {error}")
        return failed or right(because="every request ends as it should")

    def _untouched(self, folder: Path) -> bool:
        """Whether the files are as `open` wrote them."""
        broken = {name: _broken(name, self.breaks) for name in {edit.file for edit in self.breaks}}
        names = {*map(str, _names(folder)), *broken}
        return all(_content(folder / name) == broken.get(name, _content(SHOP / name)) for name in names)


def _said(command: str, output: object) -> Told:
    """What a tool says, as a terminal would have it."""
    return Told(f"$ {command}", f"```\n{output}\n```")


def _is_folder(path: Path) -> bool:
    """Whether there is such a folder; a name that no system takes is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _names(folder: Path) -> Iterator[Path]:
    """The names of the files in a folder, and of those of the book's world."""
    for base in (folder, SHOP):
        yield from (path.relative_to(base) for path in base.rglob("*") if path.is_file())


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _broken(name: str, breaks: tuple[Edit, ...]) -> str:
    content = _content(SHOP / name)
    for edit in breaks:
        if edit.file == name:
            content = content.replace(edit.old, edit.new)
    return content


def _difference(edit: Edit) -> str:
    lines = difflib.unified_diff(edit.old.splitlines(), edit.new.splitlines(), edit.file, edit.file, n=1, lineterm="")
    return "\n".join(lines)


# What must hold --------------------------------------------------------------------------------


def answers(url: str, status: int = 200, **asked: Any) -> Test:
    """A test: a request for this URL ends with this status, whatever chance decides the first time."""

    def test(world: World) -> Outcome:
        journey = travel(world, Memory(), http_request(url), **asked)
        seen = journey.outcome.response
        if seen is not None and seen.status == status:
            return right()
        return wrong(f"{url} should end with {status}, and it ends with {_seen(journey)}{_hop(journey)}")

    return test


def _seen(journey: Journey) -> str:
    seen = f"{journey.outcome}"
    if not journey.waited:
        return seen
    return f"{seen.removesuffix('.')}{',' * seen.endswith('.')} after {journey.waited:g} s"


def _hop(journey: Journey) -> str:
    """The hop that caused it."""
    cause = journey.cause
    return "" if cause is None else f"; stopped at {cause.station} {cause.at} ({cause.verdict.code})"
