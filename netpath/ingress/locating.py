"""What nginx itself does with a request before any proxying: which server, which location.

Written after nginx's sources (1.22 to 1.27 agree here) and compared with a real one, for this is
where intuition fails. In order:

1. the `Host` header is checked and normalised (`normal_host`): lower case, no port, no trailing dot;
2. the path is decoded and cleaned (`normal_uri`): `%2F` is a slash like any other, `//` is `/`,
   dot segments are resolved; what would climb above the root is a 400;
3. the name picks a server: exact name, longest `*.suffix`, longest `prefix.*`, first regular
   expression, default server;
4. the path picks a location: `= exact`, else the longest prefix, unless a regular expression matches;
   a prefix that ends in `/` and proxies answers 301 to the same path without its slash.

Text is bytes to nginx: everything here is a `str` of latin-1 characters, one a byte.

Not modelled: `merge_slashes off`, nested and named locations, `if` blocks other than those that the
ingress controller writes, HTTP/2's pseudo headers, absolute-form request lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Generic, TypeVar

from netpath.errors import InputError

T = TypeVar("T")

HEADER_BUFFER = 8 * 1024  # large_client_header_buffers 4 8k: a longer request line is a 414
_UNSAFE = re.compile(r"[\x00-\x20\"#%<>?\\^`{|}\x7f-\xff]")  # ngx_escape_uri, NGX_ESCAPE_URI
_HEX = {digit: int(digit, 16) for digit in "0123456789abcdefABCDEF"}
_MESSY = re.compile(r"%|#|//|/\.")


def wire(text: str) -> str:
    """The bytes that a text is on the wire (UTF-8), one latin-1 character each."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")


def unwire(text: str) -> str:
    """The text that such bytes are, for people and for the values of `netpath.packet`."""
    return text if text.isascii() else text.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def escape_uri(uri: str) -> str:
    """A decoded path made fit for a request line again (ngx_escape_uri, NGX_ESCAPE_URI).

    >>> escape_uri("/a b%c")
    '/a%20b%25c'
    """
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", uri)


def normal_host(host: str) -> str | None:
    """The `Host` header as servers are looked up by, None where nginx answers 400 (ngx_http_validate_host).

    >>> normal_host("Shop.Example.COM.:8080"), normal_host("a..b")
    ('shop.example.com', None)
    """
    if host.isascii() and host.replace(".", "").replace("-", "").isalnum() and ".." not in host:
        plain = host.removesuffix(".").lower()
        return plain or None
    return _validated_host(host)


def _validated_host(host: str) -> str | None:
    end, dot, state = len(host), len(host), "usual"
    for position, character in enumerate(host):
        if character == ".":
            if dot == position - 1:
                return None
            dot = position
        elif character == ":" and state == "usual":
            end, state = position, "rest"
        elif character == "[" and position == 0:
            state = "literal"
        elif character == "]" and state == "literal":
            end, state = position + 1, "rest"
        elif character == "/" or character <= " " or character == "\x7f":
            return None
    if dot == end - 1:
        end -= 1
    return host[:end].translate(_LOWER) or None


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def normal_uri(target: str) -> tuple[str, str | None] | None:
    """The decoded, cleaned path and the query (None without `?`) of a raw target; None where nginx answers 400.

    ngx_http_parse_complex_uri, as a table-free reading of its states.

    >>> normal_uri("/shop%2Fcart//./x/../?q=%2F#top")
    ('/shop/cart/', 'q=%2F')
    >>> normal_uri("/../etc") is None
    True
    """
    path, mark, rest = target.partition("?")
    if "#" in path:  # the fragment begins before the question mark
        path, rest, mark = path.partition("#")[0], "", ""
    query = rest.partition("#")[0] if mark else None
    if not _MESSY.search(path):
        return path, query
    cleaned = _clean(path)
    return None if cleaned is None else (cleaned, query)


def _clean(path: str) -> str | None:
    decoded = _decode(path) if "%" in path else path
    if decoded is None or decoded[:1] != "/":
        return None
    kept: list[str] = []
    *elements, last = decoded[1:].split("/")
    for element in elements:
        if element == "..":
            if not kept:
                return None
            kept.pop()
        elif element not in ("", "."):
            kept.append(element)
    if last == "..":
        if not kept:
            return None
        kept.pop()
    tail = "" if last in (".", "..") else last
    return "/" + "/".join([*kept, tail])


def _decode(path: str) -> str | None:
    """Percent-decoding; None for a `%` without two hexadecimal digits, and for `%00`."""
    first, *parts = path.split("%")
    decoded = [first]
    for part in parts:
        high, low = _HEX.get(part[:1]), _HEX.get(part[1:2])
        if high is None or low is None or high == low == 0:
            return None
        decoded.append(chr(high * 16 + low) + part[2:])
    return "".join(decoded)


_PYTHON_NAMES = re.compile(r"\(\?<(?=[A-Za-z_])")


@lru_cache(maxsize=1 << 14)
def compiled(pattern: str, ignore_case: bool = False) -> re.Pattern[str]:
    """A PCRE pattern as Python reads it. Raises `InputError` where it can't be read."""
    flags = re.ASCII | (re.IGNORECASE if ignore_case else re.NOFLAG)
    try:
        return re.compile(_PYTHON_NAMES.sub("(?P<", wire(pattern)), flags)
    except (re.error, OverflowError, RecursionError) as problem:
        raise InputError(f"not a regular expression ({problem})", value=pattern) from None


@dataclass(frozen=True)
class Location(Generic[T]):
    """A `location MODIFIER PATH` block: modifier `=`, `^~`, `~`, `~*` or empty; `config` is what it does.

    `passes`: it has a `proxy_pass`, so that a prefix ending in `/` redirects what lacks the slash.
    """

    modifier: str
    path: str
    config: T
    passes: bool = True

    def __post_init__(self) -> None:
        if self.modifier not in ("", "=", "^~", "~", "~*"):
            raise InputError("not a location modifier", value=self.modifier, expected="=, ^~, ~, ~* or none")

    @cached_property
    def text(self) -> str:
        """The head of the block, as the controller's template writes it."""
        path = f'"{self.path}"' if self.is_regex else self.path
        return f"location {self.modifier} {path}" if self.modifier else f"location {path}"

    @property
    def is_regex(self) -> bool:
        return self.modifier.startswith("~")

    @cached_property
    def name(self) -> str:
        return wire(self.path)

    @cached_property
    def regex(self) -> re.Pattern[str]:
        return compiled(self.path, self.modifier == "~*")

    @property
    def redirects(self) -> bool:
        return self.passes and not self.is_regex and self.path.endswith("/")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """The location that a path selects; `redirect`: it answers 301 to the path with a slash added."""

    location: Location[T] | None
    redirect: bool = False
    match: re.Match[str] | None = None


@dataclass(frozen=True)
class Server(Generic[T]):
    """A `server` block: its names (exact, `*.suffix`, `.suffix`, `prefix.*`, `~regex`), its locations in order."""

    names: tuple[str, ...]
    locations: tuple[Location[T], ...] = ()

    @cached_property
    def _exact(self) -> dict[str, Location[T]]:
        return {each.name: each for each in reversed(self.locations) if each.modifier == "="}

    @cached_property
    def _prefixes(self) -> dict[str, Location[T]]:
        return {each.name: each for each in reversed(self.locations) if each.modifier in ("", "^~")}

    @cached_property
    def _lengths(self) -> tuple[int, ...]:
        return tuple(sorted({len(name) for name in self._prefixes}, reverse=True))

    @cached_property
    def _regexes(self) -> tuple[Location[T], ...]:
        return tuple(each for each in self.locations if each.is_regex)

    def find(self, uri: str) -> Found[T]:
        """The location of a normalised path (ngx_http_core_find_location)."""
        exact = self._exact.get(uri)
        if exact is not None:
            return Found(exact)
        if uri not in self._prefixes:
            slashed = self._slashed(uri + "/")
            if slashed is not None:
                return Found(slashed, redirect=True)
        prefix = self._longest_prefix(uri)
        if prefix is None or prefix.modifier != "^~":
            for location in self._regexes:
                match = location.regex.search(uri)
                if match:
                    return Found(location, match=match)
        return Found(prefix)

    def _slashed(self, uri: str) -> Location[T] | None:
        # ngx_http_core_find_static_location: exact's configuration first, either's auto_redirect
        exact, prefix = self._exact.get(uri), self._prefixes.get(uri)
        redirects = (exact is not None and exact.redirects) or (prefix is not None and prefix.redirects)
        return (exact or prefix) if redirects else None

    def _longest_prefix(self, uri: str) -> Location[T] | None:
        prefixes, size = self._prefixes, len(uri)
        for length in self._lengths:
            if length <= size:
                location = prefixes.get(uri[:length])
                if location is not None:
                    return location
        return None


@dataclass(frozen=True, slots=True)
class Selected(Generic[T]):
    """The server for a name, and the name of it that matched (empty: it is the default)."""

    server: Server[T]
    by: str


class Nginx(Generic[T]):
    """The servers of one listening socket, the first of them unless said otherwise the default.

    A name that two servers claim belongs to the first ("conflicting server name", nginx warns).
    """

    def __init__(self, servers: Sequence[Server[T]], default: Server[T] | None = None) -> None:
        if not servers:
            raise InputError("a socket without a server", value=servers)
        self.servers = tuple(servers)
        self.default = default or self.servers[0]
        self._exact: dict[str, Selected[T]] = {}
        self._heads: dict[str, Selected[T]] = {}
        self._tails: dict[str, Selected[T]] = {}
        self.regexes: list[tuple[re.Pattern[str], Selected[T]]] = []
        for server in self.servers:
            for name in server.names:
                self._add(name, Selected(server, name))

    def _add(self, name: str, selected: Selected[T]) -> None:
        lower = name.lower()
        if name.startswith("~"):
            # ngx_http_core_server_name: an upper-case letter anywhere makes it ignore case
            self.regexes.append((compiled(name[1:], name != lower), selected))
        elif lower.startswith("*."):
            self._heads.setdefault(lower[2:], selected)
        elif lower.startswith("."):
            self._exact.setdefault(lower[1:], selected)
            self._heads.setdefault(lower[1:], selected)
        elif lower.endswith(".*"):
            self._tails.setdefault(lower[:-2], selected)
        else:
            self._exact.setdefault(lower, selected)

    def select(self, host: str) -> Selected[T]:
        """The server for a normalised host (ngx_http_find_virtual_server)."""
        exact = self._exact.get(host)
        if exact is not None:
            return exact
        if self._heads or self._tails:
            wild = self._wild(host)
            if wild is not None:
                return wild
        for pattern, selected in self.regexes:
            if pattern.search(host):
                return selected
        return Selected(self.default, "")

    def _wild(self, host: str) -> Selected[T] | None:
        labels = host.split(".")
        for cut in range(1, len(labels)):
            found = self._heads.get(".".join(labels[cut:]))
            if found is not None:
                return found
        for cut in range(len(labels) - 1, 0, -1):
            found = self._tails.get(".".join(labels[:cut]))
            if found is not None:
                return found
        return None
