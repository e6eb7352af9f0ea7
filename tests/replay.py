"""Plays resolver replays: a scripted internet, and a client's questions at given times.

The format is that of unbound's testbound and of Deckard (`.rpl`): RANGEs say what a server at an
address answers while the step number is in the range; STEPs ask, check, and let time pass. What a
step checks is said by its MATCH line. Single packets can be driven too: after a QUERY, the steps
CHECK_OUT_QUERY, REPLY and TIMEOUT say what happens to the queries that no RANGE answers. Deckard's
dialect differs: sections that a check doesn't name aren't compared, an entry without MATCH stands
for its own question, and RAW octets may be thrown at the resolver.

Servers' odd ADJUSTs, hexadecimal answers and a resolver's inner state raise `UnplayableError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from netpath.resolution import Cache, Resolution, Resolver, ResolverConfig
from netpath.wire import answer_wire

Section = list[dns.rrset.RRset]

_PACKETS = ("CHECK_OUT_QUERY", "REPLY", "TIMEOUT")


class UnplayableError(Exception):
    """The replay needs something that this player hasn't got."""


class MismatchError(AssertionError):
    """The resolver answered otherwise than the replay says."""


@dataclass
class Entry:
    match: set[str] = field(default_factory=set)
    adjust: set[str] = field(default_factory=set)
    reply: list[str] = field(default_factory=list)
    sections: dict[str, Section] = field(default_factory=dict)
    raw: str = ""

    @property
    def question(self) -> dns.rrset.RRset | None:
        return next(iter(self.sections.get("QUESTION", [])), None)

    @property
    def rcode(self) -> dns.rcode.Rcode:
        known = dns.rcode.Rcode.__members__
        return next((dns.rcode.Rcode[word] for word in self.reply if word in known), dns.rcode.NOERROR)

    @property
    def flags(self) -> int:
        flags = 0
        for word in self.reply:
            flags |= {"QR": 0x8000, "AA": 0x400, "TC": 0x200, "RD": 0x100, "RA": 0x80, "AD": 0x20, "CD": 0x10}.get(
                word, 0
            )
        return flags

    def fits(self, query: dns.message.Message, tcp: bool) -> bool:
        asked, mine = query.question[0], self.question
        if ("TCP" in self.match and not tcp) or ("UDP" in self.match and tcp):
            return False
        if mine is None:
            return not self.match & {"qname", "qtype", "question", "subdomain"}
        match = self.match or {"qname", "qtype"}
        if "qcase" in match and asked.name.labels != mine.name.labels:
            return False
        if match & {"qtype", "question"} and asked.rdtype != mine.rdtype:
            return False
        if match & {"qname", "question"} and asked.name != mine.name:
            return False
        return not ("subdomain" in match and not asked.name.is_subdomain(mine.name))

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        if self.adjust - {"copy_id", "copy_query", "copy_qname"} or "do_not_answer" in self.reply:
            raise UnplayableError(f"ADJUST {self.adjust}")
        response = dns.message.QueryMessage(id=query.id)
        copies = {"copy_query", "copy_qname"} & self.adjust
        response.question = list(query.question) if copies else list(self.sections.get("QUESTION", []))
        response.flags = dns.flags.Flag(self.flags)
        response.set_rcode(self.rcode)
        response.answer, response.authority, response.additional = (
            list(self.sections.get(name, [])) for name in ("ANSWER", "AUTHORITY", "ADDITIONAL")
        )
        if query.edns >= 0:
            response.use_edns(0)
        return response


@dataclass
class Range:
    first: int
    last: int
    addresses: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)


@dataclass
class StepOf:
    number: int
    action: str
    argument: str = ""
    entry: Entry | None = None


@dataclass
class Replay:
    config: dict[str, list[str]]
    ranges: list[Range]
    steps: list[StepOf]
    zones: dict[str, list[str]] = field(default_factory=dict)
    deckard: bool = False


def parse(text: str) -> Replay:
    """A replay from its text."""
    deckard = not re.search(r"^\s*(server|stub-zone|forward-zone):", text, re.MULTILINE)
    lines = iter(_lines(text))
    config: dict[str, list[str]] = {}
    zones: dict[str, list[str]] = {}
    zone = ""
    for line in lines:
        if line.startswith(("CONFIG_END", "SCENARIO_BEGIN")):
            break
        name, colon, value = line.partition(":")
        if colon:
            value = value.strip().strip('"')
            config.setdefault(name.strip(), []).append(value)
            if name.strip() == "name":
                zone = value
            elif name.strip() == "stub-addr":
                zones.setdefault(zone, []).append(value.split()[0].split("@")[0])
    replay = Replay(config, [], [], zones, deckard)
    for line in lines:
        words = line.split()
        if words[0] == "RANGE_BEGIN":
            replay.ranges.append(_range(Range(int(words[1]), int(words[2]), set(words[3:])), lines))
        elif words[0] == "STEP":
            replay.steps.append(StepOf(int(words[1]), words[2], " ".join(words[3:])))
        elif words[0] == "ENTRY_BEGIN":
            replay.steps[-1].entry = _entry(lines)
        elif words[0] == "SCENARIO_END":
            break
    return replay


def _lines(text: str) -> Iterator[str]:
    for raw in text.splitlines():
        line = re.sub(r"(^|\s);.*", "", raw).rstrip()
        line = re.sub(r"(^|\s)#.*", "", line).rstrip()
        if line.strip():
            yield line.strip()


def _range(made: Range, lines: Iterator[str]) -> Range:
    for line in lines:
        words = line.split()
        if words[0] == "RANGE_END":
            break
        if words[0] == "ADDRESS":
            made.addresses.update(words[1:])
        elif words[0] == "ENTRY_BEGIN":
            made.entries.append(_entry(lines))
    return made


def _entry(lines: Iterator[str]) -> Entry:
    entry = Entry()
    section = ""
    for line in lines:
        words = line.split()
        if words[0] == "ENTRY_END":
            break
        if words[0] == "MATCH":
            entry.match.update(words[1:])
        elif words[0] == "ADJUST":
            entry.adjust.update(words[1:])
        elif words[0] == "REPLY":
            entry.reply += [word.upper() if word != "do_not_answer" else word for word in words[1:]]
        elif words[0] == "SECTION":
            section = words[1]
            entry.sections.setdefault(section, [])
        elif words[0] == "RAW":
            entry.raw = next(lines)
        elif words[0] in ("HEX_ANSWER_BEGIN", "HEX_EDNSDATA_BEGIN", "EXTRA_PACKET", "TCP"):
            raise UnplayableError(words[0])
        else:
            _record(entry.sections[section], section, words)
    return entry


def _record(section: Section, name: str, words: list[str]) -> None:
    owner = dns.name.from_text(words.pop(0))
    ttl = int(words.pop(0)) if words[0].isdigit() else 3600
    rdclass = dns.rdataclass.from_text(words.pop(0)) if words[0] in ("IN", "CH", "ANY") else dns.rdataclass.IN
    if words[0].isdigit():
        ttl = int(words.pop(0))
    rdtype = dns.rdatatype.from_text(words.pop(0))
    if name == "QUESTION":
        section.append(dns.rrset.RRset(owner, rdclass, rdtype))
        return
    datum = dns.rdata.from_text(rdclass, rdtype, " ".join(words), dns.name.root, relativize=False)
    for rrset in section:
        if rrset.name == owner and rrset.rdtype == rdtype and rdtype != dns.rdatatype.RRSIG:
            rrset.add(datum, ttl)
            return
    made = dns.rrset.RRset(owner, rdclass, rdtype, datum.covers())
    made.add(datum, ttl)
    section.append(made)


def config_of(replay: Replay) -> ResolverConfig:
    """The resolver that a replay wants, as far as the model has its options."""
    said = {name: values[-1] for name, values in replay.config.items()}
    return ResolverConfig(
        ipv6=said.get("do-ip6", "yes") == "yes",
        minimal=said.get("minimal-responses", "yes") == "yes",
        scrub_promiscuous=said.get("iter-scrub-promiscuous", "yes") == "yes",
        harden_glue=said.get("harden-glue", "yes") == "yes",
        snoop="allow_snoop" in said.get("access-control", ""),
        max_ttl=int(said.get("cache-max-ttl", 86400)),
        min_ttl=int(said.get("cache-min-ttl", 0)),
        max_negative_ttl=int(said.get("cache-max-negative-ttl", 3600)),
    )


def stubs_of(replay: Replay) -> dict[str, dict[str, list[str]]]:
    """The stub zones of the configuration, zone -> its servers; the root's are the hints."""
    addresses = replay.zones or {".": []}
    return {
        zone: {f"stub-{index}.invalid.": [text] for index, text in enumerate(given)}
        for zone, given in addresses.items()
    }


class Player:
    """Plays one replay against a `Resolver`; `play()` raises `MismatchError` with the hops, at the first difference."""

    def __init__(self, replay: Replay, config: ResolverConfig | None = None) -> None:
        self.replay = replay
        self.step = 0
        self.now = 1_000_000
        self.cache = Cache()
        stubs = stubs_of(replay)
        hints = {
            "K.ROOT-SERVERS.NET.": [each for given in stubs.pop(".", {}).values() for each in given] or ["192.0.2.1"]
        }
        self.resolver = Resolver(hints, self.send, config or config_of(replay), stubs)
        self.last: Resolution | None = None
        self.script: list[StepOf] = []

    def send(self, address: str, query: dns.message.Message, tcp: bool) -> dns.message.Message | None:
        for each in self.replay.ranges:
            if each.first <= self.step <= each.last and (not each.addresses or address in each.addresses):
                for entry in each.entries:
                    if entry.fits(query, tcp):
                        return entry.answer(query)
        return self._scripted(query, tcp)

    def _scripted(self, query: dns.message.Message, tcp: bool) -> dns.message.Message | None:
        """What the steps say happens to a query that no range answers."""
        while self.script:
            step = self.script.pop(0)
            assert step.entry is not None or step.action == "TIMEOUT"
            if step.entry is None:
                return None
            fits = step.entry.fits(query, tcp)
            if step.action == "CHECK_OUT_QUERY" and not fits:
                raise MismatchError(f"step {step.number}: the resolver asks {query.question[0]}")
            if step.action == "REPLY" and fits:
                return step.entry.answer(query)
        return None

    def play(self) -> None:
        steps = [*self.replay.steps, StepOf(self.replay.steps[-1].number, "NOTHING")]
        for index, step in enumerate(steps[:-1]):
            # the servers answer while the player waits at the check already
            self.step = (steps[index + 1] if step.action == "QUERY" else step).number
            if step.action == "QUERY" and step.entry is not None:
                self.script = _packets_after(steps, index)
                self._ask(step.entry)
            elif step.action == "CHECK_ANSWER" and step.entry is not None:
                self._check(step.entry)
            elif step.action == "TIME_PASSES":
                self.now += int(float(step.argument.split()[-1]))
            elif step.action not in ("NOTHING", "TRAFFIC", *_PACKETS):
                raise UnplayableError(step.action)

    def _ask(self, entry: Entry) -> None:
        if entry.raw:
            answer_wire(self.resolver.responder(self.cache, lambda: self.now), bytes.fromhex(entry.raw), False)
            return
        query = dns.message.QueryMessage(id=4711)
        query.question = list(entry.sections.get("QUESTION", []))
        query.authority = list(entry.sections.get("AUTHORITY", []))
        query.flags = dns.flags.Flag(entry.flags)
        if "DO" in entry.reply:
            query.use_edns(0, dns.flags.DO, 4096)
        self.last = self.resolver.resolve(query, self.cache, self.now, tcp="TCP" in entry.match)

    def _check(self, entry: Entry) -> None:
        assert self.last is not None
        response = self.last.response
        wanted = entry.match
        everything = "all" in wanted
        ttl = "ttl" in wanted
        pairs: list[tuple[str, object, object]] = []
        if everything or "rcode" in wanted:
            pairs.append(("rcode", response.rcode(), entry.rcode))
        if everything or "flags" in wanted:
            pairs.append(("flags", int(response.flags) & 0xFFB0, entry.flags & 0xFFB0))
        for name, section in (
            ("ANSWER", response.answer),
            ("AUTHORITY", response.authority),
            ("ADDITIONAL", response.additional),
        ):
            skipped = self.replay.deckard and name not in entry.sections
            if (everything and not skipped) or name.lower() in wanted:
                pairs.append((name, _plain(section, ttl), _plain(entry.sections.get(name, []), ttl)))
        for name, got, expected in pairs:
            if got != expected:
                hops = "\n".join(f"{hop.station} {hop.at} {hop.verdict}" for hop in self.last.hops)
                raise MismatchError(f"step {self.step}: {name}\n got      {got}\n expected {expected}\n{hops}")


def _packets_after(steps: list[StepOf], index: int) -> list[StepOf]:
    """The steps about single packets between a query and its check."""
    packets: list[StepOf] = []
    for step in steps[index + 1 :]:
        if step.action in ("QUERY", "CHECK_ANSWER"):
            break
        if step.action == "TIME_PASSES":
            raise UnplayableError("time passes while a query is out")
        packets += [step] if step.action in _PACKETS else []
    return packets


def _plain(section: Section, ttl: bool) -> list[tuple[str, str, int, tuple[str, ...]]]:
    return sorted(
        (
            str(rrset.name).lower(),
            dns.rdatatype.to_text(rrset.rdtype),
            rrset.ttl if ttl else 0,
            tuple(sorted(str(datum).lower() for datum in rrset)),
        )
        for rrset in section
    )
