"""One node's tables: what kubelet and kube-proxy leave in the kernel, chain by chain, when somebody looks.

Source: kubernetes v1.34 pkg/proxy/iptables/proxier.go, pkg/kubelet/kubelet_network_linux.go.

Not modelled: counters; the order of Services, which on a real node is another after every full sync.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from netpath.iptables import Chain, Rule, Ruleset, Table, parse_rule
from netpath.kubeproxy.endpoints import Backend
from netpath.kubeproxy.rules import LOOPBACK, Line, Portal, Portals, Writer, writer
from netpath.kubernetes import EndpointSlice, Node, ProxyConfig, Service, ServicePort
from netpath.packet import Address, address

# The chains that don't depend on Services ----------------------------------------------------------

_NEW = "-m conntrack --ctstate NEW "

# (table, chain jumped to, chain jumped from, match, comment), in the order in which each is *prepended*:
# the last one stands first. The kubelet was there before kube-proxy, so its jump stands last.
_JUMPS: tuple[tuple[str, str, str, str, str], ...] = (
    ("filter", "KUBE-FIREWALL", "OUTPUT", "", ""),
    ("filter", "KUBE-FIREWALL", "INPUT", "", ""),
    ("filter", "KUBE-EXTERNAL-SERVICES", "INPUT", _NEW, "kubernetes externally-visible service portals"),
    ("filter", "KUBE-EXTERNAL-SERVICES", "FORWARD", _NEW, "kubernetes externally-visible service portals"),
    ("filter", "KUBE-NODEPORTS", "INPUT", "", "kubernetes health check service ports"),
    ("filter", "KUBE-SERVICES", "FORWARD", _NEW, "kubernetes service portals"),
    ("filter", "KUBE-SERVICES", "OUTPUT", _NEW, "kubernetes service portals"),
    ("filter", "KUBE-FORWARD", "FORWARD", "", "kubernetes forwarding rules"),
    ("filter", "KUBE-PROXY-FIREWALL", "INPUT", _NEW, "kubernetes load balancer firewall"),
    ("filter", "KUBE-PROXY-FIREWALL", "OUTPUT", _NEW, "kubernetes load balancer firewall"),
    ("filter", "KUBE-PROXY-FIREWALL", "FORWARD", _NEW, "kubernetes load balancer firewall"),
    ("nat", "KUBE-SERVICES", "OUTPUT", "", "kubernetes service portals"),
    ("nat", "KUBE-SERVICES", "PREROUTING", "", "kubernetes service portals"),
    ("nat", "KUBE-POSTROUTING", "POSTROUTING", "", "kubernetes postrouting rules"),
)

_BUILT_IN = {
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
}

# Empty chains: a hint which of the two iptables is in use, and canaries whose absence tells of a flush.
_EMPTY = {
    "mangle": ("KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY", "KUBE-PROXY-CANARY"),
    "filter": ("KUBE-KUBELET-CANARY", "KUBE-PROXY-CANARY"),
    "nat": ("KUBE-KUBELET-CANARY", "KUBE-PROXY-CANARY"),
}

# The chains of all Services, in the order in which kube-proxy declares them.
_SHARED = {
    "filter": ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD", "KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL"),
    "nat": ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"),
}

# route_localnet lets packets for 127.0.0.0/8 in from outside (CVE-2020-8558); kubelet writes this too.
_BLOCK_LOCALNET = (
    '-A KUBE-FIREWALL -m comment --comment "block incoming localnet connections" '
    "-d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP"
)


def _jump(chain: str, source: str, match: str, comment: str) -> str:
    said = f'-m comment --comment "{comment}" ' if comment else ""
    return f"-A {source} {match}{said}-j {chain}"


def _jumps(table: str, source: str) -> tuple[str, ...]:
    ours = [_jump(to, at, match, comment) for where, to, at, match, comment in _JUMPS if (where, at) == (table, source)]
    return tuple(reversed(ours))


def _postrouting(config: ProxyConfig) -> Iterator[str]:
    mark = _mark(config)
    yield f"-A KUBE-POSTROUTING -m mark ! --mark {mark}/{mark} -j RETURN"
    yield f"-A KUBE-POSTROUTING -j MARK --xor-mark {mark}"
    comment = '-m comment --comment "kubernetes service traffic requiring SNAT"'
    yield f"-A KUBE-POSTROUTING {comment} -j MASQUERADE{' --random-fully' if config.random_fully else ''}"


def _forward(config: ProxyConfig) -> Iterator[str]:
    if not config.conntrack_tcp_be_liberal:
        counter = " -m nfacct --nfacct-name ct_state_invalid_dropped_pkts" if config.nfacct else ""
        yield f"-A KUBE-FORWARD -m conntrack --ctstate INVALID{counter} -j DROP"
    comment = '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding'
    yield f'{comment} rules" -m mark --mark {_mark(config)}/{_mark(config)} -j ACCEPT'
    yield f'{comment} conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT'


def _mark(config: ProxyConfig) -> str:
    return f"{1 << config.masquerade_bit:#x}"


# One node's kube-proxy -----------------------------------------------------------------------------


@dataclass(frozen=True)
class NodeProxy:
    """One node's kube-proxy: everything that its rules depend on, and the rules as text."""

    portals: Portals
    node: Node
    config: ProxyConfig
    addresses: tuple[Address, ...]

    @cached_property
    def writer(self) -> Writer:
        return writer(self.portals, self.node, self.config)

    @cached_property
    def localhost(self) -> bool:
        """Whether NodePorts answer on 127.0.0.0/8 (which kube-proxy sets route_localnet for)."""
        blocks = self.config.node_port_addresses
        reached = not blocks or any(block.network_address.is_loopback or LOOPBACK[0] in block for block in blocks)
        return self.config.localhost_node_ports and reached

    @property
    def count_localhost(self) -> bool:
        return self.localhost and self.config.nfacct

    @property
    def every_address(self) -> bool:
        """Whether NodePorts are on every address of the node (`NodePortAddresses.MatchAll`)."""
        blocks = self.config.node_port_addresses
        return not blocks or any(block.prefixlen == 0 for block in blocks)

    @property
    def node_port_addresses(self) -> tuple[Address, ...]:
        """The node's addresses that nodePortAddresses selects: block by block, then as the node has them."""
        blocks = self.config.node_port_addresses
        chosen = (found for block in blocks for found in self.addresses if found in block)
        return tuple(dict.fromkeys(chosen))

    def last_services(self) -> Iterator[str]:
        """The end of KUBE-SERVICES: whatever is for this node itself may be for a NodePort."""
        last = (
            '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; '
            'NOTE: this must be the last rule in this chain"'
        )
        if self.every_address:
            spare = "" if self.localhost else f" ! -d {LOOPBACK}"
            yield f"{last} -m addrtype --dst-type LOCAL{spare} -j KUBE-NODEPORTS"
            return
        for found in self.node_port_addresses:
            if self.localhost or not found.is_loopback:
                yield f"{last} -d {found} -j KUBE-NODEPORTS"

    def captures(self) -> Iterator[Line]:
        for portal in self.portals:
            yield from portal.captures(self.node, self.count_localhost)

    @cached_property
    def captured(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """The rules of all Services, by table and chain."""
        lines: dict[tuple[str, str], list[str]] = {}
        for table, chain, text in self.captures():
            lines.setdefault((table, chain), []).append(text)
        return {place: tuple(texts) for place, texts in lines.items()}

    def shared(self, table: str, chain: str) -> tuple[str, ...]:
        """The rules of a chain that isn't one Service's own."""
        fixed: dict[tuple[str, str], Callable[[], Iterable[str]]] = {
            ("nat", "KUBE-POSTROUTING"): lambda: _postrouting(self.config),
            ("nat", "KUBE-MARK-MASQ"): lambda: (f"-A KUBE-MARK-MASQ -j MARK --or-mark {_mark(self.config)}",),
            ("filter", "KUBE-FORWARD"): lambda: _forward(self.config),
            ("filter", "KUBE-FIREWALL"): lambda: (_BLOCK_LOCALNET,),
        }
        if (table, chain) in fixed:
            return tuple(fixed[table, chain]())
        last = tuple(self.last_services()) if (table, chain) == ("nat", "KUBE-SERVICES") else ()
        return self.captured.get((table, chain), ()) + last


_rule: Callable[[str], Rule] = lru_cache(maxsize=1 << 16)(parse_rule)  # nodes differ little


class _Chains(Mapping[str, Chain]):
    """The chains of a table, made when they are looked up, in kube-proxy's order."""

    def __init__(self, proxy: NodeProxy, table: str) -> None:
        firewall = ("KUBE-FIREWALL",) if table == "filter" else ()
        self._proxy = proxy
        self._table = table
        self._names = dict.fromkeys((*_BUILT_IN[table], *_EMPTY[table], *_SHARED.get(table, ()), *firewall))
        self._made: dict[str, Chain] = {}

    def __getitem__(self, name: str) -> Chain:
        chain = self._made.get(name)
        if chain is None:
            chain = self._made[name] = self._make(name)
        return chain

    def _make(self, name: str) -> Chain:
        built_in = name in _BUILT_IN[self._table]
        policy = "ACCEPT" if built_in else None
        return Chain(name, policy, tuple(map(_rule, self._rules(name))))

    def _rules(self, name: str) -> tuple[str, ...]:
        if name in _BUILT_IN[self._table]:
            return _jumps(self._table, name)
        if name in self._names:
            return self._proxy.shared(self._table, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _NatChains(_Chains):
    """The nat table's chains: those of all Services, then each Service's own."""

    def __init__(self, proxy: NodeProxy) -> None:
        super().__init__(proxy, "nat")
        self._texts: dict[str, tuple[str, ...]] = {}
        self._endpoints: dict[str, ChainMeaning] = {}

    def _rules(self, name: str) -> tuple[str, ...]:
        if name in self._names:
            return super()._rules(name)
        if name not in self._texts and (meaning := self.meaning(name)):
            self._write(meaning.portal)
        return self._texts[name]

    def _write(self, portal: Portal) -> None:
        self._texts.update(self._proxy.writer.chains(portal))
        for backend in portal.endpoints.all:
            chain = portal.endpoint_chain(backend)
            self._endpoints[chain] = ChainMeaning("KUBE-SEP-", portal, backend)

    def __iter__(self) -> Iterator[str]:
        yield from self._names
        for portal in self._proxy.portals:
            yield from (name for name, _ in self._proxy.writer.chains(portal))

    def meaning(self, name: str) -> ChainMeaning | None:
        prefix, token = name[:-16], name[-16:]
        if prefix == "KUBE-SEP-":
            return self._endpoints.get(name) or self._search(name)
        portal = self._proxy.portals.by_token.get(token)
        return ChainMeaning(prefix, portal) if portal and prefix in _OWN else None

    def _search(self, name: str) -> ChainMeaning | None:
        """A chain that no packet has come to yet."""
        found = self._proxy.portals.endpoint(name)
        return found and ChainMeaning("KUBE-SEP-", *found)


_OWN = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-")


@dataclass(frozen=True, slots=True)
class ChainMeaning:
    """What a chain of a Service's own stands for; `backend` for that of an endpoint (KUBE-SEP)."""

    prefix: str
    portal: Portal
    backend: Backend | None = None

    @property
    def service(self) -> Service:
        return self.portal.service

    @property
    def port(self) -> ServicePort:
        return self.portal.port

    def __str__(self) -> str:
        return f"{self.portal.name} -> {self.backend}" if self.backend else self.portal.name


# What others ask -----------------------------------------------------------------------------------


def ruleset(
    services: Sequence[Service],
    slices: Sequence[EndpointSlice],
    node: Node,
    config: ProxyConfig,
    addresses: Iterable[Address] = (),
) -> Ruleset:
    """The tables of `node` as kubelet and kube-proxy leave them; chains are made when looked up.

    `addresses`: all addresses of the node besides 127.0.0.1 and its own, for nodePortAddresses to choose
    from. Where `services` and `slices` are tuples, what is the same on every node is worked out once.
    Without nfacct counters, which decide about nothing: those only `restore_input` writes.
    """
    proxy = node_proxy(services, slices, node, replace(config, nfacct=False), addresses)
    return Ruleset(
        {
            "mangle": Table("mangle", _Chains(proxy, "mangle")),
            "nat": Table("nat", _NatChains(proxy)),
            "filter": Table("filter", _Chains(proxy, "filter")),
        }
    )


def node_proxy(
    services: Sequence[Service],
    slices: Sequence[EndpointSlice],
    node: Node,
    config: ProxyConfig,
    addresses: Iterable[Address],
) -> NodeProxy:
    every = dict.fromkeys((address("127.0.0.1"), node.address, *addresses))
    return NodeProxy(_portals(services, slices), node, config, tuple(every))


_recent: list[tuple[Sequence[Service], Sequence[EndpointSlice], Portals]] = []


def _portals(services: Sequence[Service], slices: Sequence[EndpointSlice]) -> Portals:
    """`Portals`, remembered for the last few pairs of tuples: hashing 10,000 Services takes too long."""
    for known_services, known_slices, known in _recent:
        if known_services is services and known_slices is slices:
            return known
    made = Portals(services, slices)
    if isinstance(services, tuple) and isinstance(slices, tuple):
        _recent.insert(0, (services, slices, made))
        del _recent[4:]
    return made


def chain_meaning(rules: Ruleset, chain: str) -> ChainMeaning | None:
    """The Service port, and endpoint, that a chain of `ruleset`'s nat table stands for; None for other chains."""
    chains = rules.tables["nat"].chains
    return chains.meaning(chain) if isinstance(chains, _NatChains) else None


def restore_input(
    services: Sequence[Service],
    slices: Sequence[EndpointSlice],
    node: Node,
    config: ProxyConfig,
    addresses: Iterable[Address] = (),
) -> str:
    """The very text that kube-proxy feeds to `iptables-restore --noflush --counters` in a full sync.

    Rules stand in the order in which kube-proxy writes them, so those of a chain are not together.
    """
    proxy = node_proxy(services, slices, node, config, addresses)
    firewall = ("KUBE-FIREWALL",) if proxy.localhost else ()
    filter_rules = [rule for chain in firewall for rule in proxy.shared("filter", chain)]
    filter_rules += [text for table, _, text in proxy.captures() if table == "filter"]
    filter_rules += _forward(config)
    own, nat_rules = _nat_input(proxy)
    tables = (
        ("filter", (*_SHARED["filter"], *firewall), filter_rules),
        ("nat", (*_SHARED["nat"], *own), nat_rules),
    )
    return "".join(f"*{name}\n{_declared(chains)}{_lines(rules)}COMMIT\n" for name, chains, rules in tables)


def _nat_input(proxy: NodeProxy) -> tuple[list[str], list[str]]:
    chains: list[str] = []
    rules = [*proxy.shared("nat", "KUBE-POSTROUTING"), *proxy.shared("nat", "KUBE-MARK-MASQ")]
    for portal in proxy.portals:
        captures = portal.captures(proxy.node, proxy.count_localhost)
        rules += [text for table, _, text in captures if table == "nat"]
        own = dict(proxy.writer.chains(portal))
        first = tuple(proxy.writer.masquerade(portal, portal.fate(proxy.node)))
        rules += first
        rules += [text for texts in own.values() for text in texts if text not in first]
        chains += own
    return chains, [*rules, *proxy.last_services()]


def _declared(chains: Iterable[str]) -> str:
    return "".join(f":{chain} - [0:0]\n" for chain in chains)


def _lines(rules: Iterable[str]) -> str:
    return "".join(f"{rule}\n" for rule in rules)


# A piece of the comment of a rule that ends a packet -> the verdict code that says why.
_REFUSALS = (
    (" has no endpoints", "NO_ENDPOINTS"),
    (" has no local endpoints", "NO_LOCAL_ENDPOINTS"),
    (" traffic not accepted by KUBE-FW-", "NOT_IN_SOURCE_RANGES"),
    ("block incoming localnet connections", "LOCALNET_FROM_OUTSIDE"),
    ("-A KUBE-FORWARD -m conntrack --ctstate INVALID", "CONNTRACK_INVALID"),
)


def refusal(rule: str) -> str | None:
    """The verdict code for a rule of kube-proxy's that ended a packet; None for any other rule.

    >>> refusal('-A KUBE-SERVICES -d 10.0.0.9/32 -m comment --comment "a/b has no endpoints" -j REJECT')
    'NO_ENDPOINTS'
    """
    return next((code for piece, code in _REFUSALS if piece in rule), None)
