"""One question's way through the servers: RFC 1034 §5.3.3, in unbound's states.

::

    look in the cache ──answer──────────────────────────────► finish
      │ alias: again, with the name that it points to
      ▼
    find the closest servers known (or ask the root hints for the root's)
      ▼
    ask one of them ◄───────────────┐ silence, lame, refused, of no use: the next one;
      │ response                    │ no address left: look up a server's name; then the last resort,
      ▼                             │ the parent's view of the delegation
    judge it ───────────────────────┘
      answer ► finish;  referral ► ask those;  alias ► look in the cache

Looking up a name server's own name is the same once more, one level deeper. Every loop has a limit
(`ResolverConfig`), so each question ends, in SERVFAIL if need be. Follows unbound's
iterator/iterator.c state by state; where its order of attempts is random, `choose` decides.

Not modelled: query name minimisation, prefetching, several questions at work at once (with `ipv6`,
unbound looks a server's two kinds of address up side by side and lets them share their work).
"""

from __future__ import annotations

from collections.abc import Callable

import dns.name
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from netpath.resolution.asking import Setting, ask_server, remember_lame
from netpath.resolution.cache import Ranked, Reply, Side, Trust
from netpath.resolution.delegation import (
    MAX_GLUE_LOOKUPS,
    Choice,
    Delegation,
    NameServer,
    Target,
    from_cache,
    from_reply,
    known_delegation,
    servers_in,
)
from netpath.resolution.records import ADDRESS_TYPES, Key, Records, ancestors, is_below, is_strictly_below, key_of
from netpath.resolution.scrub import Meaning, classify, classify_cached


class Stop(Exception):  # noqa: N818 - not an error of anybody's: the end of a search
    """The question can't be answered; `remember`: for as long as failures are remembered."""

    def __init__(self, why: str, remember: bool = False) -> None:
        super().__init__(why)
        self.remember = remember


State = Callable[[], "State | None"]
Asked = tuple[Key, RdataType, bool]  # a question at work, and whether it primes the root


class Iteration:
    """The resolution of one question. `run()` gives the reply, or None for SERVFAIL."""

    def __init__(
        self,
        setting: Setting,
        name: Name,
        rdtype: RdataType,
        above: tuple[Asked, ...] = (),
        depth: int = 0,
        priming: bool = False,
    ) -> None:
        self.setting = setting
        self.config, self.cache, self.now = setting.config, setting.cache, setting.now
        self.question = name, rdtype
        self.name, self.rdtype = name, rdtype
        self.above, self.depth, self.priming = above, depth, priming
        self.cd = depth > 0 or setting.checking_disabled  # side questions are asked with CD
        self.delegation: Delegation | None = None
        self.delegation_ttl: int | None = None  # of its NS records
        self.followed: list[Ranked] = []  # CNAMEs and DNAMEs that lead to the present name
        self.reply: Reply | None = None
        self.restarts = self.referrals = self.sent = self.zone_lookups = 0
        self.avoid_cache = False
        self.seek_parent = False  # ask above the present zone for its delegation
        self.parent_wanted: Delegation | None = None
        self.wants_glue = False  # this question is for the parent's glue itself
        self.glue: Ranked | None = None
        self.above_ds: Key | None = None

    def run(self) -> Reply | None:
        return self._run(self.start)

    def answer(self) -> Reply | None:
        """The same for a client: a remembered answer is given as it is, not even its aliases are followed anew."""
        found = self.cache.message(self.name, self.rdtype, self.now, self.cd)
        if found is None:
            return self.run()
        self.setting.log.cached(self.name, self.rdtype, found)
        return found

    def prime(self) -> Reply | None:
        """Ask the root hints who serves the root."""
        self.delegation = self.setting.hints.copy()
        return self._run(self.ask)

    def without_recursion(self) -> Reply | None:
        """What a client gets that doesn't want recursion: the cached answer, else the closest delegation known."""
        found = self.cache.message(self.name, self.rdtype, self.now, self.cd)
        if found is None:
            found = known_delegation(key_of(self.name), self.cache, self.now, self.config)
        if found is not None:
            self.setting.log.cached(self.name, self.rdtype, found)
            return found
        return self._side(dns.name.root, RdataType.NS, priming=True).prime()

    def _side(self, name: Name, rdtype: RdataType, priming: bool = False) -> Iteration:
        """A question that must be answered for this one to go on. Raises `Stop` if it waits for this one itself."""
        if (key_of(name), rdtype, priming) in self._chain:
            raise Stop(f"{name} {rdtype.name} is what is being looked for already", remember=rdtype == RdataType.NS)
        return Iteration(self.setting, name, rdtype, self._chain, self.depth + 1, priming)

    def _run(self, state: State) -> Reply | None:
        following: State | None = state
        try:
            while following is not None:
                following = following()
        except Stop as stop:
            self.setting.log.failed(self.question[0], self.question[1], str(stop))
            if stop.remember:
                self.cache.keep_failure(key_of(self.question[0]), self.question[1], self.now, self.config, self.cd)
            return None
        return self._finished()

    # From the cache ------------------------------------------------------------------------------

    def start(self) -> State | None:
        if self.restarts > self.config.max_restarts:
            raise Stop(f"more than {self.config.max_restarts} aliases or restarts")
        if self.depth > self.config.max_depth:
            raise Stop(f"name servers' names looked up more than {self.config.max_depth} deep")
        if self.delegation is not None and self.delegation.key in self.setting.stubs:
            self.seek_parent = False
        found = None
        if not self.avoid_cache:
            found = self.cache.reply(self.name, self.rdtype, self.now, self.config, self.cd)
        if found is None:
            return self.find_servers
        self.setting.log.cached(self.name, self.rdtype, found)
        if classify_cached(found, self.name, self.rdtype) is Meaning.CNAME:
            self._follow(found)
            self.seek_parent = False
            return self.start
        self.reply = found
        return None

    def _follow(self, reply: Reply) -> None:
        """Go on with the name that the reply's alias points to; none is followed twice, so a loop stays where it is."""
        for each in reply.answer:
            records = each.records
            if not any(_same(records, old.records) for old in self.followed):
                self.followed.append(each)
                if records.type == RdataType.CNAME:
                    self.name = records.target
        self.delegation = self.above_ds = None
        self._restarted()

    def _restarted(self) -> None:
        self.restarts += 1
        self.sent = self.zone_lookups = 0

    # The closest servers -------------------------------------------------------------------------

    def find_servers(self) -> State | None:
        at: Key | None = key_of(self.name)
        if self.seek_parent and self.delegation is not None:
            at = self.delegation.key
        if self.seek_parent or self.rdtype == RdataType.DS:
            at = at[1:] if at is not None and len(at) > 1 else None if self.seek_parent else at
        self.seek_parent = False
        while True:
            found = from_cache(at, self.cache, self.now, self.config) if at else None
            if found is None:
                self.delegation = self._stub(at, None) or self._primed()
                return self._with_stub
            self.delegation_ttl = found.ttl
            if not found.is_useless(*self.question):
                break
            if found.key in self.setting.stubs:
                found = self.setting.stubs[found.key].copy()
                break
            if len(found.key) == 1:
                found = self.setting.hints.copy()
                break
            at = found.key[1:]
        self.delegation = found
        return self._with_stub

    def _with_stub(self) -> State | None:
        """A zone that the operator has told the servers of is asked there, whatever the world says."""
        if self.delegation is not None:
            self.delegation = self._stub(self._search_key, self.delegation) or self.delegation
        return self.ask

    @property
    def _search_key(self) -> Key:
        key = key_of(self.name)
        return key[1:] if self.rdtype == RdataType.DS and len(key) > 1 else key

    def _stub(self, at: Key | None, found: Delegation | None) -> Delegation | None:
        stub = (
            next((self.setting.stubs[key] for key in ancestors(at) if key in self.setting.stubs), None) if at else None
        )
        if stub is None or (found is not None and len(stub.key) < len(found.key)):
            return None
        return stub.copy()

    def _primed(self) -> Delegation | None:
        reply = self._side(dns.name.root, RdataType.NS, priming=True).prime()
        if reply is None or classify(_plain(reply), dns.name.root, RdataType.NS, (b"",)) is not Meaning.ANSWER:
            return None
        made = from_reply(reply, self.config)
        self.delegation_ttl = made.ttl if made is not None else None
        return made

    @property
    def _chain(self) -> tuple[Asked, ...]:
        """The side questions at work: this one and those that wait for it. The client's own isn't one of them."""
        mine = ((key_of(self.question[0]), self.question[1], self.priming),) if self.depth else ()
        return (*self.above, *mine)

    def _causes_cycle(self, key: Key, kind: RdataType) -> bool:
        """Whether a name server's address waits for this question (mesh_detect_cycle, with its blind spots)."""
        if self.depth == 0:
            return self.setting.checking_disabled and (key, kind) == (key_of(self.question[0]), self.question[1])
        return not self.priming and (key, kind, False) in self._chain

    # Asking --------------------------------------------------------------------------------------

    def ask(self) -> State | None:
        if self.referrals > self.config.max_referrals:
            raise Stop(f"more than {self.config.max_referrals} referrals")
        if self.sent > self.config.max_sent:
            raise Stop(f"more than {self.config.max_sent} queries to one zone")
        self._limit_missing()
        if self.delegation is None:
            raise Stop("no delegation to start from: the root servers don't answer")
        choice = self.delegation.pick(self.rdtype, self.cache, self.now, self.config, self.setting.choose)
        if choice is not None:
            return self._exchange(self.delegation, choice)
        if self.delegation.missing and (self._look_up_server(self.delegation) or not self.delegation.missing):
            return self.ask
        return self._last_resort(self.delegation)

    def _limit_missing(self) -> None:
        """Too many name servers' names that don't exist: fall back to the parent's side, then give up (NXNS)."""
        effort = self.setting.effort
        if self.delegation is None:
            return
        if effort.gave_up_at is None:
            if effort.missing <= self.config.max_missing:
                return
            if self.delegation.parent_known:
                raise Stop("too many names of name servers don't exist")
            effort.gave_up_at = self.delegation.key
            self.delegation.settle_all()
        elif effort.missing > 2 * self.config.max_missing:
            raise Stop("too many names of name servers don't exist")
        elif not self.delegation.parent_known and effort.gave_up_at == self.delegation.key:
            self.delegation.settle_all()

    def _look_up_server(self, delegation: Delegation) -> bool:
        """Look up one missing name server's addresses; whether anything was asked."""
        for server in delegation.missing:
            if any(self._causes_cycle(key_of(server.name), kind) for kind in ADDRESS_TYPES):
                self.setting.log.cycle(server.name)
                server.asked = True
        missing = delegation.missing
        if not missing:
            return False
        self._check_lookups()
        index = (
            self.setting.choose(f"which name server of {delegation.name} to look up?", [1] * len(missing))
            if len(missing) > 1
            else 0
        )
        server = missing[index]
        known = server.parent_asked if server.parent_side else server.settled
        sides = [self._side(server.name, kind) for kind in delegation.kinds if kind not in known]
        server.asked = True
        self._count(len(sides))
        for side in sides:
            self._take_addresses(delegation, server, side, side.run())
        return bool(sides)

    def _check_lookups(self) -> None:
        if self.depth == self.config.max_depth:
            raise Stop(f"name servers' names looked up more than {self.config.max_depth} deep")
        if self.depth > 0 and self.setting.effort.lookups > self.config.max_lookups:
            raise Stop(f"more than {self.config.max_lookups} name servers' names looked up")
        if self.zone_lookups > self.config.max_zone_lookups:
            raise Stop(f"more than {self.config.max_zone_lookups} name servers' names looked up for one zone")

    def _count(self, lookups: int) -> None:
        self.setting.effort.lookups += lookups
        self.zone_lookups += 1

    def _take_addresses(self, delegation: Delegation, server: NameServer, side: Iteration, reply: Reply | None) -> None:
        kind = side.rdtype
        if reply is None:
            delegation.fill(self.cache, self.now, self.config)
            server.fail(kind)
            self.setting.effort.missing += server.failed.issuperset(delegation.kinds)
            return
        if side.glue is not None:
            delegation.add_addresses(side.glue.records, parent_side=True)
        found = _answering(reply, side.name, kind)
        if found is not None:
            delegation.add_server(found.name, server.parent_side)
            new = delegation.add_addresses(found, server.parent_side)
            self.setting.effort.missing += not new
            return
        server.fail(kind)
        if not reply.from_cache and server.failed.issuperset(delegation.kinds):
            self.setting.effort.missing += 1

    # When no address is left ---------------------------------------------------------------------

    def _last_resort(self, delegation: Delegation) -> State | None:
        if delegation.key in self.setting.stubs:
            raise Stop(f"no configured server of {delegation.name} gave an answer", remember=True)
        if not delegation.parent_known:
            if len(delegation.key) == 1:
                delegation.add_hints(self.setting.hints)
                delegation.parent_known = True
            elif not self._parent_servers(delegation):
                self.parent_wanted = delegation
                self.delegation_ttl = None
                self.seek_parent = True
                self._restarted()
                return self.start
        before = len(delegation.targets)
        delegation.fill(self.cache, self.now, self.config)
        self._cached_glue(delegation)
        if len(delegation.targets) > before:
            return self.ask
        if delegation.missing and self._look_up_server(delegation):
            return self.ask
        if self.depth == self.config.max_depth or (
            self.depth > 0 and self.setting.effort.lookups > self.config.max_lookups
        ):
            raise Stop("no more names of name servers may be looked up", remember=True)
        if self._look_up_glue(delegation):
            return self.ask
        self._keep_missing_glue()
        raise Stop(f"no server of {delegation.name} gave an answer", remember=True)

    def _parent_servers(self, delegation: Delegation) -> bool:
        found = self.cache.find(delegation.key, RdataType.NS, self.now, Side.PARENT)
        if found is None:
            return False
        delegation.parent_known = True
        delegation.add_servers(found.records, parent_side=True)
        return True

    def _cached_glue(self, delegation: Delegation) -> None:
        for server in delegation.in_order:
            if server.looked_up > MAX_GLUE_LOOKUPS:
                continue
            server.looked_up += 1
            for kind in delegation.kinds:
                found = self.cache.find(key_of(server.name), kind, self.now, Side.PARENT)
                if found is not None:
                    server.parent_asked.add(kind)
                    delegation.add_addresses(found.records, parent_side=True)

    def _look_up_glue(self, delegation: Delegation) -> bool:
        """Ask the parent for one server's glue, as a referral would give it; whether there was one to ask about."""
        for server in delegation.in_order:
            key = key_of(server.name)
            server.parent_asked |= {kind for kind in ADDRESS_TYPES if self._causes_cycle(key, kind)}
            if key in self.setting.stubs:
                continue
            sides = [self._side(server.name, kind) for kind in delegation.kinds if kind not in server.parent_asked]
            if not sides:
                continue
            server.parent_asked.update(delegation.kinds)
            self._count(len(sides))
            for side in sides:
                side.seek_glue(delegation)
                self._take_addresses(delegation, server, side, side.run())
            return True
        return False

    def seek_glue(self, delegation: Delegation) -> None:
        """Make this the question for a name server's glue at the parent, rather than for its address."""
        self.avoid_cache = self.wants_glue = True
        inside = is_below(key_of(self.name), delegation.key)
        known = delegation if inside else from_cache(key_of(self.name), self.cache, self.now, self.config)
        self.delegation = known
        self.seek_parent = known is not None

    # One exchange --------------------------------------------------------------------------------

    def _exchange(self, delegation: Delegation, choice: Choice) -> State | None:
        self.sent += 1
        scrubbed = ask_server(self.setting, self.name, self.rdtype, delegation, choice)
        reply = scrubbed.reply if scrubbed is not None else None
        if scrubbed is None or reply is None:
            return self.ask
        for each in scrubbed.hidden:
            self.cache.keep(each, self.now)
        meaning = self._judge(reply, delegation, choice.recursive)
        self.setting.log.understood(self.name, self.rdtype, meaning, reply, scrubbed)
        return self._react(meaning, reply, delegation, choice.target)

    def _judge(self, reply: Reply, delegation: Delegation, recursive: bool) -> Meaning:
        meaning = classify(reply, self.name, self.rdtype, delegation.key, recursive)
        if meaning is Meaning.REFERRAL:
            servers = servers_in(reply)
            closer = servers is not None and is_strictly_below(servers.key, delegation.key)
            if servers is None or not closer or not is_below(key_of(self.name), servers.key):
                return Meaning.THROWAWAY
        if meaning is Meaning.THROWAWAY and reply.rcode == Rcode.YXDOMAIN:
            return Meaning.ANSWER
        first = reply.answer[0].records if reply.answer else None
        if meaning is Meaning.CNAME and first is not None and first.type == RdataType.DNAME:
            return Meaning.ANSWER if is_below(key_of(first.target), first.key) else meaning
        return meaning

    def _react(self, meaning: Meaning, reply: Reply, delegation: Delegation, target: Target) -> State | None:
        if meaning in (Meaning.ANSWER, Meaning.CNAME) and self._is_below_the_cut(reply, delegation):
            return self._find_ds_servers
        if meaning is Meaning.ANSWER:
            self.cache.keep_message(key_of(self.name), self.rdtype, reply, self.now, self.config, self.cd)
            self.reply = reply
            return None
        if meaning is Meaning.REFERRAL:
            return self._refer(reply)
        if meaning is Meaning.CNAME:
            self._follow(reply)
            self.delegation_ttl = None
            self.cache.keep_all(Reply(reply.rcode, [*reply.answer], [*reply.authority], [*reply.additional]), self.now)
            return self.start
        if meaning in (Meaning.LAME, Meaning.RECURSIVE):
            remember_lame(self.setting, self.rdtype, meaning, delegation, target)
        return self.ask

    def _refer(self, reply: Reply) -> State | None:
        self.cache.keep_all(Reply(reply.rcode, [*reply.answer], [*reply.authority], [*reply.additional]), self.now)
        servers = servers_in(reply)
        if self.parent_wanted is not None and servers is not None:
            ranked = next(each for each in reply.every if each.records is servers)
            self.cache.keep(ranked, self.now, Side.PARENT)
        if self.wants_glue and self.glue is None:
            self.glue = next(
                (each for each in reply.every if each.records.type == self.rdtype and each.records.name == self.name),
                None,
            )
            if self.glue is not None:
                self.cache.keep(self.glue, self.now, Side.PARENT)
        made = from_reply(reply, self.config)
        assert made is not None  # a referral has NS records
        made.fill(self.cache, self.now, self.config)
        if self.parent_wanted is not None and made.key == self.parent_wanted.key:
            for address, target in made.targets.items():
                old = self.parent_wanted.targets.get(address)
                target.attempts = old.attempts if old else target.attempts
        self.delegation, self.delegation_ttl = made, made.ttl
        self.referrals += 1
        self.sent = self.zone_lookups = 0
        return self.ask

    # DS: the parent's to answer ------------------------------------------------------------------

    def _is_below_the_cut(self, reply: Reply, delegation: Delegation) -> bool:
        """Whether a DS question was answered by the child, because no one knows the zone between (iter_ds_toolow)."""
        if self.rdtype != RdataType.DS or self.above_ds is not None:
            return False
        key = key_of(self.name)
        soas = (each.records.key for each in reply.authority if each.records.type == RdataType.SOA)
        if reply.answer:
            if reply.answer[0].records.type == RdataType.DS:
                return False
        elif any(soa == delegation.key and not is_below(soa, key) for soa in soas):
            return False
        return len(key) - 1 > len(delegation.key)

    def _find_ds_servers(self) -> State | None:
        at = self.above_ds if self.above_ds is not None else key_of(self.name)
        assert self.delegation is not None
        at = at[1:]
        self.above_ds = at
        if at == self.delegation.key:
            return self.ask
        reply = self._side(Name(at), RdataType.NS).run()
        if reply is not None and any(
            each.records.type == RdataType.NS and each.records.key == at for each in reply.every
        ):
            self.delegation = from_reply(reply, self.config)
            return self.ask
        return self._find_ds_servers

    # The end -------------------------------------------------------------------------------------

    def _finished(self) -> Reply | None:
        self._keep_missing_glue()
        reply = self.reply
        if reply is not None and self.followed:
            reply.preceded(self.followed, self.config.failure_ttl)
            name, rdtype = self.question
            self.cache.keep_message(key_of(name), rdtype, reply, self.now, self.config, self.cd)
        return reply

    def _keep_missing_glue(self) -> None:
        """That the parent has no glue is remembered too, as an empty set."""
        if self.wants_glue and self.glue is None:
            ttl = self.config.failure_ttl if self.delegation_ttl is None else self.delegation_ttl
            records = Records(self.question[0], self.question[1], ttl, ())
            self.cache.keep(Ranked(records, Trust.ANSWER), self.now, Side.PARENT)


def _plain(reply: Reply) -> Reply:
    """The same, as if the server hadn't offered recursion: some root servers are resolvers too."""
    return Reply(reply.rcode, reply.answer, reply.authority, reply.additional, reply.aa, False, reply.tc)


def _same(one: Records, other: Records) -> bool:
    return one.type == other.type and one.name == other.name and one.same_data(other)


def _answering(reply: Reply, name: Name, rdtype: RdataType) -> Records | None:
    return next(
        (each.records for each in reply.answer if each.records.type == rdtype and each.records.name == name), None
    )
