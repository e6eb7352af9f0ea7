"""The programs of a lab: started in a host's namespace, waited for, ended.

Each is told to stay in the foreground, so that it is a child of this process, and nothing has to be looked for
when it is to end.

Not modelled: a program that ends by itself; the requests to it will show it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rdataclass
import dns.rdatatype

from lab.isolation import LabError, find
from lab.namespaces import inside
from lab.network import Host

DNS = 53
_PATIENCE = 10.0  # seconds for a program to open its port


class Programs:
    """Programs in the hosts of a lab."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []
        self._awaited: list[tuple[Host, int, Path]] = []

    def start(self, host: Host, *command: str, port: int, log: Path) -> None:
        """Start a program that will listen on a port, in a process group of its own: nsd has children."""
        quiet = subprocess.DEVNULL
        program = [find(command[0]), *command[1:]]
        with inside(host.namespace):
            started = subprocess.Popen(program, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
        self._processes.append(started)
        self._awaited.append((host, port, log))

    def wait(self) -> None:
        """Wait until all of them answer. Raises `LabError` with what one logged, if it doesn't."""
        for host, port, log in self._awaited:
            _wait(host, port, log)

    def end(self) -> None:
        """End all of them."""
        for process in self._processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(host: Host, port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    answers = _answers_questions if port == DNS else _accepts
    with inside(host.namespace):
        while not answers(host.addresses[0], port):
            if time.monotonic() > deadline:
                said = log.read_text() if log.exists() else ""
                raise LabError(f"{host.place} doesn't answer on port {port}: {said}")
            time.sleep(0.005)


def _accepts(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def _answers_questions(address: str, port: int) -> bool:
    """Whether a name server says anything, to a question that leaves no trace in its cache."""
    question = dns.message.make_query("version.bind", dns.rdatatype.TXT, dns.rdataclass.CH)
    try:
        dns.query.udp(question, address, timeout=0.05, port=port)
    except (OSError, dns.exception.DNSException):
        return False
    return True
