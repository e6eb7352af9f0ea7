"""Sections of chapter 1 to send a reader back to, and what its exercises share.

Not modelled: which section a reader skipped.
"""

from __future__ import annotations

from netpath.exercises.misconceptions import chapter

PROVIDER = "198.51.100.80"  # who takes the payments, out on the Internet

SPACES = chapter(1, "An address and its space", "an-address-and-its-space")
LONGEST = chapter(1, "Where to? The longest prefix", "where-to-the-longest-prefix")
ONE_FOR_ONE = chapter(1, "One for one", "one-for-one")
WAY_OUT = chapter(1, "The way out", "the-way-out")
NODE = chapter(1, "Letter C: the node", "letter-c-the-node")
NAT = chapter(1, "Letter B: the NAT gateway", "letter-b-the-nat-gateway")
DOOR = chapter(1, "Letter A again: the door", "letter-a-again-the-door")
CALLING_BACK = chapter(1, "Calling back", "calling-back")
THURSDAY = chapter(1, "Thursday", "thursday")
INSIDE = chapter(1, "Inside, nobody rewrites", "inside-nobody-rewrites")
WAY_IN = chapter(1, "The way in", "the-way-in")
NOT_ENOUGH = chapter(1, "A public address is not enough", "a-public-address-is-not-enough")
