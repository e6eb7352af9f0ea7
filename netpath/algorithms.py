"""How a balancer decides who gets the next request: the algorithms, one beside the other.

Every one answers the same question, `pick(pool, choose, now, skip)`: who of the `pool` (in its
configured order), without those in `skip` (unhealthy, or tried already)? What it remembers between
two questions is its own state, explicit and copyable; what it leaves to chance goes to `choose`. So a
chapter can put the same requests to all of them, and `netpath.choice.outcomes` can say exactly how
likely each target is.

=========================  ==========================================  ===============================
algorithm                  remembers                                   whose
=========================  ==========================================  ===============================
RoundRobin                 who was last                                AWS; every textbook
SmoothWeightedRoundRobin   a running weight for each target            nginx's default
GcdRoundRobin              who was last, and the weight wanted         ingress-nginx's default
LeastOutstanding           requests in flight                          AWS
Random, WeightedRandom     nothing                                     AWS `weighted_random`
PeakEwma                   a decaying average of answer times          ingress-nginx `ewma`
IpHash, KeyHash            nothing                                     nginx `ip_hash`, `hash`
ConsistentHash             nothing                                     nginx `hash … consistent`, chash
=========================  ==========================================  ===============================

The last three take a `key` (whose request is it?) instead of chance.

Not modelled: AWS's automatic target weights (anomaly mitigation) and slow start, whose formulas are not
published; nginx's `max_conns`, `backup`, `slow_start` and `least_conn`; the unordered walk of a Lua
table, where `GcdRoundRobin` takes the pool's order.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate
from math import exp, gcd
from types import MappingProxyType
from typing import Any, Generic, Protocol, Self, TypeVar
from zlib import crc32

from netpath.choice import Choose
from netpath.errors import InputError
from netpath.packet import address

T = TypeVar("T", bound=Hashable)
Weighting = Mapping[T, int]

_NOBODY: Mapping[Any, int] = MappingProxyType({})


class Algorithm(Protocol[T]):
    """What the algorithms have in common: ask, and tell what became of it."""

    def pick(self, pool: Sequence[T], choose: Choose, now: float = 0.0, skip: Container[T] = ()) -> T | None: ...
    def started(self, target: T, now: float = 0.0) -> None: ...
    def finished(self, target: T, now: float = 0.0, seconds: float = 0.0, failed: bool = False) -> None: ...
    def copy(self) -> Algorithm[T]: ...


class _Heedless(Generic[T]):
    """An algorithm that doesn't care what became of a request."""

    __slots__ = ()

    def started(self, target: T, now: float = 0.0) -> None:
        """A request goes to `target`."""

    def finished(self, target: T, now: float = 0.0, seconds: float = 0.0, failed: bool = False) -> None:
        """`target` answered after `seconds`, or failed to."""


def _weights(given: Weighting[T] | None) -> Weighting[T]:
    """The weights given (whoever isn't there has weight 1), once they are known to be sound."""
    for target, weight in (given or {}).items():
        if weight < 1:
            raise InputError("not a weight", field=str(target), value=weight, expected="a whole number from 1")
    return given or _NOBODY


class RoundRobin(_Heedless[T]):
    """One after the other, then again from the front.

    AWS's nodes don't start in step: with `random_start` the first pick is any of the pool, as likely
    as any other. Who is in `skip` loses a turn; who leaves the pool leaves the place to the next.

    >>> from netpath.choice import first
    >>> turn = RoundRobin[str]()
    >>> [turn.pick("abc", first, skip="b") for _ in range(4)]
    ['a', 'c', 'a', 'c']
    """

    __slots__ = ("_last", "_next", "random_start")

    def __init__(self, random_start: bool = False) -> None:
        self.random_start = random_start
        self._last: T | None = None
        self._next: int | None = None

    def pick(self, pool: Sequence[T], choose: Choose, now: float = 0.0, skip: Container[T] = ()) -> T | None:
        start = self._start(pool, choose, skip)
        for index in (*range(start, len(pool)), *range(start)) if skip else (start,) if pool else ():
            if not skip or pool[index] not in skip:
                self._last, self._next = pool[index], index + 1
                return self._last
        return None

    def _start(self, pool: Sequence[T], choose: Choose, skip: Container[T]) -> int:
        """Where in the pool the next turn begins."""
        place = self._next
        if place is None:
            weights = [0 if target in skip else 1 for target in pool] if skip else [1] * len(pool)
            return choose("where does round robin start?", weights) if self.random_start and any(weights) else 0
        if place <= len(pool) and pool[place - 1] == self._last:
            return place % len(pool)
        if self._last in pool:
            return (pool.index(self._last) + 1) % len(pool)
        return (place - 1) % len(pool) if pool else 0

    def copy(self) -> Self:
        twin = type(self)(self.random_start)
        twin._last, twin._next = self._last, self._next
        return twin


@dataclass(slots=True)
class _Peer:
    """What nginx remembers of an upstream server (`ngx_http_upstream_rr_peer_t`)."""

    weight: int
    effective: int
    current: int = 0
    fails: int = 0
    accessed: int = 0
    checked: int = 0


@dataclass(slots=True)
class SmoothWeightedRoundRobin(Generic[T]):
    """nginx's round robin: everyone gains its weight, the richest is picked and pays the total.

    The picks of a heavy server are spread out: weights 5, 1, 1 give `a a b a c a a`, not `a a a a a b c`.
    A failure takes `weight / max_fails` off what the server gains, and it comes back by one a pick; after
    `max_fails` of them (0: never) the server is left alone for `fail_timeout` seconds. Alone in the pool it
    is never left alone. Source: nginx, src/http/ngx_http_upstream_round_robin.c.

    >>> from netpath.choice import first
    >>> nginx = SmoothWeightedRoundRobin({"a": 5, "b": 1, "c": 1})
    >>> " ".join(nginx.pick("abc", first) for _ in range(7))
    'a a b a c a a'
    """

    weights: Weighting[T] = field(default_factory=lambda: _NOBODY)
    max_fails: int = 1
    fail_timeout: float = 10.0
    _peers: dict[T, _Peer] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        self.weights = _weights(self.weights)

    def pick(
        self, pool: Sequence[T], choose: Choose | None = None, now: float = 0.0, skip: Container[T] = ()
    ) -> T | None:
        if len(pool) == 1:
            return None if pool[0] in skip else pool[0]
        best: T | None = None
        best_peer: _Peer | None = None
        total = 0
        for target in pool:
            peer = self._peer(target)
            if (skip and target in skip) or (peer.fails and self._left_alone(peer, int(now))):
                continue
            peer.current += peer.effective
            total += peer.effective
            if peer.effective < peer.weight:
                peer.effective += 1
            if best_peer is None or peer.current > best_peer.current:
                best, best_peer = target, peer
        if best_peer is not None:
            best_peer.current -= total
            if int(now) - best_peer.checked > self.fail_timeout:
                best_peer.checked = int(now)
        return best

    def _peer(self, target: T) -> _Peer:
        peer = self._peers.get(target)
        if peer is None:
            weight = self.weights.get(target, 1)
            peer = self._peers[target] = _Peer(weight, weight)
        return peer

    def _left_alone(self, peer: _Peer, now: int) -> bool:
        return 0 < self.max_fails <= peer.fails and now - peer.checked <= self.fail_timeout

    def started(self, target: T, now: float = 0.0) -> None:
        """A request goes to `target`; it counts only once it is over."""

    def finished(self, target: T, now: float = 0.0, seconds: float = 0.0, failed: bool = False) -> None:
        """`ngx_http_upstream_free_round_robin_peer`: a failure costs weight; a success after the pause clears."""
        peer = self._peer(target)
        if not failed:
            if peer.accessed < peer.checked:
                peer.fails = 0
            return
        peer.fails += 1
        peer.accessed = peer.checked = int(now)
        if self.max_fails:
            peer.effective = max(0, peer.effective - peer.weight // self.max_fails)

    def copy(self) -> SmoothWeightedRoundRobin[T]:
        twin = SmoothWeightedRoundRobin(self.weights, self.max_fails, self.fail_timeout)
        twin._peers = {target: replace(peer) for target, peer in self._peers.items()}
        return twin


@dataclass(slots=True)
class GcdRoundRobin(_Heedless[T]):
    """ingress-nginx's round robin (lua-resty-balancer): rounds for ever lighter weights, in steps of their gcd.

    Weights 5, 1, 1 give `a a a a a b c` over and over. It begins after a target drawn by lot, so that the
    workers don't all go to the same one, and begins anew whenever the pool changes; who is in `skip` only
    loses a turn. Source: resty/roundrobin.lua.
    """

    weights: Weighting[T] = field(default_factory=lambda: _NOBODY)
    _pool: tuple[T, ...] = field(default=(), init=False, repr=False)
    _weighed: list[int] = field(default_factory=list, init=False, repr=False)
    _last: int = field(default=0, init=False, repr=False)
    _wanted: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self.weights = _weights(self.weights)

    def pick(self, pool: Sequence[T], choose: Choose, now: float = 0.0, skip: Container[T] = ()) -> T | None:
        if not pool or (skip and all(target in skip for target in pool)):
            return None
        if len(pool) == 1:
            return pool[0]
        if tuple(pool) != self._pool:
            self._begin(tuple(pool), choose)
        while (target := self._pool[self._turn(self._weighed)]) in skip:
            pass
        return target

    def _begin(self, pool: tuple[T, ...], choose: Choose) -> None:
        self._pool, self._weighed = pool, [self.weights.get(target, 1) for target in pool]
        self._wanted = max(self._weighed)
        self._last = choose("after whom does round robin start?", [1] * len(pool))

    def _turn(self, weights: Sequence[int]) -> int:
        """The next index whose weight is at least the one wanted; each round wants less."""
        while True:
            for index in range(self._last + 1, len(weights)):
                if weights[index] >= self._wanted:
                    self._last = index
                    return index
            self._last = -1
            self._wanted -= gcd(*weights)
            if self._wanted <= 0:
                self._wanted = max(weights)

    def copy(self) -> GcdRoundRobin[T]:
        twin = GcdRoundRobin(self.weights)
        twin._pool, twin._weighed, twin._last, twin._wanted = self._pool, self._weighed, self._last, self._wanted
        return twin


@dataclass(slots=True)
class LeastOutstanding(Generic[T]):
    """Whoever has the fewest requests in flight; among equals, chance.

    AWS doesn't say how equals are told apart: here each is as likely as the other.
    """

    outstanding: dict[T, int] = field(default_factory=dict)

    def pick(self, pool: Sequence[T], choose: Choose, now: float = 0.0, skip: Container[T] = ()) -> T | None:
        usable = [target for target in pool if target not in skip] if skip else pool
        if not usable:
            return None
        load = self.outstanding.get
        fewest = min(load(target, 0) for target in usable)
        equals = [target for target in usable if load(target, 0) == fewest]
        if len(equals) == 1:
            return equals[0]
        return equals[choose("which of the least busy?", [1] * len(equals))]

    def started(self, target: T, now: float = 0.0) -> None:
        self.outstanding[target] = self.outstanding.get(target, 0) + 1

    def finished(self, target: T, now: float = 0.0, seconds: float = 0.0, failed: bool = False) -> None:
        left = self.outstanding.pop(target, 0) - 1
        if left > 0:
            self.outstanding[target] = left

    def copy(self) -> LeastOutstanding[T]:
        return LeastOutstanding(dict(self.outstanding))


@dataclass(slots=True)
class WeightedRandom(_Heedless[T]):
    """By lot, each with the chance that its weight gives it (1 for whoever has none; 0 for never).

    AWS's `weighted_random` is this with equal weights, unless anomaly mitigation changes them.
    """

    weights: Mapping[T, float | Fraction] = field(default_factory=lambda: _NOBODY)

    def __post_init__(self) -> None:
        if any(weight < 0 for weight in self.weights.values()):
            raise InputError("not a weight", value=dict(self.weights), expected="0 or more")

    def pick(self, pool: Sequence[T], choose: Choose, now: float = 0.0, skip: Container[T] = ()) -> T | None:
        weights = [0 if target in skip else self.weights.get(target, 1) for target in pool]
        return pool[choose("which target?", weights)] if any(weights) else None

    def copy(self) -> WeightedRandom[T]:
        return WeightedRandom(self.weights)


@dataclass(slots=True)
class Random(_Heedless[T]):
    """By lot, each as likely as the other."""

    def pick(self, pool: Sequence[T], choose: Choose, now: float = 0.0, skip: Container[T] = ()) -> T | None:
        usable = [target for target in pool if target not in skip] if skip else pool
        return usable[choose("which target?", [1] * len(usable))] if usable else None

    def copy(self) -> Random[T]:
        return Random()


@dataclass(slots=True)
class PeakEwma(Generic[T]):
    """ingress-nginx's `ewma`: of two drawn by lot, the one whose answers were quicker of late.

    The average of connect and answer times loses its weight with e^(-t / 10 s), also while nothing is heard:
    a slow target is forgiven with time. One never heard of scores 0; one that joins others starts at their
    average. Skipping everyone skips no one, for then all have been tried. Source: ingress-nginx,
    rootfs/etc/nginx/lua/balancer/ewma.lua.
    """

    decay: float = 10.0
    average: dict[T, float] = field(default_factory=dict)
    touched: dict[T, float] = field(default_factory=dict)
    _peers: tuple[T, ...] | None = field(default=None, repr=False)

    def pick(self, pool: Sequence[T], choose: Choose, now: float = 0.0, skip: Container[T] = ()) -> T | None:
        if self._peers is not pool:
            self._sync(tuple(pool), now)
        if len(pool) < 2:
            return pool[0] if pool else None
        usable = [target for target in pool if target not in skip] or list(pool)
        if len(usable) == 1:
            return usable[0]
        one = usable.pop(choose("the first of the pair?", [1] * len(usable)))
        other = usable[choose("the second of the pair?", [1] * len(usable))]
        return other if self.score(other, now) < self.score(one, now) else one

    def score(self, target: T, now: float) -> float:
        """The target's average, faded since it was last heard of; in seconds."""
        return self._decayed(target, now, 0.0)

    def _decayed(self, target: T, now: float, seconds: float) -> float:
        weight = exp(-max(0.0, now - self.touched.get(target, 0.0)) / self.decay)
        return self.average.get(target, 0.0) * weight + seconds * (1.0 - weight)

    def _sync(self, peers: tuple[T, ...], now: float) -> None:
        known, self._peers = set(peers if self._peers is None else self._peers), peers
        for gone in known.difference(peers):
            self.average.pop(gone, None)
            self.touched.pop(gone, None)
        heard = [self.average[peer] for peer in peers if peer in self.average]
        for new in (peer for peer in peers if peer not in known) if heard else ():
            self.average[new], self.touched[new] = sum(heard) / len(heard), now

    def started(self, target: T, now: float = 0.0) -> None:
        """A request goes to `target`; it counts only once it is over."""

    def finished(self, target: T, now: float = 0.0, seconds: float = 0.0, failed: bool = False) -> None:
        self.average[target], self.touched[target] = self._decayed(target, now, seconds), now

    def copy(self) -> PeakEwma[T]:
        return PeakEwma(self.decay, dict(self.average), dict(self.touched), self._peers)


@dataclass(slots=True)
class _Hashed(Generic[T]):
    """What nginx's two plain hashes share: a number, laid out over the weights; after 20 misses, round robin."""

    weights: Weighting[T] = field(default_factory=lambda: _NOBODY)
    _fallback: SmoothWeightedRoundRobin[T] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._fallback = SmoothWeightedRoundRobin(self.weights)

    def _pick(self, pool: Sequence[T], skip: Container[T], number: Callable[[int], int]) -> T | None:
        total = sum(self.weights.get(target, 1) for target in pool)
        hashed = None
        for tries in range(21 if len(pool) > 1 else 0):
            hashed = self._at(pool, number(tries) % total)
            if hashed not in skip:
                return hashed
        return self._fallback.pick(pool, skip=skip)

    def _at(self, pool: Sequence[T], place: int) -> T:
        ends = list(accumulate(self.weights.get(target, 1) for target in pool))
        return pool[bisect_right(ends, place)]


class IpHash(_Hashed[T]):
    """nginx's `ip_hash`: the same /24 always goes to the same server. `key` is the client's IPv4 address.

    Source: nginx, src/http/modules/ngx_http_upstream_ip_hash_module.c.
    """

    __slots__ = ()

    def pick(self, pool: Sequence[T], key: str, skip: Container[T] = ()) -> T | None:
        octets = address(key).packed[:3]
        state = 89

        def number(_: int) -> int:
            nonlocal state
            for octet in octets:
                state = (state * 113 + octet) % 6271
            return state

        return self._pick(pool, skip, number)

    def copy(self) -> IpHash[T]:
        twin = IpHash(self.weights)
        twin._fallback = self._fallback.copy()
        return twin


class KeyHash(_Hashed[T]):
    """nginx's `hash KEY`: the CRC of the key says who; a server more or less moves almost everyone.

    Without a key, round robin.

    Source: nginx, src/http/modules/ngx_http_upstream_hash_module.c.
    """

    __slots__ = ()

    def pick(self, pool: Sequence[T], key: str, skip: Container[T] = ()) -> T | None:
        if not key:
            return self._fallback.pick(pool, skip=skip)
        total = 0

        def number(tries: int) -> int:
            nonlocal total
            again = str(tries) if tries else ""
            total += crc32((again + key).encode()) >> 16 & 0x7FFF
            return total

        return self._pick(pool, skip, number)

    def copy(self) -> KeyHash[T]:
        twin = KeyHash(self.weights)
        twin._fallback = self._fallback.copy()
        return twin


def nginx_identity(target: object) -> bytes:
    """What nginx hashes of a server `HOST:PORT`: `HOST`, a zero byte, `PORT`."""
    host, colon, port = str(target).rpartition(":")
    return (f"{host}\0{port}" if colon and port.isdigit() else f"{target}\0").encode()


def resty_identity(target: object) -> bytes:
    """What lua-resty-balancer hashes of an endpoint: `ADDRESS:PORT`, as it stands."""
    return str(target).encode()


@dataclass(slots=True)
class ConsistentHash(Generic[T]):
    """A ring (ketama): 160 points for each unit of weight, and the first point at or after the key's hash says who.

    A server more or less moves only its own share. nginx's `hash KEY consistent`; with `resty_identity`,
    ingress-nginx's `upstream-hash-by`. After 21 points of servers to skip, nginx (not resty) gives the ring up
    for round robin; without a key, at once. Source: nginx, ngx_http_upstream_hash_module.c; resty/chash.lua.
    """

    weights: Weighting[T] = field(default_factory=lambda: _NOBODY)
    identity: Callable[[object], bytes] = nginx_identity
    _fallback: SmoothWeightedRoundRobin[T] = field(init=False, repr=False)
    _ring: tuple[tuple[T, ...], list[int], list[T]] = field(default=((), [], []), init=False, repr=False)

    def __post_init__(self) -> None:
        self._fallback = SmoothWeightedRoundRobin(self.weights)

    def pick(self, pool: Sequence[T], key: str, skip: Container[T] = ()) -> T | None:
        if self._ring[0] != tuple(pool):
            self._ring = (tuple(pool), *self._points(pool))
        _, hashes, owners = self._ring
        start = bisect_left(hashes, crc32(key.encode()))
        nginx = self.identity is nginx_identity
        for tries in range((21 if key and len(pool) > 1 else 0) if nginx else len(owners)):
            owner = owners[(start + tries) % len(owners)]
            if owner not in skip:
                return owner
        return self._fallback.pick(pool, skip=skip) if nginx else None

    def _points(self, pool: Sequence[T]) -> tuple[list[int], list[T]]:
        ring: dict[int, T] = {}
        for target in pool:
            base = crc32(self.identity(target))
            point = 0
            for _ in range(160 * self.weights.get(target, 1)):
                point = crc32(point.to_bytes(4, "little"), base)
                ring.setdefault(point, target)
        hashes = sorted(ring)
        return hashes, [ring[point] for point in hashes]

    def copy(self) -> ConsistentHash[T]:
        twin = ConsistentHash(self.weights, self.identity)
        twin._fallback, twin._ring = self._fallback.copy(), self._ring
        return twin
