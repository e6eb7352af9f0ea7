"""Tables, chains and rules, as values.

A `Ruleset` holds tables, a table holds chains by name, a chain holds rules in order, and a rule holds
matches, of which all must hold, and a target. The mapping of chains may be one that makes a chain only when
somebody looks it up: nothing here or in the walk goes through all of them.

Not modelled: byte and packet counters count nothing here (what was read is printed again).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from netpath.iptables.consulted import Consulted
from netpath.iptables.index import Index
from netpath.iptables.matches import Comment, Match
from netpath.iptables.targets import Target

BUILT_IN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
        "security": ("INPUT", "FORWARD", "OUTPUT"),
        "raw": ("PREROUTING", "OUTPUT"),
        "filter": ("INPUT", "FORWARD", "OUTPUT"),
        "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    }
)
"""Each table's built-in chains; tables and chains in the order in which iptables-nft-save prints them."""

Counters = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: `-A chain`, all of `matches` must hold, then `target` (None: only counted).

    `text` is what was read, in somebody's own spelling; `str(rule)` is what iptables-save prints.
    """

    chain: str
    matches: tuple[Match, ...] = ()
    target: Target | None = None
    text: str = field(default="", compare=False)
    counters: Counters | None = None
    tests: tuple[Match, ...] = field(init=False, repr=False, compare=False)
    consults: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tests, consults = self.matches, False
        for match in self.matches:
            if isinstance(match, Comment):
                tests = tuple([each for each in self.matches if not isinstance(each, Comment)])
            elif isinstance(match, Consulted):
                consults = True
        object.__setattr__(self, "tests", tests)
        object.__setattr__(self, "consults", consults)

    @property
    def comment(self) -> str:
        """What `-m comment` says, empty without one."""
        return next((match.text for match in self.matches if isinstance(match, Comment)), "")

    def __str__(self) -> str:
        parts = [f"-A {self.chain}", *map(str, self.matches)]
        if self.target is not None:
            parts.append(str(self.target))
        return " ".join(parts)


@dataclass(frozen=True)
class Chain:
    """A chain: a policy if it is built in (ACCEPT or DROP), None if it is a person's own, and its rules."""

    name: str
    policy: str | None = None
    rules: Sequence[Rule] = ()
    counters: Counters = (0, 0)

    @cached_property
    def index(self) -> Index:
        """Which rules can match which packet at all; made at the first walk."""
        return Index(self.rules)

    @cached_property
    def port_cuts(self) -> frozenset[int] | None:
        """The ports at which a range of its rules begins, or is over; None if a rule looks at what changes.

        That is chance, memory, and the ends of conntrack entries: see `netpath.iptables.recalling`.
        """
        cuts = [match.port_cuts() for rule in self.rules for match in rule.tests]
        return None if None in cuts else frozenset().union(*filter(None, cuts))


@dataclass(frozen=True, slots=True)
class Table:
    """A table by name, and its chains by theirs."""

    name: str
    chains: Mapping[str, Chain]


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All tables of a host, by name. A table that isn't there lets everything pass."""

    tables: Mapping[str, Table] = field(default_factory=dict)
