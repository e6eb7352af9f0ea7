"""Sections of chapter 5 to send a reader back to, and what its exercises share.

Not modelled: which section a reader skipped.
"""

from __future__ import annotations

from dataclasses import replace

from netpath.exercises.misconceptions import section
from netpath.exercises.parts import cluster
from netpath.packet import Packet
from netpath.world import Place, World

NODE_PORT = 30080
FRONT = "ingress-nginx/ingress-nginx-controller"  # the Service that the load balancer's targets lead to

THREE = section(5, "Three connections")
FIRST = section(5, "From the user to the load balancer")
SECOND = section(5, "From the load balancer to the ingress controller")
THIRD = section(5, "From the ingress controller to the pod")
MISS = section(5, "The hit and the miss")
BACK = section(5, "The way back")
BROKEN = section(5, "When it does not come back")
EVERYTHING = section(5, "Everything that can go wrong")


def trusting(world: World, *, full: bool = False) -> World:
    """The world with `use-forwarded-headers`; `full`: and with `compute-full-forwarded-for`."""
    own = cluster(world)
    told = replace(own.controller, use_forwarded_headers=True, compute_full_forwarded_for=full)
    return replace(world, cluster=replace(own, controller=told))


def node_of(world: World, place: Place) -> str:
    """The address of the node that a pod runs on."""
    return str(world.nodes[place.node].node.address)


def arrow(packet: Packet) -> str:
    """A packet's ends, as code."""
    return f"`{packet.source} → {packet.destination}`"


Ends = tuple[str, str]


def ends(packet: Packet) -> Ends:
    """Source and destination as texts: what a reader's function gets and gives."""
    return str(packet.source), str(packet.destination)
