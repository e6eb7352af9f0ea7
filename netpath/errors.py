"""What goes wrong with input, never with a packet.

A dropped packet, an NXDOMAIN or a 503 is an ordinary result with a code (see `netpath.codes`).
An exception means that a person gave netpath something it can't work with::

    NetpathError
    ├── InputError   can't be read: the file, the line or field, the value, what was expected
    └── WorldError   can be read, but contradicts itself, or lacks what the question needs

Not modelled: nothing; this is the whole tree.
"""

from __future__ import annotations

from reprlib import Repr

_UNSAID = object()


class NetpathError(Exception):
    """The root of everything that netpath raises on purpose."""

    def __init__(
        self,
        problem: str,
        *,
        file: object = None,
        line: int | None = None,
        field: str | None = None,
        value: object = _UNSAID,
        expected: str | None = None,
    ) -> None:
        self.problem = problem
        self.file = None if file is None else str(file)
        self.line = line
        self.field = field
        self.value = None if value is _UNSAID else value
        self.expected = expected
        self._has_value = value is not _UNSAID
        super().__init__(problem)

    def located(self, *, file: object = None, line: int | None = None, field: str | None = None) -> NetpathError:
        """The same error, saying where: what is already known stays."""
        self.file = self.file or (None if file is None else str(file))
        self.line = self.line if self.line is not None else line
        if field is not None:
            self.field = field if self.field is None else f"{field}.{self.field}"
        return self

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        if self.field is not None:
            place = f"{place}: {self.field}" if place else self.field
        text = f"{place}: {self.problem}" if place else self.problem
        if self._has_value:
            text += f": got {shortened(self.value)}"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        return text


class InputError(NetpathError):
    """Something that a person gave can't be read.

    >>> print(InputError("not a port", file="lb.json", field="Listeners[0].Port", value=-1, expected="1 to 65535"))
    lb.json: Listeners[0].Port: not a port: got -1; expected 1 to 65535
    """


class WorldError(NetpathError):
    """A world that can be read but contradicts itself, or lacks what a question needs."""


_brief = Repr()  # (its options are keywords only from Python 3.12 on)
_brief.maxstring = _brief.maxother = _brief.maxlong = 80
_brief.maxlevel = 2


def shortened(value: object) -> str:
    """`repr` of a value, cut short: bad input can be a megabyte long, or nested without end."""
    return _brief.repr(value)
