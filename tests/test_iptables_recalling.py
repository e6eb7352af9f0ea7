"""Walks that are recalled come to what they would come to if they were made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from netpath.choice import Script
from netpath.iptables import Context, Ruleset, parse, walk_chain
from netpath.iptables.recalling import Walks
from netpath.iptables.walking import frozen
from netpath.packet import Packet, address, tcp
from tests.iptables_rules import packets, rulesets

LOCAL = {address("10.0.0.1"), address("10.0.1.1")}


@dataclass
class Flow:
    """A connection as far as rules look at it."""

    mark: int
    original: object
    reply: object


def context_of(packet: Packet, mark: int, connection_mark: int | None, state: str) -> Context:
    flow = SimpleNamespace(protocol=packet.protocol, source=packet.source, destination=packet.destination)
    connection = None if connection_mark is None else Flow(connection_mark, flow, flow)
    return Context(packet, "eth0", "eth1", mark, state, connection=connection, is_local=LOCAL.__contains__)  # type: ignore[arg-type]


_MARKS = st.sampled_from([0, 1, 2, 0x4000])
contexts = st.builds(
    context_of, packets(), _MARKS, st.one_of(st.none(), _MARKS), st.sampled_from(["NEW", "ESTABLISHED", "INVALID"])
)


def told(walk: object) -> tuple[object, ...]:
    return walk.target, walk.at, walk.text, list(walk.steps)  # type: ignore[attr-defined]


@given(rulesets(), st.lists(contexts, min_size=1, max_size=8), st.lists(st.integers(0, 1), max_size=40))
def test_a_recalled_walk_is_the_walk_itself(rules: Ruleset, seen: list[Context], chance: list[int]) -> None:
    walks, memory = Walks(rules), seen[0].memory
    one, other = Script(chance), Script(chance)
    twin = memory.copy()
    for context in (*seen, *seen):
        ours, theirs = frozen(context), frozen(context)
        ours.memory, theirs.memory = memory, twin
        recalled = walks.walk("mangle", "PREROUTING", ours, one)
        walked = walk_chain(rules, "mangle", "PREROUTING", theirs, other)
        assert told(recalled) == told(walked)
        assert replace(ours, memory=twin) == theirs  # marks, the connection's too, and the state
        assert (memory.nth, one.asked) == (twin.nth, other.asked)
        assert {name: each.seen for name, each in memory.recent.items()} == {
            name: each.seen for name, each in twin.recent.items()
        }


RULES = """*filter
:FORWARD ACCEPT
-A FORWARD -p tcp -m tcp --dport 80:81 -j DROP
-A FORWARD -p tcp -m multiport --sports 99 -j DROP
COMMIT
"""


def test_a_clients_next_port_is_recalled_and_told_by_its_own_number() -> None:
    walks = Walks(parse(RULES))
    for port in (40001, 40002):
        walk = walks.walk("filter", "FORWARD", Context(tcp(f"10.0.0.1:{port}", "10.0.0.2:82")), Script())
    assert len(walks._known) == 1
    assert "and 82" in walk.steps[1].why and "40002" in walk.steps[1].why


def test_a_port_on_the_other_side_of_a_range_is_another_kind() -> None:
    walks = Walks(parse(RULES))
    names = [
        walks.walk("filter", "FORWARD", Context(tcp("10.0.0.1:98", f"10.0.0.2:{port}")), Script()).target.name
        for port in (79, 80, 81, 82, 80)
    ]
    assert names == ["ACCEPT", "DROP", "DROP", "ACCEPT", "DROP"]


def test_too_many_kinds_are_all_forgotten(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("netpath.iptables.recalling._MOST", 2)
    walks = Walks(parse(RULES))
    for last in range(1, 6):
        walks.walk("filter", "FORWARD", Context(tcp(f"10.0.0.{last}:98", "10.0.0.9:1")), Script())
    assert len(walks._known) <= 2
