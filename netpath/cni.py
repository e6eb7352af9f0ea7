"""What the AWS VPC CNI plugin sets up on a node: pod addresses that the VPC knows, and the rules around them.

A pod's address is a secondary address of one of the node's network interfaces, so the VPC routes to it
as it is. Three things are left for the node's own kernel:

- *Who leaves the VPC gets the node's address* (`AWS-SNAT-CHAIN-0`): the NAT gateway and the internet
  gateway know that one.
- *A pod's packets leave by the interface that holds its address* (`ip rule` 1536), for the VPC drops a
  packet whose source isn't its interface's.
- *What came in by eth0 for the node is answered by eth0* (connmark 0x80, `ip rule` 1024): a NodePort
  connection that was translated to a pod of another interface.

Source: amazon-vpc-cni-k8s, pkg/networkutils/network.go and iptables_connmark.go; driver.go for the rules
512, 1024, 1536. Defaults: AWS_VPC_K8S_CNI_EXTERNALSNAT=false, AWS_VPC_CNI_NODE_PORT_SUPPORT=true,
AWS_VPC_K8S_CNI_RANDOMIZESNAT=prng, veth prefix `eni`.

Not modelled: security groups for pods (branch interfaces), custom networking, network policies, and
the nftables backend of recent releases (same marks, same order).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from netpath.packet import Address, Network

MARK = 0x80
VETH_PREFIX = "eni"


def veth_name(namespace: str, pod: str) -> str:
    """The node's end of a pod's veth pair (driver.go, generateHostVethName).

    >>> len(veth_name("shop", "cart-1")) <= 15
    True
    """
    return VETH_PREFIX + hashlib.sha1(f"{namespace}.{pod}".encode()).hexdigest()[:11]


def rules(vpc_cidrs: Sequence[Network], primary: Address) -> str:
    """The plugin's own rules on a node, in iptables-restore's format; kube-proxy's come before them in each chain."""
    return f"""*mangle
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A PREROUTING -i eth0 -m comment --comment "AWS, primary ENI" -m addrtype --dst-type LOCAL --limit-iface-in {_SET_MARK}
-A PREROUTING -i {VETH_PREFIX}+ -m comment --comment "AWS, primary ENI" {_RESTORE_MARK}
-A PREROUTING -i vlan+ -m comment --comment "AWS, primary ENI" {_RESTORE_MARK}
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:AWS-CONNMARK-CHAIN-0 - [0:0]
:AWS-SNAT-CHAIN-0 - [0:0]
-A PREROUTING -i {VETH_PREFIX}+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0
-A PREROUTING -m comment --comment "AWS, CONNMARK" {_RESTORE_MARK}
-A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0
{_each("AWS-CONNMARK-CHAIN-0", "AWS CONNMARK CHAIN", vpc_cidrs)}
-A AWS-CONNMARK-CHAIN-0 -m comment --comment "AWS, CONNMARK" {_SET_MARK}
{_each("AWS-SNAT-CHAIN-0", "AWS SNAT CHAIN", vpc_cidrs)}
-A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL \
-j SNAT --to-source {primary} --random-fully
COMMIT
"""


_SET_MARK = f"-j CONNMARK --set-xmark {MARK:#x}/{MARK:#x}"
_RESTORE_MARK = f"-j CONNMARK --restore-mark --nfmask {MARK:#x} --ctmask {MARK:#x}"


def _each(chain: str, comment: str, cidrs: Sequence[Network]) -> str:
    """The exceptions: each CIDR is inserted at the top, so the last one given stands first."""
    return "\n".join(f'-A {chain} -d {cidr} -m comment --comment "{comment}" -j RETURN' for cidr in reversed(cidrs))
