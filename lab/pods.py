"""The applications: one small server for the pods of all namespaces, in a thread of its own.

A pod that runs listens on the TCP ports that it declares, answers every request with 200, and says who it is and
whom it believes to be talking to.

Not modelled: UDP, probes, applications that fail.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterable

from lab.namespaces import inside
from lab.network import Host
from netpath.kubernetes import Pod
from netpath.packet import Protocol

_TOLD = ("host", "x-forwarded-for", "x-real-ip")
_PATIENCE = 2.0  # seconds for a request to arrive


class Pods:
    """Listening sockets of many pods, and the thread that answers on them."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._end, ending = socket.socketpair()
        self._selector.register(ending, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def listen(self, pod: Pod, host: Host) -> None:
        """Open a pod's ports in its own namespace. A pod that doesn't run has none."""
        if pod.phase == "Running":
            for port in pod.ports:
                if port.protocol is Protocol.TCP:
                    self.open(host, port.port, f"pod {pod.key}")

    def open(self, host: Host, port: int, name: str) -> None:
        """Open a port of a host; `name` is what the page says."""
        with inside(host.namespace):
            listener = socket.create_server((host.addresses[0], port), backlog=64)
        self._selector.register(listener, selectors.EVENT_READ, (name, None))

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Close all ports."""
        self._end.close()
        self._thread.join()

    def _serve(self) -> None:
        with self._selector:
            while all(map(self._served, self._selector.select())):
                pass
            for key in list(self._selector.get_map().values()):
                assert isinstance(key.fileobj, socket.socket)
                key.fileobj.close()

    def _served(self, event: tuple[selectors.SelectorKey, int]) -> bool:
        """Take a connection, or answer a request on one; False at the sign to end."""
        key, _ = event
        assert isinstance(key.fileobj, socket.socket)
        if key.data is None:
            return False
        name, peer = key.data
        if peer is None:
            connection, peer = key.fileobj.accept()
            connection.settimeout(_PATIENCE)
            self._selector.register(connection, selectors.EVENT_READ, (name, peer))
        elif not _answered(key.fileobj, peer, name):
            self._selector.unregister(key.fileobj)
            key.fileobj.close()
        return True


def _answered(connection: socket.socket, peer: tuple[str, int], name: str) -> bool:
    """Read one request and answer it; False if nobody wants the connection any more."""
    try:
        lines = _head(connection).split("\r\n")
        if lines == [""]:
            return False
        connection.sendall(_page(name, peer, lines))
    except OSError:
        return False
    return "connection: close" not in (line.lower() for line in lines)


def _head(connection: socket.socket) -> str:
    head = b""
    while b"\r\n\r\n" not in head and len(head) < 65536:
        part = connection.recv(65536)
        if not part:
            break
        head += part
    return head.decode("latin-1")


def _page(name: str, peer: tuple[str, int], lines: Iterable[str]) -> bytes:
    first, *headers = lines
    told = [f"{header}\n" for header in headers if header.partition(":")[0].lower() in _TOLD]
    body = f"{name}\n{first}\nfrom {peer[0]}:{peer[1]}\n{''.join(told)}".encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
