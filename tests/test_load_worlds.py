"""Whole worlds: the book's own, parts of it, and thousands of spoilt ones."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netpath.errors import InputError, NetpathError, WorldError
from netpath.journey import travel
from netpath.load import SHOP, load_world, shop, world
from netpath.load.fields import Field
from netpath.load.files import MasterFile, documents
from netpath.memory import Memory
from netpath.packet import http_request
from netpath.world import World

Document = MasterFile | Field
DOCUMENTS: Sequence[Document] = tuple(documents(SHOP))


def only(*folders: str) -> World:
    """The book's world with some of its folders alone."""
    return world(each for each in DOCUMENTS if each.file.startswith(folders))


def test_the_books_world_has_every_part() -> None:
    made = shop()
    assert len(made.zones) == 8 and made.aliases and made.region and made.cluster
    assert [balancer.name for balancer in made.load_balancers] == ["shop-alb"]
    assert shop() is made


def test_the_same_folder_gives_the_same_world() -> None:
    assert load_world(SHOP).cluster == shop().cluster and load_world(str(SHOP)).region == shop().region


# Parts ----------------------------------------------------------------------------------------


def test_zones_alone_are_a_world_that_resolves() -> None:
    made = only("zones/")
    assert made.names.lookup("shop.example.com", Memory(), "198.51.100.53", lambda _, weights: 0)
    with pytest.raises(WorldError, match="has no cluster"):
        made.need(made.cluster, "cluster", "an Ingress")


def test_a_vpc_alone_is_a_world_without_names() -> None:
    made = world(each for each in DOCUMENTS if each.file.startswith("aws/describe-") and "TargetGroup" not in str(each))
    assert made.region is not None and made.cluster is None
    with pytest.raises(WorldError, match="this world has no root zone"):
        travel(made, Memory(), http_request("http://shop.example.com/"))


def test_a_cluster_alone_is_a_world_whose_nodes_share_a_network() -> None:
    made = only("kubernetes/")
    assert made.region is None and made.cluster is not None and len(made.nodes) == 3


def elb_only() -> list[Document]:
    keys = ("LoadBalancers", "Listeners", "Rules", "TargetGroups", "TargetHealthDescriptions")
    return [each for each in DOCUMENTS if isinstance(each, Field) and any(key in each.value for key in keys)]


def test_load_balancers_alone_have_targets_whose_address_nobody_knows() -> None:
    balancer = world(elb_only()).load_balancers[0]
    instances = [target for group in balancer.target_groups for target in group.targets if target.id.startswith("i-")]
    assert instances and all(str(target.endpoint.address) == "0.0.0.0" for target in instances)


def test_without_a_vpc_the_cluster_says_where_an_instance_is() -> None:
    made = world([*elb_only(), *(each for each in DOCUMENTS if each.file.startswith("kubernetes/"))])
    addresses = {str(t.endpoint.address) for g in made.load_balancers[0].target_groups for t in g.targets}
    assert made.cluster is not None and {str(node.address) for node in made.cluster.nodes} <= addresses


def test_a_world_needs_no_part_at_all() -> None:
    assert world([]).zones == () and world([]).region is None


# References that dangle -----------------------------------------------------------------------


def changed(key: str, *changes: tuple[tuple[str | int, ...], object]) -> list[Document]:
    """The book's documents with fields of the first document that has `key` changed."""
    made = list(DOCUMENTS)
    number = next(n for n, each in enumerate(made) if isinstance(each, Field) and key in each.value)
    value = deepcopy(made[number].value)  # type: ignore[union-attr]
    for path, new in changes:
        owner = value
        for part in path[:-1]:
            owner = owner[part]
        owner[path[-1]] = new
    made[number] = Field(value, made[number].file)
    return made


@pytest.mark.parametrize(
    ("key", "path", "value", "message"),
    [
        ("Subnets", ("Subnets", 1, "VpcId"), "vpc-9", r"aws/describe-subnets.json: Subnets\[1\].VpcId: .*vpc-9"),
        ("Subnets", ("Subnets", 0, "CidrBlock"), "172.16.0.0/24", r"Subnets\[0\].CidrBlock: .* outside"),
        ("RouteTables", ("RouteTables", 0, "VpcId"), "vpc-9", r"RouteTables\[0\].VpcId: .*vpc-9"),
        ("NetworkInterfaces", ("NetworkInterfaces", 0, "SubnetId"), "s-9", r"NetworkInterfaces\[0\].SubnetId: .*s-9"),
        ("NetworkAcls", ("NetworkAcls", 0, "VpcId"), "vpc-9", r"NetworkAcls\[0\].VpcId: .*vpc-9"),
        ("Listeners", ("Listeners", 0, "LoadBalancerArn"), "arn:9", r"Listeners\[0\].LoadBalancerArn: a listener of"),
        ("Rules", ("Rules", 0, "RuleArn"), "arn:9/1", r"Rules\[0\].RuleArn: a rule of a listener that isn't there"),
        ("LoadBalancers", ("LoadBalancers", 0, "VpcId"), "vpc-9", r"LoadBalancers\[0\].VpcId: a reference"),
        ("LoadBalancers", ("LoadBalancers", 0, "SecurityGroups", 0), "sg-9", r"SecurityGroups\[0\]: a reference"),
        (
            "LoadBalancers",
            ("LoadBalancers", 0, "AvailabilityZones", 0, "SubnetId"),
            "subnet-9",
            r"LoadBalancers\[0\].AvailabilityZones\[0\].SubnetId: a reference",
        ),
        (
            "Addresses",
            ("Addresses", 0, "PrivateIpAddress"),
            "10.0.9.9",
            r"describe-addresses.json: Addresses\[0\]: .* is associated with",
        ),
        (
            "TargetHealthDescriptions",
            ("TargetHealthDescriptions", 0, "Target", "Id"),
            "10.0.0.300",
            r"TargetHealthDescriptions\[0\].Target.Id: not an IPv4 address",
        ),
    ],
)
def test_what_refers_to_nothing_is_named_with_its_file_and_field(
    key: str, path: tuple[str | int, ...], value: object, message: str
) -> None:
    with pytest.raises(NetpathError, match=message):
        world(changed(key, (path, value)))


def test_an_instance_that_has_no_interface_is_named() -> None:
    name = "aws/describe-target-health.shop-ingress.json"
    made = list(DOCUMENTS)
    number = next(n for n, each in enumerate(made) if each.file == name)
    value = deepcopy(made[number].value)  # type: ignore[union-attr]
    value["TargetHealthDescriptions"][0]["Target"]["Id"] = "i-9"
    made[number] = Field(value, name)
    with pytest.raises(WorldError, match=r"Target.Id: a target on an instance that isn't there: got 'i-9'"):
        world(made)


def test_an_interface_described_twice_is_a_contradiction_that_names_both_places() -> None:
    twin = deepcopy(next(d for d in DOCUMENTS if isinstance(d, Field) and "Subnets" in d.value).value)
    with pytest.raises(WorldError, match=r"^b.json: Subnets\[0\]: .* twice, also in aws/.*: Subnets\[0\]"):
        world([*DOCUMENTS, Field(twin, "b.json")])


def test_a_zone_that_nobody_serves_is_an_error_with_its_file() -> None:
    lonely = MasterFile("z.zone", "$ORIGIN a.test.\n@ 60 IN SOA ns host 1 2 3 4 5\n@ 60 IN NS ns.b.test.\n")
    with pytest.raises(WorldError, match=r"^z.zone: a.test. NS: no name server of a.test. has an address"):
        world([lonely])


def test_an_unknown_document_is_refused_with_what_is_known() -> None:
    with pytest.raises(InputError, match=r"^x.json: an unknown kind of document: got \['Buckets'\]; expected `kind`"):
        world([Field({"Buckets": []}, "x.json")])


# Spoilt worlds --------------------------------------------------------------------------------

Path_ = tuple[str | int, ...]


def _paths(value: Any, before: Path_ = ()) -> Iterator[Path_]:
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield (*before, key)
        yield from _paths(inner, (*before, key))


PLACES = [(n, path) for n, each in enumerate(DOCUMENTS) if isinstance(each, Field) for path in _paths(each.value)]
_texts = ["", "x", "-1", "10.0.0.1", "10.0.0.0/16", "0.0.0.0/0", "::1", "*", "a" * 300, "\x1b[2J", "é\ud800", "None"]
_numbers = [0, -1, 65536, 10**30, 1.5, float("nan")]
JUNK: st.SearchStrategy[object] = (
    st.sampled_from([None, True, *_texts, *_numbers]) | st.builds(list) | st.just({"": None}) | st.just([["x"]])
)
CHANGES = st.lists(st.tuples(st.sampled_from(PLACES), st.just("delete") | JUNK), min_size=1, max_size=3)


def _spoilt(changes: Sequence[tuple[tuple[int, Path_], object]]) -> list[Document]:
    made = list(DOCUMENTS)
    for (number, path), new in changes:
        value = deepcopy(made[number].value)  # type: ignore[union-attr]
        owner = value
        try:
            for part in path[:-1]:
                owner = owner[part]
            if new == "delete":
                del owner[path[-1]]
            else:
                owner[path[-1]] = new
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took it away
        made[number] = Field(value, made[number].file)
    return made


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CHANGES)
def test_a_spoilt_world_is_either_a_world_or_an_error_that_says_where(
    changes: Sequence[tuple[tuple[int, Path_], object]],
) -> None:
    try:
        made = world(_spoilt(changes))
    except NetpathError as error:
        assert error.file is not None and len(str(error)) < 1000
        return
    try:
        assert travel(made, Memory(), http_request("http://shop.example.com/cart")).outcome.verdict.code
    except NetpathError as error:
        assert str(error)


def test_every_file_of_the_books_world_is_read(tmp_path: Path) -> None:
    read = {each.file for each in DOCUMENTS}
    assert read == {str(path.relative_to(SHOP)) for path in SHOP.rglob("*") if path.is_file()}
