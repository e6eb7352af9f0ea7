"""The lab as a person meets it: what it asks for, its commands, and that it leaves nothing behind."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import lab as package
from lab import control, isolation, namespaces
from lab.__main__ import main
from lab.isolation import Isolated, LabError, obstacle
from lab.session import PROGRAMS, Lab
from netpath import shop
from tests.conftest import skip_here
from tests.test_ladder import read_ladder

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True, scope="module")
def _everything_is_here() -> None:
    if reason := obstacle(("curl", "dig", "nsenter", *PROGRAMS)):
        skip_here(reason)


# The house -----------------------------------------------------------------------------------

MODULES = sorted(path for path in Path(package.__file__).parent.glob("*.py") if path.stem != "__init__")
LADDER = read_ladder(package.__doc__ or "")
ANSWERS = ("chance", "choice", "conntrack", "fabric", "ingress", "journey", "memory", "nat", "netfilter")


def _imports(path: Path) -> list[str]:
    """Everything that a module imports, by its dotted name."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{name.name}" for name in node.names]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_of_the_lab_imports_only_from_below(path: Path) -> None:
    boxes = [name.split(".")[1] for name in _imports(path) if name.startswith("lab.")]
    upward = [box for box in boxes if LADDER.get(box, -1) >= LADDER[path.stem]]
    assert not upward


@pytest.mark.parametrize("path", [path for path in MODULES if path.stem != "model"], ids=lambda path: path.stem)
def test_the_network_is_made_without_asking_the_model_for_answers(path: Path) -> None:
    allowed = {("trace", "journey"), ("shown", "journey")}  # its type alone
    asked = [name.split(".")[1] for name in _imports(path) if name.startswith("netpath.")]
    assert not [name for name in asked if name in ANSWERS and (path.stem, name) not in allowed]


# Isolation -----------------------------------------------------------------------------------


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "PATH", "/nowhere")
    assert obstacle(["nft", "nginx"]) == "this needs the packages iproute2 mount nftables nginx-light util-linux"


def test_nothing_of_an_isolated_network_is_seen_outside() -> None:
    with Isolated() as isolated:
        isolated.call(namespaces.create, "somewhere")
        inside = isolated.call(namespaces.run, "ip", "-o", "link")
    assert "somewhere" not in namespaces.run("ip", "netns")
    assert [line.split(":")[1] for line in inside.splitlines()] == [" lo"]


def test_what_goes_wrong_inside_is_told_outside() -> None:
    with Isolated() as isolated, pytest.raises(LabError, match="nft nonsense"):
        isolated.call(namespaces.run, "nft", "nonsense")


def test_a_call_that_takes_too_long_is_ended() -> None:
    with Isolated() as isolated, pytest.raises(LabError, match="took more than"):
        isolated.call_within(0.2, time.sleep, 5)


def _children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [each for child in map(int, found) for each in (child, *_children(child))]


def _ends(process: int) -> bool:
    for _ in range(200):
        if not Path(f"/proc/{process}").exists():
            return True
        time.sleep(0.02)
    return False


def test_who_is_killed_takes_everything_along() -> None:
    code = "import sys; from tests.lab.test_lab import run_for_ever; run_for_ever()"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        started = _children(parent.pid)
        parent.kill()
    assert len(started) >= 2
    assert all(map(_ends, started))


def run_for_ever() -> None:
    with Isolated() as isolated:
        isolated.call(namespaces.create, "somewhere")
        print("up", flush=True)
        isolated.call(time.sleep, 50)


# Without root --------------------------------------------------------------------------------


def one_request() -> int | None:
    lab = Lab(shop())
    lab.up()
    return lab.request("http://shop.example.com/cart").reply.status


def test_it_works_in_a_user_namespace() -> None:
    with Isolated(rootless=True) as isolated:
        assert isolated.call(one_request) == 200


# The commands --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def up(_everything_is_here: None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(control.NAME, f"-test-{os.getpid()}")
        control.start("", stay=False)
        yield
        assert main(["down"]) == 0


@pytest.mark.usefixtures("up")
class TestCommands:
    def test_a_second_lab_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["up"]) == 1
        assert capsys.readouterr().err == "lab: a lab is up already: python -m lab down\n"

    def test_the_hosts_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        main(["hosts"])
        places = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
        assert {"user", "resolver", "a.root-servers.net", "shop/cart-5f7d9c6b8-4wz7t"} <= set(places)

    def test_a_shell_in_a_host_has_its_network_and_its_names(self) -> None:
        command = control.command_in("user", ["curl", "-s", "http://shop.example.com/cart"])
        assert subprocess.run(command, capture_output=True, text=True).stdout.startswith("pod shop/cart-")

    def test_a_part_of_a_name_must_be_of_one_host(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["shell", "cart", "true"]) == 1
        assert "several hosts are called cart" in capsys.readouterr().err

    def test_a_trace_shows_the_wire_and_the_model_the_same(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["trace", "http://www.example.com/", "--choose", "1"]) == 0
        shown = capsys.readouterr().out.partition("\n\n")[2]
        assert "203.0.113.20" in shown and "≠" not in shown


def test_a_lab_that_is_killed_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(control.NAME, f"-killed-{os.getpid()}")
    assert main(["up"]) == 0
    process = control.running()
    everything = [process, *_children(process)]
    os.kill(process, signal.SIGKILL)
    assert all(map(_ends, everything))
    with pytest.raises(LabError, match="no lab is up"):
        control.running()
