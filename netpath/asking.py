"""What a person writes on the command line, as values: numbers, headers, names of things, packets.

>>> header("X-Shop: 1"), seconds("1.5")
(('X-Shop', '1'), 1.5)
>>> from netpath.packet import address
>>> print(first_packet("tcp", "192.0.2.1", "192.0.2.2:81", address))
tcp 192.0.2.1:40000 > 192.0.2.2:81 [S]

Not modelled: IPv6, and ports by name.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from netpath.errors import InputError

if TYPE_CHECKING:
    from netpath.packet import Address, Endpoint, Packet
    from netpath.world import World

T = TypeVar("T")
PROTOCOLS = ("tcp", "udp", "sctp", "icmp")


def argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A parser of ours as argparse wants it, so that the error names the option."""

    def checked(text: str) -> T:
        try:
            return parse(text)
        except InputError as error:
            raise ArgumentTypeError(str(error)) from None

    return checked


def whole(low: int, high: int) -> Callable[[str], int]:
    """Reads a whole number from `low` to `high`, in decimal digits alone."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text[:20]) <= high:
            raise InputError("not a whole number in range", value=text, expected=f"{low} to {high}")
        return int(text)

    return parse


def seconds(text: str) -> float:
    """A time from 0 on. Raises `InputError`."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e10:
        raise InputError("not a time", value=text, expected="seconds from 0 on")
    return value


def _is_token(text: str) -> bool:
    """RFC 9110, section 5.6.2."""
    return bool(text) and not any(c in '"(),/:;<=>?@[\\]{}' or not "!" <= c <= "~" for c in text)


def method(text: str) -> str:
    """An HTTP method. Raises `InputError`."""
    if not _is_token(text):
        raise InputError("not a method", value=text, expected="one like GET")
    return text


def header(text: str) -> tuple[str, str]:
    """A request header's name and value. Raises `InputError`."""
    name, colon, value = text.partition(":")
    token = name.strip()
    if not colon or not _is_token(token):
        raise InputError("not a header", field="--header", value=text, expected="'Name: value'")
    if any(c in "\r\n\0" for c in value):
        raise InputError("a header of several lines", field="--header", value=text, expected="'Name: value'")
    return token, value.strip()


Find = Callable[[str], "Address"]
ANY_PORT, HTTP = 40000, 80


def first_packet(protocol_name: str, source: str, destination: str, find: Find) -> Packet:
    """The first packet of a conversation; `find` knows names besides addresses. Raises `InputError`."""
    from netpath.packet import IcmpType, Packet, Protocol, TcpFlags

    name = protocol_name.lower()
    if name not in PROTOCOLS:
        raise InputError("not a protocol", value=protocol_name, expected=", ".join(PROTOCOLS))
    protocol = Protocol(name)
    if protocol is Protocol.ICMP:
        ends = _end(source, find, 1), _end(destination, find, 0)
        return Packet(protocol, *ends, icmp=IcmpType.ECHO_REQUEST)
    ends = _end(source, find, ANY_PORT), _end(destination, find, HTTP)
    return Packet(protocol, *ends, TcpFlags.SYN if protocol is Protocol.TCP else None)


def _end(text: str, find: Find, default: int) -> Endpoint:
    from netpath.packet import Endpoint

    host, colon, port = text.rpartition(":")
    return Endpoint(find(host), whole(0, 65535)(port)) if colon else Endpoint(find(text), default)


def finder(world: World) -> Find:
    """Names that a person has, or the beginning of one: `user`, a node, a pod as NAMESPACE/NAME, a Service's ClusterIP
    as svc/NAMESPACE/NAME."""
    from netpath.packet import address

    cluster = world.cluster
    names = {"user": world.user, "resolver": world.resolver}
    if cluster is not None:
        names |= {node.name: node.address for node in cluster.nodes}
        names |= {pod.key: pod.ip for pod in cluster.pods if pod.ip is not None}
        names |= {f"svc/{service.key}": service.cluster_ip for service in cluster.services if service.cluster_ip}

    def find(text: str) -> Address:
        if text in names:
            return names[text]
        begun = [name for name in names if name.startswith(text)] if text[:1].isalpha() else []
        if len(begun) == 1:
            return names[begun[0]]
        if begun:
            expected = f"one of {', '.join(begun[:8])}"
            raise InputError("the beginning of several names", value=text, expected=expected)
        try:
            return address(text)
        except InputError as error:
            error.expected = "an address, `user`, a node, NAMESPACE/POD or svc/NAMESPACE/SERVICE"
            raise

    return find
