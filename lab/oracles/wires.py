"""Client, node and sink: three network namespaces in a row, with something that listens at every end.

    client -- c0 ===== n0 -- node -- n1 ===== s0 -- sink

The node is a Linux with netfilter; the other two are bare ends of a wire, whose every packet is written and read
here. They can speak from any address. 10.1.0.0/16 is on the client's side, 10.2.0.0/16 on the sink's.

A packet is put in, and then a question that no rule sees (ARP) is asked and waited for: the kernel works through
its queue in order, so when that is answered everything that the packet gave rise to is out.

Not modelled: bridges. The process must be alone in its namespaces (`lab.isolation`) and keeps to one processor.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

from lab.namespaces import create, inside, ip, run, sysctl
from lab.oracles.codec import Sent, read, written
from netpath.packet import Address, address, network
from netpath.routing import Host, Route

CLIENT, NODE, SINK = "client", "node", "sink"

#: The interface that each end is at, as the node sees it.
INTERFACES: Mapping[str, str] = MappingProxyType({CLIENT: "n0", SINK: "n1"})
ENDS: Mapping[str, str] = MappingProxyType({"n0": CLIENT, "n1": SINK})

NODE_ADDRESSES: Mapping[Address, str] = MappingProxyType(
    {address("10.1.0.1"): "n0", address("10.1.0.9"): "n0", address("10.2.0.1"): "n1"}
)
_VIA = {"n0": address("10.1.0.2"), "n1": address("10.2.0.2")}
_NETWORKS = {"n0": network("10.1.0.0/16"), "n1": network("10.2.0.0/16")}
_DEAD_ENDS = (
    Route(network("10.5.0.0/24"), kind="blackhole"),
    Route(network("10.5.1.0/24"), kind="unreachable"),
    Route(network("10.5.2.0/24"), kind="prohibit"),
)
SERVICES = network("10.96.0.0/16")
OTHER_TABLE = "100"

ROUTES = (
    *(Route(network(f"{via}/32"), interface) for interface, via in _VIA.items()),
    *(Route(_NETWORKS[interface], interface, via) for interface, via in _VIA.items()),
    Route(SERVICES, "n1", _VIA["n1"]),
    Route(network("10.96.0.2/32"), "n0", _VIA["n0"]),  # the longer prefix leads elsewhere
    Route(SERVICES, "n0", _VIA["n0"], table=OTHER_TABLE),
    *_DEAD_ENDS,
)

# Without these the kernel keeps quiet about some of what it refuses, or speaks of what nobody asked.
_SYSCTLS = {
    "net.ipv4.icmp_ratelimit": 0,
    "net.ipv4.icmp_msgs_per_sec": 1_000_000,
    "net.ipv4.icmp_msgs_burst": 1_000_000,
    "net.ipv4.icmp_echo_ignore_all": 1,
    "net.ipv6.conf.all.disable_ipv6": 1,
    **{f"net.ipv4.conf.{each}.send_redirects": 0 for each in ("all", "n0", "n1")},
}
_ARP, _IP, _OUTGOING = 0x0806, 0x0800, 4
_IP_PKTINFO = 8  # Python 3.11 has no name for it


class Heard(NamedTuple):
    """A packet that came out, and where."""

    where: str
    sent: Sent


class Wires:
    """The three namespaces and the sockets in them; the node is the namespace that this process is in already."""

    def __init__(self) -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0), key=lambda each: (each + os.getpid()) % 2)})
        create(CLIENT, SINK)
        ip([f"link add n0 type veth peer name c0 netns {CLIENT}", f"link add n1 type veth peer name s0 netns {SINK}"])
        self._macs = {name: _mac(name) for name in ("n0", "n1")}
        self._taps: dict[str, socket.socket] = {}
        for where, interface in ((CLIENT, "c0"), (SINK, "s0")):
            with inside(where):
                ip([f"link set {interface} up"])
                self._macs[interface] = _mac(interface)
                self._taps[where] = _tap(interface, _IP)
                if where == CLIENT:
                    self._arp = _tap(interface, _ARP)
                    self._arp.settimeout(0.5)
        self._configure()
        self._local = [_raw(protocol) for protocol in (6, 17, 1)]
        self._out = _raw(socket.IPPROTO_RAW)
        self._question = self._arp_question()

    def _configure(self) -> None:
        lines = [f"addr add {own}/16 dev {interface}" for own, interface in NODE_ADDRESSES.items()]
        lines += [f"link set {interface} up" for interface in INTERFACES.values()]
        lines += [f"route del {block} dev {interface}" for interface, block in _NETWORKS.items()]
        for interface, far in (("n0", "c0"), ("n1", "s0")):
            mac = self._macs[far].hex(":")
            lines.append(f"neigh add {_VIA[interface]} lladdr {mac} dev {interface} nud permanent")
        ip(lines)
        ip(f"route add {_as_ip_route(route)}" for route in ROUTES)
        sysctl(_SYSCTLS)

    def _arp_question(self) -> bytes:
        """Who has 10.1.0.1? Tell 10.1.0.2."""
        me = self._macs["c0"]
        asked = struct.pack("!HHBBH", 1, _IP, 6, 4, 1) + me + _VIA["n0"].packed + bytes(6)
        return self._macs["n0"] + me + struct.pack("!H", _ARP) + asked + address("10.1.0.1").packed

    def put(self, where: str, sent: Sent) -> list[Heard]:
        """Send a packet from an end, or from the node itself; what came out, where, in no order."""
        data = written(sent)
        if where == NODE:
            source, destination = sent.packet.source.address, sent.packet.destination.address
            about = struct.pack("!i4s4s", 0, source.packed, bytes(4))  # or the way is looked for without a source
            with suppress(OSError):  # there may be no way to where it goes
                self._out.sendmsg([data], [(socket.IPPROTO_IP, _IP_PKTINFO, about)], 0, (str(destination), 0))
        else:
            near, far = ("c0", "n0") if where == CLIENT else ("s0", "n1")
            self._taps[where].send(self._macs[far] + self._macs[near] + struct.pack("!H", _IP) + data)
        self._settle()
        return list(self.heard())

    def _settle(self) -> None:
        """Wait until the kernel has done what it had to do; twice, for what goes round by `lo` queues up again."""
        for _ in range(2):
            for _ in range(20):
                self._arp.send(self._question)
                with suppress(TimeoutError):
                    self._arp.recv(128)
                    break

    def heard(self) -> Iterator[Heard]:
        """What has come out since somebody asked last."""
        for where, tap in self._taps.items():
            for data, about in _waiting(tap):
                if about[2] != _OUTGOING:
                    yield Heard(where, read(data[14:]))
        for local in self._local:
            for data, _ in _waiting(local):
                yield Heard(NODE, read(data))


def host(name: str = NODE, **more: object) -> Host:
    """The node as the model has it; `more`: its rules and switches."""
    given: dict[str, object] = {"addresses": dict(NODE_ADDRESSES), "routes": ROUTES}
    prefixes = dict.fromkeys(NODE_ADDRESSES, 16)
    return Host(name, prefixes=prefixes, **given, **more)  # type: ignore[arg-type]


def _as_ip_route(route: Route) -> str:
    kind = "" if route.kind == "unicast" else f"{route.kind} "
    via = f" via {route.gateway}" if route.gateway else ""
    dev = f" dev {route.interface}" if route.interface else ""
    return f"{kind}{route.destination}{via}{dev} table {route.table}"


def _mac(interface: str) -> bytes:
    words = run("ip", "-o", "link", "show", interface).split()
    return bytes.fromhex(words[words.index("link/ether") + 1].replace(":", ""))


def _tap(interface: str, protocol: int) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    made.bind((interface, protocol))
    made.setblocking(False)
    return made


def _raw(protocol: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol)
    made.setblocking(False)
    return made


def _waiting(one: socket.socket) -> Iterator[tuple[bytes, tuple[object, ...]]]:
    with suppress(BlockingIOError):
        while True:
            yield one.recvfrom(2048)
