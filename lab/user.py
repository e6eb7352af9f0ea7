"""The user's machine: a question to the resolver, and a request to one of the addresses.

As little as it takes, so that each packet is one that the user wanted: `curl` asks for IPv6 addresses too.

Not modelled: /etc/hosts, a cache of its own, trying the next address.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from lab.namespaces import inside

MARK = "X-Lab-Trace"
_PATIENCE = 0.25  # seconds to connect, where Linux has two minutes
_WAIT = 5.0  # seconds for an answer


@dataclass(frozen=True)
class Reply:
    """What the user got: a status and a page, or None where nobody answered."""

    status: int | None = None
    page: str = ""
    headers: tuple[tuple[str, str], ...] = ()


def look_up(namespace: str, resolver: str, host: str) -> dns.message.Message:
    """The resolver's answer to a question for a host's addresses."""
    question = dns.message.make_query(host, dns.rdatatype.A)
    with inside(namespace):
        asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with asking:
        asking.setblocking(False)
        return dns.query.udp(question, resolver, timeout=_WAIT, sock=asking)


def addresses(answer: dns.message.Message) -> list[str]:
    return [str(rdata) for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for rdata in rrset]


def get(namespace: str, server: tuple[str, int], host: str, target: str, mark: str) -> Reply:
    """Ask a server for a page. `mark` is a header by which the connections of this request are known."""
    with inside(namespace):
        connection = socket.socket()
    with connection:
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(server)
            connection.settimeout(_WAIT)
            request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{MARK}: {mark}\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError:
            return Reply()
    return _read(answer.decode("utf-8", "replace"))


def connect(namespace: str, server: tuple[str, int], patience: float = _PATIENCE) -> None:
    """Try to open a connection from any host, and close it again."""
    with inside(namespace):
        connection = socket.socket()
    with connection:
        connection.settimeout(patience)
        with suppress(OSError):
            connection.connect(server)


def _read(answer: str) -> Reply:
    head, _, page = answer.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = tuple((name, value) for name, _, value in (line.partition(": ") for line in lines))
    return Reply(int(first.split()[1]), page, headers)
