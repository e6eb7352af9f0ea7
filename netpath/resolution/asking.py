"""One exchange with one name server: EDNS or not, UDP or TCP, and what is remembered of the server.

Follows unbound's services/outside_network.c: FORMERR and NOTIMP are asked again without EDNS, a truncated
response is fetched over TCP, silence doubles the time that the server is reckoned to take.

Not modelled: that unbound sends a query a second time, with a smaller EDNS buffer, before it gives up on
a quick server (one exchange here), and replies that come late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import dns.flags
import dns.message
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from netpath.choice import Choose
from netpath.resolution.cache import Cache, ServerState
from netpath.resolution.config import ResolverConfig
from netpath.resolution.delegation import Choice, Delegation, Target
from netpath.resolution.exchange import Log, Send
from netpath.resolution.records import Key
from netpath.resolution.scrub import Meaning, Scrubbed, scrub

_WITHOUT_EDNS = (Rcode.FORMERR, Rcode.NOTIMP)  # what a server that doesn't know EDNS says


@dataclass(slots=True)
class Effort:
    """What one client's question has cost so far, over all its side questions."""

    lookups: int = 0
    missing: int = 0
    gave_up_at: Key | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """What all the side questions of one question share."""

    config: ResolverConfig
    hints: Delegation
    stubs: Mapping[Key, Delegation]
    cache: Cache
    now: int
    send: Send
    choose: Choose
    log: Log
    checking_disabled: bool = False  # the client's CD bit
    effort: Effort = field(default_factory=Effort)


def ask_server(
    setting: Setting, name: Name, rdtype: RdataType, delegation: Delegation, choice: Choice
) -> Scrubbed | None:
    """What a server's response leaves to be believed, or None for silence."""
    place = choice.target.address, delegation.key
    state = setting.cache.server(*place, setting.now, setting.config).asked(setting.now)
    asking = _Asking(setting, name, rdtype, delegation, choice)
    response, edns = asking.send(state.edns, tcp=False)
    if response is None:
        setting.cache.servers[place] = state.silent(rdtype)
        return None
    state = state.answered(rdtype).edns_tried(edns, response.rcode())
    if response.flags & dns.flags.TC:
        response, state = asking.over_tcp(state, edns)
    setting.cache.servers[place] = state
    if response is None:
        return None
    scrubbed = scrub(response, name, rdtype, delegation.key, setting.config)
    if scrubbed.reply is None:
        setting.log.unbelievable(name, scrubbed)
    return scrubbed


@dataclass(frozen=True, slots=True)
class _Asking:
    """One question on its way to one server."""

    setting: Setting
    name: Name
    rdtype: RdataType
    delegation: Delegation
    choice: Choice

    def send(self, edns: bool, tcp: bool) -> tuple[dns.message.Message | None, bool]:
        """The response, and whether EDNS was in use for it."""
        response = self._once(edns, tcp)
        if response is None or not edns or response.rcode() not in _WITHOUT_EDNS:
            return response, edns
        return self._once(False, tcp), False

    def over_tcp(self, state: ServerState, edns: bool) -> tuple[dns.message.Message | None, ServerState]:
        response, edns = self.send(edns or state.edns, tcp=True)
        return response, state if response is None else state.edns_tried(edns, response.rcode())

    def _once(self, edns: bool, tcp: bool) -> dns.message.Message | None:
        setting = self.setting
        query = dns.message.make_query(self.name, self.rdtype, id=len(setting.log.exchanges) + 1)
        query.flags = dns.flags.Flag.RD if self.choice.recursive else dns.flags.Flag(0)
        if edns:
            query.use_edns(0, 0, setting.config.payload)
        response = setting.send(self.choice.target.address, query, tcp)
        if response is not None and response.id != query.id:
            response = None  # somebody else's: not waited for any longer than for silence
        setting.log.exchanged(self.delegation.name, self.choice.target, query, response, tcp)
        return response


def remember_lame(
    setting: Setting, rdtype: RdataType, meaning: Meaning, delegation: Delegation, target: Target
) -> None:
    """That a server isn't one of the zone's (for A, or for the other types), or answers from a cache only."""
    place = target.address, delegation.key
    state = setting.cache.server(*place, setting.now, setting.config)
    if meaning is Meaning.RECURSIVE:
        setting.cache.servers[place] = replace(state, recursive=True)
    else:
        setting.cache.servers[place] = replace(state, lame=state.lame | {rdtype == RdataType.A})
