"""Chapter 2's prediction about a zone: is there such a name, and what does the zone's server say?

Not modelled: a server that holds more than this zone.
"""

from __future__ import annotations

from random import Random

import dns.message

from netpath.exercises.chapter2.places import ALIASES, NO, TREE, server_of, zone_text
from netpath.exercises.exercise import Level
from netpath.exercises.outcome import block
from netpath.exercises.predict import Form, Predict, Slip, Variant, slips
from netpath.resolution import Answered, AuthoritativeServer

_YES = "records of that type"
_NODATA = "NODATA: NOERROR, and an empty answer"
_NXDOMAIN = "NXDOMAIN"
_REFERRAL = "a referral to other servers"
_OPTIONS = {"NOERROR": _YES, "NODATA": _NODATA, "NXDOMAIN": _NXDOMAIN, "REFERRAL": _REFERRAL}

_TYPES = ("A", "A", "MX", "TXT")


def _drawn_zone(draw: Random) -> tuple[list[str], list[str]]:
    """A zone's lines, and names that are worth asking about."""
    wild, deep, part = draw.choice(["preview", "app", "dev"]), draw.choice(["eu", "lab"]), draw.choice(["shop", "pay"])
    blue = draw.choice(["blue", "v2"])
    lines = [
        "@ IN A 203.0.113.10",
        "@ IN MX 10 mail",
        "mail IN A 203.0.113.25",
        f"www IN CNAME {draw.choice(['@', 'mail', 'old'])}",
        f"*.{wild} IN A 203.0.113.30",
        f"{draw.choice(['status', 'a.status'])}.{deep} IN A 203.0.113.40",
        f"{part} IN NS ns1.{part}",
        f"ns1.{part} IN A 192.0.2.77",
    ]
    if draw.random() < 0.7:
        lines.append(f'{blue}.{wild} IN TXT "here to stay"')
    if draw.random() < 0.3:
        lines.append(f"*.{part} IN A 203.0.113.50")
    names = ["@", "mail", "www", "x.www", wild, f"x.{wild}", f"x.y.{wild}", f"{blue}.{wild}", f"x.{blue}.{wild}"]
    names += [
        deep,
        f"status.{deep}",
        f"x.{deep}",
        f"x.status.{deep}",
        part,
        f"ns1.{part}",
        f"x.{part}",
        "x",
        f"*.{wild}",
    ]
    return lines, [name.replace("x", draw.choice(["pr-7", "new", "beta"])) for name in names]


def _said(server: AuthoritativeServer, name: str, kind: str) -> Answered:
    """What the zone's server says."""
    return server.answer(dns.message.make_query(name, kind, id=1, flags=0))


def _absolute(name: str) -> str:
    return "example.org" if name == "@" else f"{name}.example.org"


def _what_is_said(draw: Random) -> Variant:
    lines, names = _drawn_zone(draw)
    text, wanted = zone_text(*lines), draw.choice(list(_OPTIONS))
    server = server_of(text)
    questions = [(_absolute(name), kind) for name in names for kind in _TYPES]
    draw.shuffle(questions)
    heard = ((name, kind, _said(server, name, kind)) for name, kind in questions)
    # each of the four answers is as likely as the others, and every zone has all of them
    name, kind, said = next(each for each in heard if each[2].hop.verdict.code == wanted)
    answer, options = _OPTIONS[wanted], tuple(_OPTIONS.values())
    return Variant(
        f"The server of this zone is asked for `{name}`, type `{kind}`. What does it "
        f"say?\n\n{block(text.splitlines())}",
        answer,
        _why(said),
        slips(Form.CHOICE, answer, *(_slip(each, said, name, lines) for each in options)),
        options=options,
    )


def _why(said: Answered) -> str:
    """The rules that decided, in the server's own words."""
    steps = [step for step in said.hop.steps if step.matched]
    return "\n".join(f"`{step.rule.splitlines()[0]}`: {step.why.rstrip('.')}." for step in steps)


_CUT = (
    "at the NS records below its first name this zone ends: from there down others decide, and the server refers you "
    "to them, whatever else it has written down."
)
_UNCUT = "on the way down to this name there are no NS records but the zone's own."
_ALIAS = (
    "the name is another name of one in the same zone; so the server goes on with that, and what it finds there is "
    "the answer."
)
_ABSENT = (
    "nothing is written at this name, nothing below it, and no wildcard covers it: a wildcard answers only where the "
    "closest name that does exist is the one that the `*` stands right below."
)
_OTHER_TYPE = "what is written there is of another type, and a wildcard doesn't fill the gaps of a name that exists."
_NOT_HERE = "nothing of that type is written here, nor at a wildcard that covers the name."
_OTHERS = "the name does exist, with records of another type."
_BELOW = "nothing is written at this name, but there are names below it. So it exists, without records."
_COVERED = "a wildcard covers this name, so it exists; but the wildcard has no records of this type."
_WRITTEN = "look again: there is a line for this name and this type."
_WILD = "a wildcard covers this name: nothing else exists at it or between it and the wildcard's own parent."


def _slip(option: str, said: Answered, name: str, lines: list[str]) -> Slip:
    """Why it isn't this."""
    if said.hop.verdict.code == "REFERRAL":
        return Slip(option, _CUT, "", TREE)
    if option == _REFERRAL:
        return Slip(option, _UNCUT, "", TREE)
    if any(each.rdtype.name == "CNAME" for each in said.response.answer):
        return Slip(option, _ALIAS, "", ALIASES)
    return Slip(option, _because(option, said.hop.verdict.code, name, lines), "", NO)


def _because(option: str, code: str, name: str, lines: list[str]) -> str:
    written = any(_owner(line) == name for line in lines)
    below = any(_owner(line).endswith(f".{name}") for line in lines)
    if code == "NXDOMAIN":
        return _ABSENT
    if code == "NOERROR":
        return _WRITTEN if written else _WILD
    if option == _NXDOMAIN:
        return _OTHERS if written else _BELOW if below else _COVERED
    return _OTHER_TYPE if written else _NOT_HERE


def _owner(line: str) -> str:
    return _absolute(line.split()[0])


q3 = Predict(
    "2.3",
    "Is there such a name?",
    4,
    Level.MEDIUM,
    (
        "Go down the tree, label by label: is there a zone cut on the way? Does the name exist? If not, has the "
        "closest name that does a `*` right below it?",
        "A name exists if anything is written at it, or below it.",
    ),
    make=_what_is_said,
    otherwise="go down the tree label by label, and see where you can't go on.",
)
