"""Chapter 4: from node to pod.

`predicting` and `deciding` ask for predictions (nodes, requests), `building` and `repairing` for things that work.

Not modelled: see each module.
"""

from __future__ import annotations

from netpath.exercises.chapter4.building import q7, q8, q9, q10
from netpath.exercises.chapter4.deciding import q5, q6
from netpath.exercises.chapter4.predicting import q1, q2, q3, q4
from netpath.exercises.chapter4.repairing import q11, q12, q13, q14, q15
from netpath.exercises.exercise import Chapter
from netpath.exercises.misconceptions import PAGES

exercises = Chapter(4, "From node to pod", PAGES[4], (q1, q2, q3, q4, q5, q6, q7, q8, q9, q10, q11, q12, q13, q14, q15))
progress = exercises.progress

__all__ = ["exercises", "progress", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9"]
__all__ += ["q10", "q11", "q12", "q13", "q14", "q15"]
