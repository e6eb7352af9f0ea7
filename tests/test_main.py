"""The command line as a person uses it: answers, exit statuses, one line for an error, any terminal."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netpath.__main__ import main
from netpath.load import SHOP

CART = "http://shop.example.com/cart"
POD = "shop/cart-5f7d9c6b8-4wz7t"
RULES = """*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp --dport 80 -m statistic --mode random --probability 0.5 -j DNAT --to-destination 10.0.0.2:8080
COMMIT
*filter
:FORWARD DROP [0:0]
-A FORWARD -d 10.0.0.2 -j ACCEPT
COMMIT
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command in this process: exit status, output, errors."""
    monkeypatch.setenv("COLUMNS", "100")

    def once(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return once


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules"
    path.write_text(RULES)
    return str(path)


def as_json(run: Run, *arguments: str) -> dict[str, object]:
    made = json.loads(run(*arguments, "--json")[1])
    assert isinstance(made, dict)
    return made


# Answers --------------------------------------------------------------------------------------


def test_a_journey_is_told_hop_by_hop(run: Run) -> None:
    status, out, _ = run("trace", CART)
    assert status == 0 and "200 from pod shop/cart" in out
    assert re.search(r"^  \* internet gateway +igw-\w+ +TRANSLATED +destination .* -> 10\.0\.0\.25:80$", out, re.M)


def test_the_same_seed_tells_the_same_story(run: Run) -> None:
    assert run("trace", CART, "--seed", "5") == run("trace", CART, "--seed", "5")
    assert len({run("trace", CART, "--seed", str(seed))[1] for seed in range(4)}) > 1


def test_a_user_method_and_headers_go_along(run: Run) -> None:
    made = as_json(run, "trace", CART, "--from", "192.0.2.77", "--method", "POST", "--header", "X-A: b")
    journey = made["journeys"][0]  # type: ignore[index]
    assert journey["user"]["address"] == "192.0.2.77"
    assert journey["request"]["method"] == "POST" and {"name": "X-A", "value": "b"} in journey["request"]["headers"]


def test_moments_share_a_memory(run: Run) -> None:
    journeys = as_json(run, "trace", CART, "--at", "0", "--at", "10", "--at", "500")["journeys"]
    asked = [len(each["resolution"]["exchanges"]) for each in journeys]  # type: ignore[attr-defined]
    assert asked[0] > 1 and asked[1] == 0 and asked[2] == 1


def test_many_journeys_are_counted(run: Run) -> None:
    status, out, _ = run("trace", CART, "--count", "200")
    counts = [int(count) for count in re.findall(r"^ +(\d+) +\d+\.\d% +200", out, re.M)]
    assert status == 0 and out.startswith("200 journeys") and sum(counts) == 200


def test_many_journeys_are_one_json_object(run: Run) -> None:
    assert len(as_json(run, "trace", CART, "--count", "6")["journeys"]) == 6  # type: ignore[arg-type]


def test_a_name_is_resolved_exchange_by_exchange(run: Run) -> None:
    status, out, _ = run("resolve", "shop.example.com", "--at", "0", "--at", "70")
    assert status == 0 and "shop.example.com. 60 IN A 203.0.113.10" in out
    assert out.count("the answer: NOERROR") == 2


@pytest.mark.parametrize(
    ("name", "kind", "status"),
    [
        ("shop.example.com", "A", 0),
        ("shop.example.com", "AAAA", 1),
        ("nope.example.com", "A", 1),
        ("www.example.com", "A", 0),
        ("www.example.com", "MX", 1),
        ("www.example.com", "CNAME", 0),
        ("example.com", "any", 0),
    ],
)
def test_a_look_up_succeeds_if_there_is_a_record_of_the_type(run: Run, name: str, kind: str, status: int) -> None:
    assert run("resolve", name, kind)[0] == status


@pytest.mark.parametrize(
    ("source", "destination", "status", "told"),
    [
        (POD, "svc/shop/cart:80", 0, "172.20.61.214:80"),
        (POD, "svc/shop/ca", 0, "172.20.61.214:80"),
        ("user", "203.0.113.10", 0, "203.0.113.10:80"),
        ("ip-10-0-32-11", POD + ":8080", 0, "10.0.34.103:8080"),
        ("user", "svc/shop/cart:80", 1, "NO_SUCH_PUBLIC_ADDRESS"),
    ],
)
def test_a_packet_is_sent_between_names(run: Run, source: str, destination: str, status: int, told: str) -> None:
    answered, out, _ = run("send", "tcp", source, destination)
    assert answered == status and told in out


def test_an_echo_has_no_ports(run: Run) -> None:
    status, out, _ = run("send", "icmp", POD, "10.0.35.112")
    assert status == 0 and "icmp 10.0.34.103 > 10.0.35.112 echo-request" in out


def test_a_datagram_has_its_answer(run: Run) -> None:
    assert run("send", "udp", POD, "svc/kube-system/kube-dns:53")[0] == 0


def test_all_outcomes_come_with_probabilities_that_add_to_one(run: Run) -> None:
    status, out, _ = run("send", "tcp", POD, "svc/shop/cart:80", "--outcomes")
    assert status == 0 and out.count("33.3333%") == 3
    found = as_json(run, "send", "tcp", POD, "svc/shop/cart:80", "--outcomes")["outcomes"]
    assert sum(each["probability"]["value"] for each in found) == pytest.approx(1)  # type: ignore[attr-defined]


def test_nothing_that_can_happen_may_be_good(run: Run) -> None:
    assert run("send", "tcp", "user", "svc/shop/cart:80", "--outcomes")[0] == 1


def test_a_packet_walks_any_dump(run: Run, rules: str) -> None:
    assert run("walk", "--rules", rules, "tcp", "192.0.2.1", "10.0.0.2")[0] == 0
    status, out, _ = run("walk", "--rules", rules, "tcp", "192.0.2.1", "10.0.0.9:81")
    assert status == 1 and re.search(r"^  x host +this host +DROP +:FORWARD DROP$", out, re.M)


def test_a_walk_has_outcomes_too(run: Run, rules: str) -> None:
    status, out, _ = run("walk", "--rules", rules, "tcp", "192.0.2.1", "10.0.0.9", "--outcomes")
    assert status == 0 and out.count("1/2  50.0000%") == 2
    assert run("walk", "--rules", rules, "tcp", "192.0.2.1", "10.0.0.9:81", "--outcomes")[0] == 1
    assert len(as_json(run, "walk", "--rules", rules, "tcp", "1.1.1.1", "10.0.0.9", "--outcomes")["outcomes"]) == 2  # type: ignore[arg-type]


def test_a_walk_ends_at_the_host_itself(run: Run, rules: str) -> None:
    out = run("walk", "--rules", rules, "udp", "192.0.2.1", "10.0.0.9:53", "--local", "10.0.0.9")[1]
    assert "this host: udp 192.0.2.1:40000 > 10.0.0.9:53" in out


def test_rules_may_come_by_standard_input(rules: str) -> None:
    done = process("walk", "--rules", "-", "tcp", "192.0.2.1", "10.0.0.2", stdin=RULES.encode())
    assert done.returncode == 0 and "out by eth0" in done.stdout.decode()
    bad = process("walk", "--rules", "-", "tcp", "192.0.2.1", "10.0.0.2", stdin=b"\xff")
    assert (bad.returncode, bad.stderr) == (2, b"netpath: -: not UTF-8 text; expected what iptables-save printed\n")


def test_the_rules_of_a_node_can_be_walked_again(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("rules", "--node", "ip-10-0-32")
    (tmp_path / "dump").write_text(out)
    assert status == 0 and ":KUBE-SERVICES - [0:0]" in out
    walked = run("walk", "--rules", str(tmp_path / "dump"), "tcp", "10.0.34.103", "172.20.61.214", "--outcomes")[1]
    assert walked.count("33.3333%") == 3


def test_the_plugins_rules_are_shown_if_asked_for(run: Run) -> None:
    assert "AWS-SNAT-CHAIN-0" in run("rules", "--node", "ip-10-0-32", "--all")[1]
    assert "AWS-SNAT-CHAIN-0" not in run("rules", "--node", "ip-10-0-32")[1]
    assert "*nat" in as_json(run, "rules", "--node", "ip-10-0-32")["rules"]  # type: ignore[operator]


@pytest.mark.parametrize(("url", "status"), [(CART, 0), ("http://other.example.com/", 1)])
def test_a_route_has_candidates_that_lost(run: Run, url: str, status: int) -> None:
    answered, out, _ = run("route", url)
    assert answered == status and "lost" in out and "what ingress-nginx does" in out


def test_a_difference_from_the_specification_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ingress.yaml").write_text(
        REGEX
    )  # to a regular expression /c is a beginning, to the specification an element
    assert "They differ." in run("route", "http://a.test/cart", "--world", str(tmp_path))[1]


REGEX = """kind: List
items: [
 {apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: nginx},
  spec: {controller: k8s.io/ingress-nginx}},
 {apiVersion: v1, kind: Service, metadata: {name: web, namespace: default},
  spec: {clusterIP: 10.1.1.1, ports: [{port: 80, name: http, targetPort: 8080}]}},
 {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, endpoints: [{addresses: [10.0.0.9]}],
  ports: [{port: 8080, name: http}],
  metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}},
 {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i, namespace: default,
    annotations: {nginx.ingress.kubernetes.io/use-regex: "true"}},
  spec: {ingressClassName: nginx, rules: [{host: a.test, http: {paths: [
    {path: /c, pathType: ImplementationSpecific, backend: {service: {name: web, port: {number: 80}}}}]}}]}}]
"""


def test_a_check_tells_the_three_promises_and_what_looks_wrong(run: Run) -> None:
    status, out, _ = run("check")
    assert status == 0 and out.count("holds") == 3 and "unhealthy" in out


def test_a_check_of_a_world_without_a_cluster_says_what_it_cannot_check(run: Run, tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text('{"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}]}')
    status, out, _ = run("check", "--world", str(tmp_path))
    assert status == 0 and "need a cluster" in out and "nothing looks wrong" in out


@pytest.mark.parametrize("command", ["trace", "route", "resolve", "rules"])
def test_a_question_that_needs_another_part_says_so(run: Run, tmp_path: Path, command: str) -> None:
    (tmp_path / "v.json").write_text('{"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}]}')
    arguments = {"resolve": ["a.test"], "rules": ["--node", "n"]}.get(command, [CART])
    status, out, err = run(command, *arguments, "--world", str(tmp_path))
    assert (status, out) == (2, "") and re.match(
        r"netpath: this world has no (cluster|root zone), and .*; expected", err
    )


def test_a_load_balancer_without_its_vpc_says_so(run: Run, tmp_path: Path) -> None:
    text = '{"LoadBalancers": [{"LoadBalancerArn": "arn:lb", "LoadBalancerName": "a", "DNSName": "a.test"}]}'
    (tmp_path / "lb.json").write_text(text)
    assert "this world has no region, and a load balancer needs one" in run("trace", CART, "--world", str(tmp_path))[2]


def test_in_a_vpc_without_a_cluster_packets_go_between_addresses(run: Run, tmp_path: Path) -> None:
    for what in ("vpcs", "subnets", "route-tables", "network-acls", "security-groups", "network-interfaces"):
        shutil.copy(SHOP / "aws" / f"describe-{what}.json", tmp_path)
    for what in ("internet-gateways", "nat-gateways"):
        shutil.copy(SHOP / "aws" / f"describe-{what}.json", tmp_path)
    status, out, _ = run("send", "tcp", "10.0.0.25", "10.0.33.12:30080", "--world", str(tmp_path))
    assert status == 0 and "rtb-0f0000000000000ff" in out
    assert run("send", "tcp", "10.0.0.25", "shop/cart", "--world", str(tmp_path))[0] == 2


# Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("frob",),
        ("trace",),
        ("trace", "ftp://x"),
        ("trace", "http://a..b/"),
        ("trace", CART, "--json", "--from", "nowhere"),
        ("trace", "http://a..b/", "--json"),
        ("trace", CART, "--count", "0"),
        ("trace", CART, "--count", "many"),
        ("trace", CART, "--seed", "-1"),
        ("trace", CART, "--seed", "٣"),
        ("trace", CART, "--at", "nan"),
        ("trace", CART, "--at", "-1"),
        ("trace", CART, "--at", "soon"),
        ("trace", CART, "--at", "5", "--at", "4"),
        ("trace", CART, "--header", "no colon"),
        ("trace", CART, "--header", "a b: c"),
        ("trace", CART, "--header", "a: b\r\nc: d"),
        ("trace", CART, "--method", "G ET"),
        ("trace", CART, "--met", "GET"),
        ("trace", CART, "--from", "nowhere"),
        ("trace", CART, "--world", "/no/such/folder"),
        ("trace", CART, "--world", "x" * 5000),
        ("trace", "http://shop.example.com/\udcff"),
        ("resolve", "a..b"),
        ("resolve", "example.com", "FROB"),
        ("send", "gre", "user", "user"),
        ("send", "tcp", "nobody", "user:80"),
        ("send", "tcp", "shop", "user:80"),
        ("send", "tcp", "user", "user:99999"),
        ("send", "tcp", "user", "user:http"),
        ("walk", "tcp", "1.1.1.1", "2.2.2.2"),
        ("walk", "--rules", "/no/such/file", "tcp", "1.1.1.1", "2.2.2.2"),
        ("walk", "--rules", "/", "tcp", "1.1.1.1", "2.2.2.2"),
        ("walk", "--rules", __file__, "tcp", "1.1.1.1", "2.2.2.2"),
        ("rules", "--node", "nobody"),
        ("rules", "--node", "ip-"),
        ("route", "x"),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(run: Run, arguments: Sequence[str]) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("netpath: ") and err.count("\n") == 1 and err.isprintable() is False and "\x1b" not in err


def test_a_hook_that_is_none_is_refused(run: Run, rules: str) -> None:
    assert run("walk", "--rules", rules, "tcp", "1.1.1.1", "2.2.2.2", "--hook", "postrouting")[0] == 2


def test_too_many_rules_are_refused(run: Run, rules: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netpath.__main__.MOST_RULES", 10)
    assert "too large" in run("walk", "--rules", rules, "tcp", "1.1.1.1", "2.2.2.2")[2]


def test_a_world_that_is_wrong_is_named_by_file_and_field(run: Run, tmp_path: Path) -> None:
    (tmp_path / "\x1b[2Jvpcs.json").write_text('{"Vpcs": [{"VpcId": 5, "CidrBlock": "10.0.0.0/16"}]}')
    told = "netpath: \\x1b[2Jvpcs.json: Vpcs[0].VpcId: not a text: got 5; expected a text\n"
    assert run("check", "--world", str(tmp_path)) == (2, "", told)


@pytest.mark.parametrize("seed", range(12))
def test_a_spoilt_file_of_a_world_is_one_line(run: Run, tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    spoilt = files[seed * len(files) // 12]
    spoilt.write_bytes(spoilt.read_bytes()[: 40 + 97 * seed] + b"}]\x1b\xff")
    status, out, err = run("check", "--world", str(folder))
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"netpath: {spoilt.relative_to(folder)}: not UTF-8 text (byte ")


def test_control_c_ends_quietly(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("netpath.__main__._world", interrupt)
    assert run("check") == (130, "", "")


# Any terminal ---------------------------------------------------------------------------------

COMMANDS = [
    ("trace", CART),
    ("trace", "http://nope.example.com/"),
    ("trace", "http://192.0.2.9/"),
    ("trace", CART, "--count", "9"),
    ("trace", CART, "-v"),
    ("resolve", "www.example.com"),
    ("resolve", "www.example.com", "-v"),
    ("send", "tcp", POD, "svc/shop/cart:80"),
    ("send", "icmp", "user", "203.0.113.10"),
    ("send", "tcp", POD, "svc/shop/cart:80", "--outcomes"),
    ("route", CART),
    ("check",),
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(COMMANDS), st.integers(20, 200))
def test_nothing_is_wider_than_the_terminal(run: Run, command: Sequence[str], width: int) -> None:
    os.environ["COLUMNS"] = str(width)
    out = run(*command)[1]
    assert [line for line in out.split("\n") if len(line) > width or line != line.rstrip()] == []
    assert "\x1b" not in out


@pytest.mark.parametrize("command", [*COMMANDS, ("rules", "--node", "ip-10-0-32")], ids=" ".join)
def test_every_command_has_a_json_object(run: Run, command: Sequence[str]) -> None:
    made = as_json(run, *command)
    assert (made["netpath"], made["kind"]) == (1, command[0])


def process(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A command as a process of its own."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    command = [sys.executable, "-m", "netpath", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, env={**kept, **environment}, check=False)


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """What a command writes to a terminal of 90 columns."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, True)
    settings = {"TERM": "xterm", "COLUMNS": "90", **environment}
    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    command = [sys.executable, "-m", "netpath", *arguments]
    with subprocess.Popen(command, stdout=theirs, stdin=subprocess.DEVNULL, env={**kept, **settings}) as child:
        os.close(theirs)
        text = b"".join(_read(ours))
        assert child.wait(60) is not None
    os.close(ours)
    return text.decode()


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other end is closed
            return
        if not part:
            return
        yield part


def test_there_is_colour_on_a_terminal_alone() -> None:
    coloured = on_a_terminal("trace", CART)
    assert "\x1b[32m" in coloured
    plain = re.sub(r"\x1b\[\d*m", "", coloured)
    assert "\x1b" not in plain and max(map(len, plain.split("\r\n"))) <= 90
    assert b"\x1b" not in process("trace", CART).stdout


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_can_be_declined(environment: dict[str, str]) -> None:
    assert "\x1b" not in on_a_terminal("check", **environment)


def test_an_empty_no_color_declines_nothing() -> None:
    assert "\x1b" in on_a_terminal("check", NO_COLOR="")


def test_a_reader_that_closes_the_pipe_gets_no_traceback() -> None:
    command = f"{sys.executable} -m netpath trace {CART} -v | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert done.stdout.startswith(b"GET ") and done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full disk at hand")
def test_a_full_disk_is_one_line() -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m netpath check > /dev/full"], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, b"netpath: can't write (No space left on device)\n")


def test_a_closed_output_still_has_an_exit_status() -> None:
    done = subprocess.run(["sh", "-c", f"{sys.executable} -m netpath check >&-"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_without_unicode_gets_what_it_can_show() -> None:
    done = process("trace", "http://shop.example.com/caf\u00e9", PYTHONIOENCODING="ascii", COLUMNS="72", PYTHONUTF8="0")
    assert done.returncode == 0 and done.stdout.isascii() and b"caf%C3%A9" in done.stdout


def test_names_from_a_world_cannot_move_the_cursor(run: Run, tmp_path: Path) -> None:
    evil = re.sub(r"\bname: web\b(?!-)|(?<=service-)name: web\b", r'name: "we\\e[2Jb"', REGEX)
    (tmp_path / "world.yaml").write_text(evil)
    for command in (("route", "http://a.test/cart"), ("check",), ("send", "tcp", "1.1.1.1", "svc/default/x")):
        _, out, err = run(*command, "--world", str(tmp_path))
        assert "\x1b" not in out + err
    assert "we\\x1b[2Jb" in run("route", "http://a.test/cart", "--world", str(tmp_path))[1]


WORDS = [CART, "http://[::1]/", "http://a..b/", "user", POD, "svc/shop/cart:80", "1.2.3.4", "0.0.0.0", "224.0.0.1:1"]
WORDS += [
    "tcp",
    "udp",
    "icmp",
    "ANY",
    ".",
    "*.example.com",
    "\\000.a",
    "a" * 70,
    "\x1b[2J",
    "é",
    "\udce9",
    "",
    "--json",
]
WORDS += ["--outcomes", "-v", "--at", "1e9", "--count", "2", "--header", "X: y", "--node", "ip-10-0-32", "127.0.0.1:80"]
COMMAND = st.sampled_from(["trace", "resolve", "send", "walk", "rules", "route", "check"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(COMMAND, st.lists(st.sampled_from(WORDS) | st.text(max_size=8), max_size=4).filter(lambda w: "-h" not in w))
def test_whatever_is_asked_there_is_an_answer_or_one_line(run: Run, command: str, words: list[str]) -> None:
    status, out, err = run(command, *words)
    assert status in (0, 1, 2) and (status != 2 or (out == "" and err.count("\n") == 1))
