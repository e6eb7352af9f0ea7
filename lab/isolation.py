"""A corner of this machine where a process may do as it likes with networks, and out of which nothing comes.

`Isolated` starts a Python process in namespaces of its own (network, mounts, processes) with an empty /run, and
calls functions in there:

    with Isolated() as isolated:
        isolated.call(os.getpid)  # 1

It works for root and, by way of a user namespace, for anybody else. The process is the first one of its process
namespace, so all that it started ends with it; and it ends when whoever started it does, however that comes about
(end of file on the pipe, or the kernel's "parent death signal").

Not modelled: limits of memory or time, other than a deadline for each call. It isn't a sandbox for hostile
code: files are shared.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from socket import socketpair
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# Which Debian package has a program. (Other distributions mostly use the same names.)
PACKAGES = {
    "conntrack": "conntrack",
    "curl": "curl",
    "dig": "bind9-dnsutils",
    "faketime": "faketime",
    "ip": "iproute2",
    "iptables-legacy-restore": "iptables",
    "iptables-nft-restore": "iptables",
    "mount": "mount",
    "nft": "nftables",
    "nginx": "nginx-light",
    "nsd": "nsd",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "unbound": "unbound",
    "unshare": "util-linux",
}

# Where an administrator's programs are; a user's own PATH often lacks these.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])

# --pid --fork: the child is process 1 of its own kind, so the kernel ends the others when it ends.
_NAMESPACES = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_ROOTLESS = ("--user", "--map-root-user")


class LabError(Exception):
    """Something in the lab didn't work: a program is missing, or has complained, or a call took too long."""


def find(program: str) -> str:
    """Where a program is. Raises `LabError`, with the package to install."""
    path = shutil.which(program, path=PATH)
    if path is None:
        package = PACKAGES.get(program, program)
        raise LabError(f"there is no {program} here; on Debian and Ubuntu: apt-get install {package}")
    return path


def missing(programs: Iterable[str]) -> str:
    """Which packages must be installed for these programs, in words; nothing if all are there."""
    packages = sorted({PACKAGES[each] for each in programs if shutil.which(each, path=PATH) is None})
    return f"this needs the packages {' '.join(packages)}" if packages else ""


def obstacle(programs: Iterable[str] = ()) -> str:
    """Why nothing can be isolated on this machine, or the programs not be run; an empty text if all is well."""
    lacks = missing(["unshare", "setpriv", "mount", "ip", *programs])
    if lacks:
        return lacks
    tried = subprocess.run([*prefix(), "true"], capture_output=True, text=True)
    return f"namespaces are not allowed here: {tried.stderr.strip()}" if tried.returncode else ""


def prefix(tied: bool = True, rootless: bool = False) -> list[str]:
    """The command before a command that is to run isolated.

    `tied`: it ends when its parent does. `rootless`: in a user namespace, as it must be for anybody but root.
    """
    user = _ROOTLESS if rootless or os.geteuid() != 0 else ()
    leash = (find("setpriv"), "--pdeathsig", "KILL") if tied else ()
    return [*leash, find("unshare"), *user, *_NAMESPACES]


class Isolated:
    """A Python process in namespaces of its own, which calls functions when asked to."""

    def __init__(self, rootless: bool = False) -> None:
        ours, theirs = socketpair()
        self._connection = Connection(ours.detach())
        with theirs:
            command = [*prefix(rootless=rootless), sys.executable, "-P", "-m", "lab.isolation", str(theirs.fileno())]
            self.process = subprocess.Popen(
                command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, env=environment()
            )

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function of a module in there, and return what it returns. Both are pickled on the way.

        Raises `LabError` with the traceback if it raised; see `call_within` for a deadline other than 60 s.
        """
        return self.call_within(60, function, *args, **kwargs)

    def call_within(self, seconds: float, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`call`, with a deadline: after it, the process is ended."""
        try:
            self._connection.send((function, args, kwargs))
            if not self._connection.poll(seconds):
                self.close()
                raise LabError(f"{function.__module__}.{function.__qualname__} took more than {seconds} s")
            done, result = self._connection.recv()
        except (EOFError, OSError):
            raise LabError("the isolated process has ended") from None
        if not done:
            raise LabError(result)
        answer: T = result
        return answer

    def close(self) -> None:
        """End the process, and with it all that it has started."""
        self._connection.close()
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Isolated:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


def environment() -> dict[str, str]:
    """What a process in there needs to know: the same modules, and where programs are."""
    modules = os.pathsep.join([str(Path(__file__).parents[1]), *(each for each in sys.path if each)])
    return {**os.environ, "PYTHONPATH": modules, "PATH": PATH}


def furnish() -> None:
    """What a new set of namespaces needs first: an empty /run of its own, and a loopback that is up."""
    for command in (["mount", "-t", "tmpfs", "lab", "/run"], ["ip", "link", "set", "lo", "up"]):
        done = subprocess.run([find(command[0]), *command[1:]], capture_output=True, text=True)
        if done.returncode:
            raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")


def serve(connection: Connection) -> None:
    """Call what the other end of a connection asks for, until it hangs up."""
    while True:
        try:
            function, args, kwargs = connection.recv()
        except EOFError:
            return
        connection.send(_result(function, args, kwargs))


def _result(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[bool, Any]:
    try:
        return True, function(*args, **kwargs)
    except Exception:
        return False, traceback.format_exc()


if __name__ == "__main__":
    furnish()
    serve(Connection(int(sys.argv[1])))
