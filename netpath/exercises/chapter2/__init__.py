"""Chapter 2: DNS resolution."""

from __future__ import annotations

from netpath.exercises.chapter2.building import q6, q7, q8
from netpath.exercises.chapter2.naming import q3
from netpath.exercises.chapter2.remembering import q1, q2, q4, q5
from netpath.exercises.chapter2.repairing import q9, q10, q11, q12
from netpath.exercises.exercise import Chapter
from netpath.exercises.misconceptions import PAGES

exercises = Chapter(2, "A name becomes an address", PAGES[2], (q1, q2, q3, q4, q5, q6, q7, q8, q9, q10, q11, q12))
progress = exercises.progress

__all__ = ["exercises", "progress", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9", "q10", "q11", "q12"]
