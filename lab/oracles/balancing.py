"""nginx's choices among upstream servers, one after the other, and the model's.

Weights, servers that are down, servers that fail just now (the next one is tried, and whoever failed gets less for a
while), and the three ways to choose by a key. nginx has one worker here, so a sequence is a sequence.

Not modelled: `max_conns`, `backup`, `slow_start`, `least_conn`; and `fail_timeout` running out, for time is real.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from lab.oracles.rounds import PATIENCE, Difference, Played, without
from lab.oracles.webserver import Question, WebServer
from netpath.algorithms import ConsistentHash, IpHash, KeyHash, SmoothWeightedRoundRobin
from netpath.choice import first

ASKED = 60
_POOLS = 16
_WEIGHTS = (1, 1, 2, 3, 5, 7, 10)
_FIRST_PORT = 21000
_MOST = 7
_FOREVER = 10_000.0

_DIRECTIVES = {"round robin": "", "failing": "", "ip_hash": "ip_hash;", "hash": "hash $arg_k;"}
_DIRECTIVES["consistent"] = "hash $arg_k consistent;"


@dataclass(frozen=True, slots=True)
class Pool:
    """An upstream: how it chooses, the servers' weights, who is down, and how many failures it takes."""

    kind: str
    weights: tuple[int, ...]
    down: frozenset[int] = frozenset()
    max_fails: int = 1

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(f"127.0.0.1:{_FIRST_PORT + number}" for number in range(len(self.weights)))

    @property
    def weighting(self) -> dict[str, int]:
        return dict(zip(self.targets, self.weights, strict=True))

    @property
    def skipped(self) -> frozenset[str]:
        return frozenset(self.targets[number] for number in self.down)

    def written(self, name: str) -> str:
        lines = [f"upstream {name} {{ {_DIRECTIVES[self.kind]}"]
        for number, (target, weight) in enumerate(self.weighting.items()):
            fails = f"max_fails={self.max_fails} fail_timeout={_FOREVER:.0f}s"
            lines.append(f"  server {target} weight={weight} {fails}{' down' if number in self.down else ''};")
        return "\n".join([*lines, "}"]) + "\n"


@dataclass(frozen=True, slots=True)
class Turn:
    """A request to a pool: with what key, and which servers fail it."""

    pool: int
    key: str
    failing: str = "x"  # their numbers

    @property
    def question(self) -> Question:
        """The Host header is the client's address to `ip_hash`."""
        return self.key or "none", f"/u{self.pool}?k={self.key}&f={self.failing}"


@dataclass(frozen=True, slots=True)
class Case:
    """Upstreams, and requests to them in an order."""

    pools: tuple[Pool, ...]
    turns: tuple[Turn, ...]


class BalancingOracle:
    """Whether the model's algorithms pick whom nginx picks."""

    patience = PATIENCE

    def draw(self, seed: str) -> Case:
        dice = Random(seed)
        pools = tuple(_pool(dice) for _ in range(_POOLS))
        turns = [_turn(dice, number, pool) for number, pool in enumerate(pools) for _ in range(ASKED)]
        dice.shuffle(turns)
        return Case(pools, tuple(turns))

    def play(self, case: Case) -> Played:
        played = Played()
        with WebServer(_written(case.pools)) as server:
            answers = server.ask([turn.question for turn in case.turns])
        models = [_model(pool) for pool in case.pools]
        for turn, answer in zip(case.turns, answers, strict=True):
            pool = case.pools[turn.pool]
            real = answer.location.replace(" ", "").split(",")
            said = list(models[turn.pool].tried(turn)) or [f"u{turn.pool}"]
            played.cases += 1
            played.count(pool.kind)
            if real != said:
                played.difference = Difference(f"{pool} {turn}", ", then ".join(real), ", then ".join(said))
                break
        return played

    def smaller(self, case: Case) -> Iterator[Case]:
        yield from (replace(case, turns=turns) for turns in without(case.turns) if turns)

    def told(self, case: Case) -> str:
        used = {turn.pool for turn in case.turns}
        pools = "".join(pool.written(f"u{number}") for number, pool in enumerate(case.pools) if number in used)
        return pools + "\n".join(map(str, case.turns))


def _pool(dice: Random) -> Pool:
    weights = tuple(dice.choice(_WEIGHTS) for _ in range(dice.randint(2, _MOST)))
    kind = dice.choice(("round robin", "failing", *_DIRECTIVES))
    if kind == "failing":
        return Pool(kind, weights, max_fails=dice.choice((0, 1, 1, 2, 3)))
    down = frozenset(number for number in range(len(weights)) if dice.random() < 0.3)
    return Pool(kind, weights, down if len(down) < len(weights) else frozenset())


def _turn(dice: Random, number: int, pool: Pool) -> Turn:
    if pool.kind == "ip_hash":
        return Turn(number, ".".join(str(dice.randint(1, 250)) for _ in range(4)))
    key = "" if dice.random() < 0.05 else f"k{dice.randint(0, 10**6)}"
    failing = ""
    if pool.kind == "failing":
        failing = "".join(str(each) for each in range(len(pool.weights)) if dice.random() < 0.2)
    return Turn(number, key or "k", failing or "x") if pool.kind in ("round robin", "failing") else Turn(number, key)


def _written(pools: tuple[Pool, ...]) -> str:
    """An nginx in front, and one that stands for each of the servers; who was tried is told in `Location`."""
    upstreams = "".join(pool.written(f"u{number}") for number, pool in enumerate(pools))
    backs = "".join(
        f'server {{ listen 127.0.0.1:{_FIRST_PORT + number}; location / {{ if ($arg_f ~ "{number}") {{ return 444; }} '
        f'return 200 "{number}"; }} }}\n'
        for number in range(_MOST)
    )
    locations = "".join(
        f"location = /u{number} {{ proxy_pass http://u{number}; add_header Location $upstream_addr always; }}\n"
        for number in range(len(pools))
    )
    address = "set_real_ip_from unix:; real_ip_header Host;"
    return f"{address}\n{upstreams}{backs}server {{ listen {{front}}; {locations} }}\n"


# The model's side -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Balancer:
    """One upstream as the model has it."""

    pool: Pool
    algorithm: SmoothWeightedRoundRobin[str] | IpHash[str] | KeyHash[str] | ConsistentHash[str]

    def tried(self, turn: Turn) -> Iterator[str]:
        """Whom a request goes to, and then to whom, as long as they fail."""
        pool, algorithm = self.pool, self.algorithm
        if not isinstance(algorithm, SmoothWeightedRoundRobin):
            picked = algorithm.pick(pool.targets, turn.key, pool.skipped)
            if picked is not None:
                yield picked
            return
        tried: list[str] = []
        for _ in pool.targets:
            picked = algorithm.pick(pool.targets, first, _FOREVER * 2, [*pool.skipped, *tried])
            yield picked or f"u{turn.pool}"
            if picked is None:
                return
            algorithm.started(picked, _FOREVER * 2)
            failed = str(pool.targets.index(picked)) in turn.failing
            algorithm.finished(picked, _FOREVER * 2, 0, failed)
            tried.append(picked)
            if not failed:
                return


def _model(pool: Pool) -> Balancer:
    if pool.kind == "ip_hash":
        return Balancer(pool, IpHash(pool.weighting))
    if pool.kind == "hash":
        return Balancer(pool, KeyHash(pool.weighting))
    if pool.kind == "consistent":
        return Balancer(pool, ConsistentHash(pool.weighting))
    return Balancer(pool, SmoothWeightedRoundRobin(pool.weighting, pool.max_fails, _FOREVER))
