"""The journeys that the book has prepared: the same request where all is well, and wherever one thing is wrong.

Each is a row of the table `STORIES`: its name, what is other than usual (in one sentence), and what that means in
netpath's terms: another URL, another stroke of luck, another world.

    prepared()      the journeys by name
    NOTES           by the same names: what is other than usual

Not modelled: two things that go wrong at once; change one world after the other for that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any

from netpath.balancing import HealthState, Target, TargetGroup, TargetHealth
from netpath.choice import Choose, Weights, first
from netpath.errors import WorldError
from netpath.journey import Journey, travel
from netpath.kubernetes import Cluster, EndpointSlice, Service, SliceEndpoint, TrafficPolicy
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import http_request
from netpath.vpc import AclEntry, Instance, NetworkAcl, Region, SecurityGroup
from netpath.world import World

CART = "http://shop.example.com/cart"


def beginning(target: int) -> Choose:
    """Chance, if the load balancer's round robin begins with a target; of all else the first possibility."""

    def choose(question: str, weights: Weights, /) -> int:
        return target if question.startswith("where does round robin start") else first(question, weights)

    return choose


# Other worlds ------------------------------------------------------------------------------------


def _region(world: World) -> Region:
    return world.need(world.region, "region", "a prepared journey")


def _cluster(world: World) -> Cluster:
    return world.need(world.cluster, "cluster", "a prepared journey")


def _with_region(world: World, **fields: Any) -> World:
    return replace(world, region=replace(_region(world), **fields))


def _with_cluster(world: World, **fields: Any) -> World:
    return replace(world, cluster=replace(_cluster(world), **fields))


def nodes_closed(world: World) -> World:
    """The nodes' security groups let in nobody but their own members."""
    region = _region(world)
    theirs = {group for eni in world.node_with for group in region.network_interface[eni].group_ids}

    def closed(group: SecurityGroup) -> SecurityGroup:
        own = tuple(rule for rule in group.ingress if rule.peer == group.group_id)
        return replace(group, ingress=own) if group.group_id in theirs else group

    return _with_region(world, security_groups=tuple(map(closed, region.security_groups)))


def answers_forgotten(world: World) -> World:
    """The network ACL of the load balancer's subnets lets in single ports only, no ephemeral ones."""
    region = _region(world)
    nodes = (node.address for balancer in world.load_balancers for node in balancer.nodes)
    interfaces = (world.where(address).interface for address in nodes)
    subnets = {interface.subnet_id for interface in interfaces if interface is not None}

    def kept(entry: AclEntry) -> bool:
        return entry.egress or (entry.from_port is not None and entry.from_port == entry.to_port)

    def tidied(acl: NetworkAcl) -> NetworkAcl:
        theirs = not subnets.isdisjoint(acl.subnet_ids)
        return replace(acl, entries=tuple(filter(kept, acl.entries))) if theirs else acl

    return _with_region(world, network_acls=tuple(map(tidied, region.network_acls)))


def _fronting(world: World, endpoint: SliceEndpoint) -> bool:
    """Whether an endpoint is an ingress controller's pod."""
    pod = world.pods.get(endpoint.address)
    return pod is not None and world.is_controller(pod)


def _front(world: World) -> set[str]:
    """The Services that lead to the ingress controller, by key."""
    slices = _cluster(world).slices
    return {each.service_key for each in slices if any(_fronting(world, endpoint) for endpoint in each.endpoints)}


def no_ingress_pods(world: World) -> World:
    """No ingress pod is ready, so the controller's Service has no endpoints."""

    def emptied(each: EndpointSlice) -> EndpointSlice:
        kept = tuple(endpoint for endpoint in each.endpoints if not _fronting(world, endpoint))
        return replace(each, endpoints=kept)

    return _with_cluster(world, slices=tuple(map(emptied, _cluster(world).slices)))


def crashed_ingress_pods(world: World) -> World:
    """The ingress pods are listed as endpoints, and nothing listens in them."""
    pods = _cluster(world).pods
    return _with_cluster(
        world, pods=tuple(replace(pod, phase="Pending") if world.is_controller(pod) else pod for pod in pods)
    )


def local_policy(world: World) -> World:
    """The controller's Service has `externalTrafficPolicy: Local`."""
    front = _front(world)

    def local(service: Service) -> Service:
        changed = replace(service, external_traffic_policy=TrafficPolicy.LOCAL)
        return changed if service.key in front else service

    return _with_cluster(world, services=tuple(map(local, _cluster(world).services)))


def local_policy_checked(world: World) -> World:
    """The same, and the health checks have found out which nodes have no ingress pod."""
    serving = {pod.node for pod in _cluster(world).pods if world.is_controller(pod)}

    def healthy(target: Target) -> bool:
        place = world.where(target.endpoint.address)
        return place.pod is not None or place.node in serving

    return _checked(local_policy(world), healthy)


def nobody_healthy(world: World) -> World:
    """Every target fails its health checks, though all of them work."""
    return _checked(world, lambda target: False)


def _checked(world: World, healthy: Callable[[Target], bool]) -> World:
    """The world after health checks: a target that isn't healthy fails them, the others stay as they were."""
    failing = TargetHealth(HealthState.UNHEALTHY)

    def checked(group: TargetGroup) -> TargetGroup:
        targets = (each if healthy(each) else replace(each, health=failing) for each in group.targets)
        return replace(group, targets=tuple(targets))

    balancers = (replace(each, target_groups=tuple(map(checked, each.target_groups))) for each in world.load_balancers)
    return replace(world, load_balancers=tuple(balancers))


def first_node_stopped(world: World) -> World:
    """The instance of the first target was stopped, and the health checks haven't noticed yet."""
    stopped = world.load_balancers[0].target_groups[0].targets[0].id
    others = tuple(each for each in _region(world).instances if each.instance_id != stopped)
    return _with_region(world, instances=(*others, Instance(stopped, "stopped")))


def _cart_endpoints(world: World, **fields: Any) -> World:
    def changed(each: EndpointSlice) -> EndpointSlice:
        if each.service != "cart":
            return each
        return replace(each, endpoints=tuple(replace(endpoint, **fields) for endpoint in each.endpoints))

    return _with_cluster(world, slices=tuple(map(changed, _cluster(world).slices)))


def no_cart_ready(world: World) -> World:
    """No pod of the cart is ready."""
    return _cart_endpoints(world, ready=False, serving=False)


def crashed_carts(world: World) -> World:
    """The cart's pods are listed as ready endpoints, and nothing listens in them."""
    theirs = {
        endpoint.address for each in _cluster(world).slices if each.service == "cart" for endpoint in each.endpoints
    }
    pods = _cluster(world).pods
    return _with_cluster(world, pods=tuple(replace(pod, phase="Pending") if pod.ip in theirs else pod for pod in pods))


def only_the_cart(world: World) -> World:
    """The Ingresses have no path `/` any more."""
    ingresses = (
        replace(
            each,
            rules=tuple(
                replace(rule, paths=tuple(path for path in rule.paths if path.path != "/")) for rule in each.rules
            ),
        )
        for each in _cluster(world).ingresses
    )
    return _with_cluster(world, ingresses=tuple(ingresses))


# The stories -------------------------------------------------------------------------------------


def as_it_is(world: World) -> World:
    """The world, unchanged."""
    return world


@dataclass(frozen=True, slots=True)
class Story:
    """A prepared journey. `note`: what is other than usual; `before`: requests by which the network has warmed up."""

    name: str
    note: str
    url: str = CART
    change: Callable[[World], World] = as_it_is
    choose: Choose = first
    before: int = 0

    def journey(self, world: World) -> Journey:
        """It happens, in a world that is changed for it."""
        changed, memory, request = self.change(world), Memory(), http_request(self.url)
        for _ in range(self.before):
            travel(changed, memory, request, self.choose)
        return travel(changed, memory, request, self.choose)


STORIES = (
    Story("The hit", "The load balancer picks a node that has an ingress pod, and that node's lots fall on this pod."),
    Story(
        "The miss",
        "The load balancer picks a node without an ingress pod, so the node sends the packet on to another one.",
        choose=beginning(1),
    ),
    Story(
        "Targets of type ip",
        "Another host, whose target group lists pods: neither NodePort nor ingress controller has a part in it.",
        "http://direct.example.com/cart",
    ),
    Story(
        "Policy Local",
        "The controller's Service has externalTrafficPolicy: Local; nodes without an ingress pod fail their health "
        "checks, and the source isn't rewritten.",
        change=local_policy_checked,
    ),
    Story(
        "Kept alive",
        "The fourth request: the load balancer and the controller have connections open that they use again.",
        before=3,
    ),
    Story(
        "Nobody is healthy",
        "Every target fails its health checks, though all of them work: the load balancer fails open.",
        change=nobody_healthy,
    ),
    Story("No such name", "Somebody mistyped the host's name.", "http://shopp.example.com/cart"),
    Story(
        "Unknown host", "A host of which the ingress controller has never heard.", "http://beta.preview.example.com/"
    ),
    Story(
        "Unknown path",
        "The Ingress has no path / any more, and somebody asks for a page that isn't the cart.",
        "http://shop.example.com/about",
        only_the_cart,
    ),
    Story("No pod is ready", "No pod of the cart is ready: its Service has no endpoints.", change=no_cart_ready),
    Story(
        "Crashed carts",
        "The cart's pods are listed as ready, but nothing listens in them; the controller tries three.",
        change=crashed_carts,
    ),
    Story(
        "No ingress pods",
        "No ingress pod is ready: kube-proxy's rules reject what comes to the NodePort.",
        change=no_ingress_pods,
    ),
    Story(
        "Crashed ingress",
        "The ingress pods are listed as endpoints, but nothing listens in them.",
        change=crashed_ingress_pods,
    ),
    Story(
        "Local, but no pod",
        "externalTrafficPolicy: Local was set a moment ago, and the load balancer still picks a node without an "
        "ingress pod.",
        change=local_policy,
        choose=beginning(1),
    ),
    Story(
        "Closed security group",
        "The nodes' security group doesn't let the load balancer in any more.",
        change=nodes_closed,
    ),
    Story(
        "Answers forgotten",
        "The network ACL of the public subnets lets in the web ports alone, and no answers.",
        change=answers_forgotten,
    ),
    Story(
        "Dead target",
        "The first node's instance was stopped a moment ago; the health checks haven't noticed.",
        change=first_node_stopped,
    ),
)

NOTES = MappingProxyType({story.name: story.note for story in STORIES})


def prepared(world: World | None = None) -> dict[str, Journey]:
    """Every prepared journey by its name, in the book's own world or one with the same hosts.

    Raises `WorldError` where the world lacks a VPC, a load balancer or a cluster.
    """
    return dict(_shop_journeys()) if world is None else _journeys(world)


@cache
def _shop_journeys() -> dict[str, Journey]:
    return _journeys(shop())


def _journeys(world: World) -> dict[str, Journey]:
    if not world.load_balancers:
        raise WorldError("this world has no load balancer, and a prepared journey needs one")
    return {story.name: story.journey(world) for story in STORIES}
