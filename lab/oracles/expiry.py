"""Flows that are forgotten: the kernel's connection tracking with short timeouts, and the model's.

Flows of all kinds are begun and brought into some state; then time passes, what both sides remember is compared, and
late answers come: they are translated back, or nobody knows them any more.

Time is real here. The pauses are such that no flow ends within a tenth of a second of a question; on a machine that
is slower than that, a case that fails is given a second chance.

Not modelled: SCTP, and what the kernel forgets early because its table is full.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType

from lab.oracles.node import TIMEOUTS, Kernel, Switches, told_script
from lab.oracles.rounds import Played, without
from lab.oracles.rules import CLIENTS, SINKS, VIRTUAL
from lab.oracles.talk import Again, Answer, Fresh, Modelled, Pause, Script, Stimulus
from lab.oracles.wires import CLIENT
from netpath import iptables
from netpath.conntrack import Conntrack
from netpath.netfilter import HostMemory
from netpath.packet import Endpoint, IcmpType, Packet, Protocol, TcpFlags, address

FLOWS = 60
PAUSES = (0.35, 1.6, 2.2, 3.5)  # no two of these, nor one and 0, are a whole number of seconds apart

RULES = """\
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -d 10.96.0.1/32 -p tcp -j DNAT --to-destination 10.2.0.2:8080
-A PREROUTING -d 10.96.0.1/32 -p udp -j DNAT --to-destination 10.2.0.3:5353
-A POSTROUTING -s 10.1.0.3/32 -j MASQUERADE
COMMIT
"""


@dataclass(frozen=True, slots=True)
class Case:
    """Seconds for each state, and a conversation with pauses."""

    timeouts: Mapping[str, int]
    script: Script


class ExpiryOracle:
    """Whether the model forgets flows when Linux does."""

    patience = 16

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def draw(self, seed: str) -> Case:
        dice = Random(seed)
        timeouts = {name: dice.randint(1, 3) for name in TIMEOUTS}
        timeouts["unacknowledged"] = 3  # it caps all others while data is under way, and the model knows no data
        stimuli: list[Stimulus] = [_begun(dice, number) for number in range(FLOWS)]
        for pause in PAUSES:
            stimuli += [_more(dice) for _ in range(FLOWS)]
            stimuli.append(Pause(pause))
        return Case(MappingProxyType(timeouts), tuple(enumerate(stimuli)))

    def play(self, case: Case) -> Played:
        played = self._play(case)
        return played if played.difference is None else self._play(case)

    def _play(self, case: Case) -> Played:
        switches = Switches()
        self.kernel.load(RULES, switches, case.timeouts)
        memory = HostMemory(Conntrack({name: float(value) for name, value in case.timeouts.items()}))
        return self.kernel.converse(Modelled(switches.host(iptables.parse(RULES)), memory), case.script)

    def smaller(self, case: Case) -> Iterator[Case]:
        spoken = tuple(each for each in case.script if not isinstance(each[1], Pause))
        pauses = tuple(each for each in case.script if isinstance(each[1], Pause))
        for fewer in without(spoken):
            yield replace(case, script=tuple(sorted((*fewer, *pauses), key=lambda each: each[0])))

    def told(self, case: Case) -> str:
        settings = "\n".join(f"sysctl {TIMEOUTS[name]}={value}" for name, value in case.timeouts.items())
        return f"{settings}\niptables-restore <<.\n{RULES}.\n{told_script(case.script)}"


def _begun(dice: Random, number: int) -> Fresh:
    source = Endpoint(address(dice.choice(CLIENTS)), 20000 + number)
    target = Endpoint(address(dice.choice((VIRTUAL[0], VIRTUAL[0], *SINKS))), 80)
    protocol = dice.choice((Protocol.TCP, Protocol.TCP, Protocol.UDP, Protocol.UDP, Protocol.ICMP))
    if protocol is Protocol.ICMP:
        return Fresh(CLIENT, Packet(protocol, source, Endpoint(target.address), icmp=IcmpType.ECHO_REQUEST))
    return Fresh(CLIENT, Packet(protocol, source, target, TcpFlags.SYN if protocol is Protocol.TCP else None))


_LATER = (TcpFlags.ACK, TcpFlags.ACK, TcpFlags.FIN, TcpFlags.RESET)


def _more(dice: Random) -> Stimulus:
    of = dice.randrange(FLOWS)
    if dice.random() < 0.5:
        return Answer(of, (TcpFlags.SYN_ACK, dice.choice(_LATER)))
    return Again(of, dice.choice(_LATER))
