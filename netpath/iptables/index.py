"""Which rules of a long chain can match a packet at all.

kube-proxy's KUBE-SERVICES has a rule or two for every Service, most with an exact destination. A rule that
asks for one destination address, one destination port or one source address is filed under it; the rest
stays in order. Looking up merges, so that the rules come in the chain's own order, and whoever skips
the others gets the answer that reading the whole chain would give: nothing that a skipped rule
does is lost, for a rule is filed only by conditions asked before any that chance or memory decides.

Not modelled: indexing by ranges and prefixes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from netpath.iptables.consulted import Consulted
from netpath.iptables.matches import ALL_BITS, Destination, Match, PortsOf, Source
from netpath.packet import Packet

if TYPE_CHECKING:
    from netpath.iptables.tables import Rule

SHORT = 8  # a chain this short is quicker read than looked up

Key = tuple[str, int]


class Index:
    """The positions (from 0) of a chain's rules, filed by what they require."""

    __slots__ = ("_always", "_destinations", "_ports", "_sources", "_whole")

    def __init__(self, rules: Sequence[Rule]) -> None:
        always: list[int] = []
        filed: dict[str, dict[int, list[int]]] = {"d": {}, "p": {}, "s": {}}
        for position, rule in enumerate(rules):
            key = _key(rule.tests) if len(rules) > SHORT else None
            place = always if key is None else filed[key[0]].setdefault(key[1], [])
            place.append(position)
        self._always = always
        self._whole = len(always) == len(rules)
        self._destinations, self._ports, self._sources = filed["d"], filed["p"], filed["s"]

    def candidates(self, packet: Packet) -> Sequence[int]:
        """The positions of all rules that the packet may match, ascending."""
        if self._whole:
            return self._always
        found = [
            self._destinations.get(packet.destination.address._ip),  # type: ignore[attr-defined]
            self._ports.get(packet.destination.port),
            self._sources.get(packet.source.address._ip),  # type: ignore[attr-defined]
        ]
        lists = [each for each in found if each is not None]
        if not lists:
            return self._always
        if len(lists) == 1 and not self._always:
            return lists[0]
        return sorted(sum(lists, self._always))


def _key(tests: Iterable[Match]) -> Key | None:
    """What to file a rule under: the most telling of its exact requirements, destination before port before source."""
    keys: list[Key] = []
    for match in tests:
        if isinstance(match, Consulted):
            break
        if isinstance(match, Destination) and match.mask == ALL_BITS and not match.negated:
            return ("d", match.number)
        if isinstance(match, Source) and match.mask == ALL_BITS and not match.negated:
            keys.append(("s", match.number))
        elif isinstance(match, PortsOf):
            exact = match.destination
            if exact is not None and exact[0] == exact[1] and not match.not_destination:
                keys.append(("p", exact[0]))
    return keys[-1] if keys else None
