"""The lab from the command line: `python -m lab up`, then `shell`, `trace`, `hosts`, `down`; or `compare`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence

from lab import agreement, control
from lab.isolation import Isolated, LabError, obstacle
from lab.session import PROGRAMS


def up(options: argparse.Namespace) -> int:
    """Build the network of a world and leave it up."""
    if reason := obstacle(PROGRAMS):
        raise LabError(reason)
    process = control.start(options.world, stay=not options.foreground)
    print("The lab is up. Try: python -m lab shell user")
    if options.foreground:
        return process.wait()
    return 0


def shell(options: argparse.Namespace) -> int:
    """Become a shell (or another command) in a host."""
    command = control.command_in(options.host, options.command)
    os.execv(command[0], command)


def trace(options: argparse.Namespace) -> int:
    answer = control.ask({"do": "trace", "url": options.url, "choose": options.choose})
    print(json.dumps(answer["capture"], indent=1) if options.json else answer["text"].rstrip("\n"))
    return 0 if answer["same"] else 1


def hosts(_: argparse.Namespace) -> int:
    for place, kind, addresses in control.ask({"do": "hosts"})["hosts"]:
        print(f"{place:58} {kind:18} {addresses}")
    return 0


def down(_: argparse.Namespace) -> int:
    control.stop()
    return 0


def compare(options: argparse.Namespace) -> int:
    """Make worlds that nobody chose, one for each seed, and hold what happens in them against the model."""
    if reason := obstacle(PROGRAMS):
        raise LabError(reason)
    cases = differences = 0
    with Isolated() as isolated:
        for seed in range(options.first, options.first + options.worlds):
            found = isolated.call(agreement.compare, seed)
            cases, differences = cases + found.cases, differences + len(found.differences)
            print(*found.differences, sep="\n", end="\n" if found.differences else "")
    print(f"{options.worlds} worlds, {cases} cases, {differences} disagreements")
    return 1 if differences else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m lab", description="A world made of real parts, in network namespaces.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, does: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(does=does)
        return made

    made = command("up", up, "build the network and leave it up")
    made.add_argument("--world", default="", metavar="FOLDER", help="the world; the book's own unless said")
    made.add_argument("--foreground", action="store_true", help="stay, and take the lab down on Ctrl-C")
    made = command("shell", shell, "a shell in a host, or a command; then curl, dig, ip, tcpdump")
    made.add_argument("host", help="a host's name, or a part that no other has (`user`)")
    made.add_argument("command", nargs=argparse.REMAINDER, help="what to run instead of a shell")
    made = command("trace", trace, "open a URL, and show the road as seen on the wires beside the model's")
    made.add_argument("url")
    made.add_argument(
        "--choose", type=int, default=0, metavar="N", help="which of the addresses found (the first is 0)"
    )
    made.add_argument("--json", action="store_true", help="what was seen, as data, without the model's")
    command("hosts", hosts, "list the hosts")
    made = command("compare", compare, "make worlds at random, and hold what happens in them against the model")
    made.add_argument("worlds", type=int, help="how many")
    made.add_argument("--first", type=int, default=0, metavar="SEED", help="the first one's seed")
    command("down", down, "take the network down")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 1 where something didn't work, or the model says otherwise."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.does(options)
        sys.stdout.flush()
    except LabError as problem:
        print(f"lab: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:  # whoever reads it has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


if __name__ == "__main__":
    raise SystemExit(main())
