"""kube-proxy's chains as a widget: a packet falls through them, and each rule says whether it matched and why not.

    falling()    the book's Service `cart`, with a NodePort: pods ready or not, traffic policy, sender, lot to choose
    explore()    with a kernel: any world, any packet

Every combination is walked beforehand by the model itself, each lot of it (`netpath.choice.outcomes`), and kept as
JSON in which every text, every chain and every walk stands once:

    texts     all strings, by number
    controls  what can be chosen: name and options; the last one turns fastest
    states    for each combination of the choices, the walks that chance may take, each with its share
    blocks    chains: table and name, then the rules
    walks     the packet as it came, its way rule by rule, and what became of it

Not modelled: the second node, if the pod is on another: no rule of kube-proxy's is about a pod's own address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

import ipywidgets

from netpath.choice import outcomes
from netpath.codes import Fate
from netpath.errors import InputError
from netpath.fabric import Trip, send
from netpath.iptables import Chain, Ruleset
from netpath.kubeproxy import restore_input
from netpath.kubernetes import Cluster, ServiceType, SliceEndpoint, TrafficPolicy
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import Hop, Packet, Protocol, Step, TcpFlags, endpoint
from netpath.show.palette import FATES
from netpath.show.tables import Face, Table, cell
from netpath.show.widgets.kit import Data, Live, Shown, live
from netpath.world import World

SERVICE = "shop/cart"
NODE_PORT = 31080
CONDITIONS = {  # of an endpoint: its three fields, in the words of the page
    "ready": {"ready": True, "serving": True, "terminating": False},
    "terminating": {"ready": False, "serving": True, "terminating": True},
    "not ready": {"ready": False, "serving": False, "terminating": False},
}
POLICIES = tuple(map(str, TrafficPolicy))
_LOT = re.compile(r"--mode random --probability (\S+)")
_STAGES = {
    "nat PREROUTING": "table nat, as the packet arrives",
    "nat OUTPUT": "table nat, as a process of the node sends it",
    "filter INPUT": "table filter, for the node itself",
    "filter FORWARD": "table filter, on the way through",
    "filter OUTPUT": "table filter, as a process of the node sends it",
    "nat POSTROUTING": "table nat, as the packet leaves",
}


# Walks -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Walk:
    """One way that a packet may take through a node's rules, and how likely it is."""

    share: Fraction
    hop: Hop
    rules: Ruleset


def walks(world: World, packet: Packet) -> tuple[Walk, ...]:
    """Every way through the rules of the first node that a packet meets. Raises `InputError` if it meets none."""
    found: dict[tuple[str, ...], Walk] = {}
    for outcome in outcomes(lambda choose: send(world, Memory(), packet, choose)):
        hop = _first_node(outcome.result)
        key = tuple(step.at for step in hop.steps if step.matched)
        known = found.get(key)
        share = outcome.probability + (known.share if known else 0)
        found[key] = Walk(share, hop, world.nodes[hop.at].services)
    return tuple(found.values())


def _first_node(trip: Trip) -> Hop:
    hop = next((hop for hop in trip.hops if hop.station == "node"), None)
    if hop is None:
        raise InputError(
            "this packet meets no node", value=str(trip.sent), expected="a packet to a node, or from a pod"
        )
    return hop


# As JSON -----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Book:
    """Everything once, by number."""

    texts: dict[str, int] = field(default_factory=dict)
    blocks: dict[tuple[int, ...], int] = field(default_factory=dict)
    walks: dict[str, int] = field(default_factory=dict)
    written: list[Data] = field(default_factory=list)

    def text(self, text: str) -> int:
        return self.texts.setdefault(text, len(self.texts))

    def block(self, table: str, chain: Chain) -> int:
        texts = (f"{table} {chain.name}", *((rule.text or str(rule)) for rule in chain.rules))
        return self.blocks.setdefault(tuple(map(self.text, texts)), len(self.blocks))

    def walk(self, walk: Walk) -> int:
        made = self._walk(walk)
        number = self.walks.setdefault(repr(made), len(self.written))
        if number == len(self.written):
            self.written.append(made)
        return number

    def _walk(self, walk: Walk) -> Data:
        told = list(_told(walk.hop))
        names = dict.fromkeys(each.chain for each in told)
        numbers = {name: at for at, name in enumerate(names)}
        rows = [
            [numbers[each.chain], each.number, int(each.step.matched)]
            + [self.text(text) for text in (each.step.why, each.stage, each.packet)]
            for each in told
        ]
        blocks = [self.block(table, walk.rules.tables[table].chains[chain]) for table, chain in map(_split, names)]
        verdict, sent = walk.hop.verdict, walk.hop.sent
        return {
            "came": self.text(_ends(walk.hop.received)),
            "went": -1 if sent is None else self.text(_ends(sent)),
            "to": self.text(str(sent.destination) if sent is not None else verdict.code),
            "at": self.text(walk.hop.at),
            "factors": self.text(" × ".join(map(str, _factors(walk.hop)))),
            "fate": str(verdict.meaning.fate),
            "said": self.text("" if verdict.ok else f"{verdict.code}: {verdict.meaning.happened}"),
            "blocks": blocks,
            "steps": rows,
        }

    def state(self, found: Sequence[Walk]) -> list[list[int]]:
        return [[self.walk(each), self.text(str(each.share.limit_denominator(10_000)))] for each in found]


@dataclass(frozen=True, slots=True)
class _Told:
    """A step, where it stands, and the packet after it."""

    step: Step
    chain: str
    number: int
    stage: str
    packet: str


def _split(name: str) -> tuple[str, str]:
    table, _, chain = name.partition(" ")
    return table, chain


def _told(hop: Hop) -> Iterator[_Told]:
    """The steps in kube-proxy's chains, in their order."""
    assert hop.received is not None, "a node got a packet"
    now, mark, stage = hop.received, "", ""
    for step in hop.steps:
        chain, _, number = step.at.rpartition(" ")
        if chain in _STAGES or step.at in _STAGES:
            stage = _STAGES.get(chain, stage)
        if not _split(chain)[1].startswith("KUBE-"):
            continue
        if step.matched:
            now, mark = _after(step.rule, now, mark, hop)
        yield _Told(step, chain, int(number), stage, _ends(now) + mark)


def _factors(hop: Hop) -> Iterator[Fraction]:
    """What each lot on the way had to come to, and how likely that was."""
    for step in hop.steps:
        found = _LOT.search(step.rule)
        if found is not None:
            chance = Fraction(found[1]).limit_denominator(10_000)
            yield chance if step.matched else 1 - chance


def _after(rule: str, now: Packet, mark: str, hop: Hop) -> tuple[Packet, str]:
    """The packet and its mark after a rule that matched."""
    target = rule.rpartition(" -j ")[2].split()
    if target[0] == "DNAT":
        return now.between(now.source, endpoint(target[-1], now.destination.port)), mark
    if target[0] == "MASQUERADE" and hop.sent is not None:
        return now.between(hop.sent.source, now.destination), mark
    if target[:2] == ["MARK", "--or-mark"]:
        return now, f" mark {target[2]}"
    return now, "" if target[:2] == ["MARK", "--xor-mark"] else mark


def _ends(packet: Packet | None) -> str:
    return "" if packet is None else f"{packet.source} → {packet.destination}"


def chains_data(world: World, packet: Packet) -> Data:
    """The data of one packet in one world: nothing to choose but the lot."""
    book = _Book()
    states = [book.state(walks(world, packet))]
    return _data(book, [], states)


def _data(book: _Book, controls: list[Data], states: list[list[list[int]]]) -> Data:
    blocks = [list(block) for block in book.blocks]
    return {
        "texts": list(book.texts),
        "controls": controls,
        "states": states,
        "blocks": blocks,
        "walks": book.written,
    }


# The book's own ----------------------------------------------------------------------------------


def cart(conditions: Sequence[str] = (), policy: str = "Cluster") -> World:
    """The book's world with a NodePort for `cart`, its endpoints in these conditions (in order; else as they are)."""
    return replace(shop(), cluster=_with_endpoints(_with_node_port(_cluster(), policy), conditions))


def _cluster() -> Cluster:
    return shop().need(shop().cluster, "cluster", "a Service")


def _with_node_port(cluster: Cluster, policy: str) -> Cluster:
    def changed(service: Any) -> Any:
        ports = tuple(replace(port, node_port=NODE_PORT) for port in service.ports)
        more = {"type": ServiceType.NODE_PORT, "external_traffic_policy": TrafficPolicy(policy)}
        return replace(service, ports=ports, **more) if service.key == SERVICE else service

    return replace(cluster, services=tuple(map(changed, cluster.services)))


def _with_endpoints(cluster: Cluster, conditions: Sequence[str]) -> Cluster:
    def changed(each: Any) -> Any:
        if each.service_key != SERVICE or not conditions:
            return each
        pairs = zip(each.endpoints, conditions, strict=True)
        return replace(each, endpoints=tuple(replace(end, **CONDITIONS[word]) for end, word in pairs))

    return replace(cluster, slices=tuple(map(changed, cluster.slices)))


def endpoints() -> tuple[SliceEndpoint, ...]:
    """The endpoints of the book's `cart`, as the world has them."""
    return next(each.endpoints for each in _cluster().slices if each.service_key == SERVICE)


def _condition(end: SliceEndpoint) -> str:
    had = {"ready": end.ready, "serving": end.serving, "terminating": end.terminating}
    return next(word for word, fields in CONDITIONS.items() if fields == had)


def senders() -> dict[str, Packet]:
    """Who may send, in the words of the page, and the packet."""
    cluster = _cluster()
    service = next(each for each in cluster.services if each.key == SERVICE)
    node, virtual = cluster.nodes[1].address, f"{service.cluster_ip}:{service.ports[0].port}"
    balancer = shop().load_balancers[0].nodes[0].address
    shell = next(pod.ip for pod in cluster.pods if pod.name == "shell")
    ends = {
        "the load balancer, to node 2's NodePort": (balancer, f"{node}:{NODE_PORT}"),
        "a pod on node 2, to the ClusterIP": (shell, virtual),
        "node 2 itself, to the ClusterIP": (node, virtual),
        "node 2 itself, to its own NodePort": (node, f"{node}:{NODE_PORT}"),
        "pod A, to the ClusterIP of its own Service": (endpoints()[0].address, virtual),
    }
    return {name: _syn(f"{source}:40000", destination) for name, (source, destination) in ends.items()}


def _syn(source: str, destination: str) -> Packet:
    return Packet(Protocol.TCP, endpoint(source), endpoint(destination), TcpFlags.SYN)


@lru_cache(maxsize=1)
def _prepared() -> Data:
    """Every combination of the page's choices."""
    ends, sent, book = endpoints(), senders(), _Book()
    known: dict[str, list[list[list[int]]]] = {}
    states = []
    for *conditions, policy in product(*[CONDITIONS] * len(ends), POLICIES):
        world = cart(conditions, policy)
        text = _all_rules(world)
        if text not in known:
            known[text] = [book.state(walks(world, packet)) for packet in sent.values()]
        states += known[text]
    controls = [_pod_control(letter, end) for letter, end in zip("ABCDEFGH", ends, strict=False)]
    controls += [
        {"name": "externalTrafficPolicy", "options": list(POLICIES), "start": 0},
        {"name": "sender", "options": list(sent), "start": 0},
    ]
    return _data(book, controls, states)


def _all_rules(world: World) -> str:
    """The rules of all nodes: where they are the same, so is every walk."""
    cluster = world.need(world.cluster, "cluster", "a Service")
    parts = cluster.services, cluster.slices
    return "".join(restore_input(*parts, node, cluster.proxy) for node in cluster.nodes)


def _pod_control(letter: str, end: SliceEndpoint) -> Data:
    number = [node.name for node in _cluster().nodes].index(end.node) + 1
    name = f"pod {letter}, {end.address}, node {number}"
    return {"name": name, "options": list(CONDITIONS), "start": list(CONDITIONS).index(_condition(end))}


# The widget --------------------------------------------------------------------------------------


class Chains(Shown):
    """A packet falling through kube-proxy's chains."""

    _module = "chains.js"

    @property
    def start(self) -> list[tuple[Data, str]]:
        """What it shows at first: each walk, and its share."""
        at = 0
        for control in self.data["controls"]:
            at = at * len(control["options"]) + control["start"]
        walks, texts = self.data["walks"], self.data["texts"]
        return [(walks[number], texts[share]) for number, share in self.data["states"][at]]

    def __repr__(self) -> str:
        texts = self.data["texts"]
        came = texts[self.start[0][0]["came"]]
        ends = (f"  {share} {texts[walk['to']]}" for walk, share in self.start)
        return "\n".join((f"kube-proxy's chains, and {came} falling through them:", *ends))

    def frame(self) -> Table:
        """The first walk, rule by rule."""
        walk, texts = self.start[0][0], self.data["texts"]
        blocks = [self.data["blocks"][number] for number in walk["blocks"]]
        rows = (
            (
                cell(texts[blocks[at][0]]),
                cell(texts[blocks[at][rule]], face=Face.CODE),
                cell(f"{_SIGNS[matched]} {texts[why]}"),
            )
            for at, rule, matched, why, *_ in walk["steps"]
        )
        caption = f"{texts[walk['came']]} at {texts[walk['at']]}, rule by rule."
        return Table(("chain", "rule", "matched?"), tuple(rows), caption)


_SIGNS = ("–", FATES[Fate.PASSED].sign)


def falling() -> Chains:
    """The book's Service `cart` with a NodePort: pods, traffic policy, sender and lot to choose, no kernel needed."""
    return Chains(_prepared())


def explore(world: World | None = None, source: str = "", destination: str = "") -> Live:
    """Any packet in any world, by source and destination (`ADDRESS:PORT`), redrawn as they are typed; with a kernel."""
    place = cart() if world is None else world
    first = next(iter(senders().values()))
    source, destination = source or str(first.source), destination or str(first.destination)

    def change(source: str, destination: str, protocol: str) -> Data:
        ends = endpoint(source), endpoint(destination)
        flags = TcpFlags.SYN if protocol == "tcp" else None
        return chains_data(place, Packet(Protocol(protocol), *ends, flags))

    return live(
        Chains(change(source, destination, "tcp")),
        change,
        source=ipywidgets.Text(source, description="from", continuous_update=False),
        destination=ipywidgets.Text(destination, description="to", continuous_update=False),
        protocol=ipywidgets.Dropdown(options=["tcp", "udp"], description="protocol"),
    )
