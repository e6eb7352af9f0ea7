import pytest
from hypothesis import given
from hypothesis import strategies as st

from netpath.codes import CODES, Fate
from netpath.errors import InputError, WorldError
from netpath.packet import (
    Address,
    Endpoint,
    Hop,
    HttpRequest,
    IcmpType,
    LazySteps,
    Network,
    Packet,
    Protocol,
    Step,
    TcpFlags,
    Verdict,
    address,
    endpoint,
    http_request,
    network,
    tcp,
    udp,
)


@pytest.mark.parametrize("text", ["", "10.0.0", "10.0.0.256", "::1", "ten", "10.0.0.1/8"])
def test_what_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not an IPv4 address"):
        address(text)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "x/8"])
def test_what_is_not_a_network_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not an IPv4 network"):
        network(text)


@pytest.mark.parametrize("text", ["10.0.0.1:x", "10.0.0.1:", "10.0.0.1:65536", "10.0.0.1:-1", "10.0.0.1:999999999999"])
def test_what_is_not_a_port_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a port"):
        endpoint(text)


@given(st.integers(0, 2**32 - 1))
def test_an_address_equals_itself_and_hashes_alike(number: int) -> None:
    one, other = Address(number), Address(str(Address(number)))
    assert one == other and hash(one) == hash(other) and int(one) == number


def test_an_address_is_in_its_network_and_unequal_to_a_text() -> None:
    assert Address("10.1.2.3") in Network("10.0.0.0/8")
    assert Address("10.1.2.3") != "10.1.2.3"


def test_an_endpoint_without_a_port_takes_the_default() -> None:
    assert endpoint("10.0.0.1", 53) == Endpoint(Address("10.0.0.1"), 53)


def test_the_answer_to_a_syn_is_a_syn_ack_the_other_way() -> None:
    assert tcp("10.0.0.1:5000", "10.0.0.2:80").answer() == tcp("10.0.0.2:80", "10.0.0.1:5000", TcpFlags.SYN_ACK)


def test_the_answer_to_a_datagram_is_a_datagram() -> None:
    assert udp("10.0.0.1:5000", "10.0.0.2:53").answer() == udp("10.0.0.2:53", "10.0.0.1:5000")


def test_the_answer_to_a_ping_is_an_echo_reply() -> None:
    ping = Packet(Protocol.ICMP, endpoint("10.0.0.1:7"), endpoint("10.0.0.2:7"), icmp=IcmpType.ECHO_REQUEST)
    assert ping.answer().icmp is IcmpType.ECHO_REPLY


def test_an_icmp_error_quotes_the_packet_that_it_is_about() -> None:
    packet = udp("10.0.0.1:5000", "10.0.0.2:53")
    error = packet.error(IcmpType.PORT_UNREACHABLE, address("10.0.0.9"))
    assert error.quotes == packet and error.destination.address == packet.source.address
    assert str(error) == "icmp 10.0.0.9:0 > 10.0.0.1:0 port-unreachable"


@pytest.mark.parametrize(
    "wrong",
    [
        {"protocol": Protocol.UDP, "flags": TcpFlags.SYN},
        {"protocol": Protocol.TCP},
        {"protocol": Protocol.ICMP},
        {"protocol": Protocol.UDP, "icmp": IcmpType.ECHO_REPLY},
        {"protocol": Protocol.ICMP, "icmp": IcmpType.PORT_UNREACHABLE},
        {"protocol": Protocol.UDP, "quotes": udp("10.0.0.1:1", "10.0.0.2:2")},
    ],
)
def test_a_packet_that_can_not_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Packet(source=endpoint("10.0.0.1:1"), destination=endpoint("10.0.0.2:2"), **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["", "shop.example.com", "ftp://x/", "http://", "http://x:99999/", "http://[::1/"])
def test_what_is_not_a_url_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="not a URL"):
        http_request(url)


def test_a_url_gives_host_port_target_and_leaves_the_fragment_at_home() -> None:
    request = http_request("https://Shop.example.com:8443/cart?x=1#top")
    assert (request.host, request.port, request.path, request.query) == ("shop.example.com", 8443, "/cart", "x=1")
    assert request.url == "https://shop.example.com:8443/cart?x=1"


def test_the_usual_port_does_not_show_in_a_url() -> None:
    assert http_request("http://shop.example.com:80").url == "http://shop.example.com/"
    assert http_request("https://shop.example.com").port == 443


@pytest.mark.parametrize("target", ["cart", "/a b", "/a\n", ""])
def test_a_request_target_without_a_path_or_with_spaces_is_refused(target: str) -> None:
    with pytest.raises(InputError, match="request target"):
        HttpRequest("shop.example.com", target)


def test_setting_a_header_replaces_it_whatever_its_case() -> None:
    request = HttpRequest("h", headers=(("x-forwarded-for", "1"), ("Accept", "*/*")))
    assert request.with_header("X-Forwarded-For", "2").header("x-FORWARDED-for") == "2"
    assert len(request.with_header("X-Forwarded-For", "2").headers) == 2
    assert request.header("cookie") is None


def test_a_hop_tells_what_was_rewritten() -> None:
    before, after = tcp("10.0.0.1:5000", "10.0.0.2:80"), tcp("10.0.0.9:1024", "10.0.0.2:80")
    hop = Hop("NAT gateway", "nat-1", before, Verdict("ROUTED"), after)
    assert hop.rewrites == (("source", endpoint("10.0.0.1:5000"), endpoint("10.0.0.9:1024")),)


def test_a_hop_that_sent_nothing_rewrote_nothing() -> None:
    assert Hop("node", "n1", tcp("10.0.0.1:1", "10.0.0.2:2"), Verdict("DROP")).rewrites == ()


def test_a_verdict_has_a_row_in_the_table_or_is_refused() -> None:
    assert Verdict("DROP").meaning.remedy and not Verdict("DROP").ok
    with pytest.raises(InputError, match="verdict code"):
        Verdict("PROBABLY")


def test_every_code_says_what_happened_and_every_bad_one_what_to_do() -> None:
    wanting = [c.name for c in CODES.values() if not c.happened or (c.fate is not Fate.PASSED and not c.remedy)]
    assert wanting == []


def test_lazy_steps_are_made_once_and_only_when_looked_at() -> None:
    made: list[Step] = []

    def make() -> list[Step]:
        made.append(Step("r", True, "w"))
        return made

    steps = LazySteps(make)
    assert not made
    assert len(steps) == 1 and steps[0].rule == "r" and steps[:1] == (steps[0],) and len(made) == 1
    assert steps == (steps[0],) and hash(steps) == hash((steps[0],)) and repr(steps).startswith("(Step(")


def test_an_error_tells_file_line_field_value_and_what_was_expected() -> None:
    error = InputError("not a port", file="a.json", line=3, field="Port", value="x" * 1000, expected="1 to 65535")
    assert str(error).startswith("a.json:3: Port: not a port: got 'xxx")
    assert str(error).endswith("; expected 1 to 65535") and len(str(error)) < 150


def test_an_error_can_be_told_later_where_it_happened() -> None:
    error = WorldError("dangling", field="SubnetId").located(file="b.json", line=1, field="Subnets[0]")
    assert str(error) == "b.json:1: Subnets[0].SubnetId: dangling"
    assert str(WorldError("bare").located(field="x")) == "x: bare"


def test_an_endpoint_is_no_text() -> None:
    assert endpoint("10.0.0.1:80") != "10.0.0.1:80"
