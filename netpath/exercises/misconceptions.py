"""What people believe that isn't so: each belief by its name, and where the book mends it.

Not modelled: why people believe it. Often somebody drew them a picture.
"""

from __future__ import annotations

import re

from netpath.exercises.outcome import See

PAGES = {
    1: "notebooks/01_network_boundaries",
    2: "notebooks/02_dns_resolution",
    3: "notebooks/03_getting_to_kubernetes",
    4: "notebooks/04_from_node_to_pod",
    5: "notebooks/05_there_and_back_again",
}

# The belief, and the chapter that mends it.
GATEWAY_BALANCES = "The internet gateway sends traffic to the load balancer."
BALANCER_IS_A_MACHINE = "An Application Load Balancer is an EC2 instance."
ONLY_HEALTHY = "Only healthy targets get traffic."
ONE_PACKET = "One packet travels from the user to the pod."
THROUGH_CLUSTER_IP = "An ingress controller calls the Service's ClusterIP."
KUBE_PROXY_PROXIES = "kube-proxy proxies."
POD_SEES_USER = "The pod sees the user's address."
REPLY_LOOKS_UP = "The reply looks the Service up again."
EQUAL_PROBABILITIES = "The probabilities in the chain are equal."
GROUPS_ARE_ACLS = "Security groups and network ACLs are the same."
TTL_IS_DELAY = "A TTL is how long DNS takes to change."

MENDED = {
    GATEWAY_BALANCES: 3,
    BALANCER_IS_A_MACHINE: 3,
    ONLY_HEALTHY: 3,
    ONE_PACKET: 1,
    THROUGH_CLUSTER_IP: 4,
    KUBE_PROXY_PROXIES: 4,
    POD_SEES_USER: 5,
    REPLY_LOOKS_UP: 5,
    EQUAL_PROBABILITIES: 4,
    GROUPS_ARE_ACLS: 3,
    TTL_IS_DELAY: 2,
}


def section(number: int, title: str) -> See:
    """A section of a chapter, by its title, of which Sphinx makes the section's anchor.

    >>> section(2, "No is an answer, too").page
    'notebooks/02_dns_resolution#no-is-an-answer-too'
    """
    anchor = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    return See(f"{PAGES[number]}#{anchor}", f"chapter {number}, {title}")
