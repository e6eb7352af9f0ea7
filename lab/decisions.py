"""Which rules decided: the kernel's own account of a packet's way through the tables of a node.

nftables can trace packets (`meta nftrace set 1`), and iptables' rules are nftables' where `iptables-nft` has loaded
them. For each rule that matched a message comes by netlink, with its table, chain and handle; a handle's place in its
chain makes it `nat KUBE-SERVICES 8`, as a person would look it up.

First packets of TCP connections alone are traced: nat's rules see no others.

Sources: Linux, include/uapi/linux/netfilter/nf_tables.h (nft_trace_attributes), net/netfilter/nf_tables_core.c.

Not modelled: iptables-legacy, and so any user but root; the steps of the routing decision.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterable, Iterator

from lab.namespaces import inside, run
from lab.network import Host, real_root

_NETLINK_NETFILTER, _GROUP = 12, 9  # NFNLGRP_NFTRACE
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1
_TRACE = 10 << 8 | 17  # NFNL_SUBSYS_NFTABLES, NFT_MSG_TRACE
_TABLE, _CHAIN, _HANDLE, _ID, _TRANSPORT = 1, 2, 3, 6, 9  # NFTA_TRACE_…
_OWN = "lab-trace"
_MARKING = f"""table ip {_OWN} {{
  chain arriving {{ type filter hook prerouting priority -350; tcp flags & (syn | ack) == syn meta nftrace set 1; }}
  chain leaving {{ type filter hook output priority -350; tcp flags & (syn | ack) == syn meta nftrace set 1; }}
}}
"""


class Decisions:
    """The rules that first packets matched, in some hosts, from now on."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        hosts = list(hosts) if real_root() else []
        self._rules = {host.place: _numbered(host) for host in hosts}
        self._taps = {host.place: _tap(host) for host in hosts}

    def seen(self) -> dict[tuple[str, int], list[str]]:
        """The rules matched since the last call, by place and by the packet's first sequence number."""
        found: dict[tuple[str, int], list[str]] = {}
        for place, tap in self._taps.items():
            keys: dict[bytes, int] = {}
            for attributes in _messages(tap):
                packet = attributes[_ID]
                if _TRANSPORT in attributes:
                    keys[packet] = int.from_bytes(attributes[_TRANSPORT][4:8], "big")
                name = _text(attributes[_TABLE]), _text(attributes[_CHAIN])
                if name[0] != _OWN and _HANDLE in attributes:  # without one, it is the end of a chain, or its policy
                    number = self._rules[place][*name, int.from_bytes(attributes[_HANDLE], "big")]
                    found.setdefault((place, keys[packet]), []).append(f"{name[0]} {name[1]} {number}")
        return found

    def close(self) -> None:
        for tap in self._taps.values():
            tap.close()


def _numbered(host: Host) -> dict[tuple[str, str, int], int]:
    """The place of each rule in its chain, by table, chain and handle."""
    found: dict[tuple[str, str, int], int] = {}
    table = chain = ""
    number = 0
    with inside(host.namespace):
        lines = run("nft", "--handle", "list", "ruleset").splitlines()
    for line in lines:
        if begun := re.match(r"(table|\tchain) (?:ip )?(\S+)", line):
            table, chain = (begun[2], "") if begun[1] == "table" else (table, begun[2])
            number = 0
        elif handle := re.search(r"# handle (\d+)$", line):
            number += 1
            found[table, chain, int(handle[1])] = number
    return found


def _tap(host: Host) -> socket.socket:
    with inside(host.namespace):
        run("nft", "-f", "-", text=_MARKING)
        tap = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
    tap.bind((0, 0))
    tap.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP)
    tap.setblocking(False)
    return tap


def _messages(tap: socket.socket) -> Iterator[dict[int, bytes]]:
    """The attributes of each trace message that is waiting."""
    while True:
        try:
            data = tap.recv(65536)
        except BlockingIOError:
            return
        while data:
            length, kind = struct.unpack("IH", data[:6])
            if kind == _TRACE:
                yield dict(_attributes(data[20:length]))  # after the headers of netlink and of netfilter
            data = data[length + 3 & ~3 :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        length, kind = struct.unpack("HH", data[:4])
        yield kind & 0x3FFF, data[4:length]
        data = data[length + 3 & ~3 :]


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode()
