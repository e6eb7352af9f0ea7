"""What looks wrong in a world, before any request: the findings of every part, and of the parts together.

Each `Finding` names what it is about, what is wrong, the rule, and what to do. A finding isn't an error: clusters run
for years with some of them. Silence proves nothing.

Not modelled: whether a pod should be ready, or a name should be there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from dns.name import from_text
from dns.rdatatype import RdataType

from netpath.balancing import LoadBalancer, Node, Target, nodes_in_dns
from netpath.fabric import round_trip
from netpath.kubernetes import Cluster, Service, ServiceType
from netpath.memory import Memory
from netpath.packet import Endpoint, Packet, Protocol, TcpFlags
from netpath.vpc import Finding, findings
from netpath.world import World


def look(world: World) -> tuple[Finding, ...]:
    """Everything that looks wrong, part by part."""
    found = list(findings(world.region)) if world.region else []
    for check in _CHECKS:
        found.extend(check(world))
    return tuple(found)


def _cluster(world: World) -> Cluster:
    return world.cluster or Cluster()


def _services_without_endpoints(world: World) -> Iterator[Finding]:
    ready = {each.service_key for each in _cluster(world).slices for endpoint in each.endpoints if endpoint.ready}
    for service in _cluster(world).services:
        if service.type is not ServiceType.EXTERNAL_NAME and service.key not in ready:
            yield Finding(
                f"Service {service.key}",
                "no ready endpoint: connections are refused",
                "Look at its selector and at the readiness of its pods.",
            )


def _unready_endpoints(world: World) -> Iterator[Finding]:
    for each in _cluster(world).slices:
        for endpoint in each.endpoints:
            if not endpoint.ready and not endpoint.terminating:
                yield Finding(
                    f"Service {each.service_key}",
                    f"endpoint {endpoint.pod or endpoint.address} isn't ready, so it gets no traffic",
                    "Look at the pod's readiness probe and its log.",
                    f"EndpointSlice {each.name}: {endpoint.address}",
                )


def _strange_endpoints(world: World) -> Iterator[Finding]:
    """Slices that name a Service, a node or a pod that isn't there."""
    cluster = _cluster(world)
    services, nodes = {service.key for service in cluster.services}, {node.name for node in cluster.nodes}
    pods = {pod.key for pod in cluster.pods}
    for each in cluster.slices:
        if each.service_key not in services:
            remedy = "Delete the slice, or create the Service."
            yield Finding(f"EndpointSlice {each.namespace}/{each.name}", f"no Service {each.service_key}", remedy)
        for endpoint in each.endpoints:
            missing = [f"node {endpoint.node}"] if endpoint.node and nodes and endpoint.node not in nodes else []
            if endpoint.pod and pods and f"{each.namespace}/{endpoint.pod}" not in pods:
                missing.append(f"pod {each.namespace}/{endpoint.pod}")
            for what in missing:
                remedy = "Ask for the objects again: the slice is older or newer than they are."
                subject = f"EndpointSlice {each.namespace}/{each.name}"
                yield Finding(subject, f"{endpoint.address} is on {what}, which isn't there", remedy)


def _lost_addresses(world: World) -> Iterator[Finding]:
    """Nodes and pods whose address no network interface has: the VPC can't deliver to them."""
    region = world.region
    if region is None:
        return
    held = [(f"node {node.name}", node.address) for node in _cluster(world).nodes]
    held += [(f"pod {pod.key}", address) for address, pod in world.pods.items()]
    for subject, address in held:
        if not any(region.interface_at(vpc.vpc_id, address) for vpc in region.vpcs):
            remedy = "Ask for the network interfaces again, or look at what the CNI plugin says."
            yield Finding(subject, f"no network interface has its address {address}", remedy)


def _ingress_backends(world: World) -> Iterator[Finding]:
    """Ingresses that name a Service, or a port of one, that isn't there."""
    services = {service.key: service for service in _cluster(world).services}
    for each in _cluster(world).ingresses:
        paths = [path.backend for rule in each.rules for path in rule.paths]
        for backend in dict.fromkeys((*paths, *([each.default_backend] if each.default_backend else []))):
            service = services.get(f"{each.namespace}/{backend.service}")
            ports = service.ports if service else ()
            if not any(backend.port in (port.port, port.name, port.target_port) for port in ports):
                remedy = "Mend the name or the port of the backend, or create the Service: until then it answers 503."
                yield Finding(f"Ingress {each.key}", f"no Service {each.namespace}/{backend}", remedy)


def _ingress_problems(world: World) -> Iterator[Finding]:
    if world.cluster is not None:
        for problem in world.controller.problems:
            yield Finding("ingress controller", problem, "Look at the Ingress, and at the controller's log.")


def _unhealthy_targets(world: World) -> Iterator[Finding]:
    for balancer in world.load_balancers:
        for group in balancer.target_groups:
            healthy = sum(target.health.healthy for target in group.targets)
            if not healthy:
                yield Finding(
                    f"target group {group.name}",
                    "no healthy target: it fails open, or answers 503 if it has none at all",
                    "Look at the health checks' port and path, and at the targets' security groups.",
                )
            for target in group.targets:
                if healthy and not target.health.healthy:
                    remedy = "Look at the target's answer to the health check."
                    yield Finding(f"target group {group.name}", f"a target is {target.health}", remedy, str(target))


def _ports_without_services(world: World) -> Iterator[Finding]:
    """Instance targets on a port that is nobody's NodePort."""
    ports = {port.node_port: service for service in _cluster(world).services for port in service.ports}
    for balancer in world.load_balancers:
        for group in balancer.target_groups:
            if group.target_type == "instance" and world.cluster is not None:
                yield from _closed(group.name, {target.endpoint.port for target in group.targets}, ports)


def _closed(group: str, asked: set[int], ports: dict[int, Service]) -> Iterator[Finding]:
    for port in sorted(asked - ports.keys()):
        remedy = "Register the targets with the Service's nodePort."
        yield Finding(f"target group {group}", f"no Service has the NodePort {port}", remedy)


def _unreachable_targets(world: World) -> Iterator[Finding]:
    """Targets that a packet from a node of the load balancer doesn't get to, or whose answer doesn't get back."""
    for balancer in world.load_balancers if world.region else ():
        for group in balancer.target_groups:
            for target in group.targets:
                finding = _unreachable(world, balancer, target) if target.health.registered else None
                if finding is not None:
                    yield Finding(f"target group {group.name}", *finding)


def _unreachable(world: World, balancer: LoadBalancer, target: Target) -> tuple[str, str, str] | None:
    """The first node of the load balancer that can't connect to a target: the problem, a remedy, the rule."""
    for node in balancer.nodes:
        ends = Endpoint(node.address, 40000), target.endpoint
        out, back = round_trip(world, Memory(), Packet(Protocol.TCP, *ends, TcpFlags.SYN))
        if not (out.arrived and back is not None and back.arrived):
            stopped = back.verdict if out.arrived and back is not None else out.verdict
            problem = f"{balancer.name}'s node in {node.zone} can't connect to {target}: {stopped.code}"
            return problem, stopped.meaning.remedy, stopped.rule
    return None


def _stale_names(world: World) -> Iterator[Finding]:
    """A load balancer's name that leads to an address of nobody's, or not to a node that it should lead to."""
    for balancer in world.load_balancers:
        records = world.names.find(from_text(balancer.dns_name), RdataType.A)
        if records is None:
            continue
        told = {str(record) for record in records.data}
        public, wanted = _public(balancer.nodes), _public(nodes_in_dns(balancer))
        if told - public or wanted - told:
            problem = f"leads to {', '.join(sorted(told))}, but its nodes are {', '.join(sorted(public))}"
            remedy = "Ask again for its addresses: they change, which is why their TTL is 60."
            yield Finding(balancer.dns_name, problem, remedy)


def _public(nodes: Iterable[Node]) -> set[str]:
    return {str(node.public_address or node.address) for node in nodes}


_CHECKS: tuple[Callable[[World], Iterator[Finding]], ...] = (
    _stale_names,
    _unhealthy_targets,
    _unreachable_targets,
    _ports_without_services,
    _services_without_endpoints,
    _unready_endpoints,
    _strange_endpoints,
    _lost_addresses,
    _ingress_backends,
    _ingress_problems,
)
