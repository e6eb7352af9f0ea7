"""Worlds of any size, in real formats: the book's own, and more Services in its cluster.

Each Service has its cluster address, one port, ten endpoints in one EndpointSlice, spread over the three nodes,
written as `kubectl get services,endpointslices -o json` (or `-o yaml`) prints them, metadata and all. No Pod objects
are written for them: the road asks for a pod only when a packet gets there.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from netpath.load import SHOP

Form = Literal["json", "yaml"]
ENDPOINTS = 10
NODES = (
    ("ip-10-0-32-11.eu-west-1.compute.internal", "eu-west-1a"),
    ("ip-10-0-33-12.eu-west-1.compute.internal", "eu-west-1a"),
    ("ip-10-0-48-13.eu-west-1.compute.internal", "eu-west-1b"),
)
BORN = "2026-03-02T10:05:01Z"


def grow(folder: Path, services: int, form: Form = "json", seed: int = 1) -> Path:
    """The shop in `folder`, with so many Services more."""
    shutil.copytree(SHOP, folder)
    chance = random.Random(seed)
    for name, items in (
        ("many-services", [service(number, chance) for number in range(services)]),
        ("many-endpointslices", [endpoint_slice(number, chance) for number in range(services)]),
    ):
        document = {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
        text = json.dumps(document, indent=4) if form == "json" else "".join(yaml_lines(document))
        (folder / "kubernetes" / f"{name}.{form}").write_text(text)
    return folder


def cluster_ip(number: int) -> str:
    """The cluster address of the Service with a number: 172.21.0.0 and on, beside the shop's own."""
    return f"172.{21 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def service(number: int, chance: random.Random) -> dict[str, Any]:
    address = cluster_ip(number)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(f"service-{number}", chance, {"app": f"app-{number}"}),
        "spec": {
            "clusterIP": address,
            "clusterIPs": [address],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}],
            "selector": {"app": f"app-{number}"},
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
        "status": {"loadBalancer": {}},
    }


def endpoint_slice(number: int, chance: random.Random) -> dict[str, Any]:
    labels = {
        "app": f"app-{number}",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": f"service-{number}",
    }
    return {
        "addressType": "IPv4",
        "apiVersion": "discovery.k8s.io/v1",
        "endpoints": [_endpoint(number, number * ENDPOINTS + each, chance) for each in range(ENDPOINTS)],
        "kind": "EndpointSlice",
        "metadata": _metadata(f"service-{number}-{_letters(chance, 5)}", chance, labels),
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


def _endpoint(service: int, number: int, chance: random.Random) -> dict[str, Any]:
    node, zone = chance.choice(NODES)
    return {
        "addresses": [f"10.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "nodeName": node,
        "targetRef": {
            "kind": "Pod",
            "name": f"app-{service}-{_letters(chance, 10)}-{_letters(chance, 5)}",
            "namespace": "many",
            "uid": _uid(chance),
        },
        "zone": zone,
    }


def _metadata(name: str, chance: random.Random, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "creationTimestamp": BORN,
        "labels": dict(labels),
        "name": name,
        "namespace": "many",
        "resourceVersion": str(chance.randrange(10**7)),
        "uid": _uid(chance),
    }


def _letters(chance: random.Random, length: int) -> str:
    return "".join(chance.choices("bcdfghjklmnpqrstvwxz2456789", k=length))  # as Kubernetes names pods


def _uid(chance: random.Random) -> str:
    text = f"{chance.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# YAML as kubectl prints it; yaml.dump would take a minute for the largest world --------------------


def yaml_lines(value: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """A mapping in block style: two spaces a level, and none before a list's dashes."""
    for key, held in value.items():
        if isinstance(held, Mapping) and held:
            yield f"{indent}{key}:\n"
            yield from yaml_lines(held, indent + "  ")
        elif isinstance(held, list) and held:
            yield f"{indent}{key}:\n"
            for item in held:
                yield from _item(item, indent)
        else:
            yield f"{indent}{key}: {_scalar(held)}\n"


def _item(item: Any, indent: str) -> Iterator[str]:
    if not isinstance(item, Mapping):
        yield f"{indent}- {_scalar(item)}\n"
        return
    lines = yaml_lines(item, indent + "  ")
    yield f"{indent}- {next(lines)[len(indent) + 2 :]}"
    yield from lines


def _scalar(value: Any) -> str:
    """Plain where YAML reads it back as the same text, otherwise in quotes (JSON's are YAML's too)."""
    if not isinstance(value, str):
        return json.dumps(value)
    number_or_time = (value[:1].isdigit() and value.replace(".", "", 1).replace("e", "", 1).isdigit()) or value == BORN
    return json.dumps(value) if not value or number_or_time else value
