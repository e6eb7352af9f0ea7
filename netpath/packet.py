"""The vocabulary of the road: addresses, packets, HTTP, and the record of a decision.

A `Packet` is what the wire carries. A box on the road takes one and answers with a `Hop`: what it
received, the `Step`s it took (each the raw text of a rule consulted, whether it matched, and why),
its `Verdict`, and what it sent.

Not modelled: TTL, checksums, fragments, TCP sequence numbers and windows, and IPv6 (every address
is an `Address`, so that it has one place to come in).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, TypeVar, overload
from urllib.parse import quote, urlsplit

from netpath.codes import CODES, Code
from netpath.errors import InputError

D = TypeVar("D")


def quick(frozen: type[D]) -> type[D]:
    """Let a frozen, slotted dataclass be made as quickly as one that isn't frozen: a journey makes some hundred.

    A frozen dataclass fills each field by `object.__setattr__`, at four times the price of an assignment. Here the
    new object is, until it is filled, an instance of a twin with the same slots that lets itself be assigned to.
    """
    given = frozen.__init__
    names = given.__code__.co_varnames[1 : given.__code__.co_argcount]
    lines = [f"def __init__(self, {', '.join(names)}):", "  become(self, '__class__', twin)"]
    lines += [f"  self.{name} = {name}" for name in names]
    lines += ["  self.__class__ = frozen"] + ["  self.__post_init__()"] * hasattr(frozen, "__post_init__")
    twin = type(frozen.__name__, (), {"__slots__": names})
    scope = {"become": object.__setattr__, "twin": twin, "frozen": frozen}
    exec("\n".join(lines), scope)  # as dataclass and namedtuple make theirs
    made: Any = scope["__init__"]
    made.__defaults__, made.__annotations__ = given.__defaults__, given.__annotations__
    frozen.__init__ = made  # type: ignore[method-assign]
    return frozen


class Address(ipaddress.IPv4Address):
    """An IP address. Today IPv4; hashing and equality are quick, for it is a key everywhere.

    >>> Address("10.0.0.1") in Network("10.0.0.0/8")
    True
    """

    __slots__ = ()

    def __hash__(self) -> int:
        return self._ip  # type: ignore[attr-defined, no-any-return]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ipaddress.IPv4Address) and self._ip == other._ip  # type: ignore[attr-defined]

    def __int__(self) -> int:
        return self._ip  # type: ignore[attr-defined, no-any-return]

    def __str__(self) -> str:
        return dotted(self._ip)  # type: ignore[attr-defined]

    def __format__(self, form: str) -> str:
        return super().__format__(form) if form else dotted(self._ip)  # type: ignore[attr-defined]


@lru_cache(maxsize=1 << 16)
def dotted(number: int) -> str:
    """The text of the address that is this number."""
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


Network = ipaddress.IPv4Network


@lru_cache(maxsize=1 << 16)
def address(text: str) -> Address:
    """The address that a text names. Raises `InputError`.

    >>> address("192.0.2.1")
    Address('192.0.2.1')
    """
    try:
        return Address(text)
    except ValueError:
        raise InputError("not an IPv4 address", value=text, expected="four numbers like 10.0.1.5") from None


@lru_cache(maxsize=1 << 16)
def network(text: str) -> Network:
    """The network that a CIDR block names; host bits must be zero. Raises `InputError`."""
    try:
        return Network(text)
    except ValueError as problem:
        raise InputError(f"not an IPv4 network ({problem})", value=text, expected="a CIDR block") from None


class Protocol(StrEnum):
    """What an IP packet carries, by the name that iptables uses."""

    TCP = "tcp"
    UDP = "udp"
    SCTP = "sctp"
    ICMP = "icmp"


class TcpFlags(StrEnum):
    """The TCP segments that the road tells apart, as tcpdump writes them."""

    SYN = "S"
    SYN_ACK = "S."
    ACK = "."
    PUSH = "P."
    FIN = "F."
    RESET = "R."


class IcmpType(StrEnum):
    """The ICMP messages that the road tells apart (RFC 792), by iptables' names for them."""

    ECHO_REQUEST = "echo-request"
    ECHO_REPLY = "echo-reply"
    NET_UNREACHABLE = "network-unreachable"
    HOST_UNREACHABLE = "host-unreachable"
    PROTOCOL_UNREACHABLE = "protocol-unreachable"
    PORT_UNREACHABLE = "port-unreachable"
    NET_PROHIBITED = "network-prohibited"
    HOST_PROHIBITED = "host-prohibited"
    ADMIN_PROHIBITED = "communication-prohibited"
    FRAGMENTATION_NEEDED = "fragmentation-needed"
    TIME_EXCEEDED = "ttl-zero-during-transit"

    @property
    def is_error(self) -> bool:
        """An error quotes the packet that caused it (RFC 792); an echo does not."""
        return self not in (IcmpType.ECHO_REQUEST, IcmpType.ECHO_REPLY)


#: The type and code of each message (RFC 792, RFC 1812 §5.2.7.1).
ICMP_NUMBERS: Mapping[IcmpType, tuple[int, int]] = MappingProxyType(
    {
        IcmpType.ECHO_REPLY: (0, 0),
        IcmpType.NET_UNREACHABLE: (3, 0),
        IcmpType.HOST_UNREACHABLE: (3, 1),
        IcmpType.PROTOCOL_UNREACHABLE: (3, 2),
        IcmpType.PORT_UNREACHABLE: (3, 3),
        IcmpType.FRAGMENTATION_NEEDED: (3, 4),
        IcmpType.NET_PROHIBITED: (3, 9),
        IcmpType.HOST_PROHIBITED: (3, 10),
        IcmpType.ADMIN_PROHIBITED: (3, 13),
        IcmpType.ECHO_REQUEST: (8, 0),
        IcmpType.TIME_EXCEEDED: (11, 0),
    }
)


@quick
@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port (0 where a protocol has none; for an ICMP echo, its identifier).

    >>> str(endpoint("10.0.1.5:80"))
    '10.0.1.5:80'
    """

    address: Address
    port: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise InputError("not a port", value=self.port, expected="0 to 65535")

    def __hash__(self) -> int:  # by number, as an Address: it is a key everywhere too
        return self.address._ip << 16 | self.port  # type: ignore[attr-defined, no-any-return]

    def __eq__(self, other: object) -> bool:
        if type(other) is not Endpoint:
            return NotImplemented
        return self.port == other.port and self.address._ip == other.address._ip  # type: ignore[attr-defined]

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


def endpoint(text: str, default_port: int = 0) -> Endpoint:
    """The endpoint written `ADDRESS` or `ADDRESS:PORT`. Raises `InputError`."""
    host, colon, port = text.partition(":")
    if colon and not (port.isascii() and port.isdigit()):
        raise InputError("not a port", value=text, expected="ADDRESS:PORT, the port from 0 to 65535")
    return Endpoint(address(host), int(port[:6]) if colon else default_port)


@quick
@dataclass(frozen=True, slots=True)
class Packet:
    """One IP packet.

    `flags` only with TCP; `icmp` only with ICMP, and `quotes` (the packet that it is about, as its
    sender saw it) only with an ICMP error. `payload` is what it carries for the application: an
    `HttpRequest`, an `HttpResponse`, or nothing.
    """

    protocol: Protocol
    source: Endpoint
    destination: Endpoint
    flags: TcpFlags | None = None
    icmp: IcmpType | None = None
    quotes: Packet | None = None
    payload: HttpRequest | HttpResponse | None = None

    def __post_init__(self) -> None:
        if (self.flags is not None) != (self.protocol is Protocol.TCP):
            raise InputError("TCP flags go with TCP, and only with it", value=(self.protocol, self.flags))
        if (self.icmp is not None) != (self.protocol is Protocol.ICMP):
            raise InputError("an ICMP type goes with ICMP, and only with it", value=(self.protocol, self.icmp))
        if (self.quotes is not None) != (self.icmp is not None and self.icmp.is_error):
            raise InputError("an ICMP error, and nothing else, quotes a packet", value=self.icmp)

    def between(self, source: Endpoint, destination: Endpoint) -> Packet:
        """The same packet with other ends: what a translation makes of it."""
        return Packet(self.protocol, source, destination, self.flags, self.icmp, self.quotes, self.payload)

    def answer(self, flags: TcpFlags | None = None, payload: HttpResponse | None = None) -> Packet:
        """The packet that the destination sends back (for TCP, a SYN-ACK unless said otherwise)."""
        if self.protocol is Protocol.TCP:
            return Packet(self.protocol, self.destination, self.source, flags or TcpFlags.SYN_ACK, payload=payload)
        icmp = IcmpType.ECHO_REPLY if self.protocol is Protocol.ICMP else None
        return Packet(self.protocol, self.destination, self.source, icmp=icmp, payload=payload)

    def error(self, icmp: IcmpType, reporter: Address) -> Packet:
        """The ICMP error that `reporter` sends to this packet's source."""
        ends = Endpoint(reporter), Endpoint(self.source.address)
        return Packet(Protocol.ICMP, *ends, icmp=icmp, quotes=self)

    def __str__(self) -> str:
        what = f" [{self.flags}]" if self.flags else f" {self.icmp}" if self.icmp else ""
        return f"{self.protocol} {self.source} > {self.destination}{what}"


def tcp(source: str, destination: str, flags: TcpFlags = TcpFlags.SYN) -> Packet:
    """A TCP packet between two endpoints written `ADDRESS:PORT`: the first of a connection, unless said otherwise."""
    return Packet(Protocol.TCP, endpoint(source), endpoint(destination), flags)


def udp(source: str, destination: str) -> Packet:
    """A UDP packet between two endpoints written `ADDRESS:PORT`."""
    return Packet(Protocol.UDP, endpoint(source), endpoint(destination))


_NOT_IN_TARGETS = re.compile(r"[\x00-\x20\x7f]")


@quick
@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as the first server reads it: method, host, target and headers.

    `target` is the raw path and query (`/cart?x=1`), undecoded. Header names compare without case.
    """

    host: str
    target: str = "/"
    method: str = "GET"
    scheme: str = "http"
    port: int = 80
    headers: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.target.startswith("/") or _NOT_IN_TARGETS.search(self.target):
            raise InputError("not a request target", value=self.target, expected="a path like /cart, without spaces")

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def url(self) -> str:
        usual = {"http": 80, "https": 443}[self.scheme] == self.port
        return f"{self.scheme}://{self.host}{'' if usual else f':{self.port}'}{self.target}"

    def header(self, name: str) -> str | None:
        """The header's value, the first if it is there more than once; None without it."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def with_header(self, name: str, value: str) -> HttpRequest:
        """The same request with one header set, in place of any of that name."""
        kept = tuple((key, old) for key, old in self.headers if key.lower() != name.lower())
        return HttpRequest(self.host, self.target, self.method, self.scheme, self.port, (*kept, (name, value)))


def _ascii(target: str) -> str:
    """A path and query as a browser sends it: what isn't ASCII percent-encoded as UTF-8 (WHATWG URL)."""
    return target if target.isascii() else "".join(c if c.isascii() else quote(c) for c in target)


def http_request(url: str, method: str = "GET", headers: tuple[tuple[str, str], ...] = ()) -> HttpRequest:
    """The request that opening `url` makes. Raises `InputError`.

    >>> http_request("http://shop.example.com/cart?x=1#top").target
    '/cart?x=1'
    """
    expected = "a URL like http://shop.example.com/cart"
    try:
        parts = urlsplit(url)
        port = parts.port
        target = _ascii((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    except ValueError:
        raise InputError("not a URL", value=url, expected=expected) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError("not a URL", value=url, expected=expected)
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    return HttpRequest(parts.hostname, target, method, parts.scheme, port, headers)


@quick
@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer: its status, who made it, and the headers that matter here."""

    status: int
    by: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


@quick
@dataclass(frozen=True, slots=True)
class Step:
    """One rule consulted: its raw text, whether it matched, and because of what.

    `at` says where the rule stands, as a person would look it up: `nat KUBE-SERVICES 3`,
    `rtb-0a1`, `acl-0b2 ingress 100`.
    """

    rule: str
    matched: bool
    why: str
    at: str = ""


T = TypeVar("T")


class _Lazy(Sequence[T]):
    """A sequence that is worked out when somebody looks, from a function that always answers the same."""

    def __init__(self, make: Callable[[], Iterable[T]]) -> None:
        self._make = make

    @cached_property
    def _items(self) -> tuple[T, ...]:
        return tuple(self._make())

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._items == tuple(other)

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        return repr(self._items)


class LazySteps(_Lazy[Step]):
    """Steps that are worked out when somebody looks, from a function that always answers the same.

    A chain of ten thousand rules is consulted by index; its ten thousand `Step`s are made only for
    a reader. `make` must hold on to frozen values alone, for memory moves on.
    """


class LazyTexts(_Lazy[str]):
    """Texts that are written when somebody looks: lines of a memory as it was then."""


@quick
@dataclass(frozen=True, slots=True)
class Verdict:
    """What a box decided: a code of `netpath.codes.CODES`, and the rule that caused it."""

    code: str
    rule: str = ""

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise InputError("not a verdict code", value=self.code, expected="a key of netpath.codes.CODES")

    @property
    def meaning(self) -> Code:
        return CODES[self.code]

    @property
    def ok(self) -> bool:
        """Whether the request goes on (or was answered), rather than ending here."""
        return CODES[self.code].ok


@quick
@dataclass(frozen=True, slots=True)
class Hop:
    """A decision on record: where, what came, the rules consulted, the verdict, what went.

    `station` is the kind of box (`internet gateway`, `network ACL`, `node` …), `at` its name or id.
    `remembered` lists what the box looked up in or added to its memory (conntrack entries), as text.
    `steps` and `remembered` may be computed only when looked at.
    """

    station: str
    at: str
    received: Packet | None
    verdict: Verdict
    sent: Packet | None = None
    steps: Sequence[Step] = ()
    remembered: Sequence[str] = ()

    @property
    def rewrites(self) -> tuple[tuple[str, Endpoint, Endpoint], ...]:
        """What changed on the way through: (`source` or `destination`, before, after)."""
        if self.received is None or self.sent is None:
            return ()
        ends = (
            ("source", self.received.source, self.sent.source),
            ("destination", self.received.destination, self.sent.destination),
        )
        return tuple((name, before, after) for name, before, after in ends if before != after)
