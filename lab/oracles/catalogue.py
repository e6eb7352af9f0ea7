"""Every oracle by name: how it is made, what it needs, and how many rounds a quick run is.

A name before the dot is what people ask for (`--only nat`) and what results are counted by.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from lab.isolation import LabError, find, obstacle
from lab.oracles.balancing import BalancingOracle
from lab.oracles.dns import DnsOracle
from lab.oracles.expiry import ExpiryOracle
from lab.oracles.ingress import IngressOracle, LocationsOracle
from lab.oracles.nameservers import library
from lab.oracles.nat import RulesOracle
from lab.oracles.node import Kernel
from lab.oracles.proxy import ServicesOracle, SpreadOracle
from lab.oracles.roads import RoadsOracle
from lab.oracles.rounds import Oracle, Report, one_round
from lab.oracles.spelling import SpellingOracle
from lab.session import PROGRAMS

_NETFILTER = ("ip", "nft", "iptables-nft-restore", "conntrack")


@dataclass(frozen=True, slots=True)
class Entry:
    """An oracle: what makes it, the programs that it needs, rounds in a quick run, and rounds handed out at a time."""

    make: Callable[[], Oracle[Any]]
    needs: tuple[str, ...]
    rounds: int
    at_once: int = 1


@cache
def _kernel() -> Kernel:
    """There is one in a process; its oracles share it."""
    return Kernel()


#: Those that take longest come first, so that no processor is idle in the end.
ORACLES: Mapping[str, Entry] = MappingProxyType(
    {
        "nat.expiry": Entry(lambda: ExpiryOracle(_kernel()), _NETFILTER, 1),
        "nat.services": Entry(lambda: ServicesOracle(_kernel()), _NETFILTER, 56, 4),
        "road": Entry(RoadsOracle, PROGRAMS, 24, 1),
        "dns": Entry(DnsOracle, ("unbound", "nsd", "faketime"), 12, 1),
        "nat.rules": Entry(lambda: RulesOracle(_kernel()), _NETFILTER, 30, 6),
        "nat.marked": Entry(lambda: RulesOracle(Kernel(), by_mark=True), _NETFILTER, 18, 6),
        "nat.spread": Entry(lambda: SpreadOracle(_kernel()), _NETFILTER, 5, 5),
        "nat.spelling": Entry(lambda: SpellingOracle(_kernel()), _NETFILTER, 20, 10),
        "ingress.ingresses": Entry(IngressOracle, ("nginx",), 26, 13),
        "ingress.locations": Entry(LocationsOracle, ("nginx",), 22, 11),
        "balancing": Entry(BalancingOracle, ("nginx",), 5, 5),
    }
)


def chosen(only: Iterable[str]) -> tuple[str, ...]:
    """The oracles that somebody named, by the whole name or what is before the dot; all, if nobody did."""
    wanted = set(only)
    return tuple(name for name in ORACLES if not wanted or name in wanted or group(name) in wanted)


def group(name: str) -> str:
    return name.partition(".")[0]


def at_home(name: str) -> str:
    """What oracles can share a process: a namespace that has had a policy rule is never as it was."""
    return name if name == "nat.marked" else group(name)


@cache
def _made(name: str) -> Oracle[Any]:
    return ORACLES[name].make()


def play(name: str, seeds: tuple[str, ...], patience: int | None = None) -> list[Report]:
    """Play rounds of an oracle in this process, which must be isolated; it stops at the first that finds something."""
    reports: list[Report] = []
    for seed in seeds:
        reports.append(one_round(name, _made(name), seed, patience))
        if reports[-1].finding is not None:
            break
    return reports


def lacks(names: Iterable[str]) -> str:
    """What must be installed for these oracles, in words; an empty text if nothing is missing."""
    needed = {program for name in names for program in ORACLES[name].needs}
    try:
        if "faketime" in needed:
            library()
    except LabError as problem:
        return str(problem)
    return obstacle(sorted(needed - {"faketime"}))


_VERSIONS = (
    ("iptables", "iptables-nft-restore", "-V"),
    ("nginx", "nginx", "-v"),
    ("nsd", "nsd", "-v"),
    ("unbound", "unbound", "-V"),
)


# No kube-proxy runs in the lab: its rules are held to the expectations of this release's own tests (tests/cases).
_KUBERNETES = "1.34 (its own tests of kube-proxy)"


def versions() -> dict[str, str]:
    """What the model is compared with, on this machine."""
    found = {"kernel": os.uname().release.partition("-")[0], "kubernetes": _KUBERNETES}
    for name, program, option in _VERSIONS:
        done = subprocess.run([find(program), option], capture_output=True, text=True)
        said = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        found[name] = said[0] if said else "unknown"
    return found
