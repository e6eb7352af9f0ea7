"""kube-proxy's rules: names, text, chains made when looked up, and what a chain stands for."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netpath.codes import CODES, Fate
from netpath.errors import InputError
from netpath.iptables import Ruleset, parse, render
from netpath.kubeproxy import (
    HealthCheck,
    chain_meaning,
    endpoint_chain_name,
    health_checks,
    refusal,
    restore_input,
    ruleset,
    service_chain_name,
    service_port_name,
)
from netpath.kubeproxy.endpoints import PortEndpoints, Usable, gather
from netpath.kubeproxy.rules import LARGE_CLUSTER, probability
from netpath.kubernetes import (
    DetectLocalMode,
    EndpointPort,
    EndpointSlice,
    Node,
    ProxyConfig,
    Service,
    ServicePort,
    SliceEndpoint,
)
from netpath.packet import Protocol, address, network
from tests.kubeproxy_flows import CONFIG, NODE, World, at, endpoints, service

SHOP = World(
    (
        service("shop/web", "172.20.0.10", ServicePort(80, node_port=30080), type="NodePort", affinity_seconds=600),
        service(
            "shop/cart",
            "172.20.0.11",
            ServicePort(443, name="https", node_port=30443),
            ServicePort(53, Protocol.UDP, "dns"),
            type="LoadBalancer",
            external_traffic_policy="Local",
            internal_traffic_policy="Local",
            external_ips=["198.51.100.7"],
            load_balancer_ips=["198.51.100.8"],
            load_balancer_source_ranges=["192.168.0.0/16", "203.0.113.0/24"],
            health_check_node_port=32000,
        ),
        service("shop/empty", "172.20.0.12", ServicePort(80)),
    ),
    (
        endpoints("shop/web", (EndpointPort(8080),), at("10.0.1.9"), at("10.0.1.10"), at("10.0.1.11")),
        endpoints(
            "shop/cart",
            (EndpointPort(8443, name="https"), EndpointPort(53, Protocol.UDP, "dns")),
            at("10.0.2.1", "test-node"),
            at("10.0.2.2", "other"),
        ),
    ),
)

WEB_CHAIN = service_chain_name("shop/web", "tcp")


def rules_of(world: World, table: str, chain: str) -> list[str]:
    """The rules of a chain as they were written."""
    return [rule.text for rule in ruleset(*world.arguments).tables[table].chains[chain].rules]


def configured(**more: Any) -> World:
    return replace(SHOP, config=replace(CONFIG, **more))


# Names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "protocol", "chain"),
    [
        ("default/kubernetes:https", "tcp", "KUBE-SVC-NPX46M4PTMTKRN6Y"),
        ("kube-system/kube-dns:dns", "udp", "KUBE-SVC-TCOU7JCQXEZGVUNU"),
        ("default/hostnames", "tcp", "KUBE-SVC-YN5D6RYVEVZOH44Q"),
        ("ns4/svc4:p8082", Protocol.TCP, "KUBE-SVC-EBDQOQU5SJFXRIL3"),
        ("ns4/svc4:p8082", "TCP", "KUBE-SVC-EBDQOQU5SJFXRIL3"),
    ],
)
def test_a_service_chain_is_named_as_real_clusters_name_it(name: str, protocol: str, chain: str) -> None:
    assert service_chain_name(name, protocol) == chain


@pytest.mark.parametrize(
    ("name", "endpoint", "chain"),
    [
        ("ns1/svc1:p80", "10.0.0.0:80", "KUBE-SEP-DKGQUZGBKLTPAR56"),
        ("ns3/svc3:p8081", "203.0.113.4:8081", "KUBE-SEP-RUVVH7YV3PHQBDOS"),
        ("ns4/svc4:p8082", "10.4.0.1:8082", "KUBE-SEP-SU5STNODRYEWJAUF"),
    ],
)
def test_an_endpoint_chain_is_named_as_upstream_names_it(name: str, endpoint: str, chain: str) -> None:
    assert endpoint_chain_name(name, "tcp", endpoint) == chain


def test_an_unnamed_port_leaves_no_colon() -> None:
    assert service_port_name("shop", "web") == "shop/web"


@pytest.mark.parametrize(
    ("alternatives", "text"),
    [(1, "1.0000000000"), (2, "0.5000000000"), (3, "0.3333333333"), (1000, "0.0010000000"), (100001, "0.0000099999")],
)
def test_probabilities_are_written_as_kube_proxy_does(alternatives: int, text: str) -> None:
    assert probability(alternatives) == text


# Text --------------------------------------------------------------------------------------------


def test_the_whole_input_for_iptables_restore_is_kube_proxys() -> None:
    kept = (Path(__file__).parent / "cases" / "kube-proxy-rules.txt").read_text().splitlines()
    assert restore_input(*SHOP.arguments).splitlines() == [line for line in kept if not line.startswith("#")]


def test_the_filter_hooks_jump_in_the_order_that_prepending_leaves() -> None:
    assert rules_of(SHOP, "filter", "INPUT") == [
        "-A INPUT -m conntrack --ctstate NEW -m comment --comment "
        '"kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
        '-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS',
        "-A INPUT -m conntrack --ctstate NEW -m comment --comment "
        '"kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
        "-A INPUT -j KUBE-FIREWALL",
    ]


@pytest.mark.parametrize(
    ("chain", "targets"),
    [
        ("FORWARD", ["KUBE-PROXY-FIREWALL", "KUBE-FORWARD", "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES"]),
        ("OUTPUT", ["KUBE-PROXY-FIREWALL", "KUBE-SERVICES", "KUBE-FIREWALL"]),
    ],
)
def test_the_other_filter_hooks_do_too(chain: str, targets: list[str]) -> None:
    assert [text.split()[-1] for text in rules_of(SHOP, "filter", chain)] == targets


@pytest.mark.parametrize(
    ("hook", "chain", "comment"),
    [
        ("PREROUTING", "KUBE-SERVICES", "kubernetes service portals"),
        ("OUTPUT", "KUBE-SERVICES", "kubernetes service portals"),
        ("POSTROUTING", "KUBE-POSTROUTING", "kubernetes postrouting rules"),
    ],
)
def test_the_nat_hooks_have_one_jump(hook: str, chain: str, comment: str) -> None:
    assert rules_of(SHOP, "nat", hook) == [f'-A {hook} -m comment --comment "{comment}" -j {chain}']


def test_kubelet_and_kube_proxy_leave_canaries_in_three_tables() -> None:
    tables = ruleset(*SHOP.arguments).tables
    assert all({"KUBE-KUBELET-CANARY", "KUBE-PROXY-CANARY"} <= set(table.chains) for table in tables.values())
    assert [*tables["mangle"].chains][-3] == "KUBE-IPTABLES-HINT"


def test_kubelet_blocks_localnet_even_if_kube_proxy_does_not() -> None:
    world = configured(localhost_node_ports=False)
    assert "KUBE-FIREWALL" not in restore_input(*world.arguments)
    assert refusal(rules_of(world, "filter", "KUBE-FIREWALL")[0]) == "LOCALNET_FROM_OUTSIDE"


def test_another_bit_makes_another_mark() -> None:
    world = configured(masquerade_bit=15)
    assert rules_of(world, "nat", "KUBE-MARK-MASQ") == ["-A KUBE-MARK-MASQ -j MARK --or-mark 0x8000"]


def test_an_old_iptables_has_no_random_fully() -> None:
    assert rules_of(configured(random_fully=False), "nat", "KUBE-POSTROUTING")[-1].endswith("-j MASQUERADE")


@pytest.mark.parametrize(
    ("more", "first"),
    [
        ({}, "-m conntrack --ctstate INVALID -j DROP"),
        (
            {"nfacct": True},
            "-m conntrack --ctstate INVALID -m nfacct --nfacct-name ct_state_invalid_dropped_pkts -j DROP",
        ),
        (
            {"conntrack_tcp_be_liberal": True},
            '-m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT',
        ),
    ],
)
def test_invalid_packets_are_dropped_and_counted_as_the_host_allows(more: dict[str, bool], first: str) -> None:
    text = restore_input(*configured(**more).arguments)
    assert next(line for line in text.splitlines() if "-A KUBE-FORWARD" in line) == f"-A KUBE-FORWARD {first}"


def test_localhost_node_ports_have_a_counter_where_there_is_nfacct() -> None:
    rules = [line for line in restore_input(*configured(nfacct=True).arguments).splitlines() if "--dport 30080" in line]
    external = service_chain_name("shop/web", "tcp", "KUBE-EXT-")
    assert rules == [
        "-A KUBE-NODEPORTS -m comment --comment shop/web -m tcp -p tcp -d 127.0.0.0/8 --dport 30080 "
        f"-m nfacct --nfacct-name localhost_nps_accepted_pkts -j {external}",
        f"-A KUBE-NODEPORTS -m comment --comment shop/web -m tcp -p tcp --dport 30080 -j {external}",
    ]


def test_no_counter_for_localhost_where_node_ports_are_not_there() -> None:
    world = configured(nfacct=True, localhost_node_ports=False)
    assert "localhost_nps_accepted_pkts" not in restore_input(*world.arguments)


def test_counters_are_not_in_the_rules_that_are_walked() -> None:
    assert render(ruleset(*configured(nfacct=True).arguments)) == render(ruleset(*SHOP.arguments))


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"cluster_cidrs": (network("10.0.0.0/8"), network("10.64.0.0/10"))}, "! -s 10.0.0.0/8 "),
        ({"detect_local_mode": DetectLocalMode.NODE_CIDR}, "! -s 10.0.1.0/24 "),
        ({"detect_local_mode": DetectLocalMode.BRIDGE_INTERFACE, "local_interface": "cni0"}, "! -i cni0 "),
        ({"detect_local_mode": DetectLocalMode.INTERFACE_NAME_PREFIX, "local_interface": "cali"}, "! -i cali+ "),
        ({"masquerade_all": True}, ""),
    ],
)
def test_whoever_is_no_pod_is_masqueraded_on_the_way_to_a_cluster_ip(more: dict[str, object], match: str) -> None:
    world = replace(configured(**more), node=replace(NODE, pod_cidrs=(network("10.0.1.0/24"),)))
    destined = '-m comment --comment "shop/web cluster IP" -m tcp -p tcp -d 172.20.0.10 --dport 80'
    assert rules_of(world, "nat", WEB_CHAIN)[0] == f"-A {WEB_CHAIN} {destined} {match}-j KUBE-MARK-MASQ"


@pytest.mark.parametrize("mode", [DetectLocalMode.CLUSTER_CIDR, DetectLocalMode.NODE_CIDR])
def test_without_a_network_of_pods_nobody_is_masqueraded_there(mode: DetectLocalMode) -> None:
    world = configured(cluster_cidrs=(), detect_local_mode=mode)
    assert not [text for text in rules_of(world, "nat", WEB_CHAIN) if "KUBE-MARK-MASQ" in text]


@pytest.mark.parametrize("mode", [DetectLocalMode.BRIDGE_INTERFACE, DetectLocalMode.INTERFACE_NAME_PREFIX])
def test_a_mode_by_interface_wants_an_interface(mode: DetectLocalMode) -> None:
    with pytest.raises(InputError, match="disagree"):
        ProxyConfig(detect_local_mode=mode)


def test_node_port_addresses_have_a_rule_each() -> None:
    world = configured(node_port_addresses=(network("192.168.0.0/24"), network("127.0.0.0/8")))
    last = [text.split(" -d ")[1] for text in rules_of(world, "nat", "KUBE-SERVICES")[-2:]]
    assert last == ["192.168.0.2 -j KUBE-NODEPORTS", "127.0.0.1 -j KUBE-NODEPORTS"]


def big(count: int) -> World:
    origins = (at(f"10.1.{number // 256}.{number % 256}") for number in range(count))
    slices = (endpoints("shop/web", (EndpointPort(8080),), *origins),)
    return replace(SHOP, services=SHOP.services[:1], slices=slices)


@pytest.mark.parametrize(("count", "commented"), [(LARGE_CLUSTER, True), (LARGE_CLUSTER + 1, False)])
def test_many_endpoints_lose_their_comments(count: int, commented: bool) -> None:
    text = restore_input(*big(count).arguments)
    per_endpoint = [line for line in text.splitlines() if line.startswith("-A KUBE-SEP") or "statistic" in line]
    assert {"--comment" in line for line in per_endpoint} == {commented}
    assert '"shop/web cluster IP"' in text


# Chains, made when they are looked up ------------------------------------------------------------


def test_the_chains_are_in_kube_proxys_order() -> None:
    declared = [
        line[1:].split()[0] for line in restore_input(*SHOP.arguments).split("*nat")[1].splitlines() if line[:1] == ":"
    ]
    chains = list(ruleset(*SHOP.arguments).tables["nat"].chains)
    assert [name for name in chains if name in declared] == declared
    assert len(ruleset(*SHOP.arguments).tables["nat"].chains) == len(chains)


def test_the_rules_looked_up_are_the_rules_fed_to_iptables_restore() -> None:
    fed: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for part in restore_input(*SHOP.arguments).split("*")[1:]:
        table, *lines = part.splitlines()
        for line in lines:
            if line.startswith("-A "):
                fed[table, line.split()[1]].append(line)
    assert {place: rules_of(SHOP, *place) for place in fed} == fed


def test_the_print_of_the_rules_reads_back_the_same() -> None:
    text = render(ruleset(*SHOP.arguments))
    assert render(parse(text)) == text


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("nat", "KUBE-SVC-AAAAAAAAAAAAAAAA"),
        ("nat", "KUBE-SEP-AAAAAAAAAAAAAAAA"),
        ("nat", "KUBE-FIREWALL"),
        ("nat", "DOCKER"),
        ("filter", "DOCKER"),
        ("mangle", "KUBE-SERVICES"),
    ],
)
def test_a_chain_that_is_not_there_is_missing(table: str, name: str) -> None:
    assert name not in ruleset(*SHOP.arguments).tables[table].chains


def test_a_node_has_no_chain_for_an_endpoint_that_it_never_uses() -> None:
    only_local = replace(
        SHOP.services[1], external_ips=(), load_balancer_ips=(), ports=(ServicePort(443, name="https"),)
    )
    chains = ruleset(*replace(SHOP, services=(only_local,)).arguments).tables["nat"].chains
    assert endpoint_chain_name("shop/cart:https", "tcp", "10.0.2.1:8443") in chains
    assert endpoint_chain_name("shop/cart:https", "tcp", "10.0.2.2:8443") not in chains


def test_an_unused_service_is_never_written(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    original = PortEndpoints.categorise

    def watched(self: PortEndpoints, node: Node, cluster: bool, local: bool) -> Usable:
        written.append(self)
        return original(self, node, cluster, local)

    monkeypatch.setattr(PortEndpoints, "categorise", watched)
    chains = ruleset(*replace(SHOP, slices=(*SHOP.slices,)).arguments).tables["nat"].chains
    assert chains["KUBE-SERVICES"].rules and chains["KUBE-NODEPORTS"].rules and not written
    assert chains[WEB_CHAIN].rules and len(written) == 1


def test_nodes_share_the_rules_that_they_have_in_common() -> None:
    one, other = (
        ruleset(SHOP.services, SHOP.slices, Node(name, address(ip)), CONFIG)
        for name, ip in (("test-node", "192.168.0.2"), ("other", "192.168.0.3"))
    )
    shared = zip(
        one.tables["nat"].chains["KUBE-SERVICES"].rules, other.tables["nat"].chains["KUBE-SERVICES"].rules, strict=True
    )
    assert all(mine is yours for mine, yours in shared)


def test_lists_may_be_altered_between_questions() -> None:
    services = list(SHOP.services)
    before = len(ruleset(services, SHOP.slices, NODE, CONFIG).tables["nat"].chains["KUBE-SERVICES"].rules)
    services.pop(0)
    assert len(ruleset(services, SHOP.slices, NODE, CONFIG).tables["nat"].chains["KUBE-SERVICES"].rules) == before - 1


# What a chain, and a refusal, stands for ---------------------------------------------------------


@pytest.mark.parametrize("prefix", ["KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-"])
def test_a_services_chain_tells_its_service_and_port(prefix: str) -> None:
    meaning = chain_meaning(ruleset(*SHOP.arguments), service_chain_name("shop/cart:https", "tcp", prefix))
    assert meaning is not None
    assert (str(meaning), meaning.service.name, meaning.port.port) == ("shop/cart:https", "cart", 443)


@pytest.mark.parametrize("walked", [False, True])
def test_an_endpoints_chain_tells_the_endpoint(walked: bool) -> None:
    rules = ruleset(*SHOP.arguments)
    if walked:
        assert rules.tables["nat"].chains[WEB_CHAIN]
    meaning = chain_meaning(rules, endpoint_chain_name("shop/web", "tcp", "10.0.1.9:8080"))
    assert str(meaning) == "shop/web -> 10.0.1.9:8080"


@pytest.mark.parametrize(
    "name", ["KUBE-SERVICES", "KUBE-SVC-AAAAAAAAAAAAAAAA", "KUBE-SEP-AAAAAAAAAAAAAAAA", "PREROUTING"]
)
def test_other_chains_stand_for_no_service(name: str) -> None:
    assert chain_meaning(ruleset(*SHOP.arguments), name) is None


def test_nothing_is_known_of_the_chains_of_a_dump() -> None:
    dump: Ruleset = parse(render(ruleset(*SHOP.arguments)))
    assert chain_meaning(dump, WEB_CHAIN) is None


@pytest.mark.parametrize(
    ("chain", "number", "code"),
    [
        ("KUBE-SERVICES", 0, "NO_LOCAL_ENDPOINTS"),
        ("KUBE-SERVICES", -1, "NO_ENDPOINTS"),
        ("KUBE-EXTERNAL-SERVICES", 0, "NO_LOCAL_ENDPOINTS"),
        ("KUBE-PROXY-FIREWALL", 0, "NOT_IN_SOURCE_RANGES"),
        ("KUBE-FIREWALL", 0, "LOCALNET_FROM_OUTSIDE"),
        ("KUBE-FORWARD", 0, "CONNTRACK_INVALID"),
    ],
)
def test_a_rule_that_ends_a_packet_says_why(chain: str, number: int, code: str) -> None:
    elsewhere = replace(SHOP, node=replace(NODE, name="third"))
    rule = ruleset(*elsewhere.arguments).tables["filter"].chains[chain].rules[number]
    assert refusal(rule.text) == refusal(str(rule)) == code
    assert (CODES[code].fate is Fate.REJECTED) == ("-j REJECT" in rule.text)


def test_other_rules_are_no_refusals() -> None:
    assert refusal("-A INPUT -s 10.0.0.0/8 -j DROP") is None


# Health checks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("node", "status", "count"), [("test-node", 200, 1), ("third", 503, 0), ("", 503, 0)])
def test_a_health_check_tells_whether_an_endpoint_is_here(node: str, status: int, count: int) -> None:
    world = replace(SHOP, node=replace(NODE, name=node))
    assert health_checks(*world.arguments) == (HealthCheck("shop/cart", 32000, status, count),)


def test_a_terminating_endpoint_fails_the_health_check() -> None:
    slices = (endpoints("shop/cart", (EndpointPort(8443, name="https"),), at("10.0.2.1", "test-node", "serving")),)
    assert health_checks(*replace(SHOP, slices=slices).arguments)[0].status == 503


def test_an_unhealthy_kube_proxy_fails_the_health_check() -> None:
    assert health_checks(*SHOP.arguments, healthy=False)[0].status == 503


def test_a_pod_with_two_ports_is_one_endpoint_to_the_health_check() -> None:
    assert len(SHOP.slices[1].ports) == 2
    assert health_checks(*SHOP.arguments)[0].local_endpoints == 1


def test_the_health_check_listens_where_node_ports_do() -> None:
    world = configured(node_port_addresses=(network("192.168.1.0/24"),))
    assert health_checks(*world.arguments)[0].addresses == (address("192.168.1.2"),)


@pytest.mark.parametrize(
    "more", [{"external_traffic_policy": "Cluster"}, {"type": "NodePort"}, {"health_check_node_port": 0}]
)
def test_only_a_balancer_with_policy_local_has_a_health_check(more: dict[str, object]) -> None:
    given = {"type": "LoadBalancer", "external_traffic_policy": "Local", "health_check_node_port": 32000}
    services = (service("shop/cart", "172.20.0.11", ServicePort(443), **(given | more)),)
    assert health_checks(*replace(SHOP, services=services).arguments) == ()


# Laws --------------------------------------------------------------------------------------------

STATES = st.sampled_from(["ready", "serving", "gone", "unready"])
ORIGINS = st.lists(
    st.builds(
        lambda last, node, state, zones, nodes: at(
            f"10.0.0.{last}", node, state, zone_hints=tuple(zones), node_hints=tuple(nodes)
        ),
        st.integers(1, 6),
        st.sampled_from(["", "test-node", "other"]),
        STATES,
        st.sets(st.sampled_from(["a", "b"]), max_size=1),
        st.sets(st.sampled_from(["test-node", "other"]), max_size=1),
    ),
    max_size=6,
)
POLICY = st.sampled_from(["Cluster", "Local"])
ADDRESSES = st.lists(st.sampled_from(["198.51.100.1", "198.51.100.2"]), unique=True, max_size=2)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Worlds of three Services of every kind, with endpoints in every state."""
    services: list[Service] = []
    slices: list[EndpointSlice] = []
    for name in ("a/one", "a/two", "b/three"):
        services.append(
            service(
                name,
                f"172.20.0.{len(services) + 1}",
                ServicePort(80, name="http", node_port=draw(st.sampled_from([0, 30000 + len(services)]))),
                ServicePort(53, Protocol.UDP, "dns"),
                type=draw(st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"])),
                external_traffic_policy=draw(POLICY),
                internal_traffic_policy=draw(POLICY),
                external_ips=draw(ADDRESSES),
                load_balancer_ips=draw(ADDRESSES),
                load_balancer_source_ranges=draw(
                    st.sampled_from([[], ["192.168.0.0/24"], ["0.0.0.0/0"], ["1.0.0.0/8"]])
                ),
                affinity_seconds=draw(st.sampled_from([None, 600])),
                health_check_node_port=draw(st.sampled_from([0, 31000])),
            )
        )
        slices += [
            endpoints(
                name, (EndpointPort(80, name="http"), EndpointPort(5353, Protocol.UDP, "dns")), *draw(ORIGINS), number=n
            )
            for n in (1, 2)
        ]
    node = replace(NODE, zone=draw(st.sampled_from(["", "a"])))
    config = replace(CONFIG, cluster_cidrs=draw(st.sampled_from([(), CONFIG.cluster_cidrs])))
    return World(tuple(services), tuple(slices), node, config)


def jumps(text: str) -> set[str]:
    return {text.split(" -j ")[1].split()[0]} if " -j KUBE-" in text else set()


@given(worlds())
def test_every_jump_leads_to_a_chain_with_rules_and_every_chain_is_jumped_to(world: World) -> None:
    chains = ruleset(*world.arguments).tables["nat"].chains
    wanted = {target for chain in chains.values() for rule in chain.rules for target in jumps(rule.text)}
    own = {name for name in chains if name[:-16] in ("KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-", "KUBE-SEP-")}
    assert own <= wanted <= set(chains)
    assert all(chains[name].rules for name in own)


@given(worlds())
def test_a_service_is_translated_or_refused_at_its_cluster_ip_never_both(world: World) -> None:
    tables = ruleset(*world.arguments).tables
    for shop in world.services:
        told = [
            t
            for t in ("nat", "filter")
            for rule in tables[t].chains["KUBE-SERVICES"].rules
            if f"-d {shop.cluster_ip} --dport 80 " in rule.text
        ]
        assert len(told) == 1


@given(st.integers(1, 200))
def test_the_rules_share_out_evenly(count: int) -> None:
    text = restore_input(*big(count).arguments).splitlines()
    rules = [
        line
        for line in text
        if line.startswith(f"-A {WEB_CHAIN}") and "MARK-MASQ" not in line and "--rcheck" not in line
    ]
    left, shares = Fraction(1), []
    for line in rules:
        chance = Fraction(line.split("--probability ")[1].split()[0]) if "--probability" in line else Fraction(1)
        shares.append(left * chance)
        left *= 1 - chance
    assert len(shares) == count and all(abs(share - Fraction(1, count)) < Fraction(1, 10**6) for share in shares)


@given(ORIGINS, ORIGINS)
def test_the_order_of_slices_matters_only_for_an_address_in_both(
    first: list[SliceEndpoint], second: list[SliceEndpoint]
) -> None:
    both = {origin.address for origin in first} & {origin.address for origin in second}
    ports = (EndpointPort(80),)
    slices = [endpoints("a/b", ports, *origins) for origins in (first, second)]
    forwards, backwards = (gather(each)["", Protocol.TCP].all for each in (slices, slices[::-1]))
    assert [it.text for it in forwards] == [it.text for it in backwards]
    assert both or forwards == backwards


@pytest.mark.parametrize("bit", [-1, 32])
def test_a_mark_has_thirty_two_bits(bit: int) -> None:
    with pytest.raises(InputError, match="not a bit of the mark"):
        ProxyConfig(masquerade_bit=bit)
