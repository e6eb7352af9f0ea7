"""The options of every match and target that netpath knows, and what they make.

An `Extension` is what `-m NAME` or `-j NAME` loads. Its options are written as a line of words: `!--sport`
may be negated, `--sport=--source-port` has another spelling, `+0` and `+2` say that none or two words
follow instead of one.

Not modelled: matches and targets that aren't here; they are refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import NamedTuple

from netpath.errors import InputError
from netpath.iptables.consulted import Chance, Nth, Recent
from netpath.iptables.matches import (
    ADDRESS_TYPES,
    ALL_BITS,
    CT_ADDRESSES,
    CT_PORTS,
    FLAG_BITS,
    STATES,
    STATUSES,
    Accounting,
    AddressType,
    Comment,
    Conntrack,
    ConntrackEntry,
    IcmpIs,
    MarkIs,
    Match,
    Multiport,
    Ports,
    PortsOf,
    quoted,
)
from netpath.iptables.targets import (
    REJECTIONS,
    TO_OPTION,
    ConnectionMark,
    Mark,
    Note,
    NoTrack,
    Reject,
    Target,
    Translation,
)
from netpath.iptables.values import (
    PROTOCOL_NUMBERS,
    SERVICES,
    address_number,
    mask_number,
    number,
    port_range,
    protocol_name,
    value_and_mask,
)
from netpath.packet import address

Given = tuple[str, bool, str]  # option, negated, value
All = tuple[Given, ...]


class Extension(NamedTuple):
    """What `-m name` or `-j name` loads; `protocols` are those that it works with, None if it doesn't care."""

    name: str
    options: Mapping[str, tuple[str, int, bool]]
    build: Callable[[All], Match | Target]
    protocols: Collection[str] | None = None


def _options(line: str) -> dict[str, tuple[str, int, bool]]:
    table = {}
    for word in line.split():
        negatable, word = word.startswith("!"), word.removeprefix("!")
        word, plus, words = word.partition("+")
        names = word.split("=")
        for name in names:
            table[name] = (names[0], int(words) if plus else 1, negatable)
    return table


def _once(given: All) -> dict[str, tuple[bool, str]]:
    """What was given, by option. Each may be given once."""
    found = {name: (negated, value) for name, negated, value in given}
    if len(found) != len(given):
        twice = [name for name, _, _ in given]
        raise InputError("an option given twice", value=" ".join(twice), expected="each once")
    return found


def _required(found: Mapping[str, tuple[bool, str]], option: str, of: str) -> tuple[bool, str]:
    if option not in found:
        raise InputError("an option is missing", value=of, expected=option)
    return found[option]


# Matches ---------------------------------------------------------------------------------------


def _flag_bits(text: str) -> int:
    bits = 0
    for name in text.upper().split(","):
        if name not in FLAG_BITS and name not in ("ALL", "NONE"):
            raise InputError("not a TCP flag", value=name, expected=", ".join((*FLAG_BITS, "ALL", "NONE")))
        bits |= 63 if name == "ALL" else FLAG_BITS.get(name, 0)
    return bits


def _ports_of(protocol: str) -> Callable[[All], Match]:
    def build(given: All) -> Match:
        found = _once(given)
        source, destination = (_some_ports(*found.get(name, (False, ":")), protocol) for name in ("--sport", "--dport"))
        negated, flags = found.get("--tcp-flags", (False, ""))
        if "--syn" in found:
            if flags:
                raise InputError("--syn is --tcp-flags already", value=flags, expected="one of them")
            negated, flags = found["--syn"][0], "FIN,SYN,RST,ACK SYN"
        mask, _, bits = flags.partition(" ")
        wanted = (_flag_bits(mask), _flag_bits(bits)) if flags else None
        return PortsOf(protocol, source[0], destination[0], wanted, source[1], destination[1], negated)

    return lru_cache(maxsize=4096)(build)


def _some_ports(negated: bool, text: str, protocol: str) -> tuple[Ports | None, bool]:
    """A port range and whether it is negated; all ports are no condition.

    For TCP and UDP, iptables-nft says "not the lowest ports" as the rest of them.
    """
    wanted = first, last = port_range(text)
    if wanted == (0, 65535) and not negated:
        return None, False
    if negated and first == 0 < last < 65535 and protocol != "sctp":
        return (last + 1, 65535), False
    return wanted, negated


_ICMP_NAMES = (
    "any=255 echo-reply=0 pong=0 destination-unreachable=3 network-unreachable=3/0 host-unreachable=3/1 "
    "protocol-unreachable=3/2 port-unreachable=3/3 fragmentation-needed=3/4 source-route-failed=3/5 "
    "network-unknown=3/6 host-unknown=3/7 network-prohibited=3/9 host-prohibited=3/10 "
    "TOS-network-unreachable=3/11 TOS-host-unreachable=3/12 communication-prohibited=3/13 "
    "host-precedence-violation=3/14 precedence-cutoff=3/15 source-quench=4 redirect=5 network-redirect=5/0 "
    "host-redirect=5/1 TOS-network-redirect=5/2 TOS-host-redirect=5/3 echo-request=8 ping=8 "
    "router-advertisement=9 router-solicitation=10 time-exceeded=11 ttl-exceeded=11 ttl-zero-during-transit=11/0 "
    "ttl-zero-during-reassembly=11/1 parameter-problem=12 ip-header-bad=12/0 required-option-missing=12/1 "
    "timestamp-request=13 timestamp-reply=14 address-mask-request=17 address-mask-reply=18"
)
_ICMP_TYPES = {
    name: (int(kind), int(code) if slash else None)
    for name, (kind, slash, code) in (
        (word.partition("=")[0], word.partition("=")[2].partition("/")) for word in _ICMP_NAMES.split()
    )
}


@lru_cache(maxsize=256)
def _icmp(given: All) -> Match:
    negated, text = _required(_once(given), "--icmp-type", "-m icmp")
    if text in _ICMP_TYPES:
        return IcmpIs(*_ICMP_TYPES[text], negated)
    kind, slash, code = text.partition("/")
    wanted = number(kind, 255)
    return IcmpIs(wanted, number(code, 255) if slash and wanted != 255 else None, negated)


@lru_cache(maxsize=1024)
def _multiport(given: All) -> Match:
    if len(given) != 1:
        raise InputError("-m multiport takes one list", value=len(given), expected="--sports, --dports or --ports")
    option, negated, text = given[0]
    ranges = tuple(port_range(part) for part in text.split(","))
    if any(first == last for part, (first, last) in zip(text.split(","), ranges, strict=True) if ":" in part):
        raise InputError("a range of one port", value=text, expected="the port alone")
    if sum(1 + (":" in part) for part in text.split(",")) > 15:
        raise InputError("too many ports", value=text, expected="at most 15, a range being two")
    return Multiport(option, ranges, negated)


def _mark_of(name: str) -> Callable[[All], Match]:
    def build(given: All) -> Match:
        negated, text = _required(_once(given), "--mark", f"-m {name}")
        return MarkIs(name, *value_and_mask(text), negated)

    return lru_cache(maxsize=1024)(build)


def _names(text: str, known: Collection[str], what: str) -> frozenset[str]:
    names = frozenset(text.upper().split(","))
    for name in names.difference(known):
        raise InputError(f"not {what}", value=name, expected=", ".join(known))
    return names


@lru_cache(maxsize=256)
def _address_type(given: All) -> Match:
    found = _once(given)
    limits = [name for name in ("in", "out") if f"--limit-iface-{name}" in found]
    ends = [found.get(option, (False, "")) for option in ("--src-type", "--dst-type")]
    if not any(text for _, text in ends) or len(limits) > 1:
        raise InputError("-m addrtype is incomplete", value=list(found), expected="--src-type or --dst-type, one limit")
    kinds = [_names(text, ADDRESS_TYPES, "an address type") if text else frozenset[str]() for _, text in ends]
    source, destination = (tuple(name for name in ADDRESS_TYPES if name in each) for each in kinds)
    return AddressType(source, destination, ends[0][0], ends[1][0], limits[0] if limits else "")


@lru_cache(maxsize=1024)
def _conntrack(given: All) -> Match:
    found = _once(given)
    if not found:
        raise InputError("-m conntrack asks for nothing", value="-m conntrack", expected="--ctstate or another option")
    state = None
    if "--ctstate" in found:
        negated, text = found["--ctstate"]
        state = Conntrack(_names(text, STATES, "a connection state"), negated)
    if state is not None and len(found) == 1:
        return state
    return ConntrackEntry(state, _ct_protocol(found), _ct_ends(found), _ct_status(found), _ct_direction(found))


def _ct_protocol(found: Mapping[str, tuple[bool, str]]) -> tuple[int, str, bool] | None:
    if "--ctproto" not in found:
        return None
    negated, text = found["--ctproto"]
    name = protocol_name(text)
    return (PROTOCOL_NUMBERS.get(name, 0) if not name.isdigit() else int(name), name, negated)


def _ct_ends(found: Mapping[str, tuple[bool, str]]) -> tuple[tuple[str, tuple[int, int], bool], ...]:
    ends = []
    for option in (*CT_ADDRESSES, *CT_PORTS):
        if option in found:
            negated, text = found[option]
            ends.append((option, port_range(text) if option in CT_PORTS else _prefix(text), negated))
    return tuple(ends)


def _prefix(text: str) -> tuple[int, int]:
    """An address with its host bits, which the kernel keeps here, and a mask without holes."""
    host, slash, length = text.partition("/")
    mask = mask_number(length) if slash else ALL_BITS
    if mask & (mask >> 1 | 1 << 31) != mask:
        raise InputError("a mask with holes", value=text, expected="ADDRESS/LENGTH")
    return address_number(host), mask


def _ct_status(found: Mapping[str, tuple[bool, str]]) -> tuple[frozenset[str], bool] | None:
    if "--ctstatus" not in found:
        return None
    negated, text = found["--ctstatus"]
    return _names(text, (*STATUSES, "NONE"), "a connection status") - {"NONE"}, negated


def _ct_direction(found: Mapping[str, tuple[bool, str]]) -> str | None:
    if "--ctdir" not in found:
        return None
    (direction,) = _names(found["--ctdir"][1].replace(",", " "), ("ORIGINAL", "REPLY"), "a direction")
    return direction


@lru_cache(maxsize=256)
def _state(given: All) -> Match:
    negated, text = _required(_once(given), "--state", "-m state")
    return Conntrack(_names(text, STATES[:5], "a connection state"), negated, "state")


@lru_cache(maxsize=4096)
def _statistic(given: All) -> Match:
    found = _once(given)
    mode = _required(found, "--mode", "-m statistic")[1]
    expected = {"random": {"--mode", "--probability"}, "nth": {"--mode", "--every", "--packet"}}.get(mode)
    if expected is None:
        raise InputError("not a mode of -m statistic", value=mode, expected="random or nth")
    if set(found) != expected:
        raise InputError(f"-m statistic --mode {mode} is wrong", value=list(found), expected=" ".join(sorted(expected)))
    if mode == "random":
        return _chance(*found["--probability"])
    every = number(found["--every"][1], lowest=1)
    return Nth(every, number(found["--packet"][1], every - 1), found["--every"][0])


_PROBABILITY = re.compile(r"[0-9]{0,30}\.?[0-9]{0,60}([eE]-?[0-9]{1,3})?")


def _chance(negated: bool, text: str) -> Match:
    try:
        share = float(text) if _PROBABILITY.fullmatch(text) else -1.0
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise InputError("not a probability", value=text, expected="0 to 1")
    exact = share * (1 << 31)
    floor = int(exact)
    return Chance(floor + (exact - floor >= 0.5), negated)  # C's lround: halves go up


@lru_cache(maxsize=1024)
def _recent(given: All) -> Match:
    found = _once(given)
    asked = [option for option in ("--set", "--rcheck", "--update", "--remove") if option in found]
    if len(asked) != 1:
        raise InputError("-m recent does one thing", value=asked, expected="--set, --rcheck, --update or --remove")
    looks = asked[0] in ("--rcheck", "--update")
    if not looks and found.keys() & {"--seconds", "--hitcount", "--reap"}:
        raise InputError(f"{asked[0]} counts nothing", value=list(found), expected="no --seconds, --hitcount, --reap")
    if "--reap" in found and "--seconds" not in found:
        raise InputError("--reap needs --seconds", value=list(found), expected="--seconds")
    if {"--rsource", "--rdest"} <= found.keys():
        raise InputError("one side only", value=list(found), expected="--rsource or --rdest")
    name = found.get("--name", (False, "DEFAULT"))[1]
    if not 0 < len(name) < 200 or "/" in name:
        raise InputError("not the name of a list", value=name, expected="1 to 199 characters without /")
    return Recent(
        asked[0],
        name,
        number(found["--seconds"][1], lowest=1) if "--seconds" in found else 0,
        number(found["--hitcount"][1], 65535, 1) if "--hitcount" in found else 0,
        "--reap" in found,
        address_number(found.get("--mask", (False, "255.255.255.255"))[1]),
        "--rdest" if "--rdest" in found else "--rsource",
        found[asked[0]][0],
    )


def _comment(given: All) -> Match:
    text = _required(_once(given), "--comment", "-m comment")[1]
    if len(text.encode()) > 255:
        raise InputError("a comment too long", value=text, expected="at most 255 bytes")
    return Comment(text)


def _accounting(given: All) -> Match:
    name = _required(_once(given), "--nfacct-name", "-m nfacct")[1]
    if not 0 < len(name.encode()) < 32:
        raise InputError("not the name of a counter", value=name, expected="1 to 31 bytes")
    return Accounting(name)


# Targets ---------------------------------------------------------------------------------------

_SHORT_REJECTIONS = {
    "net-unreach": "icmp-net-unreachable",
    "host-unreach": "icmp-host-unreachable",
    "proto-unreach": "icmp-proto-unreachable",
    "port-unreach": "icmp-port-unreachable",
    "net-prohib": "icmp-net-prohibited",
    "host-prohib": "icmp-host-prohibited",
    "tcp-rst": "tcp-reset",
    "admin-prohib": "icmp-admin-prohibited",
}


@lru_cache(maxsize=64)
def _reject(given: All) -> Target:
    reply = _once(given).get("--reject-with", (False, "icmp-port-unreachable"))[1]
    reply = _SHORT_REJECTIONS.get(reply, reply)
    if reply not in REJECTIONS:
        raise InputError("not a way to reject", value=reply, expected=", ".join(REJECTIONS))
    return Reject(reply)


def _set_bits(option: str, text: str) -> tuple[int, int]:
    """The value and mask of `--set-xmark` that an option comes down to."""
    if option in ("--set-xmark", "--set-mark"):
        value, mask = value_and_mask(text)
        return value, mask if option == "--set-xmark" else mask | value
    bits = number(text)
    return {"--and-mark": (0, ALL_BITS & ~bits), "--or-mark": (bits, bits), "--xor-mark": (bits, 0)}[option]


@lru_cache(maxsize=1024)
def _mark(given: All) -> Target:
    if len(given) != 1:
        raise InputError("MARK takes one option", value=len(given), expected="--set-xmark, --set-mark, --or-mark …")
    return Mark(*_set_bits(given[0][0], given[0][2]))


@lru_cache(maxsize=1024)
def _connection_mark(given: All) -> Target:
    found = _once(given)
    masks = found.keys() & {"--mask", "--nfmask", "--ctmask"}
    asked = [option for option in found if option not in masks]
    if len(asked) != 1 or (masks and asked[0] not in ("--save-mark", "--restore-mark")):
        raise InputError("CONNMARK does one thing", value=list(found), expected="--set-xmark, --save-mark, …")
    if asked[0] not in ("--save-mark", "--restore-mark"):
        return ConnectionMark("--set-xmark", *_set_bits(asked[0], found[asked[0]][1]))
    if "--mask" in masks and len(masks) > 1:
        raise InputError("--mask is both masks", value=sorted(masks), expected="--mask alone")
    both = found.get("--mask", (False, "0xffffffff"))
    connection, packet = (number(found.get(option, both)[1]) for option in ("--ctmask", "--nfmask"))
    return ConnectionMark(asked[0], 0, connection, packet)


def _translation(name: str) -> Callable[[All], Target]:
    option = TO_OPTION[name]

    def build(given: All) -> Target:
        found = _once(given)
        how = ["--random" in found, "--random-fully" in found, "--persistent" in found]
        if option == "--to-ports":
            ports = _nat_ports(found[option][1]) if option in found else None
            return Translation(name, None, None, ports, None, *how)
        to = _required(found, option, f"-j {name}")[1]
        addresses, colon, ports_text = to.partition(":")
        first, dash, last = addresses.partition("-")
        low = address(first) if addresses else None
        high = address(last) if dash else low
        ports_text, slash, base = ports_text.partition("/")
        if slash and name != "DNAT":
            raise InputError("only DNAT shifts ports", value=to, expected="ADDRESS:PORT-PORT")
        ports = _nat_ports(ports_text) if colon else None
        return Translation(name, low, high, ports, number(base, 65535, 1) if slash else None, *how)

    return build


def _nat_ports(text: str) -> Ports:
    first, dash, last = text.partition("-")
    low = SERVICES[first] if first in SERVICES else number(first, 65535, 1)
    high = number(last, 65535, 1) if dash else low
    if low > high:
        raise InputError("a port range upside down", value=text, expected="the lower port first")
    return low, high


def _no_track(name: str) -> Callable[[All], Target]:
    def build(given: All) -> Target:
        if name == "CT" and "--notrack" not in _once(given):
            raise InputError("CT is known only as --notrack", value=list(given), expected="--notrack")
        return NoTrack(name)

    return build


_LEVELS = {"panic": 0, "emerg": 0, "alert": 1, "crit": 2, "error": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}
_LOG_FLAGS = ("--log-tcp-sequence", "--log-tcp-options", "--log-ip-options", "--log-uid", "--log-macdecode")


@lru_cache(maxsize=256)
def _log(given: All) -> Target:
    found = _once(given)
    prefix = found.get("--log-prefix", (False, ""))[1]
    text = found.get("--log-level", (False, "4"))[1].lower()
    level = _LEVELS[text] if text in _LEVELS else number(text, 7)
    if len(prefix) > 29:
        raise InputError("a prefix too long", value=prefix, expected="at most 29 characters")
    options = f" --log-prefix {quoted(prefix)}" if prefix else ""
    options += f" --log-level {level}" if level != 4 else ""
    return Note("LOG", options + "".join(f" {flag}" for flag in _LOG_FLAGS if flag in found))


_NFLOG = {"--nflog-group": 65535, "--nflog-range": ALL_BITS, "--nflog-size": ALL_BITS, "--nflog-threshold": 65535}


@lru_cache(maxsize=256)
def _nflog(given: All) -> Target:
    found = _once(given)
    prefix = found.get("--nflog-prefix", (False, ""))[1]
    options = f" --nflog-prefix {quoted(prefix)}" if prefix else ""
    for option, highest in _NFLOG.items():
        value = number(found[option][1], highest) if option in found else 0
        usual = {"--nflog-group": 0, "--nflog-threshold": 1}.get(option, -1)
        options += f" {option} {value}" if option in found and value != usual else ""
    return Note("NFLOG", options)


def _trace(given: All) -> Target:
    return Note("TRACE")


_L4 = ("tcp", "udp", "udplite", "sctp", "dccp")
_PORTS = "!--sport=--source-port !--dport=--destination-port"
_CT = " ".join(f"!{option}" for option in (*CT_ADDRESSES, *CT_PORTS))
_SET_MARK = "--set-xmark --set-mark --and-mark --or-mark --xor-mark"

MATCHES: Mapping[str, Extension] = {
    name: Extension(name, _options(line), build, protocols)
    for name, line, build, protocols in (
        ("comment", "--comment", _comment, None),
        ("nfacct", "--nfacct-name", _accounting, None),
        ("tcp", f"{_PORTS} !--tcp-flags+2 !--syn+0", _ports_of("tcp"), ("tcp",)),
        ("udp", _PORTS, _ports_of("udp"), ("udp",)),
        ("sctp", _PORTS, _ports_of("sctp"), ("sctp",)),
        ("icmp", "!--icmp-type", _icmp, ("icmp",)),
        (
            "multiport",
            "!--sports=--source-ports !--dports=--destination-ports !--ports",
            _multiport,
            _L4,
        ),
        ("mark", "!--mark", _mark_of("mark"), None),
        ("connmark", "!--mark", _mark_of("connmark"), None),
        ("addrtype", "!--src-type !--dst-type --limit-iface-in+0 --limit-iface-out+0", _address_type, None),
        ("conntrack", f"!--ctstate !--ctproto {_CT} !--ctstatus --ctdir", _conntrack, None),
        ("state", "!--state", _state, None),
        ("statistic", "--mode !--probability !--every --packet", _statistic, None),
        (
            "recent",
            "!--set+0 !--rcheck+0 !--update+0 !--remove+0 --seconds --hitcount --reap+0 --name --mask "
            "--rsource+0 --rdest+0",
            _recent,
            None,
        ),
    )
}

TARGETS: Mapping[str, Extension] = {
    name: Extension(name, _options(line), build)
    for name, line, build in (
        ("REJECT", "--reject-with", _reject),
        ("MARK", _SET_MARK, _mark),
        ("CONNMARK", f"{_SET_MARK} --save-mark+0 --restore-mark+0 --mask --nfmask --ctmask", _connection_mark),
        ("DNAT", "--to-destination --random+0 --persistent+0", _translation("DNAT")),
        ("SNAT", "--to-source --random+0 --random-fully+0 --persistent+0", _translation("SNAT")),
        ("MASQUERADE", "--to-ports --random+0 --random-fully+0", _translation("MASQUERADE")),
        ("REDIRECT", "--to-ports --random+0", _translation("REDIRECT")),
        ("CT", "--notrack+0", _no_track("CT")),
        ("NOTRACK", "", _no_track("NOTRACK")),
        ("LOG", f"--log-level --log-prefix {' '.join(f'{flag}+0' for flag in _LOG_FLAGS)}", _log),
        ("NFLOG", f"--nflog-prefix {' '.join(_NFLOG)}", _nflog),
        ("TRACE", "", _trace),
    )
}
