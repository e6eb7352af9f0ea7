"""The node's kernel: load rules into it, turn its switches, and hold a conversation with it and with the model.

Not modelled: two sets of rules at a time. Everything that the kernel remembers is wiped between two cases.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from lab.namespaces import ip, run, sysctl
from lab.oracles.rounds import Difference, Played
from lab.oracles.talk import Fresh, Modelled, Pause, Place, Script, Stimulus, Talk, written_places
from lab.oracles.wires import OTHER_TABLE, Heard, Wires, host
from netpath.iptables import Ruleset
from netpath.netfilter import Host, Passage, PolicyRule

_RP_FILTERS = ("off", "strict", "loose")
_MARK = PolicyRule(1000, OTHER_TABLE, mark=1, mark_mask=1)

# The kernel tells a sender of a dead end once a second after the first five times, whatever net.ipv4.icmp_ratelimit
# says, and net.ipv4.route.error_cost can be set outside namespaces only. So here silence is right as well.
_OFTEN_SILENT = ("ROUTE_UNREACHABLE", "ROUTE_PROHIBIT", "IP_INNOROUTES")


@dataclass(frozen=True, slots=True)
class Switches:
    """What is set besides rules: sysctls, and whether packets with mark 1 have a routing table of their own."""

    forwarding: bool = True
    route_localnet: bool = False
    rp_filter: int = 0
    by_mark: bool = False  # once a namespace has had a policy rule, it checks sources otherwise for good

    def host(self, rules: Ruleset) -> Host:
        return host(
            rules=rules,
            policy=(_MARK,) if self.by_mark else (),
            forwarding=self.forwarding,
            route_localnet=self.route_localnet,
            rp_filter=_RP_FILTERS[self.rp_filter],
        )

    def __str__(self) -> str:
        lines = [f"sysctl net.ipv4.{name}={value}" for name, value in self.sysctls().items()]
        return "\n".join(lines + ["ip rule add priority 1000 fwmark 1/1 lookup 100"] * self.by_mark)

    def sysctls(self) -> dict[str, int]:
        each = {f"conf.{name}.route_localnet": int(self.route_localnet) for name in ("all", "n0", "n1")}
        each |= {f"conf.{name}.rp_filter": self.rp_filter for name in ("all", "n0", "n1")}
        return {"ip_forward": int(self.forwarding), **each}


# The model's names for states, and the sysctls that say how long a flow is remembered in each.
TIMEOUTS: Mapping[str, str] = MappingProxyType(
    {
        **{
            state: f"net.netfilter.nf_conntrack_tcp_timeout_{state.lower()}"
            for state in ("SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT")
        },
        "CLOSE": "net.netfilter.nf_conntrack_tcp_timeout_close",
        "unacknowledged": "net.netfilter.nf_conntrack_tcp_timeout_unacknowledged",
        "udp": "net.netfilter.nf_conntrack_udp_timeout",
        "udp_stream": "net.netfilter.nf_conntrack_udp_timeout_stream",
        "icmp": "net.netfilter.nf_conntrack_icmp_timeout",
    }
)
# What they are when nobody has changed them (Documentation/networking/nf_conntrack-sysctl.rst).
_USUAL = {
    **{"SYN_SENT": 120, "SYN_RECV": 60, "ESTABLISHED": 432_000, "FIN_WAIT": 120, "CLOSE_WAIT": 60, "LAST_ACK": 30},
    **{"TIME_WAIT": 120, "CLOSE": 10, "unacknowledged": 300, "udp": 30, "udp_stream": 120, "icmp": 30},
}

#: Asked about every packet that is out of the blue: what came out, and whether that is right by another measure.
Watch = Callable[[Fresh, list[Heard]], Difference | None]


class Kernel:
    """A Linux between two wires. There is one in a process."""

    def __init__(self) -> None:
        self.by_mark = False
        self.hurried = False

    @cached_property
    def wires(self) -> Wires:
        return Wires()

    def load(self, rules: str, switches: Switches, timeouts: Mapping[str, int] | None = None) -> None:
        """Forget everything; then these rules (as iptables-restore reads them), switches and timeouts (seconds)."""
        wires = self.wires
        run("nft", "flush", "ruleset")
        if rules:
            run("iptables-nft-restore", text=rules)
        run("conntrack", "-F")
        sysctl({f"net.ipv4.{name}": value for name, value in switches.sysctls().items()})
        # what isn't tracked leaves a gap in TCP's numbers, and the model knows no numbers
        sysctl({"net.netfilter.nf_conntrack_tcp_be_liberal": int("--notrack" in rules)})
        if timeouts or self.hurried:
            sysctl({TIMEOUTS[name]: int(value) for name, value in {**_USUAL, **(timeouts or {})}.items()})
            self.hurried = bool(timeouts)
        # changing ip_forward resets these
        sysctl({f"net.ipv4.conf.{name}.send_redirects": 0 for name in ("all", "n0", "n1")})
        if switches.by_mark and not self.by_mark:
            ip([f"rule add priority 1000 fwmark 0x1/0x1 lookup {OTHER_TABLE}"])
            self.by_mark = True
        assert switches.by_mark == self.by_mark, "a namespace never forgets that it had a policy rule"
        list(wires.heard())

    def converse(self, modelled: Modelled, script: Script, watch: Watch | None = None) -> Played:
        """Hold a conversation with the kernel and with the model; it ends with the first disagreement."""
        played, talk = Played(), Talk()
        began = time.monotonic()
        for number, stimulus in script:
            if isinstance(stimulus, Pause):
                time.sleep(max(0.0, began + stimulus.until - time.monotonic()))
                played.difference = _listings(modelled, time.monotonic() - began)
                if played.difference is not None:
                    return played
            following = talk.next(number, stimulus)
            if following is None:
                continue
            where, sent = following
            heard = self.wires.put(where, sent)
            passage, places = modelled.put(where, sent, heard, time.monotonic() - began)
            played.cases += 1
            played.count(passage.verdict.code)
            question = f"{number}: {sent.packet} from {where}"
            heard, played.difference = self._compare(question, heard, passage, places)
            played.difference = played.difference or _watched(watch, stimulus, heard)
            if played.difference is not None:
                return played
            talk.learn(number, sent, heard, "INVALID" not in passage.verdict.code)
        return played

    def _compare(
        self, question: str, heard: list[Heard], passage: Passage, places: list[Place]
    ) -> tuple[list[Heard], Difference | None]:
        if not heard and passage.verdict.code in _OFTEN_SILENT:
            return heard, None
        model = written_places(places)
        if _said(heard) != model:
            time.sleep(0.02)  # is something late?
            heard += self.wires.heard()
        if _said(heard) == model:
            return heard, None
        return heard, Difference(question, _said(heard), f"{model} ({passage.verdict.code})")


def _said(heard: list[Heard]) -> str:
    return written_places((each.where, each.sent.packet) for each in heard)


def _watched(watch: Watch | None, stimulus: Stimulus, heard: list[Heard]) -> Difference | None:
    return watch(stimulus, heard) if watch is not None and isinstance(stimulus, Fresh) else None


def _listings(modelled: Modelled, now: float) -> Difference | None:
    """Whether the kernel and the model remember the same flows, for as long still (to a second)."""
    real, model = _flows(run("conntrack", "-L")), _flows("\n".join(modelled.memory.conntrack.listing(now)))
    for flow in sorted(real.keys() | model.keys()):
        seconds = real.get(flow, -1), model.get(flow, -1)
        if abs(seconds[0] - seconds[1]) > 1:
            told = (f"{each} s" if each >= 0 else "forgotten" for each in seconds)
            return Difference(f"after {now:.1f} s, how long still is remembered: {flow}", *told)
    return None


def _flows(listing: str) -> dict[str, int]:
    """What `conntrack -L` prints, without what only the kernel knows: flow -> seconds left."""
    lines = (re.fullmatch(r"(\S+ +\d+) (\d+) (.*?)( use=\d+)?\s*", line) for line in listing.splitlines())
    return {f"{found[1]} {found[3]}": int(found[2]) for found in lines if found is not None}


def told_script(script: Script) -> str:
    """A conversation for people."""
    lines = []
    for number, stimulus in script:
        if isinstance(stimulus, Fresh):
            lines.append(f"{number}: {stimulus.where} sends {stimulus.packet}")
        else:
            lines.append(f"{number}: {stimulus}")
    return "\n".join(lines)


def plainer(switches: Switches) -> list[Switches]:
    """Switches with one of them as it is by default."""
    plain = Switches()
    names = ("forwarding", "route_localnet", "rp_filter")
    return [
        replace(switches, **{name: getattr(plain, name)})
        for name in names
        if getattr(switches, name) != getattr(plain, name)
    ]
