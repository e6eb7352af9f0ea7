"""Random netfilter rules and packets: what comes out of the kernel, and what the model says comes out.

One case is a node with a few random rules in its tables and a conversation of some sixty packets through it: new
flows and old ones, answers, errors about them, on purpose from too few ports, so that translations collide.

Source of every expectation: the Linux of this machine.

Not modelled: what `netpath.netfilter` says; fragments, SCTP, and windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from lab.oracles.node import Kernel, Switches, plainer, told_script
from lab.oracles.rounds import PATIENCE, Played, without
from lab.oracles.rules import drawn_packet, drawn_rules, drawn_script
from lab.oracles.talk import Modelled, Script
from netpath import iptables

LENGTH = 480


@dataclass(frozen=True, slots=True)
class Case:
    """Rules as iptables-restore reads them, switches, and a conversation."""

    rules: tuple[str, ...]
    switches: Switches
    script: Script

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.rules)


class RulesOracle:
    """Whether packets fare in `netpath.netfilter` as they do in Linux, whatever the rules are."""

    patience = PATIENCE

    def __init__(self, kernel: Kernel, by_mark: bool = False) -> None:
        self.kernel, self.by_mark = kernel, by_mark

    def draw(self, seed: str) -> Case:
        dice = Random(seed)
        chosen = dice.random() < 0.93, dice.random() < 0.3, dice.choice((0, 0, 0, 1, 2))
        switches = Switches(*chosen, self.by_mark)
        return Case(drawn_rules(dice), switches, drawn_script(dice, LENGTH, drawn_packet))

    def play(self, case: Case) -> Played:
        self.kernel.load(case.text, case.switches)
        modelled = Modelled(case.switches.host(iptables.parse(case.text)))
        return self.kernel.converse(modelled, case.script)

    def smaller(self, case: Case) -> Iterator[Case]:
        yield from (replace(case, script=script) for script in without(case.script))
        rules = [number for number, line in enumerate(case.rules) if line.startswith("-A")]
        for number in rules:
            yield replace(case, rules=case.rules[:number] + case.rules[number + 1 :])
        yield from (replace(case, switches=switches) for switches in plainer(case.switches))

    def told(self, case: Case) -> str:
        return f"{case.switches}\niptables-restore <<.\n{case.text}.\n{told_script(case.script)}"
