"""The two filters and the route table, each as an index that decides quickly and explains itself later.

A *security group* allows, and forgets nothing: the rules of all groups of an interface are one set,
and any of them is enough. A *network ACL* allows or denies, and remembers nothing: the rule with the
lowest number that matches decides. A *route table* is asked for the longest prefix.

What they decide depends on frozen rules and a few numbers of the packet, so a decision is worked out
once for each such key and kept; its steps are only written down when somebody reads them.

Not modelled: the limits on how many rules there may be.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import NamedTuple, TypeVar

from netpath.packet import ICMP_NUMBERS, Address, LazySteps, Network, Packet, Protocol, Step, Verdict
from netpath.vpc.objects import (
    LAST_RULE,
    LOCAL,
    WITH_PORTS,
    AclEntry,
    NetworkAcl,
    PrefixList,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    TargetKind,
    Vpc,
    ports_text,
)

number = attrgetter("_ip")  # an address as the integer that it is
source_number = attrgetter("source.address._ip")
destination_number = attrgetter("destination.address._ip")

Prefix = tuple[int, int]  # network and mask, as integers
Selector = int  # a destination port; for ICMP, type * 256 + code
Key = tuple[str, Selector, int, bool]

_ICMP_SELECTORS = {str(icmp): kind * 256 + code for icmp, (kind, code) in ICMP_NUMBERS.items()}
_ICMP = Protocol.ICMP
_MEMO_LIMIT = 1 << 16  # a port scan must not fill the memory

D = TypeVar("D")
K = TypeVar("K")


def prefix(network: Network) -> Prefix:
    """A network as two integers: `address & mask == network` is the test."""
    return number(network.network_address), number(network.netmask)


def within(address: int, prefixes: Iterable[Prefix]) -> bool:
    return any(address & mask == base for base, mask in prefixes)


def selector(packet: Packet) -> Selector:
    """The number in a packet that rules choose by: its destination port, or its ICMP type and code."""
    if packet.protocol is _ICMP:
        return _ICMP_SELECTORS[str(packet.icmp)]
    return packet.destination.port


class Match(NamedTuple):
    """The traffic that a rule is about: a protocol name, and the ports or ICMP numbers it is narrowed to."""

    protocol: str
    low: int = -1
    high: int = -1

    def why_not(self, protocol: str, chosen: Selector) -> str:
        """Why a packet isn't such traffic; empty if it is."""
        if self.protocol not in ("-1", protocol):
            return f"protocol {protocol} is not {self.protocol}"
        if protocol == "icmp":
            return self._why_not_icmp(*divmod(chosen, 256))
        if self.low >= 0 and not self.low <= chosen <= self.high:
            return f"port {chosen} is not {ports_text('tcp', self.low, self.high).removeprefix('tcp ')}"
        return ""

    def _why_not_icmp(self, kind: int, code: int) -> str:
        if self.low not in (-1, kind):
            return f"ICMP type {kind} is not {self.low}"
        if self.high not in (-1, code):
            return f"ICMP code {code} is not {self.high}"
        return ""


def _match(protocol: str, ports: tuple[int | None, int | None], icmp: tuple[int | None, int | None]) -> Match:
    """AWS ignores the ports of any protocol but TCP, UDP and ICMP (EC2 API, IpPermission and NetworkAclEntry)."""
    if protocol in WITH_PORTS and None not in ports:
        low, high = ports
    elif protocol == "icmp":
        low, high = icmp
    else:
        low = high = -1
    return Match(protocol, -1 if low is None else low, -1 if high is None else high)


class Decision(NamedTuple):
    """A verdict and what led to it."""

    verdict: Verdict
    steps: Sequence[Step]


class Memo(dict[K, D]):
    """Answers of a function that always answers the same, kept up to a limit."""

    def __init__(self, decide: Callable[[K], D]) -> None:
        self._decide = decide

    def __missing__(self, key: K) -> D:
        if len(self) >= _MEMO_LIMIT:
            self.clear()
        decision = self[key] = self._decide(key)
        return decision


class Kinds:
    """Ports between which no rule's range begins or ends are one kind: a client's next port is no new question."""

    def __init__(self, matches: Iterable[Match]) -> None:
        ranges = [match for match in matches if match.protocol != "icmp" and match.low >= 0]
        self._cuts = sorted({cut for match in ranges for cut in (match.low, match.high + 1)})

    def of(self, protocol: str, chosen: Selector) -> int:
        """The first port of its kind; ICMP's numbers are each a kind."""
        if protocol == "icmp":
            return chosen
        position = bisect_right(self._cuts, chosen)
        return self._cuts[position - 1] if position else 0


# Security groups -----------------------------------------------------------------------------
class Members(NamedTuple):
    """The private addresses that a reference to a group (or a network, or a prefix list) stands for."""

    prefixes: tuple[Prefix, ...]
    addresses: frozenset[int] | None  # None: not a group
    text: str

    def why_not(self, address: int, preserved: bool) -> str:
        """Why the other end isn't one of them; empty if it is.

        A middlebox between two interfaces loses who sent a packet, and with it every group reference
        (VPC Peering Guide, "Requirements"): `preserved` says that there was none.
        """
        if self.addresses is None:
            return "" if within(address, self.prefixes) else f"{Address(address)} is not in {self.text}"
        if address not in self.addresses and not within(address, self.prefixes):
            return f"{Address(address)} is no private address of an interface with {self.text}"
        return "" if preserved else "an appliance forwarded it, and group references are lost on the way"


class GroupRule(NamedTuple):
    rule: SecurityGroupRule
    text: str
    match: Match
    peer: Members

    def why_not(self, key: Key) -> str:
        protocol, chosen, other, preserved = key
        return self.match.why_not(protocol, chosen) or self.peer.why_not(other, preserved)


class GroupDecision(NamedTuple):
    """What the rules say of a first packet, and what is said of later ones of its connection."""

    verdict: Verdict
    steps: Sequence[Step]
    tracked: Decision
    open: bool  # a rule that allows it does so for everyone, 0.0.0.0/0


class GroupFilter:
    """All rules, one way, of the security groups that an interface has."""

    def __init__(self, groups: Sequence[SecurityGroup], egress: bool, members: Callable[[SecurityGroupRule], Members]):
        self.way = "egress" if egress else "ingress"
        self.groups = groups
        self.rules = tuple(self._compiled(members))
        self._for_all = [rule for rule in self.rules if (0, 0) in rule.peer.prefixes]
        unlimited = [rule.match.protocol for rule in self._for_all if rule.match[1:] in ((-1, -1), (0, 65535))]
        self._unlimited = WITH_PORTS if "-1" in unlimited else WITH_PORTS.intersection(unlimited)
        self._kind = Kinds([rule.match for rule in self.rules])
        self._decided = Memo(self._decide)

    def decide(self, key: Key) -> GroupDecision:
        """What the rules say; ports of one kind are decided once."""
        protocol, chosen, other, preserved = key
        verdict, _, tracked, is_open = self._decided[protocol, self._kind.of(protocol, chosen), other, preserved]
        return GroupDecision(verdict, LazySteps(partial(self._steps, key)), tracked, is_open)

    def _compiled(self, members: Callable[[SecurityGroupRule], Members]) -> Iterator[GroupRule]:
        for group in self.groups:
            for rule in getattr(group, self.way):
                ports = rule.from_port, rule.to_port
                match = _match(rule.protocol, ports, ports)
                yield GroupRule(rule, f"{group.group_id} {rule.text(self.way)}", match, members(rule))

    def lets_by_all(self, protocol: str) -> bool:
        """Whether TCP or UDP is allowed this way, whatever its port and other end."""
        return protocol in self._unlimited

    def lets_by_from_all(self, protocol: str, port: int) -> bool:
        """Whether a port is open this way to everyone."""
        return any(not rule.match.why_not(protocol, port) for rule in self._for_all)

    def _decide(self, key: Key) -> GroupDecision:
        winner = next((rule for rule in self.rules if not rule.why_not(key)), None)
        steps = LazySteps(partial(self._steps, key))
        if winner is None:
            refusal = self._refusal()
            return GroupDecision(refusal, steps, Decision(refusal, steps), False)
        why = "the connection is tracked: this rule allowed its first packet, and no rule is asked again"
        later = LazySteps(lambda: (Step(winner.text, True, why, winner.text.partition(" ")[0]),))
        tracked = Decision(Verdict("TRACKED", winner.text), later)
        is_open = any((0, 0) in rule.peer.prefixes for rule in self.rules if not rule.why_not(key))
        return GroupDecision(Verdict("ALLOWED", winner.text), steps, tracked, is_open)

    def _refusal(self) -> Verdict:
        names = ", ".join(group.group_id for group in self.groups)
        if not self.rules:
            return Verdict("SG_HAS_NO_RULES", f"{names}: no {self.way} rules")
        return Verdict("ENI_SG_RULES_MISMATCH", f"{names}: no {self.way} rule matches")

    def _steps(self, key: Key) -> Iterator[Step]:
        for rule in self.rules:
            why_not = rule.why_not(key)
            yield Step(rule.text, not why_not, why_not or _why(key), rule.text.partition(" ")[0])


def untracked(here: GroupFilter, back: GroupFilter, packet: Packet, decision: GroupDecision) -> bool:
    """Whether a packet that a rule `here` allowed belongs to a connection that isn't tracked.

    TCP and UDP aren't if a rule lets in everyone, and another lets all answers out anyway (EC2 User
    Guide, "Untracked connections"). Such a connection's answers are allowed by rule, and seen here too.
    """
    protocol = packet.protocol._value_
    if decision.open and back.lets_by_all(protocol):
        return True
    return here.lets_by_all(protocol) and back.lets_by_from_all(protocol, packet.source.port)


def _why(key: Key) -> str:
    protocol, chosen, other, _ = key
    what = f"ICMP type {chosen // 256} code {chosen % 256}" if protocol == "icmp" else f"{protocol} port {chosen}"
    return f"{what}, the other end is {Address(other)}"


# Network ACLs --------------------------------------------------------------------------------
class AclRule(NamedTuple):
    entry: AclEntry
    text: str
    match: Match
    prefix: Prefix
    verdict: Verdict

    def why_not(self, key: Key) -> str:
        protocol, chosen, other, _ = key
        if other & self.prefix[1] != self.prefix[0]:
            return f"{Address(other)} is not in {self.entry.cidr_block}"
        return self.match.why_not(protocol, chosen)


class AclFilter:
    """The rules of a network ACL, one way, in ascending order, with the `*` rule that ends them."""

    def __init__(self, acl: NetworkAcl, egress: bool) -> None:
        self.acl_id = acl.network_acl_id
        self.way = "egress" if egress else "ingress"
        entries = [entry for entry in acl.entries if entry.egress is egress and entry.rule_number < LAST_RULE]
        last = AclEntry(LAST_RULE, egress, False)
        self.rules = tuple(self._compiled(entry) for entry in [*sorted(entries, key=_rule_number), last])
        self._kind = Kinds([rule.match for rule in self.rules])
        self._winners = Memo(self._winner)

    def decide(self, key: Key) -> Decision:
        """What the rules say; ports of one kind are decided once."""
        protocol, chosen, other, _ = key
        winner = self._winners[protocol, self._kind.of(protocol, chosen), other]
        return Decision(winner.verdict, LazySteps(partial(self._steps, key)))

    def _compiled(self, entry: AclEntry) -> AclRule:
        match = _match(entry.protocol, (entry.from_port, entry.to_port), (entry.icmp_type, entry.icmp_code))
        text = f"{self.acl_id} {entry.text()}"
        verdict = Verdict("ALLOWED" if entry.allow else "SUBNET_ACL_RESTRICTION", text)
        return AclRule(entry, text, match, prefix(entry.cidr_block), verdict)

    def _steps(self, key: Key) -> Iterator[Step]:
        """The rules up to the one that decides; the later ones aren't consulted."""
        deciding = next(number for number, rule in enumerate(self.rules) if not rule.why_not(key))
        for rule in self.rules[: deciding + 1]:
            why_not = rule.why_not(key)
            place = " ".join(rule.text.split(" ", 3)[:3])
            yield Step(rule.text, not why_not, why_not or _why(key), place)

    def _winner(self, key: tuple[str, Selector, int]) -> AclRule:
        return next(rule for rule in self.rules if not rule.why_not((*key, True)))


_rule_number = attrgetter("rule_number")


# Route tables --------------------------------------------------------------------------------
class Line(NamedTuple):
    """A route for one network, as the table tells it: a prefix list is as many lines as it has entries."""

    route: Route
    network: Network
    prefix: Prefix
    text: str


class Routing(NamedTuple):
    """What a route table says about a destination; `route` is None where none matches or works."""

    verdict: Verdict
    steps: Sequence[Step]
    route: Route | None
    kind: TargetKind | None


class RouteIndex:
    """A route table, asked by destination.

    The longest prefix wins; of equal ones a static route comes before a prefix list's, and that before
    a propagated one (VPC User Guide, "Route priority"). `fault` says why a route isn't functional, or
    is empty. A table always has its VPC's local routes, printed or not.
    """

    def __init__(
        self,
        table: RouteTable,
        vpc: Vpc,
        prefix_lists: Callable[[str], PrefixList],
        fault: Callable[[Route, str], str],
    ) -> None:
        self.table = table
        self._fault = fault
        given = {route.destination for route in table.routes}
        unsaid = [Route(block, LOCAL) for block in vpc.cidr_blocks if block not in given]
        self.lines = tuple(line for route in (*table.routes, *unsaid) for line in self._lines(route, prefix_lists))
        self._local = [line.network for line in self.lines if line.route.target == LOCAL]
        self._ordered = sorted(self.lines, key=self._precedence)
        self.decide = Memo(self._decide).__getitem__

    def _lines(self, route: Route, prefix_lists: Callable[[str], PrefixList]) -> Iterator[Line]:
        if isinstance(route.destination, Network):
            networks: Iterable[Network] = (route.destination,)
        else:
            networks = prefix_lists(route.destination).entries
        text = f"{self.table.route_table_id} {route}"
        return (Line(route, network, prefix(network), text) for network in networks)

    def _decide(self, destination: int) -> Routing:
        steps = LazySteps(partial(self._steps, destination))
        winner = next((line for line in self._ordered if destination & line.prefix[1] == line.prefix[0]), None)
        if winner is None:
            nothing = f"{self.table.route_table_id}: no route"
            return Routing(Verdict("NO_ROUTE_TO_DESTINATION", nothing), steps, None, None)
        if self._fault(winner.route, self.table.vpc_id):
            return Routing(Verdict("BAD_STATE_ROUTE", winner.text), steps, None, None)
        return Routing(Verdict("ROUTED", winner.text), steps, winner.route, winner.route.kind)

    def _steps(self, destination: int) -> Iterator[Step]:
        matching = [line for line in self._ordered if destination & line.prefix[1] == line.prefix[0]]
        for line in self.lines:
            won = bool(matching) and line is matching[0]
            yield Step(line.text, won, self._why(line, matching, Address(destination)), self.table.route_table_id)

    def _why(self, line: Line, matching: Sequence[Line], destination: Address) -> str:
        if line not in matching:
            return f"{destination} is not in {line.network}"
        best = matching[0]
        if line is best:
            fault = self._fault(line.route, self.table.vpc_id)
            return f"{destination} is in {line.network}" + (f", but {fault}" if fault else ", the longest prefix")
        if line.network.prefixlen < best.network.prefixlen:
            return f"{destination} is in {line.network}, but {best.network} is more specific"
        return f"{destination} is in {line.network}, but the route to {best.route.target} has a higher priority"

    def _precedence(self, line: Line) -> tuple[bool, int, bool, bool]:
        """A propagated route never beats the local one, however specific (Site-to-Site VPN, "Route priority")."""
        route, network = line.route, line.network
        shadowed = route.propagated and any(network.subnet_of(local) for local in self._local)
        return shadowed, -network.prefixlen, route.propagated, isinstance(route.destination, str)
