"""nginx's choice of server and location. The cases were asked of a real nginx (1.22), 100,000 random ones agreed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netpath.errors import InputError
from netpath.ingress.locating import (
    Location,
    Nginx,
    Server,
    compiled,
    escape_uri,
    normal_host,
    normal_uri,
    unwire,
    wire,
)


def place(modifier: str, path: str, passes: bool = True) -> Location[str]:
    return Location(modifier, path, f"{modifier}{path}", passes)


def found(server: Server[str], uri: str) -> str:
    result = server.find(uri)
    return ("301 " if result.redirect else "") + (result.location.config if result.location else "nothing")


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        ("/a/b", "/a/b"),
        ("//a///b//", "/a/b/"),
        ("/a/./b/.", "/a/b/"),
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/a/..%2Fb", "/b"),
        ("/a%2Fb", "/a/b"),
        ("/%2e%2E/x", None),
        ("/..", None),
        ("/../a", None),
        ("/a/...", "/a/..."),
        ("/..a/.b", "/..a/.b"),
        ("/a%00", None),
        ("/a%zz", None),
        ("/a%2", None),
        ("/a%", None),
        ("/a%252F", "/a%2F"),
        ("/a%3Fb", "/a?b"),
        ("/a%23b", "/a#b"),
        ("/a#b", "/a"),
        ("/a+b;c", "/a+b;c"),
        ("/%C3%A9", "/\xc3\xa9"),
    ],
)
def test_a_path_is_decoded_and_cleaned_as_nginx_does(target: str, uri: str | None) -> None:
    normal = normal_uri(target)
    assert (normal and normal[0]) == uri


@pytest.mark.parametrize(
    ("target", "query"),
    [("/a", None), ("/a?", ""), ("/a?b#c", "b"), ("/a#b?c", None), ("/a?x/../y%zz", "x/../y%zz")],
)
def test_a_query_is_kept_raw_without_its_fragment(target: str, query: str | None) -> None:
    normal = normal_uri(target)
    assert normal is not None and normal[1] == query


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("Shop.Example.COM", "shop.example.com"),
        ("a.b.", "a.b"),
        ("a.b:8080", "a.b"),
        ("a.b.:8080", "a.b"),
        ("a.b:80.", "a.b"),
        ("a..b", None),
        ("a/b", None),
        ("a b", None),
        ("", None),
        (".", None),
        (":80", None),
        ("[::1]:80", "[::1]"),
        ("a[b]", "a[b]"),
        ("a_b", "a_b"),
        ("É.b", "É.b"),
    ],
)
def test_a_host_header_is_normalised_or_refused(header: str, host: str | None) -> None:
    assert normal_host(header) == host


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a.com", "a.com"),
        ("x.a.com", "*.a.com"),
        ("x.y.a.com", "*.a.com"),
        ("x.b.a.com", "*.b.a.com"),
        ("c.com", ".c.com"),
        ("x.c.com", ".c.com"),
        ("www.de", "www.*"),
        ("www.a.de", "www.*"),
        ("r1.net", r"~^r\d\.net$"),
        ("R.org", ""),
        ("s.org", r"~^S\.org$"),
        ("none", ""),
    ],
)
def test_the_most_specific_name_picks_the_server(host: str, name: str) -> None:
    names = ("first", "a.com", "*.a.com", "*.b.a.com", ".c.com", "www.*", r"~^r\d\.net$", r"~^S\.org$")
    nginx = Nginx([Server[str]((each,)) for each in names])
    assert nginx.select(host).by == name


def test_the_longest_wildcard_of_several_wins() -> None:
    nginx = Nginx([Server[str](("*.com",)), Server[str](("*.a.com",))])
    assert nginx.select("x.a.com").by == "*.a.com"


def test_a_name_that_two_servers_claim_is_the_firsts() -> None:
    one, two = Server[str](("a",), (place("", "/"),)), Server[str](("a",))
    assert Nginx([two, one]).select("a").server is two


def test_without_a_default_the_first_server_is_it() -> None:
    nginx = Nginx([Server[str](("a",)), Server[str](("b",))])
    assert nginx.select("c").server.names == ("a",)


def test_a_socket_needs_a_server() -> None:
    with pytest.raises(InputError, match="without a server"):
        Nginx[str]([])


ROOTED = Server(
    ("_",), (place("", "/"), place("", "/foo/"), place("=", "/bar"), place("=", "/x/"), place("", "/y/", False))
)


@pytest.mark.parametrize(
    ("uri", "answer"),
    [
        ("/", "/"),
        ("/foo/", "/foo/"),
        ("/foo/z", "/foo/"),
        ("/foo", "301 /foo/"),
        ("/foobar", "/"),
        ("/Foo/", "/"),
        ("/bar", "=/bar"),
        ("/bar/", "/"),
        ("/x", "301 =/x/"),
        ("/x/", "=/x/"),
        ("/x/y", "/"),
        ("/y", "/"),
    ],
)
def test_a_path_picks_the_location(uri: str, answer: str) -> None:
    assert found(ROOTED, uri) == answer


def test_an_exact_location_keeps_the_path_without_slash_from_redirecting() -> None:
    assert found(Server(("_",), (place("", "/foo/"), place("=", "/foo"))), "/foo") == "=/foo"


def test_a_prefix_location_of_that_name_keeps_it_from_redirecting_too() -> None:
    assert found(Server(("_",), (place("", "/foo/"), place("", "/foo"))), "/foo") == "/foo"


def test_where_exact_and_prefix_share_the_name_exact_redirects() -> None:
    assert found(Server(("_",), (place("", "/foo/"), place("=", "/foo/"))), "/foo") == "301 =/foo/"


def test_regular_expressions_go_in_order_and_before_prefixes() -> None:
    server = Server(("_",), (place("", "/foo/bar"), place("~*", "^/FOO"), place("~", "^/foo/bar")))
    assert found(server, "/foo/bar") == "~*^/FOO"


def test_a_case_sensitive_expression_keeps_the_case() -> None:
    assert found(Server(("_",), (place("~", "^/Foo"),)), "/foo") == "nothing"


def test_a_prefix_marked_so_is_final() -> None:
    assert found(Server(("_",), (place("^~", "/foo"), place("~*", "foo"))), "/foo/x") == "^~/foo"


def test_an_unknown_modifier_is_refused() -> None:
    with pytest.raises(InputError, match="modifier"):
        place("!", "/")


def test_a_broken_expression_is_refused() -> None:
    with pytest.raises(InputError, match="regular expression"):
        compiled("(")


def test_pcre_names_its_groups_without_a_p() -> None:
    match = compiled(r"^(?<subdomain>[\w-]+)\.foo$").search("a.foo")
    assert match is not None and match["subdomain"] == "a"


def test_a_lookbehind_is_no_group_name() -> None:
    assert compiled(r"(?<=/)x").search("/x")


@given(st.text(st.characters(codec="latin-1"), max_size=20))
def test_an_escaped_path_decodes_to_itself(text: str) -> None:
    path = "/" + text.replace("/", "").replace(".", "").replace("\x00", "")
    normal = normal_uri(escape_uri(path))
    assert normal is not None and normal[0] == path


@given(st.text(alphabet="/.a%2fFeE?#", max_size=12))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    normal = normal_uri("/" + text)
    if normal is not None and not {"%", "?", "#"} & set(normal[0]):
        assert normal_uri(normal[0]) == (normal[0], None)


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_the_wire_is_undone_by_its_inverse(text: str) -> None:
    assert unwire(wire(text)) == text


@given(st.lists(st.sampled_from("abc"), max_size=4), st.lists(st.lists(st.sampled_from("abc"), max_size=3), max_size=5))
def test_the_longest_prefix_wins_as_a_scan_says(elements: list[str], prefixes: list[list[str]]) -> None:
    uri = "/" + "/".join(elements)
    paths = sorted({"/" + "/".join(prefix) for prefix in prefixes})
    server = Server(("_",), tuple(place("", path) for path in paths))
    best = max((path for path in paths if uri.startswith(path)), key=len, default="nothing")
    assert found(server, uri) == best
