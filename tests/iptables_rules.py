"""Random rules and rulesets that Linux would take, for laws that hold for all of them."""

from __future__ import annotations

from hypothesis import strategies as st

from netpath.iptables import Ruleset, parse
from netpath.packet import IcmpType, Packet, Protocol, TcpFlags, endpoint

_OCTET = st.integers(0, 2)
_ADDRESS = st.builds("10.0.{}.{}".format, _OCTET, _OCTET)
_NOT = st.sampled_from(["", "", "", "! "])
_PORT = st.integers(1, 5)


def _option(name: str, value: st.SearchStrategy[object]) -> st.SearchStrategy[str]:
    return st.builds(f"{{}}{name} {{}}".format, _NOT, value)


_PREFIX = st.one_of(_ADDRESS, _ADDRESS, _ADDRESS.map("{}/24".format), _ADDRESS.map("{}/255.255.0.255".format))
_RANGE = st.tuples(_PORT, _PORT).map(lambda pair: f"{min(pair)}:{max(pair)}")
_PORTS = st.one_of(_PORT.map(str), _PORT.map(str), _RANGE)
_MARK = st.sampled_from(["0", "1", "0x4000/0x4000", "2/3"])
_STATES = st.sets(st.sampled_from(["NEW", "ESTABLISHED", "INVALID", "DNAT", "SNAT"]), min_size=1).map(
    lambda states: ",".join(sorted(states))
)
_RECENT = st.sampled_from(
    ["--set", "--rcheck", "--update --seconds 3", "--rcheck --hitcount 2", "--remove", "--update --seconds 2 --reap"]
)
_TRANSPORT = st.one_of(
    _option("--dport", _PORTS), _option("--sport", _PORTS), st.builds("--dport {} --sport {}".format, _PORT, _PORT)
)
_MATCH = st.one_of(
    _option("--mark", _MARK).map("-m mark {}".format),
    _option("--mark", _MARK).map("-m connmark {}".format),
    _option("--ctstate", _STATES).map("-m conntrack {}".format),
    _option("--ctorigdst", _ADDRESS).map("-m conntrack --ctdir ORIGINAL {}".format),
    _option("--dst-type", st.sampled_from(["LOCAL", "UNICAST"])).map("-m addrtype {}".format),
    st.builds("-m recent {}{} --name {}".format, _NOT, _RECENT, st.sampled_from(["a", "b"])),
    st.integers(1, 3).map("-m statistic --mode nth --every 3 --packet 0 -m comment --comment {}".format),
    _option("--probability", st.sampled_from(["0.5", "0.25", "1", "0"])).map("-m statistic --mode random {}".format),
    st.text(" ab\"'\\é/:", max_size=6).map(lambda text: f'-m comment --comment "{_escaped(text)}"'),
)
_EFFECTS = ["MARK --xor-mark 1", "MARK --or-mark 0x4000", "CONNMARK --save-mark", "CONNMARK --restore-mark", "LOG"]
CHAINS = ("A", "B", "C")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


@st.composite
def rules(draw: st.DrawFn, chain: str, further: tuple[str, ...]) -> str:
    """One rule of a chain of the mangle table, which may lead to `further` chains."""
    parts = []
    for option, value in (("-s", _PREFIX), ("-d", _PREFIX), ("-i", st.sampled_from(["eth0", "eth+", "lo"]))):
        if draw(st.integers(0, 3)) == 0:
            parts.append(draw(_option(option, value)))
    transport = draw(st.sampled_from(["", "", "tcp", "udp"]))
    if transport:
        parts.append(f"-p {transport} -m {transport} {draw(_TRANSPORT)}")
    parts += draw(st.lists(_MATCH, max_size=2))
    targets = ["-j ACCEPT", "-j DROP", "-j RETURN", "", *(f"-j {effect}" for effect in _EFFECTS)]
    targets += [f"{how} {name}" for name in further for how in ("-j", "-j", "-g")]
    return " ".join([f"-A {chain}", *draw(st.permutations(parts)), draw(st.sampled_from(targets))])


@st.composite
def rulesets(draw: st.DrawFn) -> Ruleset:
    """A mangle table with three chains of its own, some long enough to be indexed."""
    lines = ["*mangle", f":PREROUTING {draw(st.sampled_from(['ACCEPT', 'DROP']))}", *(f":{name} -" for name in CHAINS)]
    for number, chain in enumerate(("PREROUTING", *CHAINS)):
        size = draw(st.sampled_from([0, 2, 12]))
        lines += draw(st.lists(rules(chain, CHAINS[number:]), min_size=size, max_size=size))
    return parse("\n".join([*lines, "COMMIT"]))


_ENDPOINT = st.builds("{}:{}".format, _ADDRESS, _PORT).map(endpoint)


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    """A packet whose addresses and ports the random rules are about."""
    protocol = draw(st.sampled_from([Protocol.TCP, Protocol.UDP, Protocol.ICMP]))
    flags = draw(st.sampled_from(TcpFlags)) if protocol is Protocol.TCP else None
    icmp = IcmpType.ECHO_REQUEST if protocol is Protocol.ICMP else None
    return Packet(protocol, draw(_ENDPOINT), draw(_ENDPOINT), flags, icmp)
