"""`make lab-test`: the oracles and the whole road at the same time, and what they come to together.

They share nothing but the machine: each is in namespaces of its own. What the road's tests have to say is said when the
oracles are done.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROAD = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "--dist", "worksteal", "tests/lab/test_road.py")
ORACLES = ("-m", "lab.oracles")


def main(arguments: list[str]) -> int:
    """Run both, `arguments` are the oracles'; 0 if nothing disagrees. Prints the road's summary and the time taken."""
    began = time.monotonic()
    with subprocess.Popen([sys.executable, *ROAD], cwd=ROOT, stdout=subprocess.PIPE, text=True) as roads:
        oracles = subprocess.run([sys.executable, *ORACLES, *arguments], cwd=ROOT)
        said = roads.communicate()[0].rstrip().splitlines()
    wrong = roads.returncode != 0
    print("\n".join(said if wrong else [f"the whole road, chosen worlds: {line}" for line in said[-1:]]))
    print(f"{time.monotonic() - began:.0f} s in all")
    return 1 if wrong or oracles.returncode else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
