"""What `aws elbv2 describe-…` prints -> Application Load Balancers, each with its listeners, groups and nodes.

`describe-rules` doesn't say its listener, nor `describe-target-health` its target group, so we tell from what
is in them: a rule's ARN holds its listener's; targets belong to the group whose type (and port) they have. Where
two groups would do, the name of the group (or of its ARN's last part) in the file's name decides.

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
from netpath.load.fields import Field
from netpath.packet import Address, Endpoint
from netpath.vpc import Region

PORT = (1, 65535)
KEYS = ("LoadBalancers", "Listeners", "Rules", "TargetGroups", "TargetHealthDescriptions", "Attributes")

Documents = Mapping[str, Sequence[Field]]  # top-level key -> the documents that have it


def load_balancers(documents: Documents, region: Region | None) -> tuple[LoadBalancer, ...]:
    """The load balancers that the documents describe. Raises `InputError` and `WorldError`."""
    known = {item["LoadBalancerArn"].text() for item in _each(documents, "LoadBalancers")}
    for item in _each(documents, "Listeners"):
        if item["LoadBalancerArn"].text() not in known:
            raise item["LoadBalancerArn"].wrong(
                "a listener of a load balancer that isn't there", "one of LoadBalancers"
            )
    groups = _target_groups(documents, region)
    return tuple(
        _balancer(item, documents, groups, region, alone=len(known) == 1)
        for item in _each(documents, "LoadBalancers")
        if item.text_at("Type", "application") == "application"
    )


def _each(documents: Documents, key: str) -> Iterator[Field]:
    for document in documents.get(key, ()):
        yield from document.each(key)


def _balancer(
    item: Field, documents: Documents, groups: Sequence[TargetGroup], region: Region | None, alone: bool
) -> LoadBalancer:
    arn = item["LoadBalancerArn"].text()
    zones = tuple(Zone(zone["ZoneName"].text(), zone.text_at("SubnetId")) for zone in item.each("AvailabilityZones"))
    listeners = [each for each in _each(documents, "Listeners") if each["LoadBalancerArn"].value == arn]
    with item.blamed():
        return LoadBalancer(
            arn=arn,
            name=item["LoadBalancerName"].text(),
            dns_name=item["DNSName"].text(),
            listeners=tuple(_listener(each, documents) for each in listeners),
            target_groups=tuple(groups),
            zones=zones,
            nodes=tuple(_nodes(arn, region)) if region else (),
            vpc_id=item.text_at("VpcId"),
            scheme=item.text_at("Scheme", "internet-facing"),
            security_groups=item.texts("SecurityGroups"),
            attributes=LoadBalancerAttributes.parse(_attributes(documents, "idle_timeout.timeout_seconds", arn, alone)),
        )


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


def _attributes(documents: Documents, telling: str, name: str, alone: bool) -> dict[str, str]:
    """Attributes as `describe-…-attributes` prints them: of which resource, only the file's name can say.

    `telling` is an attribute that every resource of the kind has. A single file of the kind needs no name.
    """
    found = []
    for document in documents.get("Attributes", ()):
        pairs = {pair["Key"].text(): pair.text_at("Value") for pair in document.each("Attributes")}
        if telling in pairs:
            found.append((document, pairs))
    named = [pairs for document, pairs in found if _is_named(document, name)]
    if len(found) == 1 and alone:
        named = [found[0][1]]
    if len(named) > 1:
        raise WorldError("several files hold the attributes of one resource", value=name, expected="one file")
    return named[0] if named else {}


def _is_named(document: Field, arn: str) -> bool:
    """Whether the file's name ends in the name, or in the last part, of what the ARN is of."""
    stem = document.file.rpartition("/")[2].rpartition(".")[0]
    return stem.endswith(tuple(arn.split("/")[1:]))


# Listeners and their rules --------------------------------------------------------------------


def _listener(item: Field, documents: Documents) -> Listener:
    arn = item["ListenerArn"].text()
    prefix = arn.replace(":listener/", ":listener-rule/") + "/"
    rules = [rule for rule in _each(documents, "Rules") if rule["RuleArn"].text().startswith(prefix)]
    with item.blamed():
        return Listener(
            item["Port"].integer(*PORT),
            item["Protocol"].text(),
            _action(item, "DefaultActions"),
            tuple(_rule(rule) for rule in rules),
            arn,
        )


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
    """The action that ends the request: the last one, for authentication comes before it."""
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


def _target_groups(documents: Documents, region: Region | None) -> tuple[TargetGroup, ...]:
    items = [
        item
        for item in _each(documents, "TargetGroups")
        if item.text_at("TargetType", "instance") in ("instance", "ip")
        and item.text_at("Protocol", "HTTP") in ("HTTP", "HTTPS")
    ]
    health = _health_of_groups(documents.get("TargetHealthDescriptions", ()), items)
    alone = len(items) == 1
    return tuple(
        _target_group(item, health.get(item["TargetGroupArn"].text()), documents, region, alone) for item in items
    )


def _target_group(
    item: Field, health: Field | None, documents: Documents, region: Region | None, alone: bool
) -> TargetGroup:
    arn = item["TargetGroupArn"].text()
    described = health.each("TargetHealthDescriptions") if health else iter(())
    with item.blamed():
        return TargetGroup(
            arn,
            item["TargetGroupName"].text(),
            tuple(_target(target, item, region) for target in described),
            item.text_at("TargetType", "instance"),
            item.text_at("Protocol", "HTTP"),
            item["Port"].integer(*PORT),
            TargetGroupAttributes.parse(_attributes(documents, "stickiness.enabled", arn, alone)),
            item.text_at("VpcId"),
        )


def _target(item: Field, group: Field, region: Region | None) -> Target:
    target, health = item["Target"], item["TargetHealth"]
    port = target.integer_at("Port", *PORT, default=group["Port"].integer(*PORT))
    with item.blamed():
        where, zone = _place(target["Id"], region)
        return Target(
            target["Id"].text(),
            Endpoint(where, port),
            target.text_at("AvailabilityZone") or zone,
            TargetHealth(health["State"].text(), health.text_at("Reason") or None, health.text_at("Description")),
        )


def _place(identity: Field, region: Region | None) -> tuple[Address, str | None]:
    """A target's address and zone: an instance's is its first interface's primary address."""
    if not identity.text().startswith("i-"):
        return identity.address(), None
    interface = region.interface_of_instance(identity.text()) if region else None
    if region is None or interface is None:
        raise WorldError(
            "a target whose instance has no interface",
            file=identity.file,
            field=identity.path,
            value=identity.value,
            expected="an instance of NetworkInterfaces",
        )
    return interface.primary, region.subnet[interface.subnet_id].availability_zone


def _health_of_groups(documents: Sequence[Field], groups: Sequence[Field]) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for document in documents:
        arn = _group_of(document, groups)["TargetGroupArn"].text()
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
    fitting = [group for group in groups if all(_fits(target, group) for target in targets)]
    named = [group for group in fitting if _is_named(document, group["TargetGroupArn"].text())]
    ported = [
        group
        for group in fitting
        if all(target.get("Port") is None or target["Port"].value == group["Port"].value for target in targets)
    ]
    for choice in (fitting, named, ported):
        if len(choice) == 1:
            return choice[0]
    names = ", ".join(group["TargetGroupName"].text() for group in fitting) or "none"
    raise WorldError(
        f"targets that fit these target groups: {names}",
        file=document.file,
        expected="a file name with the group's name, as describe-target-health.NAME.json",
    )


def _fits(target: Field, group: Field) -> bool:
    return target["Id"].text().startswith("i-") == (group.text_at("TargetType", "instance") == "instance")
