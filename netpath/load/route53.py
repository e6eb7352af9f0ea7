"""What `aws route53 list-resource-record-sets` prints -> alias records, and records for the hosted zone.

A hosted zone may come as a master file, as this JSON, or as both: then they must agree. Alias records, which a
master file can't hold, come from here.

Routing policies (weighted, latency, failover …) are not modelled: a record set that has a SetIdentifier is
refused rather than misread.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import dns.exception
import dns.name
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.zone

from netpath.errors import WorldError
from netpath.load.fields import Field
from netpath.resolution import Alias

_OCTAL = re.compile(r"\\([0-3][0-7]{2})")  # Route 53 writes `*` as \052; a master file's \DDD is decimal


def merged(
    zones: Sequence[dns.zone.Zone], documents: Sequence[Field]
) -> tuple[tuple[dns.zone.Zone, ...], tuple[Alias, ...]]:
    """The zones with the record sets of the documents, and the alias records. Raises `InputError`, `WorldError`."""
    made = list(zones)
    aliases: list[Alias] = []
    for document in documents:
        items = list(document.each("ResourceRecordSets"))
        home = _home(document, items, made)
        for item in items:
            if item.get("SetIdentifier"):
                raise item["SetIdentifier"].wrong("routing policies are not modelled", "simple record sets")
            if item.get("AliasTarget"):
                aliases += _alias(item, home)
            else:
                _put(item, home)
    return tuple(made), tuple(aliases)


def _home(document: Field, items: Sequence[Field], zones: list[dns.zone.Zone]) -> dns.zone.Zone:
    """The zone that the record sets are of: the one whose SOA is among them; a new one if no master file has it."""
    apex = next((_name(item) for item in items if item["Type"].value == "SOA"), None)
    if apex is None:
        raise WorldError("record sets without a SOA", file=document.file, expected="the whole hosted zone")
    known = next((zone for zone in zones if zone.origin == apex), None)
    if known is None:
        known = dns.zone.Zone(apex, relativize=False)
        zones.append(known)
    return known


def _name(item: Field) -> dns.name.Name:
    text = item["Name"].text()
    decimal = _OCTAL.sub(lambda found: f"\\{int(found[1], 8):03d}", text)
    try:
        return dns.name.from_text(decimal)
    except dns.exception.DNSException:
        raise item["Name"].wrong("not a domain name", "a name like shop.example.com.") from None


def _alias(item: Field, home: dns.zone.Zone) -> list[Alias]:
    """An alias for A; those for AAAA are passed over."""
    if item["Type"].text() != "A":
        return []
    _refuse_outside(item, home)
    target = item["AliasTarget"]["DNSName"]
    try:
        # the console writes dualstack.NAME for a load balancer; both names have the same addresses
        return [Alias(_name(item), dns.name.from_text(target.text().removeprefix("dualstack.")))]
    except dns.exception.DNSException:
        raise target.wrong("not a domain name", "the DNS name of a load balancer or of another record") from None


def _refuse_outside(item: Field, zone: dns.zone.Zone) -> None:
    if not _name(item).is_subdomain(zone.origin or dns.name.root):
        raise item["Name"].wrong("a record set outside its hosted zone", f"a name below {zone.origin}")


def _put(item: Field, zone: dns.zone.Zone) -> None:
    """Add a record set to its zone. One that is there already must say the same."""
    name, kind = _name(item), item["Type"].text()
    texts = [record["Value"].text() for record in item.each("ResourceRecords")]
    try:
        ttl = item["TTL"].integer(0, 2**31 - 1)
        found = dns.rdataset.from_text_list("IN", kind, ttl, texts, origin=dns.name.root, relativize=False)
    except (dns.exception.DNSException, ValueError) as error:
        raise item.wrong(f"not a record set ({error})", "records in master file format") from None
    _refuse_outside(item, zone)
    held = zone.get_rdataset(name, found.rdtype)
    if held is not None and (held != found or held.ttl != found.ttl):
        raise WorldError(
            f"{name} {kind} is another one in the master file",
            file=item.file,
            field=item.path,
            value=texts,
            expected=str(held).replace("\n", ", "),
        )
    zone.replace_rdataset(name, found)
