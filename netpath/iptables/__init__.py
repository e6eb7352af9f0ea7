"""Netfilter's rules as Linux writes them: read, print, and lead a packet through a chain.

What `iptables-save` prints and `iptables-restore` reads is a program for packets: tables of chains
of rules, where a rule asks (`matches`) and does (`target`). Here it is read into values (`parse`,
`parse_rule`), printed as iptables-save would after the kernel had it (`render`), and followed
(`walk_chain`) with the kernel's own semantics. Which table is asked when is `netpath.netfilter`'s.

The text is that of iptables-nft 1.8.9 (Debian 12). The legacy variant prints the same rules, with two
differences: tables come in the order in which they were loaded, and `! --dport 0:60` stays as it is (nft:
`--dport 61:65535`). Legacy doesn't limit how deep chains may lead into each other; nft stops at 15 jumps.

Three oddities of iptables-nft 1.8.9 are not imitated, since legacy and the manual agree against it: it makes
`! --sport 1 ! --dport 2` one comparison, so that only both together keep a packet out; it prints, and
loads again, `! --dport 0:65535` as no condition at all; it prints two `-m tcp` of one rule as one.

Not modelled: IPv6, ebtables and nft's own language; matches and targets that aren't listed in `options`
(refused by name, never skipped); `-m tcp` under a negated `-p`, which iptables-nft takes and legacy refuses.
"""

from netpath.iptables.context import Connection, Context, Flow, RecentList, RuleMemory
from netpath.iptables.index import Index
from netpath.iptables.reading import parse_rule, parse_rules
from netpath.iptables.restoring import parse, render
from netpath.iptables.tables import BUILT_IN, Chain, Rule, Ruleset, Table
from netpath.iptables.targets import (
    ConnectionMark,
    Jump,
    Mark,
    Note,
    NoTrack,
    Reject,
    Return,
    Standard,
    Target,
    Translation,
)
from netpath.iptables.walking import ChainWalk, walk_chain

__all__ = [
    "BUILT_IN",
    "Chain",
    "ChainWalk",
    "Connection",
    "ConnectionMark",
    "Context",
    "Flow",
    "Index",
    "Jump",
    "Mark",
    "NoTrack",
    "Note",
    "RecentList",
    "Reject",
    "Return",
    "Rule",
    "RuleMemory",
    "Ruleset",
    "Standard",
    "Table",
    "Target",
    "Translation",
    "parse",
    "parse_rule",
    "parse_rules",
    "render",
    "walk_chain",
]
