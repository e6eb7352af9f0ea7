"""How long a process takes that imports netpath, or runs its command."""

from __future__ import annotations

from benchmarks.measure import least_process, told
from benchmarks.table import Line, Section

_IMPORT = "import time\nstarted = time.process_time()\nimport {}\nprint(time.process_time() - started)"
TRACE = ("-m", "netpath", "trace", "http://shop.example.com/cart")


def section(repetitions: int) -> Section:
    tries = 3 * repetitions
    empty, empty_wall = least_process(tries, "-c", "pass")
    lines = [Line("python -c pass", empty, "s", peer=f"{empty_wall:.3f} s by the clock")]
    for module, aim in (("netpath", 0.1), ("netpath.journey, netpath.load", None)):
        seconds = min(told(_IMPORT.format(module))[0] for _ in range(tries))
        peer = f"{seconds / empty:.2f} x python -c pass"
        aimed, met = ("", None) if aim is None else (f"< {aim} s", seconds < aim)
        lines.append(Line(f"import {module}", seconds, "s", aimed, met, peer))
    seconds, wall = least_process(tries, *TRACE)
    peer = f"{seconds / empty:.1f} x python -c pass; {wall:.3f} s by the clock"
    lines.append(Line("netpath trace", seconds, "s", "< 0.4 s", seconds < 0.4, peer))
    done = (
        "`import netpath` gives the public names, each imported when first used; the next line is what a journey\n"
        "needs. Modules are compiled already, as they are once installed. `netpath trace URL` starts Python, reads\n"
        "the shop's files, travels and prints."
    )
    return Section("Processes", done, tuple(lines))
