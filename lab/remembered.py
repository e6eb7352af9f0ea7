"""What the kernels remember: the conntrack entries of a node, in a form in which they can be compared.

    src=10.0.0.25 dst=10.0.32.11 sport=41234 dport=30080 src=10.0.34.101 dst=10.0.32.11 sport=80 dport=3021 mark=128

Only the two tuples and the mark: states and timeouts are gone when one looks.

Not modelled: expectations, zones, helpers.
"""

from __future__ import annotations

import re

from lab.namespaces import inside, run
from lab.network import Host

_WORDS = re.compile(r"\b(?:src|dst|sport|dport|mark)=\S+")


def entry(line: str) -> str:
    """A line of `conntrack -L`, or of the model's, without what time changes.

    >>> entry("tcp 6 119 TIME_WAIT src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 [UNREPLIED] src=2.2.2.2 use=1 mark=0")
    'src=1.1.1.1 dst=2.2.2.2 sport=1 dport=2 src=2.2.2.2 mark=0'
    """
    return " ".join(_WORDS.findall(line))


def entries(host: Host) -> list[str]:
    """The TCP connections that a host's kernel knows."""
    with inside(host.namespace):
        return [entry(line) for line in run("conntrack", "-L", "-p", "tcp").splitlines()]


def forget(host: Host) -> None:
    """Make a host's kernel forget all connections."""
    with inside(host.namespace):
        run("conntrack", "-F")
