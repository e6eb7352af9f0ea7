"""Connection tracking: what a Linux box remembers about a flow.

The kernel remembers each flow as two tuples: `original`, as the first packet came in, and `reply`,
as the answer will come in. Translation *is* the difference between the two (see `netpath.nat`).

The state of a TCP flow moves through one table (`TRANSITIONS`, as in nf_conntrack_proto_tcp.c), and
each state has its time to live (`TIMEOUTS`). A new flow's entry belongs to its packet alone until the
packet leaves the box and `Conntrack.confirm` puts it into the table: a dropped packet leaves no trace.

Sources: Linux 6.18, net/netfilter/nf_conntrack_core.c, nf_conntrack_proto_{tcp,udp,icmp}.c.

Not modelled: sequence numbers (every segment is in its window, every RST exact), helpers and
expectations (FTP, SIP), zones, the table's size limit, and two processors that race. SCTP has no
chunks here: a flow is COOKIE_WAIT until the answer and ESTABLISHED after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from netpath.errors import InputError
from netpath.packet import Address, Endpoint, IcmpType, Packet, Protocol, TcpFlags

Direction = Literal["ORIGINAL", "REPLY"]
ORIGINAL: Final[Direction] = "ORIGINAL"
REPLY: Final[Direction] = "REPLY"

CtState = Literal["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"]

# The TCP state machine ---------------------------------------------------------------------

INVALID: Final = "invalid"  # a packet that can't belong here: it has no entry, and isn't translated
IGNORED: Final = "ignored"  # it may be right and we out of step: it passes, the state stays

STATES = (
    "NONE",
    "SYN_SENT",
    "SYN_RECV",
    "ESTABLISHED",
    "FIN_WAIT",
    "CLOSE_WAIT",
    "LAST_ACK",
    "TIME_WAIT",
    "CLOSE",
    "SYN_SENT2",
)

_SHORT = {
    "SS": "SYN_SENT",
    "SR": "SYN_RECV",
    "ES": "ESTABLISHED",
    "FW": "FIN_WAIT",
    "CW": "CLOSE_WAIT",
    "LA": "LAST_ACK",
    "TW": "TIME_WAIT",
    "CL": "CLOSE",
    "S2": "SYN_SENT2",
    "--": INVALID,
    "..": IGNORED,
}

# tcp_conntracks[] of nf_conntrack_proto_tcp.c: direction, segment; a column for each state of STATES.
_TABLE = """
                  NONE SS SR ES FW CW LA TW CL S2
ORIGINAL  SYN     SS   SS .. .. .. .. .. SS SS S2
ORIGINAL  SYN_ACK --   -- SR -- -- -- -- -- -- SR
ORIGINAL  FIN     --   -- FW FW LA LA LA TW CL --
ORIGINAL  ACK     ES   -- ES ES CW CW TW TW CL --
ORIGINAL  RESET   --   CL CL CL CL CL CL CL CL CL
REPLY     SYN     --   S2 -- -- -- -- -- SS -- S2
REPLY     SYN_ACK --   SR .. .. .. .. .. .. .. SR
REPLY     FIN     --   -- FW FW LA LA LA TW CL --
REPLY     ACK     --   .. SR ES CW CW TW TW CL ..
REPLY     RESET   --   CL CL CL CL CL CL CL CL CL
"""


def _transitions() -> dict[str, dict[TcpFlags, dict[str, str]]]:
    table: dict[str, dict[TcpFlags, dict[str, str]]] = {ORIGINAL: {}, REPLY: {}}
    for direction, segment, *cells in (line.split() for line in _TABLE.strip().splitlines()[1:]):
        table[direction][TcpFlags[segment]] = dict(zip(STATES, (_SHORT[cell] for cell in cells), strict=True))
    for rows in table.values():  # PSH makes no difference to conntrack
        rows[TcpFlags.PUSH] = rows[TcpFlags.ACK]
    return table


#: direction -> segment -> state -> the next state: a TCP connection as a box in the middle sees it.
TRANSITIONS: Mapping[str, Mapping[TcpFlags, Mapping[str, str]]] = _transitions()

#: Seconds that an entry lives after its last packet (nf_conntrack_*_timeout_* sysctls, their defaults).
TIMEOUTS: Mapping[str, float] = MappingProxyType(
    {
        "SYN_SENT": 120.0,
        "SYN_RECV": 60.0,
        "ESTABLISHED": 432_000.0,
        "FIN_WAIT": 120.0,
        "CLOSE_WAIT": 60.0,
        "LAST_ACK": 30.0,
        "TIME_WAIT": 120.0,
        "CLOSE": 10.0,
        "SYN_SENT2": 120.0,
        "unacknowledged": 300.0,  # a connection picked up in the middle, until its other side is heard
        "udp": 30.0,
        "udp_stream": 120.0,
        "icmp": 30.0,
        "sctp": 3.0,
        "sctp_established": 210.0,
    }
)

# A UDP flow that is still active so long after its first packet is a stream (nf_conntrack_proto_udp.c).
_STREAM_AFTER = 2.0

# Tuples ------------------------------------------------------------------------------------

# An end as one number, `address << 16 | port`: a key made of these costs a tenth of one made of Endpoints.
_Key = tuple[str, int, int]

# An echo request and its reply differ in type alone, and a tuple includes it (nf_conntrack_proto_icmp.c).
_ECHO_REPLY = "echo-reply"
_INVERSE: Mapping[str, str] = {**{p.value: p.value for p in Protocol}, "icmp": _ECHO_REPLY, _ECHO_REPLY: "icmp"}


class FlowKey(NamedTuple):
    """One direction of a flow. An ICMP echo has its identifier as the port of the end that asks.

    >>> from netpath.packet import endpoint
    >>> str(FlowKey(Protocol.UDP, endpoint("10.0.0.1:5000"), endpoint("10.0.0.2:53")))
    'src=10.0.0.1 dst=10.0.0.2 sport=5000 dport=53'
    """

    protocol: Protocol
    source: Endpoint
    destination: Endpoint
    echo_reply: bool = False

    @property
    def inverse(self) -> FlowKey:
        """What the answer to this looks like if nobody translates."""
        reply = self.protocol is Protocol.ICMP and not self.echo_reply
        return FlowKey(self.protocol, self.destination, self.source, reply)

    def __str__(self) -> str:
        ends = f"src={self.source.address} dst={self.destination.address}"
        if self.protocol is not Protocol.ICMP:
            return f"{ends} sport={self.source.port} dport={self.destination.port}"
        kind, identifier = (0, self.destination.port) if self.echo_reply else (8, self.source.port)
        return f"{ends} type={kind} code=0 id={identifier}"


@lru_cache(maxsize=1 << 16)
def end_of(number: int) -> Endpoint:
    """The endpoint of `address << 16 | port`."""
    return Endpoint(Address(number >> 16), number & 0xFFFF)


@lru_cache(maxsize=1 << 12)
def _tuple(protocol: Protocol, key: _Key) -> FlowKey:
    return FlowKey(protocol, end_of(key[1]), end_of(key[2]), key[0] is _ECHO_REPLY)


def _key(packet: Packet) -> _Key:
    """The tuple of a packet (nf_ct_get_tuple); an ICMP error has none, ask for that of what it quotes."""
    source, destination = packet.source, packet.destination
    one = source.address._ip << 16 | source.port  # type: ignore[attr-defined]
    other = destination.address._ip << 16 | destination.port  # type: ignore[attr-defined]
    if packet.icmp is None:
        return packet.protocol, one, other
    identifier = source.port or destination.port
    if packet.icmp is IcmpType.ECHO_REPLY:
        return _ECHO_REPLY, one & ~0xFFFF, other & ~0xFFFF | identifier
    return packet.protocol, one & ~0xFFFF | identifier, other & ~0xFFFF


def _inverse(key: _Key) -> _Key:
    return _INVERSE[key[0]], key[2], key[1]


# Entries -----------------------------------------------------------------------------------


class Entry:
    """What is remembered of one flow: a line of `conntrack -L`.

    `original` and `reply` are its tuples; `state` is the kernel's name for a TCP (or SCTP) state, "" for
    others; `mark` is the connection mark; `expires` is a time on the caller's clock. `source_nat` and
    `destination_nat` say whether it is translated, `…_bound` whether that has been decided.
    """

    __slots__ = (
        "assured",
        "challenged",
        "closing",
        "confirmed",
        "created",
        "destination_bound",
        "destination_nat",
        "expires",
        "key",
        "last",
        "mark",
        "masquerade",
        "owner",
        "protocol",
        "reply_key",
        "seen_reply",
        "simultaneous",
        "source_bound",
        "source_nat",
        "state",
    )

    def __init__(self, protocol: Protocol, key: _Key, created: float, owner: object = None) -> None:
        self.protocol = protocol
        self.key = key
        self.reply_key: _Key = (_INVERSE[key[0]], key[2], key[1])
        self.created = created
        self.expires = created
        self.owner = owner
        self.state = "NONE" if protocol is Protocol.TCP else ""
        self.mark = 0
        self.seen_reply = self.assured = self.confirmed = False
        self.source_nat = self.destination_nat = False
        self.source_bound = self.destination_bound = False
        self.masquerade = ""  # the interface that a masqueraded flow leaves by: by another, it is killed
        self.last: tuple[str, TcpFlags] | None = None
        self.closing = self.challenged = self.simultaneous = False

    @property
    def original(self) -> FlowKey:
        """The tuple of the first packet as it came in."""
        return _tuple(self.protocol, self.key)

    @property
    def reply(self) -> FlowKey:
        """The tuple that an answer has when it comes in."""
        return _tuple(self.protocol, self.reply_key)

    @property
    def nat(self) -> tuple[str, ...]:
        """What is translated, by iptables' names: of ("SNAT", "DNAT")."""
        return ("SNAT",) * self.source_nat + ("DNAT",) * self.destination_nat

    def copy(self, owner: object = None) -> Entry:
        """The same, apart."""
        twin = Entry.__new__(Entry)
        for name in Entry.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.owner = owner
        return twin

    def line(self, now: float | None = None) -> str:
        """The entry as `conntrack -L` prints it (without `use=`); the seconds left only if `now` is given."""
        left = "" if now is None else f"{max(0, int(self.expires - now))} "
        return self.written()(left)

    def written(self) -> Callable[[str], str]:
        """A function that writes the entry as it is now, whenever it is called."""
        tuples = self.protocol, self.key, self.reply_key
        return partial(_line, *tuples, self.state, self.seen_reply, self.assured, self.mark)

    def __str__(self) -> str:
        return self.line()

    __repr__ = __str__


_NUMBERS = {Protocol.ICMP: 1, Protocol.TCP: 6, Protocol.UDP: 17, Protocol.SCTP: 132}


def _line(
    protocol: Protocol, key: _Key, reply_key: _Key, state: str, seen_reply: bool, assured: bool, mark: int, left: str
) -> str:
    original, reply = str(_tuple(protocol, key)), str(_tuple(protocol, reply_key))
    parts = [f"{protocol:<8} {_NUMBERS[protocol]} {left}{state}".rstrip()]
    parts += [original] if seen_reply else [original, "[UNREPLIED]"]
    parts += [reply, "[ASSURED]"] if assured else [reply]
    return " ".join([*parts, f"mark={mark}"])


class Tracked(NamedTuple):
    """What conntrack makes of a packet: its state, as `--ctstate` has it, its entry, its direction."""

    state: CtState
    entry: Entry | None
    direction: Direction


_INVALID_PACKET = Tracked("INVALID", None, ORIGINAL)
UNTRACKED = Tracked("UNTRACKED", None, ORIGINAL)


class Conntrack:
    """The table of flows of one box. It has no clock: `now` (seconds) comes with every question.

    `timeouts` takes the place of some of `TIMEOUTS`; with `loose` a connection may be picked up in
    the middle (nf_conntrack_tcp_loose).

    >>> from netpath.packet import tcp
    >>> table = Conntrack()
    >>> first = table.lookup(tcp("10.0.0.1:5000", "10.0.0.2:80"), now=0.0)
    >>> first.state, table.confirm(first.entry, now=0.0)
    ('NEW', True)
    >>> table.lookup(tcp("10.0.0.2:80", "10.0.0.1:5000", TcpFlags.SYN_ACK), now=0.1).state
    'ESTABLISHED'
    >>> table.listing(0.1)[0].split(" src=")[0]
    'tcp      6 60 SYN_RECV'
    """

    __slots__ = ("_by_source", "_owner", "_sweep_at", "_table", "loose", "timeouts")

    def __init__(self, timeouts: Mapping[str, float] | None = None, *, loose: bool = True) -> None:
        unknown = set(timeouts or ()) - set(TIMEOUTS)
        if unknown:
            raise InputError("not a timeout", value=min(unknown), expected=f"one of {', '.join(TIMEOUTS)}")
        self.timeouts = TIMEOUTS if not timeouts else {**TIMEOUTS, **timeouts}
        self.loose = loose
        self._table: dict[_Key, Entry] = {}
        # Flows with source NAT by their original source, newest last (nf_nat_bysource).
        self._by_source: dict[tuple[str, int], tuple[_Key, ...]] = {}
        self._owner = object()
        self._sweep_at = 1024

    # -- as a collection

    def __iter__(self) -> Iterator[Entry]:
        """Every entry once, oldest first; some may have expired."""
        return (entry for key, entry in self._table.items() if key == entry.key)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def listing(self, now: float) -> tuple[str, ...]:
        """The lines that `conntrack -L` would print."""
        return tuple(entry.line(now) for entry in self if now < entry.expires)

    def copy(self) -> Conntrack:
        """The same table, apart: entries are shared until one side changes them."""
        twin = Conntrack.__new__(Conntrack)
        twin.timeouts, twin.loose, twin._sweep_at = self.timeouts, self.loose, self._sweep_at
        twin._table, twin._by_source = self._table.copy(), self._by_source.copy()
        self._owner, twin._owner = object(), object()
        return twin

    def expire(self, now: float) -> int:
        """Forget what has expired; how many entries that were."""
        dead = [entry for entry in self if entry.expires <= now]
        for entry in dead:
            self.forget(entry)
        return len(dead)

    def forget(self, entry: Entry) -> None:
        """Delete an entry (nf_ct_kill)."""
        self._table.pop(entry.key, None)
        self._table.pop(entry.reply_key, None)
        if entry.source_nat:
            source = entry.key[:2]
            kept = tuple(key for key in self._by_source.get(source, ()) if key != entry.key)
            if kept:
                self._by_source[source] = kept
            else:
                self._by_source.pop(source, None)

    def close(self, entry: Entry, now: float) -> None:
        """A rule reset the connection, so it is over (nf_conntrack_tcp_set_closing)."""
        if entry.confirmed and entry.state != "CLOSE":
            entry.state = "CLOSE"
            entry.expires = now + self.timeouts["CLOSE"]

    # -- packets

    def lookup(self, packet: Packet, now: float) -> Tracked:
        """What this packet is to the table (nf_conntrack_in); the entry it belongs to moves on.

        A first packet gets an unconfirmed entry: give it to `confirm` when the packet leaves the box.
        """
        if packet.quotes is not None:
            return self._related(packet, packet.quotes, now)
        key = _key(packet)
        entry = self._find(key, now)
        if entry is None:
            return self._begin(packet, key, now)
        direction = ORIGINAL if key == entry.key else REPLY
        state: CtState = "ESTABLISHED" if entry.seen_reply or direction is REPLY else "NEW"
        follow = self._follow(entry, direction, packet.flags, now)
        if follow is _REOPEN:
            self.forget(entry)
            return self._begin(packet, key, now)
        if follow is INVALID:
            return _INVALID_PACKET
        if direction is REPLY:
            entry.seen_reply = True
        return Tracked(state, entry, direction)

    def find(self, packet: Packet, now: float) -> Tracked | None:
        """The flow that a packet belongs to, if it is known, leaving everything as it is."""
        related = packet.quotes is not None
        key = _key(packet) if packet.quotes is None else _inverse(_key(packet.quotes))
        entry = self._table.get(key)
        if entry is None or entry.expires <= now:
            return None
        direction = ORIGINAL if key == entry.key else REPLY
        answered = entry.seen_reply or direction is REPLY
        return Tracked("RELATED" if related else "ESTABLISHED" if answered else "NEW", entry, direction)

    def standing(self, packet: Packet, now: float) -> tuple[object, ...] | None:
        """All that a box sees of the flow of a segment with data on an open connection; None for any other packet.

        While that stays the same, the box treats such a segment the same: it alters only when the flow expires.
        """
        if packet.flags is not TcpFlags.PUSH:
            return None
        entry = self._table.get(_key(packet))
        if entry is None or entry.state != "ESTABLISHED" or not entry.assured or entry.expires <= now:
            return None
        return entry.key, entry.reply_key, entry.mark, entry.source_nat, entry.destination_nat, entry.masquerade

    def still(self, key: _Key, standing: tuple[object, ...], now: float) -> Entry | None:
        """The entry with a packet's tuple, if `standing` would say the same of it and it is no other table's too."""
        entry = self._table.get(key)
        if entry is None or entry.owner is not self._owner or entry.state != "ESTABLISHED" or entry.expires <= now:
            return None
        original, reply, mark, source_nat, destination_nat, masquerade = standing
        same = entry.key == original and entry.reply_key == reply and entry.mark == mark and entry.assured
        same = same and entry.source_nat is source_nat and entry.destination_nat is destination_nat
        return entry if same and entry.masquerade == masquerade else None

    def renew(self, entry: Entry, direction: Direction, now: float) -> None:
        """All that such a segment alters: see `standing`."""
        entry.last = direction, TcpFlags.PUSH
        entry.expires = now + self.timeouts["ESTABLISHED"]

    def confirm(self, entry: Entry, now: float) -> bool:
        """Put a new flow's entry into the table, as its packet leaves; False if its tuples are taken: drop it."""
        if entry.confirmed:
            return True
        if self._find(entry.key, now) is not None or self._find(entry.reply_key, now) is not None:
            return False
        entry.confirmed = True
        entry.owner = self._owner
        self._table[entry.key] = self._table[entry.reply_key] = entry
        if entry.source_nat:
            self._by_source[entry.key[:2]] = (*self._by_source.get(entry.key[:2], ()), entry.key)
        if len(self._table) > self._sweep_at:
            self.expire(now)
            self._sweep_at = max(1024, 2 * len(self._table))
        return True

    def _find(self, key: _Key, now: float) -> Entry | None:
        entry = self._table.get(key)
        if entry is None:
            return None
        if entry.expires <= now:
            self.forget(entry)
            return None
        if entry.owner is not self._owner:  # shared with a copy of this table: make it ours
            entry = entry.copy(self._owner)
            self._table[entry.key] = self._table[entry.reply_key] = entry
        return entry

    def _begin(self, packet: Packet, key: _Key, now: float) -> Tracked:
        if key[0] is _ECHO_REPLY or (packet.flags is not None and packet.flags is not TcpFlags.SYN and not self.loose):
            return _INVALID_PACKET
        entry = Entry(packet.protocol, key, now, self._owner)
        if self._follow(entry, ORIGINAL, packet.flags, now) is INVALID:
            return _INVALID_PACKET
        return Tracked("NEW", entry, ORIGINAL)

    def _related(self, packet: Packet, quoted: Packet, now: float) -> Tracked:
        """An ICMP error belongs to the flow of what it quotes, and travels against it (nf_conntrack_inet_error)."""
        if quoted.quotes is not None:
            return _INVALID_PACKET
        key = _inverse(_key(quoted))
        entry = self._find(key, now)
        if entry is None or key[2] >> 16 != packet.destination.address._ip:  # type: ignore[attr-defined]
            return _INVALID_PACKET
        return Tracked("RELATED", entry, ORIGINAL if key == entry.key else REPLY)

    # -- the life of a flow

    def _follow(self, entry: Entry, direction: Direction, flags: TcpFlags | None, now: float) -> str | None:
        if flags is not None:
            return self._follow_tcp(entry, direction, flags, now)
        if entry.protocol is Protocol.UDP:
            stream = entry.seen_reply and now > entry.created + _STREAM_AFTER
            entry.assured = entry.assured or stream
            entry.expires = now + self.timeouts["udp_stream" if stream else "udp"]
        elif entry.protocol is Protocol.ICMP:
            entry.expires = now + self.timeouts["icmp"]
        else:
            answered = entry.assured = entry.seen_reply or direction is REPLY
            entry.state = "ESTABLISHED" if answered else "COOKIE_WAIT"
            entry.expires = now + self.timeouts["sctp_established" if answered else "sctp"]
        return None

    def _follow_tcp(self, entry: Entry, direction: Direction, flags: TcpFlags, now: float) -> str | None:
        """nf_conntrack_tcp_packet: INVALID, `_REOPEN` (delete the entry, look again), or None: it passes."""
        old = entry.state
        new = TRANSITIONS[direction][flags][old]
        special = _SPECIAL.get(new)
        if special is not None:
            new = special(entry, direction, flags)
            if new in _FINAL:
                return None if new is IGNORED else new
        entry.last = (direction, flags)
        entry.state = new
        if new == "FIN_WAIT":
            entry.closing = True
        timeout = self.timeouts["CLOSE" if flags is TcpFlags.RESET else new]
        if not entry.seen_reply:
            if flags is TcpFlags.RESET:  # the only answer is a refusal: there is nothing to remember
                self.forget(entry)
                return None
            if old == "SYN_SENT" and flags is TcpFlags.SYN:  # a repeated SYN doesn't prolong it
                return None
            if new == "ESTABLISHED":
                timeout = min(timeout, self.timeouts["unacknowledged"])
        elif new == "ESTABLISHED" and old in ("SYN_RECV", "ESTABLISHED"):
            entry.assured = True
        entry.expires = now + timeout
        return None

    # -- what netpath.nat asks, about ends written `address << 16 | port`

    def taken(self, entry: Entry, source: int, destination: int, now: float) -> bool:
        """Whether answers to `source` from `destination` are another flow's already (nf_nat_used_tuple)."""
        return self._find((_INVERSE[entry.key[0]], destination, source), now) is not None

    def evict(self, entry: Entry, source: int, destination: int, now: float) -> bool:
        """Whether the flow in the way was over and a new connection pushed it out (nf_nat_used_tuple_harder)."""
        key = (_INVERSE[entry.key[0]], destination, source)
        holder = self._find(key, now)
        if holder is None or entry.state != "SYN_SENT" or key != holder.reply_key:
            return False
        if not holder.source_nat or holder.state not in ("TIME_WAIT", "CLOSE", "SYN_SENT2"):
            return False
        self.forget(holder)
        return True

    def mapped(self, entry: Entry, now: float) -> Iterator[int]:
        """What this source is translated to for other destinations, newest first (find_appropriate_src)."""
        for key in reversed(self._by_source.get(entry.key[:2], ())):
            other = self._table[key]
            if now < other.expires:
                yield other.reply_key[2]


key_of = _key
_REOPEN: Final = "reopen"
_FINAL = (INVALID, IGNORED, _REOPEN)


def _other(direction: Direction) -> Direction:
    return REPLY if direction is ORIGINAL else ORIGINAL


def _on_syn(entry: Entry, direction: Direction, flags: TcpFlags) -> str:
    """A SYN reopens a connection that is over: RFC 1122 §4.2.2.13."""
    if entry.state not in ("TIME_WAIT", "CLOSE"):
        return "SYN_SENT"
    if entry.closing or entry.last == (direction, TcpFlags.RESET):
        return _REOPEN
    return _on_ignored(entry, direction, flags)


def _on_ignored(entry: Entry, direction: Direction, flags: TcpFlags) -> str:
    """We may be out of step with both ends; a SYN-ACK to a SYN that was let by puts us in step again."""
    if flags is TcpFlags.SYN_ACK and entry.last == (_other(direction), TcpFlags.SYN):
        return "SYN_RECV"
    entry.last = (direction, flags)
    if flags is TcpFlags.SYN and entry.state == "LAST_ACK":
        entry.challenged = True
    return IGNORED


def _on_last_ack(entry: Entry, direction: Direction, flags: TcpFlags) -> str:
    """An ACK that answers a SYN in LAST_ACK is a challenge (RFC 5961), not the last ACK."""
    challenge = flags in (TcpFlags.ACK, TcpFlags.PUSH) and entry.last == (_other(direction), TcpFlags.SYN)
    if entry.state == "LAST_ACK" and challenge and entry.challenged:
        entry.challenged = False
        return IGNORED
    return "TIME_WAIT"


def _on_simultaneous(entry: Entry, direction: Direction, flags: TcpFlags) -> str:
    entry.simultaneous = True
    return "SYN_SENT2"


def _on_answer(entry: Entry, direction: Direction, flags: TcpFlags) -> str:
    answered = entry.simultaneous and direction is REPLY and flags in (TcpFlags.ACK, TcpFlags.PUSH)
    return "ESTABLISHED" if answered else "SYN_RECV"


def _on_invalid(entry: Entry, direction: Direction, flags: TcpFlags) -> str:
    return INVALID


# What nf_conntrack_tcp_packet does beside its table, by the state that the table says.
_SPECIAL: Mapping[str, Callable[[Entry, Direction, TcpFlags], str]] = {
    "SYN_SENT": _on_syn,
    "SYN_RECV": _on_answer,
    "TIME_WAIT": _on_last_ack,
    "SYN_SENT2": _on_simultaneous,
    IGNORED: _on_ignored,
    INVALID: _on_invalid,
}
