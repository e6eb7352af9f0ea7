"""Everything on record as JSON objects: the stable form that `--json` prints.

Each top-level object has `netpath` (the version of this format, 1) and `kind`. Addresses and endpoints are texts
(`10.0.0.1`, `10.0.0.1:80`), probabilities are texts of exact fractions (`1/3`) beside a float, times are seconds.
Keys are only ever added to a version; one that disappears or changes its meaning makes a new version. The book's
page "The command line" lists them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import dns.flags
import dns.message
import dns.rcode

from netpath.choice import Outcome as Chance
from netpath.fabric import Trip
from netpath.ingress import Decision
from netpath.journey import Connection, Journey
from netpath.names import Looked
from netpath.packet import Hop, HttpRequest, HttpResponse, Packet, Step, Verdict
from netpath.properties import Property
from netpath.resolution import Exchange, Resolution
from netpath.vpc import Finding
from netpath.world import Place

FORMAT = 1

Object = dict[str, Any]


def document(kind: str, body: Object) -> Object:
    """A top-level object."""
    return {"netpath": FORMAT, "kind": kind, **body}


def packet(value: Packet | None) -> Object | None:
    """A packet; `flags` as tcpdump writes them, `icmp` by its name, `quotes` the packet that an error is about."""
    if value is None:
        return None
    return {
        "protocol": str(value.protocol),
        "source": str(value.source),
        "destination": str(value.destination),
        "flags": None if value.flags is None else str(value.flags),
        "icmp": None if value.icmp is None else str(value.icmp),
        "quotes": packet(value.quotes),
    }


def verdict(value: Verdict) -> Object:
    """A code with its row of the table."""
    row = value.meaning
    return {
        "code": value.code,
        "ok": row.ok,
        "fate": str(row.fate),
        "rule": value.rule,
        "happened": row.happened,
        "remedy": row.remedy,
    }


def step(value: Step) -> Object:
    return {"at": value.at, "rule": value.rule, "matched": value.matched, "why": value.why}


def hop(value: Hop) -> Object:
    rewrites = [{"field": name, "before": str(old), "after": str(new)} for name, old, new in value.rewrites]
    return {
        "station": value.station,
        "at": value.at,
        "received": packet(value.received),
        "sent": packet(value.sent),
        "rewrites": rewrites,
        "verdict": verdict(value.verdict),
        "steps": [step(each) for each in value.steps],
        "remembered": list(value.remembered),
    }


def hops(values: Iterable[Hop]) -> list[Object]:
    return [hop(value) for value in values]


def place(value: Place | None) -> Object | None:
    if value is None:
        return None
    return {"kind": str(value.kind), "name": value.name, "address": str(value.address), "node": value.node or None}


def trip(value: Trip | None) -> Object | None:
    """One packet's way; `arrived` is None where it was stopped, and `refusal` what came back then."""
    if value is None:
        return None
    return {
        "sent": packet(value.sent),
        "hops": hops(value.hops),
        "arrived": packet(value.packet),
        "place": place(value.place),
        "verdict": verdict(value.verdict),
        "refusal": trip(value.refusal),
    }


def request(value: HttpRequest | None) -> Object | None:
    if value is None:
        return None
    headers = [{"name": name, "value": text} for name, text in value.headers]
    return {"method": value.method, "url": value.url, "headers": headers}


def response(value: HttpResponse | None) -> Object | None:
    if value is None:
        return None
    headers = [{"name": name, "value": text} for name, text in value.headers]
    return {"status": value.status, "by": value.by, "headers": headers, "body": value.body}


def connection(value: Connection) -> Object:
    return {
        "client": place(value.client),
        "server": place(value.server),
        "end": str(value.end),
        "reused": value.reused,
        "waited": value.waited,
        "request": request(value.request),
        "out": trip(value.out),
        "decisions": hops(value.decisions),
        "onward": [connection(each) for each in value.onward],
        "conclusion": None if value.conclusion is None else hop(value.conclusion),
        "back": trip(value.back),
        "response": response(value.response),
    }


def journey(value: Journey, now: float) -> Object:
    outcome = value.outcome
    return {
        "at": now,
        "request": request(value.request),
        "user": place(value.user),
        "resolution": looked(value.looked),
        "connections": [connection(each) for each in value.attempts],
        "outcome": {
            "ok": outcome.ok,
            "status": outcome.status,
            "verdict": verdict(outcome.verdict),
            "response": response(outcome.response),
            "cause": None if value.cause is None else hop(value.cause),
            "waited": value.waited,
        },
    }


def looked(value: Looked | None) -> Object | None:
    """A look-up by the user's machine: None where the host was an address."""
    if value is None:
        return None
    found = value.lookup
    return {
        "name": found.name,
        "code": found.code,
        "addresses": [str(each) for each in found.addresses],
        "chosen": None if found.chosen is None else str(found.chosen),
        "exchanges": [exchange(each) for each in (value.resolution.exchanges if value.resolution else ())],
        "hops": hops(value.hops),
    }


def message(value: dns.message.Message | None) -> Object | None:
    """A DNS message: its flags, RCODE and sections, the records as a master file has them."""
    if value is None:
        return None
    sections = ("answer", value.answer), ("authority", value.authority), ("additional", value.additional)
    records = {name: [line for rrset in section for line in rrset.to_text().splitlines()] for name, section in sections}
    return {
        "flags": dns.flags.to_text(value.flags).split(),
        "rcode": dns.rcode.to_text(value.rcode()),
        "question": [rrset.to_text() for rrset in value.question],
        **records,
    }


def exchange(value: Exchange) -> Object:
    return {
        "server": str(value.server),
        "address": value.address,
        "zone": str(value.zone),
        "transport": "tcp" if value.tcp else "udp",
        "query": message(value.query),
        "response": message(value.response),
        "code": value.code,
    }


def resolution(value: Resolution, now: float) -> Object:
    return {
        "at": now,
        "code": value.code,
        "exchanges": [exchange(each) for each in value.exchanges],
        "response": message(value.response),
        "hops": hops(value.hops),
    }


def probability(value: Fraction) -> Object:
    return {"exact": str(value), "value": float(value)}


def chances(values: Sequence[Chance[Trip]]) -> list[Object]:
    """All that can become of a packet, each with its probability and the choices that led there."""
    return [
        {
            "probability": probability(value.probability),
            "choices": [{"question": asked, "answer": answer} for asked, answer in value.choices],
            "trip": trip(value.result),
        }
        for value in values
    ]


def decision(value: Decision) -> Object:
    """The ingress controller's decision."""
    return {
        "backend": None if value.backend is None else str(value.backend),
        "endpoints": [str(each) for each in value.endpoints],
        "response": response(value.response),
        "uri": value.uri,
        "notes": list(value.notes),
        "hop": hop(value.hop),
    }


def properties(values: Iterable[Property]) -> list[Object]:
    return [
        {
            "property": value.title,
            "holds": value.holds,
            "sent": value.sent,
            "broken": [{"source": one.source, "destination": one.destination, "why": one.why} for one in value.broken],
        }
        for value in values
    ]


def finding(value: Finding) -> Object:
    return {"subject": value.subject, "problem": value.problem, "rule": value.rule, "remedy": value.remedy}
