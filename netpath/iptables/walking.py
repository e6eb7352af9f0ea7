"""A packet's road through a chain, and the chains that it leads to.

The road is walked once, quickly, noting only what chance and memory answered. Whoever wants to know which
rules were asked, and why they didn't match, gets it by the same road walked again, rule by rule and in words,
with those answers: `ChainWalk.steps`.

Not modelled: nothing that the kernel's own loops (ipt_do_table, nft_do_chain) do with the rules modelled here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from netpath.choice import Choose
from netpath.errors import WorldError
from netpath.iptables.consulted import Consulted
from netpath.iptables.context import Connection, Context, Flow, RuleMemory
from netpath.iptables.tables import Chain, Rule, Ruleset
from netpath.iptables.targets import ACCEPT, CONTINUE, DROP, FINAL, Jump, Target
from netpath.packet import LazySteps, Packet, Step, quick

_POLICIES = {"ACCEPT": ACCEPT, "DROP": DROP}

End = tuple[Chain, int, Rule, Target]


@quick
@dataclass(frozen=True, slots=True)
class ChainWalk:
    """Where a walk ended: the target that decided, and the rule (None: the policy did).

    `chain` and `number` (from 1; 0 for the policy) say where that rule stands, `at` as a person would write
    it. `steps` are all rules asked, worked out when looked at. A `repeatable` walk is known to ask neither chance
    nor memory, so that such a packet always comes to the same.
    """

    target: Target
    rule: Rule | None
    table: str
    chain: str
    number: int
    steps: Sequence[Step]
    repeatable: bool = False

    @property
    def at(self) -> str:
        return f"{self.table} {self.chain} {self.number}" if self.number else f"{self.table} {self.chain}"

    @property
    def text(self) -> str:
        """The raw text of what decided: the rule's, or the policy as iptables-save writes it."""
        if self.rule is not None:
            return self.rule.text or str(self.rule)
        return f":{self.chain} {self.target.name}"


def walk_chain(
    ruleset: Ruleset, table: str, chain: str, context: Context, choose: Choose, through: list[Chain] | None = None
) -> ChainWalk:
    """Lead a packet through a built-in chain of a table, exactly as the kernel does.

    Marks on `context` (and its connection's) and its memory are altered as the rules say. A table or chain
    that isn't there accepts. `WorldError` if a rule leads to a chain that isn't there. The chains that were
    walked are appended to `through`.
    """
    held = ruleset.tables.get(table)
    start = None if held is None else held.chains.get(chain)
    if held is None or start is None:
        return _policy_walk(table, chain, "ACCEPT")
    policy = start.policy or "ACCEPT"
    if not start.rules:
        return _policy_walk(table, chain, policy)
    noted: list[bool] = []
    steps = LazySteps(Retelling(held.chains, table, start, frozen(context), noted).tell)
    packet, walked = context.packet, [] if through is None else through

    def candidates(here: Chain) -> Sequence[int]:
        walked.append(here)
        return here.index.candidates(packet)

    def asks(here: Chain, position: int, rule: Rule) -> bool:
        if rule.consults:
            return _consult(rule, context, choose, (table, here.name, position + 1), noted)
        for match in rule.tests:  # noqa: SIM110 (a generator would take twice the time)
            if not match.holds(context):
                return False
        return True

    end = _follow(held.chains, start, context, candidates, asks)
    if end is None:
        return ChainWalk(_POLICIES[policy], None, table, chain, 0, steps)
    where, position, rule, target = end
    return ChainWalk(target, rule, table, where.name, position + 1, steps)


def _follow(
    chains: Mapping[str, Chain],
    here: Chain,
    context: Context,
    candidates: Callable[[Chain], Iterable[int]],
    asks: Callable[[Chain, int, Rule], bool],
) -> End | None:
    """The rule whose target ends the walk, or None when it falls off the end of the built-in chain.

    A goto leaves nothing to come back to, so that its chain's end leads to the last *jump*; from
    a built-in chain there was none, and the policy applies (ipt_do_table: underflow).
    """
    back: list[tuple[Chain, Iterator[int]]] = []
    pending = iter(candidates(here))
    while True:
        for position in pending:
            rule = here.rules[position]
            target = rule.target
            if not asks(here, position, rule) or target is None:
                continue
            kind = target.kind
            if kind == CONTINUE:
                target.apply(context)
                continue
            if kind == FINAL:
                return here, position, rule, target
            if not isinstance(target, Jump):
                pending = iter(())  # RETURN
                break
            if not target.goto:
                back.append((here, pending))
            here = _chain(chains, target.chain, rule)
            pending = iter(candidates(here))
            break
        else:
            if not back:
                return None
            here, pending = back.pop()


def _chain(chains: Mapping[str, Chain], name: str, rule: Rule) -> Chain:
    chain = chains.get(name)
    if chain is None:
        raise WorldError("a rule leads to a chain that isn't there", value=name, field=str(rule))
    return chain


def _consult(rule: Rule, context: Context, choose: Choose, place: tuple[str, str, int], noted: list[bool]) -> bool:
    """Ask a rule that depends on chance or memory, noting their answers."""
    for number, match in enumerate(rule.tests, 1):
        if isinstance(match, Consulted):
            held = match.consult(context, choose, (*place, number))
            noted.append(held)
        else:
            held = match.holds(context)
        if not held:
            return False
    return True


def _policy_step(table: str, chain: str, policy: str) -> Step:
    return Step(f":{chain} {policy}", True, "the chain ended: its policy decides", f"{table} {chain}")


@lru_cache(maxsize=256)
def _policy_walk(table: str, chain: str, policy: str) -> ChainWalk:
    return ChainWalk(_POLICIES[policy], None, table, chain, 0, (_policy_step(table, chain, policy),), True)


@dataclass(slots=True)
class _Seen:
    """A connection as it was when the walk began."""

    mark: int
    original: Flow
    reply: Flow


def _seen(connection: Connection | None) -> _Seen | None:
    return None if connection is None else _Seen(connection.mark, connection.original, connection.reply)


_NO_MEMORY = RuleMemory()


def frozen(context: Context) -> Context:
    """The context as it is now; what memory would answer is noted elsewhere."""
    return Context(
        context.packet,
        context.input,
        context.output,
        context.mark,
        context.state,
        context.direction,
        context.status,
        _seen(context.connection),
        context.is_local,
        context.address_type,
        _NO_MEMORY,
        context.now,
    )


class Retelling:
    """The same walk once more, through every rule, in words."""

    __slots__ = ("_chains", "_context", "_noted", "_start", "_table")

    def __init__(
        self, chains: Mapping[str, Chain], table: str, start: Chain, context: Context, noted: Sequence[bool]
    ) -> None:
        self._chains = chains
        self._table = table
        self._start = start
        self._context = context
        self._noted = noted

    def tell(self, packet: Packet | None = None) -> list[Step]:
        """The steps; those of another `packet` if it went the same road."""
        context, answers, steps = frozen(self._context), iter(self._noted), list[Step]()
        context.packet = packet or context.packet

        def asks(here: Chain, position: int, rule: Rule) -> bool:
            matched, why = _explained(rule, context, answers)
            steps.append(Step(rule.text or str(rule), matched, why, f"{self._table} {here.name} {position + 1}"))
            return matched

        def candidates(here: Chain) -> Iterable[int]:
            return range(len(here.rules))

        if _follow(self._chains, self._start, context, candidates, asks) is None:
            steps.append(_policy_step(self._table, self._start.name, self._start.policy or "ACCEPT"))
        return steps


def _explained(rule: Rule, context: Context, answers: Iterator[bool]) -> tuple[bool, str]:
    """Whether the rule matches, and why: the reason of the match that failed, or of all that held."""
    reasons = []
    for match in rule.tests:
        if isinstance(match, Consulted):
            held = next(answers)
            why = match.told(held)
        else:
            held, why = match.holds(context), match.why(context)
        if not held:
            return False, why
        reasons.append(why)
    return True, "; ".join(reasons) or "it asks for nothing"
