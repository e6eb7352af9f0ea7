"""One packet from anywhere to anywhere in the book's world, and its answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netpath.choice import Choose, Weights, outcomes
from netpath.fabric import FLAT, MOST_LEGS, answer_to, pod_listens
from netpath.fabric import round_trip as quiet_round_trip
from netpath.fabric import send as quiet_send
from netpath.kubernetes import ContainerPort, Pod, ServiceType, TrafficPolicy
from netpath.memory import Memory
from netpath.packet import (
    Endpoint,
    IcmpType,
    Packet,
    Protocol,
    TcpFlags,
    address,
    network,
    tcp,
    udp,
)
from netpath.vpc import RouteTable
from netpath.world import Kind, World
from tests import shop_world as shop
from tests.shop_world import codes, ends, ping, place, round_trip, send

# The table: who sees whom ------------------------------------------------------------------------

#: sender, asked, as whom it is seen and who gets it. A kernel with the third node's rules, routes and policy did the
#: same with what comes from and goes to the pod of eth1, interface by interface.
SEEN = {
    "pod to pod on its node": (shop.WEB_1, f"{shop.CART_1}:8080", shop.WEB_1, f"{shop.CART_1}:8080"),
    "pod to pod on another node": (shop.SHELL, f"{shop.WEB_1}:8080", shop.SHELL, f"{shop.WEB_1}:8080"),
    "pod to pod of a second interface": (shop.WEB_1, f"{shop.CART_ETH1}:8080", shop.WEB_1, f"{shop.CART_ETH1}:8080"),
    "pod of a second interface to pod": (shop.CART_ETH1, f"{shop.WEB_1}:8080", shop.CART_ETH1, f"{shop.WEB_1}:8080"),
    "pod to itself": (shop.WEB_1, f"{shop.WEB_1}:8080", shop.WEB_1, f"{shop.WEB_1}:8080"),
    "pod to its localhost": (shop.WEB_1, "127.0.0.1:8080", shop.WEB_1, "127.0.0.1:8080"),
    "pod to ClusterIP, from node 1": (shop.CART_1, f"{shop.WEB_SERVICE}:80", shop.CART_1, f"{shop.WEB_1}:8080"),
    "pod to ClusterIP, from node 2": (shop.SHELL, f"{shop.WEB_SERVICE}:80", shop.SHELL, f"{shop.WEB_1}:8080"),
    "pod to ClusterIP, from node 3": (shop.INGRESS_3, f"{shop.WEB_SERVICE}:80", shop.INGRESS_3, f"{shop.WEB_1}:8080"),
    "pod to ClusterIP, from eth1": (shop.CART_ETH1, f"{shop.WEB_SERVICE}:80", shop.CART_ETH1, f"{shop.WEB_1}:8080"),
    "pod to its own Service: hairpin": (shop.WEB_1, f"{shop.WEB_SERVICE}:80", shop.NODE_1, f"{shop.WEB_1}:8080"),
    "node 1 to ClusterIP": (shop.NODE_1, f"{shop.WEB_SERVICE}:80", shop.NODE_1, f"{shop.WEB_1}:8080"),
    "node 3 to ClusterIP": (shop.NODE_3, f"{shop.WEB_SERVICE}:80", shop.NODE_3, f"{shop.WEB_1}:8080"),
    "node to pod of its own": (shop.NODE_1, f"{shop.WEB_1}:8080", shop.NODE_1, f"{shop.WEB_1}:8080"),
    "node to pod elsewhere": (shop.NODE_2, f"{shop.WEB_1}:8080", shop.NODE_2, f"{shop.WEB_1}:8080"),
    "node to pod of its eth1": (shop.NODE_3, f"{shop.CART_ETH1}:8080", shop.NODE_3, f"{shop.CART_ETH1}:8080"),
    "node to NodePort of its own": (shop.NODE_2, f"{shop.NODE_2}:30080", shop.NODE_2, f"{shop.INGRESS_1}:80"),
    "node to NodePort elsewhere": (shop.NODE_3, f"{shop.NODE_2}:30080", shop.NODE_2, f"{shop.INGRESS_1}:80"),
    "pod to NodePort of its node": (shop.SHELL, f"{shop.NODE_2}:30080", shop.NODE_2, f"{shop.INGRESS_1}:80"),
    "pod to NodePort elsewhere": (shop.SHELL, f"{shop.NODE_3}:30080", shop.NODE_3, f"{shop.INGRESS_1}:80"),
    "pod of eth1 to NodePort of its node": (shop.CART_ETH1, f"{shop.NODE_3}:30080", shop.ETH1, f"{shop.INGRESS_1}:80"),
    "pod of eth1 to NodePort elsewhere": (shop.CART_ETH1, f"{shop.NODE_1}:30080", shop.NODE_1, f"{shop.INGRESS_1}:80"),
    "load balancer to NodePort": (shop.ALB_A, f"{shop.NODE_1}:30080", shop.NODE_1, f"{shop.INGRESS_1}:80"),
    "load balancer to pod": (shop.ALB_A, f"{shop.CART_1}:8080", shop.ALB_A, f"{shop.CART_1}:8080"),
    "pod to kubelet": (shop.WEB_1, f"{shop.NODE_3}:10250", shop.WEB_1, f"{shop.NODE_3}:10250"),
    "pod to the API server's Service": (shop.WEB_1, "172.20.0.1:443", shop.WEB_1, "10.0.40.201:443"),
    "pod to the Internet": (shop.SHELL, f"{shop.SERVER}:443", shop.NAT_A, f"{shop.SERVER}:443"),
    "pod of eth1 to the Internet": (shop.CART_ETH1, f"{shop.SERVER}:443", shop.NAT_B, f"{shop.SERVER}:443"),
    "node to the Internet": (shop.NODE_1, f"{shop.SERVER}:443", shop.NAT_A, f"{shop.SERVER}:443"),
    "pod to the load balancer by its public address": (
        shop.SHELL,
        f"{shop.PUBLIC_A}:80",
        shop.NAT_A,
        f"{shop.ALB_A}:80",
    ),
    "user to the load balancer": (shop.USER, f"{shop.PUBLIC_A}:80", shop.USER, f"{shop.ALB_A}:80"),
}


@pytest.mark.parametrize(("source", "asked", "seen", "reached"), SEEN.values(), ids=SEEN)
def test_who_is_reached_and_as_whom_the_sender_is_seen(source: str, asked: str, seen: str, reached: str) -> None:
    out, _ = round_trip(tcp(f"{source}:40000", asked))
    assert out.packet is not None
    assert (str(out.packet.source.address), str(out.packet.destination)) == (seen, reached)


@pytest.mark.parametrize(("source", "asked"), [row[:2] for row in SEEN.values()], ids=SEEN)
def test_the_answer_comes_back_from_whom_was_asked(source: str, asked: str) -> None:
    _, back = round_trip(tcp(f"{source}:40000", asked))
    assert back is not None
    assert ends(back.packet) == (asked, f"{source}:40000")


PLACES = (*shop.NODES, *shop.PODS, shop.ALB_A, shop.ALB_B, shop.USER, shop.SERVER)
ASKED = (
    *(f"{pod}:8080" for pod in shop.PODS),
    *(f"{node}:30080" for node in shop.NODES),
    f"{shop.WEB_SERVICE}:80",
    f"{shop.INGRESS_SERVICE}:80",
    f"{shop.PUBLIC_B}:80",
    f"{shop.NODE_1}:10250",
)


@given(st.sampled_from(PLACES), st.sampled_from(ASKED), st.integers(1024, 65535), st.integers(0, 9))
def test_a_reply_undoes_its_request_wherever_it_gets_at_all(source: str, asked: str, port: int, turn: int) -> None:
    packet = tcp(f"{source}:{port}", asked)
    out, back = quiet_round_trip(shop.SHOP, Memory(), packet, _turning(turn))
    if out.arrived and back is not None and back.packet is not None:
        assert ends(back.packet) == (asked, f"{source}:{port}")


def _turning(turn: int) -> Choose:
    """A choice that depends on nothing but a number."""

    def choose(question: str, weights: Weights, /) -> int:
        if isinstance(weights, range):
            return weights[turn * 997 % len(weights)]
        possible = [index for index, weight in enumerate(weights) if weight > 0]
        return possible[turn % len(possible)]

    return choose


ANYWHERE = (
    *PLACES,
    shop.ETH1,
    shop.WEB_SERVICE,
    shop.PUBLIC_A,
    shop.NAT_A,
    "10.0.0.200",
    "10.0.0.2",
    "10.0.255.255",
    "172.20.9.9",
    "169.254.169.254",
    "127.0.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
)


def _packet(protocol: Protocol, source: Endpoint, destination: Endpoint, flags: TcpFlags, icmp: IcmpType) -> Packet:
    if protocol is Protocol.TCP:
        return Packet(protocol, source, destination, flags)
    if protocol is not Protocol.ICMP:
        return Packet(protocol, source, destination)
    about = tcp(f"{destination.address}:1", f"{source.address}:2") if icmp.is_error else None
    return Packet(protocol, source, destination, icmp=icmp, quotes=about)


ends_anywhere = st.builds(
    lambda where, port: Endpoint(address(where), port),
    st.sampled_from(ANYWHERE),
    st.sampled_from((0, 53, 80, 443, 8080, 30080, 40000, 65535)),
)
packets = st.builds(
    _packet,
    st.sampled_from(list(Protocol)),
    ends_anywhere,
    ends_anywhere,
    st.sampled_from(list(TcpFlags)),
    st.sampled_from(list(IcmpType)),
)


@given(st.lists(packets, min_size=1, max_size=4))
def test_any_packets_from_anywhere_end_somewhere_with_a_verdict_and_a_remedy(several: list[Packet]) -> None:
    memory = Memory()
    for packet in several:
        out, _ = quiet_round_trip(shop.SHOP, memory, packet)
        assert (out.place is None) == (out.packet is None)
        assert out.arrived or not out.verdict.ok
        assert all(hop.verdict.ok or hop.verdict.meaning.remedy for hop in out.hops)
        memory.now += 7.0


@given(packets, st.sampled_from(["cluster", "region"]))
def test_any_packet_ends_somewhere_in_a_world_that_lacks_a_part(packet: Packet, lacking: str) -> None:
    world = WITHOUT[lacking]
    out, _ = quiet_round_trip(world, Memory(), packet)
    assert out.arrived or not out.verdict.ok


WITHOUT = {
    "cluster": replace(shop.SHOP, cluster=None),
    "region": replace(shop.SHOP, region=None, load_balancers=()),
}


def test_all_outcomes_of_one_packet_add_up_to_one_and_are_even() -> None:
    """1/3, then 1/2, then the rest; as the kernel rounds them, not quite thirds."""
    packet = tcp(f"{shop.SHELL}:40000", f"{shop.WEB_SERVICE}:80")
    found = list(outcomes(lambda choose: quiet_round_trip(shop.SHOP, Memory(), packet, choose)[0]))
    shares = {ends(one.result.packet): one.probability for one in found}
    assert sum(shares.values()) == 1
    assert {str(shop.at(web, 8080)) for web in (shop.WEB_1, shop.WEB_2, shop.WEB_3)} == {
        to for _, to in filter(None, shares)
    }
    assert all(float(share) == pytest.approx(1 / 3, abs=1e-9) for share in shares.values())


# What decides at a node --------------------------------------------------------------------------


def test_the_rule_on_record_is_the_endpoints_dnat() -> None:
    out, _ = round_trip(tcp(f"{shop.ALB_A}:40000", f"{shop.NODE_2}:30080"))
    (rule,) = [hop.verdict.rule for hop in out.hops if hop.rewrites]
    assert rule.startswith("-A KUBE-SEP-") and rule.endswith(f"-j DNAT --to-destination {shop.INGRESS_1}:80")


def test_of_a_packet_that_is_only_masqueraded_the_rule_is_the_snat() -> None:
    out, _ = round_trip(tcp(f"{shop.SHELL}:40000", f"{shop.SERVER}:443"))
    assert f"-j SNAT --to-source {shop.NODE_2}" in out.hops[0].verdict.rule


def test_a_reply_is_translated_by_memory_without_a_rule() -> None:
    _, back = round_trip(tcp(f"{shop.WEB_1}:40000", f"{shop.WEB_SERVICE}:80"))
    assert back is not None
    assert [hop.verdict.rule for hop in back.hops if hop.rewrites] == [""]


def test_a_local_policy_keeps_the_sources_address() -> None:
    world = shop.with_service(shop.CONTROLLER, external_traffic_policy=TrafficPolicy.LOCAL)
    out, _ = round_trip(tcp(f"{shop.ALB_A}:40000", f"{shop.NODE_3}:30080"), world)
    assert ends(out.packet) == (f"{shop.ALB_A}:40000", f"{shop.INGRESS_3}:80")


REFUSALS = {
    "no endpoints": (
        shop.with_endpoints(shop.CONTROLLER, shop.only()),
        tcp(f"{shop.ALB_A}:40000", f"{shop.NODE_1}:30080"),
        "NO_ENDPOINTS",
        True,
    ),
    "no endpoint here, policy Local": (
        shop.with_service(shop.CONTROLLER, external_traffic_policy=TrafficPolicy.LOCAL),
        tcp(f"{shop.ALB_A}:40000", f"{shop.NODE_2}:30080"),
        "NO_LOCAL_ENDPOINTS",
        False,
    ),
    "no endpoint of a ClusterIP, from a pod": (
        shop.with_endpoints("shop/web", shop.only()),
        tcp(f"{shop.SHELL}:40000", f"{shop.WEB_SERVICE}:80"),
        "NO_ENDPOINTS",
        True,
    ),
    "no endpoint of a ClusterIP, from a node": (
        shop.with_endpoints("shop/web", shop.only()),
        tcp(f"{shop.NODE_1}:40000", f"{shop.WEB_SERVICE}:80"),
        "NO_ENDPOINTS",
        True,
    ),
    "a client outside of loadBalancerSourceRanges": (
        shop.with_service(
            "shop/web",
            type=ServiceType.LOAD_BALANCER,
            load_balancer_ips=(address("192.0.2.200"),),
            load_balancer_source_ranges=(network("192.0.2.0/24"),),
        ),
        tcp(f"{shop.SHELL}:40000", "192.0.2.200:80"),
        "NOT_IN_SOURCE_RANGES",
        False,
    ),
    "a closed port of a node": (shop.SHOP, tcp(f"{shop.SHELL}:40000", f"{shop.NODE_1}:9"), "NO_SOCKET", True),
    "a closed port of a pod": (shop.SHOP, tcp(f"{shop.SHELL}:40000", f"{shop.WEB_1}:9"), "NO_SOCKET", True),
    "a closed UDP port of a node": (shop.SHOP, udp(f"{shop.SHELL}:40000", f"{shop.NODE_1}:40000"), "NO_SOCKET", True),
    "a closed UDP port of a pod": (shop.SHOP, udp(f"{shop.SHELL}:40000", f"{shop.WEB_1}:9"), "NO_SOCKET", True),
    "a port without a listener": (
        shop.SHOP,
        tcp(f"{shop.USER}:40000", f"{shop.PUBLIC_A}:443"),
        "ELBV2_LISTENERS_MISMATCH",
        True,
    ),
    "a port that no security group opens": (
        shop.SHOP,
        tcp(f"{shop.ALB_A}:40000", f"{shop.NODE_1}:22"),
        "ENI_SG_RULES_MISMATCH",
        False,
    ),
    "an address of nobody": (
        shop.SHOP,
        tcp(f"{shop.SHELL}:40000", "10.0.34.250:80"),
        "NO_POSSIBLE_DESTINATION",
        False,
    ),
    "a node from the Internet": (
        shop.SHOP,
        tcp(f"{shop.USER}:40000", f"{shop.NODE_1}:30080"),
        "NO_SUCH_PUBLIC_ADDRESS",
        False,
    ),
    "a NAT gateway from the Internet": (
        shop.SHOP,
        tcp(f"{shop.USER}:40000", f"{shop.NAT_A}:80"),
        "NAT_GATEWAY_NO_CONNECTION",
        False,
    ),
    "a ClusterIP of nobody": (
        shop.SHOP,
        tcp(f"{shop.SHELL}:40000", "172.20.99.99:80"),
        "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS",
        False,
    ),
    "the ClusterIP of a Service from the Internet": (
        shop.SHOP,
        tcp(f"{shop.USER}:40000", f"{shop.WEB_SERVICE}:80"),
        "NO_SUCH_PUBLIC_ADDRESS",
        False,
    ),
    "another segment than the first, to a node": (
        shop.SHOP,
        tcp(f"{shop.SHELL}:40000", f"{shop.NODE_1}:9", TcpFlags.ACK),
        "NO_SOCKET",
        True,
    ),
    "a reset of no connection": (
        shop.SHOP,
        tcp(f"{shop.SHELL}:40000", f"{shop.WEB_1}:8080", TcpFlags.RESET),
        "CONNTRACK_INVALID",
        False,
    ),
    "a private address from the Internet": (
        shop.SHOP,
        tcp("192.168.1.1:40000", f"{shop.PUBLIC_A}:80"),
        "IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS",
        False,
    ),
}


@pytest.mark.parametrize(("world", "packet", "code", "aloud"), REFUSALS.values(), ids=REFUSALS)
def test_who_refuses_and_whether_aloud(world: World, packet: Packet, code: str, aloud: bool) -> None:
    out, back = round_trip(packet, world)
    assert out.verdict.code == code
    assert (back is not None and back.arrived) == aloud


@pytest.mark.parametrize(
    ("world", "packet"), [row[:2] for row in REFUSALS.values() if row[3]], ids=[k for k, v in REFUSALS.items() if v[3]]
)
def test_a_refusal_reaches_the_sender_in_the_sender_s_own_terms(world: World, packet: Packet) -> None:
    _, back = round_trip(packet, world)
    assert back is not None and back.packet is not None
    told = (
        back.packet
        if back.packet.quotes is None
        else back.packet.quotes.between(back.packet.quotes.destination, back.packet.quotes.source)
    )
    assert ends(told) == (str(packet.destination), str(packet.source))


def test_localhost_reaches_a_node_port_and_gets_its_answer() -> None:
    memory, node = Memory(), place(shop.NODE_2)
    out = send(tcp("127.0.0.1:40000", "127.0.0.1:30080"), memory=memory, origin=node)
    assert ends(out.packet) == (f"{shop.NODE_2}:1024", f"{shop.INGRESS_1}:80")
    assert out.packet is not None
    back = send(out.packet.answer(), memory=memory, origin=out.place, awaited=True)
    assert ends(back.packet) == ("127.0.0.1:30080", "127.0.0.1:40000")


def test_localhost_is_refused_by_localhost() -> None:
    out = send(tcp("127.0.0.1:40000", "127.0.0.1:9"), origin=place(shop.NODE_2))
    assert out.verdict.code == "NO_SOCKET"
    assert out.refusal is not None and out.refusal.place == place(shop.NODE_2)


# A second network interface ----------------------------------------------------------------------


def test_a_node_port_s_answer_from_a_pod_of_eth1_leaves_by_eth0() -> None:
    """The connmark 0x80, and ip rule 1024 before 1536: or the source check would drop it."""
    world = _ingress_on_eth1()
    out, back = round_trip(tcp(f"{shop.ALB_B}:40000", f"{shop.NODE_3}:30080"), world)
    assert ends(out.packet) == (f"{shop.ALB_B}:40000", f"{shop.CART_ETH1}:80")
    assert back is not None
    assert "eni-0300000000000000a egress (sg-0a1b000000000000b)" in [hop.at for hop in back.hops]
    assert ends(back.packet) == (f"{shop.NODE_3}:30080", f"{shop.ALB_B}:40000")


def test_without_the_connmark_the_source_check_would_drop_that_answer() -> None:
    """The same connection, picked up in the middle: nothing is marked, and 1536 sends the answer out by eth1."""
    world, memory = _ingress_on_eth1(), Memory()
    out = send(tcp(f"{shop.ALB_B}:40000", f"{shop.NODE_3}:30080"), world, memory)
    assert out.packet is not None
    for entry in memory.host(world.where(address(shop.NODE_3)).node).conntrack:
        entry.mark = 0
    back = send(out.packet.answer(), world, memory, origin=out.place, awaited=True)
    assert back.verdict.code == "ENI_SOURCE_DEST_CHECK_RESTRICTION"


def _ingress_on_eth1() -> World:
    """The ingress Service has the pod of the third node's eth1 for its only endpoint, and policy Local."""
    world = shop.with_service(shop.CONTROLLER, external_traffic_policy=TrafficPolicy.LOCAL)
    world = shop.with_pod(shop.CART_ETH1, world, ports=())
    moved = address(shop.CART_ETH1)
    return shop.with_endpoints(
        shop.CONTROLLER,
        lambda one: replace(one, address=moved) if str(one.address) == shop.INGRESS_3 else None,
        world,
    )


def test_what_a_node_says_as_its_eth1_fails_the_source_check() -> None:
    _, back = round_trip(tcp(f"{shop.WEB_1}:40000", f"{shop.ETH1}:10250"))
    assert back is not None
    assert back.verdict.code == "ENI_SOURCE_DEST_CHECK_RESTRICTION"


# Other protocols ---------------------------------------------------------------------------------


def test_a_pod_asks_the_cluster_s_name_server() -> None:
    out, back = round_trip(udp(f"{shop.SHELL}:40000", f"{shop.DNS_SERVICE}:53"))
    assert ends(out.packet) == (f"{shop.SHELL}:40000", f"{shop.DNS_1}:53")
    assert back is not None and ends(back.packet) == (f"{shop.DNS_SERVICE}:53", f"{shop.SHELL}:40000")


def test_a_node_asks_the_cluster_s_name_server() -> None:
    _, back = round_trip(udp(f"{shop.NODE_2}:40000", f"{shop.DNS_SERVICE}:53"))
    assert back is not None and ends(back.packet) == (f"{shop.DNS_SERVICE}:53", f"{shop.NODE_2}:40000")


@pytest.mark.parametrize("service", ["10.0.0.2", "169.254.169.254"])
def test_the_vpc_s_own_services_answer(service: str) -> None:
    out, back = round_trip(udp(f"{shop.WEB_1}:40000", f"{service}:53"))
    assert out.place is not None and out.place.kind is Kind.VPC_SERVICE
    assert back is not None and ends(back.packet) == (f"{service}:53", f"{shop.WEB_1}:40000")


def test_a_closed_udp_port_behind_a_service_is_told_in_the_client_s_terms() -> None:
    world = shop.with_pod(shop.DNS_1, ports=(ContainerPort(9153),))
    _, back = round_trip(udp(f"{shop.SHELL}:40000", f"{shop.DNS_SERVICE}:53"), world)
    assert back is not None and back.packet is not None and back.packet.quotes is not None
    assert back.packet.icmp is IcmpType.PORT_UNREACHABLE
    assert ends(back.packet.quotes) == (f"{shop.SHELL}:40000", f"{shop.DNS_SERVICE}:53")


@pytest.mark.parametrize("target", [shop.WEB_1, shop.CART_ETH1, shop.NODE_1])
def test_a_ping_is_answered(target: str) -> None:
    _, back = round_trip(ping(f"{shop.SHELL}:7", target))
    assert back is not None and back.packet is not None
    assert (back.packet.icmp, str(back.packet.source.address)) == (IcmpType.ECHO_REPLY, target)


def test_what_is_no_question_gets_no_answer() -> None:
    reply = Packet(Protocol.ICMP, shop.at(shop.NODE_1, 0), shop.at(shop.NODE_2, 7), icmp=IcmpType.ECHO_REPLY)
    out, back = round_trip(reply)
    assert out.arrived and back is None


def test_a_ping_to_the_internet_leaves_and_its_reply_fails_the_network_acl() -> None:
    out, back = round_trip(ping(f"{shop.SHELL}:7", shop.SERVER))
    assert out.arrived and back is not None
    assert back.verdict.code == "SUBNET_ACL_RESTRICTION"


ANSWERS = {
    "an echo reply": Packet(Protocol.ICMP, shop.at(shop.WEB_1, 0), shop.at(shop.SHELL, 7), icmp=IcmpType.ECHO_REPLY),
    "an ICMP error": tcp(f"{shop.SHELL}:1", f"{shop.WEB_1}:2").error(IcmpType.PORT_UNREACHABLE, address(shop.WEB_1)),
    "a reset": tcp(f"{shop.SHELL}:1", f"{shop.WEB_1}:2", TcpFlags.RESET),
}


@pytest.mark.parametrize("packet", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_isn_t_answered(packet: Packet) -> None:
    assert answer_to(packet) is None


def test_sctp_to_a_pod_without_it_meets_silence() -> None:
    packet = Packet(Protocol.SCTP, shop.at(shop.SHELL, 40000), shop.at(shop.WEB_1, 36412))
    out, back = round_trip(packet)
    assert (out.verdict.code, back) == ("NO_SOCKET", None)


# Who listens ------------------------------------------------------------------------------------

HTTP = Pod("shop", "web", address("10.0.0.9"), ports=(ContainerPort(8080),))
LISTENING = {
    "the port that it declares": (HTTP, tcp("10.0.0.1:1", "10.0.0.9:8080"), True),
    "another port": (HTTP, tcp("10.0.0.1:1", "10.0.0.9:8081"), False),
    "the same port by UDP": (HTTP, udp("10.0.0.1:1", "10.0.0.9:8080"), False),
    "any port, if it declares none": (replace(HTTP, ports=()), tcp("10.0.0.1:1", "10.0.0.9:8081"), True),
    "none before it runs": (replace(HTTP, phase="Pending"), tcp("10.0.0.1:1", "10.0.0.9:8080"), False),
    "what isn't the first segment": (HTTP, tcp("10.0.0.1:1", "10.0.0.9:8081", TcpFlags.ACK), True),
    "a ping": (HTTP, ping("10.0.0.1:1", "10.0.0.9"), True),
}


@pytest.mark.parametrize(("pod", "packet", "takes"), LISTENING.values(), ids=LISTENING)
def test_what_a_pod_s_process_takes(pod: Pod, packet: Packet, takes: bool) -> None:
    assert pod_listens(pod, packet) is takes


def test_a_pod_on_the_host_s_network_is_reached_at_the_node_s_address() -> None:
    world = _with_host_pod()
    out, back = round_trip(tcp(f"{shop.SHELL}:40000", f"{shop.NODE_1}:9100"), world)
    assert out.place is not None and (out.place.name, out.place.kind) == ("shop/exporter", Kind.NODE)
    assert back is not None and ends(back.packet) == (f"{shop.NODE_1}:9100", f"{shop.SHELL}:40000")


def _with_host_pod(phase: str = "Running") -> World:
    node = shop.SHOP.where(address(shop.NODE_1)).node
    ports = (ContainerPort(9100),)
    pod = Pod("shop", "exporter", address(shop.NODE_1), node, host_network=True, phase=phase, ports=ports)
    return shop.with_cluster(pods=(*shop.cluster().pods, pod))


def test_a_pod_on_the_host_s_network_that_has_ended_doesn_t_listen() -> None:
    out, _ = round_trip(tcp(f"{shop.SHELL}:40000", f"{shop.NODE_1}:9100"), _with_host_pod("Failed"))
    assert out.verdict.code == "NO_SOCKET"


def test_the_address_of_a_pod_that_has_ended_leads_nowhere() -> None:
    """The interface still has it, so the node gets the packet, sends it back out, and the VPC drops it."""
    out, _ = round_trip(tcp(f"{shop.SHELL}:40000", f"{shop.WEB_1}:8080"), shop.with_pod(shop.WEB_1, phase="Succeeded"))
    assert out.verdict.code == "ENI_SOURCE_DEST_CHECK_RESTRICTION"


def test_what_an_appliance_does_with_a_packet_isn_t_known() -> None:
    """The private subnet's default route leads to an interface of somebody's own."""
    found = place("10.0.40.201").interface
    assert found is not None
    box = replace(found, source_dest_check=False, group_ids=())
    world = shop.with_routes(shop.PRIVATE_ROUTES_A, lambda table: _default_to(table, box.network_interface_id))
    interfaces = (box if each is found else each for each in shop.region(world).network_interfaces)
    world = replace(world, region=replace(shop.region(world), network_interfaces=tuple(interfaces)))
    out, _ = round_trip(tcp(f"{shop.SHELL}:40000", f"{shop.SERVER}:443"), world)
    assert out.verdict.code == "UNKNOWN_DESTINATION"


def _default_to(table: RouteTable, target: str) -> RouteTable:
    changed = (replace(r, target=target) if str(r.destination) == "0.0.0.0/0" else r for r in table.routes)
    return replace(table, routes=tuple(changed))


# A flat network, and loops -----------------------------------------------------------------------

OVERLAY = World(cluster=replace(shop.cluster()))


def test_without_a_vpc_the_nodes_share_a_network() -> None:
    out, back = round_trip(tcp(f"{shop.SHELL}:40000", f"{shop.WEB_SERVICE}:80"), OVERLAY)
    assert ends(out.packet) == (f"{shop.SHELL}:40000", f"{shop.WEB_1}:8080")
    assert codes(out.hops, FLAT) == ["ROUTED"]
    assert back is not None and ends(back.packet) == (f"{shop.WEB_SERVICE}:80", f"{shop.SHELL}:40000")


def test_without_a_vpc_a_public_address_is_out_on_the_internet() -> None:
    out, _ = round_trip(tcp(f"{shop.SHELL}:40000", f"{shop.SERVER}:443"), OVERLAY)
    assert out.place is not None and out.place.kind is Kind.INTERNET


def test_without_a_vpc_a_private_address_of_nobody_leads_nowhere() -> None:
    out, _ = round_trip(tcp(f"{shop.SHELL}:40000", "10.0.34.250:80"), OVERLAY)
    assert (out.hops[-1].station, out.verdict.code) == (FLAT, "NO_POSSIBLE_DESTINATION")


def test_a_packet_that_goes_round_in_circles_ends() -> None:
    """A pod that its node doesn't know: the flat network brings it to the node, which sends it back."""
    pod = Pod("shop", "lost", address("10.9.9.9"), shop.SHOP.where(address(shop.NODE_1)).node)
    world = World(cluster=replace(shop.cluster(), pods=(*shop.cluster().pods, pod)))
    del world.nodes[pod.node].veths[address("10.9.9.9")]
    assert world.where(address("10.9.9.9")).node == pod.node
    out = quiet_send(world, Memory(), tcp(f"{shop.SHELL}:40000", "10.9.9.9:80"))
    assert out.verdict.code == "TTL_EXCEEDED"
    assert len([hop for hop in out.hops if hop.station == "node"]) == MOST_LEGS + 1


def test_a_trip_without_hops_never_left() -> None:
    out = send(tcp(f"{shop.WEB_1}:40000", f"{shop.WEB_1}:8080"))
    assert (out.hops, out.verdict.ok, out.arrived) == ((), True, True)


# NAT gateways ------------------------------------------------------------------------------------


def test_a_nat_gateway_that_has_forgotten_a_connection_resets_it() -> None:
    memory, ends_ = Memory(), (f"{shop.SHELL}:40000", f"{shop.SERVER}:443")
    round_trip(tcp(*ends_), memory=memory)
    memory.now = 351.0
    out = send(tcp(*ends_, TcpFlags.PUSH), memory=memory)
    assert out.verdict.code == "NAT_GATEWAY_IDLE_TIMEOUT"
    assert out.refusal is not None and ends(out.refusal.packet) == (ends_[1], ends_[0])


def test_the_only_difference_that_an_origin_makes_is_where_a_packet_begins() -> None:
    packet = tcp(f"{shop.NODE_1}:40000", f"{shop.WEB_1}:8080")
    assert send(packet).hops == send(packet, origin=place(shop.NODE_1)).hops


def test_a_forged_source_doesn_t_leave_its_interface() -> None:
    out = send(tcp("10.0.35.99:40000", f"{shop.WEB_1}:8080"), origin=place(shop.SHELL))
    assert out.verdict.code == "ENI_SOURCE_DEST_CHECK_RESTRICTION"
