"""The edge to real networks: DNS over real UDP and TCP.

`send` is what a `Resolver` or `Stub` takes to ask real servers; `serve` puts a server of the model on a
real socket, so that `dig` and published test suites can talk to it.

Not modelled: DNS over TLS or HTTPS, several queries at once on one TCP connection.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.exception
import dns.flags
import dns.message
import dns.query
from dns.rcode import Rcode

from netpath.resolution.exchange import Send
from netpath.resolution.transport import Responder

_LARGEST = 65535


def network(timeout: float = 2.0, port: int = 53) -> Send:
    """A `send` over real UDP, or TCP where the caller asks for it; None after `timeout` seconds of silence."""

    def send(address: str, query: dns.message.Message, tcp: bool) -> dns.message.Message | None:
        ask = dns.query.tcp if tcp else dns.query.udp
        try:
            return ask(query, address, timeout=timeout, port=port)
        except (OSError, EOFError, dns.exception.DNSException):
            return None

    return send


def answer_wire(respond: Responder, wire: bytes, tcp: bool) -> bytes | None:
    """A query's octets to the response's. Octets that aren't a message get FORMERR, or nothing without a header."""
    try:
        query = dns.message.from_wire(wire, ignore_trailing=True)
    except Exception:
        return _formerr(wire)
    if query.flags & dns.flags.QR:
        return None
    response = respond(query, tcp)
    return None if response is None else response.to_wire(max_size=_LARGEST, want_shuffle=False)


def _formerr(wire: bytes) -> bytes | None:
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    flags = 0x8000 | (struct.unpack("!H", wire[2:4])[0] & 0x7900) | Rcode.FORMERR
    return wire[:2] + struct.pack("!HHHHH", flags, 0, 0, 0, 0)


def _framed(sock: socket.socket) -> Iterator[bytes]:
    """The messages on a TCP connection, each behind its length (RFC 1035 §4.2.2)."""
    with sock.makefile("rb") as stream:
        while len(head := stream.read(2)) == 2:
            yield stream.read(struct.unpack("!H", head)[0])


class _UdpServer(socketserver.ThreadingUDPServer):
    allow_reuse_address = True
    daemon_threads = True
    max_packet_size = _LARGEST


class _TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def _handlers(
    respond: Responder,
) -> tuple[type[socketserver.BaseRequestHandler], type[socketserver.BaseRequestHandler]]:
    """What answers one datagram, and what answers one connection."""

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, sock = self.request
            answer = answer_wire(respond, wire, False)
            if answer is not None:
                sock.sendto(answer, self.client_address)

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            for wire in _framed(self.request):
                answer = answer_wire(respond, wire, True)
                if answer is None:
                    return
                self.request.sendall(struct.pack("!H", len(answer)) + answer)

    return Datagram, Connection


@contextmanager
def serve(respond: Responder, address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Answer queries on UDP and TCP while the context lasts; gives the port (port 0: any free one).

    `respond` takes (query, tcp): an `AuthoritativeServer.respond`, a `Resolver.responder(…)`. It is called
    by one thread at a time.
    """
    datagram, connection = _handlers(_one_at_a_time(respond))
    tcp = _TcpServer((address, port), connection)
    udp = _UdpServer((address, tcp.server_address[1]), datagram)
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in (tcp, udp)]
    for thread in threads:
        thread.start()
    try:
        yield tcp.server_address[1]
    finally:
        for server in (tcp, udp):
            server.shutdown()
            server.server_close()


def _one_at_a_time(respond: Responder) -> Callable[[dns.message.Message, bool], dns.message.Message | None]:
    lock = threading.Lock()

    def locked(query: dns.message.Message, tcp: bool) -> dns.message.Message | None:
        with lock:
            return respond(query, tcp)

    return locked
