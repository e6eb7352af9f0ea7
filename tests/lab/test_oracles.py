"""The oracles on a small scale: nothing disagrees, and every planted bug is found. Skipped without the programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import lab.oracles
from lab.isolation import Isolated, LabError
from lab.oracles.catalogue import ORACLES, at_home, chosen, lacks, play
from lab.oracles.codec import Sent, checksum, read, written
from lab.oracles.mutations import MUTATIONS, hunt
from lab.oracles.promise import promised
from lab.oracles.proxy import chi_squared
from lab.oracles.rounds import Difference, Finding, Report, shrink, without
from lab.oracles.running import Piece, State, Totals, Workers, pieces, results
from lab.oracles.services import Services
from lab.oracles.talk import Again, Answer, Fresh, Talk
from lab.oracles.wires import Heard
from netpath.kubernetes import EndpointPort, EndpointSlice, ProxyConfig, Service, ServicePort, SliceEndpoint
from netpath.packet import Endpoint, IcmpType, TcpFlags, address, network, tcp, udp
from tests.conftest import skip_here

Process = Callable[[str], Isolated]

_FOLDER = Path(lab.oracles.__file__ or "").parent
_MODULES = {path.stem for path in _FOLDER.glob("*.py")} - {"__init__"}


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    """The isolated process that an oracle shares with its like; a test without the programs is skipped."""
    with ExitStack() as stack:
        known: dict[str, Isolated] = {}

        def given(oracle: str) -> Isolated:
            reason = lacks([oracle])
            if reason:
                skip_here(reason)
            home = at_home(oracle)
            if home not in known:
                known[home] = stack.enter_context(Isolated())
            return known[home]

        yield given


@pytest.mark.parametrize("name", ORACLES)
def test_the_model_agrees_with_the_real_thing(process: Process, name: str) -> None:
    reports = process(name).call_within(300, play, name, ("test",))
    assert [str(report.finding) for report in reports if report.finding] == []
    assert sum(report.cases for report in reports) > 0


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_planted_bug_is_found(process: Process, name: str) -> None:
    assert hunt(process(MUTATIONS[name].oracle), name) is not None, MUTATIONS[name].wrong


def test_a_disagreement_is_told_so_that_it_can_be_had_again() -> None:
    if lacks(["balancing"]):
        skip_here(lacks(["balancing"]))
    asked = ("--replay", "balancing", "1-0", "--mutation", "failures-cost-nothing")
    done = subprocess.run([sys.executable, "-m", "lab.oracles", *asked], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "again: python -m lab.oracles --replay balancing 1-0" in done.stdout


def test_the_same_seed_draws_the_same_case() -> None:
    from lab.oracles.nat import RulesOracle
    from lab.oracles.node import Kernel

    oracle = RulesOracle(Kernel())
    assert oracle.draw("5") == oracle.draw("5") != oracle.draw("6")


# -- what the oracles are made of


@pytest.mark.parametrize(
    "packet",
    [
        tcp("10.0.0.1:5", "10.0.0.2:80", TcpFlags.FIN),
        udp("10.0.0.1:5", "10.0.0.2:53"),
        udp("10.0.0.1:5", "10.0.0.2:53").error(IcmpType.PORT_UNREACHABLE, address("10.0.0.9")),
    ],
)
def test_a_packet_is_read_as_it_was_written(packet: object) -> None:
    sent = Sent(packet, 0x40000100)  # type: ignore[arg-type]
    assert (read(written(sent)).packet, read(written(sent)).sequence) == (packet, 0x40000100)


def test_a_header_with_its_checksum_adds_up_to_nothing() -> None:
    assert checksum(written(Sent(udp("10.0.0.1:5", "10.0.0.2:53")))[:20]) == 0


def test_shrinking_keeps_only_what_is_needed() -> None:
    """Something is wrong when 3 and 7 come together."""

    def fails(case: tuple[int, ...]) -> Difference | None:
        return Difference("?", str(case), "") if {3, 7} <= set(case) else None

    case, difference = shrink(tuple(range(20)), Difference("?", "", ""), fails, without, 200)
    assert (case, difference.real) == ((3, 7), "(3, 7)")


def test_shrinking_has_patience_for_so_long() -> None:
    case, _ = shrink(tuple(range(4)), Difference("?", "", ""), lambda case: Difference("?", "", ""), without, 1)
    assert len(case) == 2


def test_an_endpoint_that_is_never_chosen_is_no_accident() -> None:
    assert chi_squared({"a": 100, "b": 100}, {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}) < 1e-9


def test_an_endpoint_that_should_not_be_chosen_is_no_accident() -> None:
    assert chi_squared({"a": 100, "b": 1}, {"a": 1.0}) == 0


def a_world(config: ProxyConfig) -> Services:
    """A Service `10.96.0.1:80` with one endpoint."""
    service = Service("default", "web", cluster_ip=address("10.96.0.1"), ports=(ServicePort(80),))
    pods = (SliceEndpoint(address("10.2.0.2")),)
    return Services((service,), (EndpointSlice("default", "web-1", "web", (EndpointPort(8080),), pods),), config)


@pytest.mark.parametrize(("source", "hidden"), [("10.2.0.3", False), ("10.1.0.3", True), ("10.2.0.2", True)])
def test_a_stranger_and_a_pod_that_calls_itself_are_promised_to_be_hidden(source: str, hidden: bool) -> None:
    pod = Endpoint(address("10.2.0.2"), 8080)
    world = a_world(ProxyConfig(cluster_cidrs=(network("10.2.0.0/16"),)))
    promise = promised(world, Fresh("client", tcp(f"{source}:5", "10.96.0.1:80")))
    assert (set(promise.endpoints), pod in promise.masquerade) == ({pod}, hidden)


def test_another_port_is_promised_nothing() -> None:
    assert promised(a_world(ProxyConfig()), Fresh("client", tcp("10.1.0.3:5", "10.96.0.1:81"))).kind == "alone"


def test_a_module_imports_only_from_the_lines_below_it() -> None:
    ladder = [line.split(" | ") for line in (lab.oracles.__doc__ or "").splitlines() if line.startswith("    ")]
    lines = [[name.strip() for name in names] for names in ladder if names[0].strip() in _MODULES]
    height = {name: number for number, names in enumerate(reversed(lines)) for name in names}
    assert set(height) == _MODULES
    for name in _MODULES:
        text = (_FOLDER / f"{name}.py").read_text()
        below = set(re.findall(r"from lab\.oracles\.(\w+) import", text))
        below |= set(re.findall(r"from lab\.oracles import (\w+)", text))
        assert all(height[other] < height[name] for other in below), name


# -- running them


def test_a_name_before_the_dot_stands_for_all_of_its_oracles() -> None:
    assert {name.partition(".")[0] for name in chosen(["ingress"])} == {"ingress"}
    assert chosen(["dns"]) == ("dns",)


def test_a_soak_is_a_quick_run_and_more() -> None:
    quick, soak = pieces(["dns"], 7, 1), pieces(["dns"], 7, 3)
    assert soak[: len(quick)] == quick
    assert len(soak) == 3 * len(quick)


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    piece = Piece("dns", 0, ("7-0",))
    State(tmp_path / "notes", 7).note(piece, [Report(5, {"NOERROR": 5})])
    again = State.load(tmp_path / "notes", 7)
    assert (again.finished, again.totals.cases, State.seed_of(tmp_path / "notes")) == ({"dns/0"}, {"dns": 5}, 7)


def test_what_ends_badly_is_played_again_in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Isolated] = []

    def call_within(self: Isolated, *_: object) -> list[Report]:
        made.append(self)
        if len(made) == 1:
            raise LabError("the isolated process has ended")
        return [Report(5, {})]

    monkeypatch.setattr(Isolated, "__init__", lambda self: None)
    monkeypatch.setattr(Isolated, "close", lambda self: None)
    monkeypatch.setattr(Isolated, "call_within", call_within)
    with Workers() as workers:
        assert workers.play(Piece("dns", 0, ("7-0",))) == [Report(5, {})]
    assert len(set(map(id, made))) == 2


def test_what_disagreed_is_played_again(tmp_path: Path) -> None:
    finding = Finding("dns", "7-0", Difference("?", "a", "b"), "")
    state = State(tmp_path / "notes", 7)
    state.note(Piece("dns", 0, ("7-0",)), [Report(1, {}, finding)])
    assert not state.finished


def test_notes_of_another_seed_are_not_gone_on_with(tmp_path: Path) -> None:
    State(tmp_path / "notes", 7).note(Piece("dns", 0, ("7-0",)), [Report(5, {})])
    assert not State.load(tmp_path / "notes", 8).finished


def test_results_count_disagreements_by_what_people_ask_for() -> None:
    finding = Finding("nat.rules", "7-0", Difference("?", "a", "b"), "")
    totals = Totals()
    totals.add("nat.rules", [Report(3, {}, finding)])
    totals.add("nat.services", [Report(4, {})])
    kept = json.loads(results(totals, {"kernel": "6"}, "2026-11-23", 7))
    assert kept["oracles"] == {"nat": {"cases": 7, "disagreements": 1}}


def test_a_reset_that_comes_before_any_answer_ends_its_flow() -> None:
    """Its own number is 0, and the kernel takes that for the server's: no segment after it is inside the window."""
    talk = Talk()
    opening = talk.next(1, Fresh("client", tcp("10.1.0.3:5", "10.2.0.2:80")))
    assert opening is not None
    talk.learn(1, opening[1], [Heard("sink", opening[1])], True)
    refusal = talk.next(2, Answer(1, (TcpFlags.RESET, TcpFlags.RESET)))
    assert refusal is not None and refusal[1].sequence == 0
    talk.learn(2, refusal[1], [Heard("client", refusal[1])], True)
    assert all(flow.ending for flow in talk.flows.values())
    again = talk.next(3, Again(1, TcpFlags.SYN))
    assert again is not None
    talk.learn(3, again[1], [Heard("sink", again[1])], True)
    assert talk.next(4, Answer(3, (TcpFlags.ACK, TcpFlags.ACK))) is None, "a SYN doesn't begin such a flow anew"
