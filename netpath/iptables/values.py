"""The words that options take: numbers, addresses, ports, protocols, as iptables reads them.

Not modelled: names that a machine would look up, beyond Debian's protocols and the common services.
"""

from __future__ import annotations

import re
from functools import lru_cache

from netpath.errors import InputError
from netpath.iptables.matches import ALL_BITS, Ports

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}")


def number(text: str, highest: int = ALL_BITS, lowest: int = 0) -> int:
    """A number as C's strtoul reads it: decimal, 0x hexadecimal, or octal after a 0."""
    try:
        if not _NUMBER.fullmatch(text):
            raise ValueError
        octal = len(text) > 1 and text[0] == "0" and text[1] not in "xX"
        value = int(text, 8 if octal else 0)
    except ValueError:
        value = -1
    if not lowest <= value <= highest:
        raise InputError("not a number that fits", value=text, expected=f"{lowest} to {highest}")
    return value


_OCTETS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}")


def address_number(text: str) -> int:
    """An address, where trailing octets may be left out: 10.1 is 10.1.0.0 (xtables_numeric_to_ipaddr)."""
    octets = [int(octet) for octet in text.split(".")] if _OCTETS.fullmatch(text) else [256]
    if max(octets) > 255:
        raise InputError("not an IPv4 address", value=text, expected="four numbers like 10.0.1.5")
    octets += [0] * (4 - len(octets))
    return octets[0] << 24 | octets[1] << 16 | octets[2] << 8 | octets[3]


@lru_cache(maxsize=4096)
def address_and_mask(text: str) -> tuple[int, int]:
    """What `ADDRESS`, `ADDRESS/LENGTH` or `ADDRESS/MASK` says, host bits cleared.

    >>> [hex(part) for part in address_and_mask("10.1.2.3/16")]
    ['0xa010000', '0xffff0000']
    """
    host, slash, tail = text.partition("/")
    mask = ALL_BITS if not slash else mask_number(tail)
    return address_number(host) & mask, mask


def mask_number(text: str) -> int:
    """What stands behind an address: a length, or a mask with dots."""
    return address_number(text) if "." in text else ALL_BITS & ~(ALL_BITS >> number(text, 32))


_NAMES = (
    "1=icmp 2=igmp 3=ggp 4=ipencap 5=st 6=tcp 8=egp 9=igp 12=pup 17=udp 20=hmp 22=xns-idp 27=rdp 29=iso-tp4 33=dccp "
    "36=xtp 37=ddp 38=idpr-cmtp 41=ipv6 43=ipv6-route 44=ipv6-frag 45=idrp 46=rsvp 47=gre 50=esp 51=ah 57=skip "
    "58=ipv6-icmp 59=ipv6-nonxt 60=ipv6-opts 73=rspf 81=vmtp 88=eigrp 89=ospf 93=ax.25 94=ipip 97=etherip 98=encap "
    "103=pim 108=ipcomp 112=vrrp 115=l2tp 124=isis 132=sctp 133=fc 135=mobility-header 136=udplite 137=mpls-in-ip "
    "138=manet 139=hip 140=shim6 141=wesp 142=rohc 143=ethernet"
)
"""Debian's /etc/protocols, which iptables-save prints from."""

_PROTOCOL_NAMES = {key: name for key, _, name in (word.partition("=") for word in _NAMES.split())}
PROTOCOL_NUMBERS = {name: int(key) for key, name in _PROTOCOL_NAMES.items()}
_OTHER_NAMES = {"ip": "all", "hopopt": "all", "icmpv6": "ipv6-icmp", "ipv6-mh": "mobility-header"}


@lru_cache(maxsize=1024)
def protocol_name(text: str) -> str:
    """A protocol as iptables-save writes it: its name, `all`, or the number of a nameless one."""
    lower = text.lower()
    lower = _OTHER_NAMES.get(lower, lower)
    if lower == "all" or lower in PROTOCOL_NUMBERS:
        return lower
    if not text[:1].isdigit():
        raise InputError("not a protocol", value=text, expected="tcp, udp, sctp, icmp, all, or a number")
    value = number(text, 255)
    return "all" if value == 0 else _PROTOCOL_NAMES.get(str(value), str(value))


_SERVICE_PORTS = (
    "ftp-data=20 ftp=21 ssh=22 telnet=23 smtp=25 domain=53 bootps=67 bootpc=68 tftp=69 http=80 kerberos=88 "
    "pop3=110 sunrpc=111 ntp=123 imap2=143 snmp=161 bgp=179 ldap=389 https=443 submission=587 ldaps=636 "
    "imaps=993 pop3s=995 openvpn=1194 ms-sql-s=1433 nfs=2049 mysql=3306 ms-wbt-server=3389 postgresql=5432 "
    "amqp=5672 x11=6000 redis=6379 http-alt=8080"
)
SERVICES = {name: int(port) for name, _, port in (word.partition("=") for word in _SERVICE_PORTS.split())}


def _port(text: str) -> int:
    return SERVICES[text] if text in SERVICES else number(text, 65535)


@lru_cache(maxsize=4096)
def port_range(text: str, mark: str = ":") -> Ports:
    """`80`, `80:90`, and with the default of either end, `:90`, `80:`."""
    first, colon, last = text.partition(mark)
    if not colon:
        return _port(first), _port(first)
    low, high = _port(first) if first else 0, _port(last) if last else 65535
    if low > high:
        raise InputError("a port range upside down", value=text, expected="the lower port first")
    return low, high


def value_and_mask(text: str) -> tuple[int, int]:
    """`VALUE` or `VALUE/MASK`, as marks are written."""
    value, slash, mask = text.partition("/")
    return number(value), number(mask) if slash else ALL_BITS
