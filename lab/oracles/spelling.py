"""Rules in a person's spelling: what Linux makes of the text, and what the model makes of it.

Rules are written as people write them (`--src`, `-m` twice, ports as ranges, hexadecimal and octal marks, odd
masks, options in any order), loaded by iptables-restore and printed again by iptables-save. The model reads the
same text and must print the same lines. So must it for all that kube-proxy writes.

Not modelled: the three oddities of iptables-nft 1.8.9 that `netpath.iptables` names; no rule here runs into them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random

from lab.isolation import LabError
from lab.namespaces import run
from lab.oracles.node import Kernel, Switches
from lab.oracles.proxy import loaded
from lab.oracles.rounds import PATIENCE, Difference, Played, without
from lab.oracles.rules import CHAINS
from lab.oracles.services import drawn_services
from netpath import iptables
from netpath.errors import InputError

_STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")
_STATUSES = ("EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED")
_KINDS = ("UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST")
_COMMENTS = ("a", "b-c_d", "e f", 'say \\"x\\"', "it's", "ns/svc:port", "back\\\\slash", "ü", "%s", "(x)", "a  b")
_MARKS = ("0", "1", "0x4000", "0x4000/0x4000", "0x10/0xff", "5", "0xffffffff", "0/1", "017")
_CHANCES = ("0", "1", "0.5", ".25", "1e-3", "0.3333333333", "0.1428571429")
_FLAGS = ("--syn", "--tcp-flags SYN,ACK SYN", "--tcp-flags ALL NONE", "--tcp-flags RST RST")
_ICMP = ("any", "8", "echo-request", "0", "3", "3/3", "port-unreachable", "time-exceeded", "host-prohibited")
_SPOKEN = {"6": "tcp", "UDP": "udp"}
_SETS = ("--set-mark 5/2", "--set-xmark 0x10/0xff", "--set-mark 0x4000/0x4000")
_NUMBERS = ("0", "1", "0x4000", "0x11", "017", "7")


@dataclass(slots=True)
class Writer:
    """Writes rules, with dice."""

    dice: Random

    def maybe(self, chance: float, make: Callable[[], str]) -> list[str]:
        return [make()] if self.dice.random() < chance else []

    def no(self, chance: float = 0.2) -> str:
        return "! " if self.dice.random() < chance else ""

    def address(self) -> str:
        return f"10.{self.dice.randint(0, 3)}.{self.dice.randint(0, 3)}.{self.dice.randint(1, 3)}"

    def block(self) -> str:
        one = self.address()
        masks = ("", "", f"/{self.dice.choice((8, 14, 15, 16, 22, 24, 30, 31, 32))}", "/255.255.0.0", "/255.0.255.0")
        return self.dice.choice((*(one + mask for mask in masks), "10.1/16", f"{one}/{self.dice.randint(1, 32)}"))

    def ports(self) -> str:
        low, high = sorted((self.dice.randint(1, 60), self.dice.randint(1, 60)))
        return self.dice.choice((str(low), str(low), f"{low}:{high}", f":{high}", f"{low}:"))

    def some(self, words: tuple[str, ...], most: int = 3) -> str:
        return ",".join(self.dice.sample(words, self.dice.randint(1, most)))

    # -- matches

    def match(self, protocol: str) -> str:
        return str(self.dice.choice(_MATCHES)(self, protocol))

    def comment(self, _: str) -> str:
        return f'-m comment --comment "{self.dice.choice(_COMMENTS)}"'

    def mark(self, _: str) -> str:
        return f"-m {self.dice.choice(('mark', 'connmark'))} {self.no()}--mark {self.dice.choice(_MARKS)}"

    def conntrack(self, _: str) -> str:
        options = [
            *self.maybe(0.6, lambda: f"{self.no()}--ctstate {self.some(_STATES)}"),
            *self.maybe(0.2, lambda: f"{self.no()}--ctproto {self.dice.choice(('tcp', '17', 'sctp', '99'))}"),
            *self.maybe(0.2, lambda: f"{self.no()}--ctorigdst {self.address()}/{self.dice.randint(8, 32)}"),
            *self.maybe(0.2, lambda: f"{self.no()}--ctreplsrc {self.address()}"),
            *self.maybe(
                0.2, lambda: f"{self.no()}--ctorigsrcport {self.dice.randint(1, 9)}:{self.dice.randint(9, 90)}"
            ),
            *self.maybe(0.2, lambda: f"{self.no()}--ctrepldstport {self.dice.randint(1, 9)}"),
            *self.maybe(0.2, lambda: f"{self.no()}--ctstatus {self.some(_STATUSES)}"),
            *self.maybe(0.2, lambda: f"--ctdir {self.dice.choice(('ORIGINAL', 'reply'))}"),
        ] or ["--ctstate NEW"]
        self.dice.shuffle(options)
        return f"-m conntrack {' '.join(options)}"

    def state(self, _: str) -> str:
        return f"-m state {self.no()}--state {self.some(_STATES[:5])}"

    def statistic(self, _: str) -> str:
        if self.dice.random() < 0.5:
            share = self.dice.choice((*_CHANCES, str(round(self.dice.random(), self.dice.randint(1, 12)))))
            return f"-m statistic --mode random {self.no()}--probability {share}"
        every = self.dice.randint(1, 9)
        return f"-m statistic --mode nth {self.no()}--every {every} --packet {self.dice.randint(0, every - 1)}"

    def recent(self, _: str) -> str:
        what = self.dice.choice(("--set", "--rcheck", "--update", "--remove"))
        options = [self.no() + what]
        if what in ("--rcheck", "--update"):
            reap = self.dice.choice(("", " --reap"))
            options += self.maybe(0.5, lambda: f"--seconds {self.dice.randint(1, 99)}{reap}")
            options += self.maybe(0.5, lambda: f"--hitcount {self.dice.randint(1, 20)}")
        options += self.maybe(0.5, lambda: f"--name {self.dice.choice('AB')}")
        options += self.maybe(0.3, lambda: self.dice.choice(("--rsource", "--rdest")))
        options += self.maybe(0.3, lambda: "--mask 255.255.255.0")
        self.dice.shuffle(options)
        return f"-m recent {' '.join(options)}"

    def addrtype(self, _: str) -> str:
        options = self.maybe(0.5, lambda: f"{self.no()}--src-type {self.some(_KINDS, 2)}")
        if not options or self.dice.random() < 0.5:
            options.append(f"{self.no()}--dst-type {self.some(_KINDS, 2)}")
        return f"-m addrtype {' '.join(options)}"

    def multiport(self, protocol: str) -> str:
        if protocol not in ("tcp", "udp", "sctp"):
            return ""
        which = self.dice.choice(("--sports", "--dports", "--ports", "--dport", "--source-ports"))
        pieces = (str(self.dice.randint(1, 60)), f"{self.dice.randint(1, 20)}:{self.dice.randint(21, 60)}")
        return f"-m multiport {self.no()}{which} " + ",".join(
            self.dice.choice(pieces) for _ in range(self.dice.randint(1, 7))
        )

    def transport(self, protocol: str) -> str:
        if protocol == "icmp":
            return f"-m icmp {self.no()}--icmp-type {self.dice.choice(_ICMP)}"
        if protocol not in ("tcp", "udp", "sctp"):
            return ""
        options = [
            *self.maybe(0.6, lambda: f"{self.no()}--dport {self.ports()}"),
            *self.maybe(0.3, lambda: f"--source-port {self.ports()}"),
            *(self.maybe(0.3, lambda: self.no() + self.dice.choice(_FLAGS)) if protocol == "tcp" else []),
        ]
        self.dice.shuffle(options)
        return f"{f'-m {protocol} ' if self.dice.random() < 0.7 or not options else ''}{' '.join(options)}"

    # -- targets

    def target(self, table: str, hook: str, further: list[str], protocol: str) -> str:
        makers: list[Callable[[], str]] = [
            *(lambda each=each: f"-j {each}" for each in ("ACCEPT", "RETURN")),
            *([lambda: "-j DROP"] if table != "nat" else []),
            lambda: f"-j MARK {self.marking()}",
            lambda: f"-j CONNMARK {self.connmarking()}",
            *([lambda: f"-{self.dice.choice('jg')} {self.dice.choice(further)}"] * 3 if further else []),
            lambda: "",
            self.note,
            *([lambda: f"-j REJECT{self.dice.choice(self.refusals(protocol))}"] * 2 if table == "filter" else []),
            *([lambda: self.dice.choice(("-j NOTRACK", "-j CT --notrack"))] if table == "raw" else []),
            *([lambda: self.translation(hook, protocol in ("tcp", "udp", "sctp"))] * 5 if table == "nat" else []),
        ]
        return self.dice.choice(makers)()

    def marking(self) -> str:
        ways = [f"--{each} {self.dice.choice(_NUMBERS)}" for each in ("set-mark", "or-mark", "and-mark", "xor-mark")]
        return self.dice.choice((*_SETS, *ways))

    def connmarking(self) -> str:
        moves = (
            "--save-mark",
            "--restore-mark",
            "--save-mark --mask 0xff",
            "--restore-mark --nfmask 0xf0 --ctmask 0xff",
        )
        return self.dice.choice((self.marking(), *moves, "--save-mark --ctmask 0xff"))

    def note(self) -> str:
        logs = ("-j LOG", '-j LOG --log-prefix "a b" --log-level 7', "-j LOG --log-level warning --log-uid")
        return self.dice.choice((*logs, '-j NFLOG --nflog-group 5 --nflog-prefix "x"', "-j NFLOG --nflog-size 5"))

    def refusals(self, protocol: str) -> tuple[str, ...]:
        with_reset = (" --reject-with tcp-reset",) if protocol == "tcp" else ()
        return "", " --reject-with icmp-host-prohibited", " --reject-with port-unreach", *with_reset

    def translation(self, hook: str, ported: bool) -> str:
        to = self.dice.choice((self.address(), "10.0.0.1-10.0.0.9"))
        if hook in ("PREROUTING", "OUTPUT"):
            if self.dice.random() < 0.4:
                return f"-j REDIRECT{self.dice.choice((' --to-ports 80', ' --to-ports 80-90', '')) if ported else ''}"
            ports = self.dice.choice((":80", ":80-90", ":80-90/8000", "")) if ported else ""
            how = self.dice.choice(("", " --random", " --persistent", " --persistent --random"))
            return f"-j DNAT {self.dice.choice(('--to-destination', '--to'))} {to}{ports}{how}"
        if hook == "POSTROUTING" and self.dice.random() < 0.5:
            ports = self.dice.choice((" --to-ports 80", " --to-ports 80-90", "")) if ported else ""
            return f"-j MASQUERADE{ports}{self.dice.choice(('', ' --random', ' --random-fully'))}"
        ports = self.dice.choice((":80", ":80-90", "")) if ported else ""
        return (
            f"-j SNAT --to-source {to}{ports}{self.dice.choice(('', ' --random', ' --persistent', ' --random-fully'))}"
        )

    # -- a rule

    def rule(self, table: str, chain: str, further: list[str], hook: str) -> str:
        spelt = self.dice.choice(("", "tcp", "udp", "tcp", "icmp", "sctp", "6", "UDP"))
        negated = bool(spelt) and self.dice.random() < 0.1
        protocol = "" if negated else _SPOKEN.get(spelt, spelt)
        source = self.dice.choice(("-s", "--source", "--src"))
        places = [
            *self.maybe(0.3, lambda: f"{self.no()}{source} {self.block()}"),
            *self.maybe(0.3, lambda: f"{self.no()}-d {self.block()}"),
            *self.interface("-i", hook not in ("OUTPUT", "POSTROUTING")),
            *self.interface("-o", hook not in ("PREROUTING", "INPUT")),
        ]
        self.dice.shuffle(places)
        matches = [self.match(protocol) for _ in range(self.dice.randint(0, 3))]
        transports = [each for each in matches if each.startswith((f"-m {protocol or '?'} ", "--", "! --"))]
        matches = [each for each in matches if each not in transports[1:]]
        parts = [f"{'! ' if negated else ''}-p {spelt}" if spelt else "", *places, *dict.fromkeys(matches)]
        target = self.target(table, hook, further, protocol)
        return " ".join(each for each in (f"-A {chain}", *parts, target) if each)

    def interface(self, option: str, allowed: bool) -> list[str]:
        names = ("eth0", "eth+", "lo", "veth1")
        return self.maybe(0.15 if allowed else 0, lambda: f"{self.no()}{option} {self.dice.choice(names)}")


_MATCHES: tuple[Callable[[Writer, str], str], ...] = (
    Writer.comment,
    Writer.mark,
    Writer.conntrack,
    Writer.state,
    Writer.statistic,
    Writer.recent,
    Writer.addrtype,
    Writer.multiport,
    Writer.transport,
    Writer.transport,
)


@dataclass(frozen=True, slots=True)
class Text:
    """Rules by table: the table's name, the names of its own chains, and its rules."""

    tables: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]
    whole: str = ""  # or a text as it stands

    def __str__(self) -> str:
        return self.whole or "".join(
            f"*{name}\n{''.join(f':{chain} - [0:0]{chr(10)}' for chain in chains)}"
            f"{''.join(f'{rule}{chr(10)}' for rule in rules)}COMMIT\n"
            for name, chains, rules in self.tables
        )

    def without_line(self, number: int) -> Text:
        """The same without the rule at a line of the text (counted from one)."""
        line = str(self).splitlines()[number - 1]
        tables = tuple(
            (name, chains, tuple(rule for rule in rules if rule != line)) for name, chains, rules in self.tables
        )
        return replace(self, tables=tables)


class SpellingOracle:
    """Whether the model reads and prints rules as iptables-restore and iptables-save do."""

    patience = PATIENCE

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def draw(self, seed: str) -> Text:
        dice = Random(seed)
        if dice.random() < 0.3:
            return Text((), loaded(drawn_services(dice)))
        return Text(tuple(_table(Writer(dice), name) for name in CHAINS))

    def play(self, case: Text) -> Played:
        case = self._accepted(case)
        saved = _by_table(run("iptables-nft-save"))
        played = Played(sum(map(len, saved.values())))
        try:
            printed = _by_table(iptables.render(iptables.parse(str(case))))
        except InputError as problem:
            played.difference = Difference("a rule", "was taken", f"refused: {problem}")
            return played
        played.difference = next(_differences(saved, printed), None)
        return played

    def _accepted(self, case: Text) -> Text:
        """Load the rules, without those that this iptables refuses (it has its own grammar of what goes together)."""
        for _ in range(100):
            try:
                self.kernel.load(str(case), Switches())
                return case
            except LabError as problem:
                found = re.search(r"line:? (\d+)", str(problem))
                if found is None or not case.tables:
                    raise
                smaller = case.without_line(int(found[1]))
                if smaller == case:
                    raise
                case = smaller
        raise LabError("iptables-restore refuses too much")

    def smaller(self, case: Text) -> Iterator[Text]:
        for number, (name, chains, rules) in enumerate(case.tables):
            for fewer in without(rules):
                yield replace(case, tables=(*case.tables[:number], (name, chains, fewer), *case.tables[number + 1 :]))

    def told(self, case: Text) -> str:
        return str(case)


def _table(writer: Writer, name: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    rules, chains = [], []
    for hook in CHAINS[name]:
        own = [f"C{hook[:2]}{number}" for number in range(3)]
        chains += own
        for number, chain in enumerate((hook, *own)):
            rules += [writer.rule(name, chain, own[number:], hook) for _ in range(writer.dice.randint(0, 5))]
    return name, tuple(chains), tuple(rules)


def _by_table(text: str) -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("*"):
            found = tables[line] = []
        elif not line.startswith("#"):
            found.append(re.sub(r"\[\d+:\d+\]", "[0:0]", line))
    return tables


def _differences(saved: dict[str, list[str]], printed: dict[str, list[str]]) -> Iterator[Difference]:
    for table, lines in saved.items():
        mine = printed.get(table, [])
        for real, model in zip(lines, mine, strict=False):
            if real != model:
                yield Difference(f"a line of {table[1:]}", real, model)
        if len(lines) != len(mine):
            yield Difference(f"the number of lines of {table[1:]}", str(len(lines)), str(len(mine)))
