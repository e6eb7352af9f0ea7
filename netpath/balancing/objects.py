"""An Application Load Balancer as it is configured: target groups, targets and their health, zones, nodes.

The names are those of the elbv2 API, so that what `aws elbv2 describe-*` prints can be read straight into
them. A target's health is part of the configuration: the health checks themselves aren't run here.

Sources: elbv2 API reference; ELB user guide (Target groups, Target group attributes, Target group health).

Not modelled: `lambda` and `alb` targets; slow start, deregistration delay and anomaly mitigation; desync
mitigation; TLS and its certificates. Attributes for these are let pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from netpath.balancing.listener import Forward, Listener
from netpath.errors import InputError, WorldError
from netpath.packet import Address, Endpoint

# Targets -------------------------------------------------------------------------------------


class HealthState(StrEnum):
    """The states of a target, by the API's names (elbv2 TargetHealth)."""

    INITIAL = "initial"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNHEALTHY_DRAINING = "unhealthy.draining"
    UNUSED = "unused"
    DRAINING = "draining"
    UNAVAILABLE = "unavailable"


REASONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        HealthState.INITIAL: ("Elb.RegistrationInProgress", "Elb.InitialHealthChecking"),
        HealthState.HEALTHY: (),
        HealthState.UNHEALTHY: (
            "Target.ResponseCodeMismatch",
            "Target.Timeout",
            "Target.FailedHealthChecks",
            "Elb.InternalError",
        ),
        HealthState.UNHEALTHY_DRAINING: ("Target.FailedHealthChecks",),
        HealthState.UNUSED: (
            "Target.NotRegistered",
            "Target.NotInUse",
            "Target.InvalidState",
            "Target.IpUnusable",
        ),
        HealthState.DRAINING: ("Target.DeregistrationInProgress",),
        HealthState.UNAVAILABLE: ("Target.HealthCheckDisabled", "Elb.InternalError"),
    }
)
"""The reason codes that go with each state (elbv2 API reference, TargetHealth)."""


@dataclass(frozen=True, slots=True)
class TargetHealth:
    """What the health checks found, and why if it isn't healthy."""

    state: str = HealthState.HEALTHY
    reason: str | None = None
    description: str = ""

    def __post_init__(self) -> None:
        if self.state not in REASONS:
            raise InputError("not a target's state", value=self.state, expected=f"one of {', '.join(HealthState)}")
        if self.reason is not None and not any(self.reason in reasons for reasons in REASONS.values()):
            raise InputError("not a reason code", value=self.reason, expected="one of elbv2 TargetHealth")
        object.__setattr__(self, "state", HealthState(self.state))

    @property
    def healthy(self) -> bool:
        """Whether requests are sent there as a matter of course."""
        return self.state == HealthState.HEALTHY or self.reason == "Target.HealthCheckDisabled"

    @property
    def registered(self) -> bool:
        """Whether the target takes part at all."""
        return self.state not in (HealthState.UNUSED, HealthState.DRAINING)

    def __str__(self) -> str:
        return f"{self.state} ({self.reason})" if self.reason else str(self.state)


HEALTHY = TargetHealth()


@dataclass(frozen=True, slots=True)
class Target:
    """A registered target: where its requests go, its zone (`all` or None: any), its health.

    `id` is the instance's id, or the address again; `endpoint` the private address and the port.
    """

    id: str
    endpoint: Endpoint
    zone: str | None = None
    health: TargetHealth = HEALTHY

    def __str__(self) -> str:
        name = "" if self.id == str(self.endpoint.address) else f"{self.id} "
        return f"{name}{self.endpoint} {self.zone or 'all'} {self.health}"


ALGORITHMS = ("round_robin", "least_outstanding_requests", "weighted_random")


@dataclass(frozen=True, slots=True)
class TargetGroupAttributes:
    """A target group's attributes, with AWS's defaults; None for `off`."""

    algorithm: str = "round_robin"
    stickiness: str | None = None
    lb_cookie_seconds: int = 86_400
    app_cookie_name: str = ""
    app_cookie_seconds: int = 86_400
    cross_zone: str = "use_load_balancer_configuration"
    dns_minimum_count: int | None = 1
    dns_minimum_percentage: int | None = None
    routing_minimum_count: int | None = 1
    routing_minimum_percentage: int | None = None

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise InputError("not an algorithm", value=self.algorithm, expected=f"one of {', '.join(ALGORITHMS)}")
        if self.stickiness not in (None, "lb_cookie", "app_cookie"):
            raise InputError("not an ALB's stickiness", value=self.stickiness, expected="lb_cookie or app_cookie")
        if self.cross_zone not in ("use_load_balancer_configuration", "true", "false"):
            raise InputError("not a cross-zone setting", value=self.cross_zone, expected="true, false or the default")
        for seconds in (self.lb_cookie_seconds, self.app_cookie_seconds):
            if not 1 <= seconds <= 604_800:
                raise InputError("not a stickiness duration", value=seconds, expected="1 to 604800 seconds")
        if self.stickiness == "app_cookie" and (not self.app_cookie_name or self.app_cookie_name.startswith("AWSALB")):
            raise InputError("not an application's cookie", value=self.app_cookie_name, expected="a name of its own")

    @classmethod
    def parse(cls, attributes: Mapping[str, str]) -> TargetGroupAttributes:
        """The attributes as `describe-target-group-attributes` has them, key to value; others are let pass."""
        found = {name: read(attributes[key]) for key, (name, read) in _GROUP_KEYS.items() if key in attributes}
        sticky = (
            attributes.get("stickiness.type", "lb_cookie") if attributes.get("stickiness.enabled") == "true" else None
        )
        return cls(**found, stickiness=sticky)


def _count(text: str) -> int | None:
    return None if text == "off" else _number(text)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InputError("not a number", value=text)
    return int(text)


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise InputError("neither true nor false", value=text)
    return text == "true"


_HEALTH_KEY = "target_group_health.{}.minimum_healthy_targets.{}"
_GROUP_KEYS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "load_balancing.algorithm.type": ("algorithm", str),
    "stickiness.lb_cookie.duration_seconds": ("lb_cookie_seconds", _number),
    "stickiness.app_cookie.cookie_name": ("app_cookie_name", str),
    "stickiness.app_cookie.duration_seconds": ("app_cookie_seconds", _number),
    "load_balancing.cross_zone.enabled": ("cross_zone", str),
    _HEALTH_KEY.format("dns_failover", "count"): ("dns_minimum_count", _count),
    _HEALTH_KEY.format("dns_failover", "percentage"): ("dns_minimum_percentage", _count),
    _HEALTH_KEY.format("unhealthy_state_routing", "count"): ("routing_minimum_count", _count),
    _HEALTH_KEY.format("unhealthy_state_routing", "percentage"): ("routing_minimum_percentage", _count),
}


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """Targets that are alike, in the order they were registered in."""

    arn: str
    name: str
    targets: tuple[Target, ...] = ()
    target_type: str = "instance"
    protocol: str = "HTTP"
    port: int = 80
    attributes: TargetGroupAttributes = TargetGroupAttributes()
    vpc_id: str = ""

    def __post_init__(self) -> None:
        if self.target_type in ("lambda", "alb"):
            raise InputError("a target type that isn't modelled", value=self.target_type, expected="instance or ip")
        if self.target_type not in ("instance", "ip"):
            raise InputError("not a target type", value=self.target_type, expected="instance or ip")
        if self.protocol not in ("HTTP", "HTTPS"):
            raise InputError("not an ALB's target protocol", value=self.protocol, expected="HTTP or HTTPS")
        if not 1 <= self.port <= 65535:
            raise InputError("not a port", value=self.port, expected="1 to 65535")
        if len({(target.id, target.endpoint) for target in self.targets}) != len(self.targets):
            raise InputError("a target registered twice", field=self.name, value=[str(t) for t in self.targets])

    @property
    def cross_zone(self) -> bool:
        """An ALB's own setting is always on; a target group can turn it off for itself."""
        return self.attributes.cross_zone != "false"


# The balancer --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Zone:
    """An Availability Zone that is enabled for the balancer, and its subnet there."""

    name: str
    subnet_id: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One of the balancer's own network interfaces: what a client really connects to."""

    zone: str
    interface_id: str
    address: Address
    public_address: Address | None = None
    subnet_id: str = ""


@dataclass(frozen=True, slots=True)
class LoadBalancerAttributes:
    """The balancer's attributes, with AWS's defaults."""

    idle_timeout: float = 60.0
    xff_header_processing: str = "append"
    xff_client_port: bool = False
    preserve_host_header: bool = False
    drop_invalid_header_fields: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.idle_timeout <= 4000:
            raise InputError("not an idle timeout", value=self.idle_timeout, expected="1 to 4000 seconds")
        if self.xff_header_processing not in ("append", "preserve", "remove"):
            raise InputError(
                "not a mode for X-Forwarded-For",
                value=self.xff_header_processing,
                expected="append, preserve or remove",
            )

    @classmethod
    def parse(cls, attributes: Mapping[str, str]) -> LoadBalancerAttributes:
        """The attributes as `describe-load-balancer-attributes` has them, key to value; others are let pass."""
        found = {name: read(attributes[key]) for key, (name, read) in _BALANCER_KEYS.items() if key in attributes}
        return cls(**found)


_BALANCER_KEYS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "idle_timeout.timeout_seconds": ("idle_timeout", _number),
    "routing.http.xff_header_processing.mode": ("xff_header_processing", str),
    "routing.http.xff_client_port.enabled": ("xff_client_port", _truth),
    "routing.http.preserve_host_header.enabled": ("preserve_host_header", _truth),
    "routing.http.drop_invalid_header_fields.enabled": ("drop_invalid_header_fields", _truth),
}


@dataclass(frozen=True, slots=True)
class Pool:
    """The targets of a group that a node may use (`reachable`), and those it does use (`usable`)."""

    reachable: tuple[Target, ...]
    usable: tuple[Target, ...]
    healthy: int
    fails_open: bool


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """An Application Load Balancer with its listeners, target groups and nodes.

    `WorldError` if two listeners share a port, a rule names a target group that isn't there, or a node
    stands in a zone that isn't enabled.
    """

    arn: str
    name: str
    dns_name: str
    listeners: tuple[Listener, ...]
    target_groups: tuple[TargetGroup, ...]
    zones: tuple[Zone, ...]
    nodes: tuple[Node, ...]
    vpc_id: str = ""
    scheme: str = "internet-facing"
    security_groups: tuple[str, ...] = ()
    attributes: LoadBalancerAttributes = LoadBalancerAttributes()
    _listeners: dict[int, Listener] = field(init=False, repr=False, compare=False)
    _groups: dict[str, TargetGroup] = field(init=False, repr=False, compare=False)
    _pools: dict[tuple[str, str], Pool] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.scheme not in ("internet-facing", "internal"):
            raise InputError("not a scheme", value=self.scheme, expected="internet-facing or internal")
        object.__setattr__(self, "_listeners", {listener.port: listener for listener in self.listeners})
        object.__setattr__(self, "_groups", {group.arn: group for group in self.target_groups})
        if len(self._listeners) != len(self.listeners):
            raise WorldError("two listeners on one port", value=[listener.port for listener in self.listeners])
        for listener in self.listeners:
            for rule in listener.rules:
                self._check_groups(rule.action, str(rule)) if isinstance(rule.action, Forward) else None
        enabled = {zone.name for zone in self.zones}
        for node in self.nodes:
            if node.zone not in enabled:
                raise WorldError("a node in a zone that isn't enabled", field=node.interface_id, value=node.zone)

    def _check_groups(self, action: Forward, rule: str) -> None:
        for group in action.groups:
            if group.arn not in self._groups:
                raise WorldError("a rule forwards to a target group that isn't there", field=rule, value=group.arn)

    def listener_on(self, port: int) -> Listener | None:
        """The listener on a port, if there is one."""
        return self._listeners.get(port)

    def group(self, arn: str) -> TargetGroup:
        """The target group of that ARN. Raises `WorldError`."""
        if arn not in self._groups:
            raise WorldError("no such target group", value=arn)
        return self._groups[arn]

    def node_at(self, address: Address) -> Node | None:
        """The node with that address, public or private."""
        return next((node for node in self.nodes if address in (node.address, node.public_address)), None)
