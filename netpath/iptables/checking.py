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
        _reach(table, hook, reached)
    for name, chain in table.chains.items():
        for position, rule in enumerate(chain.rules):
            _check_target(table.name, rule, reached.get(name, set()), line_of(name, position))
            if rule.chain in BUILT_IN[table.name]:
                _check_interfaces(rule, line_of(name, position))


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
    """Depth first, without recursion: a chain that leads back to itself, or too deep, is refused.

    Only what a packet can come to: Linux takes a loop of chains that nothing leads to.
    """
    depth: dict[str, int] = {}
    for start in BUILT_IN[table.name]:
        path: list[str] = []
        todo: list[tuple[str, bool, int, Rule]] = [(start, False, 0, Rule(start))]
        while todo:
            name, leaving, line, cause = todo.pop()
            if leaving:
                path.pop()
                depth[name] = 1 + max((depth[to] for _, _, to in _jumps(table.chains[name])), default=-1)
            elif name in path:
                _refuse(line, "a loop of chains", cause, "chains that end")
            elif name not in depth:
                path.append(name)
                todo.append((name, True, line, cause))
                todo += [(to, False, line_of(name, at), rule) for at, rule, to in _jumps(table.chains[name])]
        if depth[start] >= DEEPEST:
            position, rule, _ = max(_jumps(table.chains[start]), key=lambda jump: depth[jump[2]])
            _refuse(line_of(start, position), "chains lead too deep into each other", rule, f"under {DEEPEST} jumps")


def _reach(table: Table, hook: str, reached: dict[str, set[str]]) -> None:
    """Note for every chain that the hook leads to that it does."""
    todo = [hook]
    while todo:
        here = todo.pop()
        hooks = reached.setdefault(here, set())
        if hook not in hooks:
            hooks.add(hook)
            todo += [to for _, _, to in _jumps(table.chains[here])]


def _check_target(table: str, rule: Rule, hooks: set[str], line: int) -> None:
    target = rule.target
    if table == "nat" and target == DROP:
        _refuse(line, "the table nat isn't for filtering, and iptables takes no DROP there", rule, "*filter")
    if target is None or isinstance(target, Jump) or target.name not in _WHERE:
        return
    wanted, where = _WHERE[target.name]
    if table != wanted:
        _refuse(line, f"{target.name} works only in the table {wanted}", rule, f"*{wanted}")
    if not hooks <= set(where):
        _refuse(line, f"{target.name} doesn't work under {min(hooks - set(where))}", rule, " or ".join(where))


def _check_interfaces(rule: Rule, line: int) -> None:
    """Only in built-in chains does iptables refuse an interface that no packet has there; elsewhere it never holds."""
    for match in rule.matches:
        if isinstance(match, Interface):
            way = match.option
        elif isinstance(match, AddressType) and match.limit:
            way = f"-{match.limit[0]}"
        else:
            continue
        if rule.chain in (_NO_INPUT if way == "-i" else _NO_OUTPUT):
            _refuse(line, f"{rule.chain} knows no such interface", rule, f"a rule without {way}")
