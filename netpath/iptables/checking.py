"""What Linux refuses although it can be read: each with the line of the rule to blame.

Not modelled: modules that a kernel lacks, and limits of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from netpath.errors import InputError
from netpath.iptables.matches import AddressType, Interface
from netpath.iptables.tables import BUILT_IN, Chain, Rule, Table
from netpath.iptables.targets import DROP, Jump

LineOf = Callable[[str, int], int]

DEEPEST = 16  # NFT_JUMP_STACK_SIZE

_FILTER = ("INPUT", "FORWARD", "OUTPUT")
_WHERE: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "DNAT": ("nat", ("PREROUTING", "OUTPUT")),
        "REDIRECT": ("nat", ("PREROUTING", "OUTPUT")),
        "SNAT": ("nat", ("INPUT", "POSTROUTING")),
        "MASQUERADE": ("nat", ("POSTROUTING",)),
        "REJECT": ("filter", _FILTER),
        "CT": ("raw", ("PREROUTING", "OUTPUT")),
        "NOTRACK": ("raw", ("PREROUTING", "OUTPUT")),
    }
)
"""The table and the hooks where a target works (the kernel's xt_target registrations)."""

_NO_INPUT = ("OUTPUT", "POSTROUTING")
_NO_OUTPUT = ("PREROUTING", "INPUT")


def check(table: Table, line_of: LineOf) -> None:
    """Refuse what Linux would. `line_of(chain, position)` says where a rule was read. Raises `InputError`."""
    reached: dict[str, set[str]] = {}
    for name in table.chains:
        _check_jumps(table, name, line_of)
    _check_loops(table, line_of)
    for hook in BUILT_IN[table.name]:
        _reach(table, hook, hook, reached)
    for name, chain in table.chains.items():
        for position, rule in enumerate(chain.rules):
            _check_rule(table.name, rule, reached.get(name, set()), line_of(name, position))


def _refuse(line: int, problem: str, rule: Rule, expected: str) -> None:
    raise InputError(problem, line=line, value=str(rule), expected=expected)


def _check_jumps(table: Table, name: str, line_of: LineOf) -> None:
    for position, rule in enumerate(table.chains[name].rules):
        if not isinstance(rule.target, Jump):
            continue
        if rule.target.chain not in table.chains:
            _refuse(
                line_of(name, position),
                f"neither a chain of the table {table.name} nor a target that netpath knows",
                rule,
                f"another target than {rule.target.chain}",
            )
        if rule.target.chain in BUILT_IN[table.name]:
            _refuse(line_of(name, position), "nothing jumps to a built-in chain", rule, "a chain of your own")


def _jumps(chain: Chain) -> list[tuple[int, Rule, str]]:
    return [
        (position, rule, rule.target.chain)
        for position, rule in enumerate(chain.rules)
        if isinstance(rule.target, Jump)
    ]


def _check_loops(table: Table, line_of: LineOf) -> None:
    """Depth first, without recursion: a chain that leads back to itself, or too deep, is refused."""
    depth: dict[str, int] = {}
    for start in table.chains:
        path: list[str] = []
        todo: list[tuple[str, bool, int, Rule | None]] = [(start, False, 0, None)]
        while todo:
            name, leaving, line, cause = todo.pop()
            if leaving:
                path.pop()
                depth[name] = 1 + max((depth[to] for _, _, to in _jumps(table.chains[name])), default=-1)
                if depth[name] >= DEEPEST and cause is not None:
                    _refuse(line, "chains lead too deep into each other", cause, f"fewer than {DEEPEST} jumps")
            elif name in path:
                if cause is not None:
                    _refuse(line, "a loop of chains", cause, "chains that end")
            elif name not in depth:
                path.append(name)
                todo.append((name, True, line, cause))
                todo += [(to, False, line_of(name, at), rule) for at, rule, to in _jumps(table.chains[name])]


def _reach(table: Table, hook: str, name: str, reached: dict[str, set[str]]) -> None:
    todo = [name]
    while todo:
        here = todo.pop()
        hooks = reached.setdefault(here, set())
        if hook not in hooks:
            hooks.add(hook)
            todo += [to for _, _, to in _jumps(table.chains[here])]


def _check_rule(table: str, rule: Rule, hooks: set[str], line: int) -> None:
    target = rule.target
    if table == "nat" and target == DROP:
        _refuse(line, "the table nat isn't for filtering, and iptables takes no DROP there", rule, "*filter")
    if target is not None and target.name in _WHERE and not isinstance(target, Jump):
        wanted, where = _WHERE[target.name]
        if table != wanted:
            _refuse(line, f"{target.name} works only in the table {wanted}", rule, f"*{wanted}")
        if not hooks <= set(where):
            _refuse(line, f"{target.name} doesn't work under {min(hooks - set(where))}", rule, " or ".join(where))
    for match in rule.matches:
        if isinstance(match, Interface):
            # iptables itself looks only at the chain's own name; under another chain the match just never holds
            wrong = _NO_INPUT if match.option == "-i" else _NO_OUTPUT
            if rule.chain in wrong and rule.chain in BUILT_IN[table]:
                _refuse(line, f"{rule.chain} knows no {match.option}", rule, f"a rule without {match.option}")
        elif isinstance(match, AddressType) and match.limit:
            wrong = _NO_INPUT if match.limit == "in" else _NO_OUTPUT
            if hooks & set(wrong):
                _refuse(line, f"{min(hooks & set(wrong))} knows no such interface", rule, "no --limit-iface")
