"""There and back: what opening a URL sets off, from the first question for a name to the page.

    travel(world, memory, request) -> Journey

A journey is a look-up and then *connections*, not one packet that flies from the user to the pod. Whoever ends a
connection and speaks HTTP (a load balancer's node, the ingress controller) decides about the request and makes a
connection of its own: user to load balancer, load balancer to ingress controller, ingress controller to pod. Each
`Connection` has the first packet's way out, and the answer's way back, both walked through every box: the way
back isn't the way out reversed on paper.

What the user sees is the `Outcome`: a status, a timeout, a refused connection, or that there is no such name.

Not modelled: TLS, retransmission, HTTP/2, the packets after the handshake (conntrack translates them by the same
entry), how long an application thinks, what it costs to find an open connection dead (another one is opened),
several ingress controllers in one cluster, the names that pods ask for (`web.shop.svc.cluster.local`), and what
answers on the Internet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache, partial
from itertools import chain
from math import inf

from dns.name import from_text
from dns.rdatatype import RdataType

from netpath import balancing, ingress
from netpath.balancing import LoadBalancer, Target
from netpath.balancing import Node as BalancerNode
from netpath.choice import Choose, first
from netpath.errors import InputError
from netpath.fabric import Trip, send
from netpath.kubernetes import Pod
from netpath.memory import Memory
from netpath.names import Looked
from netpath.packet import (
    Address,
    Endpoint,
    Hop,
    HttpRequest,
    HttpResponse,
    IcmpType,
    LazySteps,
    Packet,
    Protocol,
    Step,
    TcpFlags,
    Verdict,
    address,
    quick,
)
from netpath.world import Kind, Place, World

CONNECT_TIMEOUT = 131.0  # seconds until Linux gives up a SYN: tcp_syn_retries 6 (ip-sysctl.rst, since 6.5; 127 before)
MOST_SERVERS = 50  # that wait for each other: more is a loop
MOST_TRIES = 50


BALANCER, CONTROLLER = "load balancer", "ingress controller"


class End(StrEnum):
    """How an attempt to connect ends."""

    ESTABLISHED = "established"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"


@quick
@dataclass(frozen=True, slots=True)
class Connection:
    """One TCP connection: who called whom, the first packet's way out, the answer's way back, and the request on it.

    `reused`: it was open already, so the packets are the request's and its answer's, and nobody chose anything
    anew. `decisions` are the server's own hops about the request (listener rules, locations, the answer); where it
    asked others, `onward` are the connections that it made for that, and `conclusion` what came of them. `waited` is
    in seconds, onward connections included.
    """

    client: Place
    server: Place | None
    out: Trip
    back: Trip | None
    end: End
    reused: bool = False
    request: HttpRequest | None = None
    decisions: tuple[Hop, ...] = ()
    onward: tuple[Connection, ...] = ()
    conclusion: Hop | None = None
    response: HttpResponse | None = None
    waited: float = 0.0

    @property
    def name(self) -> str:
        asked = self.out.sent.destination
        return f"{self.client} - {self.server if self.server is not None else asked}"

    def walk(self) -> Iterator[Connection]:
        """This connection and those made because of it, in the order in which they were opened."""
        yield self
        for connection in self.onward:
            yield from connection.walk()

    def hops(self) -> Iterator[Hop]:
        """Every hop as time passes: out, the decisions, onward, back."""
        yield from self.out.hops
        yield from self.decisions
        for connection in self.onward:
            yield from connection.hops()
        if self.conclusion is not None:
            yield self.conclusion
        if self.back is not None:
            yield from self.back.hops


@quick
@dataclass(frozen=True, slots=True)
class Outcome:
    """What the user sees: the answer (`status`), or why there is none; `code` and `rule` say what decided it."""

    verdict: Verdict
    response: HttpResponse | None = None

    @property
    def status(self) -> int | None:
        return self.response.status if self.response else None

    @property
    def ok(self) -> bool:
        """Whether somebody answered with less than an error."""
        return self.response is not None and self.response.status < 400

    def __str__(self) -> str:
        if self.response is not None:
            return f"{self.response.status} from {self.response.by}"
        return self.verdict.meaning.happened


@quick
@dataclass(frozen=True, slots=True)
class Journey:
    """One request there and back: the look-up, the connections that the user opened, the outcome.

    `waited`: the seconds that silence cost, timeouts alone.
    """

    request: HttpRequest
    user: Place
    looked: Looked | None
    attempts: tuple[Connection, ...]
    outcome: Outcome

    @property
    def connections(self) -> tuple[Connection, ...]:
        """All connections, whoever opened them, in the order in which they were opened."""
        return tuple(connection for attempt in self.attempts for connection in attempt.walk())

    @property
    def hops(self) -> tuple[Hop, ...]:
        """Every decision on record, in the order of time."""
        looked = self.looked.hops if self.looked else ()
        return (*looked, *(hop for attempt in self.attempts for hop in attempt.hops()))

    @property
    def cause(self) -> Hop | None:
        """The hop that stopped the request, where something did: the first one of the last attempt that refused.

        None if all is well. Who answers an error on purpose, or gives no address, is the cause too.
        """
        if self.outcome.ok:
            return None
        hops = list(self.attempts[-1].hops() if self.attempts else self.hops)
        refused = (hop for hop in hops if not hop.verdict.ok) if self.attempts else iter(())
        said = (hop for hop in hops if hop.verdict.code == self.outcome.verdict.code)
        return next(chain(refused, said), None)

    @property
    def waited(self) -> float:
        return sum(attempt.waited for attempt in self.attempts)


def travel(
    world: World,
    memory: Memory,
    request: HttpRequest,
    choose: Choose = first,
    *,
    user: Address | None = None,
    keep_alive: bool = True,
) -> Journey:
    """Open a URL from the user's address, and follow what comes of it. `memory` moves on, but for its clock.

    `keep_alive`: the load balancer and the ingress controller use connections again that are open already.
    Raises `WorldError` where the world lacks what the road needs.
    """
    return _Traveller(world, memory, choose, keep_alive).go(request, world.where(user or world.user))


class _Traveller:
    """The world, its memory, and chance: what every step of a journey needs."""

    __slots__ = ("choose", "depth", "keep_alive", "memory", "world")

    def __init__(self, world: World, memory: Memory, choose: Choose, keep_alive: bool) -> None:
        self.world, self.memory, self.choose, self.keep_alive = world, memory, choose, keep_alive
        self.depth = 0  # servers that are waiting for another one's answer

    def go(self, request: HttpRequest, user: Place) -> Journey:
        looked, addresses = self._look_up(request.host)
        if looked is not None and not addresses:
            return Journey(request, user, looked, (), Outcome(looked.lookup.hop.verdict))
        attempts: list[Connection] = []
        for server in addresses:  # as curl and browsers do, the next address if one is dead
            attempts.append(self._ask(user, Endpoint(server, request.port), _as_read(request)))
            if attempts[-1].end is End.ESTABLISHED:
                break
        return Journey(request, user, looked, tuple(attempts), _outcome(attempts[-1]))

    def _look_up(self, host: str) -> tuple[Looked | None, tuple[Address, ...]]:
        """The addresses of a host; one that is an address already is asked of nobody."""
        try:
            if host[-1:].isdigit():  # an exception for each of the other names would take its time
                return None, (address(host),)
        except InputError:
            pass
        looked = self.world.names.lookup(host, self.memory, str(self.world.resolver), self.choose)
        found = looked.lookup
        if found.chosen is None:
            return looked, ()
        if self.world.region is None:
            self._check_region(found.chosen)
        return looked, (found.chosen, *(each for each in found.addresses if each != found.chosen))

    def _check_region(self, server: Address) -> None:
        """A load balancer's name leads nowhere in a world that hasn't its network interfaces."""
        for balancer in self.world.load_balancers:
            records = self.world.names.find(from_text(balancer.dns_name), RdataType.A)
            if records is not None and str(server) in map(str, records.data):
                self.world.need(self.world.region, "region", f"the load balancer {balancer.name}")

    # Connections -----------------------------------------------------------------------------
    def _ask(self, client: Place, server: Endpoint, request: HttpRequest) -> Connection:
        """Open a connection, and if there is one, ask."""
        connection = self._connect(client, server, CONNECT_TIMEOUT)
        if connection.end is not End.ESTABLISHED:
            return connection
        return self._serve(connection, request)

    def _connect(self, client: Place, server: Endpoint, timeout: float) -> Connection:
        """The handshake: a SYN out, whatever comes back, and the ACK that settles it in everybody's memory."""
        source = self.memory.next_port(client.address)
        out = self._send(client, Packet(Protocol.TCP, source, server, TcpFlags.SYN))
        if not out.arrived:
            return _stopped(client, out, timeout)
        back = self._answer(out, TcpFlags.SYN_ACK)
        if not _undoes(back, out):
            return Connection(client, out.place, out, back, End.TIMEOUT, waited=timeout)
        self._send(client, Packet(Protocol.TCP, source, server, TcpFlags.ACK))
        return Connection(client, out.place, out, back, End.ESTABLISHED)

    def _reuse(self, client: Place, source: Endpoint, server: Endpoint) -> Connection | None:
        """A request on a connection that is open: None if it turns out that the road is closed by now."""
        out = self._send(client, Packet(Protocol.TCP, source, server, TcpFlags.PUSH))
        if not out.arrived:
            return None
        back = self._answer(out, TcpFlags.PUSH)
        if not _undoes(back, out):
            return None
        return Connection(client, out.place, out, back, End.ESTABLISHED, reused=True)

    def _send(self, origin: Place, packet: Packet) -> Trip:
        return send(self.world, self.memory, packet, self.choose, origin=origin)

    def _answer(self, out: Trip, flags: TcpFlags) -> Trip:
        """The answer to a packet that has arrived, on its way back."""
        assert out.place is not None and out.packet is not None, "it has arrived"
        answer = out.packet.answer(flags)
        return send(self.world, self.memory, answer, self.choose, origin=out.place, awaited=True)

    def _balancer(self, place: Place) -> tuple[LoadBalancer, BalancerNode]:
        found = self.world.balancer_at(place.address)
        assert found is not None, "a place of that kind"
        return found

    # Servers ---------------------------------------------------------------------------------
    def _serve(self, connection: Connection, request: HttpRequest) -> Connection:
        """What the far end of a connection makes of a request."""
        place = connection.server
        assert place is not None, "an established connection"
        if self.depth >= MOST_SERVERS:
            return _answered(connection, request, (_exhausted(place, connection.out.packet),))
        self.depth += 1
        try:
            return self._served(connection, place, request)
        finally:
            self.depth -= 1

    def _served(self, connection: Connection, place: Place, request: HttpRequest) -> Connection:
        if place.kind is Kind.LOAD_BALANCER:
            return self._balanced(connection, place, request)
        if place.pod is not None and self.world.is_controller(place.pod):
            return self._proxied(connection, place, place.pod, request)
        return _answered(connection, request, (_application(place, connection.out.packet),))

    # The load balancer -----------------------------------------------------------------------
    def _balanced(self, connection: Connection, place: Place, request: HttpRequest) -> Connection:
        balancer, node = self._balancer(place)
        received = connection.out.packet
        assert received is not None, "an established connection"
        port = received.destination.port
        hop, action = balancing.decide(balancer, port, request, received.source, received)
        if isinstance(action, HttpResponse):
            return _answered(connection, request, ((hop, action),))
        assert isinstance(action, balancing.Forward), "a listener that is there"
        memory, now = self.memory.balancer(balancer.arn), self.memory.now
        picked = balancing.pick(balancer, action, memory, node.zone, request, self.choose, now, received)
        if picked.target is None or picked.group is None:
            return _answered(connection, request, ((hop, None), (picked.hop, balancing.answer_for("no targets"))))
        listener = balancer.listener_on(port)
        assert listener is not None, "it has just decided"
        sent = balancing.forwarded(request, received.source, balancer, listener, action, picked.group, now)
        onward = self._to_target(place, balancer, picked.target, sent)
        ended, response = _balancer_answer(balancer, onward)
        if response is not None and response is onward.response:
            own = balancing.application_cookies(picked.group, picked.target, request, response, now)
            response = _with_cookies(response, (*picked.cookies, *own))
        patience = balancer.attributes.idle_timeout
        return _relayed(connection, request, (hop, picked.hop), (onward,), ended, response, patience)

    def _to_target(self, place: Place, balancer: LoadBalancer, target: Target, request: HttpRequest) -> Connection:
        memory, now = self.memory.balancer(balancer.arn), self.memory.now
        kept = None
        if self.keep_alive:
            kept = memory.reuse(place.address, target.endpoint, now, balancer.attributes.idle_timeout)
        connection = self._reuse(place, kept, target.endpoint) if kept is not None else None
        if connection is None:
            connection = self._connect(place, target.endpoint, balancing.CONNECT_TIMEOUT)
        if connection.end is not End.ESTABLISHED:
            return connection
        served = self._serve(connection, request)
        if self.keep_alive:
            memory.keep(place.address, target.endpoint, connection.out.sent.source, now)
        return served

    # The ingress controller ------------------------------------------------------------------
    def _proxied(self, connection: Connection, place: Place, pod: Pod, request: HttpRequest) -> Connection:
        received = connection.out.packet
        assert received is not None, "an established connection"
        remote = received.source.address
        decision = self.world.controller.decide(request, remote, received)
        hop = decision.hop
        said = Hop(hop.station, pod.key, hop.received, hop.verdict, hop.sent, hop.steps, hop.remembered)
        if decision.response is not None:
            return _answered(connection, request, ((said, decision.response),))
        memory = self.memory.controller(pod.key)
        sent = ingress.forwarded(self.world.controller, decision, remote, self.memory.now)
        picked = ingress.pick(self.world.controller, memory, decision, self.choose, self.memory.now)
        assert picked is not None, "a decision to proxy has an endpoint"
        decisions = said, self._pick_hop(pod, received, picked)
        patience = ingress.connect_timeout(decision)
        tried = [self._to_pod(place, memory, picked.endpoint, sent, patience)]
        while _once_more(decision, tried):
            picked = self._pick_again(memory, decision, picked, tried)
            tried.append(self._to_pod(place, memory, picked.endpoint, sent, patience))
        hop, response = _ingress_answer(pod, tried[-1])
        if response is not None and picked.cookie is not None:
            response = _with_cookies(response, ("=".join(picked.cookie),))
        return _relayed(connection, request, decisions, tuple(tried), hop, response)

    def _pick_again(
        self,
        memory: ingress.ControllerMemory,
        decision: ingress.Decision,
        picked: ingress.Pick,
        tried: list[Connection],
    ) -> ingress.Pick:
        failed = {each.out.sent.destination for each in tried}
        return ingress.balance(self.world.controller, memory, picked, decision, self.choose, self.memory.now, failed)

    def _pick_hop(self, pod: Pod, received: Packet, picked: ingress.Pick) -> Hop:
        """Which endpoint the controller tries first, and which others it might have."""
        upstream = self.world.controller.upstreams[picked.upstream]
        verdict = Verdict("ENDPOINT_PICKED", f"upstream {upstream.name}: {picked.endpoint}")
        return Hop(CONTROLLER, pod.key, received, verdict, steps=LazySteps(partial(_endpoint_steps, upstream, picked)))

    def _to_pod(
        self,
        place: Place,
        memory: ingress.ControllerMemory,
        endpoint: Endpoint,
        request: HttpRequest,
        timeout: float,
    ) -> Connection:
        now = self.memory.now
        source = memory.reuse(endpoint, now) if self.keep_alive else None
        connection = self._reuse(place, source, endpoint) if source is not None else None
        if connection is None:
            connection = self._connect(place, endpoint, timeout)
        if connection.end is not End.ESTABLISHED:
            return connection
        served = self._serve(connection, request)
        if self.keep_alive:
            memory.keep(endpoint, now, connection.out.sent.source)
        return served


def _once_more(decision: ingress.Decision, tried: list[Connection]) -> bool:
    """Whether nginx tries another endpoint; told to try without end, it does so until its client has had enough."""
    end = tried[-1].end
    return end is not End.ESTABLISHED and len(tried) < MOST_TRIES and ingress.again(decision, end, len(tried))


def _as_read(request: HttpRequest) -> HttpRequest:
    """The request as a server reads it: for whom it is says the header Host, not the address that was connected to."""
    said = request.header("Host")
    return request if said is None else replace(request, host=said.partition(":")[0])


# Putting connections together -----------------------------------------------------------------

Answer = tuple[Hop, HttpResponse | None]


def _undoes(back: Trip, out: Trip) -> bool:
    """Whether an answer came back from whom the packet was sent to, as far as its sender can tell."""
    sent, got = out.sent, back.packet
    return got is not None and got.source == sent.destination and got.destination == sent.source


def _stopped(client: Place, out: Trip, timeout: float) -> Connection:
    """A first packet that didn't arrive: silence, or a refusal that found its way back."""
    refusal = out.refusal
    if refusal is None or refusal.packet is None:
        return Connection(client, None, out, refusal, End.TIMEOUT, waited=timeout)
    reset = refusal.packet.flags is TcpFlags.RESET or refusal.packet.icmp in _REFUSING
    return Connection(client, None, out, refusal, End.REFUSED if reset else End.UNREACHABLE)


# What Linux makes of an ICMP error while it connects: ECONNREFUSED (net/ipv4/icmp.c, icmp_err_convert).
_REFUSING = (IcmpType.PORT_UNREACHABLE, IcmpType.PROTOCOL_UNREACHABLE)


def _answered(connection: Connection, request: HttpRequest, answers: tuple[Answer, ...]) -> Connection:
    """The connection with the request on it and the server's own answer."""
    hops = tuple(hop for hop, _ in answers)
    return _asked(connection, request, hops, (), None, answers[-1][1], connection.waited)


def _relayed(
    connection: Connection,
    request: HttpRequest,
    decisions: tuple[Hop, ...],
    onward: tuple[Connection, ...],
    hop: Hop,
    response: HttpResponse | None,
    patience: float = inf,
) -> Connection:
    """The connection with the request on it, what the server asked of others, and what it made of that.

    `patience`: how many seconds it waits for the others at most.
    """
    waited = connection.waited + min(sum([each.waited for each in onward]), patience)
    return _asked(connection, request, decisions, onward, hop, response, waited)


def _asked(
    connection: Connection,
    request: HttpRequest,
    decisions: tuple[Hop, ...],
    onward: tuple[Connection, ...],
    conclusion: Hop | None,
    response: HttpResponse | None,
    waited: float,
) -> Connection:
    """A connection with what became of the request on it. (`dataclasses.replace` takes three times as long.)"""
    handshake = connection.client, connection.server, connection.out, connection.back, connection.end
    return Connection(*handshake, connection.reused, request, decisions, onward, conclusion, response, waited)


def _application(place: Place, received: Packet | None) -> Answer:
    """What is at the end of the road: a pod answers; of anything else we only know that it accepted the connection."""
    if place.pod is None:
        return Hop(place.kind, place.name, received, Verdict("ACCEPTED")), None
    verdict, response = _page(place.pod.key)
    return Hop("pod", place.pod.key, received, verdict), response


@lru_cache(maxsize=1 << 12)
def _page(pod: str) -> tuple[Verdict, HttpResponse]:
    return Verdict("ANSWERED", f"pod {pod}"), HttpResponse(200, f"pod {pod}")


def _exhausted(place: Place, received: Packet | None) -> Answer:
    """The end of a request that goes round: no server has connections without end."""
    verdict = Verdict("REQUEST_LOOP", f"{MOST_SERVERS} servers are waiting for each other")
    return Hop(place.kind, place.name, received, verdict), HttpResponse(500, place.name)


def _balancer_answer(balancer: LoadBalancer, onward: Connection) -> tuple[Hop, HttpResponse | None]:
    """What the load balancer tells the user of its connection to the target."""
    target = f"target {onward.out.sent.destination}"
    too_long = onward.waited > balancer.attributes.idle_timeout
    if onward.end is End.ESTABLISHED and not too_long:
        return Hop(BALANCER, balancer.name, None, _relay(onward, target)), onward.response
    failure = "idle" if onward.end is End.ESTABLISHED else onward.end
    verdict = balancing.verdict_for(failure, target)
    return Hop(BALANCER, balancer.name, onward.out.sent, verdict), balancing.answer_for(failure)


def _ingress_answer(pod: Pod, last: Connection) -> tuple[Hop, HttpResponse | None]:
    """What the ingress controller tells its client of its last try."""
    target = f"upstream {last.out.sent.destination}"
    if last.end is End.ESTABLISHED:
        return Hop(CONTROLLER, pod.key, None, _relay(last, target)), last.response
    code, response = ingress.failure(last.end)
    return Hop(CONTROLLER, pod.key, last.out.sent, Verdict(code, target)), response


def _relay(onward: Connection, target: str) -> Verdict:
    """An answer is passed on; of one that isn't part of this world, only that somebody accepted the connection."""
    return Verdict("ACCEPTED" if onward.response is None else "ANSWER_RELAYED", target)


def _endpoint_steps(upstream: ingress.Upstream, picked: ingress.Pick) -> Iterator[Step]:
    yield from picked.steps
    for endpoint in upstream.endpoints:
        taken = endpoint == picked.endpoint
        yield Step(
            str(endpoint), taken, "picked" if taken else "ready too, and not its turn", f"upstream {upstream.name}"
        )


def _with_cookies(response: HttpResponse, cookies: tuple[str, ...]) -> HttpResponse:
    """The answer with cookies that bring its client back to the same place."""
    if not cookies:
        return response
    return replace(response, headers=(*response.headers, *(("Set-Cookie", cookie) for cookie in cookies)))


_ENDS = {
    End.REFUSED: "CONNECTION_REFUSED",
    End.UNREACHABLE: "HOST_UNREACHABLE",
    End.TIMEOUT: "CONNECTION_TIMEOUT",
}


def _outcome(last: Connection) -> Outcome:
    """What the user sees of the last connection tried."""
    if last.decisions:
        return Outcome(_decided(last), last.response)
    return Outcome(Verdict(_ENDS[last.end], f"connecting to {last.out.sent.destination}"))


def _decided(connection: Connection) -> Verdict:
    """The verdict of whoever made the answer, not of those who passed it on."""
    if connection.conclusion is None:
        return connection.decisions[-1].verdict
    verdict = connection.conclusion.verdict
    return _decided(connection.onward[-1]) if verdict.ok else verdict
