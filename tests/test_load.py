"""Bad input gets an error that says file, field, value and what was expected; nothing else is raised."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from netpath.errors import InputError, NetpathError, WorldError
from netpath.kubernetes import Cluster, DetectLocalMode, PathType, ServiceType, TrafficPolicy
from netpath.load import ec2, zones
from netpath.load import kubernetes as kubectl
from netpath.load.fields import Field
from netpath.load.files import MasterFile, documents, read
from netpath.packet import Network, Protocol, address
from netpath.vpc import Route

# fields ---------------------------------------------------------------------------------------


def test_a_missing_field_is_named_with_its_path() -> None:
    with pytest.raises(InputError, match=r"^f.json: Listeners\[0\].Port: is missing"):
        _ = next(Field({"Listeners": [{}]}, "f.json").each("Listeners"))["Port"]


@pytest.mark.parametrize(
    ("value", "call", "problem"),
    [
        (70000, lambda f: f.integer(1, 65535), "out of range"),
        ("eighty", lambda f: f.integer(1, 65535), "not a whole number"),
        (True, lambda f: f.integer(0, 1), "not a whole number"),
        ("yes", lambda f: f.boolean(), "not a boolean"),
        (5, lambda f: f.text(), "not a text"),
        ("10.0.0.300", lambda f: f.address(), "not an IPv4 address"),
        ("10.0.0.1/8", lambda f: f.network(), "not an IPv4 network"),
        ("Sometimes", lambda f: f.member(TrafficPolicy), "unknown value"),
        ([], lambda f: f.get("a"), "not an object"),
        ({"a": 1}, lambda f: list(f.each("a")), "not a list"),
        ({"a": 1}, lambda f: f.mapping_at("a"), "not an object"),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_expected(value: object, call: object, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        call(Field(value, "f.yaml", "x"))  # type: ignore[operator]
    assert caught.value.file == "f.yaml" and caught.value.expected


def test_null_counts_as_absent_and_numbers_may_be_texts() -> None:
    field = Field({"a": None, "b": "404"}, "f")
    assert field.get("a") is None and field.integer_at("b", 200, 599, 0) == 404
    assert field.boolean_at("a", True) and field.mapping_at("a") == {} and field.texts("a") == ()


# files ----------------------------------------------------------------------------------------


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "file"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON"),
        ('{"a": 1, "a": 2}', "the same name twice"),
        ('{"a":' * 100_000, "too deeply nested"),
        ("[" * 100_000, "too deeply nested"),
        ("- " * 3_000, "too deeply nested|not an object"),
        ("a: &a {x: 1}\nb: {<<: *a}", "merge keys"),
        ("a: 1\na: 2", "the same name twice"),
        ("a: !!python/object/apply:os.getcwd []", "not YAML"),
        ("a: [", "not YAML"),
        ("? {a: 1}\n: 2", "not YAML"),
        ("plain words", "not an object"),
        ("[1, 2]", "not an object"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_what_can_not_be_read_is_an_error_with_the_files_name(tmp_path: Path, text: str | bytes, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        list(read(written(tmp_path, text), "the-file"))
    assert caught.value.file == "the-file" and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "text",
    [
        "kind: X\na: " + "[" * 200_000,
        "kind: X\na: " + "{a: " * 100_000,
        "kind: X\na:\n  " + "- " * 200_000 + "x",
        "kind: X\n" + "".join(" " * level + "a:\n" for level in range(1000)),
    ],
)
def test_yaml_that_is_too_deep_for_libyaml_is_refused_and_nothing_ends(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"^f:\d+: too deeply nested"):
        list(read(written(tmp_path, text), "f"))


def test_what_only_looks_deep_is_read(tmp_path: Path) -> None:
    text = "kind: X\na: '" + "[{" * 500 + "'\nb: |\n  " + "-" * 500
    assert len(list(read(written(tmp_path, text), "f"))) == 1


def test_yaml_that_pythons_own_loader_finds_too_deep_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deep(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr("yaml.load_all", deep)
    with pytest.raises(InputError, match="too deeply nested"):
        list(read(written(tmp_path, "kind: X"), "f"))


@pytest.mark.parametrize("text", ["kind: " + "9" * 5000, '{"Vpcs": ' + "9" * 5000 + "}", "kind: a\0b"])
def test_what_is_no_text_or_number_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"not (JSON|YAML)") as caught:
        list(read(written(tmp_path, text), "f"))
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path, "kind: X")
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(InputError, match=r"^f: can't be read \(Permission denied\)"):
        list(read(path, "f"))


def test_a_world_of_many_large_files_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netpath.load.files.MOST_BYTES", 20)
    for name in "abc":
        (tmp_path / name).write_text("kind: X     ")
    with pytest.raises(InputError, match="too large: got 36"):
        list(documents(tmp_path))


def test_aliases_that_would_grow_without_end_do_not_fill_the_memory(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    field = next(iter(read(written(tmp_path, "\n".join(["kind: X", *lines])), "bomb")))
    assert isinstance(field, Field)
    with pytest.raises(InputError) as caught:
        field["a29"].text()
    assert len(str(caught.value)) < 1000


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netpath.load.files.MOST_BYTES", 10)
    with pytest.raises(InputError, match="too large"):
        list(read(written(tmp_path, "kind: Service"), "f"))


def test_a_file_is_recognised_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("$ORIGIN example.com.\n@ 60 IN SOA ns. host. 1 2 3 4 5\n@ IN NS ns.\n")
    (tmp_path / "b").write_text('\ufeff {"Vpcs": []}')
    (tmp_path / "c.zone").write_text(
        "kind: ConfigMap\ndata:\n  z: |\n    @ 60 IN SOA ns. host. 1 2 3 4 5\n---\n---\nkind: X\n"
    )
    (tmp_path / "README.md").write_text("notes: [")
    (tmp_path / ".hidden").write_text("{")
    kinds = [type(d).__name__ for d in documents(tmp_path)]
    assert kinds == ["MasterFile", "Field", "Field", "Field"]


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_world_without_files_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no such folder|an empty world"):
        list(documents(tmp_path / name))


def test_a_folder_that_cannot_be_looked_into_is_an_error() -> None:
    with pytest.raises(InputError, match=r"can't be read \(File name too long\): got 'xxx.*; expected a world"):
        list(documents(Path("x" * 5000)))


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netpath.load.files.MOST_FILES", 1)
    for name in "ab":
        (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match="too many files"):
        list(documents(tmp_path))


# zones ----------------------------------------------------------------------------------------

SOA = "@ 60 IN SOA ns host 1 2 3 4 5\n"


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        (SOA + "@ IN NS ns\n", "a zone without its name", None),
        ("$ORIGIN a.\n@ 60 IN NS ns\n", "without SOA", None),
        ("$ORIGIN a.\n" + SOA, "without NS", None),
        ("$ORIGIN a.\n" + SOA + "@ IN NS ns\nx IN A 10.0.0.256\n", "Text input is malformed|[Ii]nvalid|[Bb]ad", 4),
        ("$ORIGIN a.\n" + SOA + "$INCLUDE /etc/passwd\n", "INCLUDE", 3),
    ],
)
def test_a_bad_master_file_is_refused_with_its_line(text: str, problem: str, line: int | None) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        zones.zone(MasterFile("a.zone", text))
    assert (caught.value.file, caught.value.line) == ("a.zone", line)


def test_a_contradiction_in_a_zone_is_refused_without_a_line() -> None:
    with pytest.raises(InputError, match=r"^a.zone: .*CNAME") as caught:
        zones.zone(MasterFile("a.zone", f"$ORIGIN a.\n{SOA}@ IN NS ns\nb 60 IN A 10.0.0.1\nb 60 IN CNAME c\n"))
    assert caught.value.line is None


def test_an_error_within_parentheses_has_its_line() -> None:
    with pytest.raises(InputError, match=r"^a.zone:4: ") as caught:
        zones.zone(MasterFile("a.zone", "$ORIGIN a.\n@ 60 IN SOA ns host (\n 1\n x\n 3 4 5)\n@ IN NS ns\n"))
    assert caught.value.line == 4


@pytest.mark.parametrize("span", ["1-1000000000", "1-99999999999999999999", "0-65536"])
def test_records_generated_without_end_are_refused(span: str) -> None:
    with pytest.raises(InputError, match=r"^a.zone:4: too many records: got '\$GENERATE"):
        zones.zone(MasterFile("a.zone", f"$ORIGIN a.\n{SOA}@ IN NS ns\n$GENERATE {span} a$ A 10.0.0.1\n"))


def test_a_few_generated_records_are_made() -> None:
    made = zones.zone(MasterFile("a.zone", f"$ORIGIN a.\n{SOA}@ IN NS ns\n$GENERATE 1-3 a$ A 10.0.0.$\n"))
    assert {"a1.a.", "a2.a.", "a3.a."} <= {str(name) for name in made}


# Kubernetes -----------------------------------------------------------------------------------


def cluster(text: str) -> Cluster:
    return kubectl.cluster([Field(document, "k.yaml") for document in yaml.safe_load_all(text)])


SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
"""


def test_a_service_gets_the_apis_own_defaults() -> None:
    service = cluster(SERVICE + "spec: {clusterIP: 10.1.1.1, ports: [{port: 80}]}").services[0]
    assert (service.type, service.ports[0].protocol, service.ports[0].target_port) == ("ClusterIP", Protocol.TCP, 80)
    assert service.external_traffic_policy is TrafficPolicy.CLUSTER and service.affinity_seconds is None


@pytest.mark.parametrize(
    ("spec", "seconds"),
    [
        ("{sessionAffinity: ClientIP}", 10800),
        ("{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}}", 60),
        ("{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {}}}", 10800),
        ("{sessionAffinity: None}", None),
    ],
)
def test_session_affinity_lasts_three_hours_unless_told(spec: str, seconds: int | None) -> None:
    assert cluster(SERVICE + "spec: " + spec).services[0].affinity_seconds == seconds


def test_a_headless_service_and_an_external_name_have_no_cluster_ip() -> None:
    assert cluster(SERVICE + "spec: {clusterIP: None}").services[0].cluster_ip is None
    external = cluster(SERVICE + "spec: {type: ExternalName, externalName: example.org}").services[0]
    assert (external.type, external.cluster_ip) == (ServiceType.EXTERNAL_NAME, None)


def test_what_decides_nothing_of_a_request_is_passed_over() -> None:
    plain = cluster(SERVICE + "spec: {clusterIP: 10.1.1.1}")
    assert cluster(SERVICE + "spec: {clusterIP: 10.1.1.1, trafficDistribution: PreferSameZone}") == plain


def test_of_two_families_the_ipv4_addresses_are_kept() -> None:
    spec = "spec: {clusterIP: 'fd00::1', clusterIPs: ['fd00::1', 10.1.1.1], externalIPs: ['fd00::2', 192.0.2.9]}"
    service = cluster(SERVICE + spec).services[0]
    assert (service.cluster_ip, service.external_ips) == (address("10.1.1.1"), (address("192.0.2.9"),))


def test_source_ranges_may_have_spaces_and_host_bits_as_kube_proxy_allows() -> None:
    spec = "spec: {type: LoadBalancer, loadBalancerSourceRanges: [' 203.0.113.7/25']}"
    assert cluster(SERVICE + spec).services[0].load_balancer_source_ranges == (Network("203.0.113.0/25"),)
    with pytest.raises(InputError, match="loadBalancerSourceRanges"):
        cluster(SERVICE + "spec: {loadBalancerSourceRanges: [nowhere]}")


def test_a_balancer_that_terminates_itself_gives_kube_proxy_no_address() -> None:
    text = SERVICE + "spec: {type: LoadBalancer}\nstatus: {loadBalancer: {ingress: [%s]}}"
    assert cluster(text % "{ip: 192.0.2.1}").services[0].load_balancer_ips == (address("192.0.2.1"),)
    assert cluster(text % "{ip: 192.0.2.1, ipMode: Proxy}").services[0].load_balancer_ips == ()
    assert cluster(text % "{hostname: x.elb.amazonaws.com}").services[0].load_balancer_ips == ()


SLICE = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-x, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
"""


def test_conditions_that_are_not_given_mean_ready() -> None:
    endpoint = cluster(SLICE + "endpoints: [{addresses: [10.0.0.1]}]").slices[0].endpoints[0]
    assert (endpoint.ready, endpoint.serving, endpoint.terminating) == (True, True, False)


def test_serving_is_as_ready_where_it_is_not_given() -> None:
    endpoint = (
        cluster(SLICE + "endpoints: [{addresses: [10.0.0.1], conditions: {ready: false}}]").slices[0].endpoints[0]
    )
    assert (endpoint.ready, endpoint.serving) == (False, False)


def test_hints_and_the_pod_are_kept() -> None:
    more = "hints: {forZones: [{name: a}], forNodes: [{name: n}]}, targetRef: {kind: Pod, name: p}"
    endpoint = cluster(SLICE + "endpoints: [{addresses: [10.0.0.1], %s}]" % more).slices[0].endpoints[0]  # noqa: UP031
    assert (endpoint.zone_hints, endpoint.node_hints, endpoint.pod) == (("a",), ("n",), "p")


def test_slices_of_another_family_or_without_a_service_are_passed_over() -> None:
    assert cluster(SLICE.replace("IPv4", "IPv6")).slices == ()
    assert cluster(SLICE.replace("kubernetes.io/service-name: web", "a: b")).slices == ()


def test_an_endpoint_without_an_address_is_refused() -> None:
    with pytest.raises(InputError, match=r"endpoints\[0\]: an endpoint without an address"):
        cluster(SLICE + "endpoints: [{conditions: {ready: true}}]")


INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop, namespace: shop}
"""
BACKEND = "backend: {service: {name: web, port: {number: 80}}}"


def test_an_ingress_keeps_hosts_paths_types_and_its_default() -> None:
    rules = f"rules: [{{host: a.b, http: {{paths: [{{path: /, pathType: Prefix, {BACKEND}}}]}}}}, {{host: c.d}}]"
    more = "defaultBackend: {service: {name: d, port: {name: http}}}, tls: [{hosts: [a.b], secretName: s}]"
    ingress = cluster(f"{INGRESS}spec: {{{rules}, {more}}}").ingresses[0]
    path = ingress.rules[0].paths[0]
    assert (path.type, str(path.backend), str(ingress.default_backend)) == (PathType.PREFIX, "web:80", "d:http")
    assert ingress.rules[1].paths == () and ingress.tls[0].hosts == ("a.b",)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        (f"{{path: cart, pathType: Prefix, {BACKEND}}}", "not a path"),
        (f"{{path: /, pathType: Regex, {BACKEND}}}", "unknown value"),
        ("{path: /, pathType: Prefix, backend: {resource: {kind: Bucket}}}", "only Service backends"),
    ],
)
def test_an_ingress_path_that_the_api_would_refuse_is_refused(path: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        cluster(INGRESS + f"spec: {{rules: [{{http: {{paths: [{path}]}}}}]}}")


def test_the_default_class_is_told_by_its_annotation() -> None:
    text = """{apiVersion: networking.k8s.io/v1, kind: IngressClass, spec: {controller: k8s.io/ingress-nginx},
      metadata: {name: nginx, annotations: {ingressclass.kubernetes.io/is-default-class: "true"}}}"""
    assert cluster(text).ingress_classes[0].default


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (SERVICE.replace("v1", "v1beta1"), None),
        (INGRESS.replace("networking.k8s.io/v1", "extensions/v1beta1") + "spec: {}", "API version"),
        (SERVICE.replace("apiVersion: v1", "apiVersion: serving.knative.dev/v1"), None),
    ],
)
def test_another_groups_kind_is_passed_over_and_an_old_version_refused(text: str, problem: str | None) -> None:
    if problem is None:
        assert cluster(text).services == ()
    else:
        with pytest.raises(InputError, match=problem):
            cluster(text)


def test_the_same_object_twice_is_a_contradiction() -> None:
    with pytest.raises(WorldError, match=r"Service shop/web is there twice, also in k\.yaml"):
        cluster(SERVICE + "spec: {}\n---" + SERVICE + "spec: {}")


def test_a_node_without_an_ipv4_address_is_refused() -> None:
    with pytest.raises(InputError, match="a node without an address"):
        cluster("{apiVersion: v1, kind: Node, metadata: {name: n}, status: {addresses: []}}")


def test_an_unknown_protocol_is_refused_by_its_field() -> None:
    with pytest.raises(InputError, match=r"spec.ports\[0\].protocol: unknown protocol: got 'HTTP'"):
        cluster(SERVICE + "spec: {ports: [{port: 80, protocol: HTTP}]}")


def test_lists_and_single_objects_and_several_documents_are_one_cluster() -> None:
    first, second = (f"{{apiVersion: v1, kind: Service, metadata: {{name: s{n}}}, spec: {{}}}}" for n in (1, 2))
    text = f"kind: List\nitems: [{first}, {second}]\n---\nkind: ServiceList\nitems: []\n---" + SERVICE + "spec: {}"
    assert [service.key for service in cluster(text).services] == ["default/s1", "default/s2", "shop/web"]


def test_a_list_in_a_list_is_refused() -> None:
    with pytest.raises(InputError, match=r"items\[0\]: a List in a List"):
        cluster("{kind: List, items: [{kind: List, items: []}]}")


def test_a_kind_whose_name_ends_in_list_is_just_an_object() -> None:
    assert cluster("{kind: AllowList, metadata: {name: x}}") == Cluster()


POD = "{apiVersion: v1, kind: Pod, metadata: {name: %s}, spec: {nodeName: n}, status: {%s}}"
NODE = (
    "{apiVersion: v1, kind: Node, metadata: {name: %s}, status: {addresses: [{type: InternalIP, address: 10.0.0.1}]}}"
)


def test_a_pod_has_its_ipv4_address_whichever_comes_first() -> None:
    assert cluster(POD % ("p", "podIP: 'fd00::1', podIPs: [{ip: 'fd00::1'}, {ip: 10.0.0.9}]")).pods[0].ip == address(
        "10.0.0.9"
    )
    assert cluster(POD % ("p", "podIP: 'fd00::1'")).pods[0].ip is None


def test_a_pod_that_has_ended_has_no_address_any_more() -> None:
    text = (
        POD % ("job", "phase: Succeeded, podIP: 10.0.0.9") + "\n---\n" + POD % ("p", "phase: Running, podIP: 10.0.0.9")
    )
    assert [pod.ip for pod in cluster(text).pods] == [None, address("10.0.0.9")]


def test_two_with_one_address_are_a_contradiction() -> None:
    with pytest.raises(WorldError, match=r"Pod b has the address of a, which is in k\.yaml: got '10.0.0.9'"):
        cluster("\n---\n".join(POD % (name, "phase: Running, podIP: 10.0.0.9") for name in "ab"))
    with pytest.raises(WorldError, match=r"Node b has the address of a, which is in k\.yaml"):
        cluster("\n---\n".join(NODE % name for name in "ab"))


def test_pods_on_the_hosts_network_share_their_nodes_address() -> None:
    text = POD.replace("nodeName: n", "hostNetwork: true")
    assert len(cluster("\n---\n".join(text % (name, "podIP: 10.0.0.1") for name in "ab")).pods) == 2


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_pod_on_a_node_that_is_not_there_is_named(wrapped: bool) -> None:
    pod, node = POD % ("p", "podIP: 10.0.0.9"), NODE % "other"
    text = f"{{kind: List, items: [{node}, {pod}]}}" if wrapped else f"{node}\n---\n{pod}"
    field = r"items\[1\].spec.nodeName" if wrapped else "spec.nodeName"
    with pytest.raises(WorldError, match=rf"^k.yaml: {field}: pod default/p is on .* got 'n'; expected one of other"):
        cluster(text)


def test_the_same_object_twice_in_lists_says_both_places() -> None:
    items = "{kind: List, items: [%s]}" % (POD % ("p", ""))
    with pytest.raises(WorldError, match=r"^k.yaml: items\[0\]: Pod default/p .* also in k.yaml: items\[0\]"):
        cluster(f"{items}\n---\n{items}")


CONTROLLER_POD = """{apiVersion: v1, kind: Pod, spec: {containers: [{args: [%s]}]},
  metadata: {name: c, labels: {app.kubernetes.io/name: ingress-nginx}}}"""


def test_the_controllers_flags_are_read_from_its_pods() -> None:
    flags = "--ingress-class=inner, --controller-class, example.com/x, --watch-ingress-without-class"
    told = cluster(CONTROLLER_POD % f"/nginx-ingress-controller, {flags}").controller
    assert (told.ingress_class, told.controller, told.watch_without_class) == ("inner", "example.com/x", True)
    assert not cluster(CONTROLLER_POD % "--watch-ingress-without-class=false").controller.watch_without_class


PROXY = """{apiVersion: v1, kind: ConfigMap, metadata: {name: kube-proxy, namespace: kube-system},
  data: {config.conf: "%s"}}"""


def test_kube_proxys_own_configuration_is_read_from_its_config_map() -> None:
    proxy = cluster(PROXY % "mode: iptables\\nclusterCIDR: 10.2.0.0/16\\niptables: {masqueradeAll: true}").proxy
    assert proxy.cluster_cidrs == (Network("10.2.0.0/16"),) and proxy.masquerade_all


def test_kube_proxy_without_a_word_does_as_it_does_by_default() -> None:
    assert (
        cluster(PROXY % "").proxy == cluster(PROXY.replace("config.conf", "kubeconfig") % "x").proxy == Cluster().proxy
    )


@pytest.mark.parametrize(
    ("config", "mode", "interface"),
    [
        ("detectLocalMode: NodeCIDR", DetectLocalMode.NODE_CIDR, ""),
        (
            "detectLocalMode: BridgeInterface\\ndetectLocal: {bridgeInterface: br0}",
            DetectLocalMode.BRIDGE_INTERFACE,
            "br0",
        ),
        (
            "detectLocalMode: InterfaceNamePrefix\\ndetectLocal: {interfaceNamePrefix: eni}",
            DetectLocalMode.INTERFACE_NAME_PREFIX,
            "eni",
        ),
        ("detectLocalMode: ClusterCIDR\\ndetectLocal: {bridgeInterface: br0}", DetectLocalMode.CLUSTER_CIDR, ""),
    ],
)
def test_the_local_detector_is_read_with_its_interface(config: str, mode: DetectLocalMode, interface: str) -> None:
    proxy = cluster(PROXY % config).proxy
    assert (proxy.detect_local_mode, proxy.local_interface) == (mode, interface)


def test_conntrack_may_be_liberal() -> None:
    assert cluster(PROXY % "conntrack: {tcpBeLiberal: true}").proxy.conntrack_tcp_be_liberal


def test_node_ports_may_be_on_the_primary_addresses_alone() -> None:
    nodes = cluster(NODE % "n" + "\n---\n" + PROXY % "nodePortAddresses: [primary]")
    assert nodes.proxy.node_port_addresses == (Network("10.0.0.1/32"),)
    told = cluster(PROXY % "nodePortAddresses: [10.0.0.0/8, 'fd00::/8']").proxy
    assert told.node_port_addresses == (Network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ("mode: ipvs", r"data.config.conf.mode: this mode of kube-proxy is not modelled"),
        ("[", "not YAML"),
        ("detectLocalMode: Guess", "config.conf.detectLocalMode: unknown value"),
        ("detectLocalMode: BridgeInterface", "config.conf.detectLocal: is missing"),
        ("clusterCIDR: nowhere", "clusterCIDR: not an IPv4 network"),
        ("nodePortAddresses: [primary, 10.0.0.0/8]", r"nodePortAddresses\[0\]: not an IPv4 network"),
    ],
)
def test_a_mode_that_is_not_modelled_is_refused(config: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        cluster(PROXY % config)


CONTROLLER = """{apiVersion: v1, kind: ConfigMap, data: {use-forwarded-headers: "%s"},
  metadata: {name: c, namespace: i, labels: {app.kubernetes.io/name: ingress-nginx}}}"""


def test_the_controllers_config_map_is_read() -> None:
    assert cluster(CONTROLLER % "true").controller.use_forwarded_headers
    with pytest.raises(InputError, match="not a boolean"):
        cluster(CONTROLLER % "maybe")
    assert cluster("{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}").controller == Cluster().controller


# AWS ------------------------------------------------------------------------------------------


def aws(key: str, *items: Mapping[str, object]) -> list[Any]:
    return [value for value, _ in ec2.read(key, Field({key: list(items)}, "aws.json"))]


def test_a_route_leads_to_the_interface_where_the_cli_names_instance_and_interface() -> None:
    route = {"DestinationCidrBlock": "0.0.0.0/0", "InstanceId": "i-1", "NetworkInterfaceId": "eni-1", "State": "active"}
    table = aws("RouteTables", {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Routes": [route], "Associations": []})[0]
    assert table.routes == (Route(Network("0.0.0.0/0"), "eni-1"),)


def test_an_ipv6_route_is_passed_over_and_a_prefix_list_kept() -> None:
    routes = [
        {"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1"},
        {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"},
    ]
    table = aws("RouteTables", {"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Routes": routes})[0]
    assert [route.destination for route in table.routes] == ["pl-1"]


def test_one_permission_is_as_many_rules_as_it_has_peers() -> None:
    permission = {
        "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "PrefixListIds": [{"PrefixListId": "pl-1"}],
        "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "us"}], "UserIdGroupPairs": [{"GroupId": "sg-2"}],
    }  # fmt: skip
    group = aws("SecurityGroups", {"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": [permission]})[0]
    assert [str(rule.peer) for rule in group.ingress] == ["10.0.0.0/8", "sg-2", "pl-1"]


def test_an_error_of_the_model_gets_the_file_and_the_field() -> None:
    bad = {"NetworkAclId": "acl-1", "VpcId": "vpc-1", "Entries": [], "Associations": [], "IsDefault": "no"}
    with pytest.raises(InputError, match=r"^aws.json: NetworkAcls\[0\].IsDefault: not a boolean"):
        aws("NetworkAcls", bad)
    turned = {"IpProtocol": "tcp", "FromPort": 90, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    with pytest.raises(NetpathError, match=r"^aws.json: SecurityGroups\[0\]"):
        aws("SecurityGroups", {"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissions": [turned]})


def test_an_acl_entry_neither_allows_nor_denies_only_by_mistake() -> None:
    entry = {"RuleNumber": 100, "Egress": False, "RuleAction": "maybe", "CidrBlock": "0.0.0.0/0", "Protocol": "-1"}
    with pytest.raises(InputError, match="unknown action"):
        aws("NetworkAcls", {"NetworkAclId": "acl-1", "VpcId": "vpc-1", "Entries": [entry]})


def test_a_deleted_nat_gateway_is_none_and_a_detached_internet_gateway_is_attached_to_none() -> None:
    assert aws("NatGateways", {"NatGatewayId": "nat-1", "State": "deleted"}) == []
    assert aws("InternetGateways", {"InternetGatewayId": "igw-1", "Attachments": []})[0].vpc_id is None


def test_the_primary_address_comes_first_whatever_the_order_in_the_file() -> None:
    entries = [{"PrivateIpAddress": "10.0.0.6", "Primary": False}, {"PrivateIpAddress": "10.0.0.5", "Primary": True}]
    eni = aws("NetworkInterfaces", {"NetworkInterfaceId": "eni-1", "SubnetId": "s", "PrivateIpAddresses": entries})[0]
    assert eni.primary == address("10.0.0.5")


def test_the_books_world_is_valid_json_and_yaml() -> None:
    folder = Path(__file__).parent.parent / "netpath" / "worlds" / "shop"
    assert len(list(documents(folder))) > 30
    assert all(json.loads(path.read_text()) for path in folder.rglob("*.json"))
