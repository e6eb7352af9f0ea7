"""Which packets a tap lets through, as a classic BPF program for the kernel.

First packets of TCP connections and their answers, resets, packets in which a request or a response begins, ICMP,
DNS. The rest of each connection never leaves the kernel.

Sources: linux/filter.h; Documentation/networking/filter.rst.

Not modelled: anything but IPv4; of what is longer than one packet, the beginning is seen.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

TCP, UDP, ICMP = 6, 17, 1
SYN, RST, ACK = 2, 4, 16
DNS = 53
GET, HTTP = b"GET ", b"HTTP"


class _Line(NamedTuple):
    """One instruction: what it does, its number, and where it goes on, by label (empty: the next one)."""

    do: str
    number: int = 0
    yes: str = ""
    no: str = ""
    label: str = ""


_CODES = {  # linux/bpf_common.h
    "A = byte": 0x30,
    "A = half[X+]": 0x48,
    "A = byte[X+]": 0x50,
    "A = word[X+]": 0x40,
    "X = IP header": 0xB1,
    "A >>=": 0x74,
    "A &=": 0x54,
    "A += X": 0x0C,
    "X = A": 0x07,
    "A ==": 0x15,
    "A &": 0x45,
    "return": 0x06,
}

_PROGRAM = (
    _Line("A = byte", 9),  # the protocol; a packet begins with its IP header
    _Line("A ==", ICMP, yes="keep"),
    _Line("A ==", UDP, yes="udp"),
    _Line("A ==", TCP, no="drop"),
    _Line("X = IP header"),
    _Line("A = byte[X+]", 13),  # TCP's flags
    _Line("A &", SYN | RST, yes="keep"),
    _Line("A = byte[X+]", 12),  # in the upper half, where the data begin, in words of four bytes
    _Line("A >>=", 2),
    _Line("A &=", 0x3C),
    _Line("A += X"),
    _Line("X = A"),
    _Line("A = word[X+]"),
    _Line("A ==", int.from_bytes(GET, "big"), yes="keep"),
    _Line("A ==", int.from_bytes(HTTP, "big"), yes="keep", no="drop"),
    _Line("X = IP header", label="udp"),
    _Line("A = half[X+]", 0),  # the ports
    _Line("A ==", DNS, yes="keep"),
    _Line("A = half[X+]", 2),
    _Line("A ==", DNS, no="drop"),
    _Line("return", 0xFFFF, label="keep"),
    _Line("return", 0, label="drop"),
)


def program() -> bytes:
    """The program as an array of `struct sock_filter`."""
    places = {line.label: number for number, line in enumerate(_PROGRAM) if line.label}

    def jump(label: str, here: int) -> int:
        return places[label] - here - 1 if label else 0

    return b"".join(
        struct.pack("HBBI", _CODES[line.do], jump(line.yes, here), jump(line.no, here), line.number)
        for here, line in enumerate(_PROGRAM)
    )
