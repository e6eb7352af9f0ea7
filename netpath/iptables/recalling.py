"""Walks that are known already: the next packet of the same kind is led through the same rules.

A walk depends on frozen rules and on what they look at: the packet's header, its interfaces, its mark, what
conntrack says of it. Of a port, it matters only on which side of the rules' ranges it falls, so that a client's
next port is the same kind. All that is the key; what is remembered is where the walk ended and what it
altered. A walk that asked chance or memory (`statistic`, `recent`), or looked at the ends of a conntrack entry,
is never remembered. The steps of a known walk are told as those of any: by walking again, when somebody looks.

Not modelled: forgetting the least used; when too much is known, all of it is forgotten.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import partial

from netpath.choice import Choose
from netpath.iptables.context import Context
from netpath.iptables.tables import Chain, Ruleset
from netpath.iptables.walking import ChainWalk, Retelling, frozen, walk_chain
from netpath.packet import LazySteps, Packet, Step

_MOST = 1 << 14

_Key = tuple[object, ...]


@dataclass(slots=True)
class _Known:
    """A walk that was made: its end, what the context and its connection were marked with after it, how to tell it."""

    walk: ChainWalk
    mark: int
    state: str
    connection_mark: int | None
    retelling: Retelling

    def tell(self, packet: Packet) -> list[Step]:
        return self.retelling.tell(packet)


class Walks:
    """The walks through one host's rules; `walk` answers exactly as `walk_chain` would.

    The host's own addresses (`Context.is_local`, `address_type`) must be the same for every packet.
    """

    __slots__ = ("_cuts", "_known", "_learnt", "_ruleset")

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._known: dict[_Key, _Known] = {}
        self._learnt: dict[int, Chain] = {}
        self._cuts: list[int] = []

    @property
    def cuts(self) -> int:
        """How many ends of ranges the rules met so far have; with more, `side` tells more ports apart."""
        return len(self._cuts)

    def side(self, end: int) -> int:
        """Between which ends of ranges a port falls: that of `address << 16 | port`."""
        return bisect_right(self._cuts, end & 0xFFFF)

    def walk(self, table: str, chain: str, context: Context, choose: Choose) -> ChainWalk:
        """Lead a packet through a chain; see `walk_chain`."""
        known = self._known.get(self._key(table, chain, context))
        if known is None:
            return self._first(table, chain, context, choose)
        context.mark, context.state = known.mark, known.state
        if known.connection_mark is not None and context.connection is not None:
            context.connection.mark = known.connection_mark
        walk = known.walk
        steps = LazySteps(partial(known.tell, context.packet))
        return ChainWalk(walk.target, walk.rule, walk.table, walk.chain, walk.number, steps, True)

    def _key(self, table: str, chain: str, context: Context) -> _Key:
        packet, connection = context.packet, context.connection
        source, destination = packet.source, packet.destination
        return (
            table,
            chain,
            packet.protocol,
            packet.flags,
            packet.icmp,
            source.address._ip,  # type: ignore[attr-defined]
            destination.address._ip,  # type: ignore[attr-defined]
            bisect_right(self._cuts, source.port),
            bisect_right(self._cuts, destination.port),
            context.input,
            context.output,
            context.mark,
            context.state,
            context.direction,
            context.status,
            None if connection is None else connection.mark,
        )

    def _first(self, table: str, chain: str, context: Context, choose: Choose) -> ChainWalk:
        """Walk, and remember the walk if the next packet of its kind must come to the same."""
        before, through = frozen(context), list[Chain]()
        walk = walk_chain(self._ruleset, table, chain, context, choose, through)
        if through and all(self._learn(each) for each in through):
            connection = context.connection
            mark = None if connection is None else connection.mark
            telling = Retelling(self._ruleset.tables[table].chains, table, through[0], before, ())
            self._known[self._key(table, chain, before)] = _Known(walk, context.mark, context.state, mark, telling)
        return walk

    def _learn(self, chain: Chain) -> bool:
        """Take note of where the ranges of a chain's ports end; False if nothing that it decides may be remembered."""
        cuts = chain.port_cuts
        if cuts is None:
            return False
        if id(chain) not in self._learnt:
            self._learnt[id(chain)] = chain  # kept, for an id belongs to a chain only as long as there is one
            new = cuts.difference(self._cuts)
            if new:
                self._cuts = sorted({*self._cuts, *new})
                self._known.clear()  # their keys tell fewer ports apart
        if len(self._known) >= _MOST:
            self._known.clear()
        return True
