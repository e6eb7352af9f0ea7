"""Bugs to plant into the model: each is one that a careful person could make, and each must be found.

An oracle that finds nothing proves something only if it would have found a bug. A mutation replaces a function or a
value of `netpath`, in a process of its own, and the oracle that is about it must disagree within a quick run.

Not modelled: bugs in what is real.
"""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pkgutil import resolve_name
from typing import Any, NoReturn, cast

from lab.isolation import Isolated, LabError
from lab.oracles.catalogue import ORACLES, group, play
from lab.oracles.rounds import Finding

Plant = Callable[[], None]
_PATIENCE = 300.0  # seconds


@dataclass(frozen=True, slots=True)
class Mutation:
    """A planted bug: what is wrong, in words, and which oracle is to find it."""

    wrong: str
    oracle: str
    plant: Plant


MUTATIONS: dict[str, Mutation] = {}


def _mutation(oracle: str) -> Callable[[Plant], Plant]:
    """Enter a function that plants a bug; its name names it, and its docstring says what is wrong."""

    def enter(plant: Plant) -> Plant:
        MUTATIONS[plant.__name__.replace("_", "-")] = Mutation(plant.__doc__ or "", oracle, plant)
        return plant

    return enter


def plant(name: str) -> None:
    """Plant a bug into the model of this process, for good."""
    MUTATIONS[name].plant()


def _swap(where: str, make: Callable[[Any], Any]) -> None:
    """Put another in the place of what `module:name` or `module:class.name` names; `make` is given the real one."""
    module, _, path = where.partition(":")
    holder, _, name = path.rpartition(".")
    owner = resolve_name(f"{module}:{holder}" if holder else module)
    setattr(owner, name, make(getattr(owner, name)))


def _always(value: object) -> Callable[[Any], Any]:
    """In place of a function, one that always returns this."""
    return lambda real: lambda *_, **__: value


def hunt(isolated: Isolated, name: str) -> Finding | None:
    """What its oracle finds within a quick run of it, in an isolated process; None if the bug escapes it."""
    return isolated.call_within(_PATIENCE, _hunted, name)


def _hunted(name: str) -> Finding | None:
    """Plant the bug in a copy of this process, so that the next one finds a sound model here."""
    oracle = MUTATIONS[name].oracle
    if group(oracle) == "nat":
        play(oracle, ("before",), 0)  # sets up a network, which isn't to be set up in every copy
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _report(writer, name)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        found = stream.read()
    os.waitpid(child, 0)
    if not found:
        raise LabError(f"the process with {name} in it has ended without a word")
    report: tuple[bool, Any] = pickle.loads(found)
    done, result = report
    if not done:
        raise LabError(result)
    return cast("Finding | None", result)


def _report(writer: int, name: str) -> NoReturn:
    """In the copy: plant the bug, play, and say what is found."""
    try:
        plant(name)
        oracle = MUTATIONS[name].oracle
        seeds = tuple(f"1-{number}" for number in range(ORACLES[oracle].rounds))
        last = play(oracle, seeds, 0)[-1]
        said = pickle.dumps((True, last.finding))
    except BaseException:
        said = pickle.dumps((False, traceback.format_exc()))
    with os.fdopen(writer, "wb") as stream:
        stream.write(said)
    os._exit(0)


# Netfilter ------------------------------------------------------------------------------------------


@_mutation("nat.rules")
def replies_stay_untranslated() -> None:
    """Packets of the reply direction go on as they came."""

    def make(real: Any) -> Any:
        return lambda packet, entry, way, *manip: packet if way == "REPLY" else real(packet, entry, way, *manip)

    _swap("netpath.netfilter.road:translate", make)


@_mutation("nat.rules")
def errors_quote_untranslated() -> None:
    """An ICMP error and what it quotes aren't translated."""

    def make(real: Any) -> Any:
        return lambda packet, *more: packet if packet.quotes is not None else real(packet, *more)

    _swap("netpath.netfilter.road:translate", make)


@_mutation("nat.rules")
def ports_never_collide() -> None:
    """Two flows may be translated to the same ends."""
    _swap("netpath.conntrack:Conntrack.taken", _always(False))


@_mutation("nat.rules")
def masquerade_takes_the_first_address() -> None:
    """MASQUERADE takes the host's first address, not that of the interface that the packet leaves by."""
    _swap("netpath.routing:Host.address_towards", lambda real: lambda self, *_: next(iter(self.addresses)))


@_mutation("nat.rules")
def refusals_are_silent() -> None:
    """REJECT tells nobody."""
    _swap("netpath.netfilter.road:Road._tell", _always(None))


@_mutation("nat.rules")
def the_shortest_prefix_wins() -> None:
    """Of several routes, the one with the shortest prefix is taken."""

    def shortest(self: Any, table: str, destination: int) -> Any:
        fitting = ((32 - length, routes) for length, routes in reversed(self._tables.get(table, [])))
        return next((routes[destination >> by] for by, routes in fitting if destination >> by in routes), None)

    _swap("netpath.routing:Host._longest", lambda real: shortest)


@_mutation("nat.rules")
def sources_are_not_checked() -> None:
    """A packet may come from anywhere, whatever rp_filter says."""
    _swap("netpath.routing:Host.spoofed", _always(""))


@_mutation("nat.marked")
def marks_do_not_route() -> None:
    """`ip rule` doesn't look at marks."""
    _swap("netpath.routing:PolicyRule.mismatch", _always("not asked"))


@_mutation("nat.expiry")
def flows_live_too_long() -> None:
    """Every timeout is two seconds longer."""

    def make(real: Any) -> Any:
        def longer(self: Any, timeouts: Any = None, **more: Any) -> None:
            real(self, {name: value + 2 for name, value in (timeouts or {}).items()}, **more)

        return longer

    _swap("netpath.conntrack:Conntrack.__init__", make)


@_mutation("nat.spelling")
def goto_reads_as_jump() -> None:
    """`-g` is read as `-j`."""
    _swap("netpath.iptables:parse", lambda real: lambda text: real(text.replace(" -g ", " -j ")))


@_mutation("nat.spelling")
def marks_print_in_decimal() -> None:
    """Marks are printed in decimal."""
    _swap("netpath.iptables:render", lambda real: lambda rules: real(rules).replace("mark 0x4000/", "mark 16384/"))


# kube-proxy -----------------------------------------------------------------------------------------


@_mutation("nat.spread")
def every_rule_has_the_same_probability() -> None:
    """Every rule draws with one half, whoever is left."""
    _swap("netpath.kubeproxy.rules:probability", _always("0.5000000000"))


@_mutation("nat.services")
def hairpins_are_not_masqueraded() -> None:
    """A pod that reaches itself by way of its Service sees its own address."""
    _without_lines("endpoint", "KUBE-MARK-MASQ")


@_mutation("nat.services")
def strangers_are_not_masqueraded() -> None:
    """Who comes from outside the cluster keeps its address on the way to a ClusterIP."""
    _without_lines("masquerade", "KUBE-MARK-MASQ")


@_mutation("nat.services")
def affinity_is_forgotten() -> None:
    """sessionAffinity writes no rule that looks who was here before."""
    _without_lines("balancing", "--rcheck")


def _without_lines(method: str, piece: str) -> None:
    """Let a method of kube-proxy's writer leave out the rules with a piece of text."""

    def make(real: Any) -> Any:
        return lambda self, *more: (line for line in real(self, *more) if piece not in line)

    _swap(f"netpath.kubeproxy.rules:Writer.{method}", make)


@_mutation("nat.services")
def unready_endpoints_get_traffic() -> None:
    """Endpoints are used whether they are ready or not."""
    _swap("netpath.kubeproxy.endpoints:_ready_or_serving", lambda real: tuple)


@_mutation("nat.services")
def terminating_endpoints_never_serve() -> None:
    """When no endpoint is ready, those that still serve aren't used."""

    def ready(backends: Any) -> Any:
        return tuple(each for each in backends if each.origin.ready)

    _swap("netpath.kubeproxy.endpoints:_ready_or_serving", lambda real: ready)


@_mutation("nat.services")
def hints_are_ignored() -> None:
    """Zone hints narrow nothing."""
    _swap("netpath.kubeproxy.endpoints:topology_mode", _always(""))


@_mutation("nat.services")
def policy_local_is_ignored() -> None:
    """externalTrafficPolicy: Local is as Cluster."""
    _swap("netpath.kubeproxy.rules:external_policy_local", _always(False))
    _swap("netpath.kubeproxy.endpoints:external_policy_local", _always(False))


@_mutation("nat.services")
def source_ranges_are_ignored() -> None:
    """loadBalancerSourceRanges keep nobody out."""
    _swap("netpath.kubeproxy.rules:source_ranges", _always(()))


@_mutation("nat.services")
def no_endpoints_are_dropped() -> None:
    """A Service without endpoints is silent instead of refusing."""
    _swap("netpath.kubeproxy.rules:Fate.refusal", _always(("DROP", '"a/b has no endpoints"')))


# nginx ----------------------------------------------------------------------------------------------


@_mutation("ingress.locations")
def paths_are_not_decoded() -> None:
    """`%41` isn't `A`."""
    _swap("netpath.ingress.locating:_decode", lambda real: lambda path: path)


@_mutation("ingress.locations")
def slashes_are_not_merged() -> None:
    """`//` isn't `/`, and dots lead nowhere."""
    from netpath.ingress import locating

    _swap("netpath.ingress.locating:_clean", lambda real: locating._decode)


@_mutation("ingress.locations")
def the_shortest_location_wins() -> None:
    """Of several prefixes, the shortest is taken."""
    shortest = property(lambda self: sorted({len(name) for name in self._prefixes}))
    _swap("netpath.ingress.locating:Server._lengths", lambda real: shortest)


@_mutation("ingress.locations")
def regexes_come_last() -> None:
    """A regular expression is asked only where no prefix fits."""
    from netpath.ingress.locating import Found

    def make(real: Any) -> Any:
        return lambda self, uri: Found(self._longest_prefix(uri)) if self._longest_prefix(uri) else real(self, uri)

    _swap("netpath.ingress.locating:Server.find", make)


@_mutation("ingress.locations")
def hosts_are_taken_by_the_letter() -> None:
    """The Host header keeps its port, its dots and its capitals."""
    _swap("lab.oracles.ingress:normal_host", lambda real: lambda host: host)


@_mutation("ingress.ingresses")
def the_newest_ingress_wins() -> None:
    """Of two Ingresses for one host and path, the younger is obeyed."""
    _swap("netpath.ingress.table:by_age", lambda real: lambda ingresses: real(ingresses)[::-1])


@_mutation("ingress.ingresses")
def wildcards_stand_for_any_labels() -> None:
    """`*.foo` is `a.b.foo` as well."""
    _swap("netpath.ingress.table:server_name", lambda real: lambda host: host)


@_mutation("ingress.ingresses")
def slashes_at_the_end_make_no_difference() -> None:
    """Who asks for `/foo` where only `/foo/` is isn't told to come back with a slash."""
    _swap("netpath.ingress.locating:Server._slashed", _always(None))


# DNS ------------------------------------------------------------------------------------------------


@_mutation("dns")
def records_last_one_second_less() -> None:
    """At the second of its expiry a record is gone (unbound still answers)."""
    make = lambda real: lambda self, key, rdtype, now, *side: real(self, key, rdtype, now + 1, *side)  # noqa: E731
    _swap("netpath.resolution.cache:Cache.find", make)


@_mutation("dns")
def ttls_are_not_capped() -> None:
    """A TTL of two days is kept for two days."""
    _configured(max_ttl=10**9)


@_mutation("dns")
def denials_are_kept_too_long() -> None:
    """Negative answers are kept for as long as any other."""
    _configured(max_negative_ttl=10**9)


@_mutation("dns")
def aliases_are_not_followed() -> None:
    """A CNAME that leads elsewhere is too much for the resolver."""
    _configured(max_restarts=0)


def _configured(**settings: int) -> None:
    """Let resolvers be otherwise by default."""
    _swap("netpath.resolution.resolver:ResolverConfig", lambda real: partial(real, **settings))


@_mutation("dns")
def denials_are_not_remembered() -> None:
    """What doesn't exist is asked for each time."""

    def make(real: Any) -> Any:
        return lambda self, key, rdtype, reply, *more: real(self, key, rdtype, reply, *more) if reply.answer else None

    _swap("netpath.resolution.cache:Cache.keep_message", make)


@_mutation("dns")
def wildcards_cover_nothing() -> None:
    """`*.a.com` is a name like any other."""
    _swap("netpath.resolution.authoritative:_Search._wildcard", _always(None))


@_mutation("dns")
def truncated_answers_are_asked_for_again() -> None:
    """Who gets an answer that is cut asks again, but not over TCP."""
    make = lambda real: lambda self, state, edns: (self.send(edns, tcp=False)[0], state)  # noqa: E731
    _swap("netpath.resolution.asking:_Asking.over_tcp", make)


@_mutation("dns")
def answers_are_never_cut() -> None:
    """What a client gets over UDP is whole, however long it is."""
    _swap("netpath.resolution.message:_cut", lambda real: lambda response, sections, *_: sections)


# Balancing ------------------------------------------------------------------------------------------


@_mutation("balancing")
def weights_come_in_bursts() -> None:
    """Whoever is picked pays nothing for it: the heaviest is picked again and again."""

    def make(real: Any) -> Any:
        def pick(self: Any, pool: Any, *more: Any, **named: Any) -> Any:
            picked = real(self, pool, *more, **named)
            if picked is not None and len(pool) > 1:
                self._peer(picked).current += sum(self._peer(each).weight for each in pool)
            return picked

        return pick

    _swap("netpath.algorithms:SmoothWeightedRoundRobin.pick", make)


@_mutation("balancing")
def failures_cost_nothing() -> None:
    """Who failed gains as much as before, and isn't left alone."""
    _swap("netpath.algorithms:SmoothWeightedRoundRobin.finished", _always(None))


@_mutation("balancing")
def the_ring_has_few_points() -> None:
    """A server has 40 points for each unit of weight on the ring of a consistent hash."""

    def make(real: Any) -> Any:
        return lambda self, pool: tuple(each[::4] for each in real(self, pool))

    _swap("netpath.algorithms:ConsistentHash._points", make)


# The road -------------------------------------------------------------------------------------------


@_mutation("road")
def groups_forget_connections() -> None:
    """Security groups don't know the answers to what they have let by."""
    _swap("netpath.vpc.memory:VpcMemory.follow", _always(None))


@_mutation("road")
def groups_let_in_whoever_comes() -> None:
    """A rule of a security group looks at neither addresses nor ports."""
    _swap("netpath.vpc.filters:GroupRule.why_not", _always(""))


@_mutation("road")
def only_the_first_group_counts() -> None:
    """Of an interface's security groups, the first decides."""
    _swap("netpath.vpc.region:Region.group_filter", lambda real: lambda self, ids, egress: real(self, ids[:1], egress))


@_mutation("road")
def a_named_group_is_its_first_addresses() -> None:
    """A rule that names a group means each member's primary address, not those of its pods."""

    def make(real: Any) -> Any:
        def members(self: Any, group_id: str, home: Any) -> Any:
            first = {int(each.primary) for each in self.network_interfaces if group_id in each.group_ids}
            return real(self, group_id, home)._replace(addresses=frozenset(first))

        return members

    _swap("netpath.vpc.region:Region._group_members", make)


@_mutation("road")
def acl_entries_are_asked_from_the_end() -> None:
    """Of a network ACL's entries, the one with the highest number decides."""
    _swap("netpath.vpc.filters:_rule_number", lambda real: lambda entry: -entry.rule_number)


@_mutation("road")
def acl_entries_are_asked_as_they_are_listed() -> None:
    """A network ACL's entries are asked in the order in which they were written down."""
    _swap("netpath.vpc.filters:_rule_number", _always(0))


@_mutation("road")
def acls_remember_connections() -> None:
    """A network ACL lets by the answers to what it has let by."""
    from netpath.packet import TcpFlags

    def make(real: Any) -> Any:
        return lambda self, packet, *more: packet if packet.flags is TcpFlags.SYN_ACK else real(self, packet, *more)

    _swap("netpath.vpc.passage:_Passage._acl", make)


@_mutation("road")
def the_widest_route_wins() -> None:
    """Of several routes of a route table, the one with the shortest prefix is taken."""

    def make(real: Any) -> Any:
        def precedence(self: Any, line: Any) -> Any:
            shadowed, length, *rest = real(self, line)
            return (shadowed, -length, *rest)

        return precedence

    _swap("netpath.vpc.filters:RouteIndex._precedence", make)


@_mutation("road")
def black_holes_are_passed_over() -> None:
    """A route that leads nowhere doesn't count: the next best one is taken."""

    def make(real: Any) -> Any:
        def fill(self: Any, table: Any, *more: Any) -> None:
            real(self, replace(table, routes=tuple(each for each in table.routes if each.state == "active")), *more)

        return fill

    _swap("netpath.vpc.filters:RouteIndex.__init__", make)


@_mutation("road")
def listener_rules_are_asked_from_the_end() -> None:
    """The listener rule with the highest priority number decides."""

    def make(real: Any) -> Any:
        def rule_for(self: Any, request: Any, client: Any) -> Any:
            met = [each for each in self.rules[:-1] if all(one.met(request, client) for one in each.conditions)]
            return met[-1] if met else self.rules[-1]

        return rule_for

    _swap("netpath.balancing.listener:Listener.rule_for", make)


@_mutation("road")
def the_ill_are_never_asked() -> None:
    """Where no target is healthy, none is asked."""
    _swap("netpath.balancing.picking:_too_few", _always(False))


@_mutation("road")
def zones_are_always_crossed() -> None:
    """A load balancer's node uses targets of other zones, whatever its target group says."""

    def make(real: Any) -> Any:
        def hindrance(target: Any, group: Any, *more: Any) -> Any:
            return real(target, replace(group, attributes=replace(group.attributes, cross_zone="true")), *more)

        return hindrance

    _swap("netpath.balancing.picking:_hindrance", make)


@_mutation("road")
def the_controller_asks_the_service() -> None:
    """The ingress controller sends requests to the Service's ClusterIP."""
    from netpath.packet import Endpoint

    _swap(
        "netpath.ingress.backend:Directory.ready",
        lambda real: lambda _, it, port: (Endpoint(it.cluster_ip, port.port),),
    )
