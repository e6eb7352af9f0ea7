"""A value in a file that knows where it stands, so that an error can say so.

>>> port = Field({"Port": "eighty"}, "listeners.json")["Port"]
>>> port.integer(1, 65535)
Traceback (most recent call last):
netpath.errors.InputError: listeners.json: Port: not a whole number: got 'eighty'; expected 1 to 65535
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, TypeVar

from netpath.errors import InputError, NetpathError
from netpath.packet import Address, Network, address, network

E = TypeVar("E", bound=StrEnum)
T = TypeVar("T")


class Field:
    """A JSON or YAML value with its file and its path in it; the path is spelt out only for an error."""

    __slots__ = ("file", "key", "parent", "value")

    def __init__(self, value: Any, file: str, key: str | int = "", parent: Field | None = None) -> None:
        self.value, self.file, self.key, self.parent = value, file, key, parent

    @property
    def path(self) -> str:
        before = self.parent.path if self.parent else ""
        if isinstance(self.key, int):
            return f"{before}[{self.key}]"
        return f"{before}.{self.key}" if before else self.key

    def wrong(self, problem: str, expected: str) -> InputError:
        return InputError(problem, file=self.file, field=self.path or None, value=self.value, expected=expected)

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """What goes wrong in here, and doesn't say where, happened at this field."""
        try:
            yield
        except NetpathError as error:
            if error.file is None:
                error.located(file=self.file, field=self.path or None)
            raise

    def __getitem__(self, key: str) -> Field:
        """A field that must be there."""
        found = self.get(key)
        if found is None:
            place = f"{self.path}.{key}" if self.path else key
            raise InputError("is missing", file=self.file, field=place, expected="a value")
        return found

    def get(self, key: str) -> Field | None:
        """A field that may be absent; null counts as absent."""
        if type(self.value) is not dict:
            raise self.wrong("not an object", "a mapping of names to values")
        value = self.value.get(key)
        return None if value is None else Field(value, self.file, key, self)

    def each(self, key: str) -> Iterator[Field]:
        """The items of a list; none where the field is absent."""
        field = self.get(key)
        if field is None:
            return
        if type(field.value) is not list:
            raise field.wrong("not a list", "a list")
        for index, item in enumerate(field.value):
            yield Field(item, self.file, index, field)

    def text(self) -> str:
        if type(self.value) is not str:
            raise self.wrong("not a text", "a text")
        return self.value

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, also where a file has it as text (as `StatusCode` in the ELB API)."""
        value = self.value
        if type(value) is str and value.isascii() and value.removeprefix("-").isdigit() and len(value) < 20:
            value = int(value)
        if type(value) is not int:
            raise self.wrong("not a whole number", f"{low} to {high}")
        if not low <= value <= high:
            raise self.wrong("out of range", f"{low} to {high}")
        return value

    def boolean(self) -> bool:
        if type(self.value) is not bool:
            raise self.wrong("not a boolean", "true or false")
        return self.value

    def address(self) -> Address:
        return self._parsed(address)

    def network(self) -> Network:
        return self._parsed(network)

    def member(self, kind: type[E]) -> E:
        """One of the values of an enumeration."""
        if self.value not in [str(member) for member in kind]:
            raise self.wrong("unknown value", "one of " + ", ".join(kind))
        return kind(self.value)

    def _parsed(self, parse: Callable[[str], T]) -> T:
        try:
            return parse(self.text().strip())
        except InputError as error:
            raise self.wrong(error.problem, error.expected or "") from None

    # The same, for fields that may be absent.

    def mapping(self, key: str) -> Field:
        """An object; an empty one where it is absent."""
        return self.get(key) or Field({}, self.file, key, self)

    def text_at(self, key: str, default: str = "") -> str:
        field = self.get(key)
        return default if field is None else field.text()

    def integer_at(self, key: str, low: int, high: int, default: int) -> int:
        field = self.get(key)
        return default if field is None else field.integer(low, high)

    def boolean_at(self, key: str, default: bool) -> bool:
        field = self.get(key)
        return default if field is None else field.boolean()

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(item.text() for item in self.each(key))

    def mapping_at(self, key: str) -> dict[str, str]:
        """A mapping of texts (labels, annotations, a ConfigMap's data); empty where absent."""
        field = self.get(key)
        if field is None:
            return {}
        if type(field.value) is not dict:
            raise field.wrong("not an object", "a mapping of names to texts")
        return {name: Field(value, self.file, name, field).text() for name, value in field.value.items()}
