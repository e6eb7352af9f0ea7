"""Random netfilter rules that do things to packets: filter, mark, refuse, translate.

They are about the addresses and ports that `drawn_packet` uses, so that many match. What they are worth is not
that they make sense, but that nobody had them in mind.

Not modelled: what only kube-proxy writes; that comes from Services (`lab.oracles.services`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from lab.oracles.talk import Again, Answer, Fresh, Script, Stimulus, Trouble
from lab.oracles.wires import CLIENT, NODE, SINK
from netpath.packet import Address, Endpoint, IcmpType, Packet, Protocol, TcpFlags, address

CLIENTS = ("10.1.0.2", "10.1.0.3")
SINKS = ("10.2.0.2", "10.2.0.3")
NODES = ("10.1.0.1", "10.1.0.9", "10.2.0.1")
VIRTUAL = ("10.96.0.1", "10.96.0.2")
DEAD = ("10.5.0.1", "10.5.1.1", "10.5.2.1", "10.99.0.1")
ODD = ("127.0.0.1", "127.0.0.5", "0.0.0.0", "224.0.0.1", *CLIENTS, *SINKS, *NODES)

_CLIENT_PORTS = (1000, 2000, 700, 300)
_SERVER_PORTS = (80, 53, 30080)

CHAINS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}

_STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "RELATED,ESTABLISHED", "DNAT", "SNAT", "UNTRACKED")
_PROTOCOLS = ("-p tcp ", "-p udp ", "-p icmp ", "")
_MANGLED = (
    "MARK --set-xmark 0x4000/0x4000",
    "MARK --set-xmark 0x1/0x1",
    "CONNMARK --set-xmark 0x1/0x1",
    "CONNMARK --restore-mark --nfmask 0x1 --ctmask 0x1",
    "DROP",
)
_REFUSALS = ("DROP", "ACCEPT", "REJECT", "REJECT", "REJECT --reject-with icmp-host-prohibited")


def _not(dice: Random, chance: float) -> str:
    return "! " if dice.random() < chance else ""


def _condition(dice: Random, chain: str, protocol: str | None = None, tracked: bool = True) -> str:
    """What a rule asks for; `protocol` if its target needs one."""
    asked = [protocol if protocol is not None else dice.choice(_PROTOCOLS)]

    def perhaps(chance: float, make: Callable[[], str]) -> None:
        if dice.random() < chance:
            asked.append(f"{make()} ")

    places = (*CLIENTS, *SINKS, *NODES, *VIRTUAL, *VIRTUAL, "10.96.0.0/16", "10.2.0.0/16")
    sources = (*CLIENTS, *SINKS, *NODES, "10.1.0.0/16")
    perhaps(0.5, lambda: f"{_not(dice, 0.15)}-d {dice.choice(places)}")
    perhaps(0.3, lambda: f"{_not(dice, 0.2)}-s {dice.choice(sources)}")
    if "tcp" in asked[0] or "udp" in asked[0]:
        perhaps(0.5, lambda: f"--dport {dice.choice(_SERVER_PORTS)}")
    if chain in ("PREROUTING", "INPUT", "FORWARD"):
        perhaps(0.2, lambda: f"-i {dice.choice(('n0', 'n1', 'lo'))}")
    if chain in ("POSTROUTING", "OUTPUT", "FORWARD"):
        perhaps(0.25, lambda: f"-o {dice.choice(('n0', 'n1', 'lo'))}")
    perhaps(0.15, lambda: f"-m mark --mark {dice.choice(('0x4000/0x4000', '0x1/0x1'))}")
    perhaps(0.15, lambda: "-m addrtype --dst-type LOCAL")
    if tracked:
        perhaps(0.15, lambda: f"-m conntrack --ctstate {dice.choice(_STATES)}")
        perhaps(0.05, lambda: f"-m conntrack --ctdir {dice.choice(('ORIGINAL', 'REPLY'))}")
    return "".join(asked)


def _destination(dice: Random, chain: str) -> str:
    """A rule that sends packets elsewhere."""
    protocol = dice.choice(("-p tcp ", "-p udp ", "-p tcp ", "-p icmp "))
    target = dice.choice((*CLIENTS, *SINKS, *SINKS, *SINKS, *NODES, *(["127.0.0.1"] if dice.random() < 0.3 else [])))
    head = f"-A {chain} {_condition(dice, chain, protocol)}-j "
    if "icmp" in protocol:
        return f"{head}DNAT --to-destination {target}"
    kinds = (
        (0.15, f"REDIRECT{dice.choice(('', ' --to-ports 53'))}"),
        (0.15, f"DNAT --to-destination {target}"),
        (0.1, f"DNAT --to-destination {target}:{dice.choice(('80-82', '53-54'))}"),
        (0.6, f"DNAT --to-destination {target}:{dice.choice((80, 53, 8080))}"),
    )
    return head + dice.choices([each for _, each in kinds], [weight for weight, _ in kinds])[0]


def _source(dice: Random) -> str:
    """A rule that lets packets come from elsewhere."""
    kind, asked = dice.random(), _condition(dice, "POSTROUTING")
    ported = _condition(dice, "POSTROUTING", dice.choice(("-p tcp ", "-p udp ")))
    if kind < 0.3:
        return f"-A POSTROUTING {asked}-j MASQUERADE{dice.choice(('', ' --random-fully', ' --random'))}"
    if kind < 0.4:
        return f"-A POSTROUTING {ported}-j MASQUERADE --to-ports 5000-5002"
    if kind < 0.6:
        to = dice.choice(("10.2.0.1", "10.2.0.1", "10.1.0.9", "10.2.0.77", "10.2.0.70-10.2.0.75"))
        return f"-A POSTROUTING {asked}-j SNAT --to-source {to}{dice.choice(('', ' --persistent', ' --random-fully'))}"
    if kind < 0.8:
        return f"-A POSTROUTING {ported}-j SNAT --to-source 10.2.0.1:{dice.choice(('4000-4001', '80', '4000-4003'))}"
    if kind < 0.9:
        return f"-A INPUT {_condition(dice, 'INPUT')}-j SNAT --to-source {dice.choice(('10.1.0.55', '10.2.0.55'))}"
    return f"-A POSTROUTING {asked}-j RETURN"


def _refusing(dice: Random) -> str:
    chain = dice.choice(CHAINS["filter"])
    asked = _condition(dice, chain)
    target = dice.choice(_REFUSALS)
    if "-p tcp" in asked and dice.random() < 0.5:
        target = "REJECT --reject-with tcp-reset"
    return f"-A {chain} {asked}-j {target}"


def drawn_rules(dice: Random) -> tuple[str, ...]:
    """Lines for `iptables-restore`: few rules, in any of the tables, or none."""
    return tuple(line for table in CHAINS for line in _table(table, list(_drawn(dice, table)), dice))


def _drawn(dice: Random, table: str) -> Iterator[str]:
    if table == "raw" and dice.random() < 0.3:
        chain = dice.choice(CHAINS["raw"])
        yield f"-A {chain} {_condition(dice, '', tracked=False)}-j CT --notrack"
    if table == "mangle" and dice.random() < 0.5:
        for _ in range(dice.randint(1, 2)):
            chain = dice.choice(CHAINS["mangle"])
            yield f"-A {chain} {_condition(dice, chain)}-j {dice.choice(_MANGLED)}"
    if table == "nat":
        if dice.random() < 0.3:
            yield f"-A PREROUTING {_condition(dice, 'PREROUTING')}-j MARK --set-xmark 0x4000/0x4000"
        yield from (_destination(dice, "PREROUTING") for _ in range(dice.randint(0, 3)))
        yield from (_destination(dice, "OUTPUT") for _ in range(dice.randint(0, 2)))
        yield from (_source(dice) for _ in range(dice.randint(0, 3)))
    if table == "filter":
        yield from (_refusing(dice) for _ in range(dice.randint(0, 3)))


def _table(name: str, rules: list[str], dice: Random) -> Iterator[str]:
    if rules or (name == "nat" and dice.random() < 0.5):
        yield f"*{name}"
        yield from (f":{chain} ACCEPT [0:0]" for chain in CHAINS[name])
        yield from (rule.strip() for rule in rules)
        yield "COMMIT"


# Packets for them ------------------------------------------------------------------------------------

_FLAGS = (*[TcpFlags.SYN] * 9, TcpFlags.SYN_ACK, TcpFlags.RESET, TcpFlags.FIN)
_EARLY = (*[TcpFlags.SYN_ACK] * 5, TcpFlags.RESET, TcpFlags.ACK, TcpFlags.FIN)
_LATE = (*[TcpFlags.ACK] * 3, *[TcpFlags.FIN] * 3, TcpFlags.SYN_ACK, TcpFlags.RESET)
_NEXT = (*[TcpFlags.ACK] * 5, *[TcpFlags.FIN] * 4, TcpFlags.RESET, *[TcpFlags.SYN] * 4)
_TROUBLES = (
    IcmpType.PORT_UNREACHABLE,
    IcmpType.HOST_UNREACHABLE,
    IcmpType.TIME_EXCEEDED,
    IcmpType.FRAGMENTATION_NEEDED,
)
REPORTERS = ("10.9.9.9", "10.1.0.3", "10.2.0.3")


def drawn_packet(dice: Random) -> Fresh | None:
    """A first packet from anywhere to anywhere; None where the dice fell on one that no host sends."""
    where = dice.choice((CLIENT, CLIENT, CLIENT, SINK, SINK, NODE))
    loopback = ("127.0.0.1",) if dice.random() < 0.3 else ()
    sources = {CLIENT: CLIENTS, SINK: SINKS, NODE: (*NODES, *loopback)}[where]
    source = dice.choice(sources) if where == NODE or dice.random() > 0.03 else dice.choice(ODD)
    dead = DEAD if dice.random() < 0.2 else ()
    target = dice.choice((*CLIENTS, *SINKS, *SINKS, *NODES, *VIRTUAL, *VIRTUAL, *loopback, *dead))
    if source == target and where != NODE:
        return None
    if where == NODE and source.startswith("127") and target not in (*NODES, "127.0.0.1"):
        return None
    return Fresh(where, _packet(dice, address(source), address(target)))


def _packet(dice: Random, source: Address, target: Address) -> Packet:
    protocol = dice.choice((*[Protocol.TCP] * 3, Protocol.UDP, Protocol.UDP, Protocol.ICMP))
    if protocol is Protocol.ICMP:
        identifier = dice.choice((7, 8))
        if dice.random() < 0.1:
            return Packet(protocol, Endpoint(source), Endpoint(target, identifier), icmp=IcmpType.ECHO_REPLY)
        return Packet(protocol, Endpoint(source, identifier), Endpoint(target), icmp=IcmpType.ECHO_REQUEST)
    ends = Endpoint(source, dice.choice(_CLIENT_PORTS)), Endpoint(target, dice.choice(_SERVER_PORTS))
    return Packet(protocol, *ends, dice.choice(_FLAGS) if protocol is Protocol.TCP else None)


def drawn_follow_up(dice: Random, recent: list[int], begun: list[int]) -> Stimulus:
    """Something that builds on what became of an earlier stimulus; `begun` are first packets of connections."""
    kind = dice.random()
    if kind < 0.55:
        return Answer(dice.choice(recent), (dice.choice(_EARLY), dice.choice(_LATE)))
    if kind < 0.7 or not begun:
        reporter = None if dice.random() < 0.6 else address(dice.choice(REPORTERS))
        return Trouble(dice.choice(recent), dice.choice(_TROUBLES), reporter)
    return Again(dice.choice(begun), dice.choice(_NEXT))


def drawn_script(dice: Random, length: int, fresh: Callable[[Random], Fresh | None]) -> Script:
    """A conversation of at most that many stimuli. No TCP connection is begun twice."""
    script: list[tuple[int, Stimulus]] = []
    begun: dict[tuple[str, Endpoint, Endpoint], int] = {}
    for number in range(length):
        if script and dice.random() < 0.7:
            recent = [each for each, _ in script[-10:]]
            script.append((number, drawn_follow_up(dice, recent, list(begun.values())[-5:])))
            continue
        made = fresh(dice)
        if made is None:
            continue
        ends = made.where, made.packet.source, made.packet.destination
        if made.packet.protocol is Protocol.TCP:
            if ends in begun:
                continue
            begun[ends] = number
        script.append((number, made))
    return tuple(script)
