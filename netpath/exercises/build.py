"""Exercises that ask for something that works: a rule, a zone, a security group, an Ingress, or a short function.

The checker sends packets that the reader hasn't seen, new ones each time, and says which went wrong, and at which hop.
Whatever the reader hands in is tried in `limit`'s care: an exception or an endless loop is an outcome like any other.

Not modelled: style. What works is right.
"""

from __future__ import annotations

import ast
import dis
import random
from collections.abc import Callable
from dataclasses import dataclass
from textwrap import dedent
from typing import Any

from netpath.errors import NetpathError
from netpath.exercises.exercise import Exercise
from netpath.exercises.limit import SECONDS, limited
from netpath.exercises.outcome import NOT_ATTEMPTED, Outcome, Told, block, right, wrong

LONGEST = 100_000  # characters of a text that is handed in


@dataclass(eq=False, repr=False)
class Build(Exercise):
    """An exercise that asks for a text or a function.

    `task`: what to make. `stub`: the code to start with. `answer`: the code of a solution, whose last definition or
    assignment is the answer. `judge`: what comes of an answer, with chance of its own for each try. `slips`: wrong
    answers, as code like the solution's, each with a piece of the message that it must get.
    """

    task: str
    stub: str
    answer: str
    reasoning: str
    judge: Callable[[Any, random.Random], Outcome]
    wants: type | None = None  # the type of a text answer; None for a function
    slips: tuple[tuple[str, str], ...] = ()
    seconds: float = SECONDS

    def question(self) -> Told:
        """What to make, and the code to start with."""
        return Told(self.head, f"{self.task}\n\n{_code(self.stub)}Then: `{self.name}.check(…)`")

    def solution(self) -> Told:
        return Told(f"Solution of {self.number}", f"{_code(self.answer)}{self.reasoning}", folded=True)

    def _judge(self, answer: Any) -> Outcome:
        if answer is ... or self._untouched(answer):
            return NOT_ATTEMPTED
        if (refusal := self._refused(answer)) is not None:
            return refusal
        chance = random.Random()  # new packets for each try
        outcome = limited(lambda: self._tried(answer, chance), self.seconds)
        return right(self.solution().text, outcome.because) if outcome.right else outcome

    def _tried(self, answer: Any, chance: random.Random) -> Outcome:
        try:
            return self.judge(answer, chance)
        except NetpathError as error:
            return wrong(f"netpath can't work with it: {error}")

    def _refused(self, answer: Any) -> Outcome | None:
        """Why something can't be an answer at all, if it can't."""
        if self.wants is None:
            return (
                None if callable(answer) else wrong(f"a function is asked for, and this is a {type(answer).__name__}")
            )
        if not isinstance(answer, self.wants):
            return wrong(f"a {self.wants.__name__} is asked for, and this is a {type(answer).__name__}")
        if isinstance(answer, str) and len(answer) > LONGEST:
            return wrong(f"this has {len(answer):,} characters; {LONGEST:,} are more than enough")
        return None

    def _untouched(self, answer: Any) -> bool:
        """Whether this is the stub as it was given: a body that is only `...`, or the text unchanged."""
        if isinstance(answer, str):
            return answer.strip() in ("", *(text.strip() for text in _texts(self.stub)))
        return callable(answer) and _is_stub(answer)


def _code(code: str) -> str:
    return block(dedent(code).strip().splitlines())


def _texts(code: str) -> list[str]:
    """The texts that a piece of code assigns."""
    values = (node.value for node in ast.walk(ast.parse(dedent(code))) if isinstance(node, ast.Assign))
    return [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]


def _is_stub(function: Callable[..., Any]) -> bool:
    """Whether a function's body is nothing but words and `...`; by what it does, for not every one has its source."""
    return hasattr(function, "__code__") and _steps(function) == _steps(_nothing)


def _steps(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    return [(each.opname, each.argval) for each in dis.get_instructions(function)]


def _nothing() -> None: ...


def shown(value: Any) -> str:
    """What a reader's function gave, short enough to be told."""
    text = repr(value)
    return text if len(text) <= 90 else f"{text[:89]}…"


def defined(code: str) -> Any:
    """What the last definition or assignment of a piece of code makes: how the tests get at the solutions."""
    space: dict[str, Any] = {}
    tree = ast.parse(dedent(code))
    exec(compile(tree, "<solution>", "exec"), space)
    last = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.Assign))][-1]
    if isinstance(last, ast.FunctionDef):
        return space[last.name]
    target = last.targets[0]
    assert isinstance(target, ast.Name)
    return space[target.id]
