"""Chapter 4's exercises: what the generic tests of all exercises don't ask."""

from __future__ import annotations

import pytest

from netpath.errors import InputError
from netpath.exercises import chapter4
from netpath.exercises.chapter4 import building, repairing
from netpath.exercises.chapter4.ingresses import REFERENCE
from netpath.exercises.chapter4.worlds import endpoints
from netpath.exercises.parts import cluster
from netpath.exercises.predict import Predict
from netpath.exercises.repair import Edit, Repair
from netpath.load import SHOP, load_world, shop
from tests.test_exercises import mended

pytestmark = pytest.mark.usefixtures("folder")


# Predictions ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("exercise", "answers"),
    [
        (chapter4.q2, set(chapter4.q2.variants()[0].options)),
        (chapter4.q6, {"200", "502", "503", "504"}),
    ],
    ids=["4.2", "4.6"],
)
def test_every_kind_of_end_is_asked_for_in_the_page(exercise: Predict, answers: set[str]) -> None:
    assert {variant.answer for variant in exercise.variants()} == answers


def test_the_pod_that_draws_itself_is_among_the_callers_of_the_page() -> None:
    assert any("drew itself" in variant.why for variant in chapter4.q3.variants())


# Things to build -----------------------------------------------------------------------------------
def rules(*lines: str) -> str:
    """These rules in a table nat."""
    return "\n".join(("*nat", *lines, "COMMIT", ""))


TO_POD = "-j DNAT --to-destination 10.0.34.103:8080"
PORT = "-p tcp -m tcp --dport 31080"
MARKED = "-m mark --mark 0x4000/0x4000"


@pytest.mark.parametrize(
    "text",
    [
        rules(
            f"-A PREROUTING {PORT} -m addrtype --dst-type LOCAL {TO_POD}",
            "-A POSTROUTING -m conntrack --ctstate DNAT -j SNAT --to-source 10.0.33.12",
        ),
        rules(
            f"-A PREROUTING -d 10.0.33.12 {PORT} -j MARK --set-xmark 0x4000/0x4000",
            f"-A PREROUTING {MARKED} -p tcp {TO_POD}",
            f"-A POSTROUTING {MARKED} -j MASQUERADE --random-fully",
        ),
    ],
    ids=["by address type and state", "by a mark, as kube-proxy does"],
)
def test_other_rules_that_do_the_same_are_right(text: str) -> None:
    assert chapter4.q9.check(text).right, chapter4.q9.check(text)


def test_an_ingress_may_be_two_and_name_its_ports_by_number() -> None:
    head, paths = REFERENCE.split("  rules:\n")
    first, second = paths.split("  - host: ", 2)[1:]
    parts = (f"{head}  rules:\n  - host: {part}" for part in (first, second))
    text = "---\n".join(parts).replace("name: mine", "name: other", 1).replace("name: http", "number: 80")
    assert chapter4.q10.check(text).right, chapter4.q10.check(text)


def test_a_filter_that_drops_is_no_nodeport() -> None:
    text = rules(building._TO_POD) + "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n"
    assert "ended at the node (DROP)" in chapter4.q9.check(text).because


# The controllers that the repairs play ---------------------------------------------------------------
def test_the_controller_makes_the_books_own_slices() -> None:
    made = repairing.kept(shop(), dict(repairing._selectors(SHOP)))
    for service in cluster(shop()).services:
        assert set(endpoints(made, service.key)) == set(endpoints(shop(), service.key))


def test_the_checks_find_the_books_own_targets_healthy() -> None:
    found = repairing.with_checks(shop(), repairing._check_port(SHOP))
    assert found.load_balancers == shop().load_balancers


def test_the_checks_find_out_that_a_node_has_no_ingress_pod() -> None:
    mended(chapter4.q14, *chapter4.q14.cures)
    states = [str(target.health.state) for target in chapter4.q14.world.load_balancers[0].target_groups[0].targets]
    assert sorted(states) == ["healthy", "healthy", "unhealthy"]


def test_a_service_without_a_selector_keeps_its_slices() -> None:
    made = repairing.kept(load_world(SHOP), {})
    assert made.cluster == shop().cluster


# Other cures ---------------------------------------------------------------------------------------
TIERLESS = "  metadata:\n    creationTimestamp: '2026-03-02T10:05:22Z'\n    labels: &id002\n      app: cart\n"
OTHER_CURES = [
    (chapter4.q12, Edit("kubernetes/pods.yaml", TIERLESS, f"{TIERLESS}      tier: backend\n"), ""),
    (
        chapter4.q13,
        Edit("kubernetes/services.yaml", "      targetPort: 80\n    selector", "      targetPort: 8080\n    selector"),
        "",
    ),
    (
        chapter4.q14,
        Edit("aws/describe-target-health.shop-ingress.json", repairing._checked(repairing._target(2)), ""),
        "",
    ),
    (chapter4.q15, Edit("kubernetes/services.yaml", "    internalTrafficPolicy: Local\n", ""), ""),
    (chapter4.q13, Edit("kubernetes/nodes.yaml", "kind: List\n", "kind: List\n# looked at\n"), "NO_SOCKET"),
]


@pytest.mark.parametrize(("exercise", "edit", "part"), OTHER_CURES)
def test_another_cure_is_as_good_and_none_is_none(exercise: Repair, edit: Edit, part: str) -> None:
    outcome = mended(exercise, edit)
    assert part in outcome.because and outcome.right is not bool(part), outcome


def test_a_note_about_a_port_moves_no_program() -> None:
    chapter4.q13.open()
    file = chapter4.q13.folder / "kubernetes" / "pods.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("8080", "80"), encoding="utf-8")
    assert "`containerPort` is a note" in chapter4.q13.check().because


def test_each_request_of_the_reader_is_dealt_to_the_next_target() -> None:
    statuses = {chapter4.q14.curl("http://shop.example.com/cart").text.split()[1] for _ in range(3)}
    assert statuses == {"200", "504"}


def test_a_check_that_asks_no_port_is_refused_by_the_files_name() -> None:
    chapter4.q14.open()
    file = chapter4.q14.folder / repairing._GROUPS
    file.write_text(file.read_text(encoding="utf-8").replace('"10256"', '"everywhere"'), encoding="utf-8")
    assert repairing._GROUPS in chapter4.q14.check().because


def test_a_nodes_rules_are_shown_by_the_beginning_of_its_name() -> None:
    assert "-A KUBE-SERVICES " in chapter4.q14.iptables_save("ip-10-0-32").text
    with pytest.raises(InputError, match="not one node"):
        chapter4.q14.iptables_save("ip-10-0")
