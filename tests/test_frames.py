"""A journey as frames: every decision is told once, in the order of travel, where it was made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest

from netpath.codes import Fate
from netpath.journey import Journey, travel
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import Hop, http_request
from netpath.show.frames import Frame, frames, said
from netpath.show.legs import Way, legs
from netpath.show.prepared import NOTES, STORIES, Story, prepared
from netpath.show.tables import Face
from netpath.world import World

NAMES = tuple(NOTES)
every_journey = pytest.mark.parametrize("name", NAMES)


def journey(name: str) -> Journey:
    return prepared()[name]


def told(name: str) -> tuple[Frame, ...]:
    return frames(journey(name))


def row(frame: Frame, name: str) -> list[str]:
    """The lines that stand beside a name."""
    return [line.text for label, lines in frame.rows if label == name for line in lines]


def at_station(name: str, station: str, connection: int, way: Way) -> list[Frame]:
    stage = connection, way
    return [each for each in told(name) if each.title == station and (each.stage.connection, each.stage.way) == stage]


# Every decision ----------------------------------------------------------------------------------


@every_journey
def test_every_hop_has_a_frame_in_the_order_of_travel(name: str) -> None:
    shown = [each.hop for each in told(name) if each.hop]
    assert [(hop.station, hop.at, hop.verdict) for hop in shown] == [
        (hop.station, hop.at, hop.verdict) for hop in journey(name).hops
    ]


@every_journey
def test_every_rewrite_is_said_and_marked(name: str) -> None:
    for frame in told(name):
        changed = frame.hop.rewrites if frame.hop else ()
        strong = [line.text for _, lines in frame.rows for line in lines if line.face is Face.STRONG]
        assert len(strong) == len(changed)
        assert all(f"the {end} {old} to {new}" in frame.says for end, old, new in changed)


@every_journey
def test_the_number_changes_with_the_packet_and_never_without(name: str) -> None:
    forms: dict[int, set[str]] = {}
    for frame in told(name):
        packet = frame.hop.sent or frame.hop.received if frame.hop else None
        if packet is not None and row(frame, "received"):
            forms.setdefault(frame.number, set()).add(f"{packet.source} {packet.destination}")
    assert all(len(packets) == 1 for packets in forms.values()), forms


@every_journey
def test_a_frame_is_where_its_leg_is(name: str) -> None:
    walked = legs(journey(name))
    for frame in told(name):
        leg = walked[frame.leg] if frame.leg >= 0 else None
        assert 0 <= frame.share <= 1
        assert frame.spot is not None or leg is not None
        if leg is not None and frame.hop in leg.gates:
            assert frame.spot is None


@every_journey
def test_legs_are_travelled_in_their_order(name: str) -> None:
    walked = [(frame.leg, frame.share) for frame in told(name)]
    assert all(one <= other for one, other in pairwise(walked)), walked


@every_journey
def test_what_was_stopped_says_what_to_do(name: str) -> None:
    stopped = [each for each in told(name) if each.hop and not each.hop.verdict.ok]
    assert all(row(each, "remedy") for each in stopped)


@every_journey
def test_the_last_frame_is_what_the_user_sees(name: str) -> None:
    last, was = told(name)[-1], journey(name)
    assert last.verdict == was.outcome.verdict
    seen = str(was.outcome.status) if was.outcome.response else was.outcome.verdict.code
    assert seen in last.says


# What is told ------------------------------------------------------------------------------------


def test_stages_are_the_name_three_connections_out_and_back_and_the_end() -> None:
    names = [each.stage.short for each in told("The hit")]
    assert list(dict.fromkeys(names)) == ["DNS", "1 out", "2 out", "3 out", "3 back", "2 back", "1 back", "end"]


def test_a_node_names_the_rules_that_had_the_last_word() -> None:
    (node,) = at_station("The hit", "node", 2, Way.OUT)
    targets = [found[1] for line in row(node, "decided by") if (found := re.search(r"-j (\w+)", line))]
    assert targets == ["DNAT", "ACCEPT", "MASQUERADE"]


def test_on_the_way_back_conntrack_decides_and_the_forward_chain_lets_pass() -> None:
    (node,) = at_station("The hit", "node", 2, Way.BACK)
    entry, rule = row(node, "decided by")
    assert "nat aren't asked" in entry and "RELATED,ESTABLISHED -j ACCEPT" in rule


def test_an_entry_is_made_on_the_way_out_and_used_on_the_way_back() -> None:
    (out,), (back,) = (at_station("The hit", "node", 2, way) for way in (Way.OUT, Way.BACK))
    assert [row(each, "conntrack")[0] for each in (out, back)] == ["made: NEW, ORIGINAL", "used: ESTABLISHED, REPLY"]


def test_a_packet_that_is_dropped_leaves_no_entry() -> None:
    (node,) = at_station("Local, but no pod", "node", 2, Way.OUT)
    assert row(node, "conntrack")[0] == "given up with the packet: NEW, ORIGINAL"


def test_the_controller_reads_the_header_that_the_load_balancer_wrote() -> None:
    first = at_station("The hit", "ingress controller", 2, Way.OUT)[0]
    assert "X-Forwarded-For: 198.51.100.23" in row(first, "the request")


def test_a_name_server_is_told_with_its_question_and_its_records() -> None:
    servers = at_station("The hit", "name server", 0, Way.ASK)
    assert row(servers[-1], "question")[0] == "shop.example.com A?"
    assert row(servers[-1], "answer") == [
        "shop.example.com. 60 IN A 203.0.113.10",
        "shop.example.com. 60 IN A 203.0.113.20",
    ]


def test_rules_that_lost_are_told_of_a_load_balancer() -> None:
    (listener, _) = at_station("The hit", "load balancer", 1, Way.OUT)
    assert {step.matched for step in listener.asked} == {True, False}


def test_of_a_node_only_the_rules_that_matched_are_told() -> None:
    (node,) = at_station("The hit", "node", 2, Way.OUT)
    assert node.asked and all(step.matched for step in node.asked)


def test_a_connection_that_is_open_is_used_again() -> None:
    opened = [each.title for each in told("Kept alive") if each.title.startswith("connection")]
    assert opened == ["connection opened", "connection used again", "connection used again"]


def test_without_a_name_to_look_up_the_first_frame_is_the_connection() -> None:
    straight = travel(shop(), Memory(), http_request("http://203.0.113.10/cart"))
    assert frames(straight)[0].stage.short == "1 out"


def test_a_name_that_the_machine_knows_not_to_exist_makes_two_frames() -> None:
    memory, request = Memory(), http_request("http://nope.example.com/")
    travel(shop(), memory, request)
    again = frames(travel(shop(), memory, request))
    assert [each.title for each in again] == ["stub resolver", "outcome"]


def test_a_pod_in_which_nobody_listens_is_reached() -> None:
    refusing = next(each for each in told("Crashed ingress") if each.verdict and each.verdict.code == "NO_SOCKET")
    assert refusing.spot is not None and (refusing.spot.station, refusing.spot.unreached) == ("pod", False)


def test_a_box_is_said_once() -> None:
    resolver = next(each.hop for each in told("The hit") if each.title == "resolver")
    assert isinstance(resolver, Hop) and said(resolver) == "Resolver 198.51.100.53: NOERROR."


# What is prepared --------------------------------------------------------------------------------

#: name -> (status, the cause's code)
ENDINGS: dict[str, tuple[int | None, str]] = {
    "The hit": (200, ""),
    "The miss": (200, ""),
    "Targets of type ip": (200, ""),
    "Policy Local": (200, ""),
    "Kept alive": (200, ""),
    "Nobody is healthy": (200, ""),
    "No such name": (None, "NXDOMAIN"),
    "Unknown host": (404, "INGRESS_DEFAULT_BACKEND"),
    "Unknown path": (404, "INGRESS_DEFAULT_BACKEND"),
    "No pod is ready": (503, "INGRESS_NO_ENDPOINTS"),
    "Crashed carts": (502, "NO_SOCKET"),
    "No ingress pods": (502, "NO_ENDPOINTS"),
    "Crashed ingress": (502, "NO_SOCKET"),
    "Local, but no pod": (504, "NO_LOCAL_ENDPOINTS"),
    "Closed security group": (504, "ENI_SG_RULES_MISMATCH"),
    "Answers forgotten": (504, "SUBNET_ACL_RESTRICTION"),
    "Dead target": (504, "BAD_STATE"),
}


def test_what_becomes_of_every_prepared_journey() -> None:
    found = {
        name: (each.outcome.status, each.cause.verdict.code if each.cause else "") for name, each in prepared().items()
    }
    assert found == ENDINGS


def nodes_passed(name: str) -> int:
    return sum(hop.station == "node" for hop in journey(name).connections[1].out.hops)


def test_the_miss_passes_one_node_more_than_the_hit() -> None:
    assert (nodes_passed("The hit"), nodes_passed("The miss")) == (1, 2)


def test_with_policy_local_the_source_isnt_rewritten() -> None:
    ends = [change[0] for hop in journey("Policy Local").connections[1].out.hops for change in hop.rewrites]
    assert ends == ["destination"]


def test_with_targets_of_type_ip_the_load_balancer_calls_the_pod() -> None:
    called = journey("Targets of type ip").connections[1]
    assert called.out.sent == called.out.packet and nodes_passed("Targets of type ip") == 1


def test_what_is_kept_alive_is_both_inner_connections() -> None:
    assert [each.reused for each in journey("Kept alive").connections] == [False, True, True]


def test_nobody_healthy_fails_open() -> None:
    assert "FAIL_OPEN" in {
        hop.verdict.code for each in journey("Nobody is healthy").connections for hop in each.decisions
    }


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_story_is_told_in_one_sentence(story: Story) -> None:
    assert story.note.endswith(".") and story.note[0].isupper() | story.note.startswith("externalTrafficPolicy")


def test_any_world_with_the_same_parts_can_have_them() -> None:
    world: World = shop()
    assert list(prepared(world)) == list(prepared())


def fates(shown: Sequence[Frame]) -> set[Fate]:
    return {each.verdict.meaning.fate for each in shown if each.verdict}


def test_every_fate_is_met() -> None:
    assert {fate for name in NAMES for fate in fates(told(name))} == set(Fate)
