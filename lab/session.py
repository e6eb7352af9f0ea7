"""A world made real: the network is built, the programs are started, and requests are sent and watched.

    lab = Lab(shop())
    lab.up()
    lab.request("http://shop.example.com/cart")

It runs in the process that `lab.isolation` has started; everything ends with that process, or with `lab.down()`.

Not modelled: two requests at once are told apart by a header, but failed connections aren't.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import dns.message

from lab import balancer, ingress, names, nginx, road, user
from lab.decisions import Decisions
from lab.namespaces import delete, run
from lab.network import Host, Plan, build, end_host, router
from lab.nodes import FLAT, add_flat, add_nodes
from lab.pods import Pods
from lab.programs import DNS, Programs
from lab.questions import Asked, asked
from lab.vpc import DOWNSTREAM, add_others, add_vpc
from lab.wire import Sighting, Wire
from netpath.balancing import LoadBalancer
from netpath.balancing import Node as BalancerNode
from netpath.kubernetes import Pod
from netpath.packet import http_request
from netpath.vpc import Region
from netpath.world import World

PROGRAMS = (
    "conntrack",
    "ip",
    "iptables-legacy-restore",
    "iptables-nft-restore",
    "nft",
    "nginx",
    "nsd",
    "unbound",
)
USER, INTERNET = "user", "internet"
WEB = 80  # a port on which the user's machine answers, for all the Internet
_SILENT = ("internet", "vpc", FLAT)
Ends = tuple[str, int, str, int]  # a source and a destination, each with its port
_FILES = Path("/run/lab")


@dataclass(frozen=True)
class Request:
    """What was seen of one request: the look-up, the connections, and the user's answer.

    `answer` is the resolver's, None where it wasn't asked; `server` the address that the user asked for the page, empty
    where there was none. `rules` are those that a first packet matched, by its two ends as it was sent and the node,
    if they were watched.
    """

    server: str
    asked: tuple[Asked, ...]
    answer: dns.message.Message | None
    road: road.Road
    reply: user.Reply
    sightings: tuple[Sighting, ...]
    rules: Mapping[tuple[Ends, str], list[str]]


class Lab:
    """A network of the parts that a world describes.

    `keep_alive`: load balancer and ingress controller use open connections again.
    """

    def __init__(self, world: World, keep_alive: bool = False) -> None:
        self.world, self.keep_alive = world, keep_alive
        self.plan = Plan()
        self._pods = Pods()
        self._programs = Programs()
        self._unbound: Path | None = None
        self._decisions: Decisions | None = None
        self._marks = count(1)
        self._make_plan()

    # The plan --------------------------------------------------------------------------------
    def _make_plan(self) -> None:
        world = self.world
        internet = self.plan.add(router(INTERNET, "internet"))
        internet.commands.append("route add blackhole default")
        names.connect(self.plan, self.plan.add(end_host(USER, "user", str(world.user))), internet)
        self.servers = names.add_names(self.plan, world.zones, str(world.resolver), internet)
        self.balancers: dict[str, tuple[LoadBalancer, BalancerNode]] = {}
        if world.region is not None:
            self._plan_vpc(world.region, internet)
        elif world.nodes:
            add_nodes(self.plan, world.nodes, {}, add_flat(self.plan, world.nodes, internet))

    def _plan_vpc(self, region: Region, internet: Host) -> None:
        interfaces = add_vpc(self.plan, region, internet)
        for each in self.world.load_balancers:
            for node in each.nodes:
                place = self._add_balancer_node(each, node, interfaces[node.interface_id])
                self.balancers[place] = each, node
        add_nodes(self.plan, self.world.nodes, interfaces, None)
        add_others(self.plan, region, interfaces)

    def _add_balancer_node(self, each: LoadBalancer, node: BalancerNode, interface: Host) -> str:
        host = self.plan.add(end_host(f"{each.name} {node.zone}", "load balancer", str(node.address)))
        self.plan.link(host, "eth0", interface, DOWNSTREAM)
        return host.place

    @property
    def places(self) -> dict[str, str]:
        """The places by their addresses."""
        return {address: host.place for host in self.plan.hosts.values() for address in host.addresses}

    @property
    def silent(self) -> frozenset[str]:
        """The places that only pass packets on."""
        return frozenset(host.place for kind in _SILENT for host in self.plan.of_kind(kind))

    # Up --------------------------------------------------------------------------------------
    def up(self, with_names: bool = True) -> None:
        """Build the network and start the programs; name servers only `with_names`. Raises `LabError`."""
        build(self.plan)
        if with_names and self.servers:
            self._start_names()
            self._start_resolver()
        self._start_balancers()
        self._start_pods()
        self._programs.wait()
        self.wire = Wire(self.plan.hosts.values())

    def _start_names(self) -> None:
        zones, aliases = self.world.zones, self.world.aliases
        texts = {zone.origin: names.zone_text(zone, zones, aliases) for zone in zones if zone.origin is not None}
        for place, server in self.servers.items():
            host = self.plan.hosts[place]
            configuration = names.nsd_files(server, texts, _FILES / host.namespace)
            log = configuration.parent / "log"
            self._programs.start(host, "nsd", "-d", "-c", str(configuration), port=DNS, log=log)

    def _start_resolver(self) -> None:
        host = self.plan.hosts[names.RESOLVER]
        roots = {server.name: server.address for server in self.servers.values() if server.serves_root}
        self._unbound = names.unbound_files(str(self.world.resolver), roots, _FILES / host.namespace)
        log = self._unbound.parent / "log"
        self._programs.start(host, "unbound", "-d", "-p", "-c", str(self._unbound), port=DNS, log=log)

    def _start_balancers(self) -> None:
        for place, (each, node) in self.balancers.items():
            ports = [listener.port for listener in each.listeners if listener.protocol == "HTTP"]
            if ports:
                self._start_nginx(self.plan.hosts[place], balancer.configuration(each, node, self.keep_alive), ports[0])

    def _start_nginx(self, host: Host, http: str, port: int) -> None:
        folder = _FILES / host.namespace
        configuration, log = nginx.write(folder, http), folder / "error.log"
        self._programs.start(host, "nginx", "-c", str(configuration), "-e", str(log), port=port, log=log)

    def _start_pods(self) -> None:
        for pod in self._real_pods():
            host = self.plan.hosts[pod.key]
            if not self.world.is_controller(pod):
                self._pods.listen(pod, host)
            elif pod.phase == "Running" and self.world.cluster is not None:
                self._start_nginx(host, ingress.configuration(self.world.cluster, self.keep_alive), 80)
        self._pods.open(self.plan.hosts[USER], WEB, "somebody on the Internet")
        self._pods.start()

    def _real_pods(self) -> list[Pod]:
        return [pod for node in self.world.nodes.values() for pod in node.pods.values()]

    # Requests --------------------------------------------------------------------------------
    def forget_names(self) -> None:
        """Empty the resolver's cache."""
        if self._unbound is not None:
            run("unbound-control", "-c", str(self._unbound), "flush_zone", ".")

    def request(self, url: str, server: str = "", choose: int = 0) -> Request:
        """Open a URL as the user, and watch. `server`: ask this address instead of looking the name up.

        `choose`: which of the addresses found.
        """
        wanted = http_request(url)
        self.wire.forget()
        answer = None
        server = server or (wanted.host if _is_address(wanted.host) else "")
        if not server:
            answer = user.look_up(USER, str(self.world.resolver), wanted.host)
            found = user.addresses(answer)
            server = found[choose % len(found)] if found else ""
        mark = str(next(self._marks))
        asking = (server, wanted.port), wanted.host, wanted.target
        reply = user.get(USER, *asking, mark) if server else user.Reply()
        sightings = self.wire.sightings()
        lines = road.connections(sightings, self.silent, f"\r\n{user.MARK}: {mark}\r\n".lower().encode())
        seen = road.Road(lines, reply.status)
        rules = self._rules(sightings)
        return Request(server, asked(sightings, names.RESOLVER), answer, seen, reply, tuple(sightings), rules)

    def watch_rules(self) -> None:
        """From now on, note which rules of the nodes a request's first packets match."""
        if self._decisions is None:
            self._decisions = Decisions(self.plan.of_kind("node"))

    def _rules(self, sightings: Sequence[Sighting]) -> dict[tuple[Ends, str], list[str]]:
        ends = {seen.key: seen.packet[:4] for seen in reversed(sightings) if seen.packet.what == "S"}
        found = self._decisions.seen() if self._decisions is not None else {}
        return {(ends[key], place): rules for (place, key), rules in found.items() if key in ends}

    def connect(self, place: str, server: tuple[str, int], patience: float = 0.1) -> road.Line | None:
        """Try to connect from any host, and watch; None if nothing was on any wire. `patience` in seconds."""
        self.wire.forget()
        user.connect(self.plan.hosts[place].namespace, server, patience)
        lines = road.connections(self.wire.sightings(), self.silent)
        return lines[0] if lines else None

    def down(self) -> None:
        """End the programs and take the network apart, so that another lab can come up in this process."""
        self._programs.end()
        self._pods.close()
        self.wire.close()
        if self._decisions is not None:
            self._decisions.close()
        delete(*(host.namespace for host in self.plan.hosts.values()))
        shutil.rmtree(_FILES, ignore_errors=True)


def _is_address(host: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return False
    return True
