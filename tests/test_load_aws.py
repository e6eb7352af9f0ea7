"""What `aws ec2`, `aws elbv2` and `aws route53` print, field by field."""

from collections.abc import Mapping
from typing import Any

import pytest

from netpath.balancing import FixedResponse, Forward, LoadBalancer, Redirect, TargetGroup
from netpath.errors import InputError, NetpathError, WorldError
from netpath.load import _locate, ec2, elb, route53, world
from netpath.load.fields import Field
from netpath.load.files import MasterFile
from netpath.load.zones import zone
from netpath.packet import address
from netpath.vpc import ConnectionTracking, NatGateway, NetworkInterface, Region
from netpath.world import World
from tests.test_load import aws

# Network interfaces ---------------------------------------------------------------------------


def interface(**more: object) -> NetworkInterface:
    item = {"NetworkInterfaceId": "eni-1", "SubnetId": "subnet-1", "PrivateIpAddress": "10.0.0.5", **more}
    value, _ = next(ec2.read("NetworkInterfaces", Field({"NetworkInterfaces": [item]}, "eni.json")))
    assert isinstance(value, NetworkInterface)
    return value


def test_an_interface_says_its_place_among_its_instances_interfaces() -> None:
    attached = interface(Attachment={"InstanceId": "i-1", "DeviceIndex": 2, "NetworkCardIndex": 1})
    assert (attached.instance_id, attached.order) == ("i-1", (1, 2))
    assert interface().order == (0, 0)


def test_an_interfaces_own_timeouts_are_read_and_the_others_are_awss() -> None:
    told = interface(ConnectionTrackingConfiguration={"TcpEstablishedTimeout": 350, "UdpTimeout": 60}).tracking
    assert (told.tcp_established, told.udp, told.udp_stream) == (350, 60, 180)
    assert interface().tracking == ConnectionTracking()


def test_a_timeout_that_aws_would_refuse_is_refused() -> None:
    with pytest.raises(InputError, match=r"^eni.json: .*TcpEstablishedTimeout: out of range: got 5; expected 60 to"):
        interface(ConnectionTrackingConfiguration={"TcpEstablishedTimeout": 5})


def nat_gateway(*addresses: Mapping[str, object]) -> NatGateway:
    item = {"NatGatewayId": "nat-1", "SubnetId": "subnet-1", "State": "available", "NatGatewayAddresses": addresses}
    value, _ = next(
        ec2.read("NatGateways", Field({"NatGateways": [{**item, "NatGatewayAddresses": [*addresses]}]}, "f"))
    )
    assert isinstance(value, NatGateway)
    return value


def test_a_nat_gateways_first_address_is_the_primary_one_and_failed_ones_are_none() -> None:
    made = nat_gateway(
        {"PrivateIp": "10.0.0.7", "PublicIp": "192.0.2.7", "Status": "succeeded", "IsPrimary": False},
        {"PrivateIp": "10.0.0.8", "PublicIp": "192.0.2.8", "Status": "failed", "IsPrimary": False},
        {"PrivateIp": "10.0.0.6", "PublicIp": "", "Status": "succeeded", "IsPrimary": True},
    )
    assert [(str(held.address), held.public_ip) for held in made.addresses] == [
        ("10.0.0.6", None),
        ("10.0.0.7", address("192.0.2.7")),
    ]


# Prefix lists, peerings, addresses -------------------------------------------------------------


def test_a_prefix_list_without_its_cidrs_tells_nothing() -> None:
    managed = {"PrefixListId": "pl-1", "AddressFamily": "IPv4"}
    assert aws("PrefixLists", managed) == []
    assert len(aws("PrefixLists", {**managed, "Cidrs": ["10.0.0.0/8", "fd00::/8"]})[0].entries) == 1


def test_a_peering_joins_two_vpcs() -> None:
    ends = {"RequesterVpcInfo": {"VpcId": "vpc-1"}, "AccepterVpcInfo": {"VpcId": "vpc-2"}}
    made = aws("VpcPeeringConnections", {"VpcPeeringConnectionId": "pcx-1", **ends, "Status": {"Code": "deleted"}})[0]
    assert (made.other("vpc-1"), made.status) == ("vpc-2", "deleted")


VPC = {"Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}]}
SUBNET = {"Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "a"}]}
INTERFACE = {
    "NetworkInterfaces": [
        {
            "NetworkInterfaceId": "eni-1",
            "SubnetId": "subnet-1",
            "Attachment": {"InstanceId": "i-1", "DeviceIndex": 0},
            "PrivateIpAddresses": [
                {"PrivateIpAddress": "10.0.0.5", "Primary": True, "Association": {"PublicIp": "192.0.2.5"}}
            ],
        }
    ]
}


def load(*values: Mapping[str, object], names: tuple[str, ...] = ()) -> World:
    files = [*names, *(f"{number}.json" for number in range(len(names), len(values)))]
    return world(Field(dict(value), file) for value, file in zip(values, files, strict=True))


@pytest.mark.parametrize(
    "entry",
    [
        {"PublicIp": "192.0.2.5", "PrivateIpAddress": "10.0.0.5", "NetworkInterfaceId": "eni-1"},
        {"PublicIp": "192.0.2.5", "PrivateIpAddress": "10.0.0.5"},
        {"PublicIp": "192.0.2.9", "AllocationId": "eipalloc-1"},
        {"CarrierIp": "192.0.2.9", "PrivateIpAddress": "10.0.0.9"},
    ],
)
def test_an_elastic_address_that_agrees_or_is_free_is_fine(entry: Mapping[str, object]) -> None:
    assert load(VPC, SUBNET, INTERFACE, {"Addresses": [entry]}).region is not None


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"PublicIp": "192.0.2.5", "PrivateIpAddress": "10.0.0.6"}, "10.0.0.5 of eni-1"),
        ({"PublicIp": "192.0.2.5", "PrivateIpAddress": "10.0.0.5", "NetworkInterfaceId": "eni-2"}, "10.0.0.5 of eni-1"),
        ({"PublicIp": "192.0.2.6", "PrivateIpAddress": "10.0.0.5"}, "nobody"),
    ],
)
def test_an_elastic_address_that_disagrees_is_a_contradiction(entry: Mapping[str, object], told: str) -> None:
    with pytest.raises(WorldError, match=rf"^3.json: Addresses\[0\]: .* is associated with {told}"):
        load(VPC, SUBNET, INTERFACE, {"Addresses": [entry]})


def test_two_route_tables_for_a_subnet_are_both_named() -> None:
    tables = [
        {"RouteTableId": f"rtb-{n}", "VpcId": "vpc-1", "Associations": [{"SubnetId": "subnet-1"}]} for n in (1, 2)
    ]
    with pytest.raises(WorldError, match=r"^2.json: RouteTables\[0\].Associations: two .* rtb-1 and rtb-2"):
        load(VPC, SUBNET, {"RouteTables": tables})


def test_a_vpc_with_two_main_tables_is_a_contradiction_that_names_both() -> None:
    tables = [{"RouteTableId": f"rtb-{n}", "VpcId": "vpc-1", "Associations": [{"Main": True}]} for n in (1, 2)]
    with pytest.raises(WorldError, match="more than one main route table: rtb-1 and rtb-2"):
        load(VPC, {"RouteTables": tables})


# Load balancers -------------------------------------------------------------------------------

ELB = "arn:aws:elasticloadbalancing:eu-west-1:1"
BALANCER = {
    "LoadBalancerArn": f"{ELB}:loadbalancer/app/web/50dc",
    "LoadBalancerName": "web",
    "DNSName": "web.elb.amazonaws.com",
    "Type": "application",
    "AvailabilityZones": [{"ZoneName": "a", "SubnetId": "subnet-1"}],
}
GROUP = {"TargetGroupArn": f"{ELB}:targetgroup/cart/943f", "TargetGroupName": "cart", "Port": 80, "TargetType": "ip"}
OTHER = {
    "TargetGroupArn": f"{ELB}:targetgroup/shop-cart/6d0e",
    "TargetGroupName": "shop-cart",
    "Port": 8080,
    "TargetType": "ip",
}
FORWARD = {"Type": "forward", "TargetGroupArn": GROUP["TargetGroupArn"]}
FIXED = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}


def listener(*actions: Mapping[str, object], port: int = 80) -> dict[str, object]:
    return {
        "ListenerArn": f"{ELB}:listener/app/web/50dc/f{port}",
        "LoadBalancerArn": BALANCER["LoadBalancerArn"],
        "Port": port,
        "Protocol": "HTTP",
        "DefaultActions": list(actions),
    }


def rule(priority: str, *actions: Mapping[str, object], **more: object) -> dict[str, object]:
    arn = f"{ELB}:listener-rule/app/web/50dc/f80/{priority}"
    return {"RuleArn": arn, "Priority": priority, "Actions": list(actions), "Conditions": [], **more}


def balancer(*values: Mapping[str, object], names: tuple[str, ...] = ()) -> LoadBalancer:
    made = load({"LoadBalancers": [BALANCER]}, *values, names=("lb.json", *names))
    return made.load_balancers[0]


def action(value: Mapping[str, object]) -> Any:
    return balancer({"Listeners": [listener(value)]}, {"TargetGroups": [GROUP, OTHER]}).listeners[0].rules[-1].action


def test_an_action_is_read_by_its_type() -> None:
    assert isinstance(action(FORWARD), Forward)
    assert action(FIXED) == FixedResponse(404)
    redirect = action({"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", "Port": "443"}})
    assert isinstance(redirect, Redirect) and redirect.port == "443"


def test_a_weighted_forward_keeps_weights_and_stickiness() -> None:
    groups = [{"TargetGroupArn": GROUP["TargetGroupArn"], "Weight": 3}, {"TargetGroupArn": OTHER["TargetGroupArn"]}]
    config = {"TargetGroups": groups, "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60}}
    made = action({"Type": "forward", "ForwardConfig": config})
    assert [group.weight for group in made.groups] == [3, 1] and made.stickiness_seconds == 60


def test_a_stickiness_that_is_off_is_none() -> None:
    config = {
        "TargetGroups": [{"TargetGroupArn": GROUP["TargetGroupArn"]}],
        "TargetGroupStickinessConfig": {"Enabled": False},
    }
    assert action({"Type": "forward", "ForwardConfig": config}).stickiness_seconds is None


def test_an_action_that_is_not_modelled_is_refused_rather_than_skipped() -> None:
    with pytest.raises(InputError, match=r"^1.json: .*an action that isn't modelled: got 'authenticate-cognito'"):
        balancer({"Listeners": [listener({"Type": "authenticate-cognito"}, FIXED)]})


@pytest.mark.parametrize(
    ("actions", "problem"),
    [((), "no actions"), (({"Type": "launch"},), "launch"), (({"Type": "redirect"},), "RedirectConfig: is missing")],
)
def test_an_action_that_is_none_is_refused(actions: tuple[Mapping[str, object], ...], problem: str) -> None:
    with pytest.raises(InputError, match=rf"^1.json: Listeners\[0\].*{problem}"):
        balancer({"Listeners": [listener(*actions)]})


def conditions(*values: Mapping[str, object]) -> list[str]:
    rules = {"Rules": [rule("5", FIXED, Conditions=list(values))]}
    return [str(each) for each in balancer({"Listeners": [listener(FIXED)]}, rules).listeners[0].rules[0].conditions]


def test_conditions_are_read_in_their_old_form_and_their_new_one() -> None:
    old = conditions({"Field": "path-pattern", "Values": ["/cart*"]})
    new = conditions({"Field": "path-pattern", "PathPatternConfig": {"Values": ["/cart*"]}})
    assert old == new != []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-A", "Values": ["b*"]}}, "X-A"),
        ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["PUT"]}}, "PUT"),
        (
            {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a", "Value": "1"}, {"Value": "2"}]}},
            "a=1",
        ),
        ({"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}, "10.0.0.0/8"),
        ({"Field": "host-header", "HostHeaderConfig": {"RegexValues": ["^a"]}}, "^a"),
    ],
)
def test_every_kind_of_condition_is_read(value: Mapping[str, object], shown: str) -> None:
    assert shown in conditions(value)[0]


def test_a_rules_rewrites_are_read() -> None:
    rewrite = {"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": [{"Regex": "^/a", "Replace": "/b"}]}}
    made = balancer({"Listeners": [listener(FIXED)]}, {"Rules": [rule("5", FIXED, Transforms=[rewrite])]})
    assert made.listeners[0].rules[0].transforms[0].replace == "/b"


def test_a_transform_has_one_rewrite() -> None:
    with pytest.raises(InputError, match="not one rewrite"):
        balancer(
            {"Listeners": [listener(FIXED)]},
            {"Rules": [rule("5", FIXED, Transforms=[{"Type": "url-rewrite", "UrlRewriteConfig": {"Rewrites": []}}])]},
        )


def test_the_default_rule_is_one_of_describe_rules_too() -> None:
    made = balancer({"Listeners": [listener(FIXED)]}, {"Rules": [rule("default", FIXED)]})
    assert [each.priority for each in made.listeners[0].rules] == [None]


def test_network_load_balancers_are_passed_over() -> None:
    network = {**BALANCER, "LoadBalancerArn": f"{ELB}:loadbalancer/net/n/1", "Type": "network"}
    assert load({"LoadBalancers": [network]}).load_balancers == ()


def test_the_same_load_balancer_twice_is_a_contradiction() -> None:
    with pytest.raises(WorldError, match=r"LoadBalancers\[1\]: it is there twice, also in 0.json: LoadBalancers\[0\]"):
        load({"LoadBalancers": [BALANCER, BALANCER]})


@pytest.mark.parametrize(
    ("group", "problem"),
    [
        ([], "that isn't there"),
        ([{**GROUP, "TargetType": "lambda"}], "that isn't modelled"),
        ([{**GROUP, "Protocol": "TCP"}], "that isn't modelled"),
    ],
)
def test_a_forward_to_no_group_of_ours_is_named(group: list[Mapping[str, object]], problem: str) -> None:
    with pytest.raises(WorldError, match=rf"^1.json: .*DefaultActions\[0\].TargetGroupArn: forwards .* {problem}"):
        balancer({"Listeners": [listener(FORWARD)]}, {"TargetGroups": group})


# Targets --------------------------------------------------------------------------------------


def healths(*ids: str, port: int | None = None) -> dict[str, object]:
    ports = {} if port is None else {"Port": port}
    return {
        "TargetHealthDescriptions": [
            {"Target": {"Id": name, **ports}, "TargetHealth": {"State": "healthy"}} for name in ids
        ]
    }


def groups(*values: Mapping[str, object], names: tuple[str, ...] = ()) -> dict[str, TargetGroup]:
    return {group.name: group for group in balancer(*values, names=names).target_groups}


TWO: Mapping[str, object] = {"TargetGroups": [GROUP, OTHER]}


def test_the_only_group_needs_no_name() -> None:
    assert len(groups({"TargetGroups": [GROUP]}, healths("10.0.0.9"))["cart"].targets) == 1


def test_a_group_is_told_by_the_longest_name_at_the_end_of_the_files() -> None:
    made = groups(TWO, healths("10.0.0.9"), names=("g.json", "health-shop-cart.json"))
    assert (len(made["cart"].targets), len(made["shop-cart"].targets)) == (0, 1)


def test_a_group_is_told_by_the_last_part_of_its_arn() -> None:
    assert groups(TWO, healths("10.0.0.9"), names=("g.json", "943f.json"))["cart"].targets


def test_a_group_is_told_by_its_port() -> None:
    assert groups(TWO, healths("10.0.0.9", port=8080))["shop-cart"].targets


def test_targets_that_fit_two_groups_are_refused_with_what_would_help() -> None:
    with pytest.raises(WorldError, match="fit these target groups: cart, shop-cart; expected a file name with"):
        groups(TWO, healths("10.0.0.9", port=9))
    with pytest.raises(WorldError, match="fit these target groups: none"):
        groups(TWO, healths("i-1"))


@pytest.mark.parametrize(
    ("kind", "name"), [("lambda", "arn:aws:lambda:eu-west-1:1:function:f"), ("alb", f"{ELB}:loadbalancer/app/x/1")]
)
def test_targets_of_groups_that_are_passed_over_are_passed_over(kind: str, name: str) -> None:
    foreign = {**OTHER, "TargetType": kind}
    assert list(groups({"TargetGroups": [GROUP, foreign]}, healths(name))) == ["cart"]


def test_the_targets_of_one_group_twice_are_a_contradiction() -> None:
    with pytest.raises(WorldError, match=r"are there twice, also in 2\.json"):
        groups({"TargetGroups": [GROUP]}, healths("10.0.0.9"), healths("10.0.0.8"))


def test_an_instance_is_where_its_first_interface_is() -> None:
    kind = {"TargetGroups": [{**GROUP, "TargetType": "instance"}]}
    made = load(VPC, SUBNET, INTERFACE, {"LoadBalancers": [BALANCER]}, kind, healths("i-1")).load_balancers[0]
    target = made.target_groups[0].targets[0]
    assert (str(target.endpoint), target.zone) == ("10.0.0.5:80", "a")


# Attributes -----------------------------------------------------------------------------------


def attributes(**pairs: str) -> dict[str, object]:
    return {"Attributes": [{"Key": key.replace("__", "."), "Value": value} for key, value in pairs.items()]}


STICKY = attributes(stickiness__enabled="true", stickiness__type="lb_cookie")
IDLE = attributes(idle_timeout__timeout_seconds="10")


def test_attributes_of_the_only_resource_need_no_name() -> None:
    made = balancer({"TargetGroups": [GROUP]}, STICKY, IDLE)
    assert (made.target_groups[0].attributes.stickiness, made.attributes.idle_timeout) == ("lb_cookie", 10)


def test_attributes_of_several_are_told_by_the_files_name() -> None:
    made = groups(TWO, STICKY, names=("g.json", "describe-target-group-attributes.shop-cart.json"))
    assert (made["cart"].attributes.stickiness, made["shop-cart"].attributes.stickiness) == (None, "lb_cookie")


def test_attributes_of_nobody_are_refused_with_the_names_that_would_do() -> None:
    with pytest.raises(WorldError, match=r"^2.json: attributes of which resource\?; expected .* cart, shop-cart"):
        balancer(TWO, STICKY)


def test_attributes_twice_are_a_contradiction() -> None:
    with pytest.raises(WorldError, match="are there twice"):
        balancer({"TargetGroups": [GROUP]}, STICKY, STICKY)


def test_a_listeners_attributes_are_let_pass() -> None:
    assert balancer(attributes(routing__http__response__server__enabled="true")).listeners == ()


def test_attributes_that_cannot_be_are_refused_in_their_balancer() -> None:
    with pytest.raises(NetpathError, match=r"^lb.json: LoadBalancers\[0\]: not an idle timeout"):
        balancer(attributes(idle_timeout__timeout_seconds="0"))


# Route 53 -------------------------------------------------------------------------------------

APEX = [
    {"Name": "a.test.", "Type": "SOA", "TTL": 60, "ResourceRecords": [{"Value": "ns.a.test. host.a.test. 1 2 3 4 5"}]},
    {"Name": "a.test.", "Type": "NS", "TTL": 60, "ResourceRecords": [{"Value": "ns.a.test."}]},
    {"Name": "ns.a.test.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.53"}]},
]
MASTER = MasterFile(
    "a.zone",
    "$ORIGIN a.test.\n@ 60 IN SOA ns host 1 2 3 4 5\n@ 60 IN NS ns\nns 60 IN A 192.0.2.53\nw 60 IN A 192.0.2.1\n",
)


def records(*more: Mapping[str, object], apex: list[dict[str, object]] | None = None) -> Field:
    return Field({"ResourceRecordSets": [*(APEX if apex is None else apex), *more]}, "r53.json")


def test_a_hosted_zone_may_come_as_record_sets_alone() -> None:
    zones, aliases = route53.merged([], [records({"Name": r"\052.a.test.", "Type": "TXT", "TTL": 5,
                                                  "ResourceRecords": [{"Value": '"x"'}]})])  # fmt: skip
    assert str(zones[0].origin) == "a.test." and aliases == ()
    assert "*.a.test." in {str(name) for name in zones[0]}


def test_an_alias_drops_the_consoles_dualstack_and_one_for_ipv6_is_passed_over() -> None:
    target = {"DNSName": "dualstack.web.elb.amazonaws.com."}
    named = [{"Name": "a.test.", "Type": kind, "AliasTarget": target} for kind in ("A", "AAAA")]
    _, aliases = route53.merged([], [records(*named)])
    assert [str(alias.target) for alias in aliases] == ["web.elb.amazonaws.com."]


def test_a_master_file_and_the_record_sets_must_agree() -> None:
    same = {"Name": "w.a.test.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    zones, _ = route53.merged([zone(MASTER)], [records(same)])
    assert len(zones) == 1
    with pytest.raises(WorldError, match=r"^r53.json: ResourceRecordSets\[3\]: w.a.test. A is another one"):
        route53.merged([zone(MASTER)], [records({**same, "TTL": 61})])


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ({"Name": "w.a.test.", "Type": "A", "TTL": 1, "SetIdentifier": "blue"}, "SetIdentifier: routing policies"),
        ({"Name": "a..test.", "Type": "A", "TTL": 1}, "Name: not a domain name"),
        (
            {"Name": "w.b.test.", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "192.0.2.1"}]},
            "Name: a record set",
        ),
        ({"Name": "w.b.test.", "Type": "A", "AliasTarget": {"DNSName": "x."}}, "Name: a record set outside"),
        ({"Name": "w.a.test.", "Type": "A", "AliasTarget": {"DNSName": "x..y."}}, "AliasTarget.DNSName: not a domain"),
        ({"Name": "w.a.test.", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "x"}]}, "not a record set"),
        ({"Name": "w.a.test.", "Type": "HUH", "TTL": 1, "ResourceRecords": [{"Value": "x"}]}, "not a record set"),
        ({"Name": "w.a.test.", "Type": "A", "ResourceRecords": [{"Value": "192.0.2.1"}]}, "TTL: is missing"),
    ],
)
def test_a_record_set_that_is_wrong_is_named(item: Mapping[str, object], problem: str) -> None:
    with pytest.raises(InputError, match=rf"^r53.json: ResourceRecordSets\[3\].*{problem}"):
        route53.merged([], [records(item)])


def test_record_sets_without_a_soa_are_not_a_whole_zone() -> None:
    with pytest.raises(WorldError, match="without a SOA"):
        route53.merged([], [records(apex=[])])


def test_a_region_may_be_asked_for_an_instances_first_interface() -> None:
    two = [
        {**INTERFACE["NetworkInterfaces"][0], "NetworkInterfaceId": f"eni-{n}", "PrivateIpAddresses": [],
         "PrivateIpAddress": f"10.0.0.{n}", "Attachment": {"InstanceId": "i-1", "DeviceIndex": 9 - n}} for n in (6, 7)
    ]  # fmt: skip
    region = load(VPC, SUBNET, {"NetworkInterfaces": two}).region
    assert isinstance(region, Region)
    first = region.interface_of_instance("i-1")
    assert first is not None and first.network_interface_id == "eni-7"


def test_load_balancers_are_read_without_a_region_too() -> None:
    assert elb.load_balancers({"LoadBalancers": [Field({"LoadBalancers": [BALANCER]}, "f")]})[0].nodes == ()


@pytest.mark.parametrize("name", ["", "vpc 1", "vpc\n1"])
def test_an_id_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"^0.json: Vpcs\[0\]: not an id"):
        load({"Vpcs": [{"VpcId": name, "CidrBlock": "10.0.0.0/16"}]})


def test_two_nat_gateways_with_one_address_are_found_by_their_ids() -> None:
    gateways = [
        {"NatGatewayId": f"nat-{n}", "SubnetId": "subnet-1", "NatGatewayAddresses": [{"PrivateIp": "10.0.0.9"}]}
        for n in (1, 2)
    ]
    with pytest.raises(WorldError, match=r"^2.json: NatGateways\[0\].PrivateIpAddress: eni-of-nat-1 and eni-of-nat-2"):
        load(VPC, SUBNET, {"NatGateways": gateways})


def test_an_error_about_no_object_stays_as_it_is() -> None:
    error = WorldError("too hot")
    _locate(error, {})
    assert error.file is None
