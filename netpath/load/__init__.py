"""A folder of files that people have -> a `World`.

    load_world("my-world")      zones/ (RFC 1035), aws/ (`aws … describe-*` JSON), kubernetes/ (`kubectl get -o yaml`)

A file is recognised by what is in it: a master file by its records, AWS's JSON by its top-level key,
Kubernetes objects by their kind. Any part may be absent. What can't be read is an `InputError`; what contradicts
itself, or refers to something that isn't there, a `WorldError`; both say in which file and field.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import dns.zone

from netpath.errors import InputError, WorldError
from netpath.load import ec2, elb, kubernetes, route53
from netpath.load.fields import Field
from netpath.load.files import MasterFile, documents
from netpath.load.zones import zone
from netpath.vpc import Region
from netpath.world import World

__all__ = ["SHOP", "load_world", "shop"]

SHOP = Path(__file__).parent.parent / "worlds" / "shop"

_REGION = {
    "Vpcs": "vpcs",
    "Subnets": "subnets",
    "RouteTables": "route_tables",
    "InternetGateways": "internet_gateways",
    "NatGateways": "nat_gateways",
    "NetworkInterfaces": "network_interfaces",
    "SecurityGroups": "security_groups",
    "NetworkAcls": "network_acls",
    "Reservations": "instances",
    "VpcPeeringConnections": "peerings",
    "PrefixLists": "prefix_lists",
}


def load_world(folder: str | Path) -> World:
    """The world that a folder describes. Raises `InputError` and `WorldError`."""
    with _uncollected():
        return world(documents(Path(folder)))


@contextmanager
def _uncollected() -> Iterator[None]:
    """What is loaded stays: to look through it for garbage again and again would take a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def world(everything: Iterable[MasterFile | Field]) -> World:
    """The world that these documents describe. Raises `InputError` and `WorldError`."""
    masters, aws, objects = _sorted(everything)
    region = _region(aws)
    from_masters = [zone(master) for master in masters]
    zones, aliases = route53.merged(from_masters, aws.get("ResourceRecordSets", []))
    cluster = kubernetes.cluster(objects) if objects else None
    balancers = elb.load_balancers(aws, region, cluster)
    made = World(zones=zones, aliases=aliases, region=region, load_balancers=balancers, cluster=cluster)
    _check_names(made, from_masters, masters)
    return made


def _check_names(made: World, zones: Sequence[dns.zone.Zone], masters: Sequence[MasterFile]) -> None:
    """Make the name servers now, so that a zone that nobody serves is an error here, and with its file."""
    try:
        made.names  # noqa: B018
    except WorldError as error:
        files = {str(zone.origin): master.file for zone, master in zip(zones, masters, strict=True)}
        error.located(file=files.get((error.field or "").partition(" ")[0]))
        raise


@lru_cache(maxsize=1)
def shop() -> World:
    """The book's own world."""
    return load_world(SHOP)


Sorted = tuple[list[MasterFile], dict[str, list[Field]], list[Field]]


def _sorted(everything: Iterable[MasterFile | Field]) -> Sorted:
    """Master files, AWS's documents by top-level key, Kubernetes documents."""
    masters: list[MasterFile] = []
    aws: dict[str, list[Field]] = {}
    objects: list[Field] = []
    for document in everything:
        if isinstance(document, MasterFile):
            masters.append(document)
        elif kubernetes.is_kubernetes(document):
            objects.append(document)
        else:
            aws.setdefault(_key(document), []).append(document)
    return masters, aws, objects


def _key(document: Field) -> str:
    """The top-level key by which one of AWS's documents is known."""
    known = (*_REGION, *elb.KEYS, *_IGNORED, "ResourceRecordSets")
    key = next((key for key in known if key in document.value), None)
    if key is None:
        raise InputError(
            "an unknown kind of document",
            file=document.file,
            value=list(document.value),
            expected="`kind`, or a key such as Vpcs, Subnets, LoadBalancers",
        )
    return key


_IGNORED = ("Addresses",)  # checked against the interfaces, which say the same


def _region(aws: dict[str, list[Field]]) -> Region | None:
    """The VPCs, or None where no file speaks of any."""
    places: dict[str, Field] = {}
    found = {ours: tuple(_items(aws, theirs, places)) for theirs, ours in _REGION.items()}
    if not any(found.values()):
        return None
    try:
        region = Region(**found)
    except WorldError as error:
        _locate(error, places)
        raise
    for document in aws.get("Addresses", ()):
        ec2.check_addresses(document, region)
    return region


def _locate(error: WorldError, places: dict[str, Field]) -> None:
    """The Region's errors begin with the object that they are about; here we know where it stands."""
    for word in error.problem.replace(",", " ").split():
        place = places.get(word.removeprefix("eni-of-"))  # a NAT gateway's interface is made up from the gateway
        if place is not None:
            error.located(file=place.file, field=place.path)
            return


def _items(aws: dict[str, list[Field]], key: str, places: dict[str, Field]) -> Iterator[Any]:
    """The objects of one kind; `places` learns where each stands, by its id, which is its first field."""
    for document in aws.get(key, ()):
        for value, item in ec2.read(key, document):
            identity = str(getattr(value, value.__slots__[0]))
            if not identity or any(map(str.isspace, identity)):
                raise InputError("not an id", file=item.file, field=item.path, value=identity, expected="as AWS has it")
            if identity in places:
                other = places[identity]
                raise WorldError(
                    f"{identity} is there twice, also in {other.file}: {other.path}",
                    file=item.file,
                    field=item.path,
                    expected="each once",
                )
            places[identity] = item
            yield value
