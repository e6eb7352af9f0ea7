"""What looks wrong in a region, before any packet is sent.

Each finding is true of the region as it is: some packet that somebody surely means to send would
die, or a rule can never match, or a door is open to everyone. Silence proves nothing.

Not modelled: what is merely unusual or expensive (traffic across zones, one NAT gateway for all).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from netpath.packet import Network
from netpath.vpc.filters import AclFilter, AclRule, number
from netpath.vpc.objects import ANYWHERE, NetworkAcl, SecurityGroup, SecurityGroupRule, Subnet, TargetKind
from netpath.vpc.region import Region

_SOMEWHERE = number(Network("198.51.100.0/24").network_address) + 1  # TEST-NET-2: an address on the Internet
_FIRST_EPHEMERAL = 1024  # what NAT gateways, load balancers and old clients start from


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that looks wrong: on what, what it is, the rule that causes it, what to do."""

    subject: str
    problem: str
    remedy: str
    rule: str = ""

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem}" + (f" ({self.rule})" if self.rule else "")


def findings(region: Region) -> tuple[Finding, ...]:
    """All findings, in the order of `_CHECKS`."""
    return tuple(finding for check in _CHECKS for finding in check(region))


def _dead_routes(region: Region) -> Iterator[Finding]:
    for table in region.route_tables:
        for route in table.routes:
            fault = region.route_fault(route, table.vpc_id)
            if fault:
                remedy = "Replace the route's target, or delete the route."
                yield Finding(table.route_table_id, f"a route leads nowhere: {fault}", remedy, str(route))


def _detached_gateways(region: Region) -> Iterator[Finding]:
    for gateway in region.internet_gateways:
        if gateway.vpc_id is None:
            yield Finding(gateway.internet_gateway_id, "attached to no VPC", "Attach it, or delete it.")


def _subnets_without_tables(region: Region) -> Iterator[Finding]:
    for subnet in region.subnets:
        if not region.has_route_table(subnet):
            remedy = f"Mark one of {subnet.vpc_id}'s route tables as main, or associate one with the subnet."
            yield Finding(subnet.subnet_id, "no route table, and the VPC has no main one", remedy)


def _leads_out(region: Region, subnet: Subnet) -> bool:
    """Whether a subnet is public: what it sends to the Internet goes to an internet gateway (working or not)."""
    if not region.has_route_table(subnet):
        return False
    routing = region.routes(region.route_table_of(subnet)).decide(_SOMEWHERE)
    return routing.kind is TargetKind.INTERNET_GATEWAY or routing.verdict.code == "BAD_STATE_ROUTE"


def _public_without_gateway(region: Region) -> Iterator[Finding]:
    """A public address in a private subnet: what comes in can't be answered, and nothing goes out by it."""
    for interface, held in region.public.values():
        subnet = region.subnet[interface.subnet_id]
        if not _leads_out(region, subnet):
            problem = f"{held.public_ip} is its own, but {subnet.subnet_id} has no route to an internet gateway"
            remedy = "Route its subnet's 0.0.0.0/0 to the internet gateway; or make it anew in a public subnet."
            yield Finding(interface.network_interface_id, problem, remedy)


def _open_groups(region: Region) -> Iterator[Finding]:
    for group in region.security_groups:
        for rule in group.ingress:
            if rule.peer == ANYWHERE and _all_ports(rule):
                remedy = "Allow the ports that are served, from the groups or networks that need them."
                text = f"{group.group_id} {rule.text('ingress')}"
                yield Finding(group.group_id, "everyone may reach every port", remedy, text)


def _all_ports(rule: SecurityGroupRule) -> bool:
    return rule.protocol == "-1" or (rule.protocol in ("tcp", "udp") and (rule.from_port, rule.to_port) == (0, 65535))


def _idle_groups(region: Region) -> Iterator[Finding]:
    """A group that nothing has and no rule names does nothing (each VPC's `default` one can't be deleted)."""
    attached = {group_id for interface in region.network_interfaces for group_id in interface.group_ids}
    named = {rule.peer for group in region.security_groups for rule in _rules(group) if rule.peer != group.group_id}
    for group in region.security_groups:
        if group.name != "default" and group.group_id not in attached | named:
            yield Finding(group.group_id, "no interface has it and no rule refers to it", "Delete it, or attach it.")


def _rules(group: SecurityGroup) -> Sequence[SecurityGroupRule]:
    return (*group.ingress, *group.egress)


def _empty_references(region: Region) -> Iterator[Finding]:
    attached = {group_id for interface in region.network_interfaces for group_id in interface.group_ids}
    for group in region.security_groups:
        for way, rules in (("ingress", group.ingress), ("egress", group.egress)):
            for rule in rules:
                if isinstance(rule.peer, str) and rule.peer.startswith("sg-") and rule.peer not in attached:
                    remedy = f"Give {rule.peer} to the interfaces that are meant, or name a network."
                    problem = f"a rule can't match: no interface has {rule.peer}"
                    yield Finding(group.group_id, problem, remedy, f"{group.group_id} {rule.text(way)}")


def _unanswerable(region: Region) -> Iterator[Finding]:
    for acl in region.network_acls:
        if any(region.network_acl_of(subnet) is acl for subnet in region.subnets if region.has_acl(subnet)):
            for egress in (False, True):
                yield from _unanswered(region, acl, egress)


def _unanswered(region: Region, acl: NetworkAcl, egress: bool) -> Iterator[Finding]:
    """TCP that an ACL lets by one way, while it denies the answers the other way."""
    there, back = region.acl_filter(acl, egress), region.acl_filter(acl, not egress)
    for rule in there.rules:
        if rule.entry.allow and _begins_connections(rule) and _decides(there, rule):
            denied = _denied_answer(back, rule.prefix[0])
            if denied is not None:
                port, cause = denied
                problem = f"answers to what {rule.text!r} lets by are denied, from port {port} on"
                remedy = f"Allow tcp 1024-65535 {back.way}: a network ACL doesn't remember who asked."
                yield Finding(acl.network_acl_id, problem, remedy, cause)


def _begins_connections(rule: AclRule) -> bool:
    """Whether a rule looks like one for requests: a range of high ports is there for answers."""
    protocol, low, high = rule.match
    return protocol in ("-1", "tcp") and (low < _FIRST_EPHEMERAL or low == high)


def _decides(there: AclFilter, rule: AclRule) -> bool:
    """Whether a rule is reached at all, for the first address and the lowest port that it speaks of."""
    return there.decide(("tcp", max(rule.match.low, 0), rule.prefix[0], True)).verdict.rule == rule.text


def _denied_answer(back: AclFilter, address: int) -> tuple[int, str] | None:
    """The lowest ephemeral port to which answers are denied, and by which rule."""
    edges = {_FIRST_EPHEMERAL, *(rule.match.low for rule in back.rules), *(rule.match.high + 1 for rule in back.rules)}
    for port in sorted(edge for edge in edges if _FIRST_EPHEMERAL <= edge <= 65535):
        verdict = back.decide(("tcp", port, address, True)).verdict
        if not verdict.ok:
            return port, verdict.rule
    return None


_CHECKS: tuple[Callable[[Region], Iterator[Finding]], ...] = (
    _dead_routes,
    _detached_gateways,
    _subnets_without_tables,
    _public_without_gateway,
    _unanswerable,
    _open_groups,
    _empty_references,
    _idle_groups,
)
