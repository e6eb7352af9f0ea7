"""A packet's road through a Linux host: the netfilter hooks in the kernel's order.

::

    in  --> PREROUTING --> route --> FORWARD ----> POSTROUTING --> out
            raw             |        mangle filter  mangle nat
            (conntrack)     v                          ^
            mangle nat    INPUT                        |
                          mangle filter nat --> process --> OUTPUT --> route
                                                            raw (conntrack) mangle nat filter

The nat tables are asked for a flow's first packet alone: what they decide is remembered in its conntrack
entry, which translates every later packet and undoes itself for replies. A destination is rewritten
before routing and filtering, a source after both. A new flow's entry is kept (`confirm`) only when its
packet leaves the host or reaches a process. What the host sends to itself goes round by `lo`: OUTPUT and
POSTROUTING, then PREROUTING and INPUT, with one and the same entry.

An answer that the host itself makes (REJECT, no route, nobody listens) takes the way of its own packets,
OUTPUT and POSTROUTING, where it is translated back: so the client sees it from the address that it called.

Sources: Linux 6.18, net/ipv4/{ip_input,ip_forward,ip_output,route,icmp}.c, net/netfilter/nf_nat_core.c,
nf_nat_proto.c, nf_nat_masquerade.c, nf_nat_redirect.c, net/ipv4/netfilter/nf_reject_ipv4.c, net/netfilter.c.

Not modelled: bridges and br_netfilter, IPsec, the security table, ICMP rate limits and redirects, TTL,
early demultiplexing, flow offload, and what a process answers. A host without any table tracks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netpath.choice import Choose, first
from netpath.conntrack import key_of
from netpath.errors import InputError
from netpath.iptables.tables import Ruleset
from netpath.netfilter.known import Known, kind_of, remember
from netpath.netfilter.passage import HostMemory, Listening, Passage, Settled
from netpath.netfilter.road import Road
from netpath.packet import Address, Network, Packet
from netpath.routing import Host, PolicyRule, Route

__all__ = ["Host", "HostMemory", "Listening", "Passage", "PolicyRule", "Route", "Settled", "receive", "send", "walk"]


def receive(
    host: Host,
    memory: HostMemory,
    packet: Packet,
    interface: str,
    now: float,
    choose: Choose,
    *,
    mark: int = 0,
    listening: Listening = None,
) -> Passage:
    """A packet comes in by an interface: forwarded, delivered to a process, or neither. `memory` moves on.

    All that can happen: `outcomes(lambda choose: receive(host, memory.copy(), …, choose))`.
    """
    if packet.quotes is not None or not host.tracks_first:
        return Road(host, memory, packet, now, choose, mark, listening).come_in(interface)
    standing = memory.conntrack.standing(packet, now)
    tracked = memory.conntrack.lookup(packet, now)
    kind = kind_of(host, interface, mark, packet, tracked)
    known: Known | None = host.passages.get(kind)
    if known is not None:
        passage = known.again(host, packet, tracked)
    else:
        road = Road(host, memory, packet, now, choose, mark, listening)
        passage = road.come_in(interface, tracked)
        if kind is None or not road.repeatable or passage.packet is None or passage.delivered:
            return passage
        if kind == kind_of(host, interface, mark, packet, tracked):  # the rules left its connection as it was
            remember(host, kind, tracked, passage)
    if standing is not None and memory.conntrack.standing(packet, now) == standing:
        return replace(passage, settled=Settled(key_of(packet), tracked.direction, standing))
    return passage


def send(
    host: Host,
    memory: HostMemory,
    packet: Packet,
    now: float,
    choose: Choose,
    *,
    mark: int = 0,
    listening: Listening = None,
) -> Passage:
    """A process of the host sends a packet; `memory` moves on.

    A source address of 0.0.0.0 asks the host to fill in its own. What goes to the host itself is delivered.
    """
    road = Road(host, memory, packet, now, choose, mark, listening)
    return road.go_out()


def walk(
    rules: Ruleset,
    packet: Packet,
    hook: str = "prerouting",
    local: Iterable[Address] = (),
    *,
    input: str = "eth0",
    output: str = "eth0",
    now: float = 0.0,
    choose: Choose = first,
) -> Passage:
    """A packet against a dump of iptables-save alone: in by one interface (or from a process), out by another.

    `local` are the host's own addresses, the first the one that MASQUERADE takes. Everything else is routed
    out by `output`.
    """
    if hook not in ("prerouting", "output"):
        raise InputError("not a hook to begin at", value=hook, expected="prerouting or output")
    default = Route(Network("0.0.0.0/0"), output)
    host = Host("this host", dict.fromkeys(local, output), (default,), rules, forwarding=True, route_localnet=True)
    if hook == "output":
        return send(host, HostMemory(), packet, now, choose)
    return receive(host, HostMemory(), packet, input, now, choose)
