"""A lab that stays up, and how other terminals talk to it.

It listens on an abstract Unix socket, a name that is no file: it is gone when the process is gone, so nothing is left
behind even by `kill -9`, and nothing has to be cleaned up. Whoever connects learns from the kernel (SO_PEERCRED) which
process is at the other end; that is how `shell` finds the namespaces. Only the user who started it is listened to.

A request is one line of JSON, and so is the answer.

Not modelled: more than one request at a time.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lab.isolation import LabError, environment, find, furnish, prefix

NAME = "NETPATH_LAB"  # of the environment: what tells several labs of one user apart
_ENDED = 10.0  # seconds for a lab to end


def _name() -> str:
    """The socket's name: one for each user, and for each lab that has a name of its own."""
    return f"\0netpath-lab-{os.geteuid()}{os.environ.get(NAME, '')}"


# Here ----------------------------------------------------------------------------------------


def ask(request: dict[str, Any], seconds: float = 30.0) -> dict[str, Any]:
    """Ask the lab that is up. Raises `LabError` if none is, or with what went wrong there."""
    with _connected(seconds) as connection:
        connection.sendall(json.dumps(request).encode() + b"\n")
        answer: dict[str, Any] = json.loads(connection.makefile().readline() or '{"error": "the lab has ended"}')
    if "error" in answer:
        raise LabError(answer["error"])
    return answer


def running() -> int:
    """The process of the lab that is up. Raises `LabError` if none is."""
    with _connected(5.0) as connection:
        return _peer(connection)[0]


def _connected(seconds: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(seconds)
    try:
        connection.connect(_name())
    except OSError:
        connection.close()
        raise LabError("no lab is up: python -m lab up") from None
    if _peer(connection)[1] != os.geteuid():
        connection.close()
        raise LabError("that isn't your lab")
    return connection


def _peer(connection: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    process, user, _ = struct.unpack("3i", found)
    return process, user


def start(world: str, stay: bool) -> subprocess.Popen[str]:
    """Start a lab with the world of a folder (empty: the book's), and wait until it is up.

    `stay`: it outlives this process. Raises `LabError`.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(_name())
        except OSError:
            raise LabError("a lab is up already: python -m lab down") from None
        command = [*prefix(tied=not stay), sys.executable, "-P", "-m", "lab.control", str(listener.fileno()), world]
        process = subprocess.Popen(
            command,
            pass_fds=(listener.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if stay else None,  # nobody would see it, and unshare says a word when killed
            start_new_session=stay,
            env=environment(),
            text=True,
        )
    assert process.stdout is not None
    said = process.stdout.readline()
    if said != "up\n":
        process.kill()
        raise LabError(said.strip() or "the lab didn't come up")
    return process


def stop() -> None:
    """End the lab that is up, and wait until it is gone. Raises `LabError` if none is."""
    process = running()
    ending = os.pidfd_open(process)
    os.kill(process, signal.SIGKILL)
    select.select([ending], [], [], _ENDED)
    os.close(ending)


def command_in(place: str, command: Sequence[str]) -> list[str]:
    """The command that runs another one in a host of the lab that is up. Raises `LabError`."""
    process = running()
    host = ask({"do": "find", "host": place})
    network = Path(f"/proc/{process}/root/run/netns/{host['namespace']}")
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    entering = [find("nsenter"), "--target", str(process), *user, "--mount", "--pid", f"--net={network}", "--"]
    return [*entering, *(command or ["env", f"PS1={host['place']}$ ", "bash", "--norc"])]


# In there ------------------------------------------------------------------------------------


def serve(listener: socket.socket, answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]]) -> None:
    """Answer one request after another, for ever."""
    while True:
        connection, _ = listener.accept()
        with connection:
            if _peer(connection)[1] == os.geteuid():
                _answer(connection, answers)


def _answer(connection: socket.socket, answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]]) -> None:
    try:
        request = json.loads(connection.makefile().readline())
        answer = answers[request["do"]](request)
    except Exception as problem:  # whatever it is, the lab goes on
        answer = {"error": f"{type(problem).__name__}: {problem}"}
    try:
        connection.sendall(json.dumps(answer).encode() + b"\n")
    except OSError:
        return  # who asked has gone


def main(descriptor: int, world: str) -> None:
    """Build the lab and serve; the first line printed says `up`, or why not."""
    from lab.capture import as_object, captured
    from lab.session import Lab
    from lab.trace import trace
    from netpath import load_world, shop

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever stays in the foreground
    try:
        furnish()
        lab = Lab(load_world(world) if world else shop())
        lab.up()
    except Exception as problem:
        print(f"{type(problem).__name__}: {problem}".replace("\n", " "), flush=True)
        raise SystemExit(1) from None
    listener = socket.socket(fileno=descriptor)
    listener.listen()
    _resolve_by(str(lab.world.resolver))
    print("up", flush=True)

    def traced(request: dict[str, Any]) -> dict[str, Any]:
        seen = captured(lab, request["url"], request.get("choose", 0))
        text, same = trace(lab.world, seen)
        return {"text": text, "same": same, "capture": as_object(seen)}

    def found(request: dict[str, Any]) -> dict[str, Any]:
        host = lab.plan.find(request["host"])
        return {"place": host.place, "namespace": host.namespace}

    def hosts(_: dict[str, Any]) -> dict[str, Any]:
        return {"hosts": [(host.place, host.kind, " ".join(host.addresses)) for host in lab.plan.hosts.values()]}

    serve(listener, {"trace": traced, "find": found, "hosts": hosts})


def _resolve_by(resolver: str) -> None:
    """Let every program in here ask the world's resolver: /etc/resolv.conf is another file in this mount namespace."""
    own = Path("/run/lab/resolv.conf")
    own.write_text(f"nameserver {resolver}\n")
    real = Path("/etc/resolv.conf").resolve()
    if real.exists():
        subprocess.run([find("mount"), "--bind", own, real], check=True)
    elif real.is_relative_to("/run"):  # it was a link to a file that is hidden: /run is empty in here
        real.parent.mkdir(parents=True, exist_ok=True)
        real.symlink_to(own)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
