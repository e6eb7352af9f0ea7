"""The VPC: an internet gateway, a router with a route table and a network ACL for each subnet, an elastic network
interface with its security groups before each host.

- The *internet gateway* is stateless, as AWS's: one nft map rewrites destinations before anything else, its mirror
  rewrites sources after everything else. No conntrack.
- The *router* has a link to each interface. `ip rule iif` gives each link its subnet's route table. A chain for
  each direction of each network ACL is asked where a packet changes subnets.
- An *interface* is a host of its own, between the router and the machine that it is attached to: there, conntrack
  is the security group's memory, as it is each interface's own.

Not modelled: peering, several VPCs, a gateway's own route table, the VPC's own services, a
NAT gateway's several addresses and its time limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import collapse_addresses

from lab.isolation import LabError
from lab.network import Host, Plan, end_host, router
from netpath.packet import Network
from netpath.vpc import (
    AclEntry,
    NatGateway,
    NetworkAcl,
    NetworkInterface,
    Region,
    RouteTable,
    SecurityGroupRule,
    Subnet,
    Vpc,
)
from netpath.vpc.objects import WITH_PORTS, TargetKind

UPSTREAM, DOWNSTREAM = "vpc0", "host0"  # an interface's devices: towards the router, and towards its machine


def add_vpc(plan: Plan, region: Region, internet: Host) -> dict[str, Host]:
    """Plan a region's one VPC and its gateway; an interface's host by the interface's id."""
    if len(region.vpcs) != 1:
        raise LabError(f"the lab takes one VPC, and this world has {len(region.vpcs)}")
    vpc = plan.add(router(region.vpcs[0].vpc_id, "vpc"))
    gateway = _add_gateway(plan, region, internet, vpc)
    attached = [each for each in region.network_interfaces if each.interface_type != "nat_gateway"]
    devices = {each.network_interface_id: f"l{number}" for number, each in enumerate(attached)}
    hosts = {}
    for interface in attached:
        host = _interface(plan, region, interface)
        plan.link(host, UPSTREAM, vpc, devices[interface.network_interface_id])
        hosts[interface.network_interface_id] = host
    for number, nat in enumerate(each for each in region.nat_gateways if each.state == "available"):
        interface = region.nat_interface(nat)
        plan.link(_nat_gateway(plan, nat, region.vpcs[0]), UPSTREAM, vpc, f"n{number}")
        devices |= {interface.network_interface_id: f"n{number}", nat.nat_gateway_id: f"n{number}"}
        attached.append(interface)
    vpc.commands += _routing(region, attached, devices, gateway is not None)
    vpc.filters = _acls(region, attached, devices)
    return hosts


# The internet gateway ------------------------------------------------------------------------


def _add_gateway(plan: Plan, region: Region, internet: Host, vpc: Host) -> Host | None:
    attached = [each for each in region.internet_gateways if each.vpc_id == vpc.place]
    if not attached:
        return None
    gateway = plan.add(router(attached[0].internet_gateway_id, "internet gateway"))
    plan.link(gateway, "internet", internet, "igw")
    plan.link(gateway, "vpc", vpc, "igw")
    gateway.commands += ["route add default dev internet"]
    gateway.commands += [f"route add {block} dev vpc" for each in region.vpcs for block in each.cidr_blocks]
    pairs = _public(region)
    internet.commands += [f"route add {public}/32 dev igw" for public in pairs]
    if pairs:
        gateway.filters = _one_to_one(pairs)
    return gateway


def _public(region: Region) -> dict[str, str]:
    """The public addresses of what is attached, each with the private one behind it."""
    return {
        str(held.public_ip): str(held.address)
        for interface in region.network_interfaces
        for held in interface.addresses
        if held.public_ip is not None and interface.status == "in-use"
    }


_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")  # RFC 1918, RFC 6598


def _one_to_one(pairs: dict[str, str]) -> str:
    """Either map, and nothing in or out for an address that isn't in it."""
    inward = ", ".join(f"{public} : {private}" for public, private in pairs.items())
    outward = ", ".join(f"{private} : {public}" for public, private in pairs.items())
    return f"""table ip gateway {{
  chain entering {{
    type filter hook prerouting priority -300;
    iifname internet ip daddr != {_set(pairs)} drop
    iifname internet ip saddr {_set(_PRIVATE)} drop
    iifname internet ip daddr set ip daddr map {{ {inward} }}
  }}
  chain passing {{
    type filter hook forward priority 0;
    oifname internet ip saddr != {_set(pairs.values())} drop
    oifname internet ip daddr {_set(_PRIVATE)} drop
  }}
  chain leaving {{
    type filter hook postrouting priority 300;
    oifname internet ip saddr set ip saddr map {{ {outward} }}
  }}
}}
"""


def _set(elements: Iterable[str]) -> str:
    """An anonymous set of nft's. An empty one isn't allowed; nobody has this address. Networks mustn't overlap."""
    texts = dict.fromkeys(elements)
    if any("/" in text for text in texts):
        texts = dict.fromkeys(map(str, collapse_addresses(map(Network, texts))))
    return "{ " + (", ".join(texts) or "255.255.255.255") + " }"


# The router ----------------------------------------------------------------------------------


def _routing(
    region: Region, attached: Iterable[NetworkInterface], devices: dict[str, str], gateway: bool
) -> Iterator[str]:
    """A table for each route table, one with every address for `local`, and who is served by which."""
    yield "rule add pref 32000 blackhole"
    local = 1
    for interface in attached:
        device = devices[interface.network_interface_id]
        yield from (f"route add {place} dev {device} table {local}" for place in _own(interface))
    yield from (f"route add blackhole {block} table {local}" for block in region.vpcs[0].cidr_blocks)
    yield f"rule add pref 100 iif igw lookup {local}"
    numbers = {table.route_table_id: number for number, table in enumerate(region.route_tables, local + 1)}
    for table in region.route_tables:
        yield from _table(region, table, numbers[table.route_table_id], devices, gateway)
    for interface in attached:
        table = _route_table(region, interface.subnet_id)
        device = devices[interface.network_interface_id]
        own = region.subnet[interface.subnet_id].cidr_block
        yield from _asked(region, device, own, table, numbers[table.route_table_id])


def _asked(region: Region, device: str, own: Network, table: RouteTable, number: int) -> Iterator[str]:
    """A link asks `local` for its own subnet, its subnet's table for what is more specific than `local`, then `local`
    for the VPC's other addresses, and the table for the rest.
    """
    blocks = region.vpcs[0].cidr_blocks
    networks = (Network(text) for route in table.routes for text in _networks(region, route.destination))
    yield f"rule add pref 200 iif {device} to {own} lookup 1"
    for each in networks:
        if any(each != block and each.subnet_of(block) for block in blocks):
            yield f"rule add pref 250 iif {device} to {each} lookup {number}"
    for block in blocks:
        yield f"rule add pref 270 iif {device} to {block} lookup 1"
    yield f"rule add pref 300 iif {device} lookup {number}"


def _table(region: Region, table: RouteTable, number: int, devices: dict[str, str], gateway: bool) -> Iterator[str]:
    for route in table.routes:
        if route.kind is TargetKind.LOCAL:
            continue
        way = "blackhole"
        if route.state == "active" and route.kind is TargetKind.INTERNET_GATEWAY and gateway:
            way = "dev igw"
        elif route.state == "active" and route.kind in _BY_DEVICE and route.target in devices:
            way = f"dev {devices[route.target]}"
        prefix = "blackhole " if way == "blackhole" else ""
        suffix = "" if way == "blackhole" else f" {way}"
        for destination in _networks(region, route.destination):
            yield f"route add {prefix}{destination}{suffix} table {number}"


_BY_DEVICE = (TargetKind.INTERFACE, TargetKind.NAT_GATEWAY)


def _route_table(region: Region, subnet_id: str) -> RouteTable:
    """The table that a subnet is associated with, or else the main one."""
    own = [table for table in region.route_tables if subnet_id in table.subnet_ids]
    return (own or [table for table in region.route_tables if table.main])[0]


def _own(interface: NetworkInterface) -> list[str]:
    return [f"{held.address}/32" for held in interface.addresses] + [str(prefix) for prefix in interface.prefixes]


# NAT gateways --------------------------------------------------------------------------------


def _nat_gateway(plan: Plan, gateway: NatGateway, vpc: Vpc) -> Host:
    """A host on one link, by which packets come and go: what comes out of the VPC leaves with its own address."""
    host = plan.add(router(gateway.nat_gateway_id, "NAT gateway"))
    own = gateway.addresses[0].address
    host.commands += [f"addr add {own}/32 dev {UPSTREAM}", f"route add default dev {UPSTREAM}"]
    host.filters = f"""table ip nat-gateway {{
  chain leaving {{
    type nat hook postrouting priority 100;
    ip saddr {_set(map(str, vpc.cidr_blocks))} snat to {own} fully-random
  }}
  chain arriving {{
    type filter hook input priority 0; policy drop;
  }}
}}
"""
    return host


# Network ACLs --------------------------------------------------------------------------------


def _acls(region: Region, attached: Iterable[NetworkInterface], devices: dict[str, str]) -> str:
    """The router's filter: from subnet to subnet by the one's way out and the other's way in."""
    chains = [_acl_chain(acl, egress) for acl in region.network_acls for egress in (True, False)]
    members = {
        subnet.subnet_id: [
            devices[each.network_interface_id] for each in attached if each.subnet_id == subnet.subnet_id
        ]
        for subnet in region.subnets
    }
    rules = []
    for subnet in region.subnets:
        if not members[subnet.subnet_id]:
            continue
        own = _set(members[subnet.subnet_id])
        acl = _acl_of(region, subnet).network_acl_id
        rules.append(f"iifname {own} oifname != {own} jump {acl}-egress")
        rules.append(f"oifname {own} iifname != {own} jump {acl}-ingress")
    # The way out is asked before the way in, whatever the order of the subnets.
    rules.sort(key=lambda rule: rule.endswith("-ingress"))
    body = "\n    ".join(["type filter hook forward priority 0;", *rules])
    return "table ip acls {\n" + "".join(chains) + f"  chain forward {{\n    {body}\n  }}\n}}\n"


def _acl_of(region: Region, subnet: Subnet) -> NetworkAcl:
    own = [acl for acl in region.network_acls if subnet.subnet_id in acl.subnet_ids]
    return (own or [acl for acl in region.network_acls if acl.is_default])[0]


def _acl_chain(acl: NetworkAcl, egress: bool) -> str:
    """The entries of one direction, by number; what none of them matches is dropped."""
    entries = sorted((each for each in acl.entries if each.egress is egress), key=lambda each: each.rule_number)
    lines = [f"    {_acl_rule(entry)}" for entry in entries]
    name = f"{acl.network_acl_id}-{'egress' if egress else 'ingress'}"
    return "\n".join([f"  chain {name} {{", *lines, "    drop", "  }", ""])


def _acl_rule(entry: AclEntry) -> str:
    peer = f"ip {'daddr' if entry.egress else 'saddr'} {entry.cidr_block}"
    icmp = entry.icmp_type, entry.icmp_code
    low, high = icmp if entry.protocol == "icmp" else (entry.from_port, entry.to_port)
    return f"{peer} {_traffic(entry.protocol, low, high)} {'return' if entry.allow else 'drop'}"


def _traffic(protocol: str, low: int | None, high: int | None) -> str:
    """A protocol and its ports (for ICMP, type and code) as nft has it; ports of any other protocol don't count."""
    if protocol == "-1":
        return ""
    if protocol == "icmp":
        kind = "" if low in (None, -1) else f"icmp type {low} "
        return "ip protocol icmp " + kind + ("" if high in (None, -1) else f"icmp code {high}")
    if protocol not in WITH_PORTS or low is None:
        return f"ip protocol {protocol}"
    return f"{protocol} dport {low}-{high}" if low != high else f"{protocol} dport {low}"


# Security groups -----------------------------------------------------------------------------


def _interface(plan: Plan, region: Region, interface: NetworkInterface) -> Host:
    """An interface's own host: its addresses are on one side, the VPC on the other, and its groups between."""
    host = plan.add(router(interface.network_interface_id, "network interface"))
    host.commands += [f"route add {place} dev {DOWNSTREAM}" for place in _own(interface)]
    host.commands.append(f"route add default dev {UPSTREAM}")
    host.filters = _groups(region, interface)
    return host


def _groups(region: Region, interface: NetworkInterface) -> str:
    """Both directions: the source or destination check, what is known, then what any rule allows."""
    own = _set(_own(interface))
    groups = [group for group in region.security_groups if group.group_id in interface.group_ids]
    lines = ["type filter hook forward priority 0; policy drop;"]
    if _dead(region, interface):
        lines.append("drop")
    if interface.source_dest_check:
        lines += [f"iifname {DOWNSTREAM} ip saddr != {own} drop", f"iifname {UPSTREAM} ip daddr != {own} drop"]
    lines.append("ct state established,related accept" if groups else "accept")
    for group in groups:
        for device, rules, side in ((DOWNSTREAM, group.egress, "daddr"), (UPSTREAM, group.ingress, "saddr")):
            lines += [f"iifname {device} {_group_rule(region, rule, side)} accept" for rule in rules]
    body = "\n    ".join(lines)
    return f"table ip groups {{\n  chain forward {{\n    {body}\n  }}\n}}\n"


def _dead(region: Region, interface: NetworkInterface) -> bool:
    """Whether nothing passes at all: not attached, or to a machine that doesn't run."""
    stopped = {each.instance_id for each in region.instances if each.state != "running"}
    return interface.status != "in-use" or interface.instance_id in stopped


def _group_rule(region: Region, rule: SecurityGroupRule, side: str) -> str:
    return f"ip {side} {_set(_peers(region, rule))} {_traffic(rule.protocol, rule.from_port, rule.to_port)}"


def _peers(region: Region, rule: SecurityGroupRule) -> list[str]:
    """A rule's peers as networks: another group stands for the addresses of those who are in it."""
    members = [each for each in region.network_interfaces if rule.peer in each.group_ids]
    return [place for each in members for place in _own(each)] or _networks(region, rule.peer)


def _networks(region: Region, named: Network | str) -> list[str]:
    """A network, or those of a prefix list."""
    if not isinstance(named, str):
        return [str(named)]
    lists = (each for each in region.prefix_lists if each.prefix_list_id == named)
    return [str(entry) for each in lists for entry in each.entries]


def add_others(plan: Plan, region: Region, interfaces: Mapping[str, Host]) -> None:
    """A machine behind each interface that has none by now: it has the address, and nobody listens."""
    for name, host in interfaces.items():
        if DOWNSTREAM not in plan.devices(host):
            address = str(region.network_interface[name].primary)
            plan.link(plan.add(end_host(f"behind {name}", "other", address)), "eth0", host, DOWNSTREAM)
