"""The JSON objects are what the book's page on the command line says: each key, each type, and no other."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

from netpath.__main__ import _COMMANDS, main
from netpath.packet import IcmpType, tcp, udp
from netpath.show import objects
from tests.conftest import ROOT

PAGE = (ROOT / "book" / "command_line.md").read_text("utf-8")
CART = "http://shop.example.com/cart"
POD = "shop/cart-5f7d9c6b8-4wz7t"
BASIC: Mapping[str, tuple[type, ...]] = {"text": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}


@cache
def documented() -> Mapping[str, Mapping[str, str]]:
    """Every object on the page: its keys, and the type that each has."""
    found = {}
    for section in PAGE.split("\n### ")[1:]:
        name, _, text = section.partition("\n")
        found[name] = dict(re.findall(r"^\| `(\w+)` \| ([\w -]+) \|", text, re.M))
    return found


def check(value: object, kind: str, path: str = "") -> None:
    """A value is of the type that the page says, all the way down."""
    base, _, null = kind.partition(" or ")
    if value is None:
        assert null == "null", path
    elif base.startswith("list of "):
        assert isinstance(value, list), path
        for number, item in enumerate(value):
            check(item, base.removeprefix("list of "), f"{path}[{number}]")
    elif base in BASIC:
        assert type(value) in BASIC[base], (path, value)
    else:
        assert isinstance(value, dict), path
        keys = documented()[base]
        assert list(value) == list(keys), path
        for key, inner in value.items():
            check(inner, keys[key], f"{path}.{key}")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("trace", CART), "trace"),
        (("trace", "http://nope.example.com/"), "trace"),
        (("trace", "http://192.0.2.9/"), "trace"),
        (("trace", "http://203.0.113.10:443/"), "trace"),
        (("trace", CART, "--at", "0", "--at", "9", "--count", "3"), "trace"),
        (("resolve", "www.example.com"), "resolve"),
        (("resolve", "nope.example.com"), "resolve"),
        (("send", "tcp", POD, "svc/shop/cart:80"), "send"),
        (("send", "tcp", POD, "svc/shop/cart:81"), "send"),
        (("send", "udp", POD, "10.0.35.112:9"), "send"),
        (("send", "tcp", POD, "svc/shop/cart:80", "--outcomes"), "outcomes"),
        (("rules", "--node", "ip-10-0-32"), "rules"),
        (("route", CART), "route"),
        (("route", "http://other.example.com/"), "route"),
        (("check",), "check"),
    ],
)
def test_every_object_is_as_the_page_says(
    capsys: pytest.CaptureFixture[str], arguments: Sequence[str], name: str
) -> None:
    main([*arguments, "--json"])
    made = json.loads(capsys.readouterr().out)
    head = {key: made.pop(key) for key in documented()["every answer"]}
    check(head, "every answer")
    assert head == {"netpath": 1, "kind": arguments[0]}
    check(made, f"{name} answer")


def test_a_walk_is_as_the_page_says(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("*filter\n:FORWARD ACCEPT [0:0]\nCOMMIT\n")
    main(["walk", "--rules", str(tmp_path / "rules"), "tcp", "192.0.2.1", "192.0.2.2", "--json"])
    made = json.loads(capsys.readouterr().out)
    check({"trip": made["trip"]}, "walk answer")


def test_every_type_on_the_page_is_an_object_of_the_page() -> None:
    told = {kind for keys in documented().values() for kind in keys.values()}
    named = {kind.removeprefix("list of ").partition(" or ")[0] for kind in told}
    assert named <= {*documented(), *BASIC}


def test_an_error_quotes_its_packet() -> None:
    error = udp("10.0.0.1:1", "10.0.0.2:2").error(
        IcmpType.PORT_UNREACHABLE, tcp("10.0.0.9:1", "10.0.0.1:1").source.address
    )
    made = objects.packet(error)
    check(made, "packet")
    assert made is not None and made["quotes"]["destination"] == "10.0.0.2:2"


@pytest.mark.parametrize("command", _COMMANDS)
def test_the_page_has_every_command_and_every_option(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    options = set(re.findall(r"(?<![\w-])--?[a-z]+", capsys.readouterr().out))
    everywhere, _, _ = PAGE.partition("\n## trace")
    section = PAGE.partition(f"\n## {command}\n")[2].partition("\n## ")[0]
    missing = {
        option for option in options if f"`{option}" not in everywhere + section and f" {option} " not in section
    }
    assert section and missing == set()


def test_the_page_says_what_the_exit_statuses_mean() -> None:
    assert "**0** answered; **1** the network said no; **2** bad input" in PAGE
