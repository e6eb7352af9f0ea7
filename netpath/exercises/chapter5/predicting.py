"""Chapter 5's predictions about a journey on which all is well: addresses, headers, connections.

Not modelled: a reader who has the answer from a friend.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from netpath.chance import seeded
from netpath.exercises.chapter5.actors import CLUSTER, DIRECT, LOCAL, Actors, drawn, served, world_with
from netpath.exercises.chapter5.places import BACK, FIRST, FRONT, SECOND, THIRD, THREE, arrow, trusting
from netpath.exercises.exercise import Level
from netpath.exercises.misconceptions import ONE_PACKET, POD_SEES_USER, REPLY_LOOKS_UP
from netpath.exercises.outcome import block
from netpath.exercises.parts import cluster
from netpath.exercises.predict import Form, Predict, Slip, Variant, slips
from netpath.fabric import Trip
from netpath.journey import Connection, travel
from netpath.load import shop
from netpath.memory import Memory
from netpath.packet import Endpoint, Packet, http_request
from netpath.world import World

# q1: from whom a connection seems to come ----------------------------------------------------------
_GETS = ("the load balancer", "the ingress controller", "the pod")
_ENDED = "the user's connection ended at the load balancer, which opened one of its own and wrote the request anew."


def _seeming_source(draw: Random) -> Variant:
    actors = drawn(draw, CLUSTER, CLUSTER, LOCAL, DIRECT)
    who = draw.choice([each for each in _GETS if actors.ingress or each != _GETS[1]])
    at = min(_GETS.index(who), len(actors.connections) - 1)
    sent, arrived = actors.connections[at].out.sent, actors.connections[at].out.packet
    assert arrived is not None
    answer = str(arrived.source.address)
    return Variant(
        f"{actors.told()} From which address does {who} get its TCP connection?",
        answer,
        _why_source(sent, arrived),
        slips(Form.ADDRESS, answer, *_not_the_source(actors, at)),
        Form.ADDRESS,
    )


def _why_source(sent: Packet, arrived: Packet) -> str:
    if arrived.source == sent.source:
        return f"It is sent as {arrow(sent)} and arrives as {arrow(arrived)}: nobody on the way rewrote its source."
    return (
        f"It is sent as {arrow(sent)} and arrives as {arrow(arrived)}: the node that got it for its NodePort rewrote "
        f"both ends, the source too, or the answer wouldn't come back by way of it."
    )


def _not_the_source(actors: Actors, at: int) -> tuple[Slip, ...]:
    """What people take for the source, by the connection that is asked about."""
    if at == 0:
        return (
            Slip(
                actors.public,
                "that is whom the user calls. The gateway swaps this address for the private one.",
                "",
                FIRST,
            ),
            Slip(actors.balancer, "that is the load balancer itself, whom the packet is for.", "", FIRST),
            Slip(
                actors.called, "that is whom the load balancer calls afterwards, on a connection of its own.", "", THREE
            ),
        )
    if at == 1 and actors.ingress:
        return (
            Slip(actors.user, _ENDED, ONE_PACKET, THREE),
            Slip(actors.balancer, "the load balancer opened it, but the node put its own address there.", "", SECOND),
            Slip(actors.called, "with policy Local nothing marks the packet, and no node masquerades it.", "", SECOND),
            Slip(actors.node(actors.connections[1]), "this node only hands the packet to its own pod.", "", SECOND),
            Slip(actors.ingress, "that is the ingress pod itself, whom the packet is for.", "", SECOND),
        )
    return (
        Slip(actors.user, _ENDED, POD_SEES_USER, BACK),
        Slip(actors.balancer, "its connection ended at the ingress controller, which opened another.", "", THREE),
        Slip(actors.called, _not_a_node(actors), "", SECOND if actors.ingress else THIRD),
        Slip(
            actors.node(actors.connections[-1]),
            "between pods, and from a target group to pods, no node rewrites.",
            "",
            THIRD,
        ),
        Slip(actors.pod, "that is the pod itself, whom the packet is for.", "", THIRD),
    )


def _not_a_node(actors: Actors) -> str:
    if not actors.ingress:
        return "that is the pod itself: the load balancer calls its very address."
    return "that node's NodePort belongs to the connection before; pods reach pods without any rewriting."


q1 = Predict(
    "5.1",
    "Who is calling?",
    3,
    Level.EASY,
    (
        "Who opened the connection that is asked about, and did anybody rewrite its source on the way?",
        "A node rewrites the source of what comes to its NodePort, unless the policy is Local; between pods nobody "
        "does.",
    ),
    make=_seeming_source,
    otherwise="nobody on this connection's way has that address; follow the packet box by box.",
)


# q2: the ends of an answer -------------------------------------------------------------------------
def _rewritten(trip: Trip) -> list[tuple[str, Packet]]:
    """A packet's forms: who made each of them."""
    changed = [(_box(hop.station, hop.at), hop.sent) for hop in trip.hops if hop.rewrites and hop.sent is not None]
    return [("", trip.sent), *changed]


def _box(station: str, at: str) -> str:
    if station != "node":
        return f"the {station}"
    return f"the node `{next(each.address for each in cluster(shop()).nodes if each.name == at)}`"


def _answers_end(draw: Random) -> Variant:
    actors = drawn(draw, CLUSTER, CLUSTER, LOCAL)
    connection = actors.connections[draw.choice([0, 1, 1, 1, 2])]
    out, back = _rewritten(connection.out), connection.back
    assert back is not None
    after = draw.choice([0, len(out) - 1])
    form, end = _rewritten(back)[after][1], draw.choice(["source", "destination"])
    answer = str(getattr(form, end))
    return Variant(
        f"{_who_calls(actors, connection)} {_forms(out)} Now the answer comes. What is its {end} (address and port) "
        f"{_when(out, after)}?",
        answer,
        _why_ends(_rewritten(back), form),
        slips(Form.ADDRESS, answer, *_not_the_end(end, form, [each for _, each in out], connection)),
        Form.ADDRESS,
    )


def _who_calls(actors: Actors, connection: Connection) -> str:
    first, *_ = actors.connections
    if connection is first:
        return f"The user `{actors.user}` calls the load balancer at its public address."
    if connection is actors.connections[1]:
        return f"The load balancer calls a NodePort (`externalTrafficPolicy: {actors.policy}`), and so an ingress pod."
    return "The ingress controller's pod calls a pod of the application."


def _forms(out: list[tuple[str, Packet]]) -> str:
    (_, sent), *changed = out
    if not changed:
        return f"Its first packet is {arrow(sent)}, all the way."
    return (
        f"Its first packet sets out as {arrow(sent)}"
        + "".join(f", and {box} makes {arrow(packet)} of it" for box, packet in changed)
        + "."
    )


def _when(out: list[tuple[str, Packet]], after: int) -> str:
    if not after:
        return "where it sets out"
    return f"after {out[1][0]} has seen it, as it comes to whoever called"


def _why_ends(back: list[tuple[str, Packet]], form: Packet) -> str:
    (_, sent), *changed = back
    tale = "".join(f"; {box} undoes what it did, {_by(box)}: {arrow(packet)}" for box, packet in changed)
    return f"It sets out as {arrow(sent)}, to whom the packet seemed to come from{tale}. So here it is {arrow(form)}."


def _by(box: str) -> str:
    """What a box undoes its own rewriting by."""
    return "by its own memory" if box.startswith("the node") else "by the same pair of addresses"


def _not_the_end(end: str, form: Packet, out: Sequence[Packet], connection: Connection) -> tuple[Slip, ...]:
    """What people take for an answer's end: the way out unturned, a rewrite too many or too few, another lottery."""
    other = "destination" if end == "source" else "source"
    unturned = (
        Slip(
            str(getattr(each, end)),
            f"that is the {end} on the way out; in an answer the ends are changed round.",
            "",
            BACK,
        )
        for each in out
    )
    undone = (
        Slip(
            str(getattr(each, other)),
            "that is an end which the answer has on another stretch: look where the rewriting is undone.",
            "",
            BACK,
        )
        for each in out
    )
    again = (
        Slip(
            str(each), "a second lottery might end there. The node asks no rule, only its memory.", REPLY_LOOKS_UP, BACK
        )
        for each in _other_pods(connection)
    )
    return (*undone, *unturned, *again)


def _other_pods(connection: Connection) -> list[Endpoint]:
    """Where else the lots of the NodePort might have fallen; none for a connection that has no lots."""
    own = served(connection).address
    ready = [end.address for each in cluster(shop()).slices if each.service_key == FRONT for end in each.endpoints]
    return [Endpoint(each, 80) for each in ready if each != own] if own in ready else []


q2 = Predict(
    "5.2",
    "Who is answering?",
    4,
    Level.MEDIUM,
    (
        "Whoever answers changes the two ends round: those of the packet as it arrived there.",
        "Whoever rewrote a packet on its way out undoes that on the answer, and nobody else does.",
    ),
    make=_answers_end,
    otherwise="no end of this packet or of its answer is that, anywhere on the way.",
)


# q3: what the headers say ---------------------------------------------------------------------------
_CLAIMED = ("192.0.2.9", "203.0.113.77", "8.8.8.8")
_TOLD = {  # use-forwarded-headers, compute-full-forwarded-for
    (False, False): "has neither `use-forwarded-headers` nor `compute-full-forwarded-for` in its ConfigMap",
    (True, False): 'has `use-forwarded-headers: "true"` in its ConfigMap',
    (True, True): 'has `use-forwarded-headers: "true"` and `compute-full-forwarded-for: "true"` in its ConfigMap',
}


def _told_to(world: World, trust: bool, full: bool) -> World:
    return trusting(world, full=full) if trust else world


def _header(draw: Random) -> Variant:
    setting, policy = draw.choice(list(_TOLD)), draw.choice([CLUSTER, CLUSTER, LOCAL])
    name = draw.choice(["X-Forwarded-For", "X-Forwarded-For", "X-Real-IP"])
    claim = draw.choice(["", "", *_CLAIMED])
    world = _told_to(world_with(policy), *setting)
    request = http_request("http://shop.example.com/cart", headers=(("X-Forwarded-For", claim),) if claim else ())
    actors = Actors(world, policy, travel(world, Memory(), request, seeded(draw.randrange(10**6))))
    answer = _written(actors.connections[-1], name)
    known = slips(Form.CHOICE, answer, *_not_the_header(actors, claim, *setting))
    lie = f"says `X-Forwarded-For: {claim}` already, which its program made up" if claim else "has no such headers yet"
    return Variant(
        f"{actors.told()} The user's request {lie}. The ingress controller {_TOLD[setting]}. What does the "
        f"application in the pod read in `{name}`?",
        answer,
        _why_header(actors, name, *setting),
        known,
        options=tuple(sorted({answer, *(each.answer for each in known)})),
    )


def _written(connection: Connection, name: str) -> str:
    assert connection.request is not None, "a connection on which something was asked"
    return str(connection.request.header(name))


def _peer(actors: Actors) -> str:
    """Whom the ingress controller's connection seems to come from."""
    arrived = actors.connections[1].out.packet
    assert arrived is not None, "a connection that was established"
    return str(arrived.source.address)


def _why_header(actors: Actors, name: str, trust: bool, full: bool) -> str:
    given = _written(actors.connections[1], "X-Forwarded-For")
    came = f"The controller was given `X-Forwarded-For: {given}` on a connection from `{_peer(actors)}`. "
    if not trust:
        return f"{came}It believes no header that anybody could have sent, and writes who its own connection came from."
    if full and name == "X-Forwarded-For":
        return f"{came}It passes the list on, with the address that its own connection came from at the end."
    return (
        f"{came}Told to believe it, and to trust whoever is in it (`proxy-real-ip-cidr` is 0.0.0.0/0 unless set), "
        f"it takes the leftmost address for the client's."
    )


def _not_the_header(actors: Actors, claim: str, trust: bool, full: bool) -> tuple[Slip, ...]:
    given, peer = _written(actors.connections[1], "X-Forwarded-For"), _peer(actors)
    whole = "this header is one address, the leftmost; the whole list is passed on in another, if at all."
    unheard = "the load balancer wrote that into `X-Forwarded-For`, but this controller isn't told to believe it."
    first = "the controller is told to take the leftmost address of the list, whoever wrote it."
    listing = "with `compute-full-forwarded-for` the header is a list, not one address."
    not_alone = listing if full else first
    return (
        Slip(actors.user, not_alone if trust else unheard, "" if trust else POD_SEES_USER, BACK),
        Slip(given, whole if trust else f"{unheard} It is kept under the name `X-Original-Forwarded-For`.", "", BACK),
        Slip(peer, not_alone if trust else "that is not who it came from.", "", BACK),
        Slip(actors.ingress, "the pod's TCP connection comes from there; a header tells of those before.", "", BACK),
        *(
            [Slip(claim, listing if trust else "the controller throws away what it isn't told to believe.", "", BACK)]
            if claim
            else ()
        ),
        *([Slip(f"{given}, {peer}", whole, "", BACK)] if full else ()),
    )


q3 = Predict(
    "5.3",
    "What the header says",
    4,
    Level.MEDIUM,
    (
        "First: from which address does the controller's own connection come? Then: does it believe the header?",
        "The load balancer adds the user's address at the end of the list; a controller that trusts the whole list "
        "takes the leftmost one.",
    ),
    make=_header,
    otherwise="nobody writes that.",
)


# q4: connections that are open already --------------------------------------------------------------
_IDLE = 60  # seconds, for the load balancer and for the ingress controller
_WAITS = (1, 2, 3, 5, 8, 15, 30, 61)


def _visits(draw: Random, wanted: int) -> list[tuple[float, Actors]]:
    """Requests of one user, and when: until one of them opens as many connections as wanted, or eight have been."""
    memory, luck = Memory(), seeded(draw.randrange(10**6))
    request, made = http_request("http://shop.example.com/cart"), list[tuple[float, Actors]]()
    while len(made) < 8:
        actors = Actors(shop(), CLUSTER, travel(shop(), memory, request, luck))
        made.append((memory.now, actors))
        if len(made) > 2 and _opened(actors) == wanted:
            break
        memory.now += draw.choice(_WAITS)
        memory.now += any(memory.now - at == _IDLE for at, _ in made)  # nobody should have to think of that
    return made


def _opened(actors: Actors) -> int:
    return sum(not each.reused for each in actors.connections)


def _opened_again(draw: Random) -> Variant:
    visits = _visits(draw, draw.choice([1, 1, 2, 2, 3]))
    last = visits[-1][1]
    answer = str(_opened(last))
    heads = _COLUMNS.format("", "load balancer", "NodePort of", "ingress", "pod")
    table = block([heads, *(_row(at, actors) for at, actors in visits)])
    return Variant(
        f"One user asks for the cart {len(visits)} times, with a program that opens a new connection each time. The "
        f"load balancer keeps its own connections open until they have been idle for {_IDLE} seconds, and so does the "
        f"ingress controller. This is who served the requests:\n\n{table}How many TCP connections are opened for "
        "the last of them?",
        answer,
        " ".join(_why_opened(each) for each in last.connections),
        slips(Form.NUMBER, answer, *_not_so_many(_opened(last))),
        Form.NUMBER,
    )


_COLUMNS = "{:>5}  {:<13}  {:<11}  {:<11}  {}"


def _row(at: float, actors: Actors) -> str:
    return _COLUMNS.format(f"{at:.0f} s", actors.balancer, actors.called, actors.ingress, actors.pod)


def _why_opened(connection: Connection) -> str:
    what = f"{connection.client.address} to {connection.out.sent.destination}:"
    return f"{what} open already, and used again." if connection.reused else f"{what} opened."


def _not_so_many(opened: int) -> tuple[Slip, ...]:
    kept = "a connection between the same two ends that was used in the last 60 seconds is used again: look for one."
    new = (
        "an open connection helps only between its own two ends: from another of the load balancer's nodes, to another "
        "NodePort, or from another ingress pod there is none; and after 60 idle seconds it is closed."
    )
    own = Slip("0", "the user's own program opens a new one each time.", "", THREE)
    return own, *(Slip(str(many), kept if many > opened else new, "", THREE) for many in (1, 2, 3))


q4 = Predict(
    "5.4",
    "The second time",
    5,
    Level.MEDIUM,
    (
        "There are three connections. For each ask: are its two ends the same as before, and was it used lately?",
        "The load balancer's ends are its own node and the NodePort that it calls; the controller's are the ingress "
        "pod and the application's pod. How the one came about is nothing to the other.",
    ),
    make=_opened_again,
    otherwise="there are only three connections on this road.",
)
