from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netpath.choice import Choose, Script, first, outcomes
from netpath.errors import InputError


def test_first_passes_over_what_is_impossible() -> None:
    assert first("?", [0, 0, 0.1]) == 2


def test_first_takes_the_lowest_number_of_a_range() -> None:
    assert first("port", range(1024, 65536)) == 1024


def test_a_script_gives_its_answers_in_order_and_then_the_first() -> None:
    script = Script([1, 5])
    assert [script("?", [1, 1]), script("port", range(3, 9)), script("?", [0, 1])] == [1, 5, 1]
    assert script.asked == 3


@pytest.mark.parametrize(("answer", "weights"), [(2, [1, 1]), (-1, [1, 1]), (9, range(3, 9))])
def test_a_script_refuses_an_alternative_that_is_not_there(answer: int, weights: list[float] | range) -> None:
    with pytest.raises(InputError, match="no such alternative"):
        Script([answer])("?", weights)


def kube_proxy_chain(choose: Choose) -> int:
    """Three endpoints behind two rules, of 1/3 and 1/2, and a last one without."""
    if choose("rule 1", [Fraction(1, 3), Fraction(2, 3)]) == 0:
        return 1
    if choose("rule 2", [Fraction(1, 2), Fraction(1, 2)]) == 0:
        return 2
    return 3


def test_unequal_probabilities_in_a_chain_come_to_an_equal_share_for_each_endpoint() -> None:
    found = {outcome.result: outcome.probability for outcome in outcomes(kube_proxy_chain)}
    assert found == {1: Fraction(1, 3), 2: Fraction(1, 3), 3: Fraction(1, 3)}


def test_an_outcome_tells_the_choices_that_led_to_it() -> None:
    assert [o.choices for o in outcomes(kube_proxy_chain)][-1] == (("rule 1", 1), ("rule 2", 1))


def test_a_range_is_no_fork() -> None:
    assert [o.result for o in outcomes(lambda choose: choose("port", range(1024, 65536)))] == [1024]


def test_too_many_outcomes_are_refused() -> None:
    with pytest.raises(InputError, match="too many outcomes"):
        list(outcomes(lambda choose: [choose("?", [1, 1]) for _ in range(5)], limit=31))


def test_as_many_outcomes_as_the_limit_are_fine() -> None:
    assert len(list(outcomes(lambda choose: [choose("?", [1, 1]) for _ in range(5)], limit=32))) == 32


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4).filter(any), max_size=4))
def test_probabilities_add_up_to_one(questions: list[list[int]]) -> None:
    found = list(outcomes(lambda choose: [choose("?", weights) for weights in questions]))
    assert sum(outcome.probability for outcome in found) == 1
