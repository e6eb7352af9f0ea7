"""Balancing as a widget: three algorithms side by side, and kube-proxy, which picks once for each connection.

    balancing()     two targets in one zone, four in the other, one of them slow; beside it the Service `cart`
    explore(world)  with a kernel: any number of targets in any number of zones, any Service of a world

A reader plays the requests and sees bars grow: solid for what is answered, hatched for what is in flight. Cross-zone
can be switched, each target can fall ill, and below a client keeps its connections or opens one for each request.

Not modelled: what `balancing_data` leaves out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import ipywidgets

from netpath.errors import InputError
from netpath.load import shop
from netpath.show.tables import Cell, Table, cell
from netpath.show.widgets.balancing_data import BOOK, SLOW, Setting, connections, requests
from netpath.show.widgets.kit import Data, Live, Shown, live
from netpath.world import World

_KEPT = 4  # the connections of which the frame tells


class Balancing(Shown):
    """Requests spread over targets, and connections over pods, wherever it is shown."""

    _module = "balancing.js"

    def __init__(self, data: Data) -> None:
        super().__init__(data)

    def __repr__(self) -> str:
        given = self.data["requests"]
        names = ", ".join(target["name"] for target in given["targets"])
        lines = [f"{given['count']} requests over {names}, by {', '.join(given['algorithms'])}"]
        lines += [f"cross-zone {word}: {_counted(given, state)}" for word, state in _states(given)]
        lines.append(_kept(self.data["connections"]))
        return "\n".join(lines)

    def frame(self) -> Table:
        return counts(self.data)


def _states(given: Data) -> Iterator[tuple[str, str]]:
    """With cross-zone and without, the reader's health of targets."""
    yield from (("on", f"1 {given['ill']}"), ("off", f"0 {given['ill']}"))


def _counted(given: Data, state: str) -> str:
    """How many requests each target gets, algorithm by algorithm."""
    told = given["states"][state]["runs"]
    return "; ".join(" ".join(str(_tally(run)[at]) for at in range(len(given["targets"]))) for run in told)


def _tally(run: str) -> Counter[int]:
    """Requests by target, out of their letters."""
    return Counter(ord(letter) - ord("a") for letter in run.lower() if letter != "-")


def counts(data: Data) -> Table:
    """What each target has got in the end, by each algorithm, with cross-zone and without."""
    given = data["requests"]
    header = ("target", "cross-zone", *given["algorithms"], "if all alike")
    rows = tuple(row for word, state in _states(given) for row in _rows(given, word, state))
    caption = (
        f"{given['count']} requests, as three algorithms spread them over {len(given['targets'])} targets in "
        f"{len(given['zones'])} zones, and what each target gets if its node treats all alike. "
        f"{_kept(data['connections'])}"
    )
    return Table(header, rows, caption)


def _rows(given: Data, word: str, state: str) -> Iterator[tuple[Cell, ...]]:
    told = given["states"][state]
    tallies = [_tally(run) for run in told["runs"]]
    for at, target in enumerate(given["targets"]):
        name = f"{target['name']} (slow)" if target["slow"] else target["name"]
        got = (cell(str(tally[at])) for tally in tallies)
        yield cell(name), cell(word), *got, cell(f"{told['shares'][at]} of all")


def _kept(given: Data) -> str:
    """What becomes of a Service's pods if a client keeps few connections."""
    opened = Counter(given["draws"][0])
    few = Counter(given["draws"][0][number % _KEPT] for number in range(given["count"]))
    pods = range(len(given["pods"]))
    each, kept = (" / ".join(str(counted[pod]) for pod in pods) for counted in (opened, few))
    return (
        f"Service {given['service']}, {given['count']} requests to its {len(given['pods'])} pods: {each} with a "
        f"connection for each request, {kept} over {_KEPT} connections that are kept."
    )


def balancing(world: World | None = None, setting: Setting = BOOK, service: str = "shop/cart") -> Balancing:
    """The widget; a reader switches any of the setting's targets (up to eight). Raises `InputError`."""
    if len(setting.names) > 8:
        raise InputError("too many targets to switch each", value=len(setting.names), expected="up to 8; see explore")
    return Balancing({"requests": requests(setting), "connections": connections(world or shop(), service)})


# Live -----------------------------------------------------------------------------------------


def explore(world: World | None = None) -> Live:
    """The widget for any targets and for a world's Services. Needs a kernel."""
    made = world or shop()
    services = [each.key for each in (made.cluster.services if made.cluster else ()) if each.cluster_ip]
    known: dict[str, Data] = {}

    def change(zones: str, slow: str, seconds: float, ill: str, service: str) -> Data:
        setting = _setting(zones, slow, seconds)
        if service not in known:
            known[service] = connections(made, service, draws=2)
        sick = frozenset(_number(setting, name) for name in ill.split())
        return {"requests": requests(setting, [sick]), "connections": known[service]}

    chosen = "shop/cart" if "shop/cart" in services else services[0]
    controls = {
        "zones": ipywidgets.Text("2, 8", description="targets in each zone", style=_WIDE),
        "slow": ipywidgets.Text("b1", description="slow", style=_WIDE),
        "seconds": ipywidgets.FloatSlider(SLOW, min=0.1, max=10.0, description="its seconds", style=_WIDE),
        "ill": ipywidgets.Text("", description="ill from request 21 on", style=_WIDE),
        "service": ipywidgets.Dropdown(options=services, value=chosen, description="Service", style=_WIDE),
    }
    widget = Balancing(change(**{name: control.value for name, control in controls.items()}))
    return live(widget, change, **controls)


_WIDE = {"description_width": "initial"}


def _setting(zones: str, slow: str, seconds: float) -> Setting:
    try:
        counted = tuple(int(each) for each in zones.split(","))
    except ValueError:
        raise InputError("not numbers of targets", value=zones, expected="numbers such as 2, 8") from None
    setting = Setting(counted, None, seconds)
    return Setting(counted, _number(setting, slow.strip()), seconds) if slow.strip() else setting


def _number(setting: Setting, name: str) -> int:
    if name not in setting.names:
        raise InputError("no such target", value=name, expected=f"one of {', '.join(setting.names)}")
    return setting.names.index(name)
