"""Chapter 1: network boundaries."""

from __future__ import annotations

from netpath.exercises.chapter1.building import q5, q6, q7
from netpath.exercises.chapter1.predicting import q1, q2, q3, q4
from netpath.exercises.chapter1.repairing import q8, q9, q10
from netpath.exercises.exercise import Chapter
from netpath.exercises.misconceptions import PAGES

exercises = Chapter(1, "Network boundaries", PAGES[1], (q1, q2, q3, q4, q5, q6, q7, q8, q9, q10))
progress = exercises.progress

__all__ = ["exercises", "progress", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9", "q10"]
