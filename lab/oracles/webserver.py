"""A real nginx that is started for one configuration, and asked many things at once.

Requests go down one connection to a unix socket, fifty at a time, before the first answer is read. A request that
nginx finds bad ends the connection; whoever came after it is asked again on a new one.

Not modelled: TLS, HTTP/2, bodies.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

from lab import nginx
from lab.isolation import LabError, find

_AT_ONCE = 50

Question = tuple[str, str]  # the Host header, the target


class Answer(NamedTuple):
    """A response: its status, where it redirects to, its body."""

    status: int
    location: str = ""
    body: str = ""


class WebServer:
    """An nginx; `{front}` and `{back}` in its configuration stand for two unix sockets."""

    def __init__(self, http: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nginx", dir="/run"))
        self.front, self.back = self.folder / "front", self.folder / "back"
        settings = f"keepalive_requests 1000000;\nroot {self.folder}/empty;\n"
        text = http.replace("{front}", f"unix:{self.front}").replace("{back}", f"unix:{self.back}")
        self.folder.rmdir()
        configuration = nginx.write(self.folder, settings + text)
        (self.folder / "empty").mkdir()
        self.process = subprocess.Popen(
            [find("nginx"), "-c", str(configuration), "-e", str(self.folder / "error.log")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            self._wait(self.back if "{back}" in http else self.front)
        except LabError:
            self.close()
            raise

    def _wait(self, listener: Path) -> None:
        for _ in range(1000):
            if self.process.poll() is not None:
                break
            with socket.socket(socket.AF_UNIX) as one:
                try:
                    one.connect(str(listener))
                    return
                except OSError:
                    time.sleep(0.002)
        assert self.process.stderr is not None
        raise LabError(f"nginx: {self.process.stderr.read().decode()}")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()
        shutil.rmtree(self.folder)

    def __enter__(self) -> WebServer:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """The answer to each question, in their order."""
        answers: list[Answer] = []
        while len(answers) < len(questions):
            answers += self._asked(questions[len(answers) : len(answers) + 20 * _AT_ONCE])
        return answers

    def _asked(self, questions: Sequence[Question]) -> list[Answer]:
        """As many answers as one connection gives."""
        answers: list[Answer] = []
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(20)
            one.connect(str(self.front))
            with one.makefile("rb") as stream:
                for start in range(0, len(questions), _AT_ONCE):
                    batch = questions[start : start + _AT_ONCE]
                    one.sendall(b"".join(map(_request, batch)))
                    for _ in batch:
                        answer, closing = _answer(stream)
                        answers.append(answer)
                        if closing:
                            return answers
        return answers


def _request(question: Question) -> bytes:
    host, target = question
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


def _answer(stream: BinaryIO) -> tuple[Answer, bool]:
    """A response, and whether the connection ends with it."""
    status = int(stream.readline().split()[1])
    headers: dict[str, str] = {}
    while (line := stream.readline().decode("latin-1")) not in ("\r\n", ""):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0"))).decode("latin-1")
    return Answer(status, headers.get("location", ""), body), headers.get("connection") == "close"
