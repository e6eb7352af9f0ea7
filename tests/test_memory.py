"""What the network remembers, box by box, and forks of it."""

from __future__ import annotations

import pytest

from netpath.choice import first
from netpath.memory import EPHEMERAL, Memory
from netpath.netfilter import send
from netpath.packet import address, tcp
from netpath.routing import Host, Route
from netpath.vpc import VpcMemory
from tests import shop_world as shop


@pytest.mark.parametrize("box", ["host", "balancer", "controller"])
def test_a_box_is_remembered_from_its_first_mention(box: str) -> None:
    memory = Memory()
    assert getattr(memory, box)("x") is getattr(memory, box)("x")
    assert getattr(memory, box)("x") is not getattr(memory, box)("y")


def test_ephemeral_ports_come_in_turn_for_each_address() -> None:
    memory, one, other = Memory(), address("10.0.0.1"), address("10.0.0.2")
    assert [memory.next_port(each).port for each in (one, one, other)] == [32768, 32769, 32768]


def test_after_the_last_ephemeral_port_comes_the_first() -> None:
    memory, one = Memory(), address("10.0.0.1")
    memory.ports[one] = EPHEMERAL[1]
    assert memory.next_port(one).port == EPHEMERAL[0]


def test_a_new_memory_is_empty_and_at_second_zero() -> None:
    memory = Memory()
    assert (memory.now, memory.hosts, memory.ports, memory.vpc == VpcMemory()) == (0.0, {}, {}, True)


def test_a_copy_doesn_t_see_what_a_host_learns_later() -> None:
    memory = Memory()
    memory.host("n1")
    copy = memory.copy()
    rules = shop.SHOP.nodes[shop.place(shop.NODE_1).node].rules
    host = Host("n1", {address("10.0.0.1"): "eth0"}, (Route(shop.region().vpcs[0].cidr_blocks[0], "eth0"),), rules)
    send(host, memory.host("n1"), tcp("10.0.0.1:40000", "10.0.0.9:80"), 0.0, first)
    assert [len(list(each.host("n1").conntrack)) for each in (memory, copy)] == [1, 0]


def test_a_copy_has_the_past_of_every_box() -> None:
    memory = Memory()
    shop.travel(memory=memory)
    copy = memory.copy()
    for box in ("hosts", "balancers", "controllers", "ports"):
        assert getattr(copy, box).keys() == getattr(memory, box).keys() != set()
    assert shop.travel(memory=copy).looked == shop.travel(memory=memory).looked
