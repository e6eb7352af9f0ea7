"""Conversations through the node: first packets, answers to what came out, errors about it, and what comes next.

A conversation is drawn before anything is sent, so it can't know what will come out where. It says "answer what
number 7 turned into", and that is looked up when its turn comes. What never came out can't be answered: such a
stimulus is passed over, and so are those that would build on it. That is also what lets any of them be left out.

TCP's numbers are kept so that every segment is inside the window, for the model knows no windows.

Not modelled: lost packets, and those that overtake others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.oracles.codec import Sent
from lab.oracles.wires import ENDS, INTERFACES, NODE, Heard
from netpath.choice import Choose, Weights, first
from netpath.netfilter import Host, HostMemory, Passage, receive, send
from netpath.packet import Address, IcmpType, Packet, Protocol, TcpFlags

# Stimuli -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fresh:
    """A packet out of the blue, from one end or from the node itself."""

    where: str
    packet: Packet


@dataclass(frozen=True, slots=True)
class Answer:
    """Whoever got what a stimulus came out as answers; `flags` for TCP, before and after the handshake."""

    of: int
    flags: tuple[TcpFlags, TcpFlags]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Somebody on the way (or, without `reporter`, the destination) sends an ICMP error about what came out."""

    of: int
    icmp: IcmpType
    reporter: Address | None


@dataclass(frozen=True, slots=True)
class Again:
    """The client's next segment of a connection that a stimulus began."""

    of: int
    flags: TcpFlags


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing happens until so many seconds after the beginning."""

    until: float


Stimulus = Fresh | Answer | Trouble | Again | Pause
Script = tuple[tuple[int, Stimulus], ...]  # each with its number, which stays when others are left out

# What was said so far ------------------------------------------------------------------------------

_FIRST = 0x40000000
_SERVERS_OWN = 0x80  # a connection's 256 numbers: the first half for the client's, the second for the server's


@dataclass(slots=True)
class Flow:
    """A TCP connection as its two ends know it: where each one's numbers begin and how far they have come."""

    where: str
    packet: Packet
    client_first: int
    client_heard: int | None = None
    server_heard: int | None = None
    opened: bool = False  # the client has acknowledged something: only now has the server a window
    ending: bool = False  # there was a FIN or a RST: another SYN may begin anew
    unnumbered: bool = False  # the server's first word was a reset, of number 0: a SYN after it may not begin anew

    @property
    def server_first(self) -> int:
        return self.client_first + _SERVERS_OWN

    def clients(self, flags: TcpFlags) -> tuple[int, int] | None:
        """Sequence and acknowledgement of the client's next segment; None if it can't have one yet."""
        if flags is TcpFlags.SYN:
            if self.ending:
                self.client_heard = self.server_heard = None
                self.opened = self.ending = False
            return self.client_first, 0
        if self.server_heard is None:
            return None
        following = self.client_first + 1
        return following if flags is TcpFlags.FIN else max(self.client_heard or 0, following), self.server_heard

    def servers(self, flags: TcpFlags) -> tuple[int, int] | None:
        """The same for the server's."""
        if flags is TcpFlags.SYN_ACK:
            return self.server_first, self.client_first + 1
        acknowledged = self.client_heard or self.client_first + 1
        if self.server_heard is None:
            if flags is TcpFlags.RESET:
                return 0, acknowledged
            unsaid = self.ending or self.unnumbered or flags is TcpFlags.FIN
            return None if unsaid else (self.server_first, acknowledged)
        if not self.opened and flags is not TcpFlags.RESET:
            return None
        return self.server_first + 1 if flags is TcpFlags.FIN else self.server_heard, acknowledged


@dataclass(slots=True)
class Talk:
    """One conversation as it goes."""

    heard: dict[int, list[Heard]] = field(default_factory=dict)
    flows: dict[int, Flow] = field(default_factory=dict)

    def next(self, number: int, stimulus: Stimulus) -> tuple[str, Sent] | None:
        """What to send now, and from where; None if there is nothing that it could refer to."""
        match stimulus:
            case Fresh(where, packet):
                return where, self._fresh(number, where, packet)
            case Answer(of, flags):
                return self._answer(number, of, flags)
            case Trouble(of, icmp, reporter):
                return self._trouble(of, icmp, reporter)
            case Again(of, flags):
                return self._again(of, flags)
            case Pause():
                return None

    def _fresh(self, number: int, where: str, packet: Packet) -> Sent:
        sequence = _FIRST + (number << 8)
        if packet.flags is TcpFlags.SYN:
            self.flows[sequence >> 8] = Flow(where, packet, sequence)
        return Sent(packet, sequence)

    def _answer(self, number: int, of: int, flags: tuple[TcpFlags, TcpFlags]) -> tuple[str, Sent] | None:
        for where, sent in self.heard.get(of, ()):
            packet = sent.packet
            if packet.protocol is Protocol.TCP:
                return self._tcp_answer(where, sent, flags)
            if packet.icmp in (None, IcmpType.ECHO_REQUEST):
                return where, Sent(packet.answer(), _FIRST + (number << 8))
        return None

    def _tcp_answer(self, where: str, sent: Sent, flags: tuple[TcpFlags, TcpFlags]) -> tuple[str, Sent] | None:
        flow = self.flows.get(sent.sequence >> 8)
        if flow is None or sent.packet.flags is TcpFlags.RESET or _is_servers(sent):
            return None
        chosen = flags[flow.server_heard is not None]
        numbers = flow.servers(chosen)
        return None if numbers is None else (where, Sent(sent.packet.answer(chosen), *numbers))

    def _trouble(self, of: int, icmp: IcmpType, reporter: Address | None) -> tuple[str, Sent] | None:
        for where, sent in self.heard.get(of, ()):
            packet = sent.packet
            error = packet.icmp is not None and packet.icmp.is_error
            if not error and packet.flags is not TcpFlags.RESET and where != NODE:
                return where, Sent(packet.error(icmp, reporter or packet.destination.address), sent.sequence)
        return None

    def _again(self, of: int, flags: TcpFlags) -> tuple[str, Sent] | None:
        flow = self.flows.get((_FIRST >> 8) + of)
        numbers = flow.clients(flags) if flow is not None else None
        if flow is None or numbers is None:
            return None
        packet = Packet(Protocol.TCP, flow.packet.source, flow.packet.destination, flags)
        return flow.where, Sent(packet, *numbers)

    def learn(self, number: int, sent: Sent, heard: list[Heard], valid: bool) -> None:
        """What a stimulus came out as. `valid`: the node knew the connection that it belongs to."""
        self.heard[number] = heard
        # The first thing a server says may be a reset, whose own number is 0: then it is whose number it acknowledges.
        flow = self.flows.get((sent.sequence or sent.acknowledged) >> 8)
        for _, each in heard:
            if flow is None or each.packet.flags is None:
                continue
            flow.ending |= each.packet.flags in (TcpFlags.FIN, TcpFlags.RESET)
            flow.unnumbered |= each.packet.flags is TcpFlags.RESET and not sent.sequence
            if each.packet.flags is not TcpFlags.RESET and each.sequence >> 8 == sent.sequence >> 8:
                _take_down(flow, each, valid)


def _take_down(flow: Flow, sent: Sent, valid: bool) -> None:
    """A segment came through."""
    flags = sent.packet.flags
    end = sent.sequence + (flags in (TcpFlags.SYN, TcpFlags.SYN_ACK, TcpFlags.FIN))
    if not _is_servers(sent):
        flow.client_heard = max(flow.client_heard or 0, end)
        flow.opened |= flags is not TcpFlags.SYN
    elif valid and _reaches_client(flow, sent) and (flow.server_heard is not None or _opens(flow, sent)):
        flow.server_heard = max(flow.server_heard or 0, end)


def _opens(flow: Flow, sent: Sent) -> bool:
    """Whether it is from this segment on that conntrack knows the server's numbers.

    An ACK before it is let through, but its numbers aren't taken down (case c in tcp_conntracks[]); nor are those of
    a SYN-ACK that comes after the end.
    """
    return sent.packet.flags is TcpFlags.SYN_ACK and not flow.ending


def _reaches_client(flow: Flow, sent: Sent) -> bool:
    """Whether a segment is for the client still: it may be an answer to what came out when another port was taken."""
    return sent.packet.destination == flow.packet.source


def _is_servers(sent: Sent) -> bool:
    return sent.sequence & 0xFF >= _SERVERS_OWN


# The model's side ----------------------------------------------------------------------------------

Place = tuple[str, Packet]
FEW = 4  # so many ports are few


@dataclass(slots=True)
class Modelled:
    """The node as `netpath` has it, asked the same, and told what chance decided in the kernel.

    `endpoints`: a rule that draws lots, written `nat CHAIN NUMBER` -> the endpoint that it leads to.
    """

    host: Host
    memory: HostMemory = field(default_factory=HostMemory)
    endpoints: Mapping[str, str] = field(default_factory=dict)
    shifted: bool = False  # whether chance had few ports to choose from, the last time

    def put(self, where: str, sent: Sent, heard: Sequence[Heard], now: float) -> tuple[Passage, list[Place]]:
        """What becomes of a packet, and what would be heard where. Nobody on the node listens to anything.

        Where all of a few ports are taken, the one that is tried last isn't the one that chance named: so if that
        doesn't fit, the others are tried as well.
        """
        before = self.memory.copy()
        first_try = passage, places = self._put(where, sent, heard, now, 0)
        for shift in (1, 2, 3) if self.shifted else ():
            if written_places(places) == written_places((each.where, each.sent.packet) for each in heard):
                return passage, places
            self.memory = before.copy()
            passage, places = self._put(where, sent, heard, now, shift)
        return first_try

    def _put(
        self, where: str, sent: Sent, heard: Sequence[Heard], now: float, shift: int
    ) -> tuple[Passage, list[Place]]:
        reached: list[Packet] = []

        def nobody(packet: Packet) -> bool:
            reached.append(packet)
            return False

        choose = self.choosing(sent.packet, [each.sent.packet for each in heard], shift)
        if where == NODE:
            passage = send(self.host, self.memory, sent.packet, now, choose, listening=nobody)
        else:
            interface = INTERFACES[where]
            passage = receive(self.host, self.memory, sent.packet, interface, now, choose, listening=nobody)
        return passage, list(_outcome(passage, reached))

    def choosing(self, packet: Packet, heard: list[Packet], shift: int = 0) -> Choose:
        """Whoever answers questions of chance as the kernel did, as far as what came out tells."""
        alike = sorted(heard, key=lambda it: (it.flags != packet.flags, it.icmp != packet.icmp))
        self.shifted = False

        def choose(question: str, weights: Weights, /) -> int:
            if isinstance(weights, range):
                self.shifted |= len(weights) <= FEW
                port = next((port for port in _ports(alike, "source" in question) if port in weights), weights[0])
                return weights[(weights.index(port) + shift) % len(weights)] if len(weights) <= FEW else port
            endpoint = self.endpoints.get(question.partition(":")[0])
            if endpoint is None:
                return first(question, weights)
            return 0 if any(str(it.destination) == endpoint for it in alike) else 1

        return choose


def _ports(heard: list[Packet], source: bool) -> Iterable[int]:
    """The ports that were seen, the likeliest first."""
    for packet in heard:
        ends = [packet.source.port, packet.destination.port]
        yield ends[0 if source else 1]
        yield from ends
        if packet.quotes is not None:
            yield from (packet.quotes.source.port, packet.quotes.destination.port)


def _outcome(passage: Passage, reached: list[Packet]) -> Iterable[Place]:
    if passage.verdict.code == "NO_SOCKET":
        yield NODE, reached[-1]
    elif passage.packet is not None:
        yield NODE if passage.delivered else ENDS[passage.interface or ""], passage.packet
    if passage.answer is not None:
        yield ENDS.get(passage.answer_interface or "", NODE), passage.answer


def written_places(places: Iterable[Place]) -> str:
    """What was heard where, in an order that doesn't depend on chance."""
    texts = sorted(f"{packet}{f' <{packet.quotes}>' if packet.quotes else ''} at {where}" for where, packet in places)
    return "; ".join(texts) or "nothing"
