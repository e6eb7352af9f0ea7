"""Parts of a world that an exercise can't do without.

Not modelled: worlds that lack them. They are refused.
"""

from __future__ import annotations

from netpath.kubernetes import Cluster
from netpath.vpc import Region
from netpath.world import World


def region(world: World) -> Region:
    """A world's VPCs. Raises `WorldError` without one."""
    return world.need(world.region, "region", "an exercise")


def cluster(world: World) -> Cluster:
    """A world's cluster. Raises `WorldError` without one."""
    return world.need(world.cluster, "cluster", "an exercise")
