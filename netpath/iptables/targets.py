"""What a rule does with a packet that fulfils its conditions.

A target is one of four kinds: `FINAL` (the walk ends, and the target says how), `JUMP` (on to another
chain), `RETURN` (back to where that chain was jumped from), `CONTINUE` (it does something, and the next rule is asked).

Not modelled: what LOG, NFLOG and TRACE tell a person or a program; queueing to user space.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from netpath.iptables.context import Context
from netpath.iptables.matches import ALL_BITS
from netpath.packet import Address, IcmpType

FINAL, JUMP, RETURN, CONTINUE = range(4)


class Target:
    """What a rule does. `name` is what stands after `-j`; `str` is how iptables-save writes it all."""

    __slots__ = ()
    kind: ClassVar[int] = FINAL

    @property
    @abstractmethod
    def name(self) -> str: ...

    def apply(self, context: Context) -> None:
        """What a CONTINUE target alters."""


@dataclass(frozen=True, slots=True)
class Standard(Target):
    """ACCEPT, DROP or QUEUE."""

    name: str

    def __str__(self) -> str:
        return f"-j {self.name}"


ACCEPT = Standard("ACCEPT")
DROP = Standard("DROP")


@dataclass(frozen=True, slots=True)
class Return(Target):
    """RETURN: as if the chain ended here."""

    kind: ClassVar[int] = RETURN

    @property
    def name(self) -> str:
        return "RETURN"

    def __str__(self) -> str:
        return "-j RETURN"


@dataclass(frozen=True, slots=True)
class Jump(Target):
    """`-j CHAIN`, or `-g CHAIN`: on to a chain; when that ends, a goto comes back to the last jump instead."""

    chain: str
    goto: bool = False
    kind: ClassVar[int] = JUMP

    @property
    def name(self) -> str:
        return self.chain

    def __str__(self) -> str:
        return f"{'-g' if self.goto else '-j'} {self.chain}"


REJECTIONS: Mapping[str, IcmpType | None] = MappingProxyType(
    {
        "icmp-net-unreachable": IcmpType.NET_UNREACHABLE,
        "icmp-host-unreachable": IcmpType.HOST_UNREACHABLE,
        "icmp-proto-unreachable": IcmpType.PROTOCOL_UNREACHABLE,
        "icmp-port-unreachable": IcmpType.PORT_UNREACHABLE,
        "icmp-net-prohibited": IcmpType.NET_PROHIBITED,
        "icmp-host-prohibited": IcmpType.HOST_PROHIBITED,
        "tcp-reset": None,
        "icmp-admin-prohibited": IcmpType.ADMIN_PROHIBITED,
    }
)


@dataclass(frozen=True, slots=True)
class Reject(Target):
    """REJECT: drop, and tell the sender by an ICMP error or (`tcp-reset`) a TCP reset."""

    reply: str = "icmp-port-unreachable"

    @property
    def name(self) -> str:
        return "REJECT"

    @property
    def icmp(self) -> IcmpType | None:
        """The ICMP error that the sender gets; None for a TCP reset."""
        return REJECTIONS[self.reply]

    def __str__(self) -> str:
        return f"-j REJECT --reject-with {self.reply}"


@dataclass(frozen=True, slots=True)
class Mark(Target):
    """MARK: the packet's mark becomes (mark & ~mask) ^ value; every way to write it comes down to that."""

    value: int
    mask: int = ALL_BITS
    kind: ClassVar[int] = CONTINUE

    @property
    def name(self) -> str:
        return "MARK"

    def apply(self, context: Context) -> None:
        context.mark = (context.mark & ~self.mask) ^ self.value

    def __str__(self) -> str:
        return f"-j MARK --set-xmark {self.value:#x}/{self.mask:#x}"


@dataclass(frozen=True, slots=True)
class ConnectionMark(Target):
    """CONNMARK: set the connection's mark, `save` the packet's into it, or `restore` the packet's from it."""

    do: str
    value: int = 0
    connection_mask: int = ALL_BITS
    packet_mask: int = ALL_BITS
    kind: ClassVar[int] = CONTINUE

    @property
    def name(self) -> str:
        return "CONNMARK"

    def apply(self, context: Context) -> None:
        connection = context.connection
        if connection is None:
            return
        if self.do == "--set-xmark":
            connection.mark = (connection.mark & ~self.connection_mask) ^ self.value
        elif self.do == "--save-mark":
            connection.mark = (connection.mark & ~self.connection_mask) ^ (context.mark & self.packet_mask)
        else:
            context.mark = (context.mark & ~self.packet_mask) ^ (connection.mark & self.connection_mask)

    def __str__(self) -> str:
        if self.do == "--set-xmark":
            return f"-j CONNMARK --set-xmark {self.value:#x}/{self.connection_mask:#x}"
        return f"-j CONNMARK {self.do} --nfmask {self.packet_mask:#x} --ctmask {self.connection_mask:#x}"


@dataclass(frozen=True, slots=True)
class Translation(Target):
    """DNAT, SNAT, MASQUERADE or REDIRECT: the addresses and ports to choose from, as far as it says.

    `first` and `last` bound the addresses (None: the packet's own, or what MASQUERADE and REDIRECT take).
    `ports` is a range; with `base`, the port keeps its distance from it (DNAT's `80-90/8080`).
    """

    name: str
    first: Address | None = None
    last: Address | None = None
    ports: tuple[int, int] | None = None
    base: int | None = None
    random: bool = False
    random_fully: bool = False
    persistent: bool = False

    def __str__(self) -> str:
        text = f"-j {self.name}"
        to = self._addresses() + self._ports()
        text += f" {TO_OPTION[self.name]} {to}" if to else ""
        text += " --random" if self.random else ""
        text += " --random-fully" if self.random_fully else ""
        return f"{text} --persistent" if self.persistent else text

    def _addresses(self) -> str:
        if self.first is None:
            return ""
        return str(self.first) if self.last in (None, self.first) else f"{self.first}-{self.last}"

    def _ports(self) -> str:
        if self.ports is None:
            return ""
        first, last = self.ports
        text = str(first) if first == last else f"{first}-{last}"
        text = f":{text}" if TO_OPTION[self.name] != "--to-ports" else text
        return text if self.base is None else f"{text}/{self.base}"


TO_OPTION: Mapping[str, str] = MappingProxyType(
    {"DNAT": "--to-destination", "SNAT": "--to-source", "MASQUERADE": "--to-ports", "REDIRECT": "--to-ports"}
)


@dataclass(frozen=True, slots=True)
class NoTrack(Target):
    """NOTRACK, or `CT --notrack`: conntrack shall not look at the packet."""

    name: str = "CT"
    kind: ClassVar[int] = CONTINUE

    def apply(self, context: Context) -> None:
        if context.connection is None and not context.attached:
            context.state = "UNTRACKED"

    def __str__(self) -> str:
        return "-j CT --notrack" if self.name == "CT" else f"-j {self.name}"


@dataclass(frozen=True, slots=True)
class Note(Target):
    """LOG, NFLOG or TRACE: tells somebody, and goes on. `options` is canonical."""

    name: str
    options: str = ""
    kind: ClassVar[int] = CONTINUE

    def __str__(self) -> str:
        return f"-j {self.name}{self.options}"
