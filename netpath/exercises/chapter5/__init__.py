"""Chapter 5: there and back again. The whole road, as it should go and as it goes wrong.

predicting, sharing     journeys on which all is well: addresses, answers, headers, connections, detours
failing                 from a symptom to its cause, and two causes at once
"""

from __future__ import annotations

from netpath.exercises.chapter5.building import q8, q9, q10
from netpath.exercises.chapter5.failing import q6, q7
from netpath.exercises.chapter5.predicting import q1, q2, q3, q4
from netpath.exercises.chapter5.repairing import q11, q12, q13
from netpath.exercises.chapter5.sharing import q5
from netpath.exercises.exercise import Chapter
from netpath.exercises.misconceptions import PAGES

exercises = Chapter(5, "There and back again", PAGES[5], (q1, q2, q3, q4, q5, q6, q7, q8, q9, q10, q11, q12, q13))
progress = exercises.progress

__all__ = ["exercises", "progress", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9", "q10", "q11", "q12", "q13"]
