"""Chapter 4's repairs: Services that find no pods, paths that lead nowhere, nodes that keep silent.

In a cluster nobody writes EndpointSlices by hand: a controller makes them, from a Service's selector and the pods. The
book's model doesn't have it, for it takes the slices as they are; where a repair is about a Service, `Kept` plays its
part whenever the files are read, and `Dealt` that of the load balancer's health checks.

Not modelled: the time that the controller takes; Services without a selector, whose slices are somebody's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

from netpath.asking import finder
from netpath.balancing import HealthState, LoadBalancer, Target, TargetGroup, TargetHealth
from netpath.choice import Choose, Weights, first
from netpath.errors import InputError
from netpath.exercises.chapter4.worlds import CART, CONTROLLER, endpoints, node, number_of, service
from netpath.exercises.exercise import Level
from netpath.exercises.outcome import Outcome, right, wrong
from netpath.exercises.parts import cluster
from netpath.exercises.repair import Edit, Repair, Test, answers
from netpath.fabric import round_trip
from netpath.journey import Journey, travel
from netpath.kubernetes import EndpointPort, EndpointSlice, Pod, Service, ServicePort, SliceEndpoint, TrafficPolicy
from netpath.load import SHOP, load_world
from netpath.load.fields import Field
from netpath.load.files import documents
from netpath.load.kubernetes import is_kubernetes, objects
from netpath.memory import Memory
from netpath.packet import Packet, Protocol, TcpFlags, endpoint, http_request, tcp
from netpath.show.detours import detours
from netpath.world import Kind, World

_SERVICES, _SLICES, _INGRESSES = (f"kubernetes/{name}.yaml" for name in ("services", "endpointslices", "ingresses"))
_HEALTH = "aws/describe-target-health.shop-ingress.json"
_GROUPS, _SECURITY = "aws/describe-target-groups.json", "aws/describe-security-groups.json"
_SHOP = "http://shop.example.com"
_NOT_YOURS = (
    " (An EndpointSlice isn't yours to write: its controller makes it from the Service's selector and the pods, and "
    "puts it back.)"
)


# The controller of EndpointSlices --------------------------------------------------------------------
class Kept(Repair):
    """A repair in a cluster in which Kubernetes' own controller keeps the EndpointSlices."""

    def load(self, folder: Path) -> World:
        """The world, with the slices as the controller makes them from what is in the files."""
        return kept(load_world(folder), dict(_selectors(folder)))

    def judged(self, folder: Path) -> Outcome:
        """As for any repair, with a word to whoever has written a slice."""
        outcome = super().judged(folder)
        if outcome.right or not self._slices_changed(folder):
            return outcome
        return replace(outcome, because=outcome.because + _NOT_YOURS)

    def _slices_changed(self, folder: Path) -> bool:
        text = (SHOP / _SLICES).read_text(encoding="utf-8")
        for edit in self.breaks:
            text = text.replace(edit.old, edit.new) if edit.file == _SLICES else text
        return not (folder / _SLICES).is_file() or (folder / _SLICES).read_text(encoding="utf-8") != text


def _selectors(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """What each Service selects, by its namespace and name."""
    read = (each for each in documents(folder) if isinstance(each, Field) and is_kubernetes(each))
    for item in (item for document in read for item in objects(document)):
        selector = item["spec"].mapping_at("selector") if item["kind"].text() == "Service" else {}
        if selector:
            metadata = item["metadata"]
            yield f"{metadata.text_at('namespace', 'default')}/{metadata['name'].text()}", selector


def kept(world: World, selectors: dict[str, dict[str, str]]) -> World:
    """The world with slices as the controller makes them, for the Services that select."""
    others = [each for each in cluster(world).slices if each.service_key not in selectors]
    made = [_slice(world, each, selectors[each.key]) for each in cluster(world).services if each.key in selectors]
    return replace(world, cluster=replace(cluster(world), slices=(*others, *made)))


def _slice(world: World, of: Service, selector: dict[str, str]) -> EndpointSlice:
    """One Service's slice. (The controller makes several where pods mean different numbers by a port's name.)"""
    pods = [
        pod for pod in cluster(world).pods if pod.namespace == of.namespace and selector.items() <= pod.labels.items()
    ]
    ports = tuple(
        EndpointPort(number, port.protocol, port.name) for port in of.ports if (number := _number(port, pods))
    )
    zones = {each.name: each.zone for each in cluster(world).nodes}
    ends = tuple(
        SliceEndpoint(pod.ip, pod.ready, pod.ready, False, pod.node, zones.get(pod.node, ""), pod=pod.name)
        for pod in pods
        if pod.ip is not None
    )
    return EndpointSlice(of.namespace, f"{of.name}-kept", of.name, ports, ends)


def _number(port: ServicePort, pods: list[Pod]) -> int:
    """What a Service port's target is as a number: itself, or the pods' port of that name; 0 for none."""
    if isinstance(port.target_port, int):
        return port.target_port
    wanted = port.target_port, port.protocol
    return next((each.port for pod in pods[:1] for each in pod.ports if (each.name, each.protocol) == wanted), 0)


# What must hold ----------------------------------------------------------------------------------
def served(url: str, key: str) -> Test:
    """A test: a request for this URL is answered by a pod of this Deployment, `namespace/name`."""

    def test(world: World) -> Outcome:
        journey = travel(world, Memory(), http_request(url))
        response = journey.outcome.response
        if response is not None and response.status == 200 and response.by.startswith(f"pod {key}-"):
            return right()
        return wrong(f"{url} should be answered by a pod of {key}, and it ends with {journey.outcome}")

    return test


def from_target(number: int) -> Choose:
    """The load balancer's round begins with this target, of those that there are."""

    def choose(question: str, weights: Weights, /) -> int:
        starts = question.startswith("where does round robin start")
        return (number - 1) % len(weights) if starts else first(question, weights)

    return choose


def whatever_target(url: str) -> Test:
    """A test: a request for this URL ends well, whichever target the load balancer begins with."""

    def test(world: World) -> Outcome:
        for number in (1, 2, 3):
            journey = travel(world, Memory(), http_request(url), from_target(number))
            cause = journey.cause
            if journey.outcome.response is None or journey.outcome.response.status != 200:
                where = f" at {cause.station} {cause.at} ({cause.verdict.code})" if cause is not None else ""
                return wrong(
                    f"one request in a few still ends with {journey.outcome}, after {journey.waited:g} s{where}"
                )
        return right()

    return test


# q11: 404 for what is beneath ----------------------------------------------------------------------
_ROOT = "          path: /\n          pathType: {}\n        - backend"
_CART_PATH = "          path: /cart\n          pathType: {}\n"
q11 = Repair(
    "4.11",
    "404, but only for /cart/",
    8,
    Level.EASY,
    (
        "Who answers the 404, and which rule should have matched?",
        "`Exact` is the path alone: not with a slash behind it, and nothing beneath it.",
    ),
    "`http://shop.example.com/` opens, and so does `/cart`. But `/cart/` is 404, and so is everything that the shop "
    "links to: `/cart/7`, `/help`. Nothing is wrong with the pods.",
    breaks=(
        Edit(_INGRESSES, _ROOT.format("Prefix"), _ROOT.format("Exact")),
        Edit(_INGRESSES, _CART_PATH.format("Prefix"), _CART_PATH.format("Exact")),
    ),
    cures=(
        Edit(_INGRESSES, _ROOT.format("Exact"), _ROOT.format("Prefix")),
        Edit(_INGRESSES, _CART_PATH.format("Exact"), _CART_PATH.format("Prefix")),
    ),
    reasoning="Both paths had become `Exact`. With `Prefix` they match element by element: `/cart`, `/cart/`, "
    "`/cart/7` are the cart's, `/cartoon` and all the rest the front page's. Mending `/` alone is worse than nothing: "
    "then `/cart/7` is answered with 200, by the wrong Service.",
    tests=(
        served(f"{_SHOP}/", "shop/web"),
        served(f"{_SHOP}/cart", CART),
        served(f"{_SHOP}/cart/", CART),
        served(f"{_SHOP}/cart/7", CART),
        served(f"{_SHOP}/cartoon", "shop/web"),
        served(f"{_SHOP}/help", "shop/web"),
        answers("http://www.example.com/help"),
    ),
    slips=(
        (
            (Edit(_INGRESSES, _ROOT.format("Exact"), _ROOT.format("Prefix")),),
            "should be answered by a pod of shop/cart",
        ),
        (
            (Edit(_INGRESSES, _CART_PATH.format("Exact"), _CART_PATH.format("Exact").replace("/cart", "/cart/")),),
            "/cart should be answered by a pod of shop/cart",
        ),
        ((Edit(_INGRESSES, _CART_PATH.format("Exact"), _CART_PATH.format("Prefix")),), "/cartoon"),
    ),
)


# q12: no endpoints ---------------------------------------------------------------------------------
def _between(file: str, start: str, end: str) -> str:
    """The piece of one of the book's files from one text until another, without that."""
    content = (SHOP / file).read_text(encoding="utf-8")
    begin = content.index(start)
    return content[begin : content.index(end, begin)]


_CARTS = _between(_SLICES, "  endpoints:\n  - addresses:\n    - 10.0.34.103\n", "  kind: EndpointSlice")
_SELECTOR = "    selector:\n      app: cart\n"
q12 = Kept(
    "4.12",
    "A shop without a cart",
    8,
    Level.EASY,
    (
        "A 503 from the controller says that it finds nobody behind the Service. Who decides which pods are behind it?",
        "Compare the Service's selector with the labels of its pods: a pod must have all of them.",
    ),
    "Since this morning's clean-up every request for `http://shop.example.com/cart` gets a 503 at once. The front page "
    "is well, and three of the cart's pods are ready. (Here, as in any cluster, a controller keeps the EndpointSlices: "
    "they follow the Services and the pods as soon as you mend those.)",
    breaks=(
        Edit(_SERVICES, _SELECTOR, "    selector:\n      app: cart\n      tier: backend\n"),
        Edit(_SLICES, _CARTS, "  endpoints: null\n"),
    ),
    cures=(Edit(_SERVICES, "      app: cart\n      tier: backend\n", "      app: cart\n"),),
    reasoning="The clean-up added `tier: backend` to the selector, and no pod has that label: so the slice is empty, "
    "and the controller has nobody to call. Labels on all of the cart's pods would cure it as well.",
    tests=(answers(f"{_SHOP}/cart"), served(f"{_SHOP}/cart", CART), served(f"{_SHOP}/cart/7", CART),
           served(f"{_SHOP}/", "shop/web")),
    slips=(
        ((Edit(_SERVICES, "      app: cart\n      tier: backend\n", "      app: web\n"),), "by a pod of shop/cart"),
        ((Edit(_SLICES, "  endpoints: null\n", _CARTS),), "isn't yours to write"),
        ((Edit(_SERVICES, "      app: cart\n      tier: backend\n", "      tier: backend\n"),), "503"),
    ),
)  # fmt: skip


# q13: the wrong port -------------------------------------------------------------------------------
_TARGET = f"      targetPort: http\n{_SELECTOR}"
_CART_PORT = _between(_SLICES, "    name: cart-n6kxw\n", "- addressType")


def _listening(world: World) -> Outcome:
    """The cart's program listens where it did: that isn't in any file."""
    carts = [pod for pod in cluster(world).pods if pod.key.startswith(f"{CART}-")]
    if all(any(port.port == 8080 for port in pod.ports) for pod in carts):
        return right()
    return wrong("`containerPort` is a note, and the cart's program still listens on 8080: mend what is wrong about it")


q13 = Kept(
    "4.13",
    "Refused",
    8,
    Level.MEDIUM,
    (
        "A 502 at once: somebody was refused. Who called whom, and at which port? `trace` tells.",
        "A Service's `port` is what callers use; its `targetPort` is where the pods listen, by number or by name.",
    ),
    "After the same clean-up `http://shop.example.com/cart` gets a 502, at once, from ingress-nginx. Three of the "
    "cart's pods are ready, and all three are in the list of endpoints. (The controller of EndpointSlices is at work "
    "here, too.)",
    breaks=(
        Edit(_SERVICES, _TARGET, _TARGET.replace("targetPort: http", "targetPort: 80")),
        Edit(_SLICES, _CART_PORT, _CART_PORT.replace("8080", "80")),
    ),
    cures=(Edit(_SERVICES, f"      targetPort: 80\n{_SELECTOR}", _TARGET),),
    reasoning="Somebody gave the Service's own port, 80, as the `targetPort`. So the controller wrote port 80 into the "
    "slice, nginx called the pods there, and their kernels refused: nobody listens. `targetPort: 8080` is as good as "
    "the name; the name goes on being right when the pods' port changes.",
    tests=(_listening, answers(f"{_SHOP}/cart"), served(f"{_SHOP}/cart/7", CART), served(f"{_SHOP}/", "shop/web")),
    slips=(
        ((Edit(_SLICES, _CART_PORT.replace("8080", "80"), _CART_PORT),), "isn't yours to write"),
        (
            (Edit(_SERVICES, f"      targetPort: 80\n{_SELECTOR}", f"      targetPort: htpp\n{_SELECTOR}"),),
            "should end with 200, and it ends with 503",
        ),
    ),
)


# q14: one in three -------------------------------------------------------------------------------------
_CHECKS = _between(_GROUPS, '"TargetGroupName": "shop-ingress"', '            "HealthCheckEnabled"')
_KUBE_PROXY = 10256  # where kube-proxy says, on every node, that it is well
_FOUND = " (A target's state isn't yours to write: it is what the load balancer's checks find, and they look again.)"
_CHECKED = '"HealthCheckPort": "{}"'
_POD_RULE = '                {\n                    "IpProtocol": "tcp",\n                    "FromPort": 8080,'
_CHECK_RULE = """\
                {
                    "IpProtocol": "tcp",
                    "FromPort": 10256,
                    "ToPort": 10256,
                    "UserIdGroupPairs": [
                        {
                            "UserId": "111122223333",
                            "GroupId": "sg-0a1b000000000000a",
                            "Description": "health checks, from the load balancer"
                        }
                    ],
                    "IpRanges": [],
                    "Ipv6Ranges": [],
                    "PrefixListIds": []
                },
"""


def _target(number: int) -> str:
    """A node's piece of the target group's health."""
    name = f'        {{\n            "Target": {{\n                "Id": "i-0123456789abcde0{number}"'
    return _between(_HEALTH, name, name.replace(f"e0{number}", f"e0{number + 1}") if number < 3 else "    ]")


def _checked(text: str) -> str:
    """The check asks kube-proxy itself, on port 10256: it is well on every node, whatever pods there are."""
    return text.replace(_CHECKED.format("30080"), _CHECKED.format("10256"))


def _still_local(world: World) -> Outcome:
    """Nothing takes a detour, as was wanted."""
    missed = sum(way.share for way in detours(world, 30080) if way.miss)
    if service(world, CONTROLLER).external_traffic_policy is TrafficPolicy.LOCAL and not missed:
        return right()
    return wrong(
        f"the policy Local is wanted, and now a share of {float(missed):.2g} of all connections takes a detour"
    )


def _both_used(world: World) -> Outcome:
    """Both ingress pods are there to be called."""
    group = next(group for each in world.load_balancers for group in each.target_groups if group.name == "shop-ingress")
    called = {str(each.endpoint.address) for each in group.targets if each.health.healthy}
    wanted = {str(node(number_of(end.node), world).address) for end in endpoints(world, CONTROLLER) if end.ready}
    missing = ", ".join(sorted(wanted - called))
    return wrong(f"{missing} has an ingress pod, and gets nothing any more") if missing else right()


@dataclass(eq=False, repr=False)
class Dealt(Repair):
    """A repair in which the load balancer checks its targets, and deals each request of the reader's to the next."""

    _round: int = field(default=0, init=False)

    def load(self, folder: Path) -> World:
        """The world, with the targets' health as the checks find it."""
        return with_checks(load_world(folder), _check_port(folder))

    def judged(self, folder: Path) -> Outcome:
        """As for any repair, with a word to whoever has written a state."""
        outcome, file = super().judged(folder), folder / _HEALTH
        written = file.is_file() and '"unhealthy' in file.read_text(encoding="utf-8")
        return replace(outcome, because=outcome.because + _FOUND) if written and not outcome.right else outcome

    def _opened(self, url: str, caller: str) -> Journey:
        self._round += 1
        world = self.world
        return travel(world, Memory(), http_request(url), from_target(self._round), user=finder(world)(caller))


def _check_port(folder: Path) -> str:
    """The port that the ingress targets' health checks ask: a number, or `traffic-port`."""
    groups = (group for each in documents(folder) if isinstance(each, Field) for group in each.each("TargetGroups"))
    ports = (group.text_at("HealthCheckPort") for group in groups if group["TargetGroupName"].text() == "shop-ingress")
    return next(ports, "") or "traffic-port"


def with_checks(world: World, port: str) -> World:
    """The world with each ingress target as healthy as an answer on that port makes it."""
    return replace(world, load_balancers=tuple(_with_checks(world, each, port) for each in world.load_balancers))


def _with_checks(world: World, balancer: LoadBalancer, port: str) -> LoadBalancer:
    def checked(group: TargetGroup) -> TargetGroup:
        if group.name != "shop-ingress":
            return group
        found = (replace(each, health=_health(world, balancer, each, port)) for each in group.targets)
        return replace(group, targets=tuple(found))

    return replace(balancer, target_groups=tuple(map(checked, balancer.target_groups)))


def _health(world: World, balancer: LoadBalancer, target: Target, port: str) -> TargetHealth:
    """What a check finds: a pod answers, or on its own port kube-proxy does, which runs on every node."""
    number = target.endpoint.port if port == "traffic-port" else int(port[:6]) if port.isdecimal() else 0
    if not 0 < number < 65536:
        raise InputError("not a port", file=_GROUPS, value=port, expected="a number, or traffic-port")
    call = tcp(f"{balancer.nodes[0].address}:40000", f"{target.endpoint.address}:{number}")
    out, back = round_trip(world, Memory(), call)
    answered = out.place is not None and back is not None and back.arrived
    if answered and out.place is not None and (out.place.kind is Kind.POD or number == _KUBE_PROXY):
        return TargetHealth()
    return TargetHealth(HealthState.UNHEALTHY, "Target.FailedHealthChecks")


q14 = Dealt(
    "4.14",
    "One request in three",
    12,
    Level.MEDIUM,
    (
        "A 504 after ten seconds: somebody dropped the packet. On which node, and by which rule? Send three requests, "
        "and look at the one that fails with `trace`; or compare `iptables_save` on each node.",
        "With policy Local a node without an ingress pod can't serve. Who sends to it nevertheless, and why?",
        "A health check should ask what requests will ask. Which port do these checks ask, and who answers there?",
    ),
    "Since yesterday every third request for the shop gets a 504, after ten seconds; a reload helps. Yesterday "
    "`externalTrafficPolicy: Local` was set for the ingress controller, so that no connection takes a detour any more. "
    "That was decided, and should stay. The load balancer finds all its targets healthy. (It checks them whenever you "
    "look. Each `.curl(…)` and `.trace(…)` is the next request, and is dealt to the next target.)",
    breaks=(
        Edit(_SERVICES, "externalTrafficPolicy: Cluster", "externalTrafficPolicy: Local"),
        Edit(_GROUPS, _CHECKS, _CHECKS.replace("traffic-port", "10256")),
        Edit(_SECURITY, _POD_RULE, _CHECK_RULE + _POD_RULE),
        Edit(_HEALTH, _target(1), _checked(_target(1))),
        Edit(_HEALTH, _target(2), _checked(_target(2))),
        Edit(_HEALTH, _target(3), _checked(_target(3))),
    ),
    cures=(Edit(_GROUPS, _CHECKS.replace("traffic-port", "10256"), _CHECKS),),
    reasoning="Node 2 has no ingress pod, and with policy Local its kube-proxy drops what comes to the NodePort. That "
    "kube-proxy itself is well, so checks that ask for it find nothing. Let them ask the NodePort, as requests do "
    "(`traffic-port`): then node 2 is unhealthy, as it should be, and the load balancer finds out alone when the pods "
    "move. To take node 2 out of the target group cures it as well, until a pod moves. So does policy Cluster, but not "
    "without the detour.",
    tests=(whatever_target(f"{_SHOP}/cart"), _still_local, _both_used, answers(f"{_SHOP}/")),
    slips=(
        ((Edit(_SERVICES, "externalTrafficPolicy: Local", "externalTrafficPolicy: Cluster"),), "takes a detour"),
        ((Edit(_HEALTH, _checked(_target(2)), _checked(_target(2)).replace("healthy", "unhealthy")),), "isn't yours"),
        ((Edit(_HEALTH, _checked(_target(1)), ""),), "NO_LOCAL_ENDPOINTS"),
        ((Edit(_HEALTH, _checked(_target(1)), ""), Edit(_HEALTH, _checked(_target(2)), "")), "gets nothing any more"),
    ),
)


# q15: silence for some ---------------------------------------------------------------------------------
_DNS = "172.20.0.10:53"
_DNS_POLICY = "    clusterIP: 172.20.0.10\n    clusterIPs:\n    - 172.20.0.10\n    internalTrafficPolicy: {}\n"


def _everybody_asks(world: World) -> Outcome:
    """Every pod, and every node, gets to a DNS pod."""
    callers = [(f"pod {pod.key}", str(pod.ip)) for pod in cluster(world).pods if pod.ip is not None]
    callers += [(f"node {each.name}", str(each.address)) for each in cluster(world).nodes]
    for (name, source), protocol in product(callers, (Protocol.UDP, Protocol.TCP)):
        flags = TcpFlags.SYN if protocol is Protocol.TCP else None
        question = Packet(protocol, endpoint(f"{source}:40000"), endpoint(_DNS), flags)
        out, back = round_trip(world, Memory(), question)
        if out.place is None or out.place.kind is not Kind.POD or back is None or not back.arrived:
            verdict = out.verdict if out.place is None or back is None else back.verdict
            return wrong(
                f"{name} asks {_DNS}, and that ends with {verdict.code}: {verdict.rule or verdict.meaning.happened}"
            )
    return right()


def _dns_pods(world: World) -> Outcome:
    """The DNS Service leads to the DNS pods, on port 53, and to nobody else."""
    names = [end.pod for end in endpoints(world, "kube-system/kube-dns")]
    if names and all(name.startswith("coredns-") for name in names):
        return right()
    return wrong(
        f"the Service kube-dns should lead to the pods of coredns, and it leads to {', '.join(names) or 'nobody'}"
    )


q15 = Kept(
    "4.15",
    "Works from two nodes",
    12,
    Level.HARD,
    (
        "Silence is a DROP. Every node has rules of its own: compare `iptables_save` on node 2 with that on node 1.",
        "There are two traffic policies. One is about connections from outside, the other about those of the cluster's "
        "own.",
        "A Service's `internalTrafficPolicy: Local` keeps a ClusterIP's callers to endpoints of their own node.",
    ),
    "\"My pod can't resolve names any more.\" It is `shell`, on node 2, and whatever it asks the cluster's DNS, at "
    "`172.20.0.10:53`, ends in silence. Pods on the nodes 1 and 3 have no such trouble, and the two pods of the DNS "
    "are ready. To see the way of the first packet: `.trace(\"http://172.20.0.10:53/\", \"shop/shell\")`; that it "
    "would be HTTP doesn't matter to the kernel. (The controller of EndpointSlices is at work.)",
    breaks=(Edit(_SERVICES, _DNS_POLICY.format("Cluster"), _DNS_POLICY.format("Local")),),
    cures=(Edit(_SERVICES, _DNS_POLICY.format("Local"), _DNS_POLICY.format("Cluster")),),
    reasoning="The Service kube-dns had the internal policy Local: a node gives its own pods only its own DNS pods, "
    "and drops the question where it has none. Node 2 has none. Policy Local needs a pod on every node (a DaemonSet, "
    "as NodeLocal DNSCache is one).",
    tests=(_everybody_asks, _dns_pods, answers(f"{_SHOP}/cart")),
    slips=(
        (
            (Edit(_SLICES, "    nodeName: ip-10-0-48-13.eu-west-1.compute.internal\n    targetRef:\n      kind: Pod\n"
                  "      name: coredns", "    nodeName: ip-10-0-33-12.eu-west-1.compute.internal\n    targetRef:\n"
                  "      kind: Pod\n      name: coredns"),),
            "isn't yours to write",
        ),
        ((Edit(_SERVICES, "      k8s-app: kube-dns\n", "      app: web\n"),), "NO_"),
    ),
)  # fmt: skip
