"""The one table of verdicts: code -> what happened, what a person would do about it.

Codes are the field's own names where there are any: DNS RCODEs (RFC 1035, 6895), the explanation
codes of the VPC Reachability Analyzer, iptables targets, HTTP reasons as the AWS and ingress-nginx
pages list them. A code says *whether the request goes on* (`ok`), in one word what became of it
(`fate`), what happened, and the remedy.

Not modelled: outcomes that this road never has (the Reachability Analyzer has over a hundred codes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Fate(StrEnum):
    """What becomes of a packet or a question: what the sender notices, in one word."""

    PASSED = "passed"  # it goes on, or it was answered
    DROPPED = "dropped"  # silence: the sender waits until it gives up
    REJECTED = "rejected"  # told at once: a reset, or an ICMP error
    FAILED = "failed"  # answered, but not with what was asked for


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the table."""

    name: str
    fate: Fate
    happened: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        return self.fate is Fate.PASSED


def _passed(name: str, happened: str) -> Code:
    return Code(name, Fate.PASSED, happened)


def _dropped(name: str, happened: str, remedy: str) -> Code:
    return Code(name, Fate.DROPPED, happened, remedy)


def _rejected(name: str, happened: str, remedy: str) -> Code:
    return Code(name, Fate.REJECTED, happened, remedy)


def _failed(name: str, happened: str, remedy: str) -> Code:
    return Code(name, Fate.FAILED, happened, remedy)


# Resolution ----------------------------------------------------------------------------------
_RESOLUTION = (
    _passed("NOERROR", "The name server answered with data."),
    _passed("REFERRAL", "The name server doesn't hold the name, and says who does."),
    _passed("CACHED", "The answer was still in the cache."),
)

# VPC -----------------------------------------------------------------------------------------
_VPC = (
    _passed("ROUTED", "A route leads on to the next hop."),
    _dropped(
        "NO_ROUTE_TO_DESTINATION",
        "No route of the subnet's route table contains the destination.",
        "Add a route for it to the subnet's route table, or associate the subnet with the right table.",
    ),
)

# Balancing -----------------------------------------------------------------------------------
_BALANCING = (_passed("FORWARDED", "A listener rule forwards the request, and a target was picked."),)

# iptables, netfilter, NAT --------------------------------------------------------------------
_NETFILTER = (
    _passed("ACCEPT", "The packet passed every table that it met."),
    _dropped(
        "DROP",
        "A rule dropped the packet without a word.",
        "Look at the rule that matched, and at who put it there.",
    ),
    _rejected(
        "REJECT",
        "A rule refused the packet and told its sender.",
        "Look at the rule that matched, and at who put it there.",
    ),
)

# kube-proxy ----------------------------------------------------------------------------------
_KUBEPROXY: tuple[Code, ...] = ()

# Ingress -------------------------------------------------------------------------------------
_INGRESS: tuple[Code, ...] = ()

# Journey -------------------------------------------------------------------------------------
_JOURNEY: tuple[Code, ...] = ()

CODES: Mapping[str, Code] = MappingProxyType(
    {
        code.name: code
        for section in (_RESOLUTION, _VPC, _BALANCING, _NETFILTER, _KUBEPROXY, _INGRESS, _JOURNEY)
        for code in section
    }
)
