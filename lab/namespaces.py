"""Network namespaces by name, in the process that `lab.isolation` has started.

A socket keeps the namespace that it was made in, and a process the one that it was started in. So one process can
serve, and watch, all hosts of a network: it goes into a namespace, makes a socket, and goes back.

    create("user")
    with inside("user"):
        listener = socket.create_server(("", 80))

Not modelled: names that survive the process; they are mounts below /run/netns, in a mount namespace of their own.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lab.isolation import LabError, find

_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_libc = ctypes.CDLL(None, use_errno=True)
_SYSCTL = Path("/proc/sys")
_NAMED = Path("/run/netns")


def run(*command: str, text: str = "") -> str:
    """Run a program in the current namespace and return what it prints. Raises `LabError` if it fails."""
    done = subprocess.run([find(command[0]), *command[1:]], input=text, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def ip(lines: Iterable[str], namespace: str = "") -> None:
    """Run many `ip` commands at once, in a namespace (or here)."""
    where = ["-netns", namespace] if namespace else []
    run("ip", *where, "-batch", "-", text="\n".join(lines) + "\n")


def create(*names: str) -> None:
    """Make network namespaces, with a loopback that is up."""
    ip(f"netns add {name}" for name in names)
    for name in names:
        with inside(name):
            _loopback_up()


def delete(*names: str) -> None:
    """Let go of network namespaces; the kernel takes them apart once no process and no socket is in them."""
    ip(f"netns delete {name}" for name in names)


def _loopback_up() -> None:
    """What `ip link set lo up` does (netdevice(7)), without a process for each of many namespaces."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", _IFF_UP)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)


def handle(name: str) -> Path:
    """The file that stands for a namespace."""
    return _NAMED / name


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Be in a namespace for a while; sockets made and processes started meanwhile stay there. This thread only."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = os.open(handle(name), os.O_RDONLY)
        try:
            _setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def sysctl(settings: Mapping[str, int]) -> None:
    """Set what the kernel can be told under /proc/sys, in the current namespace. Raises `LabError`.

    A name may have `/` in place of dots, as an interface's may have dots itself.
    """
    for name, value in settings.items():
        path = _SYSCTL / (name if "/" in name else name.replace(".", "/"))
        try:
            path.write_text(str(value))
        except OSError as problem:
            raise LabError(f"sysctl {name}={value}: {problem.strerror}") from None
