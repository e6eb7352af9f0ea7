"""The worlds that chapter 1's exercises ask about: the book's own, and what somebody may have made of it.

Not modelled: the bill. One NAT gateway is cheaper than two, until its zone fails.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from netpath.exercises.chapter1.places import PROVIDER
from netpath.exercises.outcome import block
from netpath.exercises.parts import region
from netpath.load import shop
from netpath.packet import Address, address, network
from netpath.vpc import Route, SecurityGroupRule
from netpath.world import Kind, World

PUBLIC = "203.0.113.77"  # an address that is still to be had
_IGW, _NAT_A = "igw-0c00000000000000c", "nat-0e0000000000000a1"
_TABLE_A, _TABLE_B = "rtb-0f0000000000000fa", "rtb-0f0000000000000fb"
_ANYWHERE = network("0.0.0.0/0")


@cache
def worlds() -> dict[str, World]:
    """The book's world; one NAT gateway for both zones; zone b's nodes in public; an address, or a route, alone."""
    book = shop()
    return {
        "book": book,
        "one gateway": _by(book, _TABLE_B, _NAT_A),
        "public nodes": _by(_with_public(book, "10.0.48.13"), _TABLE_B, _IGW),
        "address alone": _with_public(book, "10.0.33.12"),
        "door alone": _by(book, _TABLE_A, _IGW),
    }


def _by(world: World, table_id: str, target: str) -> World:
    """The world with another default route in one table."""

    def changed(route: Route) -> Route:
        return replace(route, target=target) if route.destination == _ANYWHERE else route

    tables = tuple(
        replace(table, routes=tuple(map(changed, table.routes))) if table.route_table_id == table_id else table
        for table in region(world).route_tables
    )
    return replace(world, region=replace(region(world), route_tables=tables))


def _with_public(world: World, private: str) -> World:
    """The world with a public address for a node's primary one, and the NodePort open to all."""
    interfaces = tuple(
        replace(each, addresses=(replace(each.addresses[0], public_ip=address(PUBLIC)), *each.addresses[1:]))
        if each.primary == address(private)
        else each
        for each in region(world).network_interfaces
    )
    anyone = SecurityGroupRule(_ANYWHERE, "tcp", 30080, 30080)
    groups = tuple(replace(each, ingress=(*each.ingress, anyone)) for each in region(world).security_groups)
    changed = replace(region(world), network_interfaces=interfaces, security_groups=groups)
    return replace(world, region=changed)


# In words ----------------------------------------------------------------------------------------
def tables(world: World) -> str:
    """What one has to know of a world: the ways out of its subnets, and the pairs at its door. Narrow, for phones."""
    here = region(world)
    lines = [f"{'subnet':<13} default route"]
    for subnet in here.subnets:
        way = here.routes(here.route_table_of(subnet)).decide(int(address(PROVIDER))).route
        lines.append(f"{subnet.cidr_block!s:<13} {short(way.target) if way else 'none'}")
    named = {each.addresses[0].address: short(each.nat_gateway_id) for each in here.nat_gateways}
    held = sorted((each for _, each in here.public.values()), key=lambda each: each.address)
    lines += ["", f"{'private':<11} {'public':<13} of"]
    for each in held:
        owner = named.get(each.address, _owner(world, each.address))
        lines.append(f"{each.address!s:<11} {each.public_ip!s:<13} {owner}")
    return block(lines)


def _owner(world: World, place: Address) -> str:
    return "balancer" if world.where(place).kind is Kind.LOAD_BALANCER else "node"


def short(target: str) -> str:
    """A gateway's name, short: there is one internet gateway, and each zone has a NAT gateway."""
    return {_IGW: "internet gateway", _NAT_A: "NAT a"}.get(target, "NAT b")


def who(world: World, place: str) -> str:
    """A place in words, with what one has to know of it."""
    found = world.where(address(place))
    if found.pod is not None:
        return f"the pod `{found.pod.name}`, {place} on the node {world.nodes[found.node].node.address},"
    if found.kind is Kind.NODE:
        return f"the node {place} itself"
    if found.kind is Kind.LOAD_BALANCER:
        return f"the load balancer's node {place}"
    return f"the payment provider, {place}," if place == PROVIDER else f"the user {place}"


def begun(text: str) -> str:
    """A text as a sentence begins."""
    return text[:1].upper() + text[1:]


def declares(world: World, pod: str) -> bool:
    """Whether a pod is an application's: one that listens on port 8080."""
    return any(port.port == 8080 for port in world.pods[address(pod)].ports)
