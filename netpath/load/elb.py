"""What `aws elbv2 describe-…` prints -> Application Load Balancers, each with its listeners, groups and nodes.

`describe-rules` doesn't say its listener, nor `describe-target-health` its target group, so we tell from what
is in them: a rule's ARN holds its listener's; targets belong to the group whose type (and port) they have. Where
two groups would do, and for attributes, which don't say whose they are either, the name of the resource (or the last
part of its ARN) at the end of the file's name decides.

Network, gateway and classic load balancers are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from netpath.balancing import (
    Action,
    Condition,
    FixedResponse,
    Forward,
    Listener,
    ListenerRule,
    LoadBalancer,
    LoadBalancerAttributes,
    Node,
    Redirect,
    Target,
    TargetGroup,
    TargetGroupAttributes,
    TargetHealth,
    Transform,
    WeightedGroup,
    Zone,
    action_class,
)
from netpath.errors import WorldError
from netpath.kubernetes import Cluster
from netpath.load.fields import Field
from netpath.packet import Address, Endpoint, address
from netpath.vpc import Region

PORT = (1, 65535)
KEYS = ("LoadBalancers", "Listeners", "Rules", "TargetGroups", "TargetHealthDescriptions", "Attributes")

Documents = Mapping[str, Sequence[Field]]  # top-level key -> the documents that have it


def load_balancers(
    documents: Documents, region: Region | None = None, cluster: Cluster | None = None
) -> tuple[LoadBalancer, ...]:
    """The load balancers that the documents describe. Raises `InputError` and `WorldError`.

    Where an instance stands, the region says, or else the cluster whose node it is.
    """
    balancers, listeners, _, described = (_by_arn(documents, key, arn) for key, arn in _ARNS.items())
    _refuse_orphans(documents, balancers, listeners)
    attributes = _attributes(documents, {**balancers, **described})
    health = _health_of_groups(documents.get("TargetHealthDescriptions", ()), described)
    groups = {
        arn: _target_group(item, health.get(arn), attributes.get(arn, {}), region, cluster)
        for arn, item in described.items()
        if _is_ours(item)
    }
    return tuple(
        _balancer(item, documents, tuple(groups.values()), region, attributes.get(arn, {}))
        for arn, item in balancers.items()
        if item.text_at("Type", "application") == "application"
    )


def _each(documents: Documents, key: str) -> Iterator[Field]:
    for document in documents.get(key, ()):
        yield from document.each(key)


_ARNS = {
    "LoadBalancers": "LoadBalancerArn",
    "Listeners": "ListenerArn",
    "Rules": "RuleArn",
    "TargetGroups": "TargetGroupArn",
}


def _by_arn(documents: Documents, key: str, arn: str) -> dict[str, Field]:
    """Every object of a kind by its ARN; one that is described twice is a contradiction."""
    found: dict[str, Field] = {}
    for item in _each(documents, key):
        other = found.setdefault(item[arn].text(), item)
        if other is not item:
            raise WorldError(
                f"it is there twice, also in {other.file}: {other.path}",
                file=item.file,
                field=item.path,
                value=item[arn].value,
                expected="each once",
            )
    return found


def _refuse_orphans(documents: Documents, balancers: Mapping[str, Field], listeners: Mapping[str, Field]) -> None:
    for item in listeners.values():
        if item["LoadBalancerArn"].text() not in balancers:
            raise _dangling(item["LoadBalancerArn"], "a listener of a load balancer", "one of LoadBalancers")
    homes = {_rules_prefix(arn) for arn in listeners}
    for item in _each(documents, "Rules"):
        if _listener_of(item) not in homes:
            raise _dangling(item["RuleArn"], "a rule of a listener", "the ARN of one of Listeners in it")


def _dangling(field: Field, what: str, expected: str) -> WorldError:
    return WorldError(
        f"{what} that isn't there", file=field.file, field=field.path, value=field.value, expected=expected
    )


def _balancer(
    item: Field, documents: Documents, groups: tuple[TargetGroup, ...], region: Region | None, told: Mapping[str, str]
) -> LoadBalancer:
    arn = item["LoadBalancerArn"].text()
    zones = tuple(Zone(zone["ZoneName"].text(), zone.text_at("SubnetId")) for zone in item.each("AvailabilityZones"))
    listeners = [each for each in _each(documents, "Listeners") if each["LoadBalancerArn"].value == arn]
    if region is not None:
        _check_references(item, region)
    _check_forwards(listeners, documents, {group.arn for group in groups})
    with item.blamed():
        return LoadBalancer(
            arn=arn,
            name=item["LoadBalancerName"].text(),
            dns_name=item["DNSName"].text(),
            listeners=tuple(_listener(each, documents) for each in listeners),
            target_groups=groups,
            zones=zones,
            nodes=tuple(_nodes(arn, region)) if region else (),
            vpc_id=item.text_at("VpcId"),
            scheme=item.text_at("Scheme", "internet-facing"),
            security_groups=item.texts("SecurityGroups"),
            attributes=LoadBalancerAttributes.parse(told),
        )


def _check_references(item: Field, region: Region) -> None:
    """What a load balancer says of its VPC must be there; of a kind that isn't described at all we can't tell."""
    told: list[tuple[Field | None, Mapping[str, object]]] = [(item.get("VpcId"), region.vpc)]
    told += [(zone.get("SubnetId"), region.subnet) for zone in item.each("AvailabilityZones")]
    told += [(group, region.security_group) for group in item.each("SecurityGroups")]
    for field, known in told:
        if field is not None and known and field.text() not in known:
            raise _dangling(field, "a reference to something", f"one of {', '.join(sorted(known)[:6])}")


def _check_forwards(listeners: Sequence[Field], documents: Documents, groups: set[str]) -> None:
    """Every target group that a rule forwards to must be there, and be of a type that is modelled."""
    homes = {_rules_prefix(each["ListenerArn"].text()) for each in listeners}
    rules = [each for each in _each(documents, "Rules") if _listener_of(each) in homes]
    for holder, key in [*((each, "DefaultActions") for each in listeners), *((each, "Actions") for each in rules)]:
        for action in holder.each(key):
            for field in _forwarded_to(action):
                if field.text() not in groups:
                    known = any(
                        group["TargetGroupArn"].value == field.value for group in _each(documents, "TargetGroups")
                    )
                    problem = "that isn't modelled (a Lambda function, or no HTTP)" if known else "that isn't there"
                    raise WorldError(
                        f"forwards to a target group {problem}",
                        file=field.file,
                        field=field.path,
                        value=field.value,
                        expected="one of TargetGroups, of type instance or ip, with HTTP or HTTPS",
                    )


def _forwarded_to(action: Field) -> Iterator[Field]:
    config = action.get("ForwardConfig")
    for holder in [action, *(config.each("TargetGroups") if config else ())]:
        arn = holder.get("TargetGroupArn")
        if arn is not None:
            yield arn


def _nodes(arn: str, region: Region) -> Iterator[Node]:
    """A load balancer's nodes are the interfaces that AWS describes as `ELB app/NAME/ID`."""
    description = "ELB " + arn.partition(":loadbalancer/")[2]
    for interface in region.network_interfaces:
        if interface.description == description:
            held, subnet = interface.addresses[0], region.subnet[interface.subnet_id]
            yield Node(
                subnet.availability_zone,
                interface.network_interface_id,
                held.address,
                held.public_ip,
                subnet.subnet_id,
            )


# Whose attributes they are: how the keys begin that only a load balancer has, and only a target group.
_TELLING = {
    "LoadBalancerArn": (
        "idle_timeout.",
        "deletion_protection.",
        "access_logs.",
        "client_keep_alive.",
        "routing.http2.",
    ),
    "TargetGroupArn": ("deregistration_delay.", "stickiness.", "target_group_health.", "load_balancing.algorithm."),
}


def _attributes(documents: Documents, resources: Mapping[str, Field]) -> dict[str, dict[str, str]]:
    """Attributes by the ARN of their resource, as `describe-…-attributes` prints them; a listener's are let pass."""
    found: dict[str, dict[str, str]] = {}
    for document in documents.get("Attributes", ()):
        pairs = {pair["Key"].text(): pair.text_at("Value") for pair in document.each("Attributes")}
        kind = next((kind for kind, begin in _TELLING.items() if any(key.startswith(begin) for key in pairs)), None)
        if kind is None:
            continue
        arn = _owner(document, [item for item in resources.values() if item.get(kind)])
        if arn in found:
            raise WorldError(f"the attributes of {arn} are there twice", file=document.file, expected="one file")
        found[arn] = pairs
    return found


def _owner(document: Field, items: Sequence[Field]) -> str:
    """The ARN of the resource that a document is of: the only one of its kind, or the one that its file names."""
    owners = items if len(items) == 1 else _named(document, items)
    if len(owners) != 1:
        raise WorldError(
            "attributes of which resource?",
            file=document.file,
            expected=f"a file name that ends in one of {', '.join(_names(item)[0] for item in items[:6]) or 'none'}",
        )
    return _names(owners[0])[2]


def _names(item: Field) -> tuple[str, str, str]:
    """A resource's name, the last part of its ARN, and its ARN."""
    kind = "LoadBalancer" if item.get("LoadBalancerName") else "TargetGroup"
    arn = item[f"{kind}Arn"].text()
    return item[f"{kind}Name"].text(), arn.rpartition("/")[2], arn


def _named(document: Field, items: Sequence[Field]) -> Sequence[Field]:
    """Those whose name the file's name ends in: the longest such name (`shop-cart`, not `cart`)."""
    stem = document.file.rpartition("/")[2].rpartition(".")[0]
    lengths = [max(len(name) if stem.endswith(name) else 0 for name in _names(item)[:2]) for item in items]
    longest = max(lengths, default=0)
    return [item for item, length in zip(items, lengths, strict=True) if length == longest and longest]


# Listeners and their rules --------------------------------------------------------------------


def _listener(item: Field, documents: Documents) -> Listener:
    arn = item["ListenerArn"].text()
    rules = [rule for rule in _each(documents, "Rules") if _listener_of(rule) == _rules_prefix(arn)]
    with item.blamed():
        return Listener(
            item["Port"].integer(*PORT),
            item["Protocol"].text(),
            _action(item, "DefaultActions"),
            tuple(_rule(rule) for rule in rules),
            arn,
        )


def _rules_prefix(listener: str) -> str:
    """What the ARNs of a listener's rules begin with, up to the last slash."""
    return listener.replace(":listener/", ":listener-rule/")


def _listener_of(rule: Field) -> str:
    return rule["RuleArn"].text().rpartition("/")[0]


def _rule(item: Field) -> ListenerRule:
    priority = item["Priority"]
    with item.blamed():
        return ListenerRule(
            None if priority.value == "default" else priority.integer(1, 50_000),
            _action(item, "Actions"),
            tuple(_condition(condition) for condition in item.each("Conditions")),
            tuple(_transform(transform) for transform in item.each("Transforms")),
            item["RuleArn"].text(),
        )


_CONFIGS = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "query-string": "QueryStringConfig",
    "source-ip": "SourceIpConfig",
}


def _condition(item: Field) -> Condition:
    name = item["Field"].text()
    config = item.get(_CONFIGS.get(name, "")) or item  # older rules have Values alone
    with item.blamed():
        if name == "query-string":
            pairs = tuple((pair.text_at("Key") or None, pair["Value"].text()) for pair in config.each("Values"))
            return Condition(name, pairs=pairs)
        header = config.get("HttpHeaderName")
        return Condition(
            name,
            config.texts("Values"),
            header.text() if header else None,
            regex_values=config.texts("RegexValues"),
        )


_TRANSFORMS = {"url-rewrite": "UrlRewriteConfig", "host-header-rewrite": "HostHeaderRewriteConfig"}


def _transform(item: Field) -> Transform:
    kind = item["Type"].text()
    with item.blamed():
        rewrites = list(item[_TRANSFORMS.get(kind, "UrlRewriteConfig")].each("Rewrites"))
        if len(rewrites) != 1:
            raise item.wrong("not one rewrite", "one Regex and Replace")
        return Transform(kind, rewrites[0]["Regex"].text(), rewrites[0]["Replace"].text())


def _action(item: Field, key: str) -> Action:
    """The action that ends the request; one that comes before it (authentication) is refused, not skipped."""
    actions = list(item.each(key))
    if not actions:
        raise item.wrong("no actions", f"{key} with a forward, redirect or fixed-response")
    action = actions[-1]
    with action.blamed():
        for each in actions:
            action_class(each["Type"].text())
        return _ACTIONS[action["Type"].text()](action)


def _forward(action: Field) -> Forward:
    config = action.get("ForwardConfig")
    if config is None or not list(config.each("TargetGroups")):
        return Forward((WeightedGroup(action["TargetGroupArn"].text()),))
    sticky = config.get("TargetGroupStickinessConfig")
    enabled = sticky is not None and sticky.boolean_at("Enabled", False)
    return Forward(
        tuple(
            WeightedGroup(group["TargetGroupArn"].text(), group.integer_at("Weight", 0, 999, 1))
            for group in config.each("TargetGroups")
        ),
        sticky["DurationSeconds"].integer(1, 604_800) if sticky and enabled else None,
    )


def _redirect(action: Field) -> Redirect:
    config = action["RedirectConfig"]
    names = {"Protocol": "protocol", "Host": "host", "Port": "port", "Path": "path", "Query": "query"}
    parts: dict[str, Any] = {ours: config[theirs].text() for theirs, ours in names.items() if config.get(theirs)}
    return Redirect(status_code=config["StatusCode"].text(), **parts)


def _fixed_response(action: Field) -> FixedResponse:
    config = action["FixedResponseConfig"]
    return FixedResponse(
        config["StatusCode"].integer(200, 599), config.text_at("MessageBody"), config.text_at("ContentType") or None
    )


_ACTIONS: Mapping[str, Callable[[Field], Action]] = {
    "forward": _forward,
    "redirect": _redirect,
    "fixed-response": _fixed_response,
}


# Target groups --------------------------------------------------------------------------------


def _is_ours(item: Field) -> bool:
    """Whether an Application Load Balancer can forward to it over HTTP; network load balancers' groups can't."""
    kind, protocol = item.text_at("TargetType", "instance"), item.text_at("Protocol", "HTTP")
    return kind in ("instance", "ip") and protocol in ("HTTP", "HTTPS")


def _target_group(
    item: Field, health: Field | None, told: Mapping[str, str], region: Region | None, cluster: Cluster | None
) -> TargetGroup:
    described = health.each("TargetHealthDescriptions") if health else iter(())
    with item.blamed():
        return TargetGroup(
            item["TargetGroupArn"].text(),
            item["TargetGroupName"].text(),
            tuple(_target(target, item, region, cluster) for target in described),
            item.text_at("TargetType", "instance"),
            item.text_at("Protocol", "HTTP"),
            item["Port"].integer(*PORT),
            TargetGroupAttributes.parse(told),
            item.text_at("VpcId"),
        )


def _target(item: Field, group: Field, region: Region | None, cluster: Cluster | None) -> Target:
    target, health = item["Target"], item["TargetHealth"]
    port = target.integer_at("Port", *PORT, default=group["Port"].integer(*PORT))
    with item.blamed():
        where, zone = _place(target["Id"], region, cluster)
        return Target(
            target["Id"].text(),
            Endpoint(where, port),
            target.text_at("AvailabilityZone") or zone,
            TargetHealth(health["State"].text(), health.text_at("Reason") or None, health.text_at("Description")),
        )


_UNKNOWN = address("0.0.0.0")  # "this host" (RFC 1122): nothing is ever sent there


def _place(identity: Field, region: Region | None, cluster: Cluster | None) -> tuple[Address, str | None]:
    """A target's address and zone: an instance's is its first interface's primary address."""
    name = identity.text()
    if not name.startswith("i-"):
        return identity.address(), None
    if region is not None and (interface := region.interface_of_instance(name)) is not None:
        return interface.primary, region.subnet[interface.subnet_id].availability_zone
    nodes = cluster.nodes if cluster is not None else ()
    node = next((node for node in nodes if node.instance_id == name), None)
    if node is not None:
        return node.address, node.zone or None
    if region is None and not nodes:
        return _UNKNOWN, None  # a world of load balancers alone; `travel` asks for the rest
    raise _dangling(identity, "a target on an instance", "an instance of NetworkInterfaces, or a node's providerID")


def _health_of_groups(documents: Sequence[Field], groups: Mapping[str, Field]) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for document in documents:
        arn = _group_of(document, list(groups.values()))["TargetGroupArn"].text()
        if arn in found:
            raise WorldError(
                f"the targets of {arn} are there twice, also in {found[arn].file}",
                file=document.file,
                expected="one describe-target-health for each target group",
            )
        found[arn] = document
    return found


def _group_of(document: Field, groups: Sequence[Field]) -> Field:
    """The one target group that these targets can belong to."""
    targets = [item["Target"] for item in document.each("TargetHealthDescriptions")]
    fitting = [group for group in groups if all(_type_of(target) == _type(group) for target in targets)]
    ported = [group for group in fitting if all(_port_fits(target, group) for target in targets)]
    for choice in (fitting, _named(document, fitting), ported):
        if len(choice) == 1:
            return choice[0]
    names = ", ".join(_names(group)[0] for group in fitting) or "none"
    raise WorldError(
        f"targets that fit these target groups: {names}",
        file=document.file,
        expected="a file name with the group's name, as describe-target-health.NAME.json",
    )


def _type(group: Field) -> str:
    return group.text_at("TargetType", "instance")


def _type_of(target: Field) -> str:
    """The type of group that a target can be registered with."""
    name = target["Id"].text()
    if name.startswith("arn:"):
        return "alb" if ":loadbalancer/" in name else "lambda"
    return "instance" if name.startswith("i-") else "ip"


def _port_fits(target: Field, group: Field) -> bool:
    port, usual = target.get("Port"), group.get("Port")
    return port is None or usual is None or port.value == usual.value
