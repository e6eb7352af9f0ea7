"""What a rule asks of a packet: one small value for each kind of match, named as iptables names it.

A `Match` answers three questions: does it hold (`holds`), why (`why`, in words), and how does
iptables-save write it (`str`). What depends on chance or memory (`statistic`,
`recent`) is in `netpath.iptables.consulted`.

Not modelled: fragments (no packet is one), TTLs, TCP options, matches that look into payloads.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from netpath.iptables.context import Context, Flow
from netpath.packet import ICMP_NUMBERS, Address, TcpFlags, dotted

ALL_BITS = 0xFFFFFFFF
Ports = tuple[int, int]


def masked(number: int, mask: int) -> str:
    """`ADDRESS/LENGTH`, or `ADDRESS/MASK` where the mask has holes (xtables_ipmask_to_numeric)."""
    length = mask.bit_count()
    contiguous = mask == ALL_BITS & ~(ALL_BITS >> length)
    return f"{dotted(number)}/{length if contiguous else dotted(mask)}"


def ports(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}:{last}"


def quoted(text: str) -> str:
    """A text as xtables_save_string prints it: bare if it is a plain word, otherwise in quotes."""
    if text and all(c.isascii() and (c.isalnum() or c in "_-") for c in text):
        return text
    return '"' + "".join(f"\\{c}" if c in "\"\\'" else c for c in text) + '"'


class Match:
    """A condition on a packet."""

    __slots__ = ()

    @abstractmethod
    def holds(self, context: Context) -> bool:
        """Whether the packet fulfils it; alters nothing."""

    @abstractmethod
    def why(self, context: Context) -> str:
        """What the packet has that decides it, in words."""

    def port_cuts(self) -> Collection[int] | None:
        """The ports at which its answer may change; None if it looks at what a packet's header doesn't tell."""
        return ()


def either(negated: bool, option: str) -> str:
    """An option, with `!` before it if it is negated."""
    return f"! {option}" if negated else option


@dataclass(frozen=True, slots=True)
class Source(Match):
    """`-s`: the source address under a mask."""

    number: int
    mask: int = ALL_BITS
    negated: bool = False

    def holds(self, context: Context) -> bool:
        return ((context.packet.source.address._ip & self.mask) == self.number) is not self.negated  # type: ignore[attr-defined]

    def why(self, context: Context) -> str:
        held = self.holds(context) is not self.negated
        return f"source {context.packet.source.address} is {'' if held else 'not '}in {masked(self.number, self.mask)}"

    def __str__(self) -> str:
        return either(self.negated, f"-s {masked(self.number, self.mask)}")


@dataclass(frozen=True, slots=True)
class Destination(Match):
    """`-d`: the destination address under a mask."""

    number: int
    mask: int = ALL_BITS
    negated: bool = False

    def holds(self, context: Context) -> bool:
        return ((context.packet.destination.address._ip & self.mask) == self.number) is not self.negated  # type: ignore[attr-defined]

    def why(self, context: Context) -> str:
        inside = "" if self.holds(context) is not self.negated else "not "
        return f"destination {context.packet.destination.address} is {inside}in {masked(self.number, self.mask)}"

    def __str__(self) -> str:
        return either(self.negated, f"-d {masked(self.number, self.mask)}")


@dataclass(frozen=True, slots=True)
class Interface(Match):
    """`-i` or `-o`: the interface by name, or by the beginning of its name (`eth+`)."""

    option: str
    name: str
    negated: bool = False

    def holds(self, context: Context) -> bool:
        actual = context.input if self.option == "-i" else context.output
        name = self.name
        return (actual.startswith(name[:-1]) if name[-1] == "+" else actual == name) is not self.negated

    def why(self, context: Context) -> str:
        way, actual = ("in", context.input) if self.option == "-i" else ("out", context.output)
        held = self.holds(context) is not self.negated
        return f"{way} interface {actual or '(none)'} is {'' if held else 'not '}{self.name}"

    def __str__(self) -> str:
        return either(self.negated, f"{self.option} {self.name}")


@dataclass(frozen=True, slots=True)
class ProtocolIs(Match):
    """`-p`: the protocol, by iptables' name for it (its number where it has none)."""

    name: str
    negated: bool = False

    def holds(self, context: Context) -> bool:
        return (context.packet.protocol == self.name) is not self.negated

    def why(self, context: Context) -> str:
        protocol = context.packet.protocol
        return f"protocol is {protocol}" if protocol == self.name else f"protocol is {protocol}, not {self.name}"

    def __str__(self) -> str:
        return either(self.negated, f"-p {self.name}")


@dataclass(frozen=True, slots=True)
class Fragment(Match):
    """`-f`: a fragment that isn't the first. No packet here is one."""

    negated: bool = False

    def holds(self, context: Context) -> bool:
        return self.negated

    def why(self, context: Context) -> str:
        return "the packet is whole"

    def __str__(self) -> str:
        return either(self.negated, "-f")


@dataclass(frozen=True, slots=True)
class Comment(Match):
    """`-m comment`: words for people; holds always."""

    text: str

    def holds(self, context: Context) -> bool:
        return True

    def why(self, context: Context) -> str:
        return "a comment"

    def __str__(self) -> str:
        return f"-m comment --comment {quoted(self.text)}"


@dataclass(frozen=True, slots=True)
class Accounting(Match):
    """`-m nfacct`: counts the packet in a counter with a name, as kube-proxy has it done; holds always."""

    counter: str

    def holds(self, context: Context) -> bool:
        return True

    def why(self, context: Context) -> str:
        return f"counted in {self.counter}"

    def __str__(self) -> str:
        return f"-m nfacct --nfacct-name {quoted(self.counter)}"


FLAG_BITS: Mapping[str, int] = MappingProxyType({"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32})
_SEGMENTS = {
    TcpFlags.SYN: 2,
    TcpFlags.SYN_ACK: 18,
    TcpFlags.ACK: 16,
    TcpFlags.PUSH: 24,
    TcpFlags.FIN: 17,
    TcpFlags.RESET: 4,
}


def flag_names(bits: int) -> str:
    return ",".join(name for name, bit in FLAG_BITS.items() if bits & bit) or "NONE"


@dataclass(frozen=True, slots=True)
class PortsOf(Match):
    """`-m tcp`, `udp` or `sctp`: port ranges, and for TCP the flags (mask, bits) of the segment."""

    protocol: str
    source: Ports | None = None
    destination: Ports | None = None
    flags: Ports | None = None
    not_source: bool = False
    not_destination: bool = False
    not_flags: bool = False

    def holds(self, context: Context) -> bool:
        packet = context.packet
        wanted = self.destination
        if wanted is not None and (wanted[0] <= packet.destination.port <= wanted[1]) is self.not_destination:
            return False
        wanted = self.source
        if wanted is not None and (wanted[0] <= packet.source.port <= wanted[1]) is self.not_source:
            return False
        return self.flags is None or self._flags_hold(packet.flags)

    def port_cuts(self) -> Collection[int]:
        return [cut for first, last in filter(None, (self.source, self.destination)) for cut in (first, last + 1)]

    def _flags_hold(self, segment: TcpFlags | None) -> bool:
        mask, bits = self.flags or (0, 0)
        return segment is not None and ((_SEGMENTS[segment] & mask) == bits) is not self.not_flags

    def why(self, context: Context) -> str:
        packet = context.packet
        reasons = [
            f"{name} port {actual} is {'' if wanted[0] <= actual <= wanted[1] else 'not '}{ports(*wanted)}"
            for name, wanted, actual in (
                ("source", self.source, packet.source.port),
                ("destination", self.destination, packet.destination.port),
            )
            if wanted is not None
        ]
        if self.flags is not None and packet.flags is not None:
            mask = self.flags[0]
            reasons.append(f"of the flags {flag_names(mask)} it has {flag_names(_SEGMENTS[packet.flags] & mask)}")
        return ", ".join(reasons) or f"any {self.protocol} packet"

    def __str__(self) -> str:
        text = f"-m {self.protocol}"
        if self.source is not None:
            text += f" {either(self.not_source, '--sport')} {ports(*self.source)}"
        if self.destination is not None:
            text += f" {either(self.not_destination, '--dport')} {ports(*self.destination)}"
        if self.flags is not None:
            mask, bits = self.flags
            text += f" {either(self.not_flags, '--tcp-flags')} {flag_names(mask)} {flag_names(bits)}"
        return text


@dataclass(frozen=True, slots=True)
class IcmpIs(Match):
    """`-m icmp`: the message's type, and its code unless any will do. Type 255 is "any" (ipt_icmp.h)."""

    type: int
    code: int | None = None
    negated: bool = False

    def holds(self, context: Context) -> bool:
        if context.packet.icmp is None:
            return False
        actual_type, actual_code = ICMP_NUMBERS[context.packet.icmp]
        held = self.type == 255 or (self.type == actual_type and self.code in (None, actual_code))
        return held is not self.negated

    def why(self, context: Context) -> str:
        return f"the ICMP message is {context.packet.icmp}"

    def __str__(self) -> str:
        number = "any" if self.type == 255 else str(self.type) if self.code is None else f"{self.type}/{self.code}"
        return f"-m icmp {either(self.negated, '--icmp-type')} {number}"


@dataclass(frozen=True, slots=True)
class Multiport(Match):
    """`-m multiport`: up to 15 ports (a range counts for two) of the source, the destination, or either."""

    option: str
    ranges: tuple[Ports, ...]
    negated: bool = False

    def holds(self, context: Context) -> bool:
        source, destination = context.packet.source.port, context.packet.destination.port
        sought = {"--sports": (source,), "--dports": (destination,), "--ports": (source, destination)}[self.option]
        return any(first <= port <= last for first, last in self.ranges for port in sought) is not self.negated

    def why(self, context: Context) -> str:
        ends = f"ports are {context.packet.source.port} and {context.packet.destination.port}"
        return f"{ends}, the list {self.option} {self._list()}"

    def port_cuts(self) -> Collection[int]:
        return [cut for first, last in self.ranges for cut in (first, last + 1)]

    def _list(self) -> str:
        return ",".join(ports(first, last) for first, last in self.ranges)

    def __str__(self) -> str:
        return f"-m multiport {either(self.negated, self.option)} {self._list()}"


@dataclass(frozen=True, slots=True)
class MarkIs(Match):
    """`-m mark` or `-m connmark`: the packet's mark, or its connection's, under a mask."""

    of: str
    value: int
    mask: int = ALL_BITS
    negated: bool = False

    def holds(self, context: Context) -> bool:
        if self.of == "mark":
            actual = context.mark
        elif context.connection is None:
            return False  # xt_connmark.c: without a connection it never holds, inverted or not
        else:
            actual = context.connection.mark
        return ((actual & self.mask) == self.value) is not self.negated

    def why(self, context: Context) -> str:
        if self.of == "mark":
            return f"mark {context.mark:#x} & {self.mask:#x} is {context.mark & self.mask:#x}"
        if context.connection is None:
            return "there is no connection"
        mark = context.connection.mark
        return f"connection mark {mark:#x} & {self.mask:#x} is {mark & self.mask:#x}"

    def __str__(self) -> str:
        mask = "" if self.mask == ALL_BITS else f"/{self.mask:#x}"
        return f"-m {self.of} {either(self.negated, '--mark')} {self.value:#x}{mask}"


ADDRESS_TYPES = (
    "UNSPEC",
    "UNICAST",
    "LOCAL",
    "BROADCAST",
    "ANYCAST",
    "MULTICAST",
    "BLACKHOLE",
    "UNREACHABLE",
    "PROHIBIT",
    "THROW",
    "NAT",
    "XRESOLVE",
)


@dataclass(frozen=True, slots=True)
class AddressType(Match):
    """`-m addrtype`: what the routing tables make of an address; `limit` asks one interface's alone."""

    source: tuple[str, ...] = ()
    destination: tuple[str, ...] = ()
    not_source: bool = False
    not_destination: bool = False
    limit: str = ""

    def _kinds(self, context: Context) -> tuple[tuple[str, Address, tuple[str, ...], bool, str], ...]:
        interface = {"": None, "in": context.input, "out": context.output}[self.limit]
        ends = (
            ("source", context.packet.source.address, self.source, self.not_source),
            ("destination", context.packet.destination.address, self.destination, self.not_destination),
        )
        return tuple((*end, context.type_of(end[1], interface)) for end in ends if end[2])

    def holds(self, context: Context) -> bool:
        return all((kind in wanted) is not negated for _, _, wanted, negated, kind in self._kinds(context))

    def why(self, context: Context) -> str:
        return ", ".join(f"{name} {address} is {kind}" for name, address, _, _, kind in self._kinds(context))

    def __str__(self) -> str:
        text = "-m addrtype"
        if self.source:
            text += f" {either(self.not_source, '--src-type')} {','.join(self.source)}"
        if self.destination:
            text += f" {either(self.not_destination, '--dst-type')} {','.join(self.destination)}"
        return f"{text} --limit-iface-{self.limit}" if self.limit else text


STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")
STATUSES = ("EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED")


@dataclass(frozen=True, slots=True)
class Conntrack(Match):
    """`-m conntrack --ctstate`, or `-m state`: where the packet stands in its connection.

    SNAT and DNAT are virtual states: they hold when the connection's source, or destination, is translated.
    """

    states: frozenset[str]
    negated: bool = False
    module: str = "conntrack"

    def holds(self, context: Context) -> bool:
        states = self.states
        held = context.state in states
        if not held and context.connection is not None:
            held = ("SNAT" in states and "SNAT" in context.status) or ("DNAT" in states and "DNAT" in context.status)
        return held is not self.negated

    def why(self, context: Context) -> str:
        virtual = [name for name in ("SNAT", "DNAT") if name in context.status]
        return f"the connection's state is {','.join([context.state, *virtual])}"

    def options(self) -> str:
        option = "--state" if self.module == "state" else "--ctstate"
        return f"{either(self.negated, option)} {','.join(name for name in STATES if name in self.states)}"

    def __str__(self) -> str:
        return f"-m {self.module} {self.options()}"


CT_ADDRESSES = ("--ctorigsrc", "--ctorigdst", "--ctreplsrc", "--ctrepldst")
CT_PORTS = ("--ctorigsrcport", "--ctorigdstport", "--ctreplsrcport", "--ctrepldstport")


@dataclass(frozen=True, slots=True)
class ConntrackEntry(Match):
    """`-m conntrack` with more than a state: the entry's tuples, status bits and direction.

    `ends` maps an option (`--ctorigdst`, `--ctreplsrcport` …) to (number, mask) or a port range, and whether
    it is negated.
    """

    state: Conntrack | None = None
    protocol: tuple[int, str, bool] | None = None
    ends: tuple[tuple[str, tuple[int, int], bool], ...] = ()
    status: tuple[frozenset[str], bool] | None = None
    direction: str | None = None

    def holds(self, context: Context) -> bool:
        if self.state is not None and not self.state.holds(context):
            return False
        if context.connection is None:  # xt_conntrack.c: then the state alone decides
            return self.state is not None
        return all(held for held, _ in self._tests(context))

    def port_cuts(self) -> Collection[int] | None:
        return None if self.ends or self.protocol else ()

    def _tests(self, context: Context) -> list[tuple[bool, str]]:
        connection = context.connection
        assert connection is not None
        tests = []
        if self.direction is not None:
            tests.append((context.direction == self.direction, f"the direction is {context.direction}"))
        for option, wanted, negated in self.ends:
            flow = connection.original if option.startswith("--ctorig") else connection.reply
            actual, held = _end_of(flow, option, wanted)
            tests.append((held is not negated, f"{option} is {actual}"))
        if self.protocol is not None:
            protocol = connection.original.protocol
            tests.append(((protocol == self.protocol[1]) is not self.protocol[2], f"--ctproto is {protocol}"))
        if self.status is not None:
            bits = ",".join(name for name in STATUSES if name in context.status) or "NONE"
            tests.append((bool(self.status[0] & context.status) is not self.status[1], f"--ctstatus is {bits}"))
        return tests

    def why(self, context: Context) -> str:
        if self.state is not None and not self.state.holds(context):
            return self.state.why(context)
        if context.connection is None:
            return "there is no connection"
        tests = self._tests(context)
        return next((reason for held, reason in tests if not held), ", ".join(reason for _, reason in tests))

    def __str__(self) -> str:
        text = "-m conntrack"
        if self.state is not None:
            text += f" {self.state.options()}"
        if self.protocol is not None:
            text += f" {either(self.protocol[2], '--ctproto')} {self.protocol[0]}"
        for option, wanted, negated in self.ends:
            if option in CT_ADDRESSES:
                text += f" {either(negated, option)} {masked(*wanted).removesuffix('/32')}"
        for option, wanted, negated in self.ends:
            if option in CT_PORTS:
                text += f" {either(negated, option)} {ports(*wanted)}"
        if self.status is not None:
            names = ",".join(name for name in STATUSES if name in self.status[0]) or "NONE"
            text += f" {either(self.status[1], '--ctstatus')} {names}"
        return text if self.direction is None else f"{text} --ctdir {self.direction}"


def _end_of(flow: Flow, option: str, wanted: tuple[int, int]) -> tuple[object, bool]:
    """What the flow has where the option looks, and whether that is what it wants."""
    end = flow.source if "src" in option else flow.destination
    if option in CT_PORTS:
        return end.port, wanted[0] <= end.port <= wanted[1]
    return end.address, (int(end.address) ^ wanted[0]) & wanted[1] == 0
