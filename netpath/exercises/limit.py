"""Running a reader's code so that nothing it does harms the kernel: not an exception, not an endless loop, not a crash.

Where the system can fork, the code runs in a child process that is ended when its time, or its memory, is over. Where
it can't, in a browser, it runs here, and is interrupted between two of its lines.

Not modelled: malice. This is the reader's own machine.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from netpath.exercises.outcome import Kind, Outcome

SECONDS = 5.0
MEMORY = 2 << 30  # bytes that the code may take in addition


class TimeUpError(Exception):
    """The time is over."""


def limited(judge: Callable[[], Outcome], seconds: float = SECONDS) -> Outcome:
    """What `judge` says, or what went wrong while it ran. Raises nothing that `judge` raises."""
    return _in_child(judge, seconds) if hasattr(os, "fork") and sys.platform != "emscripten" else _here(judge, seconds)


def _late(seconds: float) -> Outcome:
    return Outcome(Kind.RAISED, f"nothing for {seconds:g} seconds, and was stopped: is there a loop that never ends?")


def _caught(error: BaseException) -> Outcome:
    """An exception in the reader's code: what it was, and the line of theirs that it came from."""
    theirs = [each for each in traceback.extract_tb(error.__traceback__) if "netpath" not in each.filename]
    where = f", in line {theirs[-1].lineno} of `{theirs[-1].name}`" if theirs else ""
    message = f": {str(error)[:300]}" if str(error) else ""
    return Outcome(Kind.RAISED, f"{type(error).__name__}{message}{where}")


def _judged(judge: Callable[[], Outcome]) -> Outcome:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return judge()
    except TimeUpError:
        raise
    except (Exception, SystemExit, KeyboardInterrupt, RecursionError) as error:
        return _caught(error)


# In a process of its own -----------------------------------------------------------------------


def _in_child(judge: Callable[[], Outcome], seconds: float) -> Outcome:
    back, forth = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child uses none of the kernel's threads
        child = os.fork()
    if not child:
        _run(judge, forth)
    os.close(forth)
    try:
        said = _read(back, time.monotonic() + seconds)
    finally:
        os.close(back)
        os.kill(child, signal.SIGKILL)  # it has said what it had to say, or is late
        _, status = os.waitpid(child, 0)
    if said is None:
        return _late(seconds)
    if not said:
        return Outcome(Kind.RAISED, f"an end of the whole process (status {status})")
    answer: Outcome = pickle.loads(said)
    return answer


def _run(judge: Callable[[], Outcome], forth: int) -> None:
    """The child: judge, tell, and be gone without the kernel's own farewells."""
    try:
        with contextlib.suppress(ImportError, ValueError, OSError):
            import resource

            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (_taken() + MEMORY, hard))
        said = pickle.dumps(_judged(judge))
        while said:
            said = said[os.write(forth, said) :]
    finally:
        os._exit(0)


def _taken() -> int:
    """The bytes of address space that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _read(back: int, until: float) -> bytes | None:
    """All that the child says; None if it is still silent when its time is over."""
    said = b""
    while (left := until - time.monotonic()) > 0:
        if select.select([back], [], [], left)[0]:
            piece = os.read(back, 1 << 16)
            if not piece:
                return said
            said += piece
    return None


# In this process -------------------------------------------------------------------------------


def _here(judge: Callable[[], Outcome], seconds: float) -> Outcome:
    until = time.monotonic() + seconds

    def watch(frame: FrameType, event: str, argument: Any) -> Any:
        if time.monotonic() > until:
            raise TimeUpError
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        return _judged(judge)
    except TimeUpError:
        return _late(seconds)
    finally:
        sys.settrace(before)
