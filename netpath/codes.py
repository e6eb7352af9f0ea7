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
    _passed("ALLOWED", "A rule of the filter allows the packet."),
    _passed("TRACKED", "The packet belongs to a connection that the security group remembers; no rule is asked."),
    _passed("TRANSLATED", "A gateway put another address in the place of one, and sent the packet on."),
    _passed("DELIVERED", "The packet is at the network interface that it is for."),
    _passed(
        "VPC_SERVICE",
        "The VPC itself answers at this address (its router, the Amazon DNS server, instance metadata); "
        "security groups and network ACLs don't filter it.",
    ),
    _dropped(
        "NO_ROUTE_TO_DESTINATION",
        "No route of the subnet's route table contains the destination.",
        "Add a route for it to the subnet's route table, or associate the subnet with the right table.",
    ),
    _dropped(
        "BAD_STATE_ROUTE",
        "The best route is a blackhole: what it leads to was deleted, detached, or isn't available.",
        "Replace the route's target with one that exists, or delete the route so that the next best one is used.",
    ),
    _dropped(
        "BAD_STATE",
        "The instance behind this network interface isn't running.",
        "Start the instance, or send to another one.",
    ),
    _dropped(
        "BAD_STATE_ATTACHMENT",
        "This is not attached: a network interface to an instance, or an internet gateway to the VPC.",
        "Attach it.",
    ),
    _dropped(
        "ROUTE_LOOP",
        "The route table of the NAT gateway's own subnet leads back to the NAT gateway.",
        "Put a public NAT gateway in a subnet whose default route leads to an internet gateway.",
    ),
    _dropped(
        "NO_POSSIBLE_DESTINATION",
        "The address lies within the VPC, but no network interface has it.",
        "Look whether the instance or pod still exists, and whether its address has changed.",
    ),
    _dropped(
        "NO_SUCH_PUBLIC_ADDRESS",
        "No network interface of the region is associated with this public address.",
        "Associate an Elastic IP with the interface, or look whether the DNS record is out of date.",
    ),
    _failed(
        "UNKNOWN_DESTINATION",
        "The route leads to something that this model doesn't follow: a transit gateway, a VPN, a VPC endpoint, "
        "or a peer outside the region.",
        "Continue by hand from the route that matched.",
    ),
    _dropped(
        "ENI_SG_RULES_MISMATCH",
        "No rule of the interface's security groups allows the packet.",
        "Add a rule for the protocol, the port and the other end to one of the groups.",
    ),
    _dropped(
        "SG_HAS_NO_RULES",
        "The interface's security groups have no rules this way, so nothing is allowed.",
        "Add a rule, or give the interface another security group.",
    ),
    _dropped(
        "SUBNET_ACL_RESTRICTION",
        "The subnet's network ACL denies the packet. It remembers no connections: answers need a rule, too.",
        "Put an allow rule with a lower number before the one that denies; for answers, ports 1024-65535.",
    ),
    _dropped(
        "ENI_SOURCE_DEST_CHECK_RESTRICTION",
        "The packet's address isn't one of the interface's own, and its source/destination check is on.",
        "Turn the check off if the instance forwards packets for others; else find out who uses a wrong address.",
    ),
    _dropped(
        "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS",
        "The source has no public address, so the internet gateway can't send it out.",
        "Associate a public address with the interface, or route the subnet through a NAT gateway.",
    ),
    _dropped(
        "IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS",
        "The public address belongs to no attached network interface of the gateway's VPC.",
        "Attach the interface, or associate the address with one that is attached.",
    ),
    _dropped(
        "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS",
        "An internet gateway sends nothing to private addresses.",
        "Route the private range over a peering connection, a transit gateway or a VPN.",
    ),
    _dropped(
        "IGW_DESTINATION_ADDRESS_NOT_IN_RFC6598_EGRESS",
        "An internet gateway sends nothing to the shared range 100.64.0.0/10.",
        "Route the range over a peering connection, a transit gateway or a VPN.",
    ),
    _dropped(
        "IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS",
        "An internet gateway takes nothing in from private addresses.",
        "The sender must use its public address.",
    ),
    _dropped(
        "IGW_SOURCE_ADDRESS_NOT_IN_RFC6598_INGRESS",
        "An internet gateway takes nothing in from the shared range 100.64.0.0/10.",
        "The sender must use its public address.",
    ),
    _dropped(
        "INGRESS_RTB_NO_PUBLIC_IP",
        "The internet gateway's route table leads to an appliance that has no public address.",
        "Associate a public address with the appliance's interface.",
    ),
    _dropped(
        "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR",
        "The destination isn't in the VPC at the other end of the peering connection; peering isn't transitive.",
        "Peer with the VPC that has the address, or use a transit gateway.",
    ),
    _dropped(
        "NGW_REQUIRES_SOURCE_IN_VPC",
        "A NAT gateway serves only the interfaces of its own VPC.",
        "Put a NAT gateway into the sender's VPC.",
    ),
    _dropped(
        "PROTOCOL_RESTRICTION",
        "A NAT gateway translates TCP, UDP and ICMP, nothing else.",
        "Give the sender a public address of its own.",
    ),
    _dropped(
        "ErrorPortAllocation",
        "The NAT gateway has 55,000 connections to this destination for each of its addresses, and no port left.",
        "Add secondary addresses to the NAT gateway, spread over more gateways, or reuse connections.",
    ),
    _rejected(
        "NAT_GATEWAY_IDLE_TIMEOUT",
        "The NAT gateway doesn't know the connection (idle for 350 seconds or more) and answers with a reset.",
        "Keep the connection alive more often than every 350 seconds, or open a new one.",
    ),
    _dropped(
        "NAT_GATEWAY_NO_CONNECTION",
        "Nobody behind the NAT gateway began this connection; it lets nothing in unasked.",
        "To be reached from outside, use a load balancer or a public address.",
    ),
)

# Balancing -----------------------------------------------------------------------------------
_BALANCING = (
    _passed("FORWARD", "A listener rule forwards the request to a target group."),
    _passed("REDIRECT", "A listener rule tells the client to ask elsewhere."),
    _passed("FIXED_RESPONSE", "A listener rule answers the request itself, without any target."),
    _passed("FORWARDED", "A listener rule forwards the request, and a target was picked."),
    _passed("STICKY_TARGET", "A cookie says which target the client had before, and it gets that one again."),
    _passed("FAIL_OPEN", "Too few targets are healthy, so any of them may get the request."),
    _rejected(
        "ELBV2_LISTENERS_MISMATCH",
        "The load balancer does not have a listener that accepts the traffic.",
        "Ask a port that has a listener, or create a listener on this one.",
    ),
    _failed(
        "ELBV2_LISTENER_HAS_NO_TG",
        "The listener rule forwards to no target group: none is named, or each has the weight 0.",
        "Give the rule's forward action a target group with a weight above 0.",
    ),
    _failed(
        "ELB_503_NO_TARGETS",
        "The target group has no registered targets.",
        "Register targets with the group: check the Auto Scaling group, or the controller that should do it.",
    ),
    _failed(
        "ELB_INSTALLED_AZ_RESTRICTION",
        "All targets of the group are in Availability Zones that are not enabled for the load balancer (503).",
        "Enable the targets' zones for the load balancer, or run targets in the zones that are.",
    ),
    _failed(
        "ELB_NOT_CROSSZONE",
        "The target group has targets, but none in the node's zone, and cross-zone load balancing is off (503).",
        "Turn cross-zone load balancing on for the target group, or register a target in each enabled zone.",
    ),
    _failed(
        "ELB_400_BAD_REQUEST",
        "The request is malformed, or a header line is over 16 KB, or all of them are over 64 KB.",
        "Mend the client; often a cookie has grown too long.",
    ),
    _failed(
        "ELB_405_METHOD_NOT_ALLOWED",
        "The client used the TRACE method, which a load balancer refuses.",
        "Use another method.",
    ),
    _failed(
        "ELB_408_REQUEST_TIMEOUT",
        "The client did not send its data before the idle timeout was over.",
        "Look at the client's network, or raise the idle timeout.",
    ),
    _failed(
        "ELB_414_URI_TOO_LONG",
        "The request's URL is too long.",
        "Send what doesn't fit into the URL in the body.",
    ),
    _failed(
        "ELB_460_CLIENT_CLOSED",
        "The client closed the connection before the load balancer could answer.",
        "Make the client wait longer than the load balancer's idle timeout, or the target answer sooner.",
    ),
    _failed(
        "ELB_463_TOO_MANY_ADDRESSES",
        "X-Forwarded-For holds more than 30 addresses.",
        "Find the loop of proxies that the request goes round in.",
    ),
    _failed(
        "ELB_500_TRANSFORM_FAILED",
        "A rule's transform matched, but what it made is no URL or no host name.",
        "Try the transform's expression and its replacement with this request.",
    ),
    _failed(
        "ELB_501_NOT_IMPLEMENTED",
        "Transfer-Encoding has a value other than chunked or identity.",
        "Compress with Content-Encoding instead.",
    ),
    _failed(
        "ELB_502_TARGET_REFUSED",
        "The target refused the connection: a TCP reset, or ICMP's port unreachable, came back for the SYN.",
        "See that something listens on the target's port; on a NodePort, that the Service has ready endpoints.",
    ),
    _failed(
        "ELB_502_TARGET_UNREACHABLE",
        "ICMP says that the target can't be reached.",
        "Look at what rejects the packet on the way: a rule with REJECT, or a host that is gone.",
    ),
    _failed(
        "ELB_502_TARGET_RESET",
        "The target reset the connection while the request was outstanding.",
        "Look for a crash of the application, and for a keep-alive shorter than the load balancer's idle timeout.",
    ),
    _failed(
        "ELB_502_TARGET_CLOSED",
        "The target closed the connection before it had answered.",
        "Make the target's keep-alive longer than the load balancer's idle timeout.",
    ),
    _failed(
        "ELB_502_MALFORMED_RESPONSE",
        "The target's answer is not valid HTTP, or has headers that are not.",
        "Ask the target directly and look at its answer; often the target speaks TLS and the group says HTTP.",
    ),
    _failed(
        "ELB_504_CONNECT_TIMEOUT",
        "The connection to the target was not established within 10 seconds: something drops the packets.",
        "Look at the target's security group, the network ACLs both ways, and DROP rules on the node.",
    ),
    _failed(
        "ELB_504_IDLE_TIMEOUT",
        "The target accepted the request, but did not answer before the idle timeout was over.",
        "Make the target answer sooner, or raise the idle timeout.",
    ),
)

# iptables, netfilter, NAT --------------------------------------------------------------------
_NETFILTER = (
    _passed("ACCEPT", "The packet passed every table that it met."),
    _passed("LOCAL_IN", "The packet passed every table that it met, and a process on this host gets it."),
    _rejected(
        "NO_SOCKET",
        "The packet came through, but no process on this host listens on that port.",
        "Start the process, or look on which address and port it listens (ss -ltun).",
    ),
    _dropped(
        "INSERT_FAILED",
        "Translation found no free tuple: every port that the flow might have had is in use to this destination.",
        "Give the SNAT rule more addresses or ports, spread over more destinations, or close idle connections.",
    ),
    _dropped(
        "MASQUERADE_NO_ADDRESS",
        "MASQUERADE found no address on the interface that the packet leaves by.",
        "Give the interface an address, or use SNAT --to-source.",
    ),
    _dropped(
        "MASQUERADE_OIF_CHANGED",
        "A masqueraded flow would leave by another interface than it began with, so the kernel forgot it.",
        "Look at why the route changed; the connection must be opened anew.",
    ),
    _dropped(
        "NOT_FORWARDING",
        "The packet is for another host, and this one doesn't forward.",
        "Set net.ipv4.ip_forward=1, or find out who sent the packet here.",
    ),
    _rejected(
        "IP_INNOROUTES",
        "The host has no route to the destination.",
        "Add a route (ip route), or look which table the policy rules (ip rule) lead to.",
    ),
    _rejected(
        "ROUTE_UNREACHABLE",
        "The best route to the destination says unreachable.",
        "Look at who put that route there (ip route show type unreachable).",
    ),
    _rejected(
        "ROUTE_PROHIBIT",
        "The best route to the destination says prohibit.",
        "Look at who put that route there (ip route show type prohibit).",
    ),
    _dropped(
        "ROUTE_BLACKHOLE",
        "The best route to the destination is a blackhole.",
        "Look at who put that route there (ip route show type blackhole).",
    ),
    _dropped(
        "IP_RPFILTER",
        "The way back to the packet's source doesn't lead where the packet came from (rp_filter).",
        "Add the route back, or set net.ipv4.conf.*.rp_filter=2 (loose) where paths differ on purpose.",
    ),
    _dropped(
        "IP_LOCALNET",
        "A loopback address (127.0.0.0/8) came from, or would go out on, a real interface.",
        "Use the host's own address; or, knowing the risk, set net.ipv4.conf.*.route_localnet=1.",
    ),
    _dropped(
        "IP_LOCAL_SOURCE",
        "A packet came in that has this host's own address as its source.",
        "Look for a loop, or for a translation that took this host's address elsewhere.",
    ),
    _dropped(
        "IP_INVALID_SOURCE",
        "The packet's source can't be anybody's address.",
        "Look at what sent it.",
    ),
    _dropped(
        "IP_INVALID_DEST",
        "The packet's destination can't be reached from here: no host has it.",
        "Look at what sent it.",
    ),
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
_KUBEPROXY: tuple[Code, ...] = (
    _rejected(
        "NO_ENDPOINTS",
        "The Service has no usable endpoint on any node, so kube-proxy refuses its traffic.",
        "Look at the Service's EndpointSlices: does its selector match pods, are they ready, is the port's name right?",
    ),
    _dropped(
        "NO_LOCAL_ENDPOINTS",
        "The traffic policy is Local, and the Service has no usable endpoint on this node.",
        "Use policy Cluster, run an endpoint on this node, or keep the balancer away from it by healthCheckNodePort.",
    ),
    _dropped(
        "NOT_IN_SOURCE_RANGES",
        "The client's address is in none of the Service's loadBalancerSourceRanges.",
        "Add the client's block to loadBalancerSourceRanges, or find out who rewrote its address on the way.",
    ),
    _dropped(
        "LOCALNET_FROM_OUTSIDE",
        "A packet for 127.0.0.0/8 came from another machine; route_localnet lets it in, and KUBE-FIREWALL drops it.",
        "Ask for the node's own address; 127.0.0.1 is for those on the node.",
    ),
    _dropped(
        "CONNTRACK_INVALID",
        "Connection tracking can't place the packet in any connection (out of the window, or the entry is gone).",
        "Look for one-way routes and full conntrack tables; nf_conntrack_tcp_be_liberal=1 lets such packets pass.",
    ),
)

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
_JOURNEY = (
    _passed("ACCEPTED", "Somebody accepted the connection; what it answers is not part of this world."),
    _passed("ANSWERED", "The application answered."),
    _passed("ANSWER_RELAYED", "The answer of the next server was passed on."),
    _passed("ENDPOINT_PICKED", "The ingress controller picked a ready endpoint itself; it doesn't ask the ClusterIP."),
    _failed(
        "REQUEST_LOOP",
        "Servers pass the request on in a circle.",
        "Look for a load balancer or an Ingress whose backend leads back to itself.",
    ),
    _dropped(
        "TTL_EXCEEDED",
        "The packet went round in circles until its time to live was over.",
        "Look for two routing tables that send the same destination to each other.",
    ),
    _dropped(
        "CONNECTION_TIMEOUT",
        "Nobody answered the first packet of the connection, nor its repetitions.",
        "Silence means a drop: look at the hop that stopped the packet, or its answer: a security group, a network "
        "ACL, a route, or a DROP rule.",
    ),
    _rejected(
        "CONNECTION_REFUSED",
        "The connection was refused at once.",
        "The packet arrived, and nobody listens: look at the port, at the process, and for a REJECT rule.",
    ),
    _rejected(
        "HOST_UNREACHABLE",
        "A router or host said that the destination can't be reached.",
        "Look at the routes of the box that said so.",
    ),
)

CODES: Mapping[str, Code] = MappingProxyType(
    {
        code.name: code
        for section in (_RESOLUTION, _VPC, _BALANCING, _NETFILTER, _KUBEPROXY, _INGRESS, _JOURNEY)
        for code in section
    }
)
