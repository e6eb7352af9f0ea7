"""Real name servers: an nsd at each address with its own zones, and unbound in front of them with a clock of its own.

unbound's clock stands still unless it is told to move (libfaketime), so a TTL is exact, and a day passes in no time.
What is asked of whom is read off the wire.

Not modelled: anything that takes real time. unbound's own timers for retries run by the monotonic clock, which is real.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import dns.message
import dns.rdatatype

from lab.isolation import LabError, find
from lab.namespaces import run
from lab.oracles.zones import NETWORK, PODS, Zones

_PORT = 5399
_BEGINNING = datetime(2026, 1, 1, 12)
_LIBRARY = ("/usr/lib", "*/faketime/libfaketime.so.1")
_OUTGOING = 4


class Asked(NamedTuple):
    """A question on its way to a name server."""

    address: str
    name: str
    type: int
    tcp: bool = False

    def __str__(self) -> str:
        how = " over TCP" if self.tcp else ""
        return f"{self.address} {self.name} {dns.rdatatype.RdataType.make(self.type).name}{how}"


class NameServers:
    """Zones served, and a resolver that knows nothing but where the root is."""

    def __init__(self, zones: Zones) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dns", dir="/run"))
        self.processes: list[subprocess.Popen[bytes]] = []
        self._wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self._wire.bind(("lo", 0x0800))
        self._wire.setblocking(False)
        self._client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._client.settimeout(0.6)
        try:
            self._start(zones)
        except BaseException:
            self.close()
            raise

    def _start(self, zones: Zones) -> None:
        _own_memory()
        for address, served in zones.served.items():
            texts = {zone: zones.text(zone) for zone in served}
            self._run("nsd", "-d", "-c", str(_nsd(self.folder / address, (address,), texts, address in zones.minimal)))
        self._run("nsd", "-d", "-c", str(_nsd(self.folder / "pods", PODS, {}, minimal=False)))
        self.set_clock(0)
        faked = {
            "LD_PRELOAD": library(),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "now"),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        self._run("unbound", "-d", "-c", str(_unbound(self.folder, zones)), **faked)
        for address in (*zones.served, *PODS):
            _await((address, 53))
        _await(("127.0.0.1", _PORT), "localhost.")
        self._client.connect(("127.0.0.1", _PORT))
        list(self.asked())

    def _run(self, *command: str, **environment: str) -> None:
        log = (self.folder / command[0]).open("ab")
        self.processes.append(
            subprocess.Popen(
                [find(command[0]), *command[1:]],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        )
        log.close()

    def close(self) -> None:
        for process in self.processes:  # nsd is several processes: all of them, or one still answers to the next zones
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        with suppress(ChildProcessError):  # whoever is process 1 inherits the others
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        self._wire.close()
        self._client.close()
        shutil.rmtree(self.folder)

    def __enter__(self) -> NameServers:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def set_clock(self, seconds: int) -> None:
        """Set the resolver's clock, in seconds since the beginning."""
        following = self.folder / "next"
        following.write_text(f"{_BEGINNING + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}")
        following.rename(self.folder / "now")

    def ask(self, query: dns.message.Message) -> tuple[dns.message.Message, list[Asked]] | None:
        """The resolver's response to a client, and what it asked of whom for it; None if it takes too long."""
        self._client.send(query.to_wire())
        with suppress(TimeoutError):
            while True:
                response = dns.message.from_wire(self._client.recv(65535))
                if response.id == query.id:
                    return response, list(self.asked())
        return None

    def asked(self) -> Iterator[Asked]:
        """The questions to name servers since somebody looked last."""
        with suppress(BlockingIOError):
            while True:
                packet, about = self._wire.recvfrom(65535)
                start = (packet[0] & 15) * 4
                address = socket.inet_ntoa(packet[16:20])
                to_server = packet[start + 2 : start + 4] == b"\0\x35" and address.startswith(f"{NETWORK}.")
                if about[2] == _OUTGOING or not to_server:
                    continue
                tcp = packet[9] == socket.IPPROTO_TCP
                message = packet[start + (packet[start + 12] >> 4) * 4 + 2 :] if tcp else packet[start + 8 :]
                if message:  # and not only a part of a handshake
                    question = dns.message.from_wire(message).question[0]
                    yield Asked(address, str(question.name).lower(), int(question.rdtype), tcp)


@cache
def _own_memory() -> None:
    """libfaketime keeps what it knows in shared memory by process number, and every process namespace has a 13."""
    run("mount", "-t", "tmpfs", "oracles", "/dev/shm")


def library() -> str:
    """Where libfaketime is. Raises `LabError`."""
    found = sorted(Path(_LIBRARY[0]).glob(_LIBRARY[1]))
    if not found:
        raise LabError("there is no libfaketime here; on Debian and Ubuntu: apt-get install libfaketime")
    return str(found[0])


def _await(address: tuple[str, int], name: str = ".") -> None:
    """Wait until a name server answers."""
    question = dns.message.make_query(name, "A")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(0.2)
        one.connect(address)
        for _ in range(2000):
            try:
                one.send(question.to_wire())
                one.recv(65535)
                return
            except TimeoutError:
                continue
            except ConnectionRefusedError:
                time.sleep(0.005)
    raise LabError(f"no name server answers at {address[0]}")


def _nsd(folder: Path, addresses: Sequence[str], zones: Mapping[str, str], minimal: bool) -> Path:
    folder.mkdir()
    lines = [
        "server:",
        *(f"  ip-address: {address}@53" for address in addresses),
        '  username: ""',
        f'  zonesdir: "{folder}"',
        f'  xfrdir: "{folder}"',  # its own folder for that would be left in /tmp
        '  database: ""',
        *(f'  {name}: "{folder}/{name}"' for name in ("pidfile", "xfrdfile", "zonelistfile", "logfile")),
        "  server-count: 1",
        "  tcp-count: 1",
        "  rrl-ratelimit: 0",
        f"  minimal-responses: {'yes' if minimal else 'no'}",
        "remote-control:",
        "  control-enable: no",
    ]
    for number, (zone, text) in enumerate(zones.items()):
        (folder / f"zone{number}").write_text(text)
        lines += ["zone:", f'  name: "{zone}"', f'  zonefile: "zone{number}"']
    return _written(folder / "nsd.conf", lines)


def _unbound(folder: Path, zones: Zones) -> Path:
    name, address = zones.root
    _written(folder / "hints", [f". 3600 IN NS {name}", f"{name} 3600 IN A {address}"])
    settings = {
        "interface": "127.0.0.1",
        "port": _PORT,
        "username": '""',
        "chroot": '""',
        "directory": f'"{folder}"',
        "pidfile": f'"{folder}/unbound.pid"',
        "use-syslog": "no",
        "num-threads": 1,
        "module-config": '"iterator"',
        "target-fetch-policy": '"0 0 0 0 0"',
        "qname-minimisation": "no",
        "prefetch": "no",
        "rrset-roundrobin": "no",
        "do-not-query-localhost": "no",
        "do-ip6": "no",
        "max-udp-size": 1232,  # the default from 1.18 on
        "root-hints": f'"{folder}/hints"',
        "access-control": "127.0.0.0/8 allow",
    }
    lines = ["server:", *(f"  {key}: {value}" for key, value in settings.items())]
    return _written(folder / "unbound.conf", [*lines, "remote-control:", "  control-enable: no"])


def _written(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path
