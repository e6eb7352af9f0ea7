"""Sections of chapter 1 to send a reader back to, and what its exercises share.

Not modelled: which section a reader skipped.
"""

from __future__ import annotations

from netpath.exercises.misconceptions import section

PROVIDER = "198.51.100.80"  # who takes the payments, out on the Internet

SPACES = section(1, "An address and its space")
LONGEST = section(1, "Where to? The longest prefix")
ONE_FOR_ONE = section(1, "One for one")
NODE = section(1, "Letter C: the node")
NAT = section(1, "Letter B: the NAT gateway")
DOOR = section(1, "Letter A again: the door")
CALLING_BACK = section(1, "Calling back")
THURSDAY = section(1, "Thursday")
INSIDE = section(1, "Inside, nobody rewrites")
WAY_IN = section(1, "The way in")
NOT_ENOUGH = section(1, "A public address is not enough")
