"""The plan of a network: hosts, the links between them, and what each is told; and how it is built.

Every link is a veth pair, and there is no bridge: with br_netfilter around, a bridge's frames pass through
iptables too. Neither end asks for the other by ARP: both have the same hardware address, so that what one sends
"to itself" is the other's. So a router's end needs no address, which `MASQUERADE` might take, and any
address can be told to be at the end of a link.

Not modelled: MTUs, bandwidth, delay.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lab.isolation import LabError
from lab.namespaces import create, inside, ip, run, sysctl

# What a fresh namespace has otherwise: no redirects (a node sends packets back where they came from), no
# limit on ICMP errors, no address checks but those asked for, no IPv6.
QUIET = {
    "net.ipv6.conf.all.disable_ipv6": 1,
    "net.ipv6.conf.default.disable_ipv6": 1,
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
    "net.ipv4.conf.all.send_redirects": 0,
    "net.ipv4.conf.default.send_redirects": 0,
    "net.ipv4.icmp_ratelimit": 0,
}
FORWARDING = {"net.ipv4.ip_forward": 1}


@dataclass
class Host:
    """A network namespace: its place on the road, and what it is configured with.

    `commands` are lines for `ip`, `filters` a text for nft, `rules` one for iptables-restore.
    """

    place: str
    kind: str
    addresses: tuple[str, ...] = ()
    settings: dict[str, int] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    filters: str = ""
    rules: str = ""

    @property
    def namespace(self) -> str:
        """A place's name as a file's name."""
        return self.place.replace("/", "_").replace(" ", "_")


@dataclass
class Plan:
    """Hosts by place, and the links between them, as (namespace, device) at either end."""

    hosts: dict[str, Host] = field(default_factory=dict)
    links: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, host: Host) -> Host:
        """Another host. Raises `LabError` if its place is taken."""
        if host.place in self.hosts:
            raise LabError(f"two hosts are called {host.place}")
        self.hosts[host.place] = host
        return host

    def link(self, one: Host, one_device: str, other: Host, other_device: str) -> None:
        """A cable between two hosts."""
        self.links.append((one.namespace, one_device, other.namespace, other_device))

    def devices(self, host: Host) -> list[str]:
        """The devices at a host's ends of its links."""
        ends = (end for link in self.links for end in (link[:2], link[2:]))
        return [device for namespace, device in ends if namespace == host.namespace]

    def of_kind(self, kind: str) -> list[Host]:
        return [host for host in self.hosts.values() if host.kind == kind]

    def find(self, name: str) -> Host:
        """The host whose place has this name, or part of it if only one has. Raises `LabError`."""
        found = [host for host in self.hosts.values() if name in (host.place, host.namespace)]
        found = found or [host for host in self.hosts.values() if name in host.place]
        if len(found) == 1:
            return found[0]
        among = ", ".join(sorted(host.place for host in found or self.hosts.values()))
        raise LabError(f"{'several hosts are' if found else 'no host is'} called {name}: {among}")


def router(place: str, kind: str) -> Host:
    """A host that passes on what isn't its own."""
    return Host(place, kind, settings=dict(FORWARDING))


def end_host(place: str, kind: str, address: str) -> Host:
    """A host with one address and one way out."""
    commands = [f"addr add {address}/32 dev eth0", "route add default dev eth0"]
    return Host(place, kind, (address,), commands=commands)


def build(plan: Plan) -> None:
    """Make the network of a plan in the current namespaces. Raises `LabError`."""
    create(*(host.namespace for host in plan.hosts.values()))
    for host in plan.hosts.values():
        with inside(host.namespace):
            sysctl({**QUIET, **host.settings})
    ip(_link_commands(plan.links))
    with ThreadPoolExecutor(4) as pool:  # each thread is in a namespace of its own
        list(pool.map(lambda host: _furnish(host, plan.devices(host)), plan.hosts.values()))


def _link_commands(links: Iterable[tuple[str, str, str, str]]) -> Iterable[str]:
    for number, (one, one_device, other, other_device) in enumerate(links):
        mac = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
        ends = (
            f"{device} netns {namespace} address {mac} arp off"
            for device, namespace in ((one_device, one), (other_device, other))
        )
        yield f"link add {' type veth peer name '.join(ends)}"


def _furnish(host: Host, devices: Iterable[str]) -> None:
    with inside(host.namespace):
        ip([*(f"link set dev {device} up" for device in devices), *host.commands])
        if host.filters:
            run("nft", "-f", "-", text=host.filters)
        if host.rules:
            restore(host.rules)


def restore(rules: str) -> None:
    """Load rules with iptables-restore. The newer one fails on long rule sets for all but the real root."""
    run("iptables-nft-restore" if real_root() else "iptables-legacy-restore", text=rules)


def real_root() -> bool:
    """Whether root is everywhere what it is here: this is no user namespace."""
    return Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
