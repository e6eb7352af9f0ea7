"""What kube-proxy (iptables mode) puts on a node: Services and EndpointSlices become iptables rules.

kube-proxy proxies nothing. It writes rules, on every node the whole cluster's, and the kernel picks
an endpoint by them, once for each connection. `ruleset` gives one node's rules as `netpath.iptables`
reads them, kubelet's own chains included. They are many (10,000 Services with 10 endpoints each make
some 320,000), so a Service's own chains are written only when a packet gets there.

    PREROUTING, OUTPUT -> KUBE-SERVICES -> KUBE-SVC-x or KUBE-SVL-x -> KUBE-SEP-y -> DNAT
                                        -> KUBE-NODEPORTS -> KUBE-EXT-x -> KUBE-SVC-x or KUBE-SVL-x

Read it in this order: `endpoints` (which ones a node uses), `rules` (what is written for a Service
port), `tables` (a node's chains), `health` (what load balancers are told).

Source: kubernetes v1.34 pkg/proxy, checked against the expectations of its own tests.

Not modelled: nftables, IPVS and IPv6; the label that hands a Service to another proxy; the value
`primary` of nodePortAddresses (give the node's address as a /32); the time that a sync takes, and
what it does to connections that exist. Marks are written 0x4000 where kube-proxy pads them to
0x00004000: the kernel keeps the number.
"""

from netpath.kubeproxy.endpoints import Backend, PortEndpoints, Usable
from netpath.kubeproxy.health import HealthCheck, health_checks
from netpath.kubeproxy.rules import Portal, Portals, endpoint_chain_name, service_chain_name, service_port_name
from netpath.kubeproxy.tables import ChainMeaning, chain_meaning, refusal, restore_input, ruleset

__all__ = [
    "Backend",
    "ChainMeaning",
    "HealthCheck",
    "PortEndpoints",
    "Portal",
    "Portals",
    "Usable",
    "chain_meaning",
    "endpoint_chain_name",
    "health_checks",
    "refusal",
    "restore_input",
    "ruleset",
    "service_chain_name",
    "service_port_name",
]
