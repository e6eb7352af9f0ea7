"""An Application Load Balancer at work: which rule takes a request, and which target gets it.

It isn't one machine. Each of its *nodes* is a network interface in an enabled zone, with addresses of its own;
DNS hands them all out and the client picks one. A node ends the client's connection and has others of its own,
from its private address, to the targets. So it balances *requests*: two requests on one client connection can
go to two pods.

A request takes two decisions. `decide` finds the listener and the first rule that matches
(`listener`); `pick` draws a target group if the rule names several, then asks the group's algorithm
(`netpath.algorithms`) for a target that this node may use:

- registered, in a zone that is enabled for the balancer, neither `draining` nor `unused`;
- with cross-zone off, in the node's own zone;
- healthy; but if fewer are than the group's minimum (one, unless set otherwise), any of them: it *fails open*.

Sources: ELB user guide (Target groups, Target group health, Cross-zone load balancing, Sticky sessions).

Not modelled: retries (a node makes none); how AWS breaks ties and shares a position among the processes of a
node (one position for each zone and group here); the encryption of cookies (they are encoded only); WAF.
"""

from __future__ import annotations

from netpath.balancing.deciding import decide, no_listener
from netpath.balancing.forwarding import CONNECT_TIMEOUT, FAILURES, answer_for, forwarded, verdict_for
from netpath.balancing.listener import (
    Action,
    Condition,
    Field,
    FixedResponse,
    Forward,
    Listener,
    ListenerRule,
    Redirect,
    Transform,
    WeightedGroup,
    action_class,
)
from netpath.balancing.memory import BalancerMemory
from netpath.balancing.objects import (
    HEALTHY,
    HealthState,
    LoadBalancer,
    LoadBalancerAttributes,
    Node,
    Pool,
    Target,
    TargetGroup,
    TargetGroupAttributes,
    TargetHealth,
    Zone,
)
from netpath.balancing.picking import Picked, nodes_in_dns, pick, pool
from netpath.balancing.stickiness import application_cookies

__all__ = [
    "CONNECT_TIMEOUT",
    "FAILURES",
    "HEALTHY",
    "Action",
    "BalancerMemory",
    "Condition",
    "Field",
    "FixedResponse",
    "Forward",
    "HealthState",
    "Listener",
    "ListenerRule",
    "LoadBalancer",
    "LoadBalancerAttributes",
    "Node",
    "Picked",
    "Pool",
    "Redirect",
    "Target",
    "TargetGroup",
    "TargetGroupAttributes",
    "TargetHealth",
    "Transform",
    "WeightedGroup",
    "Zone",
    "action_class",
    "answer_for",
    "application_cookies",
    "decide",
    "forwarded",
    "no_listener",
    "nodes_in_dns",
    "pick",
    "pool",
    "verdict_for",
]
