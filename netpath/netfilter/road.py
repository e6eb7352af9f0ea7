"""One packet's road through the hooks of a host, stage by stage.

Not modelled: what `netpath.netfilter` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial

from netpath.choice import Choose
from netpath.iptables.context import Context
from netpath.iptables.targets import Reject, Translation
from netpath.iptables.walking import ChainWalk
from netpath.nat import (
    DESTINATION,
    ORIGINAL,
    REPLY,
    SOURCE,
    UNTRACKED,
    Direction,
    Entry,
    Manip,
    NatRange,
    Tracked,
    destination_nat,
    null_binding,
    source_nat,
    translate,
)
from netpath.netfilter.passage import HostMemory, Listening, Passage
from netpath.packet import (
    Endpoint,
    Hop,
    IcmpType,
    LazySteps,
    LazyTexts,
    Packet,
    Protocol,
    Step,
    TcpFlags,
    Verdict,
)
from netpath.routing import LOCALHOST, LOOPBACK, Host, Way

_ACCEPTED = Verdict("ACCEPT")
_LOCAL_IN = Verdict("LOCAL_IN")

# What a dead end of routing answers (ip_error in net/ipv4/route.c).
_DEAD_ENDS = {
    "none": ("IP_INNOROUTES", IcmpType.NET_UNREACHABLE),
    "unreachable": ("ROUTE_UNREACHABLE", IcmpType.HOST_UNREACHABLE),
    "prohibit": ("ROUTE_PROHIBIT", IcmpType.ADMIN_PROHIBITED),
    "blackhole": ("ROUTE_BLACKHOLE", None),
}


@lru_cache(maxsize=64)
def _status(
    source_nat: bool, destination_nat: bool, seen_reply: bool, assured: bool, confirmed: bool
) -> frozenset[str]:
    names = ("SNAT", "DNAT", "SEEN_REPLY", "ASSURED", "CONFIRMED")
    held = (source_nat, destination_nat, seen_reply, assured, confirmed)
    return frozenset(name for name, is_set in zip(names, held, strict=True) if is_set)


class Road:
    """One packet on its way: what it is now, what is known of it, which rules it has met.

    A stage of the road answers with the verdict that ends it there, or None: go on.
    """

    __slots__ = (
        "answer",
        "cause",
        "choose",
        "context",
        "delivered",
        "hops",
        "host",
        "listening",
        "memory",
        "now",
        "received",
        "record",
        "repeatable",
        "tracked",
        "way",
    )

    def __init__(
        self,
        host: Host,
        memory: HostMemory,
        packet: Packet,
        now: float,
        choose: Choose,
        mark: int,
        listening: Listening,
    ) -> None:
        self.host, self.memory, self.now, self.choose, self.listening = host, memory, now, choose, listening
        self.received = packet
        self.context = Context(
            packet,
            mark=mark,
            is_local=host.is_local,
            address_type=host.address_type,
            memory=memory.rules,
            now=now,
        )
        self.tracked = _INVALID
        self.way = Way("none")
        self.record: list[Iterable[Step] | Callable[[], Iterable[Step]]] = []
        self.hops: tuple[Hop, ...] = ()
        self.cause: ChainWalk | None = None
        self.answer: Passage | None = None
        self.delivered = False
        self.repeatable = True

    # -- the two ways in

    def come_in(self, interface: str, tracked: Tracked | None = None) -> Passage:
        """Into an interface; `tracked` is what conntrack has said already, where nothing is asked before it."""
        self.context.input = interface
        if tracked is not None:
            self._know(tracked)
            return self._end(self._inward())
        return self._end(self._ask("raw", "PREROUTING") or self._track() or self._inward())

    def _inward(self) -> Verdict | None:
        return self._enter() or self._route_in() or self._further()

    def go_out(self, attached: Tracked | None = None) -> Passage:
        """Out of a process, or (`attached` to the flow that it is about) an answer of the host itself."""
        verdict = self._route_out()
        if attached is not None:
            self._know(attached)
        verdict = verdict or self._ask("raw", "OUTPUT") or self._track() or self._output()
        if verdict is None and self.way.kind == "local":
            return self._end(self._loop())
        return self._end(verdict)

    # -- stages, in the order of the hooks

    def _track(self) -> Verdict | None:
        """The hook of conntrack itself: what belongs to a flow already, or shall not be tracked, is left alone."""
        if self.context.state == "UNTRACKED":
            self.tracked = UNTRACKED
        elif self.tracked.entry is None and self.host.rules.tables:
            self._know(self.memory.conntrack.lookup(self.context.packet, self.now))
        return None

    def _know(self, tracked: Tracked) -> None:
        self.tracked = tracked
        self.context.state, self.context.connection, self.context.direction = tracked
        self._show_status()

    def _enter(self) -> Verdict | None:
        return self._ask("mangle", "PREROUTING") or self._translate("PREROUTING", DESTINATION)

    def _route_in(self) -> Verdict | None:
        host, context = self.host, self.context
        source, destination, mark, interface = self._asked(context.input)
        martian = host.martian(source, destination)
        if martian:
            return Verdict(martian)
        self.way = way = host.way(destination, source, mark, interface)
        if way.kind not in ("local", "broadcast"):
            if not host.forwarding:
                return Verdict("NOT_FORWARDING")
            if way.kind != "unicast":
                return self._dead_end(way)
        spoofed = host.spoofed(source, destination, interface, mark)
        return Verdict(spoofed) if spoofed else None

    def _further(self) -> Verdict | None:
        if self.way.kind != "unicast":
            return self._to_process()
        self.context.output = self.way.interface
        return self._ask("mangle", "FORWARD") or self._ask("filter", "FORWARD") or self._leave()

    def _to_process(self) -> Verdict | None:
        verdict = (
            self._ask("mangle", "INPUT")
            or self._ask("filter", "INPUT")
            or self._translate("INPUT", SOURCE)
            or self._confirm()
        )
        if verdict is not None or self._heard():
            self.delivered = verdict is None
            return verdict
        return self._unheard()

    def _output(self) -> Verdict | None:
        """The hook OUTPUT from mangle on. Its rules see the interface of the first route, even after another one."""
        context = self.context
        mark, destination = context.mark, context.packet.destination.address
        verdict = self._ask("mangle", "OUTPUT")
        if verdict is None and context.mark != mark:
            verdict = self._reroute()
        if verdict is None:
            verdict = self._translate("OUTPUT", DESTINATION)
        if verdict is None and context.packet.destination.address != destination:
            verdict = self._reroute()
        return verdict or self._ask("filter", "OUTPUT") or self._leave()

    def _leave(self) -> Verdict | None:
        self.context.output = self.way.interface
        return self._ask("mangle", "POSTROUTING") or self._translate("POSTROUTING", SOURCE) or self._confirm()

    def _loop(self) -> Verdict | None:
        """Round by `lo`: the packet keeps its entry (so nat has nothing new to say), its mark, and its route."""
        self._hop(_ACCEPTED)
        context = self.context
        context.input, context.output = LOOPBACK, ""
        return self._ask("raw", "PREROUTING") or self._enter() or self._further()

    # -- what stages are made of

    def _ask(self, table: str, chain: str) -> Verdict | None:
        """Walk a table's chain at this hook."""
        if (table, chain) not in self.host.used_chains:
            return None
        walked = self._walk(table, chain)
        return None if walked.target.name == "ACCEPT" else self._refuse(walked)

    def _walk(self, table: str, chain: str) -> ChainWalk:
        walked = self.host.walks.walk(table, chain, self.context, self.choose)
        self.record.append(walked.steps)
        self.repeatable = self.repeatable and walked.repeatable
        return walked

    def _refuse(self, walked: ChainWalk) -> Verdict:
        if not isinstance(walked.target, Reject):
            return Verdict("DROP", walked.text)
        if walked.target.icmp is not None:
            self._tell(walked.target.icmp)
        else:
            self._reset(attach=True)
        return Verdict("REJECT", walked.text)

    def _translate(self, chain: str, manip: Manip) -> Verdict | None:
        """The nat hook: decide for a new flow, rewrite every packet (nf_nat_inet_fn)."""
        context = self.context
        state, entry, direction = self.tracked
        if entry is None or not self.host.translates:
            return None
        # a flow that was refused before its nat rules were asked is bound by the answer to it, which is RELATED
        if state in ("NEW", "RELATED") and not (entry.source_bound if manip is SOURCE else entry.destination_bound):
            refused = self._bind(chain, manip, entry)
            if refused is not None:
                return refused
            self._show_status()
        elif chain == "POSTROUTING" and self._strayed(state, entry, direction):
            self.memory.conntrack.forget(entry)
            return Verdict("MASQUERADE_OIF_CHANGED")
        context.packet = translate(context.packet, entry, direction, manip)
        return None

    def _strayed(self, state: str, entry: Entry, direction: Direction) -> bool:
        """Whether a masqueraded flow leaves by another interface than before (nf_nat_oif_changed)."""
        strays = entry.masquerade not in ("", self.context.output)
        return strays and direction is ORIGINAL and state != "RELATED"

    def _bind(self, chain: str, manip: Manip, entry: Entry) -> Verdict | None:
        if ("nat", chain) in self.host.used_chains:
            walked = self._walk("nat", chain)
            if isinstance(walked.target, Translation):
                self.cause = self.cause or walked  # where it goes outweighs as whom
                return self._set_up(walked.target, walked, chain, entry)
            if walked.target.name != "ACCEPT":
                return Verdict("DROP", walked.text)
        null_binding(self.memory.conntrack, entry, manip, self.now, self.choose)
        return None

    def _set_up(self, target: Translation, walked: ChainWalk, chain: str, entry: Entry) -> Verdict | None:
        """What a nat rule's target does to a new flow."""
        firsts, last = target.first, target.last
        if target.name == "MASQUERADE":
            there = self.way.gateway or self.context.packet.destination.address
            firsts = self.host.address_towards(self.context.output, there)
            if firsts is None:
                return Verdict("MASQUERADE_NO_ADDRESS", walked.text)
            entry.masquerade = self.context.output
        elif target.name == "REDIRECT":
            firsts = LOCALHOST if chain == "OUTPUT" else self.host.first_address(self.context.input)
            if firsts is None:
                return Verdict("DROP", walked.text)
        random = target.random or target.random_fully
        to = NatRange(firsts, last, target.ports, random, target.persistent, target.base)
        decide = destination_nat if target.name in ("DNAT", "REDIRECT") else source_nat
        decide(self.memory.conntrack, entry, to, self.now, self.choose)
        return None

    def _confirm(self) -> Verdict | None:
        _, entry, direction = self.tracked
        if entry is None or entry.confirmed or direction is REPLY:
            return None
        return None if self.memory.conntrack.confirm(entry, self.now) else Verdict("INSERT_FAILED")

    def _show_status(self) -> None:
        entry = self.tracked.entry
        if entry is not None:
            self.context.status = _status(
                entry.source_nat, entry.destination_nat, entry.seen_reply, entry.assured, entry.confirmed
            )

    # -- routes

    def _asked(self, interface: str) -> tuple[int, int, int, str]:
        """What routing is asked, noted for whoever wants to read why."""
        packet, mark = self.context.packet, self.context.mark
        source: int = packet.source.address._ip  # type: ignore[attr-defined]
        destination: int = packet.destination.address._ip  # type: ignore[attr-defined]
        self.record.append(partial(self.host.steps, destination, source, mark, interface))
        return source, destination, mark, interface

    def _route_out(self) -> Verdict | None:
        context = self.context
        packet = context.packet
        if int(packet.source.address) == 0:
            own = self.host.source_for(packet.destination.address, context.mark)
            if own is not None:
                context.packet = packet.between(Endpoint(own, packet.source.port), packet.destination)
        verdict = self._reroute()
        context.output = self.way.interface
        return verdict

    def _reroute(self) -> Verdict | None:
        source, destination, mark, _ = self._asked(LOOPBACK)
        self.way = way = self.host.way(destination, source, mark)
        if way.kind in _DEAD_ENDS:  # the process is told by an error of its system call
            return Verdict(_DEAD_ENDS[way.kind][0], way.text)
        if source >> 24 == 127 and way.kind != "local" and not self.host.route_localnet:
            return Verdict("IP_LOCALNET", way.text)
        return None

    def _dead_end(self, way: Way) -> Verdict:
        code, icmp = _DEAD_ENDS[way.kind]
        if icmp is not None:
            self._tell(icmp)
        return Verdict(code, way.text)

    # -- answers of the host itself

    def _heard(self) -> bool:
        packet, listening = self.context.packet, self.listening
        if listening is None or packet.protocol is Protocol.ICMP:
            return True
        if callable(listening):
            return listening(packet)
        return self.tracked.direction is REPLY or (packet.protocol, packet.destination.port) in listening

    def _unheard(self) -> Verdict:
        """Nobody listens: a reset, or port unreachable. (SCTP's ABORT isn't modelled.)"""
        self._reset(attach=False)
        if self.context.packet.protocol is Protocol.UDP:
            self._tell(IcmpType.PORT_UNREACHABLE, attach=False)
        return Verdict("NO_SOCKET")

    def _tell(self, icmp: IcmpType, attach: bool = True) -> None:
        """Send an ICMP error about the packet, if one may be sent (RFC 1122 §3.2.2; icmp_send)."""
        packet = self.context.packet
        there = packet.destination.address
        reporter = there if self.host.is_local(there) else self.host.source_for(packet.source.address)
        answerable = self.host.address_type(packet.source.address) in ("UNICAST", "LOCAL")
        if packet.quotes is None and reporter is not None and answerable:
            self._answer(packet.error(icmp, reporter), attach)

    def _reset(self, attach: bool) -> None:
        """Send a TCP reset in the name of a segment's destination; never for a reset (nf_send_reset)."""
        if self.context.packet.flags in (None, TcpFlags.RESET):
            return
        if attach and self.tracked.entry is not None:
            self.memory.conntrack.close(self.tracked.entry, self.now)
        self._answer(self.context.packet.answer(TcpFlags.RESET), attach)

    def _answer(self, packet: Packet, attach: bool) -> None:
        """Send an answer, `attach`ed to the flow that it is about, in the other direction (nf_conntrack_attach).

        What a process has got is no flow's any more: an answer to that is tracked like any packet. An answer to what
        shall not be tracked is attached to nothing, but attached: NOTRACK leaves it alone, and it is INVALID.
        """
        _, entry, direction = self.tracked
        attached = None
        if attach and entry is not None:
            attached = Tracked("RELATED", entry, REPLY if direction is ORIGINAL else ORIGINAL)
        road = Road(self.host, self.memory, packet, self.now, self.choose, 0, None)
        road.context.attached = attach and self.tracked == UNTRACKED
        self.answer = road.go_out(attached)

    # -- the record

    def _hop(self, verdict: Verdict) -> None:
        sent = self.context.packet if verdict.ok else None
        self.hops = (
            *self.hops,
            Hop(
                self.host.station,
                self.host.name,
                self.received,
                verdict,
                sent,
                LazySteps(partial(_told, self.record)),
                self._remembered(),
            ),
        )
        self.received, self.record = self.context.packet, []

    def _remembered(self) -> Sequence[str]:
        state, entry, direction = self.tracked
        return () if entry is None else LazyTexts(partial(flow_text, state, direction, entry.written()))

    def _end(self, verdict: Verdict | None) -> Passage:
        if verdict is None:
            rule = self.cause.text if self.cause is not None else ""
            verdict = Verdict("LOCAL_IN" if self.delivered else "ACCEPT", rule) if rule else self._plain()
        self._hop(verdict)
        context, way = self.context, self.way
        passed = verdict.ok
        out = passed and not self.delivered
        passage = Passage(
            self.hops,
            context.packet if passed else None,
            way.interface if out else None,
            way.gateway if out else None,
            self.delivered,
            context.mark,
        )
        return passage if self.answer is None else self._answered(passage, self.answer)

    def _answered(self, passage: Passage, answer: Passage) -> Passage:
        """The passage with what the host sent back; if that was refused too, with what it said to that."""
        packet, interface = answer.packet, LOOPBACK if answer.delivered else answer.interface
        if packet is None:
            packet, interface = answer.answer, answer.answer_interface
        hops = answer.hops + answer.answer_hops
        return replace(passage, answer=packet, answer_interface=interface, answer_hops=hops)

    def _plain(self) -> Verdict:
        return _LOCAL_IN if self.delivered else _ACCEPTED


_INVALID = Tracked("INVALID", None, ORIGINAL)


def _told(record: Iterable[Iterable[Step] | Callable[[], Iterable[Step]]]) -> Iterator[Step]:
    for part in record:
        yield from part() if callable(part) else part


def flow_text(state: str, direction: str, line: Callable[[str], str]) -> tuple[str, ...]:
    """A flow as the record has it."""
    return (f"{state} {direction} {line('')}",)
