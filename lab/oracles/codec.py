"""Packets as bytes and back, with the headers that connection tracking looks at.

The case that a packet belongs to travels in it: as TCP's sequence number or in the payload of the others. NAT
leaves both alone. So whatever comes out somewhere can be told apart, whatever it was turned into.

Not modelled: options of IP and TCP, fragments. Checksums are written, since the kernel looks at them, and not
read: on a virtual wire they may be left to hardware that isn't there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from types import MappingProxyType

from netpath.packet import ICMP_NUMBERS, Address, Endpoint, IcmpType, Packet, Protocol, TcpFlags

_NUMBERS = {Protocol.TCP: 6, Protocol.UDP: 17, Protocol.ICMP: 1}
_FLAGS = {
    TcpFlags.SYN: 0x02,
    TcpFlags.SYN_ACK: 0x12,
    TcpFlags.ACK: 0x10,
    TcpFlags.PUSH: 0x18,
    TcpFlags.FIN: 0x11,
    TcpFlags.RESET: 0x14,
}
_MEANT = MappingProxyType({**{bits: flags for flags, bits in _FLAGS.items()}, 0x04: TcpFlags.RESET})
_ICMP = {numbers: icmp for icmp, numbers in ICMP_NUMBERS.items()}


@dataclass(frozen=True, slots=True)
class Sent:
    """A packet with what the model leaves out: TCP's two numbers. `sequence` is the case's mark in any protocol."""

    packet: Packet
    sequence: int = 0
    acknowledged: int = 0


def checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def written(sent: Sent) -> bytes:
    """An IP packet as the wire carries it."""
    packet = sent.packet
    ends = packet.source.address.packed + packet.destination.address.packed
    body = _WRITERS[packet.protocol](sent, ends)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, _NUMBERS[packet.protocol], 0) + ends
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def _tcp(sent: Sent, ends: bytes) -> bytes:
    packet = sent.packet
    assert packet.flags is not None
    numbers = sent.sequence & 0xFFFFFFFF, sent.acknowledged & 0xFFFFFFFF
    ports = packet.source.port, packet.destination.port
    body = struct.pack("!HHIIBBHHH", *ports, *numbers, 0x50, _FLAGS[packet.flags], 65000, 0, 0)
    return body[:16] + struct.pack("!H", checksum(_pseudo(ends, 6, body) + body)) + body[18:]


def _udp(sent: Sent, ends: bytes) -> bytes:
    packet = sent.packet
    body = struct.pack("!HHHHII", packet.source.port, packet.destination.port, 16, 0, sent.sequence, 0)
    return body[:6] + struct.pack("!H", checksum(_pseudo(ends, 17, body) + body) or 0xFFFF) + body[8:]


def _pseudo(ends: bytes, protocol: int, body: bytes) -> bytes:
    return ends + struct.pack("!BBH", 0, protocol, len(body))


def _icmp(sent: Sent, ends: bytes) -> bytes:
    packet = sent.packet
    assert packet.icmp is not None
    kind, code = ICMP_NUMBERS[packet.icmp]
    if packet.quotes is None:
        identifier = packet.source.port or packet.destination.port
        body = struct.pack("!BBHHHII", kind, code, 0, identifier, 7, sent.sequence, 0)
    else:
        quoted = written(Sent(packet.quotes, sent.sequence, sent.acknowledged))
        body = struct.pack("!BBHI", kind, code, 0, 0) + quoted[:48]
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


_WRITERS = {Protocol.TCP: _tcp, Protocol.UDP: _udp, Protocol.ICMP: _icmp}


def read(data: bytes) -> Sent:
    """What an IP packet's bytes say; of what an ICMP error quotes, as much as is there."""
    protocol, source, destination = data[9], Address(data[12:16]), Address(data[16:20])
    return _READERS[protocol](source, destination, data[(data[0] & 15) * 4 :])


def _read_tcp(source: Address, destination: Address, body: bytes) -> Sent:
    near, far, sequence, acknowledged = struct.unpack("!HHII", body[:12].ljust(12, b"\0"))
    flags = _MEANT[body[13]] if len(body) > 13 else TcpFlags.ACK
    packet = Packet(Protocol.TCP, Endpoint(source, near), Endpoint(destination, far), flags)
    return Sent(packet, sequence, acknowledged)


def _read_udp(source: Address, destination: Address, body: bytes) -> Sent:
    near, far = struct.unpack("!HH", body[:4])
    return Sent(Packet(Protocol.UDP, Endpoint(source, near), Endpoint(destination, far)), _mark(body))


def _read_icmp(source: Address, destination: Address, body: bytes) -> Sent:
    icmp = _ICMP[body[0], body[1]]
    if icmp.is_error:
        about = read(body[8:])
        packet = Packet(Protocol.ICMP, Endpoint(source), Endpoint(destination), icmp=icmp, quotes=about.packet)
        return Sent(packet, about.sequence)
    identifier = struct.unpack("!H", body[4:6])[0]
    asks = icmp is IcmpType.ECHO_REQUEST
    ends = Endpoint(source, identifier if asks else 0), Endpoint(destination, 0 if asks else identifier)
    return Sent(Packet(Protocol.ICMP, *ends, icmp=icmp), _mark(body))


def _mark(body: bytes) -> int:
    return int.from_bytes(body[8:12]) if len(body) >= 12 else 0


_READERS = {6: _read_tcp, 17: _read_udp, 1: _read_icmp}
