"""The one table of verdicts: code -> what happened, what a person would do about it.

Codes are the field's own names where there are any: DNS RCODEs (RFC 1035, 6895), the explanation
codes of the VPC Reachability Analyzer, iptables targets, HTTP reasons as the AWS and ingress-nginx
pages list them. A code says *whether the request goes on* (`ok`), in one word what became of it
(`fate`), what happened, and the remedy.

Not modelled: outcomes that this road never has (the Reachability Analyzer has over a hundred codes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Fate(StrEnum):
    """What becomes of a packet or a question: what the sender notices, in one word."""

    PASSED = "passed"  # it goes on, or it was answered
    DROPPED = "dropped"  # silence: the sender waits until it gives up
    REJECTED = "rejected"  # told at once: a reset, or an ICMP error
    FAILED = "failed"  # answered, but not with what was asked for


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the table."""

    name: str
    fate: Fate
    happened: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        return self.fate is Fate.PASSED


def _passed(name: str, happened: str) -> Code:
    return Code(name, Fate.PASSED, happened)


def _dropped(name: str, happened: str, remedy: str) -> Code:
    return Code(name, Fate.DROPPED, happened, remedy)


def _rejected(name: str, happened: str, remedy: str) -> Code:
    return Code(name, Fate.REJECTED, happened, remedy)


def _failed(name: str, happened: str, remedy: str) -> Code:
    return Code(name, Fate.FAILED, happened, remedy)


# Resolution ----------------------------------------------------------------------------------
_RESOLUTION = (
    _passed("NOERROR", "The name server answered with data."),
    _passed("REFERRAL", "The name server doesn't hold the name, and says who does."),
    _passed("CACHED", "The answer was still in the cache."),
    _passed("CNAME", "The name is an alias: the search goes on with the name that it points to."),
    _passed("TRUNCATED", "The answer doesn't fit into one UDP packet: the question is asked again over TCP."),
    _failed(
        "NODATA",
        "The name exists, but has no record of the type asked for.",
        "Ask for another type, or add the record to the zone; resolvers remember this for the SOA's negative TTL.",
    ),
    _failed(
        "NXDOMAIN",
        "The name doesn't exist.",
        "Check the spelling; if the record was added just now, wait for the SOA's negative TTL to pass.",
    ),
    _failed(
        "YXDOMAIN",
        "A DNAME would make the name longer than 255 octets.",
        "Shorten the name asked for, or the DNAME's target.",
    ),
    _failed(
        "SERVFAIL",
        "The resolver couldn't get an answer from any of the zone's name servers.",
        "Follow the exchanges: look for silent or lame servers, missing glue, a loop of CNAMEs or of delegations.",
    ),
    _failed(
        "REFUSED",
        "The name server doesn't serve this zone, or doesn't serve this client.",
        "Ask one of the zone's own name servers, or set recursion desired; check the delegation's NS records.",
    ),
    _failed(
        "FORMERR",
        "The name server can't make sense of the query.",
        "Send exactly one question; a server that says this to EDNS is asked again without it.",
    ),
    _failed(
        "NOTIMP",
        "The name server doesn't know this kind of query.",
        "Use opcode QUERY; updates and notifies go to the zone's primary server.",
    ),
    _failed(
        "BADVERS",
        "The name server doesn't know this version of EDNS.",
        "Use EDNS version 0, the only one there is.",
    ),
    _failed(
        "LAME",
        "The name server is listed for the zone, but doesn't answer for it.",
        "Load the zone on that server, or take it out of the NS records at the parent and in the zone.",
    ),
    _failed(
        "MISMATCH",
        "What came back isn't the answer to this query: another id or question, or a response that contradicts itself.",
        "Look for spoofed packets, or a middlebox that rewrites DNS; the resolver asks another server.",
    ),
    _dropped(
        "TIMEOUT",
        "The name server didn't answer.",
        "Check that the server runs, and that UDP and TCP port 53 to it and back are open.",
    ),
)

# VPC -----------------------------------------------------------------------------------------
_VPC = (
    _passed("ROUTED", "A route leads on to the next hop."),
    _dropped(
        "NO_ROUTE_TO_DESTINATION",
        "No route of the subnet's route table contains the destination.",
        "Add a route for it to the subnet's route table, or associate the subnet with the right table.",
    ),
)

# Balancing -----------------------------------------------------------------------------------
_BALANCING = (_passed("FORWARDED", "A listener rule forwards the request, and a target was picked."),)

# iptables, netfilter, NAT --------------------------------------------------------------------
_NETFILTER = (
    _passed("ACCEPT", "The packet passed every table that it met."),
    _dropped(
        "DROP",
        "A rule dropped the packet without a word.",
        "Look at the rule that matched, and at who put it there.",
    ),
    _rejected(
        "REJECT",
        "A rule refused the packet and told its sender.",
        "Look at the rule that matched, and at who put it there.",
    ),
)

# kube-proxy ----------------------------------------------------------------------------------
_KUBEPROXY: tuple[Code, ...] = ()

# Ingress -------------------------------------------------------------------------------------
_INGRESS = (
    _passed("INGRESS_MATCHED", "An Ingress rule's host and path match, and name the Service."),
    _passed("INGRESS_PROXIED", "The controller's nginx passes the request on to a pod."),
    _passed("INGRESS_REDIRECTED", "The controller's nginx answered with a redirect."),
    _passed("INGRESS_ANSWERED", "The controller's nginx answered by itself (its health check)."),
    _failed(
        "INGRESS_NO_RULE",
        "No Ingress rule matches the host and the path, and there is no default backend (404).",
        "Compare the Host header and the path with the rules, and the Ingress's class with the controller's.",
    ),
    _failed(
        "INGRESS_DEFAULT_BACKEND",
        "No Ingress rule matches, so the controller's own default backend answered 404.",
        "Compare the Host header and the path with the rules, and the Ingress's class with the controller's.",
    ),
    _failed(
        "INGRESS_SERVICE_NOT_FOUND",
        "The Ingress names a Service, or a port of it, that doesn't exist (503).",
        "Create the Service in the Ingress's namespace, or mend the name or the port of the backend.",
    ),
    _failed(
        "INGRESS_NO_ENDPOINTS",
        "The Service has no ready endpoint (503).",
        "Look at the pods behind the Service: its selector, their readiness, the port's name.",
    ),
    _failed(
        "INGRESS_FORBIDDEN",
        "The client's address isn't allowed by the Ingress's source ranges (403).",
        "Add the address to the annotation; behind a load balancer, set use-forwarded-headers first.",
    ),
    _failed(
        "INGRESS_LOCATION_DENIED",
        "An annotation can't be read, so the controller closed the whole location (503).",
        "Mend the annotation that the step names; the controller's log has the same message.",
    ),
    _failed(
        "INGRESS_BAD_REQUEST",
        "nginx can't accept the Host header or the path (400).",
        "Look at the path's percent-escapes and dot segments, and at the characters of the Host header.",
    ),
    _failed(
        "INGRESS_URI_TOO_LONG",
        "The request line is longer than nginx's header buffer (414).",
        "Send less in the URL, or raise large-client-header-buffers.",
    ),
    _failed(
        "INGRESS_BODY_TOO_LARGE",
        "The request's body is larger than allowed (413).",
        "Raise the annotation nginx.ingress.kubernetes.io/proxy-body-size.",
    ),
    _failed(
        "INGRESS_REWRITE_EMPTY",
        "rewrite-target left nothing of the path, and nginx answered 500.",
        "Begin rewrite-target with a slash: /$1 rather than $1.",
    ),
    _failed(
        "INGRESS_BAD_GATEWAY",
        "Every endpoint tried refused or broke the connection (502).",
        "Look whether the pod listens on the port that the Service names, and whether it restarts.",
    ),
    _failed(
        "INGRESS_GATEWAY_TIMEOUT",
        "No endpoint tried connected or answered in time (504).",
        "Look for what drops packets to the pod (NetworkPolicy, security group), or raise proxy-read-timeout.",
    ),
)

# Journey -------------------------------------------------------------------------------------
_JOURNEY: tuple[Code, ...] = ()

CODES: Mapping[str, Code] = MappingProxyType(
    {
        code.name: code
        for section in (_RESOLUTION, _VPC, _BALANCING, _NETFILTER, _KUBEPROXY, _INGRESS, _JOURNEY)
        for code in section
    }
)
