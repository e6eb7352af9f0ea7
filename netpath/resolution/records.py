"""Resource records as values, and names as keys: what every part of the DNS station shares.

An RRset here is one immutable `Records`: owner, type, TTL, data. dnspython's own RRset is a mutable
set; it appears only at the edges, inside a `dns.message.Message`.

A name is looked up by its `key`: the labels in lower case, because names compare without case
(RFC 4343), while the spelling that the client used is kept in the name itself.

Not modelled: classes other than IN, signatures (RRSIG records are set aside).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.name import Name
from dns.rdatatype import RdataType

from netpath.errors import InputError

Key = tuple[bytes, ...]

# Types whose data names a host; a server adds that host's addresses (RFC 1035, 2782).
NAMES_A_HOST = {
    RdataType.NS: "target",
    RdataType.MX: "exchange",
    RdataType.SRV: "target",
    RdataType.KX: "exchange",
    RdataType.AFSDB: "hostname",
}
ADDRESS_TYPES = (RdataType.A, RdataType.AAAA)


def key_of(name: Name) -> Key:
    """The name's labels in lower case, the root's empty label last.

    >>> key_of(dns.name.from_text("Shop.Example.com."))
    (b'shop', b'example', b'com', b'')
    """
    return tuple([label.lower() for label in name.labels])


def is_below(key: Key, zone: Key) -> bool:
    """Whether `key` is `zone` or a name under it."""
    surplus = len(key) - len(zone)
    return surplus >= 0 and key[surplus:] == zone


def is_strictly_below(key: Key, zone: Key) -> bool:
    return len(key) > len(zone) and is_below(key, zone)


def ancestors(key: Key) -> Iterator[Key]:
    """The name itself, its parent, and so on to the root."""
    for start in range(len(key)):
        yield key[start:]


def parse_name(text: str) -> Name:
    """The absolute name that a text writes, with or without its final dot. Raises `InputError`."""
    try:
        return dns.name.from_text(text)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise InputError(
            f"not a domain name ({error})", value=text, expected="labels of 1 to 63 octets, 255 together"
        ) from None


@dataclass(frozen=True, slots=True)
class Records:
    """One RRset: owner, type, TTL in seconds (one for the whole set, RFC 2181 §5.2), and its data in order."""

    name: Name
    type: RdataType
    ttl: int
    data: tuple[dns.rdata.Rdata, ...]

    @property
    def key(self) -> Key:
        return key_of(self.name)

    def at(self, name: Name) -> Records:
        """The same data under another owner: a wildcard's answer, or the client's own spelling."""
        return Records(name, self.type, self.ttl, self.data)

    def aged(self, ttl: int) -> Records:
        """The same records with another TTL."""
        return self if ttl == self.ttl else Records(self.name, self.type, ttl, self.data)

    def rotated(self, by: int) -> Records:
        """The same records, beginning with another one: what a server that shuffles gives out."""
        by %= len(self.data)
        return Records(self.name, self.type, self.ttl, self.data[by:] + self.data[:by])

    def same_data(self, other: Records) -> bool:
        return len(self.data) == len(other.data) and set(self.data) == set(other.data)

    @property
    def hosts(self) -> Iterator[Name]:
        """The hosts that the data names, for types that name one."""
        field = NAMES_A_HOST.get(self.type)
        if field is not None:
            for datum in self.data:
                yield getattr(datum, field)

    @property
    def target(self) -> Name:
        """What a CNAME or DNAME points to."""
        target: Name = self.data[0].target  # type: ignore[attr-defined]
        return target

    def rrset(self) -> dns.rrset.RRset:
        """The same as dnspython's (mutable) RRset, for a message."""
        made = dns.rrset.RRset(self.name, dns.rdataclass.IN, self.type)
        made.update_ttl(self.ttl)
        made.ttl = self.ttl
        for datum in self.data:
            made.items[datum] = None
        return made

    def __str__(self) -> str:
        """The records as a master file writes them, one a line."""
        head = f"{self.name} {self.ttl} IN {dns.rdatatype.to_text(self.type)}"
        return "\n".join(f"{head} {datum}" for datum in self.data)


def from_rrset(rrset: dns.rrset.RRset) -> Records:
    """The value of a message's RRset. A TTL with its highest bit set counts as 0 (RFC 2181 §8)."""
    ttl = 0 if rrset.ttl & 0x8000_0000 else rrset.ttl
    return Records(rrset.name, RdataType.make(rrset.rdtype), ttl, tuple(rrset))


def substituted(name: Name, owner: Name, target: Name) -> Name | None:
    """The name that a DNAME at `owner` turns `name` into (RFC 6672 §2.2), or None if it were too long."""
    prefix = name.labels[: len(name.labels) - len(owner.labels)]
    try:
        return Name(prefix + target.labels)
    except dns.name.NameTooLong:
        return None


def cname(owner: Name, target: Name, ttl: int) -> Records:
    """A CNAME record, as a DNAME makes them."""
    datum = dns.rdata.from_text(dns.rdataclass.IN, RdataType.CNAME, target.to_text())
    return Records(owner, RdataType.CNAME, ttl, (datum,))


_SIZES = {RdataType.A: 4, RdataType.AAAA: 16}


def name_in_wire(name: Name) -> int:
    """How many octets a name takes without compression."""
    return sum([len(label) + 1 for label in name.labels])


def in_wire(records: Iterable[Records]) -> int:
    """At most how many octets these records take in a message (without compression)."""
    total = 0
    for each in records:
        size = _SIZES.get(each.type)
        data = size * len(each.data) if size else sum([len(datum.to_wire() or b"") for datum in each.data])
        total += len(each.data) * (name_in_wire(each.name) + 10) + data
    return total
