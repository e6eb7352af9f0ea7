"""The ingress widget: what it answers in a page without Python is what netpath answers, to the letter."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from typing import Any

import pytest

from netpath import address, shop
from netpath.ingress import controller, nginx, specification
from netpath.ingress.locating import compiled as pattern_of
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
    IngressTls,
    PathType,
    Service,
    ServicePort,
    ServiceType,
    SliceEndpoint,
)
from netpath.packet import HttpRequest
from netpath.show.widgets.ecmascript import LIFT, ecmascript
from netpath.show.widgets.ingress import TYPED, Matching, examples, explore, ingress
from netpath.show.widgets.ingress_data import compare, compiled
from tests.javascript import ask
from tests.test_ingress_real_nginx import ASKED, BITS, an_ingress

CLIENT = address("10.0.0.7")
ASK = """
return given.map(({ data, questions }) => questions.map(([host, path]) => {
    try { return module.compare(data, host, path); }
    catch (error) { if (error instanceof module.BeyondThisPage) return "beyond"; throw error; }
}));
"""
HOSTS = (
    "",
    ".",
    "A.B.",
    "a.b:80",
    "[::1]:80",
    "é.foo",
    "ÀÉ.b",
    "b.a.b.",
    "*.foo",
    "_",
    "x-1.foo",
    "'.foo",
    "'\".b",
    "a b",
)
MORE = (
    "%C3%A9",
    "%ff",
    "'",
    '"',
    "\\",
    "%0A",
    "%0D",
    "%09",
    "%7f",
    "%a0",
    "%ad",
    "中",
    " ",
    "%2f%2F",
    "/%2e./",
    "x" * 40,
)
EXTRA: tuple[dict[str, str], ...] = (
    {"permanent-redirect": "http://n.example/$uri?$args$is_args$nobody"},
    {"temporal-redirect": "https://${host}/${scheme}"},
    {"ssl-redirect": "false"},
    {"force-ssl-redirect": "true", "preserve-trailing-slash": "true"},
    {"whitelist-source-range": "10.0.0.0/8"},
    {"whitelist-source-range": "192.0.2.0/24"},
    {"whitelist-source-range": "nonsense"},
    {"denylist-source-range": "10.0.0.0/24"},
    {"service-upstream": "true"},
    {"auth-url": "http://a.example", "limit-rps": "5"},
    {"server-alias": "*.wild.example,alias.example,~^r[0-9]+\\.example$"},
    {"canary": "true", "canary-weight": "10"},
)


def a_cluster(dice: random.Random) -> Cluster:
    """Ingresses of many kinds, among them such that the controller leaves to others or closes."""
    kinds = [ServiceType.CLUSTER_IP, ServiceType.CLUSTER_IP, ServiceType.CLUSTER_IP, ServiceType.EXTERNAL_NAME]
    services = tuple(
        Service("n", f"s{each}", type=kind, cluster_ip=None, ports=(ServicePort(80),))
        for each, kind in enumerate(kinds)
    )
    pods = tuple(SliceEndpoint(address(f"10.0.0.{each}")) for each in range(1, dice.randint(2, 4)))
    slices = tuple(EndpointSlice("n", f"e{each}", f"s{each}", (EndpointPort(80),), pods) for each in range(2))
    ingresses = tuple(spoilt(dice, an_ingress(dice, each)) for each in range(dice.randint(1, 6)))
    classes = (IngressClass("nginx", "k8s.io/ingress-nginx"), IngressClass("other", "example.com/other"))
    default = dice.choice(("", "", "n/s0", "n/s3"))
    return Cluster((), (), services, slices, ingresses, classes, controller=ControllerConfig(default_backend=default))


def spoilt(dice: random.Random, ingress: Ingress) -> Ingress:
    marks = dice.choice((*EXTRA, *({},) * 8))
    full = {f"nginx.ingress.kubernetes.io/{name}": value for name, value in marks.items()}
    backend = IngressBackend(dice.choice(("s0", "s2", "s9")), 80) if dice.random() < 0.2 else None
    tls = (IngressTls(("a.b", "*.foo")),) if dice.random() < 0.2 else ()
    name = dice.choice(("nginx",) * 8 + ("other", "absent"))
    rules = () if backend and dice.random() < 0.3 else ingress.rules
    annotations = {**ingress.annotations, **full}
    return replace(ingress, ingress_class=name, default_backend=backend, tls=tls, rules=rules, annotations=annotations)


def a_path(dice: random.Random) -> str:
    bits = BITS if dice.random() < 0.5 else (*BITS, *MORE)
    path = dice.choice(("/", "/", "/", "")) + "".join(
        dice.choice(bits) + dice.choice(("", "/")) for _ in range(dice.randint(0, 5))
    )
    return path * 300 if dice.random() < 0.01 else path


def questions(dice: random.Random, cluster: Cluster, count: int) -> list[tuple[str, str]]:
    """Half of them about a host that is there and something like a path of it."""
    return [
        near(dice, cluster) if dice.random() < 0.5 else (dice.choice((*ASKED, *HOSTS)), a_path(dice))
        for _ in range(count)
    ]


def near(dice: random.Random, cluster: Cluster) -> tuple[str, str]:
    server = dice.choice(controller(cluster).nginx.servers)
    name = re.sub(r"^~\^(\(.*?\))?|\$$|\\", "", dice.choice(server.names)).replace("r[0-9]+", "r7")
    host = f"x{name}" if name.startswith((".", "*")) else name
    plain = (
        dice.choice(server.locations)
        .path.strip("^$")
        .replace("(.*)", "zz")
        .replace("(/|$)", "/")
        .replace("[a-z]+", "q")
    )
    path = plain.rstrip("/") + dice.choice(
        ("", "/", "//", "/x", "x", "/../", "%2f", "?a=b", "/Y/é?q=%20", "/.", "/%2B")
    )
    return dice.choice((host, host, host.upper(), f"{host}:8080", f"{host}.")), dice.choice(
        (path, path, path.swapcase())
    )


def differences(clusters: list[Cluster], asked: list[list[tuple[str, str]]]) -> list[Any]:
    """The questions that the page answers in another way than netpath."""
    data = [compiled(cluster, CLIENT) for cluster in clusters]
    answers = ask(
        "ingress_match.js", ASK, [{"data": one, "questions": some} for one, some in zip(data, asked, strict=True)]
    )
    found = []
    for cluster, some, told in zip(clusters, asked, answers, strict=True):
        for (host, path), page in zip(some, told, strict=True):
            model = json.loads(json.dumps(compare(cluster, host, path, CLIENT)))
            if page != model:
                found.append((host, path, page, model))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_page_and_model_agree_over_ingresses_of_every_kind(seed: int) -> None:
    dice = random.Random(seed)
    clusters = [a_cluster(dice) for _ in range(20)]
    assert differences(clusters, [questions(dice, cluster, 80) for cluster in clusters]) == []


SHOP_BITS = ("cart", "CART", "cartoon", "static", "old", "items", *BITS, *MORE)
SHOP_HOSTS = (
    *("shop.example.com", "SHOP.example.com:8080", "shop.example.com.", "www.example.com", "api.example.com"),
    *("a.preview.example.com", "A_b.preview.example.com", "a.b.preview.example.com", "preview.example.com"),
    *("ä.preview.example.com", "-.preview.example.com", ".preview.example.com", "nowhere", ""),
)


def a_shop_path(dice: random.Random) -> str:
    elements = [dice.choice(SHOP_BITS) for _ in range(dice.randint(0, 4))]
    return dice.choice(("/", "/", "//", "")) + dice.choice(("/", "/", "//", "")).join(elements) + dice.choice(("", "/"))


def test_page_and_model_agree_over_the_books_ingresses() -> None:
    dice = random.Random(7)
    clusters = [each.cluster for each in BOOK]
    asked = [[(dice.choice(SHOP_HOSTS), a_shop_path(dice)) for _ in range(1000)] for _ in clusters]
    assert differences(clusters, asked) == []


PATTERNS = (
    *(
        "^/cart(/|$)(.*)",
        "^/[a-z]+",
        "^/[^/]*$",
        "^/a.c",
        r"^/\w+\.\d{2,}",
        "^/(?:x|y)?z",
        "^/x{2}",
        "^/x{,1}$",
        "^/x{,}$",
        "^/{x}",
    ),
    *(
        "^/[]a]",
        "^/[^]a]",
        r"^/[\]a\-]",
        "^/é",
        "^/[à-ü]",
        "^/É",
        r"^/\s",
        r"^/a\b",
        "^/(?=a)",
        "^/(?!a)",
        "^/(?P<n>a)",
        "^/(?<n>a)$",
        "^/a*?b",
    ),
)
SUBJECTS = (
    *(
        "/cart",
        "/CART/x",
        "/cartoon",
        "/",
        "/abc",
        "/a\nc",
        "/a\rc",
        "/a\n",
        "/a.12",
        "/a.1",
        "/xz",
        "/z",
        "/xx",
        "/x",
        "/{x}",
    ),
    *(
        "/]",
        "/b",
        "/-",
        "/\xc3\xa9",
        "/\xc3\x89",
        "/\xe9",
        "/\xc9",
        "/\xa0",
        "/ a",
        "/\x85",
        "/a",
        "/\xb5",
        "/aab",
        "/k",
        "/K",
    ),
)
MATCH = """
const lift = (text) => text.replace(/[\\x80-\\xff]/g, (c) => String.fromCharCode(0xe000 + c.charCodeAt(0)));
return given.patterns.map((each) => given.subjects.map((subject) => {
    const found = new RegExp(each, given.flags).exec(lift(subject));
    return found && [...found].slice(1).map((group) => group ?? "");
}));
"""


@pytest.mark.parametrize("flags", ["", "i"])
def test_a_browser_reads_a_pattern_as_python_does(flags: str) -> None:
    given = {"patterns": [ecmascript(each, captures=True) for each in PATTERNS], "subjects": SUBJECTS, "flags": flags}
    for pattern, found in zip(PATTERNS, ask("ingress_match.js", MATCH, given), strict=True):
        matches = [pattern_of(pattern, bool(flags)).search(subject) for subject in SUBJECTS]
        assert found == [match and [group or "" for group in match.groups()] for match in matches], pattern


@pytest.mark.parametrize(
    "pattern", [r"(a)\1", "(?<=a)b", "(?>a+)b", "a++", "(?i:a)", r"\x41", r"a\Z", r"\A", "(?(1)a|b)", "(?#x)a"]
)
def test_a_pattern_that_browsers_may_read_otherwise_is_left_to_python(pattern: str) -> None:
    assert ecmascript(pattern) is None


@pytest.mark.parametrize("pattern", ["(a)*", "(?:(a)|b)+", "((a)){2}"])
def test_a_capture_that_is_repeated_is_left_to_python(pattern: str) -> None:
    assert (ecmascript(pattern), ecmascript(pattern, captures=True)) == (pattern, None)


def test_a_byte_without_case_stays_without_case() -> None:
    assert ecmascript("é") == chr(LIFT + 0xC3) + chr(LIFT + 0xA9)


def test_what_the_page_cannot_answer_it_does_not_answer() -> None:
    rule = IngressRule("a.b", (IngressPath("/(?>a+)b", PathType.IMPLEMENTATION_SPECIFIC, IngressBackend("s0", 80)),))
    mark = {"nginx.ingress.kubernetes.io/use-regex": "true"}
    ingresses = (Ingress("n", "i", "2026-01-01", "nginx", (rule,), annotations=mark),)
    cluster = Cluster(ingresses=ingresses, ingress_classes=(IngressClass("nginx", "k8s.io/ingress-nginx"),))
    asked = [{"data": compiled(cluster), "questions": [("a.b", "/aab"), ("none", "/")]}]
    beyond, answer = ask("ingress_match.js", ASK, asked)[0]
    assert (beyond, answer["nginx"]["status"]) == ("beyond", 404)


# The widget itself ----------------------------------------------------------------------------

BOOK = examples(shop().cluster or Cluster())


def test_a_comparison_is_what_the_two_deciders_say() -> None:
    cluster = BOOK[1].cluster
    told = compare(cluster, "a.preview.example.com", "/static")
    parts = (cluster.ingresses, cluster.ingress_classes, cluster.services)
    specified = specification(*parts, "a.preview.example.com", "/static", cluster.slices)
    decided = nginx(cluster.controller, *parts, cluster.slices, HttpRequest("a.preview.example.com", "/static"))
    assert told["specification"]["backend"] == str(specified.backend)
    assert told["nginx"]["status"] == decided.status == 301


def test_every_example_has_chips_on_which_the_two_agree_and_differ() -> None:
    for each in BOOK:
        found = {bool(compare(each.cluster, host, path)["differ"]) for host, path in each.chips}
        assert found == {True, False}, each.name


def test_the_frame_lists_the_chips_on_which_they_differ() -> None:
    differ = [
        f"{host}{path}" for each in BOOK for host, path in each.chips if compare(each.cluster, host, path)["differ"]
    ]
    assert sorted(line.text for row in ingress().frame().rows for line in row[1]) == sorted(differ)


def test_a_widget_says_what_it_shows_in_text() -> None:
    assert "shop.example.com//cart -> specification: shop/web:http; ingress-nginx: shop/cart:http" in repr(
        ingress(path="//cart")
    )


def test_another_world_is_shown_as_it_is() -> None:
    assert [each["chips"][0] for each in ingress(shop()).data["examples"]] == [["shop.example.com", "/"]]


def test_a_typed_ingress_redraws_the_widget() -> None:
    live = explore()
    live.controls["yaml"].value = TYPED.replace("/cart/items/", "/typed")
    assert ["shop.example.com", "/typed"] in live.widget.data["examples"][0]["chips"]


def test_what_is_wrong_with_a_typed_ingress_is_said() -> None:
    live = explore()
    live.controls["yaml"].value = "kind: ["
    assert "YAML" in live.notice.problem and isinstance(live.widget, Matching)


def test_an_empty_document_beside_a_typed_ingress_is_passed_over() -> None:
    live = explore()
    live.controls["yaml"].value = f"---\n---\n{TYPED.replace('/cart/items/', '/typed')}---\n"
    assert ["shop.example.com", "/typed"] in live.widget.data["examples"][0]["chips"]
