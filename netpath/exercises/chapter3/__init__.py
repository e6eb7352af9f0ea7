"""Chapter 3: getting to Kubernetes."""

from __future__ import annotations

from netpath.exercises.chapter3.balancer import q3, q4, q5
from netpath.exercises.chapter3.building import q7, q8
from netpath.exercises.chapter3.failing import q6
from netpath.exercises.chapter3.filters import q1, q2
from netpath.exercises.chapter3.giving import q9, q10
from netpath.exercises.chapter3.repairing import q11, q12, q13, q14
from netpath.exercises.exercise import Chapter
from netpath.exercises.misconceptions import PAGES

exercises = Chapter(3, "Getting to Kubernetes", PAGES[3], (q1, q2, q3, q4, q5, q6, q7, q8, q9, q10, q11, q12, q13, q14))
progress = exercises.progress

__all__ = [
    "exercises",
    "progress",
    "q1",
    "q2",
    "q3",
    "q4",
    "q5",
    "q6",
    "q7",
    "q8",
    "q9",
    "q10",
    "q11",
    "q12",
    "q13",
    "q14",
]
