"""The same questions to the model and to a real nginx that loaded `render`'s text. Skipped where there is none."""

import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from netpath.ingress import Controller, Decision, Place, render
from netpath.kubernetes import (
    Cluster,
    ControllerConfig,
    EndpointPort,
    EndpointSlice,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressPath,
    IngressRule,
    PathType,
    Service,
    ServicePort,
    SliceEndpoint,
)
from netpath.packet import HttpRequest, address
from tests.conftest import skip_here

NGINX = shutil.which("nginx")


@pytest.fixture(autouse=True)
def _nginx_is_here() -> None:
    if NGINX is None:
        skip_here("needs nginx")


HOSTS = ("", "a.b", "foo", "*.foo", "*.a.b", "www.a.b")
ASKED = ("a.b", "foo", "x.foo", "x.y.foo", "FOO.", "foo:80", "x.a.b", "www.a.b", "b.a.b", "none", "a..b", "x_1.foo")
WORDS = ("a", "b", "foo", "Foo", "a.b", "x-1")
PATTERNS = ("(/|$)(.*)", "/(.*)", "(.*)", "/[a-z]+", "/x?", "$")
BITS = (
    *WORDS,
    "//",
    "/.",
    "/..",
    "%2F",
    "%2e",
    "%25",
    "%41",
    "%00",
    "%zz",
    "%20",
    "+",
    ";",
    "é",
    "~",
    "?q=1",
    "?",
    "#f",
)
MARKS: tuple[dict[str, str], ...] = (
    {},
    {},
    {"permanent-redirect": "http://n.example$request_uri"},
    {"force-ssl-redirect": "true"},
    {"app-root": "/app"},
    {"server-alias": "*.wild.example"},
    {"from-to-www-redirect": "true"},
)
TARGETS = ("/$2", "/$1", "/", "/x/$1", "/x?y=$1", "/x?", "/z?q=1?", "https://o.example/$1")


def a_path(dice: random.Random) -> str:
    path = "/" + "/".join(dice.choice(WORDS) for _ in range(dice.randint(0, 3)))
    return path + "/" if dice.random() < 0.3 and path != "/" else path


def an_ingress(dice: random.Random, number: int) -> Ingress:
    marks, regex = dict(dice.choice(MARKS)), dice.random() < 0.25
    if regex:
        marks = {"rewrite-target": dice.choice(TARGETS)} if dice.random() < 0.6 else {"use-regex": "true"}
    rules = []
    for _ in range(dice.randint(1, 2)):
        paths = []
        for _ in range(dice.randint(1, 4)):
            text = a_path(dice).rstrip("/") + dice.choice(PATTERNS) if regex else a_path(dice)
            kind = PathType.IMPLEMENTATION_SPECIFIC if regex else dice.choice(list(PathType))
            paths.append(IngressPath(text, kind, IngressBackend(f"s{dice.randint(0, 3)}", 80)))
        rules.append(IngressRule(dice.choice(HOSTS), tuple(paths)))
    full = {f"nginx.ingress.kubernetes.io/{name}": value for name, value in marks.items()}
    return Ingress("n", f"i{number}", f"2026-01-0{dice.randint(1, 9)}", "nginx", tuple(rules), annotations=full)


def a_controller(dice: random.Random) -> Controller:
    services = tuple(Service("n", f"s{each}", ports=(ServicePort(80),)) for each in range(4))
    pod = (SliceEndpoint(address("10.0.0.1")),)
    slices = tuple(EndpointSlice("n", f"e{each}", f"s{each}", (EndpointPort(80),), pod) for each in range(3))
    ingresses = tuple(an_ingress(dice, each) for each in range(dice.randint(1, 5)))
    classes = (IngressClass("nginx", "k8s.io/ingress-nginx"),)
    return Controller(Cluster((), (), services, slices, ingresses, classes, controller=ControllerConfig()))


def a_question(dice: random.Random, controller: Controller) -> tuple[str, str]:
    if dice.random() < 0.5:
        target = "/" + "".join(dice.choice(BITS) + dice.choice(("", "/")) for _ in range(dice.randint(0, 5)))
    else:
        location = dice.choice(dice.choice(controller.nginx.servers).locations)
        plain = location.path.strip("^$").replace("(.*)", "zz").replace("(/|$)", "/").replace("[a-z]+", "q")
        target = (plain.rstrip("/") or "/") if dice.random() < 0.5 else plain + dice.choice(("", "/", "/x", "?a=b"))
    return dice.choice(ASKED), target


class Answer(NamedTuple):
    status: int
    where: str


class Nginx:
    """A real nginx with a controller's servers, and behind it one that says what it was sent."""

    def __init__(self, controller: Controller, folder: Path) -> None:
        self.front, self.back = folder / "front", folder / "back"
        temporary = "".join(
            f"{each}_temp_path {folder}/{each};\n" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        echo = 'location / { return 200 "$http_x_location $http_x_upstream $request_uri"; }'
        (folder / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
            f"http {{ access_log off; server_names_hash_bucket_size 256; {temporary}"
            f"{render(controller, f'unix:{self.front}', f'unix:{self.back}:')}"
            f"server {{ listen unix:{self.back}; {echo} }} }}\n"
        )
        self.process = subprocess.Popen([NGINX or "nginx", "-c", folder / "nginx.conf", "-e", folder / "error.log"])
        self.wait(folder / "error.log")

    def wait(self, log: Path) -> None:
        for _ in range(200):
            try:
                with socket.socket(socket.AF_UNIX) as one:
                    one.connect(str(self.back))
                    return
            except OSError:
                time.sleep(0.01)
        raise AssertionError(log.read_text())

    def ask(self, host: str, target: str) -> Answer:
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(str(self.front))
            one.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            head, _, body = b"".join(iter(lambda: one.recv(65536), b"")).decode().partition("\r\n\r\n")
        status = int(head.split()[1])
        lines = (line.partition(": ") for line in head.split("\r\n"))
        where = next((value for name, _, value in lines if name == "Location"), "")
        return Answer(status, where or (body if status == 200 else ""))


@pytest.fixture(params=range(12))
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[random.Random, Controller, Nginx]]:
    dice = random.Random(request.param)
    controller = a_controller(dice)
    with tempfile.TemporaryDirectory(prefix="netpath") as folder:
        nginx = Nginx(controller, Path(folder))
        try:
            yield dice, controller, nginx
        finally:
            nginx.process.terminate()
            nginx.process.wait()


def told(decision: Decision) -> Answer:
    """What the model says, as the real pair of nginx would put it."""
    response, place = decision.response, decision.place
    if response is None and decision.request is not None and isinstance(place, Place):
        rule = decision.hop.verdict.rule.replace("$", "(dollar)")
        return Answer(200, f"{rule} {place.upstream} {decision.request.target}")
    assert response is not None
    if decision.hop.verdict.code == "INGRESS_DEFAULT_BACKEND":
        return Answer(200, "upstream-default-backend")
    return Answer(response.status, dict(response.headers).get("Location", ""))


def test_the_model_and_nginx_agree(pair: tuple[random.Random, Controller, Nginx]) -> None:
    dice, controller, nginx = pair
    for _ in range(60):
        host, target = a_question(dice, controller)
        decision = controller.decide(HttpRequest(host, target), address("192.0.2.1"))
        real, model = nginx.ask(host, target), told(decision)
        if real.status == 200 and model.where == "upstream-default-backend" in real.where:
            continue
        assert real == model, (host, target, decision.hop)
