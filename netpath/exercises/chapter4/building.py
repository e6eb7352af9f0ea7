"""Chapter 4's things to build: a lottery, a chain's name, a NodePort by hand, an Ingress.

Not modelled: rules of the reader's for the node's own processes; the checker sends what comes from outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from random import Random
from typing import Any

from netpath.choice import first, outcomes
from netpath.exercises.build import Build
from netpath.exercises.chapter4.ingresses import HEAD, REFERENCE, asked, judged_ingress
from netpath.exercises.exercise import Level
from netpath.exercises.outcome import Outcome, right, wrong
from netpath.iptables import Ruleset, parse
from netpath.kubeproxy import service_chain_name, service_port_name
from netpath.netfilter import Host, HostMemory, Passage, Route, receive, walk
from netpath.packet import Address, Endpoint, Network, Packet, Protocol, TcpFlags, tcp

# q7: a lottery -------------------------------------------------------------------------------------
_CLOSE = Fraction(1, 10**6)


def _judge_chances(chances: Any, draw: Random) -> Outcome:
    tries = [[3, 1], [1, 1, 1], [draw.randrange(1, 10)], [1] * draw.randrange(4, 9)]
    tries += [[draw.randrange(1, 10) for _ in range(draw.randrange(2, 8))] for _ in range(6)]
    for weights in tries:
        given = chances(list(weights))
        failed = _unfit(given, weights) or _unfair([float(each) for each in given], weights)
        if failed:
            return wrong(failed)
    return right(because=f"{len(tries)} lotteries, and every pod got its share of each")


def _unfit(given: Any, weights: list[int]) -> str:
    """Why this can't be the chances of so many rules."""
    asked_for = f"chances({weights}) gave {_short(given)}"
    if not isinstance(given, (list, tuple)):
        return f"{asked_for}; a list of numbers is expected, one for each rule"
    if len(given) != len(weights):
        return f"{asked_for}, {len(given)} numbers; {len(weights)} are expected, one for each rule"
    for each in given:
        if not isinstance(each, (int, float, Fraction)) or isinstance(each, bool) or not 0 <= each <= 1 + 1e-9:
            return f"{asked_for}; {_short(each)} is no probability: a number from 0 to 1 is expected"
    return ""


def _short(value: object) -> str:
    return repr(value)[:80]


def _unfair(given: list[float], weights: list[int]) -> str:
    """What is wrong with the shares that these chances come to, in rules as Linux reads them."""
    shares = _shares(given)
    written = ", ".join(f"{each:.4g}" for each in given)
    for at, weight in enumerate(weights):
        wanted, got = Fraction(weight, sum(weights)), shares.get(f"10.0.0.{at + 1}", Fraction(0))
        if abs(wanted - got) > _CLOSE:
            lost = shares.get("", Fraction(0))
            left = f"; {float(lost):.3g} of them come to no pod at all" if lost > _CLOSE else ""
            return (
                f"chances({weights}) gave {written}: rule {at + 1} then sends its pod {float(got):.4g} of the "
                f"connections, and {wanted} is expected{left}"
            )
    return ""


def _shares(given: list[float]) -> dict[str, Fraction]:
    """The share of connections that each pod gets, by walking the rules, lot by lot."""
    packet, shares = tcp("198.51.100.1:40000", "172.20.0.99:80"), dict[str, Fraction]()
    for each in outcomes(lambda choose: walk(_lottery(given), packet, choose=choose)):
        got = each.result.packet
        name = str(got.destination.address) if got is not None and got.destination != packet.destination else ""
        shares[name] = shares.get(name, Fraction(0)) + each.probability
    return shares


def _lottery(given: list[float]) -> Ruleset:
    """Rules with these chances; as kube-proxy does, one that always holds is written without a lot."""
    lines = ["*nat", ":PREROUTING ACCEPT [0:0]", ":POSTROUTING ACCEPT [0:0]"]
    for at, chance in enumerate(given, 1):
        lot = f"-m statistic --mode random --probability {chance:0.10f} " if chance < 1 else ""
        lines.append(f"-A PREROUTING -p tcp {lot}-j DNAT --to-destination 10.0.0.{at}:8080")
    return parse("\n".join([*lines, "COMMIT", ""]))


q7 = Build(
    "4.7",
    "A lottery by weight",
    8,
    Level.MEDIUM,
    (
        "A rule sees only what the rules before it left over. What is its share of that?",
        "Of the weights that are still to come, its own included, what part is its own?",
    ),
    "kube-proxy gives every pod the same share. You are to give each a share by weight: with the weights `[3, 1]` the "
    "first pod gets three connections of four. Write `chances(weights)`: for each rule, in order, the probability with "
    "which it takes a connection that comes to it. The weights are whole numbers greater than 0, one or more; the "
    "checker makes rules of your numbers, and every lot is drawn.",
    """
    def chances(weights):
        ...
    """,
    """
    def chances(weights):
        left = sum(weights)
        found = []
        for weight in weights:
            found.append(weight / left)
            left -= weight
        return found
    """,
    "Each rule takes its weight's part of what is left, and the last one takes all that comes to it. With equal "
    "weights these are 1/n, 1/(n − 1), … 1: kube-proxy's own.",
    judge=_judge_chances,
    slips=(
        ("def chances(weights):\n    return [each / sum(weights) for each in weights]", "come to no pod at all"),
        ("def chances(weights):\n    return [1 / (len(weights) - at) for at in range(len(weights))]", "is expected"),
        ("def chances(weights):\n    return [each for each in weights]", "is no probability"),
        ("def chances(weights):\n    return sum(weights)", "a list of numbers is expected"),
    ),
)


# q8: a chain's name --------------------------------------------------------------------------------
_NAMES = ("cart", "web", "orders", "payments-v2", "kube-dns", "a", "search-index", "img")


def _ports(draw: Random) -> Iterator[tuple[str, str, str, str]]:
    """Service ports to name: some without a name of their own, in every protocol."""
    yield "default", "kubernetes", "https", "TCP"
    yield "default", "hostnames", "", "TCP"
    yield "kube-system", "kube-dns", "dns", "UDP"
    for _ in range(20):
        port = draw.choice(["", "http", "https", "metrics", f"p{draw.randrange(1, 9999)}"])
        yield draw.choice(["default", "shop", "team-a"]), draw.choice(_NAMES), port, draw.choice(["TCP", "UDP", "SCTP"])


def _judge_name(chain_name: Any, draw: Random) -> Outcome:
    for namespace, service, port, protocol in _ports(draw):
        given = chain_name(namespace, service, port, protocol)
        wanted = service_chain_name(service_port_name(namespace, service, port), protocol)
        if given != wanted:
            call = f"chain_name{(namespace, service, port, protocol)}"
            return wrong(f"{call} gave {_short(given)}, and {wanted!r} is expected{_about(given, wanted, port)}")
    return right(because="23 Service ports, and every name is the one that kube-proxy writes")


def _about(given: Any, wanted: str, port: str) -> str:
    """A word on what may be the matter."""
    if not isinstance(given, str):
        return f"; a text is expected, and this is a {type(given).__name__}"
    if len(given) != len(wanted):
        return f"; it has {len(given)} characters, and {len(wanted)} are expected"
    return "; a port without a name gets no colon" if not port else ""


q8 = Build(
    "4.8",
    "Sixteen characters",
    8,
    Level.EASY,
    (
        "A name such as shop/cart:http, then tcp, is hashed; of the hash in base 32 the first 16 characters are taken.",
        "`hashlib.sha256(text.encode()).digest()` and `base64.b32encode(…)`, which gives bytes.",
    ),
    "Which chain is it? Write `chain_name(namespace, service, port, protocol)`, the name of a Service port's chain: "
    "`KUBE-SVC-` and 16 letters and digits. kube-proxy writes the Service port as `namespace/service:port`, or "
    "`namespace/service` if the port has no name (`port` is then an empty text), puts the protocol behind it in small "
    "letters, with nothing between, takes the SHA-256 hash of that, writes it in base 32, and keeps the first 16 "
    "characters. `protocol` comes as YAML has it: `TCP`.",
    """
    def chain_name(namespace, service, port, protocol):
        ...
    """,
    """
    from base64 import b32encode
    from hashlib import sha256

    def chain_name(namespace, service, port, protocol):
        name = f"{namespace}/{service}:{port}" if port else f"{namespace}/{service}"
        digest = sha256((name + protocol.lower()).encode()).digest()
        return "KUBE-SVC-" + b32encode(digest).decode()[:16]
    """,
    "The same Service port has the same chain on every node and in every cluster, so that a name which you have "
    "computed can be looked for with `iptables-save | grep`.",
    judge=_judge_name,
    slips=(
        (
            "from base64 import b32encode\nfrom hashlib import sha256\n"
            "def chain_name(namespace, service, port, protocol):\n"
            "    text = f'{namespace}/{service}:{port}{protocol.lower()}'\n"
            "    return 'KUBE-SVC-' + b32encode(sha256(text.encode()).digest()).decode()[:16]",
            "no colon",
        ),
        (
            "from base64 import b32encode\nfrom hashlib import sha256\n"
            "def chain_name(namespace, service, port, protocol):\n"
            "    text = f'{namespace}/{service}:{port}{protocol}'\n"
            "    return 'KUBE-SVC-' + b32encode(sha256(text.encode()).digest()).decode()[:16]",
            "KUBE-SVC-NPX46M4PTMTKRN6Y",
        ),
        (
            "from hashlib import sha256\n"
            "def chain_name(namespace, service, port, protocol):\n"
            "    return 'KUBE-SVC-' + sha256(f'{namespace}/{service}:{port}'.encode()).hexdigest().upper()",
            "characters",
        ),
        ("def chain_name(namespace, service, port, protocol):\n    return b'KUBE-SVC-'", "a text is expected"),
    ),
)


# q9: a NodePort by hand ----------------------------------------------------------------------------
_NODE, _POD, _NEIGHBOUR = Address("10.0.33.12"), Endpoint(Address("10.0.34.103"), 8080), Address("10.0.35.111")
_PORT = 31080
_LONGEST = 200  # lines: a NodePort by hand takes two


def _node(rules: Ruleset) -> Host:
    """The node: its own address, a pod of its own, and everything else by its network card."""
    routes = Route(Network(f"{_NEIGHBOUR}/32"), "eni1"), Route(Network("0.0.0.0/0"), "eth0")
    return Host("node 2", {_NODE: "eth0"}, routes, rules, forwarding=True)


def _judge_rules(text: Any, draw: Random) -> Outcome:
    if text.count("\n") > _LONGEST:
        return wrong(f"these are more than {_LONGEST} lines; two rules will do")
    host = _node(parse(text, "your rules"))
    for _ in range(5):
        client = Endpoint(Address(f"{draw.choice(['203.0.113', '10.0.0', '10.0.1'])}.{draw.randrange(1, 255)}"),
                          draw.randrange(1024, 65536))  # fmt: skip
        failed = _not_led(host, client, "eth0") or _meddled(host, client, draw)
        if failed:
            return wrong(failed)
    return right(because="every call to the NodePort got to the pod, its answer back, and nothing else was touched")


def _not_led(host: Host, client: Endpoint, device: str) -> str:
    """What is wrong with a call to the NodePort, there and back."""
    memory, call = HostMemory(), Packet(Protocol.TCP, client, Endpoint(_NODE, _PORT), TcpFlags.SYN)
    there = receive(host, memory, call, device, 0.0, first)
    told = f"{client} called {_NODE}:{_PORT}"
    if there.packet is None or there.delivered or there.packet.destination != _POD:
        return f"{told}, and that should go on to {_POD}. {_became(there)}{_refused(there)}"
    if there.packet.source.address != _NODE:
        return (
            f"{told}, and the packet got to {_POD} from {there.packet.source.address}: the pod will answer straight to "
            f"that address, which called {_NODE} and waits for nobody else. It should come from {_NODE}"
        )
    back = receive(host, memory, there.packet.answer(), "eth0", 0.1, first)
    if back.packet is None or (back.packet.source, back.packet.destination) != (call.destination, call.source):
        return (
            f"{told}, the pod answered, and the answer should leave as {call.destination} > {client}. {_became(back)}"
        )
    return ""


def _meddled(host: Host, client: Endpoint, draw: Random) -> str:
    """What else the rules have touched."""
    other = draw.choice([22, 80, 8080, 10250, 30080, 31081])
    neighbour = Endpoint(_NEIGHBOUR, 45678)
    cases = (
        ("a call to another port of the node", Protocol.TCP, client, Endpoint(_NODE, other), "eth0"),
        ("a UDP packet to the same port", Protocol.UDP, client, Endpoint(_NODE, _PORT), "eth0"),
        ("a call to a pod on this node, which has a port of that number",
         Protocol.TCP, client, Endpoint(_NEIGHBOUR, _PORT), "eth0"),
        ("a pod's own call to another node's port of that number",
         Protocol.TCP, neighbour, Endpoint(Address("10.0.32.11"), _PORT), "eni1"),
        ("a pod's own call to the pod behind the NodePort", Protocol.TCP, neighbour, _POD, "eni1"),
    )  # fmt: skip
    for what, protocol, source, destination, device in cases:
        flags = TcpFlags.SYN if protocol is Protocol.TCP else None
        sent = Packet(protocol, source, destination, flags)
        got = receive(host, HostMemory(), sent, device, 0.0, first)
        if got.packet is None or (got.packet.source, got.packet.destination) != (source, destination):
            return f"{what}, {source} > {destination}, should not be touched. {_became(got)}{_refused(got)}"
    return _not_led(host, neighbour, "eni1")


def _became(passage: Passage) -> str:
    if passage.packet is None:
        return f"It ended at the node ({passage.verdict.code})"
    where = "the node's own process" if passage.delivered else f"the interface {passage.interface}"
    return f"It came to {where} as {passage.packet.source} > {passage.packet.destination}"


def _refused(passage: Passage) -> str:
    """The last of the rules that matched."""
    rules = [step.rule for hop in passage.hops for step in hop.steps if step.matched and step.rule.startswith("-A")]
    return f"; the last rule that matched: {rules[-1][:160]}" if rules else "; no rule matched it"


_EMPTY = """\
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
# your rules
COMMIT
"""
_TO_POD = "-A PREROUTING -d 10.0.33.12/32 -p tcp -m tcp --dport 31080 -j DNAT --to-destination 10.0.34.103:8080"
_BY_NODE = "-A POSTROUTING -d 10.0.34.103/32 -p tcp -m tcp --dport 8080 -m conntrack --ctstate DNAT -j MASQUERADE"


def _rules(*lines: str) -> str:
    """A text with these rules, as code."""
    return f'my_rules = """\\\n{_EMPTY.replace("# your rules", chr(10).join(lines))}"""'


q9 = Build(
    "4.9",
    "A NodePort by hand",
    12,
    Level.HARD,
    (
        "Two things must happen to such a packet: its destination is rewritten as it comes in, its source as it "
        "leaves.",
        "Only what was led to the pod may be masqueraded: a pod's own calls keep their address. How did kube-proxy "
        "tell them apart? There is also `-m conntrack --ctstate DNAT`.",
        "`-A PREROUTING -d … -p tcp --dport … -j DNAT --to-destination …` and `-A POSTROUTING … -j MASQUERADE`.",
    ),
    "Be kube-proxy. On node 2, 10.0.33.12, write rules as `iptables-save` has them, so that port 31080/tcp of the node "
    "leads to the pod 10.0.34.103:8080 on node 1, whoever outside the node or among its pods calls it, and the answers "
    "come back by node 2. Nothing else may be touched: other ports, UDP, other addresses, pods that call each other. "
    "(What the node's own processes send isn't asked for.)",
    f'my_rules = """\\\n{_EMPTY}"""',
    _rules(_TO_POD, _BY_NODE),
    "The first rule is what a KUBE-NODEPORTS, a KUBE-SVC and a KUBE-SEP chain come to. The second is KUBE-POSTROUTING: "
    "kube-proxy marks what came by KUBE-EXT and masquerades what is marked; here the connection itself tells whether "
    "its destination was rewritten.",
    judge=_judge_rules,
    wants=str,
    slips=(
        (_rules(_TO_POD), "the pod will answer straight to that address"),
        (_rules(_TO_POD, "-A POSTROUTING -j MASQUERADE"), "should not be touched"),
        (_rules(_TO_POD, _BY_NODE.replace("-m conntrack --ctstate DNAT ", "")), "a pod's own call to the pod"),
        (_rules(_TO_POD.replace("-d 10.0.33.12/32 ", ""), _BY_NODE), "should not be touched"),
        (_rules(_TO_POD.replace(":8080", ""), _BY_NODE), "should go on to 10.0.34.103:8080"),
        (_rules(_TO_POD.replace("--dport 31080 ", ""), _BY_NODE), "another port of the node"),
        (_rules(_BY_NODE), "should go on to"),
        (_rules(_TO_POD.replace("DNAT", "DNATT"), _BY_NODE), "your rules"),
    ),
)


# q10: an Ingress -----------------------------------------------------------------------------------
def _yaml(text: str) -> str:
    return f'my_ingress = """\\\n{text}"""'


def _without(old: str, new: str) -> str:
    assert old in REFERENCE
    return _yaml(REFERENCE.replace(old, new, 1))


def _judge_ingress(text: Any, draw: Random) -> Outcome:
    return judged_ingress(text, asked(draw))


_PATHS: Sequence[str] = (
    "        path: /cart\n        pathType: Prefix",
    "        path: /cart/export\n        pathType: Exact",
)
q10 = Build(
    "4.10",
    "An Ingress to order",
    10,
    Level.MEDIUM,
    (
        "Write down host by host which paths there are, and for each whether what is beneath it belongs to it.",
        "`Prefix` is a path and everything beneath it, `Exact` the path alone. A host `*.x` stands for one label "
        "before x.",
    ),
    "Write an Ingress, in the namespace `shop` and of the class `nginx`, for the Services `web`, `cart` and `reports`, "
    "whose ports are all named `http`. On `shop.example.com`, `/cart` and everything beneath it is the cart's, but "
    "exactly `/cart/export` is `reports`'; all the rest is `web`'s. On every host of one label before "
    "`preview.example.com` everything is `web`'s. Whatever else is asked for gets a 404. The checker asks the "
    "specification and ingress-nginx for hosts and paths that you haven't seen.",
    f'my_ingress = """\\\n{HEAD}  rules: []\n"""',
    _yaml(REFERENCE),
    "Three paths for one host, of which the longest that matches wins and Exact goes before Prefix; a wildcard for the "
    "other. No rule without a host, and no default backend: so nobody else is served.",
    judge=_judge_ingress,
    wants=str,
    slips=(
        (_without(_PATHS[0], _PATHS[0].replace("Prefix", "Exact")), "/cart"),
        (_without(_PATHS[1], _PATHS[1].replace("Exact", "Prefix")), "/cart/export/"),
        (_without('host: "*.preview.example.com"', "host: preview.example.com"), "preview.example.com"),
        (_without('  - host: "*.preview.example.com"\n    http:', "  - http:"), "should end with a 404"),
        (_without("  ingressClassName: nginx\n", ""), "class"),
        (_without("  namespace: shop\n", ""), "namespace"),
        (_without("port:\n              name: http", "port:\n              name: https"), "no port https"),
        (_yaml("kind: ["), "your Ingress"),
    ),
)
