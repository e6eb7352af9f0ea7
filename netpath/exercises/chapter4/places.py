"""Sections of chapter 4 to send a reader back to.

Not modelled: which section a reader skipped.
"""

from __future__ import annotations

from netpath.exercises.misconceptions import section

ADDRESS = section(4, "An address that nobody has")
LOTTERY = section(4, "Three rules, one lottery")
DOOR = section(4, "A door in every node")
RULES = section(4, "Rule by rule")
HAIRPIN = section(4, "A pod that calls itself")
POLICY = section(4, "Cluster or Local")
OUTSIDE = section(4, "What it looks like from outside")
LEAVING = section(4, "On their way out")
INGRESS = section(4, "The ingress controller's choice")
NOT_BY_CLUSTER_IP = section(4, "Not by the ClusterIP")
