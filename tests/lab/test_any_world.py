"""Worlds that nobody chose, on the wire and in the model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import model
from lab.agreement import compare, targets
from lab.isolation import Isolated, obstacle
from lab.session import PROGRAMS
from lab.worlds import scrambled
from netpath import shop
from netpath.world import World
from tests.conftest import skip_here


@pytest.fixture(scope="module")
def isolated() -> Iterator[Isolated]:
    if reason := obstacle(PROGRAMS):
        skip_here(reason)
    with Isolated() as process:
        yield process


@pytest.mark.parametrize("seed", range(5))
def test_in_a_world_that_nobody_chose_all_goes_where_the_model_says(isolated: Isolated, seed: int) -> None:
    agreement = isolated.call(compare, seed)
    assert agreement.cases == 29
    assert not agreement.differences, agreement.differences[0]


def told(world: World) -> list[set[tuple[str, ...]]]:
    """What the model says of connections to everything, from the user and from a node."""
    sources = str(world.user), "10.0.32.11"
    return [model.attempts(world, source, server) for source in sources for server in targets(world)]


def test_most_random_changes_change_a_road() -> None:
    as_it_was = told(shop())
    assert sum(told(scrambled(shop(), seed)) != as_it_was for seed in range(12)) >= 6
