"""Exercises for whoever learns alone: predict, build, repair. One module a chapter.

    >>> from netpath.exercises import chapter5
    >>> chapter5.q1.head
    'Exercise 5.1: Who is calling? (easy, about 3 min)'

A chapter has `q1`, `q2`, … and `progress()`. An exercise shows its question when it stands at the end of a cell, and
has `check(answer)`, `hint()` and `solution()`; one that asks for a prediction also `another()`. Answers, hints and
solutions stand in the chapter's module alone; the tests run every one of them.

Not modelled: a teacher.
"""
