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
        self._selector.register(listener, selectors.EVENT_READ, name)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Close all ports."""
        self._end.close()
        self._thread.join()

    def _serve(self) -> None:
        with self._selector:
            while all(_served(key) for key, _ in self._selector.select()):
                pass
            for key in list(self._selector.get_map().values()):
                assert isinstance(key.fileobj, socket.socket)
                key.fileobj.close()


def _served(key: selectors.SelectorKey) -> bool:
    """Answer a connection to one of the ports; False if it isn't a port, but the sign to end."""
    assert isinstance(key.fileobj, socket.socket)
    if key.data is None:
        return False
    connection, peer = key.fileobj.accept()
    with connection:
        _answer(connection, peer, key.data)
    return True


def _answer(connection: socket.socket, peer: tuple[str, int], name: str) -> None:
    """Read one request and answer it; whoever hangs up before is no concern of ours."""
    connection.settimeout(_PATIENCE)
    try:
        lines = _head(connection).split("\r\n")
        connection.sendall(_page(name, peer, lines))
    except (OSError, UnicodeDecodeError):
        return


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
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
