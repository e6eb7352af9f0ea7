"""The command line: `netpath …` or `python -m netpath …`.

Exit status: 0 answered, 1 the network said no, 2 bad input.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from netpath.asking import argument, finder, first_packet, header, method, seconds, whole
from netpath.errors import InputError, NetpathError

if TYPE_CHECKING:
    from netpath.choice import Choose
    from netpath.journey import Journey
    from netpath.packet import Address, HttpRequest
    from netpath.resolution import Resolution
    from netpath.show.objects import Object
    from netpath.show.text import Page
    from netpath.world import World

ANSWERED, REFUSED, BAD_INPUT = 0, 1, 2

INTERRUPTED = 130  # what a shell says of Control-C: 128 and the signal's number


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors look like all the others."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (`{self.prog} --help` says more)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit status; errors go to standard error, in one line."""
    if sys.stdout is None:  # closed by whoever called us: nobody listens, but the exit status still tells
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  for good
    try:
        asked = _parser().parse_args(arguments)
        answer: int = asked.run(asked)
        sys.stdout.flush()
    except NetpathError as error:
        from netpath.show.plain import printable

        print(f"netpath: {printable(str(error))}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # `netpath … | head` closes the pipe: not our error, and nothing is left to say
        _say_no_more()
        return ANSWERED
    except OSError as error:  # what we read has errors of its own, so this is about what we write: a full disk, say
        _say_no_more()
        print(f"netpath: can't write ({error.strerror})", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    return answer


def _say_no_more() -> None:
    """What is still to be written goes nowhere, or Python would complain as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="netpath",
        allow_abbrev=False,
        description="Follow a request from a browser to a Kubernetes pod on AWS and back.",
        epilog="Exit status: 0 answered, 1 the network said no, 2 bad input.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (run, summary, options) in _COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        command.add_argument("--json", action="store_true", help="print one JSON object")
        if name != "walk":
            command.add_argument(
                "--world", metavar="DIR", type=Path, help="a folder of real files (default: the book's)"
            )
        options(command)
        command.set_defaults(run=run)
    return parser


# What every command needs ------------------------------------------------------------------------


def _world(asked: argparse.Namespace) -> World:
    from netpath.load import load_world, shop

    return shop() if asked.world is None else load_world(asked.world)


def _page() -> Page:
    from netpath.show.text import Page

    terminal = sys.stdout.isatty()
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Page(shutil.get_terminal_size((100, 24)).columns, colour)


def _print(asked: argparse.Namespace, body: Callable[[], Object], show: Callable[[Page], object]) -> None:
    """The answer, as an object for programs or as a page for people."""
    if asked.json:
        from netpath.show.objects import document

        print(json.dumps(document(asked.command, body()), indent=2))
        return
    page = _page()
    show(page)
    _write(str(page))


def _write(text: str) -> None:
    """A text and a line's end; what the terminal's encoding hasn't got becomes a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    if not encoding.lower().startswith("utf"):
        text = text.replace("…", "~")
    print(text.encode(encoding, "replace").decode(encoding))


def _choose(seed: int) -> Choose:
    from netpath.chance import seeded

    return seeded(seed)


def _times(asked: argparse.Namespace) -> list[float]:
    """The moments asked for, in order: the clock doesn't go back."""
    times: list[float] = asked.at or [0.0]
    if times != sorted(times):
        raise InputError("the clock goes back", field="--at", value=times, expected="times in order")
    return times


# trace -------------------------------------------------------------------------------------------


def _trace_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("url", metavar="URL")
    command.add_argument("--from", dest="user", metavar="ADDRESS", help="the user's address (default 198.51.100.23)")
    command.add_argument(
        "--header", action="append", default=[], metavar="'K: V'", help="a request header; may be repeated"
    )
    command.add_argument("--method", type=argument(method), default="GET", metavar="M")
    command.add_argument(
        "--seed", type=argument(whole(0, 2**63)), default=0, metavar="N", help="which chances are taken (default 0)"
    )
    _add_at(command, "when it is asked; may be repeated, with one memory")
    command.add_argument(
        "--count", type=argument(whole(1, 1_000_000)), default=1, metavar="N", help="so many requests, at each time"
    )
    _add_steps(command)


def _add_at(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("--at", type=argument(seconds), action="append", metavar="SECONDS", help=f"{what} (default 0)")


def _add_steps(command: argparse.ArgumentParser) -> None:
    command.add_argument("-v", "--steps", action="store_true", help="every rule that was consulted, matched or not")


MOST_TOLD = 4  # journeys told hop by hop; more of them are counted


def _trace(asked: argparse.Namespace) -> int:
    from netpath.packet import address, http_request

    request = http_request(asked.url, asked.method, tuple(map(header, asked.header)))
    user = None if asked.user is None else address(asked.user)
    world = _world(asked)
    if world.load_balancers:
        world.need(world.region, "region", "a load balancer")
    fates: set[bool] = set()
    journeys = _travelled(asked, world, request, user, fates)
    if asked.json:
        _print_journeys(journeys)
    elif asked.count * len(_times(asked)) > MOST_TOLD:
        _print_summary(journeys)
    else:
        _print_each(asked, journeys)
    return REFUSED if False in fates else ANSWERED


def _travelled(
    asked: argparse.Namespace, world: World, request: HttpRequest, user: Address | None, fates: set[bool]
) -> Iterator[tuple[float, Journey]]:
    """The journeys one after the other, with one memory; `fates` learns whether each was answered."""
    from netpath.journey import travel
    from netpath.memory import Memory

    memory, choose = Memory(), _choose(asked.seed)
    for now in _times(asked):
        memory.now = now
        for _ in range(asked.count):
            made = travel(world, memory, request, choose, user=user)
            fates.add(made.outcome.ok or (made.outcome.response is None and made.outcome.verdict.ok))
            yield now, made


def _print_journeys(journeys: Iterator[tuple[float, Journey]]) -> None:
    """One object, written journey by journey: a thousand of them needn't be in memory together."""
    from textwrap import indent

    from netpath.show import objects

    texts = (indent(json.dumps(objects.journey(each, now), indent=2), "    ") for now, each in journeys)
    first = next(texts)  # what is wrong with the question is found now, before anything is written
    head, tail = json.dumps(objects.document("trace", {"journeys": []}), indent=2).split("[]")
    print(f"{head}[\n{first}", end="")
    for text in texts:
        print(f",\n{text}", end="")
    print(f"\n  ]{tail}")


def _print_summary(journeys: Iterator[tuple[float, Journey]]) -> None:
    from netpath.show import text

    page = _page()
    text.summary(page, Counter(text.road(journey) for _, journey in journeys))
    _write(str(page))


def _print_each(asked: argparse.Namespace, journeys: Iterator[tuple[float, Journey]]) -> None:
    from netpath.show import text

    page = _page()
    for now, journey in journeys:
        text.journey(page, journey, now, asked.steps)
    _write(str(page))


# resolve -----------------------------------------------------------------------------------------


def _resolve_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME")
    command.add_argument("type", metavar="TYPE", nargs="?", default="A")
    _add_at(command, "when it is asked; may be repeated, with one cache")
    _add_steps(command)


def _resolve(asked: argparse.Namespace) -> int:
    import dns.exception
    import dns.message

    from netpath.memory import Memory
    from netpath.show import objects, text

    world, memory = _world(asked), Memory()
    try:
        query = dns.message.make_query(asked.name, asked.type, id=1, use_edns=0)
    except (dns.exception.DNSException, ValueError) as error:
        expected = "a domain name, and a type such as A or MX"
        raise InputError(f"can't be asked ({error})", value=f"{asked.name} {asked.type}", expected=expected) from None
    made: list[tuple[float, Resolution]] = []
    for now in _times(asked):
        memory.now = now
        made.append((now, world.names.resolve(query, memory)))

    def show(page: Page) -> None:
        for now, resolution in made:
            text.resolution(page, resolution, f"{asked.name} {asked.type.upper()}", now, asked.steps)

    body = {"name": asked.name, "type": asked.type.upper()}
    _print(asked, lambda: {**body, "resolutions": [objects.resolution(each, now) for now, each in made]}, show)
    return ANSWERED if all(map(_found, (resolution for _, resolution in made))) else REFUSED


def _found(resolution: Resolution) -> bool:
    """Whether the answer has a record of the type that was asked for; a CNAME alone is none."""
    from dns.rdatatype import ANY

    wanted = resolution.response.question[0].rdtype
    return any(rrset.rdtype == wanted or wanted == ANY for rrset in resolution.response.answer)


# send, walk --------------------------------------------------------------------------------------


def _packet_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("protocol", metavar="PROTOCOL", help="tcp, udp, sctp or icmp")
    command.add_argument("source", metavar="SOURCE[:PORT]", help="from port 40000, unless said otherwise")
    command.add_argument("destination", metavar="DESTINATION[:PORT]", help="to port 80, unless said otherwise")
    command.add_argument("--outcomes", action="store_true", help="all that can happen, with probabilities")
    _add_steps(command)


def _send_options(command: argparse.ArgumentParser) -> None:
    _packet_options(command)
    command.add_argument(
        "--seed", type=argument(whole(0, 2**63)), default=0, metavar="N", help="which chances are taken (default 0)"
    )


def _walk_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--rules", metavar="FILE", required=True, help="what iptables-save printed; - for standard input"
    )
    _packet_options(command)
    command.add_argument("--hook", metavar="HOOK", default="prerouting", help="where it begins: prerouting or output")
    command.add_argument(
        "--local", metavar="ADDRESS", action="append", default=[], help="an address of the host itself"
    )
    command.add_argument("--in", dest="input", metavar="INTERFACE", default="eth0", help="comes in by (default eth0)")
    command.add_argument("--out", dest="output", metavar="INTERFACE", default="eth0", help="goes out by (default eth0)")
    command.add_argument(
        "--seed", type=argument(whole(0, 2**63)), default=0, metavar="N", help="which chances are taken (default 0)"
    )


def _send(asked: argparse.Namespace) -> int:
    from netpath.choice import outcomes
    from netpath.fabric import round_trip, send
    from netpath.memory import Memory
    from netpath.show import objects, text

    world = _world(asked)
    packet = first_packet(asked.protocol, asked.source, asked.destination, finder(world))
    if asked.outcomes:
        found = list(outcomes(lambda choose: send(world, Memory(), packet, choose)))
        body = {"packet": objects.packet(packet)}
        _print(asked, lambda: {**body, "outcomes": objects.chances(found)}, lambda page: text.chances(page, found))
        return ANSWERED if any(each.result.arrived for each in found) else REFUSED
    out, back = round_trip(world, Memory(), packet, _choose(asked.seed))
    _print(
        asked,
        lambda: {"out": objects.trip(out), "back": objects.trip(back)},
        lambda page: text.round_trip(page, out, back, asked.steps),
    )
    return ANSWERED if out.arrived and back is not None and back.arrived else REFUSED


def _walk(asked: argparse.Namespace) -> int:
    from netpath.choice import outcomes
    from netpath.fabric import Trip
    from netpath.iptables import parse
    from netpath.netfilter import walk
    from netpath.packet import address
    from netpath.show import objects, text
    from netpath.world import Kind, Place

    rules = parse(_text(asked.rules), "standard input" if asked.rules == "-" else asked.rules)
    local = [address(each) for each in asked.local]
    packet = first_packet(asked.protocol, asked.source, asked.destination, address)

    def one(choose: Choose) -> Trip:
        passage = walk(rules, packet, asked.hook, local, input=asked.input, output=asked.output, choose=choose)
        if passage.packet is None:
            return Trip(packet, passage.hops)
        name = "this host" if passage.delivered else f"out by {passage.interface}"
        return Trip(packet, passage.hops, passage.packet, Place(Kind.NODE, name, passage.packet.destination.address))

    if asked.outcomes:
        found = list(outcomes(one))
        body = {"packet": objects.packet(packet)}
        _print(asked, lambda: {**body, "outcomes": objects.chances(found)}, lambda page: text.chances(page, found))
        return ANSWERED if any(each.result.arrived for each in found) else REFUSED
    trip = one(_choose(asked.seed))
    _print(asked, lambda: {"trip": objects.trip(trip)}, lambda page: text.walked(page, trip, asked.steps))
    return ANSWERED if trip.arrived else REFUSED


MOST_RULES = 128 * 2**20  # bytes


def _text(name: str) -> str:
    """The text of a file of rules; `-` is standard input."""
    expected = "what iptables-save printed"
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as file:
            text = file.read(MOST_RULES + 1)
        if len(text) > MOST_RULES:
            raise InputError("too large", file=name, expected=f"{MOST_RULES} bytes at the most")
        return text.decode("utf-8")
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", file=name, expected=expected) from None
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", file=name, expected=expected) from None


# rules, route, check -----------------------------------------------------------------------------


def _rules_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--node", metavar="NAME", required=True, help="a node's name, or the beginning of it")
    command.add_argument("--all", action="store_true", help="the CNI plugin's rules too, not kube-proxy's alone")


def _rules(asked: argparse.Namespace) -> int:
    from netpath.iptables import render
    from netpath.show.plain import printable

    world = _world(asked)
    world.need(world.cluster, "cluster", "kube-proxy")
    names = [asked.node] if asked.node in world.nodes else [name for name in world.nodes if name.startswith(asked.node)]
    if len(names) != 1:
        expected = f"one of {', '.join(world.nodes) or 'the nodes: there is none'}"
        raise InputError("not one node", field="--node", value=asked.node, expected=expected)
    node = world.nodes[names[0]]
    dump = render(node.rules if asked.all else node.services)
    if asked.json:
        _print(asked, lambda: {"node": names[0], "rules": dump.splitlines()}, lambda page: None)
    else:
        _write("\n".join(map(printable, dump.rstrip("\n").split("\n"))))  # whole lines, for iptables-restore
    return ANSWERED


def _route_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("url", metavar="URL")
    command.add_argument(
        "--header", action="append", default=[], metavar="'K: V'", help="a request header; may be repeated"
    )
    command.add_argument("--method", type=argument(method), default="GET", metavar="M")


def _route(asked: argparse.Namespace) -> int:
    from netpath.ingress import specification
    from netpath.packet import http_request
    from netpath.show import objects, text

    world = _world(asked)
    cluster = world.need(world.cluster, "cluster", "an Ingress")
    request = http_request(asked.url, asked.method, tuple(map(header, asked.header)))
    promised = specification(
        cluster.ingresses,
        cluster.ingress_classes,
        cluster.services,
        request.host,
        request.path,
        cluster.slices,
        ingress_class=cluster.controller.ingress_class,
    )
    done = world.controller.decide(request)

    def show(page: Page) -> None:
        text.decision(page, f"{request.url}: what the specification promises", promised)
        text.decision(page, "what ingress-nginx does", done)
        if promised.backend != done.backend:
            page.line()
            page.line("They differ.", "1")

    _print(
        asked,
        lambda: {
            "request": objects.request(request),
            "specification": objects.decision(promised),
            "nginx": objects.decision(done),
            "differ": promised.backend != done.backend,
        },
        show,
    )
    return ANSWERED if done.response is None or done.response.status < 400 else REFUSED


def _no_options(command: argparse.ArgumentParser) -> None:
    """Those of every command alone."""


def _check(asked: argparse.Namespace) -> int:
    from netpath.check import look
    from netpath.properties import properties
    from netpath.show import objects, text

    world = _world(asked)
    found = look(world)
    promises = properties(world) if world.cluster is not None else ()

    def show(page: Page) -> None:
        if promises:
            text.properties(page, promises)
        else:
            page.line("The three promises of the network model need a cluster, and this world has none.")
        text.findings(page, found)

    _print(
        asked,
        lambda: {"properties": objects.properties(promises), "findings": [objects.finding(each) for each in found]},
        show,
    )
    return ANSWERED if all(each.holds for each in promises) else REFUSED


_Command = tuple[Callable[[argparse.Namespace], int], str, Callable[[argparse.ArgumentParser], None]]
_COMMANDS: dict[str, _Command] = {
    "trace": (_trace, "the whole journey of a request: names, connections, every hop there and back", _trace_options),
    "resolve": (_resolve, "every exchange with a name server, then the answer", _resolve_options),
    "send": (_send, "one packet from anywhere to anywhere, and its reply", _send_options),
    "walk": (_walk, "one packet against any dump of iptables-save", _walk_options),
    "rules": (_rules, "what kube-proxy would install on a node", _rules_options),
    "route": (_route, "what an Ingress does with a URL, and why the other candidates lost", _route_options),
    "check": (_check, "the three promises of the network model, and what looks wrong in the world", _no_options),
}


if __name__ == "__main__":
    sys.exit(main())
