"""What really crosses the wires: a tap in every namespace, and sightings of one packet put together.

A packet socket in a namespace sees what comes in and what goes out, on every device. So a router shows as a packet
that came in and then one that went out, and whoever drops a packet as one that only came in.

NAT changes addresses and ports, but not TCP's first sequence number, which the answer acknowledges, and not a DNS
message: by these, sightings in different places are known to be of the same packet.

Not modelled: what is on `lo`, and the packets that `lab.filters` leaves out.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from lab.filters import ACK, DNS, GET, HTTP, ICMP, RST, SYN, TCP, UDP, program
from lab.namespaces import inside
from lab.network import Host
from netpath.packet import ICMP_NUMBERS

_ETH_P_ALL, _ETH_P_IP = 3, 0x0800
DATA = "P."
_OUTGOING = 4  # PACKET_OUTGOING
_SO_ATTACH_FILTER, _SO_TIMESTAMPNS = 26, 35
_BUFFER = 1 << 22  # bytes
_PAUSE = 0.004  # seconds
_ICMP_NAMES = {numbers: f"icmp {name}" for name, numbers in ICMP_NUMBERS.items()}


class Packet(NamedTuple):
    """A packet as far as it is compared: its two ends, and what it is (`S`, `S.`, `R`, `P.`, `dns`, `icmp …`).

    `quotes`: the packet that an ICMP error is about, as the error has it.
    """

    source: str
    source_port: int
    destination: str
    destination_port: int
    what: str
    quotes: Packet | None = None


class Sighting(NamedTuple):
    """A packet seen somewhere. `key` is the same wherever it, or its answer, is seen; `time` in nanoseconds.

    (A response's is what it acknowledges: the end of the request. See `after`.)
    """

    time: int
    place: str
    outgoing: bool
    packet: Packet
    key: int
    payload: bytes

    @property
    def asks(self) -> bool:
        """Whether a request begins in it."""
        return self.packet.what == DATA and self.payload.startswith(GET)


def after(request: Sighting) -> int:
    """The key of the response to a request: what comes after the request's last byte."""
    return (request.key + len(request.payload)) & 0xFFFFFFFF


class Wire:
    """Taps in the namespaces of some hosts."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        self._taps = {host.place: _tap(host) for host in hosts}
        _wait_for_stamps()
        self.forget()  # what came before its tap had a filter

    def sightings(self) -> list[Sighting]:
        """Everything seen since the last call, in the order of time."""
        return sorted(seen for place, tap in self._taps.items() for seen in _drain(place, tap))

    def forget(self) -> None:
        """Let go of what has been seen."""
        for tap in self._taps.values():
            for _ in _received(tap):
                pass

    def close(self) -> None:
        """Take the taps away. (Each waits for the kernel to be done with it, so all of them wait at once.)"""
        with ThreadPoolExecutor(len(self._taps)) as pool:
            list(pool.map(socket.socket.close, self._taps.values()))


def _tap(host: Host) -> socket.socket:
    """A packet socket that sees everything in a namespace which the filter keeps."""
    with inside(host.namespace):
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    code = program()
    held = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: how many instructions, and where they are
    tap.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(code) // 8, ctypes.addressof(held)))
    tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    tap.setblocking(False)
    return tap


def _wait_for_stamps() -> None:
    """Wait until the kernel notes when packets come: it begins a little after it is told to.

    Until then the time is that of reading, and nothing would be in order (net/core/dev.c, net_enable_timestamp).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        probe.bind(("127.0.0.1", 0))
        while True:
            probe.sendto(b"", probe.getsockname())
            time.sleep(_PAUSE)
            _, ancillary, _, _ = probe.recvmsg(16, 64)
            if time.time_ns() - _stamp(ancillary) > _PAUSE * 10**9 / 2:
                return


def _stamp(ancillary: Sequence[tuple[int, int, bytes]]) -> int:
    """When a packet came, in nanoseconds."""
    seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
    return int(seconds * 10**9 + nanoseconds)


def _received(tap: socket.socket) -> Iterator[tuple[int, bool, bytes]]:
    while True:
        try:
            data, ancillary, _, origin = tap.recvmsg(2048, 64)
        except BlockingIOError:
            return
        if origin[1] == _ETH_P_IP and origin[0] != "lo":
            yield _stamp(ancillary), origin[2] == _OUTGOING, data


def _drain(place: str, tap: socket.socket) -> Iterator[Sighting]:
    for stamp, outgoing, data in _received(tap):
        packet, key, payload = read(data)
        yield Sighting(stamp, place, outgoing, packet, key, payload)


# Reading -------------------------------------------------------------------------------------


def read(data: bytes) -> tuple[Packet, int, bytes]:
    """An IPv4 packet: what of it is compared, its key, its payload."""
    start = (data[0] & 15) * 4
    source, destination = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
    return _READERS[data[9]](source, destination, data[start:])


def _read_tcp(source: str, destination: str, segment: bytes) -> tuple[Packet, int, bytes]:
    source_port, destination_port, sequence, acknowledged = struct.unpack("!HHII", segment[:12])
    # (What an ICMP error quotes may end before the flags: then it is a first packet.)
    flags, payload = (segment[13], segment[(segment[12] >> 4) * 4 :]) if len(segment) > 13 else (SYN, b"")
    ends = source, source_port, destination, destination_port
    if not flags & (SYN | RST):
        return Packet(*ends, DATA), acknowledged if payload.startswith(HTTP) else sequence, payload
    what = "R" if flags & RST else "S." if flags & ACK else "S"
    key = (acknowledged - 1) & 0xFFFFFFFF if what != "S" and flags & ACK else sequence
    return Packet(*ends, what), key, payload


def _read_udp(source: str, destination: str, datagram: bytes) -> tuple[Packet, int, bytes]:
    source_port, destination_port = struct.unpack("!HH", datagram[:4])
    payload = datagram[8:]
    what = "dns" if DNS in (source_port, destination_port) else "udp"
    identity = int.from_bytes(payload[:2], "big")
    return Packet(source, source_port, destination, destination_port, what), identity, payload


def _read_icmp(source: str, destination: str, message: bytes) -> tuple[Packet, int, bytes]:
    name = _ICMP_NAMES.get((message[0], message[1]), f"icmp {message[0]}/{message[1]}")
    if message[0] not in (3, 11) or message[17] not in _READERS:
        return Packet(source, 0, destination, 0, name), 0, b""
    quoted, key, _ = read(message[8:])
    return Packet(source, 0, destination, 0, name, quoted), key, b""


_READERS = {TCP: _read_tcp, UDP: _read_udp, ICMP: _read_icmp}
