"""Reading and printing whole rulesets, as iptables-restore and iptables-save do.

A text is read table by table from `*nat` to `COMMIT`, each starting empty: `:CHAIN POLICY [0:0]` makes a chain,
`-A` appends a rule to it; `-I -D -R -F -X -N -P -Z` do what they do on a command line.

Not modelled: `--noflush` (a table here never has earlier rules).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from netpath.errors import InputError
from netpath.iptables.checking import check
from netpath.iptables.consulted import Recent
from netpath.iptables.matches import Match
from netpath.iptables.reading import check_chain_name, parse_counters, parse_rules, split_words
from netpath.iptables.tables import BUILT_IN, Chain, Counters, Rule, Ruleset, Table
from netpath.iptables.targets import Jump


@dataclass(slots=True)
class _Draft:
    """A chain being read; each rule with its line."""

    policy: str | None
    counters: Counters = (0, 0)
    rules: list[tuple[Rule, int]] = field(default_factory=list)


class _TableReader:
    """One table being read."""

    __slots__ = ("chains", "line", "masks", "name")

    def __init__(self, name: str, masks: dict[str, int]) -> None:
        if name not in BUILT_IN:
            raise InputError("not a table", value=name, expected=", ".join(BUILT_IN))
        self.name = name
        self.chains = {chain: _Draft("ACCEPT") for chain in BUILT_IN[name]}
        self.line = 0
        self.masks = masks  # of the lists of `-m recent`, as the rules before have set them

    def declare(self, text: str) -> None:
        """`:NAME POLICY [packets:bytes]`."""
        words = text[1:].split()
        if not 2 <= len(words) <= 3:
            raise InputError("not a chain", value=text, expected=":NAME POLICY [PACKETS:BYTES]")
        name, policy = words[:2]
        counters = parse_counters(words[2]) if len(words) == 3 else (0, 0)
        if name in BUILT_IN[self.name]:
            self.chains[name].policy = _policy(policy)
            self.chains[name].counters = counters
        elif policy != "-":
            raise InputError("only built-in chains have policies", value=text, expected=f":{name} -")
        else:
            self.chains[check_chain_name(name)] = _Draft(None, counters)

    def chain(self, name: str) -> _Draft:
        draft = self.chains.get(name)
        if draft is None:
            raise InputError(f"the table {self.name} has no such chain", value=name, expected=f":{name} - before")
        return draft

    def own_chain(self, name: str) -> _Draft:
        if name in BUILT_IN[self.name]:
            raise InputError("a built-in chain stays", value=name, expected="another chain")
        return self.chain(name)

    def append(self, text: str) -> None:
        counters, text = _leading_counters(text)
        for rule in self._read(text):
            draft = self.chain(rule.chain)
            draft.rules.append((rule if counters is None else replace(rule, counters=counters), self.line))

    def insert(self, words: list[str], text: str) -> None:
        """`-I CHAIN [NUMBER] …`: before the rule of that number, or the first."""
        name, position, rest = _chain_and_number(words)
        rules = self._rules(name, rest, text)
        draft = self.chain(name)
        if not 0 <= position <= len(draft.rules):
            raise InputError("no such rule number", value=position + 1, expected=f"1 to {len(draft.rules) + 1}")
        for rule in rules:
            draft.rules.insert(position, (rule, self.line))

    def replace(self, words: list[str], text: str) -> None:
        name, position, rest = _chain_and_number(words)
        rules = self._rules(name, rest, text)
        self._existing(name, position)
        if len(rules) != 1:
            raise InputError("one rule is replaced by one", value=text, expected="a rule without lists of addresses")
        self.chain(name).rules[position] = (rules[0], self.line)

    def delete(self, words: list[str], text: str) -> None:
        """`-D CHAIN NUMBER`, or `-D CHAIN` and the rule itself: the first that is the same."""
        name, position, rest = _chain_and_number(words)
        rules = self.chain(name).rules
        if not rest:
            self._existing(name, position)
            del rules[position]
            return
        for wanted in self._rules(name, rest, text):
            same = [at for at, (rule, _) in enumerate(rules) if str(rule) == str(wanted)]
            if not same:
                raise InputError("no such rule", value=text, expected=f"a rule of {name}")
            del rules[same[0]]

    def _rules(self, name: str, rest: list[str], text: str) -> tuple[Rule, ...]:
        spelled = " ".join(["-A", name, *(f'"{_escaped(word)}"' if _odd(word) else word for word in rest)])
        return self._read(spelled)

    def _read(self, text: str) -> tuple[Rule, ...]:
        rules = parse_rules(text)
        target = rules[0].target
        if isinstance(target, Jump) and target.chain not in self.chains:
            problem = f"neither a chain of the table {self.name}, at this line, nor a target that netpath knows"
            raise InputError(problem, value=target.chain, expected="a chain declared before, or another target")
        return tuple(map(self._with_masks, rules)) if rules[0].consults else rules

    def _with_masks(self, rule: Rule) -> Rule:
        return replace(rule, matches=tuple(map(self._with_mask, rule.matches)))

    def _with_mask(self, match: Match) -> Match:
        if not isinstance(match, Recent):
            return match
        mask = self.masks.setdefault(match.name, match.mask)
        return match if mask == match.mask else replace(match, list_mask=mask)

    def _existing(self, name: str, position: int) -> None:
        if not 0 <= position < len(self.chain(name).rules):
            raise InputError("no such rule number", value=position + 1, expected=f"a rule of {name}")

    def flush(self, words: list[str], text: str) -> None:
        for draft in [self.chain(words[1])] if len(words) > 1 else self.chains.values():
            draft.rules.clear()

    def create(self, words: list[str], text: str) -> None:
        if _second(words, text) in self.chains:
            raise InputError("the chain is there already", value=words[1], expected="a new name")
        self.chains[check_chain_name(words[1])] = _Draft(None)

    def remove(self, words: list[str], text: str) -> None:
        """`-X CHAIN`: it must be empty by then."""
        if self.own_chain(_second(words, text)).rules:
            raise InputError("a chain with rules can't be deleted", value=words[1], expected=f"-F {words[1]} before")
        del self.chains[words[1]]

    def set_policy(self, words: list[str], text: str) -> None:
        if len(words) != 3 or words[1] not in BUILT_IN[self.name]:
            raise InputError("not a policy", value=text, expected="-P, a built-in chain, ACCEPT or DROP")
        self.chains[words[1]].policy = _policy(words[2])

    def zero(self, words: list[str], text: str) -> None:
        for draft in self.chains.values():
            draft.counters = (0, 0)

    def finished(self) -> Table:
        chains = {
            name: Chain(name, draft.policy, tuple(rule for rule, _ in draft.rules), draft.counters)
            for name, draft in self.chains.items()
        }
        table = Table(self.name, chains)
        check(table, lambda chain, position: self.chains[chain].rules[position][1])
        return table


_COMMANDS: Mapping[str, Callable[[_TableReader, list[str], str], None]] = {
    name: command
    for names, command in (
        (("-I", "--insert"), _TableReader.insert),
        (("-D", "--delete"), _TableReader.delete),
        (("-R", "--replace"), _TableReader.replace),
        (("-F", "--flush"), _TableReader.flush),
        (("-N", "--new-chain"), _TableReader.create),
        (("-X", "--delete-chain"), _TableReader.remove),
        (("-P", "--policy"), _TableReader.set_policy),
        (("-Z", "--zero"), _TableReader.zero),
    )
    for name in names
}


def parse(text: str, file: object = None) -> Ruleset:
    r"""The ruleset that iptables-save printed, or that iptables-restore would load.

    Raises `InputError` with the file and line of what can't be read, or of what Linux would refuse: a jump to a
    chain that isn't there, a loop, a target in a table or under a hook where it doesn't work.

    >>> rules = parse("*filter\n:INPUT DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT")
    >>> print(rules.tables["filter"].chains["INPUT"].rules[0])
    -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
    """
    tables: dict[str, Table] = {}
    masks: dict[str, int] = {}
    reader: _TableReader | None = None
    number = 0
    try:
        for number, raw in enumerate(text.split("\n"), 1):
            line = raw.strip()
            if not line or line[0] == "#":
                continue
            if line[0] == "*":
                _not_open(reader, line)
                reader = _TableReader(line[1:].strip(), masks)
            elif reader is None:
                raise InputError("outside of any table", value=line, expected="*TABLE before, COMMIT after")
            elif line == "COMMIT":
                tables[reader.name] = reader.finished()
                reader = None
            else:
                _obey(reader, line, number)
        if reader is not None:
            raise InputError("a table that doesn't end", value=reader.name, expected="COMMIT")
    except InputError as problem:
        raise problem.located(file=file, line=number) from None
    return Ruleset(tables)


def _not_open(reader: _TableReader | None, line: str) -> None:
    if reader is not None:
        raise InputError(f"the table {reader.name} isn't committed", value=line, expected="COMMIT")


def _obey(reader: _TableReader, line: str, number: int) -> None:
    reader.line = number
    if line[0] == ":":
        reader.declare(line)
        return
    if line[0] == "[" or line.startswith("-A "):
        reader.append(line)
        return
    words = split_words(line)
    command = _COMMANDS.get(words[0])
    if command is not None:
        command(reader, words, line)
    elif words[0] == "--append":
        reader.append(line)
    else:
        raise InputError("not a line of iptables-restore", value=line, expected="-A CHAIN …, :CHAIN, *TABLE, COMMIT")


def _policy(text: str) -> str:
    if text not in ("ACCEPT", "DROP"):
        raise InputError("not a policy", value=text, expected="ACCEPT or DROP")
    return text


def _leading_counters(text: str) -> tuple[Counters | None, str]:
    if text[0] != "[":
        return None, text
    counters, _, rest = text.partition(" ")
    return parse_counters(counters), rest.strip()


def _second(words: list[str], text: str) -> str:
    if len(words) != 2:
        raise InputError("which chain?", value=text, expected=f"{words[0]} CHAIN")
    return words[1]


def _chain_and_number(words: list[str]) -> tuple[str, int, list[str]]:
    """The chain, the position (from 0; 0 if no number is given) and the words that follow."""
    if len(words) < 2:
        raise InputError("which chain?", value=words[0], expected=f"{words[0]} CHAIN …")
    numbered = len(words) > 2 and re.fullmatch("[0-9]{1,9}", words[2]) is not None
    return words[1], int(words[2]) - 1 if numbered else 0, words[3:] if numbered else words[2:]


def _odd(word: str) -> bool:
    return not word or any(c.isspace() or c in "\"'\\" for c in word)


def _escaped(word: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", word)


def render(ruleset: Ruleset, *, counters: bool = False, sort: bool = True) -> str:
    r"""The ruleset as iptables-save prints it once it is loaded (`iptables-save -c` with `counters`).

    Tables in Linux's order, each with all its built-in chains first and the others by name; with `sort=False`,
    tables and chains as they come. What the kernel doesn't keep (comment lines, spelling) is gone.

    >>> print(render(parse("*raw\n-A OUTPUT -s 10.0.0.9/8 -j DROP\nCOMMIT")), end="")
    *raw
    :PREROUTING ACCEPT [0:0]
    :OUTPUT ACCEPT [0:0]
    -A OUTPUT -s 10.0.0.0/8 -j DROP
    COMMIT
    """
    names = sorted(ruleset.tables, key=list(BUILT_IN).index) if sort else ruleset.tables
    return "".join(f"{line}\n" for name in names for line in _table_lines(ruleset.tables[name], counters, sort))


def _table_lines(table: Table, counters: bool, sort: bool) -> Iterator[str]:
    own = [name for name in table.chains if name not in BUILT_IN[table.name]]
    names = [*BUILT_IN[table.name], *sorted(own, key=str.encode)] if sort else list(table.chains)
    chains = [table.chains.get(name) or Chain(name, "ACCEPT") for name in names]
    yield f"*{table.name}"
    for chain in chains:
        packets, octets = chain.counters if chain.policy else (0, 0)
        yield f":{chain.name} {chain.policy or '-'} [{packets}:{octets}]"
    for chain in chains:
        for rule in chain.rules:
            packets, octets = rule.counters or (0, 0)
            yield f"[{packets}:{octets}] {rule}" if counters else str(rule)
    yield "COMMIT"
